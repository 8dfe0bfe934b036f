use crate::books::{payment, with};
use crate::support::{NOW, TestServer, Told, open};
use ledger::command::{Command, SetPolicy, Wanted};
use ledger::id::{Id, Prefix};
use ledger::policy::{Policy, Velocity, Window};
use serde_json::{Value, json};

const MARCH: &str = "2026-03-20T08:00:00Z";
const APRIL: &str = "2026-04-01T08:00:00Z";
const MAY: &str = "2026-05-01T08:00:00Z";

fn path(id: &str) -> String {
    format!("/transactions/inflight/{id}")
}

async fn commit(server: &TestServer, id: &str, fields: Value) -> Told {
    server.put(&path(id), with(json!({"status": "commit", "skip_queue": true}), fields)).await
}

/// Held now, committed, released, and the status.
async fn became(server: &TestServer, id: &str) -> (i64, i64, i64, String) {
    let told = server.get(&path(id)).await.json();
    let minor = |name: &str| told[name].as_i64().unwrap_or_else(|| panic!("{name} in {told}"));
    (minor("held"), minor("committed"), minor("released"), told["status"].as_str().unwrap().to_owned())
}

fn open_with(held: i64, committed: i64, released: i64) -> (i64, i64, i64, String) {
    (held, committed, released, "open".to_owned())
}

async fn set_policy(server: &TestServer, balance: &str, policy: Policy) {
    let balance = Id::parse(Prefix::Balance, balance).expect("an id");
    let command = SetPolicy { balance, policy: Some(Wanted { policy, counterparties: None }) };
    server::http::ask::change(&server.state, Command::SetPolicy(command), 0).await.expect("it is set");
}

#[tokio::test]
async fn raises() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let fields = json!({"amount": 10, "inflight": true, "reference": "hold", "meta_data": {"k": 1, "o": 2}});
    let hold = server.post("/transactions", payment(&a, &b, fields)).await.field("transaction_id");
    let body = json!({"amount": 12.5, "description": "a night more", "meta_data": {"k": 2}, "unknown": 1});
    let told = server.patch(&path(&hold), body).await;
    let zero = "0001-01-01T00:00:00Z";
    told.is(
        200,
        json!({
            "precise_amount": 250, "amount": 2.5, "amount_string": "2.5", "precision": 100, "overdraft_limit": 0,
            "transaction_id": "<txn 1>", "parent_transaction": "<txn 2>", "source": "<bln 1>", "destination": "<bln 2>",
            "reference": "<ref 1>", "currency": "USD", "description": "a night more", "status": "INFLIGHT", "hash": "<hash>",
            "allow_overdraft": false, "inflight": false, "skip_queue": false, "atomic": false, "created_at": NOW,
            "effective_date": NOW, "scheduled_for": zero, "inflight_expiry_date": zero, "inflight_commit_date": zero,
            "meta_data": {"k": 2, "o": 2},
        }),
    );
    assert_eq!(told.json()["parent_transaction"], json!(hold));
    assert_eq!(
        (server.figures(&a).await, server.figures(&b).await),
        ([10_000, 10_000, 0, 0, 1250], [0, 0, 0, 1250, 0])
    );
    // It reads the same wherever it is read; the hold stays as it was.
    let row = with(told.json(), json!({"amount_string": null}));
    let id = told.field("transaction_id");
    for place in [format!("/transactions/{id}"), format!("/transactions/reference/{}", told.field("reference"))] {
        assert_eq!(server.get(&place).await.json(), with(row.clone(), json!({"effective_date": null})));
    }
    assert_eq!(server.get("/transactions?limit=1").await.json(), json!([row]));
    let filter = json!({"filters": [{"field": "parent_transaction", "operator": "eq", "value": hold}]});
    assert_eq!(server.post("/transactions/filter", filter).await.json(), json!([row]));
    assert_eq!(server.get(&format!("/transactions/{hold}")).await.json()["precise_amount"], json!(1000));
    // All of it can be committed, and not a cent more.
    let more = json!({"status": "commit", "skip_queue": true, "precise_amount": 1251}).to_string();
    server.refuses(("PUT", &path(&hold)), more, (400, "TXN_COMMIT_AMOUNT_EXCEEDED", "")).await;
    assert_eq!(commit(&server, &hold, json!({})).await.json()["precise_amount"], json!(1250));
    assert_eq!(
        (server.figures(&a).await, server.figures(&b).await),
        ([8750, 10_000, 1250, 0, 0], [1250, 1250, 0, 0, 0])
    );
    assert_eq!(became(&server, &hold).await, (0, 1250, 0, "committed".to_owned()));
}

