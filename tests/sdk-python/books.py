"""The books of a test: what most of them begin with, and how they look at what came of it."""
import uuid

from answers import eventually, ok


class Books:
    """A ledger with two balances, a holding 1000.00 and b empty. Names and references are its own: others use the same server."""

    def __init__(self, blnk):
        self.blnk, self.run = blnk, uuid.uuid4().hex[:10]
        self.world, self.shop = f"@World{self.run}", f"@Shop{self.run}"
        self.ledger = ok(blnk.ledgers.create({"name": f"Transactions {self.run}"}))["ledger_id"]
        self.a, self.b = self.balance(), self.balance()
        ok(self.pay(self.world, self.a, "funds", precise_amount=100_000, allow_overdraft=True, skip_queue=True))

    def balance(self, currency="USD"):
        return ok(self.blnk.ledger_balances.create({"ledger_id": self.ledger, "currency": currency}))["balance_id"]

    def ref(self, name):
        return f"{name}-{self.run}"

    def body(self, source, destination, reference, **more):
        sides = {"source" if isinstance(source, str) else "sources": source,
                 "destination" if isinstance(destination, str) else "destinations": destination}
        return {"precision": 100, "currency": "USD", "reference": self.ref(reference), "description": "test", **sides, **more}

    def pay(self, source, destination, reference, **more):
        return self.blnk.transactions.create(self.body(source, destination, reference, **more))

    def hold(self, cents, reference="hold", **more):
        """A hold of b's, at once."""
        return ok(self.pay(self.a, self.b, reference, precise_amount=cents, inflight=True, skip_queue=True, **more))["transaction_id"]

    def queued_hold(self, cents, reference="queued-hold", **more):
        """The request of a hold, and the hold it has led to."""
        request = ok(self.pay(self.a, self.b, reference, precise_amount=cents, inflight=True, **more))["transaction_id"]
        return request, self.outcome(reference)["transaction_id"]

    def outcome(self, reference):
        """The executed row of a queued transaction."""
        return self.find(self.ref(reference) + "_q")

    def find(self, reference):
        return eventually(lambda: self.blnk.transactions.get_by_reference(reference))

    def figures(self, balance):
        """Balance, and what is held of it: coming in, going out."""
        found = ok(self.blnk.ledger_balances.get(balance), 200)
        return found["balance"], found["inflight_credit_balance"], found["inflight_debit_balance"]

    def at(self, indicator, currency="USD"):
        return ok(self.blnk.ledger_balances.get_by_indicator(indicator, currency), 200)["balance_id"]
