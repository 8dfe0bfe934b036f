"""BalanceMonitor: every method of the client, every field and operator, and every answer."""
import inspect
import typing

import pytest
from answers import not_sent, ok, refused
from blnk_sdk.services.balance_monitors import BalanceMonitor
from blnk_sdk.types.balance_monitor import DeleteBalanceMonitorResp, MonitorCondition, MonitorData, MonitorDataResp

MISSING = "mon_00000000-0000-4000-8000-000000000000"
FIELDS = ["debit_balance", "credit_balance", "balance", "inflight_debit_balance", "inflight_credit_balance", "inflight_balance"]


def condition(field="balance", operator=">", value=1000, precision=100):
    return {"field": field, "operator": operator, "value": value, "precision": precision}


def shown(answer, balance, wanted, **more):
    """Reads every field of a monitor: those of the client's type, and what the server adds."""
    threshold = {**wanted, "precise_value": wanted["value"] * wanted["precision"]}
    assert answer["condition"] == threshold
    assert {name: answer.get(name) for name in ("balance_id", "description")} == {"balance_id": balance, "description": more.get("description")}
    assert answer["monitor_id"].startswith("mon_") and answer["created_at"].endswith("Z")
    assert "call_back_url" not in answer and set(answer) <= set(typing.get_type_hints(MonitorDataResp))
    return answer["monitor_id"]


def test_life_of_a_monitor(blnk, books):
    data = MonitorData(balance_id=books.a, condition=MonitorCondition(**condition()), description="over", call_back_url="https://example.com/x")
    monitor = shown(ok(blnk.balance_monitor.create(data)), books.a, condition(), description="over")
    shown(ok(blnk.balance_monitor.get(monitor), 200), books.a, condition(), description="over")
    changed = {"balance_id": books.b, "description": "low", "condition": condition("credit_balance", "<=", 20)}
    assert ok(blnk.balance_monitor.update(monitor, changed), 200) == {"message": "BalanceMonitor updated successfully"}
    shown(ok(blnk.balance_monitor.get(monitor), 200), books.b, changed["condition"], description="low")
    gone = ok(blnk.balance_monitor.delete(monitor), 200)
    assert gone == {"message": "BalanceMonitor deleted successfully"} and set(gone) == set(typing.get_type_hints(DeleteBalanceMonitorResp))
    refused(blnk.balance_monitor.get(monitor), 404, "BAL_MONITOR_NOT_FOUND")
    refused(blnk.balance_monitor.delete(monitor), 404, "BAL_MONITOR_NOT_FOUND")
    refused(blnk.balance_monitor.update(monitor, changed), 404, "BAL_MONITOR_NOT_FOUND")


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("operator", [">", "<", ">=", "<=", "=", "!="])
def test_fields_and_operators(blnk, books, field, operator):
    wanted = condition(field, operator, -5, 1000)
    shown(ok(blnk.balance_monitor.create({"balance_id": books.a, "condition": wanted})), books.a, wanted)


def test_lists(blnk, books):
    assert ok(blnk.balance_monitor.list_by_balance_id(books.a), 200) == []
    made = [shown(ok(blnk.balance_monitor.create({"balance_id": books.a, "condition": condition(value=n)})), books.a, condition(value=n)) for n in (1, 2)]
    listed = ok(blnk.balance_monitor.list_by_balance_id(books.a), 200)
    assert [one["monitor_id"] for one in listed] == made
    everything = {one["monitor_id"]: one for one in ok(blnk.balance_monitor.list(), 200)}
    assert [everything[monitor] for monitor in made] == listed
    assert ok(blnk.balance_monitor.list_by_balance_id("bln_00000000-0000-4000-8000-000000000000"), 200) == []


def test_refused(blnk, books):
    missing = {"balance_id": "bln_00000000-0000-4000-8000-000000000000", "condition": condition()}
    refused(blnk.balance_monitor.create(missing), 400, "GEN_BAD_REQUEST")
    for wrong in (condition("colour"), condition(value=10.5), condition(value=0), condition(precision=-1)):
        refused(blnk.balance_monitor.create({"balance_id": books.a, "condition": wrong}), 400, "GEN_VALIDATION_ERROR")
    refused(blnk.balance_monitor.get(MISSING), 404, "BAL_MONITOR_NOT_FOUND")
    not_sent(blnk.balance_monitor.delete(""), "monitor id is required")


def test_every_method_is_called():
    names = {name for name, _ in inspect.getmembers(BalanceMonitor, inspect.isfunction) if not name.startswith("_")}
    own = open(__file__, encoding="utf-8").read()
    assert names and all(f"blnk.balance_monitor.{name}(" in own for name in names), names
