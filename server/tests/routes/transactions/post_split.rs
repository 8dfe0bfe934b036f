//! `POST /transactions` with several sources or destinations.

use crate::books::{payment, with};
use crate::support::{NOW, open};
use serde_json::json;

const ROUTE: (&str, &str) = ("POST", "/transactions");
const ZERO: &str = "0001-01-01T00:00:00Z";

#[tokio::test]
async fn a_split_is_one_transaction_with_legs() {
    let server = open();
    let a = server.funded(10_000).await;
    let parts = json!([{"identifier": "@fee", "distribution": "2.5%"}, {"identifier": "@tax", "precise_distribution": "100"}, {"identifier": "@shop", "distribution": "left"}]);
    let told = server
        .post("/transactions", payment(&a, "", json!({"amount": 100, "destination": null, "destinations": parts})))
        .await;
    told.is(
        201,
        json!({
            "precise_amount": 10_000, "amount": 100, "precision": 100, "overdraft_limit": 0, "transaction_id": "<txn 1>",
            "parent_transaction": "", "source": "<bln 1>", "reference": "pay", "currency": "USD", "description": "test", "status": "APPLIED",
            "hash": "<hash>", "allow_overdraft": false, "inflight": false, "skip_queue": true, "atomic": false, "created_at": NOW,
            "effective_date": NOW, "scheduled_for": ZERO, "inflight_expiry_date": ZERO, "inflight_commit_date": ZERO,
            "destinations": [
                {"identifier": "@fee", "distribution": "2.5%", "transaction_id": "<txn 2>"},
                {"identifier": "@tax", "distribution": "", "precise_distribution": "100", "transaction_id": "<txn 3>"},
                {"identifier": "@shop", "distribution": "left", "transaction_id": "<txn 4>"},
            ],
        }),
    );
    let legs = [("pay-1", 250), ("pay-2", 100), ("pay-3", 9650)];
    for ((reference, minor), part) in legs.iter().zip(told.json()["destinations"].as_array().unwrap()) {
        let leg = server.get(&format!("/transactions/reference/{reference}")).await.json();
        assert_eq!((&leg["precise_amount"], &leg["transaction_id"]), (&json!(minor), &part["transaction_id"]));
        assert_eq!(leg["parent_transaction"], told.json()["transaction_id"]);
    }
    assert_eq!(server.get(&format!("/transactions/{}", told.field("transaction_id"))).await.status.as_u16(), 404);
}

#[tokio::test]
async fn refusals() {
    let server = open();
    let a = server.funded(10_000).await;
    let part = |distribution: &str| json!({"identifier": "@x", "distribution": distribution});
    let other = |distribution: &str| json!({"identifier": "@y", "distribution": distribution});
    let (invalid, uneven, negative) = ("TXN_VALIDATION_ERROR", "TXN_INVALID_DISTRIBUTION", "TXN_INVALID_AMOUNT");
    for (parts, code, text) in [
        (json!([]), invalid, "destination: either destination or destinations is required"),
        (json!([part("60%"), other("50%")]), invalid, "failed to split transaction: percentages exceed 100%"),
        (json!([part("101")]), invalid, "fixed amount exceeds remaining transaction amount"),
        (json!([part("10"), other("20")]), uneven, "the parts are less than the total amount"),
        (json!([part("left"), other("left")]), uneven, "multiple identifiers with 'left'"),
        (json!([part("50%"), part("50%")]), uneven, "'@x' is named by several parts"),
        (json!([part("NaN"), other("left")]), invalid, "invalid fixed amount format"),
        (json!([part("x%"), other("left")]), invalid, "invalid percentage format"),
        (json!([part("-1%"), other("left")]), invalid, "invalid percentage format"),
        (json!([part("1"), other("-1")]), negative, "failed to record split transaction 1: transaction amount must be"),
        (
            json!([{"identifier": "@none"}, {"identifier": "@x", "precise_distribution": "-5"}, other("left")]),
            negative,
            "failed to record split transaction 0: ",
        ),
        (
            json!([{"identifier": "@x", "precise_distribution": "1.5"}, other("left")]),
            invalid,
            "invalid precise_distribution format",
        ),
        (
            json!([{"identifier": a, "distribution": "left"}]),
            invalid,
            "destination: source and destination cannot be the same balance",
        ),
        (
            json!([part("50%"), {"identifier": "nobody", "distribution": "50%"}]),
            "TXN_NOT_FOUND",
            "failed to record split transaction 1: Balance with ID 'nobody' not found",
        ),
    ] {
        let body = payment(&a, "", json!({"amount": 100, "destination": null, "destinations": parts})).to_string();
        let status = if code == "TXN_NOT_FOUND" { 404 } else { 400 };
        server.refuses(ROUTE, body, (status, code, text)).await;
    }
    let both = json!({"source": null, "sources": [part("left")], "destination": null, "destinations": [other("left")]});
    let wanted = (400, invalid, "destinations: either sources or destinations can be several, not both");
    server.refuses(ROUTE, payment("", "", both).to_string(), wanted).await;
    for wrong in [json!([3]), json!({"identifier": "@x"}), json!([{"identifier": "@x", "distribution": 50}])] {
        let body = payment(&a, "", json!({"destination": null, "destinations": wrong})).to_string();
        server.refuses(ROUTE, body, (400, "GEN_MALFORMED_REQUEST", "Invalid input")).await;
    }
}

