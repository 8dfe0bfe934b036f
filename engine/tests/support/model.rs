//! A small ledger of its own, against which the engine is held: accounts, rows, references, holds, timers, keys, policies. It
//! shares no code with the engine and knows only what the workload uses.
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
    Record {
        batch: Batch,
        goes_on: bool,
        queued: bool,
        orders: Vec<Order>,
    },
    Settle {
        hold: u64,
        action: Action,
        amount: Option<i128>,
        over: bool,
    },
    /// What is held from now on, and until when.
    Change {
        hold: u64,
        held: Option<i128>,
        expires_at: Option<i64>,
    },
    Refund {
        row: u64,
        amount: Option<i128>,
        reference: String,
    },
    Cancel(Vec<u64>),
    Reschedule {
        groups: Vec<u64>,
        due_at: Option<i64>,
        amount: Option<i128>,
    },
    Policy(String, Option<Rules>),
    Register {
        code: String,
        precision: u64,
    },
    /// The same with a key, and what stands for all that was sent with it.
    Keyed {
        key: String,
        request: u8,
        step: Box<Step>,
    },
    Advance(i64),
}

/// The policies that the workload knows.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Rules {
    pub minimum: Option<i128>,
    pub no_credits: bool,
    /// Most debits within so many seconds.
    pub debits: Option<(u32, i128)>,
}

/// What is to be answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Expected {
    Made,
    Recorded { rows: u64, refused: Vec<u32>, replayed: bool },
    Rescheduled(Vec<u64>),
    Unchanged,
    KeyTaken,
    Refused,
}

impl Expected {
    fn rows(rows: u64) -> Expected {
        Expected::Recorded { rows, refused: Vec::new(), replayed: false }
    }
}

#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Account {
    pub credit: i128,
    pub debit: i128,
    pub held_credit: i128,
    pub held_debit: i128,
    pub rules: Option<Rules>,
    /// What its policy counted of debits: when, how much.
    pub spent: Vec<(i64, i128)>,
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
    /// What it does beyond what its status says.
    pub kind: RowKind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RowKind {
    Plain,
    Refund,
    /// It raises or lowers a hold.
    Change,
    /// It ends a request that was called off.
    CalledOff,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ModelHold {
    pub source: String,
    pub destination: String,
    pub amount: i128,
    pub remaining: i128,
    pub expires_at: Option<i64>,
}

/// What a key stands for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ModelKey {
    pub request: u8,
    pub rows: u64,
    pub refused: Vec<u32>,
}

