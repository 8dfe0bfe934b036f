//! A record as one line of text.

use super::Record;
use super::value::subject;
use ledger::event::{Event, Kind, Movement, NO_BALANCE, Outcome};
use ledger::text::Span;
use std::fmt::Write;

/// Movements that a line names; of more it tells the number.
const MOVEMENTS_MAX: usize = 3;

/// The kind of an event, in a word.
pub const fn kind(event: &Event) -> &'static str {
    match event {
        Event::LedgerCreated(_) => "ledger_created",
        Event::LedgerRenamed(_) => "ledger_renamed",
        Event::IdentityCreated(_) => "identity_created",
        Event::BalanceCreated(_) => "balance_created",
        Event::Recorded(_) => "recorded",
        Event::Rescheduled(_) => "rescheduled",
        Event::BatchFailed(_) => "batch_failed",
        Event::CurrencyRegistered(_) => "currency_registered",
        Event::PolicySet(_) => "policy_set",
        Event::MetadataChanged(_) => "metadata_changed",
        Event::BalanceLinked(_) => "balance_linked",
        Event::BalanceNamed(_) => "balance_named",
        Event::AccountCreated(_) => "account_created",
        Event::MonitorSet(_) => "monitor_set",
        Event::MonitorDeleted(_) => "monitor_deleted",
        Event::IdentityChanged(_) => "identity_changed",
        Event::IdentityDeleted(_) => "identity_deleted",
        Event::IdentityRevealed(_) => "identity_revealed",
        Event::LedgerClosed(_) => "ledger_closed",
        Event::ClosingTotalled(_) => "closing_totalled",
        Event::BalanceAsserted(_) => "balance_asserted",
        Event::AssertionDeleted(_) => "assertion_deleted",
        Event::KeyKept(_) => "key_kept",
    }
}

/// The record in one line: `key=value` pairs, and the first movements.
pub fn line_of(record: &Record) -> String {
    let (seq, position, bytes) = (record.seq, record.position, record.bytes);
    let (at, kind) = (time(record.event.at()), kind(&record.event));
    let mut line = format!("seq={seq} position={position} bytes={bytes} time={at} kind={kind}");
    match &record.event {
        Event::LedgerCreated(event) => put(&mut line, "name", &event.name),
        Event::LedgerRenamed(event) => {
            put(&mut line, "ledger", event.ledger);
            put(&mut line, "name", &event.name);
        }
        Event::IdentityCreated(event) if !event.id.is_empty() => put(&mut line, "id", &event.id),
        Event::IdentityCreated(_) => {}
        Event::BalanceCreated(event) => {
            put(&mut line, "ledger", event.ledger);
            put(&mut line, "currency", &event.currency);
            if !event.indicator.is_empty() {
                put(&mut line, "indicator", &event.indicator);
            }
        }
        Event::Recorded(event) => {
            put(&mut line, "first_row", event.first_row);
            put(&mut line, "rows", event.rows_count());
            for movement in event.movements.iter().take(MOVEMENTS_MAX) {
                line.push_str(" [");
                line.push_str(&movement_text(movement, &event.text));
                line.push(']');
            }
            if event.movements.len() > MOVEMENTS_MAX {
                put(&mut line, "more", event.movements.len() - MOVEMENTS_MAX);
            }
        }
        Event::Rescheduled(event) => {
            put(&mut line, "groups", event.groups.len());
            if let Some(at) = event.due_at {
                put(&mut line, "due_at", time(at));
            }
            if let Some(amount) = event.amount {
                put(&mut line, "amount", amount);
            }
        }
        Event::BatchFailed(event) => {
            put(&mut line, "batch", event.batch);
            put(&mut line, "error", &event.error);
        }
        Event::CurrencyRegistered(event) => {
            put(&mut line, "code", &event.code);
            put(&mut line, "precision", event.precision);
        }
        Event::PolicySet(event) => {
            put(&mut line, "balance", event.balance);
            put(&mut line, "policy", if event.policy.is_some() { "set" } else { "none" });
        }
        Event::MetadataChanged(event) => {
            let (kind, number) = subject(event.subject);
            put(&mut line, kind, number);
        }
        Event::BalanceLinked(event) => {
            put(&mut line, "balance", event.balance);
            put(&mut line, "identity", event.identity);
        }
        Event::BalanceNamed(event) => {
            put(&mut line, "balance", event.balance);
            put(&mut line, "alias", &event.alias);
        }
        Event::AccountCreated(event) => {
            put(&mut line, "balance", event.balance);
            put(&mut line, "identity", event.identity);
        }
        Event::MonitorSet(event) => {
            put(&mut line, "monitor", event.id);
            put(&mut line, "balance", event.balance);
            put(&mut line, "conditions", event.definition.conditions.len());
        }
        Event::MonitorDeleted(event) => put(&mut line, "monitor", event.id),
        Event::IdentityChanged(event) => put(&mut line, "identity", event.identity),
        Event::IdentityDeleted(event) => put(&mut line, "identity", event.identity),
        Event::IdentityRevealed(event) => {
            put(&mut line, "identity", event.identity);
            put(&mut line, "who", &event.who);
            put(&mut line, "fields", event.fields.join(","));
        }
        Event::LedgerClosed(event) => {
            put(&mut line, "ledger", event.ledger);
            put(&mut line, "until", time(event.until));
        }
        Event::ClosingTotalled(event) => {
            put(&mut line, "closing", event.closing);
            put(&mut line, "totals", event.totals.len());
        }
        Event::BalanceAsserted(event) => {
            put(&mut line, "balance", event.balance);
            put(&mut line, "as_of", time(event.as_of));
            put(&mut line, "amount", event.amount);
        }
        Event::AssertionDeleted(event) => put(&mut line, "assertion", event.id),
        Event::KeyKept(event) => {
            put(&mut line, "known", event.key.known.len());
            put(&mut line, "refused", event.key.refused.len());
        }
    }
    line
}

