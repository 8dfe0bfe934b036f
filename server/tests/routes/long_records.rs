//! Of a record with many rows only what is wanted of it is read: a row that is asked for alone is told as among all others.

use crate::books::{payment, with};
use crate::routes::balances::id::lineage::get::of_ada;
use crate::support::{TestServer, open};
use engine::reading::WHOLE_BYTES;
use serde_json::{Value, json};

/// Items of a batch. Each has more than a hundred bytes of text, so their record is a long one.
const ITEMS: usize = 40;

const _: () = assert!(ITEMS * 100 > WHOLE_BYTES, "the record is longer than those that are always read as a whole");

fn item(source: &str, destination: &str, reference: &str, fields: Value) -> Value {
    let own = json!({"reference": reference, "description": "ä long text ".repeat(10), "allow_overdraft": true});
    with(payment(source, destination, own), fields)
}

async fn post(server: &TestServer, path: &str, body: Value) {
    let told = server.post(path, body).await;
    assert_eq!(told.status.as_u16(), 201, "{}", told.text);
}

#[tokio::test]
async fn a_row_alone_is_told_as_among_others() {
    let server = open();
    let a = of_ada(&server, "FIFO").await;
    let tag = json!({"meta_data": {"BLNK_LINEAGE_PROVIDER": "stripe", "order": 7}});
    // Kinds of items, of which each batch is a mixture.
    let fields = |number: usize| match number % 5 {
        0 => json!({}),
        1 => json!({"meta_data": {"order": number}, "effective_date": "2026-01-01T00:00:00Z"}),
        2 => json!({"description": "short"}),
        3 => json!({"scheduled_for": "2026-12-01T00:00:00Z", "skip_queue": null}),
        _ => json!({"overdraft_limit": 1_000_000, "precise_amount": 700, "amount": null}),
    };
    for (batch, skip_queue, is_tracked, inflight) in [
        ("p", true, false, false),
        ("q", false, false, false),
        ("h", true, false, true),
        ("t", true, true, false),
        ("u", false, true, false),
    ] {
        let items: Vec<Value> = (0..ITEMS)
            .map(|number| {
                let reference = format!("{batch}{number}");
                match number {
                    0 if is_tracked => item("@World", &a, &reference, tag.clone()),
                    1 if is_tracked => item(&a, "@Shop", &reference, json!({})),
                    _ => item("@World", "@Shop", &reference, fields(number)),
                }
            })
            .collect();
        post(
            &server,
            "/transactions/bulk",
            json!({"atomic": true, "skip_queue": skip_queue, "inflight": inflight, "transactions": items}),
        )
        .await;
    }
    for queued in [true, false] {
        let share = |number: usize| {
            let amount = if number == 0 { "left".to_owned() } else { format!("{number}") };
            json!({"identifier": format!("@b{number}"), "distribution": amount})
        };
        let parts: Vec<Value> = (0..ITEMS).map(share).collect();
        let whole = json!({"destination": null, "destinations": parts, "amount": 100_000, "skip_queue": !queued});
        post(&server, "/transactions", item("@World", "", &format!("split {queued}"), whole)).await;
    }
    server.pass("2026-12-02T00:00:00Z").await;
    let listed = server.get("/transactions?limit=1000").await.json();
    let listed = listed.as_array().expect("a list");
    assert!(listed.len() > 9 * ITEMS, "{}", listed.len());
    for among in listed {
        let alone = server.get(&format!("/transactions/{}", among["transaction_id"].as_str().expect("an id"))).await;
        let mut among = among.clone();
        // Lists tell it, and reads of one do not.
        among.as_object_mut().expect("an object").remove("effective_date");
        assert_eq!((alone.status.as_u16(), alone.json()), (200, among));
    }
}

#[tokio::test]
async fn statements_tell_the_texts_of_each_line() {
    let server = open();
    let a = server.balance().await;
    let batch = |name: &str| -> Vec<Value> {
        let day = |number: usize| format!("2026-01-{:02}T00:00:00Z", 1 + number % 28);
        let reference = |number: usize| format!("{name}{number}");
        let text = |number: usize| format!("{}{}", reference(number), "-".repeat(100));
        let fields = |number: usize| json!({"description": text(number), "effective_date": day(number)});
        (0..ITEMS).map(|number| item("@World", &a, &reference(number), fields(number))).collect()
    };
    for name in ["a", "b", "c"] {
        let body = json!({"atomic": true, "skip_queue": name != "b", "transactions": batch(name)});
        post(&server, "/transactions/bulk", body).await;
    }
    let mut wanted: Vec<(usize, String)> = Vec::new();
    for (name, suffix) in [("a", ""), ("b", "_q"), ("c", "")] {
        wanted.extend((0..ITEMS).map(|number| (number % 28, format!("{name}{number}{suffix}"))));
    }
    wanted.sort_by_key(|(day, _)| *day);
    // By pages of one, no record is read as a whole; by pages of all of them, each is.
    for limit in [1, 7, 3 * ITEMS] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let told = server.get(&format!("/balances/{a}/statement?limit={limit}&cursor={cursor}")).await.json();
            for line in told["lines"].as_array().expect("lines") {
                let (reference, text) = (line["reference"].as_str().expect("a text"), &line["description"]);
                assert_eq!(*text, json!(format!("{}{}", reference.trim_end_matches("_q"), "-".repeat(100))));
                seen.push(reference.to_owned());
            }
            match told.get("next") {
                Some(next) => cursor = next.as_str().expect("a text").to_owned(),
                None => break,
            }
        }
        let names: Vec<String> = wanted.iter().map(|(_, name)| name.clone()).collect();
        assert_eq!(seen, names, "by {limit}");
    }
}
