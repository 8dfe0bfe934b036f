//! The auditor: a tiny ledger of its own that says what must be answered and what must be there.
//!
//! It shares no code with the real one and knows only what the workload uses. Time is what the scheduler says.

use crate::operation::{Batch, Floor, Leg, Limit, Operation, Payment, Request, Rules, Side};
use std::collections::BTreeMap;

/// What is to be answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Expected {
    /// It was made, or changed.
    Made,
    /// What waits has another time or amount.
    Moved,
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

/// Money of one balance, in minor units, and what else is known of it.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Account {
    /// Its currency.
    pub currency: &'static str,
    /// Its ledger; 0 is the one that is always there.
    pub ledger: usize,
    /// The name of its indicator, or empty.
    pub indicator: String,
    /// Posted credits.
    pub credit: i128,
    /// Posted debits.
    pub debit: i128,
    /// Held credits.
    pub held_credit: i128,
    /// Held debits.
    pub held_debit: i128,
    /// What it may do.
    pub ruled: Option<Ruled>,
    /// Its name, or empty.
    pub name: &'static str,
    /// Whose it is.
    pub owner: Option<usize>,
    /// Whose money it has, in the order in which it came first, when that is known.
    pub funds: Option<Vec<Fund>>,
    /// When it was made.
    pub made_at: i64,
}

/// Rules, and what was moved in the windows of each limit of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ruled {
    rules: Rules,
    /// Of each limit: when its window began, minor units, transactions.
    pub spent: Vec<(i64, i128, u64)>,
}

/// Money of somebody in a traced account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fund {
    /// Who brought it.
    pub provider: &'static str,
    /// What is left of it.
    pub left: i128,
    shadow: usize,
    aggregate: usize,
}

/// What became of a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// Taken in, with an outcome of its own.
    Queued,
    /// Waiting for its time.
    Scheduled,
    /// Held.
    Inflight,
    /// Posted.
    Applied,
    /// Released, or called off.
    Void,
    /// Refused.
    Rejected,
}

/// Why a row is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// It was asked for, or came of that.
    Asked,
    /// It settles or releases a hold.
    Settlement,
    /// It changes a hold.
    Change,
    /// It gives another back.
    Refund,
    /// It ends a request that was called off.
    CalledOff,
    /// It moves money of a traced account, as it was asked for.
    Traced,
    /// It follows from one of these.
    Follows,
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
    /// When it was recorded.
    pub at: i64,
    /// The business date, when one was given.
    pub effective_at: Option<i64>,
    /// Why it is there.
    pub kind: Kind,
}

impl Row {
    /// When it counts.
    pub fn counts_at(&self) -> i64 {
        self.effective_at.unwrap_or(self.at)
    }
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
    /// When it is posted by itself.
    pub commits_at: Option<i64>,
}

/// Requests that wait and run together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Waiting {
    /// When they run.
    pub due_at: i64,
    /// Another amount, of one that runs by itself.
    pub amount: Option<i128>,
    requests: Vec<(u64, Leg)>,
}

impl Waiting {
    /// Whether it is one that runs by itself.
    pub const fn is_one(&self) -> bool {
        self.requests.len() == 1
    }
}

/// Books of a ledger that are closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Closing {
    /// The ledger.
    pub ledger: usize,
    /// Where they were closed before.
    pub from: Option<i64>,
    /// The first moment that is not closed.
    pub until: i64,
    /// Whether the totals are recorded.
    pub totalled: bool,
}

/// What an account is said to have had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Claim {
    /// The handle of the account.
    pub handle: usize,
    at: i64,
    before: u64,
    amount: i128,
}

/// What a balance had, and how many there were.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Sums {
    /// Balances.
    pub count: u64,
    /// Credits.
    pub credit: i128,
    /// Debits.
    pub debit: i128,
}

