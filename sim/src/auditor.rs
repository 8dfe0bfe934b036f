//! The auditor: a tiny ledger of its own that says what must be answered and what must be there.
//!
//! It shares no code with the real one and knows only what the workload uses. Time is what the scheduler says.

use crate::operation::{Leg, Operation, Payment, Side};
use ledger::command::Batch;
use ledger::row::Status;
use std::collections::BTreeMap;

/// What is to be answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Expected {
    /// It was made.
    Made,
    /// Rows were recorded.
    Recorded {
        /// How many.
        rows: u64,
        /// The items that were refused while others stand.
        refused: Vec<u32>,
        /// The items that were recorded before.
        known: Vec<u32>,
        /// Whether it is the answer of the first time.
        replayed: bool,
    },
    /// There was nothing to do.
    Unchanged,
    /// The key stands for something else.
    KeyTaken,
    /// It was refused.
    Refused,
}

/// Money of one balance, in minor units.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Account {
    /// Its currency.
    pub currency: &'static str,
    /// The name of its indicator, or empty.
    pub indicator: &'static str,
    /// Posted credits.
    pub credit: i128,
    /// Posted debits.
    pub debit: i128,
    /// Held credits.
    pub held_credit: i128,
    /// Held debits.
    pub held_debit: i128,
    /// How low it may get.
    pub minimum: Option<i128>,
}

/// A row that must be there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// Its status.
    pub status: Status,
    /// Its source, by handle; absent when it was never opened.
    pub source: Option<usize>,
    /// Its destination.
    pub destination: Option<usize>,
    /// Minor units.
    pub amount: i128,
    /// Its reference; absent when the engine makes it up.
    pub reference: Option<String>,
    /// The row that it belongs to.
    pub parent: Option<u64>,
    /// The business date, when one was given.
    pub effective_at: Option<i64>,
    /// Whether it gives another back.
    pub refunds: bool,
    /// Whether it ends a request that was called off.
    pub called_off: bool,
}

/// Money that is held.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hold {
    source: usize,
    destination: usize,
    /// What is left of it.
    pub remaining: i128,
    /// When it ends by itself.
    pub expires_at: Option<i64>,
}

/// Requests that wait and run together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Waiting {
    /// When they run.
    pub due_at: i64,
    requests: Vec<(u64, Leg)>,
}

/// The books as they must be.
#[derive(Clone, Default, Debug)]
pub struct Auditor {
    /// All balances, in the order in which they were made.
    pub accounts: Vec<Account>,
    /// The handles of what [`Operation::Open`] opened, in order.
    pub opened: Vec<usize>,
    /// All rows.
    pub rows: Vec<Row>,
    /// References that are taken, and by which posting.
    pub references: BTreeMap<String, Option<Leg>>,
    /// Open holds, by row.
    pub holds: BTreeMap<u64, Hold>,
    /// What waits, by the row of its first request.
    pub waiting: BTreeMap<u64, Waiting>,
    /// Keys, with what was sent and how many rows it made.
    pub keys: BTreeMap<String, (u8, u64)>,
    /// What was said of rows.
    pub notes: BTreeMap<u64, Vec<String>>,
    /// Records that the journal must have.
    pub records: u64,
}

impl Auditor {
    /// Does what is asked, and says what must be answered. What is refused changes nothing.
    pub fn take(&mut self, operation: &Operation) -> Expected {
        let before = self.clone();
        let expected = match operation {
            Operation::Open(currency) => {
                self.opened.push(self.accounts.len());
                self.accounts.push(Account { currency, ..Account::default() });
                Expected::Made
            }
            Operation::Pay(payment) => self.pay_once(payment),
            Operation::Settle { hold, commit, amount } => self.settle(*hold, *commit, *amount),
            Operation::Refund { row, amount, reference } => self.refund(*row, *amount, reference),
            Operation::Cancel(group) => self.cancel(*group),
            Operation::Floor { account, minimum } => self.set_floor(self.opened[*account], *minimum),
            Operation::Note { row, text } => {
                self.notes.entry(*row).or_default().push(text.clone());
                Expected::Made
            }
        };
        match &expected {
            Expected::Made => self.records += 1,
            Expected::Recorded { rows, replayed: false, .. } if *rows > 0 => self.records += 1,
            _ => *self = before,
        }
        expected
    }

