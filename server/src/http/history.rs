//! `GET /balances/{id}/at`: what a balance was.

use super::answer;
use super::ask;
use super::error::{ApiError, Code};
use super::openapi::{Answer as Told, Field, Operation, Schema};
use super::parameters::Parameters;
use super::state::{Answer, AppState};
use crate::api::number::NumberText;
use crate::api::time::Moment;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use engine::history::{Sum, recorded_by};
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

/// Rows that are summed before other requests have their turn.
const ROWS_AT_ONCE: usize = 2_000;

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
    let found = ask::look(&state, move |view| {
        let handle = view.state.find_balance(parsed?)?;
        let balance = view.state.balance(handle);
        let currency = view.state.currencies.text(balance.currency).to_owned();
        let precision = view.state.currencies.registered(balance.currency).map(|registered| registered.precision);
        Some((handle, balance.history.newest(), balance.dated, currency, precision))
    });
    let missing = || ApiError::new(Code::BalNotFound, format!("Balance '{id}' not found")).details(json!({}));
    let (handle, newest, dated, currency, precision) = found.await?.ok_or_else(missing)?;
    let at = moment.micros();
    let posted = if dated {
        let mut sum = Sum::new(handle, newest, at);
        loop {
            if let Some(posted) = sum.advance(state.books(), ROWS_AT_ONCE)? {
                break posted;
            }
            tokio::task::yield_now().await;
        }
    } else {
        recorded_by(state.books(), handle, newest, at)?
    };
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
