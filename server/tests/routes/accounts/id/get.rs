use super::super::post::owned;
use crate::support::open;
use serde_json::{Value, json};

#[tokio::test]
async fn reads_an_account_with_what_is_asked_for() {
    let server = open();
    let (owner, balance) = owned(&server, json!({"first_name": "Ada", "meta_data": {"k": 1}})).await;
    let made = server.post("/accounts", json!({"balance_id": balance, "number": "1"})).await;
    let path = format!("/accounts/{}", made.field("account_id"));
    assert_eq!(server.get(&path).await.json(), made.json());
    assert_eq!(server.get(&format!("{path}?include=balance,identity&include=x")).await.json(), made.json());
    let told = server.get(&format!("{path}?include=balance&include=identity&include=ledger")).await.json();
    assert_eq!(told["balance"], server.get(&format!("/balances/{balance}")).await.json());
    assert_eq!(told["identity"], server.get(&format!("/identities/{owner}")).await.json());
    assert_eq!(told["ledger"], server.get("/ledgers/general_ledger_id").await.json());
    let one = server.get(&format!("{path}?include=ledger")).await.json();
    assert_eq!((&one["balance"], &one["identity"]), (&Value::Null, &Value::Null));
    assert_eq!(one["ledger"], told["ledger"]);
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let server = open();
    let (_, balance) = owned(&server, json!({})).await;
    let id = server.post("/accounts", json!({"balance_id": balance})).await.field("account_id");
    for id in ["x", "acc_00000000-0000-4000-8000-000000000000", &id.replace("acc_", "bln_"), &format!("{id}0")] {
        let told = server.get(&format!("/accounts/{id}")).await;
        told.is_error(404, "ACC_NOT_FOUND", &format!("account with ID '{id}' not found"));
    }
}
