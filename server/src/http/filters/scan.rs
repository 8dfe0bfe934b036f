//! Walking rows: test each, keep those of the page.
//!
//! Two ways to a page. When the walk goes in the order that was asked for, matches before the page are only counted and the
//! walk ends with the page. Otherwise all matches are seen, and the best so many of them are kept in a heap.
//!
//! The first rows are looked at on the thread of the request, as most walks are short; a longer walk, or one that takes longer, goes
//! on on a thread of its own, so that it holds up nobody, and ends when its client goes. Where a single row may take long it begins
//! there. A long walk over rows that follow each other is cut in two halves, one thread each. Bounds: [`SCANS_MAX`] such walks,
//! [`KEPT_MAX`] keys.

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
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// Most walks that are on threads of their own, two each at most; more wait.
pub const SCANS_MAX: usize = 2;
/// Most keys that are kept to sort by: a page so far behind the first is refused.
pub const KEPT_MAX: usize = 1_000_000;
/// Most bytes of texts that are kept to sort by.
pub const KEPT_BYTES_MAX: usize = 64 << 20;
/// Rows that are looked at on the thread of the request.
const INLINE_ROWS: usize = 256;
/// How long that may take; others wait meanwhile. It is looked at between two rows.
const INLINE_TIME: Duration = Duration::from_millis(1);
/// Rows of a walk that is cut in two.
const CUT_ROWS: u64 = 200_000;
/// Rows between two looks at whether the client is still there.
const SLICE_ROWS: usize = 4096;

static SCANS: Semaphore = Semaphore::const_new(SCANS_MAX);

/// Something that moves from row to row.
pub trait Cursor: Subject {
    /// Goes to a row.
    fn go_to(&mut self, number: u64) -> Result<(), ApiError>;

    /// Whether the row may match, as far as that is seen with less work than by testing it.
    fn may_match(&mut self) -> Result<bool, ApiError> {
        Ok(true)
    }

    /// The row before this one in the history of a balance, or [`ledger::row::NO_ROW`].
    fn before(&self, balance: u32) -> u64;
}

/// What rows are read from.
pub trait Source: Send + Sync + 'static {
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
    wanted: Arc<Wanted<C>>,
    path: Path,
    /// Whether the walk goes in the order that was asked for.
    ordered: bool,
    /// Matches before the page.
    skip: usize,
    /// Matches of the page.
    keep: usize,
    matches: u64,
    numbers: Vec<u64>,
    heap: BinaryHeap<Entry>,
    /// Bytes of the texts in the heap.
    kept_bytes: usize,
}

impl<C: crate::api::filter::columns::Column> Scan<C> {
    /// A walk along a path that leads to all matches.
    pub fn new(wanted: Wanted<C>, path: Path, ordered: bool) -> Result<Scan<C>, ApiError> {
        if !ordered && wanted.offset.saturating_add(wanted.limit) > KEPT_MAX {
            return Err(too_much(wanted.sort.column, &format!("only the first {KEPT_MAX} rows")));
        }
        Ok(Scan {
            path,
            ordered,
            skip: wanted.offset,
            keep: wanted.limit,
            wanted: Arc::new(wanted),
            matches: 0,
            numbers: Vec::new(),
            heap: BinaryHeap::new(),
            kept_bytes: 0,
        })
    }

    /// Looks at some rows more. Answers whether that was the last.
    pub fn step<S: Cursor<Column = C>>(&mut self, cursor: &mut S, rows_max: usize) -> Result<bool, ApiError> {
        if self.ordered && self.wanted.filters.is_empty() {
            return Ok(self.take_all());
        }
        for _ in 0..rows_max {
            if self.is_full() {
                return Ok(true);
            }
            let Some(number) = self.path.take_next() else { return Ok(true) };
            cursor.go_to(number)?;
            self.path.passed(|balance| cursor.before(balance));
            if cursor.may_match()? && self.wanted.filters.hold(cursor)? {
                self.keep(cursor, number)?;
            }
        }
        Ok(false)
    }

    /// Whether the page is whole and nothing more is wanted.
    fn is_full(&self) -> bool {
        self.ordered && !self.wanted.count && self.numbers.len() >= self.keep
    }

    /// Cuts what is left of a walk over so many rows that follow each other in two: this is the first half, the answer the
    /// second.
    fn cut_at(&mut self, rows_least: u64) -> Option<Scan<C>> {
        let later = self.path.cut(rows_least)?;
        Some(Scan {
            wanted: Arc::clone(&self.wanted),
            path: later,
            ordered: self.ordered,
            // What comes before the page is counted by the first half; the second keeps what could be of the page.
            skip: 0,
            keep: self.skip.saturating_add(self.keep),
            matches: 0,
            numbers: Vec::new(),
            heap: BinaryHeap::new(),
            kept_bytes: 0,
        })
    }

