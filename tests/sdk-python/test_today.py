"""What the server answers today where it should answer otherwise. Each test says what is right, and moves out of here with it."""
import pytest
from answers import ok, refused


def no_such_page(response):
    """Plain text, of which the client makes nothing."""
    assert (response.status, response.message, response.data, response.error) == (404, "Not Found", None, None), response


def test_metadata_of_a_transaction(blnk, books):
    """Right would be 200 and {"meta_data": ...} with both keys."""
    paid = ok(books.pay(books.a, books.b, "pay", amount=1, skip_queue=True, meta_data={"order": 1}))["transaction_id"]
    no_such_page(blnk.metadata.update(paid, {"meta_data": {"more": 2}}))
    assert ok(blnk.transactions.get(paid), 200)["meta_data"] == {"order": 1}


def test_lineage(blnk, books):
    """Right would be 200 and {"transaction_id": ..., "shadow_transactions": null}; see TransactionLineageResponse."""
    paid = ok(books.pay(books.a, books.b, "pay", amount=1, skip_queue=True))["transaction_id"]
    no_such_page(blnk.transactions.get_lineage(paid))


def test_search(blnk):
    """Right would be 200 and a SearchResponse of SearchTransactionDocument."""
    no_such_page(blnk.search.search({"q": "*", "query_by": "reference"}, "transactions"))
    no_such_page(blnk.search.multi_search({"searches": [{"collection": "transactions", "q": "*"}]}))


def test_dry_runs(blnk, books):
    """Right would be 200 and a TransactionPreview or a BulkTransactionPreview; nothing happens either way."""
    hold = books.hold(1000)
    paid = ok(books.pay(books.a, books.b, "pay", amount=1, skip_queue=True))["transaction_id"]
    body, dry = books.body(books.a, books.b, "dry", amount=1), {"dry_run": True}
    for response in (blnk.transactions.create({**body, **dry}), blnk.transactions.create_bulk({"transactions": [body], **dry}),
                     blnk.transactions.refund(paid, dry), blnk.transactions.update_status(hold, {"status": "commit", **dry}),
                     blnk.transactions.update_status(hold, {"status": "void", **dry}),
                     blnk.transactions.bulk_commit_inflight({"transactions": [{"transaction_id": hold}], **dry}),
                     blnk.transactions.bulk_void_inflight({"transaction_ids": [hold], **dry})):
        error = refused(response, 400, "TXN_VALIDATION_ERROR", "GEN_BAD_REQUEST")
        assert "dry runs are not supported yet" in error.message
    assert books.figures(books.b) == (100, 1000, 0)
    # Said to be none, it is the real call.
    ok(blnk.transactions.create({**body, "dry_run": False, "skip_queue": True}))
    assert books.figures(books.b) == (200, 1000, 0)


@pytest.mark.parametrize("queue", [{"skip_queue": True}, {}], ids=["at once", "queued"])
def test_the_amount_of_a_split_in_minor_units(books, queue):
    """`amount` is that of the first leg. Right would be 10, as `precise_amount` and `amount_string` have it."""
    shares = [{"identifier": books.b, "precise_distribution": "600"}, {"identifier": books.shop, "distribution": "left"}]
    whole = ok(books.pay(books.a, shares, "split", precise_amount=1000, **queue))
    assert (whole["precise_amount"], whole["amount_string"], whole["amount"]) == (1000, "10", 6)
