use crate::support::open;
use serde_json::json;
use server::api::inflight::BULK_ITEMS_MAX;

const ROUTE: (&str, &str) = ("POST", "/transactions/inflight/bulk/void");

#[tokio::test]
async fn items_are_independent() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let (one, two) = (server.hold(&a, &b, "one").await, server.hold(&a, &b, "two").await);
    server.put(&format!("/transactions/inflight/{two}"), json!({"status": "commit"})).await;
    let void = |skip_queue: bool| json!({"transaction_ids": [one, two, "x", null], "skip_queue": skip_queue});
    let failed = |id: &str, code: &str, message: &str| json!({"transaction_id": id, "status": "failed", "code": code, "message": message});
    let wanted = |succeeded: usize, first, committed| {
        json!({"succeeded": succeeded, "failed": 4 - succeeded, "results": [
            first,
            failed("<txn 2>", "ALREADY_COMMITTED", committed),
            failed("x", "NOT_FOUND", "NOT_FOUND: Transaction with ID 'x' not found"),
            failed("", "NOT_FOUND", "NOT_FOUND: Transaction with ID '' not found"),
        ]})
    };
    let done = json!({"transaction_id": "<txn 1>", "status": "succeeded"});
    server.post(ROUTE.1, void(true)).await.is(200, wanted(1, done, "cannot void. Transaction already committed"));
    let again = failed("<txn 1>", "ALREADY_VOIDED", "transaction has already been voided");
    server.post(ROUTE.1, void(false)).await.is(200, wanted(0, again, "cannot commit. Transaction already committed"));
    assert_eq!(server.figures(&a).await, [9000, 10_000, 1000, 0, 0]);
}

#[tokio::test]
async fn refusals() {
    let server = open();
    let many = |count: usize| json!({"transaction_ids": vec!["x"; count]}).to_string();
    for body in ["{}", r#"{"transaction_ids": []}"#] {
        server.refuses(ROUTE, body, (400, "TXN_BULK_EMPTY", "transaction_ids cannot be empty")).await;
    }
    server
        .refuses(
            ROUTE,
            many(BULK_ITEMS_MAX + 1),
            (400, "TXN_BULK_LIMIT_EXCEEDED", "too many transaction_ids; max is 100"),
        )
        .await;
    assert_eq!(server.ask("POST", ROUTE.1, many(BULK_ITEMS_MAX)).await.json()["failed"], BULK_ITEMS_MAX);
    for ids in [json!("x"), json!([3]), json!([{}])] {
        server.refuses(ROUTE, json!({"transaction_ids": ids}).to_string(), (400, "GEN_MALFORMED_REQUEST", "")).await;
    }
}
