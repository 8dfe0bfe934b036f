//! A workload that is stopped at every write and every sync, by a power cut, a failing disk, or a full one.
//!
//! Proves that what was answered is there afterwards, exactly as the model has it; that what was not answered is there whole
//! or not at all, and only from the front; that references are taken or free accordingly; that after a fault the engine
//! refuses changes and never does something else; and that `verify` finds nothing wrong in what a crash left.

mod support {
    pub mod harness;
    pub mod model;
    pub mod workload;
}

use engine::answer::{Answer, Unavailable};
use engine::clock::Clock;
use engine::engine::{Engine, Options};
use engine::limits::Sizes;
use journal::disk::{Failure, MemoryDisk};
use journal::open::Options as JournalOptions;
use ledger::command::Batch;
use ledger::rejection::Rejection;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use support::harness::{self, Scratch, keyed, pay, post, record, submit, submit_once, verified};
use support::model::{Model, Step};
use support::workload::{START, Trace, carry_out, compare, plan, records_count};

/// Bursts of the workload.
const BURSTS: usize = 70;
/// Operations at each of which it is stopped; of later ones one in [`LATER`].
const FIRST: u64 = 400;
const LATER: u64 = 3;

fn options(folder: &Scratch, clock: &Arc<AtomicI64>) -> Options {
    Options {
        journal: JournalOptions { segment_bytes: 64 << 10, record_bytes_max: 60 << 10 },
        clock: Clock::Moved(Arc::clone(clock)),
        sizes: Sizes {
            checkpoint_rows: 25,
            checkpoint_records: 20,
            references_tail_pairs: 16,
            children_tail_pairs: 4,
            dated_chunk_rows: 2,
            alerts_mark_rows: 7,
        },
        ..harness::options(folder)
    }
}

fn open(disk: &MemoryDisk, folder: &Scratch, clock: &Arc<AtomicI64>) -> Option<Engine> {
    Engine::open(Arc::new(disk.clone()), options(folder, clock)).ok()
}

/// Runs the workload on a disk that fails after so many operations.
fn run(disk: &MemoryDisk, folder: &Scratch, steps: &[Vec<Step>]) -> Trace {
    let clock = Arc::new(AtomicI64::new(START));
    let Some(engine) = open(disk, folder, &clock) else {
        return Trace { books: vec![Model::default()], answered: 0, stopped: true };
    };
    let trace = carry_out(&engine, &clock, steps);
    if trace.stopped {
        let answer = pay(&engine, post("@World", "@Late", 1, "late"));
        assert!(matches!(answer, Answer::Unavailable(Unavailable::Stopped(_))), "{answer:?}");
    }
    engine.close();
    let bug = engine.health().stopped().filter(|reason| reason.contains("bug"));
    assert_eq!(bug, None, "the writer never panics");
    trace
}

/// Opens what is left, and holds it against the model.
fn check(disk: &MemoryDisk, folder: &Scratch, trace: &Trace) {
    // The clock stands at the beginning again, so that nothing becomes due by itself.
    let clock = Arc::new(AtomicI64::new(START));
    let opened = Engine::open(Arc::new(disk.clone()), options(folder, &clock));
    let engine = opened.unwrap_or_else(|fault| panic!("it opens: {}", engine::fault_text(&fault)));
    let events = records_count(&engine);
    assert!(events >= trace.answered, "{events} records, {} were answered", trace.answered);
    let books = trace.books.get(events).expect("nothing is there that was not asked for");
    compare(&engine, books);
    for reference in books.references.iter().rev().step_by(7) {
        let answer = pay(&engine, post("@World", "@Again", 1, reference));
        let refused = matches!(answer, Answer::Refused(refused) if refused.rejection == Rejection::DuplicateReference);
        assert!(refused, "{reference} is taken: {answer:?}");
    }
    let last = trace.books.last().expect("there is one at least");
    let free = last.references.difference(&books.references).next().cloned().unwrap_or_else(|| "a-new-one".to_owned());
    check_keys(&engine, books, last);
    let posts = [post("@World", "@Again", 2, &free), post("@Again", "@World", 1, "another-new-one")];
    let answer = submit(&engine, record(&engine, Batch::Atomic, false, &posts));
    assert!(matches!(&answer, Answer::Recorded(recorded) if recorded.rows_count == 2), "{free} is free: {answer:?}");
    engine.close();
    drop(engine);
    let report = verified(disk, folder);
    assert_eq!(report.problems, [], "verify finds nothing wrong");
    assert!(report.records as usize > events);
}

