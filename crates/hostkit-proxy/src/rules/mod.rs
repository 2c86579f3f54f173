//! What a route's rules do to requests ([`request`]) and answers ([`answer`]). A route without rules has none of this
//! but its security headers; rules hold on the public listeners alone.

mod access;
mod address;
mod answer;
mod conditions;
mod cors;
mod limits;
mod pages;
mod request;
mod security;
mod site;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hostkit_core::route::images::Images;
use hostkit_core::route::rules::Rules;
use hostkit_core::route::{Route, Target};
use http::{HeaderName, HeaderValue, Uri};

use crate::table::LiveRoute;
use access::Auth;
pub(crate) use answer::dress;
use cors::LiveCors;
use limits::Limit;
pub(crate) use request::{Verdict, ask};
pub(crate) use security::Security;
pub(crate) use site::{clean_name, fall_back, folder_is_page};

/// The rules of a route, ready to be used.
pub(crate) struct LiveRules {
    rules: Rules,
    auth: Option<Auth>,
    limits: Vec<Limit>,
    /// The headers of each rule of `rules.headers`.
    headers: Vec<Vec<(HeaderName, HeaderValue)>>,
    cors: Option<LiveCors>,
    /// The route's prefix, without its last slash.
    prefix: String,
    is_site: bool,
}

/// What rules did to a request.
pub(crate) struct Ruled {
    /// The route whose rules they were; the request may have gone on to another.
    pub(crate) by: Arc<LiveRoute>,
    /// Where it leads, if not where it was sent to.
    pub(crate) rewritten: Option<Uri>,
    /// The same, as its target sees it.
    pub(crate) stripped: Option<Uri>,
    /// Rewrites for what no file answers were looked at.
    fell_back: bool,
    /// The answer is to a question of a browser: all of it is said already.
    is_preflight: bool,
    /// For the answer.
    headers: Vec<(HeaderName, HeaderValue)>,
    origin: Option<HeaderValue>,
}

/// Makes the rules of a route ready; nothing where it has none. Says why not where they are wrong.
pub(crate) fn compile(route: &Route) -> Result<Option<LiveRules>, String> {
    let rules = &route.rules;
    if rules.is_empty() {
        return Ok(None);
    }
    rules
        .check()
        .map_err(|(table, at, why)| format!("its rules cannot be used: {table} {}: {why}", at + 1))?;
    if rules.is_plain() {
        return Ok(None);
    }
    let headers = rules
        .headers
        .iter()
        .map(|rule| rule.set.iter().map(|(name, value)| header(name, value)).collect())
        .collect::<Result<_, String>>()?;
    let realm = route.environment.as_ref().map_or_else(
        || "HostKit".to_owned(),
        |environment| environment.project.to_string(),
    );
    Ok(Some(LiveRules {
        auth: rules.basic_auth.clone().map(|auth| Auth::new(auth, &realm)),
        limits: rules.limits.iter().map(Limit::new).collect(),
        headers,
        cors: rules.cors.as_ref().map(LiveCors::new).transpose()?,
        prefix: route.path_prefix.trim_end_matches('/').to_owned(),
        is_site: matches!(route.target, Target::Files { .. }),
        rules: rules.clone(),
    }))
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let wrong = || format!("the header `{}` cannot be sent", name.escape_debug());
    let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| wrong())?;
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
    Ok((name, value))
}

impl LiveRules {
    /// The longest until an answer begins.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        self.rules.timeout.map(|span| span.0)
    }

    /// Goes on counting where the rules of the same route in the table before were.
    pub(crate) fn inherit(&self, before: &LiveRules) {
        for (at, limit) in self.limits.iter().enumerate() {
            // Two that say the same count apart, as they did.
            let same_place = before.limits.get(at);
            let _ = same_place
                .into_iter()
                .chain(&before.limits)
                .any(|other| limit.inherit(other));
        }
    }

    /// Whether requests are counted.
    pub(crate) fn counts(&self) -> bool {
        !self.limits.is_empty()
    }

    /// Which images are made in other sizes.
    pub(crate) fn images(&self) -> Option<&Images> {
        self.rules.images.as_ref()
    }

    /// Whether nobody is let in without a password.
    pub(crate) fn has_password(&self) -> bool {
        self.auth.is_some()
    }

    /// Whether pages of a site answer without `.html`.
    fn has_clean_urls(&self) -> bool {
        self.is_site && self.rules.clean_urls == Some(true)
    }
}

/// Does `work` for so long at most; nothing if that was not enough.
pub(crate) async fn within<T>(limit: Option<Duration>, work: impl Future<Output = T>) -> Option<T> {
    let work = pin!(work);
    match limit {
        None => Some(work.await),
        Some(limit) => tokio::time::timeout(limit, work).await.ok(),
    }
}
