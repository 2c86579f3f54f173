//! What is kept of a request in order to send it once more, where that does no harm: it is idempotent and has no body
//! that is gone once sent. The rest of it stands in the exchange.

use http::header::{self, HeaderName, HeaderValue};
use http::{Method, Request};

use super::head;
use crate::body::RequestBody;
use crate::exchange::Exchange;

/// Whether a request that was sent may be sent once more. One that can leave a canary may also if it was sent twice: the
/// live release has not seen it.
pub(super) fn allowed(exchange: &Exchange, may_leave: bool) -> bool {
    let idempotent = matches!(
        exchange.method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE
    );
    idempotent && exchange.progress.is_none() && (may_leave || !exchange.repeated)
}

/// The client's headers of a request that may be sent twice. Not yet signed, and a list rather than a map: it is made
/// for every request and hardly ever used.
pub(super) fn keep(
    request: &Request<RequestBody>,
    exchange: &Exchange,
) -> Option<Vec<(HeaderName, HeaderValue)>> {
    if !allowed(exchange, false) {
        return None;
    }
    // Host is the one header every request has: the exchange knows it.
    let mut kept = Vec::new();
    if request.headers().len() > 1 {
        kept.reserve_exact(request.headers().len() - 1);
        let others = request
            .headers()
            .iter()
            .filter(|(name, _)| **name != header::HOST);
        kept.extend(others.map(|(name, value)| (name.clone(), value.clone())));
    }
    Some(kept)
}

/// The request of an exchange once more, if it may be sent twice and was not yet; also if it was, where it can leave a
/// canary.
pub(super) fn again(exchange: &mut Exchange, may_leave: bool) -> Option<Request<RequestBody>> {
    let kept = match may_leave {
        true => exchange.spare.clone()?,
        false => exchange.spare.take().filter(|_| !exchange.repeated)?,
    };
    exchange.repeated = true;
    let mut request = Request::new(RequestBody::default());
    *request.method_mut() = exchange.method.clone();
    *request.uri_mut() = exchange.target().clone();
    let headers = request.headers_mut();
    headers.reserve(kept.len() + 1 + head::SIGNATURES);
    if let Some(host) = &exchange.host {
        headers.insert(header::HOST, host.value.clone());
    }
    for (name, value) in kept {
        headers.append(name, value);
    }
    head::sign_request(headers, exchange);
    Some(request)
}
