//! `POST /exchanges`: what is refused, and each limit on both sides.

use super::post::{and, balance_in, exchange};
use crate::books::with;
use crate::support::open;
use ledger::limits;
use serde_json::{Value, json};
use server::api::exchange::QUOTE_BYTES_MAX;

const ROUTE: (&str, &str) = ("POST", "/exchanges");
const INVALID: &str = "TXN_VALIDATION_ERROR";

fn spread(fields: Value) -> Value {
    json!({"spread": with(json!({"destination": "@Fees", "amount": 1}), fields)})
}

#[tokio::test]
async fn fields() {
    let server = open();
    for (fields, text) in [
        (json!({"source": null}), "source: cannot be blank."),
        (json!({"source": ""}), "source: cannot be blank."),
        (json!({"destination": null}), "destination: cannot be blank."),
        (json!({"destination": "@a"}), "destination: source and destination cannot be the same balance."),
        (json!({"source_currency": null}), "source_currency: cannot be blank."),
        (json!({"destination_currency": ""}), "destination_currency: cannot be blank."),
        (json!({"destination_currency": "USD"}), "destination_currency: cannot be the currency of the source."),
        (json!({"reference": null}), "reference: cannot be blank."),
        (json!({"rate": null}), "rate: cannot be blank."),
        (json!({"rate": "one"}), "rate: must be a decimal number."),
        (json!({"rate": ""}), "rate: must be a decimal number."),
        (json!({"rate": 0}), "rate: must be more than 0."),
        (json!({"rate": "0.000"}), "rate: must be more than 0."),
        (json!({"rate": -0.9}), "rate: must be more than 0."),
        (json!({"amount": null}), "amount: either amount or precise_amount is required."),
        (json!({"precise_amount": 1}), "amount: either amount or precise_amount should be provided, not both."),
        (json!({"amount": 0}), "amount: must be at least one minor unit."),
        (json!({"amount": 0.004}), "amount: must be at least one minor unit."),
        (json!({"amount": -1}), "amount: must be at least one minor unit."),
        (json!({"amount": null, "precise_amount": "1.5"}), "amount: precise_amount must be a whole number."),
        (json!({"amount": null, "precise_amount": 0}), "amount: must be at least one minor unit."),
        (json!({"precision": -1}), "precision: precision cannot be negative."),
        (json!({"precision": 0.5}), "precision: precision must be an integer value."),
        (json!({"destination_precision": -1}), "destination_precision: precision cannot be negative."),
        (json!({"destination_precision": 1.5}), "destination_precision: precision must be an integer value."),
        (json!({"effective_date": "soon"}), "effective_date: must be a time in RFC 3339."),
        (json!({"overdraft_limit": 1e300}), "overdraft_limit: is beyond what can be recorded."),
        (json!({"via": "bln_1"}), "via: must be an @indicator."),
        (json!({"via": "@"}), "via: must be an @indicator."),
        (json!({"via": "@a"}), "source: cannot be the balance that the exchange passes through."),
        (json!({"destination": "@Exchange"}), "destination: cannot be the balance that the exchange passes through."),
        (json!({"scheduled_for": "2030-01-01T00:00:00Z"}), "scheduled_for: is not supported for exchanges."),
        (
            json!({"inflight_expiry_date": "2030-01-01T00:00:00Z"}),
            "inflight_expiry_date: is not supported for exchanges.",
        ),
        (
            json!({"inflight_commit_date": "2030-01-01T00:00:00Z"}),
            "inflight_commit_date: is not supported for exchanges.",
        ),
    ] {
        let body = exchange("@a", "@b", and(json!({"allow_overdraft": true}), fields)).to_string();
        server.refuses(ROUTE, body, (400, INVALID, text)).await;
    }
    // Every field that breaks a rule is named.
    let all = "amount: either amount or precise_amount is required; destination: cannot be blank; destination_currency: cannot be blank; \
               rate: cannot be blank; reference: cannot be blank; source: cannot be blank; source_currency: cannot be blank.";
    server.refuses(ROUTE, "{}", (400, INVALID, all)).await;
    assert_eq!(server.post("/exchanges", json!({})).await.field("errors"), all);
    let all = "destination: cannot be blank; destination_currency: cannot be the currency of the source; meta_data: cannot be longer than 262144 \
               bytes, with what the server adds to it; quote: cannot be longer than 4096 bytes; reference: cannot be blank; \
               spread.amount: must be less than the converted amount, which is 9215; spread.destination: cannot be blank.";
    let fields = json!({
        "destination": null, "destination_currency": "USD", "reference": null, "quote": "q".repeat(4097), "spread": {"amount": 93},
        "meta_data": {"k": "m".repeat(limits::METADATA_BYTES_MAX)},
    });
    server.refuses(ROUTE, exchange("@a", "", fields).to_string(), (400, INVALID, all)).await;
    let all = "spread.amount: either amount or precise_amount is required; spread.side: must be source or destination.";
    let fields = json!({"spread": {"destination": "@Fees", "side": "up"}});
    server.refuses(ROUTE, exchange("@a", "@b", fields).to_string(), (400, INVALID, all)).await;
}

