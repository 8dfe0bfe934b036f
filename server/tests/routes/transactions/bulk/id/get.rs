//! `GET /transactions/bulk/{batch_id}`.

use crate::books::{payment, with};
use crate::support::{NOW, TestServer, open, settings};
use serde_json::{Value, json};
use server::http::batches::PAGE_ITEMS_MAX;
use std::sync::atomic::Ordering;

async fn recorded(server: &TestServer, items: Vec<Value>, fields: Value) -> String {
    let told =
        server.post("/transactions/bulk", with(json!({"transactions": items, "skip_queue": true}), fields)).await;
    assert_eq!(told.status.as_u16(), 201, "{}", told.text);
    told.field("batch_id")
}

/// All but the transactions, and the references and statuses of these.
async fn read(server: &TestServer, path: &str) -> (Value, Vec<(String, String)>) {
    let told = server.get(path).await;
    assert_eq!(told.status.as_u16(), 200, "{}", told.text);
    let body = told.json();
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let rows = body["transactions"].as_array().unwrap();
    let rows = rows.iter().map(|row| (text(row, "reference"), text(row, "status"))).collect();
    (with(body, json!({"transactions": null, "batch_id": null})), rows)
}

fn applied(references: &[&str]) -> Vec<(String, String)> {
    references.iter().map(|reference| (reference.to_string(), "APPLIED".to_owned())).collect()
}

#[tokio::test]
async fn tells_items_counts_and_totals() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let items = vec![
        payment(&a, &b, json!({"reference": "i1", "amount": 1})),
        payment("@x", "@y", json!({"reference": "i2", "amount": 2.5, "currency": "EUR", "allow_overdraft": true})),
        payment(
            &a,
            "",
            json!({"reference": "i3", "amount": 10, "destination": null, "destinations": [{"identifier": "@p", "distribution": "40%"}, {"identifier": "@q", "distribution": "left"}]}),
        ),
        payment(&a, &b, json!({"reference": "i4", "amount": 4})),
    ];
    let id = recorded(&server, items, json!({"atomic": true})).await;
    let path = format!("/transactions/bulk/{id}");
    let (told, rows) = read(&server, &path).await;
    assert_eq!(
        told,
        json!({
            "created_at": NOW, "atomic": true, "status": "applied", "transaction_count": 4, "counts": {"APPLIED": 5},
            "totals": [{"currency": "EUR", "precise_amount": 250, "count": 1}, {"currency": "USD", "precise_amount": 1500, "count": 4}],
        })
    );
    assert_eq!(rows, applied(&["i1", "i2", "i3-1", "i3-2", "i4"]));
    let body = server.get(&path).await.json();
    assert_eq!(body["batch_id"], id);
    let first = server.get("/transactions/reference/i1").await.json();
    assert_eq!(with(body["transactions"][0].clone(), json!({"effective_date": null})), first);
    // Pages are of items; counts and totals are of the whole.
    for (query, references) in [
        ("limit=1", vec!["i1"]),
        ("limit=2&offset=1", vec!["i2", "i3-1", "i3-2"]),
        ("limit=1&offset=2", vec!["i3-1", "i3-2"]),
        ("offset=3", vec!["i4"]),
        ("offset=4", vec![]),
        ("offset=18446744073709551615", vec![]),
    ] {
        let (page, rows) = read(&server, &format!("{path}?{query}")).await;
        assert_eq!((page, rows), (told.clone(), applied(&references)), "{query}");
    }
}

