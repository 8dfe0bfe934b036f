//! Checks the file of one segment by itself: its length, its header, every frame with its checksums and the chain, and the
//! zeros behind the last. No byte of a whole segment can change without being noticed here.
//!
//! The file is read past the system's cache where that is possible: what counts is what the medium has, and pages that others
//! use stay where they are.

use crate::block::{AlignedBytes, BLOCK_BYTES, block_floor};
use crate::disk::{Access, Disk, File};
use crate::frame::{BadHeader, FRAME_HEADER_BYTES, FrameHeader, chain_after, frame_bytes, payload_checksum};
use crate::open::Options;
use crate::place::Place;
use crate::segment::{self, BadSegment, SEGMENT_HEADER_BYTES, SegmentHeader};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of one read.
pub const READ_BYTES: usize = 256 << 10;
const _: () = assert!(READ_BYTES.is_multiple_of(BLOCK_BYTES));

/// Asked before so many bytes are read or written: waits as long as the caller wants to, and answers whether to go on.
pub type Pace<'a> = &'a dyn Fn(u64) -> bool;

/// Goes on at once, always.
pub fn at_once(_bytes: u64) -> bool {
    true
}

/// Two places of a segment: before its first record, and after its last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ends {
    /// Before its first record, at its beginning.
    pub before: Place,
    /// After its last record.
    pub after: Place,
}

impl Ends {
    /// Whether the records of this segment lead to those of the other.
    pub fn leads_to(&self, next: &Place) -> bool {
        self.after.seq == next.seq && self.after.chain == next.chain
    }
}

/// Why a segment was not found to be whole.
#[derive(Debug)]
pub enum SegmentFault {
    /// There is no such file.
    Missing,
    /// Its bytes are not what was written.
    Damaged {
        /// Where in the file.
        offset: u64,
        /// What is wrong there.
        reason: &'static str,
    },
    /// It was written by a program of another version, or of another limit of records.
    Foreign {
        /// What is different.
        reason: &'static str,
    },
    /// The disk refused to read.
    Disk {
        /// Where in the file.
        offset: u64,
        /// What the disk said.
        source: io::Error,
    },
    /// The caller said not to go on.
    Stopped,
}

impl SegmentFault {
    /// Whether the file itself is not what it should be, so that another copy of it helps. A medium that cannot be read at one
    /// place is damaged there.
    pub fn is_damage(&self) -> bool {
        match self {
            SegmentFault::Missing | SegmentFault::Damaged { .. } => true,
            SegmentFault::Disk { source, .. } => is_unreadable(source),
            SegmentFault::Foreign { .. } | SegmentFault::Stopped => false,
        }
    }

    /// Where in the file.
    pub fn offset(&self) -> u64 {
        match self {
            SegmentFault::Damaged { offset, .. } | SegmentFault::Disk { offset, .. } => *offset,
            _ => 0,
        }
    }
}

impl fmt::Display for SegmentFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SegmentFault::Missing => write!(formatter, "the file is missing"),
            SegmentFault::Damaged { reason, .. } | SegmentFault::Foreign { reason } => formatter.write_str(reason),
            SegmentFault::Disk { source, .. } => write!(formatter, "the disk cannot read it: {source}"),
            SegmentFault::Stopped => write!(formatter, "the check was stopped"),
        }
    }
}

impl std::error::Error for SegmentFault {}

/// Whether a disk says that it has lost what was written.
pub fn is_unreadable(error: &io::Error) -> bool {
    // EIO; of media that check themselves it means a sector that has gone bad.
    error.raw_os_error() == Some(5)
}

/// Opens a file to be read past the cache, or through it where it may not be opened so.
pub fn open_past_cache(disk: &dyn Disk, path: &Path) -> io::Result<Arc<dyn File>> {
    match disk.open(path, Access::Direct) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => disk.open(path, Access::Read),
        opened => opened,
    }
}

/// The path of a segment in a folder of segments.
pub fn path(folder: &Path, number: u64) -> PathBuf {
    segment::path(folder, number)
}

