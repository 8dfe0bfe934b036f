//! Dates and times in filters. Offsets are not heard: a time is compared by what its clock shows.

use std::ops::Range;
use time::{Date, Month, PrimitiveDateTime, Time};

/// A time in a filter, with the part of it that was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Microseconds since 1970.
    pub at: i64,
    /// Microseconds of the smallest part that was told: a day, a minute, a second, less.
    pub unit: i64,
}

/// Microseconds of a day.
pub const DAY: i64 = 86_400_000_000;
const MINUTE: i64 = 60_000_000;
const SECOND: i64 = 1_000_000;
const MILLISECOND: i64 = 1_000;

impl Told {
    /// Reads a date (`2024-01-31`, `2024/01/31`), or one with a time behind `T` or a space, to the minute, the second or a
    /// fraction of it. An offset may follow seconds.
    pub fn parse(text: &str) -> Option<Told> {
        let bytes = text.as_bytes();
        let date = text.get(..10)?;
        let separator = bytes[4];
        if !matches!(separator, b'-' | b'/') || bytes[7] != separator {
            return None;
        }
        let date = Date::from_calendar_date(
            digits(&date[..4])? as i32,
            Month::try_from(digits(&date[5..7])? as u8).ok()?,
            digits(&date[8..10])? as u8,
        )
        .ok()?;
        if text.len() == 10 {
            return Some(Told { at: micros(date, Time::MIDNIGHT), unit: DAY });
        }
        if separator != b'-' || !matches!(bytes[10], b'T' | b't' | b' ') {
            return None;
        }
        let (time, nanos_past, unit) = clock(&text[11..])?;
        let whole = micros(date, time);
        // Rounded to what columns hold.
        Some(Told { at: whole + (nanos_past + 500) / 1000, unit })
    }

    /// From the beginning of the part that was told to its end.
    pub const fn whole(self) -> Range<i64> {
        let start = self.at.div_euclid(self.unit) * self.unit;
        start..start + self.unit
    }

    /// The day.
    pub const fn day(self) -> Told {
        Told { at: self.at.div_euclid(DAY) * DAY, unit: DAY }
    }
}

/// Hours, minutes and perhaps seconds; nanoseconds past them; the unit.
fn clock(text: &str) -> Option<(Time, i64, i64)> {
    let field = |from: usize| digits(text.get(from..from + 2)?).map(|number| number as u8);
    let (hour, minute) = (field(0)?, field(3)?);
    if text.as_bytes()[2] != b':' {
        return None;
    }
    if text.len() == 5 {
        return Some((Time::from_hms(hour, minute, 0).ok()?, 0, MINUTE));
    }
    let second = field(6)?;
    if text.as_bytes()[5] != b':' {
        return None;
    }
    let time = Time::from_hms(hour, minute, second).ok()?;
    let rest = &text[8..];
    let Some(rest) = rest.strip_prefix(['.', ',']) else {
        return is_offset(rest).then_some((time, 0, SECOND));
    };
    let length = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
    if !(1..=9).contains(&length) || !is_offset(&rest[length..]) {
        return None;
    }
    let nanos = rest[..length].parse::<i64>().ok()? * 10i64.pow(9 - length as u32);
    Some((time, nanos, if length < 6 { MILLISECOND } else { 1 }))
}

fn is_offset(text: &str) -> bool {
    if matches!(text, "" | "Z" | "z") {
        return true;
    }
    let Some(rest) = text.strip_prefix(['+', '-']) else { return false };
    let digits = rest.replacen(':', "", 1);
    matches!(digits.len(), 2 | 4) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn digits(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn micros(date: Date, time: Time) -> i64 {
    PrimitiveDateTime::new(date, time).assume_utc().unix_timestamp() * SECOND
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::time::text;

    #[test]
    fn forms_and_their_units() {
        for (told, at, unit) in [
            ("2024-02-03", "2024-02-03T00:00:00Z", DAY),
            ("2024/02/03", "2024-02-03T00:00:00Z", DAY),
            ("2024-02-03T04:05", "2024-02-03T04:05:00Z", MINUTE),
            ("2024-02-03 04:05", "2024-02-03T04:05:00Z", MINUTE),
            ("2024-02-03 04:05:06", "2024-02-03T04:05:06Z", SECOND),
            ("2024-02-03T04:05:06Z", "2024-02-03T04:05:06Z", SECOND),
            ("2024-02-03T04:05:06+02:00", "2024-02-03T04:05:06Z", SECOND),
            ("2024-02-03T04:05:06.5Z", "2024-02-03T04:05:06.5Z", MILLISECOND),
            ("2024-02-03T04:05:06.12345", "2024-02-03T04:05:06.12345Z", MILLISECOND),
            ("2024-02-03T04:05:06.123456-0700", "2024-02-03T04:05:06.123456Z", 1),
            ("2024-02-03T04:05:06.123456789Z", "2024-02-03T04:05:06.123457Z", 1),
            ("0001-01-01", "0001-01-01T00:00:00Z", DAY),
            ("1969-12-31T23:59:59.9", "1969-12-31T23:59:59.9Z", MILLISECOND),
        ] {
            let parsed = Told::parse(told).unwrap_or_else(|| panic!("{told} is a time"));
            assert_eq!((text(parsed.at).as_str(), parsed.unit), (at, unit), "{told}");
        }
    }

    #[test]
    fn what_is_no_time() {
        for bad in [
            "",
            "yesterday",
            "2024-02-30",
            "2024-13-01",
            "2024-1-1",
            "2024-02-03T",
            "2024-02-03T25:00",
            "2024-02-03X04:05",
            "2024-02-03T04:05:06.",
            "2024-02-03T04:05:06.1234567890",
            "2024-02-03T04:05:06 UTC",
            "2024-02/03",
            "20240203",
            "2024-02-03T04-05",
            "ééééééé",
            "2024-02-03T0é:05",
            "2024/02/03 04:05",
            "+024-02-03",
            "2024-02-03T04:05:06é",
        ] {
            assert_eq!(Told::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_time_stands_for_all_of_its_unit() {
        let whole = Told::parse("2024-02-03T04:05").expect("a time").whole();
        assert_eq!(
            (text(whole.start).as_str(), text(whole.end).as_str()),
            ("2024-02-03T04:05:00Z", "2024-02-03T04:06:00Z")
        );
        let before_1970 = Told::parse("1969-07-20T20:17:40.12345").expect("a time").whole();
        assert_eq!(text(before_1970.start), "1969-07-20T20:17:40.123Z");
    }
}
