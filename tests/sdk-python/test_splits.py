"""Transactions.create with parts: several sources or several destinations, each way a part can be given, and what is read of the legs."""
import pytest
from answers import ABSENT, ANY, made, not_sent, ok, queued, read, refused, typed, until
from blnk_sdk.types.transactions import CreateTransactions, MultipleSourcesT

# Of 100.00: how the parts are given and what they come to.
WAYS = {
    "percent": (["20%", "30%", "50%"], [2000, 3000, 5000]),
    "decimal percent": (["33.33%", "33.33%", "33.34%"], [3333, 3333, 3334]),
    "fixed": (["20", "30.5", "49.50"], [2000, 3050, 4950]),
    "left": (["10%", "12.34", "left"], [1000, 1234, 7766]),
}
# Minor units, of 10000: as a number, as text, and with a rest.
PRECISE_WAYS = {
    "numbers": ([2000, 3000, 5000], [2000, 3000, 5000]),
    "texts": (["2000", "3000", "5000"], [2000, 3000, 5000]),
}
QUEUE = pytest.mark.parametrize("queue", [{"skip_queue": True}, {}], ids=["at once", "queued"])


@pytest.fixture
def parties(books):
    """Three that have 100.00 each."""
    for place in range(3):
        ok(books.pay(books.a, f"@Party{place}{books.run}", f"stake-{place}", amount=100, skip_queue=True))
    return [books.at(f"@Party{place}{books.run}") for place in range(3)]


def parts(parties, ways, name="distribution"):
    return [{"identifier": party, name: way, "narration": "a part"} for party, way in zip(parties, ways)]


def legs(blnk, books, side, whole, cents, parties, queue, **expected):
    """Reads what the answer says of the parts, and the legs that it names."""
    assert [part["identifier"] for part in whole[f"{side}s"]] == parties
    for place, (part, amount) in enumerate(zip(whole[f"{side}s"], cents), 1):
        typed(MultipleSourcesT, part)
        status = ("INFLIGHT" if expected.get("inflight") else "APPLIED") if queue else "QUEUED"
        leg = read(ok(blnk.transactions.get(part["transaction_id"]), 200), amount, transaction_id=part["transaction_id"], status=status,
                   parent_transaction=whole["transaction_id"], reference=books.ref("split") + (f"-{place}" if queue else f"_{place}"), **expected)
        assert leg[side] == part["identifier"]
        if not queue:
            read(books.find(books.ref("split") + f"_{place}_q"), amount, status="INFLIGHT" if expected.get("inflight") else "APPLIED",
                 parent_transaction=part["transaction_id"], **expected)
    # The whole has no row of its own.
    refused(blnk.transactions.get(whole["transaction_id"]), 404, "TXN_NOT_FOUND")


@QUEUE
@pytest.mark.parametrize("way", WAYS)
def test_destinations(blnk, books, parties, way, queue):
    ways, cents = WAYS[way]
    whole = ok(books.pay(books.a, parts(parties, ways), "split", amount=100, meta_data={"order": 1}, **queue))
    (made if queue else queued)(whole, 10_000, reference=books.ref("split"), source=books.a, destination=ABSENT, destinations=ANY, meta_data={"order": 1})
    assert [part["distribution"] for part in whole["destinations"]] == ways
    legs(blnk, books, "destination", whole, cents, parties, queue, source=books.a, meta_data={"order": 1})
    assert [books.figures(party)[0] for party in parties] == [10_000 + share for share in cents]


@QUEUE
@pytest.mark.parametrize("way", WAYS)
def test_sources(blnk, books, parties, way, queue):
    ways, cents = WAYS[way]
    whole = ok(books.pay(parts(parties, ways), books.b, "split", amount=100, **queue))
    (made if queue else queued)(whole, 10_000, reference=books.ref("split"), source=ABSENT, sources=ANY, destination=books.b)
    assert [part["distribution"] for part in whole["sources"]] == ways
    legs(blnk, books, "source", whole, cents, parties, queue, destination=books.b)
    assert [books.figures(party)[0] for party in parties] == [10_000 - share for share in cents]
    assert books.figures(books.b) == (10_000, 0, 0)


@QUEUE
@pytest.mark.parametrize("total", [10_000, "10000"], ids=repr)
@pytest.mark.parametrize("way", PRECISE_WAYS)
def test_minor_units(blnk, books, parties, way, total, queue):
    ways, cents = PRECISE_WAYS[way]
    whole = ok(books.pay(books.a, parts(parties, ways, "precise_distribution"), "split", precise_amount=total, **queue))
    (made if queue else queued)(whole, 10_000, source=books.a, destination=ABSENT, destinations=ANY)
    assert [part["precise_distribution"] for part in whole["destinations"]] == ["2000", "3000", "5000"]
    legs(blnk, books, "destination", whole, cents, parties, queue, source=books.a)
    assert [books.figures(party)[0] for party in parties] == [10_000 + share for share in cents]


def test_both_kinds_of_parts(books, parties):
    """The client adds up a percentage, minor units and what is left of them."""
    shares = [{"identifier": parties[0], "distribution": "10%"}, {"identifier": parties[1], "precise_distribution": "2345"},
              {"identifier": parties[2], "distribution": "left"}]
    made(ok(books.pay(books.a, shares, "split", precise_amount=10_000, skip_queue=True)), 10_000, destination=ABSENT, destinations=ANY)
    assert [books.figures(party)[0] for party in parties] == [11_000, 12_345, 16_655]


