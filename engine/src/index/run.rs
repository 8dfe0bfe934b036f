//! A run: an immutable file of pairs in ascending order of mixed key, then value.
//!
//! ```text
//! data blocks     255 pairs of 16 bytes each: mixed key, value
//! sketch blocks   510 words of 8 bytes each: the sketch, 64 pairs to a line of 8 words
//! fence blocks    510 words of 8 bytes each: the first mixed key of every data block
//! ```
//!
//! Every block has 4096 bytes: 4080 of content, then the number of pairs or words in it (4 bytes), its kind (4), zero (4), and
//! a CRC-32 (4) over the run's number, the block's number and all of the block before the checksum; so a block that was
//! written for another place is damage too. Numbers are little-endian. The number of pairs, which the manifest holds, gives
//! the number of blocks of each kind.
//!
//! In memory a run keeps its fences (8 bytes in 255 pairs), which name the one block to read, and its sketch (1 byte a pair),
//! which says without reading that a key is not there; with it a key that is in one run of thirty costs about two reads.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use journal::disk::{Access, Disk, File};

use super::IndexFault;

/// Bytes of a block, the unit of checksums and of direct access.
pub const BLOCK_BYTES: usize = 4096;
/// Pairs in a full data block.
pub const BLOCK_PAIRS: u64 = 255;
/// Words in a full sketch or fence block.
pub const BLOCK_WORDS: u64 = 510;
/// Pairs to one line of the sketch.
const LINE_PAIRS: u64 = 64;
/// Words of 64 bits in one line of the sketch.
const LINE_WORDS: u64 = 8;
/// Bits set in a line for one key.
const LINE_BITS: u32 = 5;

/// What a block holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Pairs.
    Data = 1,
    /// Words of the sketch.
    Sketch = 2,
    /// First keys of the data blocks.
    Fences = 3,
}

/// How many blocks of each kind a run has.
#[derive(Clone, Copy)]
pub struct Layout {
    /// Blocks of pairs.
    pub data: u64,
    /// Lines of the sketch.
    pub lines: u64,
    /// Blocks of the sketch.
    pub sketch: u64,
    /// Blocks of fences.
    pub fences: u64,
}

impl Layout {
    /// The layout of a run of `pairs` pairs.
    pub fn new(pairs: u64) -> Layout {
        let data = pairs.div_ceil(BLOCK_PAIRS);
        let lines = pairs.div_ceil(LINE_PAIRS);
        Layout { data, lines, sketch: (lines * LINE_WORDS).div_ceil(BLOCK_WORDS), fences: data.div_ceil(BLOCK_WORDS) }
    }

    /// Bytes of the file.
    pub fn bytes(&self) -> u64 {
        (self.data + self.sketch + self.fences) * BLOCK_BYTES as u64
    }
}

/// A few bits for each key of a run.
pub struct Sketch {
    words: Vec<u64>,
    lines: u64,
}

impl Sketch {
    /// An empty sketch.
    pub fn new(layout: &Layout) -> Sketch {
        Sketch { words: vec![0; (layout.lines * LINE_WORDS) as usize], lines: layout.lines }
    }

    /// Adds a key.
    pub fn insert(&mut self, key: u64) {
        for (word, bit) in bits(self.lines, key) {
            self.words[word] |= bit;
        }
    }

    /// False when the key was certainly never inserted; 1 in 40 of these is true nevertheless.
    pub fn contains(&self, key: u64) -> bool {
        bits(self.lines, key).all(|(word, bit)| self.words[word] & bit != 0)
    }

    /// The words as they stand on disk.
    pub fn words(&self) -> &[u64] {
        &self.words
    }
}

/// The places of a key's bits. The line ascends with the key, so a sketch is filled and loaded from front to back.
fn bits(lines: u64, key: u64) -> impl Iterator<Item = (usize, u64)> {
    let line = ((u128::from(key) * u128::from(lines)) >> 64) as u64;
    (0..LINE_BITS).map(move |turn| {
        let bit = key >> (9 * turn) & 511;
        ((line * LINE_WORDS + bit / 64) as usize, 1 << (bit % 64))
    })
}

/// An open run.
pub struct Run {
    /// Names the file; never used again for another run while a manifest names this one.
    pub number: u64,
    /// How many pairs there are; at least one.
    pub pairs: u64,
    path: PathBuf,
    /// For single blocks, through the system's cache.
    file: Arc<dyn File>,
    /// For long reads, past the system's cache.
    direct: Arc<dyn File>,
    fences: Vec<u64>,
    sketch: Sketch,
}

