//! The table of alerts: which monitor fired because of which row. Fixed width, append-only, derived.
//!
//! Beside it stands a mark: how far rows and definitions were evaluated, and which holds were open then. What stands behind the
//! mark is written again after a restart, with the same content.

use crate::codec::CodecFault;
use crate::codec::bytes::{Reading, put_i64, put_i128, put_u64, put_varint};
use crate::monitors::watch::Open;
use journal::disk::{Access, Disk, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The file of alerts.
pub const FILE_NAME: &str = "alerts.tbl";
/// The file of the mark.
pub const MARK_NAME: &str = "alerts.mark";
const MARK_NEW_NAME: &str = "alerts.mark.new";
const MAGIC: &[u8; 8] = b"FLORINA1";

/// Bytes of an alert.
pub const ALERT_BYTES: usize = 32;
const CHECKSUM_AT: usize = ALERT_BYTES - 4;
/// Alerts that are read at once.
const READ_ALERTS: usize = 1 << 14;

/// A monitor fired because of a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Alert {
    /// The row.
    pub row: u64,
    /// Where the monitor is defined, as it was then.
    pub record: u64,
    /// Bytes of that record.
    pub bytes: u32,
    /// The number of the monitor.
    pub monitor: u32,
    /// Whether it watches the source of the row; otherwise the destination.
    pub is_source: bool,
}

impl Alert {
    /// Writes it as the alert of an index.
    fn encode(&self, index: u64, out: &mut Vec<u8>) {
        let begin = out.len();
        put_u64(out, self.row);
        put_u64(out, self.record);
        out.extend_from_slice(&self.bytes.to_le_bytes());
        out.extend_from_slice(&self.monitor.to_le_bytes());
        out.extend_from_slice(&[u8::from(self.is_source), 0, 0, 0]);
        let checksum = checksum(index, &out[begin..begin + CHECKSUM_AT]);
        out.extend_from_slice(&checksum.to_le_bytes());
    }

    /// Reads the alert of an index. `None` when the bytes are not that alert.
    fn decode(index: u64, bytes: &[u8]) -> Option<Alert> {
        let (content, stored) = bytes.split_at_checked(CHECKSUM_AT)?;
        if checksum(index, content).to_le_bytes() != stored {
            return None;
        }
        let mut from = Reading::new(content);
        Some(Alert {
            row: from.u64().ok()?,
            record: from.u64().ok()?,
            bytes: u32::from_le_bytes(from.take(4).ok()?.try_into().ok()?),
            monitor: u32::from_le_bytes(from.take(4).ok()?.try_into().ok()?),
            is_source: from.flag("a side").ok()?,
        })
    }
}

/// Whether bytes are an alert of an index.
pub fn is_whole(index: u64, bytes: &[u8]) -> bool {
    Alert::decode(index, bytes).is_some()
}

fn checksum(index: u64, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(index as u32);
    hasher.update(bytes);
    hasher.finalize()
}

/// How far rows and definitions were evaluated.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Mark {
    /// Rows.
    pub rows: u64,
    /// When the last of them was made, and the random part of its id: rows of another journal have others.
    pub last: (i64, u64),
    /// Records that made, changed or deleted monitors.
    pub changes: u64,
    /// Where the last of them is.
    pub last_change: u64,
    /// Alerts that came of it.
    pub alerts: u64,
    /// The holds that were open then, by row.
    pub holds: Vec<(u64, Open)>,
}

/// The files. The table is made with the first alert.
pub struct Table {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    /// Whether a sync of the alerts has failed. What it should have made durable is not, and no later sync makes it so.
    doubtful: AtomicBool,
}

impl Table {
    /// The table of a folder.
    pub fn new(disk: Arc<dyn Disk>, folder: &Path) -> Table {
        Table { disk, folder: folder.to_owned(), doubtful: AtomicBool::new(false) }
    }

    /// Whether what could be written now is left for later.
    pub fn postpones(&self) -> bool {
        self.disk.postpones()
    }

    /// Where the alerts are.
    pub fn path(&self) -> PathBuf {
        self.folder.join(FILE_NAME)
    }

    /// The file of alerts, made if it is not there.
    pub fn file(&self) -> io::Result<Arc<dyn File>> {
        self.disk.create_folder(&self.folder)?;
        self.disk.open(&self.path(), Access::Create)
    }

    /// The file of alerts, only to read.
    pub fn read_only(&self) -> io::Result<Arc<dyn File>> {
        self.disk.open(&self.path(), Access::Read)
    }

    /// The mark, unless it is missing or damaged.
    pub fn mark(&self) -> io::Result<Option<Mark>> {
        let path = self.folder.join(MARK_NAME);
        if !self.disk.exists(&path)? {
            return Ok(None);
        }
        let file = self.disk.open(&path, Access::Read)?;
        let len = usize::try_from(file.len()?).map_err(|_| io::Error::other("the mark does not fit into memory"))?;
        let mut bytes = vec![0; len];
        if file.read_at(&mut bytes, 0)? != len || len < MAGIC.len() + 4 || !bytes.starts_with(MAGIC) {
            return Ok(None);
        }
        let (content, stored) = bytes.split_at(len - 4);
        if crc32fast::hash(content).to_le_bytes() != stored {
            return Ok(None);
        }
        Ok(parse(&content[MAGIC.len()..]).ok())
    }

