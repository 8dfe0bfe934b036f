//! The work behind the writer's back: frozen tails become runs, and runs become fewer and larger ones.
//!
//! Two threads, so that a long merge never keeps a tail waiting: one at nice 10 writes tails, one at nice 19 merges. Both
//! change the index in the same way, [`Shared::install`]: write a manifest, then swap the view. What is in the view of a
//! moment is never changed, so a look-up needs the lock only to pick the view up.
//!
//! Runs are open files, so there is a bound to them, [`INDEX_RUNS_MAX`]. A long merge stops now and then to merge the smaller
//! runs that came meanwhile; where even that is too slow, tails wait for it, and the writer waits for tails.
//!
//! A failure is kept, shown by [`super::Index::fault`], and tried again; nothing leaves memory before it is in a manifest.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use journal::disk::Disk;

use super::build::Build;
use super::manifest::Manifest;
use super::merge::{Merge, Pair, Source, pair_of};
use super::run::{self, Chunk, Run};
use super::tail::Tail;
use super::{IndexFault, Options};
use crate::limits::INDEX_RUNS_MAX;
use crate::tiers::{Chosen, Tiers};

/// Blocks written in one go: 1 MiB is where the disk is near its full speed.
const WRITE_BLOCKS: usize = 256;
/// Blocks read in one go from each run of a merge.
const MERGE_BLOCKS: usize = 64;
/// How long to wait before a failed step is tried again.
const RETRY: Duration = Duration::from_millis(500);
/// Rest after each MiB that a merge has written, so that it never holds the disk for long.
const PAUSE: Duration = Duration::from_millis(1);
/// A merge does not rest while one tier has this many times the runs that it should.
const BACKLOG: usize = 3;

/// A tail that takes no more pairs.
pub struct Frozen {
    /// Its pairs.
    pub tail: Tail,
    /// With this tail every pair before this mark is in the index.
    pub mark: u64,
}

/// Everything but the active tail, at one moment.
#[derive(Default)]
pub struct View {
    /// Tails that are not in a run yet, oldest first.
    pub frozen: Vec<Arc<Frozen>>,
    /// The runs, oldest first.
    pub runs: Vec<Arc<Run>>,
}

/// What the threads and the owner share and change.
pub struct State {
    /// The present view. Replaced, never changed.
    pub view: Arc<View>,
    /// The mark of the manifest on disk.
    pub covered: u64,
    /// Empty tails, for reuse.
    pub spare: Vec<Tail>,
    /// Why the last attempt to write a tail failed; `None` since one succeeded.
    pub write_fault: Option<Arc<IndexFault>>,
    /// Why the last attempt to merge failed; `None` since one succeeded.
    pub merge_fault: Option<Arc<IndexFault>>,
    /// Failed attempts to write a tail since the index was opened.
    pub write_failures: u64,
    /// True while runs are being merged.
    pub merging: bool,
    next_run: u64,
}

impl State {
    /// True when a tail waits, and there is room for its run or no hope of any.
    fn can_write(&self) -> bool {
        !self.view.frozen.is_empty() && (self.view.runs.len() < INDEX_RUNS_MAX || self.merge_fault.is_some())
    }
}

/// What the threads and the owner share.
pub struct Shared {
    /// Where the files are.
    pub disk: Arc<dyn Disk>,
    /// The folder of the files.
    pub folder: PathBuf,
    /// As the index was opened with.
    pub options: Options,
    state: Mutex<State>,
    /// Signalled on each change of the state.
    changed: Condvar,
    /// Signalled when the index stops, and by nothing else: what pauses must not be woken by what another thread does.
    stopping: Condvar,
    /// Held while a manifest is written, so that manifests follow each other as the views do.
    installing: Mutex<()>,
    stop: AtomicBool,
}

