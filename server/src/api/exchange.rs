//! Exchanges on the wire: an amount of one currency against an amount of another, as one transaction of two or three legs.
//!
//! The first leg takes the whole amount from the source, the second gives the destination its part of what that is worth,
//! the third gives the house its spread, in the currency of the side it is taken from. All pass through the position of the
//! house, `via`, so each currency is conserved.

pub mod rate;
pub mod view;

use self::rate::{RATE_DECIMALS_MAX, RATE_DIGITS_MAX, Rate, RateFault};
use self::view::{ExchangeProjectionView, SpreadProjection};
use super::lineage::{self, check_provider};
use super::metadata::{self, Metadata};
use super::time::Moment;
use super::transaction::{Precise, Wrong, check_party, check_precision, party, whole_number};
use super::validate::Problems;
use crate::decode::{Number, NumberOrText, RawObject, Text};
use engine::reading::Registry;
use ledger::command::{Ask, Party, Terms};
use ledger::decimal::{Decimal, SIGNIFICANT_DIGITS_MAX};
use ledger::limits;
use ledger::text::{self, Span};
use serde::{Deserialize, Serialize};

/// Longest reference of a quote, in bytes.
pub const QUOTE_BYTES_MAX: usize = limits::REFERENCE_BYTES_MAX;
/// Most legs of an exchange.
pub const LEGS_MAX: usize = 3;
/// The position of the house, unless another is named.
const VIA: &str = "@Exchange";

crate::lenient_struct! {
    /// Body of `POST /exchanges`.
    pub struct ExchangeBody<'a> {
        /// Where the amount is taken from.
        "source" source: Text<'a>,
        /// Where what it is worth goes to.
        "destination" destination: Text<'a>,
        /// Currency of the amount.
        "source_currency" source_currency: Text<'a>,
        /// Currency of what it is worth.
        "destination_currency" destination_currency: Text<'a>,
        /// Major units of the source.
        "amount" amount: Number<'a>,
        /// Minor units of the source.
        "precise_amount" precise_amount: NumberOrText<'a>,
        /// Minor units in a major unit of the source.
        "precision" precision: Number<'a>,
        /// Minor units in a major unit of the destination.
        "destination_precision" destination_precision: Number<'a>,
        /// Major units of the destination for one of the source.
        "rate" rate: NumberOrText<'a>,
        /// What the amount is worth, in major units, if the caller has rounded it.
        "destination_amount" destination_amount: Number<'a>,
        /// The same in minor units.
        "precise_destination_amount" precise_destination_amount: NumberOrText<'a>,
        /// Reference of the quote.
        "quote" quote: Text<'a>,
        /// What the house keeps.
        "spread" spread: SpreadBody<'a>,
        /// The position of the house.
        "via" via: Text<'a>,
        /// Reference, unique.
        "reference" reference: Text<'a>,
        /// Text for people.
        "description" description: Text<'a>,
        /// Whether the amounts are held.
        "inflight" inflight: bool,
        /// Not for exchanges: the legs would not end together.
        "inflight_expiry_date" expires: Text<'a>,
        /// Not for exchanges: the legs would not end together.
        "inflight_commit_date" commits: Text<'a>,
        /// Not for exchanges: a rate is of its time.
        "scheduled_for" scheduled: Text<'a>,
        /// Whether the source may go below zero.
        "allow_overdraft" allow_overdraft: bool,
        /// How far, in major units.
        "overdraft_limit" overdraft_limit: Number<'a>,
        /// Whether to answer with the outcome.
        "skip_queue" skip_queue: bool,
        /// The business date.
        "effective_date" effective: Text<'a>,
        /// Whether to say only what would happen.
        "dry_run" dry_run: bool,
        /// Anything.
        "meta_data" metadata: RawObject<'a>,
    }
}

crate::lenient_struct! {
    /// What the house keeps of an exchange.
    pub struct SpreadBody<'a> {
        /// Where it goes to.
        "destination" destination: Text<'a>,
        /// Major units of its side.
        "amount" amount: Number<'a>,
        /// Minor units of its side.
        "precise_amount" precise_amount: NumberOrText<'a>,
        /// `source` or `destination`.
        "side" side: Text<'a>,
    }
}

