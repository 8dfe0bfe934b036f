//! `POST /transactions/bulk` as a dry run.

use crate::books::{payment, with};
use crate::support::{TestServer, open, settings};
use ledger::limits::BATCH_ITEMS_MAX;
use serde_json::{Value, json};

const ROUTE: (&str, &str) = ("POST", "/transactions/bulk");

fn batch(items: &[Value], fields: Value) -> Value {
    with(json!({"transactions": items, "skip_queue": true}), fields)
}

fn item(source: &str, destination: &str, reference: &str, amount: u64) -> Value {
    payment(source, destination, json!({"reference": reference, "amount": amount}))
}

fn verdicts(told: &Value) -> Vec<bool> {
    told["results"].as_array().unwrap().iter().map(|item| item["would_apply"].as_bool().unwrap()).collect()
}

async fn said(server: &TestServer, body: Value) -> Value {
    let before = server.counts().await;
    let told = server.post(ROUTE.1, with(body, json!({"dry_run": true}))).await;
    assert_eq!(told.status.as_u16(), 200, "{}", told.text);
    assert_eq!(server.counts().await, before);
    told.json()
}

/// Without the queue each item is told as those before it leave the balances, and all of them at the end.
#[tokio::test]
async fn items_follow_each_other() {
    let server = open();
    let (a, b) = (server.funded(1_000).await, server.balance().await);
    let items = [item(&a, &b, "1", 6), item(&b, "@new", "2", 5), item("@new", &a, "3", 4)];
    let (told, _) = server.said_and_done(ROUTE.0, ROUTE.1, batch(&items, json!({}))).await;
    let told = told.json();
    assert_eq!(
        (&told["dry_run"], &told["would_apply"], &told["cumulative"], &told["atomic"], &told["notes"]),
        (&json!(true), &json!(true), &json!(true), &json!(false), &Value::Null)
    );
    let second = &told["results"][1];
    assert_eq!((&second["reference"], &second["status"]), (&json!("2"), &json!("APPLIED")));
    assert_eq!(
        (&second["balances"][0]["current_balance"], &second["balances"][0]["resulting_balance"]),
        (&json!("600"), &json!("100"))
    );
    assert_eq!(told["results"][2]["balances"][0]["current_balance"], "500");
    let all: Vec<(&Value, &Value, &Value, &Value)> = told["balances"]
        .as_array()
        .unwrap()
        .iter()
        .map(|balance| {
            (&balance["balance_id"], &balance["role"], &balance["current_balance"], &balance["resulting_balance"])
        })
        .collect();
    assert_eq!(
        all,
        [
            (&json!(a), &json!("source"), &json!("1000"), &json!("800")),
            (&json!(b), &json!("destination"), &json!("0"), &json!("100")),
            (&json!("@new"), &json!("destination"), &json!("0"), &json!("100")),
        ]
    );
    let hold = said(&server, batch(&[item(&a, &b, "4", 1)], json!({"inflight": true}))).await;
    assert_eq!(hold["results"][0]["status"], "INFLIGHT");
}

/// The first item that is refused ends the batch; the balances tell what would be left, the results all that is wrong.
#[tokio::test]
async fn refused_items_are_all_told() {
    for (atomic, left) in [(false, "400"), (true, "1000")] {
        let server = open();
        let (a, b) = (server.funded(1_000).await, server.balance().await);
        let items = [
            item(&a, &b, "1", 6),
            item(&a, &b, "2", 5),
            item(&a, &b, "1", 1),
            item(&a, "@new", "3", 3),
            item("@new", &a, "4", 9),
        ];
        let (told, done) = server.said_and_done(ROUTE.0, ROUTE.1, batch(&items, json!({"atomic": atomic}))).await;
        let told = told.json();
        assert!(done.json()["error"].as_str().unwrap().starts_with("failed to queue transaction 2 "));
        assert_eq!((&told["would_apply"], &told["atomic"]), (&json!(false), &json!(atomic)));
        assert_eq!(verdicts(&told), [true, false, false, true, false]);
        assert_eq!(told["results"][1]["rejection"]["code"], "TXN_INSUFFICIENT_FUNDS");
        let used = &told["results"][2];
        assert_eq!((&used["rejection"]["code"], &used["balances"]), (&json!("TXN_DUPLICATE_REFERENCE"), &Value::Null));
        assert!(used.as_object().unwrap().contains_key("balances"));
        assert_eq!(told["results"][3]["balances"][0]["resulting_balance"], "100");
        assert_eq!(told["balances"][0]["resulting_balance"], left);
        assert_eq!(
            (&told["balances"][2]["balance_id"], &told["balances"][2]["resulting_balance"]),
            (&json!("@new"), &json!("0"))
        );
        assert!(told["notes"][0].as_str().unwrap().starts_with("transactions[1] would be refused: "), "{told}");
    }
}

