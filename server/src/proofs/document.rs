//! Proofs as JSON: how they are handed out, and how they are checked by whoever has nothing but them and a checkpoint. A field that
//! is not known is refused: nothing would show that it is true, and it would stand beside what is proven.

use super::checkpoint::{Checkpoint, hash as hash_of};
use super::log::SignedCheckpoint;
use crate::api::time;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine::merkle::hash::{self, Hash};
use engine::merkle::leaf::Leaf;
use engine::merkle::read::Sealed;
use engine::merkle::tree::{is_consistent, root_of_inclusion};
use ledger::id::{Id, Prefix};
use ledger::row::Flags;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

/// The words of the marks in a leaf.
const MARKS: [(Flags, &str); 8] = [
    (Flags::INFLIGHT, "inflight"),
    (Flags::OUTCOME, "outcome"),
    (Flags::EFFECTIVE, "effective"),
    (Flags::REFUND, "refund"),
    (Flags::EXECUTION, "execution"),
    (Flags::SETTLEMENT, "settlement"),
    (Flags::CHANGE, "change"),
    (Flags::LINEAGE, "lineage"),
];

/// A proof that a transaction is in the log.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inclusion {
    /// The number of the leaf, from 0.
    pub index: u64,
    /// Leaves of the tree that it is proven to be in.
    pub size: u64,
    root: String,
    leaf: String,
    transaction: Shown,
    hashes: Vec<String>,
    /// The signed checkpoint of that tree.
    pub checkpoint: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    record: Option<RecordBytes>,
}

/// What a leaf says, for people.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shown {
    transaction_id: String,
    status: String,
    marks: Vec<String>,
    source: Option<String>,
    destination: Option<String>,
    currency: Option<String>,
    precise_amount: Box<RawValue>,
    created_at: String,
    effective_date: String,
    chain: String,
}

/// A record of the journal, and what its chain hash was made from.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordBytes {
    seq: u64,
    chain_before: String,
    payload: String,
}

/// A proof that one tree is the beginning of another.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consistency {
    from: u64,
    to: u64,
    from_root: String,
    to_root: String,
    hashes: Vec<String>,
    /// The signed checkpoint of the larger tree.
    pub checkpoint: String,
}

impl Shown {
    fn of(leaf: &Leaf) -> Shown {
        let side = |id: Option<Id>| id.map(|id| id.text(Prefix::Balance));
        let marks = MARKS.iter().filter(|(flag, _)| leaf.flags.has(*flag));
        Shown {
            transaction_id: leaf.id.text(Prefix::Transaction),
            status: leaf.status.word().to_owned(),
            marks: marks.map(|(_, word)| (*word).to_owned()).collect(),
            source: side(leaf.source),
            destination: side(leaf.destination),
            currency: leaf.currency.text().map(str::to_owned),
            precise_amount: RawValue::from_string(leaf.amount.to_string()).expect("a number is JSON"),
            created_at: time::text(leaf.created_at),
            effective_date: time::text(leaf.effective_at),
            chain: STANDARD.encode(leaf.chain),
        }
    }

    fn text(&self) -> String {
        serde_json::to_string(self).expect("texts can be written")
    }
}

impl RecordBytes {
    /// A record as it is handed out.
    pub fn of(sealed: Sealed) -> RecordBytes {
        RecordBytes {
            seq: sealed.seq,
            chain_before: STANDARD.encode(sealed.chain_before),
            payload: STANDARD.encode(sealed.payload),
        }
    }

    /// The chain hash that it leads to.
    fn chain(&self) -> Option<Hash> {
        let payload = STANDARD.decode(&self.payload).ok()?;
        let length = u32::try_from(payload.len()).ok()?;
        let hasher = Sha256::new().chain_update(hash_of(&self.chain_before)?).chain_update(self.seq.to_le_bytes());
        Some(hasher.chain_update(length.to_le_bytes()).chain_update(payload).finalize().into())
    }
}

