//! `Idempotency-Key`: a request is carried out once, however often it is sent.

use crate::books::{Counts, payment, with};
use crate::support::{KEY, TestServer, Told, open, settings};
use ledger::limits::KEY_BYTES_MAX;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

const REPLAYED: &str = "Idempotent-Replayed";

/// A request: method, path, body.
type Asked = (&'static str, String, Value);

async fn once(server: &TestServer, key: &str, (method, path, body): &Asked) -> Told {
    server.once(key, method, path, body).await
}

/// One request of every kind that a key is heard of, each good.
async fn every_kind(server: &TestServer) -> (Vec<Asked>, [String; 2]) {
    let (a, b) = (server.funded(100_000).await, server.funded(100_000).await);
    let pay = |reference: &str, fields: Value| with(payment(&a, &b, json!({"reference": reference})), fields);
    let id = async |body: Value| server.post("/transactions", body).await.field("transaction_id");
    let posted = [id(pay("r1", json!({}))).await, id(pay("r2", json!({}))).await];
    let mut holds = Vec::new();
    for number in 0..9 {
        holds.push(server.hold(&a, &b, &format!("hold{number}")).await);
    }
    let parts = json!([{"identifier": "@x", "distribution": "50%"}, {"identifier": "@y", "distribution": "left"}]);
    let split = json!({"destination": null, "destinations": parts});
    let batch = |prefix: &str, fields: Value| {
        let items = [pay(&format!("{prefix}1"), json!({})), pay(&format!("{prefix}2"), split.clone())];
        with(json!({"transactions": items, "skip_queue": true}), fields)
    };
    let queued = json!({"skip_queue": false});
    let transaction = |body: Value| ("POST", "/transactions".to_owned(), body);
    let bulk = |body: Value| ("POST", "/transactions/bulk".to_owned(), body);
    let refund = |id: &str, body: Value| ("POST", format!("/refund-transaction/{id}"), body);
    let settle = |hold: usize, body: Value| ("PUT", format!("/transactions/inflight/{}", holds[hold]), body);
    let commits = |body: Value| ("POST", "/transactions/inflight/bulk/commit".to_owned(), body);
    let voids = |body: Value| ("POST", "/transactions/inflight/bulk/void".to_owned(), body);
    let mixed = with(batch("c", json!({"continue_on_error": true})), json!({}));
    let mut mixed_items = mixed["transactions"].as_array().unwrap().clone();
    mixed_items.push(pay("c3", json!({"amount": 1_000_000})));
    mixed_items.push(pay("c4", json!({"amount": -1})));
    let asked = vec![
        transaction(pay("t1", json!({"meta_data": {"k": 1}}))),
        transaction(pay("t2", queued.clone())),
        transaction(pay("t3", json!({"inflight": true}))),
        transaction(with(pay("t4", split.clone()), json!({"precise_amount": 301, "amount": null}))),
        transaction(pay("t5", with(split.clone(), queued.clone()))),
        transaction(pay("t6", json!({"skip_queue": false, "scheduled_for": "2030-01-01T00:00:00Z"}))),
        transaction(pay("t7", json!({"skip_queue": false, "amount": 1_000_000}))),
        transaction(payment("@new", "@newer", json!({"reference": "t8", "currency": "XXX", "allow_overdraft": true}))),
        bulk(batch("a", json!({}))),
        bulk(batch("b", json!({"atomic": true, "skip_queue": false}))),
        bulk(batch("d", json!({"run_async": true}))),
        bulk(with(mixed.clone(), json!({"transactions": mixed_items}))),
        refund(&posted[0], json!({"skip_queue": true, "amount": 0.4})),
        refund(&posted[0], json!({})),
        refund(&posted[1], json!({"skip_queue": true, "description": "back"})),
        settle(0, json!({"status": "commit", "amount": 3, "skip_queue": true})),
        settle(0, json!({"status": "commit", "amount": 3})),
        settle(1, json!({"status": "void"})),
        settle(2, json!({"status": "void", "skip_queue": true})),
        commits(
            json!({"transactions": [{"transaction_id": holds[3]}, {"transaction_id": "txn_none"}, {"transaction_id": holds[4], "amount": 2}], "skip_queue": true}),
        ),
        commits(json!({"transactions": [{"transaction_id": holds[5]}]})),
        voids(json!({"transaction_ids": [holds[6], "txn_none"], "skip_queue": true})),
        voids(json!({"transaction_ids": [holds[7], holds[8]]})),
    ];
    (asked, [a, b])
}

async fn books(server: &TestServer, balances: &[String; 2]) -> (Counts, [i64; 5], [i64; 5]) {
    (server.counts().await, server.figures(&balances[0]).await, server.figures(&balances[1]).await)
}

/// The first answer, byte for byte, and nothing new: at once, after a crash, after a restart, and with the queue switched off
/// meanwhile.
#[tokio::test]
async fn the_same_request_is_answered_as_the_first_time() {
    let mut server = open();
    let (asked, balances) = every_kind(&server).await;
    let mut first = Vec::new();
    for (number, request) in asked.iter().enumerate() {
        let told = once(&server, &format!("key {number}"), request).await;
        assert!(told.status.is_success() && told.header(REPLAYED).is_none(), "{request:?} {told:?}");
        first.push(told);
    }
    let after = books(&server, &balances).await;
    for round in 0..4 {
        for (number, request) in asked.iter().enumerate() {
            let told = once(&server, &format!("key {number}"), request).await;
            assert_eq!((told.status, &told.text), (first[number].status, &first[number].text), "{request:?}");
            assert_eq!(told.header(REPLAYED), Some("true"), "{request:?}");
        }
        assert_eq!(books(&server, &balances).await, after);
        server = match round {
            0 => server.crashed(settings(&[])),
            1 => server.restarted(settings(&[])),
            _ => server.crashed(settings(&[("FLORIN_QUEUE_SKIP", "true")])),
        };
    }
    assert_eq!(books(&server, &balances).await, after);
}

/// What is settled by the id of a batch is told as the first time, though more of it has become a hold since.
#[tokio::test]
async fn a_settlement_is_told_as_the_first_time_when_there_are_more_holds() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let later = json!({"reference": "later", "skip_queue": null, "scheduled_for": "2026-03-04T10:12:00Z"});
    let items = [payment(&a, &b, json!({"reference": "now", "skip_queue": null})), payment(&a, &b, later)];
    let batch = server.post("/transactions/bulk", json!({"transactions": items, "inflight": true})).await;
    let inflight = format!("/transactions/inflight/{}", batch.field("batch_id"));
    let commit = ("PUT", inflight.clone(), json!({"status": "commit"}));
    let first = once(&server, "k", &commit).await;
    assert_eq!((first.status.as_u16(), server.figures(&b).await), (200, [100, 100, 0, 0, 0]), "{}", first.text);
    server.clock.fetch_add(60_000_000, Ordering::Relaxed);
    while server.figures(&b).await[3] == 0 {
        tokio::task::yield_now().await;
    }
    let again = once(&server, "k", &commit).await;
    assert_eq!((&again.text, again.header(REPLAYED)), (&first.text, Some("true")));
    assert_eq!(server.figures(&b).await, [100, 100, 0, 100, 0]);
}

