//! Heads of the short way: writing a request's, reading an answer's. What is read is checked by `httparse` and then
//! against a list of what is plain; everything else is hyper's.

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{Request, StatusCode};

use crate::body::RequestBody;
use crate::exchange::Exchange;
use crate::forward::head::is_left_out;

/// The most headers of an answer; hyper takes as many.
const HEADERS: usize = 100;

/// The longest body. What is longer streams through hyper, whose own task can be cut at once, and gains nothing here.
const LONGEST: u64 = 1 << 20;

/// An answer's head.
pub(crate) enum Read {
    Simple(Simple),
    /// Nothing for the short way; so much of it was read.
    Other(Bytes),
}

/// An answer that has a body of a known length and nothing about it to be decided.
pub(crate) struct Simple {
    pub(crate) status: StatusCode,
    /// Those that go on to the client.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) length: u64,
    /// The backend keeps the connection.
    pub(crate) keeps: bool,
    /// What was read of the body, and perhaps of what must not come behind it.
    pub(crate) body: Bytes,
}

/// Writes a request's head with our notes on it.
pub(super) fn write(out: &mut Vec<u8>, request: &Request<RequestBody>, exchange: &Exchange) {
    out.extend_from_slice(request.method().as_str().as_bytes());
    out.push(b' ');
    let target = request
        .uri()
        .path_and_query()
        .map_or("/", |target| target.as_str());
    out.extend_from_slice(target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    // Neither a header's name nor its value can hold the end of a line: their types see to that.
    for (name, value) in request.headers() {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    let client = &exchange.client;
    out.extend_from_slice(b"x-forwarded-for: ");
    out.extend_from_slice(client.peer.as_bytes());
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(&client.door.signature);
    if let Some(host) = &exchange.host {
        out.extend_from_slice(b"x-forwarded-host: ");
        out.extend_from_slice(host.value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"x-request-id: ");
    out.extend_from_slice(exchange.id.as_bytes());
    out.extend_from_slice(b"\r\n\r\n");
}

/// Reads an answer's head.
pub(crate) fn read(bytes: &Bytes) -> Read {
    let mut headers = [const { MaybeUninit::uninit() }; HEADERS];
    let mut answer = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut answer,
        bytes,
        &mut headers,
    );
    match parsed {
        Ok(httparse::Status::Complete(end)) => match simple(bytes, &answer, end) {
            Some(simple) => Read::Simple(simple),
            None => Read::Other(bytes.clone()),
        },
        // hyper reads it once more, waits for the rest or says what is wrong with it.
        Ok(httparse::Status::Partial) | Err(_) => Read::Other(bytes.clone()),
    }
}

fn simple(bytes: &Bytes, answer: &httparse::Response<'_, '_>, end: usize) -> Option<Simple> {
    let status = StatusCode::from_u16(answer.code?).ok()?;
    let bodiless = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if answer.version? != 1 || status.as_u16() < 200 || bodiless {
        return None;
    }
    if answer.reason != status.canonical_reason() {
        return None;
    }
    let mut length = None;
    let mut keeps = true;
    let mut headers = Vec::with_capacity(answer.headers.len());
    for line in &*answer.headers {
        let name = HeaderName::from_bytes(line.name.as_bytes()).ok()?;
        match name {
            header::CONTENT_LENGTH if length.is_some() => return None,
            header::CONTENT_LENGTH => length = Some(digits(line.value)?),
            header::TRANSFER_ENCODING | header::UPGRADE | header::TRAILER | header::TE => return None,
            header::CONNECTION if line.value.eq_ignore_ascii_case(b"keep-alive") => continue,
            header::CONNECTION if line.value.eq_ignore_ascii_case(b"close") => {
                keeps = false;
                continue;
            }
            header::CONNECTION => return None,
            _ if is_left_out(name.as_str()) => continue,
            _ => {}
        }
        let value = HeaderValue::from_maybe_shared(bytes.slice_ref(line.value)).ok()?;
        headers.push((name, value));
    }
    Some(Simple {
        status,
        headers,
        length: length.filter(|length| *length <= LONGEST)?,
        keeps,
        body: bytes.slice(end..),
    })
}

/// A length as the standard writes it: digits, and nothing else.
pub(crate) fn digits(text: &[u8]) -> Option<u64> {
    if !(1..=18).contains(&text.len()) {
        return None;
    }
    text.iter().try_fold(0, |number, digit| {
        digit
            .is_ascii_digit()
            .then(|| number * 10 + u64::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(head: &str) -> Read {
        read(&Bytes::copy_from_slice(head.as_bytes()))
    }

    #[test]
    fn a_plain_answer_is_read() {
        let Read::Simple(answer) = read_all(
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: Keep-Alive\r\nKeep-Alive: timeout=5\r\n\
             X-Request-Id: theirs\r\nX-HostKit-Release: theirs\r\nX-Own: kept\r\n\r\nhel",
        ) else {
            panic!("it is plain")
        };
        let names: Vec<&str> = answer.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["content-length", "x-own"]);
        assert_eq!(
            (answer.length, answer.keeps, &answer.body[..]),
            (5, true, &b"hel"[..])
        );
        let Read::Simple(closing) =
            read_all("HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
        else {
            panic!("it is plain")
        };
        assert_eq!((closing.status, closing.keeps), (StatusCode::NOT_FOUND, false));
    }

    #[test]
    fn whatever_is_not_plain_is_left_to_hyper() {
        for head in [
            "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n",
            "HTTP/1.1 200 Fine\r\nContent-Length: 5\r\n\r\n",
            "HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: gzip\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive, X-Own\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nUpgrade: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n folded\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: a\0b\r\n\r\n",
            "HTTP/2.0 200 OK\r\nContent-Length: 5\r\n\r\n",
            "nonsense\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Le",
        ] {
            assert!(
                matches!(read_all(head), Read::Other(bytes) if bytes == head),
                "{head:?}"
            );
        }
        let many = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n{}\r\n",
            "X: y\r\n".repeat(100)
        );
        assert!(matches!(read_all(&many), Read::Other(_)));
    }
}
