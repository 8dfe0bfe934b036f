//! The hashes of RFC 6962: a leaf is SHA-256 of a zero byte and its data, a node is SHA-256 of a one byte and both below it.
//!
//! Each of them is two blocks of SHA-256, and that is nearly all that the tree costs. So two are made at once, where the processor can.

#[cfg(target_arch = "x86_64")]
mod twin;

use sha2::digest::generic_array::GenericArray;
use sha2::digest::generic_array::typenum::U64;
use sha2::{Digest, Sha256};

/// A hash.
pub type Hash = [u8; 32];

/// Bytes of the data of a leaf: as many as two blocks of SHA-256 hold beside the prefix, the padding and the length.
pub const LEAF_BYTES: usize = 118;

/// Bytes of a node that are hashed: the prefix and both below it.
const NODE_HASHED: usize = 65;
/// Bytes that SHA-256 takes at once, and of the two blocks that leaves and nodes are.
const BLOCK_BYTES: usize = 64;
const MESSAGE_BYTES: usize = 2 * BLOCK_BYTES;

type Block = GenericArray<u8, U64>;
/// What is hashed, with its padding.
type Message = [u8; MESSAGE_BYTES];

/// What SHA-256 begins with: FIPS 180-4, 5.3.3.
const START: [u32; 8] =
    [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];

/// The data of a leaf.
pub type LeafData = [u8; LEAF_BYTES];

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

/// Appends the hashes of leaves.
pub fn leaves(data: &[LeafData], out: &mut Vec<Hash>) {
    let mut messages = [padded(1 + LEAF_BYTES); 2];
    let (pairs, last) = data.as_chunks::<2>();
    for pair in pairs {
        for (message, data) in messages.iter_mut().zip(pair) {
            message[1..=LEAF_BYTES].copy_from_slice(data);
        }
        out.extend(hashes_of(&messages));
    }
    out.extend(last.iter().map(|data| leaf(data)));
}

/// The root above hashes that follow each other, a power of two of them. They are used up.
pub fn whole(hashes: &mut Vec<Hash>) -> Hash {
    assert!(hashes.len().is_power_of_two(), "a whole tree has a power of two leaves");
    let mut messages = [padded(NODE_HASHED); 2];
    messages[0][0] = 1;
    messages[1][0] = 1;
    while hashes.len() > 2 {
        let half = hashes.len() / 2;
        for at in (0..half).step_by(2) {
            for (node, message) in messages.iter_mut().enumerate() {
                message[1..33].copy_from_slice(&hashes[2 * (at + node)]);
                message[33..NODE_HASHED].copy_from_slice(&hashes[2 * (at + node) + 1]);
            }
            hashes[at..at + 2].copy_from_slice(&hashes_of(&messages));
        }
        hashes.truncate(half);
    }
    match &hashes[..] {
        [left, right] => node(left, right),
        hashes => hashes[0],
    }
}

/// A message of so many zero bytes, with what SHA-256 puts behind it: FIPS 180-4, 5.1.1.
fn padded(hashed: usize) -> Message {
    let mut message = [0; MESSAGE_BYTES];
    message[hashed] = 0x80;
    message[MESSAGE_BYTES - 8..].copy_from_slice(&(hashed as u64 * 8).to_be_bytes());
    message
}

/// The hashes of two padded messages.
fn hashes_of(messages: &[Message; 2]) -> [Hash; 2] {
    #[cfg(target_arch = "x86_64")]
    if let Some(hashes) = twin::hash(messages) {
        return hashes;
    }
    messages.map(|message| hash_of(&message))
}

/// The hash of a padded message. All have the same length, so nothing is to be collected first.
fn hash_of(message: &Message) -> Hash {
    let mut words = START;
    let (first, second) = message.split_at(BLOCK_BYTES);
    sha2::compress256(&mut words, &[*Block::from_slice(first), *Block::from_slice(second)]);
    let mut hash = [0; 32];
    for (bytes, word) in hash.chunks_exact_mut(4).zip(words) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves that two at once, by whatever instructions, are hashed as the library hashes one.
    #[test]
    fn two_hash_as_one_by_one() {
        let mut word = 1u64;
        for _ in 0..1000 {
            let messages: [Message; 2] = std::array::from_fn(|_| {
                std::array::from_fn(|_| {
                    word = word.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
                    (word >> 56) as u8
                })
            });
            assert_eq!(hashes_of(&messages), messages.map(|message| hash_of(&message)));
        }
    }

    /// Proves that many at once are hashed as each by itself, leaves and nodes, in whatever number.
    #[test]
    fn many_hash_as_one_by_one() {
        let data: Vec<LeafData> = (0..33u8).map(|n| std::array::from_fn(|at| n ^ (at as u8) << 1)).collect();
        for count in 0..=data.len() {
            let mut hashes = Vec::new();
            leaves(&data[..count], &mut hashes);
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
