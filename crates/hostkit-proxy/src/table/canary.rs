//! Which of two releases a visitor gets, while a canary is beside the live one. Who comes without the cookie gets the next
//! of a hundred places; those below the canary's percent lead to it. The cookie keeps the place, so that all of a page is
//! of one release, and whoever had the canary has it also when its share grows.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use hostkit_core::canary::Percent;
use hostkit_core::project::EnvironmentId;
use hostkit_core::route::{CanaryRoutes, Route};
use http::header::HeaderMap;
use http::{HeaderValue, header};
use serde::Deserialize;

use super::backend::Backends;
use super::share::Share;
use super::sticky::{MOST_COOKIES, Secret};
use super::{LiveRoute, LiveTarget, compile};
use crate::metrics::AllSeries;
use crate::rules::{self, LiveRules};

/// The cookie's name.
const NAME: &str = "hostkit_release";
/// How many places there are.
const PLACES: u64 = 100;
/// From one place to the next: prime to 100, so that each comes once in a hundred, and near the golden section of it, so
/// that few in a row are spread as evenly as many.
const STEP: u64 = 61;

/// A canary in force.
pub(crate) struct LiveCanary {
    /// The places below lead to it.
    percent: u8,
    /// What its cookies are for: environment and release.
    name: String,
    secret: Secret,
    share: Arc<Share>,
    /// Longest prefix first.
    pub(super) routes: Vec<Arc<LiveRoute>>,
}

/// What is known of the visitor whose request is answered.
pub(crate) struct Visitor {
    canary: Arc<LiveCanary>,
    place: u8,
    /// It has to be told its place.
    is_new: bool,
    /// The canary could not answer.
    pub(crate) has_left: bool,
}

/// Makes a canary ready, with the keys of its backends; else says whose it is and why not.
pub(super) fn make(
    value: &serde_json::Value,
    ids: &mut HashSet<String>,
    backends: &Backends,
    series: &AllSeries,
    keys: &mut HashSet<u64>,
) -> Result<(EnvironmentId, LiveCanary), (String, String)> {
    let whose = value
        .get("environment")
        .and_then(|name| serde_json::from_value(name.clone()).ok());
    let name = whose.map_or_else(|| "canary".to_owned(), |id: EnvironmentId| format!("{id}/canary"));
    let aside = |reason: String| (name.clone(), reason);
    let read =
        CanaryRoutes::deserialize(value).map_err(|error| aside(format!("it cannot be read: {error}")))?;
    let mut routes: Vec<(&Route, Option<LiveRules>)> = Vec::with_capacity(read.routes.len());
    let mut own = HashSet::new();
    for route in &read.routes {
        let of_another = route.environment.as_ref() != Some(&read.environment);
        if of_another || !own.insert(&route.id) {
            return Err(aside(format!("its route `{}` is none of its own", route.id)));
        }
        compile::check(route, ids, &HashMap::new()).map_err(&aside)?;
        routes.push((route, rules::compile(route).map_err(&aside)?));
    }
    ids.extend(read.routes.iter().map(|route| route.id.clone()));
    let share = match read.routes.first() {
        Some(route) => backends.shares.of(route),
        None => return Err(aside("it has no routes".into())),
    };
    let live = routes.into_iter().map(|(route, rules)| {
        let mut live = compile::live_route(route, series.of(route), backends, keys);
        live.rules = rules;
        live.is_canary = true;
        Arc::new(live)
    });
    let live = live.collect();
    let name = format!("{} {}", read.environment, read.release);
    let canary = LiveCanary::new(name, read.percent, &backends.secret, share, live);
    Ok((read.environment, canary))
}

impl LiveCanary {
    /// The canary of an environment.
    pub(super) fn new(
        name: String,
        percent: Percent,
        secret: &Secret,
        share: Arc<Share>,
        mut routes: Vec<Arc<LiveRoute>>,
    ) -> LiveCanary {
        routes.sort_by_key(|route| std::cmp::Reverse(route.prefix.len()));
        LiveCanary {
            percent: percent.get(),
            name,
            secret: secret.clone(),
            share,
            routes,
        }
    }

    /// Its route for a path, if that can answer just now.
    pub(crate) fn route(&self, path: &str) -> Option<&Arc<LiveRoute>> {
        let route = self.routes.iter().find(|route| route.answers(path))?;
        let is_fit = match &route.target {
            LiveTarget::Instances(backends) => backends.iter().any(|backend| !backend.health.is_ejected()),
            LiveTarget::Files(_) => true,
            LiveTarget::Nothing(_) => false,
        };
        is_fit.then_some(route)
    }

    /// The visitor who sends these headers.
    pub(crate) fn visitor(self: &Arc<Self>, headers: &HeaderMap) -> Visitor {
        let known = self.known(headers);
        Visitor {
            canary: Arc::clone(self),
            place: known.unwrap_or_else(|| self.next_place()),
            is_new: known.is_none(),
            has_left: false,
        }
    }

