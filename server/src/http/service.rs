//! Routes about the server itself.

use super::answer;
use super::openapi::{Answer as Told, Operation, Schema};
use super::state::AppState;
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
