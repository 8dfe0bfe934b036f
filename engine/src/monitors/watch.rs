//! Evaluating monitors, row by row. A value, and nothing else: what it says of a row follows from the rows and definitions that
//! it saw before.
//!
//! A row tells what is posted on both of its balances; what is held follows from the holds that are open. So of a balance without
//! holds and monitors nothing is kept, and a row whose balances have no monitor costs two look-ups in an array.

use super::table::Alert;
use ledger::event::{MonitorDeleted, MonitorSet, NO_BALANCE};
use ledger::monitor::Condition;
use ledger::row::{Flags, Parent, Posted, Row, Status};
use ledger::sharded::Mix;
use ledger::state::Figures;
use std::collections::HashMap;

/// No monitor, at the end of a chain.
const NONE: u32 = u32::MAX;

/// What has to be known to evaluate monitors.
#[derive(Default)]
pub struct Watch {
    /// Open holds, by row.
    holds: HashMap<u64, Open, Mix>,
    /// What is held on balances that have open holds.
    held: HashMap<u32, Posted, Mix>,
    /// For each balance, by handle, the slot of its first monitor. Shorter than there are balances when the others have none.
    first: Vec<u32>,
    slots: Vec<Slot>,
    /// Slots that are free.
    free: Vec<u32>,
    /// The balance and slot of each monitor, by number.
    places: HashMap<u32, (u32, u32), Mix>,
}

/// An open hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Open {
    /// The handle of its source.
    pub source: u32,
    /// The handle of its destination.
    pub destination: u32,
    /// What is left of it, minor units.
    pub remaining: i128,
}

/// A monitor. What is looked at first fills one cache line.
struct Slot {
    condition: Condition,
    /// The other conditions, if it has more than one.
    more: Option<Box<[Condition]>>,
    /// Where its definition is, and how many bytes that has.
    record: u64,
    bytes: u32,
    number: u32,
    /// The slot of the next monitor of the same balance, in order of numbers.
    next: u32,
    any: bool,
    edge: bool,
}

impl Slot {
    fn holds(&self, figures: &Figures) -> bool {
        let first = self.condition.holds(figures);
        match &self.more {
            None => first,
            Some(more) if self.any => first || more.iter().any(|condition| condition.holds(figures)),
            Some(more) => first && more.iter().all(|condition| condition.holds(figures)),
        }
    }
}

/// What a row did to the figures of its balances: the debits of the source and the credits of the destination changed so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Change {
    posted: i128,
    held: i128,
}

impl Watch {
    /// A monitor exists, or watches something else. `record` is where that is said, in so many bytes.
    pub fn set(&mut self, event: &MonitorSet, record: u64, bytes: u32) {
        let number = u32::try_from(event.id.row()).expect("monitors are limited");
        self.remove(number);
        let definition = &event.definition;
        let (condition, more) = definition.conditions.split_first().expect("a monitor has a condition");
        let slot = Slot {
            condition: *condition,
            more: (!more.is_empty()).then(|| more.into()),
            record,
            bytes,
            number,
            next: NONE,
            any: definition.any,
            edge: definition.edge,
        };
        let at = match self.free.pop() {
            Some(at) => {
                self.slots[at as usize] = slot;
                at
            }
            None => {
                self.slots.push(slot);
                u32::try_from(self.slots.len() - 1).expect("monitors are limited")
            }
        };
        let balance = event.balance as usize;
        if self.first.len() <= balance {
            self.first.resize(balance + 1, NONE);
        }
        // Behind those that were made before it.
        let mut before = NONE;
        let mut behind = self.first[balance];
        while behind != NONE && self.slots[behind as usize].number < number {
            (before, behind) = (behind, self.slots[behind as usize].next);
        }
        self.slots[at as usize].next = behind;
        self.link(event.balance, before, at);
        self.places.insert(number, (event.balance, at));
    }

    /// A monitor exists no more.
    pub fn delete(&mut self, event: &MonitorDeleted) {
        self.remove(u32::try_from(event.id.row()).expect("monitors are limited"));
    }

    fn remove(&mut self, number: u32) {
        let Some((balance, at)) = self.places.remove(&number) else { return };
        let mut before = NONE;
        let mut behind = self.first[balance as usize];
        while behind != at {
            (before, behind) = (behind, self.slots[behind as usize].next);
        }
        self.link(balance, before, self.slots[at as usize].next);
        self.slots[at as usize].more = None;
        self.free.push(at);
    }

