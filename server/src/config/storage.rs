//! Where data is kept.

use super::server::{MEBIBYTE, bounded};
use super::typed::Typed;
use std::path::PathBuf;

/// Largest segment that can be asked for, in MiB.
pub const SEGMENT_MB_MAX: u64 = 4096;

/// Where data is kept.
#[derive(Debug, Clone)]
pub struct StorageSettings {
    /// The data folder.
    pub data: PathBuf,
    /// Size of a new segment of the journal, in bytes.
    pub segment_bytes: u64,
}

impl StorageSettings {
    pub(super) fn resolve(typed: &Typed, problems: &mut Vec<String>) -> StorageSettings {
        StorageSettings {
            data: PathBuf::from(typed.text("data")),
            segment_bytes: bounded(typed, "journal.segment_mb", 64, SEGMENT_MB_MAX, problems) * MEBIBYTE,
        }
    }
}
