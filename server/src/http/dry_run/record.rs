//! One transaction that is only tried, plain or split.

use super::{DESTINATION, SOURCE, Tried, rejection_view, status_of};
use crate::api::projection::{BalanceProjection, LegProjection, ProjectionView};
use crate::api::split;
use crate::api::transaction::{How, seal};
use crate::http::answer;
use crate::http::ask;
use crate::http::error::ApiError;
use crate::http::failure::{self, About};
use crate::http::state::{Answer, AppState};
use axum::http::StatusCode;
use engine::answer::Trial;
use ledger::command::{Ask, Command, Mismatch, Party, Record};
use ledger::event::Outcome;
use ledger::rejection::{Refused, Rejection};
use ledger::text::{self, Span};
use std::ops::Range;

/// One item as it was asked.
#[derive(Clone, Copy)]
pub struct Item<'a> {
    /// Its asks: one, or its legs.
    pub asks: &'a [Ask],
    /// Their arena.
    pub text: &'a str,
    /// Whether it has several sources.
    pub of_sources: bool,
    /// What is done with a currency that is not that of both balances.
    pub mismatch: Mismatch,
}

/// What a trial says of an item.
pub enum Verdict<'a> {
    /// These movements, which may be rejected.
    Decided(&'a Tried<'a>, Range<usize>),
    /// Refused, without a movement: by the position of which ask, and why.
    Refused(usize, Rejection),
    /// It was recorded before.
    Known,
}

/// Says what would become of a transaction. The record is of one item.
pub async fn project(state: &AppState, record: Record, of_sources: bool) -> Answer {
    let trial = attempt(state, record.clone()).await?;
    let tried = Tried::of(state.books(), &trial);
    let verdict = verdict_of(&trial, tried.as_ref());
    let item = Item { asks: &record.asks, text: &record.text, of_sources, mismatch: record.mismatch };
    let mut view = view(item, &verdict)?;
    if is_used(&verdict) {
        // The figures are those of the same transaction with a reference that nobody has.
        let trial = attempt(state, renamed(state, &record)).await?;
        if let Some(tried) = Tried::of(state.books(), &trial) {
            let movements = 0..tried.event.movements.len();
            check_found(item, &tried, movements.clone())?;
            view.balances = Some(balances(item, &tried, movements));
            view.balances.iter_mut().flatten().for_each(|balance| balance.after = balance.before);
        }
    }
    Ok(answer::json(StatusCode::OK, &view))
}

/// What would become of one record.
pub async fn attempt(state: &AppState, record: Record) -> Result<Trial, ApiError> {
    let trials = ask::attempt(state, vec![Command::Record(record)]).await?;
    trials.into_iter().next().ok_or_else(ApiError::internal)
}

/// What a trial of one item says of it.
pub fn verdict_of<'a>(trial: &Trial, tried: Option<&'a Tried<'a>>) -> Verdict<'a> {
    match (&trial.decided, tried) {
        (_, Some(tried)) => Verdict::Decided(tried, 0..tried.event.movements.len()),
        (Ok(_), None) => Verdict::Known,
        (Err(refused), None) => refusal(refused),
    }
}

/// An item that was refused without a movement. It names its legs from 1.
pub const fn refusal<'a>(refused: &Refused) -> Verdict<'a> {
    Verdict::Refused((refused.leg as usize).saturating_sub(1), refused.rejection)
}

/// Whether the reference is used: then nothing was decided that could be shown.
pub const fn is_used(verdict: &Verdict<'_>) -> bool {
    matches!(verdict, Verdict::Known | Verdict::Refused(_, Rejection::DuplicateReference))
}

/// A record of the same with references that nobody has.
pub fn renamed(state: &AppState, record: &Record) -> Record {
    let Record { mut asks, mut text, .. } = record.clone();
    for ask in &mut asks {
        ask.reference = text::push(&mut text, &uuid::Uuid::new_v4().to_string());
    }
    let how = How { queued: record.queued, inflight: asks[0].inflight };
    seal(&mut asks, state.books(), how, &text);
    Record { asks, text, ..record.clone() }
}

