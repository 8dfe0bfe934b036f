//! The operating system's file system.

use super::{Access, Disk, File, RealDisk};
use crate::block::{AlignedBytes, BLOCK_BYTES};
use std::fs;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

struct RealFile {
    file: fs::File,
    is_direct: bool,
}

impl RealDisk {
    /// The operating system's file system.
    pub fn new() -> RealDisk {
        RealDisk
    }
}

impl Default for RealDisk {
    fn default() -> RealDisk {
        RealDisk::new()
    }
}

impl Disk for RealDisk {
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn File>> {
        let file = match access {
            Access::Read => {
                let file = fs::File::open(path)?;
                advise_random(&file);
                RealFile { file, is_direct: false }
            }
            Access::Create => {
                let file = fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
                RealFile { file, is_direct: false }
            }
            Access::Direct => match open_direct(path)? {
                Some(file) => RealFile { file, is_direct: true },
                None => RealFile { file: fs::OpenOptions::new().read(true).write(true).open(path)?, is_direct: false },
            },
        };
        Ok(Arc::new(file))
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        fs::exists(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            // A name that is not text is not one of ours.
            if let (true, Ok(name)) = (entry.file_type()?.is_file(), entry.file_name().into_string()) {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
        if !fs::exists(folder)? {
            if let Some(parent) = parent {
                self.create_folder(parent)?;
            }
            match fs::create_dir(folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        self.sync_folder(parent.unwrap_or(Path::new(".")))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)?;
        self.sync_folder(to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        fs::File::open(folder)?.sync_all()
    }
}

impl File for RealFile {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < bytes.len() {
            match self.file.read_at(&mut bytes[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // A direct read past a short end of file resumes at an unaligned offset and is refused.
                Err(error) if self.is_direct && done > 0 && error.kind() == io::ErrorKind::InvalidInput => break,
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn will_read(&self, offset: u64, bytes: u64) {
        advise_needed(&self.file, offset, bytes);
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn is_direct(&self) -> bool {
        self.is_direct
    }
}

/// Opens past the cache, or says with `None` that the file system cannot. Some accept the flags and refuse the first
/// transfer, so one block is read to find out.
#[cfg(target_os = "linux")]
fn open_direct(path: &Path) -> io::Result<Option<fs::File>> {
    use rustix::fs::OFlags;
    let flags = (OFlags::DIRECT | OFlags::DSYNC).bits() as i32;
    let file = match fs::OpenOptions::new().read(true).write(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if refuses_direct(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut block = AlignedBytes::new(BLOCK_BYTES);
    match file.read_at(&mut block, 0) {
        Ok(_) => Ok(Some(file)),
        Err(error) if refuses_direct(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(not(target_os = "linux"))]
fn open_direct(_path: &Path) -> io::Result<Option<fs::File>> {
    Ok(None)
}

#[cfg(target_os = "linux")]
fn refuses_direct(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported)
}

/// Records are read one at a time from anywhere; reading ahead would only push other pages out.
#[cfg(target_os = "linux")]
fn advise_random(file: &fs::File) {
    // Advice: without it reads are slower, not wrong.
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::Random);
}

#[cfg(not(target_os = "linux"))]
fn advise_random(_file: &fs::File) {}

#[cfg(target_os = "linux")]
fn advise_needed(file: &fs::File, offset: u64, bytes: u64) {
    // Advice: without it reads are slower, not wrong.
    let _ = rustix::fs::fadvise(file, offset, std::num::NonZeroU64::new(bytes), rustix::fs::Advice::WillNeed);
}

#[cfg(not(target_os = "linux"))]
fn advise_needed(_file: &fs::File, _offset: u64, _bytes: u64) {}
