//! The intended send times of an open loop.

use std::time::{Duration, Instant};

/// Request `n` is due at a time that depends on `n` alone: neither a slow server nor rounding shifts the later ones.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    start: Instant,
    items_per_request: u64,
    items_per_second: u64,
}

impl Schedule {
    pub fn new(start: Instant, items_per_request: usize, items_per_second: u64) -> Self {
        assert!(items_per_second > 0);
        Self { start, items_per_request: items_per_request as u64, items_per_second }
    }

    pub fn due(&self, request: u64) -> Instant {
        let items = u128::from(request) * u128::from(self.items_per_request);
        let nanoseconds = items * 1_000_000_000 / u128::from(self.items_per_second);
        self.start + Duration::from_nanos(u64::try_from(nanoseconds).expect("a run is shorter than 584 years"))
    }

    /// How many requests are due before `end`.
    pub fn due_before(&self, end: Instant) -> u64 {
        let nanoseconds = end.saturating_duration_since(self.start).as_nanos();
        let per_request = u128::from(self.items_per_request) * 1_000_000_000;
        let count = (nanoseconds * u128::from(self.items_per_second)).div_ceil(per_request);
        u64::try_from(count).expect("a run has fewer requests")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offsets(items_per_request: usize, rate: u64, requests: &[u64]) -> Vec<u128> {
        let start = Instant::now();
        let schedule = Schedule::new(start, items_per_request, rate);
        requests.iter().map(|request| (schedule.due(*request) - start).as_nanos()).collect()
    }

    #[test]
    fn requests_are_evenly_spaced() {
        assert_eq!(offsets(1000, 200_000, &[0, 1, 2, 200]), [0, 5_000_000, 10_000_000, 1_000_000_000]);
        assert_eq!(offsets(1, 10, &[0, 1, 25]), [0, 100_000_000, 2_500_000_000]);
    }

    #[test]
    fn rounding_does_not_add_up() {
        // A third of a second is no whole number of nanoseconds; after a day the error is still below one.
        assert_eq!(offsets(1, 3, &[1, 3, 3 * 86_400]), [333_333_333, 1_000_000_000, 86_400_000_000_000]);
    }

    #[test]
    fn the_count_before_an_end_matches_the_times() {
        let start = Instant::now();
        for (items, rate) in [(1000, 200_000), (1, 3), (7, 1_000)] {
            let schedule = Schedule::new(start, items, rate);
            for milliseconds in [0, 1, 5, 10, 333, 1_000, 1_001] {
                let end = start + Duration::from_millis(milliseconds);
                let count = schedule.due_before(end);
                assert!(count == 0 || schedule.due(count - 1) < end, "{items} {rate} {milliseconds}");
                assert!(schedule.due(count + 1) >= end, "{items} {rate} {milliseconds}");
            }
        }
    }
}
