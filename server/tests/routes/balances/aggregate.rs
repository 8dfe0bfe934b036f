use crate::books::{payment, with};
use crate::support::{TestServer, open};
use serde_json::{Value, json};
use server::http::aggregate::PAGE_GROUPS_MAX;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

const DAY: i64 = 86_400_000_000;

struct Books {
    server: TestServer,
    ledgers: Vec<String>,
    owners: Vec<String>,
    /// With their currencies.
    balances: Vec<(String, &'static str)>,
    seed: u64,
    count: usize,
}

impl Books {
    async fn new(seed: u64) -> Books {
        let server = open();
        let (mut ledgers, mut owners) = (vec!["general_ledger_id".to_owned()], vec![String::new()]);
        for name in ["one", "two"] {
            ledgers.push(server.post("/ledgers", json!({"name": name})).await.field("ledger_id"));
            owners.push(server.post("/identities", json!({"first_name": name})).await.field("identity_id"));
        }
        let mut books = Books { server, ledgers, owners, balances: Vec::new(), seed, count: 0 };
        for _ in 0..6 {
            books.add_balance().await;
        }
        books
    }

    fn below(&mut self, limit: usize) -> usize {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) as usize % limit
    }

    async fn add_balance(&mut self) {
        let currency = ["USD", "EUR"][self.below(2)];
        let (ledger, owner) = (self.below(3), self.below(3));
        let body = json!({"ledger_id": self.ledgers[ledger], "identity_id": self.owners[owner], "currency": currency});
        let id = self.server.post("/balances", body).await.field("balance_id");
        self.balances.push((id, currency));
    }

    async fn pay(&mut self) {
        let days = self.below(12) as i64;
        self.server.clock.fetch_add(days * DAY, Ordering::SeqCst);
        if self.below(10) == 0 {
            self.add_balance().await;
        }
        self.count += 1;
        let at = self.below(self.balances.len());
        let (balance, currency) = self.balances[at].clone();
        let world = "@World".to_owned();
        let (source, destination) = if self.below(2) == 0 { (world, balance) } else { (balance, world) };
        let amount = 1 + self.below(10_000);
        let fields = json!({"amount": null, "precise_amount": amount, "reference": self.count.to_string(),
            "currency": currency, "allow_overdraft": true, "inflight": self.below(4) == 0});
        let dates = match self.below(6) {
            0 => json!({"effective_date": "2026-02-11T00:00:00Z"}),
            1 => json!({"effective_date": "2026-09-30T23:59:59Z"}),
            _ => json!({}),
        };
        let told = self.server.post("/transactions", payment(&source, &destination, with(fields, dates))).await;
        assert_eq!(told.status.as_u16(), 201, "{}", told.text);
        if told.field("status") == "INFLIGHT" && self.below(2) == 0 {
            let action = ["commit", "void"][self.below(2)];
            let body = json!({"status": action, "skip_queue": true});
            let path = format!("/transactions/inflight/{}", told.field("transaction_id"));
            assert_eq!(self.server.put(&path, body).await.status.as_u16(), 200);
        }
    }

    async fn aggregate(&self, query: &str) -> Value {
        let told = self.server.get(&format!("/balances/aggregate?{query}")).await;
        assert_eq!(told.status.as_u16(), 200, "{query}: {}", told.text);
        told.json()
    }
}

/// The sums of groups that have the same words, by those words.
fn by_words(
    groups: impl IntoIterator<Item = Value>,
    words: &[&str],
    fields: &[&str],
) -> BTreeMap<Vec<String>, Vec<i64>> {
    let mut sums = BTreeMap::<Vec<String>, Vec<i64>>::new();
    for group in groups {
        let key = words.iter().map(|word| group[word].as_str().expect("a word").to_owned()).collect();
        let sums = sums.entry(key).or_insert_with(|| vec![0; fields.len()]);
        for (sum, field) in sums.iter_mut().zip(fields) {
            *sum += group[field].as_i64().unwrap_or_else(|| panic!("{field} of {group}"));
        }
    }
    sums
}