#[tokio::test]
async fn lowers() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let hold = server.hold(&a, &b, "hold").await;
    let told = server.patch(&path(&hold), json!({"precise_amount": 1})).await;
    assert_eq!((told.field("status").as_str(), &told.json()["precise_amount"]), ("VOID", &json!(999)));
    assert_eq!((told.field("parent_transaction"), told.field("description").as_str()), (hold.clone(), "test"));
    assert_eq!((server.figures(&a).await, server.figures(&b).await), ([10_000, 10_000, 0, 0, 1], [0, 0, 0, 1, 0]));
    assert_eq!(became(&server, &hold).await, open_with(1, 0, 999));
    // What was let go can be spent again, and the hold can grow again.
    let told = server.patch(&path(&hold), json!({"amount": 100})).await;
    assert_eq!((told.field("status").as_str(), &told.json()["precise_amount"]), ("INFLIGHT", &json!(9_999)));
    assert_eq!(
        (server.figures(&a).await, server.figures(&b).await),
        ([10_000, 10_000, 0, 0, 10_000], [0, 0, 0, 10_000, 0])
    );
    let told = server.put(&path(&hold), json!({"status": "void", "skip_queue": true})).await;
    assert_eq!(told.json()["precise_amount"], json!(10_000));
    assert_eq!((server.figures(&a).await, server.figures(&b).await), ([10_000, 10_000, 0, 0, 0], [0; 5]));
    assert_eq!(became(&server, &hold).await, (0, 0, 10_999, "voided".to_owned()));
}

/// What was committed before does not count.
#[tokio::test]
async fn after_a_part_was_committed() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let hold = server.hold(&a, &b, "hold").await;
    commit(&server, &hold, json!({"amount": 4})).await;
    for (held, status, by) in [(600, "INFLIGHT", 0), (1000, "INFLIGHT", 400), (500, "VOID", 500)] {
        let told = server.patch(&path(&hold), json!({"precise_amount": held})).await;
        assert_eq!((told.field("status").as_str(), &told.json()["precise_amount"]), (status, &json!(by)));
        assert_eq!(server.figures(&a).await, [9600, 10_000, 400, 0, held]);
        assert_eq!(server.figures(&b).await, [400, 400, 0, held, 0]);
    }
    assert_eq!(became(&server, &hold).await, open_with(500, 400, 500));
    commit(&server, &hold, json!({})).await;
    assert_eq!((server.figures(&a).await, server.figures(&b).await), ([9100, 10_000, 900, 0, 0], [900, 900, 0, 0, 0]));
}

