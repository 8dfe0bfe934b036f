//! Copies sealed segments into an archive as they are sealed: a follower of the journal.

use super::{Shared, Told};
use journal::archive::{self, ArchiveFault};
use journal::reader::Reader;
use journal::sealed;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How often it is looked for segments that were sealed.
const EVERY: Duration = Duration::from_millis(500);
/// Rest after an attempt that failed.
const RETRY: Duration = Duration::from_secs(10);

/// Copies until it is told to stop.
pub(crate) fn run(shared: &Arc<Shared>, journal: &Reader, archive: &Path) {
    crate::priority::lower(19);
    let mut work = Work { shared, journal, archive, missing: BTreeSet::new(), next: None };
    loop {
        let rest = match work.round() {
            Ok(()) => {
                shared.status().archive_fault = None;
                EVERY
            }
            Err(ArchiveFault::Stopped) => return,
            Err(fault) => {
                let text = fault.to_string();
                let before = shared.status().archive_fault.replace(text.clone());
                if before.as_ref() != Some(&text) {
                    shared.tell(Told::ArchiveFault(&text));
                }
                RETRY
            }
        };
        if !shared.rest(rest) {
            return;
        }
    }
}

struct Work<'a> {
    shared: &'a Shared,
    journal: &'a Reader,
    archive: &'a Path,
    /// Sealed segments that the archive does not have.
    missing: BTreeSet<u64>,
    /// The first segment that was not sealed when it was last looked; none before the archive was first looked at.
    next: Option<u64>,
}

impl Work<'_> {
    /// Copies all that is missing. What fails for one segment does not keep the others.
    fn round(&mut self) -> Result<(), ArchiveFault> {
        let (disk, options) = (&*self.shared.disk, self.journal.options());
        let sealed_count = self.journal.durable_until().saturating_sub(1) / options.segment_bytes;
        let folder = &self.shared.options.folder.join("journal");
        let first = match self.next {
            Some(next) => next,
            None => {
                let fault = |source| ArchiveFault::Disk { file: self.archive.to_owned(), source };
                disk.create_folder(self.archive).map_err(fault)?;
                archive::check_origin(disk, folder, self.archive, options)?;
                let there: BTreeSet<u64> = sealed::numbers(disk, self.archive).map_err(fault)?.into_iter().collect();
                self.missing = (0..sealed_count).filter(|number| !there.contains(number)).collect();
                sealed_count
            }
        };
        self.missing.extend(first..sealed_count);
        self.next = Some(first.max(sealed_count));
        let mut failed = None;
        for number in self.missing.clone() {
            let pace = |_bytes| self.shared.rest(Duration::ZERO);
            match archive::keep(disk, folder, self.archive, number, options, &pace) {
                Ok(()) => {
                    self.missing.remove(&number);
                    self.shared.status().archived_count += 1;
                }
                Err(fault @ ArchiveFault::Segment { .. }) => failed = failed.or(Some(fault)),
                Err(fault) => return Err(fault),
            }
        }
        failed.map_or(Ok(()), Err)
    }
}
