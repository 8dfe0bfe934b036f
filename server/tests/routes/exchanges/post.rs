//! `POST /exchanges`: what is recorded, and what comes of it later.

use crate::books::{payment, with};
use crate::support::{NOW, TestServer, open, settings};
use serde_json::{Value, json};

/// A balance in some currency.
pub async fn balance_in(server: &TestServer, currency: &str) -> String {
    let told = server.post("/balances", json!({"ledger_id": "general_ledger_id", "currency": currency})).await;
    told.field("balance_id")
}

/// 100.00 dollars for euros at 0.9215, at once, with these fields instead.
pub fn exchange(source: &str, destination: &str, fields: Value) -> Value {
    let usual = json!({
        "source": source, "destination": destination, "source_currency": "USD", "destination_currency": "EUR", "amount": 100,
        "precision": 100, "destination_precision": 100, "rate": "0.9215", "reference": "fx", "description": "test", "skip_queue": true,
    });
    with(usual, fields)
}

/// Some fields and others; unlike [`with`] it keeps nulls, for the object that they take a field from.
pub fn and(mut fields: Value, more: Value) -> Value {
    fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    fields
}

/// Balance, credit, debit, and held credits and debits of an indicator; zeros when it has no balance.
async fn figures_of(server: &TestServer, indicator: &str, currency: &str) -> [i64; 5] {
    let told = server.get(&format!("/balances/indicator/{indicator}/currency/{currency}")).await;
    if told.status.as_u16() == 404 {
        return [0; 5];
    }
    server.figures(&told.field("balance_id")).await
}

/// The sums over all balances of each currency: balance, and held credits less held debits.
async fn sums(server: &TestServer) -> Vec<(String, i64, i64)> {
    let balances = server.get("/balances?limit=100").await.json();
    let mut sums = std::collections::BTreeMap::<String, (i64, i64)>::new();
    for balance in balances.as_array().unwrap() {
        let figure = |name: &str| balance[name].as_i64().unwrap();
        let sum = sums.entry(balance["currency"].as_str().unwrap().to_owned()).or_default();
        sum.0 += figure("balance");
        sum.1 += figure("inflight_credit_balance") - figure("inflight_debit_balance");
    }
    sums.into_iter().map(|(currency, (posted, held))| (currency, posted, held)).collect()
}

async fn assert_conserved(server: &TestServer) {
    assert_eq!(sums(server).await, [("EUR".to_owned(), 0, 0), ("USD".to_owned(), 0, 0)]);
}

fn leg(number: u64, currency: &str, (minor, major): (u64, Value), word: &str) -> Value {
    let zero = "0001-01-01T00:00:00Z";
    let mut metadata = json!({"florin_exchange": {"leg": word, "rate": "0.9215", "quote": "q-1", "source_currency": "USD", "destination_currency": "EUR"}, "k": 1});
    if number > 1 {
        metadata["allow_overdraft"] = true.into();
    }
    json!({
        "precise_amount": minor, "amount": major, "precision": 100, "overdraft_limit": 0, "transaction_id": format!("<txn {}>", number + 1),
        "parent_transaction": "<txn 1>", "reference": format!("fx-{number}"), "currency": currency, "description": "test",
        "status": "APPLIED", "hash": "<hash>", "allow_overdraft": false, "inflight": false, "skip_queue": false, "atomic": false,
        "created_at": NOW, "effective_date": NOW, "scheduled_for": zero, "inflight_expiry_date": zero, "inflight_commit_date": zero,
        "meta_data": metadata,
    })
}

