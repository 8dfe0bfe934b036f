//! Paths are matched as they read when decoded: `%2F` is a slash.

use axum::http::Uri;
use axum::http::uri::PathAndQuery;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Characters that stay as they are in a path that was decoded and encoded again.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'@')
    .remove(b':')
    .remove(b'$')
    .remove(b'+')
    .remove(b'=')
    .remove(b',');

/// Why a path cannot be matched at all.
#[derive(Debug, PartialEq, Eq)]
pub enum PathFault {
    /// A `%` that is not followed by two hexadecimal digits.
    BadEscape,
    /// Not UTF-8 when decoded; there is nothing by such a name.
    NotText,
    /// Too long for an address once what must be is encoded; there is nothing by such a name either.
    TooLong,
}

/// The same address with a path in which only what must be is encoded, each in one way. Nothing to do for most.
pub fn normalise(uri: &mut Uri) -> Result<(), PathFault> {
    let path = uri.path();
    if !path.contains(['%', '\\', '|', '"', '{', '}']) && path.is_ascii() {
        return Ok(());
    }
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        let digits = rest.as_bytes().get(at + 1..at + 3).ok_or(PathFault::BadEscape)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(PathFault::BadEscape);
        }
        rest = &rest[at + 3..];
    }
    let decoded = percent_decode_str(path).decode_utf8().map_err(|_| PathFault::NotText)?;
    let mut text = utf8_percent_encode(&decoded, ENCODED).to_string();
    if let Some(query) = uri.query() {
        text.push('?');
        text.push_str(query);
    }
    let mut parts = std::mem::take(uri).into_parts();
    // What is not allowed was encoded, so only the length can be wrong: three characters may stand for one now.
    parts.path_and_query = Some(PathAndQuery::try_from(text).map_err(|_| PathFault::TooLong)?);
    *uri = Uri::from_parts(parts).expect("only the path has changed");
    Ok(())
}

/// Whether `path` is one that the route `pattern`, such as `/ledgers/{id}`, answers.
pub fn matches(pattern: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    let same = pattern.split('/').all(|wanted| match segments.next() {
        Some(segment) if wanted.starts_with('{') => !segment.is_empty(),
        Some(segment) => segment == wanted,
        None => false,
    });
    same && segments.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(text: &str) -> Result<String, PathFault> {
        let mut uri: Uri = text.parse().unwrap();
        normalise(&mut uri).map(|()| uri.to_string())
    }

    #[test]
    fn escapes() {
        for (given, wanted) in [
            ("/ledgers/a", "/ledgers/a"),
            ("/ledgers/%61", "/ledgers/a"),
            ("/ledgers/%20?x=%2f", "/ledgers/%20?x=%2f"),
            ("/transactions/..%2f..%2fetc", "/transactions/../../etc"),
            ("/identities/%F0%9F%92%B0", "/identities/%F0%9F%92%B0"),
            ("/a%3Fb%23", "/a%3Fb%23"),
            ("/a%25b", "/a%25b"),
        ] {
            assert_eq!(normal(given), Ok(wanted.to_owned()), "{given}");
        }
        assert_eq!(normal("/a%zz"), Err(PathFault::BadEscape));
        assert_eq!(normal("/a%2"), Err(PathFault::BadEscape));
        assert_eq!(normal("/a%FF"), Err(PathFault::NotText));
        // 65534 characters are an address; encoding makes three of each `!`.
        assert_eq!(normal(&format!("/|{}", "!".repeat(21_843))).map(|uri| uri.len()), Ok(65_533));
        assert_eq!(normal(&format!("/|{}", "!".repeat(21_844))), Err(PathFault::TooLong));
    }

    #[test]
    fn patterns() {
        for (pattern, path, wanted) in [
            ("/", "/", true),
            ("/ledgers", "/ledgers", true),
            ("/ledgers", "/ledgers/", false),
            ("/ledgers/{id}", "/ledgers/a", true),
            ("/ledgers/{id}", "/ledgers/", false),
            ("/ledgers/{id}", "/ledgers", false),
            ("/ledgers/{id}", "/ledgers/a/b", false),
            ("/{id}/metadata", "/a/metadata", true),
            ("/{id}/metadata", "//metadata", false),
        ] {
            assert_eq!(matches(pattern, path), wanted, "{pattern} {path}");
        }
    }
}
