//! Routes of balance monitors.

use super::answer;
use super::ask::{self, Outcome};
use super::body::RequestBody;
use super::error::{ApiError, Code};
use super::failure::{self, About};
use super::openapi::{Answer as Told, Field, Object, Operation, Schema};
use super::state::{Answer, AppState};
use crate::api::monitor::{MonitorBody, MonitorView};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use engine::reading::{Books, BooksFault};
use ledger::command::{Command, DeleteMonitor, SetMonitor};
use ledger::event::{Event, MonitorSet};
use ledger::id::{Id, Prefix};
use ledger::rejection::Rejection;
use ledger::state::NO_RECORD;
use serde_json::json;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Lists of monitors that are read and written at the same time, on threads of their own; more wait.
pub const LISTS_MAX: usize = 1;

static LISTS: Semaphore = Semaphore::const_new(LISTS_MAX);

const FIELD: Schema = Schema::Choice(&[
    "debit_balance",
    "credit_balance",
    "balance",
    "inflight_debit_balance",
    "inflight_credit_balance",
    "inflight_balance",
]);
const OPERATOR: Schema = Schema::Choice(&[">", "<", ">=", "<=", "=", "!="]);
const JOINED: Schema = Schema::Choice(&["all", "any"]);
const TRIGGER: Schema = Schema::Choice(&["level", "edge"]);

const NEW_CONDITION: Object = Object {
    name: "NewMonitorCondition",
    description: "A figure of a balance compared with a threshold.",
    fields: &[
        Field::required("field", FIELD, "Which figure."),
        Field::required("operator", OPERATOR, "How it is compared."),
        Field::optional(
            "value",
            Schema::Integer,
            "With what, in major units, not zero; `precise_value` takes its place.",
        ),
        Field::optional("precision", Schema::Integer, "Minor units in a major unit; needed with `value`."),
        Field::optional("precise_value", Schema::Integer, "With what, in minor units, where `value` is left out."),
    ],
};
const NEW_MONITOR: Object = Object {
    name: "NewMonitor",
    description: "What is to be watched.",
    fields: &[
        Field::required("balance_id", Schema::Text, "The balance that is watched."),
        Field::optional("condition", Schema::Object(&NEW_CONDITION), "What has to hold."),
        Field::optional(
            "conditions",
            Schema::List(&Schema::Object(&NEW_CONDITION)),
            "In place of `condition`: up to 16 things that have to hold.",
        ),
        Field::optional(
            "match",
            JOINED,
            "Whether all of the conditions have to hold, or one is enough; `all` unless given.",
        ),
        Field::optional(
            "trigger",
            TRIGGER,
            "`level`, unless given: it fires after every change while the condition holds. `edge`: only when it becomes true.",
        ),
        Field::optional("description", Schema::Text, "For people."),
        Field::optional("call_back_url", Schema::Text, "Kept, never called and never shown."),
        Field::optional("meta_data", Schema::Map, "Anything."),
    ],
};
const CONDITION: Object = Object {
    name: "MonitorCondition",
    description: "A figure of a balance compared with a threshold.",
    fields: &[
        Field::required("value", Schema::Decimal, "The threshold in major units."),
        Field::required("precision", Schema::Integer, "Minor units in a major unit."),
        Field::required("precise_value", Schema::Integer, "The threshold in minor units: this is what counts."),
        Field::required("field", FIELD, "Which figure."),
        Field::required("operator", OPERATOR, "How it is compared."),
    ],
};
const MONITOR: Object = Object {
    name: "Monitor",
    description: "A monitor of a balance. When it fires, the event `balance.monitor` tells it.",
    fields: &[
        Field::required("monitor_id", Schema::Text, "Its id."),
        Field::required("balance_id", Schema::Text, "The balance that it watches."),
        Field::optional("description", Schema::Text, "For people."),
        Field::required("created_at", Schema::Time, "When it was made."),
        Field::required("condition", Schema::Object(&CONDITION), "What has to hold; the first of several conditions."),
        Field::optional(
            "conditions",
            Schema::List(&Schema::Object(&CONDITION)),
            "All conditions, when they are several.",
        ),
        Field::optional("match", JOINED, "How several conditions are joined."),
        Field::optional("trigger", TRIGGER, "`edge` when it fires only as its condition becomes true."),
        Field::optional("meta_data", Schema::Map, "What was given."),
    ],
};
const DONE: Object = Object {
    name: "MonitorDone",
    description: "It was done.",
    fields: &[Field::required("message", Schema::Text, "For people.")],
};