/// From which side a spread is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// From the amount, before it is converted.
    Source,
    /// From what the amount is worth.
    Destination,
}

impl Side {
    /// The word of the API.
    pub const fn word(self) -> &'static str {
        match self {
            Side::Source => "source",
            Side::Destination => "destination",
        }
    }
}

/// A request whose fields are in order.
#[derive(Debug)]
pub struct Exchange<'a> {
    /// The request as it was sent.
    pub body: &'a ExchangeBody<'a>,
    amount: i128,
    precision: u64,
    rate: Rate,
    /// What the amount, less a spread of the source side, is worth.
    worth: i128,
    destination_precision: u64,
    spread: Option<(Side, i128)>,
    overdraft_limit: i128,
    effective: Option<Moment>,
    /// The metadata of each leg.
    metadata: Vec<String>,
}

/// What the metadata of a leg says about its exchange.
#[derive(Debug, Serialize, Deserialize)]
pub struct LegFacts {
    /// `source`, `destination` or `spread`.
    pub leg: String,
    /// The rate, as a decimal.
    pub rate: String,
    /// Reference of the quote, or empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub quote: String,
    /// The currency that was given.
    pub source_currency: String,
    /// The currency that was got.
    pub destination_currency: String,
}

/// A field of text, empty when it was not sent.
fn sent<'a>(field: &'a Option<Text<'_>>) -> &'a str {
    field.as_deref().unwrap_or_default()
}

