//! The effect of an event: the same function on the live path and on replay. It decides nothing and cannot fail.
//!
//! An event that contradicts the state is damage or a bug, and stops the program: a wrong ledger must not go on.

use crate::draft::Side;
use crate::event::{
    BalanceCreated, Event, IdentityCreated, Kind, LedgerCreated, Movement, NO_BALANCE, Outcome, Recorded,
};
use crate::id::{self, NonceOf};
use crate::row::{Flags, Links, Parent, Posted, Row, Status};
use crate::state::{Balance, Figures, GENERAL_LEDGER, History, Hold, Identity, Ledger, NO_RECORD, State};
use crate::timers::Due;
use std::sync::Arc;

/// Adds an event to the state. `record` is where the event is written, for whoever reads it again; the rows that the event
/// makes are appended to `rows`.
pub fn apply(state: &mut State, event: &Event, record: u64, rows: &mut Vec<Row>) {
    assert!(event.at() >= state.latest_at, "time does not go back");
    state.latest_at = event.at();
    match event {
        Event::LedgerCreated(event) => create_ledger(state, event, record),
        Event::LedgerRenamed(event) => {
            let ledger = state.ledgers.get_mut(event.ledger as usize);
            ledger.expect("an event renames a ledger that exists").renamed = record;
        }
        Event::IdentityCreated(event) => create_identity(state, event, record),
        Event::BalanceCreated(event) => create_balance(state, event, record),
        Event::Recorded(event) => recorded(state, event, record, rows),
    }
}

fn create_ledger(state: &mut State, event: &LedgerCreated, record: u64) {
    let nonce = id::nonce(event.seed, NonceOf::Row(state.ledgers.len() as u64));
    state.ledgers.push(Ledger { nonce, created_at: event.at, record, renamed: NO_RECORD });
}

fn create_identity(state: &mut State, event: &IdentityCreated, record: u64) {
    let nonce = id::nonce(event.seed, NonceOf::Row(state.identities.len() as u64));
    let chosen = (!event.id.is_empty()).then(|| event.id.as_str().into());
    state.add_identity(Identity { nonce, created_at: event.at, record, chosen });
}

fn create_balance(state: &mut State, event: &BalanceCreated, record: u64) {
    let currency = Arc::make_mut(&mut state.currencies).add(&event.currency);
    let balance = Balance {
        ledger: event.ledger,
        identity: event.identity,
        track_fund_lineage: event.track_fund_lineage,
        allocation: event.allocation,
        ..new_balance(state, event.at, event.seed, currency, record, 0)
    };
    state.add_balance(balance, &event.indicator);
}

fn new_balance(state: &State, at: i64, seed: u64, currency: u32, record: u64, opened: u32) -> Balance {
    let handle = u32::try_from(state.balances.len()).expect("balances are limited");
    Balance {
        figures: Figures::default(),
        version: 1,
        currency,
        ledger: GENERAL_LEDGER,
        identity: None,
        nonce: id::nonce(seed, NonceOf::Balance(handle)),
        created_at: at,
        record,
        opened,
        track_fund_lineage: false,
        allocation: crate::command::Allocation::Fifo,
        dated: false,
        history: History::default(),
    }
}

fn recorded(state: &mut State, event: &Recorded, record: u64, rows: &mut Vec<Row>) {
    assert_eq!(event.first_row, state.rows_count, "events follow each other without a gap");
    for currency in &event.currencies {
        Arc::make_mut(&mut state.currencies).add(currency.of(&event.text));
    }
    for (index, opened) in event.opened.iter().enumerate() {
        let index = u32::try_from(index).expect("an event opens few balances");
        let balance = new_balance(state, event.at, event.seed, opened.currency, record, index);
        state.add_balance(balance, opened.indicator.of(&event.text));
    }
    let mut first_leg = event.first_row;
    for (index, movement) in event.movements.iter().enumerate() {
        if movement.leg <= 1 {
            first_leg = state.rows_count;
        }
        let index = u32::try_from(index).expect("an event has few movements");
        let place = Place { event, record, index, first_leg };
        apply_movement(state, &place, movement, rows);
    }
}

/// Where a movement stands.
struct Place<'a> {
    event: &'a Recorded,
    record: u64,
    index: u32,
    first_leg: u64,
}

fn apply_movement(state: &mut State, place: &Place<'_>, movement: &Movement, rows: &mut Vec<Row>) {
    let parent = match movement.kind {
        Kind::Posting if movement.leg > 0 => Parent::Split(place.first_leg),
        Kind::Posting if place.event.batch != crate::command::Batch::Single => Parent::Batch(place.event.first_row),
        Kind::Posting => Parent::None,
        Kind::Execution(row) | Kind::Refund(row) => Parent::Row(row),
        Kind::Settlement { hold, .. } | Kind::Release { hold, .. } => Parent::Row(hold),
    };
    if movement.outcome == Outcome::Scheduled {
        let request = add_row(state, place, movement, Status::Scheduled, parent, Flags::default(), rows);
        let due = movement.terms().scheduled_at.expect("what is scheduled has a time");
        state.timers.insert((due, request, Due::Execute));
        return;
    }
    let mut parent = parent;
    let mut flags = Flags::default();
    if movement.queued {
        let request = add_row(state, place, movement, Status::Queued, parent, Flags::default(), rows);
        parent = Parent::Row(request);
        flags = Flags::OUTCOME;
    }
    if let Kind::Execution(request) = movement.kind {
        let due = movement.terms().scheduled_at.expect("what is run was scheduled");
        state.timers.remove((due, request, Due::Execute));
    }
    move_money(state, movement);
    let status = match movement.outcome {
        Outcome::Applied => Status::Applied,
        Outcome::Held => Status::Inflight,
        Outcome::Voided => Status::Void,
        Outcome::Rejected(_) => Status::Rejected,
        Outcome::Scheduled => unreachable!("handled above"),
    };
    let row = add_row(state, place, movement, status, parent, flags, rows);
    if movement.outcome == Outcome::Held {
        open_hold(state, movement, row);
    }
}