/// The books as they must be.
#[derive(Clone, Debug)]
pub struct Auditor {
    /// All balances, in the order in which they were made.
    pub accounts: Vec<Account>,
    /// The handles of what [`Operation::Open`] opened, in order.
    pub opened: Vec<usize>,
    /// Ledgers, the one that is always there included.
    pub ledgers: usize,
    /// All rows.
    pub rows: Vec<Row>,
    /// References that are taken, and by which posting.
    pub references: BTreeMap<String, Option<Leg>>,
    /// Open holds, by row.
    pub holds: BTreeMap<u64, Hold>,
    /// What waits, by the row of its first request.
    pub waiting: BTreeMap<u64, Waiting>,
    /// Keys, with what was sent and how it was answered.
    pub keys: BTreeMap<String, (u8, Expected)>,
    /// What was said of rows.
    pub notes: BTreeMap<u64, Vec<String>>,
    /// Closings, in order.
    pub closings: Vec<Closing>,
    /// What accounts are said to have had; absent when that was taken back.
    pub claims: Vec<Option<Claim>>,
    /// How many monitors there are.
    pub watches: u64,
    /// Persons; whether each was forgotten.
    pub persons: Vec<bool>,
    /// Currencies that are registered.
    pub registered: BTreeMap<&'static str, (u64, &'static str)>,
    /// Records that the journal must have.
    pub records: u64,
    /// When the last of them was made.
    pub latest: i64,
}

impl Default for Auditor {
    fn default() -> Auditor {
        Auditor {
            accounts: Vec::new(),
            opened: Vec::new(),
            ledgers: 1,
            rows: Vec::new(),
            references: BTreeMap::new(),
            holds: BTreeMap::new(),
            waiting: BTreeMap::new(),
            keys: BTreeMap::new(),
            notes: BTreeMap::new(),
            closings: Vec::new(),
            claims: Vec::new(),
            watches: 0,
            persons: Vec::new(),
            registered: BTreeMap::new(),
            records: 0,
            latest: 0,
        }
    }
}

impl Auditor {
    /// Does what is asked, and says what must be answered. What is refused changes nothing.
    pub fn take(&mut self, request: &Request, now: i64) -> Expected {
        let at = now.max(self.latest);
        if let Some((key, body)) = &request.key
            && let Some((known, answer)) = self.keys.get(key)
        {
            return if known == body { again(answer) } else { Expected::KeyTaken };
        }
        let before = self.clone();
        let expected = self.carry_out(&request.what, at);
        let happens = match &expected {
            Expected::Made | Expected::Moved => true,
            // A key is kept of what records nothing else.
            Expected::Recorded { rows, .. } => *rows > 0 || request.key.is_some(),
            Expected::Unchanged | Expected::KeyTaken | Expected::Refused => false,
        };
        if !happens {
            *self = before;
            return expected;
        }
        self.records += 1;
        self.latest = at;
        if let (Some((key, body)), Expected::Recorded { .. }) = (&request.key, &expected) {
            self.keys.insert(key.clone(), (*body, expected.clone()));
        }
        expected
    }

