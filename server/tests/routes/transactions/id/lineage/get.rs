use crate::routes::balances::id::lineage::get::{of_ada, pay, tracked};
use crate::support::{TestServer, open};
use serde_json::{Value, json};

async fn lineage(server: &TestServer, id: &str) -> Value {
    let told = server.get(&format!("/transactions/{id}/lineage")).await;
    assert_eq!((told.status.as_u16(), told.field("transaction_id").as_str()), (200, id), "{}", told.text);
    told.json()
}

/// References, statuses and amounts of what follows.
fn shadows(lineage: &Value) -> Vec<(String, String, i64)> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let rows = lineage["shadow_transactions"].as_array().expect("a list").iter();
    rows.map(|row| (text(&row["reference"]), text(&row["status"]), row["precise_amount"].as_i64().expect("a number")))
        .collect()
}

fn shadow(reference: &str, status: &str, cents: i64) -> (String, String, i64) {
    (reference.to_owned(), status.to_owned(), cents)
}

#[tokio::test]
async fn of_a_deposit_a_spend_and_a_transfer() {
    let server = open();
    let a = of_ada(&server, "FIFO").await;
    let b = tracked(&server, json!({"first_name": "Bo", "last_name": "Yu"}), "LIFO").await;
    let tag = json!({"meta_data": {"BLNK_LINEAGE_PROVIDER": "stripe", "order": 7}});
    let deposit = pay(&server, "@World", &a, "in", 1_000, tag).await;
    let told = lineage(&server, &deposit).await;
    assert_eq!(told.get("fund_allocation"), None);
    assert_eq!(shadows(&told), [shadow("in_shadow_stripe", "APPLIED", 1_000)]);
    let row = &told["shadow_transactions"][0];
    let owner = "idt_7b1e0000-0000-4000-8000-000000000000";
    let meta = json!({"_shadow_for": deposit, "_provider": "stripe", "_identity_id": owner, "_lineage_type": "credit",
        "_main_balance": a, "allow_overdraft": true});
    assert_eq!((&row["meta_data"], &row["description"]), (&meta, &json!("Shadow credit from stripe")));
    let transfer = pay(&server, &a, &b, "move", 400, json!({})).await;
    let told = lineage(&server, &transfer).await;
    assert_eq!(told["fund_allocation"], json!([{"amount": 400, "provider": "stripe"}]));
    let follow = [shadow("move_release_stripe", "APPLIED", 400), shadow("move_receive_stripe", "APPLIED", 400)];
    assert_eq!(shadows(&told), follow);
    let [release, receive] = [0, 1].map(|index| told["shadow_transactions"][index].clone());
    let meta = json!({"_shadow_for": transfer, "_provider": "stripe", "_lineage_type": "release", "_main_balance": a,
        "_allocation": "FIFO"});
    assert_eq!((&release["meta_data"], &release["description"]), (&meta, &json!("Release stripe funds")));
    let meta = json!({"_shadow_for": transfer, "_provider": "stripe", "_lineage_type": "receive", "_main_balance": b,
        "_from_balance": a, "allow_overdraft": true});
    assert_eq!((&receive["meta_data"], &receive["description"]), (&meta, &json!("Receive stripe funds")));
    let by_id = server.get(&format!("/transactions/{transfer}")).await.json();
    assert_eq!(by_id["meta_data"], json!({"BLNK_FUND_ALLOCATION": [{"amount": 400, "provider": "stripe"}]}));
    let filter = json!({"filters": [{"field": "meta_data.BLNK_FUND_ALLOCATION", "operator": "isnotnull"}]});
    let found = server.post("/transactions/filter", filter).await.json();
    assert_eq!(found.as_array().map(Vec::len), Some(1), "{found}");
    assert_eq!(found[0]["transaction_id"], json!(transfer));
    // What follows has nothing that follows it.
    let own = lineage(&server, row["transaction_id"].as_str().expect("an id")).await;
    assert_eq!((own.get("fund_allocation"), shadows(&own)), (None, vec![]));
}

