"""What a balance was at a moment, and snapshots, which change nothing."""
import pytest
from answers import ok, refused
from blnk_sdk.types.ledger_balances import CreateBalanceSnapshotRequest, GetBalanceAtRequest

MESSAGE = "Snapshotting in progress. should be completed shortly"


def at(blnk, balance, moment, **more):
    found = ok(blnk.ledger_balances.get_at(balance, {"timestamp": moment, **more}), 200)
    assert found["from_source"] is bool(more) and found["timestamp"] == moment
    figures = found["balance"]
    assert figures["balance_id"] == balance and figures["currency"] == "USD"
    assert figures["balance"] == figures["credit_balance"] - figures["debit_balance"]
    return figures["balance"], figures["credit_balance"], figures["debit_balance"]


def test_postings_count_at_their_business_date(blnk, books):
    for name, amount, date in (("one", 500, "2024-01-01T10:00:00Z"), ("two", 100, "2024-01-08T10:00:00Z"), ("late", 7, "2023-06-01T00:00:00Z")):
        ok(books.pay(books.world, books.b, name, precise_amount=amount, effective_date=date, allow_overdraft=True, skip_queue=True))
    ok(books.pay(books.b, books.shop, "out", precise_amount=50, effective_date="2024-01-09T10:00:00Z", skip_queue=True))
    for moment, wanted in (("2023-01-01T00:00:00Z", (0, 0, 0)), ("2023-12-31T00:00:00Z", (7, 7, 0)), ("2024-01-01T10:00:00Z", (507, 507, 0)),
                           ("2024-01-08T12:00:00+02:00", (607, 607, 0)), ("2024-01-09T10:00:00Z", (557, 607, 50))):
        assert at(blnk, books.b, moment) == at(blnk, books.b, moment, from_source=True) == wanted, moment


@pytest.mark.parametrize("options", [None, {"batch_size": 500}, CreateBalanceSnapshotRequest(batch_size=1), {"batch_size": 0}])
def test_snapshots_change_nothing(blnk, books, options):
    moment = "2024-01-02T00:00:00Z"
    assert ok(blnk.ledger_balances.create_snapshot(options), 200) == {"message": MESSAGE}
    ok(books.pay(books.world, books.b, "late", precise_amount=7, effective_date="2024-01-01T00:00:00Z", allow_overdraft=True, skip_queue=True))
    assert at(blnk, books.b, moment) == (7, 7, 0)
    assert ok(blnk.ledger_balances.get_at(books.b, GetBalanceAtRequest(timestamp=moment)), 200)["balance"]["balance"] == 7


def test_what_is_refused(blnk, books):
    refused(blnk.ledger_balances.get_at("bln_00000000-0000-4000-8000-000000000000", {"timestamp": "2024-01-01T00:00:00Z"}), 404, "BAL_NOT_FOUND")
    refused(blnk.ledger_balances.get_at(books.b, {"timestamp": "0001-01-01T00:00:00Z"}), 400, "GEN_BAD_REQUEST")
