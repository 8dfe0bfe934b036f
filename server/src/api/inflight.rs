//! Commits, voids and refunds on the wire.

use crate::decode::{Number, NumberOrText, RawObject, Text};

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
    /// Body of `POST /refund-transaction/{id}`.
    pub struct RefundBody<'a> {
        /// Whether to answer with the outcome.
        "skip_queue" skip_queue: bool,
        /// Whether to say only what would happen.
        "dry_run" dry_run: bool,
        /// Text of the refund, instead of the original's.
        "description" description: Text<'a>,
        /// Merged over the original's.
        "meta_data" metadata: RawObject<'a>,
    }
}
