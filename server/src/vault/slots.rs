//! The bytes of the file of keys: blocks of [`SLOT_BYTES`], the first of them the head. `docs/journal-format.md` tells them.
//!
//! | at | bytes | of the head | of a slot |
//! |---|---|---|---|
//! | 0 | 8 | `FLORINK1` | 1, and seven zeros |
//! | 8 | 16 | random: the name of the file | random: the name of the key |
//! | 24 | 60 | 32 zeros, sealed with the master key | the key, sealed with the master key |
//! | 84 | 36 | zeros | zeros |
//! | 120 | 8 | the first bytes of the SHA-256 of what is before | the same |
//!
//! An empty slot is all zeros.

use super::VaultFault;
use super::master::MasterKey;
use super::seal::{DataKey, KEY_BYTES, SealFault, random};
use sha2::{Digest, Sha256};
use std::path::Path;
use zeroize::Zeroizing;

/// Bytes of a slot.
pub const SLOT_BYTES: usize = 128;
const MAGIC: &[u8; 8] = b"FLORINK1";
const KEY: &[u8; 8] = &[1, 0, 0, 0, 0, 0, 0, 0];
const WRAPPED: std::ops::Range<usize> = 24..84;
const CHECKSUM: usize = 120;

/// What a slot holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Slot {
    /// Nothing.
    Empty,
    /// A key.
    Key {
        /// Its name.
        id: [u8; 16],
        /// The key, sealed with the master key.
        wrapped: Vec<u8>,
    },
    /// Something that was never written so.
    Damaged,
}

impl Slot {
    /// Reads a slot.
    pub fn parse(block: &[u8; SLOT_BYTES]) -> Slot {
        if block.iter().all(|byte| *byte == 0) {
            return Slot::Empty;
        }
        match parts(block, KEY) {
            Some((id, wrapped)) => Slot::Key { id, wrapped: wrapped.to_vec() },
            None => Slot::Damaged,
        }
    }
}

/// Where a slot is in the file.
pub const fn offset(slot: u32) -> u64 {
    (slot as u64 + 1) * SLOT_BYTES as u64
}

/// The block of a key.
pub fn bytes(master: &MasterKey, id: &[u8; 16], key: &DataKey) -> Result<[u8; SLOT_BYTES], SealFault> {
    Ok(block(KEY, id, &master.wrap(id, key)?))
}

/// A new head: it tells whether a master key is the right one.
pub fn head(master: &MasterKey) -> Result<[u8; SLOT_BYTES], SealFault> {
    let id = random()?;
    Ok(block(MAGIC, &id, &master.wrap(&id, &DataKey(Zeroizing::new([0; KEY_BYTES])))?))
}

/// Checks a head.
pub fn check_head(head: &[u8; SLOT_BYTES], master: &MasterKey, path: &Path) -> Result<(), VaultFault> {
    let (id, wrapped) = parts(head, MAGIC).ok_or_else(|| VaultFault::Format(path.to_owned()))?;
    master.unwrap(&id, wrapped).map(drop).map_err(|_| VaultFault::WrongMaster(path.to_owned()))
}

/// Whether a block is a head, of whichever master key.
pub fn is_head(block: &[u8; SLOT_BYTES]) -> bool {
    parts(block, MAGIC).is_some()
}

fn block(kind: &[u8; 8], id: &[u8; 16], wrapped: &[u8]) -> [u8; SLOT_BYTES] {
    let mut block = [0; SLOT_BYTES];
    block[..8].copy_from_slice(kind);
    block[8..24].copy_from_slice(id);
    block[WRAPPED].copy_from_slice(wrapped);
    let checksum = Sha256::digest(&block[..CHECKSUM]);
    block[CHECKSUM..].copy_from_slice(&checksum[..8]);
    block
}

fn parts<'a>(block: &'a [u8; SLOT_BYTES], kind: &[u8; 8]) -> Option<([u8; 16], &'a [u8])> {
    let good = block[..8] == *kind && Sha256::digest(&block[..CHECKSUM])[..8] == block[CHECKSUM..];
    good.then(|| (block[8..24].try_into().expect("16 bytes"), &block[WRAPPED]))
}
