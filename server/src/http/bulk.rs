//! `POST /transactions/bulk`.

use super::answer;
use super::ask::{self, Outcome};
use super::body::RequestBody;
use super::error::{ApiError, Code, Legacy};
use super::failure;
use super::openapi::{Answer as Told, Field, Object, Operation, Schema};
use super::state::{Answer, AppState};
use super::transactions::{NEW_TRANSACTION, about};
use crate::api::bulk::{AsyncBulkView, BulkBody, BulkView, ItemList, Items, WrongItem};
use crate::api::transaction::view::two_decimals;
use crate::api::transaction::{How, Wrong};
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
pub async fn create_transactions(State(state): State<AppState>, sent: RequestBody) -> Answer {
    let malformed = |malformed: crate::decode::Malformed| {
        ApiError::new(Code::GenMalformedRequest, format!("Invalid request body: {}", malformed.into_message()))
    };
    let body: BulkBody<'_> = sent.decode().map_err(malformed)?;
    let batch = if body.atomic.unwrap_or(false) { Batch::Atomic } else { Batch::Independent };
    let queued = !(body.skip_queue.unwrap_or(false) || state.settings().posting.queue_skip);
    let inflight = body.inflight.unwrap_or(false);
    let (run_async, dry_run) = (body.run_async.unwrap_or(false), body.dry_run.unwrap_or(false));
    let items = check_items(body.transactions.unwrap_or_default())?;
    if dry_run {
        return Err(ApiError::new(Code::TxnValidationError, "dry_run: dry runs are not supported yet"));
    }
    let count = items.count;
    let (asks, text) = items.into_asks(state.books(), How { queued, inflight })?;
    if asks.len() * 2 > limits::EVENT_ROWS_MAX {
        let message = format!("too many legs; max is {}", limits::EVENT_ROWS_MAX / 2);
        return Err(ApiError::new(Code::TxnBulkLimitExceeded, message));
    }
    let mismatch = state.mismatch();
    let record = Record {
        batch,
        goes_on: false,
        announced: run_async,
        trial: false,
        queued,
        asks,
        text,
        priors: Vec::new(),
        mismatch,
    };
    let outcome = ask::change_once(&state, Command::Record(record), sent.key()?, usize::from(queued)).await?;
    let (recorded, refused) = match outcome {
        Outcome::Recorded(recorded) => {
            let refused = recorded.refused.first().copied();
            (Some(recorded), refused)
        }
        Outcome::Refused(refused) => (None, Some(refused)),
        Outcome::Made(..) | Outcome::Rescheduled(_) | Outcome::Unchanged => return Err(ApiError::internal()),
    };
    let batch_id = match &recorded {
        Some(recorded) => batch_id(&state, recorded)?,
        // Nothing was recorded; the id only completes the answer.
        None => Id::new(0, 0, uuid::Uuid::new_v4().as_u64_pair().1),
    };
    let batch_id = batch_id.text(Prefix::Batch);
    let replayed = recorded.is_some_and(|recorded| recorded.replayed);
    if run_async {
        let view = AsyncBulkView { message: "Bulk transaction processing started", batch_id, status: "processing" };
        return Ok(answer::once(answer::json(StatusCode::ACCEPTED, &view), replayed));
    }
    if let Some(refused) = refused {
        return Err(failed(sent.bytes()?, refused, batch, batch_id));
    }
    let status = if inflight { "inflight" } else { "applied" };
    let view = BulkView { batch_id, status, transaction_count: count };
    Ok(answer::once(answer::json(StatusCode::CREATED, &view), replayed))
}

/// Checks the number of items and each of them; the first that is wrong is told.
fn check_items(items: Items<'_>) -> Result<Items<'_>, ApiError> {
    if items.count == 0 {
        return Err(ApiError::new(Code::TxnBulkEmpty, "transactions cannot be empty"));
    }
    if items.count > limits::BATCH_ITEMS_MAX {
        let message = format!("too many transactions; max is {}", limits::BATCH_ITEMS_MAX);
        return Err(ApiError::new(Code::TxnBulkLimitExceeded, message));
    }
    let Some((index, wrong)) = items.wrong else { return Ok(items) };
    let message = match wrong {
        WrongItem::Missing => format!("transactions[{index}] is required"),
        WrongItem::DryRun => format!("transactions[{index}]: dry_run: belongs to the batch, not to its items."),
        WrongItem::Fields(Wrong::Fields(problems)) => format!("transactions[{index}]: {}", problems.message()),
        WrongItem::Fields(Wrong::Malformed(malformed)) => {
            let message = format!("Invalid request body: {}", malformed.into_message());
            return Err(ApiError::new(Code::GenMalformedRequest, message));
        }
    };
    Err(ApiError::new(Code::TxnValidationError, message).legacy(Legacy::Errors).details(json!({"index": index})))
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

/// The error of a batch that ended at an item. The item is read again from the request: its words are wanted only here.
fn failed(sent: &[u8], refused: Refused, batch: Batch, batch_id: String) -> ApiError {
    let items: Option<ItemList<'_>> = crate::decode::from_slice(sent).ok();
    let item = items.and_then(|list| list.transactions?.into_iter().nth(refused.item as usize)?);
    let item = item.unwrap_or_default();
    let amount = item.check().map_or_else(|_| String::new(), |facts| two_decimals(facts.amount, facts.precision));
    let about = about(&item);
    let single = failure::refusal(refused.rejection, about);
    let code = match refused.rejection {
        Rejection::AmountZero | Rejection::OverdraftExceeded | Rejection::SameBalance | Rejection::CurrencyMismatch => {
            Code::GenBadRequest
        }
        _ => single.code,
    };
    let fate = match batch {
        Batch::Atomic => "All transactions in this batch have been refused.",
        Batch::Independent | Batch::Single => "Previous transactions were not rolled back.",
    };
    let message = format!(
        "failed to queue transaction {} (Reference: {}, Source: {}, Destination: {}, Amount: {amount}): {}. {fate}",
        refused.item + 1,
        about.reference,
        about.source,
        about.destination,
        single.message,
    );
    ApiError::new(code, message).details(json!({"batch_id": batch_id})).field("batch_id", batch_id.into())
}
