//! Chores of the workspace: `cargo xtask tidy`, `cargo xtask sim`, `cargo xtask mutations`.

#![forbid(unsafe_code)]

mod sim;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask tidy                checks layout, forbidden words, file sizes, links
       cargo xtask sim [...]           plays the simulator: --seed S, or --seeds N --from S --minutes M, --lives L
       cargo xtask mutations [NAME]    puts bugs in on purpose and has the simulator find each";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["tidy"] => tidy::run(&workspace()),
        ["sim", arguments @ ..] => sim::run(&workspace(), arguments),
        ["mutations"] => sim::mutate(&workspace(), None),
        ["mutations", name] => sim::mutate(&workspace(), Some(name)),
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// The folder above this crate, so that the chore works from anywhere inside the workspace.
fn workspace() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace").to_path_buf()
}
