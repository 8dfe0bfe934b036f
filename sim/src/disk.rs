//! The simulated disk.
//!
//! [`MemoryDisk`] knows what a power cut leaves of what was written: torn sectors, in any order, and names as far as they were
//! synced. On top of it this disk decides when work behind is done, and damages what is read.

use crate::random::Random;
use journal::disk::{Access, Disk, File, MemoryDisk};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

/// What happens to one read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Misread {
    /// One bit of what is read is another.
    Flipped,
    /// Less is read than there is.
    Short,
}

/// A disk of one life of the engine.
#[derive(Clone)]
pub struct SimDisk {
    memory: MemoryDisk,
    chance: Arc<Mutex<Chance>>,
}

struct Chance {
    random: Random,
    /// How often out of ten work behind is left for later.
    lazy: u64,
    /// The read that goes wrong, counted from now on, and how.
    misread: Option<(u64, Misread)>,
    /// Whether it came to that.
    misled: bool,
}

impl SimDisk {
    /// A disk with the files of another. `lazy` of ten times work behind is postponed.
    pub fn new(memory: MemoryDisk, seed: u64, lazy: u64) -> SimDisk {
        let chance = Chance { random: Random::new(seed), lazy, misread: None, misled: false };
        SimDisk { memory, chance: Arc::new(Mutex::new(chance)) }
    }

    /// Makes a read go wrong: the one after so many others.
    pub fn misread_after(&self, reads: u64, how: Misread) {
        self.chance().misread = Some((reads, how));
    }

    /// Whether a read went wrong.
    pub fn has_misled(&self) -> bool {
        self.chance().misled
    }

    fn chance(&self) -> MutexGuard<'_, Chance> {
        self.chance.lock().expect("one thread uses it")
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn File>> {
        let file = self.memory.open(path, access)?;
        Ok(Arc::new(SimFile { file, chance: Arc::clone(&self.chance) }))
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.memory.exists(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.memory.list(folder)
    }

    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        self.memory.create_folder(folder)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.memory.remove(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.memory.rename(from, to)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.memory.sync_folder(folder)
    }

    fn allows_threads(&self) -> bool {
        false
    }

    fn postpones(&self) -> bool {
        let mut chance = self.chance();
        let lazy = chance.lazy;
        chance.random.below(10) < lazy
    }
}

struct SimFile {
    file: Arc<dyn File>,
    chance: Arc<Mutex<Chance>>,
}

impl File for SimFile {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let read = self.file.read_at(bytes, offset)?;
        let mut chance = self.chance.lock().expect("one thread uses it");
        match chance.misread {
            Some((0, how)) if read > 0 => {
                (chance.misread, chance.misled) = (None, true);
                let at = chance.random.below(read as u64) as usize;
                match how {
                    Misread::Flipped => bytes[at] ^= 1 << chance.random.below(8),
                    Misread::Short => return Ok(at),
                }
            }
            Some((left, how)) => chance.misread = Some((left.saturating_sub(1), how)),
            None => {}
        }
        Ok(read)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn is_direct(&self) -> bool {
        self.file.is_direct()
    }
}
