use crate::books::{payment, with};
use crate::support::{TestServer, open, settings};
use ledger::command::{CloseLedger, Command};
use serde_json::{Value, json};
use server::http::{ask, closings};

const FEBRUARY: &str = "2026-02-01T00:00:00Z";
const MARCH: &str = "2026-03-01T00:00:00Z";

struct Books {
    server: TestServer,
    ledger: String,
    ada: String,
    bob: String,
}

async fn books() -> Books {
    let server = open();
    let ledger = server.post("/ledgers", json!({"name": "wallets"})).await.field("ledger_id");
    let balance = json!({"ledger_id": ledger, "currency": "USD"});
    let ada = server.post("/balances", balance.clone()).await.field("balance_id");
    let bob = server.post("/balances", balance).await.field("balance_id");
    let books = Books { server, ledger, ada, bob };
    books.pay("@Bank", &books.ada, "in", json!({"amount": 100, "effective_date": "2026-01-15T00:00:00Z"})).await;
    books.pay(&books.ada, &books.bob, "feb", json!({"amount": 30, "effective_date": FEBRUARY})).await;
    books.pay(&books.bob, "@Bank", "out", json!({"amount": 5, "effective_date": "2026-02-10T00:00:00Z"})).await;
    books
}

impl Books {
    async fn pay(&self, source: &str, destination: &str, reference: &str, fields: Value) -> crate::support::Told {
        let usual = json!({"reference": reference, "allow_overdraft": true});
        self.server.post("/transactions", payment(source, destination, with(usual, fields))).await
    }

    async fn close(&self, until: &str) -> crate::support::Told {
        self.server.post(&format!("/ledgers/{}/closings", self.ledger), json!({"until": until})).await
    }

    async fn balance_is(&self, balance: &str, minor: i64) {
        assert_eq!(self.server.figures(balance).await[0], minor);
    }
}

#[tokio::test]
async fn totals_of_each_period_follow_each_other() {
    let books = books().await;
    let path = format!("/ledgers/{}/closings", books.ledger);
    let body = json!({"until": FEBRUARY, "description": "January", "meta_data": {"by": "ada"}});
    let first = books.server.post(&path, body).await;
    let total = json!({"currency": "USD", "count": 0,
        "opening_balance": 0, "opening_credit_balance": 0, "opening_debit_balance": 0, "credit": 10_000, "debit": 0,
        "closing_balance": 10_000, "closing_credit_balance": 10_000, "closing_debit_balance": 0});
    let wanted = json!({"closing_id": "<cls 1>", "ledger_id": "<ldg 1>", "until": FEBRUARY,
        "created_at": "2026-03-04T10:11:12.123456Z", "description": "January", "meta_data": {"by": "ada"},
        "status": "complete", "totals": [total]});
    first.is(201, wanted.clone());
    let first_path = format!("{path}/{}", first.field("closing_id"));
    books.server.get(&first_path).await.is(200, wanted);
    books.server.clock.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    let second = books.close("2026-03-04T10:11:12.123457Z").await;
    second.is(
        201,
        json!({"closing_id": "<cls 1>", "ledger_id": "<ldg 1>", "from": FEBRUARY, "until": "2026-03-04T10:11:12.123457Z",
        "created_at": "2026-03-04T10:11:12.123457Z", "status": "complete", "totals": [{"currency": "USD", "count": 2,
        "opening_balance": 10_000, "opening_credit_balance": 10_000, "opening_debit_balance": 0,
        "credit": 3_000, "debit": 3_500,
        "closing_balance": 9_500, "closing_credit_balance": 13_000, "closing_debit_balance": 3_500}]}),
    );
    let checked = books.server.get(&format!("{first_path}?check=true")).await.json();
    assert_eq!(checked["check"], json!({"agrees": true, "checked_at": "2026-03-04T10:11:12.123457Z"}));
    let list = books.server.get(&path).await.json();
    let ids: Vec<&Value> = list.as_array().expect("a list").iter().map(|one| &one["closing_id"]).collect();
    assert_eq!(ids, [&second.json()["closing_id"], &first.json()["closing_id"]], "newest first");
    assert_eq!(list[0].get("totals"), None);
    assert_eq!(books.server.get(&format!("{path}?limit=1&offset=1")).await.json(), json!([list[1]]));
}

