"""The table of operations: what clients ask for, at random, with mistakes mixed in on purpose.

An entry of OPERATIONS is a weight and a function of a World and a Random that makes a Request. The world knows what clients have learnt
from answers: the ids that stand for holds, for what can be refunded, and the bodies that were sent.
"""
import collections, datetime, itertools, threading, urllib.parse

import rules

PRECISIONS = {"USD": 100, "EUR": 100, "JPY": 1, "WEI": 10**18}
ACCOUNTS = {"USD": 7, "EUR": 4, "JPY": 3, "WEI": 3}
FUNDS = {"USD": 2_000_000, "EUR": 500_000, "JPY": 300_000, "WEI": 4 * 10**31}
INDICATORS = 40  # names of each world that are used for the first time by some posting, accepted or refused
UNKNOWN = "bln_00000000-0000-4000-8000-000000000000"
NOBODY = "txn_00000000-0000-4000-8000-000000000000"
RECENT = 60


class Request:
    """`rule` names the prediction, `target` the id it is about; `items` are the parts of a bulk commit or void."""
    __slots__ = ("name", "rule", "method", "path", "body", "target", "heads", "items", "began", "ended", "answer")

    def __init__(self, name, rule, method, path, body=None, target=None, heads=None, items=()):
        self.name, self.rule, self.method, self.path, self.body, self.target, self.heads, self.items = name, rule, method, path, body, target, heads, items
        self.began = self.ended = self.answer = None

    def __repr__(self):
        return f"{self.name}: {self.method} {self.path} {self.body if self.body is not None else ''} {self.heads or ''}"


class World:
    """Balances of its own, so that the books of one world are closed; rows of older worlds need not be kept in mind."""

    def __init__(self, tag, client):
        self.tag, self.lock, self.numbers = tag, threading.Lock(), itertools.count(1)
        self.mint, ledger = f"@Mint{tag}", client.ledger(f"World {tag}")
        self.accounts = {currency: [client.balance(ledger, currency) for _ in range(count)] for currency, count in ACCOUNTS.items()}
        self.everyone = [balance for accounts in self.accounts.values() for balance in accounts]
        self.available, self.sizes = {}, {}  # of balances when they were last looked at; of holds
        recent = lambda: collections.deque(maxlen=RECENT)
        self.holds, self.posted, self.rows, self.sent, self.scheduled, self.keyed, self.references = (recent() for _ in range(7))

    def reference(self):
        return f"{self.tag}-{next(self.numbers)}"

    def funding(self):
        for currency, accounts in self.accounts.items():
            for account in accounts[:-1]:  # one begins with nothing
                yield Request("fund", "post", "POST", "/transactions", {
                    "precise_amount": FUNDS[currency], "precision": PRECISIONS[currency], "currency": currency, "reference": self.reference(),
                    "description": "model", "source": self.mint, "destination": account, "allow_overdraft": True, "skip_queue": True})

    def some(self, kept, random, otherwise=NOBODY):
        """Mostly of the newest: those are still open, and what several clients take at the same time."""
        with self.lock:
            if not kept or random.random() < 0.02:
                return otherwise
            return kept[-1 - min(int(random.expovariate(0.12)), len(kept) - 1)]

    def learn(self, request, answer):
        """What a client knows after an answer."""
        if answer.status >= 300 or not isinstance(answer.body, dict):
            return
        body, asked = answer.body, request.body
        with self.lock:
            if request.rule in ("post", "keyed"):
                self.sent.append(asked)
                self.references.append(asked["reference"])
                held, whole = asked.get("inflight"), "sources" in asked or "destinations" in asked
                waits = asked.get("scheduled_for") and not asked.get("skip_queue")
                if held:
                    self.holds.append(body["transaction_id"])
                else:
                    self.posted.append(body["transaction_id"])
                self.sizes[body["transaction_id"]] = body["precise_amount"]
                if waits:
                    self.scheduled.append(body["transaction_id"])
                if whole:
                    parts = [part["transaction_id"] for part in body.get("sources") or body.get("destinations") if part["transaction_id"]]
                    if held:
                        self.holds.extend(parts)
                    elif asked.get("skip_queue"):
                        self.posted.extend(parts)
                    self.rows.extend(parts)
                else:
                    self.rows.append(body["transaction_id"])
                if held:
                    self.posted.append(body["transaction_id"])
            elif request.rule == "bulk" and body["batch_id"]:
                (self.holds if asked.get("inflight") else self.posted).append(body["batch_id"])
                self.references.extend(item["reference"] for item in asked["transactions"] if item.get("reference"))
            elif request.rule == "settle" and asked.get("skip_queue"):
                self.rows.append(body["transaction_id"])
                if asked["status"] == "commit":
                    self.posted.append(body["transaction_id"])
            elif request.rule == "refund":
                self.rows.append(body["transaction_id"])
                (self.holds if body["inflight"] else self.posted).append(body["transaction_id"])


