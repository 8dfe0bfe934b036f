//! Collects what the recovery table wants to know.

use crate::block::AlignedBytes;
use crate::disk::{Access, Disk, File};
use crate::frame::{FRAME_ALIGN, FRAME_HEADER_BYTES, FRAME_MAGIC, FrameHeader};
use crate::place::Place;
use crate::recover::Remains;
use crate::segment::{self, SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::walk::{Stop, Why};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Bytes of one read.
const READ_BYTES: usize = 1 << 20;

/// Where the walk stopped and what files there are.
pub(crate) struct Scene<'a> {
    pub(crate) disk: &'a Arc<dyn Disk>,
    pub(crate) folder: &'a Path,
    pub(crate) segment_bytes: u64,
    /// Segment numbers, ascending.
    pub(crate) numbers: &'a [u64],
    /// The place after the last whole record.
    pub(crate) place: Place,
    pub(crate) stop: Stop,
}

/// What was found after the stop.
pub(crate) struct Found {
    pub(crate) beyond: bool,
    pub(crate) remains: Remains,
    /// The bytes that a cut has to overwrite.
    pub(crate) torn: Option<Torn>,
}

/// A stretch of one segment that is not zeros.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Torn {
    pub(crate) number: u64,
    pub(crate) begin: u64,
    pub(crate) end: u64,
}

impl Scene<'_> {
    /// Looks at everything from the stop to the end of the last segment.
    pub(crate) fn find(&self) -> io::Result<Found> {
        // A write enters a segment only after all before it is durable. So torn can be the segment of the stop or, when
        // records stand there and the rest is clean, the one after it: the record did not fit.
        let may_be_next = self.stop.why == Why::Zeros && self.stop.offset > SEGMENT_HEADER_BYTES as u64;
        let last = self.stop.number + u64::from(may_be_next);
        let mut torn = None;
        let mut beyond = false;
        for &number in self.numbers.iter().filter(|number| **number >= self.stop.number) {
            let begin = if number == self.stop.number { self.stop.offset } else { 0 };
            let Some(end) = self.used_end(number, begin)? else { continue };
            match torn {
                None if number <= last => torn = Some(Torn { number, begin, end }),
                _ => beyond = true,
            }
        }
        let Some(torn) = torn else { return Ok(Found { beyond, remains: Remains::Zeros, torn: None }) };
        let mut remains = self.remains(&torn)?;
        if self.stop.why == Why::OtherFrame {
            remains = Remains::Other;
        }
        // No crash makes a whole header that does not continue: it is a segment of another time or place.
        beyond |= torn.begin == 0 && self.header(torn.number)?.is_some();
        Ok(Found { beyond, remains, torn: Some(torn) })
    }

    fn open(&self, number: u64) -> io::Result<Arc<dyn File>> {
        self.disk.open(&segment::path(self.folder, number), Access::Read)
    }

    /// The end of the last byte at or after `begin` that is not zero.
    fn used_end(&self, number: u64, begin: u64) -> io::Result<Option<u64>> {
        let file = self.open(number)?;
        let mut bytes = AlignedBytes::new(READ_BYTES);
        let mut used = None;
        let mut at = begin;
        loop {
            let count = file.read_at(&mut bytes, at)?;
            if count == 0 {
                return Ok(used);
            }
            if let Some(last) = last_used(&bytes[..count]) {
                used = Some(at + last as u64 + 1);
            }
            at += count as u64;
        }
    }

    /// The header of a segment file if it is whole, whichever segment it says it is.
    fn header(&self, number: u64) -> io::Result<Option<SegmentHeader>> {
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        let count = self.open(number)?.read_at(&mut bytes, 0)?;
        Ok(SegmentHeader::decode(&bytes).ok().filter(|_| count == bytes.len()))
    }

    /// Looks for the headers of frames in the torn stretch. A header is proof enough that its group was being written;
    /// the payload may be torn.
    fn remains(&self, torn: &Torn) -> io::Result<Remains> {
        let expected = SegmentHeader {
            segment_bytes: self.segment_bytes,
            number: torn.number,
            first_seq: self.place.seq,
            chain: self.place.chain,
        };
        let salt = self.header(torn.number)?.unwrap_or(expected).salt();
        let begin = torn.begin.next_multiple_of(FRAME_ALIGN);
        let file = self.open(torn.number)?;
        let mut bytes = vec![0; READ_BYTES + FRAME_HEADER_BYTES];
        let mut strongest = Remains::Bytes;
        let mut at = begin;
        while at < torn.end {
            // Each read overlaps the next by a header, so that none is missed on the border.
            let count = file.read_at(&mut bytes, at)?;
            for start in (0..READ_BYTES).step_by(FRAME_ALIGN as usize) {
                let Some(head) = bytes[..count].get(start..).and_then(|rest| rest.first_chunk()) else { break };
                if head[..2] != FRAME_MAGIC[..2] {
                    continue;
                }
                let position = torn.number * self.segment_bytes + at + start as u64;
                if let Ok(header) = FrameHeader::decode(head, salt, position) {
                    strongest = strongest.max(self.classify(&header));
                }
            }
            at += READ_BYTES as u64;
        }
        Ok(strongest)
    }

    fn classify(&self, header: &FrameHeader) -> Remains {
        // Of a group that began at or before the missing record, whatever its records are: one in flight when a write failed may have
        // left some behind the tail, and come after those that were written in its place.
        if header.group_first_seq <= self.place.seq { Remains::SameGroup } else { Remains::LaterGroup }
    }
}

fn last_used(bytes: &[u8]) -> Option<usize> {
    // Whole blocks of zeros, by far the most common, compare faster than byte by byte.
    if bytes.chunks(64).all(|chunk| chunk.iter().fold(0, |sum, byte| sum | byte) == 0) {
        return None;
    }
    bytes.iter().rposition(|byte| *byte != 0)
}
