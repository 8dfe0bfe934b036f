use crate::books::{payment, with};
use crate::support::{NOW, TestServer, open};
use serde_json::{Value, json};
use std::sync::Arc;

const APRIL: &str = "2026-04-01T08:00:00Z";
const MAY: &str = "2026-05-01T08:00:00Z";
const JUNE: &str = "2026-06-01T08:00:00Z";
const UNKNOWN: &str = "txn_00000000-0000-4000-8000-000000000000";
const ALREADY: (u16, &str, &str) = (409, "GEN_CONFLICT", "nothing of it waits any more");

fn path(id: &str) -> String {
    format!("/transactions/scheduled/{id}")
}

/// Ids, statuses and amounts of what a route lists.
fn listed(told: &crate::support::Told) -> Vec<(String, String, i64)> {
    let rows = told.json()["transactions"].as_array().expect("a list").clone();
    let text = |row: &Value, name: &str| row[name].as_str().expect("a text").to_owned();
    rows.iter()
        .map(|row| (text(row, "reference"), text(row, "status"), row["precise_amount"].as_i64().unwrap()))
        .collect()
}

fn void(reference: &str, amount: i64) -> (String, String, i64) {
    (reference.to_owned(), "VOID".to_owned(), amount)
}

/// Items that wait for these times, as one batch; its id.
async fn batch(server: &TestServer, a: &str, b: &str, atomic: bool, items: &[(&str, Option<&str>)]) -> String {
    let item = |(reference, due): &(&str, Option<&str>)| {
        payment(a, b, with(json!({"skip_queue": null, "reference": reference}), json!({"scheduled_for": due})))
    };
    let items: Vec<Value> = items.iter().map(item).collect();
    let told = server.post("/transactions/bulk", json!({"transactions": items, "atomic": atomic})).await;
    assert_eq!(told.status.as_u16(), 201, "{}", told.text);
    told.field("batch_id")
}

async fn id_of(server: &TestServer, reference: &str) -> String {
    server.get(&format!("/transactions/reference/{reference}")).await.field("transaction_id")
}

#[tokio::test]
async fn calls_a_request_off() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let fields = json!({"amount": 2.5, "meta_data": {"plan": "gold"}});
    let request = server.schedule(&a, &b, "rent", APRIL, fields.clone()).await;
    let before = server.counts().await.transactions;
    let told = server.ask("DELETE", &path(&request), "what is sent does not matter").await;
    let zero = "0001-01-01T00:00:00Z";
    let row = json!({
        "precise_amount": 250, "amount": 2.5, "precision": 100, "overdraft_limit": 0, "transaction_id": "<txn 1>",
        "parent_transaction": "<txn 2>", "source": "<bln 1>", "destination": "<bln 2>", "reference": "rent_q", "currency": "USD",
        "description": "test", "status": "VOID", "hash": "<hash>", "allow_overdraft": false, "inflight": false, "skip_queue": false,
        "atomic": false, "created_at": NOW, "effective_date": NOW, "scheduled_for": zero, "inflight_expiry_date": zero,
        "inflight_commit_date": zero, "meta_data": {"QUEUED_PARENT_TRANSACTION": "<txn 2>", "plan": "gold"},
    });
    told.is(200, json!({"cancelled": 1, "transactions": [row]}));
    let end = told.json()["transactions"][0].clone();
    assert_eq!(end["parent_transaction"], json!(request));
    // It reads the same wherever it is read, and the request stays as it was.
    let id = end["transaction_id"].as_str().unwrap();
    for place in [format!("/transactions/{id}"), "/transactions/reference/rent_q".to_owned()] {
        let wanted = with(end.clone(), json!({"effective_date": null}));
        assert_eq!(server.get(&place).await.json(), wanted);
    }
    assert_eq!(server.get("/transactions?limit=1").await.json(), json!([end]));
    let filter = json!({"filters": [{"field": "parent_transaction", "operator": "eq", "value": request}]});
    assert_eq!(server.post("/transactions/filter", filter).await.json(), json!([end]));
    assert_eq!(server.get(&format!("/transactions/{request}")).await.field("status"), "SCHEDULED");
    // Nothing runs, nothing moves, no reference is free again.
    server.pass(MAY).await;
    assert_eq!(server.counts().await.transactions, before + 1);
    assert_eq!((server.figures(&a).await, server.figures(&b).await), ([10_000, 10_000, 0, 0, 0], [0; 5]));
    server.refuses(("DELETE", &path(&request)), "", ALREADY).await;
    for reference in ["rent", "rent_q"] {
        let again = payment(&a, &b, json!({"reference": reference})).to_string();
        server.refuses(("POST", "/transactions"), again, (409, "TXN_DUPLICATE_REFERENCE", reference)).await;
    }
}

