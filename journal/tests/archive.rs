//! Archives of sealed segments, and repair from them.

mod support;

use journal::archive::{self, ArchiveFault, Folders, RepairFault};
use journal::disk::{Access, Disk, Failure, File, MemoryDisk};
use journal::sealed::{self, SegmentFault, at_once};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use support::{OPTIONS, folder, group, open_all, read_all, segment};

const RECORDS: [usize; 16] =
    [300, 30_000, 7, 20_000, 20_000, 100, 1, 2, 60_000, 500, 4000, 30_000, 30_000, 30_000, 30_000, 256];

fn archived() -> &'static Path {
    Path::new("/archive")
}

fn quarantine() -> &'static Path {
    Path::new("/data/quarantine")
}

fn copy(number: u64) -> PathBuf {
    sealed::path(archived(), number)
}

/// A disk with a journal of many records, which `salt` changes.
fn written(salt: usize) -> (MemoryDisk, u64) {
    let disk = MemoryDisk::new();
    let mut appender = open_all(&disk).expect("it opens").appender;
    for length in RECORDS {
        let mut group = group(appender.place(), &[length + salt]);
        appender.append(&mut group).expect("it is written");
    }
    let last = (appender.place().position - 1) / OPTIONS.segment_bytes;
    assert!(last >= 4, "there are sealed segments");
    (disk, last)
}

/// The same with an archive of all sealed segments.
fn with_archive(salt: usize) -> (MemoryDisk, u64) {
    let (disk, last) = written(salt);
    disk.create_folder(archived()).expect("it is made");
    for number in 0..last {
        archive::keep(&disk, folder(), archived(), number, OPTIONS, &at_once).expect("it is archived");
        assert!(same(&disk, &copy(number), &disk, &segment(number)));
    }
    (disk, last)
}

fn check(disk: &MemoryDisk, number: u64) -> Result<sealed::Ends, SegmentFault> {
    sealed::check(disk, &segment(number), number, OPTIONS, OPTIONS.segment_bytes, &at_once)
}

fn repair(disk: &MemoryDisk, number: u64) -> Result<Option<PathBuf>, RepairFault> {
    let folders = Folders { journal: folder(), archive: archived(), quarantine: quarantine() };
    archive::repair(disk, folders, number, OPTIONS, &at_once)
}

/// Changes a bit of a file in place, as a medium does: who has it open reads it changed.
fn flip(disk: &MemoryDisk, path: &Path, at: usize) {
    let byte = disk.contents(path).expect("it is there")[at] ^ 4;
    let file = disk.open(path, Access::Create).expect("it opens");
    file.write_at(&[byte], at as u64).expect("it is written");
    file.sync().expect("it is synced");
}

/// Whether two files are the same, without printing them if not.
fn same(one: &MemoryDisk, path: &Path, other: &MemoryDisk, as_path: &Path) -> bool {
    one.contents(path).is_some() && one.contents(path) == other.contents(as_path)
}

/// Proves that no bit of a sealed segment can change unnoticed: header, frames, payloads, padding, and the zeros behind.
#[test]
fn every_byte_of_a_sealed_segment_counts() {
    let (disk, _) = written(0);
    let whole = disk.contents(&segment(1)).expect("it is there");
    let path = Path::new("/changed");
    let look = || sealed::check(&disk, path, 1, OPTIONS, OPTIONS.segment_bytes, &at_once);
    disk.set_contents(path, &whole);
    let ends = look().expect("it is whole");
    assert_eq!(ends, check(&disk, 1).expect("it is whole"));
    for at in (0..400).chain((400..whole.len()).step_by(61)).chain(whole.len() - 9..whole.len()) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        disk.set_contents(path, &bytes);
        let fault = look().expect_err("a changed byte is noticed");
        assert!(fault.is_damage(), "byte {at}: {fault}");
    }
    disk.set_contents(path, &whole[..whole.len() - 4096]);
    assert!(look().expect_err("it is too short").is_damage());
}

