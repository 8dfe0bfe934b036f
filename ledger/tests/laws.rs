//! Laws that hold after every command of every history, whatever clients do.
//!
//! Histories are made from seeds. `FLORIN_SEED=<number>` plays one seed alone, `FLORIN_SEEDS=<number>` so many; a failing test
//! names its seed.

mod support {
    pub mod auditor;
    pub mod book;
    pub mod digest;
    pub mod judge;
    pub mod model;
    pub mod order;
    pub mod origins;
    pub mod periods;
    pub mod police;
    pub mod random;
    pub mod said;
    pub mod trial;
    pub mod workload;
}

use ledger::apply::apply;
use ledger::command::{Batch, Mismatch, Terms};
use ledger::decide::Decision;
use ledger::event::{Event, Outcome};
use ledger::id::{Id, Prefix};
use ledger::rejection::{Refused, Rejection};
use ledger::row::{Flags, NO_ROW, Row};
use ledger::sharded::Sharded;
use ledger::state::State;
use std::collections::{BTreeMap, HashSet};
use std::hash::Hash;
use support::book::Book;
use support::digest::digest;
use support::model::{Verdict, expected, verdict};
use support::order::Order;
use support::workload::{Step, Workload};

const SEEDS: u64 = 200;
const STEPS: usize = 300;

/// Says which seed was being played when a law was broken.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("play it again with FLORIN_SEED={}", self.0);
        }
    }
}

fn seeds() -> Vec<u64> {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect("a seed is a number"));
    match number("FLORIN_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("FLORIN_SEEDS").unwrap_or(SEEDS)).collect(),
    }
}

/// One seed in ten posts across currencies, one in three has fingerprints of few bits, so that many are equal.
fn book_of(seed: u64) -> Book {
    let mut book = Book::new(seed ^ 0x5eed);
    if seed % 10 == 9 {
        book.mismatch = Mismatch::Allow;
    }
    if seed.is_multiple_of(3) {
        book.fingerprint_mask = 7;
    }
    book
}

/// One seed in a hundred has a long history, on few balances.
fn steps_of(seed: u64) -> usize {
    if seed % 100 == 1 { 10 * STEPS } else { STEPS }
}

fn play(book: &mut Book, step: Step) -> Option<Result<Decision, Refused>> {
    match step {
        Step::Command(command) => Some(book.perform(command)),
        Step::Record { batch, goes_on, queued, orders } => {
            Some(book.perform(book.recording(batch, goes_on, queued, &orders)))
        }
        Step::Settle { action, rows, amount, open: true, .. } => Some(book.settle_open(action, &rows, amount)),
        Step::Settle { action, rows, amount, over, .. } => Some(book.settle_as_far(action, &rows, amount, over)),
        Step::Change(row, change) => Some(book.change_hold(row, change)),
        Step::Refund(parts, queued) => Some(book.refund_parts(&parts, queued)),
        Step::Cancel(groups) => Some(book.cancel(&groups)),
        Step::Reschedule(groups, due_at, amount) => Some(book.reschedule(&groups, due_at, amount)),
        Step::Wait(micros) => {
            book.now += micros;
            book.run_due();
            None
        }
    }
}

