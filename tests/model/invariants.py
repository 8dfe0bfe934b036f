"""Section 13, from what the server shows and nothing else: sums over its rows against the figures of its balances.

The model has no part in this; a mistake that model and server share is seen here all the same.
"""
import collections


CREDITS = ("credit_balance", "debit_balance")
HELD = ("inflight_credit_balance", "inflight_debit_balance")


class Broken(AssertionError):
    """An invariant does not hold."""


def must(holds, number, text, *facts):
    if not holds:
        raise Broken(f"invariant {number}: {text} {' '.join(map(str, facts))}")


class Ledger:
    def __init__(self):
        self.figures, self.references, self.refunds, self.created_at = {}, set(), collections.Counter(), ""
        self.posted, self.open = collections.defaultdict(lambda: [0, 0]), collections.defaultdict(lambda: [0, 0])
        self.holds, self.ids = {}, {}

    def row(self, row):
        """A new row, in the order of the server."""
        amount, status, id, parent = row["precise_amount"], row["status"], row["transaction_id"], row["parent_transaction"]
        must(row["reference"] not in self.references, 7, "a reference is used twice:", row)
        must(id not in self.ids, 7, "a row is listed twice:", row)
        self.references.add(row["reference"])
        self.ids[id] = row
        changed = parent in self.ids and self.ids[parent]["status"] == "INFLIGHT"  # only dates: nothing moves
        cancelled = status == "VOID" and parent in self.ids and self.ids[parent]["status"] == "SCHEDULED"  # a leg may be of nothing
        must(status in ("QUEUED", "SCHEDULED", "REJECTED") or amount > 0 or changed or cancelled, 3, "moves nothing:", row)
        if "_refund" in row["reference"] and not row["reference"].endswith("_q"):
            self.refunds[parent] += amount
            first = self.ids[parent]["precise_amount"]
            must(self.refunds[parent] <= first, 7, "more is refunded than there was:", row)
        if status == "INFLIGHT" and parent in self.holds and not row["reference"].endswith("_q"):
            must(not self.holds[parent][1], 5, "a hold that grows:", row)
            self.holds[parent][0] += amount
            self.move(self.open, row, amount)
        elif status == "INFLIGHT":
            self.holds[id] = [amount, False]
            self.move(self.open, row, amount)
        elif parent in self.holds:
            beyond = max(0, amount - self.holds[parent][0]) if status == "APPLIED" else 0
            hold = self.holds[parent]
            must(not hold[1], 5, "a void hold has another child:", parent, row)
            hold[0] -= amount - beyond
            hold[1] = status == "VOID" and hold[0] == 0
            must(hold[0] >= 0, 5, "more is taken of a hold than there is:", row)
            self.move(self.open, row, beyond - amount)
        if status == "APPLIED":
            self.move(self.posted, row, amount)

    @staticmethod
    def move(sums, row, amount):
        sums[row["source"]][1] += amount
        sums[row["destination"]][0] += amount

    def split(self, total, amounts):
        must(sum(amounts) == total, 8, "the legs are not the total:", amounts, total)

    def balances(self, listed):
        """All balances of the world, read at a moment when nothing else was going on, after all rows until then."""
        sums = collections.defaultdict(lambda: [0, 0])
        for balance in listed:
            id = balance["balance_id"]
            before = self.figures.get(id, balance)
            must(all(balance[name] >= before[name] for name in CREDITS), 1, "a sum went back:", before, balance)
            must(all(balance[name] >= 0 for name in (*HELD, *CREDITS)), 1, "figures of", balance)
            must(balance["balance"] == balance["credit_balance"] - balance["debit_balance"], 1, "figures of", balance)
            must(balance["inflight_balance"] == balance["inflight_credit_balance"] - balance["inflight_debit_balance"], 1, "figures of", balance)
            must([balance[name] for name in CREDITS] == self.posted[id], 3, "the rows say otherwise:", self.posted[id], balance)
            must([balance[name] for name in HELD] == self.open[id], 4, "the open holds say otherwise:", self.open[id], balance)
            sums[balance["currency"]][0] += balance["balance"]
            sums[balance["currency"]][1] += balance["inflight_balance"]
            self.figures[id] = balance
        must(len(listed) >= len(self.figures), 2, "a balance is gone")
        for currency, pair in sums.items():
            must(pair == [0, 0], 2, "does not sum to zero:", currency, pair)