/// The books as they should be.
#[derive(Clone, Default, Debug)]
pub struct Model {
    pub now: i64,
    /// Names in the order in which the balances were made.
    pub names: Vec<String>,
    pub accounts: BTreeMap<String, Account>,
    pub rows: Vec<ModelRow>,
    pub references: BTreeSet<String>,
    pub holds: BTreeMap<u64, ModelHold>,
    /// Requests that wait, by their time and the first row of those that run together.
    pub scheduled: BTreeMap<(i64, u64), Vec<(u64, Order)>>,
    /// Other amounts of requests that wait.
    pub adjusted: BTreeMap<u64, i128>,
    pub registered: BTreeMap<String, u64>,
    pub keys: BTreeMap<String, ModelKey>,
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
            Step::Record { batch, goes_on, queued, orders } => self.record(*batch, *goes_on, *queued, orders),
            Step::Settle { hold, action, amount, over } => self.settle(*hold, *action, *amount, *over),
            Step::Change { hold, held, expires_at } => self.change(*hold, *held, *expires_at),
            Step::Refund { row, amount, reference } => self.refund(*row, *amount, reference),
            Step::Cancel(groups) => self.cancel(groups),
            Step::Reschedule { groups, due_at, amount } => self.reschedule(groups, *due_at, *amount),
            Step::Policy(name, rules) => self.set_policy(name, *rules),
            Step::Register { code, precision } => self.register(code, *precision),
            Step::Keyed { key, request, step } => return self.take_once(key, *request, step),
            Step::Advance(to) => return (Expected::Made, self.advance(*to)),
        };
        let nothing = matches!(expected, Expected::Recorded { rows: 0, .. } | Expected::Unchanged);
        if expected == Expected::Refused || nothing {
            *self = before;
            return (expected, Vec::new());
        }
        (expected, vec![self.clone()])
    }

    /// A step with a key: the first answer, if there was one.
    fn take_once(&mut self, key: &str, request: u8, step: &Step) -> (Expected, Vec<Model>) {
        if let Some(known) = self.keys.get(key) {
            let replayed = Expected::Recorded { rows: known.rows, refused: known.refused.clone(), replayed: true };
            return (if known.request == request { replayed } else { Expected::KeyTaken }, Vec::new());
        }
        let (expected, mut after) = self.take(step);
        if let Expected::Recorded { rows, refused, .. } = &expected {
            self.keys.insert(key.to_owned(), ModelKey { request, rows: *rows, refused: refused.clone() });
            after = vec![self.clone()];
        }
        (expected, after)
    }

    fn open(&mut self, name: &str) {
        if !self.accounts.contains_key(name) {
            self.names.push(name.to_owned());
            self.accounts.insert(name.to_owned(), Account::default());
        }
    }

    /// Whether a source may pay, by its funds and by the policies of both sides.
    fn can_pay(&self, source: &str, destination: &str, amount: i128, unlimited: bool) -> bool {
        let account = self.accounts.get(source).cloned().unwrap_or_default();
        let left = account.credit - account.debit - account.held_debit - amount;
        let rules = account.rules.unwrap_or_default();
        let receiving = self.accounts.get(destination).and_then(|account| account.rules).unwrap_or_default();
        let spent = |seconds: u32| self.spent_in_window(&account, seconds, self.now);
        let fast = rules.debits.is_some_and(|(seconds, most)| spent(seconds) + amount > most);
        let low = rules.minimum.is_some_and(|minimum| left < minimum);
        !fast && !low && !receiving.no_credits && (unlimited || left >= 0)
    }

    pub fn spent_in_window(&self, account: &Account, seconds: u32, at: i64) -> i128 {
        let window = |at: i64| at / (i64::from(seconds) * 1_000_000);
        account.spent.iter().filter(|(then, _)| window(*then) == window(at)).map(|(_, amount)| amount).sum()
    }

    fn count(&mut self, source: &str, amount: i128) {
        let now = self.now;
        let account = self.account(source);
        if account.rules.is_some_and(|rules| rules.debits.is_some()) {
            account.spent.push((now, amount));
        }
    }

    fn account(&mut self, name: &str) -> &mut Account {
        self.accounts.get_mut(name).expect("it was opened")
    }

    fn row(&mut self, status: Status, order: &Order, reference: Option<String>, parent: Option<u64>) -> u64 {
        if let Some(reference) = &reference {
            self.references.insert(reference.clone());
        }
        let (source, destination) = (order.source.clone(), order.destination.clone());
        let (amount, kind) = (order.amount, RowKind::Plain);
        self.rows.push(ModelRow { status, source, destination, amount, reference, parent, kind });
        self.rows.len() as u64 - 1
    }

    fn may(&self, order: &Order) -> bool {
        self.can_pay(&order.source, &order.destination, order.amount, order.source.starts_with('@'))
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
        self.count(&source, amount);
        let row = self.row(status, order, Some(reference), parent);
        if order.inflight {
            let hold = ModelHold { source, destination, amount, remaining: amount, expires_at: order.expires_at };
            self.holds.insert(row, hold);
        }
        row
    }

    fn record(&mut self, batch: Batch, goes_on: bool, queued: bool, orders: &[Order]) -> Expected {
        let before = self.clone();
        let first = self.rows.len() as u64;
        let mut rejected = false;
        let mut refused = Vec::new();
        for (index, order) in orders.iter().enumerate() {
            let (own, outcome) = (order.reference.clone(), format!("{}_q", order.reference));
            let taken = self.references.contains(&own) || queued && self.references.contains(&outcome);
            let pays = self.may(order);
            if taken || !queued && !pays {
                let kept = batch == Batch::Independent && self.rows.len() as u64 > first;
                if !kept && !goes_on {
                    *self = before;
                    return Expected::Refused;
                }
                refused.push(index as u32);
                if goes_on {
                    continue;
                }
                break;
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
        Expected::Recorded { rows: self.rows.len() as u64 - first, refused, replayed: false }
    }

    fn settle(&mut self, row: u64, action: Action, amount: Option<i128>, over: bool) -> Expected {
        let Some(hold) = self.holds.get(&row).cloned() else { return Expected::Refused };
        let amount = match action {
            Action::Void => hold.remaining,
            Action::Commit => amount.unwrap_or(hold.remaining),
        };
        // The workload lets no hold go below zero for what goes beyond it.
        let more = amount - hold.remaining;
        if amount <= 0 || more > 0 && !(over && self.can_pay(&hold.source, &hold.destination, more, false)) {
            return Expected::Refused;
        }
        let held = amount.min(hold.remaining);
        if held == hold.remaining {
            self.holds.remove(&row);
        } else {
            self.holds.get_mut(&row).expect("it was just there").remaining -= held;
        }
        self.account(&hold.source).held_debit -= held;
        self.account(&hold.destination).held_credit -= held;
        if action == Action::Commit {
            self.account(&hold.source).debit += amount;
            self.account(&hold.destination).credit += amount;
        }
        if more > 0 {
            self.count(&hold.source, more);
        }
        let status = if action == Action::Commit { Status::Applied } else { Status::Void };
        self.of_hold(row, hold, status, amount, RowKind::Plain)
    }

    fn of_hold(&mut self, row: u64, hold: ModelHold, status: Status, amount: i128, kind: RowKind) -> Expected {
        let (source, destination) = (hold.source, hold.destination);
        self.rows.push(ModelRow { status, source, destination, amount, reference: None, parent: Some(row), kind });
        Expected::rows(1)
    }

    fn change(&mut self, row: u64, held: Option<i128>, expires_at: Option<i64>) -> Expected {
        let Some(hold) = self.holds.get(&row).cloned() else { return Expected::Refused };
        let held = held.unwrap_or(hold.remaining);
        let more = held - hold.remaining;
        if held <= 0 || more > 0 && !self.can_pay(&hold.source, &hold.destination, more, false) {
            return Expected::Refused;
        }
        self.account(&hold.source).held_debit += more;
        self.account(&hold.destination).held_credit += more;
        if more > 0 {
            self.count(&hold.source, more);
        }
        let changed = self.holds.get_mut(&row).expect("it was just there");
        changed.amount += more;
        changed.remaining = held;
        changed.expires_at = expires_at.or(changed.expires_at);
        let status = if more >= 0 { Status::Inflight } else { Status::Void };
        self.of_hold(row, hold, status, more.abs(), RowKind::Change)
    }

    fn refund(&mut self, row: u64, amount: Option<i128>, reference: &str) -> Expected {
        let Some(original) = self.rows.get(row as usize).cloned() else { return Expected::Refused };
        let parts = self.rows.iter().filter(|one| one.parent == Some(row) && one.kind == RowKind::Refund);
        let (count, refunded) = parts.fold((0, 0), |(count, sum), part| (count + 1, sum + part.amount));
        let refundable = match original.status {
            Status::Applied => true,
            Status::Void => original.kind == RowKind::Plain,
            _ => false,
        };
        let left = original.amount - refunded;
        let amount = amount.unwrap_or(left);
        let numbered = |number: usize| if number == 1 { reference.to_owned() } else { format!("{reference}_{number}") };
        let mut references = (count + 1..).map(numbered);
        let reference = references.find(|one| !self.references.contains(one)).expect("there are more numbers");
        if !refundable || left <= 0 || amount > left {
            return Expected::Refused;
        }
        let order = Order {
            source: original.destination,
            destination: original.source,
            amount,
            reference: reference.clone(),
            inflight: original.status == Status::Void,
            scheduled_at: None,
            expires_at: None,
            padding: 0,
        };
        if !self.can_pay(&order.source, &order.destination, amount, true) {
            return Expected::Refused;
        }
        let refund = self.carry_out(&order, reference, Some(row));
        self.rows[refund as usize].kind = RowKind::Refund;
        Expected::rows(1)
    }

    /// The key of a group that waits, by its first row.
    fn waiting(&self, group: u64) -> Option<(i64, u64)> {
        self.scheduled.keys().find(|key| key.1 == group).copied()
    }

    fn cancel(&mut self, groups: &[u64]) -> Expected {
        let first = self.rows.len() as u64;
        for &group in groups {
            let Some(key) = self.waiting(group) else { continue };
            let adjusted = self.adjusted.remove(&group);
            for (request, order) in self.scheduled.remove(&key).expect("it was just there") {
                let order = Order { amount: adjusted.unwrap_or(order.amount), ..order };
                let reference = format!("{}_q", order.reference);
                let row = self.row(Status::Void, &order, Some(reference), Some(request));
                self.rows[row as usize].kind = RowKind::CalledOff;
            }
        }
        match self.rows.len() as u64 - first {
            0 => Expected::Refused,
            rows => Expected::rows(rows),
        }
    }

    fn reschedule(&mut self, groups: &[u64], due_at: Option<i64>, amount: Option<i128>) -> Expected {
        let waiting: Vec<u64> = groups.iter().copied().filter(|group| self.waiting(*group).is_some()).collect();
        for &group in &waiting {
            if let (Some(due_at), Some(key)) = (due_at, self.waiting(group)) {
                let requests = self.scheduled.remove(&key).expect("it was just there");
                self.scheduled.insert((due_at, group), requests);
            }
            if let Some(amount) = amount {
                self.adjusted.insert(group, amount);
            }
        }
        if waiting.is_empty() { Expected::Refused } else { Expected::Rescheduled(waiting) }
    }

    fn set_policy(&mut self, name: &str, rules: Option<Rules>) -> Expected {
        let account = self.account(name);
        if rules.is_none() && account.rules.is_none() {
            return Expected::Unchanged;
        }
        // Only a window of the same length goes on.
        let window = |rules: Option<Rules>| rules.and_then(|rules| rules.debits).map(|(seconds, _)| seconds);
        if window(rules) != window(account.rules) {
            account.spent.clear();
        }
        account.rules = rules;
        Expected::Made
    }

    fn register(&mut self, code: &str, precision: u64) -> Expected {
        match self.registered.get(code) {
            Some(known) if *known == precision => Expected::Unchanged,
            Some(_) => Expected::Refused,
            None => {
                self.registered.insert(code.to_owned(), precision);
                Expected::Made
            }
        }
    }

    /// Runs requests that belong together: all of them, or none.
    fn run(&mut self, group: &[(u64, Order)]) {
        let before = self.clone();
        let pays = group.iter().all(|(request, order)| {
            let pays = self.may(order);
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
        self.now = to;
        let mut after = Vec::new();
        loop {
            let run = self.scheduled.first_key_value().map(|(key, _)| *key);
            let ends = self.holds.iter().filter_map(|(row, hold)| Some((hold.expires_at?, *row)));
            let expire = ends.min();
            let Some(due) = [run, expire].into_iter().flatten().min().filter(|due| due.0 <= to) else { return after };
            if run == Some(due) {
                let mut group = self.scheduled.remove(&due).expect("it was just there");
                if let Some(amount) = self.adjusted.remove(&due.1) {
                    group[0].1.amount = amount;
                }
                self.run(&group);
            } else {
                assert_ne!(self.settle(due.1, Action::Void, None, false), Expected::Refused);
            }
            after.push(self.clone());
        }
    }
}
