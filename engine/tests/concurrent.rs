//! Many threads at once: a reference is used once, a balance is spent once, a hold ends once. A full queue and a used folder
//! are refused.

mod support {
    pub mod harness;
}

use engine::answer::{Answer, Unavailable};
use engine::engine::{Engine, OpenFault};
use engine::folder::FolderFault;
use engine::limits;
use journal::disk::{MemoryDisk, RealDisk};
use ledger::command::{Action, Batch};
use ledger::id::{Id, Prefix};
use ledger::rejection::Rejection;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};
use support::harness::{
    self, Post, Scratch, balance, figures, hold_writer, ledger, open, pay, post, record, recorded, settle, submit,
    verified,
};

const THREADS: usize = 64;

/// Runs something on many threads at the same moment; answers what each got.
fn at_once<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let barrier = Barrier::new(count);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..count)
            .map(|number| {
                let (barrier, work) = (&barrier, &work);
                scope.spawn(move || {
                    barrier.wait();
                    work(number)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no thread panics")).collect()
    })
}

fn refusal(answer: &Answer) -> Option<Rejection> {
    if let Answer::Refused(refused) = answer { Some(refused.rejection) } else { None }
}

fn two_balances(engine: &Engine) -> (Id, Id) {
    let ledger = ledger(engine);
    (balance(engine, &ledger), balance(engine, &ledger))
}

#[test]
fn a_reference_is_used_once() {
    let (disk, folder) = (RealDisk::new(), Scratch::new());
    let engine = open(&disk, &folder);
    for queued in [false, true] {
        for round in 0..20 {
            let reference = format!("same-{queued}-{round}");
            // Different amounts: a queued request that says the same would be known, not refused.
            let answers = at_once(THREADS, |number| {
                let one = post("@World", "@Shop", number as i128 + 1, &reference);
                submit(&engine, record(&engine, Batch::Single, queued, &[one]))
            });
            let taken = answers.iter().filter(|answer| matches!(answer, Answer::Recorded(_))).count();
            let refused =
                answers.iter().filter(|answer| refusal(answer) == Some(Rejection::DuplicateReference)).count();
            assert_eq!((taken, refused), (1, THREADS - 1), "{reference}");
        }
    }
    assert_eq!(engine.books().rows.len(), 20 + 2 * 20);
    drop(engine);
    assert_eq!(verified(&disk, &folder).problems, []);
}

#[test]
fn the_same_queued_request_is_recorded_once_and_known_to_all() {
    let (disk, folder) = (RealDisk::new(), Scratch::new());
    let engine = open(&disk, &folder);
    let answers = at_once(THREADS, |_| {
        let one = post("@World", "@Shop", 5, "again");
        recorded(submit(&engine, record(&engine, Batch::Single, true, &[one])))
    });
    assert_eq!(answers.iter().filter(|answer| answer.known.is_empty()).count(), 1);
    assert!(answers.iter().all(|answer| answer.rows[0].number == 0), "all are told of the same row");
    assert_eq!(engine.books().rows.len(), 2);
}

#[test]
fn a_balance_is_spent_once() {
    let (disk, folder) = (RealDisk::new(), Scratch::new());
    let engine = open(&disk, &folder);
    let (from, to) = two_balances(&engine);
    let (from_text, to_text) = (from.text(Prefix::Balance), to.text(Prefix::Balance));
    let funds = 1_000;
    recorded(pay(&engine, post("@World", &from_text, funds, "fund")));
    let stop = AtomicBool::new(false);
    let (posted, held) = (AtomicI64::new(0), AtomicI64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let (balance, held) = figures(&engine, from);
                assert!(balance >= 0 && balance - held >= 0, "never below its limit: {balance} less {held}");
            }
        });
        at_once(THREADS, |number| {
            for round in 0..20 {
                let amount = 1 + (number as i128 + round) % 7;
                let inflight = number % 2 == 0;
                let reference = format!("spend-{number}-{round}");
                let answer = pay(&engine, Post { inflight, ..post(&from_text, &to_text, amount, &reference) });
                match answer {
                    Answer::Recorded(_) if inflight => drop(held.fetch_add(amount as i64, Ordering::Relaxed)),
                    Answer::Recorded(_) => drop(posted.fetch_add(amount as i64, Ordering::Relaxed)),
                    answer => assert_eq!(refusal(&answer), Some(Rejection::InsufficientFunds), "{answer:?}"),
                }
            }
        });
        stop.store(true, Ordering::Relaxed);
    });
    let (posted, held) = (i128::from(posted.into_inner()), i128::from(held.into_inner()));
    assert_eq!(figures(&engine, from), (funds - posted, held));
    assert_eq!(figures(&engine, to).0, posted);
    assert_eq!(posted + held, funds, "the smallest amount is 1, so all of it is spent");
    drop(engine);
    let report = verified(&disk, &folder);
    assert_eq!((report.problems, report.currencies[0].balance, report.currencies[0].held), (Vec::new(), 0, 0));
}

