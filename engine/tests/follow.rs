//! Following the journal from a cursor.
//!
//! Proves that a follower sees every record once, in order, across restarts and without anything derived; that a cursor that no
//! record has is refused; and that nothing is ever seen that a crash could still take back.

mod support {
    pub mod harness;
    pub mod model;
    pub mod workload;
}

use engine::clock::Clock;
use engine::engine::{Engine, Options};
use engine::follow::{Cursor, Followed, Follower};
use engine::limits::Sizes;
use journal::disk::{Failure, MemoryDisk, RealDisk};
use journal::open::Options as JournalOptions;
use ledger::event::Event;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use support::harness::{self, Scratch, open, pay, post, recorded};
use support::workload::{START, carry_out, plan};

/// Everything from the record after a cursor on.
fn after(engine: &Engine, cursor: Option<Cursor>) -> Vec<Followed> {
    let mut follower = match cursor {
        None => Follower::from_start(engine.books()),
        Some(cursor) => {
            let found = Follower::at(engine.books(), cursor).expect("the journal is readable");
            let mut follower = found.expect("the record is there");
            assert_eq!(follower.take_next().expect("it is readable").map(|one| one.cursor), Some(cursor));
            follower
        }
    };
    let mut seen = Vec::new();
    while let Some(followed) = follower.take_next().expect("records are readable") {
        seen.push(followed);
    }
    assert!(follower.is_at_end());
    seen
}

fn reference(followed: &Followed) -> &str {
    match &followed.event {
        Event::Recorded(event) => event.movements[0].reference.of(&event.text),
        other => panic!("only payments were made: {other:?}"),
    }
}

#[test]
fn every_record_is_seen_once_and_in_order_across_restarts_without_what_is_derived() {
    let (disk, folder) = (RealDisk::new(), Scratch::new());
    let mut cursor = None;
    for round in 0..3 {
        let engine = open(&disk, &folder);
        assert_eq!(after(&engine, cursor), [], "what was seen before a restart is not seen again");
        let wanted: Vec<String> = (0..40).map(|number| format!("{round} {number}")).collect();
        for (number, one) in wanted.iter().enumerate() {
            // Large enough to cross segments.
            let padding = if number % 10 == 3 { 60_000 } else { 10 };
            let one = harness::Post { padding, ..post("@World", "@Shop", 1, one) };
            recorded(pay(&engine, one));
        }
        let seen = after(&engine, cursor);
        assert_eq!(seen.iter().map(reference).collect::<Vec<_>>(), wanted);
        // From any place, what follows is the rest.
        for at in [0, 17, 38, 39] {
            assert_eq!(after(&engine, Some(seen[at].cursor)), seen[at + 1..]);
        }
        cursor = seen.last().map(|followed| followed.cursor);
        engine.close();
        drop(engine);
        for name in ["tables", "references", "children", "checkpoints"] {
            std::fs::remove_dir_all(folder.0.join(name)).expect("it was made");
        }
    }
}

#[test]
fn a_follower_goes_on_when_there_is_more() {
    let folder = Scratch::new();
    let engine = open(&MemoryDisk::new(), &folder);
    let mut follower = Follower::from_start(engine.books());
    for number in 0..20 {
        assert_eq!(follower.take_next().expect("it is readable"), None);
        recorded(pay(&engine, post("@World", "@Shop", 1, &number.to_string())));
        let followed = follower.take_next().expect("it is readable").expect("what was answered is seen");
        assert_eq!(reference(&followed), number.to_string());
        assert!(engine.books().row(number).expect("it is readable").is_some(), "its row can be read");
    }
}

