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

/// A plus belongs to a telephone number; in fields that are numbers it says nothing.
#[tokio::test]
async fn a_telephone_number_is_found_by_itself() {
    let server = open();
    for (name, phone) in [("Ada", "+2348012345678"), ("Bo", "2348012345678"), ("Cy", "+1")] {
        let body = json!({"first_name": name, "phone_number": phone, "meta_data": {"mobile": phone}});
        server.post("/identities", body).await;
    }
    for (query, wanted) in [
        ("phone_number_eq=%2B2348012345678", vec!["Ada"]),
        ("phone_number_eq=2348012345678", vec!["Bo"]),
        ("phone_number_ne=%2B2348012345678", vec!["Cy", "Bo"]),
        ("phone_number_in=%2B2348012345678,%2B1", vec!["Cy", "Ada"]),
        ("phone_number_like=%2B1", vec!["Cy"]),
        ("meta_data.mobile_eq=%2B1", vec!["Cy"]),
    ] {
        let told = server.get(&format!("/identities?{query}")).await.json();
        let names: Vec<_> = told.as_array().expect("a list").iter().map(|one| one["first_name"].clone()).collect();
        assert_eq!(names, wanted, "{query}");
    }
    let body = crate::books::payment("@a", "@b", json!({"amount": 5, "allow_overdraft": true}));
    assert_eq!(server.post("/transactions", body).await.status.as_u16(), 201);
    let found = server.get("/transactions?amount_eq=%2B5").await.json();
    assert_eq!(found.as_array().map(Vec::len), Some(1), "{found}");
}