/// Proves that segments tell whether they follow each other, and that the one being written is checked as far as it is durable.
#[test]
fn ends_meet_up_to_the_tail() {
    let (disk, last) = written(0);
    let mut before = check(&disk, 0).expect("it is whole");
    for number in 1..last {
        let ends = check(&disk, number).expect("it is whole");
        assert!(before.leads_to(&ends.before), "segment {number}");
        before = ends;
    }
    let tail = open_all(&disk).expect("it opens").tail;
    let until = tail.position - last * OPTIONS.segment_bytes;
    let look = |until| sealed::check(&disk, &segment(last), last, OPTIONS, until, &at_once);
    assert_eq!(look(until).expect("it is whole").after, tail);
    assert!(look(until + 8).expect_err("a record that was durable is gone").is_damage());
}

/// Proves that a damaged segment comes back byte for byte, whichever it is and however it is damaged, that the damaged file
/// is kept, and that all records are read again.
#[test]
fn a_damaged_segment_is_repaired() {
    let (whole, last) = with_archive(0);
    let records = read_all(&open_all(&whole).expect("it opens").reader);
    for number in 0..last {
        for at in [5, 130, 200, 20_000, 65_530] {
            let disk = whole.crash(0);
            flip(&disk, &segment(number), at);
            let damaged = disk.contents(&segment(number));
            assert!(check(&disk, number).is_err(), "segment {number}, byte {at}");
            let kept = repair(&disk, number).expect("it is repaired").expect("the damaged file is kept");
            assert!(disk.contents(&kept) == damaged);
            assert!(same(&disk, &segment(number), &whole, &segment(number)));
            assert_eq!(read_all(&open_all(&disk).expect("it opens").reader), records);
        }
    }
    let disk = whole.crash(0);
    disk.remove(&segment(2)).expect("it is there");
    assert_eq!(repair(&disk, 2).expect("it is repaired"), None, "there is no damaged file to keep");
    assert!(same(&disk, &segment(2), &whole, &segment(2)));
}

/// Proves that segments in a row are repaired one after the other, though the next one is damaged too.
#[test]
fn neighbours_are_repaired_in_order() {
    let (whole, _) = with_archive(0);
    let disk = whole.crash(0);
    flip(&disk, &segment(1), 5);
    flip(&disk, &segment(2), 5);
    assert!(matches!(repair(&disk, 2), Err(RepairFault::Neighbour { number: 1, .. })));
    for number in [1, 2] {
        repair(&disk, number).expect("it is repaired");
        assert!(same(&disk, &segment(number), &whole, &segment(number)));
    }
}

/// Proves that a crash at any operation of a repair leaves the damaged segment or the whole one, that the journal then opens or
/// can be repaired, and that nothing is left over.
#[test]
fn a_crash_at_any_step_of_a_repair() {
    let (whole, _) = with_archive(0);
    let wanted = whole.contents(&segment(1));
    let records = read_all(&open_all(&whole).expect("it opens").reader);
    let mut steps = 0;
    let mut outcomes = [0, 0];
    loop {
        let disk = whole.crash(0);
        flip(&disk, &segment(1), 20_000);
        let damaged = disk.contents(&segment(1));
        disk.fail_after(steps, Failure::PowerLost);
        let done = repair(&disk, 1).is_ok();
        for seed in 0..4 {
            let after = disk.crash(seed);
            let found = after.contents(&segment(1));
            assert!(found == wanted || found == damaged, "step {steps}: something else");
            assert!(!done || found == wanted, "step {steps}: what was answered is there");
            outcomes[usize::from(found == wanted)] += 1;
            if found == damaged {
                repair(&after, 1).expect("it is repaired the next time");
            }
            assert!(after.contents(&segment(1)) == wanted, "step {steps}");
            assert_eq!(read_all(&open_all(&after).expect("it opens").reader), records);
            let left: Vec<_> = after.list(folder()).expect("it is there");
            assert!(left.iter().all(|name| name.ends_with(".seg")), "step {steps}: {left:?}");
        }
        if done {
            break;
        }
        steps += 1;
    }
    assert!(steps >= 6 && outcomes.iter().all(|count| *count > 0), "{steps} steps, {outcomes:?}");
}