#[tokio::test]
async fn refusals() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    for id in [UNKNOWN, "x", "bulk_00000000-0000-4000-8000-000000000000"] {
        let wanted = (404, "TXN_NOT_FOUND", &*format!("Transaction with ID '{id}' not found"));
        server.refuses(("DELETE", &path(id)), "", wanted).await;
    }
    let request = server.schedule(&a, &b, "run", APRIL, json!({})).await;
    let posted = server.post("/transactions", payment(&a, &b, json!({}))).await.field("transaction_id");
    let queued = payment(&a, &b, json!({"reference": "queued", "skip_queue": null}));
    let queued = server.post("/transactions", queued).await.field("transaction_id");
    let hold = server.hold(&a, &b, "hold").await;
    let now = batch(&server, &a, &b, true, &[("now", None)]).await;
    server.pass(APRIL).await;
    let run = id_of(&server, "run_q").await;
    for id in [&posted, &queued, &hold, &now, &run] {
        server.refuses(("DELETE", &path(id)), "", (400, "TXN_VALIDATION_ERROR", "nothing of it was scheduled")).await;
    }
    server.refuses(("DELETE", &path(&request)), "", ALREADY).await;
    assert_eq!(server.outcome("run").await, Some(("APPLIED".to_owned(), 100)));
}

/// The legs of a split run together, so they are called off together.
#[tokio::test]
async fn a_split_is_called_off_as_a_whole() {
    let server = open();
    let (a, b, c) = (server.funded(10_000).await, server.balance().await, server.balance().await);
    let parts = json!([{"identifier": b, "distribution": "30%"}, {"identifier": c, "distribution": "left"}]);
    let split = json!({"skip_queue": null, "reference": "s", "destination": null, "destinations": parts, "scheduled_for": APRIL});
    let told = server.post("/transactions", payment(&a, &b, split)).await;
    let whole = told.field("transaction_id");
    for leg in told.json()["destinations"].as_array().unwrap() {
        let wanted = (400, "TXN_VALIDATION_ERROR", &*format!("the id of the whole is {whole}"));
        server.refuses(("DELETE", &path(leg["transaction_id"].as_str().unwrap())), "", wanted).await;
    }
    let told = server.delete(&path(&whole)).await;
    assert_eq!((told.status.as_u16(), told.json()["cancelled"].clone()), (200, json!(2)));
    assert_eq!(listed(&told), [void("s_1_q", 30), void("s_2_q", 70)]);
    assert_eq!(told.json()["transactions"][1]["meta_data"]["QUEUED_PARENT_TRANSACTION"], json!(whole));
    server.pass(MAY).await;
    assert_eq!(server.figures(&a).await, [10_000, 10_000, 0, 0, 0]);
    server.refuses(("DELETE", &path(&whole)), "", ALREADY).await;
}

/// What of an atomic batch is due at one moment runs together. An item that runs by itself can be called off by itself; the
/// batch calls off what has not run.
#[tokio::test]
async fn an_atomic_batch() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let items = [
        ("now", None),
        ("a1", Some(APRIL)),
        ("m1", Some(MAY)),
        ("m2", Some(MAY)),
        ("j1", Some(JUNE)),
        ("j2", Some(JUNE)),
    ];
    let alone = [("skip", Some("2026-07-01T08:00:00Z"))];
    let whole = batch(&server, &a, &b, true, &[&items[..], &alone[..]].concat()).await;
    for reference in ["m1", "m2", "j1"] {
        let wanted = (400, "TXN_VALIDATION_ERROR", &*format!("the id of the whole is {whole}"));
        server.refuses(("DELETE", &path(&id_of(&server, reference).await)), "", wanted).await;
    }
    let told = server.delete(&path(&id_of(&server, "skip").await)).await;
    assert_eq!(listed(&told), [void("skip_q", 100)]);
    server.pass(MAY).await;
    assert_eq!(server.figures(&b).await, [400, 400, 0, 0, 0]);
    let told = server.delete(&path(&whole)).await;
    assert_eq!(
        (told.json()["cancelled"].clone(), listed(&told)),
        (json!(2), vec![void("j1_q", 100), void("j2_q", 100)])
    );
    server.pass("2027-01-01T00:00:00Z").await;
    assert_eq!((server.figures(&a).await, server.figures(&b).await), ([9600, 10_000, 400, 0, 0], [400, 400, 0, 0, 0]));
    server.refuses(("DELETE", &path(&whole)), "", ALREADY).await;
    assert_eq!(server.outcome("m2").await, Some(("APPLIED".to_owned(), 100)));
}

