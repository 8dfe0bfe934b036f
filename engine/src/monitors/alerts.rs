//! Reading alerts.

use super::Monitors;
use super::table;
pub use super::table::Alert;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

/// Why alerts could not be had.
#[derive(Debug)]
pub enum AlertsFault {
    /// The disk failed.
    Disk {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What is in the file is no alert.
    Damaged(PathBuf),
    /// They cannot be made at present.
    Stuck(String),
}

impl fmt::Display for AlertsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AlertsFault::Disk { path, .. } => write!(f, "cannot read or write {}", path.display()),
            AlertsFault::Damaged(path) => {
                write!(f, "{} is damaged; stop the server, delete it, and start again: it is made anew", path.display())
            }
            AlertsFault::Stuck(reason) => write!(f, "monitors cannot be evaluated: {reason}"),
        }
    }
}

impl std::error::Error for AlertsFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            AlertsFault::Disk { source, .. } => Some(source),
            AlertsFault::Damaged(_) | AlertsFault::Stuck(_) => None,
        }
    }
}

/// Alerts that are read at once.
const BLOCK: u64 = 256;

/// Reads alerts, mostly of rows that follow each other. They are numbered from 0, in order of rows.
pub struct Alerts<'a> {
    monitors: &'a Monitors,
    first: u64,
    block: Vec<Alert>,
    /// The last answer of [`Alerts::before`], near which the next one is.
    near: u64,
}

impl<'a> Alerts<'a> {
    pub(super) const fn new(monitors: &'a Monitors) -> Alerts<'a> {
        Alerts { monitors, first: 0, block: Vec::new(), near: 0 }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.monitors.alerts_count.load(Ordering::Acquire)
    }

    /// An alert by its number; `None` past the end.
    pub fn get(&mut self, number: u64) -> Result<Option<Alert>, AlertsFault> {
        if let Some(alert) = number.checked_sub(self.first).and_then(|at| self.block.get(at as usize)) {
            return Ok(Some(*alert));
        }
        let count = self.count();
        if number >= count {
            return Ok(None);
        }
        let first = number - number % BLOCK;
        let wanted = (count - first).min(BLOCK) as usize;
        let read = table::read(&**self.monitors.file()?, first, wanted);
        let read = read.map_err(|source| self.monitors.disk_fault(source))?;
        self.block = read.ok_or_else(|| AlertsFault::Damaged(self.monitors.table.path()))?;
        self.first = first;
        Ok(self.block.get((number - first) as usize).copied())
    }

    /// How many alerts there are of rows before this one, which are all known.
    pub fn before(&mut self, row: u64) -> Result<u64, AlertsFault> {
        let count = self.count();
        let mut from = self.near.min(count);
        let mut to = count;
        if from > 0 && !self.is_before(from - 1, row)? {
            (from, to) = (0, from - 1);
        } else {
            let mut step = 1;
            while from + step <= count && self.is_before(from + step - 1, row)? {
                from += step;
                step *= 2;
            }
            to = to.min(from + step - 1);
        }
        while from < to {
            let middle = from + (to - from) / 2;
            if self.is_before(middle, row)? { from = middle + 1 } else { to = middle }
        }
        self.near = from;
        Ok(from)
    }

    fn is_before(&mut self, number: u64, row: u64) -> Result<bool, AlertsFault> {
        Ok(self.get(number)?.is_some_and(|alert| alert.row < row))
    }
}
