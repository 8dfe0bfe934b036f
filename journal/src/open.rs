//! Opening a journal: find the tail, cut what a crash tore, refuse what is damaged.

use crate::appender::{Appender, Start, Tail};
use crate::block::{AlignedBytes, BLOCK_BYTES, block_floor};
use crate::disk::{Access, Disk};
use crate::place::{self, Place};
use crate::preparer::Preparer;
use crate::reader::{Look, ReadFault, Reader};
use crate::recover::evidence::{Scene, Torn};
use crate::recover::{Damage, Evidence, Verdict, cut, decide};
use crate::segment;
use crate::walk::{Step, Stop, Walker, Why};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of a segment, unless there is a reason for another size.
pub const SEGMENT_BYTES: u64 = 64 << 20;
/// Bytes of the largest record, unless there is a reason for another limit.
pub const RECORD_BYTES_MAX: u32 = 32 << 20;
/// Bytes of the smallest segment.
pub const SEGMENT_BYTES_MIN: u64 = 64 << 10;
const _: () = assert!(RECORD_BYTES_MAX as u64 + 4096 <= SEGMENT_BYTES, "the largest record fits in a segment");

/// The two sizes of a journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Bytes of a segment: a multiple of 4096, at least [`SEGMENT_BYTES_MIN`]. Fixed for the life of a journal.
    pub segment_bytes: u64,
    /// Bytes of the largest record, at most `segment_bytes - 4096`. May be raised, not lowered.
    pub record_bytes_max: u32,
}

/// An open journal.
pub struct Opened {
    /// The writing end.
    pub appender: Appender,
    /// The reading end.
    pub reader: Reader,
    /// The place after the last record.
    pub tail: Place,
    /// Bytes of a torn group that were cut.
    pub cut_bytes: u64,
}

/// Why a journal was not opened.
#[derive(Debug)]
pub enum OpenFault {
    /// The sizes are not possible.
    Options {
        /// Which rule they break.
        reason: &'static str,
    },
    /// The journal was made with segments of another size.
    SegmentSize {
        /// The segment.
        file: PathBuf,
        /// Its size.
        segment_bytes: u64,
    },
    /// A record is longer than the limit.
    OverLimit {
        /// The segment.
        file: PathBuf,
        /// Where in the segment.
        offset: u64,
        /// Bytes of the record.
        bytes: u32,
    },
    /// Durable records are gone or changed.
    Damaged {
        /// The segment.
        file: PathBuf,
        /// Where in the segment.
        offset: u64,
        /// The seq of the first record that is affected.
        seq: u64,
        /// What proves it.
        damage: Damage,
    },
    /// Written by a program of another version.
    Version {
        /// The segment.
        file: PathBuf,
        /// The version found there.
        version: u16,
    },
    /// The disk refused.
    Disk {
        /// The file or folder.
        file: PathBuf,
        /// What the disk said.
        source: io::Error,
    },
}

impl fmt::Display for OpenFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenFault::Options { reason } => write!(formatter, "the journal cannot have these sizes: {reason}"),
            OpenFault::SegmentSize { file, segment_bytes } => write!(
                formatter,
                "{} belongs to a journal with segments of {segment_bytes} bytes; set that size",
                file.display()
            ),
            OpenFault::OverLimit { file, offset, bytes } => write!(
                formatter,
                "the record in {} at byte {offset} has {bytes} bytes, over the limit; raise the limit to what it was",
                file.display()
            ),
            OpenFault::Damaged { file, offset, seq, damage } => write!(
                formatter,
                "the journal is damaged: {} at byte {offset}, seq {seq}: {damage}. Nothing was changed. Keep a copy of \
                 the folder; if copies of its segments are in an archive or a backup, `florin scrub --data DIR --archive DIR \
                 --repair` puts them in place; else run `florin inspect` to see what is whole, then restore from a backup",
                file.display()
            ),
            OpenFault::Version { file, version } => write!(
                formatter,
                "{} has format version {version}, this program knows {}; use a newer program",
                file.display(),
                segment::FORMAT_VERSION
            ),
            OpenFault::Disk { file, .. } => write!(formatter, "the disk refused {}; check it", file.display()),
        }
    }
}

impl std::error::Error for OpenFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            OpenFault::Disk { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// What is known of a journal before it is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Known {
    /// Where verifying begins: at the start of the segment that holds this place. It was durable.
    pub from: Place,
    /// Another place that was durable. Nothing need follow from it, and it may lie before `from`.
    pub reached: Place,
    /// Records were durable up to this position, whatever stands there now; 0 when nothing is known.
    pub until: u64,
}

impl Known {
    /// Only this place.
    pub fn only(from: Place) -> Known {
        Known { from, reached: from, until: 0 }
    }
}

