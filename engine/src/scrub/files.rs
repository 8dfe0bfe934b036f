//! Reads one file of each derived kind with its checksums.

use crate::dated;
use crate::index;
use crate::merkle::{self, table::NODE_BYTES};
use crate::monitors::table::{self, ALERT_BYTES};
use crate::rows::bytes::{self, ROW_BYTES};
use journal::block::AlignedBytes;
use journal::disk::Disk;
use journal::sealed::{self, Pace};
use std::io;
use std::path::Path;

/// Bytes of one read: whole blocks, whole rows, whole alerts and whole nodes.
const PIECE_BYTES: usize = 180 << 10;
const _: () = assert!(PIECE_BYTES.is_multiple_of(4096) && PIECE_BYTES.is_multiple_of(ROW_BYTES));
const _: () = assert!(PIECE_BYTES.is_multiple_of(ALERT_BYTES) && PIECE_BYTES.is_multiple_of(NODE_BYTES));

/// What is wrong with a file.
#[derive(Debug)]
pub enum FileFault {
    /// It is not there.
    Gone,
    /// It is not as it was written.
    Damaged {
        /// Where.
        offset: u64,
        /// What is wrong there.
        problem: String,
    },
    /// The disk refused.
    Disk(io::Error),
    /// Scrubbing is to stop.
    Stopped,
}

impl FileFault {
    fn damaged(offset: u64, problem: &str) -> FileFault {
        FileFault::Damaged { offset, problem: problem.to_owned() }
    }

    fn of_disk(offset: u64, error: io::Error) -> FileFault {
        match error.kind() {
            io::ErrorKind::NotFound => FileFault::Gone,
            _ if sealed::is_unreadable(&error) => FileFault::damaged(offset, "the disk cannot read it"),
            _ => FileFault::Disk(error),
        }
    }
}

/// Takes so many bytes of a file from its beginning, piece by piece, each with the offset that it begins at.
fn stream(
    disk: &dyn Disk,
    path: &Path,
    until: u64,
    pace: Pace<'_>,
    mut take: impl FnMut(u64, &[u8]) -> Result<(), FileFault>,
) -> Result<(), FileFault> {
    let file = sealed::open_past_cache(disk, path).map_err(|error| FileFault::of_disk(0, error))?;
    let length = file.len().map_err(|error| FileFault::of_disk(0, error))?;
    let mut bytes = AlignedBytes::new(PIECE_BYTES);
    let mut at = 0;
    while at < until.min(length) {
        let wanted = (until - at).min(PIECE_BYTES as u64) as usize;
        if !pace(wanted as u64) {
            return Err(FileFault::Stopped);
        }
        let count = file.read_at(&mut bytes, at).map_err(|error| FileFault::of_disk(at, error))?.min(wanted);
        if count == 0 {
            break;
        }
        take(at, &bytes[..count])?;
        at += count as u64;
    }
    if at < until { Err(FileFault::damaged(at, "the file ends too early")) } else { Ok(()) }
}

/// How many bytes a file has.
pub fn length(disk: &dyn Disk, path: &Path) -> Result<u64, FileFault> {
    let file = disk.open(path, journal::disk::Access::Read).map_err(|error| FileFault::of_disk(0, error))?;
    file.len().map_err(|error| FileFault::of_disk(0, error))
}

/// Rows up to a number.
pub fn rows(disk: &dyn Disk, path: &Path, until: u64, pace: Pace<'_>) -> Result<(), FileFault> {
    stream(disk, path, until * ROW_BYTES as u64, pace, |at, piece| {
        for (number, row) in (at / ROW_BYTES as u64..).zip(piece.chunks_exact(ROW_BYTES)) {
            if bytes::decode(number, row.try_into().expect("a row has this length")).is_none() {
                return Err(FileFault::damaged(number * ROW_BYTES as u64, "the checksum of a row is wrong"));
            }
        }
        Ok(())
    })
}

/// Alerts up to a number.
pub fn alerts(disk: &dyn Disk, path: &Path, until: u64, pace: Pace<'_>) -> Result<(), FileFault> {
    stream(disk, path, until * ALERT_BYTES as u64, pace, |at, piece| {
        for (number, alert) in (at / ALERT_BYTES as u64..).zip(piece.chunks_exact(ALERT_BYTES)) {
            if !table::is_whole(number, alert) {
                return Err(FileFault::damaged(number * ALERT_BYTES as u64, "the checksum of an alert is wrong"));
            }
        }
        Ok(())
    })
}

/// Nodes of the Merkle log up to a place.
pub fn nodes(disk: &dyn Disk, path: &Path, until: u64, pace: Pace<'_>) -> Result<(), FileFault> {
    stream(disk, path, until * NODE_BYTES as u64, pace, |at, piece| {
        for (place, node) in (at / NODE_BYTES as u64..).zip(piece.chunks_exact(NODE_BYTES)) {
            if merkle::table::decode(place, node).is_none() {
                return Err(FileFault::damaged(place * NODE_BYTES as u64, "the checksum of a node is wrong"));
            }
        }
        Ok(())
    })
}

/// A run of an index.
pub fn index_run(disk: &dyn Disk, path: &Path, run: u64, pairs: u64, pace: Pace<'_>) -> Result<(), FileFault> {
    let layout = index::run::Layout::new(pairs);
    blocks(disk, path, layout.bytes(), pace, |number, block| index::run::fault_of(block, &layout, run, number))
}

/// A run of dated rows.
pub fn dated_run(disk: &dyn Disk, path: &Path, run: u64, entries: u64, pace: Pace<'_>) -> Result<(), FileFault> {
    let (data, fences) = dated::run::blocks_of(entries);
    let until = (data + fences) * dated::run::BLOCK_BYTES as u64;
    blocks(disk, path, until, pace, |number, block| {
        (!dated::run::is_whole(block, run, number)).then_some("its checksum is wrong")
    })
}

fn blocks(
    disk: &dyn Disk,
    path: &Path,
    until: u64,
    pace: Pace<'_>,
    fault_of: impl Fn(u64, &[u8]) -> Option<&'static str>,
) -> Result<(), FileFault> {
    const BLOCK: usize = index::run::BLOCK_BYTES;
    if length(disk, path)? != until {
        return Err(FileFault::damaged(0, "the file has not the size that the manifest says"));
    }
    stream(disk, path, until, pace, |at, piece| {
        for (number, block) in (at / BLOCK as u64..).zip(piece.chunks_exact(BLOCK)) {
            if let Some(problem) = fault_of(number, block) {
                return Err(FileFault::damaged(number * BLOCK as u64, problem));
            }
        }
        Ok(())
    })
}

/// A file that ends with a checksum of all before it, such as a checkpoint.
pub fn summed(disk: &dyn Disk, path: &Path, pace: Pace<'_>) -> Result<(), FileFault> {
    let length = length(disk, path)?;
    let content = length.saturating_sub(4);
    let mut hasher = crc32fast::Hasher::new();
    let mut stored = Vec::new();
    stream(disk, path, length, pace, |at, piece| {
        let inside = (content.saturating_sub(at)).min(piece.len() as u64) as usize;
        hasher.update(&piece[..inside]);
        stored.extend_from_slice(&piece[inside..]);
        Ok(())
    })?;
    if length > 4 && stored == hasher.finalize().to_le_bytes() {
        Ok(())
    } else {
        Err(FileFault::damaged(0, "its checksum is wrong"))
    }
}
