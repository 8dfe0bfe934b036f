//! Proofs, checkpoints and keys as somebody hands them over to be checked: whatever was changed of them, what is accepted is what was
//! signed, and a tree that was rewritten is never a beginning.

#![no_main]

use engine::merkle::hash::{self, Hash};
use engine::merkle::leaf::{CurrencyMark, Leaf};
use engine::merkle::read::Sealed;
use engine::merkle::tree::{self, Leaves};
use ledger::id::Id;
use ledger::row::{Flags, Status};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use server::proofs::checkpoint::Checkpoint;
use server::proofs::document::{Consistency, Inclusion, RecordBytes};
use server::proofs::log::SignedCheckpoint;
use server::proofs::note::{Signer, Verifier};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// The key of c2sp.org/signed-note: everybody knows it, and nobody may trust it.
const KEY: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
/// Leaves of the largest tree.
const SIZE: u64 = 11;

/// A log, and all that was handed out of it.
struct Log {
    verifier: Verifier,
    /// One for each size, from 0.
    checkpoints: Vec<SignedCheckpoint>,
    /// The same of a log in which the first transaction was another.
    rewritten: Vec<Checkpoint>,
    /// Proofs of every leaf in every tree that has it, some with their records.
    inclusions: Vec<Value>,
    /// What each leaf says.
    shown: Vec<String>,
    /// Proofs from every size to every other.
    consistencies: Vec<Value>,
}

static LOG: LazyLock<Log> = LazyLock::new(Log::new);

fn record(index: u64) -> Sealed {
    Sealed { seq: index + 3, chain_before: [index as u8; 32], payload: vec![index as u8; 1 + index as usize] }
}

fn leaf(index: u64, amount: i128) -> Leaf {
    let Sealed { seq, chain_before, payload } = record(index);
    let chain = Sha256::new().chain_update(chain_before).chain_update(seq.to_le_bytes());
    let chain = chain.chain_update((payload.len() as u32).to_le_bytes()).chain_update(payload);
    Leaf {
        status: Status::Applied,
        flags: Flags(index as u16),
        id: Id::new(1_772_619_072_123_456, index, 9),
        source: Some(Id::new(1_772_619_072_000_001, 0, 3)),
        destination: (!index.is_multiple_of(3)).then(|| Id::new(1_772_619_072_000_001, 1, 4)),
        currency: CurrencyMark::of(if index.is_multiple_of(2) { "USD" } else { "A-LONG-ONE" }),
        amount,
        created_at: 1_772_619_072_123_456,
        effective_at: -5,
        chain: chain.finalize().into(),
    }
}

fn signed(signer: &Signer, hashes: &[Hash], size: u64) -> SignedCheckpoint {
    let Ok(root) = tree::root(&mut Leaves(hashes), size);
    let origin = signer.verifier().name.clone();
    let checkpoint = Checkpoint { origin, size, root, record: Some((size + 2, [size as u8; 32])), before: None };
    SignedCheckpoint { note: signer.sign(&checkpoint.to_string()), checkpoint }
}

impl Log {
    fn new() -> Log {
        let signer = Signer::parse(KEY, None).expect("it is a key");
        let leaves: Vec<Leaf> = (0..SIZE).map(|index| leaf(index, 100 + i128::from(index))).collect();
        let hashes: Vec<Hash> = leaves.iter().map(|leaf| hash::leaf(&leaf.bytes())).collect();
        let mut others = hashes.clone();
        others[0] = hash::leaf(&leaf(0, 99).bytes());
        let checkpoints: Vec<SignedCheckpoint> = (0..=SIZE).map(|size| signed(&signer, &hashes, size)).collect();
        let rewritten = (0..=SIZE).map(|size| signed(&signer, &others, size).checkpoint).collect();
        let (mut inclusions, mut shown, mut consistencies) = (Vec::new(), Vec::new(), Vec::new());
        for size in 0..=SIZE {
            let of = |size: u64| checkpoints[size as usize].clone();
            for index in 0..size {
                let Ok(path) = tree::inclusion(&mut Leaves(&hashes), index, size);
                let with = (index.is_multiple_of(2)).then(|| RecordBytes::of(record(index)));
                let proof = Inclusion::new(index, &leaves[index as usize], &path, of(size), with);
                let text = proof.check(&of(size).checkpoint, Some(&of(size).checkpoint)).expect("it is a good one");
                shown.resize(shown.len().max(index as usize + 1), text);
                inclusions.push(serde_json::to_value(&proof).expect("proofs are JSON"));
            }
            for before in 0..=size {
                let Ok(path) = tree::consistency(&mut Leaves(&hashes), before, size);
                let proof = Consistency::new((before, of(before).checkpoint.root), &path, of(size));
                assert!(proof.leads(&of(before).checkpoint, &of(size).checkpoint));
                consistencies.push(serde_json::to_value(&proof).expect("proofs are JSON"));
            }
        }
        let verifier = signer.verifier().clone();
        Log { verifier, checkpoints, rewritten, inclusions, shown, consistencies }
    }

