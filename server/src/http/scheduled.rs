//! Routes of what waits for its time: tell, call off, move.

use super::answer;
use super::ask::{self, Outcome};
use super::body::RequestBody;
use super::error::{ApiError, Code};
use super::failure::{self, About};
use super::named::{self, Named};
use super::openapi::{Answer as Told, Field, Object, Operation, Schema};
use super::paging::{Filling, PAGE_ROWS_MAX};
use super::state::{Answer, AppState};
use super::transactions::{self, TRANSACTION};
use crate::api::scheduled::{CancelledView, RescheduleBody, RescheduledView, ScheduledView};
use crate::api::time;
use crate::api::transaction::view::{TransactionView, Viewer};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use engine::reading::Books;
use ledger::command::{Cancel, Command, Reschedule};
use ledger::event::{Group, Recorded, Request, split_id};
use ledger::id::Prefix;
use ledger::row::{Row, Status};
use std::collections::BTreeMap;

const SCHEDULED: Object = Object {
    name: "Scheduled",
    description: "Scheduled requests, and what of them waits.",
    fields: &[
        Field::required("transaction_id", Schema::Text, "The id that was asked for."),
        Field::required(
            "status",
            Schema::Choice(&["scheduled", "done", "cancelled"]),
            "Whether something waits; if not, whether something ran.",
        ),
        Field::required(
            "scheduled_for",
            Schema::Time,
            "When the first that waits is due; when nothing waits, as it was asked for.",
        ),
        Field::required("waiting", Schema::Integer, "Requests that wait."),
        Field::optional("precise_amount", Schema::Integer, "What it moves, or moved, when it is one request."),
        Field::optional("precision", Schema::Integer, "Minor units in a major unit, when it is one request."),
        Field::optional("currency", Schema::Text, "The currency, when it is one request."),
        Field::required(
            "transactions",
            Schema::List(&Schema::Object(&TRANSACTION)),
            "The requests that wait, as they will run; the first 10000.",
        ),
    ],
};
const CANCELLED: Object = Object {
    name: "Cancelled",
    description: "Scheduled requests that were called off.",
    fields: &[
        Field::required("cancelled", Schema::Integer, "How many."),
        Field::required(
            "transactions",
            Schema::List(&Schema::Object(&TRANSACTION)),
            "Their ends: `VOID`, with the request as parent; the first 10000.",
        ),
    ],
};
const RESCHEDULE: Object = Object {
    name: "Reschedule",
    description: "What is to be different: a time or an amount at least.",
    fields: &[
        Field::optional("scheduled_for", Schema::Time, "When to run. What has passed runs at once."),
        Field::optional("amount", Schema::Decimal, "How much, in major units; only of a request that runs by itself."),
        Field::optional("precise_amount", Schema::Integer, "The same in minor units."),
    ],
};
const RESCHEDULED: Object = Object {
    name: "Rescheduled",
    description: "Scheduled requests that were changed.",
    fields: &[
        Field::required("rescheduled", Schema::Integer, "How many."),
        Field::required("scheduled_for", Schema::Time, "When they run."),
        Field::required(
            "transactions",
            Schema::List(&Schema::Object(&TRANSACTION)),
            "The requests, as they will run; the first 10000.",
        ),
    ],
};

/// Document of [`get_scheduled`].
pub const GET_SCHEDULED: Operation = Operation {
    summary: "Tell what of a schedule waits",
    description: "The id may be that of a request, of a split transaction or of a batch.",
    answers: &[Told { status: 200, description: "The schedule.", schema: &Schema::Object(&SCHEDULED) }],
    ..Operation::new("get_scheduled", "Transactions")
};

/// `GET /transactions/scheduled/{id}`.
pub async fn get_scheduled(State(state): State<AppState>, Path(id): Path<String>) -> Answer {
    let scheduled = Scheduled::find(state.books(), &id)?;
    let waiting = scheduled.waiting(&state).await?;
    let mut outcome = None;
    if waiting.is_empty() {
        // What was called off is told only when nothing ran.
        for group in &scheduled.groups {
            outcome = ask::children(&state, group.first_row()).await?.first().copied();
            if outcome.is_some_and(|outcome| outcome.status != Status::Void) {
                break;
            }
        }
    }
    let status = match outcome {
        None => "scheduled",
        Some(outcome) if outcome.status == Status::Void => "cancelled",
        Some(_) => "done",
    };
    let first_due = waiting.values().map(|plan| plan.due_at).min();
    let asked_for = || scheduled.groups.iter().map(|group| group.due_at).min().unwrap_or_default();
    let transactions = scheduled.told(state.books(), &waiting)?;
    let (precise_amount, precision, currency) = match (scheduled.requests.as_slice(), waiting.first_key_value()) {
        ([request], plan) => {
            let amount = plan.map(|(_, plan)| plan.amount(request)).or(outcome.map(|outcome| outcome.amount));
            let currency = state.books().currency(request.currency).to_string();
            (Some(amount.unwrap_or(request.amount)), Some(request.precision), Some(currency))
        }
        _ => (None, None, None),
    };
    let view = ScheduledView {
        transaction_id: id,
        status,
        scheduled_for: time::text(first_due.unwrap_or_else(asked_for)),
        waiting: scheduled.count(&waiting),
        precise_amount: precise_amount.map(crate::api::number::NumberText::integer),
        precision,
        currency,
        transactions,
    };
    Ok(answer::json(StatusCode::OK, &view))
}

