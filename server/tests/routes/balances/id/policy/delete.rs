use crate::books::payment;
use crate::support::open;
use serde_json::json;

#[tokio::test]
async fn takes_the_policy_away_and_may_be_said_again() {
    let server = open();
    let (a, b) = (server.funded(10_000).await, server.balance().await);
    let path = format!("/balances/{a}/policy");
    server.put(&path, json!({"frozen": "all"})).await;
    let pay = payment(&a, &b, json!({}));
    server.post("/transactions", pay.clone()).await.is_error(400, "BAL_FROZEN", "the source balance is frozen");
    for _ in 0..2 {
        server.delete(&path).await.is(200, json!({"message": "Policy deleted successfully"}));
        assert_eq!(server.get(&path).await.code(), "GEN_NOT_FOUND");
    }
    assert_eq!(server.post("/transactions", pay).await.status.as_u16(), 201);
}

#[tokio::test]
async fn the_balance_must_exist() {
    let server = open();
    for id in ["x", "bln_00000000-0000-4000-8000-000000000000"] {
        let message = format!("Balance with ID '{id}' not found");
        server.refuses(("DELETE", &format!("/balances/{id}/policy")), "", (404, "BAL_NOT_FOUND", &message)).await;
    }
}
