use crate::support::{TestServer, open, settings};
use serde_json::{Value, json};

pub const SECRET: &str = "a-tokenization-secret-for-tests!";

pub fn with_secret() -> TestServer {
    TestServer::new(settings(&[("FLORIN_TOKENIZATION_SECRET", SECRET)]))
}

pub async fn ada(server: &TestServer) -> String {
    let body = json!({"first_name": "Ada", "last_name": "Obi", "email_address": "ada@example.com",
                      "phone_number": "+2348012345678", "street": "Flat 3: 1 Main St", "meta_data": {"secret": "x"}});
    format!("/identities/{}", server.post("/identities", body).await.field("identity_id"))
}

#[tokio::test]
async fn every_mode_hides_the_value_and_gives_it_back() {
    let server = with_secret();
    for (mode, begins) in
        [(json!(null), "FPT:"), (json!("compatible"), "FPT:"), (json!("standard"), ""), (json!("ff1"), "")]
    {
        let path = ada(&server).await;
        let told =
            server.post(&format!("{path}/tokenize"), json!({"fields": ["PhoneNumber", "street"], "mode": mode})).await;
        told.is(200, json!({"message": "Fields tokenized successfully"}));
        let told = server.get(&path).await.json();
        let phone = told["phone_number"].as_str().expect("a text");
        assert!(phone.starts_with(begins) && !phone.contains("2348012345678"), "{mode}: {phone}");
        if mode == "ff1" {
            assert!(
                phone.len() == 14 && phone.starts_with('+') && phone[1..].bytes().all(|byte| byte.is_ascii_digit()),
                "{phone}"
            );
            let filter = json!({"filters": [{"field": "phone_number", "operator": "eq", "value": phone}]});
            let found = server.post("/identities/filter", filter).await.json();
            assert_eq!(found.as_array().map(Vec::len), Some(1), "it is found by its token");
        }
        assert_eq!(
            told["meta_data"],
            json!({"secret": "x", "tokenized_fields": {"PhoneNumber": true, "Street": true}})
        );
        let values = server.post(&format!("{path}/detokenize"), json!({"fields": []})).await.json();
        assert_eq!(values, json!({"fields": {"PhoneNumber": "+2348012345678", "Street": "Flat 3: 1 Main St"}}));
    }
}

#[tokio::test]
async fn one_field() {
    let server = with_secret();
    let path = ada(&server).await;
    let told = server.ask("POST", &format!("{path}/tokenize/lastName"), "").await;
    told.is(200, json!({"message": "Field tokenized successfully"}));
    let told = server.ask("POST", &format!("{path}/tokenize/EmailAddress?mode=ff1"), "").await;
    assert_eq!(told.status.as_u16(), 200);
    let email = server.get(&path).await.field("email_address");
    assert!(email.len() == 15 && email.find('@') == Some(3) && email.rfind('.') == Some(11), "{email}");
    let again = server.ask("POST", &format!("{path}/tokenize/LastName"), "").await;
    again.is_error(409, "IDT_FIELD_ALREADY_TOKENIZED", "field LastName is already tokenized");
}

#[tokio::test]
async fn what_cannot_be_a_token_is_refused() {
    let server = with_secret();
    let path = ada(&server).await;
    let before = server.get(&path).await.json();
    let nobody = "/identities/idt_00000000-0000-4000-8000-000000000000";
    for (path, body, status, code, text) in [
        (&*path, json!({}), 400, "GEN_MALFORMED_REQUEST", "fields: must be a list"),
        (&path, json!({"fields": null}), 400, "GEN_MALFORMED_REQUEST", "fields: must be a list"),
        (&path, json!({"fields": "FirstName"}), 400, "GEN_MALFORMED_REQUEST", ""),
        (&path, json!({"fields": []}), 400, "GEN_VALIDATION_ERROR", "at least one field must be specified"),
        (&path, json!({"fields": ["Gender"]}), 400, "IDT_FIELD_NOT_TOKENIZABLE", "field Gender is not tokenizable"),
        (&path, json!({"fields": ["FirstName"], "mode": "rot13"}), 400, "GEN_VALIDATION_ERROR", "mode: must be one of"),
        (
            &path,
            json!({"fields": ["FirstName"], "mode": "ff1"}),
            400,
            "GEN_VALIDATION_ERROR",
            "FirstName: ff1 needs six digits",
        ),
        (nobody, json!({"fields": ["Gender"]}), 400, "IDT_FIELD_NOT_TOKENIZABLE", ""),
        (nobody, json!({"fields": ["FirstName"]}), 404, "IDT_NOT_FOUND", ""),
    ] {
        server.post(&format!("{path}/tokenize"), body).await.is_error(status, code, text);
    }
    assert_eq!(server.get(&path).await.json(), before);
    // Those before the first that is refused stay tokens.
    let told = server.post(&format!("{path}/tokenize"), json!({"fields": ["FirstName", "Gender", "LastName"]})).await;
    told.is_error(400, "IDT_FIELD_NOT_TOKENIZABLE", "field Gender is not tokenizable");
    let told: Value = server.get(&format!("{path}/tokenized-fields")).await.json();
    assert_eq!(told, json!({"tokenized_fields": ["FirstName"]}));
}

#[tokio::test]
async fn without_a_secret_there_are_no_tokens() {
    for server in [open(), TestServer::new(settings(&[("FLORIN_TOKENIZATION_SECRET", "too short")]))] {
        let path = ada(&server).await;
        let told = server.ask("POST", &format!("{path}/tokenize/FirstName"), "").await;
        told.is_error(403, "IDT_TOKENIZATION_DISABLED", "tokenization is disabled: BLNK_TOKENIZATION_SECRET or");
        let told = server.get(&format!("{path}/tokenized-fields")).await;
        told.is(200, json!({"tokenized_fields": []}));
    }
}
