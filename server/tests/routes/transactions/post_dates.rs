//! `POST /transactions`: the date that stands for none.

use crate::books::{payment, with};
use crate::support::open;
use serde_json::json;

const ZERO: &str = "0001-01-01T00:00:00Z";

/// Clients whose dates always have a value send the zero date for one that is not set: as if it had been left out. In an item of
/// a batch too.
#[tokio::test]
async fn the_zero_date_is_none() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let dates = ["scheduled_for", "inflight_expiry_date", "inflight_commit_date", "effective_date"];
    for (number, zero) in [ZERO, "0001-01-01T00:00:00+00:00", "0001-01-01T02:00:00+02:00"].into_iter().enumerate() {
        let mut fields = json!({"inflight": true, "skip_queue": null, "reference": format!("r{number}")});
        for date in dates {
            fields[date] = zero.into();
        }
        let told = server.post("/transactions", payment(&a, &b, fields)).await;
        assert_eq!((told.status.as_u16(), told.field("status").as_str()), (201, "QUEUED"), "{}", told.text);
        for date in &dates[..3] {
            assert_eq!(told.field(date), ZERO);
        }
        assert_eq!(told.field("effective_date"), told.field("created_at"));
        assert_eq!(server.outcome(&format!("r{number}")).await, Some(("INFLIGHT".to_owned(), 100)));
    }
    let item = |reference: &str| {
        payment(&a, &b, json!({"reference": reference, "scheduled_for": ZERO, "effective_date": ZERO}))
    };
    let told = server.post("/transactions/bulk", json!({"transactions": [item("i1"), item("i2")]})).await;
    assert_eq!(told.status.as_u16(), 201, "{}", told.text);
    assert_eq!(server.outcome("i2").await, Some(("APPLIED".to_owned(), 100)));
    // Nothing ran out at once, and what was posted counts from now on, not from the year one.
    assert_eq!(server.figures(&b).await, [200, 200, 0, 300, 0]);
    let then = server.get(&format!("/balances/{b}/at?timestamp=2026-01-01T00:00:00Z")).await;
    assert_eq!(then.json()["balance"]["balance"], 0, "{}", then.text);
}

/// A moment later is a date like any other.
#[tokio::test]
async fn the_first_date_behind_the_zero_date_is_one() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let early = with(payment(&a, &b, json!({"skip_queue": null})), json!({"scheduled_for": "0001-01-01T00:00:01Z"}));
    let told = server.post("/transactions", early).await;
    assert_eq!((told.status.as_u16(), told.field("status").as_str()), (201, "SCHEDULED"), "{}", told.text);
}

/// What ends by itself at its time takes over the metadata of its hold as an end that was asked for does: the caller's, what was
/// said of it since, and the server's own.
#[tokio::test]
async fn ends_that_come_by_themselves_inherit_metadata() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let mut ends = Vec::new();
    for (index, date) in ["inflight_commit_date", "inflight_expiry_date", ""].into_iter().enumerate() {
        for skip_queue in [true, false] {
            let reference = format!("{index}-{skip_queue}");
            let item = with(
                payment(
                    &a,
                    &b,
                    json!({"reference": reference, "allow_overdraft": true, "meta_data": {"order": 7, "shop": "x"}}),
                ),
                if date.is_empty() { json!({}) } else { json!({date: "2026-03-04T11:00:00Z"}) },
            );
            let body = json!({"transactions": [item], "inflight": true, "skip_queue": skip_queue});
            let batch = server.post("/transactions/bulk", body).await.field("batch_id");
            let reference = if skip_queue { reference } else { reference + "_q" };
            let hold = server.get(&format!("/transactions/reference/{reference}")).await.field("transaction_id");
            let said = server.post(&format!("/{hold}/metadata"), json!({"meta_data": {"shop": "y"}})).await;
            assert_eq!(said.status.as_u16(), 200, "{}", said.text);
            ends.push((hold, batch, skip_queue));
        }
    }
    server.pass("2026-03-04T11:00:00Z").await;
    for (hold, batch, skip_queue) in ends {
        server.put(&format!("/transactions/inflight/{hold}"), json!({"status": "commit", "skip_queue": true})).await;
        let filter = json!({"filters": [{"field": "parent_transaction", "operator": "eq", "value": hold}]});
        let rows = server.post("/transactions/filter", filter).await.json();
        let mut wanted = json!({"allow_overdraft": true, "order": 7, "sequence": 1, "shop": "y"});
        if !skip_queue {
            wanted["QUEUED_PARENT_TRANSACTION"] = json!(batch);
        }
        assert_eq!((rows.as_array().map(Vec::len), &rows[0]["meta_data"]), (Some(1), &wanted));
        let back = server.post(&format!("/refund-transaction/{hold}"), json!({"skip_queue": true})).await;
        let told = &back.json()["meta_data"];
        assert_eq!(
            (&told["order"], &told["shop"], &told["sequence"]),
            (&json!(7), &json!("y"), &json!(1)),
            "{}",
            back.text
        );
    }
}
