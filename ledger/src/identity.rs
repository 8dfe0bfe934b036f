//! What the ledger keeps of a person or an organization: sealed bytes that it cannot read, and where the newest of them are.

/// The fields of an identity, as they are recorded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Detail {
    /// A JSON object in plain text. Only records of old journals say it so.
    Plain(String),
    /// Sealed with the key of the identity.
    Sealed(Sealed),
}

/// Bytes that only the key of an identity opens. When the key is destroyed they say nothing any more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sealed {
    /// The key that opens them.
    pub key: KeyName,
    /// The sealed fields, with all that opening them needs besides the key.
    pub bytes: Vec<u8>,
}

/// Which key, and where it is kept. The key itself is nothing that the ledger knows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct KeyName {
    /// The slot that holds it.
    pub slot: u32,
    /// Random: the slot may get another key when an identity is deleted.
    pub id: [u8; 16],
}

impl Detail {
    /// The key that opens it, if it is sealed.
    pub const fn key(&self) -> Option<KeyName> {
        match self {
            Detail::Plain(_) => None,
            Detail::Sealed(sealed) => Some(sealed.key),
        }
    }

    /// How many bytes it is long.
    pub const fn len(&self) -> usize {
        match self {
            Detail::Plain(text) => text.len(),
            Detail::Sealed(sealed) => sealed.bytes.len(),
        }
    }

    /// Whether it is nothing at all.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
