//! Identifiers that carry the row they belong to.
//!
//! An id is a UUID of version 7 (RFC 9562): 48 bits of milliseconds, then 74 bits for the maker. Of these, [`ROW_BITS`]
//! hold the number of the row and [`NONCE_BITS`] are random, so that reading an id back needs no index and guessing one
//! needs the nonce.
//!
//! ```text
//! | 48 ms | 4 version | 12 row, high bits | 2 variant | 28 row, low bits | 34 nonce |
//! ```

use std::fmt;

/// Bits of an id that hold a row number.
pub const ROW_BITS: u32 = 40;
/// Bits of an id that are random.
pub const NONCE_BITS: u32 = 34;
const ROW_LOW_BITS: u32 = 28;
const NONCE_MASK: u64 = (1 << NONCE_BITS) - 1;

const _: () = assert!(ROW_BITS + NONCE_BITS == 74, "RFC 9562 leaves 74 bits to the maker of a version 7 UUID");

/// A UUID, as a number.
///
/// Kept as two halves, so that whatever holds one is not padded to sixteen bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Id {
    high: u64,
    low: u64,
}

impl Id {
    /// The id of a row, made at a time (microseconds since 1970). Only the low [`NONCE_BITS`] of the nonce count.
    pub const fn new(at: i64, row: u64, nonce: u64) -> Id {
        let millis = (at.div_euclid(1000) as u128) & ((1 << 48) - 1);
        let row_high = (row >> ROW_LOW_BITS) as u128 & 0xfff;
        let row_low = row as u128 & ((1 << ROW_LOW_BITS) - 1);
        Id::of_number(
            millis << 80
                | 0x7 << 76
                | row_high << 64
                | 0b10 << 62
                | row_low << NONCE_BITS
                | (nonce & NONCE_MASK) as u128,
        )
    }

    const fn of_number(number: u128) -> Id {
        Id { high: (number >> 64) as u64, low: number as u64 }
    }

    /// The sixteen bytes of the id, as a UUID has them.
    pub fn bytes(self) -> [u8; 16] {
        ((self.high as u128) << 64 | self.low as u128).to_be_bytes()
    }

    /// The id of sixteen bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Id {
        Id::of_number(u128::from_be_bytes(bytes))
    }

    /// The row number that the id carries. It means nothing until the whole id was compared with that of the row.
    pub const fn row(self) -> u64 {
        let high = self.high & 0xfff;
        let low = (self.low >> NONCE_BITS) & ((1 << ROW_LOW_BITS) - 1);
        high << ROW_LOW_BITS | low
    }

    /// Reads `<prefix>_<uuid>`, lower-case and hyphenated. `None` for anything else.
    pub fn parse(prefix: Prefix, text: &str) -> Option<Id> {
        let uuid = text.strip_prefix(prefix.text())?.strip_prefix('_')?.as_bytes();
        let uuid: &[u8; 36] = uuid.try_into().ok()?;
        if [uuid[8], uuid[13], uuid[18], uuid[23]] != *b"----" {
            return None;
        }
        // A wrong letter gives a digit above 15, which shows in the sum of all; looking once is quicker than at each.
        let mut wrong = 0u8;
        let mut digits = |range: std::ops::Range<usize>| {
            uuid[range].iter().fold(0u64, |value, &byte| {
                let digit = DIGIT_OF[usize::from(byte)];
                wrong |= digit;
                value << 4 | u64::from(digit & 15)
            })
        };
        let high = digits(0..8) << 32 | digits(9..13) << 16 | digits(14..18);
        let low = digits(19..23) << 48 | digits(24..36);
        (wrong < 16).then_some(Id { high, low })
    }

    /// The id as text, with its prefix.
    pub fn text(self, prefix: Prefix) -> String {
        let mut out = String::with_capacity(42);
        self.write(prefix, &mut out);
        out
    }

    /// Appends the id with its prefix to a text.
    pub fn write(self, prefix: Prefix, out: &mut String) {
        out.push_str(prefix.text());
        out.push('_');
        self.write_uuid(out);
    }

    fn write_uuid(self, out: &mut String) {
        for (i, byte) in [self.high.to_be_bytes(), self.low.to_be_bytes()].concat().into_iter().enumerate() {
            if matches!(i, 4 | 6 | 8 | 10) {
                out.push('-');
            }
            out.push(DIGITS[usize::from(byte >> 4)] as char);
            out.push(DIGITS[usize::from(byte & 15)] as char);
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::with_capacity(36);
        self.write_uuid(&mut out);
        f.write_str(&out)
    }
}

