//! Transactions with several sources or destinations, on the wire.

use super::transaction::{Checked, Precise, whole_number};
use crate::decode::{NumberOrText, Text};
use crate::http::error::{ApiError, Code};
use crate::http::failure::{self, About};
use ledger::decimal::Decimal;
use ledger::rejection::{Refused, Rejection};
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
    /// Minor units of its leg. A part that asks for nothing makes none.
    pub amount: Option<i128>,
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

    /// The balances of the legs and their amounts, in order; at least one.
    pub fn legs(&self) -> impl Iterator<Item = (&'a str, i128)> {
        self.list().iter().filter_map(|part| Some((part.identifier, part.amount?)))
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
    let of_legs: Vec<Share> = asked.iter().copied().filter(|share| !asks_for_nothing(share)).collect();
    if of_legs.is_empty() {
        return Err(refuse(Code::TxnInvalidDistribution, "no part gets anything"));
    }
    if let Some(leg) = of_legs.iter().position(is_negative) {
        return Err(of_leg(leg, failure::refusal(Rejection::AmountNegative, About::default())));
    }
    let amounts = shares(checked.facts.amount, checked.facts.precision, &of_legs).map_err(|fault| match fault {
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
    let mut amounts = amounts.into_iter();
    let parts = bodies.iter().zip(&asked).map(|(body, share)| Part {
        identifier: body.identifier.as_deref().unwrap_or_default(),
        distribution: body.distribution.as_deref().unwrap_or_default(),
        precise_distribution: body.precise_distribution.map_or("", |text| text.0),
        amount: if asks_for_nothing(share) { None } else { amounts.next() },
    });
    Ok(parts.collect())
}

/// Whether a part makes no leg: zero, or nothing at all, is written in it.
fn asks_for_nothing(share: &Share) -> bool {
    match share {
        Share::Precise(minor) => *minor == 0,
        Share::Fixed(major) => major.is_zero(),
        Share::Percent(_) | Share::Left => false,
    }
}

fn is_negative(share: &Share) -> bool {
    match share {
        Share::Precise(minor) => *minor < 0,
        Share::Fixed(major) => major.is_negative(),
        Share::Percent(_) | Share::Left => false,
    }
}

fn share_of(body: &PartBody<'_>) -> Result<Share, ApiError> {
    if let Some(NumberOrText(text)) = body.precise_distribution.filter(|text| !text.0.is_empty()) {
        return match (text, whole_number(text)) {
            ("left", _) => Ok(Share::Left),
            (_, Some(Precise::Fits(minor))) => Ok(Share::Precise(minor)),
            _ => Err(refuse(Code::TxnValidationError, "invalid precise_distribution format")),
        };
    }
    let text = body.distribution.as_deref().unwrap_or_default().trim();
    match text {
        "" => Ok(Share::Precise(0)),
        "left" => Ok(Share::Left),
        _ => match text.strip_suffix('%') {
            Some(percent) => Decimal::parse(percent.trim())
                .ok()
                .filter(|decimal| !decimal.is_negative())
                .map(Share::Percent)
                .ok_or_else(|| refuse(Code::TxnValidationError, "invalid percentage format")),
            None => Decimal::parse(text)
                .map(Share::Fixed)
                .map_err(|_| refuse(Code::TxnValidationError, "invalid fixed amount format")),
        },
    }
}

fn refuse(code: Code, message: &str) -> ApiError {
    ApiError::new(code, format!("failed to split transaction: {message}"))
}

/// The error of a leg, told as that of the whole. Legs are counted from 0 in it, as the reference server does.
pub fn of_leg(leg: usize, error: ApiError) -> ApiError {
    ApiError { message: format!("failed to record split transaction {leg}: {}", error.message), ..error }
}

/// Why a transaction was refused, as an error. Of a split one it names the leg, and what that has in place of the whole.
pub fn refusal(refused: Refused, sides: Sides<'_, '_>, about: About<'_>, queued: bool) -> ApiError {
    let Some(leg) = (refused.leg as usize).checked_sub(1) else { return failure::refusal(refused.rejection, about) };
    let name = |parts: &[PartBody<'_>]| {
        let makes_leg = |part: &&PartBody<'_>| share_of(part).is_ok_and(|share| !asks_for_nothing(&share));
        parts.iter().filter(makes_leg).nth(leg).and_then(|part| part.identifier.as_deref()).map(str::to_owned)
    };
    let (source, destination) = (name(sides.sources), name(sides.destinations));
    let reference = leg_reference(about.reference, refused.leg, queued);
    let about = About {
        reference: &reference,
        source: source.as_deref().unwrap_or(about.source),
        destination: destination.as_deref().unwrap_or(about.destination),
        ..about
    };
    of_leg(leg, failure::refusal(refused.rejection, about))
}

/// The sides of a request that may be split, as they were sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sides<'s, 'a> {
    /// Several sources.
    pub sources: &'s [PartBody<'a>],
    /// Several destinations.
    pub destinations: &'s [PartBody<'a>],
}

/// The reference of a leg, which is counted from 1.
pub fn leg_reference(whole: &str, leg: u32, queued: bool) -> String {
    let separator = if queued { '_' } else { '-' };
    format!("{whole}{separator}{leg}")
}