#[tokio::test]
async fn nothing_falls_into_closed_books_any_more() {
    let books = books().await;
    assert_eq!(books.close(FEBRUARY).await.status.as_u16(), 201);
    let late = json!({"amount": 1, "effective_date": "2026-01-31T23:59:59.999999Z"});
    let told = format!("effective_date: the books of ledger {} are closed until {FEBRUARY}", books.ledger);
    for (source, destination) in [(&*books.ada, "@Fees"), ("@Fees", &*books.ada), (&*books.ada, &*books.bob)] {
        for fields in [json!({}), json!({"inflight": true})] {
            let body = payment(source, destination, with(late.clone(), with(fields, json!({"allow_overdraft": true}))));
            books.server.refuses(("POST", "/transactions"), body.to_string(), (400, "TXN_PERIOD_CLOSED", &told)).await;
        }
    }
    let refused = books.pay(&books.ada, "@Fees", "late", late.clone()).await;
    assert_eq!(
        refused.json()["error_detail"]["details"],
        json!({"field": "effective_date", "closed_until": FEBRUARY, "ledger_id": books.ledger})
    );
    // In time, with no date, and of ledgers that are open.
    for (source, destination, fields) in [
        (&*books.ada, "@Fees", json!({"effective_date": FEBRUARY})),
        (&*books.ada, "@Fees", json!({})),
        ("@Fees", "@Other", late.clone()),
    ] {
        let told = books.pay(source, destination, &fields.to_string(), fields.clone()).await;
        assert_eq!(told.status.as_u16(), 201, "{}", told.text);
    }
    books.balance_is(&books.ada, 6_800).await;
    // Through the queue the outcome is a row.
    let queued = with(late.clone(), json!({"skip_queue": false, "reference": "queued"}));
    assert_eq!(books.pay(&books.ada, &books.bob, "queued", queued).await.status.as_u16(), 201);
    let outcome = books.server.get("/transactions/reference/queued_q").await.json();
    assert_eq!(outcome["status"], "REJECTED");
    let reason = outcome["meta_data"]["blnk_rejection_reason"].as_str().expect("a reason").to_owned();
    assert!(reason.starts_with("effective_date: the books of the ledger"), "{reason}");
    let waits = json!({"skip_queue": false, "scheduled_for": "2026-05-01T00:00:00Z"});
    assert_eq!(books.pay(&books.ada, &books.bob, "waits", with(late.clone(), waits)).await.status.as_u16(), 201);
    assert_eq!(books.server.get("/transactions/reference/waits_q").await.json()["status"], "REJECTED");
    let tried = books.pay(&books.ada, &books.bob, "tried", with(late, json!({"dry_run": true}))).await;
    assert_eq!(tried.json()["rejection"]["code"], "TXN_PERIOD_CLOSED", "{}", tried.text);
}

#[tokio::test]
async fn batches_splits_and_exchanges_name_the_date_too() {
    let books = books().await;
    assert_eq!(books.close(MARCH).await.status.as_u16(), 201);
    let told = format!("the books of ledger {} are closed until {MARCH}", books.ledger);
    let item =
        |reference: &str, fields: Value| payment(&books.ada, &books.bob, with(json!({"reference": reference}), fields));
    let late = json!({"effective_date": "2026-01-31T00:00:00Z"});
    let both = json!([item("b1", json!({})), item("b2", late.clone())]);
    let refused = (400, "TXN_PERIOD_CLOSED", &*told);
    let atomic = json!({"atomic": true, "skip_queue": true, "transactions": both});
    books.server.refuses(("POST", "/transactions/bulk"), atomic.to_string(), refused).await;
    let goes_on = json!({"continue_on_error": true, "skip_queue": true, "transactions": both});
    let results = books.server.post("/transactions/bulk", goes_on).await.json();
    assert_eq!((&results["succeeded"], &results["failed"]), (&json!(1), &json!(1)), "{results}");
    assert_eq!(results["results"][1]["code"], "TXN_PERIOD_CLOSED");
    assert!(results["results"][1]["message"].as_str().expect("a text").contains(&told), "{results}");
    let split = with(
        payment("@Bank", "", with(late.clone(), json!({"destination": null, "allow_overdraft": true, "amount": 2}))),
        json!({"destinations": [{"identifier": "@Other", "distribution": "50%"},
            {"identifier": books.ada, "distribution": "left"}]}),
    );
    books.server.refuses(("POST", "/transactions"), split.to_string(), refused).await;
    let euro = json!({"ledger_id": books.ledger, "currency": "EUR"});
    let euro = books.server.post("/balances", euro).await.field("balance_id");
    let exchange = with(
        json!({"source": books.ada, "destination": euro, "source_currency": "USD", "destination_currency": "EUR",
            "source_precision": 100, "destination_precision": 100,
            "amount": 1, "rate": "0.5", "reference": "fx", "precision": 100, "skip_queue": true}),
        late,
    );
    let told_of_exchange = books.server.post("/exchanges", exchange).await;
    told_of_exchange.is_error(400, "TXN_PERIOD_CLOSED", &told);
}

