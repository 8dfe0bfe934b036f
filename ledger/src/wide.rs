//! Sums of amounts of many balances. One balance stays within 128 bits; a million of them may not.

use std::cmp::Ordering;
use std::fmt;

/// A sum of amounts that are not below zero: 192 bits, more than all balances of a server can reach together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Wide {
    high: u64,
    low: u128,
}

impl Wide {
    /// Adds an amount, which is not below zero.
    pub fn add(&mut self, amount: i128) {
        let amount = u128::try_from(amount).expect("credits and debits only grow");
        let (low, carried) = self.low.overflowing_add(amount);
        self.low = low;
        self.high += u64::from(carried);
    }

    /// Adds another sum.
    pub fn add_wide(&mut self, other: Wide) {
        let (low, carried) = self.low.overflowing_add(other.low);
        self.low = low;
        self.high += other.high + u64::from(carried);
    }

    /// Takes away a part of it.
    pub fn take_wide(&mut self, part: Wide) {
        assert!(part.compare(*self) != Ordering::Greater, "a part is not more than the whole");
        let (low, borrowed) = self.low.overflowing_sub(part.low);
        self.low = low;
        self.high -= part.high + u64::from(borrowed);
    }

    /// Its two halves: what is above 128 bits, and these.
    pub const fn parts(self) -> (u64, u128) {
        (self.high, self.low)
    }

    /// The sum of two halves.
    pub const fn of_parts(high: u64, low: u128) -> Wide {
        Wide { high, low }
    }

    /// Whether nothing was added.
    pub const fn is_zero(self) -> bool {
        self.high == 0 && self.low == 0
    }

    /// Which of two is larger.
    pub fn compare(self, other: Wide) -> Ordering {
        (self.high, self.low).cmp(&(other.high, other.low))
    }

    /// This less another, as text.
    pub fn less(self, other: Wide) -> String {
        match self.compare(other) {
            Ordering::Equal => "0".to_owned(),
            Ordering::Greater => {
                let mut rest = self;
                rest.take_wide(other);
                rest.to_string()
            }
            Ordering::Less => {
                let mut rest = other;
                rest.take_wide(self);
                format!("-{rest}")
            }
        }
    }
}

/// Decimal digits.
impl fmt::Display for Wide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const PIECE: u128 = 1_000_000_000;
        let mut limbs = [(self.high >> 32) as u32, self.high as u32, 0, 0, 0, 0];
        for (at, limb) in limbs[2..].iter_mut().enumerate() {
            *limb = (self.low >> (96 - 32 * at)) as u32;
        }
        let mut pieces = Vec::new();
        while limbs.iter().any(|limb| *limb != 0) {
            let mut rest = 0u128;
            for limb in &mut limbs {
                let part = rest << 32 | u128::from(*limb);
                *limb = (part / PIECE) as u32;
                rest = part % PIECE;
            }
            pieces.push(rest);
        }
        write!(f, "{}", pieces.pop().unwrap_or(0))?;
        pieces.iter().rev().try_for_each(|piece| write!(f, "{piece:09}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(amounts: &[i128]) -> Wide {
        let mut sum = Wide::default();
        amounts.iter().for_each(|amount| sum.add(*amount));
        sum
    }

    #[test]
    fn small_sums_are_those_of_integers() {
        let mut seed = 7u64;
        for _ in 0..2_000 {
            let mut amount = || {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                i128::from(seed >> 1) << (seed % 60)
            };
            let (a, b, c, d) = (amount(), amount(), amount(), amount());
            assert_eq!(sum(&[a, b]).to_string(), (a + b).to_string());
            assert_eq!(sum(&[a, b]).less(sum(&[c, d])), (a + b - c - d).to_string());
        }
    }

    #[test]
    fn sums_go_on_beyond_128_bits() {
        let most = i128::MAX;
        let mut five = sum(&[most, most, most, most, most]);
        assert_eq!(five.to_string(), "850705917302346158658436518579420528635");
        five.add_wide(five);
        assert_eq!(five.to_string(), "1701411834604692317316873037158841057270");
        assert_eq!(sum(&[most]).less(five), "-1531270651144223085585185733442956951543");
        five.take_wide(sum(&[most; 9]));
        assert_eq!(five, sum(&[most]));
        assert_eq!((sum(&[]).to_string(), sum(&[]).is_zero(), five.is_zero()), ("0".into(), true, false));
        assert_eq!(sum(&[1_000_000_000, 7]).to_string(), "1000000007");
        assert_eq!(
            Wide { high: u64::MAX, low: u128::MAX }.to_string(),
            "6277101735386680763835789423207666416102355444464034512895"
        );
    }
}
