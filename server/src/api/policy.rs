//! Policies of balances on the wire.

use super::number::NumberText;
use super::transaction::{Precise, whole_number};
use super::validate::Problems;
use crate::decode::{Number, NumberOrText, Text};
use crate::http::error::{ApiError, Code};
use ledger::command::Wanted;
use ledger::decimal::Decimal;
use ledger::id::{Id, Prefix};
use ledger::limits::{POLICY_COUNTERPARTIES_MAX, POLICY_VELOCITIES_MAX, POLICY_WINDOW_SECONDS_MAX};
use ledger::policy::{Floor, Policed, Policy, Spent, Velocity, Window};
use serde::de::{Deserialize, Deserializer};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

crate::lenient_struct! {
    /// Body of `PUT /balances/{id}/policy`.
    pub struct PolicyBody<'a> {
        /// What stays, in minor units.
        "minimum_balance" minimum_balance: NumberOrText<'a>,
        /// How far below zero it may go, in minor units.
        "credit_limit" credit_limit: NumberOrText<'a>,
        /// `debits`, `credits`, `all` or `none`.
        "frozen" frozen: Text<'a>,
        /// With whom it may deal.
        "counterparties" counterparties: Vec<Text<'a>>,
        /// How much, and how often, within windows of time.
        "velocity" velocity: Vec<VelocityBody<'a>>,
    }
}

crate::lenient_struct! {
    /// How much, and how often, within a window of time.
    pub struct VelocityBody<'a> {
        /// `debit` or `credit`.
        "side" side: Text<'a>,
        /// A word, or seconds.
        "window" window: WindowBody<'a>,
        /// Most minor units in a window.
        "precise_amount" precise_amount: NumberOrText<'a>,
        /// Most transactions in a window.
        "count" count: Number<'a>,
    }
}

/// A window of time as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WindowBody<'a> {
    /// A word.
    Word(Text<'a>),
    /// Seconds.
    Seconds(Number<'a>),
}

impl<'de: 'a, 'a> Deserialize<'de> for WindowBody<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<WindowBody<'a>, D::Error> {
        let raw = <&'de RawValue>::deserialize(deserializer)?.get();
        let read = match raw.as_bytes()[0] {
            b'"' => serde_json::from_str(raw).map(WindowBody::Word),
            b'-' | b'0'..=b'9' => serde_json::from_str(raw).map(WindowBody::Seconds),
            _ => return Err(serde::de::Error::custom("invalid type: expected a string or a number")),
        };
        read.map_err(serde::de::Error::custom)
    }
}

const HOUR: Window = Window::Seconds(3_600);
const DAY: Window = Window::Seconds(86_400);
/// Windows that have a name.
const WINDOWS: [(&str, Window); 4] = [("hour", HOUR), ("day", DAY), ("week", Window::Week), ("month", Window::Month)];

/// The words of what is frozen: debits, credits.
const FROZEN: [(&str, bool, bool); 4] =
    [("none", false, false), ("debits", true, false), ("credits", false, true), ("all", true, true)];

