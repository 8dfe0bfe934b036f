#!/usr/bin/env python3
"""Measures what the Merkle log costs in bulk: CPU of the server for a transaction, by thread; `merkle` is the log.

    FLORIN=target/release/florin BASE=other/florin bench/proofs.py [count]

Loads fresh servers in turns, FLORIN and, if it is given, BASE, a binary without the log. Nothing else should run on the machine.
"""
import os, subprocess, sys, time

import transactions


def cpu(pid):
    used = {}
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/stat") as file:
            text = file.read()
        name, fields = text[text.index("(") + 1:text.rindex(")")], text.rsplit(")", 1)[1].split()
        used[name] = used.get(name, 0) + (int(fields[11]) + int(fields[12])) / transactions.TICKS
    return used


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 4_000_000
    for binary in [os.environ.get("BASE"), transactions.FLORIN] * 3:
        if not binary:
            continue
        transactions.FLORIN = binary
        server = transactions.Server("proofs")
        before = cpu(server.process.pid)
        told = subprocess.run([binary, "bench", "--url", f"http://127.0.0.1:{server.port}", "--bulk", "1000", "--connections", "16", "--balances",
                               "100000", "--count", str(count), "--warmup", "0s"], capture_output=True, text=True, check=True)
        time.sleep(1)
        after = cpu(server.process.pid)
        used = {name: round((after[name] - before.get(name, 0)) / count * 1e6, 3) for name in after}
        line = next(line.strip() for line in told.stdout.splitlines() if "throughput" in line)
        print(f"{binary}: {line}, {sum(used.values()):.2f} us CPU a transaction: {used}", flush=True)
        server.process.kill()
        server.process.wait()


if __name__ == "__main__":
    main()
