//! Who was shown what tokens stand for. It is kept in the journal before it is shown.

use super::{missing, stored};
use crate::api::time;
use crate::http::answer;
use crate::http::ask::{self, Outcome};
use crate::http::auth::Principal;
use crate::http::error::{ApiError, Code};
use crate::http::layers::RequestId;
use crate::http::openapi::{Answer as Told, Field, Object, Operation, Schema};
use crate::http::parameters::Parameters;
use crate::http::state::{Answer, AppState};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use engine::reading::Books;
use ledger::command::{Command, RevealIdentity};
use ledger::event::{Event, IdentityRevealed};
use ledger::limits::REVEAL_TEXT_BYTES_MAX;
use ledger::state::NO_RECORD;
use serde::Serialize;
use std::collections::BTreeSet;

/// Reveals of a page, unless asked for.
pub const REVEALS_DEFAULT: usize = 20;
/// Most reveals of a page.
pub const REVEALS_MAX: usize = 100;
/// What cursors begin with.
const CURSOR: &str = "rev_";

const REVEAL: Object = Object {
    name: "Reveal",
    description: "Somebody was shown what tokens stand for.",
    fields: &[
        Field::required("who", Schema::Text, "Who: `master` for the master key, `anyone` when no key is asked for."),
        Field::required("fields", Schema::List(&Schema::Text), "The fields."),
        Field::required("request_id", Schema::Text, "The id of the request, as its answer told it."),
        Field::required("created_at", Schema::Time, "When."),
    ],
};
const REVEALS: Object = Object {
    name: "Reveals",
    description: "Reveals, newest first.",
    fields: &[
        Field::required("reveals", Schema::List(&Schema::Object(&REVEAL)), "The reveals, newest first."),
        Field::required("next", Schema::Text, "The place after them, for `cursor`; empty when there are no more."),
    ],
};

/// Document of [`list_reveals`].
pub const LIST_REVEALS: Operation = Operation {
    summary: "Tell who was shown what tokens stand for",
    description: "Newest first. Values are not kept. When the identity is deleted, its reveals stay in the journal: see `florin inspect`.",
    query: &[
        Field::optional("limit", Schema::Integer, "Most reveals of the page, 1 to 100; 20 unless given."),
        Field::optional("cursor", Schema::Text, "`next` of the page before."),
    ],
    answers: &[Told { status: 200, description: "Reveals.", schema: &Schema::Object(&REVEALS) }],
    ..Operation::new("list_reveals", "Identities")
};

#[derive(Serialize)]
struct RevealView {
    who: String,
    fields: Vec<String>,
    request_id: String,
    created_at: String,
}

#[derive(Serialize)]
struct RevealsView {
    reveals: Vec<RevealView>,
    next: String,
}

/// `GET /identities/{id}/reveals`.
pub async fn list_reveals(State(state): State<AppState>, Path(id): Path<String>, query: Parameters) -> Answer {
    let limit = match query.get("limit") {
        None => REVEALS_DEFAULT,
        Some(text) => text.parse().ok().filter(|limit| (1..=REVEALS_MAX).contains(limit)).ok_or_else(|| {
            ApiError::new(Code::GenBadRequest, format!("limit: must be a whole number from 1 to {REVEALS_MAX}"))
        })?,
    };
    let handle = {
        let id = id.clone();
        let found = ask::look(&state, move |view| {
            let handle = view.state.find_identity(&id)?;
            Some((handle, view.state.identities.get(handle as usize)?.revealed))
        });
        found.await?
    };
    let (handle, newest) = handle.ok_or_else(|| missing(&id))?;
    let books = state.books();
    let mut at = match query.get("cursor").as_deref() {
        None | Some("") => newest,
        Some(text) => place_of(books, handle, newest, text)?,
    };
    let mut reveals = Vec::new();
    while at != NO_RECORD && reveals.len() < limit {
        let event = read(books, at)?;
        at = event.previous;
        reveals.push(RevealView {
            who: event.who,
            fields: event.fields,
            request_id: event.request,
            created_at: time::text(event.at),
        });
    }
    let next = if at == NO_RECORD { String::new() } else { format!("{CURSOR}{at:x}") };
    Ok(answer::json(StatusCode::OK, &RevealsView { reveals, next }))
}

fn read(books: &Books, at: u64) -> Result<IdentityRevealed, ApiError> {
    match books.event(at)? {
        Event::IdentityRevealed(event) => Ok(event),
        _ => Err(ApiError::internal()),
    }
}

/// The place that a cursor tells, when it is a reveal of this identity.
fn place_of(books: &Books, handle: u32, newest: u64, text: &str) -> Result<u64, ApiError> {
    let wrong =
        || ApiError::new(Code::GenBadRequest, "cursor: no reveal of this identity has it; leave it out to begin again");
    let at = text.strip_prefix(CURSOR).and_then(|digits| u64::from_str_radix(digits, 16).ok()).ok_or_else(wrong)?;
    if newest == NO_RECORD || at > newest {
        return Err(wrong());
    }
    // Anybody may send any number: what is not the place of a record is no damage.
    match books.event(at) {
        Ok(Event::IdentityRevealed(event)) if event.identity == handle => Ok(at),
        _ => Err(wrong()),
    }
}

/// Keeps who is about to be shown what. When this is answered it is durable.
pub(super) async fn keep(
    state: &AppState,
    id: &str,
    principal: &Principal,
    request: RequestId,
    fields: BTreeSet<&'static str>,
) -> Result<(), ApiError> {
    let command = Command::RevealIdentity(RevealIdentity {
        identity: id.to_owned(),
        who: cut(principal.name()),
        request: cut(request.text()),
        fields: fields.into_iter().map(str::to_owned).collect(),
    });
    match ask::change(state, command, 0).await? {
        Outcome::Made(..) => Ok(()),
        Outcome::Refused(refused) => Err(stored::refused_of(refused.rejection, id)),
        Outcome::Recorded(_) | Outcome::Rescheduled(_) | Outcome::Unchanged => Err(ApiError::internal()),
    }
}

/// What is kept of a text: so many bytes at most, whole letters only.
fn cut(text: &str) -> String {
    let end = (0..=REVEAL_TEXT_BYTES_MAX.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text[..end.unwrap_or(0)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_letters() {
        let longest = "é".repeat(REVEAL_TEXT_BYTES_MAX / 2);
        assert_eq!(cut(&longest), longest);
        assert_eq!(cut(&format!("{longest}é")), longest);
        assert_eq!(cut(&format!("x{longest}")).len(), REVEAL_TEXT_BYTES_MAX - 1);
    }
}
