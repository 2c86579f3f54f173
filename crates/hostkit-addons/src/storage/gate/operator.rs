//! What whoever runs the server asks: with a token of the settings, which no client of the storage has.

use http::{Method, Request, Response, StatusCode, header};
use s3s::Body;

use super::broken;
use crate::storage::s3::Storage;

/// Tells how the storage is.
pub(super) async fn answer<B>(storage: &Storage, request: &Request<B>) -> Response<Body> {
    let header = request.headers().get(header::AUTHORIZATION);
    let token = header
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    if !token.is_some_and(|token| storage.settings().is_operator(token)) {
        return status(StatusCode::FORBIDDEN);
    }
    if request.method() != Method::GET {
        return status(StatusCode::METHOD_NOT_ALLOWED);
    }
    let state = match storage.state().await {
        Ok(state) => state,
        Err(why) => {
            tracing::error!("cannot tell how the storage is: {why}");
            return broken();
        }
    };
    serde_json::to_string(&state).map_or_else(|_| broken(), |text| Response::new(Body::from(text)))
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
