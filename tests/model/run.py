#!/usr/bin/env python3
"""Random requests over HTTP against an independent model of the ledger; every invariant of section 13 of the specification after each step.

    tests/model/run.py                              10 000 operations, as in make test
    tests/model/run.py --nightly                    1 000 000 operations
    tests/model/run.py --seed N [--operations N] [--clients 16] [--exact 0.25] [--url URL]

Two ways of working, on worlds (sets of balances) of their own. `exact.py`: one client; each answer, row and figure is predicted and compared
after every step. `crowd.py`: many clients at once; the order is taken from the server's rows, and every answer must fit it. `books.py` is
the model, `rules.py` what can be said without books, `invariants.py` the sums over what the server shows, `asks.py` the table of operations.

The seed repeats the requests of the exact part, and those of the crowd as far as they do not depend on who came first. A server given by
--url must have nothing else to do. The last line says 'N passed, N failed': each world of each way counts as one.
"""
import argparse, collections, contextlib, os, random, sys, time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import asks
from asks import World
from crowd import Crowd
from exact import Exact
from florin import Count, Server
from invariants import Ledger
from observed import Connection, Rows

WORLD = 20_000  # operations after which a world is left, so that the model need not hold all of them
ROUND = 30  # requests of each client between two barriers


class Run:
    def __init__(self, options, url, key):
        self.options, self.url, self.key, self.tally = options, url, key, collections.Counter()
        self.tag = time.strftime("%H%M%S") if options.url else "m"

    def connect(self):
        return Connection(self.url, self.key)

    def seen(self, requests):
        for request in requests:
            self.tally[(request.name, request.answer.status, request.answer.code or "")] += 1

    def world(self, kind, number):
        client = self.connect()
        return client, World(f"{self.tag}{kind[0]}{number}", client), Ledger(), Rows(client)

    def exact(self, number, operations):
        client, world, ledger, rows = self.world("exact", number)
        choices, exact = random.Random(f"{self.options.seed}/exact/{number}"), Exact(client, world, ledger, rows)
        for request in world.funding():
            exact.step(request)
        for at in range(operations):
            request = asks.choose(world, choices)
            try:
                exact.step(request)
            except AssertionError as error:
                raise AssertionError(f"step {at} of world {world.tag}: {request!r}\n  {error}") from error
            self.seen([request])
        exact.wait_for_timers(1)  # what is left to be done would be seen by the next world
        client.close()

    def crowd(self, number, operations):
        client, world, ledger, rows = self.world("crowd", number)
        clients = [self.connect() for _ in range(self.options.clients)]
        crowd = Crowd(client, world, ledger, rows, clients, f"{self.options.seed}/crowd/{number}")
        for request in world.funding():
            client.ask(request)
            crowd.replay([request])
        done = 0
        while done < operations:
            count = max(1, min(ROUND, (operations - done) // len(clients)))
            try:
                self.seen(crowd.round(count))
            except AssertionError as error:
                raise AssertionError(f"round after {done} operations of world {world.tag}:\n  {error}") from error
            done += count * len(clients)
        for each in (client, *clients):
            each.close()
        return done


def parts(operations):
    """The sizes of the worlds."""
    return [min(WORLD, operations - at) for at in range(0, operations, WORLD)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operations", type=int, default=10_000)
    parser.add_argument("--nightly", action="store_true")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--exact", type=float, default=None, help="the share of operations that one client does, exactly predicted")
    parser.add_argument("--seed", default=str(random.SystemRandom().randrange(10**9)))
    parser.add_argument("--url")
    parser.add_argument("--key", default="")
    parser.add_argument("--verbose", action="store_true", help="how often each outcome came")
    options = parser.parse_args()
    operations = 1_000_000 if options.nightly else options.operations
    alone = int(operations * (options.exact if options.exact is not None else 0.05 if options.nightly else 0.25))
    print(f"{operations} operations, seed {options.seed}", flush=True)
    count, began = Count(), time.monotonic()
    with contextlib.nullcontext() if options.url else Server() as server:
        run = Run(options, options.url or server.url, options.key)
        for kind, total in (("exact", alone), ("crowd", operations - alone)):
            for number, size in enumerate(parts(total)):
                with count.case(f"{kind} world {number}"):
                    getattr(run, kind)(number, size)
            print(f"{kind}: {total} operations after {time.monotonic() - began:.0f} s", flush=True)
        if server:
            with count.case("the server is still there"):
                assert server.alive(), f"it ended with status {server.process.returncode}"
    if options.verbose:
        for outcome, times in sorted(run.tally.items()):
            print(f"{times:8} {' '.join(map(str, outcome))}")
    if count.failed:
        print(f"again: tests/model/run.py --seed {options.seed} --operations {operations} --clients {options.clients}"
              + (f" --exact {options.exact}" if options.exact is not None else ""))
    return count.closing()


if __name__ == "__main__":
    sys.exit(main())
