//! `florin inspect`: prints the records of a journal.

use super::{Failure, offline_options};
use engine::inspect::line::line_of;
use engine::inspect::value::{Value, value_of};
use engine::inspect::{self, Ended};
use journal::disk::RealDisk;
use serde_json::{Map, Number};
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

/// Prints up to `limit` records from a seq on, one a line, as text or as JSON.
pub fn run(data: &Path, from: u64, limit: u64, json: bool) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    let mut left = limit;
    let mut failed = None;
    let ended = inspect::run(Arc::new(RealDisk::new()), data, offline_options(), from, |record| {
        if left == 0 {
            return ControlFlow::Break(());
        }
        left -= 1;
        let line = if json { json_of(&value_of(record)).to_string() } else { line_of(record) };
        match writeln!(out, "{line}") {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    });
    let ended = ended.map_err(|fault| Failure(engine::fault_text(&fault)))?;
    match failed.map_or_else(|| out.flush(), Err) {
        // Whoever read the output has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
        result => result.map_err(|error| Failure(format!("cannot print: {error}")))?,
    }
    match ended {
        Ended::End | Ended::Limit => Ok(()),
        Ended::Stopped { seq, reason } => Err(Failure(format!(
            "record {seq} cannot be shown: {reason}\n`florin verify` tells whether this is a torn end, which the next \
             start cuts, or damage"
        ))),
    }
}

fn json_of(value: &Value) -> serde_json::Value {
    match value {
        // Beyond 64 bits as text: many a reader of JSON knows no larger numbers.
        Value::Number(number) => Number::from_i128(*number)
            .map_or_else(|| serde_json::Value::String(number.to_string()), serde_json::Value::Number),
        Value::Text(text) => serde_json::Value::String(text.clone()),
        Value::Flag(flag) => serde_json::Value::Bool(*flag),
        Value::List(list) => serde_json::Value::Array(list.iter().map(json_of).collect()),
        Value::Fields(fields) => serde_json::Value::Object(
            fields.iter().map(|(name, value)| ((*name).to_owned(), json_of(value))).collect::<Map<_, _>>(),
        ),
    }
}
