use crate::support::{TestServer, open, settings};
use ledger::limits::{IDENTITY_BYTES_MAX, METADATA_BYTES_MAX};
use serde_json::{Value, json};

async fn ada(server: &TestServer) -> String {
    let body = json!({"first_name": "Ada", "last_name": "Obi", "city": "Lagos", "dob": "1990-05-10T00:00:00Z",
                      "meta_data": {"kyc": 1}});
    server.post("/identities", body).await.field("identity_id")
}

#[tokio::test]
async fn only_what_is_given_is_written() {
    let server = open();
    let id = ada(&server).await;
    let path = format!("/identities/{id}");
    let before = server.get(&path).await.json();
    let told = server
        .put(&path, json!({"first_name": "Adaeze", "last_name": "", "identity_id": "idt_x", "meta_data": null}))
        .await;
    told.is(200, json!({"message": "Identity updated successfully"}));
    let mut wanted = before.clone();
    wanted["first_name"] = json!("Adaeze");
    assert_eq!(server.get(&path).await.json(), wanted);
    server.put(&path, json!({"dob": "1991-01-02T23:00:00+05:00", "meta_data": {"other": [1]}})).await;
    (wanted["dob"], wanted["meta_data"]) = (json!("1991-01-02T00:00:00Z"), json!({"other": [1]}));
    let told = server.get(&path).await.json();
    assert_eq!(told, wanted);
    // The zero time is no date of birth.
    server.put(&path, json!({"dob": "0001-01-01T00:00:00Z", "meta_data": {}})).await;
    wanted["meta_data"] = json!({});
    assert_eq!(server.get(&path).await.json(), wanted);
    // It is found by what it is now, and as it was after a restart, from the journal alone too.
    for (name, count) in [("Adaeze", 1), ("Ada", 0)] {
        let found = server.get(&format!("/identities?first_name_eq={name}")).await.json();
        assert_eq!(found.as_array().map(Vec::len), Some(count), "{name}");
    }
    let server = server.crashed(settings(&[]));
    assert_eq!(server.get(&path).await.json(), wanted);
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let server = open();
    let id = ada(&server).await;
    let path = format!("/identities/{id}");
    let before = (server.get(&path).await.json(), server.state.books().reach().next_seq());
    for body in
        [json!({}), json!({"first_name": ""}), json!({"dob": "0001-01-01T00:00:00Z"}), json!({"created_at": "x"})]
    {
        server.put(&path, body).await.is_error(400, "GEN_BAD_REQUEST", "No fields provided for update");
    }
    server.put(&path, json!({"dob": "1990-05-10"})).await.is_error(400, "GEN_MALFORMED_REQUEST", "dob: must be a time");
    server.put(&path, json!({"city": 1})).await.is_error(400, "GEN_MALFORMED_REQUEST", "");
    server.ask("PUT", &path, "{").await.is_error(400, "GEN_MALFORMED_REQUEST", "EOF");
    let long = json!({"street": "s".repeat(IDENTITY_BYTES_MAX)});
    server.put(&path, long).await.is_error(400, "GEN_VALIDATION_ERROR", "identity: cannot be longer than 262144 bytes");
    let fits = |bytes: usize| json!({"meta_data": {"k": "v".repeat(bytes - r#"{"k":""}"#.len())}});
    let told = server.put(&path, fits(METADATA_BYTES_MAX + 1)).await;
    told.is_error(400, "GEN_VALIDATION_ERROR", "meta_data: cannot be longer than 262144 bytes");
    let nobody = "/identities/idt_00000000-0000-4000-8000-000000000000";
    let missing = server.put(nobody, json!({"city": "x"})).await;
    missing.is_error(404, "IDT_NOT_FOUND", "Identity with ID 'idt_00000000-0000-4000-8000-000000000000' not found");
    assert_eq!(
        (server.get(&path).await.json(), server.state.books().reach().next_seq()),
        before,
        "nothing is left behind"
    );
}

/// Many change an identity at once, each another key of its metadata read before; all changes are there afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_change_is_lost() {
    let server = std::sync::Arc::new(open());
    let id = ada(&server).await;
    let tasks: Vec<_> = (0..40)
        .map(|number| {
            let (server, id) = (server.clone(), id.clone());
            tokio::spawn(async move {
                server::http::identities::stored::change(&server.state, &id, |fields| {
                    let mut metadata = fields.metadata().cloned().unwrap_or_default();
                    metadata.set(&format!("k{number}"), number);
                    fields.set_metadata(metadata);
                    Ok(())
                })
                .await
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("it ends").expect("it is changed");
    }
    let told = server.get(&format!("/identities/{id}")).await.json();
    let keys = told["meta_data"].as_object().map(serde_json::Map::len);
    assert_eq!(keys, Some(41), "{told}");
}

/// A value in the place of a token is plain; the token sent back as it was read stays one.
#[tokio::test]
async fn values_over_tokens_are_plain_again() {
    let server = TestServer::new(settings(&[("FLORIN_TOKENIZATION_SECRET", "a-tokenization-secret-for-tests!")]));
    let id = ada(&server).await;
    let path = format!("/identities/{id}");
    server.post(&format!("{path}/tokenize"), json!({"fields": ["FirstName", "LastName"]})).await;
    let read = server.get(&path).await.json();
    // All of it is sent back, with another last name, as a client would that keeps the whole object.
    let mut body = read.clone();
    body["last_name"] = json!("Eze");
    body["meta_data"]["kyc"] = json!(2);
    assert_eq!(server.put(&path, body).await.status.as_u16(), 200);
    let told = server.get(&path).await.json();
    assert_eq!((&told["first_name"], &told["last_name"]), (&read["first_name"], &json!("Eze")));
    assert_eq!(told["meta_data"], json!({"kyc": 2, "tokenized_fields": {"FirstName": true}}));
    // Metadata that does not tell them does not take the marks away, and such that invents one does not make a token.
    for meta in [json!({"a": 1}), json!({"a": 1, "tokenized_fields": {"Street": true}})] {
        server.put(&path, json!({"meta_data": meta})).await;
        let told = server.get(&path).await.json();
        assert_eq!(told["meta_data"], json!({"a": 1, "tokenized_fields": {"FirstName": true}}));
    }
    let value: Value = server.get(&format!("{path}/detokenize/FirstName")).await.json();
    assert_eq!(value["value"], "Ada");
    let plain = server.get(&format!("{path}/detokenize/LastName")).await;
    plain.is_error(400, "IDT_FIELD_NOT_TOKENIZED", "field LastName is not tokenized");
}
