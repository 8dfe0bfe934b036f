use crate::books::{payment, with};
use crate::support::labels::labelled;
use crate::support::{NOW, TestServer, open, secure};
use serde_json::{Value, json};
use server::feed::page::{EVENTS_MAX, RECORDS_MAX, TEXT_BYTES_MAX};
use server::http::events::WAIT_SECONDS_MAX;
use std::path::Path;
use std::sync::atomic::Ordering;

/// All events after a cursor, in pages of this size, and the cursor behind them.
async fn follow(server: &TestServer, after: &str, limit: usize) -> (Vec<Value>, String) {
    let (mut events, mut next) = (Vec::new(), after.to_owned());
    loop {
        let told = server.get(&format!("/events?after={next}&limit={limit}")).await;
        assert_eq!(told.status.as_u16(), 200, "{}", told.text);
        let page = told.json();
        let some = page["events"].as_array().expect("a list");
        assert!(some.len() <= limit, "a page has at most what was asked for");
        if some.len() == limit {
            // Behind the last of a shorter page there may be records that tell nothing.
            assert_eq!(page["next"], some[limit - 1]["cursor"]);
        }
        events.extend(some.iter().cloned());
        let before = std::mem::replace(&mut next, told.field("next"));
        if page["caught_up"] == true {
            return (events, next);
        }
        assert_ne!(next, before, "every page goes on");
    }
}

/// All events from the first one on.
async fn all(server: &TestServer) -> Vec<Value> {
    follow(server, "", 100).await.0
}

fn names(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["event"].as_str().expect("a name")).collect()
}

fn references(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event["data"]["reference"].as_str()).collect()
}

/// Something of every kind that makes events, and much that makes none.
async fn history(server: &TestServer) -> Vec<&'static str> {
    let ledger = server.post("/ledgers", json!({"name": "Books", "meta_data": {"b": 1, "a": 2}})).await;
    let ledger = ledger.field("ledger_id");
    let identity = server.post("/identities", json!({"first_name": "Ada"})).await.field("identity_id");
    let shop = json!({"ledger_id": ledger, "currency": "USD", "identity_id": identity});
    let shop = server.post("/balances", shop).await.field("balance_id");
    let fund = payment("@World", &shop, json!({"reference": "fund", "amount": 100, "allow_overdraft": true}));
    server.post("/transactions", fund).await;
    server.put(&format!("/ledgers/{ledger}"), json!({"name": "More books"})).await;
    let refused = payment(&shop, "@Fees", json!({"reference": "refused", "amount": 1000}));
    assert_eq!(server.post("/transactions", refused).await.status.as_u16(), 400);
    let queued = payment(&shop, "@Fees", json!({"reference": "queued", "skip_queue": null}));
    server.post("/transactions", queued).await;
    let rejected = payment(&shop, "@Fees", json!({"reference": "rejected", "amount": 1000, "skip_queue": null}));
    server.post("/transactions", rejected).await;
    let hold = server.hold(&shop, "@Fees", "hold").await;
    server.put(&format!("/transactions/inflight/{hold}"), json!({"status": "commit", "amount": 4})).await;
    server.put(&format!("/transactions/inflight/{hold}"), json!({"status": "void"})).await;
    let paid = server.post("/transactions", payment(&shop, "@Fees", json!({"reference": "paid"}))).await;
    let refund = format!("/refund-transaction/{}", paid.field("transaction_id"));
    assert_eq!(server.post(&refund, json!({"skip_queue": true})).await.status.as_u16(), 201);
    let later = json!({"reference": "later", "skip_queue": null, "scheduled_for": "2026-03-05T00:00:00Z"});
    assert_eq!(server.post("/transactions", payment(&shop, "@Fees", later)).await.status.as_u16(), 201);
    let item =
        |number: u32| payment(&shop, "@Tips", json!({"reference": format!("item {number}"), "skip_queue": null}));
    let batch = json!({"skip_queue": true, "transactions": [item(1), item(2), item(3)]});
    assert_eq!(server.post("/transactions/bulk", batch).await.status.as_u16(), 201);
    let dear = with(item(5), json!({"amount": 1000}));
    let batch = json!({"atomic": true, "transactions": [item(4), dear]});
    assert_eq!(server.post("/transactions/bulk", batch).await.status.as_u16(), 201);
    vec![
        "ledger.created",
        "identity.created",
        "balance.created",
        "balance.created",
        "transaction.applied",
        "ledger.created",
        "balance.created",
        "transaction.applied",
        "transaction.rejected",
        "transaction.inflight",
        "transaction.applied",
        "transaction.void",
        "transaction.applied",
        "transaction.applied",
        "balance.created",
        "transaction.applied",
        "transaction.applied",
        "transaction.applied",
        "transaction.rejected",
        "transaction.rejected",
        "bulk_transaction.failed",
    ]
}

