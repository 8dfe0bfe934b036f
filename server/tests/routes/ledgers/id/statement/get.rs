use crate::books::payment;
use crate::support::open;
use serde_json::json;
use server::http::statements::SECTIONS_MAX;
use server::statement::pdf;

#[tokio::test]
async fn is_of_all_its_balances_on_pages_with_a_bound() {
    let server = open();
    let ledger = server.post("/ledgers", json!({"name": "Savings"})).await.field("ledger_id");
    let path = format!("/ledgers/{ledger}/statement");
    for count in 0..pdf::SECTIONS_MAX + 1 {
        if count == SECTIONS_MAX {
            assert_eq!(server.get(&path).await.json().get("next"), None, "all are on one page");
        }
        if count == pdf::SECTIONS_MAX {
            // A PDF is no text, so what is asked for is refused for another reason, or not at all.
            server.get(&format!("{path}?format=pdf&from=x")).await.is_error(400, "GEN_VALIDATION_ERROR", "from");
        }
        server.post("/balances", json!({"ledger_id": ledger, "currency": "USD"})).await;
    }
    server.get(&format!("{path}?format=pdf")).await.is_error(400, "GEN_VALIDATION_ERROR", "at most 200 balances");
    let (mut sections, mut cursor) = (0, String::new());
    for wanted in [SECTIONS_MAX, SECTIONS_MAX, 1] {
        let told = server.get(&format!("{path}?cursor={cursor}")).await.json();
        let found = told["sections"].as_array().expect("sections");
        assert_eq!(found.len(), wanted);
        assert!(found.iter().all(|section| section["ledger_name"] == "Savings"));
        sections += found.len();
        cursor = told["next"].as_str().unwrap_or_default().to_owned();
    }
    assert_eq!((sections, cursor.as_str()), (pdf::SECTIONS_MAX + 1, ""));
    server.get("/ledgers/ldg_x/statement").await.is_error(404, "LGR_NOT_FOUND", "Ledger not found");
}

#[tokio::test]
async fn of_the_general_ledger_has_the_indicators() {
    let server = open();
    server.post("/transactions", payment("@World", "@Shop", json!({"allow_overdraft": true}))).await;
    let told = server.get("/ledgers/general_ledger_id/statement").await.json();
    let sections = told["sections"].as_array().expect("sections");
    let seen: Vec<_> = sections.iter().map(|section| (&section["indicator"], &section["closing"]["balance"])).collect();
    assert_eq!(seen, [(&json!("@World"), &json!(-100)), (&json!("@Shop"), &json!(100))]);
}
