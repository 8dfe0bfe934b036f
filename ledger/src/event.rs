//! What was decided: complete facts. They hold no running totals and nothing that is left to decide.

use crate::closings::Total;
use crate::command::{Allocation, Batch, Terms};
use crate::decide::Known;
use crate::id::{self, Id, NonceOf};
use crate::identity::Detail;
use crate::lineage::{Part, Role};
use crate::monitor::Definition;
use crate::notes::Subject;
use crate::policy::Policy;
use crate::rejection::{Refused, Rejection};
use crate::text::Span;
use std::collections::BTreeMap;

/// What was decided.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A ledger exists.
    LedgerCreated(LedgerCreated),
    /// A ledger has another name.
    LedgerRenamed(LedgerRenamed),
    /// An identity exists.
    IdentityCreated(IdentityCreated),
    /// A balance exists.
    BalanceCreated(BalanceCreated),
    /// Transactions were recorded, settled or given back.
    Recorded(Recorded),
    /// Scheduled requests have another time or amount.
    Rescheduled(Rescheduled),
    /// A batch failed that was worked on behind its answer.
    BatchFailed(BatchFailed),
    /// A currency is known to the server.
    CurrencyRegistered(CurrencyRegistered),
    /// A balance has a policy, or none any more.
    PolicySet(PolicySet),
    /// Metadata was changed.
    MetadataChanged(MetadataChanged),
    /// A balance has another owner.
    BalanceLinked(BalanceLinked),
    /// A balance has another alias, or none any more.
    BalanceNamed(BalanceNamed),
    /// An account exists.
    AccountCreated(AccountCreated),
    /// A monitor exists, or watches something else.
    MonitorSet(MonitorSet),
    /// A monitor exists no more.
    MonitorDeleted(MonitorDeleted),
    /// An identity has other fields.
    IdentityChanged(IdentityChanged),
    /// An identity is gone.
    IdentityDeleted(IdentityDeleted),
    /// Somebody was shown what tokens of an identity stand for.
    IdentityRevealed(IdentityRevealed),
    /// The books of a ledger are closed up to a moment.
    LedgerClosed(LedgerClosed),
    /// The totals of a closing are kept.
    ClosingTotalled(ClosingTotalled),
    /// A balance is said to have been an amount.
    BalanceAsserted(BalanceAsserted),
    /// An assertion exists no more.
    AssertionDeleted(AssertionDeleted),
    /// A key was kept of a request that recorded nothing.
    KeyKept(KeyKept),
}

impl Event {
    /// When it was decided, in microseconds since 1970.
    pub const fn at(&self) -> i64 {
        match self {
            Event::LedgerCreated(event) => event.at,
            Event::LedgerRenamed(event) => event.at,
            Event::IdentityCreated(event) => event.at,
            Event::BalanceCreated(event) => event.at,
            Event::Recorded(event) => event.at,
            Event::Rescheduled(event) => event.at,
            Event::BatchFailed(event) => event.at,
            Event::CurrencyRegistered(event) => event.at,
            Event::PolicySet(event) => event.at,
            Event::MetadataChanged(event) => event.at,
            Event::BalanceLinked(event) => event.at,
            Event::BalanceNamed(event) => event.at,
            Event::AccountCreated(event) => event.at,
            Event::MonitorSet(event) => event.at,
            Event::MonitorDeleted(event) => event.at,
            Event::IdentityChanged(event) => event.at,
            Event::IdentityDeleted(event) => event.at,
            Event::IdentityRevealed(event) => event.at,
            Event::LedgerClosed(event) => event.at,
            Event::ClosingTotalled(event) => event.at,
            Event::BalanceAsserted(event) => event.at,
            Event::AssertionDeleted(event) => event.at,
            Event::KeyKept(event) => event.at,
        }
    }
}

/// A ledger exists. Its handle is the number of ledgers before it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LedgerCreated {
    /// When.
    pub at: i64,
    /// Seed of its id.
    pub seed: u64,
    /// Its name.
    pub name: String,
    /// JSON object, or empty for none.
    pub metadata: String,
}

/// A ledger has another name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LedgerRenamed {
    /// When.
    pub at: i64,
    /// Its handle.
    pub ledger: u32,
    /// The name from now on.
    pub name: String,
}

/// An identity exists. Its handle is the number of identities before it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IdentityCreated {
    /// When.
    pub at: i64,
    /// Seed of its id.
    pub seed: u64,
    /// The id that the caller chose, or empty.
    pub id: String,
    /// Its fields.
    pub detail: Detail,
}

