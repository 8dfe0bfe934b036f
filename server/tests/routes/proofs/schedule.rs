//! Checkpoints that are put elsewhere: into a file, to a service of the test's own, and never one that contradicts the one before.

use crate::books::payment;
use crate::support::{TestServer, open, settings};
use serde_json::json;
use server::config::proofs::{INTERVAL_MAX, ProofsSettings};
use server::config::source::Sources;
use server::config::typed::Typed;
use server::config::{Secret, Settings};
use server::proofs::checkpoint::Checkpoint;
use server::proofs::schedule::Schedule;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A file in a folder of its own.
struct Elsewhere(PathBuf);

impl Elsewhere {
    fn new(name: &str) -> Elsewhere {
        let folder = std::env::temp_dir().join(format!("florin-checkpoints-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("folders can be made");
        Elsewhere(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.join("checkpoint.txt")
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn into_file(path: &Path) -> ProofsSettings {
    ProofsSettings { checkpoint_file: Some(path.to_owned()), ..ProofsSettings::none() }
}

async fn pay(server: &TestServer, reference: &str) {
    let one = payment("@World", "@Other", json!({"reference": reference, "allow_overdraft": true}));
    assert_eq!(server.post("/transactions", one).await.status.as_u16(), 201);
}

fn opened(server: &TestServer, note: &str) -> Checkpoint {
    let text = server.state.proofs().signer().verifier().open(note).expect("it is signed");
    Checkpoint::parse(text).expect("it is a checkpoint")
}

#[tokio::test]
async fn the_file_has_the_newest_and_never_goes_back() {
    let (server, elsewhere) = (open(), Elsewhere::new("file"));
    let path = elsewhere.file();
    let read = |server: &TestServer| opened(server, &fs::read_to_string(&path).expect("it was written")).size;
    let mut schedule = Schedule::new(server.state.clone(), into_file(&path));
    schedule.put().await;
    assert_eq!(read(&server), 0);
    for count in 1..4 {
        pay(&server, &format!("one{count}")).await;
        schedule.put().await;
        assert_eq!(read(&server), count);
    }
    let before = fs::read_to_string(&path).expect("it was written");
    // A new balance is no transaction, and still something that happened.
    server.balance().await;
    schedule.put().await;
    assert_ne!(fs::read_to_string(&path).expect("it was written"), before);
    assert_eq!(read(&server), 3);
    // After a restart it goes on.
    drop(schedule);
    let server = server.crashed(settings(&[]));
    pay(&server, "two").await;
    Schedule::new(server.state.clone(), into_file(&path)).put().await;
    assert_eq!(read(&server), 4);
    let kept = fs::read_to_string(&path).expect("it was written");
    // Other books with the same key: shorter ones, and longer ones.
    let other = open();
    for count in 0..6 {
        Schedule::new(other.state.clone(), into_file(&path)).put().await;
        assert_eq!(fs::read_to_string(&path).expect("it was written"), kept, "{count} transactions");
        pay(&other, &format!("other{count}")).await;
    }
    // A file of something else is left alone, and one of another key is replaced.
    for (content, is_replaced) in [
        ("my only copy\n".to_owned(), false),
        (kept.replace("example.com/test\n", "example.com/tost\n"), false),
        (kept.replace("\u{2014} example.com/test ", "\u{2014} example.com/tost "), true),
        (String::new(), true),
    ] {
        fs::write(&path, &content).expect("it can be written");
        Schedule::new(server.state.clone(), into_file(&path)).put().await;
        assert_eq!(fs::read_to_string(&path).expect("it is there") != content, is_replaced, "{content}");
    }
}

#[tokio::test]
async fn the_address_gets_each_one_until_it_takes_it() {
    let socket = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    let url = format!("http://{}/checkpoints?of=books", socket.local_addr().expect("an address"));
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let sink = Arc::clone(&seen);
    tokio::spawn(async move {
        for status in ["500 Later", "204 Taken", "200 Taken"] {
            let (mut stream, _) = socket.accept().await.expect("a call");
            let mut request = Vec::new();
            // The root ends so too; the signature stands behind a dash.
            while !request.ends_with(b"=\n") || !request.windows(3).any(|bytes| bytes == "\u{2014}".as_bytes()) {
                request.push(stream.read_u8().await.expect("a note ends with a signature"));
            }
            sink.lock().expect("no panic").push(String::from_utf8(request).expect("text"));
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.expect("it is read");
        }
    });
    let server = open();
    let settings = ProofsSettings {
        checkpoint_url: Some(url.parse().expect("an address")),
        checkpoint_authorization: Secret::new("Bearer s3cret"),
        ..ProofsSettings::none()
    };
    let mut schedule = Schedule::new(server.state.clone(), settings);
    pay(&server, "one").await;
    for _ in 0..4 {
        schedule.put().await;
    }
    assert_eq!(seen.lock().expect("no panic").len(), 2, "what was taken is not sent again");
    pay(&server, "two").await;
    schedule.put().await;
    let seen = seen.lock().expect("no panic").clone();
    for (request, size) in seen.iter().zip([1, 1, 2]) {
        let (head, note) = request.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.starts_with("POST /checkpoints?of=books HTTP/1.1\r\n"), "{head}");
        for line in ["authorization: Bearer s3cret", "content-type: text/plain; charset=utf-8"] {
            assert!(head.contains(line), "{head}");
        }
        assert_eq!(opened(&server, note).size, size);
    }
    assert_eq!(seen.len(), 3);
}

#[test]
fn settings_are_checked() {
    let resolve = |name: &str, value: &str| {
        let environment = vec![(name.to_owned(), value.to_owned()), ("FLORIN_PROOFS_KEY".to_owned(), "k".to_owned())];
        let typed = Typed::read(&Sources { environment, ..Sources::default() }).expect("values of the right kind");
        Settings::resolve(&typed, false).map(|settings| settings.proofs).map_err(|error| error.to_string())
    };
    for (name, value, text) in [
        ("FLORIN_PROOFS_ORIGIN", "two words", "proofs.origin"),
        ("FLORIN_PROOFS_ORIGIN", "a+b", "proofs.origin"),
        ("FLORIN_PROOFS_KEY_FILE", "/a/file", "only one of them"),
        ("FLORIN_PROOFS_CHECKPOINT_URL", "ftp://example.com", "proofs.checkpoint_url"),
        ("FLORIN_PROOFS_CHECKPOINT_URL", "/path", "proofs.checkpoint_url"),
        ("FLORIN_PROOFS_CHECKPOINT_AUTHORIZATION", "two\nlines", "proofs.checkpoint_authorization"),
        ("FLORIN_PROOFS_CHECKPOINT_INTERVAL", "999ms", "proofs.checkpoint_interval"),
        ("FLORIN_PROOFS_CHECKPOINT_INTERVAL", "24h1s", "proofs.checkpoint_interval"),
    ] {
        let told = resolve(name, value).expect_err(value);
        assert!(told.contains(text), "{name}: {told}");
    }
    assert_eq!(resolve("FLORIN_PROOFS_CHECKPOINT_INTERVAL", "24h").expect("good").checkpoint_interval, INTERVAL_MAX);
    assert!(resolve("FLORIN_PROOFS_CHECKPOINT_INTERVAL", "1s").is_ok());
    let good = resolve("FLORIN_PROOFS_CHECKPOINT_URL", "https://example.com/x").expect("good");
    assert!(good.checkpoint_url.is_some() && good.checkpoint_file.is_none() && good.origin.is_none());
}
