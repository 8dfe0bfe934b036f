//! Routes of identities: made, read, listed. Changes and deletion are in [`edit`], tokens in [`tokens`], who saw what in
//! [`reveals`].

pub mod edit;
pub mod reveals;
pub mod stored;
pub mod tokens;

use super::answer;
use super::ask::{self, Outcome};
use super::body::RequestBody;
use super::error::{ApiError, Code};
use super::failure::{self, About};
use super::filters::{newest_first, stored as filtered};
use super::openapi::{Answer as Told, Field, Object, Operation, Schema};
use super::paging::{self, Paging};
use super::parameters::Parameters;
use super::state::{Answer, AppState};
use crate::api::filter::query;
use crate::api::identity::{IdentityBody, IdentityView};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use ledger::command::{Command, CreateIdentity};
use ledger::identity::Detail;
use std::sync::Arc;

/// An identity in the document.
pub const IDENTITY: Object = Object {
    name: "Identity",
    description: "A person or an organization that owns balances.",
    fields: &[
        Field::optional("identity_id", Schema::Text, "Its id; `idt_` and a UUID when its maker chooses it."),
        Field::optional("identity_type", Schema::Text, "`individual`, `organization`, or any text."),
        Field::optional("first_name", Schema::Text, "First name."),
        Field::optional("last_name", Schema::Text, "Last name."),
        Field::optional("organization_name", Schema::Text, "Name of an organization."),
        Field::optional("email_address", Schema::Text, "Address for mail."),
        Field::optional("phone_number", Schema::Text, "Phone number."),
        Field::optional("dob", Schema::Time, "Date of birth."),
        Field::optional("meta_data", Schema::Map, "Anything."),
    ],
};

/// Document of [`create_identity`].
pub const CREATE_IDENTITY: Operation = Operation {
    summary: "Make an identity",
    body: Some(&Schema::Object(&IDENTITY)),
    answers: &[Told { status: 201, description: "The identity.", schema: &Schema::Object(&IDENTITY) }],
    ..Operation::new("create_identity", "Identities")
};

/// `POST /identities`.
pub async fn create_identity(State(state): State<AppState>, body: RequestBody) -> Answer {
    let body: IdentityBody<'_> = body.decode()?;
    let (chosen, fields) = body.new_identity()?;
    let (vault, plain) = (Arc::clone(state.vault()), fields.text());
    // The key is on the disk before the event is submitted.
    let sealed = tokio::task::spawn_blocking(move || vault.seal_new(&plain)).await;
    let sealed = sealed.map_err(|_| ApiError::internal())??;
    let key = sealed.key;
    let command = Command::CreateIdentity(CreateIdentity { id: chosen.clone(), detail: Detail::Sealed(sealed) });
    let (handle, at) = match ask::change(&state, command, 0).await? {
        Outcome::Made(handle, at) => (handle, at),
        Outcome::Refused(refused) => {
            state.vault().give_back(key);
            return Err(failure::refusal(refused.rejection, About { id: &chosen, ..About::default() }));
        }
        Outcome::Recorded(_) | Outcome::Rescheduled(_) | Outcome::Unchanged => return Err(ApiError::internal()),
    };
    let id = ask::look(&state, move |view| view.state.identity_text(handle)).await?;
    Ok(answer::json(StatusCode::CREATED, &fields.view(id, at).told_as_asked(body.dob.as_deref())))
}

/// Document of [`get_identity`].
pub const GET_IDENTITY: Operation = Operation {
    summary: "Read an identity",
    answers: &[Told { status: 200, description: "The identity.", schema: &Schema::Object(&IDENTITY) }],
    ..Operation::new("get_identity", "Identities")
};

/// `GET /identities/{id}`.
pub async fn get_identity(State(state): State<AppState>, Path(id): Path<String>) -> Answer {
    let view = find(&state, id.clone()).await?.ok_or_else(|| missing(&id))?;
    Ok(answer::json(StatusCode::OK, &view))
}

/// The identity of an id, as it is shown.
pub async fn find(state: &AppState, id: String) -> Result<Option<IdentityView>, ApiError> {
    match stored::find(state, &id).await? {
        Some(found) => stored::shown(state.books(), state.vault(), found.id, &found.identity),
        None => Ok(None),
    }
}

/// There is no identity of this id.
fn missing(id: &str) -> ApiError {
    ApiError::new(Code::IdtNotFound, format!("Identity with ID '{id}' not found"))
}

/// Document of [`list_identities`].
pub const LIST_IDENTITIES: Operation = Operation {
    summary: "List identities, newest first",
    query: paging::FIELDS,
    answers: &[Told { status: 200, description: "Identities.", schema: &Schema::List(&Schema::Object(&IDENTITY)) }],
    ..Operation::new("list_identities", "Identities")
};

/// Identities of a page, unless asked for.
const PAGE_DEFAULT: usize = 20;

/// `GET /identities`.
pub async fn list_identities(State(state): State<AppState>, query: Parameters) -> Answer {
    let paging = Paging::lenient(&query, PAGE_DEFAULT).ledgers();
    let wanted = newest_first(query::filters(&query)?, paging.limit, paging.offset);
    Ok(answer::json(StatusCode::OK, &filtered::find_identities(&state, wanted).await?.views))
}
