//! Scrubbing: a slow reading of everything on disk with its checksums, pass after pass, so that damage is told before somebody
//! needs what is damaged, and repaired while there is still another copy of it.
//!
//! ```text
//! [ scrub thread ] every sealed segment ─▶ frames, chain, neighbours ─ damaged ─▶ the copy of the archive, if it fits
//!                  rows, alerts, proofs, indexes, dated rows, checkpoints ─▶ checksums ─▶ made anew at the next start
//!                  format, keys ─▶ what their owners say of them
//! [ archive thread ] sealed segments that the archive does not have ─▶ copied, synced, read back
//! ```
//!
//! - Files are read past the system's cache, so that what counts is what the medium has, and nobody's pages are pushed out.
//! - A finding is told once, when it is new or when something came of it, and listed until it is gone. What was read damaged is
//!   read again before it is told: a file may have been replaced, or be written, at that moment.
//! - Where it is, is kept in memory only. A start begins a pass.
//! - It never waits for the writer, and the writer never waits for it.

pub mod archiver;
mod files;
pub mod offline;
mod pass;
mod segments;

use crate::clock::Clock;
use crate::reading::Books;
use journal::disk::Disk;
use pass::Pass;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

/// Findings that are listed. Of more the number is told.
pub const FINDINGS_MAX: usize = 1_000;

/// What a finding is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Part {
    /// A segment of the journal.
    Journal,
    /// The table of rows.
    Rows,
    /// The table of alerts, or its mark.
    Alerts,
    /// The nodes of the Merkle log, or their mark.
    Proofs,
    /// The index of references.
    References,
    /// The index of children.
    Children,
    /// The order of dated rows.
    Dated,
    /// A checkpoint.
    Checkpoints,
    /// The file of the format.
    Format,
    /// The keys of identities.
    Keys,
    /// A copy in the archive.
    Archive,
}

impl Part {
    /// Its name.
    pub const fn word(self) -> &'static str {
        match self {
            Part::Journal => "journal",
            Part::Rows => "rows",
            Part::Alerts => "alerts",
            Part::Proofs => "proofs",
            Part::References => "references",
            Part::Children => "children",
            Part::Dated => "dated",
            Part::Checkpoints => "checkpoints",
            Part::Format => "format",
            Part::Keys => "keys",
            Part::Archive => "archive",
        }
    }

    /// What becomes of damage in it, and what to do.
    pub const fn advice(self) -> &'static str {
        match self {
            Part::Journal => {
                "the truth is damaged: set `archive` or run `florin scrub --archive DIR --repair`, or restore a backup"
            }
            Part::Rows | Part::Proofs | Part::Dated => {
                "derived: the next start deletes it and makes it anew from the journal"
            }
            Part::Alerts | Part::References | Part::Children => {
                "derived: the next start finds it damaged and makes it anew"
            }
            Part::Checkpoints => "derived: a start passes it over, and later checkpoints replace it",
            Part::Format => "it is written anew by a running server; else restore it from a backup",
            Part::Keys => {
                "restore the folder keys/ from a backup, or delete the identities that it names at the next start"
            }
            Part::Archive => "delete this copy: a server with this archive makes it again from the journal",
        }
    }
}

/// What is known of something damaged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It is damaged.
    Damaged,
    /// It is damaged, and repairing it failed.
    NotRepaired {
        /// Why.
        reason: String,
    },
    /// It was damaged, and is whole again.
    Repaired {
        /// When: microseconds since 1970.
        at: i64,
        /// Where the damaged file is kept, if it is.
        kept: Option<PathBuf>,
    },
}

/// Something damaged, or that was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// What it is about.
    pub part: Part,
    /// The file.
    pub file: PathBuf,
    /// Where in the file: the first place.
    pub offset: u64,
    /// What is wrong there.
    pub problem: String,
    /// When it was found first: microseconds since 1970.
    pub found_at: i64,
    /// What came of it.
    pub standing: Standing,
}

