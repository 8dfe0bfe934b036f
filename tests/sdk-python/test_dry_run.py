"""Dry runs: what each method says would happen, and that nothing does."""
from answers import ok, refused, typed
from blnk_sdk.types.transactions import BalanceProjection, BulkTransactionPreview, LegProjection, PreviewRejection, TransactionPreview

DRY = {"dry_run": True}
FIGURES = {
    "balance": ("current_balance", "resulting_balance"), "available": ("current_available", "resulting_available"),
    "credit_balance": ("current_credit_balance", "resulting_credit_balance"), "debit_balance": ("current_debit_balance", "resulting_debit_balance"),
    "inflight_debit_balance": ("current_inflight_debit_balance", "resulting_inflight_debit_balance"),
    "inflight_credit_balance": ("current_inflight_credit_balance", "resulting_inflight_credit_balance"),
}


def figures(side):
    """A projected balance: what it has, and what it would have."""
    typed(BalanceProjection, side)
    assert all(isinstance(side[now], str) and isinstance(side[then], str) for now, then in FIGURES.values())
    return {name: (int(side[now]), int(side[then])) for name, (now, then) in FIGURES.items()}


def preview(data, would_apply=True, **wanted):
    typed(TransactionPreview, data)
    assert (data["dry_run"], data["would_apply"]) == (True, would_apply), data
    assert {name: data[name] for name in wanted} == wanted
    assert ("rejection" in data) != would_apply
    if not would_apply:
        typed(PreviewRejection, data["rejection"])
        assert data["rejection"]["code"] and data["rejection"]["reason"] and data["rejection"]["message"]
    return data


def test_a_payment(blnk, books):
    before = books.figures(books.a), books.figures(books.b)
    body = books.body(books.a, books.b, "dry", amount=1.5)
    data = preview(ok(blnk.transactions.create({**body, **DRY, "skip_queue": True}), 200), status="APPLIED", reference=body["reference"], currency="USD",
                   amount=1.5, precise_amount="150", precision=100)
    source, destination = data["balances"]
    assert (source["balance_id"], source["role"], source["currency"]) == (books.a, "source", "USD")
    assert (destination["balance_id"], destination["role"]) == (books.b, "destination")
    moved = figures(source)
    assert moved["debit_balance"][1] - moved["debit_balance"][0] == 150 == moved["available"][0] - moved["available"][1]
    assert moved["credit_balance"][0] == moved["credit_balance"][1] and moved["inflight_debit_balance"] == (0, 0)
    assert figures(destination)["credit_balance"] == (0, 150) and "virtual" not in destination
    assert (books.figures(books.a), books.figures(books.b)) == before
    # The reference is still free, and what was projected is what happens.
    ok(blnk.transactions.create({**body, "skip_queue": True}))
    assert books.figures(books.a)[0] == moved["balance"][1]
    used = preview(ok(blnk.transactions.create({**body, **DRY}), 200), would_apply=False)
    assert used["rejection"]["code"] == "TXN_DUPLICATE_REFERENCE"


def test_refusals_and_new_indicators(blnk, books):
    too_much = books.body(books.b, books.a, "poor", amount=10**9)
    data = preview(ok(blnk.transactions.create({**too_much, **DRY}), 200), would_apply=False)
    assert (data["rejection"]["code"], data["rejection"]["reason"]) == ("TXN_INSUFFICIENT_FUNDS", "insufficient_funds")
    new = f"@New{books.run}"
    data = preview(ok(blnk.transactions.create({**books.body(books.a, new, "new", amount=1), **DRY, "inflight": True}), 200), status="INFLIGHT")
    assert (data["balances"][1]["balance_id"], data["balances"][1]["virtual"]) == (new, True)
    assert figures(data["balances"][1])["inflight_credit_balance"] == (0, 100)
    later = preview(ok(blnk.transactions.create({**books.body(books.a, books.b, "later", amount=1), **DRY, "scheduled_for": "2031-01-01T00:00:00Z"}), 200))
    assert later["notes"]
    refused(blnk.transactions.create({**books.body(books.a, "bln_nobody", "missing", amount=1), **DRY}), 404, "TXN_NOT_FOUND")


def test_a_split(blnk, books):
    shares = [{"identifier": books.b, "distribution": "40%"}, {"identifier": books.shop, "distribution": "left"}]
    data = preview(ok(books.pay(books.a, shares, "split", amount=10, skip_queue=True, dry_run=True), 200), precise_amount="1000")
    for leg in data["legs"]:
        typed(LegProjection, leg)
    assert [(leg["identifier"], leg["role"], leg["precise_amount"], leg["amount"]) for leg in data["legs"]] == [
        (books.b, "destination", "400", 4), (books.shop, "destination", "600", 6)]


def test_a_batch(blnk, books):
    body, other = books.body(books.a, books.b, "one", amount=1), books.body(books.b, books.a, "two", amount=10**9)
    for queue in ({"skip_queue": True}, {}):
        data = ok(blnk.transactions.create_bulk({"transactions": [body, other], **queue, **DRY}), 200)
        typed(BulkTransactionPreview, data)
        assert (data["dry_run"], data["would_apply"], data["cumulative"], data["atomic"]) == (True, False, bool(queue), False)
        preview(data["results"][0])
        preview(data["results"][1], would_apply=False)
        assert ("balances" in data) == bool(queue)
    assert books.figures(books.b) == (0, 0, 0)


def test_ends_of_holds_and_refunds(blnk, books):
    hold = books.hold(1000)
    commit = preview(ok(blnk.transactions.update_status(hold, {"status": "commit", "amount": 4, **DRY}), 200), operation="commit", status="APPLIED",
                     precise_amount="400")
    assert figures(commit["balances"][0])["inflight_debit_balance"] == (1000, 600)
    preview(ok(blnk.transactions.update_status(hold, {"status": "void", **DRY}), 200), operation="void", status="VOID")
    for many in (blnk.transactions.bulk_commit_inflight({"transactions": [{"transaction_id": hold}], **DRY}),
                 blnk.transactions.bulk_void_inflight({"transaction_ids": [hold], **DRY})):
        data = ok(many, 200)
        typed(BulkTransactionPreview, data)
        assert data["would_apply"] and preview(data["results"][0])["operation"] in ("commit", "void")
    paid = ok(books.pay(books.a, books.b, "pay", amount=1, skip_queue=True))["transaction_id"]
    refund = preview(ok(blnk.transactions.refund(paid, DRY), 200), reference=f"{paid}_refund", precise_amount="100")
    assert refund["notes"] == [f"projected refund of transaction {paid}"]
    assert books.figures(books.b) == (100, 1000, 0)
    # Said to be none, it is the real call.
    ok(blnk.transactions.create({**books.body(books.a, books.b, "real", amount=1), "dry_run": False, "skip_queue": True}))
    assert books.figures(books.b) == (200, 1000, 0)
