//! What is scheduled: groups run as one event, also long after and from records that take turns; they are called off or run,
//! never both; and what could not run is not accepted.

mod support {
    pub mod harness;
}

use engine::answer::{Answer, Unavailable};
use engine::clock::Clock;
use engine::engine::{Engine, Options};
use engine::reading::reference_of;
use journal::disk::{Disk, MemoryDisk, RealDisk};
use journal::open::Options as JournalOptions;
use ledger::command::{Batch, Command, Reschedule};
use ledger::id::Prefix;
use ledger::row::{Flags, Parent, Row, Status};
use std::sync::Arc;
use std::sync::Barrier;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::channel;
use support::harness::{
    self, Post, Scratch, balance, cancel_command, figures, hold_writer, ledger, look, pay, post, record, recorded,
    submit, verified,
};

const START: i64 = 1_790_000_000_000_000;

fn open(disk: &(impl Disk + Clone + 'static), folder: &Scratch, clock: &Arc<AtomicI64>) -> Engine {
    let options = Options { clock: Clock::Moved(Arc::clone(clock)), ..harness::options(folder) };
    Engine::open(Arc::new(disk.clone()), options).expect("the engine opens")
}

fn later(source: &str, amount: i128, reference: &str, at: i64) -> Post {
    Post { scheduled_at: Some(START + at), ..post(source, "@Shop", amount, reference) }
}

/// Lets time pass until nothing is due.
fn pass(engine: &Engine, clock: &Arc<AtomicI64>, to: i64) {
    clock.store(START + to, Ordering::Relaxed);
    while !look(engine, move |view| view.state.timers.first().is_none_or(|timer| timer.0 > START + to))
        .expect("the engine answers")
    {
        std::thread::yield_now();
    }
}

fn rows(engine: &Engine) -> Vec<Row> {
    let rows = &engine.books().rows;
    (0..rows.len()).map(|number| rows.get(number).expect("rows are readable").expect("it is there")).collect()
}

/// How scheduled requests ended: reference, status, amount, record.
fn ends(engine: &Engine) -> Vec<(String, Status, i128, u64)> {
    let ends = rows(engine).into_iter().filter(|row| row.flags.has(Flags::EXECUTION));
    ends.map(|row| {
        let event = engine.books().recorded(&row).expect("records are readable");
        (reference_of(&event, &row), row.status, row.amount, row.record)
    })
    .collect()
}

/// Proves that requests of two records whose times take turns run in order of time, each with its own texts and parent; the
/// writer keeps the record that it ran last from.
#[test]
fn requests_of_records_that_take_turns_run_in_order() {
    let (disk, folder, clock) = (RealDisk::new(), Scratch::new(), Arc::new(AtomicI64::new(START)));
    let engine = open(&disk, &folder, &clock);
    let posts = |name: &str, first: i64| -> Vec<Post> {
        (0..20).map(|n| later("@World", i128::from(first + n * 20), &format!("{name}{n}"), first + n * 20)).collect()
    };
    let batches = [("a", Batch::Independent, 1), ("b", Batch::Independent, 2), ("c", Batch::Atomic, 3)];
    for (name, batch, first) in batches {
        recorded(submit(&engine, record(&engine, batch, true, &posts(name, first))));
    }
    recorded(submit(&engine, record(&engine, Batch::Single, true, &[later("@World", 5, "d0", 4)])));
    pass(&engine, &clock, 150);
    drop(engine);
    // The rest after a restart.
    let engine = open(&disk, &folder, &clock);
    pass(&engine, &clock, 1000);
    let mut wanted: Vec<(i64, String)> = Vec::new();
    for (name, _, first) in batches {
        wanted.extend((0..20).map(|n| (first + n * 20, format!("{name}{n}_q"))));
    }
    wanted.push((4, "d0_q".to_owned()));
    wanted.sort();
    let ends = ends(&engine);
    assert_eq!(
        ends.iter().map(|end| end.0.clone()).collect::<Vec<_>>(),
        wanted.iter().map(|one| one.1.clone()).collect::<Vec<_>>()
    );
    for ((reference, status, amount, _), (at, _)) in ends.iter().zip(&wanted) {
        let wanted = if reference == "d0_q" { 5 } else { i128::from(*at) };
        assert_eq!((*status, *amount), (Status::Applied, wanted), "{reference}");
    }
    for row in rows(&engine).iter().filter(|row| row.flags.has(Flags::EXECUTION)) {
        let Parent::Row(request) = row.parent else { panic!("a run belongs to its request") };
        let request = engine.books().row(request).expect("rows are readable").expect("it is there");
        assert_eq!((request.status, request.amount), (Status::Scheduled, row.amount));
    }
    drop(engine);
    assert_eq!(verified(&disk, &folder).problems, []);
}

/// Proves that a group is one event, all or none, and that what is due at another moment is another.
#[test]
fn a_group_runs_as_one_event() {
    let (disk, folder, clock) = (RealDisk::new(), Scratch::new(), Arc::new(AtomicI64::new(START)));
    let engine = open(&disk, &folder, &clock);
    let a = balance(&engine, &ledger(&engine));
    let a_text = a.text(Prefix::Balance);
    recorded(pay(&engine, post("@World", &a_text, 100, "fund")));
    let posts = [later(&a_text, 60, "a1", 10), later(&a_text, 30, "a2", 10), later(&a_text, 20, "a3", 20)];
    recorded(submit(&engine, record(&engine, Batch::Atomic, true, &posts)));
    let posts = [later(&a_text, 5, "b1", 10), later(&a_text, 6, "b2", 10)];
    recorded(submit(&engine, record(&engine, Batch::Atomic, true, &posts)));
    pass(&engine, &clock, 30);
    let ends = ends(&engine);
    let told: Vec<_> = ends.iter().map(|end| (end.0.as_str(), end.1)).collect();
    assert_eq!(
        told,
        [
            ("a1_q", Status::Applied),
            ("a2_q", Status::Applied),
            ("b1_q", Status::Rejected),
            ("b2_q", Status::Rejected),
            ("a3_q", Status::Rejected),
        ]
    );
    let records: Vec<u64> = ends.iter().map(|end| end.3).collect();
    assert!(records[0] == records[1] && records[2] == records[3] && records[1] != records[2]);
    assert_eq!(figures(&engine, a), (10, 0));
    drop(engine);
    assert_eq!(verified(&disk, &folder).problems, []);
}

/// Proves that a request whose time comes while it is called off either runs or is called off, and leaves one end.
#[test]
fn what_is_called_off_while_it_is_due_ends_once() {
    let (disk, folder, clock) = (RealDisk::new(), Scratch::new(), Arc::new(AtomicI64::new(START)));
    let engine = open(&disk, &folder, &clock);
    let a = balance(&engine, &ledger(&engine));
    let a_text = a.text(Prefix::Balance);
    recorded(pay(&engine, post("@World", &a_text, 10_000, "fund")));
    let (mut run, mut called_off) = (0, 0);
    for round in 0..200 {
        let posts =
            [later(&a_text, 1, &format!("x{round}"), round + 1), later(&a_text, 2, &format!("y{round}"), round + 1)];
        let first = recorded(submit(&engine, record(&engine, Batch::Atomic, true, &posts))).rows[0].number;
        let barrier = Barrier::new(3);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                barrier.wait();
                clock.store(START + round + 1, Ordering::Relaxed);
            });
            let cancels: Vec<_> = (0..2)
                .map(|_| {
                    scope.spawn(|| {
                        barrier.wait();
                        submit(&engine, cancel_command(&[first]))
                    })
                })
                .collect();
            let answers: Vec<Answer> = cancels.into_iter().map(|one| one.join().expect("no thread panics")).collect();
            let won = answers.iter().filter(|answer| matches!(answer, Answer::Recorded(_))).count();
            assert!(won <= 1, "{answers:?}");
            called_off += won;
        });
        pass(&engine, &clock, round + 1);
        let ends: Vec<Row> = rows(&engine).into_iter().filter(|row| row.flags.has(Flags::EXECUTION)).collect();
        assert_eq!(ends.len() as i64, 2 * (round + 1), "each request ends once");
        let last = &ends[ends.len() - 2..];
        assert_eq!(last[0].status, last[1].status, "and with the other");
        run += usize::from(last[0].status == Status::Applied);
    }
    assert_eq!(run + called_off, 200);
    assert_eq!(figures(&engine, a), (10_000 - 3 * run as i128, 0));
    drop(engine);
    assert_eq!(verified(&disk, &folder).problems, []);
}

