//! After a backend answered: what may be kept is, while it is passed on; what was only confirmed is answered from
//! memory; what failed may be stood in for.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header;
use http::{Response, StatusCode, response};

use super::entry::{Entry, Head};
use super::flight::{Landing, Lead};
use super::growing::Growing;
use super::rules::{self, Usable};
use super::scope::{Key, Scope, Stamp};
use super::{CacheResult, Visit, serve};
use crate::body::{AnswerBody, Source};
use crate::exchange::{Exchange, Lease};
use crate::table::LiveRoute;
use crate::worker::Worker;

/// The longest pause in a body that is to be kept.
const PAUSE: Duration = Duration::from_secs(60);

/// What became of an answer.
pub(crate) enum Kept {
    /// It, or what is kept in its place, is on its way to the client.
    Answered(Response<AnswerBody>),
    /// It is only passed on.
    Passed(Box<Exchange>, response::Parts, Source),
}

/// Takes the answer to a request that was looked for.
pub(crate) fn keep(
    mut exchange: Box<Exchange>,
    mut visit: Box<Visit>,
    parts: response::Parts,
    source: Source,
    route: &LiveRoute,
) -> Kept {
    let now = Instant::now();
    exchange.upstream = Some(exchange.began.elapsed());
    if parts.status == StatusCode::NOT_MODIFIED
        && visit.asks_for_change
        && let Some(stale) = visit.stale.take()
    {
        if source.is_over() {
            exchange.answer_complete();
        }
        return Kept::Answered(confirmed(exchange, &visit, &stale, &parts, route, now));
    }
    if matches!(parts.status.as_u16(), 500 | 502 | 503 | 504)
        && let Some(stale) = visit
            .stale
            .take_if(|stale| stale.head.freshness.usable_instead_of_error(now))
    {
        exchange.lease = None;
        visit.lead.take().into_iter().for_each(Lead::free);
        let stale = serve::whole(exchange, &stale, &visit.request, CacheResult::Stale, route, now);
        return Kept::Answered(stale);
    }
    let authorized = visit.request.contains_key(header::AUTHORIZATION);
    let length = source.size_hint().exact();
    let head = rules::freshness(parts.status, &parts.headers, authorized, exchange.began, now)
        .filter(|_| {
            !visit.ends_with_connection && length.is_none_or(|length| length <= visit.scope.largest as u64)
        })
        .and_then(|freshness| Head::new(&parts, freshness, &visit.request));
    let Some(head) = head else {
        pass(&exchange, &mut visit, parts.status, now);
        return Kept::Passed(exchange, parts, source);
    };
    let head = Arc::new(head);
    let body = Arc::new(Growing::new(
        Arc::clone(&exchange.client.worker.shared),
        visit.scope.largest,
    ));
    let Some(reader) = body.reader(length) else {
        return Kept::Passed(exchange, parts, source);
    };
    let lead = visit.lead.take().and_then(|lead| {
        // What has to be asked for each time is nobody else's answer.
        if head.freshness.usable(&Default::default(), authorized, now) != Usable::Fresh {
            lead.free();
            return None;
        }
        lead.land(Landing {
            head: Arc::clone(&head),
            body: Arc::clone(&body),
            length,
        });
        Some(lead)
    });
    if let Some(lease) = exchange.lease.take() {
        exchange.backend = Some(Arc::clone(lease.in_flight.backend()));
        let backend = Arc::clone(lease.in_flight.backend());
        let worker = Rc::clone(&exchange.client.worker);
        let place = Place {
            scope: visit.scope,
            key: visit.key,
            stamp: visit.stamp,
        };
        let coming = Coming {
            worker: Rc::clone(&worker),
            source,
            lease,
            head: Arc::clone(&head),
            body,
            place,
            lead,
        };
        worker.spawn_tunnel(&backend, coming.bring());
    }
    Kept::Answered(serve::growing(
        exchange,
        &head,
        reader,
        &visit.request,
        CacheResult::Miss,
        route,
        now,
    ))
}

/// What stands in for a backend that fails, if the application allows that.
pub(crate) fn instead_of_failure(
    mut exchange: Box<Exchange>,
    route: &LiveRoute,
) -> Result<Response<AnswerBody>, Box<Exchange>> {
    let now = Instant::now();
    let usable = |visit: &Visit| {
        let stale = visit.stale.as_ref();
        stale.is_some_and(|stale| stale.head.freshness.usable_instead_of_error(now))
    };
    match exchange.visit.take_if(|visit| usable(visit)) {
        Some(mut visit) => {
            visit.lead.take().into_iter().for_each(Lead::free);
            exchange.lease = None;
            match visit.stale.take() {
                Some(stale) => {
                    let result = CacheResult::Stale;
                    Ok(serve::whole(exchange, &stale, &visit.request, result, route, now))
                }
                None => Err(exchange),
            }
        }
        None => Err(exchange),
    }
}

