//! Batches that go on past an item that is refused.

use crate::books::{payment, with};
use crate::support::{TestServer, open};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const ROUTE: (&str, &str) = ("POST", "/transactions/bulk");

fn batch(items: Vec<Value>, fields: Value) -> Value {
    with(json!({"transactions": items, "skip_queue": true, "continue_on_error": true}), fields)
}

fn item(a: &str, b: &str, reference: &str, fields: Value) -> Value {
    with(payment(a, b, json!({"reference": reference, "skip_queue": null})), fields)
}

fn failed(index: usize, reference: &str, code: &str, message: &str) -> Value {
    json!({"index": index, "reference": reference, "status": "failed", "code": code, "message": message})
}

fn done(index: usize, reference: &str, id: &str, status: &str) -> Value {
    json!({"index": index, "reference": reference, "transaction_id": id, "status": status})
}

fn split(a: &str, reference: &str, fields: Value) -> Value {
    let parts = json!([{"identifier": "@x", "distribution": "50%"}, {"identifier": "@y", "distribution": "left"}]);
    with(item(a, "", reference, json!({"destination": null, "destinations": parts})), fields)
}

/// The ids of results, by index; empty for those that failed.
fn ids(told: &Value) -> Vec<String> {
    let results = told["results"].as_array().unwrap();
    results.iter().map(|one| one["transaction_id"].as_str().unwrap_or_default().to_owned()).collect()
}

/// What the route of one transaction tells of an item.
async fn alone(server: &TestServer, item: &Value) -> (Value, Value) {
    let told = server.post("/transactions", with(item.clone(), json!({"skip_queue": true}))).await.json();
    (told["error_detail"]["code"].clone(), told["error_detail"]["message"].clone())
}

/// Everything that can be wrong with an item, between items that are recorded.
#[tokio::test]
async fn what_is_refused_is_told_and_the_rest_recorded() {
    let server = open();
    let (a, b) = (server.funded(1_000).await, server.balance().await);
    server.post("/transactions", payment(&a, &b, json!({"reference": "used"}))).await;
    let items = vec![
        item(&a, &b, "i0", json!({})),
        item(&a, &b, "used", json!({})),
        split(&a, "i2", json!({"amount": 3})),
        item(&a, "nobody", "i3", json!({})),
        item(&a, &b, "i4", json!({"amount": 100})),
        item(&a, "@new", "i5", json!({"amount": 100})),
        item(&a, &b, "i6", json!({"amount": -1})),
        item(&a, &b, "i7", json!({"amount": 0.001})),
        item(&a, &b, "i8", json!({"currency": "EUR"})),
        item(&a, &a, "i9", json!({})),
        split(&a, "i10", json!({"amount": 100})),
        split(&a, "i11", json!({"destinations": [{"identifier": "@x", "distribution": "30%"}]})),
        item(&a, &b, "i12", json!({"effective_date": "soon"})),
        item(&a, &b, "i0", json!({})),
        // Free again, as the item that had it was refused.
        item(&a, &b, "i4", json!({"amount": 5})),
    ];
    let mut wanted = BTreeMap::new();
    for index in [1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12] {
        wanted.insert(index, alone(&server, &items[index]).await);
    }
    let before = server.counts().await;
    let told = server.post(ROUTE.1, batch(items.clone(), json!({}))).await;
    let json = told.json();
    assert_eq!(
        (told.status.as_u16(), &json["status"], &json["transaction_count"], &json["succeeded"], &json["failed"]),
        (201, &json!("applied"), &json!(15), &json!(3), &json!(12)),
        "{}",
        told.text
    );
    let ids = ids(&json);
    for (index, reference) in [(0, "i0"), (2, "i2"), (14, "i4")] {
        assert_eq!(json["results"][index], done(index, reference, &ids[index], "APPLIED"));
    }
    let first = server.get(&format!("/transactions/{}", ids[0])).await.json();
    assert_eq!((&first["reference"], &first["parent_transaction"]), (&json!("i0"), &json["batch_id"]));
    let leg = server.get("/transactions/reference/i2-2").await.json();
    assert_eq!(leg["parent_transaction"], ids[2], "a split item is known by its whole");
    wanted.insert(13, alone(&server, &items[13]).await);
    for (index, (code, message)) in wanted {
        // The decoder of one transaction tells nothing about its body.
        let message = if index == 12 { json!("effective_date is not a time in RFC 3339") } else { message };
        let reference = items[index]["reference"].as_str().unwrap();
        assert_eq!(json["results"][index], failed(index, reference, code.as_str().unwrap(), message.as_str().unwrap()));
    }
    let after = server.counts().await;
    assert_eq!((after.transactions - before.transactions, after.balances - before.balances), (4, 2));
    assert_eq!(after.currencies, before.currencies);
    assert_eq!(server.figures(&a).await, [0, 1_000, 1_000, 0, 0]);
    // The whole batch is known by its id.
    let told = server.ask("POST", &format!("/refund-transaction/{}", json["batch_id"].as_str().unwrap()), "").await;
    assert_eq!(told.status.as_u16(), 201);
}

