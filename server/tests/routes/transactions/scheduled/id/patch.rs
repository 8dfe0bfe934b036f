use crate::books::payment;
use crate::support::{NOW, open};
use serde_json::{Value, json};

const APRIL: &str = "2026-04-01T08:00:00Z";
const MAY: &str = "2026-05-01T08:00:00Z";
const JUNE: &str = "2026-06-01T08:00:00Z";

fn path(id: &str) -> String {
    format!("/transactions/scheduled/{id}")
}

#[tokio::test]
async fn gives_another_time() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let request = server.schedule(&a, &b, "rent", APRIL, json!({"meta_data": {"plan": "gold"}})).await;
    let told = server.patch(&path(&request), json!({"scheduled_for": "2026-05-01T10:00:00+02:00", "unknown": 1})).await;
    let zero = "0001-01-01T00:00:00Z";
    let row = json!({
        "precise_amount": 100, "amount": 1, "precision": 100, "overdraft_limit": 0, "transaction_id": "<txn 1>",
        "parent_transaction": "", "source": "<bln 1>", "destination": "<bln 2>", "reference": "rent", "currency": "USD",
        "description": "test", "status": "SCHEDULED", "hash": "<hash>", "allow_overdraft": false, "inflight": false,
        "skip_queue": false, "atomic": false, "created_at": NOW, "effective_date": NOW, "scheduled_for": MAY,
        "inflight_expiry_date": zero, "inflight_commit_date": zero,
        "meta_data": {"QUEUED_PARENT_TRANSACTION": "<txn 1>", "plan": "gold"},
    });
    told.is(200, json!({"rescheduled": 1, "scheduled_for": "2026-05-01T10:00:00+02:00", "transactions": [row]}));
    server.pass("2026-05-01T07:59:59.999999Z").await;
    assert_eq!((server.outcome("rent").await, server.figures(&b).await), (None, [0; 5]));
    server.pass(MAY).await;
    assert_eq!(server.outcome("rent").await, Some(("APPLIED".to_owned(), 100)));
    assert_eq!((server.figures(&a).await, server.figures(&b).await), ([9900, 10_000, 100, 0, 0], [100, 100, 0, 0, 0]));
}

/// Earlier works like later; what has passed runs at once. Each is run once.
#[tokio::test]
async fn a_time_that_has_passed_runs_at_once() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    for (reference, due) in [("past", "2020-01-01T00:00:00Z"), ("now", NOW)] {
        let request = server.schedule(&a, &b, reference, JUNE, json!({})).await;
        assert_eq!(server.patch(&path(&request), json!({"scheduled_for": due})).await.status.as_u16(), 200);
        server.pass(NOW).await;
        assert_eq!(server.outcome(reference).await, Some(("APPLIED".to_owned(), 100)));
        let body = json!({"scheduled_for": MAY}).to_string();
        let wanted = (409, "GEN_CONFLICT", "nothing of it waits any more");
        server.refuses(("PATCH", &path(&request)), body, wanted).await;
    }
    server.pass("2026-07-01T00:00:00Z").await;
    assert_eq!(server.figures(&b).await, [200, 200, 0, 0, 0]);
}

