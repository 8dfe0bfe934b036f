//! Events as bytes. This is the only code that knows what is inside a record.
//!
//! A record's payload begins with the number of its kind of event and the version of that kind's layout. Numbers are
//! LEB128 (signed ones in zigzag), times and seeds eight bytes, texts a length and UTF-8. `docs/journal-format.md` tells
//! it byte by byte.

pub(crate) mod accounts;
pub(crate) mod bytes;
pub(crate) mod closings;
pub mod extract;
pub(crate) mod identity;
pub(crate) mod lineage;
pub mod mention;
pub(crate) mod monitor;
pub(crate) mod policy;

use bytes::{Reading, put_i64, put_i128, put_text, put_u64, put_varint};
use ledger::command::{Allocation, Batch, Terms};
use ledger::decide::Known;
use ledger::event::{
    BalanceCreated, BalanceLinked, BalanceNamed, BatchFailed, CurrencyRegistered, Event, Key, KeyKept, Kind,
    LedgerCreated, LedgerRenamed, MetadataChanged, Movement, NO_BALANCE, Opened, Outcome, PolicySet, Recorded,
    Rescheduled,
};
use ledger::id::Id;
use ledger::limits;
use ledger::notes::Subject;
use ledger::rejection::{Refused, Rejection};
use ledger::text::Span;
use std::fmt;

const LEDGER_CREATED: u8 = 1;
const LEDGER_RENAMED: u8 = 2;
const IDENTITY_CREATED: u8 = 3;
const BALANCE_CREATED: u8 = 4;
const RECORDED: u8 = 5;
const RESCHEDULED: u8 = 6;
const CURRENCY_REGISTERED: u8 = 7;
const POLICY_SET: u8 = 8;
const BATCH_FAILED: u8 = 9;
const METADATA_CHANGED: u8 = 10;
const BALANCE_LINKED: u8 = 11;
const BALANCE_NAMED: u8 = 12;
const ACCOUNT_CREATED: u8 = 19;
const MONITOR_SET: u8 = 17;
const MONITOR_DELETED: u8 = 18;
const IDENTITY_CHANGED: u8 = 14;
const IDENTITY_DELETED: u8 = 15;
const IDENTITY_REVEALED: u8 = 16;
const LEDGER_CLOSED: u8 = 20;
const CLOSING_TOTALLED: u8 = 21;
const BALANCE_ASSERTED: u8 = 22;
const ASSERTION_DELETED: u8 = 23;
const KEY_KEPT: u8 = 24;
const VERSION: u8 = 1;
/// Of a balance that is made with a lineage label or an alias.
const BALANCE_CREATED_NAMED: u8 = 2;

/// Why bytes are no event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CodecFault {
    /// The bytes end too early.
    Truncated,
    /// There are bytes behind the event.
    Trailing,
    /// This program does not know this kind of event, or this version of its layout: it is older than the data.
    Unknown {
        /// Number of the kind.
        kind: u8,
        /// Version of its layout.
        version: u8,
    },
    /// A value is not one that the field may have.
    Value(&'static str),
}

impl fmt::Display for CodecFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CodecFault::Truncated => write!(f, "the record ends in the middle of its event"),
            CodecFault::Trailing => write!(f, "the record goes on behind its event"),
            CodecFault::Unknown { kind, version } => {
                write!(
                    f,
                    "the record holds an event of kind {kind}, version {version}, which this program does not know; use a newer one"
                )
            }
            CodecFault::Value(field) => write!(f, "the record holds a value that {field} cannot have"),
        }
    }
}

impl std::error::Error for CodecFault {}

