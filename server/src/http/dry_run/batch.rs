//! A batch that is only tried.
//!
//! Without the queue its items follow each other, so they are tried as one record, and each is told as the items before it
//! leave the balances. Through the queue each is told by itself, as the reference server does.

use super::Tried;
use super::record::{Item, Verdict, is_used, verdict_of, view};
use crate::api::bulk::Asks;
use crate::api::projection::{BatchProjectionView, ProjectionView};
use crate::http::answer;
use crate::http::ask;
use crate::http::error::ApiError;
use crate::http::state::{Answer, AppState};
use axum::http::StatusCode;
use engine::answer::Trial;
use ledger::command::{Ask, Batch, Command, Mismatch, Party, Record, Terms};
use ledger::rejection::Rejection;
use ledger::text::{self, Span};
use serde_json::json;
use std::borrow::Cow;
use std::collections::HashSet;

/// How a batch was asked for.
#[derive(Clone, Copy)]
pub struct How {
    /// Whether all items are recorded or none.
    pub atomic: bool,
    /// Whether request and outcome are two rows.
    pub queued: bool,
    /// Whether it was to be worked on after the answer.
    pub run_async: bool,
}

/// Says what would become of a batch.
pub async fn project(state: &AppState, asked: Asks, how: How) -> Answer {
    let mut view =
        if how.queued { each(state, &asked, how.atomic).await? } else { all(state, &asked, how.atomic).await? };
    if how.run_async {
        view.notes.push("run_async is not looked at: a dry run is answered at once".to_owned());
    }
    Ok(answer::json(StatusCode::OK, &view))
}

fn items<'a>(asked: &'a Asks, mismatch: Mismatch) -> impl Iterator<Item = Item<'a>> {
    asked.asks.chunk_by(|one, next| one.item == next.item).map(move |asks| {
        let of_sources = asked.of_sources.binary_search(&asks[0].item).is_ok();
        Item { asks, text: &asked.text, of_sources, mismatch }
    })
}

/// An item; an error names it.
fn view_of(item: Item<'_>, verdict: &Verdict<'_>) -> Result<ProjectionView, ApiError> {
    view(item, verdict).map_err(|error| error.details(json!({"index": item.asks[0].item})))
}

/// Tries all items as one record.
async fn all(state: &AppState, asked: &Asks, atomic: bool) -> Result<BatchProjectionView, ApiError> {
    // As an atomic batch it would only tell that all of it falls.
    let record = record(state, Batch::Independent, false, asked.asks.clone(), asked.text.clone());
    let trial = attempt(state, vec![record]).await?.into_iter().next().ok_or_else(ApiError::internal)?;
    let tried = Tried::of(state.books(), &trial);
    let refused = match &trial.decided {
        Ok(decision) => decision.refused.as_slice(),
        Err(refused) => std::slice::from_ref(refused),
    };
    let mut results = Vec::new();
    let mut movements_before = 0;
    // The first item that is refused, and how many movements stand before it.
    let mut first = None;
    for item in items(asked, state.mismatch()) {
        let number = item.asks[0].item;
        let movements = movements_before..movements_before + item.asks.len();
        let verdict = match &tried {
            Some(tried) if tried.event.movements.get(movements.start).is_some_and(|found| found.item == number) => {
                movements_before = movements.end;
                Verdict::Decided(tried, movements.clone())
            }
            _ => {
                // Refused items are told in order; a refusal of all of them is told as that of one.
                let place = refused.binary_search_by_key(&number, |refused| refused.item).unwrap_or_default();
                Verdict::Refused(refused.get(place).ok_or_else(ApiError::internal)?.rejection)
            }
        };
        let view = view_of(item, &verdict)?;
        if !view.would_apply && first.is_none() {
            first = Some((number, movements.start));
        }
        results.push(view);
    }
    let mut view = BatchProjectionView::new(results, true, atomic);
    if let Some(tried) = &tried {
        let count = tried.event.movements.len();
        let end = match first {
            Some(_) if atomic => 0,
            Some((_, end)) => end,
            None => count,
        };
        view.balances = tried.balances(0..count, end);
    }
    if let Some((number, _)) = first {
        let fate = if atomic {
            "nothing of the batch would be recorded"
        } else {
            "the batch would end there, and balances are as the items before it leave them"
        };
        view.notes.push(format!(
            "transactions[{number}] would be refused: {fate}; items behind it are told as if it were left out"
        ));
    }
    Ok(view)
}

/// Tries each item by itself.
async fn each(state: &AppState, asked: &Asks, atomic: bool) -> Result<BatchProjectionView, ApiError> {
    let mismatch = state.mismatch();
    let commands = items(asked, mismatch).map(|item| {
        let (asks, text) = alone(item);
        record(state, Batch::Single, true, asks, text)
    });
    let trials = attempt(state, commands.collect()).await?;
    let mut taken: HashSet<Cow<'_, str>> = HashSet::new();
    let mut results = Vec::with_capacity(trials.len());
    for (item, trial) in items(asked, mismatch).zip(&trials) {
        let tried = Tried::of(state.books(), trial);
        let mut verdict = verdict_of(trial, tried.as_ref());
        if !is_used(&verdict) && !take_references(&mut taken, item) {
            verdict = Verdict::Refused(Rejection::DuplicateReference);
        }
        results.push(view_of(item, &verdict)?);
    }
    let mut view = BatchProjectionView::new(results, false, atomic);
    view.notes.push("without skip_queue each item is told by itself, against the balances as they are now".to_owned());
    Ok(view)
}

async fn attempt(state: &AppState, records: Vec<Record>) -> Result<Vec<Trial>, ApiError> {
    ask::attempt(state, records.into_iter().map(Command::Record).collect()).await
}

fn record(state: &AppState, batch: Batch, queued: bool, asks: Vec<Ask>, text: String) -> Record {
    let mismatch = state.mismatch();
    Record { batch, goes_on: false, announced: false, trial: true, queued, asks, text, priors: Vec::new(), mismatch }
}

/// The asks of an item with an arena of their own, which has only what a decision looks at.
fn alone(item: Item<'_>) -> (Vec<Ask>, String) {
    let mut arena = String::new();
    let mut copy = |span: Span| text::push(&mut arena, span.of(item.text));
    let mut asks = Vec::with_capacity(item.asks.len());
    for ask in item.asks {
        let mut party = |party| match party {
            Party::Id(id, span) => Party::Id(id, copy(span)),
            Party::Indicator(span) => Party::Indicator(copy(span)),
            Party::Unknown(span) => Party::Unknown(copy(span)),
            Party::Handle(handle) => Party::Handle(handle),
        };
        let (source, destination) = (party(ask.source), party(ask.destination));
        let (currency, reference) = (copy(ask.currency), copy(ask.reference));
        let (description, metadata) = (Span::EMPTY, Span::EMPTY);
        let terms = Terms { provider: copy(ask.terms().provider), ..*ask.terms() }.boxed();
        asks.push(Ask { source, destination, currency, reference, description, metadata, terms, ..ask.clone() });
    }
    (asks, arena)
}

/// Takes the references of an item and of its outcome, unless an item before has one of them: then it takes none.
fn take_references<'a>(taken: &mut HashSet<Cow<'a, str>>, item: Item<'a>) -> bool {
    let references = || {
        item.asks.iter().flat_map(|ask| {
            let reference = ask.reference.of(item.text);
            [Cow::Borrowed(reference), Cow::Owned(format!("{reference}_q"))]
        })
    };
    let free = references().all(|reference| !taken.contains(&reference));
    if free {
        taken.extend(references());
    }
    free
}
