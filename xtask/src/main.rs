//! Chores of the workspace: `cargo xtask tidy`.

#![forbid(unsafe_code)]

mod tidy;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["tidy"] => tidy::run(&workspace()),
        _ => {
            eprintln!("usage: cargo xtask tidy    checks layout, forbidden words, file sizes, links");
            ExitCode::from(2)
        }
    }
}

/// The folder above this crate, so that the chore works from anywhere inside the workspace.
fn workspace() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace").to_path_buf()
}
