//! Assertions of balances on the wire.

use super::metadata::Metadata;
use super::number::NumberText;
use super::time::{self, Moment};
use super::transaction::{Precise, whole_number};
use super::validate::Problems;
use crate::decode::{Number, NumberOrText, RawObject, Text};
use crate::http::error::{ApiError, Code};
use ledger::decimal::{Decimal, exact_major_text};
use ledger::event::BalanceAsserted;
use ledger::id::{Id, Prefix};
use ledger::limits::{ASSERTION_SOURCE_BYTES_MAX, DESCRIPTION_BYTES_MAX, METADATA_BYTES_MAX, PRECISION_MAX};
use ledger::wide::Wide;
use serde::Serialize;

crate::lenient_struct! {
    /// Body of `POST /balances/{id}/assertions`.
    pub struct AssertionBody<'a> {
        /// Of when it speaks.
        "at" at: Text<'a>,
        /// What the balance was, in minor units.
        "precise_balance" precise_balance: NumberOrText<'a>,
        /// What the balance was, in major units.
        "balance" balance: NumberOrText<'a>,
        /// Minor units in a major unit.
        "precision" precision: Number<'a>,
        /// Whether it is refused unless it holds.
        "require" require: bool,
        /// Text for people.
        "description" description: Text<'a>,
        /// Where the amount comes from.
        "source" source: Text<'a>,
        /// Anything.
        "meta_data" metadata: RawObject<'a>,
    }
}

/// An assertion as it is asked for, checked as far as the ledger need not be asked.
#[derive(Debug)]
pub struct Asserted {
    /// Of when it speaks; now unless given.
    pub at: Option<i64>,
    /// What the balance was, in minor units.
    pub amount: i128,
    /// Minor units in a major unit; 0 when it is not known.
    pub precision: u64,
    /// Whether it is refused unless it holds.
    pub require: bool,
    /// Text for people.
    pub description: String,
    /// Where the amount comes from.
    pub source: String,
    /// JSON object, or empty for none.
    pub metadata: String,
}

impl AssertionBody<'_> {
    /// What is asked for. `registered` is the precision of the currency of the balance, if it is registered.
    pub fn checked(&self, registered: Option<u64>) -> Result<Asserted, ApiError> {
        let mut problems = Problems::default();
        let at = match self.at.as_deref().filter(|text| !text.is_empty()).map(Moment::parse) {
            Some(None) => {
                problems.add("at", "must be a time in RFC 3339, such as 2024-01-31T23:59:59Z");
                None
            }
            at => at.flatten().map(Moment::micros),
        };
        let precision = self.precision(&mut problems, registered);
        let amount = match (self.precise_balance, self.balance) {
            (Some(_), Some(_)) => Err(("balance", "cannot be given together with precise_balance")),
            (None, None) => Err(("precise_balance", "cannot be blank, unless balance is given")),
            (Some(precise), None) => match whole_number(precise.0) {
                Some(Precise::Fits(amount)) => Ok(amount),
                Some(Precise::TooLarge) => Err(("precise_balance", "is beyond what can be recorded")),
                None => Err(("precise_balance", "must be a whole number of minor units")),
            },
            (None, Some(major)) => minor_units(major.0, precision).map_err(|message| ("balance", message)),
        };
        let amount = amount.map_err(|(field, message)| problems.add(field, message)).unwrap_or_default();
        let description = self.description.as_deref().unwrap_or_default().to_owned();
        let source = self.source.as_deref().unwrap_or_default().to_owned();
        let metadata = self.metadata.map_or("", |raw| raw.0).to_owned();
        problems.length("description", &description, DESCRIPTION_BYTES_MAX);
        problems.length("source", &source, ASSERTION_SOURCE_BYTES_MAX);
        problems.length("meta_data", &metadata, METADATA_BYTES_MAX);
        problems.into_result(Code::GenValidationError)?;
        let (precision, require) = (precision.unwrap_or_default(), self.require.unwrap_or(false));
        Ok(Asserted { at, amount, precision, require, description, source, metadata })
    }

    fn precision(&self, problems: &mut Problems, registered: Option<u64>) -> Option<u64> {
        let Some(given) = self.precision else { return registered };
        let whole = Decimal::parse(given.0).ok().and_then(Decimal::integer);
        let precision = whole.and_then(|whole| u64::try_from(whole).ok());
        let precision = precision.filter(|precision| (1..=PRECISION_MAX).contains(precision));
        if precision.is_none() {
            problems.add("precision", format!("must be a whole number from 1 to {PRECISION_MAX}"));
        } else if registered.is_some_and(|registered| Some(registered) != precision) {
            problems.add("precision", "is not that of the registered currency");
        }
        precision
    }
}

