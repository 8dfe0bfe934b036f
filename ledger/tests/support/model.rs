//! What must come of a step, told from the rows alone: an independent judgement, written from the specification.

use crate::support::book::{Book, Changed};
use crate::support::judge::{Side, Want, refusal, refusal_of_more};
use crate::support::order::Order;
use crate::support::workload::Step;
use ledger::command::{Action, Batch, Command};
use ledger::decide::Decision;
use ledger::event::{Event, Kind, NO_BALANCE, Outcome};
use ledger::id::{Id, Prefix};
use ledger::limits::MONITORS_PER_BALANCE_MAX;
use ledger::rejection::{Refused, Rejection};
use ledger::row::{Flags, Row, Status};
use ledger::text::Span;
use std::collections::BTreeMap;

/// What came of a step, as far as the model says it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Verdict {
    /// It happened, or waits.
    Done,
    /// It happened before.
    Known,
    /// Everything is as it was asked to be.
    Unchanged,
    /// Two rows tell that it was refused.
    Rejected(Rejection),
    /// Nothing is left of it.
    Refused(Rejection),
}

pub fn verdict(answer: &Result<Decision, Refused>) -> Verdict {
    let Decision { event, known, refused } = match answer {
        Err(refused) => return Verdict::Refused(refused.rejection),
        Ok(decision) => decision,
    };
    match event {
        _ if !refused.is_empty() => Verdict::Refused(refused[0].rejection),
        Some(Event::Recorded(event)) => match event.movements[0].outcome {
            Outcome::Rejected(rejection) => Verdict::Rejected(rejection),
            _ => Verdict::Done,
        },
        Some(_) => Verdict::Done,
        None if !known.is_empty() => Verdict::Known,
        None => Verdict::Unchanged,
    }
}

/// What must come of a step: of single transactions, and of everything that names holds, one original, or groups.
pub fn expected(book: &Book, step: &Step) -> Option<Verdict> {
    let refused = |refusal: Option<Rejection>| Some(refusal.map_or(Verdict::Done, Verdict::Refused));
    match step {
        Step::Record { batch: Batch::Single, queued, orders, .. } if orders.len() == 1 => {
            Some(of_order(book, *queued, &orders[0]))
        }
        Step::Settle { action, rows, amount, over, open } => {
            let refusals = rows.iter().filter_map(|row| refusal_of_hold(book, *action, *row, *amount, *over));
            let (ended, others): (Vec<Rejection>, Vec<Rejection>) = refusals.partition(|refusal| {
                *open && matches!(refusal, Rejection::AlreadyCommitted | Rejection::AlreadyVoided)
            });
            // What has ended is passed over, unless nothing else is named.
            refused(told_first(if ended.len() < rows.len() { others } else { ended }))
        }
        Step::Change(row, change) => refused(refusal_of_change(book, *row, change)),
        Step::Refund(parts, queued) if parts.len() == 1 => refused(refusal_of_refund(book, parts[0], *queued)),
        Step::Cancel(groups) | Step::Reschedule(groups, ..) => {
            let waits = groups.iter().any(|group| book.auditor.waiting.contains_key(group));
            refused((!waits).then_some(Rejection::AlreadyRun))
        }
        Step::Command(Command::RegisterCurrency(asked)) => {
            let known = book.auditor.registered.get(&asked.code);
            let number = book.state.currencies.find(&asked.code);
            let named = number.and_then(|number| book.state.currencies.registered(number)).map(|one| &*one.name);
            Some(match known {
                Some(precision) if *precision != asked.precision => Verdict::Refused(Rejection::CurrencyTaken),
                Some(_) if named == Some(&*asked.name) => Verdict::Unchanged,
                _ => Verdict::Done,
            })
        }
        Step::Command(Command::DeleteMonitor(asked)) => {
            let known = monitors(book).contains_key(&asked.monitor);
            Some(if known { Verdict::Done } else { Verdict::Refused(Rejection::MonitorNotFound) })
        }
        Step::Command(Command::SetMonitor(asked)) => {
            let monitors = monitors(book);
            let handle = (0..book.state.balances.len() as u32).find(|one| book.state.balance_id(*one) == asked.balance);
            let before = asked.monitor.and_then(|id| monitors.get(&id).copied());
            let of_balance = monitors.values().filter(|balance| Some(**balance) == handle).count();
            Some(match handle {
                _ if asked.monitor.is_some() && before.is_none() => Verdict::Refused(Rejection::MonitorNotFound),
                None => Verdict::Refused(Rejection::BalanceNotFound),
                Some(_) if before != handle && of_balance >= MONITORS_PER_BALANCE_MAX => {
                    Verdict::Refused(Rejection::TooManyMonitorsOfBalance)
                }
                Some(_) => Verdict::Done,
            })
        }
        Step::Command(Command::SetPolicy(asked)) => {
            let handle = |id: Id| (0..book.state.balances.len() as u32).find(|one| book.state.balance_id(*one) == id);
            let named = asked.policy.iter().flat_map(|wanted| wanted.counterparties.iter().flatten());
            let missing = |id: &Id| handle(*id).is_none();
            Some(match handle(asked.balance) {
                None => Verdict::Refused(Rejection::BalanceNotFound),
                Some(balance) if asked.policy.is_none() && !book.auditor.police.policies.contains_key(&balance) => {
                    Verdict::Unchanged
                }
                Some(_) if named.into_iter().any(missing) => Verdict::Refused(Rejection::BalanceNotFound),
                Some(_) => Verdict::Done,
            })
        }
        Step::Command(Command::NameBalance(asked)) => {
            let aliases = &book.auditor.said.aliases;
            let count = book.state.balances.len() as u32;
            let Some(handle) = (0..count).find(|one| book.state.balance_id(*one) == asked.balance) else {
                return refused(Some(Rejection::BalanceNotFound));
            };
            let now = aliases.iter().find(|(_, of)| **of == handle).map_or("", |(alias, _)| alias);
            Some(match aliases.get(&asked.alias) {
                _ if now == asked.alias => Verdict::Unchanged,
                Some(_) => Verdict::Refused(Rejection::AliasTaken),
                None => Verdict::Done,
            })
        }
        Step::Command(Command::CloseLedger(asked)) => {
            let known = book.state.find_ledger(&asked.ledger);
            let until = known.and_then(|ledger| book.auditor.periods.until(ledger));
            Some(match known {
                None => Verdict::Refused(Rejection::LedgerNotFound),
                Some(_) if asked.until > book.now => Verdict::Refused(Rejection::InFuture),
                Some(_) if until.is_some_and(|until| asked.until <= until) => {
                    Verdict::Refused(Rejection::AlreadyClosed)
                }
                Some(_) => Verdict::Done,
            })
        }
        Step::Command(Command::AssertBalance(asked)) => Some(match asked.required {
            _ if !exists(book, asked.balance) => Verdict::Refused(Rejection::BalanceNotFound),
            _ if asked.as_of > book.now => Verdict::Refused(Rejection::InFuture),
            Some(found) if found.amount != asked.amount => Verdict::Refused(Rejection::AssertionBroken),
            _ => Verdict::Done,
        }),
        Step::Command(Command::DeleteAssertion(asked)) => {
            let known = book.auditor.periods.assertions.get(&asked.assertion);
            let is_its_own = known.is_some_and(|(balance, ..)| book.state.balance_id(*balance) == asked.balance);
            Some(if is_its_own { Verdict::Done } else { Verdict::Refused(Rejection::AssertionNotFound) })
        }
        _ => None,
    }
}

