//! What only the state knows of the events on a page: ids that follow from how many things were there before, and the names
//! of what others belong to. It is asked for once a page, and not at all by pages of transactions alone.

use super::emitted::Emitted;
use super::page::Page;
use crate::http::ask;
use crate::http::error::ApiError;
use crate::http::ledgers;
use crate::http::state::AppState;
use ledger::chunked::Chunked;
use ledger::closings::Closing;
use ledger::event::Event;
use ledger::id::Id;
use ledger::state::{Balance, Currencies, State};
use std::sync::Arc;

/// What is asked of the state for one record.
#[derive(Debug, Clone, Copy)]
enum Wanted {
    Ledger,
    LedgerRenamed { ledger: u32 },
    Identity,
    Balance { ledger: u32, identity: Option<u32> },
    BalancesOpened { first: usize, count: usize },
    Closing(Id),
    Asserted(u32),
    Assertion(Id),
}

/// What the state knows of one record.
pub enum Names {
    /// The id of the ledger that it made.
    Ledger(String),
    /// The ledger that it renamed.
    LedgerRenamed(ledgers::Found),
    /// The id of the identity that it made.
    Identity(String),
    /// The balance that it made.
    Balance {
        /// Its id.
        id: Id,
        /// The id of its ledger.
        ledger_id: String,
        /// The id of its owner, or empty.
        identity_id: String,
    },
    /// The ids of the balances that it opened, as far as they are on the page.
    BalancesOpened(Vec<Id>),
    /// The closing whose totals it recorded, the id of its ledger, and the currencies.
    Closing {
        /// The closing.
        closing: Closing,
        /// The id of its ledger.
        ledger_id: String,
        /// All currencies.
        currencies: Arc<Currencies>,
    },
    /// The balance that it says something of: its id and currency.
    Asserted {
        /// Its id.
        id: Id,
        /// Its currency.
        currency: String,
    },
}

/// Asks for what the records of a page need, in their order; `None` for those that need nothing.
pub async fn find(state: &AppState, page: &Page) -> Result<Vec<Option<Names>>, ApiError> {
    let wanted: Vec<_> = page
        .records
        .iter()
        .map(|taken| wanted(&taken.record.event, &taken.emitted).map(|wanted| (taken.record.cursor.position, wanted)))
        .collect();
    if wanted.iter().all(Option::is_none) {
        return Ok(wanted.iter().map(|_| None).collect());
    }
    let found = ask::look(state, move |view| {
        let mut finder = Finder { state: view.state, ledger: 0, identity: 0, balance: 0 };
        let names = wanted.into_iter().map(|wanted| match wanted {
            None => Some(None),
            Some((position, wanted)) => finder.names(position, wanted).map(Some),
        });
        names.collect::<Option<Vec<_>>>()
    });
    found.await?.ok_or_else(|| {
        tracing::error!("a record of the feed is not known to the state; run `florin verify`");
        ApiError::internal()
    })
}

fn wanted(event: &Event, emitted: &[Emitted]) -> Option<Wanted> {
    match event {
        Event::LedgerCreated(_) => Some(Wanted::Ledger),
        Event::LedgerRenamed(event) => Some(Wanted::LedgerRenamed { ledger: event.ledger }),
        Event::IdentityCreated(_) => Some(Wanted::Identity),
        Event::BalanceCreated(event) => Some(Wanted::Balance { ledger: event.ledger, identity: event.identity }),
        Event::Recorded(_) => {
            let mut opened = emitted.iter().filter_map(|one| match one {
                Emitted::BalanceOpened(index) => Some(*index),
                _ => None,
            });
            let first = opened.next()?;
            Some(Wanted::BalancesOpened { first, count: 1 + opened.count() })
        }
        Event::BatchFailed(_)
        | Event::Rescheduled(_)
        | Event::CurrencyRegistered(_)
        | Event::PolicySet(_)
        | Event::MetadataChanged(_)
        | Event::BalanceLinked(_)
        | Event::BalanceNamed(_)
        | Event::MonitorSet(_)
        | Event::MonitorDeleted(_) => None,
        Event::AccountCreated(_) => None,
        Event::LedgerClosed(_) => None,
        Event::ClosingTotalled(event) => Some(Wanted::Closing(event.closing)),
        Event::BalanceAsserted(event) => Some(Wanted::Asserted(event.balance)),
        Event::AssertionDeleted(event) => Some(Wanted::Assertion(event.id)),
        Event::IdentityChanged(_) | Event::IdentityDeleted(_) | Event::IdentityRevealed(_) => None,
        Event::KeyKept(_) => None,
    }
}