/// An identity has other fields.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IdentityChanged {
    /// When.
    pub at: i64,
    /// Its handle.
    pub identity: u32,
    /// All of its fields from now on.
    pub detail: Detail,
}

/// An identity is gone. Its key is destroyed as soon as this is durable, so what is recorded of it cannot be read any more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IdentityDeleted {
    /// When.
    pub at: i64,
    /// Its handle.
    pub identity: u32,
}

/// Somebody was shown what tokens of an identity stand for; what that is, is not told here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IdentityRevealed {
    /// When.
    pub at: i64,
    /// The handle of the identity.
    pub identity: u32,
    /// Who was shown it.
    pub who: String,
    /// The id of the request.
    pub request: String,
    /// The names of the fields.
    pub fields: Vec<String>,
    /// Where the record of the time before is, or [`crate::state::NO_RECORD`]: so the times of an identity are found without
    /// an index.
    pub previous: u64,
}

/// A balance exists. Its handle is the number of balances before it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BalanceCreated {
    /// When.
    pub at: i64,
    /// Seed of its id.
    pub seed: u64,
    /// The handle of its ledger.
    pub ledger: u32,
    /// The handle of its owner.
    pub identity: Option<u32>,
    /// Its currency.
    pub currency: String,
    /// Its indicator, or empty.
    pub indicator: String,
    /// JSON object, or empty for none.
    pub metadata: String,
    /// Whether the origin of its funds is tracked.
    pub track_fund_lineage: bool,
    /// In which order tracked funds are spent.
    pub allocation: Allocation,
    /// Its alias, or empty.
    pub alias: String,
    /// What its lineage is named after; empty when it is not tracked, or in a record of an older program.
    pub lineage_label: String,
}

/// An account exists. Its handle is the number of accounts before it. Its name is not part of it: that is personal data of its
/// owner, and is told from the owner as it is then.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccountCreated {
    /// When.
    pub at: i64,
    /// Seed of its id.
    pub seed: u64,
    /// The handle of its balance.
    pub balance: u32,
    /// The handle of its owner.
    pub identity: u32,
    /// Its number.
    pub number: String,
    /// The name of the bank, or empty.
    pub bank: String,
    /// JSON object, or empty for none.
    pub metadata: String,
}

/// Scheduled requests have another time or amount.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rescheduled {
    /// When.
    pub at: i64,
    /// The groups that changed, each named by the row of its first request.
    pub groups: Vec<u64>,
    /// When they are due from now on, if that changed.
    pub due_at: Option<i64>,
    /// What they move from now on, if that changed.
    pub amount: Option<i128>,
}

/// A batch failed, in whole or in part, that was worked on behind its answer. What of it happened was recorded before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BatchFailed {
    /// When.
    pub at: i64,
    /// The id that was answered.
    pub batch: Id,
    /// Why, in words.
    pub error: String,
}

/// A currency is known to the server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CurrencyRegistered {
    /// When.
    pub at: i64,
    /// Its code.
    pub code: String,
    /// Minor units in a major unit.
    pub precision: u64,
    /// Its name for people, or empty.
    pub name: String,
}

/// A balance has a policy, or none any more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PolicySet {
    /// When.
    pub at: i64,
    /// The handle of the balance.
    pub balance: u32,
    /// The policy from now on.
    pub policy: Option<Policy>,
}

/// Metadata was changed that was recorded before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MetadataChanged {
    /// When.
    pub at: i64,
    /// Whose.
    pub subject: Subject,
    /// How many rows there were: rows from this number on came later.
    pub first_row: u64,
    /// Where the change of the same subject before it is, or [`crate::state::NO_RECORD`].
    pub earlier: u64,
    /// JSON object: the whole from now on of a subject that has one, otherwise what was given.
    pub metadata: String,
}

/// A balance has another owner.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BalanceLinked {
    /// When.
    pub at: i64,
    /// The handle of the balance.
    pub balance: u32,
    /// The handle of its owner from now on.
    pub identity: u32,
    /// Of a balance whose funds are tracked: what names the lineage balances of providers that it has not had yet.
    pub lineage_label: String,
}

/// A balance has another alias, or none any more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BalanceNamed {
    /// When.
    pub at: i64,
    /// The handle of the balance.
    pub balance: u32,
    /// Its alias from now on, or empty for none.
    pub alias: String,
}

/// A monitor exists, or watches something else from now on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MonitorSet {
    /// When.
    pub at: i64,
    /// Its id, which carries its number: that of a new one is the number of monitors that were made before.
    pub id: Id,
    /// When it was made: now, if it is new.
    pub created_at: i64,
    /// The number of the first row for which this counts.
    pub first_row: u64,
    /// The handle of the balance that it watches.
    pub balance: u32,
    /// What it watches.
    pub definition: Definition,
}

