"""What the server answers today where it should answer otherwise. Each test says what is right, and moves out of here with it."""
from answers import ok


def no_such_page(response):
    """Plain text, of which the client makes nothing."""
    assert (response.status, response.message, response.data, response.error) == (404, "Not Found", None, None), response


def test_metadata_of_a_transaction(blnk, books):
    """Right would be 200 and {"meta_data": ...} with both keys."""
    paid = ok(books.pay(books.a, books.b, "pay", amount=1, skip_queue=True, meta_data={"order": 1}))["transaction_id"]
    no_such_page(blnk.metadata.update(paid, {"meta_data": {"more": 2}}))
    assert ok(blnk.transactions.get(paid), 200)["meta_data"] == {"order": 1}


def test_search(blnk):
    """Right would be 200 and a SearchResponse of SearchTransactionDocument."""
    no_such_page(blnk.search.search({"q": "*", "query_by": "reference"}, "transactions"))
    no_such_page(blnk.search.multi_search({"searches": [{"collection": "transactions", "q": "*"}]}))