/// A key that is in the books is answered as the first time, and taken for anything else. One that was lost with its request
/// is free, once.
fn check_keys(engine: &Engine, books: &Model, last: &Model) {
    let again = |name: &str, request: u8| {
        let command = record(engine, Batch::Single, false, &[post("@World", "@Key", 1, &format!("of {name}"))]);
        submit_once(engine, command, keyed(name, request))
    };
    for (name, known) in &books.keys {
        let answer = again(name, known.request);
        let replayed =
            matches!(&answer, Answer::Recorded(recorded) if recorded.replayed && recorded.rows_count == known.rows);
        assert!(replayed, "{name}: {answer:?}");
        let other = again(name, known.request.wrapping_add(1));
        assert!(matches!(other, Answer::KeyTaken), "{name}: {other:?}");
    }
    if let Some(lost) = last.keys.keys().find(|name| !books.keys.contains_key(*name)) {
        for replayed in [false, true] {
            let answer = again(lost, 1);
            let told = matches!(&answer, Answer::Recorded(recorded) if recorded.replayed == replayed);
            assert!(told, "{lost}: {answer:?}");
        }
    }
}

/// Stops the workload at its `n`-th operation and looks at what is left.
fn stop_at(n: u64, failure: Failure, steps: &[Vec<Step>]) -> bool {
    let (disk, folder) = (if n % 4 == 3 { MemoryDisk::buffered() } else { MemoryDisk::new() }, Scratch::new());
    disk.fail_after(n, failure);
    let trace = run(&disk, &folder, steps);
    if failure == Failure::Io && n.is_multiple_of(2) {
        // The disk works again, also if the failure had not come yet.
        disk.fail_after(u64::MAX >> 1, failure);
        check(&disk, &folder, &trace);
    } else {
        let left = disk.crash(n);
        if n.is_multiple_of(5) {
            // Before anything is cut or replayed: what a crash leaves is no problem either.
            assert_eq!(verified(&left, &folder).problems, [], "verify finds nothing wrong in what a crash left");
        }
        check(&left, &folder, &trace);
    }
    trace.stopped
}

/// Stops the workload at every operation, on two threads.
fn stop_everywhere(failure: Failure, seed: u64) {
    let steps = plan(seed, BURSTS);
    let (disk, folder) = (MemoryDisk::new(), Scratch::new());
    let trace = run(&disk, &folder, &steps);
    assert!(!trace.stopped && trace.answered == trace.books.len() - 1, "without a failure all is answered");
    let operations = disk.operations();
    assert!(operations > 250, "{operations} operations are too few to prove much");
    check(&disk, &folder, &trace);
    let stopped = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for half in 0..2 {
            let (steps, stopped) = (&steps, &stopped);
            scope.spawn(move || {
                let all = (0..operations).filter(|n| *n < FIRST || n % LATER == 0);
                for n in all.filter(|n| n % 2 == half) {
                    stopped.fetch_add(u64::from(stop_at(n, failure, steps)), Ordering::Relaxed);
                }
            });
        }
    });
    assert!(stopped.into_inner() > 20, "failures reach the engine");
}

/// `FLORIN_SEED=<number>` plays one seed alone.
fn seeds(usual: impl IntoIterator<Item = u64>) -> Vec<u64> {
    match std::env::var("FLORIN_SEED") {
        Ok(seed) => vec![seed.parse().expect("FLORIN_SEED is a number")],
        Err(_) => usual.into_iter().collect(),
    }
}

#[test]
fn power_cuts() {
    for seed in seeds([1, 4, 5]) {
        stop_everywhere(Failure::PowerLost, seed);
    }
}

#[test]
fn failing_disks() {
    for seed in seeds([2, 6]) {
        stop_everywhere(Failure::Io, seed);
    }
}

#[test]
fn full_disks() {
    for seed in seeds([3, 7]) {
        stop_everywhere(Failure::NoSpace, seed);
    }
}
