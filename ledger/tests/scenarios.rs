//! The rules, told as scenarios in `scenarios/*.txt`; see `support/script.rs` for their words.
//!
//! A scenario that no longer ends as it says fails with both texts. `FLORIN_UPDATE=1` writes what the ledger answers now into
//! the files instead: read the difference before you keep it.

// Without the path, rustfmt looks for the modules in `scenarios/`.
#[path = "support"]
mod support {
    pub mod auditor;
    pub mod book;
    pub mod digest;
    pub mod judge;
    pub mod order;
    pub mod origins;
    pub mod periods;
    pub mod police;
    pub mod random;
    pub mod said;
    pub mod script;
    pub mod tell;
    pub mod trial;
}

use std::path::Path;

/// Plays one scenario; answers the first line that differs, unless files are being updated.
fn check(path: &Path) -> Result<(), String> {
    let expected = std::fs::read_to_string(path).expect("a scenario can be read");
    let actual = support::script::play(&expected);
    if actual == expected {
        return Ok(());
    }
    if std::env::var_os("FLORIN_UPDATE").is_some() {
        std::fs::write(path, actual).expect("a scenario can be written");
        return Ok(());
    }
    let lines = expected.lines().zip(actual.lines()).enumerate();
    let mut different = lines.filter(|(_, (expected, actual))| expected != actual);
    let (at, (expected, actual)) = different.next().unwrap_or((0, ("fewer or more lines", "")));
    Err(format!("{}:{}\n  expected {expected}\n  but came {actual}", path.display(), at + 1))
}

/// Proves that the ledger answers as every scenario says.
#[test]
fn scenarios_end_as_they_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let entries = std::fs::read_dir(&folder).expect("the folder of scenarios can be read");
    let mut paths: Vec<_> = entries.map(|file| file.expect("a file of the folder").path()).collect();
    paths.sort();
    assert!(paths.len() > 10, "there are scenarios");
    let faults: Vec<String> = paths.iter().filter_map(|path| check(path).err()).collect();
    assert!(faults.is_empty(), "{} scenarios end otherwise\n{}", faults.len(), faults.join("\n"));
}
