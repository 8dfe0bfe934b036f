//! What is done behind the writer: full chunks become runs, runs are merged.

use super::manifest::Manifest;
use super::run::{self, Build, Run};
use super::{CHUNKS_A_RUN, Chunk, Entry, FAN_OUT, Mark, Shared};
use crate::index::IndexFault;
use std::sync::Arc;
use std::sync::atomic::Ordering;

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
    let Some(chunks) = shared.state().due() else { return };
    let outcome = write(shared, chunks).and_then(|()| merge(shared));
    let mut state = shared.state();
    state.asked = false;
    state.fault = outcome.err().map(|fault| fault.report());
    // Only a further chunk, or a checkpoint, tries again.
    state.tried = state.waiting.len();
    drop(state);
    shared.changed.notify_all();
}

/// Makes the oldest chunks a run.
fn write(shared: &Shared, count: usize) -> Result<(), IndexFault> {
    let (chunks, mark, number) = {
        let mut state = shared.state();
        let chunks: Vec<Arc<Chunk>> = state.waiting[..count].to_vec();
        let mark = chunks.last().expect("what is due is not nothing").mark;
        state.next_run += 1;
        (chunks, mark, state.next_run - 1)
    };
    let mut entries: Vec<Entry> = chunks.iter().flat_map(|chunk| &chunk.rows).flat_map(|row| row.entries()).collect();
    entries.sort_unstable_by_key(|entry| entry.place);
    let made = if entries.is_empty() {
        None
    } else {
        let written = (|| {
            let mut build = Build::new(&*shared.disk, &shared.folder, number)?;
            entries.iter().try_for_each(|entry| build.push(*entry))?;
            build.finish()
        })();
        Some(Arc::new(kept(shared, number, written)?))
    };
    install(shared, mark, |runs| runs.extend(made.clone()))?;
    let mut state = shared.state();
    let mut runs = (*state.runs).clone();
    runs.extend(made);
    state.runs = Arc::new(runs);
    state.waiting.drain(..count);
    state.covered = mark;
    Ok(())
}

/// Merges runs of about the same size until no tier has too many.
fn merge(shared: &Shared) -> Result<(), IndexFault> {
    loop {
        let (runs, covered, number) = {
            let mut state = shared.state();
            state.next_run += 1;
            (Arc::clone(&state.runs), state.covered, state.next_run - 1)
        };
        let Some(chosen) = choose(&runs, shared.chunk_rows) else { return Ok(()) };
        if shared.stopping.load(Ordering::Relaxed) {
            return Ok(());
        }
        let made = Arc::new(kept(shared, number, merged(shared, &chosen, number))?);
        let replace = |runs: &mut Vec<Arc<Run>>| {
            runs.retain(|run| !chosen.iter().any(|other| other.number == run.number));
            runs.insert(0, Arc::clone(&made));
        };
        install(shared, covered, replace)?;
        let mut state = shared.state();
        let mut runs = (*state.runs).clone();
        replace(&mut runs);
        state.runs = Arc::new(runs);
        drop(state);
        for run in chosen {
            // What cannot be removed now is removed by the next opening. Whoever reads it goes on: the file is open.
            drop(shared.disk.remove(&run::file_path(&shared.folder, run.number)));
        }
    }
}

fn merged(shared: &Shared, chosen: &[Arc<Run>], number: u64) -> Result<Run, IndexFault> {
    let mut build = Build::new(&*shared.disk, &shared.folder, number)?;
    // Of each run: its entries, and the last one that was taken, whose sums are taken off again.
    let mut scans: Vec<_> = chosen.iter().map(|run| (run.scan(), None::<Entry>)).collect();
    loop {
        let mut first: Option<(usize, Entry)> = None;
        for (index, (scan, _)) in scans.iter_mut().enumerate() {
            if let Some(entry) = scan.peek()?
                && first.is_none_or(|(_, least)| entry.place < least.place)
            {
                first = Some((index, entry));
            }
        }
        let Some((index, entry)) = first else { return build.finish() };
        let (scan, last) = &mut scans[index];
        build.push(entry.own(*last))?;
        *last = Some(entry);
        scan.advance();
    }
}

/// A run that was written; the file of one that was not is removed, so that attempts do not fill the disk.
fn kept(shared: &Shared, number: u64, written: Result<Run, IndexFault>) -> Result<Run, IndexFault> {
    if written.is_err() {
        drop(shared.disk.remove(&run::file_path(&shared.folder, number)));
    }
    written
}

/// Makes a change of the runs durable. Only this thread changes them.
fn install(shared: &Shared, (covered, nonce): Mark, change: impl FnOnce(&mut Vec<Arc<Run>>)) -> Result<(), IndexFault> {
    let mut runs = (*shared.state().runs).clone();
    change(&mut runs);
    let runs = runs.iter().map(|run| (run.number, run.entries)).collect();
    Manifest { covered, nonce, runs }.write(&*shared.disk, &shared.folder)
}

/// The runs to merge next: those of the lowest tier that has enough of them.
fn choose(runs: &[Arc<Run>], chunk_rows: usize) -> Option<Vec<Arc<Run>>> {
    let mut tiers: Vec<Vec<Arc<Run>>> = Vec::new();
    for run in runs {
        let tier = tier_of(run.entries, chunk_rows);
        tiers.resize_with(tiers.len().max(tier + 1), Vec::new);
        tiers[tier].push(Arc::clone(run));
    }
    tiers.into_iter().find(|tier| tier.len() >= FAN_OUT)
}

fn tier_of(entries: u64, chunk_rows: usize) -> usize {
    let mut tier = 0;
    let mut most = (CHUNKS_A_RUN * chunk_rows * super::ENTRIES_A_ROW) as u64 * 2;
    while entries > most {
        tier += 1;
        most = most.saturating_mul(FAN_OUT as u64);
    }
    tier
}
