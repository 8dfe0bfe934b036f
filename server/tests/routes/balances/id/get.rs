use crate::support::open;
use serde_json::json;

#[tokio::test]
async fn reads_a_balance_with_what_is_asked_for() {
    let server = open();
    let identity =
        server.post("/identities", json!({"first_name": "Ada", "meta_data": {"k": 1}})).await.field("identity_id");
    let ledger = server.post("/ledgers", json!({"name": "L"})).await.field("ledger_id");
    let made = server.post("/balances", json!({"ledger_id": ledger, "currency": "USD", "identity_id": identity})).await;
    let path = format!("/balances/{}", made.field("balance_id"));
    assert_eq!(server.get(&path).await.json(), made.json());
    assert_eq!(
        server.get(&format!("{path}?from_source=true&with_queued=yes&include=ledger,identity")).await.json(),
        made.json()
    );
    let told = server.get(&format!("{path}?include=identity&include=ledger&with_queued=true")).await.json();
    assert_eq!((&told["identity"]["first_name"], &told["identity"]["meta_data"]), (&json!("Ada"), &json!({"k": 1})));
    assert_eq!(
        (&told["ledger"]["name"], &told["queued_debit_balance"], &told["queued_credit_balance"]),
        (&json!("L"), &json!(0), &json!(0))
    );
    let ownerless = server.balance().await;
    assert_eq!(server.get(&format!("/balances/{ownerless}?include=identity")).await.json()["identity"], json!(null));
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let server = open();
    let id = server.balance().await;
    for id in [
        "x",
        "bln_00000000-0000-4000-8000-000000000000",
        &id.to_uppercase(),
        &format!("{id}0"),
        &id.replace("bln_", "txn_"),
    ] {
        let message = format!("Balance with ID '{id}' not found");
        let told = server.get(&format!("/balances/{id}")).await;
        told.is_error(404, "BAL_NOT_FOUND", &message);
        assert_eq!(told.json()["error_detail"]["details"], json!({}));
    }
}