/// What is written as zero, or not at all, is no leg; it is echoed all the same.
#[tokio::test]
async fn parts_that_ask_for_nothing() {
    let server = open();
    let a = server.funded(100_000).await;
    let rest = || json!({"identifier": "@rest", "distribution": "left"});
    for (index, nothing) in [
        json!({"identifier": "@none"}),
        json!({"identifier": "@none", "distribution": ""}),
        json!({"identifier": "@none", "distribution": "0"}),
        json!({"identifier": "@none", "distribution": "0.00"}),
        json!({"identifier": "@none", "precise_distribution": "0"}),
        json!({"identifier": "@none", "distribution": "", "precise_distribution": ""}),
    ]
    .into_iter()
    .enumerate()
    {
        let reference = format!("pay{index}");
        let fields =
            json!({"amount": 100, "reference": reference, "destination": null, "destinations": [nothing, rest()]});
        let told = server.post("/transactions", payment(&a, "", fields)).await;
        assert_eq!(told.status.as_u16(), 201, "{}", told.text);
        let leg = server.get(&format!("/transactions/reference/{reference}-1")).await.json();
        assert_eq!(leg["precise_amount"], 10_000);
        let shown = &told.json()["destinations"];
        assert_eq!((&shown[0]["identifier"], &shown[0]["transaction_id"]), (&json!("@none"), &json!("")));
        assert_eq!((&shown[1]["identifier"], &shown[1]["transaction_id"]), (&json!("@rest"), &leg["transaction_id"]));
    }
    assert_eq!(server.get("/balances/indicator/@none/currency/USD").await.status.as_u16(), 404);
    // What is cut to nothing, or a share of nothing, is a leg that cannot be posted.
    for share in ["0%", "0.001%", "0.001"] {
        let parts = json!([{"identifier": "@none", "distribution": share}, rest()]);
        let body = payment(&a, "", json!({"amount": 10, "destination": null, "destinations": parts}));
        server.refuses(ROUTE, body.to_string(), (400, "TXN_VALIDATION_ERROR", "must be positive")).await;
    }
    // Of nothing there is nobody who gets anything: then there is no leg at all.
    for skip_queue in [true, false] {
        let parts = json!([{"identifier": "@none"}, {"identifier": "@other", "distribution": "0"}]);
        let fields = json!({"amount": 0.004, "skip_queue": skip_queue, "destination": null, "destinations": parts});
        let wanted = (400, "TXN_INVALID_DISTRIBUTION", "no part gets anything");
        server.refuses(ROUTE, payment(&a, "", fields.clone()).to_string(), wanted).await;
        let body = json!({"skip_queue": skip_queue, "transactions": [payment(&a, "", fields)]}).to_string();
        let told = server.ask("POST", "/transactions/bulk", body).await;
        assert_eq!(told.status.as_u16(), 400, "{}", told.text);
    }
}

