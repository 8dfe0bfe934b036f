//! Compares the table of alerts with what monitors say of the rows that the journal makes, as far as its mark says.

use super::VerifyFault;
use crate::codec;
use crate::monitors::table::{self, Alert, Mark, Table};
use crate::monitors::watch::Watch;
use journal::disk::File;
use ledger::event::Event;
use ledger::row::Row;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The table, as far as it must be there.
pub struct Alerts {
    path: PathBuf,
    /// What is to be compared; nothing once something was wrong, or when there is no table.
    left: Option<(Arc<dyn File>, Mark)>,
    watch: Watch,
    fired: Vec<Alert>,
    next: u64,
}

impl Alerts {
    /// The table in a folder. One that is not there, or has no mark, is made anew by the next start.
    pub fn open(disk: Arc<dyn journal::disk::Disk>, folder: &Path) -> Result<Alerts, VerifyFault> {
        let table = Table::new(disk, folder);
        let path = table.path();
        let fault = |source: io::Error| VerifyFault::Disk { path: path.clone(), source };
        let left = match (table.mark().map_err(fault)?, table.read_only()) {
            (Some(mark), Ok(file)) => Some((file, mark)),
            (_, Err(error)) if error.kind() != io::ErrorKind::NotFound => return Err(fault(error)),
            _ => None,
        };
        Ok(Alerts { path, left, watch: Watch::default(), fired: Vec::new(), next: 0 })
    }

    /// Takes a record, and the rows that it made. What is wrong with their alerts, if something is; it is told once.
    pub fn take(&mut self, event: &Event, position: u64, rows: &[Row]) -> Result<Option<String>, VerifyFault> {
        let Some((file, mark)) = &self.left else { return Ok(None) };
        match event {
            Event::MonitorSet(event) => {
                let mut bytes = Vec::new();
                codec::encode(&Event::MonitorSet(event.clone()), &mut bytes);
                self.watch.set(event, position, u32::try_from(bytes.len()).unwrap_or(u32::MAX));
            }
            Event::MonitorDeleted(event) => self.watch.delete(event),
            _ => {}
        }
        self.fired.clear();
        for row in rows.iter().filter(|row| row.number < mark.rows) {
            self.watch.take(row, &mut self.fired);
        }
        if self.fired.is_empty() {
            return Ok(None);
        }
        let read = table::read(&**file, self.next, self.fired.len());
        let read = read.map_err(|source| VerifyFault::Disk { path: self.path.clone(), source })?;
        if read.as_ref() == Some(&self.fired) && self.next + self.fired.len() as u64 <= mark.alerts {
            self.next += self.fired.len() as u64;
            return Ok(None);
        }
        self.left = None;
        let path = self.path.display();
        let row = self.fired[0].row;
        Ok(Some(match read {
            None => format!("{path} is damaged at the alerts of row {row}"),
            Some(_) => format!("{path} has other alerts of row {row}, or of those after it, than the journal says"),
        }))
    }

    /// What is wrong when all rows of the journal were taken, so many: alerts that nothing made.
    pub fn end(&self, rows: u64) -> Option<String> {
        let (_, mark) = self.left.as_ref()?;
        let path = self.path.display();
        if mark.rows > rows {
            return Some(format!("the mark of {path} tells of row {}, and the journal has {rows}", mark.rows - 1));
        }
        let more = mark.alerts - self.next;
        (more > 0).then(|| format!("{path} has {more} alerts more than the journal says"))
    }
}
