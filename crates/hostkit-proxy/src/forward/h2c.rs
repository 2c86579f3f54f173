//! A request on its way to a backend that speaks HTTP/2 without TLS. Until there it is written as in HTTP/1.1, as every
//! request is; headers about connections are left out by the protocol's library (RFC 9113, 8.2.2).

use std::error::Error;

use http::header::{self, HeaderMap};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Uri, Version};

use crate::body::RequestBody;
use crate::exchange::Exchange;

/// Rewrites a request's head.
pub(super) fn write_as_http2(request: &mut Request<RequestBody>, exchange: &Exchange) {
    *request.version_mut() = Version::HTTP_2;
    request.headers_mut().remove(header::HOST);
    let host = exchange.host.as_ref();
    let authority = host.and_then(|host| Authority::try_from(host.value.as_bytes()).ok());
    let mut target = http::uri::Parts::default();
    target.scheme = Some(Scheme::HTTP);
    target.authority = Some(authority.unwrap_or_else(|| Authority::from_static("localhost")));
    target.path_and_query = Some(match request.uri().path_and_query() {
        Some(path) => path.clone(),
        None => PathAndQuery::from_static("/"),
    });
    if let Ok(target) = Uri::from_parts(target) {
        *request.uri_mut() = target;
    }
}

/// Takes that back, for a request that was not sent: where it goes next, another protocol may be spoken.
pub(super) fn write_back(request: &mut Request<RequestBody>, exchange: &Exchange) {
    *request.version_mut() = Version::HTTP_11;
    if let Some(host) = &exchange.host {
        request.headers_mut().insert(header::HOST, host.value.clone());
    }
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
}

/// Whether a request is a call of gRPC. Its client says how long it waits, in the call, or waits for as long as it
/// takes: both sides may be silent while it is under way.
pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    const GRPC: &[u8] = b"application/grpc";
    let kind = headers.get(header::CONTENT_TYPE).map(|kind| kind.as_bytes());
    let rest = kind.and_then(|kind| kind.strip_prefix(GRPC));
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

/// Whether an error is the end of one request alone, and says nothing of the backend.
pub(super) fn is_of_one_request(error: &hyper::Error) -> bool {
    let source = error
        .source()
        .and_then(|source| source.downcast_ref::<h2::Error>());
    source.is_some_and(h2::Error::is_reset)
}
