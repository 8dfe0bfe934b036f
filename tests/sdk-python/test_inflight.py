"""Transactions.update_status, bulk_commit_inflight and bulk_void_inflight: holds are committed, in parts or as a whole, and given back."""
import pytest
from answers import ANY, not_sent, ok, read, refused, transaction, typed
from blnk_sdk.constants import MAX_BULK_INFLIGHT_ITEMS
from blnk_sdk.types.transactions import (
    BulkCommitInflightItem, BulkCommitInflightRequest, BulkCommitInflightResponse, BulkCommitInflightResult, BulkVoidInflightRequest,
    BulkVoidInflightResponse, BulkVoidInflightResult, UpdateTransactionStatus)

UNKNOWN = "txn_00000000-0000-4000-8000-000000000000"
PARTS = [{"amount": 4}, {"precise_amount": 400}, {"precise_amount": "400"}, {"amount": 9, "precise_amount": 400}]
QUEUE = pytest.mark.parametrize("queue", [{"skip_queue": True}, {}], ids=["at once", "queued"])
KIND = pytest.mark.parametrize("kind", ["hold", "request"])


def hold(books, kind, cents=1000, **more):
    """The id to name a hold by, and the id of the hold itself."""
    if kind == "request":
        return books.queued_hold(cents, **more)
    return (books.hold(cents, **more),) * 2


def settled(books, answer, id, of, cents, status, queue):
    """Reads what a commit or a return of a hold of 10.00 has answered."""
    parties = {"source": books.a, "destination": books.b}
    if queue.get("skip_queue"):
        row = transaction(answer, cents, status=status, parent_transaction=of, **parties)
        assert row["transaction_id"] != id and row["reference"].startswith("ref_")
        found = books.blnk.transactions.get(row["transaction_id"])
        read(ok(found, 200), cents, transaction_id=row["transaction_id"], status=status, parent_transaction=of, **parties)
    else:
        request = {} if id == of else {"status": "QUEUED"}
        read(answer, 1000, **{"transaction_id": id, "status": "INFLIGHT", "inflight": True, "queued": True, **parties, **request})


@pytest.mark.parametrize("queue", [{"skip_queue": True}, {}, {"skip_queue": False}], ids=str)
@KIND
def test_commit(blnk, books, kind, queue):
    id, of = hold(books, kind)
    settled(books, ok(blnk.transactions.update_status(id, {"status": "commit", **queue}), 200), id, of, 1000, "APPLIED", queue)
    assert (books.figures(books.a), books.figures(books.b)) == ((99_000, 0, 0), (1000, 0, 0))
    refused(blnk.transactions.update_status(id, {"status": "commit", **queue}), 409, "TXN_ALREADY_COMMITTED")
    refused(blnk.transactions.update_status(id, {"status": "void", **queue}), 409, "TXN_ALREADY_COMMITTED")


@QUEUE
@KIND
@pytest.mark.parametrize("part", PARTS, ids=str)
def test_commit_of_a_part(blnk, books, part, kind, queue):
    id, of = hold(books, kind)
    settled(books, ok(blnk.transactions.update_status(id, {"status": "commit", **part, **queue}), 200), id, of, 400, "APPLIED", queue)
    assert (books.figures(books.a), books.figures(books.b)) == ((99_600, 0, 600), (400, 600, 0))
    over = {"status": "commit", "precise_amount": 601, **queue}
    refused(blnk.transactions.update_status(id, over), 400, "TXN_COMMIT_AMOUNT_EXCEEDED")
    settled(books, ok(blnk.transactions.update_status(id, {"status": "commit", **queue}), 200), id, of, 600, "APPLIED", queue)
    assert (books.figures(books.a), books.figures(books.b)) == ((99_000, 0, 0), (1000, 0, 0))


@QUEUE
@KIND
def test_void(blnk, books, kind, queue):
    id, of = hold(books, kind)
    ok(blnk.transactions.update_status(id, {"status": "commit", "amount": 4, "skip_queue": True}), 200)
    settled(books, ok(blnk.transactions.update_status(id, {"status": "void", **queue}), 200), id, of, 600, "VOID", queue)
    assert (books.figures(books.a), books.figures(books.b)) == ((99_600, 0, 0), (400, 0, 0))
    refused(blnk.transactions.update_status(id, {"status": "commit", **queue}), 409, "TXN_ALREADY_VOIDED")
    refused(blnk.transactions.update_status(id, {"status": "void", **queue}), 409, "TXN_ALREADY_VOIDED")


def test_metadata_is_that_of_the_hold(blnk, books):
    """The client lets metadata be given; the row of a commit has that of its hold."""
    id = books.hold(1000, meta_data={"order": 1})
    done = ok(blnk.transactions.update_status(id, {"status": "commit", "skip_queue": True, "meta_data": {"order": 2, "more": True}}), 200)
    transaction(done, 1000, status="APPLIED", parent_transaction=id, meta_data={"order": 1})


