//! Copies of sealed segments in another folder, and putting one back in the place of a segment that is damaged.
//!
//! A sealed segment never changes, so its copy never does: it is made once, read back and compared, and nothing in an archive
//! is ever overwritten or deleted. A copy is trusted for nothing but what it proves: it goes into the journal only when all of
//! it verifies, and its chain continues that of the segments on both of its sides.
//!
//! | step of a repair | a crash then leaves |
//! |---|---|
//! | the copy is verified, and compared with both neighbours | nothing |
//! | it is written beside the damaged segment, as `….seg.repair`, and synced | a file that the next opening removes |
//! | that is read back past the cache and verified once more | the same |
//! | the damaged file is copied into the quarantine folder, and synced | the same, and a copy of the damaged file |
//! | the new file takes the name of the damaged one, in one step; the folder is synced | the damaged segment, or the whole one |

use crate::block::{AlignedBytes, BLOCK_BYTES};
use crate::disk::{Access, Disk, File};
use crate::open::Options;
use crate::place::Place;
use crate::sealed::{self, Ends, Pace, READ_BYTES, SegmentFault};
use crate::segment;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// What a file is called while it is being copied into an archive.
const PART_SUFFIX: &str = ".part";
/// Damaged files of one segment that are kept aside at most.
const KEPT_ASIDE_MAX: u32 = 16;

/// Where the parts of a repair are.
#[derive(Clone, Copy, Debug)]
pub struct Folders<'a> {
    /// The journal.
    pub journal: &'a Path,
    /// Copies of its sealed segments.
    pub archive: &'a Path,
    /// Where damaged files are kept.
    pub quarantine: &'a Path,
}

/// Why a segment was not repaired. Nothing of the journal was changed.
#[derive(Debug)]
pub enum RepairFault {
    /// The archive has no whole copy.
    Copy {
        /// The copy.
        file: PathBuf,
        /// What is wrong with it.
        source: SegmentFault,
    },
    /// The segment before is damaged too, so that nothing tells whether the copy follows from it.
    Neighbour {
        /// The segment before.
        number: u64,
        /// What is wrong with it.
        source: SegmentFault,
    },
    /// The copy is whole and of other records than this journal has before it or after it.
    OtherChain {
        /// The copy.
        file: PathBuf,
        /// The segment that it does not fit to.
        neighbour: u64,
    },
    /// What was written is not what was to be written.
    Written {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: SegmentFault,
    },
    /// The disk refused.
    Disk {
        /// The file or folder.
        file: PathBuf,
        /// What the disk said.
        source: io::Error,
    },
    /// The caller said not to go on.
    Stopped,
}

impl fmt::Display for RepairFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RepairFault::Copy { file, source } => write!(formatter, "the copy {}: {source}", file.display()),
            RepairFault::Neighbour { number, source } => {
                write!(formatter, "segment {number} before it is not whole either: {source}")
            }
            RepairFault::OtherChain { file, neighbour } => write!(
                formatter,
                "the copy {} is whole, but its records are not those that segment {neighbour} goes with: it is of another journal, or was \
                 made before the segment was full",
                file.display()
            ),
            RepairFault::Written { file, source } => {
                write!(formatter, "{} was written and is not whole: {source}", file.display())
            }
            RepairFault::Disk { file, source } => write!(formatter, "the disk refused {}: {source}", file.display()),
            RepairFault::Stopped => write!(formatter, "the repair was stopped"),
        }
    }
}

impl std::error::Error for RepairFault {}

