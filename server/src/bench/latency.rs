//! Latency of acknowledged requests, over the whole run and second by second. In microseconds.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::Serialize;

const MICROSECONDS_MAX: u64 = 3_600_000_000;
const SIGNIFICANT_DIGITS: u8 = 3;
const SECOND: Duration = Duration::from_secs(1);

/// What happened within one second of the measurement. Latencies are absent if nothing was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Second {
    pub transactions: u64,
    pub failed_requests: u64,
    pub p50_microseconds: Option<u64>,
    pub p99_microseconds: Option<u64>,
    pub max_microseconds: Option<u64>,
}

/// Percentiles of the whole measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Percentiles {
    pub p50_microseconds: u64,
    pub p90_microseconds: u64,
    pub p99_microseconds: u64,
    pub p999_microseconds: u64,
    pub max_microseconds: u64,
}

/// Collects latencies. Seconds are counted from `start`, by the time of the answer.
pub(super) struct Latency {
    total: Histogram<u64>,
    second: Histogram<u64>,
    second_end: Instant,
    transactions: u64,
    failed_requests: u64,
    seconds: Vec<Second>,
}

impl Latency {
    pub fn new(start: Instant) -> Self {
        let empty = Histogram::new_with_bounds(1, MICROSECONDS_MAX, SIGNIFICANT_DIGITS).expect("bounds are valid");
        Self {
            total: empty.clone(),
            second: empty,
            second_end: start + SECOND,
            transactions: 0,
            failed_requests: 0,
            seconds: Vec::new(),
        }
    }

    pub fn record(&mut self, now: Instant, from: Instant, transactions: u64) {
        self.advance(now);
        let microseconds = now.saturating_duration_since(from).as_micros() as u64;
        self.total.saturating_record(microseconds.max(1));
        self.second.saturating_record(microseconds.max(1));
        self.transactions += transactions;
    }

    pub fn record_failure(&mut self, now: Instant) {
        self.advance(now);
        self.failed_requests += 1;
    }

    /// Closes the seconds that are over, also those in which nothing was answered.
    pub fn advance(&mut self, now: Instant) {
        while now >= self.second_end {
            self.close_second();
            self.second_end += SECOND;
        }
    }

    fn close_second(&mut self) {
        let answered = !self.second.is_empty();
        self.seconds.push(Second {
            transactions: self.transactions,
            failed_requests: self.failed_requests,
            p50_microseconds: answered.then(|| self.second.value_at_quantile(0.5)),
            p99_microseconds: answered.then(|| self.second.value_at_quantile(0.99)),
            max_microseconds: answered.then(|| self.second.max()),
        });
        self.second.reset();
        self.transactions = 0;
        self.failed_requests = 0;
    }

    pub fn seconds(&self) -> &[Second] {
        &self.seconds
    }

    pub fn percentiles(&self) -> Percentiles {
        Percentiles {
            p50_microseconds: self.total.value_at_quantile(0.5),
            p90_microseconds: self.total.value_at_quantile(0.9),
            p99_microseconds: self.total.value_at_quantile(0.99),
            p999_microseconds: self.total.value_at_quantile(0.999),
            max_microseconds: self.total.max(),
        }
    }
}

/// Microseconds as milliseconds: three decimals below ten, two below a hundred, then one. Cut off, not rounded.
pub(super) fn milliseconds(microseconds: u64) -> String {
    let (whole, fraction) = (microseconds / 1000, microseconds % 1000);
    match whole {
        0..10 => format!("{whole}.{fraction:03}"),
        10..100 => format!("{whole}.{:02}", fraction / 10),
        _ => format!("{whole}.{}", fraction / 100),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_recorded_values() {
        let start = Instant::now();
        let mut latency = Latency::new(start);
        for microseconds in 1..=10_000 {
            latency.record(start + Duration::from_micros(microseconds), start, 1);
        }
        let found = latency.percentiles();
        for (value, expected) in [
            (found.p50_microseconds, 5_000),
            (found.p90_microseconds, 9_000),
            (found.p99_microseconds, 9_900),
            (found.p999_microseconds, 9_990),
            (found.max_microseconds, 10_000),
        ] {
            assert!(value.abs_diff(expected) <= expected / 500, "{value} is not about {expected}");
        }
    }

    #[test]
    fn a_stall_shows_as_empty_seconds_and_then_as_latency() {
        let start = Instant::now();
        let mut latency = Latency::new(start);
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        latency.record(at(100), at(99), 1000);
        latency.record(at(3_500), at(200), 1000);
        latency.record_failure(at(3_600));
        latency.advance(at(4_000));
        let transactions: Vec<u64> = latency.seconds().iter().map(|second| second.transactions).collect();
        assert_eq!(transactions, [1000, 0, 0, 1000]);
        assert_eq!(latency.seconds()[1].max_microseconds, None);
        assert!(latency.seconds()[3].max_microseconds.is_some_and(|max| (3_300_000..3_310_000).contains(&max)));
        assert_eq!(latency.seconds()[3].failed_requests, 1);
    }

    #[test]
    fn milliseconds_keep_about_three_digits() {
        for (microseconds, text) in
            [(0, "0.000"), (7, "0.007"), (1_820, "1.820"), (9_999, "9.999"), (88_129, "88.12"), (1_234_567, "1234.5")]
        {
            assert_eq!(milliseconds(microseconds), text);
        }
    }
}
