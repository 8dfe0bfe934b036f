use crate::books::payment;
use crate::support::{TestServer, open, settings};
use ledger::limits::{METADATA_BYTES_MAX, METADATA_CHANGES_MAX};
use serde_json::{Value, json};
use server::http::paging::PAGE_BYTES_MAX;

async fn say(server: &TestServer, id: &str, metadata: Value) -> Value {
    let told = server.post(&format!("/{id}/metadata"), json!({"meta_data": metadata})).await;
    assert_eq!(told.status.as_u16(), 200, "{}", told.text);
    told.json()["meta_data"].clone()
}

async fn read(server: &TestServer, path: &str) -> Value {
    server.get(path).await.json()["meta_data"].clone()
}

/// The metadata of a transaction, by its reference.
async fn of_reference(server: &TestServer, reference: &str) -> Value {
    read(server, &format!("/transactions/reference/{reference}")).await
}

/// Posts a payment of 1.00; its id.
async fn pay(server: &TestServer, source: &str, destination: &str, fields: Value) -> String {
    let told = server.post("/transactions", payment(source, destination, fields)).await;
    assert_eq!(told.status.as_u16(), 201, "{}", told.text);
    told.field("transaction_id")
}

#[tokio::test]
async fn keys_replace_those_of_ledgers_and_balances_one_by_one() {
    let server = open();
    let ledger = server.post("/ledgers", json!({"name": "books", "meta_data": {"a": 1}})).await.field("ledger_id");
    let balance = server.balance().await;
    assert_eq!(say(&server, &ledger, json!({"b": {"c": 2}})).await, json!({"a": 1, "b": {"c": 2}}));
    assert_eq!(say(&server, &ledger, json!({"a": null, "b": {"d": 3}})).await, json!({"a": null, "b": {"d": 3}}));
    assert_eq!(say(&server, &ledger, json!({})).await, json!({"a": null, "b": {"d": 3}}));
    assert_eq!(say(&server, &balance, json!({"n": 9_007_199_254_740_993u64})).await["n"], 9_007_199_254_740_993u64);
    let server = server.crashed(settings(&[]));
    assert_eq!(read(&server, &format!("/ledgers/{ledger}")).await, json!({"a": null, "b": {"d": 3}}));
    for path in [format!("/balances/{balance}"), format!("/balances/{balance}?include=ledger")] {
        assert_eq!(read(&server, &path).await, json!({"n": 9_007_199_254_740_993u64}));
    }
    let wanted = json!({"filters": [{"field": "meta_data.n", "operator": "eq", "value": 9_007_199_254_740_993u64}]});
    let found = server.post("/balances/filter", wanted).await.json();
    assert_eq!((found[0]["balance_id"].clone(), found.as_array().expect("a list").len()), (json!(balance), 1));
    // An empty object is not none.
    assert_eq!(say(&server, &server.balance().await, json!({})).await, json!({}));
}

/// Each of many writers sets a key of its own, at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_change_is_lost() {
    let server = std::sync::Arc::new(open());
    let balance = server.balance().await;
    let writers = (0..40).map(|writer| {
        let (server, balance) = (server.clone(), balance.clone());
        tokio::spawn(async move { say(&server, &balance, json!({format!("k{writer}"): writer})).await })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.expect("no writer panics");
    }
    let all: serde_json::Map<String, Value> = (0..40).map(|writer| (format!("k{writer}"), json!(writer))).collect();
    assert_eq!(read(&server, &format!("/balances/{balance}")).await, Value::Object(all));
}

