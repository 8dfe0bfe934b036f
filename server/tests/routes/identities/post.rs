use crate::support::{NOW, open};
use ledger::limits::IDENTITY_BYTES_MAX;
use serde_json::json;

const ROUTE: (&str, &str) = ("POST", "/identities");

#[tokio::test]
async fn makes_an_identity() {
    let server = open();
    let body = json!({"identity_type": "individual", "first_name": "Ada", "last_name": "Obi", "email_address": "ada@example.com", "city": "Lagos",
        "dob": "1990-05-10T22:00:00-03:00", "created_at": "2000-01-01T00:00:00Z", "unknown": 1, "meta_data": {"k": 1}});
    let wanted = json!({
        "identity_id": "<idt 1>", "identity_type": "individual", "organization_name": "", "category": "", "first_name": "Ada",
        "last_name": "Obi", "other_names": "", "gender": "", "email_address": "ada@example.com", "phone_number": "", "nationality": "",
        "street": "", "country": "", "state": "", "post_code": "", "city": "Lagos", "dob": "1990-05-10T22:00:00-03:00",
        "created_at": NOW, "meta_data": {"k": 1},
    });
    server.post("/identities", body).await.is(201, wanted);
    let told = server.post("/identities", json!({})).await;
    assert_eq!((told.status.as_u16(), told.field("dob").as_str()), (201, "0001-01-01T00:00:00Z"));
}

#[tokio::test]
async fn an_id_may_be_chosen_once() {
    let server = open();
    for id in [
        "idt_7b1e5a52-0f5b-4a39-8ad3-1d6f1b9e0c10",
        "idt_7B1E5A520F5B4A398AD31D6F1B9E0C11",
        "idt_{7b1e5a52-0f5b-4a39-8ad3-1d6f1b9e0c12}",
        "idt_urn:uuid:7b1e5a52-0f5b-4a39-8ad3-1d6f1b9e0c13",
        "idt_URN:UUID:7b1e5a52-0f5b-4a39-8ad3-1d6f1b9e0c14",
    ] {
        let body = json!({"identity_id": id});
        assert_eq!(server.post("/identities", body.clone()).await.field("identity_id"), id);
        server.refuses(ROUTE, body.to_string(), (400, "IDT_VALIDATION_ERROR", "Identity already exists: idt_")).await;
    }
    for (id, text) in [
        ("7b1e5a52-0f5b-4a39-8ad3-1d6f1b9e0c10", "identity_id must start with the 'idt_' prefix"),
        ("idt_7b1e5a52", "identity_id suffix after 'idt_' must be a valid UUID"),
        ("idt_7b1e5a52-0f5b-4a39-8ad3-1d6f1b9e0c1é", "identity_id suffix after 'idt_' must be a valid UUID"),
        ("idt_éééé7b1e5a52-0f5b-4a39-8ad3-1d6f1b9e0c10", "identity_id suffix after 'idt_' must be a valid UUID"),
        ("idt_{7b1e5a520f5b4a398ad31d6f1b9e0c10}", "identity_id suffix after 'idt_' must be a valid UUID"),
        ("idt_urn:uuid:7b1e5a520f5b4a398ad31d6f1b9e0c10", "identity_id suffix after 'idt_' must be a valid UUID"),
        ("idt_urn:uuid:{7b1e5a52-0f5b-4a39-8ad3-1d6f1b9e0c10}", "identity_id suffix after 'idt_' must be a valid UUID"),
    ] {
        server.refuses(ROUTE, json!({"identity_id": id}).to_string(), (400, "IDT_VALIDATION_ERROR", text)).await;
    }
}

#[tokio::test]
async fn a_date_of_birth_is_a_time() {
    let server = open();
    for dob in
        ["", "1990-05-10", "1990-05-10 00:00:00Z", "yesterday", "1990-13-10T00:00:00Z", "9999-12-31T23:59:59-10:00"]
    {
        server.refuses(ROUTE, json!({"dob": dob}).to_string(), (400, "GEN_MALFORMED_REQUEST", "dob")).await;
    }
}

#[tokio::test]
async fn limits() {
    let server = open();
    // An identity is kept as {"street":"…"}.
    let body = |bytes: usize| json!({"street": "s".repeat(bytes - 13)}).to_string();
    assert_eq!(server.ask("POST", "/identities", body(IDENTITY_BYTES_MAX)).await.status.as_u16(), 201);
    let wanted = (400, "GEN_VALIDATION_ERROR", "identity: cannot be longer than 262144 bytes");
    server.refuses(ROUTE, body(IDENTITY_BYTES_MAX + 1), wanted).await;
    let metadata = json!({"meta_data": {"k": "m".repeat(262_144 - 7)}}).to_string();
    server
        .refuses(ROUTE, metadata, (400, "GEN_VALIDATION_ERROR", "meta_data: cannot be longer than 262144 bytes"))
        .await;
}
