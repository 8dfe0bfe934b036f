//! The access log: one line a request, and nothing in it that is nobody's business. A program of its own, as what is logged is
//! decided once for all threads.

#[path = "support/server.rs"]
mod support;

use serde_json::json;
use std::io;
use std::sync::{Arc, Mutex};
use support::{KEY, secure};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn lines_hold_no_bodies_no_keys_and_no_queries() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let server = secure();
    let guard = tracing::subscriber::set_default(subscriber);
    server.post("/identities?note=secret-query", json!({"first_name": "secret-name", "dob": "secret-date"})).await;
    server.post("/identities", json!({"first_name": "secret-name"})).await;
    server.ask_with("GET", "/identities", &[("X-Blnk-Key", "secret-key")], "").await;
    drop(guard);
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(!text.contains("secret") && !text.contains(KEY), "{text}");
    let requests: Vec<&str> = text.lines().filter(|line| line.contains("http request")).collect();
    for (line, wanted) in requests.iter().zip(["status=400", "status=201", "status=401"]) {
        assert!(line.contains(wanted) && line.contains("path=\"/identities\"") && line.contains("client_ip"), "{line}");
    }
    assert_eq!(requests.len(), 3, "{text}");
}
