//! `POST /transactions` as a dry run.

use crate::books::{payment, with};
use crate::support::{TestServer, open, settings};
use serde_json::{Value, json};

const ROUTE: (&str, &str) = ("POST", "/transactions");

fn balance(id: &str, role: &str, now: [&str; 6], then: [&str; 6]) -> Value {
    let mut told = json!({"balance_id": id, "role": role, "currency": "USD"});
    for (when, figures) in [("current", now), ("resulting", then)] {
        let names = [
            "balance",
            "available",
            "credit_balance",
            "debit_balance",
            "inflight_debit_balance",
            "inflight_credit_balance",
        ];
        for (name, minor) in names.into_iter().zip(figures) {
            told[format!("{when}_{name}")] = json!(minor);
        }
    }
    told
}

async fn said(server: &TestServer, body: Value) -> Value {
    let before = server.counts().await;
    let told = server.post(ROUTE.1, with(body, json!({"dry_run": true}))).await;
    assert_eq!(told.status.as_u16(), 200, "{}", told.text);
    assert_eq!(server.counts().await, before);
    told.json()
}

/// The whole answer, its keys in order, with the queue and without.
#[tokio::test]
async fn tells_figures_before_and_after() {
    let server = open();
    let (a, b) = (server.funded(1_000).await, server.balance().await);
    let zero = ["0"; 6];
    for skip_queue in [true, false] {
        let body = payment(&a, &b, json!({"amount": 3, "skip_queue": skip_queue, "dry_run": true, "reference": "<b>"}));
        let told = server.post(ROUTE.1, body).await;
        told.is(
            200,
            json!({
                "dry_run": true, "would_apply": true, "status": "APPLIED", "reference": "<b>", "currency": "USD", "amount": 3,
                "precise_amount": "300", "precision": 100,
                "balances": [
                    balance("<bln 1>", "source", ["1000", "1000", "1000", "0", "0", "0"], ["700", "700", "1000", "300", "0", "0"]),
                    balance("<bln 2>", "destination", zero, ["300", "300", "300", "0", "0", "0"]),
                ],
            }),
        );
        let keys = [
            "dry_run",
            "would_apply",
            "status",
            "reference",
            "currency",
            "\"amount",
            "precise_amount",
            "precision",
            "balances",
        ];
        let places: Vec<usize> = keys.iter().map(|key| told.text.find(key).unwrap()).collect();
        assert!(places.is_sorted(), "{}", told.text);
        assert!(told.text.contains(&format!("[{{\"balance_id\":\"{a}\"")));
    }
    let hold = said(&server, payment(&a, &b, json!({"amount": 3, "inflight": true}))).await;
    assert_eq!(hold["status"], "INFLIGHT");
    let wanted = [
        balance(&a, "source", ["1000", "1000", "1000", "0", "0", "0"], ["1000", "700", "1000", "0", "300", "0"]),
        balance(&b, "destination", zero, ["0", "0", "0", "0", "0", "300"]),
    ];
    assert_eq!(hold["balances"], json!(wanted));
    server.said_and_done(ROUTE.0, ROUTE.1, payment(&a, &b, json!({"reference": "<b>"}))).await;
}

#[tokio::test]
async fn an_indicator_without_a_balance_is_virtual() {
    let server = open();
    let a = server.funded(1_000).await;
    let told = said(&server, payment(&a, "@new", json!({}))).await;
    let wanted = balance("@new", "destination", ["0"; 6], ["100", "100", "100", "0", "0", "0"]);
    assert_eq!(told["balances"][1], with(wanted, json!({"virtual": true})));
    // Nothing comes of what cannot be paid.
    let told = said(&server, payment("@new", &a, json!({}))).await;
    assert_eq!(told["rejection"]["code"], "TXN_INSUFFICIENT_FUNDS");
    assert_eq!(told["balances"][0], with(balance("@new", "source", ["0"; 6], ["0"; 6]), json!({"virtual": true})));
    // A currency that nobody has used yet.
    let told = said(&server, payment("@x", "@y", json!({"currency": "XAU", "allow_overdraft": true}))).await;
    assert_eq!(
        (&told["balances"][0]["currency"], &told["balances"][0]["resulting_available"]),
        (&json!("XAU"), &json!("-100"))
    );
    server.post(ROUTE.1, payment(&a, "@new", json!({}))).await;
    assert_eq!(
        said(&server, payment(&a, "@new", json!({"reference": "2"}))).await["balances"][1]["virtual"],
        Value::Null
    );
}

