//! The Merkle log: it is the same after restarts, crashes, damage and without any derived file, and with a signed checkpoint `verify`
//! finds what was done to a journal by somebody who had the disk and sealed it again.

mod support {
    pub mod forged;
    pub mod harness;
}

use engine::codec;
use engine::engine::{Engine, Options};
use engine::limits::Sizes;
use engine::merkle::hash::{Hash, empty, leaf, node};
use engine::merkle::leaf::Leaf;
use engine::merkle::read::{Tree, sealed};
use engine::merkle::tree::{is_consistent, root_of_inclusion};
use engine::verify::proofs::Signed;
use engine::verify::{Part, Report, run_against};
use journal::disk::{Disk, MemoryDisk, RealDisk};
use ledger::command::{Action, Batch};
use ledger::event::Event;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::forged::{JOURNAL, records, sealed_again};
use support::harness::{self, Scratch, balance, ledger, pay, post, record, settle, submit, verified};

fn open(disk: &(impl Disk + Clone + 'static), folder: &Scratch) -> Engine {
    let sizes = Sizes { checkpoint_rows: 400, checkpoint_records: 300, alerts_mark_rows: 512, ..Sizes::USUAL };
    let options = Options { sizes, ..harness::options(folder) };
    Engine::open(Arc::new(disk.clone()), options).expect("the engine opens")
}

/// Makes rows of every kind: singles, queued, refused, holds and their ends, batches. About 100 rows a round.
fn work(engine: &Engine, name: &str, rounds: usize) {
    let ledger = ledger(engine);
    let (a, b) = (balance(engine, &ledger), balance(engine, &ledger));
    let text = |id: ledger::id::Id| id.text(ledger::id::Prefix::Balance);
    let (a, b) = (text(a), text(b));
    for round in 0..rounds {
        let reference = |what: &str| format!("{name}-{round}-{what}");
        let fund = post("@World", &a, 1_000 + round as i128, &reference("fund"));
        submit(engine, record(engine, Batch::Single, true, &[fund]));
        submit(engine, record(engine, Batch::Single, true, &[post(&b, &a, 1 << 90, &reference("refused"))]));
        let hold = harness::Post { inflight: true, ..post(&a, &b, 10, &reference("hold")) };
        let held = harness::recorded(pay(engine, hold)).rows[0].number;
        settle(engine, held, Action::Commit, Some(4));
        settle(engine, held, Action::Void, None);
        let batch: Vec<_> = (0..90).map(|item| post(&a, &b, 1, &reference(&format!("item{item}")))).collect();
        submit(engine, record(engine, Batch::Atomic, false, &batch));
        // A record without rows stands at the end of a round.
        balance(engine, &ledger);
    }
}

/// RFC 6962, 2.1.
fn naive(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty(),
        [leaf] => *leaf,
        leaves => {
            let (left, right) = leaves.split_at(leaves.len().div_ceil(2).next_power_of_two());
            node(&naive(left), &naive(right))
        }
    }
}

fn leaves(engine: &Engine) -> Vec<Hash> {
    let books = engine.books();
    let size = books.merkle().tip().rows;
    let mut tree = Tree::new(books, size);
    let row = |number| books.row(number).expect("rows are readable").expect("it is there");
    (0..size).map(|number| leaf(&tree.leaf(&row(number)).expect("it is readable").bytes())).collect()
}

/// Compares the tree with one that is made from nothing but its leaves.
fn compare(engine: &Engine, leaves: &[Hash]) {
    let books = engine.books();
    let size = leaves.len() as u64;
    assert_eq!(books.merkle().tip().rows, size);
    let roots: Vec<(u64, Hash)> =
        (0..=size).filter(|at| at % 97 < 2 || at % 256 < 2).map(|at| (at, naive(&leaves[..at as usize]))).collect();
    for (at, root) in &roots {
        let mut tree = Tree::new(books, size);
        assert_eq!(tree.root(*at).expect("it is readable"), *root, "the root of {at}");
        for index in (0..*at).step_by(131) {
            let path = tree.inclusion(index, *at).expect("it is readable");
            assert_eq!(root_of_inclusion(leaves[index as usize], index, *at, &path), Some(*root), "{index} of {at}");
        }
        for (before, old) in roots.iter().filter(|(before, _)| before <= at).step_by(5) {
            let path = tree.consistency(*before, *at).expect("it is readable");
            assert!(is_consistent((*before, *old), (*at, *root), &path), "{before} and {at}");
        }
    }
}

