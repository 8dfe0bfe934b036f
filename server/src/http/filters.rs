//! Filtered lists: `POST /{collection}/filter`, and what the lists of each collection do when their query string has filters.
//!
//! A list is asked for as [`Wanted`]. For transactions [`plan`] finds the narrowest way to all matches; everything else is in
//! the state, of which a clone is walked outside of the writer's thread. [`scan`] walks rows, tests them, and ends where the
//! page ends when rows come in the order that was asked for.

pub mod accounts;
pub mod plan;
pub mod scan;
pub mod stored;
pub mod transactions;

use super::answer;
use super::body::RequestBody;
use super::error::{ApiError, Code};
use super::openapi::{Answer as Told, Field, Object, Operation, Schema};
use super::state::{Answer, AppState};
use super::{accounts as account_routes, balances, identities, ledgers, transactions as transaction_routes};
use crate::api::filter::body::{self, FilterBody};
use crate::api::filter::columns::Column;
use crate::api::filter::{Filters, Sort, Wanted};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

const CONDITION: Object = Object {
    name: "Condition",
    description: "One condition.",
    fields: &[
        Field::required("field", Schema::Text, "A column, or `meta_data.<key>`."),
        Field::required(
            "operator",
            Schema::Choice(&[
                "eq",
                "ne",
                "gt",
                "gte",
                "lt",
                "lte",
                "in",
                "between",
                "like",
                "ilike",
                "isnull",
                "isnotnull",
            ]),
            "How it is compared.",
        ),
        Field::optional("value", Schema::Any, "With what. Text keeps all digits of a number."),
        Field::optional("values", Schema::List(&Schema::Any), "With what, by `in` and `between`."),
    ],
};
const FILTER: Object = Object {
    name: "Filter",
    description: "Which rows, in which order.",
    fields: &[
        Field::optional("filters", Schema::List(&Schema::Object(&CONDITION)), "Conditions; all rows without."),
        Field::optional("logical_operator", Schema::Choice(&["and", "or"]), "How they are joined; `and` unless given."),
        Field::optional("limit", Schema::Integer, "Rows of the page: 20 unless given, and when above 100."),
        Field::optional("offset", Schema::Integer, "Rows before the page."),
        Field::optional("sort_by", Schema::Text, "A column; `created_at` unless given."),
        Field::optional("sort_order", Schema::Choice(&["asc", "desc"]), "`desc` unless given."),
        Field::optional("include_count", Schema::Flag, "Whether to answer `data` and `total_count`."),
    ],
};
const BODY: Option<&Schema> = Some(&Schema::Object(&FILTER));
const DESCRIPTION: &str = "Answers a list, or with `include_count` an object: the list in `data`, the number of all matches in \
                           `total_count`. Text is compared byte by byte.";

/// Document of [`filter_ledgers`].
pub const FILTER_LEDGERS: Operation = Operation {
    summary: "Find ledgers",
    description: DESCRIPTION,
    body: BODY,
    answers: &[Told { status: 200, description: "Ledgers.", schema: &Schema::List(&Schema::Object(&ledgers::LEDGER)) }],
    ..Operation::new("filter_ledgers", "Ledgers")
};

/// `POST /ledgers/filter`.
pub async fn filter_ledgers(State(state): State<AppState>, body: RequestBody) -> Answer {
    let wanted = wanted(&body)?;
    let count = wanted.count;
    let found = stored::find_ledgers(&state, wanted).await?;
    Ok(told(found, count))
}

/// Document of [`filter_balances`].
pub const FILTER_BALANCES: Operation = Operation {
    summary: "Find balances",
    description: DESCRIPTION,
    body: BODY,
    answers: &[Told {
        status: 200,
        description: "Balances.",
        schema: &Schema::List(&Schema::Object(&balances::BALANCE)),
    }],
    ..Operation::new("filter_balances", "Balances")
};

/// `POST /balances/filter`.
pub async fn filter_balances(State(state): State<AppState>, body: RequestBody) -> Answer {
    let wanted = wanted(&body)?;
    let count = wanted.count;
    let found = stored::find_balances(&state, wanted).await?;
    Ok(told(found, count))
}

/// Document of [`filter_identities`].
pub const FILTER_IDENTITIES: Operation = Operation {
    summary: "Find identities",
    description: DESCRIPTION,
    body: BODY,
    answers: &[Told {
        status: 200,
        description: "Identities.",
        schema: &Schema::List(&Schema::Object(&identities::IDENTITY)),
    }],
    ..Operation::new("filter_identities", "Identities")
};

/// `POST /identities/filter`.
pub async fn filter_identities(State(state): State<AppState>, body: RequestBody) -> Answer {
    let wanted = wanted(&body)?;
    let count = wanted.count;
    let found = stored::find_identities(&state, wanted).await?;
    Ok(told(found, count))
}

/// Document of [`filter_accounts`].
pub const FILTER_ACCOUNTS: Operation = Operation {
    summary: "Find accounts",
    description: DESCRIPTION,
    body: BODY,
    answers: &[Told {
        status: 200,
        description: "Accounts.",
        schema: &Schema::List(&Schema::Object(&account_routes::ACCOUNT)),
    }],
    ..Operation::new("filter_accounts", "Accounts")
};

/// `POST /accounts/filter`.
pub async fn filter_accounts(State(state): State<AppState>, body: RequestBody) -> Answer {
    let wanted = wanted(&body)?;
    let count = wanted.count;
    let found = accounts::find_accounts(&state, wanted).await?;
    Ok(told(found, count))
}

/// Document of [`filter_transactions`].
pub const FILTER_TRANSACTIONS: Operation = Operation {
    summary: "Find transactions",
    description: DESCRIPTION,
    body: BODY,
    answers: &[Told {
        status: 200,
        description: "Transactions.",
        schema: &Schema::List(&Schema::Object(&transaction_routes::TRANSACTION)),
    }],
    ..Operation::new("filter_transactions", "Transactions")
};

/// `POST /transactions/filter`.
pub async fn filter_transactions(State(state): State<AppState>, body: RequestBody) -> Answer {
    let wanted = wanted(&body)?;
    let count = wanted.count;
    let found = transactions::find_transactions(&state, wanted).await?;
    Ok(told(found, count))
}

fn wanted<C: Column>(body: &RequestBody) -> Result<Wanted<C>, ApiError> {
    let refuse = |message: String| ApiError::new(Code::GenValidationError, message);
    let bytes = body.bytes().map_err(|malformed| refuse(malformed.into_message()))?;
    if body::is_too_deep(bytes) {
        return Err(refuse("exceeded max depth".to_owned()));
    }
    let body: FilterBody<'_> = body.decode().map_err(|malformed| refuse(malformed.into_message()))?;
    body.wanted()
}

/// A page of what was found.
pub struct Found<V> {
    /// The rows of the page.
    pub views: Vec<V>,
    /// How many rows match, when they were counted.
    pub total: u64,
}

#[derive(Serialize)]
struct Counted<'a, V> {
    data: &'a [V],
    total_count: u64,
}

fn told<V: Serialize>(found: Found<V>, count: bool) -> Response {
    if count {
        return answer::json(StatusCode::OK, &Counted { data: &found.views, total_count: found.total });
    }
    answer::json(StatusCode::OK, &found.views)
}

/// A page of a list whose query string has filters, newest first.
pub fn newest_first<C: Column>(filters: Filters<C>, limit: usize, offset: usize) -> Wanted<C> {
    Wanted { filters, sort: Sort { column: C::CREATED_AT, ascending: false }, limit, offset, count: false }
}