#[tokio::test]
async fn rejections() {
    let server = open();
    let (a, b) = (server.funded(1_000).await, server.balance().await);
    server.post(ROUTE.1, payment(&a, "@known", json!({"reference": "used"}))).await;
    server.post(ROUTE.1, payment(&a, "@known", json!({"reference": "queued", "skip_queue": false}))).await;
    let euros = server
        .post("/balances", json!({"ledger_id": "general_ledger_id", "currency": "EUR"}))
        .await
        .field("balance_id");
    let known = server.get("/balances/indicator/@known/currency/USD").await.field("balance_id");
    let (invalid, used) = ("TXN_VALIDATION_ERROR", "TXN_DUPLICATE_REFERENCE");
    let unfunded = "failed to apply transaction to balances: insufficient funds in source balance";
    let cases = [
        (json!({"amount": 300}), "TXN_INSUFFICIENT_FUNDS", "insufficient_funds", unfunded),
        (json!({"amount": 300, "skip_queue": false}), "TXN_INSUFFICIENT_FUNDS", "insufficient_funds", unfunded),
        (json!({"amount": 20, "overdraft_limit": 5}), invalid, "overdraft_limit", "exceeds overdraft limit"),
        (json!({"reference": "used"}), used, "other", "reference used has already been used"),
        (json!({"reference": "queued"}), used, "other", "reference queued has already been used"),
        (json!({"reference": "queued_q"}), used, "other", "reference queued_q has already been used"),
        (json!({"reference": "used", "skip_queue": false}), used, "other", "reference used has already been used"),
        (json!({"destination": euros}), invalid, "other", "currency: USD is not the currency of both balances"),
        (json!({"amount": 0.001}), invalid, "other", "precise amount must be positive"),
        (json!({"source": known, "destination": "@known"}), invalid, "other", "the same balance"),
    ];
    for (index, (fields, code, reason, message)) in cases.into_iter().enumerate() {
        let body = payment(&a, &b, with(json!({"reference": format!("free{index}")}), fields));
        let (told, _) = server.said_and_done(ROUTE.0, ROUTE.1, body.clone()).await;
        let told = told.json();
        assert_eq!((&told["would_apply"], &told["status"]), (&json!(false), &Value::Null), "{body}");
        let rejection = &told["rejection"];
        assert_eq!((&rejection["code"], &rejection["reason"]), (&json!(code), &json!(reason)), "{told}");
        assert!(rejection["message"].as_str().unwrap().contains(message), "{told}");
        assert_eq!(told["balances"].as_array().unwrap().len(), 2, "{told}");
    }
}

#[tokio::test]
async fn a_reference_that_is_used_is_told_with_figures() {
    let server = open();
    let (a, b) = (server.funded(1_000).await, server.balance().await);
    let first = payment(&a, &b, json!({"skip_queue": false}));
    server.post(ROUTE.1, first.clone()).await;
    // The same request again would be answered with the first one, and nothing would be recorded.
    let (told, done) = server.said_and_done(ROUTE.0, ROUTE.1, first).await;
    let told = told.json();
    assert_eq!((done.status.as_u16(), &told["rejection"]["code"]), (201, &json!("TXN_DUPLICATE_REFERENCE")));
    assert!(told["notes"][0].as_str().unwrap().contains("recorded before"), "{told}");
    assert_eq!(told["balances"][0]["current_balance"], "900");
    assert_eq!(told["balances"][0]["resulting_balance"], "900");
    // A balance that does not exist is told first.
    let missing = payment(&a, "bln_x", json!({"dry_run": true})).to_string();
    server.refuses(ROUTE, missing, (404, "TXN_NOT_FOUND", "Balance with ID 'bln_x' not found")).await;
}