/// Proves for random histories: deciding changes nothing and is repeatable, money is conserved in each currency, figures
/// are sums of rows, holds and timers are those that rows leave open, references are used once, links lead where they
/// should (all of it in `Book::perform` and the auditor), and verdicts are those of a model written independently.
#[test]
fn every_command_keeps_the_books() {
    let mut outcomes = HashSet::new();
    let mut longest = 0;
    let mut followed = BTreeMap::new();
    for seed in seeds() {
        let _told = Told(seed);
        let mut book = book_of(seed);
        let mut workload = Workload::new(seed);
        for _ in 0..steps_of(seed) {
            let step = workload.step(&book);
            let expected = expected(&book, &step);
            let free = free_items(&book, &step);
            let told = format!("{step:?}");
            let alone = one_by_one(&book, &step);
            try_order(&mut book, &step);
            let dates = dates_after(&book, &step);
            let answer = play(&mut book, step);
            if let (Some(expected), Some(answer)) = (expected, &answer) {
                assert_eq!(verdict(answer), expected, "{told}");
            }
            if let (Some((row, expires_at, commits_at)), Some(Ok(_))) = (dates, &answer) {
                let hold = book.state.holds.get(&row).expect("a changed hold is open");
                assert_eq!((hold.expires_at, hold.commits_at), (expires_at, commits_at), "{told}");
            }
            if let (Some(free), Some(answer)) = (free, &answer) {
                check_kept_items(&free, answer);
            }
            if let (Some(alone), Some(answer)) = (alone, &answer) {
                check_one_by_one(&alone, &book, answer, &told);
            }
            outcomes.extend(answer.as_ref().map(verdict));
        }
        book.auditor.periods.check_sums(&book.state, &book.rows);
        longest = book.state.balances.iter().map(|balance| balance.history.count).fold(longest, u64::max);
        walk_histories(&book);
        read_ids(&book);
        count_lineage(&book, &mut followed);
    }
    if std::env::var_os("FLORIN_SEED").is_none() {
        let refusal = |verdict: &&Verdict| matches!(verdict, Verdict::Refused(_) | Verdict::Rejected(_));
        for told in [Verdict::Refused(Rejection::PeriodClosed), Verdict::Rejected(Rejection::PeriodClosed)] {
            assert!(outcomes.contains(&told), "some fall into closed books: {told:?}");
        }
        let reached = outcomes.iter().filter(refusal).count();
        assert!(
            reached >= 50 && longest >= 1000,
            "histories are rich: {reached} refusals, {longest} rows of a balance"
        );
        // Seven kinds of movements have a lineage: it is posted, held or both; three of them settle it too.
        let often = followed.values().filter(|count| **count >= 5).count();
        assert!(often >= 30, "much is traced, in every way: {followed:?}");
    }
}

/// Proves that replay is the live path: all events, applied to an empty state, give an equal state and equal rows; and
/// that a clone taken midway is a checkpoint: it stays as it was, and goes on to the same end.
#[test]
fn replay_equals_live() {
    for seed in seeds() {
        let _told = Told(seed);
        let mut book = book_of(seed);
        let mut workload = Workload::new(seed);
        let mut checkpoint = None;
        for number in 0..steps_of(seed) {
            if number == steps_of(seed) / 2 {
                checkpoint = Some((book.state.clone(), digest(&book.state), book.events.len(), book.rows.len()));
            }
            let step = workload.step(&book);
            play(&mut book, step);
        }
        let (clone, before, events_count, rows_count) = checkpoint.expect("half of the steps were made");
        assert_eq!(digest(&clone), before, "a clone is not touched by what follows");
        let (half, half_rows) = replay(State::new(), &book, 0, events_count);
        assert_equal(&half, &clone);
        assert_eq!(half_rows, book.rows[..rows_count]);
        for (state, from, rows_from) in [(State::new(), 0, 0), (clone, events_count, rows_count)] {
            let (state, rows) = replay(state, &book, from, book.events.len());
            assert_equal(&state, &book.state);
            assert_eq!(rows, book.rows[rows_from..], "replay makes the rows that the live path made");
        }
    }
}

fn replay(mut state: State, book: &Book, from: usize, to: usize) -> (State, Vec<Row>) {
    let mut rows = Vec::new();
    for (record, event) in book.events.iter().enumerate().take(to).skip(from) {
        apply(&mut state, event, record as u64, &mut rows);
    }
    (state, rows)
}

