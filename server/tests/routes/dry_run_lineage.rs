//! What a dry run says of the lineage of tracked balances is what then follows.

use crate::books::{payment, with};
use crate::routes::balances::id::lineage::get::{of_ada, tracked};
use crate::support::{TestServer, open};
use serde_json::{Value, json};

/// What follows, oldest first: what it does, whose money, of which balance, how much, and its status.
type Follows = Vec<(String, String, String, String, String)>;

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// All that followed so far.
async fn followed(server: &TestServer) -> Follows {
    let listed = server.get("/transactions?limit=1000").await.json();
    let rows = listed.as_array().expect("a list").iter().rev();
    let rows = rows.filter(|row| row["meta_data"].get("_lineage_type").is_some());
    rows.map(|row| {
        let of = |name: &str| text(&row["meta_data"][name]);
        (of("_lineage_type"), of("_provider"), of("_main_balance"), text(&row["precise_amount"]), text(&row["status"]))
    })
    .collect()
}

fn said_of(told: &Value) -> Follows {
    let list = told.get("lineage").and_then(Value::as_array).cloned().unwrap_or_default();
    let one = |one: &Value| {
        let of = |name: &str| text(&one[name]);
        (of("lineage_type"), of("provider"), of("balance_id"), of("precise_amount"), of("status"))
    };
    list.iter().map(one).collect()
}

/// Says and does a request; what it says must be what follows, and be so much. The id of what was done.
async fn agree(server: &TestServer, (method, path): (&str, &str), body: Value, count: usize) -> String {
    let before = followed(server).await.len();
    let (said, done) = server.said_and_done(method, path, body.clone()).await;
    let new = followed(server).await.split_off(before);
    let told = said.json();
    assert_eq!((said_of(&told), new.len()), (new.clone(), count), "{path} {body}: {}", said.text);
    let id = done.field("transaction_id");
    let lineage = server.get(&format!("/transactions/{id}/lineage")).await.json();
    assert_eq!(told.get("fund_allocation"), lineage.get("fund_allocation"), "{path} {body}: {}", said.text);
    id
}

#[tokio::test]
async fn what_would_follow_is_what_follows() {
    let server = open();
    let a = of_ada(&server, "PROPORTIONAL").await;
    let b = tracked(&server, json!({"first_name": "Bo", "last_name": "Yu"}), "LIFO").await;
    let post = ("POST", "/transactions");
    let pay = |source: &str, destination: &str, reference: &str, cents: u64, fields: Value| {
        let own = json!({"amount": null, "precise_amount": cents, "reference": reference, "allow_overdraft": source.starts_with('@')});
        payment(source, destination, with(own, fields))
    };
    let tag = |provider: &str| json!({"meta_data": {"BLNK_LINEAGE_PROVIDER": provider}});
    agree(&server, post, pay("@World", &a, "in 1", 600, tag("stripe")), 1).await;
    agree(&server, post, pay("@World", &a, "in 2", 400, with(tag("paypal"), json!({"skip_queue": false}))), 1).await;
    agree(&server, post, pay("@World", &a, "in 3", 50, json!({})), 0).await;
    let spend = agree(&server, post, pay(&a, &b, "move", 100, json!({})), 4).await;
    // Refused: nothing would follow.
    let (said, _) = server.said_and_done("POST", "/transactions", pay(&a, &b, "too much", 1_000_000, json!({}))).await;
    let told = said.json();
    assert_eq!((&told["would_apply"], told.get("lineage"), told.get("fund_allocation")), (&json!(false), None, None));
    let hold = agree(&server, post, pay(&a, "@Shop", "hold", 300, json!({"inflight": true})), 2).await;
    let path = format!("/transactions/inflight/{hold}");
    let part = json!({"status": "commit", "skip_queue": true, "precise_amount": 100});
    agree(&server, ("PUT", &path), part, 2).await;
    agree(&server, ("PUT", &path), json!({"status": "void", "skip_queue": true}), 2).await;
    let refund = format!("/refund-transaction/{spend}");
    agree(&server, ("POST", &refund), json!({"skip_queue": true}), 4).await;
    let parts = json!([{"identifier": b, "distribution": "50%"}, {"identifier": "@Shop", "distribution": "left"}]);
    let split = json!({"destination": null, "destinations": parts});
    agree(&server, post, pay(&a, "", "split", 200, split), 6).await;
}

/// Items that are tried one by one have texts of their own, their tags too.
#[tokio::test]
async fn each_item_of_a_batch_tells_what_would_follow_from_it() {
    let server = open();
    let a = of_ada(&server, "FIFO").await;
    for skip_queue in [true, false] {
        let items: Vec<Value> = (0..5)
            .map(|number| {
                let tag = json!({"BLNK_LINEAGE_PROVIDER": format!("provider {number}")});
                let fields = json!({"reference": format!("{skip_queue}{number}"), "description": "long".repeat(50),
                    "allow_overdraft": true, "meta_data": tag, "skip_queue": null});
                payment("@World", &a, fields)
            })
            .collect();
        let body = json!({"transactions": items, "skip_queue": skip_queue, "dry_run": true});
        let told = server.post("/transactions/bulk", body).await;
        assert_eq!(told.status.as_u16(), 200, "{}", told.text);
        for (number, item) in told.json()["results"].as_array().expect("a list").iter().enumerate() {
            let credit = ("credit", format!("provider {number}"), a.as_str(), "100", "APPLIED");
            let wanted =
                vec![(credit.0.to_owned(), credit.1, credit.2.to_owned(), credit.3.to_owned(), credit.4.to_owned())];
            assert_eq!(said_of(item), wanted, "{item}");
        }
        assert_eq!(followed(&server).await, vec![]);
    }
}
