//! What is tried is told and not done: nothing is left of it, its figures are right, and what is sent afterwards finds the
//! books as if nothing had been tried.

mod support {
    pub mod harness;
}

use engine::answer::{Trial, Unavailable, Untried};
use engine::engine::Engine;
use engine::limits;
use journal::disk::{Failure, MemoryDisk};
use ledger::command::{Action, Batch, Command, RegisterCurrency};
use ledger::decide::Decision;
use ledger::event::{Event, Outcome};
use ledger::id::Prefix;
use ledger::rejection::Rejection;
use std::sync::mpsc::channel;
use support::harness::{
    Post, Scratch, attempt, balance, cancel_command, change_command, figures, hold_writer, ledger, look, open, pay,
    post, record, record_all, recorded, refund_command, settle_as_far, submit,
};

fn outcomes(trial: &Trial) -> Vec<Outcome> {
    match &trial.decided {
        Ok(Decision { event: Some(Event::Recorded(event)), .. }) => {
            assert_eq!(event.movements.len(), trial.steps.len(), "each movement has its step");
            event.movements.iter().map(|movement| movement.outcome).collect()
        }
        other => panic!("something would be recorded: {other:?}"),
    }
}

fn refusal(trial: &Trial) -> Rejection {
    match &trial.decided {
        Err(refused) => refused.rejection,
        other => panic!("it would be refused: {other:?}"),
    }
}

/// Everything that a change would change.
fn books(engine: &Engine) -> (u64, usize, usize, usize, u64, usize) {
    look(engine, |view| {
        let state = view.state;
        let seqs = state.timers.len();
        (
            state.rows_count,
            state.balances.len(),
            state.currencies.len(),
            state.holds.len(),
            state.latest_at as u64,
            seqs,
        )
    })
    .expect("the engine answers")
}

#[test]
fn nothing_is_left_of_a_trial() {
    let folder = Scratch::new();
    let engine = open(&MemoryDisk::new(), &folder);
    let a = balance(&engine, &ledger(&engine));
    let a_text = a.text(Prefix::Balance);
    recorded(pay(&engine, post("@World", &a_text, 100, "fund")));
    let hold = recorded(pay(&engine, Post { inflight: true, ..post(&a_text, "@Shop", 40, "hold") })).rows[0].number;
    let paid = recorded(pay(&engine, post(&a_text, "@Shop", 10, "paid"))).rows[0].number;
    let later = Post { scheduled_at: Some(i64::MAX), ..post(&a_text, "@Shop", 1, "later") };
    let later = recorded(submit(&engine, record(&engine, Batch::Single, true, &[later]))).rows[0].number;
    let before = books(&engine);
    let single = |one: Post| record(&engine, Batch::Single, false, &[one]);

    let trial = attempt(&engine, single(post(&a_text, "@New", 50, "x")));
    assert_eq!(outcomes(&trial), [Outcome::Applied]);
    let (source, destination) = (trial.steps[0].source, trial.steps[0].destination);
    assert_eq!((source.before.available(), source.after.available()), (50, 0));
    assert_eq!((source.before.balance(), source.after.balance()), (90, 40));
    assert_eq!((destination.before.balance(), destination.after.balance()), (0, 50));

    let trial = attempt(&engine, single(post(&a_text, "@New", 51, "x")));
    assert_eq!(outcomes(&trial), [Outcome::Rejected(Rejection::InsufficientFunds)]);
    assert_eq!(trial.steps[0].source.before, trial.steps[0].source.after);
    assert_eq!(refusal(&attempt(&engine, single(post(&a_text, "@New", 1, "paid")))), Rejection::DuplicateReference);

    // A batch tells every refusal, and each item rests on those before it.
    let posts = [post(&a_text, "@New", 30, "x"), post(&a_text, "@New", 30, "y"), post("@New", &a_text, 1, "z")];
    let trial = attempt(&engine, record_all(&engine, Batch::Independent, false, false, &posts));
    let rejected = Outcome::Rejected(Rejection::InsufficientFunds);
    // An indicator may go below zero here.
    assert_eq!(outcomes(&trial), [Outcome::Applied, rejected, Outcome::Applied]);
    let available: Vec<i128> = trial.steps.iter().map(|step| step.source.after.available()).collect();
    assert_eq!(available, [20, 20, 29]);
    let trial = attempt(&engine, record(&engine, Batch::Atomic, true, &posts));
    let fell = Outcome::Rejected(Rejection::BatchRejected);
    assert_eq!(outcomes(&trial), [fell, rejected, fell]);

    let trial = attempt(&engine, settle_as_far(hold, Action::Commit, Some(60), true));
    assert_eq!((outcomes(&trial), trial.steps[0].source.after.held.debit), (vec![Outcome::Applied], 0));
    assert_eq!((trial.steps[0].source.after.balance(), trial.steps[0].destination.after.balance()), (30, 70));
    assert_eq!(
        refusal(&attempt(&engine, settle_as_far(hold, Action::Commit, Some(60), false))),
        Rejection::ExceedsOriginal
    );
    let trial = attempt(&engine, change_command(hold, Some(90), None));
    assert_eq!((outcomes(&trial), trial.steps[0].source.after.available()), (vec![Outcome::Held], 0));
    assert_eq!(refusal(&attempt(&engine, change_command(hold, Some(91), None))), Rejection::InsufficientFunds);
    let trial = attempt(&engine, refund_command(&engine, paid, "refund"));
    assert_eq!((outcomes(&trial), trial.steps[0].destination.after.balance()), (vec![Outcome::Applied], 100));
    let trial = attempt(&engine, cancel_command(&[later]));
    assert_eq!((outcomes(&trial), trial.steps[0].source.before), (vec![Outcome::Voided], trial.steps[0].source.after));
    let register = RegisterCurrency { code: "XTS".into(), precision: 10, name: String::new() };
    let trial = attempt(&engine, Command::RegisterCurrency(register));
    assert!(trial.decided.is_ok() && trial.steps.is_empty());

    assert_eq!(books(&engine), before, "nothing is left");
    // What was tried goes through as if it had not been.
    let real = recorded(submit(&engine, record_all(&engine, Batch::Independent, true, false, &posts)));
    assert_eq!((real.rows_count, real.refused[0].item), (2, 1));
    recorded(submit(&engine, settle_as_far(hold, Action::Commit, Some(60), true)));
    recorded(submit(&engine, refund_command(&engine, paid, "refund")));
    recorded(submit(&engine, cancel_command(&[later])));
    assert_eq!(figures(&engine, a), (11, 0));
}

