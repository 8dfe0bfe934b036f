//! Whether what an event says of the lineage of tracked balances may follow a state.

use ledger::event::{Kind, Movement, Outcome, Recorded};
use ledger::lineage::Role;
use ledger::state::State;
use std::collections::BTreeMap;

/// What the lineage movements of an event have done so far.
#[derive(Default)]
pub struct Followed<'a> {
    /// What may be spent of each provider of each tracked balance.
    spendable: BTreeMap<(u32, &'a str), i128>,
    /// What was settled of each lineage hold.
    settled: BTreeMap<u64, i128>,
}

impl<'a> Followed<'a> {
    /// Says what of a lineage movement cannot be.
    pub fn check(&mut self, state: &State, event: &'a Recorded, movement: &Movement) -> Result<(), String> {
        let Some((role, of)) = movement.kind.lineage() else { return Ok(()) };
        let main = &event.movements[of as usize];
        let handle = role.balance_of(main);
        let Some(tracked) = state.tracked(handle) else {
            return Err(format!("follows from balance {handle}, which is not tracked"));
        };
        if main.outcome != movement.outcome {
            return Err("is not what it follows from".to_owned());
        }
        let provider = movement.terms().provider.of(&event.text);
        let fund = tracked.funds.iter().find(|fund| &*fund.provider == provider);
        if let Some(fund) = fund
            && role.sides(fund.shadow, fund.aggregate) != (movement.source, movement.destination)
        {
            return Err(format!("is not between the balances of {provider}"));
        }
        if let Kind::LineageSettlement { hold, .. } = movement.kind {
            let fund = tracked.funds.iter().position(|fund| &*fund.provider == provider);
            let fund = fund.and_then(|fund| u32::try_from(fund).ok());
            return self.check_settlement(state, main, movement, (hold, role, handle, fund));
        }
        if role.is_incoming() {
            if movement.outcome == Outcome::Applied {
                *self.left(state, handle, provider) += movement.amount;
            }
            return Ok(());
        }
        let left = self.left(state, handle, provider);
        *left -= movement.amount;
        if *left < 0 { Err(format!("spends more of {provider} than there is")) } else { Ok(()) }
    }

    fn left(&mut self, state: &State, handle: u32, provider: &'a str) -> &mut i128 {
        self.spendable.entry((handle, provider)).or_insert_with(|| {
            let funds = state.tracked(handle).map_or(&[][..], |tracked| &tracked.funds);
            funds.iter().find(|fund| &*fund.provider == provider).map_or(0, |fund| fund.purse.spendable())
        })
    }

    fn check_settlement(
        &mut self,
        state: &State,
        main: &Movement,
        movement: &Movement,
        (row, role, handle, fund): (u64, Role, u32, Option<u32>),
    ) -> Result<(), String> {
        let (Kind::Settlement { hold, .. } | Kind::Release { hold, .. } | Kind::Change { hold }) = main.kind else {
            return Err(format!("settles lineage hold {row} without its hold"));
        };
        let parts = state.held_parts.get(&hold).map_or(&[][..], Vec::as_slice);
        let Some(part) = parts.iter().find(|part| part.row == row) else {
            return Err(format!("settles lineage hold {row}, which is not a part of hold {hold}"));
        };
        if (part.role, part.balance, Some(part.fund)) != (role, handle, fund) {
            return Err(format!("settles lineage hold {row} as what it is not"));
        }
        let settled = self.settled.entry(row).or_default();
        *settled = settled.saturating_add(movement.amount);
        if *settled > part.remaining {
            Err(format!("settles lineage hold {row} for more than is left"))
        } else {
            Ok(())
        }
    }
}
