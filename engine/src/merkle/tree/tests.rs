//! Against the published example of RFC 6962 (Certificate Transparency's tree of eight leaves), and all small trees against the
//! definitions of the RFC, word for word.

use super::*;

const INPUTS: [&[u8]; 8] = [
    b"",
    &[0x00],
    &[0x10],
    &[0x20, 0x21],
    &[0x30, 0x31],
    &[0x40, 0x41, 0x42, 0x43],
    &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
    &[0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f],
];

const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

const INCLUSIONS: [(u64, u64, &[&str]); 5] = [
    (0, 1, &[]),
    (
        0,
        8,
        &[
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        5,
        8,
        &[
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (2, 3, &["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (
        1,
        5,
        &[
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
];

const CONSISTENCIES: [(u64, u64, &[&str]); 4] = [
    (1, 1, &[]),
    (
        1,
        8,
        &[
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6,
        8,
        &[
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (
        2,
        5,
        &[
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
];

fn hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hexes(path: &[Hash]) -> Vec<String> {
    path.iter().map(hex).collect()
}

fn good<T>(made: Result<T, std::convert::Infallible>) -> T {
    made.expect("leaves in memory are there")
}

/// RFC 6962, 2.1.
fn merkle_tree_hash(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => hash::empty(),
        [leaf] => *leaf,
        leaves => {
            let (left, right) = leaves.split_at(leaves.len().div_ceil(2).next_power_of_two());
            hash::node(&merkle_tree_hash(left), &merkle_tree_hash(right))
        }
    }
}

/// RFC 6962, 2.1.1.
fn path(m: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let k = leaves.len().div_ceil(2).next_power_of_two();
    let (left, right) = leaves.split_at(k);
    let (mut below, beside) = if m < k { (path(m, left), right) } else { (path(m - k, right), left) };
    below.push(merkle_tree_hash(beside));
    below
}

/// RFC 6962, 2.1.2.
fn subproof(m: usize, leaves: &[Hash], is_known: bool) -> Vec<Hash> {
    if m == leaves.len() {
        return if is_known { Vec::new() } else { vec![merkle_tree_hash(leaves)] };
    }
    let k = leaves.len().div_ceil(2).next_power_of_two();
    let (left, right) = leaves.split_at(k);
    let (mut below, beside) =
        if m <= k { (subproof(m, left, is_known), right) } else { (subproof(m - k, right, false), left) };
    below.push(merkle_tree_hash(beside));
    below
}

#[test]
fn the_published_example() {
    let leaves = INPUTS.map(hash::leaf);
    for (size, wanted) in ROOTS.iter().enumerate() {
        assert_eq!(hex(&good(root(&mut Leaves(&leaves[..size]), size as u64))), *wanted, "{size} leaves");
    }
    for (index, size, wanted) in INCLUSIONS {
        let made = good(inclusion(&mut Leaves(&leaves), index, size));
        assert_eq!(hexes(&made), wanted, "leaf {index} of {size}");
        let root = root_of_inclusion(leaves[index as usize], index, size, &made).expect("it is as long as it must be");
        assert_eq!(hex(&root), ROOTS[size as usize]);
    }
    for (before, size, wanted) in CONSISTENCIES {
        assert_eq!(hexes(&good(consistency(&mut Leaves(&leaves), before, size))), wanted, "{before} and {size}");
    }
}

/// All proofs of all trees up to this size are those of the RFC, are accepted, and are refused with any other number, root,
/// leaf or hash.
#[test]
fn all_small_trees() {
    const SIZES: usize = 140;
    let leaves: Vec<Hash> = (0..SIZES as u64).map(|number| hash::leaf(&number.to_le_bytes())).collect();
    let roots: Vec<Hash> = (0..=SIZES).map(|size| merkle_tree_hash(&leaves[..size])).collect();
    let mut peaks = Peaks::default();
    for size in 1..=SIZES {
        assert_eq!(good(root(&mut Leaves(&leaves), size as u64)), roots[size]);
        peaks.push(leaves[size - 1], |_| {});
        assert_eq!(peaks.root(None), roots[size], "trees grow to the same");
        let other = [9; 32];
        for index in 0..size {
            let made = good(inclusion(&mut Leaves(&leaves), index as u64, size as u64));
            assert_eq!(made, path(index, &leaves[..size]), "leaf {index} of {size}");
            let leads = |leaf, index: usize, size: usize, path: &[Hash]| {
                root_of_inclusion(leaf, index as u64, size as u64, path)
            };
            assert_eq!(leads(leaves[index], index, size, &made), Some(roots[size]));
            let next = (index + 1) % size;
            assert!(size == 1 || leads(leaves[index], next, size, &made) != Some(roots[size]), "another place");
            assert_ne!(leads(other, index, size, &made), Some(roots[size]), "another leaf");
            let longer = [&made[..], &[other]].concat();
            assert_ne!(leads(leaves[index], index, size, &longer), Some(roots[size]), "a hash more");
            for at in 0..made.len() {
                let mut changed = made.clone();
                changed[at][0] ^= 1;
                assert_ne!(leads(leaves[index], index, size, &changed), Some(roots[size]), "another hash");
                changed.remove(at);
                assert_ne!(leads(leaves[index], index, size, &changed), Some(roots[size]), "a hash less");
            }
        }
        for before in 0..=size {
            let made = good(consistency(&mut Leaves(&leaves), before as u64, size as u64));
            let wanted = if before == 0 { Vec::new() } else { subproof(before, &leaves[..size], true) };
            assert_eq!(made, wanted, "{before} and {size}");
            let (old, new) = ((before as u64, roots[before]), (size as u64, roots[size]));
            assert!(is_consistent(old, new, &made));
            assert!(!is_consistent((old.0, [7; 32]), new, &made), "another root before");
            assert!(before == 0 || !is_consistent(old, (new.0, [7; 32]), &made), "another root after");
            assert!(before == size || !is_consistent(new, old, &made), "the wrong way round");
            assert!(!is_consistent(old, new, &[&made[..], &[other]].concat()), "a hash more");
            for at in 0..made.len() {
                let mut changed = made.clone();
                changed[at][31] ^= 1;
                assert!(!is_consistent(old, new, &changed), "another hash");
                changed.remove(at);
                assert!(!is_consistent(old, new, &changed), "a hash less");
            }
        }
    }
}

/// Trees of different sizes are not taken for each other however large they are: no arithmetic overflows.
#[test]
fn the_largest_trees() {
    let path = vec![[1; 32]; 64];
    assert!(root_of_inclusion([0; 32], 0, u64::MAX, &path).is_some_and(|root| root != [1; 32]));
    assert!(root_of_inclusion([0; 32], u64::MAX - 1, u64::MAX, &path[1..]).is_some_and(|root| root != [1; 32]));
    assert_eq!(root_of_inclusion([0; 32], u64::MAX, u64::MAX, &path), None);
    assert!(!is_consistent((u64::MAX - 1, [1; 32]), (u64::MAX, [1; 32]), &path));
}
