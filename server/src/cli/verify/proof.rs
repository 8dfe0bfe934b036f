//! `florin verify proof`: checks a proof with a checkpoint and a key, and nothing else.

use super::super::Failure;
use super::kept::{Kept, Key};
use crate::proofs::document::Inclusion;
use crate::proofs::note::NoteFault;
use std::fs;
use std::path::Path;

/// Longest proof that is looked at: a whole record may be in it.
const PROOF_BYTES_MAX: u64 = 256 << 20;

/// Checks the proof in a file against the checkpoint in another, or against the one that it brings.
pub fn run(file: &Path, checkpoint: Option<&Path>, key: &str) -> Result<(), Failure> {
    let failure = |why: String| Failure(format!("{}: {why}", file.display()));
    let verifier = Key::given(key)?.verifier;
    let length = fs::metadata(file).map_err(|error| failure(error.to_string()))?.len();
    if length > PROOF_BYTES_MAX {
        return Err(failure("it is too long for a proof".to_owned()));
    }
    let text = fs::read_to_string(file).map_err(|error| failure(error.to_string()))?;
    let proof: Inclusion =
        serde_json::from_str(&text).map_err(|error| failure(format!("it is no proof of a transaction: {error}")))?;
    let own = match Kept::open(&proof.checkpoint, &verifier) {
        Ok(own) => Some(own.checkpoint),
        // Whoever keeps a checkpoint of an older key may hold a proof against it that was signed with the newer one.
        Err(_) if checkpoint.is_some() && verifier.open(&proof.checkpoint) == Err(NoteFault::Unsigned) => None,
        Err(why) => return Err(failure(format!("its checkpoint: {why}"))),
    };
    let (kept, whose) = match (checkpoint, &own) {
        (Some(path), _) => {
            let missing = || Failure(format!("there is no checkpoint at {}", path.display()));
            (Kept::read(path, &verifier)?.ok_or_else(missing)?.checkpoint, path.display().to_string())
        }
        (None, Some(own)) => (own.clone(), "the checkpoint that it brings".to_owned()),
        (None, None) => return Err(failure(format!("its checkpoint: {}", NoteFault::Unsigned))),
    };
    let shown = proof.check(&kept, own.as_ref()).map_err(failure)?;
    let record = if proof.has_record() { ", and the record is the one that made it" } else { "" };
    println!("{shown}\nproven: transaction {} of the {} in {whose}{record}", proof.index + 1, proof.size);
    println!("signed by {verifier}");
    if own.is_none() {
        println!("not looked at: the checkpoint that it brings, which another key has signed");
    }
    Ok(())
}
