//! Commits, voids and refunds on the wire.

use super::number::NumberText;
use super::time::Moment;
use super::transaction::{Precise, date, whole_number};
use super::validate::Problems;
use crate::decode::{Malformed, Number, NumberOrText, RawObject, Text};
use crate::http::error::{ApiError, Code};
use ledger::decimal::Decimal;
use ledger::limits::{DESCRIPTION_BYTES_MAX, METADATA_BYTES_MAX};
use serde::Serialize;

/// Most items of a bulk commit or void.
pub const BULK_ITEMS_MAX: usize = 100;

crate::lenient_struct! {
    /// Body of `PUT /transactions/inflight/{id}`.
    pub struct SettleBody<'a> {
        /// `commit` or `void`.
        "status" status: Text<'a>,
        /// Major units to commit.
        "amount" amount: Number<'a>,
        /// Minor units to commit.
        "precise_amount" precise_amount: NumberOrText<'a>,
        /// Whether more than is left may be committed.
        "allow_over_capture" allow_over_capture: bool,
        /// Whether to answer with the outcome.
        "skip_queue" skip_queue: bool,
        /// Whether to say only what would happen.
        "dry_run" dry_run: bool,
    }
}

crate::lenient_struct! {
    /// Body of `PATCH /transactions/inflight/{id}`.
    pub struct ChangeBody<'a> {
        /// Major units to be held from now on.
        "amount" amount: Number<'a>,
        /// Minor units to be held from now on.
        "precise_amount" precise_amount: NumberOrText<'a>,
        /// When the hold is voided by itself.
        "inflight_expiry_date" expires: Text<'a>,
        /// When the hold is committed by itself.
        "inflight_commit_date" commits: Text<'a>,
        /// Text of the new row, instead of the hold's.
        "description" description: Text<'a>,
        /// Merged over the hold's.
        "meta_data" metadata: RawObject<'a>,
    }
}

crate::lenient_struct! {
    /// Body of `POST /transactions/inflight/bulk/commit`.
    pub struct BulkCommitBody<'a> {
        /// The items.
        "transactions" transactions: Vec<Option<BulkCommitItem<'a>>>,
        /// Whether to answer with the outcomes.
        "skip_queue" skip_queue: bool,
        /// Whether to say only what would happen.
        "dry_run" dry_run: bool,
    }
}

crate::lenient_struct! {
    /// An item of a bulk commit.
    pub struct BulkCommitItem<'a> {
        /// What to commit.
        "transaction_id" transaction_id: Text<'a>,
        /// Major units to commit.
        "amount" amount: Number<'a>,
        /// Minor units to commit.
        "precise_amount" precise_amount: NumberOrText<'a>,
    }
}

crate::lenient_struct! {
    /// Body of `POST /transactions/inflight/bulk/void`.
    pub struct BulkVoidBody<'a> {
        /// What to void.
        "transaction_ids" transaction_ids: Vec<Option<Text<'a>>>,
        /// Whether to answer with the outcomes.
        "skip_queue" skip_queue: bool,
        /// Whether to say only what would happen.
        "dry_run" dry_run: bool,
    }
}

/// What the fields of a change of a hold say, but for the amount, which needs the hold.
#[derive(Debug)]
pub struct Change {
    /// How much is to be held; [`SettleAmount::Rest`] only when nothing was said.
    pub amount: SettleAmount,
    /// When the hold is voided by itself.
    pub expires: Option<Moment>,
    /// When the hold is committed by itself.
    pub commits: Option<Moment>,
}

