//! Rows that count at another moment than the one they were recorded at, in the order of either moment, with sums.
//!
//! Nearly every row counts when it was recorded; of those a balance at a moment is found by the links of its rows. This has
//! the others, so that they too cost a logarithmic number of reads, however many there are:
//!
//! ```text
//! push ─▶ fresh rows ─ full ─▶ chunks that wait ─ behind: sort, sum, write ─▶ runs ─ merged by tiers ─▶ fewer, larger runs
//! sums ◀────────────────────── of both, from memory ◀───────────────────────── and of each run, one block
//! ```
//!
//! - Each dated row gives each of its balances two entries: one under the moment it was recorded at, one under its business
//!   date. Entries are in order of balance, kind, moment, row; an entry holds the sums of its balance and kind up to it.
//! - In memory are at most [`WAITING_MAX`] chunks of [`crate::limits::DATED_CHUNK_ROWS`] rows, and the fences of the runs. When
//!   nothing is dated there is nothing, on disk neither.
//! - It is derived from the table of rows: what is not covered by the runs is read from there at the start, and all of it when
//!   the folder is missing, damaged or of another journal.
//! - A reader takes a [`View`], which does not change any more, and looks at no row that the view does not reach.

mod behind;
pub(crate) mod manifest;
pub(crate) mod run;
#[cfg(test)]
mod tests;

use crate::index::IndexFault;
use crate::rows::{Rows, RowsFault};
use journal::disk::Disk;
use ledger::event::NO_BALANCE;
use ledger::row::{Posted, Row, Status};
use manifest::Manifest;
use run::Run;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;

/// Chunks that make a run.
pub const CHUNKS_A_RUN: usize = 16;
/// Chunks that may wait for the disk; then publishing waits.
pub const WAITING_MAX: usize = 64;
/// Runs of about the same size that are merged into one.
pub const FAN_OUT: usize = 8;
/// Runs that there may be, each of which is an open file. What would be one more waits until some are merged.
pub const RUNS_MAX: usize = 128;
/// Entries that a row has at most.
const ENTRIES_A_ROW: usize = 4;

/// Whether a row counts at another moment than the one it was recorded at.
pub fn is_dated(row: &Row) -> bool {
    row.status == Status::Applied && row.effective_at != row.created_at && row.amount != 0
}

/// In which of the two orders.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// Of the moments of recording.
    Recorded = 0,
    /// Of the business dates.
    Effective = 1,
}

/// Where an entry stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Place {
    key: u64,
    at: i64,
    row: u64,
}

impl Place {
    fn new(handle: u32, kind: Kind, cut: Cut) -> Place {
        Place { key: u64::from(handle) << 1 | kind as u64, at: cut.at, row: cut.row }
    }
}

/// A place in the order of moments, then of rows. What comes before it are the rows that count earlier, and those of lower
/// number that count at the same moment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Cut {
    /// Microseconds since 1970.
    pub at: i64,
    /// The number of a row.
    pub row: u64,
}

impl Cut {
    /// Before everything of a moment.
    pub const fn before(at: i64) -> Cut {
        Cut { at, row: 0 }
    }

    /// After everything of a moment.
    pub const fn after(at: i64) -> Cut {
        Cut { at, row: u64::MAX }
    }
}

/// An entry, and the sums up to it, or those of its row alone while a run is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    place: Place,
    sums: Posted,
}

impl Entry {
    /// The same with the sums of its row alone, when this is the entry before it in its run.
    fn own(mut self, last: Option<Entry>) -> Entry {
        if let Some(last) = last.filter(|last| last.place.key == self.place.key) {
            self.sums.credit -= last.sums.credit;
            self.sums.debit -= last.sums.debit;
        }
        self
    }

    /// All that it says.
    pub(crate) fn parts(&self) -> (u64, i64, u64, i128, i128) {
        (self.place.key, self.place.at, self.place.row, self.sums.credit, self.sums.debit)
    }
}

/// The entries of a dated row, with its own sums.
pub(crate) fn entries_of(row: &Row, mut visit: impl FnMut(Entry)) {
    DatedRow::of(row).entries().for_each(&mut visit);
}

