//! `POST /{id}/metadata`: changing the metadata of what there is.
//!
//! The keys that are given replace those that are there, one by one; the others stay. Of a ledger, balance or identity the whole
//! is computed here from what was read, and recorded only if nothing changed meanwhile; otherwise it is begun again, so that
//! no change is lost.

mod sums;

use super::answer;
use super::ask::{self, Outcome};
use super::balances::Texts;
use super::body::RequestBody;
use super::error::{ApiError, Code};
use super::failure::{self, About};
use super::openapi::{Answer as Told, Field, Object, Operation, Schema};
use super::state::{Answer, AppState};
use super::{identities, ledgers};
use crate::api::metadata::{self, Metadata};
use crate::api::validate::Problems;
use crate::decode::RawObject;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use ledger::command::{ChangeMetadata, Command};
use ledger::id::{Id, Prefix};
use ledger::limits::METADATA_BYTES_MAX;
use ledger::notes::Subject;
use ledger::rejection::Rejection;
use ledger::row::Parent;
use ledger::state::NO_RECORD;
use serde::Serialize;

crate::lenient_struct! {
    /// Body of `POST /{id}/metadata`.
    pub struct MetadataBody<'a> {
        /// The keys to set.
        "meta_data" metadata: RawObject<'a>,
    }
}

const METADATA: Object = Object {
    name: "MetadataChange",
    description: "Metadata.",
    fields: &[Field::required("meta_data", Schema::Map, "Keys and values.")],
};

/// Document of [`change_metadata`].
pub const CHANGE_METADATA: Operation = Operation {
    summary: "Change the metadata of a ledger, balance, identity or transaction",
    description: "Sets the keys that are given; the others stay. A change of a transaction counts for the rows that belong to it too, and \
                  one of a batch or of a split transaction for all its rows. Answers the metadata as it is now; of transactions, only \
                  what was given.",
    body: Some(&Schema::Object(&METADATA)),
    answers: &[Told { status: 200, description: "The metadata.", schema: &Schema::Object(&METADATA) }],
    ..Operation::new("change_metadata", "Metadata")
};

/// How often a change is begun again when others were quicker. Each time one of them got through.
const ATTEMPTS_MAX: usize = 1_000;

#[derive(Serialize)]
struct Shown {
    meta_data: Metadata,
}

/// `POST /{id}/metadata`.
pub async fn change_metadata(State(state): State<AppState>, Path(id): Path<String>, body: RequestBody) -> Answer {
    let body: MetadataBody<'_> = body.decode()?;
    let raw = body.metadata.ok_or_else(|| ApiError::new(Code::GenMalformedRequest, "meta_data: cannot be blank."))?;
    let given = Metadata::parse(raw.0)
        .ok_or_else(|| ApiError::new(Code::GenMalformedRequest, "meta_data: must be an object."))?;
    check_length(raw.0)?;
    let shown = match kind_of(&id) {
        Some(Kind::Ledger) => change_whole(&state, &id, Whole::Ledger, given).await?,
        Some(Kind::Balance) => change_whole(&state, &id, Whole::Balance, given).await?,
        Some(Kind::Identity) => change_identity(&state, &id, &given).await?,
        Some(Kind::Rows) => change_rows(&state, &id, raw.0, given).await?,
        None => {
            return Err(ApiError::new(Code::MetaInvalidEntityId, format!("invalid entity ID format: {id}")));
        }
    };
    Ok(answer::json(StatusCode::OK, &Shown { meta_data: shown }))
}

enum Kind {
    Ledger,
    Balance,
    Identity,
    Rows,
}

/// What an id is of, by its prefix.
fn kind_of(id: &str) -> Option<Kind> {
    let (prefix, _) = id.split_once('_')?;
    match prefix {
        "ldg" => Some(Kind::Ledger),
        "bln" => Some(Kind::Balance),
        "idt" => Some(Kind::Identity),
        "txn" | "bulk" => Some(Kind::Rows),
        _ => None,
    }
}

fn check_length(text: &str) -> Result<(), ApiError> {
    let mut problems = Problems::default();
    problems.length("meta_data", text, METADATA_BYTES_MAX);
    problems.into_result(Code::GenValidationError)
}

fn not_found() -> ApiError {
    ApiError::new(Code::MetaEntityNotFound, "entity not found")
}

/// Something whose metadata is recorded as a whole.
#[derive(Clone, Copy)]
enum Whole {
    Ledger,
    Balance,
}

