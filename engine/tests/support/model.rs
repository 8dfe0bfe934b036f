//! A small ledger of its own, against which the engine is held: accounts, rows, references, holds, timers. It shares no code
//! with the engine and knows only what the workload uses.
#![allow(dead_code, missing_docs, reason = "each test uses a part of it, and only tests do")]

use ledger::command::{Action, Batch};
use ledger::row::Status;
use std::collections::{BTreeMap, BTreeSet};

/// One posting, its parties by name. Names that begin with `@` are indicators, which may go below zero.
#[derive(Clone, Debug)]
pub struct Order {
    pub source: String,
    pub destination: String,
    pub amount: i128,
    pub reference: String,
    pub inflight: bool,
    pub scheduled_at: Option<i64>,
    pub expires_at: Option<i64>,
    /// Bytes of its description.
    pub padding: usize,
}

/// One thing that the workload does.
#[derive(Clone, Debug)]
pub enum Step {
    Ledger,
    Account(String),
    Record { batch: Batch, queued: bool, orders: Vec<Order> },
    Settle { hold: u64, action: Action, amount: Option<i128> },
    Refund { row: u64, reference: String },
    Advance(i64),
}

/// What is to be answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Expected {
    Made,
    Recorded { rows: u64, whole: bool },
    Refused,
}

