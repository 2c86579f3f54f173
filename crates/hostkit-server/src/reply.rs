//! Answers. The one place where a kind of failure becomes an HTTP status, and where inner details of our own faults
//! are kept back: they are logged under a reference, and only the reference is sent.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use hostkit_api::endpoint::{Form, Payload};
use hostkit_api::error::ErrorBody;
use hostkit_core::kind::{Failure, Kind};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, StatusCode};

/// An answer of the endpoint's kind.
pub(crate) fn success<P: Payload>(value: &P::Value) -> Response {
    match P::encode(value) {
        Ok(bytes) => with(P::STATUS, P::FORM, bytes.into()),
        Err(why) => failure(why),
    }
}

/// An answer with a body of some form.
pub(crate) fn with(status: u16, form: Form, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let headers = response.headers_mut();
    if let Some(media) = form.media() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// The answer to what went wrong.
pub(crate) fn failure(failure: Failure) -> Response {
    let failure = told(failure);
    let kind = failure.kind;
    let bytes = line(failure);
    let mut response = with(kind.http_status(), Form::Json, bytes.into());
    let headers = response.headers_mut();
    match kind {
        Kind::Unauthenticated => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        Kind::Unavailable => {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        _ => {}
    }
    response
}

/// The body of an answer to what went wrong.
pub(crate) fn line(failure: Failure) -> Bytes {
    serde_json::to_vec(&ErrorBody::from(failure))
        .unwrap_or_default()
        .into()
}

/// What of a failure leaves the house.
pub(crate) fn told(failure: Failure) -> Failure {
    if failure.kind != Kind::Internal {
        return failure;
    }
    let reference = format!("{:08x}", jiff::Timestamp::now().as_nanosecond() as u32);
    tracing::error!(reference, why = failure.message, details = ?failure.details, "A call failed by our own fault");
    Failure::new(
        Kind::Internal,
        format!("cannot do this: HostKit failed, its log has the reason under `{reference}`"),
    )
    .hint("look into HostKit's own log, or run `hostkit doctor`")
}
