//! `POST /refund-transaction/{id}`.

use super::answer;
use super::ask::{self, Outcome};
use super::body::RequestBody;
use super::dry_run::{self, document};
use super::error::{ApiError, Code};
use super::failure::{self, About};
use super::inflight;
use super::named::{self, Named};
use super::openapi::{Answer as Told, Field, Object, Operation, Schema};
use super::state::{Answer, AppState};
use super::transactions::TRANSACTION;
use crate::api::inflight::{RefundBody, SettleAmount};
use crate::api::metadata;
use crate::api::transaction::view::Viewer;
use crate::api::validate::Problems;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use engine::answer::Recorded;
use ledger::command::{Command, Original, Refund};
use ledger::id::Prefix;
use ledger::limits;
use ledger::rejection::{Refused, Rejection};
use ledger::row::{Flags, Row, Status};
use ledger::text;
use std::cmp::Reverse;

const REFUND: Object = Object {
    name: "Refund",
    description: "How to give a transaction back.",
    fields: &[
        Field::optional(
            "amount",
            Schema::Decimal,
            "How much to give back, in major units; all that is left unless given. Only of one posted transaction.",
        ),
        Field::optional("precise_amount", Schema::Integer, "The same in minor units, also as digits in quotes."),
        Field::optional("skip_queue", Schema::Flag, "Whether to answer with the outcome."),
        document::FIELD,
        Field::optional("description", Schema::Text, "Text of the refund, instead of the original's."),
        Field::optional("meta_data", Schema::Map, "Merged over the original's."),
    ],
};

/// Document of [`refund_transaction`].
pub const REFUND_TRANSACTION: Operation = Operation {
    summary: "Give a transaction back, in whole or in part",
    description: "The id may be that of a posted transaction, of the request that made it, of a hold (its commits, and what was voided as a \
                  hold in the other direction), of a split transaction or of a batch. All of them are given back, or none. What \
                  was given back before counts: never more than the whole is given back.",
    body: Some(&Schema::Object(&REFUND)),
    answers: &[
        document::PROJECTED,
        Told { status: 201, description: "The refund.", schema: &Schema::Object(&TRANSACTION) },
    ],
    ..Operation::new("refund_transaction", "Transactions")
};

/// `POST /refund-transaction/{id}`.
pub async fn refund_transaction(State(state): State<AppState>, Path(id): Path<String>, sent: RequestBody) -> Answer {
    let body: RefundBody<'_> =
        if sent.bytes().is_ok_and(|bytes| bytes.is_empty()) { RefundBody::default() } else { sent.decode()? };
    let mut problems = Problems::default();
    problems.length("description", body.description.as_deref().unwrap_or_default(), limits::DESCRIPTION_BYTES_MAX);
    problems.length("meta_data", body.metadata.map_or("", |object| object.0), limits::METADATA_BYTES_MAX);
    problems.into_result(Code::TxnValidationError)?;
    let queued = inflight::is_queued(&state, body.skip_queue);
    let part = asked_part(&body)?;
    let key = sent.key()?;
    let originals = originals(&state, &id).await?;
    if originals.is_empty() {
        return Err(failure::refusal(Rejection::NothingToRefund, About::default()));
    }
    let error_of = |refused: Refused| error_of(refused.rejection, &originals[refused.item as usize]);
    if body.dry_run == Some(true) {
        let part = part_of(part, &originals, &body)?;
        let command = refund_command(&state, &originals, &body, (part, queued))?;
        return dry_run::ends::project_refund(&state, command, &originals, &id, error_of).await;
    }
    let part = match (part_of(part, &originals, &body), &key) {
        (Ok(part), _) => part,
        (Err(error), None) => return Err(error),
        // A hold may have been committed again since the first time; its answer is still that of then.
        (Err(error), Some(key)) => {
            let replayed = ask::replay(&state, key.clone(), 1).await?;
            return refunded(&state, &replayed.ok_or(error)?);
        }
    };
    let command = refund_command(&state, &originals, &body, (part, queued))?;
    match ask::change_once(&state, Command::Refund(command), key, 1).await? {
        Outcome::Recorded(recorded) => refunded(&state, &recorded),
        Outcome::Refused(refused) => Err(error_of(refused)),
        Outcome::Made(..) | Outcome::Rescheduled(_) | Outcome::Unchanged => Err(ApiError::internal()),
    }
}

/// A refusal to give a row back, as an error.
fn error_of(rejection: Rejection, original: &Row) -> ApiError {
    let mut error = failure::refusal(rejection, About::default());
    if rejection == Rejection::AlreadyRefunded {
        let original = original.id().text(Prefix::Transaction);
        error.message = format!("error occurred during processing: [transaction {original} has already been refunded]");
    }
    error
}

/// The answer to a refund that was recorded: the first of its rows.
fn refunded(state: &AppState, recorded: &Recorded) -> Answer {
    let row = recorded.rows.first().ok_or_else(ApiError::internal)?;
    let mut viewer = Viewer::of_answer(state.books(), recorded);
    let queued = viewer.event(row)?.queued;
    let view = viewer.view(row, true)?.told_as_refund(row, !queued);
    Ok(answer::once(answer::json(StatusCode::CREATED, &view), recorded.replayed))
}

