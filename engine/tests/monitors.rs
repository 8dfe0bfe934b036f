//! What the follower of monitors says fired, held against an independent model that evaluates every monitor after every movement
//! (`support/naive.rs`).
//!
//! Proves that it is the same for random work of all kinds, with monitors made, changed and deleted in between; after restarts,
//! crashes at every operation of the disk, and after alerts were deleted or damaged in any way. And that nothing is done as long
//! as there was no monitor.

mod support {
    pub mod harness;
    pub mod model;
    pub mod naive;
    pub mod workload;
}

use engine::answer::Answer;
use engine::clock::Clock;
use engine::engine::{Engine, Options};
use engine::limits::Sizes;
use engine::monitors::Known;
use journal::disk::{Disk, Failure, MemoryDisk, RealDisk};
use ledger::command::{Action, Batch, Command, DeleteMonitor, SetMonitor};
use ledger::id::{Id, Prefix};
use ledger::monitor::{Condition, Definition, Field, Operator};
use ledger::row::{Flags, Status};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};
use support::harness::{
    self, Post, Scratch, balance, cancel_command, change_command, ledger, look, post, record_all, refund_through,
    settle_as_far, submit,
};
use support::naive::{fired, told};
use support::workload::{Random, START};

/// An engine with small sizes, whose clock stands where it is put.
struct Bench {
    folder: Scratch,
    clock: Arc<AtomicI64>,
    disk: Arc<dyn Disk>,
}

impl Bench {
    fn new(disk: impl Disk + 'static) -> Bench {
        Bench { folder: Scratch::new(), clock: Arc::new(AtomicI64::new(START)), disk: Arc::new(disk) }
    }

    fn start(&self) -> Engine {
        let sizes = Sizes { checkpoint_rows: 60, checkpoint_records: 50, alerts_mark_rows: 23, ..Sizes::USUAL };
        let options = Options { clock: Clock::Moved(Arc::clone(&self.clock)), sizes, ..harness::options(&self.folder) };
        Engine::open(Arc::clone(&self.disk), options).expect("the engine opens")
    }

    fn table(&self, name: &str) -> PathBuf {
        self.folder.0.join("tables").join(name)
    }
}

