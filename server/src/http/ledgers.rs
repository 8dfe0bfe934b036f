//! Routes of ledgers.

use super::answer;
use super::ask::{self, Outcome};
use super::body::RequestBody;
use super::error::{ApiError, Code, Legacy};
use super::failure::{self, About};
use super::filters::{newest_first, stored};
use super::openapi::{Answer as Told, Field, Object, Operation, Schema};
use super::paging::{self, Paging};
use super::parameters::Parameters;
use super::state::{Answer, AppState};
use crate::api::filter::query;
use crate::api::ledger::{LedgerBody, LedgerView};
use crate::api::metadata::Metadata;
use crate::api::time;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use engine::reading::Books;
use ledger::command::{Command, RenameLedger};
use ledger::event::Event;
use ledger::notes::Subject;
use ledger::state::{GENERAL_LEDGER_NAME, Ledger, NO_RECORD, State as LedgerState};
use serde_json::json;

/// A ledger in the document.
pub const LEDGER: Object = Object {
    name: "Ledger",
    description: "A ledger: what balances belong to.",
    fields: &[
        Field::required("ledger_id", Schema::Text, "Its id."),
        Field::required("name", Schema::Text, "Its name; names are not unique."),
        Field::required("created_at", Schema::Time, "When it was made."),
        Field::required("meta_data", Schema::Map, "What its maker noted, or null."),
    ],
};
const NEW_LEDGER: Object = Object {
    name: "NewLedger",
    description: "A ledger to be made.",
    fields: &[
        Field::required("name", Schema::Text, "Its name."),
        Field::optional("meta_data", Schema::Map, "Anything."),
    ],
};

/// Document of [`create_ledger`].
pub const CREATE_LEDGER: Operation = Operation {
    summary: "Make a ledger",
    body: Some(&Schema::Object(&NEW_LEDGER)),
    answers: &[Told { status: 201, description: "The ledger.", schema: &Schema::Object(&LEDGER) }],
    ..Operation::new("create_ledger", "Ledgers")
};

/// `POST /ledgers`.
pub async fn create_ledger(State(state): State<AppState>, body: RequestBody) -> Answer {
    let body: LedgerBody<'_> = body.decode().map_err(malformed)?;
    let command = body.command()?;
    let (name, metadata) = (command.name.clone(), Metadata::parse(&command.metadata));
    let Outcome::Made(handle, at) = ask::change(&state, Command::CreateLedger(command), 0).await? else {
        return Err(ApiError::internal());
    };
    let ledger_id = ask::look(&state, move |view| view.state.ledger_text(handle)).await?;
    let view = LedgerView { ledger_id, name, created_at: time::text(at), meta_data: metadata };
    Ok(answer::json(StatusCode::CREATED, &view))
}

/// Document of [`get_ledger`].
pub const GET_LEDGER: Operation = Operation {
    summary: "Read a ledger",
    answers: &[Told { status: 200, description: "The ledger.", schema: &Schema::Object(&LEDGER) }],
    ..Operation::new("get_ledger", "Ledgers")
};

/// `GET /ledgers/{id}`.
pub async fn get_ledger(State(state): State<AppState>, Path(id): Path<String>) -> Answer {
    let view = find(&state, id).await?.ok_or_else(not_found)?;
    Ok(answer::json(StatusCode::OK, &view))
}

/// The ledger of an id, as it is shown.
pub async fn find(state: &AppState, id: String) -> Result<Option<LedgerView>, ApiError> {
    let found = ask::look(state, move |view| {
        let handle = view.state.find_ledger(&id)?;
        Found::of(view.state, handle)
    });
    found.await?.map(|found| found.view(state.books())).transpose()
}

/// Document of [`list_ledgers`].
pub const LIST_LEDGERS: Operation = Operation {
    summary: "List ledgers, newest first",
    query: paging::FIELDS,
    answers: &[Told { status: 200, description: "Ledgers.", schema: &Schema::List(&Schema::Object(&LEDGER)) }],
    ..Operation::new("list_ledgers", "Ledgers")
};

/// Ledgers of a page, unless asked for.
const PAGE_DEFAULT: usize = 10;