/// Waits until the follower has written what it will.
fn settled(engine: &Engine) {
    let merkle = engine.books().merkle();
    let began = Instant::now();
    while merkle.rows_behind(merkle.tip().rows) >= 256 {
        assert!(began.elapsed() < Duration::from_secs(60), "the follower stands still: {:?}", merkle.fault());
        merkle.wake();
        // Fewer rows than wake it by themselves.
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("folders can be made");
    for entry in fs::read_dir(from).expect("it is there").map(|entry| entry.expect("it is readable")) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("files can be copied");
        }
    }
}

#[test]
fn the_tree_is_the_same_after_anything() {
    let (disk, folder) = (RealDisk::new(), Scratch::new());
    let engine = open(&disk, &folder);
    compare(&engine, &[]);
    work(&engine, "one", 7);
    let first = leaves(&engine);
    assert!(first.len() > 600);
    compare(&engine, &first);
    settled(&engine);
    compare(&engine, &first);
    engine.close();
    drop(engine);
    assert!(fs::metadata(folder.0.join("tables/proofs.mark")).is_ok(), "a clean stop leaves a mark");

    let engine = open(&disk, &folder);
    assert_eq!(leaves(&engine), first, "leaves are for ever");
    work(&engine, "two", 9);
    let all = leaves(&engine);
    assert_eq!(all[..first.len()], first);
    compare(&engine, &all);
    settled(&engine);
    engine.close();
    drop(engine);

    for what in ["nothing", "the tree", "the mark", "all that is derived", "a damaged node", "a cut tree"] {
        let changed = Scratch::new();
        copy(&folder.0, &changed.0);
        let path = changed.0.join("tables/proofs.tbl");
        let mut bytes = fs::read(&path).expect("it was made");
        match what {
            "the tree" => fs::remove_file(&path).expect("it was made"),
            "the mark" => fs::remove_file(changed.0.join("tables/proofs.mark")).expect("it was made"),
            "all that is derived" => {
                for name in ["tables", "references", "children", "dated", "checkpoints"] {
                    drop(fs::remove_dir_all(changed.0.join(name)));
                }
            }
            "a damaged node" => {
                bytes[40] ^= 1;
                fs::write(&path, &bytes).expect("it can be written");
            }
            "a cut tree" => fs::write(&path, &bytes[..50]).expect("it can be written"),
            _ => {}
        }
        let is_damaged = what.starts_with("a ");
        let problems = verified(&disk, &changed).problems;
        let parts: Vec<Part> = problems.iter().map(|problem| problem.part).collect();
        assert_eq!(parts, if is_damaged { vec![Part::Proofs] } else { vec![] }, "without {what}: {problems:?}");
        let engine = open(&disk, &changed);
        compare(&engine, &all);
        settled(&engine);
        compare(&engine, &all);
        engine.close();
    }
}

/// After crashes at many moments, with writes torn and lost, the tree is that of the rows that are left.
#[test]
fn the_tree_is_the_same_after_crashes() {
    let (mut disk, folder) = (MemoryDisk::new(), Scratch::new());
    let mut before = Vec::new();
    for round in 0..12 {
        let engine = open(&disk, &folder);
        assert_eq!(leaves(&engine), before, "what was answered is there");
        compare(&engine, &before);
        work(&engine, &format!("round{round}"), 1);
        let now = leaves(&engine);
        assert_eq!(now[..before.len()], before);
        assert!(engine.books().merkle().rows_behind(now.len() as u64) < 256, "the follower follows");
        let left = disk.crash(round);
        engine.close();
        (disk, before) = (left, now);
    }
    assert!(before.len() > 1_000);
}

