use crate::books::{payment, with};
use crate::support::{TestServer, labels::labelled, open, settings};
use serde_json::{Value, json};

/// A tracked balance of an owner with these fields, that spends in this order.
pub async fn tracked(server: &TestServer, owner: Value, strategy: &str) -> String {
    let owner = with(json!({"identity_type": "individual"}), owner);
    let identity = server.post("/identities", owner).await.field("identity_id");
    let body = json!({"ledger_id": "general_ledger_id", "currency": "USD", "identity_id": identity,
        "track_fund_lineage": true, "allocation_strategy": strategy});
    server.post("/balances", body).await.field("balance_id")
}

/// The balance of Ada Obi.
pub async fn of_ada(server: &TestServer, strategy: &str) -> String {
    let owner =
        json!({"identity_id": "idt_7b1e0000-0000-4000-8000-000000000000", "first_name": "Ada", "last_name": "Obi"});
    tracked(server, owner, strategy).await
}

/// Sends a payment of some cents; its id.
pub async fn pay(
    server: &TestServer,
    source: &str,
    destination: &str,
    reference: &str,
    cents: u64,
    more: Value,
) -> String {
    let fields = json!({"amount": null, "precise_amount": cents, "reference": reference,
        "allow_overdraft": source.starts_with('@')});
    let told = server.post("/transactions", payment(source, destination, with(fields, more))).await;
    assert_eq!(told.status.as_u16(), 201, "{}", told.text);
    told.field("transaction_id")
}

/// What a balance has of each provider: what came, what is there, what went.
pub async fn funds(server: &TestServer, balance: &str) -> Vec<(String, i64, i64, i64)> {
    let told = server.get(&format!("/balances/{balance}/lineage")).await.json();
    let number = |value: &Value| value.as_i64().expect("a number");
    let funds: Vec<_> = told["providers"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| {
            let provider = one["provider"].as_str().expect("a text").to_owned();
            (provider, number(&one["amount"]), number(&one["available"]), number(&one["spent"]))
        })
        .collect();
    assert_eq!(number(&told["total_with_lineage"]), funds.iter().map(|fund| fund.2).sum::<i64>());
    funds
}

fn fund(provider: &str, came: i64, there: i64, went: i64) -> (String, i64, i64, i64) {
    (provider.to_owned(), came, there, went)
}

/// The worked example of the specification, and that all of it is there after a crash.
#[tokio::test]
async fn first_in_first_out() {
    let server = open();
    let a = of_ada(&server, "FIFO").await;
    let path = format!("/balances/{a}/lineage");
    let none = json!({"balance_id": "<bln 1>", "total_with_lineage": 0, "aggregate_balance_id": "", "providers": []});
    server.get(&path).await.is(200, none);
    pay(&server, "@World", &a, "r1", 10_000, json!({"meta_data": {"BLNK_LINEAGE_PROVIDER": "stripe"}})).await;
    pay(&server, "@World", &a, "r2", 5_000, json!({"meta_data": {"BLNK_LINEAGE_PROVIDER": "paypal"}})).await;
    pay(&server, &a, "@Shop", "r3", 12_000, json!({})).await;
    let told = server.get(&path).await;
    told.is(
        200,
        json!({"balance_id": "<bln 1>", "total_with_lineage": 3000, "aggregate_balance_id": "<bln 2>", "providers": [
            {"provider": "stripe", "amount": 10000, "available": 0, "spent": 10000, "shadow_balance_id": "<bln 3>"},
            {"provider": "paypal", "amount": 5000, "available": 3000, "spent": 2000, "shadow_balance_id": "<bln 4>"},
        ]}),
    );
    let figures = |name: &str| format!("/balances/indicator/{name}/currency/USD");
    for (name, balance, credit, debit) in [
        ("@stripe_ada_obi_idt_7b1e_lineage", 0, 10_000, 10_000),
        ("@paypal_ada_obi_idt_7b1e_lineage", -3_000, 2_000, 5_000),
        ("@ada_obi_idt_7b1e_lineage", 3_000, 15_000, 12_000),
    ] {
        let found = server.get(&figures(name)).await.json();
        let wanted = json!([balance, credit, debit, "general_ledger_id", "", false]);
        let fields = ["balance", "credit_balance", "debit_balance", "ledger_id", "identity_id", "track_fund_lineage"];
        assert_eq!(Value::Array(fields.iter().map(|name| found[name].clone()).collect()), wanted, "{name}");
    }
    let crashed = server.crashed(settings(&[]));
    assert_eq!(crashed.get(&path).await.text, told.text);
    pay(&crashed, &a, "@Shop", "r4", 3_000, json!({})).await;
    assert_eq!(funds(&crashed, &a).await, [fund("stripe", 10_000, 0, 10_000), fund("paypal", 5_000, 0, 5_000)]);
}

