//! What reads are served from: one row for each record of a transaction that the API shows.
//!
//! A row is derived from an event. It has what filters and histories need, and says where its record is; the texts are
//! only there.

use crate::id::Id;

/// No row, where a row number may be missing.
pub const NO_ROW: u64 = u64::MAX;

/// One row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    /// Its number, from 0.
    pub number: u64,
    /// The random part of its id.
    pub nonce: u64,
    /// Microseconds since 1970.
    pub created_at: i64,
    /// The business date, microseconds since 1970.
    pub effective_at: i64,
    /// Where its record is; what the caller of `apply` said.
    pub record: u64,
    /// Index of its movement in the record.
    pub movement: u32,
    /// Handle of the source, or [`crate::event::NO_BALANCE`].
    pub source: u32,
    /// Handle of the destination, or [`crate::event::NO_BALANCE`].
    pub destination: u32,
    /// The number of the currency.
    pub currency: u32,
    /// Minor units.
    pub amount: i128,
    /// Minor units in a major unit.
    pub precision: u64,
    /// What it belongs to.
    pub parent: Parent,
    /// Its status.
    pub status: Status,
    /// Its marks.
    pub flags: Flags,
    /// The posted figures of the source after it.
    pub source_after: Posted,
    /// The posted figures of the destination after it.
    pub destination_after: Posted,
    /// The rows before it in the history of its source.
    pub source_links: Links,
    /// The rows before it in the history of its destination.
    pub destination_links: Links,
}

impl Row {
    /// Its id.
    pub const fn id(&self) -> Id {
        Id::new(self.created_at, self.number, self.nonce)
    }
}

/// Credits and debits of a balance, in minor units.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Posted {
    /// Sum of all credits.
    pub credit: i128,
    /// Sum of all debits.
    pub debit: i128,
}

/// Where the history of a balance goes on, backwards.
///
/// The rows of a balance are numbered from 1. Row `n` points to row `n - 1`, and skips to row `n` without its lowest set bit
/// (the path of a Fenwick tree), so that any moment is found in a logarithmic number of steps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Links {
    /// The row before, or [`NO_ROW`].
    pub previous: u64,
    /// The row further back, or [`NO_ROW`].
    pub skip: u64,
}

impl Links {
    /// The links of a first row.
    pub const NONE: Links = Links { previous: NO_ROW, skip: NO_ROW };
}

/// What a row belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Parent {
    /// Nothing.
    None,
    /// Another row.
    Row(u64),
    /// The batch whose first row this is.
    Batch(u64),
    /// The split transaction whose first leg is this row.
    Split(u64),
}

impl Parent {
    /// The parent as one number.
    pub const fn pack(self) -> u64 {
        match self {
            Parent::None => 0,
            Parent::Row(row) => row << 2 | 1,
            Parent::Batch(row) => row << 2 | 2,
            Parent::Split(row) => row << 2 | 3,
        }
    }

    /// The parent of a number that [`Parent::pack`] made.
    pub const fn unpack(number: u64) -> Parent {
        match number & 3 {
            1 => Parent::Row(number >> 2),
            2 => Parent::Batch(number >> 2),
            3 => Parent::Split(number >> 2),
            _ => Parent::None,
        }
    }
}

/// The status of a row; it never changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Status {
    /// A request that went through the queue; its outcome is a row of its own.
    Queued = 0,
    /// A request that waits, or waited, for its time; its outcome is a row of its own.
    Scheduled = 1,
    /// A hold.
    Inflight = 2,
    /// Posted.
    Applied = 3,
    /// The release of a hold.
    Void = 4,
    /// Refused.
    Rejected = 5,
}

impl Status {
    /// The status of a stored number.
    pub const fn of_number(number: u8) -> Option<Status> {
        Some(match number {
            0 => Status::Queued,
            1 => Status::Scheduled,
            2 => Status::Inflight,
            3 => Status::Applied,
            4 => Status::Void,
            5 => Status::Rejected,
            _ => return None,
        })
    }

    /// The word of the API.
    pub const fn word(self) -> &'static str {
        match self {
            Status::Queued => "QUEUED",
            Status::Scheduled => "SCHEDULED",
            Status::Inflight => "INFLIGHT",
            Status::Applied => "APPLIED",
            Status::Void => "VOID",
            Status::Rejected => "REJECTED",
        }
    }
}

/// Marks of a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Flags(pub u16);

impl Flags {
    /// It is, or was to be, a hold.
    pub const INFLIGHT: Flags = Flags(1);
    /// It is the outcome of the row before it.
    pub const OUTCOME: Flags = Flags(2);
    /// Its business date was given.
    pub const EFFECTIVE: Flags = Flags(4);
    /// It gives another row back.
    pub const REFUND: Flags = Flags(8);
    /// It is the run of a scheduled request.
    pub const EXECUTION: Flags = Flags(16);
    /// It settles or releases a hold.
    pub const SETTLEMENT: Flags = Flags(32);
    /// It raises or lowers a hold, or gives it other dates.
    pub const CHANGE: Flags = Flags(64);
    /// It follows another row in the lineage of a tracked balance.
    pub const LINEAGE: Flags = Flags(128);

    /// Whether all marks of the other are set.
    pub const fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets of marks.
    #[must_use]
    pub const fn with(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// The marks, or none.
    #[must_use]
    pub const fn when(self, set: bool) -> Flags {
        if set { self } else { Flags(0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_survive_packing() {
        for parent in [Parent::None, Parent::Row(0), Parent::Row(1 << 40), Parent::Batch(7), Parent::Split(9)] {
            assert_eq!(Parent::unpack(parent.pack()), parent);
        }
    }
}
