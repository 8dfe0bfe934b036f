//! Scrubbing, as the server starts it: with the keys of identities as one more thing to look at, and a line in the log for all that
//! is found.

use crate::config::scrub::ScrubSettings;
use crate::vault::{KEYS_FOLDER, check};
use engine::clock::Clock;
use engine::reading::Books;
use engine::scrub::{Finding, Options, Others, Part, Scrub, Standing, Tell, Told};
use journal::disk::Disk;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Starts it beside an engine that runs on a data folder.
pub fn start(disk: Arc<dyn Disk>, folder: &Path, books: Arc<Books>, settings: &ScrubSettings) -> io::Result<Scrub> {
    let options = Options {
        folder: folder.to_owned(),
        bytes_per_second: settings.bytes_per_second,
        pause: settings.pause,
        archive: settings.archive.clone(),
        others: keys_of(folder),
        tell: logging(),
        clock: Clock::System,
    };
    Scrub::start(disk, books, options)
}

/// Looks at the keys of identities of a data folder.
pub fn keys_of(folder: &Path) -> Others {
    let keys = folder.join(KEYS_FOLDER);
    Box::new(move |disk, pace| check::check(disk, &keys, pace))
}

fn logging() -> Tell {
    Box::new(|told| match told {
        Told::Finding(finding) => log(finding),
        Told::ArchiveFault(reason) => tracing::error!(reason, "segments cannot be archived: {reason}"),
        Told::Skipped(what) => tracing::warn!("scrubbing went on without looking at {what}"),
        Told::Ended(ended) => tracing::debug!(
            pass = ended.pass,
            bytes = ended.bytes,
            found = ended.found,
            "everything on disk was read, with its checksums"
        ),
    })
}

fn log(finding: &Finding) {
    let (part, file, offset) = (finding.part.word(), finding.file.display(), finding.offset);
    let problem = &finding.problem;
    match &finding.standing {
        Standing::Damaged => {
            let advice = finding.part.advice();
            tracing::error!(part, %file, offset, "damaged on disk: {file} at byte {offset}: {problem}; {advice}");
        }
        Standing::NotRepaired { reason } => {
            tracing::error!(part, %file, offset, reason, "cannot repair {file}: {reason}");
        }
        Standing::Repaired { kept, .. } => {
            let from = if finding.part == Part::Journal { "from the archive" } else { "anew" };
            let kept =
                kept.as_ref().map(|kept| format!("; the damaged file is {}", kept.display())).unwrap_or_default();
            tracing::warn!(part, %file, "repaired {file} {from}{kept}");
        }
    }
}
