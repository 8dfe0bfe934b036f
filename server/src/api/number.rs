//! Numbers as they stand in answers. Money is exact text; where the API promises the nearest double, its shortest text is
//! shown and never calculated with.

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// A number that is text already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberText(String);

impl NumberText {
    /// A whole number.
    pub fn integer(number: i128) -> NumberText {
        NumberText(number.to_string())
    }

    /// A whole number that may be beyond 128 bits, by its digits.
    pub fn digits(digits: String) -> NumberText {
        assert!(!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()), "digits make a number");
        NumberText(digits)
    }

    /// The same number below zero.
    #[must_use]
    pub fn negated(self) -> NumberText {
        assert!(self.0.bytes().all(|byte| byte.is_ascii_digit()), "only what is not below zero is negated");
        NumberText(format!("-{}", self.0))
    }

    /// The shortest text of the double that is nearest to a decimal, as the API shows major units.
    pub fn nearest_double(decimal: &str) -> NumberText {
        match decimal.parse::<f64>() {
            Ok(double) if double.is_finite() => NumberText(double_text(double)),
            _ => NumberText("0".to_owned()),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Serialize for NumberText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw = RawValue::from_string(self.0.clone()).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

/// A double as Go's `encoding/json` writes it: exponents from 1e21 and below 1e-6.
fn double_text(double: f64) -> String {
    let magnitude = double.abs();
    if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        let text = format!("{double:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        return match exponent.strip_prefix('-') {
            Some(digits) => format!("{mantissa}e-{digits}"),
            None => format!("{mantissa}e+{exponent:0>2}"),
        };
    }
    format!("{double}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_are_shown_as_go_shows_them() {
        for (decimal, shown) in [
            ("45.99", "45.99"),
            ("100", "100"),
            ("189.2075356982790001", "189.207535698279"),
            ("0.0000001", "1e-7"),
            ("0.000001", "0.000001"),
            ("1000000000000000000000", "1e+21"),
            ("-0.5", "-0.5"),
            ("0", "0"),
            ("18446744073709551617", "18446744073709552000"),
        ] {
            assert_eq!(NumberText::nearest_double(decimal).as_str(), shown, "{decimal}");
        }
    }
}
