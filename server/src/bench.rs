//! `florin bench`: a load generator for any server that speaks this API.
//!
//! The client usually shares its machine with the server that it measures, so what it spends is taken from the server.
//! Everything on the hot path follows from that: one thread, one `epoll` set, requests that are built once and patched
//! in place, replies that are framed but not parsed.
//!
//! A run has these phases, in this order: connect, create a ledger and balances, fund them, warm up, measure, check.
//! Only the measured phase counts for throughput and latency; the check covers everything that was acknowledged.

mod body;
mod chart;
mod check;
mod environment;
mod exchange;
mod failures;
mod fault;
mod latency;
mod load;
mod plan;
mod postings;
mod process;
mod reply;
mod report;
mod schedule;
mod setup;
mod table;

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub use fault::BenchFault;

use check::Verdict;
use exchange::Exchange;
use plan::Plan;
use process::{PeakWatch, Watched};
use report::Report;

/// What to send, how fast, and what to write down.
#[derive(clap::Args, Clone, Debug)]
pub struct BenchOptions {
    /// Server to load. Plain HTTP only.
    #[arg(long, default_value = "http://127.0.0.1:5001")]
    pub url: String,
    /// API key, sent as X-Blnk-Key.
    #[arg(long)]
    pub key: Option<String>,
    /// Connections, each with at most one request under way.
    #[arg(long, default_value_t = 64)]
    pub connections: usize,
    /// Transactions per request to /transactions/bulk; 0 sends each alone to /transactions.
    #[arg(long, default_value_t = 0)]
    pub bulk: usize,
    /// How long to measure, such as 500ms, 10s or 2m [default: 10s].
    #[arg(long, value_parser = plan::parse_duration, conflicts_with = "count")]
    pub duration: Option<Duration>,
    /// Measure this many transactions instead of a duration, rounded up to whole requests.
    #[arg(long)]
    pub count: Option<u64>,
    /// Load before the measurement, at the same rate and not counted.
    #[arg(long, value_parser = plan::parse_duration, default_value = "2s")]
    pub warmup: Duration,
    /// Open loop: transactions per second, sent at fixed times whether or not earlier ones were answered. Latency counts
    /// from the intended time. Without it each connection sends its next request when the last one was answered.
    #[arg(long)]
    pub rate: Option<u64>,
    /// Balances to create; sources and destinations are drawn from them uniformly.
    #[arg(long, default_value_t = 1000)]
    pub balances: usize,
    /// Percentage of transactions that have the one hot balance as source or as destination.
    #[arg(long, default_value_t = 0, value_name = "PERCENT")]
    pub hot_share: u32,
    /// Send to the queue (the API's default) instead of asking for the final status in the answer (skip_queue).
    #[arg(long)]
    pub queued: bool,
    /// Ask for all-or-nothing batches.
    #[arg(long)]
    pub atomic: bool,
    /// Reserve (holds) instead of posting.
    #[arg(long)]
    pub inflight: bool,
    /// Currency of the balances and transactions.
    #[arg(long, default_value = "USD")]
    pub currency: String,
    /// Let sources overdraw instead of funding them first and having funds checked.
    #[arg(long)]
    pub overdraft: bool,
    /// Bytes of metadata text in each transaction; 0 sends none.
    #[arg(long, default_value_t = 0)]
    pub meta_bytes: usize,
    /// Processes whose CPU and memory are the server's, with their children [default: who listens on the port].
    #[arg(long, value_delimiter = ',', value_name = "PID")]
    pub server_pid: Vec<u32>,
    /// The server's data folder, to measure its size [default: the server's own --data argument].
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// After the run, read every balance back and compare the sums with what was acknowledged.
    #[arg(long)]
    pub check: bool,
    /// Give up on an answer after this long.
    #[arg(long, value_parser = plan::parse_duration, default_value = "30s")]
    pub timeout: Duration,
    /// Write everything as JSON to this file; - is standard output.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Draw latency and throughput over time into this SVG file.
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Chooses the same balances and amounts again. References differ in every run.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// Runs one benchmark and prints its report.
///
/// The report is printed and the files are written before failed requests or a failed check make this an error.
pub fn run(options: BenchOptions) -> Result<(), BenchFault> {
    let plan = Plan::resolve(&options)?;
    exchange::raise_file_limit(plan.connections)?;
    let watched = Watched::find(&options.server_pid, plan.target.address);
    let data = options.data.clone().or_else(|| watched.data_folder());
    let mut exchange = Exchange::open(plan.target.address, plan.connections, plan.timeout)?;

    let environment = environment::describe(&mut exchange, &plan, data.as_deref())?;
    let (setup, pool) = setup::prepare(&plan, &mut exchange)?;
    let data_before = data.as_deref().and_then(environment::folder_bytes);
    let started_at = SystemTime::now();
    let peak = PeakWatch::start(&watched);
    let mut load = load::Load::new(&plan, &pool, &watched, Instant::now());
    let ending = exchange.run(&mut load)?;
    let memory_peak_bytes = peak.stop();
    let outcome = load.finish(ending);
    let data_after = data.as_deref().and_then(environment::folder_bytes);
    let verdict = match options.check {
        true => Some(check::check(&plan, &mut exchange, &pool, &outcome)?),
        false => None,
    };

    let report = Report {
        started_unix_seconds: started_at.duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs()),
        options: report::OptionsUsed::new(&plan, &options),
        environment,
        setup,
        outcome,
        memory: report::Memory { peak_bytes: memory_peak_bytes, at_end: watched.memory() },
        disk: report::Disk::new(data, data_before, data_after),
        check: verdict,
    };
    publish(&report, &options)?;
    judge(&report)
}

/// Writes the report to wherever it was asked for.
fn publish(report: &Report, options: &BenchOptions) -> Result<(), BenchFault> {
    let text = table::render(report);
    let json_on_stdout = options.json.as_ref().is_some_and(|path| path.as_os_str() == "-");
    match json_on_stdout {
        true => eprint!("{text}"),
        false => print!("{text}"),
    }
    if let Some(path) = &options.json {
        let mut json = serde_json::to_string_pretty(report).expect("a report has only text keys");
        json.push('\n');
        match json_on_stdout {
            true => print!("{json}"),
            false => {
                std::fs::write(path, json).map_err(|source| BenchFault::Write { path: path.clone(), source })?;
            }
        }
    }
    match &options.svg {
        Some(path) => chart::draw(report, path),
        None => Ok(()),
    }
}

/// A run whose requests failed or whose books do not add up is not a success, whatever its speed.
fn judge(report: &Report) -> Result<(), BenchFault> {
    if let Some(Verdict { findings, .. }) = &report.check
        && !findings.is_empty()
    {
        return Err(BenchFault::CheckFailed { findings: findings.clone() });
    }
    let failed = report.outcome.failures.count();
    if failed > 0 || report.outcome.requests_never_sent > 0 {
        let never_sent = report.outcome.requests_never_sent;
        return Err(BenchFault::RequestsFailed { failed, never_sent, answered: report.outcome.requests });
    }
    Ok(())
}
