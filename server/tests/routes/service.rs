use crate::support::{open, secure};

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
