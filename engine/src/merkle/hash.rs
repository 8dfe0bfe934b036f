//! The hashes of RFC 6962: a leaf is SHA-256 of a zero byte and its data, a node is SHA-256 of a one byte and both below it.
//!
//! Each of them is two blocks of SHA-256, and that is nearly all that the tree costs. The processor's instruction for it waits
//! for itself: two messages at once, in lanes, take about as long as one.

use sha2::{Digest, Sha256};

/// A hash.
pub type Hash = [u8; 32];

/// Bytes of the data of a leaf: as many as two blocks hold beside the prefix, the padding and the length.
pub const LEAF_BYTES: usize = 118;
const LEAF_HASHED: usize = LEAF_BYTES + 1;
const NODE_HASHED: usize = 65;
const MESSAGE_BYTES: usize = 128;

/// What is hashed for a leaf or a node, padded to two blocks.
pub type Message = [u8; MESSAGE_BYTES];

/// The hash of a leaf with any data.
pub fn leaf(data: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(data).finalize().into()
}

/// The hash of a node.
pub fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// The root of a tree without leaves.
pub fn empty() -> Hash {
    Sha256::digest([]).into()
}

/// The message of a leaf.
pub fn leaf_message(data: &[u8; LEAF_BYTES]) -> Message {
    let mut message = padded(LEAF_HASHED);
    message[1..LEAF_HASHED].copy_from_slice(data);
    message
}

fn node_message(left: &Hash, right: &Hash) -> Message {
    let mut message = padded(NODE_HASHED);
    message[0] = 1;
    message[1..33].copy_from_slice(left);
    message[33..NODE_HASHED].copy_from_slice(right);
    message
}

/// A message of so many zero bytes, with what SHA-256 puts behind it.
const fn padded(hashed: usize) -> Message {
    let mut message = [0; MESSAGE_BYTES];
    message[hashed] = 0x80;
    let bits = (hashed as u16 * 8).to_be_bytes();
    message[MESSAGE_BYTES - 2] = bits[0];
    message[MESSAGE_BYTES - 1] = bits[1];
    message
}

/// Appends the hashes of leaves.
pub fn leaves(messages: &[Message], out: &mut Vec<Hash>) {
    let (pairs, rest) = messages.as_chunks::<2>();
    for pair in pairs {
        out.extend(two(pair, LEAF_HASHED));
    }
    out.extend(rest.iter().map(|message| hash_of(message, LEAF_HASHED)));
}

/// The root above hashes that follow each other, a power of two of them. They are used up.
pub fn whole(hashes: &mut Vec<Hash>) -> Hash {
    assert!(hashes.len().is_power_of_two(), "a whole tree has a power of two leaves");
    while hashes.len() > 1 {
        let mut kept = 0;
        for at in (0..hashes.len()).step_by(4) {
            if let [a, b, c, d] = hashes[at..hashes.len().min(at + 4)] {
                let [left, right] = two(&[node_message(&a, &b), node_message(&c, &d)], NODE_HASHED);
                hashes[kept] = left;
                hashes[kept + 1] = right;
                kept += 2;
            } else {
                hashes[kept] = node(&hashes[at], &hashes[at + 1]);
                kept += 1;
            }
        }
        hashes.truncate(kept);
    }
    hashes[0]
}

/// The hashes of two messages, of which so many bytes are hashed.
fn two(messages: &[Message; 2], hashed: usize) -> [Hash; 2] {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("sha") && is_x86_feature_detected!("ssse3") && is_x86_feature_detected!("sse4.1") {
        #[allow(unsafe_code, reason = "the compiler cannot know what the processor was asked for")]
        // SAFETY: the function needs instructions that the processor was just asked for, and nothing else.
        return unsafe { lanes::two(messages) };
    }
    [hash_of(&messages[0], hashed), hash_of(&messages[1], hashed)]
}

fn hash_of(message: &Message, hashed: usize) -> Hash {
    Sha256::digest(&message[..hashed]).into()
}

#[cfg(target_arch = "x86_64")]
mod lanes {
    use super::{Hash, Message};
    use std::arch::x86_64::{
        __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_extract_epi32, _mm_set_epi32, _mm_set_epi64x,
        _mm_sha256msg1_epu32, _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32, _mm_shuffle_epi8, _mm_shuffle_epi32,
    };

    const LANES: usize = 2;

    /// FIPS 180-4, 5.3.3: the first 32 bits of the fractions of the square roots of the first 8 primes.
    const START: [u32; 8] =
        [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];
    /// FIPS 180-4, 4.2.2: the same of the cube roots of the first 64 primes.
    const ROUNDS: [u32; 64] = [
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
        0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
        0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
        0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
        0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
        0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
        0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
        0xc67178f2,
    ];