#[tokio::test]
async fn a_transaction_and_what_belongs_to_it_are_told() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let plain = pay(&server, &a, &b, json!({"reference": "plain", "meta_data": {"first": true, "kept": 1}})).await;
    assert_eq!(say(&server, &plain, json!({"second": 2, "first": false})).await, json!({"second": 2, "first": false}));
    assert_eq!(of_reference(&server, "plain").await, json!({"first": false, "kept": 1, "second": 2}));
    assert_eq!(of_reference(&server, &format!("fund {a}").replace(' ', "%20")).await, json!({"allow_overdraft": true}));
    // A key of the server's own is told back, and means nothing.
    assert_eq!(say(&server, &plain, json!({"inflight": true})).await, json!({"inflight": true}));
    assert_eq!(of_reference(&server, "plain").await.get("inflight"), None);
    // A refund takes over what was said, and what is said later is said of it as well.
    let refund = server.post(&format!("/refund-transaction/{plain}"), json!({"skip_queue": true})).await.json();
    assert_eq!(refund["meta_data"]["second"], 2);
    say(&server, &plain, json!({"second": 3, "third": 3})).await;
    let path = format!("/transactions/{}", refund["transaction_id"].as_str().expect("an id"));
    assert_eq!(
        read(&server, &path).await,
        json!({"allow_overdraft": true, "first": false, "kept": 1, "second": 3, "third": 3})
    );
    let wanted = json!({"filters": [{"field": "meta_data.third", "operator": "eq", "value": 3}]});
    assert_eq!(server.post("/transactions/filter", wanted).await.json().as_array().map(Vec::len), Some(2));
    // What is said of the refund is said of nothing else.
    say(&server, refund["transaction_id"].as_str().expect("an id"), json!({"third": 4})).await;
    assert_eq!(of_reference(&server, "plain").await["third"], 3);
    let server = server.crashed(settings(&[]));
    assert_eq!(
        read(&server, &path).await,
        json!({"allow_overdraft": true, "first": false, "kept": 1, "second": 3, "third": 4})
    );
}

#[tokio::test]
async fn a_whole_stands_for_all_its_rows() {
    let server = open();
    let (a, b, c) = (server.funded(10_000).await, server.balance().await, server.balance().await);
    let split = payment(
        &a,
        "",
        json!({
            "destination": null, "reference": "split", "amount": 2,
            "destinations": [{"identifier": b, "distribution": "50%"}, {"identifier": c, "distribution": "left"}],
        }),
    );
    let whole = server.post("/transactions", split).await.field("transaction_id");
    assert_eq!(say(&server, &whole, json!({"seen": 1})).await, json!({"seen": 1}));
    for leg in ["split-1", "split-2"] {
        assert_eq!(of_reference(&server, leg).await["seen"], 1, "{leg}");
    }
    let items = [json!({"reference": "b1"}), json!({"reference": "b2"})].map(|fields| payment(&a, &b, fields));
    let batch = server.post("/transactions/bulk", json!({"transactions": items})).await.field("batch_id");
    say(&server, &batch, json!({"payroll": "may"})).await;
    for (reference, told) in [("b1", json!("may")), ("b2", json!("may")), ("b1_q", Value::Null)] {
        // Of a batch through the queue these are the requests; their outcomes belong to those.
        assert_eq!(of_reference(&server, reference).await["payroll"], told, "{reference}");
    }
}

/// A hold that ends by itself takes over what was said of it, and of what it belongs to.
#[tokio::test]
async fn ends_of_holds_take_over_what_was_said() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let held = json!({"reference": "h", "inflight": true, "inflight_commit_date": "2026-03-04T10:12:00Z", "meta_data": {"k": 0}});
    let items = json!({"transactions": [payment(&a, &b, held)], "skip_queue": true, "inflight": true});
    let batch = server.post("/transactions/bulk", items).await.field("batch_id");
    let hold = server.get("/transactions/reference/h").await.field("transaction_id");
    say(&server, &batch, json!({"of": "batch", "k": 1})).await;
    say(&server, &hold, json!({"k": 2})).await;
    server.pass("2026-03-04T10:12:01Z").await;
    say(&server, &batch, json!({"later": true})).await;
    say(&server, &hold, json!({"own": true})).await;
    let wanted = json!({"filters": [{"field": "parent_transaction", "operator": "eq", "value": hold}]});
    let found = server.post("/transactions/filter", wanted).await.json();
    let commit = found[0]["meta_data"].clone();
    let told = ["k", "of", "own", "later"].map(|key| commit[key].clone());
    assert_eq!(told, [json!(2), json!("batch"), json!(true), Value::Null], "{found}");
    // The feed tells what was known when it happened, whenever it is read.
    let events = server.get("/events?limit=1000").await.json();
    let of = |name: &str| {
        let all = events["events"].as_array().expect("a list");
        all.iter().rfind(|event| event["event"] == name).expect("it was told")["data"]["meta_data"].clone()
    };
    assert_eq!(of("transaction.inflight")["k"], 0);
    assert_eq!(
        ["k", "of", "own"].map(|key| of("transaction.applied")[key].clone()),
        [json!(2), json!("batch"), Value::Null]
    );
}

