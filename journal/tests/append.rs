//! Appending and reading back: in memory, on a real disk, across segments, with every kind of limit.

mod support;

use journal::disk::{Disk, MemoryDisk, RealDisk};
use journal::group::{Group, Pushed};
use journal::open::{OpenFault, Options, open};
use journal::place::Place;
use journal::reader::{ReadFault, Reader};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use support::{OPTIONS, folder, group, open_all, open_from, payload, read_all};

/// A folder on the real disk that is gone when the test is.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        Scratch(std::env::temp_dir().join(format!("florin-journal-{}-{number}", std::process::id())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn round_trip(disk: Arc<dyn Disk>, folder: &std::path::Path) -> bool {
    let mut expected = Vec::new();
    let mut place = Place::start();
    let mut is_direct = false;
    for round in 0..6 {
        let opened = open(disk.clone(), folder, OPTIONS, Place::start()).expect("a whole journal opens");
        assert_eq!(opened.tail, place);
        assert_eq!(read_all(&opened.reader), expected);
        let mut appender = opened.appender;
        is_direct = appender.is_direct();
        for length in [0, 1, 8, 200, 5000, 20_000 + round] {
            let mut group = group(appender.place(), &[length, 300, length]);
            expected.extend((0..3).map(|index| group.payload(index).to_vec()));
            place = appender.append(&mut group).expect("there is room");
            assert_eq!(place, appender.place());
            assert_eq!((place.seq, place.position), (group.next_seq(), group.next_position()));
        }
        assert_eq!(read_all(&opened.reader), expected);
    }
    is_direct
}

#[test]
fn round_trip_in_memory() {
    assert!(round_trip(Arc::new(MemoryDisk::new()), folder()));
}

#[test]
fn round_trip_without_direct_writes() {
    assert!(!round_trip(Arc::new(MemoryDisk::buffered()), folder()));
}

#[test]
fn round_trip_on_a_real_disk() {
    let scratch = Scratch::new();
    round_trip(Arc::new(RealDisk::new()), &scratch.0.join("deep/journal"));
}

/// Proves that pushing tells the position at which a record will stand, across segments too.
#[test]
fn pushed_positions_are_where_records_stand() {
    let disk = MemoryDisk::new();
    let opened = open_all(&disk).unwrap();
    let mut appender = opened.appender;
    let mut group = Group::new(1, 0, OPTIONS.segment_bytes).with_record_bytes_max(OPTIONS.record_bytes_max);
    let mut all: Vec<(Pushed, Vec<u8>)> = Vec::new();
    for turn in 0..9u64 {
        for step in 0..turn {
            let record = payload(turn * 10 + step, (turn * 3001 + step * 501) as usize % 30_000);
            let pushed = group.push(|bytes| bytes.extend_from_slice(&record)).unwrap();
            all.push((pushed, record));
        }
        let place = appender.append(&mut group).unwrap();
        group.reset(place.seq, place.position);
    }
    assert!(appender.place().position > 3 * OPTIONS.segment_bytes, "the test crosses segments");
    let mut buffer = Vec::new();
    for (pushed, record) in &all {
        let read = opened.reader.read(pushed.position, &mut buffer).unwrap();
        assert_eq!((read.head.seq, read.position), (pushed.seq, pushed.position));
        assert_eq!(&buffer, record);
    }
    assert_eq!(read_all(&opened.reader), all.iter().map(|(_, record)| record.clone()).collect::<Vec<_>>());
}

