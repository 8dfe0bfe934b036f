//! A record as a tree of named values, for whoever prints it.

use super::Record;
use super::kept;
use super::line::{kind, time};
use ledger::command::{Allocation, Batch};
use ledger::event::{Event, Key, Kind, MonitorSet, Movement, NO_BALANCE, Outcome, Recorded};
use ledger::identity::Detail;
use ledger::notes::Subject;
use ledger::policy::{Floor, Policy, Window};
use ledger::row::Parent;
use ledger::state::NO_RECORD;

/// A value of a record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// A number.
    Number(i128),
    /// A text.
    Text(String),
    /// Yes or no.
    Flag(bool),
    /// Several values.
    List(Vec<Value>),
    /// Named values, in order.
    Fields(Vec<(&'static str, Value)>),
}

/// All fields of a record. What is not set is left out; handles are numbers in the order of making.
pub fn value_of(record: &Record) -> Value {
    let mut fields = vec![
        ("seq", number(record.seq)),
        ("position", number(record.position)),
        ("bytes", number(record.bytes)),
        ("chain", Value::Text(record.chain.clone())),
        ("time", Value::Text(time(record.event.at()))),
        ("kind", text(kind(&record.event))),
    ];
    match &record.event {
        Event::LedgerCreated(event) => {
            fields.push(("seed", number(event.seed)));
            fields.push(("name", text(&event.name)));
            put_text(&mut fields, "metadata", &event.metadata);
        }
        Event::LedgerRenamed(event) => {
            fields.push(("ledger", number(event.ledger)));
            fields.push(("name", text(&event.name)));
        }
        Event::IdentityCreated(event) => {
            fields.push(("seed", number(event.seed)));
            put_text(&mut fields, "id", &event.id);
            fields.push(("detail", detail_of(&event.detail)));
        }
        Event::BalanceCreated(event) => {
            fields.push(("seed", number(event.seed)));
            fields.push(("ledger", number(event.ledger)));
            fields.extend(event.identity.map(|identity| ("identity", number(identity))));
            fields.push(("currency", text(&event.currency)));
            put_text(&mut fields, "indicator", &event.indicator);
            put_text(&mut fields, "metadata", &event.metadata);
            fields.push(("track_fund_lineage", Value::Flag(event.track_fund_lineage)));
            let allocation = match event.allocation {
                Allocation::Fifo => "FIFO",
                Allocation::Lifo => "LIFO",
                Allocation::Proportional => "PROPORTIONAL",
            };
            fields.push(("allocation", text(allocation)));
            put_text(&mut fields, "alias", &event.alias);
            put_text(&mut fields, "lineage_label", &event.lineage_label);
        }
        Event::Recorded(event) => put_recorded(&mut fields, event),
        Event::Rescheduled(event) => {
            fields.push(("groups", Value::List(event.groups.iter().map(|&row| number(row)).collect())));
            fields.extend(event.due_at.map(|at| ("due_at", Value::Text(time(at)))));
            fields.extend(event.amount.map(|amount| ("amount", Value::Number(amount))));
        }
        Event::BatchFailed(event) => {
            fields.push(("batch", Value::Text(event.batch.to_string())));
            fields.push(("error", text(&event.error)));
        }
        Event::CurrencyRegistered(event) => {
            fields.push(("code", text(&event.code)));
            fields.push(("precision", number(event.precision)));
            put_text(&mut fields, "name", &event.name);
        }
        Event::PolicySet(event) => {
            fields.push(("balance", number(event.balance)));
            fields.extend(event.policy.as_ref().map(|policy| ("policy", policy_of(policy))));
        }
        Event::MetadataChanged(event) => {
            let (kind, of) = subject(event.subject);
            fields.push(("of", text(kind)));
            fields.push(("number", number(of)));
            fields.push(("first_row", number(event.first_row)));
            if event.earlier != NO_RECORD {
                fields.push(("earlier", number(event.earlier)));
            }
            put_text(&mut fields, "metadata", &event.metadata);
        }
        Event::BalanceLinked(event) => {
            fields.push(("balance", number(event.balance)));
            fields.push(("identity", number(event.identity)));
            put_text(&mut fields, "lineage_label", &event.lineage_label);
        }
        Event::BalanceNamed(event) => {
            fields.push(("balance", number(event.balance)));
            fields.push(("alias", text(&event.alias)));
        }
        Event::AccountCreated(event) => {
            fields.push(("seed", number(event.seed)));
            fields.push(("balance", number(event.balance)));
            fields.push(("identity", number(event.identity)));
            put_text(&mut fields, "number", &event.number);
            put_text(&mut fields, "bank", &event.bank);
            put_text(&mut fields, "metadata", &event.metadata);
        }
        Event::MonitorSet(event) => put_monitor(&mut fields, event),
        Event::MonitorDeleted(event) => {
            fields.push(("monitor", Value::Text(event.id.to_string())));
            fields.push(("first_row", number(event.first_row)));
        }
        Event::IdentityChanged(event) => {
            fields.push(("identity", number(event.identity)));
            fields.push(("detail", detail_of(&event.detail)));
        }
        Event::IdentityDeleted(event) => fields.push(("identity", number(event.identity))),
        Event::IdentityRevealed(event) => {
            fields.push(("identity", number(event.identity)));
            fields.push(("who", text(&event.who)));
            put_text(&mut fields, "request", &event.request);
            fields.push(("fields", Value::List(event.fields.iter().map(|field| text(field)).collect())));
            if event.previous != NO_RECORD {
                fields.push(("previous", number(event.previous)));
            }
        }
        Event::LedgerClosed(event) => kept::put_closed(&mut fields, event),
        Event::ClosingTotalled(event) => kept::put_totalled(&mut fields, event),
        Event::BalanceAsserted(event) => kept::put_asserted(&mut fields, event),
        Event::AssertionDeleted(event) => fields.push(("assertion", Value::Text(event.id.to_string()))),
        Event::KeyKept(event) => put_key(&mut fields, &event.key),
    }
    Value::Fields(fields)
}

/// What metadata belongs to, in a word, and its number.
pub(super) fn subject(subject: Subject) -> (&'static str, u64) {
    match subject {
        Subject::Ledger(handle) => ("ledger", u64::from(handle)),
        Subject::Balance(handle) => ("balance", u64::from(handle)),
        Subject::Rows(Parent::Row(row)) => ("row", row),
        Subject::Rows(Parent::Batch(row)) => ("batch", row),
        Subject::Rows(Parent::Split(row)) => ("split", row),
        Subject::Rows(Parent::None) => ("nothing", 0),
    }
}

pub(super) type Fields = Vec<(&'static str, Value)>;

pub(super) fn number(number: impl Into<i128>) -> Value {
    Value::Number(number.into())
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub(super) fn put_text(fields: &mut Fields, name: &'static str, content: &str) {
    if !content.is_empty() {
        fields.push((name, text(content)));
    }
}

fn put_monitor(fields: &mut Fields, event: &MonitorSet) {
    let definition = &event.definition;
    fields.push(("monitor", Value::Text(event.id.to_string())));
    fields.push(("created_at", Value::Text(time(event.created_at))));
    fields.push(("first_row", number(event.first_row)));
    fields.push(("balance", number(event.balance)));
    let conditions = definition.conditions.iter().map(|condition| {
        Value::Fields(vec![
            ("field", Value::Text(format!("{:?}", condition.field))),
            ("operator", Value::Text(format!("{:?}", condition.operator))),
            ("threshold", Value::Number(condition.threshold)),
            ("precision", number(condition.precision)),
        ])
    });
    fields.push(("conditions", Value::List(conditions.collect())));
    fields.push(("any", Value::Flag(definition.any)));
    fields.push(("edge", Value::Flag(definition.edge)));
    put_text(fields, "description", &definition.description);
    put_text(fields, "call_back_url", &definition.call_back_url);
    put_text(fields, "metadata", &definition.metadata);
}

/// What is sealed is told as the place and the name of its key, and how long it is.
fn detail_of(detail: &Detail) -> Value {
    match detail {
        Detail::Plain(plain) => text(plain),
        Detail::Sealed(sealed) => Value::Fields(vec![
            ("slot", number(sealed.key.slot)),
            ("key", Value::Text(sealed.key.id.iter().map(|byte| format!("{byte:02x}")).collect())),
            ("sealed_bytes", Value::Number(sealed.bytes.len() as i128)),
        ]),
    }
}

fn policy_of(policy: &Policy) -> Value {
    let mut fields = Vec::new();
    match policy.floor {
        Some(Floor::Minimum(amount)) => fields.push(("minimum", Value::Number(amount))),
        Some(Floor::Credit(amount)) => fields.push(("credit_limit", Value::Number(amount))),
        None => {}
    }
    fields.push(("no_debits", Value::Flag(policy.no_debits)));
    fields.push(("no_credits", Value::Flag(policy.no_credits)));
    if let Some(counterparties) = &policy.counterparties {
        let handles = counterparties.iter().map(|&handle| number(handle));
        fields.push(("counterparties", Value::List(handles.collect())));
    }
    let velocities = policy.velocities.iter().map(|velocity| {
        let window = match velocity.window {
            Window::Seconds(seconds) => number(seconds),
            Window::Week => text("week"),
            Window::Month => text("month"),
        };
        let mut fields = vec![("side", text(if velocity.debits { "debit" } else { "credit" })), ("window", window)];
        fields.extend(velocity.sum_max.map(|sum| ("sum_max", Value::Number(sum))));
        fields.extend(velocity.count_max.map(|count| ("count_max", number(count))));
        Value::Fields(fields)
    });
    fields.push(("velocities", Value::List(velocities.collect())));
    Value::Fields(fields)
}

fn put_key(fields: &mut Fields, key: &Key) {
    fields.push(("key", text(&key.name)));
    fields.push(("request", Value::Text(key.request.iter().map(|byte| format!("{byte:02x}")).collect())));
    let known =
        key.known.iter().map(|known| Value::Fields(vec![("item", number(known.item)), ("row", number(known.row))]));
    fields.push(("known", Value::List(known.collect())));
    let refused = key.refused.iter().map(|refused| {
        Value::Fields(vec![
            ("item", number(refused.item)),
            ("rejection", Value::Text(format!("{:?}", refused.rejection))),
        ])
    });
    fields.push(("refused", Value::List(refused.collect())));
}

fn put_recorded(fields: &mut Fields, event: &Recorded) {
    let batch = match event.batch {
        Batch::Single => "single",
        Batch::Independent => "independent",
        Batch::Atomic => "atomic",
    };
    fields.push(("seed", number(event.seed)));
    fields.push(("first_row", number(event.first_row)));
    fields.push(("rows", number(event.rows_count())));
    fields.push(("batch", text(batch)));
    fields.push(("queued", Value::Flag(event.queued)));
    if event.announced {
        fields.push(("announced", Value::Flag(true)));
    }
    if let Some(key) = &event.key {
        put_key(fields, key);
    }
    if !event.currencies.is_empty() {
        let list = event.currencies.iter().map(|currency| text(currency.of(&event.text)));
        fields.push(("currencies", Value::List(list.collect())));
    }
    if !event.opened.is_empty() {
        let one = |opened: &ledger::event::Opened| {
            let indicator = text(opened.indicator.of(&event.text));
            Value::Fields(vec![("indicator", indicator), ("currency", number(opened.currency))])
        };
        fields.push(("opened", Value::List(event.opened.iter().map(one).collect())));
    }
    let movements = event.movements.iter().map(|movement| movement_of(movement, &event.text));
    fields.push(("movements", Value::List(movements.collect())));
}

fn movement_of(movement: &Movement, arena: &str) -> Value {
    let (kind, of) = match movement.kind {
        Kind::Posting => ("posting", None),
        Kind::Execution(row) => ("execution", Some(row)),
        Kind::Settlement { hold, .. } => ("settlement", Some(hold)),
        Kind::Release { hold, .. } => ("release", Some(hold)),
        Kind::Refund(row) => ("refund", Some(row)),
        Kind::Change { hold } => ("change", Some(hold)),
        Kind::Lineage { .. } => ("lineage", None),
        Kind::LineageSettlement { hold, .. } => ("lineage_settlement", Some(hold)),
    };
    let mut fields = vec![("kind", text(kind))];
    fields.extend(of.map(|row| ("of_row", number(row))));
    if let Some((role, main)) = movement.kind.lineage() {
        fields.push(("of_movement", number(main)));
        fields.push(("role", text(role.word())));
    }
    let outcome = match movement.outcome {
        Outcome::Applied => "applied",
        Outcome::Held => "held",
        Outcome::Voided => "voided",
        Outcome::Rejected(_) => "rejected",
        Outcome::Scheduled => "scheduled",
    };
    fields.push(("outcome", text(outcome)));
    if let Outcome::Rejected(rejection) = movement.outcome {
        fields.push(("rejection", Value::Text(format!("{rejection:?}"))));
    }
    fields.push(("item", number(movement.item)));
    if movement.leg > 0 {
        fields.push(("leg", number(movement.leg)));
    }
    for (name, handle, named) in [
        ("source", movement.source, movement.source_text),
        ("destination", movement.destination, movement.destination_text),
    ] {
        fields.push((name, if handle == NO_BALANCE { text(named.of(arena)) } else { number(handle) }));
    }
    fields.push(("amount", number(movement.amount)));
    fields.push(("precision", number(movement.precision)));
    fields.push(("currency", number(movement.currency)));
    put_text(&mut fields, "reference", movement.reference.of(arena));
    put_text(&mut fields, "description", movement.description.of(arena));
    put_text(&mut fields, "metadata", movement.metadata.of(arena));
    put_terms(&mut fields, movement, arena);
    Value::Fields(fields)
}

/// What few movements have.
fn put_terms(fields: &mut Fields, movement: &Movement, arena: &str) {
    let asked_queued =
        matches!(movement.kind, Kind::Settlement { queued: true, .. } | Kind::Release { queued: true, .. });
    for (name, set) in [
        ("queued", movement.queued || asked_queued),
        ("allow_overdraft", movement.allow_overdraft),
        ("inflight", movement.inflight),
        ("atomic", movement.atomic),
    ] {
        fields.extend(set.then_some((name, Value::Flag(true))));
    }
    let terms = movement.terms();
    if terms.overdraft_limit != 0 {
        fields.push(("overdraft_limit", number(terms.overdraft_limit)));
    }
    for (name, at) in [
        ("effective_at", terms.effective_at),
        ("scheduled_at", terms.scheduled_at),
        ("expires_at", terms.expires_at),
        ("commits_at", terms.commits_at),
    ] {
        fields.extend(at.map(|at| (name, Value::Text(time(at)))));
    }
    put_text(fields, "provider", terms.provider.of(arena));
    put_text(fields, "owner", terms.owner.of(arena));
}
