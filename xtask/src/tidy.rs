//! Checks that neither the compiler nor clippy makes. A rule is a pure function from paths and texts to findings, so that
//! each has a test that breaks it; only [`run`] touches the disk and git.

mod code;
mod layout;
mod limits;
mod rules;
mod safety;
mod shrink;
mod words;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::process::{Command, ExitCode};

/// Path relative to the workspace, with forward slashes → text.
type Texts = BTreeMap<String, String>;

const LONG_FILES: &str = "xtask/long-files.txt";
const PENDING_CASES: &str = "conformance/pending.txt";

/// Ends of names of the files that people write; golden files and lock files are left alone.
const WRITTEN: [&str; 11] = [".rs", ".py", ".ts", ".js", ".mjs", ".sh", ".md", ".toml", ".txt", ".yml", "Makefile"];

/// Paths of folders that a measurement makes.
const MEASURED: [&str; 2] = ["bench/out", "bench/data"];
/// Names of folders that are made, not written.
const MADE: [&str; 7] = [".git", "node_modules", "__pycache__", ".venv", "golden", "artifacts", "corpus"];

#[derive(Debug, PartialEq, Eq)]
struct Finding {
    path: String,
    /// Counted from 1; 0 when the finding is about the file as a whole.
    line: usize,
    message: String,
}

impl Finding {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Finding {
        Finding { path: path.to_string(), line, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(out, "{}: {}", self.path, self.message),
            line => write!(out, "{}:{line}: {}", self.path, self.message),
        }
    }
}

/// Prints every finding; fails when there is one.
pub fn run(root: &Path) -> ExitCode {
    let mut texts = Texts::new();
    read_folder(root, "", &mut texts);
    assert!(texts.contains_key("Cargo.toml"), "{} is not the workspace", root.display());
    let mut findings = check(&texts, &|path| root.join(path).exists());
    for (list, path) in [(shrink::List::Ceilings, LONG_FILES), (shrink::List::Names, PENDING_CASES)] {
        let Some(now) = texts.get(path) else { continue };
        for before in committed(root, path) {
            findings.extend(shrink::check(list, path, &before, now));
        }
    }
    for finding in &findings {
        println!("{finding}");
    }
    println!("tidy: {} files, {} findings", texts.len(), findings.len());
    if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Everything that needs no history.
fn check(texts: &Texts, exists: &dyn Fn(&str) -> bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in texts {
        findings.extend(rules::white_space(path, text));
        findings.extend(rules::unfinished(path, text));
        findings.extend(rules::links(path, text, exists));
        if path.ends_with(".rs") {
            findings.extend(rules::long_lines(path, text));
            findings.extend(words::forbidden(path, text));
            findings.extend(safety::reasons(path, text));
        }
        if path.ends_with("Cargo.toml") {
            findings.extend(layout::dependencies(path, text));
        }
    }
    findings.extend(rules::long_files(texts, LONG_FILES));
    findings.extend(layout::module_files(texts));
    findings.extend(layout::code_map(texts, exists));
    findings.extend(safety::list(texts));
    findings.extend(safety::roots(texts));
    findings.extend(limits::check(texts));
    findings
}

fn read_folder(root: &Path, folder: &str, texts: &mut Texts) {
    let entries = std::fs::read_dir(root.join(folder)).unwrap_or_else(|error| panic!("reading {folder:?}: {error}"));
    for entry in entries {
        let entry = entry.expect("folder entry");
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        let kind = entry.file_type().expect("file type");
        // `target…` and `data` are made at the top only; deeper down they may be sources.
        let made = MADE.contains(&name.as_str())
            || MEASURED.contains(&path.as_str())
            || folder.is_empty() && (name.starts_with("target") || name == "data");
        if kind.is_dir() && !made {
            read_folder(root, &path, texts);
        } else if kind.is_file() && (WRITTEN.iter().any(|end| name.ends_with(end)) || path == ".ci/run") {
            // A file may vanish while others work in the same folder; what is not UTF-8 is a finding of its own.
            match std::fs::read(root.join(&path)).map(String::from_utf8) {
                Ok(Ok(text)) => drop(texts.insert(path, text)),
                Ok(Err(_)) => panic!("{path} is not UTF-8"),
                Err(error) => eprintln!("{path}: {error}"),
            }
        }
    }
}

/// The last two committed versions of a file, newest first; none without git or history.
fn committed(root: &Path, path: &str) -> Vec<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").arg("-C").arg(root).args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let commits = git(&["log", "-n", "2", "--format=%H", "--", path]).unwrap_or_default();
    commits.lines().filter_map(|commit| git(&["show", &format!("{commit}:{path}")])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tidy_workspace_has_no_findings() {
        let texts = Texts::from(
            [
                ("ARCHITECTURE.md", "## Code map\n\n| crate | holds |\n|---|---|\n| `ledger` | rules |\n"),
                ("Cargo.toml", "[workspace]\nmembers = [\"ledger\"]\n"),
                ("ledger/Cargo.toml", "[package]\nname = \"ledger\"\n\n[dependencies]\n"),
                ("ledger/src/lib.rs", "//! Rules; no f64, no std::fs.\n\n#![forbid(unsafe_code)]\n"),
            ]
            .map(|(path, text)| (path.to_string(), text.to_string())),
        );
        assert_eq!(check(&texts, &|_| true), []);
    }
}
