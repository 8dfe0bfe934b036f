#!/usr/bin/env python3
"""Kills the server under load, again and again on the same data, and audits the books after each restart.

    tests/kill.py [--rounds 50] [--seed N] [--threads 8] [--keep]      the last line says 'N passed, N failed'

A round: client threads post singles, queued singles, batches (atomic and not), holds, commits and voids, each on a connection of
its own and with references known beforehand; at a random moment the server gets SIGKILL; it is started again (now and then killed
once more while it starts); then every row that is new is read and held against what was asked:

    answered 2xx     the rows are there, with the ids of the answer and the facts of the request
    answered 4xx     nothing is there; of a batch that is not atomic, the items before the one that failed
    not answered     all of it or nothing; of a batch that is not atomic, some items from its beginning
    nobody's         no row is there that no request explains, and no reference twice

Balances are recomputed from the rows and must be what the server says, sum to zero in each currency, and keep what is available at
or above zero where no overdraft was asked for. Afterwards the server is stopped in an orderly way, and a last time with everything
but the journal deleted; each time all rows and balances must be what they were.
"""
import argparse, collections, os, random, shutil, sys, threading, time

from florin import BAD_CONNECTION, Count, Server, available, payment

BALANCES = {"USD": 12, "EUR": 4}
FUNDS = 50_000_000
CREDITS = ("credit_balance", "debit_balance", "inflight_credit_balance", "inflight_debit_balance")
DERIVED_FROM = ("journal", "blobs", "keys")  # folders that stay when everything derived is deleted


class Op:
    """One request: what it asks for, and what was answered (None while it is not)."""

    def __init__(self, kind, path, body, items, method="POST"):
        self.kind, self.method, self.path, self.body, self.items, self.answer = kind, method, path, body, items, None

    @property
    def outcome(self):
        if self.answer is None:
            return "unknown"
        return "done" if self.answer.status < 300 else "refused"

    def __repr__(self):
        return f"{self.kind} {self.method} {self.path} ({len(self.items)} items, first {self.items[0] if self.items else None}) answered {self.answer}"


class Thread:
    """A client that goes on until the server is gone; one request at a time."""

    def __init__(self, number, seed, accounts):
        self.number, self.random, self.accounts = number, random.Random(f"{seed}/{number}"), accounts
        self.used, self.ops, self.old, self.open_holds, self.ghosts = 0, [], [], [], 0

    def play(self, client):
        while True:
            op = self.choose()
            self.ops.append(op)
            try:
                op.answer = client.send(op.method, op.path, op.body)
            except BAD_CONNECTION:
                return
            if op.kind == "hold" and op.outcome == "done":
                self.open_holds.append((op.answer["transaction_id"], op.items[0]["precise_amount"]))

    def choose(self):
        kinds = {"single": 8, "queued": 3, "atomic": 3, "loose": 2, "hold": 4, "commit": 4, "void": 1, "again": 1, "ghost": 1, "large": 0.2}
        kind = self.random.choices(list(kinds), list(kinds.values()))[0]
        if kind in ("commit", "void") and not self.open_holds or kind == "again" and not self.old:
            kind = "single"
        return getattr(self, kind)()

    def reference(self):
        self.used += 1
        return f"kill-{self.number}-{self.used}"

    def item(self, **more):
        """Mostly small postings between accounts; now and then funds from outside, or more than there is."""
        currency = self.random.choices(list(BALANCES), [3, 1])[0]
        source, target = self.random.sample(self.accounts[currency], 2)
        chance = self.random.random()
        if chance < 0.1:
            return payment("@World", target, self.random.randint(1, 10**20), self.reference(), currency=currency, allow_overdraft=True, **more)
        amount = 10**24 if chance < 0.13 else self.random.randint(1, 20_000)
        return payment(source, target, amount, self.reference(), currency=currency, meta_data={"n": self.used}, **more)

    def single(self):
        item = self.item()
        return Op("single", "/transactions", item, [item])

    def queued(self):
        item = self.item(skip_queue=None)
        return Op("queued", "/transactions", item, [item])

    def hold(self):
        item = self.item(inflight=True)
        return Op("hold", "/transactions", item, [item])

    def batch(self, kind, atomic, count):
        items = [self.item() for _ in range(count)]
        return Op(kind, "/transactions/bulk", {"atomic": atomic, "skip_queue": True, "transactions": items}, items)

    def atomic(self):
        return self.batch("atomic", True, self.random.randint(2, 30))

    def loose(self):
        return self.batch("loose", False, self.random.randint(2, 30))

    def large(self):
        items = [payment("@World", self.random.choice(self.accounts["USD"]), self.random.randint(1, 10**6), self.reference(), allow_overdraft=True)
                 for _ in range(1000)]
        return Op("atomic", "/transactions/bulk", {"atomic": True, "skip_queue": True, "transactions": items}, items)

    def settle(self, kind, **more):
        at = self.random.randrange(len(self.open_holds))
        hold, amount = self.open_holds[at]
        if more.get("precise_amount", amount) >= amount:
            self.open_holds.pop(at)
        else:
            self.open_holds[at] = (hold, amount - more["precise_amount"])
        item = {"hold": hold, **more}
        return Op(kind, f"/transactions/inflight/{hold}", {"status": kind, "skip_queue": True, **more}, [item], "PUT")

    def commit(self):
        return self.settle("commit", **({"precise_amount": self.random.randint(1, 50)} if self.random.random() < 0.5 else {}))

    def void(self):
        return self.settle("void")

    def again(self):
        """What was answered once is sent again; the reference was used, so it is refused and does nothing."""
        return Op("again", "/transactions", self.random.choice(self.old), [])

    def ghost(self):
        """Refused for want of funds; the indicator that it names for the first time must not stay."""
        self.ghosts += 1
        item = payment(f"@Ghost{self.number}x{self.ghosts}", self.accounts["USD"][0], 100, self.reference())
        return Op("ghost", "/transactions", item, [item])


