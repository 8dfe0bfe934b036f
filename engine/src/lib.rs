//! The engine: one writer thread orders all changes, the journal makes them durable, and what reads need is derived.
//!
//! It knows the rules only through [`ledger`] and bytes on disk only through [`journal`]; it knows no HTTP and no JSON.
//! [`engine::Engine`] is the way in.

#![deny(unsafe_code)]
#![forbid(unsafe_op_in_unsafe_fn)]

pub mod aggregate;
pub mod answer;
pub mod by_hand;
mod checkpoint;
pub mod clock;
pub mod closings;
pub mod codec;
pub mod dated;
pub mod engine;
pub mod fingerprint;
pub mod folder;
pub mod follow;
pub mod gather;
pub mod history;
pub mod index;
pub mod inspect;
mod known_keys;
pub mod limits;
mod log;
pub mod merkle;
pub mod monitors;
pub mod notes;
mod priority;
pub mod reading;
pub mod replay;
pub mod rows;
pub mod scrub;
#[cfg(test)]
mod threaded_disk;
mod tiers;
pub mod verify;
pub mod writer;

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
