//! `florin config`: the settings, as TOML with origins.

use super::Failure;
use crate::config::typed::Typed;
use crate::config::{Settings, print};
use std::io::{self, Write};

/// Prints the settings to standard output, warnings to standard error.
pub fn run(typed: &Typed, settings: &Settings) -> Result<(), Failure> {
    for warning in typed.warnings.iter().chain(&settings.warnings()) {
        eprintln!("warning: {warning}");
    }
    match io::stdout().write_all(print::describe(typed, settings).as_bytes()) {
        // Whoever read the output has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.map_err(|error| Failure(format!("cannot print: {error}"))),
    }
}
