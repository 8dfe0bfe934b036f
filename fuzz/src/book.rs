//! A server in process, on a disk in memory, with one of everything; and what must hold whatever it is sent.

use crate::routes;
use crate::support::{KEY, TestServer, open};
use axum::body::Body;
use axum::http::{Request, Uri};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use server::http::ask;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use tokio::runtime::{Builder, Runtime};

/// Ids that inputs can name: those of the fixtures, and the newest that answers told.
const IDS_MAX: usize = 64;
/// A route with this number is none of the list: the input brings its own path.
pub const OWN_PATH: u8 = 0xfe;
/// Stands between the requests of one input. It is in no text.
pub const BETWEEN: u8 = 0xff;
/// How far what belongs to a fixture stands behind it.
const WITHIN: u8 = 11;
/// A request is sent with an `Idempotency-Key` when its second byte has this bit.
const WITH_KEY: u8 = 0x80;

/// A server, and what inputs can name of it.
pub struct Book {
    runtime: Runtime,
    server: TestServer,
    routes: Vec<(String, String)>,
    /// Fixtures first, in the order of [`Book::furnish`]; so an input means the same each time.
    ids: Vec<String>,
    fixtures_count: usize,
}

/// What must not change when a request is refused.
#[derive(Debug, PartialEq, Eq)]
struct Mark {
    records: u64,
    rows: u64,
    balances: usize,
    ledgers: usize,
    identities: usize,
    currencies: usize,
    versions: u64,
}

impl Book {
    /// Opens a server and puts one of everything into it.
    pub fn new() -> Book {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
        let server = runtime.block_on(async { open() });
        let mut book = Book { runtime, server, routes: routes::all(), ids: Vec::new(), fixtures_count: 0 };
        book.furnish();
        book.fixtures_count = book.ids.len();
        book.check();
        book
    }

    fn furnish(&mut self) {
        let pay = |fields: Value| {
            let mut body = json!({"precise_amount": 100_000, "precision": 100, "currency": "USD", "source": "@World", "destination": "@a",
                "allow_overdraft": true, "skip_queue": true, "description": "fixture"});
            body.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
            body
        };
        let identity = self.make(
            "/identities",
            json!({"identity_type": "individual", "first_name": "Ada", "last_name": "Obi",
            "email_address": "ada@example.com", "category": "customer"}),
            "identity_id",
        );
        let ledger = self.make("/ledgers", json!({"name": "customers", "meta_data": {"a": 1}}), "ledger_id");
        let wallet =
            json!({"ledger_id": ledger, "currency": "USD", "identity_id": identity, "track_fund_lineage": true});
        let balance = self.make("/balances", wallet, "balance_id");
        self.make("/balances", json!({"ledger_id": ledger, "currency": "EUR"}), "balance_id");
        self.make(
            "/transactions",
            pay(json!({"reference": "r1", "destination": balance,
            "meta_data": {"BLNK_LINEAGE_PROVIDER": "stripe", "n": {"deep": [1, "x"]}}})),
            "transaction_id",
        );
        self.make(
            "/transactions",
            pay(json!({"reference": "r2", "source": "@a", "destination": "@b", "precise_amount": 500,
            "inflight": true})),
            "transaction_id",
        );
        self.make(
            "/transactions",
            pay(json!({"reference": "r3", "scheduled_for": "2027-01-01T00:00:00Z", "skip_queue": false})),
            "transaction_id",
        );
        self.make(
            "/transactions",
            pay(json!({"reference": "r4", "effective_date": "2025-01-01T00:00:00Z"})),
            "transaction_id",
        );
        let items = json!({"skip_queue": true, "atomic": true, "transactions": [pay(json!({"reference": "r5"})),
            pay(json!({"reference": "r6", "inflight": true}))]});
        self.make("/transactions/bulk", items, "batch_id");
        let condition = json!({"field": "balance", "operator": ">", "value": 1000, "precision": 100});
        self.make("/balance-monitors", json!({"balance_id": balance, "condition": condition}), "monitor_id");
        self.make("/accounts", json!({"balance_id": balance, "number": "0123", "bank_name": "First"}), "account_id");
        self.make("/currencies", json!({"code": "JPY", "scale": 0}), "code");
        let closed = json!({"until": "2001-01-01T00:00:00Z"});
        self.make(&format!("/ledgers/{ledger}/closings"), closed, "closing_id");
        let said = json!({"precise_balance": 100_000});
        self.make(&format!("/balances/{balance}/assertions"), said, "assertion_id");
    }

    fn make(&mut self, path: &str, body: Value, id: &str) -> String {
        let before = self.ids.len();
        let (status, text) = self.send("POST", path, None, body.to_string().into_bytes());
        let told: Value = serde_json::from_slice(&text).expect("an answer is JSON");
        assert!((200..300).contains(&status), "{path} {body}: {status} {told}");
        let id = told[id].as_str().unwrap_or_else(|| panic!("no {id} in {told}")).to_owned();
        self.ids.truncate(before);
        self.ids.push(id.clone());
        id
    }

    /// Carries out the requests of an input: each has the number of a route, that of an id, and a body, in which `$a` stands for
    /// the first id, `$b` for the second.
    pub fn play(&mut self, input: &[u8], requests_max: usize) {
        self.ids.truncate(self.fixtures_count);
        for piece in input.split(|byte| *byte == BETWEEN).take(requests_max) {
            let [route, id, body @ ..] = piece else { continue };
            let (method, path) = self.routes[usize::from(*route) % self.routes.len()].clone();
            let path = self.path(&path, *id);
            let body = self.with_ids(body);
            let key = (id & WITH_KEY != 0).then(|| format!("key {route}"));
            let before = self.mark();
            let (status, told) = self.send(&method, &path, key.as_deref(), body.clone());
            let after = self.mark();
            // By contract a batch that is not atomic keeps the items before the one that failed, one that is leaves its refusals.
            if status >= 400 && !path.ends_with("/bulk") {
                assert_eq!(
                    before,
                    after,
                    "{method} {path} {}: {status} left something behind, {}",
                    text(&body),
                    text(&told)
                );
            }
        }
        self.check();
    }

