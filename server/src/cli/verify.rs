//! `florin verify`: checks a data folder against its journal and against what was signed; `online` and `proof` need no folder.

mod kept;
pub mod online;
pub mod proof;

use super::{Failure, offline_options};
use engine::verify::proofs::Signed;
use engine::verify::{self, Progress, Report};
use journal::disk::RealDisk;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often progress is told.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);
/// The same where nobody watches: the output is a file.
const PROGRESS_EVERY_FILE: Duration = Duration::from_secs(10);

/// What the checkpoint in a file tells, which is signed with a key.
pub fn signed(checkpoint: &Path, key: &str) -> Result<Signed, Failure> {
    let kept = kept::Kept::read(checkpoint, &kept::Key::given(key)?.verifier)?;
    let missing = || Failure(format!("there is no checkpoint at {}", checkpoint.display()));
    Ok(kept.ok_or_else(missing)?.checkpoint.signed())
}

/// Checks the folder, and that it is what was signed. Problems are a failure.
pub fn run(data: &Path, signed: Vec<Signed>) -> Result<(), Failure> {
    let began = Instant::now();
    let watched = io::stderr().is_terminal();
    let mut told = began;
    let report = verify::run_against(Arc::new(RealDisk::new()), data, offline_options(), signed, |progress| {
        let every = if watched { PROGRESS_EVERY } else { PROGRESS_EVERY_FILE };
        if told.elapsed() >= every {
            told = Instant::now();
            eprint!("{}{}", line(&progress), if watched { "\r" } else { "\n" });
        }
    });
    if watched {
        // Takes the line of progress away.
        eprint!("\r\x1b[K");
    }
    let report = report.map_err(|fault| Failure(engine::fault_text(&fault)))?;
    let text = describe(&report, began.elapsed());
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            return Err(Failure(format!("cannot print: {error}")));
        }
        _ => {}
    }
    if report.problems_count == 0 { Ok(()) } else { Err(Failure(advice(&report, data))) }
}

fn line(progress: &Progress) -> String {
    let percent = (progress.bytes * 100).checked_div(progress.bytes_max).unwrap_or(100);
    format!("checked {} records, {} transactions, {percent} % of the journal", progress.records, progress.rows)
}

fn describe(report: &Report, took: Duration) -> String {
    let mut text = String::new();
    let mut put = |key: &str, value: String| text.push_str(&format!("{key:<22}{value}\n"));
    put("records", report.records.to_string());
    put("transactions", format!("{} ({} compared with the table)", report.rows, report.rows_compared));
    put("balances", report.balances.to_string());
    put("open holds", report.holds.to_string());
    put("checkpoints compared", report.checkpoints.to_string());
    if report.signed > 0 {
        put("signed checkpoint", "everything up to it is what was signed".to_owned());
    }
    for total in &report.currencies {
        let name = format!("currency {}", total.currency);
        put(&name, format!("{} balances sum to {}, held to {}", total.balances, total.balance, total.held));
    }
    put("last record", format!("seq {}, hash {}", report.seq, report.chain));
    if report.mismatched > 0 {
        let count = report.mismatched;
        put(
            "currency mismatches",
            format!("{count} postings between currencies (compat.currency_mismatch = \"allow\")"),
        );
    }
    if report.torn_bytes > 0 {
        put("torn end", format!("{} bytes of an unanswered group; the next start cuts them", report.torn_bytes));
    }
    let asserted = &report.asserted;
    if asserted.count > 0 {
        put("assertions", format!("{}, of which {} do not hold", asserted.count, asserted.broken));
    }
    for told in &asserted.told {
        put("broken assertion", told.clone());
    }
    let untold = asserted.broken - asserted.told.len() as u64;
    if untold > 0 {
        put("broken assertion", format!("and {untold} more like these"));
    }
    let stale = report.stale_references + report.stale_children;
    if stale > 0 {
        put("stale index entries", format!("{stale}, left by a crash; they do no harm"));
    }
    let per_second = (u128::from(report.rows) * 1000).checked_div(took.as_millis()).unwrap_or(0);
    put("took", format!("{:.1} s, {per_second} transactions a second", took.as_secs_f32()));
    for problem in &report.problems {
        put(&format!("PROBLEM {}", problem.part.word()), problem.text.clone());
    }
    let untold = report.problems_count - report.problems.len() as u64;
    if untold > 0 {
        put("PROBLEM", format!("and {untold} more like these"));
    }
    text
}

fn advice(report: &Report, data: &Path) -> String {
    let all_derived = report.problems.iter().all(|problem| problem.part.is_derived());
    let todo = if all_derived {
        format!("the journal is whole: run `florin rebuild --data {}` to make the rest anew from it", data.display())
    } else {
        "keep a copy of the folder, look at it with `florin inspect`, and restore from a backup".to_owned()
    };
    let count = report.problems_count;
    format!("{count} {} found; {todo}", if count == 1 { "problem" } else { "problems" })
}
