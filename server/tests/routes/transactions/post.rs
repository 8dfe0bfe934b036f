use crate::books::{payment, with};
use crate::support::{NOW, open};
use serde_json::{Value, json};

const ROUTE: (&str, &str) = ("POST", "/transactions");
const ZERO: &str = "0001-01-01T00:00:00Z";

fn wanted(fields: Value) -> Value {
    let usual = json!({
        "precise_amount": 1999, "amount": 19.99, "precision": 100, "overdraft_limit": 0, "transaction_id": "<txn 1>",
        "parent_transaction": "", "source": "<bln 1>", "destination": "<bln 2>", "reference": "pay", "currency": "USD", "description": "test",
        "status": "APPLIED", "hash": "<hash>", "allow_overdraft": false, "inflight": false, "skip_queue": true, "atomic": false,
        "created_at": NOW, "effective_date": NOW, "scheduled_for": ZERO, "inflight_expiry_date": ZERO, "inflight_commit_date": ZERO,
    });
    with(usual, fields)
}

#[tokio::test]
async fn posts_at_once() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let body = payment(&a, &b, json!({"amount": 19.99, "unknown": {"x": 1}, "balance_id": "x", "meta_data": {"k": 1}}));
    server.post("/transactions", body).await.is(201, wanted(json!({"meta_data": {"k": 1}})));
    assert_eq!(server.figures(&a).await, [8001, 10_000, 1999, 0, 0]);
    assert_eq!(server.figures(&b).await, [1999, 1999, 0, 0, 0]);
}

#[tokio::test]
async fn holds_at_once() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let body = payment(
        &a,
        &b,
        json!({"amount": 19.99, "inflight": true, "inflight_expiry_date": "2026-04-01T00:00:00+02:00"}),
    );
    let held = json!({"status": "INFLIGHT", "inflight": true, "inflight_expiry_date": "2026-04-01T00:00:00+02:00"});
    server.post("/transactions", body).await.is(201, wanted(held));
    assert_eq!(server.figures(&a).await, [10_000, 10_000, 0, 0, 1999]);
    assert_eq!(server.figures(&b).await, [0, 0, 0, 1999, 0]);
}

/// The request and its outcome are two rows, both there when the answer is.
#[tokio::test]
async fn through_the_queue_the_outcome_is_a_row_of_its_own() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let told = server.post("/transactions", payment(&a, &b, json!({"amount": 19.99, "skip_queue": null}))).await;
    let metadata = json!({"QUEUED_PARENT_TRANSACTION": "<txn 1>"});
    told.is(201, wanted(json!({"status": "QUEUED", "skip_queue": false, "meta_data": metadata})));
    let outcome = server.get("/transactions/reference/pay_q").await.json();
    assert_eq!(
        (outcome["status"].as_str(), &outcome["parent_transaction"]),
        (Some("APPLIED"), &told.json()["transaction_id"])
    );
    let poor = server
        .post("/transactions", payment(&b, &a, json!({"amount": 20, "skip_queue": null, "reference": "poor"})))
        .await;
    assert_eq!((poor.status.as_u16(), poor.field("status").as_str()), (201, "QUEUED"));
    let outcome = server.get("/transactions/reference/poor_q").await.json();
    let reason = "failed to apply transaction to balances: insufficient funds in source balance";
    assert_eq!(
        (outcome["status"].as_str(), outcome["meta_data"]["blnk_rejection_reason"].as_str()),
        (Some("REJECTED"), Some(reason))
    );
    assert_eq!(server.figures(&a).await, [8001, 10_000, 1999, 0, 0]);
}

#[tokio::test]
async fn every_wrong_field_is_named() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let told = server.post("/transactions", json!({})).await;
    let message = "amount: either amount or precise_amount is required; currency: cannot be blank; description: cannot be blank; \
                   destination: either destination or destinations is required, not both; reference: cannot be blank; \
                   source: either source or sources is required, not both.";
    told.is(400, json!({"errors": message, "error_detail": {"code": "TXN_VALIDATION_ERROR", "message": message}}));
    let date = "please format the scheduled date as 'YYYY-MM-DDTHH:MM:SS+00:00'";
    for (fields, text) in [
        (json!({"precise_amount": 1}), "amount: either amount or precise_amount should be provided, not both."),
        (json!({"amount": -1}), "amount: amount cannot be negative."),
        (json!({"amount": null, "precise_amount": -1}), "amount: precise_amount cannot be negative."),
        (json!({"precision": 0.5}), "precision: precision must be an integer value."),
        (json!({"precision": -1}), "precision: precision cannot be negative."),
        (json!({"source": null}), "source: either source or sources"),
        (json!({"destination": a}), "destination: source and destination cannot be the same balance."),
        (json!({"destination": null}), "destination: either destination or destinations"),
        (json!({"scheduled_for": "tomorrow"}), &format!("scheduled_for: {date}")),
        (json!({"inflight_expiry_date": "2030-01-01"}), &format!("inflight_expiry_date: {date}")),
        (json!({"inflight_commit_date": "2030-01-01T00:00:00"}), &format!("inflight_commit_date: {date}")),
    ] {
        for queued in [json!({"skip_queue": null}), json!({})] {
            let body = with(payment(&a, &b, fields.clone()), queued).to_string();
            server.refuses(ROUTE, body, (400, "TXN_VALIDATION_ERROR", text)).await;
        }
    }
    let body = payment(&a, &b, json!({"effective_date": "2030-01-01"})).to_string();
    server.refuses(ROUTE, body, (400, "GEN_MALFORMED_REQUEST", "effective_date")).await;
    assert_eq!(
        server.post("/transactions", payment(&a, &b, json!({}))).await.status.as_u16(),
        201,
        "the reference is free"
    );
}

