//! A map in shards that a clone shares until one of the two changes them; see [`crate::chunked`] for the reason.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState};
use std::sync::Arc;

const SHARDS: usize = 256;

/// A map with cheap clones. Numbers that the server makes are hashed by [`Mix`], texts that clients choose by [`Keyed`].
#[derive(Debug)]
pub struct Sharded<K, V, S = Mix> {
    shards: Vec<Arc<HashMap<K, V, S>>>,
    len: usize,
    hash: S,
}

/// Hashes of numbers that the server makes: a plain mixer is enough.
pub type Mix = BuildHasherDefault<Mixer>;

/// Hashes of texts that clients choose, with a secret that each process makes: nobody can choose texts that collide, which would make
/// each look-up as long as there are texts.
pub type Keyed = RandomState;

/// A multiplication over numbers, FNV-1a over what else there is in a key of several, and a final mix.
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

impl<K, V, S: Clone> Clone for Sharded<K, V, S> {
    fn clone(&self) -> Self {
        Sharded { shards: self.shards.clone(), len: self.len, hash: self.hash.clone() }
    }
}

impl<K, V, S: Default + Clone> Default for Sharded<K, V, S> {
    fn default() -> Self {
        let hash = S::default();
        let empty = || Arc::new(HashMap::with_hasher(hash.clone()));
        Sharded { shards: (0..SHARDS).map(|_| empty()).collect(), len: 0, hash }
    }
}

impl<K: Hash + Eq + Clone, V: Clone, S: BuildHasher + Clone> Sharded<K, V, S> {
    fn shard<Q: Hash + ?Sized>(&self, key: &Q) -> usize {
        (self.hash.hash_one(key) >> 56) as usize
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
        self.shards[self.shard(key)].get(key)
    }

    /// The value of a key, to change it.
    pub fn get_mut<Q>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let shard = self.shard(key);
        Arc::make_mut(&mut self.shards[shard]).get_mut(key)
    }

    /// Sets the value of a key; answers the value that it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let shard = self.shard(&key);
        let before = Arc::make_mut(&mut self.shards[shard]).insert(key, value);
        self.len += usize::from(before.is_none());
        before
    }

    /// Removes a key; answers its value.
    pub fn remove<Q>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let shard = self.shard(key);
        let before = Arc::make_mut(&mut self.shards[shard]).remove(key);
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
        let mut map: Sharded<u64, u64> = Sharded::default();
        for i in 0..10_000u64 {
            assert_eq!(map.insert(i, i * 2), None);
        }
        let before = map.clone();
        assert_eq!(map.remove(&7), Some(14));
        *map.get_mut(&8).expect("it is there") = 1;
        assert_eq!((map.len(), map.get(&7), map.get(&8)), (9999, None, Some(&1)));
        assert_eq!((before.len(), before.get(&7), before.get(&8)), (10_000, Some(&14), Some(&16)));
    }

    /// Whoever knows all of this file cannot say which texts are in one place.
    #[test]
    fn texts_are_in_other_places_in_each_map() {
        let mut one = Sharded::<Box<str>, u32, Keyed>::default();
        let other = Sharded::<Box<str>, u32, Keyed>::default();
        let texts = || (0..1_000).map(|n| format!("@{n}"));
        let moved = texts().filter(|text| one.shard(&**text) != other.shard(&**text)).count();
        assert!(moved > 900, "{moved} of 1000 are in another place");
        for (n, text) in (0..).zip(texts()) {
            assert_eq!(one.insert(text.into(), n), None);
        }
        let clone = one.clone();
        assert_eq!(
            (one.remove("@7"), one.get("@8"), clone.get("@7"), clone.len()),
            (Some(7), Some(&8), Some(&7), 1_000)
        );
    }
}
