//! Transactions, as filters see them.

use super::scan::{self, Cursor, Scan, Source};
use super::{Found, plan};
use crate::api::filter::columns::TransactionColumn as Column;
use crate::api::filter::number::Number;
use crate::api::filter::{Field, Subject, Value, Wanted};
use crate::api::metadata::Metadata;
use crate::api::transaction::view::{TransactionView, Viewer, shows_inflight};
use crate::http::ask;
use crate::http::error::ApiError;
use crate::http::state::AppState;
use engine::reading::{Books, BooksFault, reference_of};
use engine::rows::Walk;
use ledger::decimal::major_text;
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
    let source = Arc::new(Transactions { indicators });
    let page = scan::run(state, Scan::new(wanted, path, ordered)?, &source).await?;
    let books = state.books();
    let mut viewer = Viewer::new(books);
    let mut views = Vec::with_capacity(page.numbers.len());
    for number in page.numbers {
        let row = books.row(number)?.ok_or_else(ApiError::internal)?;
        views.push(viewer.view(&row, true)?);
    }
    Ok(Found { views, total: page.total })
}

fn names_indicators(wanted: &Wanted<Column>) -> bool {
    wanted.filters.tests.iter().any(|test| matches!(test.field, Field::Either(Column::SourceIndicator, _)))
}

/// All indicators, by handle of their balance.
async fn indicators(state: &AppState) -> Result<HashMap<u32, Box<str>>, ApiError> {
    let ledger = ask::look(state, |view| view.state.clone()).await?;
    Ok(ledger.indicators().map(|(text, _, handle)| (handle, text.into())).collect())
}

/// All transactions.
pub struct Transactions {
    indicators: HashMap<u32, Box<str>>,
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
            row: None,
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
    row: Option<Row>,
    /// The last currency, as rows that follow each other often share one.
    currency: Option<(u32, Arc<str>)>,
    /// The metadata of the row, once it was asked for.
    metadata: Option<Metadata>,
}

impl TransactionCursor<'_> {
    const fn row(&self) -> &Row {
        self.row.as_ref().expect("a cursor goes to a row before it is asked")
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
    fn go_to(&mut self, number: u64, in_a_row: bool) -> Result<(), ApiError> {
        let row = if in_a_row { self.walk.get(number).map_err(BooksFault::Rows)? } else { self.books.row(number)? };
        self.row = Some(row.ok_or_else(ApiError::internal)?);
        self.metadata = None;
        Ok(())
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
        let row = *self.row();
        Ok(match column {
            Column::Id => Value::Text(row.id().text(Prefix::Transaction).into()),
            Column::Parent if row.parent == Parent::None => Value::Text("".into()),
            Column::Parent => Value::Text(self.viewer.parent(&row)?.into()),
            Column::Currency => self.currency(row.currency),
            Column::Source => self.side(row.source, true)?,
            Column::Destination => self.side(row.destination, false)?,
            Column::SourceIndicator => self.indicator(row.source),
            Column::DestinationIndicator => self.indicator(row.destination),
            Column::Reference => Value::Text(reference_of(self.viewer.event(&row)?, &row).into()),
            Column::Status => Value::Text(row.status.word().into()),
            Column::Description => {
                let event = self.viewer.event(&row)?;
                Value::Text(event.movements[row.movement as usize].description.of(&event.text).into())
            }
            Column::Amount => Value::Number(amount(&row)),
            Column::Precision => Value::Number(Number::Integer(i128::from(row.precision))),
            Column::CreatedAt => Value::Time(row.created_at),
            Column::EffectiveDate => Value::Time(row.effective_at),
            // Asked for as a whole.
            Column::Metadata => Value::Missing,
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
    let precision = i128::from(row.precision.max(1));
    if row.amount % precision == 0 {
        return Number::Integer(row.amount / precision);
    }
    Number::parse(&major_text(row.amount, row.precision)).unwrap_or(Number::Integer(0))
}
