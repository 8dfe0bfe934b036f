//! What a balance was at a moment, and what happened to it between two, from its rows.
//!
//! A posting counts at its business date, or when it was recorded if it has none. Each row of a balance holds the figures after
//! it and leads back by the links of [`ledger::row::Links`], so what was recorded before a moment is found in a logarithmic
//! number of rows. Those that count at another moment are in [`crate::dated`], in the order of either, with sums:
//!
//! ```text
//! what counts before a cut = recorded before it − dated rows recorded before it + dated rows that count before it
//! ```
//!
//! A [`Walk`] goes over the rows in the order in which they count, some at a time. It adds up what it finds, and compares the sum
//! with the figures of the next cut, which come from the rows' own figures: rows that do not add up are never handed out.

pub mod chain;

use crate::dated::{Cut, DatedOf, View, is_dated};
use crate::reading::{Books, BooksFault};
use ledger::row::{Links, NO_ROW, Posted, Row, Status};
use ledger::state::State;
use std::fmt;

/// Rows of a history that a walk reads at once, at most.
pub const CHUNK_ROWS: usize = 1_024;

/// What the state says of the history of a balance.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    handle: u32,
    newest: Spot,
    /// Whether one of its rows has a business date of its own.
    dated: bool,
    /// When the balance was made: none of its rows was recorded earlier.
    made_at: i64,
}

impl Known {
    /// What the state says of a balance.
    pub fn of(state: &State, handle: u32) -> Known {
        let balance = state.balance(handle);
        let newest = Spot { row: balance.history.newest(), count: balance.history.count };
        Known { handle, newest, dated: balance.dated, made_at: balance.created_at }
    }
}

/// A balance and its rows, as they were when it was looked at.
pub struct Account {
    handle: u32,
    newest: Spot,
    made_at: i64,
    /// Absent when all of its rows count when they were recorded.
    dated: Option<DatedOf>,
}

/// A row of a history, and how many of its rows there are up to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Spot {
    row: u64,
    count: u64,
}

/// Before the first row.
const NOWHERE: Spot = Spot { row: NO_ROW, count: 0 };

impl Account {
    /// A balance by what the state says of it. `view` must have been taken before the state was looked at; rows that it does not
    /// know are left out.
    pub fn new(books: &Books, view: &View, known: Known) -> Result<Account, BooksFault> {
        let Known { handle, newest, dated, made_at } = known;
        let mut account = Account { handle, newest, made_at, dated: None };
        account.newest = account.find(books, |row| Ok(row.number < view.upto))?.1;
        account.dated = dated.then(|| view.of(handle));
        Ok(account)
    }

    /// The figures that count at a cut.
    pub fn before(&self, books: &Books, cut: Cut) -> Result<Posted, BooksFault> {
        self.figures(self.recorded(books, cut)?.0.as_ref(), cut)
    }

    /// The figures that count at a cut, by the newest row that was recorded before it.
    fn figures(&self, recorded: Option<&Row>, cut: Cut) -> Result<Posted, BooksFault> {
        let mut posted = recorded.map_or(Posted::default(), |row| side(row, self.handle).0);
        if let Some(dated) = &self.dated {
            let (recorded, effective) = (dated.recorded(cut)?, dated.effective(cut)?);
            posted.credit += effective.credit - recorded.credit;
            posted.debit += effective.debit - recorded.debit;
        }
        Ok(posted)
    }

    /// The earliest moment at which a row with a date of its own counts, if there is one.
    pub fn earliest_dated(&self) -> Result<Option<i64>, BooksFault> {
        let Some(dated) = &self.dated else { return Ok(None) };
        let first = dated.list(Cut::before(i64::MIN), Cut::after(i64::MAX), 1)?;
        Ok(first.first().map(|cut| cut.at))
    }

    /// The newest row that was recorded before a cut.
    fn recorded(&self, books: &Books, cut: Cut) -> Result<(Option<Row>, Spot), BooksFault> {
        // The way to the first row is the longest of all, and business dates often lie before it.
        if cut.at < self.made_at {
            return Ok((None, NOWHERE));
        }
        self.find(books, |row| Ok(Cut { at: row.created_at, row: row.number } < cut))
    }

    /// The newest row that something is true of; it must be true of all rows before one that it is true of.
    fn find(
        &self,
        books: &Books,
        is: impl Fn(&Row) -> Result<bool, BooksFault>,
    ) -> Result<(Option<Row>, Spot), BooksFault> {
        let mut spot = self.newest;
        let mut known = None;
        while spot.row != NO_ROW {
            let row = match known.take() {
                Some(row) => row,
                None => row_of(books, spot.row)?,
            };
            if is(&row)? {
                return Ok((Some(row), spot));
            }
            let links = side(&row, self.handle).1;
            let (previous, skip) = (
                Spot { row: links.previous, count: spot.count - 1 },
                Spot { row: links.skip, count: spot.count & (spot.count - 1) },
            );
            spot = previous;
            if skip.row != NO_ROW && skip.row != previous.row {
                let further = row_of(books, skip.row)?;
                if !is(&further)? {
                    (spot, known) = (skip, Some(further));
                }
            }
        }
        Ok((None, NOWHERE))
    }

