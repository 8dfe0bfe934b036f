//! Taking turns: changes of one thing that are made from what is read wait for each other, as otherwise all but one of those
//! that come at once would be made again.

use std::hash::{BuildHasher, RandomState};
use tokio::sync::{Mutex, MutexGuard};

/// Queues; things that fall into the same one wait for each other without need.
const QUEUES: usize = 64;

/// Queues of those who wait for their turn.
pub struct Turns {
    queues: [Mutex<()>; QUEUES],
    hash: RandomState,
}

impl Default for Turns {
    fn default() -> Turns {
        Turns { queues: [const { Mutex::const_new(()) }; QUEUES], hash: RandomState::new() }
    }
}

impl Turns {
    /// Waits until nobody else has the turn for this thing.
    pub async fn take(&self, id: &str) -> MutexGuard<'_, ()> {
        self.queues[self.hash.hash_one(id) as usize % QUEUES].lock().await
    }
}
