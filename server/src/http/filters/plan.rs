//! How the rows that may match are reached.
//!
//! | condition that every match fulfils | way |
//! |---|---|
//! | `transaction_id` is one of some | the rows of the ids |
//! | `reference` is one of some | the index of references |
//! | `parent_transaction` is one of some | the record of the parent, and the index of children |
//! | `source`, `destination` or `balance_id` is a balance | its history, newest first |
//! | `created_at` is in a range | rows by number, as times never go back |
//! | none of these | all rows |
//!
//! The first that there is is taken; of histories and ranges the shorter. Conditions are all tested again on the way.

use crate::api::filter::columns::TransactionColumn as Column;
use crate::api::filter::{Field, Filters, Wanted};
use crate::http::ask;
use crate::http::error::ApiError;
use crate::http::state::AppState;
use engine::reading::Books;
use ledger::id::{Id, Prefix};
use ledger::row::NO_ROW;
use std::ops::Range;

/// Most texts that are looked up one by one; a longer list is compared with every row.
const LOOKUPS_MAX: usize = 1_000;
/// References that are looked up while the writer waits.
const LOOKUPS_AT_ONCE: usize = 64;

/// A way to rows, by their numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Path {
    /// Some rows, in this order reversed.
    Some(Vec<u64>),
    /// Rows from the newest.
    Down(Range<u64>),
    /// Rows from the oldest.
    Up(Range<u64>),
    /// The history of a balance from this row back, to the least number.
    History {
        /// Its handle.
        balance: u32,
        /// The row that comes next, or [`NO_ROW`].
        next: u64,
        /// No row before this one matches.
        least: u64,
    },
}

impl Path {
    /// The next row.
    pub fn take_next(&mut self) -> Option<u64> {
        match self {
            Path::Some(numbers) => numbers.pop(),
            Path::Down(range) => range.next_back(),
            Path::Up(range) => range.next(),
            Path::History { next, least, .. } => Some(*next).filter(|&number| number != NO_ROW && number >= *least),
        }
    }

    /// Cuts a long way over rows that follow each other in two: this keeps the half that comes first. The other half is the
    /// answer; nothing when there are fewer rows than `least`.
    pub fn cut(&mut self, least: u64) -> Option<Path> {
        match self {
            Path::Down(range) if range.end - range.start >= least => {
                let middle = range.start + (range.end - range.start) / 2;
                let later = range.start..middle;
                range.start = middle;
                Some(Path::Down(later))
            }
            Path::Up(range) if range.end - range.start >= least => {
                let middle = range.start + (range.end - range.start) / 2;
                let later = middle..range.end;
                range.end = middle;
                Some(Path::Up(later))
            }
            Path::Down(_) | Path::Up(_) | Path::Some(_) | Path::History { .. } => None,
        }
    }

    /// Goes on behind the row that was just given; only a history needs to know what stands there.
    pub fn passed(&mut self, before: impl FnOnce(u32) -> u64) {
        if let Path::History { balance, next, .. } = self {
            *next = before(*balance);
        }
    }

    /// How many rows there are, and the numbers of a page of them. A history is not counted in this way.
    pub fn page(&mut self, offset: u64, limit: usize) -> (u64, Vec<u64>) {
        let (total, mut rest) = match self {
            Path::Some(numbers) => (numbers.len() as u64, std::mem::take(numbers)),
            Path::Down(range) => {
                let end = range.end.saturating_sub(offset).max(range.start);
                let start = end.saturating_sub(limit as u64).max(range.start);
                return (range.end - range.start, (start..end).rev().collect());
            }
            Path::Up(range) => {
                let start = range.start.saturating_add(offset).min(range.end);
                return (range.end - range.start, (start..range.end).take(limit).collect());
            }
            Path::History { .. } => (0, Vec::new()),
        };
        rest.reverse();
        (total, rest.into_iter().skip(offset as usize).take(limit).collect())
    }

    /// The same rows from the oldest, where that can be had; and whether it could.
    fn upwards(self) -> (Path, bool) {
        match self {
            Path::Down(range) => (Path::Up(range), true),
            Path::Some(mut numbers) => {
                numbers.reverse();
                (Path::Some(numbers), true)
            }
            other => (other, false),
        }
    }
}

/// The rows from 0 in the order of a sort by time of creation, if that is what is wanted, and whether it is.
pub fn in_order<C: crate::api::filter::columns::Column>(wanted: &Wanted<C>, path: Path) -> (Path, bool) {
    match (wanted.sort.column == C::CREATED_AT, wanted.sort.ascending) {
        (true, false) => (path, true),
        (true, true) => path.upwards(),
        (false, _) => (path, false),
    }
}

/// The narrowest way to all matches.
pub async fn path(state: &AppState, filters: &Filters<Column>) -> Result<Path, ApiError> {
    let books = state.books();
    let rows_count = books.rows.len();
    if let Some(mut numbers) = looked_up(state, filters).await? {
        numbers.retain(|&number| number < rows_count);
        numbers.sort_unstable();
        numbers.dedup();
        return Ok(Path::Some(numbers));
    }
    let range = range(books, filters, rows_count)?;
    let ids = balances(filters);
    if ids.is_empty() {
        return Ok(Path::Down(range));
    }
    let shortest = ask::look(state, move |view| {
        let found = ids.into_iter().filter_map(|id| view.state.find_balance(id));
        let histories = found.map(|handle| (handle, &view.state.balance(handle).history));
        let shortest = histories.min_by_key(|(_, history)| history.count);
        shortest.map(|(handle, history)| (handle, history.count, history.newest()))
    });
    match shortest.await? {
        Some((balance, count, newest)) if count <= range.end - range.start => {
            let next = skip_newer(books, balance, newest, range.end)?;
            Ok(Path::History { balance, next, least: range.start })
        }
        _ => Ok(Path::Down(range)),
    }
}

