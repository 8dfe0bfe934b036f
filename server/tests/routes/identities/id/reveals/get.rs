use super::super::tokenize::post::{SECRET, ada, with_secret};
use crate::support::{KEY, TestServer, settings};
use serde_json::{Value, json};
use server::http::identities::reveals::REVEALS_MAX;

async fn reveal(server: &TestServer, path: &str, request: &str, fields: Value) {
    let headers = [("X-Blnk-Key", KEY), ("X-Request-ID", request)];
    let told =
        server.ask_with("POST", &format!("{path}/detokenize"), &headers, json!({"fields": fields}).to_string()).await;
    assert_eq!(told.status.as_u16(), 200, "{}", told.text);
}

#[tokio::test]
async fn who_was_shown_what_is_told() {
    let secure =
        [("FLORIN_SERVER_SECURE", "true"), ("FLORIN_SERVER_SECRET_KEY", KEY), ("FLORIN_TOKENIZATION_SECRET", SECRET)];
    let server = TestServer::new(settings(&secure));
    let (path, other) = (ada(&server).await, ada(&server).await);
    for path in [&path, &other] {
        server.post(&format!("{path}/tokenize"), json!({"fields": ["FirstName", "Street", "LastName"]})).await;
    }
    server.get(&format!("{path}/reveals")).await.is(200, json!({"reveals": [], "next": ""}));
    reveal(&server, &path, "first", json!(["street", "Street", "FirstName"])).await;
    reveal(&server, &other, "of-another", json!(["Street"])).await;
    reveal(&server, &path, "second", json!([])).await;
    // What is refused is not shown, and not kept.
    server.post(&format!("{path}/detokenize"), json!({"fields": ["FirstName", "PostCode"]})).await;
    let at = "2026-03-04T10:11:12.123456Z";
    let wanted = json!({"next": "", "reveals": [
        {"who": "master", "fields": ["FirstName", "LastName", "Street"], "request_id": "second", "created_at": at},
        {"who": "master", "fields": ["FirstName", "Street"], "request_id": "first", "created_at": at},
    ]});
    server.get(&format!("{path}/reveals")).await.is(200, wanted.clone());
    let server = server.crashed(settings(&secure));
    server.get(&format!("{path}/reveals")).await.is(200, wanted);
    // A server that asks for no key knows nobody.
    let server = server.restarted(settings(&[("FLORIN_TOKENIZATION_SECRET", SECRET)]));
    reveal(&server, &path, "third", json!(["Street"])).await;
    assert_eq!(server.get(&format!("{path}/reveals")).await.json()["reveals"][0]["who"], "anyone");
}

#[tokio::test]
async fn pages_follow_each_other() {
    let server = with_secret();
    let (path, other) = (ada(&server).await, ada(&server).await);
    for path in [&path, &other] {
        server.ask("POST", &format!("{path}/tokenize/FirstName"), "").await;
    }
    for number in 0..7 {
        reveal(&server, &path, &format!("r{number}"), json!([])).await;
        reveal(&server, &other, "other", json!([])).await;
    }
    let (mut cursor, mut seen) = (String::new(), Vec::new());
    loop {
        let page = server.get(&format!("{path}/reveals?limit=3&cursor={cursor}")).await.json();
        let reveals = page["reveals"].as_array().expect("a list");
        assert!(reveals.len() <= 3 && !reveals.is_empty());
        seen.extend(reveals.iter().map(|reveal| reveal["request_id"].as_str().expect("a text").to_owned()));
        cursor = page["next"].as_str().expect("a text").to_owned();
        if cursor.is_empty() {
            break;
        }
        // The place is one of this identity only.
        let wrong = server.get(&format!("{other}/reveals?cursor={cursor}")).await;
        wrong.is_error(400, "GEN_BAD_REQUEST", "cursor: no reveal of this identity has it");
    }
    assert_eq!(seen, ["r6", "r5", "r4", "r3", "r2", "r1", "r0"]);
    for cursor in ["x", "rev_", "rev_zz", "rev_1", "rev_ffffffffffffffff", "rev_fffffffffffffffff"] {
        let wrong = server.get(&format!("{path}/reveals?cursor={cursor}")).await;
        wrong.is_error(400, "GEN_BAD_REQUEST", "cursor: no reveal of this identity has it");
    }
    let (most, more) = (REVEALS_MAX.to_string(), (REVEALS_MAX + 1).to_string());
    for (limit, status) in [("0", 400), ("1", 200), (&most, 200), (&more, 400), ("x", 400)] {
        let told = server.get(&format!("{path}/reveals?limit={limit}")).await;
        assert_eq!(told.status.as_u16(), status, "{limit}");
    }
    server.get("/identities/idt_00000000-0000-4000-8000-000000000000/reveals").await.is_error(404, "IDT_NOT_FOUND", "");
}
