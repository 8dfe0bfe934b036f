//! Transactions on the wire: the request, checked; and the view, in [`view`].

pub mod changes;
pub mod view;

use super::lineage::{check_provider, provider};
use super::metadata;
use super::split::{PartBody, Parts, Sides, leg_reference};
use super::time::Moment;
use super::validate::Problems;
use crate::decode::{Malformed, Number, NumberOrText, RawObject, Text};
use crate::http::error::{ApiError, Code};
use engine::reading::{Books, Registry};
use ledger::command::{Ask, Party, Terms};
use ledger::decimal::{Decimal, DecimalFault, SIGNIFICANT_DIGITS_MAX};
use ledger::id::{Id, Prefix};
use ledger::limits;
use ledger::text::{self, Span};

crate::lenient_struct! {
    /// Body of `POST /transactions`, and an item of a batch.
    pub struct TransactionBody<'a> {
        /// Major units.
        "amount" amount: Number<'a>,
        /// Minor units.
        "precise_amount" precise_amount: NumberOrText<'a>,
        /// Minor units in a major unit.
        "precision" precision: Number<'a>,
        /// Currency.
        "currency" currency: Text<'a>,
        /// Reference, unique.
        "reference" reference: Text<'a>,
        /// Text for people.
        "description" description: Text<'a>,
        /// Where the amount is taken from.
        "source" source: Text<'a>,
        /// Where the amount goes to.
        "destination" destination: Text<'a>,
        /// Several sources.
        "sources" sources: Vec<PartBody<'a>>,
        /// Several destinations.
        "destinations" destinations: Vec<PartBody<'a>>,
        /// Whether the source may go below zero.
        "allow_overdraft" allow_overdraft: bool,
        /// How far, in major units.
        "overdraft_limit" overdraft_limit: Number<'a>,
        /// Whether the amount is held.
        "inflight" inflight: bool,
        /// When the hold is voided by itself.
        "inflight_expiry_date" expires: Text<'a>,
        /// When the hold is committed by itself.
        "inflight_commit_date" commits: Text<'a>,
        /// When to run it.
        "scheduled_for" scheduled: Text<'a>,
        /// The business date.
        "effective_date" effective: Text<'a>,
        /// Whether to answer with the outcome.
        "skip_queue" skip_queue: bool,
        /// Only told.
        "atomic" atomic: bool,
        /// Whether to say only what would happen.
        "dry_run" dry_run: bool,
        /// Anything.
        "meta_data" metadata: RawObject<'a>,
    }
}

/// A request whose fields are in order.
#[derive(Debug)]
pub struct Checked<'a> {
    /// The request as it was sent.
    pub body: TransactionBody<'a>,
    /// What its fields say.
    pub facts: Facts,
}

/// What the fields of a request say.
#[derive(Debug)]
pub struct Facts {
    /// Minor units.
    pub amount: i128,
    /// Minor units in a major unit: as sent, or that of the registered currency, or one.
    pub precision: u64,
    /// How far the source may go below zero, in minor units.
    pub overdraft_limit: i128,
    /// The business date.
    pub effective: Option<Moment>,
    /// When to run it.
    pub scheduled: Option<Moment>,
    /// When the hold is voided by itself.
    pub expires: Option<Moment>,
    /// When the hold is committed by itself.
    pub commits: Option<Moment>,
}

/// What can be wrong with a request.
#[derive(Debug)]
pub enum Wrong {
    /// It cannot be decoded.
    Malformed(Malformed),
    /// Fields break rules.
    Fields(Problems),
}