/// Document of [`create_monitor`].
pub const CREATE_MONITOR: Operation = Operation {
    summary: "Watch a balance",
    description: "The monitor is evaluated after every change of the posted or held figures of its balance from then on, of either side of a \
                  transaction, and tells what it is in the event `balance.monitor`. It never holds up or refuses a transaction.",
    body: Some(&Schema::Object(&NEW_MONITOR)),
    answers: &[Told { status: 201, description: "The monitor.", schema: &Schema::Object(&MONITOR) }],
    ..Operation::new("create_monitor", "Balance monitors")
};

/// `POST /balance-monitors`.
pub async fn create_monitor(State(state): State<AppState>, body: RequestBody) -> Answer {
    let body: MonitorBody<'_> = body.decode()?;
    let (balance, definition) = body.wanted(None)?;
    let balance = balance.ok_or_else(unknown_balance)?;
    let number =
        match ask::change(&state, Command::SetMonitor(SetMonitor { monitor: None, balance, definition }), 0).await? {
            Outcome::Made(number, _) => number,
            Outcome::Refused(refused) => return Err(refused_for("", refused.rejection)),
            Outcome::Recorded(_) | Outcome::Rescheduled(_) | Outcome::Unchanged => return Err(ApiError::internal()),
        };
    let id = ask::look(&state, move |view| view.state.monitors.get(number).map(|monitor| (monitor.id, monitor.record)));
    let (id, record) = id.await?.ok_or_else(ApiError::internal)?;
    if record == NO_RECORD {
        return Err(not_found(&id.text(Prefix::Monitor)));
    }
    Ok(answer::json(StatusCode::CREATED, &view(state.books(), record)?))
}

/// Document of [`get_monitor`].
pub const GET_MONITOR: Operation = Operation {
    summary: "Read a monitor",
    answers: &[Told { status: 200, description: "The monitor.", schema: &Schema::Object(&MONITOR) }],
    ..Operation::new("get_monitor", "Balance monitors")
};

/// `GET /balance-monitors/{id}`.
pub async fn get_monitor(State(state): State<AppState>, Path(id): Path<String>) -> Answer {
    let event = find(&state, &id).await?;
    Ok(answer::json(StatusCode::OK, &shown(state.books(), &event)?))
}

/// Document of [`list_monitors`].
pub const LIST_MONITORS: Operation = Operation {
    summary: "List all monitors, oldest first",
    answers: LIST,
    ..Operation::new("list_monitors", "Balance monitors")
};
const LIST: &[Told] =
    &[Told { status: 200, description: "Monitors.", schema: &Schema::List(&Schema::Object(&MONITOR)) }];

/// `GET /balance-monitors`.
pub async fn list_monitors(State(state): State<AppState>) -> Answer {
    // A copy shares what it holds, so that the writer is not kept by a long list.
    let monitors = ask::look(&state, |view| view.state.monitors.clone()).await?;
    list(&state, move || monitors.iter().map(|one| one.record).filter(|record| *record != NO_RECORD).collect()).await
}

/// Document of [`list_monitors_of_balance`].
pub const LIST_MONITORS_OF_BALANCE: Operation = Operation {
    summary: "List the monitors of a balance, oldest first",
    answers: LIST,
    ..Operation::new("list_monitors_of_balance", "Balance monitors")
};

/// `GET /balance-monitors/balances/{balance_id}`.
pub async fn list_monitors_of_balance(State(state): State<AppState>, Path(balance): Path<String>) -> Answer {
    let balance = Id::parse(Prefix::Balance, &balance);
    let records = ask::look(&state, move |view| {
        let monitors = &view.state.monitors;
        let numbers =
            balance.and_then(|id| view.state.find_balance(id)).map_or(&[][..], |one| monitors.of_balance(one));
        numbers.iter().filter_map(|number| Some(monitors.get(*number)?.record)).collect::<Vec<u64>>()
    });
    let records = records.await?;
    list(&state, move || records).await
}

/// Reads and writes monitors on a thread of its own.
async fn list(state: &AppState, records: impl FnOnce() -> Vec<u64> + Send + 'static) -> Answer {
    let permit = LISTS.acquire().await.map_err(|_| ApiError::internal())?;
    let books = Arc::clone(state.engine().books());
    let text = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        let views = records().into_iter().map(|record| view(&books, record));
        views.collect::<Result<Vec<_>, ApiError>>().map(|views| answer::to_json(&views))
    });
    Ok(answer::json_text(StatusCode::OK, text.await.map_err(|_| ApiError::internal())??))
}