#[tokio::test]
async fn gives_another_amount() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    for (number, (body, minor)) in [
        (json!({"amount": 12.34}), 1234),
        (json!({"amount": 0.005}), 1),
        (json!({"precise_amount": 1}), 1),
        (json!({"precise_amount": "70"}), 70),
        (json!({"precise_amount": 300, "scheduled_for": MAY}), 300),
    ]
    .into_iter()
    .enumerate()
    {
        let reference = format!("r{number}");
        let request = server.schedule(&a, &b, &reference, APRIL, json!({})).await;
        let told = server.patch(&path(&request), body.clone()).await.json();
        let due = if body["scheduled_for"].is_null() { APRIL } else { MAY };
        assert_eq!((&told["rescheduled"], &told["scheduled_for"]), (&json!(1), &json!(due)), "{told}");
        assert_eq!(told["transactions"][0]["precise_amount"], json!(minor));
        // The request stays what it was.
        assert_eq!(server.get(&format!("/transactions/{request}")).await.json()["precise_amount"], json!(100));
        let before = server.figures(&b).await[0];
        server.clock.store(1_772_619_072_123_456 + number as i64, std::sync::atomic::Ordering::Relaxed);
        server.patch(&path(&request), json!({"scheduled_for": NOW})).await;
        server.pass(NOW).await;
        assert_eq!(server.outcome(&reference).await, Some(("APPLIED".to_owned(), minor)));
        assert_eq!(server.figures(&b).await[0], before + minor);
    }
    // What is called off has the amount that it had last.
    let request = server.schedule(&a, &b, "off", APRIL, json!({})).await;
    server.patch(&path(&request), json!({"precise_amount": 5})).await;
    assert_eq!(server.delete(&path(&request)).await.json()["transactions"][0]["precise_amount"], json!(5));
}

/// Funds are judged when it runs.
#[tokio::test]
async fn an_amount_beyond_the_funds_is_rejected_when_it_runs() {
    let server = open();
    let (a, b) = (server.funded(500).await, server.balance().await);
    let (more, all) =
        (server.schedule(&a, &b, "more", APRIL, json!({})).await, server.schedule(&a, &b, "all", MAY, json!({})).await);
    server.patch(&path(&more), json!({"precise_amount": 501})).await;
    server.patch(&path(&all), json!({"precise_amount": 500})).await;
    server.pass(MAY).await;
    assert_eq!(server.outcome("more").await, Some(("REJECTED".to_owned(), 501)));
    assert_eq!(server.outcome("all").await, Some(("APPLIED".to_owned(), 500)));
    assert_eq!(server.figures(&a).await, [0, 500, 500, 0, 0]);
}

#[tokio::test]
async fn wholes() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let item = |reference: &str, due: &str| {
        payment(&a, &b, json!({"skip_queue": null, "reference": reference, "scheduled_for": due}))
    };
    let items = [item("a1", APRIL), item("m1", MAY), item("m2", MAY)];
    let batch =
        server.post("/transactions/bulk", json!({"transactions": items, "atomic": true})).await.field("batch_id");
    let parts = json!([{"identifier": b, "distribution": "100%"}]);
    let split =
        json!({"skip_queue": null, "reference": "s", "destination": null, "destinations": parts, "scheduled_for": MAY});
    let split = server.post("/transactions", payment(&a, &b, split)).await;
    let leg = split.json()["destinations"][0]["transaction_id"].as_str().unwrap().to_owned();
    let split = split.field("transaction_id");
    let m1 = server.get("/transactions/reference/m1").await.field("transaction_id");
    let later = json!({"scheduled_for": JUNE});
    let wanted = (400, "TXN_VALIDATION_ERROR", &*format!("the id of the whole is {batch}"));
    server.refuses(("PATCH", &path(&m1)), later.to_string(), wanted).await;
    for id in [&batch, &split, &leg] {
        let wanted = (
            400,
            "TXN_VALIDATION_ERROR",
            "amount: can be changed only of a request that is neither split nor a batch.",
        );
        server.refuses(("PATCH", &path(id)), json!({"precise_amount": 5}).to_string(), wanted).await;
    }
    // What has run stays; the rest has one time.
    server.pass(APRIL).await;
    let told = server.patch(&path(&batch), later.clone()).await.json();
    let references: Vec<&Value> =
        told["transactions"].as_array().unwrap().iter().map(|row| &row["reference"]).collect();
    assert_eq!((&told["rescheduled"], references), (&json!(2), vec![&json!("m1"), &json!("m2")]));
    // A split of one leg: its leg is all of it.
    assert_eq!(server.patch(&path(&leg), later).await.json()["rescheduled"], json!(1));
    server.pass(MAY).await;
    assert_eq!(server.figures(&b).await, [100, 100, 0, 0, 0]);
    server.pass(JUNE).await;
    assert_eq!((server.figures(&a).await, server.figures(&b).await), ([9600, 10_000, 400, 0, 0], [400, 400, 0, 0, 0]));
}