/// Panics unless two states hold the same, naming the part that differs.
fn assert_equal(one: &State, other: &State) {
    assert_eq!((one.rows_count, one.latest_at), (other.rows_count, other.latest_at), "rows and time");
    assert!(one.balances.iter().eq(other.balances.iter()), "balances, their figures and histories");
    assert!(one.ledgers.iter().eq(other.ledgers.iter()), "ledgers");
    assert!(one.identities.iter().eq(other.identities.iter()), "identities");
    assert!(one.currencies.iter().eq(other.currencies.iter()), "currencies");
    assert_eq!(sorted(&one.holds), sorted(&other.holds), "open holds");
    assert!(one.timers.iter().eq(other.timers.iter()), "timers");
    assert_eq!(sorted(&one.scheduled), sorted(&other.scheduled), "requests that wait");
    assert_eq!(sorted(&one.adjusted), sorted(&other.adjusted), "amounts that were changed");
    assert_eq!(sorted(&one.policies), sorted(&other.policies), "policies, and what was moved under them");
    assert!(one.closings.iter().eq(other.closings.iter()), "closings");
    assert_eq!(one.closings.open(), other.closings.open(), "closings without totals");
    assert!(one.assertions.iter().eq(other.assertions.iter()), "assertions");
    assert_eq!(sorted(&one.tracked), sorted(&other.tracked), "funds of tracked balances");
    assert_eq!(sorted(&one.held_parts), sorted(&other.held_parts), "parts of open holds");
    assert!(one.currencies.all_registered().eq(other.currencies.all_registered()), "registered currencies");
    let indicators = |state: &State| {
        let mut all: Vec<_> =
            state.indicators().map(|(text, currency, handle)| (text.to_owned(), currency, handle)).collect();
        all.sort();
        all
    };
    assert_eq!(indicators(one), indicators(other), "indicators");
}

fn sorted<K: Hash + Ord + Clone, V: Clone>(map: &Sharded<K, V>) -> Vec<(K, V)> {
    let mut pairs: Vec<(K, V)> = map.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    pairs.sort_by(|one, other| one.0.cmp(&other.0));
    pairs
}

