//! Numbers of any size, compared exactly.

use std::cmp::Ordering;

/// Largest exponent that is read; beyond it a text is no number. Larger than any double has.
const EXPONENT_MAX: u64 = 400;

/// Most places behind the point of a [`Number::Fraction`]: the largest power of ten that fits.
const PLACES_MAX: u32 = 38;

/// A number in normal form, so that equal numbers are equal values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Number {
    /// A whole number that fits.
    Integer(i128),
    /// `coefficient / 10^places`, when that fits. The coefficient does not end with a zero, and there are places.
    Fraction {
        /// All digits, as a whole number.
        coefficient: i128,
        /// How many of them stand behind the point.
        places: u32,
    },
    /// Any other.
    Decimal(Digits),
}

/// `0.digits × 10^magnitude`, negated when `negative`. The digits neither begin nor end with a zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digits {
    negative: bool,
    magnitude: i64,
    digits: Box<str>,
}

impl Number {
    /// Reads digits, perhaps with a sign, a point and an exponent.
    pub fn parse(text: &str) -> Option<Number> {
        let text = text.trim();
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() && fraction.is_empty() || !is_digits(whole) || !is_digits(fraction) {
            return None;
        }
        if exponent.unsigned_abs() > EXPONENT_MAX {
            return None;
        }
        let all = [whole, fraction].concat();
        let digits = all.trim_start_matches('0');
        let magnitude = whole.len() as i64 - (all.len() - digits.len()) as i64 + exponent;
        let digits = digits.trim_end_matches('0');
        if digits.is_empty() {
            return Some(Number::Integer(0));
        }
        let number = Digits { negative, magnitude, digits: digits.into() };
        Some(number.small().unwrap_or(Number::Decimal(number)))
    }

    /// A whole number over a power of ten.
    pub fn scaled(coefficient: i128, places: u32) -> Number {
        let mut places = places;
        let coefficient = match i64::try_from(coefficient) {
            // Division of 128 bits is slow, and there is one for each row of a filter.
            Ok(small) => i128::from(without_zeros(small, &mut places, |all| (all / 10, all % 10 == 0))),
            Err(_) => without_zeros(coefficient, &mut places, |all| (all / 10, all % 10 == 0)),
        };
        match places {
            0 => Number::Integer(coefficient),
            _ => Number::Fraction { coefficient, places },
        }
    }

    /// The number without an exponent and without zeros that say nothing.
    pub fn plain(&self) -> String {
        match self {
            Number::Integer(integer) => integer.to_string(),
            Number::Fraction { .. } | Number::Decimal(_) => self.digits().plain(),
        }
    }

    fn digits(&self) -> Digits {
        let of = |coefficient: i128, places: u32| {
            let text = coefficient.unsigned_abs().to_string();
            let magnitude = text.len() as i64 - i64::from(places);
            Digits { negative: coefficient < 0, magnitude, digits: text.trim_end_matches('0').into() }
        };
        match self {
            Number::Decimal(digits) => digits.clone(),
            Number::Integer(integer) => of(*integer, 0),
            Number::Fraction { coefficient, places } => of(*coefficient, *places),
        }
    }

    /// The number as a whole one over a power of ten, if it is no larger than that.
    const fn parts(&self) -> Option<(i128, u32)> {
        match self {
            Number::Integer(integer) => Some((*integer, 0)),
            Number::Fraction { coefficient, places } => Some((*coefficient, *places)),
            Number::Decimal(_) => None,
        }
    }
}

/// Takes zeros from the end, as long as there are places. `split` tells a number without its last digit, and whether that is a zero.
fn without_zeros<T: Copy + PartialEq + Default>(all: T, places: &mut u32, split: impl Fn(T) -> (T, bool)) -> T {
    if all == T::default() {
        *places = 0;
    }
    let mut all = all;
    while *places > 0 {
        let (rest, is_zero) = split(all);
        if !is_zero {
            break;
        }
        (all, *places) = (rest, *places - 1);
    }
    all
}

/// How two whole numbers over powers of ten compare.
fn compare((one, places): (i128, u32), (other, other_places): (i128, u32)) -> Ordering {
    if places > other_places {
        return compare((other, other_places), (one, places)).reverse();
    }
    match one.checked_mul(10_i128.pow(other_places - places)) {
        Some(one) => one.cmp(&other),
        // What does not fit is larger than anything that does.
        None => one.cmp(&0),
    }
}

impl Digits {
    /// The same as a number without text, if it is no larger than that.
    fn small(&self) -> Option<Number> {
        let places = u32::try_from((self.digits.len() as i64 - self.magnitude).max(0)).ok()?;
        if places == 0 {
            return self.plain().parse().ok().map(Number::Integer);
        }
        let sign = if self.negative { "-" } else { "" };
        let coefficient = [sign, &self.digits].concat().parse().ok()?;
        (places <= PLACES_MAX).then_some(Number::Fraction { coefficient, places })
    }

