//! Closings and assertions as named values.

use super::line::time;
use super::value::{Fields, Value, number, put_text};
use ledger::event::{BalanceAsserted, ClosingTotalled, LedgerClosed};

/// Appends what closes books.
pub fn put_closed(fields: &mut Fields, event: &LedgerClosed) {
    fields.push(("closing", Value::Text(event.id.to_string())));
    fields.push(("ledger", number(event.ledger)));
    fields.extend(event.from.map(|from| ("from", Value::Text(time(from)))));
    fields.push(("until", Value::Text(time(event.until))));
    put_text(fields, "description", &event.description);
    put_text(fields, "metadata", &event.metadata);
}

/// Appends the totals of a closing. Sums may be beyond any number here, so they are texts.
pub fn put_totalled(fields: &mut Fields, event: &ClosingTotalled) {
    fields.push(("closing", Value::Text(event.closing.to_string())));
    let totals = event.totals.iter().map(|total| {
        let mut fields = vec![("currency", number(total.currency)), ("balances", number(total.balances))];
        for (name, sum) in [
            ("opening_credit", total.opening.credit),
            ("opening_debit", total.opening.debit),
            ("closing_credit", total.closing.credit),
            ("closing_debit", total.closing.debit),
        ] {
            fields.push((name, Value::Text(sum.to_string())));
        }
        Value::Fields(fields)
    });
    fields.push(("totals", Value::List(totals.collect())));
}

/// Appends what is said of a balance.
pub fn put_asserted(fields: &mut Fields, event: &BalanceAsserted) {
    fields.push(("assertion", Value::Text(event.id.to_string())));
    fields.push(("balance", number(event.balance)));
    fields.push(("as_of", Value::Text(time(event.as_of))));
    if event.before_row != u64::MAX {
        fields.push(("before_row", number(event.before_row)));
    }
    fields.push(("amount", Value::Number(event.amount)));
    if event.precision != 0 {
        fields.push(("precision", number(event.precision)));
    }
    put_text(fields, "description", &event.description);
    put_text(fields, "source", &event.source);
    put_text(fields, "metadata", &event.metadata);
}
