//! Proofs as clients get them: checked with the key alone, against every checkpoint that was ever handed out.

use crate::books::{payment, with};
use crate::support::{TestServer, open, secure, settings};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use server::proofs::checkpoint::Checkpoint;
use server::proofs::document::{Consistency, Inclusion};
use server::proofs::note::Verifier;

async fn verifier(server: &TestServer) -> Verifier {
    let told = server.get("/proofs/key").await;
    assert_eq!((told.status.as_u16(), told.header("content-type")), (200, Some("text/plain; charset=utf-8")));
    Verifier::parse(&told.text).expect("it is a key")
}

/// The checkpoint that a server hands out.
async fn checkpoint(server: &TestServer, query: &str) -> Checkpoint {
    let told = server.get(&format!("/proofs/checkpoint{query}")).await;
    assert_eq!(told.status.as_u16(), 200, "{}", told.text);
    opened(server, &told.text).await
}

async fn opened(server: &TestServer, note: &str) -> Checkpoint {
    let verifier = verifier(server).await;
    let checkpoint = Checkpoint::parse(verifier.open(note).expect("it is signed")).expect("it is a checkpoint");
    assert_eq!(checkpoint.origin, "example.com/test");
    checkpoint
}

/// So many transactions, some of them in one record; their ids.
async fn transactions(server: &TestServer, name: &str, count: usize) -> Vec<String> {
    let balance = server.balance().await;
    let mut ids = Vec::new();
    for item in 0..count {
        let one = payment("@World", &balance, json!({"reference": format!("{name}{item}"), "allow_overdraft": true}));
        ids.push(server.post("/transactions", one).await.field("transaction_id"));
    }
    let batch: Vec<Value> = (0..count)
        .map(|item| {
            payment(
                &balance,
                "@Out",
                json!({"reference": format!("{name}-batch{item}"), "precise_amount": 1, "amount": null}),
            )
        })
        .collect();
    let told =
        server.post("/transactions/bulk", json!({"transactions": batch, "atomic": true, "skip_queue": true})).await;
    assert!(told.status.is_success(), "{}", told.text);
    for item in 0..count {
        let told = server.get(&format!("/transactions/reference/{name}-batch{item}")).await;
        ids.push(told.field("transaction_id"));
    }
    ids
}

async fn proof(server: &TestServer, id: &str, query: &str) -> Inclusion {
    let told = server.get(&format!("/proofs/transactions/{id}{query}")).await;
    assert_eq!(told.status.as_u16(), 200, "{}", told.text);
    serde_json::from_str(&told.text).expect("it is a proof")
}

#[tokio::test]
async fn every_transaction_is_proven_against_every_checkpoint() {
    let server = open();
    let empty = checkpoint(&server, "").await;
    assert_eq!((empty.size, empty.record.map(|(seq, _)| seq)), (0, Some(0)), "nothing is recorded yet");
    let mut checkpoints = vec![empty];
    let mut ids = Vec::new();
    for round in 0..3 {
        ids.extend(transactions(&server, &format!("r{round}"), 4).await);
        checkpoints.push(checkpoint(&server, "").await);
    }
    assert_eq!(checkpoints.iter().map(|checkpoint| checkpoint.size).collect::<Vec<_>>(), [0, 8, 16, 24]);
    for (index, id) in ids.iter().enumerate() {
        for kept in &checkpoints {
            let path = format!("?size={}&record=true", kept.size);
            if kept.size <= index as u64 {
                let told = server.get(&format!("/proofs/transactions/{id}{path}")).await;
                told.is_error(
                    400,
                    "GEN_VALIDATION_ERROR",
                    &format!("size: expected a number from {} to 24", index + 1),
                );
                continue;
            }
            let proof = proof(&server, id, &path).await;
            assert!(proof.has_record());
            assert!(proof.check(kept, None).expect("it holds").contains(id.as_str()));
            // The checkpoint that it brings is one of the same tree.
            let brought = opened(&server, &proof.checkpoint).await;
            assert_eq!((brought.size, brought.root, proof.index), (kept.size, kept.root, index as u64));
        }
    }
    for kept in &checkpoints {
        let told = server.get(&format!("/proofs/consistency?from={}", kept.size)).await;
        let proof: Consistency = serde_json::from_str(&told.text).expect("it is a proof");
        let now = opened(&server, &proof.checkpoint).await;
        assert_eq!(now.size, 24);
        assert!(proof.leads(kept, &now));
        assert!(kept.size == 24 || !proof.leads(&Checkpoint { root: [1; 32], ..kept.clone() }, &now));
        // Every tree begins with the empty one.
        assert!(kept.size == 0 || !proof.leads(kept, &Checkpoint { root: [1; 32], ..now.clone() }));
    }
}