#[tokio::test]
async fn refusals() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let request = server.schedule(&a, &b, "rent", APRIL, json!({})).await;
    let posted = server.post("/transactions", payment(&a, &b, json!({}))).await.field("transaction_id");
    let field = "TXN_VALIDATION_ERROR";
    for (body, code, text) in [
        (json!({}), field, "scheduled_for: either scheduled_for or an amount is required."),
        (json!({"scheduled_for": ""}), field, "scheduled_for: either scheduled_for or an amount is required."),
        (json!({"scheduled_for": "tomorrow"}), field, "scheduled_for: please format the scheduled date"),
        (json!({"scheduled_for": "0001-01-01T00:00:00Z"}), field, "scheduled_for: can be moved, not taken away."),
        (json!({"amount": 0}), field, "amount: either amount or precise_amount is required"),
        (json!({"amount": 0.004}), field, "amount: must be above zero"),
        (json!({"amount": -1}), field, "amount: amount cannot be negative"),
        (
            json!({"amount": 1, "precise_amount": 1}),
            field,
            "amount: either amount or precise_amount should be provided, not both",
        ),
        (
            json!({"amount": 1_234_567_890_123_456u64}),
            field,
            "amount: amount cannot have more than 15 significant digits",
        ),
        (json!({"precise_amount": 0}), field, "amount: must be above zero"),
        (json!({"precise_amount": -1, "scheduled_for": MAY}), field, "amount: precise_amount cannot be negative"),
        (json!({"precise_amount": "9".repeat(40)}), field, "amount: precise_amount is beyond what can be recorded"),
        (json!({"precise_amount": 1.5}), "GEN_MALFORMED_REQUEST", "precise_amount is not a whole number"),
    ] {
        server.refuses(("PATCH", &path(&request)), body.to_string(), (400, code, text)).await;
    }
    let body = json!({"scheduled_for": MAY}).to_string();
    server.refuses(("PATCH", &path("txn_0")), &*body, (404, "TXN_NOT_FOUND", "'txn_0' not found")).await;
    server.refuses(("PATCH", &path(&posted)), &*body, (400, field, "nothing of it was scheduled")).await;
    // None of it changed anything: it runs as it was asked to.
    server.pass(APRIL).await;
    assert_eq!(server.outcome("rent").await, Some(("APPLIED".to_owned(), 100)));
    server.refuses(("PATCH", &path(&request)), &*body, (409, "GEN_CONFLICT", "nothing of it waits any more")).await;
    let other = server.schedule(&a, &b, "off", JUNE, json!({})).await;
    server.delete(&path(&other)).await;
    server.refuses(("PATCH", &path(&other)), &*body, (409, "GEN_CONFLICT", "nothing of it waits any more")).await;
}

/// Nothing is kept of a key, as nothing needs to be: the same again sets the same again. A key that has been used is refused.
#[tokio::test]
async fn repeating_is_harmless() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let request = server.schedule(&a, &b, "rent", APRIL, json!({})).await;
    let key = [("Idempotency-Key", "k1")];
    let body = json!({"scheduled_for": MAY, "precise_amount": 7}).to_string();
    let first = server.ask_with("PATCH", &path(&request), &key, &*body).await;
    let again = server.ask_with("PATCH", &path(&request), &key, &*body).await;
    assert_eq!((again.status.as_u16(), &again.text), (200, &first.text));
    let used = payment(&a, &b, json!({})).to_string();
    assert_eq!(server.ask_with("POST", "/transactions", &[("Idempotency-Key", "k2")], used).await.status.as_u16(), 201);
    let told = server.ask_with("PATCH", &path(&request), &[("Idempotency-Key", "k2")], body).await;
    told.is_error(409, "GEN_CONFLICT", "Idempotency-Key was sent before with another request");
    server.pass(MAY).await;
    assert_eq!(server.outcome("rent").await, Some(("APPLIED".to_owned(), 7)));
}
