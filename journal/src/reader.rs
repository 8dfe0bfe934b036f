//! The reading end of the journal: one record by position, or all of them in order.
//!
//! Readers never look past the tail that the appender has published: what lies there may be half written.

use crate::disk::{Access, Disk, File};
use crate::frame::{BadHeader, FRAME_HEADER_BYTES, FrameHeader, frame_bytes, payload_checksum};
use crate::open::Options;
use crate::place::Place;
use crate::segment::{self, BadSegment, SEGMENT_HEADER_BYTES, SegmentHeader, past_header};
use crate::walk::{Step, Stop, Walker, Why};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// Segments held open at most. The oldest is closed first.
const FILES_COUNT_MAX: usize = 256;
/// Bytes of the first read for a record. A usual record is in them whole, so it costs one read.
const FIRST_READ_BYTES: usize = 1024;

/// Reads records. Clones share their open files; any number of threads may read.
#[derive(Clone)]
pub struct Reader {
    shared: Arc<Shared>,
}

struct Shared {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    segment_bytes: u64,
    record_bytes_max: u32,
    /// Where durable records end. `u64::MAX` when nobody tells, and the zeros after the last record have to.
    tail: AtomicU64,
    segments: RwLock<BTreeMap<u64, Arc<Segment>>>,
    /// How often a file took the name of another. Whoever opened one before does not keep it open for all.
    replaced: AtomicU64,
}

/// An open segment with a whole header.
pub(crate) struct Segment {
    pub(crate) file: Arc<dyn File>,
    pub(crate) header: SegmentHeader,
    pub(crate) salt: u32,
}

/// What was found where a segment should be.
pub(crate) enum Look {
    Segment(Arc<Segment>),
    Missing,
    Bad(BadSegment),
}

/// A record that was read by position.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReadRecord {
    /// What stands at its beginning.
    pub head: RecordHead,
    /// Where it stands.
    pub position: u64,
    /// Where the next record may begin.
    pub next_position: u64,
}

/// What stands at the beginning of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecordHead {
    /// Its seq.
    pub seq: u64,
    /// The hash of it and of all records before it.
    pub chain: [u8; 32],
}

/// A record that was read in order.
pub struct Scanned<'a> {
    /// Its seq.
    pub seq: u64,
    /// Where it stands.
    pub position: u64,
    /// What was pushed.
    pub payload: &'a [u8],
    /// The place after it.
    pub after: Place,
}

/// Records in order, checked against checksum, seq and chain.
pub struct Scan {
    walker: Walker,
}

/// Why a record could not be read.
#[derive(Debug)]
pub enum ReadFault {
    /// No record begins at this position.
    NoRecord {
        /// The position.
        position: u64,
    },
    /// The bytes at this place are not what was written.
    Damaged {
        /// The segment.
        file: PathBuf,
        /// Where in the segment.
        offset: u64,
        /// What is wrong there.
        reason: &'static str,
    },
    /// The record is whole, but longer than this program was told to accept.
    OverLimit {
        /// Its position.
        position: u64,
        /// Its bytes.
        bytes: u32,
    },
    /// Written by a program of another version.
    Version {
        /// The segment.
        file: PathBuf,
        /// The version found there.
        version: u16,
    },
    /// The disk refused to read.
    Read {
        /// The segment.
        file: PathBuf,
        /// What the disk said.
        source: io::Error,
    },
}

impl fmt::Display for ReadFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadFault::NoRecord { position } => write!(formatter, "no journal record begins at position {position}"),
            ReadFault::Damaged { file, offset, reason } => write!(
                formatter,
                "{} is damaged at byte {offset}: {reason}; repair it from an archive with `florin scrub`, or restore from a backup",
                file.display()
            ),
            ReadFault::OverLimit { position, bytes } => write!(
                formatter,
                "the record at position {position} has {bytes} bytes, over the limit; raise the record limit to what it was"
            ),
            ReadFault::Version { file, version } => {
                write!(formatter, "{} has format version {version}; use a newer program", file.display())
            }
            ReadFault::Read { file, .. } => write!(formatter, "reading {} failed; check the disk", file.display()),
        }
    }
}