    fn carry_out(&mut self, operation: &Operation, at: i64) -> Expected {
        match operation {
            Operation::Ledger => {
                self.ledgers += 1;
                Expected::Made
            }
            Operation::Open { currency, ledger, traced } => {
                if traced.is_some_and(|person| self.persons[person]) {
                    return Expected::Refused;
                }
                self.opened.push(self.accounts.len());
                let funds = traced.map(|_| Vec::new());
                let (currency, ledger, owner, made_at) = (*currency, *ledger, *traced, at);
                self.accounts.push(Account { currency, ledger, owner, funds, made_at, ..Account::default() });
                Expected::Made
            }
            Operation::Pay(payment) => self.pay(payment, at),
            Operation::Trace { account, brings, amount, reference } => {
                self.trace(*account, *brings, *amount, reference, at)
            }
            Operation::Settle { hold, commit, amount, over } => self.settle(*hold, *commit, *amount, *over, at),
            Operation::Change { hold, held, expires_at, commits_at } => {
                self.change(*hold, *held, (*expires_at, *commits_at), at)
            }
            Operation::Refund { row, amount, reference } => self.refund(*row, *amount, reference, at),
            Operation::Cancel(group) => self.cancel(*group, at),
            Operation::Move { group, due_at, amount } => {
                let Some(waiting) = self.waiting.get_mut(group) else { return Expected::Refused };
                waiting.due_at = due_at.unwrap_or(waiting.due_at);
                waiting.amount = amount.or(waiting.amount);
                Expected::Moved
            }
            Operation::Policy { account, rules } => self.set_rules(self.opened[*account], rules.as_ref()),
            Operation::Note { row, text } => {
                self.notes.entry(*row).or_default().push(text.clone());
                Expected::Made
            }
            Operation::Keep(row) => recorded(0, Vec::new(), row.iter().map(|_| 0).collect()),
            Operation::Close { ledger, until } => self.close(*ledger, *until, at),
            Operation::Total(closing) => {
                let known = std::mem::replace(&mut self.closings[*closing].totalled, true);
                if known { Expected::Unchanged } else { Expected::Made }
            }
            Operation::Claim { account, at: moment, before, amount } => {
                let claim = Claim { handle: self.opened[*account], at: *moment, before: *before, amount: *amount };
                self.claims.push(Some(claim));
                if *moment > at { Expected::Refused } else { Expected::Made }
            }
            Operation::Unclaim(claim) => match self.claims[*claim].take() {
                Some(_) => Expected::Made,
                None => Expected::Refused,
            },
            Operation::Name { account, name } => self.name(self.opened[*account], name),
            Operation::Watch { .. } => {
                self.watches += 1;
                Expected::Made
            }
            Operation::Person => {
                self.persons.push(false);
                Expected::Made
            }
            Operation::Own { account, person } => {
                let handle = self.opened[*account];
                self.accounts[handle].owner = Some(*person);
                if self.persons[*person] { Expected::Refused } else { Expected::Made }
            }
            Operation::Forget(person) => {
                let owns = self.accounts.iter().any(|account| account.owner == Some(*person));
                let known = std::mem::replace(&mut self.persons[*person], true);
                if owns || known { Expected::Refused } else { Expected::Made }
            }
            Operation::Register { currency, precision, name } => {
                match self.registered.insert(currency, (*precision, name)) {
                    Some((known, _)) if known != *precision => Expected::Refused,
                    Some((_, known)) if known == *name => Expected::Unchanged,
                    _ => Expected::Made,
                }
            }
        }
    }

    /// Carries out the first thing that is due, if there is one: what waits longest, then by row, then runs before posts before
    /// ends.
    pub fn run_due(&mut self, now: i64) -> bool {
        let waiting = self.waiting.iter().map(|(row, waiting)| (waiting.due_at, *row, 0));
        let posting = self.holds.iter().filter_map(|(row, hold)| Some((hold.commits_at?, *row, 1)));
        let ending = self.holds.iter().filter_map(|(row, hold)| Some((hold.expires_at?, *row, 2)));
        let Some((due_at, row, what)) = waiting.chain(posting).chain(ending).min() else { return false };
        if due_at > now {
            return false;
        }
        let at = now.max(self.latest);
        self.records += 1;
        self.latest = at;
        match self.waiting.remove(&row).filter(|_| what == 0) {
            Some(waiting) => self.run(waiting, at),
            None => drop(self.settle(row, what == 1, None, false, at)),
        }
        true
    }

    /// What an account has left to spend.
    pub fn available(&self, handle: usize) -> i128 {
        let account = &self.accounts[handle];
        account.credit - account.debit - account.held_debit
    }

    /// What the balances of a ledger in a currency had before a moment.
    pub fn sums_before(&self, ledger: usize, currency: &str, moment: i64) -> Sums {
        let is_one = |handle: &Option<usize>| {
            handle.is_some_and(|handle| {
                (self.accounts[handle].ledger, self.accounts[handle].currency) == (ledger, currency)
            })
        };
        let rows = self.rows.iter().filter(|row| row.status == Status::Applied && row.counts_at() < moment);
        let accounts = self.accounts.iter().filter(|one| (one.ledger, one.currency) == (ledger, currency));
        let mut sums = Sums { count: accounts.filter(|one| one.made_at < moment).count() as u64, ..Sums::default() };
        for row in rows {
            sums.credit += if is_one(&row.destination) { row.amount } else { 0 };
            sums.debit += if is_one(&row.source) { row.amount } else { 0 };
        }
        sums
    }

