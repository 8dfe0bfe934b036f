//! Checks the books after every event, from the rows alone: whatever a balance, a hold, a timer or a link says must follow
//! from what the rows say. Written without looking at `apply`, from section 13 of the specification of transactions.

use crate::support::judge::{self, Side, Want};
use crate::support::origins::Origins;
use crate::support::periods::Periods;
use crate::support::police::{Police, Spending};
use crate::support::said::Said;
use ledger::command::{Batch, Mismatch};
use ledger::event::{Event, Kind, Movement, NO_BALANCE, Outcome, Recorded, Rescheduled, batch_id, split_id};
use ledger::id::{Id, Prefix};
use ledger::projection::{Seen, Step};
use ledger::rejection::Rejection;
use ledger::row::{Flags, Links, NO_ROW, Parent, Posted, Row, Status};
use ledger::state::{Figures, State};
use ledger::text::Span;
use ledger::timers::{Due, Timer};
use std::collections::{BTreeMap, BTreeSet};

/// What the rows add up to.
#[derive(Clone, Default)]
pub struct Auditor {
    /// By handle of the balance.
    pub sums: Vec<Sums>,
    /// Holds with something left, by row.
    pub holds: BTreeMap<u64, OpenHold>,
    /// Holds that ended, and whether by a void.
    pub ended: BTreeMap<u64, bool>,
    /// What was given back of each row, part by part.
    pub refunds: BTreeMap<u64, Vec<i128>>,
    /// Requests that wait, by the row of the first of those that run together.
    pub waiting: BTreeMap<u64, Waiting>,
    /// Policies, and what was moved under them.
    pub police: Police,
    /// Where the money of tracked balances came from.
    pub origins: Origins,
    /// Precisions of registered currencies.
    pub registered: BTreeMap<String, u64>,
    /// Aliases, owners and changes of metadata.
    pub said: Said,
    /// Which books are closed, and what balances are said to have been.
    pub periods: Periods,
    balances_count: u32,
    /// What each movement of the latest event did to the figures of its two sides.
    pub steps: Vec<Step>,
    timers: BTreeSet<Timer>,
    before: Vec<Figures>,
    events_count: usize,
    rows_count: usize,
}

/// What the rows of one balance add up to.
#[derive(Clone, Default)]
pub struct Sums {
    pub figures: Figures,
    /// Rows that name it, oldest first.
    pub rows: Vec<u64>,
    executed: u64,
}

/// A hold as its rows tell of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpenHold {
    pub source: u32,
    pub destination: u32,
    /// With what it was raised and lowered by.
    pub amount: i128,
    pub committed: i128,
    /// How far below zero its source may go: allowed, limit.
    pub overdraft: (bool, i128),
    timers: Vec<Timer>,
}

impl OpenHold {
    pub fn remaining(&self) -> i128 {
        self.amount - self.committed
    }
}

/// Scheduled requests that run together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Waiting {
    pub due_at: i64,
    /// Their rows, in order.
    pub rows: Vec<u64>,
    /// What it moves from now on, if that was changed.
    pub amount: Option<i128>,
}

/// One row with what it was made of.
struct Line<'a> {
    rows: &'a [Row],
    row: &'a Row,
    event: &'a Recorded,
    movement: &'a Movement,
    mismatch: Mismatch,
}