/// Document of [`cancel_scheduled`].
pub const CANCEL_SCHEDULED: Operation = Operation {
    summary: "Call off what is scheduled and has not run",
    description: "The id may be that of a request, of a split transaction or of a batch; of a batch what has run stays. The legs of a split \
                  transaction, and the items of an atomic batch that are due at one moment, run together and are called off together. \
                  Their references stay used.",
    answers: &[Told { status: 200, description: "What was called off.", schema: &Schema::Object(&CANCELLED) }],
    ..Operation::new("cancel_scheduled", "Transactions")
};

/// `DELETE /transactions/scheduled/{id}`.
pub async fn cancel_scheduled(State(state): State<AppState>, Path(id): Path<String>, sent: RequestBody) -> Answer {
    let key = sent.key()?;
    let scheduled = Scheduled::find(state.books(), &id)?;
    scheduled.check_whole()?;
    let command = Cancel { groups: scheduled.group_rows(), runs: Vec::new(), text: String::new() };
    let recorded = match ask::change_once(&state, Command::Cancel(command), key, scheduled.requests.len()).await? {
        Outcome::Recorded(recorded) => recorded,
        Outcome::Refused(refused) => return Err(failure::refusal(refused.rejection, About::default())),
        Outcome::Made(..) | Outcome::Rescheduled(_) | Outcome::Unchanged => return Err(ApiError::internal()),
    };
    let first = recorded.rows.first().ok_or_else(ApiError::internal)?;
    let rows = ask::rows_of_record(state.books(), first.number, recorded.rows_count.min(PAGE_ROWS_MAX as u64))?;
    let mut viewer = Viewer::of_answer(state.books(), &recorded);
    let (mut transactions, mut filling) = (Vec::new(), Filling::default());
    for row in &rows {
        let view = viewer.view(row, true)?;
        if !filling.has_room_for(view.text_bytes()) {
            break;
        }
        transactions.push(view);
    }
    let view = CancelledView { cancelled: recorded.rows_count, transactions };
    Ok(answer::once(answer::json(StatusCode::OK, &view), recorded.replayed))
}

/// Document of [`update_scheduled`].
pub const UPDATE_SCHEDULED: Operation = Operation {
    summary: "Give what is scheduled and has not run another time or amount",
    description: "The id as for calling off. No transaction is made, so an `Idempotency-Key` is not kept; repeating the request sets the same \
                  again.",
    body: Some(&Schema::Object(&RESCHEDULE)),
    answers: &[Told { status: 200, description: "What was changed.", schema: &Schema::Object(&RESCHEDULED) }],
    ..Operation::new("update_scheduled", "Transactions")
};

/// `PATCH /transactions/scheduled/{id}`.
pub async fn update_scheduled(State(state): State<AppState>, Path(id): Path<String>, sent: RequestBody) -> Answer {
    let body: RescheduleBody<'_> = sent.decode()?;
    let key = sent.key()?;
    let scheduled = Scheduled::find(state.books(), &id)?;
    let asked = body.check(scheduled.single().map(|request| request.precision))?;
    scheduled.check_whole()?;
    let mut waiting = scheduled.waiting(&state).await?;
    let due_at = asked.due.map(time::Moment::micros);
    let command = Reschedule { groups: scheduled.group_rows(), due_at, amount: asked.amount };
    let changed = match ask::change_once(&state, Command::Reschedule(command), key, 0).await? {
        Outcome::Rescheduled(groups) => groups,
        Outcome::Refused(refused) => return Err(failure::refusal(refused.rejection, About::default())),
        Outcome::Made(..) | Outcome::Recorded(_) | Outcome::Unchanged => return Err(ApiError::internal()),
    };
    waiting.retain(|group, _| changed.binary_search(group).is_ok());
    for plan in waiting.values_mut() {
        plan.due_at = due_at.unwrap_or(plan.due_at);
        plan.amount = asked.amount.or(plan.amount);
    }
    let first_due = || waiting.values().map(|plan| time::text(plan.due_at)).next();
    let view = RescheduledView {
        rescheduled: scheduled.count(&waiting),
        scheduled_for: asked.due.map(time::Moment::text).or_else(first_due).ok_or_else(ApiError::internal)?,
        transactions: scheduled.told(state.books(), &waiting)?,
    };
    Ok(answer::json(StatusCode::OK, &view))
}

