"""Ledgers and LedgerBalances: every method that the server answers today, and every field of every answer."""
import time
import uuid
from datetime import datetime, timezone

import pytest
from answers import ABSENT, JUST_NOW, Word, not_sent, ok, refused, typed
from blnk_sdk.types import ledger as ledger_types
from blnk_sdk.types import ledger_balances as types

MISSING = "00000000-0000-4000-8000-000000000000"
NEW_BALANCE = Word("the id of a balance", lambda value: str(value).startswith("bln_") and len(value) == 40)


def ledger(data, **expected):
    typed(ledger_types.CreateLedgerResp, data)
    wanted = {"created_at": JUST_NOW, "meta_data": None, **expected}
    assert {name: data.get(name, ABSENT) for name in wanted} == wanted, data


def balance(data, **expected):
    """Reads every field that CreateLedgerBalanceResp names. What a test does not say is as it is when nothing was asked for."""
    typed(types.CreateLedgerBalanceResp, {name: value for name, value in data.items() if value is not None})
    wanted = {"balance": 0, "version": 1, "inflight_balance": 0, "credit_balance": 0, "inflight_credit_balance": 0, "debit_balance": 0,
              "inflight_debit_balance": 0, "currency_multiplier": ABSENT, "identity_id": "", "balance_id": NEW_BALANCE, "indicator": ABSENT,
              "currency": "USD", "created_at": JUST_NOW, "queued_credit_balance": ABSENT, "queued_debit_balance": ABSENT,
              "track_fund_lineage": False, "allocation_strategy": "FIFO", "meta_data": None, **expected}
    assert {name: data.get(name, ABSENT) for name in wanted} == wanted, data


@pytest.fixture
def run():
    return uuid.uuid4().hex[:10]


def test_ledgers(blnk, run):
    made = ok(blnk.ledgers.create({"name": f"Ledger {run}", "meta_data": {"team": "core", "n": 3}}))
    ledger(made, name=f"Ledger {run}", meta_data={"team": "core", "n": 3})
    assert made["ledger_id"].startswith("ldg_")
    assert ok(blnk.ledgers.get(made["ledger_id"]), 200) == made
    listed = ok(blnk.ledgers.list({"limit": 100}), 200)
    assert made in listed
    renamed = ok(blnk.ledgers.update(made["ledger_id"], ledger_types.UpdateLedger(name=f"Renamed {run}")), 200)
    assert renamed == {**made, "name": f"Renamed {run}"}
    assert ok(blnk.ledgers.get(made["ledger_id"]), 200) == renamed
    plain = ok(blnk.ledgers.create(ledger_types.CreateLedger(name=f"Plain {run}")))
    ledger(plain, name=f"Plain {run}")
    assert refused(blnk.ledgers.get(f"ldg_{MISSING}"), 404, "LGR_NOT_FOUND").message == "Ledger not found"
    refused(blnk.ledgers.update(f"ldg_{MISSING}", {"name": "x"}), 404, "LGR_NOT_FOUND")


def test_balances(blnk, run):
    of = ok(blnk.ledgers.create({"name": f"Ledger {run}"}))["ledger_id"]
    owner = ok(blnk.identity.create({"identity_type": "individual", "first_name": "Ada", "last_name": "Obi", "dob": "1990-05-10T00:00:00Z",
                                     "gender": "female", "email_address": "ada@example.com", "phone_number": "+15550100", "category": "customer",
                                     "street": "1 Main St", "country": "NG", "state": "LA", "post_code": "100001", "city": "Lagos",
                                     "nationality": "NG"}))["identity_id"]
    made = ok(blnk.ledger_balances.create(types.CreateLedgerBalance(
        ledger_id=of, currency="USD", identity_id=owner, track_fund_lineage=True, allocation_strategy="LIFO", meta_data={"tier": "gold"})))
    facts = {"ledger_id": of, "identity_id": owner, "track_fund_lineage": True, "allocation_strategy": "LIFO", "meta_data": {"tier": "gold"}}
    balance(made, **facts)
    one = made["balance_id"]
    paid = blnk.transactions.create({"precise_amount": 500, "precision": 100, "currency": "USD", "reference": f"fund-{run}", "description": "fund",
                                     "source": f"@World{run}", "destination": one, "allow_overdraft": True, "skip_queue": True})
    assert paid.status == 201, paid
    after = {**facts, "balance_id": one, "balance": 500, "credit_balance": 500, "version": 2}
    read = ok(blnk.ledger_balances.get(one), 200)
    balance(read, **after)
    for options in ({"from_source": True}, types.GetBalanceRequest(from_source=True)):
        assert ok(blnk.ledger_balances.get(one, options), 200) == read
    balance(ok(blnk.ledger_balances.get(one, {"with_queued": True}), 200), **after, queued_credit_balance=0, queued_debit_balance=0)
    assert read in ok(blnk.ledger_balances.list({"limit": 100}), 200), "lists are complete"
    found = ok(blnk.search.filter({"filters": [{"field": "ledger_id", "operator": "eq", "value": of}]}, "balances"), 200)
    assert found == [read], found
    assert refused(blnk.ledger_balances.get(f"bln_{MISSING}"), 404, "BAL_NOT_FOUND").details == {}
    refused(blnk.ledger_balances.create({"ledger_id": f"ldg_{MISSING}", "currency": "USD"}), 400, "GEN_BAD_REQUEST")


def test_indicators(blnk, run):
    made = ok(blnk.ledger_balances.create({"ledger_id": "general_ledger_id", "currency": "USD", "indicator": f"@Cash {run}".replace(" ", "-")}))
    balance(made, ledger_id="general_ledger_id", indicator=f"@Cash-{run}")
    assert ok(blnk.ledger_balances.get_by_indicator(f"@Cash-{run}", "USD"), 200) == made
    refused(blnk.ledger_balances.get_by_indicator(f"@Cash-{run}", "EUR"), 404, "BAL_NOT_FOUND")
    again = blnk.ledger_balances.create({"ledger_id": "general_ledger_id", "currency": "USD", "indicator": f"@Cash-{run}"})
    refused(again, 409, "GEN_CONFLICT")
    not_sent(blnk.ledger_balances.get_by_indicator("", "USD"), blnk.ledger_balances.get_by_indicator("", "USD").message)


def test_what_a_balance_was(blnk, run):
    of = ok(blnk.ledgers.create({"name": f"Ledger {run}"}))["ledger_id"]
    one = ok(blnk.ledger_balances.create({"ledger_id": of, "currency": "USD"}))["balance_id"]
    before = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    time.sleep(1.1)
    paid = blnk.transactions.create({"precise_amount": 700, "precision": 100, "currency": "USD", "reference": f"fund-{run}", "description": "fund",
                                     "source": f"@World{run}", "destination": one, "allow_overdraft": True, "skip_queue": True})
    assert paid.status == 201, paid
    for moment, sum_of in ((before, 0), ("2999-01-01T00:00:00Z", 700)):
        told = ok(blnk.ledger_balances.get_at(one, types.GetBalanceAtRequest(timestamp=moment, from_source=True)), 200)
        typed(types.GetBalanceAtResponse, told)
        assert told == {"balance": {"balance": sum_of, "balance_id": one, "credit_balance": sum_of, "currency": "USD", "debit_balance": 0},
                        "timestamp": moment, "from_source": True}
    refused(blnk.ledger_balances.get_at(f"bln_{MISSING}", {"timestamp": before}), 404, "BAL_NOT_FOUND")
