//! What is tried on a copy of the disk between two lives, and forgotten again: damage, and the loss of all that is derived.

use crate::audit::{self, Trouble};
use crate::disk::{Misread, SimDisk};
use crate::world::World;
use engine::verify;
use journal::archive::{self, Folders};
use journal::disk::{Disk, Failure, MemoryDisk};
use journal::sealed;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes at the end of a file that are damaged more often than others.
const END_BYTES: usize = 400;

/// Takes the detours that the seed wants.
pub fn take(world: &mut World<'_>) -> Result<(), String> {
    if world.random.one_in(4) {
        verified(world)?;
    }
    if world.random.one_in(5) {
        rebuilt(world)?;
    }
    if world.random.one_in(3) {
        damaged(world)?;
    }
    if world.random.one_in(4) {
        misread(world)?;
    }
    if world.random.one_in(6) {
        repaired(world)?;
    }
    Ok(())
}

/// Nothing is wrong with what a life left behind, before anything is cut or replayed (P7).
fn verified(world: &mut World<'_>) -> Result<(), String> {
    match problems(world, &world.memory) {
        Ok(problems) if problems.is_empty() => {
            world.tally.verified += 1;
            Ok(())
        }
        Ok(problems) => Err(format!("verify finds {problems:?}")),
        Err(fault) => Err(format!("verify fails: {fault}")),
    }
}

fn problems(world: &World<'_>, memory: &MemoryDisk) -> Result<Vec<String>, String> {
    let (disk, folder, signed) = (Arc::new(memory.fork()), world.ground.path(), world.signed.clone());
    let report = verify::run_against(disk, folder, world.options().journal, signed, |_| {});
    let report = report.map_err(|fault| engine::fault_text(&fault))?;
    let mut problems: Vec<String> = report.problems.into_iter().map(|problem| problem.text).collect();
    if problems.is_empty() && report.signed != world.signed.len() as u64 {
        problems.push(format!("{} of {} signed checkpoints were met", report.signed, world.signed.len()));
    }
    // What is said of balances can be counted once the books of the end are known.
    if problems.is_empty()
        && let Ok(books) = world.books_of(report.records)
        && books.claimed() != (report.asserted.count, report.asserted.broken)
    {
        problems.push(format!("claims are {:?}, not {:?}", report.asserted, books.claimed()));
    }
    Ok(problems)
}

/// Opens a copy and audits it. The last group may be missing when `cut` says so, unless somebody had seen it whole.
fn audited(world: &World<'_>, disk: &SimDisk, cut: bool) -> Result<(), Trouble> {
    let seen = seen(&world.memory, world.ground.path());
    let (engine, mut hand) = world.open(disk).map_err(|fault| Trouble::Fault(engine::fault_text(&fault)))?;
    let least = if cut { world.acked_before_last_group().max(seen) } else { world.acked };
    let (books, _) = world.recovered(&engine, least)?;
    audit::audit(&engine, &mut hand, &books)?;
    let kept = world.signed.iter().filter(|one| one.record.is_some_and(|(seq, _)| seq <= books.records));
    let kept: Vec<_> = kept.copied().collect();
    audit::signed(&engine, &kept)?;
    Ok(())
}

/// Everything but the journal is deleted, and everything is there (P8).
fn rebuilt(world: &mut World<'_>) -> Result<(), String> {
    let copy = world.memory.fork();
    for file in copy.files().iter().filter(|file| !is_journal(file)) {
        copy.forget(file);
    }
    let disk = SimDisk::new(copy, world.random.number(), 0);
    audited(world, &disk, false).map_err(|trouble| format!("without all that is derived: {trouble:?}"))?;
    world.tally.rebuilds += 1;
    Ok(())
}

/// How many records the mark of an idle writer tells of, as `docs/journal-format.md` has it.
fn seen(memory: &MemoryDisk, folder: &Path) -> u64 {
    let bytes = memory.contents(&folder.join("checkpoints/reached")).unwrap_or_default();
    let seq = bytes.get(8..16).and_then(|seq| seq.try_into().ok()).map_or(1, u64::from_le_bytes);
    if bytes.len() == 60 { seq - 1 } else { 0 }
}

fn is_journal(file: &Path) -> bool {
    file.parent().is_some_and(|folder| folder.ends_with("journal"))
}