/// A monitor exists no more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MonitorDeleted {
    /// When.
    pub at: i64,
    /// Its id.
    pub id: Id,
    /// The number of the first row that it does not watch any more.
    pub first_row: u64,
}

/// A request was sent with a key, and recorded nothing: all that it asked for was known, or refused while the request itself was
/// not. The key belongs to it from now on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyKept {
    /// When.
    pub at: i64,
    /// The key, and what was answered.
    pub key: Key,
}

/// Transactions were recorded, settled or given back, as a whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recorded {
    /// When.
    pub at: i64,
    /// Seed of all ids that the event makes.
    pub seed: u64,
    /// The number of its first row.
    pub first_row: u64,
    /// Whether it is a batch. Of scheduled requests that ran: [`Batch::Atomic`] when they are items of an atomic batch.
    pub batch: Batch,
    /// Whether requests and outcomes are rows of their own.
    pub queued: bool,
    /// Whether its success is told as an event of its own: the batch was worked on behind its answer, and nothing was refused.
    pub announced: bool,
    /// The key that the request was sent with, so that it is carried out once however often it is sent.
    pub key: Option<Box<Key>>,
    /// Currencies that were not known before; their numbers follow those that were.
    pub currencies: Vec<Span>,
    /// Balances of indicators that were named for the first time; their handles follow those that were.
    pub opened: Vec<Opened>,
    /// What was done, in order of rows. What follows from it in the lineage of tracked balances stands behind all else.
    pub movements: Vec<Movement>,
    /// The arena of all texts.
    pub text: String,
}

impl Recorded {
    /// How many rows the event makes.
    pub fn rows_count(&self) -> u64 {
        self.movements.iter().map(|movement| movement.rows_count()).sum()
    }

    /// The movements that were asked for, without those of the lineage that follow from them.
    pub fn main_movements(&self) -> &[Movement] {
        if !self.has_lineage() {
            return &self.movements;
        }
        let main = self.movements.partition_point(|movement| movement.kind.lineage().is_none());
        &self.movements[..main]
    }

    /// Whether something followed in the lineage of tracked balances.
    pub fn has_lineage(&self) -> bool {
        self.movements.last().is_some_and(|last| last.kind.lineage().is_some())
    }

    /// How many rows the movements make that were asked for; those of the lineage come behind.
    pub fn main_rows_count(&self) -> u64 {
        self.main_movements().iter().map(Movement::rows_count).sum()
    }

    /// The lineage movements, each with its row. They make one row each, behind all others.
    pub fn lineage(&self) -> impl Iterator<Item = (u64, &Movement)> {
        let main = self.main_movements().len();
        let first = if self.has_lineage() { self.first_row + self.main_rows_count() } else { 0 };
        self.movements[main..].iter().enumerate().map(move |(index, movement)| (first + index as u64, movement))
    }

    /// The lineage movements that followed from one movement, each with its row. `of` is the index of the movement.
    pub fn lineage_of(&self, of: u32) -> impl Iterator<Item = (u64, &Movement)> {
        let main = self.main_movements().len();
        let following = &self.movements[main..];
        // They stand in the order of what they follow from.
        let from = |movement: &Movement| movement.kind.lineage().map_or(0, |(_, from)| from);
        let start = following.partition_point(|movement| from(movement) < of);
        let end = following.partition_point(|movement| from(movement) <= of);
        let first = if start < end { self.first_row + self.main_rows_count() } else { 0 };
        following[start..end]
            .iter()
            .enumerate()
            .map(move |(index, movement)| (first + (start + index) as u64, movement))
    }

    /// The rows of the outcomes of the movements that were asked for, by index.
    pub fn outcome_rows(&self) -> Vec<u64> {
        let mut next = self.first_row;
        let outcome = |movement: &Movement| {
            next += movement.rows_count();
            next - 1
        };
        self.main_movements().iter().map(outcome).collect()
    }

