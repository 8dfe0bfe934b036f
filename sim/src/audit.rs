//! What must hold after every recovery.
//!
//! The books of the engine are compared with the auditor's, row by row and figure by figure, and what needs no auditor is
//! checked by itself: sums, references, the order of time, history, the chain.

use crate::auditor::Auditor;
use engine::by_hand::ByHand;
use engine::engine::Engine;
use engine::history::Account as History;
use engine::reading::{BooksFault, reference_of};
use engine::writer::View;
use ledger::event::NO_BALANCE;
use ledger::notes::Subject;
use ledger::row::{Parent, Row, Status};
use ledger::state::State;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// What an audit found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// The engine says something that is not so.
    Wrong(String),
    /// The engine says that it cannot tell.
    Fault(String),
}

impl From<BooksFault> for Trouble {
    fn from(fault: BooksFault) -> Trouble {
        Trouble::Fault(engine::fault_text(&fault))
    }
}

/// Fails with what is wrong.
macro_rules! ensure {
    ($holds:expr, $($text:tt)+) => {
        if !$holds {
            return Err(Trouble::Wrong(format!($($text)+)));
        }
    };
}

/// Looks at the state, running the writer until it answers.
pub fn look<T: Send + 'static>(
    engine: &Engine,
    hand: &mut ByHand,
    look: impl FnOnce(&View<'_>) -> T + Send + 'static,
) -> Result<T, Trouble> {
    let found = Arc::new(Mutex::new(None));
    let slot = Arc::clone(&found);
    engine.read(look, move |value| *slot.lock().expect("one thread uses it") = Some(value));
    for _ in 0..1_000 {
        hand.turn();
        if let Some(value) = found.lock().expect("one thread uses it").take() {
            return Ok(value);
        }
        if let Some(reason) = engine.health().stopped() {
            return Err(Trouble::Fault(reason));
        }
    }
    Err(Trouble::Wrong("a look at the state is never answered".to_owned()))
}

/// The chain hash of each record of the journal.
pub fn chain(engine: &Engine) -> Result<Vec<[u8; 32]>, Trouble> {
    let mut scan = engine.books().journal().scan_all();
    let mut chain = Vec::new();
    while let Some(record) = scan.next().map_err(|fault| Trouble::Fault(engine::fault_text(&fault)))? {
        ensure!(record.seq == chain.len() as u64 + 1, "record {} follows {}", record.seq, chain.len());
        chain.push(record.after.chain);
    }
    Ok(chain)
}

/// Compares an engine with the books as they must be. The clock must stand at the beginning, so that nothing becomes due.
pub fn audit(engine: &Engine, hand: &mut ByHand, books: &Auditor) -> Result<(), Trouble> {
    let state = look(engine, hand, |view| view.state.clone())?;
    figures(&state, books)?;
    open_things(&state, books)?;
    let rows = rows(engine, books)?;
    references(engine, hand, books, &rows)?;
    history(engine, &state, &rows)?;
    for (row, said) in &books.notes {
        let changes = engine.books().changes(Subject::Rows(Parent::Row(*row)))?;
        let found: Vec<&String> = changes.iter().map(|(_, change)| &change.metadata).collect();
        ensure!(found.iter().copied().eq(said), "of row {row} was said {said:?}, not {found:?}");
    }
    Ok(())
}

/// Figures of every balance, and what needs no auditor: money is conserved (P4).
fn figures(state: &State, books: &Auditor) -> Result<(), Trouble> {
    ensure!(state.balances.len() == books.accounts.len(), "{} balances", state.balances.len());
    let mut sums: BTreeMap<u32, [i128; 2]> = BTreeMap::new();
    for (handle, wanted) in books.accounts.iter().enumerate() {
        let balance = state.balance(handle as u32);
        let figures = balance.figures;
        let found = [figures.posted.credit, figures.posted.debit, figures.held.credit, figures.held.debit];
        let expected = [wanted.credit, wanted.debit, wanted.held_credit, wanted.held_debit];
        ensure!(found == expected, "balance {handle} has {found:?} and must have {expected:?}");
        ensure!(
            figures.available() == books.available(handle),
            "balance {handle} has {} to spend",
            figures.available()
        );
        let sum = sums.entry(balance.currency).or_default();
        sum[0] += found[0] - found[1];
        sum[1] += found[2] - found[3];
    }
    ensure!(sums.values().all(|sum| *sum == [0, 0]), "the balances of a currency do not sum to zero: {sums:?}");
    for (handle, wanted) in books.accounts.iter().enumerate() {
        let policed = state.policy(handle as u32).is_some();
        ensure!(policed == wanted.minimum.is_some(), "balance {handle} has a floor: {policed}");
    }
    Ok(())
}

