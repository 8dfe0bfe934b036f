//! What the targets share: a server in process with some books, and the names of its routes.

#![forbid(unsafe_code)]

pub mod book;
pub mod routes;

#[path = "../../server/tests/support/server.rs"]
pub mod support;
