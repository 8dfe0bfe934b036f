//! One row as bytes: 192 of them, little-endian, the last four a checksum of the others and of the row's number.

use ledger::row::{Flags, Links, Parent, Posted, Row, Status};

/// Bytes of a row.
pub const ROW_BYTES: usize = 192;
const CHECKSUM_AT: usize = ROW_BYTES - 4;

/// Writes a row over [`ROW_BYTES`] bytes.
pub fn encode(row: &Row, out: &mut [u8]) {
    let mut at = 0;
    let mut put = |bytes: &[u8]| {
        out[at..at + bytes.len()].copy_from_slice(bytes);
        at += bytes.len();
    };
    put(&row.nonce.to_le_bytes());
    put(&row.created_at.to_le_bytes());
    put(&row.effective_at.to_le_bytes());
    put(&row.record.to_le_bytes());
    put(&row.movement.to_le_bytes());
    put(&row.source.to_le_bytes());
    put(&row.destination.to_le_bytes());
    put(&row.currency.to_le_bytes());
    put(&row.amount.to_le_bytes());
    put(&row.precision.to_le_bytes());
    put(&row.parent.pack().to_le_bytes());
    put(&[row.status as u8, 0]);
    put(&row.flags.0.to_le_bytes());
    for posted in [row.source_after, row.destination_after] {
        put(&posted.credit.to_le_bytes());
        put(&posted.debit.to_le_bytes());
    }
    for links in [row.source_links, row.destination_links] {
        put(&links.previous.to_le_bytes());
        put(&links.skip.to_le_bytes());
    }
    out[at..CHECKSUM_AT].fill(0);
    let checksum = checksum(row.number, &out[..CHECKSUM_AT]);
    out[CHECKSUM_AT..ROW_BYTES].copy_from_slice(&checksum.to_le_bytes());
}

/// Reads the row of a number. `None` when the bytes are not that row.
pub fn decode(number: u64, bytes: &[u8; ROW_BYTES]) -> Option<Row> {
    let stored = u32::from_le_bytes(bytes[CHECKSUM_AT..].try_into().ok()?);
    if stored != checksum(number, &bytes[..CHECKSUM_AT]) {
        return None;
    }
    let mut from = Fields { bytes, at: 0 };
    Some(Row {
        number,
        nonce: u64::from_le_bytes(from.take()),
        created_at: i64::from_le_bytes(from.take()),
        effective_at: i64::from_le_bytes(from.take()),
        record: u64::from_le_bytes(from.take()),
        movement: u32::from_le_bytes(from.take()),
        source: u32::from_le_bytes(from.take()),
        destination: u32::from_le_bytes(from.take()),
        currency: u32::from_le_bytes(from.take()),
        amount: i128::from_le_bytes(from.take()),
        precision: u64::from_le_bytes(from.take()),
        parent: Parent::unpack(u64::from_le_bytes(from.take())),
        status: Status::of_number(from.take::<2>()[0])?,
        flags: Flags(u16::from_le_bytes(from.take())),
        source_after: from.posted(),
        destination_after: from.posted(),
        source_links: from.links(),
        destination_links: from.links(),
    })
}

struct Fields<'a> {
    bytes: &'a [u8; ROW_BYTES],
    at: usize,
}

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        self.at += N;
        self.bytes[self.at - N..self.at].try_into().expect("the slice has this length")
    }

    fn posted(&mut self) -> Posted {
        Posted { credit: i128::from_le_bytes(self.take()), debit: i128::from_le_bytes(self.take()) }
    }

    fn links(&mut self) -> Links {
        Links { previous: u64::from_le_bytes(self.take()), skip: u64::from_le_bytes(self.take()) }
    }
}

fn checksum(number: u64, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(number as u32);
    hasher.update(bytes);
    hasher.finalize()
}
