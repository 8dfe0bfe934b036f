//! Secrets that personal data is kept with.

use super::Secret;
use super::typed::Typed;
use std::path::PathBuf;

/// Bytes of the secret of tokens; any other length is none.
pub const TOKENIZATION_SECRET_BYTES: usize = 32;

/// Secrets that personal data is kept with.
#[derive(Debug, Clone)]
pub struct PrivacySettings {
    /// The secret of tokens; without one of the right length there are no tokens.
    pub tokenization_secret: Secret,
    /// The master key that wraps the keys of identities, as text.
    pub master_key: Secret,
    /// A file that holds it.
    pub master_key_file: Option<PathBuf>,
}

impl PrivacySettings {
    pub(super) fn resolve(typed: &Typed, problems: &mut Vec<String>) -> PrivacySettings {
        let file = Some(typed.text("master_key_file")).filter(|path| !path.is_empty()).map(PathBuf::from);
        let master_key = Secret::new(typed.text("master_key"));
        if master_key.is_set() && file.is_some() {
            problems
                .push("master_key and master_key_file are both set: only one of them can be the master key".to_owned());
        }
        let tokenization_secret = Secret::new(typed.text("tokenization_secret"));
        PrivacySettings { tokenization_secret, master_key, master_key_file: file }
    }

    /// The secret of tokens, if there is one of the right length.
    pub fn token_key(&self) -> Option<[u8; TOKENIZATION_SECRET_BYTES]> {
        self.tokenization_secret.expose().as_bytes().try_into().ok()
    }
}
