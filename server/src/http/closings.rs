//! Routes of closings: the books of a ledger are closed up to a moment, and what they added up to is kept.
//!
//! ```text
//! sum (is it possible at all?) ─▶ record the closing ─▶ sum once more, as nothing can change it now ─▶ record the totals ─▶ answer
//! ```
//!
//! A stop between the two records leaves a closing without totals; it gets them at the next start, or when it is looked at.

use super::aggregate::{AGGREGATES, Stop, fault_told};
use super::answer;
use super::ask::{self, Outcome};
use super::body::RequestBody;
use super::error::{ApiError, Code};
use super::failure::{self, About};
use super::openapi::{Answer as Told, Field, Object, Operation, Schema};
use super::paging::{self, Paging};
use super::parameters::Parameters;
use super::state::{Answer, AppState};
use crate::api::closing::{self as wire, CheckView, ClosingBody, ClosingView};
use crate::api::time;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use engine::aggregate::{AggregateFault, Snapshot};
use engine::closings;
use engine::reading::Books;
use ledger::closings::{Closing, Total};
use ledger::command::{CloseLedger, Command, RecordTotals};
use ledger::event::{Event, LedgerClosed};
use ledger::id::{Id, Prefix};
use ledger::limits::{CLOSING_CURRENCIES_MAX, CLOSINGS_PER_LEDGER_MAX};
use ledger::rejection::Rejection;
use ledger::state::{GENERAL_LEDGER, NO_RECORD, State as LedgerState};
use serde_json::json;
use std::sync::Arc;

/// Most closings of a page.
pub const PAGE_MAX: usize = 1_000;
/// Closings of a page, unless asked for.
const PAGE_DEFAULT: usize = 100;

const NEW_CLOSING: Object = Object {
    name: "NewClosing",
    description: "Books to be closed.",
    fields: &[
        Field::required(
            "until",
            Schema::Time,
            "The first moment that is not closed; not to come, and later than before.",
        ),
        Field::optional("description", Schema::Text, "For people."),
        Field::optional("meta_data", Schema::Map, "Anything."),
    ],
};
const TOTAL: Object = Object {
    name: "ClosingTotal",
    description: "What the balances of a ledger in a currency had, in minor units.",
    fields: &[
        Field::required("currency", Schema::Text, "The currency."),
        Field::optional("precision", Schema::Integer, "Minor units in a major unit, when the currency is registered."),
        Field::required("count", Schema::Integer, "Balances that existed before `until`."),
        Field::required("opening_balance", Schema::Integer, "Credits less debits before `from`."),
        Field::required("opening_credit_balance", Schema::Integer, "All credits before `from`."),
        Field::required("opening_debit_balance", Schema::Integer, "All debits before `from`."),
        Field::required("credit", Schema::Integer, "Credits of the period."),
        Field::required("debit", Schema::Integer, "Debits of the period."),
        Field::required("closing_balance", Schema::Integer, "Credits less debits before `until`."),
        Field::required("closing_credit_balance", Schema::Integer, "All credits before `until`."),
        Field::required("closing_debit_balance", Schema::Integer, "All debits before `until`."),
    ],
};
const CHECK: Object = Object {
    name: "ClosingCheck",
    description: "What came of summing once more.",
    fields: &[
        Field::required("agrees", Schema::Flag, "Whether the sums are those that were recorded."),
        Field::required("checked_at", Schema::Time, "When."),
        Field::optional("totals", Schema::List(&Schema::Object(&TOTAL)), "The sums of now, when they are others."),
    ],
};
const CLOSING: Object = Object {
    name: "Closing",
    description: "Closed books.",
    fields: &[
        Field::required("closing_id", Schema::Text, "Its id."),
        Field::required("ledger_id", Schema::Text, "The ledger."),
        Field::optional("from", Schema::Time, "Where its books were closed before; absent for the first closing."),
        Field::required("until", Schema::Time, "The first moment that is not closed."),
        Field::required("created_at", Schema::Time, "When they were closed."),
        Field::optional("description", Schema::Text, "For people."),
        Field::optional("meta_data", Schema::Map, "What was given."),
        Field::required(
            "status",
            Schema::Choice(&["complete", "pending"]),
            "`pending` for the short time until its totals are recorded.",
        ),
        Field::optional(
            "totals",
            Schema::List(&Schema::Object(&TOTAL)),
            "By currency, as they were recorded; not in lists.",
        ),
        Field::optional("check", Schema::Object(&CHECK), "With `check=true`."),
    ],
};

