use crate::support::open;
use serde_json::json;

#[tokio::test]
async fn there_must_be_one() {
    let server = open();
    let a = server.balance().await;
    let path = format!("/balances/{a}/policy");
    server.refuses(("GET", &path), "", (404, "GEN_NOT_FOUND", &format!("Balance '{a}' has no policy"))).await;
    let told = server.put(&path, json!({"frozen": "credits"})).await;
    server
        .get(&path)
        .await
        .is(200, json!({"balance_id": "<bln 1>", "frozen": "credits", "counterparties": null, "velocity": []}));
    assert_eq!(server.get(&path).await.text, told.text);
    for id in ["x", "bln_00000000-0000-4000-8000-000000000000", &a.replace("bln_", "txn_")] {
        let message = format!("Balance with ID '{id}' not found");
        server.refuses(("GET", &format!("/balances/{id}/policy")), "", (404, "BAL_NOT_FOUND", &message)).await;
    }
}