impl<'a> TransactionBody<'a> {
    /// Checks all fields, and keeps them. A precision that was left out is that of the registered currency.
    pub fn checked(self, registry: &Registry) -> Result<Checked<'a>, Wrong> {
        let mut facts = self.check()?;
        let precision = registry.precision(self.currency.as_deref().unwrap_or_default());
        if let (Some(unscaled), Some(precision)) = (self.unscaled(), precision) {
            let scaled = unscaled.scaled(precision).map_err(Wrong::Fields)?;
            facts.precision = precision;
            facts.amount = scaled.amount.unwrap_or(facts.amount);
            facts.overdraft_limit = scaled.overdraft_limit;
        }
        Ok(Checked { body: self, facts })
    }

    /// The amounts as they were sent, when the precision was left out; zero says nothing either.
    pub fn unscaled(&self) -> Option<Unscaled<'a>> {
        let said = |number: Number<'_>| !Decimal::parse(number.0).is_ok_and(Decimal::is_zero);
        if self.precision.is_some_and(said) {
            return None;
        }
        let amount = self.amount.filter(|_| self.precise_amount.is_none());
        Some(Unscaled { amount, overdraft_limit: self.overdraft_limit })
    }

    /// Checks all fields, without knowing of registered currencies: a precision that was left out is one.
    pub fn check(&self) -> Result<Facts, Wrong> {
        let malformed = |message: &str| Wrong::Malformed(Malformed::new(message));
        let effective = match self.effective.as_deref() {
            None => None,
            Some(text) => {
                let wrong = || malformed("effective_date is not a time in RFC 3339");
                Moment::parse(text).ok_or_else(wrong)?.if_set()
            }
        };
        let precise = match self.precise_amount {
            None => None,
            Some(NumberOrText(text)) => {
                Some(whole_number(text).ok_or_else(|| malformed("precise_amount is not a whole number"))?)
            }
        };
        let mut problems = Problems::default();
        let precision = check_precision(&mut problems, "precision", self.precision.map(|number| number.0))?;
        let amount = check_amount(&mut problems, self.amount.map(|number| number.0), precise, precision)?;
        let overdraft_limit = match self.overdraft_limit {
            None => 0,
            Some(Number(text)) => decimal(text)?.minor_units(precision).unwrap_or_else(|| {
                problems.add("overdraft_limit", LIMIT_TOO_LARGE);
                0
            }),
        };
        self.check_texts(&mut problems);
        self.check_sides(&mut problems);
        let mut moment = |field: &'static str, sent: &Option<Text<'_>>| match sent.as_deref().unwrap_or_default() {
            "" => None,
            text => match Moment::parse(text) {
                Some(moment) => moment.if_set(),
                None => {
                    problems.add(field, DATE_FORMAT);
                    None
                }
            },
        };
        let scheduled = moment("scheduled_for", &self.scheduled);
        let expires = moment("inflight_expiry_date", &self.expires);
        let commits = moment("inflight_commit_date", &self.commits);
        if !problems.is_empty() {
            return Err(Wrong::Fields(problems));
        }
        Ok(Facts { amount, precision, overdraft_limit, effective, scheduled, expires, commits })
    }

    fn check_texts(&self, problems: &mut Problems) {
        problems.text("currency", self.currency.as_deref().unwrap_or_default(), limits::CURRENCY_BYTES_MAX);
        problems.text("reference", self.reference.as_deref().unwrap_or_default(), limits::REFERENCE_BYTES_MAX);
        problems.text("description", self.description.as_deref().unwrap_or_default(), limits::DESCRIPTION_BYTES_MAX);
        problems.length("meta_data", self.metadata.map_or("", |object| object.0), limits::METADATA_BYTES_MAX);
        check_provider(problems, self.metadata.map_or("", |object| object.0));
    }

    fn check_sides(&self, problems: &mut Problems) {
        let source = self.source.as_deref().unwrap_or_default();
        let destination = self.destination.as_deref().unwrap_or_default();
        let (sources, destinations) =
            (self.sources.as_deref().unwrap_or_default(), self.destinations.as_deref().unwrap_or_default());
        if source.is_empty() == sources.is_empty() {
            problems.add("source", "either source or sources is required, not both");
        }
        if destination.is_empty() == destinations.is_empty() {
            problems.add("destination", "either destination or destinations is required, not both");
        }
        if !sources.is_empty() && !destinations.is_empty() {
            problems.add("destinations", "either sources or destinations can be several, not both");
        }
        let named =
            |parts: &[PartBody<'_>], name: &str| parts.iter().any(|part| part.identifier.as_deref() == Some(name));
        let same = source == destination && !source.is_empty()
            || !destination.is_empty() && named(sources, destination)
            || !source.is_empty() && named(destinations, source);
        if same {
            problems.add("destination", "source and destination cannot be the same balance");
        }
        check_party(problems, "source", source);
        check_party(problems, "destination", destination);
        for (field, parts) in [("sources", sources), ("destinations", destinations)] {
            if parts.len() > limits::SPLIT_LEGS_MAX {
                problems.add(field, format!("cannot have more than {} parts", limits::SPLIT_LEGS_MAX));
            }
            if parts.iter().any(|part| part.identifier.as_deref().unwrap_or_default().is_empty()) {
                problems.add(field, "every part needs an identifier");
            }
            for part in parts {
                check_party(problems, field, part.identifier.as_deref().unwrap_or_default());
            }
        }
    }
}

