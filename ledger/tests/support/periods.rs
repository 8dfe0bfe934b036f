//! What closings and assertions say, kept apart from the state to compare it with, and the law of closed books: what was summed
//! when they were closed is what is summed at any time later.

use ledger::closings::{Total, Turnover};
use ledger::event::{Event, NO_BALANCE};
use ledger::id::Id;
use ledger::row::{Row, Status};
use ledger::state::{GENERAL_LEDGER, State};
use ledger::wide::Wide;
use std::collections::BTreeMap;

/// A closing as its events tell of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Closed {
    pub id: Id,
    pub ledger: u32,
    pub until: i64,
    /// What the rows added up to when it was made.
    summed: BTreeMap<u32, Turnover>,
    totalled: bool,
}

/// Closings and assertions.
#[derive(Clone, Default)]
pub struct Periods {
    pub closings: Vec<Closed>,
    /// The balance, moment and amount of each that was not deleted.
    pub assertions: BTreeMap<Id, (u32, i64, i128)>,
}

/// What of the rows counts before a moment, of the balances of a ledger, by currency.
pub fn summed(state: &State, rows: &[Row], ledger: u32, until: i64) -> BTreeMap<u32, Turnover> {
    let mut sums: BTreeMap<u32, (i128, i128)> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.status == Status::Applied && row.effective_at < until) {
        for (handle, credit, debit) in [(row.source, 0, row.amount), (row.destination, row.amount, 0)] {
            let balance = state.balance(handle);
            if balance.ledger == ledger {
                let sum = sums.entry(balance.currency).or_default();
                *sum = (sum.0 + credit, sum.1 + debit);
            }
        }
    }
    let wide = |amount: i128| {
        let mut wide = Wide::default();
        wide.add(amount);
        wide
    };
    sums.into_iter().map(|(currency, sum)| (currency, Turnover { credit: wide(sum.0), debit: wide(sum.1) })).collect()
}

impl Periods {
    /// Takes in an event; the rows are those before it.
    pub fn add(&mut self, state: &State, event: &Event, rows: &[Row]) {
        match event {
            Event::LedgerClosed(event) => {
                assert!(event.until <= event.at, "only what has passed is closed");
                assert_eq!(event.from, self.until(event.ledger), "a closing goes on where the one before it ended");
                assert!(event.from.is_none_or(|from| from < event.until), "closings go forwards");
                let summed = summed(state, rows, event.ledger, event.until);
                let (id, ledger, until) = (event.id, event.ledger, event.until);
                self.closings.push(Closed { id, ledger, until, summed, totalled: false });
            }
            Event::ClosingTotalled(event) => {
                let closing = self.closings.iter_mut().find(|closing| closing.id == event.closing);
                let closing = closing.expect("totals are those of a closing");
                assert!(!std::mem::replace(&mut closing.totalled, true), "totals are recorded once");
                let told: BTreeMap<u32, Turnover> =
                    event.totals.iter().map(|total: &Total| (total.currency, total.closing)).collect();
                assert_eq!(told, closing.summed, "totals are what the rows added up to when the books were closed");
            }
            Event::BalanceAsserted(event) => {
                assert!(event.as_of <= event.at, "nothing is said of what is to come");
                let before = self.assertions.insert(event.id, (event.balance, event.as_of, event.amount));
                assert_eq!(before, None, "ids are different");
            }
            Event::AssertionDeleted(event) => {
                assert!(self.assertions.remove(&event.id).is_some(), "what is deleted was there");
            }
            _ => {}
        }
    }

    /// Up to which moment the books of a ledger are closed.
    pub fn until(&self, ledger: u32) -> Option<i64> {
        self.closings.iter().filter(|closing| closing.ledger == ledger).map(|closing| closing.until).max()
    }

    /// Whether a business date is in closed books of one of two balances; those that do not exist would be in the General Ledger.
    pub fn are_closed(&self, state: &State, sides: [Option<u32>; 2], effective_at: Option<i64>) -> bool {
        let Some(at) = effective_at.filter(|_| !self.closings.is_empty()) else { return false };
        let ledger = |side: Option<u32>| side.map_or(GENERAL_LEDGER, |handle| state.balance(handle).ledger);
        sides.into_iter().any(|side| self.until(ledger(side)).is_some_and(|until| at < until))
    }

    /// A row that is not refused never counts in books that are closed by then.
    pub fn check_row(&self, state: &State, row: &Row) {
        if self.closings.is_empty() || matches!(row.status, Status::Rejected | Status::Queued | Status::Void) {
            return;
        }
        for handle in [row.source, row.destination].into_iter().filter(|handle| *handle != NO_BALANCE) {
            let until = self.until(state.balance(handle).ledger);
            assert!(until.is_none_or(|until| row.effective_at >= until), "row {row:?} is in closed books");
        }
    }

    /// The law: whatever happened since, the rows add up to what they added up to when the books were closed.
    pub fn check_sums(&self, state: &State, rows: &[Row]) {
        for closing in &self.closings {
            assert_eq!(
                summed(state, rows, closing.ledger, closing.until),
                closing.summed,
                "closed books stay as they are"
            );
        }
    }

    /// Compares everything with the state.
    pub fn compare(&self, state: &State) {
        assert_eq!(state.closings.len(), self.closings.len());
        for (closing, known) in self.closings.iter().zip(state.closings.iter()) {
            assert_eq!((closing.id, closing.ledger, closing.until), (known.id, known.ledger, known.until));
            assert_eq!(state.closings.find(closing.id), Some(known));
            assert_eq!(closing.totalled, !state.closings.open().contains(&(known.id.row() as u32)));
        }
        for ledger in 0..state.ledgers.len() as u32 {
            assert_eq!(state.closings.closed_until(ledger), self.until(ledger));
        }
        assert_eq!(state.assertions.existing_count(), self.assertions.len());
        for (id, (balance, as_of, amount)) in &self.assertions {
            let known = state.assertions.find(*id).expect("what is kept is found");
            assert_eq!((known.balance, known.as_of, known.amount), (*balance, *as_of, *amount));
            assert!(state.assertions.of_balance(*balance).contains(&(id.row() as u32)));
        }
        let listed = (0..state.balances.len() as u32).map(|handle| state.assertions.of_balance(handle).len());
        assert_eq!(listed.sum::<usize>(), self.assertions.len(), "what was deleted is listed nowhere");
    }
}
