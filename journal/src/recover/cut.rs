//! Overwrites a torn tail with zeros.
//!
//! Torn frames must not stay: a later group could end exactly before one of them, and if it holds the same records, even
//! the chain would fit.

use crate::block::{AlignedBytes, BLOCK_BYTES, block_ceil, block_floor};
use crate::disk::File;
use crate::recover::evidence::Torn;
use std::io;

/// Bytes of one write.
const CUT_BYTES: usize = 1 << 20;

/// Zeroes the torn stretch, durably. What stands before it in its first block is written again as it is.
pub(crate) fn cut(file: &dyn File, torn: &Torn) -> io::Result<()> {
    let mut bytes = AlignedBytes::new(CUT_BYTES);
    let mut at = block_floor(torn.begin);
    let end = block_ceil(torn.end);
    let kept = (torn.begin - at) as usize;
    if kept > 0 {
        let count = file.read_at(&mut bytes[..BLOCK_BYTES], at)?;
        if count < kept {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        bytes[kept..BLOCK_BYTES].fill(0);
    }
    while at < end {
        let count = (end - at).min(bytes.len() as u64) as usize;
        file.write_at(&bytes[..count], at)?;
        bytes[..kept].fill(0);
        at += count as u64;
    }
    file.sync()
}
