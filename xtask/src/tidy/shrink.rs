//! Lists that may only shrink: what is let through now was let through before.

use super::Finding;
use std::collections::BTreeMap;

#[derive(Clone, Copy)]
pub enum List {
    /// One name a line.
    Names,
    /// A name and a number that may not be raised.
    Ceilings,
}

pub fn check(list: List, path: &str, before: &str, now: &str) -> Vec<Finding> {
    let before: BTreeMap<&str, usize> = entries(before).map(|(_, name, number)| (name, number)).collect();
    let mut findings = Vec::new();
    for (line, name, number) in entries(now) {
        match (before.get(name), list) {
            (None, _) => findings.push(Finding::new(path, line, format!("`{name}` is new; this list may only shrink"))),
            (Some(&old), List::Ceilings) if number > old => {
                findings.push(Finding::new(path, line, format!("`{name}` was at {old}; this number may only fall")));
            }
            (Some(_), _) => {}
        }
    }
    findings
}

/// Line number, name, number behind it (0 when there is none); comments and empty lines are left out.
pub fn entries(text: &str) -> impl Iterator<Item = (usize, &str, usize)> {
    text.lines().enumerate().filter_map(|(at, line)| {
        let mut words = line.split('#').next().unwrap_or("").split_whitespace();
        let name = words.next()?;
        Some((at + 1, name, words.next().and_then(|number| number.parse().ok()).unwrap_or(0)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_may_shrink() {
        assert_eq!(check(List::Names, "p", "# old\na\nb\n", "# new heading\nb\n"), []);
        assert_eq!(check(List::Ceilings, "p", "a 1200\nb 1100\n", "a 1100\n"), []);
    }

    #[test]
    fn lists_may_not_grow() {
        assert_eq!(
            check(List::Names, "p", "a\n", "a\nb\n"),
            [Finding::new("p", 2, "`b` is new; this list may only shrink")]
        );
        assert_eq!(check(List::Ceilings, "p", "a 1100\n", "a 1101\n").len(), 1);
    }
}