impl Auditor {
    /// Takes in the events and rows that are new since the last time, and compares everything with the state.
    pub fn audit(&mut self, state: &State, events: &[Event], rows: &[Row], mismatch: Mismatch) {
        self.sums.resize(state.balances.len(), Sums::default());
        for (record, event) in events.iter().enumerate().skip(self.events_count) {
            assert_eq!(state.latest_at, event.at(), "the state has the time of the latest event");
            self.steps.clear();
            self.said.add(event, record as u64, self.balances_count);
            self.periods.add(state, event, &rows[..self.rows_count]);
            self.balances_count += match event {
                Event::BalanceCreated(_) => 1,
                Event::Recorded(event) => event.opened.len() as u32,
                _ => 0,
            };
            match event {
                Event::Recorded(event) => {
                    assert_eq!(event.first_row as usize, self.rows_count, "an event begins where the rows end");
                    let new = &rows[self.rows_count..];
                    assert_eq!(event.rows_count() as usize, new.len(), "an event makes the rows it says");
                    assert!(new.iter().all(|row| row.record as usize == record), "a row knows its record");
                    self.add_recorded(state, event, rows, mismatch);
                }
                Event::Rescheduled(event) => self.reschedule(event),
                Event::CurrencyRegistered(event) => {
                    let before = self.registered.insert(event.code.clone(), event.precision);
                    assert!(before.is_none_or(|before| before == event.precision), "a precision stays what it is");
                }
                Event::PolicySet(event) => self.police.set(event.balance, event.policy.clone()),
                _ => {}
            }
        }
        self.events_count = events.len();
        self.rows_count = rows.len();
        self.said.compare(state);
        self.periods.compare(state);
        self.compare(state, mismatch);
    }

    fn add_recorded(&mut self, state: &State, event: &Recorded, rows: &[Row], mismatch: Mismatch) {
        let new = &rows[self.rows_count..];
        assert!(event.main_movements().is_sorted_by_key(|movement| movement.item), "items do not go back: {event:?}");
        check_parents(event, new);
        check_names(state, event, self.before.len());
        check_fates(event);
        let open: BTreeMap<u64, i128> = self.holds.iter().map(|(row, hold)| (*row, hold.remaining())).collect();
        let amount_of = |row: u64| rows[row as usize].amount;
        self.origins.add(state, event, &self.refunds, &open, &amount_of);
        self.end_waiting(event, rows);
        for row in new {
            let movement = &event.movements[row.movement as usize];
            let figures = |auditor: &Auditor, handle: u32| {
                auditor.sums.get(handle as usize).map_or(Figures::default(), |sums| sums.figures)
            };
            let before = (figures(self, row.source), figures(self, row.destination));
            self.add(state, &Line { rows, row, event, movement, mismatch });
            let seen = |handle: u32, before| {
                let currency = state.balances.get(handle as usize).map_or(row.currency, |balance| balance.currency);
                Seen { before, after: figures(self, handle), currency }
            };
            if row.status != Status::Queued {
                let (source, destination) = (seen(row.source, before.0), seen(row.destination, before.1));
                self.steps.push(Step { source, destination });
            }
        }
        self.begin_waiting(event, new);
    }

    fn add(&mut self, state: &State, line: &Line<'_>) {
        let Line { row, movement, .. } = line;
        self.periods.check_row(state, row);
        assert_eq!((row.source, row.destination), (movement.source, movement.destination));
        assert_eq!((row.amount, row.precision, row.currency), (movement.amount, movement.precision, movement.currency));
        assert_eq!(row.created_at, line.event.at, "a row is made when its event is");
        assert_eq!(
            row.effective_at,
            movement.terms().effective_at.unwrap_or(row.created_at),
            "the business date is as told"
        );
        assert_eq!(row.flags.has(Flags::EFFECTIVE), movement.terms().effective_at.is_some());
        assert_eq!(Id::parse(Prefix::Transaction, &row.id().text(Prefix::Transaction)).map(Id::row), Some(row.number));
        match row.status {
            Status::Queued => assert!(movement.queued, "only what is queued has a request of its own"),
            Status::Scheduled => assert!(movement.queued && movement.outcome == Outcome::Scheduled),
            Status::Rejected => self.add_rejected(state, line),
            _ if row.flags.has(Flags::LINEAGE) => self.add_lineage(line),
            Status::Void if row.flags.has(Flags::EXECUTION) => {}
            _ if row.flags.has(Flags::CHANGE) => self.add_change(state, line),
            Status::Inflight => self.add_hold(state, line),
            Status::Applied if row.flags.has(Flags::SETTLEMENT) => self.add_settlement(state, line, false),
            Status::Void => self.add_settlement(state, line, true),
            Status::Applied => {
                self.spend(state, line, row.amount, 1, (movement.allow_overdraft, movement.terms().overdraft_limit));
                self.post(row, row.amount);
            }
        }
        if row.flags.has(Flags::REFUND) && row.status != Status::Queued {
            self.add_refund(line);
        }
        self.add_to_histories(row);
    }