/// 100 dollars are worth 92.15 euros, of which the house keeps 0.50.
#[tokio::test]
async fn one_transaction_of_three_legs() {
    let server = open();
    let (a, b, fee) = (server.funded(50_000).await, balance_in(&server, "EUR").await, balance_in(&server, "EUR").await);
    let spread = json!({"destination": fee, "amount": 0.5});
    let fields =
        json!({"quote": "q-1", "spread": spread, "meta_data": {"k": 1, "florin_exchange": "forged"}, "unknown": 1});
    let told = server.post("/exchanges", exchange(&a, &b, fields)).await;
    let sides =
        |leg: Value, source: &str, destination: &str| with(leg, json!({"source": source, "destination": destination}));
    told.is(
        201,
        json!({
            "transaction_id": "<txn 1>", "reference": "fx", "status": "APPLIED", "rate": "0.9215", "quote": "q-1",
            "source": "<bln 1>", "destination": "<bln 2>", "source_currency": "USD", "precise_amount": 10_000,
            "destination_currency": "EUR", "precise_destination_amount": 9215,
            "spread": {"destination": "<bln 3>", "side": "destination", "currency": "EUR", "precise_amount": 50},
            "legs": [
                sides(leg(1, "USD", (10_000, json!(100)), "source"), "<bln 1>", "<bln 4>"),
                sides(leg(2, "EUR", (9165, json!(91.65)), "destination"), "<bln 5>", "<bln 2>"),
                sides(leg(3, "EUR", (50, json!(0.5)), "spread"), "<bln 5>", "<bln 3>"),
            ],
            "created_at": NOW,
        }),
    );
    assert_eq!((told.field("source"), told.field("destination")), (a.clone(), b.clone()));
    assert_eq!(server.figures(&a).await, [40_000, 50_000, 10_000, 0, 0]);
    assert_eq!(server.figures(&b).await, [9165, 9165, 0, 0, 0]);
    assert_eq!(server.figures(&fee).await, [50, 50, 0, 0, 0]);
    assert_eq!(figures_of(&server, "@Exchange", "USD").await, [10_000, 10_000, 0, 0, 0]);
    assert_eq!(figures_of(&server, "@Exchange", "EUR").await, [-9215, 0, 9215, 0, 0]);
    assert_conserved(&server).await;
    for (leg, at) in told.json()["legs"].as_array().unwrap().iter().zip(1..) {
        let read = server.get(&format!("/transactions/reference/fx-{at}")).await.json();
        assert_eq!(read, with(leg.clone(), json!({"effective_date": null})));
    }
}

#[tokio::test]
async fn a_spread_of_the_source_side_is_kept_before_conversion() {
    let server = open();
    let (a, b) = (server.funded(50_000).await, balance_in(&server, "EUR").await);
    let spread = json!({"destination": "@Fees", "precise_amount": "200", "side": "source"});
    let told = server.post("/exchanges", exchange(&a, &b, json!({"spread": spread}))).await.json();
    // 98.00 × 0.9215 = 90.307.
    assert_eq!((&told["precise_amount"], &told["precise_destination_amount"]), (&json!(10_000), &json!(9031)));
    assert_eq!((&told["spread"]["side"], &told["spread"]["currency"]), (&json!("source"), &json!("USD")));
    assert_eq!(told["legs"].as_array().unwrap().len(), 3);
    assert_eq!(server.figures(&a).await, [40_000, 50_000, 10_000, 0, 0]);
    assert_eq!(server.figures(&b).await, [9031, 9031, 0, 0, 0]);
    assert_eq!(figures_of(&server, "@Fees", "USD").await, [200, 200, 0, 0, 0]);
    assert_eq!(figures_of(&server, "@Exchange", "USD").await, [9800, 10_000, 200, 0, 0]);
    assert_eq!(figures_of(&server, "@Exchange", "EUR").await, [-9031, 0, 9031, 0, 0]);
    assert_conserved(&server).await;
}

