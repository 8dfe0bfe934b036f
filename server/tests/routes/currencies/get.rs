use crate::support::open;
use serde_json::{Value, json};

#[tokio::test]
async fn lists_what_is_registered_by_code() {
    let server = open();
    assert_eq!(server.get("/currencies").await.json(), json!([]));
    server.balance().await;
    for code in ["USD", "BTC", "JPY", "EUR"] {
        server.post("/currencies", json!({"code": code, "scale": 2})).await;
    }
    let codes = async |path: &str| -> Vec<Value> {
        server.get(path).await.json().as_array().unwrap().iter().map(|one| one["code"].clone()).collect()
    };
    assert_eq!(codes("/currencies").await, ["BTC", "EUR", "JPY", "USD"]);
    assert_eq!(codes("/currencies?limit=2&offset=1").await, ["EUR", "JPY"]);
    assert_eq!(codes("/currencies?offset=4").await, [] as [&str; 0]);
    for (query, text) in
        [("limit=0", "invalid limit value"), ("limit=x", "invalid limit value"), ("offset=-1", "invalid offset value")]
    {
        server.refuses(("GET", &format!("/currencies?{query}")), "", (400, "GEN_VALIDATION_ERROR", text)).await;
    }
}
