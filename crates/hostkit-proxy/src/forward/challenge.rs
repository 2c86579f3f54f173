//! Answers to a certificate authority that looks whether a host is ours (RFC 8555, 8.3). They come before every route,
//! on the plain public listener alone; while nothing is being proved, such a path is the application's.

use bytes::Bytes;
use http::{HeaderValue, Method, Response, header};

use super::head;
use crate::body::{AnswerBody, Source};
use crate::exchange::Exchange;

const FOLDER: &str = "/.well-known/acme-challenge/";

/// What is to be answered to a request, if it is such a question.
pub(super) fn proof(exchange: &Exchange) -> Option<String> {
    let token = exchange.uri.path().strip_prefix(FOLDER)?;
    let client = &exchange.client;
    let asks = matches!(exchange.method, Method::GET | Method::HEAD);
    if !asks || client.is_tls() || client.door.port.is_some() {
        return None;
    }
    let certificates = client.worker.shared.certificates.as_ref()?;
    certificates.http_challenge(token)
}

/// Answers with a proof.
pub(super) fn answer(mut exchange: Box<Exchange>, proof: String) -> Response<AnswerBody> {
    exchange.status = 200;
    let length = HeaderValue::from(proof.len());
    let body = if exchange.method == Method::HEAD {
        Source::Empty
    } else {
        Source::Full(Bytes::from(proof))
    };
    let id = exchange.id.clone();
    let mut answer = Response::new(AnswerBody::new(body, exchange));
    let headers = answer.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    headers.insert(header::CONTENT_LENGTH, length);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    head::sign_answer(headers, None, &id);
    answer
}
