use crate::books::payment;
use crate::support::{TestServer, open};
use serde_json::{Value, json};

/// An identity with three balances, the second empty, and a balance of somebody else.
async fn books() -> (TestServer, String, Vec<String>) {
    let server = open();
    let identity = server.post("/identities", json!({"organization_name": "Acme", "first_name": "not shown"})).await;
    let identity = identity.field("identity_id");
    let mut balances = Vec::new();
    for currency in ["USD", "USD", "EUR"] {
        let body = json!({"ledger_id": "general_ledger_id", "currency": currency, "identity_id": identity});
        balances.push(server.post("/balances", body).await.field("balance_id"));
    }
    let other = server.balance().await;
    for (index, (balance, currency)) in
        [(&balances[0], "USD"), (&balances[2], "EUR"), (&balances[0], "USD"), (&other, "USD")].into_iter().enumerate()
    {
        let fields = json!({"reference": format!("r{index}"), "currency": currency, "allow_overdraft": true});
        assert_eq!(server.post("/transactions", payment("@World", balance, fields)).await.status.as_u16(), 201);
    }
    (server, identity, balances)
}

#[tokio::test]
async fn has_a_section_for_each_balance() {
    let (server, identity, balances) = books().await;
    let told = server.get(&format!("/identities/{identity}/statement")).await.json();
    let sections = told["sections"].as_array().expect("sections");
    let ids: Vec<&Value> = sections.iter().map(|section| &section["balance_id"]).collect();
    assert_eq!(ids, balances.iter().map(|id| json!(id)).collect::<Vec<_>>().iter().collect::<Vec<_>>());
    let closings: Vec<&Value> = sections.iter().map(|section| &section["closing"]["balance"]).collect();
    assert_eq!(closings, [&json!(200), &json!(0), &json!(100)]);
    assert!(sections.iter().all(|section| section["owner"] == "Acme" && section["identity_id"] == json!(identity)));
    assert_eq!(told.get("next"), None);
}

#[tokio::test]
async fn pages_go_on_in_the_next_balance() {
    let (server, identity, balances) = books().await;
    for limit in 1..5 {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        for page in 0.. {
            assert!(page < 9, "the pages end");
            let told =
                server.get(&format!("/identities/{identity}/statement?limit={limit}&cursor={cursor}")).await.json();
            for section in told["sections"].as_array().expect("sections") {
                let balance =
                    balances.iter().position(|id| section["balance_id"] == json!(id)).expect("it is one of them");
                let lines = section["lines"].as_array().expect("lines").iter();
                seen.extend(lines.map(|line| (balance, line["reference"].as_str().expect("a text").to_owned())));
            }
            match told.get("next") {
                Some(next) => cursor = next.as_str().expect("a text").to_owned(),
                None => break,
            }
        }
        assert_eq!(seen, [(0, "r0".to_owned()), (0, "r2".to_owned()), (2, "r1".to_owned())], "by {limit}");
    }
}

#[tokio::test]
async fn comes_in_every_form() {
    let (server, identity, balances) = books().await;
    let path = |form: &str| format!("/identities/{identity}/statement?format={form}");
    let csv = server.get(&path("csv")).await;
    assert_eq!((csv.text.matches(",opening,").count(), csv.text.matches(",closing,").count()), (3, 3));
    assert_eq!(csv.text.matches(",posting,").count(), 3);
    let camt = server.get(&path("camt053")).await.text;
    assert_eq!(
        (camt.matches("<Stmt>").count(), camt.matches("</Stmt>").count(), camt.matches("<Ntry>").count()),
        (3, 3, 3)
    );
    assert!(balances.iter().all(|id| camt.contains(id)));
    let body = json!({"ledger_id": "general_ledger_id", "currency": "points", "identity_id": identity});
    server.post("/balances", body).await;
    server.get(&path("camt053")).await.is_error(400, "GEN_VALIDATION_ERROR", "no place for the currency points");
    assert_eq!(server.get(&path("csv")).await.text.matches(",closing,").count(), 4);
}

#[tokio::test]
async fn of_nobody_there_is_none() {
    let server = open();
    let told = server.get("/identities/idt_00000000-0000-4000-8000-000000000000/statement").await;
    told.is_error(404, "IDT_NOT_FOUND", "not found");
    let identity = server.post("/identities", json!({"first_name": "Ada"})).await.field("identity_id");
    server.get(&format!("/identities/{identity}/statement")).await.is(200, json!({"sections": []}));
    let csv = server.get(&format!("/identities/{identity}/statement?format=csv")).await;
    assert_eq!((csv.status.as_u16(), csv.text.lines().count()), (200, 1));
    for form in ["camt053", "pdf"] {
        let told = server.get(&format!("/identities/{identity}/statement?format={form}")).await;
        told.is_error(400, "GEN_VALIDATION_ERROR", "there are no balances");
    }
}