/// Another body, another path, another method: a conflict, and nothing happens.
#[tokio::test]
async fn a_key_belongs_to_one_request() {
    let server = open();
    let (asked, balances) = every_kind(&server).await;
    for request in &asked {
        let key = format!("{request:?}").replace(['"', '\\'], "").chars().take(KEY_BYTES_MAX).collect::<String>();
        assert!(once(&server, &key, request).await.status.is_success(), "{request:?}");
    }
    let before = books(&server, &balances).await;
    for request in &asked {
        let key = format!("{request:?}").replace(['"', '\\'], "").chars().take(KEY_BYTES_MAX).collect::<String>();
        let (method, path, body) = request.clone();
        let other = (method, path.clone(), with(body.clone(), json!({"unknown": 1})));
        once(&server, &key, &other).await.is_error(
            409,
            "GEN_CONFLICT",
            "Idempotency-Key was sent before with another request",
        );
        let elsewhere = (method, format!("{path}?x=1"), body.clone());
        assert_eq!(once(&server, &key, &elsewhere).await.status.as_u16(), 409, "{request:?}");
    }
    assert_eq!(books(&server, &balances).await, before);
}

/// Items at positions that the first request did not have, or where it failed, are not carried out either.
#[tokio::test]
async fn the_items_of_another_request_are_not_carried_out() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let mut holds = Vec::new();
    for number in 0..4 {
        holds.push(server.hold(&a, &b, &format!("hold{number}")).await);
    }
    let commit = |ids: &[&str]| {
        let items: Vec<Value> = ids.iter().map(|id| json!({"transaction_id": id})).collect();
        ("POST", "/transactions/inflight/bulk/commit".to_owned(), json!({"transactions": items, "skip_queue": true}))
    };
    assert_eq!(once(&server, "k", &commit(&["txn_none", &holds[0]])).await.json()["succeeded"], 1);
    let before = server.figures(&b).await;
    for other in [commit(&[&holds[1]]), commit(&[&holds[1], &holds[0]]), commit(&[&holds[1], &holds[2], &holds[3]])] {
        assert_eq!(once(&server, "k", &other).await.status.as_u16(), 409);
    }
    let pay = ("POST", "/transactions".to_owned(), payment(&a, &b, json!({})));
    assert_eq!(once(&server, "p", &pay).await.status.as_u16(), 201);
    assert_eq!(once(&server, "p", &commit(&[&holds[1]])).await.status.as_u16(), 409);
    assert_eq!(server.figures(&b).await, [before[0] + 100, before[1] + 100, before[2], before[3], before[4]]);
}

