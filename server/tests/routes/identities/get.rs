use crate::support::open;
use serde_json::json;

#[tokio::test]
async fn the_newest_come_first_a_page_at_a_time() {
    let server = open();
    assert_eq!(server.get("/identities").await.text, "[]");
    for number in 0..23 {
        server.post("/identities", json!({"first_name": number.to_string()})).await;
    }
    // What is no number is as if not given; past a hundred a page has twenty.
    for (query, count, first) in [
        ("", 20, "22"),
        ("?limit=2&offset=1", 2, "21"),
        ("?limit=x&offset=-1", 20, "22"),
        ("?limit=100", 23, "22"),
        ("?limit=101", 20, "22"),
    ] {
        let told = server.get(&format!("/identities{query}")).await.json();
        assert_eq!(
            (told.as_array().map(Vec::len), told[0]["first_name"].as_str()),
            (Some(count), Some(first)),
            "{query}"
        );
    }
}
