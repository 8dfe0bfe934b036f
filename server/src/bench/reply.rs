//! Framing of replies: where one ends, its status, its body. Nothing more is looked at while a run lasts.

use std::borrow::Cow;
use std::mem::MaybeUninit;

use httparse::{Header, ParserConfig, Response, Status};

/// A longer reply is not one of this API's.
const REPLY_BYTES_MAX: usize = 16 << 20;
const HEADERS_MAX: usize = 64;

/// One whole reply.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reply<'a> {
    pub status: u16,
    pub body: Cow<'a, [u8]>,
    /// Whether the connection can carry another request.
    pub reusable: bool,
}

impl Reply<'_> {
    pub fn succeeded(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Status and start of the body, for a message.
    pub fn excerpt(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let mut excerpt = format!("{} ", self.status);
        excerpt.extend(text.trim().chars().take(500));
        excerpt
    }
}

/// Why bytes are not a reply.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotAReply(pub &'static str);

/// Collects a reply that arrives in pieces. The usual reply arrives whole and is never copied.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    pending: Vec<u8>,
}

impl Assembly {
    /// Takes what was read. `None` asks for more. After a reply the caller must [`Assembly::clear`].
    pub fn feed<'a>(&'a mut self, bytes: &'a [u8]) -> Result<Option<Reply<'a>>, NotAReply> {
        if self.pending.is_empty() {
            let whole = parse(bytes)?;
            if whole.is_none() {
                self.pending.extend_from_slice(bytes);
            }
            return Ok(whole);
        }
        self.pending.extend_from_slice(bytes);
        parse(&self.pending)
    }

    pub fn clear(&mut self) {
        self.pending.clear();
    }
}

/// Reads one reply that must fill `bytes` exactly; `None` if its end has not arrived.
fn parse(bytes: &[u8]) -> Result<Option<Reply<'_>>, NotAReply> {
    if bytes.len() > REPLY_BYTES_MAX {
        return Err(NotAReply("the reply is larger than 16 MiB"));
    }
    let mut headers = [const { MaybeUninit::<Header<'_>>::uninit() }; HEADERS_MAX];
    let mut response = Response::new(&mut []);
    let parsed = ParserConfig::default().parse_response_with_uninit_headers(&mut response, bytes, &mut headers);
    let head_bytes = match parsed {
        Ok(Status::Complete(head_bytes)) => head_bytes,
        Ok(Status::Partial) => return Ok(None),
        Err(_) => return Err(NotAReply("the reply is not HTTP/1.1")),
    };
    let status = response.code.unwrap_or(0);
    let mut reusable = response.version == Some(1);
    let mut length = None;
    let mut chunked = false;
    for header in response.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            length = str::from_utf8(header.value).ok().and_then(|text| text.trim().parse::<usize>().ok());
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            chunked = header.value.to_ascii_lowercase().ends_with(b"chunked");
        } else if header.name.eq_ignore_ascii_case("connection") {
            reusable = reusable && !header.value.eq_ignore_ascii_case(b"close");
        }
    }
    let rest = &bytes[head_bytes..];
    if chunked {
        return Ok(dechunk(rest)?.map(|body| Reply { status, body: Cow::Owned(body), reusable }));
    }
    let length = match (length, status) {
        (Some(length), _) => length,
        (None, 204 | 304) => 0,
        (None, _) => return Err(NotAReply("the reply says neither its length nor that it is chunked")),
    };
    match rest.len() {
        have if have < length => Ok(None),
        have if have > length => Err(NotAReply("there are bytes after the reply")),
        _ => Ok(Some(Reply { status, body: Cow::Borrowed(rest), reusable })),
    }
}

/// Joins the chunks of a body; `None` if the last one has not arrived.
fn dechunk(mut rest: &[u8]) -> Result<Option<Vec<u8>>, NotAReply> {
    let mut body = Vec::new();
    loop {
        let (start, size) = match httparse::parse_chunk_size(rest) {
            Ok(Status::Complete(found)) => found,
            Ok(Status::Partial) => return Ok(None),
            Err(_) => return Err(NotAReply("a chunk of the reply has no size")),
        };
        if size == 0 {
            // Trailers are not used by this API; the empty line ends the reply.
            return match &rest[start..] {
                [] | [b'\r'] => Ok(None),
                b"\r\n" => Ok(Some(body)),
                _ => Err(NotAReply("there are bytes after the reply")),
            };
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX).min(REPLY_BYTES_MAX);
        if rest.len() < start + size + 2 {
            return Ok(None);
        }
        body.extend_from_slice(&rest[start..start + size]);
        rest = &rest[start + size + 2..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "HTTP/1.1 201 Created\r\ncontent-length: 13\r\nDate: x\r\n\r\n{\"ok\": true} ";
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";
    const EMPTY: &str = "HTTP/1.1 204 No Content\r\n\r\n";

    /// Feeds the reply in pieces of `size` bytes; only the last piece may complete it.
    fn feed(text: &str, size: usize) -> (u16, String, bool) {
        let mut assembly = Assembly::default();
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
        let (last, before) = pieces.split_last().expect("not empty");
        for piece in before {
            assert_eq!(assembly.feed(piece), Ok(None));
        }
        let reply = assembly.feed(last).expect("a reply").expect("a whole reply");
        (reply.status, String::from_utf8(reply.body.to_vec()).expect("text"), reply.reusable)
    }

    #[test]
    fn replies_are_the_same_however_they_are_split() {
        for size in 1..=PLAIN.len().max(CHUNKED.len()) {
            assert_eq!(feed(PLAIN, size), (201, "{\"ok\": true} ".to_owned(), true));
            assert_eq!(feed(CHUNKED, size), (200, "hello world".to_owned(), false));
            assert_eq!(feed(EMPTY, size), (204, String::new(), true));
        }
    }

    #[test]
    fn what_is_not_a_reply_is_refused() {
        for text in [
            "SSH-2.0-server\r\n",
            "HTTP/1.1 200 OK\r\n\r\nunbounded",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        ] {
            assert!(Assembly::default().feed(text.as_bytes()).is_err(), "{text}");
        }
    }
}
