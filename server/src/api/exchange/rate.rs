//! Rates of exchange, and what an amount is worth at one. The product is exact, in 256 bits; it is rounded once.

use ledger::decimal::{Decimal, DecimalFault};
use ledger::limits::PRECISION_MAX;
use std::fmt;

/// Most significant digits of a rate.
pub const RATE_DIGITS_MAX: usize = 18;
/// Most digits of a rate behind its point.
pub const RATE_DECIMALS_MAX: u32 = 30;
/// The largest exponent of ten that can be written out at all; past it a rate is out of range anyway.
const EXPONENT_MAX: i64 = 1000;

/// Major units of the destination for one major unit of the source: `coefficient × 10^-scale`, more than zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    coefficient: u64,
    scale: u32,
}

/// Why a text is no rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateFault {
    /// The text is not a number.
    Syntax,
    /// The number is zero or less.
    NotPositive,
    /// More than [`RATE_DIGITS_MAX`] digits, or more than [`RATE_DECIMALS_MAX`] behind the point.
    Digits,
}

/// What an amount is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Worth {
    /// Whole minor units.
    pub floor: i128,
    /// Whether there is a part of a minor unit beyond them.
    pub rest: bool,
    /// Minor units, rounded half away from zero.
    pub rounded: i128,
}

impl Worth {
    /// Whether an amount is at most one minor unit away.
    pub fn is_near(self, minor: i128) -> bool {
        let above = minor - self.floor;
        if self.rest { above == 0 || above == 1 } else { (-1..=1).contains(&above) }
    }
}

impl Rate {
    /// Reads a rate: a decimal number, as JSON writes numbers.
    pub fn parse(text: &str) -> Result<Rate, RateFault> {
        match Decimal::parse(text) {
            Ok(decimal) if decimal.is_negative() || decimal.is_zero() => return Err(RateFault::NotPositive),
            Ok(_) => {}
            Err(DecimalFault::Syntax) => return Err(RateFault::Syntax),
            Err(_) if text.starts_with('-') => return Err(RateFault::NotPositive),
            Err(DecimalFault::TooLarge | DecimalFault::TooManyDigits) => return Err(RateFault::Digits),
        }
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let mantissa = mantissa.strip_prefix('+').unwrap_or(mantissa);
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let exponent: i64 = exponent.parse().map_err(|_| RateFault::Digits)?;
        let mut digits = [whole, fraction].concat();
        let mut scale = i64::try_from(fraction.len()).map_err(|_| RateFault::Digits)? - exponent;
        while scale > 0 && digits.ends_with('0') {
            digits.pop();
            scale -= 1;
        }
        if !(-EXPONENT_MAX..=i64::from(RATE_DECIMALS_MAX)).contains(&scale) {
            return Err(RateFault::Digits);
        }
        while scale < 0 {
            digits.push('0');
            scale += 1;
        }
        let digits = digits.trim_start_matches('0');
        if digits.len() > RATE_DIGITS_MAX {
            return Err(RateFault::Digits);
        }
        let coefficient = digits.parse().expect("so few digits fit");
        Ok(Rate { coefficient, scale: u32::try_from(scale).expect("checked just now") })
    }

    /// What an amount is worth in minor units of the destination: `amount × rate × to / from`, where `from` and `to` are the
    /// precisions of both sides. `None` when that is beyond 128 bits.
    pub fn worth(self, amount: i128, from: u64, to: u64) -> Option<Worth> {
        assert!(amount >= 0 && from > 0 && from <= PRECISION_MAX && to <= PRECISION_MAX, "the edge checks amounts");
        let dividend = Wide::of(amount.unsigned_abs()).times(self.coefficient).times(to);
        let half = self.scale / 2;
        let divisor = Wide::of(from.into()).times(10u64.pow(half)).times(10u64.pow(self.scale - half));
        let (floor, rest) = dividend.divided(divisor);
        let floor = i128::try_from(floor.small()?).ok()?;
        let up = rest.doubled() >= divisor;
        Some(Worth { floor, rest: rest != Wide::ZERO, rounded: floor.checked_add(up.into())? })
    }
}

impl fmt::Display for Rate {
    /// The rate without an exponent and without zeros at its ends.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = self.scale as usize;
        let digits = format!("{:0>width$}", self.coefficient, width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        if fraction.is_empty() { formatter.write_str(whole) } else { write!(formatter, "{whole}.{fraction}") }
    }
}