/// What a posting at once is refused for: nothing is left behind, not even a new indicator, and the reference stays free.
#[tokio::test]
async fn refusals() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let nobody = "bln_00000000-0000-4000-8000-000000000000";
    let invalid = "TXN_VALIDATION_ERROR";
    for (fields, status, code, text) in [
        (json!({"amount": 100.01}), 400, "TXN_INSUFFICIENT_FUNDS", "insufficient funds in source balance"),
        (json!({"amount": 100.01, "destination": "@new"}), 400, "TXN_INSUFFICIENT_FUNDS", "insufficient funds"),
        (json!({"source": "@new"}), 400, "TXN_INSUFFICIENT_FUNDS", "insufficient funds"),
        (json!({"amount": 110.01, "overdraft_limit": 10}), 400, invalid, "exceeds overdraft limit"),
        (
            json!({"source": nobody}),
            404,
            "TXN_NOT_FOUND",
            "Balance with ID 'bln_00000000-0000-4000-8000-000000000000' not found",
        ),
        (json!({"destination": nobody}), 404, "TXN_NOT_FOUND", "Balance with ID 'bln_00000000"),
        (json!({"source": "@new", "destination": "x"}), 404, "TXN_NOT_FOUND", "Balance with ID 'x' not found"),
        (json!({"amount": 0.004}), 400, invalid, "transaction precise amount must be positive"),
        (
            json!({"currency": "EUR", "source": "@new"}),
            400,
            invalid,
            "currency: EUR is not the currency of both balances",
        ),
        (json!({"reference": format!("fund {a}")}), 409, "TXN_DUPLICATE_REFERENCE", "has already been used"),
    ] {
        server.refuses(ROUTE, payment(&a, &b, fields).to_string(), (status, code, text)).await;
    }
    assert_eq!(server.figures(&a).await, [10_000, 10_000, 0, 0, 0]);
    assert_eq!(
        server
            .post("/transactions", payment(&a, &b, json!({"amount": 110, "overdraft_limit": 10})))
            .await
            .status
            .as_u16(),
        201
    );
}

/// Asked again through the queue: the first answer again when it says the same, refused when it does not.
#[tokio::test]
async fn a_reference_is_used_once() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let body = payment(&a, &b, json!({"skip_queue": null}));
    let first = server.post("/transactions", body.clone()).await;
    let before = server.counts().await;
    let again = server.post("/transactions", body.clone()).await;
    assert_eq!((again.status.as_u16(), again.field("transaction_id")), (201, first.field("transaction_id")));
    assert_eq!(server.counts().await, before);
    let duplicate = (409, "TXN_DUPLICATE_REFERENCE", "reference pay has already been used");
    server.refuses(ROUTE, with(body.clone(), json!({"amount": 2})).to_string(), duplicate).await;
    server.refuses(ROUTE, with(body, json!({"skip_queue": true})).to_string(), duplicate).await;
    let taken = payment(&a, &b, json!({"reference": "pay_q"})).to_string();
    server.refuses(ROUTE, taken, (409, "TXN_DUPLICATE_REFERENCE", "pay_q has already been used")).await;
}

/// A request that was rejected is known when it is sent again, also when a party of it has come to be since. Another name is
/// another request.
#[tokio::test]
async fn a_rejected_request_is_known_by_its_names() {
    let server = open();
    let (a, b) = (server.balance().await, server.funded(1000).await);
    let to = |name: &str| payment(&a, name, json!({"reference": "r", "amount": 5, "skip_queue": null}));
    let first = server.post("/transactions", to("@new")).await;
    assert_eq!((first.status.as_u16(), first.field("status").as_str()), (201, "QUEUED"));
    assert_eq!(server.outcome("r").await, Some(("REJECTED".to_owned(), 500)));
    for made in [false, true] {
        if made {
            let other = payment(&b, "@new", json!({"reference": "other", "amount": 1}));
            assert_eq!(server.post("/transactions", other).await.status.as_u16(), 201);
        }
        let again = server.post("/transactions", to("@new")).await;
        assert_eq!((again.status.as_u16(), again.field("transaction_id")), (201, first.field("transaction_id")));
        server.post("/transactions", to("@old")).await.is_error(409, "TXN_DUPLICATE_REFERENCE", "already been used");
    }
}

/// Metadata is escaped in answers as everything is, so that it stays harmless within HTML; what it says is as it was sent.
#[tokio::test]
async fn metadata_is_escaped() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let metadata = json!({"<a>": {"note": ["<script>alert(1)</script>", "a & b"]}});
    let told = server.post("/transactions", payment(&a, &b, json!({"meta_data": metadata}))).await;
    let read = server.get(&format!("/transactions/{}", told.field("transaction_id"))).await;
    let listed = server.get("/events").await;
    for told in [told, read, listed] {
        assert!(told.text.contains("\\u003cscript\\u003e") && !told.text.contains(['<', '>', '&']), "{}", told.text);
    }
    let told = server.get("/transactions/reference/pay").await.json();
    assert_eq!(told["meta_data"], metadata);
}
