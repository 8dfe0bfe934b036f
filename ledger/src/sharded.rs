//! A map in shards that a clone shares until one of the two changes them; see [`crate::chunked`] for the reason.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;

const SHARDS: usize = 256;

/// A map with cheap clones.
#[derive(Debug)]
pub struct Sharded<K, V> {
    shards: Vec<Arc<HashMap<K, V, Mix>>>,
    len: usize,
}

/// Hashes of the maps. Keys are made by the server or are compared in full, and shards are small: a plain mixer is enough
/// where it hashes numbers; texts go through FNV-1a.
pub type Mix = BuildHasherDefault<Mixer>;

/// FNV-1a over bytes, a multiplication over numbers, and a final mix.
#[derive(Default)]
pub struct Mixer(u64);

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        let z = (self.0 ^ (self.0 >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        z ^ (z >> 32)
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(23) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }
}

impl<K, V> Clone for Sharded<K, V> {
    fn clone(&self) -> Self {
        Sharded { shards: self.shards.clone(), len: self.len }
    }
}

impl<K, V> Default for Sharded<K, V> {
    fn default() -> Self {
        Sharded { shards: (0..SHARDS).map(|_| Arc::new(HashMap::default())).collect(), len: 0 }
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Sharded<K, V> {
    fn shard<Q: Hash + ?Sized>(key: &Q) -> usize {
        (Mix::default().hash_one(key) >> 56) as usize
    }

    /// How many pairs there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The value of a key.
    pub fn get<Q>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.shards[Self::shard(key)].get(key)
    }

    /// The value of a key, to change it.
    pub fn get_mut<Q>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        Arc::make_mut(&mut self.shards[Self::shard(key)]).get_mut(key)
    }

    /// Sets the value of a key; answers the value that it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let before = Arc::make_mut(&mut self.shards[Self::shard(&key)]).insert(key, value);
        self.len += usize::from(before.is_none());
        before
    }

    /// Removes a key; answers its value.
    pub fn remove<Q>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let before = Arc::make_mut(&mut self.shards[Self::shard(key)]).remove(key);
        self.len -= usize::from(before.is_some());
        before
    }

    /// All pairs, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.shards.iter().flat_map(|shard| shard.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_keeps_what_it_saw() {
        let mut map = Sharded::default();
        for i in 0..10_000u64 {
            assert_eq!(map.insert(i, i * 2), None);
        }
        let before = map.clone();
        assert_eq!(map.remove(&7), Some(14));
        *map.get_mut(&8).expect("it is there") = 1;
        assert_eq!((map.len(), map.get(&7), map.get(&8)), (9999, None, Some(&1)));
        assert_eq!((before.len(), before.get(&7), before.get(&8)), (10_000, Some(&14), Some(&16)));
    }
}
