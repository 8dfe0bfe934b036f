//! The presence filter: answers "is there anything under this key" for the whole index from one cache line of memory.
//!
//! A key (in its mixed form) is 12 bits of shard, 36 bits of tag, and 16 bits that are not looked at. A shard is an array of
//! buckets of one cache line, each holding up to 14 tags; the bucket of a tag is its place when the range of tags is cut into
//! as many equal parts as there are buckets. So keys in ascending order fill a shard from its first bucket to its last, and a
//! shard can grow by any number of buckets without knowing the keys. A tag that finds its bucket full goes into the next
//! one, and the full one remembers that something was spilled.
//!
//! Two keys that agree in 48 bits look the same: of look-ups that should miss, `keys / 2^48` do not (20 million keys:
//! 7e-8; 280 million: 1e-6). There is never a false "no".
//!
//! A shard holds 10 to 12 tags a bucket, 6 bytes a key. It grows by a fifth to a third, by a different amount each time and
//! in each shard, so that no two shards grow together for long and no growth copies more than the few tens of KiB of one
//! shard (20 million keys: 30 KiB).

/// Bits of a key that choose its shard: few enough that the shards' headers stay in the processor's second-level cache.
const SHARD_BITS: u32 = 12;
/// Number of shards.
pub const SHARDS: usize = 1 << SHARD_BITS;
/// Bits of a tag.
const TAG_BITS: u32 = 36;
/// Tags in one bucket: 14 of 36 bits and one byte of state are one cache line of 64 bytes.
const BUCKET_TAGS: usize = 14;
/// A shard grows when it holds this many tags a bucket. Fuller, and too many look-ups walk on to the next bucket.
const GROWTH_TAGS: usize = 12;
/// Tags a bucket that a filter is made with when the number of its keys is known.
const LOADED_TAGS: usize = 10;
/// Set in a bucket's state when a tag that belongs here, or before here, was put into a later bucket.
const SPILLED: u8 = 0x80;
/// Bits of a bucket's state that count its tags.
const COUNT: u8 = 0x0f;

const _: () = assert!(size_of::<Bucket>() == 64);
const _: () = assert!(GROWTH_TAGS < BUCKET_TAGS, "a walk over spilled buckets ends because there is always room");

#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Bucket {
    /// The low 32 bits of each tag.
    low: [u32; BUCKET_TAGS],
    /// The high 4 bits of each tag, two tags a byte.
    high: [u8; BUCKET_TAGS / 2],
    /// How many tags there are, and [`SPILLED`].
    state: u8,
}

impl Bucket {
    const EMPTY: Bucket = Bucket { low: [0; BUCKET_TAGS], high: [0; BUCKET_TAGS / 2], state: 0 };

    fn tag(&self, at: usize) -> u64 {
        let nibble = (self.high[at / 2] >> (4 * (at % 2))) & 0x0f;
        u64::from(nibble) << 32 | u64::from(self.low[at])
    }

    fn count(&self) -> usize {
        usize::from(self.state & COUNT)
    }

    #[inline]
    fn holds(&self, tag: u64) -> bool {
        let low = tag as u32;
        // Without an early exit this is a handful of vector instructions, and nearly always says no.
        let mut alike = 0;
        for other in self.low {
            alike |= u32::from(other == low);
        }
        alike != 0 && (0..self.count()).any(|at| self.tag(at) == tag)
    }

    fn push(&mut self, tag: u64) {
        let at = self.count();
        self.low[at] = tag as u32;
        self.high[at / 2] |= ((tag >> 32) as u8) << (4 * (at % 2));
        self.state += 1;
    }
}

/// A part of the filter that grows by itself.
pub struct Shard {
    /// Never empty.
    buckets: Box<[Bucket]>,
    tags: u32,
}

impl Shard {
    fn with_buckets(count: usize) -> Shard {
        assert!(count > 0 && count < 1 << (64 - TAG_BITS), "the place of a tag is computed in 64 bits");
        Shard { buckets: vec![Bucket::EMPTY; count].into_boxed_slice(), tags: 0 }
    }

    #[inline]
    fn home(&self, tag: u64) -> usize {
        ((tag * self.buckets.len() as u64) >> TAG_BITS) as usize
    }

    #[inline]
    fn contains(&self, tag: u64) -> bool {
        let mut at = self.home(tag);
        loop {
            let bucket = &self.buckets[at];
            if bucket.holds(tag) {
                return true;
            }
            if bucket.state & SPILLED == 0 {
                return false;
            }
            at = if at + 1 == self.buckets.len() { 0 } else { at + 1 };
        }
    }

    fn place(&mut self, tag: u64) {
        let mut at = self.home(tag);
        while self.buckets[at].count() == BUCKET_TAGS {
            self.buckets[at].state |= SPILLED;
            at = if at + 1 == self.buckets.len() { 0 } else { at + 1 };
        }
        self.buckets[at].push(tag);
        self.tags += 1;
    }

    /// Adds the key unless it is there. `key` must belong to this shard.
    pub fn insert(&mut self, key: u64) {
        let tag = tag_of(key);
        if self.contains(tag) {
            return;
        }
        if self.tags as usize >= self.buckets.len() * GROWTH_TAGS {
            self.grow(key);
        }
        self.place(tag);
    }

