//! Amounts, rates and numbers of filters against whole numbers of any size: the digits of a text say exactly what each of them
//! must be.

#![no_main]

use ledger::decimal::{Decimal, DecimalFault, major_text};
use ledger::limits::PRECISION_MAX;
use libfuzzer_sys::fuzz_target;
use num_bigint::BigInt;
use server::api::exchange::rate::Rate;
use server::api::filter::number::Number;
use std::cmp::Ordering;

/// Exponents that the oracle writes out; others must be refused or be nothing.
const EXPONENT_MAX: i64 = 1_000;

// Lines: a precision, an amount in minor units, and two numbers.
fuzz_target!(|input: &str| {
    let mut lines = input.split('\n');
    let precision = lines.next().and_then(|line| line.parse::<u64>().ok()).unwrap_or(100).clamp(1, PRECISION_MAX);
    let minor = lines.next().and_then(|line| line.parse::<i128>().ok()).unwrap_or(0);
    let (one, other) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    amount(one, precision);
    shown(minor, precision);
    filters(one, other);
    rate(one, minor, precision);
});

/// `digits × 10^exponent`, negated when the text says so. `None`: no decimal at all, or beyond what is written out.
fn exact(text: &str) -> Option<(BigInt, i64)> {
    let (negative, rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty()
        || !digits.bytes().all(|byte| byte.is_ascii_digit())
        || exponent.abs_diff(0) > EXPONENT_MAX as u64
    {
        return None;
    }
    let digits: BigInt = digits.parse().expect("digits");
    Some((if negative { -digits } else { digits }, exponent - fraction.len() as i64))
}

fn ten(power: i64) -> BigInt {
    BigInt::from(10).pow(u32::try_from(power).expect("not below zero"))
}

/// Two decimals as whole numbers of the same unit.
fn same_unit((one, one_exponent): (BigInt, i64), (other, other_exponent): (BigInt, i64)) -> (BigInt, BigInt) {
    let unit = one_exponent.min(other_exponent);
    (one * ten(one_exponent - unit), other * ten(other_exponent - unit))
}

/// The same decimal without zeros at the end of its fraction.
fn without_zeros(mut digits: BigInt, mut exponent: i64) -> (BigInt, i64) {
    while exponent < 0 && &digits % 10 == BigInt::from(0) {
        digits /= 10;
        exponent += 1;
    }
    (digits, exponent)
}

fn magnitude(number: &BigInt) -> BigInt {
    if *number < BigInt::from(0) { -number } else { number.clone() }
}

/// A whole number divided, rounded half away from zero.
fn rounded(number: &BigInt, divisor: &BigInt) -> BigInt {
    let half_up: BigInt = (magnitude(number) * 2 + divisor) / (divisor * 2);
    if *number < BigInt::from(0) { -half_up } else { half_up }
}

fn amount(text: &str, precision: u64) {
    let exact = exact(text);
    match Decimal::parse(text) {
        Err(DecimalFault::Syntax) => assert_eq!(exact, None, "{text:?} is a decimal"),
        // Both are limits; that they are kept exactly is for tests of their own.
        Err(DecimalFault::TooLarge | DecimalFault::TooManyDigits) => {}
        Ok(decimal) => {
            let Some((digits, exponent)) = exact else {
                assert!(decimal.is_zero() || text.contains(['e', 'E']), "{text:?}");
                return;
            };
            if decimal.is_zero() {
                // Nothing, or so little that no precision makes a unit of it.
                assert!(digits == BigInt::from(0) || exponent < -300, "{text:?} is not zero");
                return;
            }
            assert_eq!(decimal.is_negative(), digits < BigInt::from(0), "{text:?}");
            let (digits, exponent) = without_zeros(digits, exponent);
            let whole = digits * precision * ten(exponent.max(0));
            let wanted = rounded(&whole, &ten(-exponent.min(0)));
            match decimal.minor_units(precision) {
                Some(minor) => assert_eq!(BigInt::from(minor), wanted, "{text:?} at {precision}"),
                // What is rounded is held in 128 bits before it is, as digits that no amount of the API may have are not asked for.
                None => assert!(
                    magnitude(&whole) > BigInt::from(u128::MAX) || magnitude(&wanted) > BigInt::from(i128::MAX),
                    "{text:?} at {precision} fits"
                ),
            }
        }
    }
}

/// What is shown, read again, is the amount rounded to the digits that are shown.
fn shown(minor: i128, precision: u64) {
    const DIGITS: i64 = ledger::decimal::SHOWN_FRACTION_DIGITS as i64;
    let text = major_text(minor, precision);
    let (digits, exponent) = exact(&text).unwrap_or_else(|| panic!("{text:?} is no decimal"));
    assert!(!text.starts_with('+') && !text.contains(['e', 'E']) && (-DIGITS..=0).contains(&exponent), "{text:?}");
    let wanted = rounded(&(BigInt::from(minor) * ten(DIGITS)), &BigInt::from(precision));
    assert_eq!(digits * ten(exponent + DIGITS), wanted, "{minor} at {precision}: {text}");
}

/// Numbers of filters are compared as what they say, and have one text.
fn filters(one: &str, other: &str) {
    let Some(number) = Number::parse(one) else { return };
    let plain = number.plain();
    assert_eq!(Number::parse(&plain).as_ref(), Some(&number), "{one:?} is written {plain:?}");
    let (Some(exact_one), Some(number_other)) = (exact(one.trim()), Number::parse(other)) else { return };
    let Some(exact_other) = exact(other.trim()) else { return };
    let (whole_one, whole_other) = same_unit(exact_one, exact_other);
    let wanted = whole_one.cmp(&whole_other);
    assert_eq!(number.cmp(&number_other), wanted, "{one:?} and {other:?}");
    assert_eq!(number == number_other, wanted == Ordering::Equal, "{one:?} and {other:?}");
}

/// What an amount is worth at a rate, between two currencies of the same precision and of different ones.
fn rate(text: &str, minor: i128, precision: u64) {
    let Ok(rate) = Rate::parse(text) else { return };
    let (digits, exponent) = exact(text).unwrap_or_else(|| panic!("the rate {text:?} is no decimal"));
    let again = rate.to_string();
    let (again_digits, again_exponent) = exact(&again).unwrap_or_else(|| panic!("the rate {again:?} is no decimal"));
    let (left, right) = same_unit((digits.clone(), exponent), (again_digits, again_exponent));
    assert_eq!(left, right, "{text:?} is written {again:?}");
    let amount = minor.checked_abs().unwrap_or(0);
    for (from, to) in [(100, 100), (100, precision), (precision, 1)] {
        let product = &digits * amount * to;
        let (dividend, divisor) = if exponent >= 0 {
            (product * ten(exponent), BigInt::from(from))
        } else {
            (product, ten(-exponent) * from)
        };
        let floor = &dividend / &divisor;
        match rate.worth(amount, from, to) {
            Some(worth) => {
                assert_eq!(BigInt::from(worth.floor), floor, "{amount} at {text:?}, {from} to {to}");
                assert_eq!(worth.rest, &floor * &divisor != dividend, "{amount} at {text:?}, {from} to {to}");
                assert_eq!(
                    BigInt::from(worth.rounded),
                    rounded(&dividend, &divisor),
                    "{amount} at {text:?}, {from} to {to}"
                );
            }
            None => assert!(floor >= BigInt::from(i128::MAX), "{amount} at {text:?}, {from} to {to} fits"),
        }
    }
}
