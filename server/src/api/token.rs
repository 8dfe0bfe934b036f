//! Tokens in place of personal values.
//!
//! | mode | token | looks like the value | same for the same value | to have it back |
//! |---|---|---|---|---|
//! | compatible | `FPT:<visible>:<sealed>` | its visible part | the visible part | the sealed part is opened |
//! | standard | base64 | no | no | it is opened |
//! | ff1 | letters and digits replaced | yes | yes, within a field | it is decrypted |
//!
//! The first is what the reference server makes: the visible part comes from an HMAC and cannot be turned back. The last is
//! FF1 of NIST SP 800-38G, with a key derived from the secret and the name of the field as its tweak.

use aes::Aes256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fpe::ff1::{FF1, FlexibleNumeralString};
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::vault::seal::{self, SealFault};

/// Fields that can be tokens: the name by which callers know them, and the one that they have in an identity.
pub const TOKENIZABLE: [(&str, &str); 7] = [
    ("FirstName", "first_name"),
    ("LastName", "last_name"),
    ("OtherNames", "other_names"),
    ("EmailAddress", "email_address"),
    ("PhoneNumber", "phone_number"),
    ("Street", "street"),
    ("PostCode", "post_code"),
];

/// What tokens of the first mode begin with.
const PREFIX: &str = "FPT:";
/// Digits, then letters: what FF1 replaces. A value of digits stays one.
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Most letters and digits that FF1 replaces: its work grows with their square.
pub const FF1_SYMBOLS_MAX: usize = 256;
/// Symbols that are digits.
const DIGITS: u32 = 10;

/// How a token is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Mode {
    /// As the reference server makes it.
    #[serde(rename = "compatible")]
    Compatible,
    /// Sealed, with nothing to see.
    #[serde(rename = "standard")]
    Standard,
    /// FF1 over the digits of a value without letters.
    #[serde(rename = "ff1_digits")]
    Ff1Digits,
    /// FF1 over the letters and digits of a value.
    #[serde(rename = "ff1")]
    Ff1,
}

/// Why there is no token, or no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenFault {
    /// Too little to replace: FF1 wants six digits, or four letters and digits.
    TooShort,
    /// Too much to replace: see [`FF1_SYMBOLS_MAX`].
    TooLong,
    /// Letters that FF1 would not replace.
    Letters,
    /// The token was changed, or made with another secret.
    Damaged,
    /// The system has no random bits.
    Random,
}

impl From<SealFault> for TokenFault {
    fn from(fault: SealFault) -> TokenFault {
        match fault {
            SealFault::Random => TokenFault::Random,
            SealFault::Opened => TokenFault::Damaged,
        }
    }
}

/// The name of a field as it is known, from the name as it was sent: its first letter may be small.
pub fn canonical(name: &str) -> Option<(&'static str, &'static str)> {
    let mut letters = name.chars();
    let first = letters.next()?.to_ascii_uppercase();
    TOKENIZABLE.into_iter().find(|(known, _)| known.starts_with(first) && known[1..] == *letters.as_str())
}

/// Makes tokens, and turns them back.
#[derive(Clone)]
pub struct Tokenizer {
    secret: [u8; 32],
}

impl Tokenizer {
    /// With this secret.
    pub const fn new(secret: [u8; 32]) -> Tokenizer {
        Tokenizer { secret }
    }

    /// The token of a value of a field. For FF1 the mode of the answer tells what was replaced.
    pub fn make(&self, mode: Mode, field: &str, value: &str) -> Result<(Mode, String), TokenFault> {
        match mode {
            Mode::Compatible => Ok((mode, format!("{PREFIX}{}:{}", self.visible(value), self.sealed(value)?))),
            Mode::Standard => Ok((mode, self.sealed(value)?)),
            Mode::Ff1 | Mode::Ff1Digits => {
                if value.chars().any(|letter| !letter.is_ascii() && letter.is_alphanumeric()) {
                    return Err(TokenFault::Letters);
                }
                let letters = value.bytes().any(|byte| byte.is_ascii_alphabetic());
                let mode = if letters { Mode::Ff1 } else { Mode::Ff1Digits };
                Ok((mode, self.replaced(mode, field, value, true)?))
            }
        }
    }

    /// The value of a token.
    pub fn value(&self, mode: Mode, field: &str, token: &str) -> Result<String, TokenFault> {
        match mode {
            // The visible part may hold colons, as the value did; base64 holds none.
            Mode::Compatible | Mode::Standard => match token.strip_prefix(PREFIX) {
                Some(rest) => self.opened(rest.rsplit_once(':').ok_or(TokenFault::Damaged)?.1),
                None => self.opened(token),
            },
            Mode::Ff1 | Mode::Ff1Digits => self.replaced(mode, field, token, false),
        }
    }

