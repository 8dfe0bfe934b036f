//! A run of dated rows: an immutable file of entries in order, with sums.
//!
//! ```text
//! data blocks    73 entries of 56 bytes each: key, time, row, credits, debits
//! fence blocks   170 fences of 24 bytes each: key, time, row of the first entry of every data block
//! ```
//!
//! Every block has 4096 bytes: 4088 of content, the number of entries or fences in it (4 bytes), and a CRC-32 (4) over the
//! run's number, the block's number and all of the block before the checksum. Numbers are little-endian; credits and debits
//! have 16 bytes. The number of entries, which the manifest holds, gives the number of blocks of each kind.
//!
//! The sums of an entry are those of all entries of its key up to it, itself included, in this run. In memory a run keeps its
//! fences: 24 bytes for 73 entries.

use super::{Entry, Place};
use crate::index::IndexFault;
use journal::disk::{Access, Disk, File};
use ledger::row::Posted;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of a block.
pub const BLOCK_BYTES: usize = 4096;
const CONTENT_BYTES: usize = BLOCK_BYTES - 8;
const ENTRY_BYTES: usize = 56;
const FENCE_BYTES: usize = 24;
/// Entries of a full data block.
pub const BLOCK_ENTRIES: usize = CONTENT_BYTES / ENTRY_BYTES;
const BLOCK_FENCES: usize = CONTENT_BYTES / FENCE_BYTES;
/// Blocks that are written, or read ahead, at once.
const BLOCKS_AT_ONCE: usize = 64;

/// The file of a run.
pub fn file_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:016x}.run"))
}

/// An open run.
pub struct Run {
    /// Names the file.
    pub number: u64,
    /// How many entries there are; at least one.
    pub entries: u64,
    path: PathBuf,
    file: Arc<dyn File>,
    fences: Vec<Place>,
}

impl Run {
    /// Opens a run that a manifest names, and reads its fences.
    pub fn open(disk: &dyn Disk, folder: &Path, number: u64, entries: u64) -> Result<Run, IndexFault> {
        let path = file_path(folder, number);
        let file = disk.open(&path, Access::Read).map_err(|source| IndexFault::disk("open", &path, source))?;
        let bytes = file.len().map_err(|source| IndexFault::disk("measure", &path, source))?;
        let (data, fences) = blocks_of(entries);
        if entries == 0 || Some(bytes) != (data + fences).checked_mul(BLOCK_BYTES as u64) {
            return Err(IndexFault::damaged(&path, 0, "the file has not the size that the manifest says"));
        }
        let mut run = Run { number, entries, path, file, fences: Vec::with_capacity(data as usize) };
        for block in data..data + fences {
            let (content, count) = run.read(block, FENCE_BYTES)?;
            let fences = content[..count * FENCE_BYTES].chunks_exact(FENCE_BYTES).map(place_of);
            run.fences.extend(fences);
        }
        if run.fences.len() as u64 != data {
            return Err(IndexFault::damaged(&run.path, data, "there are not as many fences as blocks"));
        }
        Ok(run)
    }

    /// What a block holds, checked, and how many things of `size` bytes.
    fn read(&self, block: u64, size: usize) -> Result<([u8; CONTENT_BYTES], usize), IndexFault> {
        let mut bytes = [0; BLOCK_BYTES];
        let read = self.file.read_at(&mut bytes, block * BLOCK_BYTES as u64);
        let read = read.map_err(|source| IndexFault::disk("read", &self.path, source))?;
        if read != BLOCK_BYTES || !is_whole(&bytes, self.number, block) {
            return Err(IndexFault::damaged(&self.path, block, "its checksum is wrong"));
        }
        let count =
            u32::from_le_bytes(bytes[CONTENT_BYTES..CONTENT_BYTES + 4].try_into().expect("four bytes")) as usize;
        if count == 0 || count > CONTENT_BYTES / size {
            return Err(IndexFault::damaged(&self.path, block, "it has no such number of entries"));
        }
        Ok((bytes[..CONTENT_BYTES].try_into().expect("the slice has this length"), count))
    }

