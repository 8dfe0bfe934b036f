//! A pass over a data folder that no server uses, at the full rate of the disk.

use super::pass::{Pass, Paths, extent_of};
use super::{Others, Part, Shared, Standing, Status, Tell};
use crate::checkpoint;
use crate::clock::Clock;
use crate::folder::Folder;
use crate::verify::{self, VerifyFault};
use journal::disk::Disk;
use journal::open::Options as JournalOptions;
use journal::sealed;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What to do.
pub struct Asked<'a> {
    /// The data folder.
    pub folder: &'a Path,
    /// Copies of sealed segments, if there are.
    pub archive: Option<PathBuf>,
    /// Whether to put them in the place of damaged ones, and to have what is derived and damaged made anew.
    pub repair: bool,
    /// Files that the engine does not know.
    pub others: Others,
    /// Hears what happens.
    pub tell: Tell,
}

/// What was found.
pub struct Report {
    /// All findings, and how much was read.
    pub status: Status,
    /// What is wrong with the end of the journal, seen from the newest checkpoint, when no segment before it is damaged.
    pub end: Option<String>,
    /// Copies that the archive has.
    pub copies: u64,
}

impl Report {
    /// Whether something is damaged now.
    pub fn is_damaged(&self) -> bool {
        self.end.is_some() || self.status.damaged().next().is_some()
    }
}

/// Reads everything once.
pub fn run(disk: Arc<dyn Disk>, journal: JournalOptions, asked: Asked<'_>) -> Result<Report, VerifyFault> {
    let folder = Folder::open(asked.folder, false).map_err(VerifyFault::Folder)?;
    let path = folder.journal();
    let options = journal.of_journal(&*disk, &path).map_err(VerifyFault::Journal)?;
    let fault = |source| VerifyFault::Disk { path: path.clone(), source };
    let extent = extent_of(&*disk, &path, options).map_err(fault)?;
    let sealed_count = extent.as_ref().map_or(0, |extent| extent.last);
    let rows_until = rows_until(&*disk, &folder.checkpoints())?;
    let archive = asked.archive.clone();
    let shared = Shared::new(
        Arc::clone(&disk),
        super::Options {
            folder: asked.folder.to_owned(),
            bytes_per_second: u64::MAX,
            pause: Duration::ZERO,
            archive: archive.clone(),
            others: asked.others,
            tell: asked.tell,
            clock: Clock::System,
        },
    );
    let paths = Paths::new(asked.folder, archive.clone().filter(|_| asked.repair));
    Pass::new(&shared, None, paths, extent, rows_until, folder.key, 1, asked.repair).run();
    let copies = match &archive {
        Some(archive) => check_copies(&shared, archive, sealed_count, options)?,
        None => 0,
    };
    let status = shared.status().clone();
    let whole = status.damaged().all(|finding| finding.part != Part::Journal);
    let end = if whole { verify::journal_end(disk, &folder, journal)? } else { None };
    Ok(Report { status, end, copies })
}

/// Checks each copy of a sealed segment by itself. Answers how many there are. The last segments of a backup may not have been
/// full when it was made; they are no copies.
fn check_copies(
    shared: &Shared,
    archive: &Path,
    sealed_count: u64,
    options: JournalOptions,
) -> Result<u64, VerifyFault> {
    let fault = |source| VerifyFault::Disk { path: archive.to_owned(), source };
    let mut numbers = sealed::numbers(&*shared.disk, archive).map_err(fault)?;
    numbers.retain(|number| *number < sealed_count);
    for number in &numbers {
        let path = sealed::path(archive, *number);
        let pace = |bytes| shared.pace(bytes);
        if let Err(found) = sealed::check(&*shared.disk, &path, *number, options, options.segment_bytes, &pace) {
            shared.find(Part::Archive, &path, found.offset(), &found.to_string());
        }
    }
    Ok(numbers.len() as u64)
}

/// Up to which row the newest checkpoint that is whole says that the table reaches.
fn rows_until(disk: &dyn Disk, folder: &Path) -> Result<u64, VerifyFault> {
    let fault = |path: &Path, source: io::Error| VerifyFault::Disk { path: path.to_owned(), source };
    let names = match disk.list(folder) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(fault(folder, error)),
    };
    for name in names.iter().rev().filter(|name| name.ends_with(checkpoint::SUFFIX)) {
        let path = folder.join(name);
        if let Some((_, state)) = checkpoint::read(disk, &path).map_err(|source| fault(&path, source))? {
            return Ok(state.rows_count);
        }
    }
    Ok(0)
}

/// Deletes what an earlier run found damaged, so that this start makes it anew; but only when the journal, which it is made
/// from, is whole. Otherwise all stays as it is: a server with a damaged row is better than none. Answers whether it was deleted.
pub(crate) fn delete_damaged(
    disk: &Arc<dyn Disk>,
    folder: &Folder,
    options: JournalOptions,
) -> Result<bool, VerifyFault> {
    let tell: Tell = Box::new(|_| {});
    let others: Others = Box::new(|_, _| Ok(Vec::new()));
    let path = folder.journal();
    let fault = |source| VerifyFault::Disk { path: path.clone(), source };
    let extent = extent_of(&**disk, &path, options).map_err(fault)?;
    let shared = Shared::new(
        Arc::clone(disk),
        super::Options {
            folder: folder.path().to_owned(),
            bytes_per_second: u64::MAX,
            pause: Duration::ZERO,
            archive: None,
            others,
            tell,
            clock: Clock::System,
        },
    );
    let mut pass = Pass::new(&shared, None, Paths::new(folder.path(), None), None, 0, folder.key, 1, false);
    if let Some(extent) = &extent {
        super::segments::scrub(&mut pass, extent);
    }
    let whole = shared.status().findings.iter().all(|found| matches!(found.standing, Standing::Repaired { .. }));
    if !whole || verify::journal_end(Arc::clone(disk), folder, options)?.is_some() {
        return Ok(false);
    }
    folder.delete_damaged().map_err(VerifyFault::Folder)?;
    Ok(true)
}
