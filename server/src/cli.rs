//! The command line. Each command has a file with one function that takes what it needs, resolved.
//!
//! Exit status: 0 done, 1 failed, 2 asked for wrongly.

pub mod config;
pub mod inspect;
pub mod keys;
pub mod rebuild;
pub mod scrub;
pub mod serve;
pub mod verify;

use crate::bench::{self, BenchOptions};
use crate::config::source::Sources;
use crate::config::typed::Typed;
use crate::config::{ConfigError, Settings};
use clap::{Args, Parser, Subcommand};
use journal::open::{Options, RECORD_BYTES_MAX, SEGMENT_BYTES};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  florin serve                              answer on http://127.0.0.1:5001, keep data in ./data
  florin serve --data /var/lib/florin       keep data there
  FLORIN_SERVER_SECURE=true FLORIN_SERVER_SECRET_KEY=... florin serve --listen 0.0.0.0:5001
                                            answer to everyone who has the key
  florin bench --bulk 1000                  measure a running server
  florin config                             show the settings and where each comes from
  florin verify --data ./data               check the books of a stopped server
  florin verify --url http://127.0.0.1:5001 --checkpoint last.txt
                                            check that a running server has changed nothing since the last time

Settings come from florin.toml or blnk.json in the working folder (or --config FILE), then from the environment
(FLORIN_SERVER_PORT or BLNK_SERVER_PORT), then from flags; the later wins.
While the server runs, http://127.0.0.1:5001/docs describes its API.";

/// A double-entry ledger server in one program.
#[derive(Debug, Parser)]
#[command(name = "florin", version, about, after_help = EXAMPLES, arg_required_else_help = true, max_term_width = 110)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server until it is told to stop (SIGINT, SIGTERM)
    #[command(visible_alias = "start")]
    Serve(ServerArguments),
    /// Load a server and measure it: throughput, latency, CPU, memory, disk
    Bench(Box<BenchOptions>),
    /// Show the settings in force, where each comes from, and those that do nothing here
    Config(ServerArguments),
    /// Check a data folder that no server uses, a running server, or a proof: that the books are whole, and what was signed
    Verify(VerifyArguments),
    /// Read everything in a data folder that no server uses with its checksums, and repair it from copies
    Scrub(ScrubArguments),
    /// Print the records of a journal that no server uses
    Inspect(InspectArguments),
    /// Work on the keys of identities
    Keys {
        #[command(subcommand)]
        command: KeysCommand,
    },
    /// Delete everything that is derived from the journal, and make it anew
    Rebuild(DataArguments),
}

/// What can be said about the server. `config` takes the same, to show what `serve` would do.
#[derive(Debug, Args)]
pub struct ServerArguments {
    #[command(flatten)]
    source: SourceArguments,
    /// Folder of the data, made if it does not exist
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Address to listen on
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// Allow an address that others can reach without asking them for a key
    #[arg(long)]
    insecure: bool,
}

/// Which data folder to work on.
#[derive(Debug, Args)]
struct DataArguments {
    /// Folder of the data; stop its server first
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
}

/// What to scrub.
#[derive(Debug, Args)]
struct ScrubArguments {
    #[command(flatten)]
    folder: DataArguments,
    /// Folder with copies of segments: what `archive` of the server made, or `journal` of a backup
    #[arg(long, value_name = "DIR")]
    archive: Option<PathBuf>,
    /// Put copies that fit in the place of damaged segments, and have what is derived and damaged made anew at the next start
    #[arg(long)]
    repair: bool,
}

/// What to check.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct VerifyArguments {
    #[command(subcommand)]
    command: Option<VerifyCommand>,
    /// Folder of the data; stop its server first, or give a copy
    #[arg(long, value_name = "DIR", required_unless_present = "url", conflicts_with = "url")]
    data: Option<PathBuf>,
    /// Address of a running server: check that nothing was changed since the last time
    #[arg(long, value_name = "URL", requires = "checkpoint")]
    url: Option<String>,
    /// File with a signed checkpoint. With --url it holds the one of the last time, and then the new one
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Key that checkpoints are signed with, name+id+base64 as GET /proofs/key tells it, or a file that holds it
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// API key of the server, sent as X-Blnk-Key
    #[arg(long, value_name = "KEY", requires = "url")]
    api_key: Option<String>,
}

/// What can be checked without data.
#[derive(Debug, Subcommand)]
enum VerifyCommand {
    /// Check a proof of a transaction, as GET /proofs/transactions/{id} gives it; needs no server and no data
    Proof(ProofArguments),
}

/// A proof, and what it is to lead to.
#[derive(Debug, Args)]
struct ProofArguments {
    /// File with the proof
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// File with a signed checkpoint that you have kept; the one in the proof unless given
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Key that checkpoints are signed with, or a file that holds it
    #[arg(long, value_name = "KEY")]
    key: String,
}

