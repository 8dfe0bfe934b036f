//! Settings: what was typed ([`typed`]), against the table of all keys ([`keys`]), and the resolved form that the rest of
//! the program sees. Sources in order, the later wins: file, environment, flags.
//!
//! A setting is read here once, at the start. Nothing else looks at the environment.

pub mod accounts;
pub mod keys;
pub mod log;
pub mod posting;
pub mod print;
pub mod privacy;
pub mod proofs;
pub mod rate_limit;
pub mod scrub;
pub mod server;
pub mod source;
pub mod storage;
pub mod typed;
pub mod value;

use server::ServerSettings;
use std::fmt;
use typed::Typed;

/// Everything that can be set, resolved and checked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// A label for this server.
    pub project_name: String,
    /// Where and how requests are taken.
    pub server: ServerSettings,
    /// Where data is kept.
    pub storage: storage::StorageSettings,
    /// How what is on disk is read again and again.
    pub scrub: scrub::ScrubSettings,
    /// How transactions are taken.
    pub posting: posting::PostingSettings,
    /// Secrets that personal data is kept with.
    pub privacy: privacy::PrivacySettings,
    /// Requests a client may make a second. Read and kept, not in force yet.
    pub rate_limit: rate_limit::RateLimitSettings,
    /// Who signs checkpoints of the books, and where they are put.
    pub proofs: proofs::ProofsSettings,
    /// The service that makes the numbers of accounts, if there is one.
    pub account_numbers: Option<accounts::NumberService>,
    /// What is written to standard error.
    pub log: log::LogSettings,
}

impl Settings {
    /// Checks what was typed and turns it into settings. `insecure` is the flag of that name: it allows an address that
    /// others can reach although requests are not checked for a key.
    pub fn resolve(typed: &Typed, insecure: bool) -> Result<Settings, ConfigError> {
        let mut problems = Vec::new();
        let settings = Settings {
            project_name: typed.text("project_name").to_owned(),
            server: ServerSettings::resolve(typed, insecure, &mut problems),
            storage: storage::StorageSettings::resolve(typed, &mut problems),
            scrub: scrub::ScrubSettings::resolve(typed, &mut problems),
            posting: posting::PostingSettings::resolve(typed),
            privacy: privacy::PrivacySettings::resolve(typed, &mut problems),
            rate_limit: rate_limit::RateLimitSettings::resolve(typed, &mut problems),
            proofs: proofs::ProofsSettings::resolve(typed, &mut problems),
            account_numbers: accounts::NumberService::resolve(typed, &mut problems),
            log: log::LogSettings::resolve(typed),
        };
        if problems.is_empty() { Ok(settings) } else { Err(ConfigError { problems }) }
    }

    /// What the owner of the server should know about these settings, one line each.
    pub fn warnings(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.server.secure {
            lines.push("server.secure is off: requests are answered without a key".to_owned());
            if self.server.secret_key.is_set() {
                lines.push("server.secret_key is set, but not looked at while server.secure is off".to_owned());
            }
        }
        if self.privacy.tokenization_secret.is_set() && self.privacy.token_key().is_none() {
            lines.push("tokenization_secret is not of 32 bytes: tokenization is disabled".to_owned());
        }
        lines
    }
}

/// Why the settings cannot be used. All problems are told at once.
#[derive(Debug)]
pub struct ConfigError {
    /// One line each, with the key and where it was set.
    pub problems: Vec<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.problems.join("\n"))
    }
}

impl std::error::Error for ConfigError {}

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps `text`; empty means not set.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// Whether there is one.
    pub fn is_set(&self) -> bool {
        !self.0.is_empty()
    }

    /// The text itself, for comparing and signing.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.is_set() { "(set)" } else { "(not set)" })
    }
}
