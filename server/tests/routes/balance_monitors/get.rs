use crate::support::open;
use serde_json::{Value, json};

fn monitor(balance: &str, value: i64) -> Value {
    json!({"balance_id": balance, "condition": {"field": "balance", "operator": ">", "value": value, "precision": 100}})
}

fn values(list: &Value) -> Vec<i64> {
    let list = list.as_array().expect("a list");
    list.iter().map(|one| one["condition"]["value"].as_i64().expect("a number")).collect()
}

/// Lists are complete, in order, and the same after a restart, whatever of the folder is left.
#[tokio::test]
async fn all_monitors_and_those_of_a_balance_are_listed() {
    let mut server = open();
    let (a, b) = (server.balance().await, server.balance().await);
    server.get("/balance-monitors").await.is(200, json!([]));
    let mut ids = Vec::new();
    for (balance, value) in [(&a, 1), (&b, 2), (&a, 3), (&a, 4)] {
        ids.push(server.post("/balance-monitors", monitor(balance, value)).await.field("monitor_id"));
    }
    server.delete(&format!("/balance-monitors/{}", ids[2])).await;
    // It keeps its place among the others when it moves to another balance.
    server.put(&format!("/balance-monitors/{}", ids[1]), monitor(&a, 20)).await;
    let settings = server.state.settings().clone();
    for _ in 0..2 {
        assert_eq!(values(&server.get("/balance-monitors").await.json()), [1, 20, 4]);
        assert_eq!(values(&server.get(&format!("/balance-monitors/balances/{a}")).await.json()), [1, 20, 4]);
        for none in [b.as_str(), "x", "bln_00000000-0000-4000-8000-000000000000"] {
            server.get(&format!("/balance-monitors/balances/{none}")).await.is(200, json!([]));
        }
        let listed = server.get("/balance-monitors").await.json();
        for one in listed.as_array().expect("a list") {
            let id = one["monitor_id"].as_str().expect("a text");
            assert_eq!(server.get(&format!("/balance-monitors/{id}")).await.json(), *one);
        }
        server = server.crashed(settings.clone());
    }
}
