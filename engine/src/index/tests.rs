//! The whole index against a model that is too simple to be wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicUsize;

use journal::disk::{Access, Failure, MemoryDisk, RealDisk};

use super::*;
use crate::threaded_disk::ThreadedDisk;

const FOLDER: &str = "/data/references";

/// Small enough that a few thousand pairs make several tiers.
const SMALL: Options = Options { tail_pairs: 64, fan_out: 3 };

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// The journal of a test: pairs in the order they were inserted. A mark is a number of pairs.
#[derive(Default)]
struct Model {
    pairs: Vec<(u64, u64)>,
    values: BTreeMap<u64, BTreeSet<u64>>,
}

impl Model {
    fn insert(&mut self, index: &mut Index, key: u64, value: u64) {
        self.pairs.push((key, value));
        self.values.entry(key).or_default().insert(value);
        index.insert(key, value);
    }

    /// Inserts `count` pairs with keys below `keys`, and marks at random places and at the end.
    fn feed(&mut self, index: &mut Index, random: &mut Random, count: usize, keys: u64) {
        for _ in 0..count {
            let value = self.pairs.len() as u64;
            self.insert(index, random.below(keys), value);
            if random.below(7) == 0 {
                index.mark(self.pairs.len() as u64);
            }
        }
        index.mark(self.pairs.len() as u64);
    }

    /// Inserts again what a reopened index does not cover.
    fn replay(&self, index: &mut Index) {
        let covered = index.covered() as usize;
        for &(key, value) in &self.pairs[covered..] {
            index.insert(key, value);
        }
        index.mark(self.pairs.len() as u64);
    }

    fn check(&self, index: &Index) {
        let mut found = Vec::new();
        for (&key, values) in &self.values {
            found.clear();
            index.find(key, &mut found).unwrap();
            assert!(found.iter().eq(values.iter().rev()), "key {key}: {found:?} for {values:?}");
            assert!(!index.contains_nothing(key));
        }
        for key in (1 << 40)..(1 << 40) + 1000 {
            found.clear();
            index.find(key, &mut found).unwrap();
            assert!(found.is_empty(), "nothing was inserted under {key}");
        }
        let mut visited = BTreeSet::new();
        index.visit(|key, value| assert!(visited.insert((key, value)), "visited twice")).unwrap();
        assert_eq!(visited, self.pairs.iter().copied().collect());
    }
}

fn open(disk: &MemoryDisk) -> Index {
    Index::open(Arc::new(disk.clone()), Path::new(FOLDER), SMALL).unwrap()
}

fn runs(disk: &dyn Disk) -> Vec<PathBuf> {
    let names = disk.list(Path::new(FOLDER)).unwrap();
    names.iter().filter(|name| name.ends_with(".run")).map(|name| Path::new(FOLDER).join(name)).collect()
}

/// Proves that inserts, look-ups, merges, reopenings and flushes in any order answer as the model does.
#[test]
fn answers_as_the_model_does() {
    for seed in 0..12 {
        let mut random = Random(seed);
        let disk = MemoryDisk::new();
        let mut index = open(&disk);
        let mut model = Model::default();
        for _ in 0..6 {
            let keys = [50, 3000, 1 << 30][random.below(3) as usize];
            let count = random.below(2500) as usize;
            model.feed(&mut index, &mut random, count, keys);
            if random.below(2) == 0 {
                assert_eq!(index.flush().unwrap(), model.pairs.len() as u64);
                assert_eq!(index.stats().pairs_in_memory, 0);
            }
            model.check(&index);
            drop(index);
            index = open(&disk);
            model.replay(&mut index);
            model.check(&index);
        }
        let stats = index.stats();
        assert_eq!(stats.pairs, model.pairs.len() as u64);
        assert!(stats.runs < 3 * 6, "{} runs are more than merging leaves", stats.runs);
        assert_eq!(runs(&disk).len(), stats.runs, "merged runs are removed");
    }
}

/// Proves that after a power cut at any operation on the disk, the covered pairs are there and the rest can be replayed.
#[test]
fn a_power_cut_loses_nothing_that_is_covered() {
    // With direct files the writes are durable one by one; without them it is the syncs that matter.
    for disk in [MemoryDisk::new, MemoryDisk::buffered] {
        let mut covered_most = 0;
        let mut cut = 0;
        while let Some(covered) = cut_power(&disk(), cut) {
            covered_most = covered_most.max(covered);
            cut += 1;
        }
        assert!(cut > 100, "only {cut} operations were cut");
        assert_eq!(covered_most, 700);
    }
}

