//! Settings: sources, precedence, refusals, and how they are printed.

use serde_json::{Value, json};
use server::config::posting::{CurrencyMismatch, LateSettlement};
use server::config::print::{describe, unused_lines};
use server::config::scrub::{BYTES_PER_SECOND_MAX, PAUSE_MAX};
use server::config::server::{BODY_MB_MAX, CONNECTIONS_MAX, THREADS_MAX};
use server::config::source::{SettingsFile, Source, Sources, read_file};
use server::config::storage::SEGMENT_MB_MAX;
use server::config::typed::Typed;
use server::config::{ConfigError, Settings};
use std::path::PathBuf;

fn sources(file: Value, environment: &[(&str, &str)], flags: &[(&'static str, &str)]) -> Sources {
    Sources {
        file: file.is_object().then(|| SettingsFile { path: PathBuf::from("blnk.json"), content: file }),
        environment: environment.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
        flags: flags.iter().map(|(path, value)| (*path, "--flag", value.to_string())).collect(),
        warnings: Vec::new(),
    }
}

fn resolve(sources: &Sources) -> Result<(Typed, Settings), ConfigError> {
    let typed = Typed::read(sources)?;
    let settings = Settings::resolve(&typed, false)?;
    Ok((typed, settings))
}

fn problem(file: Value, environment: &[(&str, &str)]) -> String {
    resolve(&sources(file, environment, &[])).expect_err("must be refused").to_string()
}

#[test]
fn nothing_set() {
    let (typed, settings) = resolve(&sources(Value::Null, &[("PATH", "/bin")], &[])).unwrap();
    assert!(typed.warnings.is_empty());
    assert_eq!(settings.project_name, "Blnk Server");
    assert_eq!(settings.server.listen.to_string(), "127.0.0.1:5001");
    assert_eq!(settings.server.body_bytes_max, 5 << 20);
    assert_eq!(settings.storage.data, PathBuf::from("./data"));
    assert_eq!(settings.posting.currency_mismatch, CurrencyMismatch::Refuse);
    assert_eq!(settings.posting.late_settlement, LateSettlement::Refuse);
    assert!(!settings.posting.queue_skip && !settings.server.secure);
    assert!(settings.server.threads >= 1);
    assert!(unused_lines(&typed).is_empty());
}

/// File, then BLNK_, then FLORIN_, then flags.
#[test]
fn the_later_source_wins() {
    let file = json!({"server": {"port": "7001"}});
    let blnk = ("BLNK_SERVER_PORT", "7002");
    let florin = ("FLORIN_SERVER_PORT", "7003");
    for (environment, flags, port, source) in [
        (&[][..], &[][..], 7001, "blnk.json"),
        (&[blnk], &[], 7002, "BLNK_SERVER_PORT"),
        (&[florin, blnk], &[], 7003, "FLORIN_SERVER_PORT"),
        (&[blnk, florin], &[("server.port", "7004")], 7004, "--flag"),
    ] {
        let (typed, settings) = resolve(&sources(file.clone(), environment, flags)).unwrap();
        assert_eq!(settings.server.listen.port(), port);
        assert_eq!(typed.given("server.port").source.to_string(), source);
    }
}

#[test]
fn unknown_keys_are_told_with_their_path() {
    let file = json!({"servr": {"port": 1}, "server": {"prot": 1, "port": 5001}, "account_number_generation": {"http_service": {"x": 1}}});
    let (typed, _) =
        resolve(&sources(file, &[("FLORIN_DTAA", "x"), ("BLNK_API_KEY", "the client's"), ("HOME", "/")], &[])).unwrap();
    assert_eq!(
        typed.warnings,
        [
            "account_number_generation.http_service.x (blnk.json): no such setting, ignored",
            "server.prot (blnk.json): no such setting, ignored",
            "servr (blnk.json): no such setting, ignored",
            "FLORIN_DTAA (environment): no such setting, ignored",
        ]
    );
}

#[test]
fn wrong_types_name_key_and_source() {
    assert_eq!(problem(json!({"server": {"port": "http"}}), &[]), "server.port (blnk.json): expected a whole number");
    assert_eq!(
        problem(json!({"server": {"secure": "maybe"}}), &[("BLNK_SERVER_PORT", "")]),
        "server.secure (blnk.json): expected true or false\nserver.port (BLNK_SERVER_PORT): expected a whole number"
    );
    assert_eq!(
        problem(json!({"queue": {"hot_pair_ttl": "5"}}), &[]),
        "queue.hot_pair_ttl (blnk.json): expected a length of time such as 500ms, 30s or 5m"
    );
    assert_eq!(
        problem(Value::Null, &[("FLORIN_COMPAT_CURRENCY_MISMATCH", "maybe")]),
        "compat.currency_mismatch (FLORIN_COMPAT_CURRENCY_MISMATCH): expected one of refuse, allow"
    );
    assert_eq!(problem(json!({"server": {"port": 70000}}), &[]), "server.port (blnk.json): 70000 is not a port");
    assert_eq!(problem(json!({"listen": "5001"}), &[]), "listen (blnk.json): expected HOST:PORT, got 5001");
    assert!(
        problem(json!({"server": {"max_request_body_size_mb": 4096}}), &[])
            .starts_with("server.max_request_body_size_mb (blnk.json): 4096 is more than")
    );
}

/// A server that others can reach asks for a key, or is told not to.
#[test]
fn public_addresses_need_a_key() {
    let told = problem(json!({"listen": "0.0.0.0:5001"}), &[]);
    assert!(told.starts_with("0.0.0.0:5001 can be reached by others") && told.contains("--insecure"), "{told}");
    assert!(problem(json!({"server": {"host": "::"}}), &[]).contains("--insecure"));
    assert!(problem(json!({"server": {"secure": true}}), &[]).contains("there is no key"));
    // A key that is not looked at is none.
    assert!(problem(json!({"listen": "0.0.0.0:5001", "server": {"secret_key": "k"}}), &[]).contains("--insecure"));
    let insecure = Typed::read(&sources(json!({"listen": "0.0.0.0:5001"}), &[], &[])).unwrap();
    assert_eq!(Settings::resolve(&insecure, true).unwrap().server.listen.to_string(), "0.0.0.0:5001");
    for (file, listen) in [
        (json!({"server": {"secure": true, "secret_key": "k"}}), "0.0.0.0:5001"),
        (json!({"server": {"secure": true, "secret_key": "k", "host": "localhost"}}), "127.0.0.1:5001"),
        (json!({"server": {"secret_key": "k"}}), "127.0.0.1:5001"),
        (json!({"listen": "[::1]:80"}), "[::1]:80"),
        (json!({"listen": "127.0.0.2:80"}), "127.0.0.2:80"),
        (json!({"listen": ":80"}), "127.0.0.1:80"),
    ] {
        assert_eq!(resolve(&sources(file.clone(), &[], &[])).unwrap().1.server.listen.to_string(), listen, "{file}");
    }
}

/// Each count may be as large as its limit and no larger; a problem names the setting and the limit.
#[test]
fn counts_have_limits() {
    for (name, path, most) in [
        ("FLORIN_SERVER_MAX_CONNECTIONS", "server.max_connections", CONNECTIONS_MAX),
        ("FLORIN_SERVER_MAX_REQUEST_BODY_SIZE_MB", "server.max_request_body_size_mb", BODY_MB_MAX),
        ("FLORIN_SERVER_THREADS", "server.threads", THREADS_MAX),
        ("FLORIN_JOURNAL_SEGMENT_MB", "journal.segment_mb", SEGMENT_MB_MAX),
    ] {
        assert!(resolve(&sources(Value::Null, &[(name, &most.to_string())], &[])).is_ok(), "{name}");
        let told = problem(Value::Null, &[(name, &(most + 1).to_string())]);
        assert_eq!(told, format!("{path} ({name}): {} is more than {most}", most + 1));
    }
}

#[test]
fn secrets_are_never_printed() {
    let file = json!({"server": {"secure": true, "secret_key": "hush-1"}, "redis": {"dns": "redis://:hush-2@host"}, "data_source": {"dns": "postgres://u:hush-3@h/db"}});
    let (typed, settings) = resolve(&sources(file, &[("BLNK_TYPESENSE_KEY", "hush-4")], &[])).unwrap();
    let text = describe(&typed, &settings);
    assert!(!text.contains("hush") && !format!("{settings:?}").contains("hush"), "{text}");
    assert!(
        text.contains("secret_key = \"(set)\"") && text.contains("# redis.dns (blnk.json): there is no Redis"),
        "{text}"
    );
    // What is in force can be read back as TOML.
    let parsed: toml::Table = toml::from_str(&text).unwrap();
    assert_eq!(parsed["server"]["port"].as_integer(), Some(5001));
}

#[test]
fn files() {
    let folder = std::env::temp_dir().join(format!("florin-config-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let written = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let toml = written("florin.toml", "project_name = \"Books\"\n[server]\nport = 6001\n[queue]\nskip = true\n");
    let (typed, settings) = resolve(&Sources { file: Some(read_file(&toml).unwrap()), ..Sources::default() }).unwrap();
    assert_eq!(
        (settings.project_name.as_str(), settings.server.listen.port(), settings.posting.queue_skip),
        ("Books", 6001, true)
    );
    assert_eq!(typed.given("queue.skip").source, Source::File(toml.clone()));
    written("blnk.json", r#"{"server": {"port": "6002"}}"#);
    let found = Sources::of_process(None, &folder).unwrap();
    assert_eq!(found.file.as_ref().unwrap().path, toml);
    assert!(found.warnings[0].contains("blnk.json is not read"));
    let broken = read_file(&written("broken.toml", "[server]\nsecret_key = \"hush\n")).unwrap_err().to_string();
    assert!(broken.contains("is not valid TOML, line 2") && !broken.contains("hush"), "{broken}");
    assert!(read_file(&written("broken.json", "{")).unwrap_err().to_string().contains("is not valid JSON"));
    assert!(read_file(&written("list.json", "[]")).unwrap_err().to_string().contains("must hold an object"));
    assert!(read_file(&folder.join("absent.toml")).unwrap_err().to_string().contains("cannot be read"));
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Proves that how everything on disk is read again and again keeps to its bounds, and that an archive is not lost with the data.
#[test]
fn scrubbing_and_archive() {
    let set = |rate: &str, pause: &str, archive: &str| {
        let environment =
            [("FLORIN_SCRUB_BYTES_PER_SECOND", rate), ("FLORIN_SCRUB_PAUSE", pause), ("FLORIN_ARCHIVE", archive)];
        resolve(&sources(Value::Null, &environment, &[]))
    };
    let refused = |rate, pause, archive| set(rate, pause, archive).expect_err("must be refused").to_string();
    let (_, settings) = resolve(&sources(Value::Null, &[], &[])).unwrap();
    assert_eq!((settings.scrub.bytes_per_second, settings.scrub.pause.as_secs()), (4 << 20, 3600));
    assert_eq!(settings.scrub.archive, None);
    let (_, settings) = set("1099511627776", "720h", "/copies").unwrap();
    assert_eq!((settings.scrub.bytes_per_second, settings.scrub.pause), (BYTES_PER_SECOND_MAX, PAUSE_MAX));
    assert_eq!(settings.scrub.archive, Some(PathBuf::from("/copies")));
    assert_eq!(set("0", "0s", "").unwrap().1.scrub.bytes_per_second, 0);
    assert!(refused("1099511627777", "1h", "").contains("scrub.bytes_per_second"));
    assert!(refused("1", "720h1s", "").contains("scrub.pause"));
    for archive in ["./data", "./data/journal", "data/copies"] {
        assert!(refused("1", "1h", archive).contains("archive: it lies in the data folder"), "{archive}");
    }
}
