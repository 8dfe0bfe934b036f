//! Metadata: JSON objects that callers give, kept to the digit.

use super::validate::Problems;
use crate::decode::RawObject;
use crate::http::error::{ApiError, Code};
use ledger::limits::METADATA_BYTES_MAX;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Keys of transactions that the server writes itself. A caller who gives them is not heard: flags have fields of their own.
const RESERVED: [&str; 9] = [
    "QUEUED_PARENT_TRANSACTION",
    "inflight",
    "atomic",
    "allow_overdraft",
    "queue_lane",
    "queue_pair_key",
    "blnk_rejection_reason",
    EXCHANGE,
    FUND_ALLOCATION,
];
/// Key by which a caller tells where the money of a transaction comes from.
pub const PROVIDER: &str = "BLNK_LINEAGE_PROVIDER";
/// Key of what a transaction spent of each provider.
pub const FUND_ALLOCATION: &str = "BLNK_FUND_ALLOCATION";
/// Key of what a leg of an exchange says about the whole; see [`super::exchange::LegFacts`].
pub const EXCHANGE: &str = "florin_exchange";

/// A JSON object whose values are kept as they were written, its keys in order.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Metadata(BTreeMap<String, Box<RawValue>>);

impl Metadata {
    /// Reads a stored object. An empty text is none, and so is what is no object.
    pub fn parse(text: &str) -> Option<Metadata> {
        if text.is_empty() { None } else { serde_json::from_str(text).ok() }
    }

    /// The value of a key, as it was written.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(|value| value.get())
    }

    /// How long its keys and values are together.
    pub fn bytes(&self) -> usize {
        self.0.iter().map(|(key, value)| key.len() + value.get().len()).sum()
    }

    /// Sets a key.
    pub fn set(&mut self, key: &str, value: impl Serialize) {
        let value = serde_json::value::to_raw_value(&value).expect("texts, numbers and flags can be written");
        self.0.insert(key.to_owned(), value);
    }

    /// Takes a key away.
    pub fn remove(&mut self, key: &str) {
        self.0.remove(key);
    }

    /// Takes over all keys of another; its values win.
    pub fn merge(&mut self, other: Metadata) {
        self.0.extend(other.0);
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The object as text.
    pub fn whole_text(&self) -> String {
        serde_json::to_string(&self.0).expect("what was read can be written")
    }

    /// The object as text, empty for none.
    pub fn text(&self) -> String {
        if self.0.is_empty() { String::new() } else { self.whole_text() }
    }
}

/// The text of metadata that a new row takes over, with what the request gives over it.
pub fn inherit(mut inherited: Metadata, given: Option<Metadata>) -> Result<String, ApiError> {
    let Some(given) = given else { return Ok(inherited.text()) };
    inherited.merge(given);
    let text = inherited.text();
    // What is merely inherited is as long as it is; merging must not make it grow from row to row.
    let mut problems = Problems::default();
    problems.length("meta_data", &text, METADATA_BYTES_MAX);
    problems.into_result(Code::TxnValidationError)?;
    Ok(text)
}

/// What a request gives, read as it is stored.
pub fn given(raw: Option<RawObject<'_>>) -> Option<Metadata> {
    Metadata::parse(&stored(raw?.0))
}

/// The metadata of a transaction as it is stored: without the keys that the server writes itself; empty for none.
pub fn stored(raw: &str) -> std::borrow::Cow<'_, str> {
    let suspicious = RESERVED.iter().any(|key| raw.contains(key)) || raw.contains('\\');
    if !suspicious {
        return if raw.len() < 8 && raw.bytes().all(|byte| b"{} \t\r\n".contains(&byte)) {
            "".into()
        } else {
            raw.into()
        };
    }
    let Some(mut metadata) = Metadata::parse(raw) else { return raw.into() };
    metadata.0.retain(|key, _| !RESERVED.contains(&key.as_str()));
    metadata.text().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_keys_are_not_heard() {
        assert_eq!(stored(r#"{"inflight": true, "shop": "x"}"#), r#"{"shop":"x"}"#);
        assert_eq!(stored(r#"{"\u0069nflight": true}"#), "");
        assert_eq!(stored(r#"{"note": "inflight"}"#), r#"{"note":"inflight"}"#);
        assert_eq!(stored("{ }"), "");
        assert_eq!(stored(r#"{"n": 9007199254740993}"#), r#"{"n": 9007199254740993}"#);
    }

    #[test]
    fn values_keep_their_digits() {
        let mut metadata = Metadata::parse(r#"{"n": 123456789012345678901234567890, "a": 1.10}"#).expect("an object");
        metadata.set("z", true);
        assert_eq!(metadata.text(), r#"{"a":1.10,"n":123456789012345678901234567890,"z":true}"#);
    }
}
