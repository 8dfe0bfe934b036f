//! What was said of a transaction after it was recorded.
//!
//! A change counts for the row that it names and for those that belong to it at that moment. A row that takes over the metadata
//! of another as it was recorded (the outcome of a request, the run of a scheduled one, the end of a hold) takes over what was
//! said of that before as well, also of what that belongs to.

use crate::api::metadata::Metadata;
use engine::reading::{Books, BooksFault};
use ledger::event::MetadataChanged;
use ledger::notes::Subject;
use ledger::row::{Flags, Parent, Row};

/// Puts what was said of a row over its metadata. `until_recorded` leaves out what was said since it was recorded.
pub fn apply(books: &Books, row: &Row, until_recorded: bool, metadata: &mut Metadata) -> Result<(), BooksFault> {
    if books.notes().is_empty() {
        return Ok(());
    }
    let mut said: Vec<(u64, MetadataChanged)> = Vec::new();
    let mut take = |parent: Parent, counts: &dyn Fn(&MetadataChanged) -> bool| {
        if parent != Parent::None {
            said.extend(books.changes(Subject::Rows(parent))?.into_iter().filter(|(_, change)| counts(change)));
        }
        Ok::<(), BooksFault>(())
    };
    let takes_over = [Flags::OUTCOME, Flags::EXECUTION, Flags::SETTLEMENT].iter().any(|flag| row.flags.has(*flag));
    take(Parent::Row(row.number), &|_| true)?;
    take(row.parent, &|change| takes_over || change.first_row > row.number)?;
    let mut above = row.parent;
    while let (true, Parent::Row(number)) = (takes_over, above) {
        above = books.row(number)?.ok_or(BooksFault::Row(number))?.parent;
        take(above, &|change| change.first_row <= row.number)?;
    }
    said.retain(|(_, change)| !until_recorded || change.first_row <= row.number);
    said.sort_by_key(|(record, _)| *record);
    for (_, change) in said {
        metadata.merge(Metadata::parse(&change.metadata).unwrap_or_default());
    }
    Ok(())
}
