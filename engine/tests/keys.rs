//! A request that is sent with a key is carried out once, however often it is sent: in one group, after a restart, after a
//! crash. A request that was refused leaves no key.

mod support {
    pub mod forged;
    pub mod harness;
}

use engine::answer::{Answer, Recorded, Unavailable};
use engine::codec;
use engine::engine::Engine;
use engine::verify::{Part, run_against};
use journal::disk::{Failure, MemoryDisk, RealDisk};
use ledger::command::{Action, Batch, Command, KeepKey};
use ledger::decide::Known;
use ledger::event::Event;
use ledger::id::Prefix;
use ledger::rejection::{Refused, Rejection};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use support::forged::{JOURNAL, records, sealed_again};
use support::harness::{
    Post, Scratch, balance, cancel_command, change_command, figures, hold_writer, keyed, ledger, look, open, pay, post,
    record, record_all, recorded, refund_command, settle_command, submit, submit_once, verified,
};

/// Panics unless an answer is that of the first time.
fn replayed(answer: Answer, first: &Recorded) {
    let answer = recorded(answer);
    assert!(answer.replayed && !first.replayed, "only the first time is something done");
    assert_eq!(answer.rows, first.rows);
    assert_eq!(
        (answer.rows_count, answer.batch, &answer.known, &answer.refused),
        (first.rows_count, first.batch, &first.known, &first.refused)
    );
    let event = answer.event.expect("who shows the rows needs their texts");
    assert_eq!(event.first_row + answer.rows_count, event.first_row + event.rows_count());
}

fn rows_count(engine: &Engine) -> u64 {
    look(engine, |view| view.state.rows_count).expect("the engine answers")
}

/// Has requests enter the queue while the writer is held, so that they are decided in one group; answers their receivers.
fn in_one_group(engine: &Engine, send: impl FnOnce() -> Vec<Receiver<Answer>>) -> Vec<Answer> {
    let release = hold_writer(engine);
    let receivers = send();
    release.send(()).expect("the writer waits");
    receivers.into_iter().map(|receiver| receiver.recv().expect("every command is answered")).collect()
}

fn send(engine: &Engine, command: Command, key: (&str, u8)) -> Receiver<Answer> {
    let (sender, receiver) = channel();
    let reply = Box::new(move |answer| drop(sender.send(answer)));
    engine.submit_once(command, Some(keyed(key.0, key.1)), 100, reply);
    receiver
}

/// Proves that the key decides, and what was sent with it: neither the command nor its references are looked at again.
#[test]
fn a_request_is_carried_out_once() {
    let folder = Scratch::new();
    let engine = open(&MemoryDisk::new(), &folder);
    let one = |reference: &str| record(&engine, Batch::Single, false, &[post("@World", "@Shop", 5, reference)]);
    let first = recorded(submit_once(&engine, one("r1"), keyed("key", 1)));
    assert_eq!(first.rows_count, 1);
    replayed(submit_once(&engine, one("r1"), keyed("key", 1)), &first);
    replayed(submit_once(&engine, one("r2"), keyed("key", 1)), &first);
    assert!(matches!(submit_once(&engine, one("r2"), keyed("key", 2)), Answer::KeyTaken));
    assert!(matches!(submit_once(&engine, one("r1"), keyed("key", 2)), Answer::KeyTaken));
    assert_eq!(rows_count(&engine), 1, "nothing more was done");
    // Keys and references are apart, also where the texts are equal.
    let named = recorded(submit_once(&engine, one("key"), keyed("r1", 1)));
    replayed(submit_once(&engine, one("x"), keyed("r1", 1)), &named);
    let disguised = recorded(pay(&engine, post("@World", "@Shop", 1, "\0idempotency-key\0key")));
    assert!(!disguised.replayed);
    replayed(submit_once(&engine, one("r1"), keyed("key", 1)), &first);
    // Without a key the same is refused.
    assert!(matches!(submit(&engine, one("r1")), Answer::Refused(_)));
    let far = "k".repeat(ledger::limits::KEY_BYTES_MAX);
    let long = recorded(submit_once(&engine, one("r3"), keyed(&far, 1)));
    replayed(submit_once(&engine, one("r3"), keyed(&far, 1)), &long);
}