/// Finds what a record made by where the record is. Things are made in the order of records, so that the next one is nearly
/// always behind the one that was found last, and a binary search finds it otherwise.
struct Finder<'a> {
    state: &'a State,
    ledger: usize,
    identity: usize,
    balance: usize,
}

impl Finder<'_> {
    fn names(&mut self, position: u64, wanted: Wanted) -> Option<Names> {
        let state = self.state;
        Some(match wanted {
            Wanted::Ledger => {
                // The first ledger is there from the start and has no record.
                let handle = made_by(&state.ledgers, self.ledger.max(1), 1, position, |one| one.record)?;
                self.ledger = handle + 1;
                Names::Ledger(state.ledger_text(handle as u32))
            }
            Wanted::LedgerRenamed { ledger } => Names::LedgerRenamed(ledgers::Found::of(state, ledger)?),
            Wanted::Identity => {
                let handle = made_by(&state.identities, self.identity, 0, position, |one| one.record)?;
                self.identity = handle + 1;
                Names::Identity(state.identity_text(handle as u32))
            }
            Wanted::Balance { ledger, identity } => {
                let handle = self.balance_of(position)?;
                self.balance = handle + 1;
                Names::Balance {
                    id: state.balance_id(handle as u32),
                    ledger_id: state.ledger_text(ledger),
                    identity_id: identity.map(|identity| state.identity_text(identity)).unwrap_or_default(),
                }
            }
            Wanted::BalancesOpened { first, count } => {
                let handles = self.balance_of(position)? + first..;
                let handles = handles.start..handles.start + count;
                self.balance = handles.end;
                let balance = |handle: usize| Some(state.balances.get(handle)?.id(handle as u32));
                Names::BalancesOpened(handles.map(balance).collect::<Option<_>>()?)
            }
            Wanted::Closing(id) => {
                let closing = *state.closings.find(id)?;
                let (ledger_id, currencies) = (state.ledger_text(closing.ledger), Arc::clone(&state.currencies));
                Names::Closing { closing, ledger_id, currencies }
            }
            Wanted::Asserted(balance) => asserted(state, balance)?,
            Wanted::Assertion(id) => {
                let number = u32::try_from(id.row()).ok()?;
                asserted(state, state.assertions.get(number)?.balance)?
            }
        })
    }

    fn balance_of(&self, position: u64) -> Option<usize> {
        made_by(&self.state.balances, self.balance, 0, position, |one: &Balance| one.record)
    }
}

fn asserted(state: &State, handle: u32) -> Option<Names> {
    let balance = state.balances.get(handle as usize)?;
    Some(Names::Asserted { id: balance.id(handle), currency: state.currencies.text(balance.currency).to_owned() })
}

/// The index of the first thing that a record made. `likely` is looked at first.
fn made_by<T>(
    all: &Chunked<T>,
    likely: usize,
    start: usize,
    position: u64,
    record_of: impl Fn(&T) -> u64,
) -> Option<usize> {
    let record = |index: usize| all.get(index).map(&record_of);
    let (mut from, mut to) = (start, all.len());
    let is_first = likely == start || record(likely.wrapping_sub(1)) != Some(position);
    if is_first && record(likely) == Some(position) {
        return Some(likely);
    }
    while from < to {
        let middle = from + (to - from) / 2;
        if record(middle)? < position { from = middle + 1 } else { to = middle }
    }
    (record(from) == Some(position)).then_some(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_are_found_by_their_record() {
        let mut all = Chunked::default();
        for record in [u64::MAX, 100, 200, 200, 200, 300, 500] {
            all.push(record);
        }
        let find = |likely, position| made_by(&all, likely, 1, position, |record| *record);
        for likely in 0..9 {
            for (position, wanted) in
                [(100, Some(1)), (200, Some(2)), (300, Some(5)), (500, Some(6)), (400, None), (600, None)]
            {
                assert_eq!(find(likely.max(1), position), wanted, "{position} from {likely}");
            }
        }
    }
}
