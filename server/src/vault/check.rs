//! Whether the file of keys is as it was written, told by its checksums: no master key is needed for that.

use super::SLOTS_FILE;
use super::slots::{self, SLOT_BYTES, Slot};
use engine::scrub::Alien;
use journal::block::AlignedBytes;
use journal::disk::Disk;
use journal::sealed::{self, Pace, READ_BYTES};
use std::io;
use std::path::Path;

/// Damaged slots that are told one by one.
const TOLD_MAX: usize = 10;

/// Looks at the keys in a folder. A file that is not there is told too, unless the folder is not there either.
pub fn check(disk: &dyn Disk, folder: &Path, pace: Pace<'_>) -> io::Result<Vec<Alien>> {
    let path = folder.join(SLOTS_FILE);
    let alien = |offset, problem: &str| Alien { file: path.clone(), offset, problem: problem.to_owned() };
    if !disk.exists(&path)? {
        let lost = disk.exists(folder)?;
        return Ok(if lost { vec![alien(0, "the file is missing")] } else { Vec::new() });
    }
    let file = sealed::open_past_cache(disk, &path)?;
    let mut bytes = AlignedBytes::new(READ_BYTES);
    let (mut found, mut damaged, mut at) = (Vec::new(), 0, 0);
    loop {
        if !pace(READ_BYTES as u64) {
            return Ok(Vec::new());
        }
        let count = match file.read_at(&mut bytes, at) {
            Err(error) if sealed::is_unreadable(&error) => return Ok(vec![alien(at, "the disk cannot read it")]),
            read => read?,
        };
        // A slot that a crash cut short was never told to anyone.
        let slots = bytes[..count].as_chunks::<SLOT_BYTES>().0;
        for (offset, slot) in (at..).step_by(SLOT_BYTES).zip(slots) {
            let whole = if offset == 0 { slots::is_head(slot) } else { Slot::parse(slot) != Slot::Damaged };
            damaged += u64::from(!whole);
            if !whole && found.len() < TOLD_MAX {
                found.push((offset, if offset == 0 { "the head is damaged".to_owned() } else { told(offset) }));
            }
        }
        at += count as u64;
        if count < READ_BYTES {
            break;
        }
    }
    if at < SLOT_BYTES as u64 {
        return Ok(vec![alien(0, "the file ends before its head does")]);
    }
    let Some((offset, first)) = found.first() else { return Ok(Vec::new()) };
    let others = found.iter().skip(1).map(|(offset, _)| slot_of(*offset).to_string()).collect::<Vec<_>>().join(", ");
    let problem = match damaged {
        1 => first.clone(),
        _ => format!("{first}; {damaged} in all, such as {others}"),
    };
    Ok(vec![alien(*offset, &problem)])
}

fn slot_of(offset: u64) -> u64 {
    (offset / SLOT_BYTES as u64).saturating_sub(1)
}

fn told(offset: u64) -> String {
    format!("the key in slot {} is damaged", slot_of(offset))
}