    /// Carries out the first thing that is due, if there is one: what waits longest, then by row.
    pub fn run_due(&mut self, now: i64) -> bool {
        let waiting = self.waiting.iter().map(|(row, waiting)| (waiting.due_at, *row));
        let ending = self.holds.iter().filter_map(|(row, hold)| Some((hold.expires_at?, *row)));
        let Some((at, row)) = waiting.chain(ending).min() else { return false };
        if at > now {
            return false;
        }
        self.records += 1;
        match self.waiting.remove(&row) {
            Some(waiting) => self.run(&waiting.requests),
            None => drop(self.settle(row, false, None)),
        }
        true
    }

    /// What an account has left to spend.
    pub fn available(&self, handle: usize) -> i128 {
        let account = &self.accounts[handle];
        account.credit - account.debit - account.held_debit
    }

    fn find(&self, side: &Side, currency: &str) -> Option<usize> {
        match side {
            Side::Account(account) => self.opened.get(*account).copied(),
            Side::Indicator(name) => {
                self.accounts.iter().position(|account| account.indicator == *name && account.currency == currency)
            }
        }
    }

    fn find_or_open(&mut self, side: &Side, currency: &'static str) -> usize {
        self.find(side, currency).unwrap_or_else(|| {
            let Side::Indicator(indicator) = *side else { unreachable!("accounts are there") };
            self.accounts.push(Account { currency, indicator, ..Account::default() });
            self.accounts.len() - 1
        })
    }

    /// Whether money may leave a balance. Without a balance there is nothing, and no floor.
    fn may_pay(&self, source: Option<usize>, amount: i128, below_zero: bool) -> bool {
        let left = source.map_or(0, |source| self.available(source)) - amount;
        let minimum = source.and_then(|source| self.accounts[source].minimum);
        (below_zero || left >= 0) && minimum.is_none_or(|minimum| left >= minimum)
    }

    fn may(&self, leg: &Leg) -> bool {
        let (source, destination) = (self.find(&leg.source, leg.currency), self.find(&leg.destination, leg.currency));
        let fits = |side: Option<usize>| side.is_none_or(|handle| self.accounts[handle].currency == leg.currency);
        let below_zero = matches!(leg.source, Side::Indicator(_));
        leg.source != leg.destination
            && fits(source)
            && fits(destination)
            && self.may_pay(source, leg.amount, below_zero)
    }

    fn pay_once(&mut self, payment: &Payment) -> Expected {
        let Some((key, request)) = &payment.key else { return self.pay(payment) };
        if let Some((known, rows)) = self.keys.get(key) {
            let (refused, known_items) = (Vec::new(), Vec::new());
            let again = Expected::Recorded { rows: *rows, refused, known: known_items, replayed: true };
            return if known == request { again } else { Expected::KeyTaken };
        }
        let expected = self.pay(payment);
        if let Expected::Recorded { rows, .. } = &expected {
            self.keys.insert(key.clone(), (*request, *rows));
        }
        expected
    }

