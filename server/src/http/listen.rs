//! Connections: accepted within limits, served by HTTP/1.1 with keep-alive, closed gracefully.
//!
//! No client can hold up another. One that does not send, or does not read, loses its connection; one that opens too many
//! fills the queue of the system, not our memory. At most [`ServerSettings::connections_max`] are served at a time.

use super::layers::Shell;
use crate::config::server::ServerSettings;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Time limits of connections. Tests set shorter ones.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// From the last answer, or the start, until the head of the next request is complete. So it is also how long an idle
    /// connection is kept: longer than the minute for which the usual proxies keep theirs.
    pub head_max: Duration,
    /// Until a client has taken what was sent to it.
    pub unread_max: Duration,
    /// For open requests to finish when the server stops.
    pub stop_max: Duration,
}

/// The limits of a server in use.
pub const LIMITS: Limits = Limits {
    head_max: Duration::from_secs(75),
    unread_max: Duration::from_secs(60),
    stop_max: Duration::from_secs(30),
};

/// Most bytes of a request's head, and of a body that are read at once.
pub const HEAD_BYTES_MAX: usize = 400 << 10;
/// Most headers of a request. Past it the answer is 431.
pub const HEADERS_MAX: usize = 100;
/// Pause after accepting failed, which is when the process has no more file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// A listening server.
pub struct Listener {
    socket: TcpListener,
    shell: Arc<Shell>,
    connections_max: usize,
    limits: Limits,
}

impl Listener {
    /// Listens at the address of the settings.
    pub async fn bind(settings: &ServerSettings, shell: Arc<Shell>, limits: Limits) -> io::Result<Listener> {
        let socket = TcpListener::bind(settings.listen).await?;
        Ok(Listener { socket, shell, connections_max: settings.connections_max, limits })
    }

    /// The address, with the port that the system has chosen if none was asked for.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves until `stop` is ready, then lets open requests finish. Returns how many connections had to be cut off.
    pub async fn run(self, stop: impl Future<Output = ()>) -> usize {
        let slots = Arc::new(Semaphore::new(self.connections_max));
        let (stopping, _) = watch::channel(());
        let mut stop = pin!(stop);
        loop {
            let accepted = async {
                let slot = slots.clone().acquire_owned().await.expect("the semaphore is never closed");
                (self.socket.accept().await, slot)
            };
            let (accepted, slot) = tokio::select! {
                accepted = accepted => accepted,
                () = &mut stop => break,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let connection = serve(stream, peer, self.shell.clone(), self.limits, stopping.subscribe(), slot);
                    tokio::spawn(connection);
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(self.socket);
        // Told by closing the channel.
        drop(stopping);
        let all = slots.acquire_many(self.connections_max as u32);
        match tokio::time::timeout(self.limits.stop_max, all).await {
            Ok(_) => 0,
            Err(_) => self.connections_max - slots.available_permits(),
        }
    }
}

/// Serves one connection to its end. The slot is given back then.
async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    shell: Arc<Shell>,
    limits: Limits,
    mut stopping: watch::Receiver<()>,
    _slot: OwnedSemaphorePermit,
) {
    prepare(&stream, limits);
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let shell = shell.clone();
        async move { Ok::<_, Infallible>(shell.respond(peer, request.map(axum::body::Body::new)).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_max)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        _ = stopping.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        // The client's doing: it went away, was too slow, or did not speak HTTP.
        tracing::debug!(%peer, %error, "connection ended");
    }
}

/// Answers leave at once, and a client that does not take them is given up by the system. Neither is vital.
fn prepare(stream: &TcpStream, limits: Limits) {
    let _ = stream.set_nodelay(true);
    #[cfg(target_os = "linux")]
    let _ = rustix::net::sockopt::set_tcp_user_timeout(stream, limits.unread_max.as_millis() as u32);
    #[cfg(not(target_os = "linux"))]
    let _ = limits;
}
