//! An independent judgement of policies: it keeps every single amount that was moved under a policy, and adds them up anew
//! each time. Its calendar counts days one by one.

use ledger::policy::{Floor, Policy, Window};
use ledger::rejection::Rejection;
use ledger::state::State;
use std::collections::BTreeMap;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// Policies in force, and what was moved under them.
#[derive(Clone, Default)]
pub struct Police {
    pub policies: BTreeMap<u32, Policy>,
    /// What was moved since a window of a side is watched.
    moved: BTreeMap<Watched, Vec<Moved>>,
}

/// A balance, whether its debits are watched, and the window.
type Watched = (u32, bool, String);
/// When, how much, how many transactions.
type Moved = (i64, i128, u64);

/// Something that is newly posted or held.
#[derive(Clone, Copy, Debug)]
pub struct Spending {
    pub source: u32,
    pub destination: u32,
    pub amount: i128,
    /// One, or none when it adds to one that was counted before.
    pub transactions: u64,
    pub at: i64,
    /// What the source could spend before.
    pub available: i128,
}

impl Police {
    /// Windows that are watched on go on; others are forgotten.
    pub fn set(&mut self, handle: u32, policy: Option<Policy>) {
        let watched = |debits: bool, window: &str| {
            let of = |one: &ledger::policy::Velocity| one.debits == debits && format!("{:?}", one.window) == window;
            policy.as_ref().is_some_and(|policy| policy.velocities.iter().any(of))
        };
        self.moved.retain(|(of, debits, window), _| *of != handle || watched(*debits, window));
        match policy {
            Some(policy) => drop(self.policies.insert(handle, policy)),
            None => drop(self.policies.remove(&handle)),
        }
    }

    /// Whether the source may go below zero by its policy, whatever the request says.
    pub fn lends(&self, source: u32) -> bool {
        matches!(self.policies.get(&source), Some(Policy { floor: Some(Floor::Credit(_)), .. }))
    }

    /// Why the policies of both sides refuse something, but for what the request itself allows.
    pub fn refusal(&self, spending: &Spending) -> Option<Rejection> {
        let (paying, receiving) = (self.policies.get(&spending.source), self.policies.get(&spending.destination));
        let deals = |policy: Option<&Policy>, other: u32| {
            let list = policy.and_then(|policy| policy.counterparties.as_ref());
            list.is_none_or(|list| list.contains(&other))
        };
        if paying.is_some_and(|policy| policy.no_debits) {
            return Some(Rejection::DebitsFrozen);
        }
        if receiving.is_some_and(|policy| policy.no_credits) {
            return Some(Rejection::CreditsFrozen);
        }
        if !deals(paying, spending.destination) || !deals(receiving, spending.source) {
            return Some(Rejection::CounterpartyNotAllowed);
        }
        if self.too_fast(spending.source, true, spending) || self.too_fast(spending.destination, false, spending) {
            return Some(Rejection::VelocityExceeded);
        }
        let left = spending.available - spending.amount;
        match paying.and_then(|policy| policy.floor) {
            Some(Floor::Minimum(minimum)) if left < minimum => Some(Rejection::BelowMinimum),
            Some(Floor::Credit(limit)) if left < -limit => Some(Rejection::CreditLimitExceeded),
            _ => None,
        }
    }

    fn too_fast(&self, handle: u32, debits: bool, spending: &Spending) -> bool {
        let velocities = self.policies.get(&handle).map_or(&[][..], |policy| &policy.velocities);
        velocities.iter().filter(|velocity| velocity.debits == debits).any(|velocity| {
            let (sum, count) = self.within(handle, debits, velocity.window, spending.at);
            let sum_passed = velocity.sum_max.is_some_and(|max| sum + spending.amount > max);
            let counted = spending.transactions > 0;
            sum_passed || counted && velocity.count_max.is_some_and(|max| count + spending.transactions > max)
        })
    }

    /// What was moved in the window of a moment.
    fn within(&self, handle: u32, debits: bool, window: Window, at: i64) -> (i128, u64) {
        let moved = self.moved.get(&(handle, debits, format!("{window:?}"))).map_or(&[][..], Vec::as_slice);
        let now = moved.iter().filter(|one| begin_of(window, one.0) == begin_of(window, at));
        now.fold((0, 0), |(sum, count), one| (sum + one.1, count + one.2))
    }

    /// Adds what was moved to every window that watches it.
    pub fn count(&mut self, spending: &Spending) {
        for (handle, debits) in [(spending.source, true), (spending.destination, false)] {
            let velocities = self.policies.get(&handle).map_or(&[][..], |policy| &policy.velocities);
            let mut windows: Vec<String> = velocities
                .iter()
                .filter(|velocity| velocity.debits == debits)
                .map(|velocity| format!("{:?}", velocity.window))
                .collect();
            windows.sort();
            windows.dedup();
            for window in windows {
                let moved = self.moved.entry((handle, debits, window)).or_default();
                moved.push((spending.at, spending.amount, spending.transactions));
            }
        }
    }

    /// The state has the same policies, and the same sums of what was moved in the last window of each.
    pub fn compare(&self, state: &State) {
        assert_eq!(state.policies.len(), self.policies.len(), "policies are those that were set");
        for (handle, policy) in &self.policies {
            let policed = state.policies.get(handle).expect("a policy that was set is there");
            assert!(state.balance(*handle).policed && *policed.policy == *policy, "a policy is as it was set");
            assert_eq!(policed.spent.len(), policy.velocities.len());
            for (velocity, spent) in policy.velocities.iter().zip(&policed.spent) {
                let key = (*handle, velocity.debits, format!("{:?}", velocity.window));
                let last = self.moved.get(&key).and_then(|moved| moved.last());
                let Some(&(at, _, _)) = last else {
                    assert_eq!((spent.sum, spent.count), (0, 0), "nothing was moved");
                    continue;
                };
                let sums = self.within(*handle, velocity.debits, velocity.window, at);
                assert_eq!((spent.sum, spent.count), sums, "a window counts what was moved in it");
                assert_eq!(spent.since, begin_of(velocity.window, at), "a window begins where the calendar says");
            }
        }
        let policed = state.balances.iter().filter(|balance| balance.policed).count();
        assert_eq!(policed, self.policies.len(), "a balance knows whether it has a policy");
    }
}

/// When the window of a moment began.
fn begin_of(window: Window, at: i64) -> i64 {
    match window {
        Window::Seconds(seconds) => at - at.rem_euclid(i64::from(seconds) * SECOND),
        // The fifth of January 1970 was the first Monday.
        Window::Week => 4 * DAY + (at - 4 * DAY).div_euclid(7 * DAY) * 7 * DAY,
        Window::Month => {
            let (mut begin, mut year, mut month) = (0, 1970, 0);
            loop {
                let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
                let february = if leap { 29 } else { 28 };
                let days = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month];
                if at < begin + days * DAY {
                    return begin;
                }
                begin += days * DAY;
                (year, month) = if month == 11 { (year + 1, 0) } else { (year, month + 1) };
            }
        }
    }
}