    fn pay(&mut self, payment: &Payment) -> Expected {
        let (before, first) = (self.clone(), self.rows.len() as u64);
        let (mut refused, mut known, mut fails) = (Vec::new(), Vec::new(), false);
        for (item, leg) in (0..).zip(&payment.legs) {
            let taken = self.references.get(&leg.reference).cloned();
            if payment.queued && taken.as_ref().is_some_and(|taken| taken.as_ref() == Some(leg)) {
                known.push(item);
                continue;
            }
            let pays = self.may(leg);
            if taken.is_some() || !payment.queued && !pays {
                let stands = payment.batch == Batch::Independent && self.rows.len() as u64 > first;
                if !stands && !payment.goes_on {
                    return Expected::Refused;
                }
                refused.push(item);
                if payment.goes_on { continue } else { break }
            }
            let outcome = format!("{}_q", leg.reference);
            if let (true, Some(due_at)) = (payment.queued, leg.scheduled_at) {
                let row = self.request(Status::Scheduled, leg);
                self.references.insert(outcome, None);
                let group = match payment.batch {
                    Batch::Atomic => self.waiting.range(first..).find(|(_, waiting)| waiting.due_at == due_at),
                    _ => None,
                };
                let group = group.map_or(row, |(group, _)| *group);
                let waiting = Waiting { due_at, requests: Vec::new() };
                self.waiting.entry(group).or_insert(waiting).requests.push((row, leg.clone()));
                continue;
            }
            let request = payment.queued.then(|| self.request(Status::Queued, leg));
            let reference = if payment.queued { outcome } else { leg.reference.clone() };
            if pays {
                self.move_money(leg, reference, request);
                if let Some(request) = request {
                    // Request and outcome are one record, which names whom it opens.
                    let outcome = self.rows.last().map(|row| (row.source, row.destination));
                    let row = &mut self.rows[request as usize];
                    (row.source, row.destination) = outcome.unwrap_or_default();
                }
            } else {
                fails = true;
                self.reject(leg, reference, request);
            }
        }
        if fails && payment.batch == Batch::Atomic {
            // All of them are rejected, and none of them moved anything.
            *self = before;
            for leg in &payment.legs {
                let request = self.request(Status::Queued, leg);
                self.reject(leg, format!("{}_q", leg.reference), Some(request));
            }
        }
        Expected::Recorded { rows: self.rows.len() as u64 - first, refused, known, replayed: false }
    }

    fn row(&mut self, status: Status, leg: &Leg, reference: String, parent: Option<u64>) -> u64 {
        let (source, destination) = (self.find(&leg.source, leg.currency), self.find(&leg.destination, leg.currency));
        self.rows.push(Row {
            status,
            source,
            destination,
            amount: leg.amount,
            reference: Some(reference),
            parent,
            effective_at: leg.effective_at,
            refunds: false,
            called_off: false,
        });
        self.rows.len() as u64 - 1
    }

    fn request(&mut self, status: Status, leg: &Leg) -> u64 {
        self.references.insert(leg.reference.clone(), Some(leg.clone()));
        self.row(status, leg, leg.reference.clone(), None)
    }

    fn reject(&mut self, leg: &Leg, reference: String, request: Option<u64>) {
        self.references.insert(reference.clone(), None);
        self.row(Status::Rejected, leg, reference, request);
    }

    /// Posts or holds, which was found to be possible.
    fn move_money(&mut self, leg: &Leg, reference: String, parent: Option<u64>) -> u64 {
        let source = self.find_or_open(&leg.source, leg.currency);
        let destination = self.find_or_open(&leg.destination, leg.currency);
        let status = if leg.inflight { Status::Inflight } else { Status::Applied };
        self.book(source, destination, leg.amount, leg.inflight);
        // Only a request that went through the queue is known again.
        self.references.insert(reference.clone(), None);
        let row = self.row(status, leg, reference, parent);
        if leg.inflight {
            self.holds.insert(row, Hold { source, destination, remaining: leg.amount, expires_at: leg.expires_at });
        }
        row
    }

    fn book(&mut self, source: usize, destination: usize, amount: i128, held: bool) {
        if held {
            self.accounts[source].held_debit += amount;
            self.accounts[destination].held_credit += amount;
        } else {
            self.accounts[source].debit += amount;
            self.accounts[destination].credit += amount;
        }
    }

