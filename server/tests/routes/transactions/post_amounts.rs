//! Amounts of `POST /transactions` are exact.

use crate::support::{TestServer, Told, open};
use ledger::limits::{PRECISION_MAX, SUM_MAX};

const ROUTE: (&str, &str) = ("POST", "/transactions");
fn body(reference: &str, fields: &str) -> String {
    format!(
        "{{\"reference\": \"{reference}\", {fields}, \"currency\": \"USD\", \"description\": \"d\", \"source\": \"@a\", \"destination\": \"@b\", \
         \"allow_overdraft\": true, \"skip_queue\": true}}"
    )
}

async fn post(server: &TestServer, reference: &str, fields: &str) -> Told {
    server.ask("POST", "/transactions", body(reference, fields)).await
}

#[tokio::test]
async fn minor_units_are_exact_at_every_precision() {
    let server = open();
    for (fields, minor) in [
        ("\"amount\": 19.99", "20"),
        ("\"amount\": 19.99, \"precision\": 0", "20"),
        ("\"amount\": 19.99, \"precision\": 10", "200"),
        ("\"amount\": 19.99, \"precision\": 100", "1999"),
        ("\"amount\": 19.99, \"precision\": 1e3", "19990"),
        ("\"amount\": 19.99, \"precision\": 1000000000000000000", "19990000000000000000"),
        ("\"amount\": 1.005, \"precision\": 100", "101"),
        ("\"amount\": 1.004999, \"precision\": 100", "100"),
        ("\"amount\": 0.1, \"precision\": 100000000", "10000000"),
        ("\"amount\": 999999999999999, \"precision\": 1000000000000000000", "999999999999999000000000000000000"),
        ("\"precise_amount\": 1000000000000000000000000000000", "1000000000000000000000000000000"),
        ("\"precise_amount\": \"42\", \"amount\": 0", "42"),
        ("\"amount\": 10, \"precision\": 3", "30"),
    ] {
        let server = if minor.len() > 30 { &open() } else { &server };
        let told = post(server, fields.replace('"', "").as_str(), fields).await;
        let shown = told.text.contains(&format!("\"precise_amount\":{minor},"));
        assert_eq!((told.status.as_u16(), shown), (201, true), "{fields}: {}", told.text);
    }
}

/// A tenth and two tenths are three tenths.
#[tokio::test]
async fn tenths_add_up() {
    let server = open();
    for (reference, amount) in [("1", "0.1"), ("2", "0.2")] {
        let fields = format!("\"amount\": {amount}, \"precision\": 1000000000000000000");
        assert_eq!(post(&server, reference, &fields).await.status.as_u16(), 201);
    }
    let told = server.get("/balances/indicator/@b/currency/USD").await;
    assert!(told.text.contains("\"balance\":300000000000000000,"), "{}", told.text);
}

/// What is sent finer than the precision is echoed as it was sent, and kept as it was posted.
#[tokio::test]
async fn the_answer_echoes_and_the_row_tells_what_was_posted() {
    let server = open();
    let told = post(&server, "r", "\"amount\": 1.005, \"precision\": 100").await;
    assert_eq!(told.json()["amount"], 1.005);
    assert_eq!(server.get("/transactions/reference/r").await.json()["amount"], 1.01);
}

#[tokio::test]
async fn what_cannot_be_recorded_is_refused() {
    let server = open();
    let (invalid, malformed) = ("TXN_VALIDATION_ERROR", "GEN_MALFORMED_REQUEST");
    for (fields, code, text) in [
        ("\"amount\": 1000000000000000", invalid, "amount: amount cannot have more than 15 significant digits"),
        ("\"amount\": 1e30", invalid, "amount: amount cannot have more than 15 significant digits"),
        ("\"amount\": 0.30000000000000004", invalid, "amount: amount cannot have more than 15 significant digits"),
        ("\"amount\": 0.1234567890123456", invalid, "amount: amount cannot have more than 15 significant digits"),
        ("\"amount\": 1e400", malformed, ""),
        (
            "\"amount\": 1, \"precision\": 9223372036854775808",
            invalid,
            "precision: precision cannot be more than 9223372036854775807",
        ),
        ("\"amount\": 1, \"precision\": 1e300", invalid, "precision: precision cannot be more than"),
        ("\"amount\": 1, \"precision\": 1e-300", invalid, "precision: precision must be an integer value"),
        ("\"amount\": 0", invalid, "amount: either amount or precise_amount is required"),
        ("\"precise_amount\": 0", invalid, "transaction precise amount must be positive"),
        ("\"precise_amount\": 10.0", malformed, "precise_amount is not a whole number"),
        ("\"precise_amount\": 1e3", malformed, "precise_amount is not a whole number"),
        ("\"precise_amount\": \"1e3\"", malformed, "precise_amount is not a whole number"),
        ("\"precise_amount\": \"\"", malformed, "precise_amount is not a whole number"),
        (
            "\"precise_amount\": 170141183460469231731687303715884105728",
            invalid,
            "amount: precise_amount is beyond what can be recorded",
        ),
        ("\"precise_amount\": -170141183460469231731687303715884105729", invalid, "amount: precise_amount"),
        ("\"amount\": 1, \"overdraft_limit\": 1e300", invalid, "overdraft_limit: is beyond what can be recorded"),
    ] {
        server.refuses(ROUTE, body("r", fields), (400, code, text)).await;
    }
    assert_eq!(
        post(&server, "r", &format!("\"amount\": 1, \"precision\": {PRECISION_MAX}")).await.status.as_u16(),
        201
    );
}

/// Sums have an end, and a posting past it is refused without a trace.
#[tokio::test]
async fn balances_do_not_overflow() {
    let server = open();
    let largest = format!("\"precise_amount\": {SUM_MAX}");
    let told = post(&server, "1", &largest).await;
    assert_eq!(told.status.as_u16(), 201, "{}", told.text);
    let wanted = (400, "TXN_VALIDATION_ERROR", "a balance would be beyond what can be recorded");
    server.refuses(ROUTE, body("2", &largest), wanted).await;
    server.refuses(ROUTE, body("2", "\"precise_amount\": 1"), wanted).await;
    let batch = format!("{{\"skip_queue\": true, \"transactions\": [{}]}}", body("2", "\"precise_amount\": 1"));
    server
        .refuses(("POST", "/transactions/bulk"), batch, (400, "TXN_VALIDATION_ERROR", "beyond what can be recorded"))
        .await;
    let told = server.get("/balances/indicator/@b/currency/USD").await;
    assert!(told.text.contains(&format!("\"balance\":{SUM_MAX},")), "{}", told.text);
}
