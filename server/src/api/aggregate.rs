//! Sums over many balances on the wire.

use super::number::NumberText;
use crate::http::error::{ApiError, Code};
use crate::http::parameters::Parameters;
use engine::aggregate::{By, Key, Sums};
use ledger::wide::Wide;
use serde::Serialize;

/// The words of `group_by`, in the order in which they are told.
pub const WORDS: [&str; 4] = ["ledger", "currency", "identity", "month"];

/// Reads `group_by`: words with commas between, or given several times. Sums are always told apart by currency.
pub fn group_by(query: &Parameters) -> Result<By, ApiError> {
    let mut by = By::default();
    for (_, value) in query.pairs().filter(|(name, _)| name == "group_by") {
        for word in value.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            match word {
                "ledger" => by.ledger = true,
                "currency" => {}
                "identity" => by.identity = true,
                "month" => by.month = true,
                _ => {
                    let message = format!("group_by: must be of {}, not '{word}'", WORDS.join(", "));
                    return Err(ApiError::new(Code::GenValidationError, message));
                }
            }
        }
    }
    Ok(by)
}

/// The words that sums are told apart by.
pub fn words_of(by: By) -> Vec<&'static str> {
    let asked = [by.ledger, true, by.identity, by.month];
    WORDS.into_iter().zip(asked).filter(|(_, asked)| *asked).map(|(word, _)| word).collect()
}

/// The sums of a group.
#[derive(Debug, Serialize)]
pub struct GroupView {
    /// The ledger, when told apart by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ledger_id: Option<String>,
    /// The currency.
    pub currency: String,
    /// Minor units in a major unit, when the currency is registered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<u64>,
    /// The owner, when told apart by it; empty for balances without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    month: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    balance: NumberText,
    credit_balance: NumberText,
    debit_balance: NumberText,
    #[serde(skip_serializing_if = "Option::is_none")]
    inflight_balance: Option<NumberText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inflight_credit_balance: Option<NumberText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inflight_debit_balance: Option<NumberText>,
}

impl GroupView {
    /// A group as it is shown; its names are filled in by the caller. What is held is told of now only.
    pub fn new(key: &Key, sums: &Sums, is_now: bool) -> GroupView {
        let held = |text: String| (is_now && key.month.is_none()).then(|| signed(text));
        GroupView {
            ledger_id: None,
            currency: String::new(),
            precision: None,
            identity_id: None,
            month: key.month.map(month_text),
            count: key.month.is_none().then_some(sums.balances),
            balance: signed(sums.credit.less(sums.debit)),
            credit_balance: whole(sums.credit),
            debit_balance: whole(sums.debit),
            inflight_balance: held(sums.held_credit.less(sums.held_debit)),
            inflight_credit_balance: held(sums.held_credit.to_string()),
            inflight_debit_balance: held(sums.held_debit.to_string()),
        }
    }
}

fn whole(sum: Wide) -> NumberText {
    NumberText::digits(sum.to_string())
}

fn signed(text: String) -> NumberText {
    match text.strip_prefix('-') {
        Some(digits) => NumberText::digits(digits.to_owned()).negated(),
        None => NumberText::digits(text),
    }
}

/// `2026-03` of a number of months since January of the year 0.
fn month_text(months: i32) -> String {
    format!("{:04}-{:02}", months.div_euclid(12), months.rem_euclid(12) + 1)
}

/// A page of groups.
#[derive(Debug, Serialize)]
pub struct AggregateView {
    /// The moment that is told.
    pub at: String,
    /// What sums are told apart by.
    pub group_by: Vec<&'static str>,
    /// The groups of the page.
    pub groups: Vec<GroupView>,
    /// How many groups there are.
    pub total_groups: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_told_as_dates_begin() {
        for (months, text) in
            [(2026 * 12, "2026-01"), (2026 * 12 + 11, "2026-12"), (1970 * 12 + 2, "1970-03"), (0, "0000-01")]
        {
            assert_eq!(month_text(months), text);
        }
    }
}
