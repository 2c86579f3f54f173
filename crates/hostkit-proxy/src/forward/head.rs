//! What a request's head must be, and what becomes of it. The front door is the edge: what a client says about where
//! it comes from is dropped, and nothing that two parsers could read in two ways is passed on.

use std::net::Ipv6Addr;
use std::str::FromStr;

use hostkit_core::canary::Side;
use hostkit_core::traits::front_door::{VISIT_CANARY, VISIT_HEADER};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::uri::{PathAndQuery, Uri};
use http::{Method, StatusCode, Version};

use super::trace::Trace;
use crate::exchange::Exchange;

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// What the shared cache did.
pub(crate) const X_HOSTKIT_CACHE: HeaderName = HeaderName::from_static("x-hostkit-cache");
const X_HOSTKIT_RELEASE: HeaderName = HeaderName::from_static("x-hostkit-release");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const TRACEPARENT: &str = "traceparent";
/// How many headers [`sign_request`] puts in.
pub(super) const SIGNATURES: usize = 5;
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");

/// Why a request is not taken at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: &'static str,
    /// The methods that would be taken, where it is for the method.
    pub(crate) allow: Option<&'static str>,
}

const fn bad(code: &'static str, message: &'static str) -> Refusal {
    Refusal {
        status: StatusCode::BAD_REQUEST,
        code,
        message,
        allow: None,
    }
}

