//! The OpenAPI document and a page to browse it. The page needs nothing from any other host.

use super::answer::{self, with_type};
use super::openapi::{Answer as Told, Operation, Schema};
use super::state::AppState;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_SECURITY_POLICY, HeaderValue};
use axum::response::Response;

/// The page loads its own script and style, and the document.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const SCRIPT: HeaderValue = HeaderValue::from_static("text/javascript; charset=utf-8");
const STYLE: HeaderValue = HeaderValue::from_static("text/css; charset=utf-8");

/// Document of [`get_openapi`].
pub const GET_OPENAPI: Operation = Operation {
    summary: "Read this document",
    description: "Needs no key.",
    answers: &[Told { status: 200, description: "OpenAPI 3.1.", schema: &Schema::Map }],
    ..Operation::new("get_openapi", "Documentation")
};

/// `GET /openapi.json`.
pub async fn get_openapi(State(state): State<AppState>) -> Response {
    with_type(StatusCode::OK, answer::JSON, state.openapi())
}

/// Document of [`get_docs`].
pub const GET_DOCS: Operation = Operation {
    summary: "Browse this document",
    description: "Needs no key.",
    answers: &[Told { status: 200, description: "A page for people.", schema: &Schema::Page("text/html") }],
    ..Operation::new("get_docs", "Documentation")
};

/// `GET /docs`.
pub async fn get_docs() -> Response {
    let mut response = with_type(StatusCode::OK, HTML, include_str!("docs/page.html"));
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, POLICY);
    response
}

/// Document of [`get_docs_script`].
pub const GET_DOCS_SCRIPT: Operation = Operation {
    summary: "Script of the page",
    answers: &[Told { status: 200, description: "The script.", schema: &Schema::Page("text/javascript") }],
    ..Operation::new("get_docs_script", "Documentation")
};

/// `GET /docs/page.js`.
pub async fn get_docs_script() -> Response {
    with_type(StatusCode::OK, SCRIPT, include_str!("docs/page.js"))
}

/// Document of [`get_docs_style`].
pub const GET_DOCS_STYLE: Operation = Operation {
    summary: "Style of the page",
    answers: &[Told { status: 200, description: "The style.", schema: &Schema::Page("text/css") }],
    ..Operation::new("get_docs_style", "Documentation")
};

/// `GET /docs/page.css`.
pub async fn get_docs_style() -> Response {
    with_type(StatusCode::OK, STYLE, include_str!("docs/page.css"))
}