/// Cuts the power after so many operations, and says what was covered afterwards; `None` when there were not so many.
fn cut_power(disk: &MemoryDisk, operations: u64) -> Option<u64> {
    let mut random = Random(5);
    let mut model = Model::default();
    let mut index = open(disk);
    disk.fail_after(operations, Failure::PowerLost);
    model.feed(&mut index, &mut random, 700, 400);
    let survived = index.flush().is_ok() && index.stats().fault.is_none();
    let covered = index.covered();
    drop(index);
    let mut covered_most = 0;
    for seed in 0..3 {
        let after = disk.crash(seed);
        let mut index = open(&after);
        assert!(index.covered() >= covered, "what was covered stays covered");
        covered_most = covered_most.max(index.covered());
        model.replay(&mut index);
        model.check(&index);
        index.flush().unwrap();
        let reopened = open(&after);
        assert_eq!(reopened.covered(), 700);
        model.check(&reopened);
    }
    (!survived).then_some(covered_most)
}

/// Proves that one failed write or sync, wherever it strikes, is retried and leaves no trace, not even a file.
#[test]
fn a_failed_operation_is_tried_again() {
    for at in 0..250 {
        let disk = MemoryDisk::new();
        let mut random = Random(6);
        let mut model = Model::default();
        let mut index = open(&disk);
        disk.fail_after(at, Failure::Io);
        model.feed(&mut index, &mut random, 1200, 400);
        let _ = index.flush();
        assert_eq!(index.flush().unwrap(), 1200, "a second flush finds a sound disk");
        assert_eq!(index.fault(), None);
        model.check(&index);
        // One more, where it was the removal of a merged run that failed.
        assert!(runs(&disk).len() <= index.stats().runs + 1, "attempts that failed leave no files behind");
        drop(index);
        let crashed = disk.crash(at);
        let index = open(&crashed);
        assert_eq!(index.covered(), 1200);
        model.check(&index);
        assert_eq!(runs(&crashed).len(), index.stats().runs);
    }
}

/// Proves that the threads do what the caller does on a disk without threads, under load and across reopenings.
#[test]
fn threads_answer_as_the_model_does() {
    let disk = ThreadedDisk::new();
    let mut random = Random(7);
    let mut model = Model::default();
    for round in 0..4 {
        let mut index = Index::open(disk.clone(), Path::new(FOLDER), SMALL).unwrap();
        model.replay(&mut index);
        model.feed(&mut index, &mut random, 4000, 5000);
        model.check(&index);
        if round % 2 == 0 {
            assert_eq!(index.flush().unwrap(), model.pairs.len() as u64);
        }
    }
    let index = Index::open(disk, Path::new(FOLDER), SMALL).unwrap();
    assert_eq!(index.stats().pairs, index.covered());
}

/// Proves that a full disk neither blocks the writer nor loses a pair, that the owner is told when to stop, and that
/// everything is written once there is room.
#[test]
fn a_full_disk_stops_nothing_but_new_work() {
    let disk = ThreadedDisk::new();
    let mut random = Random(8);
    let mut model = Model::default();
    let mut index = Index::open(disk.clone(), Path::new(FOLDER), SMALL).unwrap();
    disk.full.store(true, Ordering::SeqCst);
    while !index.is_full() {
        model.feed(&mut index, &mut random, 10, 1000);
        assert!(model.pairs.len() < 1000, "the memory for waiting pairs is bounded");
    }
    let fault = index.fault().unwrap();
    assert!(fault.contains(FOLDER), "{fault}");
    assert_eq!(index.covered(), 0);
    model.feed(&mut index, &mut random, 1000, 1000);
    model.check(&index);
    let refused = index.flush().unwrap_err();
    assert!(refused.to_string().contains(FOLDER), "{refused}");
    disk.full.store(false, Ordering::SeqCst);
    while index.flush().is_err() {}
    assert_eq!(index.covered(), model.pairs.len() as u64);
    assert!(!index.is_full());
    assert_eq!(index.fault(), None);
    model.check(&index);
}

