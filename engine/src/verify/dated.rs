//! Compares the dated rows, as they stand in order, with those that the journal makes.
//!
//! The two are in different orders and may be many, so of each a sum of hashes is made: what has the same sums is the same.

use super::{Part, Problems, VerifyFault};
use crate::dated::{self, Entry, Offline};
use journal::disk::Disk;
use ledger::row::Row;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

/// What is on disk, and what must be there.
pub struct DatedRows {
    found: Option<Offline>,
    expected: Sums,
    /// Whether the last row that is covered is the one that was covered.
    same: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Sums {
    entries: u64,
    hashes: [u64; 2],
}

impl Sums {
    fn add(&mut self, entry: &Entry) {
        self.entries += 1;
        for (sum, salt) in self.hashes.iter_mut().zip([1u8, 2]) {
            let mut hasher = DefaultHasher::new();
            (salt, entry.parts()).hash(&mut hasher);
            *sum = sum.wrapping_add(hasher.finish());
        }
    }
}

impl DatedRows {
    /// Begins with what is in a folder. Damage is told, and nothing is compared then.
    pub fn open(disk: &dyn Disk, folder: &Path, problems: &mut Problems) -> Result<DatedRows, VerifyFault> {
        let found = match Offline::open(disk, folder) {
            Ok(found) => found,
            Err(fault) if fault.is_damage() => {
                problems.add(Part::Dated, crate::fault_text(&fault));
                None
            }
            Err(fault) => return Err(VerifyFault::Index(fault)),
        };
        let same = found.as_ref().is_none_or(|found| found.covered.0 == 0);
        Ok(DatedRows { found, expected: Sums::default(), same })
    }

    /// Takes a row; they come in order.
    pub fn expect(&mut self, row: &Row) {
        let Some(found) = self.found.as_ref().filter(|found| row.number < found.covered.0) else { return };
        if dated::is_dated(row) {
            dated::entries_of(row, |entry| self.expected.add(&entry));
        }
        self.same |= row.number + 1 == found.covered.0 && row.nonce == found.covered.1;
    }

    /// Compares everything.
    pub fn compare(&mut self, problems: &mut Problems) -> Result<(), VerifyFault> {
        let Some(found) = self.found.take() else { return Ok(()) };
        if !self.same {
            problems.add(Part::Dated, "the dated rows were put in order for another journal".to_owned());
            return Ok(());
        }
        let mut sums = Sums::default();
        match found.visit(|entry| sums.add(&entry)) {
            Ok(()) if sums == self.expected => {}
            Ok(()) => problems.add(
                Part::Dated,
                format!(
                    "the order of dated rows has {} entries that are not the {} that the journal makes",
                    sums.entries, self.expected.entries
                ),
            ),
            Err(fault) if fault.is_damage() => problems.add(Part::Dated, crate::fault_text(&fault)),
            Err(fault) => return Err(VerifyFault::Index(fault)),
        }
        Ok(())
    }
}
