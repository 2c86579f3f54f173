//! What may be kept, for how long, and when it may be used (RFC 9111, by its sections).

use std::time::{Duration, Instant, SystemTime};

use http::header::{self, HeaderMap, HeaderName};
use http::{Method, StatusCode};

use super::directives::{CDN_CACHE_CONTROL, Directives};

/// Headers of a request that some frameworks let change what is asked for, although no answer says so: a request with
/// one of them has nothing to do with the cache.
const REWRITES: [&str; 9] = [
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "x-original-url",
    "x-original-uri",
    "x-rewrite-url",
    "x-host",
    "x-original-host",
    "x-middleware-subrequest",
];

/// How long an answer may be used, counted from when it came.
#[derive(Debug, Clone)]
pub(super) struct Freshness {
    pub(super) came: Instant,
    /// How old it was already (4.2.3).
    pub(super) initial_age: Duration,
    pub(super) lifetime: Duration,
    pub(super) while_revalidate: Duration,
    pub(super) if_error: Duration,
    /// It may never be used when it is stale, whatever a client allows (5.2.2.2, 5.2.2.8, 5.2.2.10).
    pub(super) strict: bool,
    /// It may not be used without asking (5.2.2.4).
    pub(super) always_ask: bool,
    /// It may be used for requests with Authorization (3.5).
    pub(super) for_authorized: bool,
}

/// What may be done with a kept answer for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Usable {
    Fresh,
    /// Stale, and a client that takes that.
    Stale,
    /// Stale, and to be asked for in the background (RFC 5861, 3).
    WhileRevalidating,
    /// To be asked for first.
    No,
}

impl Freshness {
    /// That of something the front door made itself a moment ago.
    pub(super) fn of_ours(came: Instant, lifetime: Duration) -> Freshness {
        Freshness {
            came,
            initial_age: Duration::ZERO,
            lifetime,
            while_revalidate: Duration::ZERO,
            if_error: Duration::ZERO,
            strict: true,
            always_ask: false,
            for_authorized: true,
        }
    }

    /// The age now (4.2.3).
    pub(super) fn age(&self, now: Instant) -> Duration {
        self.initial_age + now.saturating_duration_since(self.came)
    }

    /// What a request makes of it (4.2, 5.2.1).
    pub(super) fn usable(&self, request: &Directives, has_authorization: bool, now: Instant) -> Usable {
        let age = self.age(now);
        let seconds = Duration::from_secs;
        if self.always_ask
            || request.no_cache
            || request.max_age.is_some_and(|most| age > seconds(most))
            || (has_authorization && !self.for_authorized)
        {
            return Usable::No;
        }
        let needed = seconds(request.min_fresh.unwrap_or(0));
        if age + needed < self.lifetime {
            return Usable::Fresh;
        }
        if self.strict || request.min_fresh.is_some() {
            return Usable::No;
        }
        let stale = age.saturating_sub(self.lifetime);
        if request.max_stale.is_some_and(|most| stale <= seconds(most)) {
            return Usable::Stale;
        }
        // A client that names the oldest it takes was looked at above.
        if stale < self.while_revalidate {
            return Usable::WhileRevalidating;
        }
        Usable::No
    }

    /// Whether it may stand in for a backend that fails (RFC 5861, 4).
    pub(super) fn usable_instead_of_error(&self, now: Instant) -> bool {
        !self.strict && !self.always_ask && self.age(now) < self.lifetime + self.if_error
    }

    /// Whether it may be used for requests with Authorization (3.5).
    pub(super) fn is_for_authorized(&self) -> bool {
        self.for_authorized
    }

    /// For how long from now on it may be used without asking first, be it in the place of a failure.
    pub(super) fn lasts(&self, now: Instant) -> Duration {
        let beyond = match self.strict {
            true => Duration::ZERO,
            false => self.while_revalidate.max(self.if_error),
        };
        match self.always_ask {
            true => Duration::ZERO,
            false => (self.lifetime + beyond).saturating_sub(self.age(now)),
        }
    }

    /// Whether it may ever be used without asking first.
    pub(super) fn is_lasting(&self) -> bool {
        !self.always_ask && self.initial_age < self.lifetime + self.while_revalidate + self.if_error
    }
}

/// Whether a request has anything to do with the cache. One with a body, of which the key knows nothing, has not.
pub(super) fn is_for_cache(method: &Method, headers: &HeaderMap) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
        && !headers.keys().any(|name| {
            let name = name.as_str();
            name.starts_with('x') && REWRITES.contains(&name)
        })
}

/// Whether a method may change what others would get (RFC 9110, 9.2.1).
pub(super) fn is_unsafe(method: &Method) -> bool {
    !matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::CONNECT
    )
}

