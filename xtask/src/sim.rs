//! `cargo xtask sim` and `cargo xtask mutations`: the simulator, and whether it finds bugs that are put in on purpose.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// The list of mutations.
const LIST: &str = "sim/mutations.txt";
/// What a mutated workspace consists of.
const CRATES: [&str; 4] = ["ledger", "journal", "engine", "sim"];
/// Fewer mutations than this say little.
const MUTATIONS_MIN: usize = 20;
/// Worlds that are lived to catch a mutation, and lives of each.
const SEEDS: &str = "150";
const LIVES: &str = "12";
/// Tells the code of a mutated workspace which mutation is on.
const SWITCH: &str = "FLORIN_MUTANT";

/// Plays seeds with the simulator of this workspace.
pub fn run(root: &Path, arguments: &[&str]) -> ExitCode {
    let mut command = Command::new("cargo");
    command.current_dir(root).args(["run", "--quiet", "--package", "sim", "--"]).args(arguments);
    match command.status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cargo does not start: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A bug that is put in on purpose.
#[derive(Debug, PartialEq, Eq)]
struct Mutation {
    name: String,
    what: String,
    /// The first seed that is played.
    from: u64,
    edits: Vec<Edit>,
}

/// One place that a mutation changes.
#[derive(Debug, Default, PartialEq, Eq)]
struct Edit {
    file: String,
    find: String,
    replace: String,
}

/// Builds a workspace with all mutations in it and plays seeds with one at a time. Says last how many were caught.
pub fn mutate(root: &Path, only: Option<&str>) -> ExitCode {
    let outcome = fs::read_to_string(root.join(LIST))
        .map_err(|error| format!("{LIST}: {error}"))
        .and_then(|text| parse(&text))
        .and_then(|mutations| play(root, &mutations, only));
    match outcome {
        Ok((passed, failed)) => {
            println!("{passed} passed, {failed} failed");
            if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(what) => {
            eprintln!("{what}");
            println!("0 passed, 1 failed");
            ExitCode::FAILURE
        }
    }
}

fn play(root: &Path, mutations: &[Mutation], only: Option<&str>) -> Result<(usize, usize), String> {
    if mutations.len() < MUTATIONS_MIN {
        return Err(format!("{} mutations are too few", mutations.len()));
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir));
    let place = target.join("mutations");
    let binary = build(root, &place, mutations)?;
    // What is found with no mutation on says nothing of one.
    let begins: BTreeSet<u64> = mutations.iter().map(|mutation| mutation.from).collect();
    for from in begins {
        if let Some(found) = lives(&binary, None, from)? {
            return Err(format!("the simulator finds something although no mutation is on: {found}"));
        }
    }
    let (mut passed, mut failed) = (0, 0);
    for (number, mutation) in mutations.iter().enumerate() {
        if only.is_some_and(|only| only != mutation.name) {
            continue;
        }
        match lives(&binary, Some(number), mutation.from)? {
            Some(found) => {
                passed += 1;
                println!("caught  {}: {found}", mutation.name);
            }
            None => {
                failed += 1;
                println!("MISSED  {}: {}", mutation.name, mutation.what);
            }
        }
    }
    Ok((passed, failed))
}

/// Plays seeds; answers the first line of what was found, if something was.
fn lives(binary: &Path, mutation: Option<usize>, from: u64) -> Result<Option<String>, String> {
    let mut command = Command::new(binary);
    command.args(["--seeds", SEEDS, "--lives", LIVES, "--from", &from.to_string()]).stdout(Stdio::null());
    if let Some(number) = mutation {
        command.env(SWITCH, number.to_string());
    }
    let output = command.output().map_err(|error| format!("{}: {error}", binary.display()))?;
    let told = String::from_utf8_lossy(&output.stderr);
    let found = told.lines().find(|line| line.starts_with("seed ")).unwrap_or("it ended by itself");
    Ok((!output.status.success()).then(|| found.chars().take(160).collect()))
}

/// Makes the workspace with all mutations and builds its simulator.
fn build(root: &Path, place: &Path, mutations: &[Mutation]) -> Result<PathBuf, String> {
    let workspace = place.join("workspace");
    let told = |path: &Path| {
        let path = path.display().to_string();
        move |error: io::Error| format!("{path}: {error}")
    };
    for name in CRATES {
        copy(&root.join(name), &workspace.join(name)).map_err(told(&workspace))?;
    }
    fs::copy(root.join("Cargo.lock"), workspace.join("Cargo.lock")).map_err(told(&workspace))?;
    let manifest = fs::read_to_string(root.join("Cargo.toml")).map_err(told(root))?;
    let keep = |line: &str| match line.split(" = ").next() {
        Some("members") => format!("members = {CRATES:?}"),
        Some("default-members") => String::new(),
        _ => line.to_owned(),
    };
    let manifest: Vec<String> = manifest.lines().map(keep).collect();
    write(&workspace.join("Cargo.toml"), &manifest.join("\n"))?;
    for name in CRATES {
        let path = workspace.join(name).join("src/lib.rs");
        let text = fs::read_to_string(&path).map_err(told(&path))?;
        write(&path, &format!("{text}{}", switch()))?;
    }
    for (number, mutation) in mutations.iter().enumerate() {
        for edit in &mutation.edits {
            let path = workspace.join(&edit.file);
            let text = fs::read_to_string(&path).map_err(told(&path))?;
            let changed =
                apply(&text, edit, number).map_err(|what| format!("{}: {}: {what}", mutation.name, edit.file))?;
            write(&path, &changed)?;
        }
    }
    let mut command = Command::new("cargo");
    command
        .current_dir(&workspace)
        .args(["build", "--quiet", "--package", "sim", "--target-dir"])
        .arg(place.join("target"));
    let status = command.env_remove("CARGO_TARGET_DIR").status().map_err(|error| format!("cargo: {error}"))?;
    if !status.success() {
        return Err("the mutated workspace does not compile".to_owned());
    }
    Ok(place.join("target/debug/sim"))
}

/// What is added to each crate: whether a mutation is on.
fn switch() -> String {
    format!(
        "\n/// Bugs that are put in on purpose.\npub mod mutant {{\n    use std::sync::OnceLock;\n\n    /// Whether one is on.\n    \
         pub fn is(number: usize) -> bool {{\n        static ON: OnceLock<Option<usize>> = OnceLock::new();\n        \
         *ON.get_or_init(|| std::env::var(\"{SWITCH}\").ok()?.parse().ok()) == Some(number)\n    }}\n}}\n"
    )
}

/// Writes a file only when it is another, so that what is unchanged is not built again.
fn write(path: &Path, text: &str) -> Result<(), String> {
    if fs::read_to_string(path).is_ok_and(|before| before == text) {
        return Ok(());
    }
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Copies the manifest and the sources of a crate.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if entry.file_type()?.is_dir() {
            if name != "tests" && name != "target" {
                copy(&entry.path(), &to.join(&name))?;
            }
        } else if Path::new(&name).extension().is_some_and(|end| end == "rs" || end == "toml") {
            fs::copy(entry.path(), to.join(&name))?;
        }
    }
    Ok(())
}