#[tokio::test]
async fn null_items_and_dry_runs_are_refused_each() {
    let server = open();
    let (a, b) = (server.funded(1_000).await, server.balance().await);
    let items = vec![Value::Null, item(&a, &b, "one", json!({})), item(&a, &b, "two", json!({"dry_run": true}))];
    let invalid = "TXN_VALIDATION_ERROR";
    server.post(ROUTE.1, batch(items, json!({}))).await.is(
        201,
        json!({"batch_id": "<bulk 1>", "status": "applied", "transaction_count": 3, "succeeded": 1, "failed": 2, "results": [
            failed(0, "", invalid, "the transaction is required"), done(1, "one", "<txn 1>", "APPLIED"),
            failed(2, "two", invalid, "dry_run: belongs to the batch, not to its items."),
        ]}),
    );
}

/// Nothing was recorded: neither by the ledger nor before it.
#[tokio::test]
async fn all_are_refused() {
    let server = open();
    let (a, b) = (server.balance().await, server.balance().await);
    let before = server.counts().await;
    for fields in [json!({}), json!({"amount": -1})] {
        let told = server.post(ROUTE.1, batch(vec![item(&a, &b, "x", fields); 2], json!({}))).await;
        let json = told.json();
        assert_eq!((told.status.as_u16(), &json["batch_id"], &json["status"]), (201, &json!(""), &json!("failed")));
        assert_eq!(
            (&json["succeeded"], &json["failed"], &json["transaction_count"]),
            (&json!(0), &json!(2), &json!(2))
        );
        assert_eq!(json["results"].as_array().map(Vec::len), Some(2));
    }
    assert_eq!(server.counts().await, before);
}

#[tokio::test]
async fn holds_and_batches_that_are_run_behind() {
    let server = open();
    let (a, b) = (server.funded(300).await, server.balance().await);
    let items = |prefix: &str| {
        vec![item(&a, &b, &format!("{prefix}1"), json!({"amount": 9})), item(&a, &b, &format!("{prefix}2"), json!({}))]
    };
    let fields = |status: &str, reference: &str| {
        json!({"batch_id": "<bulk 1>", "status": status.to_lowercase(), "transaction_count": 2, "succeeded": 1, "failed": 1, "results": [
            failed(0, &format!("{reference}1"), "TXN_INSUFFICIENT_FUNDS", "failed to apply transaction to balances: insufficient funds in source balance"),
            done(1, &format!("{reference}2"), "<txn 1>", status),
        ]})
    };
    server.post(ROUTE.1, batch(items("h"), json!({"inflight": true}))).await.is(201, fields("INFLIGHT", "h"));
    server.post(ROUTE.1, batch(items("a"), json!({"run_async": true}))).await.is(202, fields("APPLIED", "a"));
    assert_eq!(server.figures(&a).await, [200, 300, 100, 0, 100]);
}