#[tokio::test]
async fn malformed_bodies() {
    let server = open();
    for body in [
        "",
        "[",
        "3",
        "[]",
        r#"{"rate": true}"#,
        r#"{"rate": {}}"#,
        r#"{"amount": "1"}"#,
        r#"{"spread": "1%"}"#,
        r#"{"quote": 1}"#,
    ] {
        server.refuses(ROUTE, body, (400, "GEN_MALFORMED_REQUEST", "")).await;
    }
}

/// The spread is told of its own field, and is less than what it is taken from.
#[tokio::test]
async fn spreads() {
    let server = open();
    for (fields, text) in [
        (json!({"destination": null}), "spread.destination: cannot be blank."),
        (
            json!({"destination": "@Exchange"}),
            "spread.destination: cannot be the balance that the exchange passes through.",
        ),
        (json!({"destination": "@b"}), "spread.destination: cannot be the balance whose amount it is taken from."),
        (
            json!({"destination": "@a", "side": "source"}),
            "spread.destination: cannot be the balance whose amount it is taken from.",
        ),
        (json!({"side": "both"}), "spread.side: must be source or destination."),
        (json!({"amount": null}), "spread.amount: either amount or precise_amount is required."),
        (json!({"amount": 0}), "spread.amount: must be at least one minor unit."),
        (json!({"amount": -1}), "spread.amount: must be at least one minor unit."),
        (json!({"precise_amount": 1}), "spread.amount: either amount or precise_amount should be provided, not both."),
        (json!({"amount": 92.15}), "spread.amount: must be less than the converted amount, which is 9215."),
        (json!({"amount": 100, "side": "source"}), "spread.amount: must be less than the amount."),
    ] {
        let body = exchange("@a", "@b", with(json!({"allow_overdraft": true}), spread(fields))).to_string();
        server.refuses(ROUTE, body, (400, INVALID, text)).await;
    }
    // One minor unit is left for the destination.
    for (side, minor, reference) in [("destination", 9214, "d"), ("source", 9999, "s")] {
        let kept = spread(json!({"amount": null, "precise_amount": minor, "side": side}));
        let told = server
            .post(
                "/exchanges",
                exchange("@a", "@b", with(json!({"allow_overdraft": true, "reference": reference}), kept)),
            )
            .await;
        assert_eq!(
            (told.status.as_u16(), &told.json()["legs"][1]["precise_amount"]),
            (201, &json!(1)),
            "{}",
            told.text
        );
    }
}