#[tokio::test]
async fn input_is_checked_as_ever() {
    let server = open();
    let (a, b) = (server.funded(1_000).await, server.balance().await);
    let nothing = "bln_00000000-0000-4000-8000-000000000000";
    for skip_queue in [true, false] {
        let dry = |fields: Value| {
            with(payment(&a, &b, fields), json!({"dry_run": true, "skip_queue": skip_queue})).to_string()
        };
        let (invalid, missing) = ("TXN_VALIDATION_ERROR", format!("Balance with ID '{nothing}' not found"));
        server.refuses(ROUTE, dry(json!({"amount": -3})), (400, invalid, "amount: amount cannot be negative.")).await;
        server.refuses(ROUTE, dry(json!({"amount": null})), (400, invalid, "either amount or precise_amount")).await;
        server.refuses(ROUTE, dry(json!({"amount": "3"})), (400, "GEN_MALFORMED_REQUEST", "Invalid input")).await;
        server.refuses(ROUTE, dry(json!({"destination": nothing})), (404, "TXN_NOT_FOUND", &missing)).await;
        server.refuses(ROUTE, dry(json!({"source": nothing})), (404, "TXN_NOT_FOUND", &missing)).await;
        let parts = json!({"destination": null, "destinations": [{"identifier": "@x", "distribution": "0.5"}]});
        server.refuses(ROUTE, dry(parts), (400, "TXN_INVALID_DISTRIBUTION", "less than the total")).await;
        let parts =
            json!([{"identifier": "@x", "distribution": "40%"}, {"identifier": nothing, "distribution": "left"}]);
        let parts = json!({"destination": null, "destinations": parts, "amount": 1e6});
        server.refuses(ROUTE, dry(parts), (404, "TXN_NOT_FOUND", &missing)).await;
    }
}

/// A key is not looked at, so that it is free for the real call.
#[tokio::test]
async fn an_idempotency_key_is_left_alone() {
    let server = open();
    let (a, b) = (server.funded(1_000).await, server.balance().await);
    let dry = payment(&a, &b, json!({"dry_run": true})).to_string();
    for key in ["k", "k", ""] {
        let told = server.ask_with("POST", ROUTE.1, &[("Idempotency-Key", key)], dry.clone()).await;
        assert_eq!((told.status.as_u16(), told.header("Idempotent-Replayed")), (200, None));
    }
    let body = payment(&a, &b, json!({})).to_string();
    let told = server.ask_with("POST", ROUTE.1, &[("Idempotency-Key", "k")], body).await;
    assert_eq!((told.status.as_u16(), told.header("Idempotent-Replayed")), (201, None));
}

#[tokio::test]
async fn what_is_scheduled_is_told_as_if_it_ran_now() {
    let server = open();
    let (a, b) = (server.funded(1_000).await, server.balance().await);
    for skip_queue in [true, false] {
        let fields = json!({"scheduled_for": "2030-01-01T00:00:00Z", "skip_queue": skip_queue});
        let told = said(&server, payment(&a, &b, fields)).await;
        assert_eq!((&told["status"], &told["balances"][0]["resulting_balance"]), (&json!("APPLIED"), &json!("900")));
        assert!(told["notes"][0].as_str().unwrap().starts_with("scheduled_for is not waited for"), "{told}");
    }
}

