//! Options in the form that the run uses: checked once, here, and not again.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::postings::Random;
use super::{BenchFault, BenchOptions};

/// More connections than this exhaust the ports of one address pair.
const CONNECTIONS_MAX: usize = 16_384;
/// The API refuses longer batches.
const BULK_MAX: usize = 10_000;
/// Identifiers are kept in memory.
const BALANCES_MAX: usize = 10_000_000;
const RATE_MAX: u64 = 100_000_000;
const COUNT_MAX: u64 = 5_000_000_000;
const DURATION_MAX: Duration = Duration::from_secs(24 * 3600);
const META_BYTES_MAX: usize = 4096;
/// Each connection keeps its request until it is answered.
const REQUESTS_BYTES_MAX: usize = 2 << 30;
/// The API's limit for a body, unless the server is configured otherwise.
const BODY_BYTES_MAX: usize = 5 << 20;
/// Text of one transaction without its metadata, generously.
const ITEM_BYTES_GUESS: usize = 320;

/// Where requests go.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub address: SocketAddr,
    /// Host and port for the `Host` header.
    pub host: String,
    /// Path before the routes, without a slash at its end.
    pub prefix: String,
    pub key: Option<String>,
}

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    Lasting(Duration),
    Requests(u64),
}

/// A benchmark that can be run as it stands.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub target: Target,
    pub connections: usize,
    /// Whether requests go to the bulk route.
    pub bulk: bool,
    pub items_per_request: usize,
    pub extent: Extent,
    pub warmup: Duration,
    /// Transactions per second of an open loop.
    pub rate: Option<u64>,
    pub balances: usize,
    pub hot_share: u32,
    pub queued: bool,
    pub atomic: bool,
    pub inflight: bool,
    pub currency: String,
    pub overdraft: bool,
    pub meta_bytes: usize,
    pub timeout: Duration,
    pub seed: u64,
    /// Starts every reference. Differs between runs, also of the same seed.
    pub run_id: u64,
}

impl Plan {
    pub fn resolve(options: &BenchOptions) -> Result<Self, BenchFault> {
        check_ranges(options)?;
        let items_per_request = options.bulk.max(1);
        let extent = match (options.count, options.duration) {
            (Some(count), _) => Extent::Requests(count.div_ceil(items_per_request as u64)),
            (None, duration) => Extent::Lasting(duration.unwrap_or(Duration::from_secs(10))),
        };
        Ok(Self {
            target: Target::resolve(&options.url, options.key.clone())?,
            connections: options.connections,
            bulk: options.bulk > 0,
            items_per_request,
            extent,
            warmup: options.warmup,
            rate: options.rate,
            balances: options.balances,
            hot_share: options.hot_share,
            queued: options.queued,
            atomic: options.atomic,
            inflight: options.inflight,
            currency: options.currency.clone(),
            overdraft: options.overdraft,
            meta_bytes: options.meta_bytes,
            timeout: options.timeout,
            seed: options.seed,
            run_id: run_id(options.seed),
        })
    }
}

impl Target {
    fn resolve(url: &str, key: Option<String>) -> Result<Self, BenchFault> {
        let bad = |reason: String| BenchFault::BadOption { option: "url", reason };
        if url.starts_with("https://") {
            return Err(bad("only http:// can be loaded; connect behind whatever ends TLS".to_owned()));
        }
        let rest = url.strip_prefix("http://").ok_or_else(|| bad(format!("{url} does not start with http://")))?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let with_port = if has_port { authority.to_owned() } else { format!("{authority}:80") };
        let printable = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if authority.is_empty() || !printable(rest) || rest.contains(['?', '#', '@']) {
            return Err(bad(format!("{url} is not of the form http://HOST:PORT[/PATH]")));
        }
        let address = with_port
            .to_socket_addrs()
            .map_err(|source| BenchFault::Resolve { host: with_port.clone(), source })?
            .next()
            .ok_or_else(|| bad(format!("{with_port} has no address")))?;
        let path = path.trim_end_matches('/');
        let prefix = if path.is_empty() { String::new() } else { format!("/{path}") };
        Ok(Self { address, host: authority.to_owned(), prefix, key })
    }
}

