//! A whole life of a ledger, many times over, from one number.
//!
//! The real ledger, journal and engine run on a simulated disk and clock, turn by turn on one thread, so that a seed decides all
//! that happens: what is asked for, when work behind is done, where power fails, what a crash leaves, which bit flips. An auditor
//! with books of its own says what must be answered, and what must be there after every recovery.
//!
//! ```text
//! seed ─▶ workload ─▶ operations ─▶ engine, by hand ─▶ disk that tears, fails, fills, forgets
//!            │                          │ answers            │ what is left
//!            └────────▶ auditor ◀───────┘                    ▼
//!                          └──────────────────▶ audit after each recovery
//! ```

#![forbid(unsafe_code)]

pub mod random;
pub mod world;

mod audit;
mod auditor;
mod command;
mod detours;
mod disk;
mod life;
mod operation;
mod workload;
