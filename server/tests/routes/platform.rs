//! What holds for every route: keys, unknown paths, slashes, escapes, headers.

use crate::support::{TestServer, open, secure, settings};
use server::http::layers::REQUEST_ID_BYTES_MAX;
use server::http::parameters::PARAMETERS_MAX;

#[tokio::test]
async fn a_key_is_asked_for_before_a_route_is_looked_for() {
    let server = secure();
    for (path, key, status, code) in [
        ("/nowhere", "", 401, "AUTH_MISSING_API_KEY"),
        ("/nowhere", "nonsense", 401, "AUTH_INVALID_API_KEY"),
        ("/nowhere", "master-ke", 401, "AUTH_INVALID_API_KEY"),
        ("/nowhere", "master-keyy", 401, "AUTH_INVALID_API_KEY"),
        ("/a%zz", "", 401, "AUTH_MISSING_API_KEY"),
    ] {
        let told = server.ask_with("GET", path, &[("X-Blnk-Key", key)], "").await;
        assert_eq!((told.status.as_u16(), told.code().as_str()), (status, code), "{path} {key:?}");
    }
    let told = server.ask_with("GET", "/nowhere", &[], "").await;
    assert_eq!(
        told.text,
        r#"{"error":"Authentication required. Use X-Blnk-Key header","error_detail":{"code":"AUTH_MISSING_API_KEY","message":"Authentication required. Use X-Blnk-Key header"}}"#
    );
    assert_eq!(server.ask("GET", "/nowhere", "").await.status.as_u16(), 404);
    assert_eq!(server.ask_with("GET", "/metrics", &[], "").await.status.as_u16(), 404);
}

#[tokio::test]
async fn what_has_no_route_is_not_found_whatever_the_method() {
    let server = open();
    for (method, path) in [
        ("GET", "/nowhere"),
        ("POST", "/health"),
        ("PATCH", "/health"),
        ("OPTIONS", "/health"),
        ("HEAD", "/health"),
        ("TRACE", "/"),
        ("GET", "/health/x"),
        ("GET", "//health"),
        ("GET", "/nowhere/"),
        ("GET", "/%FF"),
        ("GET", "/docs%2fpage%2ejs%2fx"),
    ] {
        let told = server.ask(method, path, "").await;
        assert_eq!((told.status.as_u16(), told.text.as_str()), (404, "404 page not found"), "{method} {path}");
        assert_eq!(told.header("Content-Type"), Some("text/plain"), "{method} {path}");
        assert_eq!(told.header("Allow"), None, "{method} {path}");
        assert_eq!(told.header("X-Frame-Options"), Some("DENY"), "{method} {path}");
    }
}

#[tokio::test]
async fn paths_are_matched_decoded() {
    let server = open();
    assert_eq!(server.ask("GET", "/%68ealth", "").await.status.as_u16(), 200);
    assert_eq!(server.ask("GET", "/docs%2Fpage.js", "").await.status.as_u16(), 200);
    let told = server.ask("GET", "/a%zz", "").await;
    assert_eq!((told.status.as_u16(), told.text.as_str()), (400, "400 Bad Request"));
}

/// A redirect comes before everything that a client could be refused for.
#[tokio::test]
async fn a_slash_too_many_is_redirected() {
    let server = secure();
    let told = server.ask_with("GET", "/openapi.json/?a=b%2f", &[], "").await;
    assert_eq!((told.status.as_u16(), told.header("Location")), (301, Some("/openapi.json?a=b%2f")));
    assert_eq!(told.header("X-Frame-Options"), None);
    // Not a route of this method; two slashes.
    for (method, path) in [("POST", "/health/"), ("GET", "/health//")] {
        assert_eq!(server.ask_with(method, path, &[], "").await.status.as_u16(), 401, "{method} {path}");
    }
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let server = secure();
    for (path, key) in [("/health", ""), ("/nowhere", "master-key"), ("/nowhere", "")] {
        let told = server.ask_with("GET", path, &[("X-Blnk-Key", key)], "").await;
        for (name, value) in [
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"),
            ("Referrer-Policy", "strict-origin-when-cross-origin"),
            ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
            ("Cache-Control", "no-store"),
        ] {
            assert_eq!(told.header(name), Some(value), "{path} {name}");
        }
        assert_eq!(told.header("Strict-Transport-Security"), None);
    }
    let told = server.ask_with("GET", "/health", &[("X-Forwarded-Proto", "HTTPS")], "").await;
    assert_eq!(told.header("Strict-Transport-Security"), Some("max-age=31536000; includeSubDomains"));
}

#[tokio::test]
async fn requests_have_an_id() {
    let server = open();
    let first = server.ask("GET", "/", "").await;
    let second = server.ask("GET", "/", "").await;
    assert_ne!(first.header("X-Request-Id").unwrap(), second.header("X-Request-Id").unwrap());
    let given = server.ask_with("GET", "/", &[("X-Request-Id", "order-7")], "").await;
    assert_eq!(given.header("X-Request-Id"), Some("order-7"));
    let longest = "x".repeat(REQUEST_ID_BYTES_MAX);
    let told = server.ask_with("GET", "/", &[("X-Request-Id", &longest)], "").await;
    assert_eq!(told.header("X-Request-Id"), Some(longest.as_str()));
    let too_long = longest + "x";
    for strange in ["", "a b", "<x>", too_long.as_str()] {
        let told = server.ask_with("GET", "/", &[("X-Request-Id", strange)], "").await;
        assert_ne!(told.header("X-Request-Id"), Some(strange));
    }
}

/// What stands behind so many parameters is as if it were not there.
#[tokio::test]
async fn parameters_are_limited() {
    let server = open();
    let wrong = |before: usize| format!("/events?{}limit=none", "x=1&".repeat(before));
    assert_eq!(server.ask("GET", &wrong(PARAMETERS_MAX - 1), "").await.status.as_u16(), 400);
    assert_eq!(server.ask("GET", &wrong(PARAMETERS_MAX), "").await.status.as_u16(), 200);
}

/// Without secure mode the key is not looked at.
#[tokio::test]
async fn without_secure_mode_every_key_passes() {
    let server = TestServer::new(settings(&[("BLNK_SERVER_SECRET_KEY", "master-key")]));
    for key in ["", "nonsense", "master-key"] {
        assert_eq!(server.ask_with("GET", "/nowhere", &[("X-Blnk-Key", key)], "").await.status.as_u16(), 404);
    }
}
