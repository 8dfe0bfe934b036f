//! The program.

#![forbid(unsafe_code)]

use mimalloc::MiMalloc;
use std::process::ExitCode;

/// Batches are allocated on the threads of HTTP and freed on that of the writer, which the system's allocator answers by giving
/// memory back and asking for it again.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    server::cli::run(std::env::args_os())
}