/// What is shown beside the leaf is checked with it: nothing of a proof can be changed.
#[tokio::test]
async fn a_proof_that_was_changed_is_refused() {
    let server = open();
    let ids = transactions(&server, "one", 3).await;
    let kept = checkpoint(&server, "").await;
    let told = server.get(&format!("/proofs/transactions/{}?record=true", ids[4])).await.json();
    let check = |proof: &Value| {
        let proof = serde_json::from_str::<Inclusion>(&proof.to_string()).map_err(|error| error.to_string())?;
        proof.check(&kept, Some(&kept)).map(drop)
    };
    assert_eq!(check(&told), Ok(()));
    let other = server.get(&format!("/proofs/transactions/{}", ids[3])).await.json();
    let changes = [
        (json!({"index": 3}), "do not lead to the root"),
        (json!({"size": 5}), "ask for it again with ?size=6"),
        (json!({"index": 6, "size": 7}), "newer than the checkpoint"),
        (json!({"leaf": other["leaf"]}), "do not lead to the root"),
        (json!({"leaf": other["leaf"], "hashes": other["hashes"], "index": 3}), "is not the one in its leaf"),
        (json!({"leaf": "AA=="}), "version"),
        (json!({"root": other["leaf"]}), "is not the one that it leads to"),
        (json!({"reference": "of another"}), "unknown field `reference`"),
        (
            json!({"transaction": with(told["transaction"].clone(), json!({"reference": "of another"}))}),
            "unknown field `reference`",
        ),
        (json!({"record": with(told["record"].clone(), json!({"text": "another"}))}), "unknown field `text`"),
        (json!({"hashes": []}), "do not lead to the root"),
        (json!({"hashes": ["AA=="]}), "none"),
        (json!({"record": with(told["record"].clone(), json!({"seq": 2}))}), "the record is not the one"),
        (json!({"record": with(told["record"].clone(), json!({"payload": "AA=="}))}), "the record is not the one"),
        (
            json!({"record": with(told["record"].clone(), json!({"chain_before": told["root"]}))}),
            "the record is not the one",
        ),
    ];
    for (change, text) in changes {
        let refused = check(&with(told.clone(), change.clone())).expect_err("it was changed");
        assert!(refused.contains(text), "{change}: {refused}");
    }
    // What it brings is compared too: beside a checkpoint that is kept, its own must be of the same tree.
    let proof: Inclusion = serde_json::from_str(&told.to_string()).expect("it is a proof");
    for own in [Checkpoint { size: 5, ..kept.clone() }, Checkpoint { root: [1; 32], ..kept.clone() }] {
        let refused = proof.check(&kept, Some(&own)).expect_err("it is of another tree");
        assert!(refused.contains("of another tree"), "{refused}");
    }
    for (field, value) in told["transaction"].as_object().expect("fields") {
        let changed = match value {
            Value::Null => json!("x"),
            Value::Array(_) => json!(["refund"]),
            Value::Number(_) => json!(2),
            _ => json!("x"),
        };
        let shown = with(told["transaction"].clone(), json!({field: changed}));
        let refused = check(&with(told.clone(), json!({"transaction": shown}))).expect_err(field);
        assert!(refused.contains("is not the one in its leaf"), "{field}: {refused}");
    }
}