/// A request that was refused leaves no key: the same key is free for the same request, or another.
#[tokio::test]
async fn a_refused_request_leaves_its_key_free() {
    let server = open();
    let (a, b) = (server.balance().await, server.balance().await);
    let pay = |fields: Value| ("POST", "/transactions".to_owned(), payment(&a, &b, fields));
    let before = server.counts().await;
    for wrong in [pay(json!({})), pay(json!({"amount": -1})), pay(json!({"destination": "nobody"}))] {
        assert!(once(&server, "k", &wrong).await.status.is_client_error());
    }
    assert_eq!(server.counts().await, before);
    let fund = payment("@World", &a, json!({"reference": "fund", "allow_overdraft": true}));
    server.post("/transactions", fund).await;
    let told = once(&server, "k", &pay(json!({}))).await;
    assert_eq!((told.status.as_u16(), told.header(REPLAYED)), (201, None));
    let again = once(&server, "k", &pay(json!({}))).await;
    assert_eq!((again.status.as_u16(), again.header(REPLAYED), &again.text), (201, Some("true"), &told.text));
    // Nor do others.
    let hold = server.funded(1_000).await;
    let (refund, hold) = ("/refund-transaction/txn_none".to_owned(), server.hold(&hold, &b, "hold").await);
    let wrong = ("POST", refund, json!({}));
    assert_eq!(once(&server, "r", &wrong).await.status.as_u16(), 404);
    let inflight = format!("/transactions/inflight/{hold}");
    let more = ("PUT", inflight.clone(), json!({"status": "commit", "amount": 11, "skip_queue": true}));
    assert_eq!(once(&server, "r", &more).await.status.as_u16(), 400);
    let good = ("PUT", inflight, json!({"status": "commit", "skip_queue": true}));
    assert_eq!(once(&server, "r", &good).await.status.as_u16(), 200);
    // An atomic batch too.
    let items = [payment(&a, &b, json!({"reference": "i1"}))];
    let batch =
        ("POST", "/transactions/bulk".to_owned(), json!({"transactions": items, "atomic": true, "skip_queue": true}));
    assert_eq!(once(&server, "b", &batch).await.code(), "TXN_INSUFFICIENT_FUNDS");
    server.post("/transactions", payment("@World", &a, json!({"reference": "more", "allow_overdraft": true}))).await;
    assert_eq!(once(&server, "b", &batch).await.status.as_u16(), 201);
}