#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Account {
    pub credit: i128,
    pub debit: i128,
    pub held_credit: i128,
    pub held_debit: i128,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ModelRow {
    pub status: Status,
    pub source: String,
    pub destination: String,
    pub amount: i128,
    /// `None` when the engine makes it up.
    pub reference: Option<String>,
    pub parent: Option<u64>,
    /// Whether it gives its parent back.
    pub refund: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ModelHold {
    pub source: String,
    pub destination: String,
    pub amount: i128,
    pub remaining: i128,
    pub expires_at: Option<i64>,
}

/// The books as they should be.
#[derive(Clone, Default, Debug)]
pub struct Model {
    /// Names in the order in which the balances were made.
    pub names: Vec<String>,
    pub accounts: BTreeMap<String, Account>,
    pub rows: Vec<ModelRow>,
    pub references: BTreeSet<String>,
    pub holds: BTreeMap<u64, ModelHold>,
    /// Requests that wait, by their time and the first row of those that run together.
    pub scheduled: BTreeMap<(i64, u64), Vec<(u64, Order)>>,
    pub ledgers: u64,
}

impl Model {
    /// Does a step; answers what is to be answered, and the books after each event that it makes.
    pub fn take(&mut self, step: &Step) -> (Expected, Vec<Model>) {
        let before = self.clone();
        let expected = match step {
            Step::Ledger => {
                self.ledgers += 1;
                Expected::Made
            }
            Step::Account(name) => {
                self.open(name);
                Expected::Made
            }
            Step::Record { batch, queued, orders } => self.record(*batch, *queued, orders),
            Step::Settle { hold, action, amount } => self.settle(*hold, *action, *amount, None),
            Step::Refund { row, reference } => self.refund(*row, reference),
            Step::Advance(to) => return (Expected::Made, self.advance(*to)),
        };
        if expected == Expected::Refused {
            *self = before;
            return (expected, Vec::new());
        }
        (expected, vec![self.clone()])
    }

    fn open(&mut self, name: &str) {
        if !self.accounts.contains_key(name) {
            self.names.push(name.to_owned());
            self.accounts.insert(name.to_owned(), Account::default());
        }
    }

    fn can_pay(&self, order: &Order) -> bool {
        let account = self.accounts.get(&order.source).cloned().unwrap_or_default();
        order.source.starts_with('@') || account.credit - account.debit - account.held_debit >= order.amount
    }

    fn account(&mut self, name: &str) -> &mut Account {
        self.accounts.get_mut(name).expect("it was opened")
    }

    fn row(&mut self, status: Status, order: &Order, reference: Option<String>, parent: Option<u64>) -> u64 {
        if let Some(reference) = &reference {
            self.references.insert(reference.clone());
        }
        let (source, destination) = (order.source.clone(), order.destination.clone());
        self.rows.push(ModelRow {
            status,
            source,
            destination,
            amount: order.amount,
            reference,
            parent,
            refund: false,
        });
        self.rows.len() as u64 - 1
    }

    /// Posts or holds an order that can be paid; answers the row.
    fn carry_out(&mut self, order: &Order, reference: String, parent: Option<u64>) -> u64 {
        self.open(&order.source);
        self.open(&order.destination);
        let status = if order.inflight { Status::Inflight } else { Status::Applied };
        let (source, destination, amount) = (order.source.clone(), order.destination.clone(), order.amount);
        if order.inflight {
            self.account(&source).held_debit += amount;
            self.account(&destination).held_credit += amount;
        } else {
            self.account(&source).debit += amount;
            self.account(&destination).credit += amount;
        }
        let row = self.row(status, order, Some(reference), parent);
        if order.inflight {
            let hold = ModelHold { source, destination, amount, remaining: amount, expires_at: order.expires_at };
            self.holds.insert(row, hold);
        }
        row
    }

    fn record(&mut self, batch: Batch, queued: bool, orders: &[Order]) -> Expected {
        let before = self.clone();
        let first = self.rows.len() as u64;
        let mut rejected = false;
        for (index, order) in orders.iter().enumerate() {
            let (own, outcome) = (order.reference.clone(), format!("{}_q", order.reference));
            let taken = self.references.contains(&own) || queued && self.references.contains(&outcome);
            let pays = self.can_pay(order);
            if taken || !queued && !pays {
                let kept = batch == Batch::Independent && index > 0;
                if !kept {
                    *self = before;
                    return Expected::Refused;
                }
                return Expected::Recorded { rows: self.rows.len() as u64 - first, whole: false };
            }
            if let (true, Some(at)) = (queued, order.scheduled_at) {
                let row = self.row(Status::Scheduled, order, Some(own), None);
                self.references.insert(outcome);
                let together = self.scheduled.range((at, first)..=(at, u64::MAX)).next().map(|(key, _)| *key);
                let key = together.filter(|_| batch == Batch::Atomic).unwrap_or((at, row));
                self.scheduled.entry(key).or_default().push((row, order.clone()));
                continue;
            }
            let parent = queued.then(|| self.row(Status::Queued, order, Some(own.clone()), None));
            let reference = if queued { outcome } else { own };
            if pays {
                self.carry_out(order, reference, parent);
            } else {
                rejected = true;
                self.row(Status::Rejected, order, Some(reference), parent);
            }
        }
        if rejected && batch == Batch::Atomic {
            *self = before;
            for order in orders {
                let request = self.row(Status::Queued, order, Some(order.reference.clone()), None);
                self.row(Status::Rejected, order, Some(format!("{}_q", order.reference)), Some(request));
            }
        }
        Expected::Recorded { rows: self.rows.len() as u64 - first, whole: true }
    }

    fn settle(&mut self, row: u64, action: Action, amount: Option<i128>, reference: Option<String>) -> Expected {
        let Some(hold) = self.holds.get_mut(&row) else { return Expected::Refused };
        let amount = match action {
            Action::Void => hold.remaining,
            Action::Commit => amount.unwrap_or(hold.remaining),
        };
        if amount <= 0 || amount > hold.remaining {
            return Expected::Refused;
        }
        hold.remaining -= amount;
        let hold = hold.clone();
        if hold.remaining == 0 {
            self.holds.remove(&row);
        }
        self.account(&hold.source).held_debit -= amount;
        self.account(&hold.destination).held_credit -= amount;
        if action == Action::Commit {
            self.account(&hold.source).debit += amount;
            self.account(&hold.destination).credit += amount;
        }
        let status = if action == Action::Commit { Status::Applied } else { Status::Void };
        let (source, destination) = (hold.source, hold.destination);
        self.rows.push(ModelRow { status, source, destination, amount, reference, parent: Some(row), refund: false });
        Expected::Recorded { rows: 1, whole: true }
    }

    fn refund(&mut self, row: u64, reference: &str) -> Expected {
        let Some(original) = self.rows.get(row as usize).cloned() else { return Expected::Refused };
        let refunded = self.rows.iter().any(|one| one.parent == Some(row) && one.refund);
        let refundable = matches!(original.status, Status::Applied | Status::Void);
        if !refundable || refunded || self.references.contains(reference) {
            return Expected::Refused;
        }
        let order = Order {
            source: original.destination,
            destination: original.source,
            amount: original.amount,
            reference: reference.to_owned(),
            inflight: original.status == Status::Void,
            scheduled_at: None,
            expires_at: None,
            padding: 0,
        };
        let refund = self.carry_out(&order, reference.to_owned(), Some(row));
        self.rows[refund as usize].refund = true;
        Expected::Recorded { rows: 1, whole: true }
    }

    /// Runs requests that belong together: all of them, or none.
    fn run(&mut self, group: &[(u64, Order)]) {
        let before = self.clone();
        let pays = group.iter().all(|(request, order)| {
            let pays = self.can_pay(order);
            self.carry_out(order, format!("{}_q", order.reference), Some(*request));
            pays
        });
        if pays {
            return;
        }
        *self = before;
        for (request, order) in group {
            self.row(Status::Rejected, order, Some(format!("{}_q", order.reference)), Some(*request));
        }
    }

    /// Carries out what is due up to a time, in order of time and row.
    fn advance(&mut self, to: i64) -> Vec<Model> {
        let mut after = Vec::new();
        loop {
            let run = self.scheduled.first_key_value().map(|(key, _)| *key);
            let ends = self.holds.iter().filter_map(|(row, hold)| Some((hold.expires_at?, *row)));
            let expire = ends.min();
            let Some(due) = [run, expire].into_iter().flatten().min().filter(|due| due.0 <= to) else { return after };
            if run == Some(due) {
                let group = self.scheduled.remove(&due).expect("it was just there");
                self.run(&group);
            } else {
                assert_ne!(self.settle(due.1, Action::Void, None, None), Expected::Refused);
            }
            after.push(self.clone());
        }
    }
}
