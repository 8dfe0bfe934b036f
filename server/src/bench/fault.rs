use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a benchmark could not run, or why its result is not a success. Each message says what to do.
#[derive(Debug)]
pub enum BenchFault {
    /// An option has a value that cannot work.
    BadOption {
        /// Name of the option as it is typed.
        option: &'static str,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// The host name of the URL has no address.
    Resolve {
        /// Host and port.
        host: String,
        /// What the system said.
        source: io::Error,
    },
    /// The system allows fewer open files than there are connections.
    FileLimit {
        /// Files needed.
        needed: u64,
        /// Files allowed at most.
        allowed: u64,
    },
    /// The server could not be reached.
    Connect {
        /// Where it should be.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The system refused something that the client needs for itself.
    System {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A request before or after the measurement failed.
    Refused {
        /// What was asked for.
        step: &'static str,
        /// Status and start of the answer, or why there was none.
        answer: String,
    },
    /// A result file could not be written.
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The chart could not be drawn.
    Chart {
        /// The file.
        path: PathBuf,
        /// What the drawing library said.
        reason: String,
    },
    /// The measurement ended, and some of its requests had failed.
    RequestsFailed {
        /// Requests that failed.
        failed: u64,
        /// Requests that were due in an open loop and were never sent.
        never_sent: u64,
        /// Requests that succeeded.
        answered: u64,
    },
    /// The balances are not what the acknowledged transactions make them.
    CheckFailed {
        /// One sentence for each difference.
        findings: Vec<String>,
    },
}

impl fmt::Display for BenchFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadOption { option, reason } => write!(formatter, "--{option}: {reason}"),
            Self::Resolve { host, source } => {
                write!(formatter, "no address for {host} ({source}); check the host name in --url")
            }
            Self::FileLimit { needed, allowed } => write!(
                formatter,
                "{needed} open files are needed and {allowed} are allowed; use fewer --connections or raise `ulimit -Hn`"
            ),
            Self::Connect { address, source } => {
                write!(formatter, "cannot connect to {address} ({source}); start the server there or change --url")
            }
            Self::System { doing, source } => write!(formatter, "{doing} failed: {source}"),
            Self::Refused { step, answer } => write!(
                formatter,
                "{step} failed: {answer}. If the answer asks for a key pass --key; if it is a limit raise it on the server"
            ),
            Self::Write { path, source } => {
                write!(formatter, "cannot write {} ({source}); choose another place", path.display())
            }
            Self::Chart { path, reason } => {
                write!(formatter, "cannot draw {} ({reason}); choose another place or leave out --svg", path.display())
            }
            Self::RequestsFailed { failed, never_sent, answered } => write!(
                formatter,
                "{failed} requests failed, {never_sent} were never sent, {answered} succeeded; the report lists them by status and code"
            ),
            Self::CheckFailed { findings } => {
                write!(formatter, "the balances do not match what was acknowledged: {}", findings.join("; "))
            }
        }
    }
}

impl std::error::Error for BenchFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Resolve { source, .. }
            | Self::Connect { source, .. }
            | Self::System { source, .. }
            | Self::Write { source, .. } => Some(source),
            Self::BadOption { .. }
            | Self::FileLimit { .. }
            | Self::Refused { .. }
            | Self::Chart { .. }
            | Self::RequestsFailed { .. }
            | Self::CheckFailed { .. } => None,
        }
    }
}