/// 100.00 × 0.92155 = 92.155: 92.15 and 92.16 are within one cent; 100.00 × 0.9215 is 92.15 exactly, give or take one.
#[tokio::test]
async fn an_explicit_destination_amount() {
    let server = open();
    let asked = |rate: &str, minor: u64| {
        let fields = json!({"rate": rate, "precise_destination_amount": minor, "allow_overdraft": true, "reference": format!("{rate} {minor}")});
        exchange("@a", "@b", fields)
    };
    for (rate, low, high) in [("0.92155", 9215, 9216), ("0.9215", 9214, 9216)] {
        for minor in low..=high {
            let told = server.post("/exchanges", asked(rate, minor)).await;
            assert_eq!((told.status.as_u16(), &told.json()["precise_destination_amount"]), (201, &json!(minor)));
        }
        for minor in [low - 1, high + 1] {
            let text = "destination_amount: must be within one minor unit of amount × rate, which is 921";
            server.refuses(ROUTE, asked(rate, minor).to_string(), (400, INVALID, text)).await;
        }
    }
    // Of what is left of the source amount, when the spread is taken from there.
    let kept = with(spread(json!({"side": "source"})), json!({"destination_amount": 91.22, "allow_overdraft": true}));
    let told = server.post("/exchanges", exchange("@a", "@b", with(kept, json!({"destination_amount": 91.23})))).await;
    assert_eq!((told.status.as_u16(), &told.json()["precise_destination_amount"]), (201, &json!(9123)));
    for (fields, text) in [
        (json!({"destination_amount": 0}), "destination_amount: must be at least one minor unit."),
        (
            json!({"destination_amount": 92.15, "precise_destination_amount": 9215}),
            "destination_amount: either destination_amount or precise_destination_amount should be provided, not both.",
        ),
        (
            json!({"precise_destination_amount": "x"}),
            "destination_amount: precise_destination_amount must be a whole number.",
        ),
    ] {
        server.refuses(ROUTE, exchange("@a", "@b", fields).to_string(), (400, INVALID, text)).await;
    }
}

#[tokio::test]
async fn amounts_that_cannot_be() {
    let server = open();
    let asked = |fields: Value| exchange("@a", "@b", and(json!({"allow_overdraft": true}), fields));
    let half = |reference: &str, rate: &str| json!({"amount": 0.01, "rate": rate, "reference": reference});
    let nothing = (400, INVALID, "amount: amount × rate rounds to nothing at destination_precision.");
    server.refuses(ROUTE, asked(half("h", "0.4999999999")).to_string(), nothing).await;
    assert_eq!(server.post("/exchanges", asked(half("h", "0.5"))).await.status.as_u16(), 201);
    let most = limits::SUM_MAX;
    let large = |amount: i128, rate: &str| {
        asked(
            json!({"amount": null, "precise_amount": amount.to_string(), "rate": rate, "reference": "large", "source_currency": "A", "destination_currency": "B"}),
        )
    };
    let beyond = (400, INVALID, "amount: amount × rate is beyond what can be recorded.");
    server.refuses(ROUTE, large(most, "999999999999999999").to_string(), beyond).await;
    server.refuses(ROUTE, large(most, "1.1").to_string(), (400, INVALID, "a balance would be beyond")).await;
    let huge = asked(json!({"amount": null, "precise_amount": "9".repeat(40)})).to_string();
    server.refuses(ROUTE, huge, (400, INVALID, "amount: precise_amount is beyond what can be recorded.")).await;
    assert_eq!(server.post("/exchanges", large(most, "1")).await.status.as_u16(), 201);
}

