//! What the writer answers. An answer is sent when everything it tells is durable.

use ledger::decide::{Decision, Known};
use ledger::event::{Movement, Recorded as Event};
use ledger::id::Id;
use ledger::projection::Step;
use ledger::rejection::Refused;
use ledger::row::Row;
use std::fmt;
use std::sync::Arc;

/// The answer to a command.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A ledger, identity or balance was made or changed; the handle says which.
    Made {
        /// Its handle.
        handle: u32,
        /// Microseconds since 1970.
        at: i64,
    },
    /// Transactions were recorded.
    Recorded(Recorded),
    /// Scheduled requests have another time or amount: the first rows of their groups.
    Rescheduled(Vec<u64>),
    /// Everything is as it was asked to be already.
    Unchanged,
    /// Something else was sent with the same key before. Nothing happened.
    KeyTaken,
    /// The command names not all that the id stands for which it was made from: more has come since. Nothing happened; make it
    /// again.
    Outdated,
    /// The command was refused, and nothing happened.
    Refused(Refused),
    /// The command was not carried out, and nothing happened.
    Unavailable(Unavailable),
}

/// Transactions were recorded.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The rows that were made, without those that followed in the lineage of balances, as far as they were asked for; for a
    /// known request those of the first time.
    pub rows: Vec<Row>,
    /// How many rows were made; none for a known request.
    pub rows_count: u64,
    /// The id of the batch, when it is one.
    pub batch: Option<Id>,
    /// Queued requests among them that were made before. The rows are theirs when nothing else was made.
    pub known: Vec<Known>,
    /// Items that were refused while others stand.
    pub refused: Vec<Refused>,
    /// The event that made the rows, if rows were asked for: who shows them need not read it again.
    pub event: Option<Arc<Event>>,
    /// Whether it was carried out before, with the same key, and this is the answer of then.
    pub replayed: bool,
}

/// What would become of a command.
#[derive(Clone, Debug)]
pub struct Trial {
    /// What would be decided. Of [`ledger::command::Command::Record`], what would be refused is a rejected movement of the
    /// event, as far as it can be told as one.
    pub decided: Result<Decision, Refused>,
    /// The figures before and after each movement of the event.
    pub steps: Vec<Step>,
    /// What would follow from these movements in the lineage of tracked balances, in order. The event, whose arena has their
    /// texts, is without them.
    pub followed: Vec<Movement>,
}

/// Why commands were not tried.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Untried {
    /// One of them names not all that the id stands for which it was made from; make them again. See [`Answer::Outdated`].
    Outdated,
    /// The engine cannot try them.
    Unavailable(Unavailable),
}

/// Why a command was not carried out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unavailable {
    /// As many requests wait as may wait; try again soon.
    Busy,
    /// The journal cannot be written; the text says why and what to do.
    Stopped(String),
    /// The record would be larger than a record may be.
    TooLarge,
    /// The server is stopping.
    Closing,
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unavailable::Busy => write!(f, "too many requests are waiting; try again in a moment"),
            Unavailable::Stopped(reason) => write!(f, "the ledger takes no changes: {reason}"),
            Unavailable::TooLarge => write!(f, "the request is too large to be recorded as one; split it"),
            Unavailable::Closing => write!(f, "the server is stopping"),
        }
    }
}
