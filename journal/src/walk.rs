//! Steps through the journal record by record, and says exactly where and why it cannot go on.
//!
//! Scanning and recovery both walk; what a stop means is theirs to decide.

use crate::block::{AlignedBytes, BLOCK_BYTES, block_floor};
use crate::frame::{BadHeader, FRAME_HEADER_BYTES, FrameHeader, chain_after, frame_bytes, payload_checksum};
use crate::place::Place;
use crate::reader::{Look, ReadFault, Reader, Segment};
use crate::segment::BadSegment;
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// Bytes of one read.
const READ_BYTES: usize = 1 << 20;

/// A point in the journal that moves from record to record.
pub(crate) struct Walker {
    reader: Reader,
    place: Place,
    /// Where the next frame is looked for. Ahead of `place.position` once a segment without records was entered.
    cursor: u64,
    segment: Option<(u64, Arc<Segment>)>,
    window: Window,
}

/// One step.
pub(crate) enum Step {
    Record(Walked),
    Stop(Stop),
}

/// A record that is whole and continues the chain.
pub(crate) struct Walked {
    pub(crate) seq: u64,
    pub(crate) position: u64,
    payload: Range<usize>,
    /// The seq of the first record of its group.
    pub(crate) group_first_seq: u64,
}

/// Where no record could be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stop {
    pub(crate) number: u64,
    pub(crate) offset: u64,
    pub(crate) why: Why,
}

/// Why no record could be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Why {
    /// The published end.
    Tail,
    /// Zeros, and no next segment that continues.
    Zeros,
    /// The segment is not there.
    Missing,
    /// The segment's header is zeros or something else.
    SegmentHeader,
    /// The segment's header is whole and does not continue the chain.
    OtherSegment,
    /// The next segment continues, but the rest of this one is not zeros.
    Gap,
    /// Something that is no whole frame.
    Bytes,
    /// A whole frame, or the whole header of one, that does not continue.
    OtherFrame,
    /// A whole header of a record longer than allowed.
    OverLimit(u32),
    /// Written by another version.
    Version(u16),
}

impl Walker {
    pub(crate) fn new(reader: Reader, from: Place) -> Walker {
        let window = Window { bytes: AlignedBytes::new(READ_BYTES), number: 0, start: 0, end: 0 };
        Walker { reader, place: from, cursor: from.position, segment: None, window }
    }

    /// The place after the last record.
    pub(crate) fn place(&self) -> Place {
        self.place
    }

    pub(crate) fn cursor(&self) -> u64 {
        self.cursor
    }

    pub(crate) fn reader(&self) -> &Reader {
        &self.reader
    }

    /// The segment under the cursor, if its header is whole.
    pub(crate) fn segment(&self) -> Option<&Arc<Segment>> {
        self.segment.as_ref().map(|(_, segment)| segment)
    }

    /// The payload of the record that the last step gave.
    pub(crate) fn payload(&self, walked: &Walked) -> &[u8] {
        &self.window.bytes[walked.payload.clone()]
    }

    /// Goes to the next record.
    pub(crate) fn step(&mut self) -> Result<Step, ReadFault> {
        loop {
            let (number, offset) = self.reader.split(self.cursor);
            if self.cursor >= self.reader.tail() {
                return Ok(Step::Stop(Stop { number, offset, why: Why::Tail }));
            }
            if let Some(why) = self.enter(number).map_err(|source| self.reader.read_fault(number, source))? {
                return Ok(Step::Stop(Stop { number, offset: 0, why }));
            }
            let found = self.frame(number, offset).map_err(|source| self.reader.read_fault(number, source))?;
            match found {
                Ok(walked) => return Ok(Step::Record(walked)),
                Err(Why::Zeros) => {}
                Err(why) => return Ok(Step::Stop(Stop { number, offset, why })),
            }
            let hop = self.hop(number, offset).map_err(|source| self.reader.read_fault(number, source))?;
            if let Some(why) = hop {
                return Ok(Step::Stop(Stop { number, offset, why }));
            }
        }
    }

    /// Makes `number` the segment under the cursor. A segment that is entered at its start must continue the chain.
    fn enter(&mut self, number: u64) -> io::Result<Option<Why>> {
        if self.segment.as_ref().is_some_and(|(current, _)| *current == number) {
            return Ok(None);
        }
        self.segment = None;
        let segment = match self.reader.look(number)? {
            Look::Segment(segment) => segment,
            Look::Missing => return Ok(Some(Why::Missing)),
            Look::Bad(BadSegment::Version(version)) => return Ok(Some(Why::Version(version))),
            // Prepared, and never written to: a crash before the first record leaves that.
            Look::Bad(BadSegment::Zeros) => return Ok(Some(Why::Zeros)),
            Look::Bad(BadSegment::Bytes) => return Ok(Some(Why::SegmentHeader)),
        };
        let at_start = self.cursor.is_multiple_of(self.reader.segment_bytes());
        if at_start && !self.continues(&segment) {
            return Ok(Some(Why::OtherSegment));
        }
        self.segment = Some((number, segment));
        Ok(None)
    }

    fn continues(&self, segment: &Segment) -> bool {
        segment.header.first_seq == self.place.seq && segment.header.chain == self.place.chain
    }