    fn plain(&self) -> String {
        let sign = if self.negative { "-" } else { "" };
        let length = self.digits.len() as i64;
        if self.magnitude <= 0 {
            return format!("{sign}0.{}{}", "0".repeat(-self.magnitude as usize), self.digits);
        }
        if self.magnitude >= length {
            return format!("{sign}{}{}", self.digits, "0".repeat((self.magnitude - length) as usize));
        }
        let (whole, fraction) = self.digits.split_at(self.magnitude as usize);
        format!("{sign}{whole}.{fraction}")
    }

    /// -1, 0 or 1.
    fn sign(&self) -> i8 {
        match (self.digits.is_empty(), self.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }
}

impl Ord for Digits {
    fn cmp(&self, other: &Digits) -> Ordering {
        let by_sign = self.sign().cmp(&other.sign());
        let by_size = || self.magnitude.cmp(&other.magnitude).then_with(|| self.digits.cmp(&other.digits));
        by_sign.then_with(|| match self.sign() {
            0 => Ordering::Equal,
            1 => by_size(),
            _ => by_size().reverse(),
        })
    }
}

impl PartialOrd for Digits {
    fn partial_cmp(&self, other: &Digits) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Number) -> Ordering {
        match (self.parts(), other.parts()) {
            (Some(one), Some(other)) => compare(one, other),
            _ => self.digits().cmp(&other.digits()),
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Number) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap_or_else(|| panic!("{text} is a number"))
    }

    #[test]
    fn equal_numbers_are_equal_values_and_have_one_text() {
        for (text, plain) in [
            ("0", "0"),
            ("-0.00", "0"),
            ("0e400", "0"),
            ("00123", "123"),
            ("+7", "7"),
            ("1e3", "1000"),
            ("10.50", "10.5"),
            (".5", "0.5"),
            ("5.", "5"),
            ("-1.5e-3", "-0.0015"),
            (" 12 ", "12"),
            ("1180591620717411303425", "1180591620717411303425"),
            ("99999999999999999999999999999999999999999999.10", "99999999999999999999999999999999999999999999.1"),
        ] {
            assert_eq!(number(text).plain(), plain, "{text}");
            assert_eq!(number(text), number(plain), "{text}");
        }
    }

    #[test]
    fn what_is_no_number() {
        for text in
            ["", "-", ".", "e5", "1e", "0x10", "1_0", "NaN", "inf", "1.2.3", "1e401", "1e99999999999999999999", "１"]
                .into_iter()
                // The ends of 64 bits: what is past them cannot be negated, or added to.
                .chain(["1e9223372036854775807", "1e-9223372036854775808", "1e-401"])
        {
            assert_eq!(Number::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_scaled_number_is_the_one_of_its_text() {
        for (coefficient, places, text) in [
            (0, 16, "0"),
            (1250, 2, "12.5"),
            (-1250, 2, "-12.5"),
            (1200, 2, "12"),
            (7, 0, "7"),
            (1, 38, "1e-38"),
            (i128::MAX, 16, "17014118346046923173168.7303715884105727"),
            (i128::MIN, 38, "-1.70141183460469231731687303715884105728"),
            (-(10_i128.pow(38)), 38, "-1"),
            (i128::from(i64::MAX) + 3, 1, "922337203685477581"),
        ] {
            assert_eq!(Number::scaled(coefficient, places), number(text), "{coefficient} {places}");
        }
    }

    #[test]
    fn order_is_exact() {
        let ascending = [
            "-1e50",
            "-170141183460469231731687303715884105729",
            "-170141183460469231731687303715884105728",
            "-17014118346046923173168.7303715884105728",
            "-17014118346046923173168.7303715884105727",
            "-10",
            "-9.5",
            "-0.001",
            "-1e-38",
            "-1e-39",
            "0",
            "1e-40",
            "1e-39",
            "1e-38",
            "0.0001",
            "0.001",
            "0.3",
            "0.30000000000000004",
            "0.99999999999999999999999999999999999999",
            "0.999999999999999999999999999999999999999",
            "1",
            "1.5",
            "9",
            "10",
            "10.01",
            "9007199254740992",
            "9007199254740993",
            "170141183460469231731687303715884105727",
            "170141183460469231731687303715884105728",
            "1e50",
        ];
        for (at, one) in ascending.iter().enumerate() {
            for (other_at, other) in ascending.iter().enumerate() {
                assert_eq!(number(one).cmp(&number(other)), at.cmp(&other_at), "{one} and {other}");
            }
        }
    }
}