    /// Requests that are due together: the legs of a split, and the items of an atomic batch that have one time.
    fn begin_waiting(&mut self, event: &Recorded, rows: &[Row]) {
        let mut groups: BTreeMap<(i64, u64), Waiting> = BTreeMap::new();
        for row in rows.iter().filter(|row| row.status == Status::Scheduled) {
            let due_at = event.movements[row.movement as usize].terms().scheduled_at.expect("what waits has a time");
            let together = match row.parent {
                _ if event.batch == Batch::Atomic => u64::MAX,
                Parent::Split(leg) => leg,
                _ => row.number,
            };
            let group = groups.entry((due_at, together));
            group.or_insert(Waiting { due_at, rows: Vec::new(), amount: None }).rows.push(row.number);
        }
        for group in groups.into_values() {
            self.timers.insert((group.due_at, group.rows[0], Due::Execute));
            self.waiting.insert(group.rows[0], group);
        }
    }

    /// Requests end once, those of a group together and in order, with what they asked for or were told since. Several groups
    /// only end in one event when they are called off.
    fn end_waiting(&mut self, event: &Recorded, rows: &[Row]) {
        let ended = event.movements.iter().filter_map(|movement| match movement.kind {
            Kind::Execution(request) => Some((request, movement)),
            _ => None,
        });
        let mut ended = ended.peekable();
        let mut groups = 0;
        while let Some(&(first, _)) = ended.peek() {
            let group = self.waiting.remove(&first).expect("only what waits runs or is called off, once");
            assert!(self.timers.remove(&(group.due_at, first, Due::Execute)), "what waits has a timer");
            groups += 1;
            for &row in &group.rows {
                let (number, movement) = ended.next().expect("a group ends as a whole");
                assert_eq!(number, row, "a group ends in order");
                let request = &rows[row as usize];
                // A name that nobody had may have become an alias since.
                let sides = [(request.source, movement.source), (request.destination, movement.destination)];
                assert!(sides.iter().all(|(then, now)| then == now || *then == NO_BALANCE), "it moves as it was asked");
                assert_eq!((movement.currency, movement.precision), (request.currency, request.precision));
                assert_eq!(movement.amount, group.amount.unwrap_or(request.amount), "it moves what it was told last");
                let voided = movement.outcome == Outcome::Voided;
                assert!(groups == 1 || voided, "each group runs by itself");
                assert!(voided || group.due_at <= event.at, "nothing runs before its time");
                let voided_first = event.movements[0].outcome == Outcome::Voided;
                assert_eq!(voided, voided_first, "an event runs a group, or calls groups off");
            }
        }
    }

    fn reschedule(&mut self, event: &Rescheduled) {
        assert!(!event.groups.is_empty() && (event.due_at.is_some() || event.amount.is_some()), "something changes");
        for first in &event.groups {
            let group = self.waiting.get_mut(first).expect("only what waits gets another time");
            if let Some(due_at) = event.due_at {
                assert!(self.timers.remove(&(group.due_at, *first, Due::Execute)), "what waits has a timer");
                self.timers.insert((due_at, *first, Due::Execute));
                group.due_at = due_at;
            }
            if event.amount.is_some() {
                assert_eq!(group.rows.len(), 1, "only what runs by itself gets another amount");
                group.amount = event.amount;
            }
        }
    }

    fn add_rejected(&self, state: &State, line: &Line<'_>) {
        let Outcome::Rejected(rejection) = line.movement.outcome else { panic!("a rejected row says why") };
        assert!(
            line.row.flags.has(Flags::OUTCOME) || line.row.flags.has(Flags::EXECUTION),
            "only requests are rejected"
        );
        let group = line.row.flags.has(Flags::EXECUTION) && line.event.main_movements().len() > 1;
        let alone = (line.event.batch != Batch::Atomic || line.event.is_run()) && line.movement.leg == 0 && !group;
        assert!(!alone || rejection != Rejection::BatchRejected, "what stands alone falls alone");
        if alone {
            let (row, movement) = (line.row, line.movement);
            let side = |handle: u32, text: Span| Side {
                handle: (handle != NO_BALANCE).then_some(handle),
                name: text.of(&line.event.text),
            };
            let want = Want {
                source: side(row.source, movement.source_text),
                destination: side(row.destination, movement.destination_text),
                amount: row.amount,
                precision: row.precision,
                currency: state.currencies.text(row.currency),
                overdraft: (movement.allow_overdraft, movement.terms().overdraft_limit),
                effective_at: movement.terms().effective_at,
                at: row.created_at,
            };
            assert_eq!(judge::refusal(self, state, line.mismatch, &want), Some(rejection), "it was to be refused");
        }
    }

