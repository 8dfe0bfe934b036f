//! Balances at a moment and statements, against a model that walks over all rows: random histories with many backdated and
//! future-dated rows, at random moments, after a restart, a rebuild and a crash.

mod support {
    pub mod harness;
}

use engine::clock::Clock;
use engine::dated::Cut;
use engine::engine::{Engine, Options};
use engine::history::{Account, Known, StatementFault, Walk};
use engine::limits::Sizes;
use engine::verify::Part;
use journal::disk::{Disk, Failure, MemoryDisk, RealDisk};
use ledger::command::{Action, Batch, Command, Terms};
use ledger::row::{Posted, Row, Status};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use support::harness::{self, Post, Scratch, look, pay, post, record, settle, submit, verified};

const START: i64 = 1_700_000_000_000_000;
const NAMES: [&str; 4] = ["@A", "@B", "@C", "@World"];

fn options(folder: &Scratch, clock: &Arc<AtomicI64>) -> Options {
    Options {
        clock: Clock::Moved(Arc::clone(clock)),
        sizes: Sizes {
            checkpoint_rows: 97,
            checkpoint_records: 80,
            references_tail_pairs: 64,
            children_tail_pairs: 16,
            dated_chunk_rows: 2,
            alerts_mark_rows: 50,
        },
        ..harness::options(folder)
    }
}

fn open(disk: &(impl Disk + Clone + 'static), folder: &Scratch, clock: &Arc<AtomicI64>) -> Engine {
    let opened = Engine::open(Arc::new(disk.clone()), options(folder, clock));
    opened.unwrap_or_else(|fault| panic!("it opens: {}", engine::fault_text(&fault)))
}

/// Numbers from a seed.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mixed = (self.0 ^ self.0 >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
        mixed ^ mixed >> 33
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// A business date: mostly none, else before or after the time, sometimes the very moment of another.
    fn date(&mut self, now: i64, often: u64) -> Option<i64> {
        if self.below(100) >= often {
            return None;
        }
        let far = self.below(40) as i64 * 50;
        Some(match self.below(4) {
            0 => now + far,
            1 => START - far,
            _ => now - far,
        })
    }
}

/// Does some work of every kind. `often` is how many of a hundred have a business date.
fn work(engine: &Engine, clock: &AtomicI64, seed: u64, steps: usize, often: u64) {
    let mut numbers = Numbers(seed);
    for step in 0..steps {
        let now = clock.fetch_add(numbers.below(3) as i64 * 40, Ordering::Relaxed);
        let name = |numbers: &mut Numbers| NAMES[numbers.below(4) as usize];
        let one = Post {
            overdraft: numbers.below(8) > 0,
            inflight: numbers.below(9) == 0,
            ..post(
                name(&mut numbers),
                name(&mut numbers),
                1 + i128::from(numbers.below(500)),
                &format!("{seed}-{step}"),
            )
        };
        let mut command = record(engine, Batch::Single, numbers.below(3) == 0, &[one]);
        let date = numbers.date(now, often);
        if let Command::Record(record) = &mut command {
            record.asks[0].terms = Terms { effective_at: date, ..Terms::NONE }.boxed();
        }
        submit(engine, command);
        if numbers.below(6) == 0 {
            let hold = look(engine, |view| view.state.holds.iter().map(|(row, _)| *row).min()).flatten();
            if let Some(hold) = hold {
                let action = if numbers.below(2) == 0 { Action::Commit } else { Action::Void };
                settle(engine, hold, action, None);
            }
        }
    }
}

fn all_rows(engine: &Engine) -> Vec<Row> {
    let rows = &engine.books().rows;
    (0..rows.len()).map(|number| rows.get(number).expect("rows are readable").expect("it is there")).collect()
}

/// What counts of a balance, in order, by walking over all rows.
fn model(rows: &[Row], handle: u32) -> Vec<(i64, u64, Posted)> {
    let mut counts: Vec<(i64, u64, Posted)> = rows
        .iter()
        .filter(|row| row.status == Status::Applied && (row.source == handle || row.destination == handle))
        .map(|row| {
            let credit = if row.destination == handle { row.amount } else { 0 };
            let debit = if row.source == handle { row.amount } else { 0 };
            (row.effective_at, row.number, Posted { credit, debit })
        })
        .collect();
    counts.sort_by_key(|(at, row, _)| (*at, *row));
    counts
}