/// Opens the journal in `folder`, which is created if it is not there.
///
/// Records are verified from the start of the segment that holds `from` to the tail. `from` must be a place that was
/// durable, such as a checkpoint's; records that are missing before it are damage. `Place::start()` trusts nothing and
/// verifies everything.
pub fn open(disk: Arc<dyn Disk>, folder: &Path, options: Options, from: Place) -> Result<Opened, OpenFault> {
    open_known(disk, folder, options, Known::only(from))
}

/// The same, and all that is known to have been durable must be there: the last group of all looks torn when it is damaged,
/// and only who remembers that it was whole can tell.
pub fn open_known(disk: Arc<dyn Disk>, folder: &Path, options: Options, known: Known) -> Result<Opened, OpenFault> {
    options.check()?;
    let opening = Opening { disk, folder, options, known };
    opening.open()
}

impl Options {
    /// These sizes for a journal that is not there yet. For one that is, its own size of segments, as the first of them
    /// tells it, and records that fit in them.
    pub fn of_journal(self, disk: &dyn Disk, folder: &Path) -> Result<Options, OpenFault> {
        let fault = |file: &Path| {
            let file = file.to_owned();
            move |source| OpenFault::Disk { file, source }
        };
        if !disk.exists(folder).map_err(fault(folder))? {
            return Ok(self);
        }
        let names = disk.list(folder).map_err(fault(folder))?;
        let Some(number) = names.iter().filter_map(|name| segment::number_of(name)).min() else { return Ok(self) };
        let path = segment::path(folder, number);
        let file = disk.open(&path, Access::Read).map_err(fault(&path))?;
        let mut bytes = [0; segment::SEGMENT_HEADER_BYTES];
        file.read_at(&mut bytes, 0).map_err(fault(&path))?;
        let segment_bytes = match segment::SegmentHeader::decode(&bytes) {
            Ok(header) => header.segment_bytes,
            Err(_) => file.len().map_err(fault(&path))?,
        };
        if segment_bytes < SEGMENT_BYTES_MIN || !segment_bytes.is_multiple_of(BLOCK_BYTES as u64) {
            // No journal has such segments: opening tells what is wrong with the file.
            return Ok(self);
        }
        let fitting = u32::try_from(segment_bytes - BLOCK_BYTES as u64).unwrap_or(u32::MAX);
        Ok(Options { segment_bytes, record_bytes_max: self.record_bytes_max.min(fitting) })
    }

    fn check(&self) -> Result<(), OpenFault> {
        let reason = if self.segment_bytes < SEGMENT_BYTES_MIN {
            "a segment has at least 65536 bytes"
        } else if !self.segment_bytes.is_multiple_of(BLOCK_BYTES as u64) {
            "a segment is a multiple of 4096 bytes"
        } else if u64::from(self.record_bytes_max) + 4096 > self.segment_bytes {
            "the largest record and 4096 bytes must fit in a segment"
        } else {
            return Ok(());
        };
        Err(OpenFault::Options { reason })
    }
}

struct Opening<'a> {
    disk: Arc<dyn Disk>,
    folder: &'a Path,
    options: Options,
    known: Known,
}

