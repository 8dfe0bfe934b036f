//! Routes of one hold: tell what became of it, and change it.

use super::answer;
use super::ask::{self, Outcome};
use super::body::RequestBody;
use super::error::{ApiError, Code};
use super::failure::{self, About};
use super::inflight::{self, Inherited};
use super::openapi::{Answer as Told, Field, Object, Operation, Schema};
use super::state::{Answer, AppState};
use super::transactions::{self, TRANSACTION};
use crate::api::inflight::{Change, ChangeBody, HoldView, SettleAmount};
use crate::api::metadata;
use crate::api::number::NumberText;
use crate::api::time;
use crate::api::transaction::view::Viewer;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use ledger::command::{ChangeHold, Command, HoldAsk, Scope};
use ledger::id::Prefix;
use ledger::rejection::Rejection;
use ledger::row::{Flags, Row, Status};
use ledger::text;

const HOLD: Object = Object {
    name: "Hold",
    description: "A hold, and what became of it. Minor units.",
    fields: &[
        Field::required("transaction_id", Schema::Text, "Its id."),
        Field::required(
            "status",
            Schema::Choice(&["open", "committed", "voided"]),
            "Whether something is held still; if not, what was done last.",
        ),
        Field::required("currency", Schema::Text, "Its currency."),
        Field::required("precision", Schema::Integer, "Minor units in a major unit."),
        Field::required("precise_amount", Schema::Integer, "What was held at first."),
        Field::required("held", Schema::Integer, "What is held now."),
        Field::required("committed", Schema::Integer, "What was posted of it, and beyond it."),
        Field::required("released", Schema::Integer, "What was let go."),
        Field::required("inflight_expiry_date", Schema::Time, "When it is voided by itself."),
        Field::required("inflight_commit_date", Schema::Time, "When it is committed by itself."),
        Field::required("source", Schema::Text, "Where the amount is taken from."),
        Field::required("destination", Schema::Text, "Where the amount goes to."),
    ],
};
const HOLD_CHANGE: Object = Object {
    name: "HoldChange",
    description: "What is to be different of a hold: an amount or a date at least.",
    fields: &[
        Field::optional(
            "amount",
            Schema::Decimal,
            "What is to be held from now on, in major units. What was committed before does not count.",
        ),
        Field::optional("precise_amount", Schema::Integer, "The same in minor units."),
        Field::optional("inflight_expiry_date", Schema::Time, "When it is voided by itself."),
        Field::optional("inflight_commit_date", Schema::Time, "When it is committed by itself."),
        Field::optional("description", Schema::Text, "Text of the new transaction, instead of the hold's."),
        Field::optional("meta_data", Schema::Map, "Merged over the hold's."),
    ],
};

/// Document of [`get_inflight`].
pub const GET_INFLIGHT: Operation = Operation {
    summary: "Tell what became of a hold",
    description: "The id must stand for one hold: its own, that of the request that made it, or of a change of it.",
    answers: &[Told { status: 200, description: "The hold.", schema: &Schema::Object(&HOLD) }],
    ..Operation::new("get_inflight", "Transactions")
};

/// `GET /transactions/inflight/{id}`.
pub async fn get_inflight(State(state): State<AppState>, Path(id): Path<String>) -> Answer {
    let (hold, _) = one_hold(&state, &id).await?;
    let number = hold.number;
    // One look, so that what is held and what was done belong to the same moment.
    let found = ask::look(&state, move |view| {
        let held = view.state.holds.get(&number).map(|hold| hold.remaining);
        view.children(number).map(|children| (held, children))
    });
    let (held, children) = found.await?.map_err(|fault| ask::index_fault(&fault))?;
    let children = ask::rows_of_parent(state.books(), number, children)?;
    let (mut committed, mut released) = (0, 0);
    for child in &children {
        match child.status {
            Status::Applied => committed += child.amount,
            Status::Void => released += child.amount,
            _ => {}
        }
    }
    let ended = children.iter().find(|child| child.flags.has(Flags::SETTLEMENT));
    let status = match (held, ended) {
        (Some(_), _) => "open",
        (None, Some(Row { status: Status::Void, .. })) => "voided",
        (None, _) => "committed",
    };
    let mut viewer = Viewer::new(state.books());
    let dated = children.iter().find(|child| child.flags.has(Flags::CHANGE)).unwrap_or(&hold);
    let terms = viewer.event(dated)?.movements[dated.movement as usize].terms();
    let shown = |at: Option<i64>| at.map_or_else(|| time::ZERO.to_owned(), time::text);
    let (inflight_expiry_date, inflight_commit_date) = (shown(terms.expires_at), shown(terms.commits_at));
    let side = |handle| state.books().balance_id(handle).map(|id| id.text(Prefix::Balance)).unwrap_or_default();
    let view = HoldView {
        transaction_id: hold.id().text(Prefix::Transaction),
        status,
        currency: state.books().currency(hold.currency).to_string(),
        precision: hold.precision,
        precise_amount: NumberText::integer(hold.amount),
        held: NumberText::integer(held.unwrap_or_default()),
        committed: NumberText::integer(committed),
        released: NumberText::integer(released),
        inflight_expiry_date,
        inflight_commit_date,
        source: side(hold.source),
        destination: side(hold.destination),
    };
    Ok(answer::json(StatusCode::OK, &view))
}

