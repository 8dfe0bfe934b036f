//! HTTP: connections, what surrounds every request, and the routes.
//!
//! [`listen`] accepts connections within limits and stops gracefully. [`layers`] is the one function that every request
//! goes through, in order. [`router`] lists every route on one page. A handler extracts, calls, renders; it holds no rules.

pub mod answer;
pub mod auth;
pub mod body;
pub mod docs;
pub mod error;
pub mod layers;
pub mod listen;
pub mod openapi;
pub mod parameters;
pub mod path;
pub mod router;
pub mod service;
pub mod state;