    fn settle(&mut self, row: u64, commit: bool, amount: Option<i128>) -> Expected {
        let Some(hold) = self.holds.get(&row).cloned() else { return Expected::Refused };
        let amount = if commit { amount.unwrap_or(hold.remaining) } else { hold.remaining };
        if amount <= 0 || amount > hold.remaining {
            return Expected::Refused;
        }
        if amount == hold.remaining {
            self.holds.remove(&row);
        } else if let Some(hold) = self.holds.get_mut(&row) {
            hold.remaining -= amount;
        }
        self.book(hold.source, hold.destination, -amount, true);
        if commit {
            self.book(hold.source, hold.destination, amount, false);
        }
        let status = if commit { Status::Applied } else { Status::Void };
        self.follow(row, hold.source, hold.destination, status, amount)
    }

    /// A row that belongs to another and takes no reference.
    fn follow(&mut self, parent: u64, source: usize, destination: usize, status: Status, amount: i128) -> Expected {
        self.rows.push(Row {
            status,
            source: Some(source),
            destination: Some(destination),
            amount,
            reference: None,
            parent: Some(parent),
            effective_at: None,
            refunds: false,
            called_off: false,
        });
        Expected::Recorded { rows: 1, refused: Vec::new(), known: Vec::new(), replayed: false }
    }

    fn refund(&mut self, row: u64, amount: Option<i128>, reference: &str) -> Expected {
        let Some(original) = self.rows.get(row as usize).cloned() else { return Expected::Refused };
        let parts: Vec<&Row> = self.rows.iter().filter(|part| part.refunds && part.parent == Some(row)).collect();
        let left = original.amount - parts.iter().map(|part| part.amount).sum::<i128>();
        let reference =
            if parts.is_empty() { reference.to_owned() } else { format!("{reference}_{}", parts.len() + 1) };
        let amount = amount.unwrap_or(left);
        let gave = match original.status {
            Status::Applied => true,
            Status::Void => !original.called_off,
            _ => false,
        };
        let (Some(source), Some(destination)) = (original.destination, original.source) else {
            return Expected::Refused;
        };
        let taken = self.references.contains_key(&reference);
        if !gave || left <= 0 || amount > left || taken || !self.may_pay(Some(source), amount, true) {
            return Expected::Refused;
        }
        let held = original.status == Status::Void;
        self.book(source, destination, amount, held);
        self.references.insert(reference, None);
        let status = if held { Status::Inflight } else { Status::Applied };
        let expected = self.follow(row, source, destination, status, amount);
        let number = self.rows.len() - 1;
        self.rows[number].refunds = true;
        if held {
            let hold = Hold { source, destination, remaining: amount, expires_at: None };
            self.holds.insert(number as u64, hold);
        }
        expected
    }

    fn cancel(&mut self, group: u64) -> Expected {
        let Some(waiting) = self.waiting.remove(&group) else { return Expected::Refused };
        let rows = waiting.requests.len() as u64;
        for (request, leg) in &waiting.requests {
            let row = self.row(Status::Void, leg, format!("{}_q", leg.reference), Some(*request));
            self.rows[row as usize].called_off = true;
        }
        Expected::Recorded { rows, refused: Vec::new(), known: Vec::new(), replayed: false }
    }

    fn set_floor(&mut self, handle: usize, minimum: Option<i128>) -> Expected {
        if minimum.is_none() && self.accounts[handle].minimum.is_none() {
            return Expected::Unchanged;
        }
        self.accounts[handle].minimum = minimum;
        Expected::Made
    }

    /// Runs requests whose time has come: all of them, or none.
    fn run(&mut self, requests: &[(u64, Leg)]) {
        let before = self.clone();
        for (request, leg) in requests {
            let reference = format!("{}_q", leg.reference);
            if !self.may(leg) {
                *self = before;
                for (request, leg) in requests {
                    self.reject(leg, format!("{}_q", leg.reference), Some(*request));
                }
                return;
            }
            self.move_money(leg, reference, Some(*request));
        }
    }
}
