"""Metadata.update of everything that has metadata, and LedgerBalances.update_identity."""
import uuid

from answers import ok, refused, typed
from blnk_sdk.types import ledger_balances
from blnk_sdk.types.metadata import UpdateMetadataData, UpdateMetadataResp

MISSING = "00000000-0000-4000-8000-000000000000"


def update(blnk, thing, **keys):
    told = ok(blnk.metadata.update(thing, UpdateMetadataData(meta_data=keys)), 200)
    typed(UpdateMetadataResp, told)
    return told["meta_data"]


def test_metadata_of_a_transaction(blnk, books):
    """Only what was given is answered; the row has both."""
    paid = ok(books.pay(books.a, books.b, "pay", amount=1, skip_queue=True, meta_data={"order": 1}))["transaction_id"]
    assert update(blnk, paid, more=2) == {"more": 2}
    assert ok(blnk.transactions.get(paid), 200)["meta_data"] == {"order": 1, "more": 2}


def test_metadata_of_a_hold_counts_for_its_commit(blnk, books):
    held = ok(books.pay(books.a, books.b, "hold", amount=1, skip_queue=True, inflight=True))["transaction_id"]
    commit = ok(blnk.transactions.update_status(held, {"status": "commit", "skip_queue": True}), 200)["transaction_id"]
    update(blnk, held, seen=True)
    assert ok(blnk.transactions.get(commit), 200)["meta_data"]["seen"] is True


def test_metadata_of_ledgers_balances_and_identities(blnk, books):
    ledger = ok(blnk.ledgers.create({"name": "books", "meta_data": {"a": 1}}))["ledger_id"]
    assert update(blnk, ledger, a=2, b=[1]) == {"a": 2, "b": [1]}
    assert update(blnk, books.a, colour="blue") == {"colour": "blue"}
    assert update(blnk, books.a, size=5) == {"colour": "blue", "size": 5}
    identity = ok(blnk.identity.create({"identity_type": "individual", "first_name": "Ada", "last_name": "Obi", "category": "test",
                                        "meta_data": {"kyc": 1}}))["identity_id"]
    assert update(blnk, identity, vip=True) == {"kyc": 1, "vip": True}
    assert ok(blnk.identity.get(identity), 200)["meta_data"] == {"kyc": 1, "vip": True}
    assert ok(blnk.identity.get(identity), 200)["first_name"] == "Ada"


def test_what_is_not_there_has_no_metadata(blnk):
    for prefix in ["ldg", "bln", "idt", "txn", "bulk"]:
        refused(blnk.metadata.update(f"{prefix}_{MISSING}", {"meta_data": {"a": 1}}), 404, "META_ENTITY_NOT_FOUND")
    refused(blnk.metadata.update("nonsense", {"meta_data": {"a": 1}}), 400, "META_INVALID_ENTITY_ID")


def test_a_balance_has_another_owner(blnk, books):
    identity = ok(blnk.identity.create({"identity_type": "individual", "first_name": "Ada", "last_name": uuid.uuid4().hex, "category": "test"}))
    told = ok(blnk.ledger_balances.update_identity(books.a, {"identity_id": identity["identity_id"]}), 200)
    typed(ledger_balances.UpdateBalanceIdentityResponse, told)
    assert told == {"message": "Balance identity updated successfully"}
    assert ok(blnk.ledger_balances.get(books.a), 200)["identity_id"] == identity["identity_id"]
    refused(blnk.ledger_balances.update_identity(books.a, {"identity_id": f"idt_{MISSING}"}), 404, "BAL_NOT_FOUND")
