use super::post::owned;
use crate::support::open;
use serde_json::json;

#[tokio::test]
async fn the_newest_come_first_a_page_at_a_time() {
    let server = open();
    let (_, balance) = owned(&server, json!({"first_name": "Ada"})).await;
    let mut made = Vec::new();
    for number in 0..21 {
        made.insert(
            0,
            server.post("/accounts", json!({"balance_id": balance, "number": number.to_string()})).await.json(),
        );
    }
    for (query, wanted) in [
        ("", &made[..20]),
        ("?limit=2&offset=1", &made[1..3]),
        ("?limit=100", &made[..]),
        ("?limit=101", &made[..20]),
        ("?limit=0", &made[..20]),
        ("?limit=x&offset=-1", &made[..20]),
        ("?offset=20", &made[20..]),
        ("?number_eq=5", &made[15..16]),
        ("?number_in=5,4,x&limit=1", &made[15..16]),
        ("?bank_name_eq=x", &[]),
    ] {
        assert_eq!(server.get(&format!("/accounts{query}")).await.json(), json!(wanted), "{query}");
    }
    let told = server.get("/accounts?nonsense_eq=1").await;
    assert_eq!((told.status.as_u16(), told.code().as_str()), (400, "GEN_BAD_REQUEST"));
    let told = server.get("/accounts?number_between=1").await;
    assert_eq!((told.status.as_u16(), told.code().as_str()), (400, "GEN_VALIDATION_ERROR"));
}
