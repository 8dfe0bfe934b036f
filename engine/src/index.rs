//! An index from keys to values, both 64-bit numbers: insert-only, one key may have many values, derived from the journal.
//!
//! It is made for keys of which nearly every look-up finds nothing (is this reference used?), on the writer's path:
//!
//! ```text
//! insert ─▶ filter (tags of all keys)          find ─▶ filter ─ "no", nearly always ─▶ done
//!        └▶ active tail ─ mark ─▶ frozen tails               └─ "maybe" ─▶ tails ─▶ runs (one block each)
//!                                      │ behind: sort, write, manifest
//!                                      ▼
//!                            runs on disk ─ merged by tiers ─▶ fewer, larger runs
//! ```
//!
//! - A look-up that finds nothing costs a cache line of the filter; an insert costs that line, one slot of the tail and an
//!   append. Both can be prefetched.
//! - Nothing on the writer's thread grows by doubling or waits for the disk, as long as the disk keeps up: a tail has its
//!   memory before it is used and is used again, and the filter grows in thousands of small steps.
//! - The writer says with [`Index::mark`] how far of the journal it has inserted. A tail is frozen only there, so what the
//!   manifest covers is always a whole number of marks, and after a crash the pairs from [`Index::covered`] on are inserted
//!   again.
//! - Everything here can be deleted. An index that does not make sense when it is opened is emptied.

mod behind;
mod build;
mod filter;
mod load;
pub(crate) mod manifest;
mod merge;
mod mix;
pub(crate) mod offline;
pub(crate) mod run;
mod tail;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use journal::disk::Disk;

use crate::limits::INDEX_RUNS_MAX;
use behind::{Frozen, Shared, Step, View, Workspace};
use filter::Filter;
use merge::{Merge, Source, pair_of};
use mix::{mix, unmix};
use tail::Tail;

/// Frozen tails that may wait for the disk, or for runs to be merged. A fourth is not frozen: the writer waits for the first
/// of them, or, when the disk has failed, goes on in the active tail (see [`Index::is_full`]).
const FROZEN_MAX: usize = 3;

/// How an index is laid out.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Pairs in memory before they are written as a run, from 1 to 2^28. Up to an eighth more may come before the next
    /// mark at no cost. Each of about three tails takes 60 bytes a pair.
    pub tail_pairs: usize,
    /// Runs of about the same size that are merged into one, from 2 to 16: so few that among [`INDEX_RUNS_MAX`] runs there
    /// are always enough to merge.
    pub fan_out: usize,
}

/// An index in a folder. Owned by one thread, the writer; what follows the writer works behind it.
///
/// Dropping it ends its threads and leaves what is not on disk to the journal; [`Index::flush`] first saves the replay.
pub struct Index {
    shared: Arc<Shared>,
    filter: Filter,
    active: Tail,
    /// Every pair before this mark has been inserted.
    mark: u64,
    /// The mark of the newest frozen tail.
    frozen_mark: u64,
    blocks_read: AtomicU64,
    threads: Vec<JoinHandle<()>>,
    /// For a disk that allows no threads: what they would have, used on the caller's thread.
    workspace: Option<Workspace>,
}

/// What an index takes up at one moment.
#[derive(Clone, Debug)]
pub struct Stats {
    /// Pairs in all.
    pub pairs: u64,
    /// Pairs of these that are only in memory.
    pub pairs_in_memory: u64,
    /// Files of sorted pairs.
    pub runs: usize,
    /// True while some of them are being merged.
    pub merging: bool,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Bytes of memory of these that the filter takes.
    pub filter_bytes: u64,
    /// Bytes of the runs on disk.
    pub disk_bytes: u64,
    /// Blocks that look-ups have read from runs since the index was opened.
    pub blocks_read: u64,
    /// Why the last attempt to write or to merge failed; `None` since it succeeded.
    pub fault: Option<String>,
}

