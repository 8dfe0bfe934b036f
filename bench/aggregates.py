#!/usr/bin/env python3
"""Measures GET /balances/aggregate over many balances, and what it costs those who post meanwhile.

    bench/aggregates.py [--balances 1000000] [--transactions 2000000] [--asks 20]

Starts a server of its own on a fresh folder below bench/data; FLORIN may name the binary (target/release/florin), which must be an
optimised one. Balances are made by posting to indicators in bulk, in two currencies; then more is posted, so that moments in the past
have rows behind and before them. Told are the times of the answers, one after the other, as the client has them: now, by ledger
and owner, at a moment near, in the middle, and long ago, and month by month; then single postings on another connection, alone and while sums
are asked for without a pause. Every answer is checked: what is credited is debited, in each currency. Nothing else should run on the machine.
"""
import argparse, json, os, sys, threading, time
from datetime import datetime, timezone

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "bench"))
from transactions import Server  # noqa: E402

CURRENCIES = ("USD", "EUR")
BULK = 10_000


def fill(server, balances, transactions):
    """Posts to each balance once, then to random ones; answers the moments at which a tenth of it was done each."""
    moments, posted = [], 0
    total = max(balances, transactions)
    while posted < total:
        items = []
        for number in range(posted, min(posted + BULK, total)):
            items.append({"precise_amount": 1 + number % 1000, "precision": 100, "currency": CURRENCIES[number % 2], "reference": f"t{number}",
                          "description": "b", "source": "@World", "destination": f"@b{number * 7919 % balances // 2 if number >= balances else number // 2}",
                          "allow_overdraft": True})
        server.send(json.dumps({"transactions": items, "skip_queue": True, "atomic": True}))
        posted += len(items)
        if posted * 10 // total > len(moments):
            moments.append(datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    return moments


def check(told):
    sums = {}
    for group in told["groups"]:
        credit, debit = sums.get(group["currency"], (0, 0))
        sums[group["currency"]] = (credit + group["credit_balance"], debit + group["debit_balance"])
    assert told["total_groups"] == len(told["groups"]) and all(credit == debit for credit, debit in sums.values()), told


def spread(times):
    times = sorted(times)
    at = lambda share: f"{1000 * times[min(len(times) - 1, int(share * len(times)))]:.1f}"
    return f"p50 {at(.5)} ms, p99 {at(.99)} ms, max {1000 * times[-1]:.1f} ms, of {len(times)}"


def timed(server, path, count):
    times = []
    for _ in range(count):
        began = time.perf_counter()
        told = server.get(path)
        times.append(time.perf_counter() - began)
        check(told)
    return times


def posting(server, name, until):
    times, number = [], 0
    while not until():
        body = {"amount": 1, "precision": 100, "currency": "USD", "reference": f"{name}{number}", "description": "p", "source": "@World",
                "destination": f"@b{number}", "allow_overdraft": True, "skip_queue": True}
        began = time.perf_counter()
        server.send(json.dumps(body), "/transactions")
        times.append(time.perf_counter() - began)
        number += 1
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--balances", type=int, default=1_000_000)
    parser.add_argument("--transactions", type=int, default=2_000_000)
    parser.add_argument("--asks", type=int, default=20)
    options = parser.parse_args()
    server = Server("aggregates")
    try:
        moments = fill(server, options.balances, options.transactions)
        count = sum(group["count"] for group in server.get("/balances/aggregate")["groups"])
        print(f"{count} balances, {max(options.balances, options.transactions)} transactions")
        asks = [("now, by currency", ""), ("now, by ledger and owner", "group_by=ledger,identity"), ("a tenth ago", f"at={moments[-2]}"),
                ("half ago", f"at={moments[4]}"), ("long ago", f"at={moments[0]}"), ("by month", "group_by=month")]
        for name, query in asks:
            print(f"{name}: {spread(timed(server, '/balances/aggregate?' + query, options.asks))}", flush=True)
        # A second connection to the same server.
        other = object.__new__(Server)
        other.connection = type(server.connection)("127.0.0.1", server.port, timeout=120)
        end = time.monotonic() + 3
        print(f"posting alone: {spread(posting(other, 'alone', lambda: time.monotonic() > end))}")
        done = threading.Event()
        sums = []

        def ask():
            while not done.is_set():
                sums.extend(timed(server, "/balances/aggregate", 1))

        thread = threading.Thread(target=ask)
        thread.start()
        end = time.monotonic() + 3
        print(f"posting while sums are made: {spread(posting(other, 'beside', lambda: time.monotonic() > end))}")
        done.set()
        thread.join()
        print(f"sums meanwhile: {spread(sums)}")
    finally:
        server.stop()


if __name__ == "__main__":
    main()