/// A pass that ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ended {
    /// Its number, from 1.
    pub pass: u64,
    /// When it began: microseconds since 1970.
    pub began_at: i64,
    /// When it ended.
    pub ended_at: i64,
    /// Bytes that it read.
    pub bytes: u64,
    /// What it found damaged, repaired or not.
    pub found: u64,
}

/// How scrubbing goes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Status {
    /// The pass that is under way, from 1; 0 before the first and while it rests between two.
    pub pass: u64,
    /// When it began: microseconds since 1970.
    pub began_at: i64,
    /// What is being read.
    pub part: Option<Part>,
    /// Bytes that it has read.
    pub bytes: u64,
    /// Bytes that it had to read when it began.
    pub bytes_max: u64,
    /// The last pass that ended.
    pub last: Option<Ended>,
    /// What is damaged, and what was repaired since the start. The oldest first.
    pub findings: Vec<Finding>,
    /// What was found damaged since the start.
    pub found_count: u64,
    /// What was repaired since the start.
    pub repaired_count: u64,
    /// Bytes that were read since the start.
    pub bytes_count: u64,
    /// Segments that were copied into the archive since the start.
    pub archived_count: u64,
    /// Why the last attempt to archive failed; `None` since one succeeded.
    pub archive_fault: Option<String>,
}

impl Status {
    /// What is damaged now.
    pub fn damaged(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| !matches!(finding.standing, Standing::Repaired { .. }))
    }
}

/// Something damaged in files that the engine does not know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Alien {
    /// The file.
    pub file: PathBuf,
    /// Where in the file.
    pub offset: u64,
    /// What is wrong there.
    pub problem: String,
}