impl Shared {
    /// The state of an index with these runs on disk.
    pub fn new(disk: Arc<dyn Disk>, folder: PathBuf, options: Options, covered: u64, runs: Vec<Arc<Run>>) -> Shared {
        let next_run = runs.iter().map(|run| run.number + 1).max().unwrap_or(1);
        let state = State {
            view: Arc::new(View { frozen: Vec::new(), runs }),
            covered,
            spare: Vec::new(),
            write_fault: None,
            merge_fault: None,
            write_failures: 0,
            merging: false,
            next_run,
        };
        Shared {
            disk,
            folder,
            options,
            state: Mutex::new(state),
            changed: Condvar::new(),
            stopping: Condvar::new(),
            installing: Mutex::new(()),
            stop: AtomicBool::new(false),
        }
    }

    /// The state, for a moment: nothing slow may happen under this lock, the writer thread takes it.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics under this lock")
    }

    /// Gives up the lock until the state has changed.
    pub fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).expect("no thread panics under this lock")
    }

    /// Tells everyone who waits that the state has changed.
    pub fn notify(&self) {
        self.changed.notify_all();
    }

    /// Makes both threads end after the step they are in.
    pub fn stop(&self) {
        let state = self.state();
        self.stop.store(true, Ordering::Relaxed);
        drop(state);
        self.changed.notify_all();
        self.stopping.notify_all();
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Makes `change` of the present runs and mark durable, then visible.
    fn install(&self, change: impl Fn(&mut View, &mut u64)) -> Result<(), IndexFault> {
        let _installing = self.installing.lock().expect("no thread panics under this lock");
        let changed = |state: &State| {
            let mut view = View { frozen: state.view.frozen.clone(), runs: state.view.runs.clone() };
            let mut covered = state.covered;
            change(&mut view, &mut covered);
            (view, covered)
        };
        let (view, covered) = changed(&self.state());
        let runs = view.runs.iter().map(|run| (run.number, run.pairs)).collect();
        drop(view);
        Manifest { covered, runs }.write(&*self.disk, &self.folder)?;
        let mut state = self.state();
        // Anew, because the owner may have frozen another tail meanwhile.
        let (view, covered) = changed(&state);
        let before = std::mem::replace(&mut state.view, Arc::new(view));
        state.covered = covered;
        drop(state);
        drop(before);
        self.notify();
        Ok(())
    }

    fn next_run(&self) -> u64 {
        let mut state = self.state();
        state.next_run += 1;
        state.next_run - 1
    }

    fn pause(&self, time: Duration) {
        let state = self.state();
        if !self.stopped() {
            drop(self.stopping.wait_timeout(state, time).expect("no thread panics under this lock"));
        }
    }
}

/// What writing runs needs and leaves behind from one attempt to the next.
pub struct Workspace {
    /// Memory for writing: one is in use for each run that is being written.
    chunks: Vec<Chunk>,
    pairs: Vec<Pair>,
    /// The run of the oldest frozen tail, when it was written but could not be installed. Its file stays: the manifest that
    /// names it may be the one on disk although replacing it has failed.
    tail_ready: Option<Arc<Run>>,
    /// The same for a merge: what was merged, and what it gave. Installed before anything else is chosen.
    merge_ready: Option<(Vec<Arc<Run>>, Arc<Run>)>,
}

impl Workspace {
    /// Memory for writing tails of `pairs` pairs; it grows where that is not enough.
    pub fn new(pairs: usize) -> Workspace {
        Workspace {
            chunks: vec![Chunk::new(WRITE_BLOCKS)],
            pairs: Vec::with_capacity(pairs),
            tail_ready: None,
            merge_ready: None,
        }
    }
}

/// What became of a step.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// There was nothing to do, or nothing that can be done before runs are merged.
    Idle,
    /// It was done.
    Done,
    /// It failed, and the state says why.
    Failed,
}

/// Writes tails until the index stops.
pub fn write_tails(shared: &Shared) {
    crate::priority::lower(10);
    let mut workspace = Workspace::new(shared.options.tail_pairs);
    // The second tail, ready before it is wanted.
    let spare = Tail::with_capacity(shared.options.tail_pairs);
    shared.state().spare.push(spare);
    loop {
        let mut state = shared.state();
        while !state.can_write() && !shared.stopped() {
            state = shared.wait(state);
        }
        drop(state);
        if shared.stopped() {
            return;
        }
        if write_oldest(shared, &mut workspace) == Step::Failed {
            shared.pause(RETRY);
        }
    }
}

