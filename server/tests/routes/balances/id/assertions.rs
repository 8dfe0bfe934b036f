use crate::books::{payment, with};
use crate::support::{TestServer, Told, open, settings};
use ledger::command::{AssertBalance, Command};
use ledger::id::{Id, Prefix};
use ledger::limits::{ASSERTION_SOURCE_BYTES_MAX, ASSERTIONS_PER_BALANCE_MAX};
use serde_json::{Value, json};
use server::http::ask;
use server::http::assertions::{COMPARED_MAX, PAGE_MAX};

async fn pay(server: &TestServer, source: &str, destination: &str, minor: i64, fields: Value) {
    let usual = json!({"amount": null, "precise_amount": minor, "reference": format!("{minor} {fields}"),
        "allow_overdraft": true});
    let told = server.post("/transactions", payment(source, destination, with(usual, fields))).await;
    assert_eq!(told.status.as_u16(), 201, "{}", told.text);
}

async fn assert(server: &TestServer, balance: &str, body: Value) -> Told {
    server.post(&format!("/balances/{balance}/assertions"), body).await
}

/// Proves that what was said is told to the last digit.
#[tokio::test]
async fn small_units_are_told_exactly() {
    let server = open();
    let balance = server.balance().await;
    let body = json!({"balance": "189.207535698279000123", "precision": 1_000_000_000_000_000_000u64});
    let told = assert(&server, &balance, body).await.text;
    for field in [r#""balance":"189.207535698279000123""#, r#""difference":-189207535698279000123"#] {
        assert!(told.contains(field), "{field} in {told}");
    }
}

#[tokio::test]
async fn an_assertion_is_kept_and_compared_whenever_it_is_read() {
    let server = open();
    let balance = server.balance().await;
    pay(&server, "@World", &balance, 1_050, json!({"effective_date": "2026-01-10T00:00:00Z"})).await;
    let body = json!({"at": "2026-01-31T23:59:59Z", "balance": "10.50", "precision": 100, "require": true,
        "description": "January", "source": "First Bank 1/2026", "meta_data": {"page": 2}});
    let made = assert(&server, &balance, body).await;
    let wanted = json!({"assertion_id": "<ast 1>", "balance_id": "<bln 1>", "currency": "USD", "precision": 100,
        "at": "2026-01-31T23:59:59Z", "created_at": "2026-03-04T10:11:12.123456Z", "precise_balance": 1_050,
        "balance": "10.5", "description": "January", "source": "First Bank 1/2026", "meta_data": {"page": 2},
        "status": "holds", "found": 1_050, "difference": 0});
    made.is(201, wanted.clone());
    let path = format!("/balances/{balance}/assertions/{}", made.field("assertion_id"));
    server.get(&path).await.is(200, wanted.clone());
    // What is dated later changes nothing; what is dated before does.
    pay(&server, &balance, "@World", 50, json!({})).await;
    pay(&server, &balance, "@World", 7, json!({"effective_date": "2026-02-01T00:00:00Z"})).await;
    server.get(&path).await.is(200, wanted.clone());
    pay(&server, &balance, "@World", 60, json!({"effective_date": "2026-01-31T23:59:59Z"})).await;
    let broken = with(wanted, json!({"status": "broken", "found": 990, "difference": -60}));
    server.get(&path).await.is(200, broken);
    assert_eq!(server.delete(&path).await.json(), json!({"message": "Assertion deleted successfully"}));
    for told in [server.get(&path).await, server.delete(&path).await] {
        told.is_error(404, "BAL_ASSERTION_NOT_FOUND", "not found");
    }
    assert_eq!(server.get(&format!("/balances/{balance}/assertions")).await.json(), json!([]));
}