/// The part that is asked for, if one is. Zero is none, and is no way to say all.
fn asked_part(body: &RefundBody<'_>) -> Result<Option<SettleAmount>, ApiError> {
    let refuse = |message: &str| Err(ApiError::new(Code::TxnInvalidAmount, message));
    match SettleAmount::read(body.amount, body.precise_amount)? {
        SettleAmount::Rest if body.amount.is_none() => Ok(None),
        SettleAmount::Rest => refuse("amount must be positive"),
        SettleAmount::Major(decimal) if decimal.is_negative() => refuse("amount must be positive"),
        SettleAmount::Minor(minor) if minor <= 0 => refuse("precise_amount must be positive"),
        part => Ok(Some(part)),
    }
}

/// The part in minor units. Of several rows nobody could say which of them it is of.
fn part_of(part: Option<SettleAmount>, originals: &[Row], body: &RefundBody<'_>) -> Result<Option<i128>, ApiError> {
    let decimal = match part {
        None | Some(SettleAmount::Rest) => return Ok(None),
        Some(_) if !matches!(originals, [row] if row.status == Status::Applied) => {
            let mut problems = Problems::default();
            let field = if body.precise_amount.is_some() { "precise_amount" } else { "amount" };
            problems.add(field, "only one posted transaction can be given back in part; give its own id");
            return problems.into_result(Code::TxnValidationError).map(|()| None);
        }
        Some(SettleAmount::Minor(minor)) => return Ok(Some(minor)),
        Some(SettleAmount::Major(decimal)) => decimal,
    };
    match decimal.minor_units(originals[0].precision) {
        Some(0) => {
            Err(ApiError::new(Code::TxnInvalidAmount, "amount rounds to nothing at the precision of the transaction"))
        }
        // What is beyond all amounts is more than is left.
        minor => Ok(Some(minor.unwrap_or(i128::MAX))),
    }
}

/// The rows that an id stands for when it is given back, the newest first.
async fn originals(state: &AppState, id: &str) -> Result<Vec<Row>, ApiError> {
    match named::find(state.books(), id)? {
        None => Ok(Vec::new()),
        Some(Named::One(row)) => of_row(state, row).await,
        Some(Named::Whole(rows, _)) => {
            let mut posted = Vec::new();
            for row in rows {
                match row.status {
                    Status::Applied => posted.push(row),
                    Status::Inflight => posted.extend(ends_of_hold(state, &row, false).await?),
                    Status::Scheduled => posted.extend(of_row(state, row).await?),
                    // The outcome of a request is a row of the whole too.
                    Status::Queued | Status::Void | Status::Rejected => {}
                }
            }
            posted.sort_by_key(|row| Reverse(row.number));
            Ok(posted)
        }
    }
}

/// What one row stands for: itself when it was posted, its outcome when it is a request, its ends when it is a hold.
async fn of_row(state: &AppState, row: Row) -> Result<Vec<Row>, ApiError> {
    match row.status {
        Status::Applied => Ok(vec![row]),
        Status::Inflight => ends_of_hold(state, &row, true).await,
        Status::Queued => match state.books().row(row.number + 1)? {
            Some(outcome) if outcome.status == Status::Applied => Ok(vec![outcome]),
            Some(outcome) if outcome.status == Status::Inflight => ends_of_hold(state, &outcome, false).await,
            _ => Ok(Vec::new()),
        },
        Status::Scheduled => {
            let mut rows = Vec::new();
            for outcome in ask::children(state, row.number).await? {
                match outcome.status {
                    Status::Applied => rows.push(outcome),
                    Status::Inflight => rows.extend(ends_of_hold(state, &outcome, false).await?),
                    _ => {}
                }
            }
            Ok(rows)
        }
        Status::Void | Status::Rejected => Ok(Vec::new()),
    }
}

/// The commits of a hold, newest first, and its void when that is wanted.
async fn ends_of_hold(state: &AppState, hold: &Row, voids: bool) -> Result<Vec<Row>, ApiError> {
    let mut ends = ask::children(state, hold.number).await?;
    ends.retain(|end| {
        end.flags.has(Flags::SETTLEMENT) && (end.status == Status::Applied || voids && end.status == Status::Void)
    });
    Ok(ends)
}

fn refund_command(
    state: &AppState,
    rows: &[Row],
    body: &RefundBody<'_>,
    (part, queued): (Option<i128>, bool),
) -> Result<Refund, ApiError> {
    let books = state.books();
    let mut viewer = Viewer::new(books);
    let mut arena = String::new();
    let mut originals = Vec::with_capacity(rows.len());
    let given = metadata::given(body.metadata);
    for row in rows {
        let mut inherited = viewer.own_metadata(row)?;
        if queued {
            inherited.remove("QUEUED_PARENT_TRANSACTION");
        }
        let inherited = metadata::inherit(inherited, given.clone())?;
        let event = viewer.event(row)?;
        let described = event.movements[row.movement as usize].description.of(&event.text);
        let described = body.description.as_deref().filter(|text| !text.is_empty()).unwrap_or(described);
        let reference = format!("{}_refund", row.id().text(Prefix::Transaction));
        let description = text::push(&mut arena, described);
        originals.push(Original {
            row: row.number,
            amount: part,
            facts: None,
            refunded: Vec::new(),
            lineage: Vec::new(),
            reference: text::push(&mut arena, &reference),
            fingerprint: books.fingerprint(&reference),
            outcome_fingerprint: books.fingerprint_of_parts(&reference, "_q"),
            prior: None,
            description,
            metadata: text::push(&mut arena, &inherited),
        });
    }
    Ok(Refund { originals, queued, text: arena })
}
