//! Changing and deleting identities.

use super::{missing, stored};
use crate::api::identity::IdentityBody;
use crate::http::answer;
use crate::http::ask::{self, Outcome};
use crate::http::body::RequestBody;
use crate::http::error::{ApiError, Code};
use crate::http::openapi::{Answer as Told, Field, Object, Operation, Schema};
use crate::http::state::{Answer, AppState};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use ledger::command::{Command, DeleteIdentity};
use serde_json::json;
use std::sync::Arc;

/// An answer that only says that it is done.
pub const DONE: Object = Object {
    name: "Done",
    description: "That it is done, in words.",
    fields: &[Field::required("message", Schema::Text, "In words.")],
};

/// Document of [`update_identity`].
pub const UPDATE_IDENTITY: Operation = Operation {
    summary: "Change an identity",
    description: "Only what is given and not empty is written; `meta_data` is replaced as a whole. A value in the place of a token \
                  is a plain value again.",
    body: Some(&Schema::Object(&super::IDENTITY)),
    answers: &[Told { status: 200, description: "It is changed.", schema: &Schema::Object(&DONE) }],
    ..Operation::new("update_identity", "Identities")
};

/// `PUT /identities/{id}`.
pub async fn update_identity(State(state): State<AppState>, Path(id): Path<String>, body: RequestBody) -> Answer {
    let body: IdentityBody<'_> = body.decode()?;
    let update = body.update()?;
    stored::change(&state, &id, |fields| {
        update.apply(fields);
        Ok(())
    })
    .await?;
    Ok(answer::json(StatusCode::OK, &json!({"message": "Identity updated successfully"})))
}

/// Document of [`delete_identity`].
pub const DELETE_IDENTITY: Operation = Operation {
    summary: "Delete an identity",
    description: "Its key is destroyed: what the journal and its backups hold of it cannot be read any more. One that owns balances \
                  stays.",
    answers: &[Told { status: 200, description: "It is gone.", schema: &Schema::Object(&DONE) }],
    ..Operation::new("delete_identity", "Identities")
};

/// `DELETE /identities/{id}`.
pub async fn delete_identity(State(state): State<AppState>, Path(id): Path<String>) -> Answer {
    // On a task of its own: when the client goes, the key is destroyed all the same.
    let deleted = tokio::spawn(async move { delete(&state, &id).await });
    deleted.await.map_err(|_| ApiError::internal())??;
    Ok(answer::json(StatusCode::OK, &json!({"message": "Identity deleted successfully"})))
}

async fn delete(state: &AppState, id: &str) -> Result<(), ApiError> {
    let command = Command::DeleteIdentity(DeleteIdentity { identity: id.to_owned() });
    let handle = match ask::change(state, command, 0).await? {
        Outcome::Made(handle, _) => handle,
        Outcome::Refused(refused) => return Err(stored::refused_of(refused.rejection, id)),
        Outcome::Recorded(_) | Outcome::Rescheduled(_) | Outcome::Unchanged => return Err(ApiError::internal()),
    };
    // That is durable now. Should the server end here, the next start does the rest.
    let key = ask::look(state, move |view| view.state.identities.get(handle as usize).map(|known| known.key));
    let Some(key) = key.await?.ok_or_else(|| missing(id))? else { return Ok(()) };
    let vault = Arc::clone(state.vault());
    let destroyed = tokio::task::spawn_blocking(move || vault.destroy(key)).await.map_err(|_| ApiError::internal())?;
    destroyed.map_err(|fault| {
        tracing::error!("the key of a deleted identity is not destroyed: {}", engine::fault_text(&fault));
        state.set_down("the key of a deleted identity could not be destroyed; start the server again");
        ApiError::new(
            Code::GenInternal,
            "the identity is deleted, but its key is not destroyed before the next start; see /health",
        )
    })
}
