"""Many clients on shared balances at the same moment. The order is the server's: it is taken from its rows afterwards, at a barrier every
few hundred requests, and played through the model.

Rows of one request stand together. They are given to the request that was answered with their ids or that asked for their references; what
is left (commits and voids through the queue, which answer no row) to a request that the model says makes exactly these rows now. Every other
request, refused or only read, must be explained by some state between its beginning and its end: that of the model before or after some row.
So each answer is one that a single client could have been given, in an order that respects who was answered before whom asked.
"""
import collections, random, threading, time

import asks
from observed import Observed, Part, Wrong, answered, fits, seconds
from rows import ident

NEVER = float("inf")


class Play:
    """A request on its way through the replay. `fit`: some state explains its answer, as far as seen."""
    __slots__ = ("request", "item", "began", "ended", "answer", "fit", "closed", "last")

    def __init__(self, request, item, answer):
        self.request, self.item, self.answer = request, item, answer
        self.began, self.ended, self.fit, self.closed, self.last = request.began, request.ended, False, False, None

    def __repr__(self):
        return f"{self.item!r} answered {self.answer!r}; last predicted {self.last!r}"


class Crowd(Observed):
    def __init__(self, client, world, ledger, rows, clients, seed):
        super().__init__(client, world, ledger, rows)
        self.clients = clients
        self.randoms = [random.Random(f"{seed}/{number}") for number in range(len(clients))]

    # -- asking ------------------------------------------------------------------------------------------------------------
    def round(self, count):
        """Lets every client ask `count` times, then plays what happened through the model."""
        done, errors = [[] for _ in self.clients], []

        def client(number):
            try:
                for _ in range(count):
                    request = asks.choose(self.world, self.randoms[number])
                    if request.rule in ("post", "keyed") and "reference" in request.body:
                        self.world.sent.append(request.body)  # before it is sent: others take it up while it is on its way
                    answer = self.clients[number].ask(request)
                    done[number].append(request)
                    self.world.learn(request, answer)
            except Exception as error:
                errors.append(error)

        threads = [threading.Thread(target=client, args=(number,)) for number in range(len(self.clients))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]
        requests = [request for each in done for request in each]
        self.replay(requests)
        return requests

    # -- the order ---------------------------------------------------------------------------------------------------------
    def replay(self, requests):
        plays = [play for request in requests for play in self.plays(request)]
        self.owners(plays)
        self.open, self.latest = set(plays), -NEVER
        listed = self.rows.new(len(requests) * 2)
        at = 0
        while at < len(listed):
            at += self.next(listed, at)
        self.explain(None)
        unexplained = [play for play in self.open if not play.fit]
        if unexplained:
            raise Wrong(f"{len(unexplained)} answers that no order explains, one of them: {unexplained[0]!r}")
        self.wait_for_timers(1)
        self.compare_balances()

    def plays(self, request):
        if not request.items:
            return [Play(request, request, request.answer)]
        results = (request.answer.body or {}).get("results") or []
        if request.answer.status != 200 or len(results) != len(request.items):
            raise Wrong(f"{request!r} answered {request.answer!r}")
        for item, result in zip(request.items, results):
            item.answer = Part(result)
        return [Play(request, item, item.answer) for item in request.items]

    def owners(self, plays):
        """Who can have made a row, by ids in answers and by references asked for; and who asked to settle what."""
        self.by_id, self.by_reference, self.settling = (collections.defaultdict(list) for _ in range(3))
        for play in sorted(plays, key=lambda play: play.began):
            item, answer = play.item, play.answer
            if item.rule in ("settle", "settle_item"):
                if answer.status == 200 and (item.rule == "settle" or answer.body["status"] != "failed"):
                    self.settling[item.target].append(play)
            elif item.rule == "bulk":
                for one in item.body["transactions"]:
                    self.by_reference[one.get("reference")].append(play)
            elif getattr(answer, "heads", {}).get("Idempotent-Replayed"):
                pass  # another made the rows
            elif answer.status < 300 and item.rule in ("post", "keyed", "refund", "change_hold"):
                self.by_id[answer.body["transaction_id"]].append(play)
            elif answer.status < 300 and item.rule == "cancel":
                for row in answer.body["transactions"]:
                    self.by_id[row["transaction_id"]].append(play)

    def candidates(self, row):
        yield from self.by_id.get(row["transaction_id"], ())
        yield from self.by_id.get(row["parent_transaction"], ())
        for reference in {row["reference"], *(row["reference"].rpartition(mark)[0] for mark in "-_")}:
            yield from self.by_reference.get(reference, ())
        hold = self.books.rows.get(row["parent_transaction"])
        if hold is not None and hold.status == "INFLIGHT":
            names = [hold.id, *(ident(whole) for whole in hold.wholes)] + ([hold.request.id] if hold.request else [])
            settlers = [play for name in names for play in self.settling.get(name, ())]
            yield from sorted(settlers, key=lambda play: play.ended)

    def next(self, listed, at):
        """Finds who made the row and takes all rows of that request; returns how many."""
        row, reasons = listed[at], []
        for play in self.candidates(row):
            if play not in self.open:
                continue
            outcome = self.books.predict(play.item)
            rows = listed[at : at + len(outcome.rows)]
            if not rows:
                reasons.append(f"{play.item!r} would make no rows: {outcome!r}")
                continue
            wrong, bound = fits(play.item, outcome, rows)
            if not wrong:
                self.place(play)
                self.legs(play.item, outcome)
                self.take(outcome, rows, bound)
                return len(rows)
            reasons.append(f"{play.item!r} answered {play.answer!r} predicted {outcome!r}: " + "; ".join(wrong[:4]))
        self.explain(None)
        taken = self.timer_at(listed[at : at + 50])
        if not taken:
            raise Wrong(f"a row that nothing explains: {row}\n  " + "\n  ".join(reasons[:4]))
        return taken

    def place(self, play):
        """The next in the order is known. Whoever was answered before it was asked must stand before it."""
        if play.ended < self.latest:
            raise Wrong(f"{play!r} stands behind a request that began after its answer")
        self.latest = max(self.latest, play.began)
        self.open.remove(play)
        self.explain(play)

    @staticmethod
    def move(outcome):
        """What was given another time leaves no row that would say since when, so from now on it may run at the earlier of the two. It must
        run soon after: all other times are in a moment, and only requests that are far off are given none of these."""
        for timer, due in outcome.moves:
            timer.due = min(timer.due, due, key=seconds)

    def explain(self, coming):
        """Tries the answers that made no rows against the state before the coming one; at the end against the last state."""
        for play in list(self.open):
            if coming is not None and coming.ended < play.began:
                play.fit = False  # the coming one was answered before this was asked: no state until now can be the one
                continue
            if not play.fit:
                outcome = self.books.predict(play.item)
                play.last = outcome
                play.fit = not outcome.rows and not answered(outcome, play.answer, {})
                if play.fit:
                    self.move(outcome)
            if play.fit and coming is not None and coming.began > play.ended:
                self.open.remove(play)  # all others began after its end as well, or they would be out of order
            elif coming is not None and coming.began > play.ended:
                raise Wrong(f"no order explains {play!r}")
