//! Recovery: whatever sectors of the last write survive, answered records are there, torn ones are cut for good, and
//! damage anywhere else is refused.

mod support;

use journal::disk::MemoryDisk;
use journal::open::OpenFault;
use journal::place::Place;
use journal::recover::Damage;
use support::{OPTIONS, group, open_all, open_from, open_knowing, read_all, segment};

/// The files of a journal with up to four segments.
type Image = Vec<Option<Vec<u8>>>;

fn image(disk: &MemoryDisk) -> Image {
    (0..4).map(|number| disk.contents(&segment(number))).collect()
}

fn disk_of(image: &Image, is_direct: bool) -> MemoryDisk {
    let disk = if is_direct { MemoryDisk::new() } else { MemoryDisk::buffered() };
    for (number, bytes) in image.iter().enumerate() {
        if let Some(bytes) = bytes {
            disk.set_contents(&segment(number as u64), bytes);
        }
    }
    disk
}

/// Appends groups with records of these lengths; gives the disk after all but the last group, and after all.
fn written(groups: &[&[usize]]) -> (Image, Image) {
    let disk = MemoryDisk::new();
    let mut appender = open_all(&disk).unwrap().appender;
    let mut before = image(&disk);
    for lengths in groups {
        before = image(&disk);
        appender.append(&mut group(appender.place(), lengths)).unwrap();
    }
    (before, image(&disk))
}

/// The sectors (segment, offset) in which two images differ.
fn changed_sectors(before: &Image, after: &Image) -> Vec<(usize, usize)> {
    let mut sectors = Vec::new();
    for (number, bytes) in after.iter().enumerate() {
        let Some(bytes) = bytes else { continue };
        let empty = vec![0; bytes.len()];
        let old = before[number].as_ref().unwrap_or(&empty);
        let differs = |offset: &usize| bytes[*offset..offset + 512] != old[*offset..offset + 512];
        sectors.extend((0..bytes.len()).step_by(512).filter(differs).map(|offset| (number, offset)));
    }
    sectors
}

/// `before` with some of the sectors of `after`.
fn mixed(before: &Image, after: &Image, sectors: &[(usize, usize)], chosen: u64) -> Image {
    let mut image = before.clone();
    for (index, (number, offset)) in sectors.iter().enumerate() {
        let target = image[*number].get_or_insert_with(|| vec![0; OPTIONS.segment_bytes as usize]);
        if chosen & (1 << index) != 0 {
            let source = after[*number].as_ref().expect("a changed sector is in a file");
            target[*offset..offset + 512].copy_from_slice(&source[*offset..offset + 512]);
        }
    }
    image
}

/// Opens every mixture of the sectors of the last group; appends the lost records again, and others.
fn check_torn(groups: &[&[usize]]) {
    let (before, after) = written(groups);
    let all = read_all(&open_all(&disk_of(&after, true)).unwrap().reader);
    let kept_min = all.len() - groups[groups.len() - 1].len();
    let sectors = changed_sectors(&before, &after);
    assert!((2..=11).contains(&sectors.len()), "{} sectors", sectors.len());
    for chosen in 0..1u64 << sectors.len() {
        let disk = disk_of(&mixed(&before, &after, &sectors, chosen), chosen % 2 == 0);
        let opened = open_all(&disk).unwrap_or_else(|fault| panic!("mixture {chosen:b} is refused: {fault}"));
        let records = read_all(&opened.reader);
        assert!(records.len() >= kept_min && records[..] == all[..records.len()], "mixture {chosen:b}");
        let is_whole = chosen + 1 == 1 << sectors.len();
        assert!(!is_whole || (records.len() == all.len() && opened.cut_bytes == 0));
        let mut appender = opened.appender;
        let lost = groups[groups.len() - 1].get(records.len() - kept_min).copied().unwrap_or(100);
        // The record that was lost, alone: had the torn ones behind it stayed, they would follow from it.
        let place = appender.append(&mut group(appender.place(), &[lost])).unwrap();
        drop(appender);
        let opened = open_all(&disk).unwrap();
        assert_eq!((opened.tail, opened.cut_bytes), (place, 0), "mixture {chosen:b}: a torn record came back");
        assert_eq!(read_all(&opened.reader).len(), records.len() + 1);
    }
}

