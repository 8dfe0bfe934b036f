//! What was typed: a value and its source for every key of the table, with unknown keys as warnings and wrong types as
//! problems that name the key and the source.

use super::ConfigError;
use super::keys::{FOREIGN_ENVIRONMENT, KEYS, Key, PREFIXES};
use super::source::{Source, Sources};
use super::value::{self, Value};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// A value and where it was set.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    /// The value.
    pub value: Value,
    /// Where it was set.
    pub source: Source,
}

/// The values of all keys.
#[derive(Debug)]
pub struct Typed {
    given: BTreeMap<&'static str, Given>,
    /// Unknown keys and the like.
    pub warnings: Vec<String>,
}

impl Typed {
    /// Puts the sources together, the later over the earlier.
    pub fn read(sources: &Sources) -> Result<Typed, ConfigError> {
        let mut typed = Typed { given: BTreeMap::new(), warnings: sources.warnings.clone() };
        let mut problems = Vec::new();
        for key in KEYS {
            let value = match key.default {
                "" => Value::Unset,
                text => value::from_text(&key.kind, text).expect("defaults are valid"),
            };
            typed.given.insert(key.path, Given { value, source: Source::Default });
        }
        if let Some(file) = &sources.file {
            let source = Source::File(file.path.clone());
            typed.take_json(&file.content, "", &source, &mut problems);
        }
        typed.take_environment(&sources.environment, &mut problems);
        for (path, flag, text) in &sources.flags {
            let key = Key::find(path).expect("flags set known keys");
            typed.take_text(key, text, Source::Flag(flag), &mut problems);
        }
        if problems.is_empty() { Ok(typed) } else { Err(ConfigError { problems }) }
    }

    fn take_json(&mut self, json: &Json, path: &str, source: &Source, problems: &mut Vec<String>) {
        if let Some(key) = Key::find(path) {
            match value::from_json(&key.kind, json) {
                Ok(value) => self.set(key, value, source.clone()),
                Err(expected) => problems.push(format!("{path} ({source}): {expected}")),
            }
            return;
        }
        let within = if path.is_empty() { String::new() } else { format!("{path}.") };
        match json {
            Json::Object(object) if path.is_empty() || KEYS.iter().any(|key| key.path.starts_with(&within)) => {
                for (name, value) in object {
                    self.take_json(value, &format!("{within}{name}"), source, problems);
                }
            }
            _ => self.warnings.push(format!("{path} ({source}): no such setting, ignored")),
        }
    }

    fn take_environment(&mut self, environment: &[(String, String)], problems: &mut Vec<String>) {
        let known = |name: &str| KEYS.iter().find(|key| key.environment_names().iter().any(|known| known == name));
        // The first prefix wins, so it is taken last.
        for prefix in PREFIXES.iter().rev() {
            for (name, text) in environment {
                let Some(rest) = name.strip_prefix(prefix) else { continue };
                match known(rest) {
                    Some(key) => self.take_text(key, text, Source::Environment(name.clone()), problems),
                    None if FOREIGN_ENVIRONMENT.contains(&name.as_str()) => {}
                    None => self.warnings.push(format!("{name} (environment): no such setting, ignored")),
                }
            }
        }
    }

    fn take_text(&mut self, key: &'static Key, text: &str, source: Source, problems: &mut Vec<String>) {
        // A variable that is set and empty counts: a text becomes unset, a number or a flag has no such value.
        let is_text =
            matches!(key.kind, value::Kind::Text | value::Kind::Secret | value::Kind::List | value::Kind::Map);
        if text.is_empty() && is_text {
            return self.set(key, Value::Unset, source);
        }
        match value::from_text(&key.kind, text) {
            Ok(value) => self.set(key, value, source),
            Err(expected) => problems.push(format!("{} ({source}): {expected}", key.path)),
        }
    }

    /// Unset means the default, whoever says it.
    fn set(&mut self, key: &'static Key, value: Value, source: Source) {
        let given = match value {
            Value::Unset if !key.default.is_empty() => Given {
                value: value::from_text(&key.kind, key.default).expect("defaults are valid"),
                source: Source::Default,
            },
            Value::Unset => Given { value, source: Source::Default },
            value => Given { value, source },
        };
        self.given.insert(key.path, given);
    }

    /// What was given for a key. Asking for a key that is not in the table is a bug.
    pub fn given(&self, path: &str) -> &Given {
        self.given.get(path).unwrap_or_else(|| panic!("{path} is not in the table of keys"))
    }

    /// A text; empty when unset.
    pub fn text(&self, path: &str) -> &str {
        match &self.given(path).value {
            Value::Text(text) => text,
            Value::Unset => "",
            other => panic!("{path} is not a text: {other:?}"),
        }
    }

    /// A flag.
    pub fn flag(&self, path: &str) -> bool {
        match self.given(path).value {
            Value::Flag(flag) => flag,
            ref other => panic!("{path} is not a flag: {other:?}"),
        }
    }

    /// A count, if it is set.
    pub fn count(&self, path: &str) -> Option<u64> {
        match self.given(path).value {
            Value::Count(count) => Some(count),
            Value::Unset => None,
            ref other => panic!("{path} is not a count: {other:?}"),
        }
    }

    /// A number, if it is set.
    pub fn number(&self, path: &str) -> Option<f64> {
        match self.given(path).value {
            Value::Number(number) => Some(number),
            Value::Unset => None,
            ref other => panic!("{path} is not a number: {other:?}"),
        }
    }
}
