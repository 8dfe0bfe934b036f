//! Whether an event may follow a state: what `apply` asserts, told instead of asserted.
//!
//! `apply` stops the program at a contradiction, as a wrong ledger must not go on. A program that looks for contradictions
//! has to find them before.

mod closings;
mod lineage;
#[cfg(test)]
mod tests;

use ledger::event::{
    AccountCreated, BalanceCreated, BalanceLinked, BalanceNamed, CurrencyRegistered, Event, Kind, MetadataChanged,
    MonitorSet, Movement, NO_BALANCE, Outcome, PolicySet, Recorded, Rescheduled,
};
use ledger::limits;
use ledger::notes::Subject;
use ledger::row::Parent;
use ledger::state::{Identity, State};
use std::collections::{BTreeMap, BTreeSet};

/// Says what of an event contradicts the state that it follows.
pub fn check(state: &State, event: &Event) -> Result<(), String> {
    if event.at() < state.latest_at {
        return Err(format!("its time {} is before that of an earlier record, {}", event.at(), state.latest_at));
    }
    match event {
        Event::LedgerCreated(_) => Ok(()),
        Event::LedgerRenamed(event) if (event.ledger as usize) < state.ledgers.len() => Ok(()),
        Event::LedgerRenamed(event) => Err(format!("it renames ledger {}, which does not exist", event.ledger)),
        Event::IdentityCreated(event) if !event.id.is_empty() && state.find_identity(&event.id).is_some() => {
            Err(format!("it makes identity {} a second time", event.id))
        }
        Event::IdentityCreated(_) => Ok(()),
        Event::BalanceCreated(event) => check_balance(state, event),
        Event::Recorded(event) => check_recorded(state, event),
        Event::Rescheduled(event) => check_rescheduled(state, event),
        Event::BatchFailed(_) => Ok(()),
        Event::CurrencyRegistered(event) => check_registered(state, event),
        Event::PolicySet(event) => check_policy(state, event),
        Event::MetadataChanged(event) => check_metadata(state, event),
        Event::BalanceLinked(event) => check_link(state, event),
        Event::BalanceNamed(event) => check_alias(state, event),
        Event::AccountCreated(event) => check_account(state, event),
        Event::MonitorSet(event) => check_monitor(state, event),
        Event::MonitorDeleted(event) => {
            check_first_row(state, event.first_row)?;
            let exists = state.monitors.find(event.id).is_some();
            if exists { Ok(()) } else { Err(format!("it deletes monitor {}, which does not exist", event.id)) }
        }
        Event::IdentityChanged(event) => check_identity(state, event.identity).map(drop),
        Event::IdentityDeleted(event) => match check_identity(state, event.identity)?.uses {
            0 => Ok(()),
            _ => Err(format!("it deletes identity {}, which owns something", event.identity)),
        },
        Event::IdentityRevealed(event) => match check_identity(state, event.identity)?.revealed == event.previous {
            true => Ok(()),
            false => Err(format!("it does not name the reveal of identity {} before it", event.identity)),
        },
        Event::LedgerClosed(event) => closings::check_closed(state, event),
        Event::ClosingTotalled(event) => closings::check_totalled(state, event),
        Event::BalanceAsserted(event) => closings::check_asserted(state, event),
        Event::AssertionDeleted(event) => closings::check_deleted(state, event),
        Event::KeyKept(event) => match event.key.known.iter().find(|known| known.row >= state.rows_count) {
            Some(known) => Err(format!("it tells row {}, which does not exist", known.row)),
            None => Ok(()),
        },
    }
}

fn check_monitor(state: &State, event: &MonitorSet) -> Result<(), String> {
    check_first_row(state, event.first_row)?;
    if event.balance as usize >= state.balances.len() {
        return Err(format!("its monitor watches balance {}, which does not exist", event.balance));
    }
    let made = state.monitors.made_count() as u64;
    let known = state.monitors.find(event.id);
    match known {
        None if event.id.row() == made && made < u64::from(u32::MAX) => Ok(()),
        Some(known) if known.created_at == event.created_at => Ok(()),
        _ => Err(format!("it changes monitor {}, which does not exist", event.id)),
    }
}

