"""Transactions.create_bulk: at once and queued, as one or one by one, held, in the background, and what is said when an item fails."""
import pytest
from answers import ANY, not_sent, ok, read, refused, typed, until
from blnk_sdk.constants import MAX_BULK_CREATE_ITEMS
from blnk_sdk.types.transactions import BulkTransactionResponse, BulkTransactions, CreateTransactions

QUEUE = pytest.mark.parametrize("queue", [{"skip_queue": True}, {}], ids=["at once", "queued"])
ATOMIC = pytest.mark.parametrize("atomic", [{"atomic": True}, {}], ids=["as one", "one by one"])


def items(books, *cents, **more):
    return [books.body(books.a, books.b, f"item-{place}", precise_amount=amount, meta_data={"item": place}, **more)
            for place, amount in enumerate(cents, 1)]


def accepted(answer, status, count):
    typed(BulkTransactionResponse, answer)
    assert answer == {"batch_id": answer["batch_id"], "status": status, "transaction_count": count}
    assert answer["batch_id"].startswith("bulk_")
    return answer["batch_id"]


def rows(books, batch, queue, *cents, **expected):
    """Reads the rows of a batch of queued and of executed items; gives their statuses."""
    for place, amount in enumerate(cents, 1):
        row = books.find(books.ref(f"item-{place}"))
        parties = {"source": books.a, "destination": books.b, "meta_data": {"item": place}, **expected}
        status = ("INFLIGHT" if expected.get("inflight") else "APPLIED") if queue.get("skip_queue") else "QUEUED"
        read(row, amount, status=status, parent_transaction=batch, **parties)
        assert row["meta_data"]["sequence"] == place
        if status == "QUEUED":
            assert row["meta_data"]["QUEUED_PARENT_TRANSACTION"] == batch
            read(books.outcome(f"item-{place}"), amount, status=ANY, parent_transaction=row["transaction_id"], **parties)


@QUEUE
@ATOMIC
def test_applied(blnk, books, atomic, queue):
    answer = ok(blnk.transactions.create_bulk({"transactions": items(books, 1000, 2000, 3000), **atomic, **queue}))
    rows(books, accepted(answer, "applied", 3), queue, 1000, 2000, 3000)
    assert (books.figures(books.a), books.figures(books.b)) == ((94_000, 0, 0), (6000, 0, 0))


@QUEUE
@ATOMIC
def test_held(blnk, books, atomic, queue):
    answer = ok(blnk.transactions.create_bulk({"transactions": items(books, 1000, 2000), "inflight": True, **atomic, **queue}))
    rows(books, accepted(answer, "inflight", 2), queue, 1000, 2000, inflight=True)
    assert (books.figures(books.a), books.figures(books.b)) == ((100_000, 0, 3000), (0, 3000, 0))


def test_items_of_every_kind(blnk, books):
    """By decimal amount, in text, to several, from several, with a date, in another currency, overdrawn."""
    answer = ok(blnk.transactions.create_bulk({"skip_queue": True, "inflight": False, "transactions": [
        books.body(books.a, books.b, "decimal", amount=19.99),
        books.body(books.a, books.b, "text", precise_amount="1"),
        books.body(books.a, [{"identifier": books.b, "distribution": "10%"}, {"identifier": books.shop, "distribution": "left"}], "to", amount=10),
        books.body([{"identifier": books.a, "precise_distribution": "600"}, {"identifier": books.shop, "distribution": "left"}], books.b, "from",
                   precise_amount=1000),
        books.body(books.a, books.b, "dated", amount=1, effective_date="2025-02-15T10:30:00Z"),
        books.body(books.world, books.shop, "euro", amount=3, currency="EUR", allow_overdraft=True)]}))
    batch = accepted(answer, "applied", 6)
    assert books.figures(books.b) == (1999 + 1 + 100 + 1000 + 100, 0, 0)
    assert books.figures(books.at(books.shop)) == (500, 0, 0)
    read(books.find(books.ref("dated")), 100, status="APPLIED", parent_transaction=batch)
    euro = read(books.find(books.ref("euro")), 300, status="APPLIED", parent_transaction=batch, currency="EUR")
    assert euro["destination"] == books.at(books.shop, "EUR")


@pytest.mark.parametrize("inflight", [False, True])
@QUEUE
@ATOMIC
def test_in_the_background(blnk, books, atomic, queue, inflight):
    asked = {"transactions": items(books, 1000, 2000), "run_async": True, "inflight": inflight, **atomic, **queue}
    answer = ok(blnk.transactions.create_bulk(asked), 202)
    typed(BulkTransactionResponse, answer)
    assert answer == {"batch_id": answer["batch_id"], "status": "processing", "message": "Bulk transaction processing started"}
    rows(books, answer["batch_id"], queue, 1000, 2000, **({"inflight": True} if inflight else {}))
    assert books.figures(books.b) == ((0, 3000, 0) if inflight else (3000, 0, 0))


