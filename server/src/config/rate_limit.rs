//! Requests a client may make a second. Read and kept, not in force yet.

use super::typed::Typed;

/// Requests a second when neither rate nor burst is set.
pub const RATE_DEFAULT: f64 = 5_000_000.0;
/// Size of the bucket when neither rate nor burst is set.
pub const BURST_DEFAULT: u64 = 10_000_000;

/// Requests a client may make a second.
#[derive(Debug, Clone, PartialEq)]
pub struct RateLimitSettings {
    /// Requests a second.
    pub requests_per_second: f64,
    /// Size of the bucket.
    pub burst: u64,
    /// Buckets that were idle for so long are forgotten.
    pub cleanup_seconds: u64,
}

impl RateLimitSettings {
    #[expect(clippy::float_arithmetic, reason = "a rate of requests, not money")]
    pub(super) fn resolve(typed: &Typed, problems: &mut Vec<String>) -> RateLimitSettings {
        let rate = typed.number("rate_limit.requests_per_second");
        if rate.is_some_and(|rate| rate < 0.0) {
            problems.push("rate_limit.requests_per_second: expected zero or more".to_owned());
        }
        let (requests_per_second, burst) = match (rate, typed.count("rate_limit.burst")) {
            (None, None) => (RATE_DEFAULT, BURST_DEFAULT),
            (Some(rate), None) => (rate, (rate as u64).saturating_mul(2)),
            (None, Some(burst)) => (burst as f64 / 2.0, burst),
            (Some(rate), Some(burst)) => (rate, burst),
        };
        let cleanup_seconds = typed.count("rate_limit.cleanup_interval_sec").unwrap_or(10_800);
        RateLimitSettings { requests_per_second, burst, cleanup_seconds }
    }
}
