//! Numbers of any size, compared exactly.

use std::cmp::Ordering;

/// Largest exponent that is read; beyond it a text is no number. Larger than any double has.
const EXPONENT_MAX: u64 = 400;

/// A number in normal form, so that equal numbers are equal values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Number {
    /// A whole number that fits.
    Integer(i128),
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
        let integer = (number.magnitude >= digits.len() as i64).then(|| number.plain().parse().ok()).flatten();
        Some(integer.map_or(Number::Decimal(number), Number::Integer))
    }

    /// The number without an exponent and without zeros that say nothing.
    pub fn plain(&self) -> String {
        match self {
            Number::Integer(integer) => integer.to_string(),
            Number::Decimal(digits) => digits.plain(),
        }
    }

    fn digits(&self) -> Digits {
        match self {
            Number::Decimal(digits) => digits.clone(),
            Number::Integer(integer) => {
                let text = integer.unsigned_abs().to_string();
                let digits = text.trim_end_matches('0');
                Digits { negative: *integer < 0, magnitude: text.len() as i64, digits: digits.into() }
            }
        }
    }
}

impl Digits {
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
        match (self, other) {
            (Number::Integer(one), Number::Integer(other)) => one.cmp(other),
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
    fn order_is_exact() {
        let ascending = [
            "-1e50",
            "-170141183460469231731687303715884105729",
            "-170141183460469231731687303715884105728",
            "-10",
            "-9.5",
            "-0.001",
            "0",
            "0.0001",
            "0.001",
            "0.3",
            "0.30000000000000004",
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
