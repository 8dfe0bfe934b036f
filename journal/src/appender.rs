//! The writing end of the journal.
//!
//! A group is written as whole blocks from one aligned buffer. The last block of a write is usually partial: it is kept
//! and written again, with more after it, by the next group. The bytes that were in it before are the same in the second
//! write, so whichever sectors of it survive a crash, durable records stay whole.

use crate::block::{AlignedBytes, BLOCK_BYTES, block_floor};
use crate::disk::File;
use crate::group::{Group, Part};
use crate::place::Place;
use crate::preparer::Preparer;
use crate::reader::Reader;
use crate::segment::{self, SEGMENT_HEADER_BYTES, SegmentHeader};
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Bytes of one write. A group that is larger is written in several, one after the other.
const WRITE_BYTES_MAX: usize = 4 << 20;
const _: () = assert!(WRITE_BYTES_MAX.is_multiple_of(BLOCK_BYTES) && WRITE_BYTES_MAX > BLOCK_BYTES);

/// Owns the tail of the journal.
pub struct Appender {
    folder: PathBuf,
    segment_bytes: u64,
    record_bytes_max: u32,
    place: Place,
    tail: Option<Tail>,
    /// The next segment, when it was taken before it was needed.
    fresh: Option<Arc<dyn File>>,
    buffer: AlignedBytes,
    preparer: Preparer,
    reader: Reader,
    is_direct: bool,
    is_stopped: bool,
}

/// The segment that is being written.
pub(crate) struct Tail {
    pub(crate) file: Arc<dyn File>,
    pub(crate) header: SegmentHeader,
    /// Where the next write begins in the segment.
    pub(crate) offset: u64,
    /// The block that holds `offset`, as it is on disk before `offset`. Zeros after it.
    pub(crate) block: [u8; BLOCK_BYTES],
}

/// What [`crate::open::open`] found for the appender.
pub(crate) struct Start {
    pub(crate) folder: PathBuf,
    pub(crate) segment_bytes: u64,
    pub(crate) record_bytes_max: u32,
    pub(crate) place: Place,
    pub(crate) tail: Option<Tail>,
    pub(crate) fresh: Option<Arc<dyn File>>,
    pub(crate) preparer: Preparer,
    pub(crate) reader: Reader,
    pub(crate) is_direct: bool,
}

/// Why a group was not appended. Whether its records are there is known when the journal is opened again.
#[derive(Debug)]
pub enum AppendFault {
    /// There is no room. Segments are taken before any record is written, so on a file system that overwrites in place
    /// none of the group's records was.
    Full {
        /// The first segment that could not be made.
        file: PathBuf,
        /// What the disk said.
        source: io::Error,
    },
    /// A write or sync failed. The group may be on disk in part.
    Write {
        /// The segment.
        file: PathBuf,
        /// Where in the segment.
        offset: u64,
        /// What the disk said.
        source: io::Error,
    },
    /// An earlier append failed.
    Stopped,
}

impl fmt::Display for AppendFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AppendFault::Full { file, .. } => {
                let file = file.display();
                write!(formatter, "no room for the journal segment {file}; free space on that disk and start again")
            }
            AppendFault::Write { file, offset, .. } => write!(
                formatter,
                "writing {} at byte {offset} failed; check the disk and start again, which keeps what is whole",
                file.display()
            ),
            AppendFault::Stopped => write!(formatter, "the journal stopped after an earlier fault; start again"),
        }
    }
}

impl std::error::Error for AppendFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            AppendFault::Full { source, .. } | AppendFault::Write { source, .. } => Some(source),
            AppendFault::Stopped => None,
        }
    }
}

impl Appender {
    pub(crate) fn new(start: Start) -> Appender {
        let Start { folder, segment_bytes, record_bytes_max, place, tail, fresh, preparer, reader, is_direct } = start;
        let mut buffer = AlignedBytes::new(WRITE_BYTES_MAX);
        // Touched now, so that no append pays for memory that the machine has yet to find.
        buffer.fill(1);
        Appender {
            folder,
            segment_bytes,
            record_bytes_max,
            place,
            tail,
            fresh,
            buffer,
            preparer,
            reader,
            is_direct,
            is_stopped: false,
        }
    }

