//! The wire: what requests say, in commands; what the ledger holds, as clients see it.

pub mod ledger;
pub mod balance;
pub mod identity;
pub mod transaction;
pub mod split;
pub mod inflight;
pub mod bulk;
pub mod filter;
pub mod metadata;
pub mod number;
pub mod time;
pub mod duration;
pub mod validate;
