//! Numbers that another service makes: a service of the test's own, on a socket.

use super::post::owned;
use crate::support::{TestServer, settings};
use serde_json::json;
use server::config::accounts::TIMEOUT_MAX;
use server::config::source::Sources;
use server::config::typed::Typed;
use server::http::accounts::numbers::CALLS_MAX;
use server::http::call::ANSWER_BYTES_MAX;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// What the service does with a request.
#[derive(Clone)]
enum Does {
    /// Answers this status line and body.
    Answers(&'static str, String),
    /// Sends these bytes and closes.
    Sends(&'static str),
    /// Never answers.
    Waits,
}

struct Service {
    url: String,
    heads: Arc<Mutex<Vec<String>>>,
    does: Arc<Mutex<Does>>,
}

impl Service {
    async fn start(does: Does) -> Service {
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
        let url = format!("http://{}/next?kind=usd", socket.local_addr().expect("an address"));
        let service = Service { url, heads: Arc::default(), does: Arc::new(Mutex::new(does)) };
        let (heads, does) = (Arc::clone(&service.heads), Arc::clone(&service.does));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = socket.accept().await {
                let (heads, does) = (Arc::clone(&heads), Arc::clone(&does));
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        head.push(stream.read_u8().await.expect("a request has a head"));
                    }
                    heads.lock().unwrap().push(String::from_utf8(head).expect("a head is text"));
                    let does = does.lock().unwrap().clone();
                    let sent = match does {
                        Does::Answers(status, body) => {
                            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
                            stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await
                        }
                        Does::Sends(bytes) => stream.write_all(bytes.as_bytes()).await,
                        Does::Waits => std::future::pending().await,
                    };
                    // The server may have closed the connection of an answer that is too long.
                    drop(sent);
                });
            }
        });
        service
    }

    fn server(&self, timeout: &str) -> TestServer {
        TestServer::new(settings(&[
            ("BLNK_ACCOUNTNUMBERGENERATION_ENABLEAUTOGENERATION", "true"),
            ("BLNK_ACCOUNTNUMBERGENERATION_HTTPSERVICE_URL", &self.url),
            ("BLNK_ACCOUNTNUMBERGENERATION_HTTPSERVICE_TIMEOUT", timeout),
            ("BLNK_ACCOUNTNUMBERGENERATION_HTTPSERVICE_HEADERS_AUTHORIZATION", "Bearer s3cret"),
        ]))
    }
}

fn made(number: &str, bank: &str) -> Does {
    Does::Answers("200 OK", json!({"account_number": number, "bank_name": bank, "more": 1}).to_string())
}

#[tokio::test]
async fn the_service_says_number_and_bank() {
    let service = Service::start(made("998877", "Their Bank")).await;
    let server = service.server("30s");
    let (_, balance) = owned(&server, json!({"first_name": "Ada"})).await;
    let body = json!({"balance_id": balance, "number": "mine", "bank_name": "Mine"});
    let told = server.post("/accounts", body.clone()).await;
    assert_eq!((told.field("number"), told.field("bank_name")), ("998877".into(), "Their Bank".into()));
    let head = service.heads.lock().unwrap()[0].to_lowercase();
    let host = service.url.split('/').nth(2).unwrap();
    for wanted in [
        "get /next?kind=usd http/1.1\r\n",
        "\r\nauthorization: bearer s3cret\r\n",
        "\r\ncontent-type: application/json\r\n",
        &format!("\r\nhost: {host}\r\n"),
    ] {
        assert!(head.contains(wanted), "{wanted} in {head}");
    }
    let again = server.post("/accounts", body.clone()).await;
    again.is_error(409, "ACC_DUPLICATE", "an account with this number exists already");
    // With one of the two open, what the client sent stands.
    for (number, bank) in [("", "Their Bank"), ("5", "")] {
        *service.does.lock().unwrap() = made(number, bank);
        let number = format!("mine-{bank}");
        let told =
            server.post("/accounts", json!({"balance_id": balance, "number": number, "bank_name": "Mine"})).await;
        assert_eq!((told.field("number"), told.field("bank_name")), (number, "Mine".into()));
    }
}

