//! The feed: the webhook events of every change, in the order of the journal.
//!
//! Nothing is kept for it. A page is made from records on demand, so that the same cursor gives the same events at any time,
//! after any restart; delivery is a reader like others.
//!
//! [`cursor`] is a place between two events, [`emitted`] says which events a record makes, [`alerts`] which monitors fired,
//! [`page`] reads records, [`names`] asks the writer for what only the state knows, [`show`] writes the events, [`growth`] wakes who
//! waits for more.

pub mod alerts;
pub mod cursor;
pub mod emitted;
pub mod growth;
pub mod names;
pub mod page;
pub mod show;