/// Two legs, through a position that is named; sides may be indicators. Rates are numbers or texts, with all their digits.
#[tokio::test]
async fn without_a_spread() {
    let server = open();
    for (number, (fields, minor)) in [
        (json!({"rate": 0.9215}), 9215),
        (json!({"rate": "9215e-4"}), 9215),
        (json!({"rate": 0.92145}), 9215),
        (json!({"rate": "0.921449999999999999"}), 9214),
        (json!({"rate": "0.9215", "amount": null, "precise_amount": 1, "precision": 1}), 92),
        (json!({"rate": 149.255, "destination_precision": null}), 14_926),
        (json!({"rate": "0.92145", "destination_amount": 92.14}), 9214),
        (json!({"rate": "0.9215", "precise_destination_amount": "9216"}), 9216),
        (
            json!({"rate": "0.9215", "destination_precision": 1_000_000_000_000_000_000u64}),
            92_150_000_000_000_000_000i128,
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let usual = json!({"reference": number.to_string(), "via": format!("@desk{number}"), "allow_overdraft": true, "description": null});
        let told = server.post("/exchanges", exchange("@a", "@b", and(usual, fields))).await;
        assert_eq!(told.status.as_u16(), 201, "{number}: {}", told.text);
        assert!(told.text.contains(&format!("\"precise_destination_amount\":{minor},")), "{number}: {}", told.text);
        let told = told.json();
        assert_eq!((&told["spread"], &told["quote"]), (&Value::Null, &json!("")));
        assert_eq!(told["legs"].as_array().unwrap().len(), 2);
    }
    assert_eq!(figures_of(&server, "@desk0", "USD").await, [10_000, 10_000, 0, 0, 0]);
    assert_eq!(figures_of(&server, "@desk0", "EUR").await, [-9215, 0, 9215, 0, 0]);
    assert_eq!(figures_of(&server, "@Exchange", "EUR").await, [0; 5]);
}

/// Through the queue: the request is answered, and its outcome is there already. Asked again it is known, as it was made.
#[tokio::test]
async fn through_the_queue() {
    let server = open();
    let (a, b) = (server.funded(50_000).await, balance_in(&server, "EUR").await);
    let spread = json!({"destination": "@Fees", "precise_amount": 15});
    let body = exchange(&a, &b, json!({"skip_queue": null, "spread": spread, "quote": "first"}));
    let told = server.post("/exchanges", body.clone()).await;
    let whole = told.json();
    assert_eq!((told.status.as_u16(), &whole["status"]), (201, &json!("QUEUED")));
    let references: Vec<&Value> = whole["legs"].as_array().unwrap().iter().map(|leg| &leg["reference"]).collect();
    assert_eq!(references, ["fx_1", "fx_2", "fx_3"]);
    for (reference, minor) in [("fx_1_q", 10_000), ("fx_2_q", 9200), ("fx_3_q", 15)] {
        let outcome = server.get(&format!("/transactions/reference/{reference}")).await.json();
        assert_eq!((&outcome["status"], &outcome["precise_amount"]), (&json!("APPLIED"), &json!(minor)));
        assert_eq!(outcome["meta_data"]["QUEUED_PARENT_TRANSACTION"], whole["transaction_id"]);
        assert_eq!(outcome["meta_data"]["florin_exchange"]["quote"], "first");
    }
    let after = [server.figures(&a).await, server.figures(&b).await];
    assert_eq!(after, [[40_000, 50_000, 10_000, 0, 0], [9200, 9200, 0, 0, 0]]);
    // The same amounts by another rate and quote: the first is answered, and nothing moves.
    let before = server.counts().await;
    let again = with(body.clone(), json!({"rate": "0.92151", "quote": "second"}));
    let told = server.post("/exchanges", again).await;
    assert_eq!((told.status.as_u16(), told.json()), (201, whole));
    // The last has the same first two legs, but not the third.
    let same_legs = json!({"spread": null, "rate": "0.92"});
    for other in
        [json!({"amount": 101}), json!({"rate": 1}), json!({"spread": null}), json!({"inflight": true}), same_legs]
    {
        let body = with(body.clone(), other).to_string();
        server.refuses(("POST", "/exchanges"), body, (409, "TXN_DUPLICATE_REFERENCE", "reference fx ")).await;
    }
    assert_eq!((server.counts().await, [server.figures(&a).await, server.figures(&b).await]), (before, after));
    assert_conserved(&server).await;
}

/// What is refused behind the queue is refused as a whole: every leg has a child that says so.
#[tokio::test]
async fn through_the_queue_without_funds() {
    let server = open();
    let (a, b) = (server.funded(9_999).await, balance_in(&server, "EUR").await);
    let told = server.post("/exchanges", exchange(&a, &b, json!({"skip_queue": false}))).await;
    assert_eq!((told.status.as_u16(), told.field("status")), (201, "QUEUED".to_owned()));
    for (reference, reason) in [("fx_1_q", "insufficient funds"), ("fx_2_q", "another part of the same whole")] {
        let outcome = server.get(&format!("/transactions/reference/{reference}")).await.json();
        assert_eq!(outcome["status"], "REJECTED");
        assert!(outcome["meta_data"]["blnk_rejection_reason"].as_str().unwrap().contains(reason));
    }
    assert_eq!([server.figures(&a).await[0], server.figures(&b).await[0]], [9_999, 0]);
    let balances = server.get("/balances").await.text;
    assert!(!balances.contains("@Exchange"), "a balance was left behind: {balances}");
}

/// Legs of something else that happen to have the references are not answered as an exchange.
#[tokio::test]
async fn references_of_something_else() {
    let server = open();
    let single = |source: &str, destination: &str, fields: Value| {
        payment(source, destination, and(json!({"skip_queue": null, "allow_overdraft": true}), fields))
    };
    let first = single("@a", "@Exchange", json!({"reference": "fx_1", "amount": 100}));
    let second = single("@Exchange", "@b", json!({"reference": "fx_2", "amount": 92.15, "currency": "EUR"}));
    for body in [first, second] {
        assert_eq!(server.post("/transactions", body).await.status.as_u16(), 201);
    }
    let body = exchange("@a", "@b", json!({"skip_queue": null, "allow_overdraft": true})).to_string();
    server.refuses(("POST", "/exchanges"), body, (409, "TXN_DUPLICATE_REFERENCE", "reference fx ")).await;
    // And at once: the first leg's reference is taken.
    let taken = payment("@a", "@b", json!({"reference": "fx-2", "allow_overdraft": true}));
    assert_eq!(server.post("/transactions", taken).await.status.as_u16(), 201);
    let body = exchange("@a", "@b", json!({"allow_overdraft": true})).to_string();
    server.refuses(("POST", "/exchanges"), body, (409, "TXN_DUPLICATE_REFERENCE", "reference fx ")).await;
}

/// Only the source is asked for funds; the position of the house may be short of any currency.
#[tokio::test]
async fn overdraft() {
    let server = open();
    let route = ("POST", "/exchanges");
    let (a, b) = (server.funded(5_000).await, balance_in(&server, "EUR").await);
    let asked = |fields: Value| exchange(&a, &b, fields);
    let short = (400, "TXN_INSUFFICIENT_FUNDS", "insufficient funds in source balance");
    server.refuses(route, asked(json!({})).to_string(), short).await;
    let beyond = (400, "TXN_VALIDATION_ERROR", "exceeds overdraft limit");
    let limited = |limit: f64| asked(json!({"allow_overdraft": true, "overdraft_limit": limit}));
    server.refuses(route, limited(49.99).to_string(), beyond).await;
    assert_eq!(server.post("/exchanges", limited(50.0)).await.status.as_u16(), 201);
    assert_eq!(server.figures(&a).await, [-5_000, 5_000, 10_000, 0, 0]);
    let told = server.post("/exchanges", asked(json!({"allow_overdraft": true, "reference": "more"}))).await;
    assert_eq!(told.status.as_u16(), 201);
    assert_eq!(told.json()["legs"][0]["meta_data"]["allow_overdraft"], true);
    assert_eq!(server.figures(&a).await[0], -15_000);
    assert_eq!(figures_of(&server, "@Exchange", "EUR").await, [-18_430, 0, 18_430, 0, 0]);
    assert_conserved(&server).await;
}

#[tokio::test]
async fn the_business_date_is_that_of_every_leg() {
    let server = open();
    let spread = json!({"destination": "@Fees", "amount": 1});
    let date = "2026-01-31T22:00:00Z";
    let body = exchange("@a", "@b", json!({"allow_overdraft": true, "effective_date": date, "spread": spread}));
    let told = server.post("/exchanges", body).await.json();
    for leg in told["legs"].as_array().unwrap() {
        assert_eq!((&leg["effective_date"], &leg["created_at"]), (&json!(date), &json!(NOW)));
    }
    assert_eq!(told["legs"].as_array().unwrap().len(), 3);
}

/// The books of a hold: source, destination, fee, and the position in both currencies.
async fn all(server: &TestServer, a: &str, b: &str) -> [[i64; 5]; 5] {
    [
        server.figures(a).await,
        server.figures(b).await,
        figures_of(server, "@Fees", "EUR").await,
        figures_of(server, "@Exchange", "USD").await,
        figures_of(server, "@Exchange", "EUR").await,
    ]
}

const HELD: [[i64; 5]; 5] =
    [[50_000, 50_000, 0, 0, 10_000], [0, 0, 0, 9200, 0], [0, 0, 0, 15, 0], [0, 0, 0, 10_000, 0], [0, 0, 0, 0, 9215]];
const POSTED: [[i64; 5]; 5] = [
    [40_000, 50_000, 10_000, 0, 0],
    [9200, 9200, 0, 0, 0],
    [15, 15, 0, 0, 0],
    [10_000, 10_000, 0, 0, 0],
    [-9215, 0, 9215, 0, 0],
];
const GIVEN_BACK: [[i64; 5]; 5] = [
    [50_000, 60_000, 10_000, 0, 0],
    [0, 9200, 9200, 0, 0],
    [0, 15, 15, 0, 0],
    [0, 10_000, 10_000, 0, 0],
    [0, 9215, 9215, 0, 0],
];
const RELEASED: [[i64; 5]; 5] = [[50_000, 50_000, 0, 0, 0], [0; 5], [0; 5], [0; 5], [0; 5]];

/// By the id of the whole a held exchange is committed and given back, or voided: all legs, in both currencies.
#[tokio::test]
async fn held_then_ended_by_the_id_of_the_whole() {
    for skip_queue in [true, false] {
        let server = open();
        let (a, b) = (server.funded(50_000).await, balance_in(&server, "EUR").await);
        let spread = json!({"destination": "@Fees", "precise_amount": 15});
        let hold = |reference: &str| {
            let fields = json!({"inflight": true, "spread": spread, "reference": reference, "skip_queue": skip_queue});
            exchange(&a, &b, fields)
        };
        let status = if skip_queue { "INFLIGHT" } else { "QUEUED" };
        let void = server.post("/exchanges", hold("void")).await;
        assert_eq!((void.status.as_u16(), void.field("status").as_str()), (201, status));
        assert_eq!(all(&server, &a, &b).await, HELD);
        assert_conserved(&server).await;
        let end = |id: &str| format!("/transactions/inflight/{id}");
        let ending = |action: &str| json!({"status": action, "skip_queue": skip_queue});
        let id = void.field("transaction_id");
        assert_eq!(server.put(&end(&id), ending("void")).await.status.as_u16(), 200);
        assert_eq!(all(&server, &a, &b).await, RELEASED);
        let id = server.post("/exchanges", hold("commit")).await.field("transaction_id");
        // A part means another amount in each currency, at no rate: all of it or nothing.
        for part in [json!({"amount": 1}), json!({"precise_amount": 1})] {
            let body = with(ending("commit"), part).to_string();
            let wanted = (400, "TXN_VALIDATION_ERROR", "an exchange is committed as a whole");
            server.refuses(("PUT", &end(&id)), body, wanted).await;
        }
        // One leg without the others would give one currency and not take the other. So it is by the ids of requests too.
        let legs =
            if skip_queue { ["commit-1", "commit-2", "commit-3"] } else { ["commit_1", "commit_2_q", "commit_3"] };
        for leg in legs {
            let leg = server.get(&format!("/transactions/reference/{leg}")).await.field("transaction_id");
            let wanted = (400, "TXN_VALIDATION_ERROR", id.as_str());
            for body in [ending("commit"), ending("void"), with(ending("commit"), json!({"amount": 1}))] {
                server.refuses(("PUT", &end(&leg)), body.to_string(), wanted).await;
                server.refuses(("PUT", &end(&leg)), with(body, json!({"dry_run": true})).to_string(), wanted).await;
            }
            server.refuses(("PATCH", &end(&leg)), r#"{"amount": 1}"#, wanted).await;
            let body = json!({"transaction_ids": [leg], "skip_queue": skip_queue});
            let told = server.post("/transactions/inflight/bulk/void", body).await;
            assert_eq!((&told.json()["succeeded"], told.status.as_u16()), (&json!(0), 200), "{}", told.text);
        }
        assert_eq!(server.put(&end(&id), ending("commit")).await.status.as_u16(), 200);
        assert_eq!(all(&server, &a, &b).await, POSTED);
        assert_conserved(&server).await;
        let refund = format!("/refund-transaction/{id}");
        let told = server.post(&refund, json!({"skip_queue": skip_queue})).await;
        assert_eq!(told.status.as_u16(), 201, "{}", told.text);
        assert_eq!(all(&server, &a, &b).await, GIVEN_BACK);
        assert_conserved(&server).await;
        let again = json!({"skip_queue": skip_queue}).to_string();
        server.refuses(("POST", &refund), again, (409, "GEN_CONFLICT", "has already been refunded")).await;
        // What was voided cannot be given back by the id of the whole.
        let refund = format!("/refund-transaction/{}", void.field("transaction_id"));
        server.refuses(("POST", &refund), "", (404, "TXN_NOT_FOUND", "no transaction to refund")).await;
    }
}

#[tokio::test]
async fn posted_then_given_back_by_the_id_of_the_whole() {
    for skip_queue in [true, false] {
        let server = open();
        let (a, b) = (server.funded(50_000).await, balance_in(&server, "EUR").await);
        let spread = json!({"destination": "@Fees", "precise_amount": 15});
        let body = exchange(&a, &b, json!({"spread": spread, "skip_queue": skip_queue}));
        let id = server.post("/exchanges", body).await.field("transaction_id");
        assert_eq!(all(&server, &a, &b).await, POSTED);
        let refund = format!("/refund-transaction/{id}");
        assert_eq!(server.post(&refund, json!({"skip_queue": skip_queue})).await.status.as_u16(), 201);
        assert_eq!(all(&server, &a, &b).await, GIVEN_BACK);
        assert_conserved(&server).await;
        server.refuses(("POST", &refund), "", (409, "GEN_CONFLICT", "has already been refunded")).await;
    }
}

/// A whole cannot be recorded in part: one leg that cannot be posted refuses all.
#[tokio::test]
async fn all_legs_or_none() {
    let server = open();
    let most = ledger::limits::SUM_MAX;
    let full = format!(
        r#"{{"precise_amount": {most}, "precision": 100, "currency": "EUR", "reference": "full", "description": "d", "source": "@World", "destination": "@full", "allow_overdraft": true, "skip_queue": true}}"#
    );
    assert_eq!(server.ask("POST", "/transactions", full).await.status.as_u16(), 201);
    for (destination, fee) in [("@full", "@Fees"), ("@b", "@full")] {
        let spread = json!({"destination": fee, "precise_amount": 1});
        let body = exchange("@a", destination, json!({"allow_overdraft": true, "spread": spread})).to_string();
        let wanted = (400, "TXN_VALIDATION_ERROR", "a balance would be beyond what can be recorded");
        server.refuses(("POST", "/exchanges"), body, wanted).await;
    }
}

/// The setting that lets single postings cross currencies has no say here.
#[tokio::test]
async fn raw_units_are_never_exchanged() {
    let server = TestServer::new(settings(&[("FLORIN_COMPAT_CURRENCY_MISMATCH", "allow")]));
    let (a, b) = (server.funded(50_000).await, server.balance().await);
    let wanted = (400, "TXN_VALIDATION_ERROR", "destination: the balance is in USD, not in EUR.");
    server.refuses(("POST", "/exchanges"), exchange(&a, &b, json!({})).to_string(), wanted).await;
}
