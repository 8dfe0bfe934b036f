//! Give back what was posted.

use super::lineage::{self, Origin};
use super::record::{Found, check_policies};
use super::{Decision, recorded, refuse};
use crate::command::{Batch, Moment, Overdraft, Refund};
use crate::draft::{Draft, Scratch};
use crate::event::{Event, Kind, Movement, Outcome};
use crate::policy::check_funds;
use crate::rejection::{Refused, Rejection};
use crate::row::{Flags, Parent, Status};
use crate::state::State;
use std::collections::BTreeSet;

/// Give back what was posted; what was voided is held in the other direction. All of it, or nothing. A refund may take its
/// source below zero, but not past its policy.
pub(super) fn refund(
    state: &State,
    scratch: &mut Scratch,
    command: Refund,
    moment: Moment,
) -> Result<Decision, Refused> {
    let Refund { scope: _, originals, queued, text } = command;
    if originals.is_empty() {
        return refuse(0, Rejection::NothingToRefund);
    }
    let mut draft = Draft::new(state, scratch, originals.len());
    let mut movements = Vec::with_capacity(originals.len());
    let mut named = BTreeSet::new();
    for (index, original) in originals.iter().enumerate() {
        let row = match &original.facts {
            Some(row) if matches!(row.status, Status::Applied | Status::Void) => row,
            _ => return refuse(index, Rejection::NothingToRefund),
        };
        // The end of a scheduled request that was called off held nothing.
        if row.status == Status::Void && !row.flags.has(Flags::SETTLEMENT) {
            return refuse(index, Rejection::NothingToRefund);
        }
        if row.flags.has(Flags::LINEAGE) {
            return refuse(index, Rejection::FollowsAnother);
        }
        let left = row.amount - original.refunded.iter().sum::<i128>();
        // What an original before it gives back is not among what was given back before.
        if left <= 0 || originals.len() > 1 && !named.insert(row.number) {
            return refuse(index, Rejection::AlreadyRefunded);
        }
        if let Some(prior) = &original.prior {
            let refunded = prior.flags.has(Flags::REFUND) && prior.parent == Parent::Row(row.number);
            return refuse(index, if refunded { Rejection::AlreadyRefunded } else { Rejection::DuplicateReference });
        }
        let amount = original.amount.unwrap_or(left);
        assert!(amount > 0, "the edge refuses amounts that are not above zero");
        if amount > left {
            return refuse(index, Rejection::ExceedsRefundable);
        }
        let (source, destination) = (row.destination, row.source);
        if !draft.figures(source).can_debit(amount) || !draft.figures(destination).can_credit(amount) {
            return refuse(index, Rejection::Overflow);
        }
        let (paying, receiving) = (Found::Balance(source), Found::Balance(destination));
        let judged = check_policies(&draft, paying, receiving, amount, 1, moment.at).and_then(|floor| {
            check_funds(draft.figures(source).available(), amount, Overdraft { allowed: true, limit: 0 }, floor)
        });
        if let Err(rejection) = judged {
            return refuse(index, rejection);
        }
        let held = row.status == Status::Void;
        let movement = Movement {
            kind: Kind::Refund(row.number),
            outcome: if held { Outcome::Held } else { Outcome::Applied },
            queued,
            item: u32::try_from(index).expect("commands have few items"),
            source,
            destination,
            amount,
            precision: row.precision,
            currency: row.currency,
            reference: original.reference,
            description: original.description,
            metadata: original.metadata,
            allow_overdraft: true,
            inflight: held,
            ..Movement::EMPTY
        };
        draft.take(&movement, 0, moment.at);
        if !state.tracked.is_empty() {
            let returned = lineage::returned(&original.lineage, row.amount, &original.refunded, amount);
            let origin = Origin::Returned(&returned);
            if let Err(rejection) = lineage::follow(&mut draft, &movement, index, amount, origin, moment.at) {
                return refuse(index, rejection);
            }
        }
        movements.push(movement);
    }
    Ok(Decision::of(Event::Recorded(recorded(draft, moment, Batch::Single, queued, movements, text))))
}
