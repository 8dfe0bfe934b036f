//! One pass over everything.

use super::files::{self, FileFault};
use super::segments::{self, Extent};
use super::{Ended, Part, Shared, Standing, Told};
use crate::checkpoint;
use crate::dated;
use crate::fingerprint::FingerprintKey;
use crate::folder::{self, QUARANTINE};
use crate::index;
use crate::merkle;
use crate::monitors::table::{self, Table};
use crate::reading::Books;
use crate::rows;
use journal::disk::Disk;
use journal::sealed::{self, Pace};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How often what seems damaged is read again before it is told, and the rest before each time.
const TRIES: u32 = 3;
const REST: Duration = Duration::from_millis(50);

/// Where things are.
pub struct Paths {
    root: PathBuf,
    /// The journal.
    pub journal: PathBuf,
    /// Damaged files that were replaced.
    pub quarantine: PathBuf,
    /// Copies of sealed segments, when what is damaged is to be repaired from them.
    pub archive: Option<PathBuf>,
    tables: PathBuf,
    references: PathBuf,
    children: PathBuf,
    dated: PathBuf,
    checkpoints: PathBuf,
}

impl Paths {
    /// Of a data folder.
    pub fn new(root: &Path, archive: Option<PathBuf>) -> Paths {
        Paths {
            root: root.to_owned(),
            journal: root.join("journal"),
            quarantine: root.join(QUARANTINE),
            archive,
            tables: root.join("tables"),
            references: root.join("references"),
            children: root.join("children"),
            dated: root.join("dated"),
            checkpoints: root.join("checkpoints"),
        }
    }
}

/// A pass.
pub struct Pass<'a> {
    /// What the threads share.
    pub shared: &'a Shared,
    /// The running engine; none offline.
    pub books: Option<&'a Arc<Books>>,
    /// Where things are.
    pub paths: Paths,
    extent: Option<Extent>,
    /// Rows that must be in the table.
    rows_until: u64,
    key: FingerprintKey,
    number: u64,
    /// Files that this pass found damaged.
    seen: BTreeSet<PathBuf>,
    stopped: std::cell::Cell<bool>,
    /// Whether to note for the next start what it is to make anew.
    marks: bool,
    /// Whether something could not be looked at: then nothing is known to be well again.
    skipped: bool,
}

/// Reads one part.
type Scrub<'a> = fn(&mut Pass<'a>);

