//! Routes of single transactions: record and read.

use super::answer;
use super::ask::{self, Outcome};
use super::body::RequestBody;
use super::closings;
use super::dry_run::{self, document};
use super::error::{ApiError, Code};
use super::failure::About;
use super::filters::newest_first;
use super::filters::transactions::find_transactions;
use super::inflight;
use super::openapi::{Answer as Told, Field, Object, Operation, Schema};
use super::paging::{self, Filling, Paging};
use super::parameters::Parameters;
use super::state::{Answer, AppState};
use crate::api::filter::query;
use crate::api::split::{self, Sides};
use crate::api::transaction::view::{TransactionView, Viewer};
use crate::api::transaction::{Checked, How, Last, TransactionBody, legs, seal};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use engine::answer::Recorded;
use ledger::command::{Batch, Command, Record};
use ledger::id::{Id, Prefix};
use ledger::limits;
use ledger::row::{Flags, Row};
use serde_json::json;

/// A transaction in the document.
pub const TRANSACTION: Object = Object {
    name: "Transaction",
    description: "A transaction.",
    fields: &[
        Field::required("transaction_id", Schema::Text, "Its id."),
        Field::required("parent_transaction", Schema::Text, "What it belongs to, or empty."),
        Field::required(
            "status",
            Schema::Choice(&["QUEUED", "SCHEDULED", "INFLIGHT", "APPLIED", "VOID", "REJECTED"]),
            "Its status.",
        ),
        Field::required("precise_amount", Schema::Integer, "Minor units."),
        Field::required("amount", Schema::Decimal, "Major units."),
        Field::required("precision", Schema::Integer, "Minor units in a major unit."),
        Field::required("currency", Schema::Text, "Its currency."),
        Field::required("reference", Schema::Text, "Its reference, unique."),
        Field::optional("source", Schema::Text, "Where the amount was taken from."),
        Field::optional("destination", Schema::Text, "Where the amount went to."),
        Field::optional("description", Schema::Text, "Text for people."),
        Field::required("inflight", Schema::Flag, "Whether it is a hold."),
        Field::required("created_at", Schema::Time, "When it was recorded."),
        Field::optional("effective_date", Schema::Time, "The business date."),
        Field::optional("meta_data", Schema::Map, "Anything."),
    ],
};
/// A transaction to be recorded, in the document.
pub const NEW_TRANSACTION: Object = Object {
    name: "NewTransaction",
    description: "A transaction to be recorded.",
    fields: &[
        Field::optional("amount", Schema::Decimal, "Major units; this or `precise_amount`."),
        Field::optional("precise_amount", Schema::Integer, "Minor units, also as digits in quotes."),
        Field::optional(
            "precision",
            Schema::Integer,
            "Minor units in a major unit; unless given that of the registered currency, or 1.",
        ),
        Field::required("currency", Schema::Text, "Any text."),
        Field::required("reference", Schema::Text, "Any text, used once."),
        Field::required("description", Schema::Text, "Text for people."),
        Field::optional("source", Schema::Text, "Balance id or `@indicator`; this or `sources`."),
        Field::optional("destination", Schema::Text, "Balance id or `@indicator`; this or `destinations`."),
        Field::optional(
            "sources",
            Schema::List(&Schema::Any),
            "Parts: `identifier` and `distribution` (`20%`, `30.50`, `left`).",
        ),
        Field::optional("destinations", Schema::List(&Schema::Any), "Parts, as of `sources`."),
        Field::optional("allow_overdraft", Schema::Flag, "Whether the source may go below zero."),
        Field::optional("overdraft_limit", Schema::Decimal, "How far, in major units; 0 for no limit."),
        Field::optional("inflight", Schema::Flag, "Whether the amount is held instead of posted."),
        Field::optional("inflight_expiry_date", Schema::Time, "When the hold is voided by itself."),
        Field::optional("inflight_commit_date", Schema::Time, "When the hold is committed by itself."),
        Field::optional("scheduled_for", Schema::Time, "When to run it; through the queue only."),
        Field::optional("effective_date", Schema::Time, "The business date."),
        Field::optional("skip_queue", Schema::Flag, "Whether to answer with the outcome."),
        document::FIELD,
        Field::optional("meta_data", Schema::Map, "Anything."),
    ],
};