fn check_account(state: &State, event: &AccountCreated) -> Result<(), String> {
    if event.balance as usize >= state.balances.len() {
        return Err(format!("it makes an account of balance {}, which does not exist", event.balance));
    }
    if check_identity(state, event.identity).is_err() {
        return Err(format!("it makes an account of identity {}, which does not exist", event.identity));
    }
    if state.accounts.find_number(&event.number).is_some() {
        return Err(format!("it gives account number {:?} a second time", event.number));
    }
    if state.accounts.len() >= limits::ACCOUNTS_MAX {
        Err("it makes more accounts than there may be".to_owned())
    } else {
        Ok(())
    }
}

fn check_metadata(state: &State, event: &MetadataChanged) -> Result<(), String> {
    let exists = match event.subject {
        Subject::Ledger(handle) => (handle as usize) < state.ledgers.len(),
        Subject::Balance(handle) => (handle as usize) < state.balances.len(),
        Subject::Rows(Parent::None) => false,
        Subject::Rows(Parent::Row(row) | Parent::Batch(row) | Parent::Split(row)) => row < state.rows_count,
    };
    if !exists {
        return Err(format!("it changes the metadata of {:?}, which does not exist", event.subject));
    }
    if event.first_row != state.rows_count {
        return Err(format!("it counts {} rows, and {} were made before it", event.first_row, state.rows_count));
    }
    if event.earlier != state.newest_note(event.subject) {
        return Err("it does not lead back to the change of the same metadata before it".to_owned());
    }
    Ok(())
}

fn check_link(state: &State, event: &BalanceLinked) -> Result<(), String> {
    if event.balance as usize >= state.balances.len() || check_identity(state, event.identity).is_err() {
        return Err("it links a balance and an identity that do not both exist".to_owned());
    }
    Ok(())
}

fn check_alias(state: &State, event: &BalanceNamed) -> Result<(), String> {
    if event.balance as usize >= state.balances.len() {
        return Err(format!("it names balance {}, which does not exist", event.balance));
    }
    if state.find_alias(&event.alias).is_some() {
        return Err(format!("it gives the alias {} to a second balance", event.alias));
    }
    Ok(())
}

fn check_first_row(state: &State, first_row: u64) -> Result<(), String> {
    let next = state.rows_count;
    if first_row == next { Ok(()) } else { Err(format!("its monitor counts from row {first_row} on, not from {next}")) }
}

fn check_identity(state: &State, handle: u32) -> Result<&Identity, String> {
    let known = state.identities.get(handle as usize).filter(|identity| !identity.is_deleted);
    known.ok_or_else(|| format!("it names identity {handle}, which does not exist"))
}

fn check_policy(state: &State, event: &PolicySet) -> Result<(), String> {
    let exists = |handle: u32| (handle as usize) < state.balances.len();
    if !exists(event.balance) {
        return Err(format!("it sets the policy of balance {}, which does not exist", event.balance));
    }
    let counterparties = event.policy.iter().flat_map(|policy| policy.counterparties.iter().flatten());
    match counterparties.into_iter().find(|handle| !exists(**handle)) {
        Some(handle) => Err(format!("its policy names balance {handle}, which does not exist")),
        None => Ok(()),
    }
}

fn check_balance(state: &State, event: &BalanceCreated) -> Result<(), String> {
    if event.ledger as usize >= state.ledgers.len() {
        return Err(format!("it makes a balance in ledger {}, which does not exist", event.ledger));
    }
    if event.identity.is_some_and(|identity| check_identity(state, identity).is_err()) {
        return Err("it makes a balance of an identity that does not exist".to_owned());
    }
    let currency = state.currencies.find(&event.currency);
    let taken = currency.is_some_and(|currency| state.find_indicator(&event.indicator, currency).is_some());
    if taken && !event.indicator.is_empty() {
        return Err(format!("it makes the balance of {} a second time", event.indicator));
    }
    if state.find_alias(&event.alias).is_some() {
        return Err(format!("it gives the alias {} to a second balance", event.alias));
    }
    check_room(state.balances.len() + 1)
}

