//! The log as it is signed: from the tree, as far as it must be there, to checkpoints and proofs. Reads rows and files: not for the
//! threads of requests.

use super::checkpoint::Checkpoint;
use super::document::{Consistency, Inclusion, RecordBytes};
use super::note::Signer;
use engine::merkle::Tip;
use engine::merkle::hash::{self, Hash};
use engine::merkle::read::{Tree, chain_at, sealed};
use engine::merkle::tree::{is_consistent, root_of_inclusion};
use engine::reading::{Books, BooksFault};
use ledger::row::Row;
use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Rows that are hashed for one request because the follower has not come to them. With more it waits.
pub const ROWS_HASHED_MAX: u64 = 1 << 16;
/// How long it waits. After a start without the file of nodes, all rows have to be hashed again first.
pub const WAIT_MAX: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Why nothing is proven.
#[derive(Debug)]
pub enum ProofFault {
    /// Something could not be read.
    Books(BooksFault),
    /// The tree is still being made: rows that are not hashed yet, and why it does not go on, if that is so.
    Behind(u64, Option<String>),
    /// What is kept of the tree contradicts itself.
    Damaged,
    /// What was signed before is not the beginning of what is there now.
    Rewritten(u64),
}

impl From<BooksFault> for ProofFault {
    fn from(fault: BooksFault) -> ProofFault {
        ProofFault::Books(fault)
    }
}

impl fmt::Display for ProofFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProofFault::Books(fault) => fault.fmt(f),
            ProofFault::Behind(rows, None) => {
                write!(f, "the Merkle log is being made: {rows} transactions are left; try again in a moment")
            }
            ProofFault::Behind(rows, Some(why)) => {
                write!(f, "the Merkle log cannot be made, {rows} transactions are left: {why}")
            }
            ProofFault::Damaged => write!(
                f,
                "tables/proofs.tbl contradicts the rows; stop the server, run `florin verify`, then `florin rebuild`"
            ),
            ProofFault::Rewritten(size) => write!(
                f,
                "the journal is not the one that was signed: the signed checkpoint of {size} transactions is not a beginning of it; nothing \
                 is signed; run `florin verify --data DIR --checkpoint FILE --key KEY`"
            ),
        }
    }
}

impl std::error::Error for ProofFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ProofFault::Books(fault) => fault.source(),
            _ => None,
        }
    }
}

/// Signs checkpoints, and never two that contradict each other.
#[derive(Debug)]
pub struct Log {
    signer: Signer,
    /// The largest tree that was signed since the start.
    last: Mutex<(u64, Hash)>,
}

/// A checkpoint and its note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// What it tells.
    pub checkpoint: Checkpoint,
    /// As it is handed out.
    pub note: String,
}

impl Log {
    /// The log that this key signs.
    pub fn new(signer: Signer) -> Log {
        Log { signer, last: Mutex::new((0, hash::empty())) }
    }

    /// The key.
    pub const fn signer(&self) -> &Signer {
        &self.signer
    }

    /// A checkpoint of the first transactions, so many; they are all there.
    pub fn checkpoint(&self, books: &Books, tip: Tip, size: u64) -> Result<SignedCheckpoint, ProofFault> {
        let mut tree = tree(books, tip, size)?;
        self.sign(books, &mut tree, tip, size)
    }

    fn sign(&self, books: &Books, tree: &mut Tree<'_>, tip: Tip, size: u64) -> Result<SignedCheckpoint, ProofFault> {
        let root = tree.root(size)?;
        let mut last = self.last.lock().expect("no holder panics");
        if last.0 <= size {
            if tree.root(last.0)? != last.1 {
                return Err(ProofFault::Rewritten(last.0));
            }
            *last = (size, root);
        }
        drop(last);
        let record = if size == tip.rows { Some((tip.seq, tip.chain)) } else { record_at(books, tree, size)? };
        let checkpoint = Checkpoint { origin: self.signer.verifier().name.clone(), size, root, record, before: None };
        Ok(self.note(checkpoint))
    }