/// Appends an event to some bytes.
pub fn encode(event: &Event, out: &mut Vec<u8>) {
    match event {
        Event::LedgerCreated(event) => {
            begin(out, LEDGER_CREATED, event.at);
            put_u64(out, event.seed);
            put_text(out, &event.name);
            put_text(out, &event.metadata);
        }
        Event::LedgerRenamed(event) => {
            begin(out, LEDGER_RENAMED, event.at);
            put_varint(out, u64::from(event.ledger));
            put_text(out, &event.name);
        }
        Event::IdentityCreated(event) => {
            identity::begin(out, IDENTITY_CREATED, identity::version_of(&event.detail), event.at);
            identity::put_created(out, event);
        }
        Event::BalanceCreated(event) => {
            let is_named = !event.lineage_label.is_empty() || !event.alias.is_empty();
            let version = if is_named { BALANCE_CREATED_NAMED } else { VERSION };
            begin_version(out, BALANCE_CREATED, version, event.at);
            put_u64(out, event.seed);
            put_varint(out, u64::from(event.ledger));
            put_varint(out, event.identity.map_or(0, |identity| u64::from(identity) + 1));
            put_text(out, &event.currency);
            put_text(out, &event.indicator);
            put_text(out, &event.metadata);
            out.push(u8::from(event.track_fund_lineage));
            out.push(event.allocation as u8);
            if is_named {
                put_text(out, &event.lineage_label);
                put_text(out, &event.alias);
            }
        }
        Event::Recorded(event) => encode_recorded(event, out),
        Event::Rescheduled(event) => {
            begin(out, RESCHEDULED, event.at);
            put_varint(out, event.groups.len() as u64);
            for &group in &event.groups {
                put_varint(out, group);
            }
            out.push(u8::from(event.due_at.is_some()) | u8::from(event.amount.is_some()) << 1);
            if let Some(due_at) = event.due_at {
                put_i64(out, due_at);
            }
            if let Some(amount) = event.amount {
                put_i128(out, amount);
            }
        }
        Event::BatchFailed(event) => {
            begin(out, BATCH_FAILED, event.at);
            out.extend_from_slice(&event.batch.bytes());
            put_text(out, &event.error);
        }
        Event::CurrencyRegistered(event) => {
            begin(out, CURRENCY_REGISTERED, event.at);
            put_text(out, &event.code);
            put_varint(out, event.precision);
            put_text(out, &event.name);
        }
        Event::PolicySet(event) => {
            begin(out, POLICY_SET, event.at);
            put_varint(out, u64::from(event.balance));
            out.push(u8::from(event.policy.is_some()));
            if let Some(policy) = &event.policy {
                policy::put(out, policy);
            }
        }
        Event::MetadataChanged(event) => {
            begin(out, METADATA_CHANGED, event.at);
            put_varint(out, event.subject.pack());
            put_varint(out, event.first_row);
            put_u64(out, event.earlier);
            put_text(out, &event.metadata);
        }
        Event::BalanceLinked(event) => {
            begin(out, BALANCE_LINKED, event.at);
            put_varint(out, u64::from(event.balance));
            put_varint(out, u64::from(event.identity));
            put_text(out, &event.lineage_label);
        }
        Event::BalanceNamed(event) => {
            begin(out, BALANCE_NAMED, event.at);
            put_varint(out, u64::from(event.balance));
            put_text(out, &event.alias);
        }
        Event::AccountCreated(event) => {
            begin(out, ACCOUNT_CREATED, event.at);
            accounts::put(out, event);
        }
        Event::MonitorSet(event) => {
            begin(out, MONITOR_SET, event.at);
            monitor::put_set(out, event);
        }
        Event::MonitorDeleted(event) => {
            begin(out, MONITOR_DELETED, event.at);
            monitor::put_deleted(out, event);
        }
        Event::IdentityChanged(event) => {
            identity::begin(out, IDENTITY_CHANGED, identity::version_of(&event.detail), event.at);
            identity::put_changed(out, event);
        }
        Event::IdentityDeleted(event) => {
            begin(out, IDENTITY_DELETED, event.at);
            put_varint(out, u64::from(event.identity));
        }
        Event::IdentityRevealed(event) => {
            begin(out, IDENTITY_REVEALED, event.at);
            identity::put_revealed(out, event);
        }
        Event::LedgerClosed(event) => {
            begin(out, LEDGER_CLOSED, event.at);
            closings::put_closed(out, event);
        }
        Event::ClosingTotalled(event) => {
            begin(out, CLOSING_TOTALLED, event.at);
            closings::put_totalled(out, event);
        }
        Event::BalanceAsserted(event) => {
            begin(out, BALANCE_ASSERTED, event.at);
            closings::put_asserted(out, event);
        }
        Event::AssertionDeleted(event) => {
            begin(out, ASSERTION_DELETED, event.at);
            closings::put_deleted(out, event);
        }
        Event::KeyKept(event) => {
            begin(out, KEY_KEPT, event.at);
            encode_key(&event.key, out);
        }
    }
}