    fn add_hold(&mut self, state: &State, line: &Line<'_>) {
        let (row, movement) = (line.row, line.movement);
        let overdraft = (movement.allow_overdraft, movement.terms().overdraft_limit);
        self.spend(state, line, row.amount, 1, overdraft);
        assert!(row.flags.has(Flags::INFLIGHT));
        let timers = timers_of(movement, row.number);
        self.timers.extend(&timers);
        let (source, destination, amount) = (row.source, row.destination, row.amount);
        self.holds.insert(row.number, OpenHold { source, destination, amount, committed: 0, overdraft, timers });
        self.hold(row, row.amount);
        self.count(row);
    }

    /// The open hold that a row belongs to.
    fn hold_of(&self, row: &Row) -> (u64, OpenHold) {
        let Parent::Row(number) = row.parent else { panic!("it belongs to its hold") };
        let hold = self.holds.get(&number).expect("after its end nothing happens to a hold").clone();
        assert_eq!((row.source, row.destination), (hold.source, hold.destination), "it has the sides of its hold");
        (number, hold)
    }

    /// A commit (a part of what is left, or more than it when the source can pay for the rest) or a void (all that is left)
    /// of a hold that is open.
    fn add_settlement(&mut self, state: &State, line: &Line<'_>, void: bool) {
        let row = line.row;
        let (number, mut hold) = self.hold_of(row);
        assert!(row.flags.has(Flags::SETTLEMENT));
        let remaining = hold.remaining();
        assert!(row.amount > 0 && remaining > 0);
        assert!(!void || row.amount == remaining, "a void releases all that is left");
        if row.amount > remaining {
            self.spend(state, line, row.amount - remaining, 0, hold.overdraft);
        }
        if row.amount >= remaining {
            self.holds.remove(&number);
            assert!(hold.timers.iter().all(|timer| self.timers.remove(timer)), "an open hold had its timers");
            self.ended.insert(number, void);
        } else {
            hold.committed += row.amount;
            self.holds.insert(number, hold);
        }
        self.hold(row, -row.amount.min(remaining));
        if !void {
            self.post(row, row.amount);
        } else {
            self.count(row);
        }
    }

    /// What follows in the lineage is posted, held, or settled; no check of funds or policies is made for it.
    fn add_lineage(&mut self, line: &Line<'_>) {
        let (row, settles) = (line.row, line.row.flags.has(Flags::SETTLEMENT));
        assert!(row.amount > 0 && row.source != row.destination);
        match row.status {
            Status::Inflight => self.hold(row, row.amount),
            _ if settles => self.hold(row, -row.amount),
            _ => assert_eq!(row.status, Status::Applied),
        }
        if row.status == Status::Applied {
            self.post(row, row.amount);
        } else {
            self.count(row);
        }
    }

    /// A hold is raised (the more is judged as a new hold would be) or lowered, or its dates change.
    fn add_change(&mut self, state: &State, line: &Line<'_>) {
        let row = line.row;
        let (number, mut hold) = self.hold_of(row);
        assert_eq!(line.movement.kind, Kind::Change { hold: number });
        let by = match row.status {
            Status::Inflight => row.amount,
            Status::Void => -row.amount,
            status => panic!("a hold is raised or lowered, not {status:?}"),
        };
        assert!(row.amount >= 0 && (by > 0 || row.amount == 0 || row.status == Status::Void));
        if by > 0 {
            self.spend(state, line, by, 0, hold.overdraft);
        }
        hold.amount += by;
        assert!(hold.remaining() > 0, "something is left of it");
        assert!(hold.timers.iter().all(|timer| self.timers.remove(timer)), "an open hold had its timers");
        hold.timers = timers_of(line.movement, number);
        self.timers.extend(&hold.timers);
        self.holds.insert(number, hold);
        self.hold(row, by);
        self.count(row);
    }

