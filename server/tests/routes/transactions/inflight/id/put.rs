use crate::books::{payment, with};
use crate::support::{NOW, TestServer, open};
use serde_json::{Value, json};

async fn end(server: &TestServer, id: &str, body: Value) -> crate::support::Told {
    server.put(&format!("/transactions/inflight/{id}"), body).await
}

#[tokio::test]
async fn commits_in_parts_and_releases_the_rest() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let hold = server.hold(&a, &b, "hold").await;
    let told = end(&server, &hold, json!({"status": "commit", "amount": 2.5, "skip_queue": true, "unknown": 1})).await;
    let zero = "0001-01-01T00:00:00Z";
    let parent = told.json()["parent_transaction"].clone();
    told.is(
        200,
        json!({
            "precise_amount": 250, "amount": 2.5, "amount_string": "2.5", "precision": 100, "overdraft_limit": 0, "transaction_id": "<txn 1>",
            "parent_transaction": "<txn 2>", "source": "<bln 1>", "destination": "<bln 2>", "reference": "<ref 1>", "currency": "USD",
            "description": "test", "status": "APPLIED", "hash": "<hash>", "allow_overdraft": false, "inflight": false, "skip_queue": false,
            "atomic": false, "created_at": NOW, "effective_date": NOW, "scheduled_for": zero, "inflight_expiry_date": zero,
            "inflight_commit_date": zero,
        }),
    );
    assert_eq!(parent, json!(hold));
    assert_eq!(server.figures(&a).await, [9750, 10_000, 250, 0, 750]);
    let told = end(&server, &hold, json!({"status": "commit", "precise_amount": "100"})).await;
    assert_eq!(
        (told.status.as_u16(), told.json()["queued"].clone(), told.field("status").as_str()),
        (200, json!(true), "INFLIGHT")
    );
    let told = end(&server, &hold, json!({"status": "void", "amount": 1, "skip_queue": true})).await;
    assert_eq!((told.field("status").as_str(), &told.json()["precise_amount"]), ("VOID", &json!(650)));
    assert_eq!(server.figures(&a).await, [9650, 10_000, 350, 0, 0]);
    assert_eq!(server.figures(&b).await, [350, 350, 0, 0, 0]);
}

#[tokio::test]
async fn refusals() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let hold = server.hold(&a, &b, "hold").await;
    let path = format!("/transactions/inflight/{hold}");
    for (body, code, text) in [
        (json!({}), "TXN_INVALID_STATUS_ACTION", "status not supported. use either commit or void"),
        (json!({"status": "Commit"}), "TXN_INVALID_STATUS_ACTION", "status not supported"),
        (json!({"status": "commit", "precise_amount": 0}), "TXN_INVALID_AMOUNT", "precise_amount must be positive"),
        (json!({"status": "void", "precise_amount": -1}), "TXN_INVALID_AMOUNT", "precise_amount must be positive"),
        (
            json!({"status": "commit", "precise_amount": "-999999999999999999999999999999999999999999"}),
            "TXN_INVALID_AMOUNT",
            "must be positive",
        ),
        (
            json!({"status": "commit", "precise_amount": 1.5}),
            "GEN_MALFORMED_REQUEST",
            "precise_amount is not a whole number",
        ),
        (json!({"status": "commit", "amount": -1}), "GEN_BAD_REQUEST", "commit amount cannot be negative"),
        (json!({"status": "commit", "amount": 0.001}), "TXN_INVALID_AMOUNT", "amount rounds to nothing"),
        (
            json!({"status": "commit", "amount": 10.01}),
            "TXN_COMMIT_AMOUNT_EXCEEDED",
            "Original: USD10.00, Requested: USD10.01",
        ),
        (
            json!({"status": "commit", "amount": 1e300}),
            "TXN_COMMIT_AMOUNT_EXCEEDED",
            "cannot commit more than the original",
        ),
    ] {
        for skip_queue in [true, false] {
            let mut body = body.clone();
            body["skip_queue"] = json!(skip_queue);
            server.refuses(("PUT", &path), body.to_string(), (400, code, text)).await;
        }
    }
    end(&server, &hold, json!({"status": "commit", "amount": 4})).await;
    let body = json!({"status": "commit", "amount": 6.01, "skip_queue": true}).to_string();
    let wanted = "error occurred during processing: [cannot commit more than the remaining amount. Available: USD6.00, Requested: USD6.01]";
    server.refuses(("PUT", &path), body, (400, "TXN_COMMIT_AMOUNT_EXCEEDED", wanted)).await;
}

