//! Statements with the holds that are open.

use super::forms::bytes;
use crate::books::payment;
use crate::support::{TestServer, open};
use serde_json::{Value, json};
use server::statement::pending::PENDING_MAX;

/// A balance with 10.00, of which 1.00 was spent and two holds are open: 2.00 of 3.00 that it would pay, dated last year, and 4.00
/// that it would be paid.
async fn books() -> (TestServer, String, [String; 2]) {
    let server = open();
    let a = server.funded(1_000).await;
    let hold = |source: &str, destination: &str, reference: &str, fields: Value| {
        let own = json!({"reference": reference, "inflight": true, "allow_overdraft": true, "description": "<held>"});
        payment(source, destination, crate::books::with(own, fields))
    };
    let dated = json!({"amount": 3, "effective_date": "2025-05-05T00:00:00Z"});
    let first = server.post("/transactions", hold(&a, "@Shop", "out", dated)).await.field("transaction_id");
    let second =
        server.post("/transactions", hold("@Shop", &a, "in", json!({"amount": 4}))).await.field("transaction_id");
    let ended = server.post("/transactions", hold(&a, "@Shop", "ended", json!({}))).await.field("transaction_id");
    for (hold, body) in [(&first, json!({"status": "commit", "amount": 1})), (&ended, json!({"status": "void"}))] {
        let told = server.put(&format!("/transactions/inflight/{hold}"), body).await;
        assert_eq!(told.status.as_u16(), 200, "{}", told.text);
    }
    (server, a, [first, second])
}

async fn statement(server: &TestServer, path: &str) -> Value {
    let told = server.get(path).await;
    assert_eq!(told.status.as_u16(), 200, "{}", told.text);
    told.json()
}

fn pending(section: &Value) -> Vec<(String, i64, i64, String)> {
    let holds = section["pending"].as_array().unwrap_or_else(|| panic!("{section}")).iter();
    let number = |hold: &Value, name: &str| hold[name].as_i64().expect("a number");
    let text = |hold: &Value, name: &str| hold[name].as_str().expect("a text").to_owned();
    holds
        .map(|hold| (text(hold, "transaction_id"), number(hold, "debit"), number(hold, "credit"), text(hold, "amount")))
        .collect()
}

#[tokio::test]
async fn open_holds_are_shown_apart_and_change_no_sum() {
    let (server, a, [first, second]) = books().await;
    let path = format!("/balances/{a}/statement");
    let plain = statement(&server, &path).await;
    assert_eq!(plain.get("pending"), None);
    assert_eq!(statement(&server, &format!("{path}?pending=false")).await.get("pending"), None);
    let mut told = statement(&server, &format!("{path}?pending=true")).await;
    let out = (first.clone(), 200, 0, "-2.00".to_owned());
    assert_eq!(pending(&told), [out.clone(), (second, 0, 400, "4.00".to_owned())]);
    let shop = server.get("/balances/indicator/@Shop/currency/USD").await.field("balance_id");
    let hold = &told["pending"][0];
    assert_eq!(
        (&hold["reference"], &hold["description"], &hold["counterparty"], &hold["effective_date"]),
        (&json!("out"), &json!("<held>"), &json!(shop), &json!("2025-05-05T00:00:00Z"))
    );
    let mut plain = plain;
    for one in [&mut told, &mut plain] {
        let object = one.as_object_mut().expect("an object");
        object.remove("pending");
        // The time goes on.
        object.remove("to");
    }
    assert_eq!(told, plain, "all else is as without");
    // Those that count before the end, from whenever.
    let told =
        statement(&server, &format!("{path}?pending=true&from=2025-06-01T00:00:00Z&to=2025-07-01T00:00:00Z")).await;
    assert_eq!(pending(&told), [out]);
    let told = statement(&server, &format!("{path}?pending=true&to=2025-05-05T00:00:00Z")).await;
    assert_eq!(pending(&told), []);
    for bad in ["yes", "1", "True"] {
        server.get(&format!("{path}?pending={bad}")).await.is_error(
            400,
            "GEN_VALIDATION_ERROR",
            "pending: must be true",
        );
    }
}

