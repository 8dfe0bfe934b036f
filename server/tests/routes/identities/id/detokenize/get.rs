use super::super::tokenize::post::{SECRET, ada, with_secret};
use crate::support::settings;
use journal::disk::Failure;
use serde_json::json;
use server::api::token::FF1_SYMBOLS_MAX;
use std::time::{Duration, Instant};

#[tokio::test]
async fn refusals_tell_nothing_else() {
    let server = with_secret();
    let path = ada(&server).await;
    let told = server.get(&format!("{path}/detokenize/FirstName")).await;
    told.is_error(400, "IDT_FIELD_NOT_TOKENIZED", "field FirstName is not tokenized");
    assert!(!told.text.contains("secret"), "{}", told.text);
    server.get(&format!("{path}/detokenize/Gender")).await.is_error(400, "IDT_FIELD_NOT_TOKENIZED", "");
    server.post(&format!("{path}/detokenize"), json!({})).await.is_error(
        400,
        "GEN_MALFORMED_REQUEST",
        "fields: must be",
    );
    server.post(&format!("{path}/detokenize"), json!({"fields": []})).await.is(200, json!({"fields": {}}));
    let nobody = "/identities/idt_00000000-0000-4000-8000-000000000000/detokenize/FirstName";
    server.get(nobody).await.is_error(404, "IDT_NOT_FOUND", "");
}

/// With another secret, or none, a token stays closed.
#[tokio::test]
async fn the_wrong_secret_opens_nothing() {
    let server = with_secret();
    let path = ada(&server).await;
    server.ask("POST", &format!("{path}/tokenize/FirstName"), "").await;
    let route = format!("{path}/detokenize/FirstName");
    server.get(&route).await.is(200, json!({"field": "FirstName", "value": "Ada"}));
    let mut server = server;
    for secret in ["another-secret-that-has-32-bytes", ""] {
        server = server.restarted(settings(&[("FLORIN_TOKENIZATION_SECRET", secret)]));
        server.get(&route).await.is_error(500, "GEN_INTERNAL", "internal server error");
    }
    let server = server.restarted(settings(&[("FLORIN_TOKENIZATION_SECRET", SECRET)]));
    server.get(&route).await.is(200, json!({"field": "FirstName", "value": "Ada"}));
}

/// A value is only told when it is durable who asked for it.
#[tokio::test]
async fn nothing_is_told_that_is_not_kept() {
    let server = with_secret();
    let path = ada(&server).await;
    server.ask("POST", &format!("{path}/tokenize/FirstName"), "").await;
    server.disk.fail_after(0, Failure::NoSpace);
    let told = server.get(&format!("{path}/detokenize/FirstName")).await;
    told.is_error(503, "QUEUE_BACKPRESSURE", "");
    assert!(!told.text.contains("Ada"), "{}", told.text);
}

/// Proves that a token is turned back once, however often it is named: ten thousand times would take many seconds, for which
/// nobody else is served.
#[tokio::test]
async fn a_field_that_is_named_often_is_opened_once() {
    let server = with_secret();
    let body = json!({"first_name": "a1".repeat(FF1_SYMBOLS_MAX / 2)});
    let path = format!("/identities/{}", server.post("/identities", body).await.field("identity_id"));
    server.ask("POST", &format!("{path}/tokenize/FirstName?mode=ff1"), "").await;
    let began = Instant::now();
    let told = server.post(&format!("{path}/detokenize"), json!({"fields": vec!["FirstName"; 10_000]})).await;
    told.is(200, json!({"fields": {"FirstName": "a1".repeat(FF1_SYMBOLS_MAX / 2)}}));
    assert!(began.elapsed() < Duration::from_secs(1), "it took {:?}", began.elapsed());
}