class Books:
    """Every row that was ever read, and the balances that follow from them."""

    def __init__(self):
        self.rows, self.by_reference, self.children = {}, {}, collections.defaultdict(list)
        self.figures = collections.defaultdict(lambda: dict.fromkeys(CREDITS, 0))

    def read_new(self, client, size=1000):
        """Reads lists from the newest row on until a page holds nothing new."""
        fresh, offset = [], 0
        while True:
            answer = client.get(f"/transactions?limit={size}&offset={offset}")
            assert answer.status == 200, answer
            new = [row for row in answer.body if row["transaction_id"] not in self.rows]
            for row in new:
                other = self.by_reference.setdefault(row["reference"], row["transaction_id"])
                assert other == row["transaction_id"], f"reference {row['reference']} belongs to {other} and to {row['transaction_id']}"
                self.rows[row["transaction_id"]] = row
                self.children[row["parent_transaction"]].append(row)
            fresh += new
            offset += len(answer.body)
            if not new:
                break
        for row in fresh:
            self.post(row)
        return fresh

    def post(self, row):
        amount, source, target = row["precise_amount"], self.figures[row["source"]], self.figures[row["destination"]]
        status, parent = row["status"], self.rows.get(row["parent_transaction"])
        of_hold = parent is not None and parent["status"] == "INFLIGHT"
        assert status in ("APPLIED", "INFLIGHT", "VOID", "QUEUED", "REJECTED"), row
        assert amount > 0, row
        if status == "APPLIED":
            source["debit_balance"] += amount
            target["credit_balance"] += amount
        if status == "INFLIGHT":
            source["inflight_debit_balance"] += amount
            target["inflight_credit_balance"] += amount
        if status == "VOID" or status == "APPLIED" and of_hold:
            assert of_hold, f"void of no hold: {row}"
            source["inflight_debit_balance"] -= amount
            target["inflight_credit_balance"] -= amount

    def left_of(self, hold):
        return self.rows[hold]["precise_amount"] - sum(row["precise_amount"] for row in self.children[hold])

    def row(self, reference):
        return self.rows.get(self.by_reference.get(reference))

    def check_balances(self, client, overdrawn=("@",)):
        balances = {row["balance_id"]: row for row in client.pages("/balances")}
        sums = collections.Counter()
        for identifier, row in balances.items():
            wanted = self.figures[identifier]
            found = {field: row[field] for field in CREDITS}
            assert found == wanted, f"balance {identifier} {row.get('indicator', '')}: rows give {wanted}, the server says {found}"
            assert row["balance"] == row["credit_balance"] - row["debit_balance"], row
            assert row["inflight_balance"] == row["inflight_credit_balance"] - row["inflight_debit_balance"], row
            indicator = row.get("indicator") or ""
            assert not indicator.startswith("@Ghost"), f"{indicator} was made by a request that was refused"
            if not indicator.startswith(overdrawn):
                assert available(row) >= 0, f"more was spent than there is: {row}"
            sums[row["currency"]] += row["balance"]
            sums[f"{row['currency']} held"] += row["inflight_balance"]
        assert not any(sums.values()), f"the books do not sum to zero: {dict(sums)}"
        missing = [identifier for identifier, figures in self.figures.items() if any(figures.values()) and identifier not in balances]
        assert not missing, f"rows name balances that are not listed: {missing}"
        return balances


