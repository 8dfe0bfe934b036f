//! Reading a page of the feed from the journal.

use super::alerts;
use super::cursor::Cursor;
use super::emitted::Emitted;
use engine::follow::{Followed, Follower};
use engine::reading::{Books, BooksFault};
use ledger::event::Event;

/// Events of a page, unless asked for.
pub const EVENTS_DEFAULT: usize = 100;
/// Most events of a page.
pub const EVENTS_MAX: usize = 1_000;
/// Records that are read for one page. Few make no events; past them the page is shorter than asked for.
pub const RECORDS_MAX: usize = 10_000;
/// Bytes of records that are read for one page; the last may go over it.
pub const READ_BYTES_MAX: usize = 16 << 20;
/// Bytes of texts that a page tells, about; the last event may go over it.
pub const TEXT_BYTES_MAX: usize = 4 << 20;

/// Some events that follow each other.
#[derive(Debug)]
pub struct Page {
    /// The records that make them, those without events left out.
    pub records: Vec<Taken>,
    /// The place after them; none before the first record.
    pub next: Option<Cursor>,
    /// Whether nothing more was there that can be told already.
    pub caught_up: bool,
}

/// A record, and which of its events are on the page.
#[derive(Debug)]
pub struct Taken {
    /// The record.
    pub record: Followed,
    /// The index of the first of them among all of the record.
    pub first: usize,
    /// These.
    pub emitted: Vec<Emitted>,
}

/// Reads the events after a cursor, or from the first one on. `None` when the cursor is none of this journal.
pub fn read(books: &Books, after: Option<Cursor>, limit: usize) -> Result<Option<Page>, BooksFault> {
    let (mut follower, mut skip) = match after {
        None => (Follower::from_start(books), 0),
        Some(cursor) => match Follower::at(books, cursor.record)? {
            None => return Ok(None),
            Some(follower) => (follower, cursor.taken),
        },
    };
    let mut page = Page { records: Vec::new(), next: after, caught_up: false };
    let mut fired = books.monitors().alerts();
    let (mut events, mut texts, mut bytes, mut is_first) = (0, 0, 0, after.is_some());
    for _ in 0..RECORDS_MAX {
        if events >= limit || texts >= TEXT_BYTES_MAX || bytes >= READ_BYTES_MAX {
            break;
        }
        let Some(record) = follower.take_next()? else { break };
        let Some(all) = alerts::told(books, &mut fired, &record.event)? else {
            // What is told of it is not known yet. It will be soon, and who waits is told then.
            page.caught_up = true;
            return Ok(Some(page));
        };
        if std::mem::take(&mut is_first) && skip > all.count() {
            return Ok(None);
        }
        let first = std::mem::take(&mut skip);
        let mut kept = Vec::new();
        all.from(first, &mut fired, |one| {
            if events + kept.len() >= limit || texts >= TEXT_BYTES_MAX {
                return false;
            }
            texts += text_bytes(&record.event, one);
            kept.push(one);
            true
        })?;
        events += kept.len();
        bytes += record.bytes;
        let taken = first + kept.len();
        page.next = Some(Cursor { record: record.cursor, taken });
        let is_whole = taken == all.count();
        if !kept.is_empty() {
            page.records.push(Taken { record, first, emitted: kept });
        }
        if !is_whole {
            return Ok(Some(page));
        }
    }
    page.caught_up = follower.is_at_end();
    Ok(Some(page))
}

/// About how many bytes the totals of a currency are.
const TOTAL_TEXT_BYTES: usize = 400;

/// About how many bytes an event is when it is told.
fn text_bytes(event: &Event, emitted: Emitted) -> usize {
    const USUAL: usize = 1 << 10;
    let texts = match (event, emitted) {
        (Event::LedgerCreated(event), _) => event.name.len() + event.metadata.len(),
        // The metadata is in another record.
        (Event::LedgerRenamed(event), _) => event.name.len() + ledger::limits::METADATA_BYTES_MAX,
        (Event::IdentityCreated(event), _) => event.detail.len(),
        (Event::BalanceCreated(event), _) => event.metadata.len(),
        (Event::Recorded(event), Emitted::Transaction { movement, .. }) => {
            let moved = &event.movements[movement];
            let spans = [moved.metadata, moved.description, moved.reference, moved.source_text, moved.destination_text];
            spans.iter().map(|span| span.of(&event.text).len()).sum()
        }
        (Event::BatchFailed(event), _) => event.error.len(),
        (Event::Recorded(_), Emitted::Monitor { bytes, .. }) => bytes as usize,
        (
            Event::Recorded(_)
            | Event::Rescheduled(_)
            | Event::CurrencyRegistered(_)
            | Event::PolicySet(_)
            | Event::MetadataChanged(_)
            | Event::BalanceLinked(_)
            | Event::BalanceNamed(_),
            _,
        ) => 0,
        (Event::AccountCreated(_), _) => 0,
        (Event::LedgerClosed(_) | Event::AssertionDeleted(_), _) => 0,
        // What its maker wrote is in another record.
        (Event::ClosingTotalled(event), _) => {
            event.totals.len() * TOTAL_TEXT_BYTES
                + ledger::limits::DESCRIPTION_BYTES_MAX
                + ledger::limits::METADATA_BYTES_MAX
        }
        (Event::BalanceAsserted(event), _) => event.description.len() + event.source.len() + event.metadata.len(),
        (Event::MonitorSet(_) | Event::MonitorDeleted(_), _) => 0,
        (Event::IdentityChanged(_) | Event::IdentityDeleted(_) | Event::IdentityRevealed(_), _) => 0,
        (Event::KeyKept(_), _) => 0,
    };
    USUAL + texts
}
