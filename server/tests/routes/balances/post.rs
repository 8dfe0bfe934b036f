use crate::support::{NOW, open};
use ledger::limits::{CURRENCY_BYTES_MAX, INDICATOR_BYTES_MAX, METADATA_BYTES_MAX};
use serde_json::json;

const ROUTE: (&str, &str) = ("POST", "/balances");

#[tokio::test]
async fn makes_a_balance() {
    let server = open();
    let identity = server.post("/identities", json!({})).await.field("identity_id");
    let body = json!({"ledger_id": "general_ledger_id", "currency": "usd 1", "identity_id": identity, "indicator": " @cash ", "precision": 2,
        "track_fund_lineage": true, "allocation_strategy": " lifo", "meta_data": {"k": 1}});
    server.post("/balances", body).await.is(
        201,
        json!({
            "balance": 0, "version": 1, "inflight_balance": 0, "credit_balance": 0, "inflight_credit_balance": 0, "debit_balance": 0,
            "inflight_debit_balance": 0, "ledger_id": "general_ledger_id", "identity_id": "<idt 1>", "balance_id": "<bln 1>",
            "indicator": "@cash", "currency": "usd 1", "created_at": NOW, "inflight_expires_at": "0001-01-01T00:00:00Z",
            "meta_data": {"k": 1}, "track_fund_lineage": true, "allocation_strategy": "LIFO",
        }),
    );
}

#[tokio::test]
async fn every_wrong_field_is_named() {
    let server = open();
    let invalid = "GEN_VALIDATION_ERROR";
    server.refuses(ROUTE, "{}", (400, invalid, "currency: cannot be blank; ledger_id: cannot be blank.")).await;
    for (field, value, text) in [
        ("track_fund_lineage", json!(true), "identity_id: identity_id is required when track_fund_lineage is enabled."),
        (
            "allocation_strategy",
            json!("any"),
            "allocation_strategy: allocation_strategy must be one of: FIFO, LIFO, PROPORTIONAL.",
        ),
        (
            "indicator",
            json!("cash"),
            "indicator: indicator must start with '@' and contain no whitespace (e.g. '@cash').",
        ),
        ("indicator", json!("@"), "indicator: indicator must start"),
        ("indicator", json!("@a b"), "indicator: indicator must start"),
        ("currency", json!("C".repeat(CURRENCY_BYTES_MAX + 1)), "currency: cannot be longer than 64 bytes."),
        ("indicator", json!("@".repeat(INDICATOR_BYTES_MAX + 1)), "indicator: cannot be longer than 256 bytes."),
        ("identity_id", json!("i".repeat(4097)), "identity_id: cannot be longer than 4096 bytes."),
        ("ledger_id", json!("l".repeat(4097)), "ledger_id: cannot be longer than 4096 bytes."),
        (
            "meta_data",
            json!({"k": "m".repeat(METADATA_BYTES_MAX - 7)}),
            "meta_data: cannot be longer than 262144 bytes.",
        ),
    ] {
        let mut body = json!({"ledger_id": "general_ledger_id", "currency": "USD"});
        body[field] = value;
        server.refuses(ROUTE, body.to_string(), (400, invalid, text)).await;
    }
}

#[tokio::test]
async fn limits_may_be_reached() {
    let server = open();
    let (currency, indicator) = ("C".repeat(CURRENCY_BYTES_MAX), format!("@{}", "i".repeat(INDICATOR_BYTES_MAX - 1)));
    let metadata = json!({"k": "m".repeat(METADATA_BYTES_MAX - 8)});
    let body =
        json!({"ledger_id": "general_ledger_id", "currency": currency, "indicator": indicator, "meta_data": metadata});
    let told = server.post("/balances", body).await;
    assert_eq!((told.status.as_u16(), told.field("currency"), told.field("indicator")), (201, currency, indicator));
    assert_eq!(told.json()["meta_data"], metadata);
}

#[tokio::test]
async fn what_it_names_must_be_there() {
    let server = open();
    let ledger = server.post("/ledgers", json!({"name": "x"})).await.field("ledger_id");
    for body in [
        json!({"ledger_id": "x", "currency": "new"}),
        json!({"ledger_id": format!("{ledger}0"), "currency": "new"}),
        json!({"ledger_id": ledger, "currency": "new", "identity_id": "x"}),
    ] {
        server.refuses(ROUTE, body.to_string(), (400, "GEN_BAD_REQUEST", "Invalid ledger ID")).await;
    }
    let body = json!({"ledger_id": ledger, "currency": "new", "indicator": "@cash"}).to_string();
    let wanted = "indicator: indicator is only allowed for General Ledger balances (ledger_id = general_ledger_id).";
    server.refuses(ROUTE, body, (400, "GEN_VALIDATION_ERROR", wanted)).await;
}

#[tokio::test]
async fn an_indicator_is_unique_in_its_currency() {
    let server = open();
    let body = |currency: &str| json!({"ledger_id": "general_ledger_id", "currency": currency, "indicator": "@cash"});
    assert_eq!(server.post("/balances", body("USD")).await.status.as_u16(), 201);
    assert_eq!(server.post("/balances", body("EUR")).await.status.as_u16(), 201);
    let wanted = "Balance already exists for indicator '@cash' and 'USD'";
    server.refuses(ROUTE, body("USD").to_string(), (409, "GEN_CONFLICT", wanted)).await;
}
