"""What the tests of the Python client share: how an answer is taken, and how each field is read that the client's types name."""
import os
import re
import time
import typing
from datetime import datetime, timedelta, timezone

from blnk_sdk.types.base import DTO
from blnk_sdk.types.transactions import CreateTransactionResponse

URL = os.environ.get("FLORIN_URL", "http://127.0.0.1:5001")
KEY = os.environ.get("FLORIN_KEY", "")
ZERO = "0001-01-01T00:00:00Z"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
HASH = re.compile(r"[0-9a-f]{64}")
# Metadata that the server writes next to the caller's own; what it says stands in test_transactions.py and test_bulk.py.
WRITTEN = {"QUEUED_PARENT_TRANSACTION", "allow_overdraft", "atomic", "sequence", "blnk_rejection_reason"}


# -- an answer ---------------------------------------------------------------------------------------------------------
def ok(response, status=201):
    assert response.status == status, response
    return response.data


def refused(response, status, *codes):
    assert response.status == status, response
    assert response.error is not None and response.error.code in codes, response
    assert response.error.message == response.message != "", response
    return response.error


def not_sent(response, message):
    """The client refused it itself."""
    assert (response.status, response.message, response.data, response.error) == (400, message, None, None), response


def eventually(read, seconds=10):
    """Reads until there is an answer; what is queued has its outcome a moment later."""
    deadline = time.monotonic() + seconds
    while True:
        response = read()
        if response.status == 200 or time.monotonic() > deadline:
            return ok(response, 200)
        time.sleep(0.05)


def until(holds, seconds=10):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


# -- its types ---------------------------------------------------------------------------------------------------------
def is_a(hint, value):
    """Whether a value from the wire is what an annotation of the client says. A bool is no number, a time is RFC 3339."""
    if hint is typing.Any:
        return True
    if typing.get_origin(hint) is typing.Union:
        return any(is_a(one, value) for one in typing.get_args(hint))
    if typing.get_origin(hint) is list:
        return isinstance(value, list) and all(is_a(typing.get_args(hint)[0], item) for item in value)
    if typing.get_origin(hint) is dict:
        return isinstance(value, dict)
    if hint is datetime:
        return isinstance(value, str) and TIME.fullmatch(value) is not None
    if hint in (int, float):
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if issubclass(hint, DTO):
        return typed(hint, value) is not None
    return isinstance(value, hint)


def typed(kind, data):
    """An answer as the client's type: each field of it is there, unless it may be absent, and is what its annotation says."""
    assert isinstance(data, dict), data
    for name, hint in typing.get_type_hints(kind).items():
        if type(None) in typing.get_args(hint) and name not in data:
            continue
        assert name in data, f"{kind.__name__}.{name} is missing: {data}"
        if hint == typing.Union[datetime, str]:
            hint = datetime
        assert is_a(hint, data[name]), f"{kind.__name__}.{name} is {data[name]!r}"
    return kind.from_dict(data)


# -- transactions ------------------------------------------------------------------------------------------------------
class Word:
    """Stands for what a test cannot know beforehand."""

    def __init__(self, name, holds):
        self.name, self.holds = name, holds

    def __eq__(self, other):
        return self.holds(other)

    def __repr__(self):
        return self.name


ABSENT = "(absent)"
ANY = Word("anything", lambda value: value != ABSENT)
NEW_ID = Word("the id of a transaction", lambda value: str(value).startswith("txn_") and len(value) == 40)
JUST_NOW = Word("a moment ago", lambda value: TIME.fullmatch(value) is not None and abs(moment(value) - datetime.now(timezone.utc)) < timedelta(minutes=1))


def moment(text):
    # Python 3.9 and 3.10 read three or six digits only.
    whole, fraction, zone = re.fullmatch(r"([^.Z+]+)(\.\d+)?(Z|[+-].+)", text).groups()
    return datetime.fromisoformat(f"{whole}.{(fraction or '.')[1:7]:0<6}{zone.replace('Z', '+00:00')}")


def transaction(row, cents, **expected):
    """Reads every field that CreateTransactionResponse names. What a test does not say is as it is when nothing was asked for."""
    typed(CreateTransactionResponse, row)
    wanted = {"transaction_id": NEW_ID, "amount": cents / 100, "precise_amount": cents, "precision": 100, "currency": "USD", "reference": ANY,
              "description": "test", "status": ANY, "parent_transaction": "", "source": ANY, "destination": ANY, "sources": ABSENT,
              "destinations": ABSENT, "allow_overdraft": False, "skip_queue": False, "inflight": False, "queued": ABSENT, "atomic": False,
              "overdraft_limit": 0, "created_at": JUST_NOW, "scheduled_for": ZERO, "inflight_expiry_date": ZERO, "inflight_commit_date": ZERO,
              "effective_date": JUST_NOW, "rate": ABSENT, "meta_data": {}, "hash": Word("64 hex digits", HASH.fullmatch), **expected}
    assert wanted.keys() == typing.get_type_hints(CreateTransactionResponse).keys()
    found = {name: row.get(name, ABSENT) for name in wanted}
    found["meta_data"] = {name: value for name, value in row.get("meta_data", {}).items() if name not in WRITTEN}
    assert isinstance(row["precise_amount"], int) and isinstance(row["precision"], int)
    differing = {name: (found[name], wanted[name]) for name in wanted if not wanted[name] == found[name]}
    assert not differing, f"found and wanted differ: {differing}"
    return row


def made(row, cents, **expected):
    """The answer to a request that was carried out at once."""
    return transaction(row, cents, **{"status": "APPLIED", "skip_queue": True, **expected})


def queued(row, cents, **expected):
    """The answer to a request that waits for its turn."""
    assert row["meta_data"]["QUEUED_PARENT_TRANSACTION"] == row["transaction_id"]
    return transaction(row, cents, **{"status": "QUEUED", **expected})


def read(row, cents, **expected):
    """What is read by id or reference: without what the request asked for, and without its business date."""
    return transaction(row, cents, **{"effective_date": ABSENT, **expected})