impl Index {
    /// Opens or makes the index in `folder`, reading all of it once.
    ///
    /// A manifest or run that is missing, damaged or foreign is no error: the index is emptied, and [`Index::covered`] is 0.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn open(disk: Arc<dyn Disk>, folder: &Path, options: Options) -> Result<Index, IndexFault> {
        assert!((1..=1 << 28).contains(&options.tail_pairs), "a tail has from 1 to 2^28 pairs");
        assert!((2..=INDEX_RUNS_MAX / 8).contains(&options.fan_out), "from 2 to 16 runs are merged into one");
        let loaded = load::load(&*disk, folder)?;
        let threads_allowed = disk.allows_threads();
        let shared = Arc::new(Shared::new(disk, folder.to_path_buf(), options, loaded.covered, loaded.runs));
        let mut index = Index {
            shared,
            filter: loaded.filter,
            active: Tail::with_capacity(options.tail_pairs),
            mark: loaded.covered,
            frozen_mark: loaded.covered,
            blocks_read: AtomicU64::new(0),
            threads: Vec::new(),
            workspace: (!threads_allowed).then(|| Workspace::new(options.tail_pairs)),
        };
        if threads_allowed {
            index.spawn("index-write", behind::write_tails)?;
            index.spawn("index-merge", behind::merge_runs)?;
        }
        Ok(index)
    }

    /// Every pair that was inserted before this mark is on disk; the others are to be inserted again after an opening. 0 when
    /// the index is empty.
    pub fn covered(&self) -> u64 {
        self.shared.state().covered
    }

    /// Adds a pair. It is found at once. Never fails and never waits.
    pub fn insert(&mut self, key: u64, value: u64) {
        let key = mix(key);
        self.filter.insert(key);
        self.active.insert(key, value);
    }

    /// Says that all pairs that belong to the journal before `mark` have been inserted, and none that belong to it or later.
    /// `mark` never goes back.
    ///
    /// When the active tail is full, this freezes it. If three tails wait for the disk already, it waits for the
    /// oldest of them, unless the disk has failed.
    pub fn mark(&mut self, mark: u64) {
        assert!(mark >= self.mark, "marks never go back");
        self.mark = mark;
        if self.active.pairs().len() >= self.shared.options.tail_pairs {
            self.freeze();
        }
    }

    /// Begins to write what is in memory up to the last mark, however little it is, without waiting for the end of it. An
    /// index that gets few pairs needs this now and then, or it would always be replayed from far back.
    ///
    /// Must follow [`Index::mark`] with no insert between them. False when that is not possible now because the disk has
    /// failed.
    pub fn freeze(&mut self) -> bool {
        if self.active.pairs().is_empty() && self.mark == self.frozen_mark {
            return true;
        }
        self.work();
        let mut state = self.shared.state();
        while state.view.frozen.len() >= FROZEN_MAX && state.write_fault.is_none() {
            state = self.shared.wait(state);
        }
        if state.view.frozen.len() >= FROZEN_MAX {
            return false;
        }
        let spare = state.spare.pop();
        drop(state);
        let spare = spare.unwrap_or_else(|| Tail::with_capacity(self.shared.options.tail_pairs));
        let frozen = Arc::new(Frozen { tail: std::mem::replace(&mut self.active, spare), mark: self.mark });
        let mut state = self.shared.state();
        let mut view = View { frozen: state.view.frozen.clone(), runs: state.view.runs.clone() };
        view.frozen.push(frozen);
        let before = std::mem::replace(&mut state.view, Arc::new(view));
        drop(state);
        drop(before);
        self.frozen_mark = self.mark;
        self.shared.notify();
        self.work();
        true
    }

    /// Brings the memory that [`Index::insert`] and [`Index::contains_nothing`] of this key will look at nearer. Worth it
    /// some dozens of keys ahead.
    #[inline]
    pub fn prefetch(&self, key: u64) {
        let key = mix(key);
        self.filter.prefetch(key);
        self.active.prefetch(key);
    }

    /// True when there is certainly nothing under this key; false, when there is, or once in many millions. Looks at memory
    /// only.
    #[inline]
    pub fn contains_nothing(&self, key: u64) -> bool {
        !self.filter.contains(mix(key))
    }

    /// Appends the values of the key, the greatest first. Looks at the disk only when there is something, but for one time in
    /// many millions.
    ///
    /// # Errors
    /// When the disk fails or a block is damaged. What was appended by then may not be all.
    pub fn find(&self, key: u64, found: &mut Vec<u64>) -> Result<(), IndexFault> {
        let key = mix(key);
        if !self.filter.contains(key) {
            return Ok(());
        }
        let mut values = Vec::new();
        self.active.find(key, &mut values);
        let view = Arc::clone(&self.shared.state().view);
        for frozen in view.frozen.iter().rev() {
            frozen.tail.find(key, &mut values);
        }
        for run in view.runs.iter().rev() {
            let read = run.find(key, &mut values)?;
            self.blocks_read.fetch_add(read, Ordering::Relaxed);
        }
        values.sort_unstable_by(|a, b| b.cmp(a));
        values.dedup();
        found.append(&mut values);
        Ok(())
    }

    /// Writes everything up to the last mark and waits until it is on disk. Returns [`Index::covered`]. For a clean stop; must
    /// follow [`Index::mark`] with no insert between them.
    ///
    /// # Errors
    /// When the disk fails. Nothing is lost then: what was not written stays in memory and is tried again.
    pub fn flush(&mut self) -> Result<u64, IndexFault> {
        let failures = self.shared.state().write_failures;
        loop {
            let everything = self.freeze();
            self.work_now();
            let state = self.shared.state();
            if everything && state.view.frozen.is_empty() {
                return Ok(state.covered);
            }
            if state.write_failures > failures {
                let reason = state.write_fault.as_ref().map_or_else(String::new, |fault| fault.report());
                return Err(IndexFault::Behind { reason });
            }
            drop(self.shared.wait(state));
        }
    }

    /// Why the last attempt to write a tail failed; `None` since one succeeded. It is tried again by itself, and until
    /// [`Index::is_full`] nothing is amiss but that the replay after a crash would be longer.
    pub fn fault(&self) -> Option<String> {
        self.shared.state().write_fault.as_ref().map(|fault| fault.report())
    }

    /// True when the disk keeps failing and the memory that is meant for waiting pairs is used up: the owner must take no
    /// more work until this is false. What is inserted nevertheless is kept, in memory that is bounded by nothing.
    pub fn is_full(&self) -> bool {
        let state = self.shared.state();
        let waiting = state.view.frozen.len() >= FROZEN_MAX && state.write_fault.is_some();
        waiting && self.active.pairs().len() >= self.shared.options.tail_pairs
    }

    /// What the index takes up now.
    pub fn stats(&self) -> Stats {
        let state = self.shared.state();
        let view = Arc::clone(&state.view);
        let spare_bytes: u64 = state.spare.iter().map(Tail::bytes).sum();
        let fault = state.write_fault.as_ref().or(state.merge_fault.as_ref()).map(|fault| fault.report());
        let merging = state.merging;
        drop(state);
        let frozen: u64 = view.frozen.iter().map(|frozen| frozen.tail.pairs().len() as u64).sum();
        let pairs_in_memory = frozen + self.active.pairs().len() as u64;
        let tail_bytes =
            view.frozen.iter().map(|frozen| frozen.tail.bytes()).sum::<u64>() + self.active.bytes() + spare_bytes;
        let filter_bytes = self.filter.bytes();
        Stats {
            pairs: view.runs.iter().map(|run| run.pairs).sum::<u64>() + pairs_in_memory,
            pairs_in_memory,
            runs: view.runs.len(),
            merging,
            memory_bytes: filter_bytes + tail_bytes + view.runs.iter().map(|run| run.bytes()).sum::<u64>(),
            filter_bytes,
            disk_bytes: view.runs.iter().map(|run| run::Layout::new(run.pairs).bytes()).sum(),
            blocks_read: self.blocks_read.load(Ordering::Relaxed),
            fault,
        }
    }

    /// Calls `visit` with every key and value, once each, in an order that depends on nothing but the pairs: two indexes are
    /// equal when they give the same sequence.
    ///
    /// # Errors
    /// When the disk fails or a block is damaged.
    pub fn visit(&self, mut visit: impl FnMut(u64, u64)) -> Result<(), IndexFault> {
        let view = Arc::clone(&self.shared.state().view);
        let tails = view.frozen.iter().map(|frozen| &frozen.tail).chain([&self.active]);
        let newest = tails.flat_map(Tail::pairs).map(|&(key, value)| pair_of(key, value)).collect();
        let mut sources: Vec<Source> = view.runs.iter().map(|run| Source::run(run, 64)).collect();
        sources.push(Source::memory(newest));
        let mut merge = Merge::new(sources)?;
        let mut last = None;
        while let Some(pair) = merge.next()? {
            if last != Some(pair) {
                visit(unmix((pair >> 64) as u64), pair as u64);
            }
            last = Some(pair);
        }
        Ok(())
    }

    fn spawn(&mut self, name: &str, work: fn(&Shared)) -> Result<(), IndexFault> {
        let shared = Arc::clone(&self.shared);
        let thread = thread::Builder::new().name(name.to_string()).spawn(move || work(&shared));
        let thread = thread.map_err(|source| IndexFault::disk("start a thread for", &self.shared.folder, source))?;
        self.threads.push(thread);
        Ok(())
    }

    /// Does what the threads would do, where there are none; what can wait may be left for later.
    fn work(&mut self) {
        if self.shared.state().view.frozen.len() >= FROZEN_MAX || !self.shared.disk.postpones() {
            self.work_now();
        }
    }

    /// Does all that the threads would do, where there are none.
    fn work_now(&mut self) {
        let Some(workspace) = &mut self.workspace else { return };
        loop {
            while behind::write_oldest(&self.shared, workspace) == Step::Done {}
            if behind::merge_once(&self.shared, workspace) != Step::Done {
                return;
            }
        }
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        self.shared.stop();
        for thread in self.threads.drain(..) {
            // A thread that has panicked has said so already.
            let _ = thread.join();
        }
    }
}

