use crate::books::payment;
use crate::support::{TestServer, open, settings};
use serde_json::json;

async fn diary() -> (TestServer, String) {
    let server = open();
    let a = server.balance().await;
    let dates =
        [("2024-01-01T10:00:00Z", 500, true), ("2024-01-08T10:00:00Z", 100, true), ("2024-01-09T10:00:00Z", 50, false)];
    for (at, (date, amount, credit)) in dates.into_iter().enumerate() {
        let fields = json!({"amount": amount, "precision": 1, "effective_date": date, "reference": format!("day {at}"), "allow_overdraft": true});
        let body = if credit { payment("@World", &a, fields) } else { payment(&a, "@Shop", fields) };
        assert_eq!(server.post("/transactions", body).await.status.as_u16(), 201);
    }
    (server, a)
}

async fn at(server: &TestServer, balance: &str, moment: &str) -> [i64; 3] {
    let told = server.get(&format!("/balances/{balance}/at?timestamp={moment}")).await.json();
    ["balance", "credit_balance", "debit_balance"].map(|name| told["balance"][name].as_i64().expect("a number"))
}

#[tokio::test]
async fn postings_count_at_their_business_date() {
    let (mut server, a) = diary().await;
    for round in 0..3 {
        for (moment, wanted) in [
            ("2023-12-31T23:59:59Z", [0, 0, 0]),
            ("2024-01-01T09:59:59.999999Z", [0, 0, 0]),
            ("2024-01-01T10:00:00Z", [500, 500, 0]),
            ("2024-01-08T09:59:59Z", [500, 500, 0]),
            ("2024-01-08T12:00:00%2B02:00", [600, 600, 0]),
            ("2024-01-09T10:00:00Z", [550, 600, 50]),
            ("9999-12-31T23:59:59Z", [550, 600, 50]),
        ] {
            assert_eq!(at(&server, &a, moment).await, wanted, "{moment} in round {round}");
        }
        server = if round == 0 { server.restarted(settings(&[])) } else { server.crashed(settings(&[])) };
    }
}

#[tokio::test]
async fn what_is_to_come_counts_when_it_comes() {
    let (server, a) = diary().await;
    let fields = json!({"effective_date": "2030-01-01T00:00:00Z", "amount": 7, "precision": 1, "reference": "later", "allow_overdraft": true});
    server.post("/transactions", payment("@World", &a, fields)).await;
    server
        .post("/transactions", payment("@World", &a, json!({"amount": 3, "precision": 1, "allow_overdraft": true})))
        .await;
    let hold = json!({"amount": 9, "precision": 1, "inflight": true, "reference": "held", "effective_date": "2024-01-02T00:00:00Z"});
    server.post("/transactions", payment(&a, "@Shop", hold)).await;
    assert_eq!(at(&server, &a, "2029-12-31T23:59:59Z").await, [553, 603, 50]);
    assert_eq!(at(&server, &a, "2030-01-01T00:00:00Z").await, [560, 610, 50]);
    assert_eq!(at(&server, &a, "2024-01-10T00:00:00Z").await, [550, 600, 50]);
}