#[test]
fn torn_in_any_sectors() {
    check_torn(&[&[100, 200], &[700, 50, 300, 1200, 60, 10, 900, 900]]);
}

#[test]
fn torn_in_the_first_group() {
    check_torn(&[&[700, 50, 300, 1200, 60]]);
}

#[test]
fn torn_where_a_segment_begins() {
    check_torn(&[&[100], &[60_000, 4950], &[300, 20, 700, 700, 1000]]);
}

#[test]
fn torn_small_records() {
    check_torn(&[&[300], &[0, 1, 7, 8, 9, 16, 33, 64, 80, 100, 200, 300, 20, 20, 20, 20, 20, 20, 20, 500, 1, 1, 1, 1]]);
}

/// What opening an image with one changed byte came to.
fn flipped(image: &Image, number: usize, offset: usize, from: Place) -> Result<usize, OpenFault> {
    let mut image = image.clone();
    if let Some(bytes) = &mut image[number] {
        bytes[offset] ^= 1 << (offset % 8);
    }
    let disk = disk_of(&image, true);
    match open_from(&disk, from) {
        Ok(opened) => Ok(read_all(&opened.reader).len()),
        Err(fault) => {
            assert_eq!(image[number], disk.contents(&segment(number as u64)), "what is refused is not changed");
            Err(fault)
        }
    }
}

/// Proves that no byte can change unseen: before the last group it is refused, in it the group is cut, and with a
/// checkpoint after it that is refused too.
#[test]
fn every_byte_counts() {
    let groups: [&[usize]; 4] = [&[100, 30], &[300], &[5, 200, 0], &[250, 31]];
    let (_, after) = written(&groups);
    let opened = open_all(&disk_of(&after, true)).unwrap();
    let tail = opened.tail;
    let mut scan = opened.reader.scan_all();
    let mut last_group = 0;
    while let Some(scanned) = scan.next().unwrap() {
        if scanned.seq == 7 {
            last_group = scanned.position as usize;
        }
    }
    for offset in 0..tail.position as usize {
        let result = flipped(&after, 0, offset, Place::start());
        match result {
            // The header of a segment is written with its first group; what is whole behind it tells that it was durable.
            Err(OpenFault::Damaged { .. }) if offset < last_group => {}
            Ok(6 | 7) if offset >= last_group => {}
            other => panic!("byte {offset}: {other:?}"),
        }
        let result = flipped(&after, 0, offset, tail);
        assert!(matches!(result, Err(OpenFault::Damaged { .. })), "byte {offset} before a checkpoint: {result:?}");
    }
}

/// Proves that damage in the last group is no torn group for whoever knows that it was durable, by its place or by its position alone,
/// wherever verifying begins; and that nothing is changed then.
#[test]
fn the_last_group_counts_when_it_is_known() {
    for groups in [&[&[100, 30][..], &[300], &[250, 31]][..], &[&[40_000], &[30_000]], &[&[250, 31]]] {
        let (before, after) = written(groups);
        let place = |image: &Image| open_all(&disk_of(image, true)).unwrap().tail;
        let (earlier, tail) = (place(&before), place(&after));
        let number = (tail.position - 1) / OPTIONS.segment_bytes;
        let last = after[number as usize].as_ref().unwrap().iter().rposition(|byte| *byte != 0).unwrap();
        let mut image = after.clone();
        image[number as usize].as_mut().unwrap()[last] ^= 1;
        for (reached, until) in [(tail, 0), (earlier, tail.position), (Place::start(), tail.position)] {
            let disk = disk_of(&image, true);
            let refused = open_knowing(&disk, reached, until).map(|opened| opened.tail).expect_err("it is damaged");
            assert!(matches!(refused, OpenFault::Damaged { damage: Damage::BeforeDurable, .. }), "{refused}");
            assert_eq!(disk.contents(&segment(number)), image[number as usize]);
            assert_eq!(open_knowing(&disk_of(&after, true), reached, until).unwrap().tail, tail);
        }
        for (reached, until) in [(earlier, 0), (earlier, earlier.position), (Place::start(), 0)] {
            assert!(open_knowing(&disk_of(&image, true), reached, until).unwrap().cut_bytes > 0);
        }
        let other = Place { chain: [1; 32], ..tail };
        let refused =
            open_knowing(&disk_of(&after, true), other, 0).map(|opened| opened.tail).expect_err("it is another");
        assert!(matches!(refused, OpenFault::Damaged { damage: Damage::OtherHistory, .. }), "{refused}");
    }
}