/// What cannot be made is refused before anybody is asked.
#[tokio::test]
async fn nobody_is_asked_for_nothing() {
    let service = Service::start(made("1", "Their Bank")).await;
    let server = service.server("30s");
    let ownerless = server.balance().await;
    for body in [json!({}), json!({"balance_id": "x"}), json!({"balance_id": ownerless})] {
        assert!(server.post("/accounts", body).await.status.is_client_error());
    }
    assert!(service.heads.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_service_that_fails_makes_nothing() {
    let service = Service::start(Does::Waits).await;
    let server = service.server("300ms");
    let (_, balance) = owned(&server, json!({"first_name": "Ada"})).await;
    let body = json!({"balance_id": balance, "number": "mine", "bank_name": "Mine"});
    let padded = |bytes: usize| {
        let rest = json!({"account_number": "7", "bank_name": "B", "pad": ""}).to_string().len();
        json!({"account_number": "7", "bank_name": "B", "pad": "x".repeat(bytes - rest)}).to_string()
    };
    for does in [
        Does::Waits,
        Does::Sends(""),
        Does::Sends("no http\r\n\r\n"),
        Does::Sends("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"account_number\":"),
        Does::Answers("200 OK", "not json".into()),
        Does::Answers("200 OK", json!({"account_number": 5, "bank_name": "B"}).to_string()),
        Does::Answers("500 Internal Server Error", json!({"account_number": "5", "bank_name": "B"}).to_string()),
        Does::Answers("302 Found", json!({"account_number": "5", "bank_name": "B"}).to_string()),
        Does::Answers("200 OK", padded(ANSWER_BYTES_MAX + 1)),
        made(&"9".repeat(ledger::limits::ACCOUNT_NUMBER_BYTES_MAX + 1), "B"),
    ] {
        *service.does.lock().unwrap() = does;
        let told = server.post("/accounts", body.clone()).await;
        told.is_error(500, "ACC_GENERATION_FAILED", "the account number could not be generated; no account was made");
    }
    assert_eq!(server.get("/accounts").await.text, "[]");
    *service.does.lock().unwrap() = Does::Answers("200 OK", padded(ANSWER_BYTES_MAX));
    assert_eq!(server.post("/accounts", body).await.field("number"), "7");
}

/// As many calls as may be are open: one more is told to come again, and others are served meanwhile.
#[tokio::test]
async fn calls_are_limited() {
    let service = Service::start(Does::Waits).await;
    let server = Arc::new(service.server("60s"));
    let (_, balance) = owned(&server, json!({"first_name": "Ada"})).await;
    let body = json!({"balance_id": balance});
    let mut waiting = Vec::new();
    for _ in 0..CALLS_MAX {
        let (server, body) = (Arc::clone(&server), body.clone());
        waiting.push(tokio::spawn(async move { server.post("/accounts", body).await }));
    }
    while service.heads.lock().unwrap().len() < CALLS_MAX {
        tokio::task::yield_now().await;
    }
    let told = server.post("/accounts", body).await;
    assert_eq!((told.status.as_u16(), told.code().as_str()), (503, "QUEUE_BACKPRESSURE"), "{}", told.text);
    assert_eq!(server.get(&format!("/balances/{balance}")).await.status.as_u16(), 200);
    for one in waiting {
        one.abort();
    }
}

#[test]
fn settings_that_cannot_work_are_told_at_the_start() {
    let enable = ("FLORIN_ACCOUNTNUMBERGENERATION_ENABLEAUTOGENERATION", "true");
    let url = "FLORIN_ACCOUNTNUMBERGENERATION_HTTPSERVICE_URL";
    let good = (url, "https://numbers.example.com:8443/next");
    let (timeout, auth) = (
        "FLORIN_ACCOUNTNUMBERGENERATION_HTTPSERVICE_TIMEOUT",
        "FLORIN_ACCOUNTNUMBERGENERATION_HTTPSERVICE_HEADERS_AUTHORIZATION",
    );
    let resolve = |variables: &[(&str, &str)]| {
        let environment = variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let typed = Typed::read(&Sources { environment, ..Sources::default() }).expect("the kinds are right");
        server::config::Settings::resolve(&typed, false).map(|settings| settings.account_numbers)
    };
    let most = format!("{}s", TIMEOUT_MAX.as_secs());
    let more = format!("{}s", TIMEOUT_MAX.as_secs() + 1);
    assert!(resolve(&[]).is_ok_and(|service| service.is_none()));
    assert!(resolve(&[(url, "nonsense")]).is_ok_and(|service| service.is_none()), "it is off");
    assert!(resolve(&[enable, good, (timeout, &most)]).is_ok_and(|service| service.is_some()));
    for (bad, name) in [
        (vec![enable], "http_service.url"),
        (vec![enable, (url, "numbers.example.com")], "http_service.url"),
        (vec![enable, (url, "ftp://numbers.example.com")], "http_service.url"),
        (vec![enable, (url, "http://user:pass@numbers.example.com")], "http_service.url"),
        (vec![enable, good, (timeout, "0")], "http_service.timeout"),
        (vec![enable, good, (timeout, &more)], "http_service.timeout"),
        (vec![enable, good, (auth, "a\nb")], "headers.Authorization"),
    ] {
        let problems = resolve(&bad).expect_err("it cannot work").problems;
        assert!(problems.len() == 1 && problems[0].contains(name), "{problems:?}");
    }
}
