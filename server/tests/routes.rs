//! Routes, in process: one file a route, and `platform` for what all of them share.

#[path = "support/server.rs"]
mod support;

#[path = "routes/body.rs"]
mod body;
#[path = "routes/docs.rs"]
mod docs;
#[path = "routes/platform.rs"]
mod platform;
#[path = "routes/service.rs"]
mod service;
