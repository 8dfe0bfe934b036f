//! What is written to standard error.

use super::typed::Typed;
use tracing::level_filters::LevelFilter;

/// The form of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What is written to standard error.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// From this level on.
    pub level: LevelFilter,
    /// The form of a line.
    pub format: LogFormat,
    /// Whether each request gets a line.
    pub requests: bool,
}

impl LogSettings {
    pub(super) fn resolve(typed: &Typed) -> LogSettings {
        LogSettings {
            level: typed.text("log.level").parse().expect("the table of keys allows levels only"),
            format: if typed.text("log.format") == "json" { LogFormat::Json } else { LogFormat::Text },
            requests: typed.flag("log.requests"),
        }
    }
}
