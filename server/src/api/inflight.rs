//! Commits, voids and refunds on the wire.

use super::transaction::{Precise, whole_number};
use crate::decode::{Malformed, Number, NumberOrText, RawObject, Text};
use ledger::decimal::Decimal;
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
        /// Whether to answer with the outcome.
        "skip_queue" skip_queue: bool,
        /// Whether to say only what would happen.
        "dry_run" dry_run: bool,
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