fn texts(path: &[Hash]) -> Vec<String> {
    path.iter().map(|hash| STANDARD.encode(hash)).collect()
}

fn hashes(texts: &[String]) -> Option<Vec<Hash>> {
    texts.iter().map(|text| hash_of(text)).collect()
}

impl Inclusion {
    /// A proof as it is handed out.
    pub fn new(
        index: u64,
        leaf: &Leaf,
        path: &[Hash],
        signed: SignedCheckpoint,
        record: Option<RecordBytes>,
    ) -> Inclusion {
        Inclusion {
            index,
            size: signed.checkpoint.size,
            root: STANDARD.encode(signed.checkpoint.root),
            leaf: STANDARD.encode(leaf.bytes()),
            transaction: Shown::of(leaf),
            hashes: texts(path),
            checkpoint: signed.note,
            record,
        }
    }

    /// Checks everything that it says against a checkpoint whose signature was checked. What is wrong, or the transaction as text.
    /// `own` is the checkpoint that it brings, unless that is signed with another key.
    pub fn check(&self, checkpoint: &Checkpoint, own: Option<&Checkpoint>) -> Result<String, String> {
        if self.size != checkpoint.size {
            let advice = if self.index < checkpoint.size {
                format!("ask for it again with ?size={}", checkpoint.size)
            } else {
                "the transaction is newer than the checkpoint".to_owned()
            };
            let (size, other) = (self.size, checkpoint.size);
            return Err(format!("it is a proof for {size} transactions, and the checkpoint is of {other}: {advice}"));
        }
        if own.is_some_and(|own| (own.size, own.root) != (checkpoint.size, checkpoint.root)) {
            return Err("the checkpoint that it brings is of another tree".to_owned());
        }
        let data = STANDARD.decode(&self.leaf).map_err(|_| "the leaf is no base64")?;
        let leaf = Leaf::parse(&data).ok_or("the leaf is of a version that this program does not know")?;
        let path = hashes(&self.hashes).ok_or("one of the hashes is none")?;
        let root = root_of_inclusion(hash::leaf(&data), self.index, self.size, &path);
        if root != Some(checkpoint.root) {
            return Err("the hashes do not lead to the root of the checkpoint".to_owned());
        }
        if hash_of(&self.root) != Some(checkpoint.root) {
            return Err("the root that it shows is not the one that it leads to".to_owned());
        }
        if leaf.id.row() != self.index {
            return Err("the id of the transaction is one of another place".to_owned());
        }
        if Shown::of(&leaf).text() != self.transaction.text() {
            return Err("the transaction that it shows is not the one in its leaf".to_owned());
        }
        if let Some(record) = &self.record
            && record.chain() != Some(leaf.chain)
        {
            return Err("the record is not the one that the leaf was made of".to_owned());
        }
        Ok(serde_json::to_string_pretty(&Shown::of(&leaf)).expect("texts can be written"))
    }

    /// Whether the bytes of the record are there, and were checked with the rest.
    pub const fn has_record(&self) -> bool {
        self.record.is_some()
    }
}

impl Consistency {
    /// A proof as it is handed out.
    pub fn new((from, from_root): (u64, Hash), path: &[Hash], signed: SignedCheckpoint) -> Consistency {
        Consistency {
            from,
            to: signed.checkpoint.size,
            from_root: STANDARD.encode(from_root),
            to_root: STANDARD.encode(signed.checkpoint.root),
            hashes: texts(path),
            checkpoint: signed.note,
        }
    }

    /// Whether it leads from one checkpoint to the other.
    pub fn leads(&self, from: &Checkpoint, to: &Checkpoint) -> bool {
        let (old, new) = ((from.size, from.root), (to.size, to.root));
        (self.from, self.to) == (from.size, to.size)
            && hashes(&self.hashes).is_some_and(|path| is_consistent(old, new, &path))
    }
}
