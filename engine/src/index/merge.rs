//! Many ascending sequences of pairs read as one.

use super::IndexFault;
use super::run::{Chunk, Kind, Run, Scan, word};

/// A mixed key (the upper 64 bits) and its value (the lower 64 bits): comparing two of these is one order for both.
pub type Pair = u128;

/// A pair from its parts.
#[inline]
pub fn pair_of(key: u64, value: u64) -> Pair {
    u128::from(key) << 64 | u128::from(value)
}

/// One ascending sequence.
pub enum Source {
    /// The pairs of a run, and those of its current block that are still to come, last first.
    Run(Scan, Vec<Pair>),
    /// Sorted pairs in memory, last first.
    Memory(Vec<Pair>),
}

impl Source {
    /// All pairs of a run, read `step` blocks at a time at most.
    pub fn run(run: &Run, step: usize) -> Source {
        let (from, to) = run.blocks_of(0, u64::MAX);
        Source::Run(Scan::new(run, Kind::Data, from, to, Chunk::new(step.min(to as usize))), Vec::new())
    }

    /// These pairs, in any order.
    pub fn memory(mut pairs: Vec<Pair>) -> Source {
        pairs.sort_unstable_by(|a, b| b.cmp(a));
        Source::Memory(pairs)
    }

    #[inline]
    fn next(&mut self) -> Result<Option<Pair>, IndexFault> {
        match self {
            Source::Memory(pairs) => Ok(pairs.pop()),
            Source::Run(scan, block) => match block.pop() {
                Some(pair) => Ok(Some(pair)),
                None => next_block(scan, block),
            },
        }
    }
}

fn next_block(scan: &mut Scan, block: &mut Vec<Pair>) -> Result<Option<Pair>, IndexFault> {
    if let Some((content, _)) = scan.next()? {
        block.extend(content.chunks_exact(16).rev().map(|pair| pair_of(word(pair), word(&pair[8..]))));
    }
    Ok(block.pop())
}

/// Reads its sources in ascending order of pairs. Equal pairs stay apart.
pub struct Merge {
    sources: Vec<Source>,
    /// The next pair of each source; a source without one is dropped together with its place here.
    heads: Vec<Pair>,
}

impl Merge {
    /// Starts reading the sources.
    pub fn new(sources: Vec<Source>) -> Result<Merge, IndexFault> {
        let mut merge = Merge { sources: Vec::with_capacity(sources.len()), heads: Vec::with_capacity(sources.len()) };
        for mut source in sources {
            if let Some(head) = source.next()? {
                merge.sources.push(source);
                merge.heads.push(head);
            }
        }
        Ok(merge)
    }

    /// The next pair; `None` after the last.
    pub fn next(&mut self) -> Result<Option<Pair>, IndexFault> {
        // For the handful of sources there are, looking at all of them beats keeping them in a heap.
        let Some(&(mut least)) = self.heads.first() else { return Ok(None) };
        let mut at = 0;
        for (other, &head) in self.heads.iter().enumerate().skip(1) {
            if head < least {
                least = head;
                at = other;
            }
        }
        match self.sources[at].next()? {
            Some(head) => self.heads[at] = head,
            None => {
                self.sources.swap_remove(at);
                self.heads.swap_remove(at);
            }
        }
        Ok(Some(least))
    }
}