fn check_rescheduled(state: &State, event: &Rescheduled) -> Result<(), String> {
    let waits_not = |group: &&u64| state.scheduled.get(*group).is_none();
    if let Some(group) = event.groups.iter().find(waits_not) {
        return Err(format!("it moves request {group}, which does not wait"));
    }
    if event.amount.is_some_and(|amount| amount <= 0) || event.amount.is_some() && event.groups.len() != 1 {
        return Err("it gives requests an amount that they cannot have".to_owned());
    }
    Ok(())
}

fn check_registered(state: &State, event: &CurrencyRegistered) -> Result<(), String> {
    let known = state.currencies.find(&event.code).and_then(|number| state.currencies.registered(number));
    if known.is_some_and(|known| known.precision != event.precision) {
        return Err(format!("it registers {} with another precision", event.code));
    }
    if event.precision == 0 { Err("it registers a precision of zero".to_owned()) } else { Ok(()) }
}

fn check_room(balances: usize) -> Result<(), String> {
    if balances > limits::BALANCES_MAX { Err("it makes more balances than there may be".to_owned()) } else { Ok(()) }
}

fn check_recorded(state: &State, event: &Recorded) -> Result<(), String> {
    if event.first_row != state.rows_count {
        return Err(format!("its first row is {}, and {} rows were made before it", event.first_row, state.rows_count));
    }
    if event.first_row + event.rows_count() > limits::ROWS_MAX {
        return Err("it makes more rows than there may be".to_owned());
    }
    check_room(state.balances.len() + event.opened.len())?;
    check_names(state, event)?;
    let mut taken = BTreeMap::new();
    let mut followed = lineage::Followed::default();
    check_executions(state, event)?;
    for (index, movement) in event.movements.iter().enumerate() {
        check_movement(state, event, movement, &mut taken)
            .and_then(|()| closings::check_date(state, movement, event))
            .and_then(|()| followed.check(state, event, movement))
            .map_err(|text| format!("its movement {index} {text}"))?;
    }
    Ok(())
}

/// What runs was waiting: the first of each group has its time.
fn check_executions(state: &State, event: &Recorded) -> Result<(), String> {
    let mut runs = event.movements.iter().filter_map(|movement| match movement.kind {
        Kind::Execution(request) => Some(request),
        _ => None,
    });
    match runs.next() {
        Some(first) if state.scheduled.get(&first).is_none() => {
            Err(format!("it runs request {first}, which does not wait"))
        }
        _ => Ok(()),
    }
}

/// Currencies and indicators that are named for the first time were not named before.
fn check_names(state: &State, event: &Recorded) -> Result<(), String> {
    let mut currencies = BTreeSet::new();
    for currency in &event.currencies {
        let text = currency.of(&event.text);
        if state.currencies.find(text).is_some() || !currencies.insert(text) {
            return Err(format!("it names currency {text} as new a second time"));
        }
    }
    let mut opened = BTreeSet::new();
    for one in &event.opened {
        let text = one.indicator.of(&event.text);
        if !is_currency(state, event, one.currency) {
            return Err(format!("it opens {text} in a currency that does not exist"));
        }
        if text.is_empty() || state.find_indicator(text, one.currency).is_some() || !opened.insert((text, one.currency))
        {
            return Err(format!("it opens {text:?} a second time"));
        }
    }
    Ok(())
}

fn is_currency(state: &State, event: &Recorded, number: u32) -> bool {
    (number as usize) < state.currencies.len() + event.currencies.len()
}

