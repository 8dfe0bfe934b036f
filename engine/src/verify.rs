//! Checks a data folder that no server uses, and changes nothing in it.
//!
//! ```text
//! journal ─▶ [ reader thread: frames ─▶ hash chain ─▶ events ] ─▶ is it lawful? ─▶ apply to a fresh state
//!     every checkpoint ◀─ compare with the state at its place ─────────────────────┤
//!     [ comparing thread:                                                          ▼ rows
//!     tables/rows.tbl  ◀─ compare each row, as far as the newest checkpoint says ──┤
//!     tables/alerts.tbl ◀─ compare each alert, as far as its mark says ────────────┤
//!     references/ and children/ ◀─ compare all pairs, as far as each index covers ─┤ at the end
//!     tables/proofs.tbl ◀─ compare each node, as far as its mark says; signed checkpoints too ─┤
//!     dated/           ◀─ compare sums of all entries, as far as they cover ] ─────┘
//! ```
//!
//! One pass over each file, from front to back; three threads work at the same time, each on its own part of the way.
//! Memory: the state, and 16 bytes for each reference and each child.
//! What a crash may leave is no problem: a torn group at the end of the journal, rows beyond the newest checkpoint, stale
//! pairs of an index. What follows the journal has only seen records that were durable, so one that it has seen and is not there is
//! damage, however much it looks like a torn group. Derived files that are missing altogether are none either: the next start makes them.

mod alerts;
mod books;
mod dated;
mod derived;
mod feed;
pub mod kept;
mod lawful;
mod pairs;
pub mod proofs;
pub(crate) mod still;
mod table;

use crate::checkpoint;
use crate::folder::{Folder, FolderFault};
use crate::index::IndexFault;
use crate::index::manifest::Manifest;
use crate::limits;
use books::Mismatched;
use derived::{Applied, Derived};
use feed::{End, Fed};
use journal::disk::Disk;
use journal::open::{Known, OpenFault as JournalFault, Options as JournalOptions};
use journal::place::{self, Place};
use journal::reader::{ReadFault, Reader};
use kept::Asserted;
use ledger::apply::apply;
use ledger::event::{Event, Movement};
use ledger::state::State;
use proofs::{Proofs, Signed};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use still::StillDisk;

/// How far a check has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Records that were checked.
    pub records: u64,
    /// Rows that were made from them.
    pub rows: u64,
    /// Bytes of the journal that were read.
    pub bytes: u64,
    /// Bytes of all segments, of which the last ones are usually empty.
    pub bytes_max: u64,
}

/// What a check found.
#[derive(Clone, Debug)]
pub struct Report {
    /// Records in the journal.
    pub records: u64,
    /// Rows that they make.
    pub rows: u64,
    /// Rows that were compared with the table.
    pub rows_compared: u64,
    /// Balances that there are.
    pub balances: u64,
    /// Holds that are open.
    pub holds: u64,
    /// Checkpoints that were compared.
    pub checkpoints: u64,
    /// Signed checkpoints that tell what the journal says.
    pub signed: u64,
    /// What each currency sums to.
    pub currencies: Vec<CurrencyTotal>,
    /// Postings whose currency is not that of both balances: see `compat.currency_mismatch`.
    pub mismatched: u64,
    /// The seq of the last record.
    pub seq: u64,
    /// The hash of the last record, hexadecimal: whoever has it can tell whether anything up to there was changed.
    pub chain: String,
    /// Bytes of a torn group at the end, which the next start cuts.
    pub torn_bytes: u64,
    /// Pairs of the index of references that belong to no row.
    pub stale_references: u64,
    /// Pairs of the index of children that belong to no row.
    pub stale_children: u64,
    /// What balances are said to have been, and what of it is not so. That is no damage.
    pub asserted: Asserted,
    /// What is wrong, up to [`limits::PROBLEMS_MAX`] of each part.
    pub problems: Vec<Problem>,
    /// How many problems there are.
    pub problems_count: u64,
}

/// What one currency sums to, in minor units.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CurrencyTotal {
    /// The currency.
    pub currency: String,
    /// Balances that it has.
    pub balances: u64,
    /// Everything that was ever credited.
    pub credit: i128,
    /// The sum of all balances: zero.
    pub balance: i128,
    /// The sum of all that is held: zero.
    pub held: i128,
}