/// One that speaks of now says nothing of what comes in the same moment.
#[tokio::test]
async fn an_assertion_of_now_is_of_what_is_there() {
    let server = open();
    let balance = server.balance().await;
    pay(&server, "@World", &balance, 5, json!({})).await;
    let made = assert(&server, &balance, json!({"precise_balance": "5", "require": true})).await;
    assert_eq!((made.status.as_u16(), made.field("status")), (201, "holds".into()), "{}", made.text);
    let told = assert(&server, &balance, json!({"precise_balance": 5, "at": "2026-03-04T10:11:12.123456Z"})).await;
    assert_eq!(told.field("status"), "holds");
    pay(&server, "@World", &balance, 6, json!({})).await;
    let all = server.get(&format!("/balances/{balance}/assertions")).await.json();
    assert_eq!((&all[0]["status"], &all[0]["found"]), (&json!("broken"), &json!(11)), "all of the moment was meant");
    assert_eq!((&all[1]["status"], &all[1]["found"]), (&json!("holds"), &json!(5)), "only what was there was meant");
}

#[tokio::test]
async fn a_broken_one_is_kept_unless_it_has_to_hold() {
    let server = open();
    let balance = server.funded(500).await;
    let told = assert(&server, &balance, json!({"precise_balance": 499})).await;
    assert_eq!((told.status.as_u16(), told.field("status")), (201, "broken".into()));
    assert_eq!((&told.json()["found"], &told.json()["difference"]), (&json!(500), &json!(1)));
    let path = format!("/balances/{balance}/assertions");
    let before = server.get(&path).await.json();
    let refused = assert(&server, &balance, json!({"precise_balance": 501, "require": true})).await;
    refused.is_error(409, "BAL_ASSERTION_BROKEN", "the balance was 500, not 501; nothing was kept");
    assert_eq!(refused.json()["error_detail"]["details"], json!({"found": 500, "difference": -1}));
    assert_eq!(server.get(&path).await.json(), before, "nothing was kept");
}

#[tokio::test]
async fn what_cannot_be_said_is_refused() {
    let server = open();
    let balance = server.balance().await;
    for (body, text) in [
        (json!({}), "precise_balance: cannot be blank, unless balance is given"),
        (json!({"precise_balance": "ten"}), "precise_balance: must be a whole number of minor units"),
        (json!({"balance": "1.5"}), "balance: needs precision"),
        (json!({"precise_balance": 1, "at": "2026-03-04T10:11:12.123457Z"}), "at: must not be in the future"),
        (
            json!({"precise_balance": 1, "source": "s".repeat(ASSERTION_SOURCE_BYTES_MAX + 1)}),
            "source: cannot be longer than 1024 bytes",
        ),
        (json!({"precise_balance": 1, "description": "d".repeat(65_537)}), "description: cannot be longer"),
    ] {
        assert(&server, &balance, body).await.is_error(400, "GEN_VALIDATION_ERROR", text);
    }
    assert(&server, &balance, json!({"precise_balance": 1, "require": "yes"})).await.is_error(
        400,
        "GEN_MALFORMED_REQUEST",
        "",
    );
    let longest = json!({"precise_balance": 0, "source": "s".repeat(ASSERTION_SOURCE_BYTES_MAX), "description": "d".repeat(65_536)});
    assert_eq!(assert(&server, &balance, longest).await.status.as_u16(), 201);
    for path in ["bln_x", "bln_01961f2a-0000-7000-8000-000000000000"] {
        assert(&server, path, json!({"precise_balance": 1})).await.is_error(404, "BAL_NOT_FOUND", path);
        server.get(&format!("/balances/{path}/assertions")).await.is_error(404, "BAL_NOT_FOUND", path);
    }
    let path = format!("/balances/{balance}/assertions");
    server.get(&format!("{path}?status=odd")).await.is_error(400, "GEN_VALIDATION_ERROR", "status: ");
    server.get(&format!("{path}?limit=0")).await.is_error(400, "GEN_VALIDATION_ERROR", "limit");
    assert_eq!(server.get(&format!("/assertions?limit={PAGE_MAX}")).await.status.as_u16(), 200);
    server.get(&format!("/assertions?limit={}", PAGE_MAX + 1)).await.is_error(400, "GEN_VALIDATION_ERROR", "limit: ");
    server.get("/assertions?cursor=x").await.is_error(400, "GEN_VALIDATION_ERROR", "cursor: ");
}

