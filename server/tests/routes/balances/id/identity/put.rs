use crate::support::{open, settings};
use serde_json::json;

#[tokio::test]
async fn a_balance_has_another_owner() {
    let server = open();
    let balance = server.balance().await;
    let path = format!("/balances/{balance}/identity");
    let version = server.get(&format!("/balances/{balance}")).await.json()["version"].clone();
    for name in ["Ada", "Ben"] {
        let identity = server.post("/identities", json!({"first_name": name})).await.field("identity_id");
        let told = server.put(&path, json!({"identity_id": identity})).await;
        told.is(200, json!({"message": "Balance identity updated successfully"}));
        let shown = server.get(&format!("/balances/{balance}?include=identity")).await.json();
        assert_eq!((&shown["identity_id"], &shown["identity"]["first_name"]), (&json!(identity), &json!(name)));
        assert_eq!(shown["version"], version);
    }
    let server = server.crashed(settings(&[]));
    let shown = server.get(&format!("/balances/{balance}?include=identity")).await.json();
    assert_eq!(shown["identity"]["first_name"], "Ben");
}

#[tokio::test]
async fn who_is_not_there_owns_nothing() {
    let server = open();
    let balance = server.balance().await;
    let identity = server.post("/identities", json!({})).await.field("identity_id");
    let nobody = "00000000-0000-4000-8000-000000000000";
    let path = format!("/balances/{balance}/identity");
    let told = server.put(&path, json!({"identity_id": format!("idt_{nobody}")})).await;
    told.is_error(404, "BAL_NOT_FOUND", &format!("Identity with ID 'idt_{nobody}' not found"));
    for id in [format!("bln_{nobody}"), "nonsense".to_owned()] {
        let told = server.put(&format!("/balances/{id}/identity"), json!({"identity_id": identity})).await;
        told.is_error(404, "BAL_NOT_FOUND", &format!("Balance with ID '{id}' not found"));
    }
    for body in [json!({}), json!({"identity_id": ""}), json!({"identity_id": 1})] {
        let told = server.put(&path, body.clone()).await;
        assert_eq!((told.status.as_u16(), told.code().as_str()), (400, "GEN_MALFORMED_REQUEST"), "{body}");
    }
    assert_eq!(server.get(&format!("/balances/{balance}")).await.json()["identity_id"], "");
}