#[tokio::test]
async fn events_come_in_the_order_of_the_journal() {
    let server = open();
    let wanted = history(&server).await;
    let events = all(&server).await;
    assert_eq!(names(&events), wanted);
    let refund = events[13]["data"]["reference"].as_str().expect("a text").to_owned();
    assert!(refund.ends_with("_refund"), "{refund}");
    let mut told = references(&events);
    told.retain(|reference| !reference.contains("_act_"));
    let wanted = [
        "fund",
        "queued_q",
        "rejected_q",
        "hold",
        "paid",
        &refund,
        "item 1",
        "item 2",
        "item 3",
        "item 4_q",
        "item 5_q",
    ];
    assert_eq!(told, wanted);
}

/// Whatever the size of the pages, and wherever the server is stopped in between.
#[tokio::test]
async fn nothing_is_lost_or_doubled_on_pages_of_any_size_and_across_restarts() {
    let mut server = open();
    history(&server).await;
    let whole = all(&server).await;
    for limit in [1, 2, 3, 7, 1000] {
        assert_eq!(follow(&server, "", limit).await.0, whole, "{limit}");
    }
    let mut ids: Vec<&Value> = whole.iter().map(|event| &event["id"]).collect();
    ids.sort_by_key(|id| id.to_string());
    ids.dedup();
    assert_eq!(ids.len(), whole.len(), "ids are distinct");
    for (number, event) in whole.iter().enumerate() {
        if number % 4 == 0 {
            let settings = server.state.settings().clone();
            server = server.restarted(settings);
        }
        let cursor = event["cursor"].as_str().expect("a text");
        assert_eq!(follow(&server, cursor, 5).await.0, whole[number + 1..], "after {number}");
    }
    // What comes later does not change what was there.
    let (_, next) = follow(&server, "", 100).await;
    let late = payment("@World", "@Late", json!({"reference": "late", "allow_overdraft": true}));
    server.post("/transactions", late).await;
    let (new, _) = follow(&server, &next, 1).await;
    assert_eq!(names(&new), ["balance.created", "transaction.applied"]);
    let everything = all(&server).await;
    assert_eq!(everything, [whole, new].concat());
}

#[tokio::test]
async fn an_empty_journal_has_no_events() {
    let server = open();
    server.get("/events").await.is(200, json!({"events": [], "next": "", "caught_up": true}));
    server.get("/events?after=").await.is(200, json!({"events": [], "next": "", "caught_up": true}));
}

#[tokio::test]
async fn what_waits_makes_no_event_until_its_time() {
    let server = open();
    let later = json!({"reference": "later", "skip_queue": null, "allow_overdraft": true, "inflight": true, "scheduled_for": "2026-03-05T00:00:00Z"});
    server.post("/transactions", payment("@World", "@Shop", later)).await;
    let (events, next) = follow(&server, "", 100).await;
    assert_eq!(names(&events), ["balance.created", "balance.created"]);
    let told = server.get(&format!("/events?after={next}")).await;
    told.is(200, json!({"events": [], "next": next, "caught_up": true}));
    server.clock.fetch_add(86_400_000_000, Ordering::Relaxed);
    // The writer looks at the clock when it is asked something, or after a second.
    let told = server.get(&format!("/events?after={next}&wait=30")).await.json();
    let data = &told["events"][0]["data"];
    assert_eq!(told["events"][0]["event"], "transaction.inflight");
    assert_eq!(
        [&data["reference"], &data["scheduled_for"], &data["allow_overdraft"], &data["skip_queue"], &data["inflight"]],
        [&json!("later_q"), &json!("2026-03-05T00:00:00Z"), &json!(true), &json!(false), &json!(true)]
    );
}

