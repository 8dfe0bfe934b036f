use crate::books::payment;
use crate::support::{NOW, TestServer, open, secure};
use serde_json::{Value, json};
use server::http::statements::LINES_MAX;
use std::sync::atomic::Ordering;

/// A balance with postings of three days, one of them recorded late, and what does not count.
async fn books() -> (TestServer, String) {
    let server = open();
    let a = server.balance().await;
    let dated = |amount: i64, date: &str, reference: &str| json!({"amount": null, "precise_amount": amount, "effective_date": date, "reference": reference, "allow_overdraft": true});
    for (amount, date, reference) in [
        (1000, "2026-01-01T10:00:00Z", "one"),
        (250, "2026-02-01T00:00:00Z", "two"),
        (30, "2026-01-15T00:00:00Z", "late"),
    ] {
        server.post("/transactions", payment("@World", &a, dated(amount, date, reference))).await;
    }
    server.post("/transactions", payment(&a, "@Shop", json!({"reference": "now", "description": "<shop>"}))).await;
    server.post("/transactions", payment(&a, "@Shop", json!({"reference": "held", "inflight": true}))).await;
    server
        .post(
            "/transactions",
            payment(&a, "@Shop", json!({"amount": 1_000_000, "reference": "refused", "skip_queue": false})),
        )
        .await;
    (server, a)
}

fn lines(told: &Value) -> Vec<(String, i64, i64, i64)> {
    let number = |line: &Value, name: &str| line[name].as_i64().expect("a number");
    let lines = told["lines"].as_array().expect("lines").iter();
    let told = |line: &Value| {
        let reference = line["reference"].as_str().expect("a text").to_owned();
        (reference, number(line, "credit"), number(line, "debit"), number(line, "balance"))
    };
    lines.map(told).collect()
}

fn line(reference: &str, credit: i64, debit: i64, balance: i64) -> (String, i64, i64, i64) {
    (reference.to_owned(), credit, debit, balance)
}

#[tokio::test]
async fn lines_are_in_the_order_in_which_they_count() {
    let (server, a) = books().await;
    let told = server.get(&format!("/balances/{a}/statement")).await.json();
    let all = vec![
        line("one", 1000, 0, 1000),
        line("late", 30, 0, 1030),
        line("two", 250, 0, 1280),
        line("now", 0, 100, 1180),
    ];
    assert_eq!(lines(&told), all);
    assert_eq!((&told["opening"]["balance"], &told["closing"]["balance"]), (&json!(0), &json!(1180)));
    assert_eq!((&told["opening"]["amount"], &told["closing"]["amount"]), (&json!("0.00"), &json!("11.80")));
    assert_eq!((&told["total_credit"], &told["total_debit"]), (&json!(1280), &json!(100)));
    assert_eq!(
        (&told["from"], &told["precision"], told.get("next")),
        (&json!("2026-01-01T10:00:00Z"), &json!(100), None)
    );
    let last = &told["lines"][3];
    assert_eq!((&last["amount"], &last["balance_amount"]), (&json!("-1.00"), &json!("11.80")));
    assert_eq!(
        (&last["effective_date"], &last["kind"], &last["description"]),
        (&json!(NOW), &json!("posting"), &json!("<shop>"))
    );
    let shop = server.get("/balances/indicator/@Shop/currency/USD").await.field("balance_id");
    assert_eq!(last["counterparty"], json!(shop));
}

#[tokio::test]
async fn from_belongs_to_it_and_to_does_not() {
    let (server, a) = books().await;
    for (from, to, wanted, opening, closing) in [
        ("2026-01-15T00:00:00Z", "2026-02-01T00:00:00Z", vec![line("late", 30, 0, 1030)], 1000, 1030),
        ("2026-01-15T00:00:00.000001Z", "2026-02-01T00:00:00.000001Z", vec![line("two", 250, 0, 1280)], 1030, 1280),
        ("2026-02-01T00:00:00Z", "2026-02-01T00:00:00Z", vec![], 1030, 1030),
        ("2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z", vec![], 0, 0),
        ("2030-01-01T00:00:00Z", "2031-01-01T00:00:00Z", vec![], 1180, 1180),
    ] {
        let told = server.get(&format!("/balances/{a}/statement?from={from}&to={to}")).await.json();
        let sums = (told["opening"]["balance"].as_i64(), told["closing"]["balance"].as_i64());
        assert_eq!((lines(&told), sums), (wanted, (Some(opening), Some(closing))), "{from} to {to}");
        assert_eq!((&told["from"], &told["to"]), (&json!(from), &json!(to)));
    }
}

#[tokio::test]
async fn pages_follow_each_other() {
    let (server, a) = books().await;
    for limit in 1..5 {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        for page in 0.. {
            assert!(page < 9, "the pages end");
            let told = server.get(&format!("/balances/{a}/statement?limit={limit}&cursor={cursor}")).await.json();
            assert_eq!(told["closing"]["balance"], 1180, "of the whole, on every page");
            assert!(lines(&told).len() <= limit);
            seen.extend(lines(&told).into_iter().map(|(reference, ..)| reference));
            match told.get("next") {
                Some(next) => cursor = next.as_str().expect("a text").to_owned(),
                None => break,
            }
        }
        assert_eq!(seen, ["one", "late", "two", "now"], "by {limit}");
    }
}

