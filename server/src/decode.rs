//! JSON from clients, read as Go reads it: whatever the content type says, keys in any letter case, the last of several
//! equal keys, `null` as if the key were absent, unknown keys and anything after the first value ignored.
//!
//! Numbers are had as their text ([`Number`]), so that money never passes through a float. NUL and what is not Unicode text
//! are refused: they could be stored, but not everything that reads them later could bear them.

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

/// Why a body could not be read, for the client. The text is not contractual, but for `EOF` when there was nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed(String);

impl Malformed {
    /// With this message.
    pub fn new(message: impl Into<String>) -> Malformed {
        Malformed(message.into())
    }

    /// The message.
    pub fn into_message(self) -> String {
        self.0
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Malformed {}

/// Reads the first JSON value of `bytes`, borrowing from it.
pub fn from_slice<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Malformed> {
    // What follows the first value is ignored even if it is not text, so only what comes before that matters.
    let (text, is_text) = match std::str::from_utf8(bytes) {
        Ok(text) => (text, true),
        Err(error) => (std::str::from_utf8(&bytes[..error.valid_up_to()]).expect("checked just now"), false),
    };
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<T>();
    match values.next() {
        Some(Ok(value)) => {
            check_escapes(&text[..values.byte_offset()])?;
            Ok(value)
        }
        _ if !is_text => Err(Malformed::new("invalid UTF-8 in the request body")),
        Some(Err(error)) if error.is_eof() => Err(Malformed::new("unexpected EOF")),
        Some(Err(error)) => Err(Malformed::new(error.to_string())),
        None => Err(Malformed::new("EOF")),
    }
}

/// NUL can only stand in JSON as an escape: the parser refuses bare control characters in text. Half a surrogate pair is no
/// text at all; the parser finds it in texts that it reads, not in those that are kept as they were written.
fn check_escapes(text: &str) -> Result<(), Malformed> {
    let bytes = text.as_bytes();
    let mut high_before = None;
    for at in memchr::memmem::find_iter(bytes, b"\\u") {
        let backslashes_before = bytes[..at].iter().rev().take_while(|byte| **byte == b'\\').count();
        // After an odd number of them this backslash is itself escaped, and what follows is plain text.
        if backslashes_before % 2 == 1 {
            continue;
        }
        let unit = text.get(at + 2..at + 6).and_then(|digits| u16::from_str_radix(digits, 16).ok()).unwrap_or_default();
        let follows = high_before.take() == Some(at);
        match unit {
            0 => return Err(Malformed::new("invalid character NUL in the request body")),
            0xD800..0xDC00 if !follows => high_before = Some(at + 6),
            0xDC00..0xE000 if follows => {}
            0xD800..0xE000 => return Err(Malformed::new(LONE_SURROGATE)),
            _ if follows => return Err(Malformed::new(LONE_SURROGATE)),
            _ => {}
        }
        if let Some(end) = high_before
            && bytes.get(end..end + 2) != Some(b"\\u")
        {
            return Err(Malformed::new(LONE_SURROGATE));
        }
    }
    Ok(())
}

const LONE_SURROGATE: &str = "lone surrogate in the request body";

/// A text, borrowed from the body unless it contains escapes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text<'a>(pub Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text<'a>, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a string")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }

            fn visit_string<E: de::Error>(self, text: String) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text)))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

/// A number, as it was written: `-?`, digits, and maybe a fraction and an exponent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Number<'a>(pub &'a str);

impl<'de: 'a, 'a> Deserialize<'de> for Number<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Number<'a>, D::Error> {
        let raw = <&'de RawValue>::deserialize(deserializer)?.get();
        match raw.as_bytes()[0] {
            b'-' | b'0'..=b'9' => Ok(Number(raw)),
            _ => Err(de::Error::custom("invalid type: expected a number")),
        }
    }
}

/// A number, or digits in quotes as languages without large integers send them. The text without its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumberOrText<'a>(pub &'a str);

impl<'de: 'a, 'a> Deserialize<'de> for NumberOrText<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<NumberOrText<'a>, D::Error> {
        let raw = <&'de RawValue>::deserialize(deserializer)?.get();
        match raw.as_bytes()[0] {
            b'-' | b'0'..=b'9' => Ok(NumberOrText(raw)),
            b'"' => Ok(NumberOrText(&raw[1..raw.len() - 1])),
            _ => Err(de::Error::custom("invalid type: expected a number")),
        }
    }
}

/// A JSON object as it was written, such as metadata.
#[derive(Debug, Clone, Copy)]
pub struct RawObject<'a>(pub &'a str);