#[test]
fn a_hold_is_committed_or_voided() {
    let (disk, folder) = (RealDisk::new(), Scratch::new());
    let engine = open(&disk, &folder);
    let (_, to) = two_balances(&engine);
    let to_text = to.text(Prefix::Balance);
    let mut committed = 0;
    for round in 0..60 {
        let one = Post { inflight: true, ..post("@World", &to_text, 10, &format!("hold-{round}")) };
        let row = recorded(pay(&engine, one)).rows[0].number;
        let answers = at_once(8, |number| {
            settle(&engine, row, if (number + round).is_multiple_of(2) { Action::Commit } else { Action::Void }, None)
        });
        let won: Vec<usize> = (0..8).filter(|number| matches!(answers[*number], Answer::Recorded(_))).collect();
        assert_eq!(won.len(), 1, "{answers:?}");
        let wanted =
            if (won[0] + round).is_multiple_of(2) { Rejection::AlreadyCommitted } else { Rejection::AlreadyVoided };
        committed += i128::from(wanted == Rejection::AlreadyCommitted);
        assert!(answers.iter().filter_map(refusal).all(|why| why == wanted), "{answers:?}");
    }
    assert_eq!(figures(&engine, to).0, committed * 10);
    drop(engine);
    let report = verified(&disk, &folder);
    assert_eq!((report.problems, report.holds), (Vec::new(), 0));
}

#[test]
fn a_full_queue_is_refused_and_recovers() {
    let folder = Scratch::new();
    let engine = open(&MemoryDisk::new(), &folder);
    let release = hold_writer(&engine);
    let (sender, receiver) = channel();
    let mut busy = 0;
    for number in 0..limits::QUEUE_REQUESTS_MAX + 10 {
        let one = post("@World", "@Shop", 1, &format!("many-{number}"));
        let sender = sender.clone();
        let command = record(&engine, Batch::Single, false, &[one]);
        engine.submit(command, 0, Box::new(move |answer| drop(sender.send(answer))));
        if let Ok(answer) = receiver.try_recv() {
            assert!(matches!(answer, Answer::Unavailable(Unavailable::Busy)), "{answer:?}");
            busy += 1;
        }
    }
    assert_eq!(busy, 10, "as many are let in as may wait");
    release.send(()).expect("the writer waits");
    for _ in 0..limits::QUEUE_REQUESTS_MAX {
        recorded(receiver.recv().expect("what was let in is answered"));
    }
    recorded(pay(&engine, post("@World", "@Shop", 1, "after")));
    assert_eq!(engine.books().rows.len() as usize, limits::QUEUE_REQUESTS_MAX + 1);
}

#[test]
fn a_folder_has_one_engine() {
    let (disk, folder) = (RealDisk::new(), Scratch::new());
    let engine = open(&disk, &folder);
    recorded(pay(&engine, post("@World", "@Shop", 1, "one")));
    let again = Engine::open(Arc::new(disk), harness::options(&folder));
    assert!(matches!(again, Err(OpenFault::Folder(FolderFault::InUse(_)))), "a second engine is refused");
    let journal = harness::options(&folder).journal;
    let check = engine::verify::run(Arc::new(disk), &folder.0, journal, |_| {});
    assert!(matches!(check, Err(engine::verify::VerifyFault::Folder(FolderFault::InUse(_)))), "so is a check");
    drop(engine);
    let engine = open(&disk, &folder);
    assert_eq!(engine.books().rows.len(), 1, "a folder is free again when its engine is gone");
}

/// Proves that everything that was let in before a stop is answered, and what comes after it is refused.
#[test]
fn a_stop_answers_everyone() {
    let (disk, folder) = (RealDisk::new(), Scratch::new());
    let engine = open(&disk, &folder);
    let recorded = AtomicI64::new(0);
    at_once(9, |number| {
        if number == 8 {
            return engine.close();
        }
        for round in 0..200 {
            match pay(&engine, post("@World", "@Shop", 1, &format!("stop-{number}-{round}"))) {
                Answer::Recorded(_) => drop(recorded.fetch_add(1, Ordering::Relaxed)),
                answer => return assert!(matches!(answer, Answer::Unavailable(Unavailable::Closing)), "{answer:?}"),
            }
        }
    });
    drop(engine);
    assert_eq!(open(&disk, &folder).books().rows.len() as i64, recorded.into_inner());
}