impl Opening<'_> {
    fn open(&self) -> Result<Opened, OpenFault> {
        let numbers = self.list()?;
        let first = self.first_segment();
        self.check_files(&numbers, first)?;
        let reader = Reader::offline(self.disk.clone(), self.folder, self.options);
        let mut walker = Walker::new(reader.clone(), self.begin(&reader, first)?);
        let (stop, last_group) = self.walk(&mut walker)?;
        let place = Place { position: walker.cursor(), ..walker.place() };
        let torn = self.judge(&numbers, place, stop)?;
        if let Some(torn) = &torn {
            let path = segment::path(self.folder, torn.number);
            let file = self.disk.open(&path, Access::Direct).map_err(|source| self.disk_fault(&path, source))?;
            cut::cut(&*file, torn).map_err(|source| self.disk_fault(&path, source))?;
        }
        self.remove_unfinished()?;
        self.make_durable(last_group, place.position)?;
        let tail = self.tail(&walker, place.position)?;
        let next = tail.as_ref().map_or(stop.number, |tail| tail.header.number + 1);
        let preparer = Preparer::start(self.disk.clone(), self.folder, self.options.segment_bytes, next)
            .map_err(|source| self.disk_fault(self.folder, source))?;
        // A new journal gets its first segment now: the first append is then as fast as any, and it is known how the
        // disk writes.
        let fresh = match &tail {
            Some(_) => None,
            None => Some(preparer.take().map_err(|source| self.disk_fault(self.folder, source))?),
        };
        let file = tail.as_ref().map(|tail| &tail.file).or(fresh.as_ref());
        let is_direct = file.is_some_and(|file| file.is_direct());
        reader.publish(place.position);
        let start = Start {
            folder: self.folder.to_owned(),
            segment_bytes: self.options.segment_bytes,
            record_bytes_max: self.options.record_bytes_max,
            place,
            is_direct,
            tail,
            fresh,
            preparer,
            reader: reader.clone(),
        };
        let cut_bytes = torn.map_or(0, |torn| torn.end - torn.begin);
        Ok(Opened { appender: Appender::new(start), reader, tail: place, cut_bytes })
    }

    /// Numbers of the segments that exist, ascending.
    fn list(&self) -> Result<Vec<u64>, OpenFault> {
        self.disk.create_folder(self.folder).map_err(|source| self.disk_fault(self.folder, source))?;
        let names = self.disk.list(self.folder).map_err(|source| self.disk_fault(self.folder, source))?;
        Ok(names.iter().filter_map(|name| segment::number_of(name)).collect())
    }

    /// The segment that holds the record before `from`.
    fn first_segment(&self) -> u64 {
        self.segment_before(self.known.from.position)
    }

    /// The segment that holds what stands before a position.
    fn segment_before(&self, position: u64) -> u64 {
        position.saturating_sub(1) / self.options.segment_bytes
    }

    /// The position that durable records reach at least.
    fn durable_until(&self) -> u64 {
        self.known.from.position.max(self.known.reached.position).max(self.known.until)
    }

    /// Segments must be there without a hole, each with its full length.
    fn check_files(&self, numbers: &[u64], first: u64) -> Result<(), OpenFault> {
        let start = numbers.first().map_or(first, |lowest| first.min(*lowest));
        let last = numbers.last().copied();
        for (expected, number) in (start..).zip(numbers) {
            if expected != *number {
                return Err(self.damaged(expected, 0, self.known.from.seq, Damage::SegmentMissing));
            }
        }
        let needed = self.segment_before(self.durable_until());
        if self.durable_until() > 0 && last.is_none_or(|last| last < needed) {
            return Err(self.damaged(needed, 0, self.known.from.seq, Damage::SegmentMissing));
        }
        for number in numbers.iter().filter(|number| **number >= first) {
            self.check_file(*number)?;
        }
        Ok(())
    }

    fn check_file(&self, number: u64) -> Result<(), OpenFault> {
        let path = segment::path(self.folder, number);
        let fault = |source| self.disk_fault(&path, source);
        let file = self.disk.open(&path, Access::Read).map_err(fault)?;
        let mut bytes = [0; segment::SEGMENT_HEADER_BYTES];
        file.read_at(&mut bytes, 0).map_err(fault)?;
        match segment::SegmentHeader::decode(&bytes) {
            Ok(header) if header.segment_bytes != self.options.segment_bytes => {
                return Err(OpenFault::SegmentSize { file: path, segment_bytes: header.segment_bytes });
            }
            Err(segment::BadSegment::Version(version)) => return Err(OpenFault::Version { file: path, version }),
            _ => {}
        }
        let length = file.len().map_err(fault)?;
        if length != self.options.segment_bytes {
            return Err(self.damaged(number, length, self.known.from.seq, Damage::WrongLength));
        }
        Ok(())
    }

    /// Where the walk begins: at the start of the segment that `from` lies in, so that the records up to `from` are
    /// seen to lead to it.
    fn begin(&self, reader: &Reader, first: u64) -> Result<Place, OpenFault> {
        if first == 0 {
            return Ok(Place::start());
        }
        let path = segment::path(self.folder, first);
        match reader.look(first).map_err(|source| self.disk_fault(&path, source))? {
            Look::Segment(segment) => Ok(Place {
                seq: segment.header.first_seq,
                position: first * self.options.segment_bytes,
                chain: segment.header.chain,
            }),
            _ => Err(self.damaged(first, 0, self.known.from.seq, Damage::BeforeDurable)),
        }
    }

    /// Walks to where no record can be read, and sees that `from` lies on the way. Answers also where the last group begins.
    fn walk(&self, walker: &mut Walker) -> Result<(Stop, Option<u64>), OpenFault> {
        let mut last_group = None;
        loop {
            let place = walker.place();
            let (number, offset) = walker.reader().split(walker.cursor());
            let Known { from, reached, .. } = self.known;
            if [from, reached].iter().any(|known| known.seq == place.seq && known.chain != place.chain) {
                return Err(self.damaged(number, offset, place.seq, Damage::OtherHistory));
            }
            match walker.step().map_err(|fault| self.read_fault(fault))? {
                Step::Record(record) if record.seq == record.group_first_seq => last_group = Some(record.position),
                Step::Record(_) => {}
                Step::Stop(stop) => return Ok((stop, last_group)),
            }
        }
    }

    /// Asks the table, and gives the stretch to cut.
    fn judge(&self, numbers: &[u64], place: Place, stop: Stop) -> Result<Option<Torn>, OpenFault> {
        let path = segment::path(self.folder, stop.number);
        match stop.why {
            Why::Version(version) => return Err(OpenFault::Version { file: path, version }),
            Why::OverLimit(bytes) => return Err(OpenFault::OverLimit { file: path, offset: stop.offset, bytes }),
            _ => {}
        }
        let segment_bytes = self.options.segment_bytes;
        let scene = Scene { disk: &self.disk, folder: self.folder, segment_bytes, numbers, place, stop };
        let found = scene.find().map_err(|source| self.disk_fault(&path, source))?;
        let hole = stop.why == Why::Missing && numbers.last().is_some_and(|last| *last > stop.number);
        let durable = self.is_before_durable(place);
        match decide(&Evidence { durable, hole, beyond: found.beyond, remains: found.remains }) {
            Verdict::CleanEnd => Ok(None),
            Verdict::TornTail => Ok(found.torn),
            Verdict::Damaged(damage) => Err(self.damaged(stop.number, stop.offset, place.seq, damage)),
        }
    }

    /// Whether records are known to have been durable behind a place.
    fn is_before_durable(&self, place: Place) -> bool {
        let Known { from, reached, until } = self.known;
        let until = place::certain_until(until, self.options.segment_bytes);
        place.seq < from.seq.max(reached.seq) || place.position < until
    }

    /// Makes durable what was only read: the names of the segments, and the last group.
    ///
    /// A sync may have failed in the process before this one. What it should have made durable can still be read from the
    /// system's cache and looks as if it were, but a power cut later would take it, from the middle of what was written since. A
    /// group is only written when the one before it is durable, so it is the last one that has to be written again.
    fn make_durable(&self, last_group: Option<u64>, end: u64) -> Result<(), OpenFault> {
        self.disk.sync_folder(self.folder).map_err(|source| self.disk_fault(self.folder, source))?;
        let Some(begin) = last_group else { return Ok(()) };
        let segment_bytes = self.options.segment_bytes;
        for number in begin / segment_bytes..=end.saturating_sub(1) / segment_bytes {
            let first = (number * segment_bytes).max(begin) - number * segment_bytes;
            let last = end.min((number + 1) * segment_bytes) - number * segment_bytes;
            let path = segment::path(self.folder, number);
            let written = self.disk.open(&path, Access::Direct).and_then(|file| cut::write_again(&*file, first, last));
            written.map_err(|source| self.disk_fault(&path, source))?;
        }
        Ok(())
    }

    /// Files that a preparer or a repair did not finish.
    fn remove_unfinished(&self) -> Result<(), OpenFault> {
        let fault = |source| self.disk_fault(self.folder, source);
        for name in self.disk.list(self.folder).map_err(fault)? {
            let unfinished = name.strip_suffix(".new").or_else(|| name.strip_suffix(segment::REPAIR_SUFFIX));
            if unfinished.and_then(segment::number_of).is_some() {
                self.disk.remove(&self.folder.join(name)).map_err(fault)?;
            }
        }
        Ok(())
    }

    /// The segment to go on writing, with the block that the tail lies in. None when the next record opens a segment.
    fn tail(&self, walker: &Walker, position: u64) -> Result<Option<Tail>, OpenFault> {
        let (number, offset) = walker.reader().split(position);
        let Some(segment) = walker.segment().filter(|segment| segment.header.number == number) else {
            return Ok(None);
        };
        let path = segment::path(self.folder, number);
        let fault = |source| self.disk_fault(&path, source);
        let file = self.disk.open(&path, Access::Direct).map_err(fault)?;
        let mut bytes = AlignedBytes::new(BLOCK_BYTES);
        let floor = block_floor(offset);
        let kept = (offset - floor) as usize;
        if file.read_at(&mut bytes, floor).map_err(fault)? < kept {
            return Err(self.disk_fault(&path, io::Error::from(io::ErrorKind::UnexpectedEof)));
        }
        let mut block = [0; BLOCK_BYTES];
        block[..kept].copy_from_slice(&bytes[..kept]);
        Ok(Some(Tail { file, header: segment.header, offset, block }))
    }

    fn damaged(&self, number: u64, offset: u64, seq: u64, damage: Damage) -> OpenFault {
        OpenFault::Damaged { file: segment::path(self.folder, number), offset, seq, damage }
    }

    fn disk_fault(&self, path: &Path, source: io::Error) -> OpenFault {
        OpenFault::Disk { file: path.to_owned(), source }
    }

    fn read_fault(&self, fault: ReadFault) -> OpenFault {
        match fault {
            ReadFault::Read { file, source } => OpenFault::Disk { file, source },
            ReadFault::Version { file, version } => OpenFault::Version { file, version },
            other => OpenFault::Disk { file: self.folder.to_owned(), source: io::Error::other(other) },
        }
    }
}
