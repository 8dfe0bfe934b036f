//! A transaction as clients see it.

use crate::api::lineage;
use crate::api::metadata::{FUND_ALLOCATION, Metadata};
use crate::api::number::NumberText;
use crate::api::split::Parts;
use crate::api::time::{self, ZERO};
use crate::api::transaction::{Checked, changes};
use crate::http::failure;
use engine::codec::extract::Extract;
use engine::reading::{self, Books, BooksFault, full_reference};
use ledger::command::Batch;
use ledger::decimal::{Decimal, major_text};
use ledger::event::{Kind, Movement, Outcome, Recorded, batch_id, split_id};
use ledger::id::{Id, Prefix};
use ledger::row::{Flags, Parent, Row, Status};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// A transaction.
#[derive(Debug, Serialize)]
pub struct TransactionView {
    precise_amount: NumberText,
    amount: NumberText,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount_string: Option<String>,
    precision: u64,
    overdraft_limit: NumberText,
    /// Its id.
    pub transaction_id: String,
    /// What it belongs to, or empty.
    pub parent_transaction: String,
    /// Where the amount was taken from, or empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// Where the amount went to, or empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub destination: String,
    /// Its reference.
    pub reference: String,
    currency: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    /// Its status.
    pub status: &'static str,
    hash: String,
    allow_overdraft: bool,
    inflight: bool,
    skip_queue: bool,
    atomic: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    sources: Option<Vec<PartView>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destinations: Option<Vec<PartView>>,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    effective_date: Option<String>,
    scheduled_for: String,
    inflight_expiry_date: String,
    inflight_commit_date: String,
    /// Anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta_data: Option<Metadata>,
    /// Said of commits and voids that were asked for through the queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queued: Option<bool>,
}

/// A part of a split side, as it is told.
#[derive(Debug, Serialize)]
pub struct PartView {
    identifier: String,
    distribution: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    precise_distribution: String,
    transaction_id: String,
}

/// What a record tells of a row.
#[derive(Clone, Copy)]
pub struct Told<'e> {
    at: i64,
    seed: u64,
    first_row: u64,
    batch: Batch,
    /// The movements before the row's, as far as they matter for it: the legs of a split transaction.
    before: &'e [Movement],
    /// The row's movement.
    pub movement: &'e Movement,
    text: &'e str,
}

impl<'e> Told<'e> {
    /// What a whole record tells of one of its movements.
    pub fn of(event: &'e Recorded, index: usize) -> Told<'e> {
        let Recorded { at, seed, first_row, batch, movements, text, .. } = event;
        let (before, movement) = (&movements[..index], &movements[index]);
        Told { at: *at, seed: *seed, first_row: *first_row, batch: *batch, before, movement, text }
    }

    fn of_extract(extract: &'e Extract) -> Told<'e> {
        let Extract { at, seed, first_row, batch, movement, text, .. } = extract;
        Told { at: *at, seed: *seed, first_row: *first_row, batch: *batch, before: &[], movement, text }
    }

    /// The reference of the row.
    pub fn reference(&self, row: &Row) -> String {
        full_reference(self.movement.reference.of(self.text), row)
    }

    /// Its text for people.
    pub fn description(&self) -> &'e str {
        self.movement.description.of(self.text)
    }
}

/// What was read of a record.
enum Kept {
    Whole(Arc<Recorded>),
    /// What it tells of the movement of an index.
    One(u32, Box<Extract>),
}

/// Shows rows; keeps the last two records it read. Rows that follow each other often share one, and that of a run needs that
/// of its request. Of a long record only what it tells of the row is read, until another row of it is wanted.
pub struct Viewer<'a> {
    books: &'a Books,
    last: Option<(u64, Kept)>,
    before: Option<(u64, Kept)>,
    /// Whether what was said since a row was recorded is left out.
    until_recorded: bool,
    /// The rows of the movements of a record that something followed from.
    outcome_rows: Option<(u64, Vec<u64>)>,
    /// What was said since of what the last rows belong to.
    said: changes::Known,
}