/// Proves that a run that cannot be installed is not written again by each attempt.
#[test]
fn a_run_is_written_once() {
    let disk = ThreadedDisk::new();
    let mut index = Index::open(disk.clone(), Path::new(FOLDER), SMALL).unwrap();
    disk.stuck.store(true, Ordering::SeqCst);
    index.insert(1, 2);
    index.mark(1);
    for _ in 0..3 {
        index.flush().unwrap_err();
    }
    assert_eq!((runs(&*disk).len(), index.stats().runs), (1, 0));
    disk.stuck.store(false, Ordering::SeqCst);
    while index.flush().is_err() {}
    assert_eq!((runs(&*disk).len(), index.stats().runs, index.covered()), (1, 1, 1));
}

/// Proves that runs do not pile up without bound when they cannot be merged: until there are so many, nothing is amiss; then the
/// owner is told to stop, and why, and no pair is lost.
#[test]
fn runs_that_cannot_be_merged_are_bounded() {
    let disk = ThreadedDisk::new();
    let mut random = Random(13);
    let mut model = Model::default();
    let mut index = Index::open(disk.clone(), Path::new(FOLDER), SMALL).unwrap();
    model.feed(&mut index, &mut random, SMALL.tail_pairs, 1 << 40);
    index.flush().unwrap();
    let damaged = runs(&*disk).remove(0);
    let bytes = disk.memory.contents(&damaged).unwrap();
    disk.memory.open(&damaged, Access::Create).unwrap().write_at(&[bytes[80] ^ 1], 80).unwrap();
    for runs in 2..=INDEX_RUNS_MAX {
        model.feed(&mut index, &mut random, SMALL.tail_pairs, 1 << 40);
        assert_eq!(index.flush().unwrap(), model.pairs.len() as u64);
        assert_eq!(index.stats().runs, runs);
        assert!(!index.is_full() && index.fault().is_none());
    }
    while !index.is_full() {
        model.feed(&mut index, &mut random, 10, 1 << 40);
        assert!(
            model.pairs.len() < (INDEX_RUNS_MAX + 10) * SMALL.tail_pairs,
            "the memory for waiting pairs is bounded"
        );
    }
    assert_eq!(index.stats().runs, INDEX_RUNS_MAX);
    let fault = index.fault().unwrap();
    assert!(fault.contains(damaged.to_str().unwrap()), "{fault}");
    let refused = index.flush().unwrap_err();
    assert!(refused.to_string().contains(damaged.to_str().unwrap()), "{refused}");
    disk.memory.open(&damaged, Access::Create).unwrap().write_at(&[bytes[80]], 80).unwrap();
    while index.flush().is_err() {}
    assert_eq!((index.covered(), index.fault()), (model.pairs.len() as u64, None));
    model.check(&index);
}

/// Proves that a writer that is faster than the merging waits for it, and that then everything goes on.
#[test]
fn tails_wait_for_runs_to_be_merged() {
    let disk = Arc::new(MemoryDisk::new());
    let shared = Shared::new(disk, PathBuf::from(FOLDER), SMALL, 0, Vec::new());
    let mut workspace = Workspace::new(SMALL.tail_pairs);
    for tail in 0..INDEX_RUNS_MAX as u64 + 1 {
        freeze(&shared, tail, 1);
    }
    for _ in 0..INDEX_RUNS_MAX {
        assert!(behind::write_oldest(&shared, &mut workspace) == Step::Done);
    }
    assert!(behind::write_oldest(&shared, &mut workspace) == Step::Idle, "there are as many runs as may be");
    assert_eq!(shared.state().view.runs.len(), INDEX_RUNS_MAX);
    assert!(behind::merge_once(&shared, &mut workspace) == Step::Done);
    assert!(behind::write_oldest(&shared, &mut workspace) == Step::Done);
    assert_eq!(shared.state().covered, INDEX_RUNS_MAX as u64 + 1);
}

/// Freezes a tail of so many pairs.
fn freeze(shared: &Shared, tail: u64, pairs: u64) {
    let mut pairs_of = Tail::with_capacity(pairs as usize);
    (0..pairs).for_each(|pair| pairs_of.insert(mix(tail << 32 | pair), pair));
    let mut state = shared.state();
    let mut view = View { frozen: state.view.frozen.clone(), runs: state.view.runs.clone() };
    view.frozen.push(Arc::new(Frozen { tail: pairs_of, mark: tail + 1 }));
    state.view = Arc::new(view);
}

