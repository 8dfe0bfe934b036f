//! Where and how requests are taken.

use super::Secret;
use super::source::Source;
use super::typed::Typed;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};

/// Connections at the same time that can be asked for.
pub const CONNECTIONS_MAX: u64 = 1_000_000;
/// Size of a request's body that can be asked for, in MiB.
pub const BODY_MB_MAX: u64 = 1024;
/// Worker threads that can be asked for.
pub const THREADS_MAX: u64 = 1024;
/// Bytes in a MiB.
pub const MEBIBYTE: u64 = 1 << 20;

/// Where and how requests are taken.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// Whether requests need a key.
    pub secure: bool,
    /// The master key.
    pub secret_key: Secret,
    /// Longest body of a request, in bytes.
    pub body_bytes_max: usize,
    /// Most connections at the same time. Past it a quiet one gives its place to a new one, or the new one is told to come again.
    pub connections_max: usize,
    /// Threads that serve requests.
    pub threads: usize,
}

impl ServerSettings {
    pub(super) fn resolve(typed: &Typed, insecure: bool, problems: &mut Vec<String>) -> ServerSettings {
        let secure = typed.flag("server.secure");
        let secret_key = Secret::new(typed.text("server.secret_key"));
        if secure && !secret_key.is_set() {
            problems.push(
                "server.secure is on, but there is no key: set server.secret_key (FLORIN_SERVER_SECRET_KEY) to a long random text".to_owned(),
            );
        }
        let listen = resolve_listen(typed, secure).unwrap_or_else(|problem| {
            problems.push(problem);
            SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
        });
        if !secure && !insecure && !listen.ip().is_loopback() {
            problems.push(format!(
                "{listen} can be reached by others, and requests would need no key. Set server.secure = true and server.secret_key \
                 (FLORIN_SERVER_SECURE, FLORIN_SERVER_SECRET_KEY), or listen on 127.0.0.1, or say --insecure if the network is closed"
            ));
        }
        let body_mb = bounded(typed, "server.max_request_body_size_mb", 5, BODY_MB_MAX, problems);
        let connections = bounded(typed, "server.max_connections", 10_000, CONNECTIONS_MAX, problems);
        let threads = bounded(typed, "server.threads", threads_by_default(), THREADS_MAX, problems);
        ServerSettings {
            listen,
            secure,
            secret_key,
            body_bytes_max: (body_mb * MEBIBYTE) as usize,
            connections_max: connections as usize,
            threads: threads as usize,
        }
    }
}

/// A count with an upper bound, where zero and unset mean `default`.
pub(super) fn bounded(typed: &Typed, path: &str, default: u64, max: u64, problems: &mut Vec<String>) -> u64 {
    let count = typed.count(path).filter(|count| *count > 0).unwrap_or(default);
    if count > max {
        problems.push(format!("{path} ({}): {count} is more than {max}", typed.given(path).source));
    }
    count.min(max)
}

/// One thread serves best beside the ledger's own while there are two cores; with more, one core is left to the ledger.
fn threads_by_default() -> u64 {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    if cores <= 2 { 1 } else { cores - 1 }
}

/// `listen` names host and port at once; without it `server.host` and `server.port` do.
/// Without a host, a server that asks for keys listens everywhere, one that does not only on this machine.
fn resolve_listen(typed: &Typed, secure: bool) -> Result<SocketAddr, String> {
    let listen = typed.given("listen");
    if listen.source != Source::Default {
        let text = typed.text("listen");
        let (host, port) = text
            .rsplit_once(':')
            .ok_or_else(|| format!("listen ({}): expected HOST:PORT, got {text}", listen.source))?;
        let port: u16 = port.parse().map_err(|_| format!("listen ({}): {port} is not a port", listen.source))?;
        return address_of(host, port, secure)
            .ok_or_else(|| format!("listen ({}): {host} is not an address", listen.source));
    }
    let port = typed.count("server.port").unwrap_or(5001);
    let port = u16::try_from(port)
        .map_err(|_| format!("server.port ({}): {port} is not a port", typed.given("server.port").source))?;
    let host = typed.text("server.host");
    address_of(host, port, secure)
        .ok_or_else(|| format!("server.host ({}): {host} is not an address", typed.given("server.host").source))
}

fn address_of(host: &str, port: u16, secure: bool) -> Option<SocketAddr> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match host {
        "" if secure => Some(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))),
        "" | "localhost" => Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
        _ => match host.parse::<IpAddr>() {
            Ok(address) => Some(SocketAddr::new(address, port)),
            Err(_) => (host, port).to_socket_addrs().ok()?.next(),
        },
    }
}