/// What is kept of a dated row.
#[derive(Clone, Copy, Debug)]
struct DatedRow {
    row: u64,
    created_at: i64,
    effective_at: i64,
    source: u32,
    destination: u32,
    amount: i128,
}

impl DatedRow {
    fn of(row: &Row) -> DatedRow {
        let Row { number, created_at, effective_at, source, destination, amount, .. } = *row;
        DatedRow { row: number, created_at, effective_at, source, destination, amount }
    }

    fn sums(&self, handle: u32) -> Posted {
        Posted {
            credit: if self.destination == handle { self.amount } else { 0 },
            debit: if self.source == handle { self.amount } else { 0 },
        }
    }

    fn entry(&self, handle: u32, kind: Kind) -> Entry {
        let at = if kind == Kind::Recorded { self.created_at } else { self.effective_at };
        Entry { place: Place::new(handle, kind, Cut { at, row: self.row }), sums: self.sums(handle) }
    }

    /// The entries of both balances; of one, when a balance pays itself.
    fn entries(&self) -> impl Iterator<Item = Entry> + use<'_> {
        let second = Some(self.destination).filter(|handle| *handle != self.source);
        [Some(self.source), second].into_iter().flatten().filter(|handle| *handle != NO_BALANCE).flat_map(
            move |handle| [Kind::Recorded, Kind::Effective].into_iter().map(move |kind| self.entry(handle, kind)),
        )
    }
}

/// How far rows reach: the number of the first that is not covered, and the nonce of the one before it, or 0.
pub(crate) type Mark = (u64, u64);

/// Dated rows that wait to be written, and how far they and all before them reach.
struct Chunk {
    rows: Vec<DatedRow>,
    /// The number of the row after them, and the nonce of the one before that.
    mark: Mark,
}

struct State {
    fresh: Vec<DatedRow>,
    /// Every row before this number was looked at; the nonce of the last of them.
    next: u64,
    nonce: u64,
    /// Full chunks, oldest first.
    waiting: Vec<Arc<Chunk>>,
    runs: Arc<Vec<Arc<Run>>>,
    /// What the runs cover, as in the manifest.
    covered: Mark,
    next_run: u64,
    /// A checkpoint wants all that waits to be written.
    asked: bool,
    /// Chunks that waited at the last attempt to write, which failed if there is a fault.
    tried: usize,
    fault: Option<String>,
    /// The runs are not of these rows.
    foreign: bool,
}

impl State {
    /// How many chunks are to be made a run now.
    fn due(&self) -> Option<usize> {
        let count = self.waiting.len();
        let again = self.fault.is_none() || count > self.tried;
        if self.asked && count > 0 {
            return Some(count);
        }
        (count >= CHUNKS_A_RUN && again).then_some(CHUNKS_A_RUN)
    }

    /// The number of the next run.
    fn number(&mut self) -> u64 {
        self.next_run += 1;
        self.next_run - 1
    }

    fn seal(&mut self) {
        let rows = std::mem::take(&mut self.fresh);
        self.waiting.push(Arc::new(Chunk { rows, mark: (self.next, self.nonce) }));
    }
}

/// Shared by all threads.
pub struct Dated {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    /// Dated rows of one chunk.
    chunk_rows: usize,
    state: Mutex<State>,
    changed: Condvar,
    stopping: AtomicBool,
    /// Whether there is a thread behind; without one the work is done where it comes up.
    threaded: AtomicBool,
}

impl Shared {
    /// The state, for a moment: nothing slow may happen under this lock, the writer's thread takes it.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }
}

