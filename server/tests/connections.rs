//! Connections over real sockets: slow clients, too many, keep-alive, stopping.

#[path = "support/server.rs"]
mod support;

use server::config::server::ServerSettings;
use server::http::layers::Shell;
use server::http::listen::{Limits, Listener};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(20);
const HEALTH: &[u8] = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n";

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<usize>,
    _kept: support::TestServer,
}

async fn start(connections_max: usize, head_max: Duration, stop_max: Duration) -> Running {
    let settings = support::settings(&[("FLORIN_LISTEN", "127.0.0.1:0")]);
    let server = ServerSettings { connections_max, ..settings.server.clone() };
    let kept = support::TestServer::new(settings);
    let shell = Arc::new(Shell::new(kept.state.clone()));
    let listener = Listener::bind(&server, shell, Limits { head_max, unread_max: LONG, stop_max }).await.unwrap();
    let address = listener.address().unwrap();
    let (stop, stopped) = oneshot::channel();
    let ended = tokio::spawn(listener.run(async { drop(stopped.await) }));
    Running { address, stop, ended, _kept: kept }
}

async fn connect(running: &Running) -> TcpStream {
    TcpStream::connect(running.address).await.unwrap()
}

/// Sends a request on an open connection and reads its answer.
async fn ask(stream: &mut TcpStream) -> String {
    stream.write_all(HEALTH).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"{\"status\":\"UP\"}") {
        let mut buffer = [0; 4096];
        let count = tokio::time::timeout(LONG, stream.read(&mut buffer)).await.expect("answers in time").unwrap();
        assert_ne!(count, 0, "closed early: {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8(answer).unwrap()
}

/// Reads until the server closes the connection.
async fn closed_within(stream: &mut TcpStream, limit: Duration) -> bool {
    let mut rest = Vec::new();
    tokio::time::timeout(limit, stream.read_to_end(&mut rest)).await.is_ok()
}

#[tokio::test]
async fn connections_are_kept_alive() {
    let running = start(10, LONG, LONG).await;
    let mut stream = connect(&running).await;
    for _ in 0..3 {
        assert!(ask(&mut stream).await.starts_with("HTTP/1.1 200 OK\r\n"));
    }
}

/// A client that does not finish its request loses its connection; others do not notice it.
#[tokio::test]
async fn a_client_that_stalls_is_closed_and_holds_up_nobody() {
    let running = start(10, SHORT, LONG).await;
    let started = Instant::now();
    let mut silent = connect(&running).await;
    let mut half = connect(&running).await;
    half.write_all(b"GET /health HTTP/1.1\r\nHos").await.unwrap();
    assert!(ask(&mut connect(&running).await).await.contains("200 OK"));
    assert!(closed_within(&mut silent, LONG).await);
    assert!(closed_within(&mut half, LONG).await);
    assert!(started.elapsed() >= SHORT);
}

/// Past the limit clients wait for a place; nobody is refused and nobody else is cut off.
#[tokio::test]
async fn connections_past_the_limit_wait() {
    let running = start(2, LONG, LONG).await;
    let mut first = connect(&running).await;
    let mut second = connect(&running).await;
    ask(&mut first).await;
    ask(&mut second).await;
    let mut third = connect(&running).await;
    third.write_all(HEALTH).await.unwrap();
    let mut buffer = [0; 16];
    assert!(tokio::time::timeout(SHORT, third.read(&mut buffer)).await.is_err(), "served past the limit");
    drop(first);
    assert_ne!(
        tokio::time::timeout(LONG, third.read(&mut buffer)).await.expect("served once there is a place").unwrap(),
        0
    );
    ask(&mut second).await;
}

#[tokio::test]
async fn stopping_closes_idle_connections_at_once() {
    let running = start(10, LONG, LONG).await;
    let mut idle = connect(&running).await;
    ask(&mut idle).await;
    let started = Instant::now();
    running.stop.send(()).unwrap();
    assert_eq!(running.ended.await.unwrap(), 0);
    assert!(started.elapsed() < LONG);
    assert!(closed_within(&mut idle, LONG).await);
    assert!(TcpStream::connect(running.address).await.is_err());
}

/// A client in the middle of a request is waited for, but not for ever.
#[tokio::test]
async fn stopping_waits_for_a_limited_time() {
    let running = start(10, LONG, SHORT).await;
    let mut half = connect(&running).await;
    half.write_all(b"GET /health HTTP/1.1\r\nHos").await.unwrap();
    ask(&mut connect(&running).await).await;
    running.stop.send(()).unwrap();
    let cut_off = tokio::time::timeout(LONG, running.ended).await.expect("stops").unwrap();
    assert!(cut_off <= 1, "{cut_off}");
}
