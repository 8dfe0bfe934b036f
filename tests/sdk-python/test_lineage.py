"""LedgerBalances.get_lineage and Transactions.get_lineage: whose money a balance has, and whose money a transaction spent."""
from answers import eventually, ok, refused, typed
from blnk_sdk.types.ledger_balances import BalanceLineageResponse
from blnk_sdk.types.transactions import TransactionLineageResponse

UNKNOWN = "txn_00000000-0000-4000-8000-000000000000"


def tracked(blnk, books, strategy="FIFO"):
    owner = ok(blnk.identity.create({"identity_type": "organization", "organization_name": f"Acme {books.run}", "category": "shop"}))["identity_id"]
    return ok(blnk.ledger_balances.create({"ledger_id": books.ledger, "currency": "USD", "identity_id": owner, "track_fund_lineage": True,
                                           "allocation_strategy": strategy}))["balance_id"]


def deposit(books, balance, provider, cents):
    paid = books.pay(books.world, balance, provider, precise_amount=cents, allow_overdraft=True, skip_queue=True,
                     meta_data={"BLNK_LINEAGE_PROVIDER": provider})
    return ok(paid)["transaction_id"]


def funds(blnk, balance):
    """By provider: what came, what is there, what went."""
    found = ok(blnk.ledger_balances.get_lineage(balance), 200)
    typed(BalanceLineageResponse, found)
    assert found["balance_id"] == balance
    assert found["total_with_lineage"] == sum(one["available"] for one in found["providers"])
    assert (found["aggregate_balance_id"] == "") == (found["providers"] == [])
    for one in found["providers"]:
        assert ok(blnk.ledger_balances.get(one["shadow_balance_id"]), 200)["debit_balance"] == one["amount"]
    return {one["provider"]: (one["amount"], one["available"], one["spent"]) for one in found["providers"]}


def lineage(blnk, transaction):
    found = ok(blnk.transactions.get_lineage(transaction), 200)
    typed(TransactionLineageResponse, found)
    assert found["transaction_id"] == transaction
    shares = {one["provider"]: one["amount"] for one in found.get("fund_allocation", [])}
    assert all(row["parent_transaction"] == "" for row in found["shadow_transactions"])
    return shares, [(row["reference"], row["status"], row["precise_amount"]) for row in found["shadow_transactions"]]


def test_funds_of_a_balance(blnk, books):
    account = tracked(blnk, books)
    assert funds(blnk, account) == {}
    paid_in = deposit(books, account, "stripe", 10_000)
    deposit(books, account, "paypal", 5_000)
    assert lineage(blnk, paid_in) == ({}, [(books.ref("stripe") + "_shadow_stripe", "APPLIED", 10_000)])
    spent = ok(books.pay(account, books.shop, "out", precise_amount=12_000, skip_queue=True))["transaction_id"]
    assert funds(blnk, account) == {"stripe": (10_000, 0, 10_000), "paypal": (5_000, 3_000, 2_000)}
    shares, shadows = lineage(blnk, spent)
    assert shares == {"stripe": 10_000, "paypal": 2_000}
    assert shadows == [(books.ref("out") + "_release_stripe", "APPLIED", 10_000), (books.ref("out") + "_release_paypal", "APPLIED", 2_000)]
    metadata = ok(blnk.transactions.get(spent), 200)["meta_data"]
    assert metadata == {"BLNK_FUND_ALLOCATION": [{"provider": "stripe", "amount": 10_000}, {"provider": "paypal", "amount": 2_000}]}


def test_a_hold_through_the_queue(blnk, books):
    account = tracked(blnk, books, "PROPORTIONAL")
    deposit(books, account, "stripe", 300)
    deposit(books, account, "paypal", 100)
    request = ok(books.pay(account, books.shop, "hold", precise_amount=400, inflight=True))["transaction_id"]
    hold = eventually(lambda: blnk.transactions.get_by_reference(books.ref("hold") + "_q"))["transaction_id"]
    assert lineage(blnk, request) == ({}, [])
    assert lineage(blnk, hold)[0] == {"stripe": 300, "paypal": 100}
    assert funds(blnk, account) == {"stripe": (300, 300, 0), "paypal": (100, 100, 0)}
    ok(blnk.transactions.update_status(hold, {"status": "commit", "precise_amount": 100, "skip_queue": True}), 200)
    ok(blnk.transactions.update_status(hold, {"status": "void", "skip_queue": True}), 200)
    assert funds(blnk, account) == {"stripe": (300, 225, 75), "paypal": (100, 75, 25)}
    assert [(status, cents) for _, status, cents in lineage(blnk, hold)[1]] == [
        ("INFLIGHT", 300), ("INFLIGHT", 100), ("APPLIED", 75), ("APPLIED", 25), ("VOID", 225), ("VOID", 75)]


def test_a_refund_brings_back_what_was_spent(blnk, books):
    account = tracked(blnk, books, "LIFO")
    deposit(books, account, "stripe", 300)
    deposit(books, account, "paypal", 100)
    spent = ok(books.pay(account, books.shop, "out", precise_amount=200, skip_queue=True))["transaction_id"]
    ok(blnk.transactions.refund(spent, {"skip_queue": True}))
    assert funds(blnk, account) == {"stripe": (400, 300, 100), "paypal": (200, 100, 100)}


def test_without_a_lineage(blnk, books):
    paid = ok(books.pay(books.a, books.b, "pay", amount=1, skip_queue=True))["transaction_id"]
    assert lineage(blnk, paid) == ({}, [])
    assert refused(blnk.transactions.get_lineage(UNKNOWN), 404, "TXN_NOT_FOUND").message == f"Transaction with ID '{UNKNOWN}' not found"
    assert refused(blnk.ledger_balances.get_lineage(books.a), 400, "GEN_BAD_REQUEST").message == (
        f"balance {books.a} does not have fund lineage tracking enabled")
    refused(blnk.ledger_balances.get_lineage(UNKNOWN.replace("txn", "bln")), 404, "BAL_NOT_FOUND")