/// Puts the copy of an archive in the place of a damaged segment. The segment is sealed: a later one was entered, and this one
/// is not written any more. Answers where the damaged file is kept, if there was one.
pub fn repair(
    disk: &dyn Disk,
    folders: Folders<'_>,
    number: u64,
    options: Options,
    pace: Pace<'_>,
) -> Result<Option<PathBuf>, RepairFault> {
    let copy = sealed::path(folders.archive, number);
    let ends = check_copy(disk, folders, number, options, pace)?;
    if number > 0 {
        let before = sealed::path(folders.journal, number - 1);
        let before = sealed::check(disk, &before, number - 1, options, options.segment_bytes, pace);
        let before = before.map_err(|source| match source {
            SegmentFault::Stopped => RepairFault::Stopped,
            source => RepairFault::Neighbour { number: number - 1, source },
        })?;
        if !before.leads_to(&ends.before) {
            return Err(RepairFault::OtherChain { file: copy, neighbour: number - 1 });
        }
    } else if (ends.before.seq, ends.before.chain) != (Place::start().seq, Place::start().chain) {
        return Err(RepairFault::OtherChain { file: copy, neighbour: number });
    }
    check_right(disk, folders, number, options, ends, pace)?;
    let new = segment::repair_path(folders.journal, number);
    let fault = |file: &Path| {
        let file = file.to_owned();
        move |source| RepairFault::Disk { file, source }
    };
    copy_file(disk, &copy, &new, false, pace).map_err(|fault| fault.of_repair(&new))?;
    let written = sealed::check(disk, &new, number, options, options.segment_bytes, pace);
    let written = written.map_err(|source| RepairFault::Written { file: new.clone(), source })?;
    if written != ends {
        let source = SegmentFault::Damaged { offset: 0, reason: "other records were written than were read" };
        return Err(RepairFault::Written { file: new, source });
    }
    let damaged = sealed::path(folders.journal, number);
    let aside = keep_aside(disk, &damaged, folders.quarantine, pace)?;
    disk.rename(&new, &damaged).map_err(fault(&damaged))?;
    Ok(aside)
}

fn check_copy(
    disk: &dyn Disk,
    folders: Folders<'_>,
    number: u64,
    options: Options,
    pace: Pace<'_>,
) -> Result<Ends, RepairFault> {
    let file = sealed::path(folders.archive, number);
    match sealed::check(disk, &file, number, options, options.segment_bytes, pace) {
        Ok(ends) => Ok(ends),
        Err(SegmentFault::Stopped) => Err(RepairFault::Stopped),
        Err(source) => Err(RepairFault::Copy { file, source }),
    }
}

/// The copy has to lead to the next segment of the journal whose header is whole. Where segments between them are damaged too,
/// their copies have to be the way there.
fn check_right(
    disk: &dyn Disk,
    folders: Folders<'_>,
    number: u64,
    options: Options,
    ends: Ends,
    pace: Pace<'_>,
) -> Result<(), RepairFault> {
    let mut last = ends;
    let mut next = number + 1;
    loop {
        let path = sealed::path(folders.journal, next);
        let own = sealed::beginning(disk, &path, next, options);
        let own = own.map_err(|source| RepairFault::Disk { file: path, source })?;
        let other = RepairFault::OtherChain { file: sealed::path(folders.archive, next - 1), neighbour: next };
        if let Some(place) = own {
            return if last.leads_to(&place) { Ok(()) } else { Err(other) };
        }
        let copy = check_copy(disk, folders, next, options, pace)?;
        if !last.leads_to(&copy.before) {
            return Err(other);
        }
        last = copy;
        next += 1;
    }
}

/// Copies a damaged file to where it can be looked at. What of it cannot be read any more becomes zeros.
fn keep_aside(
    disk: &dyn Disk,
    damaged: &Path,
    quarantine: &Path,
    pace: Pace<'_>,
) -> Result<Option<PathBuf>, RepairFault> {
    let fault = |file: &Path| {
        let file = file.to_owned();
        move |source| RepairFault::Disk { file, source }
    };
    if !disk.exists(damaged).map_err(fault(damaged))? {
        return Ok(None);
    }
    disk.create_folder(quarantine).map_err(fault(quarantine))?;
    let name = damaged.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    // The last place is used again and again: a medium that fails all the time must not fill the disk.
    let mut path = quarantine.join(format!("{name}.{KEPT_ASIDE_MAX}"));
    for turn in 1..KEPT_ASIDE_MAX {
        let free = quarantine.join(format!("{name}.{turn}"));
        if !disk.exists(&free).map_err(fault(&free))? {
            path = free;
            break;
        }
    }
    let part = with_suffix(&path, PART_SUFFIX);
    copy_file(disk, damaged, &part, true, pace).map_err(|fault| fault.of_repair(&part))?;
    disk.rename(&part, &path).map_err(fault(&path))?;
    Ok(Some(path))
}