/// Document of [`update_monitor`].
pub const UPDATE_MONITOR: Operation = Operation {
    summary: "Change what a monitor watches",
    description: "Replaces the balance, the conditions and the description. The precision of a condition, `trigger`, `call_back_url` and \
                  `meta_data` stay as they are unless others are given.",
    body: Some(&Schema::Object(&NEW_MONITOR)),
    answers: &[Told { status: 200, description: "It was changed.", schema: &Schema::Object(&DONE) }],
    ..Operation::new("update_monitor", "Balance monitors")
};

/// `PUT /balance-monitors/{id}`.
pub async fn update_monitor(State(state): State<AppState>, Path(id): Path<String>, body: RequestBody) -> Answer {
    let body: MonitorBody<'_> = body.decode()?;
    // What is not given stays as it is read here, so that changes of one monitor wait for each other.
    let _turn = state.turns().take(&id).await;
    let before = find(&state, &id).await?;
    let (balance, definition) = body.wanted(Some(&before.definition))?;
    let balance = balance.ok_or_else(unknown_balance)?;
    let command = Command::SetMonitor(SetMonitor { monitor: Some(before.id), balance, definition });
    done(&state, &id, command, "BalanceMonitor updated successfully").await
}

/// Document of [`delete_monitor`].
pub const DELETE_MONITOR: Operation = Operation {
    summary: "Delete a monitor",
    answers: &[Told { status: 200, description: "It was deleted.", schema: &Schema::Object(&DONE) }],
    ..Operation::new("delete_monitor", "Balance monitors")
};

/// `DELETE /balance-monitors/{id}`.
pub async fn delete_monitor(State(state): State<AppState>, Path(id): Path<String>) -> Answer {
    let monitor = Id::parse(Prefix::Monitor, &id).ok_or_else(|| not_found(&id))?;
    done(&state, &id, Command::DeleteMonitor(DeleteMonitor { monitor }), "BalanceMonitor deleted successfully").await
}

async fn done(state: &AppState, id: &str, command: Command, message: &str) -> Answer {
    match ask::change(state, command, 0).await? {
        Outcome::Made(..) => Ok(answer::json(StatusCode::OK, &json!({ "message": message }))),
        Outcome::Refused(refused) => Err(refused_for(id, refused.rejection)),
        Outcome::Recorded(_) | Outcome::Rescheduled(_) | Outcome::Unchanged => Err(ApiError::internal()),
    }
}

/// What a monitor is at present.
async fn find(state: &AppState, id: &str) -> Result<MonitorSet, ApiError> {
    let parsed = Id::parse(Prefix::Monitor, id);
    let found = ask::look(state, move |view| view.state.monitors.find(parsed?).map(|monitor| monitor.record));
    let record = found.await?.ok_or_else(|| not_found(id))?;
    defined(state.books(), record)
}

/// What a record defines.
fn defined(books: &Books, record: u64) -> Result<MonitorSet, ApiError> {
    match books.event(record)? {
        Event::MonitorSet(event) => Ok(event),
        _ => {
            tracing::error!("the record at {record} defines no monitor; run `florin verify`");
            Err(ApiError::internal())
        }
    }
}

/// The monitor that a record defines, as it was then.
pub fn view(books: &Books, record: u64) -> Result<MonitorView, ApiError> {
    shown(books, &defined(books, record)?)
}

fn shown(books: &Books, event: &MonitorSet) -> Result<MonitorView, ApiError> {
    let balance = books.balance_id(event.balance).ok_or(BooksFault::Row(event.first_row))?;
    Ok(MonitorView::new(event, balance))
}

fn unknown_balance() -> ApiError {
    ApiError::new(Code::GenBadRequest, "Invalid balance ID")
}

fn refused_for(id: &str, rejection: Rejection) -> ApiError {
    match rejection {
        Rejection::BalanceNotFound => unknown_balance(),
        Rejection::MonitorNotFound => not_found(id),
        other => failure::refusal(other, About::default()),
    }
}

fn not_found(id: &str) -> ApiError {
    ApiError::new(Code::BalMonitorNotFound, format!("Monitor with ID '{id}' not found")).details(json!({}))
}
