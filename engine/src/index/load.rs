//! Opening what is on disk.

use std::path::Path;
use std::sync::Arc;
use std::thread;

use journal::disk::Disk;

use super::IndexFault;
use super::filter::{self, Filter, SHARDS, Shard};
use super::manifest::{self, Manifest};
use super::run::{self, Chunk, Kind, Run, Scan, word};

/// Blocks read in one go.
const READ_BLOCKS: usize = 256;
/// Threads that read at the same time, at most: two a core, since one of them mostly waits for the disk.
const THREADS_MAX: usize = 8;
/// How far ahead of a key its place in the filter is prefetched.
const AHEAD: usize = 8;

/// An index as it was found on disk.
pub struct Loaded {
    /// The mark of the manifest.
    pub covered: u64,
    /// The runs, oldest first.
    pub runs: Vec<Arc<Run>>,
    /// Holds the keys of all runs.
    pub filter: Filter,
}

/// Reads the index in `folder`, all of it, once. If any of it is missing, damaged or not ours, the folder is emptied and the
/// index is empty.
pub fn load(disk: &dyn Disk, folder: &Path) -> Result<Loaded, IndexFault> {
    disk.create_folder(folder).map_err(|source| IndexFault::disk("create", folder, source))?;
    let found = match Manifest::read(disk, folder)? {
        Some(manifest) => match read(disk, folder, &manifest) {
            Ok(loaded) => Some(loaded),
            Err(fault) if fault.is_damage() => None,
            Err(fault) => return Err(fault),
        },
        None => None,
    };
    let loaded = found.unwrap_or_else(|| Loaded { covered: 0, runs: Vec::new(), filter: Filter::with_capacity(0) });
    tidy(disk, folder, &loaded)?;
    Ok(loaded)
}

fn read(disk: &dyn Disk, folder: &Path, manifest: &Manifest) -> Result<Loaded, IndexFault> {
    let mut runs = Vec::with_capacity(manifest.runs.len());
    for &(number, pairs) in &manifest.runs {
        runs.push(Arc::new(Run::open(disk, run::file_path(folder, number), number, pairs)?));
    }
    let threads = if disk.allows_threads() {
        thread::available_parallelism().map_or(1, |count| (count.get() * 2).min(THREADS_MAX))
    } else {
        1
    };
    let mut filter = Filter::with_capacity(runs.iter().map(|run| run.pairs).sum());
    let share = SHARDS.div_ceil(threads);
    let outcomes: Vec<Result<(), IndexFault>> = thread::scope(|scope| {
        let runs = &runs;
        let parts = filter.shards_mut().chunks_mut(share).enumerate();
        let threads: Vec<_> = parts.map(|(at, shards)| scope.spawn(move || fill(runs, at * share, shards))).collect();
        threads.into_iter().map(|thread| thread.join().expect("filling the filter does not panic")).collect()
    });
    outcomes.into_iter().collect::<Result<(), IndexFault>>()?;
    Ok(Loaded { covered: manifest.covered, runs, filter })
}

/// Puts all keys of the runs that belong to these shards into them, the first of which is shard number `first`.
fn fill(runs: &[Arc<Run>], first: usize, shards: &mut [Shard]) -> Result<(), IndexFault> {
    let low = filter::shard_start(first);
    let high = filter::shard_start(first + shards.len() - 1) | (filter::shard_start(1) - 1);
    let mut keys = Vec::new();
    let mut chunk = Chunk::new(READ_BLOCKS);
    for run in runs {
        let (from, to) = run.blocks_of(low, high);
        let mut scan = Scan::new(run, Kind::Data, from, to, chunk);
        while let Some((content, _)) = scan.next()? {
            keys.clear();
            keys.extend(content.chunks_exact(16).map(word).filter(|key| (low..=high).contains(key)));
            for (at, &key) in keys.iter().enumerate() {
                if let Some(&ahead) = keys.get(at + AHEAD) {
                    shards[filter::shard_of(ahead) - first].prefetch(ahead);
                }
                shards[filter::shard_of(key) - first].insert(key);
            }
        }
        chunk = scan.into_chunk();
    }
    Ok(())
}

/// Removes the files of ours that do not count. A file with another kind of name is left alone: it may be someone's.
fn tidy(disk: &dyn Disk, folder: &Path, loaded: &Loaded) -> Result<(), IndexFault> {
    let names = disk.list(folder).map_err(|source| IndexFault::disk("list", folder, source))?;
    let mut removed = false;
    // Backwards, because a manifest that does not count must go before the runs it names, whose names are digits.
    for name in names.iter().rev() {
        let keep = if name == manifest::NAME {
            !loaded.runs.is_empty() || loaded.covered > 0
        } else if run::is_file_name(name) {
            loaded.runs.iter().any(|run| run::file_name(run.number) == *name)
        } else {
            name != manifest::NAME_NEW
        };
        if !keep {
            let path = folder.join(name);
            disk.remove(&path).map_err(|source| IndexFault::disk("remove", &path, source))?;
            removed = true;
        }
    }
    if removed {
        disk.sync_folder(folder).map_err(|source| IndexFault::disk("sync", folder, source))?;
    }
    Ok(())
}
