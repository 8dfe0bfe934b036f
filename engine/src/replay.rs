//! Start-up: the newest usable checkpoint, and the records after it.
//!
//! | checkpoint | indexes reach it | rows reach it | then |
//! |---|---|---|---|
//! | good | yes | yes | the state is read from it, records after it are replayed |
//! | good | no | any | passed over: an older one is tried |
//! | good | yes | no | passed over |
//! | damaged | any | any | passed over |
//! | none left | any | any | everything is replayed from the first record |
//!
//! Whatever is chosen, records must reach as far as the mark beside the checkpoints and both indexes have seen them.

use crate::checkpoint;
use crate::codec::{self, CodecFault};
use crate::dated::{Dated, DatedFault};
use crate::folder::Folder;
use crate::index::{Index, IndexFault, Options as IndexOptions};
use crate::known_keys;
use crate::limits::{self, Sizes};
use crate::merkle::{Merkle, Tip};
use crate::monitors::Monitors;
use crate::notes::Notes;
use crate::reading::{Books, Known, Names, Registry};
use crate::rows::{Rows, RowsFault};
use crate::writer::{index_key, index_row};
use journal::appender::Appender;
use journal::disk::Disk;
use journal::open::{OpenFault as JournalFault, Opened, Options as JournalOptions};
use journal::place::Place;
use journal::reader::ReadFault;
use ledger::apply::apply;
use ledger::event::Event;
use ledger::state::State;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Why a data folder could not be started from.
#[derive(Debug)]
pub enum ReplayFault {
    /// The journal was not opened.
    Journal(JournalFault),
    /// A record could not be read.
    Record(ReadFault),
    /// A record could not be understood.
    Codec {
        /// Its seq.
        seq: u64,
        /// What is wrong with it.
        source: CodecFault,
    },
    /// An index could not be opened.
    Index(IndexFault),
    /// The rows could not be opened.
    Rows(RowsFault),
    /// A checkpoint could not be read because the disk failed.
    Checkpoint {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl From<DatedFault> for ReplayFault {
    fn from(fault: DatedFault) -> ReplayFault {
        match fault {
            DatedFault::Files(fault) => ReplayFault::Index(fault),
            DatedFault::Rows(fault) => ReplayFault::Rows(fault),
        }
    }
}

impl fmt::Display for ReplayFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReplayFault::Journal(_) => write!(f, "the journal cannot be opened"),
            ReplayFault::Record(_) => write!(f, "the journal cannot be read"),
            ReplayFault::Codec { seq, .. } => write!(f, "record {seq} of the journal cannot be understood"),
            ReplayFault::Index(_) => write!(f, "an index cannot be opened"),
            ReplayFault::Rows(_) => write!(f, "the rows cannot be opened"),
            ReplayFault::Checkpoint { path, .. } => write!(f, "the checkpoint {} cannot be read", path.display()),
        }
    }
}

impl std::error::Error for ReplayFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(match self {
            ReplayFault::Journal(source) => source,
            ReplayFault::Record(source) => source,
            ReplayFault::Codec { source, .. } => source,
            ReplayFault::Index(source) => source,
            ReplayFault::Rows(source) => source,
            ReplayFault::Checkpoint { source, .. } => source,
        })
    }
}

/// Everything as it was when the journal ended.
pub struct Replayed {
    /// What decisions need to know.
    pub state: State,
    /// What every thread may read.
    pub books: Books,
    /// Rows by the fingerprints of their references.
    pub references: Index,
    /// Rows by their parents.
    pub children: Index,
    /// The writing end of the journal.
    pub appender: Appender,
    /// Bytes of a torn group that were cut.
    pub cut_bytes: u64,
    /// Records that were replayed.
    pub replayed_records: u64,
}

