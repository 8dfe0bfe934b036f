//! A state in one number, and as parts that can be compared: no order of a map, no sharing of chunks counts.

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
        balance.history.path.iter().for_each(|row| number(*row));
    }
    let holds = state.holds.iter().map(|(row, hold)| row.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ hold.remaining as u64);
    number(holds.fold(state.holds.len() as u64, u64::wrapping_add));
    for (at, row, due) in state.timers.iter() {
        number(at as u64 ^ row << 8 ^ due as u64);
    }
    number(state.indicators().count() as u64);
    hasher.finish()
}

/// Panics unless two states hold the same, naming the part that differs.
pub fn assert_equal(one: &State, other: &State) {
    assert_eq!((one.rows_count, one.latest_at), (other.rows_count, other.latest_at), "rows and time");
    assert!(one.balances.iter().eq(other.balances.iter()), "balances, their figures and histories");
    assert!(one.ledgers.iter().eq(other.ledgers.iter()), "ledgers");
    assert!(one.identities.iter().eq(other.identities.iter()), "identities");
    assert!(one.currencies.iter().eq(other.currencies.iter()), "currencies");
    let holds = |state: &State| {
        let mut holds: Vec<_> = state.holds.iter().map(|(row, hold)| (*row, hold.clone())).collect();
        holds.sort_by_key(|(row, _)| *row);
        holds
    };
    assert_eq!(holds(one), holds(other), "open holds");
    assert!(one.timers.iter().eq(other.timers.iter()), "timers");
    let indicators = |state: &State| {
        let mut all: Vec<_> = state.indicators().map(|(text, currency, handle)| (text.to_owned(), currency, handle)).collect();
        all.sort();
        all
    };
    assert_eq!(indicators(one), indicators(other), "indicators");
}