impl Dated {
    /// Opens what is in a folder, for a table of rows. `any` says whether one of them is dated at all, as far as is known.
    pub(crate) fn open(
        disk: &Arc<dyn Disk>,
        folder: PathBuf,
        chunk_rows: usize,
        rows: &Rows,
        any: bool,
    ) -> Result<Dated, DatedFault> {
        disk.create_folder(&folder).map_err(|source| IndexFault::disk("create", &folder, source))?;
        let (covered, runs) = load(&**disk, &folder)?;
        let next_run = runs.iter().map(|run| run.number + 1).max().unwrap_or(1);
        let state = State {
            fresh: Vec::new(),
            next: covered.0,
            nonce: covered.1,
            waiting: Vec::new(),
            runs: Arc::new(runs),
            covered,
            next_run,
            asked: false,
            tried: 0,
            fault: None,
            foreign: false,
        };
        let (changed, stopping, threaded) = (Condvar::new(), AtomicBool::new(false), AtomicBool::new(false));
        let (disk, state) = (Arc::clone(disk), Mutex::new(state));
        let shared = Shared { disk, folder, chunk_rows, state, changed, stopping, threaded };
        let dated = Dated { shared: Arc::new(shared), thread: Mutex::new(None) };
        let last = rows.len().checked_sub(1).map(|number| rows.get(number)).transpose()?.flatten();
        let known = covered.0.checked_sub(1).filter(|number| *number < rows.len());
        let foreign = match known {
            Some(number) => rows.get(number)?.is_none_or(|row| row.nonce != covered.1),
            None => false,
        };
        if foreign {
            dated.empty()?;
        }
        if any {
            dated.catch_up(rows)?;
        } else if let Some(last) = last {
            let mut state = dated.shared.state();
            if state.next <= last.number {
                (state.next, state.nonce) = (last.number + 1, last.nonce);
            }
        }
        Ok(dated)
    }

    /// Takes the rows of the table that were not looked at yet.
    fn catch_up(&self, rows: &Rows) -> Result<(), DatedFault> {
        let mut walk = rows.walk();
        let from = self.shared.state().next;
        for number in from..rows.len() {
            if let Some(row) = walk.get(number)? {
                self.push(std::slice::from_ref(row));
            }
        }
        Ok(())
    }

