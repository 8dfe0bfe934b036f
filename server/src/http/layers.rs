//! What surrounds every request, as one function: request id, log line, path, slash, headers, key, route.
//!
//! The order is part of the contract: a redirect for a slash comes before everything a client could be refused for, a
//! missing key is told before a missing route, and every other answer carries the security headers.

use super::state::AppState;
use super::{answer, auth, body, path, router};
use axum::Router;
use axum::body::HttpBody;
use axum::extract::{FromRequestParts, Request};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use std::convert::Infallible;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tower_service::Service;

/// Carries the id of a request, from the client or made here, and back.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest id of a request that is taken over from a client.
pub const REQUEST_ID_BYTES_MAX: usize = 64;
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// Longest client address that is logged; longer ones are nonsense.
const CLIENT_BYTES_MAX: usize = 64;

const SECURITY_HEADERS: [(HeaderName, HeaderValue); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("strict-origin-when-cross-origin")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];
const TRANSPORT_SECURITY: HeaderValue = HeaderValue::from_static("max-age=31536000; includeSubDomains");

/// All routes, and what surrounds them. Takes requests from anywhere: connections, tests.
pub struct Shell {
    router: Router,
    state: AppState,
    log_requests: bool,
    /// Ids of requests are this, random per process, and a number.
    id_prefix: u32,
    id_next: AtomicU64,
}

impl Shell {
    /// Builds the routes over `state`.
    pub fn new(state: AppState) -> Shell {
        let log_requests = state.settings().log.requests;
        let id_prefix = RandomState::new().hash_one(std::process::id()) as u32;
        Shell { router: router::build(state.clone()), state, log_requests, id_prefix, id_next: AtomicU64::new(0) }
    }

    /// Answers one request.
    pub async fn respond(&self, peer: SocketAddr, mut request: Request) -> Response {
        let id = self.request_id(request.headers());
        let line =
            (self.log_requests && tracing::enabled!(tracing::Level::INFO)).then(|| LogLine::start(peer, &request));
        request.extensions_mut().insert(RequestId(id.clone()));
        let mut response = self.answer(&mut request).await;
        if let Some(line) = line {
            line.finish(&id, &response);
        }
        response.headers_mut().insert(REQUEST_ID, id);
        response
    }

    async fn answer(&self, request: &mut Request) -> Response {
        let fault = path::normalise(request.uri_mut()).err();
        if fault.is_none()
            && let Some(redirect) = redirect_of_slash(request.method(), request.uri())
        {
            return redirect;
        }
        let forwarded_https =
            request.headers().get(FORWARDED_PROTO).is_some_and(|proto| proto.as_bytes().eq_ignore_ascii_case(b"https"));
        let mut response = match auth::authenticate(&self.state, request.uri().path(), request.headers()) {
            Err(error) => {
                body::discard(std::mem::take(request).into_body()).await;
                error.into_response()
            }
            Ok(_) if fault == Some(path::PathFault::BadEscape) => {
                answer::plain(StatusCode::BAD_REQUEST, "400 Bad Request")
            }
            Ok(_) if fault.is_some() || *request.method() == Method::HEAD => answer::page_not_found(),
            Ok(principal) => {
                let mut request = std::mem::take(request);
                request.extensions_mut().insert(principal);
                self.router.clone().call(request).await.unwrap_or_else(|never| match never {})
            }
        };
        let missing = response.status() == StatusCode::NOT_FOUND;
        let headers = response.headers_mut();
        if missing {
            // Set by the router for a known path; here a method that is not known is a route that is not there.
            headers.remove(header::ALLOW);
        }
        for (name, value) in SECURITY_HEADERS {
            // A page of ours may have a policy of its own.
            headers.entry(name).or_insert(value);
        }
        if forwarded_https {
            headers.insert(header::STRICT_TRANSPORT_SECURITY, TRANSPORT_SECURITY);
        }
        response
    }

    fn request_id(&self, headers: &HeaderMap) -> HeaderValue {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
        if let Some(given) = headers.get(REQUEST_ID)
            && (1..=REQUEST_ID_BYTES_MAX).contains(&given.len())
            && given.as_bytes().iter().all(plain)
        {
            return given.clone();
        }
        let number = self.id_next.fetch_add(1, Ordering::Relaxed);
        HeaderValue::try_from(format!("{:08x}-{number:x}", self.id_prefix))
            .expect("hexadecimal digits are allowed in headers")
    }
}

/// The id of the request that is being answered, as its answer tells it.
#[derive(Debug, Clone)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// As text: visible characters only.
    pub fn text(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<RequestId, Infallible> {
        Ok(parts.extensions.get::<RequestId>().expect("every request has an id before it is routed").clone())
    }
}

/// To the same address without the slash at its end, if that is a route and this is not.
fn redirect_of_slash(method: &Method, uri: &Uri) -> Option<Response> {
    let shorter = uri.path().strip_suffix('/').filter(|path| !path.is_empty())?;
    if !router::is_route(method, shorter) {
        return None;
    }
    let location = match uri.query() {
        Some(query) => format!("{shorter}?{query}"),
        None => shorter.to_owned(),
    };
    let status = if *method == Method::GET { StatusCode::MOVED_PERMANENTLY } else { StatusCode::TEMPORARY_REDIRECT };
    let mut response = answer::plain(status, "");
    response.headers_mut().insert(header::LOCATION, HeaderValue::try_from(location).ok()?);
    Some(response)
}

/// One line a request. Keys and bodies are not in it; neither is the query, which may hold personal data.
struct LogLine {
    started: Instant,
    method: Method,
    path: String,
    client: String,
}

impl LogLine {
    fn start(peer: SocketAddr, request: &Request) -> LogLine {
        LogLine {
            started: Instant::now(),
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            client: client_address(peer, request.headers()),
        }
    }

    fn finish(self, id: &HeaderValue, response: &Response) {
        let latency_us = self.started.elapsed().as_micros() as u64;
        tracing::info!(
            method = %self.method,
            path = self.path,
            status = response.status().as_u16(),
            latency_us,
            client_ip = self.client,
            response_len = response.body().size_hint().exact(),
            request_id = id.to_str().unwrap_or_default(),
            "http request"
        );
    }
}

/// As the client says it is, for the log only: anybody can send these headers.
fn client_address(peer: SocketAddr, headers: &HeaderMap) -> String {
    let first =
        |name| headers.get(name)?.to_str().ok()?.split(',').next().map(str::trim).filter(|text| !text.is_empty());
    match first(FORWARDED_FOR).or_else(|| first(REAL_IP)) {
        Some(text) if text.len() <= CLIENT_BYTES_MAX => text.to_owned(),
        _ => peer.ip().to_string(),
    }
}
