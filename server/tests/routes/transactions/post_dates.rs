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
