//! What waits for its time, on the wire.

use super::number::NumberText;
use super::time::Moment;
use super::transaction::view::TransactionView;
use super::transaction::{Wrong, check_amount, date, whole_number};
use super::validate::Problems;
use crate::decode::{Malformed, Number, NumberOrText, Text};
use serde::Serialize;

crate::lenient_struct! {
    /// Body of `PATCH /transactions/scheduled/{id}`.
    pub struct RescheduleBody<'a> {
        /// When to run it.
        "scheduled_for" scheduled: Text<'a>,
        /// Major units.
        "amount" amount: Number<'a>,
        /// Minor units.
        "precise_amount" precise_amount: NumberOrText<'a>,
    }
}

/// What the fields of a request for another time or amount say.
#[derive(Debug)]
pub struct Rescheduling {
    /// When to run it.
    pub due: Option<Moment>,
    /// Minor units, above zero.
    pub amount: Option<i128>,
}

impl RescheduleBody<'_> {
    /// Checks all fields. The precision is that of the request that may have another amount, if it may.
    pub fn check(&self, precision: Option<u64>) -> Result<Rescheduling, Wrong> {
        let malformed = || Wrong::Malformed(Malformed::new("precise_amount is not a whole number"));
        let precise = match self.precise_amount {
            None => None,
            Some(NumberOrText(text)) => Some(whole_number(text).ok_or_else(malformed)?),
        };
        let mut problems = Problems::default();
        let due = date(&mut problems, "scheduled_for", self.scheduled.as_deref());
        let mut amount = None;
        if precise.is_some() || self.amount.is_some() {
            let sent = self.amount.map(|number| number.0);
            let minor = check_amount(&mut problems, sent, precise, precision.unwrap_or(1))?;
            if precision.is_none() {
                problems.add("amount", "can be changed only of a request that is neither split nor a batch");
            } else if minor == 0 {
                problems.add("amount", "must be above zero at the precision of the transaction");
            }
            amount = Some(minor);
        } else if self.scheduled.as_deref().is_none_or(str::is_empty) {
            problems.add("scheduled_for", "either scheduled_for or an amount is required");
        }
        if problems.is_empty() { Ok(Rescheduling { due, amount }) } else { Err(Wrong::Fields(problems)) }
    }
}

/// What of a schedule waits.
#[derive(Debug, Serialize)]
pub struct ScheduledView {
    /// As it was sent.
    pub transaction_id: String,
    /// `scheduled`, `done` or `cancelled`.
    pub status: &'static str,
    /// When the first that waits is due.
    pub scheduled_for: String,
    /// Requests that wait.
    pub waiting: usize,
    /// What it moves, or moved, when it is one request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precise_amount: Option<NumberText>,
    /// Minor units in a major unit, when it is one request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<u64>,
    /// The currency, when it is one request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// The requests that wait.
    pub transactions: Vec<TransactionView>,
}

/// What was called off.
#[derive(Debug, Serialize)]
pub struct CancelledView {
    /// Requests that were called off.
    pub cancelled: u64,
    /// Their ends.
    pub transactions: Vec<TransactionView>,
}

/// What has another time or amount.
#[derive(Debug, Serialize)]
pub struct RescheduledView {
    /// Requests that were changed.
    pub rescheduled: usize,
    /// When they run.
    pub scheduled_for: String,
    /// The requests.
    pub transactions: Vec<TransactionView>,
}