impl std::error::Error for ReadFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ReadFault::Read { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl Reader {
    /// A reader of a journal that nobody writes, for offline tools. It changes nothing, and takes the zeros after the
    /// last record for the end.
    pub fn offline(disk: Arc<dyn Disk>, folder: &Path, options: Options) -> Reader {
        let shared = Shared {
            disk,
            folder: folder.to_owned(),
            segment_bytes: options.segment_bytes,
            record_bytes_max: options.record_bytes_max,
            tail: AtomicU64::new(u64::MAX),
            segments: RwLock::new(BTreeMap::new()),
            replaced: AtomicU64::new(0),
        };
        Reader { shared: Arc::new(shared) }
    }

    /// Reads the record that begins at `position` into `buffer`, replacing what was there.
    ///
    /// The checksums are verified, the chain is not: that needs the record before, see [`Reader::scan`].
    pub fn read(&self, position: u64, buffer: &mut Vec<u8>) -> Result<ReadRecord, ReadFault> {
        buffer.clear();
        let (number, offset) = self.split(position);
        if position >= self.tail() || offset + FRAME_HEADER_BYTES as u64 > self.segment_bytes() {
            return Err(ReadFault::NoRecord { position });
        }
        let segment = self.segment_or_fault(number)?;
        let position = number * self.segment_bytes() + offset;
        let mut first = [0u8; FIRST_READ_BYTES];
        let count = segment.file.read_at(&mut first, offset).map_err(|source| self.read_fault(number, source))?;
        let Some(head) = first[..count].first_chunk::<FRAME_HEADER_BYTES>() else {
            return Err(ReadFault::NoRecord { position });
        };
        let header = match FrameHeader::decode(head, segment.salt, position) {
            Ok(header) => header,
            Err(BadHeader::Zeros) => return Err(ReadFault::NoRecord { position }),
            Err(BadHeader::Bytes) => return Err(self.damaged(number, offset, "no frame begins here")),
            Err(BadHeader::Version(version)) => return Err(self.version_fault(number, version.into())),
        };
        self.check_length(&header, position, offset)?;
        let padded = (header.frame_bytes() - FRAME_HEADER_BYTES as u64) as usize;
        let here = padded.min(count - FRAME_HEADER_BYTES);
        buffer.extend_from_slice(&first[FRAME_HEADER_BYTES..FRAME_HEADER_BYTES + here]);
        if here < padded {
            buffer.resize(padded, 0);
            let at = offset + (FRAME_HEADER_BYTES + here) as u64;
            segment.file.read_at(&mut buffer[here..], at).map_err(|source| self.read_fault(number, source))?;
        }
        if payload_checksum(buffer) != header.payload_checksum {
            buffer.clear();
            return Err(self.damaged(number, offset, "the checksum of the payload does not match"));
        }
        buffer.truncate(header.length as usize);
        let head = RecordHead { seq: header.seq, chain: header.chain };
        Ok(ReadRecord { head, position, next_position: position + header.frame_bytes() })
    }

    /// What stands at the beginning of the record at exactly this position; `None` when none begins there. For positions that
    /// come from outside: to [`Reader::read`] bytes that are no record are damage.
    pub fn head(&self, position: u64) -> Result<Option<RecordHead>, ReadFault> {
        let (number, offset) = self.split(position);
        let is_exact = offset == position % self.segment_bytes();
        if !is_exact || position >= self.tail() || offset + FRAME_HEADER_BYTES as u64 > self.segment_bytes() {
            return Ok(None);
        }
        let segment = self.segment_or_fault(number)?;
        let mut bytes = [0u8; FRAME_HEADER_BYTES];
        let count = segment.file.read_at(&mut bytes, offset).map_err(|source| self.read_fault(number, source))?;
        if count < bytes.len() {
            return Ok(None);
        }
        match FrameHeader::decode(&bytes, segment.salt, position) {
            Ok(header) => Ok(Some(RecordHead { seq: header.seq, chain: header.chain })),
            Err(BadHeader::Zeros | BadHeader::Bytes) => Ok(None),
            Err(BadHeader::Version(version)) => Err(self.version_fault(number, version.into())),
        }
    }

