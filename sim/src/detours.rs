//! What is tried on a copy of the disk between two lives, and forgotten again: damage, and the loss of all that is derived.

use crate::audit::{self, Trouble};
use crate::disk::{Misread, SimDisk};
use crate::world::World;
use engine::verify;
use journal::disk::MemoryDisk;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
    let report = verify::run(Arc::new(memory.fork()), world.ground.path(), world.options().journal, |_| {});
    let report = report.map_err(|fault| engine::fault_text(&fault))?;
    Ok(report.problems.into_iter().map(|problem| problem.text).collect())
}

/// Opens a copy and audits it. The last group may be missing when `cut` says so.
fn audited(world: &World<'_>, disk: &SimDisk, cut: bool) -> Result<(), Trouble> {
    let (engine, mut hand) = world.open(disk).map_err(|fault| Trouble::Fault(engine::fault_text(&fault)))?;
    let least = if cut { world.acked_before_last_group() } else { world.acked };
    let (books, _) = world.recovered(&engine, least)?;
    audit::audit(&engine, &mut hand, &books)
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
    let file = world.random.any(&files);
    let mut bytes = copy.contents(file).unwrap_or_default();
    if bytes.is_empty() {
        return Ok(());
    }
    // Where something stands, rather than in the zeros behind.
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(1, |last| last + 1);
    let at = world.random.below(used as u64) as usize;
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