#[tokio::test]
async fn cursors_of_no_event_are_refused() {
    let server = open();
    history(&server).await;
    let events = all(&server).await;
    let cursor = |number: usize| events[number]["cursor"].as_str().expect("a text");
    let parts: Vec<&str> = cursor(6).split('-').collect();
    let [seq, position, taken, mark] = parts[..] else { panic!("a cursor has four parts") };
    let next = |number: &str| number.parse::<u64>().expect("a number") + 1;
    let other = open();
    other.post("/ledgers", json!({"name": "another"})).await;
    let foreign = all(&other).await[0]["cursor"].as_str().expect("a text").to_owned();
    for bad in [
        "x".to_owned(),
        "0-0-0-00000000".to_owned(),
        format!("{seq}-{position}-{taken}"),
        format!("{}-{position}-{taken}-{mark}", next(seq)),
        format!("{seq}-{}-{taken}-{mark}", next(position)),
        format!("{seq}-{}-{taken}-{mark}", next(position) + 7),
        format!("{seq}-{}-{taken}-{mark}", u64::MAX),
        format!("{seq}-{position}-3-{mark}"),
        format!("{seq}-{position}-{}-{mark}", u64::MAX),
        format!("{seq}-{position}-{taken}-00000000"),
        format!("9999-9999999-0-{mark}"),
        "%00".to_owned(),
        "a".repeat(10_000),
        foreign,
    ] {
        let told = server.get(&format!("/events?after={bad}")).await;
        told.is_error(400, "GEN_BAD_REQUEST", "after: ");
        let told = server.get(&format!("/events?after={bad}&wait=30")).await;
        told.is_error(400, "GEN_BAD_REQUEST", "after: ");
    }
    // Before the first and behind the last event of a record.
    for good in [format!("{seq}-{position}-0-{mark}"), format!("{seq}-{position}-2-{mark}")] {
        assert_eq!(server.get(&format!("/events?after={good}")).await.status.as_u16(), 200, "{good}");
    }
}

