//! What every thread may read: rows, records, and the names of balances. All of it is durable.

use crate::codec::extract::Extract;
use crate::codec::mention::Mention;
use crate::codec::{self, CodecFault};
use crate::dated::{Dated, DatedFault};
use crate::fingerprint::FingerprintKey;
use crate::follow::Reach;
use crate::index::IndexFault;
use crate::merkle::Merkle;
use crate::monitors::Monitors;
use crate::monitors::alerts::AlertsFault;
use crate::notes::Notes;
use crate::rows::{Rows, RowsFault};
use journal::reader::{ReadFault, Reader};
use ledger::event::{self, Event, MetadataChanged, NO_BALANCE, Recorded};
use ledger::id::Id;
use ledger::notes::Subject;
use ledger::row::{Flags, Row};
use ledger::state::NO_RECORD;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, RwLock};

/// Why something could not be read.
#[derive(Debug)]
pub enum BooksFault {
    /// A row could not be read.
    Rows(RowsFault),
    /// A record could not be read.
    Record(ReadFault),
    /// A record could not be understood.
    Codec {
        /// Where the record is.
        position: u64,
        /// What is wrong with it.
        source: CodecFault,
    },
    /// Alerts could not be read or made.
    Alerts(AlertsFault),
    /// A row points to a record that does not hold it.
    Row(u64),
    /// A record that should tell a change of metadata tells something else.
    Note(u64),
    /// The order of dated rows could not be read.
    Dated(IndexFault),
    /// The nodes of the Merkle log could not be read or written.
    Tree {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl From<DatedFault> for BooksFault {
    fn from(fault: DatedFault) -> BooksFault {
        match fault {
            DatedFault::Files(fault) => BooksFault::Dated(fault),
            DatedFault::Rows(fault) => BooksFault::Rows(fault),
        }
    }
}

impl fmt::Display for BooksFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BooksFault::Rows(_) => write!(f, "a row cannot be read"),
            BooksFault::Record(_) => write!(f, "a record cannot be read"),
            BooksFault::Codec { position, .. } => write!(f, "the record at position {position} cannot be understood"),
            BooksFault::Alerts(_) => write!(f, "alerts cannot be had"),
            BooksFault::Row(row) => write!(f, "row {row} is not in the record it names; run `florin verify`"),
            BooksFault::Note(record) => {
                write!(f, "the record at position {record} should tell a change of metadata; run `florin verify`")
            }
            BooksFault::Dated(_) => write!(f, "the order of dated rows cannot be read"),
            BooksFault::Tree { path, .. } => write!(f, "cannot read or write {}", path.display()),
        }
    }
}

impl std::error::Error for BooksFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            BooksFault::Rows(source) => Some(source),
            BooksFault::Record(source) => Some(source),
            BooksFault::Codec { source, .. } => Some(source),
            BooksFault::Alerts(source) => Some(source),
            BooksFault::Row(_) | BooksFault::Note(_) => None,
            BooksFault::Dated(source) => Some(source),
            BooksFault::Tree { source, .. } => Some(source),
        }
    }
}

/// What a record tells of a row.
pub enum Told {
    /// All that the record tells.
    Whole(Recorded),
    /// What it tells of the row's movement: there are many others, and none of them matters for this one.
    One(Extract),
}

/// Bytes of a record that is read as a whole whatever is wanted of it: reading more of a short one costs nothing, and the rows
/// before and after are often wanted too.
pub const WHOLE_BYTES: usize = 2_048;

/// The reading side of the engine.
pub struct Books {
    /// All rows.
    pub rows: Rows,
    /// Rows that count at another moment than they were recorded at.
    pub dated: Dated,
    reader: Reader,
    names: RwLock<Names>,
    registry: RwLock<Arc<Registry>>,
    notes: Notes,
    key: FingerprintKey,
    reach: Reach,
    monitors: Monitors,
    merkle: Merkle,
}

/// The registered currencies, by code, as far as the edge must know them: how many minor units a major unit has.
#[derive(Clone, Default, Debug)]
pub struct Registry(BTreeMap<Arc<str>, u64>);

impl Registry {
    /// Minor units in a major unit of a currency, if it is registered.
    pub fn precision(&self, code: &str) -> Option<u64> {
        self.0.get(code).copied()
    }

    /// Adds currencies that were registered.
    pub(crate) fn add(&mut self, registered: impl IntoIterator<Item = (Arc<str>, u64)>) {
        self.0.extend(registered);
    }
}

/// What of a state every thread may read.
pub(crate) struct Known {
    /// Names that rows give only as numbers.
    pub names: Names,
    /// The registered currencies.
    pub registry: Registry,
    /// Where metadata was changed.
    pub notes: Notes,
}

