//! Books to test with, and what is in them.

use crate::support::{TestServer, Told};
use serde_json::{Value, json};
use server::http::ask;

/// How much there is of everything.
#[derive(Debug, PartialEq, Eq)]
pub struct Counts {
    pub transactions: u64,
    pub balances: usize,
    pub ledgers: usize,
    pub identities: usize,
    pub currencies: usize,
}

/// A payment of 1.00 that is posted at once, with these fields instead.
pub fn payment(source: &str, destination: &str, fields: Value) -> Value {
    let usual = json!({"amount": 1, "precision": 100, "currency": "USD", "reference": "pay", "description": "test", "skip_queue": true});
    with(with(usual, json!({"source": source, "destination": destination})), fields)
}

/// An object with fields of another; a null takes the field away.
pub fn with(mut object: Value, fields: Value) -> Value {
    for (name, value) in fields.as_object().expect("fields are an object") {
        match value {
            Value::Null => drop(object.as_object_mut().expect("an object").remove(name)),
            value => object[name] = value.clone(),
        }
    }
    object
}

impl TestServer {
    pub async fn counts(&self) -> Counts {
        let state = ask::look(&self.state, |view| {
            let state = view.state;
            (state.balances.len(), state.ledgers.len(), state.identities.len(), state.currencies.iter().count())
        });
        let (balances, ledgers, identities, currencies) = state.await.expect("the engine runs");
        Counts { transactions: self.state.books().rows.len(), balances, ledgers, identities, currencies }
    }

    /// A balance in US dollars.
    pub async fn balance(&self) -> String {
        let told = self.post("/balances", json!({"ledger_id": "general_ledger_id", "currency": "USD"})).await;
        told.field("balance_id")
    }

    /// A balance with so many cents.
    pub async fn funded(&self, minor: u64) -> String {
        let balance = self.balance().await;
        let reference = format!("fund {balance}");
        let fund = payment(
            "@World",
            &balance,
            json!({"amount": null, "precise_amount": minor, "reference": reference, "allow_overdraft": true}),
        );
        assert_eq!(self.post("/transactions", fund).await.status.as_u16(), 201);
        balance
    }

    /// The id of a hold of 10.00 from one balance to another.
    pub async fn hold(&self, source: &str, destination: &str, reference: &str) -> String {
        let hold = payment(source, destination, json!({"amount": 10, "inflight": true, "reference": reference}));
        self.post("/transactions", hold).await.field("transaction_id")
    }

    /// Sends a payment of 1.00 that waits for its time, with these fields instead; its id.
    pub async fn schedule(&self, source: &str, destination: &str, reference: &str, due: &str, fields: Value) -> String {
        let usual = json!({"skip_queue": null, "reference": reference, "scheduled_for": due});
        let told = self.post("/transactions", payment(source, destination, with(usual, fields))).await;
        assert_eq!((told.status.as_u16(), told.field("status").as_str()), (201, "SCHEDULED"), "{}", told.text);
        told.field("transaction_id")
    }

    /// The outcome of a queued or scheduled request, by its reference: status and amount.
    pub async fn outcome(&self, reference: &str) -> Option<(String, i64)> {
        let told = self.get(&format!("/transactions/reference/{reference}_q")).await;
        (told.status.as_u16() == 200)
            .then(|| (told.field("status"), told.json()["precise_amount"].as_i64().expect("an amount")))
    }

    /// Balance, credit, debit, and held credits and debits.
    pub async fn figures(&self, balance: &str) -> [i64; 5] {
        let told = self.get(&format!("/balances/{balance}")).await.json();
        ["balance", "credit_balance", "debit_balance", "inflight_credit_balance", "inflight_debit_balance"]
            .map(|name| told[name].as_i64().unwrap_or_else(|| panic!("{name} in {told}")))
    }

    /// Sends a request first as a dry run and then for good. The dry run must leave nothing behind, must tell the balances as
    /// they are, and every one of them must then be as it told.
    pub async fn said_and_done(&self, method: &str, path: &str, body: Value) -> (Told, Told) {
        let before = self.counts().await;
        let said = self.ask(method, path, with(body.clone(), json!({"dry_run": true})).to_string()).await;
        assert_eq!(self.counts().await, before, "{path} {body}: a dry run left something behind");
        if said.status.as_u16() == 200 {
            self.check_figures(&said, "current").await;
        }
        let done = self.ask(method, path, body.to_string()).await;
        if said.status.as_u16() != 200 {
            assert_eq!((said.status, said.code()), (done.status, done.code()), "{path} {body}");
            return (said, done);
        }
        self.check_figures(&said, "resulting").await;
        if said.json()["would_apply"] == true {
            assert!(done.status.is_success(), "{path} {body}: {} {}", said.text, done.text);
        } else if body["skip_queue"] == true {
            assert!(!done.status.is_success(), "{path} {body}: {} {}", said.text, done.text);
        }
        (said, done)
    }

    /// Whether the balances of a dry run are as it tells that they are now, or will be.
    async fn check_figures(&self, said: &Told, when: &str) {
        for balance in said.json()["balances"].as_array().into_iter().flatten() {
            let id = balance["balance_id"].as_str().unwrap();
            let path = if balance["virtual"] == true {
                format!("/balances/indicator/{id}/currency/{}", balance["currency"].as_str().unwrap())
            } else {
                format!("/balances/{id}")
            };
            let found = self.get(&path).await;
            let found = match found.status.as_u16() {
                404 if balance["virtual"] == true => json!({}),
                _ => found.json(),
            };
            for name in
                ["balance", "credit_balance", "debit_balance", "inflight_debit_balance", "inflight_credit_balance"]
            {
                let wanted = found.get(name).map_or("0".to_owned(), Value::to_string);
                assert_eq!(balance[format!("{when}_{name}")], json!(wanted), "{when}_{name} in {}", said.text);
            }
        }
    }

    /// Sends what must be refused with this code and a message that contains this text, and must leave nothing behind.
    #[track_caller]
    pub fn refuses<'a>(
        &'a self,
        (method, path): (&'a str, &'a str),
        body: impl Into<Vec<u8>>,
        (status, code, text): (u16, &'a str, &'a str),
    ) -> impl Future<Output = ()> + 'a {
        let body = body.into();
        let caller = std::panic::Location::caller();
        async move {
            let before = self.counts().await;
            let told = self.ask(method, path, body).await;
            let detail = &told.json()["error_detail"];
            let message = detail["message"].as_str().unwrap_or_default();
            let good = told.status.as_u16() == status && detail["code"] == code && message.contains(text);
            assert!(good, "{caller}: wanted {status} {code} {text:?}, told {} {:.2000}", told.status, told.text);
            assert_eq!(self.counts().await, before, "{caller}: something was left behind");
        }
    }
}