    /// To be called when all rows that the journal gives are in the table and were pushed: makes sure that the runs are of
    /// these rows, and starts the thread behind.
    pub(crate) fn settle(&self, rows: &Rows) -> Result<(), DatedFault> {
        let foreign = {
            let state = self.shared.state();
            state.foreign || state.next > rows.len()
        };
        if foreign {
            self.empty()?;
            self.catch_up(rows)?;
        }
        if self.shared.disk.allows_threads() {
            let shared = Arc::clone(&self.shared);
            let thread = std::thread::Builder::new().name("dated".into()).spawn(move || behind::work(&shared));
            let fault = |source| IndexFault::disk("start a thread for", &self.shared.folder, source);
            *self.thread.lock().expect("no holder panics") = Some(thread.map_err(fault)?);
            self.shared.threaded.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Forgets everything. There is no thread yet.
    fn empty(&self) -> Result<(), IndexFault> {
        let mut state = self.shared.state();
        state.fresh.clear();
        state.waiting.clear();
        state.runs = Arc::default();
        (state.next, state.nonce, state.covered, state.foreign) = (0, 0, (0, 0), false);
        tidy(&*self.shared.disk, &self.shared.folder, &[], true)
    }

    /// Takes rows that follow. Waits when the disk is far behind.
    pub(crate) fn push(&self, rows: &[Row]) {
        let Some(last) = rows.last() else { return };
        let mut state = self.shared.state();
        for row in rows {
            if row.number < state.next {
                state.foreign |= row.number + 1 == state.next && row.nonce != state.nonce;
            } else if is_dated(row) {
                state.fresh.push(DatedRow::of(row));
                if state.fresh.len() >= self.shared.chunk_rows {
                    (state.next, state.nonce) = (row.number + 1, row.nonce);
                    state = self.sealed(state);
                }
            }
        }
        if last.number >= state.next {
            (state.next, state.nonce) = (last.number + 1, last.nonce);
        }
    }

    fn sealed<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.seal();
        if !self.shared.threaded.load(Ordering::Relaxed) {
            let full = state.waiting.len() > WAITING_MAX;
            drop(state);
            if full || !self.shared.disk.postpones() {
                behind::work_once(&self.shared);
            }
            return self.shared.state();
        }
        self.shared.changed.notify_all();
        while state.waiting.len() > WAITING_MAX && state.fault.is_none() {
            state = self.shared.changed.wait(state).expect("no holder panics");
        }
        state
    }

    /// Begins to write all that was pushed, however little it is, without waiting for the end of it.
    pub(crate) fn freeze(&self) {
        let mut state = self.shared.state();
        let nothing = state.fresh.is_empty() && state.waiting.is_empty();
        if nothing && (state.runs.is_empty() || state.covered.0 == state.next) {
            return;
        }
        state.seal();
        state.asked = true;
        drop(state);
        if self.shared.threaded.load(Ordering::Relaxed) {
            self.shared.changed.notify_all();
        } else if !self.shared.disk.postpones() {
            behind::work_once(&self.shared);
        }
    }

    /// Writes all that was pushed and waits for it, for a clean stop. What cannot be written is read from the rows next time.
    pub(crate) fn flush(&self) {
        self.freeze();
        if !self.shared.threaded.load(Ordering::Relaxed) {
            behind::work_once(&self.shared);
            return;
        }
        let mut state = self.shared.state();
        while state.asked {
            state = self.shared.changed.wait(state).expect("no holder panics");
        }
    }

    /// Why no more can be taken: the disk keeps failing and the memory for what waits is used up.
    pub(crate) fn full(&self) -> Option<String> {
        let state = self.shared.state();
        state.fault.clone().filter(|_| state.waiting.len() >= WAITING_MAX)
    }

    /// What is there now.
    pub fn view(&self) -> View {
        let state = self.shared.state();
        View {
            upto: state.next,
            fresh: state.fresh.clone(),
            waiting: state.waiting.clone(),
            runs: Arc::clone(&state.runs),
        }
    }
}

impl Drop for Dated {
    fn drop(&mut self) {
        let state = self.shared.state();
        self.shared.stopping.store(true, Ordering::Relaxed);
        drop(state);
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.lock().expect("no holder panics").take() {
            drop(thread.join());
        }
    }
}

/// What a manifest covers, and its runs; nothing, when it makes no sense.
fn load(disk: &dyn Disk, folder: &Path) -> Result<(Mark, Vec<Arc<Run>>), IndexFault> {
    let found = match Manifest::read(disk, folder)? {
        Some(manifest) => {
            let runs =
                manifest.runs.iter().map(|&(number, entries)| Run::open(disk, folder, number, entries).map(Arc::new));
            match runs.collect::<Result<Vec<_>, _>>() {
                Ok(runs) => Some(((manifest.covered, manifest.nonce), runs)),
                Err(fault) if fault.is_damage() => None,
                Err(fault) => return Err(fault),
            }
        }
        None => None,
    };
    let nothing = found.is_none();
    let (covered, runs) = found.unwrap_or_default();
    tidy(disk, folder, &runs, nothing)?;
    Ok((covered, runs))
}

/// What is on disk, for whoever checks it.
pub(crate) struct Offline {
    /// The number of the first row that is not covered, and the nonce of the one before it.
    pub covered: Mark,
    runs: Vec<Run>,
}

impl Offline {
    /// Opens what is in a folder; `None` when there is nothing.
    pub fn open(disk: &dyn Disk, folder: &Path) -> Result<Option<Offline>, IndexFault> {
        let path = folder.join(crate::index::manifest::NAME);
        if !disk.exists(&path).map_err(|source| IndexFault::disk("look for", &path, source))? {
            return Ok(None);
        }
        let damaged = || IndexFault::damaged(&path, 0, "it is no manifest of dated rows");
        let manifest = Manifest::read(disk, folder)?.ok_or_else(damaged)?;
        let runs = manifest.runs.iter().map(|&(number, entries)| Run::open(disk, folder, number, entries));
        let runs = runs.collect::<Result<Vec<_>, _>>()?;
        Ok(Some(Offline { covered: (manifest.covered, manifest.nonce), runs }))
    }