fn groups_of(told: &Value) -> Vec<Value> {
    told["groups"].as_array().expect("groups").clone()
}

const POSTED: [&str; 3] = ["balance", "credit_balance", "debit_balance"];
const HELD: [&str; 6] = [
    "balance",
    "credit_balance",
    "debit_balance",
    "inflight_balance",
    "inflight_credit_balance",
    "inflight_debit_balance",
];
const WORDS: [(&str, &str); 3] = [("ledger", "ledger_id"), ("currency", "currency"), ("identity", "identity_id")];

/// Sums are those of `GET /balances` now, and of `GET /balances/{id}/at` at moments.
#[tokio::test]
async fn sums_are_those_of_the_balances_one_by_one() {
    let mut books = Books::new(11).await;
    for _ in 0..60 {
        books.pay().await;
    }
    let listed = books.server.get("/balances?limit=1000").await.json();
    let listed = listed.as_array().expect("balances").clone();
    let with_count = |mut one: Value| {
        one["count"] = json!(1);
        one
    };
    for bits in 0..8 {
        let asked: Vec<_> =
            WORDS.iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1).map(|(_, word)| *word).collect();
        let group_by = asked.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(",");
        let mut words: Vec<_> = asked.iter().map(|(_, field)| *field).collect();
        if !words.contains(&"currency") {
            words.push("currency");
        }
        let fields = [&HELD[..], &["count"]].concat();
        let told = books.aggregate(&format!("group_by={group_by}")).await;
        let wanted = by_words(listed.iter().cloned().map(with_count), &words, &fields);
        assert_eq!(by_words(groups_of(&told), &words, &fields), wanted, "{group_by}");
        assert_eq!(told["total_groups"].as_u64(), Some(wanted.len() as u64));
        for at in [
            "2026-02-10T23:59:59.999999Z",
            "2026-03-20T00:00:00Z",
            "2026-06-01T02:00:00%2B02:00",
            "2027-01-01T00:00:00Z",
        ] {
            let mut then = Vec::new();
            for one in &listed {
                let path = format!("/balances/{}/at?timestamp={at}", one["balance_id"].as_str().unwrap());
                let mut told = books.server.get(&path).await.json()["balance"].take();
                for word in ["ledger_id", "identity_id"] {
                    told[word] = one[word].clone();
                }
                then.push(told);
            }
            let mut wanted = by_words(then, &words, &POSTED);
            let mut found =
                by_words(groups_of(&books.aggregate(&format!("group_by={group_by}&at={at}")).await), &words, &POSTED);
            // Groups in which nothing was posted yet are told when they have balances; the sums alone do not tell that.
            wanted.retain(|_, sums| sums.iter().any(|sum| *sum != 0));
            found.retain(|_, sums| sums.iter().any(|sum| *sum != 0));
            assert_eq!(found, wanted, "{group_by} at {at}");
        }
    }
}

