"""How requests become rows: checks in their order, legs, queued requests and their outcomes, commits, voids, refunds."""
import rules
from rows import Late, Row, Timer, ident
from rules import Refusal

REASONS = {"TXN_INSUFFICIENT_FUNDS": "insufficient funds", "LIMIT": "exceeds overdraft limit", "ZERO": "must be positive"}


def draft_status(body):
    return "SCHEDULED" if body.get("scheduled_for") else "QUEUED"


def wanted(amount, precision):
    """What a commit asks for; None is all that is left."""
    if not amount:
        return None
    if amount < 0:
        raise Refusal(400, "GEN_BAD_REQUEST")
    precise = rules.minor(amount, precision)
    if precise == 0:
        raise Refusal(400, "TXN_INVALID_AMOUNT")
    return precise


def check(draft, source, destination, amount, currency):
    """Section 4.6 between reference and funds. Returns the two balances."""
    sides = [draft.resolve(name, currency) for name in (source, destination)]
    if None in sides:
        raise Refusal(404, "TXN_NOT_FOUND")
    if amount <= 0:
        raise reasoned(400, "TXN_VALIDATION_ERROR", "ZERO")
    if any(draft.balance(side).currency != currency for side in sides):
        raise Refusal(400, "TXN_VALIDATION_ERROR")
    if sides[0] == sides[1]:
        raise Refusal(409, "GEN_CONFLICT")
    return sides


def reasoned(status, code, reason):
    refusal = Refusal(status, code)
    refusal.reason = reason
    return refusal


def funds(draft, source, amount, body):
    """Section 4.5."""
    available, limit = draft.balance(source).available(), rules.limit_of(body)
    if body.get("allow_overdraft") and limit == 0 or available >= amount:
        return
    if limit > 0:
        if available - amount >= -limit:
            return
        raise reasoned(400, "TXN_VALIDATION_ERROR", "LIMIT")
    raise reasoned(400, "TXN_INSUFFICIENT_FUNDS", "TXN_INSUFFICIENT_FUNDS")


def asked_rows(body, whole, batches):
    """The rows of a request before it is executed: one, or one for each leg. References as at once."""
    legs, at_once = rules.legs_of(body), body.get("skip_queue")
    like = (body["currency"], rules.precision_of(body))
    status = ("INFLIGHT" if body.get("inflight") else "APPLIED") if at_once else draft_status(body)
    if body.get("source") and body.get("destination"):
        rows = [Row(batches[0] if batches else "", *legs[0], like, body["reference"], status, wholes=batches, terms=body)]
    else:
        join = "-" if at_once else "_"
        rows = [Row(whole, *leg, like, f"{body['reference']}{join}{at}", status, wholes=(whole, *batches), terms=body) for at, leg in enumerate(legs, 1)]
    for row, leg in zip(rows, legs):
        row.inflight, row.facts = bool(body.get("inflight")), (*leg, body["currency"], bool(body.get("inflight")))
    return rows


def record(draft, body, whole, batches=()):
    """At once: all rows of a transaction, or a refusal that leaves nothing in the draft."""
    rows, fork = asked_rows(body, whole, batches), draft.fork()
    if any(draft.row_with(row.reference) for row in rows):
        raise Refusal(409, "TXN_DUPLICATE_REFERENCE")
    post(fork, rows, body)
    fork.used |= {row.reference: row for row in rows}
    fork.keep()
    return rows


def post(draft, rows, body):
    """Moves the money of the legs of one transaction, one after another."""
    for row in rows:
        row.source, row.destination = check(draft, row.source, row.destination, row.amount, row.currency)
        funds(draft, row.source, row.amount, body)
        draft.move(row)


def enqueue(draft, items, together):
    """Queued requests: (rows, timers, count of those that were there before). `together`: all are executed, or none (an atomic batch)."""
    asked, again = [], 0
    for body, whole, batches in items:
        rows = asked_rows(body, whole, batches)
        if any(draft.row_with(row.reference) for row in rows):
            if any(row.reference in draft.used for row in rows):
                raise Refusal(409, "TXN_DUPLICATE_REFERENCE")
            repeated(draft, body)
            again += 1
            continue
        draft.used |= {row.reference: row for row in rows}
        asked.append((body, rows))
    timers = run_later([(body, rows) for body, rows in asked if body.get("scheduled_for")], together)
    units = [(body, rows) for body, rows in asked if not body.get("scheduled_for")]
    outcomes = attempt_all(draft, units) if together else [attempt(draft, unit) for unit in units]
    made, outcome = [], iter(outcomes)
    for body, rows in asked:
        if body.get("scheduled_for"):
            resolve_asked(draft, rows)
            made += rows
            continue
        for row, child in zip(rows, next(outcome)):
            made += [row, child]
        timers += hold_dates(body, made[-2 * len(rows) + 1 :: 2])
    return made, timers, again


