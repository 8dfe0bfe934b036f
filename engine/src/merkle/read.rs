//! Reading the tree: nodes, leaves, roots and proofs.

use super::hash::{self, Hash, LeafData};
use super::leaf::{CurrencyMark, Leaf};
use super::tree::{self, Nodes};
use super::{BLOCK_LEAVES, BLOCK_LEVEL};
use crate::reading::{Books, BooksFault};
use journal::place::Place;
use journal::reader::ReadFault;
use ledger::event::Event;
use ledger::id::Id;
use ledger::row::Row;
use std::collections::VecDeque;
use std::sync::atomic::Ordering;

/// Blocks whose leaves a reader keeps: a proof of consistency goes through two.
const BLOCKS_KEPT: usize = 2;

/// Makes the leaves of rows; keeps its memory.
#[derive(Default)]
pub struct Blocks {
    currencies: Vec<CurrencyMark>,
    sides: Vec<[Option<Id>; 2]>,
    positions: Vec<u64>,
    chains: Vec<Option<Hash>>,
    leaves_waiting: Vec<LeafData>,
    hashes: Vec<Hash>,
}

impl Blocks {
    /// The root of a full block.
    pub fn root(&mut self, books: &Books, block: u64) -> Result<Hash, BooksFault> {
        self.load(books, block * BLOCK_LEAVES, BLOCK_LEAVES)?;
        Ok(hash::whole(&mut self.hashes))
    }

    /// The hashes of leaves from one on.
    fn leaves(&mut self, books: &Books, first: u64, count: u64) -> Result<Vec<Hash>, BooksFault> {
        self.load(books, first, count)?;
        Ok(std::mem::take(&mut self.hashes))
    }

    fn load(&mut self, books: &Books, first: u64, count: u64) -> Result<(), BooksFault> {
        self.leaves_waiting.clear();
        let mut next = first;
        while next < first + count {
            let run = books.rows.run(next).map_err(BooksFault::Rows)?;
            let most = usize::try_from(first + count - next).unwrap_or(usize::MAX);
            let rows = &run.rows()[..run.rows().len().min(most)];
            if rows.is_empty() {
                return Err(BooksFault::Row(next));
            }
            self.take(books, rows)?;
            next += rows.len() as u64;
        }
        self.hashes.clear();
        hash::leaves(&self.leaves_waiting, &mut self.hashes);
        Ok(())
    }

    fn take(&mut self, books: &Books, rows: &[Row]) -> Result<(), BooksFault> {
        self.sides.clear();
        books.sides(rows, &mut self.sides);
        self.positions.clear();
        self.positions.extend(rows.iter().map(|row| row.record));
        self.positions.dedup();
        self.chains.clear();
        books.merkle().chains(&self.positions, &mut self.chains);
        let mut records = self.positions.iter().zip(&self.chains);
        let mut last: Option<(u64, Hash)> = None;
        for (row, sides) in rows.iter().zip(&self.sides) {
            let chain = match last {
                Some((record, chain)) if record == row.record => chain,
                _ => {
                    let (record, known) = records.next().expect("there is a position for each record");
                    let chain = known.map_or_else(|| read_chain(books, *record, row.number), Ok)?;
                    last = Some((*record, chain));
                    chain
                }
            };
            let currency = currency_mark(books, &mut self.currencies, row.currency);
            self.leaves_waiting.push(Leaf::of(row, *sides, currency, chain).bytes());
        }
        Ok(())
    }
}

fn currency_mark(books: &Books, known: &mut Vec<CurrencyMark>, number: u32) -> CurrencyMark {
    while known.len() <= number as usize {
        known.push(CurrencyMark::of(&books.currency(known.len() as u32)));
    }
    known[number as usize]
}

/// The chain hash that stands in the frame of a record.
fn read_chain(books: &Books, record: u64, row: u64) -> Result<Hash, BooksFault> {
    let head = books.journal().head(record).map_err(BooksFault::Record)?;
    head.map(|head| head.chain).ok_or(BooksFault::Row(row))
}

/// The chain hash of the record that made a row.
pub(super) fn chain_of(books: &Books, row: u64) -> Result<Hash, BooksFault> {
    let record = books.row(row)?.ok_or(BooksFault::Row(row))?.record;
    let mut known = Vec::new();
    books.merkle().chains(&[record], &mut known);
    known.first().copied().flatten().map_or_else(|| read_chain(books, record, row), Ok)
}

/// Reads the tree. One for each request: it keeps the leaves of the blocks that it went through.
pub struct Tree<'a> {
    books: &'a Books,
    blocks: Blocks,
    /// The leaves of blocks, as far as they were there when they were read: the block, the hashes.
    kept: VecDeque<(u64, Vec<Hash>)>,
    /// Rows that there are for this reader.
    size: u64,
}

