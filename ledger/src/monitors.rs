//! Which monitors there are: by number, and by the balance that they watch.

use crate::chunked::Chunked;
use crate::event::{MonitorDeleted, MonitorSet};
use crate::id::Id;
use crate::monitor::{Defined, Monitor};
use crate::sharded::Sharded;
use crate::state::NO_RECORD;

/// All monitors. Cloning it is cheap.
#[derive(Clone, Default, Debug)]
pub struct Monitors {
    /// By number; those that were deleted keep theirs.
    all: Chunked<Monitor>,
    /// Numbers by balance, in order; no list is empty.
    of_balances: Sharded<u32, Vec<u32>>,
    /// Every record that made, changed or deleted one, in order: whoever evaluates them begins with these.
    changes: Chunked<Defined>,
    existing: usize,
}

impl Monitors {
    /// How many were ever made.
    pub const fn made_count(&self) -> usize {
        self.all.len()
    }

    /// How many there are.
    pub const fn existing_count(&self) -> usize {
        self.existing
    }

    /// A monitor by its id, unless it was deleted.
    pub fn find(&self, id: Id) -> Option<&Monitor> {
        let monitor = self.all.get(usize::try_from(id.row()).ok()?)?;
        (monitor.id == id && monitor.record != NO_RECORD).then_some(monitor)
    }

    /// A monitor by its number, deleted or not.
    pub fn get(&self, number: u32) -> Option<&Monitor> {
        self.all.get(number as usize)
    }

    /// All that were ever made, in order; those that were deleted have no record.
    pub fn iter(&self) -> impl Iterator<Item = &Monitor> {
        self.all.iter()
    }

    /// The numbers of those that watch a balance, in the order in which they were made.
    pub fn of_balance(&self, balance: u32) -> &[u32] {
        self.of_balances.get(&balance).map_or(&[], Vec::as_slice)
    }

    /// Every record that made, changed or deleted one, in order.
    pub const fn changes(&self) -> &Chunked<Defined> {
        &self.changes
    }

    pub(crate) fn set(&mut self, event: &MonitorSet, record: u64) {
        let number = u32::try_from(event.id.row()).expect("monitors are limited");
        let monitor = Monitor { id: event.id, created_at: event.created_at, balance: event.balance, record };
        if let Some(known) = self.all.get_mut(number as usize) {
            assert!(known.id == event.id && known.record != NO_RECORD, "an event changes monitors that exist");
            let before = std::mem::replace(known, monitor).balance;
            self.remove_of(before, number);
        } else {
            assert_eq!(number as usize, self.all.len(), "a new monitor has the next number");
            self.all.push(monitor);
            self.existing += 1;
        }
        self.add_of(event.balance, number);
        self.changes.push(Defined { record, first_row: event.first_row });
    }

    pub(crate) fn delete(&mut self, event: &MonitorDeleted, record: u64) {
        let number = u32::try_from(event.id.row()).expect("monitors are limited");
        let monitor = self.all.get_mut(number as usize).expect("an event deletes monitors that exist");
        assert!(monitor.id == event.id && monitor.record != NO_RECORD, "an event deletes monitors that exist");
        monitor.record = NO_RECORD;
        let balance = monitor.balance;
        self.existing -= 1;
        self.remove_of(balance, number);
        self.changes.push(Defined { record, first_row: event.first_row });
    }

    fn add_of(&mut self, balance: u32, number: u32) {
        match self.of_balances.get_mut(&balance) {
            Some(list) => {
                let at = list.partition_point(|other| *other < number);
                list.insert(at, number);
            }
            None => drop(self.of_balances.insert(balance, vec![number])),
        }
    }

    fn remove_of(&mut self, balance: u32, number: u32) {
        let list = self.of_balances.get_mut(&balance).expect("a monitor is listed under its balance");
        list.retain(|other| *other != number);
        if list.is_empty() {
            self.of_balances.remove(&balance);
        }
    }

    /// Puts a monitor back that a checkpoint knew; they come by number.
    pub fn restore(&mut self, monitor: Monitor) {
        let number = u32::try_from(self.all.len()).expect("monitors are limited");
        if monitor.record != NO_RECORD {
            self.existing += 1;
            self.add_of(monitor.balance, number);
        }
        self.all.push(monitor);
    }

    /// Puts a change back that a checkpoint knew; they come in order.
    pub fn restore_change(&mut self, change: Defined) {
        self.changes.push(change);
    }
}