    fn sealed(&self, value: &str) -> Result<String, TokenFault> {
        Ok(STANDARD.encode(seal::seal(&self.secret, b"", value.as_bytes())?))
    }

    fn opened(&self, sealed: &str) -> Result<String, TokenFault> {
        let sealed = STANDARD.decode(sealed).map_err(|_| TokenFault::Damaged)?;
        String::from_utf8(seal::open(&self.secret, b"", &sealed)?).map_err(|_| TokenFault::Damaged)
    }

    /// Letters and digits replaced by others of their kind.
    fn visible(&self, value: &str) -> String {
        let hash = self.hmac(value.as_bytes());
        let other = |first: u8, count: u8, by: u8| char::from(first + by % count);
        let letters = value.chars().enumerate().map(|(index, letter)| {
            let by = hash[index % hash.len()];
            match letter {
                'A'..='Z' => other(b'A', 26, by),
                'a'..='z' => other(b'a', 26, by),
                '0'..='9' => other(b'0', 10, by),
                _ => letter,
            }
        });
        letters.collect()
    }

    fn hmac(&self, message: &[u8]) -> [u8; 32] {
        hmac(&self.secret, message)
    }

    /// A key of its own: no visible part of a token, which shows a little of a hash, tells anything of it.
    fn ff1_key(&self) -> [u8; 32] {
        hmac(&[&self.secret[..], b"florin ff1"].concat(), b"key")
    }

