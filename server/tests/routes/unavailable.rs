//! A server that cannot do its work says so, and when to come back.

use crate::books::payment;
use crate::support::{TestServer, Told, open};
use engine::limits::QUEUE_REQUESTS_MAX;
use journal::disk::Failure;
use serde_json::json;
use std::sync::mpsc::channel;

fn is_unavailable(told: &Told, text: &str) {
    told.is_error(503, "QUEUE_BACKPRESSURE", text);
    assert_eq!(told.header("Retry-After"), Some("1"));
}

async fn reads_and_changes(server: &TestServer) -> [Told; 4] {
    [
        server.post("/ledgers", json!({"name": "x"})).await,
        server.post("/transactions", payment("@a", "@b", json!({"allow_overdraft": true}))).await,
        server.get("/balances").await,
        server.get("/transactions/reference/pay").await,
    ]
}

/// The writer is held up, and as many requests wait as may.
#[tokio::test]
async fn a_full_queue_is_told() {
    let server = open();
    let (release, held) = channel::<()>();
    let (sender, started) = channel();
    let engine = server.state.engine();
    engine.read(move |_| (sender.send(()), held.recv().is_err()), drop);
    started.recv().expect("the writer looks");
    for _ in 0..QUEUE_REQUESTS_MAX {
        engine.read(|_| (), drop);
    }
    for told in reads_and_changes(&server).await {
        is_unavailable(&told, "too many requests are waiting; try again in a moment");
    }
    assert_eq!(server.get("/health").await.status.as_u16(), 200, "a busy server is up");
    drop(release);
    let ledger = loop {
        // Served as soon as the queue has room, which the writer makes.
        let told = server.post("/ledgers", json!({"name": "x"})).await;
        if told.status.as_u16() != 503 {
            break told;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(ledger.status.as_u16(), 201);
    assert_eq!(server.get("/ledgers").await.json().as_array().map(Vec::len), Some(2), "what was refused is not there");
}

/// After a failed write nothing is taken any more: nobody knows what is on the disk.
#[tokio::test]
async fn a_server_that_cannot_write_stops() {
    let server = open();
    let before = server.counts().await;
    server.disk.fail_after(0, Failure::NoSpace);
    is_unavailable(&server.post("/ledgers", json!({"name": "x"})).await, "");
    for told in reads_and_changes(&server).await {
        is_unavailable(&told, "the ledger takes no changes; see /health");
    }
    let bulk = server.post("/transactions/inflight/bulk/void", json!({"transaction_ids": ["txn_0"]})).await;
    assert_eq!(bulk.status.as_u16(), 200, "what is not there needs no writer");
    let health = server.get("/health").await;
    assert_eq!((health.status.as_u16(), health.json()["status"].as_str()), (503, Some("DOWN")));
    assert_eq!(server.state.books().rows.len(), before.transactions);
}

#[tokio::test]
async fn a_closed_engine_is_told() {
    let server = open();
    server.state.engine().close();
    for told in reads_and_changes(&server).await {
        is_unavailable(&told, "");
    }
}