/// The months of a group add up to it, and each tells what was posted in it.
#[tokio::test]
async fn months_add_up() {
    let mut books = Books::new(12).await;
    for _ in 0..50 {
        books.pay().await;
    }
    for (more, words) in [("", vec!["currency"]), ("ledger,identity,", vec!["ledger_id", "currency", "identity_id"])] {
        for at in ["", "&at=2026-06-01T00:00:00Z"] {
            let months = books.aggregate(&format!("group_by={more}month{at}")).await;
            let whole = books.aggregate(&format!("group_by={more}{at}")).await;
            let mut wanted = by_words(groups_of(&whole), &words, &POSTED);
            wanted.retain(|_, sums| sums.iter().any(|sum| *sum != 0));
            assert_eq!(by_words(groups_of(&months), &words, &POSTED), wanted, "{more} {at}");
            assert!(
                groups_of(&months)
                    .iter()
                    .all(|group| group.get("count").is_none() && group.get("inflight_balance").is_none())
            );
        }
    }
    let server = open();
    let balance = server.balance().await;
    for (number, date) in
        ["2026-01-31T23:59:59Z", "2026-02-01T00:00:00Z", "2026-02-01T00:30:00+01:00"].into_iter().enumerate()
    {
        let fields = json!({"reference": date, "amount": number + 1, "effective_date": date, "allow_overdraft": true});
        assert_eq!(server.post("/transactions", payment("@World", &balance, fields)).await.status.as_u16(), 201);
    }
    let told = server.get("/balances/aggregate?group_by=month&ledger_id=general_ledger_id").await.json();
    let group = |month: &str, sum: u32| json!({"currency": "USD", "month": month, "balance": 0, "credit_balance": sum, "debit_balance": sum});
    assert_eq!(told["groups"], json!([group("2026-01", 400), group("2026-02", 200)]));
    assert_eq!(told["group_by"], json!(["currency", "month"]));
}

#[tokio::test]
async fn what_is_summed_can_be_narrowed_and_paged() {
    let mut books = Books::new(13).await;
    for _ in 0..30 {
        books.pay().await;
    }
    let all = groups_of(&books.aggregate("group_by=ledger&group_by=identity,currency").await);
    for (name, field) in [("ledger_id", "ledger_id"), ("currency", "currency"), ("identity_id", "identity_id")] {
        for group in all.iter().filter(|group| group[field] != json!("")) {
            let value = group[field].as_str().unwrap();
            let told = books.aggregate(&format!("group_by=ledger,identity&{name}={value}")).await;
            let wanted: Vec<_> = all.iter().filter(|one| one[field] == group[field]).cloned().collect();
            assert_eq!(groups_of(&told), wanted, "{name}={value}");
        }
    }
    for offset in 0..=all.len() {
        let told = books.aggregate(&format!("group_by=ledger,identity&limit=2&offset={offset}")).await;
        assert_eq!(groups_of(&told), all.iter().skip(offset).take(2).cloned().collect::<Vec<_>>());
        assert_eq!(told["total_groups"].as_u64(), Some(all.len() as u64));
    }
    let none = books.aggregate("currency=XYZ").await;
    assert_eq!((&none["groups"], &none["total_groups"]), (&json!([]), &json!(0)));
    assert_eq!(books.aggregate("at=1999-01-01T00:00:00Z").await["groups"], json!([]));
    let currency = json!({"code": "USD", "scale": 2});
    assert_eq!(books.server.post("/currencies", currency).await.status.as_u16(), 201);
    let told = groups_of(&books.aggregate("group_by=currency").await);
    let words: Vec<_> =
        told.iter().map(|group| (group["currency"].as_str().unwrap(), group.get("precision"))).collect();
    assert_eq!(words, [("EUR", None), ("USD", Some(&json!(100)))]);
}

#[tokio::test]
async fn bad_questions_are_refused() {
    let server = open();
    let most = format!("limit={}", PAGE_GROUPS_MAX + 1);
    let limits = format!("limit: must be a whole number, from 1 to {PAGE_GROUPS_MAX}");
    for (query, status, code, text) in [
        (
            "group_by=ledger,colour",
            400,
            "GEN_VALIDATION_ERROR",
            "group_by: must be of ledger, currency, identity, month, not 'colour'",
        ),
        ("at=yesterday", 400, "BAL_INVALID_TIMESTAMP", "at: must be a time in RFC 3339, such as 2024-01-01T15:04:05Z"),
        ("limit=0", 400, "GEN_VALIDATION_ERROR", &limits),
        ("limit=x", 400, "GEN_VALIDATION_ERROR", &limits),
        (&most, 400, "GEN_VALIDATION_ERROR", &limits),
        ("offset=-1", 400, "GEN_VALIDATION_ERROR", "offset: must be a whole number, at least 0"),
        ("ledger_id=x", 404, "LGR_NOT_FOUND", "Ledger not found"),
        ("identity_id=idt_x", 404, "IDT_NOT_FOUND", "Identity with ID 'idt_x' not found"),
    ] {
        server.get(&format!("/balances/aggregate?{query}")).await.is_error(status, code, text);
    }
    for query in [&format!("limit={PAGE_GROUPS_MAX}"), "group_by=", "at=", "ledger_id=", "group_by=month,%20ledger"] {
        assert_eq!(server.get(&format!("/balances/aggregate?{query}")).await.status.as_u16(), 200, "{query}");
    }
}

