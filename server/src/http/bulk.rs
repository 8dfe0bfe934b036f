//! `POST /transactions/bulk`.

use super::answer;
use super::ask::{self, Outcome};
use super::body::RequestBody;
use super::closings;
use super::dry_run::{self, document};
use super::error::{ApiError, Code, Legacy};
use super::failure::About;
use super::inflight;
use super::openapi::{Answer as Told, Field, Object, Operation, Schema};
use super::state::{Answer, AppState};
use super::transactions::{NEW_TRANSACTION, about, parties, sides_named};
use crate::api::bulk::{
    Asks, AsyncBulkView, BulkBody, BulkResultsView, BulkView, ItemList, ItemNames, ItemResult, Items, NameList,
    WrongItem,
};
use crate::api::split;
use crate::api::transaction::view::{Viewer, two_decimals};
use crate::api::transaction::{How, Wrong};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use engine::answer::Recorded;
use ledger::command::{Batch, Command, Record, ReportBatch};
use ledger::event::{self, Movement, Recorded as Event, split_id};
use ledger::id::{Id, NonceOf, Prefix, nonce};
use ledger::limits;
use ledger::rejection::{Refused, Rejection};
use ledger::row::{Parent, Status};
use serde_json::json;

const NEW_BATCH: Object = Object {
    name: "NewBatch",
    description: "Transactions to be recorded together.",
    fields: &[
        Field::required("transactions", Schema::List(&Schema::Object(&NEW_TRANSACTION)), "The items, at most 10 000."),
        Field::optional("atomic", Schema::Flag, "Whether all are recorded or none."),
        Field::optional("inflight", Schema::Flag, "Whether all are holds."),
        Field::optional(
            "continue_on_error",
            Schema::Flag,
            "Whether to go on past an item that is refused, and tell what became of each; not with `atomic`.",
        ),
        Field::optional("run_async", Schema::Flag, "Whether to answer before the work is done."),
        Field::optional("skip_queue", Schema::Flag, "Whether outcomes have no rows of their own."),
        document::FIELD,
    ],
};
const BATCH: Object = Object {
    name: "Batch",
    description: "A recorded batch.",
    fields: &[
        Field::required("batch_id", Schema::Text, "Its id."),
        Field::required(
            "status",
            Schema::Choice(&["applied", "inflight", "processing", "failed"]),
            "What became of it.",
        ),
        Field::optional("transaction_count", Schema::Integer, "How many items were sent."),
        Field::optional("succeeded", Schema::Integer, "Items that were recorded; with `continue_on_error`."),
        Field::optional("failed", Schema::Integer, "Items that were refused; with `continue_on_error`."),
        Field::optional(
            "results",
            Schema::List(&Schema::Object(&RESULT)),
            "What became of each item, in order; with `continue_on_error`.",
        ),
    ],
};
const RESULT: Object = Object {
    name: "BatchResult",
    description: "What became of an item of a batch.",
    fields: &[
        Field::required("index", Schema::Integer, "Its position in the request, from 0."),
        Field::required("reference", Schema::Text, "Its reference."),
        Field::optional(
            "transaction_id",
            Schema::Text,
            "Its id, when it was recorded; of a split item that of the whole.",
        ),
        Field::required(
            "status",
            Schema::Choice(&["APPLIED", "INFLIGHT", "QUEUED", "SCHEDULED", "failed"]),
            "Its status, or that it was refused.",
        ),
        Field::optional(
            "parent_transaction",
            Schema::Text,
            "The batch it belongs to, when it was recorded an earlier time and not in this one.",
        ),
        Field::optional("code", Schema::Text, "Why it was refused: the code that it would have had by itself."),
        Field::optional("message", Schema::Text, "The same for people."),
    ],
};