@pytest.mark.parametrize("status, left", [("commit", (2000, 0, 0)), ("void", (0, 0, 0))])
@pytest.mark.parametrize("kind", ["split at once", "split queued", "batch at once", "batch queued"])
def test_several_holds_by_one_id(blnk, books, kind, status, left):
    """The id of a split transaction or of a batch stands for all its holds; the answer is the first of them."""
    skip_queue = kind.endswith("at once")
    if kind.startswith("split"):
        shares = [{"identifier": books.b, "distribution": "50%"}, {"identifier": books.shop, "distribution": "left"}]
        id = ok(books.pay(books.a, shares, "split", amount=40, inflight=True, skip_queue=skip_queue))["transaction_id"]
    else:
        pair = [books.body(books.a, to, f"item-{to}", amount=20) for to in (books.b, books.shop)]
        id = ok(blnk.transactions.create_bulk({"transactions": pair, "inflight": True, "skip_queue": skip_queue}))["batch_id"]
        if not skip_queue:
            books.outcome(f"item-{books.shop}")
    first = ok(blnk.transactions.update_status(id, {"status": status, "skip_queue": True}), 200)
    transaction(first, 2000, status="APPLIED" if status == "commit" else "VOID", parent_transaction=ANY)
    assert (books.figures(books.b), books.figures(books.at(books.shop))) == (left, left)


def test_an_object_of_the_client(blnk, books):
    id = books.hold(1000)
    update = UpdateTransactionStatus(status="commit", amount=9, precise_amount="400", meta_data={"a": 1}, skip_queue=True)
    settled(books, ok(blnk.transactions.update_status(id, update), 200), id, id, 400, "APPLIED", {"skip_queue": True})


def test_refused(blnk, books):
    for queue, status, code in (({}, 404, "TXN_NOT_FOUND"), ({"skip_queue": True}, 400, "TXN_NOT_INFLIGHT")):
        for action in ("commit", "void"):
            refused(blnk.transactions.update_status(UNKNOWN, {"status": action, **queue}), status, code)
    paid = ok(books.pay(books.a, books.b, "paid", amount=1, skip_queue=True))["transaction_id"]
    refused(blnk.transactions.update_status(paid, {"status": "commit"}), 400, "TXN_NOT_INFLIGHT")
    id = books.hold(1000)
    refused(blnk.transactions.update_status(id, {"status": "COMMIT"}), 400, "TXN_INVALID_STATUS_ACTION")
    refused(blnk.transactions.update_status(id, {"status": "commit", "precise_amount": 0}), 400, "TXN_INVALID_AMOUNT")
    refused(blnk.transactions.update_status(id, {"status": "commit", "amount": 0.001}), 400, "TXN_INVALID_AMOUNT")
    assert books.figures(books.b) == (100, 1000, 0)


def test_the_client_checks_updates_itself(blnk):
    not_sent(blnk.transactions.update_status(UNKNOWN, {}), "Status must be a string.")
    not_sent(blnk.transactions.update_status(UNKNOWN, {"status": "commit", "amount": "1"}), "Amount must be a number.")
    not_sent(blnk.transactions.update_status(UNKNOWN, {"status": "commit", "description": "why"}), "Invalid field: description")


# -- many holds --------------------------------------------------------------------------------------------------------
def outcome(answer, kind, item, succeeded, failed):
    """Reads what happened to each hold: its id, its status, its code, and whether something is said about it."""
    typed(kind, answer)
    assert (answer["succeeded"], answer["failed"], len(answer["results"])) == (succeeded, failed, succeeded + failed)
    for result in answer["results"]:
        typed(item, result)
    return [(result["transaction_id"], result["status"], result.get("code"), "message" in result) for result in answer["results"]]


def committed(answer, succeeded, failed):
    return outcome(answer, BulkCommitInflightResponse, BulkCommitInflightResult, succeeded, failed)


def voided(answer, succeeded, failed):
    return outcome(answer, BulkVoidInflightResponse, BulkVoidInflightResult, succeeded, failed)


def done(queue):
    return ("succeeded", None, False) if queue.get("skip_queue") else ("queued", "QUEUED", False)


