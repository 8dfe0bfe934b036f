#!/usr/bin/env python3
"""The black-box checklist of the specification of transactions (section 19), one test for each of its items, in its order.

    tests/checklist.py [--only 7,14]      starts a server of its own; the last line says 'N passed, N failed'

Where the specification says that a behaviour of the reference is to be fixed, it is the fixed one that is asserted.
"""
import argparse, collections, random, sys, threading, time

from florin import Count, Server, available, payment

UNKNOWN = "bln_00000000-0000-4000-8000-000000000000"
NOBODY = "txn_00000000-0000-4000-8000-000000000000"


def said(answer, status, code=None, key="error"):
    """The status and, for an error, the code and the shape of the body. `key` is the name of the text."""
    assert (answer.status, answer.code) == (status, code), f"wanted {status} {code}: {answer!r}"
    if code:
        assert key in answer.body and {"error", "errors"} & set(answer.body) == {key}, f"wanted the key {key}: {answer!r}"
        assert answer["error_detail"]["message"] and list(answer.body) == sorted(answer.body), answer
    return answer


def parts(*pairs):
    return [{"identifier": who, **({"precise_distribution": share[1]} if isinstance(share, tuple) else {"distribution": share})} for who, share in pairs]


class Checklist:
    def __init__(self, server):
        self.client, self.server, self.used = server.client(), server, 0
        self.ledger = self.client.ledger()

    # -- words ---------------------------------------------------------------------------------------------------------
    def ref(self, name="r"):
        self.used += 1
        return f"check-{name}-{self.used}"

    def account(self, precise=0, currency="USD"):
        balance = self.client.balance(self.ledger, currency)
        if precise:
            self.client.fund(balance, precise, self.ref("fund"), currency)
        return balance

    def ask(self, source, destination, precise=None, reference=None, **more):
        return self.client.pay(source, destination, precise, reference or self.ref(), **more)

    def ask_queued(self, source, destination, precise=None, reference=None, **more):
        return self.ask(source, destination, precise, reference, skip_queue=None, **more)

    def outcome(self, reference, seconds=10):
        """The row that a queued request leaves when it was executed."""
        end = time.monotonic() + seconds
        while True:
            answer = self.client.get(f"/transactions/reference/{reference}_q")
            if answer.status == 200 or time.monotonic() > end:
                assert answer.status == 200, f"{reference} was not executed: {answer!r}"
                return answer
            time.sleep(0.02)

    def figures(self, balance, *names):
        body = self.client.figures(balance)
        return tuple(body[name] for name in names) if names else body

    def balance_of(self, balance):
        return self.client.figures(balance)["balance"]

    def settle(self, id, status, at_once=True, **more):
        return self.client.put(f"/transactions/inflight/{id}", {"status": status, **({"skip_queue": True} if at_once else {}), **more})

    def refund(self, id, at_once=True, **more):
        return self.client.post(f"/refund-transaction/{id}", {**({"skip_queue": True} if at_once else {}), **more})

    def bulk(self, items, **more):
        return self.client.post("/transactions/bulk", {"transactions": items, **more})

    def item(self, source, destination, precise, **more):
        return payment(source, destination, precise, more.pop("reference", None) or self.ref("item"), **{"skip_queue": None, **more})

    def rows(self, count=50):
        return self.client.get(f"/transactions?limit={count}").body

    def state(self, *balances):
        """Everything that a request which leaves nothing must leave as it was."""
        return [self.figures(balance) for balance in balances], self.rows(1), len(self.client.pages("/balances"))

    def hold(self, source, destination, precise, at_once=True):
        reference = self.ref("hold")
        answer = said(self.ask(source, destination, precise, reference, inflight=True, skip_queue=True if at_once else None), 201)
        assert answer["inflight"] is True and answer["status"] == ("INFLIGHT" if at_once else "QUEUED"), answer
        if not at_once:
            assert self.outcome(reference)["status"] == "INFLIGHT"
        return answer["transaction_id"]

    # -- the items -----------------------------------------------------------------------------------------------------
    def case_01_a_finer_amount_is_echoed_and_stored_rounded(self):
        a, b = self.account(10_000), self.account()
        answer = said(self.ask(a, b, None, amount=1.005), 201)
        assert (answer["precise_amount"], answer["amount"], answer["status"]) == (101, 1.005, "APPLIED"), answer
        stored = self.client.get(f"/transactions/{answer['transaction_id']}")
        assert (stored["precise_amount"], stored["amount"], stored["precision"]) == (101, 1.01, 100), stored
        assert '"precision":100,' in stored.text and (self.balance_of(a), self.balance_of(b)) == (9_899, 101), stored
        for amount, precision, precise in ((19.99, 100, 1999), (0.1, 10**8, 10_000_000), (10.5, 1, 11)):
            source = self.account(precise)
            assert self.ask(source, b, None, amount=amount, precision=precision)["precise_amount"] == precise
            assert self.balance_of(source) == 0, (amount, precision)

    def case_02_an_amount_that_rounds_to_nothing(self):
        a, b, reference = self.account(1_000), self.account(), self.ref("tiny")
        before = self.state(a, b)
        said(self.ask(a, b, None, amount=0.004), 400, "TXN_VALIDATION_ERROR")
        assert self.state(a, b) == before
        said(self.ask_queued(a, b, None, reference, amount=0.004), 201)
        child = self.outcome(reference)
        assert child["status"] == "REJECTED" and "must be positive" in child["meta_data"]["blnk_rejection_reason"], child
        assert [self.figures(a), self.figures(b)] == before[0]

    def case_03_precision_is_whole(self):
        a, b = self.account(1_000), self.account()
        before = self.state(a, b)
        answer = said(self.ask(a, b, 5, precision=100.5), 400, "TXN_VALIDATION_ERROR", "errors")
        assert answer["errors"] == "precision: precision must be an integer value.", answer
        said(self.ask_queued(a, b, 5, precision=-1), 400, "TXN_VALIDATION_ERROR", "errors")
        assert self.state(a, b) == before

    def case_04_all_wrong_fields_in_one_message(self):
        a = self.account(1_000)
        before = self.state(a)
        text = said(self.ask(a, None, 5, currency=None), 400, "TXN_VALIDATION_ERROR", "errors")["errors"]
        assert text.startswith("currency: ") and "; destination: " in text and text.endswith("."), text
        assert "cannot be blank" in text and "either destination or destinations is required" in text and text.count(": ") == 2, text
        text = said(self.ask(a, a, -5, description=None), 400, "TXN_VALIDATION_ERROR", "errors")["errors"]
        assert [part.partition(":")[0] for part in text.split("; ")] == ["amount", "description", "destination"], text
        assert self.state(a) == before

    def case_05_an_unknown_balance(self):
        a, reference = self.account(1_000), self.ref("unknown")
        before = self.state(a)
        for source, destination in ((a, UNKNOWN), (UNKNOWN, a)):
            answer = said(self.ask(source, destination, 5, reference), 404, "TXN_NOT_FOUND")
            assert answer["error_detail"]["details"] == {} and UNKNOWN in answer["error"], answer
        said(self.ask("@NeverMade05", UNKNOWN, 5, allow_overdraft=True), 404, "TXN_NOT_FOUND")
        assert self.state(a) == before
        said(self.ask_queued(a, UNKNOWN, 5, reference), 201)
        assert self.outcome(reference)["status"] == "REJECTED" and [self.figures(a)] == before[0]

    def case_06_a_reference_is_used_once(self):
        a, b, reference, retried = self.account(1_000), self.account(), self.ref("once"), self.ref("retried")
        first = said(self.ask(a, b, 100, reference), 201)
        answer = said(self.ask(a, b, 100, reference), 409, "TXN_DUPLICATE_REFERENCE")
        assert "has already been used" in answer["error"], answer
        said(self.ask(a, b, 7, reference), 409, "TXN_DUPLICATE_REFERENCE")
        said(self.ask_queued(a, b, 7, reference), 409, "TXN_DUPLICATE_REFERENCE")
        assert (self.balance_of(a), self.balance_of(b)) == (900, 100)
        assert self.client.get(f"/transactions/reference/{reference}")["transaction_id"] == first["transaction_id"]
        said(self.ask(a, b, 901, retried), 400, "TXN_INSUFFICIENT_FUNDS")
        said(self.ask(a, b, 900, retried), 201)
        # In the queue: the same facts are answered as the first time (Q14), other facts are refused.
        queued, c = self.ref("queued"), self.account(1_000)
        one, two = (said(self.ask_queued(c, b, 10, queued), 201) for _ in range(2))
        assert one["transaction_id"] == two["transaction_id"], (one, two)
        said(self.ask_queued(c, b, 11, queued), 409, "TXN_DUPLICATE_REFERENCE")
        said(self.ask_queued(c, b, 10, queued, inflight=True), 409, "TXN_DUPLICATE_REFERENCE")
        assert self.outcome(queued)["status"] == "APPLIED" and self.balance_of(c) == 990

    def case_07_queued_without_funds(self):
        a, b, reference = self.account(100), self.account(), self.ref("poor")
        before = [self.figures(a), self.figures(b)]
        asked = said(self.ask_queued(a, b, 101, reference), 201)
        assert asked["status"] == "QUEUED", asked
        child = self.outcome(reference)
        assert child["status"] == "REJECTED" and child["parent_transaction"] == asked["transaction_id"], child
        assert "insufficient funds" in child["meta_data"]["blnk_rejection_reason"], child
        assert self.client.get(f"/transactions/{asked['transaction_id']}")["status"] == "QUEUED"
        assert [self.figures(a), self.figures(b)] == before
        for used in (reference, reference + "_q"):
            said(self.ask(a, b, 1, used), 409, "TXN_DUPLICATE_REFERENCE")
        said(self.ask_queued(a, b, 1, reference), 409, "TXN_DUPLICATE_REFERENCE")

    def case_08_overdraft(self):
        b = self.account()
        limited = {"allow_overdraft": True, "overdraft_limit": 10}
        a = self.account()
        said(self.ask(a, b, 1_001, **limited), 400, "TXN_VALIDATION_ERROR")
        answer = said(self.ask(a, b, 1_000, **limited), 201)
        assert answer["overdraft_limit"] == 10 and self.balance_of(a) == -1_000, answer
        assert "exceeds overdraft limit" in said(self.ask(a, b, 1, **limited), 400, "TXN_VALIDATION_ERROR")["error"]
        said(self.ask(self.account(), b, 1_000, overdraft_limit=10), 201)  # the limit alone is enough (Q9)
        said(self.ask(self.account(), b, 1, overdraft_limit=-1, allow_overdraft=True), 400, "TXN_INSUFFICIENT_FUNDS")
        c = self.account(1_000)
        self.hold(c, b, 600)
        said(self.ask(c, b, 500), 400, "TXN_INSUFFICIENT_FUNDS")
        said(self.ask(c, b, 400), 201)
        assert available(self.figures(c)) == 0
        said(self.ask("@NeverMade08", b, 1), 400, "TXN_INSUFFICIENT_FUNDS")
        said(self.client.get("/balances/indicator/@NeverMade08/currency/USD"), 404, "BAL_NOT_FOUND")

    def case_09_splits(self):
        vectors = (
            (10_001, ("33.33%", "33.33%", "33.34%"), (3_333, 3_333, 3_335)), (1_001, ("50%", "50%"), (501, 500)),
            (9_999, ("33%", "33%", "left"), (3_299, 3_299, 3_401)), (100_000, ("0.01", "33.333%", "left"), (1, 33_333, 66_666)),
            (3_000_000, ("10%", ("precise", "2000000"), "left"), (300_000, 2_000_000, 700_000)), (100, ("33.33%",) * 3, (34, 33, 33)))
        a = self.account(10**9)
        for total, shares, legs in vectors:
            targets, reference = [self.account() for _ in shares], self.ref("split")
            answer = said(self.ask(a, None, total, reference, destinations=parts(*zip(targets, shares))), 201)
            assert tuple(self.balance_of(target) for target in targets) == legs, (total, shares, legs)
            assert answer["status"] == "APPLIED" and "destination" not in answer.body, answer
            said(self.client.get(f"/transactions/{answer['transaction_id']}"), 404, "TXN_NOT_FOUND")
            for at, (part, target) in enumerate(zip(answer["destinations"], targets), 1):
                leg = self.client.get(f"/transactions/reference/{reference}-{at}")
                assert (leg["transaction_id"], leg["parent_transaction"]) == (part["transaction_id"], answer["transaction_id"]), leg
                assert leg["destination"] == target == part["identifier"], leg
        self.splits_queued_and_refused(a)

    def splits_queued_and_refused(self, a):
        b, c, reference = self.account(), self.account(), self.ref("split")
        answer = said(self.ask_queued(None, b, 300, reference, sources=parts((a, "1"), (self.account(500), "left"))), 201)
        assert answer["status"] == "QUEUED", answer
        for at, precise in ((1, 100), (2, 200)):
            asked, child = self.client.get(f"/transactions/reference/{reference}_{at}"), self.outcome(f"{reference}_{at}")
            assert (asked["status"], asked["parent_transaction"], asked["precise_amount"]) == ("QUEUED", answer["transaction_id"], precise), asked
            assert (child["status"], child["parent_transaction"]) == ("APPLIED", asked["transaction_id"]), child
        said(self.client.get(f"/transactions/{answer['transaction_id']}"), 404, "TXN_NOT_FOUND")
        before = self.state(a, b, c)
        for shares in (("10", "20"), ("60", "50%"), ("left", "left")):
            said(self.ask(a, None, 10_000, destinations=parts(*zip((b, c), shares))), 400, "TXN_INVALID_DISTRIBUTION")
        for shares in (("80%", "30%"), ("150", "left"), ("x%", "left"), ("x", "left"), ("100%", "left")):
            said(self.ask(a, None, 10_000, destinations=parts(*zip((b, c), shares))), 400, "TXN_VALIDATION_ERROR")
        said(self.ask(None, b, 100, sources=parts((a, "50%"), (self.account(), "50%"))), 400, "TXN_INSUFFICIENT_FUNDS")
        assert self.state(a, b, c)[:2] == before[:2], "a refused split leaves nothing, of no leg"

    def case_10_a_hold_in_parts(self):
        a, b = self.account(20_000), self.account()
        hold = self.hold(a, b, 10_000)
        names = ("balance", "inflight_debit_balance", "debit_balance")
        assert self.figures(a, *names) == (20_000, 10_000, 0) and available(self.figures(a)) == 10_000
        row = said(self.settle(hold, "commit", amount=30), 200)
        assert (row["status"], row["precise_amount"], row["parent_transaction"], row["inflight"]) == ("APPLIED", 3_000, hold, False), row
        assert row["reference"].startswith("ref_") and row["transaction_id"] != hold, row
        assert self.figures(a, *names) == (17_000, 7_000, 3_000)
        said(self.settle(hold, "commit", precise_amount=2_000), 200)
        for over in ({"precise_amount": 5_001}, {"amount": 100.01}):
            assert "cannot commit more than" in said(self.settle(hold, "commit", **over), 400, "TXN_COMMIT_AMOUNT_EXCEEDED")["error"]
        said(self.settle(hold, "commit", amount=0.001), 400, "TXN_INVALID_AMOUNT")
        row = said(self.settle(hold, "void"), 200)
        assert (row["status"], row["precise_amount"]) == ("VOID", 5_000), row
        assert self.figures(a, *names) == (15_000, 0, 5_000) and self.figures(b, "balance", "inflight_credit_balance") == (5_000, 0)
        for action in ("commit", "void"):
            for at_once in (True, False):
                said(self.settle(hold, action, at_once), 409, "TXN_ALREADY_VOIDED")
        done = self.hold(a, b, 100)
        said(self.settle(done, "commit"), 200)
        for action in ("commit", "void"):
            said(self.settle(done, action), 409, "TXN_ALREADY_COMMITTED")
        assert self.figures(a, *names) == (14_900, 0, 5_100)

    def case_11_by_any_id_in_both_modes(self):
        for at_once in (True, False):
            for kind in ("hold", "request", "split", "queued split", "batch", "queued batch"):
                a, b, c = self.account(1_000), self.account(), self.account()
                id, count = self.held(kind, a, b, c)
                answer = said(self.settle(id, "commit", at_once), 200)
                if at_once:
                    assert answer["status"] == "APPLIED" and "queued" not in answer.body, answer
                else:
                    assert answer["queued"] is True and answer["transaction_id"] == id, answer
                    self.client_waits(a, 0)
                assert self.figures(a, "balance", "inflight_debit_balance") == (600, 0), (kind, at_once)
                assert self.balance_of(b) + self.balance_of(c) == 400, (kind, at_once)
                said(self.settle(id, "commit", at_once), 409, "TXN_ALREADY_COMMITTED")

    def held(self, kind, a, b, c):
        """Four units of a hundred on hold in one of the ways; the id that stands for all of it, and how many holds it is."""
        queued = kind in ("request", "queued split", "queued batch")
        mode = {"skip_queue": None if queued else True}
        if kind in ("hold", "request"):
            return self.hold(a, b, 400, not queued), 1
        if "split" in kind:
            reference = self.ref("held")
            answer = said(self.ask(a, None, 400, reference, inflight=True, destinations=parts((b, "25%"), (c, "left")), **mode), 201)
            return answer["transaction_id"], 2
        split = self.item(a, None, 200, destinations=parts((b, "50%"), (c, "50%")))
        return said(self.bulk([self.item(a, b, 200), split], inflight=True, skip_queue=not queued), 201)["batch_id"], 3

    def client_waits(self, balance, held, seconds=10):
        end = time.monotonic() + seconds
        while self.client.figures(balance)["inflight_debit_balance"] != held and time.monotonic() < end:
            time.sleep(0.02)

    def case_12_unknown_and_unheld_ids(self):
        a, b = self.account(1_000), self.account()
        applied = self.ask(a, b, 100)["transaction_id"]
        for action in ("commit", "void"):
            said(self.settle(NOBODY, action, at_once=False), 404, "TXN_NOT_FOUND")
            assert f"no transaction to {action}" in said(self.settle(NOBODY, action), 400, "TXN_NOT_INFLIGHT")["error"]
            for at_once in (True, False):
                said(self.settle(applied, action, at_once), 400, "TXN_NOT_INFLIGHT")
        said(self.settle(applied, "finish"), 400, "TXN_INVALID_STATUS_ACTION")
        poor = self.ref("poor")
        asked = self.ask_queued(a, b, 10**6, poor, inflight=True)["transaction_id"]
        assert self.outcome(poor)["status"] == "REJECTED"
        said(self.settle(asked, "commit"), 400, "TXN_NOT_INFLIGHT")
        assert self.figures(a, "balance", "inflight_debit_balance") == (900, 0)

    def case_13_two_queued_commits(self):
        """A queue that has nothing waiting says that the hold is finished; one that has, that it is being done. Only one of them counts."""
        a, b = self.account(1_000), self.account()
        one, two = self.hold(a, b, 400), self.hold(a, b, 100)
        assert said(self.settle(one, "commit", at_once=False), 200)["queued"] is True
        second = self.settle(one, "commit", at_once=False)
        assert second.status == 409 and second.code in ("GEN_CONFLICT", "TXN_ALREADY_COMMITTED"), second
        answer = said(self.client.post("/transactions/inflight/bulk/commit", {"transactions": [{"transaction_id": two}, {"transaction_id": two}]}), 200)
        first, again = answer["results"]
        assert (first["status"], first["code"], first["transaction_id"]) == ("queued", "QUEUED", two), answer
        assert (again["status"], again["code"]) in (("queued", "ALREADY_QUEUED"), ("failed", "ALREADY_COMMITTED")), answer
        good = sum(result["status"] == "queued" for result in answer["results"])
        assert (answer["succeeded"], answer["failed"]) == (good, 2 - good), answer
        self.client_waits(a, 0)
        assert (self.balance_of(a), self.balance_of(b)) == (500, 500)

    def refused_again(self, id, *balances):
        before = [self.figures(balance) for balance in balances]
        for at_once in (True, False):
            said(self.refund(id, at_once), 409, "GEN_CONFLICT")
        assert [self.figures(balance) for balance in balances] == before, "a refused refund moved money"

    def case_14_refunds(self):
        a, b = self.account(10_000), self.account()
        paid = self.ask(a, b, 1_234)
        answer = said(self.refund(paid["transaction_id"]), 201)
        assert (answer["status"], answer["source"], answer["destination"], answer["precise_amount"]) == ("APPLIED", b, a, 1_234), answer
        assert answer["reference"] == f"{paid['transaction_id']}_refund" and answer["parent_transaction"] == paid["transaction_id"], answer
        assert self.figures(a, "balance", "credit_balance", "debit_balance") == (10_000, 11_234, 1_234)
        self.refused_again(paid["transaction_id"], a, b)
        said(self.refund(answer["transaction_id"]), 201)  # a refund can be refunded
        assert self.balance_of(a) == 8_766
        bodiless = self.client.post(f"/refund-transaction/{self.ask(a, b, 100)['transaction_id']}")
        assert said(bodiless, 201)["status"] == "QUEUED", bodiless
        assert self.outcome(bodiless["reference"])["status"] == "APPLIED" and self.balance_of(a) == 8_766
        reference = self.ref("asked")
        asked = self.ask_queued(a, b, 66, reference)["transaction_id"]
        child = self.outcome(reference)["transaction_id"]
        assert said(self.refund(asked), 201)["parent_transaction"] == child
        self.refused_again(asked, a, b)
        self.refund_of_holds(a, b)
        for id in (NOBODY, self.ask_queued(a, b, 1, scheduled_for="2099-01-01T00:00:00Z")["transaction_id"], self.hold(a, b, 1)):
            assert "no transaction to refund" in said(self.refund(id), 404, "TXN_NOT_FOUND")["error"]

    def refund_of_holds(self, a, b):
        hold = self.hold(a, b, 1_000)
        said(self.settle(hold, "commit", precise_amount=300), 200)
        said(self.settle(hold, "commit", precise_amount=200), 200)
        before = self.balance_of(a)
        said(self.refund(hold), 201)
        assert self.figures(a, "balance", "inflight_debit_balance") == (before + 500, 500)
        self.refused_again(hold, a, b)
        voided = self.hold(a, b, 400)
        void = said(self.settle(voided, "void"), 200)["transaction_id"]
        said(self.refund(void), 404, "TXN_NOT_FOUND")
        reverse = said(self.refund(voided), 201)
        assert (reverse["status"], reverse["source"], reverse["parent_transaction"]) == ("INFLIGHT", b, void), reverse
        self.refused_again(voided, a, b)
        c, d, e = self.account(1_000), self.account(), self.account()
        for kind in ("split", "batch"):
            legs = {"destinations": parts((d, "40%"), (e, "60%"))}
            batch = [self.item(c, d, 10), self.item(c, None, 20, **legs)] if kind == "batch" else []
            whole = self.bulk(batch, skip_queue=True)["batch_id"] if batch else self.ask(c, None, 100, **legs)["transaction_id"]
            said(self.refund(whole), 201)
            assert self.balance_of(c) == 1_000 and self.balance_of(d) == self.balance_of(e) == 0, whole
            self.refused_again(whole, c, d, e)

    def case_15_an_atomic_batch_that_fails(self):
        for inflight in (False, True):
            a, b, poor = self.account(1_000), self.account(), self.account()
            items = [self.item(a, b, 100), self.item(a, "@NeverMade15", 100), self.item(poor, b, 1)]
            before = self.state(a, b, poor)
            answer = said(self.bulk(items, atomic=True, inflight=inflight, skip_queue=True), 400, "TXN_INSUFFICIENT_FUNDS")
            assert answer["batch_id"].startswith("bulk_") and answer["error_detail"]["details"] == {"batch_id": answer["batch_id"]}, answer
            assert items[2]["reference"] in answer["error"] == answer["error_detail"]["message"], answer
            assert self.state(a, b, poor) == before, "an atomic batch that was refused left something"
            for item in items[:2]:
                said(self.client.get(f"/transactions/reference/{item['reference']}"), 404, "TXN_NOT_FOUND")
            said(self.settle(answer["batch_id"], "commit"), 400, "TXN_NOT_INFLIGHT")
            said(self.refund(answer["batch_id"]), 404, "TXN_NOT_FOUND")
            again = said(self.bulk(items[:2], atomic=True, inflight=inflight, skip_queue=True), 201)
            assert (again["status"], again["transaction_count"]) == ("inflight" if inflight else "applied", 2), again
        a, b, poor = self.account(1_000), self.account(), self.account()
        items = [self.item(a, b, 100), self.item(poor, b, 1), self.item(a, b, 100)]
        said(self.bulk(items, skip_queue=True), 400, "TXN_INSUFFICIENT_FUNDS")
        assert self.balance_of(a) == 900, "without atomic the items before the one that failed stay, and none behind it"
        items = [self.item(a, b, 100), self.item(poor, b, 1)]
        said(self.bulk(items, atomic=True), 201)
        assert {self.outcome(item["reference"])["status"] for item in items} == {"REJECTED"} and self.balance_of(a) == 900

    def case_16_batches_that_are_refused(self):
        a, b = self.account(1_000), self.account()
        before = self.state(a, b)
        item = self.item(a, b, 1)
        said(self.bulk([]), 400, "TXN_BULK_EMPTY")
        said(self.bulk([item] * 10_001), 400, "TXN_BULK_LIMIT_EXCEEDED")
        for wrong, field in ((None, ""), (item | {"currency": ""}, "currency: "), (item | {"destination": a}, "destination: ")):
            answer = said(self.bulk([item, wrong]), 400, "TXN_VALIDATION_ERROR", "errors")
            assert answer["errors"].startswith("transactions[1]") and field in answer["errors"], answer
            assert answer["error_detail"]["details"] == {"index": 1}, answer
        said(self.client.post("/transactions/bulk", raw=b'{"transactions": 3}'), 400, "GEN_MALFORMED_REQUEST")
        said(self.bulk([item | {"dry_run": True}]), 400, "TXN_VALIDATION_ERROR", "errors")
        assert self.state(a, b) == before

    def tried(self, answer, applies=True, code=None):
        said(answer, 200)
        assert answer["dry_run"] is True and answer["would_apply"] is applies, answer
        assert applies or answer["rejection"]["code"] == code, answer
        return answer

    def case_17_dry_runs(self):
        a, b, reference = self.account(50_000), self.account(), self.ref("dry")
        hold, paid, used = self.hold(a, b, 1_000), self.ask(a, b, 500)["transaction_id"], self.ref("used")
        self.ask(a, b, 1, used)
        before, held = self.state(a, b), self.figures(a, "balance")[0]
        answer = self.tried(self.ask(a, b, 10_000, reference, dry_run=True))
        assert (answer["status"], answer["precise_amount"], answer["reference"]) == ("APPLIED", "10000", reference), answer
        source, destination = answer["balances"]
        assert (source["role"], source["balance_id"], destination["role"]) == ("source", a, "destination"), answer
        assert (source["current_balance"], source["resulting_balance"]) == (str(held), str(held - 10_000)), source
        assert (source["current_available"], source["resulting_available"]) == (str(held - 1_000), str(held - 11_000)), source
        assert destination["resulting_credit_balance"] == str(int(destination["current_credit_balance"]) + 10_000), destination
        answer = self.tried(self.ask(a, "@NeverMade17", 10, dry_run=True))
        assert answer["balances"][1]["virtual"] is True and answer["balances"][1]["balance_id"] == "@NeverMade17", answer
        answer = self.tried(self.ask(a, b, 10**9, reference, dry_run=True), False, "TXN_INSUFFICIENT_FUNDS")
        assert answer["rejection"]["reason"] == "insufficient_funds" and answer["balances"][0]["resulting_balance"] == str(held), answer
        self.tried(self.ask(a, b, 1, used, dry_run=True), False, "TXN_DUPLICATE_REFERENCE")
        said(self.ask(a, UNKNOWN, 1, dry_run=True), 404, "TXN_NOT_FOUND")
        said(self.ask(a, a, 1, dry_run=True), 400, "TXN_VALIDATION_ERROR", "errors")
        answer = self.tried(self.ask(a, None, 1_001, dry_run=True, destinations=parts((b, "50%"), ("@NeverMade17", "50%"))))
        assert [leg["precise_amount"] for leg in answer["legs"]] == ["501", "500"], answer
        answer = self.tried(self.settle(hold, "commit", amount=4, dry_run=True))
        assert answer["operation"] == "commit" and answer["precise_amount"] == "400", answer
        assert self.tried(self.settle(hold, "void", dry_run=True))["operation"] == "void"
        self.tried(self.settle(hold, "commit", precise_amount=1_001, dry_run=True), False, "TXN_COMMIT_AMOUNT_EXCEEDED")
        self.tried(self.refund(paid, dry_run=True))
        said(self.refund(NOBODY, dry_run=True), 404, "TXN_NOT_FOUND")
        items = [self.item(a, b, 100), self.item(self.account(), b, 1)]
        before = (before[0], before[1], before[2] + 1)
        answer = said(self.bulk(items, skip_queue=True, dry_run=True), 200)
        assert answer["would_apply"] is False and answer["cumulative"] is True and len(answer["results"]) == 2, answer
        for path, body in (("commit", {"transactions": [{"transaction_id": hold}]}), ("void", {"transaction_ids": [hold]})):
            self.tried(self.client.post(f"/transactions/inflight/bulk/{path}", body | {"dry_run": True}))
        assert self.state(a, b) == before, "a dry run left something"
        said(self.ask(a, b, 10_000, reference), 201)

    def case_18_a_random_mix(self):
        """Eight clients at once; then the invariants of section 13, from what is shown. tests/model does this at length."""
        accounts, errors = [self.account(5_000) for _ in range(5)], []

        def client(number):
            choices, mine, holds = random.Random(number), self.server.client(), []
            try:
                for at in range(60):
                    source, destination = choices.sample(accounts, 2)
                    reference, kind = f"check-mix-{number}-{at}", choices.choice(("pay", "hold", "settle", "queued", "refund"))
                    if kind == "settle" and holds:
                        body = {"status": choices.choice(("commit", "void")), "precise_amount": choices.randrange(1, 300), "skip_queue": True}
                        answer = mine.put(f"/transactions/inflight/{choices.choice(holds)}", body)
                    elif kind == "refund" and holds:
                        answer = mine.post(f"/refund-transaction/{choices.choice(holds)}", {"skip_queue": True})
                    else:
                        more = {"inflight": kind == "hold", "skip_queue": kind != "queued"}
                        answer = mine.pay(source, destination, choices.randrange(1, 2_000), reference, **more)
                        if answer.status == 201 and kind == "hold":
                            holds.append(answer["transaction_id"])
                    assert answer.status < 500, answer
            except Exception as error:
                errors.append(error)
            mine.close()

        threads = [threading.Thread(target=client, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors, errors
        self.invariants()

    def invariants(self):
        rows, balances = self.client.pages("/transactions"), self.client.pages("/balances")
        assert len({row["reference"] for row in rows}) == len(rows), "a reference is there twice"
        posted, left, sums = collections.Counter(), {}, collections.Counter()
        for row in reversed(rows):
            id, parent, status, amount = row["transaction_id"], row["parent_transaction"], row["status"], row["precise_amount"]
            if status == "INFLIGHT":
                left[id] = amount
            if parent in left:
                assert left[parent] >= amount > 0, f"more than the hold: {row}"
                left[parent] = left[parent] - amount
                assert status != "VOID" or left[parent] == 0, row
            if status == "APPLIED":
                posted["debit", row["source"]] += amount
                posted["credit", row["destination"]] += amount
        held = collections.Counter()
        for row in rows:
            if row["status"] == "INFLIGHT":
                held["debit", row["source"]] += left[row["transaction_id"]]
                held["credit", row["destination"]] += left[row["transaction_id"]]
        for balance in balances:
            for side in ("debit", "credit"):
                key = (side, balance["balance_id"])
                assert (balance[f"{side}_balance"], balance[f"inflight_{side}_balance"]) == (posted[key], held[key]), balance
            sums[balance["currency"], "balance"] += balance["balance"]
            sums[balance["currency"], "held"] += balance["inflight_balance"]
        refunded = collections.Counter(row["parent_transaction"] for row in rows if row["reference"].endswith("_refund"))
        assert not any(sums.values()) and max(refunded.values()) == 1, (sums, refunded)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="", help="numbers of items, with commas")
    wanted = [number.zfill(2) for number in parser.parse_args().only.split(",") if number]
    count = Count()
    with Server() as server:
        checklist = Checklist(server)
        for name in [name for name in vars(Checklist) if name.startswith("case_")]:
            if not wanted or name[5:7] in wanted:
                with count.case(name[5:]):
                    getattr(checklist, name)()
    return count.closing()


if __name__ == "__main__":
    sys.exit(main())