#[test]
fn a_key_counts_within_its_group() {
    let folder = Scratch::new();
    let engine = open(&MemoryDisk::new(), &folder);
    let one = |reference: &str| record(&engine, Batch::Single, true, &[post("@World", "@Shop", 5, reference)]);
    let answers = in_one_group(&engine, || {
        vec![
            send(&engine, one("r1"), ("key", 1)),
            send(&engine, one("r1"), ("key", 1)),
            send(&engine, one("r1"), ("key", 2)),
            send(&engine, one("r2"), ("other", 1)),
        ]
    });
    let mut answers = answers.into_iter();
    let first = recorded(answers.next().expect("there are four"));
    assert_eq!(first.rows_count, 2);
    replayed(answers.next().expect("there are four"), &first);
    assert!(matches!(answers.next(), Some(Answer::KeyTaken)));
    assert!(!recorded(answers.next().expect("there are four")).replayed);
    assert_eq!(rows_count(&engine), 4);
}

/// Sends a request, after power cuts that take the record of another with its key and after some that leave it: it is carried out, or
/// the key is taken.
fn is_free_when_lost(disk: &MemoryDisk, folder: &Scratch, send: impl Fn(&Engine) -> Answer) {
    let (mut free, mut taken) = (0, 0);
    for seed in 0..20 {
        let engine = open(&disk.crash(seed), folder);
        match send(&engine) {
            Answer::KeyTaken => taken += 1,
            answer => {
                assert!(!recorded(answer).replayed, "nobody had sent it");
                free += 1;
            }
        }
        engine.close();
    }
    assert!(free > 3 && taken > 3, "{free} {taken}");
}

/// Proves that nobody is told of a key whose request is lost: neither that it was carried out, nor that it is taken.
#[test]
fn what_rests_on_a_lost_request_is_not_told() {
    let (disk, folder) = (MemoryDisk::new(), Scratch::new());
    let engine = open(&disk, &folder);
    recorded(pay(&engine, post("@World", "@Shop", 1, "before")));
    let one = || record(&engine, Batch::Single, false, &[post("@World", "@Shop", 5, "r1")]);
    disk.fail_after(0, Failure::PowerLost);
    let answers = in_one_group(&engine, || {
        vec![send(&engine, one(), ("key", 1)), send(&engine, one(), ("key", 1)), send(&engine, one(), ("key", 2))]
    });
    for answer in answers {
        assert!(matches!(answer, Answer::Unavailable(Unavailable::Stopped(_))), "{answer:?}");
    }
    drop(engine);
    let one = |engine: &Engine| record(engine, Batch::Single, false, &[post("@World", "@Shop", 5, "r1")]);
    is_free_when_lost(&disk, &folder, |engine| submit_once(engine, one(engine), keyed("key", 2)));
}

#[test]
fn keys_are_known_after_a_restart() {
    let (disk, folder) = (RealDisk::new(), Scratch::new());
    let engine = open(&disk, &folder);
    let batch = |engine: &Engine| {
        let posts: Vec<Post> = (0..7).map(|n| post("@World", "@Shop", n, &format!("b{n}"))).collect();
        record_all(engine, Batch::Independent, true, false, &posts)
    };
    let first = recorded(submit_once(&engine, batch(&engine), keyed("key", 1)));
    assert_eq!((first.rows_count, first.refused[0].rejection), (6, Rejection::AmountZero));
    // Other records come behind it.
    for number in 0..300 {
        let one = record(&engine, Batch::Single, false, &[post("@World", "@Shop", 1, &format!("o{number}"))]);
        recorded(submit_once(&engine, one, keyed(&format!("key-{number}"), 1)));
    }
    drop(engine);
    for gone in [&[][..], &["checkpoints"], &["references"], &["tables", "references", "children", "checkpoints"]] {
        for name in gone {
            std::fs::remove_dir_all(folder.0.join(name)).expect("it was made");
        }
        let engine = open(&disk, &folder);
        replayed(submit_once(&engine, batch(&engine), keyed("key", 1)), &first);
        assert!(matches!(submit_once(&engine, batch(&engine), keyed("key", 2)), Answer::KeyTaken), "{gone:?}");
        for number in [0, 150, 299] {
            let answer = recorded(submit_once(&engine, batch(&engine), keyed(&format!("key-{number}"), 1)));
            assert!(answer.replayed && answer.rows[0].number == 6 + number, "{gone:?} {number}");
        }
        drop(engine);
        assert_eq!(verified(&disk, &folder).problems, [], "{gone:?}");
    }
}

