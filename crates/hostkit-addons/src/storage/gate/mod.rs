//! What is judged of a request before the protocol sees it, because `s3s` does not: which signatures are taken
//! ([`signed`]), how large the chunks of a body may be ([`chunks`]), what pages of other origins may ([`cross_origin`]); what
//! visitors read through the front door ([`public`]); what whoever runs the server asks ([`operator`]); and what becomes of a
//! body that nobody read ([`unread`]).

mod chunks;
mod cross_origin;
mod operator;
mod public;
mod signed;
mod unread;

use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use s3s::service::S3Service;
use s3s::{Body, S3Error, S3ErrorCode};

use super::s3::Storage;
use chunks::WithLimit;
use unread::Watched;

/// A storage as it is reached by HTTP. Clones are handles to the same one.
#[derive(Clone)]
pub struct Gate {
    storage: Storage,
    service: S3Service,
}

impl Gate {
    /// The gate of a storage.
    pub fn new(storage: Storage) -> Self {
        let service = storage.service();
        Gate { storage, service }
    }

    /// Answers a request.
    pub async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let waits = request.headers().contains_key(header::EXPECT);
        let (head, body) = request.into_parts();
        let (body, rest) = Watched::new(body, waits);
        let mut response = self.judge(Request::from_parts(head, body)).await;
        if !rest.throw_away().await {
            let headers = response.headers_mut();
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    async fn judge(&self, request: Request<Watched>) -> Response<Body> {
        if request.uri().path() == super::READY && request.method() == Method::GET {
            return Response::new(Body::from("ready\n".to_owned()));
        }
        if request.uri().path().starts_with("/-/") {
            return operator::answer(&self.storage, request).await;
        }
        let visit = public::Visit::of(&self.storage, &request);
        let request = match &visit {
            Some(visit) => match visit.as_a_client(request) {
                Ok(request) => request,
                Err(refusal) => return *refusal,
            },
            None => request,
        };
        let page = cross_origin::Page::of(&self.storage, &request).await;
        if request.method() == Method::OPTIONS {
            return match page.and_then(|page| page.preflight()) {
                Some(answer) => answer,
                None => refusal(
                    S3ErrorCode::AccessDenied,
                    "No CORS rule of the bucket allows this.",
                ),
            };
        }
        let mut response = self.pass(request).await;
        if let Some(page) = page {
            page.mark(response.headers_mut());
        }
        // What is stored is the clients' own, and is never taken for something else than it says it is.
        response
            .headers_mut()
            .insert("x-content-type-options", HeaderValue::from_static("nosniff"));
        if visit.is_some() {
            public::guard(response.headers_mut());
        }
        response
    }

    async fn pass(&self, mut request: Request<Watched>) -> Response<Body> {
        if let Err(why) = signed::check(&mut request) {
            return why.to_http_response().unwrap_or_else(|_| broken());
        }
        let is_chunked = request
            .headers()
            .get("x-amz-content-sha256")
            .is_some_and(|value| value.as_bytes().starts_with(b"STREAMING-"));
        let request = request.map(|body| match is_chunked {
            true => Body::http_body(WithLimit::new(body)),
            false => Body::http_body(body),
        });
        match self.service.call(request).await {
            Ok(response) => response,
            Err(why) => {
                let why: s3s::StdError = why.into();
                tracing::error!("cannot answer a request: {why}");
                broken()
            }
        }
    }
}

fn refusal(code: S3ErrorCode, why: &'static str) -> Response<Body> {
    S3Error::with_message(code, why)
        .to_http_response()
        .unwrap_or_else(|_| broken())
}

fn broken() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}
