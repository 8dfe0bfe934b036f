//! `florin keys rotate`: another master key for the keys of identities.

use super::Failure;
use crate::config::Settings;
use crate::vault::master::{self, MasterKey};
use crate::vault::{KEYS_FOLDER, VaultFault, rotate};
use engine::folder::Folder;
use journal::disk::RealDisk;
use std::path::Path;

/// Wraps all keys of a data folder that no server uses with the key in a file.
pub fn rotate(settings: &Settings, data: &Path, new_key_file: &Path) -> Result<(), Failure> {
    let text = |fault: &dyn std::error::Error| Failure(engine::fault_text(fault));
    let new = MasterKey::read(new_key_file).map_err(|fault| text(&fault))?;
    // Held until the end, so that no server starts meanwhile.
    let _folder = Folder::open(data, false).map_err(|fault| text(&fault))?;
    let (folder, privacy) = (data.join(KEYS_FOLDER), &settings.privacy);
    if !folder.join(crate::vault::SLOTS_FILE).exists() {
        return Err(text(&VaultFault::Missing(folder.join(crate::vault::SLOTS_FILE))));
    }
    let old =
        master::find(&privacy.master_key, privacy.master_key_file.as_deref(), &folder).map_err(|fault| text(&fault))?;
    let rotated = rotate::rotate(&RealDisk::new(), &folder, &old.key, &new).map_err(|fault| text(&fault))?;
    if rotated.already {
        println!("the keys are wrapped with the new master key already");
    } else {
        println!("wrapped {} keys with the new master key", rotated.keys);
    }
    if rotated.damaged > 0 {
        println!("{} slots are damaged and were left as they are", rotated.damaged);
    }
    println!("from now on start the server with FLORIN_MASTER_KEY_FILE={}", new_key_file.display());
    println!("keep the old master key as long as there are backups of keys/ from before");
    Ok(())
}
