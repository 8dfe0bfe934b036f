//! The body of a request: read within limits, decoded leniently.

use super::error::{ApiError, Code};
use super::state::AppState;
use crate::decode::{self, Malformed};
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::header::{CONTENT_LENGTH, HeaderName, HeaderValue};
use axum::http::request::Parts;
use engine::writer::KeyAsk;
use http_body_util::BodyExt;
use ledger::limits::KEY_BYTES_MAX;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::convert::Infallible;
use std::time::Duration;

/// A body that has not arrived within this time is given up.
pub const BODY_SECONDS_MAX: Duration = Duration::from_secs(60);
/// Bytes past the limit that are read and dropped, so that a client that writes first and reads then gets its answer.
pub const DRAINED_BYTES_MAX: usize = 64 << 20;
/// Bytes of a body that are read and dropped for a client without a good key.
pub const DISCARDED_BYTES_MAX: usize = 1 << 20;
/// How long that may take.
pub const DISCARD_SECONDS_MAX: Duration = Duration::from_secs(5);
/// Memory reserved on the word of the client, before anything has arrived.
const RESERVED_BYTES_MAX: usize = 1 << 20;

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFault {
    /// Longer than `server.max_request_body_size_mb`.
    TooLarge,
    /// Not there within [`BODY_SECONDS_MAX`].
    TooSlow,
    /// The connection broke.
    Broken,
}

/// The header with the key of a request that is to be carried out once, however often it is sent.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The body of a request. Taking it never fails; using it may, and then the handler chooses the code and the message.
#[derive(Debug, Clone)]
pub struct RequestBody {
    bytes: Result<Bytes, BodyFault>,
    key: Option<Result<KeyAsk, KeyFault>>,
}

/// What is wrong with the key of a request: it is empty, too long, or no plain text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct KeyFault;

impl RequestBody {
    /// The bytes as they came.
    pub fn bytes(&self) -> Result<&Bytes, Malformed> {
        self.bytes.as_ref().map_err(|fault| {
            Malformed::new(match fault {
                BodyFault::TooLarge => "http: request body too large",
                BodyFault::TooSlow => "request body did not arrive in time",
                BodyFault::Broken => "unexpected EOF",
            })
        })
    }

    /// The key that the request was sent with, if it was.
    pub fn key(&self) -> Result<Option<KeyAsk>, ApiError> {
        let wrong = |KeyFault| {
            let message = format!("Idempotency-Key must have from 1 to {KEY_BYTES_MAX} visible characters");
            ApiError::new(Code::GenBadRequest, message)
        };
        self.key.clone().transpose().map_err(wrong)
    }

    /// The first JSON value of the body. `?` turns a failure into `GEN_MALFORMED_REQUEST` with the message of the decoder.
    pub fn decode<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Malformed> {
        decode::from_slice(self.bytes()?)
    }
}

impl From<Malformed> for ApiError {
    fn from(malformed: Malformed) -> ApiError {
        ApiError::new(Code::GenMalformedRequest, malformed.into_message())
    }
}

impl FromRequest<AppState> for RequestBody {
    type Rejection = Infallible;

    async fn from_request(request: Request, state: &AppState) -> Result<RequestBody, Infallible> {
        let announced =
            request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok()).unwrap_or(0);
        let (head, body) = request.into_parts();
        let reading = read(body, announced, state.settings().server.body_bytes_max);
        let bytes = tokio::time::timeout(BODY_SECONDS_MAX, reading).await.unwrap_or(Err(BodyFault::TooSlow));
        let key = head.headers.get(IDEMPOTENCY_KEY).map(|name| key_of(name, &head, bytes.as_ref().ok()));
        Ok(RequestBody { bytes, key })
    }
}

/// A key, with a hash of everything that was sent with it: method, address, body.
fn key_of(name: &HeaderValue, head: &Parts, body: Option<&Bytes>) -> Result<KeyAsk, KeyFault> {
    let name = name.to_str().map_err(|_| KeyFault)?;
    if name.is_empty() || name.len() > KEY_BYTES_MAX {
        return Err(KeyFault);
    }
    let mut hasher = Sha256::new();
    for part in [head.method.as_str().as_bytes(), head.uri.to_string().as_bytes(), body.map_or(&[], Bytes::as_ref)] {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    Ok(KeyAsk { name: name.to_owned(), request: hasher.finalize().into() })
}

/// Reads a whole body of at most `bytes_max`. The usual body is one frame, which is taken without copying it.
async fn read(mut body: Body, announced: usize, bytes_max: usize) -> Result<Bytes, BodyFault> {
    let mut first = Bytes::new();
    let mut joined: Vec<u8> = Vec::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| BodyFault::Broken)?.into_data() else { continue };
        length += data.len();
        if length > bytes_max {
            drain(body, DRAINED_BYTES_MAX).await;
            return Err(BodyFault::TooLarge);
        }
        if length == data.len() {
            first = data;
        } else {
            if joined.is_empty() {
                joined.reserve(announced.min(RESERVED_BYTES_MAX).max(length));
                joined.extend_from_slice(&first);
            }
            joined.extend_from_slice(&data);
        }
    }
    Ok(if joined.is_empty() { first } else { Bytes::from(joined) })
}

/// Reads a small body and drops it, so that a client that writes first and reads then gets the answer that it is not allowed to
/// ask.
pub async fn discard(body: Body) {
    drop(tokio::time::timeout(DISCARD_SECONDS_MAX, drain(body, DISCARDED_BYTES_MAX)).await);
}

async fn drain(mut body: Body, bytes_max: usize) {
    let mut drained = 0;
    while let Some(Ok(frame)) = body.frame().await {
        drained += frame.data_ref().map_or(0, Bytes::len);
        if drained > bytes_max {
            return;
        }
    }
}