/// What to do with the keys of identities.
#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Wrap the keys of identities with another master key; start the server with it afterwards
    Rotate(RotateArguments),
}

/// From which master key to which. The old one is found as `serve` finds it.
#[derive(Debug, Args)]
struct RotateArguments {
    #[command(flatten)]
    source: SourceArguments,
    #[command(flatten)]
    folder: DataArguments,
    /// File with the new master key: 32 random bytes as base64 or hexadecimal digits
    #[arg(long, value_name = "FILE")]
    new_key_file: PathBuf,
}

/// What to print of a journal.
#[derive(Debug, Args)]
struct InspectArguments {
    #[command(flatten)]
    folder: DataArguments,
    /// First record to print
    #[arg(long, value_name = "SEQ", default_value_t = 1)]
    from: u64,
    /// Most records to print
    #[arg(long, value_name = "N", default_value_t = u64::MAX, hide_default_value = true)]
    limit: u64,
    /// Print all fields, as one JSON object a line
    #[arg(long)]
    json: bool,
}

/// Where settings are read from.
#[derive(Debug, Args)]
pub struct SourceArguments {
    /// File of settings, TOML or JSON, instead of florin.toml or blnk.json in the working folder
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Runs the program. What the parser prints about usage has the status of the parser: 0 for help, 2 for mistakes.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Nowhere to tell it if this fails.
            let _ = error.print();
            return ExitCode::from(error.exit_code() as u8);
        }
    };
    let result = match arguments.command {
        Command::Serve(arguments) => settings_of(&arguments).and_then(|(typed, settings)| serve::run(&typed, settings)),
        Command::Bench(options) => bench::run(*options).map_err(|fault| Failure(fault.to_string())),
        Command::Config(arguments) => {
            settings_of(&arguments).and_then(|(typed, settings)| config::run(&typed, &settings))
        }
        Command::Verify(arguments) => check(&arguments),
        Command::Scrub(arguments) => scrub::run(&arguments.folder.data, arguments.archive, arguments.repair),
        Command::Inspect(arguments) => {
            inspect::run(&arguments.folder.data, arguments.from, arguments.limit, arguments.json)
        }
        Command::Keys { command: KeysCommand::Rotate(arguments) } => rotate(&arguments),
        Command::Rebuild(arguments) => rebuild::run(&arguments.data),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            for line in failure.0.lines() {
                eprintln!("florin: {line}");
            }
            ExitCode::FAILURE
        }
    }
}

fn check(arguments: &VerifyArguments) -> Result<(), Failure> {
    if let Some(VerifyCommand::Proof(arguments)) = &arguments.command {
        return verify::proof::run(&arguments.file, arguments.checkpoint.as_deref(), &arguments.key);
    }
    let VerifyArguments { data, url, checkpoint, key, api_key, .. } = arguments;
    match (data, url, checkpoint, key) {
        (_, Some(url), Some(checkpoint), key) => {
            verify::online::run(url, api_key.as_deref(), key.as_deref(), checkpoint)
        }
        (Some(data), _, Some(checkpoint), Some(key)) => verify::run(data, vec![verify::signed(checkpoint, key)?]),
        (Some(data), _, None, None) => verify::run(data, Vec::new()),
        _ => Err(Failure("a checkpoint is believed with a key: give both --checkpoint and --key".to_owned())),
    }
}

fn rotate(arguments: &RotateArguments) -> Result<(), Failure> {
    let sources = Sources::of_process(arguments.source.config.as_deref(), Path::new("."))?;
    // Where the server would listen does not matter here.
    let settings = Settings::resolve(&Typed::read(&sources)?, true)?;
    keys::rotate(&settings, &arguments.folder.data, &arguments.new_key_file)
}

/// Sizes for commands that work on a journal that is there: it knows the size of its segments itself.
fn offline_options() -> Options {
    Options { segment_bytes: SEGMENT_BYTES, record_bytes_max: RECORD_BYTES_MAX }
}

/// Why a command failed, and what to do, for people. Lines.
#[derive(Debug)]
pub struct Failure(pub String);

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Failure {
        Failure(error.to_string())
    }
}

fn settings_of(arguments: &ServerArguments) -> Result<(Typed, Settings), Failure> {
    let mut sources = Sources::of_process(arguments.source.config.as_deref(), Path::new("."))?;
    if let Some(data) = &arguments.data {
        let text = data.to_str().ok_or_else(|| Failure(format!("--data: {} is not UTF-8", data.display())))?;
        sources.flags.push(("data", "--data", text.to_owned()));
    }
    if let Some(listen) = &arguments.listen {
        sources.flags.push(("listen", "--listen", listen.clone()));
    }
    let typed = Typed::read(&sources)?;
    let settings = Settings::resolve(&typed, arguments.insecure)?;
    Ok((typed, settings))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn arguments_are_consistent() {
        Arguments::command().debug_assert();
    }
}
