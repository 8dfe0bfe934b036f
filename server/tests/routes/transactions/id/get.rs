use crate::books::payment;
use crate::support::{NOW, open};
use serde_json::json;

#[tokio::test]
async fn reads_a_transaction() {
    let server = open();
    let (a, b) = (server.funded(1000).await, server.balance().await);
    let body = payment(
        &a,
        &b,
        json!({"meta_data": {"k": 1, "inflight": true, "allow_overdraft": true}, "effective_date": "2024-02-03T04:05:06Z"}),
    );
    let id = server.post("/transactions", body).await.field("transaction_id");
    let zero = "0001-01-01T00:00:00Z";
    // Metadata that the server writes itself is not taken from callers.
    server.get(&format!("/transactions/{id}")).await.is(
        200,
        json!({
            "precise_amount": 100, "amount": 1, "precision": 100, "overdraft_limit": 0, "transaction_id": "<txn 1>", "parent_transaction": "",
            "source": "<bln 1>", "destination": "<bln 2>", "reference": "pay", "currency": "USD", "description": "test", "status": "APPLIED",
            "hash": "<hash>", "allow_overdraft": false, "inflight": false, "skip_queue": false, "atomic": false, "created_at": NOW,
            "scheduled_for": zero, "inflight_expiry_date": zero, "inflight_commit_date": zero, "meta_data": {"k": 1},
        }),
    );
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let server = open();
    let a = server.funded(1000).await;
    let id = server.get("/transactions").await.json()[0]["transaction_id"].as_str().unwrap().to_owned();
    for id in [
        "x",
        "txn_00000000-0000-4000-8000-000000000000",
        "txn_ffffffff-ffff-ffff-ffff-ffffffffffff",
        &id.to_uppercase(),
        &format!("{id}0"),
        &a,
        // Words of other routes with other methods.
        "recover",
        "bulk",
        "filter",
    ] {
        let told = server.get(&format!("/transactions/{id}")).await;
        told.is_error(404, "TXN_NOT_FOUND", &format!("Transaction with ID '{id}' not found"));
    }
}
