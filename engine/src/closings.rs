//! The totals of closed books: summed beside the writer, once nothing can come to count before their moment any more.

use crate::aggregate::{AggregateFault, Ask, By, Key, Snapshot, Sums, aggregate};
use crate::reading::Books;
use ledger::closings::{Closing, Total, Turnover};
use ledger::limits;
use std::sync::atomic::AtomicBool;

/// What the balances of a ledger had where its books were closed before (`from`), and at the moment of a closing. Blocks; ends
/// early once `stop` is set. The snapshot is one of after the closing.
pub fn totals(
    books: &Books,
    snapshot: &Snapshot,
    closing: &Closing,
    from: Option<i64>,
    stop: &AtomicBool,
) -> Result<Vec<Total>, AggregateFault> {
    totals_of(books, snapshot, closing.ledger, (from, closing.until), stop)
}

/// The same for a closing that is not made yet.
pub fn totals_of(
    books: &Books,
    snapshot: &Snapshot,
    ledger: u32,
    (from, until): (Option<i64>, i64),
    stop: &AtomicBool,
) -> Result<Vec<Total>, AggregateFault> {
    // What counts at the moment itself is not closed.
    let before = |moment: i64| {
        let at = moment.saturating_sub(1);
        let ask = Ask { by: By::default(), ledger: Some(ledger), currency: None, identity: None, at: Some(at) };
        aggregate(books, snapshot, ask, stop)
    };
    let turnover = |sums: &Sums| Turnover { credit: sums.credit, debit: sums.debit };
    let mut totals: Vec<Total> = before(until)?
        .iter()
        .map(|(Key { currency, .. }, sums)| Total {
            currency: *currency,
            balances: sums.balances,
            opening: Turnover::default(),
            closing: turnover(sums),
        })
        .collect();
    if totals.len() > limits::CLOSING_CURRENCIES_MAX {
        return Err(AggregateFault::TooManyGroups);
    }
    totals.sort_unstable_by_key(|total| total.currency);
    for (key, sums) in from.map(before).transpose()?.unwrap_or_default() {
        let at = totals.binary_search_by_key(&key.currency, |total| total.currency);
        let at = at.expect("what was there at a moment is there later");
        totals[at].opening = turnover(&sums);
    }
    Ok(totals)
}
