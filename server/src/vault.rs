//! The vault: personal fields are sealed with a key of their own for each identity, and the keys are kept in one file, each
//! wrapped by the master key. Destroying a key is how personal data is deleted: what is sealed with it stays in the journal,
//! in its backups, and says nothing.
//!
//! Order. A key is on the disk before the event that needs it is submitted: without it the event could not be read. A key is
//! destroyed after the event that deletes its identity is durable: before that the identity is there. A crash between the two
//! leaves a key that nobody names, which is given to the next identity, or one of a deleted identity, which is destroyed by
//! [`Vault::settle`] at the next start.
//!
//! After a write or a sync that failed nobody knows what is on the disk: no key is made or destroyed any more until the
//! next start. Reading goes on.

pub mod check;
pub mod master;
pub mod rotate;
pub mod seal;
pub mod slots;

#[cfg(test)]
mod tests;

use journal::disk::{Access, Disk, File};
use ledger::identity::{Detail, KeyName, Sealed};
use ledger::state::State;
use master::MasterKey;
use seal::{DataKey, SealFault};
use slots::{SLOT_BYTES, Slot};
use std::collections::HashSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

/// The folder of the vault, in the data folder.
pub const KEYS_FOLDER: &str = "keys";
/// The file of the keys, in the folder of the vault.
pub const SLOTS_FILE: &str = "slots";
/// The same while it is being written anew.
pub const SLOTS_FILE_NEW: &str = "slots.new";
/// Keys that are made at once, so that a sync serves many identities.
pub const KEYS_AT_ONCE: u32 = 64;
/// Most slots of a vault.
pub const SLOTS_MAX: u32 = 1 << 30;

/// Why the vault could not do something.
#[derive(Debug)]
pub enum VaultFault {
    /// The disk failed.
    Disk {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not one of keys, or of another version.
    Format(PathBuf),
    /// The master key is not the one with which the keys were wrapped.
    WrongMaster(PathBuf),
    /// There are identities whose fields are sealed, and no file of keys.
    Missing(PathBuf),
    /// The key of an identity that exists is damaged or gone.
    Lost(KeyName),
    /// What was sealed was changed since.
    Sealed,
    /// The disk failed before; nothing is written until the next start.
    Stopped,
    /// As many keys as a vault can hold.
    Full,
    /// The system has no random bits.
    Random,
}

impl fmt::Display for VaultFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            VaultFault::Disk { path, .. } => write!(f, "cannot use {}", path.display()),
            VaultFault::Format(path) => write!(
                f,
                "{} is not a file of keys that this program knows; restore it from a backup of the folder keys/",
                path.display()
            ),
            VaultFault::WrongMaster(path) => write!(
                f,
                "the master key does not open {}: set FLORIN_MASTER_KEY or FLORIN_MASTER_KEY_FILE to the key that it was made or last \
                 rotated with",
                path.display()
            ),
            VaultFault::Missing(path) => write!(
                f,
                "{} is not there, but the journal holds identities that are sealed with its keys: restore the folder keys/ from a \
                 backup",
                path.display()
            ),
            VaultFault::Lost(key) => write!(
                f,
                "the key in slot {} of an identity is damaged or not there: restore the folder keys/ from a backup, or delete the identity",
                key.slot
            ),
            VaultFault::Sealed => write!(f, "sealed fields do not open with their key; run `florin verify`"),
            VaultFault::Stopped => {
                write!(f, "the keys of identities cannot be written since the disk failed; start the server again")
            }
            VaultFault::Full => write!(f, "the server holds as many keys of identities as it can"),
            VaultFault::Random => write!(f, "the system gives no random bits"),
        }
    }
}

impl std::error::Error for VaultFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            VaultFault::Disk { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl From<SealFault> for VaultFault {
    fn from(fault: SealFault) -> VaultFault {
        match fault {
            SealFault::Random => VaultFault::Random,
            SealFault::Opened => VaultFault::Sealed,
        }
    }
}

/// The keys of identities.
pub struct Vault {
    master: MasterKey,
    path: PathBuf,
    file: Arc<dyn File>,
    inner: Mutex<Inner>,
}

struct Inner {
    /// Slots of the file.
    count: u32,
    /// Slots without a key.
    free: Vec<u32>,
    /// Keys that are on the disk and that no identity has.
    ready: Vec<KeyName>,
    /// Keys that identities need and that are not there.
    lost: HashSet<KeyName>,
    stopped: bool,
}

/// What [`Vault::settle`] found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Keys of deleted identities that were still there, and were destroyed.
    pub destroyed: usize,
    /// Identities whose key is damaged or gone, by handle.
    pub lost: Vec<u32>,
}

