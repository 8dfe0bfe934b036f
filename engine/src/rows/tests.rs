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
