//! Reads an index as it lies on disk, for a program that looks for damage: nothing is emptied, nothing is changed.

use super::manifest::{self, Manifest};
use super::merge::{Merge, Pair, Source};
use super::mix::mix;
use super::run::{self, Run};
use super::{IndexFault, merge};
use journal::disk::Disk;
use std::path::Path;

/// Blocks that are read at once from each run.
const READ_BLOCKS: usize = 64;

/// The runs of an index, none of which has been read yet.
pub struct Offline {
    runs: Vec<Run>,
    /// Every pair that was inserted before this mark is in the runs.
    pub covered: u64,
}

impl Offline {
    /// Opens the index in a folder. `None` when there is none.
    ///
    /// # Errors
    /// When the disk fails, or the manifest or what it names is damaged.
    pub fn open(disk: &dyn Disk, folder: &Path) -> Result<Option<Offline>, IndexFault> {
        let path = folder.join(manifest::NAME);
        if !disk.exists(&path).map_err(|source| IndexFault::disk("look for", &path, source))? {
            return Ok(None);
        }
        let Some(manifest) = Manifest::read(disk, folder)? else {
            return Err(IndexFault::damaged(&path, 0, "it is no manifest"));
        };
        let mut runs = Vec::with_capacity(manifest.runs.len());
        for (number, pairs) in manifest.runs {
            runs.push(Run::open(disk, run::file_path(folder, number), number, pairs)?);
        }
        Ok(Some(Offline { runs, covered: manifest.covered }))
    }

    /// Calls `visit` with every pair once, in ascending order: see [`pair`].
    ///
    /// # Errors
    /// When the disk fails or a block is damaged.
    pub fn visit(&self, mut visit: impl FnMut(Pair)) -> Result<(), IndexFault> {
        let mut merge = Merge::new(self.runs.iter().map(|run| Source::run(run, READ_BLOCKS)).collect())?;
        let mut last = None;
        while let Some(pair) = merge.next()? {
            if last != Some(pair) {
                visit(pair);
            }
            last = Some(pair);
        }
        Ok(())
    }
}

/// A key and its value as one number: the key as it is stored in the upper 64 bits, the value in the lower ones.
pub fn pair(key: u64, value: u64) -> Pair {
    merge::pair_of(mix(key), value)
}
