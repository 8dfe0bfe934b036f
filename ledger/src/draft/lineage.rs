//! What the items of a command have done to the lineage of tracked balances, and what follows from them.

use super::Draft;
use crate::event::{Kind, Movement, Outcome};
use crate::limits;
use crate::lineage::{Fund, Purse, Role, Tracked, aggregate_indicator, shadow_indicator};
use crate::rejection::Rejection;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The part of a draft that is about lineage. Empty for commands that name no tracked balance.
#[derive(Default)]
pub(crate) struct LineageDraft {
    /// Movements that follow, in order.
    pub following: Vec<Following>,
    following_before_item: usize,
    /// Tracked balances whose funds the command has changed.
    tracked: BTreeMap<u32, Tracked>,
    /// What those were before the item, newest last: of which balance which fund; `None` when it was not there.
    undo: Vec<(u32, usize, Option<Purse>)>,
}

/// A movement that follows from another, before its texts are written down.
pub(crate) struct Following {
    /// The movement, without texts.
    pub movement: Movement,
    /// Whose money.
    pub provider: Arc<str>,
    /// The id of the owner of the tracked balance, for a credit.
    pub owner: Option<String>,
}

impl LineageDraft {
    /// Marks the beginning of an item.
    pub fn begin_item(&mut self) {
        self.undo.clear();
        self.following_before_item = self.following.len();
    }

    /// Takes back what was done since the item began.
    pub fn undo_item(&mut self) {
        while let Some((handle, fund, before)) = self.undo.pop() {
            let tracked = self.tracked.get_mut(&handle).expect("what was changed is there");
            match before {
                Some(purse) => tracked.funds[fund].purse = purse,
                None => drop(tracked.funds.pop()),
            }
        }
        self.following.truncate(self.following_before_item);
    }
}

impl Draft<'_> {
    /// The lineage of a balance as the items before left it, if it is tracked.
    pub fn tracked(&self, handle: u32) -> Option<&Tracked> {
        let kept = self.state.tracked(handle)?;
        Some(self.lineage.tracked.get(&handle).unwrap_or(kept))
    }

    /// Which fund of a tracked balance is that of a provider. Of a new one, shadow and aggregate are opened.
    pub fn fund(&mut self, handle: u32, provider: &str, at: i64) -> Result<usize, Rejection> {
        let tracked = self.tracked(handle).expect("funds are those of tracked balances");
        if let Some(fund) = tracked.funds.iter().position(|fund| &*fund.provider == provider) {
            return Ok(fund);
        }
        if tracked.funds.len() >= limits::PROVIDERS_MAX {
            return Err(Rejection::TooManyProviders);
        }
        if self.balances_count() + 2 > limits::BALANCES_MAX {
            return Err(Rejection::TooManyBalances);
        }
        let (shadow, aggregate) = (shadow_indicator(provider, &tracked.label), aggregate_indicator(&tracked.label));
        let currency = self.currency_of(handle);
        let [shadow, aggregate] = [shadow, aggregate]
            .map(|text| self.indicator(&text, currency).unwrap_or_else(|| self.open(&text, currency)));
        let tracked = self.tracked_mut(handle);
        tracked.funds.push(Fund { provider: provider.into(), shadow, aggregate, since: at, purse: Purse::default() });
        let fund = tracked.funds.len() - 1;
        self.lineage.undo.push((handle, fund, None));
        Ok(fund)
    }

    fn tracked_mut(&mut self, handle: u32) -> &mut Tracked {
        let state = self.state;
        let kept = || state.tracked(handle).expect("funds are those of tracked balances").clone();
        self.lineage.tracked.entry(handle).or_insert_with(kept)
    }

    /// Something follows: an amount of a fund is moved as `main` is, or a lineage hold of it is settled. `of` is the index
    /// of `main` in the event.
    pub fn follow(&mut self, main: &Movement, kind: Kind, fund: usize, amount: i128) -> Result<(), Rejection> {
        let (role, _) = kind.lineage().expect("only lineage follows");
        if self.lineage.following.len() >= limits::LINEAGE_MOVEMENTS_MAX {
            return Err(Rejection::TooMuchLineage);
        }
        let handle = role.balance_of(main);
        let Fund { provider, shadow, aggregate, .. } =
            self.tracked(handle).expect("funds are those of tracked balances").funds[fund].clone();
        let (source, destination) = role.sides(shadow, aggregate);
        let held = main.outcome == Outcome::Held;
        let movement = Movement {
            kind,
            outcome: main.outcome,
            item: main.item,
            source,
            destination,
            amount,
            precision: main.precision,
            currency: self.currency_of(handle),
            allow_overdraft: role.is_incoming(),
            inflight: held,
            ..Movement::EMPTY
        };
        let settles = matches!(kind, Kind::LineageSettlement { .. });
        let fits = self.figures(source).can_debit(amount) && self.figures(destination).can_credit(amount);
        if !settles && !fits {
            return Err(Rejection::Overflow);
        }
        // Lineage is not a transaction of its own that a policy could watch, so the time does not matter.
        self.take(&movement, 0, 0);
        let purse = &mut self.tracked_mut(handle).funds[fund].purse;
        let before = *purse;
        match (settles, held) {
            (true, _) => purse.settle(role, amount, main.outcome == Outcome::Applied),
            (false, true) => purse.hold(role, amount),
            (false, false) => purse.post(role, amount),
        }
        self.lineage.undo.push((handle, fund, Some(before)));
        let owner = match role {
            Role::Credit => self.state.balance(handle).identity.map(|identity| self.state.identity_text(identity)),
            Role::Release(_) | Role::Receive => None,
        };
        self.lineage.following.push(Following { movement, provider, owner });
        Ok(())
    }
}
