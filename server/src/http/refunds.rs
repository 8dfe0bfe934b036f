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
use engine::writer::KeyAsk;
use ledger::command::{Command, Original, Refund, Scope};
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
    let mut makings = 0;
    loop {
        makings += 1;
        match refund_now(&state, &id, &body, (part, queued), key.clone()).await {
            Err(error) if ask::is_outdated(&error) && makings < ask::MAKINGS_MAX => {}
            answer => return answer,
        }
    }
}

/// Looks up what an id stands for, and gives that back.
async fn refund_now(
    state: &AppState,
    id: &str,
    body: &RefundBody<'_>,
    (part, queued): (Option<SettleAmount>, bool),
    key: Option<KeyAsk>,
) -> Answer {
    let (originals, scope) = originals(state, id).await?;
    if originals.is_empty() {
        return Err(failure::refusal(Rejection::NothingToRefund, About::default()));
    }
    let error_of = |refused: Refused| error_of(refused.rejection, &originals[refused.item as usize]);
    if body.dry_run == Some(true) {
        let part = part_of(part, &originals, body)?;
        let command = Refund { scope, ..refund_command(state, &originals, body, (part, queued))? };
        return dry_run::ends::project_refund(state, command, &originals, id, error_of).await;
    }
    let part = match (part_of(part, &originals, body), &key) {
        (Ok(part), _) => part,
        (Err(error), None) => return Err(error),
        // A hold may have been committed again since the first time; its answer is still that of then.
        (Err(error), Some(key)) => {
            let replayed = ask::replay(state, key.clone(), 1).await?;
            return refunded(state, &replayed.ok_or(error)?);
        }
    };
    let command = Refund { scope, ..refund_command(state, &originals, body, (part, queued))? };
    match ask::change_once(state, Command::Refund(command), key, 1).await? {
        Outcome::Recorded(recorded) => refunded(state, &recorded),
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

/// The rows that an id stands for when it is given back, the newest first, and what they were found by when more of them may
/// come.
async fn originals(state: &AppState, id: &str) -> Result<(Vec<Row>, Option<Scope>), ApiError> {
    let (rows, voids) = match named::find(state.books(), id)? {
        None => return Ok((Vec::new(), None)),
        // A void is meant by the id of its hold alone.
        Some(Named::One(row)) => (inflight::with_outcome(state, row)?, row.status == Status::Inflight),
        Some(Named::Whole(rows, _)) => (rows, false),
    };
    let scheduled = numbers(&rows, Status::Scheduled);
    let outcomes = ask::children_of_each(state, &scheduled).await?.concat();
    let known: Vec<Row> = [rows.clone(), outcomes].concat();
    let holds = numbers(&known, Status::Inflight);
    let mut originals = ask::children_of_each(state, &holds).await?.concat();
    originals.retain(|end| {
        end.flags.has(Flags::SETTLEMENT) && (end.status == Status::Applied || voids && end.status == Status::Void)
    });
    originals.extend(known.into_iter().filter(|row| row.status == Status::Applied));
    originals.sort_by_key(|row| Reverse(row.number));
    let grows = !(scheduled.is_empty() && holds.is_empty());
    Ok((originals, grows.then(|| inflight::scope_of(&rows, voids))))
}

/// The numbers of the rows that have this status.
fn numbers(rows: &[Row], status: Status) -> Vec<u64> {
    rows.iter().filter(|row| row.status == status).map(|row| row.number).collect()
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
        ask::check_texts(&arena)?;
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
    Ok(Refund { scope: None, originals, queued, text: arena })
}
