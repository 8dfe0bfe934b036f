//! Where the money of tracked balances came from: who brought how much of it, and what of that is left.
//!
//! A tracked balance has one [`Fund`] for each provider that brought money. What comes and goes is posted a second time, by
//! movements that follow from the ones that were asked for, in the same event:
//!
//! | Role | When | From | To |
//! |---|---|---|---|
//! | [`Role::Credit`] | tagged money comes in, or what was spent comes back | shadow | aggregate |
//! | [`Role::Release`] | money goes out | aggregate | shadow |
//! | [`Role::Receive`] | what another tracked balance released comes in | shadow | aggregate |
//!
//! Shadow and aggregate are balances of the General Ledger, named after the owner, so several tracked balances of one owner
//! share them. What a balance has is told by its own funds, so that none reports or spends the money of another.

use crate::command::Allocation;
use crate::event::Movement;
use std::sync::Arc;

/// The lineage of a tracked balance.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tracked {
    /// What its balances are named after: the owner, as it was called when the balance was made.
    pub label: Arc<str>,
    /// Its funds, in the order in which their providers came first.
    pub funds: Vec<Fund>,
}

/// The money of one provider in a tracked balance.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fund {
    /// Who brought it.
    pub provider: Arc<str>,
    /// The handle of the shadow balance.
    pub shadow: u32,
    /// The handle of the aggregate balance.
    pub aggregate: u32,
    /// When it came first, microseconds since 1970.
    pub since: i64,
    /// How much there is.
    pub purse: Purse,
}

/// How much of a provider came and went, in minor units.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Purse {
    /// All that came.
    pub received: i128,
    /// All that went.
    pub spent: i128,
    /// What holds bring when they are committed.
    pub held_in: i128,
    /// What holds take when they are committed: between zero and what is available.
    pub held_out: i128,
}

impl Purse {
    /// What is there.
    pub const fn available(&self) -> i128 {
        self.received - self.spent
    }

    /// What may be spent: what is there and not held.
    pub const fn spendable(&self) -> i128 {
        self.available() - self.held_out
    }

    /// Something was posted.
    pub(crate) fn post(&mut self, role: Role, amount: i128) {
        if role.is_incoming() {
            self.received += amount
        } else {
            self.spent += amount
        }
        self.check();
    }

    /// Something is held; below zero when it is no longer held.
    pub(crate) fn hold(&mut self, role: Role, amount: i128) {
        if role.is_incoming() {
            self.held_in += amount
        } else {
            self.held_out += amount
        }
        self.check();
    }

    /// What was held is posted, or given back.
    pub(crate) fn settle(&mut self, role: Role, amount: i128, posted: bool) {
        self.hold(role, -amount);
        self.post(role, if posted { amount } else { 0 });
    }

    fn check(&self) {
        assert!(self.held_in >= 0 && self.held_out >= 0, "a lineage hold never ends for more than is held");
        assert!(self.spendable() >= 0, "no more of a provider is spent than is there and not held");
    }
}

/// What a lineage movement does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Money of a provider came in.
    Credit,
    /// Money of a provider went out, in this order.
    Release(Allocation),
    /// Money of a provider came in from another tracked balance.
    Receive,
}

impl Role {
    /// Whether money comes in.
    pub const fn is_incoming(self) -> bool {
        !matches!(self, Role::Release(_))
    }

    /// The tracked balance, given the movement that this followed from.
    pub const fn balance_of(self, main: &Movement) -> u32 {
        if self.is_incoming() { main.destination } else { main.source }
    }

    /// Source and destination among a shadow and an aggregate balance.
    pub const fn sides(self, shadow: u32, aggregate: u32) -> (u32, u32) {
        if self.is_incoming() { (shadow, aggregate) } else { (aggregate, shadow) }
    }

    /// Shadow and aggregate of a movement.
    pub const fn balances_of(self, movement: &Movement) -> (u32, u32) {
        if self.is_incoming() {
            (movement.source, movement.destination)
        } else {
            (movement.destination, movement.source)
        }
    }

