//! The only place that reads the time, and the only source of random bits.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the time and makes seeds.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The system's clock.
    System,
    /// A clock that a test moves: microseconds since 1970.
    Moved(Arc<AtomicI64>),
    /// A clock that a simulator moves, and whose random bits follow from a number.
    Simulated(Arc<Simulated>),
}

/// Time and random bits that a simulator decides.
#[derive(Debug)]
pub struct Simulated {
    /// Microseconds since 1970.
    pub now: AtomicI64,
    /// Where the sequence of random bits stands. It is shared by all engines that are opened with this clock, so that none of
    /// them makes the same ids again.
    pub seed: AtomicU64,
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
            Clock::Simulated(simulated) => simulated.now.load(Ordering::Relaxed),
        }
    }

    /// The random bits that belong to this clock.
    pub fn seeds(&self) -> Seeds {
        match self {
            Clock::System | Clock::Moved(_) => Seeds::System { keys: RandomState::new(), made: 0 },
            Clock::Simulated(simulated) => Seeds::Simulated(Arc::clone(simulated)),
        }
    }
}

/// Random bits for ids.
#[derive(Debug)]
pub enum Seeds {
    /// A counter, hashed with keys that the system chose at random when the program began (SipHash-1-3, which nobody without the
    /// keys can predict).
    System {
        /// The keys.
        keys: RandomState,
        /// How many seeds were made.
        made: u64,
    },
    /// The sequence of a simulator: SplitMix64.
    Simulated(Arc<Simulated>),
}

impl Seeds {
    /// The next seed.
    pub fn make(&mut self) -> u64 {
        match self {
            Seeds::System { keys, made } => {
                *made += 1;
                keys.hash_one(*made)
            }
            Seeds::Simulated(simulated) => {
                let step = 0x9e37_79b9_7f4a_7c15;
                let mut mixed = simulated.seed.fetch_add(step, Ordering::Relaxed).wrapping_add(step);
                mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                mixed ^ (mixed >> 31)
            }
        }
    }
}