impl ExchangeBody<'_> {
    /// The position of the house.
    pub fn via(&self) -> &str {
        Some(sent(&self.via)).filter(|via| !via.is_empty()).unwrap_or(VIA)
    }

    /// Where the spread goes to, or empty.
    pub fn spread_destination(&self) -> &str {
        self.spread.as_ref().map_or("", |spread| sent(&spread.destination))
    }

    /// Checks all fields: first the numbers, as what follows from them is told only when they are good, then all others.
    pub fn check(&self, registry: &Registry) -> Result<Exchange<'_>, Wrong> {
        let mut problems = Problems::default();
        // A precision that is left out is that of a registered currency.
        let mut precision_of = |field, sent: Option<Number<'_>>, currency: &Option<Text<'_>>| {
            let told = check_precision(&mut problems, field, sent.map(|number| number.0))?;
            let registered = registry.precision(currency.as_deref().unwrap_or_default()).filter(|_| sent.is_none());
            Ok::<u64, Wrong>(registered.unwrap_or(told))
        };
        let precision = precision_of("precision", self.precision, &self.source_currency)?;
        let destination_precision =
            precision_of("destination_precision", self.destination_precision, &self.destination_currency)?;
        let amount = Amount { major: self.amount, precise: self.precise_amount, fields: AMOUNT };
        let amount = amount.read(&mut problems, precision).unwrap_or_else(|| missing(&mut problems, "amount"));
        let rate = self.check_rate(&mut problems);
        let spread = self.spread.as_ref().map(|body| {
            let side = check_side(&mut problems, body);
            let kept = Amount { major: body.amount, precise: body.precise_amount, fields: SPREAD_AMOUNT };
            let precision = if side == Side::Source { precision } else { destination_precision };
            let minor = kept.read(&mut problems, precision);
            (side, minor.unwrap_or_else(|| missing(&mut problems, "spread.amount")))
        });
        let (major, precise) = (self.destination_amount, self.precise_destination_amount);
        let asked = Amount { major, precise, fields: DESTINATION_AMOUNT }.read(&mut problems, destination_precision);
        let worth = rate.filter(|_| problems.is_empty()).map_or(0, |rate| {
            check_worth(&mut problems, (amount, spread), rate, (precision, destination_precision), asked)
        });
        let overdraft_limit = self.check_overdraft_limit(&mut problems, precision);
        let effective = match sent(&self.effective) {
            "" => None,
            text => match Moment::parse(text) {
                Some(moment) => moment.if_set(),
                None => {
                    problems.add("effective_date", "must be a time in RFC 3339");
                    None
                }
            },
        };
        self.check_texts(&mut problems);
        self.check_parties(&mut problems, spread.map(|(side, _)| side));
        let metadata = rate.map_or_else(Vec::new, |rate| self.leg_metadata(&mut problems, rate));
        let rate = match rate {
            Some(rate) if problems.is_empty() => rate,
            _ => return Err(Wrong::Fields(problems)),
        };
        Ok(Exchange {
            body: self,
            amount,
            precision,
            rate,
            worth,
            destination_precision,
            spread,
            overdraft_limit,
            effective,
            metadata,
        })
    }

    fn check_texts(&self, problems: &mut Problems) {
        problems.text("source_currency", sent(&self.source_currency), limits::CURRENCY_BYTES_MAX);
        problems.text("destination_currency", sent(&self.destination_currency), limits::CURRENCY_BYTES_MAX);
        if sent(&self.source_currency) == sent(&self.destination_currency) {
            problems.add("destination_currency", "cannot be the currency of the source");
        }
        problems.text("reference", sent(&self.reference), limits::REFERENCE_BYTES_MAX);
        problems.length("description", sent(&self.description), limits::DESCRIPTION_BYTES_MAX);
        problems.length("quote", sent(&self.quote), QUOTE_BYTES_MAX);
        // To be silent about these would be to move money at another time than asked.
        for (field, text) in [
            ("scheduled_for", &self.scheduled),
            ("inflight_expiry_date", &self.expires),
            ("inflight_commit_date", &self.commits),
        ] {
            let is_none = sent(text).is_empty() || Moment::parse(sent(text)).is_some_and(Moment::is_zero);
            if !is_none {
                problems.add(field, "is not supported for exchanges");
            }
        }
    }

    fn check_parties(&self, problems: &mut Problems, spread_side: Option<Side>) {
        let (source, destination, via) = (sent(&self.source), sent(&self.destination), self.via());
        let mut named = vec![("source", source), ("destination", destination)];
        if self.spread.is_some() {
            named.push(("spread.destination", self.spread_destination()));
        }
        for (field, name) in named {
            if name.is_empty() {
                problems.add(field, "cannot be blank");
            }
            check_party(problems, field, name);
            if name == via {
                problems.add(field, "cannot be the balance that the exchange passes through");
            }
        }
        if source == destination {
            problems.add("destination", "source and destination cannot be the same balance");
        }
        let giver = match spread_side {
            Some(Side::Source) => source,
            Some(Side::Destination) => destination,
            None => "",
        };
        if !giver.is_empty() && self.spread_destination() == giver {
            problems.add("spread.destination", "cannot be the balance whose amount it is taken from");
        }
        check_party(problems, "via", via);
        if !via.starts_with('@') || via.len() < 2 {
            problems.add("via", "must be an @indicator");
        }
    }

    fn check_rate(&self, problems: &mut Problems) -> Option<Rate> {
        let Some(NumberOrText(text)) = self.rate else {
            problems.add("rate", "cannot be blank");
            return None;
        };
        let message = match Rate::parse(text) {
            Ok(rate) => return Some(rate),
            Err(RateFault::Syntax) => "must be a decimal number".to_owned(),
            Err(RateFault::NotPositive) => "must be more than 0".to_owned(),
            Err(RateFault::Digits) => format!(
                "cannot have more than {RATE_DIGITS_MAX} significant digits or more than {RATE_DECIMALS_MAX} decimals"
            ),
        };
        problems.add("rate", message);
        None
    }

    fn check_overdraft_limit(&self, problems: &mut Problems, precision: u64) -> i128 {
        let Some(Number(text)) = self.overdraft_limit else { return 0 };
        Decimal::parse(text).ok().and_then(|limit| limit.minor_units(precision)).unwrap_or_else(|| {
            problems.add("overdraft_limit", "is beyond what can be recorded");
            0
        })
    }

    /// The metadata of each leg: the caller's, and what the leg is of which exchange.
    fn leg_metadata(&self, problems: &mut Problems, rate: Rate) -> Vec<String> {
        check_provider(problems, self.metadata.map_or("", |object| object.0));
        let given = self.metadata.and_then(|object| Metadata::parse(&metadata::stored(object.0))).unwrap_or_default();
        let legs: &[&str] =
            if self.spread.is_some() { &["source", "destination", "spread"] } else { &["source", "destination"] };
        let mut texts = Vec::with_capacity(LEGS_MAX);
        for leg in legs {
            let facts = LegFacts {
                leg: (*leg).to_owned(),
                rate: rate.to_string(),
                quote: sent(&self.quote).to_owned(),
                source_currency: sent(&self.source_currency).to_owned(),
                destination_currency: sent(&self.destination_currency).to_owned(),
            };
            let mut metadata = given.clone();
            metadata.set(metadata::EXCHANGE, facts);
            let text = metadata.text();
            if text.len() > limits::METADATA_BYTES_MAX {
                let message = format!(
                    "cannot be longer than {} bytes, with what the server adds to it",
                    limits::METADATA_BYTES_MAX
                );
                problems.add("meta_data", message);
            }
            texts.push(text);
        }
        texts
    }
}

