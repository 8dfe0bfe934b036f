//! What the journal, and the tables that follow it, need of a file system.
//!
//! [`RealDisk`] is the operating system's, [`MemoryDisk`] keeps files in memory for tests and can crash, tear writes and
//! fail on demand. A simulator brings its own.

mod memory;
mod real;

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// A file system.
pub trait Disk: Send + Sync {
    /// Opens a file.
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn File>>;
    /// True when there is a file or folder at `path`.
    fn exists(&self, path: &Path) -> io::Result<bool>;
    /// The names of the files in a folder, sorted.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;
    /// Creates a folder with its parents, durably. One that is there already is fine.
    fn create_folder(&self, folder: &Path) -> io::Result<()>;
    /// Removes a file. Durable after [`Disk::sync_folder`].
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Gives a file another name in one step, replacing what has that name, then syncs the folder.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    /// True when slow work (preparing segments) may run on a thread of its own. A disk whose operations must come in
    /// the same order every time answers false and has it done on the caller's thread.
    fn allows_threads(&self) -> bool {
        true
    }
    /// Where no threads are allowed: true when work that nobody waits for is to be left for later this time. It is then
    /// asked again at the next opportunity. A simulator lets its seed answer, so that work behind is early or late.
    fn postpones(&self) -> bool {
        false
    }
}

/// How a file is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// An existing file, for reading here and there.
    Read,
    /// Create or open for reading and writing through the system's cache.
    Create,
    /// An existing file, past the cache: each write is durable when it returns. Falls back to [`Access::Create`]'s way
    /// where the file system cannot; [`File::is_direct`] tells.
    Direct,
}

/// An open file. All calls carry their offset, so threads can share it.
// A file has no "is it empty" that would differ from its length.
#[allow(clippy::len_without_is_empty)]
pub trait File: Send + Sync {
    /// Reads up to `bytes.len()` bytes; fewer only at the end of the file. A direct file wants aligned memory, length
    /// and offset.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Says that these bytes will be read soon, so that those of several places are fetched at the same time and not one after the
    /// other. It is advice: a file that cannot follow it does nothing.
    fn will_read(&self, _offset: u64, _bytes: u64) {}
    /// Writes all of `bytes`. A direct file wants aligned memory, length and offset.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Makes what was written durable.
    fn sync(&self) -> io::Result<()>;
    /// Bytes of the file.
    fn len(&self) -> io::Result<u64>;
    /// Cuts the file, or extends it with zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// True when writes are durable as they return and must be multiples of 4096 bytes, aligned.
    fn is_direct(&self) -> bool;
}

/// The operating system's file system.
#[derive(Clone, Copy, Debug)]
pub struct RealDisk;

/// Files in memory, for tests. Clones share them.
///
/// What was written is kept apart from what was synced; [`MemoryDisk::crash`] gives the disk that a power cut would have
/// left behind.
#[derive(Clone)]
pub struct MemoryDisk {
    state: Arc<Mutex<memory::State>>,
}

/// What [`MemoryDisk::fail_after`] makes happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// This and every later write or set_len that needs room answers "no space".
    NoSpace,
    /// This one write or sync answers "input/output error", having done part of its work or none. What was done of a write can be
    /// read.
    Io,
    /// The next sync of a file or folder, this operation or a later one, answers "input/output error". What it should have made
    /// durable can be read as if it were.
    Sync,
    /// The power is gone: this write is left unsynced, and it and every later call of any kind fail.
    PowerLost,
}