/// Through the queue the outcomes are told, not the requests. Holds stay as they were made.
#[tokio::test]
async fn tells_outcomes() {
    let server = open();
    let (a, b) = (server.funded(1_000).await, server.balance().await);
    let item = |reference: &str, amount: u64| payment(&a, &b, json!({"reference": reference, "amount": amount}));
    let id = recorded(&server, vec![item("i1", 6), item("i2", 6), item("i3", 4)], json!({"skip_queue": false})).await;
    let (told, rows) = read(&server, &format!("/transactions/bulk/{id}")).await;
    assert_eq!(
        told,
        json!({
            "created_at": NOW, "atomic": false, "status": "mixed", "transaction_count": 3, "counts": {"APPLIED": 2, "REJECTED": 1},
            "totals": [{"currency": "USD", "precise_amount": 1000, "count": 2}],
        })
    );
    let row = |reference: &str, status: &str| (reference.to_owned(), status.to_owned());
    assert_eq!(rows, [row("i1_q", "APPLIED"), row("i2_q", "REJECTED"), row("i3_q", "APPLIED")]);
    let id = recorded(&server, vec![item("r1", 1), item("r2", 2)], json!({"skip_queue": false, "atomic": true})).await;
    let (told, _) = read(&server, &format!("/transactions/bulk/{id}")).await;
    assert_eq!(
        (&told["status"], &told["counts"], &told["totals"]),
        (&json!("rejected"), &json!({"REJECTED": 2}), &json!([]))
    );
    let c = server.funded(1_000).await;
    let hold = payment(&c, &b, json!({"reference": "h1", "amount": 3}));
    let id = recorded(&server, vec![hold], json!({"inflight": true, "skip_queue": false})).await;
    let path = format!("/transactions/bulk/{id}");
    let held = read(&server, &path).await;
    assert_eq!(
        (&held.0["status"], &held.0["totals"][0]["precise_amount"], held.1.as_slice()),
        (&json!("inflight"), &json!(300), [row("h1_q", "INFLIGHT")].as_slice())
    );
    assert_eq!(
        server.put(&format!("/transactions/inflight/{id}"), json!({"status": "void"})).await.status.as_u16(),
        200
    );
    assert_eq!(read(&server, &path).await, held);
}

/// What waits is told as what waits, and when it has run as what came of it.
#[tokio::test]
async fn tells_what_was_scheduled() {
    let server = open();
    let (a, b) = (server.funded(1_000).await, server.balance().await);
    let item = |reference: &str, amount: u64, due: &str| {
        payment(&a, &b, json!({"reference": reference, "amount": amount, "scheduled_for": due, "skip_queue": null}))
    };
    let items = vec![
        item("s1", 3, "2026-03-05T00:00:00Z"),
        item("s2", 8, "2026-03-05T00:00:00Z"),
        item("s3", 1, "2026-03-09T00:00:00Z"),
    ];
    let id = recorded(&server, items, json!({"skip_queue": false})).await;
    let path = format!("/transactions/bulk/{id}");
    let (told, rows) = read(&server, &path).await;
    assert_eq!(
        (&told["status"], &told["counts"], &told["totals"]),
        (&json!("scheduled"), &json!({"SCHEDULED": 3}), &json!([]))
    );
    let row = |reference: &str, status: &str| (reference.to_owned(), status.to_owned());
    assert_eq!(rows, [row("s1", "SCHEDULED"), row("s2", "SCHEDULED"), row("s3", "SCHEDULED")]);
    server.clock.fetch_add(2 * 86_400_000_000, Ordering::SeqCst);
    let mut rounds = 0;
    let (told, rows) = loop {
        let found = read(&server, &path).await;
        if found.1.iter().filter(|(_, status)| status == "SCHEDULED").count() == 1 {
            break found;
        }
        rounds += 1;
        assert!(rounds < 1000, "what is due was not run: {found:?}");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    };
    assert_eq!(rows, [row("s1_q", "APPLIED"), row("s2_q", "REJECTED"), row("s3", "SCHEDULED")]);
    assert_eq!(
        (&told["status"], &told["counts"], &told["totals"]),
        (
            &json!("mixed"),
            &json!({"APPLIED": 1, "REJECTED": 1, "SCHEDULED": 1}),
            &json!([{"currency": "USD", "precise_amount": 300, "count": 1}])
        )
    );
}