/// What a record proves that is handed out with a leaf: its bytes lead to the chain hash in the leaf.
#[test]
fn a_record_leads_to_the_chain_hash_in_its_leaves() {
    let (disk, folder) = (RealDisk::new(), Scratch::new());
    let engine = open(&disk, &folder);
    work(&engine, "one", 3);
    let books = engine.books();
    let mut tree = Tree::new(books, books.merkle().tip().rows);
    for number in 0..books.rows.len() {
        let row = books.row(number).expect("rows are readable").expect("it is there");
        let record = sealed(books, &row).expect("it is readable");
        let chain: Hash = Sha256::new()
            .chain_update(record.chain_before)
            .chain_update(record.seq.to_le_bytes())
            .chain_update((record.payload.len() as u32).to_le_bytes())
            .chain_update(&record.payload)
            .finalize()
            .into();
        let leaf = tree.leaf(&row).expect("it is readable");
        assert_eq!(chain, leaf.chain, "row {number}");
        assert_eq!(Leaf::parse(&leaf.bytes()), Some(leaf), "row {number}");
        assert!(matches!(codec::decode(&record.payload), Ok(Event::Recorded(event)) if event.first_row <= number));
    }
}

/// What somebody who keeps checkpoints elsewhere has: those of three moments.
fn signed(engine: &Engine, at: &mut Vec<Signed>) {
    let books = engine.books();
    let tip = books.merkle().tip();
    let root = Tree::new(books, tip.rows).root(tip.rows).expect("it is readable");
    at.push(Signed { size: tip.rows, root, record: Some((tip.seq, tip.chain)) });
}

fn checked(folder: &Scratch, signed: &[Signed]) -> Report {
    run_against(Arc::new(RealDisk::new()), &folder.0, JOURNAL, signed.to_vec(), |_| {}).expect("it can be checked")
}

/// Nothing but a signed checkpoint finds it: without one the forged journal is as good as any.
#[track_caller]
fn is_only_found_by(folder: &Scratch, signed: &[Signed], text: &str) {
    assert_eq!(checked(folder, &[]).problems, [], "it is sealed as it should be");
    for one in signed {
        let report = checked(folder, std::slice::from_ref(one));
        assert_eq!(report.signed, 0);
        let [problem] = &report.problems[..] else { panic!("one problem, not {:?}", report.problems) };
        assert!(problem.part == Part::Journal && problem.text.contains(text), "{problem:?}");
    }
}

/// A folder after some work, and checkpoints of it: one early, one in the middle, one of the end.
fn worked(name: &str) -> (Scratch, Vec<Signed>) {
    let folder = Scratch::new();
    let engine = open(&RealDisk::new(), &folder);
    let mut checkpoints = Vec::new();
    signed(&engine, &mut checkpoints);
    for round in 0..3 {
        work(&engine, &format!("{name}{round}"), 2);
        signed(&engine, &mut checkpoints);
    }
    engine.close();
    (folder, checkpoints)
}

#[test]
fn the_journal_that_was_signed_is_known_again() {
    let (folder, mut checkpoints) = worked("one");
    let report = checked(&folder, &checkpoints);
    assert_eq!((report.problems, report.signed), (vec![], 4));
    // Also in other segments, without what is derived, and by checkpoints that tell of no record.
    let again = sealed_again(&folder, &records(&folder.0.join("journal")));
    for checkpoint in &mut checkpoints {
        checkpoint.record = None;
    }
    let report = checked(&again, &checkpoints);
    assert_eq!((report.problems, report.signed), (vec![], 4));
    for (checkpoint, text) in [
        (Signed { root: [1; 32], ..checkpoints[2] }, "another root"),
        (Signed { size: checkpoints[2].size + 1, ..checkpoints[2] }, "another root"),
        (Signed { size: checkpoints[3].size + 1, ..checkpoints[3] }, "its end is missing"),
    ] {
        let report = checked(&again, &[checkpoint]);
        assert!(report.problems.len() == 1 && report.problems[0].text.contains(text), "{:?}", report.problems);
    }
}

