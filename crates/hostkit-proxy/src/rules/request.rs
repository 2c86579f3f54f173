//! Requests: each rule of a route in its order, once for a request.

use std::net::IpAddr;
use std::sync::Arc;

use hostkit_core::route::destination::Unused;
use hostkit_core::route::pattern::{Params, normal, resolved};
use hostkit_core::route::rules::{Rewrite, Stage};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri, header};

use super::answer::Reply;
use super::limits::Limit;
use super::{LiveRules, Ruled, address, conditions};
use crate::body::RequestBody;
use crate::exchange::Exchange;
use crate::images;
use crate::page::Page;
use crate::table::LiveRoute;

/// The longest path that is looked at by rules.
const LONGEST_PATH: usize = 8 * 1024;

/// How a request goes on.
pub(crate) enum Verdict {
    GoOn,
    /// To another path: the route may be another one.
    Elsewhere,
    Reply(Box<Reply>),
}

/// Applies the rules of a route to a request; those that were applied already are not applied again.
pub(crate) fn ask(
    rules: &LiveRules,
    route: &Arc<LiveRoute>,
    exchange: &mut Exchange,
    request: &mut Request<RequestBody>,
) -> Verdict {
    if exchange.client.door.port.is_some() {
        return Verdict::GoOn;
    }
    if exchange.ruled.is_none() {
        exchange.ruled = Some(Box::new(Ruled {
            by: Arc::clone(route),
            rewritten: None,
            stripped: None,
            fell_back: false,
            is_preflight: false,
            headers: Vec::new(),
            origin: request.headers().get(header::ORIGIN).cloned(),
        }));
        let is_image = images::asked_for(exchange, rules);
        if let Some(reply) = rules.reply(exchange, request, is_image) {
            return Verdict::Reply(Box::new(reply));
        }
        if is_image {
            return Verdict::GoOn;
        }
        if let Some(target) = rules.rewritten(exchange, request.headers()) {
            *request.uri_mut() = target.clone();
            if let Some(ruled) = &mut exchange.ruled {
                ruled.rewritten = Some(target);
            }
            return Verdict::Elsewhere;
        }
    }
    rules.strip(exchange, request);
    Verdict::GoOn
}

impl LiveRules {
    /// The answer the rules give themselves.
    /// `is_image`: it is for an image, which has an address of our own that no rule of the project moves.
    fn reply(
        &self,
        exchange: &mut Exchange,
        request: &mut Request<RequestBody>,
        is_image: bool,
    ) -> Option<Reply> {
        let page = |page| Some(Reply::Page(page, Vec::new()));
        if exchange.uri.path().len() > LONGEST_PATH {
            return page(Page::path_too_long());
        }
        let peer = peer(exchange);
        let is_named = self.rules.allow.iter().any(|range| range.contains(peer));
        if self.rules.maintenance && !is_named {
            return page(Page::maintenance(exchange.route.as_deref()));
        }
        if !self.rules.allow.is_empty() && !is_named {
            return page(Page::not_allowed());
        }
        // A browser asks without cookies and passwords: it would never get to send them otherwise.
        if let Some(cors) = &self.cors
            && let Some(headers) = cors.preflight(request.method(), request.headers())
        {
            if let Some(ruled) = &mut exchange.ruled {
                ruled.is_preflight = true;
            }
            return Some(Reply::Preflight(headers));
        }
        if let Some(auth) = &self.auth {
            if !auth.accepts(request.headers().get(header::AUTHORIZATION)) {
                let challenge = (header::WWW_AUTHENTICATE, auth.challenge.clone());
                return Some(Reply::Page(Page::password_needed(), vec![challenge]));
            }
            // It was for the front door; the application has no use for it.
            if !is_image {
                request.headers_mut().remove(header::AUTHORIZATION);
            }
        }
        let uri = exchange.uri.clone();
        let path = normal(uri.path());
        if let Some(reply) = self.too_many(&path, peer) {
            return Some(reply);
        }
        if let Some(host) = &self.rules.canonical_host
            && let Some(location) = address::on_host(exchange, host)
        {
            return Some(Reply::Redirect(StatusCode::PERMANENT_REDIRECT, location));
        }
        let added = self.added(&path, exchange, request.headers());
        if let Some(ruled) = &mut exchange.ruled {
            ruled.headers = added;
        }
        if is_image {
            return None;
        }
        self.redirect(&path, exchange, request.headers())
            .or_else(|| self.too_large(exchange, request.headers()))
    }

