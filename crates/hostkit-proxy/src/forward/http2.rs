//! A request that came by HTTP/2, written as it would have been in HTTP/1.1: from there on both go the same way. That
//! headers about connections are not among its own is seen to by the protocol's library (RFC 9113, 8.2.2).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{self, HeaderMap, HeaderName};
use http::{HeaderValue, Method, Request, StatusCode, Version, response};
use hyper::body::{Body, Incoming};
use hyper::ext::Protocol;

const WEBSOCKET: &str = "websocket";

/// Rewrites a request's head.
pub(super) fn write_as_http1(request: &mut Request<Incoming>) {
    *request.version_mut() = Version::HTTP_11;
    let host = request.uri().authority().map(|authority| authority.as_str());
    let host = host.and_then(|host| HeaderValue::from_str(host).ok());
    // One that is there already is compared with the target, as in HTTP/1.1.
    if let Some(host) = host
        && !request.headers().contains_key(header::HOST)
    {
        request.headers_mut().insert(header::HOST, host);
    }
    join_cookies(request.headers_mut());
    let opens = request
        .extensions()
        .get::<Protocol>()
        .is_some_and(|protocol| protocol.as_str() == WEBSOCKET);
    if opens && request.method() == Method::CONNECT {
        *request.method_mut() = Method::GET;
        ask_for_websocket(request.headers_mut());
    } else if !request.body().is_end_stream() && !request.headers().contains_key(header::CONTENT_LENGTH) {
        let chunked = HeaderValue::from_static("chunked");
        request.headers_mut().insert(header::TRANSFER_ENCODING, chunked);
    }
}

/// Clients may send each cookie as a header of its own; in HTTP/1.1 there is one (RFC 9113, 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut cookies = headers.get_all(header::COOKIE).iter();
    let (Some(first), Some(_)) = (cookies.next(), cookies.next()) else {
        return;
    };
    let mut joined = first.as_bytes().to_vec();
    for cookie in headers.get_all(header::COOKIE).iter().skip(1) {
        joined.extend_from_slice(b"; ");
        joined.extend_from_slice(cookie.as_bytes());
    }
    if let Ok(joined) = HeaderValue::from_bytes(&joined) {
        headers.insert(header::COOKIE, joined);
    }
}

/// A WebSocket begins with less in HTTP/2 (RFC 8441): what HTTP/1.1 wants besides is put in.
fn ask_for_websocket(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static(WEBSOCKET));
    let mut key = [0; 16];
    // Nobody relies on it: it keeps caches that know no WebSocket from answering.
    getrandom::fill(&mut key).ok();
    if let Ok(key) = HeaderValue::from_str(&STANDARD.encode(key)) {
        headers.insert(header::SEC_WEBSOCKET_KEY, key);
    }
}

/// Makes the answer that begins a tunnel one of HTTP/2.
pub(super) fn accept(answer: &mut response::Parts) {
    const HOPS: [HeaderName; 3] = [header::CONNECTION, header::UPGRADE, header::SEC_WEBSOCKET_ACCEPT];
    answer.status = StatusCode::OK;
    for name in HOPS {
        answer.headers.remove(name);
    }
}