/// Why a sealed segment was not archived.
#[derive(Debug)]
pub enum ArchiveFault {
    /// The segment itself is not whole. What is damaged is not archived.
    Segment {
        /// The segment.
        file: PathBuf,
        /// What is wrong with it.
        source: SegmentFault,
    },
    /// The archive holds the segments of another journal.
    Foreign {
        /// The archive.
        folder: PathBuf,
    },
    /// What was read back is not what was written.
    Written {
        /// The copy.
        file: PathBuf,
    },
    /// The disk refused.
    Disk {
        /// The file or folder.
        file: PathBuf,
        /// What the disk said.
        source: io::Error,
    },
    /// The caller said not to go on.
    Stopped,
}

impl fmt::Display for ArchiveFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ArchiveFault::Segment { file, source } => {
                write!(formatter, "{} is not archived, because it is damaged: {source}", file.display())
            }
            ArchiveFault::Foreign { folder } => write!(
                formatter,
                "the archive {} holds the segments of another journal; choose another folder",
                folder.display()
            ),
            ArchiveFault::Written { file } => {
                write!(
                    formatter,
                    "{} was written, and what was read back is not the segment; check both disks",
                    file.display()
                )
            }
            ArchiveFault::Disk { file, source } => write!(formatter, "the disk refused {}: {source}", file.display()),
            ArchiveFault::Stopped => write!(formatter, "archiving was stopped"),
        }
    }
}

impl std::error::Error for ArchiveFault {}

/// Sees that an archive is of this journal, as far as it has anything: its copies of the first and of the latest segment begin
/// where those of the journal do, and are of the same records.
pub fn check_origin(disk: &dyn Disk, journal: &Path, archive: &Path, options: Options) -> Result<(), ArchiveFault> {
    let fault = |file: &Path| {
        let file = file.to_owned();
        move |source| ArchiveFault::Disk { file, source }
    };
    let numbers = sealed::numbers(disk, archive).map_err(fault(archive))?;
    for number in numbers.first().into_iter().chain(numbers.last()) {
        let (own, copy) = (sealed::path(journal, *number), sealed::path(archive, *number));
        if !disk.exists(&own).map_err(fault(&own))? {
            return Err(ArchiveFault::Foreign { folder: archive.to_owned() });
        }
        let (own_head, copy_head) = (head(disk, &own).map_err(fault(&own))?, head(disk, &copy).map_err(fault(&copy))?);
        let whole = |file: &Path| {
            let found = sealed::beginning(disk, file, *number, options);
            found.map_err(fault(file))
        };
        // A head that is damaged says nothing of where it is from; a repair finds out.
        if let (Some(_), Some(_)) = (whole(&own)?, whole(&copy)?)
            && own_head != copy_head
        {
            return Err(ArchiveFault::Foreign { folder: archive.to_owned() });
        }
    }
    Ok(())
}

/// The header of a segment and of its first record, which has the hash of all records before it, and its own.
fn head(disk: &dyn Disk, path: &Path) -> io::Result<Vec<u8>> {
    let file = sealed::open_past_cache(disk, path)?;
    let mut bytes = AlignedBytes::new(BLOCK_BYTES);
    file.read_at(&mut bytes, 0)?;
    Ok(bytes[..segment::SEGMENT_HEADER_BYTES + crate::frame::FRAME_HEADER_BYTES].to_vec())
}

