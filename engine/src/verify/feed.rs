//! Reads the journal from its first record on a thread of its own: frames, hash chain, events.

use crate::codec::{self, CodecFault};
use journal::place::Place;
use journal::reader::{ReadFault, Reader};
use ledger::event::Event;
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
