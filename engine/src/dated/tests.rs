use super::*;
use crate::threaded_disk::ThreadedDisk;
use journal::disk::{Access, MemoryDisk};
use ledger::row::{Flags, Links, Parent};

const FOLDER: &str = "dated";
/// The balance that all rows go to.
const TO: u32 = 2;

fn row(number: u64) -> Row {
    Row {
        number,
        nonce: number,
        created_at: 1_700_000_000_000_000 + number as i64,
        effective_at: number as i64,
        record: number,
        movement: 0,
        source: 1,
        destination: TO,
        currency: 0,
        amount: 1,
        precision: 100,
        parent: Parent::None,
        status: Status::Applied,
        flags: Flags::default(),
        source_after: Posted::default(),
        destination_after: Posted::default(),
        source_links: Links::NONE,
        destination_links: Links::NONE,
    }
}

/// What is in the folder, of so many rows in a chunk. There is no thread.
fn open(disk: Arc<dyn Disk>, chunk_rows: usize) -> Dated {
    let rows = Rows::open(&MemoryDisk::new(), Path::new("tables"), 0).expect("opens").expect("none are asked for");
    Dated::open(&disk, PathBuf::from(FOLDER), chunk_rows, &rows, false).expect("opens")
}

fn runs(dated: &Dated) -> usize {
    dated.shared.state().runs.len()
}

/// Checks that each of the first so many rows is there once.
fn check(dated: &Dated, count: u64) {
    let view = dated.view();
    assert_eq!(view.upto, count);
    for number in [0, 1, count / 3, count - 1, count] {
        let sums = view.of(TO).effective(Cut::before(number as i64)).expect("no fault");
        assert_eq!(sums, Posted { credit: i128::from(number), debit: 0 }, "before {number}");
    }
}

/// Proves that runs do not pile up without bound when they cannot be merged: until there are so many, nothing is amiss; then the
/// writer is told to stop, and why, and no row is lost.
#[test]
fn runs_that_cannot_be_merged_are_bounded() {
    let disk = Arc::new(MemoryDisk::new());
    let dated = open(disk.clone(), 1);
    let mut count = 0;
    let mut more = |rows: usize| {
        for _ in 0..rows {
            dated.push(&[row(count)]);
            count += 1;
        }
        count
    };
    more(CHUNKS_A_RUN);
    let first = run::file_path(Path::new(FOLDER), dated.shared.state().runs[0].number);
    let bytes = disk.contents(&first).expect("it is there");
    let damage = |byte: u8| {
        let file = disk.open(&first, Access::Create).expect("it is there");
        file.write_at(&[byte], 60).expect("it can be written");
    };
    damage(bytes[60] ^ 1);
    for made in 2..=RUNS_MAX {
        more(CHUNKS_A_RUN);
        assert_eq!((runs(&dated), dated.full()), (made, None));
    }
    let waiting = more(WAITING_MAX - 1) - (RUNS_MAX * CHUNKS_A_RUN) as u64;
    assert_eq!((waiting, dated.full()), (WAITING_MAX as u64 - 1, None));
    more(1);
    let fault = dated.full().expect("as much waits as may wait");
    assert!(fault.contains(first.to_str().expect("it is text")), "{fault}");
    assert_eq!(runs(&dated), RUNS_MAX);
    damage(bytes[60]);
    let count = more(1);
    assert_eq!(dated.full(), None);
    check(&dated, count);
    dated.flush();
    drop(dated);
    let dated = open(disk, 1);
    assert!(runs(&dated) < FAN_OUT * 4, "{} runs are more than merging leaves", runs(&dated));
    check(&dated, count);
}

/// Proves that what comes during a long merge is written during it, and that what the manifest says of it stays.
#[test]
fn a_long_merge_keeps_chunks_waiting_for_a_moment_only() {
    const CHUNK_ROWS: usize = 1024;
    const RUN_ROWS: u64 = (CHUNKS_A_RUN * CHUNK_ROWS) as u64;
    let disk = ThreadedDisk::new();
    let dated = Arc::new(open(disk.clone(), CHUNK_ROWS));
    // As if there were a thread: what it would do is done here, at chosen moments.
    dated.shared.threaded.store(true, Ordering::Relaxed);
    let push = |dated: &Dated, run: u64| {
        let rows: Vec<Row> = (run * RUN_ROWS..(run + 1) * RUN_ROWS).map(row).collect();
        dated.push(&rows);
    };
    let many = FAN_OUT as u64;
    for run in 0..many {
        push(&dated, run);
        behind::write(&dated.shared).expect("the disk works");
    }
    assert_eq!(runs(&dated), FAN_OUT);
    let runs_when_written = Arc::new(Mutex::new(0));
    let (noted, during, next) = (Arc::clone(&runs_when_written), Arc::clone(&dated), disk.clone());
    disk.before_file(move || {
        push(&during, many);
        next.before_file(move || *noted.lock().expect("no holder panics") = runs(&during));
    });
    behind::merge(&dated.shared, usize::MAX).expect("the disk works");
    assert_eq!(*runs_when_written.lock().expect("no holder panics"), FAN_OUT, "the merge was not done by then");
    assert_eq!((runs(&dated), dated.shared.state().waiting.len()), (2, 0));
    check(&dated, (many + 1) * RUN_ROWS);
    drop(dated);
    check(&open(disk, CHUNK_ROWS), (many + 1) * RUN_ROWS);
}
