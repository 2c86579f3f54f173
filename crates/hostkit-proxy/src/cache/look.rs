//! A look at answers to requests that were not looked for in the cache: whether the application uses it at all, and
//! whether something was changed that others have an old answer of.

use std::sync::Arc;
use std::time::Instant;

use http::header::{self, HeaderMap};
use http::{Method, Uri, response};

use super::rules;
use super::scope::Scope;
use crate::exchange::Exchange;

/// Looks at an answer.
pub(crate) fn look(exchange: &Exchange, parts: &response::Parts, scope: &Arc<Scope>) {
    if scope.is_learnt() {
        let worked = parts.status.is_success() || parts.status.is_redirection();
        if worked && rules::is_unsafe(&exchange.method) {
            invalidate(exchange, &parts.headers, scope);
        }
    } else if exchange.method == Method::GET
        && rules::speaks_of_caching(&parts.headers)
        && is_for_all(exchange, parts)
    {
        scope.learn();
    }
}

/// Whether an answer may be kept for others for a while, here or by caches on its way: nothing that is for one client alone
/// may go with it.
pub(crate) fn is_for_all(exchange: &Exchange, parts: &response::Parts) -> bool {
    rules::freshness(
        parts.status,
        &parts.headers,
        false,
        exchange.began,
        Instant::now(),
    )
    .is_some_and(|freshness| freshness.is_lasting())
}

/// RFC 9111, 4.4: what was changed, and what the answer says was changed with it on the same host.
fn invalidate(exchange: &Exchange, answer: &HeaderMap, scope: &Arc<Scope>) {
    let cache = &exchange.client.worker.shared.cache;
    let mut key = Vec::new();
    scope.key(exchange, &mut key);
    let target = exchange
        .uri
        .path_and_query()
        .map_or(1, |target| target.as_str().len());
    let before = key.len() - target.min(key.len());
    cache.invalidate(scope, &key);
    for name in [header::LOCATION, header::CONTENT_LOCATION] {
        let Some(also) = answer.get(name).and_then(|value| value.to_str().ok()) else {
            continue;
        };
        let Ok(uri) = also.parse::<Uri>() else { continue };
        let host = exchange.host.as_ref().map(|host| host.value.as_bytes());
        let same_host = uri
            .authority()
            .is_none_or(|authority| Some(authority.as_str().as_bytes()) == host);
        if same_host
            && let Some(target) = uri.path_and_query()
            && target.as_str().starts_with('/')
        {
            key.truncate(before);
            key.extend_from_slice(target.as_str().as_bytes());
            cache.invalidate(scope, &key);
        }
    }
}
