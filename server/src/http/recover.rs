//! `POST /transactions/recover`: looks for requests that were accepted and never carried out.

use super::answer;
use super::error::{ApiError, Code};
use super::openapi::{Answer as Told, Field, Object, Operation, Schema};
use super::parameters::Parameters;
use super::state::Answer;
use crate::api::duration::Duration;
use axum::http::StatusCode;
use serde_json::json;

const RECOVERY: Object = Object {
    name: "Recovery",
    description: "What was found.",
    fields: &[
        Field::required("recovered", Schema::Integer, "Requests that were stuck; there never are any."),
        Field::required("threshold", Schema::Text, "The age that was asked for."),
    ],
};

/// Document of [`recover_transactions`].
pub const RECOVER_TRANSACTIONS: Operation = Operation {
    summary: "Carry out requests that are stuck in the queue",
    description: "A request and its outcome are recorded in one step, so none is ever stuck. The route is there for clients that call it.",
    query: &[Field::optional(
        "threshold",
        Schema::Text,
        "Least age, such as `90s`, `5m` or `1h30m`; `2m` unless given.",
    )],
    answers: &[Told { status: 200, description: "What was found.", schema: &Schema::Object(&RECOVERY) }],
    ..Operation::new("recover_transactions", "Transactions")
};

/// `POST /transactions/recover`.
pub async fn recover_transactions(query: Parameters) -> Answer {
    let threshold = match query.get("threshold").as_deref() {
        None | Some("") => Duration::minutes(2),
        Some(text) => Duration::parse(text).ok_or_else(|| {
            ApiError::new(Code::GenValidationError, "invalid threshold duration; use such as 90s, 5m or 1h30m")
        })?,
    };
    Ok(answer::json(StatusCode::OK, &json!({"recovered": 0, "threshold": threshold.text()})))
}
