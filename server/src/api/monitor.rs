//! Balance monitors on the wire.

use super::metadata::Metadata;
use super::number::NumberText;
use super::time;
use super::transaction::{Precise, whole_number};
use super::validate::Problems;
use crate::decode::{Number, NumberOrText, RawObject, Text};
use crate::http::error::{ApiError, Code};
use ledger::decimal::{Decimal, major_text};
use ledger::event::MonitorSet;
use ledger::id::{Id, Prefix};
use ledger::limits::{
    CALL_BACK_URL_BYTES_MAX, DESCRIPTION_BYTES_MAX, METADATA_BYTES_MAX, MONITOR_CONDITIONS_MAX, PRECISION_MAX,
};
use ledger::monitor::{Condition, Definition, Field, Operator};
use serde::Serialize;

crate::lenient_struct! {
    /// Body of `POST /balance-monitors` and `PUT /balance-monitors/{id}`.
    pub struct MonitorBody<'a> {
        /// The balance that is watched.
        "balance_id" balance_id: Text<'a>,
        /// What has to hold.
        "condition" condition: ConditionBody<'a>,
        /// What has to hold, when it is more than one thing.
        "conditions" conditions: Vec<ConditionBody<'a>>,
        /// `all` or `any`.
        "match" joined: Text<'a>,
        /// `level` or `edge`.
        "trigger" trigger: Text<'a>,
        /// Text for people.
        "description" description: Text<'a>,
        /// Kept, and never called.
        "call_back_url" call_back_url: Text<'a>,
        /// Anything.
        "meta_data" metadata: RawObject<'a>,
    }
}

crate::lenient_struct! {
    /// A figure of a balance compared with a threshold.
    pub struct ConditionBody<'a> {
        /// Which figure.
        "field" field: Text<'a>,
        /// How it is compared.
        "operator" operator: Text<'a>,
        /// With what, in major units.
        "value" value: Number<'a>,
        /// Minor units in a major unit.
        "precision" precision: Number<'a>,
        /// With what, in minor units.
        "precise_value" precise_value: NumberOrText<'a>,
    }
}

/// The words of figures, as the API has them.
pub const FIELDS: [(&str, Field); 6] = [
    ("debit_balance", Field::Debit),
    ("credit_balance", Field::Credit),
    ("balance", Field::Balance),
    ("inflight_debit_balance", Field::InflightDebit),
    ("inflight_credit_balance", Field::InflightCredit),
    ("inflight_balance", Field::Inflight),
];

/// The signs of operators, as the API has them.
pub const OPERATORS: [(&str, Operator); 6] = [
    (">", Operator::Greater),
    ("<", Operator::Less),
    (">=", Operator::GreaterOrEqual),
    ("<=", Operator::LessOrEqual),
    ("=", Operator::Equal),
    ("!=", Operator::NotEqual),
];

const LEVEL: &str = "level";
const EDGE: &str = "edge";
const ALL: &str = "all";
const ANY: &str = "any";

const BLANK: &str = "cannot be blank";

