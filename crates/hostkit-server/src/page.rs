//! The loopback port is reached by browsers too: a small page that says what this is, and a guard against pages of
//! other sites that point their own name at it (DNS rebinding).

use std::fmt::Write;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use hostkit_core::kind::{Failure, Kind};
use http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::reply;
use crate::shared::Shared;

const PAGE: &str = include_str!("page.html");

const HEADERS: [(HeaderName, &str); 5] = [
    (CONTENT_TYPE, "text/html; charset=utf-8"),
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
];

/// Adds the page to a router.
pub(crate) fn add(router: Router, shared: &Arc<Shared>) -> Router {
    let shared = shared.clone();
    router.route("/", get(move || show(shared.clone())))
}

async fn show(shared: Arc<Shared>) -> Response {
    let report = shared.engine.health().await;
    let mut checks = String::new();
    for check in &report.checks {
        let (class, word) = match check.problem {
            None => ("good", "healthy"),
            Some(_) => ("bad", "unhealthy"),
        };
        let name = check.name.replace('_', " ");
        // Writing to a string cannot fail.
        write!(
            checks,
            "<li class=\"{class}\"><b>{name}</b><span>{word}, {} ms</span></li>",
            check.latency_ms
        )
        .ok();
    }
    let healthy = report.is_healthy();
    let example = shared
        .url(&shared.settings.base_host)
        .replacen("://", "://NAME.", 1);
    let page = PAGE
        .replace("{{class}}", if healthy { "good" } else { "bad" })
        .replace(
            "{{state}}",
            if healthy {
                "Everything works"
            } else {
                "Something does not work"
            },
        )
        .replace("{{checks}}", &checks)
        .replace("{{version}}", &shared.settings.version)
        .replace("{{example}}", &example)
        .replace("{{api}}", &format!("http://{}", shared.api));
    let mut response = reply::with(200, hostkit_api::endpoint::Form::Text, Body::from(page));
    for (name, value) in HEADERS {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Lets only requests through that name this machine.
pub(crate) fn guard(router: Router, shared: &Arc<Shared>) -> Router {
    router.layer(from_fn_with_state(shared.clone(), check_host))
}

async fn check_host(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let in_target = request.uri().authority().map(Authority::host);
    let known = match in_target {
        Some(host) => is_ours(host, &shared),
        None => true,
    } && named_host(request.headers()).is_some_and(|host| is_ours(host.host(), &shared));
    if known {
        return next.run(request).await;
    }
    reply::failure(
        Failure::new(
            Kind::Denied,
            "cannot answer: the request names another host than this machine",
        )
        .hint(format!(
            "call it as `http://{}` or through the front door as `hostkit.{}`",
            shared.api, shared.settings.base_host
        )),
    )
}

fn named_host(headers: &HeaderMap) -> Option<Authority> {
    let mut values = headers.get_all(HOST).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok()?.parse().ok(),
        _ => None,
    }
}

fn is_ours(host: &str, shared: &Shared) -> bool {
    let own = format!("hostkit.{}", shared.settings.base_host);
    ["localhost", "127.0.0.1", "[::1]", own.as_str()]
        .iter()
        .any(|name| host.eq_ignore_ascii_case(name))
}
