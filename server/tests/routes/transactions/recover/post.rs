use crate::support::open;
use serde_json::json;

/// Nothing is ever stuck; the threshold is echoed as Go prints it.
#[tokio::test]
async fn recovers_nothing() {
    let server = open();
    for (query, threshold) in [
        ("", "2m0s"),
        ("?threshold=", "2m0s"),
        ("?threshold=24h", "24h0m0s"),
        ("?threshold=5s", "5s"),
        ("?threshold=1h30m", "1h30m0s"),
        ("?threshold=1500ms&x=y", "1.5s"),
    ] {
        server
            .post(&format!("/transactions/recover{query}"), json!({}))
            .await
            .is(200, json!({"recovered": 0, "threshold": threshold}));
    }
    for threshold in ["soon", "5", "5%20s", "3000000h"] {
        let path = format!("/transactions/recover?threshold={threshold}");
        server.refuses(("POST", &path), "", (400, "GEN_VALIDATION_ERROR", "invalid threshold duration")).await;
    }
}
