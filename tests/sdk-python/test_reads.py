"""Transactions.get, get_by_reference and list, Search.filter of transactions, and Transactions.recover_queue."""
import pytest
from answers import ANY, not_sent, ok, read, refused, transaction, typed
from blnk_sdk.types.list_options import ListOptions
from blnk_sdk.types.search import FilterCondition, FilterParams, FilterResponse
from blnk_sdk.types.transactions import RecoverQueueRequest, RecoverQueueResponse
from books import Books

UNKNOWN = "txn_00000000-0000-4000-8000-000000000000"


# -- one ---------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["plain", "with space", "ü+%25#?&=", "a.b,c;d:e@f"])
def test_by_reference(blnk, books, name):
    paid = ok(books.pay(books.a, books.b, name, amount=1, skip_queue=True))
    found = blnk.transactions.get_by_reference(books.ref(name))
    read(ok(found, 200), 100, transaction_id=paid["transaction_id"], reference=books.ref(name), status="APPLIED", source=books.a, destination=books.b)
    assert ok(blnk.transactions.get(paid["transaction_id"]), 200) == found.data


def test_a_slash_in_a_reference(blnk, books):
    """As it has always been: a slash, encoded or not, ends a part of the path, and there is no such page. The id still leads to it."""
    paid = ok(books.pay(books.a, books.b, "in/voice", amount=1, skip_queue=True))
    assert blnk.transactions.get_by_reference(books.ref("in/voice")).status == 404
    read(ok(blnk.transactions.get(paid["transaction_id"]), 200), 100, reference=books.ref("in/voice"), status="APPLIED")


def test_missing(blnk, books):
    for response, text in ((blnk.transactions.get(UNKNOWN), f"Transaction with ID '{UNKNOWN}' not found"),
                           (blnk.transactions.get_by_reference(books.ref("no")), f"Transaction with reference '{books.ref('no')}' not found")):
        error = refused(response, 404, "TXN_NOT_FOUND")
        assert (error.message, error.details) == (text, {})
    not_sent(blnk.transactions.get(""), "transaction id is required")
    not_sent(blnk.transactions.get_by_reference(""), "reference is required")


# -- many --------------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def payments(blnk):
    """Five payments of 1.00 to 5.00, named 0 to 4."""
    books = Books(blnk)
    for name in range(5):
        ok(books.pay(books.a, books.b, str(name), amount=name + 1, skip_queue=True, effective_date=f"2025-02-1{name}T00:00:00Z",
                     meta_data={"shop": f"shop{name % 2}", "size": name, "hot": name > 2}))
    return books


def listed(row, cents, **expected):
    """In lists the business date stands, too."""
    return transaction(row, cents, status="APPLIED", **expected)


@pytest.mark.parametrize("options", [{"limit": 100}, {"limit": 100, "offset": 0}, ListOptions(limit=100)], ids=str)
def test_list(blnk, payments, options):
    rows = [row for row in ok(blnk.transactions.list(options), 200) if row["reference"].endswith(payments.run)]
    assert [row["reference"] for row in rows] == [payments.ref(name) for name in ("4", "3", "2", "1", "0", "funds")]
    for name, row in zip((4, 3, 2, 1, 0), rows):
        listed(row, 100 * name + 100, source=payments.a, destination=payments.b, effective_date=f"2025-02-1{name}T00:00:00Z",
               meta_data={"shop": f"shop{name % 2}", "size": name, "hot": name > 2})


def test_pages(blnk, books):
    many = [books.body(books.a, books.b, str(place), precise_amount=1) for place in range(25)]
    ok(blnk.transactions.create_bulk({"transactions": many, "skip_queue": True}))
    assert [len(ok(blnk.transactions.list(options), 200)) for options in (None, {}, {"offset": 1}, {"limit": 3}, {"limit": 24})] == [20, 20, 20, 3, 24]
    assert ok(blnk.transactions.list({"limit": 5, "offset": 1_000_000_000}), 200) == []
    for bad, text in (({"limit": 0}, "limit"), ({"offset": -1}, "offset"), ({"page": 1}, "page")):
        response = blnk.transactions.list(bad)
        assert response.status == 400 and response.error is None and text in response.message


def f(field, operator, *values):
    wanted = {} if operator.startswith("is") else {"values": list(values)} if operator in ("in", "between") else {"value": values[0]}
    return {"field": field, "operator": operator, **wanted}


