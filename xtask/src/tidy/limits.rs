//! Limits: each has a name, a line in the document for those who meet it, and a test of both its sides that names it.

use super::{Finding, Texts, code};
use std::collections::BTreeMap;

/// The document with a line for each limit.
const LIST: &str = "docs/limits.md";
/// Where limits are. The bench is a client.
const CRATES: [&str; 4] = ["ledger/src/", "journal/src/", "engine/src/", "server/src/"];
const CLIENTS: &str = "server/src/bench";
/// What a line says instead of the file of a test, before the reason.
const UNTESTED: &str = "no:";
/// Lines that may say so: limits that no test can reach. The number may only shrink.
const UNTESTED_COUNT_MAX: usize = 37;

/// `path::NAME` → line and value, as they stand in the source.
fn limits(texts: &Texts) -> BTreeMap<String, (usize, String)> {
    let mut found = BTreeMap::new();
    let sources =
        texts.iter().filter(|(path, _)| path.ends_with(".rs") && CRATES.iter().any(|of| path.starts_with(of)));
    for (path, text) in sources.filter(|(path, _)| !path.starts_with(CLIENTS)) {
        let (own, _) = apart(text);
        let code = code::only(own);
        for (at, line) in code.lines().enumerate() {
            let declared = line.trim_start().strip_prefix("pub const ").and_then(|rest| rest.split_once(':'));
            let Some((name, rest)) = declared.filter(|(name, _)| name.ends_with("_MAX")) else { continue };
            let value = rest.split_once('=').map_or("", |(_, value)| value.trim().trim_end_matches(';'));
            found.insert(format!("{path}::{name}"), (at + 1, value.to_string()));
        }
    }
    found
}

/// A source, and the tests at its end.
fn apart(text: &str) -> (&str, &str) {
    text.find("#[cfg(test)]\nmod tests {").map_or((text, ""), |at| text.split_at(at))
}

/// Whether a test that lies there names the limit.
fn names(texts: &Texts, path: &str, name: &str) -> bool {
    let in_source = CRATES.iter().any(|of| path.starts_with(of)) && !path.ends_with("/tests.rs");
    let Some(text) = texts.get(path) else { return false };
    let text = if in_source { apart(text).1 } else { text };
    text.split(|c: char| !code::is_word(c)).any(|word| word == name)
}

/// The lines of the document are those of the code: names, values, and tests that name them.
pub fn check(texts: &Texts) -> Vec<Finding> {
    let mut limits = limits(texts);
    let document = texts.get(LIST).map_or("", String::as_str);
    let mut findings = Vec::new();
    let mut untested = 0;
    for (at, line) in document.lines().enumerate().filter(|(_, line)| line.starts_with("| `")) {
        let cells: Vec<&str> = line.split(" | ").map(|cell| cell.trim_matches(['|', ' '])).collect();
        let [limit, value, _, _, test] = cells.as_slice() else {
            findings.push(Finding::new(LIST, at + 1, "a line has five cells"));
            continue;
        };
        let limit = limit.trim_matches('`');
        let Some((_, wanted)) = limits.remove(limit) else {
            findings.push(Finding::new(LIST, at + 1, format!("there is no limit `{limit}`, or it stands here twice")));
            continue;
        };
        if value.trim_matches('`') != wanted {
            findings.push(Finding::new(LIST, at + 1, format!("`{limit}` is `{wanted}`")));
        }
        let name = limit.rsplit("::").next().unwrap_or(limit);
        if test.starts_with(UNTESTED) {
            untested += 1;
        } else if !names(texts, test.trim_matches('`'), name) {
            findings.push(Finding::new(LIST, at + 1, format!("{test} is no test that names `{name}`")));
        }
    }
    if untested > UNTESTED_COUNT_MAX {
        findings.push(Finding::new(
            LIST,
            0,
            format!("{untested} limits without a test; at most {UNTESTED_COUNT_MAX} cannot be reached by one"),
        ));
    }
    for (limit, (line, _)) in limits {
        let path = limit.split("::").next().unwrap_or(&limit);
        findings.push(Finding::new(
            path,
            line,
            format!("`{limit}` has no line in {LIST}, with a test of both its sides"),
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(source: &str, document: &str, test: &str) -> Vec<String> {
        let texts = [("ledger/src/a.rs", source), (LIST, document), ("ledger/tests/a.rs", test)];
        let texts: Texts = texts.map(|(path, text)| (path.to_string(), text.to_string())).into();
        check(&texts).into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn a_limit_has_a_line_with_its_value_and_its_test() {
        let source = "pub const A_MAX: usize = 1 << 3;\nconst OWN_MAX: u8 = 1;\npub const B_MAXIMUM: u8 = 2;\n";
        let line = "| `ledger/src/a.rs::A_MAX` | `1 << 3` | more | `CODE` | `ledger/tests/a.rs` |\n";
        assert_eq!(found(source, line, "x(A_MAX)"), [""; 0]);
        assert_eq!(found(source, "", "x(A_MAX)").len(), 1, "no line");
        assert_eq!(found(source, line, "x(8)").len(), 1, "no test");
        assert_eq!(found(&source.replace("3", "4"), line, "x(A_MAX)").len(), 1, "another value");
        assert_eq!(found("", line, "x(A_MAX)").len(), 1, "no limit");
        assert_eq!(found(source, &line.repeat(2), "x(A_MAX)").len(), 1, "twice");
        assert_eq!(found(source, "| `ledger/src/a.rs::A_MAX` | `1 << 3` |\n", "x(A_MAX)").len(), 2, "cells");
    }

    #[test]
    fn a_test_may_stand_beside_its_limit() {
        let line = "| `ledger/src/a.rs::A_MAX` | `7` | more | `CODE` | `ledger/src/a.rs` |\n";
        let source = "pub const A_MAX: u8 = 7;\n";
        assert_eq!(found(&format!("{source}\n#[cfg(test)]\nmod tests {{ x(A_MAX) }}\n"), line, ""), [""; 0]);
        assert_eq!(found(source, line, "").len(), 1, "its own declaration is no test");
    }

    #[test]
    fn few_limits_go_without_a_test() {
        let numbers = 0..=UNTESTED_COUNT_MAX;
        let source: String = numbers.clone().map(|number| format!("pub const A{number}_MAX: u8 = 1;\n")).collect();
        let lines: Vec<String> = numbers
            .map(|number| format!("| `ledger/src/a.rs::A{number}_MAX` | `1` | x | none | no: too many |\n"))
            .collect();
        assert_eq!(found(&source, &lines.concat(), "").len(), 1);
        assert_eq!(found(&source, &lines[1..].concat(), "").len(), 1, "one has no line");
    }
}
