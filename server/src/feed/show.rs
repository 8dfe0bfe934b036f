//! Events as clients see them.

use super::cursor::Cursor;
use super::emitted::Emitted;
use super::names::Names;
use super::page::{Page, Taken};
use crate::api::assertion::AssertionView;
use crate::api::balance::{BalanceParts, BalanceView};
use crate::api::closing::{self, ClosingView};
use crate::api::ledger::LedgerView;
use crate::api::metadata::Metadata;
use crate::api::time;
use crate::api::transaction::view::{Told, Viewer, queued_parent};
use crate::http::answer::to_json;
use crate::http::error::ApiError;
use crate::http::identities::stored;
use crate::http::{self, failure};
use crate::vault::Vault;
use engine::reading::{Books, BooksFault};
use ledger::command::Batch;
use ledger::event::{BalanceCreated, Event, Kind, Opened, Recorded};
use ledger::id::{Id, Prefix};
use ledger::rejection::Rejection;
use ledger::row::Row;
use ledger::state::{Figures, GENERAL_LEDGER_ID};
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

/// A page as it is sent.
#[derive(Debug, Serialize)]
pub struct PageView {
    /// Its events, in order.
    pub events: Vec<EventView>,
    next: String,
    caught_up: bool,
}

/// One event.
#[derive(Debug, Serialize)]
pub struct EventView {
    /// The same whenever it is read, and that of no other event of any ledger: receivers drop doubles by it.
    id: String,
    cursor: String,
    event: &'static str,
    created_at: String,
    data: Data,
}

/// What webhooks carry: an object whose keys are in order.
type Data = BTreeMap<String, Box<RawValue>>;

fn data_of(view: &impl Serialize) -> Data {
    serde_json::from_slice(&to_json(view)).expect("a view is an object of JSON")
}

/// Shows a page. The names are those that [`super::names::find`] found for it.
pub fn page(books: &Books, vault: &Vault, page: Page, names: Vec<Option<Names>>) -> Result<PageView, ApiError> {
    let mut events = Vec::new();
    for (taken, names) in page.records.into_iter().zip(names) {
        show(books, vault, taken, names, &mut events)?;
    }
    let next = page.next.map(Cursor::text).unwrap_or_default();
    Ok(PageView { events, next, caught_up: page.caught_up })
}

fn show(
    books: &Books,
    vault: &Vault,
    taken: Taken,
    names: Option<Names>,
    out: &mut Vec<EventView>,
) -> Result<(), ApiError> {
    let Taken { record, first, emitted } = taken;
    let created_at = time::text(record.event.at());
    let mut mark = String::from("evt_");
    for byte in &record.chain[..16] {
        write!(mark, "{byte:02x}").expect("a text takes everything");
    }
    let mut shower = Shower::new(books, vault, record.cursor.position, record.event, names);
    for (index, one) in emitted.into_iter().enumerate() {
        let index = first + index;
        out.push(EventView {
            id: format!("{mark}_{index}"),
            cursor: Cursor { record: record.cursor, taken: index + 1 }.text(),
            event: one.name(),
            created_at: created_at.clone(),
            data: shower.data(one)?,
        });
    }
    Ok(())
}

/// Shows the events of one record.
enum Shower<'a> {
    /// A record that makes one event.
    One { books: &'a Books, position: u64, vault: &'a Vault, event: Event, names: Option<Names> },
    /// A record of transactions.
    Recorded {
        viewer: Viewer<'a>,
        event: Arc<Recorded>,
        opened: std::vec::IntoIter<Id>,
        books: &'a Books,
        /// Monitors that fired, by the record of their definition.
        monitors: BTreeMap<u64, Data>,
    },
}

impl<'a> Shower<'a> {
    fn new(books: &'a Books, vault: &'a Vault, position: u64, event: Event, names: Option<Names>) -> Shower<'a> {
        match event {
            Event::Recorded(event) => {
                let event = Arc::new(event);
                let opened = if let Some(Names::BalancesOpened(ids)) = names { ids } else { Vec::new() };
                let viewer = Viewer::of_record(books, position, Arc::clone(&event));
                Shower::Recorded { viewer, event, opened: opened.into_iter(), books, monitors: BTreeMap::new() }
            }
            event => Shower::One { books, position, vault, event, names },
        }
    }

    fn data(&mut self, emitted: Emitted) -> Result<Data, ApiError> {
        match self {
            Shower::One { books, position, vault, event, names } => one(books, *position, vault, event, names.take()),
            Shower::Recorded { viewer, event, opened, books, monitors } => match emitted {
                Emitted::Monitor { record, .. } => {
                    if let Some(known) = monitors.get(&record) {
                        return Ok(known.clone());
                    }
                    let data = data_of(&http::monitors::view(books, record)?);
                    monitors.insert(record, data.clone());
                    Ok(data)
                }
                Emitted::BalanceOpened(index) => {
                    let id = opened.next().ok_or_else(ApiError::internal)?;
                    Ok(data_of(&balance_opened(books, event, event.opened[index], id)))
                }
                Emitted::Transaction { row, .. } => {
                    let row = books.row(row)?.ok_or(BooksFault::Row(row))?;
                    let view = viewer.view(&row, true)?;
                    Ok(data_of(&view.told_as_event(&row, &event.movements[row.movement as usize])))
                }
                Emitted::WholeFailed { movement, rejection } => whole_failed(books, event, movement, rejection),
                Emitted::BatchRecorded { name } => Ok(batch_recorded(event, name)),
                Emitted::Ledger
                | Emitted::LedgerRenamed
                | Emitted::Identity
                | Emitted::Balance
                | Emitted::BatchFailed
                | Emitted::LedgerClosed
                | Emitted::BalanceAsserted
                | Emitted::AssertionDeleted => Err(ApiError::internal()),
            },
        }
    }
}

