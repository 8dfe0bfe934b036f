//! The vault on a disk that fails, tears and loses what was not synced.

use super::master::{self, MasterKey};
use super::rotate::{Rotated, rotate};
use super::slots::{SLOT_BYTES, offset};
use super::{KEYS_AT_ONCE, SLOTS_FILE, SLOTS_FILE_NEW, Settled, Vault, VaultFault};
use crate::config::Secret;
use journal::disk::{Disk, Failure, MemoryDisk};
use ledger::identity::{Detail, KeyName, Sealed};
use ledger::state::{Identity, NO_RECORD, State};
use std::path::{Path, PathBuf};

const FOLDER: &str = "/data/keys";
const ADA: &str = r#"{"first_name":"Ada"}"#;

fn path() -> PathBuf {
    Path::new(FOLDER).join(SLOTS_FILE)
}

fn master(byte: u8) -> MasterKey {
    MasterKey::new([byte; 32])
}

fn open(disk: &MemoryDisk) -> Vault {
    Vault::open(disk, Path::new(FOLDER), master(1)).unwrap_or_else(|fault| panic!("it opens: {fault}"))
}

/// A state with identities of these keys, deleted or not.
fn state(keys: &[(KeyName, bool)]) -> State {
    let mut state = State::new();
    for &(key, is_deleted) in keys {
        state.restore_identity(Identity {
            nonce: 0,
            created_at: 0,
            record: 0,
            chosen: None,
            detail: 0,
            key: Some(key),
            revealed: NO_RECORD,
            uses: 0,
            is_deleted,
        });
    }
    state
}

fn settled(disk: &MemoryDisk, keys: &[(KeyName, bool)]) -> (Vault, Settled) {
    let vault = open(disk);
    let settled = vault.settle(&state(keys)).unwrap_or_else(|fault| panic!("it can be read: {fault}"));
    (vault, settled)
}

fn opened(vault: &Vault, sealed: &Sealed) -> Option<String> {
    vault.open_detail(&Detail::Sealed(sealed.clone())).unwrap_or_else(|fault| panic!("it can be read: {fault}"))
}

#[test]
fn what_is_sealed_opens_until_its_key_is_destroyed() {
    let disk = MemoryDisk::new();
    let (vault, _) = settled(&disk, &[]);
    let sealed = vault.seal_new(ADA).expect("a key is made");
    let again = vault.seal(sealed.key, "{}").expect("it has a key").expect("it is there");
    assert_eq!((opened(&vault, &sealed).as_deref(), opened(&vault, &again).as_deref()), (Some(ADA), Some("{}")));
    assert!(!sealed.bytes.windows(3).any(|bytes| bytes == b"Ada"), "nothing of it is to be seen");
    let other = vault.seal_new(ADA).expect("a key is made");
    assert_ne!(other.key, sealed.key, "each has its own");
    // The one does not open what the other sealed.
    let mixed = Sealed { key: other.key, bytes: sealed.bytes.clone() };
    assert!(matches!(vault.open_detail(&Detail::Sealed(mixed)), Err(VaultFault::Sealed)));
    let mut changed = sealed.clone();
    changed.bytes[20] ^= 1;
    assert!(matches!(vault.open_detail(&Detail::Sealed(changed)), Err(VaultFault::Sealed)));
    vault.destroy(sealed.key).expect("it is destroyed");
    vault.destroy(sealed.key).expect("as often as one likes");
    assert_eq!(opened(&vault, &sealed), None);
    assert_eq!(vault.seal(sealed.key, ADA).expect("nothing is wrong"), None);
    assert_eq!(opened(&vault, &other).as_deref(), Some(ADA), "others are as they were");
    // The slot gets another key, and what the first sealed stays closed.
    let slots: Vec<u32> = (0..=KEYS_AT_ONCE).map(|_| vault.seal_new(ADA).expect("a key is made").key.slot).collect();
    assert!(slots.contains(&sealed.key.slot), "a free slot is used again");
    assert_eq!(opened(&vault, &sealed), None);
    let (vault, _) = settled(&disk.crash(1), &[(other.key, false)]);
    assert_eq!((opened(&vault, &sealed), opened(&vault, &other).as_deref()), (None, Some(ADA)));
}

