//! Compares an index with the pairs that the journal makes.
//!
//! Expected pairs are kept in memory, 16 bytes each, in buckets by the first byte of the stored key: sorted one bucket after
//! the other they come in the order of the index, which is read once. A pair of the index that is not expected is stale: it
//! was inserted for a row of a group that a power cut took, and its row has another reference, or none, now.

use super::{Part, Problems, VerifyFault};
use crate::index::offline::{self, Offline};
use crate::known_keys;
use journal::disk::Disk;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Marks a pair whose row reserves the reference of its outcome.
pub const RESERVED: u64 = 1;
/// Marks a pair of the outcome of a row that had reserved its reference.
pub const EXECUTION: u64 = 2;
const MARK_BITS: u32 = 2;
const BUCKETS: usize = 256;
/// Sorted buckets that may wait to be compared.
const BUCKETS_WAITING_MAX: usize = 2;
/// Pairs of rows whose references are compared in full. Fingerprints of different references agree once in 2^64 times, so
/// more than a few mean that something is badly wrong, which these suffice to show.
const SUSPECTS_MAX: usize = 10_000;

/// The pairs that an index must have.
pub struct Pairs {
    part: Part,
    buckets: Vec<Vec<u128>>,
    index: Option<Offline>,
    /// Every pair of a record before this position must be there.
    covered: u64,
    /// Pairs of rows before this number must be there: the index covers their records.
    required: u64,
    /// Whether a key has one row only, but for the reservation of an execution.
    unique: bool,
    last: Option<u128>,
    /// Values that may stand for the same reference or key.
    pub suspects: Vec<(u64, u64)>,
    /// Pairs that belong to no row.
    pub stale: u64,
}

impl Pairs {
    /// Begins with an index and no expected pairs. Damage of the index is told, and nothing of it is compared then.
    pub fn open(
        disk: &dyn Disk,
        folder: &Path,
        part: Part,
        unique: bool,
        problems: &mut Problems,
    ) -> Result<Pairs, VerifyFault> {
        let index = match Offline::open(disk, folder) {
            Ok(index) => index,
            Err(fault) if fault.is_damage() => {
                problems.add(part, crate::fault_text(&fault));
                None
            }
            Err(fault) => return Err(VerifyFault::Index(fault)),
        };
        let buckets = vec![Vec::new(); BUCKETS];
        let covered = index.as_ref().map_or(0, |index| index.covered);
        Ok(Pairs { part, buckets, index, covered, required: 0, unique, last: None, suspects: Vec::new(), stale: 0 })
    }

    /// The position up to which the index has seen the journal.
    pub const fn covered(&self) -> u64 {
        self.covered
    }

    /// Adds the pair of a row whose record stands at a position. Rows come in order.
    pub fn expect(&mut self, key: u64, row: u64, position: u64, mark: u64) {
        let pair = offline::pair(key, row << MARK_BITS | mark);
        self.buckets[(pair >> 120) as usize].push(pair);
        if position < self.covered {
            self.required = row + 1;
        }
    }

    /// Adds the pair of a key that was kept without a row, whose record stands at a position.
    pub fn expect_kept(&mut self, key: u64, position: u64) {
        let pair = offline::pair(key, known_keys::value_of(position) << MARK_BITS);
        self.buckets[(pair >> 120) as usize].push(pair);
    }

    /// Compares everything. Afterwards there are no expected pairs any more.
    pub fn compare(&mut self, problems: &mut Problems) -> Result<(), VerifyFault> {
        let buckets = std::mem::take(&mut self.buckets);
        std::thread::scope(|scope| {
            let (sender, sorted) = sync_channel(BUCKETS_WAITING_MAX);
            scope.spawn(move || sort_all(buckets, &sender));
            self.compare_with(Ascending { sorted, bucket: Vec::new() }, problems)
        })
    }

    fn compare_with(&mut self, mut expected: Ascending, problems: &mut Problems) -> Result<(), VerifyFault> {
        let index = self.index.take();
        let mut next = self.step(&mut expected);
        if let Some(index) = index {
            let result = index.visit(|found| {
                while let Some(wanted) = next.filter(|&wanted| plain(wanted) < found) {
                    self.missing(wanted, problems);
                    next = self.step(&mut expected);
                }
                let mut known = false;
                while next.is_some_and(|wanted| plain(wanted) == found) {
                    known = true;
                    next = self.step(&mut expected);
                }
                self.stale += u64::from(!known);
            });
            match result {
                // What was not read cannot be missed.
                Err(fault) if fault.is_damage() => {
                    problems.add(self.part, crate::fault_text(&fault));
                    (self.required, self.covered) = (0, 0);
                }
                other => other.map_err(VerifyFault::Index)?,
            }
        }
        while let Some(wanted) = next {
            self.missing(wanted, problems);
            next = self.step(&mut expected);
        }
        Ok(())
    }

    fn missing(&self, wanted: u128, problems: &mut Problems) {
        let row = row_of(wanted);
        if let Some(position) = known_keys::position_of(row) {
            if position < self.covered {
                problems.add(self.part, format!("the key of the record at position {position} is not in the index"));
            }
        } else if row < self.required {
            problems.add(self.part, format!("row {row} is not in the index"));
        }
    }

    /// The next expected pair. Two values under one key are noted on the way.
    fn step(&mut self, expected: &mut Ascending) -> Option<u128> {
        let next = expected.next();
        if let (Some(before), Some(next)) = (self.last, next)
            && self.unique
            && before >> 64 == next >> 64
            && row_of(before) != row_of(next)
        {
            let mark = |pair: u128| pair as u64 & ((1 << MARK_BITS) - 1);
            let of_one_request =
                mark(before) + mark(next) == RESERVED + EXECUTION && mark(before) != 0 && mark(next) != 0;
            if !of_one_request && self.suspects.len() < SUSPECTS_MAX {
                self.suspects.push((row_of(before), row_of(next)));
            }
        }
        self.last = next;
        next
    }
}

fn row_of(pair: u128) -> u64 {
    pair as u64 >> MARK_BITS
}

/// The pair as an index has it.
fn plain(pair: u128) -> u128 {
    pair >> 64 << 64 | u128::from(row_of(pair))
}

/// Sorts one bucket after the other, each with its least pair last, as long as somebody takes them.
fn sort_all(buckets: Vec<Vec<u128>>, sorted: &SyncSender<Vec<u128>>) {
    for mut bucket in buckets {
        bucket.sort_unstable_by(|a, b| b.cmp(a));
        if sorted.send(bucket).is_err() {
            return;
        }
    }
}

/// Pairs in ascending order, from buckets that are sorted on a thread of their own.
struct Ascending {
    sorted: Receiver<Vec<u128>>,
    bucket: Vec<u128>,
}

impl Ascending {
    fn next(&mut self) -> Option<u128> {
        loop {
            if let Some(pair) = self.bucket.pop() {
                return Some(pair);
            }
            self.bucket = self.sorted.recv().ok()?;
        }
    }
}
