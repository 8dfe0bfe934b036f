//! What a balance was: `GET /balances/{id}/at`, and `POST /balances-snapshots`, which there is nothing to do for.

use super::answer;
use super::ask;
use super::body::RequestBody;
use super::error::{ApiError, Code};
use super::openapi::{Answer as Told, Field, Operation, Schema};
use super::parameters::Parameters;
use super::state::{Answer, AppState};
use crate::api::number::NumberText;
use crate::api::time::Moment;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use engine::dated::Cut;
use engine::history::{Account, Known};
use ledger::id::{Id, Prefix};
use serde_json::json;

/// Document of [`get_balance_at`].
pub const GET_BALANCE_AT: Operation = Operation {
    summary: "Read what a balance was at a moment",
    description: "Sums what was posted with a business date up to the moment, exactly; holds do not count.",
    query: &[
        Field::optional("timestamp", Schema::Time, "The moment; now unless given."),
        Field::optional("from_source", Schema::Flag, "Only echoed: the answer is always the sum of the transactions."),
    ],
    answers: &[Told { status: 200, description: "The posted figures.", schema: &Schema::Any }],
    ..Operation::new("get_balance_at", "Balances")
};

/// `GET /balances/{id}/at`.
pub async fn get_balance_at(State(state): State<AppState>, Path(id): Path<String>, query: Parameters) -> Answer {
    const FORMAT: &str = "invalid timestamp format. Please use ISO 8601 format (e.g., 2024-01-01T15:04:05Z)";
    let moment = match query.get("timestamp").as_deref() {
        None | Some("") => Moment::now(),
        Some(text) => Moment::parse(text).ok_or_else(|| ApiError::new(Code::BalInvalidTimestamp, FORMAT))?,
    };
    if moment.is_zero() {
        return Err(ApiError::new(Code::GenBadRequest, "Target time cannot be zero"));
    }
    let from_source = matches!(query.get("from_source").as_deref(), Some("true" | "1"));
    let parsed = Id::parse(Prefix::Balance, &id);
    // Before the state is looked at, so that it knows no row that the state does not.
    let dated = state.books().dated.view();
    let found = ask::look(&state, move |view| {
        let handle = view.state.find_balance(parsed?)?;
        let balance = view.state.balance(handle);
        let currency = view.state.currencies.text(balance.currency).to_owned();
        let precision = view.state.currencies.registered(balance.currency).map(|registered| registered.precision);
        Some((Known::of(view.state, handle), currency, precision))
    });
    let missing = || ApiError::new(Code::BalNotFound, format!("Balance '{id}' not found")).details(json!({}));
    let (known, currency, precision) = found.await?.ok_or_else(missing)?;
    let books = state.books();
    let account = Account::new(books, &dated, known)?;
    let posted = account.before(books, Cut::after(moment.micros()))?;
    let shown = BalanceAt {
        balance: Figures {
            balance: NumberText::integer(posted.credit - posted.debit),
            balance_id: id,
            credit_balance: NumberText::integer(posted.credit),
            currency,
            debit_balance: NumberText::integer(posted.debit),
            precision,
        },
        from_source,
        timestamp: moment.seconds_text(),
    };
    Ok(answer::json(StatusCode::OK, &shown))
}

/// Document of [`take_snapshots`].
pub const TAKE_SNAPSHOTS: Operation = Operation {
    summary: "Ask for snapshots of all balances",
    description: "Accepted, and nothing is done: what a balance was at any moment is found at once without them, exactly.",
    query: &[Field::optional("batch_size", Schema::Integer, "A whole number from 1; 1000 unless given.")],
    answers: &[Told { status: 200, description: "It is accepted.", schema: &Schema::Any }],
    ..Operation::new("take_snapshots", "Balances")
};

/// `POST /balances-snapshots`.
pub async fn take_snapshots(query: Parameters, _sent: RequestBody) -> Answer {
    if let Some(text) = query.get("batch_size").filter(|text| !text.is_empty())
        && !text.parse::<i64>().is_ok_and(|size| size > 0)
    {
        return Err(ApiError::new(Code::GenValidationError, "invalid batch_size value"));
    }
    let message = "Snapshotting in progress. should be completed shortly";
    Ok(answer::json(StatusCode::OK, &json!({"message": message})))
}

#[derive(serde::Serialize)]
struct BalanceAt {
    balance: Figures,
    from_source: bool,
    timestamp: String,
}

#[derive(serde::Serialize)]
struct Figures {
    balance: NumberText,
    balance_id: String,
    credit_balance: NumberText,
    currency: String,
    debit_balance: NumberText,
    #[serde(skip_serializing_if = "Option::is_none")]
    precision: Option<u64>,
}