#[test]
fn a_refusal_leaves_no_key() {
    let folder = Scratch::new();
    let engine = open(&MemoryDisk::new(), &folder);
    let a = balance(&engine, &ledger(&engine));
    let a_text = a.text(Prefix::Balance);
    let spend = || record(&engine, Batch::Single, false, &[post(&a_text, "@Shop", 5, "spend")]);
    for _ in 0..2 {
        let refused = submit_once(&engine, spend(), keyed("key", 1));
        assert!(
            matches!(refused, Answer::Refused(one) if one.rejection == Rejection::InsufficientFunds),
            "{refused:?}"
        );
    }
    recorded(pay(&engine, post("@World", &a_text, 5, "fund")));
    // The key is free for anything.
    let first = recorded(submit_once(&engine, spend(), keyed("key", 2)));
    replayed(submit_once(&engine, spend(), keyed("key", 2)), &first);
    assert_eq!(figures(&engine, a), (0, 0));
}

/// Proves that an answer that told of known and of refused items tells of them again, also when nothing was made at all.
#[test]
fn items_that_were_known_or_refused_are_told_again() {
    let folder = Scratch::new();
    let engine = open(&MemoryDisk::new(), &folder);
    let batch = |posts: &[Post]| record_all(&engine, Batch::Independent, true, true, posts);
    recorded(submit(&engine, batch(&[post("@World", "@Shop", 1, "r1"), post("@World", "@Shop", 2, "r2")])));
    let posts = [
        post("@World", "@Shop", 1, "r1"),
        post("@World", "@Shop", 9, "r2"),
        post("@World", "@Shop", 3, "r3"),
        post("@World", "@Shop", 2, "r2"),
        post("@World", "@Shop", 4, "r3"),
        post("@World", "nobody", 4, "r4"),
    ];
    let first = recorded(submit_once(&engine, batch(&posts), keyed("key", 1)));
    assert_eq!(first.known, [Known { item: 0, row: 0 }, Known { item: 3, row: 2 }]);
    let duplicate = |item| Refused { item, leg: 0, rejection: Rejection::DuplicateReference };
    assert_eq!(first.refused, [duplicate(1), duplicate(4)]);
    assert_eq!(first.rows_count, 4, "an applied and a rejected one, each with its request");
    replayed(submit_once(&engine, batch(&posts), keyed("key", 1)), &first);
    replayed(submit_once(&engine, batch(&posts[..1]), keyed("key", 1)), &first);
    let nothing = recorded(submit_once(&engine, batch(&posts[..2]), keyed("none", 1)));
    assert_eq!((nothing.rows_count, nothing.known.len(), nothing.refused.len()), (0, 1, 1));
    let other = submit_once(&engine, batch(&[post("@World", "@Shop", 5, "r5")]), keyed("none", 2));
    assert!(matches!(other, Answer::KeyTaken), "{other:?}");
}

/// Panics unless an answer is that of the first time to a request that recorded nothing.
fn kept(answer: Answer, first: &Recorded) {
    let answer = recorded(answer);
    assert!(answer.replayed && !first.replayed && first.rows_count == 0);
    assert_eq!(
        (&answer.rows, answer.rows_count, answer.batch, &answer.known, &answer.refused),
        (&first.rows, 0, None, &first.known, &first.refused)
    );
}