/// What it grows by needs funds as a new hold would: all of them, and not a cent more. What is held already counts.
#[tokio::test]
async fn more_needs_funds() {
    let server = open();
    let (a, b) = (server.funded(2_000).await, server.balance().await);
    let (hold, _other) = (
        server.hold(&a, &b, "hold").await,
        server.post("/transactions", payment(&a, &b, json!({"reference": "o", "inflight": true}))).await,
    );
    let wanted = (400, "TXN_INSUFFICIENT_FUNDS", "insufficient funds in source balance");
    server.refuses(("PATCH", &path(&hold)), json!({"precise_amount": 1901}).to_string(), wanted).await;
    assert_eq!(server.figures(&a).await, [2_000, 2_000, 0, 0, 1_100]);
    assert_eq!(server.patch(&path(&hold), json!({"precise_amount": 1900})).await.status.as_u16(), 200);
    assert_eq!(server.figures(&a).await, [2_000, 2_000, 0, 0, 2_000]);
    // An overdraft that the hold was made with counts for what it grows by, within its limit.
    let (c, free) = (server.balance().await, server.balance().await);
    let fields = json!({"reference": "limited", "inflight": true, "allow_overdraft": true, "overdraft_limit": 5});
    let limited = server.post("/transactions", payment(&c, &b, fields)).await.field("transaction_id");
    let body = json!({"precise_amount": 501}).to_string();
    server.refuses(("PATCH", &path(&limited)), body, (400, "TXN_VALIDATION_ERROR", "exceeds overdraft limit")).await;
    assert_eq!(server.patch(&path(&limited), json!({"amount": 5})).await.status.as_u16(), 200);
    assert_eq!(server.figures(&c).await, [0, 0, 0, 0, 500]);
    let fields = json!({"reference": "free", "inflight": true, "allow_overdraft": true});
    let unlimited = server.post("/transactions", payment(&free, &b, fields)).await.field("transaction_id");
    assert_eq!(server.patch(&path(&unlimited), json!({"amount": 1_000_000})).await.status.as_u16(), 200);
    assert_eq!(server.figures(&free).await, [0, 0, 0, 0, 100_000_000]);
    let body = json!({"amount": 1e300}).to_string();
    server
        .refuses(("PATCH", &path(&unlimited)), body, (400, "TXN_VALIDATION_ERROR", "beyond what can be recorded"))
        .await;
}

/// A policy is asked as for a new hold: how much within a window, and whether anything at all. Letting go is always allowed.
#[tokio::test]
async fn more_needs_the_policy() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let velocity = Velocity { debits: true, window: Window::Month, sum_max: Some(1_500), count_max: None };
    let policy =
        Policy { floor: None, no_debits: false, no_credits: false, counterparties: None, velocities: vec![velocity] };
    set_policy(&server, &a, policy.clone()).await;
    let hold = server.hold(&a, &b, "hold").await;
    let wanted = (400, "BAL_VELOCITY_EXCEEDED", "within this window of time");
    server.refuses(("PATCH", &path(&hold)), json!({"precise_amount": 1501}).to_string(), wanted).await;
    assert_eq!(server.patch(&path(&hold), json!({"precise_amount": 1500})).await.status.as_u16(), 200);
    let over =
        json!({"status": "commit", "skip_queue": true, "precise_amount": 1501, "allow_over_capture": true}).to_string();
    server.refuses(("PUT", &path(&hold)), over.clone(), wanted).await;
    set_policy(&server, &a, Policy { no_debits: true, velocities: Vec::new(), ..policy }).await;
    let frozen = (400, "BAL_FROZEN", "the source balance is frozen");
    server.refuses(("PATCH", &path(&hold)), json!({"precise_amount": 1501}).to_string(), frozen).await;
    server.refuses(("PUT", &path(&hold)), over, frozen).await;
    assert_eq!(server.patch(&path(&hold), json!({"precise_amount": 1400})).await.status.as_u16(), 200);
    assert_eq!(commit(&server, &hold, json!({})).await.status.as_u16(), 200);
    assert_eq!(server.figures(&a).await, [8_600, 10_000, 1_400, 0, 0]);
}