/// Proves that runs that come during a long merge are merged during it.
#[test]
fn a_long_merge_keeps_small_ones_waiting_for_a_moment_only() {
    let disk = ThreadedDisk::new();
    let shared = Arc::new(Shared::new(disk.clone(), PathBuf::from(FOLDER), SMALL, 0, Vec::new()));
    let mut workspace = Workspace::new(SMALL.tail_pairs);
    let fan_out = SMALL.fan_out as u64;
    // Together more than is written in one go.
    for tail in 0..fan_out {
        freeze(&shared, tail, 40_000);
        assert!(behind::write_oldest(&shared, &mut workspace) == Step::Done);
    }
    let runs_at_small_merge = Arc::new(AtomicUsize::new(0));
    let (noted, during, next) = (Arc::clone(&runs_at_small_merge), Arc::clone(&shared), disk.clone());
    disk.before_file(move || {
        for tail in fan_out..2 * fan_out {
            freeze(&during, tail, 1);
            behind::write_oldest(&during, &mut Workspace::new(1));
        }
        next.before_file(move || {
            noted.store(during.state().view.runs.len(), Ordering::SeqCst);
        });
    });
    assert!(behind::merge_once(&shared, &mut workspace) == Step::Done);
    assert_eq!(runs_at_small_merge.load(Ordering::SeqCst), 2 * SMALL.fan_out, "the long merge was not done by then");
    let mut pairs: Vec<u64> = shared.state().view.runs.iter().map(|run| run.pairs).collect();
    pairs.sort_unstable();
    assert_eq!(pairs, [fan_out, fan_out * 40_000]);
}

/// Proves that an index with a damaged or missing manifest or run is emptied when opened, whatever is wrong with it, and
/// can be filled again.
#[test]
fn damage_found_at_opening_empties_the_index() {
    let disk = MemoryDisk::new();
    let mut random = Random(9);
    let mut model = Model::default();
    let mut index = open(&disk);
    model.feed(&mut index, &mut random, 1000, 1 << 20);
    index.flush().unwrap();
    drop(index);
    let mut paths = runs(&disk);
    paths.push(Path::new(FOLDER).join(manifest::NAME));
    for path in &paths {
        let bytes = disk.contents(path).unwrap();
        let mut damages: Vec<Option<Vec<u8>>> = vec![None, Some(Vec::new()), Some(bytes[..bytes.len() - 1].to_vec())];
        for _ in 0..20 {
            let mut damaged = bytes.clone();
            damaged[random.below(bytes.len() as u64) as usize] ^= 1 << random.below(8);
            damages.push(Some(damaged));
        }
        for damage in damages {
            let copy = disk.crash(0);
            match damage {
                Some(bytes) => copy.set_contents(path, &bytes),
                None => copy.remove(path).unwrap(),
            }
            let mut index = open(&copy);
            assert_eq!((index.covered(), index.stats().pairs), (0, 0), "{}", path.display());
            assert!(runs(&copy).is_empty());
            model.replay(&mut index);
            model.check(&index);
        }
    }
}

/// Proves that a block that is damaged after the opening is a fault that says what to do, and never a wrong answer.
#[test]
fn damage_found_later_is_told() {
    let disk = ThreadedDisk::new();
    let mut index = Index::open(disk.clone(), Path::new(FOLDER), SMALL).unwrap();
    for value in 0..100 {
        index.insert(value, value);
    }
    index.mark(100);
    index.flush().unwrap();
    let path = runs(&*disk).remove(0);
    disk.memory.open(&path, Access::Create).unwrap().write_at(&[0xff; 8], 80).unwrap();
    let fault = index.find(5, &mut Vec::new()).unwrap_err();
    assert!(matches!(fault, IndexFault::Damaged { block: 0, .. }));
    let message = fault.to_string();
    assert!(message.contains(path.to_str().unwrap()) && message.contains("delete the folder"), "{message}");
    index.visit(|_, _| {}).unwrap_err();
    let mut found = Vec::new();
    index.find(1 << 40, &mut found).unwrap();
    assert!(found.is_empty(), "a miss does not look at the disk");
}

