//! Damage never looks like absence, at the end of the journal too: the last group, damaged, looks like one that a crash tore, and
//! whoever has seen it whole says so.

mod support {
    pub mod harness;
}

use engine::by_hand::ByHand;
use engine::clock::{Clock, Simulated};
use engine::engine::{Engine, Options};
use engine::inspect::{self, Ended};
use engine::limits::Sizes;
use engine::verify::{self, Part};
use journal::disk::MemoryDisk;
use ledger::command::{Batch, Command};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::channel;
use support::harness::{self, Scratch, post, record, verified};

const START: i64 = 1_790_000_000_000_000;
const SECOND: i64 = 1_000_000;

/// A ledger that is run turn by turn.
struct Book {
    disk: MemoryDisk,
    folder: Scratch,
    clock: Arc<Simulated>,
    sizes: Sizes,
}

impl Book {
    fn new(sizes: Sizes) -> Book {
        let clock = Simulated { now: AtomicI64::new(START), seed: AtomicU64::new(7) };
        Book { disk: MemoryDisk::new(), folder: Scratch::new(), clock: Arc::new(clock), sizes }
    }

    fn options(&self) -> Options {
        Options {
            clock: Clock::Simulated(Arc::clone(&self.clock)),
            sizes: self.sizes,
            ..harness::options(&self.folder)
        }
    }

    fn open(&self) -> Result<(Engine, ByHand), String> {
        let opened = Engine::open_by_hand(Arc::new(self.disk.clone()), self.options());
        opened.map_err(|fault| engine::fault_text(&fault))
    }

    /// So many payments, each answered before the next is made, and then a kill.
    fn pay(&self, count: usize, rests: bool) {
        let (engine, mut hand) = self.open().expect("it opens");
        for number in 0..count {
            let command = record(&engine, Batch::Single, false, &[post("@World", "@Shop", 5, &format!("r{number}"))]);
            turn(&engine, &mut hand, command);
        }
        if rests {
            self.clock.now.fetch_add(2 * SECOND, Ordering::Relaxed);
            hand.turn();
        }
        drop((hand, engine));
    }

    /// The file of the journal that was written last, and the byte at the end of its last record that is not zero.
    fn last_byte(&self) -> (PathBuf, usize) {
        let files = self.disk.files().into_iter().filter(|file| file.extension().is_some_and(|end| end == "seg"));
        let mut used = files.filter_map(|file| {
            let bytes = self.disk.contents(&file)?;
            Some((file, bytes.iter().rposition(|byte| *byte != 0)?))
        });
        used.next_back().expect("something was written")
    }

    /// Damages the last record; answers the whole journal as it is then.
    fn damage(&self) -> Vec<u8> {
        let (file, at) = self.last_byte();
        let mut bytes = self.disk.contents(&file).expect("it is there");
        bytes[at] ^= 0x10;
        self.disk.set_contents(&file, &bytes);
        bytes
    }

    /// Where telling of all records ends.
    fn inspected(&self) -> Ended {
        let (disk, journal) = (Arc::new(self.disk.clone()), self.options().journal);
        let ended = inspect::run(disk, &self.folder.0, journal, 1, |_| ControlFlow::Continue(()));
        ended.expect("it can be read")
    }

    /// That a start, and every other look, tells of damage and changes nothing.
    fn is_told(&self, damaged: &[u8]) {
        let refused = self.open().map(drop).expect_err("durable records are gone");
        assert!(refused.contains("damaged"), "{refused}");
        let report = verified(&self.disk, &self.folder);
        let told: Vec<_> = report.problems.iter().filter(|problem| problem.part == Part::Journal).collect();
        assert!(!told.is_empty(), "{:?}", report.problems);
        let folder = engine::folder::Folder::open(&self.folder.0, false).expect("nobody uses it");
        for look in [verify::journal_end, verify::whole_journal] {
            let end = look(Arc::new(self.disk.clone()), &folder, self.options().journal).expect("it can be read");
            assert!(end.is_some(), "whoever deletes what is derived is told before");
        }
        drop(folder);
        assert!(matches!(self.inspected(), Ended::Stopped { .. }), "{:?}", self.inspected());
        assert_eq!(self.disk.contents(&self.last_byte().0).as_deref(), Some(damaged), "nothing was changed");
    }
}

