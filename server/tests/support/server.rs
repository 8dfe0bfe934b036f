//! What tests of routes share: a server in process, without sockets.

#![allow(dead_code, reason = "every test program uses some of it")]

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use server::config::Settings;
use server::config::source::Sources;
use server::config::typed::Typed;
use server::http::layers::Shell;
use server::http::state::AppState;
use std::net::SocketAddr;

/// The master key of secure test servers.
pub const KEY: &str = "master-key";

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

/// A server in process.
pub struct TestServer {
    pub state: AppState,
    pub shell: Shell,
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
        let state = AppState::new(settings);
        TestServer { shell: Shell::new(state.clone()), state }
    }

    /// Sends a request with [`KEY`].
    pub async fn ask(&self, method: &str, path: &str, body: &str) -> Told {
        self.ask_with(method, path, &[("X-Blnk-Key", KEY)], body).await
    }

    pub async fn ask_with(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Told {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let peer = SocketAddr::from(([127, 0, 0, 1], 9));
        let response = self.shell.respond(peer, request.body(Body::from(body.to_owned())).unwrap()).await;
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Told { status: parts.status, headers: parts.headers, text }
    }
}

impl Told {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub fn code(&self) -> String {
        self.json()["error_detail"]["code"].as_str().unwrap_or_default().to_owned()
    }
}
