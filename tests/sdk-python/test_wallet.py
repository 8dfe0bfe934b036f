"""The wallet of the Stripe article (scenario 9), played with the official Python client, unchanged.

A top-up is held until Stripe says that it was paid; the same event twice commits once; purchases need funds; cashback is
tried as printed (L) and as meant (I); a wrong posting is refunded and the original stays. Figures are minor units.
"""
import hashlib
import hmac
import json
import time
import uuid

import pytest
import requests
from answers import KEY, URL, eventually, ok, refused
from blnk_sdk import BlnkClientOptions, blnk_init

STRIPE_SECRET = b"whsec_tests"


class Wallet:
    """What the article's app does; one customer with a ledger, an identity and a balance."""

    def __init__(self, blnk):
        self.blnk, self.run = blnk, uuid.uuid4().hex[:10]
        self.ledger = ok(blnk.ledgers.create({"name": f"Users Ledger {self.run}", "meta_data": {
            "organization": "AcmePay", "description": "All customer wallets"}}))
        self.identity = ok(blnk.identity.create({
            "identity_type": "individual", "first_name": "Charles", "last_name": "Xavier", "email_address": "charles@acmepay.test",
            "dob": "1990-01-01T00:00:00Z", "gender": "male", "meta_data": {"stripe_id": "cus_1"}}))
        self.balance = ok(blnk.ledger_balances.create({
            "ledger_id": self.ledger["ledger_id"], "identity_id": self.identity["identity_id"], "currency": "USD",
            "meta_data": {"wallet_type": "main"}}))["balance_id"]
        # Other wallets use the same server: what comes from outside has a name of its own here.
        self.stripe, self.revenue, self.cashback = (f"@{name}{self.run}" for name in ("Stripe", "Revenue", "CashBack"))
        self.sessions = {}

    def ref(self, name):
        return f"{name}-{self.run}"

    def pay(self, source, destination, reference, **more):
        return self.blnk.transactions.create({
            "precision": 100, "currency": "USD", "reference": self.ref(reference), "description": reference, "source": source,
            "destination": destination, **more})

    def outcome(self, reference):
        """The executed row of a queued transaction."""
        return eventually(lambda: self.blnk.transactions.get_by_reference(self.ref(reference) + "_q"))

    def top_up(self, reference="ref_acmepay-01"):
        """The article's call: 20.00 from @Stripe, held until the checkout is paid."""
        held = ok(self.pay(self.stripe, self.balance, reference, amount=20, allow_overdraft=True, inflight=True,
                           meta_data={"payment_method": "card"}))
        session = f"cs_{uuid.uuid4().hex}"
        self.sessions[session] = held["transaction_id"]
        return held, session

    def figures(self, balance=None):
        found = ok(self.blnk.ledger_balances.get(balance or self.balance), 200)
        return {name: found[name] for name in ("balance", "credit_balance", "debit_balance", "inflight_balance")}

    def at(self, indicator):
        return ok(self.blnk.ledger_balances.get_by_indicator(indicator, "USD"), 200)

    def stripe_event(self, kind, session):
        """The app's webhook handler: verifies Stripe's signature, then commits or voids the hold of the session."""
        body = json.dumps({"type": kind, "data": {"object": {"id": session}}}).encode()
        heads = sign(body)
        assert verified(body, heads)
        event = json.loads(body)
        hold = self.sessions[event["data"]["object"]["id"]]
        paid = event["type"] == "checkout.session.completed"
        return self.blnk.transactions.update_status(hold, {"status": "commit" if paid else "void"})


def sign(body):
    moment = str(int(time.time()))
    return f"t={moment},v1=" + hmac.new(STRIPE_SECRET, moment.encode() + b"." + body, hashlib.sha256).hexdigest()


