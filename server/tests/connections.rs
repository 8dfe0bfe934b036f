//! Connections over real sockets: slow clients, too many, keep-alive, stopping.

#[path = "support/server.rs"]
mod support;

use server::config::server::ServerSettings;
use server::http::layers::Shell;
use server::http::listen::{CONNECTIONS_WAITING_MAX, HEAD_BYTES_MAX, HEADERS_MAX, LIMITS, Limits, Listener};
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

/// Limits that no test meets.
const PATIENT: Limits =
    Limits { head_max: LONG, unread_max: LONG, stop_max: LONG, place_max: LONG, quiet_max: Duration::from_secs(3600) };

async fn start(connections_max: usize, limits: Limits) -> Running {
    let settings = support::settings(&[("FLORIN_LISTEN", "127.0.0.1:0")]);
    let server = ServerSettings { connections_max, ..settings.server.clone() };
    let kept = support::TestServer::new(settings);
    let shell = Arc::new(Shell::new(kept.state.clone()));
    let listener = Listener::bind(&server, shell, limits).await.unwrap();
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
    let running = start(10, PATIENT).await;
    let mut stream = connect(&running).await;
    for _ in 0..3 {
        assert!(ask(&mut stream).await.starts_with("HTTP/1.1 200 OK\r\n"));
    }
}

/// A client that does not finish its request loses its connection; others do not notice it.
#[tokio::test]
async fn a_client_that_stalls_is_closed_and_holds_up_nobody() {
    let running = start(10, Limits { head_max: SHORT, ..PATIENT }).await;
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
    let running = start(2, PATIENT).await;
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

/// Reads an answer without knowing its end: until the server closes.
async fn last_answer(stream: &mut TcpStream) -> String {
    let mut rest = Vec::new();
    let read = tokio::time::timeout(LONG, stream.read_to_end(&mut rest)).await.expect("closed in time");
    read.unwrap();
    String::from_utf8(rest).unwrap()
}

/// Who waits too long is told so, with a code and when to come again; and is served then.
#[tokio::test]
async fn without_a_place_the_answer_is_clear() {
    let running = start(1, Limits { place_max: SHORT, ..PATIENT }).await;
    let mut first = connect(&running).await;
    ask(&mut first).await;
    let mut second = connect(&running).await;
    second.write_all(HEALTH).await.unwrap();
    let told = last_answer(&mut second).await;
    assert!(told.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{told}");
    assert!(told.contains("retry-after: ") && told.contains("connection: close"), "{told}");
    assert!(told.contains("\"QUEUE_BACKPRESSURE\""), "{told}");
    ask(&mut first).await;
    drop(first);
    ask(&mut connect(&running).await).await;
}

/// Connections on which nothing happens cannot keep others out; no more of them are closed than places are wanted.
#[tokio::test]
async fn quiet_connections_give_their_places_away() {
    let running = start(3, Limits { quiet_max: SHORT, ..PATIENT }).await;
    let mut half = connect(&running).await;
    half.write_all(b"GET /health HTTP/1.1\r\nHos").await.unwrap();
    let (mut silent, mut idle) = (connect(&running).await, connect(&running).await);
    ask(&mut idle).await;
    let started = Instant::now();
    ask(&mut connect(&running).await).await;
    assert!(started.elapsed() < LONG / 2, "nobody had to wait for a time limit");
    let mut closed = 0;
    for stream in [&mut half, &mut silent, &mut idle] {
        closed += usize::from(closed_within(stream, SHORT).await);
    }
    assert_eq!(closed, 1);
}

/// A client that asks and does not read, or reads a byte now and then, loses its connection.
#[tokio::test]
async fn a_client_that_does_not_take_its_answers_is_closed() {
    const REQUESTS: usize = 200;
    let running = start(10, Limits { unread_max: SHORT, ..PATIENT }).await;
    let mut slow = connect(&running).await;
    // More than the buffers of the system hold.
    let asked = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n".repeat(REQUESTS);
    slow.write_all(&asked).await.unwrap();
    let document = server::http::openapi::document_text().len();
    let mut taken = 0;
    for _ in 0..20 {
        tokio::time::sleep(SHORT / 5).await;
        let mut byte = [0];
        taken += slow.read(&mut byte).await.unwrap_or(0);
    }
    ask(&mut connect(&running).await).await;
    let mut rest = Vec::new();
    let read = tokio::time::timeout(LONG, slow.read_to_end(&mut rest)).await.expect("closed in time");
    taken += rest.len();
    assert!(read.is_err() || taken < REQUESTS * document, "all {REQUESTS} answers were kept for it");
}

/// What a head may be: so many headers, so many bytes.
#[tokio::test]
async fn heads_have_limits() {
    let running = start(10, PATIENT).await;
    let head = |headers: usize, bytes: usize| {
        let mut head = b"GET /health HTTP/1.1\r\n".to_vec();
        (0..headers - 1).for_each(|number| head.extend_from_slice(format!("x-{number}: 1\r\n").as_bytes()));
        let filling = bytes.saturating_sub(head.len() + b"x: \r\n\r\n".len());
        head.extend_from_slice(&[b"x: ", "a".repeat(filling).as_bytes(), b"\r\n\r\n"].concat());
        head
    };
    // Bytes are counted as they are read, so the refused one is longer by more than a read.
    for (headers, bytes, fits) in
        [(HEADERS_MAX, 0, true), (HEADERS_MAX + 1, 0, false), (2, HEAD_BYTES_MAX, true), (2, 2 * HEAD_BYTES_MAX, false)]
    {
        let mut stream = connect(&running).await;
        // Who is refused is not listened to any more.
        let _ = stream.write_all(&head(headers, bytes)).await;
        let mut told = [0; 12];
        let _ = stream.read_exact(&mut told).await;
        let status = if fits { "200" } else { "431" };
        assert_eq!(String::from_utf8_lossy(&told), format!("HTTP/1.1 {status}"), "{headers} headers, {bytes} bytes");
    }
}

/// As many may wait as the limit says; those past it wait in the system, and all are served in the end.
#[tokio::test]
async fn those_that_wait_are_limited() {
    let running = start(1, PATIENT).await;
    let mut first = connect(&running).await;
    ask(&mut first).await;
    let mut others = Vec::new();
    // The queue of the system takes the last one.
    for _ in 0..CONNECTIONS_WAITING_MAX + 1 {
        others.push(connect(&running).await);
    }
    drop(first);
    for mut other in others {
        ask(&mut other).await;
    }
}

const _: () =
    assert!(LIMITS.quiet_max.as_secs() < LIMITS.head_max.as_secs(), "a quiet connection goes before its time");

#[tokio::test]
async fn stopping_closes_idle_connections_at_once() {
    let running = start(10, PATIENT).await;
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
    let running = start(10, Limits { stop_max: SHORT, ..PATIENT }).await;
    let mut half = connect(&running).await;
    half.write_all(b"GET /health HTTP/1.1\r\nHos").await.unwrap();
    ask(&mut connect(&running).await).await;
    running.stop.send(()).unwrap();
    let cut_off = tokio::time::timeout(LONG, running.ended).await.expect("stops").unwrap();
    assert!(cut_off <= 1, "{cut_off}");
}
