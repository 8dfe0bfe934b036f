//! What must hold after every recovery.
//!
//! The books of the engine are compared with the auditor's, row by row and figure by figure, and what needs no auditor is
//! checked by itself: sums, references, the order of time, history, the chain.

use crate::auditor::{Auditor, Status as Wanted};
use crate::command::Names;
use engine::aggregate::{AggregateFault, Snapshot};
use engine::by_hand::ByHand;
use engine::closings;
use engine::engine::Engine;
use engine::history::{Account, Known};
use engine::merkle::read::Tree;
use engine::reading::{BooksFault, reference_of};
use engine::verify::proofs::Signed;
use engine::writer::View;
use ledger::event::NO_BALANCE;
use ledger::notes::Subject;
use ledger::row::{Parent, Row, Status};
use ledger::state::State;
use ledger::timers::Due;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
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

/// Compares an engine with the books as they must be. The clock must stand at the beginning, so that nothing becomes due. Answers
/// what things are called.
pub fn audit(engine: &Engine, hand: &mut ByHand, books: &Auditor) -> Result<Names, Trouble> {
    let state = look(engine, hand, |view| view.state.clone())?;
    figures(&state, books)?;
    said_of_balances(&state, books)?;
    open_things(&state, books)?;
    let rows = rows(engine, books)?;
    references(engine, hand, books, &rows)?;
    history(engine, &state, &rows)?;
    let names = kept(engine, &state, books)?;
    for (row, said) in &books.notes {
        let changes = engine.books().changes(Subject::Rows(Parent::Row(*row)))?;
        let found: Vec<&String> = changes.iter().map(|(_, change)| &change.metadata).collect();
        ensure!(found.iter().copied().eq(said), "of row {row} was said {said:?}, not {found:?}");
    }
    Ok(names)
}

/// What somebody would sign of an engine's books now, to hold against them later (P7). The same tree must come of the same rows,
/// whatever is left of what was derived.
pub fn signed(engine: &Engine, before: &[Signed]) -> Result<Signed, Trouble> {
    let tip = engine.books().merkle().tip();
    let mut tree = Tree::new(engine.books(), tip.rows);
    for one in before {
        ensure!(one.size <= tip.rows, "a tree of {} leaves was signed, and there are {}", one.size, tip.rows);
        ensure!(tree.root(one.size)? == one.root, "the tree of {} leaves has another root than was signed", one.size);
    }
    Ok(Signed { size: tip.rows, root: tree.root(tip.rows)?, record: Some((tip.seq, tip.chain)) })
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
    Ok(())
}

/// Whose balances are, what they may do, what they are called, whose money they have.
fn said_of_balances(state: &State, books: &Auditor) -> Result<(), Trouble> {
    for (handle, wanted) in books.accounts.iter().enumerate() {
        let balance = state.balance(handle as u32);
        let about = (balance.ledger as usize, balance.identity.map(|owner| owner as usize), balance.created_at);
        let expected = (wanted.ledger, wanted.owner, wanted.made_at);
        ensure!(about == expected, "balance {handle} is {about:?} and must be {expected:?}");
        ensure!(state.alias(handle as u32) == wanted.name, "balance {handle} is not called {:?}", wanted.name);
        let found = state
            .policy(handle as u32)
            .map(|policed| policed.spent.iter().map(|spent| (spent.since, spent.sum, spent.count)).collect::<Vec<_>>());
        let spent = wanted.ruled.as_ref().map(|ruled| ruled.spent.clone());
        ensure!(found == spent, "balance {handle} has moved {found:?} in its windows and must have {spent:?}");
        let found = state.tracked(handle as u32).map(|tracked| {
            let funds = tracked.funds.iter().map(|fund| (fund.provider.to_string(), fund.purse.available()));
            funds.collect::<Vec<_>>()
        });
        let funds = wanted
            .funds
            .as_ref()
            .map(|funds| funds.iter().map(|fund| (fund.provider.to_owned(), fund.left)).collect::<Vec<_>>());
        ensure!(found == funds, "balance {handle} has the money of {found:?} and must have that of {funds:?}");
    }
    Ok(())
}

/// Ledgers, persons, monitors, closings and claims; and what closings add up to.
fn kept(engine: &Engine, state: &State, books: &Auditor) -> Result<Names, Trouble> {
    let mut names = Names::default();
    ensure!(state.ledgers.len() == books.ledgers, "{} ledgers", state.ledgers.len());
    names.ledgers.extend((0..books.ledgers as u32).map(|ledger| state.ledger_text(ledger)));
    ensure!(state.identities.len() == books.persons.len(), "{} identities", state.identities.len());
    for (person, forgotten) in (0..).zip(&books.persons) {
        let identity = state.identities.get(person).expect("they were counted");
        let owned = books.accounts.iter().filter(|account| account.owner == Some(person)).count() as u32;
        let found = (identity.is_deleted, identity.uses);
        ensure!(found == (*forgotten, owned), "identity {person} is {found:?} and owns {owned}");
        names.persons.push(state.identity_text(person as u32));
    }
    let watches = state.monitors.changes().len() as u64;
    ensure!(watches == books.watches, "{watches} monitors were made, and {} must be", books.watches);
    let registered: BTreeMap<&str, u64> = books.registered.iter().map(|(code, (units, _))| (*code, *units)).collect();
    let found = state.currencies.all_registered();
    let found: BTreeMap<&str, u64> =
        found.map(|(number, one)| (state.currencies.text(number), one.precision)).collect();
    ensure!(found == registered, "the registered currencies are {found:?} and must be {registered:?}");
    let made = state.assertions.made_count();
    ensure!(made == books.claims.len(), "{made} assertions, and {} must be", books.claims.len());
    for (number, wanted) in (0..).zip(&books.claims) {
        let found = state.assertions.get(number).expect("they were counted");
        let exists = found.record != ledger::state::NO_RECORD;
        ensure!(exists == wanted.is_some(), "whether assertion {number} exists is {exists}");
        names.claims.push((found.id, state.balance_id(found.balance)));
    }
    closed(engine, state, books, &mut names)?;
    Ok(names)
}