/// Document of [`create_transactions`].
pub const CREATE_TRANSACTIONS: Operation = Operation {
    summary: "Record a batch of transactions",
    description: "An atomic batch is recorded as a whole or not at all. Otherwise the first item that is refused ends the batch, and \
                  those before it stay; with `continue_on_error` those behind it are recorded too, and the answer tells each.",
    body: Some(&Schema::Object(&NEW_BATCH)),
    answers: &[
        document::BATCH_PROJECTED,
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
    let queued = inflight::is_queued(&state, body.skip_queue);
    let inflight = body.inflight.unwrap_or(false);
    let (run_async, dry_run) = (body.run_async.unwrap_or(false), body.dry_run.unwrap_or(false));
    let goes_on = body.continue_on_error.unwrap_or(false);
    let items = body.transactions.unwrap_or_default();
    check_count(&items)?;
    let Items { count, .. } = items;
    if !goes_on {
        refuse_wrong(&items.wrong)?;
    }
    if goes_on && batch == Batch::Atomic {
        let message = "continue_on_error: cannot be combined with atomic";
        return Err(ApiError::new(Code::TxnValidationError, message));
    }
    let mut asked = items.into_asks(state.books(), How { queued, inflight });
    if !goes_on {
        refuse_wrong(&asked.wrong)?;
    }
    if asked.asks.len() * 2 > limits::EVENT_ROWS_MAX {
        let message = format!("too many legs; max is {}", limits::EVENT_ROWS_MAX / 2);
        return Err(ApiError::new(Code::TxnBulkLimitExceeded, message));
    }
    if dry_run {
        let how = dry_run::batch::How { atomic: batch == Batch::Atomic, queued, run_async, goes_on };
        let wrong = std::mem::take(&mut asked.wrong);
        let names: NameList<'_> =
            if wrong.is_empty() { NameList::default() } else { sent.decode().map_err(malformed)? };
        let names = names.transactions.unwrap_or_default();
        let wrong = wrong.into_iter().map(|(index, wrong)| dry_run::batch::Wrong {
            index,
            reference: reference_of(&names, index).to_owned(),
            error: wrong_alone(wrong),
        });
        return dry_run::batch::project(&state, asked, wrong.collect(), how).await;
    }
    let Asks { mut asks, text, mut wrong, .. } = asked;
    // Parts that make no whole are found out when the turn of their item comes: what stands before it was asked for.
    let end = if goes_on { None } else { take_parts(&mut wrong) };
    if let Some(End::Parts(item, _)) = &end {
        let before = if batch == Batch::Atomic { 0 } else { asks.partition_point(|ask| (ask.item as usize) < *item) };
        asks.truncate(before);
    }
    let key = sent.key()?;
    let how = Failing { batch, queued, run_async: run_async && !goes_on };
    let recorded = if asks.is_empty() {
        match end {
            Some(end) => return refused_whole(&state, sent.bytes()?, end, how).await,
            // Nothing is left to be asked for.
            None => ask::keep_key(&state, key, Vec::new()).await?,
        }
    } else {
        let mismatch = state.mismatch();
        let record = Record {
            batch,
            goes_on,
            announced: run_async,
            trial: false,
            queued,
            asks,
            text,
            priors: Vec::new(),
            mismatch,
        };
        // The event tells the ids of what goes on past refusals; one row brings it.
        let rows_wanted = usize::from(queued || goes_on);
        match ask::change_once(&state, Command::Record(record), key, rows_wanted).await? {
            Outcome::Recorded(recorded) => Some(recorded),
            Outcome::Refused(refused) => {
                return refused_whole(&state, sent.bytes()?, End::Refused(refused), how).await;
            }
            Outcome::Made(..) | Outcome::Rescheduled(_) | Outcome::Unchanged => return Err(ApiError::internal()),
        }
    };
    let replayed = recorded.as_ref().is_some_and(|recorded| recorded.replayed);
    let status = if inflight { "inflight" } else { "applied" };
    if goes_on {
        let names: NameList<'_> = sent.decode().map_err(malformed)?;
        let names = names.transactions.unwrap_or_default();
        let mut view = outcomes(&state, recorded.as_ref(), wrong, &names, (status, queued))?;
        date_refusals(&state, &mut view, &names).await?;
        let code = if run_async { StatusCode::ACCEPTED } else { StatusCode::CREATED };
        return Ok(answer::once(answer::json(code, &view), replayed));
    }
    let recorded = recorded.ok_or_else(ApiError::internal)?;
    let batch_id = batch_id(&state, &recorded)?.text(Prefix::Batch);
    let end = recorded.refused.first().map(|&refused| End::Refused(refused)).or(end);
    let error = match end {
        Some(end) => Some(failed(&state, sent.bytes()?, end, how, batch_id.clone()).await),
        None => None,
    };
    let response = match error {
        Some(error) if run_async => {
            if !replayed {
                report(&state, &batch_id, &error.message).await?;
            }
            started(batch_id)
        }
        None if run_async => started(batch_id),
        Some(error) => error.into_response(),
        None => answer::json(StatusCode::CREATED, &BulkView { batch_id, status, transaction_count: count }),
    };
    Ok(answer::once(response, replayed))
}

/// An id for a batch of which nothing was recorded; it only completes the answer. It is a random UUID but for its version, so that
/// two are not alike.
fn unrecorded_id() -> Id {
    let (high, low) = uuid::Uuid::new_v4().as_u64_pair();
    Id::new((high >> 16) as i64, low >> 24, high)
}

/// Keeps that a batch failed whose answer does not say so: it is told as an event.
async fn report(state: &AppState, batch_id: &str, error: &str) -> Result<(), ApiError> {
    let batch = Id::parse(Prefix::Batch, batch_id).ok_or_else(ApiError::internal)?;
    let mut end = error.len().min(limits::BATCH_ERROR_BYTES_MAX);
    while !error.is_char_boundary(end) {
        end -= 1;
    }
    let command = Command::ReportBatch(ReportBatch { batch, error: error[..end].to_owned() });
    ask::change(state, command, 0).await.map(drop)
}

fn started(batch_id: String) -> Response {
    let view = AsyncBulkView { message: "Bulk transaction processing started", batch_id, status: "processing" };
    answer::json(StatusCode::ACCEPTED, &view)
}

fn check_count(items: &Items<'_>) -> Result<(), ApiError> {
    if items.count == 0 {
        return Err(ApiError::new(Code::TxnBulkEmpty, "transactions cannot be empty"));
    }
    if items.count > limits::BATCH_ITEMS_MAX {
        let message = format!("too many transactions; max is {}", limits::BATCH_ITEMS_MAX);
        return Err(ApiError::new(Code::TxnBulkLimitExceeded, message));
    }
    Ok(())
}

/// Why a batch ended at an item, and not behind its last.
enum End {
    /// The ledger refused the item.
    Refused(Refused),
    /// The parts of the item, by its position, make no whole.
    Parts(usize, ApiError),
}

impl End {
    /// The position of the item.
    const fn item(&self) -> usize {
        match self {
            End::Refused(refused) => refused.item as usize,
            End::Parts(item, _) => *item,
        }
    }
}

/// What a batch that fails was to be.
#[derive(Clone, Copy)]
struct Failing {
    batch: Batch,
    queued: bool,
    /// Whether its answer has left before it fails, so that the failure is told as an event.
    run_async: bool,
}

/// The answer to a batch of which nothing was recorded.
async fn refused_whole(state: &AppState, sent: &[u8], end: End, how: Failing) -> Answer {
    // The id only completes the answer.
    let batch_id = unrecorded_id().text(Prefix::Batch);
    let error = failed(state, sent, end, how, batch_id.clone()).await;
    if how.run_async {
        report(state, &batch_id, &error.message).await?;
        return Ok(started(batch_id));
    }
    Err(error)
}

/// The first item whose parts make no whole, if there is one.
fn take_parts(wrong: &mut Vec<(usize, WrongItem)>) -> Option<End> {
    wrong.drain(..).find_map(|(index, wrong)| match wrong {
        WrongItem::Parts(error) => Some(End::Parts(index, error)),
        WrongItem::Missing | WrongItem::DryRun | WrongItem::Fields(_) => None,
    })
}

/// Refuses the batch for the first item that is wrong, if there is one. Its parts are looked at when its turn comes.
fn refuse_wrong(wrong: &[(usize, WrongItem)]) -> Result<(), ApiError> {
    let of_parts = |item: &&(usize, WrongItem)| matches!(item.1, WrongItem::Parts(_));
    let Some((index, wrong)) = wrong.iter().find(|item| !of_parts(item)) else { return Ok(()) };
    let message = match wrong {
        WrongItem::Missing => format!("transactions[{index}] is required"),
        WrongItem::DryRun => format!("transactions[{index}]: {ITEM_DRY_RUN}"),
        WrongItem::Fields(Wrong::Fields(problems)) => format!("transactions[{index}]: {}", problems.message()),
        WrongItem::Fields(Wrong::Malformed(malformed)) => {
            return Err(ApiError::new(Code::GenMalformedRequest, format!("Invalid request body: {malformed}")));
        }
        WrongItem::Parts(_) => return Ok(()),
    };
    Err(ApiError::new(Code::TxnValidationError, message).legacy(Legacy::Errors).details(json!({"index": index})))
}

const ITEM_DRY_RUN: &str = "dry_run: belongs to the batch, not to its items.";

/// What is wrong with an item, as it would be told of it by itself.
fn wrong_alone(wrong: WrongItem) -> ApiError {
    match wrong {
        WrongItem::Missing => ApiError::new(Code::TxnValidationError, "the transaction is required"),
        WrongItem::DryRun => ApiError::new(Code::TxnValidationError, ITEM_DRY_RUN),
        WrongItem::Fields(wrong) => wrong.into(),
        WrongItem::Parts(error) => error,
    }
}

/// What became of each item of a batch that goes on past refusals.
fn outcomes<'a>(
    state: &AppState,
    recorded: Option<&Recorded>,
    wrong: Vec<(usize, WrongItem)>,
    names: &'a [Option<ItemNames<'_>>],
    (status, queued): (&'static str, bool),
) -> Result<BulkResultsView<'a>, ApiError> {
    let mut results: Vec<Option<ItemResult<'a>>> = names.iter().map(|_| None).collect();
    let mut put = |index: usize, result: ItemResult<'a>| {
        // Of several legs the first speaks for the whole.
        if let Some(slot) = results.get_mut(index) {
            slot.get_or_insert(result);
        }
    };
    let reference = |index: usize| reference_of(names, index);
    let failed = |index: usize, error: ApiError| {
        let (code, message) = (error.code.text(), error.message);
        ItemResult::Failed { index, reference: reference(index), status: "failed", code, message }
    };
    let mut batch_id = String::new();
    if let Some(recorded) = recorded {
        if let (Some(event), Some(id)) = (&recorded.event, recorded.batch) {
            batch_id = id.text(Prefix::Batch);
            let mut row = event.first_row;
            for movement in event.main_movements() {
                let (index, own) = (movement.item as usize, own_id(event, movement, row));
                let (transaction_id, status) = (own.text(Prefix::Transaction), status_of(movement)?.word());
                let reference = reference(index);
                put(index, ItemResult::Recorded { index, reference, transaction_id, status, parent_transaction: None });
                row += movement.rows_count();
            }
        }
        let mut viewer = Viewer::new(state.books());
        for known in &recorded.known {
            let index = known.item as usize;
            let row = state.books().row(known.row)?.ok_or_else(ApiError::internal)?;
            let event = viewer.event(&row)?;
            let own = own_id(event, &event.movements[row.movement as usize], row.number).text(Prefix::Transaction);
            let parent_transaction = event.batch_id().map(|id| id.text(Prefix::Batch));
            let (reference, status) = (reference(index), row.status.word());
            put(index, ItemResult::Recorded { index, reference, transaction_id: own, status, parent_transaction });
        }
        for refused in &recorded.refused {
            let index = refused.item as usize;
            let sides = names.get(index).and_then(Option::as_ref).map(ItemNames::sides).unwrap_or_default();
            put(index, failed(index, split::refusal(*refused, sides, about_item(names, index), queued)));
        }
    }
    for (index, wrong) in wrong {
        put(index, failed(index, wrong_alone(wrong)));
    }
    let results = results.into_iter().collect::<Option<Vec<_>>>().ok_or_else(ApiError::internal)?;
    let failed = results.iter().filter(|result| matches!(result, ItemResult::Failed { .. })).count();
    let succeeded = results.len() - failed;
    let status = if succeeded == 0 { "failed" } else { status };
    Ok(BulkResultsView { batch_id, status, transaction_count: results.len(), succeeded, failed, results })
}