    /// Takes in what the second half found.
    fn join(&mut self, later: Scan<C>) -> Result<(), ApiError> {
        if self.ordered {
            let skip = (self.skip as u64).saturating_sub(self.matches) as usize;
            let room = self.keep - self.numbers.len();
            self.numbers.extend(later.numbers.into_iter().skip(skip).take(room));
        }
        self.matches += later.matches;
        later.heap.into_iter().try_for_each(|entry| self.push(entry))
    }

    /// All rows match: the page is had without looking at any.
    fn take_all(&mut self) -> bool {
        let (total, numbers) = self.path.page(self.skip as u64, self.keep);
        (self.matches, self.numbers) = (total, numbers);
        true
    }

    fn keep<S: Cursor<Column = C>>(&mut self, cursor: &mut S, number: u64) -> Result<(), ApiError> {
        self.matches += 1;
        if self.ordered {
            if self.matches > self.skip as u64 && self.numbers.len() < self.keep {
                self.numbers.push(number);
            }
            return Ok(());
        }
        let key = key_of(cursor, self.wanted.sort.column)?;
        self.push(Entry { key, number, descending: !self.wanted.sort.ascending })
    }

    fn push(&mut self, entry: Entry) -> Result<(), ApiError> {
        self.kept_bytes += entry.key.text_bytes();
        self.heap.push(entry);
        if self.heap.len() > self.skip.saturating_add(self.keep) {
            self.kept_bytes -= self.heap.pop().map_or(0, |last| last.key.text_bytes());
        }
        if self.kept_bytes > KEPT_BYTES_MAX {
            let most = format!("only {KEPT_BYTES_MAX} bytes of text");
            return Err(too_much(self.wanted.sort.column, &most));
        }
        Ok(())
    }

    /// The page.
    pub fn finish(self) -> Page {
        let numbers = match self.ordered {
            true => self.numbers,
            false => self.heap.into_sorted_vec().into_iter().skip(self.skip).map(|entry| entry.number).collect(),
        };
        Page { numbers, total: self.matches }
    }
}

