//! Times: RFC 3339 outside, microseconds since 1970 inside.

use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

/// What stands for a time that is not set.
pub const ZERO: &str = "0001-01-01T00:00:00Z";

/// A time as it was sent: the moment, and the offset it was told in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(OffsetDateTime);

impl Moment {
    /// Reads RFC 3339, with an offset or `Z`, and a fraction if need be; `T` and `Z` are capitals, as the reference server wants them.
    /// In UTC too it must be in a year of four digits, as it is shown so.
    pub fn parse(text: &str) -> Option<Moment> {
        if text.as_bytes().get(10) != Some(&b'T') || text.ends_with('z') {
            return None;
        }
        let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        let utc = moment.checked_to_offset(UtcOffset::UTC)?;
        (utc.year() >= 0).then_some(Moment(moment))
    }

    /// The moment of the call. For answers only: what is recorded has the time of the engine's clock.
    pub fn now() -> Moment {
        Moment(OffsetDateTime::now_utc())
    }

    /// Whether it is the time that stands for none.
    pub fn is_zero(self) -> bool {
        Moment::parse(ZERO) == Some(self)
    }

    /// Nothing when it is the time that stands for none: clients whose times always have a value send it for one that is not
    /// set, as answers show it.
    pub fn if_set(self) -> Option<Moment> {
        (!self.is_zero()).then_some(self)
    }

    /// Microseconds since 1970; finer parts are dropped.
    pub fn micros(self) -> i64 {
        let micros = self.0.unix_timestamp_nanos().div_euclid(1000);
        i64::try_from(micros).expect("RFC 3339 has four digits for the year")
    }

    /// The moment in its own offset.
    pub fn text(self) -> String {
        format(self.0)
    }

    /// The moment in its own offset, without its fraction.
    pub fn seconds_text(self) -> String {
        format(self.0.replace_nanosecond(0).unwrap_or(self.0))
    }

    /// Its day as it was told, whatever the offset, with midnight in UTC: as a date of birth is kept.
    pub fn day(self) -> String {
        format(self.0.date().midnight().assume_utc())
    }
}

/// Microseconds since 1970 as text, in UTC, without trailing zeros of the fraction.
pub fn text(micros: i64) -> String {
    match OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000) {
        Ok(moment) => format(moment),
        Err(_) => ZERO.to_owned(),
    }
}

fn format(moment: OffsetDateTime) -> String {
    moment.format(&Rfc3339).unwrap_or_else(|_| ZERO.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_keep_their_offset_and_their_digits() {
        for same in ["2025-02-15T10:30:00Z", "2024-02-03T04:05:06+02:00", "2024-02-03T04:05:06.123456Z", ZERO] {
            assert_eq!(Moment::parse(same).expect("a time").text(), same);
        }
        assert_eq!(Moment::parse("2025-02-15T10:30:00+00:00").expect("a time").text(), "2025-02-15T10:30:00Z");
        for same_day in ["1988-05-17T23:30:00Z", "1988-05-17T00:00:00+02:00", "1988-05-17T23:59:59-11:00"] {
            assert_eq!(Moment::parse(same_day).expect("a time").day(), "1988-05-17T00:00:00Z");
        }
        for bad in [
            "tomorrow",
            "2030-01-01",
            "2030-01-01 10:00:00",
            "2030-01-01T10:00:00",
            "2030-01-01 10:00:00Z",
            "2030-01-01t10:00:00Z",
            "2030-01-01T10:00:00z",
            "9999-12-31T23:59:59-10:00",
            "0000-01-01T00:00:00+10:00",
        ] {
            assert_eq!(Moment::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn micros_are_shown_in_utc() {
        assert_eq!(text(1_700_000_000_123_400), "2023-11-14T22:13:20.1234Z");
        assert_eq!(Moment::parse("2023-11-14T23:13:20.1234+01:00").expect("a time").micros(), 1_700_000_000_123_400);
        assert_eq!(text(Moment::parse(ZERO).expect("a time").micros()), ZERO);
    }
}