class Audit:
    """Holds the new rows of a round against the requests of that round."""

    def __init__(self, books, fresh, balances):
        self.books, self.unclaimed = books, {row["transaction_id"]: row for row in fresh}
        self.indicators = {(row["indicator"], row["currency"]): row["balance_id"] for row in balances.values() if row.get("indicator")}

    def check(self, op):
        if op.answer is not None:
            assert op.answer.status < 500, f"fault: {op}"
        getattr(self, op.kind)(op)

    def claim(self, row, item=None, **facts):
        """The row is new, is claimed once, and says what was asked."""
        assert self.unclaimed.pop(row["transaction_id"], None), f"{row['transaction_id']} is explained by two requests, or was there before"
        if item:
            side = lambda name: self.indicators.get((item[name], item["currency"]), item[name])
            facts |= {"precise_amount": item["precise_amount"], "currency": item["currency"], "source": side("source"),
                      "destination": side("destination"), "description": item["description"]}
            if "meta_data" in item:
                assert item["meta_data"].items() <= (row.get("meta_data") or {}).items(), f"metadata of {row}, wanted {item['meta_data']}"
        found = {name: row.get(name) for name in facts}
        assert found == facts, f"wanted {facts}, stored is {found}"

    def one(self, op, status):
        row = self.books.row(op.items[0]["reference"])
        if op.outcome == "done":
            assert row, f"acknowledged and lost: {op}"
            assert row["transaction_id"] == op.answer["transaction_id"], f"stored under {row['transaction_id']}: {op}"
        if op.outcome == "refused":
            assert not row, f"refused, yet stored: {op}"
        if row:
            self.claim(row, op.items[0], status=status, parent_transaction="")

    def single(self, op):
        self.one(op, "APPLIED")

    def hold(self, op):
        self.one(op, "INFLIGHT")

    def queued(self, op):
        self.one(op, "QUEUED")
        item = op.items[0]
        request, child = self.books.row(item["reference"]), self.books.row(item["reference"] + "_q")
        assert bool(request) == bool(child), f"request and outcome are not one: {op}, {request}, {child}"
        if child:
            assert child["status"] in ("APPLIED", "REJECTED"), child
            self.claim(child, item, parent_transaction=request["transaction_id"])

    def stored(self, op):
        """How many items of a batch are there; they are there from its beginning, under one batch."""
        rows = [self.books.row(item["reference"]) for item in op.items]
        count = sum(row is not None for row in rows)
        assert all(rows[:count]), f"items are missing in between: {[row is not None for row in rows]}, {op}"
        batches = {row["parent_transaction"] for row in rows[:count]}
        assert len(batches) <= 1, f"one batch under {batches}"
        if op.outcome == "done":
            assert count == len(op.items), f"{len(op.items) - count} items acknowledged and lost: {op}"
            assert batches == {op.answer["batch_id"]}, f"stored under {batches}: {op}"
        for item, row in zip(op.items, rows[:count]):
            self.claim(row, item, status="APPLIED")
        return count

    def atomic(self, op):
        count = self.stored(op)
        assert count in (0, len(op.items)), f"{count} of {len(op.items)} items of an atomic batch: {op}"
        assert op.outcome != "refused" or count == 0, f"refused, yet stored: {op}"

    def loose(self, op):
        count = self.stored(op)
        assert op.outcome != "refused" or count < len(op.items), f"refused, yet all of it is stored: {op}"

    def commit(self, op, status="APPLIED"):
        item = op.items[0]
        rows = [row for row in self.books.children[item["hold"]] if row["transaction_id"] in self.unclaimed]
        if op.outcome == "done":
            rows = [row for row in rows if row["transaction_id"] == op.answer["transaction_id"]]
            assert rows, f"acknowledged and lost: {op}"
            self.claim(rows[0], status=status, precise_amount=op.answer["precise_amount"], reference=op.answer["reference"])
        elif op.outcome == "unknown" and rows:
            amount = {"precise_amount": item["precise_amount"]} if "precise_amount" in item else {}
            self.claim(rows[0], status=status, **amount)
        assert self.books.left_of(item["hold"]) >= 0, f"more was taken than held: {op}"

    def void(self, op):
        self.commit(op, "VOID")

    def again(self, op):
        if op.answer:
            assert (op.answer.status, op.answer.code) == (409, "TXN_DUPLICATE_REFERENCE"), f"a used reference: {op}"

    def ghost(self, op):
        assert op.answer is None or op.answer.code == "TXN_INSUFFICIENT_FUNDS", op
        assert not self.books.row(op.items[0]["reference"]), f"refused, yet stored: {op}"


def in_order(ops):
    """The unanswered request last: of two commits of one hold the answered one claims its row first."""
    return sorted(ops, key=lambda op: op.outcome == "unknown")