/// A record that makes no transaction is in no leaf. Whoever has a checkpoint that tells of it asks for its chain hash, which the
/// server signs; and the server asks itself before it replaces a checkpoint.
#[tokio::test]
async fn a_record_without_a_transaction_is_asked_for() {
    let server = open();
    let mut kept = vec![checkpoint(&server, "").await];
    for round in 0..3 {
        transactions(&server, &format!("r{round}"), 2).await;
        kept.push(checkpoint(&server, "").await);
        server.balance().await;
        kept.push(checkpoint(&server, "").await);
    }
    transactions(&server, "last", 1).await;
    let tip = server.state.books().merkle().tip();
    for before in &kept {
        let (seq, chain) = before.record.expect("it is of then");
        for to in [before.size, tip.rows] {
            let path = format!("/proofs/consistency?from={}&to={to}&seq={seq}", before.size);
            let proof: Consistency = serde_json::from_str(&server.get(&path).await.text).expect("it is a proof");
            let told = opened(&server, &proof.checkpoint).await;
            assert_eq!((told.before, told.size), (Some((seq, chain)), to));
        }
        let is_beginning = |before: &Checkpoint| {
            server.state.proofs().is_beginning(server.state.books(), tip, before).expect("it can be read")
        };
        assert!(is_beginning(before));
        for record in [(seq, [1; 32]), (tip.seq + 1, chain)] {
            assert!(!is_beginning(&Checkpoint { record: Some(record), ..before.clone() }), "{record:?}");
        }
    }
    let path = format!("/proofs/consistency?from=0&seq={}", tip.seq + 1);
    let text = format!("seq: expected a number from 0 to {}", tip.seq);
    server.get(&path).await.is_error(400, "GEN_VALIDATION_ERROR", &text);
}

#[tokio::test]
async fn what_a_proof_looks_like() {
    let server = open();
    let ids = transactions(&server, "one", 1).await;
    let told = server.get(&format!("/proofs/transactions/{}", ids[0])).await;
    let json = told.json();
    let world = server.get("/balances/indicator/@World/currency/USD").await.field("balance_id");
    let balance = server.get(&format!("/transactions/{}", ids[0])).await.field("destination");
    assert_eq!(
        with(json["transaction"].clone(), json!({"chain": null})),
        json!({
            "transaction_id": ids[0], "status": "APPLIED", "marks": [], "source": world, "destination": balance, "currency": "USD",
            "precise_amount": 100, "created_at": "2026-03-04T10:11:12.123456Z", "effective_date": "2026-03-04T10:11:12.123456Z",
        })
    );
    assert_eq!((&json["index"], &json["size"], &json["record"]), (&json!(0), &json!(2), &Value::Null));
    let leaf = STANDARD.decode(json["leaf"].as_str().expect("a text")).expect("base64");
    assert_eq!((leaf.len(), leaf[0], &leaf[4..7]), (118, 1, &b"USD"[..]));
    assert_eq!(json["hashes"].as_array().map(Vec::len), Some(1));
    let note = server.get("/proofs/checkpoint").await.text;
    assert_eq!(json["checkpoint"], note);
    let lines: Vec<&str> = note.lines().collect();
    assert_eq!((lines.len(), lines[0], lines[1], lines[4]), (6, "example.com/test", "2", ""));
    assert!(lines[3].starts_with("florin/journal ") && lines[5].starts_with("\u{2014} example.com/test "), "{note}");
}

/// A checkpoint of an older size is the one that was handed out then, as far as a record ended there.
#[tokio::test]
async fn checkpoints_of_the_past() {
    let server = open();
    transactions(&server, "one", 2).await;
    let then = checkpoint(&server, "").await;
    transactions(&server, "two", 2).await;
    let again = checkpoint(&server, "?size=4").await;
    assert_eq!((again.size, again.root), (4, then.root));
    assert_eq!(again.record, then.record, "the last record then made a transaction");
    assert_eq!(checkpoint(&server, "?size=3").await.record, None, "it is within a record");
    assert_eq!(checkpoint(&server, "?size=0").await.record, None);
    let server = server.crashed(settings(&[]));
    let now = checkpoint(&server, "").await;
    assert_eq!((now.size, checkpoint(&server, "?size=4").await), (8, again));
}

