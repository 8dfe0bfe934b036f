//! The tree of RFC 6962 as arithmetic: roots, proofs, and how a proof is checked. Where nodes come from does not matter here.
//!
//! A node is named by its level, 0 for leaves, and its index in the level. Only nodes above whole trees of 2^level leaves have a
//! name; what is above a last, smaller part is put together from them.

use super::hash::{self, Hash};

/// Where nodes come from.
pub trait Nodes {
    /// Why one cannot be had.
    type Fault;

    /// The node of a level and an index; all of its leaves are there.
    fn node(&mut self, level: u32, index: u64) -> Result<Hash, Self::Fault>;
}

/// The leaves of a small tree, in memory.
pub struct Leaves<'a>(pub &'a [Hash]);

impl Nodes for Leaves<'_> {
    type Fault = std::convert::Infallible;

    fn node(&mut self, level: u32, index: u64) -> Result<Hash, Self::Fault> {
        let from = (index as usize) << level;
        Ok(hash::whole(&mut self.0[from..from + (1 << level)].to_vec()))
    }
}

/// The root of the tree of the first leaves, so many.
pub fn root<N: Nodes>(nodes: &mut N, size: u64) -> Result<Hash, N::Fault> {
    if size == 0 { Ok(hash::empty()) } else { range(nodes, 0, size) }
}

/// The root of the leaves from one on and before another. The first is a multiple of the power of two at or above their number.
fn range<N: Nodes>(nodes: &mut N, from: u64, to: u64) -> Result<Hash, N::Fault> {
    assert!(from < to, "a part of a tree has leaves");
    let mut parts = Vec::new();
    let mut at = from;
    while at < to {
        let level = (to - at).ilog2();
        assert!(at.is_multiple_of(1 << level), "parts of a tree begin where a whole one may");
        parts.push(nodes.node(level, at >> level)?);
        at += 1 << level;
    }
    Ok(fold(&parts).expect("there was one part at least"))
}

/// The root above trees that stand side by side, each larger than the one right of it.
fn fold(parts: &[Hash]) -> Option<Hash> {
    let (last, rest) = parts.split_last()?;
    Some(rest.iter().rfold(*last, |right, left| hash::node(left, &right)))
}

/// Where a tree of more than one leaf is parted: at the largest power of two below its size.
fn half(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

/// The proof that a leaf is in the tree of the first `size` leaves: the hashes beside the way up, from the leaf on.
pub fn inclusion<N: Nodes>(nodes: &mut N, index: u64, size: u64) -> Result<Vec<Hash>, N::Fault> {
    assert!(index < size, "the leaf is in the tree");
    let (mut from, mut to) = (0, size);
    let mut path = Vec::new();
    while to - from > 1 {
        let middle = from + half(to - from);
        if index < middle {
            path.push(range(nodes, middle, to)?);
            to = middle;
        } else {
            path.push(range(nodes, from, middle)?);
            from = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The proof that the tree of the first `before` leaves is the beginning of that of the first `size`. There is nothing to prove of
/// an empty tree, nor of the same one.
pub fn consistency<N: Nodes>(nodes: &mut N, before: u64, size: u64) -> Result<Vec<Hash>, N::Fault> {
    assert!(before <= size, "a tree does not shrink");
    let (mut from, mut to) = (0, size);
    let mut path = Vec::new();
    if before == 0 {
        return Ok(path);
    }
    while before != to {
        let middle = from + half(to - from);
        if before <= middle {
            path.push(range(nodes, middle, to)?);
            to = middle;
        } else {
            path.push(range(nodes, from, middle)?);
            from = middle;
        }
    }
    // As long as no left part was passed, this is the root that whoever checks it knows.
    if from > 0 {
        path.push(range(nodes, from, to)?);
    }
    path.reverse();
    Ok(path)
}

/// The root that a proof of inclusion leads to; `None` when it has too many hashes or too few.
pub fn root_of_inclusion(leaf: Hash, index: u64, size: u64, path: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut at, mut last, mut root) = (index, size - 1, leaf);
    for beside in path {
        if last == 0 {
            return None;
        }
        if at & 1 == 1 || at == last {
            root = hash::node(beside, &root);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            root = hash::node(&root, beside);
        }
        at >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(root)
}

/// Whether a proof of consistency leads from one root to the other.
pub fn is_consistent(before: (u64, Hash), after: (u64, Hash), path: &[Hash]) -> bool {
    if before.0 == after.0 {
        return before.1 == after.1 && path.is_empty();
    }
    if before.0 == 0 || before.0 > after.0 {
        return before.0 == 0 && path.is_empty() && before.1 == hash::empty();
    }
    let (mut at, mut last) = (before.0 - 1, after.0 - 1);
    while at & 1 == 1 {
        at >>= 1;
        last >>= 1;
    }
    let (first, path) = match path.split_first() {
        // The smaller tree is whole, so its root is the first hash.
        _ if before.0.is_power_of_two() => (before.1, path),
        Some((first, rest)) => (*first, rest),
        None => return false,
    };
    let (mut old, mut new) = (first, first);
    for beside in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            old = hash::node(beside, &old);
            new = hash::node(beside, &new);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            new = hash::node(&new, beside);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && old == before.1 && new == after.1
}

/// The whole trees of a tree that grows block by block, each larger than the one after it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Peaks {
    blocks: u64,
    roots: Vec<Hash>,
}

impl Peaks {
    /// Those of so many blocks, with their roots.
    pub fn new(blocks: u64, roots: Vec<Hash>) -> Peaks {
        assert_eq!(roots.len(), blocks.count_ones() as usize, "there is one for each power of two");
        Peaks { blocks, roots }
    }

    /// How many blocks there are.
    pub const fn blocks(&self) -> u64 {
        self.blocks
    }

    /// Adds the root of a block. `made` gets it, and then each node that is whole because of it, upwards.
    pub fn push(&mut self, block: Hash, mut made: impl FnMut(Hash)) {
        let mut root = block;
        made(root);
        for _ in 0..self.blocks.trailing_ones() {
            let left = self.roots.pop().expect("there is a peak for each bit");
            root = hash::node(&left, &root);
            made(root);
        }
        self.roots.push(root);
        self.blocks += 1;
    }

    /// The root, with that of what stands right of all blocks, if something does.
    pub fn root(&self, rest: Option<Hash>) -> Hash {
        let mut parts = self.roots.clone();
        parts.extend(rest);
        fold(&parts).unwrap_or_else(hash::empty)
    }
}

#[cfg(test)]
mod tests;
