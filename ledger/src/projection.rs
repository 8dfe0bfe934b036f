//! What an event would do to the figures of balances, without doing it.

use crate::apply::change_of;
use crate::draft::Side;
use crate::event::{Kind, NO_BALANCE, Recorded};
use crate::state::{Figures, State};
use std::collections::BTreeMap;

/// The figures of both sides of a movement, before it and after it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    /// Of the source.
    pub source: Seen,
    /// Of the destination.
    pub destination: Seen,
}

/// The figures of one side of a movement.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Seen {
    /// Before the movement, and after those that come before it in the event.
    pub before: Figures,
    /// After the movement; the same when it was rejected.
    pub after: Figures,
    /// The number of the currency of the balance; of one that is not there yet, that of the movement.
    pub currency: u32,
}

/// The steps of an event that was decided against this state: one for each movement.
pub fn steps(state: &State, event: &Recorded) -> Vec<Step> {
    let mut figures: BTreeMap<u32, Figures> = BTreeMap::new();
    let mut left: BTreeMap<u64, i128> = BTreeMap::new();
    let mut steps = Vec::with_capacity(event.movements.len());
    for movement in &event.movements {
        let hold = match movement.kind {
            Kind::Settlement { hold, .. } | Kind::Release { hold, .. } => Some(hold),
            _ => None,
        };
        let open = hold.map_or(0, |hold| {
            let kept = || state.holds.get(&hold).map_or(0, |hold| hold.remaining);
            left.get(&hold).copied().unwrap_or_else(kept)
        });
        let change = change_of(movement, open);
        if let (Some(hold), Some(change)) = (hold, change) {
            left.insert(hold, open + change.held);
        }
        let mut see = |side, handle: u32| {
            let kept = state.balances.get(handle as usize);
            let figures_kept = || kept.map_or(Figures::default(), |balance| balance.figures);
            let before = figures.get(&handle).copied().unwrap_or_else(figures_kept);
            let mut after = before;
            if let Some(change) = change {
                after.change(side, change);
            }
            if handle != NO_BALANCE {
                figures.insert(handle, after);
            }
            Seen { before, after, currency: kept.map_or(movement.currency, |balance| balance.currency) }
        };
        let source = see(Side::Source, movement.source);
        let destination = see(Side::Destination, movement.destination);
        steps.push(Step { source, destination });
    }
    steps
}