fn begin(out: &mut Vec<u8>, kind: u8, at: i64) {
    begin_version(out, kind, VERSION, at);
}

fn begin_version(out: &mut Vec<u8>, kind: u8, version: u8, at: i64) {
    out.extend_from_slice(&[kind, version]);
    put_i64(out, at);
}

fn encode_recorded(event: &Recorded, out: &mut Vec<u8>) {
    begin(out, RECORDED, event.at);
    put_u64(out, event.seed);
    put_varint(out, event.first_row);
    out.push(
        event.batch as u8
            | u8::from(event.queued) << 2
            | u8::from(event.key.is_some()) << 3
            | u8::from(event.announced) << 4,
    );
    if let Some(key) = &event.key {
        encode_key(key, out);
    }
    put_varint(out, event.currencies.len() as u64);
    for currency in &event.currencies {
        put_text(out, currency.of(&event.text));
    }
    put_varint(out, event.opened.len() as u64);
    for opened in &event.opened {
        put_text(out, opened.indicator.of(&event.text));
        put_varint(out, u64::from(opened.currency));
    }
    put_varint(out, event.movements.len() as u64);
    let mut item_before = 0;
    for movement in &event.movements {
        if let Some((_, of)) = movement.kind.lineage() {
            encode_lineage(movement, &event.movements[of as usize], &event.text, out);
            continue;
        }
        encode_movement(movement, &event.text, item_before, out);
        item_before = movement.item;
    }
}

/// What the number of a rejection has beside it when the leg of a split item follows.
const OF_LEG: u8 = 1 << 7;
const _: () =
    assert!((Rejection::ALL[Rejection::ALL.len() - 1] as u8) < OF_LEG, "numbers of rejections leave that bit");

fn encode_key(key: &Key, out: &mut Vec<u8>) {
    put_text(out, &key.name);
    out.extend_from_slice(&key.request);
    put_varint(out, key.known.len() as u64);
    for known in &key.known {
        put_varint(out, u64::from(known.item));
        put_varint(out, known.row);
    }
    put_varint(out, key.refused.len() as u64);
    for refused in &key.refused {
        put_varint(out, u64::from(refused.item));
        let marks = if refused.leg == 0 { 0 } else { OF_LEG };
        out.push(refused.rejection.number() | marks);
        if refused.leg != 0 {
            put_varint(out, u64::from(refused.leg));
        }
    }
}

/// What a movement has beyond the fields that every movement has.
mod marks {
    pub const QUEUED: u64 = 1;
    pub const OVERDRAFT: u64 = 1 << 1;
    pub const INFLIGHT: u64 = 1 << 2;
    pub const ATOMIC: u64 = 1 << 3;
    pub const EFFECTIVE: u64 = 1 << 4;
    pub const SCHEDULED: u64 = 1 << 5;
    pub const EXPIRES: u64 = 1 << 6;
    pub const COMMITS: u64 = 1 << 7;
    pub const LIMIT: u64 = 1 << 8;
    pub const LEG: u64 = 1 << 9;
    pub const SETTLED_QUEUED: u64 = 1 << 10;
    pub const PROVIDER: u64 = 1 << 11;
    pub const ALL: u64 = (1 << 12) - 1;
}

const POSTING: u8 = 0;
const EXECUTION: u8 = 1;
const SETTLEMENT: u8 = 2;
const RELEASE: u8 = 3;
const REFUND: u8 = 4;
const CHANGE: u8 = 5;
/// Number of the outcome that a rejection stands behind.
const REJECTED: u8 = 3;
/// In place of a side that does not exist; how it was named stands behind.
const NO_SIDE: u8 = 0;

