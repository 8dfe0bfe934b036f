use crate::support::{open, secure};
use serde_json::json;

#[tokio::test]
async fn root_needs_no_key() {
    for server in [open(), secure()] {
        let told = server.ask_with("GET", "/", &[], "").await;
        assert_eq!((told.status.as_u16(), told.text.as_str()), (200, "\"server running...\""));
        assert_eq!(told.header("Content-Type"), Some("application/json; charset=utf-8"));
    }
}

#[tokio::test]
async fn health_tells_up_and_down() {
    let server = secure();
    let told = server.ask_with("GET", "/health", &[("X-Blnk-Key", "nonsense")], "").await;
    assert_eq!((told.status.as_u16(), told.text.as_str()), (200, r#"{"status":"UP"}"#));
    server.state.set_down("the journal cannot be written");
    server.state.set_down("a later reason");
    let told = server.ask_with("GET", "/health", &[], "").await;
    assert_eq!(
        (told.status.as_u16(), told.text.as_str()),
        (503, r#"{"reason":"the journal cannot be written","status":"DOWN"}"#)
    );
}

#[tokio::test]
async fn info_tells_what_there_is_and_needs_a_key() {
    let server = secure();
    server.ask_with("GET", "/internal/info", &[], "").await.is_error(401, "AUTH_MISSING_API_KEY", "");
    let version = env!("CARGO_PKG_VERSION");
    let wanted = |transactions, balances| json!({"version": version, "sync": "direct", "transactions": transactions, "balances": balances});
    server.get("/internal/info").await.is(200, wanted(0, 0));
    server.funded(1).await;
    server.get("/internal/info").await.is(200, wanted(1, 2));
}
