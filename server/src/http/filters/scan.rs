//! Walking rows: test each, keep those of the page.
//!
//! Two ways to a page. When the walk goes in the order that was asked for, matches before the page are only counted and the
//! walk ends with the page. Otherwise all matches are seen, and the best so many of them are kept in a heap.
//!
//! The first rows are looked at on the thread of the request, as most walks are short; a longer walk goes on on a thread of
//! its own, so that it holds up nobody, and ends when its client goes. Bounds: [`SCANS_MAX`] such threads, [`KEPT_MAX`] keys.

use super::plan::Path;
use crate::api::filter::number::Number;
use crate::api::filter::{Subject, Value, Wanted, refuse};
use crate::http::error::ApiError;
use crate::http::state::AppState;
use engine::reading::Books;
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering as Memory};
use tokio::sync::Semaphore;

/// Most walks that are on threads of their own; more wait.
pub const SCANS_MAX: usize = 2;
/// Most keys that are kept to sort by: a page so far behind the first is refused.
pub const KEPT_MAX: usize = 1_000_000;
/// Rows that are looked at on the thread of the request.
const INLINE_ROWS: usize = 256;
/// Rows between two looks at whether the client is still there.
const SLICE_ROWS: usize = 4096;

static SCANS: Semaphore = Semaphore::const_new(SCANS_MAX);

/// Something that moves from row to row.
pub trait Cursor: Subject {
    /// Goes to a row.
    fn go_to(&mut self, number: u64) -> Result<(), ApiError>;

    /// The row before this one in the history of a balance, or [`ledger::row::NO_ROW`].
    fn before(&self, balance: u32) -> u64;
}

/// What rows are read from.
pub trait Source: Send + 'static {
    /// A cursor over it.
    type Cursor<'a>: Cursor<Column = Self::Column>
    where
        Self: 'a;
    /// Its columns.
    type Column: crate::api::filter::columns::Column;

    /// Makes a cursor.
    fn cursor<'a>(&'a self, books: &'a Books) -> Self::Cursor<'a>;
}

/// A page: the numbers of its rows, and how many rows match if they were counted.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    /// Numbers of rows, in order.
    pub numbers: Vec<u64>,
    /// Matches in all.
    pub total: u64,
}

/// A walk that can be interrupted.
pub struct Scan<C> {
    wanted: Wanted<C>,
    path: Path,
    /// Whether the walk goes in the order that was asked for.
    ordered: bool,
    matches: u64,
    numbers: Vec<u64>,
    heap: BinaryHeap<Entry>,
}

impl<C: crate::api::filter::columns::Column> Scan<C> {
    /// A walk along a path that leads to all matches.
    pub fn new(wanted: Wanted<C>, path: Path, ordered: bool) -> Result<Scan<C>, ApiError> {
        if !ordered && wanted.offset.saturating_add(wanted.limit) > KEPT_MAX {
            return Err(refuse(format!(
                "only the first {KEPT_MAX} rows can be sorted by '{}'; narrow the filters, or sort by created_at",
                C::ALL.iter().find(|(_, named)| is_of(*named, wanted.sort.column)).map_or("", |(name, _)| name)
            )));
        }
        Ok(Scan { wanted, path, ordered, matches: 0, numbers: Vec::new(), heap: BinaryHeap::new() })
    }

    /// Looks at some rows more. Answers whether that was the last.
    pub fn step<S: Cursor<Column = C>>(&mut self, cursor: &mut S, rows_max: usize) -> Result<bool, ApiError> {
        if self.ordered && self.wanted.filters.is_empty() {
            return Ok(self.take_all());
        }
        for _ in 0..rows_max {
            if self.ordered && !self.wanted.count && self.numbers.len() >= self.wanted.limit {
                return Ok(true);
            }
            let Some(number) = self.path.take_next() else { return Ok(true) };
            cursor.go_to(number)?;
            self.path.passed(|balance| cursor.before(balance));
            if self.wanted.filters.hold(cursor)? {
                self.keep(cursor, number)?;
            }
        }
        Ok(false)
    }

    /// All rows match: the page is had without looking at any.
    fn take_all(&mut self) -> bool {
        let (total, numbers) = self.path.page(self.wanted.offset as u64, self.wanted.limit);
        (self.matches, self.numbers) = (total, numbers);
        true
    }

    fn keep<S: Cursor<Column = C>>(&mut self, cursor: &mut S, number: u64) -> Result<(), ApiError> {
        self.matches += 1;
        if self.ordered {
            if self.matches > self.wanted.offset as u64 && self.numbers.len() < self.wanted.limit {
                self.numbers.push(number);
            }
            return Ok(());
        }
        let key = key_of(cursor, self.wanted.sort.column)?;
        self.heap.push(Entry { key, number, descending: !self.wanted.sort.ascending });
        if self.heap.len() > self.wanted.offset.saturating_add(self.wanted.limit) {
            self.heap.pop();
        }
        Ok(())
    }

    /// The page.
    pub fn finish(self) -> Page {
        let numbers = match self.ordered {
            true => self.numbers,
            false => {
                self.heap.into_sorted_vec().into_iter().skip(self.wanted.offset).map(|entry| entry.number).collect()
            }
        };
        Page { numbers, total: self.matches }
    }
}

fn is_of<C: PartialEq>(named: crate::api::filter::columns::Named<C>, column: C) -> bool {
    matches!(named, crate::api::filter::columns::Named::One(one, _) if one == column)
}

/// What rows are sorted by, ascending: null comes last.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Text(Box<str>),
    Number(Number),
    Time(i64),
    Null,
}

fn key_of<S: Cursor>(cursor: &mut S, column: S::Column) -> Result<Key, ApiError> {
    use crate::api::filter::columns::Column;
    if column.is_metadata() {
        return Ok(Key::Text(cursor.metadata()?.text().into()));
    }
    Ok(match cursor.value(column)? {
        Value::Missing | Value::Null if column.sorts_null_as_empty() => Key::Text("".into()),
        Value::Missing | Value::Null => Key::Null,
        Value::Text(text) => Key::Text(text.into()),
        Value::Number(number) => Key::Number(number),
        Value::Time(at) => Key::Time(at),
    })
}

/// A match; the greatest of a heap is the one that comes last. Equal keys are in the order in which rows were made.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    key: Key,
    number: u64,
    descending: bool,
}

impl Ord for Entry {
    fn cmp(&self, other: &Entry) -> Ordering {
        let ascending = self.key.cmp(&other.key).then(self.number.cmp(&other.number));
        if self.descending { ascending.reverse() } else { ascending }
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Ends a walk when the request is dropped.
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Memory::Relaxed);
    }
}

/// Walks to the end, without holding up others. Gives the source back, to show the page from.
pub async fn run<S: Source>(state: &AppState, mut scan: Scan<S::Column>, source: S) -> Result<(Page, S), ApiError> {
    if scan.step(&mut source.cursor(state.books()), INLINE_ROWS)? {
        return Ok((scan.finish(), source));
    }
    let permit = SCANS.acquire().await.map_err(|_| ApiError::internal())?;
    let books = Arc::clone(state.engine().books());
    let stop = Stop(Arc::default());
    let stopped = Arc::clone(&stop.0);
    let walk = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        let mut cursor = source.cursor(&books);
        while !scan.step(&mut cursor, SLICE_ROWS)? {
            if stopped.load(Memory::Relaxed) {
                break;
            }
        }
        drop(cursor);
        Ok((scan.finish(), source))
    });
    let walked = walk.await.map_err(|_| ApiError::internal())?;
    drop(stop);
    walked
}
