use crate::books::payment;
use crate::support::open;
use serde_json::{Value, json};

const ZERO: &str = "0001-01-01T00:00:00Z";

fn path(id: &str) -> String {
    format!("/transactions/inflight/{id}")
}

#[tokio::test]
async fn tells_what_became_of_a_hold() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let fields = json!({"inflight": true, "amount": 10, "inflight_expiry_date": "2026-05-01T10:00:00+02:00"});
    let hold = server.post("/transactions", payment(&a, &b, fields)).await.field("transaction_id");
    let state = |status: &str, held: i64, committed: i64, released: i64, expires: &str| {
        json!({
            "transaction_id": hold, "status": status, "currency": "USD", "precision": 100, "precise_amount": 1000, "held": held,
            "committed": committed, "released": released, "inflight_expiry_date": expires, "inflight_commit_date": ZERO,
            "source": a, "destination": b,
        })
    };
    let may = "2026-05-01T08:00:00Z";
    assert_eq!(server.get(&path(&hold)).await.json(), state("open", 1000, 0, 0, may));
    let put = async |body: Value| assert_eq!(server.put(&path(&hold), body).await.status.as_u16(), 200);
    put(json!({"status": "commit", "amount": 3})).await;
    assert_eq!(server.get(&path(&hold)).await.json(), state("open", 700, 300, 0, may));
    let june = "2026-06-01T08:00:00Z";
    server.patch(&path(&hold), json!({"amount": 5, "inflight_expiry_date": june})).await;
    assert_eq!(server.get(&path(&hold)).await.json(), state("open", 500, 300, 200, june));
    put(json!({"status": "void"})).await;
    assert_eq!(server.get(&path(&hold)).await.json(), state("voided", 0, 300, 700, june));
}

#[tokio::test]
async fn committed_in_full_and_beyond() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    for (reference, amount, minor) in [("full", 10, 1000), ("beyond", 11, 1100)] {
        let hold = server.hold(&a, &b, reference).await;
        let commit = json!({"status": "commit", "amount": amount, "allow_over_capture": true});
        assert_eq!(server.put(&path(&hold), commit).await.status.as_u16(), 200);
        let told = server.get(&path(&hold)).await.json();
        let shown = ["status", "precise_amount", "held", "committed", "released"].map(|name| told[name].clone());
        assert_eq!(shown, [json!("committed"), json!(1000), json!(0), json!(minor), json!(0)]);
    }
}

/// The request through the queue, one leg, one item: each stands for one hold. A whole of several does not.
#[tokio::test]
async fn what_an_id_may_be() {
    let server = open();
    let (a, b, c) = (server.funded(10_000).await, server.balance().await, server.balance().await);
    let parts = json!([{"identifier": b, "distribution": "30%"}, {"identifier": c, "distribution": "left"}]);
    let fields = json!({"destination": null, "destinations": parts, "inflight": true, "skip_queue": null});
    let told = server.post("/transactions", payment(&a, &b, fields)).await;
    let whole = told.field("transaction_id");
    for (leg, minor) in told.json()["destinations"].as_array().unwrap().iter().zip([30, 70]) {
        let told = server.get(&path(leg["transaction_id"].as_str().unwrap())).await;
        assert_eq!((&told.json()["held"], told.status.as_u16()), (&json!(minor), 200));
        assert_eq!(
            server.get(&format!("/transactions/{}", told.field("transaction_id"))).await.field("status"),
            "INFLIGHT"
        );
    }
    server.get(&path(&whole)).await.is_error(
        400,
        "TXN_VALIDATION_ERROR",
        "id: it stands for 2 holds; name one of them",
    );
    let item = payment(&a, &b, json!({"reference": "only"}));
    let batch = json!({"transactions": [item], "inflight": true, "skip_queue": true});
    let batch = server.post("/transactions/bulk", batch).await.field("batch_id");
    assert_eq!(server.get(&path(&batch)).await.json()["held"], json!(100));
    let posted =
        server.post("/transactions", payment(&a, &b, json!({"reference": "posted"}))).await.field("transaction_id");
    server.get(&path(&posted)).await.is_error(400, "TXN_NOT_INFLIGHT", "transaction is not in inflight status");
    server.get(&path("x")).await.is_error(404, "TXN_NOT_FOUND", "Transaction with ID 'x' not found");
}
