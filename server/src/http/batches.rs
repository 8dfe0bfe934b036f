//! `GET /transactions/bulk/{batch_id}`.

use super::answer;
use super::ask;
use super::error::{ApiError, Code};
use super::openapi::{Answer as Told, Field, Object, Operation, Schema};
use super::paging::{Filling, Paging};
use super::parameters::Parameters;
use super::state::{Answer, AppState};
use super::transactions::TRANSACTION;
use crate::api::batch::{BatchView, Summary};
use crate::api::time;
use crate::api::transaction::view::Viewer;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use ledger::command::Batch;
use ledger::event::Recorded;
use ledger::id::{Id, Prefix};
use ledger::row::{Row, Status};
use serde_json::json;

/// Items of a page, unless asked for.
const PAGE_DEFAULT: usize = 100;
/// Most items of a page, whatever is asked for.
pub const PAGE_ITEMS_MAX: usize = 1_000;

const TOTAL: Object = Object {
    name: "BatchTotal",
    description: "What was posted or held in one currency.",
    fields: &[
        Field::required("currency", Schema::Text, "The currency."),
        Field::required("precise_amount", Schema::Integer, "The sum in minor units."),
        Field::required("count", Schema::Integer, "How many transactions it is of."),
    ],
};
const RECORDED_BATCH: Object = Object {
    name: "RecordedBatch",
    description: "A recorded batch, and a page of its items.",
    fields: &[
        Field::required("batch_id", Schema::Text, "Its id."),
        Field::required("created_at", Schema::Time, "When it was recorded."),
        Field::required("atomic", Schema::Flag, "Whether it was recorded as a whole or not at all."),
        Field::required(
            "status",
            Schema::Choice(&["applied", "inflight", "scheduled", "rejected", "void", "mixed"]),
            "What became of its items; `mixed` when not the same became of all.",
        ),
        Field::required("transaction_count", Schema::Integer, "How many items were recorded."),
        Field::required("counts", Schema::Map, "How many outcomes there are of each status; each leg is one."),
        Field::required("totals", Schema::List(&Schema::Object(&TOTAL)), "What was posted or held, by currency."),
        Field::required(
            "transactions",
            Schema::List(&Schema::Object(&TRANSACTION)),
            "The outcomes of the items of the page, in order; of a split item all legs.",
        ),
    ],
};

/// Document of [`get_batch`].
pub const GET_BATCH: Operation = Operation {
    summary: "Read a batch: what became of its items",
    description: "Counts and totals are of the whole batch. Holds count as they were made, also when they have ended since.",
    query: &[
        Field::optional("limit", Schema::Integer, "Items of the page; 100 unless given, at most 1000."),
        Field::optional("offset", Schema::Integer, "Items before the page."),
    ],
    answers: &[Told { status: 200, description: "The batch.", schema: &Schema::Object(&RECORDED_BATCH) }],
    ..Operation::new("get_batch", "Transactions")
};

/// `GET /transactions/bulk/{batch_id}`.
pub async fn get_batch(State(state): State<AppState>, Path(id): Path<String>, query: Parameters) -> Answer {
    let messages = ["limit: must be a whole number, at least 1", "offset: must be a whole number, at least 0"];
    let paging = Paging::strict(&query, PAGE_DEFAULT, messages)?;
    let page = paging.offset..paging.offset.saturating_add(paging.limit.min(PAGE_ITEMS_MAX));
    let books = state.books();
    let found = match Id::parse(Prefix::Batch, &id) {
        Some(id) => books.find_batch(id)?,
        None => None,
    };
    let Some((_, event)) = found else {
        let message = format!("Batch with ID '{id}' not found");
        return Err(ApiError::new(Code::TxnNotFound, message).details(json!({})));
    };
    let outcomes = outcomes(&event);
    let runs = runs(&state, &event, &outcomes).await?;
    let mut summary = Summary::default();
    let (mut viewer, mut filling) = (Viewer::new(books), Filling::default());
    let mut transactions = Vec::new();
    for (outcome, run) in outcomes.iter().zip(&runs) {
        let movement = &event.movements[outcome.movement];
        let (status, amount) = run.map_or((outcome.status, movement.amount), |row| (row.status, row.amount));
        summary.add(status, &books.currency(movement.currency), amount);
        if page.contains(&outcome.place) {
            let row = match run {
                Some(row) => *row,
                None => books.row(outcome.row)?.ok_or_else(ApiError::internal)?,
            };
            let view = viewer.view(&row, true)?;
            filling.add(view.text_bytes())?;
            transactions.push(view);
        }
    }
    let status = summary.status();
    let (counts, totals) = summary.told();
    let view = BatchView {
        batch_id: id,
        created_at: time::text(event.at),
        atomic: event.batch == Batch::Atomic,
        status,
        transaction_count: outcomes.last().map_or(0, |last| last.place + 1),
        counts,
        totals,
        transactions,
    };
    Ok(answer::json(StatusCode::OK, &view))
}

/// What became of one movement of a batch, as its event tells it.
struct Outcome {
    /// Index of the movement.
    movement: usize,
    /// Position of its item among those that were recorded.
    place: usize,
    /// The row of the outcome; of what waits, or waited, for its time, the row of the request.
    row: u64,
    status: Status,
}

fn outcomes(event: &Recorded) -> Vec<Outcome> {
    use ledger::event::Outcome as Decided;
    let mut outcomes: Vec<Outcome> = Vec::with_capacity(event.movements.len());
    let mut next_row = event.first_row;
    for (index, movement) in event.main_movements().iter().enumerate() {
        let place = outcomes
            .last()
            .map_or(0, |before| before.place + usize::from(event.movements[before.movement].item != movement.item));
        next_row += movement.rows_count();
        let status = match movement.outcome {
            Decided::Applied => Status::Applied,
            Decided::Held => Status::Inflight,
            Decided::Voided => Status::Void,
            Decided::Rejected(_) => Status::Rejected,
            Decided::Scheduled => Status::Scheduled,
        };
        outcomes.push(Outcome { movement: index, place, row: next_row - 1, status });
    }
    outcomes
}

/// Of each outcome that waited for its time and has run, the row that this made.
async fn runs(state: &AppState, event: &Recorded, outcomes: &[Outcome]) -> Result<Vec<Option<Row>>, ApiError> {
    let scheduled = outcomes.iter().filter(|outcome| outcome.status == Status::Scheduled);
    let requests: Vec<u64> = scheduled.map(|outcome| outcome.row).collect();
    let mut children = ask::newest_children(state, &requests).await?.into_iter();
    let mut runs = Vec::with_capacity(event.movements.len());
    for outcome in outcomes {
        runs.push(if outcome.status == Status::Scheduled { children.next().flatten() } else { None });
    }
    Ok(runs)
}