impl PolicyBody<'_> {
    /// The policy that is wanted, checked as far as the ledger need not be asked.
    pub fn wanted(&self) -> Result<Wanted, ApiError> {
        let mut problems = Problems::default();
        let minimum = minor_units(&mut problems, "minimum_balance", self.minimum_balance);
        let credit = minor_units(&mut problems, "credit_limit", self.credit_limit);
        if self.minimum_balance.is_some() && self.credit_limit.is_some() {
            problems.add("credit_limit", "either minimum_balance or credit_limit can be set, not both");
        }
        if credit.is_some_and(|limit| limit < 0) {
            problems.add("credit_limit", "cannot be negative");
        }
        let frozen = self.frozen.as_deref().unwrap_or("none");
        let frozen = FROZEN.into_iter().find(|(word, ..)| *word == frozen).unwrap_or_else(|| {
            problems.add("frozen", "must be one of: debits, credits, all, none");
            FROZEN[0]
        });
        let counterparties = self.counterparties.as_deref().map(|ids| check_counterparties(&mut problems, ids));
        let velocities = check_velocities(&mut problems, self.velocity.as_deref().unwrap_or_default());
        problems.into_result(Code::TxnValidationError)?;
        let floor = minimum.map(Floor::Minimum).or(credit.map(Floor::Credit));
        let policy = Policy { floor, no_debits: frozen.1, no_credits: frozen.2, counterparties: None, velocities };
        Ok(Wanted { policy, counterparties })
    }

    /// The counterparty that the ledger does not know, by its position.
    pub fn unknown_counterparty(&self, position: usize) -> ApiError {
        let id = self.counterparties.as_deref().and_then(|ids| Some(&**ids.get(position)?)).unwrap_or_default();
        let mut problems = Problems::default();
        problems.add("counterparties", format!("there is no balance '{id}'"));
        problems.into_result(Code::TxnValidationError).err().unwrap_or_else(ApiError::internal)
    }
}

fn minor_units(problems: &mut Problems, field: &'static str, sent: Option<NumberOrText<'_>>) -> Option<i128> {
    match whole_number(sent?.0) {
        Some(Precise::Fits(minor)) => return Some(minor),
        Some(Precise::TooLarge) => problems.add(field, "is beyond what can be recorded"),
        None => problems.add(field, "must be a whole number of minor units"),
    }
    None
}

fn check_counterparties(problems: &mut Problems, sent: &[Text<'_>]) -> Vec<Id> {
    if sent.is_empty() {
        problems.add("counterparties", "cannot be empty; leave it out to allow all, or set frozen to allow none");
    }
    if sent.len() > POLICY_COUNTERPARTIES_MAX {
        problems.add("counterparties", format!("cannot have more than {POLICY_COUNTERPARTIES_MAX} balances"));
        return Vec::new();
    }
    let mut ids = Vec::with_capacity(sent.len());
    for name in sent {
        match Id::parse(Prefix::Balance, name) {
            Some(id) => ids.push(id),
            // Cut short, as it may be of any length.
            None => {
                let shown: String = name.chars().take(64).collect();
                problems.add("counterparties", format!("there is no balance '{shown}'"));
            }
        }
    }
    let mut sorted = ids.clone();
    sorted.sort_unstable();
    if let Some(twice) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        problems.add("counterparties", format!("'{}' is named twice", twice[0].text(Prefix::Balance)));
    }
    ids
}

