//! Routes of the policies of balances.

use super::answer;
use super::ask::{self, Outcome};
use super::balances;
use super::body::RequestBody;
use super::error::{ApiError, Code};
use super::failure::{self, About};
use super::openapi::{Answer as Told, Field, Object, Operation, Schema};
use super::state::{Answer, AppState};
use crate::api::policy::{PolicyBody, PolicyView};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use engine::writer::View;
use ledger::command::{Command, SetPolicy};
use ledger::id::{Id, Prefix};
use ledger::rejection::Rejection;
use serde_json::json;

const MINIMUM: Field = Field::optional(
    "minimum_balance",
    Schema::Integer,
    "What must stay available, in minor units, also when a request allows an overdraft; also as digits in quotes.",
);
const CREDIT: Field = Field::optional(
    "credit_limit",
    Schema::Integer,
    "How far below zero it may go, in minor units, whether or not a request allows an overdraft; not with `minimum_balance`.",
);
const COUNTERPARTIES: Field = Field::optional(
    "counterparties",
    Schema::List(&Schema::Text),
    "Balance ids: it deals with these alone, at most 1 000; with all when left out.",
);
const NEW_POLICY: Object = Object {
    name: "NewPolicy",
    description: "The whole policy of a balance; what is left out is not restricted.",
    fields: &[
        MINIMUM,
        CREDIT,
        Field::optional("frozen", FROZEN, "What may not be posted or held; `none` unless given."),
        COUNTERPARTIES,
        Field::optional("velocity", Schema::List(&Schema::Object(&NEW_VELOCITY)), "At most 8 windows."),
    ],
};
const FROZEN: Schema = Schema::Choice(&["debits", "credits", "all", "none"]);
const SIDE: Field = Field::required("side", Schema::Choice(&["debit", "credit"]), "What is watched.");
const WINDOW: Field = Field::required(
    "window",
    Schema::Any,
    "`hour`, `day`, `week` (from Monday) or `month`, in UTC; or a number of seconds, counted from 1970.",
);
const SUM: Field = Field::optional("precise_amount", Schema::Integer, "Most minor units in a window, above zero.");
const COUNT: Field = Field::optional("count", Schema::Integer, "Most transactions in a window, above zero.");
const NEW_VELOCITY: Object = Object {
    name: "NewVelocity",
    description: "How much, and how often, within a window of time: `precise_amount`, `count` or both.",
    fields: &[SIDE, WINDOW, SUM, COUNT],
};
const POLICY: Object = Object {
    name: "Policy",
    description: "The policy of a balance.",
    fields: &[
        Field::required("balance_id", Schema::Text, "Whose it is."),
        MINIMUM,
        CREDIT,
        Field::required("frozen", FROZEN, "What may not be posted or held."),
        Field::required("counterparties", Schema::List(&Schema::Text), "With whom it deals; null for all."),
        Field::required("velocity", Schema::List(&Schema::Object(&VELOCITY)), "Windows of time."),
    ],
};
const VELOCITY: Object = Object {
    name: "Velocity",
    description: "How much, and how often, within a window of time.",
    fields: &[SIDE, WINDOW, SUM, COUNT, Field::required("used", Schema::Object(&USED), "What counts now.")],
};
const USED: Object = Object {
    name: "Used",
    description: "What was posted and held in the current window.",
    fields: &[
        Field::required("precise_amount", Schema::Integer, "Minor units."),
        Field::required("count", Schema::Integer, "Transactions."),
        Field::required("since", Schema::Time, "When the window began."),
    ],
};
const ANSWERS: &[Told] = &[Told { status: 200, description: "The policy.", schema: &Schema::Object(&POLICY) }];

/// Document of [`set_policy`].
pub const SET_POLICY: Operation = Operation {
    summary: "Set the policy of a balance",
    description: "Replaces the whole policy. It is checked when money is posted or held, also by scheduled runs, refunds, raised holds and \
                  over-capture; never when a hold is settled or voided. Windows that the policy before it had too go on where they were.",
    body: Some(&Schema::Object(&NEW_POLICY)),
    answers: ANSWERS,
    ..Operation::new("set_policy", "Balances")
};

