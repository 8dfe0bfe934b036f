//! The rules of the ledger, and nothing else: no files, no clock, no randomness, no threads, no dependencies.
//!
//! A [`command`] says what was asked. [`decide`] turns it, against a [`state`], into an [`event`] (a complete fact) or a
//! [`rejection`]. [`apply`] adds an event to the state and emits the [`row`]s that reads are served from. Time and random
//! bits come in with the command, so that deciding again gives the same answer.

#![forbid(unsafe_code)]

pub mod accounts;
pub mod apply;
pub mod assertions;
pub mod chunked;
pub mod closings;
pub mod command;
pub mod decide;
pub mod decimal;
pub mod draft;
pub mod event;
pub mod id;
pub mod identity;
pub mod limits;
pub mod lineage;
pub mod monitor;
pub mod monitors;
pub mod notes;
pub mod policy;
pub mod projection;
pub mod rejection;
pub mod row;
pub mod sharded;
pub mod split;
pub mod state;
pub mod text;
pub mod timers;
pub mod wide;