fn check_velocities(problems: &mut Problems, sent: &[VelocityBody<'_>]) -> Vec<Velocity> {
    if sent.len() > POLICY_VELOCITIES_MAX {
        problems.add("velocity", format!("cannot have more than {POLICY_VELOCITIES_MAX} windows"));
        return Vec::new();
    }
    let mut velocities = Vec::with_capacity(sent.len());
    for (index, body) in sent.iter().enumerate() {
        match check_velocity(body) {
            Ok(velocity) => velocities.push(velocity),
            Err(message) => problems.add("velocity", format!("{index}: {message}")),
        }
    }
    velocities
}

fn check_velocity(body: &VelocityBody<'_>) -> Result<Velocity, String> {
    let debits = match body.side.as_deref() {
        Some("debit") => true,
        Some("credit") => false,
        _ => return Err("side: must be one of: debit, credit".to_owned()),
    };
    let known = |word: &str| WINDOWS.into_iter().find(|(name, _)| *name == word).map(|(_, window)| window);
    let window = match &body.window {
        Some(WindowBody::Word(word)) => known(word),
        Some(WindowBody::Seconds(number)) => {
            let seconds = Decimal::parse(number.0).ok().and_then(Decimal::integer);
            let seconds = seconds.and_then(|seconds| u32::try_from(seconds).ok());
            seconds.filter(|seconds| (1..=POLICY_WINDOW_SECONDS_MAX).contains(seconds)).map(Window::Seconds)
        }
        None => None,
    };
    let window = window.ok_or_else(|| {
        format!("window: must be one of: hour, day, week, month, or seconds from 1 to {POLICY_WINDOW_SECONDS_MAX}")
    })?;
    let sum_max = match body.precise_amount.map(|sent| whole_number(sent.0)) {
        None => None,
        Some(Some(Precise::Fits(minor))) if minor > 0 => Some(minor),
        Some(Some(Precise::TooLarge)) => return Err("precise_amount: is beyond what can be recorded".to_owned()),
        Some(_) => return Err("precise_amount: must be a whole number of minor units above zero".to_owned()),
    };
    let count_max = match body.count.map(|sent| Decimal::parse(sent.0).ok()?.integer()) {
        None => None,
        Some(count) => match count.and_then(|count| u64::try_from(count).ok()).filter(|count| *count > 0) {
            None => return Err("count: must be a whole number above zero".to_owned()),
            known => known,
        },
    };
    if sum_max.is_none() && count_max.is_none() {
        return Err("precise_amount or count is required".to_owned());
    }
    Ok(Velocity { debits, window, sum_max, count_max })
}

/// The policy of a balance, and what was moved in its windows.
#[derive(Debug, Serialize)]
pub struct PolicyView {
    balance_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    minimum_balance: Option<NumberText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credit_limit: Option<NumberText>,
    frozen: &'static str,
    counterparties: Option<Vec<String>>,
    velocity: Vec<VelocityView>,
}

#[derive(Debug, Serialize)]
struct VelocityView {
    side: &'static str,
    window: WindowView,
    #[serde(skip_serializing_if = "Option::is_none")]
    precise_amount: Option<NumberText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    used: UsedView,
}

#[derive(Debug)]
struct WindowView(Window);

impl Serialize for WindowView {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (WINDOWS.into_iter().find(|(_, window)| *window == self.0), self.0) {
            (Some((word, _)), _) => serializer.serialize_str(word),
            (None, Window::Seconds(seconds)) => serializer.serialize_u32(seconds),
            (None, Window::Week | Window::Month) => unreachable!("both have a name"),
        }
    }
}

/// What was moved in the current window.
#[derive(Debug, Serialize)]
struct UsedView {
    precise_amount: NumberText,
    count: u64,
    since: String,
}

impl PolicyView {
    /// The policy as it is shown at a moment, microseconds since 1970.
    pub fn new(balance: Id, policed: &Policed, counterparties: Option<Vec<Id>>, now: i64) -> PolicyView {
        let policy = &policed.policy;
        let (minimum, credit) = match policy.floor {
            None => (None, None),
            Some(Floor::Minimum(minor)) => (Some(NumberText::integer(minor)), None),
            Some(Floor::Credit(minor)) => (None, Some(NumberText::integer(minor))),
        };
        let frozen = FROZEN.into_iter().find(|word| (word.1, word.2) == (policy.no_debits, policy.no_credits));
        let velocity = policy.velocities.iter().zip(&policed.spent).map(|(velocity, spent)| VelocityView {
            side: if velocity.debits { "debit" } else { "credit" },
            window: WindowView(velocity.window),
            precise_amount: velocity.sum_max.map(NumberText::integer),
            count: velocity.count_max,
            used: used(velocity.window, *spent, now),
        });
        PolicyView {
            balance_id: balance.text(Prefix::Balance),
            minimum_balance: minimum,
            credit_limit: credit,
            frozen: frozen.map_or("none", |word| word.0),
            counterparties: counterparties.map(|ids| ids.into_iter().map(|id| id.text(Prefix::Balance)).collect()),
            velocity: velocity.collect(),
        }
    }
}

/// What counts now: nothing, when the window that was counted in has passed.
fn used(window: Window, spent: Spent, now: i64) -> UsedView {
    let since = window.start_of(now);
    let (sum, count) = if spent.since == since { (spent.sum, spent.count) } else { (0, 0) };
    UsedView { precise_amount: NumberText::integer(sum), count, since: super::time::text(since) }
}
