//! Monitors evaluated naively: every movement of every record from the first on, with all figures, and every monitor after each.
//! It reads records only, never rows.
#![allow(missing_docs, reason = "only tests use it")]

use engine::engine::Engine;
use engine::follow::Follower;
use engine::monitors::alerts::Alert;
use ledger::event::{Event, Kind, Movement, Outcome, Recorded};
use ledger::monitor::{Condition, Definition, Field, Operator};
use std::collections::BTreeMap;

/// Posted credits and debits, held credits and debits.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct Sums {
    credit: i128,
    debit: i128,
    held_credit: i128,
    held_debit: i128,
}

struct Watching {
    balance: u32,
    record: u64,
    definition: Definition,
}

#[derive(Default)]
struct Naive {
    sums: BTreeMap<u32, Sums>,
    /// Open holds by row: how much is left.
    open: BTreeMap<u64, i128>,
    monitors: BTreeMap<u64, Watching>,
    fired: Vec<(u64, u64, u64, bool)>,
}

/// What fired, from all records: row, record of the definition, monitor, whether it watches the source.
pub fn fired(engine: &Engine) -> Vec<(u64, u64, u64, bool)> {
    let mut naive = Naive::default();
    let mut follower = Follower::from_start(engine.books());
    while let Some(followed) = follower.take_next().expect("records are readable") {
        match &followed.event {
            Event::MonitorSet(event) => {
                let (balance, definition) = (event.balance, event.definition.clone());
                naive
                    .monitors
                    .insert(event.id.row(), Watching { balance, record: followed.cursor.position, definition });
            }
            Event::MonitorDeleted(event) => drop(naive.monitors.remove(&event.id.row()).expect("it was there")),
            Event::Recorded(event) => naive.recorded(event),
            _ => {}
        }
    }
    naive.fired
}

/// The same from the table of alerts.
pub fn told(engine: &Engine) -> Vec<(u64, u64, u64, bool)> {
    let mut alerts = engine.books().monitors().alerts();
    let count = alerts.count();
    let mut all = Vec::new();
    for number in 0..count {
        let alert = alerts.get(number).expect("alerts are readable").expect("it is there");
        let Alert { row, record, monitor, is_source, .. } = alert;
        all.push((row, record, u64::from(monitor), is_source));
    }
    all
}

impl Naive {
    fn recorded(&mut self, event: &Recorded) {
        let mut row = event.first_row;
        for movement in &event.movements {
            let count = movement.rows_count();
            self.movement(row + count - 1, movement);
            row += count;
        }
    }

    fn movement(&mut self, row: u64, movement: &Movement) {
        let amount = movement.amount;
        let mut left = |hold: u64, by: i128| {
            let open = self.open.get_mut(&hold).expect("the hold is open");
            *open += by;
            if *open == 0 {
                self.open.remove(&hold);
            }
        };
        let (posted, held) = match (movement.outcome, movement.kind) {
            (Outcome::Rejected(_) | Outcome::Scheduled, _) | (Outcome::Voided, Kind::Execution(_)) => return,
            (_, Kind::Change { .. }) if amount == 0 => return,
            (Outcome::Held, Kind::Change { hold }) => {
                left(hold, amount);
                (0, amount)
            }
            (_, Kind::Change { hold }) | (_, Kind::Release { hold, .. }) => {
                left(hold, -amount);
                (0, -amount)
            }
            (_, Kind::Settlement { hold, .. }) => {
                let taken = amount.min(self.open[&hold]);
                let open = self.open.get_mut(&hold).expect("the hold is open");
                *open -= taken;
                if *open == 0 {
                    self.open.remove(&hold);
                }
                (amount, -taken)
            }
            (Outcome::Held, _) => {
                self.open.insert(row, amount);
                (0, amount)
            }
            (_, _) => (amount, 0),
        };
        let before = (self.of(movement.source), self.of(movement.destination));
        let source = self.sums.entry(movement.source).or_default();
        source.debit += posted;
        source.held_debit += held;
        let destination = self.sums.entry(movement.destination).or_default();
        destination.credit += posted;
        destination.held_credit += held;
        for (balance, before, is_source) in [(movement.source, before.0, true), (movement.destination, before.1, false)]
        {
            let after = self.of(balance);
            for (number, watching) in &self.monitors {
                let definition = &watching.definition;
                let fires = watching.balance == balance
                    && is_true(definition, after)
                    && !(definition.edge && is_true(definition, before));
                if fires {
                    self.fired.push((row, watching.record, *number, is_source));
                }
            }
        }
    }

    fn of(&self, balance: u32) -> Sums {
        self.sums.get(&balance).copied().unwrap_or_default()
    }
}

fn is_true(definition: &Definition, sums: Sums) -> bool {
    let count = definition.conditions.iter().filter(|condition| compare(condition, sums)).count();
    if definition.any { count > 0 } else { count == definition.conditions.len() }
}

fn compare(condition: &Condition, sums: Sums) -> bool {
    let figure = match condition.field {
        Field::Balance => sums.credit - sums.debit,
        Field::Credit => sums.credit,
        Field::Debit => sums.debit,
        Field::Inflight => sums.held_credit - sums.held_debit,
        Field::InflightCredit => sums.held_credit,
        Field::InflightDebit => sums.held_debit,
    };
    let order = figure.cmp(&condition.threshold);
    match condition.operator {
        Operator::Greater => order.is_gt(),
        Operator::Less => order.is_lt(),
        Operator::GreaterOrEqual => order.is_ge(),
        Operator::LessOrEqual => order.is_le(),
        Operator::Equal => order.is_eq(),
        Operator::NotEqual => order.is_ne(),
    }
}