/// `PUT /balances/{id}/policy`.
pub async fn set_policy(State(state): State<AppState>, Path(id): Path<String>, body: RequestBody) -> Answer {
    let body: PolicyBody<'_> = body.decode()?;
    let wanted = body.wanted()?;
    let balance = Id::parse(Prefix::Balance, &id).ok_or_else(|| balances::not_found(&id))?;
    let command = Command::SetPolicy(SetPolicy { balance, policy: Some(wanted) });
    match ask::change(&state, command, 0).await? {
        Outcome::Made(..) => {}
        // The ledger counts the balance itself as item 0, its counterparties from 1.
        Outcome::Refused(refused) => {
            return Err(match (refused.item as usize).checked_sub(1) {
                None => refused_for(&id, refused.rejection),
                Some(position) => body.unknown_counterparty(position),
            });
        }
        Outcome::Recorded(_) | Outcome::Rescheduled(_) | Outcome::Unchanged => return Err(ApiError::internal()),
    }
    show(&state, &id).await
}

/// Document of [`get_policy`].
pub const GET_POLICY: Operation = Operation {
    summary: "Read the policy of a balance",
    description: "With what was moved in the current windows.",
    answers: ANSWERS,
    ..Operation::new("get_policy", "Balances")
};

/// `GET /balances/{id}/policy`.
pub async fn get_policy(State(state): State<AppState>, Path(id): Path<String>) -> Answer {
    show(&state, &id).await
}

async fn show(state: &AppState, id: &str) -> Answer {
    let parsed = Id::parse(Prefix::Balance, id);
    let found = ask::look(state, move |view| Some(shown(view, view.state.find_balance(parsed?)?)));
    let policy = found.await?.ok_or_else(|| balances::not_found(id))?;
    let none = || ApiError::new(Code::GenNotFound, format!("Balance '{id}' has no policy")).details(json!({}));
    Ok(answer::json(StatusCode::OK, &policy.ok_or_else(none)?))
}

fn shown(view: &View<'_>, handle: u32) -> Option<PolicyView> {
    let policed = view.state.policy(handle)?;
    let counterparties = policed.policy.counterparties.as_ref();
    let counterparties =
        counterparties.map(|handles| handles.iter().map(|handle| view.state.balance_id(*handle)).collect());
    Some(PolicyView::new(view.state.balance_id(handle), policed, counterparties, view.now))
}

/// Document of [`delete_policy`].
pub const DELETE_POLICY: Operation = Operation {
    summary: "Take the policy of a balance away",
    description: "Also when it has none: afterwards it has none.",
    answers: &[Told { status: 200, description: "It has no policy.", schema: &Schema::Object(&GONE) }],
    ..Operation::new("delete_policy", "Balances")
};
const GONE: Object = Object {
    name: "Gone",
    description: "It is not there any more.",
    fields: &[Field::required("message", Schema::Text, "For people.")],
};

/// `DELETE /balances/{id}/policy`.
pub async fn delete_policy(State(state): State<AppState>, Path(id): Path<String>) -> Answer {
    let balance = Id::parse(Prefix::Balance, &id).ok_or_else(|| balances::not_found(&id))?;
    match ask::change(&state, Command::SetPolicy(SetPolicy { balance, policy: None }), 0).await? {
        Outcome::Made(..) | Outcome::Unchanged => {}
        Outcome::Refused(refused) => return Err(refused_for(&id, refused.rejection)),
        Outcome::Recorded(_) | Outcome::Rescheduled(_) => return Err(ApiError::internal()),
    }
    Ok(answer::json(StatusCode::OK, &json!({"message": "Policy deleted successfully"})))
}

fn refused_for(id: &str, rejection: Rejection) -> ApiError {
    match rejection {
        Rejection::BalanceNotFound => balances::not_found(id),
        other => failure::refusal(other, About::default()),
    }
}
