//! The query of an address, as pairs in the order they were given.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use std::borrow::Cow;
use std::convert::Infallible;

/// Most pairs that are looked at; those after it are as if not given.
pub const PARAMETERS_MAX: usize = 256;

/// The query of an address.
#[derive(Debug, Clone)]
pub struct Parameters(String);

impl Parameters {
    /// The pairs, decoded, in order.
    pub fn pairs(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        form_urlencoded::parse(self.0.as_bytes()).take(PARAMETERS_MAX)
    }

    /// The first value of this name.
    pub fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        self.pairs().find(|(given, _)| given == name).map(|(_, value)| value)
    }
}

impl<S: Sync> FromRequestParts<S> for Parameters {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Parameters, Infallible> {
        Ok(Parameters(parts.uri.query().unwrap_or_default().to_owned()))
    }
}