    fn note(&self, checkpoint: Checkpoint) -> SignedCheckpoint {
        let note = self.signer.sign(&checkpoint.to_string());
        SignedCheckpoint { checkpoint, note }
    }

    /// The proof that a transaction is in the tree of the first `size`, with all that is needed to check it.
    pub fn inclusion(
        &self,
        books: &Books,
        tip: Tip,
        row: &Row,
        size: u64,
        with_record: bool,
    ) -> Result<Inclusion, ProofFault> {
        let mut tree = tree(books, tip, size)?;
        let leaf = tree.leaf(row)?;
        let path = tree.inclusion(row.number, size)?;
        let signed = self.sign(books, &mut tree, tip, size)?;
        let root = signed.checkpoint.root;
        if root_of_inclusion(hash::leaf(&leaf.bytes()), row.number, size, &path) != Some(root) {
            return Err(ProofFault::Damaged);
        }
        let record = if with_record { Some(RecordBytes::of(sealed(books, row)?)) } else { None };
        Ok(Inclusion::new(row.number, &leaf, &path, signed, record))
    }

    /// The proof that the tree of the first `from` transactions is the beginning of that of the first `to`. Its checkpoint tells
    /// the chain hash of a record too, when its seq is given; it is there.
    pub fn consistency(
        &self,
        books: &Books,
        tip: Tip,
        (from, to): (u64, u64),
        seq: Option<u64>,
    ) -> Result<Consistency, ProofFault> {
        let mut tree = tree(books, tip, to)?;
        let path = tree.consistency(from, to)?;
        let old = tree.root(from)?;
        let mut signed = self.sign(books, &mut tree, tip, to)?;
        if let Some(seq) = seq {
            let chain = chain_at(books, seq)?.ok_or(ProofFault::Damaged)?;
            signed = self.note(Checkpoint { before: Some((seq, chain)), ..signed.checkpoint });
        }
        if !is_consistent((from, old), (to, signed.checkpoint.root), &path) {
            return Err(ProofFault::Damaged);
        }
        Ok(Consistency::new((from, old), &path, signed))
    }

    /// Whether what a checkpoint tells is a beginning of what is there now.
    pub fn is_beginning(&self, books: &Books, tip: Tip, before: &Checkpoint) -> Result<bool, ProofFault> {
        if before.size > tip.rows {
            return Ok(false);
        }
        if let Some((seq, chain)) = before.record
            && chain_at(books, seq)? != Some(chain)
        {
            return Ok(false);
        }
        Ok(tree(books, tip, before.size)?.root(before.size)? == before.root)
    }
}

/// The tree, when enough of it was made. Waits for that.
fn tree(books: &Books, tip: Tip, size: u64) -> Result<Tree<'_>, ProofFault> {
    assert!(size <= tip.rows, "only what is there is proven");
    let merkle = books.merkle();
    let began = Instant::now();
    loop {
        let behind = merkle.rows_behind(size);
        if behind <= ROWS_HASHED_MAX {
            return Ok(Tree::new(books, tip.rows));
        }
        if began.elapsed() > WAIT_MAX {
            return Err(ProofFault::Behind(behind, merkle.fault()));
        }
        merkle.wake();
        std::thread::sleep(LOOK_EVERY);
    }
}

/// The record that a tree ends with; `None` when it ends within one, or is empty.
fn record_at(books: &Books, tree: &mut Tree<'_>, size: u64) -> Result<Option<(u64, Hash)>, ProofFault> {
    let row = |number: u64| -> Result<Row, ProofFault> {
        books.row(number)?.ok_or(ProofFault::Books(BooksFault::Row(number)))
    };
    let Some(last) = size.checked_sub(1) else { return Ok(None) };
    let last = row(last)?;
    if row(size)?.record == last.record {
        return Ok(None);
    }
    let head = books.journal().head(last.record).map_err(BooksFault::Record)?;
    let seq = head.ok_or(ProofFault::Books(BooksFault::Row(last.number)))?.seq;
    Ok(Some((seq, tree.leaf(&last)?.chain)))
}
