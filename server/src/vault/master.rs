//! The master key: it wraps the keys of identities and nothing else. It comes from the environment or from a file; without
//! either, a file is made in the data folder, so that nobody has to think of it on the first day.

use super::SLOTS_FILE;
use super::seal::{self, DataKey, KEY_BYTES, SealFault, about, random};
use crate::config::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The file that is made in the folder of the vault when no key is given.
pub const MASTER_FILE: &str = "master.key";
/// Longest file that is looked at: a key is 32 bytes, 64 digits, or 44 characters of base64.
const FILE_BYTES_MAX: u64 = 256;
/// What keys are wrapped for.
const WRAP: &[u8] = b"florin key 1";

/// The master key. Wiped from memory when dropped, never printed.
#[derive(Clone)]
pub struct MasterKey(Zeroizing<[u8; KEY_BYTES]>);

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(..)")
    }
}

impl MasterKey {
    /// A key of these bytes.
    pub fn new(bytes: [u8; KEY_BYTES]) -> MasterKey {
        MasterKey(Zeroizing::new(bytes))
    }

    /// Reads a key: 64 hexadecimal digits, or base64 of 32 bytes.
    pub fn parse(text: &str) -> Option<MasterKey> {
        let text = text.trim();
        if text.len() == 2 * KEY_BYTES && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let mut bytes = Zeroizing::new([0; KEY_BYTES]);
            for (index, byte) in bytes.iter_mut().enumerate() {
                *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
            }
            return Some(MasterKey(bytes));
        }
        let decoded =
            [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD].iter().find_map(|how| how.decode(text).ok())?;
        let decoded = Zeroizing::new(decoded);
        Some(MasterKey(Zeroizing::new(decoded.as_slice().try_into().ok()?)))
    }

    /// Reads a file that holds a key as text, or 32 bytes as they are.
    pub fn read(path: &Path) -> Result<MasterKey, MasterFault> {
        let fault = |source| MasterFault::Disk { path: path.to_owned(), source };
        if fs::metadata(path).map_err(fault)?.len() > FILE_BYTES_MAX {
            return Err(MasterFault::NoKey(path.display().to_string()));
        }
        let bytes = Zeroizing::new(fs::read(path).map_err(fault)?);
        let text = std::str::from_utf8(&bytes).ok().and_then(MasterKey::parse);
        let raw = || Some(MasterKey(Zeroizing::new(bytes.as_slice().try_into().ok()?)));
        text.or_else(raw).ok_or_else(|| MasterFault::NoKey(path.display().to_string()))
    }

    pub(super) fn wrap(&self, id: &[u8; 16], key: &DataKey) -> Result<Vec<u8>, SealFault> {
        seal::seal(&self.0, &about(WRAP, id), &key.0[..])
    }

    pub(super) fn unwrap(&self, id: &[u8; 16], wrapped: &[u8]) -> Result<DataKey, SealFault> {
        let key = Zeroizing::new(seal::open(&self.0, &about(WRAP, id), wrapped)?);
        Ok(DataKey(Zeroizing::new(key.as_slice().try_into().map_err(|_| SealFault::Opened)?)))
    }
}

/// Why there is no master key.
#[derive(Debug)]
pub enum MasterFault {
    /// A file could not be used.
    Disk {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What is there is no key. Says where.
    NoKey(String),
    /// There are keys, but none is given that opens them.
    NotGiven(PathBuf),
    /// The system has no random bits.
    Random,
}

impl fmt::Display for MasterFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MasterFault::Disk { path, .. } => write!(f, "cannot use the master key file {}", path.display()),
            MasterFault::NoKey(place) => write!(
                f,
                "{place} holds no master key: it must be 32 random bytes, as base64 or as 64 hexadecimal digits; make one with \
                 `openssl rand -base64 32`"
            ),
            MasterFault::NotGiven(path) => write!(
                f,
                "{} holds keys of identities, but there is no master key: set FLORIN_MASTER_KEY or FLORIN_MASTER_KEY_FILE",
                path.display()
            ),
            MasterFault::Random => write!(f, "the system gives no random bits"),
        }
    }
}

impl std::error::Error for MasterFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            MasterFault::Disk { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// A master key, and where it came from when that was the data folder.
#[derive(Debug)]
pub struct Found {
    /// The key.
    pub key: MasterKey,
    /// The file in the data folder, when no key was given, and whether it was made just now.
    pub default_file: Option<(PathBuf, bool)>,
}

/// Finds the master key: what is given, the file that is given, or the file in the folder of the vault, which is made when
/// there are no keys yet.
pub fn find(given: &Secret, file: Option<&Path>, folder: &Path) -> Result<Found, MasterFault> {
    if given.is_set() {
        let key = MasterKey::parse(given.expose()).ok_or_else(|| MasterFault::NoKey("master_key".to_owned()))?;
        return Ok(Found { key, default_file: None });
    }
    if let Some(path) = file {
        return Ok(Found { key: MasterKey::read(path)?, default_file: None });
    }
    let path = folder.join(MASTER_FILE);
    let fault = |source| MasterFault::Disk { path: path.clone(), source };
    if fs::exists(&path).map_err(fault)? {
        return Ok(Found { key: MasterKey::read(&path)?, default_file: Some((path, false)) });
    }
    if fs::exists(folder.join(SLOTS_FILE)).map_err(fault)? {
        return Err(MasterFault::NotGiven(folder.join(SLOTS_FILE)));
    }
    let bytes = Zeroizing::new(random::<KEY_BYTES>().map_err(|_| MasterFault::Random)?);
    make_file(folder, &path, &Zeroizing::new(STANDARD.encode(&bytes[..]))).map_err(fault)?;
    Ok(Found { key: MasterKey(bytes), default_file: Some((path, true)) })
}

/// Makes a file of one secret line: whole or not at all, durable, and for nobody else to read.
pub fn make_file(folder: &Path, path: &Path, line: &str) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let new = path.with_extension("new");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(line.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    fs::File::open(folder)?.sync_all()
}