/// Of a key that was handed out nothing is lost, wherever the power goes.
#[test]
fn a_key_is_on_the_disk_before_it_is_used() {
    let mut cut = 0;
    for failure in [Failure::PowerLost, Failure::Io, Failure::NoSpace] {
        for operations in 0..80 {
            let disk = MemoryDisk::new();
            let (vault, _) = settled(&disk, &[]);
            let first = vault.seal_new(ADA).expect("a key is made");
            for _ in 1..KEYS_AT_ONCE {
                vault.seal_new(ADA).expect("it is ready");
            }
            // The next needs new keys.
            disk.fail_after(operations, failure);
            let second = vault.seal_new(ADA);
            if second.is_err() {
                cut += 1;
                assert!(vault.seal_new(ADA).is_err(), "nothing is made after a fault");
                if failure != Failure::PowerLost {
                    assert_eq!(opened(&vault, &first).as_deref(), Some(ADA), "reading goes on");
                    assert!(matches!(vault.destroy(first.key), Err(VaultFault::Stopped)));
                }
            }
            for seed in 0..4 {
                let mut keys = vec![(first.key, false)];
                keys.extend(second.as_ref().ok().map(|second| (second.key, false)));
                let (vault, found) = settled(&disk.crash(seed), &keys);
                assert_eq!(found, Settled::default(), "no key is lost: {operations} {seed}");
                assert_eq!(opened(&vault, &first).as_deref(), Some(ADA));
                if let Ok(second) = &second {
                    assert_eq!(opened(&vault, second).as_deref(), Some(ADA), "{operations} {seed}");
                }
                // What is left of a torn write is no key.
                for _ in 0..2 * KEYS_AT_ONCE {
                    let third = vault.seal_new(ADA).expect("there is always another");
                    assert!(keys.iter().all(|(key, _)| *key != third.key), "no key serves two");
                    assert_eq!(opened(&vault, &third).as_deref(), Some(ADA));
                }
            }
        }
    }
    assert!(cut > 100, "{cut} were cut");
}

/// A deleted identity loses its key at the next start at the latest, wherever the power goes while it is destroyed.
#[test]
fn destruction_is_finished_at_the_next_start() {
    for operations in 0..4 {
        let disk = MemoryDisk::new();
        let (vault, _) = settled(&disk, &[]);
        let (gone, stays) = (vault.seal_new(ADA).expect("a key"), vault.seal_new(ADA).expect("a key"));
        disk.fail_after(operations, Failure::PowerLost);
        let destroyed = vault.destroy(gone.key).is_ok();
        assert_eq!(destroyed, operations >= 2, "a write and a sync");
        for seed in 0..6 {
            let left = disk.crash(seed);
            let before = left.contents(&path()).expect("it is there");
            let (vault, found) = settled(&left, &[(gone.key, true), (stays.key, false)]);
            assert!(found.lost.is_empty() && (found.destroyed == 0 || !destroyed), "{found:?}");
            assert_eq!((opened(&vault, &gone), opened(&vault, &stays).as_deref()), (None, Some(ADA)));
            let at = offset(gone.key.slot) as usize;
            let after = left.crash(seed).contents(&path()).expect("it is there");
            assert!(after[at..at + SLOT_BYTES].iter().all(|byte| *byte == 0), "the slot is overwritten, durably");
            let at = offset(stays.key.slot) as usize;
            assert_eq!(after[at..at + SLOT_BYTES], before[at..at + SLOT_BYTES]);
        }
    }
}

#[test]
fn a_failed_sync_is_not_taken_for_one() {
    let disk = MemoryDisk::new();
    let (vault, _) = settled(&disk, &[]);
    let sealed = vault.seal_new(ADA).expect("a key");
    disk.fail_after(1, Failure::Io);
    assert!(matches!(vault.destroy(sealed.key), Err(VaultFault::Disk { .. })));
    assert!(matches!(vault.seal_new(ADA), Ok(_) | Err(VaultFault::Stopped)));
    let (vault, _) = settled(&disk.crash(3), &[(sealed.key, true)]);
    assert_eq!(opened(&vault, &sealed), None);
}

