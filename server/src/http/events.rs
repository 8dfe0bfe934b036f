//! `GET /events`.

use super::answer;
use super::error::{ApiError, Code};
use super::openapi::{Answer as Told, Field, Object, Operation, Schema};
use super::parameters::Parameters;
use super::state::{Answer, AppState};
use crate::feed::cursor::Cursor;
use crate::feed::page::{self, EVENTS_DEFAULT, EVENTS_MAX, Page};
use crate::feed::{names, show};
use axum::extract::State;
use axum::http::StatusCode;
use engine::reading::Books;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Longest time that a request may wait for something new, in seconds.
pub const WAIT_SECONDS_MAX: u64 = 30;
/// Pages that are read and written at the same time, on threads of their own; more wait.
pub const PAGES_MAX: usize = 2;

static PAGES: Semaphore = Semaphore::const_new(PAGES_MAX);

const EVENT: Object = Object {
    name: "Event",
    description: "Something that happened, as webhooks tell it.",
    fields: &[
        Field::required("id", Schema::Text, "Always the same for the same event: drop doubles by it."),
        Field::required("cursor", Schema::Text, "The place after it."),
        Field::required(
            "event",
            Schema::Choice(&[
                "ledger.created",
                "balance.created",
                "identity.created",
                "transaction.applied",
                "transaction.inflight",
                "transaction.void",
                "transaction.rejected",
                "bulk_transaction.failed",
                "balance.monitor",
            ]),
            "What happened.",
        ),
        Field::required("created_at", Schema::Time, "When it happened."),
        Field::required("data", Schema::Map, "The object it happened to, as it was then."),
    ],
};
const EVENTS: Object = Object {
    name: "Events",
    description: "Events that follow each other.",
    fields: &[
        Field::required("events", Schema::List(&Schema::Object(&EVENT)), "The events, oldest first."),
        Field::required("next", Schema::Text, "The place after them, for `after`."),
        Field::required("caught_up", Schema::Flag, "Whether there was nothing more to be told yet."),
    ],
};

/// Document of [`get_events`].
pub const GET_EVENTS: Operation = Operation {
    summary: "Read what happened, in order",
    description: "What webhooks deliver, in the order in which it was recorded: only what is durable, nothing left out, nothing \
                  twice. Keep `next` and give it back as `after`; it stays good across restarts. A page may be shorter than `limit` \
                  without being the last: `caught_up` says whether there was more.",
    query: &[
        Field::optional("after", Schema::Text, "A cursor; from the first event on without it."),
        Field::optional("limit", Schema::Integer, "Most events of the page, 1 to 1000; 100 unless given."),
        Field::optional("wait", Schema::Integer, "Seconds to wait until there is something, up to 30."),
    ],
    answers: &[Told { status: 200, description: "Events.", schema: &Schema::Object(&EVENTS) }],
    ..Operation::new("get_events", "Events")
};

/// `GET /events`.
pub async fn get_events(State(state): State<AppState>, query: Parameters) -> Answer {
    let after = match query.get("after").as_deref() {
        None | Some("") => None,
        Some(text) => Some(Cursor::parse(text).ok_or_else(bad_cursor)?),
    };
    let limit = number(&query, "limit", EVENTS_DEFAULT as u64, 1, EVENTS_MAX as u64)? as usize;
    let wait = Duration::from_secs(number(&query, "wait", 0, 0, WAIT_SECONDS_MAX)?);
    let page =
        if wait.is_zero() { read(&state, after, limit).await? } else { await_page(&state, after, limit, wait).await? };
    let names = names::find(&state, &page).await?;
    let vault = Arc::clone(state.vault());
    let text = aside(&state, move |books| Ok(answer::to_json(&show::page(books, &vault, page, names)?))).await?;
    Ok(answer::json_text(StatusCode::OK, text))
}

/// The page, as soon as there is something on it, or when the time is over.
async fn await_page(
    state: &AppState,
    mut after: Option<Cursor>,
    limit: usize,
    wait: Duration,
) -> Result<Page, ApiError> {
    let busy = || ApiError::new(Code::QueueBackpressure, "too many requests wait for events; try again in a moment");
    let mut listening = state.growth().listen(wait).ok_or_else(busy)?;
    loop {
        let page = read(state, after, limit).await?;
        if !page.records.is_empty() || !page.caught_up || !listening.grown().await {
            return Ok(page);
        }
        // Records without events need not be read again.
        after = page.next;
    }
}

async fn read(state: &AppState, after: Option<Cursor>, limit: usize) -> Result<Page, ApiError> {
    aside(state, move |books| page::read(books, after, limit)?.ok_or_else(bad_cursor)).await
}

/// Works on a thread of its own, as records are read from the disk.
async fn aside<T: Send + 'static>(
    state: &AppState,
    work: impl FnOnce(&Books) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let permit = PAGES.acquire().await.map_err(|_| ApiError::internal())?;
    let books = Arc::clone(state.engine().books());
    let worked = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        work(&books)
    });
    worked.await.map_err(|_| ApiError::internal())?
}

fn bad_cursor() -> ApiError {
    ApiError::new(Code::GenBadRequest, "after: no event of this ledger has this cursor; leave it out to begin again")
}

fn number(query: &Parameters, name: &str, default: u64, least: u64, most: u64) -> Result<u64, ApiError> {
    let Some(text) = query.get(name) else { return Ok(default) };
    text.parse().ok().filter(|number| (least..=most).contains(number)).ok_or_else(|| {
        ApiError::new(Code::GenBadRequest, format!("{name}: must be a whole number from {least} to {most}"))
    })
}
