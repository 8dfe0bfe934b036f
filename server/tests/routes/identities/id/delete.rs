use crate::support::{TestServer, open, settings};
use journal::disk::Failure;
use ledger::command::{Command, DeleteIdentity};
use ledger::identity::Detail;
use serde_json::json;

async fn ada(server: &TestServer) -> String {
    server.post("/identities", json!({"first_name": "Ada"})).await.field("identity_id")
}

#[tokio::test]
async fn a_deleted_identity_is_gone_everywhere() {
    let server = open();
    let (id, other) = (ada(&server).await, ada(&server).await);
    let path = format!("/identities/{id}");
    server.delete(&path).await.is(200, json!({"message": "Identity deleted successfully"}));
    let text = format!("Identity with ID '{id}' not found");
    server.get(&path).await.is_error(404, "IDT_NOT_FOUND", &text);
    server.delete(&path).await.is_error(404, "IDT_NOT_FOUND", &text);
    server.put(&path, json!({"city": "x"})).await.is_error(404, "IDT_NOT_FOUND", &text);
    server.post(&format!("{path}/tokenize/FirstName"), json!({})).await.is_error(404, "IDT_NOT_FOUND", &text);
    for route in ["tokenized-fields", "detokenize/FirstName", "reveals"] {
        server.get(&format!("{path}/{route}")).await.is_error(404, "IDT_NOT_FOUND", &text);
    }
    for list in [
        "/identities",
        "/identities?first_name_eq=Ada",
        "/identities?first_name_ne=Eve",
        "/identities?dob_lt=2000-01-01",
    ] {
        let told = server.get(list).await.json();
        assert_eq!(
            (told[0]["identity_id"].as_str(), told.as_array().map(Vec::len)),
            (Some(other.as_str()), Some(1)),
            "{list}"
        );
    }
    for filters in [
        json!([]),
        json!([{"field": "first_name", "operator": "eq", "value": "Ada"}]),
        json!([{"field": "identity_id", "operator": "in", "values": [id, other]}]),
    ] {
        let body = json!({"filters": filters, "include_count": true, "sort_by": "first_name"});
        let told = server.post("/identities/filter", body).await.json();
        assert_eq!((&told["total_count"], &told["data"][0]["identity_id"]), (&json!(1), &json!(other)), "{filters}");
    }
    // Nobody gets a balance who is not there.
    let ledger = server.post("/ledgers", json!({"name": "x"})).await.field("ledger_id");
    let balance = json!({"ledger_id": ledger, "currency": "USD", "identity_id": id});
    assert_eq!(server.post("/balances", balance).await.status.as_u16() / 100, 4);
    // What was told of it is told without its fields, after a restart too.
    let server = server.crashed(settings(&[]));
    let events = server.get("/events").await.json();
    let data = &events["events"][0]["data"];
    assert_eq!((&data["identity_id"], &data["first_name"], &data["meta_data"]), (&json!(id), &json!(""), &json!(null)));
    assert_eq!(events["events"][1]["data"]["first_name"], "Ada");
}

#[tokio::test]
async fn who_owns_something_stays() {
    let server = open();
    let id = ada(&server).await;
    let ledger = server.post("/ledgers", json!({"name": "x"})).await.field("ledger_id");
    server.post("/balances", json!({"ledger_id": ledger, "currency": "USD", "identity_id": id})).await;
    let path = format!("/identities/{id}");
    server.delete(&path).await.is_error(409, "GEN_CONFLICT", "the identity owns balances");
    assert_eq!(server.get(&path).await.field("first_name"), "Ada");
    let server = server.restarted(settings(&[]));
    server.delete(&path).await.is_error(409, "GEN_CONFLICT", "the identity owns balances");
}

/// An id that its maker chose is free again; what follows does not read what was before.
#[tokio::test]
async fn a_chosen_id_is_free_again() {
    let server = open();
    let id = "idt_7b1e5a52-0f5b-4a39-8ad3-1d6f1b9e0c10";
    for name in ["Ada", "Eve"] {
        let made = server.post("/identities", json!({"identity_id": id, "first_name": name})).await;
        assert_eq!((made.status.as_u16(), made.field("first_name").as_str()), (201, name));
        assert_eq!(server.get(&format!("/identities/{id}")).await.field("first_name"), name);
        server.post("/identities", json!({"identity_id": id})).await.is_error(
            400,
            "IDT_VALIDATION_ERROR",
            "already exists",
        );
        if name == "Ada" {
            assert_eq!(server.delete(&format!("/identities/{id}")).await.status.as_u16(), 200);
        }
    }
    let server = server.restarted(settings(&[]));
    assert_eq!(server.get(&format!("/identities/{id}")).await.field("first_name"), "Eve");
    assert_eq!(server.get("/identities").await.json().as_array().map(Vec::len), Some(1));
}

/// The event is durable, and the server ends before the key is destroyed: the next start destroys it.
#[tokio::test]
async fn a_crash_before_the_key_is_destroyed_is_made_good() {
    let server = open();
    let id = ada(&server).await;
    let path = format!("/identities/{id}");
    let detail = detail_of(&server, &id).await;
    let command = Command::DeleteIdentity(DeleteIdentity { identity: id });
    server::http::ask::change(&server.state, command, 0).await.expect("it is deleted");
    assert!(server.state.vault().open_detail(&detail).expect("it can be read").is_some(), "the key is still there");
    let server = server.crashed(settings(&[]));
    assert_eq!(server.state.vault().open_detail(&detail).expect("it can be read"), None);
    assert_eq!(server.get(&path).await.status.as_u16(), 404);
}

/// The other way round: a key for which no event came serves the next identity.
#[tokio::test]
async fn a_crash_before_the_event_loses_nothing() {
    let server = open();
    let first = ada(&server).await;
    let sealed = server.state.vault().seal_new("{}").expect("a key");
    let server = server.crashed(settings(&[]));
    let keys = (server.state.vault().seal_new("{}").expect("a key").key, sealed.key);
    assert_eq!(keys.0, keys.1, "it is used again");
    assert_eq!(server.get(&format!("/identities/{first}")).await.field("first_name"), "Ada");
}

#[tokio::test]
async fn a_key_that_cannot_be_destroyed_is_told() {
    let server = open();
    let id = ada(&server).await;
    let operations = server.disk.operations();
    let probe = ada(&server).await;
    assert!(server.disk.operations() > operations, "an identity is written");
    let detail = detail_of(&server, &id).await;
    // The record of the deletion is one write; the slot is written after it.
    server.disk.fail_after(1, Failure::Io);
    let told = server.delete(&format!("/identities/{id}")).await;
    told.is_error(500, "GEN_INTERNAL", "the identity is deleted, but its key is not destroyed");
    assert_eq!(server.get("/health").await.status.as_u16(), 503);
    assert_eq!(server.get(&format!("/identities/{probe}")).await.field("first_name"), "Ada", "reading goes on");
    let server = server.crashed(settings(&[]));
    assert_eq!(server.state.vault().open_detail(&detail).expect("it can be read"), None);
}

async fn detail_of(server: &TestServer, id: &str) -> Detail {
    let found = server::http::identities::stored::find(&server.state, id).await.expect("it is looked for");
    match server.state.books().event(found.expect("it is there").identity.detail).expect("it can be read") {
        ledger::event::Event::IdentityCreated(event) => event.detail,
        other => panic!("{other:?}"),
    }
}
