use crate::support::open;
use serde_json::json;

#[tokio::test]
async fn the_balance_of_an_alias_is_found() {
    let server = open();
    let balance = server.balance().await;
    server.put(&format!("/balances/{balance}/alias"), json!({"alias": "grüße-1"})).await;
    let told = server.get("/balances/alias/gr%C3%BC%C3%9Fe-1").await;
    assert_eq!((told.status.as_u16(), told.field("balance_id")), (200, balance));
    let told = server.get("/balances/alias/nobody").await;
    told.is_error(404, "BAL_NOT_FOUND", "balance with alias 'nobody' not found");
}
