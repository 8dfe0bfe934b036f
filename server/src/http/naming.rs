//! Routes of what a balance is known by: its owner and its alias.

use super::answer;
use super::ask::{self, Outcome};
use super::balances::{self, ALIAS, BALANCE, Found, Texts, alias_taken};
use super::body::RequestBody;
use super::error::{ApiError, Code};
use super::failure::{self, About};
use super::identities::{self, edit::DONE};
use super::openapi::{Answer as Told, Field, Object, Operation, Schema};
use super::state::{Answer, AppState};
use crate::api::balance::check_alias;
use crate::api::validate::Problems;
use crate::decode::Text;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use ledger::command::{Command, LinkIdentity, NameBalance};
use ledger::id::{Id, Prefix};
use ledger::rejection::Rejection;
use serde_json::json;

crate::lenient_struct! {
    /// Body of `PUT /balances/{id}/identity`.
    pub struct LinkBody<'a> {
        /// Its owner from now on.
        "identity_id" identity_id: Text<'a>,
    }
}

crate::lenient_struct! {
    /// Body of `PUT /balances/{id}/alias`.
    pub struct AliasBody<'a> {
        /// Its alias from now on.
        "alias" alias: Text<'a>,
    }
}

const LINK: Object = Object {
    name: "BalanceOwner",
    description: "Who owns a balance.",
    fields: &[Field::required("identity_id", Schema::Text, "The identity.")],
};
const NEW_ALIAS: Object =
    Object { name: "BalanceAlias", description: "A name of a balance that no other has.", fields: &[ALIAS] };
const BALANCE_ANSWER: &[Told] = &[Told { status: 200, description: "The balance.", schema: &Schema::Object(&BALANCE) }];

/// Document of [`link_identity`].
pub const LINK_IDENTITY: Operation = Operation {
    summary: "Give a balance an owner",
    description: "Instead of the one that it may have. A link cannot be taken away.",
    body: Some(&Schema::Object(&LINK)),
    answers: &[Told { status: 200, description: "It has the owner.", schema: &Schema::Object(&DONE) }],
    ..Operation::new("link_identity", "Balances")
};

/// `PUT /balances/{id}/identity`.
pub async fn link_identity(State(state): State<AppState>, Path(id): Path<String>, body: RequestBody) -> Answer {
    let body: LinkBody<'_> = body.decode()?;
    let identity = body.identity_id.as_deref().unwrap_or_default().to_owned();
    if identity.is_empty() {
        return Err(ApiError::new(Code::GenMalformedRequest, "identity_id: cannot be blank."));
    }
    let balance = Id::parse(Prefix::Balance, &id);
    let lineage_label = lineage_label(&state, balance, &identity).await?;
    let command = Command::LinkIdentity(LinkIdentity { balance, identity: identity.clone(), lineage_label });
    match ask::change(&state, command, 0).await? {
        Outcome::Made(..) => {
            Ok(answer::json(StatusCode::OK, &json!({"message": "Balance identity updated successfully"})))
        }
        Outcome::Refused(refused) => Err(match refused.rejection {
            // The reference server answers so, and its documents say so too.
            Rejection::IdentityNotFound => {
                ApiError::new(Code::BalNotFound, format!("Identity with ID '{identity}' not found")).details(json!({}))
            }
            Rejection::BalanceNotFound => balances::not_found(&id),
            other => failure::refusal(other, About::default()),
        }),
        Outcome::Recorded(_) | Outcome::Rescheduled(_) | Outcome::Unchanged => Err(ApiError::internal()),
    }
}

/// What names the lineage of an owner, when the funds of a balance are tracked: of others nobody's name is written down.
async fn lineage_label(state: &AppState, balance: Option<Id>, identity: &str) -> Result<String, ApiError> {
    let is_tracked = ask::look(state, move |view| {
        let handle = balance.and_then(|id| view.state.find_balance(id));
        handle.is_some_and(|handle| view.state.balance(handle).track_fund_lineage)
    });
    if !is_tracked.await? {
        return Ok(String::new());
    }
    Ok(identities::find(state, identity.to_owned()).await?.map(|owner| owner.lineage_label()).unwrap_or_default())
}

/// Document of [`set_alias`].
pub const SET_ALIAS: Operation = Operation {
    summary: "Give a balance an alias",
    description: "Orders may name it by the alias instead of its id, in its currency. What is recorded names the id: an alias may \
                  move to another balance at any time.",
    body: Some(&Schema::Object(&NEW_ALIAS)),
    answers: BALANCE_ANSWER,
    ..Operation::new("set_alias", "Balances")
};

/// `PUT /balances/{id}/alias`.
pub async fn set_alias(State(state): State<AppState>, Path(id): Path<String>, body: RequestBody) -> Answer {
    let body: AliasBody<'_> = body.decode()?;
    let alias = body.alias.as_deref().unwrap_or_default().to_owned();
    let mut problems = Problems::default();
    if alias.is_empty() {
        problems.add("alias", "cannot be blank");
    }
    check_alias(&mut problems, &alias);
    problems.into_result(Code::GenValidationError)?;
    name(&state, &id, alias).await
}

/// Document of [`delete_alias`].
pub const DELETE_ALIAS: Operation = Operation {
    summary: "Take the alias of a balance away",
    description: "Also when it has none: afterwards it has none.",
    answers: BALANCE_ANSWER,
    ..Operation::new("delete_alias", "Balances")
};

/// `DELETE /balances/{id}/alias`.
pub async fn delete_alias(State(state): State<AppState>, Path(id): Path<String>) -> Answer {
    name(&state, &id, String::new()).await
}

async fn name(state: &AppState, id: &str, alias: String) -> Answer {
    let balance = Id::parse(Prefix::Balance, id).ok_or_else(|| balances::not_found(id))?;
    match ask::change(state, Command::NameBalance(NameBalance { balance, alias: alias.clone() }), 0).await? {
        Outcome::Made(..) | Outcome::Unchanged => {}
        Outcome::Refused(refused) => {
            return Err(match refused.rejection {
                Rejection::BalanceNotFound => balances::not_found(id),
                Rejection::AliasTaken => alias_taken(&alias),
                other => failure::refusal(other, About::default()),
            });
        }
        Outcome::Recorded(_) | Outcome::Rescheduled(_) => return Err(ApiError::internal()),
    }
    let found = ask::look(state, move |view| Some(Found::new(view.state, view.state.find_balance(balance)?)));
    let found = found.await?.ok_or_else(|| balances::not_found(id))?;
    Ok(answer::json(StatusCode::OK, &found.view(&mut Texts::new(state.books()))?))
}

/// Document of [`get_balance_by_alias`].
pub const GET_BALANCE_BY_ALIAS: Operation = Operation {
    summary: "Read the balance of an alias",
    answers: BALANCE_ANSWER,
    ..Operation::new("get_balance_by_alias", "Balances")
};

/// `GET /balances/alias/{alias}`.
pub async fn get_balance_by_alias(State(state): State<AppState>, Path(alias): Path<String>) -> Answer {
    let wanted = alias.clone();
    let found = ask::look(&state, move |view| Some(Found::new(view.state, view.state.find_alias(&wanted)?)));
    let found = found.await?.ok_or_else(|| {
        ApiError::new(Code::BalNotFound, format!("balance with alias '{alias}' not found")).details(json!({}))
    })?;
    Ok(answer::json(StatusCode::OK, &found.view(&mut Texts::new(state.books()))?))
}
