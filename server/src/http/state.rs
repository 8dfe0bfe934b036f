//! What handlers share.

use super::accounts::numbers::Numbers;
use super::deliveries::Deliveries;
use super::turns::Turns;
use crate::api::token::Tokenizer;
use crate::config::Settings;
use crate::config::posting::CurrencyMismatch;
use crate::feed::growth::Growth;
use crate::proofs::log::Log;
use crate::proofs::note::Signer;
use crate::vault::Vault;
use axum::body::Bytes;
use axum::response::Response;
use engine::engine::Engine;
use engine::reading::Books;
use engine::scrub::Scrub;
use journal::disk::Disk;
use ledger::command::Mismatch;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

/// What handlers share. Cloning it is cheap.
#[derive(Clone)]
pub struct AppState(Arc<Shared>);

struct Shared {
    settings: Settings,
    engine: Engine,
    deliveries: Deliveries,
    growth: Arc<Growth>,
    account_numbers: Numbers,
    vault: Arc<Vault>,
    proofs: Log,
    tokenizer: Option<Tokenizer>,
    turns: Turns,
    /// Why the server cannot do its work, once that is so. It does not become well again: a wrong ledger stops.
    down: Mutex<Option<String>>,
    openapi: Bytes,
    scrub: OnceLock<Scrub>,
}

impl AppState {
    /// The state of a server with these settings.
    pub fn new(settings: Settings, engine: Engine, vault: Vault, signer: Signer) -> AppState {
        let growth = Arc::new(Growth::default());
        let grown = Arc::clone(&growth);
        engine.books().reach().on_growth(move || grown.tell());
        let account_numbers = Numbers::new(settings.account_numbers.clone());
        let tokenizer = settings.privacy.token_key().map(Tokenizer::new);
        AppState(Arc::new(Shared {
            settings,
            account_numbers,
            engine,
            deliveries: Deliveries::default(),
            growth,
            vault: Arc::new(vault),
            proofs: Log::new(signer),
            tokenizer,
            turns: Turns::default(),
            down: Mutex::new(None),
            openapi: super::openapi::document_text().into(),
            scrub: OnceLock::new(),
        }))
    }

    /// Starts to read what is on disk again and again, beside everything else. Once.
    pub fn start_scrub(&self, disk: Arc<dyn Disk>, folder: &Path) -> io::Result<()> {
        let scrub = crate::scrub::start(disk, folder, Arc::clone(self.engine().books()), &self.0.settings.scrub)?;
        assert!(self.0.scrub.set(scrub).is_ok(), "it is started once");
        Ok(())
    }

    /// That reading, once it was started.
    pub fn scrub(&self) -> Option<&Scrub> {
        self.0.scrub.get()
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// How the writer's answers reach handlers.
    pub fn deliveries(&self) -> &Deliveries {
        &self.0.deliveries
    }

    /// Wakes who waits for more in the feed.
    pub fn growth(&self) -> &Growth {
        &self.0.growth
    }

    /// Makes numbers of accounts, if a service is set up for it.
    pub fn account_numbers(&self) -> &Numbers {
        &self.0.account_numbers
    }

    /// The keys of identities.
    pub fn vault(&self) -> &Arc<Vault> {
        &self.0.vault
    }

    /// Signs checkpoints, and proves what leads to them.
    pub fn proofs(&self) -> &Log {
        &self.0.proofs
    }

    /// Makes tokens, when there is a secret for them.
    pub fn tokenizer(&self) -> Option<&Tokenizer> {
        self.0.tokenizer.as_ref()
    }

    /// Where changes of one thing wait for each other.
    pub fn turns(&self) -> &Turns {
        &self.0.turns
    }

    /// What every thread may read.
    pub fn books(&self) -> &Books {
        self.0.engine.books()
    }

    /// What to do with a currency that is not that of both balances.
    pub fn mismatch(&self) -> Mismatch {
        mismatch_of(&self.0.settings)
    }

    /// The OpenAPI document, as text. All answers share it: who reads slowly holds no copy.
    pub fn openapi(&self) -> Bytes {
        self.0.openapi.clone()
    }

    /// From now on `/health` says that the server is down, and why. The first reason stays.
    pub fn set_down(&self, reason: impl Into<String>) {
        self.0.down.lock().expect("no panic while held").get_or_insert_with(|| reason.into());
    }

    /// Why the server is down, if it is.
    pub fn down_reason(&self) -> Option<String> {
        self.0.down.lock().expect("no panic while held").clone().or_else(|| self.0.engine.health().stopped())
    }
}

/// What the settings say of a currency that is not that of both balances.
pub fn mismatch_of(settings: &Settings) -> Mismatch {
    match settings.posting.currency_mismatch {
        CurrencyMismatch::Refuse => Mismatch::Refuse,
        CurrencyMismatch::Allow => Mismatch::Allow,
    }
}

/// What a handler returns: an answer, or an error in its envelope.
pub type Answer = Result<Response, super::error::ApiError>;
