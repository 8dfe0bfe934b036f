use crate::support::{NOW, open};
use serde_json::json;

#[tokio::test]
async fn gives_another_name_and_changes_nothing_else() {
    let server = open();
    let id = server.post("/ledgers", json!({"name": "A", "meta_data": {"k": 1}})).await.field("ledger_id");
    let wanted = json!({"ledger_id": "<ldg 1>", "name": "B", "created_at": NOW, "meta_data": {"k": 1}});
    let path = format!("/ledgers/{id}");
    server.put(&path, json!({"name": "B", "meta_data": {"k": 2}})).await.is(200, wanted.clone());
    server.get(&path).await.is(200, wanted);
    let told = server.put("/ledgers/general_ledger_id", json!({"name": "Main"})).await;
    assert_eq!((told.status.as_u16(), told.field("name").as_str()), (200, "Main"));
}

#[tokio::test]
async fn refusals() {
    let server = open();
    let route = ("PUT", "/ledgers/general_ledger_id");
    server.refuses(route, "{}", (400, "GEN_VALIDATION_ERROR", "name: cannot be blank.")).await;
    let long = json!({"name": "n".repeat(4097)}).to_string();
    server.refuses(route, long, (400, "GEN_VALIDATION_ERROR", "name: cannot be longer")).await;
    server.refuses(("PUT", "/ledgers/x"), r#"{"name": "B"}"#, (404, "LGR_NOT_FOUND", "Ledger not found")).await;
    assert_eq!(server.get("/ledgers/general_ledger_id").await.field("name"), "General Ledger");
}
