use crate::support::open;
use std::collections::HashSet;

#[tokio::test]
async fn numbers_are_made_up_and_nothing_is_stored() {
    let server = open();
    let mut numbers = HashSet::new();
    for _ in 0..50 {
        let told = server.get("/mocked-account").await;
        assert_eq!((told.status.as_u16(), told.field("bank_name").as_str()), (200, "Blnk Bank"));
        let number = told.field("account_number");
        assert!(number.len() == 12 && number.bytes().all(|digit| digit.is_ascii_digit()), "{number}");
        assert!(!number.starts_with('0'), "{number}");
        numbers.insert(number);
    }
    assert_eq!(numbers.len(), 50, "they are random");
    assert_eq!(server.get("/accounts").await.text, "[]");
}