/// The new dates count, the old ones do not any more.
#[tokio::test]
async fn gives_other_dates() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let held = |reference: &str, fields: Value| {
        payment(&a, &b, with(json!({"inflight": true, "reference": reference}), fields))
    };
    let expires =
        server.post("/transactions", held("e", json!({"inflight_expiry_date": MARCH}))).await.field("transaction_id");
    let commits =
        server.post("/transactions", held("c", json!({"inflight_commit_date": MARCH}))).await.field("transaction_id");
    let neither = server.hold(&a, &b, "n").await;
    let told = server.patch(&path(&expires), json!({"inflight_expiry_date": "2026-05-01T10:00:00+02:00"})).await;
    assert_eq!((told.field("status").as_str(), &told.json()["precise_amount"]), ("INFLIGHT", &json!(0)));
    server.patch(&path(&commits), json!({"inflight_commit_date": APRIL})).await;
    let told = server
        .patch(&path(&neither), json!({"amount": 5, "inflight_commit_date": MAY, "inflight_expiry_date": APRIL}))
        .await;
    assert_eq!((told.field("status").as_str(), &told.json()["precise_amount"]), ("VOID", &json!(500)));
    // What is not named keeps its date.
    server.patch(&path(&neither), json!({"amount": 6})).await;
    let told = server.get(&path(&neither)).await;
    assert_eq!(
        (told.field("inflight_expiry_date").as_str(), told.field("inflight_commit_date").as_str()),
        (APRIL, MAY)
    );
    server.pass("2026-04-01T07:59:59.999999Z").await;
    assert_eq!(server.figures(&a).await, [10_000, 10_000, 0, 0, 800]);
    server.pass(APRIL).await;
    assert_eq!(
        (server.figures(&a).await, server.figures(&b).await),
        ([9_900, 10_000, 100, 0, 100], [100, 100, 0, 100, 0])
    );
    // Lowered by 5.00, raised by 1.00, and 6.00 let go at last.
    assert_eq!(became(&server, &neither).await, (0, 0, 1_100, "voided".to_owned()));
    server.pass(MAY).await;
    assert_eq!((server.figures(&a).await, server.figures(&b).await), ([9_900, 10_000, 100, 0, 0], [100, 100, 0, 0, 0]));
    let told = server.get(&path(&expires)).await;
    assert_eq!((told.field("status").as_str(), told.field("inflight_expiry_date").as_str()), ("voided", MAY));
}

#[tokio::test]
async fn a_date_that_has_passed_counts_at_once() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let (commits, expires) = (server.hold(&a, &b, "c").await, server.hold(&a, &b, "e").await);
    let told = server
        .patch(&path(&commits), json!({"precise_amount": 1200, "inflight_commit_date": "2020-01-01T00:00:00Z"}))
        .await;
    assert_eq!((told.status.as_u16(), &told.json()["precise_amount"]), (200, &json!(200)));
    server.patch(&path(&expires), json!({"inflight_expiry_date": NOW})).await;
    server.pass(NOW).await;
    assert_eq!(
        (server.figures(&a).await, server.figures(&b).await),
        ([8_800, 10_000, 1_200, 0, 0], [1_200, 1_200, 0, 0, 0])
    );
    assert_eq!(became(&server, &expires).await, (0, 0, 1000, "voided".to_owned()));
}

/// The id of the request, of the hold and of a change mean the same hold.
#[tokio::test]
async fn ids_of_one_hold() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let fields =
        json!({"amount": 10, "inflight": true, "skip_queue": null, "reference": "hold", "allow_overdraft": true});
    let request = server.post("/transactions", payment(&a, &b, fields)).await.field("transaction_id");
    let hold = server.get("/transactions/reference/hold_q").await.field("transaction_id");
    let raised = server.patch(&path(&request), json!({"amount": 11})).await;
    assert_eq!(raised.field("parent_transaction"), hold);
    assert_eq!(raised.json()["meta_data"], json!({"QUEUED_PARENT_TRANSACTION": request, "allow_overdraft": true}));
    let raised = raised.field("transaction_id");
    let lowered = server.patch(&path(&raised), json!({"amount": 9})).await;
    assert_eq!(lowered.field("parent_transaction"), hold);
    let lowered = lowered.field("transaction_id");
    for (id, minor) in [(&lowered, 910), (&hold, 920), (&request, 930)] {
        assert_eq!(server.patch(&path(id), json!({"precise_amount": minor})).await.status.as_u16(), 200);
        assert_eq!(server.get(&path(id)).await.json()["held"], json!(minor));
    }
    for id in [&request, &hold, &raised, &lowered] {
        assert_eq!(server.get(&path(id)).await.field("transaction_id"), hold);
        assert_eq!(commit(&server, id, json!({"precise_amount": 30})).await.field("parent_transaction"), hold);
    }
    let queued = server.put(&path(&raised), json!({"status": "commit", "precise_amount": 10})).await.json();
    assert_eq!(
        (&queued["transaction_id"], &queued["status"], &queued["queued"]),
        (&json!(raised), &json!("INFLIGHT"), &json!(true))
    );
    let items = json!({"transactions": [{"transaction_id": lowered, "precise_amount": 100}], "skip_queue": true});
    assert_eq!(server.post("/transactions/inflight/bulk/commit", items).await.json()["succeeded"], json!(1));
    assert_eq!(
        (server.figures(&a).await, server.figures(&b).await),
        ([9_770, 10_000, 230, 0, 700], [230, 230, 0, 700, 0])
    );
    // A change was never scheduled.
    let wanted = (400, "TXN_VALIDATION_ERROR", "nothing of it was scheduled");
    server.refuses(("DELETE", &format!("/transactions/scheduled/{raised}")), "", wanted).await;
}