impl<'a> Viewer<'a> {
    /// A viewer.
    pub const fn new(books: &'a Books) -> Viewer<'a> {
        let said = changes::Known::nothing();
        Viewer { books, last: None, before: None, until_recorded: false, outcome_rows: None, said }
    }

    /// A viewer of rows that were just made, whose event is at hand.
    pub fn of_answer(books: &'a Books, answer: &engine::answer::Recorded) -> Viewer<'a> {
        let last = answer.event.as_ref().zip(answer.rows.first());
        let last = last.map(|(event, row)| (row.record, Kept::Whole(Arc::clone(event))));
        Viewer { last, ..Viewer::new(books) }
    }

    /// A viewer of the rows of a record that is at hand, as they were recorded: what was said of them since is left out.
    pub const fn of_record(books: &'a Books, position: u64, event: Arc<Recorded>) -> Viewer<'a> {
        let last = Some((position, Kept::Whole(event)));
        let said = changes::Known::nothing();
        Viewer { books, last, before: None, until_recorded: true, outcome_rows: None, said }
    }

    /// The event of a row.
    pub fn event(&mut self, row: &Row) -> Result<&Recorded, BooksFault> {
        self.shared_event(row).map(|event| &**event)
    }

    fn shared_event(&mut self, row: &Row) -> Result<&Arc<Recorded>, BooksFault> {
        match self.kept(row, true)? {
            Kept::Whole(event) => Ok(event),
            Kept::One(..) => unreachable!("the whole was asked for"),
        }
    }

    /// What the record of a row tells of it.
    pub fn told(&mut self, row: &Row) -> Result<Told<'_>, BooksFault> {
        Ok(match self.kept(row, false)? {
            Kept::Whole(event) => Told::of(event, row.movement as usize),
            Kept::One(_, extract) => Told::of_extract(extract),
        })
    }

    /// Reads what is wanted of the record of a row, unless it was read before.
    fn kept(&mut self, row: &Row, whole: bool) -> Result<&Kept, BooksFault> {
        let fits = |kept: &Option<(u64, Kept)>| match kept {
            Some((record, Kept::Whole(_))) => *record == row.record,
            Some((record, Kept::One(movement, _))) => !whole && (*record, *movement) == (row.record, row.movement),
            None => false,
        };
        let is_of = |kept: &Option<(u64, Kept)>| kept.as_ref().is_some_and(|(record, _)| *record == row.record);
        if !fits(&self.last) {
            std::mem::swap(&mut self.last, &mut self.before);
        }
        // What is last now goes. Of one record two things are never kept.
        if !fits(&self.last) && is_of(&self.before) {
            std::mem::swap(&mut self.last, &mut self.before);
        }
        if !fits(&self.last) && (whole || !self.go_on(row)?) {
            let read = if whole || is_of(&self.last) {
                reading::Told::Whole(self.books.recorded(row)?)
            } else {
                self.books.told(row)?
            };
            let kept = match read {
                reading::Told::Whole(event) => Kept::Whole(Arc::new(event)),
                reading::Told::One(extract) => Kept::One(row.movement, Box::new(extract)),
            };
            self.last = Some((row.record, kept));
        }
        let (_, kept) = self.last.as_ref().expect("it was just read");
        match kept {
            Kept::Whole(event) if event.movements.len() <= row.movement as usize => Err(BooksFault::Row(row.number)),
            kept => Ok(kept),
        }
    }

    /// Goes on to a row from one before it in the same record, if that is what was read last. Answers whether it did.
    fn go_on(&mut self, row: &Row) -> Result<bool, BooksFault> {
        match &mut self.last {
            Some((record, Kept::One(movement, extract))) if *record == row.record && *movement < row.movement => {
                let fault = |source| BooksFault::Codec { position: row.record, source };
                let gone = extract.go_on((row.movement - *movement - 1) as usize).map_err(fault)?;
                if gone {
                    *movement = row.movement;
                }
                Ok(gone)
            }
            _ => Ok(false),
        }
    }

    /// Whether something followed from the record of a row in the lineage of tracked balances.
    fn has_lineage(&mut self, row: &Row) -> Result<bool, BooksFault> {
        match self.kept(row, false)? {
            Kept::Whole(event) => Ok(event.has_lineage()),
            Kept::One(_, extract) => {
                extract.has_lineage().map_err(|source| BooksFault::Codec { position: row.record, source })
            }
        }
    }

    /// A row as reads show it. Lists tell its business date too.
    pub fn view(&mut self, row: &Row, effective: bool) -> Result<TransactionView, BooksFault> {
        let books = self.books;
        let metadata = self.metadata(row)?;
        let parent_transaction = self.parent(row)?;
        let told = self.told(row)?;
        let (movement, text) = (told.movement, told.text);
        let side = |handle: u32, named: &str| match books.balance_id(handle) {
            Some(id) => id.text(Prefix::Balance),
            None => named.to_owned(),
        };
        let source = side(row.source, movement.source_text.of(text));
        let destination = side(row.destination, movement.destination_text.of(text));
        let reference = told.reference(row);
        let currency = books.currency(row.currency).to_string();
        let major = major_text(row.amount, row.precision);
        Ok(TransactionView {
            precise_amount: NumberText::integer(row.amount),
            amount: NumberText::nearest_double(&major),
            amount_string: None,
            precision: row.precision,
            overdraft_limit: NumberText::integer(0),
            transaction_id: row.id().text(Prefix::Transaction),
            parent_transaction,
            hash: hash(&major, &reference, &currency, &source, &destination),
            source,
            destination,
            reference,
            currency,
            description: told.description().to_owned(),
            status: row.status.word(),
            allow_overdraft: false,
            inflight: shows_inflight(row),
            skip_queue: false,
            atomic: false,
            sources: None,
            destinations: None,
            created_at: time::text(row.created_at),
            effective_date: effective.then(|| time::text(row.effective_at)),
            scheduled_for: ZERO.to_owned(),
            inflight_expiry_date: ZERO.to_owned(),
            inflight_commit_date: ZERO.to_owned(),
            meta_data: Some(metadata).filter(|metadata| !metadata.is_empty()),
            queued: None,
        })
    }

    /// The id of what a row belongs to, or empty.
    pub fn parent(&mut self, row: &Row) -> Result<String, BooksFault> {
        let Told { at, seed, .. } = self.told(row)?;
        Ok(match row.parent {
            Parent::None => String::new(),
            Parent::Batch(first) => batch_id(at, seed, first).text(Prefix::Batch),
            Parent::Split(first) => split_id(at, seed, first).text(Prefix::Transaction),
            Parent::Row(parent) => {
                let parent = self.books.row(parent)?.ok_or(BooksFault::Row(parent))?;
                parent.id().text(Prefix::Transaction)
            }
        })
    }

    /// The metadata of a row: what is stored, what was said of it later, and what follows from its marks and from its lineage.
    pub fn metadata(&mut self, row: &Row) -> Result<Metadata, BooksFault> {
        if row.flags.has(Flags::LINEAGE) {
            let mut metadata = self.following(row)?;
            metadata.merge(changes::of(self.books, row, self.until_recorded, &mut self.said)?);
            return Ok(metadata);
        }
        let mut metadata = self.own_metadata(row)?;
        let moved = !matches!(row.status, Status::Queued | Status::Scheduled | Status::Rejected);
        if moved && self.has_lineage(row)? {
            let allocation = lineage::allocation(self.event(row)?, row.movement);
            if !allocation.is_empty() {
                metadata.set(FUND_ALLOCATION, allocation);
            }
        }
        Ok(metadata)
    }

    /// The metadata of a row that follows another in the lineage of a balance.
    fn following(&mut self, row: &Row) -> Result<Metadata, BooksFault> {
        let books = self.books;
        let known = self.outcome_rows.as_ref().is_some_and(|(record, _)| *record == row.record);
        if !known {
            self.outcome_rows = Some((row.record, self.event(row)?.outcome_rows()));
        }
        let event = Arc::clone(self.shared_event(row)?);
        let movement = &event.movements[row.movement as usize];
        let (role, of) = movement.kind.lineage().ok_or(BooksFault::Row(row.number))?;
        let main = &event.movements[of as usize];
        let followed = match main.kind {
            Kind::Settlement { hold, .. } | Kind::Release { hold, .. } | Kind::Change { hold } => hold,
            _ => self.outcome_rows.as_ref().map_or(row.number, |(_, rows)| rows[of as usize]),
        };
        let id = |handle: u32| books.balance_id(handle).map(|id| id.text(Prefix::Balance)).unwrap_or_default();
        let terms = movement.terms();
        let shadow_for = books.row(followed)?.ok_or(BooksFault::Row(followed))?.id().text(Prefix::Transaction);
        let following = lineage::Following {
            shadow_for,
            role,
            provider: terms.provider.of(&event.text),
            owner: terms.owner.of(&event.text),
            main_balance: id(role.balance_of(main)),
            from_balance: id(main.source),
        };
        Ok(following.metadata())
    }

    /// The metadata of a row without what follows from its lineage: what rows that belong to it take over.
    pub fn own_metadata(&mut self, row: &Row) -> Result<Metadata, BooksFault> {
        self.metadata_of(row, row)
    }

    /// The own metadata of a row as another shows it that takes it over, with what was said of that one.
    fn metadata_of(&mut self, row: &Row, shown: &Row) -> Result<Metadata, BooksFault> {
        let movement = self.told(row)?.movement;
        if let Kind::Execution(request) = movement.kind {
            let rejected = movement.outcome;
            let request = self.books.row(request)?.ok_or(BooksFault::Row(request))?;
            let mut inherited = self.metadata_of(&request, shown)?;
            if let Outcome::Rejected(rejection) = rejected {
                inherited.set("blnk_rejection_reason", failure::reason(rejection));
            }
            return Ok(inherited);
        }
        if let Kind::Settlement { hold, .. } | Kind::Release { hold, .. } = movement.kind {
            // What ends by itself has no metadata of the server's own: whoever carries out timers knows nothing of it. What was
            // asked for has it, and is the same for it.
            let mut metadata = self.stored_metadata(row)?;
            let hold = self.books.row(hold)?.ok_or(BooksFault::Row(hold))?;
            metadata.merge(self.metadata_of(&hold, shown)?);
            return Ok(metadata);
        }
        let mut metadata = self.stored_metadata(row)?;
        metadata.merge(changes::of(self.books, shown, self.until_recorded, &mut self.said)?);
        let told = self.told(row)?;
        let movement = told.movement;
        if matches!(movement.kind, Kind::Change { .. }) {
            return Ok(metadata);
        }
        if movement.allow_overdraft {
            metadata.set("allow_overdraft", true);
        }
        if movement.atomic {
            metadata.set("atomic", true);
        }
        if told.batch != Batch::Single {
            metadata.set("sequence", movement.item + 1);
        }
        if movement.queued {
            metadata.set("QUEUED_PARENT_TRANSACTION", queued_parent(&told, row));
        }
        if let (Outcome::Rejected(rejection), true) = (movement.outcome, row.flags.has(Flags::OUTCOME)) {
            metadata.set("blnk_rejection_reason", failure::reason(rejection));
        }
        Ok(metadata)
    }

    /// The metadata that was recorded with a row.
    fn stored_metadata(&mut self, row: &Row) -> Result<Metadata, BooksFault> {
        let told = self.told(row)?;
        Ok(Metadata::parse(told.movement.metadata.of(told.text)).unwrap_or_default())
    }
}

/// What the request of a queued row was known by first: its batch, its split transaction, or itself.
pub fn queued_parent(told: &Told<'_>, row: &Row) -> String {
    if told.batch != Batch::Single {
        return batch_id(told.at, told.seed, told.first_row).text(Prefix::Batch);
    }
    let request = if row.flags.has(Flags::OUTCOME) { row.number - 1 } else { row.number };
    if let Some(legs) = (told.movement.leg as usize).checked_sub(1) {
        let before: u64 = told.before.iter().rev().take(legs).map(Movement::rows_count).sum();
        return split_id(told.at, told.seed, request - before).text(Prefix::Transaction);
    }
    let nonce = ledger::id::nonce(told.seed, ledger::id::NonceOf::Row(request));
    Id::new(told.at, request, nonce).text(Prefix::Transaction)
}

/// Whether a row is shown as a hold. What changes a hold is none itself: it cannot be committed or voided.
pub fn shows_inflight(row: &Row) -> bool {
    row.flags.has(Flags::INFLIGHT)
        && !row.flags.has(Flags::CHANGE)
        && matches!(row.status, Status::Queued | Status::Scheduled | Status::Inflight | Status::Rejected)
}

/// The hash of a row: SHA-256 of its amount in major units, reference, currency and sides, one after the other.
fn hash(amount: &str, reference: &str, currency: &str, source: &str, destination: &str) -> String {
    let mut hasher = Sha256::new();
    for part in [amount, reference, currency, source, destination] {
        hasher.update(part);
    }
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(64);
    for byte in hasher.finalize() {
        text.push(DIGITS[usize::from(byte >> 4)] as char);
        text.push(DIGITS[usize::from(byte & 15)] as char);
    }
    text
}

impl TransactionView {
    /// How long its texts are.
    pub fn text_bytes(&self) -> usize {
        self.reference.len() + self.description.len() + self.meta_data.as_ref().map_or(0, Metadata::bytes)
    }

    /// The answer to a request that made this row: the row, and the request's own words.
    pub fn told_as_asked(mut self, checked: &Checked<'_>, queued: bool, inflight: bool) -> TransactionView {
        let body = &checked.body;
        match body.amount.map(|number| number.0).filter(|_| body.precise_amount.is_none()) {
            Some(sent) => self.amount = NumberText::nearest_double(sent),
            None => self.amount_string = Some(major_text(checked.facts.amount, self.precision)),
        }
        self.overdraft_limit = NumberText::nearest_double(body.overdraft_limit.map_or("0", |number| number.0));
        self.allow_overdraft = body.allow_overdraft.unwrap_or(false);
        self.inflight = inflight;
        self.skip_queue = !queued;
        self.atomic = body.atomic.unwrap_or(false);
        if queued {
            self.source = body.source.as_deref().unwrap_or_default().to_owned();
            self.destination = body.destination.as_deref().unwrap_or_default().to_owned();
        }
        let told = |moment: Option<time::Moment>| moment.map_or_else(|| ZERO.to_owned(), time::Moment::text);
        self.effective_date = Some(checked.facts.effective.map_or_else(|| self.created_at.clone(), time::Moment::text));
        self.scheduled_for = told(checked.facts.scheduled);
        self.inflight_expiry_date = told(checked.facts.expires);
        self.inflight_commit_date = told(checked.facts.commits);
        self
    }

    /// The answer to a split request: the transaction as a whole, from its first leg. The side that is not split is told as it
    /// was sent, as the whole has no row.
    pub fn told_as_whole(
        mut self,
        checked: &Checked<'_>,
        parts: &Parts<'_>,
        (whole, amount): (Id, i128),
        legs: &[String],
    ) -> TransactionView {
        self.transaction_id = whole.text(Prefix::Transaction);
        self.parent_transaction = String::new();
        self.source = checked.body.source.as_deref().unwrap_or_default().to_owned();
        self.destination = checked.body.destination.as_deref().unwrap_or_default().to_owned();
        self.reference = checked.body.reference.as_deref().unwrap_or_default().to_owned();
        self.precise_amount = NumberText::integer(amount);
        if checked.body.precise_amount.is_some() {
            self.amount = NumberText::nearest_double(&major_text(amount, self.precision));
        }
        let mut legs = legs.iter().cloned();
        let shown = parts.list().iter().map(|part| PartView {
            identifier: part.identifier.to_owned(),
            distribution: part.distribution.to_owned(),
            precise_distribution: part.precise_distribution.to_owned(),
            transaction_id: part.amount.and_then(|_| legs.next()).unwrap_or_default(),
        });
        match parts {
            Parts::Sources(_) => {
                self.source = String::new();
                self.sources = Some(shown.collect());
            }
            Parts::Destinations(_) => {
                self.destination = String::new();
                self.destinations = Some(shown.collect());
            }
        }
        self
    }

    /// The answer to a commit, void or refund: with its amount as text and its business date.
    pub fn told_as_done(mut self, row: &Row) -> TransactionView {
        self.amount_string = Some(major_text(row.amount, row.precision));
        self.effective_date = Some(time::text(row.effective_at));
        self
    }

    /// What webhooks tell of a row: with the marks and dates of the request that made it, and its kind among the metadata.
    pub fn told_as_event(self, row: &Row, movement: &Movement) -> TransactionView {
        let inflight = shows_inflight(row);
        let mut view = self.told_as_done(row);
        if inflight {
            view.meta_data.get_or_insert_default().set("inflight", true);
        }
        let skip_queue = match movement.kind {
            Kind::Posting | Kind::Refund(_) => !movement.queued,
            Kind::Execution(_) => false,
            Kind::Settlement { .. }
            | Kind::Release { .. }
            | Kind::Change { .. }
            | Kind::Lineage { .. }
            | Kind::LineageSettlement { .. } => return view,
        };
        let terms = movement.terms();
        let told = |at: Option<i64>| at.map_or_else(|| ZERO.to_owned(), time::text);
        TransactionView {
            overdraft_limit: NumberText::nearest_double(&major_text(terms.overdraft_limit, row.precision)),
            allow_overdraft: movement.allow_overdraft,
            skip_queue,
            atomic: movement.atomic,
            scheduled_for: told(terms.scheduled_at),
            inflight_expiry_date: told(terms.expires_at),
            inflight_commit_date: told(terms.commits_at),
            ..view
        }
    }

    /// What the lineage of a transaction tells of a row that follows it.
    pub fn told_as_shadow(mut self, row: &Row) -> TransactionView {
        self.parent_transaction = String::new();
        if shows_inflight(row) {
            self.meta_data.get_or_insert_default().set("inflight", true);
        }
        self
    }

    /// A scheduled request that waits, with the date and the amount that it has now.
    pub fn told_as_waiting(mut self, row: &Row, due_at: i64, amount: i128) -> TransactionView {
        let major = major_text(amount, row.precision);
        self.hash = hash(&major, &self.reference, &self.currency, &self.source, &self.destination);
        self.precise_amount = NumberText::integer(amount);
        self.amount = NumberText::nearest_double(&major);
        self.scheduled_for = time::text(due_at);
        self
    }

    /// The answer to a refund.
    pub fn told_as_refund(self, row: &Row, skip_queue: bool) -> TransactionView {
        TransactionView { allow_overdraft: true, skip_queue, ..self.told_as_done(row) }
    }
}

/// An amount in major units with two decimals, as messages have it.
pub fn two_decimals(minor: i128, precision: u64) -> String {
    let cents = Decimal::parse(&major_text(minor, precision)).ok().and_then(|decimal| decimal.minor_units(100));
    let cents = cents.unwrap_or_default();
    let sign = if cents < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", cents.unsigned_abs() / 100, cents.unsigned_abs() % 100)
}
