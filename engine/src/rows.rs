//! The table of rows: fixed width, append-only, derived from the journal.
//!
//! The newest rows are in memory; older ones are in `rows.tbl`, written a chunk at a time by a thread behind. Rows are
//! pushed when their record is durable, so whoever reads a row reads what is true.
//!
//! ```text
//! push ─▶ open chunk ─ full ─▶ sealed chunks ─ behind ─▶ rows.tbl
//! get  ◀── memory, if it is there ◀───────────────────── or the file, with its checksum
//! ```

pub(crate) mod bytes;
pub mod run;
pub mod walk;

use bytes::{ROW_BYTES, decode, encode};
use journal::block::{AlignedBytes, BLOCK_BYTES};
use journal::disk::{Access, Disk, File};
use ledger::row::Row;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, RwLock};
use std::thread::JoinHandle;

/// Rows of one chunk.
const CHUNK_ROWS: usize = 16_384;
/// Sealed chunks that stay in memory after they were written: recent rows are read most.
const CHUNKS_KEPT: usize = 6;
/// Sealed chunks that may wait for the disk; then pushing waits.
const CHUNKS_WAITING_MAX: usize = 48;
const CHUNK_BYTES: usize = CHUNK_ROWS * ROW_BYTES;
pub(crate) const FILE_NAME: &str = "rows.tbl";

const _: () = assert!((CHUNK_ROWS * ROW_BYTES).is_multiple_of(BLOCK_BYTES), "a chunk is a whole number of blocks");

/// Why a row could not be had.
#[derive(Debug)]
pub enum RowsFault {
    /// The disk failed.
    Disk {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What is in the file is no row.
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Which row.
        row: u64,
    },
}

impl fmt::Display for RowsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RowsFault::Disk { path, .. } => write!(f, "cannot read or write {}", path.display()),
            RowsFault::Damaged { path, row } => write!(
                f,
                "row {row} in {} is damaged; stop the server and run `florin rebuild`, which makes it anew from the journal",
                path.display()
            ),
        }
    }
}

impl std::error::Error for RowsFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            RowsFault::Disk { source, .. } => Some(source),
            RowsFault::Damaged { .. } => None,
        }
    }
}

/// The table. Shared by all threads.
pub struct Rows {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    memory: RwLock<Memory>,
    behind: Mutex<Behind>,
    /// Held while the file is written: a part of a chunk is never written after the whole of it.
    file: Mutex<()>,
    changed: Condvar,
    reading: Arc<dyn File>,
    writing: Arc<dyn File>,
    path: PathBuf,
}

/// What is in memory.
struct Memory {
    open: Vec<Row>,
    /// The number of the first row of `open`.
    open_first: u64,
    /// Full chunks, oldest first; the newest ends where `open` begins.
    sealed: VecDeque<Arc<Vec<Row>>>,
}

impl Memory {
    /// The full chunk of a row before the open one, if it is in memory.
    fn sealed(&self, number: u64) -> Option<&Arc<Vec<Row>>> {
        let chunks_back = (self.open_first - number).div_ceil(CHUNK_ROWS as u64) as usize;
        self.sealed.get(self.sealed.len().checked_sub(chunks_back)?)
    }
}

/// What the thread behind has to do.
struct Behind {
    waiting: VecDeque<(u64, Arc<Vec<Row>>)>,
    /// Every row before this number is durable in the file.
    written: u64,
    spare: Vec<Vec<Row>>,
    failed: Option<String>,
    stopping: bool,
}

