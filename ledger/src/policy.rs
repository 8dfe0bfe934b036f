//! What a balance may do beyond what every balance may: its owner's own rules, checked when money is posted or held.
//!
//! Velocity counts within windows of fixed bounds (the hour, the day, the week from Monday, the month, in UTC; or a number of
//! seconds, counted from 1970): what was moved in the window so far is one sum and one number, so a check costs the same
//! whatever happened before. What was held counts when it is held; a hold that is voided later is not counted back.

use crate::limits::{self, SUM_MAX};
use crate::rejection::Rejection;
use std::sync::Arc;

/// The rules of one balance.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    /// How low what may be spent may get.
    pub floor: Option<Floor>,
    /// Whether nothing may be taken from it.
    pub no_debits: bool,
    /// Whether nothing may be given to it.
    pub no_credits: bool,
    /// Handles of those with whom it may deal, in order; `None` for all.
    pub counterparties: Option<Vec<u32>>,
    /// How much, and how often, within windows of time.
    pub velocities: Vec<Velocity>,
}

impl Policy {
    /// Whether it keeps the limits that its bytes have.
    pub fn is_within_limits(&self) -> bool {
        let seconds = 1..=limits::POLICY_WINDOW_SECONDS_MAX;
        let fits = |velocity: &Velocity| !matches!(velocity.window, Window::Seconds(own) if !seconds.contains(&own));
        self.velocities.len() <= limits::POLICY_VELOCITIES_MAX
            && self.velocities.iter().all(fits)
            && self.counterparties.as_ref().is_none_or(|list| list.len() <= limits::POLICY_COUNTERPARTIES_MAX)
    }
}

/// How low what may be spent of a balance may get. It counts for requests that allow an overdraft too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Floor {
    /// This much stays, in minor units.
    Minimum(i128),
    /// It may go this far below zero, in minor units, whether or not a request allows an overdraft.
    Credit(i128),
}

/// How much, and how often, within a window of time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Velocity {
    /// Whether debits are watched; otherwise credits.
    pub debits: bool,
    /// The window.
    pub window: Window,
    /// Most minor units in a window.
    pub sum_max: Option<i128>,
    /// Most transactions in a window.
    pub count_max: Option<u64>,
}

/// A window of time with fixed bounds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Window {
    /// So many seconds, from 1 to [`crate::limits::POLICY_WINDOW_SECONDS_MAX`], counted from 1970. An hour and a day are such.
    Seconds(u32),
    /// From Monday, in UTC.
    Week,
    /// From the first, in UTC.
    Month,
}

const SECOND_MICROS: i64 = 1_000_000;
const DAY_MICROS: i64 = 86_400 * SECOND_MICROS;

impl Window {
    /// When the window of a moment began, both in microseconds since 1970.
    pub fn start_of(self, at: i64) -> i64 {
        match self {
            Window::Seconds(seconds) => {
                let micros = i64::from(seconds.max(1)) * SECOND_MICROS;
                at.div_euclid(micros) * micros
            }
            // The first of January 1970 was a Thursday.
            Window::Week => (at.div_euclid(DAY_MICROS) + 3).div_euclid(7) * 7 * DAY_MICROS - 3 * DAY_MICROS,
            Window::Month => {
                let day = at.div_euclid(DAY_MICROS);
                (day - day_of_month(day) + 1) * DAY_MICROS
            }
        }
    }
}

/// The day of the month, from 1, of a day since 1970. The algorithm is Howard Hinnant's `civil_from_days`: years begin in
/// March, so that the day of the month follows from the day of the year by one division.
const fn day_of_month(day: i64) -> i64 {
    let shifted = day + 719_468;
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    of_year - (153 * month + 2) / 5 + 1
}

/// What was moved within a window so far.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Spent {
    /// When the window began.
    pub since: i64,
    /// Minor units.
    pub sum: i128,
    /// Transactions.
    pub count: u64,
}

impl Spent {
    /// What counts at a moment: nothing, when the window is a later one.
    fn at(self, window: Window, at: i64) -> Spent {
        let since = window.start_of(at);
        if self.since == since { self } else { Spent { since, sum: 0, count: 0 } }
    }
}

/// A balance's policy, and what it has moved within the windows of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policed {
    /// The policy.
    pub policy: Arc<Policy>,
    /// One for each velocity, in order.
    pub spent: Vec<Spent>,
}