    /// The newest row up to one that was posted: the first that has the figures of that one. Requests, holds and what was refused
    /// change no posted figures.
    fn newest_posting(&self, books: &Books, upto: Spot) -> Result<Option<Row>, BooksFault> {
        if upto.row == NO_ROW {
            return Ok(None);
        }
        let figures = side(&row_of(books, upto.row)?, self.handle).0;
        if figures == Posted::default() {
            return Ok(None);
        }
        let (_, before) = self.find(books, |row| {
            let earlier = side(row, self.handle).0;
            Ok(earlier.credit < figures.credit || earlier.debit < figures.debit)
        })?;
        Ok(Some(row_of(books, self.at_position(books, before.count + 1)?.row)?))
    }

    /// The row at a position of the history, from 1.
    fn at_position(&self, books: &Books, position: u64) -> Result<Spot, BooksFault> {
        let mut spot = self.newest;
        while spot.count > position {
            let links = side(&row_of(books, spot.row)?, self.handle).1;
            let skipped = spot.count & (spot.count - 1);
            spot = if skipped >= position {
                Spot { row: links.skip, count: skipped }
            } else {
                Spot { row: links.previous, count: spot.count - 1 }
            };
        }
        Ok(spot)
    }

    /// The figures after a row, without what dated rows have to do with them: they grow with each row that counts when it was
    /// recorded, and with no other.
    fn undated(&self, row: &Row) -> Result<Posted, BooksFault> {
        let mut posted = side(row, self.handle).0;
        if let Some(dated) = &self.dated {
            let recorded = dated.recorded(Cut { at: row.created_at, row: row.number + 1 })?;
            posted.credit -= recorded.credit;
            posted.debit -= recorded.debit;
        }
        Ok(posted)
    }
}

fn row_of(books: &Books, number: u64) -> Result<Row, BooksFault> {
    books.row(number)?.ok_or(BooksFault::Row(number))
}

/// The figures and links of the side of a row that a balance is on.
fn side(row: &Row, handle: u32) -> (Posted, Links) {
    if row.source == handle {
        (row.source_after, row.source_links)
    } else {
        (row.destination_after, row.destination_links)
    }
}

/// One line of a statement.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// The row that counts.
    pub row: Row,
    /// What it adds to credits and debits. Both, when a balance pays itself.
    pub moved: Posted,
    /// The figures after it, in the order in which rows count.
    pub after: Posted,
}

/// Why a statement cannot be made.
#[derive(Debug)]
pub enum StatementFault {
    /// Something could not be read.
    Books(BooksFault),
    /// The rows do not add up to the figures.
    Unequal {
        /// Before this cut, by the order of moments: microseconds since 1970.
        at: i64,
        /// What the rows add up to.
        summed: Posted,
        /// What the figures say.
        figures: Posted,
    },
}

impl From<BooksFault> for StatementFault {
    fn from(fault: BooksFault) -> StatementFault {
        StatementFault::Books(fault)
    }
}

impl fmt::Display for StatementFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StatementFault::Books(fault) => fault.fmt(f),
            StatementFault::Unequal { at, summed, figures } => write!(
                f,
                "the rows of a statement add up to {} credits and {} debits before {at}, the figures say {} and {}; \
                 stop the server and run `florin verify`",
                summed.credit, summed.debit, figures.credit, figures.debit
            ),
        }
    }
}

impl std::error::Error for StatementFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StatementFault::Books(fault) => fault.source(),
            StatementFault::Unequal { .. } => None,
        }
    }
}

/// Goes over what counts from one cut on and before another, in order.
pub struct Walk {
    account: Account,
    next: Cut,
    end: Cut,
    /// Rows of the history up to this one were recorded before `next`, or count for nothing here.
    passed: u64,
    /// The last of the history that was recorded before `end`.
    last: Spot,
    /// What counts before `next`.
    running: Posted,
    /// What counts before `end`, by the figures and not by what was walked over.
    closing: Posted,
}

impl Walk {
    /// The newest row before the end that was posted; when there is none, the newest at all.
    pub fn newest_posting(&self, books: &Books) -> Result<Option<Row>, BooksFault> {
        match self.account.newest_posting(books, self.last)? {
            None => self.account.newest_posting(books, self.account.newest),
            before => Ok(before),
        }
    }

    /// A walk from one cut to another that is not before it.
    pub fn new(books: &Books, account: Account, from: Cut, end: Cut) -> Result<Walk, StatementFault> {
        let (before, passed) = account.recorded(books, from)?;
        let running = account.figures(before.as_ref(), from)?;
        let (newest, last) = account.recorded(books, end)?;
        let closing = account.figures(newest.as_ref(), end)?;
        Ok(Walk { account, next: from, end, passed: passed.count, last, running, closing })
    }