/// Balances that are missing or of another currency are told by name or field; what is behind the queue is a child that says so.
#[tokio::test]
async fn balances() {
    let server = open();
    let (usd, eur) = (server.funded(50_000).await, balance_in(&server, "EUR").await);
    let gone = "bln_00000000-0000-4000-8000-000000000000";
    let kept = |to: &str, side: &str| spread(json!({"destination": to, "side": side}));
    for (source, destination, fields, (status, code, text)) in [
        ("nobody", eur.as_str(), json!({}), (404, "TXN_NOT_FOUND", "Balance with ID 'nobody' not found")),
        (&usd, gone, json!({}), (404, "TXN_NOT_FOUND", "Balance with ID 'bln_00000000-")),
        (&usd, &eur, kept("nowhere", "destination"), (404, "TXN_NOT_FOUND", "Balance with ID 'nowhere' not found")),
        (&eur, "@b", json!({}), (400, INVALID, "source: the balance is in EUR, not in USD.")),
        (
            "@a",
            &usd,
            json!({"allow_overdraft": true}),
            (400, INVALID, "destination: the balance is in USD, not in EUR."),
        ),
        (&usd, "@b", kept(&eur, "source"), (400, INVALID, "spread.destination: the balance is in EUR, not in USD.")),
        (
            "@a",
            &eur,
            with(kept(&usd, "destination"), json!({"allow_overdraft": true})),
            (400, INVALID, "spread.destination: the balance is in USD, not in EUR."),
        ),
    ] {
        server.refuses(ROUTE, exchange(source, destination, fields).to_string(), (status, code, text)).await;
    }
    // The position of the house by its id is still the same balance.
    assert_eq!(server.post("/exchanges", exchange(&usd, &eur, json!({}))).await.status.as_u16(), 201);
    let house = server.get("/balances/indicator/@Exchange/currency/USD").await.field("balance_id");
    let body = exchange(&house, &eur, json!({"reference": "house"})).to_string();
    server.refuses(ROUTE, body, (409, "GEN_CONFLICT", "source and destination are the same balance")).await;
    let told =
        server.post("/exchanges", exchange("nobody", &eur, json!({"reference": "q", "skip_queue": false}))).await;
    assert_eq!(
        (told.status.as_u16(), told.field("status"), told.field("source")),
        (201, "QUEUED".into(), "nobody".into())
    );
    let child = server.get("/transactions/reference/q_1_q").await.json();
    assert_eq!(
        (&child["status"], &child["meta_data"]["blnk_rejection_reason"]),
        (&json!("REJECTED"), &json!("source balance not found"))
    );
}

#[tokio::test]
async fn texts() {
    let server = open();
    for (field, bytes_max) in [
        ("reference", limits::REFERENCE_BYTES_MAX),
        ("description", limits::DESCRIPTION_BYTES_MAX),
        ("quote", QUOTE_BYTES_MAX),
        ("source_currency", limits::CURRENCY_BYTES_MAX),
        ("destination_currency", limits::CURRENCY_BYTES_MAX),
    ] {
        let asked = |bytes: usize| {
            exchange(
                "@a",
                "@b",
                with(
                    json!({"allow_overdraft": true, "reference": field}),
                    json!({field: "é".repeat(bytes / 2) + &"e".repeat(bytes % 2)}),
                ),
            )
        };
        let told = server.post("/exchanges", asked(bytes_max)).await;
        assert_eq!(told.status.as_u16(), 201, "{field}: {}", told.text);
        let wanted = format!("{field}: cannot be longer than {bytes_max} bytes.");
        server.refuses(ROUTE, asked(bytes_max + 1).to_string(), (400, INVALID, &wanted)).await;
    }
    let indicator = |bytes: usize| format!("@{}", "i".repeat(bytes - 1));
    for (field, reference) in [("source", "s"), ("destination", "d"), ("via", "v")] {
        let asked = |bytes: usize| {
            exchange("@a", "@b", json!({"allow_overdraft": true, "reference": reference, field: indicator(bytes)}))
        };
        assert_eq!(server.post("/exchanges", asked(limits::INDICATOR_BYTES_MAX)).await.status.as_u16(), 201);
        let wanted = format!("{field}: cannot be longer than 256 bytes.");
        server.refuses(ROUTE, asked(limits::INDICATOR_BYTES_MAX + 1).to_string(), (400, INVALID, &wanted)).await;
    }
    let asked = |bytes: usize| {
        exchange(
            "@a",
            "@b",
            with(json!({"allow_overdraft": true, "reference": "f"}), spread(json!({"destination": indicator(bytes)}))),
        )
    };
    let wanted = "spread.destination: cannot be longer than 256 bytes.";
    server.refuses(ROUTE, asked(limits::INDICATOR_BYTES_MAX + 1).to_string(), (400, INVALID, wanted)).await;
    assert_eq!(server.post("/exchanges", asked(limits::INDICATOR_BYTES_MAX)).await.status.as_u16(), 201);
    let named = "x".repeat(limits::PARTY_BYTES_MAX);
    server
        .refuses(ROUTE, exchange(&named, "@b", json!({"reference": "n"})).to_string(), (404, "TXN_NOT_FOUND", &named))
        .await;
    let wanted = "source: cannot be longer than 4096 bytes.";
    server.refuses(ROUTE, exchange(&(named + "x"), "@b", json!({})).to_string(), (400, INVALID, wanted)).await;
}

