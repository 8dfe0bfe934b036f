//! The follower: takes definitions and rows in order, and writes what fired.

use super::Monitors;
use super::alerts::AlertsFault;
use super::table::{self, Alert, Mark};
use super::watch::Watch;
use crate::limits;
use crate::reading::{Books, BooksFault};
use crate::rows;
use ledger::event::Event;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long the follower rests after it has caught up, before it listens again: so it is woken a few hundred times a second at
/// most, however many groups there are.
const REST: Duration = Duration::from_millis(2);
/// How long it waits after a fault, before it tries again.
const FAULT_WAIT: Duration = Duration::from_secs(1);
/// Alerts that are collected before they are written.
const PENDING_MAX: usize = 1 << 14;

/// Rows that are evaluated before alerts are looked at: with all monitors that two balances can have, some megabytes of alerts.
const ROWS_MAX: u64 = 1 << 10;

/// Rows that are brought near at once, before they are taken.
const ROWS_NEAR: usize = 64;
/// Rows of the open chunk that wait until it is full: these can be read without copying them, while the writer waits to push more.
const ROWS_OPEN: u64 = 256;
/// Rests for which they wait at most, when no more come.
const RESTS_OPEN: u32 = 20;

/// What the follower has come to.
#[derive(Default)]
pub struct Progress {
    watch: Watch,
    next_row: u64,
    /// When the row before that was made, and the random part of its id.
    last: (i64, u64),
    next_change: u64,
    last_change: u64,
    /// Alerts that are written.
    written: u64,
    /// Alerts that are not, of rows before `next_row`.
    pending: Vec<Alert>,
    /// Rests for which rows of the open chunk have waited.
    rests: u32,
    /// Rows and alerts since the last mark.
    unmarked: u64,
    /// The rows and changes that the last mark tells.
    marked: (u64, u64),
    buffer: Vec<u8>,
}

/// The thread of the follower. It ends when it is told to.
pub struct Thread(JoinHandle<()>);

impl Thread {
    /// Starts it.
    pub fn start(books: Arc<Books>) -> std::io::Result<Thread> {
        let thread = std::thread::Builder::new().name("monitors".into()).spawn(move || {
            crate::priority::lower(crate::priority::FOLLOWER);
            let monitors = books.monitors();
            let _ = monitors.thread.set(std::thread::current());
            while !monitors.stopping.load(Ordering::Acquire) {
                match monitors.step(&books) {
                    Ok(true) => std::thread::sleep(REST),
                    Ok(false) => monitors.sleep(&books),
                    Err(_) => std::thread::park_timeout(FAULT_WAIT),
                }
            }
            // Not saved, it only has more to do after the next start.
            drop(monitors.save());
        })?;
        Ok(Thread(thread))
    }

    /// Has it end.
    pub fn end(self, monitors: &Monitors) {
        monitors.stopping.store(true, Ordering::Release);
        self.0.thread().unpark();
        drop(self.0.join());
    }
}

impl Monitors {
    /// Evaluates what there is to evaluate; answers whether there was something. What went wrong is kept until it goes on.
    pub(crate) fn step(&self, books: &Books) -> Result<bool, BooksFault> {
        let stepped = self.try_step(books);
        *self.fault_slot() = stepped.as_ref().err().map(|fault| crate::fault_text(fault));
        if let Ok(true) | Err(_) = stepped {
            books.reach().ring();
        }
        stepped
    }

    fn try_step(&self, books: &Books) -> Result<bool, BooksFault> {
        if !self.are_used() {
            return Ok(false);
        }
        let mut slot = self.progress.lock().expect("no holder panics");
        let mut worked = false;
        let progress = match &mut *slot {
            Some(progress) => progress,
            empty => {
                // What the mark tells is known from now on: who waits for it is to hear that.
                worked = true;
                let loaded = self.load(books)?;
                self.alerts_count.store(loaded.written, Ordering::Release);
                self.known.store(loaded.next_row, Ordering::Release);
                empty.insert(loaded)
            }
        };
        self.flush(progress)?;
        // Definitions are published before rows: all that count for these rows are there.
        let mut rows_count = books.rows.len();
        let sealed = rows::run::sealed_before(rows_count);
        let open = rows_count - sealed.max(progress.next_row);
        if open > ROWS_OPEN && progress.rests < RESTS_OPEN && !self.is_inline {
            (worked, rows_count) = (true, sealed);
            progress.rests += 1;
        } else {
            progress.rests = 0;
        }
        while progress.next_row < rows_count && !self.stopping.load(Ordering::Relaxed) {
            let until = self.take_changes(books, progress)?.map_or(rows_count, |next| next.min(rows_count));
            let run = books.rows.run(progress.next_row).map_err(BooksFault::Rows)?;
            let most = (until - progress.next_row).min(ROWS_MAX) as usize;
            let rows = &run.rows()[..run.rows().len().min(most)];
            for rows in rows.chunks(ROWS_NEAR) {
                progress.watch.bring_near(rows);
                for row in rows {
                    assert_eq!(row.number, progress.next_row, "rows are taken in order");
                    progress.watch.take(row, &mut progress.pending);
                    progress.next_row += 1;
                }
            }
            if let Some(last) = rows.last() {
                progress.last = (last.created_at, last.nonce);
            }
            progress.unmarked += rows.len() as u64;
            if progress.pending.len() >= PENDING_MAX {
                self.flush(progress)?;
                books.reach().ring();
            }
            worked = true;
            if progress.unmarked >= self.mark_rows {
                self.flush(progress)?;
                self.mark(progress)?;
            }
        }
        self.flush(progress)?;
        self.take_changes(books, progress)?;
        Ok(worked)
    }

