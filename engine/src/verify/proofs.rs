//! Makes the Merkle log from the rows of the journal, and compares it with the nodes that are kept and with what checkpoints tell
//! that somebody signed and put elsewhere. Only these know of a journal that was changed and sealed again by whoever had the disk.

use super::{Part, Problems, VerifyFault};
use crate::merkle::BLOCK_LEAVES;
use crate::merkle::hash::{self, Hash, LeafData};
use crate::merkle::leaf::{CurrencyMark, Leaf};
use crate::merkle::table::{Mark, Table, nodes_before};
use crate::merkle::tree::{self, Leaves, Peaks};
use journal::disk::Disk;
use ledger::event::NO_BALANCE;
use ledger::row::Row;
use ledger::state::State;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// What a signed checkpoint tells. The signature was checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Signed {
    /// Leaves of the tree.
    pub size: u64,
    /// Its root.
    pub root: Hash,
    /// The seq of the last record then, and its chain hash; 0 and zeros of an empty journal.
    pub record: Option<(u64, Hash)>,
}

/// The log as it is made, and what is still to be compared.
pub(super) struct Proofs {
    table: Option<(Table, Mark)>,
    signed: Vec<Signed>,
    peaks: Peaks,
    /// Leaves behind the last full block.
    leaves_waiting: Vec<LeafData>,
    hashes: Vec<Hash>,
    currencies: Vec<CurrencyMark>,
    /// Checkpoints that tell what the journal says.
    pub(super) proven: u64,
}

impl Proofs {
    /// The nodes in a folder, and checkpoints. Nodes that are not there, or have no mark, are made anew by the next start.
    pub(super) fn open(disk: Arc<dyn Disk>, folder: &Path, signed: Vec<Signed>) -> Result<Proofs, VerifyFault> {
        let table = Table::new(disk, folder);
        let fault = |source: io::Error| VerifyFault::Disk { path: table.path(), source };
        let mark = table.mark().map_err(fault)?;
        let is_there = table.open_to_read().map_err(fault)?;
        Ok(Proofs {
            table: mark.filter(|_| is_there).map(|mark| (table, mark)),
            signed,
            peaks: Peaks::default(),
            leaves_waiting: Vec::new(),
            hashes: Vec::new(),
            currencies: Vec::new(),
            proven: 0,
        })
    }

    /// Takes a record: its seq and chain hash, and the rows that it made. The state has what they name.
    pub(super) fn take(
        &mut self,
        state: &State,
        (seq, chain): (u64, Hash),
        rows: &[Row],
        problems: &mut Problems,
    ) -> Result<(), VerifyFault> {
        for row in rows {
            let side = |handle| (handle != NO_BALANCE).then(|| state.balance_id(handle));
            while self.currencies.len() <= row.currency as usize {
                self.currencies.push(CurrencyMark::of(state.currencies.text(self.currencies.len() as u32)));
            }
            let currency = self.currencies[row.currency as usize];
            let leaf = Leaf::of(row, [side(row.source), side(row.destination)], currency, chain);
            self.leaves_waiting.push(leaf.bytes());
            if self.leaves_waiting.len() as u64 == BLOCK_LEAVES {
                self.fill_block(chain, problems)?;
            }
            let size = self.size();
            while let Some(at) = self.signed.iter().position(|signed| signed.record.is_none() && signed.size == size) {
                let signed = self.signed.remove(at);
                self.judge(signed, None, problems);
            }
        }
        while let Some(at) = self.signed.iter().position(|signed| signed.record.is_some_and(|(last, _)| last == seq)) {
            let signed = self.signed.remove(at);
            self.judge(signed, Some((seq, chain)), problems);
        }
        Ok(())
    }

    fn size(&self) -> u64 {
        self.peaks.blocks() * BLOCK_LEAVES + self.leaves_waiting.len() as u64
    }

    /// Compares a checkpoint with the log as it is now.
    fn judge(&mut self, signed: Signed, record: Option<(u64, Hash)>, problems: &mut Problems) {
        let told = format!("the signed checkpoint of {} transactions", signed.size);
        let root = self.root();
        let is_same_chain = signed.record.is_none() || signed.record == record;
        if self.size() != signed.size {
            let text = format!("{told} was made at record {}, where the journal has {}", seq_of(record), self.size());
            problems.add(Part::Journal, text);
        } else if root != signed.root || !is_same_chain {
            let what = if root == signed.root { "chain hash" } else { "root" };
            let text = format!("it is not the one that was signed: {told} has another {what} than the journal gives");
            problems.add(Part::Journal, text);
        } else {
            self.proven += 1;
        }
    }

    fn root(&mut self) -> Hash {
        self.hashes.clear();
        hash::leaves(&self.leaves_waiting, &mut self.hashes);
        let rest = tree::root(&mut Leaves(&self.hashes), self.hashes.len() as u64);
        let rest = rest.expect("leaves that are there have a root");
        self.peaks.root((!self.hashes.is_empty()).then_some(rest))
    }

    fn fill_block(&mut self, chain: Hash, problems: &mut Problems) -> Result<(), VerifyFault> {
        self.hashes.clear();
        hash::leaves(&self.leaves_waiting, &mut self.hashes);
        self.leaves_waiting.clear();
        let root = hash::whole(&mut self.hashes);
        let block = self.peaks.blocks();
        let mut nodes = Vec::new();
        self.peaks.push(root, |node| nodes.push(Some(node)));
        let Some((table, mark)) = &self.table else { return Ok(()) };
        if block >= mark.blocks {
            return Ok(());
        }
        let read = table.nodes(nodes_before(block), nodes.len());
        let read = read.map_err(|source| VerifyFault::Disk { path: table.path(), source })?;
        let path = table.path().display().to_string();
        let text = if read.contains(&None) {
            format!("{path} is damaged at the nodes of block {block}")
        } else if read != nodes {
            format!("{path} has other nodes of block {block} than the journal says")
        } else if block + 1 == mark.blocks && (mark.chain, mark.root) != (chain, self.peaks.root(None)) {
            format!("the mark of {path} was made of another journal")
        } else {
            return Ok(());
        };
        problems.add(Part::Proofs, text);
        // Told once: what is above a wrong node is wrong too.
        self.table = None;
        Ok(())
    }

    /// What is wrong when all records were taken, up to this seq: nodes and checkpoints of more than there is.
    pub(super) fn end(&mut self, seq: u64, problems: &mut Problems) {
        let blocks = self.peaks.blocks();
        if let Some((table, mark)) = self.table.as_ref().filter(|(_, mark)| mark.blocks > blocks) {
            let path = table.path();
            let text =
                format!("the mark of {} tells of {} blocks, and there are {blocks}", path.display(), mark.blocks);
            problems.add(Part::Proofs, text);
        }
        for signed in std::mem::take(&mut self.signed) {
            // Those of an empty journal were not met on the way.
            if signed.size == 0 && signed.root == hash::empty() && signed.record.is_none_or(|(last, _)| last == 0) {
                self.proven += 1;
                continue;
            }
            let told = match signed.record {
                Some((last, _)) => format!("record {last}"),
                None => format!("transaction {}", signed.size),
            };
            let text = format!(
                "its end is missing: a signed checkpoint tells of {told}, and it ends at record {seq} with {} transactions",
                self.size()
            );
            problems.add(Part::Journal, text);
        }
    }
}

fn seq_of(record: Option<(u64, Hash)>) -> u64 {
    record.map_or(0, |(seq, _)| seq)
}