/// An answer that is not kept: those who wait go on at once, and nobody waits for the next ones.
fn pass(exchange: &Exchange, visit: &mut Visit, status: StatusCode, now: Instant) {
    let cache = &exchange.client.worker.shared.cache;
    if status.is_server_error() {
        visit.lead.take().into_iter().for_each(Lead::free);
        return;
    }
    // Part of an answer, or that nothing changed, says nothing about the whole.
    if !matches!(
        status,
        StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED | StatusCode::RANGE_NOT_SATISFIABLE
    ) {
        let unchanged = visit.scope.stamp(&visit.key) == visit.stamp;
        if visit.stale.is_some() && unchanged {
            cache.invalidate(&visit.scope, &visit.key);
            visit.stamp = visit.scope.stamp(&visit.key);
        }
        cache.pass(&visit.scope, &visit.key, visit.stamp, now);
    }
    visit.lead.take().into_iter().for_each(Lead::free);
}

/// RFC 9111, 4.3.4: the headers of the 304 take the place of those that are kept.
fn confirmed(
    exchange: Box<Exchange>,
    visit: &Visit,
    stale: &Entry,
    parts: &response::Parts,
    route: &LiveRoute,
    now: Instant,
) -> Response<AnswerBody> {
    let mut answer = Response::new(());
    *answer.status_mut() = stale.head.status;
    *answer.headers_mut() = stale.head.headers.clone();
    let (mut merged, ()) = answer.into_parts();
    let stays = |name: &header::HeaderName| {
        matches!(
            *name,
            header::CONTENT_LENGTH
                | header::CONTENT_ENCODING
                | header::CONTENT_TYPE
                | header::CONTENT_RANGE
                | header::SET_COOKIE
        )
    };
    for name in parts.headers.keys().filter(|name| !stays(name)) {
        merged.headers.remove(name);
        for value in parts.headers.get_all(name) {
            merged.headers.append(name.clone(), value.clone());
        }
    }
    let authorized = visit.request.contains_key(header::AUTHORIZATION);
    let head = rules::freshness(merged.status, &merged.headers, authorized, exchange.began, now)
        .and_then(|freshness| Head::new(&merged, freshness, &visit.request));
    let cache = &exchange.client.worker.shared.cache;
    let result = CacheResult::Revalidated;
    match head {
        Some(head) => {
            let entry = Arc::new(stale.with_head(head));
            cache.put(&visit.scope, &visit.key, visit.stamp, Arc::clone(&entry));
            serve::whole(exchange, &entry, &visit.request, result, route, now)
        }
        None => {
            cache.invalidate(&visit.scope, &visit.key);
            serve::whole(exchange, stale, &visit.request, result, route, now)
        }
    }
}

/// Where an answer is kept.
struct Place {
    scope: Arc<Scope>,
    key: Key,
    stamp: Stamp,
}

/// An answer that is coming in.
struct Coming {
    worker: Rc<Worker>,
    source: Source,
    lease: Lease,
    head: Arc<Head>,
    body: Arc<Growing>,
    place: Place,
    lead: Option<Lead>,
}

/// Says that a body broke off, whatever ends the task that brings it.
struct Ends(Arc<Growing>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.break_off();
    }
}

impl Coming {
    /// Brings the body at the backend's pace: neither a slow client nor one that went away makes others wait.
    async fn bring(mut self) {
        let ends = Ends(Arc::clone(&self.body));
        loop {
            let bell = self.lease.sender.as_ref().map(|sender| Arc::clone(&sender.bell));
            let piece = std::future::poll_fn(|context| self.source.poll(bell.as_ref(), context));
            match tokio::time::timeout(PAUSE, piece).await {
                Ok(Some(Ok(frame))) => {
                    let data = frame.into_data().unwrap_or_default();
                    if !data.is_empty() && self.body.bring(data).await.is_err() {
                        return;
                    }
                }
                Ok(None) => break,
                Ok(Some(Err(_))) => return self.lease.in_flight.backend().tore(),
                Err(_) => return,
            }
        }
        if let Some(whole) = self.body.finish() {
            let cache = &self.worker.shared.cache;
            let entry = Arc::new(Entry::new(self.head, whole));
            cache.put(&self.place.scope, &self.place.key, self.place.stamp, entry);
        }
        drop(ends);
        // Those who come from now on find it kept.
        drop(self.lead);
        if let Source::Plain(body) = &mut self.source {
            self.lease.plain = body.connection();
        }
        self.lease.in_flight.backend().health.was_whole();
        self.lease.give_back(&self.worker, Instant::now());
    }
}
