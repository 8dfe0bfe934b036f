//! Evaluating monitors, row by row. A value, and nothing else: what it says of a row follows from the rows and definitions that
//! it saw before.
//!
//! A row tells what is posted on both of its balances; what is held follows from the holds that are open. So of a balance without
//! holds and monitors nothing is kept, and a row whose balances have no monitor costs two look-ups in an array.
//!
//! Balances are many, in no order, so what of them must come from memory is what an evaluation costs. So of each monitor the test
//! that nearly always says no stands apart, in sixteen bytes, and those of a balance stand together.

use super::table::Alert;
use ledger::event::{MonitorDeleted, MonitorSet, NO_BALANCE};
use ledger::monitor::{Condition, Field, Operator};
use ledger::row::{Flags, Parent, Posted, Row, Status};
use ledger::sharded::Mix;
use ledger::state::Figures;
use std::collections::HashMap;

/// What has to be known to evaluate monitors.
#[derive(Default)]
pub struct Watch {
    /// Open holds, by row.
    holds: HashMap<u64, Open, Mix>,
    /// What is held on balances that have open holds.
    held: HashMap<u32, Posted, Mix>,
    /// What is tested for each balance, by handle. Shorter than there are balances when the others have no monitor.
    fronts: Vec<Test>,
    /// The tests of balances that have several monitors, in order of numbers.
    groups: Vec<Vec<Test>>,
    /// Groups that are free.
    free_groups: Vec<u32>,
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

/// What is looked at first: of a monitor, or of a balance.
#[derive(Clone, Copy)]
struct Test {
    /// With what the figure is compared.
    threshold: i64,
    /// A slot or a group.
    at: u32,
    field: Field,
    operator: Operator,
    what: What,
}

const _: () = assert!(size_of::<Test>() == 16, "four of them fill a cache line");

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    /// There is no monitor.
    Nothing,
    /// The monitor in a slot, which does not fire unless the comparison is true.
    Compare,
    /// The monitor in a slot, of which the comparison says nothing.
    Look,
    /// Several monitors, in a group.
    Group,
}

impl Test {
    const NOTHING: Test = Test::other(What::Nothing, 0);

    const fn other(what: What, at: u32) -> Test {
        Test { threshold: 0, at, field: Field::Balance, operator: Operator::Equal, what }
    }

    /// The test of a monitor in a slot.
    fn of(slot: &Slot, at: u32) -> Test {
        let Condition { field, operator, threshold, .. } = slot.condition;
        match i64::try_from(threshold) {
            Ok(threshold) if !slot.any => Test { threshold, at, field, operator, what: What::Compare },
            _ => Test::other(What::Look, at),
        }
    }

    /// Whether the monitor may fire. What is held is asked for only when the figure is one of holds.
    fn may_fire(&self, posted: Posted, held: impl FnOnce() -> Posted) -> bool {
        if self.what != What::Compare {
            return self.what == What::Look;
        }
        let held = match self.field {
            Field::Balance | Field::Credit | Field::Debit => Posted::default(),
            Field::Inflight | Field::InflightCredit | Field::InflightDebit => held(),
        };
        let Test { field, operator, .. } = *self;
        let condition = Condition { field, operator, threshold: i128::from(self.threshold), precision: 1 };
        condition.holds(&Figures { posted, held })
    }
}