/// A request of which everything was known or refused is answered as the first time, and its key is taken for anything else: in
/// its group, after a restart with or without what is derived, and beside thousands of others.
#[test]
fn a_request_that_recorded_nothing_keeps_its_key() {
    let (disk, folder) = (RealDisk::new(), Scratch::new());
    let engine = open(&disk, &folder);
    let one = |engine: &Engine, reference: &str| {
        record(engine, Batch::Single, true, &[post("@World", "@Shop", 5, reference)])
    };
    recorded(submit(&engine, one(&engine, "r1")));
    let answers = in_one_group(&engine, || {
        vec![
            send(&engine, one(&engine, "r1"), ("key", 1)),
            send(&engine, one(&engine, "r1"), ("key", 1)),
            send(&engine, one(&engine, "new"), ("key", 2)),
        ]
    });
    let mut answers = answers.into_iter();
    let first = recorded(answers.next().expect("there are three"));
    assert_eq!((&first.known, first.rows[0].number), (&vec![Known { item: 0, row: 0 }], 0));
    kept(answers.next().expect("there are three"), &first);
    assert!(matches!(answers.next(), Some(Answer::KeyTaken)));
    let refused =
        |engine: &Engine| record_all(engine, Batch::Independent, true, false, &[post("@World", "@Shop", 0, "r2")]);
    let none = recorded(submit_once(&engine, refused(&engine), keyed("none", 1)));
    assert_eq!((none.refused[0].rejection, none.rows.len()), (Rejection::AmountZero, 0));
    let keep = || Command::KeepKey(KeepKey { known: vec![Known { item: 0, row: 1 }] });
    let told = recorded(submit_once(&engine, keep(), keyed("told", 1)));
    assert_eq!(told.rows[0].number, 1);
    let nothing = recorded(submit_once(&engine, Command::KeepKey(KeepKey { known: Vec::new() }), keyed("nothing", 1)));
    assert_eq!(recorded(submit(&engine, keep())).rows, told.rows, "without a key nothing is kept");
    let mut many = Vec::new();
    for number in 0..300 {
        many.push(recorded(submit_once(&engine, one(&engine, "r1"), keyed(&format!("key-{number}"), 1))));
    }
    assert_eq!(rows_count(&engine), 2, "nothing was recorded but the first");
    engine.close();
    drop(engine);
    for gone in [&[][..], &["checkpoints"], &["references"], &["tables", "references", "children", "checkpoints"]] {
        for name in gone {
            std::fs::remove_dir_all(folder.0.join(name)).expect("it was made");
        }
        let engine = open(&disk, &folder);
        kept(submit_once(&engine, one(&engine, "other"), keyed("key", 1)), &first);
        kept(submit_once(&engine, refused(&engine), keyed("none", 1)), &none);
        kept(submit_once(&engine, keep(), keyed("told", 1)), &told);
        kept(submit_once(&engine, keep(), keyed("nothing", 1)), &nothing);
        for name in ["key", "none", "told", "nothing", "key-299"] {
            let answer = submit_once(&engine, one(&engine, "other"), keyed(name, 2));
            assert!(matches!(answer, Answer::KeyTaken), "{gone:?} {name} {answer:?}");
        }
        for number in [0, 150, 299] {
            kept(submit_once(&engine, keep(), keyed(&format!("key-{number}"), 1)), &many[number]);
        }
        assert_eq!(rows_count(&engine), 2);
        engine.close();
        drop(engine);
        let report = verified(&disk, &folder);
        assert_eq!((report.problems, report.stale_references), (Vec::new(), 0), "{gone:?}");
    }
}

/// A key whose record is lost is free: nothing leads to where the record would have been.
#[test]
fn a_lost_key_is_free() {
    let (disk, folder) = (MemoryDisk::new(), Scratch::new());
    let engine = open(&disk, &folder);
    let one = |engine: &Engine, reference: &str| {
        record(engine, Batch::Single, true, &[post("@World", "@Shop", 5, reference)])
    };
    recorded(submit(&engine, one(&engine, "r1")));
    disk.fail_after(0, Failure::PowerLost);
    let answers = in_one_group(&engine, || {
        vec![send(&engine, one(&engine, "r1"), ("key", 1)), send(&engine, one(&engine, "r1"), ("key", 1))]
    });
    for answer in answers {
        assert!(matches!(answer, Answer::Unavailable(Unavailable::Stopped(_))), "{answer:?}");
    }
    drop(engine);
    is_free_when_lost(&disk, &folder, |engine| submit_once(engine, one(engine, "r2"), keyed("key", 2)));
}

