use crate::books::payment;
use crate::support::open;
use serde_json::{Value, json};

const APRIL: &str = "2026-04-01T08:00:00Z";
const MAY: &str = "2026-05-01T08:00:00Z";
const JUNE: &str = "2026-06-01T08:00:00Z";

fn path(id: &str) -> String {
    format!("/transactions/scheduled/{id}")
}

/// All but the list of what waits, of which the references and times.
fn head(told: &crate::support::Told) -> Value {
    let mut body = told.json();
    let rows = body["transactions"].as_array().expect("a list").clone();
    body["transactions"] =
        rows.iter().map(|row| json!([row["reference"], row["scheduled_for"], row["precise_amount"]])).collect();
    body
}

#[tokio::test]
async fn one_request() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let id = server.schedule(&a, &b, "rent", APRIL, json!({})).await;
    let state = |status: &str, due: &str, amount: u64, waiting: Value| {
        json!({
            "transaction_id": id, "status": status, "scheduled_for": due, "waiting": waiting.as_array().unwrap().len(),
            "precise_amount": amount, "precision": 100, "currency": "USD", "transactions": waiting,
        })
    };
    assert_eq!(head(&server.get(&path(&id)).await), state("scheduled", APRIL, 100, json!([["rent", APRIL, 100]])));
    server.patch(&path(&id), json!({"scheduled_for": MAY, "amount": 2})).await;
    assert_eq!(head(&server.get(&path(&id)).await), state("scheduled", MAY, 200, json!([["rent", MAY, 200]])));
    server.pass(MAY).await;
    assert_eq!(head(&server.get(&path(&id)).await), state("done", APRIL, 200, json!([])));
    let id = server.schedule(&a, &b, "off", JUNE, json!({})).await;
    server.delete(&path(&id)).await;
    let told = server.get(&path(&id)).await;
    assert_eq!(
        (told.status.as_u16(), told.field("status").as_str(), &told.json()["waiting"]),
        (200, "cancelled", &json!(0))
    );
}

/// A request that was rejected when its time came is done.
#[tokio::test]
async fn a_rejected_run_is_done() {
    let server = open();
    let (a, b) = (server.balance().await, server.balance().await);
    let id = server.schedule(&a, &b, "rent", APRIL, json!({})).await;
    server.pass(APRIL).await;
    assert_eq!(server.get(&path(&id)).await.field("status"), "done");
}

#[tokio::test]
async fn wholes_and_parts() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let item = |reference: &str, due: &str| {
        payment(&a, &b, json!({"skip_queue": null, "reference": reference, "scheduled_for": due}))
    };
    let items = [item("a1", APRIL), item("m1", MAY), item("m2", MAY), item("j1", JUNE)];
    let batch =
        server.post("/transactions/bulk", json!({"transactions": items, "atomic": true})).await.field("batch_id");
    let state = |status: &str, due: &str, waiting: Value| {
        json!({
            "transaction_id": batch, "status": status, "scheduled_for": due, "waiting": waiting.as_array().unwrap().len(),
            "transactions": waiting,
        })
    };
    let all = json!([["a1", APRIL, 100], ["m1", MAY, 100], ["m2", MAY, 100], ["j1", JUNE, 100]]);
    assert_eq!(head(&server.get(&path(&batch)).await), state("scheduled", APRIL, all));
    server.pass(APRIL).await;
    let rest = json!([["m1", MAY, 100], ["m2", MAY, 100], ["j1", JUNE, 100]]);
    assert_eq!(head(&server.get(&path(&batch)).await), state("scheduled", MAY, rest));
    // One item of those that run together can be told by itself.
    let m2 = server.get("/transactions/reference/m2").await.field("transaction_id");
    assert_eq!(head(&server.get(&path(&m2)).await)["transactions"], json!([["m2", MAY, 100]]));
    server.delete(&path(&batch)).await;
    assert_eq!(head(&server.get(&path(&batch)).await), state("done", APRIL, json!([])));
    assert_eq!(server.get(&path(&m2)).await.field("status"), "cancelled");
}

#[tokio::test]
async fn refusals() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let posted = server.post("/transactions", payment(&a, &b, json!({}))).await.field("transaction_id");
    server.get(&path("x")).await.is_error(404, "TXN_NOT_FOUND", "Transaction with ID 'x' not found");
    server.get(&path(&posted)).await.is_error(400, "TXN_VALIDATION_ERROR", "nothing of it was scheduled");
}