fn encode_movement(movement: &Movement, text: &str, item_before: u32, out: &mut Vec<u8>) {
    let (kind, of, settled_queued) = match movement.kind {
        Kind::Posting => (POSTING, None, false),
        Kind::Execution(row) => (EXECUTION, Some(row), false),
        Kind::Settlement { hold, queued } => (SETTLEMENT, Some(hold), queued),
        Kind::Release { hold, queued } => (RELEASE, Some(hold), queued),
        Kind::Refund(row) => (REFUND, Some(row), false),
        Kind::Change { hold } => (CHANGE, Some(hold), false),
        Kind::Lineage { .. } | Kind::LineageSettlement { .. } => unreachable!("lineage has a layout of its own"),
    };
    let (outcome, rejection) = outcome_number(movement.outcome);
    out.push(kind | outcome << 4);
    let terms = movement.terms();
    let when = |set: bool, mark: u64| if set { mark } else { 0 };
    let marks = when(movement.queued, marks::QUEUED)
        | when(movement.allow_overdraft, marks::OVERDRAFT)
        | when(movement.inflight, marks::INFLIGHT)
        | when(movement.atomic, marks::ATOMIC)
        | when(terms.effective_at.is_some(), marks::EFFECTIVE)
        | when(terms.scheduled_at.is_some(), marks::SCHEDULED)
        | when(terms.expires_at.is_some(), marks::EXPIRES)
        | when(terms.commits_at.is_some(), marks::COMMITS)
        | when(terms.overdraft_limit != 0, marks::LIMIT)
        | when(movement.leg != 0, marks::LEG)
        | when(settled_queued, marks::SETTLED_QUEUED)
        | when(!terms.provider.is_empty(), marks::PROVIDER);
    put_varint(out, marks);
    out.extend(rejection);
    let items = movement.item.checked_sub(item_before).expect("the items of an event do not go back");
    put_varint(out, u64::from(items));
    if movement.leg != 0 {
        put_varint(out, u64::from(movement.leg));
    }
    if let Some(row) = of {
        put_varint(out, row);
    }
    put_side(out, movement.source, movement.source_text, text);
    put_side(out, movement.destination, movement.destination_text, text);
    put_i128(out, movement.amount);
    put_varint(out, movement.precision);
    put_varint(out, u64::from(movement.currency));
    for span in [movement.reference, movement.description, movement.metadata] {
        put_text(out, span.of(text));
    }
    if terms.overdraft_limit != 0 {
        put_i128(out, terms.overdraft_limit);
    }
    let times = [terms.effective_at, terms.scheduled_at, terms.expires_at, terms.commits_at];
    for at in times.into_iter().flatten() {
        put_i64(out, at);
    }
    if !terms.provider.is_empty() {
        put_text(out, terms.provider.of(text));
    }
}

fn encode_lineage(movement: &Movement, main: &Movement, text: &str, out: &mut Vec<u8>) {
    let settles = matches!(movement.kind, Kind::LineageSettlement { .. });
    let (outcome, _) = outcome_number(movement.outcome);
    out.push((if settles { lineage::SETTLEMENT } else { lineage::LINEAGE }) | outcome << 4);
    lineage::put(movement, main, text, out);
}

/// The stored number of an outcome, and that of its rejection.
const fn outcome_number(outcome: Outcome) -> (u8, Option<u8>) {
    match outcome {
        Outcome::Applied => (0, None),
        Outcome::Held => (1, None),
        Outcome::Voided => (2, None),
        Outcome::Rejected(rejection) => (REJECTED, Some(rejection.number())),
        Outcome::Scheduled => (4, None),
    }
}

fn put_side(out: &mut Vec<u8>, handle: u32, name: Span, text: &str) {
    if handle == NO_BALANCE {
        out.push(NO_SIDE);
        put_text(out, name.of(text));
    } else {
        put_varint(out, u64::from(handle) + 1);
    }
}

