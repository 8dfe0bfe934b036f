//! Identities as they are kept: found, opened, changed.

use super::missing;
use crate::api::identity::{Fields, IdentityView};
use crate::http::ask::{self, Outcome};
use crate::http::error::{ApiError, Code};
use crate::http::failure::{self, About};
use crate::http::state::AppState;
use crate::vault::{Vault, VaultFault};
use engine::reading::{Books, BooksFault};
use ledger::command::{Command, UpdateIdentity};
use ledger::event::Event;
use ledger::identity::Detail;
use ledger::rejection::Rejection;
use ledger::state::Identity;

/// How often a change is tried whose identity changes meanwhile. In this process changes of one identity wait for each other,
/// so more than one try is rare.
const TRIES_MAX: usize = 16;

/// An identity that exists.
pub struct Found {
    /// Its id, as it is shown.
    pub id: String,
    /// What the state knows of it.
    pub identity: Identity,
}

/// The identity of an id, as sent.
pub async fn find(state: &AppState, id: &str) -> Result<Option<Found>, ApiError> {
    let id = id.to_owned();
    let found = ask::look(state, move |view| {
        let handle = view.state.find_identity(&id)?;
        let identity = view.state.identities.get(handle as usize)?.clone();
        Some(Found { id: view.state.identity_text(handle), identity })
    });
    found.await
}

/// The fields of an identity. `None` when it was deleted since it was found.
pub fn fields(books: &Books, vault: &Vault, identity: &Identity) -> Result<Option<Fields>, ApiError> {
    let detail = match books.event(identity.detail)? {
        Event::IdentityCreated(event) => event.detail,
        Event::IdentityChanged(event) => event.detail,
        _ => return Err(BooksFault::Row(identity.detail).into()),
    };
    opened(vault, &detail)
}

/// Opens fields. `None` when their key was destroyed.
pub fn opened(vault: &Vault, detail: &Detail) -> Result<Option<Fields>, ApiError> {
    match vault.open_detail(detail)? {
        Some(plain) => Fields::parse(&plain).map(Some).ok_or_else(|| VaultFault::Sealed.into()),
        None => Ok(None),
    }
}

/// An identity as it is shown. `None` when it was deleted since it was found.
pub fn shown(books: &Books, vault: &Vault, id: String, identity: &Identity) -> Result<Option<IdentityView>, ApiError> {
    Ok(fields(books, vault, identity)?.map(|fields| fields.view(id, identity.created_at)))
}

/// Changes the fields of an identity: reads them, has them changed, seals and records them. When the identity is changed by
/// another meanwhile, the change is made again from what is true then, so nothing is lost and `change` may be called more than
/// once. Answers what it answered last; when it refuses, nothing happens.
pub async fn change<T>(
    state: &AppState,
    id: &str,
    mut change: impl FnMut(&mut Fields) -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    let _turn = state.turns().take(id).await;
    for _ in 0..TRIES_MAX {
        let found = find(state, id).await?.ok_or_else(|| missing(id))?;
        let Some(mut fields) = fields(state.books(), state.vault(), &found.identity)? else { continue };
        let before = fields.text();
        let told = change(&mut fields)?;
        let after = fields.text();
        if before == after {
            return Ok(told);
        }
        fields.check_length()?;
        let Some(detail) = seal(state, &found.identity, after).await? else { continue };
        let update = UpdateIdentity { identity: id.to_owned(), basis: found.identity.detail, detail };
        match ask::change(state, Command::UpdateIdentity(update), 0).await? {
            Outcome::Made(..) => return Ok(told),
            Outcome::Refused(refused) if refused.rejection == Rejection::IdentityChanged => {}
            Outcome::Refused(refused) => return Err(refused_of(refused.rejection, id)),
            Outcome::Recorded(_) | Outcome::Rescheduled(_) | Outcome::Unchanged => return Err(ApiError::internal()),
        }
    }
    Err(ApiError::new(Code::QueueBackpressure, "the identity is changed by many at once; try again in a moment"))
}

/// Seals fields with the key of their identity. `None` when it was deleted meanwhile. One that was recorded in plain text
/// gets a key.
async fn seal(state: &AppState, identity: &Identity, plain: String) -> Result<Option<Detail>, ApiError> {
    let vault = state.vault();
    let sealed = match identity.key {
        Some(key) => vault.seal(key, &plain)?,
        None => {
            let vault = std::sync::Arc::clone(vault);
            let sealed = tokio::task::spawn_blocking(move || vault.seal_new(&plain)).await;
            Some(sealed.map_err(|_| ApiError::internal())??)
        }
    };
    Ok(sealed.map(Detail::Sealed))
}

/// A refused command on an identity, as an error.
pub fn refused_of(rejection: Rejection, id: &str) -> ApiError {
    match rejection {
        Rejection::IdentityNotFound => missing(id),
        other => failure::refusal(other, About { id, ..About::default() }),
    }
}