/// Tells, of items that fall into closed books, until when these are.
async fn date_refusals(
    state: &AppState,
    view: &mut BulkResultsView<'_>,
    names: &[Option<ItemNames<'_>>],
) -> Result<(), ApiError> {
    let mut late = Vec::new();
    for result in &mut view.results {
        if let ItemResult::Failed { index, code, message, .. } = result
            && *code == Code::TxnPeriodClosed.text()
        {
            let item = names.get(*index).and_then(Option::as_ref);
            let parties =
                item.map(|item| sides_named([item.source.as_deref(), item.destination.as_deref()], item.sides()));
            late.push((message, parties.unwrap_or_default().into_iter().map(str::to_owned).collect()));
        }
    }
    if late.is_empty() {
        return Ok(());
    }
    let (messages, lists): (Vec<_>, Vec<_>) = late.into_iter().unzip();
    for (message, date) in messages.into_iter().zip(closings::dates(state, lists).await?) {
        *message = date.map_or_else(|| message.clone(), |date| date.told(message));
    }
    Ok(())
}

/// The id of an item, from the first of its movements and the row of it.
fn own_id(event: &Event, movement: &Movement, row: u64) -> Id {
    match movement.leg {
        0 => Id::new(event.at, row, nonce(event.seed, NonceOf::Row(row))),
        _ => split_id(event.at, event.seed, row),
    }
}

/// The status of the row that a movement was asked for by.
fn status_of(movement: &Movement) -> Result<Status, ApiError> {
    match (movement.outcome, movement.queued) {
        (event::Outcome::Scheduled, _) => Ok(Status::Scheduled),
        (_, true) => Ok(Status::Queued),
        (event::Outcome::Applied, false) => Ok(Status::Applied),
        (event::Outcome::Held, false) => Ok(Status::Inflight),
        // Only what went through the queue leaves a trace of its refusal.
        (event::Outcome::Voided | event::Outcome::Rejected(_), false) => Err(ApiError::internal()),
    }
}

fn reference_of<'a>(names: &'a [Option<ItemNames<'_>>], index: usize) -> &'a str {
    names.get(index).and_then(|item| item.as_ref()?.reference.as_deref()).unwrap_or_default()
}

fn about_item<'a>(names: &'a [Option<ItemNames<'_>>], index: usize) -> About<'a> {
    let Some(Some(item)) = names.get(index) else { return About::default() };
    About {
        reference: item.reference.as_deref().unwrap_or_default(),
        source: item.source.as_deref().unwrap_or_default(),
        destination: item.destination.as_deref().unwrap_or_default(),
        currency: item.currency.as_deref().unwrap_or_default(),
        id: "",
    }
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
async fn failed(state: &AppState, sent: &[u8], end: End, how: Failing, batch_id: String) -> ApiError {
    let index = end.item();
    let items: Option<ItemList<'_>> = crate::decode::from_slice(sent).ok();
    let item = items.and_then(|list| list.transactions?.into_iter().nth(index)?);
    let item = item.unwrap_or_default().checked(&state.books().registry()).ok();
    let amount = item.as_ref().map(|item| two_decimals(item.facts.amount, item.facts.precision)).unwrap_or_default();
    let about = item.as_ref().map(|item| about(&item.body)).unwrap_or_default();
    let sides = item.as_ref().map(|item| item.body.sides()).unwrap_or_default();
    let rejection = match &end {
        End::Refused(refused) => Some(refused.rejection),
        End::Parts(..) => None,
    };
    let single = match end {
        End::Refused(refused) => split::refusal(refused, sides, about, how.queued),
        End::Parts(_, error) => error,
    };
    let code = match rejection {
        Some(
            Rejection::AmountZero | Rejection::OverdraftExceeded | Rejection::SameBalance | Rejection::CurrencyMismatch,
        ) => Code::GenBadRequest,
        None if single.code == Code::TxnValidationError => Code::GenBadRequest,
        _ => single.code,
    };
    let fate = match how.batch {
        Batch::Atomic => "All transactions in this batch have been refused.",
        Batch::Independent | Batch::Single => "Previous transactions were not rolled back.",
    };
    let message = format!(
        "failed to queue transaction {} (Reference: {}, Source: {}, Destination: {}, Amount: {amount}): {}. {fate}",
        index + 1,
        about.reference,
        about.source,
        about.destination,
        single.message,
    );
    let error = ApiError::new(code, message).details(json!({"batch_id": batch_id})).field("batch_id", batch_id.into());
    let Some(rejection) = rejection else { return error };
    let parties = item.as_ref().map(|item| parties(&item.body)).unwrap_or_default();
    closings::dated(state, error, rejection, parties).await
}