#[tokio::test]
async fn what_is_no_open_hold_is_told() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let (done, gone) = (server.hold(&a, &b, "done").await, server.hold(&a, &b, "gone").await);
    end(&server, &done, json!({"status": "commit"})).await;
    end(&server, &gone, json!({"status": "void"})).await;
    let posted = server.post("/transactions", payment(&a, &b, json!({}))).await.field("transaction_id");
    let nothing = "txn_00000000-0000-4000-8000-000000000000";
    for (id, action, skip_queue, status, code, text) in [
        (&*done, "commit", true, 409, "TXN_ALREADY_COMMITTED", "[cannot commit. Transaction already committed]"),
        (&done, "void", true, 409, "TXN_ALREADY_COMMITTED", "[cannot void. Transaction already committed]"),
        (&done, "void", false, 409, "TXN_ALREADY_COMMITTED", "cannot commit. Transaction already committed"),
        (&gone, "commit", true, 409, "TXN_ALREADY_VOIDED", "has already been voided"),
        (&gone, "void", false, 409, "TXN_ALREADY_VOIDED", "has already been voided"),
        (&posted, "commit", true, 400, "TXN_NOT_INFLIGHT", "no transaction to commit"),
        (&posted, "void", false, 400, "TXN_NOT_INFLIGHT", "transaction is not in inflight status"),
        (nothing, "void", true, 400, "TXN_NOT_INFLIGHT", "no transaction to void"),
        (
            nothing,
            "void",
            false,
            404,
            "TXN_NOT_FOUND",
            "Transaction with ID 'txn_00000000-0000-4000-8000-000000000000' not found",
        ),
        ("x", "void", false, 404, "TXN_NOT_FOUND", "Transaction with ID 'x' not found"),
    ] {
        let body = json!({"status": action, "skip_queue": skip_queue}).to_string();
        server.refuses(("PUT", &format!("/transactions/inflight/{id}")), body, (status, code, text)).await;
    }
}

/// The holds of a batch are ended together or not at all; the refusal tells of the one that cannot be ended.
#[tokio::test]
async fn a_batch_is_ended_as_a_whole() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let items: Vec<_> = [("small", 5), ("large", 50)]
        .iter()
        .map(|(name, amount)| payment(&a, &b, json!({"reference": name, "amount": amount})))
        .collect();
    let batch = server
        .post("/transactions/bulk", json!({"transactions": items, "inflight": true, "skip_queue": true}))
        .await
        .field("batch_id");
    let path = format!("/transactions/inflight/{batch}");
    let body = json!({"status": "commit", "amount": 20, "skip_queue": true}).to_string();
    server
        .refuses(("PUT", &path), body, (400, "TXN_COMMIT_AMOUNT_EXCEEDED", "Original: USD5.00, Requested: USD20.00"))
        .await;
    let told = end(&server, &batch, json!({"status": "commit"})).await;
    assert_eq!((told.status.as_u16(), told.field("transaction_id")), (200, batch));
    assert_eq!(server.figures(&a).await, [4500, 10_000, 5500, 0, 0]);
}

/// Through the queue the answer is about the id that was given: a request has the status of a request, and a whole, which has
/// no row, that of its holds, however they were made.
#[tokio::test]
async fn a_batch_is_told_as_a_hold() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    for (count, fields) in [(1, json!({})), (2, json!({})), (2, json!({"skip_queue": true}))] {
        for action in ["commit", "void"] {
            let name = format!("{action} {count} {fields}");
            let item = |item: usize| {
                payment(&a, &b, json!({"reference": format!("{name} {item}"), "amount": 1, "skip_queue": null}))
            };
            let body = with(
                json!({"transactions": (0..count).map(item).collect::<Vec<_>>(), "inflight": true}),
                fields.clone(),
            );
            let batch = server.post("/transactions/bulk", body).await.field("batch_id");
            let told = end(&server, &batch, json!({"status": action})).await;
            assert_eq!(
                (told.status.as_u16(), told.field("transaction_id"), told.field("status"), &told.json()["queued"]),
                (200, batch, "INFLIGHT".to_owned(), &json!(true)),
                "{name}"
            );
        }
    }
    let request = payment(&a, &b, json!({"reference": "r", "amount": 1, "skip_queue": null, "inflight": true}));
    let request = server.post("/transactions", request).await.field("transaction_id");
    let told = end(&server, &request, json!({"status": "commit"})).await;
    assert_eq!((told.field("transaction_id"), told.field("status").as_str()), (request, "QUEUED"));
}

