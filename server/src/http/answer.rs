//! Answers: JSON as Go writes it, and plain text.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use axum::http::{Response as HttpResponse, StatusCode};
use axum::response::Response;
use serde::Serialize;
use serde_json::ser::Formatter;
use std::io;

/// The content type of every JSON answer.
pub const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
/// The content type of plain text.
pub const TEXT: HeaderValue = HeaderValue::from_static("text/plain");
/// Tells that an answer is that of an earlier request with the same key.
pub const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// First guess at the length of an answer.
const BYTES_USUAL: usize = 512;

/// `value` as JSON.
pub fn json<T: Serialize + ?Sized>(status: StatusCode, value: &T) -> Response {
    json_text(status, to_json(value))
}

/// JSON that is text already. It must be valid, and have `<`, `>` and `&` escaped in strings as [`to_json`] does.
pub fn json_text(status: StatusCode, text: Vec<u8>) -> Response {
    with_type(status, JSON, text)
}

/// An answer to a request that had a key; whether it is that of an earlier time is told in a header.
pub fn once(mut response: Response, replayed: bool) -> Response {
    if replayed {
        response.headers_mut().insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

/// Plain text.
pub fn plain(status: StatusCode, text: &'static str) -> Response {
    with_type(status, TEXT, text)
}

/// A body of any type.
pub fn with_type(status: StatusCode, content_type: HeaderValue, body: impl Into<Body>) -> Response {
    let mut response = HttpResponse::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// The answer to a path or method that there is no route for.
pub fn page_not_found() -> Response {
    plain(StatusCode::NOT_FOUND, "404 page not found")
}

/// Compact JSON in which `<`, `>` and `&` are escaped, so that it stays harmless within HTML; also in what was JSON before, as
/// metadata is.
pub fn to_json<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut text = Vec::with_capacity(BYTES_USUAL);
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, HtmlSafe);
    value.serialize(&mut serializer).expect("answers have text keys and writing to memory does not fail");
    text
}

struct HtmlSafe;

impl Formatter for HtmlSafe {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        write_escaped(writer, fragment)
    }

    // In JSON these signs stand in strings only, so they can be escaped wherever they are.
    fn write_raw_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        write_escaped(writer, fragment)
    }
}

fn write_escaped<W: ?Sized + io::Write>(writer: &mut W, fragment: &str) -> io::Result<()> {
    let mut rest = fragment.as_bytes();
    while let Some(at) = memchr::memchr3(b'<', b'>', b'&', rest) {
        writer.write_all(&rest[..at])?;
        writer.write_all(match rest[at] {
            b'<' => b"\\u003c",
            b'>' => b"\\u003e",
            _ => b"\\u0026",
        })?;
        rest = &rest[at + 1..];
    }
    writer.write_all(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_escaped_in_strings_and_keys() {
        let text = to_json(&serde_json::json!({"a<b": "<b>&amp;</b> \"é\""}));
        assert_eq!(String::from_utf8(text).unwrap(), r#"{"a\u003cb":"\u003cb\u003e\u0026amp;\u003c/b\u003e \"é\""}"#);
    }

    #[test]
    fn what_was_json_before_is_escaped_too() {
        let raw = serde_json::value::RawValue::from_string(r#"{"a<b": ["<b>&\"", 1]}"#.to_owned()).unwrap();
        assert_eq!(String::from_utf8(to_json(&raw)).unwrap(), r#"{"a\u003cb": ["\u003cb\u003e\u0026\"", 1]}"#);
    }
}