/// A split that stands in an atomic batch: its own id is that of the whole when nothing else is due then.
#[tokio::test]
async fn a_split_in_an_atomic_batch() {
    let server = open();
    let (a, b, c) = (server.funded(10_000).await, server.balance().await, server.balance().await);
    let parts = json!([{"identifier": b, "distribution": "50%"}, {"identifier": c, "distribution": "left"}]);
    let split = |reference: &str, due: &str| {
        let fields = json!({"skip_queue": null, "reference": reference, "scheduled_for": due});
        with(payment(&a, &b, fields), json!({"destination": null, "destinations": parts}))
    };
    let plain = payment(&a, &b, json!({"skip_queue": null, "reference": "p", "scheduled_for": APRIL}));
    let items = [split("x", APRIL), plain, split("y", MAY)];
    let told = server.post("/transactions/bulk", json!({"transactions": items, "atomic": true})).await;
    let whole = told.field("batch_id");
    let (x, y) = (id_of(&server, "x_2").await, id_of(&server, "y_2").await);
    let split_of = async |leg: &str| server.get(&format!("/transactions/{leg}")).await.field("parent_transaction");
    let (split_x, split_y) = (split_of(&x).await, split_of(&y).await);
    for (id, wanted) in [(&x, &whole), (&split_x, &whole), (&y, &split_y)] {
        let wanted = (400, "TXN_VALIDATION_ERROR", &*format!("the id of the whole is {wanted}"));
        server.refuses(("DELETE", &path(id)), "", wanted).await;
    }
    assert_eq!(listed(&server.delete(&path(&split_y)).await), [void("y_1_q", 50), void("y_2_q", 50)]);
    let told = server.delete(&path(&whole)).await;
    assert_eq!(listed(&told), [void("x_1_q", 50), void("x_2_q", 50), void("p_q", 100)]);
    server.pass(JUNE).await;
    assert_eq!(server.figures(&a).await, [10_000, 10_000, 0, 0, 0]);
}

/// Items of a batch that is not atomic run by themselves.
#[tokio::test]
async fn an_independent_batch() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let items = [("a1", Some(APRIL)), ("a2", Some(APRIL)), ("a3", Some(APRIL)), ("m1", Some(MAY)), ("m2", Some(MAY))];
    let whole = batch(&server, &a, &b, false, &items).await;
    assert_eq!(listed(&server.delete(&path(&id_of(&server, "a2").await)).await), [void("a2_q", 100)]);
    server.pass(APRIL).await;
    assert_eq!(server.figures(&b).await, [200, 200, 0, 0, 0]);
    assert_eq!(listed(&server.delete(&path(&whole)).await), [void("m1_q", 100), void("m2_q", 100)]);
    server.pass(JUNE).await;
    assert_eq!(server.figures(&b).await, [200, 200, 0, 0, 0]);
    server.refuses(("DELETE", &path(&whole)), "", ALREADY).await;
}

/// A large batch is called off whole, and its rows are all told.
#[tokio::test]
async fn a_large_batch() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let names: Vec<String> = (0..2_500).map(|number| format!("n{number}")).collect();
    let items: Vec<(&str, Option<&str>)> = names.iter().map(|name| (&**name, Some(APRIL))).collect();
    let whole = batch(&server, &a, &b, false, &items).await;
    let told = server.delete(&path(&whole)).await;
    assert_eq!((told.json()["cancelled"].clone(), listed(&told).len()), (json!(2_500), 2_500));
    assert_eq!(listed(&told)[2_499], void("n2499_q", 100));
    server.pass(MAY).await;
    assert_eq!(server.figures(&b).await, [0; 5]);
}

/// A hold that was called off never was one.
#[tokio::test]
async fn a_hold_that_was_to_be() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let fields = json!({"inflight": true, "inflight_expiry_date": MAY, "inflight_commit_date": JUNE});
    let request = server.schedule(&a, &b, "hold", APRIL, fields).await;
    let told = server.delete(&path(&request)).await;
    assert_eq!(
        (listed(&told), &told.json()["transactions"][0]["inflight"]),
        (vec![void("hold_q", 100)], &json!(false))
    );
    let end = told.json()["transactions"][0]["transaction_id"].as_str().unwrap().to_owned();
    for id in [&request, &end] {
        let commit = json!({"status": "commit", "skip_queue": true}).to_string();
        let held = format!("/transactions/inflight/{id}");
        server.refuses(("PUT", &held), commit, (400, "TXN_NOT_INFLIGHT", "no transaction to commit")).await;
        server.refuses(("GET", &held), "", (400, "TXN_NOT_INFLIGHT", "")).await;
        let refund = format!("/refund-transaction/{id}");
        server.refuses(("POST", &refund), "", (404, "TXN_NOT_FOUND", "no transaction to refund")).await;
    }
    server.pass("2026-07-01T00:00:00Z").await;
    assert_eq!(server.figures(&a).await, [10_000, 10_000, 0, 0, 0]);
}