#[tokio::test]
async fn lists_are_paged_and_narrowed_by_status() {
    let server = open();
    let (one, other) = (server.funded(100).await, server.funded(7).await);
    for amount in [100, 1, 100, 2, 100, 3] {
        assert_eq!(assert(&server, &one, json!({"precise_balance": amount})).await.status.as_u16(), 201);
        assert_eq!(assert(&server, &other, json!({"precise_balance": amount + 4})).await.status.as_u16(), 201);
    }
    let amounts = |list: &Value| -> Vec<i64> {
        list.as_array().expect("a list").iter().filter_map(|one| one["precise_balance"].as_i64()).collect()
    };
    let list = async |query: &str| amounts(&server.get(&format!("/balances/{one}/assertions?{query}")).await.json());
    assert_eq!(list("").await, [3, 100, 2, 100, 1, 100]);
    assert_eq!(list("limit=2&offset=1").await, [100, 2]);
    assert_eq!(list("status=broken").await, [3, 2, 1]);
    assert_eq!(list("status=broken&limit=1&offset=1").await, [2]);
    assert_eq!(list("status=holds&offset=2").await, [100]);
    for (status, wanted) in [("", 12), ("holds", 4), ("broken", 8)] {
        for limit in [1, 5, 1_000] {
            let (mut all, mut next) = (Vec::new(), String::new());
            loop {
                let path = format!("/assertions?status={status}&limit={limit}&cursor={next}");
                let page = server.get(&path).await.json();
                assert!(page["assertions"].as_array().expect("a list").len() <= limit);
                all.extend(amounts(&page["assertions"]));
                match page["next"].as_str() {
                    Some(more) => next = more.to_owned(),
                    None => break,
                }
            }
            assert_eq!(all.len(), wanted, "{status} {limit}: {all:?}");
        }
    }
    let server = server.crashed(settings(&[]));
    let all = server.get("/assertions?status=broken").await.json();
    assert_eq!(amounts(&all["assertions"]), [104, 1, 5, 104, 2, 6, 104, 3].map(|amount| amount));
}

#[tokio::test]
async fn a_balance_has_so_many_assertions() {
    let server = open();
    let balance = server.balance().await;
    let mut last = String::new();
    for _ in 0..ASSERTIONS_PER_BALANCE_MAX {
        last = assert(&server, &balance, json!({"precise_balance": 0})).await.field("assertion_id");
    }
    let told = assert(&server, &balance, json!({"precise_balance": 0})).await;
    told.is_error(400, "GEN_BAD_REQUEST", "a balance cannot have more than 1000 assertions; delete one first");
    let all = server.get(&format!("/balances/{balance}/assertions?limit=10000")).await.json();
    assert_eq!(all.as_array().map(Vec::len), Some(ASSERTIONS_PER_BALANCE_MAX));
    assert_eq!(server.delete(&format!("/balances/{balance}/assertions/{last}")).await.status.as_u16(), 200);
    assert_eq!(assert(&server, &balance, json!({"precise_balance": 0})).await.status.as_u16(), 201);
}

/// A page compares so many, whether they are told or not.
#[tokio::test]
async fn a_page_of_all_compares_so_many() {
    let server = open();
    let mut balances = Vec::new();
    for _ in 0..=COMPARED_MAX / ASSERTIONS_PER_BALANCE_MAX {
        balances.push(Id::parse(Prefix::Balance, &server.balance().await).expect("an id"));
    }
    for number in 0..=COMPARED_MAX {
        let command = AssertBalance {
            balance: balances[number / ASSERTIONS_PER_BALANCE_MAX],
            as_of: 0,
            before_row: 0,
            // Only the last is broken.
            amount: i128::from(number == COMPARED_MAX),
            precision: 0,
            description: String::new(),
            source: String::new(),
            metadata: String::new(),
            required: None,
        };
        ask::change(&server.state, Command::AssertBalance(command), 0).await.expect("it is kept");
    }
    let first = server.get("/assertions?status=broken").await.json();
    assert_eq!(first, json!({"assertions": [], "next": COMPARED_MAX.to_string()}));
    let second = server.get(&format!("/assertions?status=broken&cursor={COMPARED_MAX}")).await.json();
    assert_eq!((second["assertions"].as_array().map(Vec::len), second.get("next")), (Some(1), None));
    let whole = server.get("/assertions?status=broken&cursor=1").await.json();
    assert_eq!((whole["assertions"].as_array().map(Vec::len), whole.get("next")), (Some(1), None), "as many as fit");
}
