//! What was asked. A command is complete: time and random bits are part of it, texts are checked against
//! [`crate::limits`], amounts are integers.

use crate::closings::Total;
use crate::decide::Known;
use crate::event::{Movement, NO_BALANCE};
use crate::id::Id;
use crate::identity::Detail;
use crate::lineage::Part;
use crate::monitor::Definition;
use crate::notes::Subject;
use crate::policy::Policy;
use crate::row::Row;
use crate::text::Span;

/// When a command was taken up, and the random bits for the ids that it makes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moment {
    /// Microseconds since 1970, never before that of an earlier command.
    pub at: i64,
    /// Random bits; see [`crate::id::nonce`].
    pub seed: u64,
}

/// What was asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Make a ledger.
    CreateLedger(CreateLedger),
    /// Give a ledger another name.
    RenameLedger(RenameLedger),
    /// Make an identity.
    CreateIdentity(CreateIdentity),
    /// Make a balance.
    CreateBalance(CreateBalance),
    /// Record transactions: one, or a batch.
    Record(Record),
    /// Run what was scheduled.
    Execute(Execute),
    /// Call off what was scheduled and has not run.
    Cancel(Cancel),
    /// Give what was scheduled another time or amount.
    Reschedule(Reschedule),
    /// Commit or void holds.
    Settle(Settle),
    /// Raise or lower a hold, or give it other dates.
    ChangeHold(ChangeHold),
    /// Give back what was posted.
    Refund(Refund),
    /// Keep that a batch failed that was worked on behind its answer.
    ReportBatch(ReportBatch),
    /// Make a currency known to the server, with its precision.
    RegisterCurrency(RegisterCurrency),
    /// Set the policy of a balance, or take it away.
    SetPolicy(SetPolicy),
    /// Change metadata.
    ChangeMetadata(ChangeMetadata),
    /// Give a balance another owner.
    LinkIdentity(LinkIdentity),
    /// Give a balance another alias, or take it away.
    NameBalance(NameBalance),
    /// Make an account.
    CreateAccount(CreateAccount),
    /// Make a monitor, or change what one watches.
    SetMonitor(SetMonitor),
    /// Delete a monitor.
    DeleteMonitor(DeleteMonitor),
    /// Give an identity other fields.
    UpdateIdentity(UpdateIdentity),
    /// Delete an identity.
    DeleteIdentity(DeleteIdentity),
    /// Keep that somebody is about to see what tokens of an identity stand for.
    RevealIdentity(RevealIdentity),
    /// Close the books of a ledger up to a moment.
    CloseLedger(CloseLedger),
    /// Keep the totals of a closing.
    RecordTotals(RecordTotals),
    /// Keep what a balance is said to have been.
    AssertBalance(AssertBalance),
    /// Forget what a balance was said to have been.
    DeleteAssertion(DeleteAssertion),
    /// Keep the key of a request that nothing is left to be done of.
    KeepKey(KeepKey),
}

/// Make a ledger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CreateLedger {
    /// Its name; names are not unique.
    pub name: String,
    /// JSON object, or empty for none.
    pub metadata: String,
}

/// Give a ledger another name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RenameLedger {
    /// The id of the ledger, as sent.
    pub ledger: String,
    /// The new name.
    pub name: String,
}

/// Make an identity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CreateIdentity {
    /// An id that the caller chose, or empty.
    pub id: String,
    /// The fields of the identity.
    pub detail: Detail,
}

/// Give an identity other fields: all of them, made from those that it had.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UpdateIdentity {
    /// The id of the identity, as sent.
    pub identity: String,
    /// Where the record is that tells the fields from which these were made. When there is a newer one, this is refused.
    pub basis: u64,
    /// The fields from now on.
    pub detail: Detail,
}

/// Delete an identity. One that owns something stays.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeleteIdentity {
    /// The id of the identity, as sent.
    pub identity: String,
}

/// Keep that somebody is about to see what tokens of an identity stand for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RevealIdentity {
    /// The id of the identity, as sent.
    pub identity: String,
    /// Who asked.
    pub who: String,
    /// The id of the request.
    pub request: String,
    /// The names of the fields, at most [`crate::limits::REVEAL_FIELDS_MAX`].
    pub fields: Vec<String>,
}