    /// Takes the definitions that count from the next row on; answers from which row on the one after them does.
    fn take_changes(&self, books: &Books, progress: &mut Progress) -> Result<Option<u64>, BooksFault> {
        while let Some(change) = self.change(progress.next_change) {
            if change.first_row > progress.next_row {
                return Ok(Some(change.first_row));
            }
            define(books, &mut progress.watch, change.record)?;
            progress.next_change += 1;
            progress.last_change = change.record;
        }
        Ok(None)
    }

    /// Writes alerts, and lets them be read.
    fn flush(&self, progress: &mut Progress) -> Result<(), BooksFault> {
        if !progress.pending.is_empty() {
            let file = self.file().map_err(BooksFault::Alerts)?;
            let written = table::write(&**file, progress.written, &progress.pending, &mut progress.buffer);
            written.map_err(|source| BooksFault::Alerts(self.disk_fault(source)))?;
            progress.written += progress.pending.len() as u64;
            progress.unmarked += progress.pending.len() as u64;
            progress.pending.clear();
            self.alerts_count.store(progress.written, Ordering::Release);
        }
        self.known.store(progress.next_row, Ordering::Release);
        Ok(())
    }

    fn mark(&self, progress: &mut Progress) -> Result<(), BooksFault> {
        assert!(progress.pending.is_empty(), "a mark tells what is written");
        let mark = Mark {
            rows: progress.next_row,
            last: progress.last,
            changes: progress.next_change,
            last_change: progress.last_change,
            alerts: progress.written,
            holds: progress.watch.holds().collect(),
        };
        self.table.save(&mark).map_err(|source| BooksFault::Alerts(self.disk_fault(source)))?;
        progress.unmarked = 0;
        progress.marked = (progress.next_row, progress.next_change);
        Ok(())
    }

    /// Saves how far it has come, so that the next start goes on from there.
    pub(crate) fn save(&self) -> Result<(), BooksFault> {
        let mut slot = self.progress.lock().expect("no holder panics");
        match &mut *slot {
            Some(progress) => {
                self.flush(progress)?;
                if progress.marked == (progress.next_row, progress.next_change) {
                    return Ok(());
                }
                self.mark(progress)
            }
            None => Ok(()),
        }
    }

    /// Begins where the mark says, or from the first row when there is no good one.
    fn load(&self, books: &Books) -> Result<Progress, BooksFault> {
        let disk_fault = |source| BooksFault::Alerts(self.disk_fault(source));
        let Some(mark) = self.table.mark().map_err(disk_fault)? else { return Ok(Progress::default()) };
        if !self.is_good(&mark, books)? {
            self.table.forget().map_err(disk_fault)?;
            return Ok(Progress::default());
        }
        let mut watch = Watch::default();
        for index in 0..mark.changes {
            let change = self.change(index).expect("the mark was compared with the changes");
            define(books, &mut watch, change.record)?;
        }
        for (row, hold) in mark.holds {
            watch.restore_hold(row, hold);
        }
        Ok(Progress {
            watch,
            next_row: mark.rows,
            last: mark.last,
            next_change: mark.changes,
            last_change: mark.last_change,
            written: mark.alerts,
            marked: (mark.rows, mark.changes),
            ..Progress::default()
        })
    }

    /// Whether a mark is one of this journal, and its alerts are there.
    fn is_good(&self, mark: &Mark, books: &Books) -> Result<bool, BooksFault> {
        if mark.rows > books.rows.len() {
            return Ok(false);
        }
        if let Some(last) = mark.rows.checked_sub(1) {
            let last = books.row(last)?.ok_or(BooksFault::Row(last))?;
            if mark.last != (last.created_at, last.nonce) {
                return Ok(false);
            }
        }
        if let Some(last) = mark.changes.checked_sub(1)
            && self.change(last).is_none_or(|change| change.record != mark.last_change)
        {
            return Ok(false);
        }
        if mark.alerts == 0 {
            return Ok(true);
        }
        let file = self.file().map_err(BooksFault::Alerts)?;
        table::are_good(&**file, mark.alerts).map_err(|source| BooksFault::Alerts(self.disk_fault(source)))
    }

    /// Sleeps until there is more.
    fn sleep(&self, books: &Books) {
        if !self.are_used() {
            // Who wakes it has published the first monitor.
            self.asleep.store(true, Ordering::SeqCst);
            fence(Ordering::SeqCst);
            if !self.are_used() && !self.stopping.load(Ordering::Acquire) {
                std::thread::park();
            }
        } else {
            self.asleep.store(true, Ordering::SeqCst);
            fence(Ordering::SeqCst);
            let more = books.rows.len() > self.known.load(Ordering::Acquire);
            if !more && !self.stopping.load(Ordering::Acquire) {
                std::thread::park_timeout(limits::IDLE_WAIT);
            }
        }
        self.asleep.store(false, Ordering::SeqCst);
    }
}

fn define(books: &Books, watch: &mut Watch, record: u64) -> Result<(), BooksFault> {
    let (event, bytes) = books.event_and_bytes(record)?;
    match event {
        Event::MonitorSet(event) => watch.set(&event, record, u32::try_from(bytes).unwrap_or(u32::MAX)),
        Event::MonitorDeleted(event) => watch.delete(&event),
        _ => return Err(BooksFault::Alerts(AlertsFault::Stuck(format!("record {record} defines no monitor")))),
    }
    Ok(())
}