    /// How many claims there are, and how many of them are not so.
    pub fn claimed(&self) -> (u64, u64) {
        let is_broken = |claim: &&Claim| {
            let counts = |(number, row): &(u64, &Row)| {
                row.status == Status::Applied && (row.counts_at(), *number) < (claim.at, claim.before)
            };
            let rows = (0..).zip(&self.rows).filter(counts);
            let amount: i128 = rows
                .map(|(_, row)| {
                    let of = |side: Option<usize>| if side == Some(claim.handle) { row.amount } else { 0 };
                    of(row.destination) - of(row.source)
                })
                .sum();
            amount != claim.amount
        };
        let claims = self.claims.iter().flatten();
        (claims.clone().count() as u64, claims.filter(is_broken).count() as u64)
    }

    fn find(&self, side: &Side, currency: &str) -> Option<usize> {
        match side {
            Side::Account(account) => self.opened.get(*account).copied(),
            Side::Indicator(name) => self.find_indicator(name, currency),
        }
    }

    fn find_indicator(&self, name: &str, currency: &str) -> Option<usize> {
        self.accounts.iter().position(|account| account.indicator == name && account.currency == currency)
    }

    fn find_or_open(&mut self, side: &Side, currency: &'static str, at: i64) -> usize {
        match side {
            Side::Account(account) => self.opened[*account],
            Side::Indicator(name) => self.indicator((*name).to_owned(), currency, at),
        }
    }

    fn indicator(&mut self, indicator: String, currency: &'static str, at: i64) -> usize {
        self.find_indicator(&indicator, currency).unwrap_or_else(|| {
            self.accounts.push(Account { currency, indicator, made_at: at, ..Account::default() });
            self.accounts.len() - 1
        })
    }

    /// Whether so much more may move from one balance to another, by so many transactions more. Who is not opened yet has nothing
    /// and no rules, and is on nobody's list.
    fn may_move(&self, sides: [Option<usize>; 2], amount: i128, count: u64, below_zero: bool, at: i64) -> bool {
        let [source, destination] = sides;
        let ruled = |side: Option<usize>| side.and_then(|handle| self.accounts[handle].ruled.as_ref());
        let deals = |ruled: &Ruled, other: Option<usize>| {
            let Some(with) = &ruled.rules.with else { return true };
            other.is_some_and(|other| with.iter().any(|one| self.opened[*one] == other))
        };
        let left = source.map_or(0, |source| self.available(source)) - amount;
        let mut floor = None;
        if let Some(paying) = ruled(source) {
            floor = paying.rules.floor;
            if paying.rules.no_debits || !deals(paying, destination) || !paying.has_room(true, amount, count, at) {
                return false;
            }
        }
        if let Some(paid) = ruled(destination)
            && (paid.rules.no_credits || !deals(paid, source) || !paid.has_room(false, amount, count, at))
        {
            return false;
        }
        match floor {
            Some(Floor::Credit(limit)) => left >= -limit,
            Some(Floor::Minimum(minimum)) if left < minimum => false,
            _ => below_zero || left >= 0,
        }
    }

    /// Whether the books of one of the sides are closed at a moment. Who is not opened yet comes into the ledger that is always there.
    fn is_closed(&self, sides: [Option<usize>; 2], at: i64) -> bool {
        let ledgers = sides.map(|side| side.map_or(0, |handle| self.accounts[handle].ledger));
        self.closings.iter().any(|closing| ledgers.contains(&closing.ledger) && at < closing.until)
    }

    fn sides(&self, leg: &Leg) -> [Option<usize>; 2] {
        [self.find(&leg.source, leg.currency), self.find(&leg.destination, leg.currency)]
    }

    fn may(&self, leg: &Leg, at: i64) -> bool {
        let sides = self.sides(leg);
        let fits = |side: Option<usize>| side.is_none_or(|handle| self.accounts[handle].currency == leg.currency);
        let below_zero = matches!(leg.source, Side::Indicator(_));
        leg.source != leg.destination
            && sides.into_iter().all(fits)
            && !leg.effective_at.is_some_and(|date| self.is_closed(sides, date))
            && self.may_move(sides, leg.amount, 1, below_zero, at)
    }

