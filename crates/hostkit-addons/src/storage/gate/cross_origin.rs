//! Pages of other origins: the browser asks first (`OPTIONS`), and shows the page of an answer what its headers allow.
//! The rules of the bucket decide.

use hostkit_core::storage::cors::{Asked, CorsRule, rule};
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HOST, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, Method, Request, Response};
use s3s::Body;

use crate::storage::names::BucketName;
use crate::storage::s3::Storage;

/// A page of another origin, and the rule that allows what it asks.
pub(super) struct Page {
    origin: String,
    headers: String,
    rule: CorsRule,
}

impl Page {
    /// The page that a request comes from, if a rule of the bucket allows the request.
    pub(super) async fn of<B>(storage: &Storage, request: &Request<B>) -> Option<Self> {
        let text = |name: &HeaderName| request.headers().get(name)?.to_str().ok();
        let origin = text(&ORIGIN)?.to_owned();
        let is_question = request.method() == Method::OPTIONS;
        let (method, headers) = match is_question {
            true => (
                text(&ACCESS_CONTROL_REQUEST_METHOD)?.to_owned(),
                text(&ACCESS_CONTROL_REQUEST_HEADERS)
                    .unwrap_or_default()
                    .to_owned(),
            ),
            false => (request.method().as_str().to_owned(), String::new()),
        };
        let bucket = bucket(storage, text(&HOST), request.uri().path())?;
        let rules = storage.cors_rules(&bucket).await.ok()?;
        let asked = Asked {
            origin: &origin,
            method: &method,
            headers: headers
                .split(',')
                .map(str::trim)
                .filter(|name| !name.is_empty())
                .collect(),
        };
        let rule = rule(&rules, &asked)?.clone();
        Some(Page {
            origin,
            headers,
            rule,
        })
    }

    /// Answers the question of a browser.
    pub(super) fn preflight(&self) -> Option<Response<Body>> {
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        self.mark(headers);
        headers.insert(
            ACCESS_CONTROL_ALLOW_METHODS,
            self.rule.methods.join(", ").parse().ok()?,
        );
        if !self.headers.is_empty() {
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, self.headers.parse().ok()?);
        }
        if let Some(seconds) = self.rule.max_age {
            headers.insert(ACCESS_CONTROL_MAX_AGE, seconds.into());
        }
        Some(response)
    }

    /// Allows the page to see an answer.
    pub(super) fn mark(&self, headers: &mut HeaderMap) {
        let is_for_all = self.rule.is_for_all();
        let origin = if is_for_all { "*" } else { self.origin.as_str() };
        let mut set = |name: HeaderName, value: &str| {
            if let Ok(value) = value.parse() {
                headers.append(name, value);
            }
        };
        set(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        set(
            VARY,
            "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
        );
        if !is_for_all {
            set(ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
        }
        if !self.rule.exposed.is_empty() {
            set(ACCESS_CONTROL_EXPOSE_HEADERS, &self.rule.exposed.join(", "));
        }
    }
}

/// The bucket that a request is for, if it is one of ours.
fn bucket(storage: &Storage, host: Option<&str>, path: &str) -> Option<BucketName> {
    let settings = storage.settings();
    let name = host
        .and_then(|host| crate::storage::s3::bucket_of_host(&settings.hosts, host))
        .or_else(|| path.strip_prefix('/')?.split('/').next())?;
    settings.bucket(name).map(|bucket| bucket.name.clone())
}
