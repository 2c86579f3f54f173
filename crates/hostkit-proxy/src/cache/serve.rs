//! An answer made of what is kept: the part the client lacks, in the coding it likes.

use std::time::Instant;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode, response};

use super::entry::{Entry, Head, coding_for};
use super::{CacheResult, Reader, rules};
use crate::body::{AnswerBody, Source};
use crate::compress;
use crate::exchange::Exchange;
use crate::files::{Part, parse_range};
use crate::forward::head;
use crate::table::LiveRoute;

/// So many headers are added: how old it is, our notes, and those for visitors' safety.
const NOTES: usize = 8;

/// Answers with what is whole.
pub(super) fn whole(
    exchange: Box<Exchange>,
    entry: &Entry,
    request: &HeaderMap,
    result: CacheResult,
    route: &LiveRoute,
    now: Instant,
) -> Response<AnswerBody> {
    let mut parts = parts_of(&entry.head, now);
    let is_head = exchange.method == Method::HEAD;
    if is_unchanged(&parts, request) {
        unchanged(&mut parts);
        return send(exchange, parts, Source::Empty, result, route);
    }
    let size = entry.body.len() as u64;
    if let Some(range) = request.get(header::RANGE)
        && parts.status == StatusCode::OK
        && !is_head
        && is_still_valid(&parts.headers, request)
    {
        match parse_range(range.as_bytes(), size) {
            Part::Range { from, length } => {
                parts.status = StatusCode::PARTIAL_CONTENT;
                let range = format!("bytes {from}-{}/{size}", from + length - 1);
                set(&mut parts.headers, header::CONTENT_RANGE, &range);
                parts
                    .headers
                    .insert(header::CONTENT_LENGTH, HeaderValue::from(length));
                let bytes = entry.body.slice(from as usize..(from + length) as usize);
                return send(exchange, parts, Source::Full(bytes), result, route);
            }
            Part::Unsatisfiable => {
                parts.status = StatusCode::RANGE_NOT_SATISFIABLE;
                set(
                    &mut parts.headers,
                    header::CONTENT_RANGE,
                    &format!("bytes */{size}"),
                );
                parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(0));
                return send(exchange, parts, Source::Empty, result, route);
            }
            Part::Whole | Part::Unchanged => {}
        }
    }
    if !matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT) {
        parts
            .headers
            .insert(header::CONTENT_LENGTH, HeaderValue::from(size));
    }
    let mut source = if is_head || size == 0 {
        Source::Empty
    } else {
        Source::Full(entry.body.clone())
    };
    if !is_head && route.compresses(Some(size)) {
        let made = compress::answer::suits(&parts, Some(size))
            .then(|| coding_for(exchange.codings.as_ref()))
            .flatten()
            .and_then(|coding| Some((coding, entry.form(coding)?)));
        match made {
            Some((coding, bytes)) => {
                compress::answer::vary(&mut parts.headers);
                compress::answer::mark(&mut parts.headers, coding);
                parts
                    .headers
                    .insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
                source = Source::Full(bytes);
            }
            None => source = compress::answer::compress(&exchange, &mut parts, source),
        }
    }
    send(exchange, parts, source, result, route)
}

/// Answers with what is still coming in.
pub(super) fn growing(
    exchange: Box<Exchange>,
    head: &Head,
    reader: Reader,
    request: &HeaderMap,
    result: CacheResult,
    route: &LiveRoute,
    now: Instant,
) -> Response<AnswerBody> {
    let mut parts = parts_of(head, now);
    if is_unchanged(&parts, request) {
        unchanged(&mut parts);
        return send(exchange, parts, Source::Empty, result, route);
    }
    let mut source = Source::Shared(reader);
    if route.compresses(source.size_hint().exact()) {
        source = compress::answer::compress(&exchange, &mut parts, source);
    }
    send(exchange, parts, source, result, route)
}

fn parts_of(head: &Head, now: Instant) -> response::Parts {
    let mut answer = Response::new(());
    *answer.status_mut() = head.status;
    let mut headers = head.headers.clone();
    // Once for all that is added from here on: a copy has no room.
    headers.reserve(NOTES);
    headers.insert(header::AGE, HeaderValue::from(head.freshness.age(now).as_secs()));
    *answer.headers_mut() = headers;
    answer.into_parts().0
}

fn send(
    mut exchange: Box<Exchange>,
    mut parts: response::Parts,
    source: Source,
    result: CacheResult,
    route: &LiveRoute,
) -> Response<AnswerBody> {
    exchange.cache = Some(result);
    note(&mut parts.headers, result);
    head::sign_answer(&mut parts.headers, route.release.as_ref(), &exchange.id);
    exchange.status = parts.status.as_u16();
    Response::from_parts(parts, AnswerBody::new(source, exchange))
}

/// Says what the cache did.
pub(crate) fn note(headers: &mut HeaderMap, result: CacheResult) {
    headers.insert(head::X_HOSTKIT_CACHE, HeaderValue::from_static(result.name()));
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// Whether the client has it already (RFC 9110, 13.1.2 and 13.1.3).
fn is_unchanged(parts: &response::Parts, request: &HeaderMap) -> bool {
    if parts.status != StatusCode::OK {
        return false;
    }
    if request.contains_key(header::IF_NONE_MATCH) {
        let weak = |tag: &[u8]| tag.strip_prefix(b"W/").unwrap_or(tag).to_vec();
        let own = parts.headers.get(header::ETAG).map(|tag| weak(tag.as_bytes()));
        return request
            .get_all(header::IF_NONE_MATCH)
            .iter()
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
            .map(<[u8]>::trim_ascii)
            .any(|tag| tag == b"*" || own.as_ref().is_some_and(|own| weak(tag) == *own));
    }
    // Most ask without: the date of the answer is read where there is one to compare it with.
    let since = rules::date_of(request, &header::IF_MODIFIED_SINCE);
    since.is_some_and(|since| {
        rules::date_of(&parts.headers, &header::LAST_MODIFIED).is_some_and(|modified| modified <= since)
    })
}

fn unchanged(parts: &mut response::Parts) {
    parts.status = StatusCode::NOT_MODIFIED;
    for name in [
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::CONTENT_ENCODING,
        header::ACCEPT_RANGES,
    ] {
        parts.headers.remove(name);
    }
}

/// Whether a range goes on with what the client has the beginning of (RFC 9110, 13.1.5).
fn is_still_valid(answer: &HeaderMap, request: &HeaderMap) -> bool {
    match request.get(header::IF_RANGE) {
        None => true,
        Some(value) if value.as_bytes().starts_with(b"\"") => answer.get(header::ETAG) == Some(value),
        Some(_) => {
            let given = rules::date_of(request, &header::IF_RANGE);
            given.is_some() && given == rules::date_of(answer, &header::LAST_MODIFIED)
        }
    }
}
