//! The server: configuration, command line, HTTP. It knows how things are asked for and shown; the rules are in `ledger`,
//! what is on disk in `engine` and `journal`.

#![forbid(unsafe_code)]

pub mod cli;
pub mod config;
pub mod http;
pub mod api;
pub mod decode;
pub mod bench;