/// The limit is of what is kept: the caller's metadata and the facts of the leg, of the longest leg.
#[tokio::test]
async fn metadata() {
    let server = open();
    let asked = |reference: &str, bytes: usize| {
        exchange(
            "@a",
            "@b",
            json!({"allow_overdraft": true, "reference": reference, "meta_data": {"k": "m".repeat(bytes)}}),
        )
    };
    let leg = &server.post("/exchanges", asked("small", 0)).await.json()["legs"][1];
    let kept = with(leg["meta_data"].clone(), json!({"allow_overdraft": null}));
    let room = limits::METADATA_BYTES_MAX - kept.to_string().len();
    let wanted = "meta_data: cannot be longer than 262144 bytes, with what the server adds to it.";
    server.refuses(ROUTE, asked("large", room + 1).to_string(), (400, INVALID, wanted)).await;
    assert_eq!(server.post("/exchanges", asked("large", room)).await.status.as_u16(), 201);
}

/// The numbers of a request, each at its limit and past it.
#[tokio::test]
async fn numbers() {
    let server = open();
    let digits = "rate: cannot have more than 18 significant digits or more than 30 decimals.";
    let precision = "precision cannot be more than 9223372036854775807.";
    let more = "amount cannot have more than 15 significant digits, use precise_amount instead.";
    let usual = r#""source": "@a", "destination": "@b", "allow_overdraft": true, "skip_queue": true"#;
    for (number, (good, bad, text)) in [
        (r#""rate": 0.123456789012345678"#, r#""rate": 0.1234567890123456789"#, digits),
        (r#""rate": "999999999999999999""#, r#""rate": "1000000000000000000""#, digits),
        (r#""rate": 1e17"#, r#""rate": 1e18"#, digits),
        (
            r#""rate": "0.000000000000000000000000000001", "precise_destination_amount": 1"#,
            r#""rate": "0.0000000000000000000000000000001", "precise_destination_amount": 1"#,
            digits,
        ),
        (
            r#""rate": 1, "precision": 9223372036854775807, "destination_precision": 9223372036854775807"#,
            r#""rate": 1, "precision": 9223372036854775808"#,
            precision,
        ),
        (
            r#""rate": 1, "destination_precision": 9223372036854775807"#,
            r#""rate": 1, "destination_precision": 9223372036854775808"#,
            precision,
        ),
        (r#""rate": 1, "amount": 123456789012345"#, r#""rate": 1, "amount": 1234567890123456"#, more),
    ]
    .into_iter()
    .enumerate()
    {
        let body = |fields: &str| {
            let amount = if fields.contains("\"amount\"") { "" } else { r#""amount": 100, "# };
            format!(
                r#"{{{usual}, {amount}"reference": "n{number}", "source_currency": "A{number}", "destination_currency": "B{number}", {fields}}}"#
            )
        };
        server.refuses(ROUTE, body(bad), (400, INVALID, text)).await;
        let told = server.ask("POST", "/exchanges", body(good)).await;
        assert_eq!(told.status.as_u16(), 201, "{good}: {}", told.text);
    }
}
