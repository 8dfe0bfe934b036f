//! What a crate may not mention: the absences of style.md, as far as words show them.

use super::Finding;
use super::code;

struct Absence {
    /// Files whose path begins so.
    under: &'static str,
    /// The one place that may.
    except: &'static str,
    /// Whole identifiers.
    words: &'static [&'static str],
    /// Parts of identifiers: `posting` is found in `PostingRow` and `last_posting`.
    parts: &'static [&'static str],
    /// Paths, also when they are imported in a group: `use std::{fs, io}`.
    paths: &'static [&'static str],
    why: &'static str,
}

const ABSENCES: [Absence; 4] = [
    Absence {
        under: "ledger/src/",
        except: "",
        words: &["f32", "f64", "rand", "async", "await", "serde", "SystemTime", "Instant", "println", "eprintln"],
        parts: &[],
        paths: &["std::fs", "std::io", "std::net", "std::env", "std::process", "std::thread", "std::time"],
        why: "`ledger` is pure: no files, clocks, threads, randomness, floats; time and ids arrive as arguments",
    },
    Absence {
        under: "journal/src/",
        except: "",
        words: &[],
        parts: &["money", "balance", "balances", "posting", "postings", "ledger", "currency"],
        paths: &[],
        why: "`journal` knows bytes, not money",
    },
    Absence {
        under: "engine/src/",
        except: "",
        words: &["axum", "hyper", "serde_json", "tokio", "async", "await"],
        parts: &[],
        paths: &["std::env", "std::net"],
        why: "`engine` knows no HTTP, JSON, async or environment",
    },
    Absence {
        under: "engine/src/",
        except: "engine/src/clock.rs",
        words: &["SystemTime"],
        parts: &[],
        paths: &[],
        why: "only `engine::clock` reads the time, so that replay and the simulator can choose it",
    },
];

pub fn forbidden(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for absence in ABSENCES.iter().filter(|absence| path.starts_with(absence.under) && path != absence.except) {
        let code = code::only(text);
        let mut found = |offset: usize, what: &str| {
            let line = code[..offset].matches('\n').count() + 1;
            findings.push(Finding::new(path, line, format!("`{what}` is not allowed here: {}", absence.why)));
        };
        for (offset, word) in identifiers(&code) {
            if absence.words.contains(&word) || parts(word).iter().any(|part| absence.parts.contains(&part.as_str())) {
                found(offset, word);
            }
        }
        for (offset, used) in std_paths(&code) {
            if absence.paths.iter().any(|wanted| used == *wanted || used.starts_with(&format!("{wanted}::"))) {
                found(offset, &used);
            }
        }
    }
    findings
}

fn identifiers(code: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut start = None;
    for (at, c) in code.char_indices().chain([(code.len(), ' ')]) {
        match (code::is_word(c), start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                found.push((from, &code[from..at]));
                start = None;
            }
            _ => {}
        }
    }
    found
}

/// `LastPosting` and `last_posting` → last, posting.
fn parts(identifier: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut lower_before = false;
    for c in identifier.chars() {
        if c == '_' || c.is_uppercase() && lower_before {
            parts.push(String::new());
        }
        if c != '_' {
            parts.last_mut().expect("one part at least").extend(c.to_lowercase());
        }
        lower_before = c.is_lowercase();
    }
    parts
}

/// Every path that begins with `std::`, groups spelled out.
fn std_paths(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("std::") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| code::is_word(c) || c == ':') {
            continue;
        }
        let mut paths = Vec::new();
        spell_out("std", &code[at + "std::".len()..], &mut paths);
        found.extend(paths.into_iter().map(|path| (at, path)));
    }
    found
}

/// Reads one path, or one group of paths, and returns what is behind it.
fn spell_out<'a>(prefix: &str, rest: &'a str, paths: &mut Vec<String>) -> &'a str {
    let rest = rest.trim_start();
    if let Some(mut inside) = rest.strip_prefix('{') {
        loop {
            inside = inside.trim_start().trim_start_matches(',').trim_start();
            if let Some(behind) = inside.strip_prefix('}') {
                return behind;
            }
            let before = inside.len();
            inside = spell_out(prefix, inside, paths);
            if inside.len() == before {
                return inside; // not a group of paths after all
            }
        }
    }
    let end = rest.find(|c| !code::is_word(c)).unwrap_or(rest.len());
    let path = if end == 0 { prefix.to_string() } else { format!("{prefix}::{}", &rest[..end]) };
    match rest[end..].strip_prefix("::") {
        Some(deeper) => spell_out(&path, deeper, paths),
        None => {
            paths.push(path);
            &rest[end..]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        forbidden(path, text).len()
    }

    #[test]
    fn ledger_is_pure() {
        for line in [
            "use std::fs::File;",
            "use std::{fmt, time::Duration};",
            "let x = std::thread::current();",
            "fn rate() -> f64 {",
            "let x = 1 as f32;",
            "rand::random()",
            "async fn go() {}",
        ] {
            assert_eq!(found("ledger/src/decide.rs", line), 1, "{line}");
        }
        for line in ["use std::{fmt, sync::Arc};", "// f64 is wrong here", "let operand = f641;", "\"std::fs\""] {
            assert_eq!(found("ledger/src/decide.rs", line), 0, "{line}");
        }
        assert_eq!(found("server/src/main.rs", "use std::fs;"), 0);
    }

    #[test]
    fn journal_knows_no_money() {
        for line in ["struct PostingRow;", "let balance_id = 1;", "enum Money {}", "const LAST_POSTING: u8 = 1;"] {
            assert_eq!(found("journal/src/frame.rs", line), 1, "{line}");
        }
        for line in ["// a posting", "let rebalanced = 1;", "fn post() {}"] {
            assert_eq!(found("journal/src/frame.rs", line), 0, "{line}");
        }
    }

    #[test]
    fn engine_knows_no_http() {
        for line in ["use tokio::sync::mpsc;", "serde_json::from_slice(x)", "let x = std::env::var(y);"] {
            assert_eq!(found("engine/src/writer.rs", line), 1, "{line}");
        }
        assert_eq!(found("engine/src/writer.rs", "use std::sync::mpsc;"), 0);
        assert_eq!(found("engine/src/writer.rs", "SystemTime::now()"), 1);
        assert_eq!(found("engine/src/clock.rs", "SystemTime::now()"), 0);
    }
}