/// Proves that a full or failing disk leaves the damaged segment as it is, and that the repair can be tried again.
#[test]
fn a_repair_that_fails_changes_nothing() {
    let (whole, _) = with_archive(0);
    for failure in [Failure::NoSpace, Failure::Io] {
        for steps in 0..12 {
            let disk = whole.crash(0);
            flip(&disk, &segment(1), 20_000);
            let damaged = disk.contents(&segment(1));
            disk.fail_after(steps, failure);
            let done = repair(&disk, 1).is_ok();
            // A rename that answers with a fault may have been done.
            let found = disk.contents(&segment(1));
            let repaired = same(&disk, &segment(1), &whole, &segment(1));
            assert!(repaired || !done && found == damaged, "{failure:?} at {steps}");
            let again = disk.crash(1);
            if again.contents(&segment(1)) == damaged {
                repair(&again, 1).expect("it is repaired the next time");
            }
            assert!(same(&again, &segment(1), &whole, &segment(1)), "{failure:?} at {steps}");
        }
    }
}

/// Proves that a copy is used only when it proves to be the segment: not a damaged one, not one of another journal, not one
/// of other records, not one of another number, and none at all.
#[test]
fn a_copy_that_does_not_fit_is_refused() {
    let (whole, last) = with_archive(0);
    let (other, other_last) = with_archive(8);
    assert!(other_last >= last);
    let refused = |what: &str, number: u64, change: &dyn Fn(&MemoryDisk)| {
        let disk = whole.crash(0);
        flip(&disk, &segment(number), 20_000);
        let damaged = disk.contents(&segment(number));
        change(&disk);
        let fault = repair(&disk, number).expect_err(what);
        assert!(disk.contents(&segment(number)) == damaged, "{what}: nothing was changed");
        fault
    };
    for at in [5, 200, 20_000, 65_000] {
        let fault = refused("a damaged copy", 1, &|disk| flip(disk, &copy(1), at));
        assert!(matches!(&fault, RepairFault::Copy { source, .. } if source.is_damage()), "{fault}");
    }
    for number in 0..last {
        let fault = refused("a copy of another journal", number, &|disk| {
            disk.set_contents(&copy(number), &other.contents(&copy(number)).expect("it is there"));
        });
        assert!(matches!(fault, RepairFault::OtherChain { .. }), "segment {number}: {fault}");
    }
    let fault = refused("a copy of another segment", 1, &|disk| {
        disk.set_contents(&copy(1), &disk.contents(&copy(2)).expect("it is there"));
    });
    assert!(matches!(fault, RepairFault::Copy { .. }), "{fault}");
    let fault = refused("no copy", 1, &|disk| {
        disk.remove(&copy(1)).expect("it is there");
    });
    assert!(matches!(fault, RepairFault::Copy { source: SegmentFault::Missing, .. }), "{fault}");
    // The one before leads to it, and the one after does not follow: the records of the end are others.
    let short = whole.crash(0);
    let fault = refused("a copy with another end", last - 1, &|disk| {
        let tail = short.contents(&segment(last - 1)).expect("it is there");
        let mut cut = tail.clone();
        let begin = 128 + (64 + 30_000usize).next_multiple_of(8);
        cut[begin..].fill(0);
        disk.set_contents(&copy(last - 1), &cut);
    });
    assert!(matches!(fault, RepairFault::OtherChain { .. } | RepairFault::Copy { .. }), "{fault}");
}

/// Proves that damage is not archived, that an archive of another journal is refused, and that a crash while copying leaves
/// nothing under the name of a copy that is not one.
#[test]
fn only_whole_segments_are_archived() {
    let (disk, last) = with_archive(0);
    archive::check_origin(&disk, folder(), archived(), OPTIONS).expect("it is of this journal");
    disk.remove(&copy(1)).expect("it is there");
    flip(&disk, &segment(1), 20_000);
    let kept = archive::keep(&disk, folder(), archived(), 1, OPTIONS, &at_once);
    assert!(matches!(kept, Err(ArchiveFault::Segment { .. })));
    assert_eq!(disk.contents(&copy(1)), None);
    let (other, _) = with_archive(8);
    for number in [0, last - 1] {
        disk.set_contents(&copy(number), &other.contents(&copy(number)).expect("it is there"));
        let origin = archive::check_origin(&disk, folder(), archived(), OPTIONS);
        assert!(matches!(origin, Err(ArchiveFault::Foreign { .. })), "segment {number}");
        disk.set_contents(&copy(number), &disk.contents(&segment(number)).expect("it is there"));
    }
    for steps in 0..20 {
        let (disk, _) = written(0);
        disk.create_folder(archived()).expect("it is made");
        disk.fail_after(steps, Failure::PowerLost);
        let done = archive::keep(&disk, folder(), archived(), 0, OPTIONS, &at_once).is_ok();
        for seed in 0..3 {
            let after = disk.crash(seed);
            let found = after.contents(&copy(0));
            assert!(found.is_none() && !done || found == after.contents(&segment(0)), "step {steps}");
            archive::keep(&after, folder(), archived(), 0, OPTIONS, &at_once).expect("it is archived the next time");
            assert!(same(&after, &copy(0), &after, &segment(0)));
        }
    }
}

