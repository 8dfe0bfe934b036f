//! Writing a run.

use std::path::PathBuf;
use std::sync::Arc;

use journal::disk::{Access, Disk, File};

use super::IndexFault;
use super::merge::Pair;
use super::run::{self, BLOCK_BYTES, BLOCK_PAIRS, BLOCK_WORDS, Chunk, Kind, Layout, Run, Sketch};

/// Takes the pairs of a run in ascending order and writes them as they come, a chunk at a time.
///
/// Nothing counts before [`Build::finish`] and the manifest after it. A build that is dropped leaves a file behind.
pub struct Build<'a> {
    disk: &'a dyn Disk,
    path: PathBuf,
    number: u64,
    pairs: u64,
    layout: Layout,
    /// For sizes and the sync.
    file: Arc<dyn File>,
    /// For the bytes: past the system's cache, whose memory is slow to get and which the merge would only sweep.
    direct: Arc<dyn File>,
    chunk: &'a mut Chunk,
    /// Blocks that the file has already.
    written: u64,
    /// Blocks that are complete in the chunk.
    filled: usize,
    /// Bytes of the block that is being filled.
    block_bytes: usize,
    pushed: u64,
    last: Pair,
    fences: Vec<u64>,
    sketch: Sketch,
}

impl<'a> Build<'a> {
    /// Makes the file for a run of exactly `pairs` pairs, at least one.
    pub fn new(
        disk: &'a dyn Disk,
        path: PathBuf,
        number: u64,
        pairs: u64,
        chunk: &'a mut Chunk,
    ) -> Result<Build<'a>, IndexFault> {
        assert!(pairs > 0, "an empty run would be found by nobody");
        let layout = Layout::new(pairs);
        let fault = |action| {
            let path = path.clone();
            move |source| IndexFault::disk(action, &path, source)
        };
        let file = disk.open(&path, Access::Create).map_err(fault("create"))?;
        file.set_len(layout.bytes()).map_err(fault("size"))?;
        let direct = disk.open(&path, Access::Direct).map_err(fault("open"))?;
        Ok(Build {
            disk,
            number,
            pairs,
            layout,
            file,
            direct,
            chunk,
            written: 0,
            filled: 0,
            block_bytes: 0,
            pushed: 0,
            last: 0,
            fences: Vec::with_capacity(layout.data as usize),
            sketch: Sketch::new(&layout),
            path,
        })
    }

    /// Adds the next pair. True when this has written a chunk, a good moment to pause.
    pub fn push(&mut self, pair: Pair) -> Result<bool, IndexFault> {
        assert!(pair >= self.last, "a run is in ascending order");
        self.last = pair;
        let key = (pair >> 64) as u64;
        if self.block_bytes == 0 {
            self.fences.push(key);
        }
        self.sketch.insert(key);
        let start = self.filled * BLOCK_BYTES + self.block_bytes;
        let place = &mut self.chunk.bytes_mut()[start..start + 16];
        place[..8].copy_from_slice(&key.to_le_bytes());
        place[8..].copy_from_slice(&(pair as u64).to_le_bytes());
        self.block_bytes += 16;
        self.pushed += 1;
        if self.block_bytes as u64 == BLOCK_PAIRS * 16 || self.pushed == self.pairs {
            return self.end_block(Kind::Data, self.block_bytes / 16);
        }
        Ok(false)
    }

    /// Writes what follows the pairs, syncs, and opens the run.
    pub fn finish(mut self) -> Result<Run, IndexFault> {
        assert_eq!(self.pushed, self.pairs, "a run holds as many pairs as it was made for");
        let sketch = std::mem::replace(&mut self.sketch, Sketch::new(&Layout::new(0)));
        let fences = std::mem::take(&mut self.fences);
        self.push_words(Kind::Sketch, sketch.words())?;
        self.push_words(Kind::Fences, &fences)?;
        self.write_chunk()?;
        assert_eq!(self.written * BLOCK_BYTES as u64, self.layout.bytes(), "a run fills its file");
        self.file.sync().map_err(|source| IndexFault::disk("sync", &self.path, source))?;
        Run::new(self.disk, self.path, self.number, self.pairs, fences, sketch)
    }

    fn push_words(&mut self, kind: Kind, words: &[u64]) -> Result<(), IndexFault> {
        for words in words.chunks(BLOCK_WORDS as usize) {
            let start = self.filled * BLOCK_BYTES;
            let block = &mut self.chunk.bytes_mut()[start..start + BLOCK_BYTES];
            for (place, word) in block.chunks_exact_mut(8).zip(words) {
                place.copy_from_slice(&word.to_le_bytes());
            }
            self.block_bytes = words.len() * 8;
            self.end_block(kind, words.len())?;
        }
        Ok(())
    }

    fn end_block(&mut self, kind: Kind, count: usize) -> Result<bool, IndexFault> {
        let start = self.filled * BLOCK_BYTES;
        let number = self.written + self.filled as u64;
        let block = &mut self.chunk.bytes_mut()[start..start + BLOCK_BYTES];
        // What the chunk held before is not written into the unused part.
        block[self.block_bytes..].fill(0);
        run::seal_block(block, kind, count as u32, self.number, number);
        self.block_bytes = 0;
        self.filled += 1;
        if self.filled == self.chunk.blocks() {
            self.write_chunk()?;
            return Ok(true);
        }
        Ok(false)
    }

    fn write_chunk(&mut self) -> Result<(), IndexFault> {
        let bytes = &self.chunk.bytes()[..self.filled * BLOCK_BYTES];
        if !bytes.is_empty() {
            self.direct
                .write_at(bytes, self.written * BLOCK_BYTES as u64)
                .map_err(|source| IndexFault::disk("write", &self.path, source))?;
        }
        self.written += self.filled as u64;
        self.filled = 0;
        Ok(())
    }
}
