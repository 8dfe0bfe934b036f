//! The rows of one balance by their links alone: for sums of one moment that the books of dated rows may already be past, and
//! for adding everything up once more.
//!
//! A balance none of whose rows has a business date of its own is found in a logarithmic number of rows. When some rows are
//! dated otherwise, the order of rows is not that of dates, and all are summed; [`super::Account`] does better.

use crate::reading::{Books, BooksFault};
use ledger::row::{Links, NO_ROW, Posted, Row, Status};

/// The posted figures of a balance after the last of its rows that was recorded by a moment (microseconds since 1970).
/// `newest` is its newest row.
pub fn recorded_by(books: &Books, handle: u32, newest: u64, at: i64) -> Result<Posted, BooksFault> {
    let mut number = newest;
    while number != NO_ROW {
        let row = books.row(number)?.ok_or(BooksFault::Row(number))?;
        if row.created_at <= at {
            return Ok(side(&row, handle).0);
        }
        let links = side(&row, handle).1;
        number = match links.skip {
            NO_ROW => links.previous,
            skip => {
                let further = books.row(skip)?.ok_or(BooksFault::Row(skip))?;
                if further.created_at > at { skip } else { links.previous }
            }
        };
    }
    Ok(Posted::default())
}

/// A sum over the rows of a balance, some at a time.
pub struct Sum {
    handle: u32,
    next: u64,
    at: i64,
    posted: Posted,
}

impl Sum {
    /// A sum of what is effective by a moment. `newest` is the newest row of the balance.
    pub fn new(handle: u32, newest: u64, at: i64) -> Sum {
        Sum { handle, next: newest, at, posted: Posted::default() }
    }

    /// Takes some more rows; the sum, when these were the last.
    pub fn advance(&mut self, books: &Books, rows: usize) -> Result<Option<Posted>, BooksFault> {
        for _ in 0..rows {
            if self.next == NO_ROW {
                return Ok(Some(self.posted));
            }
            let row = books.row(self.next)?.ok_or(BooksFault::Row(self.next))?;
            if row.status == Status::Applied && row.effective_at <= self.at {
                self.posted.debit += if row.source == self.handle { row.amount } else { 0 };
                self.posted.credit += if row.destination == self.handle { row.amount } else { 0 };
            }
            self.next = side(&row, self.handle).1.previous;
        }
        Ok(None)
    }
}

/// The figures and links of the side of a row that a balance is on.
fn side(row: &Row, handle: u32) -> (Posted, Links) {
    if row.source == handle {
        (row.source_after, row.source_links)
    } else {
        (row.destination_after, row.destination_links)
    }
}
