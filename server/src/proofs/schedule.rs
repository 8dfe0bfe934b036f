//! Checkpoints that are put elsewhere, again and again: into a file, to an address. Whoever can change the journal cannot change what is
//! there, so what was changed shows.

use super::checkpoint::Checkpoint;
use super::log::{ProofFault, SignedCheckpoint};
use super::note::NoteFault;
use crate::config::proofs::ProofsSettings;
use crate::http::call::{self, Call, CallFault, Trust};
use crate::http::state::AppState;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use axum::http::{Method, StatusCode};
use engine::merkle::Tip;
use hyper::body::Bytes;
use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// How long an address may take to accept a checkpoint.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Why a checkpoint was not put where it should be.
#[derive(Debug)]
pub enum ScheduleFault {
    /// None could be made.
    Proof(ProofFault),
    /// A file could not be read or written.
    Disk(PathBuf, io::Error),
    /// The file holds something else, which is left alone.
    Taken(PathBuf),
    /// The address was not reached.
    Call(CallFault),
    /// The address did not take it.
    Refused(StatusCode),
    /// The server met a bug.
    Bug,
}

impl fmt::Display for ScheduleFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScheduleFault::Proof(fault) => fault.fmt(f),
            ScheduleFault::Disk(path, _) => write!(f, "cannot use {}", path.display()),
            ScheduleFault::Taken(path) => {
                write!(f, "{} is no checkpoint; it is left as it is: name another file", path.display())
            }
            ScheduleFault::Call(_) => write!(f, "proofs.checkpoint_url cannot be called"),
            ScheduleFault::Refused(status) => write!(f, "proofs.checkpoint_url answered {status}"),
            ScheduleFault::Bug => write!(f, "checkpoints met a bug"),
        }
    }
}

impl std::error::Error for ScheduleFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ScheduleFault::Proof(fault) => fault.source(),
            ScheduleFault::Disk(_, source) => Some(source),
            ScheduleFault::Call(source) => Some(source),
            ScheduleFault::Taken(_) | ScheduleFault::Refused(_) | ScheduleFault::Bug => None,
        }
    }
}

/// Puts checkpoints where the settings say, for ever. Ends at once when they say nowhere.
pub async fn run(state: AppState) {
    let settings = state.settings().proofs.clone();
    if settings.checkpoint_file.is_none() && settings.checkpoint_url.is_none() {
        return;
    }
    let mut schedule = Schedule::new(state, settings);
    let mut ticks = interval(schedule.settings.checkpoint_interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        schedule.put().await;
    }
}

/// What has been put where.
pub struct Schedule {
    state: AppState,
    settings: ProofsSettings,
    trust: Trust,
    in_file: Option<Tip>,
    at_url: Option<Tip>,
}

impl Schedule {
    /// Nothing yet.
    pub fn new(state: AppState, settings: ProofsSettings) -> Schedule {
        Schedule { state, settings, trust: Trust::of_system(), in_file: None, at_url: None }
    }

    /// Puts a checkpoint of what is there now wherever there is an older one. What goes wrong is told in the log, and tried again the
    /// next time.
    pub async fn put(&mut self) {
        let tip = self.state.books().merkle().tip();
        if let Some(path) = self.settings.checkpoint_file.clone().filter(|_| self.in_file != Some(tip)) {
            match self.put_in_file(tip, path).await {
                Ok(()) => self.in_file = Some(tip),
                Err(fault) => {
                    tracing::error!("no checkpoint was written: {}", engine::fault_text(&fault));
                    // What contradicts one that was signed is not signed for others either.
                    if matches!(fault, ScheduleFault::Proof(ProofFault::Rewritten(_))) {
                        return;
                    }
                }
            }
        }
        if self.settings.checkpoint_url.is_some() && self.at_url != Some(tip) {
            match self.send(tip).await {
                Ok(()) => self.at_url = Some(tip),
                Err(fault) => tracing::error!("no checkpoint was sent: {}", engine::fault_text(&fault)),
            }
        }
    }

    async fn put_in_file(&self, tip: Tip, path: PathBuf) -> Result<(), ScheduleFault> {
        let state = self.state.clone();
        let written = tokio::task::spawn_blocking(move || {
            let fault = |source| ScheduleFault::Disk(path.clone(), source);
            if let Some(before) = read(&state, &path)?
                && !state.proofs().is_beginning(state.books(), tip, &before).map_err(ScheduleFault::Proof)?
            {
                return Err(ScheduleFault::Proof(ProofFault::Rewritten(before.size)));
            }
            let signed = sign(&state, tip)?;
            replace(&path, &signed.note).map_err(fault)
        });
        written.await.unwrap_or(Err(ScheduleFault::Bug))
    }

    async fn send(&self, tip: Tip) -> Result<(), ScheduleFault> {
        let state = self.state.clone();
        let signed = tokio::task::spawn_blocking(move || sign(&state, tip));
        let signed = signed.await.unwrap_or(Err(ScheduleFault::Bug))?;
        let url = self.settings.checkpoint_url.clone().ok_or(ScheduleFault::Bug)?;
        let mut headers = vec![(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))];
        let secret = self.settings.checkpoint_authorization.expose();
        if let Some(mut value) = HeaderValue::from_str(secret).ok().filter(|_| !secret.is_empty()) {
            value.set_sensitive(true);
            headers.push((AUTHORIZATION, value));
        }
        let call = Call { method: Method::POST, url: &url, headers: &headers, body: Bytes::from(signed.note) };
        let called = call::call(call, &self.trust, CALL_TIMEOUT).await.map_err(ScheduleFault::Call)?;
        if called.status.is_success() { Ok(()) } else { Err(ScheduleFault::Refused(called.status)) }
    }
}

fn sign(state: &AppState, tip: Tip) -> Result<SignedCheckpoint, ScheduleFault> {
    state.proofs().checkpoint(state.books(), tip, tip.rows).map_err(ScheduleFault::Proof)
}

/// The checkpoint that a file holds, if it is of this key.
fn read(state: &AppState, path: &Path) -> Result<Option<Checkpoint>, ScheduleFault> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(ScheduleFault::Disk(path.to_owned(), source)),
    };
    if text.is_empty() {
        return Ok(None);
    }
    match state.proofs().signer().verifier().open(&text) {
        Ok(text) => match Checkpoint::parse(text) {
            Some(checkpoint) => Ok(Some(checkpoint)),
            None => Err(ScheduleFault::Taken(path.to_owned())),
        },
        Err(NoteFault::Unsigned) => {
            tracing::warn!("{} holds a checkpoint of another key; it is replaced", path.display());
            Ok(None)
        }
        Err(NoteFault::Note | NoteFault::Forged | NoteFault::Key) => Err(ScheduleFault::Taken(path.to_owned())),
    }
}

/// Writes a file whole or not at all, durably.
pub fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut name = path.file_name().ok_or_else(|| io::Error::other("it names no file"))?.to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let mut file = fs::File::create(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(folder)?.sync_all()
}