    fn add_refund(&mut self, line: &Line<'_>) {
        let row = line.row;
        let request = |parent: Parent| match parent {
            Parent::Row(number) => &line.rows[number as usize],
            _ => panic!("a refund belongs to what it gives back"),
        };
        let first = request(row.parent);
        let original = if row.flags.has(Flags::OUTCOME) { request(first.parent) } else { first };
        assert_eq!(line.movement.kind, Kind::Refund(original.number));
        assert_eq!((row.source, row.destination), (original.destination, original.source), "a refund goes back");
        assert_eq!((row.precision, row.currency), (original.precision, original.currency));
        let expected = if original.status == Status::Void { Status::Inflight } else { Status::Applied };
        assert_eq!(row.status, expected, "what was voided is held the other way, what was posted is posted");
        assert!(matches!(original.status, Status::Applied | Status::Void));
        assert!(original.status == Status::Applied || original.flags.has(Flags::SETTLEMENT), "it once was held");
        let parts = self.refunds.entry(original.number).or_default();
        parts.push(row.amount);
        assert!(row.amount > 0 && parts.iter().sum::<i128>() <= original.amount, "no more is given back than was");
        let number = if parts.len() == 1 { String::new() } else { format!("_{}", parts.len()) };
        let reference = format!("{}_refund{number}", original.id().text(Prefix::Transaction));
        assert_eq!(line.movement.reference.of(&line.event.text), reference, "each part has a reference of its own");
    }

    /// Whether the source could pay what is newly posted or held, and both sides were allowed to move it, judged by the rows
    /// before.
    fn spend(&mut self, state: &State, line: &Line<'_>, amount: i128, transactions: u64, overdraft: (bool, i128)) {
        let row = line.row;
        assert!(amount > 0 && row.source != row.destination, "money moves from one balance to another");
        let own = matches!(line.movement.kind, Kind::Posting | Kind::Execution(_));
        if own && line.mismatch == Mismatch::Refuse {
            let currency = |handle: u32| state.balance(handle).currency;
            assert_eq!((currency(row.source), currency(row.destination)), (row.currency, row.currency));
        }
        let registered = self.registered.get(state.currencies.text(row.currency));
        assert!(!own || registered.is_none_or(|precision| *precision == row.precision), "a precision is registered");
        let available = self.sums[row.source as usize].figures.available();
        let (source, destination) = (row.source, row.destination);
        let spending = Spending { source, destination, amount, transactions, at: row.created_at, available };
        assert_eq!(self.police.refusal(&spending), None, "policies are kept");
        let (allowed, limit) = overdraft;
        let left = available - amount;
        let lent = self.police.lends(source) || allowed && limit == 0;
        assert!(lent || left >= 0 || left >= -limit, "the source can pay: {left} would be left");
        self.police.count(&spending);
    }

    fn post(&mut self, row: &Row, amount: i128) {
        self.sums[row.source as usize].figures.posted.debit += amount;
        self.sums[row.destination as usize].figures.posted.credit += amount;
        self.count(row);
    }

    fn hold(&mut self, row: &Row, amount: i128) {
        self.sums[row.source as usize].figures.held.debit += amount;
        self.sums[row.destination as usize].figures.held.credit += amount;
    }

    fn count(&mut self, row: &Row) {
        self.sums[row.source as usize].executed += 1;
        self.sums[row.destination as usize].executed += 1;
    }