/// A whole number of 256 bits, the highest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Wide([u64; 4]);

impl Wide {
    const ZERO: Wide = Wide([0; 4]);

    const fn of(number: u128) -> Wide {
        Wide([0, 0, (number >> 64) as u64, number as u64])
    }

    /// The number, if it is small.
    fn small(self) -> Option<u128> {
        let [0, 0, high, low] = self.0 else { return None };
        Some(u128::from(high) << 64 | u128::from(low))
    }

    fn times(self, factor: u64) -> Wide {
        let mut product = Wide::ZERO;
        let mut carry = 0;
        for (limb, of) in product.0.iter_mut().zip(self.0).rev() {
            let sum = u128::from(of) * u128::from(factor) + carry;
            *limb = sum as u64;
            carry = sum >> 64;
        }
        assert_eq!(carry, 0, "the limits keep products within 256 bits");
        product
    }

    fn doubled(self) -> Wide {
        self.times(2)
    }

    fn less(self, other: Wide) -> Wide {
        let mut difference = Wide::ZERO;
        let mut borrowed = false;
        for (limb, (one, other)) in difference.0.iter_mut().zip(self.0.into_iter().zip(other.0)).rev() {
            let (once, first) = one.overflowing_sub(other);
            let (twice, second) = once.overflowing_sub(borrowed.into());
            (*limb, borrowed) = (twice, first || second);
        }
        assert!(!borrowed, "nothing is taken from less");
        difference
    }

    /// Quotient and rest, bit by bit.
    fn divided(self, divisor: Wide) -> (Wide, Wide) {
        let (mut quotient, mut rest) = (Wide::ZERO, Wide::ZERO);
        for bit in 0..256 {
            let (limb, shift) = (bit / 64, 63 - bit % 64);
            rest = rest.doubled();
            rest.0[3] |= self.0[limb] >> shift & 1;
            if rest >= divisor {
                rest = rest.less(divisor);
                quotient.0[limb] |= 1 << shift;
            }
        }
        (quotient, rest)
    }
}

const fn bits(most: u128) -> u32 {
    u128::BITS - most.leading_zeros()
}

