//! What follows from a movement in the lineage of tracked balances: in the same event, behind all that was asked for.
//!
//! | The movement | Source tracked | Only the destination tracked |
//! |---|---|---|
//! | is posted or held | its funds are released by its strategy; a tracked destination receives the same | a tag brings the amount |
//! | is a refund | those are released first that the original brought | what the original released comes back |
//! | commits, voids or lowers a hold | what the hold has of each fund, pro rata | the same |
//! | raises a hold, or commits more than it | as if it were posted or held by itself | the same, by the tag of the hold |
//!
//! A tag on a movement out of a tracked balance says nothing new: where its money came from is known.

use crate::command::Allocation;
use crate::draft::Draft;
use crate::event::{Kind, Movement, Recorded};
use crate::limits;
use crate::lineage::{HeldPart, Part, Role, allocate, free_reference, pro_rata};
use crate::rejection::Rejection;
use crate::state::State;
use crate::text;
use std::collections::BTreeSet;

/// What is known of the money of a movement.
#[derive(Clone, Copy)]
pub(super) enum Origin<'a> {
    /// What its caller tagged it with, or empty.
    Tag(&'a str),
    /// It gives back what this posted, or a part of it.
    Returned(&'a [Part]),
}

/// What follows when an amount is newly posted or held. `of` is the index of the movement in the event.
pub(super) fn follow(
    draft: &mut Draft<'_>,
    main: &Movement,
    of: usize,
    amount: i128,
    origin: Origin<'_>,
    at: i64,
) -> Result<(), Rejection> {
    let (source, destination) = (draft.tracked(main.source).is_some(), draft.tracked(main.destination).is_some());
    let of = u32::try_from(of).expect("an event has few movements");
    if source {
        return spend(draft, main, of, amount, origin, destination.then_some(at));
    }
    if !destination {
        return Ok(());
    }
    let mut credit = |provider: &str, amount: i128| {
        let fund = draft.fund(main.destination, provider, at)?;
        draft.follow(main, Kind::Lineage { role: Role::Credit, of }, fund, amount)
    };
    match origin {
        Origin::Tag("") => Ok(()),
        Origin::Tag(provider) => credit(provider, amount),
        Origin::Returned(parts) => parts
            .iter()
            .filter(|part| !part.incoming && part.amount > 0)
            .try_for_each(|part| credit(&part.provider, part.amount)),
    }
}

/// Releases funds of the source; a tracked destination receives them, at this moment.
fn spend(
    draft: &mut Draft<'_>,
    main: &Movement,
    of: u32,
    amount: i128,
    origin: Origin<'_>,
    received_at: Option<i64>,
) -> Result<(), Rejection> {
    let strategy = draft.allocation(main.source);
    let funds = &draft.tracked(main.source).expect("the source is tracked").funds;
    let mut spendable: Vec<i128> = funds.iter().map(|fund| fund.purse.spendable()).collect();
    let mut takes: Vec<(usize, i128)> = Vec::new();
    let mut left = amount;
    let returned = if let Origin::Returned(parts) = origin { parts } else { &[] };
    for part in returned.iter().filter(|part| part.incoming) {
        let Some(fund) = funds.iter().position(|fund| *fund.provider == *part.provider) else { continue };
        let take = part.amount.min(spendable[fund]).min(left);
        spendable[fund] -= take;
        left -= take;
        takes.push((fund, take));
    }
    takes.extend(allocate(strategy, &spendable, left));
    let providers: Vec<_> = funds.iter().map(|fund| fund.provider.clone()).collect();
    let mut named = BTreeSet::new();
    for &(fund, _) in &takes {
        let amount = takes.iter().filter(|take| take.0 == fund).map(|take| take.1).sum();
        if amount == 0 || !named.insert(fund) {
            continue;
        }
        draft.follow(main, Kind::Lineage { role: Role::Release(strategy), of }, fund, amount)?;
        if let Some(at) = received_at {
            let received = draft.fund(main.destination, &providers[fund], at)?;
            draft.follow(main, Kind::Lineage { role: Role::Receive, of }, received, amount)?;
        }
    }
    Ok(())
}

/// What follows when a part of what is open of a hold is committed, voided or no longer held.
pub(super) fn settle(
    draft: &mut Draft<'_>,
    state: &State,
    main: &Movement,
    of: usize,
    hold: u64,
    (amount, open): (i128, i128),
) -> Result<(), Rejection> {
    let Some(parts) = state.held_parts.get(&hold) else { return Ok(()) };
    let of = u32::try_from(of).expect("an event has few movements");
    for incoming in [false, true] {
        let side: Vec<&HeldPart> = parts.iter().filter(|part| part.role.is_incoming() == incoming).collect();
        let remaining: Vec<i128> = side.iter().map(|part| part.remaining).collect();
        for (part, amount) in side.into_iter().zip(pro_rata(&remaining, amount, open)) {
            if amount > 0 {
                let kind = Kind::LineageSettlement { role: part.role, of, hold: part.row };
                draft.follow(main, kind, part.fund as usize, amount)?;
            }
        }
    }
    Ok(())
}

/// Whose money a hold brings that more of is to be held or committed: what it was tagged with.
pub(super) fn tag_of_hold(state: &State, hold: u64) -> &str {
    let credit = state.held_parts.get(&hold).and_then(|parts| parts.iter().find(|part| part.role == Role::Credit));
    credit.map_or("", |part| {
        let tracked = state.tracked(part.balance).expect("parts are those of tracked balances");
        &tracked.funds[part.fund as usize].provider
    })
}

/// Whether a hold may get more parts.
pub(super) fn check_parts(draft: &Draft<'_>, state: &State, hold: u64) -> Result<(), Rejection> {
    let known = state.held_parts.get(&hold).map_or(0, Vec::len);
    let fits = known + draft.lineage.following.len() <= limits::LINEAGE_PARTS_MAX;
    if fits { Ok(()) } else { Err(Rejection::TooMuchLineage) }
}

/// What of the lineage of a transaction belongs to the next amount that is given back of it, when some was before.
pub(super) fn returned(parts: &[Part], whole: i128, before: &[i128], amount: i128) -> Vec<Part> {
    let mut returned = parts.to_vec();
    for incoming in [false, true] {
        let mut side: Vec<&mut Part> = returned.iter_mut().filter(|part| part.incoming == incoming).collect();
        let mut left: Vec<i128> = side.iter().map(|part| part.amount).collect();
        let mut open = whole;
        for &earlier in before {
            let gone = pro_rata(&left, earlier, open);
            left.iter_mut().zip(gone).for_each(|(left, gone)| *left -= gone);
            open -= earlier;
        }
        side.iter_mut().zip(pro_rata(&left, amount, open)).for_each(|(part, mine)| part.amount = mine);
    }
    returned
}

/// Writes down what follows, behind the movements of an event.
pub(super) fn write(draft: Draft<'_>, event: &mut Recorded) {
    let following = draft.into_following();
    if following.is_empty() {
        return;
    }
    let mut named = BTreeSet::new();
    for one in following {
        let (role, of) = one.movement.kind.lineage().expect("only lineage follows");
        let main = &event.movements[of as usize];
        let of = format!("{}{}", main.reference.of(&event.text), main.outcome_suffix());
        let reference = role.reference(&of, &one.provider);
        let reference = free_reference(reference, |reference| named.contains(reference));
        let provider = text::push(&mut event.text, &one.provider);
        let owner = text::push(&mut event.text, one.owner.as_deref().unwrap_or_default());
        let terms = crate::command::Terms { provider, owner, ..crate::command::Terms::NONE };
        event.movements.push(Movement {
            reference: text::push(&mut event.text, &reference),
            description: text::push(&mut event.text, &role.description(&one.provider)),
            terms: terms.boxed(),
            ..one.movement
        });
        named.insert(reference);
    }
}

impl Draft<'_> {
    /// In which order a tracked balance spends its funds.
    fn allocation(&self, handle: u32) -> Allocation {
        self.state().balance(handle).allocation
    }
}
