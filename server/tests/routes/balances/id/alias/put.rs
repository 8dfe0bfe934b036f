use crate::books::payment;
use crate::support::{open, settings};
use ledger::limits::ALIAS_BYTES_MAX;
use serde_json::{Value, json};

#[tokio::test]
async fn orders_may_name_a_balance_by_its_alias() {
    let server = open();
    let ledger = server.post("/ledgers", json!({"name": "wallets"})).await.field("ledger_id");
    let made = json!({"ledger_id": ledger, "currency": "USD", "alias": "wallet-claire"});
    let claire = server.post("/balances", made.clone()).await.json();
    assert_eq!(claire["alias"], "wallet-claire");
    let claire = claire["balance_id"].as_str().expect("an id").to_owned();
    let told = server.post("/balances", made).await;
    told.is_error(409, "GEN_CONFLICT", "alias: another balance has the alias 'wallet-claire'");
    let ben = server.funded(1_000).await;
    assert_eq!(
        server.put(&format!("/balances/{ben}/alias"), json!({"alias": "wallet-ben"})).await.field("alias"),
        "wallet-ben"
    );
    let told = server.post("/transactions", payment("wallet-ben", "wallet-claire", json!({}))).await;
    // What is recorded, and told, is the id.
    assert_eq!(
        (told.status.as_u16(), told.field("source"), told.field("destination")),
        (201, ben.clone(), claire.clone())
    );
    let parts = json!([{"identifier": "wallet-claire", "distribution": "50%"}, {"identifier": "@Fees", "distribution": "left"}]);
    let split = json!({"destination": null, "destinations": parts, "reference": "s"});
    assert_eq!(server.post("/transactions", payment("wallet-ben", "", split)).await.status.as_u16(), 201);
    assert_eq!(server.figures(&claire).await[0], 150);
    let queued = json!({"reference": "q", "skip_queue": null});
    assert_eq!(server.post("/transactions", payment("wallet-ben", "wallet-nobody", queued)).await.status.as_u16(), 201);
    assert_eq!(server.outcome("q").await.map(|(status, _)| status), Some("REJECTED".into()));
    let euros = json!({"reference": "e", "currency": "EUR"});
    assert_eq!(server.post("/transactions", payment("wallet-ben", "wallet-claire", euros)).await.status.as_u16(), 400);
    let dry = json!({"reference": "d", "dry_run": true});
    assert_eq!(server.post("/transactions", payment("wallet-ben", "wallet-claire", dry)).await.status.as_u16(), 200);
    let server = server.crashed(settings(&[]));
    assert_eq!(server.get("/balances/alias/wallet-claire").await.field("balance_id"), claire);
    // The alias moves on; what was recorded stays.
    server.delete(&format!("/balances/{claire}/alias")).await.is_alias(None);
    server.delete(&format!("/balances/{claire}/alias")).await.is_alias(None);
    server
        .put(&format!("/balances/{ben}/alias"), json!({"alias": "wallet-claire"}))
        .await
        .is_alias(Some("wallet-claire"));
    assert_eq!(server.get("/balances/alias/wallet-ben").await.code(), "BAL_NOT_FOUND");
    let told = server.post("/transactions", payment("wallet-claire", &claire, json!({"reference": "later"}))).await;
    assert_eq!(told.field("source"), ben);
}

#[tokio::test]
async fn an_alias_can_be_told_from_ids_and_indicators() {
    let server = open();
    let balance = server.balance().await;
    let path = format!("/balances/{balance}/alias");
    for bad in ["", "@cash", "bln_1", "two words", "tab\t", "line\n", "a/b"]
        .map(Value::from)
        .into_iter()
        .chain(["x".repeat(ALIAS_BYTES_MAX + 1).into()])
    {
        let told = server.put(&path, json!({"alias": bad})).await;
        assert_eq!((told.status.as_u16(), told.code().as_str()), (400, "GEN_VALIDATION_ERROR"), "{bad}");
        assert!(told.text.contains("alias"), "{}", told.text);
        if bad != "" {
            let made = json!({"ledger_id": "general_ledger_id", "currency": "USD", "alias": bad});
            assert_eq!(server.post("/balances", made).await.code(), "GEN_VALIDATION_ERROR", "{bad}");
        }
    }
    assert_eq!(server.counts().await.balances, 1, "what is refused leaves nothing");
    for good in ["x".repeat(ALIAS_BYTES_MAX), "b".into(), "grüße-1".into()] {
        server.put(&path, json!({"alias": good})).await.is_alias(Some(&good));
    }
    let nobody = "bln_00000000-0000-4000-8000-000000000000";
    for id in [nobody, "nonsense"] {
        let told = server.put(&format!("/balances/{id}/alias"), json!({"alias": "free"})).await;
        told.is_error(404, "BAL_NOT_FOUND", &format!("Balance with ID '{id}' not found"));
        assert_eq!(server.delete(&format!("/balances/{id}/alias")).await.code(), "BAL_NOT_FOUND");
    }
}

impl crate::support::Told {
    fn is_alias(&self, alias: Option<&str>) {
        assert_eq!((self.status.as_u16(), self.json()["alias"].as_str()), (200, alias), "{}", self.text);
    }
}
