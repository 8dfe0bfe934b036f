use crate::books::{payment, with};
use crate::support::{TestServer, open, settings};
use serde_json::{Value, json};
use server::http::reports::PAGE_MAX;

async fn pay(server: &TestServer, source: &str, destination: &str, minor: i64, fields: Value) {
    let usual = json!({"amount": null, "precise_amount": minor, "reference": format!("{source} {minor} {fields}"),
        "allow_overdraft": true});
    let told = server.post("/transactions", payment(source, destination, with(usual, fields))).await;
    assert_eq!(told.status.as_u16(), 201, "{}", told.text);
}

struct Books {
    server: TestServer,
    ledger: String,
}

async fn books() -> Books {
    let server = open();
    let ledger = server.post("/ledgers", json!({"name": "wallets"})).await.field("ledger_id");
    let mut balances = Vec::new();
    for currency in ["USD", "USD", "EUR"] {
        let body = json!({"ledger_id": ledger, "currency": currency});
        balances.push(server.post("/balances", body).await.field("balance_id"));
    }
    pay(&server, "@World", &balances[0], 100, json!({"effective_date": "2026-01-01T00:00:00Z"})).await;
    pay(&server, &balances[0], &balances[1], 30, json!({})).await;
    pay(&server, &balances[1], "@World", 4, json!({"inflight": true})).await;
    pay(&server, "@World", &balances[2], 9, json!({"currency": "EUR"})).await;
    pay(&server, "@World", &balances[0], 1, json!({"effective_date": "2027-01-01T00:00:00Z"})).await;
    Books { server, ledger }
}

fn row(currency: &str, ledger: &str, count: u64, debit: u64, credit: u64) -> Value {
    json!({"currency": currency, "ledger_id": ledger, "count": count, "debit": debit, "credit": credit,
        "net": credit as i64 - debit as i64})
}

fn sum(currency: &str, count: u64, both: u64) -> Value {
    json!({"currency": currency, "count": count, "debit": both, "credit": both, "net": 0, "balanced": true})
}

#[tokio::test]
async fn debits_and_credits_are_told_by_currency_and_ledger() {
    let Books { server, ledger } = books().await;
    let general = "general_ledger_id";
    let told = server.get("/reports/trial-balance").await.json();
    let rows = [
        row("EUR", general, 1, 9, 0),
        row("EUR", &ledger, 1, 0, 9),
        row("USD", general, 1, 100, 0),
        row("USD", &ledger, 2, 30, 130),
    ];
    let whole = json!({"at": "2026-03-04T10:11:12.123456Z", "balanced": true,
        "currencies": [sum("EUR", 2, 9), sum("USD", 3, 130)], "ledgers": rows, "total_ledgers": 4});
    assert_eq!(told, whole, "what is to come does not count");
    let get = async |query: &str| server.get(&format!("/reports/trial-balance?{query}")).await.json();
    let narrowed = get(&format!("ledger_id={ledger}&currency=USD")).await;
    assert_eq!(narrowed["ledgers"], json!([rows[3]]));
    assert_eq!(narrowed["currencies"], json!([sum("USD", 3, 130)]), "over all ledgers all the same");
    let page = get("limit=2&offset=1").await;
    assert_eq!((&page["ledgers"], &page["total_ledgers"]), (&json!([rows[1], rows[2]]), &json!(4)));
    let then = get("at=2026-02-01T00:00:00Z").await;
    assert_eq!(then["ledgers"], json!([row("USD", general, 0, 100, 0), row("USD", &ledger, 0, 0, 100)]));
    let later = get("at=2027-01-01T00:00:00Z&currency=USD").await;
    assert_eq!(later["currencies"], json!([sum("USD", 3, 131)]));
    let none = get("currency=XYZ").await;
    assert_eq!((&none["balanced"], &none["currencies"], &none["ledgers"]), (&json!(true), &json!([]), &json!([])));
}

#[tokio::test]
async fn it_is_written_as_csv_too() {
    let Books { server, ledger } = books().await;
    pay(&server, "@World", "@Odd", 5, json!({"currency": "=A,\"1"})).await;
    let told = server.get("/reports/trial-balance?format=csv").await;
    let at = "2026-03-04T10:11:12.123456Z";
    let wanted = format!(
        "at,currency,ledger_id,count,debit,credit,net,balanced\r\n\
         {at},\"'=A,\"\"1\",general_ledger_id,2,5,5,0,\r\n\
         {at},EUR,general_ledger_id,1,9,0,-9,\r\n\
         {at},EUR,{ledger},1,0,9,9,\r\n\
         {at},USD,general_ledger_id,1,100,0,-100,\r\n\
         {at},USD,{ledger},2,30,130,100,\r\n\
         {at},\"'=A,\"\"1\",,2,5,5,0,true\r\n\
         {at},EUR,,2,9,9,0,true\r\n\
         {at},USD,,3,130,130,0,true\r\n"
    );
    assert_eq!(told.text, wanted);
    assert_eq!(told.header("Content-Type"), Some("text/csv; charset=utf-8; header=present"));
    let accepted = server.ask_with("GET", "/reports/trial-balance", &[("Accept", "text/csv")], "").await;
    assert_eq!(accepted.text, wanted);
    let json = server.ask_with("GET", "/reports/trial-balance", &[("Accept", "application/pdf")], "").await;
    assert_eq!(json.json()["total_ledgers"], 5);
}

/// Where postings across currencies are allowed the books do not balance, and it says so.
#[tokio::test]
async fn books_that_do_not_balance_are_told() {
    let server = TestServer::new(settings(&[("FLORIN_COMPAT_CURRENCY_MISMATCH", "allow")]));
    let dollars = server.balance().await;
    let body = json!({"ledger_id": "general_ledger_id", "currency": "EUR"});
    let euros = server.post("/balances", body).await.field("balance_id");
    pay(&server, &dollars, &euros, 7, json!({})).await;
    let told = server.get("/reports/trial-balance").await.json();
    assert_eq!(told["balanced"], false);
    let nets: Vec<&Value> = told["currencies"].as_array().expect("a list").iter().map(|one| &one["net"]).collect();
    assert_eq!(nets, [7, -7]);
}

#[tokio::test]
async fn what_cannot_be_told_is_refused() {
    let Books { server, .. } = books().await;
    for (query, status, code, text) in [
        ("at=yesterday", 400, "BAL_INVALID_TIMESTAMP", "at: "),
        ("ledger_id=ldg_x", 404, "LGR_NOT_FOUND", ""),
        ("format=pdf", 400, "GEN_VALIDATION_ERROR", "format: must be json or csv"),
        ("format=odd", 400, "GEN_VALIDATION_ERROR", "format: must be json or csv"),
        ("limit=0", 400, "GEN_VALIDATION_ERROR", "limit: must be a whole number, from 1 to 10000"),
        ("limit=10001", 400, "GEN_VALIDATION_ERROR", "limit: must be a whole number, from 1 to 10000"),
        ("offset=-1", 400, "GEN_VALIDATION_ERROR", "offset: "),
    ] {
        server.get(&format!("/reports/trial-balance?{query}")).await.is_error(status, code, text);
    }
    assert_eq!(server.get(&format!("/reports/trial-balance?limit={PAGE_MAX}")).await.status.as_u16(), 200);
}
