//! Tells what is in the journal of a data folder that no server uses, record by record.
//!
//! A record becomes a [`Record`]: a few facts and all fields as a [`value::Value`], which whoever prints it turns into text.
//! Reading stops at damage and says what it is; what lies behind can be told from a later segment on.

pub mod kept;
pub mod line;
pub mod value;

use crate::codec;
use crate::folder::{Folder, FolderFault};
use crate::verify::still::StillDisk;
use crate::verify::{self, VerifyFault};
use journal::disk::Disk;
use journal::open::{Known, OpenFault as JournalFault, Options as JournalOptions};
use journal::place::Place;
use journal::reader::{ReadFault, Reader};
use ledger::event::Event;
use std::fmt;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

/// One record of the journal.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its seq.
    pub seq: u64,
    /// Where it stands.
    pub position: u64,
    /// Bytes of its payload.
    pub bytes: u64,
    /// Its hash, hexadecimal.
    pub chain: String,
    /// What it says.
    pub event: Event,
}

/// Why telling ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ended {
    /// After the last record.
    End,
    /// Where it was to end.
    Limit,
    /// At damage, or at a torn group that the next start cuts. `florin verify` tells which.
    Stopped {
        /// The seq of the record that cannot be told.
        seq: u64,
        /// Why.
        reason: String,
    },
}

/// Why nothing could be told.
#[derive(Debug)]
pub enum InspectFault {
    /// The folder cannot be used.
    Folder(FolderFault),
    /// The journal cannot be looked at.
    Journal(JournalFault),
    /// The disk refused to read.
    Read(ReadFault),
    /// What tells how far the journal reached cannot be read.
    Known(VerifyFault),
}

impl fmt::Display for InspectFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InspectFault::Folder(fault) => fault.fmt(f),
            InspectFault::Journal(fault) => fault.fmt(f),
            InspectFault::Read(fault) => fault.fmt(f),
            InspectFault::Known(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for InspectFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            InspectFault::Folder(fault) => fault.source(),
            InspectFault::Journal(fault) => fault.source(),
            InspectFault::Read(fault) => fault.source(),
            InspectFault::Known(fault) => fault.source(),
        }
    }
}

/// Shows the records from a seq on to `show`, until it breaks off or there are no more.
pub fn run(
    disk: Arc<dyn Disk>,
    folder: &Path,
    journal: JournalOptions,
    from_seq: u64,
    mut show: impl FnMut(&Record) -> ControlFlow<()>,
) -> Result<Ended, InspectFault> {
    let folder = Folder::open(folder, false).map_err(InspectFault::Folder)?;
    let journal = journal.of_journal(&*disk, &folder.journal()).map_err(InspectFault::Journal)?;
    let reader = Reader::offline(Arc::clone(&disk), &folder.journal(), journal);
    let mut scan = reader.scan(start(&reader, from_seq)?);
    loop {
        let seq = scan.place().seq;
        let record = match scan.next() {
            Ok(Some(record)) => record,
            Ok(None) => return end(disk, &folder, journal, scan.place()),
            Err(fault @ ReadFault::Read { .. }) => return Err(InspectFault::Read(fault)),
            Err(fault) => return Ok(Ended::Stopped { seq, reason: crate::fault_text(&fault) }),
        };
        if record.seq < from_seq {
            continue;
        }
        let event = match codec::decode(record.payload) {
            Ok(event) => event,
            Err(fault) => return Ok(Ended::Stopped { seq, reason: fault.to_string() }),
        };
        let chain = record.after.chain.iter().map(|byte| format!("{byte:02x}")).collect();
        let (position, bytes) = (record.position, record.payload.len() as u64);
        if show(&Record { seq, position, bytes, chain, event }).is_break() {
            return Ok(Ended::Limit);
        }
    }
}

/// What stands where no record follows. Zeros are the end only when nothing lies behind them, and nobody has seen more.
fn end(disk: Arc<dyn Disk>, folder: &Folder, journal: JournalOptions, place: Place) -> Result<Ended, InspectFault> {
    let disk: Arc<dyn Disk> = Arc::new(StillDisk::new(disk));
    let known = Known { from: place, ..verify::known(&*disk, folder).map_err(InspectFault::Known)? };
    let stopped = |reason: String| Ok(Ended::Stopped { seq: place.seq, reason });
    match journal::open::open_known(disk, &folder.journal(), journal, known) {
        Ok(opened) if opened.cut_bytes == 0 => Ok(Ended::End),
        Ok(opened) => stopped(format!("{} bytes of a group that was never whole", opened.cut_bytes)),
        Err(fault @ JournalFault::Disk { .. }) => Err(InspectFault::Journal(fault)),
        Err(fault) => stopped(crate::fault_text(&fault)),
    }
}

/// The start of the last segment that begins at or before a seq: so records behind damage can be told too.
fn start(reader: &Reader, from_seq: u64) -> Result<Place, InspectFault> {
    let count = reader.segments_count().map_err(InspectFault::Read)?;
    for number in (0..count).rev() {
        if let Some(place) = reader.segment_start(number).map_err(InspectFault::Read)?
            && place.seq <= from_seq
        {
            return Ok(place);
        }
    }
    Ok(Place::start())
}
