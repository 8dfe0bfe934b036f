use crate::books::with;
use crate::support::{NOW, open};
use ledger::limits::{
    CALL_BACK_URL_BYTES_MAX, DESCRIPTION_BYTES_MAX, METADATA_BYTES_MAX, MONITOR_CONDITIONS_MAX,
    MONITORS_PER_BALANCE_MAX,
};
use serde_json::{Value, json};

fn monitor(balance: &str, fields: Value) -> Value {
    let condition = json!({"field": "balance", "operator": ">", "value": 1000, "precision": 100});
    with(json!({"balance_id": balance, "condition": condition}), fields)
}

#[tokio::test]
async fn a_monitor_is_shown_as_it_was_asked_for() {
    let server = open();
    let a = server.balance().await;
    let told = server.post("/balance-monitors", monitor(&a, json!({"call_back_url": "https://x", "unknown": 1}))).await;
    told.is(
        201,
        json!({
            "monitor_id": "<mon 1>", "balance_id": "<bln 1>", "created_at": NOW,
            "condition": {"value": 1000, "precision": 100, "precise_value": 100_000, "field": "balance", "operator": ">"},
        }),
    );
    let all = json!({"description": "low", "meta_data": {"n": 1}, "trigger": "edge", "match": "any", "condition": null, "conditions": [
        {"field": "inflight_debit_balance", "operator": "!=", "value": -3, "precision": 10},
        {"field": "credit_balance", "operator": "<=", "precise_value": 1050, "precision": 100},
    ]});
    let told = server.post("/balance-monitors", monitor(&a, all)).await;
    let first = json!({"value": -3, "precision": 10, "precise_value": -30, "field": "inflight_debit_balance", "operator": "!="});
    told.is(
        201,
        json!({
            "monitor_id": "<mon 1>", "balance_id": "<bln 1>", "description": "low", "created_at": NOW,
            "condition": first, "match": "any", "trigger": "edge", "meta_data": {"n": 1},
            "conditions": [
                first,
                {"value": 10.5, "precision": 100, "precise_value": 1050, "field": "credit_balance", "operator": "<="},
            ],
        }),
    );
    // What is shown can be sent again.
    let again = server.post("/balance-monitors", told.json()).await;
    assert_eq!(again.status.as_u16(), 201, "{}", again.text);
    for same in ["condition", "conditions", "match", "trigger", "description", "meta_data"] {
        assert_eq!(again.json()[same], told.json()[same], "{same}");
    }
}

#[tokio::test]
async fn fields_have_rules() {
    let server = open();
    let a = server.balance().await;
    let of = |change: Value| {
        let condition = with(json!({"field": "balance", "operator": ">", "value": 1, "precision": 1}), change);
        monitor(&a, json!({"condition": condition}))
    };
    let condition = json!({"field": "balance", "operator": ">", "value": 1, "precision": 1});
    let other = with(condition.clone(), json!({"value": 2}));
    let blank =
        "field: cannot be blank; operator: cannot be blank; precision: cannot be blank; value: cannot be blank.";
    for (body, message) in [
        (json!({}), format!("balance_id: cannot be blank; condition: ({blank}).")),
        (of(json!({"field": "colour"})), "condition: (field: must be a valid value.).".to_owned()),
        (of(json!({"operator": "=="})), "condition: (operator: must be a valid value.).".to_owned()),
        (of(json!({"value": 0})), "condition: (value: cannot be blank.).".to_owned()),
        (of(json!({"value": 0.5})), "value: must be a whole number that fits into 64 bits".to_owned()),
        (of(json!({"precision": -1})), "condition: (precision: precision cannot be negative.).".to_owned()),
        (of(json!({"value": null, "precise_value": 0.5})), "precise_value must be a whole number".to_owned()),
        (monitor(&a, json!({"match": "some"})), "match: must be one of: all, any.".to_owned()),
        (monitor(&a, json!({"trigger": "rise"})), "trigger: must be one of: level, edge.".to_owned()),
        (monitor(&a, json!({"conditions": [condition, {}]})), format!("conditions: 1: ({blank}).")),
        (monitor(&a, json!({"conditions": [other]})), "condition: must be the first of conditions".to_owned()),
    ] {
        let told = server.post("/balance-monitors", body.clone()).await;
        told.is_error(400, "GEN_VALIDATION_ERROR", &message);
        assert_eq!(told.json()["errors"], told.json()["error_detail"]["message"], "{body}");
    }
    let wrong =
        [json!({"balance_id": 1}), of(json!({"value": "1"})), of(json!({"precision": "x"})), json!({"condition": []})];
    for body in wrong {
        assert_eq!(server.post("/balance-monitors", body).await.code(), "GEN_MALFORMED_REQUEST");
    }
    for unknown in ["x", "bln_00000000-0000-4000-8000-000000000000", &a.replace("bln_", "ldg_")] {
        let told = server.post("/balance-monitors", monitor(unknown, json!({}))).await;
        told.is_error(400, "GEN_BAD_REQUEST", "Invalid balance ID");
    }
    server.get("/balance-monitors").await.is(200, json!([]));
}

