//! Rows one after the other, upwards or downwards, for whoever looks at many.

use super::run::Run;
use super::{Rows, RowsFault};
use ledger::row::Row;

/// A row this far from the one before, or nearer, is read with those around it. Reading so many costs about as much as reading
/// ten of them one by one, so a walk in steps of this size loses little, and one from row to row gains much.
const NEAR_ROWS: u64 = 64;

/// Reads row after row, those that are near each other many at once.
pub struct Walk<'a> {
    rows: &'a Rows,
    /// The row that was asked for last.
    last: u64,
    /// The number of the first row of `run`.
    first: u64,
    run: Run,
    bytes: Vec<u8>,
}

impl Rows {
    /// A reader for whoever walks over many rows.
    pub fn walk(&self) -> Walk<'_> {
        Walk { rows: self, last: u64::MAX, first: 0, run: Run::Own(Vec::new()), bytes: Vec::new() }
    }
}

impl Walk<'_> {
    /// One row, or `None` past the end.
    pub fn get(&mut self, number: u64) -> Result<Option<&Row>, RowsFault> {
        let is_near = number.abs_diff(std::mem::replace(&mut self.last, number)) <= NEAR_ROWS;
        if self.at(number).is_none() {
            let around = is_near.then(|| self.rows.run_around(number, &mut self.bytes, &mut self.run));
            match around {
                Some(Ok(first)) => self.first = first,
                // A damaged row takes no others with it.
                None | Some(Err(RowsFault::Damaged { .. })) => {
                    self.run = Run::Own(self.rows.get(number)?.into_iter().collect());
                    self.first = number;
                }
                Some(Err(fault)) => return Err(fault),
            }
        }
        Ok(self.at(number))
    }

    /// The row that was asked for last, if there is one.
    pub fn here(&self) -> Option<&Row> {
        self.at(self.last)
    }

    fn at(&self, number: u64) -> Option<&Row> {
        self.run.rows().get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }
}