fn check_movement(
    state: &State,
    event: &Recorded,
    movement: &Movement,
    taken: &mut BTreeMap<u64, i128>,
) -> Result<(), String> {
    // The end of a request that was called off moves nothing.
    let called_off = matches!((movement.kind, movement.outcome), (Kind::Execution(_), Outcome::Voided));
    let moves = matches!(movement.outcome, Outcome::Applied | Outcome::Held | Outcome::Voided) && !called_off;
    let balances = state.balances.len() + event.opened.len();
    for (handle, debited) in [(movement.source, true), (movement.destination, false)] {
        if handle == NO_BALANCE && !moves {
            continue;
        }
        if handle == NO_BALANCE || handle as usize >= balances {
            return Err(format!("names balance {handle}, which does not exist"));
        }
        let figures = state.balances.get(handle as usize).map(|balance| balance.figures).unwrap_or_default();
        // What is held is counted already; only what goes beyond it is new.
        let held = match movement.kind {
            Kind::Settlement { hold, .. } => state.holds.get(&hold).map_or(0, |hold| hold.remaining),
            Kind::Release { .. } | Kind::LineageSettlement { .. } => movement.amount,
            Kind::Change { .. } if movement.outcome == Outcome::Voided => movement.amount,
            _ => 0,
        };
        let more = movement.amount.saturating_sub(held).max(0);
        let fits = if debited { figures.can_debit(more) } else { figures.can_credit(more) };
        let least = if matches!(movement.kind, Kind::Change { .. }) { 0 } else { 1 };
        if moves && (movement.amount < least || !fits) {
            return Err(format!("moves {}, which cannot be", movement.amount));
        }
    }
    if !is_currency(state, event, movement.currency) {
        return Err(format!("is in currency {}, which does not exist", movement.currency));
    }
    let waits = movement.outcome == Outcome::Scheduled || matches!(movement.kind, Kind::Execution(_));
    if waits && movement.terms().scheduled_at.is_none() {
        return Err("waits for a time that it does not tell".to_owned());
    }
    match movement.kind {
        Kind::Posting | Kind::Lineage { .. } | Kind::LineageSettlement { .. } => Ok(()),
        Kind::Execution(row) | Kind::Refund(row) if row < event.first_row => Ok(()),
        Kind::Execution(row) | Kind::Refund(row) => Err(format!("follows row {row}, which does not exist")),
        Kind::Settlement { hold, .. } | Kind::Release { hold, .. } => check_hold(state, movement, hold, taken),
        Kind::Change { hold } => check_change(state, movement, hold),
    }
}

fn check_change(state: &State, movement: &Movement, row: u64) -> Result<(), String> {
    let Some(hold) = state.holds.get(&row) else { return Err(format!("changes hold {row}, which is not open")) };
    if (hold.source, hold.destination, hold.currency) != (movement.source, movement.destination, movement.currency) {
        return Err(format!("changes hold {row} between other balances"));
    }
    match movement.outcome {
        Outcome::Held if hold.remaining.checked_add(movement.amount).is_some_and(|sum| sum <= limits::SUM_MAX) => {
            Ok(())
        }
        Outcome::Voided if movement.amount < hold.remaining => Ok(()),
        _ => Err(format!("changes hold {row} by an amount that cannot be")),
    }
}

fn check_hold(state: &State, movement: &Movement, row: u64, taken: &mut BTreeMap<u64, i128>) -> Result<(), String> {
    let Some(hold) = state.holds.get(&row) else { return Err(format!("ends hold {row}, which is not open")) };
    if (hold.source, hold.destination, hold.currency) != (movement.source, movement.destination, movement.currency) {
        return Err(format!("ends hold {row} between other balances"));
    }
    if matches!(movement.outcome, Outcome::Rejected(_) | Outcome::Scheduled) {
        return Err(format!("names hold {row} and does nothing with it"));
    }
    let taken = taken.entry(row).or_default();
    *taken = taken.saturating_add(movement.amount);
    // A commit may go beyond what is left; then it is the only movement of the hold.
    let beyond = matches!(movement.kind, Kind::Settlement { .. }) && *taken == movement.amount;
    if *taken > hold.remaining && !beyond {
        return Err(format!("ends hold {row} for more than is left of it"));
    }
    if matches!(movement.kind, Kind::Release { .. }) && *taken != hold.remaining {
        return Err(format!("releases hold {row} in part"));
    }
    Ok(())
}
