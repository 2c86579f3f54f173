//! What the front door makes itself of an application's answer, kept beside those: in the memory, under the scope and
//! with the purges of the answer it was made of.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::HeaderMap;
use http::{Response, StatusCode, response};

use super::directives::Directives;
use super::entry::{Entry, Head};
use super::rules::{Freshness, Usable};
use super::scope::{Key, Scope, Stamp};
use super::{CacheResult, serve};
use crate::body::AnswerBody;
use crate::exchange::Exchange;
use crate::shared::Shared;
use crate::table::LiveRoute;

/// Where something of ours is kept.
#[derive(Clone)]
pub(crate) struct OwnPlace {
    scope: Arc<Scope>,
    pub(crate) key: Key,
    stamp: Stamp,
}

/// Something of ours.
#[derive(Clone)]
pub(crate) struct Own(Arc<Entry>);

impl OwnPlace {
    /// The place for a form of what `target` answers. A purge of that path takes it out, too.
    pub(crate) fn new(scope: &Arc<Scope>, exchange: &Exchange, form: &str, target: &str) -> OwnPlace {
        let mut key = Vec::new();
        scope.own_key(exchange, form, target, &mut key);
        let key: Key = key.into();
        OwnPlace {
            scope: Arc::clone(scope),
            stamp: scope.stamp(&key),
            key,
        }
    }

    /// What is kept there and fresh.
    pub(crate) fn find(&self, shared: &Shared, now: Instant) -> Option<Own> {
        let slot = shared.cache.get(&self.scope, &self.key)?;
        let entry = slot.entries.first()?;
        let usable = entry.head.freshness.usable(&Directives::default(), false, now);
        (usable == Usable::Fresh).then(|| Own(Arc::clone(entry)))
    }

    /// The same on the disk.
    pub(crate) async fn find_on_disk(&self, shared: &Shared, now: Instant) -> Option<Own> {
        let anything = HeaderMap::new();
        let entry = shared
            .cache
            .get_from_disk(&self.scope, &self.key, &anything)
            .await?;
        let usable = entry.head.freshness.usable(&Directives::default(), false, now);
        (usable == Usable::Fresh).then(|| Own(entry))
    }

    /// Keeps it, unless what it was made of was purged since this place was asked for.
    pub(crate) fn keep(&self, shared: &Shared, own: &Own) {
        shared
            .cache
            .put(&self.scope, &self.key, self.stamp, Arc::clone(&own.0));
    }
}

impl Own {
    /// An answer of ours, fresh for so long.
    pub(crate) fn new(parts: &response::Parts, body: Bytes, fresh: Duration) -> Option<Own> {
        let freshness = Freshness::of_ours(Instant::now(), fresh);
        // Its key says which form it is.
        let head = Head::new(parts, freshness, &HeaderMap::new())?;
        Some(Own(Arc::new(Entry::new(Arc::new(head), body))))
    }

    /// Its status.
    pub(crate) fn status(&self) -> StatusCode {
        self.0.head.status
    }

    /// Its body.
    pub(crate) fn body(&self) -> &Bytes {
        &self.0.body
    }

    /// Answers with it, or the part of it that a client lacks.
    pub(crate) fn answer(
        &self,
        exchange: Box<Exchange>,
        request: &HeaderMap,
        result: CacheResult,
        route: &LiveRoute,
    ) -> Response<AnswerBody> {
        serve::whole(exchange, &self.0, request, result, route, Instant::now())
    }
}

/// How long an application lets its answer be kept; nothing where it may not be at all, zero where nothing is said.
pub(crate) fn lifetime(answer: &HeaderMap) -> Option<Duration> {
    let said = Directives::of_answer(answer);
    let seconds = said.s_maxage.or(said.max_age).unwrap_or(0);
    (!said.no_store && !said.private).then(|| Duration::from_secs(seconds))
}
