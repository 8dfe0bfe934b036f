//! Writes at the end of a journal that is being opened: overwrites a torn tail with zeros, writes the last group again.
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

/// Writes a stretch again as it is read, durably.
pub(crate) fn write_again(file: &dyn File, begin: u64, end: u64) -> io::Result<()> {
    let mut bytes = AlignedBytes::new(CUT_BYTES.min((block_ceil(end) - block_floor(begin)) as usize));
    let mut at = block_floor(begin);
    while at < block_ceil(end) {
        let count = (block_ceil(end) - at).min(bytes.len() as u64) as usize;
        if file.read_at(&mut bytes[..count], at)? < count {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        file.write_at(&bytes[..count], at)?;
        at += count as u64;
    }
    file.sync()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Access, Disk, MemoryDisk};
    use std::path::Path;

    /// Proves that a cut longer than one write keeps what stands before it, zeroes all of it, and is durable.
    #[test]
    fn long_cut_is_exact_and_durable() {
        let path = Path::new("/data/torn");
        for disk in [MemoryDisk::new(), MemoryDisk::buffered()] {
            disk.set_contents(path, &vec![7; 4 * CUT_BYTES]);
            let torn = Torn { number: 0, begin: 100, end: 5 * CUT_BYTES as u64 / 2 };
            cut(&*disk.open(path, Access::Direct).unwrap(), &torn).unwrap();
            for seed in 0..5 {
                let bytes = disk.crash(seed).contents(path).unwrap();
                assert!(bytes[..100].iter().all(|byte| *byte == 7));
                assert!(bytes[100..5 * CUT_BYTES / 2].iter().all(|byte| *byte == 0));
                assert!(bytes[block_ceil(torn.end) as usize..].iter().all(|byte| *byte == 7));
            }
        }
    }
}