impl Run {
    /// The run whose file was written just now.
    pub fn new(
        disk: &dyn Disk,
        path: PathBuf,
        number: u64,
        pairs: u64,
        fences: Vec<u64>,
        sketch: Sketch,
    ) -> Result<Run, IndexFault> {
        let file = disk.open(&path, Access::Read).map_err(|source| IndexFault::disk("open", &path, source))?;
        let direct = disk.open(&path, Access::Direct).map_err(|source| IndexFault::disk("open", &path, source))?;
        Ok(Run { number, pairs, path, file, direct, fences, sketch })
    }

    /// Opens a run that a manifest names and reads its fences and sketch.
    pub fn open(disk: &dyn Disk, path: PathBuf, number: u64, pairs: u64) -> Result<Run, IndexFault> {
        let layout = Layout::new(pairs);
        let mut run =
            Run::new(disk, path, number, pairs, Vec::new(), Sketch { words: Vec::new(), lines: layout.lines })?;
        let bytes = run.file.len().map_err(|source| IndexFault::disk("measure", &run.path, source))?;
        if pairs == 0 || bytes != layout.bytes() {
            return Err(IndexFault::damaged(&run.path, 0, "the file has not the size that the manifest says"));
        }
        run.sketch.words = run.read_words(Kind::Sketch, layout.data, layout.lines * LINE_WORDS)?;
        run.fences = run.read_words(Kind::Fences, layout.data + layout.sketch, layout.data)?;
        Ok(run)
    }

    fn read_words(&self, kind: Kind, first: u64, count: u64) -> Result<Vec<u64>, IndexFault> {
        let mut words = Vec::with_capacity(count as usize);
        let mut scan = Scan::new(self, kind, first, first + count.div_ceil(BLOCK_WORDS), Chunk::new(64));
        while let Some((content, _)) = scan.next()? {
            words.extend(content.chunks_exact(8).map(word));
        }
        if words.len() as u64 != count {
            return Err(IndexFault::damaged(
                &self.path,
                first,
                "the section has not the length that the manifest says",
            ));
        }
        Ok(words)
    }

    /// Appends the values of the key, oldest first. Returns how many blocks were read.
    pub fn find(&self, key: u64, found: &mut Vec<u64>) -> Result<u64, IndexFault> {
        if !self.sketch.contains(key) {
            return Ok(0);
        }
        // The first block whose first key is not below may still follow one that ends with this key.
        let first = self.fences.partition_point(|&fence| fence < key).saturating_sub(1);
        let mut read = 0;
        for (at, _) in self.fences.iter().enumerate().skip(first).take_while(|(_, fence)| **fence <= key) {
            let mut block = [0; BLOCK_BYTES];
            read_full(&*self.file, &mut block, (at * BLOCK_BYTES) as u64)
                .map_err(|source| IndexFault::disk("read", &self.path, source))?;
            read += 1;
            let content = check_block(&block, Kind::Data, self.number, at as u64)
                .map_err(|reason| IndexFault::damaged(&self.path, at as u64, reason))?;
            found.extend(content.chunks_exact(16).filter(|pair| word(pair) == key).map(|pair| word(&pair[8..])));
        }
        Ok(read)
    }

    /// The data blocks that may hold keys from `low` up to and including `high`.
    pub fn blocks_of(&self, low: u64, high: u64) -> (u64, u64) {
        let from = self.fences.partition_point(|&fence| fence < low).saturating_sub(1);
        let to = self.fences.partition_point(|&fence| fence <= high);
        (from as u64, to.max(from) as u64)
    }

    /// Memory in bytes.
    pub fn bytes(&self) -> u64 {
        ((self.fences.capacity() + self.sketch.words.capacity()) * 8) as u64
    }
}

/// Reads blocks of one kind of a run in order, in large steps past the system's cache.
pub struct Scan {
    file: Arc<dyn File>,
    path: PathBuf,
    number: u64,
    kind: Kind,
    chunk: Chunk,
    /// The next block to hand out.
    at: u64,
    /// The first block that is in the chunk, and the one after the last.
    loaded: (u64, u64),
    /// The block to stop before.
    to: u64,
}

impl Scan {
    /// Reads from block `from` up to block `to`, as many at a time as the chunk has room for.
    pub fn new(run: &Run, kind: Kind, from: u64, to: u64, chunk: Chunk) -> Scan {
        Scan {
            file: Arc::clone(&run.direct),
            path: run.path.clone(),
            number: run.number,
            kind,
            chunk,
            at: from,
            loaded: (from, from),
            to,
        }
    }

