//! Any settings, as a file of TOML or JSON, as variables and as flags: resolved or refused with every problem named, and never a
//! secret in what is printed.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value as Json;
use server::config::Settings;
use server::config::keys::KEYS;
use server::config::print::{describe, unused_lines};
use server::config::source::{SettingsFile, Sources};
use server::config::typed::Typed;
use std::path::PathBuf;

/// Long enough not to be in anything that is printed by chance.
const SECRET: &str = "s3cret-that-nobody-must-read-anywhere";

fuzz_target!(|input: &str| {
    // The file up to the first form feed, then lines NAME=value.
    let (file, variables) = input.split_once('\x0c').unwrap_or((input, ""));
    let content: Option<Json> = match file.starts_with('{') {
        true => serde_json::from_str(file).ok(),
        false => toml::from_str(file).ok(),
    };
    let mut environment: Vec<(String, String)> = Vec::new();
    for line in variables.lines() {
        let Some((name, value)) = line.split_once('=') else { continue };
        // A number stands for the name of a key, so that names need not be guessed.
        let name = match name.parse::<usize>() {
            Ok(number) => {
                let names = KEYS[number % KEYS.len()].environment_names();
                format!("FLORIN_{}", names[number / KEYS.len() % names.len()])
            }
            Err(_) => name.to_owned(),
        };
        environment.push((name, value.replace("$secret", SECRET)));
    }
    let file =
        content.filter(Json::is_object).map(|content| SettingsFile { path: PathBuf::from("florin.toml"), content });
    let sources = Sources { file, environment, ..Sources::default() };
    // Addresses that are names would be looked up in the network.
    let names_a_host = |text: &str| text.bytes().any(|byte| byte.is_ascii_alphabetic());
    let typed = match Typed::read(&sources) {
        Ok(typed) => typed,
        Err(error) => return refused(&error.to_string()),
    };
    if names_a_host(typed.text("listen")) || names_a_host(typed.text("server.host")) {
        return;
    }
    match Settings::resolve(&typed, input.len().is_multiple_of(2)) {
        Ok(settings) => {
            let printed = format!(
                "{}{:?}{}{:?}",
                describe(&typed, &settings),
                settings,
                unused_lines(&typed).join("\n"),
                settings.warnings()
            );
            let secret_is_public = KEYS.iter().any(|key| {
                !matches!(key.kind, server::config::value::Kind::Secret)
                    && format!("{:?}", typed.given(key.path).value).contains(SECRET)
            });
            assert!(secret_is_public || !printed.contains(SECRET), "a secret is printed");
            assert!(
                settings.server.connections_max >= 1
                    && settings.server.threads >= 1
                    && settings.server.body_bytes_max >= 1
            );
        }
        Err(error) => refused(&error.to_string()),
    }
});

fn refused(told: &str) {
    assert!(!told.is_empty() && told.lines().all(|line| !line.is_empty()), "a problem without a text: {told:?}");
}