/// What recorded nothing is answered as the first time too, and its key is taken: requests that are known, batches of which every
/// item is known or refused, and, where it is accepted, what comes late for a hold. After a crash, and with other settings.
#[tokio::test]
async fn a_request_that_records_nothing_keeps_its_key() {
    let late = [("FLORIN_COMPAT_LATE_SETTLEMENT", "accept")];
    let mut server = TestServer::new(settings(&late));
    let (a, b) = (server.funded(100_000).await, server.balance().await);
    let euros = json!({"ledger_id": "general_ledger_id", "currency": "EUR"});
    let c = server.post("/balances", euros).await.field("balance_id");
    let hold = server.hold(&a, &b, "hold").await;
    server.put(&format!("/transactions/inflight/{hold}"), json!({"status": "void", "skip_queue": true})).await;
    let pay = |reference: &str, fields: Value| {
        with(payment(&a, &b, json!({"reference": reference, "skip_queue": null})), fields)
    };
    let parts = json!([{"identifier": "@x", "distribution": "50%"}, {"identifier": "@y", "distribution": "left"}]);
    let split = pay("known 2", json!({"destination": null, "destinations": parts}));
    let exchange = json!({
        "source": a, "destination": c, "source_currency": "USD", "destination_currency": "EUR", "amount": 1, "precision": 100,
        "destination_precision": 100, "rate": "0.9", "reference": "known 3", "description": "test",
    });
    let bulk = |items: &[Value], fields: Value| {
        ("POST", "/transactions/bulk".to_owned(), with(json!({"transactions": items}), fields))
    };
    let known = [pay("known 1", json!({})), split.clone()];
    for body in &known {
        assert_eq!(server.post("/transactions", body.clone()).await.status.as_u16(), 201);
    }
    assert_eq!(server.post("/exchanges", exchange.clone()).await.status.as_u16(), 201);
    let (wrong, poor) = (pay("w", json!({"amount": -1})), pay("p", json!({"amount": 10_000})));
    let goes_on = json!({"continue_on_error": true, "skip_queue": true});
    let asked: Vec<Asked> = vec![
        ("POST", "/transactions".to_owned(), known[0].clone()),
        ("POST", "/transactions".to_owned(), split),
        ("POST", "/exchanges".to_owned(), exchange),
        bulk(&known, json!({})),
        bulk(&known, json!({"atomic": true})),
        bulk(&known, json!({"continue_on_error": true})),
        bulk(&known, json!({"run_async": true})),
        bulk(&[wrong.clone(), pay("w2", json!({"currency": null}))], goes_on.clone()),
        bulk(&[poor.clone(), poor.clone(), wrong.clone()], goes_on.clone()),
        bulk(&[poor, wrong], with(goes_on, json!({"run_async": true}))),
        ("PUT", format!("/transactions/inflight/{hold}"), json!({"status": "commit"})),
        ("POST", "/transactions/inflight/bulk/commit".to_owned(), json!({"transactions": [{"transaction_id": hold}]})),
        ("POST", "/transactions/inflight/bulk/void".to_owned(), json!({"transaction_ids": [hold, hold]})),
    ];
    let balances = [a.clone(), b.clone()];
    let before = books(&server, &balances).await;
    let mut first = Vec::new();
    for (number, request) in asked.iter().enumerate() {
        let told = once(&server, &format!("key {number}"), request).await;
        assert!(told.status.is_success() && told.header(REPLAYED).is_none(), "{request:?} {told:?}");
        first.push(told);
    }
    for round in 0..4 {
        for (number, request) in asked.iter().enumerate() {
            let told = once(&server, &format!("key {number}"), request).await;
            assert_eq!((told.status, &told.text), (first[number].status, &first[number].text), "{request:?}");
            assert_eq!(told.header(REPLAYED), Some("true"), "{request:?}");
            let (method, path, body) = request.clone();
            let other = (method, path, with(body, json!({"unknown": 1})));
            let told = once(&server, &format!("key {number}"), &other).await;
            told.is_error(409, "GEN_CONFLICT", "Idempotency-Key was sent before with another request");
        }
        assert_eq!(books(&server, &balances).await, before);
        server = match round {
            0 => server.crashed(settings(&late)),
            1 => server.restarted(settings(&[])),
            _ => server.crashed(settings(&[("FLORIN_QUEUE_SKIP", "true")])),
        };
    }
}