impl MonitorBody<'_> {
    /// The balance and the definition that are wanted, checked as far as the ledger need not be asked. Of a monitor that is
    /// changed, `before` is what it watched: its precision, trigger, call-back URL and metadata stay unless others are given.
    pub fn wanted(&self, before: Option<&Definition>) -> Result<(Option<Id>, Definition), ApiError> {
        let mut problems = Problems::default();
        let balance = self.balance_id.as_deref().unwrap_or_default();
        if balance.is_empty() {
            problems.add("balance_id", BLANK);
        }
        let conditions = self.conditions(&mut problems, before);
        let any = chosen(&mut problems, "match", self.joined.as_deref(), [ALL, ANY]).unwrap_or(false);
        let edge = chosen(&mut problems, "trigger", self.trigger.as_deref(), [LEVEL, EDGE]);
        let description = self.description.as_deref().unwrap_or_default();
        problems.length("description", description, DESCRIPTION_BYTES_MAX);
        let call_back_url = self.call_back_url.as_deref();
        problems.length("call_back_url", call_back_url.unwrap_or_default(), CALL_BACK_URL_BYTES_MAX);
        let metadata = self.metadata.map(|raw| raw.0);
        problems.length("meta_data", metadata.unwrap_or_default(), METADATA_BYTES_MAX);
        problems.into_result(Code::GenValidationError)?;
        let kept = |given: Option<&str>, of: fn(&Definition) -> &String| {
            given.map(str::to_owned).or_else(|| before.map(|before| of(before).clone())).unwrap_or_default()
        };
        let definition = Definition {
            conditions,
            any,
            edge: edge.or(before.map(|before| before.edge)).unwrap_or(false),
            description: description.to_owned(),
            call_back_url: kept(call_back_url, |before| &before.call_back_url),
            metadata: kept(metadata, |before| &before.metadata),
        };
        Ok((Id::parse(Prefix::Balance, balance), definition))
    }

    fn conditions(&self, problems: &mut Problems, before: Option<&Definition>) -> Vec<Condition> {
        let precision_before =
            |index: usize| before.and_then(|before| before.conditions.get(index)).map(|condition| condition.precision);
        let is_change = before.is_some();
        let Some(list) = self.conditions.as_deref().filter(|list| !list.is_empty()) else {
            let none = ConditionBody::default();
            let body = self.condition.as_ref().unwrap_or(&none);
            return match body.wanted(is_change, precision_before(0)) {
                Ok(condition) => vec![condition],
                Err(message) => {
                    problems.add("condition", format!("({message})"));
                    Vec::new()
                }
            };
        };
        if list.len() > MONITOR_CONDITIONS_MAX {
            problems.add("conditions", format!("cannot be more than {MONITOR_CONDITIONS_MAX}"));
            return Vec::new();
        }
        let mut conditions = Vec::with_capacity(list.len());
        for (index, body) in list.iter().enumerate() {
            match body.wanted(is_change, precision_before(index)) {
                Ok(condition) => conditions.push(condition),
                Err(message) => problems.add("conditions", format!("{index}: ({message})")),
            }
        }
        // What is shown has the first of them under `condition` too, and may come back like that.
        if let Some(body) = &self.condition
            && body.wanted(is_change, precision_before(0)).ok().as_ref() != conditions.first()
        {
            problems.add("condition", "must be the first of conditions, or be left out");
        }
        conditions
    }
}

/// The second of two words; `None` when neither is given.
fn chosen(problems: &mut Problems, field: &'static str, given: Option<&str>, words: [&str; 2]) -> Option<bool> {
    let given = given.filter(|given| !given.is_empty())?;
    if !words.contains(&given) {
        problems.add(field, format!("must be one of: {}, {}", words[0], words[1]));
    }
    Some(given == words[1])
}

impl ConditionBody<'_> {
    /// The condition that is wanted, or what is wrong with it. A change may name a value of zero.
    fn wanted(&self, is_change: bool, precision_before: Option<u64>) -> Result<Condition, String> {
        let mut problems = Problems::default();
        let field = word(&mut problems, "field", self.field.as_deref(), &FIELDS);
        let operator = word(&mut problems, "operator", self.operator.as_deref(), &OPERATORS);
        let threshold = self.threshold(is_change);
        let is_precise = matches!(threshold, Ok(Threshold::Minor(_)));
        let default = precision_before.or(is_precise.then_some(1));
        let precision = precision(self.precision, default).map_err(|message| problems.add("precision", message)).ok();
        let threshold = threshold.map_err(|message| problems.add("value", message)).ok();
        match (field, operator, threshold, precision) {
            (Some(field), Some(operator), Some(threshold), Some(precision)) if problems.is_empty() => {
                let threshold = match threshold {
                    Threshold::Minor(minor) => minor,
                    Threshold::Major(major) => i128::from(major) * i128::from(precision),
                };
                Ok(Condition { field, operator, threshold, precision })
            }
            _ => Err(problems.message()),
        }
    }

    /// `precise_value` counts where `value` says nothing: where it is absent or zero, or, as shown for a threshold that is no
    /// whole number of major units, a fraction.
    fn threshold(&self, is_change: bool) -> Result<Threshold, &'static str> {
        let decimal = self.value.map(|value| Decimal::parse(value.0));
        let whole = match &decimal {
            Some(Ok(value)) => value.integer().and_then(|value| i64::try_from(value).ok()),
            Some(Err(_)) | None => None,
        };
        if let Some(value) = whole.filter(|value| *value != 0) {
            return Ok(Threshold::Major(value));
        }
        if let Some(precise) = self.precise_value {
            return match whole_number(precise.0) {
                Some(Precise::Fits(minor)) => Ok(Threshold::Minor(minor)),
                Some(Precise::TooLarge) => Err("precise_value is beyond what can be recorded"),
                None => Err("precise_value must be a whole number of minor units"),
            };
        }
        match (decimal, whole) {
            (None, _) => Err(BLANK),
            (Some(_), Some(value)) if is_change => Ok(Threshold::Major(value)),
            (Some(_), Some(_)) => Err(BLANK),
            (Some(_), None) => Err("must be a whole number that fits into 64 bits; use precise_value for others"),
        }
    }
}