/// Document of [`change_inflight`].
pub const CHANGE_INFLIGHT: Operation = Operation {
    summary: "Raise or lower a hold, or give it other dates",
    description: "The id must stand for one hold. What it is raised by is checked as a new hold would be. The answer is a new transaction \
                  whose parent is the hold: `INFLIGHT` with the amount by which the hold grew, or `VOID` with the amount by which it shrank.",
    body: Some(&Schema::Object(&HOLD_CHANGE)),
    answers: &[Told { status: 200, description: "The change.", schema: &Schema::Object(&TRANSACTION) }],
    ..Operation::new("change_inflight", "Transactions")
};

/// `PATCH /transactions/inflight/{id}`.
pub async fn change_inflight(State(state): State<AppState>, Path(id): Path<String>, sent: RequestBody) -> Answer {
    let body: ChangeBody<'_> = sent.decode()?;
    let key = sent.key()?;
    let change = body.check()?;
    let mut makings = 0;
    let outcome = loop {
        makings += 1;
        let (hold, scope) = match (one_hold(&state, &id).await, &key) {
            (Ok(found), _) => found,
            (Err(error), None) => return Err(error),
            // The id may stand for more than the first time; the answer is still that of then.
            (Err(error), Some(key)) => {
                break Outcome::Recorded(ask::replay(&state, key.clone(), 1).await?.ok_or(error)?);
            }
        };
        inflight::check_alone(&state, &hold)??;
        let command = ChangeHold { scope, ..change_command(&state, &hold, &body, &change)? };
        match ask::change_once(&state, Command::ChangeHold(command), key.clone(), 1).await {
            Err(error) if ask::is_outdated(&error) && makings < ask::MAKINGS_MAX => {}
            outcome => break outcome?,
        }
    };
    match outcome {
        Outcome::Recorded(recorded) => {
            let row = recorded.rows.first().ok_or_else(ApiError::internal)?;
            let view = Viewer::of_answer(state.books(), &recorded).view(row, true)?.told_as_done(row);
            Ok(answer::once(answer::json(StatusCode::OK, &view), recorded.replayed))
        }
        Outcome::Refused(refused) => Err(failure::refusal(refused.rejection, About::default())),
        Outcome::Made(..) | Outcome::Rescheduled(_) | Outcome::Unchanged => Err(ApiError::internal()),
    }
}

/// The one hold that an id stands for, open or not, and what it was found by when there may be more.
async fn one_hold(state: &AppState, id: &str) -> Result<(Row, Option<Scope>), ApiError> {
    let Some(target) = inflight::target(state, id).await? else { return Err(transactions::not_found(id)) };
    match target.holds.as_slice() {
        [hold] => Ok((*hold, target.scope)),
        [] => Err(failure::refusal(Rejection::NotInflight, About::default())),
        several => {
            let message = format!("id: it stands for {} holds; name one of them", several.len());
            Err(ApiError::new(Code::TxnValidationError, message))
        }
    }
}

fn change_command(
    state: &AppState,
    hold: &Row,
    body: &ChangeBody<'_>,
    change: &Change,
) -> Result<ChangeHold, ApiError> {
    let held = match change.amount {
        SettleAmount::Rest => None,
        amount => inflight::minor_units(amount, hold.precision)?,
    };
    let Inherited { description, metadata, overdraft } = inflight::inherited(&mut Viewer::new(state.books()), hold)?;
    let description = body.description.as_deref().filter(|text| !text.is_empty()).unwrap_or(&description);
    let metadata = metadata::inherit(metadata, metadata::given(body.metadata))?;
    let mut text = String::new();
    let ask = HoldAsk {
        row: hold.number,
        ended: None,
        precision: hold.precision,
        overdraft,
        reference: text::push(&mut text, &format!("ref_{}", uuid::Uuid::new_v4())),
        description: text::push(&mut text, description),
        metadata: text::push(&mut text, &metadata),
    };
    let (expires_at, commits_at) = (change.expires.map(time::Moment::micros), change.commits.map(time::Moment::micros));
    Ok(ChangeHold { scope: None, hold: ask, held, expires_at, commits_at, text })
}
