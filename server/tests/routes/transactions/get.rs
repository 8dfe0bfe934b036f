use crate::books::payment;
use crate::support::{NOW, open};
use serde_json::json;

#[tokio::test]
async fn the_newest_come_first_a_page_at_a_time() {
    let server = open();
    assert_eq!(server.get("/transactions").await.text, "[]");
    for number in 0..23 {
        let body = payment("@a", "@b", json!({"reference": number.to_string(), "allow_overdraft": true}));
        assert_eq!(server.post("/transactions", body).await.status.as_u16(), 201);
    }
    // What is no number is as if not given.
    for (query, count, first) in [
        ("", 20, Some("22")),
        ("?limit=2&offset=1", 2, Some("21")),
        ("?limit=x&offset=-1", 20, Some("22")),
        ("?limit=0", 20, Some("22")),
        ("?limit=10000&offset=22", 1, Some("0")),
        ("?offset=23", 0, None),
        ("?offset=18446744073709551615&limit=18446744073709551615", 0, None),
    ] {
        let told = server.get(&format!("/transactions{query}")).await.json();
        assert_eq!((told.as_array().map(Vec::len), told[0]["reference"].as_str()), (Some(count), first), "{query}");
    }
    let told = server.get("/transactions?limit=1").await.json();
    assert_eq!(told[0]["effective_date"], NOW, "lists tell the business date");
}