#[test]
fn cursors_that_no_record_has_lead_nowhere() {
    let folder = Scratch::new();
    let engine = open(&MemoryDisk::new(), &folder);
    let nowhere = |cursor| Follower::at(engine.books(), cursor).expect("the journal is readable").is_none();
    assert!(nowhere(Cursor { seq: 1, position: 128, mark: 0 }), "an empty journal has no records");
    for number in 0..3 {
        recorded(pay(&engine, post("@World", "@Shop", 1, &number.to_string())));
    }
    let seen = after(&engine, None);
    for Followed { cursor, .. } in &seen {
        assert!(!nowhere(*cursor));
        let Cursor { seq, position, mark } = *cursor;
        for (seq, position, mark) in [
            (seq + 1, position, mark),
            (seq - 1, position, mark),
            (seq, position + 8, mark),
            (seq, position - 1, mark),
            (seq, 0, mark),
            (seq, u64::MAX, mark),
            (seq, position + (256 << 10), mark),
            (seq, position, mark ^ 1),
            (u64::MAX, position, mark),
            (0, 0, 0),
        ] {
            assert!(nowhere(Cursor { seq, position, mark }), "{seq} {position} {mark}");
        }
    }
}

/// Stops a workload at its `n`-th operation on the disk. What a follower saw, told by the bell, is in what the crash left.
fn stop_at(n: u64, failure: Failure) -> (usize, bool) {
    let (disk, folder) = (if n % 4 == 3 { MemoryDisk::buffered() } else { MemoryDisk::new() }, Scratch::new());
    let clock = Arc::new(AtomicI64::new(START));
    let options = Options {
        journal: JournalOptions { segment_bytes: 64 << 10, record_bytes_max: 60 << 10 },
        clock: Clock::Moved(Arc::clone(&clock)),
        sizes: Sizes {
            checkpoint_rows: 25,
            checkpoint_records: 20,
            references_tail_pairs: 16,
            children_tail_pairs: 4,
            dated_chunk_rows: 2,
            alerts_mark_rows: 7,
        },
        ..harness::options(&folder)
    };
    disk.fail_after(n, failure);
    let seen: Arc<Mutex<Vec<Followed>>> = Arc::default();
    let mut stopped = true;
    if let Ok(engine) = Engine::open(Arc::new(disk.clone()), options.clone()) {
        let (books, seeing) = (Arc::downgrade(engine.books()), Arc::clone(&seen));
        engine.books().reach().on_growth(move || {
            let books = books.upgrade().expect("the writer holds it");
            let mut seen = seeing.lock().expect("no holder panics");
            let mut follower = match seen.last() {
                None => Follower::from_start(&books),
                Some(last) => {
                    let at = Follower::at(&books, last.cursor);
                    let mut follower = match at {
                        Ok(found) => found.expect("what was seen is there"),
                        Err(_) => return,
                    };
                    if follower.take_next().is_err() {
                        return;
                    }
                    follower
                }
            };
            // Reading fails when the power is gone.
            while let Ok(Some(followed)) = follower.take_next() {
                seen.push(followed);
            }
        });
        stopped = carry_out(&engine, &clock, &plan(7, 50)).stopped;
        engine.close();
    }
    let seen = std::mem::take(&mut *seen.lock().expect("no holder panics"));
    let left = disk.crash(n);
    clock.store(START, Ordering::Relaxed);
    let engine = Engine::open(Arc::new(left), options).expect("what a crash left can be opened");
    let there = after(&engine, None);
    assert!(there.len() >= seen.len(), "{} of {} records that were seen are there", there.len(), seen.len());
    assert_eq!(seen, there[..seen.len()], "what was seen is what is there");
    for (number, followed) in there.iter().enumerate() {
        assert_eq!(followed.cursor.seq, number as u64 + 1);
    }
    if let Some(last) = seen.last() {
        assert_eq!(after(&engine, Some(last.cursor)), there[seen.len()..], "nothing is lost or doubled");
    }
    (seen.len(), stopped)
}

#[test]
fn nothing_is_seen_that_a_crash_takes_back() {
    for failure in [Failure::PowerLost, Failure::Io] {
        let (mut most, mut n, mut stops) = (0, 0, 0);
        loop {
            let (seen, stopped) = stop_at(n, failure);
            most = most.max(seen);
            stops += usize::from(stopped);
            if !stopped && n > 600 {
                break;
            }
            n += if n < 200 { 1 } else { 5 };
            if n > 2_000 {
                break;
            }
        }
        assert!(most > 50 && stops > 40, "{most} records were seen, {stops} runs were stopped");
    }
}
