use crate::books::payment;
use crate::support::open;
use serde_json::json;

#[tokio::test]
async fn reads_a_balance_with_what_is_asked_for() {
    let server = open();
    let identity =
        server.post("/identities", json!({"first_name": "Ada", "meta_data": {"k": 1}})).await.field("identity_id");
    let ledger = server.post("/ledgers", json!({"name": "L"})).await.field("ledger_id");
    let made = server.post("/balances", json!({"ledger_id": ledger, "currency": "USD", "identity_id": identity})).await;
    let path = format!("/balances/{}", made.field("balance_id"));
    assert_eq!(server.get(&path).await.json(), made.json());
    assert_eq!(
        server.get(&format!("{path}?from_source=true&with_queued=yes&include=ledger,identity")).await.json(),
        made.json()
    );
    let told = server.get(&format!("{path}?include=identity&include=ledger&with_queued=true")).await.json();
    assert_eq!((&told["identity"]["first_name"], &told["identity"]["meta_data"]), (&json!("Ada"), &json!({"k": 1})));
    assert_eq!(
        (&told["ledger"]["name"], &told["queued_debit_balance"], &told["queued_credit_balance"]),
        (&json!("L"), &json!(0), &json!(0))
    );
    let ownerless = server.balance().await;
    assert_eq!(server.get(&format!("/balances/{ownerless}?include=identity")).await.json()["identity"], json!(null));
}

/// What is queued is decided in the same step, and what is scheduled does not count: nothing is ever told to wait.
#[tokio::test]
async fn nothing_waits_in_the_queue() {
    let server = open();
    let (from, to) = (server.funded(1_000).await, server.balance().await);
    let queued = json!({"skip_queue": null, "reference": "queued"});
    assert_eq!(server.post("/transactions", payment(&from, &to, queued)).await.field("status"), "QUEUED");
    server.schedule(&from, &to, "later", "2026-05-01T00:00:00Z", json!({})).await;
    let hold = json!({"skip_queue": null, "reference": "held", "inflight": true});
    assert_eq!(server.post("/transactions", payment(&from, &to, hold)).await.status.as_u16(), 201);
    for (id, balance, held) in [(&from, 900, -100), (&to, 100, 100)] {
        let told = server.get(&format!("/balances/{id}?with_queued=true")).await.json();
        assert_eq!((&told["queued_debit_balance"], &told["queued_credit_balance"]), (&json!(0), &json!(0)), "{told}");
        assert_eq!((&told["balance"], &told["inflight_balance"]), (&json!(balance), &json!(held)), "{told}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let server = open();
    let id = server.balance().await;
    for id in [
        "x",
        "bln_00000000-0000-4000-8000-000000000000",
        &id.to_uppercase(),
        &format!("{id}0"),
        &id.replace("bln_", "txn_"),
    ] {
        let message = format!("Balance with ID '{id}' not found");
        let told = server.get(&format!("/balances/{id}")).await;
        told.is_error(404, "BAL_NOT_FOUND", &message);
        assert_eq!(told.json()["error_detail"]["details"], json!({}));
    }
}