@QUEUE
def test_names_as_parties(books, queue):
    fee, tax = f"@Fee{books.run}", f"@Tax{books.run}"
    whole = ok(books.pay(books.a, [{"identifier": fee, "distribution": "5%"}, {"identifier": tax, "distribution": "left"}], "split", amount=10, **queue))
    assert [part["identifier"] for part in whole["destinations"]] == [fee, tax]
    if not queue:
        books.find(books.ref("split") + "_2_q")
    assert (books.figures(books.at(fee))[0], books.figures(books.at(tax))[0]) == (50, 950)


@QUEUE
@pytest.mark.parametrize("side", ["source", "destination"])
def test_held(blnk, books, parties, side, queue):
    """Each leg is a hold; the id of the whole commits and gives back all of them (test_inflight.py)."""
    shares = parts(parties, ["20%", "30%", "left"])
    source, destination = (shares, books.b) if side == "source" else (books.b, shares)
    whole = ok(books.pay(source, destination, "split", amount=100, inflight=True, allow_overdraft=True, **queue))
    assert (whole["status"], whole["inflight"]) == ("INFLIGHT" if queue else "QUEUED", True)
    legs(blnk, books, side, whole, [2000, 3000, 5000], parties, queue, inflight=True)
    done = ok(blnk.transactions.update_status(whole["transaction_id"], {"status": "commit", "skip_queue": True}), 200)
    assert done["status"] == "APPLIED"
    assert books.figures(books.b) == (10_000 if side == "source" else -10_000, 0, 0)


@QUEUE
@pytest.mark.parametrize("date, received", [("inflight_expiry_date", 0), ("inflight_commit_date", 5000), ("scheduled_for", 5000)])
def test_dates(books, parties, date, received, queue):
    """In the past, so now: each part is given back, committed or executed."""
    asked = {"inflight": date.startswith("inflight"), date: "2025-01-01T00:00:00Z", **queue}
    whole = ok(books.pay(books.a, parts(parties, ["50%", "left"]), "split", amount=100, **asked))
    assert whole[date] == "2025-01-01T00:00:00Z"
    for place in (1, 2):
        books.find(books.ref("split") + (f"-{place}" if queue else f"_{place}_q"))
    until(lambda: [books.figures(party) for party in parties[:2]] == [(10_000 + received, 0, 0)] * 2)


@QUEUE
@pytest.mark.parametrize("atomic", [True, False])
def test_one_part_without_funds(blnk, books, parties, atomic, queue):
    """One transaction is posted as a whole or not at all, asked for or not."""
    asked = books.pay(parts(parties, ["50", "150", "left"]), books.b, "split", amount=250, atomic=atomic, **queue)
    if queue:
        refused(asked, 400, "TXN_INSUFFICIENT_FUNDS")
        refused(blnk.transactions.get_by_reference(books.ref("split") + "-1"), 404, "TXN_NOT_FOUND")
    else:
        whole = queued(ok(asked), 25_000, source=ABSENT, sources=ANY, atomic=atomic)
        for place, (part, cents) in enumerate(zip(whole["sources"], (5000, 15_000, 5000)), 1):
            leg = read(books.find(books.ref("split") + f"_{place}_q"), cents, status="REJECTED", parent_transaction=part["transaction_id"])
            reason = leg["meta_data"]["blnk_rejection_reason"]
            assert ("insufficient funds" if place == 2 else "another part of the same whole was rejected") in reason
    assert books.figures(books.b) == (0, 0, 0)


def test_objects_of_the_client(blnk, books, parties):
    shares = [MultipleSourcesT(identifier=parties[0], distribution="25%", narration="fee"), MultipleSourcesT(identifier=parties[1], distribution="left")]
    asked = CreateTransactions(amount=4, precision=100, reference=books.ref("dto"), description="test", currency="USD", source=books.a, destinations=shares,
                               skip_queue=True)
    whole = made(ok(blnk.transactions.create(asked)), 400, source=books.a, destination=ABSENT, destinations=ANY)
    fee, rest = (typed(MultipleSourcesT, part) for part in whole["destinations"])
    assert (fee.identifier, fee.distribution, rest.identifier, rest.distribution) == (parties[0], "25%", parties[1], "left")
    assert [books.figures(party)[0] for party in parties] == [10_100, 10_300, 10_000]


def test_the_client_checks_parts_itself(books, parties):
    def pay(ways, **amount):
        return books.pay(books.a, parts(parties, ways), "split", **(amount or {"amount": 100}))

    not_sent(pay(["10", "20", "30"]), "Total distribution sum (60) does not equal the specified amount (100).")
    not_sent(pay(["50%", "60%", "left"]), "Total distribution exceeds the specified amount.")
    not_sent(pay(["left", "left", "10"]), "Multiple 'left' distribution types are not allowed.")
    not_sent(pay(["1e1", "50", "left"]), f"Invalid distribution type for leg: {parties[0]}.")
    # It adds parts in major units to a total in minor ones: what the server would refuse passes, and the other way round.
    not_sent(pay(["20", "30", "50"], precise_amount=10_000), "Total distribution sum (100) does not equal the specified amount (10000).")
    refused(pay(["2000", "3000", "5000"], precise_amount=10_000, skip_queue=True), 400, "TXN_VALIDATION_ERROR")


def test_refused(books, parties):
    """What the client lets pass."""
    nothing = books.pay(books.a, parts(parties, ["100", "0", "left"]), "split", amount=100, skip_queue=True)
    refused(nothing, 400, "TXN_VALIDATION_ERROR")
    twice = books.pay(books.a, parts([parties[0], parties[0]], ["50%", "50%"]), "split", amount=100, skip_queue=True)
    refused(twice, 400, "TXN_INVALID_DISTRIBUTION")
    assert [books.figures(party)[0] for party in parties] == [10_000] * 3
