//! The effect of an event: the same function on the live path and on replay. It decides nothing and cannot fail.
//!
//! An event that contradicts the state is damage or a bug, and stops the program: a wrong ledger must not go on.

use crate::accounts::Account;
use crate::draft::Side;
use crate::event::{
    AccountCreated, BalanceCreated, Event, IdentityCreated, Kind, LedgerCreated, MetadataChanged, Movement, NO_BALANCE,
    Outcome, PolicySet, Recorded, Rescheduled,
};
use crate::id::{self, NonceOf};
use crate::lineage::{Fund, HeldPart, Purse};
use crate::notes::Noted;
use crate::policy::Policed;
use crate::row::{Flags, Links, Parent, Posted, Row, Status};
use crate::state::{Balance, Figures, GENERAL_LEDGER, History, Hold, Identity, Ledger, NO_RECORD, Registered, State};
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
        Event::Rescheduled(event) => reschedule(state, event),
        Event::BatchFailed(_) => {}
        Event::CurrencyRegistered(event) => {
            let registered = Registered { precision: event.precision, name: event.name.as_str().into(), at: event.at };
            Arc::make_mut(&mut state.currencies).register(&event.code, registered);
        }
        Event::PolicySet(event) => set_policy(state, event),
        Event::MetadataChanged(event) => change_metadata(state, event, record),
        Event::BalanceLinked(event) => {
            state.set_owner(event.balance, Some(event.identity));
            if state.balance(event.balance).track_fund_lineage {
                state.set_lineage_label(event.balance, &event.lineage_label);
            }
        }
        Event::BalanceNamed(event) => state.set_alias(event.balance, &event.alias),
        Event::AccountCreated(event) => create_account(state, event, record),
        Event::MonitorSet(event) => {
            assert_eq!(event.first_row, state.rows_count, "a monitor counts from the next row on");
            assert!((event.balance as usize) < state.balances.len(), "an event names balances that exist");
            state.monitors.set(event, record);
        }
        Event::MonitorDeleted(event) => {
            assert_eq!(event.first_row, state.rows_count, "a monitor counts up to the last row");
            state.monitors.delete(event, record);
        }
        Event::IdentityChanged(event) => {
            let identity = state.identity_mut(event.identity);
            identity.detail = record;
            // One that was recorded in plain text gets its key now.
            identity.key = event.detail.key().or(identity.key);
        }
        Event::IdentityDeleted(event) => state.remove_identity(event.identity),
        Event::IdentityRevealed(event) => {
            let identity = state.identity_mut(event.identity);
            assert_eq!(identity.revealed, event.previous, "an event names the reveal before it");
            identity.revealed = record;
        }
        Event::LedgerClosed(event) => {
            assert!((event.ledger as usize) < state.ledgers.len(), "an event closes books of ledgers that exist");
            assert!(event.until <= event.at, "books are closed up to a moment that has passed");
            state.closings.close(event, record);
        }
        Event::ClosingTotalled(event) => state.closings.total(event, record),
        Event::BalanceAsserted(event) => {
            assert!((event.balance as usize) < state.balances.len(), "an event names balances that exist");
            state.assertions.add(event, record);
        }
        Event::AssertionDeleted(event) => state.assertions.delete(event),
        Event::KeyKept(_) => {}
    }
}

fn reschedule(state: &mut State, event: &Rescheduled) {
    for &group in &event.groups {
        let due = state.scheduled.get_mut(&group).expect("an event moves requests that wait");
        if let Some(later) = event.due_at {
            state.timers.remove((*due, group, Due::Execute));
            state.timers.insert((later, group, Due::Execute));
            *due = later;
        }
        if let Some(amount) = event.amount {
            state.adjusted.insert(group, amount);
        }
    }
}

fn change_metadata(state: &mut State, event: &MetadataChanged, record: u64) {
    assert_eq!(event.first_row, state.rows_count, "events follow each other without a gap");
    assert_eq!(event.earlier, state.newest_note(event.subject), "changes of metadata lead back to each other");
    let bytes = event.metadata.len() as u64;
    match state.notes.get_mut(&event.subject.pack()) {
        Some(noted) => *noted = Noted { record, count: noted.count.saturating_add(1), bytes: noted.bytes + bytes },
        None => drop(state.notes.insert(event.subject.pack(), Noted { record, count: 1, bytes })),
    }
}

fn set_policy(state: &mut State, event: &PolicySet) {
    let balance = state.balances.get_mut(event.balance as usize).expect("an event names balances that exist");
    balance.policed = event.policy.is_some();
    let before = state.policies.remove(&event.balance);
    if let Some(policy) = &event.policy {
        state.policies.insert(event.balance, Policed::begin(policy.clone(), before.as_ref()));
    }
}

fn create_account(state: &mut State, event: &AccountCreated, record: u64) {
    let nonce = id::nonce(event.seed, NonceOf::Row(state.accounts.len() as u64));
    let (balance, identity, number) = (event.balance, event.identity, event.number.as_str().into());
    state.use_identity(identity);
    state.accounts.add(Account { nonce, created_at: event.at, record, balance, identity, number });
}

