//! The key that signs checkpoints: one that is given, or one that the first start makes in the data folder.

use super::note::{KEY_BYTES, NoteFault, Signer};
use crate::config::proofs::ProofsSettings;
use crate::vault::master;
use crate::vault::seal;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The file that is made in the folder of keys when no key is given.
pub const KEY_FILE: &str = "checkpoint.key";
/// Longest file that is looked at.
const FILE_BYTES_MAX: u64 = 4096;

/// Why there is no key.
#[derive(Debug)]
pub enum KeyFault {
    /// A file could not be used.
    Disk {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What is there is no key. Says where.
    NoKey(String),
    /// The system has no random bits.
    Random,
}

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyFault::Disk { path, .. } => write!(f, "cannot use the key of checkpoints in {}", path.display()),
            KeyFault::NoKey(place) => write!(
                f,
                "{place} holds no key of checkpoints: it must be PRIVATE+KEY+name+id+base64, or a seed of 32 random bytes as base64 or 64 \
                 hexadecimal digits"
            ),
            KeyFault::Random => write!(f, "the system gives no random bits"),
        }
    }
}

impl std::error::Error for KeyFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            KeyFault::Disk { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// A key, and the file that was made for it just now.
#[derive(Debug)]
pub struct Found {
    /// The key.
    pub signer: Signer,
    /// The file, when it was made.
    pub made: Option<PathBuf>,
}

/// Finds the key: what is given, the file that is given, or the file in the folder of keys, which is made when it is not there.
pub fn find(settings: &ProofsSettings, folder: &Path) -> Result<Found, KeyFault> {
    let name = settings.origin.as_deref();
    if settings.key.is_set() {
        let signer = parse(settings.key.expose(), name).map_err(|_| KeyFault::NoKey("proofs.key".to_owned()))?;
        return Ok(Found { signer, made: None });
    }
    if let Some(path) = &settings.key_file {
        return Ok(Found { signer: read(path, name)?, made: None });
    }
    let path = folder.join(KEY_FILE);
    let fault = |source| KeyFault::Disk { path: path.clone(), source };
    if fs::exists(&path).map_err(fault)? {
        return Ok(Found { signer: read(&path, name)?, made: None });
    }
    let seed = Zeroizing::new(seal::random::<KEY_BYTES>().map_err(|_| KeyFault::Random)?);
    let signer = Signer::new(seed, name).map_err(|_| KeyFault::NoKey("proofs.origin".to_owned()))?;
    master::make_file(folder, &path, &signer.secret_text()).map_err(fault)?;
    Ok(Found { signer, made: Some(path) })
}

fn read(path: &Path, name: Option<&str>) -> Result<Signer, KeyFault> {
    let fault = |source| KeyFault::Disk { path: path.to_owned(), source };
    let no_key = || KeyFault::NoKey(path.display().to_string());
    if fs::metadata(path).map_err(fault)?.len() > FILE_BYTES_MAX {
        return Err(no_key());
    }
    let text = Zeroizing::new(String::from_utf8(fs::read(path).map_err(fault)?).map_err(|_| no_key())?);
    parse(&text, name).map_err(|_| no_key())
}

/// A key with its name, or a bare seed.
fn parse(text: &str, name: Option<&str>) -> Result<Signer, NoteFault> {
    Signer::parse(text, name).or_else(|_| Signer::new(seed_of(text.trim()).ok_or(NoteFault::Key)?, name))
}

fn seed_of(text: &str) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
    if text.len() == 2 * KEY_BYTES && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let mut seed = Zeroizing::new([0; KEY_BYTES]);
        for (at, byte) in seed.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
        }
        return Some(seed);
    }
    let decoded =
        [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD].iter().find_map(|how| how.decode(text).ok())?;
    let decoded = Zeroizing::new(decoded);
    Some(Zeroizing::new(decoded.as_slice().try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;
    use std::os::unix::fs::PermissionsExt;

    fn settings(key: &str, origin: Option<&str>) -> ProofsSettings {
        ProofsSettings { key: Secret::new(key), origin: origin.map(str::to_owned), ..ProofsSettings::none() }
    }

    #[test]
    fn the_first_start_makes_a_key_and_the_next_finds_it() {
        let folder = std::env::temp_dir().join(format!("florin-checkpoint-key-{}", std::process::id()));
        let first = find(&settings("", None), &folder).expect("it is made");
        let path = first.made.expect("it is made");
        assert_eq!(fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o600);
        let again = find(&settings("", None), &folder).expect("it is there");
        assert_eq!((again.signer.verifier(), again.made), (first.signer.verifier(), None));
        let named = find(&settings("", Some("example.com/books")), &folder).expect("it is there").signer;
        assert_eq!(named.verifier().name, "example.com/books");
        let below_a_file = find(&settings("", None), &path.join("keys"));
        assert!(
            matches!(below_a_file, Err(KeyFault::Disk { .. })),
            "nothing is signed with a key that is lost at the next start"
        );
        let file = ProofsSettings { key_file: Some(path.clone()), ..ProofsSettings::none() };
        assert_eq!(find(&file, Path::new("/nowhere")).expect("it is a key").signer.verifier(), first.signer.verifier());
        fs::write(&path, "no key").expect("it can be written");
        assert!(matches!(find(&settings("", None), &folder), Err(KeyFault::NoKey(_))));
        fs::remove_dir_all(&folder).expect("it is there");
    }

    #[test]
    fn seeds_of_every_spelling() {
        let spellings = ["07".repeat(32), STANDARD.encode([7; 32]), STANDARD_NO_PAD.encode([7; 32])];
        let wanted = Signer::new(Zeroizing::new([7; 32]), None).expect("a key");
        for text in spellings {
            let found = find(&settings(&text, None), Path::new("/nowhere")).expect("a key");
            assert_eq!(found.signer.verifier(), wanted.verifier(), "{text}");
        }
        assert!(find(&settings("too short", None), Path::new("/nowhere")).is_err());
    }
}