    /// Seals the group and writes it. When this answers a place, all records of the group are durable.
    ///
    /// The group must begin at [`Appender::place`]. After any fault every later call answers [`AppendFault::Stopped`]:
    /// what is on disk is unknown then, and only opening the journal again finds out.
    pub fn append(&mut self, group: &mut Group) -> Result<Place, AppendFault> {
        if self.is_stopped {
            return Err(AppendFault::Stopped);
        }
        assert!(group.start_seq() == self.place.seq, "a group begins with the next seq");
        assert!(group.start_position() == self.place.position, "a group begins where the journal ends");
        assert!(group.segment_bytes() == self.segment_bytes, "a group knows the size of the segments");
        assert!(group.record_bytes_max() <= self.record_bytes_max || self.fits(group), "records keep to the limit");
        match self.write_group(group) {
            Ok(place) => {
                assert!(place.seq == group.next_seq() && place.position == group.next_position());
                self.place = place;
                self.reader.publish(place.position);
                Ok(place)
            }
            Err(fault) => {
                self.is_stopped = true;
                Err(fault)
            }
        }
    }

    /// The place after the last durable record.
    pub fn place(&self) -> Place {
        self.place
    }

    /// True when writes go past the system's cache and need no sync of their own.
    pub fn is_direct(&self) -> bool {
        self.is_direct
    }

    fn fits(&self, group: &Group) -> bool {
        (0..group.records_count()).all(|index| group.payload(index).len() as u64 <= u64::from(self.record_bytes_max))
    }

    fn write_group(&mut self, group: &mut Group) -> Result<Place, AppendFault> {
        let mut fresh = self.take_segments(group)?.into_iter();
        let mut place = self.place;
        for index in 0..group.parts_count() {
            let part = group.part(index);
            let is_current = self.tail.as_ref().is_some_and(|tail| tail.header.number == part.segment);
            if !is_current {
                let file = fresh.next().expect("a segment was taken for each part that needs one");
                self.tail = Some(self.enter(file, part.segment, place));
            }
            let tail = self.tail.as_mut().expect("the part's segment was just entered");
            place = group.seal(&part, &tail.header, place);
            tail.write(&mut self.buffer, group.part_bytes(&part), &part).map_err(|source| {
                let file = segment::path(&self.folder, part.segment);
                if source.kind() == io::ErrorKind::StorageFull {
                    AppendFault::Full { file, source }
                } else {
                    AppendFault::Write { file, offset: part.offset, source }
                }
            })?;
        }
        Ok(place)
    }

    /// Takes every segment that the group will enter before any byte of it is written: a full disk then leaves nothing
    /// of the group behind.
    fn take_segments(&mut self, group: &Group) -> Result<Vec<Arc<dyn File>>, AppendFault> {
        let current = self.tail.as_ref().map(|tail| tail.header.number);
        let mut files = Vec::new();
        for index in 0..group.parts_count() {
            let number = group.part(index).segment;
            if Some(number) == current {
                continue;
            }
            let file = segment::path(&self.folder, number);
            if let Some(fresh) = self.fresh.take() {
                files.push(fresh);
                continue;
            }
            files.push(self.preparer.take().map_err(|source| match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => AppendFault::Full { file, source },
                _ => AppendFault::Write { file, offset: 0, source },
            })?);
        }
        Ok(files)
    }

    fn enter(&mut self, file: Arc<dyn File>, number: u64, place: Place) -> Tail {
        self.is_direct = file.is_direct();
        let header =
            SegmentHeader { segment_bytes: self.segment_bytes, number, first_seq: place.seq, chain: place.chain };
        let mut block = [0; BLOCK_BYTES];
        block[..SEGMENT_HEADER_BYTES].copy_from_slice(&header.encode());
        Tail { file, header, offset: SEGMENT_HEADER_BYTES as u64, block }
    }
}

impl Tail {
    /// Writes sealed frames durably and keeps the last block for the next write.
    fn write(&mut self, buffer: &mut [u8], frames: &[u8], part: &Part) -> io::Result<()> {
        assert!(part.offset == self.offset, "frames follow the ones before without a gap");
        let mut rest = frames;
        while !rest.is_empty() {
            let lead = (self.offset - block_floor(self.offset)) as usize;
            let count = rest.len().min(buffer.len() - lead);
            let filled = lead + count;
            let whole = filled.next_multiple_of(BLOCK_BYTES);
            buffer[..lead].copy_from_slice(&self.block[..lead]);
            buffer[lead..filled].copy_from_slice(&rest[..count]);
            buffer[filled..whole].fill(0);
            self.file.write_at(&buffer[..whole], block_floor(self.offset))?;
            self.offset += count as u64;
            rest = &rest[count..];
            let last = filled - filled % BLOCK_BYTES;
            self.block[..filled - last].copy_from_slice(&buffer[last..filled]);
        }
        if self.file.is_direct() { Ok(()) } else { self.file.sync() }
    }
}