#[test]
fn an_edit_is_found() {
    let (folder, checkpoints) = worked("one");
    let mut records = records(&folder.0.join("journal"));
    // One unit more in a transfer of the second part.
    let at = records.iter().position(|record| match codec::decode(record) {
        Ok(Event::Recorded(event)) => event.first_row >= checkpoints[1].size && event.movements.len() == 90,
        _ => false,
    });
    let at = at.expect("there is one");
    let Ok(Event::Recorded(mut event)) = codec::decode(&records[at]) else { unreachable!("it was just found") };
    event.movements[7].amount += 1;
    records[at].clear();
    codec::encode(&Event::Recorded(event), &mut records[at]);
    let forged = sealed_again(&folder, &records);
    is_only_found_by(&forged, &checkpoints[2..], "it is not the one that was signed");
    assert_eq!(checked(&forged, &checkpoints[..2]).signed, 2, "what was before it is as it was signed");
}

/// An edit of what no leaf says itself: a reference. The chain hash of its record does.
#[test]
fn an_edit_of_a_text_is_found() {
    let (folder, checkpoints) = worked("one");
    let mut records = records(&folder.0.join("journal"));
    let (at, from) = records
        .iter()
        .enumerate()
        .find_map(|(at, record)| Some((at, record.windows(9).position(|bytes| bytes == b"one1-0-ho")?)))
        .expect("the hold of the second part is there");
    records[at][from..from + 9].copy_from_slice(b"two1-0-ho");
    is_only_found_by(&sealed_again(&folder, &records), &checkpoints[2..], "it is not the one that was signed");
}

#[test]
fn a_missing_end_is_found() {
    let (folder, checkpoints) = worked("one");
    let records = records(&folder.0.join("journal"));
    for missing in [1, 2, 7] {
        let forged = sealed_again(&folder, &records[..records.len() - missing]);
        is_only_found_by(&forged, &checkpoints[3..], "its end is missing");
        assert_eq!(checked(&forged, &checkpoints[..3]).signed, 3);
    }
    // Something else in its place: as many records, as many rows.
    let forged = sealed_again(&folder, &records[..records.len() - 1]);
    let engine = open(&RealDisk::new(), &forged);
    ledger(&engine);
    engine.close();
    drop(engine);
    is_only_found_by(&forged, &checkpoints[3..], "it is not the one that was signed");
}

#[test]
fn another_order_is_found() {
    let (folder, checkpoints) = worked("one");
    let mut records = records(&folder.0.join("journal"));
    let event = |record: &[u8]| match codec::decode(record) {
        Ok(Event::Recorded(event)) if event.movements.len() == 90 => Some(event),
        _ => None,
    };
    let batches: Vec<usize> = (0..records.len()).filter(|at| event(&records[*at]).is_some()).collect();
    // Two batches change places; each takes the time and the rows of the other, or it would contradict what is before.
    let (one, other) = (batches[2], batches[3]);
    let (mut first, mut second) = (event(&records[one]).expect("a batch"), event(&records[other]).expect("a batch"));
    std::mem::swap(&mut first.at, &mut second.at);
    std::mem::swap(&mut first.first_row, &mut second.first_row);
    for (at, event) in [(one, second), (other, first)] {
        records[at].clear();
        codec::encode(&Event::Recorded(event), &mut records[at]);
    }
    let forged = sealed_again(&folder, &records);
    is_only_found_by(&forged, &checkpoints[2..], "it is not the one that was signed");
}

#[test]
fn another_journal_is_found() {
    let (folder, checkpoints) = worked("one");
    let (other, others) = worked("two");
    let sizes = |checkpoints: &[Signed]| -> Vec<_> {
        checkpoints.iter().map(|signed| (signed.size, signed.record.map(|(seq, _)| seq))).collect()
    };
    assert_eq!(sizes(&checkpoints), sizes(&others), "they look alike");
    is_only_found_by(&other, &checkpoints[1..], "it is not the one that was signed");
    is_only_found_by(&folder, &others[1..], "it is not the one that was signed");
}
