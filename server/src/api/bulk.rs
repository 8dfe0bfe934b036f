//! Batches on the wire.

use super::transaction::TransactionBody;
use serde::Serialize;

crate::lenient_struct! {
    /// Body of `POST /transactions/bulk`.
    pub struct BulkBody<'a> {
        /// The items.
        "transactions" transactions: Vec<Option<TransactionBody<'a>>>,
        /// Whether all items are holds.
        "inflight" inflight: bool,
        /// Whether all are recorded or none.
        "atomic" atomic: bool,
        /// Whether to answer before the work is done.
        "run_async" run_async: bool,
        /// Whether outcomes have no rows of their own.
        "skip_queue" skip_queue: bool,
        /// Whether to say only what would happen.
        "dry_run" dry_run: bool,
    }
}

/// Answer to a batch.
#[derive(Debug, Serialize)]
pub struct BulkView {
    /// The id of the batch.
    pub batch_id: String,
    /// `applied` or `inflight`.
    pub status: &'static str,
    /// How many items were sent.
    pub transaction_count: usize,
}

/// Answer to a batch that is worked on after the answer.
#[derive(Debug, Serialize)]
pub struct AsyncBulkView {
    /// A fixed text.
    pub message: &'static str,
    /// The id of the batch.
    pub batch_id: String,
    /// `processing`.
    pub status: &'static str,
}
