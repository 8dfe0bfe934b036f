//! Records that become durable together.
//!
//! A group is filled by one thread and sealed and written by another. Filling decides where each record goes, so a
//! record's seq and position are known before it is written; sealing adds what depends on the record before (the chain).

use crate::frame::{FRAME_HEADER_BYTES, FrameHeader, chain_after, frame_bytes, payload_checksum};
use crate::open::RECORD_BYTES_MAX;
use crate::place::Place;
use crate::segment::{SegmentHeader, past_header};
use std::fmt;
use std::ops::Range;

/// Records in the order in which they will stand in the journal.
pub struct Group {
    segment_bytes: u64,
    record_bytes_max: u32,
    start_seq: u64,
    start_position: u64,
    next_position: u64,
    /// The frames, one after the other.
    bytes: Vec<u8>,
    frames: Vec<Slot>,
    /// The runs of frames that lie in one segment each, in order. Almost always one.
    parts: Vec<Part>,
}

/// Where one frame lies.
struct Slot {
    begin: usize,
    length: u32,
}

/// The frames of a group that lie in one segment, one after the other.
#[derive(Clone)]
pub(crate) struct Part {
    pub(crate) segment: u64,
    pub(crate) offset: u64,
    pub(crate) bytes: Range<usize>,
    pub(crate) frames: Range<usize>,
}

/// What a record got when it was pushed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pushed {
    /// The seq of the record.
    pub seq: u64,
    /// Where the record will stand; [`crate::reader::Reader::read`] finds it there once it is durable.
    pub position: u64,
}

/// The record is larger than a record may be. The group is as it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooLarge {
    /// Bytes of the record.
    pub bytes: usize,
    /// Bytes a record may have.
    pub bytes_max: u32,
}

impl fmt::Display for TooLarge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "a record of {} bytes is over the limit of {}; split what it holds",
            self.bytes, self.bytes_max
        )
    }
}

impl std::error::Error for TooLarge {}

impl Group {
    /// An empty group that begins where the group before it (or the journal) ends. Records may have
    /// [`RECORD_BYTES_MAX`] bytes, or what fits in a segment if that is less.
    pub fn new(start_seq: u64, start_position: u64, segment_bytes: u64) -> Group {
        let fitting = u32::try_from(segment_bytes.saturating_sub(4096)).unwrap_or(u32::MAX);
        Group {
            segment_bytes,
            record_bytes_max: RECORD_BYTES_MAX.min(fitting),
            start_seq,
            start_position,
            next_position: start_position,
            bytes: Vec::new(),
            frames: Vec::new(),
            parts: Vec::new(),
        }
    }

    /// The same group with another limit for records: the one given to [`crate::open::Options`].
    pub fn with_record_bytes_max(mut self, record_bytes_max: u32) -> Group {
        assert!(u64::from(record_bytes_max) + 4096 <= self.segment_bytes, "a record must fit in a segment");
        self.record_bytes_max = record_bytes_max;
        self
    }

    /// Empties the group and moves it, keeping its memory.
    pub fn reset(&mut self, seq: u64, position: u64) {
        self.start_seq = seq;
        self.start_position = position;
        self.next_position = position;
        self.bytes.clear();
        self.frames.clear();
        self.parts.clear();
    }

    /// Adds a record. `encode` appends the payload to the bytes it is given and leaves those already there alone.
    pub fn push(&mut self, encode: impl FnOnce(&mut Vec<u8>)) -> Result<Pushed, TooLarge> {
        let begin = self.bytes.len();
        self.bytes.resize(begin + FRAME_HEADER_BYTES, 0);
        encode(&mut self.bytes);
        let payload = self.bytes.len().checked_sub(begin + FRAME_HEADER_BYTES).expect("encode only appends");
        let Some(length) = u32::try_from(payload).ok().filter(|length| *length <= self.record_bytes_max) else {
            self.bytes.truncate(begin);
            return Err(TooLarge { bytes: payload, bytes_max: self.record_bytes_max });
        };
        let frame = frame_bytes(length);
        self.bytes.resize(begin + frame as usize, 0);
        let position = self.place_frame(begin, frame);
        let seq = self.next_seq();
        self.frames.push(Slot { begin, length });
        self.next_position = position + frame;
        Ok(Pushed { seq, position })
    }