/// Something that is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// With what.
    pub part: Part,
    /// What, for people.
    pub text: String,
}

/// What a problem is with.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Part {
    /// The journal: the truth itself.
    Journal,
    /// What the journal says.
    Books,
    /// The table of rows.
    Rows,
    /// A checkpoint.
    Checkpoint,
    /// The index of references.
    References,
    /// The index of children.
    Children,
    /// The order of dated rows.
    Dated,
    /// The nodes of the Merkle log.
    Proofs,
}

impl Part {
    /// Its name.
    pub const fn word(self) -> &'static str {
        match self {
            Part::Journal => "journal",
            Part::Books => "books",
            Part::Rows => "tables",
            Part::Checkpoint => "checkpoints",
            Part::References => "references",
            Part::Children => "children",
            Part::Dated => "dated",
            Part::Proofs => "proofs",
        }
    }

    /// Whether it can be made anew from the journal.
    pub const fn is_derived(self) -> bool {
        !matches!(self, Part::Journal | Part::Books)
    }
}

/// Problems as they are found.
#[derive(Default)]
struct Problems {
    list: Vec<Problem>,
    count: u64,
    of_parts: BTreeMap<Part, usize>,
}

impl Problems {
    fn add(&mut self, part: Part, text: String) {
        self.count += 1;
        let of_part = self.of_parts.entry(part).or_default();
        *of_part += 1;
        if *of_part <= limits::PROBLEMS_MAX {
            self.list.push(Problem { part, text });
        }
    }

    /// Takes those that another thread has found.
    fn take(&mut self, others: Problems) {
        let untold = others.count - others.list.len() as u64;
        for problem in others.list {
            self.add(problem.part, problem.text);
        }
        self.count += untold;
    }
}

/// Why a folder could not be checked.
#[derive(Debug)]
pub enum VerifyFault {
    /// The folder cannot be used.
    Folder(FolderFault),
    /// The journal cannot be looked at.
    Journal(JournalFault),
    /// The disk refused to read the journal.
    Read(ReadFault),
    /// The disk refused to read an index.
    Index(IndexFault),
    /// The disk refused to read another file.
    Disk {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl fmt::Display for VerifyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            VerifyFault::Folder(fault) => fault.fmt(f),
            VerifyFault::Journal(fault) => fault.fmt(f),
            VerifyFault::Read(fault) => fault.fmt(f),
            VerifyFault::Index(fault) => fault.fmt(f),
            VerifyFault::Disk { path, .. } => write!(f, "cannot read {}", path.display()),
        }
    }
}

impl std::error::Error for VerifyFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            VerifyFault::Folder(fault) => fault.source(),
            VerifyFault::Journal(fault) => fault.source(),
            VerifyFault::Read(fault) => fault.source(),
            VerifyFault::Index(fault) => fault.source(),
            VerifyFault::Disk { source, .. } => Some(source),
        }
    }
}

/// Checks everything in a data folder. Damage is told in the report; a fault is when the check itself could not be made.
pub fn run(
    disk: Arc<dyn Disk>,
    folder: &Path,
    journal: JournalOptions,
    progress: impl FnMut(Progress),
) -> Result<Report, VerifyFault> {
    run_against(disk, folder, journal, Vec::new(), progress)
}

/// The same, and compares what signed checkpoints tell.
pub fn run_against(
    disk: Arc<dyn Disk>,
    folder: &Path,
    journal: JournalOptions,
    signed: Vec<Signed>,
    progress: impl FnMut(Progress),
) -> Result<Report, VerifyFault> {
    let folder = Folder::open(folder, false).map_err(VerifyFault::Folder)?;
    let disk: Arc<dyn Disk> = Arc::new(StillDisk::new(disk));
    let journal = journal.of_journal(&*disk, &folder.journal()).map_err(VerifyFault::Journal)?;
    let reader = Reader::offline(Arc::clone(&disk), &folder.journal(), journal);
    let proofs = Proofs::open(Arc::clone(&disk), &folder.tables(), signed)?;
    let (mut check, rows_until) = Check::begin(&*disk, &folder, proofs)?;
    let mut derived = Derived::open(&disk, &folder, rows_until)?;
    let bytes_max = reader.segments_count().map_err(VerifyFault::Read)? * journal.segment_bytes;
    let end = std::thread::scope(|scope| {
        let (sender, batches) = sync_channel(feed::BATCHES_WAITING_MAX);
        let source = &reader;
        let feeder = scope.spawn(move || feed::feed(source, &sender));
        let (applied, rows) = sync_channel(derived::WAITING_MAX);
        let (giver, spare) = channel();
        let comparing = &mut derived;
        let comparer = scope.spawn(move || comparing.follow(rows, &giver));
        check.follow(batches, &Onward { applied, spare }, bytes_max, progress)?;
        comparer.join().expect("comparing does not panic")?;
        Ok(feeder.join().expect("reading does not panic"))
    })?;
    let mut torn_bytes = 0;
    // What follows a contradiction cannot be judged.
    if !check.stopped {
        check.compare_covered(derived.covered(), journal.segment_bytes);
        torn_bytes = check.judge_end(&disk, &folder, journal, end)?;
        derived.compare_indexes(&reader)?;
        check.asserted = kept::check(&reader, &check.state, &mut check.problems);
        derived.end(check.state.rows_count);
    }
    check.report(derived, torn_bytes)
}

