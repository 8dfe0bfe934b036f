//! The server: configuration, command line, HTTP. It knows how things are asked for and shown; the rules are in `ledger`,
//! what is on disk in `engine` and `journal`.

#![forbid(unsafe_code)]

pub mod api;
pub mod bench;
pub mod cli;
pub mod config;
pub mod decode;
pub mod feed;
pub mod http;
pub mod proofs;
pub mod scrub;
pub mod statement;
pub mod vault;
