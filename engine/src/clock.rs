//! The only place that reads the time, and the only source of random bits.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the time and makes seeds.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The system's clock.
    System,
    /// A clock that a test moves: microseconds since 1970.
    Moved(Arc<AtomicI64>),
}

impl Clock {
    /// Microseconds since 1970.
    pub fn now(&self) -> i64 {
        match self {
            Clock::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
            }
            Clock::Moved(at) => at.load(Ordering::Relaxed),
        }
    }
}

/// Random bits for ids: a counter, hashed with keys that the system chose at random when the program began (SipHash-1-3, which
/// nobody without the keys can predict).
#[derive(Debug, Default)]
pub struct Seeds {
    keys: RandomState,
    made: u64,
}

impl Seeds {
    /// The next seed.
    pub fn make(&mut self) -> u64 {
        self.made += 1;
        self.keys.hash_one(self.made)
    }
}