/// Copies a sealed segment into an archive that does not have it: it is verified, copied under another name, synced, and the copy is
/// verified too, past the cache, before it gets its name. What was read a second time to be copied may not be what was verified.
pub fn keep(
    disk: &dyn Disk,
    journal: &Path,
    archive: &Path,
    number: u64,
    options: Options,
    pace: Pace<'_>,
) -> Result<(), ArchiveFault> {
    let (own, copy) = (sealed::path(journal, number), sealed::path(archive, number));
    let fault = |file: &Path| {
        let file = file.to_owned();
        move |source| ArchiveFault::Disk { file, source }
    };
    let damaged = |source| ArchiveFault::Segment { file: own.clone(), source };
    let ends = match sealed::check(disk, &own, number, options, options.segment_bytes, pace) {
        Ok(ends) => ends,
        Err(SegmentFault::Stopped) => return Err(ArchiveFault::Stopped),
        Err(source) => return Err(damaged(source)),
    };
    let next = sealed::path(journal, number + 1);
    let next = sealed::beginning(disk, &next, number + 1, options).map_err(fault(&next))?;
    if next.is_some_and(|next| !ends.leads_to(&next)) {
        let offset = ends.after.position % options.segment_bytes;
        return Err(damaged(SegmentFault::Damaged { offset, reason: "records at its end are gone" }));
    }
    let part = with_suffix(&copy, PART_SUFFIX);
    copy_file(disk, &own, &part, false, pace).map_err(|fault| fault.of_archive(&part))?;
    match sealed::check(disk, &part, number, options, options.segment_bytes, pace) {
        Ok(written) if written == ends => {}
        Err(SegmentFault::Stopped) => return Err(ArchiveFault::Stopped),
        _ => return Err(ArchiveFault::Written { file: part }),
    }
    disk.rename(&part, &copy).map_err(fault(&copy))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Why copying ended.
enum CopyFault {
    Disk(io::Error),
    Stopped,
}

impl CopyFault {
    fn of_repair(self, file: &Path) -> RepairFault {
        match self {
            CopyFault::Disk(source) => RepairFault::Disk { file: file.to_owned(), source },
            CopyFault::Stopped => RepairFault::Stopped,
        }
    }

    fn of_archive(self, file: &Path) -> ArchiveFault {
        match self {
            CopyFault::Disk(source) => ArchiveFault::Disk { file: file.to_owned(), source },
            CopyFault::Stopped => ArchiveFault::Stopped,
        }
    }
}

impl From<io::Error> for CopyFault {
    fn from(error: io::Error) -> CopyFault {
        CopyFault::Disk(error)
    }
}

/// Copies a file, durably. `patient`: pieces that cannot be read become zeros.
fn copy_file(disk: &dyn Disk, from: &Path, to: &Path, patient: bool, pace: Pace<'_>) -> Result<(), CopyFault> {
    // A file whose sync has failed is not written a second time: what is left of the first could come over it.
    if disk.exists(to)? {
        disk.remove(to)?;
    }
    let source = sealed::open_past_cache(disk, from)?;
    let target = disk.open(to, Access::Create)?;
    let mut at = 0;
    pieces(&*source, patient, pace, |bytes| {
        target.write_at(bytes, at)?;
        at += bytes.len() as u64;
        Ok(())
    })?;
    Ok(target.sync()?)
}

/// Reads a file from front to back.
fn pieces(
    file: &dyn File,
    patient: bool,
    pace: Pace<'_>,
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), CopyFault> {
    let mut bytes = AlignedBytes::new(READ_BYTES);
    let length = file.len()?;
    let mut at = 0;
    while at < length {
        if !pace(READ_BYTES as u64) {
            return Err(CopyFault::Stopped);
        }
        let wanted = (length - at).min(READ_BYTES as u64) as usize;
        let count = match file.read_at(&mut bytes, at) {
            Ok(count) => count.min(wanted),
            Err(error) if patient && sealed::is_unreadable(&error) => {
                bytes.fill(0);
                wanted
            }
            Err(error) => return Err(error.into()),
        };
        if count == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        take(&bytes[..count])?;
        at += count as u64;
    }
    Ok(())
}