/// Whether an answer says anything about caching at all: the first look, for routes that never did.
pub(super) fn speaks_of_caching(headers: &HeaderMap) -> bool {
    headers.contains_key(header::CACHE_CONTROL)
        || headers.contains_key(header::EXPIRES)
        || headers.contains_key(CDN_CACHE_CONTROL)
}

/// Whether an answer may be kept (3), and for how long. There are no guesses: what says nothing is not kept.
pub(super) fn freshness(
    status: StatusCode,
    answer: &HeaderMap,
    authorized: bool,
    asked: Instant,
    came: Instant,
) -> Option<Freshness> {
    let said = Directives::of_answer(answer);
    // 206 is part of an answer, 304 is none of its own.
    if status.is_informational() || matches!(status, StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED) {
        return None;
    }
    // 5.2.2.3: `no-store` beside it is for those who do not know the status.
    let forbidden = if said.must_understand {
        !is_understood(status)
    } else {
        said.no_store
    };
    let shared = said.public || said.must_revalidate || said.s_maxage.is_some();
    if forbidden
        || said.private
        || (authorized && !shared)
        // A cookie is somebody's own, whatever else is said.
        || answer.contains_key(header::SET_COOKIE)
        || answer.contains_key(header::CONTENT_RANGE)
        || answer.contains_key(header::TRAILER)
        || names_everything(answer)
    {
        return None;
    }
    // One clock: the standard's dates are only compared with each other (4.2.1) and with now (4.2.3).
    let now = SystemTime::now();
    let date = date_of(answer, &header::DATE);
    let own = Directives::for_caches_like_this(answer).is_some();
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    let lifetime = match (said.s_maxage, said.max_age) {
        (Some(most), _) | (None, Some(most)) => seconds(most),
        (None, None) if !own && answer.contains_key(header::EXPIRES) => {
            let expires = only(answer, &header::EXPIRES).and_then(|_| date_of(answer, &header::EXPIRES));
            // A date that cannot be read is in the past (5.3).
            Some(expires.map_or(Duration::ZERO, |expires| {
                expires.duration_since(date.unwrap_or(now)).unwrap_or_default()
            }))
        }
        (None, None) => None,
    };
    let can_be_asked = answer.contains_key(header::ETAG) || answer.contains_key(header::LAST_MODIFIED);
    let lifetime = match lifetime {
        Some(lifetime) => lifetime,
        None if said.no_cache && can_be_asked => Duration::ZERO,
        None => return None,
    };
    let age = only(answer, &header::AGE)
        .and_then(|age| age.split(',').next())
        .map(str::trim)
        .filter(|age| !age.is_empty() && age.bytes().all(|byte| byte.is_ascii_digit()))
        .map_or(0, |age| age.parse::<u64>().unwrap_or(1 << 31).min(1 << 31));
    let apparent = date.map_or(Duration::ZERO, |date| {
        now.duration_since(date).unwrap_or_default()
    });
    // Dates are whole seconds: what is younger than one is not old.
    let apparent = apparent.saturating_sub(Duration::from_secs(1));
    let corrected = Duration::from_secs(age) + came.saturating_duration_since(asked);
    // 5.2.2.10: `s-maxage` says `proxy-revalidate`, too. RFC 5861 lets an application say otherwise beside it.
    let says_stale = said.while_revalidate.is_some() || said.if_error.is_some();
    let strict = said.must_revalidate || said.proxy_revalidate || (said.s_maxage.is_some() && !says_stale);
    let found = Freshness {
        came,
        initial_age: apparent.max(corrected),
        lifetime,
        while_revalidate: Duration::from_secs(said.while_revalidate.unwrap_or(0)),
        if_error: Duration::from_secs(said.if_error.unwrap_or(0)),
        strict,
        always_ask: said.no_cache,
        for_authorized: shared,
    };
    (can_be_asked || found.is_lasting()).then_some(found)
}

/// Statuses whose meaning for caches is known here.
fn is_understood(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        200 | 203 | 204 | 300 | 301 | 302 | 303 | 307 | 308 | 404 | 405 | 410 | 414 | 501
    )
}

/// `Vary: *` (4.1).
fn names_everything(answer: &HeaderMap) -> bool {
    answer.get_all(header::VARY).iter().any(|value| {
        let mut names = value.as_bytes().split(|byte| *byte == b',');
        names.any(|name| name.trim_ascii() == b"*")
    })
}

/// A header of which there is exactly one.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut all = headers.get_all(name).iter();
    match (all.next(), all.next()) {
        (Some(one), None) => one.to_str().ok(),
        (Some(first), Some(_)) if *name == header::AGE => first.to_str().ok(),
        _ => None,
    }
}

/// A date in the form the standard allows.
pub(super) fn date_of(headers: &HeaderMap, name: &HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok()
}