impl Policed {
    /// A policy that begins now. Windows that the policy before it had too go on where they were.
    pub fn begin(policy: Policy, before: Option<&Policed>) -> Policed {
        let kept = |velocity: &Velocity| {
            let before = before?;
            let same = |one: &Velocity| (one.debits, one.window) == (velocity.debits, velocity.window);
            before.policy.velocities.iter().position(same).map(|index| before.spent[index])
        };
        let spent = policy.velocities.iter().map(|velocity| kept(velocity).unwrap_or_default()).collect();
        Policed { policy: Arc::new(policy), spent }
    }

    /// Whether it may deal with another balance; `None` is one that is only now being made, which no list names.
    pub fn allows(&self, other: Option<u32>) -> bool {
        let Some(counterparties) = &self.policy.counterparties else { return true };
        other.is_some_and(|handle| counterparties.binary_search(&handle).is_ok())
    }

    /// Whether so much may be moved at a moment, by so many transactions more.
    pub fn check_velocity(&self, debit: bool, amount: i128, transactions: u64, at: i64) -> Result<(), Rejection> {
        for (velocity, spent) in self.policy.velocities.iter().zip(&self.spent) {
            if velocity.debits != debit {
                continue;
            }
            let spent = spent.at(velocity.window, at);
            let sum = spent.sum.saturating_add(amount);
            let count = spent.count + transactions;
            // What adds no transaction is not too many, even when a policy came to allow fewer than there were.
            let too_many = transactions > 0 && velocity.count_max.is_some_and(|max| count > max);
            if too_many || velocity.sum_max.is_some_and(|max| sum > max) {
                return Err(Rejection::VelocityExceeded);
            }
        }
        Ok(())
    }

    /// Counts what was moved at a moment. A raised hold adds to the sum only, as the transaction was counted before.
    pub fn count(&mut self, debit: bool, amount: i128, transactions: u64, at: i64) {
        for (velocity, spent) in self.policy.velocities.iter().zip(&mut self.spent) {
            if velocity.debits == debit {
                let now = spent.at(velocity.window, at);
                *spent = Spent { sum: now.sum.saturating_add(amount), count: now.count + transactions, ..now };
            }
        }
    }
}