/// Metadata as it is now, and the record of the newest change that it comes from.
struct Now {
    subject: Subject,
    seen: u64,
    metadata: Metadata,
}

async fn change_whole(state: &AppState, id: &str, whole: Whole, given: Metadata) -> Result<Metadata, ApiError> {
    for _ in 0..ATTEMPTS_MAX {
        let Now { subject, seen, mut metadata } = now(state, id, whole).await?.ok_or_else(not_found)?;
        metadata.merge(given.clone());
        let mut kept = metadata.clone();
        if matches!(whole, Whole::Balance) && sums::are_wanted(&metadata) {
            sums::make_again(state, id, &mut kept).await?;
        }
        let text = kept.whole_text();
        check_length(&text)?;
        let command = Command::ChangeMetadata(ChangeMetadata { subject, metadata: text, seen });
        match ask::change(state, command, 0).await? {
            Outcome::Made(..) => return Ok(metadata),
            Outcome::Refused(refused) if refused.rejection == Rejection::MetadataChanged => {}
            Outcome::Refused(refused) => return Err(failure::refusal(refused.rejection, About::default())),
            Outcome::Recorded(_) | Outcome::Rescheduled(_) | Outcome::Unchanged => return Err(ApiError::internal()),
        }
    }
    Err(failure::refusal(Rejection::MetadataChanged, About::default()))
}

async fn now(state: &AppState, id: &str, whole: Whole) -> Result<Option<Now>, ApiError> {
    let books = state.books();
    match whole {
        Whole::Ledger => {
            let id = id.to_owned();
            let found = ask::look(state, move |view| {
                let handle = view.state.find_ledger(&id)?;
                let subject = Subject::Ledger(handle);
                Some((subject, view.state.newest_note(subject), ledgers::Found::of(view.state, handle)?))
            });
            let Some((subject, seen, found)) = found.await? else { return Ok(None) };
            let metadata = found.view(books)?.meta_data.unwrap_or_default();
            Ok(Some(Now { subject, seen, metadata }))
        }
        Whole::Balance => {
            let parsed = Id::parse(Prefix::Balance, id);
            let found = ask::look(state, move |view| {
                let handle = view.state.find_balance(parsed?)?;
                let subject = Subject::Balance(handle);
                Some((subject, view.state.newest_note(subject), view.state.balance(handle).clone()))
            });
            let Some((subject, seen, balance)) = found.await? else { return Ok(None) };
            let mut texts = Texts::new(books);
            let (_, text) = texts.of(&balance, seen)?;
            Ok(Some(Now { subject, seen, metadata: Metadata::parse(&text).unwrap_or_default() }))
        }
    }
}

async fn change_identity(state: &AppState, id: &str, given: &Metadata) -> Result<Metadata, ApiError> {
    if identities::stored::find(state, id).await?.is_none() {
        return Err(not_found());
    }
    let changed = identities::stored::change(state, id, |fields| {
        let mut metadata = fields.metadata().cloned().unwrap_or_default();
        metadata.merge(given.clone());
        fields.set_metadata(metadata);
        Ok(fields.shown_metadata().unwrap_or_default())
    });
    changed.await
}

async fn change_rows(state: &AppState, id: &str, raw: &str, given: Metadata) -> Result<Metadata, ApiError> {
    let subject = Subject::Rows(rows_of(state, id)?.ok_or_else(not_found)?);
    let metadata = metadata::stored(raw).into_owned();
    let command = Command::ChangeMetadata(ChangeMetadata { subject, metadata, seen: NO_RECORD });
    match ask::change(state, command, 0).await? {
        Outcome::Made(..) => Ok(given),
        Outcome::Refused(refused) => Err(failure::refusal(refused.rejection, About::default())),
        Outcome::Recorded(_) | Outcome::Rescheduled(_) | Outcome::Unchanged => Err(ApiError::internal()),
    }
}

/// What an id of transactions stands for: a row, a split transaction or a batch.
fn rows_of(state: &AppState, id: &str) -> Result<Option<Parent>, ApiError> {
    let books = state.books();
    if let Some(id) = Id::parse(Prefix::Batch, id) {
        return Ok(books.find_batch(id)?.map(|(_, event)| Parent::Batch(event.first_row)));
    }
    let Some(id) = Id::parse(Prefix::Transaction, id) else { return Ok(None) };
    if let Some(row) = books.find_transaction(id)? {
        return Ok(Some(Parent::Row(row.number)));
    }
    Ok(books.find_split(id)?.map(|(first, _)| Parent::Split(first.number)))
}