/// Balances that are each as large as can be: their sum is beyond 128 bits, and told to the digit.
#[tokio::test]
async fn sums_go_beyond_128_bits() {
    let server = open();
    let ledger = server.post("/ledgers", json!({"name": "L"})).await.field("ledger_id");
    let most = i128::MAX / 2;
    for number in 0..5 {
        let balance =
            server.post("/balances", json!({"ledger_id": ledger, "currency": "USD"})).await.field("balance_id");
        let fields = json!({"amount": null, "precise_amount": most.to_string(), "reference": number.to_string(), "allow_overdraft": true});
        let pay = payment(&format!("@World{number}"), &balance, fields);
        assert_eq!(server.post("/transactions", pay).await.status.as_u16(), 201);
    }
    let told = server.get("/balances/aggregate?group_by=ledger").await.text;
    for sum in
        ["\"balance\":425352958651173079329218259289710264315", "\"balance\":-425352958651173079329218259289710264315"]
    {
        assert!(told.contains(sum), "{sum} in {told}");
    }
}

/// While many clients post and hold, every sum is of one moment: per currency it is nothing, of holds too. Half a posting would
/// show.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sums_are_of_one_moment() {
    let server = Arc::new(TestServer::with_segments(crate::support::settings(&[]), 16 << 20));
    let mut balances = Vec::new();
    for _ in 0..40 {
        balances.push(server.balance().await);
    }
    let balances = Arc::new(balances);
    let mut clients = Vec::new();
    for client in 0..16usize {
        let (server, balances) = (Arc::clone(&server), Arc::clone(&balances));
        clients.push(tokio::spawn(async move {
            for number in 0..60usize {
                let (source, destination) = (&balances[(client * 7 + number) % 40], &balances[(client * 11 + number * 3 + 1) % 40]);
                let fields = json!({"reference": format!("{client}/{number}"), "amount": 1 + number, "allow_overdraft": true,
                    "inflight": number % 3 == 0});
                let told = server.post("/transactions", payment(source, destination, fields)).await;
                assert!(source == destination || told.status.as_u16() == 201, "{}", told.text);
            }
        }));
    }
    let mut seen = Vec::new();
    while clients.iter().any(|client| !client.is_finished()) {
        let now = server.get("/balances/aggregate").await.json();
        let by_owner = server.get("/balances/aggregate?group_by=identity,ledger").await.json();
        let then = server.get(&format!("/balances/aggregate?at={}", crate::support::NOW)).await.json();
        for (told, fields) in [(&now, &HELD[..]), (&by_owner, &HELD[..]), (&then, &POSTED[..])] {
            for group in groups_of(told) {
                assert_eq!(group["credit_balance"], group["debit_balance"], "{told}");
                assert_eq!(group["balance"], 0, "{told}");
                if fields.len() > 3 {
                    assert_eq!(group["inflight_credit_balance"], group["inflight_debit_balance"], "{told}");
                }
            }
        }
        seen.push(now["groups"][0]["credit_balance"].as_i64().expect("a sum"));
    }
    for client in clients {
        client.await.expect("every client ends well");
    }
    assert!(
        seen.is_sorted() && seen.len() > 3 && seen.first() < seen.last(),
        "sums were read while they grew: {seen:?}"
    );
}
