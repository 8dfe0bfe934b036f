use crate::books::payment;
use crate::support::open;
use serde_json::json;
use server::api::inflight::BULK_ITEMS_MAX;

const ROUTE: (&str, &str) = ("POST", "/transactions/inflight/bulk/commit");
const NOTHING: &str = "txn_00000000-0000-4000-8000-000000000000";

/// Each item has its own outcome, in order; one that fails does not hold up the others.
#[tokio::test]
async fn items_are_independent() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let (one, two) = (server.hold(&a, &b, "one").await, server.hold(&a, &b, "two").await);
    let posted = server.post("/transactions", payment(&a, &b, json!({}))).await.field("transaction_id");
    let item = |id: &str| json!({"transaction_id": id});
    let body = json!({"skip_queue": true, "transactions": [
        item(&one), item(&one), item(NOTHING), {"transaction_id": two, "amount": 10.01}, {"transaction_id": two, "precise_amount": -1},
        {"transaction_id": two, "amount": -1}, {"transaction_id": two, "amount": 0.001}, item(&posted), null, {"transaction_id": two, "amount": 4},
        {"transaction_id": two, "amount": 6.01}, {"transaction_id": two, "precise_amount": 0}, item(&two),
    ]});
    let failed = |id: &str, code: &str, message: &str| json!({"transaction_id": id, "status": "failed", "code": code, "message": message});
    let committed = "cannot commit. Transaction already committed";
    server.post(ROUTE.1, body).await.is(
        200,
        json!({"succeeded": 3, "failed": 10, "results": [
            {"transaction_id": "<txn 1>", "status": "succeeded"},
            failed("<txn 1>", "ALREADY_COMMITTED", committed),
            failed("<txn 2>", "NOT_FOUND", "NOT_FOUND: Transaction with ID '<txn 2>' not found"),
            failed("<txn 3>", "INVALID_AMOUNT", "cannot commit more than the original transaction amount. Original: USD10.00, Requested: USD10.01"),
            failed("<txn 3>", "INTERNAL_ERROR", "precise_amount cannot be negative"),
            failed("<txn 3>", "INTERNAL_ERROR", "commit amount cannot be negative"),
            failed("<txn 3>", "INVALID_AMOUNT", "amount rounds to nothing at the precision of the transaction"),
            failed("<txn 4>", "NOT_INFLIGHT", "transaction is not in inflight status"),
            failed("", "NOT_FOUND", "NOT_FOUND: Transaction with ID '' not found"),
            {"transaction_id": "<txn 3>", "status": "succeeded"},
            failed("<txn 3>", "INVALID_AMOUNT", "cannot commit more than the remaining amount. Available: USD0.00, Requested: USD6.01"),
            {"transaction_id": "<txn 3>", "status": "succeeded"},
            failed("<txn 3>", "ALREADY_COMMITTED", committed),
        ]}),
    );
    assert_eq!(server.figures(&b).await, [2100, 2100, 0, 0, 0]);
}

#[tokio::test]
async fn through_the_queue_and_by_any_id() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let asked = server
        .post("/transactions", payment(&a, &b, json!({"inflight": true, "skip_queue": null})))
        .await
        .field("transaction_id");
    let items = [payment(&a, &b, json!({"reference": "item"}))];
    let batch = server
        .post("/transactions/bulk", json!({"transactions": items, "inflight": true, "skip_queue": true}))
        .await
        .field("batch_id");
    let parts = json!([{"identifier": "@x", "distribution": "50%"}, {"identifier": "@y", "distribution": "50%"}]);
    let split =
        payment(&a, "", json!({"destination": null, "destinations": parts, "inflight": true, "reference": "split"}));
    let split = server.post("/transactions", split).await.field("transaction_id");
    let body = json!({"transactions": [{"transaction_id": asked}, {"transaction_id": batch}, {"transaction_id": split}, {"transaction_id": "x"}]});
    let queued = |id: &str| json!({"transaction_id": id, "status": "queued", "code": "QUEUED"});
    server.post(ROUTE.1, body).await.is(
        200,
        json!({"succeeded": 3, "failed": 1, "results": [
            queued("<txn 1>"), queued("<bulk 1>"), queued("<txn 2>"),
            {"transaction_id": "x", "status": "failed", "code": "NOT_FOUND", "message": "NOT_FOUND: Transaction with ID 'x' not found"},
        ]}),
    );
    assert_eq!(server.figures(&a).await, [9700, 10_000, 300, 0, 0]);
}

#[tokio::test]
async fn refusals() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let hold = server.hold(&a, &b, "hold").await;
    let many = |count: usize| json!({"transactions": vec![json!({"transaction_id": NOTHING}); count]}).to_string();
    for body in ["{}", r#"{"transactions": []}"#, r#"{"transactions": null}"#] {
        server.refuses(ROUTE, body, (400, "TXN_BULK_EMPTY", "transactions cannot be empty")).await;
    }
    server
        .refuses(ROUTE, many(BULK_ITEMS_MAX + 1), (400, "TXN_BULK_LIMIT_EXCEEDED", "too many transactions; max is 100"))
        .await;
    assert_eq!(server.ask("POST", ROUTE.1, many(BULK_ITEMS_MAX)).await.json()["failed"], BULK_ITEMS_MAX);
    for item in [
        json!(3),
        json!("x"),
        json!({"transaction_id": 3}),
        json!({"precise_amount": 1.5}),
        json!({"amount": "1"}),
        json!([]),
    ] {
        // A body that is wrong anywhere does nothing.
        let body = json!({"transactions": [{"transaction_id": hold}, item]}).to_string();
        server.refuses(ROUTE, body, (400, "GEN_MALFORMED_REQUEST", "")).await;
    }
}
