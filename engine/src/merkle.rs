//! A Merkle log over transactions: one leaf for each row, in the order of rows, hashed as RFC 6962 says.
//!
//! ```text
//! writer ─▶ rows, chain hashes of new records, the tip ─▶ [ follower, of low priority: 256 rows at a time ] ─▶ proofs.tbl
//!                                                                                  whoever proves ◀─────────────────┘
//! ```
//!
//! The file has the nodes above whole blocks of [`BLOCK_LEAVES`] leaves and nothing below: a quarter of a byte for each row. What is
//! below, and what the follower has not come to, is made from rows when somebody asks for a proof. So the file is derived, and no more
//! than a memory: a node that is missing or damaged is made again from what is below it, and never told as it is.
//!
//! The writer only leaves the chain hashes of its records, of which the newest are kept, and wakes the follower now and then. It waits
//! for nothing here.

pub mod hash;
pub mod leaf;
pub mod read;
pub mod tree;

pub(crate) mod follow;
pub(crate) mod table;

use crate::reading::{Books, BooksFault};
use hash::Hash;
use journal::disk::Disk;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::thread::Thread;
use table::Table;

/// Leaves of a block: the lowest nodes that are kept have so many leaves.
pub const BLOCK_LEAVES: u64 = 1 << BLOCK_LEVEL;
const BLOCK_LEVEL: u32 = 8;
/// Chain hashes of the newest records that are kept in memory; those of older ones are read from the journal.
const CHAINS_MAX: usize = 1 << 16;
/// Rows that wait for a sleeping follower before it is woken. Fewer are hashed by whoever asks.
const WAKE_ROWS: u64 = 16 * BLOCK_LEAVES;

/// How far the journal goes, as far as anybody may know.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tip {
    /// The seq of the last record; 0 when there is none.
    pub seq: u64,
    /// Its chain hash.
    pub chain: Hash,
    /// Rows of all records up to it.
    pub rows: u64,
}

/// What is known of the tree. Shared by all threads.
pub struct Merkle {
    table: Table,
    /// Rows between two marks.
    mark_rows: u64,
    /// Whether the disk allows no threads.
    is_inline: bool,
    latest: Mutex<Latest>,
    /// Blocks whose nodes are in the file.
    blocks: AtomicU64,
    progress: Mutex<Option<follow::Progress>>,
    /// Why the follower cannot go on, while that is so.
    fault: Mutex<Option<String>>,
    /// The follower's thread; none where the disk allows no threads.
    thread: OnceLock<Thread>,
    asleep: AtomicBool,
    stopping: AtomicBool,
}

#[derive(Default)]
struct Latest {
    tip: Tip,
    /// Where the newest records are, and their chain hashes, in order.
    chains: VecDeque<(u64, Hash)>,
}

impl Merkle {
    pub(crate) fn new(disk: Arc<dyn Disk>, folder: &Path, mark_rows: u64) -> Merkle {
        Merkle {
            is_inline: !disk.allows_threads(),
            table: Table::new(disk, folder),
            mark_rows,
            latest: Mutex::default(),
            blocks: AtomicU64::new(0),
            progress: Mutex::new(None),
            fault: Mutex::new(None),
            thread: OnceLock::new(),
            asleep: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
        }
    }

    /// Takes durable records, each with where it is and its chain hash, and how far the journal goes now. After their rows.
    pub(crate) fn publish(&self, records: impl IntoIterator<Item = (u64, Hash)>, tip: Tip) {
        let mut latest = self.latest();
        for record in records {
            if latest.chains.len() == CHAINS_MAX {
                latest.chains.pop_front();
            }
            latest.chains.push_back(record);
        }
        assert!(tip.rows >= latest.tip.rows, "rows stay");
        latest.tip = tip;
    }

    /// How far the journal goes. Everything up to there is durable and its rows can be read.
    pub fn tip(&self) -> Tip {
        self.latest().tip
    }

    /// How many rows up to a number are not in blocks of the file yet. Whoever proves something has to hash them.
    pub fn rows_behind(&self, rows: u64) -> u64 {
        rows.saturating_sub(self.blocks.load(Ordering::Acquire) * BLOCK_LEAVES)
    }

    /// Why the tree is not written at present, if that is so.
    pub fn fault(&self) -> Option<String> {
        self.fault.lock().expect("no holder panics").clone()
    }

    /// The chain hashes of records by their positions, which rise. `None` of those that are not in memory.
    fn chains(&self, positions: &[u64], out: &mut Vec<Option<Hash>>) {
        let latest = self.latest();
        let Some(first) = positions.first() else { return };
        let mut at = latest.chains.partition_point(|(position, _)| position < first);
        for wanted in positions {
            while latest.chains.get(at).is_some_and(|(position, _)| position < wanted) {
                at += 1;
            }
            out.push(latest.chains.get(at).filter(|(position, _)| position == wanted).map(|(_, chain)| *chain));
        }
    }

    fn latest(&self) -> MutexGuard<'_, Latest> {
        self.latest.lock().expect("no holder panics")
    }

    /// Tells that there is more. Where the disk allows no threads, it is done at once.
    pub(crate) fn more(&self, books: &Books) {
        let behind = self.rows_behind(self.tip().rows);
        if self.is_inline {
            if behind >= BLOCK_LEAVES {
                // What goes wrong is kept for who wants proofs.
                drop(self.step(books));
            }
        } else if behind >= WAKE_ROWS {
            self.wake();
        }
    }

    /// Ends cleanly where there is no thread that does.
    pub(crate) fn rest(&self, books: &Books) {
        if self.is_inline {
            // Not saved, it only has more to do after the next start.
            drop(self.save(books));
        }
    }

    /// Has the follower go on. Does not wait.
    pub fn wake(&self) {
        fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::Relaxed)
            && self.asleep.swap(false, Ordering::SeqCst)
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
    }

    fn disk_fault(&self, source: std::io::Error) -> BooksFault {
        BooksFault::Tree { path: self.table.path(), source }
    }
}
