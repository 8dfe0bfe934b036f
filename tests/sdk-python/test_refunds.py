"""Transactions.refund: what is given back by which id, at once and queued, with and without words of its own."""
import pytest
from answers import ANY, made, not_sent, ok, queued, read, refused, transaction
from blnk_sdk.types.transactions import RefundTransactionRequest

UNKNOWN = "txn_00000000-0000-4000-8000-000000000000"
QUEUE = pytest.mark.parametrize("queue", [None, {"skip_queue": True}], ids=["queued", "at once"])


def refunded(books, answer, of, cents, queue, **expected):
    """Reads the refund of a payment of a to b, and its rows."""
    parties = {"source": books.b, "destination": books.a, **expected}
    if queue and queue.get("skip_queue"):
        made(answer, cents, parent_transaction=of, reference=f"{of}_refund", allow_overdraft=True, **parties)
        read(ok(books.blnk.transactions.get(answer["transaction_id"]), 200), cents, status="APPLIED", parent_transaction=of, **parties)
    else:
        queued(answer, cents, parent_transaction=of, reference=f"{of}_refund", allow_overdraft=True, **parties)
        read(ok(books.blnk.transactions.get(answer["transaction_id"]), 200), cents, status="QUEUED", parent_transaction=of, **parties)
        read(books.find(f"{of}_refund_q"), cents, status="APPLIED", parent_transaction=answer["transaction_id"], **parties)


@pytest.mark.parametrize("queue", [None, {}, {"skip_queue": False}, {"skip_queue": True}], ids=str)
def test_payment(blnk, books, queue):
    """Nothing said, the words and the metadata are those of the payment."""
    paid = ok(books.pay(books.a, books.b, "pay", amount=25, skip_queue=True, meta_data={"order": 1}))["transaction_id"]
    answer = ok(blnk.transactions.refund(paid) if queue is None else blnk.transactions.refund(paid, queue))
    refunded(books, answer, paid, 2500, queue, meta_data={"order": 1})
    refused(blnk.transactions.refund(paid), 409, "GEN_CONFLICT")
    refused(blnk.transactions.refund(paid, {"skip_queue": True}), 409, "GEN_CONFLICT")
    assert (books.figures(books.a), books.figures(books.b)) == ((100_000, 0, 0), (0, 0, 0))
    read(ok(blnk.transactions.get(paid), 200), 2500, status="APPLIED", meta_data={"order": 1})


@QUEUE
def test_words_of_its_own(blnk, books, queue):
    """The description replaces, unless it is empty; metadata is added."""
    paid = ok(books.pay(books.a, books.b, "pay", amount=25, skip_queue=True, meta_data={"order": 1, "by": "app"}))["transaction_id"]
    words = {"description": "wrong price", "meta_data": {"by": "desk", "reason": {"code": 7}}}
    answer = ok(blnk.transactions.refund(paid, {**words, **(queue or {})}))
    refunded(books, answer, paid, 2500, queue, description="wrong price", meta_data={"order": 1, "by": "desk", "reason": {"code": 7}})
    again = ok(books.pay(books.a, books.b, "again", amount=1, skip_queue=True))["transaction_id"]
    refunded(books, ok(blnk.transactions.refund(again, {"description": "", "meta_data": {}, **(queue or {})})), again, 100, queue)


def test_an_object_of_the_client(blnk, books):
    paid = ok(books.pay(books.a, books.b, "pay", amount=25, skip_queue=True))["transaction_id"]
    asked = RefundTransactionRequest(skip_queue=True, description="as an object", meta_data={"a": 1})
    refunded(books, ok(blnk.transactions.refund(paid, asked)), paid, 2500, {"skip_queue": True}, description="as an object", meta_data={"a": 1})


def test_the_receiver_may_be_overdrawn(blnk, books):
    paid = ok(books.pay(books.a, books.b, "pay", amount=25, skip_queue=True))["transaction_id"]
    ok(books.pay(books.b, books.shop, "spent", amount=25, skip_queue=True))
    refunded(books, ok(blnk.transactions.refund(paid, {"skip_queue": True})), paid, 2500, {"skip_queue": True})
    assert (books.figures(books.a), books.figures(books.b)) == ((100_000, 0, 0), (-2500, 0, 0))


@QUEUE
def test_queued_payment(blnk, books, queue):
    """Named by its request, its executed row is given back."""
    asked = ok(books.pay(books.a, books.b, "pay", amount=25))["transaction_id"]
    executed = books.outcome("pay")["transaction_id"]
    refunded(books, ok(blnk.transactions.refund(asked, queue)), executed, 2500, queue)
    refused(blnk.transactions.refund(asked, queue), 409, "GEN_CONFLICT")
    assert books.figures(books.b) == (0, 0, 0)


@pytest.mark.parametrize("kind", ["split", "batch", "hold"])
@QUEUE
def test_several_by_one_id(blnk, books, kind, queue):
    """All parts of a split payment, all items of a batch, all commits of a hold; the answer is the first."""
    if kind == "split":
        shares = [{"identifier": books.b, "distribution": "50%"}, {"identifier": books.shop, "distribution": "left"}]
        id = ok(books.pay(books.a, shares, "split", amount=20, skip_queue=True))["transaction_id"]
    elif kind == "batch":
        pair = [books.body(books.a, to, f"item-{to}", amount=10) for to in (books.b, books.shop)]
        id = ok(blnk.transactions.create_bulk({"transactions": pair, "skip_queue": True}))["batch_id"]
    else:
        id = books.hold(2000)
        for _ in range(2):
            ok(blnk.transactions.update_status(id, {"status": "commit", "amount": 10, "skip_queue": True}), 200)
    first = ok(blnk.transactions.refund(id, queue))
    transaction(first, 1000, allow_overdraft=True, skip_queue=bool(queue and queue.get("skip_queue")), parent_transaction=ANY, destination=books.a)
    if not first["skip_queue"]:
        books.find(first["reference"] + "_q")
    assert (books.figures(books.a), books.figures(books.b)) == ((100_000, 0, 0), (0, 0, 0))
    refused(blnk.transactions.refund(id, queue), 409, "GEN_CONFLICT")


def test_a_hold_that_was_given_back(blnk, books):
    """A quirk that is kept: the refund of a void holds the amount the other way round."""
    id = books.hold(1000)
    void = ok(blnk.transactions.update_status(id, {"status": "void", "skip_queue": True}), 200)["transaction_id"]
    answer = ok(blnk.transactions.refund(id, {"skip_queue": True}))
    made(answer, 1000, status="INFLIGHT", inflight=True, allow_overdraft=True, parent_transaction=void, source=books.b, destination=books.a)
    assert (books.figures(books.a), books.figures(books.b)) == ((100_000, 1000, 0), (0, 0, 1000))


def test_nothing_to_refund(blnk, books):
    void = books.hold(1000)
    void = ok(blnk.transactions.update_status(void, {"status": "void", "skip_queue": True}), 200)["transaction_id"]
    for id in (UNKNOWN, books.hold(1000, "open"), void):
        for options in (None, {"skip_queue": True}):
            refused(blnk.transactions.refund(id, options), 404, "TXN_NOT_FOUND")


def test_the_client_checks_refunds_itself(blnk):
    not_sent(blnk.transactions.refund(UNKNOWN, {"amount": 1}), "Invalid field: amount")
    not_sent(blnk.transactions.refund(UNKNOWN, {"skip_queue": "no"}), "skip_queue must be a boolean if provided.")
    not_sent(blnk.transactions.refund(UNKNOWN, {"description": 1}), "description must be a string if provided.")
