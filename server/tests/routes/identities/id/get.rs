use crate::support::open;
use serde_json::json;

#[tokio::test]
async fn reads_an_identity() {
    let server = open();
    let made = server
        .post("/identities", json!({"first_name": "Ada", "dob": "1990-05-10T22:00:00-03:00", "meta_data": {}}))
        .await;
    let told = server.get(&format!("/identities/{}", made.field("identity_id"))).await;
    let mut wanted = made.json();
    // Only the date is kept.
    wanted["dob"] = json!("1990-05-10T00:00:00Z");
    assert_eq!((told.status.as_u16(), told.json()), (200, wanted));
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let server = open();
    for id in ["x", "idt_00000000-0000-4000-8000-000000000000"] {
        server.get(&format!("/identities/{id}")).await.is_error(
            404,
            "IDT_NOT_FOUND",
            &format!("Identity with ID '{id}' not found"),
        );
    }
}