const fn not_allowed(code: &'static str, message: &'static str) -> Refusal {
    Refusal {
        status: StatusCode::METHOD_NOT_ALLOWED,
        code,
        message,
        allow: Some("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
    }
}

/// The longest name of a method that is passed on; the longest one that is registered has 17 letters.
const LONGEST_METHOD: usize = 32;

/// Refuses the methods that are never passed on. Others that are not known here (PROPFIND, PURGE, QUERY) are: whether
/// they mean anything is the application's affair.
fn check_method(method: &Method) -> Result<(), Refusal> {
    match *method {
        Method::CONNECT => Err(not_allowed(
            "connect_refused",
            "the front door is no forward proxy: CONNECT is not answered here",
        )),
        // It would send back to a script what the browser keeps from it, and what the front door put in.
        Method::TRACE => Err(not_allowed("trace_refused", "TRACE is not answered here")),
        _ if method.as_str().len() > LONGEST_METHOD => Err(Refusal {
            status: StatusCode::NOT_IMPLEMENTED,
            code: "unknown_method",
            message: "the request's method is none that is known",
            allow: None,
        }),
        _ => Ok(()),
    }
}

/// What one look at a request's headers found.
#[derive(Default)]
pub(crate) struct Scan {
    hosts: usize,
    host: Option<HeaderValue>,
    codings: usize,
    is_chunked: bool,
    lengths: usize,
    has_connection: bool,
    asks_trailers: bool,
    ids: usize,
    id: Option<HeaderValue>,
    /// It says that it is HostKit's own look at what is behind a route.
    pub(crate) visits: Option<Side>,
    /// There is an Upgrade header.
    pub(crate) has_upgrade: bool,
    pub(crate) accept: Option<HeaderValue>,
    pub(super) trace: Trace,
    /// Accept-Encoding.
    pub(crate) codings_taken: Option<HeaderValue>,
    dropped: Vec<HeaderName>,
}

impl Scan {
    /// Looks at each header once: most requests have few, and looking up a dozen names would cost more.
    pub(crate) fn of(headers: &HeaderMap) -> Scan {
        let mut scan = Scan::default();
        for (name, value) in headers {
            let text = name.as_str();
            match text.as_bytes().first() {
                Some(b'h') if *name == header::HOST => {
                    scan.hosts += 1;
                    scan.host = Some(value.clone());
                }
                Some(b'c') if *name == header::CONTENT_LENGTH => scan.lengths += 1,
                Some(b'a') if *name == header::ACCEPT => {
                    scan.accept.get_or_insert_with(|| value.clone());
                }
                Some(b'a') if *name == header::ACCEPT_ENCODING => {
                    scan.codings_taken = match scan.codings_taken.take() {
                        None => Some(value.clone()),
                        Some(first) => joined(&first, value),
                    };
                }
                Some(b'x') if text == "x-request-id" => {
                    scan.ids += 1;
                    scan.id = Some(value.clone());
                }
                Some(b't') if text == TRACEPARENT => scan.trace.note(value),
                _ if is_dropped(text) => {
                    match *name {
                        header::CONNECTION => scan.has_connection = true,
                        header::UPGRADE => scan.has_upgrade = true,
                        header::TRANSFER_ENCODING => {
                            scan.codings += 1;
                            scan.is_chunked = value.as_bytes().eq_ignore_ascii_case(b"chunked");
                        }
                        header::TE => scan.asks_trailers |= has_token(value, "trailers"),
                        _ if text == VISIT_HEADER => {
                            scan.visits = Some(match value == VISIT_CANARY {
                                true => Side::Canary,
                                false => Side::Live,
                            });
                        }
                        _ => {}
                    }
                    scan.dropped.push(name.clone());
                }
                _ => {}
            }
        }
        scan
    }

    /// The request's id, where it has exactly one.
    pub(crate) fn only_id(&self) -> Option<&HeaderValue> {
        self.id.as_ref().filter(|_| self.ids == 1)
    }
}

/// Two lines of a list as one.
fn joined(first: &HeaderValue, second: &HeaderValue) -> Option<HeaderValue> {
    HeaderValue::from_bytes(&[first.as_bytes(), b",", second.as_bytes()].concat()).ok()
}

fn has_token(value: &HeaderValue, token: &str) -> bool {
    value
        .to_str()
        .is_ok_and(|list| list.split(',').any(|one| one.trim().eq_ignore_ascii_case(token)))
}

/// A checked Host header.
#[derive(Clone)]
pub(crate) struct Host {
    pub(crate) value: HeaderValue,
    /// Where the name ends and the port begins.
    end: usize,
}

impl Host {
    /// The name or address, without port.
    pub(crate) fn name(&self) -> &[u8] {
        &self.value.as_bytes()[..self.end]
    }
}

/// Checks a head, brings the target into origin form, and returns the Host header.
pub(crate) fn check(parts: &mut Parts, scan: &mut Scan) -> Result<Host, Refusal> {
    check_method(&parts.method)?;
    let host = match scan.host.take() {
        Some(host) if scan.hosts == 1 => host,
        None => return Err(bad("no_host", "the request has no Host header")),
        Some(_) => return Err(bad("many_hosts", "the request has more than one Host header")),
    };
    let Some(end) = end_of_name(host.as_bytes()) else {
        return Err(bad("bad_host", "the Host header is not a host name"));
    };
    if let Some(authority) = parts.uri.authority() {
        if !authority
            .as_str()
            .as_bytes()
            .eq_ignore_ascii_case(host.as_bytes())
        {
            return Err(bad(
                "host_mismatch",
                "the request's target and its Host header name different hosts",
            ));
        }
        let path = parts.uri.path_and_query().cloned();
        parts.uri = Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
    }
    let path = parts.uri.path();
    let is_asterisk = path == "*" && parts.method == Method::OPTIONS;
    if !path.starts_with('/') && !is_asterisk {
        return Err(bad("bad_target", "the request's target is not a path"));
    }
    // hyper drops a length that stands next to `chunked` and closes the connection after the answer.
    let fine = scan.codings == 1 && scan.is_chunked && parts.version == Version::HTTP_11;
    if scan.codings > 0 && !fine {
        return Err(bad(
            "bad_transfer_encoding",
            "the only Transfer-Encoding taken is `chunked`",
        ));
    }
    if scan.lengths > 1 {
        return Err(bad(
            "bad_content_length",
            "the request has more than one Content-Length header",
        ));
    }
    if scan.has_connection
        && connection_tokens(&parts.headers).any(|token| token.eq_ignore_ascii_case("host"))
    {
        return Err(bad("bad_connection", "the Connection header names Host"));
    }
    Ok(Host { value: host, end })
}

/// Where the name ends in `name`, `name:port`, or an address in brackets with or without port; nothing if it is none
/// of these.
fn end_of_name(host: &[u8]) -> Option<usize> {
    let (name, rest) = match host.strip_prefix(b"[") {
        // What stands in brackets is an address of IPv6, and nothing else (RFC 3986, 3.2.2).
        Some(inner) => {
            let end = inner.iter().position(|b| *b == b']')?;
            Ipv6Addr::from_str(std::str::from_utf8(&inner[..end]).ok()?).ok()?;
            (&inner[..end], &inner[end + 1..])
        }
        None => {
            let end = host.iter().position(|b| *b == b':').unwrap_or(host.len());
            let fine = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
            if !host[..end].iter().all(fine) {
                return None;
            }
            (&host[..end], &host[end..])
        }
    };
    let port_fine = match rest.strip_prefix(b":") {
        Some(port) => port.len() <= 5 && port.iter().all(u8::is_ascii_digit),
        None => rest.is_empty(),
    };
    ((1..=255).contains(&name.len()) && port_fine).then_some(host.len() - rest.len())
}

/// Whether an upgrade the client asks for is passed on. `h2c` is not: behind it a client would speak to the backend
/// without anybody looking.
pub(crate) fn may_upgrade(parts: &Parts) -> bool {
    let mut protocols = parts.headers.get_all(header::UPGRADE).iter();
    let one = match (protocols.next(), protocols.next()) {
        (Some(protocol), None) => protocol,
        _ => return false,
    };
    parts.version == Version::HTTP_11
        && parts.method == Method::GET
        && connection_tokens(&parts.headers).any(|token| token.eq_ignore_ascii_case("upgrade"))
        && one.to_str().is_ok_and(|names| {
            !names.split(',').any(|name| {
                name.trim()
                    .get(..2)
                    .is_some_and(|start| start.eq_ignore_ascii_case("h2"))
            })
        })
}

fn connection_tokens(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|token| !token.is_empty())
}

