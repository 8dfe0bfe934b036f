//! The data of a leaf: what a transaction says, in a form of its own that never changes. `docs/proofs.md` has it byte by byte.
//!
//! It has nothing that only this program knows, such as handles or places in files, so whoever has the record, or a copy of the
//! answer, can make it. The chain hash of the record binds what does not fit: texts, metadata, and all that was before.

use super::hash::{Hash, LEAF_BYTES};
use ledger::id::Id;
use ledger::row::{Flags, Row, Status};
use sha2::{Digest, Sha256};

/// The layout that this program writes.
pub const VERSION: u8 = 1;
/// Marks that a leaf of version 1 has. One that rows get later is not in it, so that old leaves stay as they are.
const FLAGS: u16 = 0xff;
/// Bytes of a currency that stand in a leaf.
const CURRENCY_BYTES: usize = 8;

/// A currency in a leaf: how many bytes it has, and these bytes, or the beginning of their SHA-256 when they are more than eight.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CurrencyMark {
    /// Bytes of the currency.
    pub bytes: u8,
    /// The currency with zeros behind it, or the beginning of its hash.
    pub mark: [u8; CURRENCY_BYTES],
}

impl CurrencyMark {
    /// That of a currency.
    pub fn of(currency: &str) -> CurrencyMark {
        let text = currency.as_bytes();
        let mut mark = [0; CURRENCY_BYTES];
        if text.len() <= CURRENCY_BYTES {
            mark[..text.len()].copy_from_slice(text);
        } else {
            mark.copy_from_slice(&Sha256::digest(text)[..CURRENCY_BYTES]);
        }
        CurrencyMark { bytes: u8::try_from(text.len()).unwrap_or(u8::MAX), mark }
    }

    /// The currency, when it stands there whole.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(self.mark.get(..usize::from(self.bytes))?).ok()
    }
}

/// What a leaf says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Leaf {
    /// The status.
    pub status: Status,
    /// The marks, as far as leaves have them.
    pub flags: Flags,
    /// The id of the transaction.
    pub id: Id,
    /// The balance that it was taken from, if there is one.
    pub source: Option<Id>,
    /// The balance that it went to, if there is one.
    pub destination: Option<Id>,
    /// The currency.
    pub currency: CurrencyMark,
    /// Minor units.
    pub amount: i128,
    /// Microseconds since 1970.
    pub created_at: i64,
    /// The business date, microseconds since 1970.
    pub effective_at: i64,
    /// The chain hash of the record that made it.
    pub chain: Hash,
}

impl Leaf {
    /// That of a row.
    pub fn of(row: &Row, sides: [Option<Id>; 2], currency: CurrencyMark, chain: Hash) -> Leaf {
        Leaf {
            status: row.status,
            flags: Flags(row.flags.0 & FLAGS),
            id: row.id(),
            source: sides[0],
            destination: sides[1],
            currency,
            amount: row.amount,
            created_at: row.created_at,
            effective_at: row.effective_at,
            chain,
        }
    }

    /// Its data.
    pub fn bytes(&self) -> [u8; LEAF_BYTES] {
        let id = |id: Option<Id>| id.map_or([0; 16], Id::bytes);
        let mut bytes = [0; LEAF_BYTES];
        bytes[0] = VERSION;
        bytes[1] = self.status as u8;
        bytes[2] = self.flags.0 as u8;
        bytes[3] = self.currency.bytes;
        bytes[4..12].copy_from_slice(&self.currency.mark);
        bytes[12..14].copy_from_slice(&(self.created_at.rem_euclid(1000) as u16).to_le_bytes());
        bytes[14..30].copy_from_slice(&self.id.bytes());
        bytes[30..46].copy_from_slice(&id(self.source));
        bytes[46..62].copy_from_slice(&id(self.destination));
        bytes[62..78].copy_from_slice(&self.amount.to_le_bytes());
        bytes[78..86].copy_from_slice(&self.effective_at.to_le_bytes());
        bytes[86..118].copy_from_slice(&self.chain);
        bytes
    }

    /// Reads the data of a leaf. `None` when it is none of version 1.
    pub fn parse(bytes: &[u8]) -> Option<Leaf> {
        let bytes: &[u8; LEAF_BYTES] = bytes.try_into().ok()?;
        let id = |from: usize| Id::from_bytes(bytes[from..from + 16].try_into().expect("a slice of 16 bytes"));
        let side = |from: usize| Some(id(from)).filter(|id| id.bytes() != [0; 16]);
        let two = u16::from_le_bytes([bytes[12], bytes[13]]);
        if bytes[0] != VERSION || two >= 1000 {
            return None;
        }
        let mut millis = [0; 8];
        millis[2..].copy_from_slice(&bytes[14..20]);
        Some(Leaf {
            status: Status::of_number(bytes[1])?,
            flags: Flags(u16::from(bytes[2])),
            id: id(14),
            source: side(30),
            destination: side(46),
            currency: CurrencyMark { bytes: bytes[3], mark: bytes[4..12].try_into().ok()? },
            amount: i128::from_le_bytes(bytes[62..78].try_into().ok()?),
            created_at: i64::from_be_bytes(millis) * 1000 + i64::from(two),
            effective_at: i64::from_le_bytes(bytes[78..86].try_into().ok()?),
            chain: bytes[86..118].try_into().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf() -> Leaf {
        Leaf {
            status: Status::Applied,
            flags: Flags(0x25),
            id: Id::new(1_772_619_072_123_456, 7, 9),
            source: Some(Id::new(1_772_619_072_000_001, 0, 3)),
            destination: None,
            currency: CurrencyMark::of("USD"),
            amount: -(1 << 100),
            created_at: 1_772_619_072_123_456,
            effective_at: -5,
            chain: [0xc7; 32],
        }
    }

    /// The bytes are for ever: whoever changes them makes all proofs that people keep worthless.
    #[test]
    fn bytes_are_these() {
        let hex: String = leaf().bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let wanted = [
            "01032503",
            "5553440000000000",
            "c801",
            "019cb854827b70008000001c00000009",
            "019cb854820070008000000000000003",
            "00000000000000000000000000000000",
            "000000000000000000000000f0ffffff",
            "fbffffffffffffff",
            "c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7",
        ];
        assert_eq!(hex, wanted.concat());
    }

    #[test]
    fn a_leaf_survives_its_bytes() {
        assert_eq!(Leaf::parse(&leaf().bytes()), Some(leaf()));
        for (at, byte) in [(0, 2), (1, 6), (13, 4)] {
            let mut bytes = leaf().bytes();
            bytes[at] = byte;
            assert_eq!(Leaf::parse(&bytes), None, "byte {at}");
        }
        assert_eq!(Leaf::parse(&leaf().bytes()[1..]), None);
    }

    #[test]
    fn currencies_stand_whole_or_as_their_hash() {
        assert_eq!(CurrencyMark::of("ABCDEFGH").text(), Some("ABCDEFGH"));
        assert_eq!(CurrencyMark::of("").text(), Some(""));
        let long = CurrencyMark::of("ABCDEFGHI");
        assert_eq!((long.bytes, long.text()), (9, None));
        assert_ne!(long.mark, CurrencyMark::of("ABCDEFGHJ").mark);
    }
}
