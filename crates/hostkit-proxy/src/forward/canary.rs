//! A request on a host that has a canary: which of the two releases it goes to, and what its visitor is told.

use std::sync::Arc;

use hostkit_core::canary::Side;
use http::{HeaderMap, HeaderValue, Request, header, response};

use crate::body::RequestBody;
use crate::cache;
use crate::exchange::Exchange;
use crate::table::LiveRoute;
use crate::table::canary::LiveCanary;

/// Caches on the way would give one release to all.
const FOR_ONE: HeaderValue = HeaderValue::from_static("private, no-cache");

/// The route of the release that a request goes to: the canary's where its visitor gets that and it can answer.
pub(super) fn choose(
    exchange: &mut Exchange,
    request: Option<&Request<RequestBody>>,
    live: &Arc<LiveRoute>,
    canary: &Arc<LiveCanary>,
) -> Arc<LiveRoute> {
    let gets = match exchange.visits {
        Some(side) => side == Side::Canary,
        None => {
            let visitor = exchange.visitor.take().filter(|visitor| visitor.is_of(canary));
            let visitor = visitor.unwrap_or_else(|| match request {
                Some(request) => canary.visitor(request.headers()),
                None => canary.visitor(&HeaderMap::new()),
            });
            let gets = visitor.gets(canary);
            exchange.visitor = Some(visitor);
            gets
        }
    };
    let route = gets.then(|| canary.route(exchange.place().path())).flatten();
    Arc::clone(route.unwrap_or(live))
}

/// Whether a request is on its way to a canary in the place of the live release, which could answer it.
pub(super) fn may_leave(exchange: &Exchange, route: &LiveRoute) -> bool {
    let visitor = exchange.visitor.as_ref();
    route.is_canary && visitor.is_some_and(|visitor| !visitor.has_left)
}

/// Has a request that no instance of a canary took go to the live release; whether it was on its way to a canary. It is
/// still whole.
pub(super) fn leave(exchange: &mut Exchange, route: &LiveRoute) -> bool {
    let leaves = may_leave(exchange, route);
    if let Some(visitor) = exchange.visitor.as_mut().filter(|_| leaves) {
        visitor.has_left = true;
    }
    leaves
}

/// Takes back what rules of the other release did to a request; whether they had done something. Each release has its own
/// password and its own addresses: what one lets in was not asked by the other.
pub(super) fn start_over(
    exchange: &mut Exchange,
    request: Option<&mut Request<RequestBody>>,
    route: &LiveRoute,
) -> bool {
    let by_other = exchange
        .ruled
        .as_ref()
        .is_some_and(|ruled| ruled.by.is_canary != route.is_canary);
    if by_other {
        exchange.ruled = None;
        if let Some(request) = request {
            *request.uri_mut() = exchange.uri.clone();
        }
    }
    by_other
}

/// Tells a visitor its place, with an answer of whatever origin that is for it alone. A page says so where it said that
/// everybody may keep it: its parts are asked for next, and must be of the same release.
pub(crate) fn dress(exchange: &Exchange, parts: &mut response::Parts) {
    let Some(visitor) = &exchange.visitor else { return };
    if cache::is_for_all(exchange, parts) {
        if !is_page(&parts.headers) {
            return;
        }
        parts.headers.insert(header::CACHE_CONTROL, FOR_ONE);
    }
    if let Some(cookie) = visitor.cookie(exchange.client.is_tls()) {
        parts.headers.append(header::SET_COOKIE, cookie);
    }
}

fn is_page(headers: &HeaderMap) -> bool {
    const PAGE: &[u8] = b"text/html";
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    kind.and_then(|kind| kind.get(..PAGE.len()))
        .is_some_and(|kind| kind.eq_ignore_ascii_case(PAGE))
}