#[tokio::test]
async fn renamed_ledgers_are_told_as_they_were() {
    let server = open();
    let ledger = server.post("/ledgers", json!({"name": "one", "meta_data": {"v": 0}})).await.field("ledger_id");
    for (name, v) in [("two", 1), ("three", 2)] {
        say(&server, &ledger, json!({"v": v})).await;
        server.put(&format!("/ledgers/{ledger}"), json!({"name": name})).await;
    }
    say(&server, &ledger, json!({"v": 3})).await;
    let events = server.get("/events").await.json();
    let told: Vec<(Value, Value)> = events["events"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|event| (event["data"]["name"].clone(), event["data"]["meta_data"]["v"].clone()))
        .collect();
    assert_eq!(told, [(json!("one"), json!(0)), (json!("two"), json!(1)), (json!("three"), json!(2))]);
}

/// Proves that what is said once of a batch, and shown by all its rows, makes neither a page nor a command of any size.
#[tokio::test]
async fn what_many_rows_share_is_bounded() {
    let server = open();
    let account = server.balance().await;
    let batch = async |inflight: bool| {
        let item = |n: usize| {
            payment("@World", &account, json!({"reference": format!("{inflight} {n}"), "allow_overdraft": true}))
        };
        let items: Vec<Value> = (0..300).map(item).collect();
        let body = json!({"atomic": true, "skip_queue": true, "inflight": inflight, "transactions": items});
        server.post("/transactions/bulk", body).await.field("batch_id")
    };
    let (posted, held) = (batch(false).await, batch(true).await);
    for id in [&posted, &held] {
        say(&server, id, json!({"text": "x".repeat(METADATA_BYTES_MAX - 100)})).await;
    }
    let counts = server.counts().await;
    let rows = (PAGE_BYTES_MAX / METADATA_BYTES_MAX).to_string();
    for (path, limit, fits) in [
        ("/transactions", rows.as_str(), true),
        ("/transactions", "300", false),
        ("/transactions?status_eq=APPLIED", "300", false),
        (&format!("/transactions/bulk/{posted}"), &rows, true),
        (&format!("/transactions/bulk/{posted}"), "300", false),
    ] {
        let joint = if path.contains('?') { '&' } else { '?' };
        let told = server.get(&format!("{path}{joint}limit={limit}")).await;
        if fits {
            assert_eq!(told.status.as_u16(), 200, "{path} {limit}");
        } else {
            told.is_error(400, "GEN_VALIDATION_ERROR", "ask for fewer rows");
        }
    }
    let path = format!("/transactions/inflight/{held}");
    for told in [
        server.post(&format!("/refund-transaction/{posted}"), json!({})).await,
        server.put(&path, json!({"status": "commit"})).await,
        server.put(&path, json!({"status": "void", "skip_queue": true})).await,
    ] {
        told.is_error(400, "GEN_MALFORMED_REQUEST", "too large to be recorded as one; split it");
    }
    assert_eq!(server.counts().await, counts);
}