/// Make a balance.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CreateBalance {
    /// The id of its ledger, as sent.
    pub ledger: String,
    /// Its currency, any text.
    pub currency: String,
    /// The id of its owner, as sent, or empty.
    pub identity: String,
    /// Its `@indicator`, or empty. Only in the General Ledger.
    pub indicator: String,
    /// JSON object, or empty for none.
    pub metadata: String,
    /// Whether the origin of its funds is to be tracked.
    pub track_fund_lineage: bool,
    /// In which order tracked funds are spent.
    pub allocation: Allocation,
    /// Its alias, or empty.
    pub alias: String,
    /// What its lineage is named after, at most [`crate::limits::LINEAGE_LABEL_BYTES_MAX`] bytes; empty when it is not tracked.
    pub lineage_label: String,
}

/// In which order tracked funds are spent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Allocation {
    /// First in, first out.
    Fifo = 0,
    /// Last in, first out.
    Lifo = 1,
    /// By share.
    Proportional = 2,
}

/// Record transactions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Whether this is a batch, and what happens when one of its items is refused.
    pub batch: Batch,
    /// Whether an independent batch goes on past an item that is refused. Otherwise it ends there.
    pub goes_on: bool,
    /// Whether the batch is worked on behind its answer, so that its success is told as an event of its own.
    pub announced: bool,
    /// Whether this is only tried: every refusal is told as a movement, as of what is queued, and nothing waits for its time.
    pub trial: bool,
    /// Whether the request and its outcome are two rows.
    pub queued: bool,
    /// What is to be recorded. Asks of one item stand together, in order of their legs.
    pub asks: Vec<Ask>,
    /// The arena of all texts.
    pub text: String,
    /// What earlier transactions hold the references of the asks, in order of asks. Filled by the gatherer.
    pub priors: Vec<Prior>,
    /// What to do with a currency that is not that of both balances.
    pub mismatch: Mismatch,
}

/// Whether a record is a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Batch {
    /// One transaction.
    Single = 0,
    /// A batch whose items stand for themselves; the first that is refused ends it.
    Independent = 1,
    /// A batch that is recorded as a whole or not at all.
    Atomic = 2,
}

/// What to do with a currency that is not that of both balances.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mismatch {
    /// Refuse it.
    Refuse,
    /// Post raw units, as the reference server does; the balances of a currency then no longer sum to zero.
    Allow,
}

/// One transaction, or one leg of a split transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ask {
    /// Position of the item in the request, from 0.
    pub item: u32,
    /// 0 for a plain transaction; for a leg of a split one, its number from 1.
    pub leg: u32,
    /// Where the amount is taken from.
    pub source: Party,
    /// Where the amount goes to.
    pub destination: Party,
    /// Minor units.
    pub amount: i128,
    /// Minor units in a major unit; only for showing.
    pub precision: u64,
    /// The currency of the amount.
    pub currency: Span,
    /// The reference of the row that this makes (of the request, when queued).
    pub reference: Span,
    /// A keyed hash of the reference.
    pub fingerprint: u64,
    /// A keyed hash of the reference of the outcome, when queued.
    pub outcome_fingerprint: u64,
    /// Text for people.
    pub description: Span,
    /// JSON object, or empty for none.
    pub metadata: Span,
    /// Whether the source may go below zero.
    pub allow_overdraft: bool,
    /// Whether the amount is held instead of posted.
    pub inflight: bool,
    /// Whether the caller marked the transaction as atomic; only told, as every transaction is.
    pub atomic: bool,
    /// What few transactions have.
    pub terms: Option<Box<Terms>>,
}

impl Ask {
    /// What few transactions have; nothing of it for most.
    pub fn terms(&self) -> &Terms {
        self.terms.as_deref().unwrap_or(&Terms::NONE)
    }

    /// How far below zero its source may go.
    pub fn overdraft(&self) -> Overdraft {
        Overdraft { allowed: self.allow_overdraft, limit: self.terms().overdraft_limit }
    }
}