    /// A proof that is accepted says what its leaf says, of a tree that has it.
    fn inclusion(&self, text: &str) {
        let Ok(proof) = serde_json::from_str::<Inclusion>(text) else { return };
        for SignedCheckpoint { checkpoint, .. } in &self.checkpoints {
            let Ok(told) = proof.check(checkpoint, None) else { continue };
            assert!(proof.index < checkpoint.size, "a leaf that the tree does not have: {text}");
            assert_eq!(told, self.shown[proof.index as usize], "{text}");
        }
        for checkpoint in &self.rewritten {
            let told = proof.check(checkpoint, None);
            assert!(told.is_err() || checkpoint.size == 0, "a tree that was rewritten: {text}");
        }
    }

    /// No proof leads from what was signed to what was rewritten, nor back in size.
    fn consistency(&self, text: &str) {
        let Ok(proof) = serde_json::from_str::<Consistency>(text) else { return };
        for SignedCheckpoint { checkpoint: from, .. } in &self.checkpoints {
            for SignedCheckpoint { checkpoint: to, .. } in &self.checkpoints {
                assert!(!proof.leads(from, to) || from.size <= to.size, "{text}");
            }
            for other in self.rewritten.iter().filter(|other| other.size > 0) {
                assert!(!proof.leads(from, other) || from.size == 0, "{text}");
                assert!(!proof.leads(other, from), "{text}");
            }
        }
    }

    fn note(&self, text: &str) {
        if let Ok(opened) = self.verifier.open(text) {
            assert!(self.checkpoints.iter().any(|signed| signed.checkpoint.to_string() == opened), "{text}");
        }
        if let Some(checkpoint) = Checkpoint::parse(text) {
            assert_eq!(Checkpoint::parse(&checkpoint.to_string()), Some(checkpoint), "{text}");
        }
        if let Ok(verifier) = Verifier::parse(text) {
            assert_eq!(Verifier::parse(&verifier.to_string()), Ok(verifier), "{text}");
        }
        if let Ok(signer) = Signer::parse(text, None) {
            let again = Signer::parse(&signer.secret_text(), None).expect("what was written is a key");
            assert_eq!(again.verifier(), signer.verifier());
        }
    }
}

/// Puts the fields of one object into another, all the way down.
fn put(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                put(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

// A number and changes of that proof, each on a line; or a text by itself.
fuzz_target!(|input: &str| {
    let log = &*LOG;
    log.note(input);
    log.inclusion(input);
    log.consistency(input);
    let Some((number, change)) = input.split_once('\n') else { return };
    let Ok(number) = number.parse::<usize>() else { return };
    let note = &log.checkpoints[number % log.checkpoints.len()].note;
    log.note(&format!("{note}{change}"));
    log.note(&format!("{change}{note}"));
    log.note(&note.replace(change.lines().next().unwrap_or_default(), change.lines().nth(1).unwrap_or_default()));
    let Ok(change) = serde_json::from_str::<Value>(change) else { return };
    for proofs in [&log.inclusions, &log.consistencies] {
        let mut changed = proofs[number % proofs.len()].clone();
        put(&mut changed, change.clone());
        log.inclusion(&changed.to_string());
        log.consistency(&changed.to_string());
    }
});
