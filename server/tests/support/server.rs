//! What tests of routes share: a server in process, without sockets, on a disk in memory.

#![allow(dead_code, reason = "every test program uses some of it")]

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use engine::clock::Clock;
use engine::engine::{Engine, Options};
use engine::limits::Sizes;
use http_body_util::BodyExt;
use journal::disk::MemoryDisk;
use journal::open::Options as JournalOptions;
use serde_json::Value;
use server::config::Settings;
use server::config::source::Sources;
use server::config::typed::Typed;
use server::http::layers::Shell;
use server::http::state::{AppState, mismatch_of};
use server::proofs::note::Signer;
use server::vault::Vault;
use server::vault::master::MasterKey;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use zeroize::Zeroizing;

/// The master key of secure test servers.
pub const KEY: &str = "master-key";
/// The time of test servers, which stands still until a test moves it.
pub const NOW: &str = "2026-03-04T10:11:12.123456Z";
const NOW_MICROS: i64 = 1_772_619_072_123_456;
/// Small, so that a test costs little.
pub const SEGMENT_BYTES: u64 = 1 << 20;

/// Settings as if these variables were set.
pub fn settings(environment: &[(&str, &str)]) -> Settings {
    let environment = environment.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let typed = Typed::read(&Sources { environment, ..Sources::default() }).expect("test settings are valid");
    Settings::resolve(&typed, false).expect("test settings can be used")
}

/// A server that asks for [`KEY`].
pub fn secure() -> TestServer {
    TestServer::new(settings(&[("FLORIN_SERVER_SECURE", "true"), ("FLORIN_SERVER_SECRET_KEY", KEY)]))
}

/// A server that asks for nothing.
pub fn open() -> TestServer {
    TestServer::new(settings(&[]))
}

/// A folder of its own, removed when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("florin-server-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Scratch(std::env::temp_dir().join(name))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// A server in process. Its fields are dropped in this order: the folder goes when nobody uses it any more.
pub struct TestServer {
    pub shell: Shell,
    pub state: AppState,
    pub disk: MemoryDisk,
    /// Microseconds since 1970.
    pub clock: Arc<AtomicI64>,
    _folder: Scratch,
}

/// What a server answered.
#[derive(Debug)]
pub struct Told {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl TestServer {
    pub fn new(settings: Settings) -> TestServer {
        TestServer::with_segments(settings, SEGMENT_BYTES)
    }

    pub fn with_segments(settings: Settings, segment_bytes: u64) -> TestServer {
        let (folder, disk, clock) = (Scratch::new(), MemoryDisk::new(), Arc::new(AtomicI64::new(NOW_MICROS)));
        TestServer::start(settings, segment_bytes, folder, disk, clock)
    }

    fn start(
        settings: Settings,
        segment_bytes: u64,
        folder: Scratch,
        disk: MemoryDisk,
        clock: Arc<AtomicI64>,
    ) -> TestServer {
        let options = Options {
            folder: folder.0.clone(),
            make: true,
            journal: JournalOptions { segment_bytes, record_bytes_max: segment_bytes as u32 - 4096 },
            mismatch: mismatch_of(&settings),
            clock: Clock::Moved(clock.clone()),
            sizes: Sizes::USUAL,
        };
        let engine = Engine::open(Arc::new(disk.clone()), options).expect("the folder can be opened");
        let vault =
            Vault::open(&disk, &folder.0.join("keys"), MasterKey::new([7; 32])).expect("the vault can be opened");
        let vault = Arc::new(vault);
        let (sender, settled) = std::sync::mpsc::channel();
        let settling = Arc::clone(&vault);
        engine.read(move |view| settling.settle(view.state), move |settled| drop(sender.send(settled)));
        settled.recv().expect("the engine runs").expect("the vault can be read");
        let signer = Signer::new(Zeroizing::new([7; 32]), Some("example.com/test")).expect("a seed and a name");
        let state = AppState::new(settings, engine, Arc::into_inner(vault).expect("nobody else has it"), signer);
        TestServer { shell: Shell::new(state.clone()), state, disk, clock, _folder: folder }
    }

    /// The data folder.
    pub fn folder(&self) -> &std::path::Path {
        &self._folder.0
    }

    /// Starts to read what is on disk again and again.
    pub fn start_scrub(&self) {
        self.state.start_scrub(Arc::new(self.disk.clone()), self.folder()).expect("threads can be made");
    }

    /// The same server after a restart, with these settings.
    pub fn restarted(self, settings: Settings) -> TestServer {
        let disk = self.disk.clone();
        self.restarted_on(disk, settings)
    }

    /// The same server after a crash: what it knows is what is in the journal.
    pub fn crashed(self, settings: Settings) -> TestServer {
        let left = self.disk.crash(1);
        self.restarted_on(left, settings)
    }

    /// The same server after a restart before which something was done to the files of its folder.
    pub fn tampered(self, settings: Settings, tamper: impl FnOnce(&MemoryDisk, &std::path::Path)) -> TestServer {
        self.state.engine().close();
        tamper(&self.disk, &self._folder.0);
        self.restarted(settings)
    }

    fn restarted_on(self, left: MemoryDisk, settings: Settings) -> TestServer {
        let TestServer { shell, state, clock, _folder, .. } = self;
        state.engine().close();
        drop((shell, state));
        TestServer::start(settings, SEGMENT_BYTES, _folder, left, clock)
    }