/// Closings are where they must be, and what they add up to is what the auditor adds up.
fn closed(engine: &Engine, state: &State, books: &Auditor, names: &mut Names) -> Result<(), Trouble> {
    ensure!(state.closings.len() == books.closings.len(), "{} closings", state.closings.len());
    let snapshot = Snapshot::of(state);
    for (number, wanted) in (0..).zip(&books.closings) {
        let found = state.closings.get(number).expect("they were counted");
        let about = (found.ledger as usize, found.until, found.totals != ledger::state::NO_RECORD);
        let expected = (wanted.ledger, wanted.until, wanted.totalled);
        ensure!(about == expected, "closing {number} is {about:?} and must be {expected:?}");
        let totals = closings::totals(engine.books(), &snapshot, found, wanted.from, &AtomicBool::new(false));
        let totals = totals.map_err(|fault| match fault {
            AggregateFault::Books(fault) => Trouble::from(fault),
            other => Trouble::Wrong(format!("closing {number} cannot be summed: {other:?}")),
        })?;
        for total in &totals {
            let currency = state.currencies.text(total.currency);
            let sums = books.sums_before(wanted.ledger, currency, wanted.until);
            let opening = wanted.from.map(|from| books.sums_before(wanted.ledger, currency, from));
            let opening = opening.unwrap_or_default();
            let found = (
                total.balances,
                [total.opening.credit, total.opening.debit, total.closing.credit, total.closing.debit].map(narrow),
            );
            let sums = (sums.count, [opening.credit, opening.debit, sums.credit, sums.debit].map(Some));
            ensure!(found == sums, "closing {number} adds up to {found:?} of {currency} and must to {sums:?}");
        }
        names.closings.push((found.id, totals));
    }
    Ok(())
}

/// A sum that is not larger than the workload makes it.
fn narrow(sum: ledger::wide::Wide) -> Option<i128> {
    let (high, low) = sum.parts();
    i128::try_from(low).ok().filter(|_| high == 0)
}

fn open_things(state: &State, books: &Auditor) -> Result<(), Trouble> {
    let holds: BTreeMap<u64, i128> = state.holds.iter().map(|(row, hold)| (*row, hold.remaining)).collect();
    let wanted: BTreeMap<u64, i128> = books.holds.iter().map(|(row, hold)| (*row, hold.remaining)).collect();
    ensure!(holds == wanted, "the open holds are {holds:?} and must be {wanted:?}");
    let waiting: BTreeMap<u64, i64> = state.scheduled.iter().map(|(row, at)| (*row, *at)).collect();
    let wanted: BTreeMap<u64, i64> = books.waiting.iter().map(|(row, waiting)| (*row, waiting.due_at)).collect();
    ensure!(waiting == wanted, "what waits is {waiting:?} and must be {wanted:?}");
    let adjusted: BTreeMap<u64, i128> = state.adjusted.iter().map(|(row, amount)| (*row, *amount)).collect();
    let other: BTreeMap<u64, i128> =
        books.waiting.iter().filter_map(|(row, waiting)| Some((*row, waiting.amount?))).collect();
    ensure!(adjusted == other, "the changed amounts are {adjusted:?} and must be {other:?}");
    let mut timers: Vec<(i64, u64, Due)> = wanted.iter().map(|(row, at)| (*at, *row, Due::Execute)).collect();
    timers.extend(books.holds.iter().filter_map(|(row, hold)| Some((hold.commits_at?, *row, Due::Commit))));
    timers.extend(books.holds.iter().filter_map(|(row, hold)| Some((hold.expires_at?, *row, Due::Expire))));
    timers.sort_unstable();
    let found: Vec<(i64, u64, Due)> = state.timers.iter().collect();
    ensure!(found == timers, "the timers are {found:?} and must be {timers:?}");
    Ok(())
}

/// The auditor's word for a status.
pub const fn in_words(status: Status) -> Wanted {
    match status {
        Status::Queued => Wanted::Queued,
        Status::Scheduled => Wanted::Scheduled,
        Status::Inflight => Wanted::Inflight,
        Status::Applied => Wanted::Applied,
        Status::Void => Wanted::Void,
        Status::Rejected => Wanted::Rejected,
    }
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
        let found = (in_words(row.status), row.amount, parent, row.created_at, row.effective_at);
        let expected = (wanted.status, wanted.amount, wanted.parent, wanted.at, wanted.counts_at());
        ensure!(found == expected, "row {number} is {found:?} and must be {expected:?}");
        for (handle, party) in [(row.source, wanted.source), (row.destination, wanted.destination)] {
            let named = (handle != NO_BALANCE).then_some(handle as usize);
            // Who was never opened has no balance yet in the row, whatever was opened since.
            ensure!(
                named == party || named.is_none() && unmoved(row.status),
                "row {number} names {named:?}, not {party:?}"
            );
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
        let account = Account::new(engine.books(), &view, Known::of(state, handle))?;
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
