//! Values of settings, and how they are read from a file (JSON or TOML) and from plain text (environment, flags).

use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::time::Duration;

/// What a key may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// Text that is never printed.
    Secret,
    /// Yes or no.
    Flag,
    /// A whole number, zero or more.
    Count,
    /// A number.
    Number,
    /// A length of time: seconds as a number, or text such as `500ms` or `1h30m`.
    Duration,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Texts, in an environment separated by commas.
    List,
    /// Names and texts, in an environment a JSON object or `name:value,name:value`.
    Map,
}

/// A value of a setting.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing was set and there is no default.
    Unset,
    /// Of the kinds text, secret and choice.
    Text(String),
    /// Yes or no.
    Flag(bool),
    /// A whole number.
    Count(u64),
    /// A number.
    Number(f64),
    /// A length of time.
    Duration(Duration),
    /// Texts.
    List(Vec<String>),
    /// Names and texts.
    Map(BTreeMap<String, String>),
}

/// Reads a value of `kind` from a file. The error says what was expected.
pub fn from_json(kind: &Kind, json: &Json) -> Result<Value, String> {
    match (kind, json) {
        (_, Json::Null) => Ok(Value::Unset),
        (Kind::Flag, Json::Bool(flag)) => Ok(Value::Flag(*flag)),
        (Kind::Count, Json::Number(number)) => match number.as_u64() {
            Some(count) => Ok(Value::Count(count)),
            // Blnk reads limits of zero or less as "use the default".
            None if number.as_i64().is_some() => Ok(Value::Unset),
            None => Err("expected a whole number".to_owned()),
        },
        (Kind::Number, Json::Number(number)) => {
            number.as_f64().map(Value::Number).ok_or_else(|| "expected a number".to_owned())
        }
        (Kind::Duration, Json::Number(number)) => {
            let seconds = number.as_u64().ok_or("expected seconds, as a whole number, or text such as \"500ms\"")?;
            Ok(Value::Duration(Duration::from_secs(seconds)))
        }
        (Kind::List, Json::Array(items)) => {
            let texts: Option<Vec<String>> = items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
            texts.map(Value::List).ok_or_else(|| "expected a list of texts".to_owned())
        }
        (Kind::Map, Json::Object(object)) => map_of_texts(object).map(Value::Map),
        (_, Json::String(text)) if text.is_empty() => Ok(Value::Unset),
        (_, Json::String(text)) => from_text(kind, text),
        (Kind::Text | Kind::Secret, Json::Number(number)) => Ok(Value::Text(number.to_string())),
        _ => Err(format!("expected {}", expected(kind))),
    }
}

/// Reads a value of `kind` from text that is not empty. The error says what was expected.
pub fn from_text(kind: &Kind, text: &str) -> Result<Value, String> {
    let refused = || format!("expected {}", expected(kind));
    match kind {
        Kind::Text | Kind::Secret => Ok(Value::Text(text.to_owned())),
        Kind::Flag => flag_from_text(text).map(Value::Flag).ok_or_else(refused),
        Kind::Count => text.trim().parse().map(Value::Count).map_err(|_| refused()),
        Kind::Number => {
            text.trim().parse().ok().filter(|number: &f64| number.is_finite()).map(Value::Number).ok_or_else(refused)
        }
        Kind::Duration => duration_from_text(text.trim()).map(Value::Duration).ok_or_else(refused),
        Kind::Choice(words) => {
            let word = words.iter().find(|word| word.eq_ignore_ascii_case(text.trim())).ok_or_else(refused)?;
            Ok(Value::Text((*word).to_owned()))
        }
        Kind::List => Ok(Value::List(
            text.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect(),
        )),
        Kind::Map => map_from_text(text).map(Value::Map),
    }
}

fn expected(kind: &Kind) -> String {
    match kind {
        Kind::Text | Kind::Secret => "text".to_owned(),
        Kind::Flag => "true or false".to_owned(),
        Kind::Count => "a whole number".to_owned(),
        Kind::Number => "a number".to_owned(),
        Kind::Duration => "a length of time such as 500ms, 30s or 5m".to_owned(),
        Kind::Choice(words) => format!("one of {}", words.join(", ")),
        Kind::List => "a list of texts".to_owned(),
        Kind::Map => "names and texts".to_owned(),
    }
}

