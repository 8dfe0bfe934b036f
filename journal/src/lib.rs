//! The journal: an append-only log of opaque records. It knows bytes, not money.
//!
//! Records are pushed into a [`group::Group`], made durable together by [`appender::Appender::append`], found again by
//! position or read in order through [`reader::Reader`]. [`open::open`] finds the tail after a stop of any kind; what it
//! does with what it finds is the table in [`recover`]. The bytes are described in `docs/journal-format.md`.
//!
//! What holds everywhere:
//!
//! - A record is durable when `append` has answered, and not before. Records of one group may survive a crash in part,
//!   always as a prefix.
//! - One group is in flight at a time: its bytes touch the disk only after the group before it is durable. Recovery
//!   rests on this.
//! - Bytes from disk are decoded into a value or a fault, never asserted.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod appender;
pub mod archive;
pub mod disk;
pub mod group;
pub mod open;
pub mod place;
pub mod reader;
pub mod recover;
pub mod sealed;

pub mod block;
mod frame;
mod preparer;
mod segment;
mod walk;