    fn next_place(&self) -> u8 {
        // Zero, which is always the canary's, is the last of each hundred: a front door that is started again and again
        // does not begin with it.
        let place = self.share.next_visitor().wrapping_add(1).wrapping_mul(STEP) % PLACES;
        place as u8
    }

    /// The place in the cookie. Of several the first that was made for this canary counts.
    fn known(&self, headers: &HeaderMap) -> Option<u8> {
        let lines = headers.get_all(header::COOKIE).iter();
        lines
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'))
            .take(MOST_COOKIES)
            .filter_map(|cookie| cookie.trim().strip_prefix(NAME)?.strip_prefix('='))
            .find_map(|value| {
                let place: u8 = value.split_once('.')?.0.parse().ok()?;
                (u64::from(place) < PLACES && self.value(place) == value).then_some(place)
            })
    }

    fn value(&self, place: u8) -> String {
        let place = place.to_string();
        let seal = self.secret.seal(["canary", &self.name, &place]);
        format!("{place}.{seal}")
    }
}

impl Visitor {
    /// Whether it is a visitor of this canary, under whatever percent.
    pub(crate) fn is_of(&self, canary: &LiveCanary) -> bool {
        self.canary.name == canary.name
    }

    /// Whether a canary is for it.
    pub(crate) fn gets(&self, canary: &LiveCanary) -> bool {
        !self.has_left && self.place < canary.percent
    }

    /// The cookie that tells it its place, where it does not know. `secure`: it is never sent without TLS.
    pub(crate) fn cookie(&self, secure: bool) -> Option<HeaderValue> {
        if !self.is_new {
            return None;
        }
        let secure = if secure { "; Secure" } else { "" };
        let value = self.canary.value(self.place);
        HeaderValue::from_str(&format!("{NAME}={value}; Path=/; HttpOnly; SameSite=Lax{secure}")).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canary(percent: u8, name: &str, secret: &Secret) -> Arc<LiveCanary> {
        let percent = percent.try_into().unwrap();
        Arc::new(LiveCanary::new(
            name.into(),
            percent,
            secret,
            Arc::default(),
            Vec::new(),
        ))
    }

    fn asking(cookie: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(cookie).unwrap())])
    }

    #[test]
    fn each_hundred_visitors_have_each_place_once_and_few_are_spread_as_well() {
        let secret = Secret::random().unwrap();
        for percent in [1, 10, 33, 50, 99] {
            let canary = canary(percent, "shop r1", &secret);
            for _ in 0..3 {
                let all: Vec<bool> = (0..100)
                    .map(|_| canary.visitor(&HeaderMap::new()).gets(&canary))
                    .collect();
                let got = all.iter().filter(|gets| **gets).count();
                assert_eq!(got, usize::from(percent));
                for twenty in all.chunks(20) {
                    let got = twenty.iter().filter(|gets| **gets).count() as f64;
                    let even = f64::from(percent) / 5.0;
                    assert!((got - even).abs() <= 2.0, "{percent}: {got}");
                }
            }
        }
    }

    #[test]
    fn a_cookie_keeps_a_place_of_its_own_canary_and_a_larger_share_takes_nobody_back() {
        let secret = Secret::random().unwrap();
        let few = canary(10, "shop r1", &secret);
        let many = canary(50, "shop r1", &secret);
        let next = canary(10, "shop r2", &secret);
        let elsewhere = canary(10, "shop r1", &Secret::random().unwrap());
        for _ in 0..100 {
            let visitor = few.visitor(&HeaderMap::new());
            let cookie = visitor.cookie(true).unwrap();
            let cookie = cookie.to_str().unwrap();
            assert!(
                cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure"),
                "{cookie}"
            );
            let pair = cookie.split(';').next().unwrap();
            let among = asking(&format!("a=b; {NAME}=3.x; {pair}"));
            let again = few.visitor(&among);
            assert_eq!((again.place, again.is_new), (visitor.place, false));
            assert_eq!(again.cookie(true), None);
            assert!(!few.visitor(&among).gets(&few) || many.visitor(&among).gets(&many));
            assert!(next.visitor(&among).is_new && elsewhere.visitor(&among).is_new);
        }
        let real = few.value(3);
        let seal = real.split_once('.').unwrap().1;
        for forged in [
            "3",
            "3.",
            ".",
            "",
            "4.x",
            "103.x",
            "-1.x",
            "99999999999.x",
            &format!("4.{seal}"),
            &format!("03.{seal}"),
            &format!("+3.{seal}"),
            &format!("103.{seal}"),
        ] {
            assert!(
                few.visitor(&asking(&format!("{NAME}={forged}"))).is_new,
                "{forged}"
            );
        }
        let endless = format!("{}{NAME}={real}", "a=b;".repeat(100_000));
        assert!(few.visitor(&asking(&endless)).is_new);
    }
}