/// Brings everything to the end of the journal.
pub fn replay(
    disk: &Arc<dyn Disk>,
    folder: &Folder,
    journal: JournalOptions,
    sizes: Sizes,
) -> Result<Replayed, ReplayFault> {
    let mut references = open_index(disk, folder.references(), sizes.references_tail_pairs)?;
    let mut children = open_index(disk, folder.children(), sizes.children_tail_pairs)?;
    let covered = (references.covered(), children.covered());
    let (from, mut state, rows) = start(&**disk, folder, covered.0.min(covered.1))?;
    let reached = reached(&**disk, folder)?.unwrap_or(from);
    // What is derived follows durable records only, so it has seen no record that is not there.
    let known = journal::open::Known { from, reached, until: covered.0.max(covered.1) };
    let opened =
        journal::open::open_known(Arc::clone(disk), &folder.journal(), journal, known).map_err(ReplayFault::Journal)?;
    let Opened { appender, reader, cut_bytes, tail } = opened;
    let any_dated = state.balances.iter().any(|balance| balance.dated);
    let dated = Dated::open(disk, folder.dated(), sizes.dated_chunk_rows, &rows, any_dated)?;
    let monitors = Monitors::new(Arc::clone(disk), &folder.tables(), sizes.alerts_mark_rows);
    monitors.publish(state.monitors.changes().iter().copied());
    let merkle = Merkle::new(Arc::clone(disk), &folder.tables(), sizes.alerts_mark_rows);
    let books = Books::new(rows, dated, reader, known_of(&state), monitors, merkle, folder.key);
    let mut scan = books.journal().scan(from);
    let mut fresh = Vec::new();
    let mut replayed_records = 0;
    while let Some(record) = scan.next().map_err(ReplayFault::Record)? {
        let event = codec::decode(record.payload).map_err(|source| ReplayFault::Codec { seq: record.seq, source })?;
        let balances_before = state.balances.len();
        let currencies_before = state.currencies.len();
        let changes_before = state.monitors.changes().len();
        apply(&mut state, &event, record.position, &mut fresh);
        let balances: Vec<_> =
            (balances_before..state.balances.len()).map(|handle| state.balance_id(handle as u32)).collect();
        let currencies: Vec<Arc<str>> = state.currencies.iter().skip(currencies_before).map(Arc::from).collect();
        if let Event::CurrencyRegistered(event) = &event {
            books.register([(event.code.as_str().into(), event.precision)]);
        }
        if let Event::MetadataChanged(event) = &event {
            books.notes().add([(event.subject, record.position)]);
        }
        if state.monitors.changes().len() > changes_before {
            books.monitors().publish(state.monitors.changes().get(changes_before).copied());
        }
        books.publish(&fresh, &balances, &currencies);
        let tip = Tip { seq: record.seq, chain: record.after.chain, rows: state.rows_count };
        books.merkle().publish([(record.position, record.after.chain)], tip);
        if let Event::Recorded(event) = &event
            && (record.position >= covered.0 || record.position >= covered.1)
        {
            index_key(&books, &mut references, event);
            for row in &fresh {
                index_row(&books, &mut references, &mut children, event, row);
            }
        }
        if let Event::KeyKept(event) = &event
            && record.position >= covered.0
        {
            references.insert(books.fingerprint_of_key(&event.key.name), known_keys::value_of(record.position));
        }
        fresh.clear();
        replayed_records += 1;
        references.mark(record.after.position.max(covered.0));
        children.mark(record.after.position.max(covered.1));
    }
    // The position may be further on: a crash can leave a segment that was entered and holds no record yet.
    let ended = scan.place();
    assert_eq!((ended.seq, ended.chain), (tail.seq, tail.chain), "the scan ends where the journal was found to end");
    assert!(ended.position <= tail.position, "no record lies behind the end of the journal");
    books.dated.settle(&books.rows)?;
    books.merkle().publish([], Tip { seq: ended.seq - 1, chain: ended.chain, rows: state.rows_count });
    books.reach().extend(ended.seq);
    Ok(Replayed { state, books, references, children, appender, cut_bytes, replayed_records })
}

fn open_index(disk: &Arc<dyn Disk>, path: PathBuf, tail_pairs: usize) -> Result<Index, ReplayFault> {
    let options = IndexOptions { tail_pairs, fan_out: limits::INDEX_FAN_OUT };
    Index::open(Arc::clone(disk), &path, options).map_err(ReplayFault::Index)
}

/// Where to begin: the table at the top of this file.
fn start(disk: &dyn Disk, folder: &Folder, reached: u64) -> Result<(Place, State, Rows), ReplayFault> {
    let checkpoints = folder.checkpoints();
    let fault = |path: &PathBuf, source| ReplayFault::Checkpoint { path: path.clone(), source };
    let paths = checkpoint::list(disk, &checkpoints).map_err(|source| fault(&checkpoints, source))?;
    for path in paths.iter().rev() {
        let Some((place, state)) = checkpoint::read(disk, path).map_err(|source| fault(path, source))? else {
            continue;
        };
        if place.position > reached {
            continue;
        }
        if let Some(rows) = Rows::open(disk, &folder.tables(), state.rows_count).map_err(ReplayFault::Rows)? {
            return Ok((place, state, rows));
        }
    }
    let rows = Rows::open(disk, &folder.tables(), 0).map_err(ReplayFault::Rows)?;
    Ok((Place::start(), State::new(), rows.expect("no rows are always there")))
}

/// How far the journal reached, if a mark tells.
fn reached(disk: &dyn Disk, folder: &Folder) -> Result<Option<Place>, ReplayFault> {
    let path = folder.checkpoints();
    checkpoint::read_reached(disk, &path).map_err(|source| ReplayFault::Checkpoint { path, source })
}

fn known_of(state: &State) -> Known {
    Known { names: names_of(state), registry: registry_of(state), notes: Notes::of(state) }
}

fn names_of(state: &State) -> Names {
    let balances: Vec<_> = (0..state.balances.len()).map(|handle| state.balance_id(handle as u32)).collect();
    let currencies: Vec<Arc<str>> = state.currencies.iter().map(Arc::from).collect();
    let mut names = Names::default();
    names.add(&balances, &currencies);
    names
}

fn registry_of(state: &State) -> Registry {
    let registered = state.currencies.all_registered();
    let named = registered.map(|(number, known)| (Arc::from(state.currencies.text(number)), known.precision));
    let mut registry = Registry::default();
    registry.add(named);
    registry
}
