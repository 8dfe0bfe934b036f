//! What a dry run says is what the real call does, whatever is asked: random transactions, splits, batches, settlements and
//! refunds, each said first and then done.

use crate::books::{payment, with};
use crate::support::{TestServer, Told, open};
use serde_json::{Value, json};

struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }

    fn of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len() as u64) as usize]
    }
}

struct Play {
    server: TestServer,
    dice: Dice,
    parties: Vec<String>,
    ids: Vec<String>,
    made: u64,
}

impl Play {
    async fn new(seed: u64) -> Play {
        let server = open();
        let mut parties = vec!["@world".to_owned(), "@fees".to_owned()];
        for minor in [5_000, 2_000, 300] {
            parties.push(server.funded(minor).await);
        }
        Play { server, dice: Dice(seed), parties, ids: Vec::new(), made: 0 }
    }

    /// A transaction between two parties, sometimes split.
    fn transaction(&mut self) -> Value {
        let dice = &mut self.dice;
        self.made += 1;
        let named = if dice.one_in(12) && self.made > 1 { self.made - 1 } else { self.made };
        let source = dice.of(&self.parties).clone();
        let others: Vec<String> = self.parties.iter().filter(|other| **other != source).cloned().collect();
        let destination = if dice.one_in(6) { format!("@new{}", self.made) } else { dice.of(&others).clone() };
        let fields = json!({
            "amount": null,
            "precise_amount": if dice.one_in(20) { 0 } else { 1 + dice.below(1_500) },
            "reference": format!("r{named}"),
            "currency": if dice.one_in(15) { "EUR" } else { "USD" },
            "inflight": dice.one_in(3),
            "allow_overdraft": source.starts_with('@') || dice.one_in(5),
            "overdraft_limit": if dice.one_in(4) { 5 } else { 0 },
            "skip_queue": !dice.one_in(3),
        });
        let plain = payment(&source, &destination, fields);
        if !dice.one_in(3) {
            return plain;
        }
        let first = dice.of(&others).clone();
        let rest = others.iter().find(|other| **other != first).expect("there are several");
        let parts = json!([
            {"identifier": first, "distribution": format!("{}%", 1 + dice.below(99))}, {"identifier": rest, "distribution": "left"},
        ]);
        if dice.one_in(2) {
            with(plain, json!({"destination": null, "destinations": parts}))
        } else {
            with(plain, json!({"source": null, "sources": parts, "destination": source}))
        }
    }

    async fn post(&mut self) {
        let body = self.transaction();
        let (said, done) = self.server.said_and_done("POST", "/transactions", body.clone()).await;
        if said.status.as_u16() != 200 {
            return;
        }
        let said = said.json();
        if body["skip_queue"] == true && said["would_apply"] == false {
            assert_eq!(said["rejection"]["code"], done.code(), "{body}");
            assert_eq!(said["rejection"]["message"], done.json()["error"], "{body}");
        }
        if !done.status.is_success() {
            return;
        }
        let outcome = if body["skip_queue"] == true { done.json() } else { self.outcome(&body).await.json() };
        let would = said["would_apply"] == true || said["rejection"]["code"] == "TXN_DUPLICATE_REFERENCE";
        assert_eq!(would, outcome["status"] != "REJECTED", "{body} {said} {outcome}");
        if said["would_apply"] == true {
            assert_eq!(said["status"], outcome["status"], "{body}");
        }
        self.ids.push(done.field("transaction_id"));
    }

    /// The outcome of a queued request; of a split one, that of its first leg.
    async fn outcome(&self, body: &Value) -> Told {
        let reference = body["reference"].as_str().unwrap();
        let plain = self.server.get(&format!("/transactions/reference/{reference}_q")).await;
        if plain.status.is_success() {
            return plain;
        }
        self.server.get(&format!("/transactions/reference/{reference}_1_q")).await
    }

    async fn batch(&mut self) {
        let count = 1 + self.dice.below(6);
        let items: Vec<Value> = (0..count).map(|_| self.transaction()).collect();
        let body = json!({
            "transactions": items, "skip_queue": true, "atomic": self.dice.one_in(2), "inflight": self.dice.one_in(3),
        });
        let (said, _) = self.server.said_and_done("POST", "/transactions/bulk", body).await;
        if said.status.as_u16() == 200 {
            assert_eq!(said.json()["results"].as_array().unwrap().len() as u64, count);
        }
    }

    async fn settle(&mut self) {
        if self.ids.is_empty() {
            return;
        }
        let path = format!("/transactions/inflight/{}", self.dice.of(&self.ids));
        let mut body = json!({"status": self.dice.of(&["commit", "void"]), "skip_queue": self.dice.one_in(2)});
        if self.dice.one_in(2) {
            body["precise_amount"] = json!(1 + self.dice.below(800));
        }
        self.server.said_and_done("PUT", &path, body).await;
    }

    async fn give_back(&mut self) {
        if self.ids.is_empty() {
            return;
        }
        let path = format!("/refund-transaction/{}", self.dice.of(&self.ids));
        let body = json!({"skip_queue": self.dice.one_in(2)});
        let (said, done) = self.server.said_and_done("POST", &path, body).await;
        if said.status.as_u16() == 200 && said.json()["would_apply"] == true {
            assert_eq!(said.json()["reference"], done.json()["reference"]);
        }
    }
}

#[tokio::test]
async fn what_is_said_is_what_is_done() {
    for seed in 1..=6 {
        let mut play = Play::new(seed).await;
        for _ in 0..80 {
            match play.dice.below(10) {
                0..5 => play.post().await,
                5 | 6 => play.batch().await,
                7 | 8 => play.settle().await,
                _ => play.give_back().await,
            }
        }
    }
}
