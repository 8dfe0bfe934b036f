//! Rows that follow each other, many at once, for whoever goes through all of them.

use super::bytes::{ROW_BYTES, decode};
use super::{CHUNK_ROWS, Memory, Rows, RowsFault};
use ledger::row::Row;
use std::sync::Arc;

/// Rows of the open chunk that are copied at once: pushing waits meanwhile.
const OPEN_ROWS: usize = 128;
/// Rows of the file that are read at once.
const FILE_ROWS: usize = 1_024;

/// Rows that follow each other.
pub enum Run {
    /// Those of a chunk in memory, from an index on.
    Shared(Arc<Vec<Row>>, usize),
    /// Copies.
    Own(Vec<Row>),
}

impl Run {
    /// The rows.
    pub fn rows(&self) -> &[Row] {
        match self {
            Run::Shared(chunk, from) => &chunk[*from..],
            Run::Own(rows) => rows,
        }
    }
}

/// How many of the first so many rows are in full chunks.
pub const fn sealed_before(rows_count: u64) -> u64 {
    rows_count - rows_count % CHUNK_ROWS as u64
}

impl Rows {
    /// Some rows from a number on, at least one unless there is none.
    pub fn run(&self, from: u64) -> Result<Run, RowsFault> {
        {
            let memory = self.shared.memory.read().expect("no reader panics");
            if let Some(at) = from.checked_sub(memory.open_first) {
                return Ok(Run::Own(memory.copy_open(at as usize)));
            }
            if let Some(chunk) = memory.sealed(from) {
                return Ok(Run::Shared(Arc::clone(chunk), (from % CHUNK_ROWS as u64) as usize));
            }
        }
        let mut rows = Vec::with_capacity(FILE_ROWS);
        self.read_run(from, &mut Vec::new(), &mut rows)?;
        Ok(Run::Own(rows))
    }

    /// Some rows before and after a number, and this one unless it is past the end. Answers the number of the first. What was in
    /// `run` is no more; its memory, and that of `bytes`, is used again.
    pub(super) fn run_around(&self, number: u64, bytes: &mut Vec<u8>, run: &mut Run) -> Result<u64, RowsFault> {
        {
            let memory = self.shared.memory.read().expect("no reader panics");
            if let Some(at) = number.checked_sub(memory.open_first) {
                let at = at as usize / OPEN_ROWS * OPEN_ROWS;
                *run = Run::Own(memory.copy_open(at));
                return Ok(memory.open_first + at as u64);
            }
            if let Some(chunk) = memory.sealed(number) {
                *run = Run::Shared(Arc::clone(chunk), 0);
                return Ok(sealed_before(number));
            }
        }
        let first = number - number % FILE_ROWS as u64;
        let mut rows = match std::mem::replace(run, Run::Own(Vec::new())) {
            Run::Own(rows) => rows,
            Run::Shared(..) => Vec::with_capacity(FILE_ROWS),
        };
        rows.clear();
        self.read_run(first, bytes, &mut rows)?;
        *run = Run::Own(rows);
        Ok(first)
    }

    /// Reads rows of the file from a number on, to the end of those that are read at once. Rows of chunks that are not in memory
    /// any more are in the file, and never change there.
    fn read_run(&self, from: u64, bytes: &mut Vec<u8>, rows: &mut Vec<Row>) -> Result<(), RowsFault> {
        let count = FILE_ROWS - from as usize % FILE_ROWS;
        bytes.resize(count * ROW_BYTES, 0);
        let shared = &self.shared;
        let read = shared.reading.read_at(bytes, from * ROW_BYTES as u64);
        let read = read.map_err(|source| RowsFault::Disk { path: shared.path.clone(), source })?;
        let damaged = |row| RowsFault::Damaged { path: shared.path.clone(), row };
        for (number, bytes) in (from..).zip(bytes[..read].chunks_exact(ROW_BYTES)) {
            let bytes = bytes.try_into().expect("the slice has this length");
            rows.push(decode(number, bytes).ok_or_else(|| damaged(number))?);
        }
        if rows.len() == count { Ok(()) } else { Err(damaged(from + rows.len() as u64)) }
    }
}

impl Memory {
    /// Some rows of the open chunk, from an index on.
    fn copy_open(&self, at: usize) -> Vec<Row> {
        let rows = self.open.get(at..).unwrap_or_default();
        rows[..rows.len().min(OPEN_ROWS)].to_vec()
    }
}

const _: () = assert!(CHUNK_ROWS.is_multiple_of(FILE_ROWS), "what is read of the file at once is in one chunk");
const _: () =
    assert!(CHUNK_ROWS.is_multiple_of(OPEN_ROWS), "what is copied of the open chunk at once begins at a multiple");