/// The numbers of the segments in a folder, ascending.
pub fn numbers(disk: &dyn Disk, folder: &Path) -> io::Result<Vec<u64>> {
    Ok(disk.list(folder)?.iter().filter_map(|name| segment::number_of(name)).collect())
}

/// Where a segment begins, as its header says; `None` when that is not whole.
pub fn beginning(disk: &dyn Disk, path: &Path, number: u64, options: Options) -> io::Result<Option<Place>> {
    let file = match open_past_cache(disk, path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = AlignedBytes::new(BLOCK_BYTES);
    match file.read_at(&mut bytes, 0) {
        Ok(count) if count < SEGMENT_HEADER_BYTES => return Ok(None),
        Ok(_) => {}
        Err(error) if is_unreadable(&error) => return Ok(None),
        Err(error) => return Err(error),
    }
    let head = bytes.first_chunk().expect("a block is longer than a header");
    Ok(SegmentHeader::decode(head).ok().filter(|head| belongs(head, number, options)).map(|head| place_of(&head)))
}

fn belongs(header: &SegmentHeader, number: u64, options: Options) -> bool {
    header.number == number && header.segment_bytes == options.segment_bytes
}

fn place_of(header: &SegmentHeader) -> Place {
    Place { seq: header.first_seq, position: header.number * header.segment_bytes, chain: header.chain }
}

/// Checks a segment. Of one that is sealed, which means that a later one was entered, `until` is the size of a segment, and
/// all behind its last record must be zeros; of one that is being written it is the offset where durable records end, and
/// they must end there.
pub fn check(
    disk: &dyn Disk,
    path: &Path,
    number: u64,
    options: Options,
    until: u64,
    pace: Pace<'_>,
) -> Result<Ends, SegmentFault> {
    let file = match open_past_cache(disk, path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(SegmentFault::Missing),
        Err(source) => return Err(SegmentFault::Disk { offset: 0, source }),
    };
    let length = file.len().map_err(|source| SegmentFault::Disk { offset: 0, source })?;
    if length != options.segment_bytes {
        let offset = length.min(options.segment_bytes);
        return Err(SegmentFault::Damaged { offset, reason: "the file does not have the length of a segment" });
    }
    let bytes = AlignedBytes::new(READ_BYTES);
    let mut check = Check { stretch: Stretch { file, bytes, start: 0, end: 0, until, pace }, options, number };
    check.run()
}

struct Check<'a> {
    stretch: Stretch<'a>,
    options: Options,
    number: u64,
}