    fn link(&mut self, balance: u32, before: u32, to: u32) {
        match before {
            NONE => self.first[balance as usize] = to,
            before => self.slots[before as usize].next = to,
        }
    }

    /// Takes the next row; adds what fired because of it: that of its source first, of each in the order in which monitors were
    /// made.
    pub fn take(&mut self, row: &Row, alerts: &mut Vec<Alert>) {
        let Some(change) = self.change(row) else { return };
        if change.held != 0 {
            self.hold(row, change.held);
        }
        for (is_source, balance, posted) in
            [(true, row.source, row.source_after), (false, row.destination, row.destination_after)]
        {
            let Some(&first) = self.first.get(balance as usize) else { continue };
            if first != NONE {
                self.evaluate(row.number, is_source, first, change, (balance, posted), alerts);
            }
        }
    }

    fn evaluate(
        &self,
        row: u64,
        is_source: bool,
        first: u32,
        change: Change,
        (balance, posted): (u32, Posted),
        alerts: &mut Vec<Alert>,
    ) {
        let held = if self.held.is_empty() { Posted::default() } else { self.held_of(balance) };
        let after = Figures { posted, held };
        let mut at = first;
        while at != NONE {
            let slot = &self.slots[at as usize];
            if slot.holds(&after) && !(slot.edge && slot.holds(&before(after, is_source, change))) {
                alerts.push(Alert { row, record: slot.record, bytes: slot.bytes, monitor: slot.number, is_source });
            }
            at = slot.next;
        }
    }

    fn held_of(&self, balance: u32) -> Posted {
        self.held.get(&balance).copied().unwrap_or_default()
    }

    /// What a row did to figures; nothing for most rows that are not posted or held.
    fn change(&self, row: &Row) -> Option<Change> {
        let amount = row.amount;
        let change = match row.status {
            Status::Queued | Status::Scheduled | Status::Rejected => return None,
            Status::Void if row.flags.has(Flags::EXECUTION) => return None,
            Status::Inflight => Change { posted: 0, held: amount },
            Status::Void => Change { posted: 0, held: -amount },
            Status::Applied if row.flags.has(Flags::SETTLEMENT) => {
                let open = self.holds.get(&hold_of(row)?).map_or(0, |hold| hold.remaining);
                Change { posted: amount, held: -amount.min(open) }
            }
            Status::Applied => Change { posted: amount, held: 0 },
        };
        (change != Change { posted: 0, held: 0 }).then_some(change)
    }

    /// Brings the open holds up to a row.
    fn hold(&mut self, row: &Row, by: i128) {
        let is_new = row.status == Status::Inflight && !row.flags.has(Flags::CHANGE);
        let number = if is_new { row.number } else { hold_of(row).expect("what ends or changes a hold names it") };
        let hold =
            self.holds.entry(number).or_insert(Open { source: row.source, destination: row.destination, remaining: 0 });
        hold.remaining += by;
        if hold.remaining == 0 {
            self.holds.remove(&number);
        }
        self.add_held(row.source, Posted { credit: 0, debit: by });
        self.add_held(row.destination, Posted { credit: by, debit: 0 });
    }

    fn add_held(&mut self, balance: u32, by: Posted) {
        debug_assert_ne!(balance, NO_BALANCE, "holds are between balances that exist");
        let held = self.held.entry(balance).or_default();
        held.credit += by.credit;
        held.debit += by.debit;
        if *held == Posted::default() {
            self.held.remove(&balance);
        }
    }

    /// The open holds, in no order.
    pub fn holds(&self) -> impl ExactSizeIterator<Item = (u64, Open)> + '_ {
        self.holds.iter().map(|(row, hold)| (*row, *hold))
    }

    /// Puts an open hold back.
    pub fn restore_hold(&mut self, row: u64, hold: Open) {
        self.add_held(hold.source, Posted { credit: 0, debit: hold.remaining });
        self.add_held(hold.destination, Posted { credit: hold.remaining, debit: 0 });
        self.holds.insert(row, hold);
    }
}

/// The row of the hold that a row ends or changes. Such rows are never the outcome of a request through the queue.
fn hold_of(row: &Row) -> Option<u64> {
    match row.parent {
        Parent::Row(hold) => Some(hold),
        Parent::None | Parent::Batch(_) | Parent::Split(_) => None,
    }
}

/// The figures before a change.
fn before(mut figures: Figures, is_source: bool, change: Change) -> Figures {
    if is_source {
        figures.posted.debit -= change.posted;
        figures.held.debit -= change.held;
    } else {
        figures.posted.credit -= change.posted;
        figures.held.credit -= change.held;
    }
    figures
}