    /// Sends a request with [`KEY`].
    pub async fn ask(&self, method: &str, path: &str, body: impl Into<Vec<u8>>) -> Told {
        self.ask_with(method, path, &[("X-Blnk-Key", KEY)], body).await
    }

    pub async fn ask_with(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Told {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let peer = SocketAddr::from(([127, 0, 0, 1], 9));
        let response = self.shell.respond(peer, request.body(Body::from(body.into())).unwrap()).await;
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Told { status: parts.status, headers: parts.headers, text }
    }

    pub async fn get(&self, path: &str) -> Told {
        self.ask("GET", path, "").await
    }

    pub async fn post(&self, path: &str, body: Value) -> Told {
        self.ask("POST", path, body.to_string()).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Told {
        self.ask("PUT", path, body.to_string()).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Told {
        self.ask("PATCH", path, body.to_string()).await
    }

    pub async fn delete(&self, path: &str) -> Told {
        self.ask("DELETE", path, "").await
    }

    /// Sends a request with a key.
    pub async fn once(&self, key: &str, method: &str, path: &str, body: &Value) -> Told {
        self.ask_with(method, path, &[("X-Blnk-Key", KEY), ("Idempotency-Key", key)], body.to_string()).await
    }

    /// Moves the clock to a time, and waits until all that is due then is done.
    pub async fn pass(&self, to: &str) {
        let to = server::api::time::Moment::parse(to).expect("a time").micros();
        self.clock.store(to, Ordering::Relaxed);
        for _ in 0..10_000 {
            let first = server::http::ask::look(&self.state, |view| view.state.timers.first()).await;
            if first.expect("the engine runs").is_none_or(|(at, _, _)| at > to) {
                return;
            }
        }
        panic!("what is due is not done");
    }
}

impl Told {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// Status, and the body with labels in place of ids; see [`labels`].
    #[track_caller]
    pub fn is(&self, status: u16, body: Value) {
        let told = labels::labelled(&self.text);
        assert_eq!((self.status.as_u16(), &told), (status, &body), "told {told:#}");
    }

    /// An error of this status and code whose message contains this text.
    #[track_caller]
    pub fn is_error(&self, status: u16, code: &str, text: &str) {
        let message = self.json()["error_detail"]["message"].as_str().unwrap_or_default().to_owned();
        assert_eq!((self.status.as_u16(), self.code().as_str()), (status, code), "{}", self.text);
        assert!(message.contains(text), "wanted {text:?} in {message:?}");
    }

    pub fn code(&self) -> String {
        self.json()["error_detail"]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// A text at the top of the body.
    #[track_caller]
    pub fn field(&self, name: &str) -> String {
        match &self.json()[name] {
            Value::String(text) => text.clone(),
            _ => panic!("no text {name} in {}", self.text),
        }
    }
}

/// What cannot be the same twice, made the same: ids are numbered in the order in which a body names them, by kind.
pub mod labels {
    use serde_json::Value;

    const PREFIXES: [&str; 9] = ["txn_", "bln_", "ldg_", "idt_", "bulk_", "ref_", "mon_", "cls_", "ast_"];
    const UUID_BYTES: usize = 36;

    /// A body with `<txn 1>` in place of the first id of a transaction, and `<hash>` in place of 64 hex digits.
    pub fn labelled(body: &str) -> Value {
        let mut seen = Vec::new();
        // Numbered in the order of the text; that of the keys of a value is another.
        label(body, &mut seen);
        walk(&serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}")), &mut seen)
    }

    fn walk(value: &Value, seen: &mut Vec<String>) -> Value {
        match value {
            Value::String(text) => Value::String(label(text, seen)),
            Value::Array(items) => items.iter().map(|item| walk(item, seen)).collect(),
            Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), walk(value, seen))).collect(),
            other => other.clone(),
        }
    }

    fn label(text: &str, seen: &mut Vec<String>) -> String {
        if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return "<hash>".to_owned();
        }
        let mut labelled = String::new();
        let mut rest = text;
        while let Some((prefix, at)) = first_id(rest) {
            let end = at + prefix.len() + UUID_BYTES;
            let id = &rest[at..end];
            if !seen.iter().any(|known| known == id) {
                seen.push(id.to_owned());
            }
            let same_kind = seen.iter().filter(|known| known.starts_with(prefix));
            let number = same_kind.take_while(|known| *known != id).count() + 1;
            labelled += &rest[..at];
            labelled += &format!("<{} {number}>", prefix.trim_end_matches('_'));
            rest = &rest[end..];
        }
        labelled + rest
    }

    fn first_id(text: &str) -> Option<(&'static str, usize)> {
        let found = PREFIXES.iter().filter_map(|prefix| {
            let at = text.find(prefix)?;
            let uuid = text.as_bytes().get(at + prefix.len()..at + prefix.len() + UUID_BYTES)?;
            let good = uuid.iter().enumerate().all(|(index, byte)| match index {
                8 | 13 | 18 | 23 => *byte == b'-',
                _ => byte.is_ascii_hexdigit(),
            });
            good.then_some((*prefix, at))
        });
        found.min_by_key(|(_, at)| *at)
    }
}