    /// Asks one thing: the number of a route that reads, that of an id, and a query; or a path with its query.
    pub fn query(&mut self, input: &[u8]) {
        let [route, id, rest @ ..] = input else { return };
        let mut path = String::new();
        if *route != OWN_PATH {
            let reads: Vec<_> = self.routes.iter().filter(|(method, _)| method == "GET").collect();
            let pattern = &reads[usize::from(*route) % reads.len()].1;
            path = self.path(pattern, *id);
            path.push('?');
        }
        for byte in rest {
            match byte {
                b'!'..=b'~' => path.push(char::from(*byte)),
                _ => path.push_str(&format!("%{byte:02X}")),
            }
        }
        // Waits for events that never come.
        if path.starts_with("/events") && path.contains("wait") {
            return;
        }
        self.send("GET", &path, None, Vec::new());
    }

    /// A path with ids in it: the one that has the number, and what belongs to it, where a path names two: closings and assertions
    /// stand as far behind their ledger and balance.
    fn path(&self, pattern: &str, id: u8) -> String {
        let mut next = (0..).map(|turn: u8| (id & !WITH_KEY).wrapping_add(turn.wrapping_mul(WITHIN)));
        let parts = pattern.split('/').map(|part| match part.starts_with('{') {
            true => self.id(next.next().expect("there is always one")),
            false => part,
        });
        parts.collect::<Vec<_>>().join("/")
    }

    fn id(&self, number: u8) -> &str {
        &self.ids[usize::from(number & !WITH_KEY) % self.ids.len()]
    }

    fn with_ids(&self, body: &[u8]) -> Vec<u8> {
        let mut whole = Vec::with_capacity(body.len());
        let mut rest = body.iter();
        while let Some(byte) = rest.next() {
            match (byte, rest.as_slice().first()) {
                (b'$', Some(letter @ b'a'..=b'z')) => {
                    whole.extend_from_slice(self.id(letter - b'a').as_bytes());
                    rest.next();
                }
                _ => whole.push(*byte),
            }
        }
        whole
    }

    /// Sends a request and holds its answer against what every answer must be.
    fn send(&mut self, method: &str, path: &str, key: Option<&str>, body: Vec<u8>) -> (u16, Vec<u8>) {
        let Ok(uri) = path.parse::<Uri>() else { return (0, Vec::new()) };
        let mut request = Request::builder().method(method).uri(uri).header("X-Blnk-Key", KEY);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let Ok(request) = request.body(Body::from(body)) else { return (0, Vec::new()) };
        let peer = SocketAddr::from(([127, 0, 0, 1], 9));
        let (parts, told) = self.runtime.block_on(async {
            let (parts, body) = self.server.shell.respond(peer, request).await.into_parts();
            (parts, body.collect().await.expect("an answer is whole").to_bytes().to_vec())
        });
        let status = parts.status.as_u16();
        assert!(status < 500, "{method} {path}: {status} {}", text(&told));
        let is_json =
            parts.headers.get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
        if is_json {
            let told: Value =
                serde_json::from_slice(&told).unwrap_or_else(|error| panic!("{path}: {error}: {}", text(&told)));
            if status >= 400 {
                let code = told["error_detail"]["code"].as_str().unwrap_or_default();
                assert!(!code.is_empty(), "{method} {path}: {status} without a code: {told}");
            }
            self.learn(&told);
        } else {
            // A path or a method that is not there, and a path that is none, are told as plain text, as Blnk does.
            assert!(matches!(status, 200..=399 | 400 | 404), "{method} {path}: {status} {}", text(&told));
        }
        (status, told)
    }

    fn learn(&mut self, told: &Value) {
        for (name, value) in told.as_object().into_iter().flatten() {
            if let (true, Some(id)) = (name.ends_with("_id") && self.ids.len() < IDS_MAX, value.as_str())
                && id.contains('_')
                && !self.ids.iter().any(|known| known == id)
            {
                self.ids.push(id.to_owned());
            }
        }
    }

    fn mark(&self) -> Mark {
        let look = ask::look(&self.server.state, |view| {
            let state = view.state;
            let versions = state.balances.iter().map(|balance| balance.version).sum();
            (
                state.balances.len(),
                state.ledgers.len(),
                state.identities.len(),
                state.currencies.iter().count(),
                versions,
            )
        });
        let (balances, ledgers, identities, currencies, versions) =
            self.runtime.block_on(look).expect("the engine runs");
        let books = self.server.state.books();
        let records = books.reach().next_seq();
        Mark { records, rows: books.rows.len(), balances, ledgers, identities, currencies, versions }
    }

    /// Money is neither made nor lost: the balances of a currency sum to zero, and so do the held ones.
    fn check(&self) {
        let look = ask::look(&self.server.state, |view| {
            let mut sums = BTreeMap::<u32, (i128, i128)>::new();
            for balance in view.state.balances.iter() {
                let sum = sums.entry(balance.currency).or_default();
                *sum = (sum.0 + balance.figures.balance(), sum.1 + balance.figures.inflight());
            }
            sums
        });
        let sums = self.runtime.block_on(look).expect("the engine runs");
        assert!(sums.values().all(|sum| *sum == (0, 0)), "balances do not sum to zero: {sums:?}");
        assert_eq!(self.server.state.engine().health().stopped(), None);
    }
}

impl Default for Book {
    fn default() -> Book {
        Book::new()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
