"""Transactions.create with every input it has but parts (test_splits.py), and every field of what comes back."""
from datetime import datetime, timedelta, timezone

import pytest
from answers import ANY, ZERO, made, moment, not_sent, ok, queued, read, refused, transaction, typed, until
from blnk_sdk.types.transactions import CreateTransactionResponse, CreateTransactions, is_bulk_transaction_preview, is_transaction_preview

AMOUNTS = [{"amount": 10.5}, {"precise_amount": 1050}, {"precise_amount": "1050"}, {"precise_amount": "0001050"}]


def soon(seconds):
    return datetime.now(timezone.utc).replace(microsecond=0) + timedelta(seconds=seconds)


def told(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize("amount", AMOUNTS, ids=str)
def test_at_once(blnk, books, amount):
    paid = made(ok(books.pay(books.a, books.b, "pay", skip_queue=True, **amount)), 1050, source=books.a, destination=books.b, reference=books.ref("pay"))
    found = ok(blnk.transactions.get(paid["transaction_id"]), 200)
    read(found, 1050, transaction_id=paid["transaction_id"], status="APPLIED", source=books.a, destination=books.b, reference=books.ref("pay"),
         created_at=paid["created_at"])
    assert (books.figures(books.a), books.figures(books.b)) == ((98_950, 0, 0), (1050, 0, 0))


@pytest.mark.parametrize("amount", AMOUNTS, ids=str)
@pytest.mark.parametrize("skip_queue", [{}, {"skip_queue": False}], ids=str)
def test_through_the_queue(blnk, books, amount, skip_queue):
    parties = {"source": books.a, "destination": books.b}
    asked = queued(ok(books.pay(books.a, books.b, "pay", **amount, **skip_queue)), 1050, reference=books.ref("pay"), **parties)
    request = ok(blnk.transactions.get(asked["transaction_id"]), 200)
    read(request, 1050, transaction_id=asked["transaction_id"], status="QUEUED", reference=books.ref("pay"), created_at=asked["created_at"], **parties)
    read(books.outcome("pay"), 1050, status="APPLIED", reference=books.ref("pay") + "_q", parent_transaction=asked["transaction_id"], **parties)
    assert books.figures(books.b) == (1050, 0, 0)


def test_the_same_request_again_is_one(blnk, books):
    first = ok(books.pay(books.a, books.b, "pay", amount=5))
    again = ok(books.pay(books.a, books.b, "pay", amount=5))
    assert again["transaction_id"] == first["transaction_id"]
    refused(books.pay(books.a, books.b, "pay", amount=6), 409, "TXN_DUPLICATE_REFERENCE")
    refused(books.pay(books.a, books.b, "pay", amount=5, skip_queue=True), 409, "TXN_DUPLICATE_REFERENCE")
    books.outcome("pay")
    assert books.figures(books.b) == (500, 0, 0)


@pytest.mark.parametrize("precision, amount, precise", [(1, 7, 7), (10, 0.5, 5), (100, 19.99, 1999), (100_000_000, 0.1, 10_000_000), (10**18, 1.5, 15 * 10**17)])
def test_precision(books, precision, amount, precise):
    paid = ok(books.pay(books.world, "@Wallet" + books.run, "pay", amount=amount, precision=precision, allow_overdraft=True, skip_queue=True))
    transaction(paid, precise, amount=amount, precision=precision, allow_overdraft=True, skip_queue=True, status="APPLIED")


@pytest.mark.parametrize("amount", [90_071_992_547_409_930_001, "90071992547409930001"])
def test_beyond_a_double(blnk, books, amount):
    paid = ok(books.pay(books.world, books.b, "pay", precise_amount=amount, allow_overdraft=True, skip_queue=True))
    assert (paid["precise_amount"], paid["amount_string"]) == (90_071_992_547_409_930_001, "900719925474099300.01")
    assert ok(blnk.transactions.get(paid["transaction_id"]), 200)["precise_amount"] == 90_071_992_547_409_930_001
    assert books.figures(books.b) == (90_071_992_547_409_930_001, 0, 0)


def test_a_whole_number_written_as_a_float_is_refused(books):
    """json.dumps makes 1050.0 of it, which the client lets pass; minor units are integers."""
    refused(books.pay(books.a, books.b, "pay", precise_amount=1050.0, skip_queue=True), 400, "GEN_MALFORMED_REQUEST")


def test_finer_than_the_precision(blnk, books):
    paid = made(ok(books.pay(books.a, books.b, "pay", amount=1.005, skip_queue=True)), 101, amount=1.005)
    read(ok(blnk.transactions.get(paid["transaction_id"]), 200), 101, status="APPLIED")


def test_names_of_balances_are_made_on_the_way(blnk, books):
    paid = made(ok(books.pay(books.a, books.shop, "pay", amount=1, skip_queue=True)), 100, source=books.a)
    assert paid["destination"] == books.at(books.shop)
    asked = queued(ok(books.pay(books.a, books.shop, "queued", amount=1)), 100, source=books.a, destination=books.shop)
    read(ok(blnk.transactions.get(asked["transaction_id"]), 200), 100, status="QUEUED", destination=paid["destination"])
    # One name is one balance a currency.
    euro = ok(books.pay(books.world, books.shop, "euro", amount=1, currency="EUR", allow_overdraft=True, skip_queue=True))
    made(euro, 100, currency="EUR", allow_overdraft=True, destination=books.at(books.shop, "EUR"))
    assert euro["destination"] != paid["destination"]


@pytest.mark.parametrize("queue", [{"skip_queue": True}, {}], ids=["at once", "queued"])
def test_overdraft(books, queue):
    parties = (books.b, books.a)
    if queue:
        refused(books.pay(*parties, "without", amount=1, **queue), 400, "TXN_INSUFFICIENT_FUNDS")
        refused(books.pay(*parties, "refused", amount=1, allow_overdraft=False, **queue), 400, "TXN_INSUFFICIENT_FUNDS")
    else:
        asked = ok(books.pay(*parties, "without", amount=1))
        child = read(books.outcome("without"), 100, status="REJECTED", parent_transaction=asked["transaction_id"], source=books.b, destination=books.a)
        assert child["meta_data"]["blnk_rejection_reason"] == "failed to apply transaction to balances: insufficient funds in source balance"
    paid = ok(books.pay(*parties, "with", amount=1, allow_overdraft=True, **queue))
    transaction(paid, 100, allow_overdraft=True, skip_queue=bool(queue), status="APPLIED" if queue else "QUEUED")
    if not queue:
        read(books.outcome("with"), 100, status="APPLIED", parent_transaction=paid["transaction_id"])
    assert books.figures(books.b) == (-100, 0, 0)


def test_overdraft_limit(books):
    """The client has no field for it and sends it all the same."""
    paid = ok(books.pay(books.b, books.a, "within", amount=10, allow_overdraft=True, overdraft_limit=10.5, skip_queue=True))
    made(paid, 1000, allow_overdraft=True, overdraft_limit=10.5)
    refused(books.pay(books.b, books.a, "beyond", amount=1, allow_overdraft=True, overdraft_limit=10.5, skip_queue=True), 400, "TXN_VALIDATION_ERROR")


def test_a_rate_is_ignored(books):
    made(ok(books.pay(books.a, books.b, "pay", amount=1, rate=1.5, skip_queue=True)), 100)


@pytest.mark.parametrize("queue", [{"skip_queue": True}, {}], ids=["at once", "queued"])
def test_metadata(blnk, books, queue):
    noted = {"text": "Käse 🧀", "number": 1.5, "truth": True, "nothing": None, "list": [1, "two", {"three": 3}], "inner": {"deep": {"er": []}}}
    paid = ok(books.pay(books.a, books.b, "pay", amount=1, meta_data=noted, **queue))
    transaction(paid, 100, meta_data=noted, status=ANY, skip_queue=bool(queue))
    read(ok(blnk.transactions.get(paid["transaction_id"]), 200), 100, meta_data=noted)
    if not queue:
        read(books.outcome("pay"), 100, status="APPLIED", parent_transaction=paid["transaction_id"], meta_data=noted)
    transaction(ok(books.pay(books.a, books.b, "none", amount=1, meta_data={}, **queue)), 100, skip_queue=bool(queue))


@pytest.mark.parametrize("queue", [{"skip_queue": True}, {}], ids=["at once", "queued"])
def test_atomic(books, queue):
    paid = ok(books.pay(books.a, books.b, "pay", amount=1, atomic=True, **queue))
    transaction(paid, 100, atomic=True, skip_queue=bool(queue))


@pytest.mark.parametrize("date, answered", [
    ("2025-02-15T10:30:00Z", "2025-02-15T10:30:00Z"), ("2025-02-15T10:30:00+00:00", "2025-02-15T10:30:00Z"),
    ("2025-02-15T12:30:00+02:00", "2025-02-15T12:30:00+02:00"), (datetime(2025, 2, 15, 10, 30, 0, 987654, timezone.utc), "2025-02-15T10:30:00Z"),
    (datetime(2025, 2, 15, 12, 30, tzinfo=timezone(timedelta(hours=2))), "2025-02-15T10:30:00Z")], ids=str)
def test_effective_date(blnk, books, date, answered):
    made(ok(books.pay(books.world, books.b, "pay", amount=1, effective_date=date, allow_overdraft=True, skip_queue=True)), 100,
         effective_date=answered, allow_overdraft=True)
    for day, balance in ((14, 0), (16, 100)):
        then = ok(blnk.ledger_balances.get_at(books.b, {"timestamp": f"2025-02-{day}T00:00:00Z", "from_source": True}), 200)
        assert then["balance"]["balance"] == balance
    queued(ok(books.pay(books.world, books.b, "queued", amount=1, effective_date=date, allow_overdraft=True)), 100, effective_date=answered,
           allow_overdraft=True)


def test_dates_in_the_past_are_now(blnk, books):
    """Scheduled, it is executed; held, the hold is committed or given back."""
    past = datetime(2025, 1, 1, tzinfo=timezone.utc)
    asked = queued(ok(books.pay(books.a, books.b, "late", amount=1, scheduled_for=past)), 100, status="SCHEDULED", scheduled_for="2025-01-01T00:00:00Z")
    read(ok(blnk.transactions.get(asked["transaction_id"]), 200), 100, status="SCHEDULED")
    read(books.outcome("late"), 100, status="APPLIED", parent_transaction=asked["transaction_id"])
    at_once = made(ok(books.pay(books.a, books.b, "at-once", amount=1, scheduled_for=past, skip_queue=True)), 100, scheduled_for="2025-01-01T00:00:00Z")
    read(ok(blnk.transactions.get(at_once["transaction_id"]), 200), 100, status="APPLIED")
    for name, queue in (("sync", True), ("queued", False)):
        held = ok(books.pay(books.a, books.b, f"expired-{name}", amount=5, inflight=True, inflight_expiry_date=past, skip_queue=queue))
        transaction(held, 500, inflight=True, skip_queue=queue, inflight_expiry_date="2025-01-01T00:00:00Z")
        held = ok(books.pay(books.a, books.b, f"due-{name}", amount=7, inflight=True, inflight_commit_date="2025-01-01T00:00:00Z", skip_queue=queue))
        transaction(held, 700, inflight=True, skip_queue=queue, inflight_commit_date="2025-01-01T00:00:00Z")
    until(lambda: books.figures(books.b) == (2 * 100 + 2 * 700, 0, 0))


def test_dates_to_come(blnk, books):
    """Nothing happens before its time."""
    then = soon(4)
    asked = ok(books.pay(books.a, books.b, "later", amount=1, scheduled_for=then))
    queued(asked, 100, status="SCHEDULED", scheduled_for=told(then))
    expiring = ok(books.pay(books.a, books.b, "expiring", amount=10, inflight=True, inflight_expiry_date=told(then), skip_queue=True))
    made(expiring, 1000, status="INFLIGHT", inflight=True, inflight_expiry_date=told(then))
    due = ok(books.pay(books.a, books.b, "due", amount=100, inflight=True, inflight_commit_date=then))
    queued(due, 10_000, inflight=True, inflight_commit_date=told(then))
    books.outcome("due")
    assert books.figures(books.b) == (0, 11_000, 0)
    assert blnk.transactions.get_by_reference(books.ref("later_q")).status == 404
    assert datetime.now(timezone.utc) < then, "too slow to have seen it"
    until(lambda: books.figures(books.b) == (10_100, 0, 0))
    executed = read(books.outcome("later"), 100, status="APPLIED", parent_transaction=asked["transaction_id"])
    assert moment(executed["created_at"]) >= then
    # Reading a row does not bring its dates back.
    read(ok(blnk.transactions.get(expiring["transaction_id"]), 200), 1000, status="INFLIGHT", inflight=True)


def test_inflight(blnk, books):
    parties = {"source": books.a, "destination": books.b}
    held = made(ok(books.pay(books.a, books.b, "hold", amount=5, inflight=True, skip_queue=True)), 500, status="INFLIGHT", inflight=True, **parties)
    read(ok(blnk.transactions.get(held["transaction_id"]), 200), 500, status="INFLIGHT", inflight=True, **parties)
    asked = queued(ok(books.pay(books.a, books.b, "queued", amount=5, inflight=True)), 500, inflight=True, **parties)
    read(ok(blnk.transactions.get(asked["transaction_id"]), 200), 500, status="QUEUED", inflight=True, **parties)
    read(books.outcome("queued"), 500, status="INFLIGHT", inflight=True, parent_transaction=asked["transaction_id"], **parties)
    made(ok(books.pay(books.a, books.b, "no-hold", amount=5, inflight=False, skip_queue=True)), 500)
    assert books.figures(books.a) == (99_500, 0, 1000)


def test_an_object_of_the_client(blnk, books):
    """The client's own classes on the way there and back, with everything they name."""
    asked = CreateTransactions(
        amount=12.34, precision=100, reference=books.ref("dto"), description="as an object", currency="USD", rate=1, source=books.a, destination=books.b,
        inflight=True, inflight_expiry_date=datetime(2099, 1, 1, tzinfo=timezone.utc), inflight_commit_date="2098-01-01T00:00:00Z",
        effective_date="2025-02-15T10:30:00Z", skip_queue=True, atomic=True, allow_overdraft=True, meta_data={"a": 1})
    response = blnk.transactions.create(asked)
    made(ok(response), 1234, status="INFLIGHT", reference=books.ref("dto"), description="as an object", source=books.a, destination=books.b, inflight=True,
         inflight_expiry_date="2099-01-01T00:00:00Z", inflight_commit_date="2098-01-01T00:00:00Z", effective_date="2025-02-15T10:30:00Z", atomic=True,
         allow_overdraft=True, meta_data={"a": 1})
    held = typed(CreateTransactionResponse, response.data)
    assert (held.transaction_id, held.precise_amount, held.status, held.scheduled_for) == (response.data["transaction_id"], 1234, "INFLIGHT", ZERO)
    assert not is_transaction_preview(response.data) and not is_bulk_transaction_preview(response.data)


def test_refused(blnk, books):
    at_once = {"skip_queue": True, "amount": 1}
    error = refused(books.pay(books.a, "bln_00000000-0000-4000-8000-000000000000", "unknown", **at_once), 404, "TXN_NOT_FOUND")
    assert error.details == {}
    refused(books.pay(books.a, books.b, "nothing", precise_amount=0, skip_queue=True), 400, "TXN_VALIDATION_ERROR")
    refused(books.pay(books.a, books.b, "both", precise_amount=1, **at_once), 400, "TXN_VALIDATION_ERROR")
    refused(books.pay(books.a, books.a, "itself", **at_once), 400, "TXN_VALIDATION_ERROR")
    refused(books.pay(books.a, books.b, "minus", amount=-1), 400, "TXN_VALIDATION_ERROR")
    refused(books.pay(books.a, books.b, "half", amount=1, precision=1.5), 400, "TXN_VALIDATION_ERROR")
    refused(books.pay(books.a, books.balance("EUR"), "currency", **at_once), 400, "TXN_VALIDATION_ERROR")
    refused(blnk.transactions.create({**books.body(books.a, books.b, "empty", amount=1), "description": ""}), 400, "TXN_VALIDATION_ERROR")
    assert (books.figures(books.a), books.figures(books.b)) == ((100_000, 0, 0), (0, 0, 0))
    for name in ("unknown", "nothing", "both", "itself", "minus", "half", "currency", "empty"):
        refused(blnk.transactions.get_by_reference(books.ref(name)), 404, "TXN_NOT_FOUND")


def test_the_client_checks_requests_itself(blnk, books):
    not_sent(books.pay(books.a, books.b, "pay"), "Either 'amount' or 'precise_amount' must be provided.")
    not_sent(books.pay(books.a, books.b, "pay", precise_amount="1.5"), "precise_amount must be a non-negative integer string or number.")
    not_sent(books.pay(books.a, books.b, "pay", amount=1, scheduled_for="2025-02-15"), "Invalid scheduled date.")
    not_sent(books.pay(books.a, books.b, "pay", amount=1, effective_date="2025-02-15T10:30:00.5Z"), "Invalid effective_date.")
    not_sent(books.pay(books.a, books.b, "pay", amount=1, skip_queue="yes"), "skip_queue must be a boolean if provided.")
    assert books.figures(books.a) == (100_000, 0, 0)
