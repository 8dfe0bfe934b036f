//! A state in one number: neither the order of a map nor the sharing of chunks counts.

use ledger::state::State;
use std::hash::{DefaultHasher, Hasher};

/// Changes when anything that a state holds changes.
pub fn digest(state: &State) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut number = |value: u64| hasher.write_u64(value);
    number(state.rows_count);
    number(state.latest_at as u64);
    number(state.ledgers.len() as u64);
    number(state.identities.len() as u64);
    number(state.currencies.len() as u64);
    for balance in state.balances.iter() {
        let (posted, held) = (balance.figures.posted, balance.figures.held);
        for amount in [posted.credit, posted.debit, held.credit, held.debit] {
            number(amount as u64);
            number((amount >> 64) as u64);
        }
        number(balance.version);
        number(balance.history.count);
        balance.history.path().into_iter().for_each(&mut number);
    }
    let holds = state.holds.iter().map(|(row, hold)| row.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ hold.remaining as u64);
    number(holds.fold(state.holds.len() as u64, u64::wrapping_add));
    for (at, row, due) in state.timers.iter() {
        number(at as u64 ^ row << 8 ^ due as u64);
    }
    let scheduled = state.scheduled.iter().map(|(row, at)| row.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ *at as u64);
    number(scheduled.fold(state.scheduled.len() as u64, u64::wrapping_add));
    let adjusted = state.adjusted.iter().map(|(row, amount)| row.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ *amount as u64);
    number(adjusted.fold(state.adjusted.len() as u64, u64::wrapping_add));
    for (currency, registered) in state.currencies.all_registered() {
        number(u64::from(currency) ^ registered.precision << 32 ^ registered.at as u64);
    }
    let mut policies: Vec<_> = state.policies.iter().collect();
    policies.sort_by_key(|(handle, _)| **handle);
    for (handle, policed) in policies {
        number(u64::from(*handle));
        for spent in &policed.spent {
            number(spent.since as u64 ^ spent.sum as u64 ^ spent.count << 48);
        }
    }
    for monitor in state.monitors.iter() {
        number(monitor.id.row() ^ monitor.created_at as u64 ^ u64::from(monitor.balance) << 32);
        number(monitor.record);
        state.monitors.of_balance(monitor.balance).iter().for_each(|one| number(u64::from(*one)));
    }
    state.monitors.changes().iter().for_each(|change| number(change.record ^ change.first_row << 32));
    for closing in state.closings.iter() {
        number(closing.id.row() ^ closing.until as u64 ^ u64::from(closing.ledger) << 32);
        number(closing.record ^ closing.totals << 32);
        number(state.closings.closed_until(closing.ledger).expect("it is closed") as u64);
    }
    number(state.closings.open().len() as u64);
    for assertion in state.assertions.iter() {
        number(assertion.id.row() ^ assertion.as_of as u64 ^ assertion.amount as u64);
        number(assertion.record ^ assertion.before_row << 32);
        state.assertions.of_balance(assertion.balance).iter().for_each(|one| number(u64::from(*one)));
    }
    let mut tracked: Vec<_> = state.tracked.iter().collect();
    tracked.sort_by_key(|(handle, _)| **handle);
    for fund in tracked.into_iter().flat_map(|(_, tracked)| &tracked.funds) {
        let purse = fund.purse;
        for amount in [purse.received, purse.spent, purse.held_in, purse.held_out] {
            number(amount as u64);
        }
        number(u64::from(fund.shadow) << 32 ^ u64::from(fund.aggregate) ^ fund.since as u64);
    }
    let parts = state.held_parts.iter().flat_map(|(_, parts)| parts);
    number(parts.fold(0, |sum, part| sum.wrapping_add(part.row.wrapping_mul(31) ^ part.remaining as u64)));
    number(state.indicators().count() as u64);
    for account in state.accounts.iter() {
        number(account.nonce ^ account.created_at as u64 ^ account.record << 32);
        number(u64::from(account.balance) << 32 | u64::from(account.identity));
        number(u64::from(state.accounts.find_number(&account.number).expect("a number is that of its account")));
        number(u64::from(state.accounts.owned_by(account.identity)));
    }
    hasher.finish()
}
