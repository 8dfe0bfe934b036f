//! Segments: names, the header of 128 bytes, and where a frame goes.
//!
//! | at | bytes | field |
//! |---|---|---|
//! | 0 | 8 | `FLORINJ1` |
//! | 8 | 4 | checksum of the bytes from 12 to 128; also the start value of the header checksums of the segment's frames |
//! | 12 | 2 | version, 1 |
//! | 14 | 2 | flags, 0 |
//! | 16 | 8 | bytes of a segment |
//! | 24 | 8 | number of this segment |
//! | 32 | 8 | seq of its first record |
//! | 40 | 32 | chain hash before its first record |
//! | 72 | 56 | zeros |

use crate::frame::{FRAME_HEADER_BYTES, u32_at, u64_at};
use std::path::{Path, PathBuf};

/// Bytes before the first frame of a segment.
pub(crate) const SEGMENT_HEADER_BYTES: usize = 128;
/// The version of the format that this program writes and reads.
pub(crate) const FORMAT_VERSION: u16 = 1;
/// Ends the name of a copy that is to take the place of a damaged segment.
pub(crate) const REPAIR_SUFFIX: &str = ".repair";
const SEGMENT_MAGIC: [u8; 8] = *b"FLORINJ1";
const _: () = assert!(SEGMENT_HEADER_BYTES + FRAME_HEADER_BYTES <= 4096, "a largest record fits beside both headers");

/// What a segment says about itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SegmentHeader {
    pub(crate) segment_bytes: u64,
    pub(crate) number: u64,
    pub(crate) first_seq: u64,
    pub(crate) chain: [u8; 32],
}

/// Why 128 bytes are no segment header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BadSegment {
    /// All zeros: prepared, not yet used.
    Zeros,
    /// Something else than a header.
    Bytes,
    /// A whole header of a version this program does not know.
    Version(u16),
}

impl SegmentHeader {
    /// The bytes of the header.
    pub(crate) fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        bytes[0..8].copy_from_slice(&SEGMENT_MAGIC);
        bytes[12..14].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.segment_bytes.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.number.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.first_seq.to_le_bytes());
        bytes[40..72].copy_from_slice(&self.chain);
        let checksum = crc32fast::hash(&bytes[12..]);
        bytes[8..12].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads a header.
    pub(crate) fn decode(bytes: &[u8; SEGMENT_HEADER_BYTES]) -> Result<SegmentHeader, BadSegment> {
        if bytes.iter().all(|byte| *byte == 0) {
            return Err(BadSegment::Zeros);
        }
        if bytes[0..8] != SEGMENT_MAGIC || u32_at(bytes, 8) != crc32fast::hash(&bytes[12..]) {
            return Err(BadSegment::Bytes);
        }
        let version = u16::from_le_bytes([bytes[12], bytes[13]]);
        if version != FORMAT_VERSION {
            return Err(BadSegment::Version(version));
        }
        let mut chain = [0; 32];
        chain.copy_from_slice(&bytes[40..72]);
        Ok(SegmentHeader {
            segment_bytes: u64_at(bytes, 16),
            number: u64_at(bytes, 24),
            first_seq: u64_at(bytes, 32),
            chain,
        })
    }

    /// The start value of the header checksums of the frames in this segment.
    pub(crate) fn salt(&self) -> u32 {
        u32_at(&self.encode(), 8)
    }
}

/// The offset in its segment where the frame at `offset` really begins: never inside the header.
pub(crate) fn past_header(offset: u64) -> u64 {
    offset.max(SEGMENT_HEADER_BYTES as u64)
}

/// The path of a segment.
pub(crate) fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:020}.seg"))
}

/// The path of a segment that is being prepared.
pub(crate) fn new_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:020}.seg.new"))
}

/// The path of a copy that is to take the place of a damaged segment.
pub(crate) fn repair_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:020}.seg{REPAIR_SUFFIX}"))
}

/// The number of the segment that a file name stands for.
pub(crate) fn number_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".seg")?;
    if digits.len() != 20 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}