/// Document of [`create_closing`].
pub const CREATE_CLOSING: Operation = Operation {
    summary: "Close the books of a ledger up to a moment",
    description: "Florin's own. From then on whatever has an `effective_date` before `until` and names a balance of the ledger, on either \
                  side, is refused with TXN_PERIOD_CLOSED; adjustments are dated `until` or later. Holds stay open and count when they \
                  are settled; so do refunds. Books that are closed stay closed. The totals of the moment are recorded for good.",
    body: Some(&Schema::Object(&NEW_CLOSING)),
    answers: &[Told { status: 201, description: "The closing.", schema: &Schema::Object(&CLOSING) }],
    ..Operation::new("create_closing", "Closings")
};

/// `POST /ledgers/{id}/closings`.
pub async fn create_closing(State(state): State<AppState>, Path(id): Path<String>, body: RequestBody) -> Answer {
    let body: ClosingBody<'_> = body.decode()?;
    let command = body.command(id)?;
    try_sum(&state, &command).await?;
    // Who asked may go away in the middle; what was begun is ended all the same.
    let work = tokio::spawn(async move {
        let number = match ask::change(&state, Command::CloseLedger(command), 0).await? {
            Outcome::Made(number, _) => number,
            Outcome::Refused(refused) => return Err(refused_for(refused.rejection)),
            Outcome::Recorded(_) | Outcome::Rescheduled(_) | Outcome::Unchanged => return Err(ApiError::internal()),
        };
        complete(&state, number).await?;
        shown(&state, number).await
    });
    let view = work.await.map_err(|_| ApiError::internal())??;
    Ok(answer::json(StatusCode::CREATED, &view))
}

/// Sums what is to be closed before it is: what cannot be summed is not closed.
async fn try_sum(state: &AppState, command: &CloseLedger) -> Result<(), ApiError> {
    let (ledger, until) = (command.ledger.clone(), command.until);
    let found = ask::look(state, move |view| {
        let ledger = view.state.find_ledger(&ledger).ok_or(Rejection::LedgerNotFound)?;
        let from = view.state.closings.closed_until(ledger);
        match from {
            _ if until > view.now => Err(Rejection::InFuture),
            Some(from) if until <= from => Err(Rejection::AlreadyClosed),
            _ => Ok((ledger, from, Snapshot::of(view.state))),
        }
    });
    let (ledger, from, snapshot) = found.await?.map_err(refused_for)?;
    let sums = summed(state, move |books, stop| closings::totals_of(books, &snapshot, ledger, (from, until), stop));
    sums.await.map(drop)
}

async fn summed(
    state: &AppState,
    work: impl FnOnce(&Books, &std::sync::atomic::AtomicBool) -> Result<Vec<Total>, AggregateFault> + Send + 'static,
) -> Result<Vec<Total>, ApiError> {
    let permit = AGGREGATES.acquire().await.map_err(|_| ApiError::internal())?;
    let (stop, books) = (Stop::default(), Arc::clone(state.engine().books()));
    let stopped = stop.flag();
    let work = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        work(&books, &stopped)
    });
    work.await.map_err(|_| ApiError::internal())?.map_err(|fault| match fault {
        AggregateFault::TooManyGroups => ApiError::new(
            Code::GenBadRequest,
            format!("the ledger has balances in more than {CLOSING_CURRENCIES_MAX} currencies, too many to be closed"),
        ),
        fault => fault_told(fault),
    })
}

/// What is to be known of a closing to sum it.
struct Known {
    closing: Closing,
    from: Option<i64>,
    snapshot: Snapshot,
    now: i64,
}

fn known(state: &LedgerState, number: u32, now: i64) -> Option<Known> {
    let closing = *state.closings.get(number)?;
    let before = state.closings.of_ledger(closing.ledger).iter().take_while(|other| **other < number).last();
    let from = before.and_then(|before| state.closings.get(*before)).map(|before| before.until);
    Some(Known { closing, from, snapshot: Snapshot::of(state), now })
}

async fn look_at(state: &AppState, number: u32) -> Result<Known, ApiError> {
    let found = ask::look(state, move |view| known(view.state, number, view.now));
    found.await?.ok_or_else(ApiError::internal)
}

async fn sums_of(state: &AppState, known: Known) -> Result<Vec<Total>, ApiError> {
    let Known { closing, from, snapshot, .. } = known;
    summed(state, move |books, stop| closings::totals(books, &snapshot, &closing, from, stop)).await
}

