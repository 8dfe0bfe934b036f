use crate::support::open;
use ledger::state::NO_RECORD;
use serde_json::{Value, json};

fn body(balance: &str, condition: Value) -> Value {
    json!({"balance_id": balance, "condition": condition})
}

/// Proves that of two changes at once neither loses what the other gives.
#[tokio::test]
async fn changes_at_once_are_both_made() {
    let server = open();
    let a = server.balance().await;
    let condition = json!({"field": "balance", "operator": ">", "value": 10, "precision": 100});
    let id = server.post("/balance-monitors", body(&a, condition.clone())).await.field("monitor_id");
    let path = format!("/balance-monitors/{id}");
    let change = |field: &str, value: Value| {
        let mut change = body(&a, condition.clone());
        change[field] = value;
        server.put(&path, change)
    };
    let (one, other) = tokio::join!(change("trigger", json!("edge")), change("meta_data", json!({"k": 1})));
    assert_eq!((one.status.as_u16(), other.status.as_u16()), (200, 200));
    let told = server.get(&path).await.json();
    assert_eq!((&told["trigger"], &told["meta_data"]), (&json!("edge"), &json!({"k": 1})));
}

#[tokio::test]
async fn the_threshold_follows_and_the_rest_stays() {
    let server = open();
    let (a, b) = (server.balance().await, server.balance().await);
    let made = json!({
        "balance_id": a, "description": "old", "call_back_url": "https://x", "trigger": "edge", "meta_data": {"k": 1},
        "condition": {"field": "balance", "operator": ">", "value": 10, "precision": 1000},
    });
    let id = server.post("/balance-monitors", made).await.field("monitor_id");
    let path = format!("/balance-monitors/{id}");
    let created_at = server.get(&path).await.field("created_at");
    let change = body(&b, json!({"field": "credit_balance", "operator": "<", "value": 20}));
    server.put(&path, change).await.is(200, json!({"message": "BalanceMonitor updated successfully"}));
    let told = server.get(&path).await.json();
    let condition =
        json!({"value": 20, "precision": 1000, "precise_value": 20_000, "field": "credit_balance", "operator": "<"});
    let wanted = json!({
        "monitor_id": id, "balance_id": b, "created_at": created_at, "condition": condition, "trigger": "edge", "meta_data": {"k": 1},
    });
    assert_eq!(told, wanted);
    let change = json!({"balance_id": b, "description": "new", "trigger": "level", "meta_data": {"k": 2},
        "condition": {"field": "balance", "operator": "=", "value": 0, "precision": 100}});
    assert_eq!(server.put(&path, change).await.status.as_u16(), 200);
    let told = server.get(&path).await.json();
    assert_eq!(
        (&told["description"], &told["meta_data"], told.get("trigger")),
        (&json!("new"), &json!({"k": 2}), None)
    );
    assert_eq!(told["condition"]["precise_value"], 0);
    // It is not shown, and kept all the same.
    let event = server.state.books().event(record_of(&server).await).expect("it is readable");
    let ledger::event::Event::MonitorSet(event) = event else { panic!("a monitor is defined there: {event:?}") };
    assert_eq!(event.definition.call_back_url, "https://x");
}

async fn record_of(server: &crate::support::TestServer) -> u64 {
    let look = server::http::ask::look(&server.state, |view| view.state.monitors.iter().next().map(|one| one.record));
    look.await.expect("the engine runs").filter(|record| *record != NO_RECORD).expect("there is one")
}

#[tokio::test]
async fn what_is_wrong_changes_nothing() {
    let server = open();
    let a = server.balance().await;
    let good = json!({"field": "balance", "operator": ">", "value": 10, "precision": 100});
    let id = server.post("/balance-monitors", body(&a, good.clone())).await.field("monitor_id");
    let path = format!("/balance-monitors/{id}");
    let before = server.get(&path).await.text;
    for (change, code) in [
        (json!({}), "GEN_VALIDATION_ERROR"),
        (json!({"balance_id": a}), "GEN_VALIDATION_ERROR"),
        (json!({"condition": good}), "GEN_VALIDATION_ERROR"),
        (body(&a, json!({"field": "balance", "operator": "~", "value": 1})), "GEN_VALIDATION_ERROR"),
        (body(&a, json!({"field": "balance", "operator": ">", "value": 1.5})), "GEN_VALIDATION_ERROR"),
        (body(&a, json!({"field": "balance", "operator": ">"})), "GEN_VALIDATION_ERROR"),
        (body("bln_x", good.clone()), "GEN_BAD_REQUEST"),
        (json!([]), "GEN_MALFORMED_REQUEST"),
    ] {
        let told = server.put(&path, change.clone()).await;
        assert_eq!((told.status.as_u16(), told.code().as_str()), (400, code), "{change} {}", told.text);
    }
    assert_eq!(server.get(&path).await.text, before);
    for missing in ["x", "mon_00000000-0000-4000-8000-000000000000", &id.replace("mon_", "bln_")] {
        let path = format!("/balance-monitors/{missing}");
        let message = format!("Monitor with ID '{missing}' not found");
        server.put(&path, body(&a, good.clone())).await.is_error(404, "BAL_MONITOR_NOT_FOUND", &message);
        server.get(&path).await.is_error(404, "BAL_MONITOR_NOT_FOUND", &message);
        server.delete(&path).await.is_error(404, "BAL_MONITOR_NOT_FOUND", &message);
    }
}

#[tokio::test]
async fn a_deleted_monitor_is_gone() {
    let server = open();
    let a = server.balance().await;
    let good = json!({"field": "balance", "operator": ">", "value": 10, "precision": 100});
    let id = server.post("/balance-monitors", body(&a, good.clone())).await.field("monitor_id");
    let path = format!("/balance-monitors/{id}");
    server.delete(&path).await.is(200, json!({"message": "BalanceMonitor deleted successfully"}));
    for told in [server.get(&path).await, server.delete(&path).await, server.put(&path, body(&a, good)).await] {
        told.is_error(404, "BAL_MONITOR_NOT_FOUND", &id);
    }
    server.get("/balance-monitors").await.is(200, json!([]));
    server.get(&format!("/balance-monitors/balances/{a}")).await.is(200, json!([]));
}
