//! What is kept from one check to the next: a checkpoint in a file, and beside it the key that it is believed with.

use super::super::Failure;
use crate::proofs::checkpoint::Checkpoint;
use crate::proofs::note::{NOTE_BYTES_MAX, Verifier};
use crate::proofs::schedule::replace;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Whom to believe.
pub struct Key {
    /// The key.
    pub verifier: Verifier,
    /// Whether a server told it just now, and nobody else has.
    pub is_new: bool,
}

impl Key {
    /// The key that was given, as text or as a file that holds it, or the one that is kept beside the file of a checkpoint.
    pub fn find(given: Option<&str>, file: &Path) -> Result<Option<Key>, Failure> {
        if let Some(given) = given {
            return Key::given(given).map(Some);
        }
        let path = beside(file);
        match fs::read_to_string(&path) {
            Ok(text) => Key::parse(&text, &path.display().to_string()).map(Some),
            // A checkpoint that is kept was believed with a key, so the key is not to be asked for again.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !file.exists() => Ok(None),
            Err(error) => Err(Failure(format!("cannot read {}: {error}; give the key with --key", path.display()))),
        }
    }

    /// The key that was given, as text or as a file that holds it.
    pub fn given(given: &str) -> Result<Key, Failure> {
        if let Ok(verifier) = Verifier::parse(given) {
            return Ok(Key { verifier, is_new: false });
        }
        let text = fs::read_to_string(given);
        let text =
            text.map_err(|_| Failure(format!("--key: {given} is no key name+id+base64, and no file with one")))?;
        Key::parse(&text, given)
    }

    /// The key that a server tells.
    pub fn first(text: &str, file: &Path) -> Result<Key, Failure> {
        let key = Key::parse(text, "what the server tells")?;
        assert!(!file.exists(), "a checkpoint that is kept was believed with a key");
        Ok(Key { is_new: true, ..key })
    }

    fn parse(text: &str, place: &str) -> Result<Key, Failure> {
        let verifier = Verifier::parse(text).map_err(|fault| Failure(format!("{place}: {fault}")))?;
        Ok(Key { verifier, is_new: false })
    }

    /// Keeps a key that a server told.
    pub fn keep(&self, file: &Path) -> Result<(), Failure> {
        if !self.is_new {
            return Ok(());
        }
        let path = beside(file);
        let written = replace(&path, &format!("{}\n", self.verifier));
        written.map_err(|error| Failure(format!("cannot write {}: {error}", path.display())))
    }
}

fn beside(file: &Path) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".key");
    file.with_file_name(name)
}

/// A checkpoint that was kept.
pub struct Kept {
    /// What it tells; its signature is good.
    pub checkpoint: Checkpoint,
}

impl Kept {
    /// Reads a file; `None` when it is not there.
    pub fn read(file: &Path, verifier: &Verifier) -> Result<Option<Kept>, Failure> {
        let failure = |why: &dyn std::fmt::Display| Failure(format!("the checkpoint in {}: {why}", file.display()));
        match fs::metadata(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Ok(about) if about.len() > NOTE_BYTES_MAX as u64 => return Err(failure(&"it is too long for one")),
            _ => {}
        }
        let note = fs::read_to_string(file).map_err(|error| failure(&error))?;
        Kept::open(&note, verifier).map(Some).map_err(|why| failure(&why))
    }

    /// A checkpoint of a note.
    pub fn open(note: &str, verifier: &Verifier) -> Result<Kept, String> {
        let text = verifier.open(note).map_err(|fault| fault.to_string())?;
        match Checkpoint::parse(text) {
            Some(checkpoint) if checkpoint.origin == verifier.name => Ok(Kept { checkpoint }),
            Some(checkpoint) => Err(format!("it is one of another log, {}", checkpoint.origin)),
            None => Err("it is signed, but no checkpoint".to_owned()),
        }
    }
}