/// A batch that ended at an item has recorded those before it, so its answer is kept, though it is an error.
#[tokio::test]
async fn a_batch_that_ended_at_an_item_is_answered_again() {
    let server = open();
    let (a, b) = (server.funded(150).await, server.balance().await);
    let items = [payment(&a, &b, json!({"reference": "i1"})), payment(&a, &b, json!({"reference": "i2"}))];
    let batch = ("POST", "/transactions/bulk".to_owned(), json!({"transactions": items, "skip_queue": true}));
    let first = once(&server, "k", &batch).await;
    first.is_error(400, "TXN_INSUFFICIENT_FUNDS", "failed to queue transaction 2");
    server.post("/transactions", payment("@World", &a, json!({"reference": "fund", "allow_overdraft": true}))).await;
    let again = once(&server, "k", &batch).await;
    assert_eq!((&again.text, again.status, again.header(REPLAYED)), (&first.text, first.status, Some("true")));
    assert_eq!(server.figures(&b).await[0], 100);
}

#[tokio::test]
async fn keys_on_both_sides_of_their_limits() {
    let server = open();
    let (asked, _) = every_kind(&server).await;
    let longest = "k".repeat(KEY_BYTES_MAX);
    for (method, path, body) in &asked {
        let before = server.counts().await;
        for key in ["", &format!("{longest}k"), "clé", "\u{80}"] {
            let headers = [("X-Blnk-Key", KEY), ("Idempotency-Key", key)];
            let told = server.ask_with(method, path, &headers, body.to_string()).await;
            told.is_error(400, "GEN_BAD_REQUEST", "Idempotency-Key must have from 1 to 255 visible characters");
        }
        assert_eq!(server.counts().await, before, "{method} {path}");
    }
    for key in ["k", &longest, "with a space", "!\"#~"] {
        let body = payment("@a", "@b", json!({"reference": key, "allow_overdraft": true}));
        for replayed in [None, Some("true")] {
            let told = server.once(key, "POST", "/transactions", &body).await;
            assert_eq!((told.status.as_u16(), told.header(REPLAYED)), (201, replayed));
        }
    }
}

/// Many at once: one is carried out, all are answered the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_effect_of_many_at_once() {
    let server = std::sync::Arc::new(open());
    let (a, b) = (server.funded(100_000).await, server.balance().await);
    let hold = server.hold(&a, &b, "hold").await;
    let items =
        [payment(&a, &b, json!({"reference": "i1"})), payment(&a, &b, json!({"reference": "i2", "amount": 10_000}))];
    let asked: Vec<Asked> = vec![
        ("POST", "/transactions".to_owned(), payment(&a, &b, json!({}))),
        (
            "POST",
            "/transactions/bulk".to_owned(),
            json!({"transactions": items, "skip_queue": true, "continue_on_error": true}),
        ),
        ("PUT", format!("/transactions/inflight/{hold}"), json!({"status": "commit", "amount": 2, "skip_queue": true})),
    ];
    for (number, request) in asked.iter().enumerate() {
        let tasks: Vec<_> = (0..32)
            .map(|_| {
                let (server, request) = (std::sync::Arc::clone(&server), request.clone());
                tokio::spawn(async move { once(&server, &format!("key {number}"), &request).await })
            })
            .collect();
        let mut told = Vec::new();
        for task in tasks {
            told.push(task.await.unwrap());
        }
        assert!(told.iter().all(|one| one.status.is_success() && one.text == told[0].text), "{told:?}");
        assert_eq!(told.iter().filter(|one| one.header(REPLAYED).is_none()).count(), 1);
    }
    assert_eq!(server.figures(&b).await, [400, 400, 0, 800, 0]);
}
