//! Scrubbing: a bit that changes in any kind of file is told by a running engine, what can be repaired is repaired, and afterwards
//! every answer is what it was.

mod support {
    pub mod harness;
}

use engine::clock::Clock;
use engine::engine::{Engine, Options};
use engine::limits::Sizes;
use engine::scrub::offline::{self, Asked, Report};
use engine::scrub::{Alien, Finding, Others, Part, Scrub, Standing, Told};
use journal::disk::RealDisk;
use journal::open::Options as JournalOptions;
use ledger::command::{Action, Batch, Command, SetMonitor, Terms};
use ledger::id::Prefix;
use ledger::monitor::{Condition, Definition, Field, Operator};
use ledger::row::{Row, Status};
use ledger::state::Balance;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::harness::{self, Scratch, balance, ledger, look, pay, post, record, settle, submit, verified};

const SEGMENT_BYTES: u64 = 64 << 10;
const JOURNAL: JournalOptions = JournalOptions { segment_bytes: SEGMENT_BYTES, record_bytes_max: 32 << 10 };

fn options(folder: &Scratch) -> Options {
    Options {
        journal: JOURNAL,
        sizes: Sizes {
            checkpoint_rows: 200,
            checkpoint_records: 150,
            references_tail_pairs: 64,
            children_tail_pairs: 16,
            dated_chunk_rows: 2,
            alerts_mark_rows: 50,
        },
        ..harness::options(folder)
    }
}

fn open(folder: &Scratch) -> Engine {
    let opened = Engine::open(Arc::new(RealDisk::new()), options(folder));
    opened.unwrap_or_else(|fault| panic!("it opens: {}", engine::fault_text(&fault)))
}

/// A folder after work that leaves something in every kind of file, and a clean stop.
fn worked() -> (Scratch, Answers) {
    let folder = Scratch::new();
    let engine = open(&folder);
    let of = ledger(&engine);
    let watched = balance(&engine, &of);
    let condition = Condition { field: Field::Credit, operator: Operator::Greater, threshold: 0, precision: 100 };
    let (description, call_back_url, metadata) = (String::new(), String::new(), String::new());
    let definition =
        Definition { conditions: vec![condition], any: false, edge: false, description, call_back_url, metadata };
    submit(&engine, Command::SetMonitor(SetMonitor { monitor: None, balance: watched, definition }));
    let text = watched.text(Prefix::Balance);
    for number in 0..500_i64 {
        let inflight = number % 10 == 3;
        let mut one = post("@World", &text, 5 + i128::from(number), &format!("r{number}"));
        (one.padding, one.inflight) = (400, inflight);
        let mut command = record(&engine, Batch::Single, false, &[one]);
        if let (Command::Record(record), 0) = (&mut command, number % 5) {
            let effective_at = Some(1_600_000_000_000_000 + number);
            record.asks[0].terms = Terms { effective_at, ..Terms::NONE }.boxed();
        }
        let row = harness::recorded(submit(&engine, command)).rows[0];
        if inflight {
            settle(&engine, row.number, Action::Commit, None);
        }
    }
    engine.close();
    drop(engine);
    // Once more, so that there are two checkpoints, and rows that were written before this start.
    let engine = open(&folder);
    let answers = answers(&engine);
    (folder, answers)
}

/// All rows with their records, and all balances.
#[derive(Clone, PartialEq)]
struct Answers {
    rows: Vec<(Row, String)>,
    balances: Vec<String>,
}

fn answers(engine: &Engine) -> Answers {
    let books = engine.books();
    let row = |number| books.row(number).expect("rows are readable").expect("it is there");
    let rows = (0..books.rows.len()).map(row).map(|row| {
        let event = books.recorded(&row).expect("records are readable");
        (row, format!("{event:?}"))
    });
    let rows = rows.collect();
    let balances = look(engine, |view| {
        // What a history keeps in memory beyond its path means nothing.
        let shown =
            |one: &Balance| format!("{:?} {} {} {:?}", one.figures, one.version, one.history.count, one.history.path());
        view.state.balances.iter().map(shown).collect()
    });
    Answers { rows, balances: balances.expect("it answers") }
}