/// Proves that nothing in a segment before the last can change, the zeros at its end included.
#[test]
fn every_byte_of_a_finished_segment_counts() {
    let (_, after) = written(&[&[30_000], &[30_000], &[3000, 3000]]);
    for offset in (0..65_536).step_by(61).chain(60_100..60_300).chain(65_400..65_536) {
        let result = flipped(&after, 0, offset, Place::start());
        assert!(matches!(result, Err(OpenFault::Damaged { .. })), "byte {offset}: {result:?}");
    }
}

/// Proves that bytes after the tail are cut, not taken for records, and not left.
#[test]
fn bytes_after_the_tail_are_cut() {
    let (_, after) = written(&[&[100, 200]]);
    let tail = open_all(&disk_of(&after, true)).unwrap().tail;
    for offset in (tail.position as usize..65_536).step_by(487) {
        let mut image = after.clone();
        image[0].as_mut().unwrap()[offset] = 1;
        let disk = disk_of(&image, true);
        let opened = open_all(&disk).unwrap();
        assert_eq!((opened.tail, read_all(&opened.reader).len()), (tail, 2));
        assert!(opened.cut_bytes > 0);
        assert_eq!(disk.contents(&segment(0)), after[0]);
    }
}

/// Proves that what a write that failed left far behind the tail is cut whenever it comes to light, and not taken for records that
/// follow: others were written in its place.
#[test]
fn what_an_earlier_group_left_is_cut() {
    let disk = MemoryDisk::new();
    let mut appender = open_all(&disk).unwrap().appender;
    appender.append(&mut group(appender.place(), &[100])).unwrap();
    let before = image(&disk);
    let tail = open_all(&disk).unwrap().tail;
    // Three records in one group; of the write only the sectors of the last one are left.
    appender.append(&mut group(tail, &[3000, 3000, 3000])).unwrap();
    let last = 128 + 168 + 2 * 3064;
    let left = image(&disk)[0].as_ref().unwrap()[last..last + 3064].to_vec();
    for count in 0..5 {
        let disk = disk_of(&before, true);
        let mut appender = open_all(&disk).unwrap().appender;
        for _ in 0..count {
            appender.append(&mut group(appender.place(), &[200])).unwrap();
        }
        let expected = image(&disk);
        let mut torn = expected.clone();
        torn[0].as_mut().unwrap()[last..last + 3064].copy_from_slice(&left);
        let disk = disk_of(&torn, true);
        let opened = open_all(&disk).unwrap();
        assert_eq!(read_all(&opened.reader).len(), 1 + count);
        assert_eq!(disk.contents(&segment(0)), expected[0]);
    }
}

fn damage(image: &Image, from: Place) -> Option<Damage> {
    match open_from(&disk_of(image, true), from) {
        Err(OpenFault::Damaged { damage, .. }) => Some(damage),
        _ => None,
    }
}

