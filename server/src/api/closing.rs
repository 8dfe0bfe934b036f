//! Closings of books on the wire.

use super::metadata::Metadata;
use super::number::NumberText;
use super::time::{self, Moment};
use super::validate::Problems;
use crate::decode::{RawObject, Text};
use crate::http::error::{ApiError, Code};
use ledger::closings::{Total, Turnover};
use ledger::command::CloseLedger;
use ledger::event::LedgerClosed;
use ledger::id::Prefix;
use ledger::limits::{DESCRIPTION_BYTES_MAX, METADATA_BYTES_MAX};
use ledger::state::Currencies;
use ledger::wide::Wide;
use serde::Serialize;

crate::lenient_struct! {
    /// Body of `POST /ledgers/{id}/closings`.
    pub struct ClosingBody<'a> {
        /// The first moment that is not closed.
        "until" until: Text<'a>,
        /// Text for people.
        "description" description: Text<'a>,
        /// Anything.
        "meta_data" metadata: RawObject<'a>,
    }
}

impl ClosingBody<'_> {
    /// The command to close the books of a ledger.
    pub fn command(&self, ledger: String) -> Result<CloseLedger, ApiError> {
        let mut problems = Problems::default();
        let until = match self.until.as_deref().unwrap_or_default() {
            "" => {
                problems.add("until", "cannot be blank");
                None
            }
            text => Moment::parse(text),
        };
        let Some(until) = until else {
            problems.add("until", "must be a time in RFC 3339, such as 2024-02-01T00:00:00Z");
            return Err(problems.into_result(Code::GenValidationError).err().unwrap_or_else(ApiError::internal));
        };
        let description = self.description.as_deref().unwrap_or_default().to_owned();
        let metadata = self.metadata.map_or("", |raw| raw.0).to_owned();
        problems.length("description", &description, DESCRIPTION_BYTES_MAX);
        problems.length("meta_data", &metadata, METADATA_BYTES_MAX);
        problems.into_result(Code::GenValidationError)?;
        Ok(CloseLedger { ledger, until: until.micros(), description, metadata })
    }
}

/// A closing as it is shown.
#[derive(Debug, Serialize)]
pub struct ClosingView {
    /// Its id.
    pub closing_id: String,
    ledger_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    until: String,
    created_at: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    meta_data: Option<Metadata>,
    /// `pending` as long as its totals are not recorded.
    pub status: &'static str,
    /// Its totals, where one is shown by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub totals: Option<Vec<TotalView>>,
    /// What came of summing once more, when that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<CheckView>,
}

impl ClosingView {
    /// The closing that an event made, without totals.
    pub fn new(event: &LedgerClosed, ledger_id: String, is_totalled: bool) -> ClosingView {
        ClosingView {
            closing_id: event.id.text(Prefix::Closing),
            ledger_id,
            from: event.from.map(time::text),
            until: time::text(event.until),
            created_at: time::text(event.at),
            description: event.description.clone(),
            meta_data: Metadata::parse(&event.metadata),
            status: if is_totalled { "complete" } else { "pending" },
            totals: None,
            check: None,
        }
    }
}

/// What came of summing a closing once more.
#[derive(Debug, Serialize)]
pub struct CheckView {
    /// Whether the sums are those that were recorded.
    pub agrees: bool,
    /// When they were made.
    pub checked_at: String,
    /// The sums of now, when they are others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub totals: Option<Vec<TotalView>>,
}

/// The totals of one currency.
#[derive(Debug, Serialize)]
pub struct TotalView {
    currency: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    precision: Option<u64>,
    count: u64,
    opening_balance: NumberText,
    opening_credit_balance: NumberText,
    opening_debit_balance: NumberText,
    credit: NumberText,
    debit: NumberText,
    closing_balance: NumberText,
    closing_credit_balance: NumberText,
    closing_debit_balance: NumberText,
}

/// Totals as they are shown, by the texts of their currencies.
pub fn totals(totals: &[Total], currencies: &Currencies) -> Vec<TotalView> {
    let mut views: Vec<TotalView> = totals.iter().map(|total| TotalView::new(total, currencies)).collect();
    views.sort_by(|one, other| one.currency.cmp(&other.currency));
    views
}

impl TotalView {
    fn new(total: &Total, currencies: &Currencies) -> TotalView {
        let Total { currency, balances, opening, closing } = *total;
        let balance = |sums: Turnover| signed(sums.credit, sums.debit);
        TotalView {
            currency: currencies.text(currency).to_owned(),
            precision: currencies.registered(currency).map(|registered| registered.precision),
            count: balances,
            opening_balance: balance(opening),
            opening_credit_balance: whole(opening.credit),
            opening_debit_balance: whole(opening.debit),
            credit: signed(closing.credit, opening.credit),
            debit: signed(closing.debit, opening.debit),
            closing_balance: balance(closing),
            closing_credit_balance: whole(closing.credit),
            closing_debit_balance: whole(closing.debit),
        }
    }
}

/// A sum that is not below zero.
pub fn whole(sum: Wide) -> NumberText {
    NumberText::digits(sum.to_string())
}

/// A sum less another.
pub fn signed(sum: Wide, less: Wide) -> NumberText {
    let text = sum.less(less);
    match text.strip_prefix('-') {
        Some(digits) => NumberText::digits(digits.to_owned()).negated(),
        None => NumberText::digits(text),
    }
}