/// A page that would take too much memory to find.
fn too_much<C: crate::api::filter::columns::Column>(sort: C, most: &str) -> ApiError {
    let name = C::ALL.iter().find(|(_, named)| is_of(*named, sort)).map_or("", |(name, _)| name);
    refuse(format!("{most} can be sorted by '{name}'; narrow the filters, or sort by created_at"))
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

impl Key {
    const fn text_bytes(&self) -> usize {
        match self {
            Key::Text(text) => text.len(),
            Key::Number(_) | Key::Time(_) | Key::Null => 0,
        }
    }
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

/// Walks to the end, without holding up others.
pub async fn run<S: Source>(state: &AppState, mut scan: Scan<S::Column>, source: &Arc<S>) -> Result<Page, ApiError> {
    if !scan.wanted.filters.are_heavy() && begin(&mut scan, &mut source.cursor(state.books()))? {
        return Ok(scan.finish());
    }
    let permit = SCANS.acquire().await.map_err(|_| ApiError::internal())?;
    let stop = Stop(Arc::default());
    let books = state.engine().books();
    let later = if scan.skip.saturating_add(scan.keep) <= KEPT_MAX { scan.cut_at(CUT_ROWS) } else { None };
    let first = walk(scan, books, source, &stop);
    let later = later.map(|later| {
        let after = Stop(Arc::default());
        (walk(later, books, source, &after), after)
    });
    let mut scan = first.await.map_err(|_| ApiError::internal())??;
    if let Some((later, after)) = later {
        if scan.is_full() {
            drop(after);
        } else {
            scan.join(later.await.map_err(|_| ApiError::internal())??)?;
        }
    }
    drop((permit, stop));
    Ok(scan.finish())
}

/// Looks at the first rows of a walk. Answers whether these were all.
fn begin<S: Cursor>(scan: &mut Scan<S::Column>, cursor: &mut S) -> Result<bool, ApiError> {
    let until = Instant::now() + INLINE_TIME;
    for _ in 0..INLINE_ROWS {
        if scan.step(cursor, 1)? {
            return Ok(true);
        }
        if Instant::now() >= until {
            break;
        }
    }
    Ok(false)
}

/// Walks to the end on a thread of its own, or until it is stopped.
fn walk<S: Source>(
    mut scan: Scan<S::Column>,
    books: &Arc<Books>,
    source: &Arc<S>,
    stop: &Stop,
) -> JoinHandle<Result<Scan<S::Column>, ApiError>> {
    let (books, source, stopped) = (Arc::clone(books), Arc::clone(source), Arc::clone(&stop.0));
    tokio::task::spawn_blocking(move || {
        let mut cursor = source.cursor(&books);
        let rows = if scan.wanted.filters.are_heavy() { 1 } else { SLICE_ROWS };
        while !scan.step(&mut cursor, rows)? && !stopped.load(Memory::Relaxed) {}
        Ok(scan)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::filter::check::{Check, Comparison};
    use crate::api::filter::columns::{Column as _, TransactionColumn as Column};
    use crate::api::filter::{Field, Filters, Sort, Test};
    use crate::api::metadata::Metadata;
    use crate::http::filters::plan;
    use std::borrow::Cow;

    /// Rows whose amount is their number modulo 7.
    struct Numbers(u64);

    impl Subject for Numbers {
        type Column = Column;

        fn value(&mut self, _: Column) -> Result<Value<'_>, ApiError> {
            Ok(Value::Number(Number::Integer(i128::from(self.0 % 7))))
        }

        fn metadata(&mut self) -> Result<Cow<'_, Metadata>, ApiError> {
            Ok(Cow::Owned(Metadata::default()))
        }
    }

    impl Cursor for Numbers {
        fn go_to(&mut self, number: u64) -> Result<(), ApiError> {
            self.0 = number;
            Ok(())
        }

        fn before(&self, _: u32) -> u64 {
            unreachable!("no history is walked")
        }
    }

    fn walked(wanted: &Wanted<Column>, cut: bool) -> Page {
        let (path, ordered) = plan::in_order(wanted, Path::Down(0..500));
        let mut scan = Scan::new(wanted.clone(), path, ordered).expect("a small page");
        let later = cut.then(|| scan.cut_at(1).expect("the path is long enough"));
        let end = |scan: &mut Scan<Column>| while !scan.step(&mut Numbers(0), 16).expect("nothing is read") {};
        end(&mut scan);
        if let Some(mut later) = later
            && !scan.is_full()
        {
            end(&mut later);
            scan.join(later).expect("a few keys fit");
        }
        scan.finish()
    }

    /// Rows in another order than that of the walk are kept until its end, so there are only so many of them.
    #[test]
    fn only_so_many_rows_are_sorted() {
        let sort = Sort { column: Column::Amount, ascending: true };
        for (offset, ordered, fits) in
            [(KEPT_MAX - 5, false, true), (KEPT_MAX - 4, false, false), (KEPT_MAX, true, true)]
        {
            let wanted = Wanted { filters: Filters::new(Vec::new(), false), sort, limit: 5, offset, count: false };
            assert_eq!(Scan::new(wanted, Path::Down(0..500), ordered).is_ok(), fits, "{offset} {ordered}");
        }
    }

    /// A row that takes long to look at; counts how many were.
    struct Slow(usize);

    impl Subject for Slow {
        type Column = Column;

        fn value(&mut self, _: Column) -> Result<Value<'_>, ApiError> {
            self.0 += 1;
            std::thread::sleep(INLINE_TIME);
            Ok(Value::Text("x".repeat(KEPT_BYTES_MAX / 4).into()))
        }

        fn metadata(&mut self) -> Result<Cow<'_, Metadata>, ApiError> {
            Ok(Cow::Owned(Metadata::default()))
        }
    }

    impl Cursor for Slow {
        fn go_to(&mut self, _: u64) -> Result<(), ApiError> {
            Ok(())
        }

        fn before(&self, _: u32) -> u64 {
            unreachable!("no history is walked")
        }
    }

    fn slow(sort: Column) -> Scan<Column> {
        let test = Test { field: Field::One(Column::Reference), check: Check::NotNull };
        let (filters, sort) = (Filters::new(vec![test], false), Sort { column: sort, ascending: false });
        let wanted = Wanted { filters, sort, limit: 100, offset: 0, count: false };
        let (path, ordered) = plan::in_order(&wanted, Path::Down(0..500));
        Scan::new(wanted, path, ordered).expect("a small page")
    }

    /// Proves that rows which take long are not looked at where others wait for it.
    #[test]
    fn a_slow_walk_leaves_the_thread_of_the_request() {
        let mut rows = Slow(0);
        assert!(!begin(&mut slow(Column::CREATED_AT), &mut rows).expect("nothing is read"));
        assert_eq!(rows.0, 1, "the time is over after the first");
    }

    #[test]
    fn only_so_much_text_is_kept_to_sort_by() {
        let mut scan = slow(Column::Reference);
        for row in 0..4 {
            assert!(!scan.step(&mut Slow(0), 1).expect("it fits"), "{row}");
        }
        let error = scan.step(&mut Slow(0), 1).expect_err("a fifth quarter");
        assert!(error.message.contains("can be sorted by 'reference'"), "{}", error.message);
    }

    #[test]
    fn a_walk_in_two_halves_finds_the_same_page() {
        let test =
            Test { field: Field::One(Column::Amount), check: Check::Number(Comparison::Less(Number::Integer(2))) };
        for (column, ascending) in [(Column::CREATED_AT, false), (Column::CREATED_AT, true), (Column::Amount, true)] {
            for (offset, limit) in [(0, 5), (0, 500), (60, 30), (70, 10), (71, 3), (72, 50), (140, 10), (900, 4)] {
                for count in [true, false] {
                    let filters = Filters::new(vec![test.clone()], false);
                    let wanted = Wanted { filters, sort: Sort { column, ascending }, limit, offset, count };
                    let (whole, halves) = (walked(&wanted, false), walked(&wanted, true));
                    assert_eq!(whole.numbers, halves.numbers, "{wanted:?}");
                    if count {
                        assert_eq!((whole.total, halves.total), (144, 144), "{wanted:?}");
                    }
                }
            }
        }
    }
}
