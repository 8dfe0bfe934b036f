use crate::support::open;
use serde_json::json;

#[tokio::test]
async fn the_newest_come_first_a_page_at_a_time() {
    let server = open();
    assert_eq!(server.get("/balances").await.text, "[]");
    let mut ids = Vec::new();
    for _ in 0..12 {
        ids.insert(0, server.balance().await);
    }
    for (query, wanted) in
        [("", &ids[..10]), ("?limit=2&offset=1", &ids[1..3]), ("?limit=10000", &ids[..]), ("?offset=11", &ids[11..])]
    {
        let told = server.get(&format!("/balances{query}")).await.json();
        let told: Vec<&str> =
            told.as_array().unwrap().iter().map(|balance| balance["balance_id"].as_str().unwrap()).collect();
        assert_eq!(told, wanted, "{query}");
    }
    let told = server.get("/balances?limit=1").await;
    assert_eq!((&told.json()[0]["version"], &told.json()[0]["allocation_strategy"]), (&json!(1), &json!("FIFO")));
}

#[tokio::test]
async fn pages_are_numbers() {
    let server = open();
    for query in ["limit=0", "limit=-1", "limit=x", "limit=1.5"] {
        let wanted = (400, "GEN_VALIDATION_ERROR", "invalid limit value");
        server.refuses(("GET", &format!("/balances?{query}")), "", wanted).await;
    }
    for query in ["offset=-1", "offset=x"] {
        let wanted = (400, "GEN_VALIDATION_ERROR", "invalid offset value");
        server.refuses(("GET", &format!("/balances?{query}")), "", wanted).await;
    }
}
