//! HTTP: connections, what surrounds every request, and the routes.
//!
//! [`listen`] accepts connections within limits and stops gracefully. [`layers`] is the one function that every request
//! goes through, in order. [`router`] lists every route on one page. A handler extracts, calls, renders; it holds no rules.

pub mod accounts;
pub mod aggregate;
pub mod answer;
pub mod ask;
pub mod assertions;
pub mod auth;
pub mod balances;
pub mod batches;
pub mod body;
pub mod bulk;
pub mod call;
pub mod closings;
pub mod currencies;
pub mod deliveries;
pub mod docs;
pub mod dry_run;
pub mod error;
pub mod events;
pub mod exchanges;
pub mod failure;
pub mod filters;
pub mod history;
pub mod holds;
pub mod identities;
pub mod inflight;
pub mod inflight_bulk;
pub mod layers;
pub mod ledgers;
pub mod lineage;
pub mod listen;
pub mod metadata;
pub mod monitors;
pub mod named;
pub mod naming;
pub mod openapi;
pub mod paging;
pub mod parameters;
pub mod path;
pub mod policies;
pub mod proofs;
pub mod recover;
pub mod refunds;
pub mod reports;
pub mod router;
pub mod scheduled;
pub mod scrub;
pub mod service;
pub mod state;
pub mod statements;
pub mod transactions;
pub mod turns;
