use crate::support::{TestServer, open};
use serde_json::json;

async fn names(server: &TestServer, query: &str) -> Vec<String> {
    let told = server.get(&format!("/ledgers{query}")).await;
    assert_eq!(told.status.as_u16(), 200, "{}", told.text);
    told.json().as_array().unwrap().iter().map(|ledger| ledger["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_newest_come_first_a_page_at_a_time() {
    let server = open();
    for number in 1..=104 {
        assert_eq!(server.post("/ledgers", json!({"name": number.to_string()})).await.status.as_u16(), 201);
    }
    assert_eq!(names(&server, "").await, ["104", "103", "102", "101", "100", "99", "98", "97", "96", "95"]);
    assert_eq!(names(&server, "?limit=2&offset=103&x=y&sort_by=name").await, ["1", "General Ledger"]);
    assert_eq!(names(&server, "?limit=100").await.len(), 100);
    assert_eq!(names(&server, "?limit=101").await.len(), 20);
    assert_eq!(names(&server, "?limit=18446744073709551615").await.len(), 20);
    assert!(names(&server, "?offset=105").await.is_empty());
    assert!(names(&server, "?offset=18446744073709551615").await.is_empty());
}

#[tokio::test]
async fn pages_are_numbers() {
    let server = open();
    for limit in ["0", "-1", "x", "", "1.5", "99999999999999999999"] {
        let path = format!("/ledgers?limit={limit}");
        server.refuses(("GET", &path), "", (400, "GEN_VALIDATION_ERROR", "Invalid limit value")).await;
    }
    for offset in ["-1", "x"] {
        let path = format!("/ledgers?offset={offset}");
        server.refuses(("GET", &path), "", (400, "GEN_VALIDATION_ERROR", "Invalid offset value")).await;
    }
}
