//! The follower: hashes rows block by block, and writes the nodes that become whole.

use super::hash::Hash;
use super::read;
use super::table::{Mark, nodes_before};
use super::tree::Peaks;
use super::{BLOCK_LEAVES, Merkle};
use crate::reading::{Books, BooksFault};
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long the follower rests after it has caught up, before it looks again.
const REST: Duration = Duration::from_millis(2);
/// How long it waits after a fault, before it tries again.
const FAULT_WAIT: Duration = Duration::from_secs(1);
/// Blocks that are hashed before their nodes are written.
const BLOCKS_WRITTEN: usize = 64;

/// What the follower has come to.
#[derive(Default)]
pub struct Progress {
    /// All that is in the file.
    peaks: Peaks,
    /// Blocks that the last mark tells.
    marked: u64,
    blocks: read::Blocks,
    buffer: Vec<u8>,
}

/// The thread of the follower. It ends when it is told to.
pub struct Thread(JoinHandle<()>);

impl Thread {
    /// Starts it.
    pub fn start(books: Arc<Books>) -> std::io::Result<Thread> {
        let thread = std::thread::Builder::new().name("merkle".into()).spawn(move || {
            crate::priority::lower(crate::priority::FOLLOWER);
            let merkle = books.merkle();
            let _ = merkle.thread.set(std::thread::current());
            while !merkle.stopping.load(Ordering::Acquire) {
                match merkle.step(&books) {
                    Ok(true) => std::thread::sleep(REST),
                    Ok(false) => merkle.sleep(),
                    Err(_) => std::thread::park_timeout(FAULT_WAIT),
                }
            }
            // Not saved, it only has more to do after the next start.
            drop(merkle.save(&books));
        })?;
        Ok(Thread(thread))
    }

    /// Has it end.
    pub fn end(self, merkle: &Merkle) {
        merkle.stopping.store(true, Ordering::Release);
        self.0.thread().unpark();
        drop(self.0.join());
    }
}

impl Merkle {
    /// Hashes the blocks that are full; answers whether there was one. What went wrong is kept until it goes on.
    pub(crate) fn step(&self, books: &Books) -> Result<bool, BooksFault> {
        let stepped = self.try_step(books);
        *self.fault.lock().expect("no holder panics") = stepped.as_ref().err().map(|fault| crate::fault_text(fault));
        stepped
    }

    fn try_step(&self, books: &Books) -> Result<bool, BooksFault> {
        let mut slot = self.progress.lock().expect("no holder panics");
        let mut worked = false;
        let progress = match &mut *slot {
            Some(progress) => progress,
            empty => {
                let loaded = self.load(books)?;
                self.blocks.store(loaded.peaks.blocks(), Ordering::Release);
                empty.insert(loaded)
            }
        };
        loop {
            let from = progress.peaks.blocks();
            let full = self.tip().rows / BLOCK_LEAVES;
            if from >= full || self.stopping.load(Ordering::Relaxed) {
                return Ok(worked);
            }
            // Nothing counts that is not written.
            let mut peaks = progress.peaks.clone();
            let mut nodes: Vec<Hash> = Vec::with_capacity(2 * BLOCKS_WRITTEN);
            for block in from..full.min(from + BLOCKS_WRITTEN as u64) {
                peaks.push(progress.blocks.root(books, block)?, |node| nodes.push(node));
            }
            let written = self.table.write(nodes_before(from), &nodes, &mut progress.buffer);
            written.map_err(|source| self.disk_fault(source))?;
            self.blocks.store(peaks.blocks(), Ordering::Release);
            progress.peaks = peaks;
            worked = true;
            if (progress.peaks.blocks() - progress.marked) * BLOCK_LEAVES >= self.mark_rows {
                self.mark(books, progress)?;
            }
        }
    }

    fn mark(&self, books: &Books, progress: &mut Progress) -> Result<(), BooksFault> {
        let blocks = progress.peaks.blocks();
        let chain = read::chain_of(books, blocks * BLOCK_LEAVES - 1)?;
        let mark = Mark { blocks, chain, root: progress.peaks.root(None) };
        self.table.save(&mark).map_err(|source| self.disk_fault(source))?;
        progress.marked = blocks;
        Ok(())
    }

    /// Saves how far it has come, so that the next start goes on from there.
    pub(crate) fn save(&self, books: &Books) -> Result<(), BooksFault> {
        let mut slot = self.progress.lock().expect("no holder panics");
        match &mut *slot {
            Some(progress) if progress.marked < progress.peaks.blocks() => self.mark(books, progress),
            _ => Ok(()),
        }
    }

    /// Begins where the mark says, or from the first block when there is no good one.
    fn load(&self, books: &Books) -> Result<Progress, BooksFault> {
        let fault = |source| self.disk_fault(source);
        let Some(mark) = self.table.mark().map_err(fault)? else { return Ok(Progress::default()) };
        // A mark of another journal, or of rows that are not there, is none.
        let last = mark.blocks.checked_mul(BLOCK_LEAVES).filter(|rows| (1..=self.tip().rows).contains(rows));
        let Some(rows) = last else { return Ok(Progress::default()) };
        if read::chain_of(books, rows - 1)? != mark.chain {
            return Ok(Progress::default());
        }
        let peaks = self.table.peaks(mark.blocks).map_err(fault)?.filter(|peaks| peaks.root(None) == mark.root);
        let marked = peaks.as_ref().map_or(0, Peaks::blocks);
        Ok(Progress { peaks: peaks.unwrap_or_default(), marked, ..Progress::default() })
    }

    /// Sleeps until there is more.
    fn sleep(&self) {
        self.asleep.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        // Fewer rows than that wake nobody.
        if self.rows_behind(self.tip().rows) < super::WAKE_ROWS && !self.stopping.load(Ordering::Acquire) {
            std::thread::park();
        }
        self.asleep.store(false, Ordering::SeqCst);
    }
}
