//! What is done behind the writer: full chunks become runs, runs are merged.

use super::manifest::Manifest;
use super::run::{self, Build, Run};
use super::{CHUNKS_A_RUN, Chunk, Entry, FAN_OUT, Mark, RUNS_MAX, Shared, State};
use crate::index::IndexFault;
use crate::tiers::{Chosen, Tiers};
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};

/// Entries that a merge writes between two looks at what came meanwhile: some megabytes.
const STEP_ENTRIES: u64 = 1 << 16;

/// Works until the structure is dropped.
pub fn work(shared: &Shared) {
    crate::priority::lower(crate::priority::FOLLOWER);
    loop {
        let mut state = shared.state();
        while state.due().is_none() && !shared.stopping.load(Ordering::Relaxed) {
            state = shared.changed.wait(state).expect("no holder panics");
        }
        drop(state);
        if shared.stopping.load(Ordering::Relaxed) {
            return;
        }
        work_once(shared);
    }
}

/// Does what is due: writes what waits, then merges. What fails is tried again with the next chunk or checkpoint.
pub fn work_once(shared: &Shared) {
    if shared.state().due().is_none() {
        return;
    }
    // With as many runs as may be, some are merged first.
    let room = if has_room(shared) { Ok(()) } else { merge(shared, usize::MAX) };
    let outcome = room.and_then(|()| write(shared)).and_then(|()| merge(shared, usize::MAX));
    let mut state = shared.state();
    state.asked &= outcome.is_ok();
    state.fault = outcome.err().map(|fault| fault.report());
    // Only a further chunk, or a checkpoint, tries again.
    state.tried = state.waiting.len();
    drop(state);
    shared.changed.notify_all();
}

fn has_room(shared: &Shared) -> bool {
    shared.state().runs.len() < RUNS_MAX
}

/// Makes runs of what waits and is due, as long as there is room for them.
pub fn write(shared: &Shared) -> Result<(), IndexFault> {
    loop {
        let due = shared.state().due();
        let Some(count) = due.filter(|_| has_room(shared)) else { return Ok(()) };
        write_run(shared, count)?;
        shared.changed.notify_all();
    }
}

/// Makes the oldest chunks a run.
fn write_run(shared: &Shared, count: usize) -> Result<(), IndexFault> {
    let (chunks, mark, number) = {
        let mut state = shared.state();
        let chunks: Vec<Arc<Chunk>> = state.waiting[..count].to_vec();
        let mark = chunks.last().expect("what is due is not nothing").mark;
        (chunks, mark, state.number())
    };
    let mut entries: Vec<Entry> = chunks.iter().flat_map(|chunk| &chunk.rows).flat_map(|row| row.entries()).collect();
    entries.sort_unstable_by_key(|entry| entry.place);
    let made = if entries.is_empty() {
        None
    } else {
        let written = (|| {
            let mut build = Build::new(&*shared.disk, &shared.folder, number)?;
            entries.iter().try_for_each(|entry| build.push(*entry))?;
            build.finish().map(Some)
        })();
        kept(shared, number, written)?
    };
    let mut state = install(shared, Some(mark), |runs| runs.extend(made))?;
    state.waiting.drain(..count);
    state.asked &= !state.waiting.is_empty();
    state.fault = None;
    Ok(())
}

/// Merges runs of about the same size until no tier below this one has too many, or all is to end.
pub fn merge(shared: &Shared, below: usize) -> Result<(), IndexFault> {
    loop {
        let runs = Arc::clone(&shared.state().runs);
        let chosen = tiers(shared.chunk_rows).choose(&runs, |run| run.entries, below);
        let Some(chosen) = chosen else { return Ok(()) };
        drop(runs);
        let number = shared.state().number();
        let Some(made) = kept(shared, number, merged(shared, &chosen, number))? else { return Ok(()) };
        drop(install(shared, None, |runs| {
            runs.retain(|run| !chosen.runs.iter().any(|other| other.number == run.number));
            runs.insert(0, made);
        })?);
        for run in chosen.runs {
            // What cannot be removed now is removed by the next opening. Whoever reads it goes on: the file is open.
            drop(shared.disk.remove(&run::file_path(&shared.folder, run.number)));
        }
    }
}

/// Writes the run that these give together; now and then, it first does what came meanwhile. `None` when all is to end.
fn merged(shared: &Shared, chosen: &Chosen<Run>, number: u64) -> Result<Option<Run>, IndexFault> {
    let mut build = Build::new(&*shared.disk, &shared.folder, number)?;
    // Of each run: its entries, and the last one that was taken, whose sums are taken off again.
    let mut scans: Vec<_> = chosen.runs.iter().map(|run| (run.scan(), None::<Entry>)).collect();
    for taken in 0u64.. {
        if taken.is_multiple_of(STEP_ENTRIES) {
            if shared.stopping.load(Ordering::Relaxed) {
                return Ok(None);
            }
            write(shared)?;
            merge(shared, chosen.tier)?;
        }
        let mut first: Option<(usize, Entry)> = None;
        for (index, (scan, _)) in scans.iter_mut().enumerate() {
            if let Some(entry) = scan.peek()?
                && first.is_none_or(|(_, least)| entry.place < least.place)
            {
                first = Some((index, entry));
            }
        }
        let Some((index, entry)) = first else { break };
        let (scan, last) = &mut scans[index];
        build.push(entry.own(*last))?;
        *last = Some(entry);
        scan.advance();
    }
    build.finish().map(Some)
}

/// A run that was written; the file of one that was not is removed, so that attempts do not fill the disk.
fn kept(
    shared: &Shared,
    number: u64,
    written: Result<Option<Run>, IndexFault>,
) -> Result<Option<Arc<Run>>, IndexFault> {
    if !matches!(written, Ok(Some(_))) {
        drop(shared.disk.remove(&run::file_path(&shared.folder, number)));
    }
    Ok(written?.map(Arc::new))
}

/// Makes a change of the runs durable, and what they cover if that is another, then visible. Only this thread changes them. The
/// state is handed on, so that what else changes with them is seen at the same time.
fn install(
    shared: &Shared,
    mark: Option<Mark>,
    change: impl FnOnce(&mut Vec<Arc<Run>>),
) -> Result<MutexGuard<'_, State>, IndexFault> {
    let (mut runs, covered) = {
        let state = shared.state();
        ((*state.runs).clone(), mark.unwrap_or(state.covered))
    };
    change(&mut runs);
    let named = runs.iter().map(|run| (run.number, run.entries)).collect();
    Manifest { covered: covered.0, nonce: covered.1, runs: named }.write(&*shared.disk, &shared.folder)?;
    let mut state = shared.state();
    state.runs = Arc::new(runs);
    state.covered = covered;
    Ok(state)
}

/// The tiers of runs, where a chunk has so many rows.
fn tiers(chunk_rows: usize) -> Tiers {
    Tiers { lowest_most: (CHUNKS_A_RUN * chunk_rows * super::ENTRIES_A_ROW) as u64 * 2, fan_out: FAN_OUT }
}
