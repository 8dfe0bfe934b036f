//! `florin rebuild`: makes everything that is derived from the journal anew.

use super::{Failure, offline_options};
use engine::clock::Clock;
use engine::engine::{Engine, Options};
use engine::folder::Folder;
use engine::limits::Sizes;
use engine::verify;
use journal::disk::RealDisk;
use ledger::command::Mismatch;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Deletes what is derived and starts the engine once. The journal is not changed, unless it ends in a torn group.
pub fn run(data: &Path) -> Result<(), Failure> {
    let began = Instant::now();
    let failure = |fault: &dyn std::error::Error| Failure(engine::fault_text(fault));
    let disk = Arc::new(RealDisk::new());
    let folder = Folder::open(data, false).map_err(|fault| failure(&fault))?;
    if let Some(problem) =
        verify::whole_journal(disk.clone(), &folder, offline_options()).map_err(|fault| failure(&fault))?
    {
        return Err(Failure(format!("nothing was deleted, because the journal is not whole: {problem}")));
    }
    folder.delete_derived().map_err(|fault| failure(&fault))?;
    drop(folder);
    let options = Options {
        folder: data.to_owned(),
        make: false,
        journal: offline_options(),
        mismatch: Mismatch::Refuse,
        // Nothing may become due while the folder is only being put in order.
        clock: Clock::Moved(Arc::default()),
        sizes: Sizes::USUAL,
    };
    let engine = Engine::open(disk, options).map_err(|fault| failure(&fault))?;
    let (records, rows) = (engine.started().replayed_records, engine.books().rows.len());
    engine.close();
    if let Some(reason) = engine.health().stopped() {
        return Err(Failure(reason));
    }
    println!("made anew from {records} records: {rows} transactions, in {:.1} s", began.elapsed().as_secs_f32());
    Ok(())
}
