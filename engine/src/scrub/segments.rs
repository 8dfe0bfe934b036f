//! The journal's part of a pass: each segment by itself, then whether it continues the one before, then repair.
//!
//! | segment | the one before | the next | then |
//! |---|---|---|---|
//! | not whole | – | – | it is damaged |
//! | whole | whole, does not lead to it | continues it, or is none | the one before is damaged: records at its end are gone |
//! | whole | whole, does not lead to it | does not continue it | it is damaged: it is of another journal |
//! | whole | leads to it | – | it is well |

use super::pass::Pass;
use super::{Part, Standing};
use journal::archive::{self, Folders, RepairFault};
use journal::open::Options;
use journal::sealed::{self, Ends, SegmentFault};

/// Which segments there are.
pub struct Extent {
    /// The last that holds records. All before it are sealed.
    pub last: u64,
    /// Where in it durable records end; the size of a segment when only the records tell.
    pub until: u64,
    /// Sizes of the journal.
    pub options: Options,
    /// Whether the last one is to be judged here. Offline a torn group may stand there, which is no damage.
    pub judges_last: bool,
}

impl Extent {
    fn until(&self, number: u64) -> u64 {
        if number < self.last { self.options.segment_bytes } else { self.until }
    }
}

/// Checks all segments, and repairs what can be repaired. False when it is to stop.
pub fn scrub(pass: &mut Pass<'_>, extent: &Extent) -> bool {
    let mut before: Option<Ends> = None;
    for number in 0..=extent.last {
        if number == extent.last && !extent.judges_last {
            meet_last(pass, extent, before);
            return !pass.is_stopped();
        }
        let found = match check(pass, extent, number) {
            Err(SegmentFault::Stopped) => return false,
            found => found,
        };
        let ends = match found {
            Ok(ends) => follow(pass, extent, number, before, ends),
            Err(fault) if fault.is_damage() => treat(pass, extent, number, fault.offset(), &fault.to_string()),
            Err(fault) => {
                pass.skip(&sealed::path(&pass.paths.journal, number), &fault.to_string());
                None
            }
        };
        if pass.is_stopped() {
            return false;
        }
        before = ends;
    }
    true
}

/// Offline whoever opens the journal judges the last segment; whether it follows from the one before is seen here.
fn meet_last(pass: &mut Pass<'_>, extent: &Extent, before: Option<Ends>) {
    let path = sealed::path(&pass.paths.journal, extent.last);
    let last = sealed::beginning(&*pass.shared.disk, &path, extent.last, extent.options);
    if let (Some(before), Ok(Some(last))) = (before, last)
        && !before.leads_to(&last)
    {
        let offset = before.after.position % extent.options.segment_bytes;
        treat(pass, extent, extent.last - 1, offset, "records at its end are gone");
    }
}

/// Reads a segment; one that seems damaged once more: a medium may fail for a moment, and a file may just be replaced.
fn check(pass: &Pass<'_>, extent: &Extent, number: u64) -> Result<Ends, SegmentFault> {
    let path = sealed::path(&pass.paths.journal, number);
    let once = || {
        let pace = |bytes| pass.pace(bytes);
        sealed::check(&*pass.shared.disk, &path, number, extent.options, extent.until(number), &pace)
    };
    match once() {
        Err(fault) if fault.is_damage() => once(),
        found => found,
    }
}

/// Compares a whole segment with the one before. Answers what the next one has to continue.
fn follow(pass: &mut Pass<'_>, extent: &Extent, number: u64, before: Option<Ends>, ends: Ends) -> Option<Ends> {
    let fits = match before {
        Some(before) => before.leads_to(&ends.before),
        None => number > 0 || (ends.before.seq, ends.before.chain) == (1, [0; 32]),
    };
    if fits {
        return Some(ends);
    }
    let continued = number == extent.last || {
        let next = sealed::path(&pass.paths.journal, number + 1);
        let next = sealed::beginning(&*pass.shared.disk, &next, number + 1, extent.options);
        next.ok().flatten().is_some_and(|next| ends.leads_to(&next))
    };
    if continued && number > 0 {
        let offset = before.map_or(0, |before| before.after.position % extent.options.segment_bytes);
        treat(pass, extent, number - 1, offset, "records at its end are gone");
        return Some(ends);
    }
    treat(pass, extent, number, 0, "it does not follow the segment before: it is of another journal")
}

/// Tells what is damaged, and repairs it. Answers what the next one has to continue, if it is whole now.
fn treat(pass: &mut Pass<'_>, extent: &Extent, number: u64, offset: u64, problem: &str) -> Option<Ends> {
    let path = sealed::path(&pass.paths.journal, number);
    pass.find(Part::Journal, &path, offset, problem);
    let archive = pass.paths.archive.clone()?;
    if number >= extent.last {
        let reason = "the last segment is still being written: it is in no archive yet".to_owned();
        pass.shared.settle(&path, Standing::NotRepaired { reason });
        return None;
    }
    let pace = |bytes| pass.pace(bytes);
    let folders = Folders { journal: &pass.paths.journal, archive: &archive, quarantine: &pass.paths.quarantine };
    match archive::repair(&*pass.shared.disk, folders, number, extent.options, &pace) {
        Ok(kept) => {
            if let Some(books) = pass.books {
                books.journal().reopen(number);
            }
            pass.shared.settle(&path, Standing::Repaired { at: pass.shared.options.clock.now(), kept });
            check(pass, extent, number).ok()
        }
        Err(RepairFault::Stopped) => None,
        Err(fault) => {
            pass.shared.settle(&path, Standing::NotRepaired { reason: fault.to_string() });
            None
        }
    }
}
