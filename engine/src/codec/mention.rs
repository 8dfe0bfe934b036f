//! Texts in records that were not decoded.

use memchr::memmem::Finder;

/// A text that is looked for. Texts stand in records as they are, so a record in whose bytes it is not tells of nothing that
/// contains it; one in whose bytes it is may.
#[derive(Debug, Clone)]
pub struct Mention(Finder<'static>);

impl Mention {
    /// Looks for a text.
    pub fn of(text: &str) -> Mention {
        Mention(Finder::new(text).into_owned())
    }

    /// Whether the bytes of a record have it.
    pub(crate) fn is_in(&self, payload: &[u8]) -> bool {
        self.0.find(payload).is_some()
    }
}