/// Proves that whole files that are lost, cut, emptied or swapped are seen.
#[test]
fn lost_files() {
    let (_, after) = written(&[&[40_000], &[40_000], &[40_000], &[100]]);
    let tail = open_all(&disk_of(&after, true)).unwrap().tail;
    let start = Place::start();
    for (number, expected) in [(0, Damage::SegmentMissing), (1, Damage::SegmentMissing)] {
        let mut lost = after.clone();
        lost[number] = None;
        assert_eq!(damage(&lost, start), Some(expected));
        let mut short = after.clone();
        short[number].as_mut().unwrap().truncate(50_000);
        assert_eq!(damage(&short, start), Some(Damage::WrongLength));
        let mut empty = after.clone();
        empty[number].as_mut().unwrap().fill(0);
        assert_eq!(damage(&empty, start), Some(Damage::LaterSegment));
    }
    // Without its last segment a journal looks like a shorter one: only a checkpoint can tell.
    let mut lost = after.clone();
    lost[2] = None;
    assert_eq!(damage(&lost, start), None);
    assert_eq!(damage(&lost, tail), Some(Damage::SegmentMissing));
    lost[1].as_mut().unwrap().fill(0);
    assert!(damage(&lost, tail).is_some());
    let mut swapped = after.clone();
    swapped.swap(0, 1);
    assert!(damage(&swapped, start).is_some());
    let mut doubled = after.clone();
    doubled[3] = doubled[2].clone();
    assert!(damage(&doubled, start).is_some());
}

/// Proves that a checkpoint of another history, or of a longer one, is not accepted.
#[test]
fn other_checkpoints() {
    let (before, after) = written(&[&[100], &[200], &[300]]);
    let tail = open_all(&disk_of(&after, true)).unwrap().tail;
    assert_eq!(damage(&before, tail), Some(Damage::BeforeDurable));
    assert_eq!(damage(&after, Place { chain: [1; 32], ..tail }), Some(Damage::OtherHistory));
    assert_eq!(damage(&after, Place { seq: 2, ..tail }), Some(Damage::OtherHistory));
    assert!(damage(&vec![None; 4], tail).is_some());
}

/// Proves that a record that was replaced by another whole one, checksums and all, is seen by the chain, in the last
/// group too.
#[test]
fn replaced_records() {
    let (_, one) = written(&[&[100], &[100], &[8]]);
    let (_, other) = written(&[&[100], &[101], &[8]]);
    for (begin, end) in [(128 + 168, 128 + 168 + 168), (128 + 336, 128 + 336 + 72)] {
        let mut image = one.clone();
        let source = other[0].as_ref().unwrap()[begin..end].to_vec();
        image[0].as_mut().unwrap()[begin..end].copy_from_slice(&source);
        assert_eq!(damage(&image, Place::start()), Some(Damage::OtherRecord));
    }
}

/// Proves that another version is told as such and left alone.
#[test]
fn other_version() {
    let (_, after) = written(&[&[100]]);
    let mut image = after.clone();
    let bytes = image[0].as_mut().unwrap();
    bytes[12] = 9;
    let checksum = crc32fast::hash(&bytes[12..128]);
    bytes[8..12].copy_from_slice(&checksum.to_le_bytes());
    let disk = disk_of(&image, true);
    assert!(matches!(open_all(&disk), Err(OpenFault::Version { version: 9, .. })));
    assert_eq!(disk.contents(&segment(0)), image[0]);
}

/// Proves that a message names the file, the place and what to do.
#[test]
fn message_says_what_to_do() {
    let (_, after) = written(&[&[100], &[200], &[300]]);
    let Err(fault) = flipped(&after, 0, 200, Place::start()) else { panic!("damage is refused") };
    let message = fault.to_string();
    for part in ["00000000000000000000.seg", "byte 128", "seq 1", "florin inspect", "restore from a backup"] {
        assert!(message.contains(part), "{message}");
    }
}

/// Proves that a segment of another history is seen where nothing but its header tells: after one that is full to its
/// last byte, and at the very start.
#[test]
fn segments_of_another_history() {
    let half = (65_536 - 128) / 2 - 64;
    let (_, one) = written(&[&[half, half], &[100], &[100]]);
    let (_, other) = written(&[&[half - 8, half + 8], &[100], &[100]]);
    let mixture = vec![one[0].clone(), other[1].clone(), None, None];
    assert_eq!(damage(&mixture, Place::start()), Some(Damage::LaterSegment));
}
