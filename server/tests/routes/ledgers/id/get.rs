use crate::support::{NOW, open};
use serde_json::json;

#[tokio::test]
async fn reads_a_ledger() {
    let server = open();
    let id = server.post("/ledgers", json!({"name": "A", "meta_data": {"k": [1]}})).await.field("ledger_id");
    let told = server.get(&format!("/ledgers/{id}")).await;
    told.is(200, json!({"ledger_id": "<ldg 1>", "name": "A", "created_at": NOW, "meta_data": {"k": [1]}}));
    assert_eq!(told.field("ledger_id"), id);
}

#[tokio::test]
async fn there_is_a_general_ledger() {
    let told = open().get("/ledgers/general_ledger_id").await.json();
    assert_eq!((&told["name"], &told["meta_data"]), (&json!("General Ledger"), &json!({})));
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let server = open();
    let id = server.post("/ledgers", json!({"name": "A"})).await.field("ledger_id");
    for id in [
        "x",
        "ldg_",
        "ldg_00000000-0000-4000-8000-000000000000",
        &id.to_uppercase(),
        &format!("{id}0"),
        &"x".repeat(9000),
    ] {
        let told = server.get(&format!("/ledgers/{id}")).await;
        told.is(404, json!({"error": "Ledger not found", "error_detail": {"code": "LGR_NOT_FOUND", "message": "Ledger not found", "details": {}}}));
    }
}
