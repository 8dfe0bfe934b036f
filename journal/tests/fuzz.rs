//! Random and mutated bytes: no panic, no memory for a length that a disk made up, and what is read is what was written.

mod support;

use journal::disk::MemoryDisk;
use journal::open::{Options, open};
use journal::place::Place;
use journal::reader::Reader;
use std::sync::Arc;
use support::{OPTIONS, Random, folder, group, open_all, read_all, segment};

const ROUNDS: u64 = 1500;

fn base() -> (Vec<Vec<u8>>, Vec<Vec<u8>>, Vec<u64>) {
    let disk = MemoryDisk::new();
    let mut opened = open_all(&disk).unwrap();
    let groups: [&[usize]; 5] = [&[100, 2000, 5], &[30_000], &[40, 33_000, 200], &[10], &[300, 900]];
    for lengths in groups {
        let mut group = group(opened.appender.place(), lengths);
        opened.appender.append(&mut group).unwrap();
    }
    let mut positions = Vec::new();
    let mut scan = opened.reader.scan_all();
    while let Some(scanned) = scan.next().unwrap() {
        positions.push(scanned.position);
    }
    let segments = (0..2).map(|number| disk.contents(&segment(number)).unwrap()).collect();
    (segments, read_all(&opened.reader), positions)
}

/// Changes bytes in up to four places. True when it was one place, too narrow to destroy the last two groups.
fn mutate(segments: &mut [Vec<u8>], positions: &[u64], random: &mut Random) -> bool {
    let places = 1 + random.below(4);
    let mut is_narrow = places == 1;
    for _ in 0..places {
        let number = random.below(2) as usize;
        let bytes = &mut segments[number];
        let at = match random.below(3) {
            // Headers are where lengths and numbers are; a uniform choice would rarely hit them.
            0 => (positions[random.below(positions.len() as u64) as usize] % 65_536 + random.below(72)) as usize,
            1 => random.below(128) as usize,
            _ => random.below(65_536) as usize,
        };
        let kind = random.below(5);
        is_narrow &= kind != 2 && kind != 3;
        match kind {
            0 => bytes[at] = random.number() as u8,
            1 => bytes[at] ^= 1 << random.below(8),
            2 => bytes[at..(at + random.below(700) as usize).min(65_536)].fill(random.number() as u8),
            3 => {
                let from = random.below(60_000) as usize & !7;
                let count = (random.below(4000) as usize).min(65_536 - from.max(at));
                bytes.copy_within(from..from + count, at);
            }
            _ => {
                for byte in &mut bytes[at..(at + 40).min(65_536)] {
                    *byte = random.number() as u8;
                }
            }
        }
    }
    is_narrow
}

#[test]
fn mutated_journals() {
    let (segments, records, positions) = base();
    let mut refused = 0;
    for seed in 0..ROUNDS {
        let mut random = Random(seed);
        let mut mutated = segments.clone();
        let is_narrow = mutate(&mut mutated, &positions, &mut random);
        let disk = MemoryDisk::new();
        for (number, bytes) in mutated.iter().enumerate() {
            disk.set_contents(&segment(number as u64), bytes);
        }
        let reader = Reader::offline(Arc::new(disk.clone()), folder(), OPTIONS);
        let mut buffer = Vec::new();
        for (index, position) in positions.iter().enumerate() {
            if reader.read(*position, &mut buffer).is_ok() {
                assert_eq!(buffer, records[index], "seed {seed}");
            }
        }
        for _ in 0..20 {
            assert!(
                reader.read(random.number() >> random.below(60), &mut buffer).is_err() || records.contains(&buffer)
            );
            assert!(buffer.capacity() <= 256 << 10);
        }
        let mut scan = reader.scan_all();
        let mut count = 0;
        while let Ok(Some(scanned)) = scan.next() {
            assert!(scanned.payload == records[count], "seed {seed}");
            count += 1;
        }
        match open_all(&disk) {
            Ok(opened) => {
                let kept = read_all(&opened.reader);
                assert!(kept[..] == records[..kept.len()], "seed {seed}");
                assert!(!is_narrow || kept.len() >= records.len() - 2, "seed {seed}: more than the last group was cut");
            }
            Err(_) => refused += 1,
        }
    }
    assert!((ROUNDS / 3..ROUNDS).contains(&refused), "{refused} of {ROUNDS} refused: the mutations miss their target");
}

#[test]
fn random_bytes() {
    for seed in 0..300 {
        let mut random = Random(seed);
        let disk = MemoryDisk::new();
        for number in 0..1 + random.below(3) {
            let bytes: Vec<u8> = (0..65_536 / 8).flat_map(|_| random.number().to_le_bytes()).collect();
            disk.set_contents(&segment(number), &bytes);
        }
        let reader = Reader::offline(Arc::new(disk.clone()), folder(), OPTIONS);
        assert!(reader.scan_all().next().is_err());
        let mut buffer = Vec::new();
        for _ in 0..50 {
            let position = random.number() % (1 << 20);
            assert!(reader.read(position, &mut buffer).is_err());
            assert!(!matches!(reader.head(position), Ok(Some(_))), "{position}");
        }
        if let Ok(opened) = open_all(&disk) {
            assert_eq!(opened.tail, Place::start());
        }
    }
}

/// Proves that a whole header with a length over the limit costs no memory.
#[test]
fn lengths_are_checked_before_memory_is_spent() {
    let disk = MemoryDisk::new();
    let mut opened = open_all(&disk).unwrap();
    opened.appender.append(&mut group(Place::start(), &[60_000])).unwrap();
    let options = Options { record_bytes_max: 1000, ..OPTIONS };
    let reader = Reader::offline(Arc::new(disk.clone()), folder(), options);
    let mut buffer = Vec::new();
    assert!(reader.read(128, &mut buffer).is_err());
    assert!(buffer.capacity() < 2000);
    assert!(reader.scan_all().next().is_err());
    assert!(open(Arc::new(disk), folder(), options, Place::start()).is_err());
}
