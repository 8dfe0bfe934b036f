use crate::support::open;
use serde_json::json;

#[tokio::test]
async fn reads_what_is_registered() {
    let server = open();
    let odd = server.post("/currencies", json!({"code": "a/b c", "scale": 0, "name": "odd"})).await;
    assert_eq!(server.get("/currencies/a%2Fb%20c").await.status.as_u16(), 404, "a slash ends a name in a path");
    let told = server.post("/currencies", json!({"code": "x y", "scale": 0, "name": odd.field("name")})).await;
    assert_eq!(server.get("/currencies/x%20y").await.text, told.text);
    // Named by a balance, but not registered.
    server.balance().await;
    for code in ["USD", "nothing"] {
        let message = format!("Currency '{code}' is not registered");
        server.refuses(("GET", &format!("/currencies/{code}")), "", (404, "GEN_NOT_FOUND", &message)).await;
    }
}