#[tokio::test]
async fn numbers_have_limits_on_both_sides() {
    let server = open();
    // Nobody waits when there is something to tell.
    server.balance().await;
    for (name, good, bad) in [
        (
            "limit",
            ["1", &EVENTS_MAX.to_string()],
            ["0", &(EVENTS_MAX + 1).to_string(), "-1", "x", "", "1.5", "18446744073709551616"],
        ),
        (
            "wait",
            ["0", &WAIT_SECONDS_MAX.to_string()],
            [&(WAIT_SECONDS_MAX + 1).to_string(), "-1", "x", "", "0.5", "1e1", "18446744073709551616"],
        ),
    ] {
        for text in good {
            assert_eq!(server.get(&format!("/events?{name}={text}")).await.status.as_u16(), 200, "{name}={text}");
        }
        for text in bad {
            let told = server.get(&format!("/events?{name}={text}")).await;
            told.is_error(400, "GEN_BAD_REQUEST", &format!("{name}: "));
        }
    }
    let batch: Vec<Value> = (0..1_001)
        .map(|number| payment("@World", "@Shop", json!({"reference": number.to_string(), "allow_overdraft": true})))
        .collect();
    server.post("/transactions/bulk", json!({"skip_queue": true, "transactions": batch})).await;
    for (query, count) in [("", 100), ("?limit=1000", 1_000), ("?limit=1", 1)] {
        let told = server.get(&format!("/events{query}")).await.json();
        assert_eq!((told["events"].as_array().map(Vec::len), &told["caught_up"]), (Some(count), &json!(false)));
    }
    let (events, _) = follow(&server, "", 999).await;
    assert_eq!(references(&events), (0..1_001).map(|number: u32| number.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_page_of_large_texts_is_shorter() {
    let server = open();
    let note = "x".repeat(200_000);
    let count = TEXT_BYTES_MAX / note.len() + 5;
    for number in 0..count {
        let fields = json!({"reference": number.to_string(), "allow_overdraft": true, "meta_data": {"note": note}});
        assert_eq!(server.post("/transactions", payment("@World", "@Shop", fields)).await.status.as_u16(), 201);
    }
    let told = server.get("/events?limit=1000").await;
    assert!(told.text.len() < TEXT_BYTES_MAX + 400_000, "{} bytes", told.text.len());
    assert_eq!(told.json()["caught_up"], false);
    assert_eq!(follow(&server, "", 1000).await.0.len(), count + 2);
}

#[tokio::test]
async fn records_without_events_are_passed_over_some_at_a_time() {
    let server = open();
    let later = |number: usize| json!({"reference": number.to_string(), "skip_queue": null, "scheduled_for": "2030-01-01T00:00:00Z"});
    for number in 0..RECORDS_MAX + 1 {
        server.post("/transactions", payment("@World", "@Shop", later(number))).await;
    }
    let told = server.get("/events").await;
    assert_eq!(told.json()["events"].as_array().map(Vec::len), Some(2), "the two balances");
    assert_eq!(told.json()["caught_up"], false);
    let next = told.field("next");
    assert!(next.starts_with(&format!("{RECORDS_MAX}-")), "{next}");
    assert_eq!(server.get(&format!("/events?after={next}")).await.json()["caught_up"], true);
}

#[tokio::test]
async fn who_waits_is_told_at_once() {
    let server = open();
    server.funded(1).await;
    let (_, next) = follow(&server, "", 100).await;
    let path = format!("/events?after={next}&wait=30");
    let began = std::time::Instant::now();
    let (told, ()) = tokio::join!(server.get(&path), async {
        tokio::task::yield_now().await;
        server.post("/ledgers", json!({"name": "new"})).await;
    });
    assert_eq!(names(told.json()["events"].as_array().expect("a list")), ["ledger.created"]);
    assert!(began.elapsed().as_secs() < 20);
    // Nothing comes: the answer is an empty page after the time.
    let next = told.field("next");
    let waiting = std::time::Instant::now();
    let told = server.get(&format!("/events?after={next}&wait=1")).await;
    assert!(waiting.elapsed().as_millis() >= 1_000);
    told.is(200, json!({"events": [], "next": next, "caught_up": true}));
    // Nobody holds up a stop.
    let path = format!("/events?after={next}&wait=30");
    let (told, ()) = tokio::join!(server.get(&path), async { server.state.growth().stop() });
    assert_eq!(told.status.as_u16(), 200);
    assert!(began.elapsed().as_secs() < 20);
}

#[tokio::test]
async fn it_needs_a_key() {
    let told = secure().ask_with("GET", "/events", &[], "").await;
    told.is_error(401, "AUTH_MISSING_API_KEY", "");
}

/// What the reference server delivered, of this name.
fn recorded(case: &str, name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../conformance/golden/webhooks.{case}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let calls: Value = serde_json::from_str(&text).expect("recorded answers are JSON");
    let call = format!("received {name}");
    let found = calls.as_array().expect("a list").iter().find(|one| one["call"] == call.as_str());
    let found = found.unwrap_or_else(|| panic!("{call} in {case}"));
    let data = &found["answer"][0]["body"]["data"];
    assert!(data.is_object(), "{found}");
    data.clone()
}

/// The same in both: ids and hashes by kind only, numbers as text, and times for `<time>`.
fn plain(data: &Value) -> Value {
    let kind = |text: &str| match text.split_once(' ') {
        Some((kind, number)) if kind.starts_with('<') && number.ends_with('>') => format!("{kind}>"),
        _ => text.replace("<time>", NOW).replace("<run>", ""),
    };
    match data {
        Value::String(text) => match text.strip_prefix('#') {
            Some(number) => number.into(),
            None => kind(text).into(),
        },
        Value::Number(number) => number.to_string().into(),
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), plain(value))).collect(),
        other => other.clone(),
    }
}