    /// The word of the API.
    pub const fn word(self) -> &'static str {
        match self {
            Role::Credit => "credit",
            Role::Release(_) => "release",
            Role::Receive => "receive",
        }
    }

    /// The reference of what follows from the row of a reference.
    pub fn reference(self, of: &str, provider: &str) -> String {
        let word = if self == Role::Credit { "shadow" } else { self.word() };
        format!("{of}_{word}_{provider}")
    }

    /// What it is, for people.
    pub fn description(self, provider: &str) -> String {
        match self {
            Role::Credit => format!("Shadow credit from {provider}"),
            Role::Release(_) => format!("Release {provider} funds"),
            Role::Receive => format!("Receive {provider} funds"),
        }
    }
}

/// What an open hold holds of one provider.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HeldPart {
    /// The row of the lineage hold.
    pub row: u64,
    /// What it does when it is committed.
    pub role: Role,
    /// The handle of the tracked balance.
    pub balance: u32,
    /// Which of its funds.
    pub fund: u32,
    /// What is left of it, above zero.
    pub remaining: i128,
}

/// What the lineage of a transaction posted of one provider.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// Whose money.
    pub provider: String,
    /// Whether it came into the destination; otherwise it went out of the source.
    pub incoming: bool,
    /// Minor units.
    pub amount: i128,
}

/// The indicator of the balance of a provider.
pub fn shadow_indicator(provider: &str, label: &str) -> String {
    format!("@{provider}_{label}_lineage")
}

/// The indicator of the balance of all providers.
pub fn aggregate_indicator(label: &str) -> String {
    format!("@{label}_lineage")
}

/// The reference, or the first of it with a number behind that is not taken.
pub fn free_reference(reference: String, mut taken: impl FnMut(&str) -> bool) -> String {
    if !taken(&reference) {
        return reference;
    }
    let mut numbered = (2u64..).map(|number| format!("{reference}_{number}"));
    numbered.find(|one| !taken(one)).expect("there are more numbers than references")
}

/// Takes an amount from some funds, of which so much may be spent: which, and how much, in the order of taking. What they
/// do not have is not taken.
///
/// By share, each gets the floor of its share and the last the rest, as far as it has it; what is left over by then is
/// taken from the first ones that have more, so that nothing of a provider is lost to rounding.
pub fn allocate(strategy: Allocation, spendable: &[i128], amount: i128) -> Vec<(usize, i128)> {
    let mut takes = vec![0; spendable.len()];
    let mut left = amount;
    let mut take = |takes: &mut [i128], index: usize, wanted: i128| {
        let more = wanted.min(left).min(spendable[index] - takes[index]);
        takes[index] += more;
        left -= more;
    };
    let forwards = 0..spendable.len();
    match strategy {
        Allocation::Fifo => forwards.clone().for_each(|index| take(&mut takes, index, amount)),
        Allocation::Lifo => forwards.clone().rev().for_each(|index| take(&mut takes, index, amount)),
        Allocation::Proportional => {
            let total: i128 = spendable.iter().sum();
            let wanted = amount.min(total);
            if let Some(last) = spendable.len().checked_sub(1)
                && total > 0
            {
                for (index, mine) in spendable.iter().take(last).enumerate() {
                    take(&mut takes, index, share(wanted, *mine, total));
                }
                for index in [last].into_iter().chain(0..last) {
                    take(&mut takes, index, amount);
                }
            }
        }
    }
    let taken = |index: usize| (takes[index] > 0).then_some((index, takes[index]));
    match strategy {
        Allocation::Lifo => forwards.rev().filter_map(taken).collect(),
        Allocation::Fifo | Allocation::Proportional => forwards.filter_map(taken).collect(),
    }
}

/// What of some parts belongs to an amount of the whole that they are parts of. What the parts leave of the whole counts as
/// one more, the last.
///
/// The rule: running totals of the parts are scaled and cut to whole units; each part gets the difference of two of them.
/// So they sum to the amount (with the last), none gets more than it has, and all of the whole gives all of each.
pub fn pro_rata(parts: &[i128], amount: i128, whole: i128) -> Vec<i128> {
    assert!(0 <= amount && amount <= whole, "an amount of a whole is not above it");
    let (mut total, mut before) = (0, 0);
    let cut = parts.iter().map(|part| {
        total += part;
        assert!(total <= whole, "parts are not above their whole");
        let until = share(amount, total, whole);
        let mine = until - before;
        before = until;
        mine
    });
    cut.collect()
}