#[tokio::test]
async fn other_strategies() {
    for (strategy, stripe, paypal) in [("LIFO", 3_000, 0), ("PROPORTIONAL", 2_000, 1_000)] {
        let server = open();
        let a = of_ada(&server, strategy).await;
        pay(&server, "@World", &a, "r1", 10_000, json!({"meta_data": {"BLNK_LINEAGE_PROVIDER": "stripe"}})).await;
        pay(&server, "@World", &a, "r2", 5_000, json!({"meta_data": {"BLNK_LINEAGE_PROVIDER": "paypal"}})).await;
        pay(&server, &a, "@Shop", "r3", 12_000, json!({})).await;
        let wanted = [fund("stripe", 10_000, stripe, 10_000 - stripe), fund("paypal", 5_000, paypal, 5_000 - paypal)];
        assert_eq!(funds(&server, &a).await, wanted, "{strategy}");
    }
}

/// What is held is there until it is committed; what is given back is there again.
#[tokio::test]
async fn holds_and_refunds() {
    let server = open();
    let a = of_ada(&server, "FIFO").await;
    pay(&server, "@World", &a, "d1", 1_000, json!({"meta_data": {"BLNK_LINEAGE_PROVIDER": "stripe"}})).await;
    let hold = pay(&server, &a, "@Shop", "h1", 400, json!({"inflight": true})).await;
    assert_eq!(funds(&server, &a).await, [fund("stripe", 1_000, 1_000, 0)]);
    let path = format!("/transactions/inflight/{hold}");
    let part = json!({"status": "commit", "skip_queue": true, "precise_amount": 100});
    let commit = server.put(&path, part).await.field("transaction_id");
    assert_eq!(funds(&server, &a).await, [fund("stripe", 1_000, 900, 100)]);
    server.put(&path, json!({"status": "void", "skip_queue": true})).await;
    assert_eq!(funds(&server, &a).await, [fund("stripe", 1_000, 900, 100)]);
    let told = server.post(&format!("/refund-transaction/{commit}"), json!({"skip_queue": true})).await.json();
    assert_eq!(told["meta_data"]["BLNK_FUND_ALLOCATION"], json!([{"amount": 100, "provider": "stripe"}]));
    assert_eq!(funds(&server, &a).await, [fund("stripe", 1_100, 1_000, 100)]);
}

/// A scheduled tag waits with its request, and a hold that expires gives back what it held.
#[tokio::test]
async fn what_waits_is_traced_when_it_runs() {
    let server = open();
    let a = of_ada(&server, "FIFO").await;
    let tag = json!({"BLNK_LINEAGE_PROVIDER": "stripe"});
    let later = json!({"allow_overdraft": true, "meta_data": tag});
    server.schedule("@World", &a, "s1", "2026-03-04T11:00:00Z", later).await;
    assert_eq!(funds(&server, &a).await, []);
    server.pass("2026-03-04T11:00:01Z").await;
    assert_eq!(funds(&server, &a).await, [fund("stripe", 100, 100, 0)]);
    let hold = json!({"inflight": true, "inflight_expiry_date": "2026-03-04T12:00:00Z"});
    pay(&server, &a, "@Shop", "h1", 60, hold).await;
    pay(&server, &a, "@Shop", "p1", 40, json!({})).await;
    server.pass("2026-03-04T12:00:01Z").await;
    pay(&server, &a, "@Shop", "p2", 60, json!({})).await;
    assert_eq!(funds(&server, &a).await, [fund("stripe", 100, 0, 100)]);
}

