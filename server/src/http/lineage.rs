//! Where the money of tracked balances came from.

use super::answer;
use super::ask;
use super::balances;
use super::error::{ApiError, Code};
use super::named::{self, Named};
use super::openapi::{Answer as Told, Field, Object, Operation, Schema};
use super::paging::{Filling, PAGE_ROWS_MAX, Paging};
use super::parameters::Parameters;
use super::state::{Answer, AppState};
use super::transactions::{TRANSACTION, not_found};
use crate::api::lineage::{BalanceLineageView, TransactionLineageView, shares};
use crate::api::transaction::view::Viewer;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use ledger::event::Recorded;
use ledger::id::{Id, Prefix};
use ledger::row::{Flags, Row, Status};
use std::collections::BTreeSet;

const PROVIDER: Object = Object {
    name: "LineageProvider",
    description: "The money of one provider in a balance, in minor units.",
    fields: &[
        Field::required("provider", Schema::Text, "Who brought it: the `BLNK_LINEAGE_PROVIDER` of the transactions."),
        Field::required("amount", Schema::Integer, "All that came."),
        Field::required(
            "available",
            Schema::Integer,
            "What is there; what holds take counts until they are committed.",
        ),
        Field::required("spent", Schema::Integer, "All that went."),
        Field::required("shadow_balance_id", Schema::Text, "The balance that follows it."),
    ],
};
const BALANCE_LINEAGE: Object = Object {
    name: "BalanceLineage",
    description: "Where the money of a balance came from.",
    fields: &[
        Field::required("balance_id", Schema::Text, "Its id."),
        Field::required("total_with_lineage", Schema::Integer, "What is there of all providers, in minor units."),
        Field::required("aggregate_balance_id", Schema::Text, "The balance that follows all of them, or empty."),
        Field::required(
            "providers",
            Schema::List(&Schema::Object(&PROVIDER)),
            "The providers, in the order in which they came first.",
        ),
    ],
};
/// Money of a provider, in the OpenAPI document.
pub const SHARE: Object = Object {
    name: "FundShare",
    description: "What a transaction took of one provider.",
    fields: &[
        Field::required("provider", Schema::Text, "Whose money."),
        Field::required("amount", Schema::Integer, "How much, in minor units."),
    ],
};
const TRANSACTION_LINEAGE: Object = Object {
    name: "TransactionLineage",
    description: "Whose money a transaction spent, and the transactions that follow it in shadow balances.",
    fields: &[
        Field::required("transaction_id", Schema::Text, "Its id."),
        Field::optional("fund_allocation", Schema::List(&Schema::Object(&SHARE)), "What it took of each provider."),
        Field::required(
            "shadow_transactions",
            Schema::List(&Schema::Object(&TRANSACTION)),
            "What follows it, oldest first; of a hold, what it held and what became of that.",
        ),
    ],
};

/// Document of [`get_balance_lineage`].
pub const GET_BALANCE_LINEAGE: Operation = Operation {
    summary: "Read where the money of a tracked balance came from",
    answers: &[Told { status: 200, description: "The providers.", schema: &Schema::Object(&BALANCE_LINEAGE) }],
    ..Operation::new("get_balance_lineage", "Balances")
};

/// `GET /balances/{id}/lineage`.
pub async fn get_balance_lineage(State(state): State<AppState>, Path(id): Path<String>) -> Answer {
    let parsed = Id::parse(Prefix::Balance, &id);
    let balance_id = id.clone();
    let found = ask::look(&state, move |view| {
        let handle = view.state.find_balance(parsed?)?;
        let id_of = |handle| view.state.balance_id(handle).text(Prefix::Balance);
        Some(view.state.tracked(handle).map(|tracked| BalanceLineageView::new(balance_id, tracked, id_of)))
    });
    match found.await? {
        Some(Some(view)) => Ok(answer::json(StatusCode::OK, &view)),
        Some(None) => {
            let message = format!("balance {id} does not have fund lineage tracking enabled");
            Err(ApiError::new(Code::GenBadRequest, message))
        }
        None => Err(balances::not_found(&id)),
    }
}

/// Document of [`get_transaction_lineage`].
pub const GET_TRANSACTION_LINEAGE: Operation = Operation {
    summary: "Read whose money a transaction spent",
    description: "Of a split transaction or a batch, by its id as a whole: of all its parts.",
    query: &[
        Field::optional("limit", Schema::Integer, "Shadow transactions of the page; 10000 unless given, and at most."),
        Field::optional("offset", Schema::Integer, "Shadow transactions before the page."),
    ],
    answers: &[Told {
        status: 200,
        description: "What it took of each provider.",
        schema: &Schema::Object(&TRANSACTION_LINEAGE),
    }],
    ..Operation::new("get_transaction_lineage", "Transactions")
};

/// `GET /transactions/{id}/lineage`.
pub async fn get_transaction_lineage(
    State(state): State<AppState>,
    Path(id): Path<String>,
    query: Parameters,
) -> Answer {
    let messages = ["limit: must be a whole number, at least 1", "offset: must be a whole number, at least 0"];
    let paging = Paging::strict(&query, PAGE_ROWS_MAX, messages)?;
    let books = state.books();
    let (rows, event) = match named::find(books, &id)? {
        None => return Err(not_found(&id)),
        Some(Named::One(row)) => (vec![row], books.recorded(&row)?),
        Some(Named::Whole(rows, event)) => (rows, event),
    };
    // A request through the queue moves nothing; its outcome does.
    let moved: Vec<Row> = rows.into_iter().filter(|row| row.status != Status::Queued).collect();
    let mut numbers = BTreeSet::new();
    for row in &moved {
        numbers.extend(event.lineage_of(row.movement).map(|(number, _)| number));
        if row.status == Status::Inflight {
            numbers.extend(ended(&state, row).await?);
        }
    }
    let (mut viewer, mut filling) = (Viewer::new(books), Filling::default());
    let mut shadows = Vec::new();
    for number in numbers.into_iter().skip(paging.offset).take(paging.limit.min(PAGE_ROWS_MAX)) {
        let row = books.row(number)?.ok_or_else(ApiError::internal)?;
        let view = viewer.view(&row, false)?.told_as_shadow(&row);
        filling.add(view.text_bytes())?;
        shadows.push(view);
    }
    let fund_allocation = shares(&event, moved.iter().map(|row| row.movement));
    let view = TransactionLineageView { transaction_id: id, fund_allocation, shadow_transactions: shadows };
    Ok(answer::json(StatusCode::OK, &view))
}

/// The lineage rows of what became of a hold: commits, voids, and changes of it.
async fn ended(state: &AppState, hold: &Row) -> Result<Vec<u64>, ApiError> {
    if hold.flags.has(Flags::LINEAGE) {
        return Ok(Vec::new());
    }
    let mut last: Option<(u64, Recorded)> = None;
    let mut numbers = Vec::new();
    for child in ask::children(state, hold.number).await? {
        if !(child.flags.has(Flags::SETTLEMENT) || child.flags.has(Flags::CHANGE)) {
            continue;
        }
        if last.as_ref().is_none_or(|(record, _)| *record != child.record) {
            last = Some((child.record, state.books().recorded(&child)?));
        }
        let (_, event) = last.as_ref().expect("it was just read");
        numbers.extend(event.lineage_of(child.movement).map(|(number, _)| number));
    }
    Ok(numbers)
}
