//! How the writer's answers reach the handlers that wait for them.
//!
//! The writer sends the answers of a whole group one after the other from a thread of its own. To wake the runtime for each would
//! cost a system call an answer; here the first of them wakes a task, which finds the others beside it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;

/// Something to be done on the runtime's own threads, such as completing a channel.
pub type Delivery = Box<dyn FnOnce() + Send>;

/// Where answers wait for the runtime. Cloning it is cheap.
#[derive(Clone, Default)]
pub struct Deliveries(Arc<Shared>);

#[derive(Default)]
struct Shared {
    waiting: Mutex<Vec<Delivery>>,
    arrived: Notify,
    running: AtomicBool,
}

impl Deliveries {
    /// Starts the task that delivers, once. Must be called within a runtime, before anything is sent that is waited for.
    pub fn start(&self) {
        if !self.0.running.swap(true, Ordering::Relaxed) {
            tokio::spawn(run(Arc::clone(&self.0)));
        }
    }

    /// Has something delivered soon. From any thread; does not block.
    pub fn send(&self, delivery: Delivery) {
        let first = {
            let mut waiting = self.0.waiting.lock().expect("no holder panics");
            waiting.push(delivery);
            waiting.len() == 1
        };
        if first {
            self.0.arrived.notify_one();
        }
    }
}

async fn run(shared: Arc<Shared>) {
    let mut taken = Vec::new();
    loop {
        shared.arrived.notified().await;
        std::mem::swap(&mut taken, &mut *shared.waiting.lock().expect("no holder panics"));
        for delivery in taken.drain(..) {
            delivery();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn everything_that_is_sent_from_another_thread_arrives() {
        let deliveries = Deliveries::default();
        deliveries.start();
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..1000).map(|_| oneshot::channel::<usize>()).unzip();
        let sending = deliveries.clone();
        let thread = std::thread::spawn(move || {
            for (number, sender) in senders.into_iter().enumerate() {
                sending.send(Box::new(move || sender.send(number).expect("the receiver waits")));
            }
        });
        for (number, receiver) in receivers.into_iter().enumerate() {
            assert_eq!(receiver.await, Ok(number));
        }
        thread.join().expect("the sender does not panic");
    }
}