/// What ended at a refused item tells what came before it.
#[tokio::test]
async fn tells_what_was_recorded_of_a_batch_that_ended() {
    let server = open();
    let (a, b) = (server.funded(300).await, server.balance().await);
    let items: Vec<Value> =
        (1..=3).map(|item| payment(&a, &b, json!({"reference": format!("i{item}"), "amount": item}))).collect();
    let told = server.post("/transactions/bulk", json!({"transactions": items, "skip_queue": true})).await;
    told.is_error(400, "TXN_INSUFFICIENT_FUNDS", "not rolled back");
    let (told, rows) = read(&server, &format!("/transactions/bulk/{}", told.field("batch_id"))).await;
    assert_eq!((&told["transaction_count"], rows), (&json!(2), applied(&["i1", "i2"])));
}

/// Sums are exact, also beyond what one balance may reach.
#[tokio::test]
async fn totals_beyond_128_bits() {
    let server = open();
    let most = ledger::limits::SUM_MAX;
    let item = |number: usize| {
        let sides = (format!("@a{number}"), format!("@b{number}"));
        payment(
            &sides.0,
            &sides.1,
            json!({"reference": format!("i{number}"), "amount": null, "precise_amount": most.to_string(), "allow_overdraft": true}),
        )
    };
    let id = recorded(&server, (0..3).map(item).collect(), json!({})).await;
    let told = server.get(&format!("/transactions/bulk/{id}")).await;
    let total = r#""totals":[{"currency":"USD","precise_amount":255211775190703847597530955573826158589,"count":3}]"#;
    assert!(told.text.contains(total), "{}", told.text);
    let id = recorded(&server, (3..8).map(item).collect(), json!({})).await;
    let told = server.get(&format!("/transactions/bulk/{id}")).await;
    assert!(
        told.text.contains("\"precise_amount\":425352958651173079329218259289710264315,\"count\":5"),
        "{}",
        told.text
    );
}

#[tokio::test]
async fn pages_have_limits() {
    let server = TestServer::with_segments(settings(&[]), 16 << 20);
    let items = (0..=PAGE_ITEMS_MAX)
        .map(|item| payment("@a", "@b", json!({"reference": format!("i{item}"), "allow_overdraft": true})));
    let id = recorded(&server, items.collect(), json!({})).await;
    let path = format!("/transactions/bulk/{id}");
    for (query, count) in
        [("", 100), ("?limit=999", 999), ("?limit=1000", 1000), ("?limit=1001", 1000), ("?limit=1000&offset=1000", 1)]
    {
        assert_eq!(read(&server, &format!("{path}{query}")).await.1.len(), count, "{query}");
    }
    for (query, text) in [
        ("limit=0", "limit: must be a whole number, at least 1"),
        ("limit=-1", "limit: must be a whole number, at least 1"),
        ("limit=x", "limit: must be a whole number, at least 1"),
        ("offset=-1", "offset: must be a whole number, at least 0"),
        ("offset=1.5", "offset: must be a whole number, at least 0"),
    ] {
        server.refuses(("GET", &format!("{path}?{query}")), "", (400, "GEN_VALIDATION_ERROR", text)).await;
    }
}

/// Ids of other things, of nothing, and texts that are none.
#[tokio::test]
async fn what_is_no_batch_is_not_found() {
    let server = open();
    let (a, b) = (server.funded(1_000).await, server.balance().await);
    let single = server.post("/transactions", payment(&a, &b, json!({}))).await.field("transaction_id");
    let batch = recorded(&server, vec![payment(&a, &b, json!({"reference": "i"}))], json!({})).await;
    let item = server.get("/transactions/reference/i").await.field("transaction_id");
    for id in [
        "x".to_owned(),
        "bulk_".to_owned(),
        "bulk_00000000-0000-4000-8000-000000000000".to_owned(),
        "bulk_ffffffff-ffff-7fff-bfff-ffffffffffff".to_owned(),
        batch.to_uppercase(),
        batch.replace("bulk_", "txn_"),
        single.replace("txn_", "bulk_"),
        item.replace("txn_", "bulk_"),
        single,
        item,
        a,
    ] {
        let wanted = format!("Batch with ID '{id}' not found");
        server.refuses(("GET", &format!("/transactions/bulk/{id}")), "", (404, "TXN_NOT_FOUND", &wanted)).await;
    }
}
