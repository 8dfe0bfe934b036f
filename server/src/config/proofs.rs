//! Who signs checkpoints of the books, and where they are put.

use super::Secret;
use super::accounts::is_usable;
use super::typed::Typed;
use super::value::Value;
use crate::proofs::note::is_name;
use axum::http::{HeaderValue, Uri};
use std::path::PathBuf;
use std::time::Duration;

/// Time between two checkpoints, unless set.
pub const INTERVAL_DEFAULT: Duration = Duration::from_secs(60);
/// Shortest time between two checkpoints.
pub const INTERVAL_MIN: Duration = Duration::from_secs(1);
/// Longest time between two checkpoints.
pub const INTERVAL_MAX: Duration = Duration::from_secs(24 * 60 * 60);

const ORIGIN: &str = "proofs.origin";
const URL: &str = "proofs.checkpoint_url";
const INTERVAL: &str = "proofs.checkpoint_interval";
const AUTHORIZATION: &str = "proofs.checkpoint_authorization";

/// Who signs checkpoints of the books, and where they are put.
#[derive(Debug, Clone)]
pub struct ProofsSettings {
    /// What the log is called, and its key.
    pub origin: Option<String>,
    /// The key that signs, as text.
    pub key: Secret,
    /// A file that holds it.
    pub key_file: Option<PathBuf>,
    /// The file that always holds the newest checkpoint.
    pub checkpoint_file: Option<PathBuf>,
    /// Where each checkpoint is sent.
    pub checkpoint_url: Option<Uri>,
    /// What it is sent with as `Authorization`, if anything.
    pub checkpoint_authorization: Secret,
    /// Time between two checkpoints.
    pub checkpoint_interval: Duration,
}

impl ProofsSettings {
    /// Nothing is set.
    pub fn none() -> ProofsSettings {
        ProofsSettings {
            origin: None,
            key: Secret::new(""),
            key_file: None,
            checkpoint_file: None,
            checkpoint_url: None,
            checkpoint_authorization: Secret::new(""),
            checkpoint_interval: INTERVAL_DEFAULT,
        }
    }

    pub(super) fn resolve(typed: &Typed, problems: &mut Vec<String>) -> ProofsSettings {
        let text = |path: &str| Some(typed.text(path)).filter(|text| !text.is_empty());
        let origin = text(ORIGIN).map(str::to_owned);
        if origin.as_deref().is_some_and(|origin| !is_name(origin)) {
            problems.push(format!("{ORIGIN}: expected a name without spaces and plus, such as example.com/books"));
        }
        let (key, key_file) = (Secret::new(typed.text("proofs.key")), text("proofs.key_file").map(PathBuf::from));
        if key.is_set() && key_file.is_some() {
            problems.push("proofs.key and proofs.key_file are both set: only one of them can be the key".to_owned());
        }
        let checkpoint_url = text(URL).and_then(|text| {
            let url = text.parse::<Uri>().ok().filter(is_usable);
            if url.is_none() {
                problems.push(format!("{URL}: expected an address such as https://witness.example.com/checkpoints"));
            }
            url
        });
        let authorization = typed.text(AUTHORIZATION);
        if HeaderValue::from_str(authorization).is_err() {
            problems.push(format!("{AUTHORIZATION}: it cannot stand in a header"));
        }
        let checkpoint_interval = match typed.given(INTERVAL).value {
            Value::Duration(interval) => interval,
            _ => INTERVAL_DEFAULT,
        };
        if !(INTERVAL_MIN..=INTERVAL_MAX).contains(&checkpoint_interval) {
            problems.push(format!("{INTERVAL}: expected from {INTERVAL_MIN:?} to {INTERVAL_MAX:?}"));
        }
        ProofsSettings {
            origin,
            key,
            key_file,
            checkpoint_file: text("proofs.checkpoint_file").map(PathBuf::from),
            checkpoint_url,
            checkpoint_authorization: Secret::new(authorization),
            checkpoint_interval,
        }
    }
}
