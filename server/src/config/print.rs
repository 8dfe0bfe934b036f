//! Settings as text: TOML, each value with its origin, secrets hidden, unused ones listed with the reason.

use super::Settings;
use super::keys::{KEYS, Key};
use super::source::Source;
use super::typed::Typed;
use super::value::{Kind, Value};
use std::fmt::Write;

/// Column at which origins start, where the value leaves room.
const ORIGIN_COLUMN: usize = 44;

/// The settings in force, then those that were set and do nothing.
pub fn describe(typed: &Typed, settings: &Settings) -> String {
    let mut text = String::new();
    let access = if settings.server.secure { "with a key" } else { "without a key" };
    let threads = settings.server.threads;
    let plural = if threads == 1 { "" } else { "s" };
    writeln!(text, "# Listens on {}, {access}, with {threads} thread{plural}.", settings.server.listen)
        .expect("text grows");
    let mut section = "";
    for key in KEYS.iter().filter(|key| key.unused.is_none()) {
        let (key_section, name) = key.path.rsplit_once('.').unwrap_or(("", key.path));
        if key_section != section {
            writeln!(text, "\n[{key_section}]").expect("text grows");
            section = key_section;
        }
        let given = typed.given(key.path);
        let line = match shown(key, &given.value) {
            Some(value) => format!("{name} = {value}"),
            None => format!("# {name}"),
        };
        writeln!(text, "{line:<ORIGIN_COLUMN$} # {}", given.source).expect("text grows");
    }
    let unused = unused_lines(typed);
    if !unused.is_empty() {
        text.push_str("\n# Set, but not in use:\n");
        for line in unused {
            writeln!(text, "# {line}").expect("text grows");
        }
    }
    text
}

/// Settings that somebody set and that do nothing here, with the reason.
pub fn unused_lines(typed: &Typed) -> Vec<String> {
    let line = |key: &Key| {
        let source = &typed.given(key.path).source;
        key.unused.filter(|_| *source != Source::Default).map(|why| format!("{} ({source}): {why}", key.path))
    };
    KEYS.iter().filter_map(line).collect()
}

fn shown(key: &Key, value: &Value) -> Option<String> {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    match value {
        Value::Unset => None,
        _ if key.kind == Kind::Secret => Some("\"(set)\"".to_owned()),
        Value::Text(text) => Some(quoted(text)),
        Value::Flag(flag) => Some(flag.to_string()),
        Value::Count(count) => Some(count.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Duration(duration) => Some(format!("\"{duration:?}\"")),
        Value::List(items) => {
            Some(format!("[{}]", items.iter().map(|item| quoted(item)).collect::<Vec<_>>().join(", ")))
        }
        Value::Map(map) => {
            let pairs: Vec<String> =
                map.iter().map(|(name, text)| format!("{} = {}", quoted(name), quoted(text))).collect();
            Some(format!("{{ {} }}", pairs.join(", ")))
        }
    }
}
