//! The program itself: help, exit status, start and stop.

use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

fn florin(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_florin"));
    // No settings but those of the test; the folder of this file has no settings files.
    command.env_clear().current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests")).args(arguments);
    command
}

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = florin(arguments).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn exit_status() {
    let (status, text, _) = run(&["--help"]);
    assert_eq!(status, Some(0));
    assert!(text.contains("Examples:") && text.contains("serve") && text.contains("config"), "{text}");
    assert_eq!(run(&["--version"]).0, Some(0));
    assert_eq!(run(&[]).0, Some(2));
    assert_eq!(run(&["serve", "--nonsense"]).0, Some(2));
    let (status, _, error) = run(&["serve", "--listen", "0.0.0.0:5001"]);
    assert_eq!(status, Some(1));
    assert!(
        error.starts_with("florin: 0.0.0.0:5001 can be reached by others") && error.contains("--insecure"),
        "{error}"
    );
    assert_eq!(run(&["serve", "--config", "absent.toml"]).0, Some(1));
}

#[test]
fn config_shows_origins() {
    let (status, text, warnings) = run(&["config", "--listen", "localhost:7000", "--data", "/tmp/x"]);
    assert_eq!(status, Some(0));
    assert!(text.starts_with("# Listens on 127.0.0.1:7000, without a key"), "{text}");
    assert!(text.lines().any(|line| line.starts_with("data = \"/tmp/x\"") && line.ends_with("# --data")), "{text}");
    assert!(warnings.contains("server.secure is off"), "{warnings}");
}

#[test]
fn serves_until_told_to_stop() {
    let data = std::env::temp_dir().join(format!("florin-cli-{}", std::process::id()));
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()];
    let mut server = florin(&arguments).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(server.stderr.take().unwrap()).lines().map(|line| line.unwrap());
    let address = lines
        .find_map(|line| Some(line.split_once("listening address=")?.1.to_owned()))
        .expect("tells where it listens");
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    std::io::Write::write_all(&mut stream, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let answer = std::io::read_to_string(stream).unwrap();
    assert!(answer.ends_with("\"server running...\""), "{answer}");
    let id = rustix::process::Pid::from_child(&server);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    let rest: Vec<String> = lines.collect();
    assert!(server.wait().unwrap().success(), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("http request") && line.contains("status=200")), "{rest:?}");
    assert!(rest.last().unwrap().ends_with("stopped"), "{rest:?}");
    std::fs::remove_dir_all(&data).unwrap();
}

/// Proves that a stopped folder is scrubbed: what is well is told with status 0, what is damaged by its name with status 1.
#[test]
fn scrub_tells_what_is_damaged() {
    let data = std::env::temp_dir().join(format!("florin-cli-scrub-{}", std::process::id()));
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()];
    let mut server = florin(&arguments).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(server.stderr.take().unwrap()).lines().map(|line| line.unwrap());
    assert!(lines.any(|line| line.contains("listening address=")));
    rustix::process::kill_process(rustix::process::Pid::from_child(&server), rustix::process::Signal::TERM).unwrap();
    lines.for_each(drop);
    assert!(server.wait().unwrap().success());
    let scrub = |more: &[&str]| run(&[&["scrub", "--data", data.to_str().unwrap()], more].concat());
    let (status, text, error) = scrub(&[]);
    assert_eq!((status, error.as_str()), (Some(0), ""), "{text}");
    assert!(text.starts_with("read ") && text.contains("repaired 0"), "{text}");
    let slots = data.join("keys").join("slots");
    let mut bytes = std::fs::read(&slots).unwrap();
    bytes[40] ^= 1;
    std::fs::write(&slots, &bytes).unwrap();
    let (status, text, error) = scrub(&["--repair"]);
    assert_eq!(status, Some(1), "{text}{error}");
    assert!(text.contains("DAMAGED keys: ") && text.contains("at byte 0: the head is damaged"), "{text}");
    assert!(error.starts_with("florin: 1 damaged") && error.contains("restore the folder keys/"), "{error}");
    std::fs::remove_dir_all(&data).unwrap();
    assert_eq!(scrub(&[]).0, Some(1), "there is no such folder");
}
