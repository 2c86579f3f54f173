//! A request's head, from bytes as a client sends them: whatever goes on to a backend has one host, a path, and no header
//! that is about this connection or could pose as one of ours.

#![no_main]

use std::net::Ipv6Addr;

use hostkit_proxy::fuzzing::request_head;
use http::{Method, Request, Version};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some(request) = parse(bytes) else { return };
    let Some((parts, host)) = request_head(request) else {
        return;
    };
    assert!(!host.is_empty() && host.len() <= 255);
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-._:".contains(b);
    let address = |host: &[u8]| {
        let inner = host.strip_prefix(b"[")?;
        let end = inner.iter().position(|b| *b == b']')?;
        std::str::from_utf8(&inner[..end]).ok()?.parse::<Ipv6Addr>().ok()
    };
    assert!(host.iter().all(plain) || address(&host).is_some(), "{host:?}");
    assert!(parts.uri.authority().is_none() && parts.uri.scheme().is_none());
    let path = parts.uri.path();
    assert!(
        path.starts_with('/') || (path == "*" && parts.method == Method::OPTIONS),
        "{path}"
    );
    assert!(!matches!(parts.method, Method::CONNECT | Method::TRACE));
    let headers = &parts.headers;
    assert_eq!(headers.get_all("host").iter().count(), 1);
    assert!(headers.get_all("content-length").iter().count() <= 1);
    for name in headers.keys() {
        let plain = name.as_str().replace('_', "-");
        let ours = plain.starts_with("x-forwarded")
            || plain.starts_with("x-hostkit-")
            || plain.starts_with("proxy-");
        let hop = matches!(
            &*plain,
            "keep-alive" | "expect" | "http2-settings" | "x-real-ip" | "forwarded" | "x-request-id"
        );
        assert!(!ours && !hop, "{name}");
        let framing = [
            "host",
            "content-length",
            "transfer-encoding",
            "connection",
            "upgrade",
            "te",
        ];
        assert!(plain == name.as_str() || !framing.contains(&&*plain), "{name}");
    }
    if let Some(coding) = headers.get("transfer-encoding") {
        assert_eq!(coding, "chunked");
        assert!(parts.version == Version::HTTP_11);
    }
    if let Some(connection) = headers.get("connection") {
        assert_eq!(connection, "upgrade");
        assert!(headers.contains_key("upgrade") && parts.method == Method::GET);
    } else {
        assert!(!headers.contains_key("upgrade"));
    }
});

/// A head as the parser below hyper reads it.
fn parse(bytes: &[u8]) -> Option<Request<()>> {
    let mut headers = [httparse::EMPTY_HEADER; 100];
    let mut head = httparse::Request::new(&mut headers);
    if !head.parse(bytes).ok()?.is_complete() {
        return None;
    }
    let version = if head.version? == 1 {
        Version::HTTP_11
    } else {
        Version::HTTP_10
    };
    let mut request = Request::builder()
        .method(head.method?)
        .uri(head.path?)
        .version(version);
    for header in head.headers.iter() {
        request = request.header(header.name, header.value);
    }
    request.body(()).ok()
}