/// A copy of a folder, to be broken.
fn copy(of: &Scratch) -> Scratch {
    let to = Scratch::new();
    copy_folder(&of.0, &to.0);
    to
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("folders can be made");
    for entry in fs::read_dir(from).expect("it is there") {
        let entry = entry.expect("it is readable");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("it is readable").is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("files can be copied");
        }
    }
}

/// Changes a bit of a file in place.
fn flip(path: &Path, at: u64) {
    let file = OpenOptions::new().read(true).write(true).open(path).expect("it opens");
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).expect("it is readable");
    file.write_all_at(&[byte[0] ^ 4], at).expect("it is writable");
    file.sync_all().expect("it can be synced");
}

fn segment(folder: &Scratch, number: u64) -> PathBuf {
    folder.0.join("journal").join(format!("{number:020}.seg"))
}

/// Puts zeros in the place of the last record of a sealed segment: what is left is whole. Answers where it was.
fn drop_last_record(path: &Path) -> usize {
    let bytes = fs::read(path).unwrap();
    let begin = bytes.windows(4).rposition(|four| four == b"FL\x01\x00").unwrap();
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(&vec![0; bytes.len() - begin], begin as u64).unwrap();
    begin
}

/// The last file of a folder whose name ends so.
fn file(folder: &Path, suffix: &str) -> PathBuf {
    let entries = fs::read_dir(folder).expect("it is there").map(|entry| entry.expect("it is readable").path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.to_string_lossy().ends_with(suffix)).collect();
    files.sort();
    files.pop().unwrap_or_else(|| panic!("{} has no {suffix}", folder.display()))
}

#[derive(Default)]
struct Heard {
    findings: Vec<Finding>,
    faults: Vec<String>,
}

/// Scrubbing at the full rate, and all that it told.
struct Bench {
    scrub: Scrub,
    heard: Arc<Mutex<Heard>>,
}

fn scrub(engine: &Engine, folder: &Scratch, archive: Option<&Path>) -> Bench {
    scrub_with(engine, folder, archive, u64::MAX, Box::new(|_, _| Ok(Vec::new())))
}

fn scrub_with(engine: &Engine, folder: &Scratch, archive: Option<&Path>, rate: u64, others: Others) -> Bench {
    let heard = Arc::new(Mutex::new(Heard::default()));
    let hearing = Arc::clone(&heard);
    let options = engine::scrub::Options {
        folder: folder.0.clone(),
        bytes_per_second: rate,
        pause: Duration::ZERO,
        archive: archive.map(Path::to_owned),
        others,
        tell: Box::new(move |told| match told {
            Told::Finding(finding) => hearing.lock().unwrap().findings.push(finding.clone()),
            Told::ArchiveFault(fault) | Told::Skipped(fault) => hearing.lock().unwrap().faults.push(fault.to_owned()),
            Told::Ended(_) => {}
        }),
        clock: Clock::System,
    };
    let scrub = Scrub::start(Arc::new(RealDisk::new()), Arc::clone(engine.books()), options).expect("it starts");
    Bench { scrub, heard }
}