#[tokio::test]
async fn holds_and_refunds_count_when_they_happen() {
    let books = books().await;
    let held = books.pay(
        &books.ada,
        &books.bob,
        "hold",
        json!({"amount": 10, "inflight": true,
        "effective_date": "2026-02-20T00:00:00Z"}),
    );
    let hold = held.await.field("transaction_id");
    let paid = books.server.get("/transactions/reference/in").await.field("transaction_id");
    let closed = books.close(MARCH).await;
    assert_eq!(closed.status.as_u16(), 201);
    let path = format!("/transactions/inflight/{hold}");
    let commit = books.server.put(&path, json!({"status": "commit", "skip_queue": true})).await;
    assert_eq!(commit.status.as_u16(), 200, "{}", commit.text);
    let refund = books.server.post(&format!("/refund-transaction/{paid}"), json!({"skip_queue": true})).await;
    assert_eq!(refund.status.as_u16(), 201, "{}", refund.text);
    books.balance_is(&books.ada, 6_000 - 10_000).await;
    let path = format!("/ledgers/{}/closings/{}?check=1", books.ledger, closed.field("closing_id"));
    assert_eq!(books.server.get(&path).await.json()["check"]["agrees"], true);
}

#[tokio::test]
async fn closings_go_forwards_and_not_into_the_future() {
    let books = books().await;
    let path = format!("/ledgers/{}/closings", books.ledger);
    for (body, status, code, text) in [
        (json!({}), 400, "GEN_VALIDATION_ERROR", "until: cannot be blank"),
        (json!({"until": "2026-02-01"}), 400, "GEN_VALIDATION_ERROR", "until: must be a time in RFC 3339"),
        (
            json!({"until": "2026-03-04T10:11:12.123457Z"}),
            400,
            "GEN_VALIDATION_ERROR",
            "until: must not be in the future",
        ),
        (json!({"until": FEBRUARY, "description": "d".repeat(65_537)}), 400, "GEN_VALIDATION_ERROR", "description: "),
        (json!({"until": 7}), 400, "GEN_MALFORMED_REQUEST", ""),
        (json!({"until": FEBRUARY, "meta_data": 7}), 400, "GEN_MALFORMED_REQUEST", ""),
    ] {
        books.server.post(&path, body).await.is_error(status, code, text);
    }
    assert_eq!(books.server.get(&path).await.json(), json!([]), "nothing was kept");
    let longest = json!({"until": FEBRUARY, "description": "d".repeat(65_536)});
    let first = books.server.post(&path, longest).await;
    assert_eq!(first.status.as_u16(), 201);
    for until in [FEBRUARY, "2026-01-31T00:00:00Z"] {
        books.close(until).await.is_error(409, "LGR_ALREADY_CLOSED", "until: ");
    }
    assert_eq!(books.close("2026-02-01T00:00:00.000001Z").await.status.as_u16(), 201);
    books.server.post("/ledgers/ldg_x/closings", json!({"until": FEBRUARY})).await.is_error(404, "LGR_NOT_FOUND", "");
    books.server.get("/ledgers/ldg_x/closings").await.is_error(404, "LGR_NOT_FOUND", "");
    let id = first.field("closing_id");
    for (path, code) in [
        (format!("/ledgers/ldg_x/closings/{id}"), "LGR_NOT_FOUND"),
        (format!("/ledgers/general_ledger_id/closings/{id}"), "LGR_CLOSING_NOT_FOUND"),
        (format!("{path}/cls_x"), "LGR_CLOSING_NOT_FOUND"),
    ] {
        books.server.get(&path).await.is_error(404, code, "");
    }
    books.server.get(&format!("{path}/{id}?check=maybe")).await.is_error(400, "GEN_VALIDATION_ERROR", "check: ");
    books.server.get(&format!("{path}?limit=0")).await.is_error(400, "GEN_VALIDATION_ERROR", "limit");
}

