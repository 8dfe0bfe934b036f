//! Dry runs of `POST /exchanges`.

use super::post::{and, balance_in, exchange};
use crate::books::{payment, with};
use crate::support::{TestServer, open};
use serde_json::{Value, json};

async fn said_and_done(server: &TestServer, body: Value) -> Value {
    let (said, done) = server.said_and_done("POST", "/exchanges", body.clone()).await;
    assert_eq!(said.status.as_u16(), 200, "{}", said.text);
    if said.json()["would_apply"] == true && body["skip_queue"] == true {
        assert_eq!(said.json()["status"], done.json()["status"], "{body}");
    }
    said.json()
}

/// The whole document, of an exchange that opens both positions of the house.
#[tokio::test]
async fn what_would_be_done() {
    let server = open();
    let (a, b) = (server.funded(50_000).await, balance_in(&server, "EUR").await);
    let spread = json!({"destination": "@Fees", "amount": 0.5});
    let body = exchange(&a, &b, json!({"quote": "q-1", "spread": spread}));
    let told = server.post("/exchanges", with(body.clone(), json!({"dry_run": true}))).await;
    let balance = |id: &str, role: &str, currency: &str, now: [i64; 3], then: [i64; 3]| {
        let mut told = json!({"balance_id": id, "role": role, "currency": currency});
        if id.starts_with('@') {
            told["virtual"] = true.into();
        }
        for (when, [balance, credit, debit]) in [("current", now), ("resulting", then)] {
            let figures =
                [("balance", balance), ("available", balance), ("credit_balance", credit), ("debit_balance", debit)];
            for (name, figure) in figures {
                told[format!("{when}_{name}")] = figure.to_string().into();
            }
            told[format!("{when}_inflight_debit_balance")] = "0".into();
            told[format!("{when}_inflight_credit_balance")] = "0".into();
        }
        told
    };
    told.is(
        200,
        json!({
            "dry_run": true, "would_apply": true, "status": "APPLIED", "reference": "fx", "rate": "0.9215", "quote": "q-1",
            "source": "<bln 1>", "destination": "<bln 2>", "source_currency": "USD", "precise_amount": "10000",
            "destination_currency": "EUR", "precise_destination_amount": "9215",
            "spread": {"destination": "@Fees", "side": "destination", "currency": "EUR", "precise_amount": "50"},
            "balances": [
                balance("<bln 1>", "source", "USD", [50_000, 50_000, 0], [40_000, 50_000, 10_000]),
                balance("@Exchange", "destination", "USD", [0; 3], [10_000, 10_000, 0]),
                balance("@Exchange", "source", "EUR", [0; 3], [-9215, 0, 9215]),
                balance("<bln 2>", "destination", "EUR", [0; 3], [9165, 9165, 0]),
                balance("@Fees", "destination", "EUR", [0; 3], [50, 50, 0]),
            ],
        }),
    );
    // Done so for good, as said; once more it says that the reference is used, with the figures of now.
    said_and_done(&server, body.clone()).await;
    let again = said_and_done(&server, body).await;
    assert_eq!(
        (&again["would_apply"], &again["rejection"]["code"]),
        (&json!(false), &json!("TXN_DUPLICATE_REFERENCE"))
    );
    assert_eq!(again["balances"][0]["current_balance"], "40000");
    assert_eq!(again["balances"][0]["resulting_balance"], "40000");
    assert_eq!(again.get("notes"), None);
}

/// What it would be refused for has the code and the message of the real call; a balance that does not exist is an error.
#[tokio::test]
async fn what_would_be_refused() {
    let server = open();
    let (a, b, c) = (server.funded(50_000).await, balance_in(&server, "EUR").await, server.balance().await);
    let frozen = server.funded(50_000).await;
    server.put(&format!("/balances/{frozen}/policy"), json!({"frozen": "debits"})).await;
    server.post("/exchanges", exchange(&a, &b, json!({"reference": "taken", "amount": 1}))).await;
    for (source, destination, fields) in [
        (&a, &b, json!({"amount": 500.01})),
        (&a, &b, json!({"amount": 600, "overdraft_limit": 99})),
        (&a, &c, json!({})),
        (&b, &b, json!({"destination": "@x"})),
        (&frozen, &b, json!({})),
        (&a, &b, json!({"reference": "taken"})),
        (&a, &b, json!({"spread": {"destination": a, "amount": 1}})),
    ] {
        for spread in [None, Some(json!({"spread": {"destination": "@Fees", "amount": 1}}))] {
            let body = and(exchange(source, destination, spread.unwrap_or_else(|| json!({}))), fields.clone());
            let (said, done) = server.said_and_done("POST", "/exchanges", body.clone()).await;
            if said.status.as_u16() != 200 {
                assert_eq!(said.text, done.text);
                continue;
            }
            let said = said.json();
            assert!(said["would_apply"] == false && said.get("status").is_none(), "{said}");
            assert_eq!(said["rejection"]["code"], done.code(), "{body}");
            assert_eq!(said["rejection"]["message"], done.json()["error_detail"]["message"], "{body}");
        }
    }
    let nobody = "bln_00000000-0000-4000-8000-000000000000";
    for (source, destination) in [(nobody, b.as_str()), (a.as_str(), nobody), (a.as_str(), "nobody")] {
        let body = with(exchange(source, destination, json!({})), json!({"dry_run": true, "skip_queue": null}));
        let missing = if source == nobody { source } else { destination };
        server.post("/exchanges", body).await.is_error(404, "TXN_NOT_FOUND", missing);
    }
    // Input is checked as ever.
    let wrong = exchange(&a, &b, json!({"rate": 0, "dry_run": true}));
    server.post("/exchanges", wrong).await.is_error(400, "TXN_VALIDATION_ERROR", "rate: must be more than 0.");
}

