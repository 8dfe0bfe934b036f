//! The month of a moment, in UTC.

use std::ops::Range;

const DAY: i64 = 86_400_000_000;

/// Tells months, and keeps the last: rows that follow each other are nearly always of the same.
#[derive(Debug, Default)]
pub struct Months {
    last: Range<i64>,
    month: i32,
}

impl Months {
    /// The month of a moment (microseconds since 1970): months since January of the year 0.
    pub fn of(&mut self, at: i64) -> i32 {
        if !self.last.contains(&at) {
            let (month, day) = civil(at.div_euclid(DAY));
            let start = at.div_euclid(DAY) - i64::from(day) + 1;
            let (_, next) = civil(start + 31);
            // The 32nd day from the first is in the next month, so many days into it.
            let end = start + 32 - i64::from(next);
            self.last = start.saturating_mul(DAY)..end.saturating_mul(DAY);
            self.month = month;
        }
        self.month
    }
}

/// The month of a day (days since 1970), and the day within it, from 1. The calendar is the proleptic Gregorian one, its years
/// begun in March (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn civil(days: i64) -> (i32, u8) {
    let since_march = days + 719_468;
    let (era, day_of_era) = (since_march.div_euclid(146_097), since_march.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let months = (year_of_era + era * 400) * 12 + month_from_march + 2;
    (i32::try_from(months).expect("moments are within 300 000 years"), u8::try_from(day).expect("a day of a month"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_begin_at_midnight_of_their_first_day() {
        for (start, month) in [
            (0, 1970 * 12),
            (31, 1970 * 12 + 1),
            (-1, 1969 * 12 + 11),
            (10_988, 2000 * 12 + 1),
            (10_988 + 28, 2000 * 12 + 1),
            (10_988 + 29, 2000 * 12 + 2),
            (20_512, 2026 * 12 + 1),
            (-719_528, 0),
        ] {
            for later in [0, DAY - 1] {
                assert_eq!(Months::default().of(start * DAY + later), month, "{start}");
            }
        }
    }

    #[test]
    fn the_last_month_does_not_change_the_next() {
        let mut kept = Months::default();
        let mut before = Months::default().of(-400_000 * DAY);
        for day in -400_000..400_000 {
            let fresh = Months::default().of(day * DAY + 7);
            assert_eq!(kept.of(day * DAY + 7), fresh);
            assert_eq!(kept.of(day * DAY + DAY - 1), fresh);
            assert!(fresh == before || fresh == before + 1, "months follow each other");
            before = fresh;
        }
        for at in [i64::MIN, i64::MAX, 0, i64::MAX, i64::MIN] {
            assert_eq!(kept.of(at), Months::default().of(at));
        }
    }
}
