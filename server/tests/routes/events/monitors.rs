//! What monitors tell in the feed.

use crate::books::payment;
use crate::support::{TestServer, open};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// All events, in pages of this size, as soon as everything is evaluated.
async fn all(server: &TestServer, limit: usize) -> Vec<Value> {
    let (mut events, mut next): (Vec<Value>, String) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("/events?after={next}&limit={limit}")).await.json();
        events.extend(page["events"].as_array().expect("a list").iter().cloned());
        next = page["next"].as_str().expect("a text").to_owned();
        if page["caught_up"] == true {
            if is_evaluated(server) {
                return events;
            }
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }
}

fn is_evaluated(server: &TestServer) -> bool {
    let books = server.state.books();
    books.monitors().known(books.rows.len()) != engine::monitors::Known::Later
}

async fn watch(server: &TestServer, balance: &str, operator: &str, value: i64, fields: Value) -> String {
    let condition = json!({"field": "balance", "operator": operator, "value": value, "precision": 100});
    let body = crate::books::with(json!({"balance_id": balance, "condition": condition}), fields);
    server.post("/balance-monitors", body).await.field("monitor_id")
}

async fn pay(server: &TestServer, from: &str, to: &str, amount: i64, reference: &str) {
    let pay = payment(from, to, json!({"amount": amount, "reference": reference, "allow_overdraft": true}));
    assert_eq!(server.post("/transactions", pay).await.status.as_u16(), 201);
}

/// Name, and reference or monitor, of events.
fn told(events: &[Value], names: &[(&str, &str)]) -> Vec<String> {
    let known = |id: &str| names.iter().find(|(_, known)| *known == id).map(|(name, _)| (*name).to_owned());
    let one = |event: &Value| {
        let data = &event["data"];
        match event["event"].as_str() {
            Some("balance.monitor") => known(data["monitor_id"].as_str()?),
            Some("balance.created") => None,
            _ => data["reference"].as_str().map(str::to_owned),
        }
    };
    events.iter().filter_map(one).collect()
}

#[tokio::test]
async fn a_monitor_that_fires_is_told_right_after_its_transaction() {
    let mut server = open();
    let (a, b) = (server.balance().await, server.balance().await);
    pay(&server, "@World", &a, 9, "before").await;
    let over = watch(&server, &a, ">", 10, json!({"description": "over ten"})).await;
    let once = watch(&server, &a, ">", 10, json!({"trigger": "edge"})).await;
    let equal = watch(&server, &b, "=", 5, json!({})).await;
    pay(&server, "@World", &a, 1, "ten").await;
    pay(&server, "@World", &a, 10, "twenty").await;
    pay(&server, &a, &b, 5, "both").await;
    pay(&server, &a, &b, 5, "out").await;
    let item = |number: u32, amount: u32| {
        let reference = format!("item {number}");
        payment("@World", &a, json!({"amount": amount, "reference": reference, "allow_overdraft": true}))
    };
    let batch = json!({"skip_queue": true, "atomic": true, "transactions": [item(1, 1), item(2, 100), item(3, 1)]});
    assert_eq!(server.post("/transactions/bulk", batch).await.status.as_u16(), 201);
    server
        .put(
            &format!("/balance-monitors/{over}"),
            json!({"balance_id": a, "condition": {"field": "balance", "operator": "<", "value": 0}}),
        )
        .await;
    server.delete(&format!("/balance-monitors/{once}")).await;
    pay(&server, &a, "@World", 500, "below").await;
    let wanted = [
        "before", "ten", "twenty", "over", "once", "both", "over", "equal", "out", "item 1", "over", "once", "item 2",
        "over", "item 3", "over", "below", "over",
    ];
    let names = [("over", over.as_str()), ("once", once.as_str()), ("equal", equal.as_str())];
    let whole = all(&server, 100).await;
    assert_eq!(told(&whole, &names), wanted);
    let ids: BTreeSet<&str> = whole.iter().filter_map(|event| event["id"].as_str()).collect();
    assert_eq!(ids.len(), whole.len(), "ids are distinct");
    // The monitor is told as it was then.
    let of = |events: &[Value]| -> Vec<Value> {
        events
            .iter()
            .filter(|event| event["data"]["monitor_id"] == over.as_str())
            .map(|one| one["data"].clone())
            .collect()
    };
    let data = of(&whole);
    let condition = json!({"value": 10, "precision": 100, "precise_value": 1000, "field": "balance", "operator": ">"});
    assert_eq!(data[0]["condition"], condition);
    assert_eq!((&data[0]["description"], &data[0]["balance_id"]), (&json!("over ten"), &json!(a)));
    assert_eq!(data.last().map(|last| &last["condition"]["precise_value"]), Some(&json!(0)));
    // Pages of any size, after a restart, and when everything derived is gone.
    for limit in [1, 2, 3, 5] {
        assert_eq!(all(&server, limit).await, whole, "{limit}");
    }
    let settings = server.state.settings().clone();
    server = server.restarted(settings.clone());
    assert_eq!(all(&server, 4).await, whole, "after a restart");
    server = server.crashed(settings);
    assert_eq!(all(&server, 4).await, whole, "after a crash");
    // A cursor in the middle of a record leads on from there.
    for (number, event) in whole.iter().enumerate() {
        let after = event["cursor"].as_str().expect("a text");
        let page = server.get(&format!("/events?after={after}&limit=1000")).await.json();
        assert_eq!(page["events"].as_array().expect("a list"), &whole[number + 1..], "after {number}");
    }
}

/// A record may make more events of monitors than a page has.
#[tokio::test]
async fn many_that_fire_because_of_one_record_are_told_page_by_page() {
    let server = open();
    let a = server.balance().await;
    for _ in 0..7 {
        watch(&server, &a, ">", -1, json!({})).await;
    }
    let item =
        |number: u32| payment("@World", &a, json!({"reference": format!("item {number}"), "allow_overdraft": true}));
    let items: Vec<Value> = (0..40).map(item).collect();
    server.post("/transactions/bulk", json!({"skip_queue": true, "transactions": items})).await;
    let whole = all(&server, 1000).await;
    // Two balances, and eight events for each item.
    assert_eq!(whole.len(), 2 + 40 * 8);
    for (number, event) in whole[2..].iter().enumerate() {
        let wanted = if number % 8 == 0 { "transaction.applied" } else { "balance.monitor" };
        assert_eq!(event["event"], wanted, "{number}");
    }
    for limit in [1, 6, 8, 9, 50] {
        assert_eq!(all(&server, limit).await, whole, "{limit}");
    }
}

#[tokio::test]
async fn who_waits_is_woken_by_a_monitor() {
    let server = open();
    let a = server.balance().await;
    watch(&server, &a, ">", 1, json!({})).await;
    let next = all(&server, 100).await.last().and_then(|last| last["cursor"].as_str()).unwrap_or_default().to_owned();
    let path = format!("/events?after={next}&wait=20");
    let (page, ()) = tokio::join!(server.get(&path), pay(&server, "@World", &a, 2, "p"));
    let events = page.json()["events"].as_array().expect("a list").clone();
    assert!(!events.is_empty(), "it came before the time was over");
    let whole = all(&server, 100).await;
    assert_eq!(whole.last().map(|last| &last["event"]), Some(&json!("balance.monitor")));
}