    fn pay(&mut self, payment: &Payment, at: i64) -> Expected {
        let (before, first) = (self.clone(), self.rows.len() as u64);
        let (mut refused, mut known, mut fails) = (Vec::new(), Vec::new(), false);
        for (item, leg) in (0..).zip(&payment.legs) {
            let taken = self.references.get(&leg.reference).cloned();
            if payment.queued && taken.as_ref().is_some_and(|taken| taken.as_ref() == Some(leg)) {
                known.push(item);
                continue;
            }
            let pays = self.may(leg, at);
            if taken.is_some() || !payment.queued && !pays {
                let stands = payment.batch == Batch::Independent && self.rows.len() as u64 > first;
                if !stands && !payment.goes_on {
                    return Expected::Refused;
                }
                refused.push(item);
                if payment.goes_on { continue } else { break }
            }
            let outcome = format!("{}_q", leg.reference);
            // What would fall into closed books when its time has come is refused now.
            let late = leg.effective_at.is_some_and(|date| self.is_closed(self.sides(leg), date));
            if let (true, false, Some(due_at)) = (payment.queued, late, leg.scheduled_at) {
                for side in [&leg.source, &leg.destination] {
                    self.find_or_open(side, leg.currency, at);
                }
                let row = self.request(Status::Scheduled, leg, at);
                self.references.insert(outcome, None);
                let group = match payment.batch {
                    Batch::Atomic => self.waiting.range(first..).find(|(_, waiting)| waiting.due_at == due_at),
                    Batch::Single | Batch::Independent => None,
                };
                let group = group.map_or(row, |(group, _)| *group);
                let waiting = Waiting { due_at, amount: None, requests: Vec::new() };
                self.waiting.entry(group).or_insert(waiting).requests.push((row, leg.clone()));
                continue;
            }
            let request = payment.queued.then(|| self.request(Status::Queued, leg, at));
            let reference = if payment.queued { outcome } else { leg.reference.clone() };
            if pays {
                self.move_money(leg, leg.amount, reference, request, at);
                if let Some(request) = request {
                    // Request and outcome are one record, which names whom it opens.
                    let outcome = self.rows.last().map(|row| (row.source, row.destination));
                    let row = &mut self.rows[request as usize];
                    (row.source, row.destination) = outcome.unwrap_or_default();
                }
            } else {
                fails = true;
                self.reject(leg, leg.amount, reference, request, at);
            }
        }
        if fails && payment.batch == Batch::Atomic {
            // All of them are rejected, and none of them moved anything.
            *self = before;
            for leg in &payment.legs {
                let request = self.request(Status::Queued, leg, at);
                self.reject(leg, leg.amount, format!("{}_q", leg.reference), Some(request), at);
            }
        }
        recorded(self.rows.len() as u64 - first, refused, known)
    }

    fn row(&mut self, row: Row) -> u64 {
        self.rows.push(row);
        self.rows.len() as u64 - 1
    }

    fn of_leg(&self, status: Status, leg: &Leg, amount: i128, parent: Option<u64>, at: i64) -> Row {
        let [source, destination] = self.sides(leg);
        let (reference, effective_at, kind) = (Some(leg.reference.clone()), leg.effective_at, Kind::Asked);
        Row { status, source, destination, amount, reference, parent, at, effective_at, kind }
    }

    fn request(&mut self, status: Status, leg: &Leg, at: i64) -> u64 {
        self.references.insert(leg.reference.clone(), Some(leg.clone()));
        self.row(self.of_leg(status, leg, leg.amount, None, at))
    }

    fn reject(&mut self, leg: &Leg, amount: i128, reference: String, request: Option<u64>, at: i64) {
        self.references.insert(reference.clone(), None);
        let row = self.of_leg(Status::Rejected, leg, amount, request, at);
        self.row(Row { reference: Some(reference), ..row });
    }

