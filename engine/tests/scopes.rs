//! A command that was made from an id names what the id stood for then. When more has come of it since, nothing happens: a
//! part of what was asked for would be done, and told as all of it.

mod support {
    pub mod harness;
}

use engine::answer::{Answer, Trial, Untried};
use engine::clock::Clock;
use engine::engine::{Engine, Options};
use journal::disk::MemoryDisk;
use ledger::command::{Action, Batch, ChangeHold, Command, Original, Refund, Scope, Settle};
use ledger::id::{Id, Prefix};
use ledger::row::{Flags, Row, Status};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::channel;
use support::harness::{
    self, Post, Scratch, balance, change_command, figures, hold_writer, keyed, ledger, look, pay, post, record,
    recorded, refund_command, settle, settle_command, submit, submit_once,
};

const START: i64 = 1_790_000_000_000_000;
/// The requests of the batch that [`scheduled`] records first.
const BATCH: Scope = Scope { first: 1, count: 2, voids: false };

fn open(folder: &Scratch, clock: &Arc<AtomicI64>) -> Engine {
    let options = Options { clock: Clock::Moved(Arc::clone(clock)), ..harness::options(folder) };
    Engine::open(Arc::new(MemoryDisk::new()), options).expect("the engine opens")
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

/// A balance of 1000, and a batch of two payments of it of 10 each, one due at 10 and one at 20.
fn scheduled(engine: &Engine, inflight: bool) -> Id {
    let balance = balance(engine, &ledger(engine));
    let name = balance.text(Prefix::Balance);
    recorded(pay(engine, post("@World", &name, 1000, "fund")));
    let one = |due: i64| Post {
        scheduled_at: Some(START + due),
        inflight,
        ..post(&name, "@Shop", 10, &format!("due {due}"))
    };
    let batch = recorded(submit(engine, record(engine, Batch::Independent, true, &[one(10), one(20)])));
    assert_eq!((batch.rows[0].number, batch.rows_count), (BATCH.first, BATCH.count));
    balance
}

fn rows(engine: &Engine, wanted: impl Fn(&Row) -> bool) -> Vec<u64> {
    let rows = &engine.books().rows;
    let all = (0..rows.len()).map(|number| rows.get(number).expect("rows are readable").expect("it is there"));
    all.filter(|row| wanted(row)).map(|row| row.number).collect()
}

fn holds(engine: &Engine) -> Vec<u64> {
    rows(engine, |row| row.status == Status::Inflight)
}

/// A command that ends these holds, newest first, as what a scope stands for.
fn end(scope: Scope, action: Action, holds: &[u64]) -> Command {
    let mut asks = Vec::new();
    for &row in holds.iter().rev() {
        let Command::Settle(settle) = settle_command(row, action, None) else { panic!("it settles") };
        asks.extend(settle.holds);
    }
    let (scope, text) = (Some(scope), String::new());
    let (over_capture, passes_ended) = (false, false);
    Command::Settle(Settle {
        scope,
        action,
        holds: asks,
        amount: None,
        over_capture,
        passes_ended,
        queued: false,
        text,
    })
}

fn change(scope: Scope, hold: u64) -> Command {
    let Command::ChangeHold(change) = change_command(hold, Some(5), None) else { panic!("it changes") };
    Command::ChangeHold(ChangeHold { scope: Some(scope), ..change })
}

/// A command that gives these rows back, newest first, as what a scope stands for.
fn refund(engine: &Engine, scope: Scope, originals: &[u64]) -> Command {
    let mut all = Refund { scope: Some(scope), originals: Vec::new(), queued: false, text: String::new() };
    for &row in originals.iter().rev() {
        let reference = format!("refund {row}");
        let Command::Refund(one) = refund_command(engine, row, &reference) else { panic!("it gives back") };
        let reference = ledger::text::push(&mut all.text, &reference);
        all.originals.extend(one.originals.into_iter().map(|original| Original { reference, ..original }));
    }
    Command::Refund(all)
}

fn attempt(engine: &Engine, command: Command) -> Result<Vec<Trial>, Untried> {
    let (sender, receiver) = channel();
    engine.attempt(vec![command], move |trials| drop(sender.send(trials)));
    receiver.recv().expect("every trial is answered")
}

/// Panics unless a command that misses something does nothing and leaves no key, and one that misses nothing goes through,
/// with the same key; whatever is sent with the key then, the answer is that of the first time.
fn goes_through_only_as_a_whole(engine: &Engine, balance: Id, part: &dyn Fn() -> Command, whole: &dyn Fn() -> Command) {
    let before = (rows(engine, |_| true).len(), figures(engine, balance));
    assert_eq!(attempt(engine, part()).expect_err("it misses something"), Untried::Outdated);
    for _ in 0..2 {
        assert!(matches!(submit(engine, part()), Answer::Outdated));
        assert!(matches!(submit_once(engine, part(), keyed("key", 1)), Answer::Outdated));
    }
    assert_eq!((rows(engine, |_| true).len(), figures(engine, balance)), before, "nothing happened");
    let trials = attempt(engine, whole()).expect("it misses nothing");
    assert!(trials[0].decided.is_ok(), "{trials:?}");
    let done = recorded(submit_once(engine, whole(), keyed("key", 1)));
    assert!(!done.replayed && done.rows_count > 0);
    let again = recorded(submit_once(engine, part(), keyed("key", 1)));
    assert!(again.replayed && again.rows == done.rows);
}

#[test]
fn holds_of_a_scheduled_whole_are_ended_together() {
    for action in [Action::Commit, Action::Void] {
        let (folder, clock) = (Scratch::new(), Arc::new(AtomicI64::new(START)));
        let engine = open(&folder, &clock);
        let account = scheduled(&engine, true);
        pass(&engine, &clock, 20);
        let holds = holds(&engine);
        assert_eq!((holds.len(), figures(&engine, account)), (2, (1000, 20)));
        let whole = || end(BATCH, action, &holds);
        for missing in [&holds[..1], &holds[1..]] {
            assert!(matches!(submit(&engine, end(BATCH, action, missing)), Answer::Outdated));
        }
        goes_through_only_as_a_whole(&engine, account, &|| end(BATCH, action, &holds[..1]), &whole);
        let left = if action == Action::Commit { 980 } else { 1000 };
        assert_eq!(figures(&engine, account), (left, 0));
        // They are its holds also when they have ended: why nothing can be done with them is told.
        assert!(matches!(submit(&engine, whole()), Answer::Refused(_)));
    }
}

/// Proves that what has not come yet is not missed: what runs later is not meant.
#[test]
fn what_has_not_run_yet_is_not_missed() {
    let (folder, clock) = (Scratch::new(), Arc::new(AtomicI64::new(START)));
    let engine = open(&folder, &clock);
    let account = scheduled(&engine, true);
    pass(&engine, &clock, 10);
    let first = holds(&engine);
    assert_eq!(first.len(), 1);
    assert_eq!(recorded(submit(&engine, change(BATCH, first[0]))).rows_count, 1);
    recorded(submit(&engine, end(BATCH, Action::Commit, &first)));
    assert_eq!(figures(&engine, account), (995, 0));
    // A request by its own id stands for its own hold only.
    pass(&engine, &clock, 20);
    let second = holds(&engine)[1];
    let own = Scope { first: BATCH.first + 1, count: 1, voids: false };
    assert!(matches!(submit(&engine, end(own, Action::Void, &first)), Answer::Outdated));
    recorded(submit(&engine, end(own, Action::Void, &[second])));
    assert_eq!(figures(&engine, account), (995, 0));
}

#[test]
fn the_only_hold_is_changed_while_it_is_the_only_one() {
    let (folder, clock) = (Scratch::new(), Arc::new(AtomicI64::new(START)));
    let engine = open(&folder, &clock);
    let account = scheduled(&engine, true);
    pass(&engine, &clock, 20);
    let holds = holds(&engine);
    let own = Scope { count: 1, ..BATCH };
    goes_through_only_as_a_whole(&engine, account, &|| change(BATCH, holds[0]), &|| change(own, holds[0]));
    assert_eq!(figures(&engine, account), (1000, 15));
}

#[test]
fn what_a_scheduled_whole_posted_is_given_back_together() {
    let (folder, clock) = (Scratch::new(), Arc::new(AtomicI64::new(START)));
    let engine = open(&folder, &clock);
    let account = scheduled(&engine, false);
    pass(&engine, &clock, 20);
    let posted = rows(&engine, |row| row.flags.has(Flags::EXECUTION));
    assert_eq!((posted.len(), figures(&engine, account)), (2, (980, 0)));
    let part = || refund(&engine, BATCH, &posted[..1]);
    goes_through_only_as_a_whole(&engine, account, &part, &|| refund(&engine, BATCH, &posted));
    assert_eq!(figures(&engine, account), (1000, 0));
}

/// Proves that a commit counts as soon as it is decided, not when it is durable: the refund is decided in the same group.
#[test]
fn a_commit_of_the_same_group_is_not_missed() {
    let (folder, clock) = (Scratch::new(), Arc::new(AtomicI64::new(START)));
    let engine = open(&folder, &clock);
    let account = balance(&engine, &ledger(&engine));
    let name = account.text(Prefix::Balance);
    recorded(pay(&engine, post("@World", &name, 1000, "fund")));
    let hold = recorded(pay(&engine, Post { inflight: true, ..post(&name, "@Shop", 30, "hold") })).rows[0].number;
    let scope = Scope { first: hold, count: 1, voids: true };
    let first = recorded(settle(&engine, hold, Action::Commit, Some(10))).rows[0].number;
    let release = hold_writer(&engine);
    let (sender, receiver) = channel();
    for command in [settle_command(hold, Action::Commit, Some(5)), refund(&engine, scope, &[first])] {
        let sender = sender.clone();
        engine.submit(command, 10, Box::new(move |answer| drop(sender.send(answer))));
    }
    release.send(()).expect("the writer waits");
    let second = recorded(receiver.recv().expect("every command is answered")).rows[0].number;
    let answer = receiver.recv().expect("every command is answered");
    assert!(matches!(answer, Answer::Outdated), "{answer:?}");
    recorded(submit(&engine, refund(&engine, scope, &[first, second])));
    assert_eq!(figures(&engine, account), (1000, 15));
}

/// Proves that a void is meant by the id of its hold and by no other.
#[test]
fn a_void_counts_when_it_is_asked_for() {
    let (folder, clock) = (Scratch::new(), Arc::new(AtomicI64::new(START)));
    let engine = open(&folder, &clock);
    let account = balance(&engine, &ledger(&engine));
    let name = account.text(Prefix::Balance);
    recorded(pay(&engine, post("@World", &name, 1000, "fund")));
    let hold = recorded(pay(&engine, Post { inflight: true, ..post(&name, "@Shop", 30, "hold") })).rows[0].number;
    let committed = recorded(settle(&engine, hold, Action::Commit, Some(10))).rows[0].number;
    let voided = recorded(settle(&engine, hold, Action::Void, None)).rows[0].number;
    let scope = |voids: bool| Scope { first: hold, count: 1, voids };
    for (voids, named) in [(true, vec![committed]), (false, vec![committed, voided])] {
        assert!(matches!(submit(&engine, refund(&engine, scope(voids), &named)), Answer::Outdated));
    }
    recorded(submit(&engine, refund(&engine, scope(false), &[committed])));
    assert_eq!(figures(&engine, account), (1000, 0));
}
