//! Reads the journal from its first record on a thread of its own: frames, hash chain, events.

use super::OUTCOME_SUFFIX;
use crate::codec::{self, CodecFault};
use crate::known_keys;
use journal::place::Place;
use journal::reader::{ReadFault, Reader};
use ledger::event::{Event, Kind, Outcome};
use std::collections::BTreeMap;
use std::sync::mpsc::SyncSender;

/// Bytes of records that are handed over at once.
const BATCH_BYTES: usize = 256 << 10;
/// Records that are handed over at once.
const BATCH_RECORDS: usize = 1_024;
/// Batches that may wait.
pub const BATCHES_WAITING_MAX: usize = 8;

/// One record, read and understood.
pub struct Fed {
    /// Its seq.
    pub seq: u64,
    /// Where it stands.
    pub position: u64,
    /// The place after it.
    pub after: Place,
    /// What it says.
    pub event: Event,
}

/// Why reading ended.
pub enum End {
    /// After the last record.
    Clean,
    /// No whole record stands where one could be.
    Stopped(ReadFault),
    /// The record is whole, and no event that this program knows.
    Unknown {
        /// Its seq.
        seq: u64,
        /// What is wrong with it.
        fault: CodecFault,
    },
}

/// Reads to the end, or until nobody takes the batches any more.
pub fn feed(reader: &Reader, batches: &SyncSender<Vec<Fed>>) -> End {
    let mut scan = reader.scan_all();
    let mut batch = Vec::new();
    let mut bytes = 0;
    let end = loop {
        let record = match scan.next() {
            Ok(Some(record)) => record,
            Ok(None) => break End::Clean,
            Err(fault) => break End::Stopped(fault),
        };
        match codec::decode(record.payload) {
            Ok(event) => {
                bytes += record.payload.len();
                batch.push(Fed { seq: record.seq, position: record.position, after: record.after, event });
            }
            Err(fault) => break End::Unknown { seq: record.seq, fault },
        }
        if bytes >= BATCH_BYTES || batch.len() >= BATCH_RECORDS {
            bytes = 0;
            if batches.send(std::mem::take(&mut batch)).is_err() {
                return End::Clean;
            }
        }
    };
    // Whoever takes no more has seen enough.
    drop(batches.send(batch));
    end
}

/// What a pair of the index of references stands for.
#[derive(PartialEq, Eq, Debug)]
pub enum Name {
    /// The reference that a row has or reserves.
    Reference(String),
    /// The key that a request was sent with.
    Key(String),
}

/// The names of some values of the index of references, from a second reading of the journal.
pub fn names_of(reader: &Reader, values: &[(u64, u64)]) -> BTreeMap<u64, Vec<Name>> {
    let mut names: BTreeMap<u64, Vec<Name>> =
        values.iter().flat_map(|&(one, other)| [(one, Vec::new()), (other, Vec::new())]).collect();
    let mut scan = reader.scan_all();
    // The first reading has told what is wrong with a record that cannot be read.
    while let Ok(Some(record)) = scan.next() {
        let event = match codec::decode(record.payload) {
            Ok(Event::Recorded(event)) => event,
            Ok(Event::KeyKept(event)) => {
                if let Some(held) = names.get_mut(&known_keys::value_of(record.position)) {
                    held.push(Name::Key(event.key.name));
                }
                continue;
            }
            _ => continue,
        };
        let mut number = event.first_row;
        if let (Some(key), Some(held)) = (&event.key, names.get_mut(&number)) {
            held.push(Name::Key(key.name.clone()));
        }
        for movement in &event.movements {
            let reference = movement.reference.of(&event.text);
            let outcome = || Name::Reference(format!("{reference}{OUTCOME_SUFFIX}"));
            let execution = matches!(movement.kind, Kind::Execution(_));
            let scheduled = movement.outcome == Outcome::Scheduled;
            for index in 0..movement.rows_count() {
                if let Some(held) = names.get_mut(&number) {
                    let own = if execution || index > 0 { outcome() } else { Name::Reference(reference.to_owned()) };
                    held.push(own);
                    held.extend(scheduled.then(outcome));
                }
                number += 1;
            }
        }
    }
    names
}