    fn entries_of(&self, block: u64) -> Result<Vec<Entry>, IndexFault> {
        let (content, count) = self.read(block, ENTRY_BYTES)?;
        Ok(content[..count * ENTRY_BYTES].chunks_exact(ENTRY_BYTES).map(entry_of).collect())
    }

    /// The block that holds the last entry below a place; `None` when all are at it or after it.
    fn block_below(&self, place: Place) -> Option<u64> {
        (self.fences.partition_point(|fence| *fence < place) as u64).checked_sub(1)
    }

    /// The sums of the entries of the key of a place that stand before it.
    pub fn before(&self, place: Place) -> Result<Posted, IndexFault> {
        let Some(block) = self.block_below(place) else { return Ok(Posted::default()) };
        let entries = self.entries_of(block)?;
        let below = entries.partition_point(|entry| entry.place < place);
        let last = below.checked_sub(1).map(|index| entries[index]).filter(|entry| entry.place.key == place.key);
        Ok(last.map_or(Posted::default(), |entry| entry.sums))
    }

    /// Appends the entries from a place on that stand before another of the same key, up to a number of them.
    pub fn list(&self, from: Place, end: Place, most: usize, found: &mut Vec<Place>) -> Result<(), IndexFault> {
        let mut left = most;
        let mut block = self.block_below(from).unwrap_or(0);
        while block < self.fences.len() as u64 && left > 0 {
            let entries = self.entries_of(block)?;
            for entry in entries.iter().filter(|entry| entry.place >= from).take(left) {
                if entry.place >= end {
                    return Ok(());
                }
                found.push(entry.place);
                left -= 1;
            }
            block += 1;
        }
        Ok(())
    }

    /// All entries, in order.
    pub fn scan(&self) -> Scan<'_> {
        Scan { run: self, block: 0, entries: Vec::new(), next: 0 }
    }
}

/// Goes over the entries of a run, in order.
pub struct Scan<'a> {
    run: &'a Run,
    block: u64,
    entries: Vec<Entry>,
    next: usize,
}

impl Scan<'_> {
    /// The entry that is next.
    pub fn peek(&mut self) -> Result<Option<Entry>, IndexFault> {
        if self.next == self.entries.len() && self.block < self.run.fences.len() as u64 {
            self.entries = self.run.entries_of(self.block)?;
            self.block += 1;
            self.next = 0;
        }
        Ok(self.entries.get(self.next).copied())
    }

    /// Goes on to the one after it.
    pub fn advance(&mut self) {
        self.next += 1;
    }
}

/// Writes a run. Entries come in order, with the sums of their own row alone.
pub struct Build<'a> {
    disk: &'a dyn Disk,
    folder: &'a Path,
    number: u64,
    path: PathBuf,
    file: Arc<dyn File>,
    buffer: Vec<u8>,
    /// Blocks that are in the file.
    written: u64,
    /// Content of the block that is being filled.
    block: Vec<u8>,
    fences: Vec<Place>,
    entries: u64,
    last: Option<Entry>,
}