/// A setting accepts what comes late, for clients that were written for it.
/// Through the queue what of a whole has ended before is passed over; at once it refuses the whole, as nothing may be half done.
#[tokio::test]
async fn what_of_a_whole_has_ended_is_passed_over_in_the_queue() {
    let server = open();
    for action in ["commit", "void"] {
        let (a, b) = (server.funded(10_000).await, server.balance().await);
        let item = |number: u64| payment(&a, &b, json!({"amount": number, "reference": format!("{action} {number}")}));
        let body = json!({"transactions": [item(1), item(2), item(4)], "inflight": true, "skip_queue": true});
        let batch = server.post("/transactions/bulk", body).await.field("batch_id");
        let rows = server.get(&format!("/transactions/bulk/{batch}")).await.json()["transactions"].clone();
        let id = |index: usize| rows[index]["transaction_id"].as_str().unwrap().to_owned();
        end(&server, &id(0), json!({"status": "void", "skip_queue": true})).await;
        end(&server, &id(2), json!({"status": "commit", "amount": 3, "skip_queue": true})).await;
        let before = server.figures(&a).await;
        let at_once = end(&server, &batch, json!({"status": action, "skip_queue": true})).await;
        at_once.is_error(409, "TXN_ALREADY_VOIDED", "has already been voided");
        // Too much of one that is open refuses all of them still.
        let too_much = end(&server, &batch, json!({"status": "commit", "amount": 2})).await;
        too_much.is_error(400, "TXN_COMMIT_AMOUNT_EXCEEDED", "cannot commit more than");
        assert_eq!(server.figures(&a).await, before);
        let body = json!({"status": action});
        let (said, told) = server.said_and_done("PUT", &format!("/transactions/inflight/{batch}"), body).await;
        let legs: Vec<Value> =
            said.json()["legs"].as_array().unwrap().iter().map(|leg| leg["identifier"].clone()).collect();
        assert_eq!(legs, [json!(id(2)), json!(id(1))], "newest first, without the one that ended");
        assert_eq!((told.field("transaction_id"), &told.json()["queued"]), (batch.clone(), &json!(true)));
        assert_eq!(told.json()["precise_amount"], 200, "told by the oldest that was open");
        let posted = if action == "commit" { 600 } else { 300 };
        assert_eq!(server.figures(&b).await, [posted, posted, 0, 0, 0]);
        // The newest is told first, and at once each tells why.
        let (committed, voided) =
            (format!("cannot {action}. Transaction already committed"), "transaction has already been voided");
        let said = match action {
            "commit" => (format!("{committed} {committed} {voided}"), "cannot commit. Transaction already committed"),
            _ => (format!("{voided} {voided} {voided}"), voided),
        };
        let again = end(&server, &batch, json!({"status": action, "skip_queue": true})).await;
        assert_eq!(
            (again.status.as_u16(), again.field("error")),
            (409, format!("error occurred during processing: [{}]", said.0))
        );
        let again = end(&server, &batch, json!({"status": action})).await;
        assert_eq!((again.status.as_u16(), again.field("error").as_str()), (409, said.1));
    }
}

#[tokio::test]
async fn late_may_be_accepted() {
    let server = TestServer::new(crate::support::settings(&[("FLORIN_COMPAT_LATE_SETTLEMENT", "accept")]));
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let hold = server.hold(&a, &b, "hold").await;
    end(&server, &hold, json!({"status": "void"})).await;
    let before = server.counts().await;
    let told = end(&server, &hold, json!({"status": "commit"})).await;
    assert_eq!(
        (told.status.as_u16(), told.field("status").as_str(), &told.json()["queued"]),
        (200, "INFLIGHT", &json!(true))
    );
    let body = json!({"transactions": [{"transaction_id": hold}]});
    let told = server.post("/transactions/inflight/bulk/commit", body).await;
    assert_eq!(told.json()["results"][0]["status"], "queued");
    assert_eq!((server.counts().await, server.figures(&a).await), (before, [10_000, 10_000, 0, 0, 0]));
    end(&server, &hold, json!({"status": "commit", "skip_queue": true})).await.is_error(409, "TXN_ALREADY_VOIDED", "");
}