#[tokio::test]
async fn amounts_have_the_precision_of_the_registered_currency() {
    let (server, a) = books().await;
    server.post("/currencies", json!({"code": "USD", "scale": 2})).await;
    let told = server.get(&format!("/balances/{a}/statement")).await.json();
    assert_eq!((&told["precision"], &told["closing"]["amount"]), (&json!(100), &json!("11.80")));
    let empty = server.post("/balances", json!({"ledger_id": "general_ledger_id", "currency": "PTS"})).await;
    let told = server.get(&format!("/balances/{}/statement", empty.field("balance_id"))).await.json();
    assert_eq!((&told["precision"], &told["closing"]["amount"], &told["lines"]), (&json!(1), &json!("0"), &json!([])));
}

/// Proves that only what was posted decides in which units amounts are told, and nothing that came after the time of the statement.
#[tokio::test]
async fn amounts_have_the_precision_of_the_newest_posting() {
    let (server, a) = books().await;
    let amounts = async |query: &str| {
        let told = server.get(&format!("/balances/{a}/statement{query}")).await.json();
        (told["precision"].clone(), told["closing"]["amount"].clone())
    };
    let before = amounts("").await;
    assert_eq!(before, (json!(100), json!("11.80")));
    let pay = async |fields: Value| {
        let told = server.post("/transactions", payment(&a, "@Shop", fields)).await;
        assert_eq!(told.status.as_u16(), 201, "{}", told.text);
    };
    let refused = json!({"reference": "too much", "amount": null, "precise_amount": 1_000_000, "precision": 1, "skip_queue": false});
    pay(refused).await;
    assert_eq!(amounts("").await, before, "what was refused");
    pay(json!({"reference": "held too", "amount": null, "precise_amount": 5, "precision": 1000, "inflight": true}))
        .await;
    assert_eq!(amounts("").await, before, "what is held");
    let to = server::api::time::text(server.clock.fetch_add(2, Ordering::Relaxed) + 1);
    pay(json!({"reference": "spent", "amount": null, "precise_amount": 5, "precision": 1000})).await;
    assert_eq!(amounts("").await, (json!(1000), json!("1.175")));
    assert_eq!(amounts(&format!("?to={to}")).await, before, "what came later");
}

/// Proves that amounts are told to the last digit, also where there are more of them than transactions show.
#[tokio::test]
async fn amounts_of_small_units_are_exact() {
    let server = open();
    let body = json!({"ledger_id": "general_ledger_id", "currency": "ETH"});
    let a = server.post("/balances", body).await.field("balance_id");
    for (reference, minor) in [("one", 1), ("two", 189_207_535_698_279_000_122u128)] {
        let fields = json!({"amount": null, "precise_amount": minor.to_string(), "currency": "ETH",
            "precision": 1_000_000_000_000_000_000u64, "reference": reference, "allow_overdraft": true});
        server.post("/transactions", payment("@World", &a, fields)).await;
    }
    let told = server.get(&format!("/balances/{a}/statement")).await.json();
    let line = |index: usize| (told["lines"][index]["amount"].clone(), told["lines"][index]["balance_amount"].clone());
    let (wei, all) = (json!("0.000000000000000001"), json!("189.207535698279000123"));
    assert_eq!(line(0), (wei.clone(), wei));
    assert_eq!(line(1), (json!("189.207535698279000122"), all.clone()));
    assert_eq!(told["closing"]["amount"], all);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let (server, a) = books().await;
    let most = LINES_MAX.to_string();
    for (query, text) in [
        ("from=yesterday", "from: must be a time in RFC 3339"),
        ("to=2026-01-01", "to: must be a time in RFC 3339"),
        ("from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z", "to: must not be before from"),
        ("limit=0", "limit: must be a whole number from 1 to 1000"),
        ("limit=1001", "limit: must be a whole number from 1 to 1000"),
        ("limit=x", "limit: must be a whole number from 1 to 1000"),
        ("format=xlsx", "format: must be json, csv, camt053 or pdf"),
        ("cursor=x", "cursor: must be `next`"),
        ("cursor=0.1.2.3", "cursor: must be `next`"),
        ("cursor=ffffff.0.0", "cursor: must be `next`"),
        ("cursor=fffffffff.0.0", "cursor: must be `next`"),
        ("cursor=0.7fffffffffffffff.0", "cursor: must be `next`"),
        ("cursor=0.0.0&from=2026-01-01T00:00:00Z", "cursor: must be `next`"),
    ] {
        let told = server.get(&format!("/balances/{a}/statement?{query}")).await;
        told.is_error(400, "GEN_VALIDATION_ERROR", text);
    }
    assert_eq!(server.get(&format!("/balances/{a}/statement?limit={most}")).await.status.as_u16(), 200);
    let other = server.get("/balances/bln_00000000-0000-4000-8000-000000000000/statement").await;
    other.is_error(404, "BAL_NOT_FOUND", "not found");
    assert_eq!(secure().ask_with("GET", &format!("/balances/{a}/statement"), &[], "").await.status.as_u16(), 401);
}
