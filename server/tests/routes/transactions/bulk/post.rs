use crate::books::{payment, with};
use crate::support::{TestServer, open, settings};
use ledger::limits::BATCH_ITEMS_MAX;
use serde_json::{Value, json};

const ROUTE: (&str, &str) = ("POST", "/transactions/bulk");

fn batch(items: Vec<Value>, fields: Value) -> Value {
    with(json!({"transactions": items, "skip_queue": true}), fields)
}

#[tokio::test]
async fn records_items_in_order() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let items = |prefix: &str| {
        (1..=3).map(|item| payment(&a, &b, json!({"reference": format!("{prefix}{item}"), "amount": item}))).collect()
    };
    let told = server.post("/transactions/bulk", batch(items("i"), json!({"unknown": 1}))).await;
    told.is(201, json!({"batch_id": "<bulk 1>", "status": "applied", "transaction_count": 3}));
    let third = server.get("/transactions/reference/i3").await.json();
    assert_eq!(
        (&third["parent_transaction"], &third["meta_data"]),
        (&json!(told.field("batch_id")), &json!({"sequence": 3}))
    );
    assert_eq!(server.figures(&b).await, [600, 600, 0, 0, 0]);
    let told = server.post("/transactions/bulk", batch(items("h"), json!({"inflight": true, "atomic": true}))).await;
    told.is(201, json!({"batch_id": "<bulk 1>", "status": "inflight", "transaction_count": 3}));
    let told = server.post("/transactions/bulk", batch(items("r"), json!({"run_async": true}))).await;
    told.is(
        202,
        json!({"batch_id": "<bulk 1>", "status": "processing", "message": "Bulk transaction processing started"}),
    );
    let told = server.post("/transactions/bulk", batch(items("q"), json!({"skip_queue": false}))).await;
    told.is(201, json!({"batch_id": "<bulk 1>", "status": "applied", "transaction_count": 3}));
    assert_eq!(server.figures(&b).await, [1800, 1800, 0, 600, 0]);
}

/// Atomic: nothing is left of it. Otherwise what came before the failed item stays.
#[tokio::test]
async fn an_item_is_refused() {
    let server = open();
    let (a, b) = (server.funded(300).await, server.balance().await);
    let items = || {
        (1..=3)
            .map(|item| payment(&a, &b, json!({"reference": format!("i{item}"), "amount": item})))
            .collect::<Vec<_>>()
    };
    let atomic = batch(items(), json!({"atomic": true}));
    let message = "failed to queue transaction 3 (Reference: i3, Source: <bln 1>, Destination: <bln 2>, Amount: 3.00): failed to apply \
                   transaction to balances: insufficient funds in source balance. All transactions in this batch have been refused.";
    let before = server.counts().await;
    let told = server.post("/transactions/bulk", atomic.clone()).await;
    let detail = json!({"code": "TXN_INSUFFICIENT_FUNDS", "message": message, "details": {"batch_id": "<bulk 1>"}});
    told.is(400, json!({"batch_id": "<bulk 1>", "error": message, "error_detail": detail}));
    assert_eq!((server.counts().await, server.figures(&b).await), (before, [0, 0, 0, 0, 0]));
    let told = server.post("/transactions/bulk", batch(items(), json!({}))).await;
    told.is_error(400, "TXN_INSUFFICIENT_FUNDS", "Previous transactions were not rolled back.");
    assert_eq!(server.figures(&b).await, [300, 300, 0, 0, 0]);
    assert_eq!(server.get("/transactions/reference/i3").await.status.as_u16(), 404);
}

#[tokio::test]
async fn refusals_of_an_item_leave_nothing() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let good = payment(&a, "@new", json!({"reference": "good"}));
    for (fields, status, code) in [
        (json!({"reference": "good"}), 409, "TXN_DUPLICATE_REFERENCE"),
        (json!({"destination": "nobody"}), 404, "TXN_NOT_FOUND"),
        (json!({"amount": 1000}), 400, "TXN_INSUFFICIENT_FUNDS"),
        (json!({"amount": 1000, "overdraft_limit": 1}), 400, "GEN_BAD_REQUEST"),
        (json!({"amount": 0.001}), 400, "GEN_BAD_REQUEST"),
        (json!({"currency": "EUR"}), 400, "GEN_BAD_REQUEST"),
    ] {
        let body = batch(vec![good.clone(), payment(&a, &b, fields)], json!({"atomic": true})).to_string();
        server.refuses(ROUTE, body, (status, code, "failed to queue transaction 2 ")).await;
    }
    assert_eq!(server.post("/transactions", good).await.status.as_u16(), 201, "the reference is free");
}

#[tokio::test]
async fn wrong_items_are_named() {
    let server = open();
    let good = payment("@a", "@b", json!({"allow_overdraft": true}));
    let invalid = "TXN_VALIDATION_ERROR";
    for (item, text) in [
        (Value::Null, "transactions[1] is required"),
        (
            json!({"reference": "x"}),
            "transactions[1]: amount: either amount or precise_amount is required; currency: cannot be blank",
        ),
        (
            payment("@a", "@a", json!({})),
            "transactions[1]: destination: source and destination cannot be the same balance.",
        ),
        (payment("@a", "@b", json!({"dry_run": true})), "transactions[1]: dry_run: belongs to the batch"),
    ] {
        let body = batch(vec![good.clone(), item, Value::Null], json!({}));
        server.refuses(ROUTE, body.to_string(), (400, invalid, text)).await;
        let told = server.post("/transactions/bulk", body).await.json();
        assert_eq!(
            (&told["error_detail"]["details"], &told["errors"]),
            (&json!({"index": 1}), &told["error_detail"]["message"])
        );
    }
    let malformed = "GEN_MALFORMED_REQUEST";
    for transactions in [json!(3), json!({}), json!("x"), json!([3]), json!([[]]), json!([{"amount": "1"}])] {
        let body = json!({"transactions": transactions}).to_string();
        server.refuses(ROUTE, body, (400, malformed, "Invalid request body: ")).await;
    }
    let body = batch(vec![payment("@a", "@b", json!({"effective_date": "soon"}))], json!({})).to_string();
    server.refuses(ROUTE, body, (400, malformed, "Invalid request body: effective_date")).await;
}

#[tokio::test]
async fn a_batch_has_items_and_not_too_many() {
    let server = TestServer::with_segments(settings(&[]), 16 << 20);
    for body in ["{}", r#"{"transactions": []}"#, r#"{"transactions": null}"#] {
        server.refuses(ROUTE, body, (400, "TXN_BULK_EMPTY", "transactions cannot be empty")).await;
    }
    let item = |number: usize| payment("@a", "@b", json!({"reference": number.to_string(), "allow_overdraft": true}));
    let mut items: Vec<Value> = (0..=BATCH_ITEMS_MAX).map(item).collect();
    let wanted = (400, "TXN_BULK_LIMIT_EXCEEDED", "too many transactions; max is 10000");
    server.refuses(ROUTE, batch(items.clone(), json!({})).to_string(), wanted).await;
    items.pop();
    let told = server.post("/transactions/bulk", batch(items, json!({}))).await;
    told.is(201, json!({"batch_id": "<bulk 1>", "status": "applied", "transaction_count": 10_000}));
    assert_eq!(server.counts().await.transactions, 10_000);
}