fn sum<'a>(counts: impl Iterator<Item = &'a (i64, u64, Posted)>) -> Posted {
    counts.fold(Posted::default(), |sum, (_, _, moved)| Posted {
        credit: sum.credit + moved.credit,
        debit: sum.debit + moved.debit,
    })
}

fn account(engine: &Engine, handle: u32) -> Account {
    let view = engine.books().dated.view();
    let known = look(engine, move |view| Known::of(view.state, handle)).expect("the engine answers");
    Account::new(engine.books(), &view, known).expect("rows are readable")
}

/// Compares every balance at many moments, and statements between them, with the model.
fn compare(engine: &Engine, seed: u64) -> usize {
    let rows = all_rows(engine);
    let mut numbers = Numbers(seed);
    let balances = look(engine, |view| view.state.balances.len()).expect("the engine answers");
    let mut lines_seen = 0;
    for handle in 0..balances as u32 {
        let counts = model(&rows, handle);
        let mut moments: Vec<i64> = (0..12).map(|_| START - 2_200 + numbers.below(8_000) as i64).collect();
        moments.extend(counts.iter().step_by(7).map(|(at, ..)| *at));
        moments.extend([i64::MIN, i64::MAX]);
        for &at in &moments {
            let wanted = sum(counts.iter().filter(|(effective, ..)| *effective <= at));
            let found = account(engine, handle).before(engine.books(), Cut::after(at)).expect("it is readable");
            assert_eq!(found, wanted, "balance {handle} at {at}");
        }
        for pair in moments.chunks_exact(2) {
            let (from, to) = (pair[0].min(pair[1]), pair[0].max(pair[1]));
            let recorded = |row: &u64| rows[*row as usize].created_at;
            let posted = |to: i64| counts.iter().map(|(_, row, _)| *row).filter(|row| recorded(row) < to).max();
            let walk = Walk::new(engine.books(), account(engine, handle), Cut::before(from), Cut::before(to))
                .expect("it begins");
            let newest = walk.newest_posting(engine.books()).expect("it is readable").map(|row| row.number);
            assert_eq!(newest, posted(to).or(posted(i64::MAX)), "newest posting of {handle} before {to}");
            let most = [1, 3, 50, 5_000][numbers.below(4) as usize];
            lines_seen += compare_statement(engine, handle, &counts, (from, to), most);
        }
    }
    lines_seen
}

fn compare_statement(
    engine: &Engine,
    handle: u32,
    counts: &[(i64, u64, Posted)],
    (from, to): (i64, i64),
    most: usize,
) -> usize {
    let books = engine.books();
    let mut walk = Walk::new(books, account(engine, handle), Cut::before(from), Cut::before(to)).expect("it begins");
    let mut running = sum(counts.iter().filter(|(at, ..)| *at < from));
    assert_eq!(walk.running(), running, "opening of {handle}");
    let mut lines = Vec::new();
    while !walk.is_over() {
        walk.advance(books, most, &mut lines).expect("it adds up");
    }
    let wanted: Vec<_> = counts.iter().filter(|(at, ..)| (from..to).contains(at)).collect();
    assert_eq!(lines.len(), wanted.len(), "lines of {handle} from {from} to {to} by {most}");
    for (line, (at, row, moved)) in lines.iter().zip(wanted) {
        running = Posted { credit: running.credit + moved.credit, debit: running.debit + moved.debit };
        assert_eq!((line.row.effective_at, line.row.number, line.moved, line.after), (*at, *row, *moved, running));
    }
    assert_eq!((walk.running(), walk.closing()), (running, running), "closing");
    lines.len()
}