impl<'a> Tree<'a> {
    /// A reader of the tree of the first rows, so many; they are all there.
    pub fn new(books: &'a Books, size: u64) -> Tree<'a> {
        assert!(size <= books.merkle().tip().rows, "a tree has no leaves that are not there");
        Tree { books, blocks: Blocks::default(), kept: VecDeque::new(), size }
    }

    /// The leaf of a row.
    pub fn leaf(&mut self, row: &Row) -> Result<Leaf, BooksFault> {
        let mut sides = Vec::new();
        self.books.sides(std::slice::from_ref(row), &mut sides);
        let chain = chain_of(self.books, row.number)?;
        Ok(Leaf::of(row, sides[0], CurrencyMark::of(&self.books.currency(row.currency)), chain))
    }

    /// The root of the first leaves, so many.
    pub fn root(&mut self, size: u64) -> Result<Hash, BooksFault> {
        tree::root(self, size)
    }

    /// The proof that a leaf is in the tree of the first `size`.
    pub fn inclusion(&mut self, index: u64, size: u64) -> Result<Vec<Hash>, BooksFault> {
        tree::inclusion(self, index, size)
    }

    /// The proof that a tree is the beginning of another.
    pub fn consistency(&mut self, before: u64, size: u64) -> Result<Vec<Hash>, BooksFault> {
        tree::consistency(self, before, size)
    }

    /// The hashes of the leaves of a block, as far as there are leaves.
    fn block(&mut self, block: u64) -> Result<&[Hash], BooksFault> {
        if let Some(at) = self.kept.iter().position(|(kept, _)| *kept == block) {
            return Ok(&self.kept[at].1);
        }
        let first = block * BLOCK_LEAVES;
        let leaves = self.blocks.leaves(self.books, first, BLOCK_LEAVES.min(self.size - first))?;
        if self.kept.len() == BLOCKS_KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back((block, leaves));
        Ok(&self.kept.back().expect("it was just kept").1)
    }
}

impl Nodes for Tree<'_> {
    type Fault = BooksFault;

    fn node(&mut self, level: u32, index: u64) -> Result<Hash, BooksFault> {
        if level <= BLOCK_LEVEL {
            let up = BLOCK_LEVEL - level;
            let written = level == BLOCK_LEVEL && self.is_written(level, index);
            if written && let Some(node) = self.read(level, index)? {
                return Ok(node);
            }
            let from = ((index & ((1 << up) - 1)) << level) as usize;
            let mut leaves = self.block(index >> up)?[from..from + (1 << level)].to_vec();
            return Ok(hash::whole(&mut leaves));
        }
        if self.is_written(level, index)
            && let Some(node) = self.read(level, index)?
        {
            return Ok(node);
        }
        // Not there yet, or damaged: both are made from what is below.
        let (left, right) = (self.node(level - 1, 2 * index)?, self.node(level - 1, 2 * index + 1)?);
        Ok(hash::node(&left, &right))
    }
}

impl Tree<'_> {
    fn is_written(&self, level: u32, index: u64) -> bool {
        (index + 1) << (level - BLOCK_LEVEL) <= self.books.merkle().blocks.load(Ordering::Acquire)
    }

    fn read(&self, level: u32, index: u64) -> Result<Option<Hash>, BooksFault> {
        let merkle = self.books.merkle();
        merkle.table.node(level, index).map_err(|source| merkle.disk_fault(source))
    }
}

/// The chain hash after a record, by its seq; zeros before the first. `None` when there is no such record. Reads a segment at most.
pub fn chain_at(books: &Books, seq: u64) -> Result<Option<Hash>, BooksFault> {
    let tip = books.merkle().tip();
    if seq == 0 || seq >= tip.seq {
        return Ok([(0, [0; 32]), (tip.seq, tip.chain)].into_iter().find(|(at, _)| *at == seq).map(|(_, chain)| chain));
    }
    let journal = books.journal();
    let start = |number: u64| -> Result<Place, BooksFault> {
        let position = number * journal.options().segment_bytes;
        let start = journal.segment_start(number).map_err(BooksFault::Record)?;
        start.ok_or(BooksFault::Record(ReadFault::NoRecord { position }))
    };
    // The last segment that begins at this record or before it.
    let (mut first, mut behind) = (0, journal.durable_until().div_ceil(journal.options().segment_bytes));
    while first + 1 < behind {
        let middle = first.midpoint(behind);
        if start(middle)?.seq <= seq {
            first = middle;
        } else {
            behind = middle;
        }
    }
    let mut scan = journal.scan(start(first)?);
    while scan.place().seq <= seq {
        if scan.next().map_err(BooksFault::Record)?.is_none() {
            return Ok(None);
        }
    }
    Ok(Some(scan.place().chain))
}

/// The bytes of a record, and what its chain hash was made from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sealed {
    /// Its seq.
    pub seq: u64,
    /// The chain hash of the record before it.
    pub chain_before: Hash,
    /// Its bytes.
    pub payload: Vec<u8>,
}

/// The record of a row. What was before it is looked for from the row of another record on, or from the start of the segment.
pub fn sealed(books: &Books, row: &Row) -> Result<Sealed, BooksFault> {
    let mut payload = Vec::new();
    let record = books.journal().read(row.record, &mut payload).map_err(BooksFault::Record)?;
    let Event::Recorded(event) = books.event(row.record)? else { return Err(BooksFault::Row(row.number)) };
    let mut from = Place::start();
    if let Some(before) = event.first_row.checked_sub(1) {
        let position = books.row(before)?.ok_or(BooksFault::Row(before))?.record;
        let found = books.journal().read(position, &mut Vec::new()).map_err(BooksFault::Record)?;
        from = Place { seq: found.head.seq + 1, position: found.next_position, chain: found.head.chain };
    }
    let mut scan = books.journal().scan(from);
    while scan.place().seq < record.head.seq {
        if scan.next().map_err(BooksFault::Record)?.is_none() {
            return Err(BooksFault::Row(row.number));
        }
    }
    Ok(Sealed { seq: record.head.seq, chain_before: scan.place().chain, payload })
}