/// What is wrong with the end of a journal, seen from the newest checkpoint; `None` when it is whole from there on, or torn
/// as a crash tears it. Whoever deletes what follows the journal deletes what proves that records are missing, and looks here
/// before.
pub fn journal_end(
    disk: Arc<dyn Disk>,
    folder: &Folder,
    journal: JournalOptions,
) -> Result<Option<String>, VerifyFault> {
    journal_from(disk, folder, journal, false)
}

/// The same of all of it, from the first record on: what is derived is not to be deleted when it cannot be made anew.
pub fn whole_journal(
    disk: Arc<dyn Disk>,
    folder: &Folder,
    journal: JournalOptions,
) -> Result<Option<String>, VerifyFault> {
    journal_from(disk, folder, journal, true)
}

fn journal_from(
    disk: Arc<dyn Disk>,
    folder: &Folder,
    journal: JournalOptions,
    all: bool,
) -> Result<Option<String>, VerifyFault> {
    let disk: Arc<dyn Disk> = Arc::new(StillDisk::new(disk));
    let journal = journal.of_journal(&*disk, &folder.journal()).map_err(VerifyFault::Journal)?;
    let mut known = known(&*disk, folder)?;
    if all {
        known.from = Place::start();
    }
    match journal::open::open_known(disk, &folder.journal(), journal, known) {
        Ok(_) => Ok(None),
        Err(fault @ JournalFault::Disk { .. }) => Err(VerifyFault::Journal(fault)),
        Err(fault) => Ok(Some(crate::fault_text(&fault))),
    }
}

/// What everything that follows the journal knows of how far it reached.
pub(crate) fn known(disk: &dyn Disk, folder: &Folder) -> Result<Known, VerifyFault> {
    let path = folder.checkpoints();
    let paths = checkpoint::list(disk, &path).map_err(|source| VerifyFault::Disk { path, source })?;
    let mut from = Place::start();
    for path in paths.iter().rev() {
        if let Some((place, _)) = read_checkpoint(disk, path)? {
            from = place;
            break;
        }
    }
    let marked = read_reached(disk, folder)?.filter(|marked| marked.seq > from.seq);
    let mut until = 0;
    for index in [folder.references(), folder.children()] {
        let manifest = Manifest::read(disk, &index).map_err(VerifyFault::Index)?;
        until = until.max(manifest.map_or(0, |manifest| manifest.covered));
    }
    Ok(Known { from, reached: marked.unwrap_or(from), until })
}

/// Where rows go, and their memory comes back from.
struct Onward {
    applied: SyncSender<Applied>,
    spare: Receiver<Applied>,
}

/// Movements whose balances are brought near at once, so that the waits for memory overlap.
const NEAR_MOVEMENTS: usize = 512;

/// A check as it goes on.
struct Check<'a> {
    disk: &'a dyn Disk,
    state: State,
    place: Place,
    proofs: Proofs,
    /// Checkpoints that are still ahead: the seq that follows them, their files.
    checkpoints: VecDeque<(u64, PathBuf)>,
    /// How far the journal reached, as long as that is ahead.
    reached: Option<Place>,
    checkpoints_compared: u64,
    mismatched: Mismatched,
    asserted: Asserted,
    problems: Problems,
    /// Set at a contradiction after which nothing can be followed any more.
    stopped: bool,
}

