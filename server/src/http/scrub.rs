//! What reading everything on disk again and again has found.

use super::answer;
use super::openapi::{Answer as Told, Field, Object, Operation, Schema};
use super::state::{Answer, AppState};
use crate::api::time;
use axum::extract::State;
use axum::http::StatusCode;
use engine::scrub::{Finding, Standing, Status};
use serde_json::{Value, json};

const FINDING: Object = Object {
    name: "ScrubFinding",
    description: "Something on disk that is damaged, or was.",
    fields: &[
        Field::required(
            "part",
            Schema::Choice(&[
                "journal",
                "rows",
                "alerts",
                "proofs",
                "references",
                "children",
                "dated",
                "checkpoints",
                "format",
                "keys",
            ]),
            "What it is about.",
        ),
        Field::required("file", Schema::Text, "The file."),
        Field::required("offset", Schema::Integer, "Where in the file: the first damaged byte that is known."),
        Field::required("problem", Schema::Text, "What is wrong there."),
        Field::required("status", Schema::Choice(&["damaged", "repaired"]), "Whether it is damaged now."),
        Field::required("found_at", Schema::Time, "When it was found first."),
        Field::optional("advice", Schema::Text, "What becomes of it, and what to do; while it is damaged."),
        Field::optional("reason", Schema::Text, "Why it could not be repaired, when that was tried."),
        Field::optional("repaired_at", Schema::Time, "When it was repaired."),
        Field::optional("kept", Schema::Text, "Where the damaged file is kept."),
    ],
};
const PASS: Object = Object {
    name: "ScrubPass",
    description: "A reading of everything.",
    fields: &[
        Field::required("number", Schema::Integer, "Its number since the start of the server, from 1."),
        Field::required("began_at", Schema::Time, "When it began."),
        Field::required("bytes", Schema::Integer, "Bytes that it has read."),
        Field::optional("bytes_total", Schema::Integer, "Bytes that there were to read when it began."),
        Field::optional("part", Schema::Text, "What it is reading."),
        Field::optional("ended_at", Schema::Time, "When it ended."),
        Field::optional("found", Schema::Integer, "What it found damaged, repaired or not."),
    ],
};
const ARCHIVE: Object = Object {
    name: "ScrubArchive",
    description: "The folder of copies of sealed segments.",
    fields: &[
        Field::required("folder", Schema::Text, "Where it is."),
        Field::required("segments", Schema::Integer, "Segments that were copied into it since the start."),
        Field::optional("fault", Schema::Text, "Why segments cannot be copied, if so."),
    ],
};
const SCRUB: Object = Object {
    name: "Scrub",
    description: "How reading everything on disk again and again goes. Times and numbers are those since the start of the server.",
    fields: &[
        Field::required("status", Schema::Choice(&["off", "ok", "damaged"]), "Whether something is damaged now."),
        Field::required("bytes_per_second", Schema::Integer, "Most bytes that are read in a second; 0 when it is off."),
        Field::required("bytes", Schema::Integer, "Bytes that were read."),
        Field::required("found", Schema::Integer, "What was found damaged."),
        Field::required("repaired", Schema::Integer, "What of it was repaired."),
        Field::optional("pass", Schema::Object(&PASS), "The pass under way; not while it rests between two."),
        Field::optional("last_pass", Schema::Object(&PASS), "The last that ended."),
        Field::optional("archive", Schema::Object(&ARCHIVE), "Where copies of segments are, if there are."),
        Field::required("findings", Schema::List(&Schema::Object(&FINDING)), "The oldest first."),
    ],
};

/// Document of [`get_scrub`].
pub const GET_SCRUB: Operation = Operation {
    summary: "Read what was found damaged on disk",
    description: "All files are read slowly, again and again, with their checksums, so that damage is known before somebody needs what \
                  is damaged. Damage does not take the server down: `GET /health` does not tell of it.",
    answers: &[Told { status: 200, description: "How it goes.", schema: &Schema::Object(&SCRUB) }],
    ..Operation::new("get_scrub", "Server")
};

/// `GET /scrub`.
pub async fn get_scrub(State(state): State<AppState>) -> Answer {
    let status = state.scrub().map(engine::scrub::Scrub::status).unwrap_or_default();
    let settings = &state.settings().scrub;
    let damaged = status.damaged().next().is_some();
    let word = match (settings.bytes_per_second, damaged) {
        (_, true) => "damaged",
        (0, false) => "off",
        (_, false) => "ok",
    };
    let mut told = json!({
        "status": word,
        "bytes_per_second": settings.bytes_per_second,
        "bytes": status.bytes_count,
        "found": status.found_count,
        "repaired": status.repaired_count,
        "findings": status.findings.iter().map(finding).collect::<Vec<_>>(),
    });
    passes(&status, &mut told);
    if let Some(folder) = &settings.archive {
        told["archive"] = json!({"folder": folder.display().to_string(), "segments": status.archived_count});
        if let Some(fault) = &status.archive_fault {
            told["archive"]["fault"] = json!(fault);
        }
    }
    Ok(answer::json(StatusCode::OK, &told))
}

fn passes(status: &Status, told: &mut Value) {
    if status.pass > 0 {
        told["pass"] = json!({
            "number": status.pass,
            "began_at": time::text(status.began_at),
            "bytes": status.bytes,
            "bytes_total": status.bytes_max,
            "part": status.part.map(|part| part.word()),
        });
    }
    if let Some(last) = &status.last {
        told["last_pass"] = json!({
            "number": last.pass,
            "began_at": time::text(last.began_at),
            "ended_at": time::text(last.ended_at),
            "bytes": last.bytes,
            "found": last.found,
        });
    }
}

fn finding(finding: &Finding) -> Value {
    let mut told = json!({
        "part": finding.part.word(),
        "file": finding.file.display().to_string(),
        "offset": finding.offset,
        "problem": finding.problem,
        "status": "damaged",
        "found_at": time::text(finding.found_at),
    });
    match &finding.standing {
        Standing::Damaged => told["advice"] = json!(finding.part.advice()),
        Standing::NotRepaired { reason } => {
            told["advice"] = json!(finding.part.advice());
            told["reason"] = json!(reason);
        }
        Standing::Repaired { at, kept } => {
            told["status"] = json!("repaired");
            told["repaired_at"] = json!(time::text(*at));
            if let Some(kept) = kept {
                told["kept"] = json!(kept.display().to_string());
            }
        }
    }
    told
}
