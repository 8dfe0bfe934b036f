//! A batch that is only tried.
//!
//! Without the queue its items follow each other, so they are tried as one record, and each is told as the items before it
//! leave the balances. Through the queue each is told by itself, as the reference server does.

use super::record::{Item, Verdict, is_used, reference_of, refusal, verdict_of, view};
use super::{Tried, rejection_view};
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
use std::collections::{BTreeMap, HashSet};

/// How a batch was asked for.
#[derive(Clone, Copy)]
pub struct How {
    /// Whether all items are recorded or none.
    pub atomic: bool,
    /// Whether request and outcome are two rows.
    pub queued: bool,
    /// Whether it was to be worked on after the answer.
    pub run_async: bool,
    /// Whether it goes on past an item that is refused.
    pub goes_on: bool,
}

impl How {
    /// The batch, but for its items. One that goes on past refusals is done when one item is.
    fn view(self, items: &Views) -> BatchProjectionView {
        let mut done = items.values().map(|item| item.would_apply);
        let would_apply = if self.goes_on { done.any(|done| done) } else { done.all(|done| done) };
        BatchProjectionView::new(would_apply, !self.queued, self.atomic)
    }
}

/// An item that is wrong by itself, so that there is nothing to be tried.
pub struct Wrong {
    /// Its position.
    pub index: usize,
    /// Its reference.
    pub reference: String,
    /// What is wrong.
    pub error: ApiError,
}

/// Says what would become of a batch. Items that are wrong have no asks.
pub async fn project(state: &AppState, asked: Asks, wrong: Vec<Wrong>, how: How) -> Answer {
    let mut views: Views =
        wrong.into_iter().map(|wrong| (wrong.index, refused(wrong.reference, wrong.error))).collect();
    let mut view = if how.queued {
        each(state, &asked, &mut views, how).await?
    } else {
        all(state, &asked, &mut views, how).await?
    };
    view.results = views.into_values().collect();
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

/// The items by their positions.
type Views = BTreeMap<usize, ProjectionView>;

/// An item. What would be an error of one transaction ends the whole and names the item, unless the batch goes on past it.
fn view_of(item: Item<'_>, verdict: &Verdict<'_>, goes_on: bool) -> Result<ProjectionView, ApiError> {
    match view(item, verdict) {
        Err(error) if goes_on => Ok(refused(reference_of(item).to_owned(), error)),
        Err(error) => Err(error.details(json!({"index": item.asks[0].item}))),
        told => told,
    }
}

/// An item that is refused before anything of it is decided.
fn refused(reference: String, error: ApiError) -> ProjectionView {
    let mut view = ProjectionView::new(0, 0, "");
    view.reference = reference;
    view.refused(rejection_view(None, error))
}

/// Tries all items as one record.
async fn all(state: &AppState, asked: &Asks, views: &mut Views, how: How) -> Result<BatchProjectionView, ApiError> {
    if asked.asks.is_empty() {
        return Ok(how.view(views));
    }
    // As an atomic batch it would only tell that all of it falls.
    let record = record(state, Batch::Independent, false, asked.asks.clone(), asked.text.clone());
    let trial = attempt(state, vec![record]).await?.into_iter().next().ok_or_else(ApiError::internal)?;
    let tried = Tried::of(state.books(), &trial);
    let refused = match &trial.decided {
        Ok(decision) => decision.refused.as_slice(),
        Err(refused) => std::slice::from_ref(refused),
    };
    let mut movements_before = 0;
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
                refusal(refused.get(place).ok_or_else(ApiError::internal)?)
            }
        };
        views.insert(number as usize, view_of(item, &verdict, how.goes_on)?);
    }
    let mut view = how.view(views);
    let first = views.iter().find(|(_, view)| !view.would_apply).map(|(index, _)| *index);
    if let Some(tried) = &tried {
        let movements = &tried.event.movements;
        let end = match first {
            Some(_) if how.atomic => 0,
            Some(index) if !how.goes_on => movements.partition_point(|movement| (movement.item as usize) < index),
            _ => movements.len(),
        };
        view.balances = tried.balances(0..movements.len(), end);
    }
    if let Some(index) = first {
        let fate = if how.atomic {
            "nothing of the batch would be recorded; items behind it are told as if it were left out"
        } else if how.goes_on {
            "the batch would go on past it, as past all that would be"
        } else {
            "the batch would end there, and balances are as the items before it leave them; items behind it are told as if it \
             were left out"
        };
        view.notes.push(format!("transactions[{index}] would be refused: {fate}"));
    }
    Ok(view)
}

/// Tries each item by itself.
async fn each(state: &AppState, asked: &Asks, views: &mut Views, how: How) -> Result<BatchProjectionView, ApiError> {
    let mismatch = state.mismatch();
    let commands = items(asked, mismatch).map(|item| {
        let (asks, text) = alone(item);
        record(state, Batch::Single, true, asks, text)
    });
    let trials = attempt(state, commands.collect()).await?;
    let mut taken: HashSet<Cow<'_, str>> = HashSet::new();
    for (item, trial) in items(asked, mismatch).zip(&trials) {
        let tried = Tried::of(state.books(), trial);
        let mut verdict = verdict_of(trial, tried.as_ref());
        if !is_used(&verdict)
            && let Some(ask) = take_references(&mut taken, item)
        {
            verdict = Verdict::Refused(ask, Rejection::DuplicateReference);
        }
        views.insert(item.asks[0].item as usize, view_of(item, &verdict, how.goes_on)?);
    }
    let mut view = how.view(views);
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

/// Takes the references of an item and of its outcome, unless an item before has one of them: then it takes none, and answers the
/// position of the ask that wants it.
fn take_references<'a>(taken: &mut HashSet<Cow<'a, str>>, item: Item<'a>) -> Option<usize> {
    let references = |ask: &Ask| {
        let reference = ask.reference.of(item.text);
        [Cow::Borrowed(reference), Cow::Owned(format!("{reference}_q"))]
    };
    let is_used = |ask: &Ask| references(ask).iter().any(|reference| taken.contains(reference));
    let used = item.asks.iter().position(is_used);
    if used.is_none() {
        taken.extend(item.asks.iter().flat_map(references));
    }
    used
}