impl Check<'_> {
    fn run(&mut self) -> Result<Ends, SegmentFault> {
        let head = self.stretch.load(0, SEGMENT_HEADER_BYTES)?;
        let head = head.first_chunk().ok_or_else(|| damaged(0, "the header of the segment is not whole"))?;
        let header = match SegmentHeader::decode(head) {
            Ok(header) => header,
            Err(BadSegment::Version(_)) => {
                return Err(SegmentFault::Foreign { reason: "it has another format version; use a newer program" });
            }
            Err(_) => return Err(damaged(0, "the header of the segment is not whole")),
        };
        if !belongs(&header, self.number, self.options) {
            return Err(damaged(0, "the header is that of another segment"));
        }
        let before = place_of(&header);
        let salt = header.salt();
        let mut after = Place { position: before.position + SEGMENT_HEADER_BYTES as u64, ..before };
        while let Some(next) = self.frame(after, salt)? {
            after = next;
        }
        self.zeros(after.position - before.position)?;
        Ok(Ends { before, after })
    }

    /// The place after the frame at a place; `None` when none stands there.
    fn frame(&mut self, at: Place, salt: u32) -> Result<Option<Place>, SegmentFault> {
        let offset = at.position - self.number * self.options.segment_bytes;
        if offset + FRAME_HEADER_BYTES as u64 > self.stretch.until {
            return Ok(None);
        }
        let head = self.stretch.load(offset, FRAME_HEADER_BYTES)?;
        let head = head.first_chunk().ok_or_else(|| damaged(offset, "no whole record where one should be"))?;
        let header = match FrameHeader::decode(head, salt, at.position) {
            Ok(header) => header,
            Err(BadHeader::Zeros) => return Ok(None),
            Err(BadHeader::Bytes) => return Err(damaged(offset, "no whole record where one should be")),
            Err(BadHeader::Version(_)) => {
                return Err(SegmentFault::Foreign {
                    reason: "a record has another format version; use a newer program",
                });
            }
        };
        if header.seq != at.seq || header.group_first_seq > header.seq {
            return Err(damaged(offset, "a whole record that does not follow the one before"));
        }
        if offset + frame_bytes(header.length) > self.stretch.until {
            return Err(damaged(offset, "the record is longer than the rest of its segment"));
        }
        if header.length > self.options.record_bytes_max {
            return Err(SegmentFault::Foreign { reason: "a record is longer than the limit" });
        }
        let frame = frame_bytes(header.length) as usize;
        let bytes = self.stretch.load(offset, frame)?;
        if bytes.len() < frame || payload_checksum(&bytes[FRAME_HEADER_BYTES..]) != header.payload_checksum {
            return Err(damaged(offset, "the checksum of the payload does not match"));
        }
        let payload = &bytes[FRAME_HEADER_BYTES..FRAME_HEADER_BYTES + header.length as usize];
        let chain = chain_after(&at.chain, header.seq, payload);
        if chain != header.chain {
            return Err(damaged(offset, "a whole record that does not follow the one before"));
        }
        Ok(Some(Place { seq: header.seq + 1, position: at.position + frame as u64, chain }))
    }

    /// Sees that nothing but zeros stands from an offset to the end.
    fn zeros(&mut self, from: u64) -> Result<(), SegmentFault> {
        let until = self.stretch.until;
        if until < self.options.segment_bytes && from < until {
            return Err(damaged(from, "a durable record is gone"));
        }
        let mut at = from;
        while at < until {
            let count = (until - at).min((READ_BYTES - BLOCK_BYTES) as u64) as usize;
            let bytes = self.stretch.load(at, count)?;
            if bytes.len() < count || bytes.iter().any(|byte| *byte != 0) {
                return Err(damaged(at, "bytes behind the last record"));
            }
            at += count as u64;
        }
        Ok(())
    }
}

fn damaged(offset: u64, reason: &'static str) -> SegmentFault {
    SegmentFault::Damaged { offset, reason }
}

/// A stretch of the file in memory, which moves forward.
struct Stretch<'a> {
    file: Arc<dyn File>,
    bytes: AlignedBytes,
    start: u64,
    end: u64,
    until: u64,
    pace: Pace<'a>,
}

impl Stretch<'_> {
    /// The bytes from an offset on, fewer where the file or what may be read of it ends.
    fn load(&mut self, offset: u64, count: usize) -> Result<&[u8], SegmentFault> {
        if offset < self.start || offset + count as u64 > self.end {
            self.fill(offset, count)?;
        }
        let begin = (offset.min(self.end) - self.start) as usize;
        let end = ((offset + count as u64).min(self.end) - self.start) as usize;
        Ok(&self.bytes[begin..end])
    }

    fn fill(&mut self, offset: u64, count: usize) -> Result<(), SegmentFault> {
        let start = block_floor(offset);
        let needed = ((offset - start) as usize + count).next_multiple_of(BLOCK_BYTES);
        if needed > self.bytes.len() {
            self.bytes = AlignedBytes::new(needed);
        } else if self.bytes.len() > READ_BYTES && needed <= READ_BYTES {
            self.bytes = AlignedBytes::new(READ_BYTES);
        }
        let mut done = 0;
        while done < self.bytes.len() {
            let piece = READ_BYTES.min(self.bytes.len() - done);
            if !(self.pace)(piece as u64) {
                return Err(SegmentFault::Stopped);
            }
            let at = start + done as u64;
            let read = self.file.read_at(&mut self.bytes[done..done + piece], at);
            let read = read.map_err(|source| SegmentFault::Disk { offset: at, source })?;
            done += read;
            if read < piece {
                break;
            }
        }
        self.start = start;
        self.end = (start + done as u64).min(self.until).max(start);
        Ok(())
    }
}