/// Why an index could not be opened, read or written.
#[derive(Debug)]
pub enum IndexFault {
    /// The disk has failed.
    Disk {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A block of a run is not as it was written.
    Damaged {
        /// The run's file.
        path: PathBuf,
        /// The block's number in the file; a block has 4096 bytes.
        block: u64,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The threads behind could not write what they should.
    Behind {
        /// Their fault and its cause, as text.
        reason: String,
    },
}

impl IndexFault {
    pub(crate) fn disk(action: &'static str, path: &Path, source: io::Error) -> IndexFault {
        IndexFault::Disk { action, path: path.to_path_buf(), source }
    }

    pub(crate) fn damaged(path: &Path, block: u64, reason: &'static str) -> IndexFault {
        IndexFault::Damaged { path: path.to_path_buf(), block, reason }
    }

    /// True when the files are at fault and not the disk.
    pub(crate) fn is_damage(&self) -> bool {
        match self {
            IndexFault::Damaged { .. } => true,
            IndexFault::Disk { source, .. } => {
                matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof)
            }
            IndexFault::Behind { .. } => false,
        }
    }

    /// The message with its cause.
    pub(crate) fn report(&self) -> String {
        match self {
            IndexFault::Disk { source, .. } => format!("{self}: {source}"),
            IndexFault::Damaged { .. } | IndexFault::Behind { .. } => self.to_string(),
        }
    }
}

impl fmt::Display for IndexFault {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IndexFault::Disk { action, path, .. } => write!(to, "could not {action} {}", path.display()),
            IndexFault::Damaged { path, block, reason } => write!(
                to,
                "block {block} of {} is damaged: {reason}. Stop the server and delete the folder {}; \
                 the next start rebuilds it from the journal.",
                path.display(),
                path.parent().unwrap_or(path).display()
            ),
            IndexFault::Behind { reason } => write!(to, "the index could not be written: {reason}"),
        }
    }
}

impl std::error::Error for IndexFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            IndexFault::Disk { source, .. } => Some(source),
            IndexFault::Damaged { .. } | IndexFault::Behind { .. } => None,
        }
    }
}
