//! An exchange as clients see it: what its rows and their metadata say, so that a request that is known is answered as it
//! was made, not as it was sent again.

use super::{LegFacts, Side};
use crate::api::metadata;
use crate::api::number::NumberText;
use crate::api::projection::{BalanceProjection, RejectionView, digits};
use crate::api::time;
use crate::api::transaction::view::{TransactionView, Viewer};
use engine::reading::BooksFault;
use ledger::event::split_id;
use ledger::id::Prefix;
use ledger::row::Row;
use serde::Serialize;

/// An exchange.
#[derive(Debug, Serialize)]
pub struct ExchangeView {
    transaction_id: String,
    reference: String,
    status: &'static str,
    rate: String,
    quote: String,
    source: String,
    destination: String,
    source_currency: String,
    precise_amount: NumberText,
    destination_currency: String,
    precise_destination_amount: NumberText,
    spread: Option<SpreadView>,
    legs: Vec<TransactionView>,
    created_at: String,
}

/// What the house kept.
#[derive(Debug, Serialize)]
struct SpreadView {
    destination: String,
    side: &'static str,
    currency: String,
    precise_amount: NumberText,
}

/// The exchange of these legs; nothing when they are none of one.
pub fn view(viewer: &mut Viewer<'_>, reference: &str, legs: &[Row]) -> Result<Option<ExchangeView>, BooksFault> {
    let [first, second, rest @ ..] = legs else { return Ok(None) };
    let metadata = viewer.metadata(first)?;
    let facts: Option<LegFacts> = metadata.get(metadata::EXCHANGE).and_then(|text| serde_json::from_str(text).ok());
    let Some(facts) = facts else { return Ok(None) };
    let event = viewer.event(first)?;
    let transaction_id = split_id(event.at, event.seed, first.number).text(Prefix::Transaction);
    let legs = legs.iter().map(|row| viewer.view(row, true)).collect::<Result<Vec<TransactionView>, BooksFault>>()?;
    let kept = rest.first().map(|row| {
        let side = if row.currency == first.currency { Side::Source } else { Side::Destination };
        (side, row.amount)
    });
    let of_worth = kept.filter(|(side, _)| *side == Side::Destination).map_or(0, |(_, minor)| minor);
    Ok(Some(ExchangeView {
        transaction_id,
        reference: reference.to_owned(),
        status: first.status.word(),
        rate: facts.rate,
        quote: facts.quote,
        source: legs[0].source.clone(),
        destination: legs[1].destination.clone(),
        precise_amount: NumberText::integer(first.amount),
        precise_destination_amount: NumberText::integer(second.amount + of_worth),
        spread: kept.map(|(side, minor)| SpreadView {
            destination: legs[2].destination.clone(),
            side: side.word(),
            currency: match side {
                Side::Source => facts.source_currency.clone(),
                Side::Destination => facts.destination_currency.clone(),
            },
            precise_amount: NumberText::integer(minor),
        }),
        source_currency: facts.source_currency,
        destination_currency: facts.destination_currency,
        legs,
        created_at: time::text(first.created_at),
    }))
}

/// What would become of an exchange. Minor units are text, as of all dry runs.
#[derive(Debug, Serialize)]
pub struct ExchangeProjectionView {
    /// Always.
    pub dry_run: bool,
    /// Whether it would be done.
    pub would_apply: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejection: Option<RejectionView>,
    /// The status that it would have; none when it would not be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<&'static str>,
    /// Its reference.
    pub reference: String,
    /// The rate, as a decimal.
    pub rate: String,
    /// Reference of the quote, or empty.
    pub quote: String,
    /// As it was named.
    pub source: String,
    /// As it was named.
    pub destination: String,
    /// The currency of the amount.
    pub source_currency: String,
    /// What the source would give.
    #[serde(serialize_with = "digits")]
    pub precise_amount: i128,
    /// The other currency.
    pub destination_currency: String,
    /// What that is worth, before a spread of the destination side.
    #[serde(serialize_with = "digits")]
    pub precise_destination_amount: i128,
    /// What the house would keep.
    pub spread: Option<SpreadProjection>,
    /// The balances that it names, each once.
    pub balances: Vec<BalanceProjection>,
    /// What else is to be known, for people.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What the house would keep.
#[derive(Debug, Serialize)]
pub struct SpreadProjection {
    /// As it was named.
    pub destination: String,
    /// From which side it would be taken.
    pub side: &'static str,
    /// The currency of that side.
    pub currency: String,
    /// How much.
    #[serde(serialize_with = "digits")]
    pub precise_amount: i128,
}

impl ExchangeProjectionView {
    /// The same, refused: it has no status, and nothing changes.
    pub fn refused(mut self, rejection: RejectionView) -> ExchangeProjectionView {
        for balance in &mut self.balances {
            balance.after = balance.before;
        }
        ExchangeProjectionView { would_apply: false, rejection: Some(rejection), status: None, ..self }
    }
}
