use crate::books::payment;
use crate::support::{NOW, open};
use engine::limits::REFUND_NUMBERS_TRIED;
use serde_json::json;

#[tokio::test]
async fn gives_back_once() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let id = server
        .post("/transactions", payment(&a, &b, json!({"amount": 19.99, "meta_data": {"k": 1, "o": 2}})))
        .await
        .field("transaction_id");
    let path = format!("/refund-transaction/{id}");
    let told = server
        .post(&path, json!({"skip_queue": true, "description": "sorry", "meta_data": {"k": 2}, "unknown": 1}))
        .await;
    let zero = "0001-01-01T00:00:00Z";
    told.is(
        201,
        json!({
            "precise_amount": 1999, "amount": 19.99, "amount_string": "19.99", "precision": 100, "overdraft_limit": 0,
            "transaction_id": "<txn 1>", "parent_transaction": "<txn 2>", "source": "<bln 1>", "destination": "<bln 2>",
            "reference": "<txn 2>_refund", "currency": "USD", "description": "sorry", "status": "APPLIED", "hash": "<hash>",
            "allow_overdraft": true, "inflight": false, "skip_queue": true, "atomic": false, "created_at": NOW, "effective_date": NOW,
            "scheduled_for": zero, "inflight_expiry_date": zero, "inflight_commit_date": zero,
            "meta_data": {"k": 2, "o": 2, "allow_overdraft": true},
        }),
    );
    assert_eq!((told.field("source"), told.field("parent_transaction")), (b.clone(), id.clone()));
    assert_eq!(server.figures(&a).await, [10_000, 11_999, 1999, 0, 0]);
    for body in ["", "{}", r#"{"skip_queue": true}"#] {
        let wanted = format!("error occurred during processing: [transaction {id} has already been refunded]");
        server.refuses(("POST", &path), body, (409, "GEN_CONFLICT", &wanted)).await;
    }
    // A refund is a transaction, and can be given back.
    let again = server.ask("POST", &format!("/refund-transaction/{}", told.field("transaction_id")), "").await;
    assert_eq!((again.status.as_u16(), again.field("status").as_str()), (201, "QUEUED"));
    assert_eq!(server.figures(&a).await[0], 8001);
}

/// Whoever takes the reference of a refund before it is made does not hinder it: it gets the next that is free, and one that
/// nobody can know before when there seems to be no end to them. Through the queue that of its outcome must be free too.
#[tokio::test]
async fn a_taken_reference_does_not_hinder() {
    let server = open();
    let (a, b) = (server.funded(100_000).await, server.balance().await);
    let take = async |reference: String| {
        let told = server
            .post("/transactions", payment("@Mint", "@Sink", json!({"reference": reference, "allow_overdraft": true})))
            .await;
        assert_eq!(told.status.as_u16(), 201, "{}", told.text);
    };
    let paid = async |reference: &str| {
        let told = server.post("/transactions", payment(&a, &b, json!({"reference": reference, "amount": 10})));
        told.await.field("transaction_id")
    };
    for (queued, taken) in [(false, "_refund"), (true, "_refund"), (true, "_refund_q")] {
        let id = paid(&format!("paid {queued} {taken}")).await;
        take(format!("{id}{taken}")).await;
        take(format!("{id}_refund_3")).await;
        let path = format!("/refund-transaction/{id}");
        for number in [2, 4, 5] {
            let body = json!({"amount": 1, "skip_queue": !queued});
            let (said, done) = server.said_and_done("POST", &path, body).await;
            assert_eq!(
                (done.status.as_u16(), done.field("reference")),
                (201, format!("{id}_refund_{number}")),
                "{}",
                done.text
            );
            assert_eq!(said.field("reference"), done.field("reference"));
        }
        assert_eq!(server.post(&path, json!({})).await.field("reference"), format!("{id}_refund_6"));
        server.post(&path, json!({})).await.is_error(409, "GEN_CONFLICT", "has already been refunded");
    }
    for (number, taken) in [REFUND_NUMBERS_TRIED - 1, REFUND_NUMBERS_TRIED].into_iter().enumerate() {
        let id = paid(&format!("last {number}")).await;
        take(format!("{id}_refund")).await;
        for number in 2..=taken {
            take(format!("{id}_refund_{number}")).await;
        }
        let reference =
            server.post(&format!("/refund-transaction/{id}"), json!({"skip_queue": true})).await.field("reference");
        let tail = reference.strip_prefix(&format!("{id}_refund_")).expect("it begins so");
        if number == 0 { assert_eq!(tail, REFUND_NUMBERS_TRIED.to_string()) } else { assert_eq!(tail.len(), 36) }
    }
    assert_eq!(server.figures(&b).await[0], 0);
}