impl Vault {
    /// Opens the vault in a folder, or makes it.
    pub fn open(disk: &dyn Disk, folder: &Path, master: MasterKey) -> Result<Vault, VaultFault> {
        let path = folder.join(SLOTS_FILE);
        let fault = |source| VaultFault::Disk { path: path.clone(), source };
        disk.create_folder(folder).map_err(fault)?;
        // A new file that was not finished: the one that it was to replace is whole.
        let new = folder.join(SLOTS_FILE_NEW);
        if disk.exists(&new).map_err(fault)? {
            disk.remove(&new).map_err(fault)?;
        }
        if !disk.exists(&path).map_err(fault)? {
            let file = disk.open(&new, Access::Create).map_err(fault)?;
            file.write_at(&slots::head(&master)?, 0).map_err(fault)?;
            file.sync().map_err(fault)?;
            disk.rename(&new, &path).map_err(fault)?;
        }
        let file = disk.open(&path, Access::Create).map_err(fault)?;
        let head = read_block(&*file, 0).map_err(fault)?.ok_or_else(|| VaultFault::Format(path.clone()))?;
        slots::check_head(&head, &master, &path)?;
        // A slot that a crash cut short was never told to anyone.
        let count = file.len().map_err(fault)?.div_ceil(SLOT_BYTES as u64).saturating_sub(1);
        let count = u32::try_from(count).ok().filter(|count| *count <= SLOTS_MAX).ok_or(VaultFault::Full)?;
        let inner = Inner { count, free: Vec::new(), ready: Vec::new(), lost: HashSet::new(), stopped: false };
        Ok(Vault { master, path, file, inner: Mutex::new(inner) })
    }

    /// Compares the keys with the identities, once, before anything is served: destroys keys of identities that were deleted,
    /// finds the keys that nobody has, and those that are missing.
    pub fn settle(&self, state: &State) -> Result<Settled, VaultFault> {
        let mut settled = Settled::default();
        let mut inner = self.lock();
        let mut slots: Vec<Slot> = Vec::with_capacity(inner.count as usize);
        for slot in 0..inner.count {
            slots.push(self.read(slot)?);
        }
        let holds = |slots: &[Slot], key: KeyName| match slots.get(key.slot as usize) {
            Some(Slot::Key { id, .. }) => *id == key.id,
            _ => false,
        };
        let mut named = HashSet::new();
        let mut wiped = false;
        for (handle, identity) in state.identities.iter().enumerate() {
            let Some(key) = identity.key else { continue };
            if !identity.is_deleted {
                named.insert(key.slot);
                if !holds(&slots, key) {
                    inner.lost.insert(key);
                    settled.lost.push(handle as u32);
                }
            } else if holds(&slots, key) {
                self.write(key.slot, &[0; SLOT_BYTES])?;
                slots[key.slot as usize] = Slot::Empty;
                settled.destroyed += 1;
                wiped = true;
            }
        }
        // What a torn write left may hold the most of a key that was to be destroyed.
        for (slot, content) in slots.iter_mut().enumerate() {
            if *content == Slot::Damaged && !named.contains(&(slot as u32)) {
                self.write(slot as u32, &[0; SLOT_BYTES])?;
                *content = Slot::Empty;
                wiped = true;
            }
        }
        if wiped {
            self.file.sync().map_err(|source| self.fault(source))?;
        }
        if slots.is_empty() && !settled.lost.is_empty() {
            return Err(VaultFault::Missing(self.path.clone()));
        }
        for (slot, content) in slots.iter().enumerate().rev() {
            let slot = slot as u32;
            match content {
                // Perhaps what is left of the key of an identity; it is not written over.
                _ if named.contains(&slot) => {}
                Slot::Key { id, .. } => inner.ready.push(KeyName { slot, id: *id }),
                Slot::Empty => inner.free.push(slot),
                Slot::Damaged => unreachable!("those that nobody names were overwritten"),
            }
        }
        Ok(settled)
    }

    /// Seals the fields of an identity that is only now being made, with a key of its own. When the identity is not made, the
    /// key can be given back.
    pub fn seal_new(&self, plain: &str) -> Result<Sealed, VaultFault> {
        let key = self.take_key()?;
        self.seal(key, plain)?.ok_or(VaultFault::Lost(key))
    }

    fn take_key(&self) -> Result<KeyName, VaultFault> {
        let mut inner = self.lock();
        if inner.ready.is_empty() {
            self.make_keys(&mut inner)?;
        }
        inner.ready.pop().ok_or(VaultFault::Full)
    }

    /// Takes back the key of an identity that was not made.
    pub fn give_back(&self, key: KeyName) {
        self.lock().ready.push(key);
    }

    /// Seals other fields of an identity that has a key. `None` when the key was destroyed.
    pub fn seal(&self, key: KeyName, plain: &str) -> Result<Option<Sealed>, VaultFault> {
        let Some(data_key) = self.data_key(key)? else { return Ok(None) };
        Ok(Some(Sealed { key, bytes: data_key.seal(&key.id, plain.as_bytes())? }))
    }