/// Proves that what a crash leaves lying about is removed, and that a stranger's file is not.
#[test]
fn leftover_files_are_removed() {
    let disk = MemoryDisk::new();
    let mut random = Random(10);
    let mut model = Model::default();
    let mut index = open(&disk);
    model.feed(&mut index, &mut random, 500, 100);
    index.flush().unwrap();
    drop(index);
    let folder = Path::new(FOLDER);
    disk.set_contents(&folder.join("00000000000000009999.run"), b"half a run");
    disk.set_contents(&folder.join(manifest::NAME_NEW), b"half a manifest");
    disk.set_contents(&folder.join("notes.txt"), b"mine");
    let index = open(&disk);
    model.check(&index);
    assert_eq!(runs(&disk).len(), index.stats().runs);
    assert!(!disk.exists(&folder.join(manifest::NAME_NEW)).unwrap());
    assert!(disk.exists(&folder.join("notes.txt")).unwrap());
}

/// Proves that a key whose values fill several blocks and stand in many runs is found whole.
#[test]
fn one_key_may_span_blocks_and_runs() {
    let disk = MemoryDisk::new();
    let mut index = open(&disk);
    let mut model = Model::default();
    for value in 0..3000 {
        model.insert(&mut index, if value % 3 == 0 { value } else { 77 }, value);
        index.mark(value + 1);
        if value % 100 == 99 {
            assert!(index.freeze());
        }
    }
    model.check(&index);
    index.flush().unwrap();
    model.check(&open(&disk));
}

/// Proves that an index that gets marks but no pairs is not replayed from its beginning.
#[test]
fn marks_without_pairs_are_covered_too() {
    let disk = MemoryDisk::new();
    let mut index = open(&disk);
    index.mark(1_000_000);
    assert!(index.freeze());
    assert_eq!(index.covered(), 1_000_000);
    drop(index);
    assert_eq!(open(&disk).covered(), 1_000_000);
}

/// Proves that look-ups of what is not there read nothing, and of what is there about one block, whatever the number of runs.
#[test]
fn look_ups_read_few_blocks() {
    let disk = MemoryDisk::new();
    let options = Options { tail_pairs: 2000, fan_out: 16 };
    let mut index = Index::open(Arc::new(disk), Path::new(FOLDER), options).unwrap();
    for value in 0..30_000 {
        index.insert(value, value);
        index.mark(value + 1);
    }
    index.flush().unwrap();
    assert_eq!(index.stats().runs, 15);
    let mut found = Vec::new();
    for key in 30_000..200_000 {
        index.find(key, &mut found).unwrap();
    }
    assert_eq!((found.len(), index.stats().blocks_read), (0, 0));
    for key in 0..30_000 {
        index.find(key, &mut found).unwrap();
    }
    assert_eq!(found.len(), 30_000);
    let blocks_read = index.stats().blocks_read;
    assert!(blocks_read < 45_000, "{blocks_read} blocks for 30 000 keys");
}

/// Proves that two indexes with the same pairs give the same sequence, however their runs came about.
#[test]
fn equal_indexes_are_visited_alike() {
    let mut sequences = Vec::new();
    for options in [SMALL, Options { tail_pairs: 1000, fan_out: 8 }] {
        let mut index = Index::open(Arc::new(MemoryDisk::new()), Path::new(FOLDER), options).unwrap();
        let mut random = Random(11);
        Model::default().feed(&mut index, &mut random, 3500, 1000);
        let mut sequence = Vec::new();
        index.visit(|key, value| sequence.push((key, value))).unwrap();
        sequences.push(sequence);
    }
    assert_eq!(sequences[0].len(), 3500);
    assert_eq!(sequences[0], sequences[1]);
}

/// Proves that the files work on a real file system, with direct access where it has that.
#[test]
fn works_on_a_real_disk() {
    let folder = PathBuf::from(format!("/tmp/florin-index-{}", std::process::id()));
    let mut random = Random(12);
    let mut model = Model::default();
    let options = Options { tail_pairs: 1000, fan_out: 3 };
    for _ in 0..2 {
        let mut index = Index::open(Arc::new(RealDisk::new()), &folder, options).unwrap();
        model.replay(&mut index);
        model.feed(&mut index, &mut random, 15_000, 1 << 40);
        index.flush().unwrap();
        model.check(&index);
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

/// The writer thread is started after the index is opened elsewhere.
#[test]
fn an_index_can_be_sent_to_a_thread() {
    fn sent<T: Send>() {}
    sent::<Index>();
}
