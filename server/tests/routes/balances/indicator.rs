//! `GET /balances/indicator/{indicator}/currency/{currency}`.

use crate::support::open;
use serde_json::json;

#[tokio::test]
async fn finds_exactly_that_one() {
    let server = open();
    let body =
        json!({"ledger_id": "general_ledger_id", "currency": "US D", "indicator": "@cash&é", "meta_data": {"k": 1}});
    let made = server.post("/balances", body).await;
    let told = server.get("/balances/indicator/%40cash&%C3%A9/currency/US%20D").await;
    assert_eq!((told.status.as_u16(), told.json()), (200, made.json()));
    for path in ["@Cash&%C3%A9/currency/US%20D", "@cash&%C3%A9/currency/us%20D", "@cash/currency/none"] {
        let told = server.get(&format!("/balances/indicator/{path}")).await;
        told.is_error(404, "BAL_NOT_FOUND", "balance with indicator '@");
        assert_eq!(told.json()["error_detail"]["details"], json!(null));
    }
}