/// Makes the oldest frozen tail a run. Fails when there are as many as may be and merging them has failed.
pub fn write_oldest(shared: &Shared, workspace: &mut Workspace) -> Step {
    let state = shared.state();
    let Some(frozen) = state.view.frozen.first().filter(|_| state.can_write()).cloned() else { return Step::Idle };
    let obstacle = state.merge_fault.clone().filter(|_| state.view.runs.len() >= INDEX_RUNS_MAX);
    drop(state);
    let outcome = match obstacle {
        Some(fault) => Err(fault),
        None => write_tail(shared, &frozen, workspace).map_err(Arc::new),
    };
    let step = if outcome.is_ok() { Step::Done } else { Step::Failed };
    // Nobody else has it any more, but for a look-up of this very moment; its memory is then made anew when it is needed.
    let mut tail = if step == Step::Done { Arc::into_inner(frozen).map(|frozen| frozen.tail) } else { None };
    if let Some(tail) = &mut tail {
        tail.clear();
    }
    let mut state = shared.state();
    state.spare.extend(tail);
    state.write_failures += u64::from(step == Step::Failed);
    state.write_fault = outcome.err();
    drop(state);
    shared.notify();
    step
}

fn write_tail(shared: &Shared, frozen: &Arc<Frozen>, workspace: &mut Workspace) -> Result<(), IndexFault> {
    let run = match workspace.tail_ready.take() {
        Some(run) => Some(run),
        None => {
            let pairs = &mut workspace.pairs;
            pairs.clear();
            pairs.extend(frozen.tail.pairs().iter().map(|&(key, value)| pair_of(key, value)));
            pairs.sort_unstable();
            // Without pairs there is only a new mark.
            if pairs.is_empty() {
                None
            } else {
                build(shared, &mut workspace.chunks[0], pairs.len() as u64, |build| {
                    pairs.iter().try_for_each(|&pair| build.push(pair).map(|_| ())).map(|()| true)
                })?
            }
        }
    };
    let installed = shared.install(|view, covered| {
        assert!(Arc::ptr_eq(&view.frozen[0], frozen), "tails become runs in the order they were frozen");
        view.frozen.remove(0);
        view.runs.extend(run.clone());
        *covered = frozen.mark;
    });
    if installed.is_err() {
        workspace.tail_ready = run;
    }
    installed
}

/// Merges runs until the index stops.
pub fn merge_runs(shared: &Shared) {
    crate::priority::lower(19);
    let mut workspace = Workspace::new(0);
    loop {
        match merge_once(shared, &mut workspace) {
            Step::Done => {}
            Step::Failed => shared.pause(RETRY),
            Step::Idle => {
                let mut state = shared.state();
                while choose(&state.view.runs, usize::MAX, &shared.options).is_none() && !shared.stopped() {
                    state = shared.wait(state);
                }
            }
        }
        if shared.stopped() {
            return;
        }
    }
}

/// Merges one set of runs, if any tier has too many.
pub fn merge_once(shared: &Shared, workspace: &mut Workspace) -> Step {
    let mut state = shared.state();
    if workspace.merge_ready.is_none() && choose(&state.view.runs, usize::MAX, &shared.options).is_none() {
        return Step::Idle;
    }
    state.merging = true;
    drop(state);
    let outcome = merge_below(shared, usize::MAX, workspace);
    let step = if outcome.is_ok() { Step::Done } else { Step::Failed };
    let mut state = shared.state();
    state.merging = false;
    state.merge_fault = outcome.err().map(Arc::new);
    drop(state);
    shared.notify();
    step
}

/// Merges one set of runs of a tier below this one. False when there is none, or the index stops before it is done.
fn merge_below(shared: &Shared, tier: usize, workspace: &mut Workspace) -> Result<bool, IndexFault> {
    let (runs, run) = match workspace.merge_ready.take() {
        Some(ready) => ready,
        None => {
            // The view is let go at once: a merge must not keep the tails of its beginning in memory.
            let chosen = choose(&shared.state().view.runs, tier, &shared.options);
            let Some(chosen) = chosen else { return Ok(false) };
            let Some(run) = write_merged(shared, &chosen, workspace)? else { return Ok(false) };
            (chosen.runs, run)
        }
    };
    let installed = install_merged(shared, &runs, &run);
    if installed.is_err() {
        workspace.merge_ready = Some((runs, run));
    }
    installed.map(|()| true)
}

