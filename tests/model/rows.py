"""Rows as the model has them, figures, a working copy of both, and how they are held against what the server shows.

The server chooses ids, so a predicted row has none until it is matched with the row that the server shows (`match`, `bind`).
"""
import copy

import rules


class Late:
    """An id that the server chooses: of a balance made on the way (`text` is its indicator), of a whole."""

    def __init__(self, text="", currency=""):
        self.id, self.text, self.currency = None, text, currency


def ident(what):
    return what if isinstance(what, str) else what.id


class Figures:
    NAMES = ("credit_balance", "debit_balance", "inflight_credit_balance", "inflight_debit_balance", "version")
    __slots__ = ("currency", "credit", "debit", "held_credit", "held_debit", "version")

    def __init__(self, currency):
        self.currency, self.credit, self.debit, self.held_credit, self.held_debit, self.version = currency, 0, 0, 0, 0, 1

    def available(self):
        return self.credit - self.debit - self.held_debit

    def shown(self):
        figures = dict(zip(self.NAMES, (self.credit, self.debit, self.held_credit, self.held_debit, self.version)))
        return figures | {"balance": self.credit - self.debit, "inflight_balance": self.held_credit - self.held_debit, "currency": self.currency}


class Row:
    """A row of the server. The last line of slots is only of holds and of what is refunded."""
    __slots__ = ("id", "parent", "source", "destination", "amount", "currency", "precision", "reference", "status", "inflight", "reason",
                 "hold", "original", "request", "wholes", "facts", "beyond", "change", "terms",
                 "left", "ended", "refunded")

    def __init__(self, parent, source, destination, amount, like, reference, status, **more):
        self.id, self.parent, self.source, self.destination, self.amount = None, parent, source, destination, amount
        self.currency, self.precision = (like.currency, like.precision) if isinstance(like, Row) else like
        self.reference, self.status, self.inflight, self.reason = reference, status, False, None
        self.hold = self.original = self.request = self.facts = self.ended = None
        self.wholes, self.left, self.refunded, self.beyond, self.change = (), 0, 0, 0, False
        self.terms = {}  # of the request: how far its source may be overdrawn
        for name, value in more.items():
            setattr(self, name, value)

    def __repr__(self):
        return f"<{self.status} {self.reference or self.id} {ident(self.source)} -> {ident(self.destination)} {self.amount} {self.currency}>"


class Timer:
    """Something that the server does by itself: runs scheduled requests (`units` of body and rows; several are of one whole and run together),
    commits or voids a hold."""

    def __init__(self, kind, due, rows, units=()):
        self.kind, self.due, self.rows, self.units, self.done = kind, due, rows, units, False


class Outcome:
    """`fields` are what the answer must hold; a value may be a row or a late id. `ends` are timers that are no more, `moves` what is due at
    another time, `key` what an idempotency key stands for from now on, `heads` what must stand in the head of the answer."""

    def __init__(self, status, code=None, fields=None, rows=(), timers=(), ends=(), moves=(), heads=None):
        self.status, self.code, self.fields, self.rows, self.timers = status, code, fields or {}, list(rows), list(timers)
        self.ends, self.moves, self.key, self.heads = ends, moves, None, heads or {}

    def __repr__(self):
        return f"{self.status} {self.code or ''} {({k: v if isinstance(v, (str, int, float, bool)) else ident(v) for k, v in self.fields.items()})} rows {self.rows}"


class Draft:
    """A working copy of the books, as far as it was looked at."""

    def __init__(self, under):
        self.under, self.figures, self.made, self.used = under, {}, {}, {}

    def fork(self):
        return Draft(self)

    def balance(self, key):
        if key not in self.figures:
            found = self.under.balance(key)
            self.figures[key] = copy.copy(found) if found else None
        return self.figures[key]

    def resolve(self, name, currency):
        """A balance id, or the late id of a new indicator; None when there is none."""
        if not name.startswith("@"):
            return name if self.balance(name) else None
        key = (name, currency)
        found = self.made.get(key) or self.under.find(name, currency)
        if not found:
            found = self.made[key] = Late(name, currency)
            self.figures[found] = Figures(currency)
        return found

    def find(self, name, currency):
        return self.made.get((name, currency)) or self.under.find(name, currency)

    def row_with(self, reference):
        return self.used.get(reference) or self.under.row_with(reference)

    def move(self, row):
        move(self.balance(row.source), self.balance(row.destination), row)

    def keep(self):
        """What a fork did becomes what the draft below did."""
        self.under.figures |= self.figures
        self.under.made |= self.made
        self.under.used |= self.used


