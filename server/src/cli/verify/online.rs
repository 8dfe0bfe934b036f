//! `florin verify --url`: checks that the books of a running server were only added to since the last time, which is kept in a file.

use super::super::Failure;
use super::kept::{Kept, Key};
use crate::http::auth::KEY_HEADER;
use crate::http::call::{self, Call, Trust};
use crate::proofs::checkpoint::Checkpoint;
use crate::proofs::document::Consistency;
use crate::proofs::note::Verifier;
use crate::proofs::schedule::replace;
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use hyper::body::Bytes;
use std::path::Path;
use std::time::Duration;

/// How long the server may take for one answer. After a start it may have to hash first.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Asks for a checkpoint and for the proof that leads there from the one in the file, and puts the new one into the file.
pub fn run(url: &str, api_key: Option<&str>, key: Option<&str>, file: &Path) -> Result<(), Failure> {
    let server = Server::new(url, api_key)?;
    let key = match Key::find(key, file)? {
        Some(key) => key,
        // Nobody said whom to trust, and nothing was kept: whoever runs this compares the key, or the first answer is believed.
        None => Key::first(&server.get("/proofs/key")?, file)?,
    };
    let verifier = &key.verifier;
    let note = server.get("/proofs/checkpoint")?;
    let now = opened(verifier, &note).map_err(|why| Failure(format!("the checkpoint of {url}: {why}")))?;
    if now.record.is_none() {
        // Somebody on the way may have asked for an earlier one: that of now always tells the last record.
        return Err(Failure(format!("the checkpoint of {url} is not of now: it tells no record of the journal")));
    }
    let mut text = format!("{:<22}{}\n", "log", verifier);
    if key.is_new {
        text += &format!("{:<22}the key is believed from now on; compare it with who runs the server\n", "first time");
    }
    match Kept::read(file, verifier)? {
        Some(before) => {
            compare(&server, verifier, &before.checkpoint, &now, file)?;
            let size = before.checkpoint.size;
            text +=
                &format!("{:<22}nothing of the {size} transactions in {} was changed\n", "consistent", file.display());
        }
        None => text += &format!("{:<22}there was no checkpoint in {} to compare with\n", "first time", file.display()),
    }
    let told = now.record.map(|(seq, _)| format!(", {seq} records")).unwrap_or_default();
    text += &format!("{:<22}{} transactions{told}, kept in {}\n", "checkpoint", now.size, file.display());
    let fault = |error| Failure(format!("cannot write {}: {error}", file.display()));
    replace(file, &note).map_err(fault)?;
    key.keep(file)?;
    print!("{text}");
    Ok(())
}

/// Sees that what the server tells now begins with what it told before.
fn compare(
    server: &Server,
    verifier: &Verifier,
    before: &Checkpoint,
    now: &Checkpoint,
    file: &Path,
) -> Result<(), Failure> {
    let is =
        |what: String| Err(Failure(format!("{what}; keep {}, and check a copy of the data with it", file.display())));
    let last = |checkpoint: &Checkpoint| checkpoint.record.map_or(0, |(seq, _)| seq);
    if now.size < before.size || last(now) < last(before) {
        let (size, seq) = (now.size, last(now));
        return is(format!(
            "the end of the books is missing: {} transactions and {} records were signed, and there are {size} and {seq}",
            before.size,
            last(before)
        ));
    }
    let seq = before.record.map(|(seq, _)| format!("&seq={seq}")).unwrap_or_default();
    let path = format!("/proofs/consistency?from={}&to={}{seq}", before.size, now.size);
    let proof: Consistency = serde_json::from_str(&server.get(&path)?)
        .map_err(|error| Failure(format!("the server brought no proof of consistency: {error}")))?;
    let told =
        opened(verifier, &proof.checkpoint).map_err(|why| Failure(format!("the checkpoint of the proof: {why}")))?;
    // A record that makes no transaction is in no leaf: only its chain hash tells of it.
    if before.record.is_some() && told.before != before.record {
        return is(format!("the books were rewritten: record {} has another chain hash than was signed", last(before)));
    }
    if told.root != now.root || !proof.leads(before, now) {
        return is(format!(
            "the books were rewritten: nothing leads from the {} transactions that were signed",
            before.size
        ));
    }
    Ok(())
}

fn opened(verifier: &Verifier, note: &str) -> Result<Checkpoint, String> {
    let text = verifier.open(note).map_err(|fault| fault.to_string())?;
    Checkpoint::parse(text).filter(|checkpoint| checkpoint.origin == verifier.name).ok_or("it is none".to_owned())
}

/// A running server.
struct Server {
    url: String,
    api_key: Option<HeaderValue>,
    trust: Trust,
    runtime: tokio::runtime::Runtime,
}

impl Server {
    fn new(url: &str, api_key: Option<&str>) -> Result<Server, Failure> {
        let api_key = api_key.map(HeaderValue::from_str).transpose();
        let api_key = api_key.map_err(|_| Failure("--api-key: it cannot stand in a header".to_owned()))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure(format!("cannot start threads: {error}")))?;
        Ok(Server { url: url.trim_end_matches('/').to_owned(), api_key, trust: Trust::of_system(), runtime })
    }

    fn get(&self, path: &str) -> Result<String, Failure> {
        let address = format!("{}{path}", self.url);
        let failure = |why: String| Failure(format!("{address}: {why}"));
        let url: Uri = address.parse().map_err(|_| failure("it is no address".to_owned()))?;
        let headers: Vec<_> = self.api_key.iter().map(|key| (KEY_HEADER, key.clone())).collect();
        let call = Call { method: Method::GET, url: &url, headers: &headers, body: Bytes::new() };
        let called = self.runtime.block_on(call::call(call, &self.trust, TIMEOUT));
        let called = called.map_err(|fault| failure(engine::fault_text(&fault)))?;
        let text = String::from_utf8_lossy(&called.body).into_owned();
        if called.status == StatusCode::OK { Ok(text) } else { Err(failure(format!("{} {text}", called.status))) }
    }
}
