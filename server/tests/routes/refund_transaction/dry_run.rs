//! `POST /refund-transaction/{id}` as a dry run.

use crate::books::{payment, with};
use crate::support::open;
use serde_json::{Value, json};

fn path(id: &str) -> String {
    format!("/refund-transaction/{id}")
}

#[tokio::test]
async fn says_what_would_be_given_back() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    for (reference, skip_queue) in [("1", true), ("2", false)] {
        let body = payment(&a, &b, json!({"amount": 5, "reference": reference}));
        let id = server.post("/transactions", body).await.field("transaction_id");
        let body = json!({"skip_queue": skip_queue});
        let (told, done) = server.said_and_done("POST", &path(&id), body.clone()).await;
        let told = told.json();
        let wanted = json!({
            "dry_run": true, "would_apply": true, "status": "APPLIED", "reference": format!("{id}_refund"), "currency": "USD", "amount": 5,
            "precise_amount": "500", "precision": 100, "notes": [format!("projected refund of transaction {id}")],
        });
        assert_eq!(with(told.clone(), json!({"balances": null})), wanted);
        assert_eq!(told["balances"].as_array().unwrap().len(), 2);
        assert_eq!((&told["balances"][0]["balance_id"], &told["balances"][0]["role"]), (&json!(b), &json!("source")));
        assert_eq!(told["reference"], done.json()["reference"]);
        // It was given back now.
        let (told, done) = server.said_and_done("POST", &path(&id), body).await;
        let told = told.json();
        assert_eq!(
            (&told["would_apply"], &told["balances"], &told["status"]),
            (&json!(false), &json!([]), &Value::Null)
        );
        assert_eq!(
            (&told["rejection"]["code"], &told["rejection"]["message"]),
            (&json!("GEN_CONFLICT"), &done.json()["error"])
        );
    }
}

#[tokio::test]
async fn several_rows_are_told_together() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let parts = json!([{"identifier": b, "distribution": "40%"}, {"identifier": "@y", "distribution": "left"}]);
    let split = payment(&a, "", json!({"amount": 10, "destination": null, "destinations": parts}));
    let split = server.post("/transactions", split).await;
    let (told, _) =
        server.said_and_done("POST", &path(&split.field("transaction_id")), json!({"skip_queue": true})).await;
    let told = told.json();
    let newest = &split.json()["destinations"][1]["transaction_id"];
    assert_eq!((&told["precise_amount"], &told["legs"][0]["identifier"]), (&json!("1000"), newest));
    assert_eq!((&told["legs"][0]["precise_amount"], &told["legs"][0]["role"]), (&json!("600"), &json!("source")));
    let note = format!("projected refund of 2 transactions under {}", split.field("transaction_id"));
    assert_eq!(told["notes"], json!([note]));
    assert_eq!(told["balances"].as_array().unwrap().len(), 3);
    // A hold that was voided is held in the other direction.
    let hold = server.hold(&a, &b, "hold").await;
    server.put(&format!("/transactions/inflight/{hold}"), json!({"status": "commit", "amount": 4})).await;
    server.put(&format!("/transactions/inflight/{hold}"), json!({"status": "void"})).await;
    let (told, _) = server.said_and_done("POST", &path(&hold), json!({"skip_queue": true})).await;
    assert_eq!((&told.json()["precise_amount"], &told.json()["status"]), (&json!("1000"), &json!("INFLIGHT")));
}

#[tokio::test]
async fn what_cannot_be_given_back_is_not_found() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let hold = server.hold(&a, &b, "hold").await;
    for id in ["x", "txn_00000000-0000-4000-8000-000000000000", &hold] {
        let wanted = (404, "TXN_NOT_FOUND", "no transaction to refund");
        server.refuses(("POST", &path(id)), r#"{"dry_run": true}"#, wanted).await;
    }
    let body = json!({"dry_run": true, "description": "d".repeat(65_537)}).to_string();
    server.refuses(("POST", &path(&hold)), body, (400, "TXN_VALIDATION_ERROR", "description: cannot be longer")).await;
    server.refuses(("POST", &path(&hold)), r#"{"dry_run": 1}"#, (400, "GEN_MALFORMED_REQUEST", "")).await;
}
