//! Keyed hashes of references.

use siphasher::sip::SipHasher13;
use std::hash::Hasher;

/// The key of the hashes of one data folder. Random, so that nobody can make references whose hashes collide.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FingerprintKey(pub [u8; 16]);

impl FingerprintKey {
    /// The hash of a reference.
    pub fn of(&self, reference: &str) -> u64 {
        let mut hasher = SipHasher13::new_with_key(&self.0);
        hasher.write(reference.as_bytes());
        hasher.finish()
    }

    /// The hash of a key that a request was sent with; it shares an index with references.
    pub fn of_key(&self, name: &str) -> u64 {
        self.of_parts("\0idempotency-key\0", name)
    }

    /// The hash of a reference with a suffix, without joining the two.
    pub fn of_parts(&self, reference: &str, suffix: &str) -> u64 {
        let mut hasher = SipHasher13::new_with_key(&self.0);
        hasher.write(reference.as_bytes());
        hasher.write(suffix.as_bytes());
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_hash_as_their_whole() {
        let key = FingerprintKey([7; 16]);
        assert_eq!(key.of("order-17_q"), key.of_parts("order-17", "_q"));
        assert_ne!(key.of("order-17_q"), FingerprintKey([8; 16]).of("order-17_q"));
    }
}
