//! Limits on both sides that no other file of a route has. Past one: a code, and nothing left behind.

use crate::books::payment;
use crate::support::open;
use ledger::decimal::SIGNIFICANT_DIGITS_MAX;
use ledger::limits::{METADATA_BYTES_MAX, METADATA_CHANGES_BYTES_MAX, PROVIDER_BYTES_MAX};
use serde_json::{Value, json};
use server::api::currency::SCALE_MAX;
use server::api::filter::body::{PAGE_DEFAULT, PAGE_MAX};
use server::http::paging::{FALLBACK_ROWS, FILTERED_PAGE_ROWS_MAX, SMALL_PAGE_ROWS_MAX};

const TRANSACTIONS: (&str, &str) = ("POST", "/transactions");

#[tokio::test]
async fn digits_of_an_amount() {
    let server = open();
    let body = |digits: u32| {
        let amount = "9".repeat(digits as usize);
        let asked = payment("@World", "@a", json!({"reference": "digits", "allow_overdraft": true})).to_string();
        asked.replace("\"amount\":1,", &format!("\"amount\":{amount},"))
    };
    let wanted = (400, "TXN_VALIDATION_ERROR", "significant digits");
    server.refuses(TRANSACTIONS, body(SIGNIFICANT_DIGITS_MAX + 1), wanted).await;
    let told = server.ask("POST", TRANSACTIONS.1, body(SIGNIFICANT_DIGITS_MAX)).await;
    assert_eq!(told.status.as_u16(), 201, "{}", told.text);
}

#[tokio::test]
async fn the_provider_of_a_transaction() {
    let server = open();
    let body = |bytes: usize| {
        let metadata = json!({"BLNK_LINEAGE_PROVIDER": "p".repeat(bytes)});
        payment("@World", "@a", json!({"reference": "provided", "allow_overdraft": true, "meta_data": metadata}))
    };
    let wanted = (400, "TXN_VALIDATION_ERROR", "BLNK_LINEAGE_PROVIDER: cannot be longer than 100 bytes");
    server.refuses(TRANSACTIONS, body(PROVIDER_BYTES_MAX + 1).to_string(), wanted).await;
    assert_eq!(server.post(TRANSACTIONS.1, body(PROVIDER_BYTES_MAX)).await.status.as_u16(), 201);
}

#[tokio::test]
async fn the_scale_of_a_currency() {
    let server = open();
    let body = |scale: u32| json!({"code": "WEI", "scale": scale});
    let wanted = (400, "TXN_VALIDATION_ERROR", "scale: must be a whole number from 0 to 18");
    server.refuses(("POST", "/currencies"), body(SCALE_MAX + 1).to_string(), wanted).await;
    assert_eq!(server.post("/currencies", body(SCALE_MAX)).await.status.as_u16(), 201);
}

/// All that was ever said of a transaction is read when it is shown, so there is only so much of it.
#[tokio::test]
async fn all_metadata_of_a_transaction() {
    let server = open();
    let paid = payment("@World", "@a", json!({"reference": "told", "allow_overdraft": true}));
    let id = server.post(TRANSACTIONS.1, paid).await.field("transaction_id");
    let path = format!("/{id}/metadata");
    let longest = json!({"meta_data": {"k": "x".repeat(METADATA_BYTES_MAX - r#"{"k":""}"#.len())}});
    for _ in 0..METADATA_CHANGES_BYTES_MAX / METADATA_BYTES_MAX as u64 {
        let told = server.post(&path, longest.clone()).await;
        assert_eq!(told.status.as_u16(), 200, "{}", told.text);
    }
    server.refuses(("POST", &path), json!({"meta_data": {"more": 1}}).to_string(), (409, "GEN_CONFLICT", "")).await;
    assert_eq!(server.get(&format!("/transactions/{id}")).await.json()["meta_data"]["more"], json!(null));
}

/// Pages that are asked for with too large a limit: the usual one of small lists and of filters in a body, the largest of others.
#[tokio::test]
async fn pages_of_small_and_of_filtered_lists() {
    let server = open();
    for number in 0..=SMALL_PAGE_ROWS_MAX.max(PAGE_MAX) {
        let made = server.post("/ledgers", json!({"name": format!("ledger {number}")})).await;
        assert_eq!(made.status.as_u16(), 201);
    }
    let rows = |told: Value| told.as_array().map(Vec::len);
    for (limit, wanted) in [(SMALL_PAGE_ROWS_MAX, SMALL_PAGE_ROWS_MAX), (SMALL_PAGE_ROWS_MAX + 1, FALLBACK_ROWS)] {
        assert_eq!(rows(server.get(&format!("/ledgers?limit={limit}")).await.json()), Some(wanted));
    }
    for (limit, wanted) in [(PAGE_MAX, PAGE_MAX), (PAGE_MAX + 1, PAGE_DEFAULT)] {
        assert_eq!(rows(server.post("/ledgers/filter", json!({"limit": limit})).await.json()), Some(wanted));
    }
    let items: Vec<Value> = (0..=FILTERED_PAGE_ROWS_MAX)
        .map(|item| payment("@World", "@a", json!({"reference": format!("r{item}"), "allow_overdraft": true})))
        .collect();
    let batch = json!({"transactions": items, "atomic": true, "skip_queue": true});
    assert_eq!(server.post("/transactions/bulk", batch).await.status.as_u16(), 201);
    for limit in [FILTERED_PAGE_ROWS_MAX, FILTERED_PAGE_ROWS_MAX + 1] {
        let told = server.get(&format!("/transactions?currency_eq=USD&limit={limit}")).await.json();
        assert_eq!(rows(told), Some(FILTERED_PAGE_ROWS_MAX));
    }
}