    /// What followed from a movement in the lineage of tracked balances and is posted, provider by provider. `of` is the
    /// index of the movement.
    pub fn posted_parts(&self, of: u32) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        for (_, movement) in self.lineage_of(of) {
            let Some((role, _)) = movement.kind.lineage() else { continue };
            if movement.outcome != Outcome::Applied {
                continue;
            }
            let (provider, incoming) = (movement.terms().provider.of(&self.text), role.is_incoming());
            match parts.iter_mut().find(|part| part.incoming == incoming && part.provider == provider) {
                Some(part) => part.amount += movement.amount,
                None => parts.push(Part { provider: provider.to_owned(), incoming, amount: movement.amount }),
            }
        }
        parts
    }

    /// The requests of this event that wait for their time, as they will run: the legs of an item together, and of an atomic
    /// batch all that is due at one moment. Everything else runs by itself.
    pub fn waiting(&self) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        let mut of_moment = BTreeMap::new();
        let mut row = self.first_row;
        for (index, movement) in self.movements.iter().enumerate() {
            let request = Request { row, movement: u32::try_from(index).expect("an event has few movements") };
            row += movement.rows_count();
            let (Outcome::Scheduled, Some(due_at)) = (movement.outcome, movement.terms().scheduled_at) else {
                continue;
            };
            let known = match self.batch {
                Batch::Atomic => of_moment.get(&due_at).copied(),
                Batch::Single | Batch::Independent => {
                    groups.len().checked_sub(1).filter(|&last| groups[last].item == movement.item)
                }
            };
            match known {
                Some(group) => groups[group].requests.push(request),
                None => {
                    of_moment.insert(due_at, groups.len());
                    groups.push(Group { due_at, item: movement.item, requests: vec![request] });
                }
            }
        }
        groups
    }

    /// Whether scheduled requests ran, or were called off, in it.
    pub fn is_run(&self) -> bool {
        self.movements.first().is_some_and(|first| matches!(first.kind, Kind::Execution(_)))
    }

    /// The id of the batch, if this is one. What ran of a batch is none itself.
    pub fn batch_id(&self) -> Option<Id> {
        (self.batch != Batch::Single && !self.is_run()).then(|| batch_id(self.at, self.seed, self.first_row))
    }
}

/// A key that a request was sent with, and what of its answer the movements do not tell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Key {
    /// The key, as the caller chose it.
    pub name: String,
    /// A hash of what was sent with it.
    pub request: [u8; 32],
    /// Items that were known before.
    pub known: Vec<Known>,
    /// Items that were refused.
    pub refused: Vec<Refused>,
}

/// Scheduled requests that run together: all of them, or none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    /// When they were due at first, microseconds since 1970.
    pub due_at: i64,
    /// The item of the first.
    item: u32,
    /// The requests, in order of rows.
    pub requests: Vec<Request>,
}

impl Group {
    /// The row of its first request, by which the group is known.
    pub fn first_row(&self) -> u64 {
        self.requests[0].row
    }
}

/// A request that waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Request {
    /// Its row.
    pub row: u64,
    /// Index of its movement in the event.
    pub movement: u32,
}

/// The id of a batch, from facts of its event.
pub const fn batch_id(at: i64, seed: u64, first_row: u64) -> Id {
    Id::new(at, first_row, id::nonce(seed, NonceOf::Batch(first_row)))
}

/// The id of a split transaction, from facts of its event and the row of its first leg.
pub const fn split_id(at: i64, seed: u64, first_leg: u64) -> Id {
    Id::new(at, first_leg, id::nonce(seed, NonceOf::Split(first_leg)))
}

/// A balance that was made on first use of its indicator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Opened {
    /// Its indicator.
    pub indicator: Span,
    /// The number of its currency.
    pub currency: u32,
}

/// No balance: what was named does not exist.
pub const NO_BALANCE: u32 = u32::MAX;

/// One thing that was done, or refused, and makes one row (two when it went through the queue).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Movement {
    /// What it is.
    pub kind: Kind,
    /// What came of it.
    pub outcome: Outcome,
    /// Whether request and outcome are rows of their own.
    pub queued: bool,
    /// Position of its item in the request, from 0.
    pub item: u32,
    /// 0, or the number of the leg of a split transaction, from 1.
    pub leg: u32,
    /// Handle of the source, or [`NO_BALANCE`].
    pub source: u32,
    /// Handle of the destination, or [`NO_BALANCE`].
    pub destination: u32,
    /// How the source was named, when it does not exist.
    pub source_text: Span,
    /// How the destination was named, when it does not exist.
    pub destination_text: Span,
    /// Minor units.
    pub amount: i128,
    /// Minor units in a major unit.
    pub precision: u64,
    /// The number of the currency.
    pub currency: u32,
    /// The reference. That of an outcome has `_q` behind it.
    pub reference: Span,
    /// Text for people.
    pub description: Span,
    /// JSON object, or empty for none.
    pub metadata: Span,
    /// Whether the source was allowed below zero.
    pub allow_overdraft: bool,
    /// Whether it is, or was to be, a hold.
    pub inflight: bool,
    /// Whether the caller marked it atomic.
    pub atomic: bool,
    /// What few movements have.
    pub terms: Option<Box<Terms>>,
}

