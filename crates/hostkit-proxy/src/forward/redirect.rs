//! From plain HTTP to https, where a route asks for it and the host has a certificate.

use http::{HeaderValue, Method, Response, StatusCode, header};

use super::head;
use crate::body::{AnswerBody, Source};
use crate::exchange::Exchange;
use crate::table::LiveRoute;

/// Browsers keep a permanent redirect for as long as they like; for an hour a mistake can be lived with.
const KEPT: HeaderValue = HeaderValue::from_static("max-age=3600");

/// The port https is spoken on, where the request is to be sent there. HostKit itself is not: it looks at what is
/// behind the route. Nor is anybody whose browser would only warn of what it finds there.
pub(super) fn port(exchange: &Exchange, route: &LiveRoute) -> Option<u16> {
    let port = exchange.client.door.https_port.filter(|_| route.to_https)?;
    if exchange.visits.is_some() {
        return None;
    }
    let host = std::str::from_utf8(exchange.host.as_ref()?.name()).ok()?;
    let certificates = exchange.client.worker.shared.certificates.as_ref()?;
    certificates.has(host).then_some(port)
}

/// Sends the client to the same address over https. A method other than GET and HEAD is kept as it is.
pub(super) fn answer(mut exchange: Box<Exchange>, port: u16) -> Response<AnswerBody> {
    let status = match exchange.method {
        Method::GET | Method::HEAD => StatusCode::MOVED_PERMANENTLY,
        _ => StatusCode::PERMANENT_REDIRECT,
    };
    let location = location(&exchange, port);
    exchange.status = status.as_u16();
    let release = exchange.route.as_ref().and_then(|route| route.release.clone());
    let id = exchange.id.clone();
    let mut answer = Response::new(AnswerBody::new(Source::Empty, exchange));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    if let Some(location) = location {
        headers.insert(header::LOCATION, location);
    }
    headers.insert(header::CACHE_CONTROL, KEPT);
    head::sign_answer(headers, release.as_ref(), &id);
    answer
}

fn location(exchange: &Exchange, port: u16) -> Option<HeaderValue> {
    let mut location = b"https://".to_vec();
    location.extend_from_slice(exchange.host.as_ref()?.name());
    if port != 443 {
        location.extend_from_slice(format!(":{port}").as_bytes());
    }
    let target = exchange.uri.path_and_query().map(|target| target.as_str());
    // `OPTIONS *` is about the server as a whole.
    location.extend_from_slice(
        target
            .filter(|target| target.starts_with('/'))
            .unwrap_or("/")
            .as_bytes(),
    );
    HeaderValue::from_bytes(&location).ok()
}