/// Damage is told as damage, not as an identity that was deleted.
#[test]
fn damage_is_no_absence() {
    let disk = MemoryDisk::new();
    let (vault, _) = settled(&disk, &[]);
    let sealed = vault.seal_new(ADA).expect("a key");
    let good = disk.contents(&path()).expect("it is there");
    let at = offset(sealed.key.slot) as usize;
    let mut flipped = good.clone();
    flipped[at + 50] ^= 4;
    let mut emptied = good.clone();
    emptied[at..at + SLOT_BYTES].fill(0);
    let mut other = good.clone();
    other.copy_within(at + SLOT_BYTES..at + 2 * SLOT_BYTES, at);
    for bytes in [flipped, emptied, other, good[..at].to_vec()] {
        disk.set_contents(&path(), &bytes);
        let (vault, found) = match bytes.len() > SLOT_BYTES {
            true => settled(&disk, &[(sealed.key, false)]),
            false => {
                let missing = open(&disk).settle(&state(&[(sealed.key, false)]));
                assert!(matches!(missing, Err(VaultFault::Missing(_))), "no keys at all stop the start");
                continue;
            }
        };
        assert_eq!(found, Settled { destroyed: 0, lost: vec![0] });
        let read = vault.open_detail(&Detail::Sealed(sealed.clone()));
        assert!(matches!(read, Err(VaultFault::Lost(key)) if key == sealed.key), "{read:?}");
        // Nothing is written over what may be left of it.
        for _ in 0..=KEYS_AT_ONCE {
            assert_ne!(vault.seal_new(ADA).expect("there are others").key.slot, sealed.key.slot);
        }
    }
}

/// Of a deleted identity not even damaged bytes are left, whether it is deleted with them or a torn write made them.
#[test]
fn what_is_damaged_is_destroyed_too() {
    for is_deleted in [true, false] {
        let disk = MemoryDisk::new();
        let (vault, _) = settled(&disk, &[]);
        let sealed = vault.seal_new(ADA).expect("a key");
        drop(vault);
        let at = offset(sealed.key.slot) as usize;
        let mut bytes = disk.contents(&path()).expect("it is there");
        bytes[at..at + 16].fill(0);
        disk.set_contents(&path(), &bytes);
        let (vault, found) = settled(&disk, &[(sealed.key, is_deleted)]);
        assert_eq!(found.lost.is_empty(), is_deleted);
        if !is_deleted {
            vault.destroy(sealed.key).expect("it can be written");
        }
        assert_eq!(opened(&vault, &sealed), None, "it is deleted, not damaged");
        let after = disk.crash(1).contents(&path()).expect("it is there");
        assert!(after[at..at + SLOT_BYTES].iter().all(|byte| *byte == 0), "{is_deleted}");
        assert!(
            (0..KEYS_AT_ONCE).any(|_| vault.seal_new(ADA).expect("a key").key.slot == sealed.key.slot),
            "it is used again"
        );
    }
}

#[test]
fn a_wrong_master_key_opens_nothing() {
    let disk = MemoryDisk::new();
    open(&disk);
    let wrong = Vault::open(&disk, Path::new(FOLDER), master(2)).err().expect("it is refused");
    assert!(wrong.to_string().starts_with("the master key does not open /data/keys/slots"), "{wrong}");
    disk.set_contents(&path(), b"something else");
    assert!(matches!(Vault::open(&disk, Path::new(FOLDER), master(1)), Err(VaultFault::Format(_))));
}

