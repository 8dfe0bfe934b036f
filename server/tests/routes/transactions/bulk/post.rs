use crate::books::{payment, with};
use crate::support::{TestServer, open, settings};
use ledger::limits::{BATCH_ITEMS_MAX, EVENT_ROWS_MAX, SPLIT_LEGS_MAX};
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

/// Parts that make no whole, or a leg that is refused, end the batch at their item like any other refusal.
#[tokio::test]
async fn a_split_item_ends_the_batch() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let good = |reference: &str| payment(&a, &b, json!({"reference": reference}));
    let split = |parts: Value| {
        let fields = json!({"reference": "split", "amount": 10, "destination": null, "destinations": parts});
        payment(&a, "", fields)
    };
    let part = |name: &str, share: &str| json!({"identifier": name, "distribution": share});
    let unfinished = json!([part("@x", "1"), part("@y", "1")]);
    let cases = [
        (
            json!([part("@x", "80%"), part("@y", "30%")]),
            400,
            "GEN_BAD_REQUEST",
            "failed to split transaction: percentages",
        ),
        (json!([part("@x", "x%"), part("@y", "left")]), 400, "GEN_BAD_REQUEST", "failed to split transaction: invalid"),
        (unfinished.clone(), 400, "TXN_INVALID_DISTRIBUTION", "failed to split transaction: the parts are less"),
        (
            json!([part("@x", "-1"), part("@y", "left")]),
            400,
            "TXN_INVALID_AMOUNT",
            "failed to record split transaction 0: ",
        ),
        (
            json!([part("@x", "0%"), part("@y", "left")]),
            400,
            "GEN_BAD_REQUEST",
            "failed to record split transaction 0: ",
        ),
        (
            json!([part("@x", "50%"), part("nobody", "left")]),
            404,
            "TXN_NOT_FOUND",
            "failed to record split transaction 1: Balance with ID 'nobody' not found",
        ),
    ];
    for (index, (parts, status, code, text)) in cases.into_iter().enumerate() {
        for skip_queue in [true, false] {
            // What is wrong with parts is seen at once; the queue tells the rest by rows.
            if !skip_queue && text.contains("record split") && code != "TXN_INVALID_AMOUNT" {
                continue;
            }
            let named = |name: &str| format!("{name} {index} {skip_queue}");
            let items = || vec![good(&named("first")), split(parts.clone()), good(&named("last"))];
            let message = format!(
                "failed to queue transaction 2 (Reference: split, Source: {a}, Destination: , Amount: 10.00): {text}"
            );
            let fields = json!({"atomic": true, "skip_queue": skip_queue});
            server.refuses(ROUTE, batch(items(), fields).to_string(), (status, code, &message)).await;
            let told = server.post("/transactions/bulk", batch(items(), json!({"skip_queue": skip_queue}))).await;
            told.is_error(status, code, &message);
            let batch_id = told.field("batch_id");
            assert_eq!(told.json()["error_detail"]["details"], json!({"batch_id": batch_id}));
            assert!(told.json()["error"].as_str().unwrap().ends_with("Previous transactions were not rolled back."));
            let first = server.get(&format!("/transactions/reference/{}", named("first").replace(' ', "%20"))).await;
            assert_eq!(first.field("parent_transaction"), batch_id);
            let last = server.get(&format!("/transactions/reference/{}", named("last").replace(' ', "%20"))).await;
            assert_eq!(last.status.as_u16(), 404);
        }
    }
    // Fields are looked at before anything is recorded, also those behind it.
    let body = batch(vec![good("one"), split(unfinished.clone()), payment(&a, &b, json!({"currency": ""}))], json!({}));
    let wanted = (400, "TXN_VALIDATION_ERROR", "transactions[2]: currency: cannot be blank");
    server.refuses(ROUTE, body.to_string(), wanted).await;
    // Nothing stands before it.
    let wanted = (400, "TXN_INVALID_DISTRIBUTION", "failed to queue transaction 1 ");
    server.refuses(ROUTE, batch(vec![split(unfinished.clone()), good("two")], json!({})).to_string(), wanted).await;
    // With a key the error is answered again, and with it the batch that was recorded.
    let body = batch(vec![good("three"), split(unfinished.clone())], json!({}));
    let first = server.once("key", "POST", "/transactions/bulk", &body).await;
    let again = server.once("key", "POST", "/transactions/bulk", &body).await;
    first.is_error(400, "TXN_INVALID_DISTRIBUTION", "failed to queue transaction 2 ");
    assert_eq!((&again.text, again.header("Idempotent-Replayed")), (&first.text, Some("true")));
    // Behind its answer it is told as an event.
    let body = batch(vec![good("four"), split(unfinished)], json!({"run_async": true}));
    let told = server.post("/transactions/bulk", body).await;
    assert_eq!((told.status.as_u16(), told.field("status").as_str()), (202, "processing"));
    let events = server.get("/events?limit=1000").await.json();
    let last = events["events"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (&last["event"], &last["data"]["batch_id"]),
        (&json!("bulk_transaction.failed"), &told.json()["batch_id"])
    );
    assert!(last["data"]["error"].as_str().unwrap().contains("failed to split transaction: the parts are less"));
}

/// A batch has half as many legs and items as a record has rows, as each may make two; what is beyond is not even expanded.
#[tokio::test]
async fn a_batch_has_not_too_many_legs() {
    let server = open();
    let split = |index: usize| {
        let part = |leg: usize| json!({"identifier": format!("@{leg}"), "precise_distribution": "1"});
        let parts: Value = (0..SPLIT_LEGS_MAX).map(part).collect();
        let fields = json!({"amount": null, "precise_amount": SPLIT_LEGS_MAX, "reference": format!("s{index}"), "destination": null, "destinations": parts, "allow_overdraft": true});
        payment("@from", "", fields)
    };
    let count = EVENT_ROWS_MAX / 2 / SPLIT_LEGS_MAX;
    let mut items: Vec<Value> = (0..count).map(split).collect();
    let told = server.post("/transactions/bulk", batch(items.clone(), json!({"dry_run": true}))).await;
    assert_eq!((told.status.as_u16(), &told.json()["would_apply"]), (200, &json!(true)));
    items.push(payment("@from", "@to", json!({"reference": "one more"})));
    let wanted = (400, "TXN_BULK_LIMIT_EXCEEDED", "too many legs; max is 20000");
    for more in [0, 5] {
        items.extend((count..count + more).map(split));
        server.refuses(ROUTE, batch(items.clone(), json!({})).to_string(), wanted).await;
    }
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
