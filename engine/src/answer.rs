//! What the writer answers. An answer is sent when everything it tells is durable.

use ledger::event::Recorded as Event;
use ledger::id::Id;
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
    /// The command was refused, and nothing happened.
    Refused(Refused),
    /// The command was not carried out, and nothing happened.
    Unavailable(Unavailable),
}

/// Transactions were recorded.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The rows that were made, as far as they were asked for; for a known request those of the first time.
    pub rows: Vec<Row>,
    /// How many rows were made; none for a known request.
    pub rows_count: u64,
    /// The id of the batch, when it is one.
    pub batch: Option<Id>,
    /// The item at which an independent batch ended.
    pub failed: Option<Refused>,
    /// Whether the request was known, and nothing was made.
    pub known: bool,
    /// The event that made the rows, if rows were asked for: who shows them need not read it again.
    pub event: Option<Arc<Event>>,
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
