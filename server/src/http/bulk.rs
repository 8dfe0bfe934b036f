//! `POST /transactions/bulk`.

use super::answer;
use super::ask::{self, Outcome};
use super::body::RequestBody;
use super::error::{ApiError, Code, Legacy};
use super::failure;
use super::openapi::{Answer as Told, Field, Object, Operation, Schema};
use super::state::{Answer, AppState};
use super::transactions::{NEW_TRANSACTION, about};
use crate::api::bulk::{AsyncBulkView, BulkBody, BulkView};
use crate::api::split;
use crate::api::transaction::view::two_decimals;
use crate::api::transaction::{Checked, How, Last, TransactionBody, Wrong};
use axum::extract::State;
use axum::http::StatusCode;
use engine::answer::Recorded;
use ledger::command::{Batch, Command, Record};
use ledger::id::{Id, Prefix};
use ledger::limits;
use ledger::rejection::{Refused, Rejection};
use ledger::row::Parent;
use serde_json::json;

const NEW_BATCH: Object = Object {
    name: "NewBatch",
    description: "Transactions to be recorded together.",
    fields: &[
        Field::required("transactions", Schema::List(&Schema::Object(&NEW_TRANSACTION)), "The items, at most 10 000."),
        Field::optional("atomic", Schema::Flag, "Whether all are recorded or none."),
        Field::optional("inflight", Schema::Flag, "Whether all are holds."),
        Field::optional("run_async", Schema::Flag, "Whether to answer before the work is done."),
        Field::optional("skip_queue", Schema::Flag, "Whether outcomes have no rows of their own."),
    ],
};
const BATCH: Object = Object {
    name: "Batch",
    description: "A recorded batch.",
    fields: &[
        Field::required("batch_id", Schema::Text, "Its id."),
        Field::required("status", Schema::Choice(&["applied", "inflight", "processing"]), "What became of it."),
        Field::optional("transaction_count", Schema::Integer, "How many items were sent."),
    ],
};

/// Document of [`create_transactions`].
pub const CREATE_TRANSACTIONS: Operation = Operation {
    summary: "Record a batch of transactions",
    description: "An atomic batch is recorded as a whole or not at all. Otherwise the first item that is refused ends the batch, and \
                  those before it stay.",
    body: Some(&Schema::Object(&NEW_BATCH)),
    answers: &[
        Told { status: 201, description: "The batch.", schema: &Schema::Object(&BATCH) },
        Told { status: 202, description: "The batch is being worked on.", schema: &Schema::Object(&BATCH) },
    ],
    ..Operation::new("create_transactions", "Transactions")
};

/// `POST /transactions/bulk`.
pub async fn create_transactions(State(state): State<AppState>, body: RequestBody) -> Answer {
    let malformed = |malformed: crate::decode::Malformed| {
        ApiError::new(Code::GenMalformedRequest, format!("Invalid request body: {}", malformed.into_message()))
    };
    let body: BulkBody<'_> = body.decode().map_err(malformed)?;
    let batch = if body.atomic.unwrap_or(false) { Batch::Atomic } else { Batch::Independent };
    let queued = !(body.skip_queue.unwrap_or(false) || state.settings().posting.queue_skip);
    let inflight = body.inflight.unwrap_or(false);
    let (run_async, dry_run) = (body.run_async.unwrap_or(false), body.dry_run.unwrap_or(false));
    let items = check_items(body.transactions.unwrap_or_default())?;
    if dry_run {
        return Err(ApiError::new(Code::TxnValidationError, "dry_run: dry runs are not supported yet"));
    }
    let record = record_of(&state, &items, batch, queued, inflight)?;
    let outcome = ask::change(&state, Command::Record(record), usize::from(queued)).await?;
    let (recorded, refused) = match outcome {
        Outcome::Recorded(recorded) => {
            let failed = recorded.failed;
            (Some(recorded), failed)
        }
        Outcome::Refused(refused) => (None, Some(refused)),
        Outcome::Made(..) => return Err(ApiError::internal()),
    };
    let batch_id = match &recorded {
        Some(recorded) => batch_id(&state, recorded)?,
        // Nothing was recorded; the id only completes the answer.
        None => Id::new(0, 0, state.books().fingerprint(items[0].body.reference.as_deref().unwrap_or_default())),
    };
    let batch_id = batch_id.text(Prefix::Batch);
    if run_async {
        let view = AsyncBulkView { message: "Bulk transaction processing started", batch_id, status: "processing" };
        return Ok(answer::json(StatusCode::ACCEPTED, &view));
    }
    if let Some(refused) = refused {
        return Err(failed(&items[refused.item as usize], refused, batch, batch_id));
    }
    let status = if inflight { "inflight" } else { "applied" };
    Ok(answer::json(StatusCode::CREATED, &BulkView { batch_id, status, transaction_count: items.len() }))
}