    /// Chooses the position of a frame and enters it into the parts: after the frame before it or, when the rest of the
    /// segment is too short, at the start of the next segment.
    fn place_frame(&mut self, begin: usize, frame: u64) -> u64 {
        let mut segment = self.next_position / self.segment_bytes;
        let mut offset = past_header(self.next_position % self.segment_bytes);
        if offset + frame > self.segment_bytes {
            segment += 1;
            offset = past_header(0);
        }
        assert!(offset + frame <= self.segment_bytes, "a record within the limit fits in an empty segment");
        let bytes = begin..begin + frame as usize;
        let index = self.frames.len();
        match self.parts.last_mut() {
            Some(part) if part.segment == segment => {
                part.bytes.end = bytes.end;
                part.frames.end = index + 1;
            }
            _ => self.parts.push(Part { segment, offset, bytes, frames: index..index + 1 }),
        }
        segment * self.segment_bytes + offset
    }

    /// The seq of the first record.
    pub fn start_seq(&self) -> u64 {
        self.start_seq
    }

    /// Where the group begins.
    pub fn start_position(&self) -> u64 {
        self.start_position
    }

    /// The seq that a following group begins with.
    pub fn next_seq(&self) -> u64 {
        self.start_seq + self.frames.len() as u64
    }

    /// The position at which a following group begins.
    pub fn next_position(&self) -> u64 {
        self.next_position
    }

    /// How many records are in the group.
    pub fn records_count(&self) -> usize {
        self.frames.len()
    }

    /// Bytes of all frames.
    pub fn bytes_count(&self) -> usize {
        self.bytes.len()
    }

    /// True when no record is in the group.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// The payload of the record with this index in the group. Panics past [`Group::records_count`].
    pub fn payload(&self, index: usize) -> &[u8] {
        let slot = &self.frames[index];
        let begin = slot.begin + FRAME_HEADER_BYTES;
        &self.bytes[begin..begin + slot.length as usize]
    }

    /// The chain hash of the record with this index, once the group was appended; zeros before. Panics past
    /// [`Group::records_count`].
    pub fn chain(&self, index: usize) -> [u8; 32] {
        let header = &self.bytes[self.frames[index].begin..][..FRAME_HEADER_BYTES];
        header.last_chunk().copied().expect("a header ends with the chain hash")
    }

    pub(crate) fn segment_bytes(&self) -> u64 {
        self.segment_bytes
    }

    pub(crate) fn parts_count(&self) -> usize {
        self.parts.len()
    }

    pub(crate) fn part(&self, index: usize) -> Part {
        self.parts[index].clone()
    }

    pub(crate) fn part_bytes(&self, part: &Part) -> &[u8] {
        &self.bytes[part.bytes.clone()]
    }

    /// Writes the headers of the frames of one part. `before` is the place before the part; gives the one after it.
    pub(crate) fn seal(&mut self, part: &Part, header: &SegmentHeader, before: Place) -> Place {
        let salt = header.salt();
        let mut place = before;
        for index in part.frames.clone() {
            let Slot { begin, length } = self.frames[index];
            let frame = &mut self.bytes[begin..begin + frame_bytes(length) as usize];
            let payload = &frame[FRAME_HEADER_BYTES..FRAME_HEADER_BYTES + length as usize];
            let chain = chain_after(&place.chain, place.seq, payload);
            let position = part.segment * self.segment_bytes + part.offset + (begin - part.bytes.start) as u64;
            let header = FrameHeader {
                payload_checksum: payload_checksum(&frame[FRAME_HEADER_BYTES..]),
                length,
                seq: place.seq,
                group_first_seq: self.start_seq,
                chain,
            };
            header.encode(frame, salt, position);
            place = Place { seq: place.seq + 1, position: position + frame.len() as u64, chain };
        }
        place
    }

    pub(crate) fn record_bytes_max(&self) -> u32 {
        self.record_bytes_max
    }
}