# -- amounts and parties ---------------------------------------------------------------------------------------------------
def magnitude(random, currency):
    top = {"USD": 5.2, "EUR": 5, "JPY": 4.6, "WEI": 30.3}[currency]
    value = int(10 ** random.uniform(0, top))
    return value if value < 10**15 else value + random.randrange(10**6)


def amount(random, currency):
    """In one of the ways in which amounts can be sent."""
    precise, precision, way = magnitude(random, currency), PRECISIONS[currency], random.random()
    if currency == "WEI" or way < 0.5:
        return {"precise_amount": str(precise) if way < 0.1 else precise}
    value = precise / precision
    if way < 0.6:
        value = round(value + random.choice((0.001, 0.004, 0.005, 0.009)), 3)  # finer than the currency: rounded
    return {"amount": value} if rules.digits(value) <= 15 else {"precise_amount": precise}


def party(world, random, currency):
    if random.random() < 0.06:
        return f"@{world.tag}-{random.randrange(INDICATORS)}"
    accounts = world.accounts[currency]
    return accounts[min(int(random.expovariate(0.5)), len(accounts) - 1)]  # the first is the hot one


def two(world, random, currency):
    source = party(world, random, currency)
    while True:
        destination = party(world, random, currency)
        if destination != source:
            return source, destination


def soon(random):
    """A time in the past or in a moment."""
    if random.random() < 0.5:
        return "2024-02-03T04:05:06Z"
    when = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(milliseconds=random.randrange(100, 350))
    return when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def plain(world, random, **more):
    currency = random.choices(list(PRECISIONS), (6, 2, 1, 2))[0]
    source, destination = two(world, random, currency)
    body = {"currency": currency, "precision": PRECISIONS[currency], "reference": world.reference(), "description": "model", "source": source,
            "destination": destination} | amount(random, currency) | more
    if source.startswith("@") and random.random() < 0.7:
        body["allow_overdraft"] = True
    if random.random() < 0.1:
        body["allow_overdraft"] = random.random() < 0.5
        body["overdraft_limit"] = random.choice((0, 0.005, 10, 99.99, 5000, -1))
    if random.random() < 0.08 and world.available.get(source, 0) > 0:
        edge(random, body, world.available[source])
    if random.random() < 0.05:
        body["effective_date"] = "2024-02-03T04:05:06Z"
    return body


def edge(random, body, available):
    """Exactly what may be spent, or one unit more."""
    limit = random.choice((0, 0, 250))
    body.pop("amount", None), body.pop("allow_overdraft", None), body.pop("overdraft_limit", None)
    if limit:
        body["overdraft_limit"] = limit
    body["precise_amount"] = available + limit * body["precision"] + random.choice((0, 0, 1))


def post(name, body):
    return Request(name, "post", "POST", "/transactions", body)


# -- mistakes --------------------------------------------------------------------------------------------------------------
def mistaken(world, random, body):
    """One thing about the request is wrong. What is wrong with a field is seen before anything else."""
    key = random.choice(("source", "destination"))
    plain_sides = [side for side in ("source", "destination") if side in body]
    wrong = random.randrange(10)
    if wrong == 0 and plain_sides:
        body[random.choice(plain_sides)] = UNKNOWN
    elif wrong == 1 and plain_sides:
        others = [currency for currency in world.accounts if currency != body["currency"]]
        body[random.choice(plain_sides)] = random.choice(world.accounts[random.choice(others)])
    elif wrong == 2:
        body.pop("precise_amount", None)
        body["amount"] = 0.004 if body["precision"] == 100 else 0.4 if body["precision"] == 1 else 1e-19
    elif wrong == 3:
        body.pop("amount", None)
        body["precise_amount"] = -magnitude(random, body["currency"])
    elif wrong == 4:
        body |= {"precise_amount": 5, "amount": 5}
    elif wrong == 5:
        body.pop("amount", None), body.pop("precise_amount", None)
    elif wrong == 6:
        del body[random.choice(("currency", "reference", "description"))]
    elif wrong == 7 and len(plain_sides) == 2:
        body["destination"] = body["source"]
    elif wrong == 8:
        body.pop(key, None), body.pop(key + "s", None)
    else:
        body.pop("precise_amount", None)
        body["amount"] = 1234567890123456.0
    return body