    /// FF1 over the letters and digits of a text; everything else stays where it is.
    fn replaced(&self, mode: Mode, field: &str, text: &str, encrypts: bool) -> Result<String, TokenFault> {
        let radix = if mode == Mode::Ff1Digits { DIGITS } else { ALPHABET.len() as u32 };
        let symbols = &ALPHABET[..radix as usize];
        let number = |byte: u8| symbols.iter().position(|symbol| *symbol == byte).map(|number| number as u16);
        let numerals: Vec<u16> = text.bytes().filter_map(number).collect();
        if numerals.len() > FF1_SYMBOLS_MAX {
            return Err(TokenFault::TooLong);
        }
        let key = self.ff1_key();
        let mut others = ff1(&key, radix, field.as_bytes(), numerals, encrypts)?.into_iter();
        let replaced = text.chars().map(|letter| match u8::try_from(letter).ok().and_then(number) {
            Some(_) => others.next().map_or(letter, |other| char::from(symbols[other as usize])),
            None => letter,
        });
        Ok(replaced.collect())
    }
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).expect("HMAC takes keys of every length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// FF1 with AES-256 over numerals below `radix`. A domain of less than a million is refused, as the standard has it.
fn ff1(key: &[u8; 32], radix: u32, tweak: &[u8], numerals: Vec<u16>, encrypts: bool) -> Result<Vec<u16>, TokenFault> {
    let cipher = FF1::<Aes256>::new(key, radix).map_err(|_| TokenFault::Damaged)?;
    let numerals = FlexibleNumeralString::from(numerals);
    let done = if encrypts { cipher.encrypt(tweak, &numerals) } else { cipher.decrypt(tweak, &numerals) };
    Ok(done.map_err(|_| TokenFault::TooShort)?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokenizer() -> Tokenizer {
        Tokenizer::new(*b"a-tokenization-secret-for-tests!")
    }

    /// Samples 7, 8 and 9 of NIST for FF1: AES-256.
    #[test]
    fn ff1_is_that_of_the_standard() {
        let key = [
            0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6, 0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c, 0xef, 0x43,
            0x59, 0xd8, 0xd5, 0x80, 0xaa, 0x4f, 0x7f, 0x03, 0x6d, 0x6f, 0x04, 0xfc, 0x6a, 0x94,
        ];
        let digits: Vec<u16> = (0..10).collect();
        let letters: Vec<u16> = (0..19).collect();
        let back = [0x39, 0x38, 0x37, 0x36, 0x35, 0x34, 0x33, 0x32, 0x31, 0x30];
        let mixed = [0x37, 0x37, 0x37, 0x37, 0x70, 0x71, 0x72, 0x73, 0x37, 0x37, 0x37];
        for (radix, tweak, plain, wanted) in [
            (10, &[][..], &digits, vec![6, 6, 5, 7, 6, 6, 7, 0, 0, 9]),
            (10, &back[..], &digits, vec![1, 0, 0, 1, 6, 2, 3, 4, 6, 3]),
            (36, &mixed[..], &letters, vec![33, 28, 8, 10, 0, 10, 35, 17, 2, 10, 31, 34, 10, 21, 34, 35, 30, 32, 13]),
        ] {
            assert_eq!(ff1(&key, radix, tweak, plain.clone(), true), Ok(wanted.clone()));
            assert_eq!(ff1(&key, radix, tweak, wanted, false), Ok(plain.clone()));
        }
    }

    #[test]
    fn every_mode_gives_the_value_back() {
        for value in ["+2348012345678", "ada@example.com", "Flat 3: 1 Main St", "Obi-Wan 4", "100001 77"] {
            for mode in [Mode::Compatible, Mode::Standard, Mode::Ff1] {
                let (kept, token) = tokenizer().make(mode, "Street", value).expect("it is long enough");
                assert_ne!(token, value);
                assert_eq!(tokenizer().value(kept, "Street", &token).as_deref(), Ok(value), "{token}");
                let other = Tokenizer::new([1; 32]).value(kept, "Street", &token);
                assert_ne!(other.as_deref(), Ok(value), "another secret gives another value, or none");
            }
        }
        for value in ["", "Łódź", "two words, ten letters"] {
            for mode in [Mode::Compatible, Mode::Standard] {
                let (kept, token) = tokenizer().make(mode, "Street", value).expect("any text has a token");
                assert_eq!(tokenizer().value(kept, "Street", &token).as_deref(), Ok(value), "{token}");
            }
        }
    }

    #[test]
    fn tokens_look_like_values() {
        let shape = |text: &str| -> String {
            let kind = |letter: char| match letter {
                '0'..='9' => '0',
                'A'..='Z' => 'A',
                'a'..='z' => 'a',
                other => other,
            };
            text.chars().map(kind).collect()
        };
        let value = "+234 (80) Ada: é";
        let (_, token) = tokenizer().make(Mode::Compatible, "Street", value).expect("any text has a token");
        let rest = token.strip_prefix("FPT:").expect("its prefix");
        assert_eq!(shape(rest.rsplit_once(':').expect("two parts").0), shape(value));
        let (mode, token) = tokenizer().make(Mode::Ff1, "PhoneNumber", "+234 (80) 123").expect("eight digits");
        assert_eq!((mode, shape(&token)), (Mode::Ff1Digits, shape("+234 (80) 123")));
        let (mode, token) = tokenizer().make(Mode::Ff1, "EmailAddress", "ada@example.com").expect("thirteen letters");
        assert_eq!((mode, token.len(), token.find('@'), token.rfind('.')), (Mode::Ff1, 15, Some(3), Some(11)));
        let again = tokenizer().make(Mode::Ff1, "EmailAddress", "ada@example.com").expect("it is the same");
        assert_eq!(again.1, token, "the same value has the same token");
        let elsewhere = tokenizer().make(Mode::Ff1, "Street", "ada@example.com").expect("it is long enough");
        assert_ne!(elsewhere.1, token, "another field has another");
    }

    /// The visible part as the reference server makes it: HMAC-SHA-256 of the value, byte by byte.
    #[test]
    fn the_visible_part_is_that_of_the_reference() {
        let hash = tokenizer().hmac(b"Ad4");
        let wanted: String =
            [b'A' + hash[0] % 26, b'a' + hash[1] % 26, b'0' + hash[2] % 10].into_iter().map(char::from).collect();
        assert_eq!(tokenizer().visible("Ad4"), wanted);
        // RFC 4231, test case 2.
        assert_eq!(hmac(b"Jefe", b"what do ya want for nothing?")[..4], [0x5b, 0xdc, 0xc1, 0x46]);
    }

    #[test]
    fn what_cannot_be_replaced_is_refused() {
        for (value, fault) in [
            ("12345", TokenFault::TooShort),
            ("Ada", TokenFault::TooShort),
            ("", TokenFault::TooShort),
            ("Łódź 12345", TokenFault::Letters),
        ] {
            assert_eq!(tokenizer().make(Mode::Ff1, "Street", value), Err(fault), "{value}");
        }
        assert!(tokenizer().make(Mode::Ff1, "Street", "123456").is_ok());
        assert!(tokenizer().make(Mode::Ff1, "Street", "Adam").is_ok());
        let long = "a".repeat(FF1_SYMBOLS_MAX);
        assert!(tokenizer().make(Mode::Ff1, "Street", &long).is_ok());
        assert_eq!(tokenizer().make(Mode::Ff1, "Street", &(long + "a")), Err(TokenFault::TooLong));
        for token in ["FPT:x", "FPT:x:y", "FPT:x:AAAA", "", "AAAA", "é"] {
            assert_eq!(tokenizer().value(Mode::Compatible, "Street", token), Err(TokenFault::Damaged), "{token}");
        }
    }

    #[test]
    fn names_may_begin_small() {
        assert_eq!(canonical("firstName"), Some(("FirstName", "first_name")));
        assert_eq!(canonical("FirstName"), Some(("FirstName", "first_name")));
        for name in ["first_name", "Gender", "", "FIRSTNAME", "Firstname", "éFirstName"] {
            assert_eq!(canonical(name), None, "{name}");
        }
    }
}