    /// What counts before the rows that are next.
    pub const fn running(&self) -> Posted {
        self.running
    }

    /// Where the walk is.
    pub const fn next(&self) -> Cut {
        self.next
    }

    /// Whether there is nothing more.
    pub fn is_over(&self) -> bool {
        self.next >= self.end
    }

    /// What counts before the end, by the figures and not by what was walked over.
    pub const fn closing(&self) -> Posted {
        self.closing
    }

    /// Appends the lines that are next, at most `most` and [`CHUNK_ROWS`] of them; perhaps none, though there are more. When it
    /// fails, nothing was appended.
    pub fn advance(&mut self, books: &Books, most: usize, lines: &mut Vec<Line>) -> Result<(), StatementFault> {
        if self.is_over() {
            return Ok(());
        }
        let most = most.clamp(1, CHUNK_ROWS);
        let (mut rows, mut reached, mut passed) = self.undated(books, most)?;
        if let Some(dated) = &self.account.dated {
            let places = dated.list(self.next, reached, most).map_err(BooksFault::from)?;
            if places.len() == most {
                reached = reached.min(next_of(places[most - 1]));
            }
            books.rows.will_read(places.iter().map(|place| place.row));
            for place in places {
                let row = row_of(books, place.row)?;
                // What the order says of a row must be true of it, or its sums are of something else.
                if !is_dated(&row) || row.effective_at != place.at {
                    return Err(BooksFault::Row(place.row).into());
                }
                rows.push(row);
            }
        }
        rows.sort_unstable_by_key(|row| (row.effective_at, row.number));
        rows.retain(|row| place_of(row) < reached);
        if rows.len() > most {
            reached = next_of(place_of(&rows[most - 1]));
            rows.truncate(most);
        }
        let figures = if reached < self.end {
            let (newest, spot) = self.account.recorded(books, reached)?;
            passed = spot.count.max(self.passed);
            self.account.figures(newest.as_ref(), reached)?
        } else {
            self.closing
        };
        let before = lines.len();
        let mut running = self.running;
        let handle = self.account.handle;
        for row in rows {
            let moved = Posted {
                credit: if row.destination == handle { row.amount } else { 0 },
                debit: if row.source == handle { row.amount } else { 0 },
            };
            running.credit += moved.credit;
            running.debit += moved.debit;
            lines.push(Line { row, moved, after: running });
        }
        if figures != running {
            lines.truncate(before);
            return Err(StatementFault::Unequal { at: reached.at, summed: running, figures });
        }
        (self.next, self.passed, self.running) = (reached, passed, running);
        Ok(())
    }

    /// Rows that count when they were recorded, in order; the cut before which these are all; and how far in the history that is.
    fn undated(&self, books: &Books, most: usize) -> Result<(Vec<Row>, Cut, u64), StatementFault> {
        let mut passed = self.passed;
        loop {
            if passed >= self.last.count {
                return Ok((Vec::new(), self.end, self.last.count));
            }
            // Half of the rows of a history may be requests that went through the queue.
            let to = self.last.count.min(passed + (2 * most).min(CHUNK_ROWS) as u64);
            let newest = self.account.at_position(books, to)?;
            let mut rows = Vec::with_capacity((to - passed) as usize);
            let mut number = newest.row;
            let mut walk = books.rows.walk();
            for _ in passed..to {
                let row = *walk.get(number).map_err(BooksFault::Rows)?.ok_or(BooksFault::Row(number))?;
                number = side(&row, self.account.handle).1.previous;
                rows.push(row);
            }
            let reached = if to == self.last.count { self.end } else { next_of(recorded_place(&rows[0])) };
            let newest = rows[0];
            rows.retain(|row| row.status == Status::Applied && !is_dated(row) && row.amount != 0);
            if !rows.is_empty() || to == self.last.count {
                rows.reverse();
                return Ok((rows, reached, to));
            }
            // Nothing here counts. The next that does is where the figures, without those of dated rows, change.
            let still = self.account.undated(&newest)?;
            let (_, spot) = self.account.find(books, |row| {
                let figures = self.account.undated(row)?;
                Ok(figures.credit <= still.credit && figures.debit <= still.debit)
            })?;
            passed = spot.count.max(to);
        }
    }
}

/// Where a row stands in the order in which rows count.
fn place_of(row: &Row) -> Cut {
    Cut { at: row.effective_at, row: row.number }
}

fn recorded_place(row: &Row) -> Cut {
    Cut { at: row.created_at, row: row.number }
}

/// The cut after a row.
fn next_of(place: Cut) -> Cut {
    Cut { at: place.at, row: place.row + 1 }
}
