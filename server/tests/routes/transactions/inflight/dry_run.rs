//! Commits and voids as dry runs, one by one and in bulk.

use crate::books::{payment, with};
use crate::support::{TestServer, open};
use serde_json::{Value, json};

const NOTHING: &str = "txn_00000000-0000-4000-8000-000000000000";
const COMMIT: &str = "/transactions/inflight/bulk/commit";
const VOID: &str = "/transactions/inflight/bulk/void";

async fn said(server: &TestServer, (method, path): (&str, &str), body: Value) -> Value {
    let before = server.counts().await;
    let told = server.ask(method, path, with(body, json!({"dry_run": true})).to_string()).await;
    assert_eq!(told.status.as_u16(), 200, "{}", told.text);
    assert_eq!(server.counts().await, before);
    told.json()
}

fn path(id: &str) -> String {
    format!("/transactions/inflight/{id}")
}

#[tokio::test]
async fn a_commit_in_part_and_a_void() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let hold = server.hold(&a, &b, "hold").await;
    let figures = |when: &str, figures: [&str; 6]| {
        let names = [
            "balance",
            "available",
            "credit_balance",
            "debit_balance",
            "inflight_debit_balance",
            "inflight_credit_balance",
        ];
        names.into_iter().zip(figures).map(|(name, minor)| (format!("{when}_{name}"), json!(minor))).collect::<Vec<_>>()
    };
    let balance = |id: &str, role: &str, now, then| {
        let mut told = json!({"balance_id": id, "role": role, "currency": "USD"});
        for (name, minor) in figures("current", now).into_iter().chain(figures("resulting", then)) {
            told[name] = minor;
        }
        told
    };
    for skip_queue in [true, false] {
        let body = json!({"status": "commit", "amount": 2.5, "skip_queue": skip_queue, "dry_run": true});
        server.put(&path(&hold), body).await.is(
            200,
            json!({
                "dry_run": true, "would_apply": true, "operation": "commit", "status": "APPLIED", "currency": "USD", "amount": 2.5,
                "precise_amount": "250", "precision": 100,
                "balances": [
                    balance("<bln 1>", "source", ["10000", "9000", "10000", "0", "1000", "0"], ["9750", "9000", "10000", "250", "750", "0"]),
                    balance("<bln 2>", "destination", ["0", "0", "0", "0", "0", "1000"], ["250", "250", "250", "0", "0", "750"]),
                ],
            }),
        );
    }
    let void = said(&server, ("PUT", &path(&hold)), json!({"status": "void", "amount": 1})).await;
    assert_eq!(
        (&void["operation"], &void["status"], &void["precise_amount"], &void["reference"]),
        (&json!("void"), &json!("VOID"), &json!("1000"), &Value::Null)
    );
    assert_eq!(void["notes"], json!(["the amount is not looked at: a void releases all that is left"]));
    for body in [
        json!({"status": "commit", "amount": 2.5, "skip_queue": true}),
        json!({"status": "commit", "precise_amount": 50}),
        json!({"status": "void"}),
    ] {
        server.said_and_done("PUT", &path(&hold), body).await;
    }
}

/// What cannot be settled is a rejection, in the words of the real call; what does not exist is not found.
#[tokio::test]
async fn rejections_and_errors() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let (hold, done, gone) =
        (server.hold(&a, &b, "hold").await, server.hold(&a, &b, "done").await, server.hold(&a, &b, "gone").await);
    server.put(&path(&done), json!({"status": "commit", "skip_queue": true})).await;
    server.put(&path(&gone), json!({"status": "void", "skip_queue": true})).await;
    let posted = server.post("/transactions", payment(&a, &b, json!({}))).await.field("transaction_id");
    for (id, status, amount, code) in [
        (&hold, "commit", json!(10.01), "TXN_COMMIT_AMOUNT_EXCEEDED"),
        (&done, "commit", Value::Null, "TXN_ALREADY_COMMITTED"),
        (&done, "void", Value::Null, "TXN_ALREADY_COMMITTED"),
        (&gone, "commit", Value::Null, "TXN_ALREADY_VOIDED"),
        (&posted, "void", Value::Null, "TXN_NOT_INFLIGHT"),
    ] {
        for skip_queue in [true, false] {
            let body = json!({"status": status, "amount": amount, "skip_queue": skip_queue});
            let (told, real) = server.said_and_done("PUT", &path(id), body).await;
            let told = told.json();
            // Only an open hold has figures, which would stay.
            let (count, minor) = if id == &hold { (2, "1001") } else { (0, "0") };
            assert_eq!(
                (&told["would_apply"], &told["operation"], &told["status"], &told["precise_amount"]),
                (&json!(false), &json!(status), &Value::Null, &json!(minor))
            );
            assert_eq!(told["balances"].as_array().unwrap().len(), count, "{told}");
            let detail = &real.json()["error_detail"];
            assert_eq!((&told["rejection"]["code"], &detail["code"]), (&json!(code), &json!(code)));
            assert_eq!(
                (&told["rejection"]["message"], &told["rejection"]["reason"]),
                (&detail["message"], &json!("other"))
            );
        }
    }
    for (id, body, wanted) in [
        (NOTHING, json!({"status": "commit"}), (404, "TXN_NOT_FOUND", "not found")),
        (NOTHING, json!({"status": "void", "skip_queue": true}), (404, "TXN_NOT_FOUND", "not found")),
        (&hold, json!({"status": "keep"}), (400, "TXN_INVALID_STATUS_ACTION", "")),
        (&hold, json!({"status": "commit", "precise_amount": 0}), (400, "TXN_INVALID_AMOUNT", "must be positive")),
        (&hold, json!({"status": "commit", "amount": -1}), (400, "GEN_BAD_REQUEST", "cannot be negative")),
        (&hold, json!({"status": "commit", "amount": 0.001}), (400, "TXN_INVALID_AMOUNT", "rounds to nothing")),
        (&hold, json!({"status": "commit", "amount": "1"}), (400, "GEN_MALFORMED_REQUEST", "")),
    ] {
        server.refuses(("PUT", &path(id)), with(body, json!({"dry_run": true})).to_string(), wanted).await;
    }
}