FILTERS = [
    (f("amount", "eq", 3), "2"), (f("amount", "ne", 3), "0134"), (f("amount", "gt", 3), "34"), (f("amount", "gte", 3), "234"), (f("amount", "lt", 3), "01"),
    (f("amount", "lte", 3), "012"), (f("amount", "in", 1, 5, 9), "04"), (f("amount", "between", 2, 3), "12"),
    (f("description", "like", "te%"), "01234"), (f("description", "like", "TE%"), ""), (f("description", "ilike", "TE%"), "01234"),
    (f("status", "eq", "APPLIED"), "01234"), (f("status", "ne", "APPLIED"), ""), (f("currency", "in", "EUR", "USD"), "01234"),
    (f("effective_date", "between", "2025-02-11T00:00:00Z", "2025-02-12T00:00:00Z"), "12"), (f("effective_date", "lt", "2025-02-12T00:00:00Z"), "01"),
    (f("created_at", "gt", "2025-02-12T00:00:00Z"), "01234"), (f("effective_date", "isnull"), ""), (f("effective_date", "isnotnull"), "01234"),
    (f("meta_data.shop", "eq", "shop1"), "13"), (f("meta_data.size", "gte", 3), "34"), (f("meta_data.hot", "eq", True), "34"),
    (f("meta_data.none", "isnull"), "01234"),
]


@pytest.mark.parametrize("condition, names", FILTERS, ids=str)
def test_filter(blnk, payments, condition, names):
    mine = f("source", "eq", payments.a)
    asked = {"filters": [mine, condition], "sort_by": "reference", "sort_order": "asc"}
    rows = ok(blnk.search.filter(asked, "transactions"), 200)
    assert [row["reference"] for row in rows] == [payments.ref(name) for name in names]
    for name, row in zip(names, rows):
        listed(row, 100 * int(name) + 100, source=payments.a, destination=payments.b, effective_date=f"2025-02-1{name}T00:00:00Z", meta_data=ANY)


def test_filter_options(blnk, payments):
    """Without a count the answer is a list; with one it is what the client's type says."""
    mine = {"filters": [f("source", "eq", payments.a)]}

    def names(more):
        answer = ok(blnk.search.filter({**mine, **more}, "transactions"), 200)
        return "".join(row["reference"][0] for row in (answer["data"] if more.get("include_count") else answer))

    assert names({}) == names({"sort_by": "created_at", "sort_order": "desc"}) == "43210"
    assert names({"sort_by": "amount", "sort_order": "asc", "limit": 2, "offset": 1}) == "12"
    assert names({"include_count": False}) == names({"include_count": True}) == names({"logical_operator": "and"}) == "43210"
    either = [f("reference", "eq", payments.ref("1")), f("reference", "eq", payments.ref("3"))]
    assert names({"filters": either, "logical_operator": "or"}) == "31"
    assert names({"filters": either, "logical_operator": "and"}) == ""
    assert len(ok(blnk.search.filter({"filters": [], "limit": 3}, "transactions"), 200)) == 3

    asked = FilterParams(filters=[FilterCondition(field="source", operator="eq", value=payments.a), FilterCondition(field="amount", operator="in", values=[1, 2])],
                         logical_operator="and", sort_by="amount", sort_order="desc", include_count=True, limit=1, offset=1)
    counted = typed(FilterResponse, ok(blnk.search.filter(asked, "transactions"), 200))
    assert ([row["reference"] for row in counted.data], counted.total_count) == ([payments.ref("0")], 2)


def test_filter_refused(blnk, payments):
    refused(blnk.search.filter({"filters": [f("colour", "eq", 1)]}, "transactions"), 400, "GEN_BAD_REQUEST")
    refused(blnk.search.filter({"filters": [f("precise_amount", "gt", 400)]}, "transactions"), 400, "GEN_BAD_REQUEST")
    refused(blnk.search.filter({"filters": [f("amount", "eq", "much")]}, "transactions"), 400, "GEN_BAD_REQUEST")
    not_sent(blnk.search.filter({"filters": [f("amount", "equals", 1)]}, "transactions"), "filters[0].operator must be a supported filter operator")
    not_sent(blnk.search.filter({"filters": [], "limit": 101}, "transactions"), "limit must be an integer between 1 and 100 if provided")


# -- recovery ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("options, threshold", [
    (None, "2m0s"), ({}, "2m0s"), ({"threshold": "5m"}, "5m0s"), ({"threshold": "24h"}, "24h0m0s"), ({"threshold": "1h30m"}, "1h30m0s"),
    ({"threshold": "1.5h"}, "1h30m0s"), ({"threshold": "90s"}, "1m30s"), ({"threshold": "500ms"}, "500ms"), ({"threshold": "20µs"}, "20µs"),
    (RecoverQueueRequest(threshold="10m"), "10m0s")], ids=str)
def test_recover(blnk, options, threshold):
    """Nothing is ever stuck here: what is accepted is in the journal, and executed from there."""
    answer = ok(blnk.transactions.recover_queue() if options is None else blnk.transactions.recover_queue(options), 200)
    typed(RecoverQueueResponse, answer)
    assert answer == {"recovered": 0, "threshold": threshold}


def test_recover_refused(blnk):
    for bad in ("soon", "5", ""):
        not_sent(blnk.transactions.recover_queue({"threshold": bad}), "threshold must be a valid duration string (e.g. 5m, 1h).")
    not_sent(blnk.transactions.recover_queue({"limit": 1}), "Invalid field: limit")
    # The client lets spaces around it pass.
    refused(blnk.transactions.recover_queue({"threshold": " 5m "}), 400, "GEN_VALIDATION_ERROR")
