//! Where things lie: files of modules, the code map, edges between crates.

use super::{Finding, Texts};

/// `foo.rs` with `foo/`: one way to lay out a module.
pub fn module_files(texts: &Texts) -> Vec<Finding> {
    let named = |path: &&String| path.as_str() == "mod.rs" || path.ends_with("/mod.rs");
    texts
        .keys()
        .filter(named)
        .map(|path| Finding::new(path, 0, "use `foo.rs` beside `foo/` instead of `mod.rs`"))
        .collect()
}

/// Dependencies that a crate may have, by the path of its manifest. `None`: no table of dependencies at all.
const EDGES: [(&str, Option<&[&str]>); 2] =
    [("ledger/Cargo.toml", None), ("engine/Cargo.toml", Some(&["axum", "hyper", "serde_json", "tokio"]))];

/// `ledger` depends on nothing; `engine` on nothing that speaks HTTP or JSON.
pub fn dependencies(path: &str, text: &str) -> Vec<Finding> {
    let Some((_, forbidden)) = EDGES.iter().find(|(manifest, _)| *manifest == path) else { return Vec::new() };
    let mut findings = Vec::new();
    let mut inside = false;
    for (at, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line.trim())) {
        if let Some(section) = line.strip_prefix('[') {
            // [dependencies], [dev-dependencies], [target.'cfg(unix)'.dependencies], [dependencies.axum]
            let section = section.trim_end_matches(']');
            inside = section.ends_with("dependencies");
            if let Some((_, name)) = section.rsplit_once("dependencies.") {
                findings.extend(refused(path, at, name, *forbidden));
            }
        } else if inside && !line.is_empty() && !line.starts_with('#') {
            let name = line.split(['=', '.', ' ']).next().unwrap_or(line).trim_matches('"');
            findings.extend(refused(path, at, name, *forbidden));
        }
    }
    findings
}

fn refused(path: &str, line: usize, name: &str, forbidden: Option<&[&str]>) -> Option<Finding> {
    match forbidden {
        None => Some(Finding::new(path, line, format!("`{name}`: this crate has no dependencies"))),
        Some(names) if names.contains(&name) => {
            Some(Finding::new(path, line, format!("`{name}` is not for this crate")))
        }
        Some(_) => None,
    }
}

/// What the code map of ARCHITECTURE.md names exists, and it names every member of the workspace.
pub fn code_map(texts: &Texts, exists: &dyn Fn(&str) -> bool) -> Vec<Finding> {
    const MAP: &str = "ARCHITECTURE.md";
    let Some(text) = texts.get(MAP) else { return vec![Finding::new(MAP, 0, "missing")] };
    let mut findings = Vec::new();
    let mut named = Vec::new();
    let mut inside = false;
    for (at, line) in text.lines().enumerate() {
        if line.starts_with("## ") {
            inside = line == "## Code map";
        }
        let first =
            line.strip_prefix("| `").or_else(|| line.strip_prefix("- `")).and_then(|rest| rest.split('`').next());
        if let (true, Some(place)) = (inside, first) {
            named.push(place.trim_end_matches('/'));
            for path in spelled_out(place).into_iter().filter(|path| !exists(path)) {
                findings.push(Finding::new(MAP, at + 1, format!("`{path}` does not exist")));
            }
        }
    }
    let manifest = texts.get("Cargo.toml").map_or("", String::as_str);
    for member in members(manifest).into_iter().filter(|member| !named.contains(&member.as_str())) {
        findings.push(Finding::new(MAP, 0, format!("the code map does not name `{member}`")));
    }
    findings
}

/// `src/{a,b}.rs` → `src/a.rs`, `src/b.rs`.
fn spelled_out(place: &str) -> Vec<String> {
    let group = place.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?)));
    match group {
        Some((before, (names, behind))) => {
            names.split(',').map(|name| format!("{before}{}{behind}", name.trim())).collect()
        }
        None => vec![place.to_string()],
    }
}

fn members(manifest: &str) -> Vec<String> {
    let list = manifest.lines().map(str::trim_start).skip_while(|line| !line.starts_with("members"));
    let text: String = list.take_while(|line| !line.starts_with('[')).collect::<Vec<_>>().join("\n");
    let list = text.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map_or("", |(list, _)| list);
    list.split(',')
        .map(|member| member.trim().trim_matches('"').to_string())
        .filter(|member| !member.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(pairs: &[(&str, &str)]) -> Texts {
        pairs.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect()
    }

    #[test]
    fn mod_rs_is_refused() {
        let found =
            module_files(&texts(&[("server/src/http/mod.rs", ""), ("server/src/http.rs", ""), ("x/amod.rs", "")]));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, "server/src/http/mod.rs");
    }

    #[test]
    fn ledger_has_no_dependencies() {
        for manifest in [
            "[dependencies]\nserde = \"1\"\n",
            "[dev-dependencies]\nserde.workspace = true\n",
            "[dependencies.serde]\n",
            "[target.'cfg(unix)'.dependencies]\nlibc = \"0.2\"\n",
        ] {
            assert_eq!(dependencies("ledger/Cargo.toml", manifest).len(), 1, "{manifest}");
            assert_eq!(dependencies("server/Cargo.toml", manifest), [], "{manifest}");
        }
        assert_eq!(dependencies("ledger/Cargo.toml", "[package]\nname = \"ledger\"\n\n[dependencies]\n# none\n"), []);
    }

    #[test]
    fn engine_does_not_depend_on_http() {
        let manifest = "[dependencies]\njournal = { path = \"../journal\" }\ntokio = \"1\"\n";
        assert_eq!(
            dependencies("engine/Cargo.toml", manifest),
            [Finding::new("engine/Cargo.toml", 3, "`tokio` is not for this crate")]
        );
    }

    #[test]
    fn the_code_map_is_checked_both_ways() {
        let map = "## Code map\n\n| `ledger` | rules |\n- `ledger/src/{there,gone}.rs`: x\n- `docs/`: y\n\n## Then\n- `elsewhere`\n";
        let both = texts(&[("ARCHITECTURE.md", map), ("Cargo.toml", "[workspace]\nmembers = [\"ledger\", \"new\"]\n")]);
        let found = code_map(&both, &|path| ["ledger", "docs/", "ledger/src/there.rs"].contains(&path));
        assert_eq!(
            found,
            [
                Finding::new("ARCHITECTURE.md", 4, "`ledger/src/gone.rs` does not exist"),
                Finding::new("ARCHITECTURE.md", 0, "the code map does not name `new`"),
            ]
        );
        assert_eq!(code_map(&texts(&[]), &|_| true).len(), 1);
    }
}