/// Document of [`create_transaction`].
pub const CREATE_TRANSACTION: Operation = Operation {
    summary: "Record a transaction",
    description: "Answers when it is durable. Without `skip_queue` the answer is the request (`QUEUED`), and its outcome is a \
                  transaction of its own, whose reference ends in `_q`.",
    body: Some(&Schema::Object(&NEW_TRANSACTION)),
    answers: &[
        document::PROJECTED,
        Told { status: 201, description: "The transaction.", schema: &Schema::Object(&TRANSACTION) },
    ],
    ..Operation::new("create_transaction", "Transactions")
};

/// `POST /transactions`.
pub async fn create_transaction(State(state): State<AppState>, sent: RequestBody) -> Answer {
    let invalid = |_| ApiError::new(Code::GenMalformedRequest, "Invalid input");
    let body: TransactionBody<'_> = sent.decode().map_err(invalid)?;
    let checked = body.checked(&state.books().registry())?;
    let parts = split::parts_of(&checked)?;
    let queued = inflight::is_queued(&state, checked.body.skip_queue);
    let inflight = checked.body.inflight.unwrap_or(false);
    let mut text = String::with_capacity(256);
    let ask = checked.body.ask(&checked.facts, &mut text, &mut Last::default());
    let mut asks = match &parts {
        Some(parts) => legs(&ask, parts, queued, &mut text),
        None => vec![ask],
    };
    seal(&mut asks, state.books(), How { queued, inflight }, &text);
    let mismatch = state.mismatch();
    let batch = Batch::Single;
    let record = Record {
        batch,
        goes_on: false,
        announced: false,
        trial: false,
        queued,
        asks,
        text,
        priors: Vec::new(),
        mismatch,
    };
    if checked.body.dry_run == Some(true) {
        return dry_run::record::project(&state, record, matches!(parts, Some(split::Parts::Sources(_)))).await;
    }
    match ask::change_once(&state, Command::Record(record), sent.key()?, 2 * limits::SPLIT_LEGS_MAX).await? {
        Outcome::Recorded(recorded) => {
            let view = created(&state, &checked, parts.as_ref(), &recorded)?;
            Ok(answer::once(answer::json(StatusCode::CREATED, &view), recorded.replayed))
        }
        Outcome::Refused(refused) => {
            let error = split::refusal(refused, checked.body.sides(), about(&checked.body), queued);
            Err(closings::dated(&state, error, refused.rejection, parties(&checked.body)).await)
        }
        Outcome::Made(..) | Outcome::Rescheduled(_) | Outcome::Unchanged => Err(ApiError::internal()),
    }
}

/// What messages about a request name.
pub fn about<'a>(body: &'a TransactionBody<'_>) -> About<'a> {
    About {
        reference: body.reference.as_deref().unwrap_or_default(),
        source: body.source.as_deref().unwrap_or_default(),
        destination: body.destination.as_deref().unwrap_or_default(),
        currency: body.currency.as_deref().unwrap_or_default(),
        id: "",
    }
}

/// The parties that a request names.
pub fn parties<'a>(body: &'a TransactionBody<'_>) -> Vec<&'a str> {
    sides_named([body.source.as_deref(), body.destination.as_deref()], body.sides())
}

/// The parties that sides name, each one or several.
pub fn sides_named<'a>(sides: [Option<&'a str>; 2], several: Sides<'a, '_>) -> Vec<&'a str> {
    let parts = several.sources.iter().chain(several.destinations);
    sides.into_iter().flatten().chain(parts.filter_map(|part| part.identifier.as_deref())).collect()
}