impl Movement {
    /// What few movements have; nothing of it for most.
    pub fn terms(&self) -> &Terms {
        self.terms.as_deref().unwrap_or(&Terms::NONE)
    }

    /// How many rows it makes.
    pub const fn rows_count(&self) -> u64 {
        match self.outcome {
            Outcome::Scheduled => 1,
            _ if self.queued => 2,
            _ => 1,
        }
    }

    /// What stands behind the reference in that of the outcome.
    pub const fn outcome_suffix(&self) -> &'static str {
        if self.queued || matches!(self.kind, Kind::Execution(_)) { "_q" } else { "" }
    }
}

/// What a movement is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A transaction.
    Posting,
    /// The end of a scheduled transaction, whose request is this row: it ran, was rejected, or was called off
    /// ([`Outcome::Voided`]).
    Execution(u64),
    /// A commit of the hold of this row. Told whether it was asked for through the queue. What goes beyond the rest of the
    /// hold is posted as well.
    Settlement {
        /// The row of the hold.
        hold: u64,
        /// Whether it was asked for through the queue.
        queued: bool,
    },
    /// A void of the hold of this row.
    Release {
        /// The row of the hold.
        hold: u64,
        /// Whether it was asked for through the queue.
        queued: bool,
    },
    /// A refund of this row.
    Refund(u64),
    /// A change of the hold of this row: its amount is by how much it was raised ([`Outcome::Held`]) or lowered
    /// ([`Outcome::Voided`]), its terms are the dates that the hold has from now on.
    Change {
        /// The row of the hold.
        hold: u64,
    },
    /// What followed in the lineage of a tracked balance, posted or held as what it followed from.
    Lineage {
        /// What it does.
        role: Role,
        /// The index of the movement that it followed from.
        of: u32,
    },
    /// A commit ([`Outcome::Applied`]) or void of a lineage hold, or of a part of it.
    LineageSettlement {
        /// What the hold does.
        role: Role,
        /// The index of the movement that it followed from.
        of: u32,
        /// The row of the lineage hold.
        hold: u64,
    },
}

impl Kind {
    /// What it does in the lineage of a tracked balance, and the index of the movement that it followed from.
    pub const fn lineage(self) -> Option<(Role, u32)> {
        match self {
            Kind::Lineage { role, of } | Kind::LineageSettlement { role, of, .. } => Some((role, of)),
            _ => None,
        }
    }
}

const _: () = assert!(size_of::<Kind>() == 16, "lineage does not make movements larger");

/// What came of a movement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Posted.
    Applied,
    /// Held.
    Held,
    /// Voided: the hold it names was released or lowered, or the scheduled request was called off.
    Voided,
    /// Refused. Only requests through the queue leave a trace of it.
    Rejected(Rejection),
    /// Waits for its time.
    Scheduled,
}

/// The books of a ledger are closed up to a moment: nothing comes to count before it any more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LedgerClosed {
    /// When.
    pub at: i64,
    /// Its id, which carries its number: that of closings before it.
    pub id: Id,
    /// The handle of the ledger.
    pub ledger: u32,
    /// The moment of the closing of the ledger before it, if there is one.
    pub from: Option<i64>,
    /// The moment.
    pub until: i64,
    /// Text for people.
    pub description: String,
    /// JSON object, or empty for none.
    pub metadata: String,
}

/// The totals of a closing are kept. They could be summed again from the records before it: they are here so that it can be told
/// when that gives others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClosingTotalled {
    /// When.
    pub at: i64,
    /// The closing.
    pub closing: Id,
    /// One for each currency, in order of their numbers.
    pub totals: Vec<Total>,
}

/// A balance is said to have been an amount at a moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BalanceAsserted {
    /// When.
    pub at: i64,
    /// Its id, which carries its number: that of assertions before it.
    pub id: Id,
    /// The handle of the balance.
    pub balance: u32,
    /// Of when it speaks: what counts by then.
    pub as_of: i64,
    /// What counts exactly then belongs to it only when its row has a lower number.
    pub before_row: u64,
    /// Credits less debits, minor units.
    pub amount: i128,
    /// Minor units in a major unit, only for showing; 0 when it is not known.
    pub precision: u64,
    /// Text for people.
    pub description: String,
    /// Where the amount comes from.
    pub source: String,
    /// JSON object, or empty for none.
    pub metadata: String,
}

/// An assertion exists no more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AssertionDeleted {
    /// When.
    pub at: i64,
    /// Its id.
    pub id: Id,
}
