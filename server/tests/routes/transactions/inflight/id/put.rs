use crate::books::payment;
use crate::support::{NOW, TestServer, open};
use serde_json::{Value, json};

async fn end(server: &TestServer, id: &str, body: Value) -> crate::support::Told {
    server.put(&format!("/transactions/inflight/{id}"), body).await
}

#[tokio::test]
async fn commits_in_parts_and_releases_the_rest() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let hold = server.hold(&a, &b, "hold").await;
    let told = end(&server, &hold, json!({"status": "commit", "amount": 2.5, "skip_queue": true, "unknown": 1})).await;
    let zero = "0001-01-01T00:00:00Z";
    let parent = told.json()["parent_transaction"].clone();
    told.is(
        200,
        json!({
            "precise_amount": 250, "amount": 2.5, "amount_string": "2.5", "precision": 100, "overdraft_limit": 0, "transaction_id": "<txn 1>",
            "parent_transaction": "<txn 2>", "source": "<bln 1>", "destination": "<bln 2>", "reference": "<ref 1>", "currency": "USD",
            "description": "test", "status": "APPLIED", "hash": "<hash>", "allow_overdraft": false, "inflight": false, "skip_queue": false,
            "atomic": false, "created_at": NOW, "effective_date": NOW, "scheduled_for": zero, "inflight_expiry_date": zero,
            "inflight_commit_date": zero,
        }),
    );
    assert_eq!(parent, json!(hold));
    assert_eq!(server.figures(&a).await, [9750, 10_000, 250, 0, 750]);
    let told = end(&server, &hold, json!({"status": "commit", "precise_amount": "100"})).await;
    assert_eq!(
        (told.status.as_u16(), told.json()["queued"].clone(), told.field("status").as_str()),
        (200, json!(true), "INFLIGHT")
    );
    let told = end(&server, &hold, json!({"status": "void", "amount": 1, "skip_queue": true})).await;
    assert_eq!((told.field("status").as_str(), &told.json()["precise_amount"]), ("VOID", &json!(650)));
    assert_eq!(server.figures(&a).await, [9650, 10_000, 350, 0, 0]);
    assert_eq!(server.figures(&b).await, [350, 350, 0, 0, 0]);
}

#[tokio::test]
async fn refusals() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let hold = server.hold(&a, &b, "hold").await;
    let path = format!("/transactions/inflight/{hold}");
    for (body, code, text) in [
        (json!({}), "TXN_INVALID_STATUS_ACTION", "status not supported. use either commit or void"),
        (json!({"status": "Commit"}), "TXN_INVALID_STATUS_ACTION", "status not supported"),
        (json!({"status": "commit", "precise_amount": 0}), "TXN_INVALID_AMOUNT", "precise_amount must be positive"),
        (json!({"status": "void", "precise_amount": -1}), "TXN_INVALID_AMOUNT", "precise_amount must be positive"),
        (
            json!({"status": "commit", "precise_amount": "-999999999999999999999999999999999999999999"}),
            "TXN_INVALID_AMOUNT",
            "must be positive",
        ),
        (
            json!({"status": "commit", "precise_amount": 1.5}),
            "GEN_MALFORMED_REQUEST",
            "precise_amount is not a whole number",
        ),
        (json!({"status": "commit", "amount": -1}), "GEN_BAD_REQUEST", "commit amount cannot be negative"),
        (json!({"status": "commit", "amount": 0.001}), "TXN_INVALID_AMOUNT", "amount rounds to nothing"),
        (
            json!({"status": "commit", "amount": 10.01}),
            "TXN_COMMIT_AMOUNT_EXCEEDED",
            "Original: USD10.00, Requested: USD10.01",
        ),
        (
            json!({"status": "commit", "amount": 1e300}),
            "TXN_COMMIT_AMOUNT_EXCEEDED",
            "cannot commit more than the original",
        ),
        (json!({"status": "commit", "dry_run": true}), "TXN_VALIDATION_ERROR", "dry_run"),
    ] {
        for skip_queue in [true, false] {
            let mut body = body.clone();
            body["skip_queue"] = json!(skip_queue);
            server.refuses(("PUT", &path), body.to_string(), (400, code, text)).await;
        }
    }
    end(&server, &hold, json!({"status": "commit", "amount": 4})).await;
    let body = json!({"status": "commit", "amount": 6.01, "skip_queue": true}).to_string();
    let wanted = "error occurred during processing: [cannot commit more than the remaining amount. Available: USD6.00, Requested: USD6.01]";
    server.refuses(("PUT", &path), body, (400, "TXN_COMMIT_AMOUNT_EXCEEDED", wanted)).await;
}