    /// Posts or holds, which was found to be possible.
    fn move_money(&mut self, leg: &Leg, amount: i128, reference: String, parent: Option<u64>, at: i64) -> u64 {
        let source = self.find_or_open(&leg.source, leg.currency, at);
        let destination = self.find_or_open(&leg.destination, leg.currency, at);
        let status = if leg.inflight { Status::Inflight } else { Status::Applied };
        self.book(source, destination, amount, leg.inflight);
        self.count(source, destination, amount, 1, at);
        // Only a request that went through the queue is known again.
        self.references.insert(reference.clone(), None);
        let row = self.of_leg(status, leg, amount, parent, at);
        let row = self.row(Row { reference: Some(reference), ..row });
        if leg.inflight {
            let (expires_at, commits_at) = (leg.expires_at, leg.commits_at);
            self.holds.insert(row, Hold { source, destination, remaining: amount, expires_at, commits_at });
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

    /// Counts what was newly posted or held in the windows of both sides.
    fn count(&mut self, source: usize, destination: usize, amount: i128, count: u64, at: i64) {
        for (handle, debits) in [(source, true), (destination, false)] {
            let Some(ruled) = &mut self.accounts[handle].ruled else { continue };
            for (limit, spent) in ruled.rules.limits.iter().zip(&mut ruled.spent) {
                if limit.debits == debits {
                    let (since, sum, before) = within(limit, *spent, at);
                    *spent = (since, sum + amount, before + count);
                }
            }
        }
    }

    /// Money of a traced account, and what follows: whose it is.
    fn trace(
        &mut self,
        account: usize,
        brings: Option<&'static str>,
        amount: i128,
        reference: &str,
        at: i64,
    ) -> Expected {
        let (traced, other) = (self.opened[account], self.find_indicator("@World", "USD"));
        let sides = if brings.is_some() { [other, Some(traced)] } else { [Some(traced), other] };
        if self.references.contains_key(reference) || !self.may_move(sides, amount, 1, brings.is_some(), at) {
            return Expected::Refused;
        }
        let other = self.indicator("@World".to_owned(), "USD", at);
        let (source, destination) = if brings.is_some() { (other, traced) } else { (traced, other) };
        self.book(source, destination, amount, false);
        self.count(source, destination, amount, 1, at);
        self.posted(source, destination, amount, reference.to_owned(), Kind::Traced, at);
        match brings {
            Some(provider) => {
                let fund = self.fund(account, provider, at);
                self.follow(traced, fund, amount, format!("{reference}_shadow_{provider}"), at);
            }
            None => {
                let funds = self.accounts[traced].funds_of();
                let mut left = amount;
                for (fund, Fund { provider, left: has, .. }) in funds.into_iter().enumerate() {
                    let take = left.min(has);
                    left -= take;
                    if take > 0 {
                        self.follow(traced, fund, -take, format!("{reference}_release_{provider}"), at);
                    }
                }
            }
        }
        recorded(1, Vec::new(), Vec::new())
    }

    fn posted(&mut self, source: usize, destination: usize, amount: i128, reference: String, kind: Kind, at: i64) {
        self.references.insert(reference.clone(), None);
        self.row(Row {
            status: Status::Applied,
            source: Some(source),
            destination: Some(destination),
            amount,
            reference: Some(reference),
            parent: None,
            at,
            effective_at: None,
            kind,
        });
    }

    /// The money of somebody in a traced account; its two balances are opened when it comes first.
    fn fund(&mut self, account: usize, provider: &'static str, at: i64) -> usize {
        let traced = self.opened[account];
        let funds = self.accounts[traced].funds_of();
        if let Some(known) = funds.iter().position(|fund| fund.provider == provider) {
            return known;
        }
        let shadow = self.indicator(format!("@{provider}_traced{account}_lineage"), "USD", at);
        let aggregate = self.indicator(format!("@traced{account}_lineage"), "USD", at);
        let funds = self.accounts[traced].funds.as_mut().expect("it is traced");
        funds.push(Fund { provider, left: 0, shadow, aggregate });
        funds.len() - 1
    }

    /// Money of somebody comes into a traced account, or goes out of it.
    fn follow(&mut self, traced: usize, fund: usize, amount: i128, reference: String, at: i64) {
        let fund = &mut self.accounts[traced].funds.as_mut().expect("it is traced")[fund];
        fund.left += amount;
        let (shadow, aggregate) = (fund.shadow, fund.aggregate);
        let (source, destination) = if amount > 0 { (shadow, aggregate) } else { (aggregate, shadow) };
        self.book(source, destination, amount.abs(), false);
        self.posted(source, destination, amount.abs(), reference, Kind::Follows, at);
    }

    fn settle(&mut self, row: u64, commit: bool, amount: Option<i128>, over: bool, at: i64) -> Expected {
        let Some(hold) = self.holds.get(&row).cloned() else { return Expected::Refused };
        let Hold { source, destination, remaining, .. } = hold;
        let amount = if commit { amount.unwrap_or(remaining) } else { remaining };
        let more = (amount - remaining).max(0);
        if amount <= 0 || more > 0 && !(over && self.may_move([Some(source), Some(destination)], more, 0, false, at)) {
            return Expected::Refused;
        }
        if amount >= remaining {
            self.holds.remove(&row);
        } else if let Some(hold) = self.holds.get_mut(&row) {
            hold.remaining -= amount;
        }
        self.book(source, destination, -(amount - more), true);
        if commit {
            self.book(source, destination, amount, false);
        }
        if more > 0 {
            self.count(source, destination, more, 0, at);
        }
        let status = if commit { Status::Applied } else { Status::Void };
        self.of_hold(row, (source, destination), status, amount, Kind::Settlement, at)
    }

    /// A row that belongs to another and takes no reference that anybody chose.
    fn of_hold(
        &mut self,
        parent: u64,
        (source, destination): (usize, usize),
        status: Status,
        amount: i128,
        kind: Kind,
        at: i64,
    ) -> Expected {
        self.row(Row {
            status,
            source: Some(source),
            destination: Some(destination),
            amount,
            reference: None,
            parent: Some(parent),
            at,
            effective_at: None,
            kind,
        });
        recorded(1, Vec::new(), Vec::new())
    }

    fn change(
        &mut self,
        row: u64,
        held: Option<i128>,
        (expires_at, commits_at): (Option<i64>, Option<i64>),
        at: i64,
    ) -> Expected {
        let Some(hold) = self.holds.get(&row).cloned() else { return Expected::Refused };
        let Hold { source, destination, remaining, .. } = hold;
        let held = held.unwrap_or(remaining);
        let more = held - remaining;
        let sides = [Some(source), Some(destination)];
        if held <= 0 || more > 0 && !self.may_move(sides, more, 0, false, at) {
            return Expected::Refused;
        }
        let (expires_at, commits_at) = (expires_at.or(hold.expires_at), commits_at.or(hold.commits_at));
        self.holds.insert(row, Hold { remaining: held, expires_at, commits_at, ..hold });
        self.book(source, destination, more, true);
        if more > 0 {
            self.count(source, destination, more, 0, at);
        }
        let status = if more >= 0 { Status::Inflight } else { Status::Void };
        self.of_hold(row, (source, destination), status, more.abs(), Kind::Change, at)
    }

    fn refund(&mut self, row: u64, amount: Option<i128>, reference: &str, at: i64) -> Expected {
        let Some(original) = self.rows.get(row as usize).cloned() else { return Expected::Refused };
        let of_it = |part: &&Row| part.kind == Kind::Refund && part.parent == Some(row);
        let parts: Vec<&Row> = self.rows.iter().filter(of_it).collect();
        let left = original.amount - parts.iter().map(|part| part.amount).sum::<i128>();
        let reference =
            if parts.is_empty() { reference.to_owned() } else { format!("{reference}_{}", parts.len() + 1) };
        let amount = amount.unwrap_or(left);
        let gave = match original.status {
            Status::Applied => original.kind != Kind::Follows,
            Status::Void => original.kind == Kind::Settlement,
            Status::Queued | Status::Scheduled | Status::Inflight | Status::Rejected => false,
        };
        let (Some(source), Some(destination)) = (original.destination, original.source) else {
            return Expected::Refused;
        };
        let taken = self.references.contains_key(&reference);
        let sides = [Some(source), Some(destination)];
        if !gave || left <= 0 || amount > left || taken || !self.may_move(sides, amount, 1, true, at) {
            return Expected::Refused;
        }
        let held = original.status == Status::Void;
        self.book(source, destination, amount, held);
        self.count(source, destination, amount, 1, at);
        self.references.insert(reference, None);
        let status = if held { Status::Inflight } else { Status::Applied };
        let expected = self.of_hold(row, (source, destination), status, amount, Kind::Refund, at);
        if held {
            let hold = Hold { source, destination, remaining: amount, expires_at: None, commits_at: None };
            self.holds.insert(self.rows.len() as u64 - 1, hold);
        }
        expected
    }

    fn cancel(&mut self, group: u64, at: i64) -> Expected {
        let Some(waiting) = self.waiting.remove(&group) else { return Expected::Refused };
        let rows = waiting.requests.len() as u64;
        for (request, leg) in &waiting.requests {
            let amount = waiting.amount.unwrap_or(leg.amount);
            let row = self.of_leg(Status::Void, leg, amount, Some(*request), at);
            self.row(Row { reference: Some(format!("{}_q", leg.reference)), kind: Kind::CalledOff, ..row });
        }
        recorded(rows, Vec::new(), Vec::new())
    }

    fn set_rules(&mut self, handle: usize, rules: Option<&Rules>) -> Expected {
        let before = self.accounts[handle].ruled.take();
        let Some(rules) = rules else {
            return if before.is_some() { Expected::Made } else { Expected::Unchanged };
        };
        // A window that the rules before had too goes on where it was.
        let kept = |limit: &Limit| {
            let before = before.as_ref()?;
            let same = |one: &Limit| (one.debits, one.seconds) == (limit.debits, limit.seconds);
            Some(before.spent[before.rules.limits.iter().position(same)?])
        };
        let spent = rules.limits.iter().map(|limit| kept(limit).unwrap_or_default()).collect();
        self.accounts[handle].ruled = Some(Ruled { rules: rules.clone(), spent });
        Expected::Made
    }

    fn name(&mut self, handle: usize, name: &'static str) -> Expected {
        if self.accounts[handle].name == name {
            return Expected::Unchanged;
        }
        if !name.is_empty() && self.accounts.iter().any(|account| account.name == name) {
            return Expected::Refused;
        }
        self.accounts[handle].name = name;
        Expected::Made
    }

    fn close(&mut self, ledger: usize, until: i64, at: i64) -> Expected {
        let from = self.closings.iter().filter(|one| one.ledger == ledger).map(|one| one.until).max();
        if until > at || from.is_some_and(|from| until <= from) {
            return Expected::Refused;
        }
        self.closings.push(Closing { ledger, from, until, totalled: false });
        Expected::Made
    }

    /// Runs requests whose time has come: all of them, or none.
    fn run(&mut self, waiting: Waiting, at: i64) {
        let before = self.clone();
        let amount = |leg: &Leg| waiting.amount.unwrap_or(leg.amount);
        for (request, leg) in &waiting.requests {
            let reference = format!("{}_q", leg.reference);
            if !self.may(&Leg { amount: amount(leg), ..leg.clone() }, at) {
                *self = before;
                for (request, leg) in &waiting.requests {
                    self.reject(leg, amount(leg), format!("{}_q", leg.reference), Some(*request), at);
                }
                return;
            }
            self.move_money(leg, amount(leg), reference, Some(*request), at);
        }
    }
}

impl Account {
    fn funds_of(&self) -> Vec<Fund> {
        self.funds.clone().expect("it is traced")
    }
}

impl Ruled {
    /// Whether the limits of one side leave room for so much more.
    fn has_room(&self, debits: bool, amount: i128, count: u64, at: i64) -> bool {
        self.rules.limits.iter().zip(&self.spent).filter(|(limit, _)| limit.debits == debits).all(|(limit, spent)| {
            let (_, sum, before) = within(limit, *spent, at);
            let often = count == 0 || limit.count_max.is_none_or(|most| before + count <= most);
            often && limit.sum_max.is_none_or(|most| sum + amount <= most)
        })
    }
}

/// What was moved in the window of a moment.
fn within(limit: &Limit, spent: (i64, i128, u64), at: i64) -> (i64, i128, u64) {
    let length = i64::from(limit.seconds) * 1_000_000;
    let since = at - at.rem_euclid(length);
    if spent.0 == since { spent } else { (since, 0, 0) }
}

fn recorded(rows: u64, refused: Vec<u32>, known: Vec<u32>) -> Expected {
    Expected::Recorded { rows, refused, known, replayed: false }
}

/// The same answer once more.
fn again(answer: &Expected) -> Expected {
    match answer.clone() {
        Expected::Recorded { rows, refused, known, .. } => Expected::Recorded { rows, refused, known, replayed: true },
        other => other,
    }
}