/// `amount * part / whole`, cut to whole units. The part is not above the whole, and nothing below zero.
fn share(amount: i128, part: i128, whole: i128) -> i128 {
    if let Some(product) = amount.checked_mul(part) {
        return product / whole;
    }
    // Long multiplication, bit by bit from the highest, divided as it goes: nothing is above three times the whole, which
    // is below 2^126.
    let (part, whole) = (part as u128, whole as u128);
    let (mut quotient, mut rest) = (0i128, 0u128);
    for bit in (0..i128::BITS - 1).rev() {
        quotient <<= 1;
        rest <<= 1;
        if amount >> bit & 1 == 1 {
            rest += part;
        }
        while rest >= whole {
            rest -= whole;
            quotient += 1;
        }
    }
    quotient
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::SUM_MAX;

    #[test]
    fn funds_are_taken_in_the_order_of_the_strategy() {
        let spendable = [10_000, 5_000];
        assert_eq!(allocate(Allocation::Fifo, &spendable, 12_000), [(0, 10_000), (1, 2_000)]);
        assert_eq!(allocate(Allocation::Lifo, &spendable, 12_000), [(1, 5_000), (0, 7_000)]);
        assert_eq!(allocate(Allocation::Proportional, &spendable, 12_000), [(0, 8_000), (1, 4_000)]);
        for strategy in [Allocation::Fifo, Allocation::Lifo, Allocation::Proportional] {
            assert_eq!(allocate(strategy, &[], 5), []);
            assert_eq!(allocate(strategy, &[0, 0], 5), []);
            assert_eq!(allocate(strategy, &[3, 4], 100).iter().map(|(_, amount)| amount).sum::<i128>(), 7);
        }
    }

    #[test]
    fn shares_lose_nothing_to_rounding() {
        // Floors of 2.5 twice; the last has nothing, so the first gives one more.
        assert_eq!(allocate(Allocation::Proportional, &[3, 3, 0], 5), [(0, 3), (1, 2)]);
        let most = SUM_MAX / 3;
        assert_eq!(
            allocate(Allocation::Proportional, &[most, most, most], 2 * most),
            [(0, 2 * most / 3), (1, 2 * most / 3), (2, 2 * most - 2 * (2 * most / 3))]
        );
    }

    #[test]
    fn parts_of_a_whole_are_exact() {
        assert_eq!(pro_rata(&[1, 1, 1], 1, 3), [0, 0, 1]);
        assert_eq!(pro_rata(&[300, 100], 100, 400), [75, 25]);
        assert_eq!(pro_rata(&[100], 1, 400), [0], "what the parts leave of the whole counts");
        assert_eq!(pro_rata(&[7, 0, 5], 12, 12), [7, 0, 5]);
        for amount in 0..=20 {
            let parts = [3, 9, 1, 4];
            let cut = pro_rata(&parts, amount, 20);
            assert!(cut.iter().zip(parts).all(|(mine, part)| (0..=part).contains(mine)), "{cut:?}");
            let sum: i128 = cut.iter().sum();
            assert!(sum <= amount && amount - sum <= 3, "{cut:?} of {amount}");
        }
    }

    #[test]
    fn shares_of_any_size_are_cut() {
        assert_eq!(share(SUM_MAX, SUM_MAX, SUM_MAX), SUM_MAX);
        assert_eq!(share(SUM_MAX, SUM_MAX - 1, SUM_MAX), SUM_MAX - 1);
        assert_eq!(share(SUM_MAX - 1, SUM_MAX / 2, SUM_MAX), SUM_MAX / 2 - 1);
        for (amount, part, whole) in [(7, 2, 3), (1 << 90, 1 << 60, (1 << 80) + 7)] {
            let exact = share(amount, part, whole);
            assert_eq!(share(amount << 30, part, whole) >> 30, exact, "cut once is cut");
        }
    }
}
