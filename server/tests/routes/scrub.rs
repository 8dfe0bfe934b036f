use crate::support::{TestServer, open, secure, settings};
use journal::disk::{Access, Disk};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn fast() -> TestServer {
    let server = TestServer::new(settings(&[
        ("FLORIN_SCRUB_BYTES_PER_SECOND", "1099511627776"),
        ("FLORIN_SCRUB_PAUSE", "0s"),
        ("FLORIN_ARCHIVE", "/archive"),
    ]));
    server.start_scrub();
    server
}

/// Asks until the answer is as wanted.
async fn wait(server: &TestServer, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let told = server.get("/scrub").await;
        assert_eq!(told.status.as_u16(), 200);
        if wanted(&told.json()) {
            return told.json();
        }
        assert!(Instant::now() < end, "{what}: {}", told.text);
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[tokio::test]
async fn it_needs_a_key_and_tells_whether_it_is_off() {
    secure().ask_with("GET", "/scrub", &[], "").await.is_error(401, "AUTH_MISSING_API_KEY", "");
    let none = |status, rate| json!({"status": status, "bytes_per_second": rate, "bytes": 0, "found": 0, "repaired": 0, "findings": []});
    open().get("/scrub").await.is(200, none("ok", 4 << 20));
    let off = TestServer::new(settings(&[("FLORIN_SCRUB_BYTES_PER_SECOND", "0")]));
    off.start_scrub();
    off.get("/scrub").await.is(200, none("off", 0));
}

/// Proves that a pass is told, that damage of the keys of identities is found as long as it is there, and that the server is up
/// nevertheless.
#[tokio::test]
async fn damage_is_told_while_it_is_there() {
    let server = fast();
    let identity = json!({"identity_type": "individual", "first_name": "Ada", "last_name": "L"});
    assert_eq!(server.post("/identities", identity).await.status.as_u16(), 201);
    let told = wait(&server, "a pass ends", |told| told["last_pass"]["number"].as_u64() > Some(1)).await;
    assert_eq!((&told["status"], &told["last_pass"]["found"]), (&json!("ok"), &json!(0)));
    assert!(told["last_pass"]["bytes"].as_u64() > Some(0) && told["last_pass"]["ended_at"].is_string());
    assert_eq!(told["archive"], json!({"folder": "/archive", "segments": 0}));
    let path = server.folder().join("keys").join("slots");
    let flip = |at: usize| {
        let byte = server.disk.contents(&path).unwrap()[at] ^ 4;
        server.disk.open(&path, Access::Create).unwrap().write_at(&[byte], at as u64).unwrap();
    };
    for (at, offset, problem) in
        [(7, 0, "the head is damaged"), (128 + 30, 128, "the key in slot 0 is damaged"), (128 + 125, 128, "slot 0")]
    {
        flip(at);
        let told = wait(&server, "it is damaged", |told| told["status"] == "damaged").await;
        let finding = &told["findings"][0];
        assert_eq!((&finding["part"], &finding["status"]), (&json!("keys"), &json!("damaged")));
        assert_eq!((&finding["offset"], &finding["file"]), (&json!(offset), &json!(path.display().to_string())));
        assert!(finding["problem"].as_str().unwrap().contains(problem), "{finding}");
        assert!(finding["advice"].as_str().unwrap().contains("backup"), "{finding}");
        assert_eq!(server.get("/health").await.status.as_u16(), 200);
        flip(at);
        wait(&server, "it is well again", |told| told["status"] == "ok" && told["findings"] == json!([])).await;
    }
    for at in [300, 430, 560] {
        flip(at);
    }
    let told =
        wait(&server, "three are damaged", |told| told["findings"][0]["problem"].to_string().contains("3 in all"))
            .await;
    assert_eq!(told["findings"][0]["problem"], json!("the key in slot 1 is damaged; 3 in all, such as 2, 3"));
}

#[tokio::test]
async fn what_was_repaired_is_told() {
    let server = fast();
    std::fs::write(server.folder().join("format"), "nonsense").unwrap();
    let told = wait(&server, "it is repaired", |told| told["repaired"] == 1).await;
    let finding = &told["findings"][0];
    assert_eq!(
        (&told["status"], &finding["part"], &finding["status"]),
        (&json!("ok"), &json!("format"), &json!("repaired"))
    );
    assert!(finding["repaired_at"].is_string() && finding.get("advice").is_none());
}
