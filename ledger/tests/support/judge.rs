//! What must come of a transaction, told from the rows alone: an independent judgement, written from the specification.

use crate::support::auditor::Auditor;
use crate::support::police::Spending;
use ledger::command::Mismatch;
use ledger::event::NO_BALANCE;
use ledger::limits::SUM_MAX;
use ledger::rejection::Rejection;
use ledger::state::{Figures, State};

/// A transaction that is to be judged by the rows so far.
pub struct Want<'a> {
    pub source: Side<'a>,
    pub destination: Side<'a>,
    pub amount: i128,
    pub precision: u64,
    pub currency: &'a str,
    /// Whether the source may go below zero, and how far.
    pub overdraft: (bool, i128),
    /// The business date, when it is not the moment.
    pub effective_at: Option<i64>,
    pub at: i64,
}

/// A side as it was named, and the balance that it is.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    pub handle: Option<u32>,
    pub name: &'a str,
}

/// Why a transaction is refused, if it is.
pub fn refusal(auditor: &Auditor, state: &State, mismatch: Mismatch, want: &Want<'_>) -> Option<Rejection> {
    let missing = |side: Side<'_>| side.handle.is_none() && !side.name.starts_with('@');
    let fits = |side: Side<'_>| {
        side.handle.is_none_or(|handle| state.currencies.text(state.balance(handle).currency) == want.currency)
    };
    let Want { source, destination, amount, .. } = *want;
    let same = match (source.handle, destination.handle) {
        (Some(source), Some(destination)) => source == destination,
        (None, None) => source.name == destination.name,
        _ => false,
    };
    let registered = auditor.registered.get(want.currency);
    let checks = [
        (missing(source), Rejection::SourceNotFound),
        (missing(destination), Rejection::DestinationNotFound),
        (amount < 0, Rejection::AmountNegative),
        (amount == 0, Rejection::AmountZero),
        (same, Rejection::SameBalance),
        (mismatch == Mismatch::Refuse && !(fits(source) && fits(destination)), Rejection::CurrencyMismatch),
        (registered.is_some_and(|precision| *precision != want.precision), Rejection::PrecisionMismatch),
        (
            auditor.periods.are_closed(state, [source.handle, destination.handle], want.effective_at),
            Rejection::PeriodClosed,
        ),
    ];
    let first = checks.into_iter().find(|(broken, _)| *broken).map(|(_, rejection)| rejection);
    let handle = |side: Side<'_>| side.handle.unwrap_or(NO_BALANCE);
    first
        .or_else(|| refusal_of_more(auditor, (handle(source), handle(destination)), amount, 1, want.overdraft, want.at))
}

/// Why a balance cannot newly pay, or hold, an amount to another, if it cannot.
pub fn refusal_of_more(
    auditor: &Auditor,
    sides: (u32, u32),
    amount: i128,
    transactions: u64,
    overdraft: (bool, i128),
    at: i64,
) -> Option<Rejection> {
    let (source, destination) = sides;
    let figures = |handle: u32| auditor.sums.get(handle as usize).map_or(Figures::default(), |sums| sums.figures);
    let (paying, receiving) = (figures(source), figures(destination));
    let paid = (paying.posted.debit + paying.held.debit).checked_add(amount);
    let received = (receiving.posted.credit + receiving.held.credit).checked_add(amount);
    if [paid, received].into_iter().any(|sum| sum.is_none_or(|sum| sum > SUM_MAX)) {
        return Some(Rejection::Overflow);
    }
    let available = paying.posted.credit - paying.posted.debit - paying.held.debit;
    let spending = Spending { source, destination, amount, transactions, at, available };
    if let Some(rejection) = auditor.police.refusal(&spending) {
        return Some(rejection);
    }
    let (allowed, limit) = overdraft;
    let short = available < amount && !(allowed && limit == 0) && !auditor.police.lends(source);
    match limit {
        _ if !short => None,
        ..=0 => Some(Rejection::InsufficientFunds),
        _ => (available + limit < amount).then_some(Rejection::OverdraftExceeded),
    }
}