    /// Reads the frame at an offset of the entered segment and moves behind it.
    fn frame(&mut self, number: u64, offset: u64) -> io::Result<Result<Walked, Why>> {
        let Some((_, segment)) = self.segment.clone() else { return Ok(Err(Why::Missing)) };
        let segment_bytes = self.reader.segment_bytes();
        if offset + FRAME_HEADER_BYTES as u64 > segment_bytes {
            return Ok(Err(Why::Zeros));
        }
        let position = number * segment_bytes + offset;
        let range = self.window.load(&self.reader, &segment, number, offset, FRAME_HEADER_BYTES)?;
        let Some(head) = self.window.bytes[range].first_chunk::<FRAME_HEADER_BYTES>() else {
            return Ok(Err(Why::Bytes));
        };
        let header = match FrameHeader::decode(head, segment.salt, position) {
            Ok(header) => header,
            Err(BadHeader::Zeros) => return Ok(Err(Why::Zeros)),
            Err(BadHeader::Bytes) => return Ok(Err(Why::Bytes)),
            Err(BadHeader::Version(version)) => return Ok(Err(Why::Version(version.into()))),
        };
        if header.seq != self.place.seq || header.group_first_seq > header.seq {
            return Ok(Err(Why::OtherFrame));
        }
        // Both limits come before memory is spent on a length that a disk has told.
        if offset + frame_bytes(header.length) > segment_bytes {
            return Ok(Err(Why::Bytes));
        }
        if header.length > self.reader.record_bytes_max() {
            return Ok(Err(Why::OverLimit(header.length)));
        }
        let frame = frame_bytes(header.length) as usize;
        let range = self.window.load(&self.reader, &segment, number, offset, frame)?;
        if range.len() < frame {
            return Ok(Err(Why::Bytes));
        }
        let padded = &self.window.bytes[range.start + FRAME_HEADER_BYTES..range.end];
        if payload_checksum(padded) != header.payload_checksum {
            return Ok(Err(Why::Bytes));
        }
        let chain = chain_after(&self.place.chain, header.seq, &padded[..header.length as usize]);
        if chain != header.chain {
            return Ok(Err(Why::OtherFrame));
        }
        let begin = range.start + FRAME_HEADER_BYTES;
        self.cursor = position + frame as u64;
        self.place = Place { seq: header.seq + 1, position: self.cursor, chain };
        let payload = begin..begin + header.length as usize;
        Ok(Ok(Walked { seq: header.seq, position, payload, group_first_seq: header.group_first_seq }))
    }

    /// Moves to the next segment if that continues the chain and the rest of this one is zeros.
    fn hop(&mut self, number: u64, offset: u64) -> io::Result<Option<Why>> {
        let Some((_, segment)) = self.segment.clone() else { return Ok(Some(Why::Missing)) };
        let Look::Segment(next) = self.reader.look(number + 1)? else { return Ok(Some(Why::Zeros)) };
        if !self.continues(&next) {
            return Ok(Some(Why::Zeros));
        }
        let segment_bytes = self.reader.segment_bytes();
        let mut at = offset;
        while at < segment_bytes {
            let count = (segment_bytes - at).min(READ_BYTES as u64 / 2) as usize;
            let range = self.window.load(&self.reader, &segment, number, at, count)?;
            if range.len() < count || self.window.bytes[range].iter().any(|byte| *byte != 0) {
                return Ok(Some(Why::Gap));
            }
            at += count as u64;
        }
        self.cursor = (number + 1) * segment_bytes;
        Ok(None)
    }
}

/// A stretch of a segment in memory.
struct Window {
    bytes: AlignedBytes,
    number: u64,
    start: u64,
    end: u64,
}

impl Window {
    /// Has `count` bytes from `offset` in memory and says where. Fewer when the file, or what may be read of it, ends.
    fn load(
        &mut self,
        reader: &Reader,
        segment: &Segment,
        number: u64,
        offset: u64,
        count: usize,
    ) -> io::Result<Range<usize>> {
        let held = self.number == number && self.start <= offset && offset + count as u64 <= self.end;
        if !held {
            self.fill(reader, segment, number, offset, count)?;
        }
        let begin = (offset.min(self.end) - self.start) as usize;
        let end = ((offset + count as u64).min(self.end) - self.start) as usize;
        Ok(begin..end)
    }

    fn fill(&mut self, reader: &Reader, segment: &Segment, number: u64, offset: u64, count: usize) -> io::Result<()> {
        let start = block_floor(offset);
        let needed = ((offset - start) as usize + count).next_multiple_of(BLOCK_BYTES);
        if needed > self.bytes.len() {
            // Doubling would end above the limit of a record; a block more is always enough.
            self.bytes = AlignedBytes::new(needed);
        } else if self.bytes.len() > READ_BYTES && needed <= READ_BYTES {
            self.bytes = AlignedBytes::new(READ_BYTES);
        }
        // Only what was published before the read is believed: later bytes may be half written.
        let limit = reader.tail().saturating_sub(number * reader.segment_bytes());
        self.end = start;
        let count = segment.file.read_at(&mut self.bytes, start)?;
        self.number = number;
        self.start = start;
        self.end = (start + count as u64).min(limit).max(start).min(reader.segment_bytes());
        Ok(())
    }
}