/// The data of the one event of this name, as it stands in the answer.
fn data_of(text: &str, name: &str) -> String {
    let marker = format!("\"event\":\"{name}\"");
    assert_eq!(text.matches(&marker).count(), 1, "{name} once in {text}");
    let rest = &text[text.find(&marker).expect("it was just counted")..];
    let rest = &rest[rest.find("\"data\":").expect("every event has data") + 7..];
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
    values.next().expect("data is a value").expect("data is JSON");
    rest[..values.byte_offset()].to_owned()
}

/// The keys of an object in the order of its text.
fn keys(text: &str) -> Vec<String> {
    let mut keys: Vec<(usize, String)> = serde_json::from_str::<serde_json::Map<String, Value>>(text)
        .expect("an object")
        .keys()
        .map(|key| (text.find(&format!("\"{key}\":")).expect("it is there"), key.clone()))
        .collect();
    keys.sort();
    keys.into_iter().map(|(_, key)| key).collect()
}

/// Data as the reference server delivered it; `besides` is not compared, as the reference is not stable there.
#[track_caller]
fn is_as_recorded(told: &str, case: &str, name: &str, besides: &[&str]) {
    let data = data_of(told, name);
    let mut sorted = keys(&data);
    sorted.sort();
    assert_eq!(keys(&data), sorted, "keys are in order");
    let (mut ours, mut theirs) = (plain(&labelled(&data)), plain(&recorded(case, name)));
    for key in besides {
        ours.as_object_mut().expect("an object").remove(*key);
        theirs.as_object_mut().expect("an object").remove(*key);
    }
    assert_eq!(ours, theirs, "{name} of {case}");
}

#[tokio::test]
async fn data_is_as_the_reference_server_delivers_it() {
    let server = open();
    let mut next = String::new();
    let mut told = async |server: &TestServer| {
        let told = server.get(&format!("/events?after={next}")).await;
        next = told.field("next");
        told.text
    };
    server.post("/ledgers", json!({"name": "Case "})).await;
    is_as_recorded(&told(&server).await, "ledger", "ledger.created", &[]);
    server.post("/identities", json!({"first_name": "Ada"})).await;
    is_as_recorded(&told(&server).await, "identity", "identity.created", &[]);
    let ledger = server.post("/ledgers", json!({"name": "x"})).await.field("ledger_id");
    told(&server).await;
    let balance = server.post("/balances", json!({"ledger_id": ledger, "currency": "USD"})).await.field("balance_id");
    is_as_recorded(&told(&server).await, "balance", "balance.created", &["version"]);
    let case = |fields: Value| with(json!({"precision": 100, "currency": "USD", "description": "case"}), fields);
    let applied = json!({"reference": "t1-", "source": "@World", "destination": balance, "skip_queue": true, "amount": 12.5, "allow_overdraft": true});
    server.post("/transactions", case(applied)).await;
    is_as_recorded(&told(&server).await, "applied", "transaction.applied", &[]);
    let other = server.balance().await;
    told(&server).await;
    let hold = json!({"reference": "t2-", "source": balance, "destination": other, "skip_queue": true, "amount": 1, "inflight": true, "meta_data": {"order": 7}});
    let hold = server.post("/transactions", case(hold)).await.field("transaction_id");
    is_as_recorded(&told(&server).await, "hold", "transaction.inflight", &[]);
    let path = format!("/transactions/inflight/{hold}");
    server.put(&path, json!({"status": "commit", "skip_queue": true, "amount": 0.5})).await;
    is_as_recorded(&told(&server).await, "hold", "transaction.applied", &["meta_data"]);
    server.put(&path, json!({"status": "void", "skip_queue": true})).await;
    let void: Value = serde_json::from_str(&data_of(&told(&server).await, "transaction.void")).expect("JSON");
    assert_eq!((&void["status"], &void["precise_amount"]), (&json!("VOID"), &json!(50)));
    assert_eq!((&void["parent_transaction"], &void["inflight"]), (&json!(hold), &json!(false)));
}

