use crate::books::payment;
use crate::support::{KEY, open, secure};
use serde_json::json;

#[tokio::test]
async fn snapshots_are_accepted_and_change_nothing() {
    let server = open();
    let a = server.funded(1000).await;
    let before = server.get("/events").await.json();
    let told = json!({"message": "Snapshotting in progress. should be completed shortly"});
    for query in ["", "?batch_size=500", "?batch_size=1", "?batch_size="] {
        server.ask("POST", &format!("/balances-snapshots{query}"), "").await.is(200, told.clone());
    }
    server.ask("POST", "/balances-snapshots", r#"{"batch_size": 0}"#).await.is(200, told);
    assert_eq!(server.get("/events").await.json(), before, "nothing was recorded");
    let late = json!({"effective_date": "2023-06-01T00:00:00Z", "reference": "late", "allow_overdraft": true});
    server.post("/transactions", payment("@World", &a, late)).await;
    for query in ["", "?from_source=true"] {
        assert_eq!(server.get(&format!("/balances/{a}/at{query}")).await.json()["balance"]["balance"], 1100);
    }
    for bad in ["0", "-1", "x", "1.5", "99999999999999999999"] {
        let told = server.ask("POST", &format!("/balances-snapshots?batch_size={bad}"), "").await;
        told.is_error(400, "GEN_VALIDATION_ERROR", "invalid batch_size value");
    }
}

#[tokio::test]
async fn snapshots_need_a_key() {
    let server = secure();
    assert_eq!(server.ask_with("POST", "/balances-snapshots", &[], "").await.status.as_u16(), 401);
    assert_eq!(server.ask_with("POST", "/balances-snapshots", &[("X-Blnk-Key", KEY)], "").await.status.as_u16(), 200);
}
