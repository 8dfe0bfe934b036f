//! Parts of a transaction are given back.

use crate::books::payment;
use crate::support::{TestServer, open};
use serde_json::{Value, json};

const INVALID: &str = "TXN_INVALID_AMOUNT";

async fn paid(server: &TestServer, a: &str, b: &str, fields: Value) -> String {
    let told = server.post("/transactions", payment(a, b, fields)).await;
    assert_eq!(told.status.as_u16(), 201, "{}", told.text);
    format!("/refund-transaction/{}", told.field("transaction_id"))
}

#[tokio::test]
async fn part_by_part_until_nothing_is_left() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let path = paid(&server, &a, &b, json!({"amount": 20})).await;
    let id = path.rsplit('/').next().unwrap();
    for (body, reference, amount, text) in [
        (json!({"amount": 4.995, "skip_queue": true}), "_refund", 500, "5"),
        (json!({"precise_amount": "1"}), "_refund_2", 1, "0.01"),
        (json!({"precise_amount": 499, "skip_queue": true, "amount": null}), "_refund_3", 499, "4.99"),
    ] {
        let queued = body["skip_queue"] != true;
        let told = server.post(&path, body).await;
        let json = told.json();
        assert_eq!(
            (told.status.as_u16(), &json["precise_amount"], &json["amount_string"]),
            (201, &json!(amount), &json!(text)),
            "{}",
            told.text
        );
        assert_eq!(
            (&json["parent_transaction"], json["reference"].as_str()),
            (&json!(id), Some(&*format!("{id}{reference}")))
        );
        assert_eq!((&json["status"], &json["source"]), (&json!(if queued { "QUEUED" } else { "APPLIED" }), &json!(b)));
        if queued {
            let child = server.get(&format!("/transactions/reference/{id}{reference}_q")).await.json();
            assert_eq!((&child["status"], &child["precise_amount"]), (&json!("APPLIED"), &json!(amount)));
        }
    }
    assert_eq!(server.figures(&b).await, [1_000, 2_000, 1_000, 0, 0]);
    for body in [
        json!({"precise_amount": 1_001}),
        json!({"amount": 10.01}),
        json!({"amount": 1e30}),
        json!({"precise_amount": "9".repeat(60)}),
    ] {
        server.refuses(("POST", &path), body.to_string(), (400, INVALID, "cannot give back more than is left")).await;
    }
    // Without an amount: all that is left.
    let rest = server.post(&path, json!({"skip_queue": true})).await.json();
    assert_eq!(
        (&rest["precise_amount"], rest["reference"].as_str()),
        (&json!(1_000), Some(&*format!("{id}_refund_4")))
    );
    assert_eq!(
        (server.figures(&a).await, server.figures(&b).await),
        ([10_000, 12_000, 2_000, 0, 0], [0, 2_000, 2_000, 0, 0])
    );
    for body in ["", r#"{"amount": 1}"#, r#"{"precise_amount": 1001}"#] {
        let wanted = format!("error occurred during processing: [transaction {id} has already been refunded]");
        server.refuses(("POST", &path), body, (409, "GEN_CONFLICT", &wanted)).await;
    }
}

#[tokio::test]
async fn amounts_that_are_none() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let path = paid(&server, &a, &b, json!({})).await;
    for (body, code, text) in [
        (json!({"amount": 0}), INVALID, "amount must be positive"),
        (json!({"amount": -1}), INVALID, "amount must be positive"),
        (json!({"amount": 0.004}), INVALID, "amount rounds to nothing at the precision of the transaction"),
        (json!({"precise_amount": 0}), INVALID, "precise_amount must be positive"),
        (json!({"precise_amount": -1}), INVALID, "precise_amount must be positive"),
        (json!({"precise_amount": 1.5}), "GEN_MALFORMED_REQUEST", "precise_amount is not a whole number"),
        (json!({"precise_amount": "x"}), "GEN_MALFORMED_REQUEST", "precise_amount is not a whole number"),
        (json!({"amount": "1"}), "GEN_MALFORMED_REQUEST", ""),
        (json!({"precise_amount": true}), "GEN_MALFORMED_REQUEST", ""),
    ] {
        server.refuses(("POST", &path), body.to_string(), (400, code, text)).await;
    }
    assert_eq!(server.post(&path, json!({"amount": 0.005})).await.json()["precise_amount"], 1, "half a unit is one");
}