def perhaps_mistaken(world, random, body, share=0.07):
    return mistaken(world, random, body) if random.random() < share else body


def at_once(world, random):
    return post("single", perhaps_mistaken(world, random, plain(world, random, skip_queue=True)))


def queued(world, random):
    return post("queued", perhaps_mistaken(world, random, plain(world, random)))


def hold(world, random):
    body = plain(world, random, inflight=True, **({"skip_queue": True} if random.random() < 0.6 else {}))
    if random.random() < 0.04:
        body[random.choice(("inflight_expiry_date", "inflight_commit_date"))] = soon(random)
    return post("hold", perhaps_mistaken(world, random, body))


def scheduled(world, random):
    body = plain(world, random, scheduled_for=soon(random), **({"inflight": True} if random.random() < 0.3 else {}))
    for side in ("source", "destination"):
        while body[side].startswith("@"):
            body[side] = random.choice(world.accounts[body["currency"]])
        if body["source"] == body["destination"]:
            body["destination"] = random.choice([each for each in world.accounts[body["currency"]] if each != body["source"]])
    return post("scheduled", body)


# -- splits ----------------------------------------------------------------------------------------------------------------
def distribution(random, total, precision, count):
    """Texts for the parts of a split, and now and then a list that is wrong."""
    way = random.randrange(8)
    if way == 0:
        first = random.randrange(1, 100 // count)
        return [f"{first}%"] * (count - 1) + [f"{100 - first * (count - 1)}%"]
    if way == 1 and count == 3:
        return random.choice((["33.33%", "33.33%", "33.34%"], ["33.33%"] * 3, ["33.3%"] * 3))
    if way == 2:
        return [f"{random.randrange(1, 5000) / 100}%" for _ in range(count - 1)][:1] + ["10%"] * (count - 2) + ["left"]
    if way == 3 and total > 10 * count:
        return [("precise", str(random.randrange(1, total // count))) for _ in range(count - 1)] + ["left"]
    if way == 4 and total > 10 * count:
        parts = [random.randrange(1, total // count) for _ in range(count - 1)]
        return [("precise", str(part)) for part in (*parts, total - sum(parts))]
    if way == 5 and total // precision > 2 * count:
        return [str(random.randrange(1, total // precision // count))] + ["5%"] * (count - 2) + ["left"]
    if way == 6 and random.random() < 0.5:
        return random.choice((["left"] * count, ["10%"] * count, ["60%"] * (count - 1) + ["50%"], ["x%"] * (count - 1) + ["left"],
                              [("precise", str(total + 1))] + ["left"] * (count - 1), ["0"] * (count - 1) + ["left"],
                              ["", ("precise", "0"), "left", "0.00"][-count:] if count > 2 else ["-1", "left"], ["0"] * count))
    return [f"{100 // count}%"] * (count - 1) + ["left"]


def split_body(world, random, **more):
    body, count = plain(world, random, **more), random.choice((2, 2, 3, 4))
    side, other = random.sample(("source", "destination"), 2)
    names = []
    while len(names) < count:
        name = party(world, random, body["currency"])
        if name not in names and name != body[other]:
            names.append(name)
        elif len(world.accounts[body["currency"]]) <= count:
            names.append(f"@{world.tag}-{body['reference']}-{len(names)}")
    if random.random() < 0.04:
        names[-1] = UNKNOWN
    total = rules.total_of(body)
    texts = distribution(random, total, body["precision"], count)
    body[side + "s"] = [{"identifier": name} | ({"precise_distribution": text[1]} if isinstance(text, tuple) else {"distribution": text})
                        for name, text in zip(names, texts)]
    del body[side]
    if random.random() < 0.1:
        body["atomic"] = True
    return body


def split(world, random):
    body = split_body(world, random, **({"skip_queue": True} if random.random() < 0.6 else {}), **({"inflight": True} if random.random() < 0.3 else {}))
    return post("split", perhaps_mistaken(world, random, body, 0.03))


# -- repeated requests -----------------------------------------------------------------------------------------------------
def again(world, random):
    """The very same request; of those that are on their way as well, so that it is a retry at the same time."""
    body = world.some(world.sent, random, None)
    return at_once(world, random) if body is None else post("again", body)


def other_facts(world, random):
    """A used reference for something else, or in the other way."""
    body = world.some(world.sent, random, None)
    if body is None or not {"source", "destination", "currency"} <= set(body) or "scheduled_for" in body:
        return at_once(world, random)
    body = dict(body)
    if random.random() < 0.5:
        body.pop("amount", None)
        body["precise_amount"] = magnitude(random, body["currency"])
    if random.random() < 0.4:
        body["skip_queue"] = not body.get("skip_queue")
    return post("other facts", body)


# -- batches ---------------------------------------------------------------------------------------------------------------
def bulk_body(world, random):
    count, items = random.choice((1, 2, 3, 3, 5, 12)), []
    while len(items) < count:
        items.append(split_body(world, random) if random.random() < 0.1 else plain(world, random))
    for item in items:
        if random.random() < 0.03 and "source" in item and "destination" in item:
            mistaken(world, random, item)
    if random.random() < 0.06:
        items[-1]["reference"] = world.some(world.references, random, items[0].get("reference", "x"))
    body = {"transactions": items}
    for key, share in (("atomic", 0.5), ("skip_queue", 0.6), ("inflight", 0.3)):
        if random.random() < share:
            body[key] = True
    return body


def bulk(world, random):
    body = bulk_body(world, random)
    if random.random() < 0.01:
        body["transactions"] = []
    return Request("bulk", "bulk", "POST", "/transactions/bulk", body)


# -- commits, voids --------------------------------------------------------------------------------------------------------
def settle_amount(random, size):
    way = random.random()
    if way < 0.4:
        return {}
    if way < 0.5 and size:
        return {"precise_amount": random.choice((size, size + 1, max(size // 2, 1), max(size - size // 2, 1)))}
    if way < 0.75:
        return {"precise_amount": int(10 ** random.uniform(0, 4))}
    if way < 0.9:
        return {"amount": round(10 ** random.uniform(-1, 2), 2)}
    return random.choice(({"amount": 1e-20}, {"amount": -1}, {"precise_amount": 0}, {"precise_amount": -3}, {"precise_amount": 10**33}, {"amount": 0}))


def settle(world, random):
    target, action = world.some(world.holds, random), random.choices(("commit", "void", "finish"), (70, 29, 1))[0]
    if random.random() < 0.03:
        target = world.some(world.posted, random)
    body = {"status": action} | (settle_amount(random, world.sizes.get(target)) if action == "commit" or random.random() < 0.1 else {})
    if random.random() < 0.6:
        body["skip_queue"] = True
    return Request("settle", "settle", "PUT", f"/transactions/inflight/{target}", body, target)


def settle_many(world, random):
    action, flag = random.choice(("commit", "void")), {"skip_queue": True} if random.random() < 0.5 else {}
    targets = [world.some(world.holds, random) for _ in range(random.choice((1, 2, 3, 6)))]
    amounts = [{"precise_amount": random.randrange(0, 2000)} if action == "commit" and random.random() < 0.4 else {} for _ in targets]
    if action == "commit":
        body = {"transactions": [{"transaction_id": target} | part for target, part in zip(targets, amounts)]} | flag
    else:
        body = {"transaction_ids": targets} | flag
    path = f"/transactions/inflight/bulk/{action}"
    items = [Request("settle item", "settle_item", "POST", path, {"status": action} | part | flag, target) for target, part in zip(targets, amounts)]
    return Request("settle many", "many", "POST", path, body, items=items)


# -- refunds, reads --------------------------------------------------------------------------------------------------------
def refund(world, random):
    target, body = world.some(world.posted, random), {"skip_queue": True} if random.random() < 0.6 else None
    if random.random() < 0.1:
        target = world.some(world.scheduled, random)
    if random.random() < 0.3:
        body = (body or {}) | {"precise_amount": magnitude(random, "USD")}
    return Request("refund", "refund", "POST", f"/refund-transaction/{target}", body, target)


def read(world, random):
    way = random.random()
    if way < 0.5:
        target = random.choice(world.everyone)
        return Request("read balance", "read_balance", "GET", f"/balances/{target}", target=target)
    if way < 0.75:
        target = world.some(world.references, random, "nobody-has-this") + random.choice(("", "", "_q", "-1", "_1_q"))
        return Request("read reference", "read_reference", "GET", f"/transactions/reference/{urllib.parse.quote(target, safe='')}", target=target)
    target = world.some(world.rows, random)
    return Request("read row", "read_row", "GET", f"/transactions/{target}", target=target)


# -- what Blnk does not have -----------------------------------------------------------------------------------------------
def dry_run(world, random):
    body = perhaps_mistaken(world, random, plain(world, random, dry_run=True, **({"skip_queue": True} if random.random() < 0.5 else {})), 0.15)
    sides = {"source", "destination", "currency"} <= set(body)
    return Request("dry run", "dry_run", "POST", "/transactions", body) if sides else at_once(world, random)


def change_hold(world, random):
    target = world.some(world.holds, random)
    body = {"precise_amount": int(10 ** random.uniform(0, 4)) if random.random() < 0.95 else 0}
    return Request("change hold", "change_hold", "PATCH", f"/transactions/inflight/{target}", body, target)


def over_capture(world, random):
    target = world.some(world.holds, random)
    body = {"status": "commit", "precise_amount": int(10 ** random.uniform(1, 5)), "allow_over_capture": True, "skip_queue": True}
    return Request("over capture", "settle", "PUT", f"/transactions/inflight/{target}", body, target)


def cancel(world, random):
    target = world.some(world.scheduled if random.random() < 0.9 else world.posted, random)
    return Request("cancel", "cancel", "DELETE", f"/transactions/scheduled/{target}", target=target)


def reschedule(world, random):
    target = world.some(world.scheduled, random)
    return Request("reschedule", "reschedule", "PATCH", f"/transactions/scheduled/{target}", {"scheduled_for": soon(random)}, target)


def scheduled_far(world, random):
    """Only cancelled or rescheduled."""
    request = scheduled(world, random)
    request.body["scheduled_for"] = "2099-01-01T00:00:00Z"
    return request


def scheduled_split(world, random):
    request = split(world, random)
    request.body.pop("skip_queue", None)
    request.body["scheduled_for"] = soon(random)
    for part in request.body.get("sources", []) + request.body.get("destinations", []) + [request.body]:
        if any(str(part.get(key, "")).startswith("@") for key in ("identifier", "source", "destination")):
            return queued(world, random)  # whether a scheduled request makes its indicators is not said
    return request


def scheduled_batch(world, random):
    due, items = soon(random), [scheduled(world, random).body for _ in range(3)]
    return Request("scheduled batch", "bulk", "POST", "/transactions/bulk", {"atomic": True, "transactions": [item | {"scheduled_for": due} for item in items]})


def continue_on_error(world, random):
    request = bulk(world, random)
    request.body["continue_on_error"] = True
    return request


def keyed(world, random):
    """A new key with a new request, a used one with the same request, a used one with another. Never through the queue: there a request
    may be known, and then it cannot be told afterwards which of two made the rows."""
    way = random.random()
    key, body = world.some(world.keyed, random, (None, None))
    if key is None or way < 0.5:
        key, body = f"key-{world.reference()}", plain(world, random, skip_queue=True)
    elif way < 0.65:
        body = plain(world, random, skip_queue=True)
    with world.lock:
        world.keyed.append((key, body))
    return Request("keyed", "keyed", "POST", "/transactions", body, heads={"Idempotency-Key": key})


# A weight, and the request.
OPERATIONS = [
    (22, at_once), (12, queued), (10, hold), (7, split), (1.2, scheduled), (5, again), (3, other_facts), (7, bulk), (16, settle),
    (3, settle_many), (8, refund), (10, read), (4, dry_run), (3, change_hold), (3, over_capture), (2, cancel), (1, scheduled_far),
    (0.4, reschedule), (0.5, scheduled_split), (0.3, scheduled_batch), (3, continue_on_error), (5, keyed)]


def choose(world, random):
    weights, functions = zip(*OPERATIONS)
    return random.choices(functions, weights)[0](world, random)
