//! Adds up once more what closings say that it was, and what balances are said to have been.
//!
//! A closing names a moment that is past when it is recorded, so its sums cannot be made on the way through the records. If there
//! are closings or assertions the journal is read a second time, with what the first reading found: each posting is put where the
//! first closing, or assertion, is that it counts for. Memory: a sum for each currency of each closing, one for each assertion, and
//! eight bytes for each balance of one ledger.

use super::{Part, Problems};
use crate::codec;
use journal::reader::Reader;
use ledger::closings::{Total, Turnover};
use ledger::event::{Event, Outcome};
use ledger::id::Prefix;
use ledger::state::{NO_RECORD, State};
use std::collections::BTreeMap;

/// What was found out about assertions.
#[derive(Clone, Debug, Default)]
pub struct Asserted {
    /// How many there are.
    pub count: u64,
    /// How many do not hold.
    pub broken: u64,
    /// The first of these, in words.
    pub told: Vec<String>,
}

/// Broken assertions that are told.
const TOLD_MAX: usize = 100;

/// Sums by currency.
type Sums = BTreeMap<u32, Turnover>;

struct Kept<'a> {
    state: &'a State,
    /// Of each ledger with closings: its moments, in order, and what came to count between one and the one before.
    periods: BTreeMap<u32, Vec<(i64, Sums)>>,
    /// Of each balance with assertions: where they cut its postings, in order, and the number of each.
    cuts: BTreeMap<u32, Vec<(i64, u64, u32)>>,
    /// What came to count between the cut of an assertion and the one before; it wraps around, and so does what it is compared with.
    moved: BTreeMap<u32, i128>,
    /// What the records of totals say, by the number of the closing.
    recorded: BTreeMap<u32, Vec<Total>>,
}

/// Compares everything, with the state at the end of the journal.
pub(super) fn check(reader: &Reader, state: &State, problems: &mut Problems) -> Asserted {
    if state.closings.is_empty() && state.assertions.existing_count() == 0 {
        return Asserted::default();
    }
    let mut kept = Kept::of(state);
    let mut scan = reader.scan_all();
    // The first reading has told what is wrong with a record that cannot be read.
    while let Ok(Some(record)) = scan.next() {
        match codec::decode(record.payload) {
            Ok(Event::Recorded(event)) => {
                let mut row = event.first_row;
                for movement in &event.movements {
                    row += movement.rows_count();
                    if movement.outcome == Outcome::Applied {
                        let at = movement.terms().effective_at.unwrap_or(event.at);
                        kept.post(movement.source, (0, movement.amount), at, row - 1);
                        kept.post(movement.destination, (movement.amount, 0), at, row - 1);
                    }
                }
            }
            Ok(Event::ClosingTotalled(event)) => {
                kept.recorded.insert(event.closing.row() as u32, event.totals);
            }
            _ => {}
        }
    }
    kept.compare_closings(problems);
    kept.compare_assertions()
}

impl Kept<'_> {
    fn of(state: &State) -> Kept<'_> {
        let mut periods: BTreeMap<u32, Vec<(i64, Sums)>> = BTreeMap::new();
        for closing in state.closings.iter() {
            periods.entry(closing.ledger).or_default().push((closing.until, Sums::new()));
        }
        let mut cuts: BTreeMap<u32, Vec<(i64, u64, u32)>> = BTreeMap::new();
        for (number, one) in (0..).zip(state.assertions.iter()).filter(|(_, one)| one.record != NO_RECORD) {
            cuts.entry(one.balance).or_default().push((one.as_of, one.before_row, number));
        }
        cuts.values_mut().for_each(|list| list.sort_unstable());
        Kept { state, periods, cuts, moved: BTreeMap::new(), recorded: BTreeMap::new() }
    }

    /// Takes one side of a posting.
    fn post(&mut self, handle: u32, (credit, debit): (i128, i128), at: i64, row: u64) {
        let Some(balance) = self.state.balances.get(handle as usize) else { return };
        if let Some(periods) = self.periods.get_mut(&balance.ledger) {
            let first = periods.partition_point(|(until, _)| *until <= at);
            if let Some((_, sums)) = periods.get_mut(first) {
                let turnover = sums.entry(balance.currency).or_default();
                turnover.credit.add(credit);
                turnover.debit.add(debit);
            }
        }
        if let Some(cuts) = self.cuts.get(&handle) {
            let first = cuts.partition_point(|(as_of, before_row, _)| (*as_of, *before_row) <= (at, row));
            if let Some((_, _, number)) = cuts.get(first) {
                let moved = self.moved.entry(*number).or_default();
                *moved = moved.wrapping_add(credit).wrapping_sub(debit);
            }
        }
    }

    fn compare_closings(&self, problems: &mut Problems) {
        for (&ledger, periods) in &self.periods {
            let created = self.created(ledger);
            let mut running = Sums::new();
            for ((until, sums), number) in periods.iter().zip(self.state.closings.of_ledger(ledger)) {
                let opening = running.clone();
                for (currency, more) in sums {
                    let turnover = running.entry(*currency).or_default();
                    turnover.credit.add_wide(more.credit);
                    turnover.debit.add_wide(more.debit);
                }
                let Some(recorded) = self.recorded.get(number) else { continue };
                let balances = |currency: &u32| {
                    created.get(currency).map_or(0, |times| times.partition_point(|time| time < until) as u64)
                };
                let currencies = created.keys().filter(|currency| {
                    balances(currency) > 0 || running.get(currency).is_some_and(|sums| *sums != Turnover::default())
                });
                let of = |sums: &Sums, currency: &u32| sums.get(currency).copied().unwrap_or_default();
                let wanted = currencies.map(|currency| Total {
                    currency: *currency,
                    balances: balances(currency),
                    opening: of(&opening, currency),
                    closing: of(&running, currency),
                });
                if !wanted.eq(recorded.iter().copied()) {
                    let closing = self.state.closings.get(*number).expect("it is listed");
                    let text = format!(
                        "the totals of closing {} are not what the journal adds up to",
                        closing.id.text(Prefix::Closing)
                    );
                    problems.add(Part::Books, text);
                }
            }
        }
    }

    /// When the balances of a ledger were made, by currency, in order.
    fn created(&self, ledger: u32) -> BTreeMap<u32, Vec<i64>> {
        let mut created: BTreeMap<u32, Vec<i64>> = BTreeMap::new();
        for balance in self.state.balances.iter().filter(|balance| balance.ledger == ledger) {
            created.entry(balance.currency).or_default().push(balance.created_at);
        }
        created
    }

    fn compare_assertions(&self) -> Asserted {
        let mut asserted = Asserted::default();
        for (&handle, cuts) in &self.cuts {
            let mut found = 0i128;
            for (_, _, number) in cuts {
                found = found.wrapping_add(self.moved.get(number).copied().unwrap_or_default());
                let one = self.state.assertions.get(*number).expect("it is one of them");
                asserted.count += 1;
                if found == one.amount {
                    continue;
                }
                asserted.broken += 1;
                if asserted.told.len() < TOLD_MAX {
                    asserted.told.push(format!(
                        "{} says {} of balance {}, which was {found}",
                        one.id.text(Prefix::Assertion),
                        one.amount,
                        self.state.balance_id(handle).text(Prefix::Balance),
                    ));
                }
            }
        }
        asserted
    }
}
