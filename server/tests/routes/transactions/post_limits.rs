//! Limits of `POST /transactions`: each may be reached and not passed.

use crate::books::payment;
use crate::support::open;
use ledger::limits;
use serde_json::json;

const ROUTE: (&str, &str) = ("POST", "/transactions");

#[tokio::test]
async fn texts() {
    let server = open();
    let (a, b) = (server.funded(10_000_000).await, server.balance().await);
    for (field, bytes_max) in
        [("reference", limits::REFERENCE_BYTES_MAX), ("description", limits::DESCRIPTION_BYTES_MAX)]
    {
        let longest = payment(&a, &b, json!({"reference": field, field: "é".repeat(bytes_max / 2)}));
        let told = server.post("/transactions", longest).await;
        assert_eq!((told.status.as_u16(), told.field(field)), (201, "é".repeat(bytes_max / 2)));
        let longer = payment(&a, &b, json!({"reference": "longer", field: "t".repeat(bytes_max + 1)}));
        let wanted = format!("{field}: cannot be longer than {bytes_max} bytes.");
        server.refuses(ROUTE, longer.to_string(), (400, "TXN_VALIDATION_ERROR", &wanted)).await;
    }
    let metadata =
        |bytes: usize| payment(&a, &b, json!({"meta_data": {"k": "m".repeat(bytes - 8)}, "reference": "longer"}));
    let longer = metadata(limits::METADATA_BYTES_MAX + 1).to_string();
    server
        .refuses(ROUTE, longer, (400, "TXN_VALIDATION_ERROR", "meta_data: cannot be longer than 262144 bytes."))
        .await;
    assert_eq!(server.post("/transactions", metadata(limits::METADATA_BYTES_MAX)).await.status.as_u16(), 201);
}

/// The reference of the outcome is two bytes longer than that of its request.
#[tokio::test]
async fn the_longest_reference_through_the_queue() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let longest = "r".repeat(limits::REFERENCE_BYTES_MAX);
    let told = server.post("/transactions", payment(&a, &b, json!({"reference": longest, "skip_queue": null}))).await;
    assert_eq!(told.status.as_u16(), 201);
    assert_eq!(server.get(&format!("/transactions/reference/{longest}_q")).await.field("status"), "APPLIED");
}

#[tokio::test]
async fn currency_and_sides() {
    let server = open();
    let code = "TXN_VALIDATION_ERROR";
    let (currency, indicator) =
        ("C".repeat(limits::CURRENCY_BYTES_MAX), format!("@{}", "i".repeat(limits::INDICATOR_BYTES_MAX - 1)));
    let fits = payment(&indicator, "@b", json!({"currency": currency, "allow_overdraft": true}));
    assert_eq!(server.post("/transactions", fits).await.status.as_u16(), 201);
    let found = server.get(&format!("/balances/indicator/{indicator}/currency/{currency}")).await;
    assert_eq!(found.status.as_u16(), 200);
    let longer = payment("@a", "@b", json!({"currency": currency + "C"})).to_string();
    server.refuses(ROUTE, longer, (400, code, "currency: cannot be longer than 64 bytes.")).await;
    let longer = payment("@a", &format!("{indicator}i"), json!({})).to_string();
    server.refuses(ROUTE, longer, (400, code, "destination: cannot be longer than 256 bytes.")).await;
    let named = "x".repeat(limits::PARTY_BYTES_MAX);
    server
        .refuses(
            ROUTE,
            payment(&named, "@b", json!({"reference": "named"})).to_string(),
            (404, "TXN_NOT_FOUND", &named),
        )
        .await;
    let longer = payment(&(named + "x"), "@b", json!({})).to_string();
    server.refuses(ROUTE, longer, (400, code, "source: cannot be longer than 4096 bytes.")).await;
}

#[tokio::test]
async fn legs() {
    let server = open();
    let legs = |count: usize| {
        let parts: Vec<_> =
            (0..count).map(|leg| json!({"identifier": format!("@{leg}"), "precise_distribution": "1"})).collect();
        json!({"destination": null, "destinations": parts, "amount": null, "precise_amount": count, "allow_overdraft": true})
    };
    let longer = payment("@a", "", legs(limits::SPLIT_LEGS_MAX + 1)).to_string();
    server
        .refuses(ROUTE, longer, (400, "TXN_VALIDATION_ERROR", "destinations: cannot have more than 1000 parts."))
        .await;
    let told = server.post("/transactions", payment("@a", "", legs(limits::SPLIT_LEGS_MAX))).await;
    assert_eq!((told.status.as_u16(), told.json()["destinations"].as_array().map(Vec::len)), (201, Some(1000)));
}

/// A request that no record can hold is refused before anything happens.
#[tokio::test]
async fn a_record() {
    let server = open();
    let item = |number: usize| {
        payment("@a", "@b", json!({"reference": number.to_string(), "meta_data": {"k": "m".repeat(200_000)}}))
    };
    let body = json!({"transactions": (0..6).map(item).collect::<Vec<_>>(), "skip_queue": true}).to_string();
    let wanted = (400, "GEN_MALFORMED_REQUEST", "too large to be recorded as one; split it");
    let overdraft = body.replace("\"amount\"", "\"allow_overdraft\":true,\"amount\"");
    server.refuses(("POST", "/transactions/bulk"), overdraft, wanted).await;
    assert_eq!(server.get("/transactions/reference/0").await.status.as_u16(), 404);
}
