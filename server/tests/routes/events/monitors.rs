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

/// Every row that changes figures makes an event, and no other row fires: what fires stands behind an event of its own balance,
/// whatever was recorded.
#[tokio::test]
async fn what_fires_stands_behind_what_it_fired_because_of() {
    let server = open();
    let a = crate::routes::balances::id::lineage::get::of_ada(&server, "FIFO").await;
    let b = server.balance().await;
    pay(&server, "@World", &b, 1, "first").await;
    for balance in [&a, &b] {
        watch(&server, balance, ">", -1_000_000_000, json!({})).await;
    }
    let tag = json!({"amount": 50, "reference": "in", "allow_overdraft": true, "meta_data": {"BLNK_LINEAGE_PROVIDER": "stripe"}});
    let post = async |fields: Value| server.post("/transactions", payment(&a, &b, fields)).await;
    assert_eq!(server.post("/transactions", payment("@World", &a, tag)).await.status.as_u16(), 201);
    post(json!({"reference": "now"})).await;
    post(json!({"reference": "queued", "skip_queue": false})).await;
    post(json!({"reference": "refused", "skip_queue": false, "amount": 1_000_000})).await;
    let parts = json!([{"identifier": b, "distribution": "50%"}, {"identifier": "@Shop", "distribution": "left"}]);
    post(json!({"reference": "split", "destination": null, "destinations": parts})).await;
    let refunded = post(json!({"reference": "to refund"})).await.field("transaction_id");
    server.post(&format!("/refund-transaction/{refunded}"), json!({"skip_queue": true})).await;
    let hold = post(json!({"reference": "hold", "inflight": true, "amount": 5})).await.field("transaction_id");
    let path = format!("/transactions/inflight/{hold}");
    for change in [json!({"amount": 6}), json!({"amount": 4}), json!({"inflight_expiry_date": "2027-01-01T00:00:00Z"})]
    {
        let told = server.patch(&path, change).await;
        assert!(told.status.is_success(), "{}", told.text);
    }
    server.put(&path, json!({"status": "commit", "amount": 1})).await;
    server.put(&path, json!({"status": "void"})).await;
    for (reference, due) in [("runs", "2026-11-01T00:00:00Z"), ("called off", "2026-12-01T00:00:00Z")] {
        let id = server.schedule(&a, &b, reference, due, json!({})).await;
        if reference == "called off" {
            assert!(server.delete(&format!("/transactions/scheduled/{id}")).await.status.is_success());
        }
    }
    let held = json!({"reference": "expires", "inflight": true, "inflight_expiry_date": "2026-11-02T00:00:00Z"});
    assert_eq!(post(held).await.status.as_u16(), 201);
    server.pass("2026-11-03T00:00:00Z").await;
    let item = |reference: &str, amount: u64| {
        payment(&a, &b, json!({"reference": reference, "amount": amount, "skip_queue": null}))
    };
    for (atomic, name) in [(true, "whole"), (false, "each")] {
        let items = [item(&format!("{name} 1"), 1), item(&format!("{name} 2"), 1_000_000)];
        server.post("/transactions/bulk", json!({"atomic": atomic, "transactions": items})).await;
    }
    let events = all(&server, 1000).await;
    let mut checked = 0;
    let mut before: Option<&Value> = None;
    let mut fired: Vec<String> = Vec::new();
    // One more, so that the last is looked at too.
    for event in events.iter().chain([&json!({"event": "end"})]) {
        if event["event"] == "balance.monitor" {
            fired.push(event["data"]["balance_id"].as_str().expect("an id").to_owned());
            continue;
        }
        if let Some(before) = before {
            let (data, name) = (&before["data"], before["event"].as_str().unwrap_or_default());
            let nothing = name == "transaction.rejected" || data["reference"] == "called off_q";
            let mut wanted: Vec<&str> = [&data["source"], &data["destination"]]
                .into_iter()
                .filter_map(Value::as_str)
                .filter(|side| !nothing && name.starts_with("transaction.") && (*side == a || *side == b))
                .collect();
            if data["reference"] == "first" {
                wanted.clear();
            }
            assert_eq!(fired, wanted, "behind {before}");
            checked += fired.len();
        }
        (before, fired) = (Some(event), Vec::new());
    }
    assert!(checked > 25, "{checked}");
}
