"""What both ways of working share: the connection, new rows in the order of the server, one answer against one prediction, timers."""
import datetime, json, time

from books import Books
from florin import BAD_CONNECTION, Answer, Client
from rows import Figures, Outcome, bind, differences, ident, match

LATE = 10  # seconds after its time within which the server must have done what is due


class Wrong(AssertionError):
    """The server did something else than the model."""


class Connection(Client):
    def ask(self, request):
        """Sends a request; keeps when it began and when its answer was there."""
        data = json.dumps(request.body).encode() if request.body is not None else None
        heads = self.heads | ({"Content-Type": "application/json"} if data is not None else {}) | (request.heads or {})
        request.began = time.monotonic()
        try:
            self.connection.request(request.method, request.path, data, heads)
            reply = self.connection.getresponse()
            request.answer = Answer(reply.status, reply.read().decode())
            request.answer.heads = reply.headers
        except BAD_CONNECTION:
            self.connection.close()
            raise
        request.ended = time.monotonic()
        return request.answer


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Rows:
    """The rows that are new since the last look, oldest first."""

    def __init__(self, client):
        self.client = client
        newest = client.get("/transactions?limit=1").body
        self.last = newest[0]["transaction_id"] if newest else None

    def new(self, guess=5):
        """What is recorded between two pages moves the others down, so that the next page tells some again."""
        rows, told, offset, size = [], set(), 0, min(guess + 2, 1000)
        while True:
            answer = self.client.get(f"/transactions?limit={size}&offset={offset}")
            assert answer.status == 200, answer
            for row in answer.body:
                if row["transaction_id"] == self.last:
                    break
                if row["transaction_id"] not in told:
                    told.add(row["transaction_id"])
                    rows.append(row)
            else:
                if answer.body:
                    offset, size = offset + len(answer.body), 1000
                    continue
            break
        if rows:
            self.last = rows[0]["transaction_id"]
        rows.reverse()
        return rows


def answered(outcome, answer, bound):
    """What is wrong with an answer."""
    if (answer.status, answer.code) != (outcome.status, outcome.code):
        return [f"answered {answer.status} {answer.code}"]
    heads = [f"no head {name}: {value}" for name, value in outcome.heads.items() if answer.heads.get(name) != value]
    if getattr(answer, "heads", {}).get("Idempotent-Replayed") and not outcome.heads:
        heads.append("answered as an earlier request, and there was none")
    return heads + differences(outcome.fields, answer.body, bound)


def fits(request, outcome, rows):
    """(what is wrong, ids) of a request of which these rows are left."""
    bound = {}
    wrong = answered(outcome, request.answer, bound)
    return wrong + match(outcome.rows, rows, bound), bound


class Part:
    """The entry of one item of a bulk commit or void, read as an answer."""

    def __init__(self, body):
        self.status, self.code, self.body = 200, None, body

    def __repr__(self):
        return str(self.body)


class Observed:
    """The model and the invariants of one world, fed with rows of the server in their order."""

    def __init__(self, client, world, ledger, rows):
        self.client, self.world, self.ledger, self.rows, self.books = client, world, ledger, rows, Books()
        self.others = {balance["balance_id"] for balance in client.pages("/balances")} - set(world.everyone)
        for currency, accounts in world.accounts.items():
            for account in accounts:
                self.books.balances[account] = Figures(currency)

    def take(self, outcome, listed, bound):
        bind(outcome.rows, listed, bound)
        self.books.apply(outcome)
        for row in listed:
            self.ledger.row(row)

    def legs(self, request, outcome):
        """Section 13, 8, of what was answered to a split."""
        asked = request.body or {}
        if request.rule == "post" and outcome.status == 201 and ("sources" in asked or "destinations" in asked) and outcome.rows:
            first = [row.amount for row in outcome.rows if row.request is None]
            self.ledger.split(request.answer["precise_amount"], first)

    # -- what the server does by itself ------------------------------------------------------------------------------------
    def due(self, ahead=0.0):
        now = time.time() + ahead
        return [timer for timer in self.books.timers if not timer.done and seconds(timer.due) <= now]

    def timer_at(self, listed):
        """Takes the rows at the beginning of the list that a timer made; returns how many."""
        for timer in self.due():
            made = self.books.run(timer)
            if not made or len(listed) < len(made) or listed[0]["parent_transaction"] not in {ident(row.parent) for row in made}:
                continue
            bound = {}
            wrong = match(made, listed[: len(made)], bound)
            if wrong:
                raise Wrong(f"{timer.kind} at {timer.due}: " + "; ".join(wrong))
            self.take(Outcome(200, rows=made, ends=[timer]), listed[: len(made)], bound)
            return len(made)
        return 0

    def forget_idle(self):
        """Timers that have nothing to do any more, and those that are done."""
        self.books.timers = [timer for timer in self.books.timers
                             if not timer.done and (timer.kind == "request" or not all(hold.ended for hold in timer.rows))]

    def wait_for_timers(self, ahead):
        """Until all that is due, or will be in a moment, was done."""
        self.forget_idle()
        if not self.due(ahead):
            return
        until = max(seconds(timer.due) for timer in self.due(ahead))
        while time.time() <= until:
            time.sleep(0.02)
        limit = time.time() + LATE
        while self.due():
            listed = self.rows.new()
            while listed:
                taken = self.timer_at(listed)
                if not taken:
                    raise Wrong(f"a row that nothing explains while waiting: {listed[0]}")
                listed = listed[taken:]
            self.forget_idle()
            if self.due() and time.time() > limit:
                raise Wrong(f"not done {LATE} s after its time: {self.due()[0].kind} of {self.due()[0].rows}")

    # -- figures -----------------------------------------------------------------------------------------------------------
    def compare_balances(self):
        """All of them, every time: a balance that nobody should have made is seen as well."""
        size = len(self.books.balances) + 3
        listed = self.client.get(f"/balances?limit={size}").body
        if len(listed) == size and not any(balance["balance_id"] in self.others for balance in listed):
            listed = self.client.pages("/balances")
        listed = [balance for balance in listed if balance["balance_id"] not in self.others]
        surplus = {balance["balance_id"] for balance in listed} ^ set(self.books.balances)
        if surplus:
            raise Wrong(f"balances on one side only: {surplus}")
        for balance in listed:
            wrong = differences(self.books.balances[balance["balance_id"]].shown(), balance, {})
            if wrong:
                raise Wrong(f"balance {balance['balance_id']}: " + "; ".join(wrong))
        self.world.available = {balance["balance_id"]: balance["balance"] - balance["inflight_debit_balance"] for balance in listed}
        self.ledger.balances(listed)