/// `GET /ledgers`.
pub async fn list_ledgers(State(state): State<AppState>, query: Parameters) -> Answer {
    let paging = Paging::strict(&query, PAGE_DEFAULT, ["Invalid limit value", "Invalid offset value"])?.ledgers();
    let filters = query::filters(&query)?;
    if !filters.is_empty() {
        let found = stored::find_ledgers(&state, newest_first(filters, paging.limit, paging.offset)).await?;
        return Ok(answer::json(StatusCode::OK, &found.views));
    }
    let found = ask::look(&state, move |view| {
        let ledgers = &view.state.ledgers;
        let handles = (0..ledgers.len()).rev().skip(paging.offset).take(paging.limit);
        handles.filter_map(|handle| Found::of(view.state, handle as u32)).collect::<Vec<_>>()
    });
    let views = found.await?.into_iter().map(|found| found.view(state.books()));
    Ok(answer::json(StatusCode::OK, &views.collect::<Result<Vec<_>, _>>()?))
}

/// Document of [`update_ledger`].
pub const UPDATE_LEDGER: Operation = Operation {
    summary: "Give a ledger another name",
    body: Some(&Schema::Object(&NEW_LEDGER)),
    answers: &[Told { status: 200, description: "The ledger.", schema: &Schema::Object(&LEDGER) }],
    ..Operation::new("update_ledger", "Ledgers")
};

/// `PUT /ledgers/{id}`.
pub async fn update_ledger(State(state): State<AppState>, Path(id): Path<String>, body: RequestBody) -> Answer {
    let body: LedgerBody<'_> = body.decode().map_err(malformed)?;
    let command = Command::RenameLedger(RenameLedger { ledger: id.clone(), name: body.checked_name()? });
    if let Outcome::Refused(refused) = ask::change(&state, command, 0).await? {
        return Err(failure::refusal(refused.rejection, About { id: &id, ..About::default() }));
    }
    let view = find(&state, id).await?.ok_or_else(not_found)?;
    Ok(answer::json(StatusCode::OK, &view))
}

fn malformed(malformed: crate::decode::Malformed) -> ApiError {
    ApiError::new(Code::GenMalformedRequest, malformed.into_message()).legacy(Legacy::Errors)
}

fn not_found() -> ApiError {
    ApiError::new(Code::LgrNotFound, "Ledger not found").details(json!({}))
}

/// What the state knows of a ledger; its texts are in its records.
pub struct Found {
    ledger_id: String,
    ledger: Ledger,
    /// Where the newest change of its metadata is, or [`NO_RECORD`].
    noted: u64,
}

impl Found {
    /// A ledger, if it exists.
    pub fn of(state: &LedgerState, handle: u32) -> Option<Found> {
        let ledger = state.ledgers.get(handle as usize)?.clone();
        let noted = state.newest_note(Subject::Ledger(handle));
        Some(Found { ledger_id: state.ledger_text(handle), ledger, noted })
    }

    /// The ledger as it was when a record was written that renames it.
    pub fn before(self, books: &Books, record: u64) -> Result<Found, ApiError> {
        let ledger = Ledger { renamed: NO_RECORD, ..self.ledger };
        Ok(Found { ledger, noted: books.newest_change_before(self.noted, record)?, ..self })
    }

    /// The ledger as it is shown.
    pub fn view(self, books: &Books) -> Result<LedgerView, ApiError> {
        let Found { ledger_id, ledger, noted } = self;
        let (mut name, mut metadata) = (GENERAL_LEDGER_NAME.to_owned(), "{}".to_owned());
        if ledger.record != NO_RECORD
            && let Event::LedgerCreated(event) = books.event(ledger.record)?
        {
            (name, metadata) = (event.name, event.metadata);
        }
        if ledger.renamed != NO_RECORD
            && let Event::LedgerRenamed(event) = books.event(ledger.renamed)?
        {
            name = event.name;
        }
        if noted != NO_RECORD {
            metadata = books.change(noted)?.metadata;
        }
        let created_at = time::text(ledger.created_at);
        Ok(LedgerView { ledger_id, name, created_at, meta_data: Metadata::parse(&metadata) })
    }
}