fn turn(engine: &Engine, hand: &mut ByHand, command: Command) {
    let (sender, receiver) = channel();
    engine.submit(command, 1, Box::new(move |answer| drop(sender.send(answer))));
    for _ in 0..10 {
        hand.turn();
        if let Ok(answer) = receiver.try_recv() {
            return drop(harness::recorded(answer));
        }
    }
    panic!("it is never answered");
}

/// Proves that a server that had nothing to do for a moment remembers what it answered last.
#[test]
fn the_last_record_of_a_server_that_rested() {
    let book = Book::new(Sizes::USUAL);
    book.pay(3, true);
    let damaged = book.damage();
    book.is_told(&damaged);
}

/// Proves that the mark follows after every start, not only after something new.
#[test]
fn the_last_record_of_a_server_that_was_started_again() {
    let book = Book::new(Sizes::USUAL);
    book.pay(3, false);
    book.pay(0, true);
    let damaged = book.damage();
    book.is_told(&damaged);
}

/// Proves that an index that has seen a record is enough, and that no start goes on with one that knows of more than there is.
#[test]
fn the_last_record_that_an_index_has_seen() {
    let book = Book::new(Sizes { references_tail_pairs: 1, ..Sizes::USUAL });
    book.pay(3, false);
    assert!(!book.disk.files().iter().any(|file| file.ends_with("checkpoints/reached")));
    let damaged = book.damage();
    book.is_told(&damaged);
}

/// Proves that the same damage is taken for a torn group when nobody has seen it whole: there is no other way to tell.
#[test]
fn the_last_record_that_nobody_has_seen() {
    let book = Book::new(Sizes::USUAL);
    book.pay(3, false);
    book.damage();
    let (engine, hand) = book.open().expect("a torn end is cut");
    assert_eq!((engine.books().rows.len(), engine.started().cut_bytes > 0), (2, true));
    drop((hand, engine));
    assert_eq!(verified(&book.disk, &book.folder).problems, []);
}

/// Proves that zeros in the middle, and files that are gone, are no end for whoever looks at the records.
#[test]
fn zeros_are_not_the_end() {
    let book = Book::new(Sizes::USUAL);
    book.pay(3, true);
    assert_eq!(book.inspected(), Ended::End);
    let (file, last) = book.last_byte();
    let whole = book.disk.contents(&file).expect("it is there");
    let frames: Vec<usize> = (0..last).filter(|at| whole[*at..].starts_with(b"FL\x01\x00")).collect();
    assert_eq!(frames.len(), 3);
    for from in frames {
        let mut bytes = whole.clone();
        bytes[from..from + 64].fill(0);
        book.disk.set_contents(&file, &bytes);
        assert!(matches!(book.inspected(), Ended::Stopped { .. }), "a head at {from}");
        bytes[from..].fill(0);
        book.disk.set_contents(&file, &bytes);
        assert!(matches!(book.inspected(), Ended::Stopped { .. }), "all from {from} on");
    }
    book.disk.forget(&file);
    assert!(matches!(book.inspected(), Ended::Stopped { .. }));
}

/// Proves that the whole journal can go missing and be told.
#[test]
fn a_journal_that_is_gone() {
    let book = Book::new(Sizes::USUAL);
    book.pay(3, true);
    for file in book.disk.files().iter().filter(|file| file.extension().is_some_and(|end| end == "seg")) {
        book.disk.forget(file);
    }
    let refused = book.open().map(drop).expect_err("durable records are gone");
    assert!(refused.contains("the segment is missing"), "{refused}");
}

/// Proves that a mark that is damaged itself is none, and that it never hinders a start.
#[test]
fn a_damaged_mark_is_none() {
    let book = Book::new(Sizes::USUAL);
    book.pay(3, true);
    let path = book.folder.0.join("checkpoints/reached");
    let whole = book.disk.contents(&path).expect("it was left");
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        book.disk.set_contents(&path, &bytes);
        let (engine, hand) = book.open().expect("it opens");
        assert_eq!(engine.books().rows.len(), 3);
        drop((hand, engine));
    }
    book.disk.set_contents(&path, &whole[..20]);
    assert!(book.open().is_ok());
}