/// Puts a run in the place of those that it was merged from.
fn install_merged(shared: &Shared, runs: &[Arc<Run>], run: &Arc<Run>) -> Result<(), IndexFault> {
    shared.install(|view, _| {
        let before = view.runs.len();
        view.runs.retain(|run| !runs.iter().any(|other| other.number == run.number));
        assert_eq!(view.runs.len() + runs.len(), before, "only merging takes runs away");
        // Before the runs of later tails, which are what look-ups that find something mostly want.
        view.runs.insert(0, Arc::clone(run));
    })?;
    for run in runs {
        // What cannot be removed now is removed by the next opening.
        let _ = shared.disk.remove(&run::file_path(&shared.folder, run.number));
    }
    Ok(())
}

/// Writes the run that the chosen ones give together; now and then, it first merges what came meanwhile. `None` when the
/// index stops before it is done.
fn write_merged(
    shared: &Shared,
    chosen: &Chosen<Run>,
    workspace: &mut Workspace,
) -> Result<Option<Arc<Run>>, IndexFault> {
    let pairs = chosen.runs.iter().map(|run| run.pairs).sum();
    let sources = chosen.runs.iter().map(|run| Source::run(run, MERGE_BLOCKS)).collect();
    let mut merge = Merge::new(sources)?;
    let mut chunk = workspace.chunks.pop().unwrap_or_else(|| Chunk::new(WRITE_BLOCKS));
    let run = build(shared, &mut chunk, pairs, |build| {
        while let Some(pair) = merge.next()? {
            if build.push(pair)? {
                while merge_below(shared, chosen.tier, workspace)? {}
                if shared.stopped() {
                    return Ok(false);
                }
                if shared.disk.allows_threads() && !is_behind(shared) {
                    shared.pause(PAUSE);
                }
            }
        }
        Ok(true)
    });
    workspace.chunks.push(chunk);
    run
}

/// Writes a run with what `fill` puts into it. When `fill` gives up by answering false, or anything fails, the file is
/// removed: attempts that are repeated must not fill the disk.
fn build(
    shared: &Shared,
    chunk: &mut Chunk,
    pairs: u64,
    fill: impl FnOnce(&mut Build<'_>) -> Result<bool, IndexFault>,
) -> Result<Option<Arc<Run>>, IndexFault> {
    let number = shared.next_run();
    let path = run::file_path(&shared.folder, number);
    let outcome = Build::new(&*shared.disk, path.clone(), number, pairs, chunk)
        .and_then(|mut build| if fill(&mut build)? { build.finish().map(Some) } else { Ok(None) });
    if !matches!(outcome, Ok(Some(_))) {
        // What cannot be removed now is removed by the next opening.
        let _ = shared.disk.remove(&path);
    }
    Ok(outcome?.map(Arc::new))
}

/// The tiers of runs: what tails give is in the lowest.
fn tiers(options: &Options) -> Tiers {
    Tiers { lowest_most: options.tail_pairs as u64 * 2, fan_out: options.fan_out }
}

/// The runs to merge next: the oldest of the lowest tier that has enough of them, if it is below this one.
fn choose(runs: &[Arc<Run>], below: usize, options: &Options) -> Option<Chosen<Run>> {
    let mut chosen = tiers(options).choose(runs, |run| run.pairs, below)?;
    chosen.runs.truncate(options.fan_out);
    Some(chosen)
}

/// True when some tier has far too many runs: no time to rest.
fn is_behind(shared: &Shared) -> bool {
    let most = BACKLOG * shared.options.fan_out;
    let tiers = tiers(&shared.options).split(&shared.state().view.runs, |run| run.pairs);
    tiers.iter().any(|tier| tier.len() >= most)
}