def run_later(units, together):
    """What runs together: the legs of a split, and the items of an atomic batch that are due at the same moment."""
    groups = {}
    for at, (body, rows) in enumerate(units):
        groups.setdefault(body["scheduled_for"] if together else at, []).append((body, rows))
    return [Timer("request", group[0][0]["scheduled_for"], [row for _, rows in group for row in rows], group) for group in groups.values()]


def resolve_asked(draft, rows):
    for row in rows:
        row.source, row.destination = (draft.find(name, row.currency) or name for name in (row.source, row.destination))


def executed(draft, units):
    return [child for made in attempt_all(draft, units) for child in made] if len(units) > 1 else attempt(draft, units[0])


def children(rows, status):
    made = []
    for row in rows:
        child = Row(row, *row.facts[:3], row, row.reference + "_q", status, inflight=row.inflight, request=row, wholes=row.wholes, terms=row.terms)
        made.append(child)
    return made


def attempt(draft, unit):
    """The outcomes of one queued transaction: all legs executed, or all rejected."""
    body, rows = unit
    made, fork = children(rows, "INFLIGHT" if body.get("inflight") else "APPLIED"), draft.fork()
    try:
        post(fork, made, body)
    except Refusal as no:
        return rejected(draft, rows, getattr(no, "reason", None))
    fork.keep()
    for row, child in zip(rows, made):
        row.source, row.destination = child.source, child.destination
    return made


def rejected(draft, rows, reason=None):
    resolve_asked(draft, rows)
    made = children(rows, "REJECTED")
    resolve_asked(draft, made)
    for child in made:
        child.reason = REASONS.get(reason, "") if len(made) == 1 else ""
    return made


def attempt_all(draft, units):
    fork = draft.fork()
    outcomes = [attempt(fork, unit) for unit in units]
    if any(child.status == "REJECTED" for made in outcomes for child in made):
        for _, rows in units:
            for row in rows:
                row.source, row.destination = row.facts[:2]
        return [rejected(draft, rows) for _, rows in units]
    fork.keep()
    return outcomes


def repeated(draft, body):
    """The id that a queued request was answered with when it came first; refused when it was another one."""
    rows = asked_rows(body, Late(), ())
    found = [draft.row_with(row.reference) for row in rows]
    if any(old is None or old.facts != new.facts or old.status not in ("QUEUED", "SCHEDULED") for old, new in zip(found, rows)):
        raise Refusal(409, "TXN_DUPLICATE_REFERENCE")
    return found[0].id if body.get("source") and body.get("destination") else ident(found[0].parent)


def hold_dates(body, rows):
    held = [row for row in rows if row.status == "INFLIGHT"]
    return [Timer(kind, body[key], held) for kind, key in (("commit", "inflight_commit_date"), ("void", "inflight_expiry_date"))
            if held and body.get(key)]


def settling(hold, action, amount):
    return Row(hold, hold.source, hold.destination, amount, hold, None, "APPLIED" if action == "commit" else "VOID", hold=hold,
               beyond=max(0, amount - hold.left))


def refunding(original, amount, at_once):
    status = "INFLIGHT" if original.status == "VOID" else "APPLIED"
    number = f"_{original.refunded + 1}" if original.refunded else ""
    reference, sides = f"{original.id}_refund{number}", (original.destination, original.source)
    if at_once:
        return [Row(original, *sides, amount, original, reference, status, original=original, inflight=status == "INFLIGHT", terms={"allow_overdraft": True})]
    asked = Row(original, *sides, amount, original, reference, "QUEUED", original=original, inflight=status == "INFLIGHT")
    return [asked, Row(asked, *sides, amount, original, reference + "_q", status, request=asked, inflight=status == "INFLIGHT", terms={"allow_overdraft": True})]
