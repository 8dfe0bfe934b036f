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
    number(state.indicators().count() as u64);
    hasher.finish()
}