/// An item with what a trial says of it. A balance that does not exist is an error.
pub fn view(item: Item<'_>, verdict: &Verdict<'_>) -> Result<ProjectionView, ApiError> {
    let Item { asks, text, .. } = item;
    let first = &asks[0];
    let minor = asks.iter().fold(0i128, |sum, ask| sum.saturating_add(ask.amount));
    let currency = first.currency.of(text);
    let mut view = ProjectionView::new(minor, first.precision, currency);
    view.reference = reference_of(item).to_owned();
    if first.terms().scheduled_at.is_some() {
        view.notes.push("scheduled_for is not waited for: these are the figures as if it ran now".to_owned());
    }
    let told = |ask: usize, rejection| rejection_view(Some(rejection), error_of(item, ask, rejection));
    match verdict {
        Verdict::Decided(tried, movements) => {
            check_found(item, tried, movements.clone())?;
            view.status = status_of(&tried.event.movements[movements.start]);
            view.balances = Some(balances(item, tried, movements.clone()));
            view.legs = legs(item);
            tried.tell_lineage(movements.clone(), &mut view);
            if item.mismatch == Mismatch::Allow {
                note_currencies(&mut view, currency);
            }
            let rejections =
                movements.clone().enumerate().filter_map(|(ask, index)| Some((ask, rejection_of(tried, index)?)));
            // A leg that fell with the others is not why they fell.
            let first = rejections.min_by_key(|(_, rejection)| *rejection == Rejection::BatchRejected);
            Ok(match first {
                Some((ask, rejection)) => view.refused(told(ask, rejection)),
                None => view,
            })
        }
        Verdict::Refused(ask, rejection) => {
            if is_used(verdict) {
                view.balances = None;
            }
            Ok(view.refused(told(*ask, *rejection)))
        }
        Verdict::Known => {
            view.balances = None;
            view.notes.push(
                "this was recorded before; sent again, it answers what was recorded then and changes nothing"
                    .to_owned(),
            );
            let about = About { reference: reference_of(item), ..About::default() };
            let rejection = Rejection::DuplicateReference;
            Ok(view.refused(rejection_view(Some(rejection), failure::refusal(rejection, about))))
        }
    }
}

/// The reference of an item. Its legs add their number to it, behind one sign.
pub fn reference_of(item: Item<'_>) -> &str {
    let first = &item.asks[0];
    let reference = first.reference.of(item.text);
    match first.leg {
        0 => reference,
        leg => &reference[..reference.len() - leg.to_string().len() - 1],
    }
}

/// Why a movement would be rejected, if it would.
pub fn rejection_of(tried: &Tried<'_>, index: usize) -> Option<Rejection> {
    match tried.event.movements[index].outcome {
        Outcome::Rejected(rejection) => Some(rejection),
        Outcome::Applied | Outcome::Held | Outcome::Voided | Outcome::Scheduled => None,
    }
}

/// Whether all balances that were named exist, or will. The first that does not is told.
fn check_found(item: Item<'_>, tried: &Tried<'_>, movements: Range<usize>) -> Result<(), ApiError> {
    for (ask, index) in movements.enumerate() {
        if let Some(rejection @ (Rejection::SourceNotFound | Rejection::DestinationNotFound)) =
            rejection_of(tried, index)
        {
            return Err(error_of(item, ask, rejection));
        }
    }
    Ok(())
}

/// Why one of the asks of an item would be refused, as the error of the real call.
fn error_of(item: Item<'_>, index: usize, rejection: Rejection) -> ApiError {
    // A refusal of a whole batch is told as that of each item.
    let ask = item.asks.get(index).unwrap_or(&item.asks[0]);
    let name = |party| named(party).of(item.text);
    let about = About {
        reference: ask.reference.of(item.text),
        source: name(ask.source),
        destination: name(ask.destination),
        currency: ask.currency.of(item.text),
        id: "",
    };
    let error = failure::refusal(rejection, about);
    if ask.leg == 0 { error } else { split::of_leg(index, error) }
}

const fn named(party: Party) -> Span {
    match party {
        Party::Id(_, span) | Party::Indicator(span) | Party::Unknown(span) => span,
        Party::Handle(_) => Span::EMPTY,
    }
}

fn balances(item: Item<'_>, tried: &Tried<'_>, movements: Range<usize>) -> Vec<BalanceProjection> {
    if item.asks[0].leg == 0 { tried.pair(movements.start) } else { tried.balances(movements.clone(), movements.end) }
}

fn legs(item: Item<'_>) -> Vec<LegProjection> {
    let leg = |ask: &Ask| {
        let (party, role) = if item.of_sources { (ask.source, SOURCE) } else { (ask.destination, DESTINATION) };
        LegProjection::new(named(party).of(item.text).to_owned(), role, ask.amount, ask.precision)
    };
    item.asks.iter().filter(|ask| ask.leg > 0).map(leg).collect()
}

fn note_currencies(view: &mut ProjectionView, currency: &str) {
    for balance in view.balances.iter().flatten().filter(|balance| balance.currency != currency) {
        view.notes.push(format!(
            "currency mismatch: the transaction is in {currency}, the {} balance {} in {}; raw minor units would be posted",
            balance.role, balance.balance_id, balance.currency,
        ));
    }
}