/// A refund gives back what was committed and, of what was voided, holds it in the other direction. What a hold was raised or
/// lowered by is neither.
#[tokio::test]
async fn refunds() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let refund = async |id: &str| server.post(&format!("/refund-transaction/{id}"), json!({"skip_queue": true})).await;
    let hold = server.hold(&a, &b, "raised").await;
    let raised = server.patch(&path(&hold), json!({"amount": 15})).await.field("transaction_id");
    let lowered = server.patch(&path(&hold), json!({"amount": 12})).await.field("transaction_id");
    for id in [&hold, &raised, &lowered] {
        let wanted = (404, "TXN_NOT_FOUND", "no transaction to refund");
        server.refuses(("POST", &format!("/refund-transaction/{id}")), "", wanted).await;
    }
    commit(&server, &hold, json!({"amount": 2})).await;
    commit(&server, &hold, json!({"amount": 13, "allow_over_capture": true})).await;
    assert_eq!(
        (server.figures(&a).await, server.figures(&b).await),
        ([8_500, 10_000, 1_500, 0, 0], [1_500, 1_500, 0, 0, 0])
    );
    let before = server.counts().await.transactions;
    assert_eq!(refund(&lowered).await.status.as_u16(), 201);
    assert_eq!(server.counts().await.transactions, before + 2);
    assert_eq!(
        (server.figures(&a).await, server.figures(&b).await),
        ([10_000, 11_500, 1_500, 0, 0], [0, 1_500, 1_500, 0, 0])
    );
    for id in [&hold, &raised] {
        let wanted = (409, "GEN_CONFLICT", "has already been refunded");
        server.refuses(("POST", &format!("/refund-transaction/{id}")), "", wanted).await;
    }
    // Voided after it was lowered: only what the void let go is held in the other direction.
    let (c, d) = (server.funded(10_000).await, server.balance().await);
    let hold = server.hold(&c, &d, "lowered").await;
    server.patch(&path(&hold), json!({"amount": 7})).await;
    server.put(&path(&hold), json!({"status": "void", "skip_queue": true})).await;
    let back = refund(&hold).await;
    assert_eq!((back.field("status").as_str(), &back.json()["precise_amount"]), ("INFLIGHT", &json!(700)));
    assert_eq!((server.figures(&c).await, server.figures(&d).await), ([10_000, 10_000, 0, 700, 0], [0, 0, 0, 0, 700]));
    // That is a hold like any other.
    let back = back.field("transaction_id");
    assert_eq!(server.patch(&path(&back), json!({"amount": 8})).await.status.as_u16(), 200);
    assert_eq!((server.figures(&c).await, server.figures(&d).await), ([10_000, 10_000, 0, 800, 0], [0, 0, 0, 0, 800]));
}

