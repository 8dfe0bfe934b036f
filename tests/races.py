#!/usr/bin/env python3
"""Many clients do the same thing at the same moment; the ledger answers as if they had come one after another.

    tests/races.py [--rounds N]      starts a server of its own; the last line says 'N passed, N failed'
"""
import argparse, collections, sys, threading, uuid

from florin import Count, Server, at_once, available, payment

CLIENTS = 64
RUN = uuid.uuid4().hex[:8]


def tally(answers):
    return collections.Counter((answer.status, answer.code) for answer in answers)


def only(answers, *allowed):
    """Nothing but these outcomes; returns how often each came."""
    counts = tally(answers)
    assert set(counts) <= set(allowed), f"{dict(counts)}, allowed are {allowed}"
    return [counts[outcome] for outcome in allowed]


class Races:
    def __init__(self, server, round_number):
        self.server, self.client, self.number, self.used = server, server.client(), round_number, 0
        self.ledger = self.client.ledger()

    def ref(self, name):
        self.used += 1
        return f"race-{RUN}-{self.number}-{name}-{self.used}"

    def account(self, precise=0):
        balance = self.client.balance(self.ledger)
        if precise:
            self.client.fund(balance, precise, self.ref("fund"))
        return balance

    def hold(self, source, destination, precise):
        answer = self.client.pay(source, destination, precise, self.ref("hold"), inflight=True)
        assert answer.status == 201 and answer["status"] == "INFLIGHT", answer
        return answer["transaction_id"]

    def settle(self, hold, status, **more):
        return lambda client: client.put(f"/transactions/inflight/{hold}", {"status": status, "skip_queue": True, **more})

    def rows_of(self, reference):
        return [row for row in self.client.pages("/transactions") if row["reference"] == reference]

    # -- the races ---------------------------------------------------------------------------------------------------
    def case_one_reference_many_posts(self):
        """Different amounts and targets, one reference: one wins, and only it moves money."""
        source, targets, reference = self.account(10_000), [self.account() for _ in range(4)], self.ref("same")
        calls = [lambda c, n=n: c.pay(source, targets[n % 4], 100 + n, reference) for n in range(CLIENTS)]
        answers = at_once(self.server, calls)
        won, _ = only(answers, (201, None), (409, "TXN_DUPLICATE_REFERENCE"))
        assert won == 1, f"{won} posts of one reference succeeded"
        winner = next(n for n, answer in enumerate(answers) if answer.status == 201)
        assert self.client.figures(source)["balance"] == 10_000 - (100 + winner)
        assert sum(self.client.figures(target)["balance"] for target in targets) == 100 + winner
        assert len(self.rows_of(reference)) == 1

    def case_one_queued_request_many_times(self):
        """The same facts through the queue: everyone is told of one and the same transaction."""
        source, target, reference = self.account(10_000), self.account(), self.ref("queued")
        answers = at_once(self.server, [lambda c: c.pay(source, target, 100, reference, skip_queue=None) for _ in range(CLIENTS)])
        only(answers, (201, None))
        assert len({answer["transaction_id"] for answer in answers}) == 1
        assert self.client.figures(target)["balance"] == 100

    def case_one_bulk_many_times(self):
        source, target = self.account(10_000), self.account()
        items = [payment(source, target, 10, self.ref("item")) for _ in range(20)]
        answers = at_once(self.server, [lambda c: c.post("/transactions/bulk", {"atomic": True, "skip_queue": True, "transactions": items})
                                        for _ in range(CLIENTS)])
        won, _ = only(answers, (201, None), (409, "TXN_DUPLICATE_REFERENCE"))
        assert won == 1 and self.client.figures(target)["balance"] == 200, f"{won} won"

    def case_drain_with_postings_and_holds(self):
        """What is available never goes below zero, at no moment, and all that fits is let through."""
        source, target, low = self.account(10_000), self.account(), []
        done = threading.Event()

        def watch():
            client = self.server.client()
            while not done.is_set():
                low.append(available(client.figures(source)))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            answers = at_once(self.server, [lambda c, n=n: c.pay(source, target, 700, self.ref(f"drain{n}"), inflight=n % 2 == 0)
                                            for n in range(CLIENTS)])
        finally:
            done.set()
            watcher.join()
        won, _ = only(answers, (201, None), (400, "TXN_INSUFFICIENT_FUNDS"))
        assert won == 14, f"{won} of 14 fit"
        assert min(low) >= 0, f"available was {min(low)}"
        figures = self.client.figures(source)
        assert available(figures) == 200, figures
        assert figures["debit_balance"] + figures["inflight_debit_balance"] == 9_800, figures

    def case_drain_to_an_overdraft_limit(self):
        source, target = self.account(1_000), self.account()
        answers = at_once(self.server, [lambda c, n=n: c.pay(source, target, 300, self.ref(f"limit{n}"), overdraft_limit=50, allow_overdraft=True)
                                        for n in range(CLIENTS)])
        won, _ = only(answers, (201, None), (400, "TXN_VALIDATION_ERROR"))
        assert won == 20 and self.client.figures(source)["balance"] == -5_000, f"{won} of 20 fit"

    def case_drain_with_atomic_batches(self):
        """A batch of three legs is let through whole or not at all."""
        source, targets = self.account(10_000), [self.account() for _ in range(3)]

        def batch(n):
            items = [payment(source, target, 250, self.ref(f"b{n}")) for target in targets]
            return lambda c: c.post("/transactions/bulk", {"atomic": True, "skip_queue": True, "transactions": items})

        won, _ = only(at_once(self.server, [batch(n) for n in range(CLIENTS)]), (201, None), (400, "TXN_INSUFFICIENT_FUNDS"))
        assert won == 13, f"{won} of 13 fit"
        assert {self.client.figures(target)["balance"] for target in targets} == {13 * 250}
        assert self.client.figures(source)["balance"] == 250

    def case_commit_against_void(self):
        source, target = self.account(1_000), self.account()
        hold = self.hold(source, target, 400)
        answers = at_once(self.server, [self.settle(hold, "commit" if n % 2 else "void") for n in range(CLIENTS)])
        won, committed, voided = only(answers, (200, None), (409, "TXN_ALREADY_COMMITTED"), (409, "TXN_ALREADY_VOIDED"))
        assert won == 1 and not (committed and voided), f"{won} won, {committed} saw a commit, {voided} a void"
        winner = next(answer for answer in answers if answer.status == 200)
        assert (winner["status"] == "APPLIED") == (committed > 0), winner
        paid, figures = 400 if committed else 0, self.client.figures(source)
        assert (figures["balance"], figures["inflight_debit_balance"]) == (1_000 - paid, 0), figures
        assert self.client.figures(target)["balance"] == paid

    def case_partial_commits(self):
        """Parts of a hold never add up to more than the hold."""
        source, target = self.account(1_000), self.account()
        hold = self.hold(source, target, 1_000)
        answers = at_once(self.server, [self.settle(hold, "commit", precise_amount=150) for _ in range(CLIENTS)])
        won, _ = only(answers, (200, None), (400, "TXN_COMMIT_AMOUNT_EXCEEDED"))
        figures = self.client.figures(source)
        assert won == 6 and (figures["balance"], figures["inflight_debit_balance"]) == (100, 100), f"{won} of 6 fit: {figures}"

    def case_one_refund(self):
        source, target = self.account(1_000), self.account()
        paid = self.client.pay(source, target, 400, self.ref("paid"))["transaction_id"]
        answers = at_once(self.server, [lambda c: c.post(f"/refund-transaction/{paid}", {"skip_queue": True}) for _ in range(CLIENTS)])
        won, _ = only(answers, (201, None), (409, "GEN_CONFLICT"))
        assert won == 1 and self.client.figures(source)["balance"] == 1_000, f"{won} refunds"

    def case_one_indicator(self):
        """An indicator that everyone uses for the first time becomes one balance."""
        source, indicator = self.account(100_000), f"@First{RUN}{self.number}"
        answers = at_once(self.server, [lambda c, n=n: c.pay(source, indicator, 10, self.ref(f"i{n}")) for n in range(CLIENTS)])
        only(answers, (201, None))
        assert len({answer["destination"] for answer in answers}) == 1
        balance = self.client.get(f"/balances/indicator/{indicator}/currency/USD")
        assert balance.status == 200 and balance["balance"] == CLIENTS * 10, balance

    def case_back_and_forth(self):
        """A thousand postings of one unit both ways between two balances cancel out exactly."""
        one, two = self.account(1_000), self.account(1_000)

        def many(n):
            def play(client):
                for at in range(16):
                    sides = (one, two) if n % 2 else (two, one)
                    answer = client.pay(*sides, 1, self.ref(f"n{n}-{at}"))
                    assert answer.status == 201, answer
                return answer
            return play

        at_once(self.server, [many(n) for n in range(CLIENTS)])
        for balance in (one, two):
            figures = self.client.figures(balance)
            assert (figures["balance"], figures["credit_balance"], figures["debit_balance"]) == (1_000, 1_512, 512), figures

    def books(self):
        """After everything: each currency sums to zero, held amounts too."""
        sums, held = collections.Counter(), collections.Counter()
        for row in self.client.pages("/balances"):
            sums[row["currency"]] += row["balance"]
            held[row["currency"]] += row["inflight_balance"]
            assert row["balance"] == row["credit_balance"] - row["debit_balance"], row
            assert row["inflight_debit_balance"] >= 0 and row["inflight_credit_balance"] >= 0, row
        assert not any(sums.values()) and not any(held.values()), (sums, held)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    count = Count()
    with Server() as server:
        for number in range(options.rounds):
            races = Races(server, number)
            for name in [name for name in vars(Races) if name.startswith("case_")]:
                with count.case(f"round {number} {name[5:]}"):
                    getattr(races, name)()
            with count.case(f"round {number} books"):
                races.books()
    return count.closing()


if __name__ == "__main__":
    sys.exit(main())