    /// The chunk, for another scan.
    pub fn into_chunk(self) -> Chunk {
        self.chunk
    }

    /// The content of the next block, checked, and the number of the block; `None` after the last.
    pub fn next(&mut self) -> Result<Option<(&[u8], u64)>, IndexFault> {
        if self.at == self.to {
            return Ok(None);
        }
        if self.at == self.loaded.1 {
            let count = (self.chunk.blocks() as u64).min(self.to - self.at);
            let bytes = &mut self.chunk.bytes_mut()[..count as usize * BLOCK_BYTES];
            read_full(&*self.file, bytes, self.at * BLOCK_BYTES as u64)
                .map_err(|source| IndexFault::disk("read", &self.path, source))?;
            self.loaded = (self.at, self.at + count);
        }
        let start = (self.at - self.loaded.0) as usize * BLOCK_BYTES;
        let block = &self.chunk.bytes()[start..start + BLOCK_BYTES];
        let content = check_block(block, self.kind, self.number, self.at)
            .map_err(|reason| IndexFault::damaged(&self.path, self.at, reason))?;
        self.at += 1;
        Ok(Some((content, self.at - 1)))
    }
}

/// The name of a run's file.
pub fn file_name(number: u64) -> String {
    format!("{number:020}.run")
}

/// Whether a file of this name may be a run's.
pub fn is_file_name(name: &str) -> bool {
    name.ends_with(".run")
}

/// The path of a run's file.
pub fn file_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(file_name(number))
}

/// Fills in the last 16 bytes of a block.
pub fn seal_block(block: &mut [u8], kind: Kind, count: u32, run: u64, number: u64) {
    block[4080..4084].copy_from_slice(&count.to_le_bytes());
    block[4084..4088].copy_from_slice(&(kind as u32).to_le_bytes());
    block[4088..4092].fill(0);
    let checksum = checksum(&block[..4092], run, number);
    block[4092..].copy_from_slice(&checksum.to_le_bytes());
}

/// The content of a block: whole pairs or words.
fn check_block(block: &[u8], kind: Kind, run: u64, number: u64) -> Result<&[u8], &'static str> {
    let part = |at: usize| u32::from_le_bytes(block[at..at + 4].try_into().expect("four bytes"));
    if part(4092) != checksum(&block[..4092], run, number) {
        return Err("its checksum is wrong");
    }
    let item = if kind == Kind::Data { 16 } else { 8 };
    let content = part(4080) as usize * item;
    if part(4084) != kind as u32 || content > 4080 {
        return Err("it is not what should stand there");
    }
    Ok(&block[..content])
}

/// What is wrong with a block of a run, if something is.
pub fn fault_of(block: &[u8], layout: &Layout, run: u64, number: u64) -> Option<&'static str> {
    let kind = match number {
        number if number < layout.data => Kind::Data,
        number if number < layout.data + layout.sketch => Kind::Sketch,
        _ => Kind::Fences,
    };
    check_block(block, kind, run, number).err()
}

fn checksum(bytes: &[u8], run: u64, number: u64) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&run.to_le_bytes());
    hasher.update(&number.to_le_bytes());
    hasher.update(bytes);
    hasher.finalize()
}

/// The first 8 bytes as a number.
#[inline]
pub fn word(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes"))
}

fn read_full(file: &dyn File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        match file.read_at(&mut bytes[done..], offset + done as u64)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => done += count,
        }
    }
    Ok(())
}

/// Blocks in memory, aligned for direct access.
pub struct Chunk {
    bytes: Vec<u8>,
    start: usize,
    blocks: usize,
}

impl Chunk {
    /// Room for `blocks` blocks.
    pub fn new(blocks: usize) -> Chunk {
        let bytes = vec![0; (blocks + 1) * BLOCK_BYTES];
        let start = bytes.as_ptr().align_offset(BLOCK_BYTES);
        assert!(start < BLOCK_BYTES, "any address is less than a block away from an aligned one");
        Chunk { bytes, start, blocks }
    }

    /// How many blocks there is room for.
    pub fn blocks(&self) -> usize {
        self.blocks
    }

    /// All of the blocks.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..self.start + self.blocks * BLOCK_BYTES]
    }

    /// All of the blocks.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.start + self.blocks * BLOCK_BYTES]
    }
}