/// Renaming is not there yet; but owners of one name share nothing when their ids differ, and two balances of one owner
/// share shadow balances and still tell their own money only.
#[tokio::test]
async fn balances_of_one_owner() {
    let server = open();
    let owner = json!({"organization_name": "Acme  Corp", "identity_type": "organization",
        "identity_id": "idt_0a0b0000-0000-4000-8000-000000000000"});
    let a = tracked(&server, owner, "FIFO").await;
    let body = json!({"ledger_id": "general_ledger_id", "currency": "USD", "track_fund_lineage": true,
        "identity_id": "idt_0a0b0000-0000-4000-8000-000000000000"});
    let b = server.post("/balances", body).await.field("balance_id");
    for (balance, reference, cents) in [(&a, "d1", 70), (&b, "d2", 30)] {
        pay(&server, "@World", balance, reference, cents, json!({"meta_data": {"BLNK_LINEAGE_PROVIDER": "cash"}}))
            .await;
    }
    pay(&server, &a, "@Shop", "p1", 50, json!({})).await;
    assert_eq!(funds(&server, &a).await, [fund("cash", 70, 20, 50)]);
    assert_eq!(funds(&server, &b).await, [fund("cash", 30, 30, 0)]);
    let shadow = server.get("/balances/indicator/@cash_acme__corp_idt_0a0b_lineage/currency/USD").await;
    assert_eq!(shadow.json()["balance"], json!(-50), "{}", shadow.text);
}

#[tokio::test]
async fn balances_without_a_lineage() {
    let server = open();
    let b = server.balance().await;
    let message = format!("balance {b} does not have fund lineage tracking enabled");
    server.refuses(("GET", &format!("/balances/{b}/lineage")), "", (400, "GEN_BAD_REQUEST", &message)).await;
    for id in ["x", "bln_00000000-0000-4000-8000-000000000000"] {
        let message = format!("Balance with ID '{id}' not found");
        server.refuses(("GET", &format!("/balances/{id}/lineage")), "", (404, "BAL_NOT_FOUND", &message)).await;
    }
}

/// The tag is a text of at most 100 bytes; anything else is no tag.
#[tokio::test]
async fn tags() {
    let server = open();
    let a = of_ada(&server, "FIFO").await;
    let tagged = |reference: &str, provider: Value| {
        let fields = json!({"reference": reference, "allow_overdraft": true,
            "meta_data": {"BLNK_LINEAGE_PROVIDER": provider}});
        payment("@World", &a, fields)
    };
    for (number, none) in [json!(""), json!(7), json!(null), json!(["stripe"])].into_iter().enumerate() {
        let told = server.post("/transactions", tagged(&format!("n{number}"), none)).await;
        assert_eq!(told.status.as_u16(), 201, "{}", told.text);
    }
    assert_eq!(funds(&server, &a).await, []);
    let longest = "é".repeat(50);
    let message = "meta_data.BLNK_LINEAGE_PROVIDER: cannot be longer than 100 bytes.";
    for path in ["/transactions", "/transactions/bulk"] {
        let long = tagged("t1", json!(format!("{longest}x")));
        let body = if path == "/transactions" { long } else { json!({"transactions": [long]}) };
        server.refuses(("POST", path), body.to_string(), (400, "TXN_VALIDATION_ERROR", message)).await;
    }
    assert_eq!(server.post("/transactions", tagged("t2", json!(longest))).await.status.as_u16(), 201);
    assert_eq!(funds(&server, &a).await, [fund(&longest, 100, 100, 0)]);
    let listed = labelled(&server.get("/transactions?limit=1").await.text);
    assert_eq!(listed[0]["reference"], json!(format!("t2_shadow_{longest}")));
}
