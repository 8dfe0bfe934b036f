//! Statements as JSON: a page of lines. Amounts stand in minor units, and in major units as text.

use super::section::{Entry, Section};
use crate::api::number::NumberText;
use crate::api::time;
use ledger::id::Prefix;
use ledger::row::Posted;
use serde::Serialize;

/// What a balance was at a moment.
#[derive(Debug, Serialize)]
pub struct FiguresView {
    balance: NumberText,
    credit_balance: NumberText,
    debit_balance: NumberText,
    amount: String,
}

/// A line.
#[derive(Debug, Serialize)]
pub struct EntryView {
    transaction_id: String,
    reference: String,
    description: String,
    kind: &'static str,
    counterparty: String,
    effective_date: String,
    created_at: String,
    debit: NumberText,
    credit: NumberText,
    amount: String,
    balance: NumberText,
    balance_amount: String,
}

/// A section, or the part of one that is on the page.
#[derive(Debug, Serialize)]
pub struct SectionView {
    balance_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    indicator: String,
    ledger_id: String,
    ledger_name: String,
    identity_id: String,
    owner: String,
    currency: String,
    precision: u64,
    from: String,
    to: String,
    opening: FiguresView,
    closing: FiguresView,
    total_credit: NumberText,
    total_debit: NumberText,
    lines: Vec<EntryView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pending: Option<Vec<PendingView>>,
}

/// An open hold.
#[derive(Debug, Serialize)]
pub struct PendingView {
    transaction_id: String,
    reference: String,
    description: String,
    counterparty: String,
    effective_date: String,
    created_at: String,
    debit: NumberText,
    credit: NumberText,
    amount: String,
}

/// The statement of one balance.
#[derive(Debug, Serialize)]
pub struct OneView {
    /// The balance.
    #[serde(flatten)]
    pub section: SectionView,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// The statement of all balances of an identity or a ledger.
#[derive(Debug, Serialize)]
pub struct AllView {
    /// The sections that are on the page.
    pub sections: Vec<SectionView>,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A section with some of its lines.
pub fn section(section: &Section, entries: &[Entry]) -> SectionView {
    let heading = &section.heading;
    let figures = |posted: Posted| FiguresView {
        balance: NumberText::integer(posted.credit - posted.debit),
        credit_balance: NumberText::integer(posted.credit),
        debit_balance: NumberText::integer(posted.debit),
        amount: section.major(posted.credit - posted.debit),
    };
    SectionView {
        balance_id: heading.id.text(Prefix::Balance),
        indicator: heading.indicator.clone(),
        ledger_id: heading.ledger_id.clone(),
        ledger_name: heading.ledger_name.clone(),
        identity_id: heading.identity_id.clone(),
        owner: heading.owner.clone(),
        currency: heading.currency.clone(),
        precision: section.precision,
        from: time::text(section.from),
        to: time::text(section.to),
        opening: figures(section.opening),
        closing: figures(section.closing),
        total_credit: NumberText::integer(section.closing.credit - section.opening.credit),
        total_debit: NumberText::integer(section.closing.debit - section.opening.debit),
        lines: entries.iter().map(|entry| line(section, entry)).collect(),
        pending: section
            .pending
            .as_ref()
            .filter(|_| section.is_over())
            .map(|holds| holds.iter().map(|hold| pending(section, hold)).collect()),
    }
}

fn pending(section: &Section, hold: &Entry) -> PendingView {
    PendingView {
        transaction_id: hold.id.text(Prefix::Transaction),
        reference: hold.reference.clone(),
        description: hold.description.clone(),
        counterparty: hold.counterparty.clone(),
        effective_date: time::text(hold.effective_at),
        created_at: time::text(hold.created_at),
        debit: NumberText::integer(hold.moved.debit),
        credit: NumberText::integer(hold.moved.credit),
        amount: section.major(hold.moved.credit - hold.moved.debit),
    }
}

fn line(section: &Section, entry: &Entry) -> EntryView {
    let balance = entry.balance.unwrap_or_default();
    EntryView {
        transaction_id: entry.id.text(Prefix::Transaction),
        reference: entry.reference.clone(),
        description: entry.description.clone(),
        kind: entry.kind,
        counterparty: entry.counterparty.clone(),
        effective_date: time::text(entry.effective_at),
        created_at: time::text(entry.created_at),
        debit: NumberText::integer(entry.moved.debit),
        credit: NumberText::integer(entry.moved.credit),
        amount: section.major(entry.moved.credit - entry.moved.debit),
        balance: NumberText::integer(balance),
        balance_amount: section.major(balance),
    }
}