/// A date of a request that changes something. The date that stands for none is refused: reads show it where nothing is set,
/// and whoever sends it back does not mean that something is to happen at once.
pub(super) fn date(problems: &mut Problems, field: &'static str, sent: Option<&str>) -> Option<Moment> {
    let text = sent.filter(|text| !text.is_empty())?;
    let Some(moment) = Moment::parse(text) else {
        problems.add(field, DATE_FORMAT);
        return None;
    };
    if moment.is_zero() {
        problems.add(field, "can be moved, not taken away");
    }
    Some(moment)
}

const DATE_FORMAT: &str =
    "please format the scheduled date as 'YYYY-MM-DDTHH:MM:SS+00:00' (e.g., 2024-04-22T15:28:03+00:00)";

/// Checks that the name of a side is not too long.
pub fn check_party(problems: &mut Problems, field: &'static str, name: &str) {
    let bytes_max = if name.starts_with('@') { limits::INDICATOR_BYTES_MAX } else { limits::PARTY_BYTES_MAX };
    problems.length(field, name, bytes_max);
}

/// Reads a precision; 1 unless given.
pub fn check_precision(problems: &mut Problems, field: &'static str, sent: Option<&str>) -> Result<u64, Wrong> {
    let decimal = decimal(sent.unwrap_or("0"))?;
    if decimal.is_negative() {
        problems.add(field, "precision cannot be negative");
        return Ok(1);
    }
    let Some(integer) = decimal.integer() else {
        let fractional = decimal.minor_units(1).is_some();
        problems.add(field, if fractional { "precision must be an integer value" } else { PRECISION_TOO_LARGE });
        return Ok(1);
    };
    match u64::try_from(integer) {
        Ok(precision) if precision <= limits::PRECISION_MAX => Ok(precision.max(1)),
        _ => {
            problems.add(field, PRECISION_TOO_LARGE);
            Ok(1)
        }
    }
}

const PRECISION_TOO_LARGE: &str = "precision cannot be more than 9223372036854775807";

pub(super) fn check_amount(
    problems: &mut Problems,
    sent: Option<&str>,
    precise: Option<Precise>,
    precision: u64,
) -> Result<i128, Wrong> {
    let amount = match sent.map_or(Ok(Decimal::ZERO), Decimal::parse) {
        Ok(amount) => amount,
        Err(DecimalFault::TooManyDigits) => {
            problems.add("amount", MORE_DIGITS);
            return Ok(0);
        }
        Err(_) => return Err(out_of_range()),
    };
    if precise.is_none() && amount.is_zero() {
        problems.add("amount", "either amount or precise_amount is required");
    } else if precise.is_some() && !amount.is_zero() {
        problems.add("amount", "either amount or precise_amount should be provided, not both");
    } else if amount.significant_digits() + u32::from(amount.is_negative()) > SIGNIFICANT_DIGITS_MAX {
        problems.add("amount", MORE_DIGITS);
    } else if amount.is_negative() {
        problems.add("amount", "amount cannot be negative");
    }
    match precise {
        Some(Precise::Fits(minor)) => {
            if minor < 0 {
                problems.add("amount", "precise_amount cannot be negative");
            }
            Ok(minor)
        }
        Some(Precise::TooLarge) => {
            problems.add("amount", "precise_amount is beyond what can be recorded");
            Ok(0)
        }
        None => Ok(amount.minor_units(precision).unwrap_or_else(|| {
            problems.add("amount", AMOUNT_TOO_LARGE);
            0
        })),
    }
}

