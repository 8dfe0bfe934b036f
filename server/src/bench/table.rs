//! The report as a page of text.

use std::fmt::Write;

use super::latency::milliseconds;
use super::process::Usage;
use super::report::{Report, grouped, nanoseconds_per_transaction};

const LABEL_WIDTH: usize = 12;
const MEBIBYTE: u64 = 1 << 20;

/// Lines of a label and a text.
struct Page(String);

impl Page {
    fn line(&mut self, label: &str, text: &str) {
        writeln!(self.0, "  {label:<LABEL_WIDTH$} {text}").expect("text grows");
    }

    fn gap(&mut self) {
        self.0.push('\n');
    }
}

/// Renders a report for a terminal.
pub(super) fn render(report: &Report) -> String {
    let mut page = Page(String::from("\nflorin bench\n\n"));
    setting(&mut page, report);
    page.gap();
    result(&mut page, report);
    page.gap();
    cost(&mut page, report);
    page.gap();
    failures(&mut page, report);
    check(&mut page, report);
    page.0
}

fn setting(page: &mut Page, report: &Report) {
    let environment = &report.environment;
    let (options, setup) = (&report.options, &report.setup);
    page.line("server", &environment.url);
    let sync = environment.sync.as_deref().unwrap_or("not said by the server");
    page.line("sync", sync);
    let disk = match &environment.file_system {
        Some(found) => format!("{} on {} ({})", found.kind, found.device, found.options),
        None => "unknown; name the server's data folder with --data".to_owned(),
    };
    page.line("disk", &disk);
    let memory = grouped(environment.memory_bytes / MEBIBYTE);
    let cores = environment.cores;
    let machine = format!("{cores} cores, {memory} MiB, {}, Linux {}", environment.processor, environment.kernel);
    page.line("machine", &machine);
    page.line("load", &options.sentence());
    let extent = match (options.duration_milliseconds, options.count) {
        (_, Some(count)) => format!("{} transactions", grouped(count)),
        (duration, None) => format!("{} ms", grouped(duration.unwrap_or(0))),
    };
    let warmup = grouped(options.warmup_milliseconds);
    let (seed, run_id) = (options.seed, &options.run_id);
    page.line("extent", &format!("{extent} after {warmup} ms of warm-up, seed {seed}, run {run_id}"));
    let mut prepared =
        format!("{} {} made in {} ms", grouped(setup.balances as u64), options.currency, setup.balances_milliseconds);
    if setup.funded > 0 {
        write!(prepared, ", funded in {} ms", setup.funding_milliseconds).expect("text grows");
    }
    page.line("balances", &prepared);
}

fn result(page: &mut Page, report: &Report) {
    let outcome = &report.outcome;
    let (transactions, requests) = (grouped(outcome.transactions), grouped(outcome.requests));
    let elapsed = milliseconds(outcome.elapsed_microseconds / 1000);
    page.line("measured", &format!("{transactions} transactions in {requests} requests, {elapsed} s"));
    let rates = (grouped(outcome.transactions_per_second), grouped(outcome.requests_per_second));
    page.line("throughput", &format!("{} tx/s   {} requests/s", rates.0, rates.1));
    let latency = &outcome.latency;
    let shown = [
        ("p50", latency.p50_microseconds),
        ("p90", latency.p90_microseconds),
        ("p99", latency.p99_microseconds),
        ("p99.9", latency.p999_microseconds),
        ("max", latency.max_microseconds),
    ]
    .map(|(name, microseconds)| format!("{name} {}", milliseconds(microseconds)));
    let counted = if report.options.rate.is_some() { "from the intended time" } else { "from the first byte sent" };
    page.line("latency ms", &format!("{}   (a request, {counted})", shown.join("   ")));
}

fn cost(page: &mut Page, report: &Report) {
    let outcome = &report.outcome;
    for (label, usage) in [("server CPU", outcome.server_cpu), ("client CPU", outcome.client_cpu)] {
        page.line(label, &cpu(usage, outcome.transactions_while_cpu_was_counted, outcome.elapsed_microseconds));
    }
    let memory = match (report.memory.peak_bytes, report.memory.at_end) {
        (Some(peak), Some(end)) => format!(
            "{} MiB at most, {} MiB at the end, {} MiB of it anonymous",
            grouped(peak / MEBIBYTE),
            grouped(end.resident_bytes / MEBIBYTE),
            grouped(end.anonymous_bytes / MEBIBYTE)
        ),
        _ => "unknown; name the server's process with --server-pid".to_owned(),
    };
    page.line("server RSS", &memory);
    let disk = match &report.disk {
        Some(disk) => {
            let grown = disk.after_bytes.saturating_sub(disk.before_bytes);
            let each = grown.checked_div(outcome.acknowledged.transactions).unwrap_or(0);
            let (after, folder) = (grouped(disk.after_bytes / MEBIBYTE), disk.folder.display());
            format!("{after} MiB in {folder}, {each} bytes more for each transaction of this run")
        }
        None => "unknown; name the server's data folder with --data".to_owned(),
    };
    page.line("server disk", &disk);
}

fn cpu(usage: Option<Usage>, transactions: u64, elapsed_microseconds: u64) -> String {
    let each = |nanoseconds: u64| milliseconds(nanoseconds.checked_div(transactions).unwrap_or(0));
    match (usage, nanoseconds_per_transaction(usage, transactions)) {
        (Some(usage), Some(total)) => format!(
            "{} µs/tx ({} user, {} system), {} % of one core",
            milliseconds(total),
            each(usage.user_nanoseconds),
            each(usage.system_nanoseconds),
            usage.total_nanoseconds() / (elapsed_microseconds * 10).max(1),
        ),
        _ => "unknown".to_owned(),
    }
}

fn failures(page: &mut Page, report: &Report) {
    let outcome = &report.outcome;
    page.line("failed", &format!("{} requests, the warm-up included", grouped(outcome.failures.count())));
    for failure in outcome.failures.list() {
        let status = if failure.status == 0 { "no reply".to_owned() } else { failure.status.to_string() };
        page.line("", &format!("{} × {status} {}", grouped(failure.requests), failure.code));
        if !failure.sample.is_empty() {
            page.line("", &format!("  first: {}", failure.sample));
        }
    }
    if outcome.requests_never_sent > 0 {
        let count = grouped(outcome.requests_never_sent);
        page.line("never sent", &format!("{count} requests were due and found no free connection in time"));
    }
    if outcome.server_gone {
        page.line("ended early", "the server could not be reached any more");
    }
}

fn check(page: &mut Page, report: &Report) {
    let Some(verdict) = &report.check else {
        page.line("check", "not asked for (--check)");
        return;
    };
    let acknowledged = &report.outcome.acknowledged;
    let (transactions, minor) = (grouped(acknowledged.transactions), grouped(acknowledged.minor));
    match verdict.findings.is_empty() {
        true => page.line(
            "check",
            &format!("the books agree with {transactions} acknowledged transactions of {minor} minor units; none lost, none doubled"),
        ),
        false => page.line("check", "FAILED"),
    }
    for finding in &verdict.findings {
        page.line("", finding);
    }
    if report.options.queued {
        page.line("", &format!("the queue was drained {} ms after the last answer", verdict.settled_milliseconds));
    }
}
