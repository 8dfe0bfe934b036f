//! When checkpoints are made. A thread behind writes them; they count when everything else that is derived reaches as far.

use super::{Wake, Writer};
use crate::checkpoint;
use crate::limits::{self, Sizes};
use crate::reading::Books;
use journal::disk::Disk;
use journal::place::Place;
use ledger::state::State;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

/// A checkpoint that was written, or could not be.
pub struct Finished {
    place: Place,
    result: Result<(PathBuf, PathBuf), String>,
}

/// What the thread behind has to write.
enum Work {
    /// A checkpoint.
    State(Box<(Place, State)>),
    /// A mark of how far the journal reached.
    Reached(Place),
}

/// What is being done about checkpoints.
pub struct Checkpoints {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) folder: PathBuf,
    pub(super) segment_bytes: u64,
    sizes: Sizes,
    /// Absent where the disk allows no threads: the writer then writes checkpoints itself.
    work: Option<Sender<Work>>,
    thread: Option<JoinHandle<()>>,
    books: Arc<Books>,
    /// Rows and records since the last one began.
    rows: u64,
    records: u64,
    busy: bool,
    /// Still to be written, where the disk allows no threads and postponed it.
    later: Option<(Place, State)>,
    /// Written, and waiting for the indexes to reach as far.
    written: Option<(Place, (PathBuf, PathBuf))>,
    /// The seq of the last mark of how far the journal reached, and when it was made.
    reached: (u64, i64),
}

impl Checkpoints {
    /// Starts the thread behind.
    pub fn start(
        disk: Arc<dyn Disk>,
        folder: PathBuf,
        segment_bytes: u64,
        sizes: Sizes,
        books: Arc<Books>,
        wakes: Sender<Wake>,
    ) -> std::io::Result<Checkpoints> {
        let (work, thread) = if disk.allows_threads() {
            let (work, given) = channel::<Work>();
            let (disk, folder, books) = (Arc::clone(&disk), folder.clone(), Arc::clone(&books));
            let thread = std::thread::Builder::new().name("checkpoint".into()).spawn(move || {
                crate::priority::lower(crate::priority::FOLLOWER);
                while let Ok(work) = given.recv() {
                    let (place, state) = match work {
                        Work::State(given) => *given,
                        Work::Reached(place) => {
                            // Not written, the next one is.
                            drop(checkpoint::write_reached(&*disk, &folder, place));
                            continue;
                        }
                    };
                    let result = write(&*disk, &folder, &books, place, &state);
                    drop(state);
                    // The writer may be gone already; then the file is left to be removed at the next start.
                    drop(wakes.send(Wake::Checkpoint(Finished { place, result })));
                }
            })?;
            (Some(work), Some(thread))
        } else {
            (None, None)
        };
        Ok(Checkpoints {
            disk,
            folder,
            segment_bytes,
            sizes,
            work,
            thread,
            books,
            rows: 0,
            records: 0,
            busy: false,
            later: None,
            written: None,
            reached: (0, i64::MIN),
        })
    }