impl Rows {
    /// Opens the table of a folder as it was when it had `rows_count` rows; later ones are forgotten, to be pushed again.
    ///
    /// `None` when the file does not have that many good rows: then it is to be opened with none, and all are to be pushed.
    pub fn open(disk: &dyn Disk, folder: &Path, rows_count: u64) -> Result<Option<Rows>, RowsFault> {
        let path = folder.join(FILE_NAME);
        let fault = |source| RowsFault::Disk { path: path.clone(), source };
        disk.create_folder(folder).map_err(fault)?;
        let created = disk.open(&path, Access::Create).map_err(fault)?;
        if created.len().map_err(fault)? < rows_count * ROW_BYTES as u64 {
            return Ok(None);
        }
        let writing = disk.open(&path, Access::Direct).map_err(fault)?;
        let reading = disk.open(&path, Access::Read).map_err(fault)?;
        let open_first = rows_count - rows_count % CHUNK_ROWS as u64;
        let mut open = Vec::with_capacity(CHUNK_ROWS);
        for number in open_first..rows_count {
            match read_row(&*reading, &path, number) {
                Ok(row) => open.push(row),
                Err(RowsFault::Damaged { .. }) => return Ok(None),
                Err(fault) => return Err(fault),
            }
        }
        let behind =
            Behind { waiting: VecDeque::new(), written: rows_count, spare: Vec::new(), failed: None, stopping: false };
        let shared = Arc::new(Shared {
            memory: RwLock::new(Memory { open, open_first, sealed: VecDeque::new() }),
            behind: Mutex::new(behind),
            file: Mutex::new(()),
            changed: Condvar::new(),
            reading,
            writing,
            path,
        });
        let thread = disk.allows_threads().then(|| {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new()
                .name("rows".into())
                .spawn(move || {
                    crate::priority::lower(crate::priority::FOLLOWER);
                    write_behind(&shared);
                })
                .expect("threads can be made")
        });
        Ok(Some(Rows { shared, thread }))
    }

