//! The manifest of dated rows: which runs count, and how far they reach.
//!
//! ```text
//! 0   8  "florindt"
//! 8   4  format version, 1
//! 12  4  number of runs
//! 16  8  every dated row before this one is in the runs
//! 24  8  the random part of the id of the row before that, or 0: rows of another journal have another
//! 32  16 for each run: its number, its entries
//! …   4  CRC-32 of everything before
//! ```
//!
//! It is replaced as a whole: a new one is written beside it, synced, and renamed over it.

use crate::index::{IndexFault, manifest};
use journal::disk::Disk;
use std::path::Path;

const MAGIC: &[u8; 8] = b"florindt";
const VERSION: u32 = 1;
/// No manifest names more runs: those of before there was [`super::RUNS_MAX`] may have more than that.
const RUNS_MAX: usize = 1 << 12;

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Every dated row before this number is in the runs.
    pub covered: u64,
    /// The nonce of the row before it, or 0.
    pub nonce: u64,
    /// Number and entries of each run.
    pub runs: Vec<(u64, u64)>,
}

impl Manifest {
    /// Reads the manifest of a folder; `None` when there is none that makes sense.
    pub fn read(disk: &dyn Disk, folder: &Path) -> Result<Option<Manifest>, IndexFault> {
        let bytes = manifest::read(disk, folder, 36 + 16 * RUNS_MAX as u64)?;
        Ok(bytes.and_then(|bytes| Manifest::decode(&bytes)))
    }

    /// Replaces the manifest of a folder. When this fails, the old one counts or the new one does.
    pub fn write(&self, disk: &dyn Disk, folder: &Path) -> Result<(), IndexFault> {
        manifest::replace(disk, folder, &self.encode())
    }

    fn encode(&self) -> Vec<u8> {
        assert!(self.runs.len() <= RUNS_MAX, "chunks wait for merging before there are so many");
        let mut bytes = MAGIC.to_vec();
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend((self.runs.len() as u32).to_le_bytes());
        bytes.extend(self.covered.to_le_bytes());
        bytes.extend(self.nonce.to_le_bytes());
        for (number, entries) in &self.runs {
            bytes.extend(number.to_le_bytes());
            bytes.extend(entries.to_le_bytes());
        }
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Manifest> {
        let (content, checksum) = bytes.split_last_chunk::<4>()?;
        let (head, runs) = content.split_first_chunk::<32>()?;
        let word = |bytes: &[u8]| u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes"));
        let version = u32::from_le_bytes(head[8..12].try_into().ok()?);
        let count = u32::from_le_bytes(head[12..16].try_into().ok()?);
        let sound = u32::from_le_bytes(*checksum) == crc32fast::hash(content)
            && head.starts_with(MAGIC)
            && version == VERSION
            && runs.len() as u64 == 16 * u64::from(count);
        let runs = runs.chunks_exact(16).map(|run| (word(run), word(&run[8..]))).collect();
        sound.then(|| Manifest { covered: word(&head[16..]), nonce: word(&head[24..]), runs })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves that a manifest comes back as it was, and that with any byte changed or missing it does not come back at all.
    #[test]
    fn every_damaged_byte_is_noticed() {
        let manifest = Manifest { covered: 77, nonce: 5, runs: vec![(1, 10), (5, 1 << 40)] };
        let bytes = manifest.encode();
        assert_eq!(Manifest::decode(&bytes), Some(manifest));
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            assert_eq!(Manifest::decode(&damaged), None, "byte {at}");
            assert_eq!(Manifest::decode(&bytes[..at]), None, "cut at {at}");
        }
    }
}
