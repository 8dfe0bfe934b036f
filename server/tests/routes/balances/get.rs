use crate::support::open;
use serde_json::json;
use server::http::paging::PAGE_ROWS_MAX;

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
    assert_eq!(told.json()[0]["version"], 1);
}

/// More than a page may have is asked for: as many as it may have are told.
#[tokio::test]
async fn pages_have_an_end() {
    let server = crate::support::TestServer::with_segments(crate::support::settings(&[]), 16 << 20);
    let item = |number: usize| {
        json!({"amount": 1, "currency": "USD", "reference": number.to_string(), "description": "d",
        "source": "@World", "destination": format!("@{number}"), "allow_overdraft": true})
    };
    let items: Vec<_> = (0..PAGE_ROWS_MAX).map(item).collect();
    let told = server.post("/transactions/bulk", json!({"transactions": items, "skip_queue": true})).await;
    assert_eq!(told.status.as_u16(), 201, "{}", told.text);
    for path in ["/balances?limit=10001", "/balances?limit=10000", "/transactions?limit=10001"] {
        assert_eq!(server.get(path).await.json().as_array().map(Vec::len), Some(PAGE_ROWS_MAX), "{path}");
    }
}

/// What the two kinds of list tell of a balance is what reading it alone tells.
#[tokio::test]
async fn rows_of_lists_are_complete() {
    let server = open();
    let ledger = server.post("/ledgers", json!({"name": "L"})).await.field("ledger_id");
    let owner = server.post("/identities", json!({"first_name": "Ada"})).await.field("identity_id");
    for (tracked, strategy) in [(true, "LIFO"), (true, "FIFO"), (false, "PROPORTIONAL")] {
        let body = json!({"ledger_id": ledger, "currency": "USD", "identity_id": owner, "meta_data": {"k": 1},
            "track_fund_lineage": tracked, "allocation_strategy": strategy});
        let id = server.post("/balances", body).await.field("balance_id");
        let pay = crate::books::payment("@World", &id, json!({"reference": id, "allow_overdraft": true}));
        assert_eq!(server.post("/transactions", pay).await.status.as_u16(), 201);
        let alone = server.get(&format!("/balances/{id}")).await.json();
        assert_eq!(
            (&alone["version"], &alone["track_fund_lineage"], &alone["allocation_strategy"]),
            (&json!(2), &json!(tracked), &json!(strategy))
        );
        let mine = json!({"filters": [{"field": "balance_id", "operator": "eq", "value": id}]});
        assert_eq!(server.post("/balances/filter", mine).await.json(), json!([alone]));
        assert_eq!(server.get(&format!("/balances?balance_id_eq={id}")).await.json(), json!([alone]));
        let listed = server.get("/balances").await.json();
        assert!(listed.as_array().unwrap().contains(&alone), "{listed}");
    }
    let plain = server.balance().await;
    let listed = server.get(&format!("/balances?balance_id_eq={plain}")).await.json();
    assert_eq!(listed[0].get("allocation_strategy"), None, "the usual strategy of an untracked balance is not listed");
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