/// Through the queue; sent again it is known, and would change nothing.
#[tokio::test]
async fn through_the_queue() {
    let server = open();
    let (a, b) = (server.funded(15_000).await, balance_in(&server, "EUR").await);
    let body = exchange(&a, &b, json!({"skip_queue": null}));
    said_and_done(&server, body.clone()).await;
    let known = said_and_done(&server, body).await;
    assert_eq!(known["rejection"]["code"], "TXN_DUPLICATE_REFERENCE");
    assert_eq!(known["notes"].as_array().map(Vec::len), Some(1));
    // A rejection that the real call would tell as a row of its own.
    let said = said_and_done(&server, exchange(&a, &b, json!({"skip_queue": null, "reference": "more"}))).await;
    assert_eq!((&said["would_apply"], &said["rejection"]["reason"]), (&json!(false), &json!("insufficient_funds")));
}

/// A key is not looked at, so it is free for the real call.
#[tokio::test]
async fn a_key_is_not_used_up() {
    let server = open();
    let (a, b) = (server.funded(50_000).await, balance_in(&server, "EUR").await);
    let body = exchange(&a, &b, json!({}));
    for _ in 0..2 {
        let said = server.once("k", "POST", "/exchanges", &with(body.clone(), json!({"dry_run": true}))).await;
        assert_eq!((said.status.as_u16(), said.header("Idempotent-Replayed")), (200, None));
    }
    assert_eq!(server.once("k", "POST", "/exchanges", &body).await.status.as_u16(), 201);
}

/// Whatever is asked, what is said is what is done: random exchanges, among payments.
#[tokio::test]
async fn what_is_said_is_what_is_done() {
    let server = open();
    let mut number = 7_u64;
    let mut below = |bound: u64| {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (number >> 33) % bound
    };
    let mut dollars = vec!["@d".to_owned()];
    let mut euros = vec!["@e".to_owned()];
    for _ in 0..3 {
        dollars.push(server.funded(2_000).await);
        euros.push(balance_in(&server, "EUR").await);
    }
    let (mut applied, mut refused) = (0, 0);
    for at in 0..150 {
        let there = below(2) == 0;
        let (from, to) = if there { (&dollars, &euros) } else { (&euros, &dollars) };
        let (source, destination) = (&from[below(4) as usize], &to[below(4) as usize]);
        let mut fields = json!({
            "source_currency": if there { "USD" } else { "EUR" }, "destination_currency": if there { "EUR" } else { "USD" },
            "amount": null, "precise_amount": 1 + below(700), "rate": format!("0.{}", 1 + below(9_999)), "inflight": below(3) == 0,
            "reference": format!("fx{}", if below(10) == 0 { at / 2 } else { at }), "skip_queue": below(3) > 0,
            "allow_overdraft": below(8) == 0, "overdraft_limit": if below(6) == 0 { 3 } else { 0 },
            "via": if below(4) == 0 { "@Desk" } else { "@Exchange" },
        });
        if below(2) == 0 {
            let side = if below(2) == 0 { "source" } else { "destination" };
            let keeper = if below(2) == 0 { "@Fees" } else { &to[below(4) as usize] };
            fields["spread"] = json!({"destination": keeper, "precise_amount": 1 + below(9), "side": side});
        }
        let (said, _) = server.said_and_done("POST", "/exchanges", exchange(source, destination, fields)).await;
        if said.status.as_u16() == 200 {
            *(if said.json()["would_apply"] == true { &mut applied } else { &mut refused }) += 1;
        }
        if below(5) == 0 {
            let back = payment(&dollars[1 + below(3) as usize], "@world", json!({"reference": format!("p{at}")}));
            server.post("/transactions", back).await;
        }
    }
    assert!(applied > 30 && refused > 20, "{applied} would be done, {refused} refused");
}