/// Two records that have the same key are told of, whichever they are: of what such a key was sent with, one was carried out again.
#[test]
fn a_key_that_was_used_twice_is_found() {
    let (disk, folder) = (RealDisk::new(), Scratch::new());
    let engine = open(&disk, &folder);
    let keep = || Command::KeepKey(KeepKey { known: Vec::new() });
    for (key, reference) in [("pays", Some("r1")), ("keeps", None), ("pays too", Some("r2")), ("keeps too", None)] {
        let paid = |reference| record(&engine, Batch::Single, true, &[post("@World", "@Shop", 5, reference)]);
        recorded(submit_once(&engine, reference.map_or_else(keep, paid), keyed(key, 1)));
    }
    engine.close();
    drop(engine);
    let honest = records(&folder.0.join("journal"));
    let renamed = |from: &str, to: &str| {
        let mut records = honest.clone();
        for record in &mut records {
            let mut event = codec::decode(record).expect("it is an event");
            let key = match &mut event {
                Event::Recorded(event) => event.key.as_deref_mut(),
                Event::KeyKept(event) => Some(&mut event.key),
                _ => None,
            };
            if let Some(key) = key.filter(|key| key.name == from) {
                key.name = to.into();
                record.clear();
                codec::encode(&event, record);
            }
        }
        let forged = sealed_again(&folder, &records);
        let report = run_against(Arc::new(disk), &forged.0, JOURNAL, Vec::new(), |_| {});
        report.expect("it can be checked").problems
    };
    assert_eq!(renamed("nobody's", "keeps"), [], "each has its own");
    for (from, to, holders) in [
        ("pays too", "pays", "row 0 and row 2"),
        ("keeps too", "pays too", "row 2 and the record at position "),
        ("pays", "keeps too", "row 0 and the record at position "),
        ("keeps too", "keeps", "the record at position "),
    ] {
        let problems = renamed(from, to);
        let [problem] = &problems[..] else { panic!("{from} is {to}: one problem, not {problems:?}") };
        let text = &problem.text;
        assert!(problem.part == Part::Books && text.starts_with(holders), "{from} is {to}: {text}");
        assert!(text.ends_with(" have the same key"), "{from} is {to}: {text}");
    }
}

#[test]
fn everything_that_makes_rows_can_have_a_key() {
    let folder = Scratch::new();
    let disk = MemoryDisk::new();
    let engine = open(&disk, &folder);
    let a = balance(&engine, &ledger(&engine));
    let a_text = a.text(Prefix::Balance);
    recorded(pay(&engine, post("@World", &a_text, 100, "fund")));
    let hold = Post { inflight: true, ..post(&a_text, "@Shop", 50, "hold") };
    let hold = recorded(pay(&engine, hold)).rows[0].number;
    let waiting = Post { scheduled_at: Some(i64::MAX), ..post(&a_text, "@Shop", 1, "later") };
    let waiting = recorded(submit(&engine, record(&engine, Batch::Single, true, &[waiting]))).rows[0].number;
    let posted = recorded(pay(&engine, post(&a_text, "@Shop", 20, "paid"))).rows[0].number;
    type Make<'a> = Box<dyn Fn() -> Command + 'a>;
    let steps: [(&str, Make<'_>); 5] = [
        ("change", Box::new(|| change_command(hold, Some(60), None))),
        ("commit", Box::new(|| settle_command(hold, Action::Commit, Some(10)))),
        ("void", Box::new(|| settle_command(hold, Action::Void, None))),
        ("cancel", Box::new(|| cancel_command(&[waiting]))),
        ("refund", Box::new(|| refund_command(&engine, posted, "refund"))),
    ];
    for (name, make) in &steps {
        let first = recorded(submit_once(&engine, make(), keyed(name, 1)));
        assert_eq!(first.rows_count, 1, "{name}");
        replayed(submit_once(&engine, make(), keyed(name, 1)), &first);
        assert!(matches!(submit_once(&engine, make(), keyed(name, 3)), Answer::KeyTaken), "{name}");
    }
    assert_eq!(figures(&engine, a), (90, 0));
    assert_eq!(rows_count(&engine), 9);
    engine.close();
    drop(steps);
    drop(engine);
    assert_eq!(verified(&disk, &folder).problems, []);
}