const MORE_DIGITS: &str = "amount cannot have more than 15 significant digits, use precise_amount instead";

/// A decimal of a field that is no amount.
fn decimal(text: &str) -> Result<Decimal, Wrong> {
    Decimal::parse(text).map_err(|_| out_of_range())
}

fn out_of_range() -> Wrong {
    Wrong::Malformed(Malformed::new("number out of range"))
}

/// A whole number of minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precise {
    /// One that fits.
    Fits(i128),
    /// One beyond 128 bits.
    TooLarge,
}

/// Reads digits, perhaps with a minus. No fraction, no exponent.
pub fn whole_number(text: &str) -> Option<Precise> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().map_or(Precise::TooLarge, Precise::Fits))
}

/// A side as it was named.
pub fn party(arena: &mut String, name: &str) -> Party {
    let span = text::push(arena, name);
    match Id::parse(Prefix::Balance, name) {
        Some(id) => Party::Id(id, span),
        None if name.starts_with('@') => Party::Indicator(span),
        None => Party::Unknown(span),
    }
}

/// Texts that follow each other in a batch are often the same; they are put into the arena once.
#[derive(Debug, Default)]
pub struct Last {
    currency: Span,
    description: Span,
}

impl Last {
    fn push(last: &mut Span, arena: &mut String, text: &str) -> Span {
        if last.of(arena) != text {
            *last = text::push(arena, text);
        }
        *last
    }
}

/// Amounts in major units, whose precision is still to be found out.
#[derive(Debug, Clone, Copy)]
pub struct Unscaled<'a> {
    /// Nothing when the amount came in minor units.
    amount: Option<Number<'a>>,
    overdraft_limit: Option<Number<'a>>,
}

/// Amounts in minor units of a precision.
#[derive(Debug, Clone, Copy)]
pub struct Scaled {
    precision: u64,
    /// Nothing when the amount came in minor units.
    amount: Option<i128>,
    overdraft_limit: i128,
}

impl Unscaled<'_> {
    /// The amounts in minor units.
    pub fn scaled(&self, precision: u64) -> Result<Scaled, Problems> {
        let mut problems = Problems::default();
        let mut minor = |field: &'static str, number: Number<'_>, message: &str| {
            let decimal = Decimal::parse(number.0).ok();
            decimal.and_then(|decimal| decimal.minor_units(precision)).unwrap_or_else(|| {
                problems.add(field, message);
                0
            })
        };
        let amount = self.amount.map(|number| minor("amount", number, AMOUNT_TOO_LARGE));
        let limit = self.overdraft_limit.map(|number| minor("overdraft_limit", number, LIMIT_TOO_LARGE));
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Scaled { precision, amount, overdraft_limit: limit.unwrap_or_default() })
    }
}

impl Scaled {
    /// Puts the amounts into an ask that was made without knowing the precision.
    pub fn put(&self, ask: &mut Ask) {
        ask.precision = self.precision;
        ask.amount = self.amount.unwrap_or(ask.amount);
        if ask.terms().overdraft_limit != self.overdraft_limit {
            ask.terms = Terms { overdraft_limit: self.overdraft_limit, ..ask.terms().clone() }.boxed();
        }
    }
}

const AMOUNT_TOO_LARGE: &str = "amount is beyond what can be recorded";
const LIMIT_TOO_LARGE: &str = "is beyond what can be recorded";