/// Only one posted transaction has parts that can be told apart.
#[tokio::test]
async fn of_one_posted_transaction_only() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let several = "only one posted transaction can be given back in part";
    let parts = json!([{"identifier": b, "distribution": "50%"}, {"identifier": "@y", "distribution": "50%"}]);
    let split = json!({"destination": null, "destinations": parts, "reference": "split"});
    let whole = paid(&server, &a, "", split).await;
    let items = [payment(&a, &b, json!({"reference": "i1"})), payment(&a, &b, json!({"reference": "i2"}))];
    let batch =
        server.post("/transactions/bulk", json!({"transactions": items, "skip_queue": true})).await.field("batch_id");
    let hold = server.hold(&a, &b, "voided").await;
    let told =
        server.put(&format!("/transactions/inflight/{hold}"), json!({"status": "void", "skip_queue": true})).await;
    assert_eq!(told.status.as_u16(), 200);
    for path in [whole, format!("/refund-transaction/{batch}"), format!("/refund-transaction/{hold}")] {
        for (body, field) in [(json!({"amount": 1}), "amount: "), (json!({"precise_amount": 1}), "precise_amount: ")] {
            let text = format!("{field}{several}");
            server.refuses(("POST", &path), body.to_string(), (400, "TXN_VALIDATION_ERROR", &text)).await;
        }
    }
    let open_hold = server.hold(&a, &b, "open").await;
    let path = format!("/refund-transaction/{open_hold}");
    server.refuses(("POST", &path), r#"{"amount": 1}"#, (404, "TXN_NOT_FOUND", "no transaction to refund")).await;
    // One leg, the request of one posting, and a hold that was committed at once, are one.
    let leg = server.get("/transactions/reference/split-1").await.field("transaction_id");
    let queued = paid(&server, &a, &b, json!({"reference": "q", "skip_queue": false})).await;
    server.put(&format!("/transactions/inflight/{open_hold}"), json!({"status": "commit", "skip_queue": true})).await;
    for path in [format!("/refund-transaction/{leg}"), queued, path] {
        let told = server.post(&path, json!({"precise_amount": 20, "skip_queue": true})).await;
        assert_eq!((told.status.as_u16(), &told.json()["precise_amount"]), (201, &json!(20)), "{}", told.text);
    }
}

/// The whole of a split gives back what is left of each leg.
#[tokio::test]
async fn the_rest_of_a_whole() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let parts = json!([{"identifier": b, "distribution": "50%"}, {"identifier": "@y", "distribution": "50%"}]);
    let whole =
        paid(&server, &a, "", json!({"amount": 10, "destination": null, "destinations": parts, "reference": "split"}))
            .await;
    let leg = server.get("/transactions/reference/split-1").await.field("transaction_id");
    server.post(&format!("/refund-transaction/{leg}"), json!({"amount": 2, "skip_queue": true})).await;
    assert_eq!(server.post(&whole, json!({"skip_queue": true})).await.status.as_u16(), 201);
    assert_eq!((server.figures(&a).await[0], server.figures(&b).await), (10_000, [0, 500, 500, 0, 0]));
}

/// The answer to a part stays the same when the hold has more commits later, of which one cannot be told from the other.
#[tokio::test]
async fn a_key_knows_its_part() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let hold = server.hold(&a, &b, "hold").await;
    let commit = json!({"status": "commit", "amount": 1, "skip_queue": true});
    let (inflight, path) = (format!("/transactions/inflight/{hold}"), format!("/refund-transaction/{hold}"));
    server.put(&inflight, commit.clone()).await;
    let body = json!({"precise_amount": 20});
    let first = server.once("k", "POST", &path, &body).await;
    assert_eq!(first.status.as_u16(), 201);
    server.put(&inflight, commit).await;
    let again = server.once("k", "POST", &path, &body).await;
    assert_eq!((again.text.as_str(), again.header("Idempotent-Replayed")), (first.text.as_str(), Some("true")));
    server.once("other", "POST", &path, &body).await.is_error(400, "TXN_VALIDATION_ERROR", "only one posted");
    assert_eq!(server.figures(&b).await[0], 180);
}
