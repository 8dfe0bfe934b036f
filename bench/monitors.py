#!/usr/bin/env python3
"""Measures what balance monitors cost the writer: the same bulk workload with and without them, in turns.

    bench/monitors.py [--balances 100000] [--monitors 100000] [--firing 1] [--rounds 8] [--requests 150]

Starts two servers on fresh folders below bench/data, both with the same balances, one of them with a monitor on each of so many
balances, of which so many in a hundred fire with every change. Then rounds of bulk requests of 1 000 postings go to one and to
the other in turns, so that a noisy moment falls on both. Told are the throughput of each round and the median of each server, the
CPU of the writer's thread and of the monitors' thread for a posting, and how long after the last answer everything was evaluated.
FLORIN may name the binary (target/release/florin). Client and servers share the machine; nothing else should run on it.
"""
import argparse, http.client, json, os, random, statistics, threading, time

from transactions import Server, TICKS

BULK = 1000


def in_threads(count, work):
    """Has `work` called with the number of each thread; an exception in one of them ends the program."""
    failed = []

    def run(number):
        try:
            work(number)
        except BaseException as error:  # noqa: B902
            failed.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise SystemExit(f"a request failed: {failed[0]!r}")


def post(connection, path, body):
    connection.request("POST", path, body=body, headers={"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    if answer.status not in (200, 201):
        raise RuntimeError(f"{path}: {answer.status} {text[:300]}")
    return text


def open_balances(server, count):
    """Balances with money; they are opened by postings, which is quicker than one by one."""
    for first in range(0, count, BULK):
        items = [{"precise_amount": 1_000_000, "precision": 100, "currency": "USD", "reference": f"open-{number}", "description": "bench",
                  "source": "@World", "destination": f"@b{number}", "allow_overdraft": True}
                 for number in range(first, min(first + BULK, count))]
        server.send(json.dumps({"atomic": True, "skip_queue": True, "transactions": items}))
    found = []
    while page := server.get(f"/balances?limit=100&offset={len(found)}"):
        found += page
    # A list has pages: with fewer balances the monitors would crowd on them.
    assert len(found) == count + 1, f"{len(found)} balances"
    return [one["balance_id"] for one in found if one["indicator"] != "@World"]


def make_monitors(server, balances, count, firing):
    def work(number):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
        for index in range(number, count, 16):
            fires = index % 100 < firing
            condition = {"field": "balance", "operator": ">" if fires else "<", "value": -10**12, "precision": 100}
            post(connection, "/balance-monitors", json.dumps({"balance_id": balances[index % len(balances)], "condition": condition}))

    in_threads(16, work)


def bodies(balances, count, tag, pick):
    made = []
    for request in range(count):
        items = []
        for number in range(BULK):
            source, destination = pick.sample(balances, 2)
            items.append({"precise_amount": 1 + pick.randrange(99), "precision": 100, "currency": "USD", "reference": f"{tag}-{request}-{number}",
                          "description": "bench", "source": source, "destination": destination})
        made.append(json.dumps({"atomic": True, "skip_queue": True, "transactions": items}).encode())
    return made


def cpu_of_threads(server):
    """Seconds of CPU of each of the server's threads, by name."""
    seconds = {}
    folder = f"/proc/{server.process.pid}/task"
    for task in os.listdir(folder):
        text = open(f"{folder}/{task}/stat").read()
        name, fields = text[text.index("(") + 1:text.rindex(")")], text.rsplit(")", 1)[1].split()
        seconds[name] = seconds.get(name, 0) + (int(fields[11]) + int(fields[12])) / TICKS
    return seconds


def load(server, made, connections):
    """Sends bodies over some connections; the seconds that it took, and the CPU that the threads used."""
    waiting = iter(made)
    lock = threading.Lock()

    def work(_):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
        while True:
            with lock:
                body = next(waiting, None)
            if body is None:
                return
            post(connection, "/transactions/bulk", body)

    before, started = cpu_of_threads(server), time.monotonic()
    in_threads(connections, work)
    took = time.monotonic() - started
    after = cpu_of_threads(server)
    return took, {name: after[name] - before.get(name, 0) for name in after}


def evaluated(server):
    """How long it takes from now until nothing more is to be evaluated: the follower uses no CPU any more."""
    started = last = time.monotonic()
    used = cpu_of_threads(server).get("monitors", 0)
    while time.monotonic() - last < 0.25:
        time.sleep(0.02)
        now = cpu_of_threads(server).get("monitors", 0)
        if now != used:
            used, last = now, time.monotonic()
    return last - started


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--balances", type=int, default=100_000)
    parser.add_argument("--monitors", type=int, default=100_000)
    parser.add_argument("--firing", type=int, default=1, help="how many monitors in a hundred fire with every change")
    parser.add_argument("--rounds", type=int, default=8, help="rounds of each server, behind one that does not count")
    parser.add_argument("--requests", type=int, default=150, help="bulk requests of 1 000 in a round")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    servers = {"without": Server("without-monitors"), "with": Server("with-monitors")}
    try:
        balances = {name: open_balances(server, options.balances) for name, server in servers.items()}
        started = time.monotonic()
        make_monitors(servers["with"], balances["with"], options.monitors, options.firing)
        print(f"{options.monitors} monitors over {options.balances} balances made in {time.monotonic() - started:.1f} s")
        print(f"load average before: {os.getloadavg()[0]:.1f} (what else runs on the machine is in the figures)")
        pick = random.Random(options.seed)
        rates, writer = {"without": [], "with": []}, {"without": 0.0, "with": 0.0}
        follower, behind = 0.0, 0.0
        for number in range(options.rounds + 1):
            # Who goes first changes, as the second of a pair may find the machine warmer.
            for name in ("without", "with") if number % 2 else ("with", "without"):
                server = servers[name]
                made = bodies(balances[name], options.requests, f"{options.seed}-{number}", pick)
                took, used = load(server, made, options.connections)
                late = evaluated(server)
                if number == 0:
                    continue
                rates[name].append(options.requests * BULK / took)
                writer[name] += used["writer"]
                if name == "with":
                    follower, behind = cpu_of_threads(server)["monitors"], max(behind, late)
                print(f"round {number} {name:8} {rates[name][-1]:10,.0f} tx/s", flush=True)
        count = options.rounds * options.requests * BULK
        medians = {name: statistics.median(values) for name, values in rates.items()}
        for name in rates:
            spread = f"{min(rates[name]):,.0f} to {max(rates[name]):,.0f}"
            print(f"{name:8} median {medians[name]:,.0f} tx/s ({spread}); writer {writer[name] / count * 1e6:.2f} µs CPU a posting")
        print(f"with / without: throughput {medians['with'] / medians['without']:.3f}, writer CPU {writer['with'] / writer['without']:.3f}")
        print(f"monitors' thread: {follower:.2f} s CPU in all; at most {behind:.2f} s behind the last answer of a round")
    finally:
        for server in servers.values():
            server.stop()


if __name__ == "__main__":
    main()
