//! A bijection of 64-bit numbers that spreads any set of keys evenly.
//!
//! Everything behind it (the filter's shards, the slots of a tail, the sketches of the runs) relies on even keys, and row
//! numbers are not. Being a bijection it loses nothing: the key itself comes back with [`unmix`].

/// The stored form of `key`.
pub fn mix(key: u64) -> u64 {
    let mut mixed = key;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The key whose stored form is `mixed`.
pub fn unmix(mixed: u64) -> u64 {
    let mut key = mixed;
    key = (key ^ (key >> 31) ^ (key >> 62)).wrapping_mul(0x3196_42b2_d24d_8ec3);
    key = (key ^ (key >> 27) ^ (key >> 54)).wrapping_mul(0x96de_1b17_3f11_9089);
    key ^ (key >> 30) ^ (key >> 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves that no two keys share a stored form: each comes back from its own.
    #[test]
    fn unmix_undoes_mix() {
        let mut key = 1_u64;
        for step in 0..10_000_u64 {
            for key in [key, step, !step, step << 40] {
                assert_eq!(unmix(mix(key)), key);
            }
            key = key.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(step);
        }
    }
}
