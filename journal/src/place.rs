//! A point between two records.

/// The point after a record: what comes next, where it may begin, and the hash of everything before.
///
/// A position is `segment number * segment_bytes + offset in the segment`. The next record begins at `position` or,
/// when it does not fit in the rest of that segment, at the start of the next one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// The seq of the next record. The first record has seq 1.
    pub seq: u64,
    /// The byte position where the next record may begin.
    pub position: u64,
    /// The chain hash of the record before, zeros before the first one.
    pub chain: [u8; 32],
}

impl Place {
    /// The place before the first record.
    pub fn start() -> Place {
        Place { seq: 1, position: 0, chain: [0; 32] }
    }
}

/// Up to where records are certain when somebody has seen the journal up to `position`. One at the start of a segment tells only of
/// records in earlier ones: the segment may have been entered and hold nothing.
pub const fn certain_until(position: u64, segment_bytes: u64) -> u64 {
    if position.is_multiple_of(segment_bytes) { position.saturating_sub(segment_bytes) } else { position }
}
