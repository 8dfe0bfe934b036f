//! Which webhook events a record makes, and in which order: balances that it opened, then its transactions in order of
//! rows, then what it says of the whole.

use ledger::command::Batch;
use ledger::event::{Event, Kind, Movement, Outcome, Recorded};
use ledger::rejection::Rejection;

/// One event of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emitted {
    /// A ledger was made.
    Ledger,
    /// A ledger has another name. Blnk has no event of its own for it.
    LedgerRenamed,
    /// An identity was made.
    Identity,
    /// A balance was made.
    Balance,
    /// This one of the balances that the record opened on first use of their indicators.
    BalanceOpened(usize),
    /// A transaction was posted, held, voided or rejected.
    Transaction {
        /// The row that tells the outcome.
        row: u64,
        /// The index of its movement.
        movement: usize,
        /// What it is called.
        name: &'static str,
    },
    /// A batch that was worked on behind its answer was recorded.
    BatchRecorded {
        /// What it is called.
        name: &'static str,
    },
    /// A batch that was worked on behind its answer failed.
    BatchFailed,
    /// A whole was rejected because one of its parts was.
    WholeFailed {
        /// The index of the movement that was to blame.
        movement: usize,
        /// Why.
        rejection: Rejection,
    },
    /// A monitor fired because of the transaction before; see [`super::alerts`].
    Monitor {
        /// Where the monitor is defined.
        record: u64,
        /// Bytes of that record.
        bytes: u32,
    },
    /// The books of a ledger were closed, and their totals recorded.
    LedgerClosed,
    /// A balance was said to have been an amount.
    BalanceAsserted,
    /// That was taken back.
    AssertionDeleted,
}

impl Emitted {
    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Emitted::Ledger | Emitted::LedgerRenamed => "ledger.created",
            Emitted::Identity => "identity.created",
            Emitted::Balance | Emitted::BalanceOpened(_) => "balance.created",
            Emitted::Transaction { name, .. } | Emitted::BatchRecorded { name } => name,
            Emitted::BatchFailed | Emitted::WholeFailed { .. } => "bulk_transaction.failed",
            Emitted::Monitor { .. } => "balance.monitor",
            Emitted::LedgerClosed => "ledger.closed",
            Emitted::BalanceAsserted => "balance.asserted",
            Emitted::AssertionDeleted => "balance.assertion_deleted",
        }
    }
}

/// All events of a record that follow from it alone, in order.
pub fn emitted(event: &Event) -> Vec<Emitted> {
    match event {
        Event::LedgerCreated(_) => vec![Emitted::Ledger],
        Event::LedgerRenamed(_) => vec![Emitted::LedgerRenamed],
        Event::IdentityCreated(_) => vec![Emitted::Identity],
        Event::BalanceCreated(_) => vec![Emitted::Balance],
        Event::Recorded(event) => recorded(event),
        Event::BatchFailed(_) => vec![Emitted::BatchFailed],
        Event::Rescheduled(_)
        | Event::CurrencyRegistered(_)
        | Event::PolicySet(_)
        | Event::MetadataChanged(_)
        | Event::BalanceLinked(_)
        | Event::BalanceNamed(_)
        | Event::MonitorSet(_)
        | Event::MonitorDeleted(_) => Vec::new(),
        Event::AccountCreated(_) => Vec::new(),
        // It is told when its totals are recorded.
        Event::LedgerClosed(_) => Vec::new(),
        Event::ClosingTotalled(_) => vec![Emitted::LedgerClosed],
        Event::BalanceAsserted(_) => vec![Emitted::BalanceAsserted],
        Event::AssertionDeleted(_) => vec![Emitted::AssertionDeleted],
        // Blnk tells nothing of these either.
        Event::IdentityChanged(_) | Event::IdentityDeleted(_) | Event::IdentityRevealed(_) => Vec::new(),
        Event::KeyKept(_) => Vec::new(),
    }
}

fn recorded(event: &Recorded) -> Vec<Emitted> {
    let mut all: Vec<Emitted> = (0..event.opened.len()).map(Emitted::BalanceOpened).collect();
    let mut next_row = event.first_row;
    for (movement, moved) in event.movements.iter().enumerate() {
        next_row += moved.rows_count();
        if let Some(name) = name_of(moved) {
            // A request through the queue makes the row before, of which nothing is told.
            all.push(Emitted::Transaction { row: next_row - 1, movement, name });
        }
    }
    let failed = whole_failed(event);
    if event.announced && failed.is_none() {
        let held = event.main_movements().iter().all(|movement| movement.inflight);
        all.push(Emitted::BatchRecorded {
            name: if held { "bulk_transaction.inflight" } else { "bulk_transaction.applied" },
        });
    }
    all.extend(failed);
    all
}

/// What a movement is called. Nothing is told of what waits, nor of a hold that only got other dates.
fn name_of(movement: &Movement) -> Option<&'static str> {
    if matches!(movement.kind, Kind::Change { .. }) && movement.amount == 0 {
        return None;
    }
    match movement.outcome {
        Outcome::Applied => Some("transaction.applied"),
        Outcome::Held => Some("transaction.inflight"),
        Outcome::Voided => Some("transaction.void"),
        Outcome::Rejected(_) => Some("transaction.rejected"),
        Outcome::Scheduled => None,
    }
}

/// Of a batch that stands or falls as a whole, or a request that its caller marked so.
fn whole_failed(event: &Recorded) -> Option<Emitted> {
    let is_whole = |atomic: bool| match event.batch {
        Batch::Atomic => true,
        Batch::Single => atomic,
        Batch::Independent => false,
    };
    let rejected = event.movements.iter().enumerate().filter_map(|(movement, moved)| match moved.outcome {
        Outcome::Rejected(rejection) if is_whole(moved.atomic) => Some((movement, rejection)),
        _ => None,
    });
    // The others were rejected because of this one.
    let (movement, rejection) = rejected.min_by_key(|(_, rejection)| *rejection == Rejection::BatchRejected)?;
    Some(Emitted::WholeFailed { movement, rejection })
}