/// Reads the event of a record.
pub fn decode(payload: &[u8]) -> Result<Event, CodecFault> {
    let mut from = Reading::new(payload);
    let (kind, version) = (from.byte()?, from.byte()?);
    let has_two = matches!(kind, IDENTITY_CREATED | IDENTITY_CHANGED);
    if version != VERSION
        && (kind, version) != (BALANCE_CREATED, BALANCE_CREATED_NAMED)
        && !(has_two && version == identity::SEALED)
    {
        return Err(CodecFault::Unknown { kind, version });
    }
    let at = from.i64()?;
    let event = match kind {
        LEDGER_CREATED => Event::LedgerCreated(LedgerCreated {
            at,
            seed: from.u64()?,
            name: from.text()?.to_owned(),
            metadata: from.text()?.to_owned(),
        }),
        LEDGER_RENAMED => {
            Event::LedgerRenamed(LedgerRenamed { at, ledger: from.number("a ledger")?, name: from.text()?.to_owned() })
        }
        IDENTITY_CREATED => Event::IdentityCreated(identity::take_created(at, version, &mut from)?),
        BALANCE_CREATED => Event::BalanceCreated(decode_balance(at, version, &mut from)?),
        RECORDED => Event::Recorded(decode_recorded(at, &mut from)?),
        RESCHEDULED => Event::Rescheduled(decode_rescheduled(at, &mut from)?),
        BATCH_FAILED => Event::BatchFailed(BatchFailed {
            at,
            batch: Id::from_bytes(from.take(16)?.try_into().expect("16 bytes were taken")),
            error: from.text()?.to_owned(),
        }),
        CURRENCY_REGISTERED => Event::CurrencyRegistered(CurrencyRegistered {
            at,
            code: from.text()?.to_owned(),
            precision: from.varint()?,
            name: from.text()?.to_owned(),
        }),
        POLICY_SET => Event::PolicySet(PolicySet {
            at,
            balance: from.number("a balance")?,
            policy: if from.flag("a policy")? { Some(policy::take(&mut from)?) } else { None },
        }),
        METADATA_CHANGED => Event::MetadataChanged(MetadataChanged {
            at,
            subject: Subject::unpack(from.varint()?).ok_or(CodecFault::Value("what metadata belongs to"))?,
            first_row: from.varint()?,
            earlier: from.u64()?,
            metadata: from.text()?.to_owned(),
        }),
        BALANCE_LINKED => Event::BalanceLinked(BalanceLinked {
            at,
            balance: from.number("a balance")?,
            identity: from.number("an identity")?,
            lineage_label: from.text()?.to_owned(),
        }),
        BALANCE_NAMED => {
            Event::BalanceNamed(BalanceNamed { at, balance: from.number("a balance")?, alias: from.text()?.to_owned() })
        }
        ACCOUNT_CREATED => Event::AccountCreated(accounts::take(at, &mut from)?),
        MONITOR_SET => Event::MonitorSet(monitor::take_set(at, &mut from)?),
        MONITOR_DELETED => Event::MonitorDeleted(monitor::take_deleted(at, &mut from)?),
        IDENTITY_CHANGED => Event::IdentityChanged(identity::take_changed(at, version, &mut from)?),
        IDENTITY_DELETED => Event::IdentityDeleted(identity::take_deleted(at, &mut from)?),
        IDENTITY_REVEALED => Event::IdentityRevealed(identity::take_revealed(at, &mut from)?),
        LEDGER_CLOSED => Event::LedgerClosed(closings::take_closed(at, &mut from)?),
        CLOSING_TOTALLED => Event::ClosingTotalled(closings::take_totalled(at, &mut from)?),
        BALANCE_ASSERTED => Event::BalanceAsserted(closings::take_asserted(at, &mut from)?),
        ASSERTION_DELETED => Event::AssertionDeleted(closings::take_deleted(at, &mut from)?),
        KEY_KEPT => Event::KeyKept(KeyKept { at, key: decode_key(&mut from)? }),
        _ => return Err(CodecFault::Unknown { kind, version }),
    };
    if from.is_empty() { Ok(event) } else { Err(CodecFault::Trailing) }
}

fn decode_balance(at: i64, version: u8, from: &mut Reading<'_>) -> Result<BalanceCreated, CodecFault> {
    Ok(BalanceCreated {
        at,
        seed: from.u64()?,
        ledger: from.number("a ledger")?,
        identity: match from.number("an identity")? {
            0 => None,
            number => Some(number - 1),
        },
        currency: from.text()?.to_owned(),
        indicator: from.text()?.to_owned(),
        metadata: from.text()?.to_owned(),
        track_fund_lineage: from.flag("track_fund_lineage")?,
        allocation: allocation(from.byte()?)?,
        lineage_label: if version == BALANCE_CREATED_NAMED { from.text()?.to_owned() } else { String::new() },
        alias: if version == BALANCE_CREATED_NAMED { from.text()?.to_owned() } else { String::new() },
    })
}