/// What few transactions have. Apart from the others, so that these stay small: a batch of them crosses two threads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Terms {
    /// How far below zero the source may go, in minor units; 0 for no limit, or none at all without `allow_overdraft`.
    pub overdraft_limit: i128,
    /// The business date, microseconds since 1970, when it is not the moment of recording.
    pub effective_at: Option<i64>,
    /// When to run it, microseconds since 1970. Only queued transactions wait.
    pub scheduled_at: Option<i64>,
    /// When a hold is voided by itself, microseconds since 1970.
    pub expires_at: Option<i64>,
    /// When a hold is committed by itself, microseconds since 1970.
    pub commits_at: Option<i64>,
    /// Where the money comes from, as the caller tagged it; of a lineage movement, whose money it is. At most
    /// [`crate::limits::PROVIDER_BYTES_MAX`] bytes.
    pub provider: Span,
    /// Of a lineage credit: the id of the owner of the tracked balance, as it is shown.
    pub owner: Span,
}

impl Terms {
    /// Nothing of it.
    pub const NONE: Terms = Terms {
        overdraft_limit: 0,
        effective_at: None,
        scheduled_at: None,
        expires_at: None,
        commits_at: None,
        provider: Span::EMPTY,
        owner: Span::EMPTY,
    };

    /// These terms, or nothing when they say nothing.
    pub fn boxed(self) -> Option<Box<Terms>> {
        if self == Terms::NONE { None } else { Some(Box::new(self)) }
    }
}

/// One side of a transaction, as it was named.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Party {
    /// A balance by its id; the text is the id as sent.
    Id(Id, Span),
    /// The balance of an `@indicator` in the currency of the transaction; made on first use.
    Indicator(Span),
    /// A text that is neither: the alias of a balance, or nothing.
    Unknown(Span),
    /// A balance that an earlier event resolved.
    Handle(u32),
}

/// An earlier transaction that holds a reference of an ask.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Prior {
    /// Index of the ask.
    pub ask: u32,
    /// Whether the reference is that of the outcome of the ask.
    pub of_outcome: bool,
    /// The row that holds it.
    pub row: Row,
    /// Whether the parties that it has no balance of are named by the ask as by the row; see [`Ask::names_as`].
    pub same_names: bool,
}

impl Ask {
    /// Whether the parties that a movement has no balance of are named as the movement names them. There may be a balance of
    /// that name by now.
    pub fn names_as(&self, text: &str, movement: &Movement, recorded: &str) -> bool {
        let same = |handle: u32, named: Span, party: Party| match party {
            _ if handle != NO_BALANCE => true,
            Party::Id(_, span) | Party::Indicator(span) | Party::Unknown(span) => named.of(recorded) == span.of(text),
            Party::Handle(_) => false,
        };
        same(movement.source, movement.source_text, self.source)
            && same(movement.destination, movement.destination_text, self.destination)
    }
}

/// Keep the key that this is sent with, and nothing else: what was asked was done before, or cannot be done, and the answer says
/// so. Without a key it does nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeepKey {
    /// The rows that the answer tells.
    pub known: Vec<Known>,
}

/// Run requests that were scheduled together: all of them, or none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Execute {
    /// The requests, in order of rows. The first names the group.
    pub runs: Vec<Run>,
    /// The arena of the asks.
    pub text: String,
    /// What to do with a currency that is not that of both balances.
    pub mismatch: Mismatch,
    /// Whether they are items of an atomic batch.
    pub atomic: bool,
}

/// One scheduled request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Run {
    /// The row of the request.
    pub request: u64,
    /// What was asked then, its parties as they were resolved then or as they were named.
    pub ask: Ask,
}

/// Call off those of some groups of scheduled requests that still wait.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cancel {
    /// The groups, each named by the row of its first request.
    pub groups: Vec<u64>,
    /// The requests of the groups that still wait. Filled by the gatherer.
    pub runs: Vec<Run>,
    /// The arena of the requests.
    pub text: String,
}

/// Give another time, or another amount, to those of some groups of scheduled requests that still wait.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reschedule {
    /// The groups, each named by the row of its first request.
    pub groups: Vec<u64>,
    /// When they are due from now on, microseconds since 1970; what has passed is due at once.
    pub due_at: Option<i64>,
    /// What they move from now on, in minor units, above zero. Only for groups of one request.
    pub amount: Option<i128>,
}

/// What an id stands for: rows that follow each other. What becomes of them later belongs to them: the holds of scheduled
/// requests, the ends of holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scope {
    /// The first row.
    pub first: u64,
    /// How many there are.
    pub count: u64,
    /// Whether a void counts as an end of a hold; only of refunds.
    pub voids: bool,
}