    type Words = [__m128i; LANES];

    /// The hashes of two padded messages of two blocks.
    #[allow(clippy::needless_range_loop, reason = "lanes go side by side through several arrays")]
    #[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
    pub fn two(messages: &[Message; LANES]) -> [Hash; LANES] {
        // The instruction wants the eight words of the state as a, b, e, f and c, d, g, h, the first in the highest place.
        let of = |places: [usize; 4]| {
            let [a, b, c, d] = places.map(|place| START[place] as i32);
            _mm_set_epi32(a, b, c, d)
        };
        let mut abef = [of([0, 1, 4, 5]); LANES];
        let mut cdgh = [of([2, 3, 6, 7]); LANES];
        for block in 0..2 {
            let before = (abef, cdgh);
            let mut words: [Words; 4] =
                std::array::from_fn(|four| std::array::from_fn(|lane| load(&messages[lane], block * 64 + four * 16)));
            for group in 0..16 {
                let (now, next) = (group % 4, [(group + 1) % 4, (group + 2) % 4, (group + 3) % 4]);
                if group >= 4 {
                    for lane in 0..LANES {
                        let [second, third, last] = next.map(|four| words[four][lane]);
                        let sum = _mm_add_epi32(
                            _mm_sha256msg1_epu32(words[now][lane], second),
                            _mm_alignr_epi8::<4>(last, third),
                        );
                        words[now][lane] = _mm_sha256msg2_epu32(sum, last);
                    }
                }
                let [a, b, c, d]: [i32; 4] = std::array::from_fn(|at| ROUNDS[group * 4 + at] as i32);
                let constants = _mm_set_epi32(d, c, b, a);
                for lane in 0..LANES {
                    let sum = _mm_add_epi32(words[now][lane], constants);
                    cdgh[lane] = _mm_sha256rnds2_epu32(cdgh[lane], abef[lane], sum);
                    abef[lane] = _mm_sha256rnds2_epu32(abef[lane], cdgh[lane], _mm_shuffle_epi32::<0x0e>(sum));
                }
            }
            for lane in 0..LANES {
                abef[lane] = _mm_add_epi32(abef[lane], before.0[lane]);
                cdgh[lane] = _mm_add_epi32(cdgh[lane], before.1[lane]);
            }
        }
        std::array::from_fn(|lane| store(abef[lane], cdgh[lane]))
    }

    /// Four words of a message, of which the first has the lowest place.
    #[inline]
    #[target_feature(enable = "sse2,ssse3")]
    fn load(message: &Message, at: usize) -> __m128i {
        let half = |from: usize| i64::from_le_bytes(message[from..from + 8].try_into().expect("a slice of 8 bytes"));
        let turned = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
        _mm_shuffle_epi8(_mm_set_epi64x(half(at + 8), half(at)), turned)
    }

    #[inline]
    #[target_feature(enable = "sse4.1")]
    fn store(abef: __m128i, cdgh: __m128i) -> Hash {
        let words = [
            _mm_extract_epi32::<3>(abef),
            _mm_extract_epi32::<2>(abef),
            _mm_extract_epi32::<3>(cdgh),
            _mm_extract_epi32::<2>(cdgh),
            _mm_extract_epi32::<1>(abef),
            _mm_extract_epi32::<0>(abef),
            _mm_extract_epi32::<1>(cdgh),
            _mm_extract_epi32::<0>(cdgh),
        ];
        let mut hash = [0; 32];
        for (bytes, word) in hash.chunks_exact_mut(4).zip(words) {
            bytes.copy_from_slice(&word.to_be_bytes());
        }
        hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves that lanes hash as SHA-256 does, for leaves and for nodes, in whatever number.
    #[test]
    fn lanes_hash_as_one_by_one() {
        let data: Vec<[u8; LEAF_BYTES]> = (0..33u8).map(|n| std::array::from_fn(|at| n ^ (at as u8) << 1)).collect();
        let messages: Vec<Message> = data.iter().map(leaf_message).collect();
        for count in 0..=data.len() {
            let mut hashes = Vec::new();
            leaves(&messages[..count], &mut hashes);
            let wanted: Vec<Hash> = data[..count].iter().map(|data| leaf(data)).collect();
            assert_eq!(hashes, wanted);
        }
        for levels in 0..6 {
            let mut hashes: Vec<Hash> = data[..1 << levels].iter().map(|data| leaf(data)).collect();
            let mut wanted = hashes.clone();
            while wanted.len() > 1 {
                wanted = wanted.chunks(2).map(|two| node(&two[0], &two[1])).collect();
            }
            assert_eq!(whole(&mut hashes), wanted[0], "{levels} levels");
        }
    }
}