/// The allocation of a stored number.
pub(crate) fn allocation(number: u8) -> Result<Allocation, CodecFault> {
    match number {
        0 => Ok(Allocation::Fifo),
        1 => Ok(Allocation::Lifo),
        2 => Ok(Allocation::Proportional),
        _ => Err(CodecFault::Value("allocation_strategy")),
    }
}

fn decode_rescheduled(at: i64, from: &mut Reading<'_>) -> Result<Rescheduled, CodecFault> {
    let mut groups = Vec::new();
    for _ in 0..from.count(limits::EVENT_ROWS_MAX, "groups")? {
        groups.push(from.varint()?);
    }
    let marks = from.byte()?;
    if marks >> 2 != 0 {
        return Err(CodecFault::Value("marks"));
    }
    let due_at = from.time_when(marks & 1 != 0)?;
    let amount = if marks & 2 != 0 { Some(from.i128()?) } else { None };
    Ok(Rescheduled { at, groups, due_at, amount })
}

fn decode_key(from: &mut Reading<'_>) -> Result<Key, CodecFault> {
    let name = from.text()?.to_owned();
    let request = from.take(32)?.try_into().expect("32 bytes were taken");
    let mut known = Vec::new();
    for _ in 0..from.count(limits::EVENT_ROWS_MAX, "known items")? {
        known.push(Known { item: from.number("an item")?, row: from.varint()? });
    }
    let mut refused = Vec::new();
    for _ in 0..from.count(limits::EVENT_ROWS_MAX, "refused items")? {
        let item = from.number("an item")?;
        let byte = from.byte()?;
        let rejection = Rejection::of_number(byte & !OF_LEG).ok_or(CodecFault::Value("a rejection"))?;
        let leg = if byte & OF_LEG == 0 { 0 } else { from.number("a leg")? };
        if leg == 0 && byte & OF_LEG != 0 {
            return Err(CodecFault::Value("a leg"));
        }
        refused.push(Refused { item, leg, rejection });
    }
    Ok(Key { name, request, known, refused })
}

/// Balances that one event may open: two for each movement, and for what follows shadow and aggregate.
const OPENED_MAX: usize = 2 * (limits::EVENT_ROWS_MAX + limits::LINEAGE_MOVEMENTS_MAX);

/// Movements that one event may have.
const EVENT_MOVEMENTS_MAX: usize = limits::EVENT_ROWS_MAX + limits::LINEAGE_MOVEMENTS_MAX;

/// What stands in a record before its texts.
struct Head {
    seed: u64,
    first_row: u64,
    batch: Batch,
    queued: bool,
    announced: bool,
    key: Option<Box<Key>>,
}

fn take_head(from: &mut Reading<'_>) -> Result<Head, CodecFault> {
    let seed = from.u64()?;
    let first_row = from.varint()?;
    let head = from.byte()?;
    let batch = match head & 3 {
        0 => Batch::Single,
        1 => Batch::Independent,
        2 => Batch::Atomic,
        _ => return Err(CodecFault::Value("batch")),
    };
    if head >> 5 != 0 {
        return Err(CodecFault::Value("batch"));
    }
    let key = if head & 8 != 0 { Some(Box::new(decode_key(from)?)) } else { None };
    Ok(Head { seed, first_row, batch, queued: head & 4 != 0, announced: head & 16 != 0, key })
}

fn decode_recorded(at: i64, from: &mut Reading<'_>) -> Result<Recorded, CodecFault> {
    let Head { seed, first_row, batch, queued, announced, key } = take_head(from)?;
    let mut text = String::with_capacity(from.len());
    let mut currencies = Vec::new();
    for _ in 0..from.count(limits::CURRENCIES_MAX, "currencies")? {
        currencies.push(from.span(&mut text)?);
    }
    let mut opened = Vec::new();
    for _ in 0..from.count(OPENED_MAX, "opened balances")? {
        opened.push(Opened { indicator: from.span(&mut text)?, currency: from.number("a currency")? });
    }
    let count = from.count(EVENT_MOVEMENTS_MAX, "movements")?;
    let mut movements = Vec::with_capacity(count);
    let mut item_before = 0;
    for _ in 0..count {
        let movement = decode_movement(from, item_before, &movements, &mut text)?;
        item_before = movement.item;
        movements.push(movement);
    }
    Ok(Recorded { at, seed, first_row, batch, queued, announced, key, currencies, opened, movements, text })
}