    /// Counts what was published since the last checkpoint.
    pub(super) fn count(&mut self, rows: u64, records: u64) {
        self.rows += rows;
        self.records += records;
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.work = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn write(
    disk: &dyn Disk,
    folder: &std::path::Path,
    books: &Books,
    place: Place,
    state: &State,
) -> Result<(PathBuf, PathBuf), String> {
    books.rows.make_durable(state.rows_count).map_err(|fault| crate::fault_text(&fault))?;
    checkpoint::write(disk, folder, place, state).map_err(|error| error.to_string())
}

impl Writer {
    /// The state, when it is time for a checkpoint. Called when the open group is complete and the state is that after it.
    pub(super) fn snapshot_if_due(&mut self) -> Option<State> {
        let sizes = self.checkpoints.sizes;
        let due =
            self.checkpoints.rows >= sizes.checkpoint_rows || self.checkpoints.records >= sizes.checkpoint_records;
        if !due || self.checkpoints.busy {
            return None;
        }
        self.checkpoints.busy = true;
        self.checkpoints.rows = 0;
        self.checkpoints.records = 0;
        Some(self.state.clone())
    }

    /// Has a checkpoint written at a durable place; the indexes are asked to reach it too.
    pub(super) fn begin_checkpoint(&mut self, place: Place, snapshot: State) {
        self.references.freeze();
        self.children.freeze();
        self.books.dated.freeze();
        match &self.checkpoints.work {
            Some(work) => {
                let work = work.send(Work::State(Box::new((place, snapshot))));
                assert!(work.is_ok(), "the thread runs until the writer ends");
            }
            None => self.checkpoints.later = Some((place, snapshot)),
        }
    }

    /// Writes a checkpoint on this thread, where there is no other.
    fn write_later(&mut self) {
        if self.checkpoints.later.is_none() || self.checkpoints.disk.postpones() {
            return;
        }
        let Some((place, snapshot)) = self.checkpoints.later.take() else { return };
        let (disk, folder) = (&*self.checkpoints.disk, &self.checkpoints.folder);
        let result = write(disk, folder, &self.checkpoints.books, place, &snapshot);
        self.checkpoint_finished(Finished { place, result });
    }

    pub(super) fn checkpoint_finished(&mut self, finished: Finished) {
        match finished.result {
            Ok(names) => self.checkpoints.written = Some((finished.place, names)),
            // Only the next start gets slower; the next checkpoint tries again.
            Err(_) => self.checkpoints.busy = false,
        }
    }

    /// Makes a written checkpoint count, once the indexes reach as far.
    pub(super) fn checkpoint(&mut self) {
        self.write_later();
        let Some((place, _)) = &self.checkpoints.written else { return };
        if self.references.covered() < place.position || self.children.covered() < place.position {
            return;
        }
        let (_, names) = self.checkpoints.written.take().expect("it was just there");
        // A checkpoint that cannot be renamed is one that was not made.
        drop(checkpoint::finish(&*self.checkpoints.disk, &self.checkpoints.folder, &names));
        self.checkpoints.busy = false;
    }

    /// Leaves a mark of how far the journal reached, when no group follows for a moment. The next group would be the proof that the
    /// last one was whole; as long as there is none, damage in it looks as if it had never been.
    pub(super) fn mark_reached(&mut self) {
        let (Some(appender), None) = (&self.appender, self.health.stopped()) else { return };
        let (place, now) = (appender.place(), self.clock.now());
        let (seq, at) = self.checkpoints.reached;
        if place.seq <= seq.max(1) || now.abs_diff(at) < limits::REACHED_EVERY.as_micros() as u64 {
            return;
        }
        match &self.checkpoints.work {
            // The thread runs until the writer ends.
            Some(work) => drop(work.send(Work::Reached(place))),
            None if self.checkpoints.disk.postpones() => return,
            // Not written, the next one is.
            None => drop(checkpoint::write_reached(&*self.checkpoints.disk, &self.checkpoints.folder, place)),
        }
        self.checkpoints.reached = (place.seq, now);
    }

    /// Ends cleanly: what is derived reaches the end of the journal, so that the next start replays nothing.
    pub(crate) fn close(&mut self) {
        let Some(place) = self.appender.as_ref().map(journal::appender::Appender::place) else { return };
        if self.health.stopped().is_some() {
            return;
        }
        self.references.mark(place.position);
        self.children.mark(place.position);
        self.books.dated.flush();
        let flushed = self.references.flush().is_ok() && self.children.flush().is_ok();
        if !flushed {
            return;
        }
        let (disk, folder) = (&*self.checkpoints.disk, &self.checkpoints.folder);
        if let Ok(names) = write(disk, folder, &self.checkpoints.books, place, &self.state) {
            // Not made, it only makes the next start slower.
            drop(checkpoint::finish(disk, folder, &names));
        }
    }
}