impl<'a> Build<'a> {
    /// Makes the file.
    pub fn new(disk: &'a dyn Disk, folder: &'a Path, number: u64) -> Result<Build<'a>, IndexFault> {
        let path = file_path(folder, number);
        let file = disk.open(&path, Access::Create).map_err(|source| IndexFault::disk("create", &path, source))?;
        let (buffer, block) = (Vec::with_capacity(BLOCKS_AT_ONCE * BLOCK_BYTES), Vec::with_capacity(BLOCK_BYTES));
        Ok(Build {
            disk,
            folder,
            number,
            path,
            file,
            buffer,
            written: 0,
            block,
            fences: Vec::new(),
            entries: 0,
            last: None,
        })
    }

    /// Adds the next entry.
    pub fn push(&mut self, mut entry: Entry) -> Result<(), IndexFault> {
        if let Some(last) = self.last {
            assert!(entry.place > last.place, "a run is in order");
            if last.place.key == entry.place.key {
                entry.sums.credit += last.sums.credit;
                entry.sums.debit += last.sums.debit;
            }
        }
        self.last = Some(entry);
        if self.block.is_empty() {
            self.fences.push(entry.place);
        }
        push_place(&mut self.block, entry.place);
        self.block.extend(entry.sums.credit.to_le_bytes());
        self.block.extend(entry.sums.debit.to_le_bytes());
        self.entries += 1;
        if self.block.len() == BLOCK_ENTRIES * ENTRY_BYTES { self.end_block(ENTRY_BYTES) } else { Ok(()) }
    }

    /// Writes the fences, makes all of it durable, and opens the run.
    pub fn finish(mut self) -> Result<Run, IndexFault> {
        assert!(self.entries > 0, "a run holds something");
        self.end_block(ENTRY_BYTES)?;
        let fences = std::mem::take(&mut self.fences);
        for fences in fences.chunks(BLOCK_FENCES) {
            for fence in fences {
                push_place(&mut self.block, *fence);
            }
            self.end_block(FENCE_BYTES)?;
        }
        self.write()?;
        self.file.sync().map_err(|source| IndexFault::disk("sync", &self.path, source))?;
        Run::open(self.disk, self.folder, self.number, self.entries)
    }

    fn end_block(&mut self, size: usize) -> Result<(), IndexFault> {
        if self.block.is_empty() {
            return Ok(());
        }
        let count = (self.block.len() / size) as u32;
        let number = self.written + (self.buffer.len() / BLOCK_BYTES) as u64;
        self.block.resize(CONTENT_BYTES, 0);
        self.block.extend(count.to_le_bytes());
        let checksum = checksum(self.number, number, &self.block);
        self.block.extend(checksum.to_le_bytes());
        self.buffer.append(&mut self.block);
        if self.buffer.len() == BLOCKS_AT_ONCE * BLOCK_BYTES { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<(), IndexFault> {
        if !self.buffer.is_empty() {
            let written = self.file.write_at(&self.buffer, self.written * BLOCK_BYTES as u64);
            written.map_err(|source| IndexFault::disk("write", &self.path, source))?;
        }
        self.written += (self.buffer.len() / BLOCK_BYTES) as u64;
        self.buffer.clear();
        Ok(())
    }
}

fn push_place(out: &mut Vec<u8>, place: Place) {
    out.extend(place.key.to_le_bytes());
    out.extend(place.at.to_le_bytes());
    out.extend(place.row.to_le_bytes());
}

fn place_of(bytes: &[u8]) -> Place {
    let word = |at: usize| bytes[at..at + 8].try_into().expect("eight bytes");
    Place { key: u64::from_le_bytes(word(0)), at: i64::from_le_bytes(word(8)), row: u64::from_le_bytes(word(16)) }
}

fn entry_of(bytes: &[u8]) -> Entry {
    let sum = |at: usize| i128::from_le_bytes(bytes[at..at + 16].try_into().expect("sixteen bytes"));
    Entry { place: place_of(bytes), sums: Posted { credit: sum(24), debit: sum(40) } }
}

/// How many blocks of data and of fences a run of so many entries has.
pub fn blocks_of(entries: u64) -> (u64, u64) {
    let data = entries.div_ceil(BLOCK_ENTRIES as u64);
    (data, data.div_ceil(BLOCK_FENCES as u64))
}

/// Whether a block is as it was written in its place of a run.
pub fn is_whole(bytes: &[u8], run: u64, block: u64) -> bool {
    let (content, stored) = bytes.split_at(BLOCK_BYTES - 4);
    checksum(run, block, content).to_le_bytes() == stored
}

fn checksum(run: u64, block: u64, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&run.to_le_bytes());
    hasher.update(&block.to_le_bytes());
    hasher.update(bytes);
    hasher.finalize()
}