def move(source, destination, row):
    """Section 13. `hold` is what the row settles, `beyond` the part of a commit that was not held."""
    if row.status not in ("APPLIED", "INFLIGHT", "VOID") or (row.status == "VOID" and not row.hold):
        return
    source.version += 1
    destination.version += 1
    if row.status == "INFLIGHT":
        source.held_debit += row.amount
        destination.held_credit += row.amount
    elif row.hold:
        source.held_debit -= row.amount - row.beyond
        destination.held_credit -= row.amount - row.beyond
    if row.status == "APPLIED":
        source.debit += row.amount
        destination.credit += row.amount


# -- rows of the model and rows of the server ------------------------------------------------------------------------------
def shown(row):
    return {"status": row.status, "parent_transaction": row.parent, "source": row.source, "destination": row.destination, "precise_amount": row.amount,
            "amount": rules.major(row.amount, row.precision), "currency": row.currency, "precision": row.precision, "inflight": row.inflight} | (
                {"reference": row.reference} if row.reference else {})


def look(body, path):
    for key in path.split("."):
        body = body.get(key) if isinstance(body, dict) else body[int(key)] if isinstance(body, list) and int(key) < len(body) else None
    return body


def differences(fields, actual, bound):
    """What is not as predicted. Late ids are taken from what is there, and must then be the same everywhere (`bound`)."""
    wrong = []
    for name, wanted_value in fields.items():
        value = look(actual, name)
        if isinstance(wanted_value, (Late, Row)):
            known = wanted_value.id or bound.get(wanted_value)
            if known is None and isinstance(value, str) and value:
                bound[wanted_value] = known = value
            wanted_value = known
        if wanted_value == "ref_*":
            if not (isinstance(value, str) and value.startswith("ref_")):
                wrong.append(f"{name}: wanted a ref_…, got {value!r}")
        elif value != wanted_value or isinstance(value, bool) != isinstance(wanted_value, bool):
            wrong.append(f"{name}: wanted {wanted_value!r}, got {value!r}")
    return wrong


def match(outcome_rows, listed, bound):
    """Predicted rows against those that the server lists, whatever their order. Fills `bound`; returns what is wrong."""
    listed = {row["transaction_id"]: row for row in listed}
    by_reference = {row["reference"]: row for row in listed.values()}
    by_parent = {(row["status"], row["parent_transaction"]): row for row in listed.values()}
    wrong = []
    for row in outcome_rows:
        found = by_reference.get(row.reference) if row.reference else by_parent.get((row.status, ident(row.parent)))
        if found is None:
            wrong.append(f"no row for {row!r}")
            continue
        if bound.setdefault(row, found["transaction_id"]) != found["transaction_id"]:
            wrong.append(f"{row!r} has the id {found['transaction_id']}, the answer said {bound[row]}")
        listed.pop(found["transaction_id"], None)
        wrong += [f"{row!r}: {text}" for text in differences(shown(row), found, bound)]
        if row.status == "REJECTED":
            said = (found.get("meta_data") or {}).get("blnk_rejection_reason", "")
            if not said or (row.reason or "") not in said:
                wrong.append(f"{row!r}: rejected for {said!r}, not for {row.reason!r}")
    return wrong + [f"a row that nothing explains: {row}" for row in listed.values()]


def bind(rows, listed, bound):
    references = {row["transaction_id"]: row["reference"] for row in listed}
    for what, value in bound.items():
        what.id = value
    for row in rows:
        row.reference = row.reference or references[row.id]
