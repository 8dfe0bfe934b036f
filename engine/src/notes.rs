//! Where changes of metadata are, for every thread that shows rows. All of it is durable.
//!
//! It is asked for every row that is shown, and nearly always has nothing for it: one look into a map, none at all while no
//! metadata was ever changed.

use ledger::notes::Subject;
use ledger::sharded::Sharded;
use ledger::state::{NO_RECORD, State};
use std::sync::RwLock;

/// Where the newest change of each metadata is that was changed.
#[derive(Debug)]
pub struct Notes(RwLock<Sharded<u64, u64>>);

impl Notes {
    /// Those of a state that is durable.
    pub(crate) fn of(state: &State) -> Notes {
        let mut newest = Sharded::default();
        for (&subject, noted) in state.notes.iter() {
            newest.insert(subject, noted.record);
        }
        Notes(RwLock::new(newest))
    }

    /// Adds changes, in the order of their records.
    pub(crate) fn add(&self, changes: impl IntoIterator<Item = (Subject, u64)>) {
        let mut newest = self.0.write().expect("no reader panics");
        for (subject, record) in changes {
            newest.insert(subject.pack(), record);
        }
    }

    /// The record of the newest change of some metadata, or [`NO_RECORD`].
    pub fn newest(&self, subject: Subject) -> u64 {
        self.0.read().expect("no reader panics").get(&subject.pack()).copied().unwrap_or(NO_RECORD)
    }

    /// Whether no metadata was ever changed.
    pub fn is_empty(&self) -> bool {
        self.0.read().expect("no reader panics").is_empty()
    }
}
