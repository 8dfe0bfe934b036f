//! The server: configuration, command line, HTTP. It knows how things are asked for and shown; the rules are in `ledger`,
//! what is on disk in `engine` and `journal`.

#![forbid(unsafe_code)]

pub mod cli;
pub mod config;
pub mod http;
pub mod api;
pub mod decode;
#[expect(clippy::disallowed_methods, reason = "a benchmark tells when it was run; nothing is decided by that time")]
pub mod bench;