@QUEUE
@KIND
def test_bulk_commit(blnk, books, kind, queue):
    """As a whole, and each way a part can be given."""
    ids = [hold(books, kind, reference=f"hold-{place}")[0] for place in range(4)]
    asked = [{"transaction_id": ids[3]}, {"transaction_id": ids[0], "amount": 1.5}, {"transaction_id": ids[1], "precise_amount": 300},
             {"transaction_id": ids[2], "amount": 9, "precise_amount": "700"}]
    answer = ok(blnk.transactions.bulk_commit_inflight({"transactions": asked, **queue}), 200)
    assert committed(answer, 4, 0) == [(item["transaction_id"], *done(queue)) for item in asked]
    assert books.figures(books.b) == (1000 + 150 + 300 + 700, 850 + 700 + 300, 0)
    # The rest of them: nothing said, or 0.
    rest = [{"transaction_id": ids[0]}, {"transaction_id": ids[1], "amount": 0}, {"transaction_id": ids[2], "precise_amount": 0}]
    assert committed(ok(blnk.transactions.bulk_commit_inflight({"transactions": rest, **queue}), 200), 3, 0)
    assert books.figures(books.b) == (4000, 0, 0)


@QUEUE
@KIND
def test_bulk_void(blnk, books, kind, queue):
    ids = [hold(books, kind, reference=f"hold-{place}")[0] for place in range(3)]
    answer = ok(blnk.transactions.bulk_void_inflight({"transaction_ids": [ids[2], ids[0]], **queue}), 200)
    assert voided(answer, 2, 0) == [(ids[2], *done(queue)), (ids[0], *done(queue))]
    assert (books.figures(books.a), books.figures(books.b)) == ((100_000, 0, 1000), (0, 1000, 0))


@QUEUE
def test_bulk_tells_what_failed(blnk, books, queue):
    held, taken, given_back = (books.hold(1000, f"hold-{place}") for place in range(3))
    paid = ok(books.pay(books.a, books.b, "paid", amount=1, skip_queue=True))["transaction_id"]
    ok(blnk.transactions.update_status(taken, {"status": "commit", "skip_queue": True}), 200)
    ok(blnk.transactions.update_status(given_back, {"status": "void", "skip_queue": True}), 200)
    failed = [(UNKNOWN, "failed", "NOT_FOUND", True), (taken, "failed", "ALREADY_COMMITTED", True), (given_back, "failed", "ALREADY_VOIDED", True),
              (paid, "failed", "NOT_INFLIGHT", True)]
    ids = [id for id, *_ in failed]
    asked = [{"transaction_id": id} for id in ids] + [{"transaction_id": held, "precise_amount": 1001}, {"transaction_id": held, "precise_amount": 400}]
    answer = ok(blnk.transactions.bulk_commit_inflight({"transactions": asked, **queue}), 200)
    assert committed(answer, 1, 5) == [*failed, (held, "failed", "INVALID_AMOUNT", True), (held, *done(queue))]
    answer = ok(blnk.transactions.bulk_void_inflight({"transaction_ids": [*ids, held], **queue}), 200)
    assert voided(answer, 1, 4) == [*failed, (held, *done(queue))]
    assert books.figures(books.b) == (1000 + 100 + 400, 0, 0)


def test_bulk_with_objects_of_the_client(blnk, books):
    one, other = books.hold(1000, "one"), books.hold(1000, "other")
    commit = BulkCommitInflightRequest(skip_queue=True, transactions=[BulkCommitInflightItem(transaction_id=one, amount=9, precise_amount="400")])
    assert committed(ok(blnk.transactions.bulk_commit_inflight(commit), 200), 1, 0) == [(one, "succeeded", None, False)]
    void = BulkVoidInflightRequest(skip_queue=True, transaction_ids=[one, other])
    assert voided(ok(blnk.transactions.bulk_void_inflight(void), 200), 2, 0) == [(one, "succeeded", None, False), (other, "succeeded", None, False)]
    assert books.figures(books.b) == (400, 0, 0)


def test_as_many_as_the_client_allows(blnk, books):
    ids = [UNKNOWN] * (MAX_BULK_INFLIGHT_ITEMS - 1) + [books.hold(1000)]
    items = [{"transaction_id": id, "precise_amount": 1} for id in ids]
    assert committed(ok(blnk.transactions.bulk_commit_inflight({"transactions": items, "skip_queue": True}), 200), 1, 99)[99][1] == "succeeded"
    assert voided(ok(blnk.transactions.bulk_void_inflight({"transaction_ids": ids, "skip_queue": True}), 200), 1, 99)[99][1] == "succeeded"
    not_sent(blnk.transactions.bulk_commit_inflight({"transactions": [*items, items[0]]}), "Too many transactions; max is 100.")
    not_sent(blnk.transactions.bulk_void_inflight({"transaction_ids": [*ids, UNKNOWN]}), "Too many transaction_ids; max is 100.")
    not_sent(blnk.transactions.bulk_commit_inflight({"transactions": []}), "Transactions array cannot be empty.")
    not_sent(blnk.transactions.bulk_void_inflight({"transaction_ids": [" "]}), "transaction_id is required at index 0.")