/// A flat list: one line per rule, the first broken one is reported.
fn check_ranges(options: &BenchOptions) -> Result<(), BenchFault> {
    let items = options.bulk.max(1);
    let body_bytes = items * (ITEM_BYTES_GUESS + options.meta_bytes.min(META_BYTES_MAX));
    let limited = options.duration.unwrap_or(Duration::from_secs(10));
    let key_printable = options.key.as_ref().is_none_or(|key| key.bytes().all(|byte| byte.is_ascii_graphic()));
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    let rules: [(bool, &'static str, String); 17] = [
        (key_printable, "key", "must be printable ASCII without spaces".to_owned()),
        (in_range(options.connections, 1, CONNECTIONS_MAX), "connections", format!("must be 1 to {CONNECTIONS_MAX}")),
        (options.bulk <= BULK_MAX, "bulk", format!("must be 0 (one by one) to {BULK_MAX}, the API's limit")),
        (limited <= DURATION_MAX && !limited.is_zero(), "duration", "must be more than 0 and at most 24h".to_owned()),
        (options.count != Some(0), "count", "must be at least 1".to_owned()),
        (options.count.is_none_or(|count| count <= COUNT_MAX), "count", format!("must be at most {COUNT_MAX}")),
        (options.warmup <= DURATION_MAX, "warmup", "must be at most 24h".to_owned()),
        (options.rate.is_none_or(|rate| in_range(rate, 1, RATE_MAX)), "rate", format!("must be 1 to {RATE_MAX}")),
        (in_range(options.balances, 2, BALANCES_MAX), "balances", format!("must be 2 to {BALANCES_MAX}")),
        (options.hot_share <= 100, "hot-share", "is a percentage, 0 to 100".to_owned()),
        (
            options.balances >= 3 || matches!(options.hot_share, 0 | 100),
            "hot-share",
            "needs at least 3 --balances unless it is 0 or 100".to_owned(),
        ),
        (options.bulk > 0 || !options.atomic, "atomic", "is a property of a batch; add --bulk N".to_owned()),
        (
            in_range(options.currency.len(), 1, 32) && plain(&options.currency),
            "currency",
            "must be 1 to 32 letters, digits, '_', '-' or '.'".to_owned(),
        ),
        (options.meta_bytes <= META_BYTES_MAX, "meta-bytes", format!("must be at most {META_BYTES_MAX}")),
        (
            body_bytes <= BODY_BYTES_MAX,
            "bulk",
            format!("with --meta-bytes makes bodies of about {body_bytes} bytes; the API allows {BODY_BYTES_MAX}"),
        ),
        (
            body_bytes.saturating_mul(options.connections) <= REQUESTS_BYTES_MAX,
            "connections",
            format!("times the body size exceeds {REQUESTS_BYTES_MAX} bytes of client memory; lower either"),
        ),
        (
            options.timeout >= Duration::from_millis(100) && options.timeout <= DURATION_MAX,
            "timeout",
            "must be 100ms to 24h".to_owned(),
        ),
    ];
    match rules.into_iter().find(|(holds, _, _)| !holds) {
        Some((_, option, reason)) => Err(BenchFault::BadOption { option, reason }),
        None => Ok(()),
    }
}

fn in_range<T: PartialOrd>(value: T, low: T, high: T) -> bool {
    value >= low && value <= high
}

/// Two runs share references only if they start in the same nanosecond in the same process number with the same seed.
fn run_id(seed: u64) -> u64 {
    let nanoseconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_nanos() as u64);
    let mut random = Random::new(nanoseconds ^ (u64::from(std::process::id()) << 48));
    random.next() ^ Random::new(seed).next()
}

/// Reads `500ms`, `10s`, `2m` or `1h`.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    let digits = text.len() - text.trim_start_matches(|character: char| character.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| format!("{text} does not start with a whole number, as in 10s"))?;
    let milliseconds = match unit {
        "ms" => Some(number),
        "s" | "" => number.checked_mul(1_000),
        "m" => number.checked_mul(60_000),
        "h" => number.checked_mul(3_600_000),
        _ => return Err(format!("{unit} is not a unit; use ms, s, m or h")),
    };
    milliseconds.map(Duration::from_millis).ok_or_else(|| format!("{text} is too long"))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: BenchOptions,
    }

    pub fn options(arguments: &str) -> Result<BenchOptions, clap::Error> {
        Line::try_parse_from(format!("bench {arguments}").split_whitespace()).map(|line| line.options)
    }

    pub fn plan(arguments: &str) -> Plan {
        Plan::resolve(&options(arguments).expect("arguments parse")).expect("options are valid")
    }

    fn refusal(arguments: &str) -> String {
        Plan::resolve(&options(arguments).expect("arguments parse")).expect_err(arguments).to_string()
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(parse_duration("7"), Ok(Duration::from_secs(7)));
        assert_eq!(parse_duration("2m"), Ok(Duration::from_secs(120)));
        assert!(parse_duration("fast").is_err());
        assert!(parse_duration("1.5s").is_err());
        assert!(parse_duration("99999999999999999h").is_err());
    }

    #[test]
    fn defaults_are_valid_and_counts_round_up_to_requests() {
        assert_eq!(plan("").extent, Extent::Lasting(Duration::from_secs(10)));
        assert_eq!(plan("--bulk 1000 --count 2500").extent, Extent::Requests(3));
        assert_eq!(plan("--url http://127.0.0.1:80/ledger/").target.prefix, "/ledger");
        assert_eq!(plan("--url http://127.0.0.1").target.address.port(), 80);
    }

    #[test]
    fn refusals_name_the_option() {
        for (arguments, expected) in [
            ("--connections 0", "--connections: must be 1 to"),
            ("--bulk 10001", "--bulk: must be 0"),
            ("--duration 0s", "--duration: must be more than 0"),
            ("--count 0", "--count: must be at least 1"),
            ("--rate 0", "--rate: must be 1 to"),
            ("--balances 1", "--balances: must be 2 to"),
            ("--hot-share 101", "--hot-share: is a percentage"),
            ("--hot-share 50 --balances 2", "--hot-share: needs at least 3"),
            ("--atomic", "--atomic: is a property of a batch"),
            ("--currency \"", "--currency: must be"),
            ("--bulk 10000 --meta-bytes 4000", "--bulk: with --meta-bytes"),
            ("--bulk 10000 --connections 16384", "--connections: times the body size"),
            ("--url https://127.0.0.1", "--url: only http://"),
            ("--url 127.0.0.1:1", "--url: 127.0.0.1:1 does not start"),
            ("--url http://", "--url: http:// is not of the form"),
            ("--timeout 1ms", "--timeout: must be"),
        ] {
            let message = refusal(arguments);
            assert!(message.starts_with(expected), "{arguments}: {message}");
        }
        assert!(options("--count 5 --duration 5s").is_err());
    }

    #[test]
    fn runs_of_one_seed_have_different_ids() {
        assert_ne!(plan("").run_id, plan("").run_id);
    }
}