#[tokio::test]
async fn a_mismatch_of_currencies_is_noted_when_it_is_allowed() {
    let server = TestServer::new(settings(&[("FLORIN_COMPAT_CURRENCY_MISMATCH", "allow")]));
    let a = server.funded(1_000).await;
    let euros = server
        .post("/balances", json!({"ledger_id": "general_ledger_id", "currency": "EUR"}))
        .await
        .field("balance_id");
    let (told, _) = server.said_and_done(ROUTE.0, ROUTE.1, payment(&a, &euros, json!({}))).await;
    let told = told.json();
    assert_eq!((&told["would_apply"], &told["balances"][1]["currency"]), (&json!(true), &json!("EUR")));
    let wanted = format!(
        "currency mismatch: the transaction is in USD, the destination balance {euros} in EUR; raw minor units would be posted"
    );
    assert_eq!(told["notes"], json!([wanted]));
}

/// A split is one event, so it is told as a whole, with the queue too.
#[tokio::test]
async fn a_split_is_told_as_a_whole() {
    let server = open();
    let a = server.funded(10_000).await;
    let parts = json!([
        {"identifier": "@fee", "distribution": "2.5%"}, {"identifier": "@tax", "precise_distribution": "100"}, {"identifier": "@shop", "distribution": "left"},
    ]);
    for (reference, skip_queue) in [("s", true), ("q", false)] {
        let fields = json!({"amount": 40, "destination": null, "destinations": parts, "reference": reference, "skip_queue": skip_queue});
        let (told, _) = server.said_and_done(ROUTE.0, ROUTE.1, payment(&a, "", fields)).await;
        let told = told.json();
        assert_eq!(
            (&told["reference"], &told["precise_amount"], &told["amount"]),
            (&json!(reference), &json!("4000"), &json!(40))
        );
        let leg = |name: &str, minor: &str, amount: f64| json!({"identifier": name, "role": "destination", "precise_amount": minor, "amount": amount});
        let shown = told["legs"].as_array().unwrap();
        let wanted = [leg("@fee", "100", 1.0), leg("@tax", "100", 1.0), leg("@shop", "3800", 38.0)];
        for (shown, wanted) in shown.iter().zip(&wanted) {
            assert_eq!(shown["amount"].as_f64(), wanted["amount"].as_f64());
            assert_eq!(with(shown.clone(), json!({"amount": null})), with(wanted.clone(), json!({"amount": null})));
        }
        let ids: Vec<&Value> = told["balances"].as_array().unwrap().iter().map(|balance| &balance["role"]).collect();
        assert_eq!(ids, ["source", "destination", "destination", "destination"]);
    }
    // Both legs can be paid, but not both of them.
    let halves = json!([{"identifier": "@fee", "distribution": "50%"}, {"identifier": "@shop", "distribution": "50%"}]);
    for skip_queue in [true, false] {
        let fields = json!({"amount": 30, "destination": null, "destinations": halves, "reference": "more", "skip_queue": skip_queue});
        let told = said(&server, payment(&a, "", fields)).await;
        assert_eq!((&told["would_apply"], &told["legs"]), (&json!(false), &Value::Null));
        assert_eq!(told["rejection"]["code"], "TXN_INSUFFICIENT_FUNDS");
        for balance in told["balances"].as_array().unwrap() {
            assert_eq!(balance["current_balance"], balance["resulting_balance"]);
        }
    }
    let sources = json!([{"identifier": a, "distribution": "left"}]);
    let told =
        said(&server, payment("", "@shop", json!({"source": null, "sources": sources, "reference": "one"}))).await;
    assert_eq!((&told["legs"][0]["role"], &told["legs"][0]["identifier"]), (&json!("source"), &json!(a)));
    // The references of its legs are those of the first split.
    let fields = json!({"amount": 1, "destination": null, "destinations": parts, "reference": "s"});
    let (told, done) = server.said_and_done(ROUTE.0, ROUTE.1, payment(&a, "", fields)).await;
    let told = told.json();
    let message =
        "failed to record split transaction 0: transaction validation failed: reference s-1 has already been used";
    assert_eq!((&told["rejection"]["message"], &done.json()["error"]), (&json!(message), &json!(message)));
    assert_eq!(told["balances"].as_array().unwrap().len(), 4);
}