fn create_ledger(state: &mut State, event: &LedgerCreated, record: u64) {
    let nonce = id::nonce(event.seed, NonceOf::Row(state.ledgers.len() as u64));
    state.ledgers.push(Ledger { nonce, created_at: event.at, record, renamed: NO_RECORD });
}

fn create_identity(state: &mut State, event: &IdentityCreated, record: u64) {
    let nonce = id::nonce(event.seed, NonceOf::Row(state.identities.len() as u64));
    let chosen = (!event.id.is_empty()).then(|| event.id.as_str().into());
    state.add_identity(Identity {
        nonce,
        created_at: event.at,
        record,
        chosen,
        detail: record,
        key: event.detail.key(),
        revealed: NO_RECORD,
        uses: 0,
        is_deleted: false,
    });
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
    let handle = state.add_balance(balance, &event.indicator);
    if !event.alias.is_empty() {
        state.set_alias(handle, &event.alias);
    }
    if event.track_fund_lineage {
        state.set_lineage_label(handle, &event.lineage_label);
    }
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
        policed: false,
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
    let has_lineage = event.has_lineage();
    let mut outcome_rows = Vec::new();
    for (index, movement) in event.movements.iter().enumerate() {
        if movement.leg <= 1 {
            first_leg = state.rows_count;
        }
        let index = u32::try_from(index).expect("an event has few movements");
        let place = Place { event, record, index, first_leg };
        apply_movement(state, &place, movement, rows);
        if has_lineage {
            outcome_rows.push(state.rows_count - 1);
            follow_lineage(state, event, movement, &outcome_rows);
        }
    }
    if event.movements.iter().any(|movement| movement.outcome == Outcome::Scheduled) {
        for group in event.waiting() {
            state.scheduled.insert(group.first_row(), group.due_at);
            state.timers.insert((group.due_at, group.first_row(), Due::Execute));
        }
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
        Kind::Settlement { hold, .. }
        | Kind::Release { hold, .. }
        | Kind::Change { hold }
        | Kind::LineageSettlement { hold, .. } => Parent::Row(hold),
        Kind::Lineage { .. } => Parent::None,
    };
    if movement.outcome == Outcome::Scheduled {
        add_row(state, place, movement, Status::Scheduled, parent, Flags::default(), rows);
        return;
    }
    let mut parent = parent;
    let mut flags = Flags::default();
    if movement.queued {
        let request = add_row(state, place, movement, Status::Queued, parent, Flags::default(), rows);
        parent = Parent::Row(request);
        flags = Flags::OUTCOME;
    }
    if let Kind::Execution(request) = movement.kind
        && let Some(due) = state.scheduled.remove(&request)
    {
        // The first of its group; the others have no timer of their own.
        state.timers.remove((due, request, Due::Execute));
        state.adjusted.remove(&request);
    }
    move_money(state, movement, place.event.at);
    let status = match movement.outcome {
        Outcome::Applied => Status::Applied,
        Outcome::Held => Status::Inflight,
        Outcome::Voided => Status::Void,
        Outcome::Rejected(_) => Status::Rejected,
        Outcome::Scheduled => unreachable!("handled above"),
    };
    let row = add_row(state, place, movement, status, parent, flags, rows);
    match movement.kind {
        Kind::Change { hold } => change_hold(state, movement, hold),
        Kind::Lineage { .. } | Kind::LineageSettlement { .. } => {}
        _ if movement.outcome == Outcome::Held => open_hold(state, movement, row),
        _ => {}
    }
}

/// What a movement does to the figures of its two balances.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Change {
    /// What is posted, minor units: the debits of the source and the credits of the destination grow by it.
    pub posted: i128,
    /// What is held, minor units; below zero when it is no longer held.
    pub held: i128,
}

/// What a movement does to figures. `open` is what is open of the hold that it names, if it names one.
pub fn change_of(movement: &Movement, open: i128) -> Option<Change> {
    let amount = movement.amount;
    let (posted, held) = match (movement.kind, movement.outcome) {
        (_, Outcome::Rejected(_) | Outcome::Scheduled) => return None,
        (Kind::Settlement { .. }, _) => (amount, -amount.min(open)),
        (Kind::Release { .. }, _) | (Kind::Change { .. }, Outcome::Voided) => (0, -amount),
        (Kind::Execution(_), Outcome::Voided) => return None,
        (Kind::LineageSettlement { .. }, Outcome::Applied) => (amount, -amount),
        (Kind::LineageSettlement { .. }, _) => (0, -amount),
        (_, Outcome::Held) => (0, amount),
        (_, Outcome::Applied | Outcome::Voided) => (amount, 0),
    };
    Some(Change { posted, held })
}

impl Figures {
    /// Does a change to the figures of one side.
    pub(crate) fn change(&mut self, side: Side, change: Change) {
        *side.of(&mut self.posted) += change.posted;
        let held = side.of(&mut self.held);
        *held += change.held;
        assert!(*held >= 0, "a hold never ends for more than is held");
    }
}