/// Appends ` key=value`; a value that would not read as one word is quoted.
fn put(line: &mut String, key: &str, value: impl ToString) {
    let value = value.to_string();
    let plain = !value.is_empty() && value.chars().all(|c| c.is_alphanumeric() || "-_.:@".contains(c));
    let written = if plain { write!(line, " {key}={value}") } else { write!(line, " {key}={value:?}") };
    written.expect("a text takes what is written");
}

fn movement_text(movement: &Movement, arena: &str) -> String {
    let outcome = match movement.outcome {
        Outcome::Applied => "applied".to_owned(),
        Outcome::Held => "held".to_owned(),
        Outcome::Voided => "voided".to_owned(),
        Outcome::Rejected(rejection) => format!("rejected:{rejection:?}"),
        Outcome::Scheduled => "scheduled".to_owned(),
    };
    let of = match movement.kind {
        Kind::Posting => String::new(),
        Kind::Execution(row) => format!(" execution of row {row}"),
        Kind::Settlement { hold, .. } => format!(" settlement of row {hold}"),
        Kind::Release { hold, .. } => format!(" release of row {hold}"),
        Kind::Refund(row) => format!(" refund of row {row}"),
        Kind::Change { hold } => format!(" change of row {hold}"),
        Kind::Lineage { role, of } => format!(" lineage {} of movement {of}", role.word()),
        Kind::LineageSettlement { role, of, hold } => {
            format!(" lineage {} of movement {of}, settlement of row {hold}", role.word())
        }
    };
    let side = |handle: u32, named: Span| match handle {
        NO_BALANCE => format!("{:?}", named.of(arena)),
        handle => handle.to_string(),
    };
    let source = side(movement.source, movement.source_text);
    let destination = side(movement.destination, movement.destination_text);
    let mut text = format!("{outcome}{of} {source}->{destination} amount={}", movement.amount);
    put(&mut text, "currency", movement.currency);
    let reference = movement.reference.of(arena);
    if !reference.is_empty() {
        put(&mut text, "reference", reference);
    }
    text
}

/// Microseconds since 1970 as RFC 3339 in UTC. The calendar is the proleptic Gregorian one, its years begun in March (Howard
/// Hinnant, "chrono-compatible low-level date algorithms").
pub fn time(micros: i64) -> String {
    const DAY: i64 = 86_400_000_000;
    let (days, micros) = (micros.div_euclid(DAY), micros.rem_euclid(DAY));
    let since_march = days + 719_468;
    let (era, day_of_era) = (since_march.div_euclid(146_097), since_march.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:06}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
            (1_700_000_000_123_400, "2023-11-14T22:13:20.123400Z"),
            (4_107_542_399_000_000, "2100-02-28T23:59:59.000000Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z"),
        ] {
            assert_eq!(time(micros), text);
        }
        assert!(time(i64::MAX).ends_with('Z') && time(i64::MIN).ends_with('Z'));
    }
}