/// A stop between the two records leaves a closing without totals. Whoever looks at it gets them all the same, and so does the
/// next start.
#[tokio::test]
async fn a_closing_that_a_stop_came_between_gets_its_totals() {
    let mut books = books().await;
    let (mut ids, path) = (Vec::new(), format!("/ledgers/{}/closings", books.ledger));
    for until in ["2026-01-20T00:00:00Z", FEBRUARY, MARCH] {
        let (ledger, description, metadata) = (books.ledger.clone(), String::new(), String::new());
        let until = server::api::time::Moment::parse(until).expect("a time").micros();
        let command = CloseLedger { ledger, until, description, metadata };
        ask::change(&books.server.state, Command::CloseLedger(command), 0).await.expect("it is closed");
        let list = books.server.get(&path).await.json();
        assert_eq!(list[0]["status"], "pending");
        ids.push(list[0]["closing_id"].as_str().expect("an id").to_owned());
    }
    books.server = books.server.crashed(settings(&[]));
    let pending = async |books: &Books| {
        let list = books.server.get(&path).await.json();
        list.as_array().expect("a list").iter().filter(|one| one["status"] == "pending").count()
    };
    assert_eq!(pending(&books).await, 3);
    let late = json!({"effective_date": "2026-02-28T23:59:59Z"});
    books.pay(&books.ada, &books.bob, "late", late).await.is_error(400, "TXN_PERIOD_CLOSED", MARCH);
    books.pay(&books.ada, &books.bob, "in time", json!({"effective_date": MARCH})).await;
    let second = books.server.get(&format!("{path}/{}", ids[1])).await.json();
    assert_eq!((&second["status"], &second["from"]), (&json!("complete"), &json!("2026-01-20T00:00:00Z")));
    assert_eq!(second["totals"][0]["closing_balance"], 10_000);
    assert_eq!(pending(&books).await, 2);
    closings::complete_all(books.server.state.clone()).await;
    assert_eq!(pending(&books).await, 0);
    let third = books.server.get(&format!("{path}/{}?check=true", ids[2])).await.json();
    assert_eq!((&third["totals"][0]["closing_balance"], &third["check"]["agrees"]), (&json!(9_500), &json!(true)));
    assert_eq!(third["totals"][0]["opening_balance"], 10_000);
}

#[tokio::test]
async fn the_general_ledger_is_closed_as_any_other() {
    let books = books().await;
    let told = books.server.post("/ledgers/general_ledger_id/closings", json!({"until": MARCH})).await;
    assert_eq!(told.status.as_u16(), 201);
    assert_eq!(told.json()["totals"][0]["closing_balance"], -9_500);
    let late = json!({"effective_date": "2026-01-31T00:00:00Z"});
    for indicator in ["@Bank", "@New"] {
        let told = books.pay(indicator, &books.ada, "late", late.clone()).await;
        told.is_error(400, "TXN_PERIOD_CLOSED", "general_ledger_id are closed until");
    }
    books.pay(&books.ada, &books.bob, "others", late).await;
    books.balance_is(&books.ada, 6_900).await;
}

#[tokio::test]
async fn closings_and_assertions_are_told_in_the_feed() {
    let books = books().await;
    let closing = books.close(MARCH).await.json();
    let path = format!("/balances/{}/assertions", books.ada);
    let assertion = books.server.post(&path, json!({"precise_balance": 1, "source": "bank"})).await.json();
    let id = assertion["assertion_id"].as_str().expect("an id");
    assert_eq!(books.server.delete(&format!("{path}/{id}")).await.status.as_u16(), 200);
    let page = books.server.get("/events?limit=1000").await.json();
    let events = page["events"].as_array().expect("a list");
    let [closed, asserted, deleted] = &events[events.len() - 3..] else { panic!("there are three") };
    assert_eq!((&closed["event"], &closed["data"]), (&json!("ledger.closed"), &closing));
    let mut wanted = assertion.clone();
    for field in ["status", "found", "difference"] {
        wanted.as_object_mut().expect("an object").remove(field);
    }
    assert_eq!((&asserted["event"], &asserted["data"]), (&json!("balance.asserted"), &wanted));
    assert_eq!(deleted["event"], "balance.assertion_deleted");
    assert_eq!(deleted["data"], json!({"assertion_id": id, "balance_id": books.ada}));
}

#[tokio::test]
async fn a_page_has_so_many_closings() {
    let books = books().await;
    let start = server::api::time::Moment::parse(FEBRUARY).expect("a time").micros();
    for number in 0..=closings::PAGE_MAX as i64 {
        let (ledger, description, metadata) = (books.ledger.clone(), String::new(), String::new());
        let command = CloseLedger { ledger, until: start + number, description, metadata };
        ask::change(&books.server.state, Command::CloseLedger(command), 0).await.expect("it is closed");
    }
    let path = format!("/ledgers/{}/closings", books.ledger);
    let count = async |query: &str| {
        let list = books.server.get(&format!("{path}?{query}")).await.json();
        list.as_array().expect("a list").len()
    };
    assert_eq!(count("limit=1000").await, closings::PAGE_MAX);
    assert_eq!(count("limit=1001").await, closings::PAGE_MAX, "no more");
    assert_eq!(count("limit=1001&offset=1000").await, 1);
    assert_eq!(count("").await, 100);
}