/// Counts what followed from what, and how.
fn count_lineage(book: &Book, counts: &mut BTreeMap<String, u64>) {
    let word =
        |text: String| text.split(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default().to_owned();
    for event in &book.events {
        let Event::Recorded(event) = event else { continue };
        for (_, movement) in event.lineage() {
            let (role, of) = movement.kind.lineage().expect("it is one of the lineage");
            let main = word(format!("{:?}", event.movements[of as usize].kind));
            let own = word(format!("{:?}", movement.kind));
            let role = word(format!("{role:?}"));
            *counts.entry(format!("{main}: {own} {role} {:?}", movement.outcome)).or_default() += 1;
        }
    }
}

/// Walking back from the newest row of a balance meets exactly the rows that name it, and figures that only go down.
fn walk_histories(book: &Book) {
    for (handle, balance) in (0u32..).zip(book.state.balances.iter()) {
        let named = |row: &&Row| row.source == handle || row.destination == handle;
        let mut expected: Vec<u64> = book.rows.iter().filter(named).map(|row| row.number).collect();
        let mut at = balance.history.newest();
        let mut after = balance.figures.posted;
        while at != NO_ROW {
            assert_eq!(expected.pop(), Some(at), "a history misses no row and has none twice");
            let row = &book.rows[at as usize];
            let source = row.source == handle;
            let (figures, links) = if source {
                (row.source_after, row.source_links)
            } else {
                (row.destination_after, row.destination_links)
            };
            assert!(figures.credit <= after.credit && figures.debit <= after.debit, "sums only grow");
            (at, after) = (links.previous, figures);
        }
        assert!(expected.is_empty(), "a history ends with the first row of its balance");
    }
}

/// Every id that is shown leads back to what it names, and references are all different.
fn read_ids(book: &Book) {
    let mut references = HashSet::new();
    let mut ids = HashSet::new();
    for row in &book.rows {
        let id = Id::parse(Prefix::Transaction, &row.id().text(Prefix::Transaction)).expect("an id that was written");
        assert_eq!(book.rows[id.row() as usize].id(), row.id());
        assert!(ids.insert(id), "ids are different");
        assert!(references.insert(book.reference_of(row)), "each reference is used at most once");
    }
    for handle in 0..book.state.balances.len() as u32 {
        let text = book.state.balance_id(handle).text(Prefix::Balance);
        assert_eq!(Id::parse(Prefix::Balance, &text).and_then(|id| book.state.find_balance(id)), Some(handle));
    }
    for handle in 0..book.state.ledgers.len() as u32 {
        assert_eq!(book.state.find_ledger(&book.state.ledger_text(handle)), Some(handle));
    }
    let mut owned = vec![0; book.state.identities.len()];
    for balance in book.state.balances.iter() {
        if let Some(identity) = balance.identity {
            owned[identity as usize] += 1;
        }
    }
    for account in book.state.accounts.iter() {
        owned[account.identity as usize] += 1;
    }
    for (handle, identity) in book.state.identities.iter().enumerate() {
        let found = book.state.find_identity(&book.state.identity_text(handle as u32));
        assert_eq!(found == Some(handle as u32), !identity.is_deleted, "one that is deleted is not found");
        assert_eq!(identity.uses, owned[handle], "an identity knows how many balances and accounts are its own");
        assert!(!identity.is_deleted || identity.uses == 0, "nothing belongs to nobody");
    }
}

/// The dates that a hold is to have after a change: those that it was told, and of its own what it was not told.
fn dates_after(book: &Book, step: &Step) -> Option<(u64, Option<i64>, Option<i64>)> {
    let Step::Change(row, change) = step else { return None };
    let hold = book.state.holds.get(row)?;
    Some((*row, change.expires_at.or(hold.expires_at), change.commits_at.or(hold.commits_at)))
}

/// A single order that is tried tells what the model says, and steps that go from the figures as they are.
fn try_order(book: &mut Book, step: &Step) {
    let Step::Record { batch: Batch::Single, queued, orders, .. } = step else { return };
    let [order] = &orders[..] else { return };
    // What is tried runs at once.
    let order = Order { terms: Terms { scheduled_at: None, ..order.terms.clone() }, ..order.clone() };
    let (batch, goes_on, queued) = (Batch::Single, false, *queued);
    let wanted = expected(book, &Step::Record { batch, goes_on, queued, orders: vec![order.clone()] });
    let (tried, steps) = book.attempt(book.recording(batch, goes_on, queued, &[order]));
    let told = match verdict(&tried) {
        Verdict::Rejected(rejection) if !queued => Verdict::Refused(rejection),
        told => told,
    };
    assert_eq!(Some(told), wanted, "what is tried is what would happen: {tried:?}");
    if let (Ok(Decision { event: Some(Event::Recorded(event)), .. }), [step]) = (&tried, &steps[..]) {
        let movement = &event.movements[0];
        for (handle, seen) in [(movement.source, step.source), (movement.destination, step.destination)] {
            let now = book.state.balances.get(handle as usize).map(|balance| balance.figures).unwrap_or_default();
            assert_eq!(seen.before, now);
            let moves = !matches!(movement.outcome, Outcome::Rejected(_));
            assert_eq!(seen.after != seen.before, moves, "only what is not refused moves something");
        }
    }
}

/// The items of an independent batch none of whose references are taken before it.
fn free_items(book: &Book, step: &Step) -> Option<Vec<u32>> {
    let Step::Record { batch: Batch::Independent, orders, .. } = step else { return None };
    let free = |legs: &[Order]| legs.iter().all(|leg| !book.references.contains_key(&leg.reference));
    let items = orders.chunk_by(|one, next| one.item == next.item);
    Some(items.filter(|legs| free(legs)).map(|legs| legs[0].item).collect())
}

/// An independent batch keeps every item that was not refused and, unless it goes on, none behind the first that was.
fn check_kept_items(free: &[u32], answer: &Result<Decision, Refused>) {
    let (event, refused) = match answer {
        Ok(Decision { event, refused, .. }) => (event.as_ref(), refused.clone()),
        Err(refused) => (None, vec![*refused]),
    };
    let mut kept: Vec<u32> = match event {
        Some(Event::Recorded(event)) => event.main_movements().iter().map(|movement| movement.item).collect(),
        _ => Vec::new(),
    };
    kept.dedup();
    let is_refused = |item: &u32| refused.iter().any(|refused| refused.item == *item);
    assert!(kept.iter().all(|item| free.contains(item) && !is_refused(item)), "an item has one fate: {answer:?}");
    let last = kept.last().copied().unwrap_or(0).max(refused.last().map_or(0, |refused| refused.item));
    let expected: Vec<u32> = free.iter().copied().filter(|item| !is_refused(item) && *item <= last).collect();
    assert_eq!(kept, expected, "items that are not refused are kept: {answer:?}");
}

/// The books as they are when the items of a batch are sent one by one, and what came of each; as far as an independent batch
/// would go, or an atomic one that stands.
fn one_by_one(book: &Book, step: &Step) -> Option<(Book, Vec<Verdict>)> {
    let Step::Record { batch, goes_on, queued, orders } = step else { return None };
    if *batch == Batch::Single || !book.rows.len().is_multiple_of(3) {
        return None;
    }
    let mut alone = book.clone();
    let mut verdicts = Vec::new();
    for legs in orders.chunk_by(|one, next| one.item == next.item) {
        let answer = alone.record(Batch::Single, *queued, legs);
        verdicts.push(verdict(&answer));
        if answer.is_err() && !goes_on {
            break;
        }
    }
    Some((alone, verdicts))
}

/// A batch does what its items do one by one. An atomic one does so when none of them is refused, and nothing otherwise.
fn check_one_by_one(alone: &(Book, Vec<Verdict>), book: &Book, answer: &Result<Decision, Refused>, told: &str) {
    let (alone, verdicts) = alone;
    let failed = |verdict: &Verdict| matches!(verdict, Verdict::Refused(_) | Verdict::Rejected(_));
    let atomic =
        matches!(answer, Ok(Decision { event: Some(Event::Recorded(event)), .. }) if event.batch == Batch::Atomic);
    let fell = |answer: &Result<Decision, Refused>| match answer {
        Ok(Decision { event: Some(Event::Recorded(event)), .. }) => {
            event.movements.iter().all(|movement| matches!(movement.outcome, Outcome::Rejected(_)))
        }
        Ok(_) => false,
        Err(_) => true,
    };
    if atomic && verdicts.iter().any(failed) || answer.is_err() {
        assert!(fell(answer) && verdicts.iter().any(failed), "{told} {verdicts:?}");
        return;
    }
    let figures = |book: &Book| book.state.balances.iter().map(|balance| balance.figures).collect::<Vec<_>>();
    assert_eq!(figures(book), figures(alone), "a batch does what its items do: {told}");
    assert_eq!(book.rows.len(), alone.rows.len(), "and makes the rows that they make: {told}");
    let same =
        |(one, other): (&Row, &Row)| (one.status, one.amount, one.flags) == (other.status, other.amount, other.flags);
    for lineage in [false, true] {
        // What follows in the lineage stands behind the whole batch.
        let of = |book: &Book| -> Vec<Row> {
            book.rows.iter().filter(|row| row.flags.has(Flags::LINEAGE) == lineage).copied().collect()
        };
        assert!(of(book).iter().zip(&of(alone)).all(same), "{told}");
    }
    assert_eq!(book.state.holds.len(), alone.state.holds.len(), "{told}");
}
