//! Calling others over HTTP/1.1, with TLS where the address says `https`.
//!
//! One connection a call, which is closed after it: such calls are rare. Bounds: the time of a call from the look-up of the name
//! to the last byte of the answer, and [`ANSWER_BYTES_MAX`]. Redirects are not followed: what is sent may be a secret, and is for
//! the address that was configured. Whom TLS trusts is what the system trusts.

use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue, USER_AGENT};
use axum::http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Most bytes of an answer that are read, its head not counted. A longer one is a failure.
pub const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Why a call brought no answer.
#[derive(Debug)]
pub enum CallFault {
    /// The address has no scheme or host that can be called.
    Address,
    /// It took too long.
    Slow,
    /// The connection could not be made, or broke.
    Connection(io::Error),
    /// What came is no HTTP, or broke off.
    Protocol(hyper::Error),
    /// The answer is longer than [`ANSWER_BYTES_MAX`], or broke off.
    Body(Box<dyn std::error::Error + Send + Sync>),
}

impl fmt::Display for CallFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallFault::Address => write!(f, "the address cannot be called"),
            CallFault::Slow => write!(f, "it took too long"),
            CallFault::Connection(_) => write!(f, "the connection failed"),
            CallFault::Protocol(_) => write!(f, "the answer is not understood"),
            CallFault::Body(_) => write!(f, "the answer broke off, or is longer than {ANSWER_BYTES_MAX} bytes"),
        }
    }
}

impl std::error::Error for CallFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            CallFault::Address | CallFault::Slow => None,
            CallFault::Connection(source) => Some(source),
            CallFault::Protocol(source) => Some(source),
            CallFault::Body(source) => Some(&**source),
        }
    }
}

/// Whom to trust, read once.
#[derive(Clone)]
pub struct Trust(Arc<ClientConfig>);

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trust")
    }
}

impl Trust {
    /// Whom the system trusts. What cannot be read of that is left out, and told in the log.
    pub fn of_system() -> Trust {
        let found = rustls_native_certs::load_native_certs();
        for fault in &found.errors {
            tracing::warn!("a certificate that the system trusts cannot be read: {fault}");
        }
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            tracing::warn!(
                "the system trusts no certificates, so nobody can be called over https; install ca-certificates"
            );
        }
        Trust::in_roots(roots)
    }

    /// These roots alone.
    pub fn in_roots(roots: RootCertStore) -> Trust {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider speaks the versions that it has")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Trust(Arc::new(config))
    }
}

/// What was answered.
#[derive(Debug)]
pub struct Called {
    /// The status.
    pub status: StatusCode,
    /// The body.
    pub body: Bytes,
}

/// What is asked.
#[derive(Debug)]
pub struct Call<'a> {
    /// How.
    pub method: Method,
    /// Where: `http` or `https`, and a host.
    pub url: &'a Uri,
    /// What stands above it, beside what every call has.
    pub headers: &'a [(HeaderName, HeaderValue)],
    /// What is sent.
    pub body: Bytes,
}

/// Asks for what is at an address.
pub async fn get(
    url: &Uri,
    authorization: Option<&HeaderValue>,
    trust: &Trust,
    timeout: Duration,
) -> Result<Called, CallFault> {
    let json = HeaderValue::from_static("application/json");
    let mut headers = vec![(CONTENT_TYPE, json.clone()), (ACCEPT, json)];
    headers.extend(authorization.map(|value| (AUTHORIZATION, value.clone())));
    call(Call { method: Method::GET, url, headers: &headers, body: Bytes::new() }, trust, timeout).await
}

/// Asks something of an address.
pub async fn call(call: Call<'_>, trust: &Trust, timeout: Duration) -> Result<Called, CallFault> {
    tokio::time::timeout(timeout, called(call, trust)).await.unwrap_or(Err(CallFault::Slow))
}

async fn called(call: Call<'_>, trust: &Trust) -> Result<Called, CallFault> {
    let url = call.url;
    let host = url.host().ok_or(CallFault::Address)?;
    // An IPv6 address stands in brackets in an address, and without elsewhere.
    let name = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let secure = match url.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        _ => return Err(CallFault::Address),
    };
    let port = url.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let authority = url.authority().ok_or(CallFault::Address)?.as_str();
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::builder()
        .method(call.method)
        .uri(path)
        .header(HOST, authority)
        .header(USER_AGENT, concat!("florin/", env!("CARGO_PKG_VERSION")));
    for (name, value) in call.headers {
        request = request.header(name, value);
    }
    let request = request.body(Full::new(call.body)).map_err(|_| CallFault::Address)?;
    let stream = TcpStream::connect((name, port)).await.map_err(CallFault::Connection)?;
    if !secure {
        return exchange(stream, request).await;
    }
    let name = ServerName::try_from(name.to_owned()).map_err(|_| CallFault::Address)?;
    let connector = TlsConnector::from(Arc::clone(&trust.0));
    exchange(connector.connect(name, stream).await.map_err(CallFault::Connection)?, request).await
}

/// One request and its answer. The connection is driven here, so it ends with the call, whatever becomes of it.
async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Called, CallFault>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(CallFault::Protocol)?;
    let answer = async move {
        let answer = sender.send_request(request).await.map_err(CallFault::Protocol)?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await.map_err(CallFault::Body)?;
        Ok(Called { status, body: body.to_bytes() })
    };
    let mut answer = std::pin::pin!(answer);
    tokio::select! {
        biased;
        called = &mut answer => called,
        // Whatever became of the connection, what it brought until then decides.
        _ = connection => answer.await,
    }
}
