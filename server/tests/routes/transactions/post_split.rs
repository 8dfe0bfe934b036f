//! `POST /transactions` with several sources or destinations.

use crate::books::payment;
use crate::support::{NOW, open};
use serde_json::json;

const ROUTE: (&str, &str) = ("POST", "/transactions");
const ZERO: &str = "0001-01-01T00:00:00Z";

#[tokio::test]
async fn a_split_is_one_transaction_with_legs() {
    let server = open();
    let a = server.funded(10_000).await;
    let parts = json!([{"identifier": "@fee", "distribution": "2.5%"}, {"identifier": "@tax", "precise_distribution": "100"}, {"identifier": "@shop", "distribution": "left"}]);
    let told = server
        .post("/transactions", payment(&a, "", json!({"amount": 100, "destination": null, "destinations": parts})))
        .await;
    told.is(
        201,
        json!({
            "precise_amount": 10_000, "amount": 100, "precision": 100, "overdraft_limit": 0, "transaction_id": "<txn 1>",
            "parent_transaction": "", "source": "<bln 1>", "reference": "pay", "currency": "USD", "description": "test", "status": "APPLIED",
            "hash": "<hash>", "allow_overdraft": false, "inflight": false, "skip_queue": true, "atomic": false, "created_at": NOW,
            "effective_date": NOW, "scheduled_for": ZERO, "inflight_expiry_date": ZERO, "inflight_commit_date": ZERO,
            "destinations": [
                {"identifier": "@fee", "distribution": "2.5%", "transaction_id": "<txn 2>"},
                {"identifier": "@tax", "distribution": "", "precise_distribution": "100", "transaction_id": "<txn 3>"},
                {"identifier": "@shop", "distribution": "left", "transaction_id": "<txn 4>"},
            ],
        }),
    );
    let legs = [("pay-1", 250), ("pay-2", 100), ("pay-3", 9650)];
    for ((reference, minor), part) in legs.iter().zip(told.json()["destinations"].as_array().unwrap()) {
        let leg = server.get(&format!("/transactions/reference/{reference}")).await.json();
        assert_eq!((&leg["precise_amount"], &leg["transaction_id"]), (&json!(minor), &part["transaction_id"]));
        assert_eq!(leg["parent_transaction"], told.json()["transaction_id"]);
    }
    assert_eq!(server.get(&format!("/transactions/{}", told.field("transaction_id"))).await.status.as_u16(), 404);
}

#[tokio::test]
async fn refusals() {
    let server = open();
    let a = server.funded(10_000).await;
    let part = |distribution: &str| json!({"identifier": "@x", "distribution": distribution});
    let other = |distribution: &str| json!({"identifier": "@y", "distribution": distribution});
    let (invalid, uneven) = ("TXN_VALIDATION_ERROR", "TXN_INVALID_DISTRIBUTION");
    for (parts, code, text) in [
        (json!([]), invalid, "destination: either destination or destinations is required"),
        (json!([part("60%"), other("50%")]), invalid, "failed to split transaction: percentages exceed 100%"),
        (json!([part("101")]), invalid, "fixed amount exceeds remaining transaction amount"),
        (json!([part("10"), other("20")]), uneven, "the parts are less than the total amount"),
        (json!([part("left"), other("left")]), uneven, "multiple identifiers with 'left'"),
        (json!([part("50%"), part("50%")]), uneven, "'@x' is named by several parts"),
        (json!([part("NaN"), other("left")]), invalid, "invalid fixed amount format"),
        (json!([part("x%"), other("left")]), invalid, "invalid percentage format"),
        (json!([part("-1"), other("left")]), invalid, "invalid fixed amount format"),
        (
            json!([{"identifier": "@x", "precise_distribution": "1.5"}, other("left")]),
            invalid,
            "invalid precise_distribution format",
        ),
        (
            json!([{"identifier": a, "distribution": "left"}]),
            invalid,
            "destination: source and destination cannot be the same balance",
        ),
        (json!([part("50%"), {"identifier": "nobody", "distribution": "50%"}]), "TXN_NOT_FOUND", "Balance with ID"),
    ] {
        let body = payment(&a, "", json!({"amount": 100, "destination": null, "destinations": parts})).to_string();
        let status = if code == "TXN_NOT_FOUND" { 404 } else { 400 };
        server.refuses(ROUTE, body, (status, code, text)).await;
    }
    let both = json!({"source": null, "sources": [part("left")], "destination": null, "destinations": [other("left")]});
    let wanted = (400, invalid, "destinations: either sources or destinations can be several, not both");
    server.refuses(ROUTE, payment("", "", both).to_string(), wanted).await;
    for wrong in [json!([3]), json!({"identifier": "@x"}), json!([{"identifier": "@x", "distribution": 50}])] {
        let body = payment(&a, "", json!({"destination": null, "destinations": wrong})).to_string();
        server.refuses(ROUTE, body, (400, "GEN_MALFORMED_REQUEST", "Invalid input")).await;
    }
}

/// One leg that cannot be posted refuses the whole.
#[tokio::test]
async fn all_legs_or_none() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.funded(100).await);
    let parts = json!([{"identifier": a, "distribution": "50%"}, {"identifier": b, "distribution": "50%"}]);
    let body = payment("", "@shop", json!({"amount": 100, "source": null, "sources": parts}));
    server.refuses(ROUTE, body.to_string(), (400, "TXN_INSUFFICIENT_FUNDS", "insufficient funds")).await;
    assert_eq!(server.figures(&a).await, [10_000, 10_000, 0, 0, 0]);
    assert_eq!(server.get("/transactions/reference/pay-1").await.status.as_u16(), 404);
}
