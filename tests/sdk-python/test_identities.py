"""Identity: every method of the client, and every field of its answers."""
import uuid

import pytest
from answers import JUST_NOW, not_sent, ok, refused, typed
from blnk_sdk.services.identity import Identity
from blnk_sdk.types import identity as types

MISSING = "idt_00000000-0000-4000-8000-000000000000"
ADA = {"identity_type": "individual", "first_name": "Ada", "last_name": "Obi", "other_names": "N", "gender": "female", "email_address": "ada@example.com",
       "phone_number": "+2348012345678", "nationality": "NG", "category": "customer", "street": "1 Main St", "country": "NG", "state": "Lagos",
       "post_code": "100001", "city": "Lagos", "dob": "1990-05-10T00:00:00Z", "meta_data": {"kyc": "tier1"}}


@pytest.fixture
def ada(blnk):
    return ok(blnk.identity.create(ADA))["identity_id"]


def test_every_method_is_called():
    methods = {name for name in vars(Identity) if not name.startswith("_")}
    assert methods == {"create", "get", "list", "update", "delete", "get_tokenized_fields", "tokenize_field", "tokenize", "detokenize_field", "detokenize"}


def test_made_and_read(blnk):
    mine = f"idt_{uuid.uuid4()}"
    made = ok(blnk.identity.create(types.IdentityData(**ADA, identity_id=mine)))
    typed(types.IdentityDataResponse, made)
    assert made == {**ADA, "identity_id": mine, "organization_name": "", "created_at": made["created_at"]} and JUST_NOW == made["created_at"]
    read = ok(blnk.identity.get(mine), 200)
    typed(types.IdentityDataResponse, read)
    assert {**read, "created_at": made["created_at"]} == made
    assert mine in [row["identity_id"] for row in ok(blnk.identity.list(), 200)]
    refused(blnk.identity.create({**ADA, "identity_id": mine}), 400, "IDT_VALIDATION_ERROR")
    refused(blnk.identity.get(MISSING), 404, "IDT_NOT_FOUND")


def test_updated(blnk, ada):
    answer = ok(blnk.identity.update(ada, {"identity_type": "individual", "first_name": "Adaeze", "last_name": "", "meta_data": {"other": 1}}), 200)
    assert answer == {"message": "Identity updated successfully"}
    read = ok(blnk.identity.get(ada), 200)
    assert (read["first_name"], read["last_name"], read["city"], read["meta_data"]) == ("Adaeze", "Obi", "Lagos", {"other": 1})
    refused(blnk.identity.update(MISSING, {"identity_type": "individual", "first_name": "x"}), 404, "IDT_NOT_FOUND")


def test_deleted(blnk, ada):
    answer = ok(blnk.identity.delete(ada), 200)
    typed(types.DeleteIdentityResp, answer)
    assert answer == {"message": "Identity deleted successfully"}
    refused(blnk.identity.get(ada), 404, "IDT_NOT_FOUND")
    refused(blnk.identity.delete(ada), 404, "IDT_NOT_FOUND")


def test_who_owns_a_balance_stays(blnk, ada):
    ledger = ok(blnk.ledgers.create({"name": "identities"}))["ledger_id"]
    ok(blnk.ledger_balances.create({"ledger_id": ledger, "identity_id": ada, "currency": "USD"}))
    refused(blnk.identity.delete(ada), 409, "GEN_CONFLICT")
    assert ok(blnk.identity.get(ada), 200)["first_name"] == "Ada"


def test_one_token(blnk, ada):
    answer = ok(blnk.identity.tokenize_field(ada, "FirstName"), 200)
    typed(types.TokenizeIdentityFieldResp, answer)
    refused(blnk.identity.tokenize_field(ada, "FirstName"), 409, "IDT_FIELD_ALREADY_TOKENIZED")
    refused(blnk.identity.tokenize_field(ada, "first_name"), 400, "IDT_FIELD_NOT_TOKENIZABLE")
    read = ok(blnk.identity.get(ada), 200)
    assert read["first_name"].startswith("FPT:") and read["meta_data"] == {"kyc": "tier1", "tokenized_fields": {"FirstName": True}}
    told = ok(blnk.identity.get_tokenized_fields(ada), 200)
    typed(types.GetTokenizedFieldsResp, told)
    assert told == {"tokenized_fields": ["FirstName"]}
    value = ok(blnk.identity.detokenize_field(ada, "FirstName"), 200)
    typed(types.DetokenizeIdentityFieldResp, value)
    assert value == {"field": "FirstName", "value": "Ada"}
    refused(blnk.identity.detokenize_field(ada, "LastName"), 400, "IDT_FIELD_NOT_TOKENIZED")


def test_every_field_as_a_token(blnk, ada):
    names = list(types.TOKENIZABLE_IDENTITY_FIELDS)
    typed(types.TokenizeIdentityResp, ok(blnk.identity.tokenize(ada, types.TokenizeIdentityData(fields=names)), 200))
    assert sorted(ok(blnk.identity.get_tokenized_fields(ada), 200)["tokenized_fields"]) == sorted(names)
    some = ok(blnk.identity.detokenize(ada, {"fields": ["Street"]}), 200)
    assert some == {"fields": {"Street": "1 Main St"}}
    everything = ok(blnk.identity.detokenize(ada, types.DetokenizeIdentityData(fields=[])), 200)
    typed(types.DetokenizeIdentityResp, everything)
    assert everything["fields"] == {"FirstName": "Ada", "LastName": "Obi", "OtherNames": "N", "EmailAddress": "ada@example.com",
                                    "PhoneNumber": "+2348012345678", "Street": "1 Main St", "PostCode": "100001"}


def test_the_client_refuses_itself(blnk, ada):
    assert blnk.identity.tokenize(ada, {"fields": []}).status == 400
    assert blnk.identity.delete("").status == 400
    not_sent(blnk.identity.create({"first_name": "Ada"}), "identity_type must be individual or organization")
