use crate::books::payment;
use crate::support::open;
use serde_json::json;

#[tokio::test]
async fn finds_exactly_that_one() {
    let server = open();
    let (a, b) = (server.funded(1000).await, server.balance().await);
    for (reference, path) in [(" é & + ", "%20%C3%A9%20&%20+%20"), ("plain", "plain"), ("a?b", "a%3Fb")] {
        let id = server
            .post("/transactions", payment(&a, &b, json!({"reference": reference})))
            .await
            .field("transaction_id");
        let told = server.get(&format!("/transactions/reference/{path}")).await;
        assert_eq!((told.status.as_u16(), told.field("transaction_id")), (200, id.clone()));
        assert_eq!(told.json(), server.get(&format!("/transactions/{id}")).await.json());
    }
    for missing in ["Plain", "plain_q", "plai", "x"] {
        let told = server.get(&format!("/transactions/reference/{missing}")).await;
        told.is_error(404, "TXN_NOT_FOUND", &format!("Transaction with reference '{missing}' not found"));
    }
}
