//! Transactions, as filters see them.

use super::scan::{self, Cursor, Scan, Source};
use super::{Found, plan, stored};
use crate::api::filter::columns::TransactionColumn as Column;
use crate::api::filter::number::Number;
use crate::api::filter::{Field, Filters, Subject, Value, Wanted};
use crate::api::metadata::Metadata;
use crate::api::transaction::view::{TransactionView, Viewer, shows_inflight};
use crate::http::ask;
use crate::http::error::ApiError;
use crate::http::paging::Filling;
use crate::http::state::AppState;
use engine::codec::mention::Mention;
use engine::reading::{Books, BooksFault, reference_of};
use engine::rows::walk::Walk;
use ledger::decimal::{SHOWN_FRACTION_DIGITS, major_text};
use ledger::event::NO_BALANCE;
use ledger::id::Prefix;
use ledger::row::{NO_ROW, Parent, Row};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

/// Finds transactions.
pub async fn find_transactions(state: &AppState, wanted: Wanted<Column>) -> Result<Found<TransactionView>, ApiError> {
    let indicators = if names_indicators(&wanted) { indicators(state).await? } else { HashMap::new() };
    let path = plan::path(state, &wanted.filters).await?;
    let (path, ordered) = plan::in_order(&wanted, path);
    let source = Arc::new(Transactions { indicators, mention: mention(&wanted.filters) });
    let page = scan::run(state, Scan::new(wanted, path, ordered)?, &source).await?;
    let books = state.books();
    let (mut viewer, mut filling) = (Viewer::new(books), Filling::default());
    let mut views = Vec::with_capacity(page.numbers.len());
    for number in page.numbers {
        let row = books.row(number)?.ok_or_else(ApiError::internal)?;
        let view = viewer.view(&row, true)?;
        filling.add(view.text_bytes())?;
        views.push(view);
    }
    Ok(Found { views, total: page.total })
}

fn names_indicators(wanted: &Wanted<Column>) -> bool {
    wanted.filters.tests.iter().any(|test| matches!(test.field, Field::Either(Column::SourceIndicator, _)))
}

/// All indicators, by handle of their balance.
async fn indicators(state: &AppState) -> Result<HashMap<u32, Box<str>>, ApiError> {
    let ledger = ask::look(state, |view| view.state.clone()).await?;
    stored::beside(move || ledger.indicators().map(|(text, _, handle)| (handle, text.into())).collect()).await
}

/// A text that the record of every match has: one that its description contains.
fn mention(filters: &Filters<Column>) -> Option<Mention> {
    let of_descriptions = filters.required().iter().filter(|test| test.field == Field::One(Column::Description));
    let longest = of_descriptions.filter_map(|test| test.check.literal()).max_by_key(String::len);
    longest.map(|text| Mention::of(&text))
}

/// All transactions.
pub struct Transactions {
    indicators: HashMap<u32, Box<str>>,
    mention: Option<Mention>,
}

impl Source for Transactions {
    type Cursor<'a> = TransactionCursor<'a>;
    type Column = Column;

    fn cursor<'a>(&'a self, books: &'a Books) -> TransactionCursor<'a> {
        TransactionCursor {
            books,
            walk: books.rows.walk(),
            viewer: Viewer::new(books),
            indicators: &self.indicators,
            mention: self.mention.as_ref(),
            mentioned: None,
            bytes: Vec::new(),
            currency: None,
            metadata: None,
        }
    }
}

/// Stands at a transaction.
pub struct TransactionCursor<'a> {
    books: &'a Books,
    walk: Walk<'a>,
    viewer: Viewer<'a>,
    indicators: &'a HashMap<u32, Box<str>>,
    mention: Option<&'a Mention>,
    /// The last record in which it was looked for, and whether it was there.
    mentioned: Option<(u64, bool)>,
    bytes: Vec<u8>,
    /// The last currency, as rows that follow each other often share one.
    currency: Option<(u32, Arc<str>)>,
    /// The metadata of the row, once it was asked for.
    metadata: Option<Metadata>,
}

impl TransactionCursor<'_> {
    fn row(&self) -> &Row {
        self.walk.here().expect("a cursor goes to a row before it is asked")
    }

    fn side(&mut self, handle: u32, is_source: bool) -> Result<Value<'_>, ApiError> {
        if let Some(id) = self.books.balance_id(handle) {
            return Ok(Value::Text(id.text(Prefix::Balance).into()));
        }
        let row = *self.row();
        let event = self.viewer.event(&row)?;
        let movement = &event.movements[row.movement as usize];
        let span = if is_source { movement.source_text } else { movement.destination_text };
        Ok(Value::Text(span.of(&event.text).into()))
    }

    /// What only the record tells.
    fn recorded(&mut self, column: Column) -> Result<Value<'_>, ApiError> {
        let row = *self.row();
        Ok(match column {
            Column::Parent => Value::Text(self.viewer.parent(&row)?.into()),
            Column::Reference => Value::Text(reference_of(self.viewer.event(&row)?, &row).into()),
            _ => {
                let event = self.viewer.event(&row)?;
                Value::Text(event.movements[row.movement as usize].description.of(&event.text).into())
            }
        })
    }

    fn indicator(&self, handle: u32) -> Value<'_> {
        if handle == NO_BALANCE {
            return Value::Missing;
        }
        self.indicators.get(&handle).map_or(Value::Null, |text| Value::Text((&**text).into()))
    }

    fn currency(&mut self, number: u32) -> Value<'_> {
        if self.currency.as_ref().is_none_or(|(known, _)| *known != number) {
            self.currency = Some((number, self.books.currency(number)));
        }
        let text = self.currency.as_ref().map_or("", |(_, text)| text);
        Value::Text(text.into())
    }
}

