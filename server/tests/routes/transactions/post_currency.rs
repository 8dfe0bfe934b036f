//! Transactions in registered currencies.

use crate::books::{payment, with};
use crate::support::{TestServer, open, settings};
use serde_json::{Value, json};

const ROUTE: (&str, &str) = ("POST", "/transactions");

/// A server with US dollars of three digits: not the two that payments say.
async fn with_mills() -> TestServer {
    let server = open();
    assert_eq!(server.post("/currencies", json!({"code": "USD", "scale": 3})).await.status.as_u16(), 201);
    server
}

/// Amount in minor units and precision of what was recorded.
async fn recorded(server: &TestServer, reference: &str) -> Value {
    let told = server.get(&format!("/transactions/reference/{reference}")).await.json();
    json!([told["precise_amount"], told["precision"], told["amount"]])
}

fn from_world(fields: Value) -> Value {
    with(payment("@world", "@a", json!({"precision": null, "allow_overdraft": true})), fields)
}

#[tokio::test]
async fn a_precision_that_is_left_out_is_the_registered_one() {
    let server = with_mills().await;
    for (reference, fields, wanted) in [
        ("major", json!({"amount": 19.9996}), json!([20_000, 1000, 20])),
        ("zero", json!({"amount": 1.5, "precision": 0}), json!([1_500, 1000, 1.5])),
        ("minor", json!({"amount": null, "precise_amount": 7}), json!([7, 1000, 0.007])),
        ("given", json!({"amount": 0.5, "precision": 1000}), json!([500, 1000, 0.5])),
        ("small", json!({"amount": 0.4, "skip_queue": false}), json!([400, 1000, 0.4])),
        // Registered currencies alone have a precision of their own.
        ("other", json!({"amount": 1.6, "currency": "EUR"}), json!([2, 1, 2])),
    ] {
        let told = server.post(ROUTE.1, from_world(with(fields, json!({"reference": reference})))).await;
        assert_eq!(told.status.as_u16(), 201, "{reference}: {}", told.text);
        assert_eq!(recorded(&server, reference).await, wanted, "{reference}");
        assert_eq!(told.json()["precise_amount"], wanted[0], "{reference}");
    }
    let told =
        server.post(ROUTE.1, from_world(json!({"amount": null, "precise_amount": 7, "reference": "text"}))).await;
    assert_eq!(told.json()["amount_string"], "0.007");
    // The registry outlives a crash, and a restart.
    let mut server = server.crashed(settings(&[]));
    for reference in ["crash", "restart"] {
        server.post(ROUTE.1, from_world(json!({"amount": 1.25, "reference": reference}))).await;
        assert_eq!(recorded(&server, reference).await, json!([1_250, 1000, 1.25]), "{reference}");
        server = server.restarted(settings(&[]));
    }
}

#[tokio::test]
async fn the_overdraft_limit_has_it_too() {
    let server = with_mills().await;
    let body =
        |amount: f64| payment("@poor", "@a", json!({"precision": null, "overdraft_limit": 1.5, "amount": amount}));
    server.post(ROUTE.1, body(1.501)).await.is_error(
        400,
        "TXN_VALIDATION_ERROR",
        "transaction exceeds overdraft limit",
    );
    assert_eq!(server.post(ROUTE.1, body(1.5)).await.status.as_u16(), 201);
}

#[tokio::test]
async fn amounts_beyond_what_can_be_recorded_are_named() {
    let server = open();
    server.post("/currencies", json!({"code": "USD", "scale": 18})).await;
    for (fields, text) in [
        (json!({"amount": 1e21}), "amount: amount cannot have more than 15 significant digits"),
        (json!({"overdraft_limit": 1e21}), "overdraft_limit: is beyond what can be recorded."),
    ] {
        server.refuses(ROUTE, from_world(fields.clone()).to_string(), (400, "TXN_VALIDATION_ERROR", text)).await;
        let batch = json!({"transactions": [from_world(json!({"reference": "one"})), from_world(fields)]});
        let text = format!("transactions[1]: {text}");
        server.refuses(("POST", "/transactions/bulk"), batch.to_string(), (400, "TXN_VALIDATION_ERROR", &text)).await;
    }
    assert_eq!(server.post(ROUTE.1, from_world(json!({"amount": 1}))).await.json()["precise_amount"], 10u64.pow(18));
}

