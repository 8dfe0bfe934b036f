use super::post::owned;
use crate::support::open;
use serde_json::{Value, json};

/// Every column finds what it should, alone and with the others, and sorts.
#[tokio::test]
async fn finds_accounts_by_every_column() {
    let server = open();
    let (ada, first) = owned(&server, json!({"first_name": "Ada", "last_name": "Obi"})).await;
    let (_, second) = owned(&server, json!({"identity_type": "organization", "organization_name": "Acme"})).await;
    let one = json!({"balance_id": first, "number": "0123", "bank_name": "First Bank", "meta_data": {"tier": "gold"}});
    let one = server.post("/accounts", one).await.json();
    server.pass("2026-03-05T00:00:00Z").await;
    let two = server
        .post("/accounts", json!({"balance_id": second, "number": "0200", "bank_name": "Second Bank"}))
        .await
        .json();
    let filter = async |filters: Value, more: Value| {
        let mut body = json!({"filters": filters});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        server.post("/accounts/filter", body).await.json()
    };
    for (field, operator, value) in [
        ("account_id", "eq", one["account_id"].clone()),
        ("name", "eq", json!("Ada Obi")),
        ("name", "ilike", json!("%OBI")),
        ("number", "eq", json!("0123")),
        ("number", "lt", json!("02")),
        ("bank_name", "like", json!("First%")),
        ("identity_id", "eq", json!(ada)),
        ("balance_id", "eq", json!(first)),
        ("created_at", "lt", json!("2026-03-05")),
        ("meta_data.tier", "eq", json!("gold")),
    ] {
        let found = filter(json!([{"field": field, "operator": operator, "value": value}]), json!({})).await;
        assert_eq!(found, json!([one]), "{field} {operator}");
    }
    for field in ["currency", "ledger_id"] {
        let found = filter(json!([{"field": field, "operator": "eq", "value": one[field]}]), json!({})).await;
        assert_eq!(found, json!([two, one]), "{field}");
    }
    for field in ["name", "number", "bank_name", "created_at"] {
        let rising = filter(json!([]), json!({"sort_by": field, "sort_order": "asc"})).await;
        let wanted = if field == "name" { json!([two, one]) } else { json!([one, two]) };
        assert_eq!(rising, wanted, "{field}");
    }
    let counted = filter(json!([]), json!({"limit": 1, "include_count": true})).await;
    assert_eq!(counted, json!({"data": [two], "total_count": 2}));
    let none = json!([{"field": "number", "operator": "eq", "value": "9"}]);
    assert_eq!(filter(none.clone(), json!({})).await, json!([]));
    assert_eq!(filter(none, json!({"include_count": true})).await, json!({"data": [], "total_count": 0}));
    let bad = filter(json!([{"field": "nonsense", "operator": "eq", "value": 1}]), json!({})).await;
    assert_eq!(bad["error_detail"]["code"], "GEN_BAD_REQUEST");
}
