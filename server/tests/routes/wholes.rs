//! A request is about all that its id stands for when its turn comes: also about what a schedule brings while it is looked up.
//!
//! Each request is stopped between its look and its turn, and something is due in between. A command that misses it is made
//! again; without that a part would be done, and told as all of it.

use crate::books::payment;
use crate::support::{TestServer, Told, open};
use serde_json::{Value, json};
use server::http::ask::MAKINGS_MAX;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

const FIRST: &str = "2026-09-22T00:00:00Z";
const SECOND: &str = "2026-09-23T00:00:00Z";

/// A batch of two payments of 1.00 that are due on different days.
async fn scheduled(server: &TestServer, source: &str, destination: &str, inflight: bool) -> String {
    let items: Vec<_> = [FIRST, SECOND]
        .iter()
        .map(|due| {
            let fields = json!({"reference": due, "amount": 1, "skip_queue": null, "scheduled_for": due});
            payment(source, destination, fields)
        })
        .collect();
    let told = server.post("/transactions/bulk", json!({"transactions": items, "inflight": inflight})).await;
    assert_eq!(told.status.as_u16(), 201, "{}", told.text);
    told.field("batch_id")
}

/// Has a request ask the writer for something, and the writer find it.
async fn step(server: &TestServer, mut request: Pin<&mut impl Future<Output = Told>>) {
    poll_fn(|context| {
        assert!(request.as_mut().poll(context).is_pending(), "it waits for what it asked for");
        Poll::Ready(())
    })
    .await;
    // The writer takes one after the other: behind this look, what the request asked for has been done.
    server::http::ask::look(&server.state, |_| ()).await.expect("the engine runs");
}

/// Lets a request have so many looks at the state, then time pass, and then the rest of the request.
async fn overtaken(server: &TestServer, request: impl Future<Output = Told>, looks: usize, to: &str) -> Told {
    let mut request = pin!(request);
    for _ in 0..looks {
        step(server, request.as_mut()).await;
    }
    server.pass(to).await;
    request.await
}

#[tokio::test]
async fn a_commit_or_void_of_a_whole_misses_no_hold() {
    for (action, left) in [("commit", 9800), ("void", 10_000)] {
        for body in [json!({"status": action}), json!({"status": action, "skip_queue": true})] {
            let server = open();
            let (a, b) = (server.funded(10_000).await, server.balance().await);
            let batch = scheduled(&server, &a, &b, true).await;
            server.pass(FIRST).await;
            let path = format!("/transactions/inflight/{batch}");
            let told = overtaken(&server, server.put(&path, body.clone()), 1, SECOND).await;
            assert_eq!(told.status.as_u16(), 200, "{}", told.text);
            assert_eq!(server.figures(&a).await[0], left, "{body}");
            assert_eq!(server.figures(&a).await[4], 0, "{body}: nothing is held any more");
        }
    }
}

/// Proves that a command is made so often and not once more, and that what was not carried out can be sent again.
#[tokio::test]
async fn what_is_overtaken_again_and_again_is_given_up() {
    for overtakings in [MAKINGS_MAX - 1, MAKINGS_MAX] {
        let server = open();
        let (a, b) = (server.funded(10_000).await, server.balance().await);
        let due = |day: usize| format!("2026-10-{:02}T00:00:00Z", 1 + day);
        let items: Vec<_> = (0..=MAKINGS_MAX)
            .map(|day| {
                payment(
                    &a,
                    &b,
                    json!({"reference": due(day), "amount": 1, "skip_queue": null, "scheduled_for": due(day)}),
                )
            })
            .collect();
        let batch = server.post("/transactions/bulk", json!({"transactions": items, "inflight": true})).await;
        let path = format!("/transactions/inflight/{}", batch.field("batch_id"));
        server.pass(&due(0)).await;
        let body = json!({"status": "void", "skip_queue": true});
        let mut request = pin!(server.put(&path, body.clone()));
        for day in 1..=overtakings {
            step(&server, request.as_mut()).await;
            server.pass(&due(day)).await;
            if day < MAKINGS_MAX {
                step(&server, request.as_mut()).await;
            }
        }
        let told = request.await;
        let held = server.figures(&a).await[4];
        if overtakings < MAKINGS_MAX {
            assert_eq!((told.status.as_u16(), held), (200, 0), "{}", told.text);
        } else {
            told.is_error(423, "GEN_RESOURCE_LOCKED", "try again");
            assert_eq!(held, 100 * (1 + MAKINGS_MAX as i64));
            assert_eq!(server.put(&path, body).await.status.as_u16(), 200);
            assert_eq!(server.figures(&a).await[4], 0);
        }
    }
}

