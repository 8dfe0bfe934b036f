//! Checks the books after every event, from the rows alone: whatever a balance, a hold, a timer or a link says must follow
//! from what the rows say. Written without looking at `apply`, from section 13 of the specification of transactions.

use ledger::command::{Batch, Mismatch};
use ledger::event::{Event, Kind, Movement, NO_BALANCE, Outcome, Recorded, batch_id, split_id};
use ledger::id::{Id, Prefix};
use ledger::rejection::Rejection;
use ledger::row::{Flags, Links, NO_ROW, Parent, Posted, Row, Status};
use ledger::state::{Figures, State};
use ledger::timers::{Due, Timer};
use std::collections::{BTreeMap, BTreeSet};

/// What the rows add up to.
#[derive(Default)]
pub struct Auditor {
    /// By handle of the balance.
    pub sums: Vec<Sums>,
    /// Holds with something left, by row.
    pub holds: BTreeMap<u64, OpenHold>,
    /// Holds that ended, and whether by a void.
    pub ended: BTreeMap<u64, bool>,
    /// Rows that were given back.
    pub refunded: BTreeSet<u64>,
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
    pub amount: i128,
    pub committed: i128,
    timers: Vec<Timer>,
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
            let Event::Recorded(event) = event else { continue };
            assert_eq!(event.first_row as usize, self.rows_count, "an event begins where the rows end");
            let new = &rows[self.rows_count..];
            assert_eq!(event.rows_count() as usize, new.len(), "an event makes the rows it says");
            check_parents(event, new);
            check_names(state, event, self.before.len());
            check_fates(event);
            for row in new {
                assert_eq!(row.record as usize, record, "a row knows its record");
                let movement = &event.movements[row.movement as usize];
                self.add(state, &Line { rows, row, event, movement, mismatch });
            }
        }
        self.events_count = events.len();
        self.rows_count = rows.len();
        self.compare(state, mismatch);
    }

    fn add(&mut self, state: &State, line: &Line<'_>) {
        let Line { row, movement, .. } = line;
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
            Status::Scheduled => self.add_scheduled(line),
            Status::Rejected => self.add_rejected(line),
            Status::Inflight => self.add_hold(state, line),
            Status::Applied if row.flags.has(Flags::SETTLEMENT) => self.add_settlement(line, false),
            Status::Void => self.add_settlement(line, true),
            Status::Applied => {
                self.check_funds(state, line);
                self.post(row, row.amount);
            }
        }
        if row.flags.has(Flags::REFUND) && row.status != Status::Queued {
            self.add_refund(line);
        }
        if let (true, Some(due)) = (row.flags.has(Flags::EXECUTION), movement.terms().scheduled_at) {
            let Parent::Row(request) = row.parent else { panic!("an execution belongs to its request") };
            assert!(self.timers.remove(&(due, request, Due::Execute)), "a scheduled request runs once");
        }
        self.add_to_histories(row);
    }

    fn add_scheduled(&mut self, line: &Line<'_>) {
        assert!(line.movement.queued && line.movement.outcome == Outcome::Scheduled);
        let due = line.movement.terms().scheduled_at.expect("what waits has a time");
        self.timers.insert((due, line.row.number, Due::Execute));
    }

    fn add_rejected(&self, line: &Line<'_>) {
        let Outcome::Rejected(rejection) = line.movement.outcome else { panic!("a rejected row says why") };
        assert!(
            line.row.flags.has(Flags::OUTCOME) || line.row.flags.has(Flags::EXECUTION),
            "only requests are rejected"
        );
        let alone = line.event.batch != Batch::Atomic && line.movement.leg == 0;
        assert!(!alone || rejection != Rejection::BatchRejected, "what stands alone falls alone");
        let available = self.sums.get(line.row.source as usize).map_or(0, |sums| sums.figures.available());
        if alone && rejection == Rejection::InsufficientFunds {
            assert!(available < line.row.amount && line.movement.terms().overdraft_limit <= 0, "funds were short");
        }
        if alone && rejection == Rejection::OverdraftExceeded {
            assert!(available - line.row.amount < -line.movement.terms().overdraft_limit, "the limit was passed");
        }
    }

    fn add_hold(&mut self, state: &State, line: &Line<'_>) {
        let (row, movement) = (line.row, line.movement);
        self.check_funds(state, line);
        assert!(row.flags.has(Flags::INFLIGHT));
        let commit = movement.terms().commits_at.map(|at| (at, row.number, Due::Commit));
        let expire = movement.terms().expires_at.map(|at| (at, row.number, Due::Expire));
        let timers: Vec<Timer> = commit.into_iter().chain(expire).collect();
        self.timers.extend(&timers);
        let (source, destination, amount) = (row.source, row.destination, row.amount);
        self.holds.insert(row.number, OpenHold { source, destination, amount, committed: 0, timers });
        self.hold(row, row.amount);
    }

    /// A commit (a part of what is left) or a void (all that is left) of a hold that is open.
    fn add_settlement(&mut self, line: &Line<'_>, void: bool) {
        let row = line.row;
        let Parent::Row(number) = row.parent else { panic!("a settlement belongs to its hold") };
        let hold = self.holds.get_mut(&number).expect("after its end nothing happens to a hold");
        assert!(row.flags.has(Flags::SETTLEMENT));
        assert_eq!(
            (row.source, row.destination),
            (hold.source, hold.destination),
            "a settlement has the sides of its hold"
        );
        let remaining = hold.amount - hold.committed;
        assert!(row.amount > 0 && row.amount <= remaining, "no more than is left is settled");
        assert!(!void || row.amount == remaining, "a void releases all that is left");
        if void || row.amount == remaining {
            let hold = self.holds.remove(&number).expect("it was just there");
            assert!(hold.timers.iter().all(|timer| self.timers.remove(timer)), "an open hold had its timers");
            self.ended.insert(number, void);
        } else {
            hold.committed += row.amount;
        }
        self.hold(row, -row.amount);
        if !void {
            self.post(row, row.amount);
        }
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
        assert_eq!((row.amount, row.currency), (original.amount, original.currency), "a refund gives back all");
        let expected = if original.status == Status::Void { Status::Inflight } else { Status::Applied };
        assert_eq!(row.status, expected, "what was voided is held the other way, what was posted is posted");
        assert!(matches!(original.status, Status::Applied | Status::Void));
        assert!(self.refunded.insert(original.number), "each original is given back at most once");
    }

    /// Whether the source of a posting or hold could pay, judged by the rows before it. A refund always can.
    fn check_funds(&self, state: &State, line: &Line<'_>) {
        let (row, movement) = (line.row, line.movement);
        assert!(row.amount > 0 && row.source != row.destination, "money moves from one balance to another");
        if line.mismatch == Mismatch::Refuse {
            let currency = |handle: u32| state.balance(handle).currency;
            assert_eq!((currency(row.source), currency(row.destination)), (row.currency, row.currency));
        }
        let unlimited = movement.allow_overdraft && movement.terms().overdraft_limit == 0;
        let left = self.sums[row.source as usize].figures.available() - row.amount;
        assert!(
            unlimited || left >= 0 || left >= -movement.terms().overdraft_limit,
            "the source can pay: {left} would be left"
        );
    }

    fn post(&mut self, row: &Row, amount: i128) {
        self.sums[row.source as usize].figures.posted.debit += amount;
        self.sums[row.destination as usize].figures.posted.credit += amount;
        self.count(row);
    }

    fn hold(&mut self, row: &Row, amount: i128) {
        self.sums[row.source as usize].figures.held.debit += amount;
        self.sums[row.destination as usize].figures.held.credit += amount;
        if amount > 0 || row.status == Status::Void {
            self.count(row);
        }
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
            assert_eq!(hold.remaining, open.amount - open.committed, "what is left is what was not committed");
        }
        assert!(state.timers.iter().eq(self.timers.iter().copied()), "timers are those of what is open and waits");
    }
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

/// The legs of an item stand or fall together, and so do the items of an atomic batch.
fn check_fates(event: &Recorded) {
    let rejected = |movement: &Movement| matches!(movement.outcome, Outcome::Rejected(_));
    let together = |one: &Movement, next: &Movement| event.batch == Batch::Atomic || one.item == next.item;
    for movements in event.movements.chunk_by(together) {
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
            Kind::Settlement { hold, .. } | Kind::Release { hold, .. } => Parent::Row(hold),
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