impl ChangeBody<'_> {
    /// Checks all fields.
    pub fn check(&self) -> Result<Change, ApiError> {
        let amount = SettleAmount::read(self.amount, self.precise_amount)?;
        let said = self.amount.is_some() || self.precise_amount.is_some();
        let not_positive = match amount {
            SettleAmount::Rest => said,
            SettleAmount::Minor(minor) => minor <= 0,
            SettleAmount::Major(decimal) => decimal.is_negative(),
        };
        let mut problems = Problems::default();
        let expires = date(&mut problems, "inflight_expiry_date", self.expires.as_deref());
        let commits = date(&mut problems, "inflight_commit_date", self.commits.as_deref());
        problems.length("description", self.description.as_deref().unwrap_or_default(), DESCRIPTION_BYTES_MAX);
        problems.length("meta_data", self.metadata.map_or("", |object| object.0), METADATA_BYTES_MAX);
        if !said && expires.is_none() && commits.is_none() {
            problems.add("amount", "an amount, inflight_expiry_date or inflight_commit_date is required");
        }
        problems.into_result(Code::TxnValidationError)?;
        if not_positive {
            let message = "the amount to be held must be above zero; to hold nothing, void the hold";
            return Err(ApiError::new(Code::TxnInvalidAmount, message));
        }
        Ok(Change { amount, expires, commits })
    }
}

/// How much of a hold to commit, as it was asked.
#[derive(Debug, Clone, Copy)]
pub enum SettleAmount {
    /// All that is left: nothing was said, or zero major units.
    Rest,
    /// Minor units, of any sign.
    Minor(i128),
    /// Major units, not zero.
    Major(Decimal),
}

impl SettleAmount {
    /// Reads the two fields that may tell it; minor units win.
    pub fn read(amount: Option<Number<'_>>, precise: Option<NumberOrText<'_>>) -> Result<SettleAmount, Malformed> {
        if let Some(NumberOrText(text)) = precise {
            return match whole_number(text) {
                Some(Precise::Fits(minor)) => Ok(SettleAmount::Minor(minor)),
                // More than any hold has, or less than nothing: refused as such.
                Some(Precise::TooLarge) => {
                    Ok(SettleAmount::Minor(if text.starts_with('-') { i128::MIN } else { i128::MAX }))
                }
                None => Err(Malformed::new("precise_amount is not a whole number")),
            };
        }
        let Some(Number(text)) = amount else { return Ok(SettleAmount::Rest) };
        let decimal = Decimal::parse(text).map_err(|_| Malformed::new("amount is out of range"))?;
        Ok(if decimal.is_zero() { SettleAmount::Rest } else { SettleAmount::Major(decimal) })
    }
}

/// What became of one item of a bulk commit or void.
#[derive(Debug, Serialize)]
pub struct BulkSettleResult {
    /// As it was sent.
    pub transaction_id: String,
    /// `succeeded`, `queued` or `failed`.
    pub status: &'static str,
    /// Why it failed, or that it is queued.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub code: &'static str,
    /// The same for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// Answer to a bulk commit or void.
#[derive(Debug, Serialize)]
pub struct BulkSettleView {
    /// Items that did not fail.
    pub succeeded: usize,
    /// Items that failed.
    pub failed: usize,
    /// One for each item, in order.
    pub results: Vec<BulkSettleResult>,
}

/// A hold, and what became of it. Minor units.
#[derive(Debug, Serialize)]
pub struct HoldView {
    /// Its id.
    pub transaction_id: String,
    /// `open`, `committed` or `voided`.
    pub status: &'static str,
    /// Its currency.
    pub currency: String,
    /// Minor units in a major unit.
    pub precision: u64,
    /// What was held at first.
    pub precise_amount: NumberText,
    /// What is held now.
    pub held: NumberText,
    /// What was posted of it, and beyond it.
    pub committed: NumberText,
    /// What was let go.
    pub released: NumberText,
    /// When it is voided by itself.
    pub inflight_expiry_date: String,
    /// When it is committed by itself.
    pub inflight_commit_date: String,
    /// Where the amount is taken from.
    pub source: String,
    /// Where the amount goes to.
    pub destination: String,
}

crate::lenient_struct! {
    /// Body of `POST /refund-transaction/{id}`.
    pub struct RefundBody<'a> {
        /// Whether to answer with the outcome.
        "skip_queue" skip_queue: bool,
        /// Whether to say only what would happen.
        "dry_run" dry_run: bool,
        /// Major units to give back.
        "amount" amount: Number<'a>,
        /// Minor units to give back.
        "precise_amount" precise_amount: NumberOrText<'a>,
        /// Text of the refund, instead of the original's.
        "description" description: Text<'a>,
        /// Merged over the original's.
        "meta_data" metadata: RawObject<'a>,
    }
}