/// Records the totals of a closing that has none.
async fn complete(state: &AppState, number: u32) -> Result<(), ApiError> {
    let known = look_at(state, number).await?;
    if known.closing.totals != NO_RECORD {
        return Ok(());
    }
    let closing = known.closing.id;
    let totals = sums_of(state, known).await?;
    match ask::change(state, Command::RecordTotals(RecordTotals { closing, totals }), 0).await? {
        // Somebody else may have been quicker.
        Outcome::Made(..) | Outcome::Unchanged => Ok(()),
        Outcome::Refused(_) | Outcome::Recorded(_) | Outcome::Rescheduled(_) => Err(ApiError::internal()),
    }
}

/// Records the totals of all closings that have none: those that a crash came between.
pub async fn complete_all(state: AppState) {
    let open = ask::look(&state, |view| view.state.closings.open().iter().copied().collect::<Vec<u32>>());
    let Ok(open) = open.await else { return };
    for number in open {
        match complete(&state, number).await {
            Ok(()) => tracing::info!(closing = number, "recorded the totals of a closing that a stop had come between"),
            Err(error) => tracing::error!(closing = number, "cannot sum a closing: {}", error.message),
        }
    }
}

/// Document of [`list_closings`].
pub const LIST_CLOSINGS: Operation = Operation {
    summary: "List the closings of a ledger, newest first",
    query: paging::FIELDS,
    answers: &[Told {
        status: 200,
        description: "Closings, without their totals.",
        schema: &Schema::List(&Schema::Object(&CLOSING)),
    }],
    ..Operation::new("list_closings", "Closings")
};

/// `GET /ledgers/{id}/closings`.
pub async fn list_closings(State(state): State<AppState>, Path(id): Path<String>, query: Parameters) -> Answer {
    let paging = Paging::strict(&query, PAGE_DEFAULT, ["Invalid limit value", "Invalid offset value"])?;
    let limit = paging.limit.min(PAGE_MAX);
    let found = ask::look(&state, move |view| {
        let ledger = view.state.find_ledger(&id)?;
        let numbers = view.state.closings.of_ledger(ledger).iter().rev().skip(paging.offset).take(limit);
        let closings = numbers.filter_map(|number| view.state.closings.get(*number).copied());
        Some((closings.collect::<Vec<_>>(), view.state.ledger_text(ledger)))
    });
    let (closings, ledger_id) = found.await?.ok_or_else(|| refused_for(Rejection::LedgerNotFound))?;
    let views = closings.iter().map(|closing| view(state.books(), closing, ledger_id.clone()));
    Ok(answer::json(StatusCode::OK, &views.collect::<Result<Vec<_>, _>>()?))
}

/// Document of [`get_closing`].
pub const GET_CLOSING: Operation = Operation {
    summary: "Read a closing, and compare its totals",
    query: &[Field::optional(
        "check",
        Schema::Flag,
        "With `true`, everything is summed once more, and told whether that is what was recorded.",
    )],
    answers: &[Told { status: 200, description: "The closing.", schema: &Schema::Object(&CLOSING) }],
    ..Operation::new("get_closing", "Closings")
};

/// `GET /ledgers/{id}/closings/{closing_id}`.
pub async fn get_closing(
    State(state): State<AppState>,
    Path((id, closing_id)): Path<(String, String)>,
    query: Parameters,
) -> Answer {
    let check = match query.get("check").as_deref() {
        None | Some("" | "false" | "0") => false,
        Some("true" | "1") => true,
        Some(_) => return Err(ApiError::new(Code::GenValidationError, "check: must be true or false")),
    };
    let parsed = Id::parse(Prefix::Closing, &closing_id);
    let found = ask::look(&state, move |view| {
        let ledger = view.state.find_ledger(&id).ok_or(Rejection::LedgerNotFound)?;
        let closing = parsed.and_then(|id| view.state.closings.find(id)).filter(|one| one.ledger == ledger);
        Ok::<_, Rejection>(closing.map(|closing| closing.id.row() as u32))
    });
    let number = found.await?.map_err(refused_for)?.ok_or_else(|| {
        ApiError::new(Code::LgrClosingNotFound, format!("Closing with ID '{closing_id}' not found")).details(json!({}))
    })?;
    complete(&state, number).await?;
    let mut view = shown(&state, number).await?;
    if check {
        let known = look_at(&state, number).await?;
        let (recorded, now) = (recorded(state.books(), &known.closing)?, known.now);
        let totals = sums_of(&state, known).await?;
        let agrees = totals == recorded;
        let currencies = ask::look(&state, |view| Arc::clone(&view.state.currencies)).await?;
        view.check = Some(CheckView {
            agrees,
            checked_at: time::text(now),
            totals: (!agrees).then(|| wire::totals(&totals, &currencies)),
        });
    }
    Ok(answer::json(StatusCode::OK, &view))
}

