"""One client, one request after another: everything is predicted, everything is compared after each step."""
from observed import Observed, Part, Wrong, fits

GUARD = 0.25  # seconds: nothing is asked while something is about to happen by itself


class Exact(Observed):
    def step(self, request):
        self.wait_for_timers(GUARD)
        if request.rule == "post":
            self.world.sent.append(request.body)
        answer = self.client.ask(request)
        guess = sum(4 for _ in request.items) + len((request.body or {}).get("transactions", ())) * 4 + 4
        listed = self.rows.new(guess)
        if request.items:
            listed = self.many(request, listed)
        else:
            listed = self.one(request, listed)
        while listed:
            taken = self.timer_at(listed)
            if not taken:
                raise Wrong(f"rows that nothing explains: {listed}")
            listed = listed[taken:]
        self.compare_balances()
        self.world.learn(request, answer)

    def one(self, request, listed):
        """The rows behind those of the request."""
        while True:
            outcome = self.books.predict(request)
            count = len(outcome.rows)
            wrong, bound = fits(request, outcome, listed[:count])
            if not wrong:
                self.legs(request, outcome)
                self.take(outcome, listed[:count], bound)
                return listed[count:]
            taken = self.timer_at(listed) if listed else 0
            if not taken:
                raise Wrong("; ".join(wrong[:6]) + f"\n  predicted {outcome!r}\n  answered {request.answer!r}")
            listed = listed[taken:]

    def many(self, request, listed):
        answer, results = request.answer, (request.answer.body or {}).get("results") or []
        if answer.status != 200 or len(results) != len(request.items):
            raise Wrong(f"{answer!r}")
        for item, result in zip(request.items, results):
            outcome, bound = self.books.predict(item), {}
            item.answer = Part(result)
            wrong, bound = fits(item, outcome, listed[: len(outcome.rows)])
            if wrong:
                raise Wrong(f"{item!r}: predicted {outcome!r}, result {result}: " + "; ".join(wrong))
            self.take(outcome, listed[: len(outcome.rows)], bound)
            listed = listed[len(outcome.rows) :]
        good = sum(result["status"] != "failed" for result in results)
        if (answer["succeeded"], answer["failed"]) != (good, len(results) - good):
            raise Wrong(f"counts: {answer!r}")
        return listed
