//! Everything but the journal can be deleted or damaged: afterwards rows and state are what they were, and `verify` finds
//! nothing wrong. Damage itself is found by `verify`, each kind by its name.

mod support {
    pub mod harness;
    pub mod model;
    pub mod workload;
}

use engine::clock::Clock;
use engine::engine::{Engine, Options};
use engine::limits::Sizes;
use engine::verify::Part;
use journal::disk::RealDisk;
use journal::open::Options as JournalOptions;
use ledger::command::Batch;
use ledger::rejection::Rejection;
use ledger::row::Row;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use support::harness::{self, Scratch, keyed, look, pay, post, record, submit_once, verified};
use support::model::{Model, Order, Rules, Step};
use support::workload::{START, carry_out, compare, plan};

const DERIVED: [&str; 4] = ["tables", "references", "children", "checkpoints"];

fn options(folder: &Scratch, clock: &Arc<AtomicI64>) -> Options {
    Options {
        journal: JournalOptions { segment_bytes: 256 << 10, record_bytes_max: 200 << 10 },
        clock: Clock::Moved(Arc::clone(clock)),
        sizes: Sizes {
            checkpoint_rows: 300,
            checkpoint_records: 200,
            references_tail_pairs: 100,
            children_tail_pairs: 20,
            dated_chunk_rows: 2,
            alerts_mark_rows: 50,
        },
        ..harness::options(folder)
    }
}

/// A folder after much work and a clean stop, and what is in it.
struct Worked {
    folder: Scratch,
    model: Model,
    rows: Vec<Row>,
}

fn work() -> Worked {
    let folder = Scratch::new();
    let clock = Arc::new(AtomicI64::new(START));
    let engine = Engine::open(Arc::new(RealDisk::new()), options(&folder, &clock)).expect("it opens");
    let trace = carry_out(&engine, &clock, &rich_plan());
    assert!(!trace.stopped);
    let model = trace.books.last().expect("there is one at least").clone();
    let spent = model.accounts.values().filter(|account| !account.spent.is_empty()).count();
    let kept = [model.scheduled.len(), model.adjusted.len(), model.holds.len(), model.keys.len(), spent];
    assert!(kept.iter().all(|count| *count > 0) && !model.registered.is_empty(), "there is something of everything");
    compare(&engine, &model);
    let rows = all_rows(&engine);
    engine.close();
    let names =
        fs::read_dir(folder.0.join("checkpoints")).expect("it is there").map(|entry| entry.expect("it is readable"));
    let kept = names.filter(|entry| entry.path().extension().is_some_and(|end| end == "checkpoint"));
    assert_eq!(kept.count(), 2, "two checkpoints are kept");
    Worked { folder, model, rows }
}

/// Much work, and at its end something of everything that a state can hold.
fn rich_plan() -> Vec<Vec<Step>> {
    let mut steps = plan(11, 900);
    let mut model = Model::default();
    for step in steps.iter().flatten() {
        model.take(step);
    }
    let late = model.now + 1_000_000_000;
    let group = model.rows.len() as u64;
    let order = |name: &str, scheduled_at, expires_at: Option<i64>| Order {
        source: "@World".into(),
        destination: "B".into(),
        amount: 5,
        reference: name.into(),
        inflight: expires_at.is_some(),
        scheduled_at,
        expires_at,
        padding: 4,
    };
    let orders = [("w1", late), ("w2", late + 1), ("w3", late + 1)].map(|(name, at)| order(name, Some(at), None));
    let record =
        |batch, queued, orders: &[Order]| Step::Record { batch, goes_on: false, queued, orders: orders.to_vec() };
    let funds = Order { destination: "A".into(), ..order("f1", None, None) };
    let spend = Order { source: "A".into(), ..order("s1", None, None) };
    let rules = Rules { minimum: None, no_credits: false, debits: Some((1, 1000)) };
    steps.push(vec![
        Step::Policy("A".into(), None),
        Step::Policy("B".into(), None),
        record(Batch::Atomic, true, &orders),
        Step::Reschedule { groups: vec![group], due_at: Some(late + 9), amount: Some(77) },
        Step::Register { code: "GEL".into(), precision: 100 },
        record(Batch::Single, false, &[order("h1", None, Some(late))]),
        record(Batch::Single, false, &[Order { amount: 100_000, ..funds }]),
        Step::Policy("A".into(), Some(rules)),
        Step::Keyed { key: "last".into(), request: 1, step: Box::new(record(Batch::Single, false, &[spend])) },
    ]);
    steps
}