/// From which side a spread is taken.
fn check_side(problems: &mut Problems, spread: &SpreadBody<'_>) -> Side {
    match sent(&spread.side) {
        "" | "destination" => {}
        "source" => return Side::Source,
        _ => problems.add("spread.side", "must be source or destination"),
    }
    Side::Destination
}

/// Notes that an amount was not sent.
fn missing(problems: &mut Problems, field: &'static str) -> i128 {
    problems.add(field, "either amount or precise_amount is required");
    0
}

/// What the amount is worth, less a spread of the source side, as asked or as it is rounded. What breaks a rule is noted.
fn check_worth(
    problems: &mut Problems,
    (amount, spread): (i128, Option<(Side, i128)>),
    rate: Rate,
    (from, to): (u64, u64),
    asked: Option<i128>,
) -> i128 {
    let kept = |of| spread.filter(|(side, _)| *side == of).map_or(0, |(_, minor)| minor);
    if kept(Side::Source) >= amount {
        problems.add("spread.amount", "must be less than the amount");
        return 0;
    }
    let Some(worth) = rate.worth(amount - kept(Side::Source), from, to) else {
        problems.add("amount", "amount × rate is beyond what can be recorded");
        return 0;
    };
    if asked.is_some_and(|asked| !worth.is_near(asked)) {
        let message = format!("must be within one minor unit of amount × rate, which is {}", worth.rounded);
        problems.add("destination_amount", message);
    }
    let worth = asked.unwrap_or(worth.rounded);
    if worth == 0 {
        problems.add("amount", "amount × rate rounds to nothing at destination_precision");
    } else if kept(Side::Destination) >= worth {
        problems.add("spread.amount", format!("must be less than the converted amount, which is {worth}"));
    }
    worth
}

/// An amount as it was sent, in one of two fields.
struct Amount<'a> {
    major: Option<Number<'a>>,
    precise: Option<NumberOrText<'a>>,
    /// Under which name problems are told, and the names of both fields.
    fields: [&'static str; 3],
}

const AMOUNT: [&str; 3] = ["amount", "amount", "precise_amount"];
const DESTINATION_AMOUNT: [&str; 3] = ["destination_amount", "destination_amount", "precise_destination_amount"];
const SPREAD_AMOUNT: [&str; 3] = ["spread.amount", "amount", "precise_amount"];

impl Amount<'_> {
    /// Minor units, more than none; of a field that breaks a rule one minor unit, so that nothing follows from it. `None`
    /// when neither was sent.
    fn read(&self, problems: &mut Problems, precision: u64) -> Option<i128> {
        let [field, major_field, precise_field] = self.fields;
        let minor = match (self.major, self.precise) {
            (None, None) => return None,
            (Some(_), Some(_)) => Err(format!("either {major_field} or {precise_field} should be provided, not both")),
            (None, Some(NumberOrText(text))) => match whole_number(text) {
                Some(Precise::Fits(minor)) => Ok(minor),
                Some(Precise::TooLarge) => Err(format!("{precise_field} is beyond what can be recorded")),
                None => Err(format!("{precise_field} must be a whole number")),
            },
            (Some(Number(text)), None) => match Decimal::parse(text) {
                Ok(major) if major.significant_digits() <= SIGNIFICANT_DIGITS_MAX => {
                    major.minor_units(precision).ok_or_else(|| format!("{major_field} is beyond what can be recorded"))
                }
                _ => Err(format!(
                    "{major_field} cannot have more than {SIGNIFICANT_DIGITS_MAX} significant digits, use {precise_field} instead"
                )),
            },
        };
        Some(
            minor
                .and_then(|minor| if minor > 0 { Ok(minor) } else { Err("must be at least one minor unit".to_owned()) })
                .unwrap_or_else(|message| {
                    problems.add(field, message);
                    1
                }),
        )
    }
}