/// Changes the figures of both sides, and the hold that a settlement or release names.
fn move_money(state: &mut State, movement: &Movement) {
    let amount = movement.amount;
    let change: fn(&mut Figures, Side, i128) = match (movement.kind, movement.outcome) {
        (_, Outcome::Rejected(_) | Outcome::Scheduled) => return,
        (Kind::Settlement { hold, .. }, _) => {
            take_from_hold(state, hold, amount);
            Figures::settle
        }
        (Kind::Release { hold, .. }, _) => {
            take_from_hold(state, hold, amount);
            Figures::release
        }
        (_, Outcome::Held) => Figures::hold,
        (_, Outcome::Applied | Outcome::Voided) => Figures::post,
    };
    for (side, handle) in [(Side::Source, movement.source), (Side::Destination, movement.destination)] {
        let balance = state.balances.get_mut(handle as usize).expect("an event moves money of balances that exist");
        change(&mut balance.figures, side, amount);
        balance.version += 1;
    }
}

fn open_hold(state: &mut State, movement: &Movement, row: u64) {
    let hold = Hold {
        source: movement.source,
        destination: movement.destination,
        currency: movement.currency,
        amount: movement.amount,
        remaining: movement.amount,
        expires_at: movement.terms().expires_at,
        commits_at: movement.terms().commits_at,
    };
    for timer in timers_of(&hold, row) {
        state.timers.insert(timer);
    }
    state.holds.insert(row, hold);
}

/// Takes an amount from what is left of a hold; a hold with nothing left is gone, its timers with it.
fn take_from_hold(state: &mut State, row: u64, amount: i128) {
    let hold = state.holds.get_mut(&row).expect("an event ends holds that are open");
    hold.remaining -= amount;
    assert!(hold.remaining >= 0 && amount > 0, "a hold never ends for more than is left");
    if hold.remaining > 0 {
        return;
    }
    let hold = state.holds.remove(&row).expect("it was just there");
    for timer in timers_of(&hold, row) {
        state.timers.remove(timer);
    }
}

fn timers_of(hold: &Hold, row: u64) -> impl Iterator<Item = crate::timers::Timer> {
    let commit = hold.commits_at.map(|at| (at, row, Due::Commit));
    let expire = hold.expires_at.map(|at| (at, row, Due::Expire));
    commit.into_iter().chain(expire)
}

/// Makes the next row; answers its number.
fn add_row(
    state: &mut State,
    place: &Place<'_>,
    movement: &Movement,
    status: Status,
    parent: Parent,
    flags: Flags,
    rows: &mut Vec<Row>,
) -> u64 {
    let number = state.rows_count;
    state.rows_count += 1;
    let flags = flags
        .with(Flags::INFLIGHT.when(movement.inflight))
        .with(Flags::EFFECTIVE.when(movement.terms().effective_at.is_some()))
        .with(Flags::REFUND.when(matches!(movement.kind, Kind::Refund(_))))
        .with(Flags::EXECUTION.when(matches!(movement.kind, Kind::Execution(_))))
        .with(Flags::SETTLEMENT.when(matches!(movement.kind, Kind::Settlement { .. } | Kind::Release { .. })));
    let dated = movement.terms().effective_at.is_some();
    let (source_after, source_links) = history(state, movement.source, number, dated);
    let (destination_after, destination_links) = if movement.source == movement.destination {
        (source_after, source_links)
    } else {
        history(state, movement.destination, number, dated)
    };
    rows.push(Row {
        number,
        nonce: id::nonce(place.event.seed, NonceOf::Row(number)),
        created_at: place.event.at,
        effective_at: movement.terms().effective_at.unwrap_or(place.event.at),
        record: place.record,
        movement: place.index,
        source: movement.source,
        destination: movement.destination,
        currency: movement.currency,
        amount: movement.amount,
        precision: movement.precision,
        parent,
        status,
        flags,
        source_after,
        destination_after,
        source_links,
        destination_links,
    });
    number
}

/// Adds a row to the history of a balance; answers the figures as they are now, and the links.
fn history(state: &mut State, handle: u32, row: u64, dated: bool) -> (Posted, Links) {
    if handle == NO_BALANCE {
        return (Posted::default(), Links::NONE);
    }
    let balance = state.balances.get_mut(handle as usize).expect("an event names balances that exist");
    balance.dated |= dated;
    (balance.figures.posted, balance.history.add(row))
}