/// Whether the source can pay, by what the request allows and by what its policy says.
pub fn check_funds(
    available: i128,
    amount: i128,
    overdraft: crate::command::Overdraft,
    floor: Option<Floor>,
) -> Result<(), Rejection> {
    // Neither the figures nor the amount reach so far that this could overflow; a limit may.
    debug_assert!(available.checked_sub(amount).is_some() && amount <= SUM_MAX);
    let left = available - amount;
    match floor {
        Some(Floor::Credit(limit)) => {
            return if left >= limit.saturating_neg() { Ok(()) } else { Err(Rejection::CreditLimitExceeded) };
        }
        Some(Floor::Minimum(minimum)) if left < minimum => return Err(Rejection::BelowMinimum),
        Some(Floor::Minimum(_)) | None => {}
    }
    // A limit counts without the flag too, as the reference server has it.
    if overdraft.allowed && overdraft.limit == 0 || left >= 0 {
        return Ok(());
    }
    if overdraft.limit <= 0 {
        return Err(Rejection::InsufficientFunds);
    }
    if left >= -overdraft.limit { Ok(()) } else { Err(Rejection::OverdraftExceeded) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Overdraft;

    const HOUR: i64 = 3_600 * SECOND_MICROS;

    #[test]
    fn windows_begin_where_the_calendar_says() {
        // 2024-02-29 was a Thursday; the week began on the 26th.
        let leap_day = 19_782 * DAY_MICROS;
        let at = leap_day + 13 * HOUR + 5;
        assert_eq!(Window::Seconds(86_400).start_of(at), leap_day);
        assert_eq!(Window::Seconds(3_600).start_of(at), leap_day + 13 * HOUR);
        assert_eq!(Window::Week.start_of(at), leap_day - 3 * DAY_MICROS);
        assert_eq!(Window::Month.start_of(at), leap_day - 28 * DAY_MICROS);
        // The next day is the first of March; the microsecond before it is not.
        assert_eq!(Window::Month.start_of(leap_day + DAY_MICROS), leap_day + DAY_MICROS);
        assert_eq!(Window::Month.start_of(leap_day + DAY_MICROS - 1), leap_day - 28 * DAY_MICROS);
        // Before 1970 too: the last of December 1969 was a Wednesday.
        assert_eq!(Window::Month.start_of(-1), -31 * DAY_MICROS);
        assert_eq!(Window::Week.start_of(-1), -3 * DAY_MICROS);
    }

    #[test]
    fn policies_that_could_not_be_read_back_are_told() {
        let velocity = |window| Velocity { debits: true, window, sum_max: None, count_max: None };
        let policy = |velocities, counterparties| Policy {
            floor: None,
            no_debits: false,
            no_credits: false,
            counterparties,
            velocities,
        };
        let longest = Window::Seconds(limits::POLICY_WINDOW_SECONDS_MAX);
        let most = vec![velocity(longest); limits::POLICY_VELOCITIES_MAX];
        assert!(policy(most.clone(), Some(vec![0; limits::POLICY_COUNTERPARTIES_MAX])).is_within_limits());
        assert!(!policy([most, vec![velocity(Window::Week)]].concat(), None).is_within_limits());
        assert!(!policy(vec![], Some(vec![0; limits::POLICY_COUNTERPARTIES_MAX + 1])).is_within_limits());
        for seconds in [0, limits::POLICY_WINDOW_SECONDS_MAX + 1] {
            assert!(!policy(vec![velocity(Window::Seconds(seconds))], None).is_within_limits(), "{seconds}");
        }
    }

    #[test]
    fn a_window_starts_again_and_a_changed_policy_keeps_its_windows() {
        let velocity = Velocity { debits: true, window: Window::Seconds(60), sum_max: Some(100), count_max: Some(3) };
        let policy =
            |velocities| Policy { floor: None, no_debits: false, no_credits: false, counterparties: None, velocities };
        let mut policed = Policed::begin(policy(vec![velocity]), None);
        policed.count(true, 100, 1, 0);
        assert_eq!(policed.check_velocity(true, 1, 1, 59 * SECOND_MICROS), Err(Rejection::VelocityExceeded));
        assert_eq!(policed.check_velocity(false, 1, 1, 0), Ok(()), "credits are not watched");
        assert_eq!(policed.check_velocity(true, 100, 1, 60 * SECOND_MICROS), Ok(()));
        assert_eq!(policed.check_velocity(true, 101, 1, 60 * SECOND_MICROS), Err(Rejection::VelocityExceeded));
        let wider = Velocity { sum_max: Some(150), ..velocity };
        let other = Velocity { window: Window::Month, ..velocity };
        let changed = Policed::begin(policy(vec![other, wider]), Some(&policed));
        assert_eq!(changed.check_velocity(true, 50, 1, 1), Ok(()));
        assert_eq!(changed.check_velocity(true, 51, 1, 1), Err(Rejection::VelocityExceeded));
        policed.count(true, 0, 2, 1);
        assert_eq!(policed.check_velocity(true, 0, 1, 1), Err(Rejection::VelocityExceeded), "three were counted");
        policed.count(true, 0, 1, 1);
        assert_eq!(policed.check_velocity(true, 0, 0, 1), Ok(()), "what adds none is not too many");
    }

    #[test]
    fn funds_are_judged_by_the_floor_first() {
        let free = Overdraft { allowed: true, limit: 0 };
        assert_eq!(check_funds(10, 11, free, None), Ok(()));
        assert_eq!(check_funds(10, 11, Overdraft::NONE, None), Err(Rejection::InsufficientFunds));
        assert_eq!(check_funds(10, 11, free, Some(Floor::Minimum(0))), Err(Rejection::BelowMinimum));
        assert_eq!(check_funds(10, 10, Overdraft::NONE, Some(Floor::Minimum(0))), Ok(()));
        assert_eq!(check_funds(10, 15, Overdraft::NONE, Some(Floor::Credit(5))), Ok(()));
        assert_eq!(check_funds(10, 16, free, Some(Floor::Credit(5))), Err(Rejection::CreditLimitExceeded));
        // A minimum below zero does not lend anything by itself.
        assert_eq!(check_funds(10, 11, Overdraft::NONE, Some(Floor::Minimum(-5))), Err(Rejection::InsufficientFunds));
    }
}