#[tokio::test]
async fn lengths_and_numbers_have_limits_on_both_sides() {
    let server = open();
    let a = server.balance().await;
    let text = |bytes: usize| "x".repeat(bytes);
    let metadata = |bytes: usize| json!({"k": text(bytes - r#"{"k":""}"#.len())});
    let condition = json!({"field": "balance", "operator": ">", "value": 1, "precision": 1});
    let conditions = |count: usize| json!({"condition": null, "conditions": vec![condition.clone(); count]});
    for (name, good, bad) in [
        (
            "description",
            json!({"description": text(DESCRIPTION_BYTES_MAX)}),
            json!({"description": text(DESCRIPTION_BYTES_MAX + 1)}),
        ),
        (
            "call_back_url",
            json!({"call_back_url": text(CALL_BACK_URL_BYTES_MAX)}),
            json!({"call_back_url": text(CALL_BACK_URL_BYTES_MAX + 1)}),
        ),
        (
            "meta_data",
            json!({"meta_data": metadata(METADATA_BYTES_MAX)}),
            json!({"meta_data": metadata(METADATA_BYTES_MAX + 1)}),
        ),
        ("conditions", conditions(MONITOR_CONDITIONS_MAX), conditions(MONITOR_CONDITIONS_MAX + 1)),
    ] {
        assert_eq!(server.post("/balance-monitors", monitor(&a, good)).await.status.as_u16(), 201, "{name}");
        server.post("/balance-monitors", monitor(&a, bad)).await.is_error(
            400,
            "GEN_VALIDATION_ERROR",
            &format!("{name}: cannot be"),
        );
    }
}

#[tokio::test]
async fn a_balance_has_so_many_monitors() {
    let server = open();
    let (a, b) = (server.balance().await, server.balance().await);
    let mut last = String::new();
    for _ in 0..MONITORS_PER_BALANCE_MAX {
        last = server.post("/balance-monitors", monitor(&a, json!({}))).await.field("monitor_id");
    }
    let message = "a balance cannot have more than 100 monitors";
    server.post("/balance-monitors", monitor(&a, json!({}))).await.is_error(400, "GEN_BAD_REQUEST", message);
    let other = server.post("/balance-monitors", monitor(&b, json!({}))).await.field("monitor_id");
    let path = format!("/balance-monitors/{other}");
    server.put(&path, monitor(&a, json!({}))).await.is_error(400, "GEN_BAD_REQUEST", message);
    // One of them may still be changed, and there is room again behind one that was deleted.
    assert_eq!(server.put(&format!("/balance-monitors/{last}"), monitor(&a, json!({}))).await.status.as_u16(), 200);
    server.delete(&format!("/balance-monitors/{last}")).await;
    assert_eq!(server.put(&path, monitor(&a, json!({}))).await.status.as_u16(), 200);
}
