use crate::books::{payment, with};
use crate::support::{TestServer, open, settings};
use ledger::limits::{POLICY_COUNTERPARTIES_MAX, POLICY_VELOCITIES_MAX, POLICY_WINDOW_SECONDS_MAX};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

const NOBODY: &str = "bln_00000000-0000-4000-8000-000000000000";

fn path(balance: &str) -> String {
    format!("/balances/{balance}/policy")
}

/// Sets a policy, and pays 1.00 with these fields: the status, and the code when it is refused.
async fn pays(server: &TestServer, source: &str, destination: &str, fields: Value) -> (u16, String) {
    let usual = json!({"reference": uuid::Uuid::new_v4().to_string()});
    let told = server.post("/transactions", with(payment(source, destination, usual), fields)).await;
    (told.status.as_u16(), told.code())
}

fn good() -> (u16, String) {
    (201, String::new())
}

fn bad(code: &str) -> (u16, String) {
    (400, code.to_owned())
}

#[tokio::test]
async fn replaces_the_whole_policy() {
    let server = open();
    let (a, b) = (server.balance().await, server.balance().await);
    let whole = json!({
        "minimum_balance": "-170141183460469231731687303715884105728", "frozen": "all", "counterparties": [b], "unknown": 1,
        "velocity": [
            {"side": "debit", "window": "hour", "precise_amount": 170141183460469231731687303715884105727i128.to_string(), "count": 1},
            {"side": "credit", "window": 1, "count": 2.0}, {"side": "debit", "window": POLICY_WINDOW_SECONDS_MAX, "precise_amount": 1},
            {"side": "debit", "window": 86_400, "count": 1}, {"side": "debit", "window": "week", "count": 1},
            {"side": "debit", "window": "month", "count": 1}, {"side": "debit", "window": "day", "count": 1},
            {"side": "debit", "window": "day", "count": 18_446_744_073_709_551_615u64},
        ],
    });
    let used = |since: &str| json!({"precise_amount": 0, "count": 0, "since": since});
    let told = server.put(&path(&a), whole).await;
    assert!(told.text.contains(r#""minimum_balance":-170141183460469231731687303715884105728,"#), "{}", told.text);
    assert!(told.text.contains(r#""precise_amount":170141183460469231731687303715884105727,"#), "{}", told.text);
    let json = told.json();
    assert_eq!((told.status.as_u16(), &json["balance_id"], &json["frozen"]), (200, &json!(a), &json!("all")));
    assert_eq!((&json["counterparties"], &json["credit_limit"]), (&json!([b]), &Value::Null));
    let since = ["2026-03-04T10:00:00Z", "2026-03-04T10:11:12Z"];
    assert_eq!((&json["velocity"][0]["used"], &json["velocity"][0]["window"]), (&used(since[0]), &json!("hour")));
    assert_eq!(
        json["velocity"][1],
        json!({"side": "credit", "window": 1, "count": 2, "used": used(since[1])}),
        "seconds stay seconds"
    );
    assert_eq!(json["velocity"][2]["window"], POLICY_WINDOW_SECONDS_MAX);
    assert_eq!(
        (&json["velocity"][3]["window"], &json["velocity"][3]["used"]),
        (&json!("day"), &used("2026-03-04T00:00:00Z"))
    );
    assert_eq!(json["velocity"][4]["used"], used("2026-03-02T00:00:00Z"), "the week begins on Monday");
    assert_eq!(json["velocity"][5]["used"], used("2026-03-01T00:00:00Z"));
    assert_eq!(json["velocity"][7]["count"], 18_446_744_073_709_551_615u64);
    let empty = json!({"balance_id": a, "frozen": "none", "counterparties": null, "velocity": []});
    for body in [json!({}), json!({"frozen": null, "counterparties": null, "velocity": null, "credit_limit": null})] {
        let told = server.put(&path(&a), body).await;
        assert_eq!((told.status.as_u16(), told.json()), (200, empty.clone()));
    }
    let told = server.put(&path(&a), json!({"credit_limit": 0, "frozen": "none"})).await;
    assert_eq!(told.json(), with(empty, json!({"credit_limit": 0})));
    assert_eq!(server.get(&path(&a)).await.json(), told.json());
}

#[tokio::test]
async fn every_wrong_field_is_named() {
    let server = open();
    let (a, b) = (server.balance().await, server.balance().await);
    let velocity = |fields: Value| {
        let usual = json!({"side": "debit", "window": "day", "count": 1});
        json!({"velocity": [usual, with(usual.clone(), fields)]})
    };
    let too_large = "170141183460469231731687303715884105728";
    let window = "window: must be one of: hour, day, week, month, or seconds from 1 to 31622400";
    let many = |count: usize| vec![json!({"side": "debit", "window": "day", "count": 1}); count];
    let others = |count: usize| (0..count).map(|n| format!("bln_00000000-0000-4000-8000-{n:012}")).collect::<Vec<_>>();
    for (body, text) in [
        (json!({"minimum_balance": 1.5}), "minimum_balance: must be a whole number of minor units."),
        (json!({"minimum_balance": "x"}), "minimum_balance: must be a whole number of minor units."),
        (json!({"minimum_balance": ""}), "minimum_balance: must be a whole number of minor units."),
        (json!({"minimum_balance": too_large}), "minimum_balance: is beyond what can be recorded."),
        (json!({"credit_limit": too_large}), "credit_limit: is beyond what can be recorded."),
        (json!({"credit_limit": -1}), "credit_limit: cannot be negative."),
        (
            json!({"credit_limit": 1, "minimum_balance": 0}),
            "credit_limit: either minimum_balance or credit_limit can be set, not both.",
        ),
        (json!({"frozen": "yes"}), "frozen: must be one of: debits, credits, all, none."),
        (json!({"frozen": ""}), "frozen: must be one of: debits, credits, all, none."),
        (
            json!({"counterparties": []}),
            "counterparties: cannot be empty; leave it out to allow all, or set frozen to allow none.",
        ),
        (json!({"counterparties": ["@World"]}), "counterparties: there is no balance '@World'."),
        (json!({"counterparties": [b, "x".repeat(65)]}), &format!("there is no balance '{}'.", "x".repeat(64))),
        (
            json!({"counterparties": [b, NOBODY, "bln_00000000-0000-4000-8000-000000000001"]}),
            &format!("counterparties: there is no balance '{NOBODY}'."),
        ),
        (json!({"counterparties": [b, a, b]}), &format!("counterparties: '{b}' is named twice.")),
        (
            json!({"counterparties": others(POLICY_COUNTERPARTIES_MAX + 1)}),
            "counterparties: cannot have more than 1000 balances.",
        ),
        (
            json!({"counterparties": others(POLICY_COUNTERPARTIES_MAX)}),
            "counterparties: there is no balance 'bln_00000000-0000-4000-8000-000000000000'",
        ),
        (json!({"velocity": many(POLICY_VELOCITIES_MAX + 1)}), "velocity: cannot have more than 8 windows."),
        (velocity(json!({"side": null})), "velocity: 1: side: must be one of: debit, credit."),
        (velocity(json!({"side": "debits"})), "velocity: 1: side: must be one of: debit, credit."),
        (velocity(json!({"window": null})), window),
        (velocity(json!({"window": "year"})), window),
        (velocity(json!({"window": 0})), window),
        (velocity(json!({"window": -1})), window),
        (velocity(json!({"window": 1.5})), window),
        (velocity(json!({"window": POLICY_WINDOW_SECONDS_MAX + 1})), window),
        (velocity(json!({"count": null})), "velocity: 1: precise_amount or count is required."),
        (velocity(json!({"count": 0})), "velocity: 1: count: must be a whole number above zero."),
        (velocity(json!({"count": -1})), "velocity: 1: count: must be a whole number above zero."),
        (velocity(json!({"count": 1.5})), "velocity: 1: count: must be a whole number above zero."),
        (
            velocity(json!({"precise_amount": 0})),
            "velocity: 1: precise_amount: must be a whole number of minor units above zero.",
        ),
        (
            velocity(json!({"precise_amount": -1})),
            "velocity: 1: precise_amount: must be a whole number of minor units above zero.",
        ),
        (
            velocity(json!({"precise_amount": 1.5})),
            "velocity: 1: precise_amount: must be a whole number of minor units above zero.",
        ),
        (
            velocity(json!({"precise_amount": too_large})),
            "velocity: 1: precise_amount: is beyond what can be recorded.",
        ),
        (json!({"frozen": "x", "credit_limit": -1}), "credit_limit: cannot be negative; frozen: must be"),
    ] {
        let path = path(&a);
        server.refuses(("PUT", &path), body.to_string(), (400, "TXN_VALIDATION_ERROR", text)).await;
    }
    for body in [
        json!({"minimum_balance": true}),
        json!({"credit_limit": []}),
        json!({"frozen": 1}),
        json!({"counterparties": b}),
        json!({"counterparties": [1]}),
        json!({"velocity": {}}),
        json!({"velocity": [1]}),
        velocity(json!({"window": true})),
        velocity(json!({"count": "1"})),
        velocity(json!({"side": 1})),
    ] {
        server.refuses(("PUT", &path(&a)), body.to_string(), (400, "GEN_MALFORMED_REQUEST", "")).await;
    }
    assert_eq!(server.get(&path(&a)).await.status.as_u16(), 404, "nothing was set");
}

#[tokio::test]
async fn as_many_counterparties_as_the_limit() {
    let server = open();
    let a = server.balance().await;
    let mut others = Vec::new();
    for _ in 0..POLICY_COUNTERPARTIES_MAX {
        others.push(server.balance().await);
    }
    let told = server.put(&path(&a), json!({"counterparties": others})).await;
    assert_eq!((told.status.as_u16(), &told.json()["counterparties"]), (200, &json!(others)));
}

#[tokio::test]
async fn the_balance_must_exist() {
    let server = open();
    let wanted = |id: &str| format!("Balance with ID '{id}' not found");
    for id in [NOBODY, "x", "@World"] {
        server.refuses(("PUT", &path(id)), "{}", (404, "BAL_NOT_FOUND", &wanted(id))).await;
    }
}

#[tokio::test]
async fn frozen_balances() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.funded(10_000).await);
    let hold = server.hold(&a, &b, "hold").await;
    for (word, debits, credits) in [
        ("debits", "BAL_FROZEN", ""),
        ("credits", "", "BAL_FROZEN"),
        ("all", "BAL_FROZEN", "BAL_FROZEN"),
        ("none", "", ""),
    ] {
        server.put(&path(&a), json!({"frozen": word})).await;
        let told = [pays(&server, &a, &b, json!({})).await.1, pays(&server, &b, &a, json!({"inflight": true})).await.1];
        assert_eq!(told, [debits, credits], "{word}");
    }
    // What is held already is settled all the same.
    server.put(&path(&a), json!({"frozen": "all"})).await;
    let told =
        server.put(&format!("/transactions/inflight/{hold}"), json!({"status": "commit", "skip_queue": true})).await;
    assert_eq!(told.status.as_u16(), 200, "{}", told.text);
}

/// Through the queue a refusal is a row of its own, with the reason.
#[tokio::test]
async fn through_the_queue() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    server.put(&path(&a), json!({"frozen": "debits"})).await;
    assert_eq!(pays(&server, &a, &b, json!({"skip_queue": null, "reference": "q"})).await, good());
    let child = server.get("/transactions/reference/q_q").await.json();
    assert_eq!(
        (&child["status"], &child["meta_data"]["blnk_rejection_reason"]),
        (&json!("REJECTED"), &json!("the source balance is frozen"))
    );
    assert_eq!(server.figures(&b).await, [0; 5]);
}

#[tokio::test]
async fn counterparties() {
    let server = open();
    let (a, b, c) = (server.funded(10_000).await, server.funded(10_000).await, server.funded(10_000).await);
    server.put(&path(&a), json!({"counterparties": [b]})).await;
    let refused = bad("BAL_COUNTERPARTY_NOT_ALLOWED");
    assert_eq!(pays(&server, &a, &b, json!({})).await, good());
    assert_eq!(pays(&server, &b, &a, json!({})).await, good());
    assert_eq!(pays(&server, &a, &c, json!({})).await, refused);
    assert_eq!(pays(&server, &c, &a, json!({})).await, refused);
    let before = server.counts().await;
    assert_eq!(pays(&server, &a, "@new", json!({})).await, refused);
    assert_eq!(server.counts().await, before, "no balance was made on the way");
}

#[tokio::test]
async fn floors() {
    let server = open();
    let (a, b) = (server.funded(1_000).await, server.balance().await);
    server.put(&path(&a), json!({"minimum_balance": 800})).await;
    let overdraft = json!({"amount": 2.01, "allow_overdraft": true});
    assert_eq!(pays(&server, &a, &b, overdraft).await, bad("BAL_BELOW_MINIMUM"));
    assert_eq!(pays(&server, &a, &b, json!({"amount": 2, "inflight": true})).await, good(), "to the minimum");
    assert_eq!(pays(&server, &a, &b, json!({"amount": 0.01})).await, bad("BAL_BELOW_MINIMUM"), "a hold counts");
    server.put(&path(&a), json!({"credit_limit": 300})).await;
    assert_eq!(
        pays(&server, &a, &b, json!({"amount": 11.01, "allow_overdraft": true})).await,
        bad("BAL_CREDIT_LIMIT_EXCEEDED")
    );
    assert_eq!(pays(&server, &a, &b, json!({"amount": 11})).await, good(), "to the limit, without an overdraft");
    assert_eq!(server.figures(&a).await, [-100, 1_000, 1_100, 0, 200]);
    let batch = json!({"transactions": [payment(&a, &b, json!({}))], "skip_queue": true});
    let told = server.post("/transactions/bulk", batch).await;
    told.is_error(400, "BAL_CREDIT_LIMIT_EXCEEDED", "failed to queue transaction 1 ");
}

#[tokio::test]
async fn velocity_counts_within_a_window() {
    let server = open();
    let (a, b) = (server.funded(100_000).await, server.funded(100_000).await);
    let watched = |count: u64| {
        json!({"velocity": [
            {"side": "debit", "window": 60, "precise_amount": 250, "count": count}, {"side": "credit", "window": "day", "count": 1},
        ]})
    };
    server.put(&path(&a), watched(5)).await;
    let refused = bad("BAL_VELOCITY_EXCEEDED");
    assert_eq!(pays(&server, &a, &b, json!({})).await, good());
    assert_eq!(pays(&server, &a, &b, json!({"amount": 1.50, "inflight": true})).await, good());
    assert_eq!(pays(&server, &a, &b, json!({"amount": 0.01})).await, refused);
    assert_eq!(pays(&server, &b, &a, json!({})).await, good());
    assert_eq!(pays(&server, &b, &a, json!({})).await, refused);
    let used = |told: Value| [told["velocity"][0]["used"].clone(), told["velocity"][1]["used"].clone()];
    let wanted = [
        json!({"precise_amount": 250, "count": 2, "since": "2026-03-04T10:11:00Z"}),
        json!({"precise_amount": 100, "count": 1, "since": "2026-03-04T00:00:00Z"}),
    ];
    assert_eq!(used(server.get(&path(&a)).await.json()), wanted);
    // Windows that stay go on where they were.
    assert_eq!(used(server.put(&path(&a), watched(2)).await.json()), wanted);
    server.clock.fetch_add(60_000_000, Ordering::Relaxed);
    let later = used(server.get(&path(&a)).await.json());
    assert_eq!(later[0], json!({"precise_amount": 0, "count": 0, "since": "2026-03-04T10:12:00Z"}));
    assert_eq!(later[1], wanted[1]);
    for told in [good(), good(), refused] {
        assert_eq!(pays(&server, &a, &b, json!({"amount": 0.01})).await, told);
    }
}

/// Refunds take from the balance as any posting does.
#[tokio::test]
async fn refunds_are_judged_too() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let id = server.post("/transactions", payment(&a, &b, json!({}))).await.field("transaction_id");
    let refund = format!("/refund-transaction/{id}");
    for (policy, code) in [
        (json!({"frozen": "debits"}), "BAL_FROZEN"),
        (json!({"minimum_balance": 1}), "BAL_BELOW_MINIMUM"),
        (json!({"velocity": [{"side": "debit", "window": "day", "precise_amount": 99}]}), "BAL_VELOCITY_EXCEEDED"),
    ] {
        server.put(&path(&b), policy).await;
        server.refuses(("POST", &refund), "", (400, code, "")).await;
    }
    server.delete(&path(&b)).await;
    assert_eq!(server.ask("POST", &refund, "").await.status.as_u16(), 201);
}

/// Policies, and what was counted, are in the journal.
#[tokio::test]
async fn they_outlive_a_restart() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let policy = json!({"credit_limit": "5", "counterparties": [b], "velocity": [{"side": "debit", "window": "month", "count": 1}]});
    server.put(&path(&a), policy).await;
    assert_eq!(pays(&server, &a, &b, json!({})).await, good());
    let before = server.get(&path(&a)).await;
    assert_eq!(before.json()["velocity"][0]["used"]["count"], 1);
    let server = server.crashed(settings(&[]));
    assert_eq!(server.get(&path(&a)).await.text, before.text);
    let server = server.restarted(settings(&[]));
    assert_eq!(server.get(&path(&a)).await.text, before.text);
    assert_eq!(pays(&server, &a, &b, json!({})).await, bad("BAL_VELOCITY_EXCEEDED"));
}