#[tokio::test]
async fn they_stand_on_the_page_with_the_last_lines() {
    let (server, a, _) = books().await;
    let path = format!("/balances/{a}/statement?pending=true&limit=1");
    let first = statement(&server, &path).await;
    assert_eq!(first.get("pending"), None);
    let next = first["next"].as_str().expect("there is more");
    let mut last = statement(&server, &format!("{path}&cursor={next}")).await;
    while let Some(next) = last.get("next").and_then(Value::as_str) {
        last = statement(&server, &format!("{path}&cursor={next}")).await;
    }
    assert_eq!(pending(&last).len(), 2);
}

#[tokio::test]
async fn each_balance_of_a_ledger_has_its_own() {
    let (server, a, [first, second]) = books().await;
    let told = statement(&server, "/ledgers/general_ledger_id/statement?pending=true").await;
    let mut seen = 0;
    for section in told["sections"].as_array().expect("sections") {
        let ids: Vec<String> = pending(section).into_iter().map(|(id, ..)| id).collect();
        if section["balance_id"] == a || section["indicator"] == "@Shop" {
            assert_eq!(ids, [first.as_str(), second.as_str()]);
            seen += 1;
        } else {
            assert_eq!(ids, Vec::<String>::new());
        }
    }
    assert_eq!(seen, 2);
}

#[tokio::test]
async fn every_form_shows_them() {
    let (server, a, [first, _]) = books().await;
    let path = format!("/balances/{a}/statement?pending=true");
    let csv = server.get(&format!("{path}&format=csv")).await.text;
    let lines: Vec<&str> = csv.split_terminator("\r\n").collect();
    let closing = lines.iter().position(|line| line.contains(",closing,")).expect("a closing");
    assert_eq!(lines.len(), closing + 3, "{csv}");
    let hold = lines[closing + 1];
    assert!(hold.contains(",hold,2025-05-05T00:00:00Z,") && hold.contains(&first), "{hold}");
    assert!(hold.ends_with(",2.00,,"), "{hold}");
    assert!(lines[closing + 2].ends_with(",,4.00,"), "{csv}");
    let xml = server.get(&format!("{path}&format=camt053")).await.text;
    let pending: Vec<&str> = xml.split("<Ntry>").filter(|entry| entry.contains("<Cd>PDNG</Cd>")).collect();
    assert_eq!((pending.len(), xml.matches("<Cd>BOOK</Cd>").count()), (2, 2), "{xml}");
    let wanted = "<Amt Ccy=\"USD\">2.00</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts><Cd>PDNG</Cd></Sts><ValDt><DtTm>2025-05-05T00:00:00Z";
    assert!(pending[0].starts_with(wanted) && pending[0].contains("<Cd>hold</Cd>"), "{}", pending[0]);
    let (status, with) = bytes(&server, &format!("{path}&format=pdf")).await;
    let (_, without) = bytes(&server, &format!("/balances/{a}/statement?format=pdf")).await;
    assert!(status == 200 && with.len() > without.len() + 100, "three rows more: {} and {}", with.len(), without.len());
}

#[tokio::test]
async fn there_are_not_too_many() {
    let server = open();
    let a = server.balance().await;
    let hold = |number: usize| {
        payment("@World", &a, json!({"reference": number.to_string(), "inflight": true, "allow_overdraft": true}))
    };
    let items: Vec<Value> = (0..PENDING_MAX).map(hold).collect();
    let told =
        server.post("/transactions/bulk", json!({"transactions": items, "skip_queue": true, "inflight": true})).await;
    assert_eq!(told.status.as_u16(), 201, "{}", told.text);
    let path = format!("/balances/{a}/statement?pending=true");
    assert_eq!(pending(&statement(&server, &path).await).len(), PENDING_MAX);
    assert_eq!(server.post("/transactions", hold(PENDING_MAX)).await.status.as_u16(), 201);
    server.get(&path).await.is_error(400, "GEN_VALIDATION_ERROR", "more than 1000 open holds");
}