/// Several holds of one id: each is a leg, and the balances are those after all of them.
#[tokio::test]
async fn holds_of_one_id_are_told_together() {
    let server = open();
    let a = server.funded(10_000).await;
    let parts = json!([{"identifier": "@x", "distribution": "40%"}, {"identifier": "@y", "distribution": "left"}]);
    for skip_queue in [true, false] {
        let reference = format!("split {skip_queue}");
        let fields = json!({"amount": 10, "inflight": true, "destination": null, "destinations": parts, "reference": reference, "skip_queue": skip_queue});
        let split = server.post("/transactions", payment(&a, "", fields)).await;
        let body = json!({"status": "commit", "skip_queue": skip_queue});
        let (told, _) = server.said_and_done("PUT", &path(&split.field("transaction_id")), body).await;
        let told = told.json();
        let (amounts, count) =
            ((&told["precise_amount"], &told["legs"][1]["precise_amount"]), told["balances"].as_array().unwrap().len());
        assert_eq!((amounts, count), ((&json!("1000"), &json!("400")), 3));
        if skip_queue {
            assert_eq!(told["legs"][0]["identifier"], split.json()["destinations"][1]["transaction_id"]);
        }
    }
}

#[tokio::test]
async fn items_in_bulk_are_told_one_by_one() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let (one, two) = (server.hold(&a, &b, "one").await, server.hold(&a, &b, "two").await);
    let posted = server.post("/transactions", payment(&a, &b, json!({}))).await.field("transaction_id");
    for skip_queue in [true, false] {
        let items = json!([
            {"transaction_id": one}, {"transaction_id": NOTHING}, {"transaction_id": two, "amount": 4}, {"transaction_id": two, "amount": 10.01},
            {"transaction_id": two, "precise_amount": -1}, {"transaction_id": two, "precise_amount": 0}, {"transaction_id": posted}, null,
        ]);
        let body = json!({"transactions": items, "skip_queue": skip_queue});
        let told = said(&server, ("POST", COMMIT), body).await;
        assert_eq!(
            (&told["dry_run"], &told["would_apply"], &told["cumulative"], &told["atomic"]),
            (&json!(true), &json!(false), &json!(false), &json!(false))
        );
        let results = told["results"].as_array().unwrap();
        let codes: Vec<&str> = results.iter().map(|item| item["rejection"]["code"].as_str().unwrap_or("")).collect();
        let (missing, wrong) = ("TXN_NOT_FOUND", "GEN_BAD_REQUEST");
        assert_eq!(codes, ["", missing, "", "TXN_COMMIT_AMOUNT_EXCEEDED", wrong, "", "TXN_NOT_INFLIGHT", missing]);
        assert!(results.iter().all(|item| item["operation"] == "commit"));
        assert_eq!((&results[2]["precise_amount"], &results[5]["precise_amount"]), (&json!("400"), &json!("1000")));
        // Each by itself: the first item did not happen.
        assert_eq!(results[2]["balances"][0]["current_inflight_debit_balance"], "2000");
        assert_eq!(told["notes"].as_array().unwrap().len(), 2, "{told}");
        assert!(told["notes"][1].as_str().unwrap().starts_with(&two));
    }
    let told = said(&server, ("POST", VOID), json!({"transaction_ids": [one, two]})).await;
    assert_eq!((&told["would_apply"], &told["results"][1]["status"]), (&json!(true), &json!("VOID")));
    assert_eq!(told["results"][1]["operation"], "void");
    for (path, body, code) in [
        (COMMIT, json!({}), "TXN_BULK_EMPTY"),
        (VOID, json!({"transaction_ids": vec!["x"; 101]}), "TXN_BULK_LIMIT_EXCEEDED"),
        (COMMIT, json!({"transactions": [{"transaction_id": one}, 3]}), "GEN_MALFORMED_REQUEST"),
    ] {
        server.refuses(("POST", path), with(body, json!({"dry_run": true})).to_string(), (400, code, "")).await;
    }
}