/// Changes the figures of both sides, and the hold that a settlement or release names.
fn move_money(state: &mut State, movement: &Movement, at: i64) {
    let ends = match movement.kind {
        Kind::Settlement { hold, .. } | Kind::Release { hold, .. } => Some(hold),
        _ => None,
    };
    let open = ends.map_or(0, |hold| state.holds.get(&hold).expect("an event ends holds that are open").remaining);
    let Some(change) = change_of(movement, open) else { return };
    if let Some(hold) = ends {
        take_from_hold(state, hold, -change.held);
    }
    let newly = spending(movement, change);
    for (side, handle) in [(Side::Source, movement.source), (Side::Destination, movement.destination)] {
        let balance = state.balances.get_mut(handle as usize).expect("an event moves money of balances that exist");
        balance.figures.change(side, change);
        balance.version += 1;
        if let (true, Some((amount, transactions))) = (balance.policed, newly) {
            let policed = state.policies.get_mut(&handle).expect("a policed balance has a policy");
            policed.count(side == Side::Source, amount, transactions, at);
        }
    }
}

/// What a movement newly takes: how much, and whether it is a transaction of its own. Settling what was held takes nothing
/// new, but for what goes beyond it.
pub(crate) fn spending(movement: &Movement, change: Change) -> Option<(i128, u64)> {
    match movement.kind {
        Kind::Posting | Kind::Execution(_) | Kind::Refund(_) => Some((movement.amount, 1)),
        Kind::Settlement { .. } | Kind::Change { .. } => {
            Some((change.posted + change.held, 0)).filter(|(amount, _)| *amount > 0)
        }
        Kind::Release { .. } | Kind::Lineage { .. } | Kind::LineageSettlement { .. } => None,
    }
}

/// Takes a lineage movement into the funds of its tracked balance. The rows are those of the movements so far.
fn follow_lineage(state: &mut State, event: &Recorded, movement: &Movement, rows: &[u64]) {
    let Some((role, of)) = movement.kind.lineage() else { return };
    let (main, row) = (&event.movements[of as usize], rows[rows.len() - 1]);
    let handle = role.balance_of(main);
    let amount = movement.amount;
    let main_hold = match main.kind {
        Kind::Settlement { hold, .. } | Kind::Release { hold, .. } | Kind::Change { hold } => hold,
        _ => rows[of as usize],
    };
    let tracked = state.tracked.get_mut(&handle).expect("lineage follows from movements of tracked balances");
    let provider = movement.terms().provider.of(&event.text);
    let fund = tracked.funds.iter().position(|fund| &*fund.provider == provider).unwrap_or_else(|| {
        let (shadow, aggregate) = role.balances_of(movement);
        let purse = Purse::default();
        tracked.funds.push(Fund { provider: provider.into(), shadow, aggregate, since: event.at, purse });
        tracked.funds.len() - 1
    });
    let purse = &mut tracked.funds[fund].purse;
    match movement.kind {
        Kind::LineageSettlement { hold, .. } => {
            purse.settle(role, amount, movement.outcome == Outcome::Applied);
            let parts = state.held_parts.get_mut(&main_hold).expect("lineage settles what a hold has of a provider");
            let index = parts.iter().position(|part| part.row == hold).expect("it settles a part of the hold");
            parts[index].remaining -= amount;
            assert!(parts[index].remaining >= 0 && amount > 0, "no more is settled than was held");
            if parts[index].remaining == 0 {
                parts.remove(index);
            }
            if parts.is_empty() {
                state.held_parts.remove(&main_hold);
            }
        }
        _ if movement.outcome == Outcome::Held => {
            purse.hold(role, amount);
            let fund = u32::try_from(fund).expect("a balance has few providers");
            let part = HeldPart { row, role, balance: handle, fund, remaining: amount };
            match state.held_parts.get_mut(&main_hold) {
                Some(parts) => parts.push(part),
                None => drop(state.held_parts.insert(main_hold, vec![part])),
            }
        }
        _ => purse.post(role, amount),
    }
}

/// Raises or lowers a hold by what was moved, and gives it the dates of the movement.
fn change_hold(state: &mut State, movement: &Movement, row: u64) {
    let hold = state.holds.get(&row).expect("an event changes holds that are open");
    for timer in timers_of(hold, row) {
        state.timers.remove(timer);
    }
    let hold = state.holds.get_mut(&row).expect("it was just there");
    let by = if movement.outcome == Outcome::Held { movement.amount } else { -movement.amount };
    hold.amount += by;
    hold.remaining += by;
    assert!(hold.remaining > 0, "a change leaves something of a hold");
    (hold.expires_at, hold.commits_at) = (movement.terms().expires_at, movement.terms().commits_at);
    for timer in timers_of(hold, row) {
        state.timers.insert(timer);
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

fn timers_of(hold: &Hold, row: u64) -> impl Iterator<Item = crate::timers::Timer> + use<> {
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
        .with(Flags::SETTLEMENT.when(matches!(
            movement.kind,
            Kind::Settlement { .. } | Kind::Release { .. } | Kind::LineageSettlement { .. }
        )))
        .with(Flags::LINEAGE.when(movement.kind.lineage().is_some()))
        .with(Flags::CHANGE.when(matches!(movement.kind, Kind::Change { .. })));
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