/// How a request is recorded: what a batch decides for all its items.
#[derive(Debug, Clone, Copy)]
pub struct How {
    /// Whether request and outcome are two rows.
    pub queued: bool,
    /// Whether it is a hold.
    pub inflight: bool,
}

impl<'a> TransactionBody<'a> {
    /// Whether one of the sides is several.
    pub fn is_split(&self) -> bool {
        self.sources.as_ref().is_some_and(|parts| !parts.is_empty())
            || self.destinations.as_ref().is_some_and(|parts| !parts.is_empty())
    }

    /// Its sides, when they are several.
    pub fn sides(&self) -> Sides<'_, 'a> {
        Sides {
            sources: self.sources.as_deref().unwrap_or_default(),
            destinations: self.destinations.as_deref().unwrap_or_default(),
        }
    }

    /// The ask of the request, its texts put into the arena. The fingerprints are left to [`seal`], as a batch says only
    /// behind its items how they are recorded.
    pub fn ask(&self, facts: &Facts, arena: &mut String, last: &mut Last) -> Ask {
        let stored = self.metadata.map_or("".into(), |object| metadata::stored(object.0));
        let terms = Terms {
            overdraft_limit: facts.overdraft_limit,
            effective_at: facts.effective.map(Moment::micros),
            scheduled_at: facts.scheduled.map(Moment::micros),
            expires_at: facts.expires.map(Moment::micros),
            commits_at: facts.commits.map(Moment::micros),
            provider: text::push(arena, &provider(&stored).unwrap_or_default()),
            owner: Span::EMPTY,
        };
        Ask {
            item: 0,
            leg: 0,
            source: party(arena, self.source.as_deref().unwrap_or_default()),
            destination: party(arena, self.destination.as_deref().unwrap_or_default()),
            amount: facts.amount,
            precision: facts.precision,
            currency: Last::push(&mut last.currency, arena, self.currency.as_deref().unwrap_or_default()),
            reference: text::push(arena, self.reference.as_deref().unwrap_or_default()),
            fingerprint: 0,
            outcome_fingerprint: 0,
            description: Last::push(&mut last.description, arena, self.description.as_deref().unwrap_or_default()),
            metadata: text::push(arena, &stored),
            allow_overdraft: self.allow_overdraft.unwrap_or(false),
            inflight: self.inflight.unwrap_or(false),
            atomic: self.atomic.unwrap_or(false),
            terms: terms.boxed(),
        }
    }
}

/// The asks of the legs of a split transaction, from the ask of its whole.
pub fn legs(whole: &Ask, parts: &Parts<'_>, queued: bool, arena: &mut String) -> Vec<Ask> {
    let mut asks = Vec::with_capacity(parts.list().len());
    for ((identifier, amount), leg) in parts.legs().zip(1..) {
        let side = party(arena, identifier);
        let (source, destination) = match parts {
            Parts::Sources(_) => (side, whole.destination),
            Parts::Destinations(_) => (whole.source, side),
        };
        let reference = leg_reference(whole.reference.of(arena), leg, queued);
        let reference = text::push(arena, &reference);
        asks.push(Ask { leg, source, destination, amount, reference, ..whole.clone() });
    }
    asks
}

/// Fills in what a batch decides for all its asks, and the fingerprints of their references.
pub fn seal(asks: &mut [Ask], books: &Books, how: How, arena: &str) {
    for ask in asks {
        let reference = ask.reference.of(arena);
        ask.inflight = how.inflight;
        ask.fingerprint = books.fingerprint(reference);
        if how.queued {
            ask.outcome_fingerprint = books.fingerprint_of_parts(reference, "_q");
        }
    }
}

impl From<Wrong> for ApiError {
    fn from(wrong: Wrong) -> ApiError {
        match wrong {
            Wrong::Malformed(malformed) => malformed.into(),
            Wrong::Fields(problems) => match problems.into_result(Code::TxnValidationError) {
                Err(error) => error,
                Ok(()) => ApiError::internal(),
            },
        }
    }
}
