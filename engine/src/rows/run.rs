//! Rows that follow each other, many at once, for whoever goes through all of them.

use super::bytes::{ROW_BYTES, decode};
use super::{CHUNK_ROWS, Rows, RowsFault};
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
                let rows = memory.open.get(at as usize..).unwrap_or_default();
                return Ok(Run::Own(rows[..rows.len().min(OPEN_ROWS)].to_vec()));
            }
            let chunks_back = (memory.open_first - from).div_ceil(CHUNK_ROWS as u64) as usize;
            if let Some(index) = memory.sealed.len().checked_sub(chunks_back) {
                return Ok(Run::Shared(Arc::clone(&memory.sealed[index]), (from % CHUNK_ROWS as u64) as usize));
            }
        }
        // Rows of chunks that are not in memory any more are in the file, and never change there.
        let count = FILE_ROWS - from as usize % FILE_ROWS;
        let mut bytes = vec![0; count * ROW_BYTES];
        let shared = &self.shared;
        let read = shared.reading.read_at(&mut bytes, from * ROW_BYTES as u64);
        let read = read.map_err(|source| RowsFault::Disk { path: shared.path.clone(), source })?;
        let damaged = |row| RowsFault::Damaged { path: shared.path.clone(), row };
        let mut rows = Vec::with_capacity(count);
        for (number, bytes) in (from..).zip(bytes[..read].chunks_exact(ROW_BYTES)) {
            let bytes = bytes.try_into().expect("the slice has this length");
            rows.push(decode(number, bytes).ok_or_else(|| damaged(number))?);
        }
        if rows.len() == count { Ok(Run::Own(rows)) } else { Err(damaged(from + rows.len() as u64)) }
    }
}

const _: () = assert!(CHUNK_ROWS.is_multiple_of(FILE_ROWS), "what is read of the file at once is in one chunk");