/// Nothing is left of a batch in which every reference is used.
#[tokio::test]
async fn used_references() {
    let server = open();
    let (a, b) = (server.funded(1_000).await, server.balance().await);
    server.post("/transactions", item(&a, &b, "used", 1)).await;
    let told = said(&server, batch(&[item(&a, &b, "used", 1), item("@x", &b, "used", 1)], json!({}))).await;
    assert_eq!(verdicts(&told), [false, false]);
    assert_eq!(told["balances"], Value::Null);
}

/// Through the queue each item is told by itself; references are looked at across items all the same.
#[tokio::test]
async fn queued_items_are_told_one_by_one() {
    let server = open();
    let (a, b) = (server.funded(1_000).await, server.balance().await);
    let queued = json!({"skip_queue": null, "run_async": true, "atomic": true});
    let legs = json!([{"identifier": a, "distribution": "50%"}, {"identifier": "@c", "distribution": "left"}]);
    let split = json!({"source": null, "sources": legs, "reference": "s", "allow_overdraft": true});
    let items = [
        item(&a, &b, "1", 6),
        item(&a, "@new", "2", 5),
        item(&a, &b, "1", 1),
        item(&a, &b, "1_q", 1),
        item(&a, &b, "3", 11),
        payment("", &b, split),
        item(&a, &b, "s_2", 1),
    ];
    let told = said(&server, batch(&items, queued.clone())).await;
    assert_eq!(verdicts(&told), [true, true, false, false, false, true, false]);
    assert_eq!((&told["cumulative"], &told["atomic"], &told["balances"]), (&json!(false), &json!(true), &Value::Null));
    assert_eq!(told["notes"].as_array().unwrap().len(), 2);
    assert_eq!(told["results"][1]["balances"][0]["current_balance"], "1000");
    assert_eq!(told["results"][1]["balances"][1]["virtual"], true);
    for index in [2, 3, 6] {
        let used = &told["results"][index];
        assert_eq!((&used["rejection"]["code"], &used["balances"]), (&json!("TXN_DUPLICATE_REFERENCE"), &Value::Null));
    }
    assert_eq!(told["results"][4]["rejection"]["code"], "TXN_INSUFFICIENT_FUNDS");
    let split = &told["results"][5];
    assert_eq!((&split["reference"], &split["legs"][1]["role"]), (&json!("s"), &json!("source")));
    assert_eq!(split["balances"].as_array().unwrap().len(), 3);
    // What was recorded before is known again.
    assert_eq!(server.post(ROUTE.1, batch(&items[..1], json!({"skip_queue": null}))).await.status.as_u16(), 201);
    let told = said(&server, batch(&items[..1], queued)).await;
    assert!(told["results"][0]["notes"][0].as_str().unwrap().contains("recorded before"), "{told}");
}

/// Parts that make no whole are told as the refusal that they would be.
#[tokio::test]
async fn parts_that_make_no_whole() {
    let server = open();
    let a = server.funded(1_000).await;
    let parts = json!([{"identifier": "@x", "distribution": "1"}, {"identifier": "@y", "distribution": "2"}]);
    let split = payment(&a, "", json!({"reference": "2", "amount": 5, "destination": null, "destinations": parts}));
    let items = [item(&a, "@b", "1", 4), split, item(&a, "@b", "3", 3)];
    for skip_queue in [true, false] {
        let told = said(&server, batch(&items, json!({"skip_queue": skip_queue}))).await;
        assert_eq!(verdicts(&told), [true, false, true]);
        let refused = &told["results"][1];
        assert_eq!(
            (&refused["rejection"]["code"], &refused["reference"], &refused["balances"]),
            (&json!("TXN_INVALID_DISTRIBUTION"), &json!("2"), &json!([]))
        );
        let left = if skip_queue { json!("600") } else { Value::Null };
        assert_eq!(told["balances"][0]["resulting_balance"], left, "the batch ends at the split");
    }
    let only = said(&server, batch(&items[1..2], json!({}))).await;
    assert_eq!((verdicts(&only), &only["balances"]), (vec![false], &Value::Null));
}

