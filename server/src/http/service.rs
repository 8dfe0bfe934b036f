//! Routes about the server itself.

use super::answer;
use super::ask;
use super::openapi::{Answer as Told, Field, Object, Operation, Schema};
use super::state::{Answer, AppState};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

/// Document of [`get_root`].
pub const GET_ROOT: Operation = Operation {
    summary: "Say that the server runs",
    description: "Needs no key.",
    answers: &[Told { status: 200, description: "A fixed text.", schema: &Schema::Text }],
    ..Operation::new("get_root", "Server")
};

/// `GET /`.
pub async fn get_root() -> Response {
    answer::json(StatusCode::OK, "server running...")
}

/// Document of [`get_health`].
pub const GET_HEALTH: Operation = Operation {
    summary: "Say whether the server can do its work",
    description: "Needs no key.",
    answers: &[
        Told { status: 200, description: "`status` is `UP`.", schema: &Schema::Any },
        Told { status: 503, description: "`status` is `DOWN`, `reason` says why.", schema: &Schema::Any },
    ],
    ..Operation::new("get_health", "Server")
};

/// `GET /health`.
pub async fn get_health(State(state): State<AppState>) -> Response {
    match state.down_reason() {
        None => answer::json(StatusCode::OK, &json!({"status": "UP"})),
        Some(reason) => answer::json(StatusCode::SERVICE_UNAVAILABLE, &json!({"status": "DOWN", "reason": reason})),
    }
}

const INFO: Object = Object {
    name: "Info",
    description: "What the server is and holds.",
    fields: &[
        Field::required("version", Schema::Text, "Its version."),
        Field::required(
            "sync",
            Schema::Choice(&["direct", "buffered"]),
            "How the journal is written: past the system's cache, or through it.",
        ),
        Field::required("transactions", Schema::Integer, "Rows of transactions."),
        Field::required("balances", Schema::Integer, "Balances."),
    ],
};

/// Document of [`get_info`].
pub const GET_INFO: Operation = Operation {
    summary: "Tell what the server is and holds",
    answers: &[Told { status: 200, description: "The server.", schema: &Schema::Object(&INFO) }],
    internal: true,
    ..Operation::new("get_info", "Server")
};

/// `GET /internal/info`.
pub async fn get_info(State(state): State<AppState>) -> Answer {
    // Rows are counted first: those of a later change cannot be told without its balances.
    let transactions = state.books().rows.len();
    let balances = ask::look(&state, |view| view.state.balances.len()).await?;
    let sync = if state.engine().started().direct { "direct" } else { "buffered" };
    let version = env!("CARGO_PKG_VERSION");
    Ok(answer::json(
        StatusCode::OK,
        &json!({"version": version, "sync": sync, "transactions": transactions, "balances": balances}),
    ))
}