/// The spellings that Go knows.
fn flag_from_text(text: &str) -> Option<bool> {
    match text.trim() {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

/// A Go duration, whole parts only: `1h30m`, `500ms`. A bare number has no unit and is refused, except `0`.
fn duration_from_text(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit())?;
        let count: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit_end = rest.find(|character: char| character.is_ascii_digit()).unwrap_or(rest.len());
        let nanoseconds: u64 = match &rest[..unit_end] {
            "ns" => 1,
            "us" | "µs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        total = total.checked_add(Duration::from_nanos(count.checked_mul(nanoseconds)?))?;
        rest = &rest[unit_end..];
    }
    (!text.is_empty()).then_some(total)
}

fn map_from_text(text: &str) -> Result<BTreeMap<String, String>, String> {
    if text.trim_start().starts_with('{') {
        let json: Json = serde_json::from_str(text).map_err(|_| "expected a JSON object of texts".to_owned())?;
        return map_of_texts(json.as_object().ok_or("expected a JSON object of texts")?);
    }
    let pair = |item: &str| {
        let (name, value) = item.split_once(':')?;
        Some((name.trim().to_owned(), value.trim().to_owned()))
    };
    text.split(',').map(pair).collect::<Option<_>>().ok_or_else(|| "expected name:value,name:value".to_owned())
}

fn map_of_texts(object: &serde_json::Map<String, Json>) -> Result<BTreeMap<String, String>, String> {
    let pair = |(name, value): (&String, &Json)| Some((name.clone(), value.as_str()?.to_owned()));
    object.iter().map(pair).collect::<Option<_>>().ok_or_else(|| "expected names and texts".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn durations() {
        for (text, milliseconds) in [("500ms", 500), ("5m", 300_000), ("1h30m", 5_400_000), ("0", 0), ("2s5ms", 2005)] {
            assert_eq!(duration_from_text(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "30", "m", "5 m", "-5m", "5x", "99999999999999999999h", "18446744073709551615h"] {
            assert_eq!(duration_from_text(text), None, "{text}");
        }
        assert_eq!(from_json(&Kind::Duration, &json!(30)), Ok(Value::Duration(Duration::from_secs(30))));
        assert_eq!(from_json(&Kind::Duration, &json!("30s")), Ok(Value::Duration(Duration::from_secs(30))));
    }

    #[test]
    fn kinds() {
        assert_eq!(from_json(&Kind::Count, &json!("5001")), Ok(Value::Count(5001)));
        assert_eq!(from_json(&Kind::Count, &json!(5001)), Ok(Value::Count(5001)));
        assert_eq!(from_json(&Kind::Count, &json!(-1)), Ok(Value::Unset));
        assert_eq!(from_json(&Kind::Text, &json!("")), Ok(Value::Unset));
        assert!(from_json(&Kind::Count, &json!(1.5)).is_err());
        assert!(from_json(&Kind::Flag, &json!(1)).is_err());
        assert!(from_json(&Kind::Text, &json!({})).is_err());
        assert_eq!(from_text(&Kind::Choice(&["refuse", "allow"]), "Allow"), Ok(Value::Text("allow".to_owned())));
        assert_eq!(
            from_text(&Kind::Choice(&["refuse", "allow"]), "maybe"),
            Err("expected one of refuse, allow".to_owned())
        );
        let headers = Value::Map(BTreeMap::from([("A".to_owned(), "1".to_owned()), ("B".to_owned(), "2".to_owned())]));
        assert_eq!(from_text(&Kind::Map, "A:1,B:2"), Ok(headers.clone()));
        assert_eq!(from_text(&Kind::Map, r#"{"A":"1","B":"2"}"#), Ok(headers));
        assert!(from_text(&Kind::Number, "inf").is_err());
    }
}
