//! A writer that a simulator runs, turn by turn, on its own thread.

use crate::writer::{Wake, Writer};

/// The writer of an engine that was opened by [`crate::engine::Engine::open_by_hand`]. Dropped, it ends as a killed process does.
pub struct ByHand {
    writer: Writer,
}

impl ByHand {
    pub(crate) const fn new(writer: Writer) -> ByHand {
        ByHand { writer }
    }

    /// One round of the writer's loop: takes what was submitted, runs what is due, and writes, unless the disk postpones that.
    /// Answers leave from here. True when the engine is closing and nothing is left to do.
    pub fn turn(&mut self) -> bool {
        let written = self.writer.log.work(true).map(|written| Wake::Synced(Box::new(written)));
        self.writer.turn(written)
    }

    /// Whether something that was taken is not answered yet.
    pub fn is_busy(&self) -> bool {
        self.writer.is_busy()
    }

    /// Runs until everything that was taken is answered, then saves what is derived. The engine was told to close before.
    pub fn close(mut self) {
        while !self.turn() {}
        self.writer.close();
    }
}