#[tokio::test]
async fn outcomes_of_the_queue_are_told_once() {
    let server = open();
    let (poor, other) = (server.balance().await, server.balance().await);
    let (_, next) = follow(&server, "", 100).await;
    let request = payment(
        &poor,
        &other,
        json!({"reference": "no", "skip_queue": null, "inflight": true, "meta_data": {"order": 7}}),
    );
    let request = server.post("/transactions", request).await.field("transaction_id");
    let (events, next) = follow(&server, &next, 100).await;
    assert_eq!(names(&events), ["transaction.rejected"]);
    let data = &events[0]["data"];
    assert_eq!([&data["status"], &data["reference"], &data["parent_transaction"]], ["REJECTED", "no_q", &request]);
    assert_eq!(
        data["meta_data"],
        json!({
            "order": 7,
            "inflight": true,
            "QUEUED_PARENT_TRANSACTION": request,
            "blnk_rejection_reason": "failed to apply transaction to balances: insufficient funds in source balance",
        })
    );
    let request = payment(
        "@World",
        &other,
        json!({"reference": "yes", "skip_queue": null, "allow_overdraft": true, "overdraft_limit": 20.5}),
    );
    let request = server.post("/transactions", request).await.field("transaction_id");
    let (events, _) = follow(&server, &next, 100).await;
    assert_eq!(names(&events), ["balance.created", "transaction.applied"]);
    assert_eq!(
        [&events[0]["data"]["ledger_id"], &events[0]["data"]["indicator"], &events[0]["data"]["balance_id"]],
        [&json!("general_ledger_id"), &json!("@World"), &events[1]["data"]["source"]]
    );
    let data = &events[1]["data"];
    assert_eq!([&data["status"], &data["reference"], &data["parent_transaction"]], ["APPLIED", "yes_q", &request]);
    assert_eq!(
        [&data["skip_queue"], &data["allow_overdraft"], &data["overdraft_limit"]],
        [&json!(false), &json!(true), &json!(20.5)]
    );
}

#[tokio::test]
async fn a_whole_that_fails_in_the_queue_is_told_after_its_parts() {
    let server = open();
    let (rich, other) = (server.funded(1_000).await, server.balance().await);
    let (_, next) = follow(&server, "", 100).await;
    let item = |reference: &str, amount: u32| {
        payment(&rich, &other, json!({"reference": reference, "amount": amount, "skip_queue": null}))
    };
    let batch = json!({"atomic": true, "transactions": [item("one", 1), item("two", 100)]});
    let batch = server.post("/transactions/bulk", batch).await.field("batch_id");
    let (events, next) = follow(&server, &next, 100).await;
    assert_eq!(names(&events), ["transaction.rejected", "transaction.rejected", "bulk_transaction.failed"]);
    let error = "failed to apply transaction to balances: insufficient funds in source balance. All transactions in this batch have been refused.";
    assert_eq!(events[2]["data"], json!({"batch_id": batch, "status": "failed", "timestamp": NOW, "error": error}));
    let split = json!({
        "reference": "split", "source": rich, "amount": 100, "precision": 100, "currency": "USD", "description": "d", "atomic": true,
        "destinations": [{"identifier": other, "distribution": "50%"}, {"identifier": "@Fees", "distribution": "left"}],
    });
    let split = server.post("/transactions", split).await.field("transaction_id");
    let (events, next) = follow(&server, &next, 100).await;
    assert_eq!(names(&events), ["transaction.rejected", "transaction.rejected", "bulk_transaction.failed"]);
    assert_eq!(events[2]["data"]["batch_id"], json!(split));
    // Others do not fail as a whole.
    let batch = json!({"transactions": [item("three", 1), item("four", 100)]});
    server.post("/transactions/bulk", batch).await;
    let (events, _) = follow(&server, &next, 100).await;
    assert_eq!(names(&events), ["transaction.applied", "transaction.rejected"]);
}