fn apply(text: &str, edit: &Edit, number: usize) -> Result<String, String> {
    match text.matches(&edit.find).count() {
        1 => Ok(text.replacen(&edit.find, &edit.replace.replace("MUTANT", &format!("crate::mutant::is({number})")), 1)),
        count => Err(format!("stands there {count} times:\n{}", edit.find)),
    }
}

fn parse(text: &str) -> Result<Vec<Mutation>, String> {
    let mut mutations: Vec<Mutation> = Vec::new();
    for (at, line) in (1..).zip(text.lines()) {
        let wrong = || format!("{LIST}:{at}: {line}");
        let (mark, rest) = line.split_at(line.len().min(2));
        let edit = mutations.last_mut().and_then(|mutation| mutation.edits.last_mut());
        match (mark, edit) {
            ("" | "# " | "#", _) => {}
            ("= ", _) => {
                let (name, what) = rest.split_once(": ").ok_or_else(wrong)?;
                mutations.push(Mutation { name: name.to_owned(), what: what.to_owned(), from: 1, edits: Vec::new() });
            }
            ("~ ", _) => {
                let mutation = mutations.last_mut().ok_or_else(wrong)?;
                mutation.from = rest.parse().map_err(|_| wrong())?;
            }
            ("@ ", _) => {
                let mutation = mutations.last_mut().ok_or_else(wrong)?;
                mutation.edits.push(Edit { file: rest.to_owned(), ..Edit::default() });
            }
            ("- ", Some(edit)) => edit.find.extend([rest, "\n"]),
            ("+ ", Some(edit)) => edit.replace.extend([rest, "\n"]),
            _ => return Err(wrong()),
        }
    }
    let mut names: Vec<&String> = mutations.iter().map(|mutation| &mutation.name).collect();
    names.sort_unstable();
    let whole = |edit: &Edit| !edit.find.is_empty() && edit.replace.contains('\n');
    match mutations.iter().find(|mutation| mutation.edits.is_empty() || !mutation.edits.iter().all(whole)) {
        Some(mutation) => Err(format!("{}: it changes nothing", mutation.name)),
        None if names.windows(2).any(|pair| pair[0] == pair[1]) => Err("two mutations have one name".to_owned()),
        None => Ok(mutations),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "# said\n\n= late: too late\n@ a.rs\n-     one();\n+     if !MUTANT { one(); }\n";

    #[test]
    fn a_list_is_read() {
        let edit =
            Edit { file: "a.rs".into(), find: "    one();\n".into(), replace: "    if !MUTANT { one(); }\n".into() };
        let mutation = Mutation { name: "late".into(), what: "too late".into(), from: 1, edits: vec![edit] };
        assert_eq!(parse(ONE), Ok(vec![mutation]));
    }

    #[test]
    fn a_list_that_changes_nothing_is_refused() {
        for text in ["= late: too late\n", "= late: too late\n@ a.rs\n", "- one\n", "= no what\n", &ONE.repeat(2)] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_place_must_be_the_only_one() {
        let mutations = parse(ONE).expect("it is read");
        let edit = &mutations[0].edits[0];
        let changed = apply("{\n    one();\n}\n", edit, 3);
        assert_eq!(changed.as_deref(), Ok("{\n    if !crate::mutant::is(3) { one(); }\n}\n"));
        assert!(apply("", edit, 3).is_err());
        assert!(apply("    one();\n    one();\n", edit, 3).is_err());
    }

    /// Every mutation of the list still has its place in the sources.
    #[test]
    fn the_list_fits_the_sources() {
        let root = crate::workspace();
        let mutations = parse(&fs::read_to_string(root.join(LIST)).expect("it is there")).expect("it is read");
        assert!(mutations.len() >= MUTATIONS_MIN);
        let mut texts = std::collections::BTreeMap::new();
        for (number, mutation) in mutations.iter().enumerate() {
            for edit in &mutation.edits {
                let read = || fs::read_to_string(root.join(&edit.file)).expect("the file is there");
                let text = texts.entry(&edit.file).or_insert_with(read);
                *text = apply(text, edit, number).unwrap_or_else(|what| panic!("{}: {what}", mutation.name));
            }
        }
    }
}
