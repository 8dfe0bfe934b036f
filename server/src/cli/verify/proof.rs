//! `florin verify proof`: checks a proof with a checkpoint and a key, and nothing else.

use super::super::Failure;
use super::kept::{Kept, Key};
use crate::proofs::document::Inclusion;
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
    let (kept, whose) = match checkpoint {
        Some(path) => {
            let kept = Kept::read(path, &verifier)?;
            let missing = || Failure(format!("there is no checkpoint at {}", path.display()));
            (kept.ok_or_else(missing)?, path.display().to_string())
        }
        None => {
            let kept =
                Kept::open(&proof.checkpoint, &verifier).map_err(|why| failure(format!("its checkpoint: {why}")))?;
            (kept, "the checkpoint that it brings".to_owned())
        }
    };
    let shown = proof.check(&kept.checkpoint).map_err(failure)?;
    let record = if proof.has_record() { ", and the record is the one that made it" } else { "" };
    println!("{shown}\nproven: transaction {} of the {} in {whose}{record}", proof.index + 1, proof.size);
    println!("signed by {verifier}");
    Ok(())
}