impl<'a> Pass<'a> {
    /// A pass beside a running engine.
    pub fn of_server(shared: &'a Shared, books: &'a Arc<Books>, number: u64) -> Pass<'a> {
        let paths = Paths::new(&shared.options.folder, shared.options.archive.clone());
        let options = books.journal().options();
        let tail = books.journal().durable_until();
        let last = tail.saturating_sub(1) / options.segment_bytes;
        let until = tail - last * options.segment_bytes;
        let extent = (tail > 0).then_some(Extent { last, until, options, judges_last: true });
        let (rows_until, key) = (books.rows.written(), books.fingerprint_key());
        Pass::new(shared, Some(books), paths, extent, rows_until, key, number, true)
    }

    /// A pass over these.
    #[allow(clippy::too_many_arguments, reason = "two callers, each of which has all of it at hand")]
    pub fn new(
        shared: &'a Shared,
        books: Option<&'a Arc<Books>>,
        paths: Paths,
        extent: Option<Extent>,
        rows_until: u64,
        key: FingerprintKey,
        number: u64,
        marks: bool,
    ) -> Pass<'a> {
        let (seen, stopped) = (BTreeSet::new(), std::cell::Cell::new(false));
        Pass { shared, books, paths, extent, rows_until, key, number, seen, stopped, marks, skipped: false }
    }

    /// Reads everything. False when it was stopped before the end.
    pub fn run(mut self) -> bool {
        let began_at = self.shared.options.clock.now();
        let bytes_max = self.bytes_max();
        {
            let mut status = self.shared.status();
            (status.pass, status.began_at, status.bytes, status.bytes_max) = (self.number, began_at, 0, bytes_max);
        }
        if !self.run_parts() {
            return false;
        }
        if !self.skipped {
            self.shared.forget_all_but(&self.seen);
        }
        let mut status = self.shared.status();
        let ended_at = self.shared.options.clock.now();
        let (pass, bytes, found) = (self.number, status.bytes, self.seen.len() as u64);
        let ended = Ended { pass, began_at, ended_at, bytes, found };
        (status.last, status.pass, status.part) = (Some(ended), 0, None);
        drop(status);
        self.shared.tell(Told::Ended(&ended));
        true
    }

    fn run_parts(&mut self) -> bool {
        self.begin(Part::Journal);
        if let Some(extent) = self.extent.take()
            && !segments::scrub(self, &extent)
        {
            return false;
        }
        let parts: [(Part, Scrub<'a>); 9] = [
            (Part::Rows, Self::rows),
            (Part::Alerts, Self::alerts),
            (Part::Proofs, Self::proofs),
            (Part::References, Self::references),
            (Part::Children, Self::children),
            (Part::Dated, Self::dated),
            (Part::Checkpoints, Self::checkpoints),
            (Part::Format, Self::format),
            (Part::Keys, Self::others),
        ];
        for (part, scrub) in parts {
            self.begin(part);
            scrub(self);
            if self.is_stopped() {
                return false;
            }
        }
        true
    }

    fn begin(&self, part: Part) {
        self.shared.status().part = Some(part);
    }

    /// About how many bytes there are to read. What cannot be measured is not counted.
    fn bytes_max(&self) -> u64 {
        let paths = &self.paths;
        let disk = &*self.shared.disk;
        let folders = [&paths.references, &paths.children, &paths.dated, &paths.checkpoints];
        let files = folders.into_iter().flat_map(|folder| {
            let names = disk.list(folder).unwrap_or_default();
            names.into_iter().map(|name| folder.join(name)).collect::<Vec<_>>()
        });
        let files: u64 = files.map(|file| files::length(disk, &file).unwrap_or_default()).sum();
        let journal =
            self.extent.as_ref().map_or(0, |extent| extent.last * extent.options.segment_bytes + extent.until);
        let rows = self.rows_until * rows::bytes::ROW_BYTES as u64;
        let tables = [table::FILE_NAME, merkle::table::FILE_NAME].map(|name| paths.tables.join(name));
        let tables: u64 = tables.iter().map(|file| files::length(disk, file).unwrap_or_default()).sum();
        files + journal + rows + tables
    }

    /// Waits as long as reading so many bytes takes.
    pub fn pace(&self, bytes: u64) -> bool {
        if !self.stopped.get() && !self.shared.pace(bytes) {
            self.stopped.set(true);
        }
        !self.stopped.get()
    }

    /// Whether it is to stop.
    pub fn is_stopped(&self) -> bool {
        self.stopped.get()
    }

    /// Notes something damaged.
    pub fn find(&mut self, part: Part, file: &Path, offset: u64, problem: &str) {
        self.seen.insert(file.to_owned());
        self.shared.find(part, file, offset, problem);
    }

    /// Tells what could not be looked at.
    pub fn skip(&mut self, file: &Path, why: &str) {
        self.skipped = true;
        self.shared.tell(Told::Skipped(&format!("{}: {why}", file.display())));
    }

    /// Looks at a derived file a few times, until it is found well or has gone. `is_current` says whether it still counts.
    fn look(
        &mut self,
        part: Part,
        file: &Path,
        is_current: impl Fn(&dyn Disk) -> bool,
        check: impl Fn(&dyn Disk, Pace<'_>) -> Result<(), FileFault>,
    ) {
        let mut told = None;
        for turn in 0..TRIES {
            let pace = |bytes| self.pace(bytes);
            match check(&*self.shared.disk, &pace) {
                Ok(()) => return,
                Err(FileFault::Stopped) => return self.stopped.set(true),
                Err(FileFault::Disk(source)) => return self.skip(file, &source.to_string()),
                Err(FileFault::Gone) => told = Some((0, "the file is missing".to_owned())),
                Err(FileFault::Damaged { offset, problem }) => told = Some((offset, problem)),
            }
            if !is_current(&*self.shared.disk) {
                return;
            }
            if turn + 1 < TRIES && !self.shared.rest(REST) {
                return self.stopped.set(true);
            }
        }
        let Some((offset, problem)) = told else { return };
        self.find(part, file, offset, &problem);
        let name = match part {
            Part::Rows => "tables",
            Part::Proofs => folder::PROOFS,
            Part::Dated => "dated",
            // A start finds the others damaged by itself.
            _ => return,
        };
        if self.marks
            && let Err(error) = folder::mark_damaged(&self.paths.root, name)
        {
            let reason = format!("it cannot be noted for the next start, run `florin rebuild`: {error}");
            self.shared.settle(file, Standing::NotRepaired { reason });
        }
    }

    fn rows(&mut self) {
        let (path, until) = (self.paths.tables.join(rows::FILE_NAME), self.rows_until);
        if until > 0 {
            self.look(Part::Rows, &path, |_| true, |disk, pace| files::rows(disk, &path, until, pace));
        }
    }

    fn alerts(&mut self) {
        let mark_path = self.paths.tables.join(table::MARK_NAME);
        let exists = |disk: &dyn Disk| disk.exists(&mark_path).unwrap_or(false);
        if !exists(&*self.shared.disk) {
            return;
        }
        self.look(Part::Alerts, &mark_path, exists, |disk, pace| files::summed(disk, &mark_path, pace));
        let table = Table::new(Arc::clone(&self.shared.disk), &self.paths.tables);
        let Ok(Some(mark)) = table.mark() else { return };
        let path = table.path();
        if mark.alerts > 0 {
            self.look(Part::Alerts, &path, exists, |disk, pace| files::alerts(disk, &path, mark.alerts, pace));
        }
    }

    fn proofs(&mut self) {
        let mark_path = self.paths.tables.join(merkle::table::MARK_NAME);
        let exists = |disk: &dyn Disk| disk.exists(&mark_path).unwrap_or(false);
        if !exists(&*self.shared.disk) {
            return;
        }
        self.look(Part::Proofs, &mark_path, exists, |disk, pace| files::summed(disk, &mark_path, pace));
        let table = merkle::table::Table::new(Arc::clone(&self.shared.disk), &self.paths.tables);
        let Ok(Some(mark)) = table.mark() else { return };
        let (path, nodes) = (table.path(), merkle::table::nodes_before(mark.blocks));
        self.look(Part::Proofs, &path, exists, |disk, pace| files::nodes(disk, &path, nodes, pace));
    }

    fn references(&mut self) {
        let folder = self.paths.references.clone();
        self.index(Part::References, &folder);
    }

    fn children(&mut self) {
        let folder = self.paths.children.clone();
        self.index(Part::Children, &folder);
    }

    fn index(&mut self, part: Part, folder: &Path) {
        let read = |disk: &dyn Disk| index::manifest::Manifest::read(disk, folder).map(|found| found.map(|m| m.runs));
        self.runs(part, folder, read, index::run::file_path, files::index_run);
    }

    fn dated(&mut self) {
        let folder = self.paths.dated.clone();
        let read = |disk: &dyn Disk| dated::manifest::Manifest::read(disk, &folder).map(|found| found.map(|m| m.runs));
        self.runs(Part::Dated, &folder, read, dated::run::file_path, files::dated_run);
    }

    /// The runs that a manifest names, and the manifest. Runs are merged while this goes on: one that is gone counts only if the
    /// manifest still names it.
    fn runs(
        &mut self,
        part: Part,
        folder: &Path,
        read: impl Fn(&dyn Disk) -> Result<Option<Vec<(u64, u64)>>, index::IndexFault>,
        path_of: impl Fn(&Path, u64) -> PathBuf,
        check: impl Fn(&dyn Disk, &Path, u64, u64, Pace<'_>) -> Result<(), FileFault>,
    ) {
        let manifest = folder.join(index::manifest::NAME);
        let exists = |disk: &dyn Disk| disk.exists(&manifest).unwrap_or(false);
        if !exists(&*self.shared.disk) {
            return;
        }
        self.look(part, &manifest, exists, |disk, pace| files::summed(disk, &manifest, pace));
        let runs = match read(&*self.shared.disk) {
            Ok(runs) => runs.unwrap_or_default(),
            Err(fault) => return self.skip(&manifest, &crate::fault_text(&fault)),
        };
        for (run, items) in runs {
            let path = path_of(folder, run);
            let named = |disk: &dyn Disk| matches!(read(disk), Ok(Some(runs)) if runs.contains(&(run, items)));
            self.look(part, &path, named, |disk, pace| check(disk, &path, run, items, pace));
            if self.is_stopped() {
                return;
            }
        }
    }

    fn checkpoints(&mut self) {
        let names = match self.shared.disk.list(&self.paths.checkpoints) {
            Ok(names) => names,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => return self.skip(&self.paths.checkpoints.clone(), &error.to_string()),
        };
        let counts = |name: &&String| name.ends_with(checkpoint::SUFFIX) || *name == checkpoint::REACHED_NAME;
        for name in names.iter().filter(counts) {
            let path = self.paths.checkpoints.join(name);
            let exists = |disk: &dyn Disk| disk.exists(&path).unwrap_or(false);
            self.look(Part::Checkpoints, &path, exists, |disk, pace| files::summed(disk, &path, pace));
        }
    }

    /// The file of the format has no checksum: it is compared with what it said at the start, and written anew if it is not that.
    fn format(&mut self) {
        let path = self.paths.root.join("format");
        match folder::is_format_whole(&self.paths.root, self.key) {
            Ok(true) => return,
            Ok(false) => {}
            Err(error) => return self.skip(&path, &error.to_string()),
        }
        self.find(Part::Format, &path, 0, "it is not what it was at the start");
        let standing = match folder::mend_format(&self.paths.root, self.key) {
            Ok(()) => Standing::Repaired { at: self.shared.options.clock.now(), kept: None },
            Err(error) => Standing::NotRepaired { reason: error.to_string() },
        };
        self.shared.settle(&path, standing);
    }

    fn others(&mut self) {
        let look = || {
            let pace = |bytes| self.pace(bytes);
            (self.shared.options.others)(&*self.shared.disk, &pace)
        };
        // Keys are written in place: what is damaged is what stays so.
        let mut found = look();
        for _ in 1..TRIES {
            if matches!(&found, Ok(found) if found.is_empty()) || self.is_stopped() || !self.shared.rest(REST) {
                break;
            }
            found = look();
        }
        match found {
            Ok(found) => {
                for alien in found {
                    self.find(Part::Keys, &alien.file, alien.offset, &alien.problem);
                }
            }
            Err(error) => self.skip(&self.paths.root.join("keys"), &error.to_string()),
        }
    }
}

/// Where the segments of a journal are that nobody writes; `None` when there are none with records.
pub fn extent_of(disk: &dyn Disk, journal: &Path, options: journal::open::Options) -> io::Result<Option<Extent>> {
    let mut last = None;
    for number in sealed::numbers(disk, journal)? {
        if sealed::beginning(disk, &sealed::path(journal, number), number, options)?.is_some() {
            last = Some(number);
        }
    }
    let until = options.segment_bytes;
    Ok(last.map(|last| Extent { last, until, options, judges_last: false }))
}