fn all_rows(engine: &Engine) -> Vec<Row> {
    let rows = &engine.books().rows;
    (0..rows.len()).map(|number| rows.get(number).expect("rows are readable").expect("it is there")).collect()
}

/// A copy of the folder, to be broken.
fn copy(worked: &Worked) -> Scratch {
    let to = Scratch::new();
    copy_folder(&worked.folder.0, &to.0);
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

/// Starts on a folder and sees that everything is there; answers how many records were replayed.
fn start_and_compare(folder: &Scratch, worked: &Worked, what: &str) -> u64 {
    // The clock stands at the beginning again, so that nothing becomes due by itself.
    let clock = Arc::new(AtomicI64::new(START));
    let opened = Engine::open(Arc::new(RealDisk::new()), options(folder, &clock));
    let engine = opened.unwrap_or_else(|fault| panic!("{what}: {}", engine::fault_text(&fault)));
    compare(&engine, &worked.model);
    assert_eq!(all_rows(&engine), worked.rows, "{what}");
    for row in worked.rows.iter().step_by(37) {
        let children: Vec<u64> = worked
            .model
            .rows
            .iter()
            .enumerate()
            .rev()
            .filter_map(|(number, child)| {
                (child.parent == Some(row.number) && !worked.rows[number].flags.has(ledger::row::Flags::OUTCOME))
                    .then_some(number as u64)
            })
            .collect();
        let number = row.number;
        let found = look(&engine, move |view| view.children(number)).expect("it answers").expect("it is readable");
        assert_eq!(found, children, "{what}: children of row {number}");
    }
    for reference in worked.model.references.iter().step_by(23) {
        let answer = pay(&engine, post("@World", "@Again", 1, reference));
        let refused = matches!(&answer, engine::answer::Answer::Refused(refused) if refused.rejection == Rejection::DuplicateReference);
        assert!(refused, "{what}: {reference} is taken: {answer:?}");
    }
    for (name, known) in &worked.model.keys {
        let command = record(&engine, Batch::Single, false, &[post("@World", "@Key", 1, "of a key")]);
        let answer = submit_once(&engine, command, keyed(name, known.request));
        let replayed = match &answer {
            engine::answer::Answer::Recorded(recorded) => recorded.replayed && recorded.rows_count == known.rows,
            _ => false,
        };
        assert!(replayed, "{what}: {name} is known: {answer:?}");
    }
    let replayed = engine.started().replayed_records;
    engine.close();
    drop(engine);
    let report = verified(&RealDisk::new(), folder);
    assert_eq!(report.problems, [], "{what}");
    assert_eq!(report.rows_compared, worked.rows.len() as u64, "{what}");
    assert!(report.checkpoints >= 1, "{what}");
    replayed
}

#[test]
fn any_derived_folders_can_be_deleted() {
    let worked = work();
    let whole = verified(&RealDisk::new(), &worked.folder);
    assert_eq!((whole.problems, whole.checkpoints), (Vec::new(), 2));
    for subset in 0..1 << DERIVED.len() {
        let folder = copy(&worked);
        let gone: Vec<&str> =
            DERIVED.iter().enumerate().filter(|(bit, _)| subset >> bit & 1 == 1).map(|(_, name)| *name).collect();
        for name in &gone {
            fs::remove_dir_all(folder.0.join(name)).expect("it was made");
        }
        assert_eq!(verified(&RealDisk::new(), &folder).problems, [], "what is missing is made anew: {gone:?}");
        let replayed = start_and_compare(&folder, &worked, &format!("without {gone:?}"));
        assert_eq!(replayed > 0, subset != 0, "without {gone:?}");
    }
}

#[test]
fn a_new_key_of_fingerprints_gets_a_new_index() {
    let worked = work();
    let folder = copy(&worked);
    fs::remove_file(folder.0.join("format")).expect("it was made");
    start_and_compare(&folder, &worked, "without the format");
}

/// The files of a folder whose names end so.
fn files(folder: &Path, suffix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("it is there").map(|entry| entry.expect("it is readable").path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.to_string_lossy().ends_with(suffix)).collect();
    files.sort();
    files
}

#[test]
fn damage_of_a_derived_file_is_found_and_made_good() {
    let worked = work();
    for (name, suffix, part) in [
        ("tables", "rows.tbl", Part::Rows),
        ("references", ".run", Part::References),
        ("references", "manifest", Part::References),
        ("children", ".run", Part::Children),
        ("children", "manifest", Part::Children),
        ("checkpoints", ".checkpoint", Part::Checkpoint),
    ] {
        for at in [0, 100, 1_000_003] {
            let folder = copy(&worked);
            let path = files(&folder.0.join(name), suffix).pop().expect("it was made");
            let mut bytes = fs::read(&path).expect("it is readable");
            // Of the table only rows are looked at, not what fills its last block.
            let used = if part == Part::Rows { worked.rows.len() * 192 } else { bytes.len() };
            bytes[at % used] ^= 4;
            fs::write(&path, &bytes).expect("it can be written");
            let what = format!("{} damaged at {}", path.display(), at % used);
            let report = verified(&RealDisk::new(), &folder);
            assert!(report.problems.iter().any(|problem| problem.part == part), "{what}: {:?}", report.problems);
            assert!(report.problems.iter().all(|problem| problem.part == part), "{what}: {:?}", report.problems);
            assert_eq!(fs::read(&path).expect("it is readable"), bytes, "verify changes nothing");
            if part == Part::Rows {
                // The server reads rows when they are wanted, and then says what to do: this.
                let opened = engine::folder::Folder::open(&folder.0, false).expect("nobody uses it");
                opened.delete_derived().expect("it can be deleted");
            }
            start_and_compare(&folder, &worked, &what);
        }
    }
}

/// Proves that an index that is whole and says something else is found: the two indexes, exchanged.
#[test]
fn an_index_that_misses_rows_is_found() {
    let worked = work();
    let folder = copy(&worked);
    let (references, children, aside) =
        (folder.0.join("references"), folder.0.join("children"), folder.0.join("aside"));
    for (from, to) in [(&references, &aside), (&children, &references), (&aside, &children)] {
        fs::rename(from, to).expect("it can be renamed");
    }
    let report = verified(&RealDisk::new(), &folder);
    for part in [Part::References, Part::Children] {
        assert!(report.problems.iter().any(|problem| problem.part == part), "{part:?}: {:?}", report.problems);
    }
    assert!(report.problems_count > 200 && report.problems.len() <= 2 * engine::limits::PROBLEMS_MAX);
    assert!(report.stale_references > 0 && report.stale_children > 0);
}

/// Proves that damage of the journal is found, also when no checkpoint is left that says how far it went.
#[test]
fn damage_of_the_journal_is_found() {
    let worked = work();
    let segments = files(&worked.folder.0.join("journal"), ".seg");
    let found = |what: &str, damage: &dyn Fn(&Path)| {
        for checkpoints in [true, false] {
            let folder = copy(&worked);
            damage(&folder.0.join("journal"));
            if !checkpoints {
                fs::remove_dir_all(folder.0.join("checkpoints")).expect("it was made");
            }
            let report = verified(&RealDisk::new(), &folder);
            let problem = report.problems.iter().find(|problem| problem.part == Part::Journal);
            assert!(problem.is_some(), "{what}, checkpoints {checkpoints}: {:?}", report.problems);
        }
    };
    for (segment, at) in [(0, 5), (0, 200), (0, 100_000), (1, 5), (1, 1_000)] {
        found(&format!("byte {at} of segment {segment}"), &|journal| {
            let path = journal.join(segments[segment].file_name().expect("it has a name"));
            let mut bytes = fs::read(&path).expect("it is readable");
            bytes[at] ^= 1;
            fs::write(&path, bytes).expect("it can be written");
        });
    }
    for gone in [0, 1] {
        found(&format!("segment {gone} missing"), &|journal| {
            fs::remove_file(journal.join(segments[gone].file_name().expect("it has a name"))).expect("it is there");
        });
    }
}

/// Proves that what `inspect` tells is every record in order, from any on, and that it goes up to damage.
#[test]
fn records_are_told_up_to_damage() {
    let worked = work();
    let journal = harness::options(&worked.folder).journal;
    let told = |folder: &Scratch, from: u64, limit: usize| {
        let mut seqs = Vec::new();
        let ended = engine::inspect::run(Arc::new(RealDisk::new()), &folder.0, journal, from, |record| {
            assert!(engine::inspect::line::line_of(record).starts_with(&format!("seq={} ", record.seq)));
            let engine::inspect::value::Value::Fields(fields) = engine::inspect::value::value_of(record) else {
                panic!("a record has fields")
            };
            assert!(fields.len() > 5);
            seqs.push(record.seq);
            if seqs.len() == limit { std::ops::ControlFlow::Break(()) } else { std::ops::ControlFlow::Continue(()) }
        });
        (seqs, ended.expect("it can be read"))
    };
    let (all, ended) = told(&worked.folder, 1, usize::MAX);
    let count = all.len() as u64;
    assert_eq!((all, ended), ((1..=count).collect(), engine::inspect::Ended::End));
    let (some, ended) = told(&worked.folder, count - 10, 3);
    assert_eq!((some, ended), (vec![count - 10, count - 9, count - 8], engine::inspect::Ended::Limit));
    let folder = copy(&worked);
    let path = files(&folder.0.join("journal"), ".seg").remove(0);
    let mut bytes = fs::read(&path).expect("it is readable");
    bytes[100_000] ^= 1;
    fs::write(&path, bytes).expect("it can be written");
    let (before, ended) = told(&folder, 1, usize::MAX);
    assert!(
        matches!(ended, engine::inspect::Ended::Stopped { seq, .. } if seq == before.len() as u64 + 1),
        "{ended:?}"
    );
    assert_eq!(told(&folder, count, usize::MAX).0, [count], "what lies behind the damage can be told from there on");
}

/// Proves that a folder that is no data folder is left as it is.
#[test]
fn other_folders_are_left_alone() {
    let folder = Scratch::new();
    fs::create_dir_all(&folder.0).expect("it can be made");
    let journal = harness::options(&folder).journal;
    let fault =
        engine::verify::run(Arc::new(RealDisk::new()), &folder.0, journal, |_| {}).expect_err("there are no data");
    assert!(fault.to_string().contains("there is no data folder"), "{fault}");
    assert_eq!(fs::read_dir(&folder.0).expect("it is there").count(), 0);
}

/// Proves that checkpoints that were never finished do not pile up.
#[test]
fn what_an_interrupted_checkpoint_left_is_removed() {
    let worked = work();
    let left = worked.folder.0.join("checkpoints").join("00000000000000000007.new");
    fs::write(&left, b"half").expect("it can be written");
    assert_eq!(verified(&RealDisk::new(), &worked.folder).problems, []);
    assert!(left.exists(), "verify changes nothing");
    start_and_compare(&worked.folder, &worked, "with a half checkpoint");
    assert!(!left.exists());
}

/// Proves that a clock that is behind does not make time go back.
#[test]
fn a_clock_that_goes_back_is_not_followed() {
    let worked = work();
    let folder = copy(&worked);
    let clock = Arc::new(AtomicI64::new(START));
    let engine = Engine::open(Arc::new(RealDisk::new()), options(&folder, &clock)).expect("it opens");
    clock.store(5, Ordering::Relaxed);
    let row = harness::recorded(pay(&engine, post("@World", "@Late", 1, "late"))).rows[0];
    assert!(row.created_at >= worked.rows.last().expect("there are rows").created_at);
}
