//! Metadata that was changed after it was recorded.
//!
//! Of ledgers and balances, a change holds the metadata as a whole; who computed it says which change it had seen, so that
//! none is lost. Of transactions, a change holds only what was given: it counts for the row it names and for the rows that
//! belong to it, which all have metadata of their own. Changes of one subject lead back to each other through the journal.

use crate::row::Parent;

/// What metadata belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Subject {
    /// A ledger, by its handle.
    Ledger(u32),
    /// A balance, by its handle.
    Balance(u32),
    /// A row and the rows whose parent it is, or the rows of a batch or of a split transaction. Never [`Parent::None`].
    Rows(Parent),
}

impl Subject {
    /// The subject as one number, different from that of every other.
    pub const fn pack(self) -> u64 {
        match self {
            Subject::Ledger(handle) => (handle as u64) << 3,
            Subject::Balance(handle) => (handle as u64) << 3 | 4,
            Subject::Rows(parent) => parent.pack(),
        }
    }

    /// The subject of a number that [`Subject::pack`] made.
    pub const fn unpack(number: u64) -> Option<Subject> {
        if number & 3 != 0 {
            return Some(Subject::Rows(Parent::unpack(number)));
        }
        if number >> 3 > u32::MAX as u64 {
            return None;
        }
        let handle = (number >> 3) as u32;
        Some(if number & 4 == 0 { Subject::Ledger(handle) } else { Subject::Balance(handle) })
    }

    /// Whether a change holds all of its metadata, not only what was given.
    pub const fn is_whole(self) -> bool {
        matches!(self, Subject::Ledger(_) | Subject::Balance(_))
    }
}

/// The changes of one subject.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Noted {
    /// Where the record of the newest is.
    pub record: u64,
    /// How many there are.
    pub count: u32,
    /// How long they are together, in bytes of JSON.
    pub bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_survive_packing() {
        let rows = [Parent::Row(0), Parent::Row(1 << 40), Parent::Batch(7), Parent::Split(9)].map(Subject::Rows);
        let others =
            [0, 1, u32::MAX].into_iter().flat_map(|handle| [Subject::Ledger(handle), Subject::Balance(handle)]);
        let all: Vec<Subject> = rows.into_iter().chain(others).collect();
        for (index, subject) in all.iter().enumerate() {
            assert_eq!(Subject::unpack(subject.pack()), Some(*subject));
            assert!(all[..index].iter().all(|other| other.pack() != subject.pack()));
        }
        assert_eq!(Subject::unpack(1 << 40), None);
    }
}
