//! Another master key: every key is wrapped anew, in a new file that takes the place of the old one in one step. A crash
//! before that step leaves the old file, one after it the new one; what is half written is removed at the next start.

use super::master::MasterKey;
use super::slots::{self, SLOT_BYTES, Slot};
use super::{SLOTS_FILE, SLOTS_FILE_NEW, VaultFault, read_block};
use journal::disk::{Access, Disk};
use std::path::Path;

/// What a rotation did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Rotated {
    /// Keys that were wrapped anew.
    pub keys: u32,
    /// Slots that are damaged, and were taken over as they are.
    pub damaged: u32,
    /// Whether the new key was in force already: a rotation before this one was done.
    pub already: bool,
}

/// Wraps all keys of a vault that nobody uses with another master key.
pub fn rotate(disk: &dyn Disk, folder: &Path, old: &MasterKey, new: &MasterKey) -> Result<Rotated, VaultFault> {
    let path = folder.join(SLOTS_FILE);
    let fault = |source| VaultFault::Disk { path: path.clone(), source };
    let temporary = folder.join(SLOTS_FILE_NEW);
    if disk.exists(&temporary).map_err(fault)? {
        disk.remove(&temporary).map_err(fault)?;
    }
    if !disk.exists(&path).map_err(fault)? {
        return Err(VaultFault::Missing(path));
    }
    let from = disk.open(&path, Access::Read).map_err(fault)?;
    let head = read_block(&*from, 0).map_err(fault)?.ok_or_else(|| VaultFault::Format(path.clone()))?;
    if let Err(wrong) = slots::check_head(&head, old, &path) {
        // After a crash the caller cannot know whether it was done.
        return match slots::check_head(&head, new, &path) {
            Ok(()) => Ok(Rotated { already: true, ..Rotated::default() }),
            Err(_) => Err(wrong),
        };
    }
    let to = disk.open(&temporary, Access::Create).map_err(fault)?;
    to.write_at(&slots::head(new)?, 0).map_err(fault)?;
    let mut rotated = Rotated::default();
    let mut offset = SLOT_BYTES as u64;
    while let Some(block) = read_block(&*from, offset).map_err(fault)? {
        let block = match Slot::parse(&block) {
            Slot::Empty => block,
            Slot::Damaged => {
                rotated.damaged += 1;
                block
            }
            Slot::Key { id, wrapped } => {
                rotated.keys += 1;
                slots::bytes(new, &id, &old.unwrap(&id, &wrapped)?)?
            }
        };
        to.write_at(&block, offset).map_err(fault)?;
        offset += SLOT_BYTES as u64;
    }
    to.sync().map_err(fault)?;
    disk.rename(&temporary, &path).map_err(fault)?;
    Ok(rotated)
}
