//! Which books are closed: of each ledger, up to which moment nothing changes any more.
//!
//! A closing is made in two steps, each an event. From the first on nothing can come to count before its moment; so what is summed
//! after it, beside the writer, are the totals of that moment, and the second keeps them.

use crate::chunked::Chunked;
use crate::event::{ClosingTotalled, LedgerClosed};
use crate::id::Id;
use crate::limits;
use crate::sharded::Sharded;
use crate::state::NO_RECORD;
use crate::wide::Wide;
use std::collections::BTreeSet;

/// One closing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Closing {
    /// Its id, which carries its number: that of closings before it.
    pub id: Id,
    /// When it was made, microseconds since 1970.
    pub created_at: i64,
    /// The handle of the ledger.
    pub ledger: u32,
    /// What counts before this moment is closed, microseconds since 1970. What counts at it is not.
    pub until: i64,
    /// Where its record is.
    pub record: u64,
    /// Where its totals are recorded, or [`NO_RECORD`] as long as they are not.
    pub totals: u64,
}

/// What the balances of a ledger in one currency had, in minor units, where its books were closed before and where they are now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Total {
    /// The number of the currency.
    pub currency: u32,
    /// Balances that existed before the moment of the closing.
    pub balances: u64,
    /// All that counts before the moment of the closing before, or nothing.
    pub opening: Turnover,
    /// All that counts before the moment of this one.
    pub closing: Turnover,
}

/// Sums of credits and debits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Turnover {
    /// Of credits.
    pub credit: Wide,
    /// Of debits.
    pub debit: Wide,
}

/// Whether totals are in order of their currencies, one of each, and no more than there may be.
pub fn are_lawful(totals: &[Total], currencies: usize) -> bool {
    totals.len() <= limits::CLOSING_CURRENCIES_MAX
        && totals.windows(2).all(|pair| pair[0].currency < pair[1].currency)
        && totals.last().is_none_or(|last| (last.currency as usize) < currencies)
}

/// All closings. Cloning it is cheap.
#[derive(Clone, Default, Debug)]
pub struct Closings {
    /// By number.
    all: Chunked<Closing>,
    /// Numbers by ledger, in order, which is that of their moments too; no list is empty.
    of_ledgers: Sharded<u32, Vec<u32>>,
    /// Those whose totals are not recorded yet.
    open: BTreeSet<u32>,
}

impl Closings {
    /// How many there are.
    pub const fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether no books were ever closed.
    pub const fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// A closing by its number.
    pub fn get(&self, number: u32) -> Option<&Closing> {
        self.all.get(number as usize)
    }

    /// A closing by its id.
    pub fn find(&self, id: Id) -> Option<&Closing> {
        self.all.get(usize::try_from(id.row()).ok()?).filter(|closing| closing.id == id)
    }

    /// All of them, in the order in which they were made.
    pub fn iter(&self) -> impl Iterator<Item = &Closing> {
        self.all.iter()
    }

    /// The numbers of the closings of a ledger, in order.
    pub fn of_ledger(&self, ledger: u32) -> &[u32] {
        self.of_ledgers.get(&ledger).map_or(&[], Vec::as_slice)
    }

    /// The numbers of those whose totals are not recorded yet.
    pub const fn open(&self) -> &BTreeSet<u32> {
        &self.open
    }

    /// Up to which moment the books of a ledger are closed; that moment itself is not.
    pub fn closed_until(&self, ledger: u32) -> Option<i64> {
        let last = self.of_ledger(ledger).last()?;
        self.get(*last).map(|closing| closing.until)
    }

    /// Whether the books of a ledger are closed at a moment.
    pub fn are_closed(&self, ledger: u32, at: i64) -> bool {
        !self.all.is_empty() && self.closed_until(ledger).is_some_and(|until| at < until)
    }

    pub(crate) fn close(&mut self, event: &LedgerClosed, record: u64) {
        assert_eq!(event.from, self.closed_until(event.ledger), "a closing goes on where the one before it ended");
        assert!(event.from.is_none_or(|from| from < event.until), "closings go forwards");
        assert_eq!(event.id.row(), self.all.len() as u64, "a closing has the next number");
        let LedgerClosed { at, id, ledger, until, .. } = *event;
        self.add(Closing { id, created_at: at, ledger, until, record, totals: NO_RECORD });
    }

    pub(crate) fn total(&mut self, event: &ClosingTotalled, record: u64) {
        let number = u32::try_from(event.closing.row()).expect("closings are limited");
        let closing = self.all.get_mut(number as usize).expect("totals are those of a closing");
        assert!(closing.id == event.closing && closing.totals == NO_RECORD, "totals are recorded once");
        closing.totals = record;
        self.open.remove(&number);
    }

    fn add(&mut self, closing: Closing) {
        let number = u32::try_from(self.all.len()).expect("closings are limited");
        match self.of_ledgers.get_mut(&closing.ledger) {
            Some(list) => list.push(number),
            None => drop(self.of_ledgers.insert(closing.ledger, vec![number])),
        }
        if closing.totals == NO_RECORD {
            self.open.insert(number);
        }
        self.all.push(closing);
    }

    /// Puts a closing back that a checkpoint knew; they come in order. Answers whether it can follow those before it.
    pub fn restore(&mut self, closing: Closing) -> bool {
        let follows = closing.id.row() == self.all.len() as u64
            && self.closed_until(closing.ledger).is_none_or(|until| until < closing.until);
        if follows {
            self.add(closing);
        }
        follows
    }
}
