//! The newest pairs, in memory: a table that finds a key in one or two probes and is reused instead of freed.
//!
//! Pairs stand in the order of insertion; slots find the newest pair of a key, and each pair points to the one before it with
//! the same key. So a key with very many values costs no more to insert than any other, and whoever sorts the pairs for a
//! run reads them front to back.

use super::filter::prefetch;

/// A slot that holds no key. No pair has this number, since their number stays below it.
const FREE: u64 = u64::MAX;
/// Marks the first pair of a key.
const NONE: u32 = u32::MAX;

/// A fixed-capacity multimap of mixed keys.
pub struct Tail {
    /// Keys and values in the order of insertion.
    pairs: Vec<(u64, u64)>,
    /// For each pair the number of the pair inserted before it with the same key, or [`NONE`].
    previous: Vec<u32>,
    /// The high half of the key, and the number of its newest pair; a power of two of them.
    slots: Vec<u64>,
}

impl Tail {
    /// An empty table for `pairs` pairs and some more, all of its memory touched.
    pub fn with_capacity(pairs: usize) -> Tail {
        let capacity = pairs + pairs / 8;
        // Filled and emptied again: the first touch of memory is slow, and the hot path must not pay for it.
        let mut tail = Tail {
            pairs: vec![(u64::MAX, 0); capacity],
            previous: vec![NONE; capacity],
            slots: vec![FREE; (pairs * 2).next_power_of_two().max(16)],
        };
        tail.pairs.clear();
        tail.previous.clear();
        tail
    }

    /// Adds a pair. Past the capacity the table grows, which takes long; no pair is ever refused.
    pub fn insert(&mut self, key: u64, value: u64) {
        if self.pairs.len() >= self.slots.len() / 4 * 3 {
            self.grow();
        }
        let number = u32::try_from(self.pairs.len()).expect("a tail is frozen long before it holds 2^32 pairs");
        let at = self.slot(key);
        let before = self.slots[at];
        self.slots[at] = slot_of(key, number);
        self.pairs.push((key, value));
        self.previous.push(if before == FREE { NONE } else { before as u32 });
    }

    /// Appends the values of the key, newest first.
    pub fn find(&self, key: u64, found: &mut Vec<u64>) {
        let slot = self.slots[self.slot(key)];
        let mut number = if slot == FREE { NONE } else { slot as u32 };
        while number != NONE {
            found.push(self.pairs[number as usize].1);
            number = self.previous[number as usize];
        }
    }

    /// Brings the memory that an insert of this key will touch nearer.
    #[inline]
    pub fn prefetch(&self, key: u64) {
        prefetch(&self.slots[key as usize & (self.slots.len() - 1)]);
    }

    /// Keys and values in the order of insertion.
    pub fn pairs(&self) -> &[(u64, u64)] {
        &self.pairs
    }

    /// Empties the table and keeps its memory.
    pub fn clear(&mut self) {
        if !self.pairs.is_empty() {
            self.pairs.clear();
            self.previous.clear();
            self.slots.fill(FREE);
        }
    }

    /// Memory in bytes.
    pub fn bytes(&self) -> u64 {
        (self.pairs.capacity() * size_of::<(u64, u64)>() + self.previous.capacity() * 4 + self.slots.capacity() * 8)
            as u64
    }

    /// The slot of the key: the one that holds it, or the free one where it belongs.
    fn slot(&self, key: u64) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = key as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot == FREE || (slot >> 32 == key >> 32 && self.pairs[slot as u32 as usize].0 == key) {
                return at;
            }
            at = (at + 1) & mask;
        }
    }

    #[cold]
    fn grow(&mut self) {
        self.slots = vec![FREE; self.slots.len() * 2];
        for number in 0..self.pairs.len() {
            let key = self.pairs[number].0;
            let at = self.slot(key);
            self.slots[at] = slot_of(key, number as u32);
        }
    }
}

fn slot_of(key: u64, number: u32) -> u64 {
    key >> 32 << 32 | u64::from(number)
}

#[cfg(test)]
mod tests {
    use super::super::mix::mix;
    use super::*;

    /// Proves that pairs are found newest first, within the capacity, past it, and after reuse.
    #[test]
    fn finds_all_values_of_a_key() {
        let mut tail = Tail::with_capacity(100);
        for round in 0..3 {
            for value in 0..1000 {
                tail.insert(mix(value % 50), value + round);
            }
            for key in 0..60 {
                let mut found = Vec::new();
                tail.find(mix(key), &mut found);
                let expected: Vec<u64> =
                    (0..1000).rev().filter(|value| value % 50 == key).map(|value| value + round).collect();
                assert_eq!(found, expected);
            }
            tail.clear();
            assert!(tail.pairs().is_empty());
        }
    }

    /// Proves that a hundred thousand values of one key do not make inserting slow: this would take minutes.
    #[test]
    fn one_key_may_have_many_values() {
        let mut tail = Tail::with_capacity(300_000);
        for value in 0..300_000 {
            tail.insert(mix(1), value);
        }
        let mut found = Vec::new();
        tail.find(mix(1), &mut found);
        assert_eq!(found.len(), 300_000);
    }
}