/// A balance that does not exist is told as it was named.
#[tokio::test]
async fn a_side_that_does_not_exist() {
    let server = open();
    let b = server.balance().await;
    let nobody = "bln_00000000-0000-4000-8000-000000000000";
    let request = server.schedule(nobody, &b, "r", APRIL, json!({"allow_overdraft": true})).await;
    let row = server.delete(&path(&request)).await.json()["transactions"][0].clone();
    assert_eq!((&row["source"], &row["status"]), (&json!(nobody), &json!("VOID")));
    assert_eq!((&row["destination"], &row["meta_data"]["allow_overdraft"]), (&json!(b), &json!(true)));
    server.pass(MAY).await;
    assert_eq!(server.outcome("r").await, Some(("VOID".to_owned(), 100)));
}

#[tokio::test]
async fn a_key_answers_again() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let request = server.schedule(&a, &b, "rent", APRIL, json!({})).await;
    let other = server.schedule(&a, &b, "other", APRIL, json!({})).await;
    let key = [("Idempotency-Key", "k1")];
    server.ask_with("DELETE", &path(UNKNOWN), &key, "").await.is_error(404, "TXN_NOT_FOUND", "");
    let first = server.ask_with("DELETE", &path(&request), &key, "").await;
    let before = server.counts().await;
    let again = server.ask_with("DELETE", &path(&request), &key, "").await;
    assert_eq!(
        (again.status.as_u16(), &again.text, again.header("Idempotent-Replayed")),
        (200, &first.text, Some("true"))
    );
    assert_eq!(first.header("Idempotent-Replayed"), None);
    let told = server.ask_with("DELETE", &path(&other), &key, "").await;
    told.is_error(409, "GEN_CONFLICT", "Idempotency-Key was sent before with another request");
    server.ask_with("DELETE", &path(&other), &[("Idempotency-Key", "")], "").await.is_error(400, "GEN_BAD_REQUEST", "");
    assert_eq!(server.counts().await, before);
    assert_eq!(server.delete(&path(&other)).await.status.as_u16(), 200);
}

/// However many call off while the time comes, each request either runs or is called off, once; and the books agree.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn either_it_runs_or_it_is_called_off() {
    const REQUESTS: usize = 60;
    let server = Arc::new(open());
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let due = |number: usize| format!("2026-04-01T08:{number:02}:00Z");
    let mut requests = Vec::new();
    for number in 0..REQUESTS {
        requests.push(server.schedule(&a, &b, &format!("r{number}"), &due(number), json!({})).await);
    }
    let requests = Arc::new(requests);
    let mut callers = Vec::new();
    for _ in 0..4 {
        let (server, requests) = (server.clone(), requests.clone());
        callers.push(tokio::spawn(async move {
            let mut called_off = Vec::new();
            // From the end, so that callers and the clock meet.
            for request in requests.iter().rev() {
                let told = server.delete(&path(request)).await;
                match told.status.as_u16() {
                    200 => called_off.push(request.clone()),
                    _ => told.is_error(409, "GEN_CONFLICT", "nothing of it waits any more"),
                }
            }
            called_off
        }));
    }
    for number in 0..REQUESTS {
        server.pass(&due(number)).await;
    }
    let mut called_off = Vec::new();
    for caller in callers {
        called_off.extend(caller.await.expect("no caller panics"));
    }
    let count = called_off.len();
    called_off.sort();
    called_off.dedup();
    assert_eq!(called_off.len(), count, "a request was called off twice");
    for (number, request) in requests.iter().enumerate() {
        let wanted = if called_off.contains(request) { "VOID" } else { "APPLIED" };
        assert_eq!(server.outcome(&format!("r{number}")).await, Some((wanted.to_owned(), 100)), "r{number}");
    }
    let ran = 100 * (REQUESTS - count) as i64;
    assert_eq!(server.figures(&a).await, [10_000 - ran, 10_000, ran, 0, 0]);
    assert_eq!(server.figures(&b).await, [ran, ran, 0, 0, 0]);
    // Each of them has one end, whoever won.
    assert_eq!(server.counts().await.transactions, 1 + 2 * REQUESTS as u64);
}
