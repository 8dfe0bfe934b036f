//! Lengths of time as Go writes and reads them: `2m0s`, `24h0m0s`, `1.5ms`.

const NANOS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];
const SECOND: u64 = 1_000_000_000;

/// A length of time in nanoseconds; it may be negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duration(i64);

impl Duration {
    /// So many minutes.
    pub const fn minutes(count: i64) -> Duration {
        Duration(count * 60 * SECOND as i64)
    }

    /// Reads numbers with units, one after the other; a lone `0` needs none.
    pub fn parse(text: &str) -> Option<Duration> {
        let (negative, mut rest) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        if rest == "0" {
            return Some(Duration(0));
        }
        let mut total: u128 = 0;
        loop {
            let end = rest.find(|character: char| !character.is_ascii_digit() && character != '.')?;
            let (number, after) = rest.split_at(end);
            let unit_end =
                after.find(|character: char| character.is_ascii_digit() || character == '.').unwrap_or(after.len());
            let (unit, after) = after.split_at(unit_end);
            let nanos = NANOS.iter().find(|(name, _)| *name == unit)?.1;
            total += nanos_of(number, nanos)?;
            if total > i64::MAX as u128 {
                return None;
            }
            if after.is_empty() {
                break;
            }
            rest = after;
        }
        let magnitude = i64::try_from(total).ok()?;
        Some(Duration(if negative { -magnitude } else { magnitude }))
    }

    /// As Go prints it: the largest units that are needed, down to seconds; below a second a smaller unit.
    pub fn text(self) -> String {
        let sign = if self.0 < 0 { "-" } else { "" };
        let nanos = self.0.unsigned_abs();
        let (hours, minutes, seconds) =
            (nanos / SECOND / 3600, nanos / SECOND / 60 % 60, decimal(nanos % (60 * SECOND), 9));
        match nanos {
            0 => "0s".to_owned(),
            1..1_000 => format!("{sign}{nanos}ns"),
            1_000..1_000_000 => format!("{sign}{}µs", decimal(nanos, 3)),
            1_000_000..SECOND => format!("{sign}{}ms", decimal(nanos, 6)),
            _ if hours > 0 => format!("{sign}{hours}h{minutes}m{seconds}s"),
            _ if minutes > 0 => format!("{sign}{minutes}m{seconds}s"),
            _ => format!("{sign}{seconds}s"),
        }
    }
}

/// A number such as `1`, `1.5` or `.5` times a unit, in nanoseconds; what is finer than that is cut off.
fn nanos_of(number: &str, unit: u64) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let digits = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<u64>().ok() };
    let fraction = &fraction[..fraction.len().min(18)];
    let part = u128::from(digits(fraction)?) * u128::from(unit) / 10u128.pow(fraction.len() as u32);
    Some(u128::from(digits(whole)?) * u128::from(unit) + part)
}

/// A number with so many of its digits behind the point, without zeros at the end.
fn decimal(number: u64, places: u32) -> String {
    let one = 10u64.pow(places);
    let text = format!("{}.{:0width$}", number / one, number % one, width = places as usize);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_and_printed_as_go_does() {
        for (sent, printed) in [
            ("24h", "24h0m0s"),
            ("5s", "5s"),
            ("90s", "1m30s"),
            ("1h30m", "1h30m0s"),
            ("1.5h", "1h30m0s"),
            (".5s", "500ms"),
            ("1.s", "1s"),
            ("0", "0s"),
            ("-0", "0s"),
            ("+5m", "5m0s"),
            ("-1m1.25s", "-1m1.25s"),
            ("1500us", "1.5ms"),
            ("1500ns", "1.5µs"),
            ("7ns", "7ns"),
            ("0.0000000019s", "1ns"),
            ("2562047h47m16.854775807s", "2562047h47m16.854775807s"),
        ] {
            assert_eq!(Duration::parse(sent).map(Duration::text).as_deref(), Some(printed), "{sent}");
        }
        for sent in ["", "-", "soon", "5", "s", ".s", "1.2.3s", "5 s", "1d", "3000000h", "99999999999999999999s", "é"]
        {
            assert_eq!(Duration::parse(sent), None, "{sent}");
        }
    }
}