    /// The figures after a row are the sums up to it; its links go to the row before, and to the position with the lowest
    /// bit cleared.
    fn add_to_histories(&mut self, row: &Row) {
        let source = (row.source, row.source_after, row.source_links);
        let destination = (row.destination, row.destination_after, row.destination_links);
        let once = row.source == row.destination;
        assert!(!once || source == destination, "a row that names one balance twice stands in its history once");
        for (handle, after, links) in [source, destination].into_iter().skip(usize::from(once)) {
            let Some(sums) = self.sums.get_mut(handle as usize) else {
                assert_eq!(
                    (handle, after, links),
                    (NO_BALANCE, Posted::default(), Links::NONE),
                    "nothing has no history"
                );
                continue;
            };
            assert_eq!(after, sums.figures.posted, "a row tells the figures after it");
            sums.rows.push(row.number);
            let position = sums.rows.len();
            let at = |position: usize| position.checked_sub(1).map_or(NO_ROW, |index| sums.rows[index]);
            let expected = Links { previous: at(position - 1), skip: at(position & (position - 1)) };
            assert_eq!(links, expected, "links of position {position}");
        }
    }

    fn compare(&mut self, state: &State, mismatch: Mismatch) {
        assert_eq!(state.rows_count as usize, self.rows_count);
        let mut totals = vec![(0i128, 0i128); state.currencies.len()];
        for (handle, (balance, sums)) in state.balances.iter().zip(&self.sums).enumerate() {
            let figures = balance.figures;
            assert_eq!(figures, sums.figures, "the figures of a balance are the sums of its rows");
            assert!(figures.held.debit >= 0 && figures.held.credit >= 0, "nothing is held below zero");
            let before = self.before.get(handle).copied().unwrap_or_default();
            assert!(figures.posted.debit >= before.posted.debit && figures.posted.credit >= before.posted.credit);
            assert_eq!(figures.balance() - figures.held.debit, figures.available(), "held debits cannot be spent");
            assert_eq!(balance.version, 1 + sums.executed, "a version counts what was executed");
            assert_eq!(balance.history.count as usize, sums.rows.len());
            assert_eq!(balance.history.newest(), sums.rows.last().copied().unwrap_or(NO_ROW));
            assert_eq!(
                state.find_balance(balance.id(handle as u32)),
                Some(handle as u32),
                "an id leads to its balance"
            );
            let total = &mut totals[balance.currency as usize];
            *total = (total.0.wrapping_add(figures.balance()), total.1.wrapping_add(figures.inflight()));
        }
        if mismatch == Mismatch::Refuse {
            assert!(totals.iter().all(|total| *total == (0, 0)), "money is moved, never made: {totals:?}");
        }
        let sum = totals.iter().fold((0i128, 0i128), |sum, one| (sum.0.wrapping_add(one.0), sum.1.wrapping_add(one.1)));
        assert_eq!(sum, (0, 0), "what leaves one balance reaches another");
        self.before = state.balances.iter().map(|balance| balance.figures).collect();
        assert_eq!(state.holds.len(), self.holds.len(), "the open holds are those that rows leave open");
        for (row, open) in &self.holds {
            let hold = state.holds.get(row).expect("a hold with something left is open");
            assert_eq!((hold.source, hold.destination, hold.amount), (open.source, open.destination, open.amount));
            assert_eq!(hold.remaining, open.remaining(), "what is left is what was not committed");
        }
        assert_eq!(state.scheduled.len(), self.waiting.len(), "what waits has not run");
        for (first, group) in &self.waiting {
            assert_eq!(state.scheduled.get(first), Some(&group.due_at), "what waits knows its time");
            assert_eq!(state.adjusted.get(first), group.amount.as_ref(), "what waits knows its amount");
        }
        let adjusted = self.waiting.values().filter(|group| group.amount.is_some());
        assert_eq!(state.adjusted.len(), adjusted.count(), "nothing is left of an amount that was changed");
        self.police.compare(state);
        self.origins.compare(state);
        let registered = state.currencies.all_registered();
        let known = registered.map(|(number, one)| (state.currencies.text(number).to_owned(), one.precision));
        assert_eq!(known.collect::<BTreeMap<_, _>>(), self.registered, "currencies are registered as they were told");
        assert!(state.timers.iter().eq(self.timers.iter().copied()), "timers are those of what is open and waits");
    }
}