const _: () = assert!(
    bits(i128::MAX as u128) + bits(10u128.pow(RATE_DIGITS_MAX as u32)) + bits(PRECISION_MAX as u128) <= 256,
    "an amount, the digits of a rate and a precision have a product"
);
const _: () = assert!(
    bits(10u128.pow(RATE_DECIMALS_MAX)) + bits(PRECISION_MAX as u128) < 256,
    "a divisor, and what is left by it, can be doubled"
);
const _: () = assert!(10u64.checked_pow(RATE_DECIMALS_MAX.div_ceil(2)).is_some(), "half the scale is one factor");

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(text: &str) -> Rate {
        Rate::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault:?}"))
    }

    #[test]
    fn rates_are_shown_as_a_person_would() {
        let smallest = "0.000000000000000000000000000001";
        for (text, shown) in [
            ("1.0825", "1.0825"),
            ("1.50", "1.5"),
            ("+1.5", "1.5"),
            ("0150.0", "150"),
            ("1e3", "1000"),
            ("1E-7", "0.0000001"),
            ("1.25e1", "12.5"),
            ("12.5e+1", "125"),
            (".5", "0.5"),
            ("5.", "5"),
            ("100", "100"),
            ("999999999999999999", "999999999999999999"),
            ("1e17", "100000000000000000"),
            ("0.123456789012345678", "0.123456789012345678"),
            ("1.000000000000000000000000", "1"),
            ("1e-30", smallest),
            (smallest, smallest),
        ] {
            assert_eq!(rate(text).to_string(), shown, "{text}");
        }
    }

    #[test]
    fn digits_and_decimals_have_limits() {
        for (text, fits) in [
            ("1".repeat(RATE_DIGITS_MAX), true),
            ("1".repeat(RATE_DIGITS_MAX + 1), false),
            (format!("1e-{RATE_DECIMALS_MAX}"), true),
            (format!("1e-{}", RATE_DECIMALS_MAX + 1), false),
        ] {
            assert_eq!(Rate::parse(&text).is_ok(), fits, "{text}");
        }
    }

    #[test]
    fn texts_that_are_no_rates() {
        for (text, fault) in [
            ("", RateFault::Syntax),
            ("one", RateFault::Syntax),
            ("1,5", RateFault::Syntax),
            ("1/3", RateFault::Syntax),
            ("NaN", RateFault::Syntax),
            ("0", RateFault::NotPositive),
            ("0.000", RateFault::NotPositive),
            ("-1", RateFault::NotPositive),
            ("-1e400", RateFault::NotPositive),
            ("1e400", RateFault::Digits),
            ("1e99999999999999999999", RateFault::Digits),
            ("1e-31", RateFault::Digits),
            ("1e18", RateFault::Digits),
            ("1234567890123456789", RateFault::Digits),
            ("0.1234567890123456789", RateFault::Digits),
            ("1111111111111111111111111111111111111", RateFault::Digits),
        ] {
            assert_eq!(Rate::parse(text), Err(fault), "{text}");
        }
    }

    #[test]
    fn worth_is_exact_and_rounded_half_away_from_zero_once() {
        let (dollar, yen, coin, wei) = (100, 1, 100_000_000, 1_000_000_000_000_000_000);
        for (amount, from, text, to, rounded) in [
            (10_000, dollar, "1.0825", dollar, 10_825),
            // 10.005 and 10.0049…: the half goes up, less does not.
            (1000, dollar, "1.0005", dollar, 1001),
            (1000, dollar, "1.00049999999999999", dollar, 1000),
            (1, dollar, "0.5", dollar, 1),
            (1, dollar, "0.49", dollar, 0),
            // Both precisions count.
            (10_000, dollar, "149.255", yen, 14_926),
            (15_000, yen, "0.0067", dollar, 10_050),
            (1, yen, "0.0000000000241", wei, 24_100_000),
            (6_500_000, dollar, "0.0000153846", coin, 99_999_900),
            // A third of a unit is shown by its digits only.
            (3, 3, "1", dollar, 100),
            (10, 3, "1", dollar, 333),
            (20, 3, "1", dollar, 667),
            // A float has lost this one: 9007199254740993 is not a double.
            (9_007_199_254_740_993, dollar, "1", dollar, 9_007_199_254_740_993),
            (i128::MAX, 1, "1", 1, i128::MAX),
            (i128::MAX, wei, "0.000000000000000000000000000001", wei, 170_141_183),
        ] {
            let worth = rate(text).worth(amount, from, to).map(|worth| worth.rounded);
            assert_eq!(worth, Some(rounded), "{amount} / {from} × {text} × {to}");
        }
        let (large, most) = (rate("999999999999999999"), PRECISION_MAX);
        assert_eq!(large.worth(i128::MAX, 1, most), None, "beyond 128 bits, but not beyond what is calculated with");
        assert_eq!(rate("1.1").worth(i128::MAX, 1, 1), None);
        assert_eq!(rate("1e-30").worth(1, most, 1).map(|worth| (worth.rounded, worth.rest)), Some((0, true)));
    }

    /// Against the plain integers of 128 bits, where these suffice.
    #[test]
    fn worth_is_what_integers_say() {
        let mut seed = 7u64;
        let mut below = |most: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 20) % most
        };
        for _ in 0..20_000 {
            let (amount, coefficient, scale) = (below(1 << 40), below(1 << 30) + 1, below(12) as u32);
            let (from, to) = (below(1000) + 1, below(100_000) + 1);
            let dividend = u128::from(amount) * u128::from(coefficient) * u128::from(to);
            let divisor = 10u128.pow(scale) * u128::from(from);
            let rounded = (dividend * 2 + divisor) / (divisor * 2);
            let wanted = Worth {
                floor: (dividend / divisor) as i128,
                rest: !dividend.is_multiple_of(divisor),
                rounded: rounded as i128,
            };
            let text = format!("{coefficient}e-{scale}");
            assert_eq!(rate(&text).worth(amount.into(), from, to), Some(wanted), "{amount} / {from} × {text} × {to}");
        }
    }

    #[test]
    fn near_is_within_one_minor_unit() {
        let near = |worth: Worth| (7..=14).filter(|&minor| worth.is_near(minor)).collect::<Vec<i128>>();
        let exact = rate("1").worth(10, 1, 1).expect("small");
        let half = rate("1.05").worth(10, 1, 1).expect("small");
        assert_eq!((near(exact), near(half)), (vec![9, 10, 11], vec![10, 11]));
    }
}
