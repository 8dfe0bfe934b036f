//! Which transactions are made: pairs of balances and amounts, drawn from a seed.

use super::plan::Plan;

/// Splitmix64: every draw costs a nanosecond, every seed is a good seed.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

/// Scales 32 random bits to `0..bound`.
fn scale(bits: u32, bound: u32) -> u32 {
    ((u64::from(bits) * u64::from(bound)) >> 32) as u32
}

/// Smallest and one past the largest amount, in minor units. All of them are written with the same number of digits.
pub(super) const MINOR_MIN: u32 = 100;
pub(super) const MINOR_END: u32 = 1000;

/// One transaction to ask for. Balances are positions in the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Posting {
    pub source: u32,
    pub destination: u32,
    pub minor: u32,
}

/// An endless supply of transactions.
#[derive(Clone, Debug)]
pub(super) struct Postings {
    random: Random,
    balances: u32,
    /// Out of 2^16.
    hot_threshold: u32,
    /// The hot balance is the first one; with a hot share the others never draw it, so that the share is exact.
    cold_first: u32,
}

impl Postings {
    pub fn new(plan: &Plan) -> Self {
        Self {
            random: Random::new(plan.seed),
            balances: plan.balances as u32,
            hot_threshold: plan.hot_share * 65_536 / 100,
            cold_first: u32::from(plan.hot_share > 0),
        }
    }

    pub fn next(&mut self) -> Posting {
        let pair = self.random.next();
        let rest = self.random.next();
        let (high, low) = ((pair >> 32) as u32, pair as u32);
        let minor = MINOR_MIN + scale(rest as u32, MINOR_END - MINOR_MIN);
        if ((rest >> 48) as u32) < self.hot_threshold {
            let other = 1 + scale(high, self.balances - 1);
            return match low & 1 {
                0 => Posting { source: 0, destination: other, minor },
                _ => Posting { source: other, destination: 0, minor },
            };
        }
        let drawn = self.balances - self.cold_first;
        let source = scale(high, drawn);
        let distance = 1 + scale(low, drawn - 1);
        let destination = if source + distance < drawn { source + distance } else { source + distance - drawn };
        Posting { source: self.cold_first + source, destination: self.cold_first + destination, minor }
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::plan;
    use super::*;

    #[test]
    fn sides_differ_and_are_spread_over_all_balances() {
        let mut postings = Postings::new(&plan("--balances 10"));
        let mut uses = [0u32; 10];
        for _ in 0..10_000 {
            let posting = postings.next();
            assert_ne!(posting.source, posting.destination);
            assert!((MINOR_MIN..MINOR_END).contains(&posting.minor));
            uses[posting.source as usize] += 1;
            uses[posting.destination as usize] += 1;
        }
        assert!(uses.iter().all(|count| (1_800..2_200).contains(count)), "{uses:?}");
    }

    #[test]
    fn hot_share_is_exact_and_hits_both_sides() {
        for (share, low, high) in [(0, 1_900, 2_100), (30, 2_850, 3_150), (100, 10_000, 10_000)] {
            let mut postings = Postings::new(&plan(&format!("--balances 10 --hot-share {share}")));
            let drawn: Vec<Posting> = (0..10_000).map(|_| postings.next()).collect();
            let sources = drawn.iter().filter(|posting| posting.source == 0).count();
            let destinations = drawn.iter().filter(|posting| posting.destination == 0).count();
            assert!((low..=high).contains(&(sources + destinations)), "{share}: {sources} + {destinations}");
            assert!(sources.abs_diff(destinations) < 400);
        }
    }

    #[test]
    fn a_seed_repeats_itself() {
        let draw = |arguments: &str| {
            let mut postings = Postings::new(&plan(arguments));
            [postings.next(), postings.next()]
        };
        assert_eq!(draw("--seed 7"), draw("--seed 7"));
        assert_ne!(draw("--seed 7"), draw("--seed 8"));
    }
}