fn folder_with_work(disk: &(impl Disk + Clone + 'static), seed: u64, often: u64) -> (Scratch, Arc<AtomicI64>) {
    let (folder, clock) = (Scratch::new(), Arc::new(AtomicI64::new(START)));
    let engine = open(disk, &folder, &clock);
    work(&engine, &clock, seed, 350, often);
    assert!(compare(&engine, seed) > 100, "there is something to compare");
    engine.close();
    (folder, clock)
}

#[test]
fn at_and_statements_are_those_of_a_model() {
    for (seed, often) in [(1, 0), (2, 5), (3, 40), (4, 100)] {
        let (folder, clock) = folder_with_work(&RealDisk::new(), seed, often);
        let runs = || fs::read_dir(folder.0.join("dated")).expect("it is there").count();
        assert_eq!(runs() == 0, often == 0, "nothing is written when nothing is dated");
        // After a clean stop; without the structure; with a damaged one; without anything that is derived.
        for round in 0..4 {
            if round == 1 {
                fs::remove_dir_all(folder.0.join("dated")).expect("it can be deleted");
            }
            assert_eq!(verified(&RealDisk::new(), &folder).problems, [], "round {round} of {seed}");
            if round == 2 && often > 0 {
                // Of a data block, which is read when it is wanted; of the fences, which are read at the start.
                for back in [4_096 + 50, 4_000] {
                    damage(&folder, back);
                    let problems = verified(&RealDisk::new(), &folder).problems;
                    assert!(
                        !problems.is_empty() && problems.iter().all(|problem| problem.part == Part::Dated),
                        "{problems:?}"
                    );
                }
            }
            if round == 3 {
                for name in ["tables", "references", "children", "dated", "checkpoints"] {
                    fs::remove_dir_all(folder.0.join(name)).expect("it can be deleted");
                }
            }
            let engine = open(&RealDisk::new(), &folder, &clock);
            compare(&engine, seed + round);
            work(&engine, &clock, 100 * seed + round, 60, often);
            compare(&engine, seed + round);
            engine.close();
        }
    }
}

/// Damages a run, so many bytes before its end.
fn damage(folder: &Scratch, back: usize) {
    for entry in fs::read_dir(folder.0.join("dated")).expect("it is there") {
        let path = entry.expect("it can be listed").path();
        if path.extension().is_some_and(|extension| extension == "run") {
            let mut bytes = fs::read(&path).expect("it can be read");
            let at = bytes.len() - back;
            bytes[at] ^= 1;
            fs::write(&path, bytes).expect("it can be written");
            return;
        }
    }
}

#[test]
fn runs_are_merged_and_stay_few() {
    let (folder, clock) = folder_with_work(&RealDisk::new(), 9, 100);
    let engine = open(&RealDisk::new(), &folder, &clock);
    for round in 0..8 {
        work(&engine, &clock, 1_000 + round, 120, 100);
    }
    compare(&engine, 9);
    engine.close();
    drop(engine);
    let engine = open(&RealDisk::new(), &folder, &clock);
    compare(&engine, 10);
    engine.close();
    let runs = fs::read_dir(folder.0.join("dated")).expect("it is there").count();
    assert!(runs < 24, "{runs} files are too many");
}

#[test]
fn a_balance_with_rows_of_its_own_business_date_costs_few_reads_wherever_one_looks() {
    let (folder, clock) = (Scratch::new(), Arc::new(AtomicI64::new(START)));
    let engine = open(&MemoryDisk::new(), &folder, &clock);
    // Long stretches of rows that count elsewhere, with one between that does not.
    for stretch in 0..3 {
        for item in 0..1_300 {
            clock.fetch_add(10, Ordering::Relaxed);
            let name = format!("{stretch}-{item}");
            let mut command = record(&engine, Batch::Single, false, &[post("@World", "@A", 2, &name)]);
            if let Command::Record(record) = &mut command {
                record.asks[0].terms = Terms { effective_at: Some(START - 9_000 - item), ..Terms::NONE }.boxed();
            }
            submit(&engine, command);
        }
        pay(&engine, post("@World", "@A", 5, &format!("between {stretch}")));
    }
    let handle = 0..look(&engine, |view| view.state.balances.len()).expect("the engine answers") as u32;
    let rows = all_rows(&engine);
    for handle in handle {
        let counts = model(&rows, handle);
        for most in [1, 100, 1_024] {
            assert_eq!(compare_statement(&engine, handle, &counts, (START, i64::MAX), most), 3);
        }
        compare_statement(&engine, handle, &counts, (i64::MIN, i64::MAX), 1_024);
        let mut walk = Walk::new(engine.books(), account(&engine, handle), Cut::before(START), Cut::after(i64::MAX))
            .expect("it begins");
        let mut turns = 0;
        while !walk.is_over() {
            turns += 1;
            walk.advance(engine.books(), 1_024, &mut Vec::new()).expect("it adds up");
        }
        assert!(turns < 8, "{turns} turns for three lines: stretches of rows that count elsewhere are jumped over");
    }
}

#[test]
fn after_a_crash_at_any_moment() {
    for n in (10..900).step_by(23) {
        let (disk, folder, clock) = (MemoryDisk::new(), Scratch::new(), Arc::new(AtomicI64::new(START)));
        let failure = if n % 2 == 0 { Failure::PowerLost } else { Failure::Io };
        disk.fail_after(n, failure);
        if let Ok(engine) = Engine::open(Arc::new(disk.clone()), options(&folder, &clock)) {
            work(&engine, &clock, n, 120, 60);
            engine.close();
        }
        let left = disk.crash(n);
        assert_eq!(verified(&left, &folder).problems, [], "what a crash leaves is no problem");
        clock.store(START, Ordering::Relaxed);
        let engine = open(&left, &folder, &clock);
        compare(&engine, n);
        work(&engine, &clock, n + 1, 40, 60);
        compare(&engine, n);
        engine.close();
        drop(engine);
        assert_eq!(verified(&left, &folder).problems, [], "after a start");
    }
}

/// Rows whose amounts were changed in the table, with a checksum that fits: no statement is made of them.
#[test]
fn rows_that_do_not_add_up_give_no_statement() {
    for often in [0, 50] {
        let (folder, clock) = folder_with_work(&RealDisk::new(), 21 + often, often);
        let path = folder.0.join("tables/rows.tbl");
        let mut bytes = fs::read(&path).expect("it can be read");
        let engine = open(&RealDisk::new(), &folder, &clock);
        let row =
            all_rows(&engine).into_iter().find(|row| row.status == Status::Applied && row.source != row.destination);
        let row = row.expect("there is one");
        engine.close();
        drop(engine);
        const ROW_BYTES: usize = 192;
        const AMOUNT_AT: usize = 4 * 8 + 4 * 4;
        let at = row.number as usize * ROW_BYTES;
        assert_eq!(bytes[at + AMOUNT_AT..at + AMOUNT_AT + 16], row.amount.to_le_bytes(), "the format is what it was");
        bytes[at + AMOUNT_AT..at + AMOUNT_AT + 16].copy_from_slice(&(row.amount + 1).to_le_bytes());
        let mut hasher = crc32fast::Hasher::new_with_initial(row.number as u32);
        hasher.update(&bytes[at..at + ROW_BYTES - 4]);
        bytes[at + ROW_BYTES - 4..at + ROW_BYTES].copy_from_slice(&hasher.finalize().to_le_bytes());
        fs::write(&path, &bytes).expect("it can be written");
        let engine = open(&RealDisk::new(), &folder, &clock);
        let books = engine.books();
        let whole = (Cut::before(i64::MIN), Cut::after(i64::MAX));
        let mut walk = Walk::new(books, account(&engine, row.source), whole.0, whole.1).expect("it begins");
        let mut lines = Vec::new();
        let fault = loop {
            assert!(!walk.is_over(), "a statement that does not add up is not made");
            if let Err(fault) = walk.advance(books, 10, &mut lines) {
                break fault;
            }
        };
        assert!(matches!(fault, StatementFault::Unequal { .. }), "{fault}");
        assert!(lines.iter().all(|line| line.row.number != row.number), "the wrong row is not handed out");
        engine.close();
    }
}