/// The newest row of a history before a number. Skips as far as it can.
fn skip_newer(books: &Books, balance: u32, newest: u64, end: u64) -> Result<u64, ApiError> {
    let mut number = newest;
    while number != NO_ROW && number >= end {
        let row = books.row(number)?.ok_or_else(ApiError::internal)?;
        let links = if row.source == balance { row.source_links } else { row.destination_links };
        number = if links.skip != NO_ROW && links.skip >= end { links.skip } else { links.previous };
    }
    Ok(number)
}

/// The ids of balances that every match names.
fn balances(filters: &Filters<Column>) -> Vec<Id> {
    let sides = filters.required().iter().filter(|test| {
        matches!(
            test.field,
            Field::One(Column::Source | Column::Destination) | Field::Either(Column::Source, Column::Destination)
        )
    });
    let one = sides.filter_map(|test| match test.check.texts() {
        Some([id]) => Id::parse(Prefix::Balance, id),
        _ => None,
    });
    one.collect()
}

/// The rows that were made when every match was made.
fn range(books: &Books, filters: &Filters<Column>, rows_count: u64) -> Result<Range<u64>, ApiError> {
    let mut range = 0..rows_count;
    for test in filters.required() {
        if test.field != Field::One(Column::CreatedAt) {
            continue;
        }
        let Some(times) = test.check.times() else { continue };
        range.start = range.start.max(first_since(books, times.start, rows_count)?);
        range.end = range.end.min(first_since(books, times.end, rows_count)?);
    }
    range.end = range.end.max(range.start);
    Ok(range)
}

/// The first row that was not made before a time.
fn first_since(books: &Books, at: i64, rows_count: u64) -> Result<u64, ApiError> {
    let (mut before, mut since) = (0, rows_count);
    while before < since {
        let middle = before + (since - before) / 2;
        let row = books.row(middle)?.ok_or_else(ApiError::internal)?;
        if row.created_at < at {
            before = middle + 1;
        } else {
            since = middle;
        }
    }
    Ok(before)
}

/// Numbers of rows, among them all matches, when a condition allows to look them up.
async fn looked_up(state: &AppState, filters: &Filters<Column>) -> Result<Option<Vec<u64>>, ApiError> {
    let texts_of = |column: Column| {
        let mut tests = filters.required().iter().filter(|test| test.field == Field::One(column));
        let few = tests.find_map(|test| test.check.texts().filter(|texts| texts.len() <= LOOKUPS_MAX));
        few.filter(|texts| !texts.iter().any(String::is_empty))
    };
    if let Some(ids) = texts_of(Column::Id) {
        return Ok(Some(ids.iter().filter_map(|id| Id::parse(Prefix::Transaction, id)).map(Id::row).collect()));
    }
    let mut numbers = Vec::new();
    if let Some(references) = texts_of(Column::Reference) {
        for references in references.chunks(LOOKUPS_AT_ONCE) {
            numbers.extend(ask::rows_of_references(state, references).await?);
        }
        return Ok(Some(numbers));
    }
    let Some(parents) = texts_of(Column::Parent) else { return Ok(None) };
    for parent in parents {
        numbers.extend(rows_of_parent(state, parent).await?);
    }
    Ok(Some(numbers))
}

/// Numbers of rows, among them all that name this parent.
async fn rows_of_parent(state: &AppState, parent: &str) -> Result<Vec<u64>, ApiError> {
    let books = state.books();
    if let Some(id) = Id::parse(Prefix::Batch, parent) {
        let found = books.find_batch(id)?;
        return Ok(found.map_or(Vec::new(), |(_, event)| rows_of(&event)));
    }
    let Some(id) = Id::parse(Prefix::Transaction, parent) else { return Ok(Vec::new()) };
    if let Some(row) = books.find_transaction(id)? {
        let mut numbers = rows_of(&books.recorded(&row)?);
        numbers.extend(ask::children(state, row.number).await?.iter().map(|row| row.number));
        return Ok(numbers);
    }
    Ok(books.find_split(id)?.map_or(Vec::new(), |(_, event)| rows_of(&event)))
}

fn rows_of(event: &ledger::event::Recorded) -> Vec<u64> {
    (event.first_row..event.first_row + event.rows_count()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_paths_without_conditions() {
        for (path, offset, limit, wanted) in [
            (Path::Down(0..5), 0, 2, vec![4, 3]),
            (Path::Down(0..5), 3, 9, vec![1, 0]),
            (Path::Down(0..5), 9, 2, vec![]),
            (Path::Up(0..5), 1, 2, vec![1, 2]),
            (Path::Up(0..5), 9, 2, vec![]),
            (Path::Some(vec![1, 4, 7]), 1, 2, vec![4, 1]),
            (Path::Down(0..5), u64::MAX, usize::MAX, vec![]),
        ] {
            let total = if matches!(path, Path::Some(_)) { 3 } else { 5 };
            assert_eq!(path.clone().page(offset, limit), (total, wanted), "{path:?} {offset} {limit}");
        }
    }
}
