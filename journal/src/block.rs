//! Memory that starts at a multiple of the block size, as direct reads and writes demand.

use std::ops::{Deref, DerefMut};

/// The unit of direct writes. Every sector size in use divides it.
pub const BLOCK_BYTES: usize = 4096;

/// Zeroed bytes aligned to [`BLOCK_BYTES`]: a vector with one block too many, used from its first aligned byte. The
/// vector is never resized, so its memory stays where it is.
pub struct AlignedBytes {
    memory: Vec<u8>,
    begin: usize,
    length: usize,
}

impl AlignedBytes {
    /// So many zeroed bytes.
    pub fn new(length: usize) -> AlignedBytes {
        let memory = vec![0u8; length + BLOCK_BYTES];
        let begin = memory.as_ptr().align_offset(BLOCK_BYTES);
        assert!(begin < BLOCK_BYTES, "a byte pointer can always be aligned");
        AlignedBytes { memory, begin, length }
    }
}

impl Deref for AlignedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory[self.begin..self.begin + self.length]
    }
}

impl DerefMut for AlignedBytes {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.begin..self.begin + self.length]
    }
}

/// The start of the block that holds `offset`.
pub(crate) fn block_floor(offset: u64) -> u64 {
    offset & !(BLOCK_BYTES as u64 - 1)
}

/// The end of the block that holds the byte before `offset`.
pub(crate) fn block_ceil(offset: u64) -> u64 {
    block_floor(offset + (BLOCK_BYTES as u64 - 1))
}
