//! What the tests of the journal share.

#![allow(dead_code)]

use journal::disk::{Disk, MemoryDisk};
use journal::group::Group;
use journal::open::{Known, OpenFault, Opened, Options, open, open_known};
use journal::place::Place;
use journal::reader::Reader;
use std::path::Path;
use std::sync::Arc;

/// The smallest segments, so that few records cross them.
pub const OPTIONS: Options = Options { segment_bytes: 64 << 10, record_bytes_max: 60 << 10 };

/// Where the tests keep their journal.
pub fn folder() -> &'static Path {
    Path::new("/data/journal")
}

/// The path of a segment.
pub fn segment(number: u64) -> std::path::PathBuf {
    folder().join(format!("{number:020}.seg"))
}

/// Opens the journal on a disk in memory from its start.
pub fn open_all(disk: &MemoryDisk) -> Result<Opened, OpenFault> {
    open_from(disk, Place::start())
}

/// Opens the journal on a disk in memory.
pub fn open_from(disk: &MemoryDisk, from: Place) -> Result<Opened, OpenFault> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    open(disk, folder(), OPTIONS, from)
}

/// Opens the journal on a disk in memory from its start, of which this much is known.
pub fn open_knowing(disk: &MemoryDisk, reached: Place, until: u64) -> Result<Opened, OpenFault> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    open_known(disk, folder(), OPTIONS, Known { from: Place::start(), reached, until })
}

/// A payload that its seq decides, of a length that varies.
pub fn payload(seq: u64, bytes: usize) -> Vec<u8> {
    (0..bytes).map(|index| (seq as usize * 31 + index * 7 + index / 251) as u8).collect()
}

/// A group of records with these lengths at a place.
pub fn group(place: Place, lengths: &[usize]) -> Group {
    let mut group = Group::new(place.seq, place.position, OPTIONS.segment_bytes).with_record_bytes_max(60 << 10);
    for length in lengths {
        let seq = group.next_seq();
        group.push(|bytes| bytes.extend_from_slice(&payload(seq, *length))).expect("the record is within the limit");
    }
    group
}

/// Reads all records in order, each again by its position, and each as the one that follows the one before.
pub fn read_all(reader: &Reader) -> Vec<Vec<u8>> {
    let mut scan = reader.scan_all();
    let mut buffer = Vec::new();
    let mut records = Vec::new();
    let mut next_position = 0;
    while let Some(scanned) = scan.next().expect("the journal is whole") {
        let read = reader.read(scanned.position, &mut buffer).expect("a scanned record can be read");
        assert_eq!((read.head.seq, read.position, buffer.as_slice()), (scanned.seq, scanned.position, scanned.payload));
        assert_eq!(read.head.chain, scanned.after.chain);
        assert_eq!(reader.head(scanned.position).expect("a scanned record can be read"), Some(read.head));
        assert_eq!(reader.read_next(scanned.seq, next_position, &mut buffer).expect("it follows"), read);
        next_position = read.next_position;
        assert_eq!(scanned.seq, records.len() as u64 + 1);
        records.push(scanned.payload.to_vec());
    }
    records
}

/// A sequence that a seed decides.
pub struct Random(pub u64);

impl Random {
    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below a limit.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.number() % limit
    }
}