def verified(body, heads):
    parts = dict(part.split("=", 1) for part in heads.split(","))
    wanted = hmac.new(STRIPE_SECRET, parts["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted, parts["v1"])


@pytest.fixture
def wallet(blnk):
    return Wallet(blnk)


@pytest.fixture
def funded(wallet):
    """A wallet with 20.00."""
    _, session = wallet.top_up()
    ok(wallet.stripe_event("checkout.session.completed", session), 200)
    return wallet


def test_set_up_is_read_back(blnk, wallet):
    ledger = ok(blnk.ledgers.get(wallet.ledger["ledger_id"]), 200)
    assert ledger["meta_data"] == {"organization": "AcmePay", "description": "All customer wallets"}
    identity = ok(blnk.identity.get(wallet.identity["identity_id"]), 200)
    assert (identity["first_name"], identity["meta_data"]) == ("Charles", {"stripe_id": "cus_1"})
    balance = ok(blnk.ledger_balances.get(wallet.balance), 200)
    assert balance["identity_id"] == wallet.identity["identity_id"]
    assert balance["meta_data"] == {"wallet_type": "main"}
    assert wallet.figures() == {"balance": 0, "credit_balance": 0, "debit_balance": 0, "inflight_balance": 0}


def test_identity_as_the_article_sends_it():
    """No identity_type and `email`, which the client would refuse; the server takes it."""
    response = requests.post(f"{URL}/identities", headers={"X-Blnk-Key": KEY} if KEY else {}, timeout=10, json={
        "first_name": "Charles", "last_name": "Xavier", "email": "charles@acmepay.test", "meta_data": {"stripe_id": "cus_1"}})
    assert response.status_code == 201, response.text
    assert response.json()["identity_id"].startswith("idt_")


def test_the_client_checks_identities_itself(blnk):
    response = blnk.identity.create({"first_name": "Charles"})
    assert (response.status, response.message) == (400, "identity_type must be individual or organization")


def test_top_up_is_held(wallet):
    held, _ = wallet.top_up()
    assert (held["status"], held["inflight"]) == ("QUEUED", True)
    assert (held["amount"], held["precise_amount"]) == (20, 2000)
    assert held["meta_data"]["payment_method"] == "card"
    child = wallet.outcome("ref_acmepay-01")
    assert (child["status"], child["parent_transaction"]) == ("INFLIGHT", held["transaction_id"])
    assert wallet.figures() == {"balance": 0, "credit_balance": 0, "debit_balance": 0, "inflight_balance": 2000}
    assert wallet.at(wallet.stripe)["inflight_balance"] == -2000


def test_what_is_held_cannot_be_spent(wallet):
    wallet.top_up()
    wallet.outcome("ref_acmepay-01")
    refused(wallet.pay(wallet.balance, wallet.revenue, "too-early", precise_amount=1, skip_queue=True), 400, "TXN_INSUFFICIENT_FUNDS")


def test_paid(funded):
    assert funded.figures() == {"balance": 2000, "credit_balance": 2000, "debit_balance": 0, "inflight_balance": 0}
    stripe = funded.at(funded.stripe)
    assert (stripe["balance"], stripe["inflight_balance"]) == (-2000, 0)


def test_paid_answers_at_once_with_skip_queue(blnk, wallet):
    held, _ = wallet.top_up()
    child = wallet.outcome("ref_acmepay-01")
    done = ok(blnk.transactions.update_status(held["transaction_id"], {"status": "commit", "skip_queue": True}), 200)
    assert (done["status"], done["parent_transaction"], done["precise_amount"]) == ("APPLIED", child["transaction_id"], 2000)
    assert wallet.figures()["balance"] == 2000


def test_the_same_event_twice_commits_once(wallet):
    _, session = wallet.top_up()
    first = ok(wallet.stripe_event("checkout.session.completed", session), 200)
    assert first["queued"] is True
    refused(wallet.stripe_event("checkout.session.completed", session), 409, "TXN_ALREADY_COMMITTED", "GEN_CONFLICT")
    assert wallet.figures() == {"balance": 2000, "credit_balance": 2000, "debit_balance": 0, "inflight_balance": 0}


@pytest.mark.parametrize("kind", ["checkout.session.async_payment_failed", "checkout.session.expired"])
def test_not_paid(wallet, kind):
    _, session = wallet.top_up()
    ok(wallet.stripe_event(kind, session), 200)
    refused(wallet.stripe_event("checkout.session.completed", session), 409, "TXN_ALREADY_VOIDED", "GEN_CONFLICT")
    assert wallet.figures() == {"balance": 0, "credit_balance": 0, "debit_balance": 0, "inflight_balance": 0}


def test_the_same_top_up_twice_is_one(wallet):
    """The app sends its request again: the same facts, so it is told of the first one, and nothing is held twice."""
    first, _ = wallet.top_up()
    again, _ = wallet.top_up()
    assert again["transaction_id"] == first["transaction_id"]
    assert wallet.figures()["inflight_balance"] == 2000
    other = wallet.pay(wallet.stripe, wallet.balance, "ref_acmepay-01", amount=21, allow_overdraft=True, inflight=True)
    refused(other, 409, "TXN_DUPLICATE_REFERENCE")


def test_purchase(funded):
    bought = ok(funded.pay(funded.balance, funded.revenue, "purchase-1", amount=10, skip_queue=True))
    assert bought["status"] == "APPLIED"
    assert funded.figures() == {"balance": 1000, "credit_balance": 2000, "debit_balance": 1000, "inflight_balance": 0}
    assert funded.at(funded.revenue)["balance"] == 1000
    same = funded.pay(funded.balance, funded.revenue, "purchase-1", amount=10, skip_queue=True)
    refused(same, 409, "TXN_DUPLICATE_REFERENCE")


def test_insufficient_at_once(funded):
    refused(funded.pay(funded.balance, funded.revenue, "purchase-2", amount=20.01, skip_queue=True), 400, "TXN_INSUFFICIENT_FUNDS")
    assert funded.figures()["balance"] == 2000
    assert funded.blnk.transactions.get_by_reference(funded.ref("purchase-2")).status == 404
    # The reference was not used up.
    ok(funded.pay(funded.balance, funded.revenue, "purchase-2", amount=20, skip_queue=True))
    assert funded.figures()["balance"] == 0


def test_insufficient_through_the_queue(funded):
    queued = ok(funded.pay(funded.balance, funded.revenue, "purchase-3", amount=20.01))
    assert queued["status"] == "QUEUED"
    child = funded.outcome("purchase-3")
    assert (child["status"], child["parent_transaction"]) == ("REJECTED", queued["transaction_id"])
    assert "insufficient funds" in child["meta_data"]["blnk_rejection_reason"]
    assert funded.figures()["balance"] == 2000


def test_cashback_as_printed(funded):
    """L: @CashBack has no funds and no overdraft is allowed, so it is rejected."""
    ok(funded.pay(funded.cashback, funded.balance, "cashback-1", precise_amount=50))
    assert funded.outcome("cashback-1")["status"] == "REJECTED"
    assert funded.figures()["balance"] == 2000


@pytest.mark.parametrize("way", ["funded first", "with overdraft"])
def test_cashback_as_meant(funded, way):
    """I: 5 % of a purchase of 10.00, 0.50, arrives."""
    ok(funded.pay(funded.balance, funded.revenue, "purchase-4", amount=10, skip_queue=True))
    if way == "funded first":
        ok(funded.pay(funded.revenue, funded.cashback, "cashback-budget", amount=5, skip_queue=True))
    ok(funded.pay(funded.cashback, funded.balance, "cashback-2", precise_amount=50, allow_overdraft=way == "with overdraft"))
    assert funded.outcome("cashback-2")["status"] == "APPLIED"
    assert funded.figures() == {"balance": 1050, "credit_balance": 2050, "debit_balance": 1000, "inflight_balance": 0}
    assert funded.at(funded.cashback)["balance"] == (450 if way == "funded first" else -50)


def test_correction_by_refund(blnk, funded):
    """The wrong posting is refunded and the right one made; the original stays as it was."""
    wrong = ok(funded.pay(funded.balance, funded.revenue, "purchase-5", amount=15, skip_queue=True))
    back = ok(blnk.transactions.refund(wrong["transaction_id"], {"skip_queue": True, "description": "wrong price"}))
    assert (back["status"], back["parent_transaction"], back["precise_amount"]) == ("APPLIED", wrong["transaction_id"], 1500)
    assert (back["source"], back["destination"]) == (wrong["destination"], wrong["source"])
    assert back["reference"] == f"{wrong['transaction_id']}_refund"
    refused(blnk.transactions.refund(wrong["transaction_id"], {"skip_queue": True}), 409, "GEN_CONFLICT")
    ok(funded.pay(funded.balance, funded.revenue, "purchase-5-right", amount=12.5, skip_queue=True))
    original = ok(blnk.transactions.get(wrong["transaction_id"]), 200)
    assert (original["status"], original["precise_amount"], original["reference"]) == ("APPLIED", 1500, funded.ref("purchase-5"))
    assert funded.figures() == {"balance": 750, "credit_balance": 3500, "debit_balance": 2750, "inflight_balance": 0}


def test_refund_without_a_body_is_queued(blnk, funded):
    paid = ok(funded.pay(funded.balance, funded.revenue, "purchase-6", amount=1, skip_queue=True))
    back = ok(blnk.transactions.refund(paid["transaction_id"]))
    assert (back["status"], back["parent_transaction"]) == ("QUEUED", paid["transaction_id"])
    child = eventually(lambda: blnk.transactions.get_by_reference(f"{paid['transaction_id']}_refund_q"))
    assert child["status"] == "APPLIED"
    assert funded.figures()["balance"] == 2000


def test_bulk_is_all_or_nothing(blnk, funded):
    def item(reference, cents):
        return {"precise_amount": cents, "precision": 100, "currency": "USD", "reference": funded.ref(reference), "description": "bulk",
                "source": funded.balance, "destination": funded.revenue}

    done = ok(blnk.transactions.create_bulk({"atomic": True, "skip_queue": True, "transactions": [item("b1", 500), item("b2", 700)]}))
    assert (done["status"], done["transaction_count"]) == ("applied", 2) and done["batch_id"].startswith("bulk_")
    failed = blnk.transactions.create_bulk({"atomic": True, "skip_queue": True, "transactions": [item("b3", 500), item("b4", 301)]})
    refused(failed, 400, "TXN_INSUFFICIENT_FUNDS")
    assert funded.figures()["balance"] == 800
    assert blnk.transactions.get_by_reference(funded.ref("b3")).status == 404


def test_metadata_of_a_wallet(blnk, funded):
    """What is given is set; what the maker noted stays."""
    assert ok(blnk.metadata.update(funded.balance, {"meta_data": {"tier": "gold"}}), 200) == {"meta_data": {"tier": "gold", "wallet_type": "main"}}
    assert ok(blnk.ledger_balances.get(funded.balance), 200)["meta_data"] == {"tier": "gold", "wallet_type": "main"}


def test_lists(blnk, funded):
    for listed in (blnk.ledgers.list(), blnk.ledger_balances.list({"limit": 5, "offset": 0}), blnk.transactions.list({"limit": 5, "offset": 0}),
                   blnk.identity.list()):
        rows = ok(listed, 200)
        assert isinstance(rows, list) and rows


def test_keys(wallet):
    """A secure server turns away who has no key; an open one does not look at it."""
    for key, code in (("", "AUTH_MISSING_API_KEY"), ("not-the-key", "AUTH_INVALID_API_KEY")):
        with blnk_init(key, BlnkClientOptions(base_url=URL)) as other:
            response = other.ledger_balances.get(wallet.balance)
        if KEY:
            refused(response, 401, code)
        else:
            ok(response, 200)