#[tokio::test]
async fn of_a_hold_and_what_became_of_it() {
    let server = open();
    let a = of_ada(&server, "FIFO").await;
    for (provider, cents) in [("stripe", 300), ("paypal", 100)] {
        let tag = json!({"meta_data": {"BLNK_LINEAGE_PROVIDER": provider}});
        pay(&server, "@World", &a, provider, cents, tag).await;
    }
    let hold = pay(&server, &a, "@Shop", "h", 400, json!({"inflight": true})).await;
    let path = format!("/transactions/inflight/{hold}");
    let part = json!({"status": "commit", "skip_queue": true, "precise_amount": 100});
    let commit = server.put(&path, part).await;
    let void = server.put(&path, json!({"status": "void", "skip_queue": true})).await;
    let names = [commit.field("reference"), void.field("reference")];
    let told = lineage(&server, &hold).await;
    assert_eq!(
        told["fund_allocation"],
        json!([{"amount": 300, "provider": "stripe"}, {"amount": 100, "provider": "paypal"}])
    );
    let wanted = [
        shadow("h_release_stripe", "INFLIGHT", 300),
        shadow("h_release_paypal", "INFLIGHT", 100),
        shadow(&format!("{}_release_stripe", names[0]), "APPLIED", 75),
        shadow(&format!("{}_release_paypal", names[0]), "APPLIED", 25),
        shadow(&format!("{}_release_stripe", names[1]), "VOID", 225),
        shadow(&format!("{}_release_paypal", names[1]), "VOID", 75),
    ];
    assert_eq!(shadows(&told), wanted);
    for row in told["shadow_transactions"].as_array().expect("a list") {
        assert_eq!((&row["meta_data"]["_shadow_for"], &row["parent_transaction"]), (&json!(hold), &json!("")));
        assert_eq!(row["meta_data"]["inflight"] == json!(true), row["status"] == json!("INFLIGHT"));
    }
    let committed = commit.field("transaction_id");
    let told = lineage(&server, &committed).await;
    assert_eq!(
        told["fund_allocation"],
        json!([{"amount": 75, "provider": "stripe"}, {"amount": 25, "provider": "paypal"}])
    );
    assert_eq!(shadows(&told), wanted[2..4]);
    // What follows a hold does not change by itself.
    let follows =
        lineage(&server, &hold).await["shadow_transactions"][0]["transaction_id"].as_str().expect("an id").to_owned();
    let message = "it follows another transaction in the lineage of a balance";
    for (method, path, body) in [
        ("PUT", format!("/transactions/inflight/{follows}"), json!({"status": "commit", "skip_queue": true})),
        ("PUT", format!("/transactions/inflight/{follows}"), json!({"status": "void", "skip_queue": true})),
        ("PATCH", format!("/transactions/inflight/{follows}"), json!({"precise_amount": 5})),
    ] {
        let told = server.ask(method, &path, body.to_string()).await;
        told.is_error(409, "GEN_CONFLICT", message);
    }
    let posted = lineage(&server, &committed).await["shadow_transactions"][0]["transaction_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let refund = format!("/refund-transaction/{posted}");
    server.refuses(("POST", &refund), r#"{"skip_queue": true}"#, (409, "GEN_CONFLICT", message)).await;
}

/// Through the queue it is told of the outcome; by the id of a batch or of a split transaction, of all parts.
#[tokio::test]
async fn of_what_has_parts() {
    let server = open();
    let a = of_ada(&server, "FIFO").await;
    let item = |source: &str, more: Value| {
        let usual = json!({"precision": 100, "currency": "USD", "description": "x", "source": source});
        crate::books::with(usual, more)
    };
    let tag = json!({"BLNK_LINEAGE_PROVIDER": "stripe"});
    let legs = json!([{"identifier": "@S1", "distribution": "60%"}, {"identifier": "@S2", "distribution": "left"}]);
    let body = json!({"atomic": true, "transactions": [
        item("@World", json!({"destination": a, "precise_amount": 1_000, "reference": "b1", "allow_overdraft": true, "meta_data": tag})),
        item(&a, json!({"destination": "@Shop", "precise_amount": 100, "reference": "b2"})),
        item(&a, json!({"destinations": legs, "precise_amount": 50, "reference": "b3"})),
    ]});
    let told = server.post("/transactions/bulk", body).await;
    assert_eq!(told.json()["transaction_count"], json!(3), "{}", told.text);
    let batch = told.field("batch_id");
    let told = lineage(&server, &batch).await;
    assert_eq!(told["fund_allocation"], json!([{"amount": 150, "provider": "stripe"}]));
    let wanted = [
        shadow("b1_q_shadow_stripe", "APPLIED", 1_000),
        shadow("b2_q_release_stripe", "APPLIED", 100),
        shadow("b3_1_q_release_stripe", "APPLIED", 30),
        shadow("b3_2_q_release_stripe", "APPLIED", 20),
    ];
    assert_eq!(shadows(&told), wanted);
    let page = server.get(&format!("/transactions/{batch}/lineage?limit=2&offset=1")).await.json();
    assert_eq!(shadows(&page), wanted[1..3]);
    for wrong in ["limit=0", "limit=x", "offset=-1"] {
        let path = format!("/transactions/{batch}/lineage?{wrong}");
        assert_eq!(server.get(&path).await.status.as_u16(), 400, "{wrong}");
    }
    // The batch as it was asked for does not show what follows.
    let told = server.get(&format!("/transactions/bulk/{batch}")).await.json();
    assert_eq!((&told["transaction_count"], &told["counts"]), (&json!(3), &json!({"APPLIED": 4})));
    let split = item(&a, json!({"destinations": legs, "precise_amount": 10, "reference": "s", "skip_queue": true}));
    let told = server.post("/transactions", split).await;
    let told = lineage(&server, &told.field("transaction_id")).await;
    assert_eq!(told["fund_allocation"], json!([{"amount": 10, "provider": "stripe"}]));
    assert_eq!(
        shadows(&told),
        [shadow("s-1_release_stripe", "APPLIED", 6), shadow("s-2_release_stripe", "APPLIED", 4)]
    );
    let queued = item(&a, json!({"destination": "@Shop", "precise_amount": 5, "reference": "q"}));
    let request = server.post("/transactions", queued).await.field("transaction_id");
    assert_eq!(shadows(&lineage(&server, &request).await), []);
    let outcome = server.get("/transactions/reference/q_q").await.field("transaction_id");
    assert_eq!(shadows(&lineage(&server, &outcome).await), [shadow("q_q_release_stripe", "APPLIED", 5)]);
}

/// Holds of a batch are committed and given back as a whole: what follows is neither a hold nor a refund of its own.
#[tokio::test]
async fn of_a_batch_of_holds() {
    for skip_queue in [true, false] {
        let server = open();
        let a = of_ada(&server, "FIFO").await;
        let tag = json!({"meta_data": {"BLNK_LINEAGE_PROVIDER": "stripe"}});
        pay(&server, "@World", &a, "in", 1_000, tag).await;
        let item = |reference: &str, cents: u64| {
            json!({"precision": 100, "currency": "USD", "description": "x", "source": a, "destination": "@Shop",
                "precise_amount": cents, "reference": reference})
        };
        let body = json!({"atomic": true, "inflight": true, "skip_queue": skip_queue,
            "transactions": [item("one", 100), item("two", 300)]});
        let batch = server.post("/transactions/bulk", body).await.field("batch_id");
        let told = server
            .put(&format!("/transactions/inflight/{batch}"), json!({"status": "commit", "skip_queue": true}))
            .await;
        assert_eq!(told.status.as_u16(), 200, "{}", told.text);
        assert_eq!(spent(&server, &a).await, json!([[1_000, 600]]));
        let told = lineage(&server, &batch).await;
        assert_eq!(told["fund_allocation"], json!([{"amount": 400, "provider": "stripe"}]));
        let statuses: Vec<String> = shadows(&told).into_iter().map(|row| row.1).collect();
        assert_eq!(statuses, ["INFLIGHT", "INFLIGHT", "APPLIED", "APPLIED"]);
        let told = server.post(&format!("/refund-transaction/{batch}"), json!({"skip_queue": true})).await;
        assert_eq!(told.status.as_u16(), 201, "{}", told.text);
        assert_eq!(spent(&server, &a).await, json!([[1_400, 1_000]]));
    }
}

/// What came and what is there of each provider.
async fn spent(server: &TestServer, balance: &str) -> Value {
    let told = server.get(&format!("/balances/{balance}/lineage")).await.json();
    let providers = told["providers"].as_array().expect("a list").iter();
    providers.map(|one| json!([one["amount"], one["available"]])).collect()
}

/// Webhooks tell what follows as transactions, and the balances that were opened for it.
#[tokio::test]
async fn what_follows_is_told() {
    let server = open();
    let a = of_ada(&server, "FIFO").await;
    let tag = json!({"meta_data": {"BLNK_LINEAGE_PROVIDER": "stripe"}, "inflight": true});
    pay(&server, "@World", &a, "in", 100, tag).await;
    let told = server.get("/events").await.json();
    let events = told["events"].as_array().expect("a list");
    let told = |event: &Value| {
        let data = &event["data"];
        let name = if data["reference"].is_null() { &data["indicator"] } else { &data["reference"] };
        (event["event"].as_str().expect("a text").to_owned(), name.as_str().unwrap_or_default().to_owned())
    };
    let last: Vec<_> = events.iter().map(told).skip(2).collect();
    let wanted = [
        ("balance.created", "@World"),
        ("balance.created", "@stripe_ada_obi_idt_7b1e_lineage"),
        ("balance.created", "@ada_obi_idt_7b1e_lineage"),
        ("transaction.inflight", "in"),
        ("transaction.inflight", "in_shadow_stripe"),
    ];
    assert_eq!(last, wanted.map(|(event, name)| (event.to_owned(), name.to_owned())));
    assert_eq!(events.last().expect("there are some")["data"]["meta_data"]["_lineage_type"], json!("credit"));
}

#[tokio::test]
async fn of_what_has_none() {
    let server = open();
    let (a, b) = (server.balance().await, server.balance().await);
    let paid =
        pay(&server, &a, &b, "p", 5, json!({"allow_overdraft": true, "meta_data": {"BLNK_FUND_ALLOCATION": [1]}}))
            .await;
    let path = format!("/transactions/{paid}/lineage");
    server.get(&path).await.is(200, json!({"transaction_id": "<txn 1>", "shadow_transactions": []}));
    let told = server.get(&format!("/transactions/{paid}")).await.json();
    assert_eq!(told["meta_data"], json!({"allow_overdraft": true}), "the key is the server's own");
    for id in ["x", "txn_00000000-0000-4000-8000-000000000000", "bulk_00000000-0000-4000-8000-000000000000"] {
        let message = format!("Transaction with ID '{id}' not found");
        server.refuses(("GET", &format!("/transactions/{id}/lineage")), "", (404, "TXN_NOT_FOUND", &message)).await;
    }
}
