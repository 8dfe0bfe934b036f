#!/usr/bin/env python3
"""Measures what the chain and the Merkle log cost in bulk: throughput, and CPU of the server for a transaction.

    FLORIN=target/release/florin BASE=other/florin bench/proofs.py [transactions] [rounds]

Loads fresh servers in turns, BASE first in every other round, and tells the medians. BASE is a binary without both, which
bench/unproven.patch makes:

    git apply bench/unproven.patch && cargo build --release && cp target/release/florin other/florin && git apply -R bench/unproven.patch

Without BASE, only what the `merkle` thread of FLORIN takes is told. Nothing else should run on the machine.
"""
import os, statistics, subprocess, sys, time

import transactions


def cpu(pid):
    used = {}
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/stat") as file:
            text = file.read()
        name, fields = text[text.index("(") + 1:text.rindex(")")], text.rsplit(")", 1)[1].split()
        used[name] = used.get(name, 0) + (int(fields[11]) + int(fields[12])) / transactions.TICKS
    return used


def measure(binary, count):
    """Transactions a second, microseconds of CPU for each, and those of the Merkle log."""
    transactions.FLORIN = binary
    server = transactions.Server("proofs")
    before = cpu(server.process.pid)
    told = subprocess.run([binary, "bench", "--url", f"http://127.0.0.1:{server.port}", "--bulk", "1000", "--connections", "16", "--balances",
                           "20000", "--count", str(count), "--warmup", "0s"], capture_output=True, text=True, check=True)
    time.sleep(1)
    after = cpu(server.process.pid)
    server.process.kill()
    server.process.wait()
    used = {name: (after[name] - before.get(name, 0)) / count * 1e6 for name in after}
    line = next(line for line in told.stdout.splitlines() if "throughput" in line)
    rate = int("".join(digit for digit in line.split("tx/s")[0] if digit.isdigit()))
    return rate, sum(used.values()), used.get("merkle", 0)


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 3_000_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 12
    binaries = [binary for binary in (os.environ.get("BASE"), transactions.FLORIN) if binary]
    results = {binary: [] for binary in binaries}
    for at in range(rounds):
        for binary in binaries[::-1] if at % 2 else binaries:
            results[binary].append(measure(binary, count))
            rate, used, merkle = results[binary][-1]
            print(f"{binary}: {rate} tx/s, {used:.2f} us CPU a transaction, {merkle:.3f} of it for the Merkle log", flush=True)
    for binary, measured in results.items():
        rate, used, merkle = (statistics.median(figures) for figures in zip(*measured))
        print(f"median of {binary}: {rate:.0f} tx/s, {used:.2f} us CPU, {merkle:.3f} for the Merkle log")
    if len(binaries) == 2:
        rates, used = ([with_both[at] / without[at] for without, with_both in zip(*results.values())] for at in (0, 1))
        print(f"chain and Merkle log: {1 - statistics.median(rates):.1%} of the throughput, {statistics.median(used) - 1:.1%} more CPU "
              "(medians of the rounds)")


if __name__ == "__main__":
    main()
