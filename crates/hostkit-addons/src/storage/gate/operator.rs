//! What whoever runs the server asks: with a token of the settings, which no client of the storage has.

use bytes::Bytes;
use hostkit_core::storage::BucketRules;
use http::{Method, Request, Response, StatusCode, header};
use http_body::Body as HttpBody;
use http_body_util::{BodyExt, Limited};
use s3s::Body;

use super::broken;
use crate::storage::error::StorageError;
use crate::storage::s3::Storage;
use crate::storage::{RULES, STATE};

/// The most bytes of rules.
const MOST: usize = 4 << 20;

/// Tells how the storage is, or sets the rules of a bucket.
pub(super) async fn answer<B>(storage: &Storage, request: Request<B>) -> Response<Body>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let header = request.headers().get(header::AUTHORIZATION);
    let token = header
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    if !token.is_some_and(|token| storage.settings().is_operator(token)) {
        return said(StatusCode::FORBIDDEN, String::new());
    }
    let path = request.uri().path().to_owned();
    match (request.method(), path.strip_prefix(RULES)) {
        (&Method::GET, None) if path == STATE => tell(storage).await,
        (&Method::PUT, Some(bucket)) => set(storage, bucket, request.into_body()).await,
        _ => said(StatusCode::NOT_FOUND, String::new()),
    }
}

async fn tell(storage: &Storage) -> Response<Body> {
    match storage.state().await {
        Ok(state) => {
            serde_json::to_string(&state).map_or_else(|_| broken(), |text| said(StatusCode::OK, text))
        }
        Err(why) => failed(&why),
    }
}

async fn set<B>(storage: &Storage, bucket: &str, body: B) -> Response<Body>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let Some(bucket) = storage
        .settings()
        .bucket(bucket)
        .map(|bucket| bucket.name.clone())
    else {
        return said(StatusCode::NOT_FOUND, StorageError::NoSuchBucket.to_string());
    };
    let Ok(text) = Limited::new(body, MOST).collect().await else {
        return said(
            StatusCode::BAD_REQUEST,
            "the rules are too long, or did not come".to_owned(),
        );
    };
    let rules: BucketRules = match serde_json::from_slice(&text.to_bytes()) {
        Ok(rules) => rules,
        Err(why) => return said(StatusCode::BAD_REQUEST, why.to_string()),
    };
    if let Err(failure) = rules.check() {
        return said(StatusCode::BAD_REQUEST, failure.message);
    }
    match storage.set_rules(bucket, &rules).await {
        Ok(()) => said(StatusCode::OK, String::new()),
        Err(why) => failed(&why),
    }
}

fn failed(why: &StorageError) -> Response<Body> {
    if let StorageError::DiskFull = why {
        return said(StatusCode::INSUFFICIENT_STORAGE, why.to_string());
    }
    tracing::error!("cannot answer whoever runs the storage: {why}");
    broken()
}

fn said(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
}