#[tokio::test]
async fn refusals() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let hold = server.hold(&a, &b, "hold").await;
    let (field, amount) = ("TXN_VALIDATION_ERROR", "TXN_INVALID_AMOUNT");
    let void = "the amount to be held must be above zero; to hold nothing, void the hold";
    for (body, code, text) in [
        (json!({}), field, "amount: an amount, inflight_expiry_date or inflight_commit_date is required."),
        (json!({"description": "d", "inflight_expiry_date": ""}), field, "amount: an amount, inflight_expiry_date"),
        (json!({"amount": 0}), amount, void),
        (json!({"amount": -1}), amount, void),
        (json!({"amount": 0.004}), amount, "amount rounds to nothing"),
        (json!({"precise_amount": 0}), amount, void),
        (json!({"precise_amount": -1, "inflight_expiry_date": APRIL}), amount, void),
        (json!({"precise_amount": format!("-{}", "9".repeat(50))}), amount, void),
        (json!({"precise_amount": "9".repeat(50)}), field, "beyond what can be recorded"),
        (json!({"precise_amount": 1.5}), "GEN_MALFORMED_REQUEST", "precise_amount is not a whole number"),
        (json!({"inflight_expiry_date": "tomorrow"}), field, "inflight_expiry_date: please format the scheduled date"),
        (
            json!({"inflight_commit_date": "2026-05-01"}),
            field,
            "inflight_commit_date: please format the scheduled date",
        ),
        (
            json!({"inflight_expiry_date": "0001-01-01T00:00:00Z"}),
            field,
            "inflight_expiry_date: can be moved, not taken away.",
        ),
        (
            json!({"amount": 1, "description": "d".repeat(65_537)}),
            field,
            "description: cannot be longer than 65536 bytes.",
        ),
        (
            json!({"amount": 1, "meta_data": {"k": "m".repeat(262_144 - 7)}}),
            field,
            "meta_data: cannot be longer than 262144 bytes.",
        ),
    ] {
        server.refuses(("PATCH", &path(&hold)), body.to_string(), (400, code, text)).await;
    }
    assert_eq!(server.patch(&path(&hold), json!({"amount": 0.005})).await.json()["precise_amount"], json!(999));
    assert_eq!(server.figures(&a).await, [10_000, 10_000, 0, 0, 1]);
    let longest = json!({"amount": 1, "description": "d".repeat(65_536), "meta_data": {"k": "m".repeat(262_144 - 8)}});
    assert_eq!(server.patch(&path(&hold), longest).await.status.as_u16(), 200);
}

#[tokio::test]
async fn what_is_no_open_hold_is_told() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let (done, gone) = (server.hold(&a, &b, "done").await, server.hold(&a, &b, "gone").await);
    let change = server.patch(&path(&gone), json!({"amount": 9})).await.field("transaction_id");
    commit(&server, &done, json!({})).await;
    server.put(&path(&gone), json!({"status": "void"})).await;
    let posted = server.post("/transactions", payment(&a, &b, json!({}))).await.field("transaction_id");
    let held = |reference: &str| payment(&a, &b, json!({"reference": reference, "skip_queue": null}));
    let batch = json!({"transactions": [held("b1"), held("b2")], "inflight": true});
    let batch = server.post("/transactions/bulk", batch).await.field("batch_id");
    let waits = server.schedule(&a, &b, "waits", APRIL, json!({"inflight": true})).await;
    let poor = payment(&b, &a, json!({"amount": 1_000, "reference": "poor", "skip_queue": null, "inflight": true}));
    let poor = server.post("/transactions", poor).await.field("transaction_id");
    let body = json!({"amount": 5, "inflight_expiry_date": MAY}).to_string();
    for (id, status, code, text) in [
        (&*done, 409, "TXN_ALREADY_COMMITTED", "already committed"),
        (&gone, 409, "TXN_ALREADY_VOIDED", "already been voided"),
        (&change, 409, "TXN_ALREADY_VOIDED", "already been voided"),
        (&posted, 400, "TXN_NOT_INFLIGHT", "not in inflight status"),
        (&waits, 400, "TXN_NOT_INFLIGHT", "not in inflight status"),
        (&poor, 400, "TXN_NOT_INFLIGHT", "not in inflight status"),
        (&batch, 400, "TXN_VALIDATION_ERROR", "id: it stands for 2 holds; name one of them"),
        ("txn_00000000-0000-4000-8000-000000000000", 404, "TXN_NOT_FOUND", "not found"),
        ("x", 404, "TXN_NOT_FOUND", "Transaction with ID 'x' not found"),
    ] {
        server.refuses(("PATCH", &path(id)), &*body, (status, code, text)).await;
    }
    // One of several holds can be named, and a scheduled one when it has become one.
    let one = server.get("/transactions/reference/b1").await.field("transaction_id");
    assert_eq!(server.patch(&path(&one), json!({"amount": 5})).await.status.as_u16(), 200);
    server.pass(APRIL).await;
    assert_eq!(server.patch(&path(&waits), json!({"amount": 5})).await.status.as_u16(), 200);
    assert_eq!(server.figures(&a).await, [8_900, 10_000, 1_100, 0, 1_100]);
}