/// Proves that commands that are tried together are judged each by itself, in order, and that they fill the queue like what is
/// done.
#[test]
fn trials_stand_each_for_itself() {
    let folder = Scratch::new();
    let engine = open(&MemoryDisk::new(), &folder);
    let a = balance(&engine, &ledger(&engine)).text(Prefix::Balance);
    recorded(pay(&engine, post("@World", &a, 100, "fund")));
    let command = |amount| record(&engine, Batch::Single, false, &[post(&a, "@Shop", amount, "same")]);
    let (sender, receiver) = channel();
    engine.attempt(vec![command(100), command(100), command(101)], move |trials| drop(sender.send(trials)));
    let trials = receiver.recv().expect("it is answered").expect("the engine is there");
    let told: Vec<Vec<Outcome>> = trials.iter().map(outcomes).collect();
    assert_eq!(told, [[Outcome::Applied], [Outcome::Applied], [Outcome::Rejected(Rejection::InsufficientFunds)]]);

    // While the writer is held, as many postings may wait as ever, tried or not.
    let release = hold_writer(&engine);
    let posts: Vec<Post> = (0..1000).map(|n| post("@World", "@Shop", 1, &format!("n{n}"))).collect();
    let (sender, receiver) = channel();
    let mut busy = 0;
    for _ in 0..limits::QUEUE_POSTINGS_MAX / 1000 / 10 + 3 {
        let commands = (0..10).map(|_| record(&engine, Batch::Atomic, false, &posts)).collect();
        let sender = sender.clone();
        engine.attempt(commands, move |trials| drop(sender.send(trials.map(|trials| trials.len()))));
        if let Ok(answer) = receiver.try_recv() {
            assert_eq!(answer, Err(Untried::Unavailable(Unavailable::Busy)));
            busy += 1;
        }
    }
    assert_eq!(busy, 3, "as many are let in as may wait");
    release.send(()).expect("the writer waits");
    for _ in 0..limits::QUEUE_POSTINGS_MAX / 1000 / 10 {
        assert_eq!(receiver.recv().expect("what was let in is answered"), Ok(10));
    }
    recorded(submit(&engine, command(100)));
}

/// Proves that a trial that rests on what is lost is not told.
#[test]
fn a_trial_waits_for_what_it_rests_on() {
    let (disk, folder) = (MemoryDisk::new(), Scratch::new());
    let engine = open(&disk, &folder);
    recorded(pay(&engine, post("@World", "@Shop", 1, "one")));
    disk.fail_after(0, Failure::Io);
    let release = hold_writer(&engine);
    let two = || record(&engine, Batch::Single, false, &[post("@World", "@Shop", 1, "two")]);
    let (sender, receiver) = channel();
    engine.submit(two(), 1, Box::new(|_| {}));
    engine.attempt(vec![two()], move |trials| drop(sender.send(trials)));
    release.send(()).expect("the writer waits");
    // Dropped, not told that the reference is taken.
    assert!(receiver.recv().is_err());
    let (sender, receiver) = channel();
    engine.attempt(vec![two()], move |trials| drop(sender.send(trials)));
    assert!(matches!(receiver.recv(), Ok(Err(Untried::Unavailable(Unavailable::Stopped(_))))));
}