/// A disk of which one read goes wrong, a bit of it, and nobody tells.
#[derive(Clone)]
struct Liar {
    disk: MemoryDisk,
    /// Reads until then.
    left: Arc<AtomicU64>,
}

struct LiarFile {
    file: Arc<dyn File>,
    left: Arc<AtomicU64>,
}

impl Disk for Liar {
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(LiarFile { file: self.disk.open(path, access)?, left: Arc::clone(&self.left) }))
    }
    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.disk.exists(path)
    }
    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.disk.list(folder)
    }
    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        self.disk.create_folder(folder)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.disk.sync_folder(folder)
    }
}

impl File for LiarFile {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let count = self.file.read_at(bytes, offset)?;
        if self.left.fetch_sub(1, Ordering::Relaxed) == 0 {
            bytes[200] ^= 1;
        }
        Ok(count)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_at(bytes, offset)
    }
    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }
    fn is_direct(&self) -> bool {
        self.file.is_direct()
    }
}

/// Proves that a read that goes wrong while a segment is archived never leaves a copy that is not the segment: it is the copy that is
/// needed when the segment is gone.
#[test]
fn a_wrong_read_is_not_archived() {
    let (whole, _) = written(0);
    whole.create_folder(archived()).expect("it is made");
    let (mut refused, mut reads) = (0, 0);
    loop {
        let liar = Liar { disk: whole.crash(0), left: Arc::new(AtomicU64::new(reads)) };
        let kept = archive::keep(&liar, folder(), archived(), 1, OPTIONS, &at_once);
        let found = liar.disk.contents(&copy(1));
        assert!(found.is_none() || found == whole.contents(&segment(1)), "after {reads} reads another copy is there");
        assert_eq!(kept.is_ok(), found.is_some());
        refused += u64::from(kept.is_err());
        if liar.left.load(Ordering::Relaxed) < u64::MAX / 2 {
            break;
        }
        reads += 1;
    }
    assert!(refused >= 3, "{refused} of {reads} were refused: verifying, copying, verifying again");
}

/// Proves that a segment whose last records are gone is not archived, though what is left of it is whole.
#[test]
fn a_segment_without_its_end_is_not_archived() {
    let (disk, last) = written(0);
    disk.create_folder(archived()).expect("it is made");
    let mut bytes = disk.contents(&segment(last - 1)).expect("it is there");
    let begin = bytes.windows(4).rposition(|four| four == b"FL\x01\x00").expect("there are records");
    bytes[begin..].fill(0);
    disk.set_contents(&segment(last - 1), &bytes);
    let kept = archive::keep(&disk, folder(), archived(), last - 1, OPTIONS, &at_once);
    assert!(matches!(kept, Err(ArchiveFault::Segment { source, .. }) if source.is_damage()));
}

/// Proves that a reader that had opened the damaged file reads the whole one after the repair.
#[test]
fn a_reader_goes_on_in_the_new_file() {
    let (whole, _) = with_archive(0);
    let disk = whole.crash(0);
    let reader = open_all(&disk).expect("it opens").reader;
    let position = sealed::check(&disk, &segment(1), 1, OPTIONS, OPTIONS.segment_bytes, &at_once);
    let position = position.expect("it is whole").before.position;
    let mut buffer = Vec::new();
    reader.read(position, &mut buffer).expect("it is read");
    let before = buffer.clone();
    flip(&disk, &segment(1), 250);
    reader.read(position, &mut buffer).expect_err("it is damaged");
    repair(&disk, 1).expect("it is repaired");
    reader.reopen(1);
    reader.read(position, &mut buffer).expect("it is read again");
    assert_eq!(buffer, before);
}
