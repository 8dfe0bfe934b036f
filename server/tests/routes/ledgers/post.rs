use crate::support::{NOW, open};
use ledger::limits::{LEDGER_NAME_BYTES_MAX, METADATA_BYTES_MAX};
use serde_json::json;

const ROUTE: (&str, &str) = ("POST", "/ledgers");

#[tokio::test]
async fn makes_a_ledger() {
    let server = open();
    let told = server.ask(
        "POST",
        "/ledgers",
        r#"{"NAME": "A <b>", "ledger_id": "ldg_mine", "x": [1], "meta_data": {"n": 12345678901234567890123}} tail"#,
    );
    let told = told.await;
    assert!(
        told.text.contains("\"n\":12345678901234567890123") && told.text.contains("\"A \\u003cb\\u003e\""),
        "{}",
        told.text
    );
    let told = server.post("/ledgers", json!({"name": "B", "meta_data": null})).await;
    told.is(201, json!({"ledger_id": "<ldg 1>", "name": "B", "created_at": NOW, "meta_data": null}));
    let told = server.post("/ledgers", json!({"name": "B", "meta_data": {}})).await;
    told.is(201, json!({"ledger_id": "<ldg 1>", "name": "B", "created_at": NOW, "meta_data": {}}));
}

#[tokio::test]
async fn a_ledger_needs_a_name() {
    let server = open();
    for body in ["{}", "null", r#"{"name": ""}"#, r#"{"name": null}"#] {
        server.refuses(ROUTE, body, (400, "GEN_VALIDATION_ERROR", "name: cannot be blank.")).await;
    }
    let told = server.post("/ledgers", json!({})).await;
    let message = "name: cannot be blank.";
    told.is(400, json!({"errors": message, "error_detail": {"code": "GEN_VALIDATION_ERROR", "message": message}}));
}

#[tokio::test]
async fn limits() {
    let server = open();
    let longest = "n".repeat(LEDGER_NAME_BYTES_MAX);
    let told = server.post("/ledgers", json!({"name": longest})).await;
    assert_eq!((told.status.as_u16(), told.field("name")), (201, longest.clone()));
    let body = json!({"name": longest + "n"}).to_string();
    server.refuses(ROUTE, body, (400, "GEN_VALIDATION_ERROR", "name: cannot be longer than 4096 bytes")).await;
    let metadata =
        |bytes: usize| format!("{{\"name\": \"x\", \"meta_data\": {{\"k\":\"{}\"}}}}", "m".repeat(bytes - 8));
    assert_eq!(server.ask("POST", "/ledgers", metadata(METADATA_BYTES_MAX)).await.status.as_u16(), 201);
    let wanted = (400, "GEN_VALIDATION_ERROR", "meta_data: cannot be longer than 262144 bytes");
    server.refuses(ROUTE, metadata(METADATA_BYTES_MAX + 1), wanted).await;
}