/// The answer to a request that was recorded, or known.
fn created(
    state: &AppState,
    checked: &Checked<'_>,
    parts: Option<&split::Parts<'_>>,
    recorded: &Recorded,
) -> Result<TransactionView, ApiError> {
    let mut viewer = Viewer::of_answer(state.books(), recorded);
    let row = recorded.rows.first().ok_or_else(ApiError::internal)?;
    let inflight = checked.body.inflight.unwrap_or(false);
    // What was recorded an earlier time is told as it was then, whatever the settings say now. What made no event is known, and
    // only requests through the queue are.
    let queued = recorded.event.as_ref().is_none_or(|event| event.queued);
    let view = viewer.view(row, true)?.told_as_asked(checked, queued, inflight);
    let Some(parts) = parts else { return Ok(view) };
    let legs = || recorded.rows.iter().filter(|row| !row.flags.has(Flags::OUTCOME));
    let amount = legs().map(|row| row.amount).sum();
    let legs: Vec<String> = legs().map(|row| row.id().text(Prefix::Transaction)).collect();
    let event = viewer.event(row)?;
    let whole = ledger::event::split_id(event.at, event.seed, row.number);
    Ok(view.told_as_whole(checked, parts, (whole, amount), &legs))
}

/// Document of [`get_transaction`].
pub const GET_TRANSACTION: Operation = Operation {
    summary: "Read a transaction",
    answers: &[Told { status: 200, description: "The transaction.", schema: &Schema::Object(&TRANSACTION) }],
    ..Operation::new("get_transaction", "Transactions")
};

/// `GET /transactions/{id}`.
pub async fn get_transaction(State(state): State<AppState>, Path(id): Path<String>) -> Answer {
    let row = find(&state, &id)?.ok_or_else(|| not_found(&id))?;
    Ok(answer::json(StatusCode::OK, &Viewer::new(state.books()).view(&row, false)?))
}

/// The row of an id.
pub fn find(state: &AppState, id: &str) -> Result<Option<Row>, ApiError> {
    match Id::parse(Prefix::Transaction, id) {
        Some(id) => Ok(state.books().find_transaction(id)?),
        None => Ok(None),
    }
}

/// There is no transaction of this id.
pub fn not_found(id: &str) -> ApiError {
    ApiError::new(Code::TxnNotFound, format!("Transaction with ID '{id}' not found")).details(json!({}))
}

/// Document of [`get_transaction_by_reference`].
pub const GET_TRANSACTION_BY_REFERENCE: Operation = Operation {
    summary: "Read a transaction by its reference",
    answers: &[Told { status: 200, description: "The transaction.", schema: &Schema::Object(&TRANSACTION) }],
    ..Operation::new("get_transaction_by_reference", "Transactions")
};

/// `GET /transactions/reference/{reference}`.
pub async fn get_transaction_by_reference(State(state): State<AppState>, Path(reference): Path<String>) -> Answer {
    let missing = || {
        let message = format!("Transaction with reference '{reference}' not found");
        ApiError::new(Code::TxnNotFound, message).details(json!({}))
    };
    let row = ask::row_of_reference(&state, &reference).await?.ok_or_else(missing)?;
    Ok(answer::json(StatusCode::OK, &Viewer::new(state.books()).view(&row, false)?))
}

/// Document of [`list_transactions`].
pub const LIST_TRANSACTIONS: Operation = Operation {
    summary: "List transactions, newest first",
    query: paging::FIELDS,
    answers: &[Told {
        status: 200,
        description: "Transactions.",
        schema: &Schema::List(&Schema::Object(&TRANSACTION)),
    }],
    ..Operation::new("list_transactions", "Transactions")
};

/// Transactions of a page, unless asked for.
const PAGE_DEFAULT: usize = 20;

/// `GET /transactions`.
pub async fn list_transactions(State(state): State<AppState>, query: Parameters) -> Answer {
    let paging = Paging::lenient(&query, PAGE_DEFAULT);
    let filters = query::filters(&query)?;
    if !filters.is_empty() {
        let paging = paging.filtered();
        let found = find_transactions(&state, newest_first(filters, paging.limit, paging.offset)).await?;
        return Ok(answer::json(StatusCode::OK, &found.views));
    }
    let books = state.books();
    let count = books.rows.len().saturating_sub(paging.offset as u64);
    let (mut viewer, mut filling) = (Viewer::new(books), Filling::default());
    let mut views = Vec::new();
    for number in (0..count).rev().take(paging.limit) {
        let row = books.row(number)?.ok_or_else(ApiError::internal)?;
        let view = viewer.view(&row, true)?;
        filling.add(view.text_bytes())?;
        views.push(view);
    }
    Ok(answer::json(StatusCode::OK, &views))
}