fn open_things(state: &State, books: &Auditor) -> Result<(), Trouble> {
    let holds: BTreeMap<u64, i128> = state.holds.iter().map(|(row, hold)| (*row, hold.remaining)).collect();
    let wanted: BTreeMap<u64, i128> = books.holds.iter().map(|(row, hold)| (*row, hold.remaining)).collect();
    ensure!(holds == wanted, "the open holds are {holds:?} and must be {wanted:?}");
    let waiting: BTreeMap<u64, i64> = state.scheduled.iter().map(|(row, at)| (*row, *at)).collect();
    let wanted: BTreeMap<u64, i64> = books.waiting.iter().map(|(row, waiting)| (*row, waiting.due_at)).collect();
    ensure!(waiting == wanted, "what waits is {waiting:?} and must be {wanted:?}");
    let mut timers: Vec<(i64, u64)> = wanted.iter().map(|(row, at)| (*at, *row)).collect();
    timers.extend(books.holds.iter().filter_map(|(row, hold)| Some((hold.expires_at?, *row))));
    timers.sort_unstable();
    let found: Vec<(i64, u64)> = state.timers.iter().map(|(at, row, _)| (at, row)).collect();
    ensure!(found == timers, "the timers are {found:?} and must be {timers:?}");
    Ok(())
}

/// Every row, with the reference that its record has.
fn rows(engine: &Engine, books: &Auditor) -> Result<Vec<Row>, Trouble> {
    let count = engine.books().rows.len();
    ensure!(count == books.rows.len() as u64, "{count} rows, and {} must be there", books.rows.len());
    let mut rows: Vec<Row> = Vec::with_capacity(books.rows.len());
    for (number, wanted) in (0..).zip(&books.rows) {
        let row = engine.books().row(number)?;
        let Some(row) = row else { return Err(Trouble::Wrong(format!("row {number} is not there"))) };
        let parent = if let Parent::Row(parent) = row.parent { Some(parent) } else { None };
        let found = (row.status, row.amount, parent);
        let expected = (wanted.status, wanted.amount, wanted.parent);
        ensure!(found == expected, "row {number} is {found:?} and must be {expected:?}");
        for (handle, party) in [(row.source, wanted.source), (row.destination, wanted.destination)] {
            let named = (handle != NO_BALANCE).then_some(handle as usize);
            // Who was never opened has no balance yet in the row, whatever was opened since.
            ensure!(
                named == party || named.is_none() && unmoved(row.status),
                "row {number} names {named:?}, not {party:?}"
            );
        }
        if let Some(at) = wanted.effective_at {
            ensure!(row.effective_at == at, "row {number} counts at {}, not at {at}", row.effective_at);
        }
        ensure!(rows.last().is_none_or(|last| last.created_at <= row.created_at), "time goes back at row {number}");
        if let Some(reference) = &wanted.reference {
            let found = reference_of(&engine.books().recorded(&row)?, &row);
            ensure!(found == *reference, "row {number} has the reference {found}, not {reference}");
        }
        let by_id = engine.books().find_transaction(row.id())?;
        ensure!(by_id == Some(row), "row {number} is not found by its id");
        rows.push(row);
    }
    Ok(rows)
}

/// Whether rows of a status leave the figures as they are.
const fn unmoved(status: Status) -> bool {
    matches!(status, Status::Queued | Status::Rejected | Status::Scheduled)
}

/// Each reference leads to its row, and to no other that has the same (P3).
fn references(engine: &Engine, hand: &mut ByHand, books: &Auditor, rows: &[Row]) -> Result<(), Trouble> {
    let mut of: BTreeMap<&String, u64> = BTreeMap::new();
    for (number, row) in (0..).zip(&books.rows) {
        if let Some(reference) = &row.reference {
            let other = of.insert(reference, number);
            ensure!(other.is_none(), "rows {other:?} and {number} both have the reference {reference}");
        }
    }
    let prints: Vec<(u64, u64)> =
        of.iter().map(|(reference, number)| (engine.books().fingerprint(reference), *number)).collect();
    let found = look(engine, hand, move |view| {
        let rows = prints.iter().map(|(print, number)| (*number, view.rows_of_reference(*print)));
        rows.map(|(number, found)| found.map(|found| (number, found))).collect::<Result<Vec<_>, _>>()
    })?;
    for (number, found) in found.map_err(|fault| Trouble::Fault(engine::fault_text(&fault)))? {
        // An outcome of the queue is indexed beside its request; both are found by what each is called.
        ensure!(found.contains(&number), "row {number} of {} is not found by its reference: {found:?}", rows.len());
    }
    Ok(())
}

/// The figures of every balance at some moments, summed from all rows, are what its history says.
fn history(engine: &Engine, state: &State, rows: &[Row]) -> Result<(), Trouble> {
    let Some(middle) = rows.get(rows.len() / 2).map(|row| row.created_at) else { return Ok(()) };
    let view = engine.books().dated.view();
    for handle in 0..state.balances.len() as u32 {
        let balance = state.balance(handle);
        let account = History::new(
            engine.books(),
            &view,
            handle,
            (balance.history.newest(), balance.history.count),
            balance.dated,
        )?;
        for at in [middle, middle - 20_000_000, i64::MAX - 1] {
            let found = account.before(engine.books(), engine::dated::Cut::before(at))?;
            let counts = |row: &&Row| row.status == Status::Applied && row.effective_at < at;
            let credit: i128 =
                rows.iter().filter(counts).filter(|row| row.destination == handle).map(|row| row.amount).sum();
            let debit: i128 = rows.iter().filter(counts).filter(|row| row.source == handle).map(|row| row.amount).sum();
            let found = (found.credit, found.debit);
            ensure!(found == (credit, debit), "balance {handle} had {found:?} at {at}, not {:?}", (credit, debit));
        }
    }
    Ok(())
}