#[tokio::test]
async fn a_key_answers_again() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let hold = server.hold(&a, &b, "hold").await;
    let key = [("Idempotency-Key", "k1")];
    let body = json!({"amount": 20}).to_string();
    let poor = json!({"amount": 200}).to_string();
    server.ask_with("PATCH", &path(&hold), &key, &*poor).await.is_error(400, "TXN_INSUFFICIENT_FUNDS", "");
    let first = server.ask_with("PATCH", &path(&hold), &key, &*body).await;
    server.patch(&path(&hold), json!({"amount": 30})).await;
    let again = server.ask_with("PATCH", &path(&hold), &key, &*body).await;
    assert_eq!(
        (again.status.as_u16(), &again.text, again.header("Idempotent-Replayed")),
        (200, &first.text, Some("true"))
    );
    assert_eq!(server.figures(&a).await, [10_000, 10_000, 0, 0, 3_000]);
    let told = server.ask_with("PATCH", &path(&hold), &key, &*poor).await;
    told.is_error(409, "GEN_CONFLICT", "Idempotency-Key was sent before with another request");
}

/// However a hold is changed and committed at once, what is held and posted adds up, and nothing is posted twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_and_commits_at_once() {
    let server = std::sync::Arc::new(open());
    let (a, b) = (server.funded(100_000).await, server.balance().await);
    let hold = server.hold(&a, &b, "hold").await;
    let mut callers = Vec::new();
    for caller in 0..4 {
        let (server, hold) = (server.clone(), hold.clone());
        callers.push(tokio::spawn(async move {
            let mut committed = 0;
            for round in 0..25 {
                server.patch(&path(&hold), json!({"precise_amount": 500 + 10 * caller + round})).await;
                let told = commit(&server, &hold, json!({"precise_amount": 7})).await;
                committed += i64::from(told.status.as_u16() == 200) * 7;
            }
            committed
        }));
    }
    let mut committed = 0;
    for caller in callers {
        committed += caller.await.expect("no caller panics");
    }
    let (held, ..) = became(&server, &hold).await;
    assert_eq!(committed, 700);
    assert_eq!(server.figures(&a).await, [99_300, 100_000, 700, 0, held]);
    assert_eq!(server.figures(&b).await, [700, 700, 0, held, 0]);
    let released = server.get(&path(&hold)).await.json()["released"].as_i64().unwrap();
    let equal = |field: &str, value: &str| json!({"field": field, "operator": "eq", "value": value});
    let filter = json!({"filters": [equal("parent_transaction", &hold), equal("status", "INFLIGHT")], "limit": 100});
    let rows = server.post("/transactions/filter", filter).await.json();
    let raised: i64 = rows.as_array().unwrap().iter().map(|row| row["precise_amount"].as_i64().unwrap()).sum();
    assert_eq!(1000 + raised - released - 700, held);
}
