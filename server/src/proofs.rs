//! Proofs that others can check: signed checkpoints of the Merkle log, and what leads to them. `docs/proofs.md` tells all bytes.
//!
//! The tree is [`engine::merkle`]; here are its signatures, the forms in which proofs are handed out, and how they are checked without a
//! server and without data.

pub mod checkpoint;
pub mod document;
pub mod key;
pub mod log;
pub mod note;
pub mod schedule;