/// An atomic batch that was scheduled is told as failed when it runs, with the id that it was answered with; each moment of it
/// stands for itself.
#[tokio::test]
async fn a_scheduled_whole_fails_when_it_runs() {
    let server = open();
    let (poor, other) = (server.funded(100).await, server.balance().await);
    let item = |reference: &str, amount: i64, due: &str| {
        let fields = json!({"reference": reference, "amount": amount, "skip_queue": null, "scheduled_for": due});
        payment(&poor, &other, fields)
    };
    let (first, second) = ("2026-03-04T10:12:00Z", "2026-03-04T10:12:01Z");
    let batch = |atomic: bool, items: Vec<Value>| json!({"atomic": atomic, "transactions": items});
    let parts =
        [item("a", 1, first), item("b", 100, first), item("c", 99, second), item("d", 1, "2026-03-04T10:12:02Z")];
    let atomic = server.post("/transactions/bulk", batch(true, parts.to_vec())).await.field("batch_id");
    let (_, next) = follow(&server, "", 100).await;
    let run = async |next: &str, seconds: i64, count: usize| {
        server.clock.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
        let mut events = Vec::new();
        while events.len() < count {
            (events, _) = follow(&server, next, 100).await;
            tokio::task::yield_now().await;
        }
        follow(&server, next, 100).await
    };
    let (events, next) = run(&next, 50, 6).await;
    assert_eq!(
        names(&events),
        [
            "transaction.rejected",
            "transaction.rejected",
            "bulk_transaction.failed",
            "transaction.rejected",
            "bulk_transaction.failed",
            "transaction.applied",
        ]
    );
    for at in [2, 4] {
        let data = &events[at]["data"];
        let error = "failed to apply transaction to balances: insufficient funds in source balance. All transactions of this batch that were \
                     due with it have been refused.";
        assert_eq!(
            (&data["batch_id"], &data["status"], &data["error"]),
            (&json!(atomic), &json!("failed"), &json!(error))
        );
        assert_eq!(data["timestamp"], events[at]["created_at"]);
    }
    // Items of an independent batch do not fail as a whole, nor what is called off.
    let items = vec![item("e", 100, "2026-03-04T10:13:00Z"), item("f", 100, "2026-03-04T10:13:00Z")];
    server.post("/transactions/bulk", batch(false, items)).await;
    let called_off = batch(true, vec![item("g", 100, "2026-03-04T10:14:00Z")]);
    let called_off = server.post("/transactions/bulk", called_off).await.field("batch_id");
    server.delete(&format!("/transactions/scheduled/{called_off}")).await;
    let (events, next) = run(&next, 60, 3).await;
    assert_eq!(names(&events), ["transaction.void", "transaction.rejected", "transaction.rejected"]);
    // A request that its caller marked is known by its own id.
    let marked = with(item("h", 100, "2026-03-04T10:15:00Z"), json!({"atomic": true}));
    let marked = server.post("/transactions", marked).await.field("transaction_id");
    let (events, _) = run(&next, 120, 2).await;
    assert_eq!(names(&events), ["transaction.rejected", "bulk_transaction.failed"]);
    assert_eq!(events[1]["data"]["batch_id"], json!(marked));
}

#[tokio::test]
async fn numbers_are_exact() {
    let server = open();
    let amount = "1152921504606846977";
    let body = format!(
        r#"{{"precise_amount": {amount}, "precision": 1, "currency": "USD", "reference": "big", "description": "d", "source": "@World",
            "destination": "@Shop", "skip_queue": true, "allow_overdraft": true, "meta_data": {{"n": 123456789012345678901234567890}}}}"#
    );
    assert_eq!(server.ask("POST", "/transactions", body).await.status.as_u16(), 201);
    let told = server.get("/events").await.text;
    let data = data_of(&told, "transaction.applied");
    assert!(data.contains(&format!("\"precise_amount\":{amount},")), "{data}");
    assert!(data.contains(&format!("\"amount_string\":\"{amount}\",")), "{data}");
    assert!(data.contains("\"n\":123456789012345678901234567890"), "{data}");
}

