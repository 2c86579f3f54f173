//! Before a backend is asked: what is kept answers, or what another request is just bringing; otherwise the request
//! goes on, and its answer is waited for.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{self, HeaderMap};
use http::{Method, Request, Response};
use tokio::sync::watch;

use super::directives::Directives;
use super::entry::Entry;
use super::flight::{Flights, Landing, Part, Stage};
use super::rules::{self, Usable};
use super::scope::{Key, Scope};
use super::visit::{Visit, ask_for_change};
use super::{CacheResult, refresh, serve};
use crate::body::{AnswerBody, RequestBody};
use crate::exchange::Exchange;
use crate::page::Page;
use crate::shared::Shared;
use crate::table::LiveRoute;

/// The longest a request waits for another one's answer to begin.
const PATIENCE: Duration = Duration::from_secs(10);

/// What became of a request.
#[allow(
    clippy::large_enum_variant,
    reason = "it is moved once, and a box would cost every hit"
)]
pub(crate) enum Asked {
    Answered(Response<AnswerBody>),
    /// A backend is to be asked.
    Backend(Box<Exchange>),
}

/// Looks for a request.
pub(crate) async fn ask(
    mut exchange: Box<Exchange>,
    request: &mut Request<RequestBody>,
    route: &Arc<LiveRoute>,
    scope: &Arc<Scope>,
) -> Asked {
    let headers = request.headers();
    let is_for_cache = exchange.progress.is_none()
        && !exchange.upgrades
        && rules::is_for_cache(&exchange.method, headers)
        && !headers.contains_key(header::IF_MATCH)
        && !headers.contains_key(header::IF_UNMODIFIED_SINCE);
    let said = Directives::of_request(headers);
    if !is_for_cache || said.no_store {
        exchange.cache = Some(CacheResult::Bypass);
        return Asked::Backend(exchange);
    }
    let authorized = headers.contains_key(header::AUTHORIZATION);
    let shared = Arc::clone(&exchange.client.worker.shared);
    let mut now = exchange.began;
    loop {
        let (slot, key) = look(&exchange, scope, &shared.cache);
        let mut entry = slot.as_ref().and_then(|slot| slot.find(request.headers()));
        let from_disk;
        if entry.is_none() && shared.cache.disk.is_some() {
            let key = key.clone().unwrap_or_else(|| key_of(&exchange, scope));
            // In a box, so that requests that never get here are no larger for it.
            from_disk = Box::pin(shared.cache.get_from_disk(scope, &key, request.headers())).await;
            entry = from_disk.as_ref();
        }
        if let Some(entry) = entry {
            let result = match entry.head.freshness.usable(&said, authorized, now) {
                Usable::Fresh => Some(CacheResult::Hit),
                Usable::Stale => Some(CacheResult::Stale),
                Usable::WhileRevalidating => {
                    let key = key.clone().unwrap_or_else(|| key_of(&exchange, scope));
                    refresh::begin(&exchange, request.headers(), route, scope, key, entry);
                    Some(CacheResult::Stale)
                }
                Usable::No => None,
            };
            if let Some(result) = result {
                let headers = std::mem::take(request.headers_mut());
                return Asked::Answered(serve::whole(exchange, entry, &headers, result, route, now));
            }
        }
        if said.only_if_cached {
            exchange.cache = Some(CacheResult::Miss);
            return Asked::Answered(Page::not_cached().answer(exchange, None));
        }
        exchange.cache = Some(CacheResult::Miss);
        if exchange.method == Method::HEAD {
            return Asked::Backend(exchange);
        }
        let key = key.unwrap_or_else(|| key_of(&exchange, scope));
        let entry = entry.filter(|entry| !authorized || entry.head.freshness.is_for_authorized());
        // What only this client may get, or what it wants newer than anything on its way, is not waited for.
        let alone = authorized
            || said.no_cache
            || said.max_age == Some(0)
            || slot
                .as_ref()
                .is_some_and(|slot| slot.passed_until.is_some_and(|until| now < until))
            || (entry.is_none() && asks_for_less(request.headers()));
        let part = (!alone).then(|| Flights::join(&shared, &key));
        let lead = match part {
            None => None,
            Some(Part::Lead(lead)) => Some(lead),
            Some(Part::Follow(stage)) => match follow(stage, route, &shared).await {
                Followed::Landed(landing) => {
                    let head = &landing.head;
                    now = Instant::now();
                    let suits = head.suits(request.headers())
                        && head.freshness.usable(&said, authorized, now) == Usable::Fresh;
                    if suits && let Some(reader) = landing.body.reader(landing.length) {
                        let headers = std::mem::take(request.headers_mut());
                        let hit = CacheResult::Hit;
                        return Asked::Answered(serve::growing(
                            exchange, head, reader, &headers, hit, route, now,
                        ));
                    }
                    None
                }
                Followed::Free => None,
                Followed::Gone => {
                    now = Instant::now();
                    continue;
                }
            },
        };
        let entry = entry.cloned();
        exchange.visit = Some(visit(scope, key, request.headers_mut(), lead, entry));
        return Asked::Backend(exchange);
    }
}

/// A request that goes on. `lead`: others wait for it.
pub(super) fn visit(
    scope: &Arc<Scope>,
    key: Key,
    headers: &mut HeaderMap,
    lead: Option<super::flight::Lead>,
    stale: Option<Arc<Entry>>,
) -> Box<Visit> {
    let request = headers.clone();
    let asks_for_change = stale.as_ref().is_some_and(|entry| ask_for_change(headers, entry));
    Box::new(Visit {
        scope: Arc::clone(scope),
        stamp: scope.stamp(&key),
        key,
        request,
        lead,
        stale,
        asks_for_change,
        ends_with_connection: false,
    })
}

/// What is kept for a request. The key is made in memory that is used again; it is given where nothing was found.
fn look(
    exchange: &Exchange,
    scope: &Scope,
    cache: &super::Cache,
) -> (Option<Arc<super::entry::Slot>>, Option<Key>) {
    thread_local! {
        static KEY: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    KEY.with_borrow_mut(|key| {
        scope.key(exchange, key);
        let slot = cache.get(scope, key);
        let owned = slot.is_none().then(|| key.as_slice().into());
        (slot, owned)
    })
}

pub(super) fn key_of(exchange: &Exchange, scope: &Scope) -> Key {
    let mut key = Vec::new();
    scope.key(exchange, &mut key);
    key.into()
}

/// Whether a request is content with less than a whole answer, which then cannot be kept.
fn asks_for_less(headers: &HeaderMap) -> bool {
    headers.contains_key(header::RANGE)
        || headers.contains_key(header::IF_NONE_MATCH)
        || headers.contains_key(header::IF_MODIFIED_SINCE)
}

enum Followed {
    Landed(Landing),
    Free,
    /// The one that led is gone: it told nothing, or it is done.
    Gone,
}

async fn follow(mut stage: watch::Receiver<Stage>, route: &LiveRoute, shared: &Shared) -> Followed {
    // Where too many wait already it asks by itself, and is refused there.
    let Some(_in_line) = route.share.wait(shared.limits.project_waiting) else {
        return Followed::Free;
    };
    let known = stage.wait_for(|stage| !matches!(stage, Stage::Asking));
    match tokio::time::timeout(PATIENCE, known).await {
        Ok(Ok(stage)) => match &*stage {
            Stage::Landing(landing) => Followed::Landed(landing.clone()),
            Stage::Free | Stage::Asking => Followed::Free,
        },
        Ok(Err(_)) => Followed::Gone,
        Err(_) => Followed::Free,
    }
}
