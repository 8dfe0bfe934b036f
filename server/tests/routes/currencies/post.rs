use crate::support::{NOW, open, settings};
use ledger::limits::{CURRENCY_BYTES_MAX, CURRENCY_NAME_BYTES_MAX};
use serde_json::json;
use std::sync::atomic::Ordering;

const ROUTE: (&str, &str) = ("POST", "/currencies");

#[tokio::test]
async fn registers_once() {
    let server = open();
    let usd = json!({"code": "USD", "scale": 2, "precision": 100, "name": "US dollar", "registered_at": NOW});
    let body = json!({"code": "USD", "scale": 2, "name": "US dollar", "unknown": 1});
    server.post(ROUTE.1, body.clone()).await.is(201, usd.clone());
    server.post(ROUTE.1, body).await.is(200, usd.clone());
    server.post(ROUTE.1, json!({"code": "USD", "scale": 2.0})).await.is(200, usd);
    let other = json!({"code": "USD", "scale": 3}).to_string();
    server.refuses(ROUTE, other, (409, "GEN_CONFLICT", "the currency is registered with another scale")).await;
    let renamed = server.post(ROUTE.1, json!({"code": "USD", "scale": 2, "name": ""})).await;
    assert_eq!((renamed.status.as_u16(), &renamed.json()["name"]), (200, &json!("")));
}

#[tokio::test]
async fn scales_and_texts_on_both_sides_of_their_limits() {
    let server = open();
    for (scale, precision) in [(0, 1u64), (1, 10), (18, 1_000_000_000_000_000_000)] {
        let told = server.post(ROUTE.1, json!({"code": format!("S{scale}"), "scale": scale})).await;
        assert_eq!((told.status.as_u16(), &told.json()["precision"]), (201, &json!(precision)));
        assert_eq!((&told.json()["scale"], &told.json()["name"]), (&json!(scale), &json!("")));
    }
    let longest =
        json!({"code": "C".repeat(CURRENCY_BYTES_MAX), "scale": 2, "name": "n".repeat(CURRENCY_NAME_BYTES_MAX)});
    assert_eq!(server.post(ROUTE.1, longest).await.status.as_u16(), 201);
    let scale = "scale: must be a whole number from 0 to 18";
    for (body, text) in [
        (json!({}), "code: cannot be blank; scale: must be"),
        (json!({"code": "X"}), scale),
        (json!({"code": "X", "scale": 19}), scale),
        (json!({"code": "X", "scale": -1}), scale),
        (json!({"code": "X", "scale": 1.5}), scale),
        (json!({"code": "X", "scale": 1e300}), scale),
        (json!({"code": "", "scale": 2}), "code: cannot be blank."),
        (json!({"code": "C".repeat(CURRENCY_BYTES_MAX + 1), "scale": 2}), "code: cannot be longer than 64 bytes."),
        (
            json!({"code": "X", "scale": 2, "name": "n".repeat(CURRENCY_NAME_BYTES_MAX + 1)}),
            "name: cannot be longer than 256 bytes.",
        ),
    ] {
        server.refuses(ROUTE, body.to_string(), (400, "TXN_VALIDATION_ERROR", text)).await;
    }
    for body in [
        json!({"code": 1, "scale": 2}),
        json!({"code": "X", "scale": "2"}),
        json!({"code": "X", "scale": 2, "name": 1}),
    ] {
        server.refuses(ROUTE, body.to_string(), (400, "GEN_MALFORMED_REQUEST", "")).await;
    }
}

/// The registry is in the journal, and balances tell the precision of theirs.
#[tokio::test]
async fn balances_tell_it_also_after_a_restart() {
    let mut server = open();
    let usd = server.balance().await;
    let eur =
        server.post("/balances", json!({"ledger_id": "general_ledger_id", "currency": "EUR", "indicator": "@e"})).await;
    let eur = eur.field("balance_id");
    server.post(ROUTE.1, json!({"code": "EUR", "scale": 3})).await;
    server.clock.fetch_add(1_000_000, Ordering::Relaxed);
    for round in 0..3 {
        let lists = ["/balances", "/balances?currency_eq=EUR"];
        for told in [
            server.get(lists[0]).await.json(),
            server.get(lists[1]).await.json(),
            server.post("/balances/filter", json!({})).await.json(),
        ] {
            for balance in told.as_array().unwrap() {
                let wanted = if balance["balance_id"] == json!(eur) { json!(1000) } else { json!(null) };
                assert_eq!(balance["precision"], wanted, "{balance}");
                assert_eq!(balance.get("precision").is_some(), wanted.is_number());
            }
        }
        for path in [format!("/balances/{eur}"), "/balances/indicator/@e/currency/EUR".to_owned()] {
            assert_eq!(server.get(&path).await.json()["precision"], 1000, "{path}");
        }
        assert_eq!(server.get(&format!("/balances/{eur}/at")).await.json()["balance"]["precision"], 1000);
        assert_eq!(server.get(&format!("/balances/{usd}/at")).await.json()["balance"].get("precision"), None);
        assert_eq!(server.get(&format!("/balances/{usd}")).await.json().get("precision"), None);
        server = if round == 0 { server.crashed(settings(&[])) } else { server.restarted(settings(&[])) };
    }
}
