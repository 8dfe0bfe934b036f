//! For tests: a disk of memory that allows threads, and on which things go wrong, or something happens, at a chosen moment.

use journal::disk::{Access, Disk, File, MemoryDisk};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// The disk.
pub struct ThreadedDisk {
    /// What is on it.
    pub memory: MemoryDisk,
    /// While it is set, no file can be written.
    pub full: AtomicBool,
    /// While it is set, none can be renamed.
    pub stuck: AtomicBool,
    /// What is done before the next file is made.
    before_file: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl ThreadedDisk {
    /// An empty one.
    pub fn new() -> Arc<ThreadedDisk> {
        Arc::new(ThreadedDisk {
            memory: MemoryDisk::new(),
            full: AtomicBool::new(false),
            stuck: AtomicBool::new(false),
            before_file: Mutex::new(None),
        })
    }

    /// Does this once, before the next file is made: what happens while something else is being written.
    pub fn before_file(&self, what: impl FnOnce() + Send + 'static) {
        *self.before_file.lock().unwrap() = Some(Box::new(what));
    }
}

impl Disk for ThreadedDisk {
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn File>> {
        if access != Access::Read && self.full.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let before = if access == Access::Create { self.before_file.lock().unwrap().take() } else { None };
        if let Some(before) = before {
            before();
        }
        self.memory.open(path, access)
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
        if self.stuck.load(Ordering::SeqCst) {
            return Err(io::Error::other("renaming fails"));
        }
        self.memory.rename(from, to)
    }
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.memory.sync_folder(folder)
    }
}
