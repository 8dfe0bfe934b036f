//! Compares what is derived with the rows that the journal makes, on a thread of its own: while it compares the rows of some
//! records, those of the next ones are made.

use super::alerts::Alerts;
use super::dated::DatedRows;
use super::feed::{Fed, Name};
use super::pairs::{self, Pairs};
use super::table::Table;
use super::{OUTCOME_SUFFIX, Part, Problems, VerifyFault, feed};
use crate::fingerprint::FingerprintKey;
use crate::folder::Folder;
use crate::known_keys;
use journal::disk::Disk;
use journal::reader::Reader;
use ledger::event::{Event, Recorded};
use ledger::row::{Flags, Parent, Row, Status};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};

/// Batches of rows that may wait.
pub const WAITING_MAX: usize = 4;

/// Records, and the rows that they made.
#[derive(Default)]
pub struct Applied {
    /// The records, in order.
    pub records: Vec<Fed>,
    /// All of their rows, in order.
    pub rows: Vec<Row>,
    /// For each record that was applied, how many of the rows it and those before it made.
    pub ends: Vec<usize>,
}

/// Everything that is derived, as far as it must be there.
pub struct Derived {
    key: FingerprintKey,
    /// The table of rows.
    pub table: Table,
    alerts: Alerts,
    /// The index of references.
    pub references: Pairs,
    /// The index of children.
    pub children: Pairs,
    dated: DatedRows,
    /// What is wrong.
    pub problems: Problems,
}

impl Derived {
    /// Opens what is in a folder. A checkpoint says that the rows reach up to row `rows_until`.
    pub fn open(disk: &Arc<dyn Disk>, folder: &Folder, rows_until: u64) -> Result<Derived, VerifyFault> {
        let mut problems = Problems::default();
        let alerts = Alerts::open(Arc::clone(disk), &folder.tables())?;
        let disk = &**disk;
        let references = Pairs::open(disk, &folder.references(), Part::References, true, &mut problems)?;
        let children = Pairs::open(disk, &folder.children(), Part::Children, false, &mut problems)?;
        let dated = DatedRows::open(disk, &folder.dated(), &mut problems)?;
        let table = Table::open(disk, &folder.tables(), rows_until)?;
        Ok(Derived { key: folder.key, table, alerts, references, children, dated, problems })
    }

    /// Takes rows as they are made, and gives their memory back.
    pub fn follow(&mut self, batches: Receiver<Applied>, spare: &Sender<Applied>) -> Result<(), VerifyFault> {
        for mut batch in batches {
            let mut begin = 0;
            for (record, &end) in batch.records.iter().zip(&batch.ends) {
                self.take(record, &batch.rows[begin..end])?;
                begin = end;
            }
            batch.records.clear();
            batch.rows.clear();
            batch.ends.clear();
            // Whoever makes no more rows needs no memory for them.
            drop(spare.send(batch));
        }
        Ok(())
    }

    fn take(&mut self, fed: &Fed, rows: &[Row]) -> Result<(), VerifyFault> {
        if let Event::Recorded(event) = &fed.event {
            if let Some(key) = &event.key {
                self.references.expect(self.key.of_key(&key.name), event.first_row, fed.position, 0);
            }
            for row in rows {
                if let Some(text) = self.table.compare(row)? {
                    self.problems.add(Part::Rows, text);
                }
                self.expect_pairs(event, row, fed.position);
                self.dated.expect(row);
            }
        }
        if let Event::KeyKept(event) = &fed.event {
            self.references.expect_kept(self.key.of_key(&event.key.name), fed.position);
        }
        if let Some(text) = self.alerts.take(&fed.event, fed.position, rows)? {
            self.problems.add(Part::Rows, text);
        }
        Ok(())
    }

    /// Notes what the indexes must say of a row.
    fn expect_pairs(&mut self, event: &Recorded, row: &Row, position: u64) {
        let key = self.key;
        let reference = event.movements[row.movement as usize].reference.of(&event.text);
        if !reference.is_empty() {
            let execution = row.flags.has(Flags::EXECUTION);
            if execution || row.flags.has(Flags::OUTCOME) {
                let mark = if execution { pairs::EXECUTION } else { 0 };
                self.references.expect(key.of_parts(reference, OUTCOME_SUFFIX), row.number, position, mark);
            } else {
                self.references.expect(key.of(reference), row.number, position, 0);
            }
            if row.status == Status::Scheduled {
                let reserved = key.of_parts(reference, OUTCOME_SUFFIX);
                self.references.expect(reserved, row.number, position, pairs::RESERVED);
            }
        }
        if let Parent::Row(parent) = row.parent
            && !row.flags.has(Flags::OUTCOME)
        {
            self.children.expect(parent, row.number, position, 0);
        }
    }

    /// Compares the indexes, when all rows were taken.
    pub fn compare_indexes(&mut self, reader: &Reader) -> Result<(), VerifyFault> {
        self.references.compare(&mut self.problems)?;
        self.children.compare(&mut self.problems)?;
        self.dated.compare(&mut self.problems)?;
        let suspects = std::mem::take(&mut self.references.suspects);
        if suspects.is_empty() {
            return Ok(());
        }
        let names = feed::names_of(reader, &suspects);
        for (one, other) in suspects {
            let (Some(held), Some(again)) = (names.get(&one), names.get(&other)) else { continue };
            if let Some(name) = held.iter().find(|name| again.contains(name)) {
                let what = match name {
                    Name::Reference(_) => "reference",
                    Name::Key(_) => "key",
                };
                let (one, other) = (holder_text(one), holder_text(other));
                self.problems.add(Part::Books, format!("{one} and {other} have the same {what}"));
            }
        }
        Ok(())
    }

    /// The position up to which the indexes have seen the journal.
    pub fn covered(&self) -> u64 {
        self.references.covered().max(self.children.covered())
    }

    /// Sees that nothing is left over when all rows of the journal were taken, so many.
    pub fn end(&mut self, rows: u64) {
        if let Some(text) = self.alerts.end(rows) {
            self.problems.add(Part::Rows, text);
        }
    }
}

fn holder_text(value: u64) -> String {
    match known_keys::position_of(value) {
        Some(position) => format!("the record at position {position}"),
        None => format!("row {value}"),
    }
}