    /// Reads the record that follows another, as [`Reader::read`] does: it must be durable, has this seq, and begins at `position` or,
    /// when the rest of that segment was too short for it, in a later one.
    pub fn read_next(&self, seq: u64, position: u64, buffer: &mut Vec<u8>) -> Result<ReadRecord, ReadFault> {
        let mut position = position;
        loop {
            let (number, offset) = self.split(position);
            match self.read(position, buffer) {
                Ok(record) if record.head.seq == seq => return Ok(record),
                Ok(_) => return Err(self.damaged(number, offset, "a record that does not follow the one before")),
                Err(ReadFault::NoRecord { .. }) => {}
                Err(fault) => return Err(fault),
            }
            // A crash can leave a segment that was entered and holds no record; the next one has the same first seq.
            match self.segment_start(number + 1)? {
                Some(place) if place.seq == seq => position = place.position,
                _ => return Err(self.damaged(number, offset, "a durable record is gone")),
            }
        }
    }

    /// Reads in order from a place to the tail.
    pub fn scan(&self, from: Place) -> Scan {
        Scan { walker: Walker::new(self.clone(), from) }
    }

    /// Reads everything.
    pub fn scan_all(&self) -> Scan {
        self.scan(Place::start())
    }

    /// The place where a segment begins, as its header tells it: a scan may start there. `None` when there is no such
    /// segment, or its header is not whole.
    pub fn segment_start(&self, number: u64) -> Result<Option<Place>, ReadFault> {
        Ok(match self.look(number).map_err(|source| self.read_fault(number, source))? {
            Look::Segment(segment) => Some(Place {
                seq: segment.header.first_seq,
                position: number * self.segment_bytes(),
                chain: segment.header.chain,
            }),
            Look::Missing | Look::Bad(_) => None,
        })
    }

    /// How many segments there are, those without records included.
    pub fn segments_count(&self) -> Result<u64, ReadFault> {
        let names = self
            .shared
            .disk
            .list(&self.shared.folder)
            .map_err(|source| ReadFault::Read { file: self.shared.folder.clone(), source })?;
        Ok(names.iter().filter_map(|name| segment::number_of(name)).max().map_or(0, |last| last + 1))
    }

    /// Opens a segment anew when it is read next: another file has its name now. A read that is under way goes on in the
    /// file that it began with.
    pub fn reopen(&self, number: u64) {
        let mut segments = self.shared.segments.write().unwrap_or_else(PoisonError::into_inner);
        self.shared.replaced.fetch_add(1, Ordering::AcqRel);
        segments.remove(&number);
    }

    /// The sizes of the journal.
    pub fn options(&self) -> Options {
        Options { segment_bytes: self.segment_bytes(), record_bytes_max: self.record_bytes_max() }
    }

    /// Where durable records end, as a position; [`u64::MAX`] for an offline reader.
    pub fn durable_until(&self) -> u64 {
        self.tail()
    }

    /// Where durable records end; `u64::MAX` for an offline reader.
    pub(crate) fn tail(&self) -> u64 {
        self.shared.tail.load(Ordering::Acquire)
    }

    /// Lets readers see records up to `position`. They are durable.
    pub(crate) fn publish(&self, position: u64) {
        self.shared.tail.store(position, Ordering::Release);
    }

    pub(crate) fn segment_bytes(&self) -> u64 {
        self.shared.segment_bytes
    }

    pub(crate) fn record_bytes_max(&self) -> u32 {
        self.shared.record_bytes_max
    }

    /// The segment of a position and the offset in it where a frame would begin.
    pub(crate) fn split(&self, position: u64) -> (u64, u64) {
        (position / self.segment_bytes(), past_header(position % self.segment_bytes()))
    }

    pub(crate) fn path(&self, number: u64) -> PathBuf {
        segment::path(&self.shared.folder, number)
    }