    /// Calls `visit` with every entry, with the sums of its own row.
    pub fn visit(&self, mut visit: impl FnMut(Entry)) -> Result<(), IndexFault> {
        for run in &self.runs {
            let (mut scan, mut last) = (run.scan(), None::<Entry>);
            while let Some(entry) = scan.peek()? {
                visit(entry.own(last));
                last = Some(entry);
                scan.advance();
            }
        }
        Ok(())
    }
}

/// Removes the files that no run needs, and the manifest if all of it is to go.
fn tidy(disk: &dyn Disk, folder: &Path, runs: &[Arc<Run>], all: bool) -> Result<(), IndexFault> {
    let fault = |source| IndexFault::disk("tidy", folder, source);
    let kept: Vec<PathBuf> = runs.iter().map(|run| run::file_path(folder, run.number)).collect();
    for name in disk.list(folder).map_err(fault)? {
        let path = folder.join(&name);
        if (all || name != crate::index::manifest::NAME) && !kept.contains(&path) {
            match disk.remove(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => return Err(fault(source)),
                _ => {}
            }
        }
    }
    Ok(())
}

/// The dated rows of one moment. Later ones are not in it.
pub struct View {
    /// The number of the first row that it does not know.
    pub upto: u64,
    fresh: Vec<DatedRow>,
    waiting: Vec<Arc<Chunk>>,
    runs: Arc<Vec<Arc<Run>>>,
}

impl View {
    /// The dated rows of one balance.
    pub fn of(&self, handle: u32) -> DatedOf {
        let tail = self.waiting.iter().flat_map(|chunk| &chunk.rows).chain(&self.fresh);
        let rows: Vec<&DatedRow> = tail.filter(|row| row.source == handle || row.destination == handle).collect();
        let [recorded, effective] = [Kind::Recorded, Kind::Effective].map(|kind| {
            let mut entries: Vec<Entry> = rows.iter().map(|row| row.entry(handle, kind)).collect();
            entries.sort_unstable_by_key(|entry| entry.place);
            let mut sums = Posted::default();
            for entry in &mut entries {
                sums.credit += entry.sums.credit;
                sums.debit += entry.sums.debit;
                entry.sums = sums;
            }
            entries
        });
        DatedOf { handle, recorded, effective, runs: Arc::clone(&self.runs) }
    }
}

/// The dated rows of one balance at one moment.
pub struct DatedOf {
    handle: u32,
    /// Those that are in no run, with sums.
    recorded: Vec<Entry>,
    effective: Vec<Entry>,
    runs: Arc<Vec<Arc<Run>>>,
}

impl DatedOf {
    /// What was recorded before a cut.
    pub fn recorded(&self, cut: Cut) -> Result<Posted, DatedFault> {
        self.sums(Kind::Recorded, &self.recorded, cut)
    }

    /// What counts before a cut.
    pub fn effective(&self, cut: Cut) -> Result<Posted, DatedFault> {
        self.sums(Kind::Effective, &self.effective, cut)
    }

    fn sums(&self, kind: Kind, tail: &[Entry], cut: Cut) -> Result<Posted, DatedFault> {
        let place = Place::new(self.handle, kind, cut);
        let below = tail.partition_point(|entry| entry.place < place);
        let mut sums = below.checked_sub(1).map_or(Posted::default(), |index| tail[index].sums);
        for run in self.runs.iter() {
            let more = run.before(place)?;
            sums.credit += more.credit;
            sums.debit += more.debit;
        }
        Ok(sums)
    }

    /// Rows that count from one cut on and before another, in order: the first `most` of them.
    pub fn list(&self, from: Cut, end: Cut, most: usize) -> Result<Vec<Cut>, DatedFault> {
        let (from, end) =
            (Place::new(self.handle, Kind::Effective, from), Place::new(self.handle, Kind::Effective, end));
        let first = self.effective.partition_point(|entry| entry.place < from);
        let tail = self.effective[first..].iter().map(|entry| entry.place).take_while(|place| *place < end);
        let mut found: Vec<Place> = tail.take(most).collect();
        for run in self.runs.iter() {
            run.list(from, end, most, &mut found)?;
        }
        found.sort_unstable();
        found.truncate(most);
        Ok(found.into_iter().map(|place| Cut { at: place.at, row: place.row }).collect())
    }
}

/// Why dated rows could not be had.
#[derive(Debug)]
pub enum DatedFault {
    /// A file of theirs failed or is damaged.
    Files(IndexFault),
    /// The rows that they are made from could not be read.
    Rows(RowsFault),
}

impl From<IndexFault> for DatedFault {
    fn from(fault: IndexFault) -> DatedFault {
        DatedFault::Files(fault)
    }
}

impl From<RowsFault> for DatedFault {
    fn from(fault: RowsFault) -> DatedFault {
        DatedFault::Rows(fault)
    }
}