/// After a rotation that was cut off anywhere, the old master key opens everything or the new one does.
#[test]
fn a_rotation_is_whole_or_not_at_all() {
    let (mut before, mut after) = (0, 0);
    for operations in 0..140 {
        let disk = MemoryDisk::new();
        let (vault, _) = settled(&disk, &[]);
        let sealed = vault.seal_new(ADA).expect("a key");
        let gone = vault.seal_new(ADA).expect("a key");
        vault.destroy(gone.key).expect("it is destroyed");
        drop(vault);
        disk.fail_after(operations, Failure::PowerLost);
        let rotated = rotate(&disk, Path::new(FOLDER), &master(1), &master(2));
        let left = disk.crash(operations);
        let is_new = Vault::open(&left, Path::new(FOLDER), master(2)).is_ok();
        assert!(is_new || rotated.is_err(), "what is told is so");
        let vault =
            Vault::open(&left, Path::new(FOLDER), master(if is_new { 2 } else { 1 })).expect("one of them opens it");
        vault.settle(&state(&[(sealed.key, false), (gone.key, true)])).expect("it can be read");
        assert_eq!((opened(&vault, &sealed).as_deref(), opened(&vault, &gone)), (Some(ADA), None));
        assert!(
            !left.exists(&Path::new(FOLDER).join(SLOTS_FILE_NEW)).expect("it can be asked"),
            "nothing is left over"
        );
        drop(vault);
        // Once more from here, as somebody would who does not know.
        let again = rotate(&left, Path::new(FOLDER), &master(1), &master(2)).expect("it can be done again");
        assert_eq!(again.already, is_new);
        before += usize::from(!is_new);
        after += usize::from(is_new);
        let wrong = rotate(&left, Path::new(FOLDER), &master(1), &master(3));
        assert!(matches!(wrong, Err(VaultFault::WrongMaster(_))), "{wrong:?}");
    }
    assert!(before > 10 && after > 10, "{before} {after}");
}

#[test]
fn a_rotation_takes_damage_over_as_it_is() {
    let disk = MemoryDisk::new();
    let (vault, _) = settled(&disk, &[]);
    let sealed = vault.seal_new(ADA).expect("a key");
    drop(vault);
    let mut bytes = disk.contents(&path()).expect("it is there");
    bytes[offset(sealed.key.slot) as usize + 30] ^= 1;
    disk.set_contents(&path(), &bytes);
    let rotated = rotate(&disk, Path::new(FOLDER), &master(1), &master(2)).expect("it is done");
    assert_eq!(rotated, Rotated { keys: KEYS_AT_ONCE - 1, damaged: 1, already: false });
}

#[test]
fn master_keys_are_read_from_text_and_files() {
    let hex = "00".repeat(31) + "ff";
    for text in
        [hex.as_str(), "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n"]
    {
        assert!(MasterKey::parse(text).is_some(), "{text}");
    }
    for text in ["", "secret", &hex[1..], &(hex.clone() + "0"), "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg=="] {
        assert!(MasterKey::parse(text).is_none(), "{text}");
    }
    let folder = std::env::temp_dir().join(format!("florin-master-{}", std::process::id()));
    drop(std::fs::remove_dir_all(&folder));
    let keys = folder.join("keys");
    let none = Secret::new("");
    let made = master::find(&none, None, &keys).expect("a first key is made");
    assert!(matches!(made.default_file, Some((_, true))));
    let found = master::find(&none, None, &keys).expect("it is found again");
    let (file, is_new) = found.default_file.expect("it is in the folder");
    assert!(!is_new);
    let disk = MemoryDisk::new();
    Vault::open(&disk, Path::new(FOLDER), made.key).expect("a new vault");
    Vault::open(&disk, Path::new(FOLDER), found.key).expect("the same key");
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(&file).expect("it is there").permissions().mode() & 0o777, 0o600);
    std::fs::write(keys.join(SLOTS_FILE), b"").expect("a file");
    std::fs::remove_file(&file).expect("it is there");
    let without = master::find(&none, None, &keys).expect_err("keys without a master key");
    assert!(without.to_string().contains("set FLORIN_MASTER_KEY or FLORIN_MASTER_KEY_FILE"), "{without}");
    assert!(master::find(&none, Some(&file), &keys).is_err(), "a file that is given must be there");
    std::fs::write(&file, [7; 32]).expect("a file");
    assert!(master::find(&none, Some(&file), &keys).is_ok(), "bytes as they are");
    assert!(master::find(&Secret::new("short"), None, &keys).is_err());
    assert!(master::find(&Secret::new(hex), None, &keys).is_ok());
    std::fs::remove_dir_all(&folder).expect("it was made");
}
