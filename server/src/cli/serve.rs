//! `florin serve`: the server, from start to stop.

use super::Failure;
use crate::config::log::{LogFormat, LogSettings};
use crate::config::typed::Typed;
use crate::config::{Settings, print};
use crate::http::closings::complete_all;
use crate::http::layers::Shell;
use crate::http::listen::{CONNECTIONS_WAITING_MAX, LIMITS, Listener};
use crate::http::state::{AppState, mismatch_of};
use crate::proofs::note::Signer;
use crate::proofs::{key, schedule};
use crate::vault::master;
use crate::vault::{KEYS_FOLDER, Vault, VaultFault};
use engine::clock::Clock;
use engine::engine::{Engine, Options};
use engine::limits::Sizes;
use journal::disk::RealDisk;
use journal::open::{Options as JournalOptions, RECORD_BYTES_MAX};
use rustix::process::{Resource, getrlimit, setrlimit};
use std::sync::Arc;
use std::sync::mpsc::channel;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

/// File descriptors that are needed besides those of connections: segments, tables, the log.
const DESCRIPTORS_RESERVED: u64 = 512;

/// Identities without a key that are named in the log.
const LOST_NAMED_MAX: usize = 10;

/// Runs the server until it is told to stop.
pub fn run(typed: &Typed, settings: Settings) -> Result<(), Failure> {
    start_logging(&settings.log);
    for warning in typed.warnings.iter().chain(&settings.warnings()).chain(&print::unused_lines(typed)) {
        tracing::warn!("{warning}");
    }
    tracing::info!("settings:\n{}", print::describe(typed, &settings));
    make_room_for_connections(settings.server.connections_max as u64);
    let runtime = build_runtime(settings.server.threads)?;
    let engine = open_engine(&settings)?;
    let vault = open_vault(&settings, &engine)?;
    let signer = find_signer(&settings)?;
    let state = AppState::new(settings.clone(), engine, vault, signer);
    let scrubbed = state.start_scrub(Arc::new(RealDisk::new()), &settings.storage.data);
    scrubbed.map_err(|error| Failure(format!("cannot start threads: {error}")))?;
    let served = runtime.block_on(serve(settings, state.clone()));
    state.scrub().expect("it was started").stop();
    state.engine().close();
    served
}

fn open_engine(settings: &Settings) -> Result<Engine, Failure> {
    let began = std::time::Instant::now();
    let segment_bytes = settings.storage.segment_bytes;
    let record_bytes_max = RECORD_BYTES_MAX.min(u32::try_from(segment_bytes - 4096).unwrap_or(u32::MAX));
    let options = Options {
        folder: settings.storage.data.clone(),
        make: true,
        journal: JournalOptions { segment_bytes, record_bytes_max },
        mismatch: mismatch_of(settings),
        clock: Clock::System,
        sizes: Sizes::USUAL,
    };
    let engine =
        Engine::open(Arc::new(RealDisk::new()), options).map_err(|fault| Failure(engine::fault_text(&fault)))?;
    let started = engine.started();
    if started.cut_bytes > 0 {
        tracing::warn!(bytes = started.cut_bytes, "cut what an unclean stop left of an unanswered group");
    }
    let sync = if started.direct { "direct" } else { "buffered, synced after each write" };
    tracing::info!(
        data = %settings.storage.data.display(),
        transactions = engine.books().rows.len(),
        replayed_records = started.replayed_records,
        milliseconds = began.elapsed().as_millis() as u64,
        sync,
        "opened the journal"
    );
    Ok(engine)
}