    #[cold]
    fn grow(&mut self, key: u64) {
        let count = self.buckets.len();
        // The key that happens to come now decides by how much, which is as good as chance and repeats on replay.
        let chance = (key & 0x0f) as usize;
        let mut grown = Shard::with_buckets(count + 1 + count * 3 / 16 + count * chance / 128);
        for bucket in &self.buckets {
            for at in 0..bucket.count() {
                grown.place(bucket.tag(at));
            }
        }
        *self = grown;
    }

    #[inline]
    pub fn prefetch(&self, key: u64) {
        prefetch(&self.buckets[self.home(tag_of(key))]);
    }
}

/// A set of mixed keys with rare false positives.
pub struct Filter {
    shards: Vec<Shard>,
}

impl Filter {
    /// An empty filter with room for about `keys` keys.
    pub fn with_capacity(keys: u64) -> Filter {
        let buckets = keys as usize / SHARDS / LOADED_TAGS + 1;
        // Between 1 and 1.25 times what is needed, evenly: as if the shards had grown one after the other.
        let shards = (0..SHARDS).map(|shard| Shard::with_buckets(buckets + buckets * shard / (4 * SHARDS))).collect();
        Filter { shards }
    }

    /// The shards in the order of the keys they hold, for filling them in parallel.
    pub fn shards_mut(&mut self) -> &mut [Shard] {
        &mut self.shards
    }

    /// Adds a key.
    pub fn insert(&mut self, key: u64) {
        self.shards[shard_of(key)].insert(key);
    }

    /// False when the key was certainly never inserted.
    #[inline]
    pub fn contains(&self, key: u64) -> bool {
        self.shards[shard_of(key)].contains(tag_of(key))
    }

    /// Brings the memory that the other calls will look at nearer.
    #[inline]
    pub fn prefetch(&self, key: u64) {
        self.shards[shard_of(key)].prefetch(key);
    }

    /// Memory in bytes.
    pub fn bytes(&self) -> u64 {
        self.shards.iter().map(|shard| (size_of::<Shard>() + size_of_val(&*shard.buckets)) as u64).sum()
    }
}

/// The shard of a mixed key; ascending with the key.
#[inline]
pub fn shard_of(key: u64) -> usize {
    (key >> (64 - SHARD_BITS)) as usize
}

/// The smallest mixed key of a shard.
pub fn shard_start(shard: usize) -> u64 {
    (shard as u64) << (64 - SHARD_BITS)
}

#[inline]
fn tag_of(key: u64) -> u64 {
    key >> (64 - SHARD_BITS - TAG_BITS) & ((1 << TAG_BITS) - 1)
}

/// Tells the processor that `place` will be read soon.
#[inline]
pub fn prefetch<T>(place: &T) {
    #[cfg(target_arch = "x86_64")]
    #[allow(unsafe_code, reason = "there is no safe form of this instruction")]
    // SAFETY: a prefetch is a hint. It neither reads nor writes, cannot fault, and is allowed for any address.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(place).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

#[cfg(test)]
mod tests {
    use super::super::mix::mix;
    use super::*;

    /// Proves that growth loses no key, that false positives are as rare as promised, and what a key costs.
    #[test]
    fn holds_every_key_through_growth_and_little_else() {
        let mut filter = Filter::with_capacity(0);
        let mut largest = 0;
        for key in 0..400_000 {
            let before = filter.shards[shard_of(mix(key))].buckets.len();
            filter.insert(mix(key));
            let after = filter.shards[shard_of(mix(key))].buckets.len();
            largest = largest.max((after - before) * 4 * usize::from(before >= 8) / before);
        }
        assert_eq!(largest, 1, "a shard never doubles once it has some size");
        for key in 0..400_000 {
            assert!(filter.contains(mix(key)), "key {key} was lost");
        }
        let false_positives = (400_000..2_400_000).filter(|&key| filter.contains(mix(key))).count();
        assert!(false_positives <= 1, "{false_positives} of 2 million");
        let bytes = filter.bytes() / 400_000;
        assert!(bytes < 8, "{bytes} bytes a key");
    }

    /// Proves that shards do not grow together: between any two neighbouring thousands of keys, few do.
    #[test]
    fn growth_is_staggered() {
        let mut filter = Filter::with_capacity(0);
        let mut growths_most = 0;
        for thousand in 0..1000_u64 {
            let mut growths = 0;
            for key in thousand * 1000..(thousand + 1) * 1000 {
                let key = mix(key);
                let before = filter.shards[shard_of(key)].buckets.len();
                filter.insert(key);
                growths += usize::from(filter.shards[shard_of(key)].buckets.len() != before);
            }
            if thousand > 500 {
                growths_most = growths_most.max(growths);
            }
        }
        assert!(growths_most < 120, "{growths_most} of {SHARDS} shards grew within one thousand keys");
    }

    /// Proves that a key that is inserted again and again takes one place only.
    #[test]
    fn repeated_keys_take_no_room() {
        let mut filter = Filter::with_capacity(0);
        let before = filter.bytes();
        for _ in 0..100_000 {
            filter.insert(mix(7));
        }
        assert_eq!(filter.bytes(), before);
    }

    /// Proves that a filter made for a number of keys takes them in order without growing much.
    #[test]
    fn a_filter_made_for_its_keys_hardly_grows() {
        let mut keys: Vec<u64> = (0..400_000).map(mix).collect();
        keys.sort_unstable();
        let mut filter = Filter::with_capacity(400_000);
        let before = filter.bytes();
        for &key in &keys {
            filter.insert(key);
        }
        assert!(filter.bytes() - before < before / 10);
        assert!(keys.iter().all(|&key| filter.contains(key)));
    }
}
