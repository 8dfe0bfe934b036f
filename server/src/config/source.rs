//! Where settings come from: a file, the environment, flags.

use super::ConfigError;
use serde_json::Value as Json;
use std::fmt;
use std::path::{Path, PathBuf};

/// Where a value was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Nowhere.
    Default,
    /// In this file.
    File(PathBuf),
    /// In the environment, by this name.
    Environment(String),
    /// On the command line, by this flag.
    Flag(&'static str),
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default => formatter.write_str("default"),
            Source::File(path) => write!(formatter, "{}", path.display()),
            Source::Environment(name) => formatter.write_str(name),
            Source::Flag(flag) => formatter.write_str(flag),
        }
    }
}

/// Files that are looked for in the working folder. The first that exists is read.
pub const FILES: [&str; 2] = ["florin.toml", "blnk.json"];

/// A settings file, read and parsed, not yet checked against the table of keys.
#[derive(Debug)]
pub struct SettingsFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its content.
    pub content: Json,
}

/// Everything that settings are made from. Built from the process once; tests build their own.
#[derive(Debug, Default)]
pub struct Sources {
    /// The file, if there is one.
    pub file: Option<SettingsFile>,
    /// Names and values of the environment.
    pub environment: Vec<(String, String)>,
    /// Path of the key, flag, value.
    pub flags: Vec<(&'static str, &'static str, String)>,
    /// Noticed while looking for the file.
    pub warnings: Vec<String>,
}

impl Sources {
    /// The file (`chosen`, or one of [`FILES`] in `folder`) and the environment of this process.
    pub fn of_process(chosen: Option<&Path>, folder: &Path) -> Result<Sources, ConfigError> {
        let mut sources = Sources::default();
        let found: Vec<PathBuf> = FILES.iter().map(|name| folder.join(name)).filter(|path| path.exists()).collect();
        match (chosen, found.as_slice()) {
            (Some(path), _) => sources.file = Some(read_file(path)?),
            (None, [first, others @ ..]) => {
                sources.file = Some(read_file(first)?);
                for other in others {
                    sources.warnings.push(format!(
                        "{} is not read, because there is {}",
                        other.display(),
                        first.display()
                    ));
                }
            }
            (None, []) => {}
        }
        // Values that are not UTF-8 cannot be meant for us.
        sources.environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Ok(sources)
    }
}

/// Reads a settings file: JSON by its extension `.json`, otherwise TOML.
pub fn read_file(path: &Path) -> Result<SettingsFile, ConfigError> {
    let refused = |why: String| ConfigError { problems: vec![format!("{}: {why}", path.display())] };
    let text = std::fs::read_to_string(path).map_err(|error| refused(format!("cannot be read: {error}")))?;
    let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let content: Json = if is_json {
        serde_json::from_str(&text).map_err(|error| refused(format!("is not valid JSON: {error}")))?
    } else {
        // The message of the parser quotes the line, which may hold a secret.
        toml::from_str(&text).map_err(|error| {
            let line = error.span().map_or(0, |span| text[..span.start].matches('\n').count() + 1);
            refused(format!("is not valid TOML, line {line}: {}", error.message()))
        })?
    };
    if !content.is_object() {
        return Err(refused("must hold an object of settings".to_owned()));
    }
    Ok(SettingsFile { path: path.to_owned(), content })
}
