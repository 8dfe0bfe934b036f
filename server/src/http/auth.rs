//! Who is asking. The answer is a value, [`Principal`], that a handler receives as an argument.

use super::error::{ApiError, Code};
use super::state::AppState;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use std::convert::Infallible;
use subtle::ConstantTimeEq;

/// The header that carries the key.
pub const KEY_HEADER: HeaderName = HeaderName::from_static("x-blnk-key");

/// Paths that need no key. Metrics are to be guarded by a token of their own; until there are any, the path is not found.
pub const OPEN_PATHS: &[&str] =
    &["/", "/health", "/metrics", "/openapi.json", "/docs", "/docs/page.js", "/docs/page.css"];

/// Who is asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// Nobody in particular: keys are not looked at, or the path is open to all.
    Anyone,
    /// The owner of the master key, who may do everything.
    Master,
}

/// The scope that a key needs to be shown what tokens stand for.
pub const REVEAL_SCOPE: &str = "identities:reveal";

impl Principal {
    /// Refuses who may not be shown what tokens stand for. The master key may do everything; a key with scopes needs
    /// [`REVEAL_SCOPE`], reading and writing identities is not enough.
    pub fn may_reveal(&self) -> Result<(), ApiError> {
        match self {
            Principal::Anyone | Principal::Master => Ok(()),
        }
    }

    /// By what name it is kept who asked.
    pub const fn name(&self) -> &str {
        match self {
            Principal::Anyone => "anyone",
            Principal::Master => "master",
        }
    }
}

/// Finds out who is asking for `path`, or refuses.
pub fn authenticate(state: &AppState, path: &str, headers: &HeaderMap) -> Result<Principal, ApiError> {
    let server = &state.settings().server;
    if !server.secure || OPEN_PATHS.contains(&path) {
        return Ok(Principal::Anyone);
    }
    let key = headers.get(KEY_HEADER).map_or(&b""[..], |value| value.as_bytes());
    if key.is_empty() {
        return Err(ApiError::new(Code::AuthMissingApiKey, "Authentication required. Use X-Blnk-Key header"));
    }
    let master = server.secret_key.expose().as_bytes();
    // An empty master key would match nothing but an empty header, which is refused above; both are checked.
    if !master.is_empty() && bool::from(key.ct_eq(master)) {
        return Ok(Principal::Master);
    }
    Err(ApiError::new(Code::AuthInvalidApiKey, "Invalid API key"))
}

impl<S: Sync> FromRequestParts<S> for Principal {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Principal, Infallible> {
        Ok(parts.extensions.get::<Principal>().expect("every request was authenticated before it was routed").clone())
    }
}