impl Bench {
    fn wait<T>(&self, what: &str, mut found: impl FnMut() -> Option<T>) -> T {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(found) = found() {
                return found;
            }
            assert!(Instant::now() < end, "{what}: {:?}", self.scrub.status());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits until so many more passes have ended that began from now on.
    fn pass(&self, count: u64) {
        let begin = self.scrub.status().last.map_or(0, |last| last.pass);
        self.wait("a pass ends", || self.scrub.status().last.filter(|last| last.pass > begin + count).map(drop));
    }

    fn damaged(&self) -> Vec<Finding> {
        self.scrub.status().damaged().cloned().collect()
    }
}

/// Proves that a changed bit in each kind of file is told within a pass, once, by its kind and place, that nothing else is told
/// of it, and that the next start has every answer again.
#[test]
fn damage_of_every_kind_of_file_is_told_and_made_good() {
    let (whole, wanted) = worked();
    for (name, suffix, at, part) in [
        ("tables", "rows.tbl", 192 * 7 + 30, Part::Rows),
        ("tables", "alerts.tbl", 70, Part::Alerts),
        ("tables", "alerts.mark", 9, Part::Alerts),
        ("tables", "proofs.tbl", 50, Part::Proofs),
        ("tables", "proofs.mark", 20, Part::Proofs),
        ("references", ".run", 500, Part::References),
        ("references", "manifest", 20, Part::References),
        ("children", ".run", 4096, Part::Children),
        ("dated", ".run", 5000, Part::Dated),
        ("dated", "manifest", 40, Part::Dated),
        ("checkpoints", ".checkpoint", 300, Part::Checkpoints),
    ] {
        let folder = copy(&whole);
        let engine = open(&folder);
        let bench = scrub(&engine, &folder, None);
        bench.pass(1);
        assert_eq!(bench.damaged(), [], "all is well before");
        let path = file(&folder.0.join(name), suffix);
        let at = at % fs::metadata(&path).unwrap().len();
        let what = format!("{} at {at}", path.display());
        flip(&path, at);
        bench.pass(1);
        let damaged = bench.damaged();
        assert_eq!(damaged.len(), 1, "{what}: {damaged:?}");
        assert_eq!((damaged[0].part, &damaged[0].file), (part, &path), "{what}");
        assert!(damaged[0].offset <= at, "{what}: {damaged:?}");
        bench.pass(2);
        assert_eq!(bench.heard.lock().unwrap().findings.len(), 1, "{what}: it is told once");
        assert_eq!(bench.heard.lock().unwrap().faults, Vec::<String>::new(), "{what}");
        assert_eq!(bench.scrub.status().found_count, 1);
        drop(bench);
        engine.close();
        drop(engine);
        let engine = open(&folder);
        assert!(answers(&engine) == wanted, "{what}: all answers are the same after the next start");
        assert!(!folder.0.join("damaged").exists());
        if part != Part::Checkpoints {
            let bench = scrub(&engine, &folder, None);
            bench.pass(1);
            assert_eq!(bench.damaged(), [], "{what}: all is well after the next start");
        }
        engine.close();
        drop(engine);
        if part != Part::Checkpoints {
            assert_eq!(verified(&RealDisk::new(), &folder).problems, [], "{what}");
        }
    }
}

/// Proves that a damaged segment is told, and without an archive stays as it is; that the one being written is looked at too; and
/// that a finding is gone when the file is whole again.
#[test]
fn damage_of_the_journal_is_told() {
    let (whole, _) = worked();
    let folder = copy(&whole);
    let engine = open(&folder);
    let last = (0..).take_while(|number| segment(&folder, *number).exists()).count() as u64;
    let tail = (0..last).rev().find(|number| fs::read(segment(&folder, *number)).unwrap()[0] != 0).unwrap();
    assert!(tail >= 3, "there are sealed segments");
    let bench = scrub(&engine, &folder, None);
    bench.pass(1);
    for number in [0, 1, tail] {
        let path = segment(&folder, number);
        flip(&path, 300);
        bench.pass(1);
        let damaged = bench.damaged();
        assert_eq!(damaged.len(), 1, "segment {number}: {damaged:?}");
        assert_eq!(
            (damaged[0].part, &damaged[0].file, &damaged[0].standing),
            (Part::Journal, &path, &Standing::Damaged)
        );
        assert!(damaged[0].offset <= 300);
        flip(&path, 300);
        bench.pass(1);
        assert_eq!(bench.damaged(), [], "it is whole again");
    }
    // Records at the end of a segment are gone, and what is left is whole: the one after shows it.
    let path = segment(&folder, 1);
    let begin = drop_last_record(&path);
    bench.pass(1);
    let damaged = bench.damaged();
    assert_eq!(damaged.len(), 1, "{damaged:?}");
    assert_eq!((&damaged[0].file, damaged[0].offset), (&path, begin as u64));
}

/// Proves that sealed segments are archived, and that a damaged one is put back byte for byte under a running engine, which reads
/// it as if nothing had been; the damaged file is kept.
#[test]
fn a_segment_is_repaired_from_the_archive_while_the_engine_runs() {
    let (whole, wanted) = worked();
    let folder = copy(&whole);
    let archive = Scratch::new();
    let engine = open(&folder);
    let bench = scrub(&engine, &folder, Some(&archive.0));
    let tail = engine.books().journal().durable_until() / SEGMENT_BYTES;
    bench.wait("segments are archived", || (bench.scrub.status().archived_count == tail).then_some(()));
    assert!(tail >= 3);
    for number in 0..tail {
        let (own, copy) = (
            fs::read(segment(&folder, number)).unwrap(),
            fs::read(file(&archive.0, &format!("{number:020}.seg"))).unwrap(),
        );
        assert!(own == copy, "segment {number}");
    }
    for (turn, number) in (0..tail).enumerate() {
        let path = segment(&folder, number);
        let before = fs::read(&path).unwrap();
        flip(&path, 1_000);
        bench.wait("it is repaired", || (bench.scrub.status().repaired_count > turn as u64).then_some(()));
        assert!(fs::read(&path).unwrap() == before, "segment {number} is what it was");
        assert!(answers(&engine) == wanted, "segment {number}: all answers are the same");
        let status = bench.scrub.status();
        let Standing::Repaired { kept: Some(kept), .. } = &status.findings.last().unwrap().standing else {
            panic!("{status:?}")
        };
        assert!(fs::read(kept).unwrap() != before && kept.starts_with(folder.0.join("quarantine")));
    }
    bench.pass(1);
    assert_eq!(bench.damaged(), []);
    // It goes on: what is written from now on is archived too.
    for number in 0..300 {
        let mut one = post("@World", "@Later", 1, &format!("later{number}"));
        one.padding = 400;
        harness::recorded(pay(&engine, one));
    }
    let later = engine.books().journal().durable_until() / SEGMENT_BYTES;
    assert!(later > tail);
    bench.wait("segments are archived", || (bench.scrub.status().archived_count == later).then_some(()));
    drop(bench);
    engine.close();
    drop(engine);
    assert_eq!(verified(&RealDisk::new(), &folder).problems, []);
}

/// Proves that copies that are damaged, or of another ledger, are not used, that an archive of another ledger gets nothing of this
/// one, and that all of that is told.
#[test]
fn copies_that_do_not_fit_are_not_used() {
    let (whole, _) = worked();
    let (other, _) = worked();
    for foreign in [false, true] {
        let folder = copy(&whole);
        let archive = Scratch::new();
        fs::create_dir_all(&archive.0).unwrap();
        let from = if foreign { &other } else { &folder };
        for number in 0..3 {
            let copied = archive.0.join(format!("{number:020}.seg"));
            fs::copy(segment(from, number), &copied).unwrap();
            if !foreign {
                flip(&copied, 2_000);
            }
        }
        let engine = open(&folder);
        let bench = scrub(&engine, &folder, Some(&archive.0));
        flip(&segment(&folder, 1), 1_000);
        let damaged = fs::read(segment(&folder, 1)).unwrap();
        let reason = bench.wait("it cannot be repaired", || {
            bench.damaged().into_iter().find_map(|finding| match finding.standing {
                Standing::NotRepaired { reason } => Some(reason),
                _ => None,
            })
        });
        let wanted = if foreign { "it is of another journal" } else { "the checksum of the payload does not match" };
        assert!(reason.contains(wanted), "{reason}");
        assert!(fs::read(segment(&folder, 1)).unwrap() == damaged, "nothing was changed");
        if foreign {
            bench.wait("it is told", || {
                let heard = bench.heard.lock().unwrap();
                heard.faults.iter().any(|fault| fault.contains("of another journal")).then_some(())
            });
            assert_eq!(fs::read_dir(&archive.0).unwrap().count(), 3, "nothing was added");
        }
    }
}

/// Proves that the file of the format, which has no checksum, is compared with what it was and written anew.
#[test]
fn the_format_is_written_anew() {
    let (whole, _) = worked();
    let folder = copy(&whole);
    let path = folder.0.join("format");
    let before = fs::read(&path).unwrap();
    let engine = open(&folder);
    let bench = scrub(&engine, &folder, None);
    for (turn, damage) in [&b"nonsense"[..], &before[..40], b"\xff\xfe"].into_iter().enumerate() {
        fs::write(&path, damage).unwrap();
        bench.wait("it is repaired", || (bench.scrub.status().repaired_count > turn as u64).then_some(()));
        assert_eq!(fs::read(&path).unwrap(), before);
    }
}

/// Proves that files of others are looked at, and that a stop does not wait for a slow pass.
#[test]
fn others_are_asked_and_a_stop_is_soon() {
    let (whole, _) = worked();
    let folder = copy(&whole);
    let engine = open(&folder);
    let alien = Alien { file: PathBuf::from("/keys"), offset: 3, problem: "a key is gone".into() };
    let found = alien.clone();
    let bench = scrub_with(&engine, &folder, None, u64::MAX, Box::new(move |_, _| Ok(vec![found.clone()])));
    bench.pass(1);
    let damaged = bench.damaged();
    assert_eq!((damaged[0].part, &damaged[0].file, damaged[0].offset), (Part::Keys, &alien.file, 3));
    drop(bench);
    let bench = scrub_with(&engine, &folder, None, 1_000, Box::new(|_, _| Ok(Vec::new())));
    std::thread::sleep(Duration::from_millis(50));
    let status = bench.scrub.status();
    assert!(status.bytes <= 256 << 10 && status.last.is_none(), "it reads one piece and rests: {status:?}");
    assert!(status.bytes_max > SEGMENT_BYTES && status.part == Some(Part::Journal));
    let begin = Instant::now();
    drop(bench);
    assert!(begin.elapsed() < Duration::from_secs(20), "a stop does not wait for the pass");
}

fn offline(folder: &Scratch, archive: Option<&Path>, repair: bool) -> Report {
    let asked = Asked {
        folder: &folder.0,
        archive: archive.map(Path::to_owned),
        repair,
        others: Box::new(|_, _| Ok(Vec::new())),
        tell: Box::new(|_| {}),
    };
    offline::run(Arc::new(RealDisk::new()), JOURNAL, asked).expect("it can be read")
}

/// Proves that a damaged or missing segment is found offline, that a start that meets it names the way out, that this way works
/// with a backup of the journal, and that nothing is changed unless that was asked for.
#[test]
fn a_stopped_folder_is_repaired_from_a_backup() {
    let (whole, wanted) = worked();
    let backup = whole.0.join("journal");
    let report = offline(&whole, Some(&backup), false);
    assert!(!report.is_damaged(), "{:?} {:?}", report.status.findings, report.end);
    let at = |number, at| move |folder: &Scratch| flip(&segment(folder, number), at);
    let gone = |number| move |folder: &Scratch| fs::remove_file(segment(folder, number)).unwrap();
    let short =
        |folder: &Scratch| OpenOptions::new().write(true).open(segment(folder, 2)).unwrap().set_len(4096).unwrap();
    let two = |folder: &Scratch| {
        flip(&segment(folder, 1), 5);
        flip(&segment(folder, 2), 5);
    };
    let tail = (0..).take_while(|number| fs::read(segment(&whole, *number)).unwrap()[0] != 0).count() as u64 - 1;
    let lost = |folder: &Scratch| {
        drop_last_record(&segment(folder, tail - 1));
    };
    type Damage<'a> = (&'a str, &'a dyn Fn(&Scratch), usize);
    let damages: [Damage<'_>; 8] = [
        ("records at the end of the last sealed segment", &lost, 1),
        ("a record of the first segment", &at(0, 1_000), 1),
        ("the header of the first segment", &at(0, 5), 1),
        ("a record in the middle", &at(2, 60_000), 1),
        ("the second segment", &gone(1), 1),
        ("the first segment", &gone(0), 1),
        ("a short segment", &short, 1),
        ("two in a row", &two, 2),
    ];
    for (what, damage, count) in damages {
        let folder = copy(&whole);
        damage(&folder);
        // Without checkpoints a start reads all of the journal.
        fs::remove_dir_all(folder.0.join("checkpoints")).unwrap();
        let Err(fault) = Engine::open(Arc::new(RealDisk::new()), options(&folder)) else { panic!("{what}: it opens") };
        let text = engine::fault_text(&fault);
        assert!(text.contains("florin scrub") && text.contains("--repair"), "{what}: {text}");
        let report = offline(&folder, Some(&backup), false);
        assert_eq!(report.status.damaged().count(), count, "{what}: {:?}", report.status.findings);
        assert_eq!(report.status.repaired_count, 0, "{what}");
        let report = offline(&folder, None, true);
        assert!(report.is_damaged(), "{what}: there is no other copy");
        let report = offline(&folder, Some(&backup), true);
        assert!(!report.is_damaged(), "{what}: {:?} {:?}", report.status.findings, report.end);
        assert_eq!(report.status.repaired_count, count as u64, "{what}");
        for number in 0..tail {
            assert!(
                fs::read(segment(&folder, number)).unwrap() == fs::read(segment(&whole, number)).unwrap(),
                "{what}"
            );
        }
        let engine = open(&folder);
        assert!(answers(&engine) == wanted, "{what}");
    }
}

/// Proves that the end of a journal is judged offline too, and that copies of an archive are looked at.
#[test]
fn the_end_and_the_copies_are_looked_at_offline() {
    let (whole, _) = worked();
    let folder = copy(&whole);
    let archive = Scratch::new();
    copy_folder(&folder.0.join("journal"), &archive.0);
    flip(&archive.0.join(format!("{:020}.seg", 1)), 700);
    let report = offline(&folder, Some(&archive.0), false);
    assert_eq!(report.status.damaged().map(|finding| finding.part).collect::<Vec<_>>(), [Part::Archive]);
    assert!(report.copies >= 3);
    let tail = (0..).take_while(|number| fs::read(segment(&folder, *number)).unwrap()[0] != 0).count() as u64 - 1;
    flip(&segment(&folder, tail), 300);
    let report = offline(&folder, None, false);
    assert!(report.end.as_ref().is_some_and(|end| end.contains("is damaged")), "{:?}", report.end);
}

/// Proves that nothing derived is deleted at a start as long as the journal that it would be made from is damaged.
#[test]
fn a_damaged_journal_keeps_what_is_derived() {
    let (whole, wanted) = worked();
    let folder = copy(&whole);
    // A start does not look at these by itself.
    flip(&file(&folder.0.join("dated"), ".run"), 100);
    let backup = whole.0.join("journal");
    assert!(offline(&folder, None, true).is_damaged());
    assert!(folder.0.join("damaged").exists());
    flip(&segment(&folder, 0), 1_000);
    let engine = open(&folder);
    assert!(folder.0.join("damaged").exists() && file(&folder.0.join("dated"), ".run").exists());
    assert_eq!(engine.books().rows.len(), wanted.rows.len() as u64);
    engine.close();
    drop(engine);
    offline(&folder, Some(&backup), true);
    let engine = open(&folder);
    assert!(!folder.0.join("damaged").exists());
    assert!(answers(&engine) == wanted);
    assert!(wanted.rows.iter().any(|(row, _)| row.status == Status::Inflight));
    engine.close();
    drop(engine);
    assert_eq!(verified(&RealDisk::new(), &folder).problems, []);
}
