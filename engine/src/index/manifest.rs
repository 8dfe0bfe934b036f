//! The manifest: the one file that says which runs count and how far they reach.
//!
//! ```text
//! 0   8  "florinix"
//! 8   4  format version, 1
//! 12  4  number of runs
//! 16  8  covered mark
//! 24  16 for each run: its number, its pairs
//! …   4  CRC-32 of everything before
//! ```
//!
//! It is replaced as a whole: a new one is written beside it, synced, and renamed over it.

use std::io;
use std::path::Path;

use journal::disk::{Access, Disk};

use super::IndexFault;
use super::run::word;

/// The file's name.
pub const NAME: &str = "manifest";
/// The name of the one that will replace it.
pub const NAME_NEW: &str = "manifest.new";
const MAGIC: &[u8; 8] = b"florinix";
const VERSION: u32 = 1;
/// No manifest has more runs: those of before there was [`crate::limits::INDEX_RUNS_MAX`] may have more than that.
const RUNS_MAX: usize = 1 << 16;

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Every pair inserted before this mark is in the runs.
    pub covered: u64,
    /// Number and pairs of each run.
    pub runs: Vec<(u64, u64)>,
}

impl Manifest {
    /// Reads the manifest of a folder; `None` when there is none that makes sense.
    pub fn read(disk: &dyn Disk, folder: &Path) -> Result<Option<Manifest>, IndexFault> {
        let bytes = read(disk, folder, 32 + 16 * RUNS_MAX as u64)?;
        Ok(bytes.and_then(|bytes| Manifest::decode(&bytes)))
    }

    /// Replaces the manifest of a folder. When this fails, the old one counts or the new one does.
    pub fn write(&self, disk: &dyn Disk, folder: &Path) -> Result<(), IndexFault> {
        replace(disk, folder, &self.encode())
    }

    fn encode(&self) -> Vec<u8> {
        assert!(self.runs.len() <= RUNS_MAX, "tails wait for merging before there are so many");
        let mut bytes = MAGIC.to_vec();
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend((self.runs.len() as u32).to_le_bytes());
        bytes.extend(self.covered.to_le_bytes());
        for (number, pairs) in &self.runs {
            bytes.extend(number.to_le_bytes());
            bytes.extend(pairs.to_le_bytes());
        }
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Manifest> {
        let (content, checksum) = bytes.split_last_chunk::<4>()?;
        let (head, runs) = content.split_first_chunk::<24>()?;
        let version = u32::from_le_bytes(head[8..12].try_into().ok()?);
        let count = u32::from_le_bytes(head[12..16].try_into().ok()?);
        let sound = u32::from_le_bytes(*checksum) == crc32fast::hash(content)
            && head.starts_with(MAGIC)
            && version == VERSION
            && runs.len() as u64 == 16 * u64::from(count);
        let runs = runs.chunks_exact(16).map(|run| (word(run), word(&run[8..]))).collect();
        sound.then(|| Manifest { covered: word(&head[16..]), runs })
    }
}

/// Reads the manifest of a folder, of whatever form; `None` when there is none, or one of more bytes than it can have.
pub(crate) fn read(disk: &dyn Disk, folder: &Path, bytes_max: u64) -> Result<Option<Vec<u8>>, IndexFault> {
    let path = folder.join(NAME);
    let file = match disk.open(&path, Access::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(IndexFault::disk("open", &path, source)),
    };
    let fault = |source| IndexFault::disk("read", &path, source);
    let len = file.len().map_err(fault)?;
    if len > bytes_max {
        return Ok(None);
    }
    let mut bytes = vec![0; len as usize];
    let mut done = 0;
    while done < bytes.len() {
        match file.read_at(&mut bytes[done..], done as u64).map_err(fault)? {
            0 => return Ok(None),
            count => done += count,
        }
    }
    Ok(Some(bytes))
}

/// Replaces the manifest of a folder, of whatever form. When this fails, the old one counts or the new one does.
pub(crate) fn replace(disk: &dyn Disk, folder: &Path, bytes: &[u8]) -> Result<(), IndexFault> {
    let path = folder.join(NAME_NEW);
    let fault = |action| {
        let path = &path;
        move |source| IndexFault::disk(action, path, source)
    };
    // A file whose sync has failed is not written a second time: what is left of the first could come over it.
    if disk.exists(&path).map_err(fault("look for"))? {
        disk.remove(&path).map_err(fault("remove"))?;
    }
    let file = disk.open(&path, Access::Create).map_err(fault("create"))?;
    file.write_at(bytes, 0).map_err(fault("write"))?;
    file.sync().map_err(fault("sync"))?;
    disk.rename(&path, &folder.join(NAME)).map_err(fault("rename"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves that a manifest comes back as it was, and that with any byte changed or missing it does not come back at all.
    #[test]
    fn every_damaged_byte_is_noticed() {
        let manifest = Manifest { covered: 77, runs: vec![(1, 10), (5, 1 << 40)] };
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
