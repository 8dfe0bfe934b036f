//! The log thread: writes groups while the writer decides the next one.

use crate::writer::Wake;
use journal::appender::{AppendFault, Appender};
use journal::group::Group;
use journal::place::Place;
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

/// The log thread, as the writer sees it. It has the writing end of the journal only while it writes a group, so that small
/// groups can be written by the writer itself.
pub struct Log {
    work: Option<Sender<(Appender, Group)>>,
    thread: Option<JoinHandle<()>>,
}

impl Log {
    /// Starts the thread. It tells the writer of each written group.
    pub fn start(wakes: Sender<Wake>) -> std::io::Result<Log> {
        let (work, groups) = channel();
        let thread = std::thread::Builder::new().name("log".into()).spawn(move || write_groups(&groups, &wakes))?;
        Ok(Log { work: Some(work), thread: Some(thread) })
    }

    /// Hands a group over. The next one may be handed over when this one came back.
    pub fn write(&self, appender: Appender, group: Group) {
        let work = self.work.as_ref().expect("the thread runs until the log is dropped");
        work.send((appender, group)).expect("the thread runs until the log is dropped");
    }
}

impl Drop for Log {
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