@pytest.mark.parametrize("inflight", [False, True])
def test_one_item_fails_at_once(blnk, books, inflight):
    """As one, nothing is left of the batch and its references are free. Otherwise what came before stays."""
    asked = {"transactions": items(books, 1000, 200_000, 3000), "inflight": inflight, "skip_queue": True}
    failed = blnk.transactions.create_bulk({**asked, "atomic": True})
    error = refused(failed, 400, "TXN_INSUFFICIENT_FUNDS")
    assert error.details == {"batch_id": failed.data["batch_id"]} and failed.data["batch_id"].startswith("bulk_")
    assert books.ref("item-2") in error.message
    assert (books.figures(books.a), books.figures(books.b)) == ((100_000, 0, 0), (0, 0, 0))
    for place in (1, 2, 3):
        refused(blnk.transactions.get_by_reference(books.ref(f"item-{place}")), 404, "TXN_NOT_FOUND")
    error = refused(blnk.transactions.create_bulk({**asked, "atomic": False}), 400, "TXN_INSUFFICIENT_FUNDS")
    rows(books, error.details["batch_id"], {"skip_queue": True}, 1000, **({"inflight": True} if inflight else {}))
    assert books.figures(books.b) == ((0, 1000, 0) if inflight else (1000, 0, 0))
    refused(blnk.transactions.get_by_reference(books.ref("item-3")), 404, "TXN_NOT_FOUND")


def test_one_item_fails_in_the_background(blnk, books):
    asked = {"transactions": items(books, 1000, 200_000, 3000), "skip_queue": True, "run_async": True}
    batch = ok(blnk.transactions.create_bulk(asked), 202)["batch_id"]
    rows(books, batch, {"skip_queue": True}, 1000)
    for place in (2, 3):
        refused(blnk.transactions.get_by_reference(books.ref(f"item-{place}")), 404, "TXN_NOT_FOUND")
    assert books.figures(books.b) == (1000, 0, 0)


@QUEUE
def test_items_with_dates(blnk, books, queue):
    """In the past, so now."""
    dates = ("inflight_expiry_date", "inflight_commit_date", "scheduled_for")
    dated = [{**item, date: "2025-01-01T00:00:00Z"} for item, date in zip(items(books, 100, 200, 400), dates)]
    accepted(ok(blnk.transactions.create_bulk({"transactions": dated, "inflight": True, **queue})), "inflight", 3)
    for place in (1, 2, 3):
        books.find(books.ref(f"item-{place}") + ("" if queue else "_q"))
    until(lambda: books.figures(books.b) == (200, 400, 0))


@pytest.mark.parametrize("run_async", [False, True])
@ATOMIC
def test_one_item_fails_in_the_queue(blnk, books, atomic, run_async):
    asked = {"transactions": items(books, 1000, 200_000, 3000), "run_async": run_async, "skip_queue": False, **atomic}
    batch = ok(blnk.transactions.create_bulk(asked), 202 if run_async else 201)["batch_id"]
    rows(books, batch, {}, 1000, 200_000, 3000)
    statuses = [books.outcome(f"item-{place}")["status"] for place in (1, 2, 3)]
    assert statuses == (["REJECTED"] * 3 if atomic.get("atomic") else ["APPLIED", "REJECTED", "APPLIED"])
    assert books.figures(books.b)[0] == (0 if atomic.get("atomic") else 4000)


def test_objects_of_the_client(blnk, books):
    item = CreateTransactions(amount=1, precision=100, reference=books.ref("item-1"), description="test", currency="USD", source=books.a,
                              destination=books.b, meta_data={"item": 1})
    asked = BulkTransactions(atomic=True, inflight=True, run_async=False, skip_queue=True, transactions=[item])
    rows(books, accepted(ok(blnk.transactions.create_bulk(asked)), "inflight", 1), {"skip_queue": True}, 100, inflight=True)


def test_refused(blnk, books):
    def create(*transactions):
        return blnk.transactions.create_bulk({"transactions": list(transactions), "skip_queue": True, "atomic": True})

    good, bad = items(books, 100, 100)
    error = refused(create(good, {**bad, "currency": ""}), 400, "TXN_VALIDATION_ERROR")
    assert error.details == {"index": 1} and error.message.startswith("transactions[1]: ")
    refused(create(good, {**bad, "source": "bln_00000000-0000-4000-8000-000000000000"}), 404, "TXN_NOT_FOUND")
    ok(create(good))
    refused(create(good, bad), 409, "TXN_DUPLICATE_REFERENCE")
    assert books.figures(books.b) == (100, 0, 0)


def test_the_client_checks_batches_itself(blnk, books):
    (item,) = items(books, 100)
    not_sent(blnk.transactions.create_bulk({"transactions": []}), "Transactions array cannot be empty.")
    not_sent(blnk.transactions.create_bulk({"transactions": [item, item]}), "All transactions must have unique references within the bulk request.")
    not_sent(blnk.transactions.create_bulk({"transactions": [item] * (MAX_BULK_CREATE_ITEMS + 1)}), "Too many transactions; max is 10000.")
    not_sent(blnk.transactions.create_bulk({"transactions": [item], "run_async": 1}), "Run_async must be a boolean if provided.")


def test_as_many_as_the_client_allows(blnk, books):
    many = [books.body(books.a, books.b, f"item-{place}", precise_amount=1) for place in range(MAX_BULK_CREATE_ITEMS)]
    accepted(ok(blnk.transactions.create_bulk({"transactions": many, "skip_queue": True, "atomic": True})), "applied", MAX_BULK_CREATE_ITEMS)
    assert books.figures(books.b) == (MAX_BULK_CREATE_ITEMS, 0, 0)
