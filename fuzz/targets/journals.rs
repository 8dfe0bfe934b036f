//! A journal that was written, then changed here and there: recovery refuses it or keeps records from the front, as they were; no
//! reading ever serves a changed one.

#![no_main]

use journal::disk::MemoryDisk;
use journal::group::Group;
use journal::open::{Options, open};
use journal::place::Place;
use journal::reader::Reader;
use libfuzzer_sys::fuzz_target;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

const SEGMENT_BYTES: usize = 64 << 10;
const OPTIONS: Options = Options { segment_bytes: SEGMENT_BYTES as u64, record_bytes_max: 60 << 10 };
const SEGMENTS: u64 = 2;
/// Lengths of the records, group by group: small ones, one that crosses blocks, one that crosses segments.
const GROUPS: [&[usize]; 5] = [&[100, 2000, 5], &[30_000], &[40, 33_000, 200], &[10], &[300, 900]];
/// Changes of one input.
const CHANGES_MAX: usize = 8;

/// What is changed in the files.
struct Change {
    /// In which segment, and around which record or anywhere.
    segment: u8,
    record: u8,
    offset: u16,
    what: What,
}

enum What {
    Byte(u8),
    Bit(u8),
    Fill(u8, u16),
    Copy {
        from: u16,
        count: u16,
    },
    Put([u8; 4]),
    /// The segment ends here.
    Cut,
    /// The other segment lies here too.
    Twin,
}

/// Bytes of an input that say one change.
const CHANGE_BYTES: usize = 11;

fn change_of(bytes: &[u8]) -> Change {
    let pair = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
    let what = match bytes[4] % 8 {
        0 => What::Byte(bytes[5]),
        1 => What::Bit(bytes[5]),
        2 => What::Fill(bytes[5], pair(6)),
        3 => What::Copy { from: pair(6), count: pair(8) },
        4 | 5 => What::Put([bytes[6], bytes[7], bytes[8], bytes[9]]),
        6 => What::Cut,
        _ => What::Twin,
    };
    Change { segment: bytes[0], record: bytes[1], offset: pair(2), what }
}

struct Written {
    segments: Vec<Vec<u8>>,
    records: Vec<Vec<u8>>,
    positions: Vec<u64>,
}

fn folder() -> &'static Path {
    Path::new("/data/journal")
}

fn segment(number: u64) -> PathBuf {
    folder().join(format!("{number:020}.seg"))
}

static WRITTEN: LazyLock<Written> = LazyLock::new(|| {
    let disk = MemoryDisk::new();
    let mut opened =
        open(Arc::new(disk.clone()), folder(), OPTIONS, Place::start()).expect("an empty folder can be opened");
    for lengths in GROUPS {
        let place = opened.appender.place();
        let mut group = Group::new(place.seq, place.position, OPTIONS.segment_bytes).with_record_bytes_max(60 << 10);
        for length in lengths {
            let seq = group.next_seq();
            let payload: Vec<u8> =
                (0..*length).map(|index| (seq as usize * 31 + index * 7 + index / 251) as u8).collect();
            group.push(|bytes| bytes.extend_from_slice(&payload)).expect("the record is within the limit");
        }
        opened.appender.append(&mut group).expect("memory takes it");
    }
    let (mut records, mut positions) = (Vec::new(), Vec::new());
    let mut scan = opened.reader.scan_all();
    while let Some(scanned) = scan.next().expect("it was just written") {
        positions.push(scanned.position);
        records.push(scanned.payload.to_vec());
    }
    let segments = (0..SEGMENTS).map(|number| disk.contents(&segment(number)).expect("it was written")).collect();
    Written { segments, records, positions }
});

fn change(segments: &mut [Vec<u8>], change: &Change) {
    let number = usize::from(change.segment) % segments.len();
    // Heads are where lengths, numbers and sums are.
    let base = match WRITTEN.positions.get(usize::from(change.record)) {
        Some(position) => *position as usize % SEGMENT_BYTES,
        None => 0,
    };
    let other = segments[(number + 1) % segments.len()].clone();
    let bytes = &mut segments[number];
    let at = (base + usize::from(change.offset)) % SEGMENT_BYTES;
    if at >= bytes.len() {
        return;
    }
    let room = bytes.len() - at;
    match &change.what {
        What::Byte(byte) => bytes[at] = *byte,
        What::Bit(bit) => bytes[at] ^= 1 << (bit % 8),
        What::Fill(byte, count) => bytes[at..at + room.min(usize::from(*count))].fill(*byte),
        What::Copy { from, count } => {
            let from = usize::from(*from) % bytes.len();
            let count = usize::from(*count).min(room).min(bytes.len() - from);
            bytes.copy_within(from..from + count, at);
        }
        What::Put(put) => {
            let count = put.len().min(room);
            bytes[at..at + count].copy_from_slice(&put[..count]);
        }
        What::Cut => bytes.truncate(at),
        What::Twin => *bytes = other,
    }
}

fuzz_target!(|input: &[u8]| {
    let written = &*WRITTEN;
    let mut segments = written.segments.clone();
    for one in input.chunks_exact(CHANGE_BYTES).take(CHANGES_MAX) {
        change(&mut segments, &change_of(one));
    }
    let disk = MemoryDisk::new();
    for (number, bytes) in segments.iter().enumerate() {
        disk.set_contents(&segment(number as u64), bytes);
    }
    let reader = Reader::offline(Arc::new(disk.clone()), folder(), OPTIONS);
    let mut buffer = Vec::new();
    for (index, position) in written.positions.iter().enumerate() {
        if reader.read(*position, &mut buffer).is_ok() {
            assert_eq!(buffer, written.records[index], "a changed record was served");
        }
    }
    let mut scan = reader.scan_all();
    let mut count = 0;
    while let Ok(Some(scanned)) = scan.next() {
        assert_eq!(Some(scanned.payload), written.records.get(count).map(Vec::as_slice), "a changed record was served");
        count += 1;
    }
    if let Ok(opened) = open(Arc::new(disk), folder(), OPTIONS, Place::start()) {
        let mut scan = opened.reader.scan_all();
        let mut kept = 0;
        while let Some(scanned) = scan.next().expect("what recovery keeps can be read") {
            assert_eq!(
                Some(scanned.payload),
                written.records.get(kept).map(Vec::as_slice),
                "a changed record was kept"
            );
            kept += 1;
        }
    }
});
