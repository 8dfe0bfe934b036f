//! Following the journal from outside, as webhooks, exports and search do: record by record, in order, from a cursor.
//!
//! A follower sees a record when it is durable and its rows and names are readable, never before. It reads by position and
//! has no part in the writer's work: one that is slow holds up nobody. The chain is not verified again, as start-up and
//! `verify` do that; checksum and seq of each record are.

use crate::codec;
use crate::reading::{Books, BooksFault};
use journal::reader::RecordHead;
use ledger::event::Event;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The record that a reader has come to. It is good for as long as the journal is: across restarts, and without anything
/// that is derived.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Cursor {
    /// The seq of the record.
    pub seq: u64,
    /// Where it stands.
    pub position: u64,
    /// The first bytes of its chain hash, so that a cursor of another journal leads nowhere in this one.
    pub mark: u32,
}

impl Cursor {
    const fn of(head: &RecordHead, position: u64) -> Cursor {
        let [a, b, c, d, ..] = head.chain;
        Cursor { seq: head.seq, position, mark: u32::from_be_bytes([a, b, c, d]) }
    }
}

/// A record that a follower came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Followed {
    /// The place of a reader that has seen it.
    pub cursor: Cursor,
    /// The hash of it and of all records before it: no other record of any journal has the same.
    pub chain: [u8; 32],
    /// Bytes of its payload.
    pub bytes: usize,
    /// What it says.
    pub event: Event,
}

/// Reads records in order.
pub struct Follower<'a> {
    books: &'a Books,
    next_seq: u64,
    next_position: u64,
    payload: Vec<u8>,
}

impl<'a> Follower<'a> {
    /// A follower whose next record is the first.
    pub const fn from_start(books: &'a Books) -> Follower<'a> {
        Follower { books, next_seq: 1, next_position: 0, payload: Vec::new() }
    }

    /// A follower whose next record is the one that a cursor names; `None` when this journal has no such record.
    pub fn at(books: &'a Books, cursor: Cursor) -> Result<Option<Follower<'a>>, BooksFault> {
        if cursor.seq >= books.reach().next_seq() {
            return Ok(None);
        }
        let head = books.journal().head(cursor.position).map_err(BooksFault::Record)?;
        Ok(head.filter(|head| Cursor::of(head, cursor.position) == cursor).map(|_| Follower {
            books,
            next_seq: cursor.seq,
            next_position: cursor.position,
            payload: Vec::new(),
        }))
    }

    /// The next record; `None` when there is none yet. After `None` it may be called again.
    pub fn take_next(&mut self) -> Result<Option<Followed>, BooksFault> {
        if self.is_at_end() {
            return Ok(None);
        }
        let read = self.books.journal().read_next(self.next_seq, self.next_position, &mut self.payload);
        let record = read.map_err(BooksFault::Record)?;
        let position = record.position;
        let event = codec::decode(&self.payload).map_err(|source| BooksFault::Codec { position, source })?;
        self.next_seq = record.head.seq + 1;
        self.next_position = record.next_position;
        Ok(Some(Followed {
            cursor: Cursor::of(&record.head, position),
            chain: record.head.chain,
            bytes: self.payload.len(),
            event,
        }))
    }

    /// Whether nothing follows yet.
    pub fn is_at_end(&self) -> bool {
        self.next_seq >= self.books.reach().next_seq()
    }
}

/// What is called when there is more to follow.
type Bell = Box<dyn Fn() + Send + Sync>;

/// How far followers may read.
pub struct Reach {
    /// The seq after the last record that is durable and whose rows and names are readable.
    next_seq: AtomicU64,
    bell: OnceLock<Bell>,
}

impl Reach {
    pub(crate) const fn new() -> Reach {
        Reach { next_seq: AtomicU64::new(1), bell: OnceLock::new() }
    }

    /// The seq that the next record to be seen will have.
    pub fn next_seq(&self) -> u64 {
        self.next_seq.load(Ordering::Acquire)
    }

    /// Has `bell` called after each group of records that can be followed from then on, and when monitors were evaluated, on the
    /// thread that did it: it must not block. There is one bell.
    pub fn on_growth(&self, bell: impl Fn() + Send + Sync + 'static) {
        assert!(self.bell.set(Box::new(bell)).is_ok(), "one part of the program watches the journal for all others");
    }

    /// Lets followers see all records before this seq.
    pub(crate) fn extend(&self, next_seq: u64) {
        let before = self.next_seq.swap(next_seq, Ordering::AcqRel);
        assert!(before <= next_seq, "what was seen stays");
    }

    /// Tells that there is more.
    pub(crate) fn ring(&self) {
        if let Some(bell) = self.bell.get() {
            bell();
        }
    }
}