impl Check<'_> {
    /// Begins before the first record. Says too up to which row the newest checkpoint reaches.
    fn begin<'a>(disk: &'a dyn Disk, folder: &Folder, proofs: Proofs) -> Result<(Check<'a>, u64), VerifyFault> {
        let mut problems = Problems::default();
        let path = folder.checkpoints();
        let paths = checkpoint::list(disk, &path).map_err(|source| VerifyFault::Disk { path, source })?;
        let mut rows_until = 0;
        let mut checkpoints = VecDeque::new();
        for path in paths {
            match read_checkpoint(disk, &path)? {
                Some((place, state)) => {
                    rows_until = rows_until.max(state.rows_count);
                    checkpoints.push_back((place.seq, path));
                }
                None => problems.add(Part::Checkpoint, format!("{} is damaged", path.display())),
            }
        }
        let check = Check {
            disk,
            state: State::new(),
            place: Place::start(),
            proofs,
            checkpoints,
            reached: read_reached(disk, folder)?,
            checkpoints_compared: 0,
            mismatched: Mismatched::default(),
            asserted: Asserted::default(),
            problems,
            stopped: false,
        };
        Ok((check, rows_until))
    }

    /// Takes records as they are read, and hands on the rows that they make.
    fn follow(
        &mut self,
        batches: Receiver<Vec<Fed>>,
        onward: &Onward,
        bytes_max: u64,
        mut progress: impl FnMut(Progress),
    ) -> Result<(), VerifyFault> {
        for records in batches {
            let mut batch = onward.spare.try_recv().unwrap_or_default();
            batch.records = records;
            self.apply(&mut batch)?;
            // Whoever takes no more has met a fault, which it tells.
            if onward.applied.send(batch).is_err() || self.stopped {
                return Ok(());
            }
            let (records, bytes) = (self.place.seq - 1, self.place.position);
            progress(Progress { records, rows: self.state.rows_count, bytes, bytes_max });
        }
        self.compare_checkpoints()
    }

    /// Applies records up to the first contradiction.
    fn apply(&mut self, batch: &mut Applied) -> Result<(), VerifyFault> {
        let mut near = 0;
        for (index, fed) in batch.records.iter().enumerate() {
            self.compare_checkpoints()?;
            if index == near {
                near += self.bring_near(&batch.records[index..]);
            }
            if let Err(text) = lawful::check(&self.state, &fed.event) {
                self.problems.add(Part::Books, format!("record {} contradicts those before it: {text}", fed.seq));
                self.stopped = true;
                return Ok(());
            }
            if let Event::Recorded(event) = &fed.event {
                self.mismatched.see(&self.state, event);
            }
            apply(&mut self.state, &fed.event, fed.position, &mut batch.rows);
            let rows = &batch.rows[batch.ends.last().copied().unwrap_or(0)..];
            self.proofs.take(&self.state, (fed.seq, fed.after.chain), rows, &mut self.problems)?;
            batch.ends.push(batch.rows.len());
            self.place = fed.after;
        }
        Ok(())
    }

    /// Touches the balances of the next records, of at least one. Answers of how many.
    fn bring_near(&self, records: &[Fed]) -> usize {
        let mut movements = 0;
        let few = records.iter().take_while(|fed| {
            let before = movements;
            movements += movements_of(fed).len();
            before < NEAR_MOVEMENTS
        });
        let count = few.count();
        let handles = records[..count].iter().flat_map(movements_of);
        self.state.bring_balances_near(handles.flat_map(|movement| [movement.source, movement.destination]));
        count
    }

    /// Compares the checkpoints of the present place.
    fn compare_checkpoints(&mut self) -> Result<(), VerifyFault> {
        if let Some(reached) = self.reached.take_if(|reached| reached.seq <= self.place.seq)
            && reached.chain != self.place.chain
        {
            let text = format!("the mark that it reached record {} was made of another journal", reached.seq - 1);
            self.problems.add(Part::Checkpoint, text);
        }
        while let Some((seq, path)) = self.checkpoints.front()
            && *seq <= self.place.seq
        {
            let name = path.display().to_string();
            if let Some((place, found)) = read_checkpoint(self.disk, path)? {
                if place.chain == self.place.chain && place.seq == self.place.seq {
                    books::compare(&self.state, &found, &name, &mut self.problems);
                    self.checkpoints_compared += 1;
                } else {
                    self.problems.add(Part::Checkpoint, format!("{name} was made of another journal"));
                }
            }
            self.checkpoints.pop_front();
        }
        Ok(())
    }

    /// Sees that there are all records that an index has seen.
    fn compare_covered(&mut self, covered: u64, segment_bytes: u64) {
        let until = place::certain_until(covered, segment_bytes);
        if self.place.position < until {
            let (seq, position) = (self.place.seq - 1, self.place.position);
            let text = format!(
                "it ends at record {seq}, position {position}, and an index has seen it up to position {covered}"
            );
            self.problems.add(Part::Journal, text);
        }
    }

    /// Finds out what stands where the records end: nothing, a torn group, or damage.
    fn judge_end(
        &mut self,
        disk: &Arc<dyn Disk>,
        folder: &Folder,
        journal: JournalOptions,
        end: End,
    ) -> Result<u64, VerifyFault> {
        for (seq, path) in std::mem::take(&mut self.checkpoints) {
            let text = format!(
                "it ends at record {}, and {} was made at record {}",
                self.place.seq - 1,
                path.display(),
                seq - 1
            );
            self.problems.add(Part::Journal, text);
        }
        if let Some(reached) = self.reached.take() {
            let (seq, last) = (self.place.seq - 1, reached.seq - 1);
            self.problems.add(Part::Journal, format!("it ends at record {seq}, and it reached record {last}"));
        }
        let stop = match end {
            End::Unknown { seq, fault } => {
                self.problems.add(Part::Journal, format!("record {seq} cannot be understood: {fault}"));
                return Ok(0);
            }
            End::Stopped(fault @ ReadFault::Read { .. }) => return Err(VerifyFault::Read(fault)),
            End::Stopped(fault) => Some(fault),
            End::Clean => None,
        };
        match journal::open::open(Arc::clone(disk), &folder.journal(), journal, self.place) {
            Ok(opened) if opened.cut_bytes > 0 || stop.is_none() => Ok(opened.cut_bytes),
            Ok(_) => {
                self.problems.add(Part::Journal, stop.map_or_else(String::new, |fault| crate::fault_text(&fault)));
                Ok(0)
            }
            Err(fault @ JournalFault::Disk { .. }) => Err(VerifyFault::Journal(fault)),
            Err(fault) => {
                self.problems.add(Part::Journal, crate::fault_text(&fault));
                Ok(0)
            }
        }
    }

    fn report(mut self, derived: Derived, torn_bytes: u64) -> Result<Report, VerifyFault> {
        let currencies = books::totals(&self.state, &self.mismatched, &mut self.problems);
        books::check_holds(&self.state, &mut self.problems);
        self.problems.take(derived.problems);
        if !self.stopped {
            self.proofs.end(self.place.seq - 1, &mut self.problems);
        }
        Ok(Report {
            records: self.place.seq - 1,
            rows: self.state.rows_count,
            rows_compared: derived.table.compared,
            balances: self.state.balances.len() as u64,
            holds: self.state.holds.len() as u64,
            checkpoints: self.checkpoints_compared,
            signed: self.proofs.proven,
            currencies,
            mismatched: self.mismatched.count,
            seq: self.place.seq - 1,
            chain: self.place.chain.iter().map(|byte| format!("{byte:02x}")).collect(),
            torn_bytes,
            stale_references: derived.references.stale,
            stale_children: derived.children.stale,
            asserted: self.asserted,
            problems: self.problems.list,
            problems_count: self.problems.count,
        })
    }
}

fn movements_of(fed: &Fed) -> &[Movement] {
    match &fed.event {
        Event::Recorded(event) => &event.movements,
        _ => &[],
    }
}

/// What stands behind the reference of a request in that of its outcome.
const OUTCOME_SUFFIX: &str = "_q";

fn read_reached(disk: &dyn Disk, folder: &Folder) -> Result<Option<Place>, VerifyFault> {
    let path = folder.checkpoints();
    checkpoint::read_reached(disk, &path).map_err(|source| VerifyFault::Disk { path, source })
}

fn read_checkpoint(disk: &dyn Disk, path: &Path) -> Result<Option<(Place, State)>, VerifyFault> {
    checkpoint::read(disk, path).map_err(|source| VerifyFault::Disk { path: path.to_owned(), source })
}
