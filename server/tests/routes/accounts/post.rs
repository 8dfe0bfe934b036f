use crate::support::{TestServer, open, settings};
use ledger::limits::{ACCOUNT_NUMBER_BYTES_MAX, BANK_NAME_BYTES_MAX, METADATA_BYTES_MAX};
use serde_json::{Value, json};

/// The ids of an identity with this body, and of a balance that it owns.
pub async fn owned(server: &TestServer, owner: Value) -> (String, String) {
    let owner = server.post("/identities", owner).await.field("identity_id");
    let body = json!({"ledger_id": "general_ledger_id", "currency": "USD", "identity_id": owner});
    let balance = server.post("/balances", body).await.field("balance_id");
    (owner, balance)
}

#[tokio::test]
async fn makes_an_account() {
    let server = open();
    let (owner, balance) = owned(&server, json!({"first_name": "Ada", "last_name": "Obi"})).await;
    let body = json!({"balance_id": balance, "number": "0123", "bank_name": "First <Bank>", "meta_data": {"n": 9007199254740993u64}});
    let told = server.post("/accounts", body).await;
    let wanted = json!({"account_id": told.field("account_id"), "name": "Ada Obi", "number": "0123", "bank_name": "First <Bank>",
        "currency": "USD", "balance_id": balance, "identity_id": owner, "ledger_id": "general_ledger_id", "ledger": null,
        "balance": null, "identity": null, "created_at": crate::support::NOW, "meta_data": {"n": 9007199254740993u64}});
    assert_eq!((told.status.as_u16(), told.json()), (201, wanted));
    assert!(told.field("account_id").starts_with("acc_"));
    let company = json!({"identity_type": "organization", "organization_name": "Acme", "first_name": "x"});
    let (_, balance) = owned(&server, company).await;
    let told = server.post("/accounts", json!({"balance_id": balance})).await;
    assert_eq!(
        (told.field("name"), told.field("number"), told.json()["meta_data"].clone()),
        ("Acme".into(), "".into(), json!(null))
    );
}

/// The owner of the balance goes before the one that is asked for.
#[tokio::test]
async fn the_owner_is_that_of_the_balance() {
    let server = open();
    let (ada, balance) = owned(&server, json!({"first_name": "Ada", "last_name": "Obi"})).await;
    let (other, _) = owned(&server, json!({"first_name": "Ben", "last_name": "Ng"})).await;
    let told = server.post("/accounts", json!({"balance_id": balance, "identity_id": other, "number": "1"})).await;
    assert_eq!((told.field("identity_id"), told.field("name")), (ada, "Ada Obi".into()));
    let ownerless = server.balance().await;
    let told = server.post("/accounts", json!({"balance_id": ownerless, "identity_id": other, "number": "2"})).await;
    assert_eq!((told.field("identity_id"), told.field("name")), (other, "Ben Ng".into()));
    let body = json!({"balance_id": ownerless, "number": "3"});
    server.post("/accounts", body).await.is_error(404, "GEN_NOT_FOUND", "Identity with ID '' not found");
}

#[tokio::test]
async fn numbers_are_given_once() {
    let server = open();
    let (_, balance) = owned(&server, json!({"first_name": "Ada"})).await;
    for number in ["0123", ""] {
        let body = json!({"balance_id": balance, "number": number});
        assert_eq!(server.post("/accounts", body.clone()).await.status.as_u16(), 201);
        let told = server.post("/accounts", body).await;
        told.is_error(409, "ACC_DUPLICATE", "an account with this number exists already");
    }
    assert_eq!(server.get("/accounts").await.json().as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn bad_input_is_refused_by_field() {
    let server = open();
    let (owner, balance) = owned(&server, json!({"first_name": "Ada"})).await;
    let nothing = "currency: currency is required when Balance ID is not provided; identity_id: Identity ID is required when \
                   Balance ID is not provided; ledger_id: Ledger ID is required when Balance ID is not provided.";
    let both = "currency: either Currency or BalanceId must be provided, not both; ledger_id: either LedgerId or BalanceId must \
                be provided, not both.";
    let long = |bytes: usize| "x".repeat(bytes);
    for (body, text) in [
        (json!({}), nothing.to_owned()),
        (json!({"balance_id": balance, "ledger_id": "x", "currency": "USD"}), both.to_owned()),
        (
            json!({"balance_id": balance, "number": long(ACCOUNT_NUMBER_BYTES_MAX + 1)}),
            format!("number: cannot be longer than {ACCOUNT_NUMBER_BYTES_MAX} bytes."),
        ),
        (
            json!({"balance_id": balance, "bank_name": long(BANK_NAME_BYTES_MAX + 1)}),
            format!("bank_name: cannot be longer than {BANK_NAME_BYTES_MAX} bytes."),
        ),
        (
            json!({"balance_id": balance, "meta_data": {"k": long(METADATA_BYTES_MAX)}}),
            format!("meta_data: cannot be longer than {METADATA_BYTES_MAX} bytes."),
        ),
    ] {
        let told = server.post("/accounts", body).await;
        assert_eq!((told.status.as_u16(), told.code().as_str()), (400, "GEN_VALIDATION_ERROR"), "{}", told.text);
        assert_eq!(told.json()["errors"], text);
    }
    let missing = "bln_00000000-0000-4000-8000-000000000000";
    for id in ["x", missing] {
        let told = server.post("/accounts", json!({"balance_id": id, "identity_id": owner})).await;
        told.is_error(404, "GEN_NOT_FOUND", &format!("Balance with ID '{id}' not found"));
    }
    let body = json!({"ledger_id": "general_ledger_id", "identity_id": owner, "currency": "USD"});
    server.post("/accounts", body).await.is_error(404, "GEN_NOT_FOUND", "Balance with ID '' not found");
    for body in ["{not json", "", "{\"balance_id\": 5}"] {
        let told = server.ask("POST", "/accounts", body).await;
        assert_eq!((told.status.as_u16(), told.code().as_str()), (400, "GEN_MALFORMED_REQUEST"), "{body}");
    }
    assert_eq!(server.get("/accounts").await.text, "[]", "nothing was made");
    let body = json!({"balance_id": balance, "number": long(ACCOUNT_NUMBER_BYTES_MAX), "bank_name": long(BANK_NAME_BYTES_MAX)});
    assert_eq!(server.post("/accounts", body).await.status.as_u16(), 201);
}

#[tokio::test]
async fn accounts_outlive_a_crash() {
    let server = open();
    let (_, balance) = owned(&server, json!({"first_name": "Ada", "last_name": "Obi"})).await;
    let body = json!({"balance_id": balance, "number": "7", "meta_data": {"k": 1}});
    let made = server.post("/accounts", body.clone()).await.json();
    let server = server.crashed(settings(&[]));
    assert_eq!(server.get(&format!("/accounts/{}", made["account_id"].as_str().unwrap())).await.json(), made);
    assert_eq!(server.post("/accounts", body).await.code(), "ACC_DUPLICATE");
}
