//! Keys of requests that recorded nothing, in the index of references.
//!
//! The key of a request that made rows leads to the first of them. One that made none leads to its record: the value is the
//! position of that, marked. It is entered when the record is durable, not before: a row's number that a power cut took leads to
//! another row or to none, which is seen, while a position could lead into the middle of a record.

/// Marks a value that is no row.
const KEPT: u64 = 1 << 61;

const _: () = assert!(ledger::limits::ROWS_MAX < KEPT, "no row looks like a position");

/// The value of a record's position.
pub fn value_of(position: u64) -> u64 {
    assert!(position < KEPT, "a journal is not that long");
    KEPT | position
}

/// The position that a value stands for, if it is one.
pub const fn position_of(value: u64) -> Option<u64> {
    if value & KEPT != 0 { Some(value & !KEPT) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_told_from_rows() {
        for position in [0, 1, 4096, (1 << 61) - 1] {
            assert_eq!(position_of(value_of(position)), Some(position));
        }
        for row in [0, 1, ledger::limits::ROWS_MAX] {
            assert_eq!(position_of(row), None);
        }
    }
}