#[tokio::test]
async fn what_is_no_open_hold_is_told() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let (done, gone) = (server.hold(&a, &b, "done").await, server.hold(&a, &b, "gone").await);
    end(&server, &done, json!({"status": "commit"})).await;
    end(&server, &gone, json!({"status": "void"})).await;
    let posted = server.post("/transactions", payment(&a, &b, json!({}))).await.field("transaction_id");
    let nothing = "txn_00000000-0000-4000-8000-000000000000";
    for (id, action, skip_queue, status, code, text) in [
        (&*done, "commit", true, 409, "TXN_ALREADY_COMMITTED", "[cannot commit. Transaction already committed]"),
        (&done, "void", true, 409, "TXN_ALREADY_COMMITTED", "[cannot void. Transaction already committed]"),
        (&done, "void", false, 409, "TXN_ALREADY_COMMITTED", "cannot commit. Transaction already committed"),
        (&gone, "commit", true, 409, "TXN_ALREADY_VOIDED", "has already been voided"),
        (&gone, "void", false, 409, "TXN_ALREADY_VOIDED", "has already been voided"),
        (&posted, "commit", true, 400, "TXN_NOT_INFLIGHT", "no transaction to commit"),
        (&posted, "void", false, 400, "TXN_NOT_INFLIGHT", "transaction is not in inflight status"),
        (nothing, "void", true, 400, "TXN_NOT_INFLIGHT", "no transaction to void"),
        (
            nothing,
            "void",
            false,
            404,
            "TXN_NOT_FOUND",
            "Transaction with ID 'txn_00000000-0000-4000-8000-000000000000' not found",
        ),
        ("x", "void", false, 404, "TXN_NOT_FOUND", "Transaction with ID 'x' not found"),
    ] {
        let body = json!({"status": action, "skip_queue": skip_queue}).to_string();
        server.refuses(("PUT", &format!("/transactions/inflight/{id}")), body, (status, code, text)).await;
    }
}

/// The holds of a batch are ended together or not at all; the refusal tells of the one that cannot be ended.
#[tokio::test]
async fn a_batch_is_ended_as_a_whole() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let items: Vec<_> = [("small", 5), ("large", 50)]
        .iter()
        .map(|(name, amount)| payment(&a, &b, json!({"reference": name, "amount": amount})))
        .collect();
    let batch = server
        .post("/transactions/bulk", json!({"transactions": items, "inflight": true, "skip_queue": true}))
        .await
        .field("batch_id");
    let path = format!("/transactions/inflight/{batch}");
    let body = json!({"status": "commit", "amount": 20, "skip_queue": true}).to_string();
    server
        .refuses(("PUT", &path), body, (400, "TXN_COMMIT_AMOUNT_EXCEEDED", "Original: USD5.00, Requested: USD20.00"))
        .await;
    let told = end(&server, &batch, json!({"status": "commit"})).await;
    assert_eq!((told.status.as_u16(), told.field("transaction_id")), (200, batch));
    assert_eq!(server.figures(&a).await, [4500, 10_000, 5500, 0, 0]);
}

/// A setting accepts what comes late, for clients that were written for it.
#[tokio::test]
async fn late_may_be_accepted() {
    let server = TestServer::new(crate::support::settings(&[("FLORIN_COMPAT_LATE_SETTLEMENT", "accept")]));
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let hold = server.hold(&a, &b, "hold").await;
    end(&server, &hold, json!({"status": "void"})).await;
    let before = server.counts().await;
    let told = end(&server, &hold, json!({"status": "commit"})).await;
    assert_eq!(
        (told.status.as_u16(), told.field("status").as_str(), &told.json()["queued"]),
        (200, "INFLIGHT", &json!(true))
    );
    let body = json!({"transactions": [{"transaction_id": hold}]});
    let told = server.post("/transactions/inflight/bulk/commit", body).await;
    assert_eq!(told.json()["results"][0]["status"], "queued");
    assert_eq!((server.counts().await, server.figures(&a).await), (before, [10_000, 10_000, 0, 0, 0]));
    end(&server, &hold, json!({"status": "commit", "skip_queue": true})).await.is_error(409, "TXN_ALREADY_VOIDED", "");
}