def set_up(client, books):
    ledger = client.ledger("Kill")
    accounts = {currency: [client.balance(ledger, currency) for _ in range(count)] for currency, count in BALANCES.items()}
    for currency, balances in accounts.items():
        for at, balance in enumerate(balances):
            client.fund(balance, FUNDS, f"kill-fund-{currency}-{at}", currency)
    books.read_new(client)
    books.check_balances(client)
    return accounts


def load(server, threads, seconds):
    """Plays all threads until the server has been killed."""
    clients = [server.client(10) for _ in threads]
    workers = [threading.Thread(target=thread.play, args=(client,)) for thread, client in zip(threads, clients)]
    for worker in workers:
        worker.start()
    time.sleep(seconds)
    assert server.alive(), f"the server ended by itself\n{server.log_tail()}"
    server.kill()
    for worker in workers:
        worker.join()


def audit_round(server, threads, books, chance):
    client = server.client()
    fresh = books.read_new(client)
    balances = books.check_balances(client)
    audit = Audit(books, fresh, balances)
    for thread in threads:
        for op in in_order(thread.ops):
            audit.check(op)
    assert not audit.unclaimed, f"{len(audit.unclaimed)} rows that nobody asked for, first {next(iter(audit.unclaimed.values()))}"
    for thread in threads:
        done = [op for op in thread.ops if op.kind == "single" and op.outcome == "done"]
        for op in chance.sample(done, min(2, len(done))):
            found = client.get(f"/transactions/reference/{op.items[0]['reference']}")
            assert found.status == 200 and found["transaction_id"] == op.answer["transaction_id"], f"by reference {found}, {op}"
            found = client.get(f"/transactions/{op.answer['transaction_id']}")
            assert found.status == 200 and found["precise_amount"] == op.items[0]["precise_amount"], f"by id {found}, {op}"
        thread.old = (thread.old + [op.body for op in done])[-100:]
        ended = {row["parent_transaction"] for row in fresh if row["status"] == "VOID"}
        holds = {hold for hold, _ in thread.open_holds} | {op.answer["transaction_id"] for op in thread.ops if op.kind == "hold" and op.outcome == "done"}
        holds |= {op.items[0]["hold"] for op in thread.ops if op.kind in ("commit", "void")}
        thread.open_holds = [(hold, books.left_of(hold)) for hold in sorted(holds) if hold not in ended and books.left_of(hold) > 0][-200:]
    counts = collections.Counter(op.outcome for thread in threads for op in thread.ops)
    for thread in threads:
        thread.ops = []
    client.close()
    return len(fresh), counts


def same_again(server, books):
    """Every row and balance is what it was."""
    client, again = server.client(), Books()
    again.read_new(client)
    assert again.rows.keys() == books.rows.keys(), f"{len(again.rows)} rows, were {len(books.rows)}"
    changed = [identifier for identifier, row in again.rows.items() if row != books.rows[identifier]]
    assert not changed, f"{len(changed)} rows changed, first {again.rows[changed[0]]} was {books.rows[changed[0]]}"
    books.check_balances(client)
    client.close()


def main():
    parser = argparse.ArgumentParser(formatter_class=argparse.RawDescriptionHelpFormatter, description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--keep", action="store_true", help="leave the data folder")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    count, chance, books, server = Count(), random.Random(options.seed), Books(), Server()
    began, total, slowest = time.monotonic(), collections.Counter(), server.start()
    client = server.client()
    accounts = set_up(client, books)
    client.close()
    threads = [Thread(number, options.seed, accounts) for number in range(options.threads)]
    for number in range(options.rounds):
        with count.case(f"round {number}"):
            load(server, threads, chance.uniform(0.05, 0.4))
            if chance.random() < 0.2:  # a crash while it recovers from a crash
                server.start_and_kill(chance.uniform(0, 0.05))
            slowest = max(slowest, server.start())
            rows, counts = audit_round(server, threads, books, chance)
            total += counts + collections.Counter(rows=rows)
        if count.failed:
            break  # what follows would only repeat it
    if not count.failed:
        with count.case("after an orderly stop"):
            assert server.stop() == 0, f"stopped with {server.process.returncode}"
            server.start()
            same_again(server, books)
        with count.case("with everything but the journal deleted"):
            server.stop()
            for name in os.listdir(server.data):
                if os.path.isdir(os.path.join(server.data, name)) and name not in DERIVED_FROM:
                    shutil.rmtree(os.path.join(server.data, name))
            server.start()
            same_again(server, books)
    server.stop()
    print(f"{options.rounds} rounds in {time.monotonic() - began:.0f} s: {dict(total)}; slowest start {slowest * 1000:.0f} ms")
    if count.failed or options.keep:
        print(f"data is kept in {server.data}, log in {server.log_path}, seed {options.seed}")
    else:
        server.remove()
    return count.closing()


if __name__ == "__main__":
    sys.exit(main())
