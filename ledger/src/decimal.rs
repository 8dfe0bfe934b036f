//! Amounts in major units as texts, and their minor units as integers. No float is involved.

/// Fractional digits to which minor units are divided by the precision when they are shown in major units.
pub const SHOWN_FRACTION_DIGITS: u32 = 16;
/// Most significant digits that an amount in major units may have.
pub const SIGNIFICANT_DIGITS_MAX: u32 = 15;
/// Digits that are kept of a decimal; more are a fault.
const DIGITS_MAX: u32 = 36;
/// Largest exponent of ten that JSON numbers of other servers can have (an IEEE double).
const EXPONENT_MAX: i64 = 308;

/// A decimal number: `coefficient × 10^-scale`, negated when `negative`. Normal form: the coefficient does not end in zero
/// when the scale is positive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Decimal {
    negative: bool,
    coefficient: u128,
    scale: i32,
}

/// Why a text is no decimal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DecimalFault {
    /// The text is not a number.
    Syntax,
    /// The number is beyond every amount.
    TooLarge,
    /// The number has more digits than any amount may have.
    TooManyDigits,
}

impl Decimal {
    /// Zero.
    pub const ZERO: Decimal = Decimal { negative: false, coefficient: 0, scale: 0 };

    /// Reads a decimal: digits, perhaps with a sign, a point and an exponent, as JSON writes numbers.
    pub fn parse(text: &str) -> Result<Decimal, DecimalFault> {
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match rest.find(['e', 'E']) {
            Some(at) => (&rest[..at], rest[at + 1..].parse::<i64>().map_err(|_| exponent_fault(&rest[at + 1..]))?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        if whole.is_empty() && fraction.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit())
        {
            return Err(DecimalFault::Syntax);
        }
        let fraction = fraction.trim_end_matches('0');
        let whole = whole.trim_start_matches('0');
        let leading = if whole.is_empty() { fraction.len() - fraction.trim_start_matches('0').len() } else { 0 };
        if whole.len() + fraction.len() - leading > DIGITS_MAX as usize {
            return Err(DecimalFault::TooManyDigits);
        }
        let coefficient =
            whole.bytes().chain(fraction.bytes()).fold(0u128, |sum, digit| sum * 10 + u128::from(digit - b'0'));
        if coefficient == 0 {
            return Ok(Decimal::ZERO);
        }
        let places = if whole.is_empty() { -(leading as i64) } else { whole.len() as i64 };
        let magnitude = places.saturating_add(exponent);
        if magnitude > EXPONENT_MAX + 1 {
            return Err(DecimalFault::TooLarge);
        }
        if magnitude < -EXPONENT_MAX - 16 {
            return Ok(Decimal::ZERO);
        }
        let scale = i32::try_from(fraction.len() as i64 - exponent).map_err(|_| DecimalFault::TooLarge)?;
        Ok(Decimal { negative, coefficient, scale }.normal())
    }

    fn normal(mut self) -> Decimal {
        while self.scale > 0 && self.coefficient.is_multiple_of(10) {
            self.coefficient /= 10;
            self.scale -= 1;
        }
        self
    }

    /// Whether the number is below zero.
    pub const fn is_negative(self) -> bool {
        self.negative
    }

    /// Whether the number is zero.
    pub const fn is_zero(self) -> bool {
        self.coefficient == 0
    }

    /// Digits from the first that is not zero to the last before the point or, behind the point, the last that is not
    /// zero: 1500 has four, 0.0150 two.
    pub const fn significant_digits(self) -> u32 {
        if self.coefficient == 0 {
            return 1;
        }
        let digits = self.coefficient.ilog10() + 1;
        if self.scale < 0 { digits + self.scale.unsigned_abs() } else { digits }
    }

    /// The number as an integer without a rest, if it is one and fits.
    pub fn integer(self) -> Option<i128> {
        if self.scale > 0 { None } else { self.minor_units(1) }
    }

    /// `self × precision`, rounded half away from zero. `None` when that is beyond 128 bits.
    pub fn minor_units(self, precision: u64) -> Option<i128> {
        let product = self.coefficient.checked_mul(u128::from(precision))?;
        let magnitude = if self.scale <= 0 {
            product.checked_mul(10u128.checked_pow(self.scale.unsigned_abs())?)?
        } else {
            match 10u128.checked_pow(self.scale.unsigned_abs()) {
                Some(unit) => product / unit + u128::from(product % unit >= unit - unit / 2),
                None => 0,
            }
        };
        let magnitude = i128::try_from(magnitude).ok()?;
        Some(if self.negative { -magnitude } else { magnitude })
    }
}

fn exponent_fault(text: &str) -> DecimalFault {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        DecimalFault::Syntax
    } else {
        DecimalFault::TooLarge
    }
}

/// Minor units in major units, as text without exponent: `minor / precision` to [`SHOWN_FRACTION_DIGITS`], rounded half
/// away from zero, without trailing zeros. A precision of zero counts as one.
pub fn major_text(minor: i128, precision: u64) -> String {
    const UNIT: u128 = 10u128.pow(SHOWN_FRACTION_DIGITS);
    let precision = u128::from(precision.max(1));
    let magnitude = minor.unsigned_abs();
    let mut whole = magnitude / precision;
    let scaled = (magnitude % precision) * UNIT;
    let mut fraction = scaled / precision + u128::from((scaled % precision) * 2 >= precision);
    if fraction == UNIT {
        whole += 1;
        fraction = 0;
    }
    let sign = if minor < 0 && (whole, fraction) != (0, 0) { "-" } else { "" };
    if fraction == 0 {
        return format!("{sign}{whole}");
    }
    let digits = format!("{fraction:0width$}", width = SHOWN_FRACTION_DIGITS as usize);
    format!("{sign}{whole}.{}", digits.trim_end_matches('0'))
}

