//! The frame around a record: 64 bytes of header, the payload, zeros up to a multiple of 8.
//!
//! | at | bytes | field |
//! |---|---|---|
//! | 0 | 2 | `FL` |
//! | 2 | 1 | version, 1 |
//! | 3 | 1 | flags, 0 |
//! | 4 | 4 | header checksum |
//! | 8 | 4 | payload checksum, over payload and padding |
//! | 12 | 4 | payload length |
//! | 16 | 8 | seq |
//! | 24 | 8 | seq of the first record of the group |
//! | 32 | 32 | chain hash |
//! | 64 | | payload, padding |
//!
//! The header checksum starts from the checksum of the segment's header and covers the position of the frame, so a frame
//! found inside a payload, in another segment or at another offset is no frame. It also means that what a client sends
//! cannot pass for one: past the first segment the start value depends on the hash of all records before.

use sha2::{Digest, Sha256};

/// Frames begin at multiples of this.
pub(crate) const FRAME_ALIGN: u64 = 8;
/// Bytes of a frame before its payload.
pub(crate) const FRAME_HEADER_BYTES: usize = 64;
/// The first four bytes of each frame: letters, version, flags.
pub(crate) const FRAME_MAGIC: [u8; 4] = [b'F', b'L', 1, 0];

/// The header of a frame, as found or as it will be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FrameHeader {
    pub(crate) payload_checksum: u32,
    pub(crate) length: u32,
    pub(crate) seq: u64,
    pub(crate) group_first_seq: u64,
    pub(crate) chain: [u8; 32],
}

/// Why 64 bytes are no frame header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BadHeader {
    /// All zeros: nothing was written here.
    Zeros,
    /// Something else than a header.
    Bytes,
    /// A whole header of a version this program does not know.
    Version(u8),
}

impl FrameHeader {
    /// Writes the header into the first bytes of `frame`.
    pub(crate) fn encode(&self, frame: &mut [u8], salt: u32, position: u64) {
        frame[0..4].copy_from_slice(&FRAME_MAGIC);
        frame[8..12].copy_from_slice(&self.payload_checksum.to_le_bytes());
        frame[12..16].copy_from_slice(&self.length.to_le_bytes());
        frame[16..24].copy_from_slice(&self.seq.to_le_bytes());
        frame[24..32].copy_from_slice(&self.group_first_seq.to_le_bytes());
        frame[32..64].copy_from_slice(&self.chain);
        let checksum = header_checksum(salt, position, &frame[..FRAME_HEADER_BYTES]);
        frame[4..8].copy_from_slice(&checksum.to_le_bytes());
    }

    /// Reads a header that stands at `position`. The checksum decides; the fields still have to make sense to the caller.
    pub(crate) fn decode(bytes: &[u8; FRAME_HEADER_BYTES], salt: u32, position: u64) -> Result<FrameHeader, BadHeader> {
        if bytes.iter().all(|byte| *byte == 0) {
            return Err(BadHeader::Zeros);
        }
        if bytes[0..2] != FRAME_MAGIC[0..2] || u32_at(bytes, 4) != header_checksum(salt, position, bytes) {
            return Err(BadHeader::Bytes);
        }
        if bytes[2..4] != FRAME_MAGIC[2..4] {
            return Err(BadHeader::Version(bytes[2]));
        }
        let mut chain = [0; 32];
        chain.copy_from_slice(&bytes[32..64]);
        Ok(FrameHeader {
            payload_checksum: u32_at(bytes, 8),
            length: u32_at(bytes, 12),
            seq: u64_at(bytes, 16),
            group_first_seq: u64_at(bytes, 24),
            chain,
        })
    }

    /// Bytes of the whole frame.
    pub(crate) fn frame_bytes(&self) -> u64 {
        frame_bytes(self.length)
    }
}

/// Bytes of a frame with a payload of `length`.
pub(crate) fn frame_bytes(length: u32) -> u64 {
    (FRAME_HEADER_BYTES as u64 + u64::from(length)).next_multiple_of(FRAME_ALIGN)
}

/// The checksum of a payload with its padding.
pub(crate) fn payload_checksum(padded: &[u8]) -> u32 {
    crc32fast::hash(padded)
}

/// The chain hash after a record.
pub(crate) fn chain_after(before: &[u8; 32], seq: u64, payload: &[u8]) -> [u8; 32] {
    let mut head = [0u8; 44];
    head[..32].copy_from_slice(before);
    head[32..40].copy_from_slice(&seq.to_le_bytes());
    head[40..44].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    Sha256::new().chain_update(head).chain_update(payload).finalize().into()
}

fn header_checksum(salt: u32, position: u64, header: &[u8]) -> u32 {
    // One update of 68 bytes is faster than three small ones.
    let mut covered = [0u8; 68];
    covered[0..8].copy_from_slice(&position.to_le_bytes());
    covered[8..12].copy_from_slice(&header[0..4]);
    covered[12..68].copy_from_slice(&header[8..64]);
    let mut hasher = crc32fast::Hasher::new_with_initial(salt);
    hasher.update(&covered);
    hasher.finalize()
}

/// The little-endian number at `at`. The caller has checked the bounds.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(number)
}

/// The little-endian number at `at`. The caller has checked the bounds.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(number)
}