    /// Opens the fields of an identity. `None` when their key was destroyed, as the identity was deleted.
    pub fn open_detail(&self, detail: &Detail) -> Result<Option<String>, VaultFault> {
        let sealed = match detail {
            Detail::Plain(text) => return Ok(Some(text.clone())),
            Detail::Sealed(sealed) => sealed,
        };
        let Some(key) = self.data_key(sealed.key)? else { return Ok(None) };
        let plain = key.open(&sealed.key.id, &sealed.bytes)?;
        String::from_utf8(plain).map(Some).map_err(|_| VaultFault::Sealed)
    }

    /// Destroys a key. Its slot is overwritten on the disk when this returns.
    pub fn destroy(&self, key: KeyName) -> Result<(), VaultFault> {
        let mut inner = self.lock();
        // Nobody needs it any more, so it is not missing.
        let was_lost = inner.lost.remove(&key);
        // A damaged one may hold the most of the key; the slot is that of this identity alone until it is free.
        let holds = match self.read(key.slot)? {
            Slot::Key { id, .. } => id == key.id,
            Slot::Damaged => was_lost,
            Slot::Empty => false,
        };
        if !holds {
            return Ok(());
        }
        if inner.stopped {
            return Err(VaultFault::Stopped);
        }
        let done = self.write(key.slot, &[0; SLOT_BYTES]);
        if let Err(fault) = done.and_then(|()| self.file.sync().map_err(|source| self.fault(source))) {
            inner.stopped = true;
            return Err(fault);
        }
        inner.free.push(key.slot);
        Ok(())
    }

    /// Makes keys ahead, with one sync for all of them.
    fn make_keys(&self, inner: &mut Inner) -> Result<(), VaultFault> {
        if inner.stopped {
            return Err(VaultFault::Stopped);
        }
        let mut taken = Vec::new();
        while taken.len() < KEYS_AT_ONCE as usize {
            match inner.free.pop() {
                Some(slot) => taken.push(slot),
                None if inner.count < SLOTS_MAX => {
                    taken.push(inner.count);
                    inner.count += 1;
                }
                None => break,
            }
        }
        match self.write_keys(&taken) {
            Ok(made) => inner.ready.extend(made.into_iter().rev()),
            Err(fault) => {
                // What is in these slots is not known any more.
                inner.stopped = true;
                return Err(fault);
            }
        }
        Ok(())
    }

    fn write_keys(&self, slots: &[u32]) -> Result<Vec<KeyName>, VaultFault> {
        let mut made = Vec::with_capacity(slots.len());
        for &slot in slots {
            let (id, key) = (seal::random::<16>()?, DataKey::make()?);
            self.write(slot, &slots::bytes(&self.master, &id, &key)?)?;
            made.push(KeyName { slot, id });
        }
        self.file.sync().map_err(|source| self.fault(source))?;
        Ok(made)
    }

    /// The key of a name. `None` when it was destroyed.
    fn data_key(&self, key: KeyName) -> Result<Option<DataKey>, VaultFault> {
        let slot = if key.slot < SLOTS_MAX { self.read(key.slot)? } else { Slot::Empty };
        match slot {
            Slot::Key { id, wrapped } if id == key.id => {
                self.master.unwrap(&id, &wrapped).map(Some).map_err(|_| VaultFault::Lost(key))
            }
            Slot::Damaged => Err(VaultFault::Lost(key)),
            Slot::Key { .. } | Slot::Empty if self.lock().lost.contains(&key) => Err(VaultFault::Lost(key)),
            Slot::Key { .. } | Slot::Empty => Ok(None),
        }
    }

    fn read(&self, slot: u32) -> Result<Slot, VaultFault> {
        let block = read_block(&*self.file, slots::offset(slot)).map_err(|source| self.fault(source))?;
        Ok(block.map_or(Slot::Empty, |block| Slot::parse(&block)))
    }

    fn write(&self, slot: u32, bytes: &[u8; SLOT_BYTES]) -> Result<(), VaultFault> {
        self.file.write_at(bytes, slots::offset(slot)).map_err(|source| self.fault(source))
    }

    fn fault(&self, source: io::Error) -> VaultFault {
        VaultFault::Disk { path: self.path.clone(), source }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no panic while held")
    }
}

/// A block of the file; `None` when the file ends before, cut short blocks filled with zeros.
pub(crate) fn read_block(file: &dyn File, offset: u64) -> io::Result<Option<[u8; SLOT_BYTES]>> {
    let mut block = [0; SLOT_BYTES];
    let count = file.read_at(&mut block, offset)?;
    Ok((count > 0).then_some(block))
}