/// Looks at files that the engine does not know, such as the keys of identities. Reads as the pace allows.
pub type Others = Box<dyn Fn(&dyn Disk, journal::sealed::Pace<'_>) -> io::Result<Vec<Alien>> + Send + Sync>;

/// What is told as it happens.
#[derive(Clone, Copy, Debug)]
pub enum Told<'a> {
    /// A finding is new, or something came of it.
    Finding(&'a Finding),
    /// Archiving failed, for another reason than before.
    ArchiveFault(&'a str),
    /// A pass ended.
    Ended(&'a Ended),
    /// The disk refused something that a pass needs; it goes on without it.
    Skipped(&'a str),
}

/// Hears what happens, on the threads of scrubbing.
pub type Tell = Box<dyn Fn(Told<'_>) + Send + Sync>;

/// How to scrub.
pub struct Options {
    /// The data folder.
    pub folder: PathBuf,
    /// Most bytes that are read in a second.
    pub bytes_per_second: u64,
    /// Rest between two passes.
    pub pause: Duration,
    /// Copies of sealed segments, if there are.
    pub archive: Option<PathBuf>,
    /// Files that the engine does not know.
    pub others: Others,
    /// Hears what happens.
    pub tell: Tell,
    /// The time.
    pub clock: Clock,
}

/// Scrubbing under way. Dropping it stops it.
pub struct Scrub {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What the threads share.
pub(crate) struct Shared {
    disk: Arc<dyn Disk>,
    options: Options,
    status: Mutex<Status>,
    stopping: Mutex<bool>,
    stopped: Condvar,
}

impl Scrub {
    /// Starts scrubbing beside an engine, unless the rate is 0, and archiving if there is an archive.
    pub fn start(disk: Arc<dyn Disk>, books: Arc<Books>, options: Options) -> io::Result<Scrub> {
        let shared = Arc::new(Shared::new(disk, options));
        let mut threads = Vec::new();
        if shared.options.bytes_per_second > 0 {
            let (shared, books) = (Arc::clone(&shared), Arc::clone(&books));
            let thread = std::thread::Builder::new().name("scrub".into());
            threads.push(thread.spawn(move || run(&shared, &books))?);
        }
        if let Some(archive) = shared.options.archive.clone() {
            let shared = Arc::clone(&shared);
            let thread = std::thread::Builder::new().name("archive".into());
            threads.push(thread.spawn(move || archiver::run(&shared, books.journal(), &archive))?);
        }
        Ok(Scrub { shared, threads: Mutex::new(threads) })
    }

    /// How it goes.
    pub fn status(&self) -> Status {
        self.shared.status().clone()
    }

    /// Stops, as soon as the read that is under way is done.
    pub fn stop(&self) {
        *self.shared.stopping.lock().expect("no holder panics") = true;
        self.shared.stopped.notify_all();
        for thread in self.threads.lock().expect("no holder panics").drain(..) {
            // A panic over there has been printed.
            drop(thread.join());
        }
    }
}

impl Drop for Scrub {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(shared: &Arc<Shared>, books: &Arc<Books>) {
    // The lowest: whoever else wants the processor has it.
    crate::priority::lower(19);
    let mut number = 0;
    loop {
        number += 1;
        if !Pass::of_server(shared, books, number).run() || !shared.rest(shared.options.pause) {
            return;
        }
    }
}

impl Shared {
    pub(crate) fn new(disk: Arc<dyn Disk>, options: Options) -> Shared {
        let status = Mutex::new(Status::default());
        Shared { disk, options, status, stopping: Mutex::new(false), stopped: Condvar::new() }
    }

    fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().expect("no holder panics")
    }

    fn tell(&self, told: Told<'_>) {
        (self.options.tell)(told);
    }

    /// Waits; answers false, at once, when it is to stop.
    fn rest(&self, time: Duration) -> bool {
        let stopping = self.stopping.lock().expect("no holder panics");
        let waited = self.stopped.wait_timeout_while(stopping, time, |stopping| !*stopping);
        !*waited.expect("no holder panics").0
    }

    /// Waits as long as so many bytes take at the rate that is allowed.
    fn pace(&self, bytes: u64) -> bool {
        let mut status = self.status();
        status.bytes += bytes;
        status.bytes_count += bytes;
        drop(status);
        self.rest(Duration::from_micros(bytes.saturating_mul(1_000_000) / self.options.bytes_per_second.max(1)))
    }

    /// Notes something damaged, and tells it when that is new.
    fn find(&self, part: Part, file: &Path, offset: u64, problem: &str) {
        let found_at = self.options.clock.now();
        let standing = Standing::Damaged;
        let finding = Finding { part, file: file.to_owned(), offset, problem: problem.to_owned(), found_at, standing };
        let mut status = self.status();
        let known = status
            .findings
            .iter_mut()
            .find(|known| known.file == finding.file && !matches!(known.standing, Standing::Repaired { .. }));
        if let Some(known) = known {
            (known.offset, known.problem) = (finding.offset, finding.problem);
            return;
        }
        status.found_count += 1;
        if status.findings.len() >= FINDINGS_MAX {
            // What was repaired long ago makes room first.
            let old = status.findings.iter().position(|known| matches!(known.standing, Standing::Repaired { .. }));
            if let Some(old) = old {
                status.findings.remove(old);
            }
        }
        if status.findings.len() < FINDINGS_MAX {
            status.findings.push(finding.clone());
        }
        drop(status);
        self.tell(Told::Finding(&finding));
    }

    /// Notes what came of something damaged, and tells it when that is new.
    fn settle(&self, file: &Path, standing: Standing) {
        let mut status = self.status();
        let repaired = matches!(standing, Standing::Repaired { .. });
        let known = status
            .findings
            .iter_mut()
            .find(|known| known.file == file && !matches!(known.standing, Standing::Repaired { .. }));
        let Some(known) = known.filter(|known| known.standing != standing) else { return };
        known.standing = standing;
        let finding = known.clone();
        status.repaired_count += u64::from(repaired);
        drop(status);
        self.tell(Told::Finding(&finding));
    }

    /// Forgets what was damaged and was not found so by a whole pass: it was replaced, or is well.
    fn forget_all_but(&self, seen: &BTreeSet<PathBuf>) {
        let keep = |known: &Finding| seen.contains(&known.file) || matches!(known.standing, Standing::Repaired { .. });
        self.status().findings.retain(keep);
    }
}
