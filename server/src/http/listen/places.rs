//! Places for connections: so many are served at a time. Who finds none waits for a moment, while one that nothing happens on gives
//! its place away.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout_at;

/// How often quiet connections are asked for their places, however many wait: asking wakes all of them.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// The places of a listener.
#[derive(Debug)]
pub struct Places {
    free: Arc<Semaphore>,
    count: usize,
    /// Places that somebody waits for and that no quiet connection has given away yet.
    wanted: AtomicUsize,
    asked: Notify,
    opened: Instant,
    /// Microseconds from `opened` until it may be asked again.
    asks_at: AtomicU64,
}

impl Places {
    /// So many places, all free.
    pub fn new(count: usize) -> Places {
        Places {
            free: Arc::new(Semaphore::new(count)),
            count,
            wanted: AtomicUsize::new(0),
            asked: Notify::new(),
            opened: Instant::now(),
            asks_at: AtomicU64::new(0),
        }
    }

    /// A place, as soon as there is one, for at most so long.
    pub async fn find(&self, wait: Duration) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = Arc::clone(&self.free).try_acquire_owned() {
            return Some(place);
        }
        let end = tokio::time::Instant::now() + wait;
        let place = Arc::clone(&self.free).acquire_owned();
        let mut place = std::pin::pin!(place);
        loop {
            // One is wanted at a time by each who waits; what is not given away in this round is asked for in the next.
            self.wanted.fetch_add(1, Ordering::Relaxed);
            self.ask();
            let round = (tokio::time::Instant::now() + ASK_EVERY).min(end);
            let found = timeout_at(round, place.as_mut()).await;
            let _ = self.wanted.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |wanted| wanted.checked_sub(1));
            match found {
                Ok(place) => return Some(place.expect("the semaphore is never closed")),
                Err(_) if tokio::time::Instant::now() >= end => return None,
                Err(_) => {}
            }
        }
    }

    fn ask(&self) {
        let now = self.opened.elapsed().as_micros() as u64;
        let next = now + ASK_EVERY.as_micros() as u64;
        let asks = |at: u64| (at <= now).then_some(next);
        if self.asks_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, asks).is_ok() {
            self.asked.notify_waiters();
        }
    }

    /// Is ready when somebody asks for a place; then [`Places::give`] says whether one is still wanted.
    pub fn asked(&self) -> Notified<'_> {
        self.asked.notified()
    }

    /// Whether a quiet connection should give its place away. Each yes is for one who waits.
    pub fn give(&self) -> bool {
        self.wanted.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |wanted| wanted.checked_sub(1)).is_ok()
    }

    /// Waits until all places are free, for so long; how many are not.
    pub async fn all_free(&self, wait: Duration) -> usize {
        match tokio::time::timeout(wait, self.free.acquire_many(self.count as u32)).await {
            Ok(_) => 0,
            Err(_) => self.count - self.free.available_permits(),
        }
    }
}
