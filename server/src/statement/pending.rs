//! The open holds of balances, which a statement shows apart from its lines when it is asked to.
//!
//! They are those of the moment at which the statement was asked for, with what is left of each: nobody has kept what was open at
//! a moment before. They are in none of its sums.

use super::section::{Entry, Period};
use crate::api::transaction::view::Viewer;
use crate::http::error::{ApiError, Code};
use engine::reading::{Books, BooksFault};
use ledger::id::Prefix;
use ledger::row::Posted;
use ledger::state::State;
use std::collections::HashMap;

/// Open holds of a statement, over all its balances, at most.
pub const PENDING_MAX: usize = 1_000;

/// An open hold: its row, and what is left of it in minor units.
pub type Open = (u64, i128);

/// The open holds of the balances of a statement.
pub enum Pending {
    /// They are not asked for.
    None,
    /// Those of each balance that has some, by handle, in the order in which they were recorded.
    Of(HashMap<u32, Vec<Open>>),
}

impl Pending {
    /// Those of a balance, once; nothing when they are not asked for.
    pub fn take(&mut self, handle: u32) -> Option<Vec<Open>> {
        match self {
            Pending::None => None,
            Pending::Of(holds) => Some(holds.remove(&handle).unwrap_or_default()),
        }
    }
}

/// The open holds of some balances, whose handles are in order.
pub fn collect(state: &State, handles: &[u32]) -> Result<Pending, ApiError> {
    let mut found: HashMap<u32, Vec<Open>> = HashMap::new();
    let mut count = 0;
    for (row, hold) in state.holds.iter() {
        for handle in [hold.source, hold.destination] {
            if handles.binary_search(&handle).is_err() {
                continue;
            }
            count += 1;
            if count > PENDING_MAX {
                let message = format!("pending: there are more than {PENDING_MAX} open holds; ask without them");
                return Err(ApiError::new(Code::GenValidationError, message));
            }
            let holds = found.entry(handle).or_default();
            // A balance may hold what it pays to itself.
            if holds.last() != Some(&(*row, hold.remaining)) {
                holds.push((*row, hold.remaining));
            }
        }
    }
    for holds in found.values_mut() {
        holds.sort_unstable();
    }
    Ok(Pending::Of(found))
}

/// The holds of a balance that count before the end of a time, as they are shown, in the order of their business dates.
pub fn entries(books: &Books, handle: u32, holds: &[Open], period: Period) -> Result<Vec<Entry>, BooksFault> {
    let mut viewer = Viewer::new(books);
    let mut entries = Vec::with_capacity(holds.len());
    for &(number, left) in holds {
        let row = books.row(number)?.ok_or(BooksFault::Row(number))?;
        if row.effective_at >= period.to {
            continue;
        }
        let moved = Posted {
            credit: if row.destination == handle { left } else { 0 },
            debit: if row.source == handle { left } else { 0 },
        };
        let other = if moved.debit > 0 { row.destination } else { row.source };
        let told = viewer.told(&row)?;
        entries.push(Entry {
            id: row.id(),
            reference: told.reference(&row),
            description: told.description().to_owned(),
            counterparty: books.balance_id(other).map(|id| id.text(Prefix::Balance)).unwrap_or_default(),
            kind: "hold",
            effective_at: row.effective_at,
            created_at: row.created_at,
            moved,
            balance: None,
        });
    }
    // Those of one moment stay in the order in which they were recorded.
    entries.sort_by_key(|entry| entry.effective_at);
    Ok(entries)
}
