//! The hashes of RFC 6962: a leaf is SHA-256 of a zero byte and its data, a node is SHA-256 of a one byte and both below it.
//!
//! Each of them is two blocks of SHA-256, and that is nearly all that the tree costs.

use sha2::{Digest, Sha256};

/// A hash.
pub type Hash = [u8; 32];

/// Bytes of the data of a leaf: as many as two blocks of SHA-256 hold beside the prefix, the padding and the length.
pub const LEAF_BYTES: usize = 118;

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
    out.extend(data.iter().map(|data| leaf(data)));
}

/// The root above hashes that follow each other, a power of two of them. They are used up.
pub fn whole(hashes: &mut Vec<Hash>) -> Hash {
    assert!(hashes.len().is_power_of_two(), "a whole tree has a power of two leaves");
    while hashes.len() > 1 {
        let half = hashes.len() / 2;
        for at in 0..half {
            hashes[at] = node(&hashes[2 * at], &hashes[2 * at + 1]);
        }
        hashes.truncate(half);
    }
    hashes[0]
}

#[cfg(test)]
mod tests {
    use super::*;

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
