//! Segments of any bytes: the reader and recovery give a fault or records, never a panic, and take no more memory than a record may
//! have.

#![no_main]

use journal::disk::MemoryDisk;
use journal::open::{Options, open};
use journal::place::Place;
use journal::reader::Reader;
use libfuzzer_sys::fuzz_target;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const SEGMENT_BYTES: usize = 64 << 10;
const OPTIONS: Options = Options { segment_bytes: SEGMENT_BYTES as u64, record_bytes_max: 60 << 10 };
/// Bytes of an input that one segment begins with; the rest of it is zeros.
const PIECE_BYTES: usize = 2048;
/// Positions that one input reads at.
const POSITIONS: usize = 4;
/// What a buffer for a record may have: the record, its frame, and whole blocks.
const BUFFER_BYTES_MAX: usize = 256 << 10;

fn segment(number: u64) -> PathBuf {
    Path::new("/data/journal").join(format!("{number:020}.seg"))
}

// Which segments are cut and where, positions to read at, and then what the segments begin with.
fuzz_target!(|input: &[u8]| {
    let Some((head, bytes)) = input.split_at_checked(8 * (1 + POSITIONS)) else { return };
    let mut numbers = head.chunks_exact(8).map(|bytes| u64::from_le_bytes(bytes.try_into().expect("eight bytes")));
    let cut = numbers.next().expect("there is one");
    let positions: Vec<u64> = numbers.collect();
    let disk = MemoryDisk::new();
    // Segments are as long as they are; some are cut.
    for (number, piece) in bytes.chunks(PIECE_BYTES).take(3).enumerate() {
        let mut content = piece.to_vec();
        let length = if cut & (1 << number) != 0 { (cut >> 8) as usize % SEGMENT_BYTES } else { SEGMENT_BYTES };
        content.resize(length, 0);
        disk.set_contents(&segment(number as u64), &content);
    }
    let folder = Path::new("/data/journal");
    let reader = Reader::offline(Arc::new(disk.clone()), folder, OPTIONS);
    let mut buffer = Vec::new();
    for position in positions.iter().flat_map(|position| [*position, position % (3 * SEGMENT_BYTES as u64)]) {
        let _ = reader.read(position, &mut buffer);
        let _ = reader.head(position);
        let _ = reader.read_next(position >> 7, position, &mut buffer);
        assert!(buffer.capacity() <= BUFFER_BYTES_MAX, "{} bytes", buffer.capacity());
    }
    let mut scan = reader.scan_all();
    let mut scanned = Vec::new();
    while let Ok(Some(record)) = scan.next() {
        scanned.push((record.position, record.payload.to_vec()));
    }
    // What recovery keeps is what was there.
    if let Ok(opened) = open(Arc::new(disk), folder, OPTIONS, Place::start()) {
        let mut scan = opened.reader.scan_all();
        let mut kept = 0;
        while let Ok(Some(record)) = scan.next() {
            assert_eq!(scanned.get(kept), Some(&(record.position, record.payload.to_vec())));
            kept += 1;
        }
    }
});
