//! The wire: what requests say, in commands; what the ledger holds, as clients see it.

pub mod account;
pub mod aggregate;
pub mod assertion;
pub mod balance;
pub mod batch;
pub mod bulk;
pub mod closing;
pub mod currency;
pub mod duration;
pub mod exchange;
pub mod filter;
pub mod identity;
pub mod inflight;
pub mod ledger;
pub mod lineage;
pub mod metadata;
pub mod monitor;
pub mod number;
pub mod policy;
pub mod projection;
pub mod scheduled;
pub mod split;
pub mod time;
pub mod token;
pub mod transaction;
pub mod validate;
