//! `florin scrub`: reads everything in a data folder with its checksums, and repairs what there is another copy of.

use super::{Failure, offline_options};
use crate::scrub::keys_of;
use engine::scrub::offline::{self, Asked, Report};
use engine::scrub::{Finding, Part, Standing};
use journal::disk::RealDisk;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// Scrubs the folder. What is damaged and stays so is a failure.
pub fn run(data: &Path, archive: Option<PathBuf>, repair: bool) -> Result<(), Failure> {
    let began = Instant::now();
    let asked = Asked { folder: data, archive, repair, others: keys_of(data), tell: Box::new(|_| {}) };
    let report = offline::run(Arc::new(RealDisk::new()), offline_options(), asked);
    let report = report.map_err(|fault| Failure(engine::fault_text(&fault)))?;
    for finding in &report.status.findings {
        println!("{}", line(finding));
    }
    if let Some(end) = &report.end {
        println!("DAMAGED journal: {end}");
    }
    let (bytes, repaired) = (report.status.bytes_count >> 20, report.status.repaired_count);
    let copies = if report.copies > 0 { format!(", {} copies in the archive", report.copies) } else { String::new() };
    println!("read {bytes} MiB in {:.1} s{copies}; repaired {repaired}", began.elapsed().as_secs_f32());
    if report.is_damaged() { Err(Failure(advice(&report, data, repair))) } else { Ok(()) }
}

fn line(finding: &Finding) -> String {
    let (part, file, offset) = (finding.part.word(), finding.file.display(), finding.offset);
    let problem = &finding.problem;
    match &finding.standing {
        Standing::Damaged => format!("DAMAGED {part}: {file} at byte {offset}: {problem}"),
        Standing::NotRepaired { reason } => {
            format!("DAMAGED {part}: {file} at byte {offset}: {problem}; it cannot be repaired: {reason}")
        }
        Standing::Repaired { kept, .. } => {
            let kept =
                kept.as_ref().map(|kept| format!("; the damaged file is {}", kept.display())).unwrap_or_default();
            format!("repaired {part}: {file} at byte {offset}: {problem}{kept}")
        }
    }
}

fn advice(report: &Report, data: &Path, repair: bool) -> String {
    let count = report.status.damaged().count() + usize::from(report.end.is_some());
    let mut text = format!("{count} damaged");
    let damaged = |wanted: fn(Part) -> bool| report.status.damaged().any(|finding| wanted(finding.part));
    let data = data.display();
    if damaged(|part| part == Part::Journal) || report.end.is_some() {
        text += match repair {
            false => {
                "\nthe journal: repair it from copies of its segments with --archive DIR --repair, or restore a backup"
            }
            true => "\nthe journal: find another copy of the segments that are named, or restore a backup",
        };
    }
    if damaged(|part| !matches!(part, Part::Journal | Part::Keys | Part::Format | Part::Archive)) {
        text += &format!("\nwhat is derived: once the journal is whole, `florin rebuild --data {data}` makes it anew");
        if repair {
            text += ", and so does the next start";
        }
    }
    for part in [Part::Keys, Part::Archive] {
        if report.status.damaged().any(|finding| finding.part == part) {
            text += &format!("\n{}: {}", part.word(), part.advice());
        }
    }
    text
}
