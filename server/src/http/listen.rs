//! Connections: accepted within limits, served by HTTP/1.1 with keep-alive, closed gracefully.
//!
//! No client can hold up another. One that does not send, or does not read, loses its connection. At most
//! [`ServerSettings::connections_max`] are served at a time; past it a new one waits for a moment, while one that nothing happens on
//! gives its place away, and is then told to come again. Past [`CONNECTIONS_WAITING_MAX`] that wait, new ones fill the queue of the
//! system, not our memory.

mod places;
mod watched;

use super::body;
use super::error::{ApiError, Code};
use super::layers::Shell;
use crate::config::server::ServerSettings;
use axum::response::IntoResponse;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use places::Places;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::MissedTickBehavior;
use watched::{Signs, Watched};

/// Time limits of connections. Tests set shorter ones.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// From the last answer, or the start, until the head of the next request is complete. So it is also how long an idle
    /// connection is kept: longer than the minute for which the usual proxies keep theirs.
    pub head_max: Duration,
    /// Until a client has taken [`TAKEN_BYTES_LEAST`] of what waits for it, or all.
    pub unread_max: Duration,
    /// For open requests to finish when the server stops.
    pub stop_max: Duration,
    /// How long a connection past the limit waits for a place.
    pub place_max: Duration,
    /// After how long a connection on which nothing happens gives its place to one that waits.
    pub quiet_max: Duration,
}

/// The limits of a server in use.
pub const LIMITS: Limits = Limits {
    head_max: Duration::from_secs(75),
    unread_max: Duration::from_secs(60),
    stop_max: Duration::from_secs(30),
    place_max: Duration::from_secs(2),
    quiet_max: Duration::from_secs(5),
};

/// Most bytes of a request's head, and of a body that are read at once.
pub const HEAD_BYTES_MAX: usize = 400 << 10;
/// Most headers of a request. Past it the answer is 431.
pub const HEADERS_MAX: usize = 100;
/// Most connections that wait for a place, or are being told that there is none.
pub const CONNECTIONS_WAITING_MAX: usize = 1_024;
/// Bytes of an answer that a client takes within [`Limits::unread_max`], if it does not take all: a kilobyte a second. Who reads a byte
/// now and then would hold an answer in memory for ever.
pub const TAKEN_BYTES_LEAST: u64 = 60 << 10;
/// How long it may take to tell a client that there is no place for it.
const REFUSAL_MAX: Duration = Duration::from_secs(5);
/// Pause after accepting failed, which is when the process has no more file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// A listening server.
pub struct Listener {
    socket: TcpListener,
    shell: Arc<Shell>,
    places: Arc<Places>,
    limits: Limits,
}

/// What one connection is served with.
struct Hall {
    shell: Arc<Shell>,
    places: Arc<Places>,
    limits: Limits,
    stopping: watch::Receiver<()>,
}

impl Listener {
    /// Listens at the address of the settings.
    pub async fn bind(settings: &ServerSettings, shell: Arc<Shell>, limits: Limits) -> io::Result<Listener> {
        let socket = TcpListener::bind(settings.listen).await?;
        Ok(Listener { socket, shell, places: Arc::new(Places::new(settings.connections_max)), limits })
    }

    /// The address, with the port that the system has chosen if none was asked for.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves until `stop` is ready, then lets open requests finish. Returns how many connections had to be cut off.
    pub async fn run(self, stop: impl Future<Output = ()>) -> usize {
        let tickets = Arc::new(Semaphore::new(CONNECTIONS_WAITING_MAX));
        let (stopping, _) = watch::channel(());
        let mut stop = pin!(stop);
        loop {
            let accepted = async {
                let ticket = tickets.clone().acquire_owned().await.expect("the semaphore is never closed");
                (self.socket.accept().await, ticket)
            };
            let (accepted, ticket) = tokio::select! {
                accepted = accepted => accepted,
                () = &mut stop => break,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let (shell, places) = (Arc::clone(&self.shell), Arc::clone(&self.places));
                    let hall = Hall { shell, places, limits: self.limits, stopping: stopping.subscribe() };
                    tokio::spawn(welcome(hall, stream, peer, ticket));
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
        self.places.all_free(self.limits.stop_max).await
    }
}

/// Serves a connection when there is a place for it, and refuses it when there is none.
async fn welcome(mut hall: Hall, stream: TcpStream, peer: SocketAddr, ticket: OwnedSemaphorePermit) {
    prepare(&stream, hall.limits);
    let place = tokio::select! {
        biased;
        place = hall.places.find(hall.limits.place_max) => place,
        _ = hall.stopping.changed() => return,
    };
    match place {
        Some(place) => {
            drop(ticket);
            serve(hall, stream, peer).await;
            drop(place);
        }
        None => refuse(stream, peer).await,
    }
}

/// Serves one connection to its end.
async fn serve(mut hall: Hall, stream: TcpStream, peer: SocketAddr) {
    let signs = Arc::new(Signs::new());
    let (shell, answering) = (Arc::clone(&hall.shell), Arc::clone(&signs));
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let (shell, busy) = (shell.clone(), answering.busy());
        async move {
            let response = shell.respond(peer, request.map(axum::body::Body::new)).await;
            drop(busy);
            Ok::<_, Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(hall.limits.head_max)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(Watched::new(stream, Arc::clone(&signs))), service);
    let mut connection = pin!(connection);
    // Never two looks in less than that, or a client would seem slower than it is.
    let mut looks = tokio::time::interval(hall.limits.unread_max);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut taken_before = None;
    let result = loop {
        // The connection first: what has arrived is read before anything is said of it.
        tokio::select! {
            biased;
            result = connection.as_mut() => break result,
            _ = hall.stopping.changed() => {
                connection.as_mut().graceful_shutdown();
                break connection.await;
            }
            () = hall.places.asked() => {
                if signs.is_quiet(hall.limits.quiet_max) && hall.places.give() {
                    tracing::debug!(%peer, "a quiet connection gave its place to another");
                    return;
                }
            }
            _ = looks.tick() => {
                let taken = signs.taken_so_far();
                if let (Some(before), Some(now)) = (taken_before, taken)
                    && now - before < TAKEN_BYTES_LEAST
                {
                    tracing::debug!(%peer, "the client does not take its answer");
                    return;
                }
                taken_before = taken;
            }
        }
    };
    if let Err(error) = result {
        // The client's doing: it went away, was too slow, or did not speak HTTP.
        tracing::debug!(%peer, %error, "connection ended");
    }
}

/// Tells a client that there is no place for it, and closes.
async fn refuse(stream: TcpStream, peer: SocketAddr) {
    tracing::debug!(%peer, "no place for a connection");
    let service = service_fn(|request: hyper::Request<hyper::body::Incoming>| async {
        body::discard(axum::body::Body::new(request.into_body())).await;
        let error =
            ApiError::new(Code::QueueBackpressure, "as many connections are open as may be; try again in a moment");
        Ok::<_, Infallible>(error.into_response())
    });
    let connection = http1::Builder::new()
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    drop(tokio::time::timeout(REFUSAL_MAX, connection).await);
}

/// Answers leave at once, and a client that does not take them is given up by the system. Neither is vital.
fn prepare(stream: &TcpStream, limits: Limits) {
    let _ = stream.set_nodelay(true);
    #[cfg(target_os = "linux")]
    let _ = rustix::net::sockopt::set_tcp_user_timeout(stream, limits.unread_max.as_millis() as u32);
    #[cfg(not(target_os = "linux"))]
    let _ = limits;
}