/// Proves that one group may span many segments, and that each place on the way can be opened from.
#[test]
fn group_crosses_segments() {
    for lengths in [vec![30_000; 11], vec![60 << 10; 4], vec![65_536 - 128 - 64 - 4096; 3], vec![21_760; 7]] {
        let disk = MemoryDisk::new();
        let mut appender = open_all(&disk).unwrap().appender;
        appender.append(&mut group(Place::start(), &[10])).unwrap();
        appender.append(&mut group(appender.place(), &lengths)).unwrap();
        appender.append(&mut group(appender.place(), &[10])).unwrap();
        let tail = appender.place();
        drop(appender);
        let opened = open_all(&disk).unwrap();
        assert_eq!((opened.tail, opened.cut_bytes), (tail, 0));
        assert_eq!(read_all(&opened.reader).len(), lengths.len() + 2);
        let mut places = vec![Place::start()];
        let mut scan = opened.reader.scan_all();
        while let Some(scanned) = scan.next().unwrap() {
            places.push(scanned.after);
        }
        for (index, place) in places.iter().enumerate() {
            let opened = open_from(&disk, *place).unwrap();
            assert_eq!(opened.tail, tail);
            let mut scan = opened.reader.scan(*place);
            for seq in index..lengths.len() + 2 {
                assert_eq!(scan.next().unwrap().unwrap().seq, seq as u64 + 1);
            }
            assert!(scan.next().unwrap().is_none());
        }
    }
}

/// Proves that a segment can be filled to its last byte, and the journal opened and continued from there.
#[test]
fn segment_filled_to_the_last_byte() {
    let disk = MemoryDisk::new();
    let mut appender = open_all(&disk).unwrap().appender;
    let rest = 65_536 - 128;
    appender.append(&mut group(Place::start(), &[rest / 2 - 64, rest / 2 - 64])).unwrap();
    assert_eq!(appender.place().position, OPTIONS.segment_bytes);
    let tail = appender.place();
    drop(appender);
    for from in [Place::start(), tail] {
        assert_eq!(open_from(&disk, from).unwrap().tail, tail);
    }
    let mut opened = open_all(&disk).unwrap();
    opened.appender.append(&mut group(tail, &[100])).unwrap();
    drop(opened.appender);
    assert_eq!(read_all(&open_from(&disk, tail).unwrap().reader).len(), 3);
}

/// Proves that a record over the limit changes nothing in its group.
#[test]
fn too_large_leaves_the_group_as_it_was() {
    let mut group = Group::new(5, 640, OPTIONS.segment_bytes).with_record_bytes_max(1000);
    group.push(|bytes| bytes.extend_from_slice(&[7; 1000])).unwrap();
    let before = (group.next_seq(), group.next_position(), group.bytes_count(), group.records_count());
    let fault = group.push(|bytes| bytes.extend_from_slice(&[7; 1001])).unwrap_err();
    assert_eq!((fault.bytes, fault.bytes_max), (1001, 1000));
    assert_eq!(before, (group.next_seq(), group.next_position(), group.bytes_count(), group.records_count()));
    let pushed = group.push(|bytes| bytes.push(1)).unwrap();
    assert_eq!((pushed.seq, pushed.position), (before.0, before.1));
    let mut group = Group::new(1, 0, OPTIONS.segment_bytes);
    assert!(group.push(|bytes| bytes.resize(bytes.len() + (64 << 10) - 4096, 1)).is_ok());
    assert!(group.push(|bytes| bytes.resize(bytes.len() + (64 << 10) - 4095, 1)).is_err());
}

/// Proves that a scan that came to the end goes on when there is more, and never looks past the tail.
#[test]
fn scan_follows_the_tail() {
    let disk = MemoryDisk::new();
    let mut opened = open_all(&disk).unwrap();
    let mut scan = opened.reader.scan_all();
    for turn in 0..300 {
        assert!(scan.next().unwrap().is_none());
        let place = opened.appender.append(&mut group(opened.appender.place(), &[turn, 900])).unwrap();
        assert_eq!(scan.next().unwrap().unwrap().payload.len(), turn);
        assert_eq!(scan.next().unwrap().unwrap().after, place);
    }
}