#[tokio::test]
async fn what_is_refused() {
    let server = open();
    let ids = transactions(&server, "one", 2).await;
    let missing = "txn_00000000-0000-7000-8000-000000000000";
    for (path, status, code, text) in [
        (format!("/proofs/transactions/{missing}"), 404, "TXN_NOT_FOUND", missing),
        ("/proofs/transactions/nothing".to_owned(), 404, "TXN_NOT_FOUND", "nothing"),
        (
            format!("/proofs/transactions/{}?size=5", ids[0]),
            400,
            "GEN_VALIDATION_ERROR",
            "size: expected a number from 1 to 4",
        ),
        (format!("/proofs/transactions/{}?size=x", ids[0]), 400, "GEN_VALIDATION_ERROR", "size"),
        (format!("/proofs/transactions/{}?size=-1", ids[0]), 400, "GEN_VALIDATION_ERROR", "size"),
        (format!("/proofs/transactions/{}?record=maybe", ids[0]), 400, "GEN_VALIDATION_ERROR", "record"),
        ("/proofs/consistency".to_owned(), 400, "GEN_MISSING_PARAMETER", "from"),
        ("/proofs/consistency?from=5".to_owned(), 400, "GEN_VALIDATION_ERROR", "from: expected a number from 0 to 4"),
        (
            "/proofs/consistency?from=3&to=2".to_owned(),
            400,
            "GEN_VALIDATION_ERROR",
            "from: expected a number from 0 to 2",
        ),
        ("/proofs/consistency?from=1&to=5".to_owned(), 400, "GEN_VALIDATION_ERROR", "to"),
        ("/proofs/checkpoint?size=5".to_owned(), 400, "GEN_VALIDATION_ERROR", "size: expected a number from 0 to 4"),
    ] {
        server.get(&path).await.is_error(status, code, text);
    }
    let parts = json!([{"identifier": "@A", "distribution": "50%"}, {"identifier": "@B", "distribution": "left"}]);
    let split = payment(
        "@World",
        "",
        json!({"destination": null, "destinations": parts, "allow_overdraft": true, "reference": "split"}),
    );
    let whole = server.post("/transactions", split).await.field("transaction_id");
    server.get(&format!("/proofs/transactions/{whole}")).await.is_error(400, "GEN_BAD_REQUEST", "each of its legs");
    let secure = secure();
    for path in ["/proofs/key", "/proofs/checkpoint", "/proofs/consistency?from=0", "/proofs/transactions/x"] {
        assert_eq!(secure.ask_with("GET", path, &[], "").await.status.as_u16(), 401, "{path}");
    }
}

/// The largest amount, and a currency that does not fit into a leaf.
#[tokio::test]
async fn what_hardly_fits_into_a_leaf() {
    let server = open();
    let (amount, currency) = ("10000000000000000000000000000000105727", "A-CURRENCY-OF-MORE-THAN-EIGHT");
    let fields =
        json!({"amount": null, "precision": 1, "currency": currency, "allow_overdraft": true, "reference": "large"});
    let body = with(payment("@World", "@Other", fields), json!({"precise_amount": "AMOUNT"}));
    let body = body.to_string().replace("\"AMOUNT\"", amount);
    let id = server.ask("POST", "/transactions", body).await.field("transaction_id");
    let told = server.get(&format!("/proofs/transactions/{id}")).await;
    assert!(told.text.contains(&format!("\"precise_amount\":{amount},")), "{}", told.text);
    assert_eq!(told.json()["transaction"]["currency"], Value::Null);
    let kept = checkpoint(&server, "").await;
    let proof: Inclusion = serde_json::from_str(&told.text).expect("it is a proof");
    assert!(proof.check(&kept, Some(&kept)).expect("it holds").contains(amount));
    let changed: Inclusion = serde_json::from_str(&told.text.replace("105727,", "105726,")).expect("it is a proof");
    assert!(changed.check(&kept, None).is_err(), "digits beyond what a double has count too");
}