/// One leg that cannot be posted refuses the whole.
#[tokio::test]
async fn all_legs_or_none() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.funded(100).await);
    let parts = json!([{"identifier": a, "distribution": "50%"}, {"identifier": b, "distribution": "50%"}]);
    let body = payment("", "@shop", json!({"amount": 100, "source": null, "sources": parts}));
    let message = "failed to record split transaction 1: failed to apply transaction to balances: insufficient funds";
    server.refuses(ROUTE, body.to_string(), (400, "TXN_INSUFFICIENT_FUNDS", message)).await;
    assert_eq!(server.figures(&a).await, [10_000, 10_000, 0, 0, 0]);
    assert_eq!(server.get("/transactions/reference/pay-1").await.status.as_u16(), 404);
}

/// The error of a leg says which it is, and names what that has: its balance, its own reference.
#[tokio::test]
async fn the_leg_that_is_refused_is_named() {
    let server = open();
    let a = server.funded(10_000).await;
    let part = |name: &str, share: &str| json!({"identifier": name, "distribution": share});
    let parts = json!([part("@none", "0"), part(&a, "50%"), part("nobody", "left")]);
    let body = payment("", "@shop", json!({"source": null, "sources": parts}));
    let wanted = (404, "TXN_NOT_FOUND", "failed to record split transaction 1: Balance with ID 'nobody' not found");
    server.refuses(ROUTE, body.to_string(), wanted).await;
    server.post("/transactions", payment(&a, "@x", json!({"reference": "pay-2"}))).await;
    server.post("/transactions", payment(&a, "@x", json!({"reference": "pay_1"}))).await;
    let parts = json!([part("@x", "50%"), part("@y", "50%")]);
    for (skip_queue, message) in [
        (true, "failed to record split transaction 1: transaction validation failed: reference pay-2 has already"),
        (false, "failed to record split transaction 0: transaction validation failed: reference pay_1 has already"),
    ] {
        let fields = json!({"skip_queue": skip_queue, "destination": null, "destinations": parts});
        let body = payment(&a, "", fields);
        server.refuses(ROUTE, body.to_string(), (409, "TXN_DUPLICATE_REFERENCE", message)).await;
    }
}

/// The whole has no row, so the side that is not split is told as it was named.
#[tokio::test]
async fn an_indicator_is_told_as_it_was_sent() {
    let server = open();
    for skip_queue in [true, false] {
        let parts = json!([{"identifier": "@x", "distribution": "50%"}, {"identifier": "@y", "distribution": "left"}]);
        let fields = json!({"skip_queue": skip_queue, "destination": null, "destinations": parts, "allow_overdraft": true, "reference": format!("{skip_queue}")});
        let told = server.post("/transactions", payment("@World", "", fields)).await;
        assert_eq!((told.status.as_u16(), told.field("source").as_str()), (201, "@World"));
    }
}

/// Numbers that nobody means are refused, whatever they add up to.
#[tokio::test]
async fn absurd_numbers() {
    let server = open();
    let a = server.balance().await;
    let half = ((1u128 << 126) + 1).to_string();
    let halves =
        json!([{"identifier": "@x", "precise_distribution": half}, {"identifier": "@y", "distribution": "50%"}]);
    let more = json!([{"identifier": "@x", "distribution": "80000000000000000000000000%"}, {"identifier": "@y", "distribution": "170141183460469231731687303715%"}]);
    for (amount, parts) in [
        (i128::MAX.to_string(), halves),
        (2.to_string(), more.clone()),
        (
            3.to_string(),
            json!([{"identifier": "@x", "precise_distribution": i128::MIN.to_string()}, {"identifier": "@y", "distribution": "left"}]),
        ),
        (
            3.to_string(),
            json!([{"identifier": "@x", "distribution": "1e300"}, {"identifier": "@y", "distribution": "left"}]),
        ),
        (
            3.to_string(),
            json!([{"identifier": "@x", "distribution": "1e-300"}, {"identifier": "@y", "distribution": "1e-300%"}, {"identifier": "@z", "distribution": "left"}]),
        ),
    ] {
        let fields = json!({"amount": null, "precise_amount": amount, "allow_overdraft": true, "destination": null, "destinations": parts});
        for skip_queue in [true, false] {
            let before = server.counts().await;
            let told = server
                .post("/transactions", with(payment(&a, "", fields.clone()), json!({"skip_queue": skip_queue})))
                .await;
            if told.status.as_u16() != 201 {
                assert_eq!(told.status.as_u16(), 400, "{}", told.text);
                assert_eq!(server.counts().await, before);
            }
        }
    }
    assert_eq!(server.figures(&a).await, [0; 5]);
}
