#!/usr/bin/env python3
"""Measures what florin bench does not load: legs of splits against single postings, scheduled transactions, dry runs.

    bench/transactions.py legs        server CPU a leg: bulk of 1 000 postings, against splits of 10 legs, 100 in a batch
    bench/transactions.py scheduled   1 000 000 waiting transactions: memory of the server, and how late each one starts
    bench/transactions.py dry-run     latency of POST /transactions with dry_run

Each starts a server of its own on a fresh folder below bench/data. FLORIN may name the binary (target/release/florin). The
client is Python and on the same machine, so throughput is not told: CPU of the server, its memory, and the times that the
journal has are. Nothing else should run on the machine.
"""
import argparse, http.client, json, os, random, shutil, subprocess, sys, time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests"))
from florin import free_port  # noqa: E402

FLORIN = os.environ.get("FLORIN", os.path.join(ROOT, "target", "release", "florin"))
TICKS = os.sysconf("SC_CLK_TCK")


class Server:
    """A server on a fresh folder, and one connection to it."""

    def __init__(self, name):
        self.folder = os.path.join(ROOT, "bench", "data", name)
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        self.port = free_port()
        self.process = subprocess.Popen([FLORIN, "serve", "--data", self.folder, "--listen", f"127.0.0.1:{self.port}"],
                                        env={**os.environ, "FLORIN_LOG_REQUESTS": "false"}, stderr=subprocess.DEVNULL)
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        for _ in range(500):
            try:
                self.get("/health")
                return
            except OSError:
                self.connection.close()
                time.sleep(0.02)
        raise SystemExit("the server does not answer")

    def send(self, body, path="/transactions/bulk"):
        self.connection.request("POST", path, body=body, headers={"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status not in (200, 201):
            raise SystemExit(f"{path}: {answer.status} {text[:300]}")
        return text

    def get(self, path):
        self.connection.request("GET", path)
        return json.loads(self.connection.getresponse().read())

    def balances(self, count):
        body = json.dumps({"ledger_id": "general_ledger_id", "currency": "USD"})
        return [json.loads(self.send(body, "/balances"))["balance_id"] for _ in range(count)]

    def cpu_seconds(self):
        fields = open(f"/proc/{self.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident_bytes(self):
        line = next(line for line in open(f"/proc/{self.process.pid}/status") if line.startswith("VmRSS"))
        return int(line.split()[1]) * 1024

    def stop(self):
        self.process.terminate()
        self.process.wait(60)


def posting(reference, source, destination, **fields):
    return {"precise_amount": 10, "precision": 100, "currency": "USD", "reference": reference, "description": "bench", "source": source,
            "destination": destination, "allow_overdraft": True, **fields}


def legs(options):
    """Shapes take turns, several rounds of each, so that a noisy moment falls on all of them."""
    server = Server("legs")
    balances = server.balances(1000)
    pick = random.Random(options.seed).choice
    numbers = iter(range(1 << 40))

    def plain(count):
        return [posting(f"p{next(numbers)}", pick(balances), pick(balances[:500])) for _ in range(count)]

    def splits(count):
        made = []
        for _ in range(count // 10):
            parts = [{"identifier": one, "precise_distribution": "1"} for one in random.sample(balances, 10)]
            whole = posting(f"s{next(numbers)}", "@World", None, destinations=parts)
            del whole["destination"]
            made.append(whole)
        return made

    def clean(items):
        return [item for item in items if item.get("source") != item.get("destination")]

    shapes = {
        "batch of 1 000": lambda: {"transactions": clean(plain(1000)), "skip_queue": True},
        "atomic batch of 1 000": lambda: {"transactions": clean(plain(1000)), "skip_queue": True, "atomic": True},
        "100 splits of 10 legs": lambda: {"transactions": splits(1000), "skip_queue": True},
        "queued batch of 1 000": lambda: {"transactions": clean(plain(1000))},
    }
    totals = {name: [0.0, 0] for name in shapes}
    for _ in range(options.rounds):
        for name, make in shapes.items():
            requests = [make() for _ in range(options.requests)]
            postings = sum(len(item.get("destinations", [1])) for request in requests for item in request["transactions"])
            bodies = [json.dumps(request) for request in requests]
            before = server.cpu_seconds()
            for body in bodies:
                server.send(body)
            time.sleep(0.3)
            totals[name][0] += server.cpu_seconds() - before
            totals[name][1] += postings
    server.stop()
    base = totals["batch of 1 000"][0] / totals["batch of 1 000"][1]
    for name, (seconds, postings) in totals.items():
        each = seconds / postings
        print(f"{name:24} {postings:9} postings  {each * 1e6:6.2f} µs of CPU a posting  {each / base:5.2f} of a posting in a batch")


def scheduled(options):
    """All wait, then start over a stretch of time at an even rate. How late each was is read from the journal afterwards."""
    server = Server("scheduled")
    balances = server.balances(1000)
    pick = random.Random(options.seed).choice
    empty = server.resident_bytes()
    begin = time.time() + options.lead
    began = time.time()
    for first in range(0, options.count, 1000):
        items = []
        for number in range(first, min(first + 1000, options.count)):
            at = begin + number / options.count * options.stretch
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1e6):06}Z"
            items.append(posting(f"w{number}", "@World", pick(balances), scheduled_for=stamp))
        server.send(json.dumps({"transactions": items}))
    if time.time() > begin:
        raise SystemExit(f"--lead {options.lead} s is too short: scheduling took {time.time() - began:.0f} s")
    time.sleep(2)
    waiting = server.resident_bytes()
    print(f"{options.count} scheduled in {time.time() - began:.0f} s: {(waiting - empty) >> 20} MiB more resident, {waiting >> 20} MiB in all")
    time.sleep(max(0, begin + options.stretch - time.time()) + options.slack)
    cpu = server.cpu_seconds()
    server.stop()
    late = []
    inspect = subprocess.Popen([FLORIN, "inspect", "--data", server.folder, "--json", "--from", str(options.count // 1000 + 1000)],
                               stdout=subprocess.PIPE, text=True)
    for line in inspect.stdout:
        record = json.loads(line)
        for movement in record.get("movements", []):
            if movement["kind"] == "execution":
                late.append(seconds_of(record["time"]) - seconds_of(movement["scheduled_at"]))
    late.sort()
    if not late:
        raise SystemExit("nothing ran")
    shown = {name: late[min(len(late) - 1, int(len(late) * share))] * 1e3 for name, share in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)]}
    print(f"{len(late)} ran at {options.count / options.stretch:.0f}/s; late by (ms): " + ", ".join(f"{name} {ms:.2f}" for name, ms in shown.items())
          + f", max {late[-1] * 1e3:.2f}; within 100 ms: {sum(one <= 0.1 for one in late) / len(late):.4%}; CPU of all {cpu:.1f} s")


def seconds_of(text):
    whole, fraction = text.rstrip("Z").split(".")
    import calendar
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + int(fraction) / 1e6


def dry_run(options):
    server = Server("dry-run")
    source, destination = server.balances(2)
    server.send(json.dumps(posting("fund", "@World", source, precise_amount=10**9, skip_queue=True)), "/transactions")
    body = json.dumps(posting("try", source, destination, dry_run=True, skip_queue=True))
    took = []
    for _ in range(options.count):
        before = time.perf_counter()
        server.send(body, "/transactions")
        took.append(time.perf_counter() - before)
    server.stop()
    took.sort()
    print(f"{len(took)} dry runs, one after the other: p50 {took[len(took) // 2] * 1e3:.3f} ms, p99 {took[len(took) * 99 // 100] * 1e3:.3f} ms, "
          f"max {took[-1] * 1e3:.3f} ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("legs")
    one.add_argument("--rounds", type=int, default=5)
    one.add_argument("--requests", type=int, default=40, help="requests of a shape in a round")
    one.set_defaults(run=legs)
    one = commands.add_parser("scheduled")
    one.add_argument("--count", type=int, default=1_000_000)
    one.add_argument("--lead", type=float, default=60, help="seconds until the first is due")
    one.add_argument("--stretch", type=float, default=60, help="seconds over which they are due")
    one.add_argument("--slack", type=float, default=5, help="seconds to wait behind the last")
    one.set_defaults(run=scheduled)
    one = commands.add_parser("dry-run")
    one.add_argument("--count", type=int, default=5000)
    one.set_defaults(run=dry_run)
    for command in commands.choices.values():
        command.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