/// Names that rows give only as numbers.
#[derive(Default)]
pub(crate) struct Names {
    /// Ids of balances, in chunks, so that growing never copies them all.
    balances: Vec<Vec<Id>>,
    currencies: Vec<Arc<str>>,
}

const NAMES_CHUNK: usize = 1 << 14;

impl Names {
    /// Adds the ids of balances and the texts of currencies that follow.
    pub(crate) fn add(&mut self, balances: &[Id], currencies: &[Arc<str>]) {
        for &id in balances {
            match self.balances.last_mut() {
                Some(chunk) if chunk.len() < NAMES_CHUNK => chunk.push(id),
                _ => {
                    let mut chunk = Vec::with_capacity(NAMES_CHUNK);
                    chunk.push(id);
                    self.balances.push(chunk);
                }
            }
        }
        self.currencies.extend_from_slice(currencies);
    }
}

impl Books {
    pub(crate) fn new(
        rows: Rows,
        dated: Dated,
        reader: Reader,
        known: Known,
        monitors: Monitors,
        merkle: Merkle,
        key: FingerprintKey,
    ) -> Books {
        let Known { names, registry, notes } = known;
        let (names, registry) = (RwLock::new(names), RwLock::new(Arc::new(registry)));
        Books { rows, dated, reader, names, registry, notes, key, reach: Reach::new(), monitors, merkle }
    }

    pub(crate) fn publish(&self, rows: &[Row], balances: &[Id], currencies: &[Arc<str>]) {
        if !balances.is_empty() || !currencies.is_empty() {
            self.names.write().expect("no reader panics").add(balances, currencies);
        }
        self.rows.push(rows);
        // After the rows: whoever finds a dated row reads it.
        self.dated.push(rows);
    }

    /// Lets out currencies that were registered. They are few and rarely change, so readers share one copy of all.
    pub(crate) fn register(&self, registered: impl IntoIterator<Item = (Arc<str>, u64)>) {
        let mut registry = self.registry.write().expect("no reader panics");
        Arc::make_mut(&mut *registry).add(registered);
    }

