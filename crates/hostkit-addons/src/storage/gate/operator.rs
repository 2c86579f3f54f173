//! What whoever runs the server asks: with a token of the settings, which no client of the storage has. They are trusted
//! with all that it holds, and what they put is looked at all the same.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::unfold;
use hostkit_core::storage::BucketRules;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::{Body as HttpBody, Frame};
use http_body_util::{BodyExt, Limited, StreamBody};
use s3s::Body;
use tokio::time::timeout;

use super::broken;
use crate::storage::backup::COUNTS;
use crate::storage::error::StorageError;
use crate::storage::s3::Storage;
use crate::storage::{COPY, RESTORE, RULES, STATE};

/// The most bytes of rules.
const MOST: usize = 4 << 20;
/// A copy of which nothing comes for so long is given up. Its bytes may come from far away.
const PATIENCE: Duration = Duration::from_secs(600);

/// Tells how the storage is, sets the rules of a bucket, gives or takes a copy.
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
        (&Method::GET, None) if path == COPY => give(storage).await,
        (&Method::PUT, None) if path == RESTORE => take(storage, request.into_body()).await,
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

async fn give(storage: &Storage) -> Response<Body> {
    let copy = match storage.copy_all().await {
        Ok(copy) => copy,
        Err(why) => return failed(&why),
    };
    let counts = serde_json::to_string(&copy.counts).ok();
    let Some(counts) = counts.and_then(|text| HeaderValue::from_str(&text).ok()) else {
        return broken();
    };
    let pieces = unfold(copy.pieces, |mut pieces| async move {
        let piece = pieces.recv().await?;
        Some((piece.map(|bytes| Frame::data(Bytes::from(bytes))), pieces))
    });
    let mut response = Response::new(Body::http_body_unsync(StreamBody::new(pieces)));
    response.headers_mut().insert(COUNTS, counts);
    response
}

/// All of the body is taken, also where what it is was clear before: then the answer is read, too.
async fn take<B>(storage: &Storage, body: B) -> Response<Body>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (to, work) = storage.bring_in();
    let fed = async move {
        let mut body = std::pin::pin!(body);
        let broken_off = |why: Box<dyn std::error::Error + Send + Sync>| {
            io::Error::new(io::ErrorKind::ConnectionAborted, why)
        };
        loop {
            let piece = match timeout(PATIENCE, body.frame()).await {
                Ok(None) => return,
                Ok(Some(Ok(frame))) => Ok(frame.into_data().unwrap_or_default()),
                Ok(Some(Err(why))) => Err(broken_off(why.into())),
                Err(_) => Err(broken_off("nothing came any more".into())),
            };
            let is_over = piece.is_err();
            // Whoever does not want the rest has said why.
            drop(to.send(piece).await);
            if is_over {
                return;
            }
        }
    };
    match tokio::join!(work, fed).0 {
        Ok(counts) => {
            serde_json::to_string(&counts).map_or_else(|_| broken(), |text| said(StatusCode::OK, text))
        }
        Err(why) => failed(&why),
    }
}

fn failed(why: &StorageError) -> Response<Body> {
    match why {
        StorageError::DiskFull => return said(StatusCode::INSUFFICIENT_STORAGE, why.to_string()),
        StorageError::NoCopy(_)
        | StorageError::Damaged(_)
        | StorageError::Incomplete(_)
        | StorageError::OtherBytes(_) => {
            return said(StatusCode::UNPROCESSABLE_ENTITY, why.to_string());
        }
        _ => {}
    }
    tracing::error!("cannot answer whoever runs the storage: {why}");
    broken()
}

fn said(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
}