#[tokio::test]
async fn an_item_of_many_misses_no_hold() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let batch = scheduled(&server, &a, &b, true).await;
    server.pass(FIRST).await;
    let body = json!({"transaction_ids": [batch], "skip_queue": true});
    let request = server.once("key", "POST", "/transactions/inflight/bulk/void", &body);
    // The first look is about the key.
    let told = overtaken(&server, request, 2, SECOND).await;
    assert_eq!((told.status.as_u16(), &told.json()["succeeded"]), (200, &json!(1)), "{}", told.text);
    assert_eq!(server.figures(&a).await, [10_000, 10_000, 0, 0, 0]);
    let again = server.once("key", "POST", "/transactions/inflight/bulk/void", &body).await;
    assert_eq!(again.json()["succeeded"], json!(1), "{}", again.text);
}

#[tokio::test]
async fn a_hold_is_changed_only_while_it_is_the_only_one() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let batch = scheduled(&server, &a, &b, true).await;
    server.pass(FIRST).await;
    let path = format!("/transactions/inflight/{batch}");
    let told = overtaken(&server, server.patch(&path, json!({"precise_amount": 50})), 1, SECOND).await;
    told.is_error(400, "TXN_VALIDATION_ERROR", "id: it stands for 2 holds; name one of them");
    assert_eq!(server.figures(&a).await, [10_000, 10_000, 0, 0, 200]);
}

#[tokio::test]
async fn a_refund_of_a_whole_misses_nothing_that_was_posted() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let batch = scheduled(&server, &a, &b, false).await;
    server.pass(FIRST).await;
    let path = format!("/refund-transaction/{batch}");
    let body = json!({"skip_queue": true});
    let told = overtaken(&server, server.once("key", "POST", &path, &body), 1, SECOND).await;
    assert_eq!(told.status.as_u16(), 201, "{}", told.text);
    assert_eq!(server.figures(&a).await[0], 10_000);
    let again = server.once("key", "POST", &path, &body).await;
    assert_eq!((again.header("Idempotent-Replayed"), &again.text), (Some("true"), &told.text));
}

/// Proves that a dry run is about the same as the real request would be.
#[tokio::test]
async fn a_dry_run_misses_nothing() {
    for inflight in [true, false] {
        let server = open();
        let (a, b) = (server.funded(10_000).await, server.balance().await);
        let batch = scheduled(&server, &a, &b, inflight).await;
        server.pass(FIRST).await;
        let counts = server.counts().await.transactions;
        let refund = format!("/refund-transaction/{batch}");
        let told = if inflight {
            let path = format!("/transactions/inflight/{batch}");
            overtaken(&server, server.put(&path, json!({"status": "commit", "dry_run": true})), 1, SECOND).await
        } else {
            overtaken(&server, server.post(&refund, json!({"dry_run": true})), 1, SECOND).await
        };
        let view: Value = told.json();
        assert_eq!((told.status.as_u16(), &view["precise_amount"]), (200, &json!("200")), "{}", told.text);
        assert_eq!(server.counts().await.transactions, counts + 1, "only what was due came");
    }
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let batch = scheduled(&server, &a, &b, true).await;
    server.pass(FIRST).await;
    let body = json!({"transaction_ids": [batch], "dry_run": true});
    let told = overtaken(&server, server.post("/transactions/inflight/bulk/void", body), 1, SECOND).await;
    assert_eq!(told.json()["results"][0]["precise_amount"], json!("200"), "{}", told.text);
}

/// Proves that a request that is sent again is answered as the first time, also when its id stands for more by now than such
/// a request may be about.
#[tokio::test]
async fn what_was_done_is_told_again_when_the_id_stands_for_more() {
    let change = json!({"precise_amount": 150});
    let more = |skip_queue: bool| json!({"status": "commit", "amount": 3, "allow_over_capture": true, "skip_queue": skip_queue});
    for (method, body) in [("PATCH", change), ("PUT", more(true)), ("PUT", more(false))] {
        let server = open();
        let (a, b) = (server.funded(10_000).await, server.balance().await);
        let path = format!("/transactions/inflight/{}", scheduled(&server, &a, &b, true).await);
        server.pass(FIRST).await;
        let first = server.once("key", method, &path, &body).await;
        assert_eq!((first.status.as_u16(), first.header("Idempotent-Replayed")), (200, None), "{}", first.text);
        server.pass(SECOND).await;
        let figures = server.figures(&a).await;
        let again = server.once("key", method, &path, &body).await;
        assert_eq!((&again.text, again.header("Idempotent-Replayed")), (&first.text, Some("true")), "{method} {body}");
        server.once("other", method, &path, &body).await.is_error(400, "TXN_VALIDATION_ERROR", "name one of them");
        let other = if method == "PUT" { json!({"status": "void"}) } else { json!({"precise_amount": 7}) };
        server.once("key", method, &path, &other).await.is_error(409, "GEN_CONFLICT", "was sent before");
        assert_eq!(server.figures(&a).await, figures);
    }
}