/// An amount in major units as minor ones, without rounding: digits, perhaps with a sign and a point.
fn minor_units(major: &str, precision: Option<u64>) -> Result<i128, &'static str> {
    const NO_AMOUNT: &str = "must be a decimal number, such as 10.50";
    const TOO_LARGE: &str = "is beyond what can be recorded";
    let (sign, unsigned) = major.strip_prefix('-').map_or((1, major), |rest| (-1, rest));
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let is_number = !whole.is_empty() && whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
    if !is_number {
        return Err(NO_AMOUNT);
    }
    let precision = precision.ok_or("needs precision, as the currency of the balance is not registered")?;
    let fraction = fraction.trim_end_matches('0');
    let unit = u32::try_from(fraction.len()).ok().and_then(|digits| 10u128.checked_pow(digits)).ok_or(NO_WHOLE)?;
    let digits: u128 = [whole, fraction].concat().parse().map_err(|_| TOO_LARGE)?;
    let (mut common, mut rest) = (u128::from(precision), unit);
    while rest > 0 {
        (common, rest) = (rest, common % rest);
    }
    if !digits.is_multiple_of(unit / common) {
        return Err(NO_WHOLE);
    }
    let minor = (digits / (unit / common)).checked_mul(u128::from(precision) / common);
    minor.and_then(|minor| i128::try_from(minor).ok()).map(|minor| sign * minor).ok_or(TOO_LARGE)
}

const NO_WHOLE: &str = "is no whole number of minor units";

/// An assertion as it is shown, with what came of comparing it.
#[derive(Debug, Serialize)]
pub struct AssertionView {
    assertion_id: String,
    balance_id: String,
    currency: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    precision: Option<u64>,
    at: String,
    created_at: String,
    precise_balance: NumberText,
    #[serde(skip_serializing_if = "Option::is_none")]
    balance: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    meta_data: Option<Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<NumberText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<NumberText>,
}

impl AssertionView {
    /// The assertion that an event made, of a balance in a currency. `found` is what the balance was by the rows.
    pub fn new(event: &BalanceAsserted, balance: Id, currency: String, found: Option<i128>) -> AssertionView {
        AssertionView {
            assertion_id: event.id.text(Prefix::Assertion),
            balance_id: balance.text(Prefix::Balance),
            currency,
            precision: (event.precision > 0).then_some(event.precision),
            at: time::text(event.as_of),
            created_at: time::text(event.at),
            precise_balance: NumberText::integer(event.amount),
            balance: (event.precision > 0).then(|| exact_major_text(event.amount, event.precision)),
            description: event.description.clone(),
            source: event.source.clone(),
            meta_data: Metadata::parse(&event.metadata),
            status: found.map(|found| if found == event.amount { HOLDS } else { BROKEN }),
            found: found.map(NumberText::integer),
            difference: found.map(|found| difference(found, event.amount)),
        }
    }
}

/// The status of an assertion that is so.
pub const HOLDS: &str = "holds";
/// The status of one that is not.
pub const BROKEN: &str = "broken";