/// The scheduled requests that an id stands for, whether they wait or not.
struct Scheduled {
    /// In order of rows; at least one.
    requests: Vec<Row>,
    /// What they run in, as they were asked for, in order of rows.
    groups: Vec<Group>,
    event: Recorded,
}

/// When a group that waits is due, and what it moves when that is not what was asked.
struct Plan {
    due_at: i64,
    amount: Option<i128>,
}

impl Plan {
    fn amount(&self, request: &Row) -> i128 {
        self.amount.unwrap_or(request.amount)
    }
}

impl Scheduled {
    fn find(books: &Books, id: &str) -> Result<Scheduled, ApiError> {
        let (mut requests, event) = match named::find(books, id)? {
            None => return Err(transactions::not_found(id)),
            Some(Named::One(row)) => (vec![row], books.recorded(&row)?),
            Some(Named::Whole(rows, event)) => (rows, event),
        };
        requests.retain(|row| row.status == Status::Scheduled);
        if requests.is_empty() {
            return Err(ApiError::new(Code::TxnValidationError, "id: nothing of it was scheduled"));
        }
        let mut scheduled = Scheduled { requests, groups: event.waiting(), event };
        let mut groups = std::mem::take(&mut scheduled.groups);
        groups.retain(|group| group.requests.iter().any(|request| scheduled.has(request)));
        Ok(Scheduled { groups, ..scheduled })
    }

    fn has(&self, request: &Request) -> bool {
        self.requests.binary_search_by_key(&request.row, |row| row.number).is_ok()
    }

    fn group_rows(&self) -> Vec<u64> {
        self.groups.iter().map(Group::first_row).collect()
    }

    /// What runs together is called off and moved together, so the id must stand for all of it.
    fn check_whole(&self) -> Result<(), ApiError> {
        let parted = |group: &&Group| !group.requests.iter().all(|request| self.has(request));
        let Some(group) = self.groups.iter().find(parted) else { return Ok(()) };
        let item = |request: &Request| self.event.movements[request.movement as usize].item;
        let batch =
            self.event.batch_id().filter(|_| group.requests.iter().any(|one| item(one) != item(&group.requests[0])));
        let whole = match batch {
            Some(batch) => batch.text(Prefix::Batch),
            None => split_id(self.event.at, self.event.seed, group.first_row()).text(Prefix::Transaction),
        };
        let message = format!("id: it runs together with others, as one; the id of the whole is {whole}");
        Err(ApiError::new(Code::TxnValidationError, message))
    }

    /// The request, if there is but one and it is no leg: it runs by itself, and may have another amount.
    fn single(&self) -> Option<&Row> {
        match (self.requests.as_slice(), self.groups.as_slice()) {
            ([request], [group]) if group.requests.len() == 1 => {
                let leg = self.event.movements[request.movement as usize].leg;
                Some(request).filter(|_| leg == 0)
            }
            _ => None,
        }
    }

    /// What waits: by the row of the first request of each group.
    async fn waiting(&self, state: &AppState) -> Result<BTreeMap<u64, Plan>, ApiError> {
        let rows = self.group_rows();
        ask::look(state, move |view| {
            let plans = rows.into_iter().filter_map(|row| {
                let &due_at = view.state.scheduled.get(&row)?;
                Some((row, Plan { due_at, amount: view.state.adjusted.get(&row).copied() }))
            });
            plans.collect()
        })
        .await
    }

    /// How many of the requests are in these groups.
    fn count(&self, groups: &BTreeMap<u64, Plan>) -> usize {
        let waiting = self.groups.iter().filter(|group| groups.contains_key(&group.first_row()));
        waiting.map(|group| group.requests.iter().filter(|request| self.has(request)).count()).sum()
    }

    /// The first requests in these groups, as they will run.
    fn told(&self, books: &Books, groups: &BTreeMap<u64, Plan>) -> Result<Vec<TransactionView>, ApiError> {
        let mut plans = BTreeMap::new();
        for group in &self.groups {
            if let Some(plan) = groups.get(&group.first_row()) {
                plans.extend(group.requests.iter().map(|request| (request.row, plan)));
            }
        }
        let (mut viewer, mut filling) = (Viewer::new(books), Filling::default());
        let mut views = Vec::new();
        for request in &self.requests {
            let Some(plan) = plans.get(&request.number) else { continue };
            if views.len() == PAGE_ROWS_MAX {
                break;
            }
            let view = viewer.view(request, true)?.told_as_waiting(request, plan.due_at, plan.amount(request));
            if !filling.has_room_for(view.text_bytes()) {
                break;
            }
            views.push(view);
        }
        Ok(views)
    }
}