#[tokio::test]
async fn another_precision_is_refused() {
    let server = with_mills().await;
    let body = from_world(json!({"precision": 100}));
    let text = "precision: it is not that of the registered currency USD";
    server.refuses(ROUTE, body.to_string(), (400, "TXN_VALIDATION_ERROR", text)).await;
    let batch = json!({"transactions": [body], "skip_queue": true}).to_string();
    server.refuses(("POST", "/transactions/bulk"), batch, (400, "TXN_VALIDATION_ERROR", text)).await;
    let told = server.post(ROUTE.1, with(body, json!({"skip_queue": false, "reference": "q"}))).await;
    assert_eq!((told.status.as_u16(), told.field("status").as_str()), (201, "QUEUED"));
    let child = server.get("/transactions/reference/q_q").await.json();
    let reason = json!("the precision is not that of the registered currency");
    assert_eq!((&child["status"], &child["meta_data"]["blnk_rejection_reason"]), (&json!("REJECTED"), &reason));
}

#[tokio::test]
async fn splits_and_batches() {
    let server = with_mills().await;
    let parts = json!([{"identifier": "@a", "distribution": "0.0015"}, {"identifier": "@b", "distribution": "left"}]);
    let split = |reference: &str, mode: bool| {
        let fields = json!({"amount": 0.01, "destination": null, "destinations": parts, "reference": reference, "skip_queue": mode});
        from_world(fields)
    };
    let told = server.post(ROUTE.1, split("s", true)).await;
    assert_eq!(
        (told.status.as_u16(), &told.json()["precise_amount"], &told.json()["precision"]),
        (201, &json!(10), &json!(1000)),
        "{}",
        told.text
    );
    assert_eq!([recorded(&server, "s-1").await[0].clone(), recorded(&server, "s-2").await[0].clone()], [1, 9]);
    let items = json!([
        from_world(json!({"amount": 0.25, "reference": "i1", "overdraft_limit": 1000})),
        split("i2", true),
        from_world(json!({"amount": 0.5, "precision": 1000, "reference": "i3"})),
        from_world(json!({"amount": 3, "currency": "EUR", "reference": "i4"})),
        from_world(json!({"amount": null, "precise_amount": 5, "reference": "i5"})),
    ]);
    let told = server.post("/transactions/bulk", json!({"transactions": items, "skip_queue": true})).await;
    assert_eq!(told.status.as_u16(), 201, "{}", told.text);
    for (reference, wanted) in [
        ("i1", json!([250, 1000, 0.25])),
        ("i2-1", json!([1, 1000, 0.001])),
        ("i2-2", json!([9, 1000, 0.009])),
        ("i3", json!([500, 1000, 0.5])),
        ("i4", json!([3, 1, 3])),
        ("i5", json!([5, 1000, 0.005])),
    ] {
        assert_eq!(recorded(&server, reference).await, wanted, "{reference}");
    }
    let told = server.post("/transactions/bulk", json!({"skip_queue": true, "transactions": [payment("@poor", "@a", json!({"precision": null, "amount": 0.25, "reference": "p"}))]})).await;
    told.is_error(400, "TXN_INSUFFICIENT_FUNDS", "Amount: 0.25)");
}

/// What was recorded before is told as it was recorded.
#[tokio::test]
async fn a_known_request_keeps_its_precision() {
    let server = open();
    let body = from_world(json!({"amount": null, "precise_amount": 7, "skip_queue": false}));
    let split = |amount: Value| {
        let parts = json!([{"identifier": "@a", "distribution": "50%"}, {"identifier": "@b", "distribution": "left"}]);
        with(body.clone(), with(amount, json!({"destination": null, "destinations": parts, "reference": "split"})))
    };
    let asked = [body.clone(), split(json!({"amount": 4, "precise_amount": null}))];
    let mut before = Vec::new();
    for (key, body) in ["one", "two"].iter().zip(&asked) {
        before.push(server.once(key, "POST", ROUTE.1, body).await.text);
    }
    server.post("/currencies", json!({"code": "USD", "scale": 3})).await;
    assert_eq!(server.post(ROUTE.1, body.clone()).await.text, before[0]);
    for ((key, body), before) in ["one", "two"].iter().zip(&asked).zip(&before) {
        assert_eq!(&server.once(key, "POST", ROUTE.1, body).await.text, before);
    }
}
