//! Waiting until there is more in the feed.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

/// Most requests that wait at the same time. One more is refused as busy.
pub const WAITS_MAX: usize = 1_000;

/// Wakes requests that wait until there is more to follow.
#[derive(Debug)]
pub struct Growth {
    grown: Notify,
    stopping: AtomicBool,
    waits: Semaphore,
}

impl Default for Growth {
    fn default() -> Growth {
        Growth { grown: Notify::new(), stopping: AtomicBool::new(false), waits: Semaphore::new(WAITS_MAX) }
    }
}

impl Growth {
    /// There is more. From any thread; does not block.
    pub fn tell(&self) {
        self.grown.notify_waiters();
    }

    /// Nobody waits any more from now on: the server stops.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.tell();
    }

    /// Begins to listen; `None` when too many do.
    pub fn listen(&self, wait: Duration) -> Option<Listening<'_>> {
        let permit = self.waits.try_acquire().ok()?;
        Some(Listening {
            growth: self,
            end: Instant::now() + wait,
            next: Box::pin(self.grown.notified()),
            _permit: permit,
        })
    }
}

/// Somebody who listens. What comes between two looks is not missed.
pub struct Listening<'a> {
    growth: &'a Growth,
    end: Instant,
    next: Pin<Box<Notified<'a>>>,
    _permit: SemaphorePermit<'a>,
}

impl Listening<'_> {
    /// Waits until there is more since the last call, or since it began to listen. False when the time is over, or the server
    /// stops.
    pub async fn grown(&mut self) -> bool {
        if self.growth.stopping.load(Ordering::Acquire) || timeout_at(self.end, &mut self.next).await.is_err() {
            return false;
        }
        // It hears of everything from here on, whether it is waited for or not.
        self.next = Box::pin(self.growth.grown.notified());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn what_comes_between_two_looks_is_not_missed() {
        let growth = Growth::default();
        let mut listening = growth.listen(LONG).expect("there is room");
        growth.tell();
        growth.tell();
        assert!(listening.grown().await, "it was told before it waited");
        growth.tell();
        assert!(listening.grown().await);
        listening.end = Instant::now();
        assert!(!listening.grown().await, "nothing came since");
    }

    #[tokio::test]
    async fn nobody_waits_when_the_server_stops() {
        let growth = Growth::default();
        let mut listening = growth.listen(LONG).expect("there is room");
        growth.stop();
        assert!(!listening.grown().await);
        assert!(!growth.listen(LONG).expect("there is room").grown().await);
    }

    #[tokio::test]
    async fn so_many_may_wait() {
        let growth = Growth::default();
        let listening: Vec<_> = (0..WAITS_MAX).map(|_| growth.listen(LONG).expect("there is room")).collect();
        assert!(growth.listen(LONG).is_none());
        drop(listening);
        assert!(growth.listen(LONG).is_some());
    }
}