    /// The registered currencies.
    pub fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.registry.read().expect("no reader panics"))
    }

    /// Metadata that was changed after it was recorded.
    pub const fn notes(&self) -> &Notes {
        &self.notes
    }

    /// The changes of some metadata, each with where it is recorded, oldest first.
    pub fn changes(&self, subject: Subject) -> Result<Vec<(u64, MetadataChanged)>, BooksFault> {
        let mut changes = Vec::new();
        let mut record = self.notes.newest(subject);
        while record != NO_RECORD {
            let change = self.change(record)?;
            let earlier = change.earlier;
            changes.push((record, change));
            record = earlier;
        }
        changes.reverse();
        Ok(changes)
    }

    /// Of the changes that lead back from one, or from [`NO_RECORD`], the newest that was recorded before a place.
    pub fn newest_change_before(&self, newest: u64, place: u64) -> Result<u64, BooksFault> {
        let mut record = newest;
        while record != NO_RECORD && record >= place {
            record = self.change(record)?.earlier;
        }
        Ok(record)
    }

    /// The change of metadata that a record tells.
    pub fn change(&self, record: u64) -> Result<MetadataChanged, BooksFault> {
        match self.event(record)? {
            Event::MetadataChanged(change) => Ok(change),
            _ => Err(BooksFault::Note(record)),
        }
    }

    /// The reading end of the journal.
    pub const fn journal(&self) -> &Reader {
        &self.reader
    }

    /// How far the journal can be followed.
    pub const fn reach(&self) -> &Reach {
        &self.reach
    }

    /// Which monitors fired because of which rows.
    pub const fn monitors(&self) -> &Monitors {
        &self.monitors
    }

    /// The key of the hashes of references.
    pub(crate) const fn fingerprint_key(&self) -> FingerprintKey {
        self.key
    }

    /// The Merkle log over transactions.
    pub const fn merkle(&self) -> &Merkle {
        &self.merkle
    }

    /// The keyed hash of a reference, by which references are found.
    pub fn fingerprint(&self, reference: &str) -> u64 {
        self.key.of(reference)
    }

    /// The keyed hash of a reference with a suffix.
    pub fn fingerprint_of_parts(&self, reference: &str, suffix: &str) -> u64 {
        self.key.of_parts(reference, suffix)
    }

    /// The keyed hash of a key that a request was sent with.
    pub fn fingerprint_of_key(&self, name: &str) -> u64 {
        self.key.of_key(name)
    }

    /// The id of a balance that a row names.
    pub fn balance_id(&self, handle: u32) -> Option<Id> {
        if handle == NO_BALANCE {
            return None;
        }
        let names = self.names.read().expect("no reader panics");
        names.balances.get(handle as usize / NAMES_CHUNK)?.get(handle as usize % NAMES_CHUNK).copied()
    }

    /// The ids of source and destination of each of some rows.
    pub(crate) fn sides(&self, rows: &[Row], out: &mut Vec<[Option<Id>; 2]>) {
        let names = self.names.read().expect("no reader panics");
        let id = |handle: u32| match handle {
            NO_BALANCE => None,
            handle => names.balances.get(handle as usize / NAMES_CHUNK)?.get(handle as usize % NAMES_CHUNK).copied(),
        };
        out.extend(rows.iter().map(|row| [id(row.source), id(row.destination)]));
    }

    /// The text of a currency that a row names.
    pub fn currency(&self, number: u32) -> Arc<str> {
        let names = self.names.read().expect("no reader panics");
        names.currencies.get(number as usize).map_or_else(|| Arc::from(""), Arc::clone)
    }

    /// The event of a record.
    pub fn event(&self, position: u64) -> Result<Event, BooksFault> {
        self.event_and_bytes(position).map(|(event, _)| event)
    }

    /// The event of a record, and how many bytes it has.
    pub(crate) fn event_and_bytes(&self, position: u64) -> Result<(Event, usize), BooksFault> {
        let mut payload = Vec::new();
        self.reader.read(position, &mut payload).map_err(BooksFault::Record)?;
        let event = codec::decode(&payload).map_err(|source| BooksFault::Codec { position, source })?;
        Ok((event, payload.len()))
    }

    /// The event of a row's record.
    pub fn recorded(&self, row: &Row) -> Result<Recorded, BooksFault> {
        match self.event(row.record)? {
            Event::Recorded(event) if (row.movement as usize) < event.movements.len() => Ok(event),
            _ => Err(BooksFault::Row(row.number)),
        }
    }

    /// What a row's record tells of it. Of a long record this is a small part of the work of reading all of it.
    pub fn told(&self, row: &Row) -> Result<Told, BooksFault> {
        let position = row.record;
        let fault = |source| BooksFault::Codec { position, source };
        let mut payload = Vec::new();
        self.reader.read(position, &mut payload).map_err(BooksFault::Record)?;
        if payload.len() > WHOLE_BYTES {
            payload = match Extract::take(payload, row.movement as usize).map_err(fault)? {
                Ok(extract) => return Ok(Told::One(extract)),
                Err(payload) => payload,
            };
        }
        match codec::decode(&payload).map_err(fault)? {
            Event::Recorded(event) if (row.movement as usize) < event.movements.len() => Ok(Told::Whole(event)),
            _ => Err(BooksFault::Row(row.number)),
        }
    }

    /// Whether a record may tell of something that contains a text. `buffer` is used for what is read.
    pub fn may_mention(&self, position: u64, text: &Mention, buffer: &mut Vec<u8>) -> Result<bool, BooksFault> {
        self.reader.read(position, buffer).map_err(BooksFault::Record)?;
        Ok(text.is_in(buffer))
    }

    /// A row by its number.
    pub fn row(&self, number: u64) -> Result<Option<Row>, BooksFault> {
        self.rows.get(number).map_err(BooksFault::Rows)
    }

    /// The row of a transaction, by its id.
    pub fn find_transaction(&self, id: Id) -> Result<Option<Row>, BooksFault> {
        Ok(self.row(id.row())?.filter(|row| row.id() == id))
    }

    /// The first row of a batch, by the id of the batch, and its event.
    pub fn find_batch(&self, id: Id) -> Result<Option<(Row, Recorded)>, BooksFault> {
        let Some(row) = self.row(id.row())? else { return Ok(None) };
        let event = self.recorded(&row)?;
        Ok((event.batch_id() == Some(id)).then_some((row, event)))
    }

    /// The first leg of a split transaction, by the id of the transaction as a whole, and its event.
    pub fn find_split(&self, id: Id) -> Result<Option<(Row, Recorded)>, BooksFault> {
        let Some(row) = self.row(id.row())? else { return Ok(None) };
        let event = self.recorded(&row)?;
        let first = event.movements[row.movement as usize].leg == 1 && !row.flags.has(Flags::OUTCOME);
        Ok((first && event::split_id(event.at, event.seed, row.number) == id).then_some((row, event)))
    }
}

/// The reference of a row, from its record.
pub fn reference_of(event: &Recorded, row: &Row) -> String {
    full_reference(event.movements[row.movement as usize].reference.of(&event.text), row)
}

/// The reference of a row, from that of its movement.
pub fn full_reference(reference: &str, row: &Row) -> String {
    let suffix = if row.flags.has(Flags::OUTCOME) || row.flags.has(Flags::EXECUTION) { "_q" } else { "" };
    [reference, suffix].concat()
}