/// A closing with its totals.
async fn shown(state: &AppState, number: u32) -> Result<ClosingView, ApiError> {
    let found = ask::look(state, move |view| {
        let closing = *view.state.closings.get(number)?;
        Some((closing, view.state.ledger_text(closing.ledger), Arc::clone(&view.state.currencies)))
    });
    let (closing, ledger_id, currencies) = found.await?.ok_or_else(ApiError::internal)?;
    let mut view = view(state.books(), &closing, ledger_id)?;
    if closing.totals != NO_RECORD {
        view.totals = Some(wire::totals(&recorded(state.books(), &closing)?, &currencies));
    }
    Ok(view)
}

fn view(books: &Books, closing: &Closing, ledger_id: String) -> Result<ClosingView, ApiError> {
    Ok(ClosingView::new(&closed(books, closing)?, ledger_id, closing.totals != NO_RECORD))
}

/// What the record of a closing says.
pub fn closed(books: &Books, closing: &Closing) -> Result<LedgerClosed, ApiError> {
    match books.event(closing.record)? {
        Event::LedgerClosed(event) => Ok(event),
        _ => Err(unlike(closing.record)),
    }
}

/// The totals that were recorded of a closing.
fn recorded(books: &Books, closing: &Closing) -> Result<Vec<Total>, ApiError> {
    match books.event(closing.totals)? {
        Event::ClosingTotalled(event) => Ok(event.totals),
        _ => Err(unlike(closing.totals)),
    }
}

fn unlike(record: u64) -> ApiError {
    tracing::error!("the record at {record} tells nothing of a closing; run `florin verify`");
    ApiError::internal()
}

fn refused_for(rejection: Rejection) -> ApiError {
    match rejection {
        Rejection::InFuture => ApiError::new(Code::GenValidationError, "until: must not be in the future"),
        Rejection::TooManyKept => ApiError::new(
            Code::GenBadRequest,
            format!("a ledger cannot be closed more than {CLOSINGS_PER_LEDGER_MAX} times; close it less often"),
        ),
        other => failure::refusal(other, About::default()),
    }
}

/// A refusal, with the date until which books are closed when that is why. `names` are the parties, as they were named.
pub async fn dated<'a>(
    state: &AppState,
    error: ApiError,
    rejection: Rejection,
    names: impl IntoIterator<Item = &'a str>,
) -> ApiError {
    if rejection != Rejection::PeriodClosed {
        return error;
    }
    let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
    // Without the date it is told without it.
    let Ok(found) = dates(state, vec![names]).await else { return error };
    let Some(Some(date)) = found.into_iter().next() else { return error };
    let mut details = error.details.clone().unwrap_or_else(|| json!({}));
    details["field"] = "effective_date".into();
    details["closed_until"] = date.until.as_str().into();
    details["ledger_id"] = date.ledger_id.as_str().into();
    ApiError { message: date.told(&error.message), ..error }.details(details)
}

/// Until when the books are closed that something falls into.
pub struct Date {
    until: String,
    ledger_id: String,
}

impl Date {
    /// A message that says so, made from one that says it without the date.
    pub fn told(&self, message: &str) -> String {
        let told = format!("effective_date: the books of ledger {} are closed until {}", self.ledger_id, self.until);
        message.replace(failure::reason(Rejection::PeriodClosed), &told)
    }
}

/// Until when the books of parties are closed, of each list of names; of several ledgers, the latest counts for all.
pub async fn dates(state: &AppState, lists: Vec<Vec<String>>) -> Result<Vec<Option<Date>>, ApiError> {
    ask::look(state, move |view| {
        let date = |names: &Vec<String>| {
            let ledgers = names.iter().filter_map(|name| ledger_of(view.state, name));
            let closed = ledgers.filter_map(|ledger| Some((view.state.closings.closed_until(ledger)?, ledger)));
            let (until, ledger) = closed.max()?;
            Some(Date { until: time::text(until), ledger_id: view.state.ledger_text(ledger) })
        };
        lists.iter().map(date).collect()
    })
    .await
}

/// The ledger of a balance as it was named.
fn ledger_of(state: &LedgerState, name: &str) -> Option<u32> {
    if name.starts_with('@') {
        return Some(GENERAL_LEDGER);
    }
    let handle = match Id::parse(Prefix::Balance, name) {
        Some(id) => state.find_balance(id),
        None => state.find_alias(name),
    };
    handle.map(|handle| state.balance(handle).ledger)
}
