//! Rules about the text of a file.

use super::shrink::entries;
use super::{Finding, Texts};
use std::path::{Component, Path};

const FILE_LINES_MAX: usize = 1000;
const LINE_CHARS_MAX: usize = 140;

/// What says that something is not done. Spelled apart, so that this file passes.
const UNFINISHED: [&str; 4] =
    [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("todo", "!"), concat!("unimplemented", "!")];

pub fn white_space(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, line) in text.split('\n').enumerate() {
        if line.ends_with([' ', '\t', '\r']) {
            findings.push(Finding::new(path, at + 1, "white space at the end of the line"));
        }
        if line.contains('\t') && !path.ends_with("Makefile") {
            findings.push(Finding::new(path, at + 1, "tab"));
        }
    }
    if !text.is_empty() && (!text.ends_with('\n') || text.ends_with("\n\n")) {
        findings.push(Finding::new(path, 0, "ends with exactly one line break"));
    }
    findings
}

/// Prose may speak of such words; code and settings may not hold them.
pub fn unfinished(path: &str, text: &str) -> Vec<Finding> {
    if path.ends_with(".md") {
        return Vec::new();
    }
    let lines = text.lines().enumerate();
    let found = lines.filter_map(|(at, line)| Some((at, UNFINISHED.iter().find(|word| line.contains(**word))?)));
    found.map(|(at, word)| Finding::new(path, at + 1, format!("`{word}`: finish it, or open an issue"))).collect()
}

/// Texts in quotes may be as long as they are: a message that is broken up is not found by who looks for it.
pub fn long_lines(path: &str, text: &str) -> Vec<Finding> {
    let chars = |line: &str| line.split('"').step_by(2).map(|part| part.chars().count()).sum::<usize>();
    let raw = |line: &str| line.trim_start().starts_with("r#\"");
    let long = text.lines().enumerate().filter(|(_, line)| chars(line) > LINE_CHARS_MAX && !raw(line));
    long.map(|(at, _)| Finding::new(path, at + 1, format!("longer than {LINE_CHARS_MAX} characters"))).collect()
}

/// A file has up to 1000 lines; those in the list of exemptions have a ceiling of their own.
pub fn long_files(texts: &Texts, exemptions: &str) -> Vec<Finding> {
    let list = texts.get(exemptions).map_or("", String::as_str);
    let mut findings = Vec::new();
    for (line, path, ceiling) in entries(list) {
        let problem = match texts.get(path).map(|text| text.lines().count()) {
            None => format!("`{path}` does not exist; remove it"),
            Some(count) if count <= FILE_LINES_MAX => format!("`{path}` is short enough; remove it"),
            Some(count) if count > ceiling => format!("`{path}` has grown from {ceiling} to {count} lines"),
            Some(_) => continue,
        };
        findings.push(Finding::new(exemptions, line, problem));
    }
    for (path, text) in texts {
        let count = text.lines().count();
        if count > FILE_LINES_MAX && !entries(list).any(|(_, exempt, _)| exempt == path) {
            findings.push(Finding::new(path, 0, format!("{count} lines; {FILE_LINES_MAX} is the wall, split it")));
        }
    }
    findings
}

/// Links of a Markdown file to other files lead somewhere.
pub fn links(path: &str, text: &str, exists: &dyn Fn(&str) -> bool) -> Vec<Finding> {
    if !path.ends_with(".md") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let mut fenced = false;
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        for target in line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next()) {
            let file = target.split('#').next().unwrap_or("");
            let outside = target.contains("://") || target.starts_with("mailto:");
            if !outside && !file.is_empty() && !resolve(path, file).is_some_and(|place| exists(&place)) {
                findings.push(Finding::new(path, at + 1, format!("the link to `{target}` leads nowhere")));
            }
        }
    }
    findings
}

/// The path of a link seen from the root; `None` when it leaves the workspace.
fn resolve(from: &str, link: &str) -> Option<String> {
    let mut place: Vec<&str> = from.split('/').collect();
    place.pop();
    for component in Path::new(link).components() {
        match component {
            Component::Normal(name) => place.push(name.to_str()?),
            Component::ParentDir => drop(place.pop()?),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(place.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_is_refused() {
        for text in ["a \nb\n", "a\tb\n", "a\r\n", "a", "a\n\n"] {
            assert_eq!(white_space("x.rs", text).len(), 1, "{text:?}");
        }
        assert_eq!(white_space("x.rs", "    a\n\nb\n"), []);
        assert_eq!(white_space("Makefile", "\tcargo build\n"), []);
    }

    #[test]
    fn unfinished_work_is_refused() {
        for word in UNFINISHED {
            assert_eq!(unfinished("x.rs", &format!("a\n// {word} later\n")).len(), 1, "{word}");
            assert_eq!(unfinished("x.md", &format!("no {word}\n")), []);
        }
    }

    #[test]
    fn long_lines_are_refused() {
        assert_eq!(long_lines("x.rs", &"é".repeat(140)), []);
        assert_eq!(long_lines("x.rs", &format!("a\n{}\n", "é".repeat(141))).len(), 1);
        assert_eq!(long_lines("x.rs", &format!("let a = \"{}\";", "é".repeat(141))), []);
    }

    #[test]
    fn long_files_need_an_exemption_that_fits() {
        let check = |exemptions: &str, lines: usize| {
            let texts = [("list", exemptions.to_string()), ("x.rs", "a\n".repeat(lines))];
            long_files(&texts.map(|(path, text)| (path.to_string(), text)).into(), "list").len()
        };
        assert_eq!(check("", 1000), 0);
        assert_eq!(check("", 1001), 1);
        assert_eq!(check("x.rs 1200\n", 1200), 0);
        assert_eq!(check("x.rs 1200\n", 1201), 1);
        assert_eq!(check("x.rs 1200\n", 900), 1);
        assert_eq!(check("gone.rs 1200\n", 900), 1);
    }

    #[test]
    fn dead_links_are_refused() {
        let exists = |path: &str| path == "docs/there.md" || path == "README.md";
        let check = |line: &str| links("docs/a.md", line, &exists).len();
        for line in
            ["[x](there.md)", "[x](../README.md#part)", "[x](#here)", "[x](https://a.b/c)", "```\n[x](gone.md)\n```"]
        {
            assert_eq!(check(line), 0, "{line}");
        }
        for line in ["[x](gone.md)", "[x](../docs/gone.md)", "[x](../../README.md)", "[a](there.md) [b](gone.md)"] {
            assert_eq!(check(line), 1, "{line}");
        }
    }
}