/// Commit or void holds: all of them, or none when one cannot be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settle {
    /// What to do.
    pub action: Action,
    /// What the holds were found by, when more of them may have come since. The command is carried out only while it names
    /// all holds of it.
    pub scope: Option<Scope>,
    /// The holds, in the order in which they are to be settled.
    pub holds: Vec<HoldAsk>,
    /// How much to commit of each, in minor units. `None` is all that is left. Ignored when voiding.
    pub amount: Option<i128>,
    /// Whether more than is left may be committed, when the source can pay for the rest.
    pub over_capture: bool,
    /// Whether those that were committed or voided before are passed over, as long as one is open.
    pub passes_ended: bool,
    /// Whether the caller asked for the queue; only told.
    pub queued: bool,
    /// The arena of the holds.
    pub text: String,
}

/// What to do with a hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Post it.
    Commit,
    /// Release it.
    Void,
}

/// One hold to settle.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HoldAsk {
    /// The row of the hold.
    pub row: u64,
    /// How the hold ended, when it is no longer open. Filled by the gatherer.
    pub ended: Option<Ended>,
    /// The precision of the hold.
    pub precision: u64,
    /// How far below zero its source may go.
    pub overdraft: Overdraft,
    /// The reference of the new row; made by the server, so nobody else has it.
    pub reference: Span,
    /// Text that the new row inherits.
    pub description: Span,
    /// Metadata that the new row inherits.
    pub metadata: Span,
}

/// How far below zero a source may go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Overdraft {
    /// Whether it may at all. A limit counts without this too, as the reference server has it.
    pub allowed: bool,
    /// How far, in minor units; 0 for no limit, or none at all when it is not allowed.
    pub limit: i128,
}

impl Overdraft {
    /// Not at all.
    pub const NONE: Overdraft = Overdraft { allowed: false, limit: 0 };
}

/// Raise or lower what is open of a hold, or give it other dates.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChangeHold {
    /// What the hold was found by, when there may be more by now; then the command is not carried out.
    pub scope: Option<Scope>,
    /// The hold.
    pub hold: HoldAsk,
    /// What is to be held from now on, in minor units; what was committed before does not count. `None` leaves it.
    pub held: Option<i128>,
    /// When it is voided by itself, microseconds since 1970. `None` leaves it.
    pub expires_at: Option<i64>,
    /// When it is committed by itself, microseconds since 1970. `None` leaves it.
    pub commits_at: Option<i64>,
    /// The arena of the hold.
    pub text: String,
}

/// How a hold ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// All of it was committed.
    Committed,
    /// What was left of it was voided.
    Voided,
    /// It never was a hold.
    NoHold,
    /// It follows another hold in the lineage of a balance, and ends with that.
    Follows,
}

/// Give back what was posted, and hold in the other direction what was voided: all of it, or nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refund {
    /// What the originals were found by, when more of them may have come since. The command is carried out only while it
    /// names all of them.
    pub scope: Option<Scope>,
    /// What to give back, in order.
    pub originals: Vec<Original>,
    /// Whether the request and its outcome are two rows.
    pub queued: bool,
    /// The arena of the originals.
    pub text: String,
}

/// One transaction to give back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Original {
    /// Its row.
    pub row: u64,
    /// How much to give back, in minor units. `None` is all that is left.
    pub amount: Option<i128>,
    /// What the row says. Filled by the gatherer.
    pub facts: Option<Row>,
    /// What was given back before, in minor units: part by part, oldest first. Filled by the gatherer.
    pub refunded: Vec<i128>,
    /// What its lineage posted. Filled by the gatherer.
    pub lineage: Vec<Part>,
    /// The reference of the refund; of a later one, or when somebody has it, the gatherer adds a number.
    pub reference: Span,
    /// A keyed hash of the reference.
    pub fingerprint: u64,
    /// A keyed hash of the reference of the outcome, when queued.
    pub outcome_fingerprint: u64,
    /// Who holds the reference already. Filled by the gatherer.
    pub prior: Option<Row>,
    /// Text of the new row.
    pub description: Span,
    /// Metadata of the new row.
    pub metadata: Span,
}

/// Keep that a batch failed, in whole or in part, that was worked on behind its answer: nobody else would hear of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReportBatch {
    /// The id that was answered.
    pub batch: Id,
    /// Why it failed, in words.
    pub error: String,
}

