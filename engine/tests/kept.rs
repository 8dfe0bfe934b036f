//! Closings and assertions, held against naive sums over all rows: for random work with business dates that go back and forth, books
//! that are closed in between, restarts from checkpoints and from the journal alone, and crashes.

mod support {
    pub mod harness;
}

use engine::aggregate::Snapshot;
use engine::answer::Answer;
use engine::clock::Clock;
use engine::closings;
use engine::dated::Cut;
use engine::engine::{Engine, Options};
use engine::history::{Account, Known};
use engine::limits::{REQUIRED_ROWS_MAX, Sizes};
use journal::disk::{Disk, MemoryDisk, RealDisk};
use ledger::assertions::Assertion;
use ledger::closings::{Closing, Total, Turnover};
use ledger::command::{
    AssertBalance, Batch, CloseLedger, Command, DeleteAssertion, Found, Record, RecordTotals, Terms,
};
use ledger::event::Event;
use ledger::id::{Id, Prefix};
use ledger::rejection::Rejection;
use ledger::row::{Row, Status};
use ledger::state::{GENERAL_LEDGER_ID, NO_RECORD};
use ledger::wide::Wide;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use support::harness::{Post, Scratch, balance, ledger, look, options, pay, post, record, submit, verified};

const SECOND: i64 = 1_000_000;
const START: i64 = 1_790_000_000_000_000;

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn start(disk: &(impl Disk + Clone + 'static), folder: &Scratch, clock: &Arc<AtomicI64>) -> Engine {
    let sizes = Sizes { checkpoint_rows: 60, checkpoint_records: 50, dated_chunk_rows: 3, ..Sizes::USUAL };
    let options = Options { clock: Clock::Moved(Arc::clone(clock)), sizes, ..options(folder) };
    Engine::open(Arc::new(disk.clone()), options).expect("the engine opens")
}

/// A payment with a business date.
fn dated(engine: &Engine, one: Post, effective_at: Option<i64>) -> Answer {
    let Command::Record(mut command) = record(engine, Batch::Single, false, &[one]) else { unreachable!("it records") };
    date(&mut command, effective_at);
    submit(engine, Command::Record(command))
}

fn date(command: &mut Record, effective_at: Option<i64>) {
    for ask in &mut command.asks {
        ask.allow_overdraft = true;
        ask.terms = Terms { effective_at, ..ask.terms().clone() }.boxed();
    }
}

fn close(engine: &Engine, ledger: &str, until: i64) -> Answer {
    let (description, metadata) = ("d".to_owned(), "{\"k\":1}".to_owned());
    submit(engine, Command::CloseLedger(CloseLedger { ledger: ledger.to_owned(), until, description, metadata }))
}

fn assertion(balance: Id, as_of: i64, amount: i128, required: Option<Found>) -> AssertBalance {
    AssertBalance {
        balance,
        as_of,
        before_row: u64::MAX,
        amount,
        precision: 100,
        description: "d".into(),
        source: "bank".into(),
        metadata: String::new(),
        required,
    }
}

fn made(answer: Answer) -> u32 {
    match answer {
        Answer::Made { handle, .. } => handle,
        other => panic!("wanted something that was made, got {other:?}"),
    }
}

fn refused(answer: Answer) -> Rejection {
    match answer {
        Answer::Refused(refused) => refused.rejection,
        other => panic!("wanted a refusal, got {other:?}"),
    }
}

fn closing_of(engine: &Engine, number: u32) -> (Closing, Option<i64>) {
    look(engine, move |view| {
        let closings = &view.state.closings;
        let closing = *closings.get(number).expect("it is there");
        let before = closings.of_ledger(closing.ledger).iter().take_while(|other| **other < number).last();
        (closing, before.map(|before| closings.get(*before).expect("it is there").until))
    })
    .expect("the engine answers")
}

/// What the engine sums of a closing.
fn summed(engine: &Engine, number: u32) -> Vec<Total> {
    let (closing, from) = closing_of(engine, number);
    let snapshot = look(engine, |view| Snapshot::of(view.state)).expect("the engine answers");
    let stop = AtomicBool::new(false);
    closings::totals(engine.books(), &snapshot, &closing, from, &stop).expect("it can be summed")
}

fn rows(engine: &Engine) -> Vec<Row> {
    let books = engine.books();
    (0..books.rows.len()).map(|row| books.row(row).expect("readable").expect("there")).collect()
}

/// The same by one row after the other.
fn naive(engine: &Engine, number: u32) -> Vec<Total> {
    let (closing, from) = closing_of(engine, number);
    let of_ledger = look(engine, move |view| {
        let of = |(_, balance): &(u32, &ledger::state::Balance)| balance.ledger == closing.ledger;
        let all = (0u32..).zip(view.state.balances.iter()).filter(of);
        all.map(|(handle, balance)| (handle, (balance.currency, balance.created_at))).collect::<BTreeMap<_, _>>()
    });
    let of_ledger = of_ledger.expect("the engine answers");
    let mut totals: BTreeMap<u32, Total> = BTreeMap::new();
    for (currency, created_at) in of_ledger.values() {
        if *created_at < closing.until {
            let total = totals.entry(*currency).or_insert(Total { currency: *currency, ..Total::default() });
            total.balances += 1;
        }
    }
    for row in rows(engine).iter().filter(|row| row.status == Status::Applied && row.effective_at < closing.until) {
        for (handle, credit, debit) in [(row.source, 0, row.amount), (row.destination, row.amount, 0)] {
            let Some((currency, _)) = of_ledger.get(&handle) else { continue };
            let total = totals.entry(*currency).or_insert(Total { currency: *currency, ..Total::default() });
            let add = |turnover: &mut Turnover| {
                turnover.credit.add(credit);
                turnover.debit.add(debit);
            };
            add(&mut total.closing);
            if from.is_some_and(|from| row.effective_at < from) {
                add(&mut total.opening);
            }
        }
    }
    totals.into_values().collect()
}

/// What the engine finds of an assertion, and what the rows say one after the other.
fn found(engine: &Engine, one: &Assertion) -> (i128, i128) {
    let view = engine.books().dated.view();
    let handle = one.balance;
    let known = look(engine, move |view| Known::of(view.state, handle)).expect("the engine answers");
    let account = Account::new(engine.books(), &view, known).expect("readable");
    let posted = account.before(engine.books(), Cut { at: one.as_of, row: one.before_row }).expect("readable");
    let naive = rows(engine).iter().filter(|row| row.status == Status::Applied).fold(0, |sum, row| {
        let counts = (row.effective_at, row.number) < (one.as_of, one.before_row);
        let credit = if counts && row.destination == handle { row.amount } else { 0 };
        let debit = if counts && row.source == handle { row.amount } else { 0 };
        sum + credit - debit
    });
    (posted.credit - posted.debit, naive)
}

/// All that is kept, as the state and the records have it.
type Kept = (Vec<Closing>, Vec<Assertion>, Vec<Option<Vec<Total>>>);

fn kept(engine: &Engine) -> Kept {
    let (closings, assertions) = look(engine, |view| {
        let closings: Vec<Closing> = view.state.closings.iter().copied().collect();
        (closings, view.state.assertions.iter().copied().collect::<Vec<Assertion>>())
    })
    .expect("the engine answers");
    let recorded = closings.iter().map(|closing| {
        let Event::LedgerClosed(event) = engine.books().event(closing.record).expect("readable") else {
            panic!("a closing is told by its record")
        };
        assert_eq!((event.id, event.until, &*event.description), (closing.id, closing.until, "d"));
        (closing.totals != NO_RECORD).then(|| match engine.books().event(closing.totals).expect("readable") {
            Event::ClosingTotalled(event) => event.totals,
            other => panic!("totals are told by their record, not {other:?}"),
        })
    });
    let recorded = recorded.collect();
    (closings, assertions, recorded)
}

/// Random work: payments with dates, closings, totals, assertions. Answers how many payments fell into closed books.
fn work(engine: &Engine, clock: &AtomicI64, random: &mut Random, steps: u64, ledgers: &[String], ids: &[Id]) -> usize {
    let mut late = 0;
    for number in 0..steps {
        clock.fetch_add(random.below(4) as i64 * SECOND, Ordering::SeqCst);
        let now = clock.load(Ordering::SeqCst);
        let recent = |random: &mut Random| now - random.below(40) as i64 * SECOND / 2;
        let id = ids[random.below(ids.len() as u64) as usize];
        match random.below(12) {
            0 => {
                let ledger = &ledgers[random.below(ledgers.len() as u64) as usize];
                match close(engine, ledger, recent(random)) {
                    Answer::Made { handle, .. } => {
                        let totals = summed(engine, handle);
                        assert_eq!(totals, naive(engine, handle));
                        if random.below(4) > 0 {
                            let (Closing { id: closing, .. }, _) = closing_of(engine, handle);
                            made(submit(engine, Command::RecordTotals(RecordTotals { closing, totals })));
                        }
                    }
                    other => assert_eq!(refused(other), Rejection::AlreadyClosed),
                }
            }
            1 | 2 => {
                let as_of = recent(random);
                let handle = look(engine, move |view| view.state.find_balance(id).expect("it exists"));
                let (balance, before_row) = (handle.expect("the engine answers"), u64::MAX);
                let (created_at, amount, record) = (0, 0, 0);
                let asked = Assertion { id, created_at, balance, as_of, before_row, amount, record };
                let (amount, naive) = found(engine, &asked);
                assert_eq!(amount, naive);
                made(submit(engine, Command::AssertBalance(assertion(id, as_of, amount, None))));
            }
            3 => {
                let all = kept(engine).1;
                let alive = all.iter().filter(|one| one.record != NO_RECORD).nth(random.below(9) as usize);
                if let Some(&Assertion { id: assertion, balance, .. }) = alive {
                    let balance = look(engine, move |view| view.state.balance_id(balance)).expect("it answers");
                    made(submit(engine, Command::DeleteAssertion(DeleteAssertion { balance, assertion })));
                }
            }
            _ => {
                let other = ids[random.below(ids.len() as u64) as usize];
                let other = if other == id { "@World".to_owned() } else { other.text(Prefix::Balance) };
                let amount = 1 + i128::from(random.below(1_000));
                let one = post(&id.text(Prefix::Balance), &other, amount, &format!("r{now}-{number}-{}", random.0));
                let effective = (random.below(2) == 0).then(|| recent(random) - random.below(60) as i64 * SECOND);
                match dated(engine, one, effective) {
                    Answer::Recorded(_) => {}
                    other => {
                        assert_eq!(refused(other), Rejection::PeriodClosed);
                        late += 1;
                    }
                }
            }
        }
    }
    late
}

/// Whatever happens after books were closed, their totals stay what they were, and everything is the same from a checkpoint, from
/// the journal alone, and in `verify`.
#[test]
fn what_is_kept_stays_and_is_compared_with_the_rows() {
    let folder = Scratch::new();
    let (disk, clock) = (RealDisk::new(), Arc::new(AtomicI64::new(START)));
    let mut engine = start(&disk, &folder, &clock);
    let mut random = Random(7);
    let ledgers = [GENERAL_LEDGER_ID.to_owned(), ledger(&engine), ledger(&engine)];
    let ids: Vec<Id> = (0..6).map(|at| balance(&engine, &ledgers[at % 3])).collect();
    let mut late = 0;
    for round in 0..4 {
        late += work(&engine, &clock, &mut random, 120, &ledgers, &ids);
        let before = kept(&engine);
        for (number, recorded) in (0..).zip(&before.2) {
            let totals = summed(&engine, number);
            assert_eq!(totals, naive(&engine, number), "a closing is summed as the rows say");
            assert!(recorded.as_ref().is_none_or(|recorded| *recorded == totals), "and stays what it was");
        }
        let alive: Vec<&Assertion> = before.1.iter().filter(|one| one.record != NO_RECORD).collect();
        let mut broken = 0;
        for one in &alive {
            let (amount, naive) = found(&engine, one);
            assert_eq!(amount, naive);
            broken += u64::from(amount != one.amount);
        }
        engine.close();
        drop(engine);
        let report = verified(&disk, &folder);
        assert_eq!(report.problems, [], "round {round}");
        assert_eq!((report.asserted.count, report.asserted.broken), (alive.len() as u64, broken));
        assert_eq!(report.asserted.told.len() as u64, broken.min(100));
        assert!(broken > 0 && broken < alive.len() as u64, "some hold: {broken} of {}", alive.len());
        if round % 2 == 1 {
            for name in ["tables", "references", "children", "checkpoints", "dated"] {
                std::fs::remove_dir_all(folder.0.join(name)).expect("it was made");
            }
        }
        engine = start(&disk, &folder, &clock);
        assert_eq!(engine.started().replayed_records > 0, round % 2 == 1, "a clean stop leaves nothing to replay");
        assert_eq!(kept(&engine), before, "round {round}");
    }
    let (closings, _, recorded) = kept(&engine);
    assert!(late > 20 && closings.len() > 15, "much was closed: {late} {}", closings.len());
    assert!(recorded.iter().any(Option::is_none) && recorded.iter().filter(|one| one.is_some()).count() > 10);
}

/// What was answered outlives a crash, and a closing that has no totals yet still has none.
#[test]
fn what_was_kept_outlives_a_crash() {
    let (folder, disk, clock) = (Scratch::new(), MemoryDisk::new(), Arc::new(AtomicI64::new(START)));
    let engine = start(&disk, &folder, &clock);
    let of = ledger(&engine);
    let (one, other) = (balance(&engine, &of), balance(&engine, GENERAL_LEDGER_ID));
    let [one_text, other_text] = [one, other].map(|id| id.text(Prefix::Balance));
    for seed in 0..8u64 {
        let until = START + seed as i64;
        clock.store(until + SECOND, Ordering::SeqCst);
        dated(&engine, post(&other_text, &one_text, 5, &format!("r{seed}")), None);
        let number = made(close(&engine, &of, until));
        if seed % 2 == 0 {
            let (Closing { id: closing, .. }, _) = closing_of(&engine, number);
            let totals = summed(&engine, number);
            made(submit(&engine, Command::RecordTotals(RecordTotals { closing, totals })));
        }
        made(submit(&engine, Command::AssertBalance(assertion(one, until, i128::from(seed), None))));
    }
    let before = kept(&engine);
    let left = disk.crash(3);
    drop(engine);
    let engine = start(&left, &folder, &clock);
    assert_eq!(kept(&engine), before);
    let open = look(&engine, |view| view.state.closings.open().iter().copied().collect::<Vec<u32>>());
    assert_eq!(open, Some(vec![1, 3, 5, 7]));
    for number in [1, 3, 5, 7] {
        assert_eq!(summed(&engine, number), naive(&engine, number));
    }
    let late = dated(&engine, post(&other_text, &one_text, 5, "late"), Some(START + 6));
    assert_eq!(refused(late), Rejection::PeriodClosed);
    dated(&engine, post(&other_text, &one_text, 5, "in time"), Some(START + 7));
}

/// What has to hold is compared with the rows that came after its maker had looked, too.
#[test]
fn what_must_hold_is_judged_by_the_rows_of_its_turn() {
    let (folder, disk, clock) = (Scratch::new(), MemoryDisk::new(), Arc::new(AtomicI64::new(START)));
    let engine = start(&disk, &folder, &clock);
    let (one, other) = (balance(&engine, GENERAL_LEDGER_ID), balance(&engine, GENERAL_LEDGER_ID));
    let [one_text, other_text] = [one, other].map(|id| id.text(Prefix::Balance));
    dated(&engine, post("@World", &one_text, 100, "a"), None);
    clock.fetch_add(10 * SECOND, Ordering::SeqCst);
    let rows = engine.books().rows.len();
    let looked = Found { rows, amount: 100 };
    let ask =
        |amount, as_of, required| submit(&engine, Command::AssertBalance(assertion(one, as_of, amount, required)));
    // What counts later, what is of others, and what is only held says nothing of that moment.
    dated(&engine, post(&one_text, &other_text, 7, "b"), None);
    dated(&engine, post("@World", &other_text, 9, "c"), Some(START));
    pay(&engine, Post { inflight: true, ..post(&one_text, &other_text, 3, "d") });
    made(ask(100, START, Some(looked)));
    assert_eq!(refused(ask(99, START, Some(looked))), Rejection::AssertionBroken);
    assert_eq!(refused(ask(100, START + 10 * SECOND, Some(looked))), Rejection::AssertionBroken);
    made(ask(93, START + 10 * SECOND, Some(looked)));
    // What is dated back does.
    dated(&engine, post(&one_text, &other_text, 1, "e"), Some(START));
    assert_eq!(refused(ask(100, START, Some(looked))), Rejection::AssertionBroken);
    made(ask(99, START, Some(looked)));
    // Of what counts in the moment itself only rows before one are meant.
    let now = START + 10 * SECOND;
    let before_row = engine.books().rows.len();
    dated(&engine, post(&one_text, &other_text, 1, "f"), None);
    let of_now = AssertBalance { before_row, ..assertion(one, now, 92, Some(looked)) };
    made(submit(&engine, Command::AssertBalance(of_now)));
    assert_eq!(refused(ask(92, now, Some(looked))), Rejection::AssertionBroken);
    assert_eq!(refused(ask(99, now + 1, None)), Rejection::InFuture);
}

/// How many rows the writer looks at before it wants the balance to be looked at again.
#[test]
fn a_look_is_too_old_after_so_many_rows() {
    let (folder, disk, clock) = (Scratch::new(), MemoryDisk::new(), Arc::new(AtomicI64::new(START)));
    let engine = start(&disk, &folder, &clock);
    let one = balance(&engine, GENERAL_LEDGER_ID);
    let text = one.text(Prefix::Balance);
    let mut references = 0..;
    let mut more = |count: u64| {
        let posts: Vec<Post> =
            references.by_ref().take(count as usize).map(|at| post("@W", &text, 1, &format!("{at}"))).collect();
        let posts: Vec<Post> = posts.into_iter().map(|one| Post { padding: 0, ..one }).collect();
        support::harness::recorded(submit(&engine, record(&engine, Batch::Atomic, false, &posts)));
    };
    let mut left = REQUIRED_ROWS_MAX;
    while left > 0 {
        more(left.min(4_000));
        left -= left.min(4_000);
    }
    let ask = |amount| {
        submit(&engine, Command::AssertBalance(assertion(one, START, amount, Some(Found { rows: 0, amount: 0 }))))
    };
    made(ask(i128::from(REQUIRED_ROWS_MAX)));
    more(1);
    assert!(matches!(ask(i128::from(REQUIRED_ROWS_MAX) + 1), Answer::Outdated));
}

/// Totals that are not what the rows add up to are a problem of the books.
#[test]
fn wrong_totals_are_found() {
    let mut wide = Wide::default();
    wide.add(6);
    let wrong: [fn(&mut Total, Wide); 4] = [
        |total, _| total.balances += 1,
        |total, wide| total.closing.credit = wide,
        |total, wide| total.opening.debit = wide,
        |total, wide| total.closing.debit = wide,
    ];
    for spoil in [None].into_iter().chain(wrong.into_iter().map(Some)) {
        let (folder, disk, clock) = (Scratch::new(), RealDisk::new(), Arc::new(AtomicI64::new(START)));
        let engine = start(&disk, &folder, &clock);
        let of = ledger(&engine);
        let one = balance(&engine, &of).text(Prefix::Balance);
        dated(&engine, post("@World", &one, 5, "a"), None);
        clock.fetch_add(SECOND, Ordering::SeqCst);
        let number = made(close(&engine, &of, START + 1));
        let mut totals = summed(&engine, number);
        assert_eq!(totals.len(), 1);
        if let Some(spoil) = spoil {
            spoil(&mut totals[0], wide);
        }
        let (Closing { id: closing, .. }, _) = closing_of(&engine, number);
        made(submit(&engine, Command::RecordTotals(RecordTotals { closing, totals: totals.clone() })));
        let again = submit(&engine, Command::RecordTotals(RecordTotals { closing, totals }));
        assert!(matches!(again, Answer::Unchanged), "{again:?}");
        engine.close();
        drop(engine);
        let report = verified(&disk, &folder);
        let told: Vec<&str> = report.problems.iter().map(|problem| &*problem.text).collect();
        let wanted =
            format!("the totals of closing {} are not what the journal adds up to", closing.text(Prefix::Closing));
        assert_eq!(told, if spoil.is_some() { vec![&*wanted] } else { Vec::new() });
    }
}
