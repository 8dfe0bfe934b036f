use crate::books::{payment, with};
use crate::support::{TestServer, open};
use serde_json::{Value, json};
use server::http::reports::NAMES_MAX;

async fn pay(server: &TestServer, source: &str, destination: &str, minor: i64, fields: Value) {
    let usual = json!({"amount": null, "precise_amount": minor, "reference": format!("{source} {minor} {fields}"),
        "allow_overdraft": true});
    let told = server.post("/transactions", payment(source, destination, with(usual, fields))).await;
    assert_eq!(told.status.as_u16(), 201, "{}", told.text);
}

struct Books {
    server: TestServer,
    ledger: String,
    wallets: Vec<String>,
}

/// Ada paid in 100.00 and Bob 50.00; a fee of 1.00 was taken from Ada; Cleo is overdrawn by 2.00, which Bob has got.
async fn books() -> Books {
    let server = open();
    let ledger = server.post("/ledgers", json!({"name": "wallets"})).await.field("ledger_id");
    let mut wallets = Vec::new();
    for _ in 0..3 {
        let body = json!({"ledger_id": ledger, "currency": "USD"});
        wallets.push(server.post("/balances", body).await.field("balance_id"));
    }
    let then = json!({"effective_date": "2026-01-01T00:00:00Z"});
    pay(&server, "@Bank", &wallets[0], 10_000, then).await;
    pay(&server, "@Bank", &wallets[1], 5_000, json!({})).await;
    pay(&server, &wallets[0], "@Fees", 100, json!({})).await;
    pay(&server, &wallets[2], &wallets[1], 200, json!({})).await;
    Books { server, ledger, wallets }
}

impl Books {
    async fn get(&self, query: &str) -> Value {
        let told = self.server.get(&format!("/reports/safeguarding?{query}")).await;
        assert_eq!(told.status.as_u16(), 200, "{}", told.text);
        told.json()
    }

    /// Status, requirement, resource, difference, excess, shortfall of US dollars.
    async fn dollars(&self, query: &str) -> (String, [i64; 5]) {
        let told = self.get(query).await;
        let all = told["currencies"].as_array().expect("a list");
        let one = all.iter().find(|one| one["currency"] == "USD").expect("there are dollars");
        let fields = ["requirement", "resource", "difference", "excess", "shortfall"];
        let status = one["status"].as_str().expect("a text").to_owned();
        assert_eq!(told["safeguarded"], status != "shortfall" && all.len() == 1 || told["safeguarded"] == true);
        (status, fields.map(|field| one[field].as_i64().expect("a number")))
    }
}

#[tokio::test]
async fn what_is_owed_is_compared_with_what_is_held() {
    let books = books().await;
    let wanted = json!({"at": "2026-03-04T10:11:12.123456Z", "safeguarded": false, "pool": ["@Bank"],
        "pool_side": "debit", "owed": [], "currencies": [{"currency": "USD", "status": "shortfall",
        "requirement": 15_100, "resource": 15_000, "difference": -100, "excess": 0, "shortfall": 100,
        "owed": {"count": 3, "balance": 14_900, "overdrawn_count": 1, "overdrawn": 200},
        "held": {"count": 1, "debit_side": 15_000, "credit_side": 0},
        "holds": {"owed_debit": 0, "owed_credit": 0, "pool_debit": 0, "pool_credit": 0}}]});
    assert_eq!(books.get("pool=@Bank").await, wanted, "who is overdrawn makes the requirement no smaller");
    // The company puts in what is missing, and more.
    pay(&books.server, "@Bank", "@Own", 100, json!({})).await;
    assert_eq!(books.dollars("pool=@Bank").await, ("balanced".into(), [15_100, 15_100, 0, 0, 0]));
    pay(&books.server, "@Bank", "@Own", 30, json!({})).await;
    assert_eq!(books.dollars("pool=@Bank").await, ("excess".into(), [15_100, 15_130, 30, 30, 0]));
    let then = books.dollars("pool=@Bank&at=2026-02-01T00:00:00Z").await;
    assert_eq!(then, ("balanced".into(), [10_000, 10_000, 0, 0, 0]));
    assert_eq!(books.get("pool=@Bank&at=2026-02-01T00:00:00Z").await["currencies"][0].get("holds"), None);
    assert_eq!(books.get("pool=@Bank&currency=XYZ").await["currencies"], json!([]));
    assert_eq!(books.dollars("pool=@Bank&currency=USD").await.0, "excess");
}

