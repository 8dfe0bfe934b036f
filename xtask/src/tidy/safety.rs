//! Unsafe code: each piece says why it is sound and stands in a list for whoever audits, and a crate without any forbids it.

use super::{Finding, Texts, code};
use std::collections::BTreeMap;

/// The document with the list, and the heading that it stands under.
const LIST: &str = "docs/security.md";
const HEADING: &str = "## Unsafe code";
/// What a piece of unsafe code begins with. An `unsafe fn` promises nothing by itself; the block in it does.
const PIECES: [&str; 2] = ["unsafe {", "unsafe impl"];
const COMMENT: &str = "// SAFETY:";

/// Lines, counted from 0, on which unsafe code begins.
fn pieces(text: &str) -> Vec<usize> {
    let code = code::only(text);
    code.lines()
        .enumerate()
        .filter(|(_, line)| PIECES.iter().any(|piece| line.contains(piece)))
        .map(|(at, _)| at)
        .collect()
}

/// Every piece has its reason in a comment right above it.
pub fn reasons(path: &str, text: &str) -> Vec<Finding> {
    let lines: Vec<&str> = text.lines().collect();
    let has_reason = |at: usize| {
        let above = lines[..at]
            .iter()
            .rev()
            .take_while(|line| line.trim_start().starts_with("//") || line.trim_start().starts_with("#["));
        above.into_iter().any(|line| line.trim_start().starts_with(COMMENT))
    };
    let without = pieces(text).into_iter().filter(|at| !has_reason(*at));
    without.map(|at| Finding::new(path, at + 1, format!("unsafe without `{COMMENT}` above it"))).collect()
}

/// The list names every file with unsafe code, with the number of pieces, and no other.
pub fn list(texts: &Texts) -> Vec<Finding> {
    let text = texts.get(LIST).map_or("", String::as_str);
    let section = text.lines().enumerate().skip_while(|(_, line)| *line != HEADING).skip(1);
    let mut told = BTreeMap::new();
    for (at, line) in section.take_while(|(_, line)| !line.starts_with("## ")) {
        let mut cells = line.split('|').map(str::trim).skip(1);
        if let (Some(path), Some(Ok(count))) = (cells.next(), cells.next().map(str::parse::<usize>)) {
            told.insert(path.trim_matches('`').to_string(), (at + 1, count));
        }
    }
    let mut findings = Vec::new();
    for (path, text) in texts.iter().filter(|(path, _)| path.ends_with(".rs")) {
        let count = pieces(text).len();
        match told.remove(path) {
            None if count > 0 => findings.push(Finding::new(
                LIST,
                0,
                format!("`{path}` has {count} pieces of unsafe code, which are not listed"),
            )),
            Some((line, told)) if told != count => {
                findings.push(Finding::new(
                    LIST,
                    line,
                    format!("`{path}` has {count} pieces of unsafe code, not {told}"),
                ));
            }
            _ => {}
        }
    }
    findings
        .extend(told.into_iter().map(|(path, (line, _))| Finding::new(LIST, line, format!("`{path}` does not exist"))));
    findings
}

/// A crate says at its root that there is no unsafe code in it, or that each piece is an exception.
pub fn roots(texts: &Texts) -> Vec<Finding> {
    let mut findings = Vec::new();
    for manifest in texts.keys().filter_map(|path| path.strip_suffix("Cargo.toml")) {
        let source = format!("{manifest}src/");
        let mut files = texts.iter().filter(|(path, _)| path.starts_with(&source) && path.ends_with(".rs"));
        let wanted = if files.any(|(_, text)| !pieces(text).is_empty()) {
            "#![deny(unsafe_code)]"
        } else {
            "#![forbid(unsafe_code)]"
        };
        for root in [format!("{source}lib.rs"), format!("{source}main.rs")] {
            if texts.get(&root).is_some_and(|text| !text.lines().any(|line| line == wanted)) {
                findings.push(Finding::new(&root, 0, format!("`{wanted}` is missing")));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: &str = "// SAFETY: it is fine,\n// as one sees.\n#[inline]\nunsafe { f() }\n";

    fn texts(pairs: &[(&str, &str)]) -> Texts {
        pairs.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect()
    }

    #[test]
    fn unsafe_code_says_why() {
        for good in [SOUND, "fn f() { \"unsafe { }\" } // unsafe { }\n", "unsafe fn f() {}\n"] {
            assert_eq!(reasons("x.rs", good), [], "{good}");
        }
        for bad in [
            "unsafe { f() }\n",
            "// SAFETY: of another\nlet a = 1;\nlet b = unsafe { f() };\n",
            "unsafe impl Send for X {}\n",
        ] {
            assert_eq!(reasons("x.rs", bad).len(), 1, "{bad}");
        }
    }

    #[test]
    fn the_list_is_complete() {
        let check = |document: &str| list(&texts(&[(LIST, document), ("a.rs", SOUND), ("b.rs", "safe\n")])).len();
        assert_eq!(
            check("# X\n\n## Unsafe code\n\n| file | pieces | why |\n|---|---|---|\n| `a.rs` | 1 | fine |\n"),
            0
        );
        assert_eq!(check("# X\n\n| `a.rs` | 1 | elsewhere |\n"), 1);
        assert_eq!(check("## Unsafe code\n\n| `a.rs` | 2 | fine |\n"), 1);
        assert_eq!(check("## Unsafe code\n\n| `a.rs` | 1 | fine |\n| `b.rs` | 1 | none |\n"), 1);
        assert_eq!(check("## Unsafe code\n\n| `a.rs` | 1 | fine |\n| `gone.rs` | 1 | gone |\n"), 1);
    }

    #[test]
    fn roots_forbid_what_they_do_not_have() {
        let check = |root: &str, file: &str| {
            roots(&texts(&[("a/Cargo.toml", ""), ("a/src/lib.rs", root), ("a/src/b.rs", file)])).len()
        };
        assert_eq!(check("#![forbid(unsafe_code)]\n", ""), 0);
        assert_eq!(check("#![deny(unsafe_code)]\n", SOUND), 0);
        assert_eq!(check("//! Nothing.\n", ""), 1);
        assert_eq!(check("#![forbid(unsafe_code)]\n", SOUND), 1);
    }
}
