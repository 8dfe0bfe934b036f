#!/usr/bin/env python3
"""A long run at half of the top rate: memory, open files and p99, minute by minute.

    bench/soak.py [--minutes 60] [--connections 64] [--bulk 0] [--rate N]

Starts a server on a fresh folder, finds the top rate with `florin bench` (ten seconds, closed loop) unless `--rate` says what to load, and then
sends half of it, open loop, for so many minutes. Each minute tells the throughput, p50, p99 and the longest answer, memory that is the
server's own (without mapped files), all that is resident, open files and threads. FLORIN_BIN may name the binary. The run fails when a request
failed, or when own memory, less what transactions are known to cost, or open files, less segments that were read, keep growing past the
first fifth of the run.
The last line says 'N passed, N failed'.
"""
import argparse, json, os, resource, subprocess, sys, tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests"))
from florin import Count, Server, binary
from load import files, memory

# What memory may grow by for each transaction: a fingerprint of its reference in the filter, with room to grow (see ARCHITECTURE.md,
# "Memory and disk"), and for each balance that a minute of the bench makes.
TRANSACTION_BYTES, BALANCE_BYTES = 16, 512
BALANCES = 1000
SPARE_BYTES = 64 << 20
# Segments of the journal that stay open once something was read from them: `FILES_COUNT_MAX` in journal/src/reader.rs, and those being written.
SEGMENTS_MAX = 256 + 8
# Open files by which a minute may differ from another: runs of indexes between two merges, connections that are not closed yet.
FILES_SPARE = 64


def segments(pid):
    """How many segments of the journal are open."""
    return sum(os.path.basename(os.path.realpath(file.path)).endswith(".seg") for file in os.scandir(f"/proc/{pid}/fd"))


def bench(server, options, *more):
    with tempfile.NamedTemporaryFile(suffix=".json") as told:
        command = [*binary(), "bench", "--url", server.url, "--connections", str(options.connections), "--bulk", str(options.bulk),
                   "--balances", str(BALANCES), "--json", told.name, *more]
        ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        text = told.read()
    if not text:
        raise RuntimeError(f"florin bench ended with status {ended.returncode}\n{ended.stdout}")
    return json.loads(text)["outcome"]


def minute(server, options, number, rate, seed):
    outcome = bench(server, options, "--rate", str(rate), "--duration", "58s", "--warmup", "2s", "--seed", str(seed))
    pid = server.process.pid
    own, resident = memory(pid)
    latency = outcome["latency"]
    read = segments(pid)
    others = files(pid) - read
    failed = sum(failure["requests"] for failure in outcome["failures"]) + outcome["requests_never_sent"]
    threads = len(os.listdir(f"/proc/{pid}/task"))
    print(f"{number:4} min {outcome['transactions_per_second']:9.0f}/s  p50 {latency['p50_microseconds'] / 1000:7.2f}  "
          f"p99 {latency['p99_microseconds'] / 1000:7.2f}  max {latency['max_microseconds'] / 1000:8.2f} ms  own {own >> 20:5} MB  "
          f"resident {resident >> 20:6} MB  segments {read:3}  files {others:4}  threads {threads:3}  failed {failed}", flush=True)
    return {"own": own, "segments": read, "files": others, "done": outcome["transactions"], "failed": failed}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--bulk", type=int, default=0)
    parser.add_argument("--rate", type=int)
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = Count()
    with Server() as server:
        rate = options.rate or int(bench(server, options, "--duration", "10s")["transactions_per_second"] / 2)
        print(f"{rate} transactions/s, {options.minutes} minutes", flush=True)
        minutes = [minute(server, options, number + 1, rate, number + 2) for number in range(options.minutes)]
        settled = minutes[len(minutes) // 5]
        last = minutes[-1]
        done = sum(each["done"] for each in minutes[len(minutes) // 5 + 1:])
        with count.case("no request failed"):
            assert not sum(each["failed"] for each in minutes)
        with count.case("memory is flat, but for what transactions and balances cost"):
            allowed = settled["own"] + done * TRANSACTION_BYTES + len(minutes) * BALANCES * BALANCE_BYTES + SPARE_BYTES
            assert last["own"] <= allowed, f"{last['own'] >> 20} MB, {allowed >> 20} allowed"
        with count.case("open files are flat, but for segments that were read"):
            assert last["files"] <= settled["files"] + FILES_SPARE, (settled["files"], last["files"])
            assert last["segments"] <= SEGMENTS_MAX, last["segments"]
        with count.case("the server still runs"):
            assert server.alive()
    return count.closing()


if __name__ == "__main__":
    sys.exit(main())
