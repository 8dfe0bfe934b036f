//! JSON values of metadata: numbers of any size, compared exactly; containment as PostgreSQL's `@>` has it.

use super::number::Number;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// How deep values are looked into; what lies deeper equals nothing.
pub const DEPTH_MAX: usize = 64;

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Flag(bool),
    /// A number.
    Number(Number),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Json>),
    /// An object.
    Map(BTreeMap<String, Json>),
}

impl Json {
    /// Reads a value. `None` for what is no JSON, or too deep, or has a number beyond all doubles.
    pub fn parse(raw: &str) -> Option<Json> {
        parse(raw, DEPTH_MAX)
    }

    /// Whether it is a list or an object.
    pub const fn is_compound(&self) -> bool {
        matches!(self, Json::List(_) | Json::Map(_))
    }

    /// Whether the other value is contained in this one: equal, or a part of an object or a list. A single value is not
    /// contained in a list here, as metadata is always looked at below a key.
    pub fn contains(&self, other: &Json) -> bool {
        match (self, other) {
            (Json::Map(stored), Json::Map(wanted)) => {
                wanted.iter().all(|(key, value)| stored.get(key).is_some_and(|stored| stored.contains(value)))
            }
            (Json::List(stored), Json::List(wanted)) => {
                wanted.iter().all(|value| stored.iter().any(|stored| stored.contains(value)))
            }
            _ => self == other,
        }
    }
}

fn parse(raw: &str, depth: usize) -> Option<Json> {
    let raw = raw.trim_ascii();
    let depth = depth.checked_sub(1)?;
    Some(match raw.as_bytes().first()? {
        b'n' => Json::Null,
        b't' => Json::Flag(true),
        b'f' => Json::Flag(false),
        b'"' => Json::Text(serde_json::from_str(raw).ok()?),
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(raw).ok()?;
            Json::List(items.iter().map(|item| parse(item.get(), depth)).collect::<Option<_>>()?)
        }
        b'{' => {
            let fields: BTreeMap<String, &RawValue> = serde_json::from_str(raw).ok()?;
            let fields = fields.into_iter().map(|(key, value)| Some((key, parse(value.get(), depth)?)));
            Json::Map(fields.collect::<Option<_>>()?)
        }
        _ => Json::Number(Number::parse(raw)?),
    })
}

/// Whether a stored value is a list or an object.
pub fn is_compound(raw: &str) -> bool {
    raw.starts_with(['[', '{'])
}

/// The text of a stored value, as text operators see it: a text without its quotes, nothing for null.
pub fn text_of(raw: &str) -> Option<String> {
    match raw.as_bytes().first()? {
        b'n' => None,
        b'"' => serde_json::from_str(raw).ok(),
        // Equal numbers have one text, as in what they are compared with.
        b'-' | b'0'..=b'9' => Some(Number::parse(raw)?.plain()),
        _ => Some(raw.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(stored: &str, wanted: &str) -> bool {
        Json::parse(stored).expect("JSON").contains(&Json::parse(wanted).expect("JSON"))
    }

    #[test]
    fn containment() {
        for (stored, wanted, expected) in [
            ("5", "5.0", true),
            ("5", "\"5\"", false),
            ("9007199254740993", "9007199254740992", false),
            ("null", "null", true),
            ("null", "0", false),
            ("[1, 2, 3]", "[3, 1]", true),
            ("[1, 2, 3]", "[4]", false),
            ("[1, 2, 3]", "1", false),
            (r#"{"a": 1, "b": {"c": [1, 2]}}"#, r#"{"b": {"c": [2]}}"#, true),
            (r#"{"a": 1}"#, r#"{"a": 2}"#, false),
            (r#"{"a": 1}"#, "{}", true),
            (r#""\u0061""#, r#""a""#, true),
        ] {
            assert_eq!(contains(stored, wanted), expected, "{stored} contains {wanted}");
        }
    }

    #[test]
    fn what_is_too_deep_is_nothing() {
        let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Json::parse(&deep(DEPTH_MAX)).is_some());
        assert!(Json::parse(&deep(100_000)).is_none());
    }

    #[test]
    fn texts() {
        for (raw, text) in [
            ("\"a\\\"b\"", Some("a\"b")),
            ("5.0", Some("5")),
            ("-0.50", Some("-0.5")),
            ("1e3", Some("1000")),
            ("9007199254740993", Some("9007199254740993")),
            ("true", Some("true")),
            ("null", None),
            ("[1]", Some("[1]")),
        ] {
            assert_eq!(text_of(raw).as_deref(), text, "{raw}");
        }
    }
}
