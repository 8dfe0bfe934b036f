//! What was said of a transaction after it was recorded.
//!
//! A change counts for the row that it names and for those that belong to it at that moment. A row that takes over the metadata
//! of another as it was recorded (the outcome of a request, the run of a scheduled one, the end of a hold) takes over what was
//! said of that before as well, also of what that belongs to.
//!
//! Many rows may belong to one thing that was changed many times, so what was said of it is read once for rows that are shown
//! together ([`Known`]).

use crate::api::metadata::Metadata;
use engine::reading::{Books, BooksFault};
use ledger::notes::Subject;
use ledger::row::{Flags, Parent, Row};
use ledger::state::NO_RECORD;

/// What was said of the things that the rows shown last belong to: of a row, and of a batch or a split transaction.
pub struct Known([Option<Said>; 2]);

impl Known {
    /// Nothing is known yet.
    pub const fn nothing() -> Known {
        Known([None, None])
    }

    /// What was said of something, if anything was.
    fn of(&mut self, books: &Books, of: Parent) -> Result<Option<&Said>, BooksFault> {
        let newest = books.notes().newest(Subject::Rows(of));
        if newest == NO_RECORD {
            return Ok(None);
        }
        let place = &mut self.0[usize::from(!matches!(of, Parent::Row(_)))];
        if place.as_ref().is_none_or(|said| (said.of, said.newest) != (of, newest)) {
            *place = Some(Said::read(books, of, newest)?);
        }
        Ok(place.as_ref())
    }
}

/// What was said of one thing.
struct Said {
    of: Parent,
    /// The record of the newest change.
    newest: u64,
    /// The changes, oldest first.
    changes: Vec<Change>,
    /// All of them together.
    whole: Metadata,
}

impl Said {
    fn read(books: &Books, of: Parent, newest: u64) -> Result<Said, BooksFault> {
        let (mut changes, mut whole) = (Vec::new(), Metadata::default());
        for (record, change) in books.changes(Subject::Rows(of))? {
            let metadata = Metadata::parse(&change.metadata).unwrap_or_default();
            whole.merge(metadata.clone());
            changes.push(Change { record, first_row: change.first_row, metadata });
        }
        Ok(Said { of, newest, changes, whole })
    }
}

/// One change.
struct Change {
    record: u64,
    /// The number of the first row that was recorded after it.
    first_row: u64,
    metadata: Metadata,
}

/// What was said of a row, to be put over its metadata. `until_recorded` leaves out what was said since it was recorded.
pub fn of(books: &Books, row: &Row, until_recorded: bool, known: &mut Known) -> Result<Metadata, BooksFault> {
    if books.notes().is_empty() {
        return Ok(Metadata::default());
    }
    let takes_over = [Flags::OUTCOME, Flags::EXECUTION, Flags::SETTLEMENT].iter().any(|flag| row.flags.has(*flag));
    let mut said = Counted::default();
    let before = |change: &Change| change.first_row <= row.number;
    said.take(books, &mut Known::nothing(), Parent::Row(row.number), |change| !until_recorded || before(change))?;
    said.take(books, known, row.parent, |change| if before(change) { takes_over } else { !until_recorded })?;
    let mut above = row.parent;
    while let (true, Parent::Row(number)) = (takes_over, above) {
        above = books.row(number)?.ok_or(BooksFault::Row(number))?.parent;
        said.take(books, known, above, before)?;
    }
    Ok(said.together())
}

/// Changes that count for a row.
#[derive(Default)]
struct Counted {
    /// All of one thing, while nothing else counts.
    whole: Option<(Parent, Metadata)>,
    single: Vec<(u64, Metadata)>,
}

impl Counted {
    fn take(
        &mut self,
        books: &Books,
        known: &mut Known,
        of: Parent,
        counts: impl Fn(&Change) -> bool,
    ) -> Result<(), BooksFault> {
        if of == Parent::None {
            return Ok(());
        }
        let Some(said) = known.of(books, of)? else { return Ok(()) };
        if self.whole.is_none() && self.single.is_empty() && said.changes.iter().all(&counts) {
            self.whole = Some((of, said.whole.clone()));
            return Ok(());
        }
        let before = self.single.len();
        self.add(said, counts);
        if self.single.len() > before
            && let Some((first, _)) = self.whole.take()
            && let Some(said) = known.of(books, first)?
        {
            self.add(said, |_| true);
        }
        Ok(())
    }

    fn add(&mut self, said: &Said, counts: impl Fn(&Change) -> bool) {
        let counted = said.changes.iter().filter(|change| counts(change));
        self.single.extend(counted.map(|change| (change.record, change.metadata.clone())));
    }

    /// All of them, the newest last.
    fn together(mut self) -> Metadata {
        let mut together = self.whole.map(|(_, whole)| whole).unwrap_or_default();
        self.single.sort_by_key(|(record, _)| *record);
        for (_, metadata) in self.single {
            together.merge(metadata);
        }
        together
    }
}