impl<'a> Exchange<'a> {
    /// The balances that are named: in which field, how, and what their currency must be.
    pub fn balances(&self) -> Vec<(&'static str, &'a str, &'a str)> {
        let body = self.body;
        let (given, got) = (sent(&body.source_currency), sent(&body.destination_currency));
        let mut named = vec![("source", sent(&body.source), given), ("destination", sent(&body.destination), got)];
        if let Some((side, _)) = self.spread {
            let currency = if side == Side::Source { given } else { got };
            named.push(("spread.destination", body.spread_destination(), currency));
        }
        named
    }

    /// What would be done, as it is told before it is tried: without the figures of any balance.
    pub fn projection(&self) -> ExchangeProjectionView {
        let body = self.body;
        let text = |field: &Option<Text<'_>>| sent(field).to_owned();
        let spread = self.spread.map(|(side, minor)| SpreadProjection {
            destination: body.spread_destination().to_owned(),
            side: side.word(),
            currency: text(if side == Side::Source { &body.source_currency } else { &body.destination_currency }),
            precise_amount: minor,
        });
        ExchangeProjectionView {
            dry_run: true,
            would_apply: true,
            rejection: None,
            status: None,
            reference: text(&body.reference),
            rate: self.rate.to_string(),
            quote: text(&body.quote),
            source: text(&body.source),
            destination: text(&body.destination),
            source_currency: text(&body.source_currency),
            precise_amount: self.amount,
            destination_currency: text(&body.destination_currency),
            precise_destination_amount: self.worth,
            spread,
            balances: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// The asks of the legs, their texts put into the arena. The fingerprints are left to [`super::transaction::seal`].
    pub fn asks(&self, queued: bool, arena: &mut String) -> Vec<Ask> {
        let body = self.body;
        let separator = if queued { '_' } else { '-' };
        let [source, destination, spread_to, via] =
            [sent(&body.source), sent(&body.destination), body.spread_destination(), body.via()]
                .map(|name| party(arena, name));
        let [source_currency, destination_currency, description] =
            [&body.source_currency, &body.destination_currency, &body.description]
                .map(|field| text::push(arena, sent(field)));
        let effective_at = self.effective.map(Moment::micros);
        let provider = self.metadata.first().and_then(|metadata| lineage::provider(metadata)).unwrap_or_default();
        let provider = text::push(arena, &provider);
        let leg = |amount: i128, side: Side, (source, destination): (Party, Party)| Ask {
            item: 0,
            leg: 0,
            source,
            destination,
            amount,
            precision: if side == Side::Source { self.precision } else { self.destination_precision },
            currency: if side == Side::Source { source_currency } else { destination_currency },
            reference: Span::EMPTY,
            fingerprint: 0,
            outcome_fingerprint: 0,
            description,
            metadata: Span::EMPTY,
            // The position of the house may always be short of a currency; that is what it is for.
            allow_overdraft: true,
            inflight: false,
            atomic: false,
            terms: Terms { effective_at, provider, ..Terms::NONE }.boxed(),
        };
        let kept = self.spread.filter(|(side, _)| *side == Side::Destination).map_or(0, |(_, minor)| minor);
        let mut asks = vec![
            Ask {
                allow_overdraft: body.allow_overdraft.unwrap_or(false),
                terms: Terms { effective_at, overdraft_limit: self.overdraft_limit, provider, ..Terms::NONE }.boxed(),
                ..leg(self.amount, Side::Source, (source, via))
            },
            leg(self.worth - kept, Side::Destination, (via, destination)),
        ];
        if let Some((side, minor)) = self.spread {
            asks.push(leg(minor, side, (via, spread_to)));
        }
        for ((ask, metadata), number) in asks.iter_mut().zip(&self.metadata).zip(1..) {
            ask.leg = number;
            ask.reference = text::push(arena, &format!("{}{separator}{number}", sent(&body.reference)));
            ask.metadata = text::push(arena, metadata);
        }
        asks
    }
}
