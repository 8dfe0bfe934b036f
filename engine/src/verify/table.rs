//! Compares the table of rows with the rows that the journal makes, reading the file once from front to back.

use super::VerifyFault;
use crate::rows::FILE_NAME;
use crate::rows::bytes::{ROW_BYTES, decode, encode};
use journal::disk::{Access, Disk, File};
use ledger::row::Row;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Rows that are read at once.
const READ_ROWS: usize = 8_192;

/// The table, as far as it must be there.
pub struct Table {
    path: PathBuf,
    file: Option<Arc<dyn File>>,
    /// Rows before this number are there; later ones may be missing or half written.
    until: u64,
    /// Rows from `first` on, as the file has them.
    bytes: Vec<u8>,
    first: u64,
    read: usize,
    /// Rows that were compared.
    pub compared: u64,
}

impl Table {
    /// The table in a folder, of which a checkpoint says that it reaches up to row `until`. A table that is not there at all
    /// was deleted, and is made anew by the next start.
    pub fn open(disk: &dyn Disk, folder: &Path, until: u64) -> Result<Table, VerifyFault> {
        let path = folder.join(FILE_NAME);
        let file = match disk.open(&path, Access::Read) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(VerifyFault::Disk { path, source }),
        };
        Ok(Table { path, file, until, bytes: vec![0; READ_ROWS * ROW_BYTES], first: 0, read: 0, compared: 0 })
    }

    /// Compares a row; they come in order. What is wrong with it, if something is.
    pub fn compare(&mut self, row: &Row) -> Result<Option<String>, VerifyFault> {
        if row.number >= self.until || self.file.is_none() {
            return Ok(None);
        }
        let mut at = (row.number - self.first) as usize * ROW_BYTES;
        if at >= self.bytes.len() || self.read == 0 {
            self.load(row.number)?;
            at = 0;
        }
        self.compared += 1;
        if at + ROW_BYTES > self.read {
            // Told once: nothing behind the end can be compared.
            self.file = None;
            return Ok(Some(format!("{} ends before row {}", self.path.display(), row.number)));
        }
        let found: &[u8; ROW_BYTES] = self.bytes[at..at + ROW_BYTES].try_into().expect("the slice has this length");
        let mut wanted = [0; ROW_BYTES];
        encode(row, &mut wanted);
        if *found == wanted {
            return Ok(None);
        }
        Ok(Some(match decode(row.number, found) {
            None => format!("row {} is damaged", row.number),
            Some(other) => {
                format!("row {} is not what the journal says: it has another {}", row.number, differing(row, &other))
            }
        }))
    }

    fn load(&mut self, first: u64) -> Result<(), VerifyFault> {
        let Some(file) = &self.file else { return Ok(()) };
        let read = file.read_at(&mut self.bytes, first * ROW_BYTES as u64);
        self.read = read.map_err(|source| VerifyFault::Disk { path: self.path.clone(), source })?;
        self.first = first;
        Ok(())
    }
}

/// The names of the fields in which two rows differ.
fn differing(one: &Row, other: &Row) -> String {
    let fields = [
        ("id", one.id() != other.id()),
        ("created_at", one.created_at != other.created_at),
        ("effective_at", one.effective_at != other.effective_at),
        ("record", (one.record, one.movement) != (other.record, other.movement)),
        ("source", one.source != other.source),
        ("destination", one.destination != other.destination),
        ("currency", one.currency != other.currency),
        ("amount", one.amount != other.amount),
        ("precision", one.precision != other.precision),
        ("parent", one.parent != other.parent),
        ("status", one.status != other.status),
        ("flags", one.flags != other.flags),
        (
            "balance after it",
            (one.source_after, one.destination_after) != (other.source_after, other.destination_after),
        ),
        ("history", (one.source_links, one.destination_links) != (other.source_links, other.destination_links)),
    ];
    let names: Vec<&str> = fields.iter().filter(|(_, differs)| *differs).map(|(name, _)| *name).collect();
    if names.is_empty() { "unused byte".to_owned() } else { names.join(", ") }
}
