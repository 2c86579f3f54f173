//! Reading the head of a request that has nothing about it to be decided. Everything else is hyper's, whose parser this
//! is as well.

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Request, Uri};

/// The most headers; few requests have a third of them.
const HEADERS: usize = 64;

/// Room for the headers of most requests, and of most answers after them.
const ROOM: usize = 16;

/// How such a request begins.
const GET: &[u8] = b"GET /";

/// A request without a body.
pub(crate) struct Simple {
    pub(crate) parts: Parts,
    /// The client takes no further answer.
    pub(crate) closes: bool,
}

/// Reads a head that is whole, no longer than `most`, and has nothing behind it. The headers are put into `memory`, which
/// is empty.
pub(crate) fn read(bytes: &Bytes, most: usize, memory: HeaderMap) -> Option<Simple> {
    if !bytes.starts_with(GET) {
        return None;
    }
    let mut lines = [const { MaybeUninit::uninit() }; HEADERS];
    let mut head = httparse::Request::new(&mut []);
    let parsed = httparse::ParserConfig::default()
        .parse_request_with_uninit_headers(&mut head, bytes, &mut lines)
        .ok()?;
    let is_whole = parsed == httparse::Status::Complete(bytes.len()) && bytes.len() <= most;
    if !is_whole || head.version? != 1 {
        return None;
    }
    let target = bytes.slice_ref(head.path?.as_bytes());
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.uri = Uri::from_maybe_shared(target).ok()?;
    parts.headers = memory;
    parts.headers.reserve(head.headers.len().max(ROOM));
    let mut closes = false;
    for line in &*head.headers {
        let name = HeaderName::from_bytes(line.name.as_bytes()).ok()?;
        match name {
            header::CONTENT_LENGTH
            | header::TRANSFER_ENCODING
            | header::UPGRADE
            | header::EXPECT
            | header::TE
            | header::TRAILER => return None,
            header::CONNECTION if line.value.eq_ignore_ascii_case(b"keep-alive") => {}
            header::CONNECTION if line.value.eq_ignore_ascii_case(b"close") => closes = true,
            header::CONNECTION => return None,
            _ => {}
        }
        let value = HeaderValue::from_maybe_shared(bytes.slice_ref(line.value)).ok()?;
        parts.headers.append(name, value);
    }
    Some(Simple { parts, closes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(head: &str) -> Option<Simple> {
        read(&Bytes::copy_from_slice(head.as_bytes()), 1000, HeaderMap::new())
    }

    #[test]
    fn a_plain_request_is_read() {
        let head =
            "GET /a?b=c HTTP/1.1\r\nHost: shop.localhost\r\nX-Own: 1\r\nCookie: a\r\nCookie: b\r\n\r\n";
        let request = read_all(head).unwrap();
        assert_eq!(request.parts.uri, "/a?b=c");
        assert_eq!(request.parts.method, http::Method::GET);
        assert_eq!(request.parts.version, http::Version::HTTP_11);
        assert_eq!(request.parts.headers.get_all("cookie").iter().count(), 2);
        assert_eq!(request.parts.headers.len(), 4);
        assert!(!request.closes);
        for (connection, closes) in [("Keep-Alive", false), ("Close", true)] {
            let head = format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: {connection}\r\n\r\n");
            assert_eq!(read_all(&head).unwrap().closes, closes);
        }
    }

    #[test]
    fn whatever_is_not_plain_is_left_to_hyper() {
        for head in [
            "",
            "GET / HTTP/1.1\r\nHost: a\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n\r\n",
            "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\n\r\n",
            "get / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.10\r\nHost: a\r\n\r\n",
            "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
            "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET * HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, x-own\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
            "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX-A: a\0b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\rX-A: b\r\n\r\n",
        ] {
            assert!(read_all(head).is_none(), "{head:?}");
        }
        let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(64));
        assert!(read_all(&many).is_none());
        let long = format!(
            "GET / HTTP/1.1\r\nHost: a\r\nX-Long: {}\r\n\r\n",
            "y".repeat(1000)
        );
        assert!(read_all(&long).is_none());
    }
}