/// More than is left may be committed when it is allowed and the source can pay for the rest: all it has, and not a cent more.
#[tokio::test]
async fn more_than_is_left_may_be_committed() {
    let server = open();
    let (a, b) = (server.funded(2_000).await, server.balance().await);
    let (hold, other) = (server.hold(&a, &b, "hold").await, server.hold(&a, &b, "other").await);
    server.patch(&format!("/transactions/inflight/{other}"), json!({"precise_amount": 300})).await;
    end(&server, &hold, json!({"status": "commit", "amount": 4})).await;
    // 20.00, of which 4.00 is gone, 6.00 is held by this hold and 3.00 by the other: 7.00 more than is left can be had.
    let path = format!("/transactions/inflight/{hold}");
    let over = |minor: i64, allowed: bool| {
        json!({"status": "commit", "precise_amount": minor, "skip_queue": true, "allow_over_capture": allowed})
            .to_string()
    };
    let wanted = (
        400,
        "TXN_INSUFFICIENT_FUNDS",
        "error occurred during processing: [failed to apply transaction to balances: insufficient",
    );
    server.refuses(("PUT", &path), over(1_301, true), wanted).await;
    let wanted = (400, "TXN_COMMIT_AMOUNT_EXCEEDED", "Available: USD6.00, Requested: USD6.01");
    server.refuses(("PUT", &path), over(601, false), wanted).await;
    let huge = json!({"status": "commit", "amount": 1e300, "allow_over_capture": true}).to_string();
    server.refuses(("PUT", &path), huge, (400, "TXN_VALIDATION_ERROR", "beyond what can be recorded")).await;
    assert_eq!(
        (server.figures(&a).await, server.figures(&b).await),
        ([1_600, 2_000, 400, 0, 900], [400, 400, 0, 900, 0])
    );
    let told = server.ask("PUT", &path, over(1_300, true)).await;
    assert_eq!((told.field("status").as_str(), &told.json()["precise_amount"]), ("APPLIED", &json!(1_300)));
    assert_eq!(
        (server.figures(&a).await, server.figures(&b).await),
        ([300, 2_000, 1_700, 0, 300], [1_700, 1_700, 0, 300, 0])
    );
    server.refuses(("PUT", &path), over(1, true), (409, "TXN_ALREADY_COMMITTED", "")).await;
    // What the other holds was not touched.
    end(&server, &other, json!({"status": "commit"})).await;
    assert_eq!(
        (server.figures(&a).await, server.figures(&b).await),
        ([0, 2_000, 2_000, 0, 0], [2_000, 2_000, 0, 0, 0])
    );
}

/// Less than is left, or nothing said, is committed as ever; a void does not care; through the queue it is the same.
#[tokio::test]
async fn over_capture_allows_and_does_not_demand() {
    let server = open();
    let (a, b) = (server.funded(2_000).await, server.balance().await);
    let hold = server.hold(&a, &b, "part").await;
    end(&server, &hold, json!({"status": "commit", "amount": 4, "allow_over_capture": true})).await;
    assert_eq!(server.figures(&a).await, [1_600, 2_000, 400, 0, 600]);
    end(&server, &hold, json!({"status": "commit", "allow_over_capture": true})).await;
    assert_eq!(server.figures(&a).await, [1_000, 2_000, 1_000, 0, 0]);
    let hold = server.hold(&a, &b, "void").await;
    end(&server, &hold, json!({"status": "void", "amount": 12, "allow_over_capture": true})).await;
    assert_eq!(server.figures(&a).await, [1_000, 2_000, 1_000, 0, 0]);
    // The overdraft of the hold counts for what goes beyond it.
    let fields = json!({"amount": 10, "inflight": true, "skip_queue": null, "reference": "q", "allow_overdraft": true, "overdraft_limit": 1});
    let request = server.post("/transactions", payment(&a, &b, fields)).await.field("transaction_id");
    let over = |minor: i64| json!({"status": "commit", "precise_amount": minor, "allow_over_capture": true});
    let wanted = (400, "TXN_VALIDATION_ERROR", "exceeds overdraft limit");
    server.refuses(("PUT", &format!("/transactions/inflight/{request}")), over(1_101).to_string(), wanted).await;
    let told = end(&server, &request, over(1_100)).await;
    assert_eq!(
        (told.status.as_u16(), told.field("transaction_id"), &told.json()["queued"]),
        (200, request, &json!(true))
    );
    assert_eq!(
        (server.figures(&a).await, server.figures(&b).await),
        ([-100, 2_000, 2_100, 0, 0], [2_100, 2_100, 0, 0, 0])
    );
}

/// Of several holds it would not be said which is to give more.
#[tokio::test]
async fn over_capture_is_of_one_hold() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let items: Vec<_> = (1..=2).map(|item| payment(&a, &b, json!({"reference": format!("i{item}")}))).collect();
    let batch = json!({"transactions": items, "inflight": true, "skip_queue": true});
    let batch = server.post("/transactions/bulk", batch).await.field("batch_id");
    let path = format!("/transactions/inflight/{batch}");
    for amount in [json!(null), json!(0.5), json!(2)] {
        let body = json!({"status": "commit", "amount": amount, "allow_over_capture": true}).to_string();
        let wanted =
            (400, "TXN_VALIDATION_ERROR", "allow_over_capture: the id stands for several holds; name one of them");
        server.refuses(("PUT", &path), body, wanted).await;
    }
    let told = end(&server, &batch, json!({"status": "void", "allow_over_capture": true})).await;
    assert_eq!((told.status.as_u16(), server.figures(&a).await), (200, [10_000, 10_000, 0, 0, 0]));
}
