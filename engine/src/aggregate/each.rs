//! What each of many balances was at a moment, one by one: for reports that may not offset one with another.
//!
//! Memory: 16 bytes for each balance of the server, however many rows are read.

use super::{AggregateFault, Ask, By, Snapshot, Way, Work, posted_at, sides};
use crate::reading::Books;
use ledger::state::Balance;
use std::sync::atomic::AtomicBool;

/// Calls `visit` with each balance that `is` wanted and existed at a moment, or was posted to by then, in order of making, and with
/// its credits less debits. Blocks; ends early once `stop` is set.
pub fn each_at(
    books: &Books,
    snapshot: &Snapshot,
    at: i64,
    is: impl Fn(u32, &Balance) -> bool,
    visit: impl FnMut(u32, &Balance, i128),
    stop: &AtomicBool,
) -> Result<(), AggregateFault> {
    let ask = Ask { by: By::default(), ledger: None, currency: None, identity: None, at: Some(at) };
    let work = Work { books, snapshot, ask, stop };
    let way = work.cheapest(at)?;
    each_by(&work, at, way, is, visit)
}

/// The same by a way that the caller chooses: for tests, as all ways lead to the same.
pub fn each_at_by(
    books: &Books,
    snapshot: &Snapshot,
    (at, way): (i64, Way),
    is: impl Fn(u32, &Balance) -> bool,
    visit: impl FnMut(u32, &Balance, i128),
    stop: &AtomicBool,
) -> Result<(), AggregateFault> {
    let ask = Ask { by: By::default(), ledger: None, currency: None, identity: None, at: Some(at) };
    each_by(&Work { books, snapshot, ask, stop }, at, way, is, visit)
}

fn each_by(
    work: &Work<'_>,
    at: i64,
    way: Way,
    is: impl Fn(u32, &Balance) -> bool,
    mut visit: impl FnMut(u32, &Balance, i128),
) -> Result<(), AggregateFault> {
    let mut amounts = vec![0i128; work.snapshot.balances.len()];
    let alone = |balance: &Balance| way == Way::Each || balance.dated && way != Way::All;
    for (index, (handle, balance)) in work.balances(0..work.balances_count()).enumerate() {
        work.check(index)?;
        let amount = &mut amounts[handle as usize];
        if way == Way::Back {
            *amount = balance.figures.balance();
        }
        if alone(balance) && is(handle, balance) {
            let posted = posted_at(work.books, handle, balance, at)?;
            *amount = posted.credit - posted.debit;
        }
    }
    let until = work.rows_until(at)?;
    let rows = match way {
        Way::Back => until..work.snapshot.rows_count,
        Way::Forth => 0..until,
        Way::All => 0..work.snapshot.rows_count,
        Way::Each => 0..0,
    };
    work.walk(rows, |row| {
        if way == Way::All && row.effective_at > at {
            return Ok(());
        }
        for (handle, posted) in sides(row) {
            let balance = work.snapshot.balances.get(handle as usize).filter(|balance| !alone(balance));
            if balance.is_some() {
                let moved = posted.credit - posted.debit;
                amounts[handle as usize] += if way == Way::Back { -moved } else { moved };
            }
        }
        Ok(())
    })?;
    for (index, (handle, balance)) in work.balances(0..work.balances_count()).enumerate() {
        work.check(index)?;
        let amount = amounts[handle as usize];
        if is(handle, balance) && (balance.created_at <= at || amount != 0) {
            visit(handle, balance, amount);
        }
    }
    Ok(())
}