/// The digit of each letter; 16 for letters that are none.
const DIGIT_OF: [u8; 256] = {
    let mut digits = [16; 256];
    let mut digit = 0;
    while digit < 16 {
        digits[DIGITS[digit] as usize] = digit as u8;
        digit += 1;
    }
    digits
};
const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// What an id names; the text in front of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Prefix {
    /// `ldg`
    Ledger,
    /// `bln`
    Balance,
    /// `idt`
    Identity,
    /// `txn`
    Transaction,
    /// `bulk`
    Batch,
    /// `ref`, a reference that the server made.
    Reference,
    /// `acc`
    Account,
    /// `mon`
    Monitor,
    /// `cls`
    Closing,
    /// `ast`
    Assertion,
}

impl Prefix {
    /// The prefix as it stands in texts, without the underscore.
    pub const fn text(self) -> &'static str {
        match self {
            Prefix::Ledger => "ldg",
            Prefix::Balance => "bln",
            Prefix::Identity => "idt",
            Prefix::Transaction => "txn",
            Prefix::Batch => "bulk",
            Prefix::Reference => "ref",
            Prefix::Account => "acc",
            Prefix::Monitor => "mon",
            Prefix::Closing => "cls",
            Prefix::Assertion => "ast",
        }
    }
}

/// What a nonce is for. One seed of an event gives the nonces of all ids that the event makes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NonceOf {
    /// The id of a row.
    Row(u64),
    /// The id of a batch whose first row this is.
    Batch(u64),
    /// The id of a split transaction whose first leg this is.
    Split(u64),
    /// The id of a balance.
    Balance(u32),
}

/// The nonce of one id of an event, from the event's seed. The mixer is splitmix64 (Steele, Lea, Flood, 2014).
pub const fn nonce(seed: u64, of: NonceOf) -> u64 {
    let salt = match of {
        NonceOf::Row(row) => row << 2,
        NonceOf::Batch(row) => row << 2 | 1,
        NonceOf::Split(row) => row << 2 | 2,
        NonceOf::Balance(handle) => (handle as u64) << 2 | 3,
    };
    let mut z = seed.wrapping_add(salt.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) & NONCE_MASK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_and_text_survive() {
        for row in [0, 1, 77, (1 << 28) - 1, 1 << 28, (1 << 40) - 1] {
            let id = Id::new(1_790_000_000_123_456, row, u64::MAX);
            assert_eq!(id.row(), row);
            assert_eq!(Id::parse(Prefix::Transaction, &id.text(Prefix::Transaction)), Some(id));
            assert_eq!(Id::parse(Prefix::Balance, &id.text(Prefix::Transaction)), None);
        }
    }

    #[test]
    fn version_and_variant_are_those_of_rfc_9562() {
        let text = Id::new(1_790_000_000_123_456, 5, 9).text(Prefix::Ledger);
        assert_eq!(&text[18..19], "7");
        assert!(matches!(&text[23..24], "8" | "9" | "a" | "b"));
    }

    #[test]
    fn other_spellings_are_not_ids() {
        let good = Id::new(1, 2, 3).text(Prefix::Balance);
        for bad in
            [good.to_uppercase(), good.replace('-', ""), good[..39].to_owned(), format!("{good}0"), "bln_".into()]
        {
            assert_eq!(Id::parse(Prefix::Balance, &bad), None, "{bad}");
        }
    }
}
