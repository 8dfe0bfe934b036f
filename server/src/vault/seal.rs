//! AES-256-GCM with random nonces, from the crate `aes-gcm`; nothing here is invented.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use zeroize::Zeroizing;

/// Bytes of a nonce.
pub const NONCE_BYTES: usize = 12;
/// Bytes of a key.
pub const KEY_BYTES: usize = 32;
/// What fields are sealed for, so that they cannot be passed off as something else.
const FIELDS: &[u8] = b"florin identity 1";

/// Why something was not sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealFault {
    /// The system has no random bits.
    Random,
    /// It does not open: another key, or other bytes.
    Opened,
}

/// Random bytes from the system.
pub fn random<const COUNT: usize>() -> Result<[u8; COUNT], SealFault> {
    let mut bytes = [0; COUNT];
    getrandom::fill(&mut bytes).map_err(|_| SealFault::Random)?;
    Ok(bytes)
}

/// Nonce, sealed bytes, and the tag of 16 bytes.
pub fn seal(key: &[u8; KEY_BYTES], about: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealFault> {
    let nonce = random::<NONCE_BYTES>()?;
    let cipher = Aes256Gcm::new(key.into());
    let sealed = cipher.encrypt(Nonce::from_slice(&nonce), Payload { msg: plain, aad: about });
    Ok([&nonce[..], &sealed.map_err(|_| SealFault::Opened)?].concat())
}

/// Opens what [`seal`] made.
pub fn open(key: &[u8; KEY_BYTES], about: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealFault> {
    let (nonce, sealed) = sealed.split_at_checked(NONCE_BYTES).ok_or(SealFault::Opened)?;
    let cipher = Aes256Gcm::new(key.into());
    cipher.decrypt(Nonce::from_slice(nonce), Payload { msg: sealed, aad: about }).map_err(|_| SealFault::Opened)
}

/// The key of one identity. Wiped from memory when dropped.
pub struct DataKey(pub(super) Zeroizing<[u8; KEY_BYTES]>);

impl DataKey {
    /// A new one.
    pub fn make() -> Result<DataKey, SealFault> {
        Ok(DataKey(Zeroizing::new(random()?)))
    }

    /// Seals fields. The name of the key is bound to them.
    pub fn seal(&self, id: &[u8; 16], plain: &[u8]) -> Result<Vec<u8>, SealFault> {
        seal(&self.0, &about(FIELDS, id), plain)
    }

    /// Opens fields.
    pub fn open(&self, id: &[u8; 16], sealed: &[u8]) -> Result<Vec<u8>, SealFault> {
        open(&self.0, &about(FIELDS, id), sealed)
    }
}

/// What something is sealed for, and the name of the key.
pub fn about(purpose: &[u8], id: &[u8; 16]) -> Vec<u8> {
    [purpose, id].concat()
}
