//! The document and the router cannot drift apart, and a change of either is seen in a diff of `openapi.json`.

#[path = "support/server.rs"]
mod support;

use server::http::openapi;
use server::http::router::routes;
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn every_route_is_in_the_document_and_nothing_else() {
    let document = openapi::document();
    let mut told = BTreeSet::new();
    for (path, verbs) in document["paths"].as_object().unwrap() {
        for verb in verbs.as_object().unwrap().keys() {
            assert!(told.insert((verb.to_uppercase(), path.clone())));
        }
    }
    let routed: BTreeSet<(String, String)> =
        routes().iter().map(|route| (route.verb.method().to_string(), route.path.to_owned())).collect();
    assert_eq!(routed.len(), routes().len(), "a route stands twice");
    assert_eq!(told, routed);
}

#[test]
fn operations_are_named_and_told() {
    let mut ids = BTreeSet::new();
    for route in routes() {
        let operation = route.operation;
        assert!(ids.insert(operation.id), "{} twice", operation.id);
        assert!(!operation.summary.is_empty() && !operation.summary.ends_with('.'), "{}", operation.id);
        assert!(!operation.answers.is_empty(), "{} has no answers", operation.id);
        assert!(route.path == "/" || !route.path.ends_with('/'), "{}", route.path);
    }
}

/// Routes answer: none is in the list without being reachable.
#[tokio::test]
async fn every_route_is_reachable() {
    let server = support::open();
    for route in routes() {
        let path = route.path.replace(['{', '}'], "");
        let told = server.ask(route.verb.method().as_str(), &path, "").await;
        assert_ne!(told.text, "404 page not found", "{:?} {}", route.verb, route.path);
    }
}

/// Routes that pass without a key. The list may only shrink.
#[tokio::test]
async fn only_these_routes_need_no_key() {
    let server = support::secure();
    let mut open = Vec::new();
    for route in routes() {
        let path = route.path.replace(['{', '}'], "");
        let told = server.ask_with(route.verb.method().as_str(), &path, &[], "").await;
        if told.status.as_u16() != 401 {
            open.push(route.path);
        }
    }
    assert_eq!(open, ["/", "/health", "/openapi.json", "/docs", "/docs/page.js", "/docs/page.css"]);
}

/// `FLORIN_UPDATE=1 cargo test -p server --test openapi` writes the file anew.
#[test]
fn the_committed_document_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openapi.json");
    let mut current = serde_json::to_string_pretty(&openapi::document()).unwrap();
    current.push('\n');
    if std::env::var_os("FLORIN_UPDATE").is_some() {
        std::fs::write(&path, &current).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == current, "tests/openapi.json is not current; run with FLORIN_UPDATE=1 and look at the diff");
}
