//! Transactions with several sources or destinations, on the wire.

use super::transaction::{Checked, Precise, whole_number};
use crate::decode::{NumberOrText, Text};
use crate::http::error::{ApiError, Code};
use ledger::decimal::Decimal;
use ledger::split::{Share, SplitFault, shares};

crate::lenient_struct! {
    /// One part of a split side.
    pub struct PartBody<'a> {
        /// Which balance.
        "identifier" identifier: Text<'a>,
        /// `20%`, `30.50` or `left`.
        "distribution" distribution: Text<'a>,
        /// Minor units, or `left`.
        "precise_distribution" precise_distribution: NumberOrText<'a>,
    }
}

/// One part of a split side, with its share.
#[derive(Debug)]
pub struct Part<'a> {
    /// Which balance.
    pub identifier: &'a str,
    /// As it was sent.
    pub distribution: &'a str,
    /// As it was sent.
    pub precise_distribution: &'a str,
    /// Minor units.
    pub amount: i128,
}

/// The side of a transaction that is split.
#[derive(Debug)]
pub enum Parts<'a> {
    /// Several sources.
    Sources(Vec<Part<'a>>),
    /// Several destinations.
    Destinations(Vec<Part<'a>>),
}

impl<'a> Parts<'a> {
    /// The parts.
    pub fn list(&self) -> &[Part<'a>] {
        let (Parts::Sources(parts) | Parts::Destinations(parts)) = self;
        parts
    }
}

/// The parts of a checked request with their shares, if it has any.
pub fn parts_of<'a>(checked: &'a Checked<'_>) -> Result<Option<Parts<'a>>, ApiError> {
    let body = &checked.body;
    let sources = body.sources.as_deref().unwrap_or_default();
    let destinations = body.destinations.as_deref().unwrap_or_default();
    if !sources.is_empty() {
        return calculate(sources, checked).map(Parts::Sources).map(Some);
    }
    if destinations.is_empty() { Ok(None) } else { calculate(destinations, checked).map(Parts::Destinations).map(Some) }
}

fn calculate<'a>(bodies: &'a [PartBody<'_>], checked: &Checked<'_>) -> Result<Vec<Part<'a>>, ApiError> {
    let asked = bodies.iter().map(share_of).collect::<Result<Vec<Share>, ApiError>>()?;
    for (index, body) in bodies.iter().enumerate() {
        if bodies[..index].iter().any(|before| before.identifier == body.identifier) {
            let name = body.identifier.as_deref().unwrap_or_default();
            return Err(refuse(Code::TxnInvalidDistribution, &format!("'{name}' is named by several parts")));
        }
    }
    let amounts = shares(checked.facts.amount, checked.facts.precision, &asked).map_err(|fault| match fault {
        SplitFault::FixedExceeds => {
            refuse(Code::TxnValidationError, "fixed amount exceeds remaining transaction amount")
        }
        SplitFault::Exceeds if asked.iter().any(|share| matches!(share, Share::Fixed(_) | Share::Precise(_))) => {
            refuse(Code::TxnInvalidDistribution, "the parts are more than the total amount")
        }
        SplitFault::Exceeds => refuse(Code::TxnValidationError, "percentages exceed 100% or total amount"),
        SplitFault::SeveralLeft => refuse(Code::TxnInvalidDistribution, "multiple identifiers with 'left'"),
        SplitFault::Short => {
            refuse(Code::TxnInvalidDistribution, "the parts are less than the total amount; give one of them 'left'")
        }
        SplitFault::Range => refuse(Code::TxnValidationError, "a part is beyond what can be calculated"),
    })?;
    let parts = bodies.iter().zip(amounts).map(|(body, amount)| Part {
        identifier: body.identifier.as_deref().unwrap_or_default(),
        distribution: body.distribution.as_deref().unwrap_or_default(),
        precise_distribution: body.precise_distribution.map_or("", |text| text.0),
        amount,
    });
    let nothing = |body: &PartBody<'_>| {
        body.distribution.as_deref().unwrap_or_default().is_empty() && body.precise_distribution.is_none()
    };
    Ok(parts.zip(bodies).filter(|(part, body)| part.amount != 0 || !nothing(body)).map(|(part, _)| part).collect())
}

fn share_of(body: &PartBody<'_>) -> Result<Share, ApiError> {
    if let Some(NumberOrText(text)) = body.precise_distribution.filter(|text| !text.0.is_empty()) {
        return match (text, whole_number(text)) {
            ("left", _) => Ok(Share::Left),
            (_, Some(Precise::Fits(minor))) if minor >= 0 => Ok(Share::Precise(minor)),
            _ => Err(refuse(Code::TxnValidationError, "invalid precise_distribution format")),
        };
    }
    let text = body.distribution.as_deref().unwrap_or_default().trim();
    let positive = |text: &str| Decimal::parse(text).ok().filter(|decimal| !decimal.is_negative());
    match text {
        "" => Ok(Share::Precise(0)),
        "left" => Ok(Share::Left),
        _ => match text.strip_suffix('%') {
            Some(percent) => positive(percent.trim())
                .map(Share::Percent)
                .ok_or_else(|| refuse(Code::TxnValidationError, "invalid percentage format")),
            None => positive(text)
                .map(Share::Fixed)
                .ok_or_else(|| refuse(Code::TxnValidationError, "invalid fixed amount format")),
        },
    }
}

fn refuse(code: Code, message: &str) -> ApiError {
    ApiError::new(code, format!("failed to split transaction: {message}"))
}