/// Takes from a request's head what does not go on to the backend: hop-by-hop and spoofable headers.
pub(crate) fn strip_request(headers: &mut HeaderMap, scan: Scan, upgrade: bool) {
    if scan.has_connection {
        for name in connection_named(headers) {
            headers.remove(name);
        }
    }
    let protocol = if upgrade {
        headers.get(header::UPGRADE).cloned()
    } else {
        None
    };
    for name in scan.dropped {
        headers.remove(name);
    }
    if scan.trace.is_bad() {
        headers.remove(TRACEPARENT);
        headers.remove("tracestate");
    }
    if scan.ids > 0 {
        headers.remove(X_REQUEST_ID);
    }
    if let Some(protocol) = protocol {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, protocol);
    }
    if scan.asks_trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    if scan.is_chunked {
        // Of a body without a length hyper believes that GET and HEAD have none, unless it is said.
        headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
}

/// Tells the backend where a request comes from.
pub(crate) fn sign_request(headers: &mut HeaderMap, exchange: &Exchange) {
    let client = &exchange.client;
    // On a new connection the map is as large as the request's head: it grows once, not once and again.
    headers.reserve(SIGNATURES);
    // Nothing of these names is there any more: adding to them costs less than replacing them.
    headers.append(X_FORWARDED_FOR, client.peer.clone());
    headers.append(X_FORWARDED_PROTO, client.door.scheme.clone());
    headers.append(X_FORWARDED_PORT, client.door.port_text.clone());
    if let Some(host) = &exchange.host {
        headers.append(X_FORWARDED_HOST, host.value.clone());
    }
    headers.append(X_REQUEST_ID, exchange.id.clone());
}

/// Headers named by Connection that belong to this hop only.
fn connection_named(headers: &HeaderMap) -> Vec<HeaderName> {
    connection_tokens(headers)
        .filter(|token| !is_plain(token.as_bytes()))
        .filter_map(|token| HeaderName::from_bytes(token.as_bytes()).ok())
        .collect()
}

/// Whether a word of the Connection header names no other header.
fn is_plain(token: &[u8]) -> bool {
    [&b"keep-alive"[..], b"close", b"upgrade"]
        .iter()
        .any(|known| token.eq_ignore_ascii_case(known))
}