/// A batch that goes on past refusals leaves what all the others leave, and every refusal is told.
#[tokio::test]
async fn items_that_are_passed_over() {
    let server = open();
    let (a, b) = (server.funded(1_000).await, server.balance().await);
    let items = [
        item(&a, &b, "1", 6),
        item(&a, "bln_x", "2", 1),
        item(&a, &b, "3", 9),
        with(item(&a, &b, "4", 1), json!({"currency": ""})),
        Value::Null,
        item(&a, &b, "6", 4),
    ];
    let body = batch(&items, json!({"continue_on_error": true}));
    let (told, done) = server.said_and_done(ROUTE.0, ROUTE.1, body).await;
    let (told, done) = (told.json(), done.json());
    assert_eq!(verdicts(&told), [true, false, false, false, false, true]);
    for index in [1, 2, 3, 4] {
        assert_eq!(told["results"][index]["rejection"]["code"], done["results"][index]["code"]);
        assert_eq!(told["results"][index]["rejection"]["message"], done["results"][index]["message"]);
    }
    assert_eq!(told["results"][3]["reference"], "4");
    assert!(told["notes"][0].as_str().unwrap().starts_with("transactions[1] would be refused: the batch would go on"));
    let queued = said(&server, batch(&items[..4], json!({"continue_on_error": true, "skip_queue": null}))).await;
    assert_eq!(queued["results"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn a_server_without_a_queue_tells_items_that_follow_each_other() {
    let server = TestServer::new(settings(&[("FLORIN_QUEUE_SKIP", "true")]));
    let (a, b) = (server.funded(1_000).await, server.balance().await);
    let body = batch(&[item(&a, &b, "1", 6), item(&a, &b, "2", 5)], json!({"skip_queue": null}));
    let told = said(&server, body).await;
    assert_eq!((&told["cumulative"], verdicts(&told)), (&json!(true), vec![true, false]));
}

#[tokio::test]
async fn input_is_checked_as_ever() {
    let server = open();
    let a = server.funded(1_000).await;
    for skip_queue in [true, false] {
        let fields = json!({"dry_run": true, "skip_queue": skip_queue});
        let dry = |items: &[Value]| batch(items, fields.clone()).to_string();
        let good = item(&a, "@b", "1", 1);
        let (invalid, malformed) = ("TXN_VALIDATION_ERROR", "GEN_MALFORMED_REQUEST");
        server.refuses(ROUTE, dry(&[]), (400, "TXN_BULK_EMPTY", "cannot be empty")).await;
        let wrong = with(good.clone(), json!({"currency": ""}));
        server.refuses(ROUTE, dry(&[good.clone(), wrong]), (400, invalid, "transactions[1]: currency")).await;
        let nested = with(good.clone(), json!({"dry_run": true}));
        server.refuses(ROUTE, dry(&[nested]), (400, invalid, "transactions[0]: dry_run: belongs to the batch")).await;
        server.refuses(ROUTE, dry(&[json!(3)]), (400, malformed, "Invalid request body: ")).await;
        let missing = item(&a, "bln_x", "2", 1);
        let body = dry(&[good, missing]);
        server.refuses(ROUTE, body.clone(), (404, "TXN_NOT_FOUND", "Balance with ID 'bln_x' not found")).await;
        let told = server.ask(ROUTE.0, ROUTE.1, body).await.json();
        assert_eq!(told["error_detail"]["details"], json!({"index": 1}));
    }
}

#[tokio::test]
async fn a_full_batch_can_be_tried() {
    let server = open();
    let a = server.funded(1_000_000_000).await;
    let items: Vec<Value> =
        (0..BATCH_ITEMS_MAX).map(|index| item(&a, &format!("@{}", index % 100), &format!("r{index}"), 1)).collect();
    for skip_queue in [true, false] {
        let told = said(&server, batch(&items, json!({"skip_queue": skip_queue}))).await;
        assert_eq!((&told["would_apply"], told["results"].as_array().unwrap().len()), (&json!(true), BATCH_ITEMS_MAX));
        let wanted = if skip_queue { json!("999000000") } else { Value::Null };
        assert_eq!(told["balances"][0]["resulting_balance"], wanted);
    }
}