/// What ends a hold by itself, by the dates of a movement.
fn timers_of(movement: &Movement, row: u64) -> Vec<Timer> {
    let commit = movement.terms().commits_at.map(|at| (at, row, Due::Commit));
    let expire = movement.terms().expires_at.map(|at| (at, row, Due::Expire));
    commit.into_iter().chain(expire).collect()
}

/// An event leaves nothing behind but what its movements name, and its movements name every balance that is there: one
/// that existed before the event, or that an earlier item opened.
fn check_names(state: &State, event: &Recorded, balances_before: usize) {
    let names = |movement: &Movement, handle: u32| movement.source == handle || movement.destination == handle;
    for index in 0..event.opened.len() {
        let handle = (balances_before + index) as u32;
        assert!(event.movements.iter().any(|movement| names(movement, handle)), "what is opened is used");
    }
    for currency in &event.currencies {
        let number = state.currencies.find(currency.of(&event.text));
        assert!(event.movements.iter().any(|one| Some(one.currency) == number), "a new currency is used");
    }
    for (index, movement) in event.movements.iter().enumerate() {
        let sides = [(movement.source, movement.source_text), (movement.destination, movement.destination_text)];
        for (_, text) in sides.into_iter().filter(|(handle, _)| *handle == NO_BALANCE) {
            let Some(handle) = state.find_indicator(text.of(&event.text), movement.currency) else { continue };
            let earlier = event.movements[..index].iter().any(|one| one.item != movement.item && names(one, handle));
            assert!(handle as usize >= balances_before && !earlier, "a balance that is there is named by its handle");
        }
    }
}

/// The legs of an item stand or fall together, and so do the items of an atomic batch, and requests that run together.
fn check_fates(event: &Recorded) {
    let rejected = |movement: &Movement| matches!(movement.outcome, Outcome::Rejected(_));
    let runs = |movement: &Movement| matches!(movement.kind, Kind::Execution(_));
    let together = |one: &Movement, next: &Movement| {
        event.batch == Batch::Atomic || one.item == next.item || runs(one) && runs(next)
    };
    for movements in event.main_movements().chunk_by(together) {
        assert!(
            movements.iter().all(|one| rejected(one) == rejected(&movements[0])),
            "all fall, or none: {movements:?}"
        );
    }
}

/// What the rows of an event belong to, worked out from the movements alone.
fn check_parents(event: &Recorded, rows: &[Row]) {
    let mut legs: BTreeMap<u32, u64> = BTreeMap::new();
    let mut rows = rows.iter();
    for movement in &event.movements {
        let row = rows.next().expect("each movement makes a row");
        let expected = match movement.kind {
            Kind::Posting if movement.leg > 0 => Parent::Split(*legs.entry(movement.item).or_insert(row.number)),
            Kind::Posting if event.batch != Batch::Single => Parent::Batch(event.first_row),
            Kind::Posting => Parent::None,
            Kind::Execution(of) | Kind::Refund(of) => Parent::Row(of),
            Kind::Settlement { hold, .. } | Kind::Release { hold, .. } | Kind::Change { hold } => Parent::Row(hold),
            Kind::Lineage { .. } => Parent::None,
            Kind::LineageSettlement { hold, .. } => Parent::Row(hold),
        };
        assert_eq!(row.parent, expected, "a row belongs to what it came with");
        if let Parent::Split(leg) = expected {
            assert_eq!(split_id(event.at, event.seed, leg).row(), leg, "the id of a split leads to its first leg");
        }
        if let Parent::Batch(first) = expected {
            assert_eq!(
                batch_id(event.at, event.seed, first).row(),
                event.first_row,
                "the id of a batch leads to its first row"
            );
        }
        if !movement.queued || movement.outcome == Outcome::Scheduled {
            assert!(!row.flags.has(Flags::OUTCOME), "what was not queued is no outcome");
            continue;
        }
        let outcome = rows.next().expect("a queued movement makes two rows");
        assert_eq!((row.status, outcome.parent), (Status::Queued, Parent::Row(row.number)), "request, then outcome");
        assert!(outcome.flags.has(Flags::OUTCOME) && !row.flags.has(Flags::OUTCOME));
        assert_eq!(outcome.number, row.number + 1);
    }
}