#[tokio::test]
async fn what_cannot_be_given_back_is_not_found() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let hold = server.hold(&a, &b, "hold").await;
    for id in ["x", "txn_00000000-0000-4000-8000-000000000000", "bulk_00000000-0000-4000-8000-000000000000", &hold] {
        server
            .refuses(
                ("POST", &format!("/refund-transaction/{id}")),
                "",
                (404, "TXN_NOT_FOUND", "no transaction to refund"),
            )
            .await;
    }
}

#[tokio::test]
async fn refusals() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let id = server.post("/transactions", payment(&a, &b, json!({}))).await.field("transaction_id");
    let path = format!("/refund-transaction/{id}");
    let invalid = "TXN_VALIDATION_ERROR";
    for (body, text) in [
        (json!({"description": "d".repeat(65_537)}), "description: cannot be longer than 65536 bytes."),
        (json!({"meta_data": {"k": "m".repeat(262_144 - 7)}}), "meta_data: cannot be longer than 262144 bytes."),
    ] {
        server.refuses(("POST", &path), body.to_string(), (400, invalid, text)).await;
    }
    let longest = json!({"description": "d".repeat(65_536)});
    assert_eq!(server.post(&path, longest).await.status.as_u16(), 201);
}

/// Inherited metadata and the request's are one object, which must not be longer than one may be.
#[tokio::test]
async fn merged_metadata_has_the_same_limit() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let half = "m".repeat(200_000);
    let id =
        server.post("/transactions", payment(&a, &b, json!({"meta_data": {"a": half}}))).await.field("transaction_id");
    let body = json!({"meta_data": {"b": half}}).to_string();
    let wanted = (400, "TXN_VALIDATION_ERROR", "meta_data: cannot be longer than 262144 bytes");
    server.refuses(("POST", &format!("/refund-transaction/{id}")), body, wanted).await;
}

/// By the id of a split transaction that was held: what was committed of each leg; nothing before that, nor when it was voided.
#[tokio::test]
async fn gives_back_what_was_committed_of_a_split() {
    let server = open();
    let a = server.funded(10_000).await;
    let parts = json!([{"identifier": "@fee", "distribution": "10%"}, {"identifier": "@shop", "distribution": "left"}]);
    for (reference, skip_queue) in [("now", true), ("queued", false)] {
        let fields = json!({
            "amount": 10, "destination": null, "destinations": parts, "inflight": true, "reference": reference, "skip_queue": skip_queue,
        });
        let id = server.post("/transactions", payment(&a, "", fields)).await.field("transaction_id");
        let (hold, refund) = (format!("/transactions/inflight/{id}"), format!("/refund-transaction/{id}"));
        let missing = (404, "TXN_NOT_FOUND", "no transaction to refund");
        server.refuses(("POST", &refund), "", missing).await;
        let part = json!({"status": "commit", "precise_amount": 70, "skip_queue": true});
        assert_eq!(server.put(&hold, part).await.status.as_u16(), 200);
        assert_eq!(server.put(&hold, json!({"status": "void", "skip_queue": true})).await.status.as_u16(), 200);
        let before = server.figures(&a).await;
        assert_eq!(server.post(&refund, json!({"skip_queue": skip_queue})).await.status.as_u16(), 201);
        let after = server.figures(&a).await;
        assert_eq!([after[0] - before[0], after[1] - before[1], after[2] - before[2]], [140, 140, 0]);
        assert_eq!(after, [10_000, after[1], after[2], 0, 0]);
        server.refuses(("POST", &refund), "", (409, "GEN_CONFLICT", "has already been refunded")).await;
    }
}
