//! The log: writes groups while the writer decides the next one.

use crate::limits;
use crate::writer::Wake;
use journal::appender::{AppendFault, Appender};
use journal::disk::Disk;
use journal::group::Group;
use journal::place::Place;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

/// A group that was written, or not.
pub struct Written {
    /// The writing end of the journal, given back.
    pub appender: Appender,
    /// The group, given back for its memory.
    pub group: Group,
    /// The place after it, or why it is not durable.
    pub result: Result<Place, AppendFault>,
}

/// The log, as the writer sees it. It has the writing end of the journal only while it writes a group, so that small groups can
/// be written by the writer itself.
pub enum Log {
    /// A thread writes groups while the writer decides the next one.
    Behind(Behind),
    /// A group lies here until it is written by [`Log::work`]: for a simulator, which decides when.
    ByHand {
        /// Says whether writing is postponed.
        disk: Arc<dyn Disk>,
        /// What lies here.
        given: Option<Box<(Appender, Group)>>,
    },
}

/// The log thread.
pub struct Behind {
    work: Option<Sender<(Appender, Group)>>,
    thread: Option<JoinHandle<()>>,
}

impl Log {
    /// Starts the thread. It tells the writer of each written group.
    pub fn start(wakes: Sender<Wake>) -> std::io::Result<Log> {
        let (work, groups) = channel();
        let thread = std::thread::Builder::new().name("log".into()).spawn(move || write_groups(&groups, &wakes))?;
        Ok(Log::Behind(Behind { work: Some(work), thread: Some(thread) }))
    }

    /// A log that writes when it is told to.
    pub const fn by_hand(disk: Arc<dyn Disk>) -> Log {
        Log::ByHand { disk, given: None }
    }

    /// Hands a group over. The next one may be handed over when this one came back.
    pub fn write(&mut self, appender: Appender, group: Group) {
        match self {
            Log::Behind(behind) => {
                let work = behind.work.as_ref().expect("the thread runs until the log is dropped");
                work.send((appender, group)).expect("the thread runs until the log is dropped");
            }
            Log::ByHand { given, .. } => *given = Some(Box::new((appender, group))),
        }
    }

    /// Whether a group of so many bytes is better written by the writer itself: to wake another thread takes longer.
    pub fn leaves(&self, bytes: usize) -> bool {
        match self {
            Log::Behind(_) => bytes <= limits::INLINE_BYTES_MAX,
            Log::ByHand { disk, .. } => !disk.postpones(),
        }
    }

    /// Writes what was handed over, where there is no thread that does. Nothing when it is postponed and may be.
    pub fn work(&mut self, may_postpone: bool) -> Option<Written> {
        let Log::ByHand { disk, given } = self else { return None };
        if given.is_none() || may_postpone && disk.postpones() {
            return None;
        }
        let (mut appender, mut group) = *given.take()?;
        let result = appender.append(&mut group);
        Some(Written { appender, group, result })
    }
}

impl Drop for Behind {
    fn drop(&mut self) {
        self.work = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn write_groups(groups: &Receiver<(Appender, Group)>, wakes: &Sender<Wake>) {
    while let Ok((mut appender, mut group)) = groups.recv() {
        let result = appender.append(&mut group);
        // The writer may be gone already; then nobody waits for the answer.
        drop(wakes.send(Wake::Synced(Box::new(Written { appender, group, result }))));
    }
}