/// A file is damaged: that is noticed, or changes nothing. Damage never looks like absence.
fn damaged(world: &mut World<'_>) -> Result<(), String> {
    let copy = world.memory.fork();
    let files: Vec<PathBuf> = copy.files();
    // As often the journal as all the rest.
    let want_journal = world.random.one_in(2);
    let files: Vec<&PathBuf> = files.iter().filter(|file| is_journal(file) == want_journal).collect();
    if files.is_empty() {
        return Ok(());
    }
    // Where something stands, rather than in the zeros behind; often at the end of all, which looks most as if it had never been.
    let used_of = |file: &Path| {
        let bytes = copy.contents(file).unwrap_or_default();
        bytes.iter().rposition(|byte| *byte != 0).map(|last| last + 1)
    };
    let at_end = world.random.one_in(2);
    let last = files.iter().rfind(|file| used_of(file).is_some()).filter(|_| at_end);
    let file = last.copied().unwrap_or_else(|| world.random.any(&files));
    let mut bytes = copy.contents(file).unwrap_or_default();
    if bytes.is_empty() {
        return Ok(());
    }
    let used = used_of(file).unwrap_or(1);
    let first = if at_end { used.saturating_sub(END_BYTES) } else { 0 };
    let at = first + world.random.below((used - first) as u64) as usize;
    let what = if world.random.one_in(4) {
        bytes.truncate(at);
        "cut off"
    } else {
        bytes[at] ^= 1 << world.random.below(8);
        "flipped"
    };
    copy.set_contents(file, &bytes);
    let told = problems(world, &copy);
    let disk = SimDisk::new(copy, world.random.number(), 0);
    let outcome = audited(world, &disk, is_journal(file));
    match outcome {
        Err(Trouble::Wrong(wrong)) => {
            return Err(format!("{} was {what} at byte {at} of {used}: {wrong}", file.display()));
        }
        Err(Trouble::Fault(_)) => world.tally.damage_found += 1,
        Ok(()) if told.is_ok_and(|problems| problems.is_empty()) => world.tally.damage_harmless += 1,
        Ok(()) => world.tally.damage_found += 1,
    }
    Ok(())
}

/// One read of a start goes wrong: the start fails, or all is there but perhaps the last group, which cannot be told from a torn
/// one.
fn misread(world: &mut World<'_>) -> Result<(), String> {
    let how = if world.random.one_in(2) { Misread::Flipped } else { Misread::Short };
    let disk = SimDisk::new(world.memory.fork(), world.random.number(), 0);
    disk.misread_after(world.random.below(80), how);
    match audited(world, &disk, true) {
        Err(Trouble::Wrong(wrong)) => Err(format!("after a read that was {how:?}: {wrong}")),
        _ => Ok(()),
    }
}

/// Sealed segments are archived on a disk that may fail; one of them is damaged, and repaired, perhaps over a power cut. Then nothing is
/// missing; and what cannot be repaired is told.
fn repaired(world: &mut World<'_>) -> Result<(), String> {
    let (root, options) = (world.ground.path().to_owned(), world.options().journal);
    let (journal, archive, quarantine) = (root.join("journal"), root.join("archive"), root.join("quarantine"));
    let mut memory = world.memory.fork();
    let numbers = sealed::numbers(&memory, &journal).map_err(|error| error.to_string())?;
    let entered = |number: &u64| sealed::beginning(&memory, &sealed::path(&journal, *number), *number, options);
    let used = numbers.iter().filter(|number| matches!(entered(number), Ok(Some(_)))).count() as u64;
    if used < 2 {
        return Ok(());
    }
    if world.random.one_in(3) {
        let failure = world.random.any(&[Failure::Io, Failure::Sync, Failure::NoSpace, Failure::PowerLost]);
        memory.fail_after(world.random.below(20), failure);
    }
    memory.create_folder(&archive).map_err(|error| error.to_string())?;
    let kept = (0..used - 1).all(|number| {
        let kept = archive::keep(&memory, &journal, &archive, number, options, &sealed::at_once);
        kept.is_ok()
    });
    if !kept && !memory.has_failed() {
        return Err("a whole segment was not archived".to_owned());
    }
    memory = if memory.has_failed() { memory.crash(world.random.number()) } else { memory.fork() };
    let number = world.random.below(used - 1);
    let (path, copy) = (sealed::path(&journal, number), sealed::path(&archive, number));
    let whole = memory.contents(&path).unwrap_or_default();
    if memory.contents(&copy).is_some_and(|copy| copy != whole) {
        return Err(format!("the copy of segment {number} is not the segment"));
    }
    let mut bytes = whole.clone();
    bytes[world.random.below(whole.len() as u64) as usize] ^= 1 << world.random.below(8);
    memory.set_contents(&path, &bytes);
    let folders = Folders { journal: &journal, archive: &archive, quarantine: &quarantine };
    if world.random.one_in(2) {
        memory.fail_after(world.random.below(12), Failure::PowerLost);
        let done = archive::repair(&memory, folders, number, options, &sealed::at_once).is_ok();
        memory = memory.crash(world.random.number());
        let found = memory.contents(&path).unwrap_or_default();
        if found != whole && (done || found != bytes) {
            return Err(format!("a repair of segment {number} left something else"));
        }
    }
    let there = memory.contents(&copy).is_some() || memory.contents(&path).as_ref() == Some(&whole);
    if memory.contents(&path).as_ref() != Some(&whole) {
        let repaired = archive::repair(&memory, folders, number, options, &sealed::at_once);
        if repaired.is_ok() != there {
            return Err(format!("segment {number} with a copy {there}: {repaired:?}"));
        }
    }
    let disk = SimDisk::new(memory, world.random.number(), 0);
    match audited(world, &disk, false) {
        Ok(()) if there => world.tally.repairs += 1,
        // A changed bit that a start does not come to is found by whoever reads it, and by verifying.
        Ok(()) | Err(Trouble::Fault(_)) if !there => world.tally.damage_found += 1,
        Ok(()) => {}
        Err(trouble) => return Err(format!("after segment {number} was repaired: {trouble:?}")),
    }
    Ok(())
}