/// Proves that a request can be called off, and moved, when it is not durable yet.
#[test]
fn what_is_not_durable_yet_can_be_called_off() {
    let (folder, clock) = (Scratch::new(), Arc::new(AtomicI64::new(START)));
    let engine = open(&MemoryDisk::new(), &folder, &clock);
    let release = hold_writer(&engine);
    let (sender, receiver) = channel();
    let send = |command: Command| {
        let sender = sender.clone();
        engine.submit(command, 10, Box::new(move |answer| drop(sender.send(answer))));
    };
    send(record(&engine, Batch::Single, true, &[later("@World", 1, "one", 5)]));
    send(record(&engine, Batch::Single, true, &[later("@World", 2, "two", 5)]));
    send(Command::Reschedule(Reschedule { groups: vec![1], due_at: Some(START - 1), amount: Some(7) }));
    send(cancel_command(&[0, 0]));
    send(cancel_command(&[0]));
    release.send(()).expect("the writer waits");
    let answers: Vec<Answer> = (0..5).map(|_| receiver.recv().expect("every command is answered")).collect();
    assert!(matches!(&answers[2], Answer::Rescheduled(groups) if *groups == [1]), "{answers:?}");
    assert!(matches!(&answers[3], Answer::Recorded(recorded) if recorded.rows_count == 1), "{answers:?}");
    assert!(matches!(&answers[4], Answer::Refused(_)), "{answers:?}");
    pass(&engine, &clock, 0);
    let told: Vec<_> = ends(&engine).into_iter().map(|end| (end.0, end.1, end.2)).collect();
    assert_eq!(told, [("one_q".to_owned(), Status::Void, 1), ("two_q".to_owned(), Status::Applied, 7)]);
}