    /// How many rows there are.
    pub fn len(&self) -> u64 {
        let memory = self.shared.memory.read().expect("no reader panics");
        memory.open_first + memory.open.len() as u64
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds rows whose numbers follow. Waits when the disk is far behind.
    pub fn push(&self, mut rows: &[Row]) {
        while !rows.is_empty() {
            let mut memory = self.shared.memory.write().expect("no reader panics");
            let next = memory.open_first + memory.open.len() as u64;
            assert_eq!(rows[0].number, next, "rows are pushed in order");
            let room = CHUNK_ROWS - memory.open.len();
            let (now, later) = rows.split_at(room.min(rows.len()));
            memory.open.extend_from_slice(now);
            rows = later;
            if memory.open.len() == CHUNK_ROWS {
                self.seal(&mut memory);
            }
        }
    }

    fn seal(&self, memory: &mut Memory) {
        let mut behind = self.shared.behind();
        let open = behind.spare.pop().unwrap_or_else(|| Vec::with_capacity(CHUNK_ROWS));
        let full = Arc::new(std::mem::replace(&mut memory.open, open));
        let first = memory.open_first;
        memory.open_first += CHUNK_ROWS as u64;
        memory.sealed.push_back(Arc::clone(&full));
        behind.waiting.push_back((first, full));
        self.shared.changed.notify_all();
        if self.thread.is_none() {
            drop(behind);
            self.shared.write_waiting(&mut AlignedBytes::new(CHUNK_BYTES));
            behind = self.shared.behind();
        }
        while behind.waiting.len() > CHUNKS_WAITING_MAX && behind.failed.is_none() {
            behind = self.shared.changed.wait(behind).expect("no holder panics");
        }
        let unwritten = behind.waiting.len();
        while memory.sealed.len() > unwritten + CHUNKS_KEPT {
            let old = memory.sealed.pop_front().expect("there are more than are kept");
            if let Ok(mut vector) = Arc::try_unwrap(old) {
                vector.clear();
                behind.spare.push(vector);
            }
        }
    }

    /// Rows before this number are in the file, and never change there.
    pub(crate) fn written(&self) -> u64 {
        self.shared.behind().written
    }

    /// One row, or `None` past the end.
    pub fn get(&self, number: u64) -> Result<Option<Row>, RowsFault> {
        {
            let memory = self.shared.memory.read().expect("no reader panics");
            if let Some(at) = number.checked_sub(memory.open_first) {
                return Ok(memory.open.get(at as usize).copied());
            }
            if let Some(chunk) = memory.sealed(number) {
                return Ok(Some(chunk[(number % CHUNK_ROWS as u64) as usize]));
            }
        }
        read_row(&*self.shared.reading, &self.shared.path, number).map(Some)
    }

    /// Says that these rows will be read soon: those that are only in the file are fetched at the same time.
    pub fn will_read(&self, numbers: impl Iterator<Item = u64>) {
        let in_memory = {
            let memory = self.shared.memory.read().expect("no reader panics");
            memory.open_first - (memory.sealed.len() * CHUNK_ROWS) as u64
        };
        for number in numbers.filter(|number| *number < in_memory) {
            self.shared.reading.will_read(number * ROW_BYTES as u64, ROW_BYTES as u64);
        }
    }

    /// Writes the rows before a number that are still only in memory, so that a checkpoint may rely on them.
    pub fn make_durable(&self, before: u64) -> Result<(), RowsFault> {
        let fault = |source| RowsFault::Disk { path: self.shared.path.clone(), source };
        let (partial, first) = {
            let memory = self.shared.memory.read().expect("no reader panics");
            let count = before.saturating_sub(memory.open_first).min(memory.open.len() as u64);
            (memory.open[..count as usize].to_vec(), memory.open_first)
        };
        let mut behind = self.shared.behind();
        while behind.written < before.min(first) && behind.failed.is_none() {
            behind = self.shared.changed.wait(behind).expect("no holder panics");
        }
        if let Some(failed) = &behind.failed {
            return Err(fault(io::Error::other(failed.clone())));
        }
        drop(behind);
        let _file = self.shared.file.lock().expect("no holder panics");
        if !partial.is_empty() && self.shared.behind().written < before {
            let mut buffer = AlignedBytes::new(CHUNK_BYTES);
            if let Err(source) = write_rows(&*self.shared.writing, first, &partial, &mut buffer) {
                // What is in the file now is not known: a second attempt could succeed and be undone by what is left of the
                // first. The next start reads the rows, or makes them anew.
                self.shared.behind().failed = Some(format!("cannot write {}: {source}", self.shared.path.display()));
                return Err(fault(source));
            }
        }
        Ok(())
    }

    /// Why rows can no longer be written; they are then kept in memory only up to a bound.
    pub fn failed(&self) -> Option<String> {
        self.shared.behind().failed.clone()
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        self.shared.behind().stopping = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl Shared {
    fn behind(&self) -> MutexGuard<'_, Behind> {
        self.behind.lock().expect("no holder panics")
    }

    fn write_waiting(&self, buffer: &mut AlignedBytes) {
        loop {
            let Some((first, chunk)) = self.behind().waiting.front().cloned() else { return };
            let file = self.file.lock().expect("no holder panics");
            let written = write_rows(&*self.writing, first, &chunk, buffer);
            drop(chunk);
            let mut behind = self.behind();
            match written {
                Ok(()) => {
                    behind.waiting.pop_front();
                    behind.written = behind.written.max(first + CHUNK_ROWS as u64);
                }
                Err(source) => {
                    behind.failed = Some(format!("cannot write {}: {source}", self.path.display()));
                    drop(behind);
                    self.changed.notify_all();
                    return;
                }
            }
            drop((behind, file));
            self.changed.notify_all();
        }
    }
}

fn write_behind(shared: &Shared) {
    let mut buffer = AlignedBytes::new(CHUNK_BYTES);
    loop {
        shared.write_waiting(&mut buffer);
        let mut behind = shared.behind();
        while behind.waiting.is_empty() || behind.failed.is_some() {
            if behind.stopping {
                return;
            }
            behind = shared.changed.wait(behind).expect("no holder panics");
        }
    }
}

/// Writes rows from a number that begins a chunk, durably. The buffer holds a chunk.
fn write_rows(file: &dyn File, first: u64, rows: &[Row], buffer: &mut AlignedBytes) -> io::Result<()> {
    let bytes = rows.len() * ROW_BYTES;
    let blocks = bytes.next_multiple_of(BLOCK_BYTES);
    for (row, bytes) in rows.iter().zip(buffer.chunks_exact_mut(ROW_BYTES)) {
        encode(row, bytes);
    }
    buffer[bytes..blocks].fill(0);
    file.write_at(&buffer[..blocks], first * ROW_BYTES as u64)?;
    if file.is_direct() { Ok(()) } else { file.sync() }
}

fn read_row(file: &dyn File, path: &Path, number: u64) -> Result<Row, RowsFault> {
    let mut bytes = [0; ROW_BYTES];
    let read = file
        .read_at(&mut bytes, number * ROW_BYTES as u64)
        .map_err(|source| RowsFault::Disk { path: path.to_owned(), source })?;
    let row = if read == ROW_BYTES { decode(number, &bytes) } else { None };
    row.ok_or_else(|| RowsFault::Damaged { path: path.to_owned(), row: number })
}

#[cfg(test)]
mod tests;
