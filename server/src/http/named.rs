//! What the id of an address stands for.

use super::ask;
use super::error::ApiError;
use engine::reading::{Books, BooksFault};
use ledger::event::{Movement, Recorded};
use ledger::id::{Id, Prefix};
use ledger::row::{Flags, Parent, Row};

/// What an id stands for.
pub enum Named {
    /// One row. A change of a hold stands for the hold.
    One(Row),
    /// A split transaction or a batch: the rows that were made for it when it was recorded, in order and at least one, and
    /// its event.
    Whole(Vec<Row>, Recorded),
}

/// What an id stands for. Nothing when there is nothing by this id.
pub fn find(books: &Books, id: &str) -> Result<Option<Named>, ApiError> {
    if let Some(batch) = Id::parse(Prefix::Batch, id) {
        let Some((first, event)) = books.find_batch(batch)? else { return Ok(None) };
        let rows = ask::rows_of_record(books, first.number, event.main_rows_count())?;
        return Ok(Some(Named::Whole(rows, event)));
    }
    let Some(parsed) = Id::parse(Prefix::Transaction, id) else { return Ok(None) };
    if let Some(row) = books.find_transaction(parsed)? {
        return Ok(Some(Named::One(hold_of_change(books, row)?)));
    }
    let Some((first, event)) = books.find_split(parsed)? else { return Ok(None) };
    let movements = &event.main_movements()[first.movement as usize..];
    let legs = movements.iter().take_while(|movement| movement.item == movements[0].item);
    let rows = ask::rows_of_record(books, first.number, legs.map(Movement::rows_count).sum())?;
    Ok(Some(Named::Whole(rows, event)))
}

/// The hold that a row changes, or the row itself when it changes none.
fn hold_of_change(books: &Books, row: Row) -> Result<Row, BooksFault> {
    match row.parent {
        Parent::Row(hold) if row.flags.has(Flags::CHANGE) => books.row(hold)?.ok_or(BooksFault::Row(hold)),
        _ => Ok(row),
    }
}