/// Digits behind the point with which every amount that has an end is told: a precision has no more factors of two or of five.
const EXACT_FRACTION_DIGITS: usize = u64::BITS as usize;

/// Minor units in major units, as text without exponent, to the last digit. What no number of digits tells, as thirds, is rounded
/// as [`major_text`] does.
pub fn exact_major_text(minor: i128, precision: u64) -> String {
    let unit = u128::from(precision.max(1));
    let magnitude = minor.unsigned_abs();
    let (whole, mut rest) = (magnitude / unit, magnitude % unit);
    let mut text = format!("{}{whole}", if minor < 0 { "-" } else { "" });
    for place in 0..EXACT_FRACTION_DIGITS {
        if rest == 0 {
            return text;
        }
        if place == 0 {
            text.push('.');
        }
        rest *= 10;
        text.push(char::from_digit((rest / unit) as u32, 10).expect("the rest is below the unit"));
        rest %= unit;
    }
    if rest == 0 { text } else { major_text(minor, precision) }
}

const _: () = assert!(
    (u64::MAX as u128).checked_mul(2 * 10u128.pow(SHOWN_FRACTION_DIGITS)).is_some(),
    "a rest below the precision, scaled and doubled, fits into 128 bits"
);

#[cfg(test)]
mod tests {
    use super::*;

    fn minor(text: &str, precision: u64) -> Option<i128> {
        Decimal::parse(text).expect("a number").minor_units(precision)
    }

    #[test]
    fn minor_units_are_exact_and_round_half_away_from_zero() {
        for (text, precision, expected) in [
            ("19.99", 100, 1999),
            ("0.1", 100_000_000, 10_000_000),
            ("1.005", 100, 101),
            ("1.0049", 100, 100),
            ("-1.005", 100, -101),
            ("10.5", 1, 11),
            ("0.004", 100, 0),
            ("0.005", 100, 1),
            ("1e3", 100, 100_000),
            ("1E-2", 100, 1),
            ("999999999999999", 1_000_000_000_000_000_000, 999_999_999_999_999_000_000_000_000_000_000),
            ("0.000000001234567", 1_000_000_000_000_000_000, 1_234_567_000),
            ("5e-320", 100, 0),
            ("0", 7, 0),
            ("-0", 7, 0),
        ] {
            assert_eq!(minor(text, precision), Some(expected), "{text} at {precision}");
        }
        assert_eq!(minor("1e30", 1_000_000_000), None);
    }

    #[test]
    fn texts_that_are_no_amounts() {
        for text in ["", "-", ".", "e5", "1e", "1e+", "0x10", "1_0", "NaN", "inf", "1.2.3", " 1"] {
            assert_eq!(Decimal::parse(text), Err(DecimalFault::Syntax), "{text:?}");
        }
        assert_eq!(Decimal::parse("1e400"), Err(DecimalFault::TooLarge));
        assert_eq!(Decimal::parse("1e99999999999999999999"), Err(DecimalFault::TooLarge));
        // The ends of 64 bits, which adding the places of the digits goes past.
        assert_eq!(Decimal::parse("1e9223372036854775807"), Err(DecimalFault::TooLarge));
        assert_eq!(Decimal::parse("0.01e-9223372036854775808"), Ok(Decimal::ZERO));
        assert_eq!(Decimal::parse(&"9".repeat(37)), Err(DecimalFault::TooManyDigits));
        assert_eq!(Decimal::parse("0e99999"), Ok(Decimal::ZERO));
    }

    #[test]
    fn digits_are_counted_as_a_person_would() {
        for (text, digits) in [
            ("999999999999999", 15),
            ("1000000000000000", 16),
            ("0.00000000000001", 1),
            ("1.50", 2),
            ("1e15", 16),
            ("1e14", 15),
        ] {
            assert_eq!(Decimal::parse(text).expect("a number").significant_digits(), digits, "{text}");
        }
    }

    #[test]
    fn major_units_are_shown_without_a_float() {
        for (minor, precision, expected) in [
            (4599, 100, "45.99"),
            (-4599, 100, "-45.99"),
            (10, 3, "3.3333333333333333"),
            (20, 3, "6.6666666666666667"),
            (100, 1, "100"),
            (189_207_535_698_279_000_123, 1_000_000_000_000_000_000, "189.2075356982790001"),
            (1, 1_000_000_000_000_000_000, "0"),
            (-1, 1_000_000_000_000_000_000, "0"),
            (999_999_999_999_999_999, 1_000_000_000_000_000_000, "1"),
            (7, 0, "7"),
        ] {
            assert_eq!(major_text(minor, precision), expected);
        }
    }

    #[test]
    fn major_units_are_told_to_the_last_digit() {
        const WEI: u64 = 1_000_000_000_000_000_000;
        const HALVED_63_TIMES: &str = "0.000000000000000000108420217248550443400745280086994171142578125";
        for (minor, precision, expected) in [
            (4599, 100, "45.99"),
            (-5, 100, "-0.05"),
            (0, WEI, "0"),
            (1, WEI, "0.000000000000000001"),
            (-189_207_535_698_279_000_123, WEI, "-189.207535698279000123"),
            (i128::MIN, WEI, "-170141183460469231731.687303715884105728"),
            (i128::MAX, 1, "170141183460469231731687303715884105727"),
            (3, 3, "1"),
            (10, 3, "3.3333333333333333"),
            (7, 0, "7"),
            (1, 1 << 63, HALVED_63_TIMES),
            (1, u64::MAX, "0"),
        ] {
            assert_eq!(exact_major_text(minor, precision), expected);
        }
    }
}