fn decode_movement(
    from: &mut Reading<'_>,
    item_before: u32,
    before: &[Movement],
    text: &mut String,
) -> Result<Movement, CodecFault> {
    let head = from.byte()?;
    if let kind @ (lineage::LINEAGE | lineage::SETTLEMENT) = head & 15 {
        let outcome = match head >> 4 {
            0 => Outcome::Applied,
            1 => Outcome::Held,
            2 => Outcome::Voided,
            _ => return Err(CodecFault::Value("an outcome")),
        };
        return lineage::take(from, kind == lineage::SETTLEMENT, outcome, before, text);
    }
    if before.last().is_some_and(|last| last.kind.lineage().is_some()) {
        return Err(CodecFault::Value("a kind of movement"));
    }
    let marks = from.varint()?;
    if marks & !marks::ALL != 0 {
        return Err(CodecFault::Value("marks"));
    }
    let has = |mark: u64| marks & mark != 0;
    let outcome = match head >> 4 {
        0 => Outcome::Applied,
        1 => Outcome::Held,
        2 => Outcome::Voided,
        REJECTED => Outcome::Rejected(Rejection::of_number(from.byte()?).ok_or(CodecFault::Value("a rejection"))?),
        4 => Outcome::Scheduled,
        _ => return Err(CodecFault::Value("an outcome")),
    };
    let item = item_before.checked_add(from.number("an item")?).ok_or(CodecFault::Value("an item"))?;
    let leg = if has(marks::LEG) { from.number("a leg")? } else { 0 };
    let queued = has(marks::SETTLED_QUEUED);
    let kind = match head & 15 {
        POSTING => Kind::Posting,
        EXECUTION => Kind::Execution(from.varint()?),
        SETTLEMENT => Kind::Settlement { hold: from.varint()?, queued },
        RELEASE => Kind::Release { hold: from.varint()?, queued },
        REFUND => Kind::Refund(from.varint()?),
        CHANGE => Kind::Change { hold: from.varint()? },
        _ => return Err(CodecFault::Value("a kind of movement")),
    };
    let (source, source_text) = decode_side(from, text)?;
    let (destination, destination_text) = decode_side(from, text)?;
    Ok(Movement {
        kind,
        outcome,
        queued: has(marks::QUEUED),
        item,
        leg,
        source,
        destination,
        source_text,
        destination_text,
        amount: from.i128()?,
        precision: from.varint()?,
        currency: from.number("a currency")?,
        reference: from.span(text)?,
        description: from.span(text)?,
        metadata: from.span(text)?,
        allow_overdraft: has(marks::OVERDRAFT),
        inflight: has(marks::INFLIGHT),
        atomic: has(marks::ATOMIC),
        terms: decode_terms(from, marks, text)?,
    })
}

fn decode_terms(from: &mut Reading<'_>, marks: u64, text: &mut String) -> Result<Option<Box<Terms>>, CodecFault> {
    const OF_TERMS: u64 =
        marks::LIMIT | marks::EFFECTIVE | marks::SCHEDULED | marks::EXPIRES | marks::COMMITS | marks::PROVIDER;
    if marks & OF_TERMS == 0 {
        return Ok(None);
    }
    let has = |mark: u64| marks & mark != 0;
    let terms = Terms {
        overdraft_limit: if has(marks::LIMIT) { from.i128()? } else { 0 },
        effective_at: from.time_when(has(marks::EFFECTIVE))?,
        scheduled_at: from.time_when(has(marks::SCHEDULED))?,
        expires_at: from.time_when(has(marks::EXPIRES))?,
        commits_at: from.time_when(has(marks::COMMITS))?,
        provider: if has(marks::PROVIDER) { from.span(text)? } else { Span::EMPTY },
        owner: Span::EMPTY,
    };
    Ok(terms.boxed())
}

fn decode_side(from: &mut Reading<'_>, text: &mut String) -> Result<(u32, Span), CodecFault> {
    match from.varint()? {
        0 => Ok((NO_BALANCE, from.span(text)?)),
        number => match u32::try_from(number - 1) {
            Ok(handle) if handle != NO_BALANCE => Ok((handle, Span::EMPTY)),
            _ => Err(CodecFault::Value("a balance")),
        },
    }
}
