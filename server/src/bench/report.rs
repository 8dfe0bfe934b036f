//! Everything a run is worth, as it is written to `--json`. Whole numbers with their unit in the name.

use std::path::PathBuf;

use serde::Serialize;

use super::BenchOptions;
use super::check::Verdict;
use super::environment::Environment;
use super::load::Outcome;
use super::plan::{Extent, Plan};
use super::process::{MemoryUse, Usage, absolute};
use super::setup::Setup;

/// A whole run.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    pub started_unix_seconds: u64,
    pub options: OptionsUsed,
    pub environment: Environment,
    pub setup: Setup,
    pub outcome: Outcome,
    pub memory: Memory,
    pub disk: Option<Disk>,
    pub check: Option<Verdict>,
}

/// What was asked for, defaults filled in.
#[derive(Clone, Debug, Serialize)]
pub(super) struct OptionsUsed {
    pub connections: usize,
    pub bulk: usize,
    pub duration_milliseconds: Option<u64>,
    pub count: Option<u64>,
    pub warmup_milliseconds: u64,
    pub rate: Option<u64>,
    pub balances: usize,
    pub hot_share: u32,
    pub queued: bool,
    pub atomic: bool,
    pub inflight: bool,
    pub currency: String,
    pub overdraft: bool,
    pub meta_bytes: usize,
    pub timeout_milliseconds: u64,
    pub seed: u64,
    pub run_id: String,
}

impl OptionsUsed {
    pub fn new(plan: &Plan, options: &BenchOptions) -> Self {
        let (duration_milliseconds, count) = match plan.extent {
            Extent::Lasting(duration) => (Some(duration.as_millis() as u64), None),
            Extent::Requests(requests) => (None, Some(requests * plan.items_per_request as u64)),
        };
        Self {
            connections: plan.connections,
            bulk: options.bulk,
            duration_milliseconds,
            count,
            warmup_milliseconds: plan.warmup.as_millis() as u64,
            rate: plan.rate,
            balances: plan.balances,
            hot_share: plan.hot_share,
            queued: plan.queued,
            atomic: plan.atomic,
            inflight: plan.inflight,
            currency: plan.currency.clone(),
            overdraft: plan.overdraft,
            meta_bytes: plan.meta_bytes,
            timeout_milliseconds: plan.timeout.as_millis() as u64,
            seed: plan.seed,
            run_id: format!("{:016x}", plan.run_id),
        }
    }

    /// The load in words.
    pub fn sentence(&self) -> String {
        let pace = match self.rate {
            Some(rate) => format!("open loop at {} tx/s", grouped(rate)),
            None => "closed loop".to_owned(),
        };
        let shape = match self.bulk {
            0 => "one transaction a request".to_owned(),
            bulk => format!("{} transactions a request", grouped(bulk as u64)),
        };
        let connections = match self.connections {
            1 => "1 connection".to_owned(),
            count => format!("{} connections", grouped(count as u64)),
        };
        let mut parts = vec![pace, connections, shape];
        parts.push(if self.queued { "queued" } else { "immediate" }.to_owned());
        parts.extend(self.atomic.then(|| "atomic".to_owned()));
        parts.extend(self.inflight.then(|| "holds".to_owned()));
        parts.push(if self.overdraft { "overdraft allowed" } else { "funds checked" }.to_owned());
        parts.extend((self.hot_share > 0).then(|| format!("{} % on one hot balance", self.hot_share)));
        parts.extend((self.meta_bytes > 0).then(|| format!("{} bytes of metadata", grouped(self.meta_bytes as u64))));
        parts.join(", ")
    }
}

/// Memory of the server.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Memory {
    /// Highest resident memory seen during the run.
    pub peak_bytes: Option<u64>,
    pub at_end: Option<MemoryUse>,
}

/// Space that the data folder takes on disk.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Disk {
    pub folder: PathBuf,
    /// After balances were created and funded.
    pub before_bytes: u64,
    pub after_bytes: u64,
}

impl Disk {
    pub fn new(folder: Option<PathBuf>, before: Option<u64>, after: Option<u64>) -> Option<Self> {
        Some(Self { folder: absolute(&folder?), before_bytes: before?, after_bytes: after? })
    }
}

/// CPU nanoseconds per transaction.
pub(super) fn nanoseconds_per_transaction(usage: Option<Usage>, transactions: u64) -> Option<u64> {
    usage?.total_nanoseconds().checked_div(transactions)
}

/// A number with thin groups of three digits.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::{options, plan};
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let texts = [0, 12, 999, 1_000, 12_345, 1_000_000].map(grouped);
        assert_eq!(texts, ["0", "12", "999", "1 000", "12 345", "1 000 000"]);
    }

    #[test]
    fn the_load_is_told_in_words() {
        let told = |arguments: &str| OptionsUsed::new(&plan(arguments), &options(arguments).expect("valid")).sentence();
        assert_eq!(told(""), "closed loop, 64 connections, one transaction a request, immediate, funds checked");
        assert_eq!(
            told("--bulk 1000 --rate 200000 --connections 1 --hot-share 100 --overdraft --queued"),
            "open loop at 200 000 tx/s, 1 connection, 1 000 transactions a request, queued, overdraft allowed, \
             100 % on one hot balance"
        );
    }
}
