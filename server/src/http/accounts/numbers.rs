//! Numbers of accounts that another service makes.
//!
//! The service is asked in the request that makes the account, before anything is changed and not on the writer's thread: when it
//! fails, or the client goes meanwhile, nothing was made. Bounds: [`CALLS_MAX`] calls at a time, and those of [`super::super::call`].

use crate::config::accounts::NumberService;
use crate::http::call::{self, Trust};
use crate::http::error::{ApiError, Code};
use axum::http::HeaderValue;
use ledger::limits::{ACCOUNT_NUMBER_BYTES_MAX, BANK_NAME_BYTES_MAX};
use serde::Deserialize;
use tokio::sync::Semaphore;

/// Most calls at a time. Past it a request is told to come again.
pub const CALLS_MAX: usize = 64;

/// Makes numbers of accounts, if a service is set up for it.
#[derive(Debug)]
pub struct Numbers(Option<Service>);

#[derive(Debug)]
struct Service {
    settings: NumberService,
    authorization: Option<HeaderValue>,
    trust: Trust,
    calls: Semaphore,
}

/// What a service made.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct Made {
    /// The number.
    pub account_number: String,
    /// The name of the bank.
    pub bank_name: String,
}

impl Numbers {
    /// By these settings.
    pub fn new(settings: Option<NumberService>) -> Numbers {
        Numbers(settings.map(|settings| {
            let secret = settings.authorization.expose();
            let mut authorization = HeaderValue::from_str(secret).ok().filter(|_| !secret.is_empty());
            if let Some(value) = &mut authorization {
                value.set_sensitive(true);
            }
            // Read while the server starts: later it would hold up requests.
            Service { settings, authorization, trust: Trust::of_system(), calls: Semaphore::new(CALLS_MAX) }
        }))
    }

    /// A number and its bank. `None` when there is no service, or when it leaves one of the two open: then what the client
    /// sent stands.
    pub async fn make(&self) -> Result<Option<Made>, ApiError> {
        let Some(service) = &self.0 else { return Ok(None) };
        let busy =
            || ApiError::new(Code::QueueBackpressure, "too many account numbers are being made; try again in a moment");
        let _call = service.calls.try_acquire().map_err(|_| busy())?;
        let NumberService { url, timeout, .. } = &service.settings;
        let called = call::get(url, service.authorization.as_ref(), &service.trust, *timeout);
        let called = called.await.map_err(|fault| failed(&engine::fault_text(&fault)))?;
        if !called.status.is_success() {
            return Err(failed(&format!("it answered {}", called.status)));
        }
        let made: Made = serde_json::from_slice(&called.body)
            .map_err(|fault| failed(&format!("its answer is no number: {fault}")))?;
        if made.account_number.len() > ACCOUNT_NUMBER_BYTES_MAX || made.bank_name.len() > BANK_NAME_BYTES_MAX {
            return Err(failed("the number or the name of the bank is too long"));
        }
        Ok(Some(made).filter(|made| !made.account_number.is_empty() && !made.bank_name.is_empty()))
    }
}

/// The client learns that it failed; why is in the log.
fn failed(why: &str) -> ApiError {
    tracing::error!("account_number_generation.http_service brought no number: {why}");
    ApiError::new(Code::AccGenerationFailed, "the account number could not be generated; no account was made")
}
