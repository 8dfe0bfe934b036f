//! Holds: commit, void, and change them.

use super::lineage::{self, Origin};
use super::record::{Found, check_policies};
use super::{Decision, recorded, refuse};
use crate::command::{Action, Batch, ChangeHold, Ended, HoldAsk, Moment, Settle, Terms};
use crate::draft::{Draft, Scratch};
use crate::event::{Event, Kind, Movement, Outcome};
use crate::policy::check_funds;
use crate::rejection::{Refused, Rejection};
use crate::state::{Hold, State};

/// Commit or void holds: all that are named, or none; perhaps but for those that ended before. When several cannot be, the one
/// that tells most is told; see [`rank`].
pub(super) fn settle(
    state: &State,
    scratch: &mut Scratch,
    command: Settle,
    moment: Moment,
) -> Result<Decision, Refused> {
    let Settle { scope: _, action, holds, amount, over_capture, passes_ended, queued, text } = command;
    if holds.is_empty() {
        return refuse(0, Rejection::NotInflight);
    }
    assert!(!over_capture || holds.len() == 1, "the edge lets more than is left be committed of one hold only");
    let mut draft = Draft::new(state, scratch, holds.len());
    let mut movements = Vec::with_capacity(holds.len());
    // Why one of them cannot be, and why one cannot be that is passed over.
    let (mut refused, mut passed) = (None, None);
    for (index, ask) in holds.iter().enumerate() {
        let movement = state.holds.get(&ask.row).ok_or_else(|| ended(ask)).and_then(|hold| {
            let (kind, outcome, amount) = match action {
                Action::Void => (Kind::Release { hold: ask.row, queued }, Outcome::Voided, hold.remaining),
                Action::Commit => {
                    let amount = amount.unwrap_or(hold.remaining);
                    check_commit(&draft, ask, hold, amount, over_capture, moment.at)?;
                    (Kind::Settlement { hold: ask.row, queued }, Outcome::Applied, amount)
                }
            };
            let item = u32::try_from(index).expect("commands have few items");
            let movement = Movement { kind, outcome, item, amount, ..of_hold(ask, hold) };
            follow_settlement(&mut draft, state, &movement, movements.len(), hold, ask.row, moment.at)?;
            Ok(movement)
        });
        match movement {
            Ok(movement) => movements.push(movement),
            Err(rejection) => {
                let ended = matches!(rejection, Rejection::AlreadyCommitted | Rejection::AlreadyVoided);
                let told = if passes_ended && ended { &mut passed } else { &mut refused };
                if told.is_none_or(|(_, before)| rank(rejection) < rank(before)) {
                    *told = Some((index, rejection));
                }
            }
        }
    }
    if let Some((index, rejection)) = refused.or(passed.filter(|_| movements.is_empty())) {
        return refuse(index, rejection);
    }
    let twice = |at: usize| holds[..at].iter().any(|before| before.row == holds[at].row);
    assert!(holds.len() > 64 || !(0..holds.len()).any(twice), "the gatherer names each hold once");
    Ok(Decision::of(Event::Recorded(recorded(draft, moment, Batch::Single, false, movements, text))))
}

/// What follows in the lineage when a hold is committed or voided: what it has of each provider, and what goes beyond it as
/// if it were posted by itself.
fn follow_settlement(
    draft: &mut Draft<'_>,
    state: &State,
    main: &Movement,
    index: usize,
    hold: &Hold,
    row: u64,
    at: i64,
) -> Result<(), Rejection> {
    if state.tracked.is_empty() {
        return Ok(());
    }
    let held = main.amount.min(hold.remaining);
    lineage::settle(draft, state, main, index, row, (held, hold.remaining))?;
    if main.amount > held {
        let tag = Origin::Tag(lineage::tag_of_hold(state, row));
        lineage::follow(draft, main, index, main.amount - held, tag, at)?;
    }
    Ok(())
}

/// Which of the refusals of several holds is told: the lowest; of equal ones, that of the hold named first.
const fn rank(rejection: Rejection) -> u8 {
    match rejection {
        Rejection::NotInflight => 0,
        Rejection::AlreadyCommitted => 1,
        Rejection::AlreadyVoided => 2,
        Rejection::ExceedsOriginal | Rejection::ExceedsRemaining => 3,
        _ => 4,
    }
}

