//! Texts of a command or event live once, in an arena that travels with it; fields hold spans of the arena.
//!
//! A batch of a thousand transactions has thousands of short texts. One allocation holds them all.

/// A part of an arena, in bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Span {
    /// Where the text begins.
    pub start: u32,
    /// How long it is.
    pub len: u32,
}

impl Span {
    /// No text.
    pub const EMPTY: Span = Span { start: 0, len: 0 };

    /// Whether there is no text.
    pub const fn is_empty(self) -> bool {
        self.len == 0
    }

    /// The text in its arena. Panics when the span is not one of this arena: spans are made by [`push`] or checked by
    /// the codec.
    pub fn of(self, arena: &str) -> &str {
        &arena[self.start as usize..self.start as usize + self.len as usize]
    }
}

/// Appends a text to an arena. The arena stays below 4 GiB, as bodies and records are limited far below.
pub fn push(arena: &mut String, text: &str) -> Span {
    if text.is_empty() {
        return Span::EMPTY;
    }
    let start = u32::try_from(arena.len()).expect("an arena is smaller than 4 GiB");
    arena.push_str(text);
    Span { start, len: u32::try_from(text.len()).expect("an arena is smaller than 4 GiB") }
}
