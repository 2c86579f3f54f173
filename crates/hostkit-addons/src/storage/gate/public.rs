//! What visitors read through the front door: `GET` and `HEAD` of public objects, at a path of the environment's own hosts.
//! They are clients without keys, whatever they send along, and what they get runs nothing in the name of the site.

use hostkit_core::storage::PUBLIC_PATH;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use s3s::Body;

use crate::storage::names::BucketName;
use crate::storage::s3::Storage;

/// What is heard of a visitor. Nothing else of a request reaches the storage.
const HEARD: [HeaderName; 7] = [
    header::RANGE,
    header::IF_RANGE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
    header::ORIGIN,
];

/// A request that came below the public path.
pub(super) struct Visit {
    bucket: Option<BucketName>,
    key: String,
}

impl Visit {
    /// What of a request is a visit.
    pub(super) fn of<B>(storage: &Storage, request: &Request<B>) -> Option<Self> {
        let key = request.uri().path().strip_prefix(PUBLIC_PATH)?;
        // No bucket is called so: `_` is in no name of one.
        let key = key.strip_prefix('/').unwrap_or_default();
        let bucket = storage
            .settings()
            .buckets
            .first()
            .map(|bucket| bucket.name.clone());
        Some(Visit {
            bucket,
            key: key.to_owned(),
        })
    }

    /// The same request as a client without keys would make it.
    pub(super) fn as_a_client<B>(&self, request: Request<B>) -> Result<Request<B>, Box<Response<Body>>> {
        let (mut head, body) = request.into_parts();
        if ![Method::GET, Method::HEAD].contains(&head.method) {
            let mut refusal = refused(StatusCode::METHOD_NOT_ALLOWED);
            let allowed = HeaderValue::from_static("GET, HEAD");
            refusal.headers_mut().insert(header::ALLOW, allowed);
            return Err(Box::new(refusal));
        }
        let Some(bucket) = self.bucket.as_ref().filter(|_| !self.key.is_empty()) else {
            return Err(Box::new(refused(StatusCode::NOT_FOUND)));
        };
        head.uri = format!("/{bucket}/{}", self.key)
            .parse::<Uri>()
            .map_err(|_| Box::new(refused(StatusCode::BAD_REQUEST)))?;
        let mut heard = HeaderMap::new();
        for name in HEARD {
            heard.extend(head.headers.remove(&name).map(|value| (name, value)));
        }
        heard.insert(header::HOST, HeaderValue::from_static("localhost"));
        head.headers = heard;
        Ok(Request::from_parts(head, body))
    }
}

/// What the project's programs stored may be what a visitor sent them: a page of it is none of the site's, and what they
/// noted beside an object is not the visitors' to know.
pub(super) fn guard(headers: &mut HeaderMap) {
    let of_s3 = |name: &&HeaderName| name.as_str().starts_with("x-amz-");
    let theirs: Vec<HeaderName> = headers.keys().filter(of_s3).cloned().collect();
    for name in theirs {
        headers.remove(name);
    }
    let kind = headers.get(header::CONTENT_TYPE);
    // Browsers show no document in a sandbox, and one runs nothing.
    if kind.is_none_or(|kind| kind != "application/pdf") {
        let sandbox = HeaderValue::from_static("sandbox");
        headers.insert(header::CONTENT_SECURITY_POLICY, sandbox);
    }
}

fn refused(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
