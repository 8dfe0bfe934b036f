//! Journals that somebody sealed again.

use super::harness::Scratch;
use journal::disk::RealDisk;
use journal::group::Group;
use journal::open::Options;
use journal::place::Place;
use journal::reader::Reader;
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// How the journals of these tests are cut.
pub const JOURNAL: Options = Options { segment_bytes: 256 << 10, record_bytes_max: 200 << 10 };

/// The records of a journal, in order.
pub fn records(folder: &Path) -> Vec<Vec<u8>> {
    let reader = Reader::offline(Arc::new(RealDisk::new()), folder, JOURNAL);
    let mut scan = reader.scan_all();
    let mut records = Vec::new();
    while let Some(record) = scan.next().expect("it is readable") {
        records.push(record.payload.to_vec());
    }
    records
}

/// Puts other records in the place of those of a data folder, with good checksums and a good chain, and takes away everything else that
/// could tell: what somebody can do who has the disk, knows the program, and does not know the key.
pub fn sealed_again(original: &Scratch, records: &[Vec<u8>]) -> Scratch {
    let forged = Scratch::new();
    fs::create_dir_all(&forged.0).expect("folders can be made");
    fs::copy(original.0.join("format"), forged.0.join("format")).expect("it was made");
    let journal = forged.0.join("journal");
    let opened = journal::open::open(Arc::new(RealDisk::new()), &journal, JOURNAL, Place::start());
    let mut appender = opened.expect("an empty journal opens").appender;
    for record in records {
        let place = appender.place();
        let mut group = Group::new(place.seq, place.position, JOURNAL.segment_bytes);
        group.push(|bytes| bytes.extend_from_slice(record)).expect("it is not larger than it was");
        appender.append(&mut group).expect("the disk works");
    }
    forged
}