/// Waits until everything that is due is carried out, and everything is evaluated.
fn caught_up(engine: &Engine) {
    let end = Instant::now() + Duration::from_secs(30);
    let nothing_due = || look(engine, |view| view.state.timers.first().is_none_or(|(at, _, _)| at > view.now));
    while nothing_due() == Some(false) {
        assert!(Instant::now() < end, "what is due is carried out");
    }
    while engine.books().monitors().known(engine.books().rows.len()) == Known::Later {
        let fault = engine.books().monitors().fault();
        assert!(Instant::now() < end, "the follower catches up: {fault:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn compare(engine: &Engine, what: &str) -> usize {
    caught_up(engine);
    let (wanted, found) = (fired(engine), told(engine));
    assert_eq!(found.len(), wanted.len(), "{what}");
    assert_eq!(found, wanted, "{what}");
    wanted.len()
}

fn definition(conditions: Vec<Condition>) -> Definition {
    Definition {
        conditions,
        any: false,
        edge: false,
        description: "d".into(),
        call_back_url: String::new(),
        metadata: String::new(),
    }
}

fn condition(field: Field, operator: Operator, threshold: i128) -> Condition {
    Condition { field, operator, threshold, precision: 100 }
}

/// Random work on a few balances.
struct Work {
    random: Random,
    balances: Vec<Id>,
    made: u64,
}

impl Work {
    fn begin(engine: &Engine, seed: u64) -> Work {
        let ledger = ledger(engine);
        let balances = (0..4).map(|_| balance(engine, &ledger)).collect();
        Work { random: Random(seed), balances, made: 0 }
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.random.below(limit)
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.random.one_in(many)
    }

    fn reference(&mut self) -> String {
        self.made += 1;
        format!("r{}", self.made)
    }

    fn balance(&mut self) -> Id {
        let at = self.below(self.balances.len() as u64);
        self.balances[at as usize]
    }

    /// Does something. What is refused is as good as what is not.
    fn act(&mut self, engine: &Engine, now: i64) {
        let command = match self.below(20) {
            0..3 => self.monitor(engine),
            // What is due is carried out by the writer before it looks.
            3 => {
                look(engine, |_| ());
                return;
            }
            4..8 => self.settle(engine),
            8 => {
                let row = self.below(engine.books().rows.len() + 1);
                let (amount, reference) = (self.one_in(2).then_some(7), self.reference());
                let queued = self.one_in(2);
                refund_through(engine, queued, row, amount, &reference)
            }
            9 => match self.waiting(engine) {
                Some(group) => cancel_command(&[group]),
                None => return,
            },
            _ => self.record(engine, now),
        };
        // An engine whose disk has failed answers that it takes nothing.
        drop(submit(engine, command));
    }

    fn waiting(&mut self, engine: &Engine) -> Option<u64> {
        look(engine, |view| view.state.scheduled.iter().map(|(row, _)| *row).min()).flatten()
    }

    fn settle(&mut self, engine: &Engine) -> Command {
        let rows = engine.books().rows.len();
        let mut holds = Vec::new();
        for number in 0..rows {
            let row = engine.books().row(number).expect("rows are readable").expect("it is there");
            if row.status == Status::Inflight && !row.flags.has(Flags::CHANGE) {
                holds.push(number);
            }
        }
        let hold = if holds.is_empty() { 0 } else { holds[self.below(holds.len() as u64) as usize] };
        let amount = (!self.one_in(3)).then(|| 1 + i128::from(self.below(40)));
        match self.below(4) {
            0 => settle_as_far(hold, Action::Void, None, false),
            1 => change_command(hold, amount, None),
            _ => settle_as_far(hold, Action::Commit, amount, true),
        }
    }

    fn record(&mut self, engine: &Engine, now: i64) -> Command {
        let count = if self.one_in(3) { 2 + self.below(5) } else { 1 };
        let queued = self.one_in(3);
        let mut posts = Vec::new();
        for _ in 0..count {
            let source = if self.one_in(3) { "@World".to_owned() } else { self.balance().text(Prefix::Balance) };
            let destination = self.balance().text(Prefix::Balance);
            let reference = self.reference();
            let amount = 1 + i128::from(self.below(60));
            let inflight = self.one_in(3);
            let scheduled_at = (queued && self.one_in(4)).then(|| now + 1 + self.below(9) as i64);
            let expires_at = (inflight && self.one_in(3)).then(|| now + 1 + self.below(20) as i64);
            posts.push(Post {
                inflight,
                scheduled_at,
                expires_at,
                overdraft: true,
                ..post(&source, &destination, amount, &reference)
            });
        }
        let batch = match (count, self.one_in(2)) {
            (1, _) => Batch::Single,
            (_, true) => Batch::Atomic,
            _ => Batch::Independent,
        };
        let mut command = record_all(engine, batch, batch == Batch::Independent, queued, &posts);
        if let Command::Record(record) = &mut command
            && self.one_in(5)
        {
            // The legs of one split transaction.
            for (leg, ask) in (1..).zip(&mut record.asks) {
                (ask.item, ask.leg) = (0, leg);
            }
        }
        command
    }

    fn monitor(&mut self, engine: &Engine) -> Command {
        let existing = look(engine, |view| {
            let monitors = &view.state.monitors;
            monitors.iter().filter(|one| monitors.find(one.id).is_some()).map(|one| one.id).collect::<Vec<Id>>()
        });
        let existing = existing.unwrap_or_default();
        let one = (!existing.is_empty()).then(|| existing[self.below(existing.len() as u64) as usize]);
        if let Some(monitor) = one
            && self.one_in(4)
        {
            return Command::DeleteMonitor(DeleteMonitor { monitor });
        }
        let count = if self.one_in(3) { 1 + self.below(3) } else { 1 };
        let conditions = (0..count).map(|_| {
            let (field, operator) = (Field::ALL[self.below(6) as usize], Operator::ALL[self.below(6) as usize]);
            let threshold = if self.one_in(3) { 0 } else { i128::from(self.below(160)) - 60 };
            condition(field, operator, threshold)
        });
        let conditions = conditions.collect();
        let definition = Definition { any: self.one_in(2), edge: self.one_in(2), ..definition(conditions) };
        let monitor = one.filter(|_| self.one_in(3));
        Command::SetMonitor(SetMonitor { monitor, balance: self.balance(), definition })
    }
}

/// What is done to a folder between two starts.
fn between(bench: &Bench, random: &mut Random) -> &'static str {
    let (alerts, mark) = (bench.table("alerts.tbl"), bench.table("alerts.mark"));
    let len = fs::metadata(&alerts).map_or(0, |found| found.len());
    match random.below(8) {
        0 => {
            drop(fs::remove_file(&alerts));
            "without alerts"
        }
        1 => {
            drop(fs::remove_file(&mark));
            "without a mark"
        }
        2 => {
            for name in ["tables", "references", "children", "checkpoints"] {
                drop(fs::remove_dir_all(bench.folder.0.join(name)));
            }
            "without what is derived"
        }
        3 if len > 0 => {
            let mut bytes = fs::read(&alerts).expect("it is readable");
            bytes[random.below(len) as usize] ^= 1;
            fs::write(&alerts, bytes).expect("it can be written");
            "with a damaged alert"
        }
        4 if len > 0 => {
            let bytes = fs::read(&alerts).expect("it is readable");
            fs::write(&alerts, &bytes[..random.below(len) as usize]).expect("it can be written");
            "with torn alerts"
        }
        5 if mark.exists() => {
            let mut bytes = fs::read(&mark).expect("it is readable");
            let at = random.below(bytes.len() as u64) as usize;
            bytes[at] ^= 1;
            fs::write(&mark, bytes).expect("it can be written");
            "with a damaged mark"
        }
        _ => "as it was",
    }
}

#[test]
fn what_fires_is_what_a_naive_model_says_across_restarts_and_damage() {
    let mut all = 0;
    for seed in 1..=6 {
        let bench = Bench::new(RealDisk::new());
        let mut engine = bench.start();
        let mut work = Work::begin(&engine, seed);
        for round in 0..12 {
            for _ in 0..40 {
                let now = bench.clock.fetch_add(1, Ordering::Relaxed);
                work.act(&engine, now);
            }
            if work.one_in(3) {
                compare(&engine, &format!("seed {seed} round {round}"));
            }
            drop(engine);
            let what = between(&bench, &mut work.random);
            engine = bench.start();
            all += compare(&engine, &format!("seed {seed} round {round} {what}"));
        }
    }
    assert!(all > 2_000, "{all} alerts are too few to prove much");
}

#[test]
fn a_crash_at_any_operation_loses_and_doubles_nothing() {
    let mut stopped = 0;
    for failure in [Failure::PowerLost, Failure::Io] {
        for n in 0..200u64 {
            let disk = if n % 4 == 3 { MemoryDisk::buffered() } else { MemoryDisk::new() };
            let mut bench = Bench::new(disk.clone());
            let engine = bench.start();
            let mut work = Work::begin(&engine, n % 5);
            disk.fail_after(n, failure);
            for _ in 0..80 {
                let now = bench.clock.fetch_add(1, Ordering::Relaxed);
                if engine.health().stopped().is_none() {
                    work.act(&engine, now);
                }
            }
            stopped += u32::from(engine.health().stopped().is_some());
            drop(engine);
            bench.disk = Arc::new(disk.crash(n));
            let engine = bench.start();
            compare(&engine, &format!("{failure:?} at {n}"));
            drop(engine);
            compare(&bench.start(), &format!("{failure:?} at {n}, started twice"));
        }
    }
    assert!(stopped > 100, "failures reach the engine: {stopped}");
}

#[test]
fn the_alerts_of_another_journal_do_not_count() {
    let benches = [1, 2].map(|seed| {
        let bench = Bench::new(RealDisk::new());
        let engine = bench.start();
        let mut work = Work::begin(&engine, seed);
        for _ in 0..200 {
            let now = bench.clock.fetch_add(1, Ordering::Relaxed);
            work.act(&engine, now);
        }
        assert!(compare(&engine, "before") > 10);
        bench
    });
    for name in ["alerts.tbl", "alerts.mark"] {
        fs::copy(benches[0].table(name), benches[1].table(name)).expect("it can be copied");
    }
    compare(&benches[1].start(), "with the alerts of another journal");
}

#[test]
fn without_monitors_nothing_is_done() {
    let bench = Bench::new(RealDisk::new());
    let engine = bench.start();
    let mut work = Work::begin(&engine, 3);
    for _ in 0..100 {
        let command = work.record(&engine, START);
        drop(submit(&engine, command));
    }
    assert_eq!(engine.books().monitors().known(engine.books().rows.len()), Known::Nothing);
    assert!(!engine.books().monitors().are_used());
    drop(engine);
    assert!(!bench.table("alerts.tbl").exists() && !bench.table("alerts.mark").exists());
}

/// A monitor on every figure of a balance, over the life of a hold that is committed in parts and beyond its rest.
#[test]
fn every_step_of_a_hold_is_evaluated() {
    let bench = Bench::new(RealDisk::new());
    let engine = bench.start();
    let ledger = ledger(&engine);
    let (a, b) = (balance(&engine, &ledger), balance(&engine, &ledger));
    let watch = |of: Id, field, operator, threshold| {
        let definition = definition(vec![condition(field, operator, threshold)]);
        let made = submit(&engine, Command::SetMonitor(SetMonitor { monitor: None, balance: of, definition }));
        assert!(matches!(made, Answer::Made { .. }), "{made:?}");
    };
    watch(a, Field::InflightDebit, Operator::Equal, 30);
    watch(a, Field::Debit, Operator::GreaterOrEqual, 45);
    watch(b, Field::InflightCredit, Operator::Less, 30);
    watch(b, Field::Balance, Operator::Equal, 55);
    watch(b, Field::InflightCredit, Operator::Equal, 0);
    let (a, b) = (a.text(Prefix::Balance), b.text(Prefix::Balance));
    let hold = Post { inflight: true, overdraft: true, ..post(&a, &b, 50, "h") };
    harness::recorded(harness::pay(&engine, hold));
    harness::recorded(submit(&engine, settle_as_far(0, Action::Commit, Some(20), false)));
    harness::recorded(harness::pay(&engine, post("@World", &a, 500, "f")));
    harness::recorded(submit(&engine, change_command(0, Some(40), None)));
    harness::recorded(submit(&engine, settle_as_far(0, Action::Commit, Some(35), false)));
    harness::recorded(submit(&engine, settle_as_far(0, Action::Commit, Some(25), true)));
    caught_up(&engine);
    let found = told(&engine).into_iter().map(|(row, _, monitor, is_source)| (row, monitor, is_source));
    // Rows: 0 a hold of 50, 1 a commit of 20, 2 funds, 3 raised from 30 to 40, 4 a commit of 35, 5 one of 25 where 5 are left.
    let wanted = [
        (1, 0, true),
        (2, 0, false),
        (4, 1, true),
        (4, 2, false),
        (4, 3, false),
        (5, 1, true),
        (5, 2, false),
        (5, 4, false),
    ];
    assert_eq!(found.collect::<Vec<_>>(), wanted);
    compare(&engine, "holds");
}

/// `verify` compares alerts too, and monitors in checkpoints.
#[test]
fn alerts_that_the_journal_does_not_make_are_found() {
    let bench = Bench::new(RealDisk::new());
    let engine = bench.start();
    let mut work = Work::begin(&engine, 5);
    for _ in 0..300 {
        let now = bench.clock.fetch_add(1, Ordering::Relaxed);
        work.act(&engine, now);
    }
    assert!(compare(&engine, "before") > 20);
    drop(engine);
    let report = harness::verified(&RealDisk::new(), &bench.folder);
    assert_eq!(report.problems, []);
    assert!(report.checkpoints > 0);
    let path = bench.table("alerts.tbl");
    let bytes = fs::read(&path).expect("it is readable");
    let mut damaged = bytes.clone();
    damaged[5 * 32] ^= 1;
    for (content, wanted) in [(&damaged[..], "is damaged at the alerts of row"), (&bytes[..160], "is damaged")] {
        fs::write(&path, content).expect("it can be written");
        let report = harness::verified(&RealDisk::new(), &bench.folder);
        let texts: Vec<&str> = report.problems.iter().map(|problem| problem.text.as_str()).collect();
        assert!(texts.len() == 1 && texts[0].contains(wanted), "{texts:?}");
    }
    fs::remove_file(&path).expect("it is there");
    assert_eq!(harness::verified(&RealDisk::new(), &bench.folder).problems, [], "what is missing is made anew");
}