/// Whether a request header does not go on to the backend.
fn is_dropped(name: &str) -> bool {
    if name.contains('_') {
        // CGI-like interfaces read `_` and `-` as the same letter: such a name could pose as one of these.
        let name = name.replace('_', "-");
        return is_dropped(&name) || matches!(name.as_str(), "content-length" | "host" | "x-request-id");
    }
    match name.as_bytes().first() {
        Some(b'c') => name == "connection",
        Some(b'e') => name == "expect",
        Some(b'f') => name == "forwarded",
        Some(b'h') => name == "http2-settings",
        Some(b'k') => name == "keep-alive",
        Some(b'p') => name.starts_with("proxy-") || name == "proxy",
        Some(b't') => name == "te" || name == "transfer-encoding",
        Some(b'u') => name == "upgrade",
        Some(b'x') => {
            name.starts_with("x-forwarded") || name.starts_with("x-hostkit-") || name == "x-real-ip"
        }
        _ => false,
    }
}

/// Drops from a request's trailers what would have been dropped from its head, and what must not come late.
pub(crate) fn strip_trailers(trailers: &mut HeaderMap) {
    let dropped: Vec<HeaderName> = trailers
        .keys()
        .filter(|name| {
            is_dropped(name.as_str())
                || matches!(
                    name.as_str(),
                    "host" | "content-length" | "authorization" | "cookie" | "x-request-id"
                )
        })
        .cloned()
        .collect();
    for name in dropped {
        trailers.remove(name);
    }
}

/// An answer that cannot be passed on without changing its meaning.
#[derive(Debug)]
pub(crate) struct Malformed;

/// The headers of an answer that are about the connection to the backend alone.
static ANSWER_HOPS: [HeaderName; 6] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::TE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// Whether a header of a backend's answer never goes on to the client and means nothing to us.
pub(crate) fn is_left_out(name: &str) -> bool {
    match name.as_bytes().first() {
        Some(b'k') => name == "keep-alive",
        Some(b'p') => name == "proxy-connection",
        Some(b'x') => name == "x-request-id" || name == "x-hostkit-release" || name == "x-hostkit-cache",
        _ => false,
    }
}

/// Takes the hop-by-hop headers from a backend's answer.
pub(crate) fn edit_answer(headers: &mut HeaderMap) -> Result<(), Malformed> {
    let mut there = [false; 6];
    let mut names_others = false;
    let mut codings = 0;
    let mut is_signed = false;
    // One look at each: most answers have none or one of them, and asking for all would cost more.
    for (name, value) in &*headers {
        if !matches!(
            name.as_str().as_bytes().first(),
            Some(b'c' | b'k' | b'p' | b't' | b'u')
        ) {
            is_signed |= name.as_str().starts_with("x-");
            continue;
        }
        let Some(at) = ANSWER_HOPS.iter().position(|hop| hop == name) else {
            continue;
        };
        there[at] = true;
        if *name == header::CONNECTION {
            names_others |= !is_plain(value.as_bytes());
        } else if *name == header::TRANSFER_ENCODING {
            codings += 1;
            if codings > 1 || !value.as_bytes().eq_ignore_ascii_case(b"chunked") {
                return Err(Malformed);
            }
        }
    }
    if names_others {
        for name in connection_named(headers) {
            headers.remove(name);
        }
    }
    for (name, _) in ANSWER_HOPS.iter().zip(there).filter(|(_, there)| *there) {
        headers.remove(name);
    }
    if codings > 0 {
        headers.remove(header::CONTENT_LENGTH);
    }
    if is_signed {
        unsign_answer(headers);
    }
    Ok(())
}

/// Takes from a backend's answer what only the front door says.
pub(crate) fn unsign_answer(headers: &mut HeaderMap) {
    headers.remove(X_REQUEST_ID);
    headers.remove(X_HOSTKIT_RELEASE);
    headers.remove(X_HOSTKIT_CACHE);
}

/// Notes on an answer who gave it and which request it is to. A backend's answer was unsigned before: adding
/// to headers costs less than replacing them.
pub(crate) fn sign_answer(headers: &mut HeaderMap, release: Option<&HeaderValue>, id: &HeaderValue) {
    if let Some(release) = release {
        headers.append(X_HOSTKIT_RELEASE, release.clone());
    }
    headers.append(X_REQUEST_ID, id.clone());
}