/// Opens the keys of identities, and ends what a crash left undone.
fn open_vault(settings: &Settings, engine: &Engine) -> Result<Vault, Failure> {
    let folder = settings.storage.data.join(KEYS_FOLDER);
    let privacy = &settings.privacy;
    let found = master::find(&privacy.master_key, privacy.master_key_file.as_deref(), &folder);
    let found = found.map_err(|fault| Failure(engine::fault_text(&fault)))?;
    if let Some((file, made)) = &found.default_file {
        let what = if *made { "made a master key for personal data" } else { "the master key is beside the data" };
        tracing::warn!(
            "{what}: {}. In production keep it elsewhere: set FLORIN_MASTER_KEY or FLORIN_MASTER_KEY_FILE",
            file.display()
        );
    }
    let faulty = |fault: VaultFault| Failure(engine::fault_text(&fault));
    let vault = Arc::new(Vault::open(&RealDisk::new(), &folder, found.key).map_err(faulty)?);
    let (sender, receiver) = channel();
    let looking = Arc::clone(&vault);
    engine.read(
        move |view| {
            let ids = |lost: &[u32]| {
                lost.iter().take(LOST_NAMED_MAX).map(|handle| view.state.identity_text(*handle)).collect::<Vec<_>>()
            };
            looking.settle(view.state).map(|settled| (ids(&settled.lost), settled))
        },
        move |settled| drop(sender.send(settled)),
    );
    let settled = receiver.recv().map_err(|_| Failure("the ledger stopped while it started".to_owned()))?;
    let (named, settled) = settled.map_err(faulty)?;
    if settled.destroyed > 0 {
        tracing::warn!(keys = settled.destroyed, "destroyed keys of deleted identities that a crash had left");
    }
    if !settled.lost.is_empty() {
        tracing::error!(
            identities = settled.lost.len(),
            "the keys of identities are damaged or not there, such as those of {}: restore the folder keys/ from a backup, or delete \
             these identities",
            named.join(", ")
        );
    }
    Arc::into_inner(vault).ok_or_else(|| Failure("the ledger stopped while it started".to_owned()))
}

/// Finds the key that signs checkpoints, or makes it.
fn find_signer(settings: &Settings) -> Result<Signer, Failure> {
    let found = key::find(&settings.proofs, &settings.storage.data.join(KEYS_FOLDER));
    let found = found.map_err(|fault| Failure(engine::fault_text(&fault)))?;
    if let Some(file) = &found.made {
        tracing::info!("made a key that signs checkpoints: {}", file.display());
    }
    tracing::info!("checkpoints are checked with {}", found.signer.verifier());
    Ok(found.signer)
}

async fn serve(settings: Settings, state: AppState) -> Result<(), Failure> {
    // Taken before anything is served, so that no signal is missed.
    let stop = stop_signal()?;
    let listen = settings.server.listen;
    let cannot_listen = |error: std::io::Error| {
        Failure(format!("cannot listen on {listen}: {error}; choose another address with --listen"))
    };
    let waiting = state.clone();
    let scheduled = tokio::spawn(schedule::run(state.clone()));
    let listener =
        Listener::bind(&settings.server, Arc::new(Shell::new(state)), LIMITS).await.map_err(cannot_listen)?;
    let address = listener.address().map_err(cannot_listen)?;
    tracing::info!(%address, "listening");
    tokio::spawn(complete_all(waiting.clone()));
    let stop = async move {
        stop.await;
        // Who waits for events would hold up the stop.
        waiting.growth().stop();
    };
    let cut_off = listener.run(stop).await;
    scheduled.abort();
    if cut_off > 0 {
        tracing::warn!(connections = cut_off, "stopped without waiting longer for open requests");
    }
    tracing::info!("stopped");
    Ok(())
}

/// One thread needs no others to steal work from.
fn build_runtime(threads: usize) -> Result<Runtime, Failure> {
    let mut builder = if threads == 1 { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    if threads > 1 {
        builder.worker_threads(threads);
    }
    builder.thread_name("http").enable_all().build().map_err(|error| Failure(format!("cannot start threads: {error}")))
}

fn stop_signal() -> Result<impl Future<Output = ()>, Failure> {
    let listen_for = |kind| signal(kind).map_err(|error| Failure(format!("cannot listen for signals: {error}")));
    let mut interrupt = listen_for(SignalKind::interrupt())?;
    let mut terminate = listen_for(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::info!("stopping: no new connections, waiting for open requests");
    })
}

fn start_logging(settings: &LogSettings) {
    let lines =
        tracing_subscriber::fmt().with_max_level(settings.level).with_writer(std::io::stderr).with_target(false);
    match settings.format {
        LogFormat::Text => lines.with_ansi(false).init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
}

/// Raises the soft limit of file descriptors, which is often 1024, as far as needed and allowed.
fn make_room_for_connections(connections_max: u64) {
    let needed = connections_max + CONNECTIONS_WAITING_MAX as u64 + DESCRIPTORS_RESERVED;
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return;
    }
    limit.current = Some(limit.maximum.map_or(needed, |maximum| maximum.min(needed)));
    let raised = setrlimit(Resource::Nofile, limit).is_ok();
    if !raised || limit.current.is_some_and(|current| current < needed) {
        tracing::warn!(
            "the system allows fewer open files than server.max_connections needs ({needed}); raise it with ulimit -n"
        );
    }
}