/// A monitor.
struct Slot {
    condition: Condition,
    /// The other conditions, if it has more than one.
    more: Option<Box<[Condition]>>,
    /// Where its definition is, and how many bytes that has.
    record: u64,
    bytes: u32,
    number: u32,
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
            any: definition.any && definition.conditions.len() > 1,
            edge: definition.edge,
        };
        let at = self.free.pop().unwrap_or_else(|| u32::try_from(self.slots.len()).expect("monitors are limited"));
        let test = Test::of(&slot, at);
        if at as usize == self.slots.len() {
            self.slots.push(slot);
        } else {
            self.slots[at as usize] = slot;
        }
        let balance = event.balance as usize;
        if self.fronts.len() <= balance {
            self.fronts.resize(balance + 1, Test::NOTHING);
        }
        let mut tests = self.tests(event.balance).to_vec();
        let place = tests.partition_point(|before| self.slots[before.at as usize].number < number);
        tests.insert(place, test);
        self.keep(event.balance, tests);
        self.places.insert(number, (event.balance, test.at));
    }

    /// A monitor exists no more.
    pub fn delete(&mut self, event: &MonitorDeleted) {
        self.remove(u32::try_from(event.id.row()).expect("monitors are limited"));
    }

    fn remove(&mut self, number: u32) {
        let Some((balance, at)) = self.places.remove(&number) else { return };
        let mut tests = self.tests(balance).to_vec();
        tests.retain(|test| test.at != at);
        self.keep(balance, tests);
        self.slots[at as usize].more = None;
        self.free.push(at);
    }

    /// The tests of the monitors that a balance has.
    fn tests(&self, balance: u32) -> &[Test] {
        let Some(front) = self.fronts.get(balance as usize) else { return &[] };
        match front.what {
            What::Nothing => &[],
            What::Compare | What::Look => std::slice::from_ref(front),
            What::Group => &self.groups[front.at as usize],
        }
    }

    /// Keeps the tests of the monitors that a balance has from now on.
    fn keep(&mut self, balance: u32, tests: Vec<Test>) {
        let front = &mut self.fronts[balance as usize];
        let group = (front.what == What::Group).then_some(front.at);
        if tests.len() < 2 {
            *front = tests.first().copied().unwrap_or(Test::NOTHING);
            if let Some(group) = group {
                self.groups[group as usize] = Vec::new();
                self.free_groups.push(group);
            }
            return;
        }
        let at = match group.or_else(|| self.free_groups.pop()) {
            Some(at) => {
                self.groups[at as usize] = tests;
                at
            }
            None => {
                self.groups.push(tests);
                u32::try_from(self.groups.len() - 1).expect("monitors are limited")
            }
        };
        self.fronts[balance as usize] = Test::other(What::Group, at);
    }

    /// Reads what is looked at first of every balance of some rows, so that it is near when they are taken. These reads do not
    /// wait for each other, while those of [`Watch::take`] would.
    pub fn bring_near(&self, rows: &[Row]) {
        let fronts = rows.iter().flat_map(|row| [row.source, row.destination]);
        let fronts = || fronts.clone().filter_map(|balance| self.fronts.get(balance as usize));
        let mut sum = fronts().fold(0u32, |sum, front| sum.wrapping_add(front.at));
        for group in fronts().filter(|front| front.what == What::Group) {
            let tests = &self.groups[group.at as usize];
            sum = tests.first().map_or(sum, |first| sum.wrapping_add(first.at));
        }
        std::hint::black_box(sum);
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
            for test in self.tests(balance) {
                if test.may_fire(posted, || self.held_of(balance)) {
                    let slot = &self.slots[test.at as usize];
                    let after = Figures { posted, held: self.held_of(balance) };
                    if slot.holds(&after) && !(slot.edge && slot.holds(&before(after, is_source, change))) {
                        let Slot { record, bytes, number, .. } = *slot;
                        alerts.push(Alert { row: row.number, record, bytes, monitor: number, is_source });
                    }
                }
            }
        }
    }

    fn held_of(&self, balance: u32) -> Posted {
        if self.held.is_empty() {
            return Posted::default();
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use ledger::id::Id;
    use ledger::monitor::Definition;
    use ledger::row::{Flags, Links};

    fn condition(field: Field, operator: Operator, threshold: i128) -> Condition {
        Condition { field, operator, threshold, precision: 1 }
    }

    fn set(watch: &mut Watch, number: u64, balance: u32, conditions: Vec<Condition>) {
        let texts = (String::new(), String::new(), String::new());
        let (description, call_back_url, metadata) = texts;
        let definition = Definition { conditions, any: false, edge: false, description, call_back_url, metadata };
        let event = MonitorSet { at: 1, id: Id::new(1, number, 7), created_at: 1, first_row: 0, balance, definition };
        watch.set(&event, number, 1);
    }

    /// A row from balance 0 to balance 1, after which both have posted so much.
    fn row(status: Status, amount: i128, posted: i128) -> Row {
        Row {
            number: 0,
            nonce: 0,
            created_at: 1,
            effective_at: 1,
            record: 0,
            movement: 0,
            source: 0,
            destination: 1,
            currency: 0,
            amount,
            precision: 1,
            parent: Parent::None,
            status,
            flags: Flags(0),
            source_after: Posted { credit: 0, debit: posted },
            destination_after: Posted { credit: posted, debit: 0 },
            source_links: Links::NONE,
            destination_links: Links::NONE,
        }
    }

    fn fired(watch: &mut Watch, row: &Row) -> Vec<u32> {
        let mut alerts = Vec::new();
        watch.bring_near(std::slice::from_ref(row));
        watch.take(row, &mut alerts);
        alerts.iter().map(|alert| alert.monitor).collect()
    }

    /// Proves that what is looked at first decides as the definitions do, whatever a threshold is and however many there are.
    #[test]
    fn what_is_looked_at_first_leaves_nothing_out() {
        let huge = i128::from(i64::MAX) + 1;
        for (posted, threshold, wanted) in [
            (5, 4, true),
            (5, 5, false),
            (huge + 1, huge, true),
            (huge, huge, false),
            (huge, i128::from(i64::MAX), true),
            (1, -huge - 1, true),
        ] {
            let mut watch = Watch::default();
            set(&mut watch, 0, 1, vec![condition(Field::Credit, Operator::Greater, threshold)]);
            let wanted = if wanted { vec![0] } else { vec![] };
            assert_eq!(fired(&mut watch, &row(Status::Applied, 1, posted)), wanted, "{posted} > {threshold}");
        }
    }

    #[test]
    fn one_of_several_is_enough_to_look() {
        let mut watch = Watch::default();
        let (yes, no) = (condition(Field::Credit, Operator::Equal, 5), condition(Field::Credit, Operator::Equal, 6));
        set(&mut watch, 0, 1, vec![no]);
        set(&mut watch, 1, 1, vec![yes]);
        set(&mut watch, 2, 1, vec![yes, yes]);
        set(&mut watch, 3, 1, vec![yes, no]);
        let row = row(Status::Applied, 1, 5);
        assert_eq!(fired(&mut watch, &row), [1, 2]);
        let deleted = |number| MonitorDeleted { at: 1, id: Id::new(1, number, 7), first_row: 0 };
        watch.delete(&deleted(0));
        assert_eq!(fired(&mut watch, &row), [1, 2]);
        watch.delete(&deleted(2));
        watch.delete(&deleted(3));
        assert_eq!(fired(&mut watch, &row), [1], "alone again");
        set(&mut watch, 1, 1, vec![no]);
        assert_eq!(fired(&mut watch, &row), [] as [u32; 0], "it watches something else");
        set(&mut watch, 1, 0, vec![condition(Field::Debit, Operator::Equal, 5)]);
        assert_eq!(fired(&mut watch, &row), [1], "and another balance");
        watch.delete(&deleted(1));
        assert_eq!(fired(&mut watch, &row), [] as [u32; 0]);
    }

    #[test]
    fn figures_of_holds_are_those_after_the_row() {
        let mut watch = Watch::default();
        set(&mut watch, 0, 0, vec![condition(Field::InflightDebit, Operator::Equal, 3)]);
        set(&mut watch, 1, 1, vec![condition(Field::Inflight, Operator::Equal, 3)]);
        assert_eq!(fired(&mut watch, &row(Status::Inflight, 3, 0)), [0, 1]);
        let second = Row { number: 1, ..row(Status::Inflight, 2, 0) };
        assert_eq!(fired(&mut watch, &second), [] as [u32; 0], "five are held");
        let released = Row { number: 2, parent: Parent::Row(1), flags: Flags::SETTLEMENT, ..row(Status::Void, 2, 0) };
        assert_eq!(fired(&mut watch, &released), [0, 1]);
    }
}
