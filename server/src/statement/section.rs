//! One balance of a statement: what is at its head, and its lines.

use crate::api::transaction::view::Viewer;
use crate::http::error::ApiError;
use engine::dated::{Cut, View};
use engine::history::{self, Account, Line, StatementFault, Walk};
use engine::reading::{Books, BooksFault};
use ledger::decimal::exact_major_text;
use ledger::event::Kind;
use ledger::id::{Id, Prefix};
use ledger::row::Posted;

/// Of what time a statement is: from one moment on and before another, microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// The first moment; from the beginning without it.
    pub from: Option<i64>,
    /// The first moment that is no more of it.
    pub to: i64,
}

impl Period {
    /// The place of its beginning.
    pub fn start(self) -> Cut {
        Cut::before(self.from.unwrap_or(i64::MIN))
    }
}

/// What the state knows of a balance that a statement needs.
pub struct Known {
    /// Its history.
    pub history: history::Known,
    /// Minor units in a major unit, when its currency is registered.
    pub precision: Option<u64>,
}

/// What stands at the head of a section.
#[derive(Debug, Clone)]
pub struct Heading {
    /// The balance.
    pub id: Id,
    /// Its `@indicator`, or empty.
    pub indicator: String,
    /// The ledger it belongs to.
    pub ledger_id: String,
    /// The name of that.
    pub ledger_name: String,
    /// Its owner, or empty.
    pub identity_id: String,
    /// The name of that, or empty.
    pub owner: String,
    /// Its currency.
    pub currency: String,
    /// When it was made.
    pub created_at: i64,
}

/// One balance of a statement, and how far its lines were read.
pub struct Section {
    /// What stands at its head.
    pub heading: Heading,
    /// Minor units in a major unit, for all amounts of it: that of the registered currency, or else that of the newest posting
    /// before its end, or of the newest at all, or else 1. One for all of it, because amounts that are shown in different units
    /// do not add up.
    pub precision: u64,
    /// The first moment. Unless one was asked for, when the balance was made, or the business date of its first posting if that
    /// is earlier.
    pub from: i64,
    /// The first moment that is no more of it.
    pub to: i64,
    /// What was posted before.
    pub opening: Posted,
    /// What was posted before the end, by the figures.
    pub closing: Posted,
    /// Open holds, when they are asked for. They are in none of the sums.
    pub pending: Option<Vec<Entry>>,
    walk: Walk,
}

/// One line, as all forms show it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The transaction.
    pub id: Id,
    /// Its reference.
    pub reference: String,
    /// Its description.
    pub description: String,
    /// The other balance.
    pub counterparty: String,
    /// What it was.
    pub kind: &'static str,
    /// When it counts.
    pub effective_at: i64,
    /// When it was recorded.
    pub created_at: i64,
    /// What it adds to credits and debits, minor units.
    pub moved: Posted,
    /// The balance after it, minor units; none after a hold.
    pub balance: Option<i128>,
}

impl Section {
    /// Begins the section of a balance. Its lines begin at `start`, which is that of the period or later.
    pub fn open(
        books: &Books,
        view: &View,
        known: &Known,
        heading: Heading,
        period: Period,
        start: Cut,
    ) -> Result<Section, StatementFault> {
        let account = Account::new(books, view, known.history)?;
        let (beginning, from) = (period.start(), start.max(period.start()));
        let before = if from == beginning { None } else { Some(account.before(books, beginning)?) };
        let first = account.earliest_dated()?.map_or(heading.created_at, |at| at.min(heading.created_at));
        let walk = Walk::new(books, account, from, Cut::before(period.to).max(start))?;
        let opening = before.unwrap_or(walk.running());
        let precision = match known.precision {
            Some(precision) => precision,
            None => walk.newest_posting(books)?.map_or(1, |row| row.precision),
        };
        let closing = walk.closing();
        let from = period.from.unwrap_or(first).min(period.to);
        Ok(Section { heading, precision, from, to: period.to, opening, closing, pending: None, walk })
    }

    /// Whether all lines were read.
    pub fn is_over(&self) -> bool {
        self.walk.is_over()
    }

    /// Where the lines go on.
    pub const fn next(&self) -> Cut {
        self.walk.next()
    }

    /// Appends the lines that are next: `most` of them, or fewer when there are no more. When it fails, nothing was appended.
    pub fn advance(&mut self, books: &Books, most: usize, entries: &mut Vec<Entry>) -> Result<(), StatementFault> {
        let mut lines = Vec::new();
        while lines.len() < most && !self.walk.is_over() {
            self.walk.advance(books, most - lines.len(), &mut lines)?;
        }
        // Lines of one record after the other, so that each record is read and gone over once: dates may be in quite
        // another order.
        let mut order: Vec<usize> = (0..lines.len()).collect();
        order.sort_by_key(|index| (lines[*index].row.record, lines[*index].row.movement));
        let mut viewer = Viewer::new(books);
        let mut told = vec![None; lines.len()];
        for index in order {
            told[index] = Some(entry(books, &mut viewer, &lines[index])?);
        }
        if self.walk.is_over() && self.walk.running() != self.closing {
            let (summed, figures) = (self.walk.running(), self.closing);
            return Err(StatementFault::Unequal { at: self.to, summed, figures });
        }
        entries.extend(told.into_iter().flatten());
        Ok(())
    }

    /// An amount in major units, exactly, with as many decimals as there are minor units for: `398.10`.
    pub fn major(&self, minor: i128) -> String {
        let mut text = exact_major_text(minor, self.precision);
        let wanted = decimals(self.precision);
        let given = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        if given < wanted {
            if given == 0 {
                text.push('.');
            }
            text.extend(std::iter::repeat_n('0', wanted - given));
        }
        text
    }
}

/// Decimals of an amount: the zeros of a power of ten. Other precisions have no fixed number.
fn decimals(precision: u64) -> usize {
    let zeros = precision.max(1).ilog10();
    if 10u64.pow(zeros) == precision { zeros as usize } else { 0 }
}

fn entry(books: &Books, viewer: &mut Viewer<'_>, line: &Line) -> Result<Entry, BooksFault> {
    let row = &line.row;
    let other = if line.moved.debit > 0 { row.destination } else { row.source };
    let counterparty = books.balance_id(other).map(|id| id.text(Prefix::Balance)).unwrap_or_default();
    let told = viewer.told(row)?;
    let kind = match told.movement.kind {
        Kind::Posting | Kind::Execution(_) => "posting",
        Kind::Refund(_) => "refund",
        Kind::Settlement { .. } => "settlement",
        Kind::Release { .. } => "release",
        Kind::Change { .. } => "change",
        Kind::Lineage { .. } | Kind::LineageSettlement { .. } => "lineage",
    };
    Ok(Entry {
        id: row.id(),
        reference: told.reference(row),
        description: told.description().to_owned(),
        counterparty,
        kind,
        effective_at: row.effective_at,
        created_at: row.created_at,
        moved: line.moved,
        balance: Some(line.after.credit - line.after.debit),
    })
}

impl From<StatementFault> for ApiError {
    fn from(fault: StatementFault) -> ApiError {
        match fault {
            StatementFault::Books(fault) => fault.into(),
            StatementFault::Unequal { .. } => {
                tracing::error!("{fault}");
                ApiError::new(
                    crate::http::error::Code::GenInternal,
                    "the statement does not add up and was not made; stop the server and run `florin verify`",
                )
            }
        }
    }
}
