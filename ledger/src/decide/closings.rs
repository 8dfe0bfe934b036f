//! Closing books, keeping their totals; asserting balances. No money moves.

use super::{Decision, refuse};
use crate::closings::are_lawful;
use crate::command::{AssertBalance, CloseLedger, DeleteAssertion, Moment, RecordTotals};
use crate::event::{AssertionDeleted, BalanceAsserted, ClosingTotalled, Event, LedgerClosed};
use crate::id::{self, Id, NonceOf};
use crate::limits;
use crate::rejection::{Refused, Rejection};
use crate::state::{NO_RECORD, State};

/// Close the books of a ledger up to a moment, which has passed and is behind that of the closing before.
pub(super) fn close(state: &State, command: CloseLedger, moment: Moment) -> Result<Decision, Refused> {
    let CloseLedger { ledger, until, description, metadata } = command;
    let Some(ledger) = state.find_ledger(&ledger) else { return refuse(0, Rejection::LedgerNotFound) };
    if until > moment.at {
        return refuse(0, Rejection::InFuture);
    }
    let from = state.closings.closed_until(ledger);
    if from.is_some_and(|from| until <= from) {
        return refuse(0, Rejection::AlreadyClosed);
    }
    let number = state.closings.len();
    if state.closings.of_ledger(ledger).len() >= limits::CLOSINGS_PER_LEDGER_MAX || number >= limits::CLOSINGS_MAX {
        return refuse(0, Rejection::TooManyKept);
    }
    let id = Id::new(moment.at, number as u64, id::nonce(moment.seed, NonceOf::Row(number as u64)));
    let event = LedgerClosed { at: moment.at, id, ledger, from, until, description, metadata };
    Ok(Decision::of(Event::LedgerClosed(event)))
}

/// Keep the totals of a closing, unless they are kept: then they are the same.
pub(super) fn total(state: &State, command: RecordTotals, moment: Moment) -> Decision {
    let RecordTotals { closing, totals } = command;
    let known = state.closings.find(closing).expect("totals are made for closings that exist");
    assert!(are_lawful(&totals, state.currencies.len()), "totals are made in order, and not more than there may be");
    if known.totals != NO_RECORD {
        return Decision::default();
    }
    Decision::of(Event::ClosingTotalled(ClosingTotalled { at: moment.at, closing, totals }))
}

/// Keep what a balance is said to have been. When it must hold, it is compared with what the gatherer found.
pub(super) fn assert(state: &State, command: AssertBalance, moment: Moment) -> Result<Decision, Refused> {
    let AssertBalance { balance, as_of, before_row, amount, precision, description, source, metadata, required } =
        command;
    let Some(balance) = state.find_balance(balance) else { return refuse(0, Rejection::BalanceNotFound) };
    if as_of > moment.at {
        return refuse(0, Rejection::InFuture);
    }
    let made = state.assertions.made_count();
    if state.assertions.of_balance(balance).len() >= limits::ASSERTIONS_PER_BALANCE_MAX
        || state.assertions.existing_count() >= limits::ASSERTIONS_MAX
        || made >= limits::ASSERTIONS_MADE_MAX
    {
        return refuse(0, Rejection::TooManyKept);
    }
    if required.is_some_and(|found| found.amount != amount) {
        return refuse(0, Rejection::AssertionBroken);
    }
    let id = Id::new(moment.at, made as u64, id::nonce(moment.seed, NonceOf::Row(made as u64)));
    let at = moment.at;
    Ok(Decision::of(Event::BalanceAsserted(BalanceAsserted {
        at,
        id,
        balance,
        as_of,
        before_row,
        amount,
        precision,
        description,
        source,
        metadata,
    })))
}

/// Forget what a balance was said to have been.
pub(super) fn delete(state: &State, command: DeleteAssertion, moment: Moment) -> Result<Decision, Refused> {
    let DeleteAssertion { balance, assertion: id } = command;
    let known = state.assertions.find(id).filter(|known| state.balance_id(known.balance) == balance);
    if known.is_none() {
        return refuse(0, Rejection::AssertionNotFound);
    }
    Ok(Decision::of(Event::AssertionDeleted(AssertionDeleted { at: moment.at, id })))
}
