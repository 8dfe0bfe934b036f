use crate::support::secure;

/// The page must be able to load what it names, and nothing from elsewhere.
#[tokio::test]
async fn the_page_loads_only_what_this_server_has() {
    let server = secure();
    let page = server.ask_with("GET", "/docs", &[], "").await;
    assert_eq!(page.status.as_u16(), 200);
    assert_eq!(page.header("Content-Type"), Some("text/html; charset=utf-8"));
    let policy = page.header("Content-Security-Policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'"),
        "{policy}"
    );
    assert!(
        !page.text.contains("style=") && !page.text.contains("<style") && !page.text.contains("<script>"),
        "inline parts would be blocked"
    );
    for (path, kind) in
        [("/docs/page.js", "text/javascript"), ("/docs/page.css", "text/css"), ("/openapi.json", "application/json")]
    {
        let part = server.ask_with("GET", path, &[], "").await;
        assert_eq!(part.status.as_u16(), 200, "{path}");
        assert!(part.header("Content-Type").unwrap().starts_with(kind), "{path}");
        assert!(!part.text.contains("https://"), "{path} names another host");
    }
}