#[test]
fn reading_where_no_record_begins() {
    let disk = MemoryDisk::new();
    let mut opened = open_all(&disk).unwrap();
    opened.appender.append(&mut group(Place::start(), &[100, 100])).unwrap();
    let tail = opened.appender.place().position;
    let mut buffer = vec![1, 2, 3];
    for position in [tail, tail + 8, OPTIONS.segment_bytes, u64::MAX - 4096, u64::MAX] {
        assert!(matches!(opened.reader.read(position, &mut buffer), Err(ReadFault::NoRecord { .. })), "{position}");
    }
    for position in [129, 136, 192, 300] {
        assert!(opened.reader.read(position, &mut buffer).is_err());
        assert_eq!(opened.reader.head(position).unwrap(), None);
    }
    for position in [0, 8, tail, OPTIONS.segment_bytes, u64::MAX - 4096, u64::MAX] {
        assert_eq!(opened.reader.head(position).unwrap(), None, "{position} is not exactly where a record begins");
    }
    let first = opened.reader.read(0, &mut buffer).unwrap();
    assert_eq!((first.head.seq, first.position), (1, 128));
    assert_eq!(opened.reader.head(128).unwrap(), Some(first.head));
    assert!(opened.reader.read_next(2, 0, &mut buffer).is_err(), "the record there has another seq");
    assert!(opened.reader.read_next(3, tail, &mut buffer).is_err(), "nothing follows yet");
}

#[test]
fn impossible_sizes_are_refused() {
    for (segment_bytes, record_bytes_max) in [(4096, 100), (65_537, 100), (65_536, 65_536 - 4095), (u64::MAX, 1)] {
        let options = Options { segment_bytes, record_bytes_max };
        let result = open(Arc::new(MemoryDisk::new()), folder(), options, Place::start());
        assert!(matches!(result, Err(OpenFault::Options { .. })), "{options:?}");
    }
}

/// Proves that a limit or a size that changed is told as such and never taken for damage, which could be cut.
#[test]
fn changed_sizes_are_told() {
    let disk = MemoryDisk::new();
    let mut opened = open_all(&disk).unwrap();
    opened.appender.append(&mut group(Place::start(), &[5000])).unwrap();
    drop(opened.appender);
    let before = disk.contents(&support::segment(0));
    let lower = Options { record_bytes_max: 4999, ..OPTIONS };
    let result = open(Arc::new(disk.clone()), folder(), lower, Place::start());
    assert!(matches!(result, Err(OpenFault::OverLimit { bytes: 5000, .. })));
    let other = Options { segment_bytes: 128 << 10, ..OPTIONS };
    let result = open(Arc::new(disk.clone()), folder(), other, Place::start());
    assert!(matches!(result, Err(OpenFault::SegmentSize { segment_bytes: 65_536, .. })));
    assert_eq!(disk.contents(&support::segment(0)), before);
}

/// Proves that an offline reader finds the end by itself and changes nothing.
#[test]
fn offline_reader() {
    let disk = MemoryDisk::new();
    let mut opened = open_all(&disk).unwrap();
    opened.appender.append(&mut group(Place::start(), &[50_000, 50_000, 10])).unwrap();
    drop(opened);
    let operations = disk.operations();
    let reader = Reader::offline(Arc::new(disk.clone()), folder(), OPTIONS);
    assert_eq!(read_all(&reader).len(), 3);
    assert_eq!(disk.operations(), operations);
}

/// Proves that on a real disk other threads find each record as soon as it was answered, though it was written past the
/// cache that they read through, into blocks that they have read before.
#[test]
fn readers_follow_on_a_real_disk() {
    const GROUPS: u64 = 600;
    let scratch = Scratch::new();
    let mut opened = open(Arc::new(RealDisk::new()), &scratch.0, OPTIONS, Place::start()).unwrap();
    let answered = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let mut scan = opened.reader.scan_all();
            let (reader, answered) = (opened.reader.clone(), &answered);
            scope.spawn(move || {
                let mut buffer = Vec::new();
                let mut seq = 0;
                while seq < 2 * GROUPS {
                    let known = answered.load(Ordering::Acquire);
                    while let Some(scanned) = scan.next().expect("what was answered can be read") {
                        seq += 1;
                        assert_eq!(scanned.payload, payload(seq, (seq % 700) as usize));
                        reader.read(scanned.position, &mut buffer).expect("what was scanned can be read");
                    }
                    assert!(seq >= known, "record {known} was answered and is not seen after {seq}");
                    std::thread::yield_now();
                }
            });
        }
        for turn in 0..GROUPS {
            let lengths = [((2 * turn + 1) % 700) as usize, ((2 * turn + 2) % 700) as usize];
            let place = opened.appender.append(&mut group(opened.appender.place(), &lengths)).unwrap();
            answered.store(place.seq - 1, Ordering::Release);
        }
    });
}