    /// Opens a segment and checks its header. Only whole ones are kept open.
    pub(crate) fn look(&self, number: u64) -> io::Result<Look> {
        let segments = self.shared.segments.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(segment) = segments.get(&number) {
            return Ok(Look::Segment(segment.clone()));
        }
        drop(segments);
        let replaced = self.shared.replaced.load(Ordering::Acquire);
        let file = match self.shared.disk.open(&self.path(number), Access::Read) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Look::Missing),
            Err(error) => return Err(error),
        };
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        if file.read_at(&mut bytes, 0)? < bytes.len() {
            return Ok(Look::Bad(BadSegment::Bytes));
        }
        let header = match SegmentHeader::decode(&bytes) {
            Ok(header) if header.number == number && header.segment_bytes == self.segment_bytes() => header,
            Ok(_) => return Ok(Look::Bad(BadSegment::Bytes)),
            Err(bad) => return Ok(Look::Bad(bad)),
        };
        let segment = Arc::new(Segment { file, salt: header.salt(), header });
        let mut segments = self.shared.segments.write().unwrap_or_else(PoisonError::into_inner);
        if segments.len() >= FILES_COUNT_MAX {
            segments.pop_first();
        }
        if self.shared.replaced.load(Ordering::Acquire) == replaced {
            segments.insert(number, segment.clone());
        }
        Ok(Look::Segment(segment))
    }

    fn segment_or_fault(&self, number: u64) -> Result<Arc<Segment>, ReadFault> {
        match self.look(number).map_err(|source| self.read_fault(number, source))? {
            Look::Segment(segment) => Ok(segment),
            Look::Missing => Err(self.damaged(number, 0, "the segment is missing")),
            Look::Bad(BadSegment::Version(version)) => Err(self.version_fault(number, version)),
            Look::Bad(_) => Err(self.damaged(number, 0, "the header of the segment is not whole")),
        }
    }

    /// A length is believed, and memory spent on it, only when the record could have been written here.
    fn check_length(&self, header: &FrameHeader, position: u64, offset: u64) -> Result<(), ReadFault> {
        if header.length > self.record_bytes_max() {
            return Err(ReadFault::OverLimit { position, bytes: header.length });
        }
        if offset + frame_bytes(header.length) > self.segment_bytes() {
            let number = position / self.segment_bytes();
            return Err(self.damaged(number, offset, "the record is longer than the rest of its segment"));
        }
        Ok(())
    }

    fn damaged(&self, number: u64, offset: u64, reason: &'static str) -> ReadFault {
        ReadFault::Damaged { file: self.path(number), offset, reason }
    }

    pub(crate) fn read_fault(&self, number: u64, source: io::Error) -> ReadFault {
        ReadFault::Read { file: self.path(number), source }
    }

    pub(crate) fn version_fault(&self, number: u64, version: u16) -> ReadFault {
        ReadFault::Version { file: self.path(number), version }
    }
}

impl Scan {
    /// The next record; `None` at the clean end. After `None` it may be called again, for records appended since.
    // The item borrows from the scan, which `Iterator` cannot say.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Scanned<'_>>, ReadFault> {
        match self.walker.step()? {
            Step::Record(record) => Ok(Some(Scanned {
                seq: record.seq,
                position: record.position,
                payload: self.walker.payload(&record),
                after: self.walker.place(),
            })),
            Step::Stop(stop) => self.end(&stop),
        }
    }

    /// The place after the last record that was read.
    pub fn place(&self) -> Place {
        self.walker.place()
    }

    fn end(&self, stop: &Stop) -> Result<Option<Scanned<'_>>, ReadFault> {
        let reader = self.walker.reader();
        let is_offline = reader.tail() == u64::MAX;
        let reason = match stop.why {
            Why::Tail => return Ok(None),
            Why::Zeros | Why::Missing if is_offline => return Ok(None),
            Why::Zeros => "a durable record is gone",
            Why::Missing => "the segment is missing",
            Why::SegmentHeader => "the header of the segment is not whole",
            Why::OtherSegment => "the segment does not follow the one before",
            Why::Gap => "bytes between the last record and the next segment",
            Why::Bytes => "no whole record where one should be",
            Why::OtherFrame => "a whole record that does not follow the one before",
            Why::OverLimit(bytes) => {
                return Err(ReadFault::OverLimit { position: self.walker.cursor(), bytes });
            }
            Why::Version(version) => return Err(reader.version_fault(stop.number, version)),
        };
        Err(reader.damaged(stop.number, stop.offset, reason))
    }
}
