//! Which answers are compressed on the way out, and what that changes in their heads.

use http::header::{self, Entry, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode, response};

use super::accept::Accepted;
use super::body::Compressed;
use super::{BY_COST, Coding};
use crate::body::Source;
use crate::exchange::Exchange;

/// Shorter bodies fit into one packet anyway.
const LEAST: u64 = 1024;

/// Compresses an answer on its way, if that is allowed, worth it, and taken by the client. Where another client would
/// get another form, `Vary` says so.
pub(crate) fn compress(exchange: &Exchange, parts: &mut response::Parts, source: Source) -> Source {
    // The one look that every answer costs: without this header there is nothing to do.
    let Some(header) = &exchange.codings else {
        return source;
    };
    let length = source.size_hint().exact();
    if exchange.method == Method::HEAD || !suits(parts, length) {
        return source;
    }
    vary(&mut parts.headers);
    let Some(coding) = Accepted::read(Some(header)).choose(BY_COST, |_| true) else {
        return source;
    };
    match Compressed::new(source, coding, length) {
        Ok(compressed) => {
            mark(&mut parts.headers, coding);
            Source::Compressed(Box::new(compressed))
        }
        Err(source) => source,
    }
}

/// Whether an answer may be compressed and gains by it.
pub(crate) fn suits(parts: &response::Parts, length: Option<u64>) -> bool {
    if length.is_some_and(|length| length < LEAST) {
        return false;
    }
    let headers = &parts.headers;
    let is_whole = parts.status.as_u16() >= 200
        && !matches!(
            parts.status,
            StatusCode::NO_CONTENT
                | StatusCode::RESET_CONTENT
                | StatusCode::PARTIAL_CONTENT
                | StatusCode::NOT_MODIFIED
        );
    is_whole
        && headers
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| is_text(kind.as_bytes()))
        && !headers.contains_key(header::CONTENT_ENCODING)
        && !headers.contains_key(header::CONTENT_RANGE)
        && !forbids_change(headers)
}

/// `Cache-Control: no-transform` (RFC 9110, 7.7).
fn forbids_change(headers: &HeaderMap) -> bool {
    headers.get_all(header::CACHE_CONTROL).iter().any(|value| {
        let mut words = value.as_bytes().split(|byte| matches!(byte, b',' | b' '));
        words.any(|word| word.eq_ignore_ascii_case(b"no-transform"))
    })
}

/// Whether a media type is text of some kind. Streams of events are not: each is to be seen when it comes, and
/// compressing them one by one gains nothing. What carries its own compression is not either.
pub(crate) fn is_text(kind: &[u8]) -> bool {
    let end = kind.iter().position(|byte| *byte == b';').unwrap_or(kind.len());
    let kind = kind[..end].trim_ascii().to_ascii_lowercase();
    if kind.starts_with(b"text/") {
        return kind != b"text/event-stream";
    }
    if kind.starts_with(b"application/grpc") {
        return false;
    }
    kind.ends_with(b"+json")
        || kind.ends_with(b"+xml")
        || matches!(
            &kind[..],
            b"application/json"
                | b"application/javascript"
                | b"application/x-javascript"
                | b"application/ecmascript"
                | b"application/manifest+json"
                | b"application/xml"
                | b"application/wasm"
                | b"application/x-ndjson"
                | b"application/graphql"
                | b"application/vnd.ms-fontobject"
                | b"font/ttf"
                | b"font/otf"
                | b"image/bmp"
                | b"image/x-icon"
                | b"image/vnd.microsoft.icon"
        )
}

/// Says that the form of an answer goes by Accept-Encoding.
pub(crate) fn vary(headers: &mut HeaderMap) {
    let named = headers.get_all(header::VARY).iter().any(|value| {
        value
            .as_bytes()
            .split(|byte| *byte == b',')
            .map(<[u8]>::trim_ascii)
            .any(|name| name == b"*" || name.eq_ignore_ascii_case(b"accept-encoding"))
    });
    if named {
        return;
    }
    match headers.entry(header::VARY) {
        Entry::Vacant(place) => drop(place.insert(HeaderValue::from_static("Accept-Encoding"))),
        // A list may stand in several lines.
        Entry::Occupied(mut place) => place.append(HeaderValue::from_static("Accept-Encoding")),
    }
}

/// What compression changes in a head: the bytes are others, so the length, ranges and digests of the ones before are
/// not true any more, and a tag that promises the same bytes becomes one that promises the same meaning.
pub(crate) fn mark(headers: &mut HeaderMap, coding: Coding) {
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
    for name in [
        header::CONTENT_LENGTH,
        header::ACCEPT_RANGES,
        HeaderName::from_static("content-md5"),
        HeaderName::from_static("content-digest"),
        HeaderName::from_static("repr-digest"),
        HeaderName::from_static("digest"),
    ] {
        headers.remove(name);
    }
    if let Some(weak) = headers.get(header::ETAG).and_then(weakened) {
        headers.insert(header::ETAG, weak);
    }
}

/// The weak form of a strong tag.
fn weakened(tag: &HeaderValue) -> Option<HeaderValue> {
    if !tag.as_bytes().starts_with(b"\"") {
        return None;
    }
    HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat()).ok()
}
