//! Statements as comma-separated values (RFC 4180): a line for the opening, for each posting, and for the closing of each
//! balance, and behind that one for each open hold (`hold`) when they are asked for.
//!
//! Amounts are in major units. A text that a spreadsheet would take for a formula gets an apostrophe before it.

use super::section::{Entry, Section};
use crate::api::time;
use ledger::id::Prefix;

const COLUMNS: &str = "balance_id,currency,kind,effective_date,created_at,transaction_id,reference,description,counterparty,\
                       debit,credit,balance\r\n";

/// Writes what stands before all sections.
pub fn begin(out: &mut Vec<u8>) {
    out.extend_from_slice(COLUMNS.as_bytes());
}

/// Writes the opening of a section.
pub fn open(section: &Section, out: &mut Vec<u8>) {
    let posted = section.opening;
    sum(section, "opening", section.from, posted.credit - posted.debit, out);
}

/// Writes a line.
pub fn entry(section: &Section, entry: &Entry, out: &mut Vec<u8>) {
    let amount = |minor: i128| if minor == 0 { String::new() } else { section.major(minor) };
    let fields = [
        section.heading.id.text(Prefix::Balance),
        text(&section.heading.currency),
        entry.kind.to_owned(),
        time::text(entry.effective_at),
        time::text(entry.created_at),
        entry.id.text(Prefix::Transaction),
        text(&entry.reference),
        text(&entry.description),
        entry.counterparty.clone(),
        amount(entry.moved.debit),
        amount(entry.moved.credit),
        entry.balance.map(|balance| section.major(balance)).unwrap_or_default(),
    ];
    write(&fields, out);
}

/// Writes the closing of a section, and its open holds.
pub fn close(section: &Section, out: &mut Vec<u8>) {
    let posted = section.closing;
    sum(section, "closing", section.to, posted.credit - posted.debit, out);
    for hold in section.pending.iter().flatten() {
        entry(section, hold, out);
    }
}

fn sum(section: &Section, kind: &str, at: i64, balance: i128, out: &mut Vec<u8>) {
    let mut fields: [String; 12] = Default::default();
    fields[0] = section.heading.id.text(Prefix::Balance);
    fields[1] = text(&section.heading.currency);
    kind.clone_into(&mut fields[2]);
    fields[3] = time::text(at);
    fields[11] = section.major(balance);
    write(&fields, out);
}

/// A text of somebody else, harmless in a spreadsheet.
pub fn text(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if formula { format!("'{text}") } else { text.to_owned() }
}

/// Writes a record: fields with commas between, quoted where they must be.
pub fn write(fields: &[String], out: &mut Vec<u8>) {
    for (index, field) in fields.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        if field.contains(['"', ',', '\r', '\n']) {
            out.push(b'"');
            out.extend_from_slice(field.replace('"', "\"\"").as_bytes());
            out.push(b'"');
        } else {
            out.extend_from_slice(field.as_bytes());
        }
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        let mut out = Vec::new();
        let fields = ["a,b", "say \"no\"", "two\nlines", "plain", &text("=SUM(A1)"), &text("@x"), &text("5-3")];
        write(&fields.map(str::to_owned), &mut out);
        let wanted = "\"a,b\",\"say \"\"no\"\"\",\"two\nlines\",plain,'=SUM(A1),'@x,5-3\r\n";
        assert_eq!(String::from_utf8(out).expect("text"), wanted);
    }
}