    /// Removes the mark: what it told does not count any more.
    pub fn forget(&self) -> io::Result<()> {
        self.disk.remove(&self.folder.join(MARK_NAME))?;
        self.disk.sync_folder(&self.folder)
    }

    /// Makes the alerts durable, and then the mark that says so. Once that has failed there are no more marks until the next start,
    /// which writes the alerts behind the last one again.
    pub fn save(&self, mark: &Mark) -> io::Result<()> {
        if self.doubtful.load(Ordering::Relaxed) {
            return Ok(());
        }
        if mark.alerts > 0 {
            self.file()?.sync().inspect_err(|_| self.doubtful.store(true, Ordering::Relaxed))?;
        }
        let mut out = MAGIC.to_vec();
        put_varint(&mut out, mark.rows);
        put_i64(&mut out, mark.last.0);
        put_u64(&mut out, mark.last.1);
        put_varint(&mut out, mark.changes);
        put_u64(&mut out, mark.last_change);
        put_varint(&mut out, mark.alerts);
        put_varint(&mut out, mark.holds.len() as u64);
        for (row, hold) in &mark.holds {
            put_varint(&mut out, *row);
            put_varint(&mut out, u64::from(hold.source));
            put_varint(&mut out, u64::from(hold.destination));
            put_i128(&mut out, hold.remaining);
        }
        let checksum = crc32fast::hash(&out);
        out.extend_from_slice(&checksum.to_le_bytes());
        self.disk.create_folder(&self.folder)?;
        let new = self.folder.join(MARK_NEW_NAME);
        // A file whose sync has failed is not written a second time.
        if self.disk.exists(&new)? {
            self.disk.remove(&new)?;
        }
        let file = self.disk.open(&new, Access::Create)?;
        file.write_at(&out, 0)?;
        file.sync()?;
        self.disk.rename(&new, &self.folder.join(MARK_NAME))
    }
}

fn parse(content: &[u8]) -> Result<Mark, CodecFault> {
    let mut from = Reading::new(content);
    let mut mark = Mark {
        rows: from.varint()?,
        last: (from.i64()?, from.u64()?),
        changes: from.varint()?,
        last_change: from.u64()?,
        alerts: from.varint()?,
        holds: Vec::new(),
    };
    for _ in 0..from.varint()? {
        let row = from.varint()?;
        let (source, destination) = (from.number("a balance")?, from.number("a balance")?);
        mark.holds.push((row, Open { source, destination, remaining: from.i128()? }));
    }
    if from.is_empty() { Ok(mark) } else { Err(CodecFault::Trailing) }
}

/// Appends alerts from an index on.
pub fn write(file: &dyn File, first: u64, alerts: &[Alert], buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.clear();
    for (index, alert) in (first..).zip(alerts) {
        alert.encode(index, buffer);
    }
    file.write_at(buffer, first * ALERT_BYTES as u64)
}

/// The alerts of some indexes; `None` when one of them is not there or is damaged.
pub fn read(file: &dyn File, first: u64, count: usize) -> io::Result<Option<Vec<Alert>>> {
    let mut bytes = vec![0; count * ALERT_BYTES];
    if file.read_at(&mut bytes, first * ALERT_BYTES as u64)? != bytes.len() {
        return Ok(None);
    }
    Ok((first..).zip(bytes.chunks_exact(ALERT_BYTES)).map(|(index, bytes)| Alert::decode(index, bytes)).collect())
}

/// Whether the first so many alerts are all good, and in the order of their rows.
pub fn are_good(file: &dyn File, count: u64) -> io::Result<bool> {
    let (mut next, mut row) = (0, 0);
    while next < count {
        let wanted = usize::try_from(count - next).map_or(READ_ALERTS, |left| left.min(READ_ALERTS));
        let Some(alerts) = read(file, next, wanted)? else { return Ok(false) };
        for alert in alerts {
            if alert.row < row {
                return Ok(false);
            }
            row = alert.row;
        }
        next += wanted as u64;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use journal::disk::{Failure, MemoryDisk};

    /// Proves that no mark tells of alerts that a failed sync may have lost, however often it is tried again, and that the next start
    /// can leave one.
    #[test]
    fn a_failed_sync_leaves_no_mark() {
        let folder = Path::new("/data/tables");
        let alert = Alert { row: 3, record: 128, bytes: 9, monitor: 1, is_source: false };
        let mark = Mark { rows: 4, last: (1, 2), changes: 1, last_change: 128, alerts: 1, holds: Vec::new() };
        let disk = MemoryDisk::buffered();
        let table = Table::new(Arc::new(disk.clone()), folder);
        write(&*table.file().expect("it opens"), 0, &[alert], &mut Vec::new()).expect("it is written");
        disk.fail_after(0, Failure::Sync);
        assert!(table.save(&mark).is_err());
        table.save(&mark).expect("it is left for the next start");
        for seed in 0..20 {
            let after = Table::new(Arc::new(disk.crash(seed)), folder);
            assert!(after.mark().expect("it can be read").is_none(), "seed {seed}");
            write(&*after.file().expect("it opens"), 0, &[alert], &mut Vec::new()).expect("it is written");
            after.save(&mark).expect("it is saved");
            assert!(after.mark().expect("it can be read").is_some());
        }
    }
}