/// A threshold as it is sent.
enum Threshold {
    /// In minor units.
    Minor(i128),
    /// In major units.
    Major(i64),
}

fn word<T: Copy>(problems: &mut Problems, field: &'static str, given: Option<&str>, words: &[(&str, T)]) -> Option<T> {
    let given = given.unwrap_or_default();
    let found = words.iter().find(|(word, _)| *word == given).map(|(_, of)| *of);
    if found.is_none() {
        problems.add(field, if given.is_empty() { BLANK } else { "must be a valid value" });
    }
    found
}

fn precision(given: Option<Number<'_>>, default: Option<u64>) -> Result<u64, String> {
    let decimal = match given {
        None => return default.ok_or_else(|| BLANK.to_owned()),
        Some(number) => Decimal::parse(number.0).ok(),
    };
    match decimal {
        Some(decimal) if decimal.is_zero() => default.ok_or_else(|| BLANK.to_owned()),
        Some(decimal) if decimal.is_negative() => Err("precision cannot be negative".to_owned()),
        decimal => decimal
            .and_then(Decimal::integer)
            .and_then(|precision| u64::try_from(precision).ok())
            .filter(|precision| *precision <= PRECISION_MAX)
            .ok_or_else(|| format!("must be a whole number up to {PRECISION_MAX}")),
    }
}

/// A monitor as it is shown, and as the event `balance.monitor` tells it.
#[derive(Debug, Serialize)]
pub struct MonitorView {
    monitor_id: String,
    balance_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    created_at: String,
    condition: ConditionView,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    conditions: Vec<ConditionView>,
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    joined: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trigger: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    meta_data: Option<Metadata>,
}

#[derive(Debug, Clone, Serialize)]
struct ConditionView {
    value: NumberText,
    precision: u64,
    precise_value: NumberText,
    field: &'static str,
    operator: &'static str,
}

impl MonitorView {
    /// The monitor that an event defines, of a balance with this id. What few monitors have is shown only of these.
    pub fn new(event: &MonitorSet, balance: Id) -> MonitorView {
        let definition = &event.definition;
        let views: Vec<ConditionView> = definition.conditions.iter().map(ConditionView::new).collect();
        let is_compound = views.len() > 1;
        MonitorView {
            monitor_id: event.id.text(Prefix::Monitor),
            balance_id: balance.text(Prefix::Balance),
            description: definition.description.clone(),
            created_at: time::text(event.created_at),
            condition: views[0].clone(),
            conditions: if is_compound { views } else { Vec::new() },
            joined: is_compound.then_some(if definition.any { ANY } else { ALL }),
            trigger: definition.edge.then_some(EDGE),
            meta_data: Metadata::parse(&definition.metadata),
        }
    }
}

impl ConditionView {
    fn new(condition: &Condition) -> ConditionView {
        let Condition { field, operator, threshold, precision } = *condition;
        let unit = i128::from(precision);
        let value = match threshold % unit {
            0 => NumberText::integer(threshold / unit),
            _ => NumberText::nearest_double(&major_text(threshold, precision)),
        };
        ConditionView {
            value,
            precision,
            precise_value: NumberText::integer(threshold),
            field: text_of(&FIELDS, field),
            operator: text_of(&OPERATORS, operator),
        }
    }
}

