//! A disk that stays as it is: it reads what is there, and takes writes without making them.
//!
//! What opens a journal may want to cut a torn end or to make the next segment. On this disk it can, and nothing has changed
//! afterwards; whoever reads back what was written sees what was there before.

use journal::disk::{Access, Disk, File};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A disk whose files never change.
pub struct StillDisk {
    disk: Arc<dyn Disk>,
}

impl StillDisk {
    /// Keeps a disk as it is.
    pub fn new(disk: Arc<dyn Disk>) -> StillDisk {
        StillDisk { disk }
    }
}

impl Disk for StillDisk {
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn File>> {
        let made = || Arc::new(StillFile { file: None, len: AtomicU64::new(0) }) as Arc<dyn File>;
        match self.disk.open(path, Access::Read) {
            Ok(file) => {
                let len = AtomicU64::new(file.len()?);
                Ok(Arc::new(StillFile { file: Some(file), len }))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && access != Access::Read => Ok(made()),
            Err(error) => Err(error),
        }
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.disk.exists(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        match self.disk.list(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            listed => listed,
        }
    }

    fn create_folder(&self, _folder: &Path) -> io::Result<()> {
        Ok(())
    }

    fn remove(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn rename(&self, _from: &Path, _to: &Path) -> io::Result<()> {
        Ok(())
    }

    fn sync_folder(&self, _folder: &Path) -> io::Result<()> {
        Ok(())
    }

    /// Nothing is to be prepared here.
    fn allows_threads(&self) -> bool {
        false
    }
}

/// A file that takes writes without making them. One that is not there has only a length.
struct StillFile {
    file: Option<Arc<dyn File>>,
    len: AtomicU64,
}

impl File for StillFile {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.as_ref().map_or(Ok(0), |file| file.read_at(bytes, offset))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.len.fetch_max(offset + bytes.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.len.load(Ordering::Relaxed))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.len.store(len, Ordering::Relaxed);
        Ok(())
    }

    fn is_direct(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use journal::disk::MemoryDisk;

    /// Proves that nothing that is done to such a disk reaches the one below.
    #[test]
    fn what_is_written_is_not_there() {
        let (memory, path, other) = (MemoryDisk::new(), Path::new("/data/one"), Path::new("/data/two"));
        memory.set_contents(path, b"as it was");
        let before = memory.operations();
        let still = StillDisk::new(Arc::new(memory.clone()));
        for (path, access) in [(path, Access::Direct), (path, Access::Create), (other, Access::Create)] {
            let file = still.open(path, access).expect("it opens");
            file.write_at(b"something else", 3).expect("it is taken");
            file.set_len(1).expect("it is taken");
            file.sync().expect("it is taken");
        }
        still.rename(path, other).expect("it is taken");
        still.remove(path).expect("it is taken");
        assert_eq!(still.open(other, Access::Read).err().map(|error| error.kind()), Some(io::ErrorKind::NotFound));
        assert_eq!(memory.contents(path).as_deref(), Some(&b"as it was"[..]));
        assert_eq!((memory.contents(other), memory.operations()), (None, before));
    }
}
