use super::*;
use journal::disk::MemoryDisk;
use ledger::event::NO_BALANCE;
use ledger::row::{Flags, Links, Parent, Posted, Status};

fn row(number: u64) -> Row {
    Row {
        number,
        nonce: number * 7,
        created_at: 1_700_000_000_000_000 + number as i64,
        effective_at: -5,
        record: number << 9,
        movement: 3,
        source: 4,
        destination: NO_BALANCE,
        currency: 2,
        amount: -(number as i128) << 70,
        precision: 100,
        parent: Parent::Batch(number),
        status: Status::Void,
        flags: Flags::REFUND.with(Flags::INFLIGHT),
        source_after: Posted { credit: 1, debit: i128::MAX },
        destination_after: Posted { credit: i128::MIN, debit: 2 },
        source_links: Links { previous: 1, skip: 2 },
        destination_links: Links::NONE,
    }
}

#[test]
fn rows_are_read_back_from_memory_and_from_the_file() {
    let disk = MemoryDisk::new();
    let folder = Path::new("tables");
    let count = (CHUNK_ROWS * (CHUNKS_KEPT + 3) + 10) as u64;
    let rows = Rows::open(&disk, folder, 0).expect("opens").expect("none are asked for");
    let all: Vec<Row> = (0..count).map(row).collect();
    for some in all.chunks(1000) {
        rows.push(some);
    }
    rows.make_durable(count).expect("the disk works");
    for number in [0, 1, CHUNK_ROWS as u64 - 1, CHUNK_ROWS as u64, count / 2, count - 11, count - 1] {
        assert_eq!(rows.get(number).expect("no fault"), Some(row(number)), "{number}");
    }
    assert_eq!(rows.get(count).expect("no fault"), None);
    drop(rows);
    for again in [count, count - 10, 5] {
        let rows = Rows::open(&disk, folder, again).expect("opens").expect("they are there");
        assert_eq!(rows.len(), again);
        assert_eq!(rows.get(again - 1).expect("no fault"), Some(row(again - 1)));
        assert_eq!(rows.get(again).expect("no fault"), None);
    }
}

#[test]
fn a_file_with_too_few_rows_is_refused() {
    let disk = MemoryDisk::new();
    let folder = Path::new("tables");
    let rows = Rows::open(&disk, folder, 0).expect("opens").expect("none are asked for");
    rows.push(&[row(0), row(1)]);
    rows.make_durable(2).expect("the disk works");
    drop(rows);
    assert!(Rows::open(&disk, folder, 5000).expect("opens").is_none());
    let path = folder.join(FILE_NAME);
    let mut bytes = disk.contents(&path).expect("it is there");
    bytes[ROW_BYTES + 5] ^= 1;
    disk.set_contents(&path, &bytes);
    assert!(Rows::open(&disk, folder, 2).expect("opens").is_none(), "a damaged row is not taken for a row");
}

/// Whoever walks over rows, from one to the next or in steps of any size, finds what is found one by one.
#[test]
fn a_walk_finds_the_rows() {
    let disk = MemoryDisk::new();
    let folder = Path::new("tables");
    // Rows that are only in the file, in full chunks in memory, and in the open chunk.
    let count = (CHUNK_ROWS * (CHUNKS_KEPT + 2) + 300) as u64;
    let rows = Rows::open(&disk, folder, 0).expect("opens").expect("none are asked for");
    for first in (0..count).step_by(1000) {
        rows.push(&(first..count.min(first + 1000)).map(row).collect::<Vec<Row>>());
    }
    rows.make_durable(count - count % CHUNK_ROWS as u64).expect("the disk works");
    for step in [1, 2, 63, 64, 65, 1_000, 1_024, 5_000, CHUNK_ROWS as u64] {
        let (mut up, mut down) = (rows.walk(), rows.walk());
        assert!(up.here().is_none());
        for at in (0..count).step_by(step as usize) {
            for (walk, number) in [(&mut up, at), (&mut down, count - 1 - at)] {
                assert_eq!(walk.get(number).expect("no fault"), Some(&row(number)), "{number} in steps of {step}");
                assert_eq!(walk.here(), Some(&row(number)));
            }
        }
    }
    let mut walk = rows.walk();
    for number in [count - 1, count, count + 1, count + 70, u64::MAX] {
        assert_eq!(walk.get(number).expect("no fault").is_some(), number < count, "{number}");
    }
    // What was not there yet is seen when it is.
    rows.push(&[row(count), row(count + 1)]);
    for number in [count + 1, count, count - 1] {
        assert_eq!(walk.get(number).expect("no fault"), Some(&row(number)), "{number}");
    }
}

#[test]
fn a_walk_tells_damage_of_the_row_that_is_damaged() {
    let disk = MemoryDisk::new();
    let folder = Path::new("tables");
    let count = CHUNK_ROWS as u64;
    let rows = Rows::open(&disk, folder, 0).expect("opens").expect("none are asked for");
    rows.push(&(0..count).map(row).collect::<Vec<Row>>());
    drop(rows);
    let path = folder.join(FILE_NAME);
    let mut bytes = disk.contents(&path).expect("it is there");
    bytes[5 * ROW_BYTES + 9] ^= 1;
    disk.set_contents(&path, &bytes);
    let rows = Rows::open(&disk, folder, count).expect("opens").expect("they are there");
    let mut walk = rows.walk();
    assert_eq!(walk.get(7).expect("no fault"), Some(&row(7)));
    assert_eq!(walk.get(6).expect("it is whole"), Some(&row(6)), "read together with a damaged one");
    assert!(matches!(walk.get(5), Err(RowsFault::Damaged { row: 5, .. })));
    assert!(walk.here().is_none());
    assert_eq!(walk.get(4).expect("it is whole"), Some(&row(4)));
    assert_eq!(walk.get(2_000).expect("no fault"), Some(&row(2_000)));
}