fn text_of<T: PartialEq>(words: &[(&'static str, T)], of: T) -> &'static str {
    words.iter().find(|(_, one)| *one == of).map_or("", |(word, _)| *word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode;

    fn condition(json: &str, before: Option<u64>) -> Result<(i128, u64), String> {
        let body: ConditionBody<'_> = decode::from_slice(json.as_bytes()).expect("it is JSON");
        body.wanted(before.is_some(), before).map(|condition| (condition.threshold, condition.precision))
    }

    fn of(rest: &str, before: Option<u64>) -> Result<(i128, u64), String> {
        condition(&format!(r#"{{"field":"balance","operator":"<",{rest}}}"#), before)
    }

    #[test]
    fn every_word_has_its_meaning() {
        for field in Field::ALL {
            assert_eq!(FIELDS.iter().filter(|(_, one)| *one == field).count(), 1, "{field:?}");
        }
        for operator in Operator::ALL {
            assert_eq!(OPERATORS.iter().filter(|(_, one)| *one == operator).count(), 1, "{operator:?}");
        }
    }

    #[test]
    fn thresholds_are_exact() {
        for (rest, wanted) in [
            (r#""value":1000,"precision":100"#, (100_000, 100)),
            (r#""value":-5,"precision":100"#, (-500, 100)),
            (r#""value":1e3,"precision":100"#, (100_000, 100)),
            (r#""value":9007199254740993,"precision":1000000000"#, (9_007_199_254_740_993_000_000_000, 1_000_000_000)),
            (
                r#""value":9223372036854775807,"precision":9223372036854775807"#,
                (85_070_591_730_234_615_847_396_907_784_232_501_249, PRECISION_MAX),
            ),
            (r#""precise_value":1050,"precision":100"#, (1050, 100)),
            (r#""precise_value":"1050""#, (1050, 1)),
            (r#""value":0,"precise_value":0,"precision":100"#, (0, 100)),
            (r#""value":10.5,"precise_value":1050,"precision":100"#, (1050, 100)),
            (r#""value":20,"precise_value":1000,"precision":100"#, (2000, 100)),
        ] {
            assert_eq!(of(rest, None), Ok(wanted), "{rest}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let whole = "value: must be a whole number that fits into 64 bits; use precise_value for others.";
        for (rest, wanted) in [
            (r#""value":10.5,"precision":100"#, whole),
            (r#""value":9223372036854775808,"precision":100"#, whole),
            (r#""value":1e400,"precision":100"#, whole),
            (r#""value":0,"precision":100"#, "value: cannot be blank."),
            (r#""precision":100"#, "value: cannot be blank."),
            (r#""value":1"#, "precision: cannot be blank."),
            (r#""value":1,"precision":0"#, "precision: cannot be blank."),
            (r#""value":1,"precision":-1"#, "precision: precision cannot be negative."),
            (r#""value":1,"precision":0.5"#, "precision: must be a whole number up to 9223372036854775807."),
            (
                r#""value":1,"precision":9223372036854775808"#,
                "precision: must be a whole number up to 9223372036854775807.",
            ),
            (r#""precise_value":1.5,"precision":100"#, "value: precise_value must be a whole number of minor units."),
            (
                r#""precise_value":1000000000000000000000000000000000000000,"precision":100"#,
                "value: precise_value is beyond what can be recorded.",
            ),
        ] {
            assert_eq!(of(rest, None), Err(wanted.to_owned()), "{rest}");
        }
        let unknown = condition(r#"{"field":"colour","operator":"==","value":1,"precision":1}"#, None);
        assert_eq!(unknown, Err("field: must be a valid value; operator: must be a valid value.".to_owned()));
    }

    #[test]
    fn a_change_keeps_the_precision_and_may_name_zero() {
        assert_eq!(of(r#""value":5"#, Some(100)), Ok((500, 100)));
        assert_eq!(of(r#""value":5,"precision":0"#, Some(100)), Ok((500, 100)));
        assert_eq!(of(r#""value":5,"precision":10"#, Some(100)), Ok((50, 10)));
        assert_eq!(of(r#""value":0"#, Some(100)), Ok((0, 100)));
        assert_eq!(of(r#""precision":1"#, Some(100)), Err("value: cannot be blank.".to_owned()));
    }
}