/// Proves that what is accepted can run: a record that is as large as one may be leaves room for what a run says more. Were it
/// not so, the timer would stop the writer at every start.
#[test]
fn what_could_not_run_is_not_accepted() {
    let (disk, folder, clock) = (MemoryDisk::new(), Scratch::new(), Arc::new(AtomicI64::new(START)));
    let journal = JournalOptions { segment_bytes: 64 << 10, record_bytes_max: 60 << 10 };
    let open = || {
        let options = Options { clock: Clock::Moved(Arc::clone(&clock)), journal, ..harness::options(&folder) };
        Engine::open(Arc::new(disk.clone()), options).expect("the engine opens")
    };
    let engine = open();
    let batch = |padding: usize, scheduled_at: Option<i64>, name: &str| {
        let one = |n: usize| Post {
            padding: if n == 0 { padding } else { 4 },
            scheduled_at,
            ..post("@World", "nobody", 1, &format!("{name}{n}"))
        };
        let posts: Vec<Post> = (0..100).map(one).collect();
        record(&engine, Batch::Atomic, true, &posts)
    };
    let due = Some(START + 5);
    let accepted = |answer: &Answer| match answer {
        Answer::Recorded(_) => true,
        Answer::Unavailable(Unavailable::TooLarge) => false,
        other => panic!("{other:?}"),
    };
    // The largest that is accepted, by halving.
    let (mut fits, mut too_large) = (50_000, 62_000);
    let mut name = 0;
    while too_large - fits > 1 {
        let middle = (fits + too_large) / 2;
        name += 1;
        match accepted(&submit(&engine, batch(middle, due, &format!("n{name:04}-")))) {
            true => fits = middle,
            false => too_large = middle,
        }
    }
    assert!(accepted(&submit(&engine, batch(too_large + 800, None, "direct"))), "what does not wait may be larger");
    let waiting = look(&engine, |view| view.state.scheduled.len()).expect("the engine answers");
    assert!(waiting > 1);
    pass(&engine, &clock, 5);
    let fault = engine.health().stopped();
    assert_eq!(fault, None, "everything that was accepted ran");
    drop(engine);
    let engine = open();
    assert_eq!(look(&engine, |view| view.state.scheduled.len()), Some(0));
}