#[tokio::test]
async fn holds_are_told_apart() {
    let books = books().await;
    pay(&books.server, &books.wallets[0], "@Bank", 70, json!({"inflight": true})).await;
    let told = books.get("pool=@Bank").await;
    assert_eq!(told["currencies"][0]["requirement"], 15_100, "nothing has left yet");
    let wanted = json!({"owed_debit": 70, "owed_credit": 0, "pool_debit": 0, "pool_credit": 70});
    assert_eq!(told["currencies"][0]["holds"], wanted);
}

#[tokio::test]
async fn pool_and_owed_are_named_in_every_way() {
    let books = books().await;
    let (ada, bob) = (&books.wallets[0], &books.wallets[1]);
    let alias = books.server.put(&format!("/balances/{ada}/alias"), json!({"alias": "ada"})).await;
    assert_eq!(alias.status.as_u16(), 200);
    let ledger = &books.ledger;
    for (query, wanted) in [
        (format!("pool=@Bank&pool=@Fees&owed={ledger}"), [15_100, 14_900, -200, 0, 200]),
        (format!("pool=@Bank,@Fees&owed={ledger}"), [15_100, 14_900, -200, 0, 200]),
        ("pool=@Bank&owed=ada".to_owned(), [9_900, 15_000, 5_100, 5_100, 0]),
        (format!("pool=@Bank&owed={ada},{bob},ada"), [15_100, 15_000, -100, 0, 100]),
        // What is in the pool is not owed.
        (format!("pool={ada}&pool_side=credit"), [5_200, 9_900, 4_700, 4_700, 0]),
        (format!("pool={ada}"), [5_200, -9_900, -15_100, 0, 15_100]),
        ("pool=general_ledger_id".to_owned(), [15_100, 14_900, -200, 0, 200]),
        (format!("pool={ledger}&owed=general_ledger_id&pool_side=credit"), [100, 14_900, 14_800, 14_800, 0]),
    ] {
        assert_eq!(books.dollars(&query).await.1, wanted, "{query}");
    }
}

#[tokio::test]
async fn what_cannot_be_compared_is_refused() {
    let books = books().await;
    let names = |count: usize| (0..count).map(|_| "@Bank").collect::<Vec<_>>().join(",");
    let many = |count: usize| (0..count).map(|at| format!("@B{at}")).collect::<Vec<_>>().join(",");
    for (query, status, code, text) in [
        (String::new(), 400, "GEN_MISSING_PARAMETER", "pool: name the ledgers"),
        ("pool=,".into(), 400, "GEN_MISSING_PARAMETER", "pool: name the ledgers"),
        ("pool=@Nobody".into(), 404, "BAL_NOT_FOUND", "pool: @Nobody is no ledger, balance or alias"),
        ("pool=nobody".into(), 404, "BAL_NOT_FOUND", "pool: nobody is no"),
        ("pool=@Bank&owed=bln_x".into(), 404, "BAL_NOT_FOUND", "owed: bln_x is no"),
        ("pool=ldg_x".into(), 404, "LGR_NOT_FOUND", "pool: Ledger not found"),
        ("pool=@Bank&owed=@Bank".into(), 400, "GEN_VALIDATION_ERROR", "owed: @Bank is named by pool too"),
        ("pool=@Bank&pool_side=left".into(), 400, "GEN_VALIDATION_ERROR", "pool_side: must be debit or credit"),
        ("pool=@Bank&at=then".into(), 400, "BAL_INVALID_TIMESTAMP", "at: "),
        (format!("pool={}", many(NAMES_MAX + 1)), 400, "GEN_VALIDATION_ERROR", "pool: cannot name more than 100"),
        (
            format!("pool=@Bank&owed={}", many(NAMES_MAX + 1)),
            400,
            "GEN_VALIDATION_ERROR",
            "owed: cannot name more than 100",
        ),
        (format!("pool={}", many(100)), 404, "BAL_NOT_FOUND", "pool: @B0 is no"),
    ] {
        books.server.get(&format!("/reports/safeguarding?{query}")).await.is_error(status, code, text);
    }
    assert_eq!(books.get(&format!("pool={}", names(150))).await["pool"], json!(["@Bank"]), "each counts once");
}