/// Through the queue items are accepted; what was asked before with the same facts is told as it was then.
#[tokio::test]
async fn through_the_queue_known_new_and_refused() {
    let server = open();
    let (a, b) = (server.funded(1_000).await, server.balance().await);
    let queued = json!({"skip_queue": false});
    let single = server.post("/transactions", item(&a, &b, "single", json!({}))).await.field("transaction_id");
    let first = server
        .post(
            ROUTE.1,
            batch(vec![item(&a, &b, "k1", json!({})), split(&a, "k2", json!({"amount": 2}))], queued.clone()),
        )
        .await
        .json();
    let later = json!({"scheduled_for": "2030-01-01T00:00:00Z"});
    let items = vec![
        item(&a, &b, "n0", json!({})),
        item(&a, &b, "k1", json!({})),
        split(&a, "k2", json!({"amount": 2})),
        item(&a, &b, "single", json!({})),
        item(&a, &b, "k1", json!({"amount": 2})),
        item(&a, &b, "n5", later),
        split(&a, "n6", json!({"amount": 1})),
        // Accepted, and rejected in a row of its own.
        item(&a, &b, "n7", json!({"amount": 1_000})),
    ];
    let before = server.counts().await;
    let told = server.post(ROUTE.1, batch(items.clone(), queued.clone())).await.json();
    let (ids, of_first) = (ids(&told), ids(&first));
    let known = |index: usize, reference: &str, id: &str| {
        with(done(index, reference, id, "QUEUED"), json!({"parent_transaction": first["batch_id"]}))
    };
    assert_ne!(told["batch_id"], first["batch_id"]);
    assert_eq!(
        told["results"],
        json!([
            done(0, "n0", &ids[0], "QUEUED"),
            known(1, "k1", &of_first[0]),
            known(2, "k2", &of_first[1]),
            done(3, "single", &single, "QUEUED"),
            failed(
                4,
                "k1",
                "TXN_DUPLICATE_REFERENCE",
                "transaction validation failed: reference k1 has already been used"
            ),
            done(5, "n5", &ids[5], "SCHEDULED"),
            done(6, "n6", &ids[6], "QUEUED"),
            done(7, "n7", &ids[7], "QUEUED"),
        ])
    );
    for (index, reference) in [(0, "n0"), (5, "n5"), (7, "n7")] {
        assert_eq!(server.get(&format!("/transactions/{}", ids[index])).await.field("reference"), reference);
        let parent = server.get(&format!("/transactions/reference/{reference}")).await.field("parent_transaction");
        assert_eq!(told["batch_id"], parent);
    }
    assert_eq!(server.get("/transactions/reference/n6_1").await.field("parent_transaction"), ids[6]);
    assert_eq!(server.get("/transactions/reference/n7_q").await.field("status"), "REJECTED");
    assert_eq!(server.counts().await.transactions - before.transactions, 2 + 1 + 4 + 2);
    // All are known now, but the refused one: nothing is recorded, so there is no batch.
    let before = server.counts().await;
    let again = server.post(ROUTE.1, batch(items, queued)).await.json();
    assert_eq!((&again["batch_id"], &again["succeeded"], &again["status"]), (&json!(""), &json!(7), &json!("applied")));
    assert_eq!(
        again["results"][0],
        with(done(0, "n0", &ids[0], "QUEUED"), json!({"parent_transaction": told["batch_id"]}))
    );
    assert_eq!(again["results"][5]["status"], "SCHEDULED");
    assert_eq!(server.counts().await, before);
}

#[tokio::test]
async fn not_with_atomic() {
    let server = open();
    let body = batch(vec![item("@a", "@b", "x", json!({"allow_overdraft": true}))], json!({"atomic": true}));
    let wanted = (400, "TXN_VALIDATION_ERROR", "continue_on_error: cannot be combined with atomic");
    server.refuses(ROUTE, body.to_string(), wanted).await;
    let told = server.post(ROUTE.1, with(body, json!({"continue_on_error": false}))).await;
    told.is(201, json!({"batch_id": "<bulk 1>", "status": "applied", "transaction_count": 1}));
    for body in [batch(vec![], json!({})), batch(vec![], json!({"continue_on_error": 1, "transactions": null}))] {
        let code = if body["continue_on_error"] == 1 { "GEN_MALFORMED_REQUEST" } else { "TXN_BULK_EMPTY" };
        server.refuses(ROUTE, body.to_string(), (400, code, "")).await;
    }
}

/// Without it a batch with known and new items tells its own id, not that of the first time.
#[tokio::test]
async fn a_partly_known_batch_has_an_id_of_its_own() {
    let server = open();
    let (a, b) = (server.funded(1_000).await, server.balance().await);
    let plain = |items: Vec<Value>| batch(items, json!({"skip_queue": false, "continue_on_error": null}));
    let first = server.post(ROUTE.1, plain(vec![item(&a, &b, "k1", json!({}))])).await.field("batch_id");
    let told = server.post(ROUTE.1, plain(vec![item(&a, &b, "k1", json!({})), item(&a, &b, "n1", json!({}))])).await;
    assert_eq!((told.status.as_u16(), &told.json()["transaction_count"]), (201, &json!(2)));
    assert_ne!(told.field("batch_id"), first);
    assert_eq!(server.get("/transactions/reference/n1").await.field("parent_transaction"), told.field("batch_id"));
    assert_eq!(server.get("/transactions/reference/k1").await.field("parent_transaction"), first);
    let again = server.post(ROUTE.1, plain(vec![item(&a, &b, "k1", json!({}))])).await;
    assert_eq!(again.field("batch_id"), first, "nothing new: the batch of the first time");
}