/// The event of a record that makes one.
fn one(books: &Books, position: u64, vault: &Vault, event: &Event, names: Option<Names>) -> Result<Data, ApiError> {
    Ok(match (event, names) {
        (Event::LedgerCreated(event), Some(Names::Ledger(ledger_id))) => data_of(&LedgerView {
            ledger_id,
            name: event.name.clone(),
            created_at: time::text(event.at),
            meta_data: Metadata::parse(&event.metadata),
        }),
        (Event::LedgerRenamed(event), Some(Names::LedgerRenamed(ledger))) => {
            // Later names are not its own.
            let then = ledger.before(books, position)?.view(books)?;
            data_of(&LedgerView { name: event.name.clone(), ..then })
        }
        (Event::IdentityCreated(event), Some(Names::Identity(id))) => {
            // One that was deleted is told without its fields: nobody can read them any more.
            data_of(&stored::opened(vault, &event.detail)?.unwrap_or_default().view(id, event.at))
        }
        (Event::BalanceCreated(event), Some(Names::Balance { id, ledger_id, identity_id })) => {
            data_of(&balance_created(event, id, ledger_id, identity_id))
        }
        (Event::ClosingTotalled(event), Some(Names::Closing { closing, ledger_id, currencies })) => {
            let mut view = ClosingView::new(&http::closings::closed(books, &closing)?, ledger_id, true);
            view.totals = Some(closing::totals(&event.totals, &currencies));
            data_of(&view)
        }
        (Event::BalanceAsserted(event), Some(Names::Asserted { id, currency })) => {
            // Whether it is so may be another thing whenever it is read.
            data_of(&AssertionView::new(event, id, currency, None))
        }
        (Event::AssertionDeleted(event), Some(Names::Asserted { id, .. })) => data_of(&AssertionGone {
            assertion_id: event.id.text(Prefix::Assertion),
            balance_id: id.text(Prefix::Balance),
        }),
        (Event::BatchFailed(event), None) => data_of(&WholeFailed {
            batch_id: event.batch.text(Prefix::Batch),
            error: event.error.clone(),
            status: "failed",
            timestamp: time::text(event.at),
        }),
        _ => return Err(ApiError::internal()),
    })
}

/// A balance as it was when it was made, whatever it holds now.
fn balance_created(event: &BalanceCreated, id: Id, ledger_id: String, identity_id: String) -> BalanceView {
    BalanceView::new(BalanceParts {
        figures: Figures::default(),
        version: 1,
        ledger_id,
        identity_id,
        balance_id: id.text(Prefix::Balance),
        indicator: event.indicator.clone(),
        alias: event.alias.clone(),
        currency: event.currency.clone(),
        created_at: event.at,
        metadata: event.metadata.clone(),
        precision: None,
        track_fund_lineage: event.track_fund_lineage,
        allocation: event.allocation,
    })
}

fn balance_opened(books: &Books, event: &Recorded, opened: Opened, id: Id) -> BalanceView {
    BalanceView::new(BalanceParts {
        figures: Figures::default(),
        version: 1,
        ledger_id: GENERAL_LEDGER_ID.to_owned(),
        identity_id: String::new(),
        balance_id: id.text(Prefix::Balance),
        indicator: opened.indicator.of(&event.text).to_owned(),
        alias: String::new(),
        currency: books.currency(opened.currency).to_string(),
        created_at: event.at,
        metadata: String::new(),
        precision: None,
        track_fund_lineage: false,
        allocation: ledger::command::Allocation::Fifo,
    })
}

/// What is told of an assertion that was taken back.
#[derive(Serialize)]
struct AssertionGone {
    assertion_id: String,
    balance_id: String,
}

/// What is told of a whole that was rejected.
#[derive(Serialize)]
struct WholeFailed {
    batch_id: String,
    error: String,
    status: &'static str,
    timestamp: String,
}

/// What is told of a batch that was worked on behind its answer.
#[derive(Serialize)]
struct BatchRecorded {
    batch_id: String,
    status: &'static str,
    timestamp: String,
    transaction_count: u32,
}

fn batch_recorded(event: &Recorded, name: &'static str) -> Data {
    data_of(&BatchRecorded {
        batch_id: event.batch_id().map(|id| id.text(Prefix::Batch)).unwrap_or_default(),
        status: if name == "bulk_transaction.inflight" { "inflight" } else { "applied" },
        timestamp: time::text(event.at),
        transaction_count: event.main_movements().last().map_or(0, |last| last.item + 1),
    })
}

fn whole_failed(books: &Books, event: &Recorded, movement: usize, rejection: Rejection) -> Result<Data, ApiError> {
    let rows_before: u64 = event.movements[..movement].iter().map(ledger::event::Movement::rows_count).sum();
    let number = event.first_row + rows_before;
    let row = |number: u64| Ok::<Row, ApiError>(books.row(number)?.ok_or(BooksFault::Row(number))?);
    let batch_id = match event.movements[movement].kind {
        // What ran was asked for earlier: the whole is that of then.
        Kind::Execution(request) => {
            let request = row(request)?;
            let asked = books.recorded(&request)?;
            queued_parent(&Told::of(&asked, request.movement as usize), &request)
        }
        _ => queued_parent(&Told::of(event, movement), &row(number)?),
    };
    let fate = if event.is_run() && event.batch == Batch::Atomic {
        "All transactions of this batch that were due with it have been refused."
    } else {
        "All transactions in this batch have been refused."
    };
    Ok(data_of(&WholeFailed {
        batch_id,
        error: format!("{}. {fate}", failure::reason(rejection)),
        status: "failed",
        timestamp: time::text(event.at),
    }))
}
