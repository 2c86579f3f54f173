//! Rules of routes over the wire.

mod access;
mod paths;
mod refusals;
mod sites;
mod spoken;

use hostkit_core::route::condition::{Condition, Place, ValuePattern, ValueTest};
use hostkit_core::route::destination::Destination;
use hostkit_core::route::headers::HeaderRule;
use hostkit_core::route::pattern::PathPattern;
use hostkit_core::route::rules::{Redirect, Rewrite, Rules, Stage};

use crate::support::*;

pub(crate) fn pattern(source: &str) -> PathPattern {
    PathPattern::parse(source).unwrap()
}

pub(crate) fn redirect(from: &str, to: &str) -> Redirect {
    Redirect {
        from: pattern(from),
        to: Destination::parse(to).unwrap(),
        status: 307,
        has: Vec::new(),
        missing: Vec::new(),
    }
}

pub(crate) fn rewrite(from: &str, to: &str, stage: Stage) -> Rewrite {
    Rewrite {
        from: pattern(from),
        to: Destination::parse(to).unwrap(),
        stage,
        has: Vec::new(),
        missing: Vec::new(),
    }
}

pub(crate) fn headers(path: &str, set: &[(&str, &str)]) -> HeaderRule {
    let set = set
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    HeaderRule {
        path: pattern(path),
        set: set.collect(),
        has: Vec::new(),
        missing: Vec::new(),
    }
}

pub(crate) fn condition(place: Place, key: &str, value: &str) -> Condition {
    Condition {
        place,
        key: (!key.is_empty()).then(|| key.to_owned()),
        value: ValueTest {
            re: (!value.is_empty()).then(|| ValuePattern::parse(value).unwrap()),
            ..ValueTest::default()
        },
    }
}

/// A door with one project `shop` and its rules, and what answers there.
pub(crate) fn shop(rules: Rules) -> (Door, Upstream) {
    let upstream = Upstream::named("shop");
    let door = Door::start();
    let mut route = to("shop", &[upstream.address]);
    route.rules = rules;
    let applied = door.apply(vec![route]);
    assert_eq!(applied.put_aside, []);
    (door, upstream)
}

/// A GET of `shop.localhost` with further lines of its head.
pub(crate) fn get(door: &Door, path: &str, lines: &str) -> Answer {
    door.send(format!(
        "GET {path} HTTP/1.1\r\nHost: shop.localhost\r\n{lines}\r\n"
    ))
}
