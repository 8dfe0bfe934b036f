//! The data folder: its lock, its format, and where things are.

use crate::fingerprint::FingerprintKey;
use crate::merkle;
use std::fmt;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The version of the whole folder. A folder of another version is refused.
const FORMAT: &str = "florin data folder, format 1";

/// The folder of the index of references.
const REFERENCES: &str = "references";

/// Stands for the files of the Merkle log among what is to be made anew.
pub(crate) const PROOFS: &str = "proofs";

/// The folder of damaged files that others have replaced.
pub(crate) const QUARANTINE: &str = "quarantine";

/// Why a data folder cannot be used.
#[derive(Debug)]
pub enum FolderFault {
    /// Another process uses it.
    InUse(PathBuf),
    /// It was made by another version.
    Format(PathBuf),
    /// It is not there, and was not to be made.
    Missing(PathBuf),
    /// The disk failed.
    Disk {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl fmt::Display for FolderFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FolderFault::InUse(path) => {
                write!(
                    f,
                    "the data folder {} is used by another process; stop it, or choose another folder with --data",
                    path.display()
                )
            }
            FolderFault::Format(path) => write!(
                f,
                "{} is not of a format that this program knows; use the program that made it, or a newer one",
                path.display()
            ),
            FolderFault::Missing(path) => {
                write!(f, "there is no data folder at {}; say where it is with --data", path.display())
            }
            FolderFault::Disk { path, .. } => write!(f, "cannot use {}", path.display()),
        }
    }
}

impl std::error::Error for FolderFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            FolderFault::Disk { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// A data folder that this process alone uses, until the value is dropped.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// The key of the fingerprints of references.
    pub key: FingerprintKey,
    _lock: fs::File,
}

impl Folder {
    /// Takes a folder; makes it when it is not there and `make` says so.
    pub fn open(path: &Path, make: bool) -> Result<Folder, FolderFault> {
        let fault = |path: &Path, source| FolderFault::Disk { path: path.to_owned(), source };
        let format_path = path.join("format");
        // A folder of something else gets no files of ours.
        if !make && !format_path.exists() {
            return Err(FolderFault::Missing(path.to_owned()));
        }
        fs::create_dir_all(path).map_err(|source| fault(path, source))?;
        let lock_path = path.join("LOCK");
        let lock = fs::OpenOptions::new().write(true).create(true).truncate(false).open(&lock_path);
        let lock = lock.map_err(|source| fault(&lock_path, source))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(FolderFault::InUse(path.to_owned())),
            Err(fs::TryLockError::Error(source)) => return Err(fault(&lock_path, source)),
        }
        let key = match fs::read_to_string(&format_path) {
            Ok(text) => key_of(&text).ok_or_else(|| FolderFault::Format(format_path.clone()))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound && make => {
                // An index that was made with another key finds nothing, and every reference would be free again.
                remove_folder(&path.join(REFERENCES))?;
                write_format(path, &format_path).map_err(|source| fault(&format_path, source))?
            }
            Err(source) => return Err(fault(&format_path, source)),
        };
        Ok(Folder { path: path.to_owned(), key, _lock: lock })
    }

    /// Where the journal is.
    pub fn journal(&self) -> PathBuf {
        self.path.join("journal")
    }

    /// Where the rows are.
    pub fn tables(&self) -> PathBuf {
        self.path.join("tables")
    }

    /// Where the index of references is.
    pub fn references(&self) -> PathBuf {
        self.path.join(REFERENCES)
    }

    /// Where the index of children is.
    pub fn children(&self) -> PathBuf {
        self.path.join("children")
    }

    /// Where the dated rows are, in order.
    pub fn dated(&self) -> PathBuf {
        self.path.join("dated")
    }

    /// Where the checkpoints are.
    pub fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    /// Whether something derived was found damaged, and is to be made anew.
    pub fn has_damage(&self) -> bool {
        self.path.join(DAMAGED).exists()
    }

    /// Deletes what was found damaged, so that it is made anew. Of a name that this program does not know nothing is deleted.
    pub fn delete_damaged(&self) -> Result<(), FolderFault> {
        let path = self.path.join(DAMAGED);
        let fault = |source| FolderFault::Disk { path: path.clone(), source };
        let names = fs::read(&path).map_err(fault)?;
        for name in String::from_utf8_lossy(&names).lines() {
            if name == PROOFS {
                for file in [merkle::table::MARK_NAME, merkle::table::FILE_NAME] {
                    remove_file(&self.tables().join(file))?;
                }
            }
            let derived = [self.tables(), self.references(), self.children(), self.dated()];
            if let Some(folder) = derived.into_iter().find(|folder| *folder == self.path.join(name)) {
                remove_folder(&folder)?;
            }
        }
        fs::remove_file(&path).map_err(fault)?;
        fs::File::open(&self.path).and_then(|folder| folder.sync_all()).map_err(fault)
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Deletes everything that is derived from the journal.
    pub fn delete_derived(&self) -> Result<(), FolderFault> {
        for path in [self.tables(), self.references(), self.children(), self.dated(), self.checkpoints()] {
            remove_folder(&path)?;
        }
        Ok(())
    }
}

fn remove_file(path: &Path) -> Result<(), FolderFault> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(FolderFault::Disk { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

fn remove_folder(path: &Path) -> Result<(), FolderFault> {
    match fs::remove_dir_all(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(FolderFault::Disk { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

fn key_of(text: &str) -> Option<FingerprintKey> {
    let mut lines = text.lines();
    if lines.next() != Some(FORMAT) {
        return None;
    }
    let hex = lines.next()?.strip_prefix("fingerprint key ")?;
    let bytes: Option<Vec<u8>> =
        (0..16).map(|i| hex.get(2 * i..2 * i + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok())).collect();
    Some(FingerprintKey(bytes?.try_into().ok()?))
}

fn write_format(folder: &Path, path: &Path) -> io::Result<FingerprintKey> {
    let mut key = [0; 16];
    for half in key.chunks_exact_mut(8) {
        half.copy_from_slice(&RandomState::new().hash_one("fingerprint key").to_le_bytes());
    }
    replace(folder, path, &text_of(FingerprintKey(key)))?;
    Ok(FingerprintKey(key))
}

fn text_of(key: FingerprintKey) -> String {
    let hex: String = key.0.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{FORMAT}\nfingerprint key {hex}\n")
}

/// Writes a small file of the folder, or replaces it, in one step.
fn replace(folder: &Path, path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = fs::File::create(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    fs::File::open(folder)?.sync_all()
}

/// Whether the file of the format in a data folder is the one of a key. It has no checksum; whoever runs on the folder knows
/// what it must say.
pub(crate) fn is_format_whole(folder: &Path, key: FingerprintKey) -> io::Result<bool> {
    match fs::read_to_string(folder.join("format")) {
        Ok(text) => Ok(key_of(&text) == Some(key)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Writes the file of the format anew.
pub(crate) fn mend_format(folder: &Path, key: FingerprintKey) -> io::Result<()> {
    replace(folder, &folder.join("format"), &text_of(key))
}

/// What of a folder is to be made anew at the next start: names of derived things, one a line.
const DAMAGED: &str = "damaged";

/// Notes that something derived is damaged; the next start deletes it, and makes it anew from the journal.
pub(crate) fn mark_damaged(folder: &Path, what: &str) -> io::Result<()> {
    let path = folder.join(DAMAGED);
    let mut text = match fs::read(&path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error),
    };
    if text.lines().any(|line| line == what) {
        return Ok(());
    }
    text.push_str(what);
    text.push('\n');
    replace(folder, &path, &text)
}
