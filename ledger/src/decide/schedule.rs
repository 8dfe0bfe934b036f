//! What waits for its time: it runs, is called off, or gets another time.

use super::record::{How, decide_ask, reject_all};
use super::{Decision, recorded, refuse};
use crate::command::{Batch, Cancel, Execute, Moment, Party, Reschedule, Run};
use crate::draft::{Draft, Scratch};
use crate::event::{Event, Kind, Movement, NO_BALANCE, Outcome, Rescheduled};
use crate::rejection::{Refused, Rejection};
use crate::state::State;
use crate::text::Span;

/// Run scheduled requests that belong together. There is always an event: when one of them cannot be posted, all are rejected.
pub(super) fn execute(
    state: &State,
    scratch: &mut Scratch,
    command: Execute,
    moment: Moment,
) -> Result<Decision, Refused> {
    let Execute { mut runs, text, mismatch, atomic } = command;
    assert!(state.scheduled.get(&runs[0].request).is_some(), "what is run still waits");
    if let Some(&amount) = state.adjusted.get(&runs[0].request) {
        assert_eq!(runs.len(), 1, "only a request that runs by itself has another amount");
        runs[0].ask.amount = amount;
    }
    let how = How { queued: false, waits: false, mismatch, at: moment.at };
    let mut draft = Draft::new(state, scratch, runs.len());
    draft.begin_item();
    let mut movements = Vec::with_capacity(runs.len());
    for (index, Run { request, ask }) in runs.iter().enumerate() {
        let movement = decide_ask(&mut draft, state, ask, &text, how, index);
        movements.push(Movement { kind: Kind::Execution(*request), ..movement });
    }
    if movements.iter().any(|movement| matches!(movement.outcome, Outcome::Rejected(_))) {
        draft.undo_item();
        reject_all(&mut movements, state.balances.len());
    }
    let batch = if atomic { Batch::Atomic } else { Batch::Single };
    Ok(Decision::of(Event::Recorded(recorded(draft, moment, batch, false, movements, text))))
}

/// Call off what still waits of some groups. Each request gets the outcome that it was voided.
pub(super) fn cancel(
    state: &State,
    scratch: &mut Scratch,
    command: Cancel,
    moment: Moment,
) -> Result<Decision, Refused> {
    let Cancel { groups, runs, text } = command;
    if !groups.iter().any(|group| state.scheduled.get(group).is_some()) {
        return refuse(0, Rejection::AlreadyRun);
    }
    assert!(!runs.is_empty(), "the gatherer names the requests of groups that wait");
    let mut draft = Draft::new(state, scratch, runs.len());
    let mut movements = Vec::with_capacity(runs.len());
    for (index, Run { request, ask }) in runs.iter().enumerate() {
        let side = |party| match party {
            Party::Handle(handle) => (handle, Span::EMPTY),
            Party::Id(_, span) | Party::Indicator(span) | Party::Unknown(span) => (NO_BALANCE, span),
        };
        let ((source, source_text), (destination, destination_text)) = (side(ask.source), side(ask.destination));
        movements.push(Movement {
            kind: Kind::Execution(*request),
            outcome: Outcome::Voided,
            // Groups of several requests may be among them, in any order, while items of an event never go back.
            item: u32::try_from(index).expect("commands have few items"),
            source,
            destination,
            source_text,
            destination_text,
            amount: state.adjusted.get(request).copied().unwrap_or(ask.amount),
            precision: ask.precision,
            currency: draft.currency(ask.currency.of(&text)),
            reference: ask.reference,
            description: ask.description,
            metadata: ask.metadata,
            allow_overdraft: ask.allow_overdraft,
            inflight: ask.inflight,
            atomic: ask.atomic,
            terms: ask.terms.clone(),
            ..Movement::EMPTY
        });
    }
    Ok(Decision::of(Event::Recorded(recorded(draft, moment, Batch::Single, false, movements, text))))
}

/// Give what still waits of some groups another time, or another amount.
pub(super) fn reschedule(state: &State, command: Reschedule, moment: Moment) -> Result<Decision, Refused> {
    let Reschedule { mut groups, due_at, amount } = command;
    assert!(amount.is_none_or(|amount| amount > 0), "the edge refuses amounts that are not above zero");
    assert!(due_at.is_some() || amount.is_some(), "the edge refuses what changes nothing");
    groups.retain(|group| state.scheduled.get(group).is_some());
    if groups.is_empty() {
        return refuse(0, Rejection::AlreadyRun);
    }
    Ok(Decision::of(Event::Rescheduled(Rescheduled { at: moment.at, groups, due_at, amount })))
}
