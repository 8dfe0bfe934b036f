"""What can be said of a request without knowing the books: its fields, its amount, the parts of a split. Written from the specification
(sections 4.2, 4.3, 5.1 of spec/transactions.md, and its table of quirks), in Python integers and decimals."""
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from fractions import Fraction

EXACT = Context(prec=120, rounding=ROUND_HALF_UP)


class Refusal(Exception):
    """A lawful no. `where` is the index of the item in a batch."""

    def __init__(self, status, code, where=None):
        super().__init__(f"{status} {code}")
        self.status, self.code, self.where = status, code, where


def invalid():
    return Refusal(400, "TXN_VALIDATION_ERROR")


def rounded(value):
    """To an integer, half away from zero."""
    value = Fraction(value)
    whole = int((abs(value) * 2 + 1) // 2)
    return whole if value >= 0 else -whole


def minor(amount, precision):
    """Minor units of an amount in major ones, by its shortest decimal text."""
    return rounded(Fraction(Decimal(repr(amount))) * precision)


def major(precise, precision):
    """The `amount` that is shown: sixteen digits behind the point, then the nearest double."""
    return float(EXACT.divide(Decimal(precise), Decimal(precision)).quantize(Decimal(1).scaleb(-16), context=EXACT))


def digits(amount):
    text = format(Decimal(repr(amount)), "f")
    return len(text.replace(".", "").lstrip("0"))


def fields(body):
    """Section 4.2: raises when a field is wrong."""
    amount, precise = body.get("amount"), body.get("precise_amount")
    precise = int(precise) if precise is not None else None
    if (amount and precise is not None) or (amount is None and precise is None) or (amount == 0 and precise is None):
        raise invalid()
    if (amount or 0) < 0 or (precise or 0) < 0 or (amount and digits(amount) > 15):
        raise invalid()
    if not all(body.get(key) for key in ("currency", "reference", "description")):
        raise invalid()
    for one, many in (("source", "sources"), ("destination", "destinations")):
        if bool(body.get(one)) == bool(body.get(many)):
            raise invalid()
    if "sources" in body and "destinations" in body:
        raise invalid()
    if set(names(body, "source")) & set(names(body, "destination")):
        raise invalid()


def names(body, side):
    return [body[side]] if body.get(side) else [part["identifier"] for part in body.get(side + "s", [])]


def precision_of(body):
    return body.get("precision") or 1


def total_of(body):
    precise = body.get("precise_amount")
    return int(precise) if precise is not None else minor(body.get("amount", 0), precision_of(body))


def limit_of(body):
    return minor(body.get("overdraft_limit") or 0, precision_of(body))


def legs_of(body):
    """(source, destination, amount) of each leg, in the order of the list; one for a plain transaction."""
    total = total_of(body)
    if body.get("source") and body.get("destination"):
        return [(body["source"], body["destination"], total)]
    side = "sources" if body.get("sources") else "destinations"
    parts = share(total, precision_of(body), body[side])
    return [(who, body["destination"], part) if side == "sources" else (body["source"], who, part) for who, part in parts]


def number(text):
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise invalid() from None
    if not value.is_finite():
        raise invalid()
    return Fraction(value)


def share(total, precision, entries):
    """Section 5.1, with lists that do not account for the total refused (Q19), and `left` given twice."""
    if len({entry["identifier"] for entry in entries}) < len(entries):
        raise Refusal(400, "TXN_INVALID_DISTRIBUTION")
    legs, below_zero = [], False
    for entry in entries:  # how a part is written is looked at in any case, a total of one or not
        text = entry.get("precise_distribution") or entry.get("distribution", "")
        if text == "left":
            legs.append(entry)
            continue
        value = number(text.removesuffix("%") or "0")
        if value < 0 and text.endswith("%"):
            raise invalid()
        below_zero |= value < 0
        if value or text.endswith("%"):
            legs.append(entry)
    entries = legs  # what is zero, or not written at all, is no leg
    if not entries:
        raise Refusal(400, "TXN_INVALID_DISTRIBUTION")
    if below_zero:
        raise Refusal(400, "TXN_INVALID_AMOUNT")
    if total == 1:
        return [(entry["identifier"], int(at == 0)) for at, entry in enumerate(entries)]
    fixed, percent, left, percents, remaining = {}, {}, [], Fraction(0), Fraction(total)
    for at, entry in enumerate(entries):
        text, precise = entry.get("distribution", ""), entry.get("precise_distribution", "")
        if "left" in (text, precise):
            left.append(at)
        elif precise or not text.endswith("%"):
            fixed[at] = number(precise) if precise else number(text) * precision
            if fixed[at] > remaining:
                raise invalid()
            remaining -= fixed[at]
        else:
            part = number(text[:-1])
            percents += part
            percent[at] = total * part / 100
            if percent[at] < 1:
                percent[at] = Fraction(0)
    if percents > 100:
        raise invalid()
    if len(left) > 1:
        raise Refusal(400, "TXN_INVALID_DISTRIBUTION")
    shares = total * percents / 100
    if not left:
        whole = Fraction(999, 10) <= percents if percent and not fixed else sum(fixed.values()) + shares == total
        if not whole:
            raise Refusal(400, "TXN_INVALID_DISTRIBUTION")
    elif sum(fixed.values()) + shares > total:
        raise invalid()
    # Step 5 changes nothing here: fractions are exact, and a split with a part below one unit is never executed.
    parts = {at: int(value) for at, value in (fixed | percent).items()}
    for at in left:
        parts[at] = int(total - sum(fixed.values()) - sum(percent.values()))
    largest = max(parts, key=lambda at: (parts[at], -at))
    parts[largest] += total - sum(parts.values())
    return [(entries[at]["identifier"], parts[at]) for at in sorted(parts)]