/// What was found less what was said; that may be beyond 128 bits.
pub fn difference(found: i128, said: i128) -> NumberText {
    let wide = |amounts: [i128; 2]| {
        let mut sum = Wide::default();
        for amount in amounts {
            // An amount below zero counts on the other side.
            sum.add(amount.max(0));
        }
        sum
    };
    let opposite = |amount: i128| amount.checked_neg().unwrap_or(i128::MAX);
    let (mut plus, mut minus) = (wide([found, opposite(said)]), wide([said, opposite(found)]));
    // The least amount has no opposite: one is missing of it.
    for (amount, side) in [(said, &mut plus), (found, &mut minus)] {
        if amount == i128::MIN {
            side.add(1);
        }
    }
    super::closing::signed(plus, minus)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode;

    fn checked(json: &str, registered: Option<u64>) -> Result<(i128, u64), String> {
        let body: AssertionBody<'_> = decode::from_slice(json.as_bytes()).expect("it is JSON");
        body.checked(registered).map(|asked| (asked.amount, asked.precision)).map_err(|error| error.message)
    }

    #[test]
    fn amounts_are_exact() {
        for (json, registered, wanted) in [
            (r#"{"precise_balance":1050}"#, None, (1050, 0)),
            (r#"{"precise_balance":"-1050","precision":100}"#, None, (-1050, 100)),
            (r#"{"balance":"10.50"}"#, Some(100), (1050, 100)),
            (r#"{"balance":-10.5,"precision":100}"#, None, (-1050, 100)),
            (r#"{"balance":"0.000000000000000001","precision":1000000000000000000}"#, None, (1, 10u64.pow(18))),
            (r#"{"precise_balance":170141183460469231731687303715884105727}"#, Some(1), (i128::MAX, 1)),
            (r#"{"balance":"1701411834604692317316873037158841057.27"}"#, Some(100), (i128::MAX, 100)),
            (r#"{"balance":"-0.25","precision":4}"#, None, (-1, 4)),
        ] {
            assert_eq!(checked(json, registered), Ok(wanted), "{json}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (json, registered, wanted) in [
            (r#"{}"#, None, "precise_balance: cannot be blank, unless balance is given."),
            (r#"{"precise_balance":1.5}"#, None, "precise_balance: must be a whole number of minor units."),
            (
                r#"{"precise_balance":170141183460469231731687303715884105728}"#,
                None,
                "precise_balance: is beyond what can be recorded.",
            ),
            (
                r#"{"precise_balance":1,"balance":1}"#,
                Some(1),
                "balance: cannot be given together with precise_balance.",
            ),
            (r#"{"balance":"1.005"}"#, Some(100), "balance: is no whole number of minor units."),
            (
                r#"{"balance":"1.00000000000000000000000000000000000000005"}"#,
                Some(100),
                "balance: is no whole number of minor units.",
            ),
            (
                r#"{"balance":"9223372036854775807000000000000000000"}"#,
                Some(100),
                "balance: is beyond what can be recorded.",
            ),
            (r#"{"balance":1e3}"#, Some(100), "balance: must be a decimal number, such as 10.50."),
            (r#"{"balance":"."}"#, Some(100), "balance: must be a decimal number, such as 10.50."),
            (r#"{"balance":"ten"}"#, Some(100), "balance: must be a decimal number, such as 10.50."),
            (r#"{"balance":1}"#, None, "balance: needs precision, as the currency of the balance is not registered."),
            (r#"{"balance":1,"precision":10}"#, Some(100), "precision: is not that of the registered currency."),
            (
                r#"{"precise_balance":1,"precision":0}"#,
                None,
                "precision: must be a whole number from 1 to 9223372036854775807.",
            ),
            (
                r#"{"precise_balance":1,"at":"yesterday"}"#,
                None,
                "at: must be a time in RFC 3339, such as 2024-01-31T23:59:59Z.",
            ),
        ] {
            assert_eq!(checked(json, registered), Err(wanted.to_owned()), "{json}");
        }
    }

    #[test]
    fn differences_are_exact_at_the_ends() {
        for (found, said, wanted) in [
            (5, 3, "2"),
            (3, 5, "-2"),
            (-5, 3, "-8"),
            (5, -3, "8"),
            (-7, -7, "0"),
            (i128::MAX, i128::MIN, "340282366920938463463374607431768211455"),
            (i128::MIN, i128::MAX, "-340282366920938463463374607431768211455"),
            (i128::MIN, i128::MIN, "0"),
            (0, i128::MIN, "170141183460469231731687303715884105728"),
        ] {
            assert_eq!(difference(found, said).as_str(), wanted);
        }
    }
}