    fn too_many(&self, path: &str, peer: IpAddr) -> Option<Reply> {
        // Nobody gets around a limit by another way to write a path that a program understands all the same.
        let meant = resolved(path);
        let counts = |limit: &&Limit| limit.path.matches(path) || limit.path.matches(&meant);
        for limit in self.limits.iter().filter(counts) {
            if let Err(wait) = limit.take(peer) {
                let seconds = wait.as_millis().div_ceil(1000).max(1) as u64;
                let headers = [
                    ("ratelimit-limit", u64::from(limit.burst)),
                    ("ratelimit-remaining", 0),
                    ("ratelimit-reset", seconds),
                ];
                let headers =
                    headers.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from(value)));
                return Some(Reply::Page(Page::too_many(seconds), headers.to_vec()));
            }
        }
        None
    }

    /// The headers of all rules for a path.
    fn added(&self, path: &str, exchange: &Exchange, asked: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
        let rules = self.rules.headers.iter().zip(&self.headers);
        rules
            .filter(|(rule, _)| {
                rule.path.matches(path)
                    && conditions::hold(
                        (&rule.has, &rule.missing),
                        exchange,
                        asked,
                        &mut Params::default(),
                    )
            })
            .flat_map(|(_, headers)| headers.iter().cloned())
            .collect()
    }

    fn redirect(&self, path: &str, exchange: &Exchange, asked: &HeaderMap) -> Option<Reply> {
        let query = exchange.uri.query();
        for rule in &self.rules.redirects {
            let Some(mut params) = rule.from.captures(path) else {
                continue;
            };
            if !conditions::hold((&rule.has, &rule.missing), exchange, asked, &mut params) {
                continue;
            }
            let Some(location) = rule.to.fill(&params, query, Unused::Drop) else {
                continue;
            };
            // To itself: it would never end.
            let asked_for = exchange.uri.path_and_query().map(PathAndQuery::as_str);
            if asked_for != Some(location.as_str())
                && let Ok(location) = HeaderValue::from_str(&location)
                && let Ok(status) = StatusCode::from_u16(rule.status)
            {
                return Some(Reply::Redirect(status, location));
            }
        }
        let mut page = address::of_page(path, self.has_clean_urls(), self.rules.trailing_slash)?;
        if let Some(query) = query {
            page.push('?');
            page.push_str(query);
        }
        let location = HeaderValue::from_str(&page).ok()?;
        Some(Reply::Redirect(StatusCode::PERMANENT_REDIRECT, location))
    }

    /// Bodies of a known length are refused at once; the others are when they pass the limit.
    fn too_large(&self, exchange: &Exchange, asked: &HeaderMap) -> Option<Reply> {
        let limit = self.rules.body_limit?.0;
        let progress = exchange.progress.as_ref()?;
        let length = asked.get(header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if length.is_some_and(|length| length > limit) {
            return Some(Reply::Page(Page::too_large(), Vec::new()));
        }
        progress.limit.set(Some(limit));
        None
    }

    fn rewritten(&self, exchange: &Exchange, asked: &HeaderMap) -> Option<Uri> {
        // Where no files are looked for, both stages are one.
        let stages: &[Stage] = match self.is_site {
            true => &[Stage::BeforeFiles],
            false => &[Stage::BeforeFiles, Stage::AfterFiles],
        };
        self.rewrite(stages, exchange, asked)
    }

    pub(super) fn rewrite(&self, stages: &[Stage], exchange: &Exchange, asked: &HeaderMap) -> Option<Uri> {
        let path = normal(exchange.uri.path());
        let of_stage = |stage: Stage| self.rules.rewrites.iter().filter(move |rule| rule.stage == stage);
        let mut rules = stages.iter().copied().flat_map(of_stage);
        rules.find_map(|rule: &Rewrite| {
            let mut params = rule.from.captures(&path)?;
            if !conditions::hold((&rule.has, &rule.missing), exchange, asked, &mut params) {
                return None;
            }
            let target = rule.to.fill(&params, exchange.uri.query(), Unused::IntoQuery)?;
            let target = target.split('#').next().unwrap_or_default();
            Some(Uri::from(PathAndQuery::try_from(target).ok()?))
        })
    }

    /// Takes the route's prefix from what its target sees.
    fn strip(&self, exchange: &mut Exchange, request: &mut Request<RequestBody>) {
        let Some(ruled) = &mut exchange.ruled else { return };
        if !self.rules.strip_prefix || ruled.stripped.is_some() || self.prefix.is_empty() {
            return;
        }
        let uri = ruled.rewritten.as_ref().unwrap_or(&exchange.uri);
        let target = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        let Some(rest) = target.strip_prefix(self.prefix.as_str()) else {
            return;
        };
        let rest = rest.trim_start_matches('/');
        let Ok(target) = PathAndQuery::try_from(format!("/{rest}")) else {
            return;
        };
        let target = Uri::from(target);
        *request.uri_mut() = target.clone();
        ruled.stripped = Some(target);
        if let Ok(prefix) = HeaderValue::from_str(&self.prefix) {
            let name = HeaderName::from_static("x-forwarded-prefix");
            request.headers_mut().insert(name, prefix);
        }
    }
}

fn peer(exchange: &Exchange) -> IpAddr {
    let text = exchange.client.peer.to_str().ok();
    // It was made from an address.
    text.and_then(|text| text.parse().ok())
        .unwrap_or(IpAddr::from([0, 0, 0, 0]))
}