impl<'de: 'a, 'a> Deserialize<'de> for RawObject<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RawObject<'a>, D::Error> {
        let raw = <&'de RawValue>::deserialize(deserializer)?.get();
        if raw.as_bytes()[0] != b'{' {
            return Err(de::Error::custom("invalid type: expected an object"));
        }
        Ok(RawObject(raw))
    }
}

/// Used by [`lenient_struct!`](crate::lenient_struct): which field a key names, by number; past the last for none.
///
/// Exactly written keys are found by the `match` of the macro; only others come here.
#[cold]
pub fn find_in_any_case(names: &[&str], key: &str) -> usize {
    names.iter().position(|name| name.eq_ignore_ascii_case(key)).unwrap_or(names.len())
}

/// Used by [`lenient_struct!`](crate::lenient_struct): reads a value and drops it.
pub fn skip<'de, A: de::MapAccess<'de>>(map: &mut A) -> Result<(), A::Error> {
    map.next_value::<IgnoredAny>().map(drop)
}

/// Defines a struct that is read from a JSON object as this module says. Every field is an `Option`.
///
/// ```
/// use server::decode::{self, Number, RawObject, Text};
///
/// server::lenient_struct! {
///     /// A payment as it is sent.
///     pub struct Payment<'a> {
///         /// How much.
///         "amount" amount: Number<'a>,
///         /// Why.
///         "description" description: Text<'a>,
///         /// Anything.
///         "meta_data" metadata: RawObject<'a>,
///         /// Whether at once.
///         "skip_queue" skip_queue: bool,
///     }
/// }
///
/// let payment: Payment = decode::from_slice(br#"{"Amount": 10.50, "extra": [1], "description": null} tail"#).unwrap();
/// assert_eq!(payment.amount, Some(Number("10.50")));
/// assert!(payment.description.is_none());
/// ```
///
/// Without `<'a>` it borrows nothing. A `null` in place of the object gives one with no fields set.
#[macro_export]
macro_rules! lenient_struct {
    (
        $(#[$meta:meta])*
        $visibility:vis struct $name:ident $(<$life:lifetime>)? {
            $($(#[$field_meta:meta])* $key:literal $field:ident: $type:ty),* $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Default)]
        $visibility struct $name $(<$life>)? {
            $($(#[$field_meta])* pub $field: Option<$type>,)*
        }

        impl<'de $(: $life, $life)?> ::serde::Deserialize<'de> for $name $(<$life>)? {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                #[allow(non_camel_case_types)]
                enum Position { $($field,)* Other }

                impl<'de> ::serde::Deserialize<'de> for Position {
                    fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Position, D::Error> {
                        struct KeyVisitor;
                        impl ::serde::de::Visitor<'_> for KeyVisitor {
                            type Value = Position;

                            fn expecting(&self, formatter: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                                formatter.write_str("a key")
                            }

                            fn visit_str<E>(self, key: &str) -> Result<Position, E> {
                                const NAMES: &[&str] = &[$($key,)*];
                                match key {
                                    $($key => Ok(Position::$field),)*
                                    _ => {
                                        let found = $crate::decode::find_in_any_case(NAMES, key);
                                        $(if found == Position::$field as usize {
                                            return Ok(Position::$field);
                                        })*
                                        Ok(Position::Other)
                                    }
                                }
                            }
                        }
                        deserializer.deserialize_identifier(KeyVisitor)
                    }
                }

                struct ObjectVisitor<T>(::std::marker::PhantomData<T>);
                impl<'de $(: $life, $life)?> ::serde::de::Visitor<'de> for ObjectVisitor<$name $(<$life>)?> {
                    type Value = $name $(<$life>)?;

                    fn expecting(&self, formatter: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                        formatter.write_str("an object")
                    }

                    fn visit_unit<E>(self) -> Result<Self::Value, E> {
                        Ok(Default::default())
                    }

                    fn visit_map<A: ::serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                        $(let mut $field: Option<$type> = None;)*
                        while let Some(position) = map.next_key::<Position>()? {
                            match position {
                                // A null leaves what an earlier key of this name has set.
                                $(Position::$field => {
                                    if let Some(value) = map.next_value::<Option<$type>>()? {
                                        $field = Some(value);
                                    }
                                })*
                                Position::Other => $crate::decode::skip(&mut map)?,
                            }
                        }
                        Ok($name { $($field,)* })
                    }
                }
                deserializer.deserialize_any(ObjectVisitor::<Self>(::std::marker::PhantomData))
            }
        }
    };
}

#[cfg(test)]
mod tests;