fn exists(book: &Book, balance: Id) -> bool {
    (0..book.state.balances.len() as u32).any(|one| book.state.balance_id(one) == balance)
}

/// The monitors that there are and their balances, from the events alone.
fn monitors(book: &Book) -> BTreeMap<Id, u32> {
    let mut monitors = BTreeMap::new();
    for event in &book.events {
        match event {
            Event::MonitorSet(event) => drop(monitors.insert(event.id, event.balance)),
            Event::MonitorDeleted(event) => drop(monitors.remove(&event.id)),
            _ => {}
        }
    }
    monitors
}

fn of_order(book: &Book, queued: bool, order: &Order) -> Verdict {
    let find = |name: &str| match Id::parse(Prefix::Balance, name) {
        Some(id) => book.state.find_balance(id),
        None if name.starts_with('@') => book.state.find_indicator(name, book.state.currencies.find(&order.currency)?),
        None => book.auditor.said.aliases.get(name).copied(),
    };
    let (source, destination) = (find(&order.source), find(&order.destination));
    let outcome = book.references.get(&format!("{}_q", order.reference)).filter(|_| queued);
    if let Some(&row) = book.references.get(&order.reference) {
        let row = &book.rows[row as usize];
        let (event, first) = book.movement(row);
        let is = |held: u32, named: Span, found: Option<u32>, name: &str| match held {
            NO_BALANCE => named.of(&event.text) == name,
            _ => found == Some(held),
        };
        let same = first.kind == Kind::Posting
            && book.reference_of(row) == order.reference
            && is(row.source, first.source_text, source, &order.source)
            && is(row.destination, first.destination_text, destination, &order.destination)
            && (row.amount, first.inflight) == (order.amount, order.inflight)
            && book.state.currencies.text(row.currency) == order.currency;
        let request = matches!(row.status, Status::Queued | Status::Scheduled);
        let known = queued && same && request;
        return if known { Verdict::Known } else { Verdict::Refused(Rejection::DuplicateReference) };
    }
    if outcome.is_some() {
        return Verdict::Refused(Rejection::DuplicateReference);
    }
    let want = Want {
        source: Side { handle: source, name: &order.source },
        destination: Side { handle: destination, name: &order.destination },
        amount: order.amount,
        precision: order.precision,
        currency: &order.currency,
        overdraft: (order.allow_overdraft, order.terms.overdraft_limit),
        effective_at: order.terms.effective_at,
        at: book.now,
    };
    // What could not count when its time has come is judged now.
    let sides = [(source, &order.source), (destination, &order.destination)];
    let exists = |(handle, name): (Option<u32>, &String)| handle.is_some() || name.starts_with('@');
    let known = sides.map(|side| exists(side).then_some(side.0));
    let is_late = known
        .into_iter()
        .flatten()
        .any(|side| book.auditor.periods.are_closed(&book.state, [side, side], order.terms.effective_at));
    if queued && order.terms.scheduled_at.is_some() && !is_late {
        return Verdict::Done;
    }
    match refusal(&book.auditor, &book.state, book.mismatch, &want) {
        None => Verdict::Done,
        Some(rejection) if queued => Verdict::Rejected(rejection),
        Some(rejection) => Verdict::Refused(rejection),
    }
}

