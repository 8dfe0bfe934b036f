//! Monitors: which of them fired because of which row.
//!
//! ```text
//! writer ─▶ rows, and where monitors are defined ─▶ [ follower, of low priority: definitions and rows in order ] ─▶ alerts.tbl
//!                                                                                              feed ◀──────────────┘
//! ```
//!
//! A definition says the number of the first row for which it counts, so that definitions and rows interleave as in the journal.
//! Everything here is derived and can be deleted: alerts are made again, the same. The writer only tells that there is more; it
//! waits for nothing here. As long as no monitor was ever made nothing is done and nothing is held.
//!
//! Order: definitions are published before the rows of the same group, and alerts before the number of rows that they are known
//! of. So whoever reads "known up to row n" finds all alerts of rows before n.

pub mod alerts;
pub(crate) mod follow;
pub(crate) mod table;
pub(crate) mod watch;

use crate::reading::Books;
use alerts::{Alerts, AlertsFault};
use journal::disk::{Disk, File};
use ledger::monitor::Defined;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, RwLock};
use std::thread::Thread;
use table::Table;

/// Changes of one chunk of the list of changes.
const CHUNK: usize = 1 << 12;

/// What is known of monitors outside of the state. Shared by all threads.
pub struct Monitors {
    table: Table,
    /// Rows and alerts between two marks.
    mark_rows: u64,
    /// Whether the disk allows no threads.
    is_inline: bool,
    /// The records that made, changed or deleted monitors, in chunks, so that growing never copies them all.
    changes: RwLock<Vec<Vec<Defined>>>,
    changes_count: AtomicU64,
    /// The alerts of all rows before this are known.
    known: AtomicU64,
    alerts_count: AtomicU64,
    file: OnceLock<Arc<dyn File>>,
    progress: Mutex<Option<follow::Progress>>,
    /// Why the follower cannot go on, while that is so.
    fault: Mutex<Option<String>>,
    /// The follower's thread; none where the disk allows no threads.
    thread: OnceLock<Thread>,
    asleep: AtomicBool,
    stopping: AtomicBool,
}

/// Whether the alerts of some rows are known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Known {
    /// There are none: no monitor was there.
    Nothing,
    /// Not yet.
    Later,
    /// Yes.
    Yes,
}

impl Monitors {
    pub(crate) fn new(disk: Arc<dyn Disk>, folder: &Path, mark_rows: u64) -> Monitors {
        Monitors {
            is_inline: !disk.allows_threads(),
            table: Table::new(disk, folder),
            mark_rows,
            changes: RwLock::default(),
            changes_count: AtomicU64::new(0),
            known: AtomicU64::new(0),
            alerts_count: AtomicU64::new(0),
            file: OnceLock::new(),
            progress: Mutex::new(None),
            fault: Mutex::new(None),
            thread: OnceLock::new(),
            asleep: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
        }
    }

    /// Lets out records that made, changed or deleted monitors. Before the rows that follow them.
    pub(crate) fn publish(&self, new: impl IntoIterator<Item = Defined>) {
        let mut changes = self.changes.write().expect("no reader panics");
        let mut count = 0;
        for change in new {
            match changes.last_mut() {
                Some(chunk) if chunk.len() < CHUNK => chunk.push(change),
                _ => {
                    let mut chunk = Vec::with_capacity(CHUNK);
                    chunk.push(change);
                    changes.push(chunk);
                }
            }
            count += 1;
        }
        self.changes_count.fetch_add(count, Ordering::Release);
    }

    /// Whether a monitor was ever made.
    pub fn are_used(&self) -> bool {
        self.changes_count.load(Ordering::Acquire) > 0
    }

    fn change(&self, index: u64) -> Option<Defined> {
        let changes = self.changes.read().expect("no reader panics");
        changes.get(index as usize / CHUNK)?.get(index as usize % CHUNK).copied()
    }

    /// Whether the alerts of all rows before a number are known. The record of these rows was followed before this is asked.
    pub fn known(&self, before: u64) -> Known {
        match self.change(0) {
            None => Known::Nothing,
            Some(first) if before <= first.first_row => Known::Nothing,
            Some(_) if before <= self.known.load(Ordering::Acquire) => Known::Yes,
            Some(_) => Known::Later,
        }
    }

    /// Reads alerts.
    pub fn alerts(&self) -> Alerts<'_> {
        Alerts::new(self)
    }

    /// Why alerts are not made at present, if that is so.
    pub fn fault(&self) -> Option<String> {
        self.fault_slot().clone()
    }

    fn fault_slot(&self) -> MutexGuard<'_, Option<String>> {
        self.fault.lock().expect("no holder panics")
    }

    fn file(&self) -> Result<&Arc<dyn File>, AlertsFault> {
        if let Some(file) = self.file.get() {
            return Ok(file);
        }
        let file = self.table.file().map_err(|source| self.disk_fault(source))?;
        Ok(self.file.get_or_init(|| file))
    }

    fn disk_fault(&self, source: std::io::Error) -> AlertsFault {
        AlertsFault::Disk { path: self.table.path(), source }
    }

    /// Tells that there is more to evaluate. Where the disk allows no threads, it is done at once.
    pub(crate) fn more(&self, books: &Books) {
        if self.is_inline {
            if !self.table.postpones() {
                // What goes wrong is kept for who wants the alerts.
                drop(self.step(books));
            }
        } else {
            self.wake();
        }
    }

    /// Ends cleanly where there is no thread that does.
    pub(crate) fn rest(&self) {
        if self.is_inline {
            // Not saved, it only has more to do after the next start.
            drop(self.save());
        }
    }

    /// Tells the follower that there is more. Does not wait.
    fn wake(&self) {
        if !self.are_used() {
            return;
        }
        fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::Relaxed)
            && self.asleep.swap(false, Ordering::SeqCst)
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
    }
}