impl Cursor for TransactionCursor<'_> {
    fn go_to(&mut self, number: u64) -> Result<(), ApiError> {
        let row = self.walk.get(number).map_err(BooksFault::Rows)?;
        row.ok_or_else(ApiError::internal)?;
        self.metadata = None;
        Ok(())
    }

    fn may_match(&mut self) -> Result<bool, ApiError> {
        let (Some(mention), record) = (self.mention, self.row().record) else { return Ok(true) };
        match self.mentioned {
            Some((known, found)) if known == record => Ok(found),
            _ => {
                let found = self.books.may_mention(record, mention, &mut self.bytes)?;
                self.mentioned = Some((record, found));
                Ok(found)
            }
        }
    }

    fn before(&self, balance: u32) -> u64 {
        let row = self.row();
        match balance {
            source if source == row.source => row.source_links.previous,
            destination if destination == row.destination => row.destination_links.previous,
            _ => NO_ROW,
        }
    }
}

impl Subject for TransactionCursor<'_> {
    type Column = Column;

    fn value(&mut self, column: Column) -> Result<Value<'_>, ApiError> {
        let row = self.row();
        Ok(match column {
            Column::Id => Value::Text(row.id().text(Prefix::Transaction).into()),
            Column::Parent if row.parent == Parent::None => Value::Text("".into()),
            Column::Currency => self.currency(row.currency),
            Column::Source => self.side(row.source, true)?,
            Column::Destination => self.side(row.destination, false)?,
            Column::SourceIndicator => self.indicator(row.source),
            Column::DestinationIndicator => self.indicator(row.destination),
            Column::Status => Value::Text(row.status.word().into()),
            Column::Amount => Value::Number(amount(row)),
            Column::Precision => Value::Number(Number::Integer(i128::from(row.precision))),
            Column::CreatedAt => Value::Time(row.created_at),
            Column::EffectiveDate => Value::Time(row.effective_at),
            // Asked for as a whole.
            Column::Metadata => Value::Missing,
            Column::Parent | Column::Reference | Column::Description => self.recorded(column)?,
        })
    }

    fn metadata(&mut self) -> Result<Cow<'_, Metadata>, ApiError> {
        if self.metadata.is_none() {
            let row = *self.row();
            let mut metadata = self.viewer.metadata(&row)?;
            if shows_inflight(&row) {
                // Shown as a field of its own, but found as a key.
                metadata.set("inflight", true);
            }
            self.metadata = Some(metadata);
        }
        Ok(self.metadata.as_ref().map_or_else(|| Cow::Owned(Metadata::default()), Cow::Borrowed))
    }
}

/// The amount in major units, exact to the digits that are shown.
fn amount(row: &Row) -> Number {
    match places(row.precision.max(1)) {
        Some(places) => Number::scaled(row.amount, places),
        None => Number::parse(&major_text(row.amount, row.precision)).unwrap_or(Number::Integer(0)),
    }
}

/// The logarithm of a power of ten of which all digits are shown.
fn places(precision: u64) -> Option<u32> {
    let places = precision.ilog10();
    (places <= SHOWN_FRACTION_DIGITS && 10_u64.pow(places) == precision).then_some(places)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger::row::{Flags, Links, Posted, Status};

    fn row(amount: i128, precision: u64) -> Row {
        let none = Posted::default();
        Row {
            number: 0,
            nonce: 0,
            created_at: 0,
            effective_at: 0,
            record: 0,
            movement: 0,
            source: NO_BALANCE,
            destination: NO_BALANCE,
            currency: 0,
            amount,
            precision,
            parent: Parent::None,
            status: Status::Applied,
            flags: Flags::default(),
            source_after: none,
            destination_after: none,
            source_links: Links::NONE,
            destination_links: Links::NONE,
        }
    }

    /// Whatever the precision, an amount is found by the number that is shown.
    #[test]
    fn an_amount_is_the_number_that_is_shown() {
        for precision in
            [0, 1, 3, 7, 10, 60, 100, 1000, 10_u64.pow(16), 10_u64.pow(17), 10_u64.pow(18), 12_345, u64::MAX]
        {
            for amount in [0, 1, 5, 10, 99, 100, 12_345, 10_i128.pow(18), 10_i128.pow(30) + 1, 15 * 10_i128.pow(20)] {
                for amount in [amount, -amount] {
                    let shown = Number::parse(&major_text(amount, precision));
                    assert_eq!(Some(super::amount(&row(amount, precision))), shown, "{amount} {precision}");
                }
            }
        }
    }
}