/// Checks the number of items and each of them; the first that is wrong is told.
fn check_items(items: Vec<Option<TransactionBody<'_>>>) -> Result<Vec<Checked<'_>>, ApiError> {
    if items.is_empty() {
        return Err(ApiError::new(Code::TxnBulkEmpty, "transactions cannot be empty"));
    }
    if items.len() > limits::BATCH_ITEMS_MAX {
        let message = format!("too many transactions; max is {}", limits::BATCH_ITEMS_MAX);
        return Err(ApiError::new(Code::TxnBulkLimitExceeded, message));
    }
    let wrong = |index: usize, message: String| {
        ApiError::new(Code::TxnValidationError, message).legacy(Legacy::Errors).details(json!({"index": index}))
    };
    let mut checked = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        let item = item.ok_or_else(|| wrong(index, format!("transactions[{index}] is required")))?;
        if item.dry_run == Some(true) {
            return Err(wrong(index, format!("transactions[{index}]: dry_run: belongs to the batch, not to its items.")));
        }
        let item = item.check().map_err(|fault| match fault {
            Wrong::Malformed(malformed) => {
                ApiError::new(Code::GenMalformedRequest, format!("Invalid request body: {}", malformed.into_message()))
            }
            Wrong::Fields(problems) => wrong(index, format!("transactions[{index}]: {}", problems.message())),
        })?;
        checked.push(item);
    }
    Ok(checked)
}

fn record_of(state: &AppState, items: &[Checked<'_>], batch: Batch, queued: bool, inflight: bool) -> Result<Record, ApiError> {
    let mut text = String::with_capacity(items.len() * 96);
    let mut asks = Vec::with_capacity(items.len());
    let mut last = Last::default();
    for (item, checked) in items.iter().enumerate() {
        let parts = split::parts_of(checked)?;
        let how = How { item: u32::try_from(item).expect("batches are limited"), queued, inflight };
        checked.push_asks(state.books(), how, parts.as_ref(), &mut text, &mut last, &mut asks);
    }
    if asks.len() * 2 > limits::EVENT_ROWS_MAX {
        let message = format!("too many legs; max is {}", limits::EVENT_ROWS_MAX / 2);
        return Err(ApiError::new(Code::TxnBulkLimitExceeded, message));
    }
    Ok(Record { batch, queued, asks, text, priors: Vec::new(), mismatch: state.mismatch() })
}

/// The id of the batch that was recorded; of a known batch, that of the first time.
fn batch_id(state: &AppState, recorded: &Recorded) -> Result<Id, ApiError> {
    if let Some(id) = recorded.batch {
        return Ok(id);
    }
    let row = recorded.rows.first().ok_or_else(ApiError::internal)?;
    let event = state.books().recorded(row)?;
    Ok(match row.parent {
        Parent::Batch(_) | Parent::Split(_) => event.batch_id().unwrap_or(row.id()),
        Parent::None | Parent::Row(_) => row.id(),
    })
}

/// The error of a batch that ended at an item.
fn failed(item: &Checked<'_>, refused: Refused, batch: Batch, batch_id: String) -> ApiError {
    let about = about(item);
    let single = failure::refusal(refused.rejection, about);
    let code = match refused.rejection {
        Rejection::AmountZero | Rejection::OverdraftExceeded | Rejection::SameBalance | Rejection::CurrencyMismatch => Code::GenBadRequest,
        _ => single.code,
    };
    let fate = match batch {
        Batch::Atomic => "All transactions in this batch have been refused.",
        Batch::Independent | Batch::Single => "Previous transactions were not rolled back.",
    };
    let message = format!(
        "failed to queue transaction {} (Reference: {}, Source: {}, Destination: {}, Amount: {}): {}. {fate}",
        refused.item + 1,
        about.reference,
        about.source,
        about.destination,
        two_decimals(item.amount, item.precision),
        single.message,
    );
    ApiError::new(code, message).details(json!({"batch_id": batch_id})).field("batch_id", batch_id.into())
}
