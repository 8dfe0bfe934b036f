"""That nothing of the client is left out: a version with another method, another input or another field in an answer fails here.

The client lacks, though the server has it: `overdraft_limit` of a transaction (test_transactions.py sends it all the same), filters on
`list` (Search.filter has them), and types of its own for what get, list and filter answer: they are CreateTransactionResponse.
"""
import inspect
import os
import re
import typing

import pytest
from blnk_sdk.services import balance_monitors, identity, ledger_balances, ledgers, metadata, search, transactions
from blnk_sdk.types import transactions as types
from blnk_sdk.types.base import DTO
from blnk_sdk.types.list_options import ListOptions
from blnk_sdk.types.metadata import UpdateMetadataData
from blnk_sdk.types.search import FilterCondition, FilterParams

FOLDER = os.path.dirname(os.path.abspath(__file__))
METHODS = {
    transactions.Transactions: {
        "create": "test_transactions.py", "update_status": "test_inflight.py", "refund": "test_refunds.py", "get": "test_reads.py", "list": "test_reads.py",
        "get_by_reference": "test_reads.py", "get_lineage": "test_lineage.py", "recover_queue": "test_reads.py", "bulk_commit_inflight": "test_inflight.py",
        "bulk_void_inflight": "test_inflight.py", "create_bulk": "test_bulk.py"},
    search.Search: {"filter": "test_reads.py", "search": "test_today.py", "multi_search": "test_today.py"},
    metadata.Metadata: {"update": "test_metadata.py"},
    ledgers.Ledgers: dict.fromkeys(["create", "get", "list", "update"], "test_balances.py"),
    ledger_balances.LedgerBalances: {
        "create": "test_balances.py", "get": "test_balances.py", "list": "test_balances.py", "get_by_indicator": "test_balances.py",
        "update_identity": "test_metadata.py", "create_snapshot": "test_history.py", "get_at": "test_history.py", "get_lineage": "test_lineage.py"},
    identity.Identity: dict.fromkeys(
        ["create", "get", "list", "update", "delete", "get_tokenized_fields", "tokenize_field", "tokenize", "detokenize_field", "detokenize"],
        "test_identities.py"),
    balance_monitors.BalanceMonitor: dict.fromkeys(["create", "get", "list", "list_by_balance_id", "update", "delete"], "test_monitors.py"),
}
# What the client calls them, where that is not the name in small letters.
NAMES = {ledger_balances.LedgerBalances: "ledger_balances", balance_monitors.BalanceMonitor: "balance_monitor"}
# Of Search, but not of transactions.
ELSEWHERE = {"start_reindex", "get_reindex_status"}
INPUTS = {
    types.CreateTransactions: ["test_transactions.py", "test_splits.py", "test_dry_run.py"], types.MultipleSourcesT: ["test_splits.py"],
    types.UpdateTransactionStatus: ["test_inflight.py", "test_dry_run.py"], types.RefundTransactionRequest: ["test_refunds.py", "test_dry_run.py"],
    types.BulkTransactions: ["test_bulk.py", "test_dry_run.py"], types.BulkCommitInflightItem: ["test_inflight.py"],
    types.BulkCommitInflightRequest: ["test_inflight.py", "test_dry_run.py"], types.BulkVoidInflightRequest: ["test_inflight.py", "test_dry_run.py"],
    types.RecoverQueueRequest: ["test_reads.py"], ListOptions: ["test_reads.py"], FilterParams: ["test_reads.py"], FilterCondition: ["test_reads.py"],
    UpdateMetadataData: ["test_metadata.py"],
}
# Answers whose every field is read: by `transaction` of answers.py, or by `typed` where they come.
ANSWERS = {types.CreateTransactionResponse, types.BulkTransactionResponse, types.BulkCommitInflightResponse, types.BulkCommitInflightResult,
           types.BulkVoidInflightResponse, types.BulkVoidInflightResult, types.RecoverQueueResponse, types.TransactionPreview,
           types.BulkTransactionPreview, types.PreviewRejection, types.BalanceProjection, types.LegProjection, types.TransactionLineageResponse}


def text(*files):
    return "".join(open(os.path.join(FOLDER, name), encoding="utf-8").read() for name in files)


@pytest.mark.parametrize("service", METHODS, ids=lambda service: service.__name__)
def test_every_method_is_called(service):
    found = {name for name, _ in inspect.getmembers(service, inspect.isfunction) if not name.startswith("_")}
    assert found - ELSEWHERE == METHODS[service].keys()
    for name, file in METHODS[service].items():
        called = f"blnk.{NAMES.get(service, service.__name__.lower())}.{name}("
        assert called in text(file, "books.py"), f"{called} is not called in {file}"


def test_no_other_service_reaches_transactions():
    """Their paths stand in the sources of the services."""
    places = os.path.dirname(inspect.getfile(transactions))
    files = {name for name in os.listdir(places) if name.endswith(".py")} - {"__init__.py"}
    assert {name for name in files if re.search(r"""["'](transactions|refund-transaction)""", text(os.path.join(places, name)))} == {"transactions.py"}


@pytest.mark.parametrize("kind", INPUTS, ids=lambda kind: kind.__name__)
def test_every_input_is_sent(kind):
    sent = text(*INPUTS[kind])
    missing = [name for name in typing.get_type_hints(kind) if not re.search(rf'"{name}"|\b{name}=', sent)]
    assert not missing, f"{kind.__name__}: {missing} not in {INPUTS[kind]}"


def test_every_answer_is_read():
    named = {kind for kind in vars(types).values() if isinstance(kind, type) and issubclass(kind, DTO) and kind.__module__ == types.__name__}
    assert named - INPUTS.keys() == ANSWERS
    everything = text("answers.py", "test_bulk.py", "test_inflight.py", "test_reads.py", "test_dry_run.py", "test_lineage.py")
    for kind in ANSWERS:
        read = rf"(typed|outcome\(answer), (\w+, )?{kind.__name__}|typed\({kind.__name__}"
        assert re.search(read, everything), kind.__name__
        missing = [name for name in typing.get_type_hints(kind) if f'"{name}"' not in everything]
        assert not missing, f"{kind.__name__}: {missing} not read"
