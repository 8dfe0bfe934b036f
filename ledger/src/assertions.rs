//! What was said that balances were: kept, so that it can be compared with what they are said to have been now.
//!
//! Nothing of them is looked at while money is moved. Whoever reads the rows finds out whether they hold.

use crate::chunked::Chunked;
use crate::event::{AssertionDeleted, BalanceAsserted};
use crate::id::Id;
use crate::sharded::Sharded;
use crate::state::NO_RECORD;

/// That a balance was an amount at a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Assertion {
    /// Its id, which carries its number: that of assertions before it.
    pub id: Id,
    /// When it was made, microseconds since 1970.
    pub created_at: i64,
    /// The handle of the balance.
    pub balance: u32,
    /// Of when it speaks, microseconds since 1970: what counts by then.
    pub as_of: i64,
    /// What counts exactly then belongs to it only when its row has a lower number: an assertion of now says nothing of what
    /// comes next.
    pub before_row: u64,
    /// Credits less debits, minor units.
    pub amount: i128,
    /// Where its record is, or [`NO_RECORD`] once it was deleted.
    pub record: u64,
}

/// All assertions. Cloning it is cheap.
#[derive(Clone, Default, Debug)]
pub struct Assertions {
    /// By number; those that were deleted keep theirs.
    all: Chunked<Assertion>,
    /// Numbers by balance, in order; no list is empty.
    of_balances: Sharded<u32, Vec<u32>>,
    existing: usize,
}

impl Assertions {
    /// How many were ever made.
    pub const fn made_count(&self) -> usize {
        self.all.len()
    }

    /// How many there are.
    pub const fn existing_count(&self) -> usize {
        self.existing
    }

    /// An assertion by its number, deleted or not.
    pub fn get(&self, number: u32) -> Option<&Assertion> {
        self.all.get(number as usize)
    }

    /// An assertion by its id, unless it was deleted.
    pub fn find(&self, id: Id) -> Option<&Assertion> {
        let assertion = self.all.get(usize::try_from(id.row()).ok()?)?;
        (assertion.id == id && assertion.record != NO_RECORD).then_some(assertion)
    }

    /// All that were ever made, in order; those that were deleted have no record.
    pub fn iter(&self) -> impl Iterator<Item = &Assertion> {
        self.all.iter()
    }

    /// The numbers of those of a balance, in the order in which they were made.
    pub fn of_balance(&self, balance: u32) -> &[u32] {
        self.of_balances.get(&balance).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn add(&mut self, event: &BalanceAsserted, record: u64) {
        assert_eq!(event.id.row(), self.all.len() as u64, "an assertion has the next number");
        let BalanceAsserted { at, id, balance, as_of, before_row, amount, .. } = *event;
        self.restore(Assertion { id, created_at: at, balance, as_of, before_row, amount, record });
    }

    pub(crate) fn delete(&mut self, event: &AssertionDeleted) {
        let number = u32::try_from(event.id.row()).expect("assertions are limited");
        let assertion = self.all.get_mut(number as usize).expect("an event deletes assertions that exist");
        assert!(assertion.id == event.id && assertion.record != NO_RECORD, "an event deletes assertions that exist");
        assertion.record = NO_RECORD;
        let balance = assertion.balance;
        self.existing -= 1;
        let list = self.of_balances.get_mut(&balance).expect("an assertion is listed under its balance");
        list.retain(|other| *other != number);
        if list.is_empty() {
            self.of_balances.remove(&balance);
        }
    }

    /// Puts an assertion back that a checkpoint knew; they come in order.
    pub fn restore(&mut self, assertion: Assertion) {
        let number = u32::try_from(self.all.len()).expect("assertions are limited");
        if assertion.record != NO_RECORD {
            self.existing += 1;
            match self.of_balances.get_mut(&assertion.balance) {
                Some(list) => list.push(number),
                None => drop(self.of_balances.insert(assertion.balance, vec![number])),
            }
        }
        self.all.push(assertion);
    }
}