/// Make a currency known to the server. From then on its precision is that of all its transactions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RegisterCurrency {
    /// Its code, as transactions name it.
    pub code: String,
    /// Minor units in a major unit, above zero.
    pub precision: u64,
    /// Its name for people, or empty.
    pub name: String,
}

/// Set the policy of a balance, or take it away.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SetPolicy {
    /// The id of the balance.
    pub balance: Id,
    /// The policy; `None` takes it away.
    pub policy: Option<Wanted>,
}

/// A policy as it is asked for: the balances that it names are not looked up yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// The policy, without its counterparties.
    pub policy: Policy,
    /// With whom the balance may deal; `None` for all.
    pub counterparties: Option<Vec<Id>>,
}

/// Change metadata that was recorded before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChangeMetadata {
    /// Whose.
    pub subject: Subject,
    /// JSON object: the whole of a subject that has one, otherwise what is given.
    pub metadata: String,
    /// Of a subject whose whole this is: the record of the newest change that it was made from, or
    /// [`crate::state::NO_RECORD`]. When there is a newer one the command is refused, and its maker begins again.
    pub seen: u64,
}

/// Give a balance another owner.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkIdentity {
    /// The id of the balance; `None` when what was sent is no id.
    pub balance: Option<Id>,
    /// The id of the owner, as sent.
    pub identity: String,
    /// What names the lineage balances of the owner; only kept when the funds of the balance are tracked.
    pub lineage_label: String,
}

/// Give a balance another alias, or take it away.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NameBalance {
    /// The id of the balance.
    pub balance: Id,
    /// The alias from now on, or empty for none.
    pub alias: String,
}

/// Make an account: a number at a bank that stands for a balance.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CreateAccount {
    /// The id of its balance.
    pub balance: Id,
    /// The id of its owner, as sent. The owner of the balance goes before it.
    pub identity: String,
    /// Its number, unique among all accounts; the empty one too.
    pub number: String,
    /// The name of the bank, or empty.
    pub bank: String,
    /// JSON object, or empty for none.
    pub metadata: String,
}

/// Make a monitor, or change one: what it watches is replaced as a whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SetMonitor {
    /// The monitor; `None` makes one.
    pub monitor: Option<Id>,
    /// The id of the balance that it is to watch.
    pub balance: Id,
    /// What it is to watch.
    pub definition: Definition,
}

/// Delete a monitor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeleteMonitor {
    /// The monitor.
    pub monitor: Id,
}

/// Close the books of a ledger: from then on nothing comes to count before a moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CloseLedger {
    /// The id of the ledger, as sent.
    pub ledger: String,
    /// The moment, microseconds since 1970. What counts exactly then is not closed.
    pub until: i64,
    /// Text for people.
    pub description: String,
    /// JSON object, or empty for none.
    pub metadata: String,
}

/// Keep the totals of a closing. They were summed after it was recorded, when nothing could change them any more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordTotals {
    /// The closing.
    pub closing: Id,
    /// One for each currency, in order of their numbers, at most [`crate::limits::CLOSING_CURRENCIES_MAX`].
    pub totals: Vec<Total>,
}

/// Keep what a balance is said to have been at a moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AssertBalance {
    /// The balance.
    pub balance: Id,
    /// The moment, microseconds since 1970, not to come.
    pub as_of: i64,
    /// What counts exactly then belongs to it only when its row has a lower number.
    pub before_row: u64,
    /// Credits less debits, minor units.
    pub amount: i128,
    /// Minor units in a major unit, only for showing; 0 when it is not known.
    pub precision: u64,
    /// Text for people.
    pub description: String,
    /// Where the amount comes from, such as a statement of a bank.
    pub source: String,
    /// JSON object, or empty for none.
    pub metadata: String,
    /// What the balance was by the rows, when it has to be what it is said to have been.
    pub required: Option<Found>,
}

/// What a balance was at a moment, by the rows up to one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Found {
    /// How many rows were looked at. The gatherer adds those that came since.
    pub rows: u64,
    /// Credits less debits, minor units.
    pub amount: i128,
}

/// Forget what a balance was said to have been.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeleteAssertion {
    /// The balance.
    pub balance: Id,
    /// The assertion.
    pub assertion: Id,
}