/// Why nothing can be done with a hold that is not open.
fn ended(ask: &HoldAsk) -> Rejection {
    match ask.ended {
        Some(Ended::Committed) => Rejection::AlreadyCommitted,
        Some(Ended::Voided) => Rejection::AlreadyVoided,
        Some(Ended::Follows) => Rejection::FollowsAnother,
        Some(Ended::NoHold) | None => Rejection::NotInflight,
    }
}

/// The movement of a hold, but for what is done.
fn of_hold(ask: &HoldAsk, hold: &Hold) -> Movement {
    Movement {
        source: hold.source,
        destination: hold.destination,
        precision: ask.precision,
        currency: hold.currency,
        reference: ask.reference,
        description: ask.description,
        metadata: ask.metadata,
        ..Movement::EMPTY
    }
}

/// Whether so much of a hold may be committed.
fn check_commit(
    draft: &Draft<'_>,
    ask: &HoldAsk,
    hold: &Hold,
    amount: i128,
    over_capture: bool,
    at: i64,
) -> Result<(), Rejection> {
    if amount < 0 {
        return Err(Rejection::AmountNegative);
    }
    if amount == 0 {
        return Err(Rejection::AmountZero);
    }
    if amount <= hold.remaining {
        return Ok(());
    }
    if over_capture {
        return check_more(draft, ask, hold, amount - hold.remaining, at);
    }
    Err(if amount > hold.amount { Rejection::ExceedsOriginal } else { Rejection::ExceedsRemaining })
}

/// Whether the sides of a hold may move, or hold, so much more than is open: as a new hold would be judged.
fn check_more(draft: &Draft<'_>, ask: &HoldAsk, hold: &Hold, more: i128, at: i64) -> Result<(), Rejection> {
    if !draft.figures(hold.source).can_debit(more) || !draft.figures(hold.destination).can_credit(more) {
        return Err(Rejection::Overflow);
    }
    let (source, destination) = (Found::Balance(hold.source), Found::Balance(hold.destination));
    let floor = check_policies(draft, source, destination, more, 0, at)?;
    check_funds(draft.figures(hold.source).available(), more, ask.overdraft, floor)
}

/// Raise or lower what is open of a hold, or give it other dates.
pub(super) fn change_hold(
    state: &State,
    scratch: &mut Scratch,
    command: ChangeHold,
    moment: Moment,
) -> Result<Decision, Refused> {
    let ChangeHold { scope: _, hold: ask, held, expires_at, commits_at, text } = command;
    let Some(hold) = state.holds.get(&ask.row) else { return refuse(0, ended(&ask)) };
    let mut draft = Draft::new(state, scratch, 1);
    let held = held.unwrap_or(hold.remaining);
    if held < 0 {
        return refuse(0, Rejection::AmountNegative);
    }
    if held == 0 {
        return refuse(0, Rejection::AmountZero);
    }
    let (outcome, amount) = if held >= hold.remaining {
        (Outcome::Held, held - hold.remaining)
    } else {
        (Outcome::Voided, hold.remaining - held)
    };
    if outcome == Outcome::Held
        && amount > 0
        && let Err(rejection) = check_more(&draft, &ask, hold, amount, moment.at)
    {
        return refuse(0, rejection);
    }
    let terms =
        Terms { expires_at: expires_at.or(hold.expires_at), commits_at: commits_at.or(hold.commits_at), ..Terms::NONE };
    let kind = Kind::Change { hold: ask.row };
    let movement = Movement { kind, outcome, amount, inflight: true, terms: terms.boxed(), ..of_hold(&ask, hold) };
    if amount > 0
        && !state.tracked.is_empty()
        && let Err(rejection) = follow_change(&mut draft, state, &movement, hold, ask.row, moment.at)
    {
        return refuse(0, rejection);
    }
    Ok(Decision::of(Event::Recorded(recorded(draft, moment, Batch::Single, false, vec![movement], text))))
}

/// What follows in the lineage when a hold is raised or lowered.
fn follow_change(
    draft: &mut Draft<'_>,
    state: &State,
    main: &Movement,
    hold: &Hold,
    row: u64,
    at: i64,
) -> Result<(), Rejection> {
    if main.outcome == Outcome::Voided {
        return lineage::settle(draft, state, main, 0, row, (main.amount, hold.remaining));
    }
    let tag = Origin::Tag(lineage::tag_of_hold(state, row));
    lineage::follow(draft, main, 0, main.amount, tag, at)?;
    lineage::check_parts(draft, state, row)
}