/// Why nothing can be done with a hold that is not open.
fn refusal_of_ended(book: &Book, row: u64) -> Rejection {
    if follows(book, row) {
        return Rejection::FollowsAnother;
    }
    match book.auditor.ended.get(&row) {
        Some(true) => Rejection::AlreadyVoided,
        Some(false) => Rejection::AlreadyCommitted,
        None => Rejection::NotInflight,
    }
}

/// Whether a row follows another in the lineage of a balance.
fn follows(book: &Book, row: u64) -> bool {
    book.rows.get(row as usize).is_some_and(|row| row.flags.has(Flags::LINEAGE))
}

/// Of the refusals of several holds: what comes first in section 15 of the specification, whichever hold is named first.
fn told_first(refusals: Vec<Rejection>) -> Option<Rejection> {
    let has = |one: Rejection| refusals.contains(&one).then_some(one);
    let beyond = |one: &&Rejection| matches!(one, Rejection::ExceedsOriginal | Rejection::ExceedsRemaining);
    has(Rejection::NotInflight)
        .or(has(Rejection::AlreadyCommitted))
        .or(has(Rejection::AlreadyVoided))
        .or(refusals.iter().find(beyond).copied())
        .or(refusals.first().copied())
}

fn refusal_of_hold(book: &Book, action: Action, row: u64, amount: Option<i128>, over: bool) -> Option<Rejection> {
    let Some(hold) = book.auditor.holds.get(&row) else { return Some(refusal_of_ended(book, row)) };
    let amount = amount.filter(|_| action == Action::Commit)?;
    let sides = (hold.source, hold.destination);
    match amount {
        ..0 => Some(Rejection::AmountNegative),
        0 => Some(Rejection::AmountZero),
        _ if amount <= hold.remaining() => None,
        _ if over => refusal_of_more(&book.auditor, sides, amount - hold.remaining(), 0, hold.overdraft, book.now),
        _ if amount > hold.amount => Some(Rejection::ExceedsOriginal),
        _ => Some(Rejection::ExceedsRemaining),
    }
}

fn refusal_of_change(book: &Book, row: u64, change: &Changed) -> Option<Rejection> {
    let Some(hold) = book.auditor.holds.get(&row) else { return Some(refusal_of_ended(book, row)) };
    let sides = (hold.source, hold.destination);
    match change.held? {
        ..0 => Some(Rejection::AmountNegative),
        0 => Some(Rejection::AmountZero),
        held if held <= hold.remaining() => None,
        held => refusal_of_more(&book.auditor, sides, held - hold.remaining(), 0, hold.overdraft, book.now),
    }
}

fn refusal_of_refund(book: &Book, part: (u64, Option<i128>), queued: bool) -> Option<Rejection> {
    let (row, amount) = part;
    let posted = |row: &&Row| row.status == Status::Applied;
    let released = |row: &&Row| row.status == Status::Void && row.flags.has(Flags::SETTLEMENT);
    let original = book.rows.get(row as usize).filter(|row| posted(row) || released(row));
    let Some(original) = original else { return Some(Rejection::NothingToRefund) };
    if follows(book, row) {
        return Some(Rejection::FollowsAnother);
    }
    let parts = book.auditor.refunds.get(&row).map_or(&[][..], Vec::as_slice);
    let left = original.amount - parts.iter().sum::<i128>();
    if left == 0 {
        return Some(Rejection::AlreadyRefunded);
    }
    let number = if parts.is_empty() { String::new() } else { format!("_{}", parts.len() + 1) };
    let reference = format!("{}{number}", book.refund_reference(row));
    let outcome = queued && book.references.contains_key(&format!("{reference}_q"));
    if book.references.contains_key(&reference) || outcome {
        return Some(Rejection::DuplicateReference);
    }
    let amount = amount.unwrap_or(left);
    if amount > left {
        return Some(Rejection::ExceedsRefundable);
    }
    refusal_of_more(&book.auditor, (original.destination, original.source), amount, 1, (true, 0), book.now)
}