#[tokio::test]
async fn sums_are_made_again_on_request() {
    let server = open();
    let (a, b) = (server.funded(7_000).await, server.balance().await);
    pay(&server, &a, &b, json!({"amount": 3, "reference": "p", "effective_date": "2020-01-01T00:00:00Z"})).await;
    server.hold(&a, &b, "held").await;
    let asked = json!({"BLNK_RUN_RECONCILIATION": "SOURCE", "x": 1});
    assert_eq!(say(&server, &a, asked.clone()).await, asked, "the answer tells the flag");
    let balance = server.get(&format!("/balances/{a}")).await.json();
    let result = &balance["meta_data"]["BLNK_RECONCILIATION_RESULT"];
    assert_eq!(result["executed_at"], "2026-03-04 10:11:12.123456+00");
    for (when, debit, credit, of) in [("previous", "300", "7000", "6700"), ("recalculated", "300", "7000", "6700")] {
        assert_eq!(result[format!("{when}_debit")], debit);
        assert_eq!(result[format!("{when}_credit")], credit);
        assert_eq!(result[format!("{when}_balance")], of);
    }
    assert_eq!((&result["difference"], &balance["meta_data"]["x"]), (&json!("0"), &json!(1)));
    assert_eq!(balance["meta_data"].get("BLNK_RUN_RECONCILIATION"), None);
    // A balance that was made with the flag has its sums made again by the next change, whatever that says.
    let flagged = json!({"ledger_id": "general_ledger_id", "currency": "USD", "meta_data": {"BLNK_RUN_RECONCILIATION": "SOURCE"}});
    let flagged = server.post("/balances", flagged).await.field("balance_id");
    say(&server, &flagged, json!({"x": 2})).await;
    let told = read(&server, &format!("/balances/{flagged}")).await;
    assert_eq!((told["BLNK_RECONCILIATION_RESULT"]["difference"].clone(), told["x"].clone()), (json!("0"), json!(2)));
    assert_eq!(told.get("BLNK_RUN_RECONCILIATION"), None);
    // Other values, and other things, are plain metadata.
    say(&server, &b, json!({"BLNK_RUN_RECONCILIATION": "source"})).await;
    assert_eq!(read(&server, &format!("/balances/{b}")).await, json!({"BLNK_RUN_RECONCILIATION": "source"}));
}

#[tokio::test]
async fn what_is_not_there_or_too_long_is_refused() {
    let server = open();
    let balance = server.balance().await;
    let nobody = "00000000-0000-4000-8000-000000000000";
    for prefix in ["ldg", "bln", "txn", "bulk"] {
        let told = server.post(&format!("/{prefix}_{nobody}/metadata"), json!({"meta_data": {}})).await;
        told.is_error(404, "META_ENTITY_NOT_FOUND", "entity not found");
    }
    for id in ["general_ledger_id", "nonsense", "acc_1", "mon_1", "_"] {
        let told = server.post(&format!("/{id}/metadata"), json!({"meta_data": {}})).await;
        told.is_error(400, "META_INVALID_ENTITY_ID", &format!("invalid entity ID format: {id}"));
        let told = server.post(&format!("/{id}/metadata"), json!({})).await;
        assert_eq!(told.code(), "GEN_MALFORMED_REQUEST", "the body is looked at first");
    }
    for body in [json!({}), json!({"meta_data": null}), json!({"meta_data": "x"}), json!({"meta_data": []})] {
        let told = server.post(&format!("/{balance}/metadata"), body.clone()).await;
        assert_eq!((told.status.as_u16(), told.code().as_str()), (400, "GEN_MALFORMED_REQUEST"), "{body}");
    }
    let of_length = |bytes: usize| json!({"k": "x".repeat(bytes - r#"{"k":""}"#.len())});
    say(&server, &balance, of_length(METADATA_BYTES_MAX)).await;
    for metadata in [of_length(METADATA_BYTES_MAX + 1), json!({"more": 1})] {
        let told = server.post(&format!("/{balance}/metadata"), json!({"meta_data": metadata})).await;
        assert_eq!((told.status.as_u16(), told.code().as_str()), (400, "GEN_VALIDATION_ERROR"));
        assert!(told.text.contains("meta_data"), "{}", told.text);
    }
    assert_eq!(read(&server, &format!("/balances/{balance}")).await, of_length(METADATA_BYTES_MAX));
}

#[tokio::test]
async fn a_transaction_is_changed_so_often() {
    let server = open();
    let (a, b) = (server.funded(700).await, server.balance().await);
    let id = pay(&server, &a, &b, json!({"reference": "p"})).await;
    for _ in 0..METADATA_CHANGES_MAX {
        say(&server, &id, json!({"k": 1})).await;
    }
    let told = server.post(&format!("/{id}/metadata"), json!({"meta_data": {"k": 2}})).await;
    assert_eq!((told.status.as_u16(), told.code().as_str()), (409, "GEN_CONFLICT"), "{}", told.text);
    assert_eq!(of_reference(&server, "p").await, json!({"k": 1}));
}