#[tokio::test]
async fn data_is_as_it_was_then() {
    let server = open();
    let ledger = server.post("/ledgers", json!({"name": "first", "meta_data": {"k": 1}})).await.field("ledger_id");
    let path = format!("/ledgers/{ledger}");
    for name in ["second", "third"] {
        server.put(&path, json!({"name": name})).await;
    }
    server.put("/ledgers/general_ledger_id", json!({"name": "Mine"})).await;
    let shop = server.post("/balances", json!({"ledger_id": ledger, "currency": "USD"})).await.field("balance_id");
    let pay = |number: u32| payment("@World", &shop, json!({"reference": number.to_string(), "allow_overdraft": true}));
    for number in 0..3 {
        server.post("/transactions", pay(number)).await;
    }
    let events = all(&server).await;
    let told = |name: &'static str, key: &'static str| {
        let of_name = events.iter().filter(move |event| event["event"] == name);
        of_name.map(move |event| event["data"][key].clone()).collect::<Vec<_>>()
    };
    assert_eq!(told("ledger.created", "name"), ["first", "second", "third", "Mine"]);
    assert_eq!(told("ledger.created", "ledger_id"), [&*ledger, &*ledger, &*ledger, "general_ledger_id"]);
    assert_eq!(told("ledger.created", "meta_data")[..3], [json!({"k": 1}), json!({"k": 1}), json!({"k": 1})]);
    assert_eq!(told("balance.created", "balance"), [0, 0]);
    assert_eq!(told("balance.created", "version"), [1, 1]);
    assert_eq!(told("balance.created", "ledger_id"), [&*ledger, "general_ledger_id"]);
}

#[tokio::test]
async fn what_became_of_a_batch_behind_its_answer_is_told() {
    let server = open();
    let (rich, other) = (server.funded(1_000).await, server.balance().await);
    let (_, next) = follow(&server, "", 100).await;
    let item = |reference: &str, amount: u32| payment(&rich, &other, json!({"reference": reference, "amount": amount}));
    let batch = |fields: Value, items: Vec<Value>| {
        with(json!({"run_async": true, "skip_queue": true, "transactions": items}), fields)
    };
    let sent = server.post("/transactions/bulk", batch(json!({}), vec![item("a", 1), item("b", 1)])).await;
    assert_eq!(sent.status.as_u16(), 202);
    let (events, next) = follow(&server, &next, 100).await;
    assert_eq!(names(&events), ["transaction.applied", "transaction.applied", "bulk_transaction.applied"]);
    let id = sent.field("batch_id");
    let told = json!({"batch_id": id, "status": "applied", "timestamp": NOW, "transaction_count": 2});
    assert_eq!(events[2]["data"], told);
    let held = server.post("/transactions/bulk", batch(json!({"inflight": true}), vec![item("c", 1)])).await;
    let (events, next) = follow(&server, &next, 100).await;
    assert_eq!(names(&events), ["transaction.inflight", "bulk_transaction.inflight"]);
    assert_eq!(events[1]["data"]["batch_id"], json!(held.field("batch_id")));
    // Refused as a whole, or ended at an item: nobody else would hear of it.
    let refused = server.post("/transactions/bulk", batch(json!({"atomic": true}), vec![item("d", 999)])).await;
    assert_eq!(refused.status.as_u16(), 202);
    let (events, next) = follow(&server, &next, 100).await;
    assert_eq!(names(&events), ["bulk_transaction.failed"]);
    assert_eq!(events[0]["data"]["batch_id"], json!(refused.field("batch_id")));
    let error = events[0]["data"]["error"].as_str().expect("a text");
    assert!(error.contains("Reference: d") && error.contains("insufficient funds"), "{error}");
    let ended = server.post("/transactions/bulk", batch(json!({}), vec![item("e", 1), item("f", 999)])).await;
    let (events, next) = follow(&server, &next, 100).await;
    assert_eq!(names(&events), ["transaction.applied", "bulk_transaction.failed"]);
    assert_eq!(events[1]["data"]["batch_id"], json!(ended.field("batch_id")));
    // An answer that tells the outcome needs no event.
    let now = with(batch(json!({}), vec![item("g", 1)]), json!({"run_async": null}));
    server.post("/transactions/bulk", now).await;
    let (events, _) = follow(&server, &next, 100).await;
    assert_eq!(names(&events), ["transaction.applied"]);
}
