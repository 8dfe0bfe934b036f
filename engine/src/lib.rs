//! The engine: one writer thread orders all changes, the journal makes them durable, and what reads need is derived.
//!
//! It knows the rules only through [`ledger`] and bytes on disk only through [`journal`]; it knows no HTTP and no JSON.
//! [`engine::Engine`] is the way in.

#![forbid(unsafe_op_in_unsafe_fn)]

pub mod engine;
pub mod limits;
pub mod answer;
pub mod reading;
pub mod writer;
pub mod gather;
mod log;
pub mod replay;
pub mod codec;
pub mod rows;
pub mod index;
mod checkpoint;
pub mod fingerprint;
pub mod folder;
pub mod clock;
pub mod verify;
pub mod inspect;

/// A fault and what caused it, in one line.
pub fn fault_text(fault: &dyn std::error::Error) -> String {
    let mut text = fault.to_string();
    let mut cause = fault.source();
    while let Some(source) = cause {
        text.push_str(": ");
        text.push_str(&source.to_string());
        cause = source.source();
    }
    text
}
